//! The worked examples of the strategy documents, with the figures an engine really sees: net of premium.

use super::super::collateral_auction::convertible;
use super::super::rfq_auction::{capacity, covered_lot};
use super::super::schedule::unit_limit;
use super::*;
use crate::base::num::Rounding;

/// Collateral after `n` units of options with these legs (strike, signed size, premium) have expired at a settlement
/// price and the collateral auction has traded at it; and the cash it began with.
fn expire(right: Right, base: Amount, n: Amount, legs: &[(i64, i64, i64)], settlement: i64) -> (Cash, Amount) {
    let settlement = Price::whole(settlement);
    let mut balance = Cash::ZERO;
    for (strike, sign, premium) in legs {
        let size = Amount::from_raw(n.raw() * sign);
        let terms = OptionTerms { expiry_s: EXPIRY_S, strike: Price::whole(*strike), right };
        balance += terms.payoff(settlement).times(size) - Price::whole(*premium).times(size);
    }
    let instrument = Instrument { step: Amount::from_raw(1), ..instrument(0, "WEETH-USDC", Kind::Spot) };
    let traded = convertible(balance, settlement, &instrument);
    let after = if balance.is_negative() { base - traded } else { base + traded };
    (balance, after)
}

fn near(got: Amount, want: &str) -> bool {
    (got - amount(want)).abs() <= amount("0.00001")
}

#[test]
fn harvest_h1_to_h9() {
    let hundred = Amount::whole(100);
    let call = [(3500, -1, 10)];
    for (id, settlement, balance, base) in
        [("H1", 3500, "1000", "100.28571"), ("H5", 3600, "-9000", "97.5"), ("H6", 3400, "1000", "100.29412")]
    {
        let (got, after) = expire(Right::Call, hundred, hundred, &call, settlement);
        assert_eq!(got, cash(balance), "{id}");
        assert!(near(after, base), "{id}: {after}");
    }
    // H4: gross of premium
    let (got, after) = expire(Right::Call, hundred, hundred, &[(3500, -1, 0)], 3600);
    assert_eq!(got, cash("-10000"));
    assert!(near(after, "97.22222"), "{after}");
    // H8: the delta that volatility gives, inside 0.05 to 0.15
    let delta = black76::delta(Right::Call, Price::whole(3000), Price::whole(3500), ratio("0.7464"), 604_800);
    assert!((delta.expect("priced") - ratio("0.075")).abs() < ratio("0.0001"));
    // H9: spot sizing
    let spot = instrument(0, "WEETH-USDC", Kind::Spot);
    assert_eq!(convertible(cash("6000"), Price::whole(3000), &spot), Amount::whole(2));
    assert_eq!(convertible(cash("-30000"), Price::whole(3000), &spot), Amount::whole(10));
}

#[test]
fn safe_harvest_s1_to_s8() {
    let hundred = Amount::whole(100);
    let spread = [(3000, -1, 10), (3100, 1, 4)];
    for (id, settlement, balance, base) in
        [("S1", 3000, "600", "100.2"), ("S3e", 3100, "-9400", "96.96774"), ("S4e", 3600, "-9400", "97.38889")]
    {
        let (got, after) = expire(Right::Call, hundred, hundred, &spread, settlement);
        assert_eq!(got, cash(balance), "{id}");
        assert!(near(after, base), "{id}: {after}");
    }
    for (id, settlement, base) in [("S3", 3100, "96.77419"), ("S4", 3600, "97.22222")] {
        let (_, after) = expire(Right::Call, hundred, hundred, &[(3000, -1, 0), (3100, 1, 0)], settlement);
        assert!(near(after, base), "{id}: {after}");
    }
    // S6: mark over strike distance
    let ratio_of = super::super::selector::mark_ratio;
    let got = ratio_of(Price::whole(10), Price::whole(4), Price::whole(3000), Price::whole(3100));
    assert_eq!(got, Some(ratio("0.06")));
    // S7: 4 000 in lots of 400
    let terms = RfqAuction { lot_size: Amount::whole(400), lot_rounding: Amount::whole(20), ..rfq_terms() };
    let mut held = Amount::ZERO;
    let mut lots = 0;
    while covered_lot(Amount::whole(4000), held, &terms).is_positive() {
        held += covered_lot(Amount::whole(4000), held, &terms);
        lots += 1;
    }
    assert_eq!((lots, held), (10, Amount::whole(4000)));
    // S8: what is asked of a mark of six
    for (s, want) in [(15, "5.333334"), (60, "4"), (120, "3")] {
        assert_eq!(unit_limit(&rfq_terms(), Price::whole(-6), s * SEC), -price(want), "after {s} s");
    }
}

#[test]
fn maxi_m1_to_m10() {
    let hundred = Amount::whole(100);
    let spread = [(56_000, -1, 250), (54_000, 1, 100)];
    for (id, settlement, balance, base) in [
        ("M2", 60_000, "15000", "100.25"),
        ("M3", 55_900, "5000", "100.08945"),
        ("M4", 55_500, "-35000", "99.36937"),
        ("M5, M6", 52_000, "-185000", "96.44231"),
        ("M6", 30_000, "-185000", "93.83333"),
    ] {
        let (got, after) = expire(Right::Put, hundred, hundred, &spread, settlement);
        assert_eq!(got, cash(balance), "{id}");
        assert!(near(after, base), "{id}: {after}");
    }
    let got = super::super::selector::mark_ratio(
        Price::whole(250),
        Price::whole(100),
        Price::whole(56_000),
        Price::whole(54_000),
    );
    assert_eq!(got, Some(ratio("0.075")), "M7");
    // M8: 200 in lots of 20; M10: 60 lots of 2 are 120
    let terms = RfqAuction { lot_size: Amount::whole(20), lot_rounding: Amount::ONE, ..rfq_terms() };
    assert_eq!(covered_lot(Amount::whole(200), Amount::whole(180), &terms), Amount::whole(20));
    assert_eq!(covered_lot(Amount::whole(200), Amount::whole(200), &terms), Amount::ZERO);
    let small = RfqAuction { lot_size: Amount::whole(2), ..terms };
    assert_eq!(capacity(7200, &small), Amount::whole(120));
}

#[test]
fn bull_b1_to_b13() {
    // B2: 33.70 at 95; B5: at 80, the boost of ratio 0.4
    let fine = Amount::from_raw(1_000);
    let afford = |unit: i64| super::super::budget::affordable(cash("33.70"), Price::whole(unit), Amount::ONE, fine);
    assert!(near(afford(95), "0.354737"));
    assert!(near(afford(80), "0.42125"));
    // B3, B4: the payout and what is left of it once the debt is paid; B7: flat
    let units = afford(95);
    for (id, settlement, left) in
        [("B4", 3600, "37.247"), ("B7", 3500, "1.7737"), ("B8", 3495, "0"), ("loss", 3300, "-33.7")]
    {
        let terms = |strike| OptionTerms { expiry_s: EXPIRY_S, strike: Price::whole(strike), right: Right::Call };
        let at = Price::whole(settlement);
        let pays = (terms(3400).payoff(at) - terms(3600).payoff(at)).times(units);
        let net = pays - Price::whole(95).times(units);
        assert!((net - cash(left)).abs() < cash("0.001"), "{id}: {net}");
    }
    // the seed's rounded .35 units: 70 less 33.70
    assert_eq!(Price::whole(200).times(amount("0.35")) - cash("33.70"), cash("36.3"));
    // B5: mark over strike distance; B6: the deltas of the example follow 65/35
    let ratio_of = super::super::selector::mark_ratio;
    let got = ratio_of(Price::whole(165), Price::whole(70), Price::whole(3400), Price::whole(3600));
    assert_eq!(got, Some(ratio("0.475")));
    for (strike, vol, want) in [(3400, "0.5652", "0.6589"), (3600, "0.5765", "0.3772")] {
        let delta = black76::delta(Right::Call, Price::whole(3500), Price::whole(strike), ratio(vol), 604_800);
        assert!((delta.expect("priced") - ratio(want)).abs() < ratio("0.0005"), "{strike}");
    }
    // B11: 10 000 000 at a rate grown from 1.08 to 1.09, in cash at the rate of now
    let accrual = crate::msg::Accrual {
        share: Ratio::ONE - price("1.08").over(price("1.09"), Rounding::Ceil),
        rate: crate::base::num::Ratio::ONE,
        since: Nanos::ZERO,
        read_at: Nanos(1),
    };
    let value = Value { accrual: Some(accrual), ..value(BASE, price("1.09"), price("1.09")) };
    let budget = super::super::budget::accrued(&value, Amount::whole(10_000_000), &rfq_terms()).expect("yield");
    assert!((budget - cash("100000")).abs() < cash("0.02"), "{budget}");
}
