//! Deaths at one place, at different places, too long ago, and ends that were none.

use super::*;
use crate::engine::tape::Tape;
use crate::io::tape::{Limits, Recording};
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

struct Scratch(PathBuf);

/// How a run ends.
#[derive(Clone, Copy)]
enum End<'e> {
    /// From outside, and nothing is noted.
    Killed,
    /// Of a signal of its own.
    Fault,
    /// With these threads dead.
    InOrder(&'e [&'e str]),
}

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("keel-loop-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::DirBuilder::new().mode(0o700).create(&path).expect("a folder");
        Scratch(path)
    }

    /// A run that began at `at`, heard these by its risk actor, and ended so.
    fn run(&self, at: Nanos, heard: &[Source], end: End<'_>) {
        let limits = Limits { free_mib_min: 1, ..Limits::default() };
        let head = format!(
            "{{\"version\":{},\"program\":\"0\",\"build\":\"\",\"started_at_ns\":{},\"file\":\"\",\"config\":\"\",\
             \"config_digest\":\"\",\"auctions_from_ns\":null,\"instruments\":[],\"key_expires_at_ns\":0,\
             \"apart\":false,\"signer\":\"\"}}",
            crate::engine::tape::VERSION,
            at.0
        );
        let (recording, mut tapes) = Recording::begin(&self.0, limits, (6, &head), &[]).expect("room");
        let Tape::Recording(recorder) = &mut tapes[3] else { panic!("being recorded") };
        for source in heard {
            match source {
                Source::Tick => recorder.plain(at.plus(1), Source::Tick),
                source => recorder.lane(at.plus(1), *source, 1),
            }
        }
        drop(tapes);
        match end {
            End::Killed => {}
            End::Fault => {
                let death =
                    fs::read_dir(self.0.join("tape")).expect("runs").map(|run| run.expect("a run").path()).max();
                fs::write(death.expect("this one").join("death"), [libc::SIGABRT as u8]).expect("noted");
            }
            End::InOrder(died) => {
                let died = died.iter().map(|name| (*name).to_owned()).collect();
                recording.end(&Ending { died }.text()).expect("written");
            }
        }
    }
}

const NOW: Nanos = Nanos(1_800_000_000 * SEC);
const WITHIN_NS: u64 = 600 * SEC;

fn found(scratch: &Scratch) -> Option<Place> {
    look(&scratch.0, WITHIN_NS, NOW).expect("readable")
}

#[test]
fn three_deaths_at_one_place_are_a_loop() {
    let scratch = Scratch::new("same");
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
fn deaths_at_other_places_or_long_ago_are_none() {
    let [other, idle, old] = ["other", "idle", "old"].map(Scratch::new);
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
    let [killed, mixed] = ["killed", "mixed"].map(Scratch::new);
    for ago_s in [30, 20, 10] {
        let at = Nanos(NOW.0 - ago_s * SEC);
        killed.run(at, &[Source::Reports], End::Killed);
        mixed.run(at, &[Source::Reports], if ago_s == 20 { End::Killed } else { End::Fault });
    }
    assert_eq!([&killed, &mixed].map(found), [None, None]);
}
