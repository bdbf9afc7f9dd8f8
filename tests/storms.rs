//! Storms of seeded faults over every kind of vault: no invariant breaks, every vault heals, and a seed is a whole story.
//! Storms here are short; `keel-tools soak` has long ones.

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

fn short(seed: u64, storm_s: u64) -> Outcome {
    run(&Case { storm_s: Some(storm_s), ..Case::of(seed) })
}

#[test]
fn vaults_come_through_storms() {
    for seed in [0, 1, 2, 4, 6] {
        let outcome = short(seed, STORM_S);
        assert_eq!(outcome.violations, Vec::<Violation>::new(), "seed {seed}, {}", outcome.subject.name());
        assert!(outcome.fired.iter().sum::<u64>() > 0, "seed {seed} was calm");
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
