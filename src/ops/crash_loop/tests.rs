//! Deaths at one place, at different places, too long ago, and ends that were none.

use super::*;
use crate::engine::ports::Event;
use crate::engine::tape::{Recorder, Tape};
use crate::io::quarantine::Quarantine;
use crate::io::tape::{Limits, Recording};
use std::fs;
use tempfile::TempDir;

struct Scratch(TempDir);

/// How a run ends.
#[derive(Clone, Copy)]
enum End<'e> {
    /// From outside, and nothing is noted.
    Killed,
    /// Of a signal of its own, in a thread of several actors.
    Fault,
    /// Of a signal of its own, in a thread of this name.
    FaultIn(&'e str),
    /// With these threads dead.
    InOrder(&'e [&'e str]),
}

impl Scratch {
    fn new() -> Scratch {
        Scratch(tempfile::tempdir().expect("a folder"))
    }

    /// A run that began at `at`, heard these by its risk actor, and ended so.
    fn run(&self, at: Nanos, heard: &[Source], end: End<'_>) {
        self.record(at, end, |tapes| {
            for source in heard {
                match source {
                    Source::Tick => recorder(tapes, "risk").plain(at.plus(1), Source::Tick),
                    source => recorder(tapes, "risk").lane(at.plus(1), *source, 1),
                }
            }
        });
    }

    /// A run whose gateway heard this from the venue last.
    fn run_of(&self, at: Nanos, text: &str, end: End<'_>) {
        self.record(at, end, |tapes| {
            let gateway = recorder(tapes, "gateway");
            gateway.event(at.plus(1), Source::Wire, &Event::Text(b"{}"));
            gateway.event(at.plus(2), Source::Wire, &Event::Text(text.as_bytes()));
        });
    }

    /// A run that began at `at`, was recorded so, and ended so.
    fn record(&self, at: Nanos, end: End<'_>, hear: impl FnOnce(&mut [Tape; 7])) {
        let limits = Limits { free_mib_min: 1, ..Limits::default() };
        let head = format!(
            "{{\"version\":{},\"program\":\"0\",\"build\":\"\",\"started_at_ns\":{},\"file\":\"\",\"config\":\"\",\
             \"config_digest\":\"\",\"auctions_from_ns\":null,\"instruments\":[],\"key_expires_at_ns\":0,\
             \"apart\":false,\"signer\":\"\"}}",
            crate::engine::tape::VERSION,
            at.0
        );
        let (recording, mut tapes) = Recording::begin(self.0.path(), limits, (6, &head), &[]).expect("room");
        hear(&mut tapes);
        drop(tapes);
        match end {
            End::Killed => {}
            End::Fault => self.note(PIPELINE),
            End::FaultIn(thread) => self.note(thread),
            End::InOrder(died) => {
                let died = died.iter().map(|name| (*name).to_owned()).collect();
                recording.end(&Ending { died }.text()).expect("written");
            }
        }
    }
}

impl Scratch {
    /// The newest run notes its death, as `io/dying.rs` does.
    fn note(&self, thread: &str) {
        let runs = fs::read_dir(self.0.path().join("tape")).expect("runs");
        let newest = runs.map(|run| run.expect("a run").path()).max().expect("this one");
        let note = [&[libc::SIGABRT as u8], thread.as_bytes(), &[0]].concat();
        fs::write(newest.join("death"), note).expect("noted");
    }
}

/// The tape of an actor.
fn recorder<'t>(tapes: &'t mut [Tape; 7], actor: &str) -> &'t mut Recorder {
    let place = TAPES.iter().position(|name| *name == actor).expect("an actor");
    let Tape::Recording(recorder) = &mut tapes[place] else { panic!("being recorded") };
    recorder
}

const NOW: Nanos = Nanos(1_800_000_000 * SEC);
const WITHIN_NS: u64 = 600 * SEC;

fn looked(scratch: &Scratch) -> Option<Loop> {
    look(scratch.0.path(), WITHIN_NS, NOW).expect("readable")
}

fn found(scratch: &Scratch) -> Option<Place> {
    looked(scratch).map(|found| found.place)
}

#[test]
fn three_deaths_at_one_place_are_a_loop() {
    let scratch = Scratch::new();
    let at = |ago_s: u64| Nanos(NOW.0 - ago_s * SEC);
    let reports = [Source::Tick, Source::Values, Source::Reports];
    scratch.run(at(500), &reports, End::InOrder(&["risk"]));
    scratch.run(at(400), &reports, End::InOrder(&["pipeline"]));
    assert_eq!(found(&scratch), None, "two are none");
    scratch.run(at(300), &reports, End::Fault);
    assert_eq!(found(&scratch), Some(Place { actor: "risk", source: Source::Reports }));
    scratch.run(at(200), &reports, End::InOrder(&[]));
    assert_eq!(found(&scratch), None, "a good end breaks it");
}

#[test]
fn threads_that_lived_on_tell_nothing_of_a_death() {
    let scratch = Scratch::new();
    for (number, outlived) in [(1, Source::Wire), (2, Source::Venue), (3, Source::External)] {
        scratch.record(Nanos(NOW.0 - (100 - 10 * number) * SEC), End::FaultIn("risk+signer"), |tapes| {
            let at = Nanos(NOW.0 - (100 - 10 * number) * SEC);
            recorder(tapes, "risk").lane(at.plus(1), Source::Reports, 1);
            recorder(tapes, "market_data").event(at.plus(2), outlived, &Event::Text(b"{}"));
        });
    }
    assert_eq!(found(&scratch), Some(Place { actor: "risk", source: Source::Reports }));
}

#[test]
fn deaths_at_other_places_or_long_ago_are_none() {
    let [other, idle, old] = [(); 3].map(|()| Scratch::new());
    for (ago_s, source) in [(30, Source::Reports), (20, Source::Intents), (10, Source::Reports)] {
        let at = |ago_s: u64| Nanos(NOW.0 - ago_s * SEC);
        other.run(at(ago_s), &[source], End::InOrder(&["risk"]));
        idle.run(at(ago_s), &[Source::Reports, Source::Tick], End::Fault);
        old.run(at(ago_s + 595), &[Source::Reports], End::Fault);
    }
    assert_eq!([&other, &idle, &old].map(found), [None, None, None]);
}

#[test]
fn kills_from_outside_are_no_deaths_wherever_they_come() {
    let [killed, mixed] = [(); 2].map(|()| Scratch::new());
    for ago_s in [30, 20, 10] {
        let at = Nanos(NOW.0 - ago_s * SEC);
        killed.run(at, &[Source::Reports], End::Killed);
        mixed.run(at, &[Source::Reports], if ago_s == 20 { End::Killed } else { End::Fault });
    }
    assert_eq!([&killed, &mixed].map(found), [None, None]);
}

#[test]
fn a_message_that_was_the_death_of_three_runs_is_kept_out_of_the_next() {
    let [same, other] = [(); 2].map(|()| Scratch::new());
    let text =
        |number: u64, state: &str| format!(r#"{{"order":{{"nonce":18000000000000{number:02},"status":"{state}"}}}}"#);
    for number in [1, 2, 3] {
        let at = Nanos(NOW.0 - (100 - 10 * number) * SEC);
        same.run_of(at, &text(number, "open"), End::InOrder(&["gateway"]));
        other.run_of(at, &text(number, if number == 2 { "open" } else { "filled" }), End::Fault);
    }
    let place = Place { actor: "gateway", source: Source::Wire };
    let found = looked(&same).expect("a loop");
    assert_eq!(found, Loop { place, message: Some(text(3, "open").into_bytes()) });
    let words = quarantine(same.0.path(), &found, WITHIN_NS);
    let length = text(3, "open").len();
    let said = format!("each while gateway heard Wire of the same message of {length} bytes, which is kept out while");
    assert!(words.contains(&said), "{words}");
    let kept_out = Quarantine::of(same.0.path()).expect("readable");
    assert!(kept_out.refuses(text(77, "open").as_bytes()), "whatever its nonce");
    assert!(!kept_out.refuses(text(3, "filled").as_bytes()) && !kept_out.refuses(b"{}"));

    // Where nothing can be written the next run begins all the same, drained.
    fs::remove_dir_all(same.0.path().join("quarantine")).expect("gone");
    fs::write(same.0.path().join("quarantine"), "in its place").expect("a file");
    let words = quarantine(same.0.path(), &found, WITHIN_NS);
    assert!(words.contains("which is not kept out: cannot write") && words.contains("starts drained"), "{words}");

    // Somebody else died while the gateway had heard it last, or the gateway's thread went on to something else.
    let [aside, later] = [(); 2].map(|()| Scratch::new());
    for number in [1, 2, 3] {
        let at = Nanos(NOW.0 - (100 - 10 * number) * SEC);
        aside.run_of(at, &text(number, "open"), End::FaultIn("listings"));
        later.record(at, End::Fault, |tapes| {
            let event = text(number, "open");
            recorder(tapes, "gateway").event(at.plus(1), Source::Wire, &Event::Text(event.as_bytes()));
            recorder(tapes, "risk").plain(at.plus(2), Source::Tick);
        });
    }
    for scratch in [&aside, &later] {
        assert_eq!(looked(scratch), Some(Loop { place, message: None }));
    }

    let found = looked(&other).expect("a loop, of different messages");
    assert_eq!(found, Loop { place, message: None });
    let words = quarantine(other.0.path(), &found, WITHIN_NS);
    assert!(words.contains("each while gateway heard Wire: this one starts drained"), "{words}");
    assert!(Quarantine::of(other.0.path()).expect("readable").is_empty());
}
