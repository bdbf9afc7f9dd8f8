//! The real programs as processes: a venue with its crowd, an engine on a vault of it, and a sentry, on loopback.

pub mod books;
pub mod engine;
pub mod relay;
pub mod vault;

use keel::exchange::{AccountSeed, developer_accounts};
use serde_json::json;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;
use vault::Vault;

/// A venue that was stopped answers for at least so long before it is stopped again.
const BREATH: Duration = Duration::from_millis(500);

/// The `keel` binary beside this one.
pub fn binary() -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|why| why.to_string())?;
    let keel = own.with_file_name("keel");
    if keel.is_file() { Ok(keel) } else { Err(format!("{} is not there: build it first", keel.display())) }
}

/// Writes a file that only its owner can reach.
pub fn private(path: &Path, text: &str) -> Result<(), String> {
    let mut options = fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|why| format!("{}: {why}", path.display()))
}

/// A child that ends with its owner.
pub struct Kept(pub Child);

impl Drop for Kept {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Sends a signal to a process that a program of ours has started. One that has ended needs none.
pub fn signal(process: u32, signal: i32) -> Result<(), String> {
    let number = i32::try_from(process).map_err(|why| why.to_string())?;
    // SAFETY: sends a signal; the number is that of a child that was not waited for, or of a child's own signer.
    if unsafe { libc::kill(number, signal) } == 0 {
        return Ok(());
    }
    let why = std::io::Error::last_os_error();
    if why.raw_os_error() == Some(libc::ESRCH) { Ok(()) } else { Err(why.to_string()) }
}

/// Where a venue and what belongs to it can be reached.
#[derive(Clone, Debug, Default)]
pub struct Addresses {
    /// WebSocket.
    pub ws: String,
    /// HTTP, without a method.
    pub http: String,
    /// The external book, without a stream.
    pub book: String,
    /// The node with the ratio feeds.
    pub rpc: String,
}

/// A running venue.
pub struct Venue {
    child: Kept,
    freezing: Mutex<()>,
    /// Where it is.
    pub addresses: Addresses,
    /// Who trades there.
    pub accounts: Vec<AccountSeed>,
    /// What it prints is read to its end, so that it never waits for a reader.
    _reader: std::thread::JoinHandle<()>,
}

impl Venue {
    /// Starts `keel exchange` for so many vaults of a kind, in their market.
    pub fn start(folder: &Path, seed: u64, (kind, vaults): (Vault, usize)) -> Result<Venue, String> {
        let accounts = developer_accounts(seed, vaults);
        let rows: Vec<_> = accounts
            .iter()
            .map(|account| {
                json!({ "wallet": account.wallet.to_string(), "session_key_address": account.session_key.to_string(),
                        "subaccount_id": account.subaccount, "balances": { "WEETH": kind.base() } })
            })
            .collect();
        let list = folder.join(format!("accounts-{}.json", kind.market()));
        fs::write(&list, json!(rows).to_string()).map_err(|why| why.to_string())?;
        let mut command = Command::new(binary()?);
        command.args(["exchange", "--listen", "127.0.0.1:0", "--market", kind.market(), "--seed", &seed.to_string()]);
        command.arg("--accounts-file").arg(&list).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(|why| why.to_string())?;
        let out = child.stdout.take().ok_or("no output of the venue")?;
        let child = Kept(child);
        let (addresses, mut lines) = read_addresses(BufReader::new(out))?;
        let reader = std::thread::spawn(move || {
            let mut line = String::new();
            while lines.read_line(&mut line).is_ok_and(|count| count > 0) {
                line.clear();
            }
        });
        Ok(Venue { child, freezing: Mutex::new(()), addresses, accounts, _reader: reader })
    }
}

impl Venue {
    /// SIGSTOP for so long, then SIGCONT: sockets stay open and nothing answers. One at a time, with time to answer in between.
    pub fn freeze(&self, time: Duration) -> Result<(), String> {
        let _turn = self.freezing.lock().map_err(|_| "another vault's thread panicked")?;
        signal(self.child.0.id(), libc::SIGSTOP)?;
        std::thread::sleep(time);
        signal(self.child.0.id(), libc::SIGCONT)?;
        std::thread::sleep(BREATH);
        Ok(())
    }
}

/// The addresses a venue prints before it is ready.
fn read_addresses<R: BufRead>(mut out: R) -> Result<(Addresses, R), String> {
    let mut found = Addresses::default();
    loop {
        let mut line = String::new();
        if out.read_line(&mut line).map_err(|why| why.to_string())? == 0 {
            return Err("the venue ended before it was ready".to_owned());
        }
        let line = line.trim();
        let rest = |name: &str| line.strip_prefix(name).map(|rest| rest.trim().to_owned());
        if let Some(url) = rest("WebSocket") {
            found.ws = url;
        } else if let Some(url) = rest("HTTP") {
            found.http = url.split("/{").next().unwrap_or_default().to_owned();
        } else if let Some(url) = rest("external book") {
            found.book = url.split("/ws/").next().unwrap_or_default().to_owned();
        } else if let Some(url) = rest("ratio feeds") {
            found.rpc = url;
        } else if line.starts_with("Ready.") {
            return Ok((found, out));
        }
    }
}
