//! Storms of seeded faults over every kind of vault: no invariant breaks, every vault heals, and a seed is a whole story.

use keel::sim::soak::{self, Subject};
use keel::sim::weeks::Vault;

#[test]
fn vaults_come_through_storms() {
    for seed in [0, 1, 2, 3, 4, 6, 13] {
        let outcome = soak::run(seed).expect("it begins");
        assert_eq!(outcome.violations, Vec::<String>::new(), "seed {seed}, {}", outcome.subject.name());
        assert!(outcome.fired.iter().sum::<u64>() > 0, "seed {seed} was calm");
    }
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
