//! Storms of seeded faults over every kind of vault: no invariant breaks, every vault heals, and a seed is a whole story.

use keel::base::time::SEC;
use keel::ops::replay::Played;
use keel::sim::soak::{self, Outcome, Subject};
use keel::sim::weeks::Vault;

fn came_through(outcome: &Outcome) {
    let seed = outcome.seed;
    assert_eq!(outcome.violations, Vec::<String>::new(), "seed {seed}, {}", outcome.subject.name());
    assert!(outcome.fired.iter().sum::<u64>() > 0, "seed {seed} was calm");
}

#[test]
fn vaults_come_through_storms() {
    for seed in [0, 3, 4, 6] {
        came_through(&soak::run(seed).expect("it begins"));
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
        let (outcome, played) = soak::replay(seed).expect("it begins");
        came_through(&outcome);
        engines += played.len();
        let last = played.len() - 1;
        played.iter().enumerate().for_each(|(place, engine)| is_whole(engine, place == last));
    }
    assert!(engines > 4, "only {engines} engines lived");
}

#[test]
fn a_seed_is_a_whole_story() {
    let [first, again, other] = [5, 5, 7].map(|seed| soak::run(seed).expect("it begins"));
    assert_eq!(first, again);
    assert_ne!(first.digest, other.digest);
    assert!(first.fills > 0, "the vault traded");
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
