//! Each row of an option vault's table refuses its own fault, one unit past the limit, and passes at the limit.

pub(crate) mod scene;

use super::limits::Mandate;
use super::mandate::revert::Revert;
use super::nonces::NonceSource;
use super::option_case::{Purse, Wanted};
use super::option_grant::{Allowed, check_options};
use super::*;
use crate::base::ids::{InstrumentId, Name, Right, Side, Uuid};
use crate::base::num::{Price, Ratio};
use crate::base::time::MS;
use crate::msg::{Guards, Mode, Product, RfqWish, TimeInForce, Wish};
use scene::*;

const WRITES: [(&str, Spoil); 60] = [
    ("awake", |s| s.mode = Mode::Drain),
    ("awake", |s| s.mode = Mode::Starting),
    ("awake", |s| s.session_up = false),
    ("awake", |s| s.ledger.mistrust()),
    ("fresh", |s| s.values[1].guards = Guards::MODEL_DEVIATES),
    ("fresh", |s| s.values[0].guards = Guards::RATIO_STALE),
    ("fresh", |s| s.values[1].priced_at = Nanos(NOW.0 - 500 * MS - 1)),
    ("pass", |s| s.values[1].priced_at = Nanos(NOW.0 - 500 * MS)),
    ("fresh", |s| s.values[1].good_until = Nanos(NOW.0 - 1)),
    ("fresh", |s| s.values[1].option = None),
    ("fresh", |s| s.values[0].mark = Price::ZERO),
    ("known", |s| s.wish().instrument = InstrumentId(9)),
    ("known", |s| s.limits.product = Product::ShortCallSpread),
    ("known", |s| s.wish().side = Side::Buy),
    ("known", |s| s.wish().tif = TimeInForce::Ioc),
    ("known", |s| s.instruments[1].active = false),
    ("known", |s| s.instruments[1].option = terms(3_000, Right::Put)),
    ("known", |s| s.instruments[1].base_currency = Name::new("BTC").expect("short")),
    ("known", |s| s.limits.life_s_min = 7 * DAY_S + 1),
    ("pass", |s| s.limits.life_s_min = 7 * DAY_S),
    ("known", |s| s.limits.life_s_max = 7 * DAY_S - 1),
    ("pass", |s| s.limits.life_s_max = 7 * DAY_S),
    ("on_tick", |s| s.wish().price = price("10.05")),
    ("on_tick", |s| s.wish().amount = amount("5.001")),
    ("on_tick", |s| s.wish().amount = amount("0.09")),
    ("sized", |s| s.limits.option_amount_max = amount("4.99")),
    ("pass", |s| s.limits.option_amount_max = amount("5")),
    ("sized", |s| s.limits.notional_max = cash("13499.99")),
    ("pass", |s| s.limits.notional_max = cash("13500")),
    ("collared", |s| s.limits.delta_min = ratio("0.100000001")),
    ("collared", |s| s.limits.delta_max = ratio("0.099999999")),
    ("collared", |s| s.wish().price = around_floor(SLIPPED_VOL).0),
    ("pass", |s| s.wish().price = around_floor(SLIPPED_VOL).1),
    ("collared", |s| {
        s.limits.iv_min = ratio("0.59");
        s.wish().price = around_floor("0.59").0;
    }),
    ("pass", |s| {
        s.limits.iv_min = ratio("0.59");
        s.wish().price = around_floor("0.59").1;
    }),
    ("covered", |s| hold(s, "100", "0", &[(FAR, "-95.01")])),
    ("pass", |s| hold(s, "100", "0", &[(FAR, "-95")])),
    ("covered", |s| hold(s, "100", "0", &[(FAR, "0.01")])),
    ("in_cash", |s| hold(s, "100", "-1000.01", &[])),
    ("pass", |s| hold(s, "100", "-1000", &[])),
    ("alone", |s| s.meets_another = true),
    ("alone", |s| rests(s, 1, write("11", "1"), Life::Open)),
    ("alone", |s| rests(s, 1, write("11", "1"), Life::Unknown)),
    ("paced", |s| s.budget_left = 0),
    ("paced", |s| s.fills = 100),
    ("unexpired", |s| s.offset = None),
    ("settled", |s| s.contract_free = Some(false)),
    ("pass", |s| s.contract_free = Some(true)),
    ("mandate", |s| {
        s.limits.vol_factor_min = ratio("0.5");
        walled(s, |t| t.vol_factor_min = ratio("0.8"));
        s.wish().price = around_floor(SLIPPED_VOL).0;
    }),
    ("pass", |s| {
        s.limits.vol_factor_min = ratio("0.5");
        walled(s, |t| t.vol_factor_min = ratio("0.8"));
        s.wish().price = around_floor(SLIPPED_VOL).1;
    }),
    ("mandate", |s| {
        // The forward may rise by a percent before the order is there.
        s.limits.vol_factor_min = ratio("0.5");
        walled(s, |t| (t.vol_factor_min, t.drift.price) = (ratio("0.8"), Ratio::from_bps(100)));
        s.wish().price = around_floor(SLIPPED_VOL).1;
    }),
    ("mandate", |s| walled(s, |t| t.delta_max = ratio("0.0001"))),
    ("mandate", |s| walled(s, |t| t.fee_max = Ratio::ZERO)),
    ("mandate", |s| walled(s, |t| t.option_s_min = 7 * DAY_S + 1)),
    ("pass", |s| walled(s, |t| (t.option_s_min, t.option_s_max) = (7 * DAY_S, 7 * DAY_S))),
    ("mandate", |s| walled(s, |t| t.option_s_max = 7 * DAY_S - 1)),
    ("mandate", |s| walled(s, |t| (t.option_s_min, t.drift.time_s) = (7 * DAY_S, 1))),
    ("mandate", |s| walled(s, |t| t.signature_s_max = 309)),
    ("mandate", |s| {
        walled(s, |t| t.cash_min = cash("-999.999999999"));
        hold(s, "100", "-1000", &[]);
    }),
    ("pass", |s| {
        walled(s, |t| t.cash_min = cash("-1000"));
        hold(s, "100", "-1000", &[]);
    }),
];

#[test]
fn writes_are_held_to_every_row() {
    run(&WRITES, Product::CoveredCall, |_| {});
}

#[test]
fn a_replacement_counts_with_its_old() {
    let mut scene = scene(Product::CoveredCall);
    rests(&mut scene, 1, write("11", "60"), Life::Open);
    scene.replaced = Some(Nonce(1));
    assert_eq!(scene.verdict(), "pass");
    // The old one may fill before it is replaced: the larger of the two is what may be written.
    hold(&mut scene, "59.99", "0", &[]);
    rests(&mut scene, 1, write("11", "60"), Life::Open);
    assert_eq!(scene.verdict(), "covered");
    hold(&mut scene, "60", "0", &[]);
    rests(&mut scene, 1, write("11", "60"), Life::Leaving);
    assert_eq!(scene.verdict(), "alone", "only a resting order is replaced");
    hold(&mut scene, "200", "0", &[]);
    rests(&mut scene, 1, Wish { instrument: FAR, ..write("11", "60") }, Life::Open);
    assert_eq!(scene.verdict(), "alone", "a replacement stays in its instrument");
}

const CONVERSIONS: [(&str, Spoil); 23] = [
    // 3 at 2 700 is 8 100, and 0.03 % and 0.5 of fees; a sale may raise 1 too many.
    ("in_cash", |s| hold(s, "100", "8102.929999", &[])),
    ("pass", |s| hold(s, "100", "8102.93", &[])),
    ("in_cash", |s| hold(s, "100", "-9000", &[])),
    ("collared", |s| s.wish().price = price("2740.6")),
    ("pass", |s| s.wish().price = price("2740.5")),
    ("collared", |s| s.values[0].band_high = price("2699.9")),
    ("sized", |s| s.limits.collateral_amount_max = amount("2.99")),
    ("known", |s| s.wish().instrument = NEAR),
    ("awake", |s| s.mode = Mode::Drain),
    ("fresh", |s| s.values[0].guards = Guards::TICKER_STALE),
    ("fresh", |s| s.values[0].guards = Guards::RATIO_STALE),
    ("pass", |s| {
        // A debt is paid whatever the guards say, while there is a mark.
        s.values[0].guards = Guards::RATIO_STALE;
        hold(s, "100", "-9000", &[]);
        s.wanted = convert(Side::Sell, "2700", "3");
    }),
    ("in_cash", |s| s.wanted = convert(Side::Sell, "2700", "3")),
    ("pass", |s| {
        hold(s, "100", "-8096.07", &[]);
        s.wanted = convert(Side::Sell, "2700", "3");
    }),
    ("in_cash", |s| {
        hold(s, "100", "-8096.069999", &[]);
        s.wanted = convert(Side::Sell, "2700", "3");
    }),
    ("collared", |s| {
        hold(s, "100", "-9000", &[]);
        s.wanted = convert(Side::Sell, "2659.4", "3");
    }),
    ("pass", |s| {
        // Draining, in a hurry: a debt may still be paid.
        (s.mode, s.fills) = (Mode::Drain, 199);
        hold(s, "100", "-9000", &[]);
        s.wanted = convert(Side::Sell, "2659.5", "3");
    }),
    ("covered", |s| {
        hold(s, "100", "-9000", &[(NEAR, "-97.01")]);
        s.wanted = convert(Side::Sell, "2700", "3");
    }),
    ("pass", |s| {
        hold(s, "100", "-9000", &[(NEAR, "-97")]);
        s.wanted = convert(Side::Sell, "2700", "3");
    }),
    ("mandate", |s| {
        walled(s, |t| t.buy_premium_max = Ratio::from_bps(100));
        s.wish().price = price("2727.1");
    }),
    ("pass", |s| {
        walled(s, |t| t.buy_premium_max = Ratio::from_bps(100));
        s.wish().price = price("2727");
    }),
    ("mandate", |s| {
        walled(s, |t| t.sell_discount_max = Ratio::from_bps(100));
        hold(s, "100", "-9000", &[]);
        s.wanted = convert(Side::Sell, "2672.9", "3");
    }),
    ("pass", |s| {
        walled(s, |t| t.sell_discount_max = Ratio::from_bps(100));
        hold(s, "100", "-9000", &[]);
        s.wanted = convert(Side::Sell, "2673", "3");
    }),
];

#[test]
fn conversions_clear_cash_and_never_cross_zero() {
    run(&CONVERSIONS, Product::CoveredCall, |s| s.wanted = convert(Side::Buy, "2700", "3"));
}

const SHORT_DEALS: [(&str, Spoil); 38] = [
    ("awake", |s| s.mode = Mode::Drain),
    ("fresh", |s| s.values[2].guards = Guards::TICKER_STALE),
    ("known", |s| s.limits.strike_diff = price("100.1")),
    ("known", |s| s.instruments[2].option = None),
    ("known", |s| s.instruments[2].option.as_mut().expect("terms").expiry_s += 1),
    ("known", |s| s.dealt().legs.swap(0, 1)),
    ("known", |s| s.dealt().rfq_id = Uuid(99)),
    ("known", |s| s.dealt().quote_id = Uuid(99)),
    ("known", |s| s.dealt().legs[0].price = price("9.6")),
    ("known", |s| s.talk.rfq.as_mut().expect("asked").wish.legs[0].amount = amount("4.99")),
    ("known", |s| s.talk.rfq = None),
    ("on_tick", |s| deal(s, "5", ["9.55", "4"], "-15")),
    ("sized", |s| s.limits.option_amount_max = amount("4.99")),
    ("collared", |s| s.limits.spread_ratio_min = ratio("0.060000001")),
    ("collared", |s| s.limits.spread_ratio_max = ratio("0.059999999")),
    // 5 at mark are 30; at least half of it must come in.
    ("collared", |s| deal(s, "5", ["6.9", "4"], "0")),
    ("pass", |s| deal(s, "5", ["7", "4"], "0")),
    ("collared", |s| deal(s, "5", ["4", "10"], "1000")),
    ("collared", |s| s.dealt().cost_max = cash("-25.000000001")),
    ("pass", |s| s.dealt().cost_max = cash("-25")),
    ("covered", |s| hold(s, "100", "0", &[(NEAR, "-95.01"), (FAR, "95.01")])),
    ("covered", |s| hold(s, "100", "0", &[(NEAR, "-1"), (FAR, "0.99")])),
    ("covered", |s| hold(s, "100", "0", &[(InstrumentId(9), "1")])),
    ("covered", |s| rests(s, 1, write("11", "1"), Life::Open)),
    ("covered", |s| hold(s, "100", "0", &[(NEAR, "1"), (FAR, "-1")])),
    // 100 × units on 270 000 of collateral, 5 % of it: 135 units, less than the collateral covers only when that is more.
    ("in_share", |s| s.limits.tvl_share_max = ratio("0.00185")),
    ("pass", |s| s.limits.tvl_share_max = ratio("0.001851852")),
    ("in_cash", |s| hold(s, "100", "-1000.01", &[])),
    ("in_cash", |s| s.instruments[1].base_fee = cash("25")),
    ("alone", |s| rests(s, 1, conversion("2600", "1"), Life::Open)),
    ("alone", |s| s.talk.rfq.as_mut().expect("asked").leaving = true),
    ("alone", |s| s.talk.rfq.as_mut().expect("asked").valid_until = NOW),
    ("unexpired", |s| s.key_expires_at = NOW.plus(310 * SEC)),
    ("mandate", |s| deal_walled(s, |t| t.share_max = ratio("0.00185"))),
    ("pass", |s| deal_walled(s, |t| t.share_max = ratio("0.001851852"))),
    // One volatility makes the spread worth more than the 5 it is sold for.
    ("mandate", |s| deal_walled(s, |t| t.cost_tolerance = Ratio::ONE)),
    ("mandate", |s| deal_walled(s, |t| t.spread_ratio_min = ratio("0.9999"))),
    ("mandate", |s| deal_walled(s, |t| t.package_fee_max = Ratio::ZERO)),
];

#[test]
fn the_mandate_refuses_by_the_contracts_names() {
    let mut scene = scene(Product::CoveredCall);
    walled(&mut scene, |t| t.vol_factor_min = ratio("0.8"));
    scene.wish().price = around_floor(SLIPPED_VOL).0;
    assert_eq!(wall::options::verdict(&scene.case()), Err(Revert::CctOptionPriceTooLow));
    hold(&mut scene, "4.99", "0", &[]);
    assert_eq!(wall::options::verdict(&scene.case()), Err(Revert::CctSellingTooManyCalls));
    hold(&mut scene, "100", "0", &[(FAR, "0.01")]);
    assert_eq!(wall::options::verdict(&scene.case()), Err(Revert::CctInvalidOptionBalance));
    let mut scene = self::scene(Product::ShortPutSpread);
    deal(&mut scene, "5", ["9", "4"], "-15");
    assert_eq!(wall::options::verdict(&scene.case()), Ok(()));
    scene.dealt().legs.iter_mut().for_each(|priced| priced.leg.side = priced.leg.side.opposite());
    assert_eq!(wall::options::verdict(&scene.case()), Err(Revert::PptInvalidHighStrikeAmount));
    hold(&mut scene, "100", "0", &[(NEAR, "-1")]);
    deal(&mut scene, "5", ["9", "4"], "-15");
    assert_eq!(wall::options::verdict(&scene.case()), Err(Revert::PptInvalidSpreadBalance));
}

#[test]
fn executions_of_short_spreads_are_held_to_every_row() {
    for product in [Product::ShortCallSpread, Product::ShortPutSpread] {
        run(&SHORT_DEALS, product, |s| deal(s, "5", ["9", "4"], "-15"));
    }
}

/// The covered row alone, with nothing else in the way.
#[test]
fn spreads_never_exceed_the_collateral() {
    for (quantity, expected) in [("50", "pass"), ("50.01", "covered")] {
        let mut scene = scene(Product::ShortCallSpread);
        hold(&mut scene, "100", "0", &[(NEAR, "-50"), (FAR, "50")]);
        deal(&mut scene, quantity, ["9", "4"], "0");
        assert_eq!(scene.verdict(), expected, "{quantity}");
    }
}

const LONG_DEALS: [(&str, Spoil); 11] = [
    ("collared", |s| deal(s, "5", ["13.1", "4"], "1000")),
    ("pass", |s| deal(s, "5", ["13", "4"], "1000")),
    ("collared", |s| s.dealt().cost_max = cash("29.999999999")),
    // A buyer needs no cover, but a share: 135 units are 5 % of 270 000.
    ("in_share", |s| hold(s, "100", "0", &[(NEAR, "130.01"), (FAR, "-130.01")])),
    ("pass", |s| hold(s, "100", "0", &[(NEAR, "130"), (FAR, "-130")])),
    ("in_cash", |s| s.purse = None),
    // 30 for the spread, expected fees of 4.05 + 2.5 and once 0.5.
    ("in_cash", |s| s.purse = Some(Purse { budget: cash("100"), spent: cash("62.950000001") })),
    ("pass", |s| s.purse = Some(Purse { budget: cash("100"), spent: cash("62.95") })),
    ("pass", |s| s.purse = Some(Purse { budget: cash("100"), spent: cash("-50") })),
    // One volatility makes the spread worth 6.7 a unit.
    ("mandate", |s| deal_walled(s, |t| t.cost_tolerance = ratio("0.8"))),
    ("pass", |s| deal_walled(s, |t| t.cost_tolerance = ratio("0.95"))),
];

#[test]
fn a_buyer_never_overdraws_its_purse() {
    run(&LONG_DEALS, Product::LongCallSpread, |s| {
        s.limits.mark_tolerance = ratio("1.5");
        deal(s, "5", ["10", "4"], "1000");
    });
}

const ASKS: [(&str, Spoil); 9] = [
    ("known", |s| s.wanted = ask(Product::LongCallSpread, "5")),
    ("known", |s| {
        s.wanted =
            Wanted::Ask(RfqWish { legs: package(Product::ShortCallSpread, "5"), partial_fill_step: Ratio::ZERO });
    }),
    ("on_tick", |s| s.wanted = ask(Product::ShortCallSpread, "5.001")),
    ("collared", |s| s.limits.spread_ratio_min = ratio("0.060000001")),
    ("covered", |s| hold(s, "4.99", "0", &[])),
    ("in_share", |s| s.limits.tvl_share_max = ratio("0.00185")),
    ("alone", |s| {
        let wanted = s.wanted;
        deal(s, "5", ["9", "4"], "0");
        s.wanted = wanted;
    }),
    ("alone", |s| rests(s, 1, conversion("2600", "1"), Life::Unknown)),
    ("paced", |s| s.budget_left = 0),
];

#[test]
fn questions_are_held_to_the_rows_that_need_no_price() {
    run(&ASKS, Product::ShortCallSpread, |s| s.wanted = ask(Product::ShortCallSpread, "5"));
}

#[test]
fn every_row_has_a_name_and_a_failing_case() {
    let names = checks::row_names(&Mandate::Options(limits(Product::CoveredCall)));
    for name in names {
        let tables = [&WRITES[..], &CONVERSIONS[..], &SHORT_DEALS[..], &LONG_DEALS[..], &ASKS[..]];
        assert!(tables.iter().any(|table| table.iter().any(|(row, _)| *row == name)), "{name} has no failing case");
    }
}

#[test]
fn a_grant_carries_what_was_checked() {
    let mut nonces = NonceSource::above(Nonce(0));
    nonces.sync(0);
    let grant = Grant { nonce: Nonce(42), epoch: Epoch(3), trace: Trace::default(), ended: None };
    let mut scene = scene(Product::LongCallSpread);
    scene.limits.mark_tolerance = ratio("1.5");
    scene.purse = Some(Purse { budget: cash("100"), spent: cash("50") });
    deal(&mut scene, "5", ["10", "4"], "1000");
    scene.offset = Some(250_000_000);
    let case = scene.case();
    let Ok(pass) = check_options(&case) else { panic!("passes") };
    let Allowed::Execution(execution, legs) = pass.grant(grant) else { panic!("an execution") };
    // Three times the variable fees and the fixed one would be 20.15; the purse has 20 left.
    assert_eq!((execution.max_fee(), execution.nonce(), execution.epoch()), (cash("20"), Nonce(42), Epoch(3)));
    assert_eq!((execution.expires_s(), execution.late_after()), (1_000_310, NOW.plus(SEC)));
    assert!(legs.iter().all(|leg| leg.nonce == Nonce(42) && leg.reject_after == NOW.plus(60 * SEC + SEC / 2)));
    assert_eq!((legs[0].wish.side, legs[1].wish.side), (Side::Buy, Side::Sell));
}
