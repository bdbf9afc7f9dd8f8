//! The real binary, dying three times in a row of the same thing: the fourth start quotes nothing and says why. And one
//! that keeps a message out.

use crate::live_vault::{private, vault_text, venue_in};
use keel::exchange::world::{Live, WorldSettings};
use keel::io::quarantine::put;
use keel::io::tape::{Run, runs};
use serde_json::Value;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// What the kernel sends to whoever writes to a page that its file no longer has.
const SIGBUS: i32 = 7;

fn keel(folder: &Path, seconds: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keel"));
    let args = ["run", "--config", "vault.toml", "--state", "state", "--json", "--seconds", seconds];
    command.args(args).current_dir(folder);
    command
}

/// Records of 256 bytes in a page of the journal, behind its head.
fn records(page: &[u8]) -> usize {
    page.chunks(256).skip(1).filter(|record| record.iter().any(|byte| *byte != 0)).count()
}

/// A folder with a vault's configuration, these lines in it, and the venue it is for: a market without an end, as a slow
/// host takes its time to die three times.
fn vault(extra: &str) -> (TempDir, Live) {
    let folder = tempfile::tempdir().expect("a folder");
    let (live, account) = venue_in(WorldSettings::waves(7, 60));
    private(folder.path(), "vault.toml", &format!("{}\n{extra}", vault_text(&live, &account)));
    private(folder.path(), "session.key", &account.session_key_hex);
    (folder, live)
}

fn journal(folder: &Path) -> PathBuf {
    folder.join("state/000000000001.page")
}

/// Starts the engine and lets it journal a little; it, and the journal's page.
fn trading(folder: &Path) -> (Child, Vec<u8>) {
    let known = fs::read(journal(folder)).map_or(0, |page| records(&page));
    let mut engine: Child =
        keel(folder, "120").stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the binary runs");
    let began = Instant::now();
    loop {
        let page = fs::read(journal(folder)).unwrap_or_default();
        if records(&page) >= known + 5 {
            return (engine, page);
        }
        let gone = engine.try_wait().expect("a child");
        assert!(gone.is_none() && began.elapsed() < Duration::from_secs(60), "nothing was journaled: {gone:?}");
        std::thread::yield_now();
    }
}

/// An engine that trades, the journal's page taken away under it, and put back once it is dead.
fn dies_of_its_disk(folder: &Path) -> Output {
    let (engine, sound) = trading(folder);
    let journal = journal(folder);
    fs::OpenOptions::new().write(true).open(&journal).and_then(|page| page.set_len(0)).expect("cut");
    let ended = engine.wait_with_output().expect("ended");
    fs::write(&journal, sound).expect("put back");
    ended
}

#[test]
fn an_abort_that_somebody_else_sends_is_no_death_of_its_own() {
    let (folder, _live) = vault("");
    let folder = folder.path();
    let (engine, _) = trading(folder);
    let status = || {
        Command::new(env!("CARGO_BIN_EXE_keel"))
            .args(["ctl", "status", "--state", "state"])
            .current_dir(folder)
            .output()
    };
    let began = Instant::now();
    while !String::from_utf8_lossy(&status().expect("the binary runs").stdout).contains("live") {
        assert!(began.elapsed() < Duration::from_secs(60), "it is never live");
        std::thread::sleep(Duration::from_millis(20));
    }
    // SAFETY: a plain system call on a child that has not been waited for.
    assert_eq!(unsafe { libc::kill(engine.id().cast_signed(), libc::SIGABRT) }, 0);
    let ended = engine.wait_with_output().expect("ended");
    assert_eq!(ended.status.signal(), Some(libc::SIGABRT), "{}", String::from_utf8_lossy(&ended.stderr));
    let state = folder.join("state");
    let [run] = runs(&state).expect("runs")[..] else { panic!("one run") };
    assert_eq!(Run::open(&state, run).expect("a run").died_in, None);
}

#[test]
fn three_deaths_at_one_place_start_the_next_run_drained() {
    // The signer in the engine's process, so that its death is the engine's; all actors in one thread, so that the last
    // message heard is the signer's.
    let extra = "[topology]\nlayout = \"single\"\n[signer]\nisolation = \"thread\"\n[journal]\nreplay_at_start_ms_max = 60000\n";
    let (folder, live) = vault(extra);
    let folder = folder.path();
    for death in 1..=3 {
        let ended = dies_of_its_disk(folder);
        let words = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.signal(), Some(SIGBUS), "death {death}: {words}");
        assert!(!words.contains("starts drained"), "death {death}: {words}");
    }
    let notes = runs(&folder.join("state")).expect("runs").into_iter();
    let died_in = notes.map(|run| Run::open(&folder.join("state"), run).expect("a run").died_in);
    assert_eq!(died_in.collect::<Vec<_>>(), vec![Some("pipeline".to_owned()); 3]);
    let fourth = keel(folder, "5").output().expect("the binary runs");
    let words = String::from_utf8_lossy(&fourth.stderr);
    let loops = "every vault starts drained: the last 3 runs died within 600 s, each while signer heard Orders";
    assert!(words.contains(loops), "{words}");
    assert!(words.contains("Look at the tapes (keel replay) before starting again"), "{words}");
    let report: Value = serde_json::from_slice(&fourth.stdout).expect("one object");
    // A drain still hedges what the dead have left open.
    assert_eq!((&report["quotes"], &report["fills_base"]), (&Value::from(0), &Value::from(0)), "{report}");
    assert_eq!(fourth.status.code(), Some(0), "it ended in order: {words}");
    live.exchange.join();
}

/// The first answer that the public connection gave in the last run.
fn first_public_answer(state: &Path) -> Vec<u8> {
    let last = *runs(state).expect("readable").last().expect("a run");
    let [mut public, ..] = Run::open(state, last).expect("a run").rolls().expect("whole");
    loop {
        let entry = public.next_entry().expect("sound").expect("a text");
        if let Some(text) = entry.text().filter(|text| text.starts_with(br#"{"id":"#)) {
            return text.to_vec();
        }
    }
}

#[test]
fn a_message_in_quarantine_is_kept_out_and_said_whenever_it_comes() {
    let (folder, live) = vault("");
    let folder = folder.path();
    let run = || {
        let ended = keel(folder, "3").output().expect("the binary runs");
        let words = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(0), "{words}");
        let report: Value = serde_json::from_slice(&ended.stdout).expect("one object");
        assert_eq!(report["violations"], Value::Array(Vec::new()), "{report}");
        words
    };
    let words = run();
    assert!(!words.contains("kept out"), "{words}");
    let message = first_public_answer(&folder.join("state"));
    let file = put(&folder.join("state"), &message).expect("written");
    let words = run();
    let words = format!("{words}{}", String::from_utf8_lossy(&message));
    assert!(words.contains("every vault starts drained: messages kept out by state/quarantine: 1"), "{words}");
    assert!(words.contains("alarm: a message in quarantine came again and was kept out (1 so far)"), "{words}");
    fs::remove_file(file).expect("taken away");
    let words = run();
    assert!(!words.contains("kept out"), "{words}");
    live.exchange.join();
}
