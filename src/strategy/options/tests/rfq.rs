//! The RFQ auction of spreads: lots, the freeze, which quote is taken and which maker is left alone.

use super::super::amend::ResignCost;
use super::super::rfq_auction::{capacity, covered_lot, unit_fee};
use super::*;
use crate::msg::{Purpose, TimeInForce};

/// Sells 3500/3600 call spreads marked at 10 and 4: six a unit, eight ninths of it after the freeze.
fn auction() -> Scene {
    let mut scene = Scene::new(Product::ShortCallSpread, 3000);
    scene.chain.clear();
    for (strike, mark) in [(3500, "10"), (3600, "4")] {
        scene.list(strike, EXPIRY_S, "0.6");
        scene.set_mark(strike, mark);
    }
    scene.boot_into(Phase::OptionAuction);
    scene
}

#[test]
fn what_is_less_than_the_venue_takes_is_no_lot() {
    let mut scene = auction();
    scene.hold(3500, "-95");
    scene.hold(3600, "95");
    for line in &mut scene.chain {
        line.instrument.min_amount = Amount::whole(6);
    }
    assert_eq!(scene.enter().phase, Phase::AwaitSettlement);
}

/// With the first lot asked for.
fn asked() -> Scene {
    let mut scene = auction();
    let act = scene.wish();
    scene.ask(act);
    scene
}

#[test]
fn lots_are_whole_roundings_of_what_is_uncovered() {
    for (collateral, held, want) in [
        ("100", "0", "15"),
        ("100", "87", "10"),
        ("100", "95", "5"),
        ("100", "95.001", "0"),
        ("100", "120", "0"),
        ("14.99", "0", "10"),
        ("-5", "0", "0"),
    ] {
        assert_eq!(covered_lot(amount(collateral), amount(held), &rfq_terms()), amount(want), "{collateral} {held}");
    }
    assert_eq!(capacity(7200, &rfq_terms()), Amount::whole(900));
}

#[test]
fn the_fee_of_an_option_is_capped_by_its_mark() {
    let mut option = instrument(1, "ETH-C", Kind::Option);
    (option.taker_fee, option.mark_fee_cap) = (ratio("0.0003"), ratio("0.125"));
    for (mark, want) in [("10", "0.9"), ("4", "0.5")] {
        assert_eq!(unit_fee(&option, &value(option.id, price(mark), Price::whole(3000))), price(want), "{mark}");
    }
}

#[test]
fn a_lot_is_asked_for_and_nothing_is_taken_before_the_freeze_ends() {
    let mut scene = auction();
    let act = scene.wish();
    let wish = scene.ask(act);
    assert_eq!(strikes(&scene, &wish), vec![(3500, Side::Sell), (3600, Side::Buy)]);
    assert!(wish.legs.iter().all(|leg| leg.amount == Amount::whole(15)));
    scene.offer(1, 5, "1", [price("10"), price("4")]);
    scene.at = Nanos(scene.at.0 + 15 * SEC - 1);
    assert_eq!(scene.wish(), None);
    scene.at = Nanos(scene.at.0 + 1);
    let Some(Act::Execute(deal)) = scene.wish() else { panic!("not taken") };
    assert_eq!(deal.quote_id, Uuid(1));
    assert_eq!(deal.cost_max, cash("-80.00001"), "5.333334 a unit");
}

/// At which moment a credit a unit is first enough.
#[test]
fn each_credit_is_taken_when_the_clock_has_come_down_to_it() {
    for (credit, first_s) in [("6", 15), ("5.34", 15), ("4.8", 30), ("4", 60), ("3.43", 90), ("3.02", 119)] {
        let mut scene = asked();
        scene.offer(1, 5, "1", [price("4") + price(credit), price("4")]);
        let taken = (1..120).find(|_| {
            scene.pass(1);
            matches!(scene.wish(), Some(Act::Execute(_)))
        });
        assert_eq!(taken, Some(first_s), "{credit}");
    }
    let mut scene = asked();
    scene.offer(1, 5, "1", [price("6.9"), price("4")]);
    assert!((1..120).all(|_| {
        scene.pass(1);
        !matches!(scene.wish(), Some(Act::Execute(_)))
    }));
}

#[test]
fn a_fresh_mark_decides_not_the_one_asked_at() {
    let mut scene = asked();
    scene.offer(1, 5, "1", [price("9.4"), price("4")]);
    scene.pass(15);
    scene.set_mark(3500, "11");
    assert_eq!(scene.wish(), None, "5.4 is less than eight ninths of 7");
    let line = scene.chain.iter_mut().find(|line| line.value.is_some()).expect("priced");
    line.value.as_mut().expect("priced").good_until = Nanos::ZERO;
    scene.pass(60);
    assert_eq!(scene.wish(), None, "nothing is taken on a stale mark");
}

/// Which of two acceptable offers is best: by cost after fees, then age, then name.
#[test]
fn the_best_offer_is_the_cheapest_after_fees() {
    type Second = fn(&mut Offer);
    let table: [(&str, &str, Second, u128); 6] = [
        ("more credit", "6.5", |_| {}, 2),
        ("less credit", "5.9", |_| {}, 1),
        ("a dearer fee", "6.5", |offer| offer.fee = Some(cash("8")), 1),
        ("equal and older", "6", |offer| offer.created_at = Nanos(offer.created_at.0 - 1), 2),
        ("equal and younger", "6", |offer| offer.created_at = offer.created_at.plus(1), 1),
        ("equal, as old, of lower name", "6", |offer| offer.quote_id = Uuid(0), 0),
    ];
    for (name, credit, change, want) in table {
        let mut scene = asked();
        scene.offer(1, 5, "1", [price("10"), price("4")]);
        scene.offer(2, 6, "1", [price("4") + price(credit), price("4")]);
        change(scene.talk.offers[1].as_mut().expect("offered"));
        scene.pass(15);
        assert!(matches!(scene.wish(), Some(Act::Execute(deal)) if deal.quote_id == Uuid(want)), "{name}");
    }
}

/// Offers that are not for what was asked.
#[test]
fn an_offer_is_verified_leg_by_leg() {
    type Bend = fn(&mut Offer);
    let table: [(&str, Bend); 8] = [
        ("another instrument", |o| o.legs[0].leg.instrument = InstrumentId(99)),
        ("the other side", |o| o.legs[0].leg.side = Side::Buy),
        ("swapped legs", |o| o.legs.swap(0, 1)),
        ("more", |o| o.legs[0].leg.amount = Amount::whole(16)),
        ("less of one leg", |o| o.legs[1].leg.amount = Amount::whole(14)),
        ("a share it does not have", |o| o.filled = ratio("0.5")),
        ("no share", |o| o.filled = Ratio::ZERO),
        ("a negative price", |o| o.legs[1].price = -Price::ONE),
    ];
    for (name, bend) in table {
        let mut scene = asked();
        scene.offer(1, 5, "1", [price("20"), price("1")]);
        bend(scene.talk.offers[0].as_mut().expect("offered"));
        scene.pass(60);
        assert_eq!(scene.wish(), None, "{name}");
    }
}

#[test]
fn partial_offers_are_taken_one_after_the_other() {
    let mut scene = asked();
    scene.offer(1, 5, "0.4", [price("10"), price("4")]);
    scene.offer(2, 6, "0.8", [price("9.9"), price("4")]);
    scene.pass(15);
    let act = scene.wish();
    assert_eq!(scene.execute(act), cash("-36"));
    assert_eq!(scene.account.held[0].map(|held| held.amount), Some(-amount("6")));
    assert_eq!(scene.wish(), None, "0.8 of the lot is more than is left of it");
    scene.offer(3, 7, "0.6", [price("9.5"), price("4")]);
    let act = scene.wish();
    assert_eq!(scene.execute(act), cash("-49.5"));
    scene.pass(2);
    assert!(matches!(scene.wish(), Some(Act::Ask(wish)) if wish.legs[0].amount == Amount::whole(15)));
}

#[test]
fn a_maker_whose_quote_was_granted_is_not_struck_for_a_later_refusal() {
    for granted in [true, false] {
        let mut scene = asked();
        scene.offer(1, 5, "1", [price("20"), price("1")]);
        scene.pass(15);
        let Some(Act::Execute(deal)) = scene.wish() else { panic!("no deal") };
        if granted {
            let PricedLeg { leg: Leg { instrument, side, amount }, price } = deal.legs[0];
            let (purpose, tif) = (crate::msg::Purpose::Package, crate::msg::TimeInForce::Gtc);
            let wish = Wish { instrument, side, price, amount, tif, reduce_only: false, purpose };
            scene.rest(Some(Act::Place(wish)));
            scene.wish();
            let nonce = scene.resting().nonce;
            scene.remove(nonce);
        }
        scene.account.intent_refused += 1;
        scene.wish();
        assert_eq!(scene.state.lot.is_paused(5, scene.at), !granted, "granted: {granted}");
    }
}

#[test]
fn a_lot_without_a_deal_ends_and_the_clock_starts_again() {
    let mut scene = asked();
    scene.offer(1, 5, "1", [price("6"), price("4")]);
    scene.pass(119);
    assert_eq!(scene.wish(), None);
    scene.pass(1);
    assert_eq!(scene.wish(), Some(Act::Unask { rfq_id: Uuid(1) }));
    scene.talk.rfq.as_mut().expect("open").leaving = true;
    assert_eq!(scene.wish(), None);
    scene.talk.rfq = None;
    let act = scene.wish();
    scene.ask(act);
    scene.offer(2, 5, "1", [price("7.5"), price("4")]);
    scene.pass(60);
    assert_eq!(scene.wish(), None, "two thirds of the mark are asked again");
}

#[test]
fn a_question_is_not_asked_twice_while_nobody_has_answered() {
    let mut scene = auction();
    assert!(matches!(scene.wish(), Some(Act::Ask(_))));
    assert_eq!(scene.wish(), None);
    scene.pass(1);
    assert!(matches!(scene.wish(), Some(Act::Ask(_))), "it was refused");
    let act = Some(Act::Ask(RfqWish { legs: Default::default(), partial_fill_step: Ratio::ONE }));
    scene.ask(act);
    scene.talk.rfq.as_mut().expect("open").rfq_id = None;
    scene.pass(60);
    assert_eq!(scene.wish(), None, "the venue has not named it");
}

/// A maker whose quote fails is left alone for 4, 8, 16 s; in a new lot for 4 s again.
#[test]
fn makers_that_fail_are_left_alone_ever_longer() {
    let mut scene = asked();
    scene.offer(1, 5, "1", [price("10"), price("4")]);
    scene.pass(15);
    assert!(matches!(scene.wish(), Some(Act::Execute(_))));
    let refuse = |scene: &mut Scene, code: i32, pause_s: u64| {
        scene.talk.refusals += 1;
        scene.talk.last_refusal = Some((code, 5));
        assert_eq!(scene.wish(), None);
        scene.at = Nanos(scene.at.0 + pause_s * SEC - 1);
        assert_eq!(scene.wish(), None, "{code} for {pause_s} s");
        scene.at = Nanos(scene.at.0 + 1);
        assert!(matches!(scene.wish(), Some(Act::Execute(_))), "{code} for {pause_s} s");
    };
    refuse(&mut scene, 11104, 4);
    refuse(&mut scene, 8500, 8);
    refuse(&mut scene, 8501, 16);
    let rfq = scene.talk.rfq.as_mut().expect("open");
    (rfq.name, rfq.opened_at) = (Nonce(77), scene.at);
    scene.pass(15);
    scene.wish();
    refuse(&mut scene, 11104, 4);
    // another maker is not concerned
    scene.talk.refusals += 1;
    assert_eq!(scene.wish(), None);
    scene.offer(2, 6, "1", [price("9.9"), price("4")]);
    assert!(matches!(scene.wish(), Some(Act::Execute(deal)) if deal.quote_id == Uuid(2)));
}

#[test]
fn a_quote_our_own_checks_refuse_gives_way_to_the_next() {
    let mut scene = asked();
    scene.offer(1, 5, "1", [price("10"), price("4")]);
    scene.offer(2, 6, "1", [price("9.9"), price("4")]);
    scene.pass(15);
    assert!(matches!(scene.wish(), Some(Act::Execute(deal)) if deal.quote_id == Uuid(1)));
    scene.account.intent_refused = 3;
    assert_eq!(scene.wish(), None);
    scene.pass(1);
    assert!(matches!(scene.wish(), Some(Act::Execute(deal)) if deal.quote_id == Uuid(2)));
}

#[test]
fn a_quote_that_vanishes_is_not_taken() {
    let mut scene = asked();
    scene.offer(1, 5, "1", [price("10"), price("4")]);
    scene.pass(14);
    assert_eq!(scene.wish(), None);
    scene.talk.offers = Default::default();
    scene.pass(1);
    assert_eq!(scene.wish(), None);
}

#[test]
fn a_drift_before_the_first_fill_withdraws_the_question() {
    let mut scene = Scene::auctioning(Product::ShortCallSpread, 3000);
    let act = scene.wish();
    scene.ask(act);
    let before = scene.state.milestone;
    scene.move_to(Price::whole(3200));
    assert_eq!(scene.wish(), Some(Act::Unask { rfq_id: Uuid(1) }));
    scene.talk.rfq = None;
    let after = scene.enter();
    assert_ne!(after.strikes, before.strikes);
    assert_eq!((after.started_at, after.expiry_s), (before.started_at, before.expiry_s));
    assert!(scene.wish().is_none() || scene.phase() == Phase::OptionAuction);
}

#[test]
fn demands_are_shown_once_a_second_and_after_every_wish() {
    let mut scene = asked();
    scene.offer(1, 5, "1", [price("9"), price("4")]);
    let Some(Act::Tell(Tale::Demand(demand))) = scene.look() else { panic!("not shown") };
    assert_eq!((demand.limit, demand.mark, demand.best), (price("6"), price("6"), Some(price("5"))));
    assert_eq!(demand.remaining, Amount::whole(100));
    scene.at = scene.at.plus(9 * LOOK_NS);
    assert_eq!(scene.look(), None);
    scene.pass(29);
    assert!(matches!(scene.look(), Some(Act::Execute(_))), "a wish comes first");
}

/// A lot whose quote, at 10 and 4, is being executed: the contract is asked to sign, at five cents of gas.
fn executing() -> Scene {
    let mut scene = asked();
    let cost = ResignCost { gas: cash("0.05"), off_book_ns: 4 * SEC };
    scene.params.amend = Amend::Resign(cost);
    scene.offer(1, 5, "1", [price("10"), price("4")]);
    scene.pass(15);
    let Some(Act::Execute(deal)) = scene.wish() else { panic!("not taken") };
    for (place, priced) in deal.legs.iter().enumerate() {
        let wish = Wish {
            instrument: priced.leg.instrument,
            side: priced.leg.side,
            price: priced.price,
            amount: priced.leg.amount,
            tif: TimeInForce::Fok,
            reduce_only: false,
            purpose: Purpose::Package,
        };
        let (nonce, expires_at) = (Nonce(900), scene.at.plus(590 * SEC));
        let order = Working { nonce, life: Life::Pending, wish, filled: Amount::ZERO, expires_at };
        scene.account.working[place] = Some(order);
    }
    scene.talk.offers = Default::default();
    scene.account.settling = true;
    scene
}

/// Ninety dollars for fifteen units at mark, and what the lot's clock wants for it as the marks move.
#[test]
fn an_execution_that_waits_is_recalled_once_it_costs_more_than_another_signature() {
    // Six dollars a unit are enough as long as the mark is not above 6.75 of them, five cents for all of it aside.
    for (near, later_s, recalled) in
        [("10", 0, false), ("10.75", 0, false), ("10.753", 0, false), ("10.76", 0, true), ("10.76", 2, false)]
    {
        let mut scene = executing();
        scene.pass(later_s);
        scene.set_mark(3500, near);
        let want = recalled.then_some(Act::Cancel { nonce: Nonce(900) });
        assert_eq!(scene.look(), want, "{near} after {later_s} s");
    }
    let mut sent = executing();
    sent.set_mark(3500, "20");
    sent.params.amend = Amend::Replace;
    assert_eq!(sent.look(), None, "no contract signs first: it has left");
}

#[test]
fn no_quote_is_taken_while_the_contract_could_not_sign() {
    let mut scene = asked();
    scene.offer(1, 5, "1", [price("10"), price("4")]);
    scene.pass(15);
    scene.account.settling = true;
    assert_eq!(scene.wish(), None);
    scene.account.settling = false;
    assert!(matches!(scene.wish(), Some(Act::Execute(_))));
}
