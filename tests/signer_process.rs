//! The signer in a process of its own, around the real binary: it trades, it alone holds the key, and when it is gone or
//! stopped nothing is signed.

use keel::exchange::world::{Live, Options, WorldSettings, spawn};
use keel::exchange::{AccountSeed, Settings, developer_accounts};
use std::fs;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("keel-signer-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::DirBuilder::new().mode(0o700).create(&path).expect("a temporary folder");
        Folder(path)
    }

    fn private(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).expect("a new file");
        file.write_all(text.as_bytes()).expect("written");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn venue() -> (Live, AccountSeed) {
    let mut account = developer_accounts(7, 1).remove(0);
    account.balances = vec![("WEETH".to_owned(), "100".parse().expect("literal"))];
    let settings = Settings { seed: 7, accounts: vec![account.clone()], ..Settings::default() };
    (spawn(Options::on_free_ports(settings, WorldSettings::demo(7, 60))).expect("loopback is free"), account)
}

/// The demo's vault on this venue.
fn config(live: &Live, account: &AccountSeed) -> String {
    let book = live.binance_ws_url();
    let values = [
        ("@WS@", live.exchange_ws_url()),
        ("@REST@", live.exchange_http_url()),
        ("@BOOK@", book.trim_end_matches("/ws").to_owned()),
        ("@RPC@", live.chainlink_http_url()),
        ("@OWNER@", account.wallet.to_string()),
        ("@SUBACCOUNT@", account.subaccount.to_string()),
        ("@KEY@", "session.key".to_owned()),
    ];
    let template = include_str!("../src/cli/demo/weeth.toml").to_owned();
    values.iter().fold(template, |text, (name, value)| text.replace(name, value))
}

/// A running engine.
struct Engine {
    child: Child,
    said: BufReader<std::process::ChildStderr>,
    heard: String,
    signer: u32,
}

impl Drop for Engine {
    fn drop(&mut self) {
        // It has ended already unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Engine {
    fn start(folder: &Folder, seconds: u32) -> Engine {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keel"));
        let seconds = seconds.to_string();
        command.args(["run", "--config", "vault.toml", "--state", "journal", "--json", "--seconds", &seconds]);
        command.current_dir(&folder.0).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary runs");
        let said = BufReader::new(child.stderr.take().expect("piped"));
        let mut engine = Engine { child, said, heard: String::new(), signer: 0 };
        let line = engine.wait_for("the key is in process ");
        engine.signer = line.rsplit(' ').next().and_then(|number| number.parse().ok()).expect("a number");
        engine
    }

    /// The next line that holds these words.
    fn wait_for(&mut self, words: &str) -> String {
        loop {
            let mut line = String::new();
            assert!(self.said.read_line(&mut line).expect("text") > 0, "never said {words:?}:\n{}", self.heard);
            self.heard += &line;
            if line.contains(words) {
                return line.trim().to_owned();
            }
        }
    }

    /// Waits for it to end; yields how, its report and its words.
    fn end(mut self) -> (ExitStatus, serde_json::Value, String) {
        let mut report = String::new();
        self.child.stdout.take().expect("piped").read_to_string(&mut report).expect("text");
        self.said.read_to_string(&mut self.heard).expect("text");
        let status = self.child.wait().expect("ends");
        let report = serde_json::from_str(&report).unwrap_or(serde_json::Value::Null);
        (status, report, std::mem::take(&mut self.heard))
    }
}

/// A scene: a venue, a vault on it, its key.
fn scene(name: &str) -> (Folder, Live, AccountSeed) {
    let folder = Folder::new(name);
    let (live, account) = venue();
    folder.private("vault.toml", &config(&live, &account));
    folder.private("session.key", &account.session_key_hex);
    (folder, live, account)
}

/// A line of `/proc/<process>/status`.
fn fact(process: u32, name: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{process}/status")).expect("alive");
    let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("a fact of every process");
    line.trim_start_matches(':').trim().to_owned()
}

/// How often these bytes stand in a process's writable memory; none if the system lets nobody look.
fn count_in_memory(process: u32, wanted: &[u8]) -> Option<usize> {
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).ok()?;
    let mut memory = fs::File::open(format!("/proc/{process}/mem")).ok()?;
    let mut found = 0;
    for line in maps.lines().filter(|line| line.split(' ').nth(1).is_some_and(|rights| rights.starts_with("rw"))) {
        let range = line.split(' ').next()?.split_once('-')?;
        let (from, to) = (u64::from_str_radix(range.0, 16).ok()?, u64::from_str_radix(range.1, 16).ok()?);
        let mut bytes = vec![0; (to - from) as usize];
        // What was unmapped meanwhile holds nothing any more.
        if memory.seek(SeekFrom::Start(from)).is_ok() && memory.read_exact(&mut bytes).is_ok() {
            found += memchr::memmem::find_iter(&bytes, wanted).count();
        }
    }
    Some(found)
}

/// Counts how often a file is opened.
struct Watch(fs::File);

impl Watch {
    fn on(path: &Path) -> Watch {
        let name = std::ffi::CString::new(path.to_str().expect("plain")).expect("no NUL");
        // SAFETY: flags, a new descriptor that is owned here alone, and a C string that lives for the call.
        unsafe {
            let watch = OwnedFd::from_raw_fd(libc::inotify_init1(libc::IN_CLOEXEC | libc::IN_NONBLOCK));
            assert!(libc::inotify_add_watch(watch.as_raw_fd(), name.as_ptr(), libc::IN_OPEN) >= 0);
            Watch(watch.into())
        }
    }

    fn opened(&mut self) -> usize {
        let mut events = Vec::new();
        // Ends with "would block" once every event is read.
        let _ = self.0.read_to_end(&mut events);
        events.len() / std::mem::size_of::<libc::inotify_event>()
    }
}

#[test]
fn it_trades_and_only_the_locked_down_child_ever_has_the_key() {
    let (folder, live, account) = scene("trades");
    let mut watch = Watch::on(&folder.0.join("session.key"));
    let mut engine = Engine::start(&folder, 8);
    let signer = engine.signer;
    assert_eq!(fact(signer, "PPid"), engine.child.id().to_string());
    assert_eq!((fact(signer, "NoNewPrivs"), fact(signer, "Seccomp")), ("1".to_owned(), "2".to_owned()));
    engine.wait_for("Live");
    for thread in fs::read_dir(format!("/proc/{signer}/task")).expect("threads") {
        let path = thread.expect("a thread").path().join("status");
        let status = fs::read_to_string(&path).expect("alive");
        let filters = status.lines().find_map(|line| line.strip_prefix("Seccomp_filters:\t"));
        assert!(filters.is_none_or(|filters| filters == "2"), "each has the process's filter and its own: {status}");
    }
    // Who may look sees that the pipes are gone and their places are taken.
    if let Ok(place) = fs::read_link(format!("/proc/{signer}/fd/0")) {
        assert_eq!(place, Path::new("/dev/null"));
        assert_eq!(fs::read_link(format!("/proc/{signer}/fd/1")).expect("taken"), Path::new("/dev/null"));
    }
    let secret = alloy_primitives::hex::decode(&account.session_key_hex).expect("hexadecimal");
    // Who may look sees it in the child's page, so looking works, and nowhere in the engine.
    if let (Some(here), Some(there)) = (count_in_memory(signer, &secret), count_in_memory(engine.child.id(), &secret)) {
        assert!(here > 0, "the child holds the key it signs with");
        assert_eq!(there, 0, "the engine holds the key");
        let text = account.session_key_hex.trim_start_matches("0x").as_bytes();
        assert_eq!(count_in_memory(engine.child.id(), text), Some(0), "the engine holds the key's text");
    }
    let (status, report, words) = engine.end();
    assert_eq!(status.code(), Some(0), "{words}");
    assert_eq!(watch.opened(), 1, "the child opens the key's file once, nobody else does");
    assert!(report["fills"].as_u64() > Some(0) && report["hedges"].as_u64() > Some(0), "{report}");
    assert_eq!((&report["violations"], &report["withheld"]), (&serde_json::json!([]), &0.into()), "{report}");
    assert!(!Path::new(&format!("/proc/{signer}")).exists(), "the child ends with the engine");
    live.exchange.join();
}

#[test]
fn when_the_child_dies_everything_is_cancelled_and_a_person_is_called() {
    let (folder, live, _) = scene("dies");
    let mut engine = Engine::start(&folder, 10);
    engine.wait_for("Live");
    let signer = i32::try_from(engine.signer).expect("a process's number");
    // SAFETY: names a child of the engine that this test has started.
    assert_eq!(unsafe { libc::kill(signer, libc::SIGKILL) }, 0);
    engine.wait_for("nothing is signed any more (Lost)");
    let (status, report, words) = engine.end();
    assert_eq!(status.code(), Some(3), "{words}");
    assert!(words.contains("the signer's process died"), "{words}");
    let history = report["history"].as_array().expect("looks");
    assert_eq!(history.last().expect("a look")["live"], 0, "{report}");
    live.exchange.join();
}

#[test]
fn an_operator_stops_the_signer_itself() {
    let (folder, live, _) = scene("stopped");
    let ctl = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keel"));
        let output = command.args(["ctl", "kill", "--state", "journal"]).current_dir(&folder.0).output();
        let output = output.expect("the binary runs");
        let words = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.code(), words)
    };
    let (code, words) = ctl();
    assert_eq!(code, Some(2), "{words}");
    let mut engine = Engine::start(&folder, 10);
    engine.wait_for("Live");
    let (code, words) = ctl();
    assert!(code == Some(0) && words.contains(&format!("process {}", engine.signer)), "{words}");
    engine.wait_for("nothing is signed any more (Stopped)");
    let (status, report, words) = engine.end();
    assert_eq!(status.code(), Some(3), "{words}");
    assert!(words.contains("an operator stopped the signer"), "{words}");
    let history = report["history"].as_array().expect("looks");
    assert_eq!(history.last().expect("a look")["live"], 0, "{report}");
    let (code, words) = ctl();
    assert!(code == Some(2) && words.contains("nothing runs on"), "{words}");
    live.exchange.join();
}
