//! A vault's engine in a market of weeks: leaping through quiet times loses nothing and neither side takes a leap for
//! silence.

#[path = "support/basis_vault.rs"]
mod basis_vault;

use basis_vault::{blueprint, key_of, vault_account};
use keel::actors::risk::Notice;
use keel::base::time::{MS, Nanos, SEC};
use keel::engine::actor::Turn;
use keel::exchange::Settings;
use keel::exchange::world::WorldSettings;
use keel::exchange::world::weeks::Shape;
use keel::msg::Mode;
use keel::ops::blueprint::Outside;
use keel::sim::ports::MemoryStore;
use keel::sim::venue::{Pace, SimVenue};
use keel::topology::{ControlEnds, Layout, assemble};
use std::time::Instant;

/// A Friday, 09:00 UTC.
const START: Nanos = Nanos(1_800_003_600 * SEC);
const HOUR: u64 = 3_600 * SEC;

struct Run {
    venue: SimVenue,
    turns: Vec<Box<dyn Turn>>,
    control: ControlEnds,
    alarms: Vec<String>,
    last: Option<(Mode, keel::actors::risk::Stats)>,
}

fn open(seed: u64, shape: Shape) -> Run {
    let account = vault_account();
    let settings = Settings { seed, accounts: vec![account.clone()], ..Settings::default() };
    let mut venue = SimVenue::open(settings, WorldSettings::weeks(seed, shape), START);
    let plan = blueprint(&mut venue.exchange, START, &account);
    let outside =
        Outside { wires: venue.wires(), clock: venue.clock(), key: key_of(&account), store: MemoryStore::default() };
    let (cores, control) = assemble(plan.build(outside), &Layout::single(None));
    let turns = cores.into_iter().flat_map(|core| core.turns).collect();
    Run { venue, turns, control, alarms: Vec::new(), last: None }
}

impl Run {
    fn until(&mut self, end: Nanos, pace: Pace) {
        while self.venue.now() < end {
            let next = self.venue.now().plus(HOUR).min(end);
            self.venue.run_until(next, pace, &mut self.turns, &mut self.control);
            while let Some(notice) = self.control.notices.receive() {
                match notice {
                    Notice::Sample { sample, stats, .. } => self.last = Some((sample.mode, stats)),
                    Notice::Alarm { alarm, .. } => self.alarms.push(format!("{alarm:?}")),
                    other => self.alarms.push(format!("{other:?}")),
                }
            }
        }
    }
}

#[test]
fn a_quiet_week_is_leapt_through_with_both_sides_connected() {
    let mut run = open(1, Shape::Wild);
    run.until(START.plus(2 * SEC), Pace::Busy { stretch_ns: MS });
    let up = run.venue.connections_opened();
    let begun = Instant::now();
    let looks = run.venue.looks();
    run.until(START.plus(24 * HOUR), Pace::Quiet { step_ns: 30 * SEC });
    let looks = run.venue.looks() - looks;
    let took = begun.elapsed();
    println!("{looks} looks, {took:?}, {:?} {:?}", run.last, &run.alarms[..run.alarms.len().min(10)]);
    assert_eq!(run.venue.connections_opened(), up, "a connection was dropped");
    assert!(looks < 10 * 24 * 120, "{looks}");
    assert_eq!(run.last.expect("samples").0, Mode::Live);
}
