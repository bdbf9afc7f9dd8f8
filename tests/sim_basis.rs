//! The Delta-1 vault on the embedded exchange in virtual time: whole runs, checked against the exchange's own books.

#[path = "support/basis_vault.rs"]
mod basis_vault;

use basis_vault::{blueprint, key_of, ratio, vault_account};
use keel::actors::risk::{Notice, Sample, Stats};
use keel::base::num::{Amount, Cash, Ratio, Rounding};
use keel::base::time::{Nanos, SEC};
use keel::engine::switch::Switch;
use keel::exchange::Settings;
use keel::exchange::world::WorldSettings;
use keel::msg::Mode;
use keel::ops::blueprint::Outside;
use keel::sim::ports::MemoryStore;
use keel::sim::venue::SimVenue;
use keel::topology::{Layout, assemble};

const START: Nanos = Nanos(1_800_000_000 * SEC);

struct Outcome {
    samples: Vec<Sample>,
    stats: Stats,
    notices: Vec<Notice>,
    deltas: Vec<Ratio>,
}

fn run(seed: u64, seconds: u64, disturb: impl Fn(&mut SimVenue, u64)) -> (Outcome, SimVenue) {
    let account = vault_account();
    let settings = Settings { seed, accounts: vec![account.clone()], ..Settings::default() };
    let mut venue = SimVenue::open(settings, WorldSettings::demo(seed, seconds), START);
    let blueprint = blueprint(&mut venue.exchange, START, &account);
    let outside = Outside {
        wires: venue.wires().into(),
        clock: venue.clock(),
        key: key_of(&account),
        store: MemoryStore::default(),
        switch: Switch::local(),
    };
    let (cores, mut control) = assemble(blueprint.build(outside), &Layout::single(None));
    let mut turns = cores.into_iter().flat_map(|core| core.turns).collect::<Vec<_>>();

    let mut outcome = Outcome { samples: Vec::new(), stats: Stats::default(), notices: Vec::new(), deltas: Vec::new() };
    for second in 0..seconds {
        disturb(&mut venue, second);
        venue.run(START.plus((second + 1) * SEC), &mut turns, &mut control);
        while let Some(notice) = control.notices.receive() {
            match notice {
                Notice::Sample { sample, stats, .. } => {
                    outcome.samples.push(sample);
                    outcome.stats = stats;
                }
                Notice::Hedged { delta, .. } => outcome.deltas.push(delta),
                other => outcome.notices.push(other),
            }
        }
    }
    (outcome, venue)
}

#[test]
fn a_whole_run_levers_up_and_unwinds_with_delta_one() {
    let (outcome, venue) = run(7, 60, |_, _| {});
    let stats = outcome.stats;
    let peak = outcome.samples.iter().map(|sample| sample.leverage).max().expect("samples");
    let last = outcome.samples.last().expect("samples");
    println!("{stats:#?}\n{last:#?}\npeak leverage {peak}");
    for notice in outcome.notices.iter().filter(|n| !matches!(n, Notice::Filled { .. })) {
        println!("{notice:?}");
    }
    assert!(stats.hedges > 10 && stats.replaces > 10, "{stats:?}");
    assert!(peak >= ratio("1.29"), "leverage peaked at {peak}");
    assert!(last.leverage <= ratio("1.01"), "leverage ended at {}", last.leverage);
    assert_eq!(stats.violations, 0);
    for delta in &outcome.deltas {
        assert!((*delta - Ratio::ONE).abs() <= ratio("0.01"), "delta {delta} after a hedge");
    }
    let books = venue.report(101).expect("account");
    assert_eq!(books.balances["WEETH"].to_string().parse::<Amount>().expect("number"), last.base);
    let value = Cash::observed(books.value.to_string().as_bytes()).expect("number");
    // The last sample is up to 100 ms old, and marks have moved since; cash itself is compared at each reconciliation.
    assert!((value - last.value).abs() < value.scale(Ratio::from_bps(1), Rounding::Ceil), "{value} {}", last.value);
    assert_eq!(stats.mismatched, 0);
    assert!(stats.reconciled > 3, "{stats:?}");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let (first, _) = run(3, 10, |_, _| {});
    let (second, _) = run(3, 10, |_, _| {});
    assert_eq!(first.samples, second.samples);
    assert_eq!(first.stats, second.stats);
    let (other, _) = run(4, 10, |_, _| {});
    assert_ne!(first.samples, other.samples);
}

#[test]
fn losing_the_session_in_the_middle_loses_nothing() {
    let (outcome, venue) = run(5, 20, |venue, second| {
        if second % 4 == 3 {
            venue.cut_private();
        }
    });
    let last = outcome.samples.last().expect("samples");
    assert_eq!(last.mode, Mode::Live);
    assert_eq!(outcome.stats.violations, 0);
    assert!(outcome.stats.fills > 5, "{:?}", outcome.stats);
    let books = venue.report(101).expect("account");
    assert_eq!(books.balances["WEETH"].to_string().parse::<Amount>().expect("number"), last.base);
}
