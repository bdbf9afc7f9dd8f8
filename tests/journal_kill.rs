//! A writer killed at any moment: every record whose append had returned is there, whole and in order.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use keel::engine::ports::Store;
use keel::io::store::{Layout, PageStore};

const FOLDER: &str = "KEEL_JOURNAL_KILL_FOLDER";
const LAYOUT: Layout = Layout { records_per_page: 64, pages_kept: 1_000 };

fn record(number: u64) -> Vec<u8> {
    (0..number % 249).map(|at| (number + at) as u8).collect()
}

/// The writer: this same program, started with a folder in its environment. Says each record's number once its
/// append has returned, until it is killed.
fn write_for_ever(folder: PathBuf) {
    let (mut store, _) = PageStore::open(&folder, LAYOUT, &mut |_, _| {}).expect("the writer's journal");
    let mut out = std::io::stdout().lock();
    loop {
        let number = store.next_record();
        store.append(&record(number));
        if writeln!(out, "wrote {number}").and_then(|()| out.flush()).is_err() {
            return;
        }
    }
}

#[test]
fn nothing_appended_is_lost_when_the_writer_is_killed() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return write_for_ever(folder.into());
    }
    let scratch = tempfile::tempdir().expect("a folder");
    let folder = scratch.path().join("journal");
    let mut least = 0;
    for round in 0..5u64 {
        let mut writer = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "--nocapture", "nothing_appended_is_lost_when_the_writer_is_killed"])
            .env(FOLDER, &folder)
            .stdout(Stdio::piped())
            .spawn()
            .expect("a writer");
        let said = BufReader::new(writer.stdout.take().expect("its output")).lines();
        let wrote = said.map_while(Result::ok).filter_map(|line| line.strip_prefix("wrote ")?.parse::<u64>().ok());
        for number in wrote.take(50 + 97 * round as usize) {
            least = number + 1;
        }
        writer.kill().expect("killed");
        writer.wait().expect("gone");
        let mut seen = 0;
        let mut check = |number: u64, bytes: &[u8]| {
            assert_eq!((number, bytes), (seen, record(seen).as_slice()), "round {round}");
            seen += 1;
        };
        let (_, found) = PageStore::open(&folder, LAYOUT, &mut check).expect("the journal after the kill");
        assert!(found.torn == 0 && seen >= least, "{seen} of at least {least}");
    }
    assert!(least >= 5 * 50);
}
