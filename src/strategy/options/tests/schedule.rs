//! What each clock demands at each moment.

use super::super::schedule::{collateral_price, offered_iv, spread, unit_limit};
use super::*;

#[test]
fn sellers_and_buyers_give_way_as_the_table_says() {
    // (seconds, seller's demand of a mark of 1 000, buyer's limit on a mark of 100)
    let buyer = RfqAuction {
        spread_per_min: ratio("0.1"),
        max_spread: ratio("0.2"),
        unit_cost_min: Price::ZERO,
        unit_cost_max: Price::whole(140),
        ..rfq_terms()
    };
    let seller = RfqAuction { unit_cost_min: Price::whole(-2000), ..rfq_terms() };
    for (s, credit, debit) in [
        (0, "1000", "100"),
        (15, "888.888889", "102.5"),
        (30, "800", "105"),
        (60, "666.666667", "110"),
        (90, "571.428572", "115"),
        (120, "500", "120"),
        (600, "500", "120"),
    ] {
        assert_eq!(unit_limit(&seller, Price::whole(-1000), s * SEC), -price(credit), "seller at {s} s");
        assert_eq!(unit_limit(&buyer, Price::whole(100), s * SEC), price(debit), "buyer at {s} s");
    }
}

#[test]
fn unit_limits_stay_in_the_operators_bounds() {
    let seller = rfq_terms();
    for (mark, limit) in [("-1000", "-200"), ("-0.5", "-1"), ("-6", "-6")] {
        assert_eq!(unit_limit(&seller, price(mark), 0), price(limit), "mark {mark}");
    }
    let buyer = RfqAuction { unit_cost_min: Price::ZERO, unit_cost_max: Price::whole(140), ..seller };
    for (mark, limit) in [("150", "140"), ("-3", "0"), ("95", "95")] {
        assert_eq!(unit_limit(&buyer, price(mark), 0), price(limit), "mark {mark}");
    }
}

#[test]
fn spreads_grow_to_their_cap_and_never_wrap() {
    let max = ratio("0.2");
    for (elapsed_ns, want) in [(0, "0.01"), (SEC, "0.02"), (19 * SEC, "0.2"), (u64::MAX, "0.2")] {
        assert_eq!(spread(ratio("0.01"), ratio("0.01"), SEC, max, elapsed_ns), ratio(want));
    }
    assert_eq!(spread(Ratio::from_raw(i64::MAX), Ratio::from_raw(i64::MAX), 1, max, u64::MAX), max);
}

#[test]
fn volatility_falls_by_either_form() {
    let additive =
        IvDecay::Additive { init: ratio("0.01"), per_s: ratio("0.0001"), max: ratio("0.2"), floor: ratio("0.45") };
    for (s, want) in [(0, "0.59"), (100, "0.58"), (1_000, "0.49"), (1_400, "0.45"), (90_000, "0.45")] {
        assert_eq!(offered_iv(&additive, ratio("0.6"), s * SEC), ratio(want), "additive at {s} s");
    }
    let multiplicative = limit_terms().decay;
    for (min, want) in [(0, "0.6"), (10, "0.57"), (20, "0.54"), (40, "0.48"), (60, "0.48"), (120, "0.48")] {
        assert_eq!(offered_iv(&multiplicative, ratio("0.6"), min * 60 * SEC), ratio(want), "at {min} min");
    }
}

#[test]
fn collateral_is_bought_above_and_sold_below_the_mark() {
    let terms = CollateralAuction { init_spread: ratio("0.001"), ..collateral() };
    for (s, buy, sell) in [(0, "3003", "2997"), (100, "3006", "2994"), (10_000, "3030", "2970")] {
        assert_eq!(collateral_price(&terms, Side::Buy, Price::whole(3000), s * SEC), price(buy));
        assert_eq!(collateral_price(&terms, Side::Sell, Price::whole(3000), s * SEC), price(sell));
    }
}

#[test]
fn settlements_are_on_fridays_or_daily_at_eight() {
    for (expiry_days, now_s, want) in [
        (7, EXPIRY_S, EXPIRY_S),
        (7, EXPIRY_S - 1, EXPIRY_S - 7 * DAY_S),
        (7, EXPIRY_S + 3 * DAY_S, EXPIRY_S),
        (14, EXPIRY_S + 7 * DAY_S - 1, EXPIRY_S),
        (1, EXPIRY_S + 3 * DAY_S, EXPIRY_S + 3 * DAY_S),
        (1, EXPIRY_S + 3 * DAY_S - 1, EXPIRY_S + 2 * DAY_S),
    ] {
        let week = Week { expiry_days, ..week() };
        assert_eq!(week.last_settlement_s(now_s), want, "{expiry_days} days, at {now_s}");
    }
}
