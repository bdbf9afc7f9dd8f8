//! Storms of seeded faults over every kind of vault: no invariant breaks, every vault heals, and a seed is a whole story.
//! Storms here are short; `keel-tools soak` has long ones.

use keel::base::time::SEC;
use keel::ops::replay::Played;
use keel::sim::soak::crashes::TALES;
use keel::sim::soak::{self, Case, Outcome, Subject, Violation};
use keel::sim::venue::Fate;
use keel::sim::venue::faults::{Allowed, CATALOGUE, Fault};
use keel::sim::weeks::Vault;

/// Seconds of storm.
const STORM_S: u64 = 15;

fn run(case: &Case) -> Outcome {
    soak::run_case(case).expect("it begins")
}

fn of(seed: u64, storm_s: u64) -> Case {
    Case { storm_s: Some(storm_s), ..Case::of(seed) }
}

fn short(seed: u64, storm_s: u64) -> Outcome {
    run(&of(seed, storm_s))
}

fn came_through(outcome: &Outcome) {
    let seed = outcome.seed;
    assert_eq!(outcome.violations, Vec::<Violation>::new(), "seed {seed}, {}", outcome.subject.name());
    assert!(outcome.fired.iter().sum::<u64>() > 0, "seed {seed} was calm");
}

#[test]
fn vaults_come_through_storms() {
    for seed in [0, 4, 6] {
        came_through(&short(seed, STORM_S));
    }
}

/// A line each: seed, seconds of storm, the invariant that broke, and why.
#[test]
fn seeds_that_failed_once_hold() {
    let known = include_str!("seeds/storms.txt").lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    for line in known {
        let mut words = line.split_whitespace();
        let mut number = || words.next().and_then(|word| word.parse().ok()).expect("a number");
        let (seed, storm_s) = (number(), number());
        assert_eq!(short(seed, storm_s).violations, Vec::<Violation>::new(), "{line}");
    }
}

/// Every tape of an engine was played to its end; those of one that ended in order, past its last checkpoint.
fn is_whole(engine: &[Played], closed: bool) {
    for played in engine {
        assert_eq!((&played.trouble, played.torn), (&None, 0), "{}", played.actor);
        assert_eq!(played.progress.closed, closed, "{}", played.actor);
        let seconds = played.progress.last_at.since(played.progress.began_at) / SEC;
        assert!(played.progress.equal + 1 >= seconds, "{}: {:?}", played.actor, played.progress);
    }
}

/// Whatever befell an engine, its tapes fold again to the same state at every checkpoint: of market making and of an
/// auction, over kills between any two messages.
#[test]
fn every_engine_of_a_storm_folds_again_to_the_same_state() {
    let mut engines = 0;
    for seed in [1, 2, 13] {
        let (outcome, played) = soak::replay(&of(seed, STORM_S)).expect("it begins");
        came_through(&outcome);
        engines += played.len();
        let last = played.len() - 1;
        played.iter().enumerate().for_each(|(place, engine)| is_whole(engine, place == last));
    }
    assert!(engines > 3, "of three storms, none killed an engine");
}

#[test]
fn a_seed_is_a_whole_story() {
    let [first, again, other] = [5, 5, 7].map(|seed| short(seed, 5));
    assert_eq!(first, again);
    assert_ne!(first.digest, other.digest);
    assert!(first.fills > 0, "the vault traded");
}

/// What shrinking relies on: without its faults a seed is calm, and a strike that is taken away does not happen.
#[test]
fn faults_can_be_taken_away() {
    let calm = run(&Case { allowed: Allowed::none(), storm_s: Some(3), ..Case::of(9) });
    assert_eq!((calm.log.len(), calm.fired.iter().sum::<u64>()), (0, 0));
    let whole = short(9, 3);
    let first = *whole.log.first().expect("some fault fires");
    let spared = run(&Case { allowed: Allowed::all().without(&[first]), storm_s: Some(3), ..Case::of(9) });
    assert!(!spared.log.iter().any(|strike| (strike.fault, strike.nth) == (first.fault, first.nth)));
}

#[test]
fn deaths_at_moments_of_a_story_are_survived() {
    let tale = &TALES[0];
    for (moment, fate) in [(0, Fate::Lost), (5, Fate::Delivered), (6, Fate::Lost), (11, Fate::Delivered)] {
        let death = tale.kill_at(moment, fate).expect("it begins");
        assert_eq!(death.violations, Vec::<Violation>::new(), "{}, moment {moment}, {fate:?}", tale.name);
    }
}

#[test]
fn every_kind_of_fault_has_a_name_and_a_row_in_the_catalogue() {
    assert!(CATALOGUE.iter().all(|kind| !kind.catalogue.is_empty() && kind.odds_max > 0.0));
    assert_eq!(Fault::named("torn-universe"), None);
}

#[test]
fn seeds_share_the_vaults_out() {
    let of = |seed| Subject::of(seed);
    assert_eq!(
        [of(0), of(1), of(2)],
        [Subject::Auction(Vault::Harvest), Subject::Basis, Subject::Auction(Vault::SafeHarvest)]
    );
    assert_eq!([of(4), of(6), of(7)], [Subject::Auction(Vault::Maxi), Subject::Auction(Vault::Bull), Subject::Basis]);
}
