//! The demo's vault on an embedded venue, as files an engine or a sentry is started on, and the processes themselves.

#![allow(dead_code)] // Every test that includes this uses its own part of it.

use keel::exchange::world::{Live, Options, WorldSettings, spawn};
use keel::exchange::{AccountSeed, Settings, developer_accounts};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// A venue, a vault on it, its key, and whatever else a test puts beside them.
pub struct Scene {
    pub folder: tempfile::TempDir,
    pub live: Live,
    pub account: AccountSeed,
}

pub fn private(folder: &Path, name: &str, text: &str) {
    let mut options = fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(folder.join(name));
    file.and_then(|mut file| file.write_all(text.as_bytes())).expect("written");
}

/// An embedded venue whose market moves, with an account for the vault.
pub fn venue() -> (Live, AccountSeed) {
    venue_in(WorldSettings::demo(7, 60))
}

/// The same, in a market of choice.
pub fn venue_in(world: WorldSettings) -> (Live, AccountSeed) {
    let mut account = developer_accounts(7, 1).remove(0);
    account.balances = vec![("WEETH".to_owned(), "100".parse().expect("literal"))];
    let settings = Settings { seed: 7, accounts: vec![account.clone()], ..Settings::default() };
    (spawn(Options::on_free_ports(settings, world)).expect("loopback is free"), account)
}

/// The demo's vault on this venue, its key in `session.key`.
pub fn vault_text(live: &Live, account: &AccountSeed) -> String {
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
    let template = include_str!("../../src/cli/demo/weeth.toml").to_owned();
    values.iter().fold(template, |text, (name, value)| text.replace(name, value))
}

impl Scene {
    /// `change` makes what the test wants of the demo's configuration.
    pub fn new(change: impl FnOnce(String) -> String) -> Scene {
        let (live, account) = venue();
        let folder = tempfile::tempdir().expect("a folder");
        let text = vault_text(&live, &account);
        private(folder.path(), "vault.toml", &change(text));
        private(folder.path(), "session.key", &account.session_key_hex);
        Scene { folder, live, account }
    }

    /// Orders that rest at the venue, by its own books.
    pub fn resting(&self) -> usize {
        let subaccount = self.account.subaccount;
        let report = self.live.exchange.with(move |exchange, _, _| exchange.subaccount_report(subaccount));
        report.flatten().expect("its books").open_orders
    }

    /// Waits until so many orders rest as wanted; yields how long it took.
    pub fn until_resting(&self, longest: Duration, wanted: impl Fn(usize) -> bool) -> Duration {
        let began = Instant::now();
        while !wanted(self.resting()) {
            assert!(began.elapsed() < longest, "{} orders rest", self.resting());
            std::thread::yield_now();
        }
        began.elapsed()
    }

    /// Runs `keel` to its end in the folder.
    pub fn keel(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keel"));
        command.args(args).current_dir(self.folder.path()).output().expect("the binary runs")
    }

    /// Starts `keel` in the folder, in a process group of its own.
    pub fn start(&self, args: &[&str]) -> Process {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keel"));
        command.args(args).current_dir(self.folder.path()).process_group(0);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the binary runs");
        let lines = read(child.stderr.take().expect("piped"));
        Process { child, lines, heard: String::new() }
    }

    /// Starts the engine.
    pub fn engine(&self) -> Process {
        self.start(&["run", "--config", "vault.toml", "--state", "journal", "--seconds", "60"])
    }
}

fn read(stderr: ChildStderr) -> Receiver<String> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// A process of ours.
pub struct Process {
    pub child: Child,
    lines: Receiver<String>,
    pub heard: String,
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended already unless the test failed.
        self.signal(libc::SIGKILL);
        let _ = self.child.wait();
    }
}

impl Process {
    /// Waits for the next line that holds these words.
    pub fn wait_for(&mut self, words: &str) -> String {
        self.wait_for_any(&[words])
    }

    /// Waits for the next line that holds any of these.
    pub fn wait_for_any(&mut self, words: &[&str]) -> String {
        loop {
            let Ok(line) = self.lines.recv_timeout(Duration::from_secs(30)) else {
                panic!("never said any of {words:?}:\n{}", self.heard)
            };
            self.heard += &format!("{line}\n");
            if words.iter().any(|words| line.contains(words)) {
                return line;
            }
        }
    }

    /// What it has said so far.
    pub fn said(&mut self) -> &str {
        while let Ok(line) = self.lines.try_recv() {
            self.heard += &format!("{line}\n");
        }
        &self.heard
    }

    /// Ends the process in order.
    pub fn stop(&mut self) {
        let process = i32::try_from(self.child.id()).expect("a process's number");
        // SAFETY: names a child of this test that was not waited for.
        unsafe { libc::kill(process, libc::SIGTERM) };
        self.child.wait().expect("a child");
    }

    /// To the process and all it has started.
    pub fn signal(&self, signal: i32) {
        let group = i32::try_from(self.child.id()).expect("a process's number");
        // SAFETY: names the group of a child of this test, made with it.
        unsafe { libc::kill(-group, signal) };
    }
}
