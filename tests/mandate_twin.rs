//! The engine's replica of the vault contracts against the slow twin, on random actions near every boundary.
//! `keel-tools mandates` runs the same with millions.

use keel::sim::mandate_twin::actions::{Contract, Dice};
use keel::sim::mandate_twin::{number, options};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Actions per contract of the counting test: enough for its rarest revert.
const ACTIONS: u64 = 6_000;

fn agrees(contract: Contract, seed: u64) {
    let said = contract.judge(&mut Dice::new(seed));
    assert_eq!(said.replica, said.twin, "{}, seed {seed}", contract.name());
}

#[test]
fn every_revert_and_acceptance_is_met() {
    for contract in Contract::ALL {
        let mut seen: BTreeMap<&str, u64> = BTreeMap::new();
        for seed in 0..ACTIONS {
            let said = contract.judge(&mut Dice::new(seed));
            assert_eq!(said.replica, said.twin, "{}, seed {seed}", contract.name());
            *seen.entry(said.replica.err().unwrap_or("accepted")).or_default() += 1;
        }
        assert!(seen.get("accepted").is_some_and(|times| *times > ACTIONS / 20), "{}: {seen:?}", contract.name());
        let missed: Vec<_> = contract.reverts().iter().filter(|name| !seen.contains_key(**name)).collect();
        assert!(missed.is_empty(), "{} never met {missed:?}: {seen:?}", contract.name());
        let unlisted: Vec<_> =
            seen.keys().filter(|name| **name != "accepted" && !contract.reverts().contains(*name)).collect();
        assert!(unlisted.iter().all(|name| RARE.contains(name)), "{} met {unlisted:?}", contract.name());
    }
}

/// Reverts that only wild words lead to.
const RARE: [&str; 4] = ["ExpOverflow", "LnNegativeUndefined", "Overflow", "Panic(0x12)"];

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(500), ..ProptestConfig::default() })]

    #[test]
    fn covered_calls_agree(seed in any::<u64>()) {
        agrees(Contract::CoveredCall, seed);
    }

    #[test]
    fn spreads_agree(seed in any::<u64>()) {
        agrees(Contract::Spread, seed);
    }

    #[test]
    fn collateral_agrees(seed in any::<u64>()) {
        agrees(Contract::Collateral, seed);
    }

    #[test]
    fn basis_agrees(seed in any::<u64>()) {
        agrees(Contract::Basis, seed);
    }
}

#[test]
fn the_twin_meets_the_published_prices() {
    let price = |left: u32, vol: &str, forward: u32, strike: u32| {
        let wad = |whole: u32| number::n(i128::from(whole)) * number::wad();
        options::black76(&number::n(i128::from(left)), &number::digits(vol), &wad(forward), &wad(strike))
            .expect("priced")
    };
    let week = price(604_800, "600000000000000000", 3_000, 3_500);
    assert_eq!(week.call, number::digits("3338707777076454000"));
    assert_eq!(week.put, number::digits("503338707777076452000"));
    assert_eq!(week.delta, number::digits("34865179553899041"));
    let floor = price(586_800, "480000000000000000", 3_000, 3_500);
    assert_eq!((floor.call, floor.delta), (number::digits("661521092220891000"), number::digits("10128172003477776")));
    let decay = number::exp(&number::digits("-720000000000000000")).expect("small");
    assert_eq!(decay, number::digits("486752255959971650"));
}
