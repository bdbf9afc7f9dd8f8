//! Tapes on disk: written through the reels, read back page by page, ended without harm when there is no room.

use super::*;
use crate::base::time::{MS, Nanos};
use crate::engine::tape::{Entry, Roll, Source, What};
use std::time::Duration;

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("keel-tape-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        DirBuilder::new().mode(0o700).create(&path).expect("a folder");
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const LIMITS: Limits = Limits { run_mib_max: 1 << 10, kept_mib_max: 1 << 10, free_mib_min: 1 };

fn recorder(tape: &mut Tape) -> &mut Recorder {
    match tape {
        Tape::Recording(recorder) => recorder,
        Tape::Off | Tape::Replaying(_) => panic!("being recorded"),
    }
}

fn read(roll: &mut Roll) -> Vec<Entry> {
    std::iter::from_fn(|| roll.next_entry().expect("sound")).collect()
}

#[test]
fn a_run_is_read_back_over_several_pages() {
    let scratch = Scratch::new("pages");
    let (recording, mut tapes) =
        Recording::begin(&scratch.0, LIMITS, (6, "the head\nof two lines"), &[]).expect("room");
    fill(&scratch, (&recording, &mut tapes), 10);
    recorder(&mut tapes[0]).plain(Nanos(5), Source::Tick);
    assert_eq!(recording.trouble(), None);
    drop(tapes);
    recording.end("in order").expect("written");
    let run = Run::open(&scratch.0, 1).expect("a run");
    assert_eq!((run.head.as_str(), run.end.as_deref()), ("the head\nof two lines", Some("in order")));
    let [mut market_data, mut pricing, _, mut risk, ..] = run.rolls().expect("noted");
    assert_eq!(read(&mut market_data), [Entry { at: Nanos(5), source: Source::Tick, what: What::Plain }]);
    assert_eq!(read(&mut pricing), []);
    let heard = read(&mut risk);
    assert_eq!(heard.len(), 10);
    assert!(heard.iter().all(|entry| entry.what == What::Body(vec![7; 1 << 20])));
    assert_eq!(risk.torn(), 0);
}

#[test]
fn a_run_out_of_room_ends_its_tapes_and_nothing_else() {
    let scratch = Scratch::new("room");
    // One page for each actor, and half a page more.
    let limits = Limits { run_mib_max: 26, ..LIMITS };
    let (recording, mut tapes) = Recording::begin(&scratch.0, limits, (6, ""), &[]).expect("room");
    for place in 0..10u64 {
        recorder(&mut tapes[1]).body(Nanos(place), Source::Wire, &vec![1; 1 << 20], &[]);
    }
    drop(tapes);
    let Recording { keeper, trouble, .. } = recording;
    keeper.join().expect("it ends with its reels");
    assert!(trouble.lock().is_some());
    let run = Run::open(&scratch.0, 1).expect("a run");
    assert_eq!((read(&mut run.rolls().expect("noted")[1]).len(), run.end), (3, None));
}

/// From the moment a page has its name to when it is handed over: one channel, on a host that may be busy.
const HANDOVER: Duration = Duration::from_millis(25);

/// Writes bodies of a mebibyte to risk's tape, three to a page, giving the keeper its time, as a real run gives it.
fn fill(scratch: &Scratch, (recording, tapes): (&Recording, &mut [Tape; 7]), bodies: u64) {
    let body = vec![7u8; 1 << 20];
    for place in 0..bodies {
        recorder(&mut tapes[3]).body(Nanos(place * MS), Source::Wire, &body, &[]);
        let next = scratch.0.join(format!("tape/run-000001/risk-{:06}.page", place / 3 + 2));
        while recording.trouble().is_none() && !next.exists() {
            thread::yield_now();
        }
        if place % 3 == 0 {
            thread::sleep(HANDOVER);
        }
    }
}

#[test]
fn a_long_run_lets_its_oldest_pages_go_while_it_goes_on() {
    let scratch = Scratch::new("rotation");
    let limits = Limits { run_mib_max: 64, ..LIMITS };
    let (recording, mut tapes) = Recording::begin(&scratch.0, limits, (6, ""), &[]).expect("room");
    recorder(&mut tapes[0]).plain(Nanos(5), Source::Tick);
    fill(&scratch, (&recording, &mut tapes), 100);
    assert_eq!(recording.trouble(), None, "it never ended");
    drop(tapes);
    recording.end("").expect("written");
    let run = Run::open(&scratch.0, 1).expect("a run");
    assert!(run.bytes() <= 64 << 20, "{}", run.bytes());
    assert_eq!(run.is_whole(), Ok(false));
    let [mut market_data, _, _, mut risk, ..] = run.rolls().expect("noted");
    assert_eq!(read(&mut market_data).len(), 1, "only full pages go");
    let heard = read(&mut risk);
    assert!(heard.len() >= 12 && heard.len() < 100, "{}", heard.len());
    let ends: Vec<_> = heard.iter().map(|entry| entry.at).collect();
    let all: Vec<_> = (0..100).map(|place| Nanos(place * MS)).collect();
    assert!(all.ends_with(&ends), "the end is there without a gap");
    let last = run.last_words()[3].clone().expect("a message");
    assert_eq!((last.at, last.source), (Nanos(99 * MS), Source::Wire));
    assert_eq!(read(&mut run.last_rolls(2).expect("noted")[3]).last(), heard.last());
    // A page that is missing without having been let go is damage.
    let first = (1..).find(|number| scratch.0.join(format!("tape/run-000001/risk-{number:06}.page")).exists());
    fs::remove_file(scratch.0.join(format!("tape/run-000001/risk-{:06}.page", first.expect("a page")))).expect("gone");
    let outcome = run.rolls().expect("noted")[3].next_entry();
    assert!(outcome.is_err_and(|why| why.to_string().contains("is missing")));
}

#[test]
fn older_runs_go_before_the_disk_is_full() {
    let scratch = Scratch::new("full");
    let (recording, tapes) = Recording::begin(&scratch.0, LIMITS, (6, ""), &[]).expect("room");
    drop(tapes);
    recording.end("").expect("written");
    let greedy = Limits { free_mib_min: 1 << 40, ..LIMITS };
    let refused = Recording::begin(&scratch.0, greedy, (6, ""), &[]).err();
    assert!(refused.is_some_and(|why| why.contains("MiB are free")));
    assert_eq!(runs(&scratch.0).expect("listed"), [2], "the older run has made room");
}

#[test]
fn heads_and_pages_that_were_changed_are_refused() {
    let scratch = Scratch::new("changed");
    let (recording, mut tapes) = Recording::begin(&scratch.0, LIMITS, (6, "head"), &[]).expect("room");
    recorder(&mut tapes[0]).plain(Nanos(5), Source::Tick);
    drop(tapes);
    recording.end("").expect("written");
    let folder = scratch.0.join("tape/run-000001");
    let page = folder.join("market_data-000001.page");
    let sound = fs::read(&page).expect("a page");
    for byte in 0..64 {
        let mut changed = sound.clone();
        changed[byte] ^= 1;
        fs::write(&page, &changed).expect("written");
        let outcome = Run::open(&scratch.0, 1).expect("a run").rolls().expect("noted")[0].next_entry();
        assert!(outcome.is_err(), "byte {byte}: {outcome:?}");
    }
    fs::write(folder.join("head"), "heap\n00000000\n").expect("written");
    assert!(Run::open(&scratch.0, 1).is_err_and(|why| why.contains("damaged")));
    assert!(Run::open(&scratch.0, 2).is_err());
}

#[test]
fn old_runs_make_room() {
    let scratch = Scratch::new("old");
    let one_run = Limits { kept_mib_max: 60, ..LIMITS };
    for run in 1..=4 {
        let (recording, tapes) = Recording::begin(&scratch.0, one_run, (6, ""), &[]).expect("room");
        drop(tapes);
        recording.end("").expect("written");
        let kept = runs(&scratch.0).expect("listed");
        assert_eq!(kept.last(), Some(&run));
        assert!(kept.len() <= 2, "{kept:?}");
    }
}
