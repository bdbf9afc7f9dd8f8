//! A vault's engine in a market of weeks: leaping through quiet times loses nothing and neither side takes a leap for
//! silence.

#[path = "support/basis_vault.rs"]
mod basis_vault;

use basis_vault::{blueprint, key_of, vault_account};
use keel::actors::risk::Notice;
use keel::base::time::{MS, Nanos, SEC};
use keel::engine::actor::Turn;
use keel::engine::switch::Switch;
use keel::exchange::Settings;
use keel::exchange::world::WorldSettings;
use keel::exchange::world::path::Coin;
use keel::exchange::world::weeks::{Shape, weekly_expiry_s};
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
    let outside = Outside {
        wires: venue.wires().into(),
        clock: venue.clock(),
        key: key_of(&account),
        store: MemoryStore::default(),
        switch: Switch::local(),
    };
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
fn a_quiet_day_is_leapt_through_with_both_sides_connected() {
    let mut run = open(1, Shape::Wild);
    run.until(START.plus(2 * SEC), Pace::Busy { stretch_ns: MS });
    let (opened, looks, begun) = (run.venue.connections_opened(), run.venue.looks(), Instant::now());
    run.until(START.plus(24 * HOUR), Pace::Quiet { step_ns: 60 * SEC });
    let looks = run.venue.looks() - looks;
    println!("{looks} looks in {:?}", begun.elapsed());
    assert_eq!(run.venue.connections_opened(), opened, "a connection was dropped");
    // A leap is one look, and a question and its answer are two more each.
    assert!(looks <= 24 * 60 * 6, "{looks}");
    let (mode, stats) = run.last.expect("samples");
    assert_eq!((mode, stats.mismatched, stats.violations), (Mode::Live, 0, 0));
    assert!(stats.reconciled >= 24 * 60 - 2, "the engine asks after every leap: {stats:?}");
    assert_eq!(run.alarms, ["Mode { vault: VaultId(0), mode: Live }"]);
}

#[test]
fn a_busy_stretch_looks_ten_times_a_second_and_little_more() {
    let mut run = open(1, Shape::Wild);
    run.until(START.plus(2 * SEC), Pace::Busy { stretch_ns: MS });
    let (looks, begun) = (run.venue.looks(), Instant::now());
    run.until(START.plus(62 * SEC), Pace::Busy { stretch_ns: 100 * MS });
    let looks = run.venue.looks() - looks;
    println!("{looks} looks in {:?}", begun.elapsed());
    assert!((600..60 * 60).contains(&looks), "{looks}");
    let bustle = run.venue.world().weeks().expect("a market of weeks").bustle();
    assert!(bustle.collateral.requotes > 5 && bustle.options[0].requotes > 30, "{bustle:?}");
}

#[test]
fn prices_at_a_moment_do_not_depend_on_how_it_was_reached() {
    let paces =
        [Pace::Busy { stretch_ns: 100 * MS }, Pace::Quiet { step_ns: 60 * SEC }, Pace::Quiet { step_ns: 600 * SEC }];
    let end = START.plus(1_200 * SEC);
    let read = |pace| {
        let mut run = open(5, Shape::Gapping);
        run.until(end, pace);
        let weeks = run.venue.world().weeks().expect("a market of weeks");
        let expiry_s = weekly_expiry_s(end);
        let slice = weeks.path().slice(&weeks.path().moment(Coin::Eth, end), expiry_s, 3_000.0);
        (weeks.path().prices(end), run.venue.ratio_at(2, end), format!("{slice:?}"))
    };
    let [first, second, third] = paces.map(read);
    assert_eq!(first, second);
    assert_eq!(second, third);
}

#[test]
fn a_week_repeats_itself_and_is_remembered() {
    let record = || {
        let mut run = open(6, Shape::Falling);
        run.until(START.plus(60 * SEC), Pace::Busy { stretch_ns: 100 * MS });
        run.until(START.plus(7 * 24 * HOUR), Pace::Quiet { step_ns: 900 * SEC });
        run.until(START.plus(7 * 24 * HOUR + 30 * SEC), Pace::Busy { stretch_ns: 100 * MS });
        let prices = run.venue.world().prices();
        (prices, run.venue.world().weeks().map(|weeks| weeks.bustle()), run.venue)
    };
    let (first, second) = (record(), record());
    assert_eq!((&first.0, first.1), (&second.0, second.1));
    let venue = first.2;
    let week_ago = Nanos(venue.now().0 - 7 * 24 * HOUR);
    let mut past = venue.world().ratio_at(2, Nanos(START.0 - 30 * 24 * HOUR));
    for at in [START, week_ago, venue.now()] {
        let ratio = venue.ratio_at(2, at);
        assert!(ratio >= past, "{ratio} after {past}");
        past = ratio;
    }
    // The expiries of the week gone are settled, and the next are listed.
    let expiries = venue.exchange.expiries("ETH");
    assert!(expiries.iter().all(|expiry_s| *expiry_s > venue.now().secs()) && expiries.len() >= 4, "{expiries:?}");
}
