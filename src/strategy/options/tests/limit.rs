//! The covered-call auction: its prices, its one order, and what makes it move.

use super::super::limit_auction::ask;
use super::*;
use crate::base::num::Rounding;

fn auction() -> Scene {
    Scene::auctioning(Product::CoveredCall, 3000)
}

/// The schedule of Derive's own executor in 2026: mark volatility 0.60, forward 3000, strike 3500, 6 d 19 h to live at the start.
#[test]
fn prices_follow_the_schedule_and_stop_above_the_floor() {
    let mut scene = Scene::new(Product::CoveredCall, 3000);
    let id = scene.id(3500);
    scene.price_line(id, ratio("0.6"));
    let line = *scene.chain.iter().find(|line| line.instrument.id == id).expect("listed");
    let fine = Instrument { tick: price("0.001"), ..line.instrument };
    let terms = LimitAuction { vol_factor_min: ratio("0.7"), floor_margin: Ratio::ZERO, ..limit_terms() };
    for (min, want) in [(0, "3.058"), (10, "2.233"), (20, "1.564"), (40, "0.651"), (60, "0.645"), (120, "0.629")] {
        let left = ((6 * 24 + 19) * 3600 - min * 60) as i64;
        let ask = ask(&terms, &fine, &line.value.expect("priced"), min * 60 * SEC, left).expect("priced");
        let off = (ask.price - price(want)).abs();
        assert!(off <= price("0.0015"), "at {min} min: {} is not {want}", ask.price);
        assert!(ask.price > ask.floor);
    }
    // at the mandate's own factor the last 80 minutes stay a tick and the margin above it
    let terms = LimitAuction { vol_factor_min: ratio("0.8"), ..limit_terms() };
    let left = ((6 * 24 + 19) * 3600 - 3600) as i64;
    let ask = ask(&terms, &fine, &line.value.expect("priced"), 3600 * SEC, left).expect("priced");
    assert!(ask.price >= ask.floor + fine.tick, "{ask:?}");
}

/// What the checks call the least is undiscounted; so is the floor of what is offered.
#[test]
fn a_discount_does_not_lower_the_offer_below_its_volatility_floor() {
    let mut scene = Scene::new(Product::CoveredCall, 3000);
    let id = scene.id(3300);
    scene.price_line(id, ratio("0.6"));
    let line = *scene.chain.iter().find(|line| line.instrument.id == id).expect("listed");
    let mut value = line.value.expect("priced");
    value.option.as_mut().expect("an option").discount = ratio("0.99");
    let (spread, floor) = (ratio("0.2"), ratio("0.55"));
    let decay = IvDecay::Additive { init: spread, per_s: Ratio::ZERO, max: spread, floor };
    let fine = Instrument { tick: price("0.001"), ..line.instrument };
    let left = 6 * DAY_S as i64;
    let offered = ask(&LimitAuction { decay, ..limit_terms() }, &fine, &value, 0, left).expect("priced").price;
    let (option, model) = (fine.option.expect("an option"), value.option.expect("priced"));
    let least = |discount| {
        black76::price(option.right, model.forward, option.strike, floor, left, discount, Rounding::Ceil)
            .expect("priced")
    };
    assert!(offered >= least(Ratio::ONE) && offered < least(Ratio::ONE) + price("0.001"), "{offered}");
    assert!(offered > least(ratio("0.99")) + price("0.001"), "the discount matters here");
}

#[test]
fn one_order_for_all_that_is_uncovered() {
    let mut scene = auction();
    scene.account.base = amount("99.9999");
    let act = scene.wish();
    let wish = scene.rest(act);
    assert_eq!((wish.amount, wish.tif), (amount("99.999"), crate::msg::TimeInForce::Gtc));
    assert!(wish.price.on_tick(price("0.1")));
    assert_eq!(scene.wish(), None);
    scene.fill(amount("30"));
    assert_eq!(scene.wish(), None, "what is left rests already");
}

/// What moves the order: price, amount either way, and the end of its signature.
#[test]
fn the_order_is_replaced_when_price_amount_or_expiry_demands_it() {
    type Change = fn(&mut Scene);
    let table: [(&str, Change, bool); 6] = [
        ("nothing", |_| {}, false),
        ("time", |s| s.pass(60), false),
        ("more time", |s| s.pass(600), true),
        ("less collateral", |s| s.account.base = Amount::whole(90), true),
        ("more collateral", |s| s.account.base = Amount::whole(110), true),
        ("expiry", |s| s.resting().expires_at = s.at.plus(30 * SEC), true),
    ];
    for (name, change, replaced) in table {
        let mut scene = auction();
        scene.params.auction = AuctionTerms::Limit(LimitAuction { reprice_min: price("0.4"), ..limit_terms() });
        let act = scene.wish();
        scene.rest(act);
        change(&mut scene);
        let act = scene.wish();
        assert_eq!(matches!(act, Some(Act::Replace { old: Nonce(1), .. })), replaced, "{name}: {act:?}");
        if let Some(Act::Replace { new, .. }) = act {
            assert_eq!(new.amount, scene.account.base, "{name}");
        }
    }
}

#[test]
fn a_replacement_is_not_made_while_the_last_is_unanswered_or_the_budget_is_out() {
    for life in [Life::Pending, Life::Leaving, Life::Unknown] {
        let mut scene = auction();
        let act = scene.wish();
        scene.rest(act);
        scene.resting().life = life;
        scene.pass(1800);
        assert_eq!(scene.wish(), None, "{life:?}");
    }
    let mut scene = auction();
    scene.account.quote_budget = 0;
    assert_eq!(scene.wish(), None);
    scene.account.quote_budget = 1;
    let act = scene.wish();
    scene.rest(act);
    scene.account.quote_budget = 0;
    scene.pass(1800);
    assert_eq!(scene.wish(), None);
    scene.account.base = Amount::whole(50);
    assert_eq!(scene.wish(), cancel(1), "more than collateral covers may not even wait for budget");
}

#[test]
fn nothing_is_placed_while_what_was_signed_before_settles() {
    let mut scene = auction();
    scene.account.settling = true;
    assert_eq!(scene.wish(), None, "it would be refused: an expected wait");
    scene.account.settling = false;
    let act = scene.wish();
    scene.rest(act);
    scene.account.settling = true;
    assert_eq!(scene.wish(), None);
    assert!(scene.account.working[0].is_some(), "what rests stays: only what would be placed anew waits");
}

#[test]
fn an_order_at_or_below_the_floor_goes_at_once() {
    let mut scene = auction();
    let act = scene.wish();
    let wish = scene.rest(act);
    let leg = wish.instrument;
    scene.price_line(leg, ratio("0.9"));
    let value = scene.chain.iter().find(|line| line.instrument.id == leg).and_then(|line| line.value);
    // the same delta as before, or the option would no longer fit
    let line = scene.chain.iter_mut().find(|line| line.instrument.id == leg).expect("listed");
    let model = value.and_then(|value| value.option).expect("priced");
    line.value = value.map(|value| Value { option: Some(OptionValue { delta: ratio("0.1"), ..model }), ..value });
    assert!(matches!(scene.wish(), Some(Act::Replace { new, .. }) if new.price > wish.price));
    scene.resting().life = Life::Pending;
    assert_eq!(scene.wish(), cancel(1));
}

#[test]
fn stale_or_guarded_values_take_the_order_back() {
    type Spoil = fn(&mut Value, Nanos);
    let table: [(&str, Spoil); 4] = [
        ("old", |value, at| value.good_until = Nanos(at.0 - 1)),
        ("guarded", |value, _| value.guards = crate::msg::Guards::TICKER_STALE),
        ("without a model", |value, _| value.option = None),
        ("delta outside", |value, _| value.option.as_mut().expect("option").delta = ratio("0.16")),
    ];
    for (name, spoil) in table {
        let mut scene = auction();
        let act = scene.wish();
        let leg = scene.rest(act).instrument;
        scene.fill(Amount::ONE);
        let at = scene.at;
        let line = scene.chain.iter_mut().find(|line| line.instrument.id == leg).expect("listed");
        spoil(line.value.as_mut().expect("priced"), at);
        assert_eq!(scene.wish(), cancel(1), "{name}");
    }
}

#[test]
fn the_choice_follows_the_market_until_the_first_fill() {
    let mut scene = auction();
    let act = scene.wish();
    let before = scene.rest(act);
    scene.move_to(Price::whole(3150));
    assert_eq!(scene.wish(), cancel(1), "what rests is for the old strike");
    scene.resting().life = Life::Leaving;
    assert_eq!(scene.wish(), None);
    scene.remove(Nonce(1));
    let again = scene.enter();
    assert_eq!(again.phase, Phase::OptionAuction);
    assert_eq!(again.started_at, scene.state.milestone.started_at, "the clock goes on");
    let act = scene.wish();
    let after = scene.rest(act);
    assert_ne!(after.instrument, before.instrument);
    // once something is sold the strike stays
    scene.fill(Amount::ONE);
    scene.move_to(Price::whole(3100));
    let act = scene.wish();
    assert!(!matches!(act, Some(Act::Place(wish)) if wish.instrument != after.instrument), "{act:?}");
    assert_eq!(scene.state.pick.map(|pick| pick.strikes()[0]), Some(again.strikes[0]));
}

#[test]
fn a_fill_that_crosses_the_choosing_again_keeps_the_old_strike() {
    let mut scene = auction();
    let act = scene.wish();
    let before = scene.rest(act);
    scene.move_to(Price::whole(3150));
    assert_eq!(scene.wish(), cancel(1));
    scene.resting().life = Life::Leaving;
    scene.fill(Amount::whole(3));
    scene.remove(Nonce(1));
    let act = scene.wish();
    assert!(!matches!(act, Some(Act::Place(wish)) if wish.instrument != before.instrument), "{act:?}");
    assert!(!matches!(act, Some(Act::Tell(Tale::Phase(_)))), "{act:?}");
}

#[test]
fn never_two_orders() {
    let mut scene = auction();
    let act = scene.wish();
    let wish = scene.rest(act);
    scene.rest(Some(Act::Place(wish)));
    assert_eq!(scene.wish(), cancel(2));
    scene.remove(Nonce(2));
    scene.rest(Some(Act::Place(Wish { instrument: BASE, ..wish })));
    assert_eq!(scene.wish(), cancel(3), "an order this auction would not make");
}
