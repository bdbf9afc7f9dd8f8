//! What a buyer of spreads spends: accrued yield, fees included, and never more.

use super::super::budget::{accrued, affordable};
use super::*;
use crate::msg::Accrual;

fn yielding(share: &str) -> Value {
    let accrual =
        Accrual { share: ratio(share), rate: crate::base::num::Ratio::ONE, since: Nanos::ZERO, read_at: Nanos(1) };
    Value { accrual: Some(accrual), ..value(BASE, Price::ONE, Price::ONE) }
}

/// 10 000 of a dollar that earns 33.70 a week; 3400/3600 call spreads at 165 and 70.
fn auction() -> Scene {
    let mut scene = Scene::new(Product::LongCallSpread, 3500);
    scene.base = yielding("0.00337");
    scene.account.base = Amount::whole(10_000);
    scene.chain.clear();
    for (strike, mark) in [(3400, "165"), (3600, "70")] {
        scene.list(strike, EXPIRY_S, "0.57");
        scene.set_mark(strike, mark);
    }
    scene.boot_into(Phase::OptionAuction);
    scene
}

fn asked() -> Scene {
    let mut scene = auction();
    let act = scene.wish();
    scene.ask(act);
    scene
}

#[test]
fn the_budget_is_accrued_yield_under_a_cap() {
    let terms = rfq_terms();
    for (share, base, want) in [
        ("0.00337", 10_000, Some("33.7")),
        ("0.02", 10_000, Some("100")),
        ("0", 10_000, None),
        ("-0.001", 10_000, None),
        ("0.00337", 0, None),
    ] {
        assert_eq!(accrued(&yielding(share), Amount::whole(base), &terms), want.map(cash), "{share} of {base}");
    }
    let half = RfqAuction { budget_share: ratio("0.5"), ..terms };
    assert_eq!(accrued(&yielding("0.00337"), Amount::whole(10_000), &half), Some(cash("16.85")));
    let unknown = Value { accrual: None, ..yielding("1") };
    assert_eq!(accrued(&unknown, Amount::whole(10_000), &terms), None);
}

#[test]
fn a_lot_is_what_the_rest_of_the_budget_buys() {
    let fine = amount("0.000001");
    for (left, unit, want) in
        [("33.70", 95, "0.354736"), ("33.70", 80, "0.42125"), ("9999", 95, "15"), ("0", 95, "0"), ("-5", 95, "0")]
    {
        assert_eq!(affordable(cash(left), Price::whole(unit), amount("15"), fine), amount(want), "{left} at {unit}");
    }
    assert_eq!(affordable(cash("33.7"), Price::ZERO, amount("15"), fine), Amount::ZERO);
}

#[test]
fn the_budget_is_frozen_at_the_start_and_remembered() {
    let mut scene = auction();
    assert_eq!(scene.state.milestone.budget, cash("33.7"));
    scene.base = yielding("0.009");
    let act = scene.wish();
    let wish = scene.ask(act);
    assert_eq!(wish.legs[0].amount, amount("0.34"), "33.70 at 95 · 1.025");
    assert_eq!(strikes(&scene, &wish), vec![(3400, Side::Buy), (3600, Side::Sell)]);
}

#[test]
fn the_buyer_pays_the_markup_its_clock_allows() {
    for (pays, first_s) in [("97.375", 15), ("99", 26), ("99.5", 29)] {
        let mut scene = asked();
        scene.offer(1, 5, "1", [price("70") + price(pays), price("70")]);
        let taken = (1..120).find(|_| {
            scene.pass(1);
            matches!(scene.wish(), Some(Act::Execute(_)))
        });
        // whatever the clock allows, 0.34 at more than 99.117 is over the budget
        let want = (pays != "99.5").then_some(first_s);
        assert_eq!(taken, want, "{pays}");
    }
}

#[test]
fn a_fee_counts_against_the_budget_even_if_the_venue_names_a_lower_one() {
    for (own, said, taken) in
        [("0", None, true), ("0.0003", None, false), ("0", Some("1"), false), ("0.0003", Some("0"), false)]
    {
        let mut scene = asked();
        for line in &mut scene.chain {
            line.instrument.taker_fee = ratio(own);
            line.value.as_mut().expect("priced").index = Price::whole(3500);
        }
        scene.offer(1, 5, "1", [price("167.375"), price("70")]);
        scene.talk.offers[0].as_mut().expect("offered").fee = said.map(cash);
        scene.pass(60);
        assert_eq!(matches!(scene.wish(), Some(Act::Execute(_))), taken, "own {own}, said {said:?}");
    }
}

#[test]
fn what_is_left_is_spent_in_the_next_lot_and_then_it_is_over() {
    let mut scene = asked();
    scene.offer(1, 5, "1", [price("145"), price("70")]);
    scene.pass(15);
    let act = scene.wish();
    assert_eq!(scene.execute(act), cash("25.5"));
    scene.pass(1);
    let act = scene.wish();
    let wish = scene.ask(act);
    assert_eq!(wish.legs[0].amount, amount("0.08"), "8.20 at 95 · 1.025");
    scene.offer(2, 5, "1", [price("165"), price("70")]);
    scene.pass(15);
    let act = scene.wish();
    scene.execute(act);
    scene.pass(1);
    assert_eq!(scene.enter().phase, Phase::AwaitSettlement, "0.60 buys nothing");
}

#[test]
fn money_that_comes_or_goes_meanwhile_is_not_spent() {
    for moved in ["1000", "-1000"] {
        money_moves(moved);
    }
}

fn money_moves(moved: &str) {
    let mut scene = asked();
    scene.account.cash += cash(moved);
    scene.offer(1, 5, "1", [price("165"), price("70")]);
    scene.pass(15);
    let act = scene.wish();
    scene.execute(act);
    scene.pass(1);
    assert!(matches!(scene.wish(), Some(Act::Ask(wish)) if wish.legs[0].amount == amount("0.01")), "1.40 is left");
}

#[test]
fn without_the_journal_a_buyer_buys_nothing_more() {
    let mut scene = auction();
    scene.state = State::default();
    scene.hold(3400, "0.1");
    scene.hold(3600, "-0.1");
    assert_eq!(scene.enter().phase, Phase::AwaitSettlement);
    // with it, what was spent is remembered, and what was under way counts if it is held
    for (units, spent, pledged, lot) in
        [("0.1", "9.5", "0", "0.24"), ("0", "0", "9.5", "0.24"), ("0.1", "9.5", "9", "0.24")]
    {
        let mut scene = auction();
        let memory = Milestone {
            spent: cash(spent),
            pledged: cash(pledged),
            units: amount(units),
            ..OptionVault::milestone(&scene.state).expect("begun")
        };
        scene.remembered = Some(memory);
        scene.state = State::default();
        scene.account.milestone = Milestone::default();
        scene.hold(3400, "0.1");
        scene.hold(3600, "-0.1");
        scene.account.cash = cash("5000");
        scene.pass(600);
        let resumed = scene.enter();
        assert!(resumed.is_same(&memory));
        assert_eq!((resumed.spent, resumed.units), (cash("9.5"), amount("0.1")), "{units} {pledged}");
        assert!(matches!(scene.wish(), Some(Act::Ask(wish)) if wish.legs[0].amount == amount(lot)));
    }
}
