//! Contract vectors, worked examples and properties of Black-76.

use super::*;
use crate::base::num::NumError;
use proptest::prelude::*;

const WEEK: i64 = 604_800;
/// Six days and nineteen hours: a weekly option when its auction opens.
const AUCTION_START: i64 = 586_800;

fn parse<T: std::str::FromStr<Err = NumError>>(text: &str) -> T {
    text.parse().expect("literal")
}

fn relative(got: f64, want: f64) -> f64 {
    (got / want - 1.0).abs()
}

/// Right, vol, forward, strike, seconds, then price and call delta as the contract's 18-decimal integers.
type Vector = (Right, f64, f64, f64, i64, i128, Option<i64>);

#[test]
fn matches_the_contract_vectors() {
    use Right::{Call, Put};
    let table: [Vector; 10] = [
        (Call, 0.6, 3_000.0, 3_500.0, WEEK, 3_338_707_777_076_454_000, Some(34_865_179_553_899_041)),
        (Put, 0.6, 3_000.0, 3_500.0, WEEK, 503_338_707_777_076_452_000, None),
        (Call, 0.55, 3_500.0, 3_400.0, WEEK, 162_302_388_310_450_332_000, Some(662_268_936_313_489_586)),
        (Call, 0.55, 3_500.0, 3_600.0, WEEK, 65_133_908_508_514_856_500, Some(370_029_694_893_069_021)),
        (Put, 0.5, 60_000.0, 56_000.0, WEEK, 336_575_151_534_887_340_000, None),
        (Put, 0.5, 60_000.0, 54_000.0, WEEK, 109_886_566_490_497_860_000, None),
        (Call, 0.7, 2_600.0, 3_000.0, WEEK, 8_368_122_500_874_773_000, Some(76_686_534_206_902_016)),
        (Call, 0.7, 2_600.0, 3_100.0, WEEK, 3_784_889_479_535_600_800, None),
        (Call, 0.2, 100.0, 105.0, WEEK, 44_600_511_382_008_100, None),
        // The covered call's floor: 0.6 slipped by 0.8, at the opening of the auction.
        (Call, 0.48, 3_000.0, 3_500.0, AUCTION_START, 661_521_092_220_891_000, Some(10_128_172_003_477_776)),
    ];
    for (right, vol, forward, strike, seconds, price_e18, delta_e18) in table {
        let quote = black76(right, forward, strike, vol, years(seconds), 1.0).expect("in domain");
        let error = relative(quote.price, price_e18 as f64 / 1e18);
        assert!(error < 1e-12, "{right:?} {forward} {strike} {vol}: {error:e}");
        if let Some(delta) = delta_e18 {
            let error = relative(quote.delta, delta as f64 / 1e18);
            assert!(error < 1e-13, "delta {right:?} {forward} {strike} {vol}: {error:e}");
        }
    }
}

#[test]
fn implies_the_worked_volatilities_and_deltas() {
    // Percent to two decimals and delta to four, as the strategy examples state them.
    use Right::{Call, Put};
    let table = [
        ("H8", Call, 3_000, 3_500, 10, "74.64", "0.0750"),
        ("S6 sold", Call, 2_600, 3_000, 10, "73.01", "0.0862"),
        ("S6 bought", Call, 2_600, 3_100, 4, "70.70", "0.0403"),
        ("M7 sold", Put, 60_000, 56_000, 250, "45.33", "-0.1291"),
        ("M7 bought", Put, 60_000, 54_000, 100, "48.97", "-0.0562"),
        ("B6 bought", Call, 3_500, 3_400, 165, "56.52", "0.6589"),
        ("B6 sold", Call, 3_500, 3_600, 70, "57.65", "0.3772"),
    ];
    for (name, right, forward, strike, premium, vol_percent, delta_text) in table {
        let (forward, strike) = (Price::whole(forward), Price::whole(strike));
        let vol = implied_vol(right, forward, strike, Price::whole(premium), WEEK, Ratio::ONE).expect(name);
        assert_eq!(format!("{:.2}", vol.to_f64() * 100.0), vol_percent, "{name}");
        let delta = delta(right, forward, strike, vol, WEEK).expect(name);
        assert_eq!(format!("{:.4}", delta.to_f64()), delta_text, "{name}");
    }
}

#[test]
fn prices_the_harvest_schedule() {
    // Mark volatility 0.60, forward 3000, strike 3500: minutes into the auction and the price to three decimals.
    let mark: Ratio = parse("0.6");
    let table = [(0, "3.058"), (10, "2.233"), (20, "1.564"), (40, "0.651"), (60, "0.645"), (120, "0.629")];
    for (minutes, want) in table {
        // Half a percent a minute up to a fifth of mark, or 0.00005 a second up to 0.12: the same volatility both ways.
        let spread = Ratio::from_raw((5_000_000 * minutes).min(200_000_000));
        let multiplied = mark.scale(Ratio::ONE - spread, Rounding::HalfUp);
        let added = mark - Ratio::from_raw((50_000 * 60 * minutes).min(120_000_000));
        for vol in [multiplied, added] {
            let seconds = AUCTION_START - 60 * minutes;
            let (forward, strike) = (Price::whole(3_000), Price::whole(3_500));
            let price = price(Right::Call, forward, strike, vol, seconds, Ratio::ONE, Rounding::HalfUp);
            let shown = price.map(|p| p.to_tick(parse("0.001"), Rounding::HalfUp).to_string());
            assert_eq!(shown.as_deref(), Some(want), "{minutes} min at {vol}");
        }
    }
}

#[test]
fn is_intrinsic_without_time_or_volatility() {
    let at = |right, forward, vol, tau| black76(right, forward, 100.0, vol, tau, 0.5).map(|q| (q.price, q.delta));
    for tau in [0.0, -1.0] {
        assert_eq!(at(Right::Call, 110.0, 0.5, tau), Some((5.0, 0.0)));
        assert_eq!(at(Right::Call, 90.0, 0.5, tau), Some((0.0, 0.0)));
        assert_eq!(at(Right::Put, 90.0, 0.5, tau), Some((5.0, 0.0)));
    }
    assert_eq!(at(Right::Call, 110.0, 0.0, 1.0), Some((5.0, 1.0)));
    assert_eq!(at(Right::Put, 110.0, 0.0, 1.0), Some((0.0, 0.0)));
    assert_eq!(at(Right::Call, 100.0, 0.0, 1.0), Some((0.0, 0.5)));
    assert_eq!(at(Right::Put, 90.0, 0.0, 1.0), Some((5.0, -1.0)));

    let expired = |seconds, rounding| {
        price(Right::Call, parse("110.000000001"), Price::whole(100), parse("0.5"), seconds, parse("0.5"), rounding)
    };
    assert_eq!(expired(0, Rounding::Floor), Some(parse("5")));
    assert_eq!(expired(-1, Rounding::Ceil), Some(parse("5.000000001")));
    assert_eq!(expired(i64::MIN, Rounding::HalfUp), Some(parse("5.000000001")));
    assert_eq!(delta(Right::Put, Price::ONE, Price::whole(2), parse("0.5"), 0), Some(Ratio::ZERO));
}

#[test]
fn rounds_as_told_and_discounts() {
    let quoted = |discount, rounding| {
        price(Right::Call, Price::whole(3_000), Price::whole(3_500), parse("0.6"), WEEK, discount, rounding)
            .map(|p| p.to_string())
    };
    // 3.338707777076…, and 0.999 of it: 3.335369069299…
    assert_eq!(quoted(Ratio::ONE, Rounding::Floor).as_deref(), Some("3.338707777"));
    assert_eq!(quoted(Ratio::ONE, Rounding::HalfUp).as_deref(), Some("3.338707777"));
    assert_eq!(quoted(Ratio::ONE, Rounding::Ceil).as_deref(), Some("3.338707778"));
    assert_eq!(quoted(parse("0.999"), Rounding::Floor).as_deref(), Some("3.335369069"));
}

#[test]
fn refuses_what_is_out_of_domain() {
    let good = [3_000.0, 3_500.0, 0.6, 0.02, 1.0];
    let ask = |v: [f64; 5]| black76(Right::Call, v[0], v[1], v[2], v[3], v[4]);
    assert!(ask(good).is_some());
    for place in 0..5 {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 0.0] {
            let allowed = place == 3 && bad.is_finite() || place == 2 && bad == 0.0;
            let mut values = good;
            values[place] = bad;
            assert_eq!(ask(values).is_some(), allowed, "{values:?}");
        }
    }
    assert_eq!(ask([1e300, 1e-300, 0.6, 0.02, 1.0]), None);

    let (forward, strike) = (Price::whole(3_000), Price::whole(2_900));
    let implied = |p: &str| implied_vol(Right::Call, forward, strike, parse(p), WEEK, Ratio::ONE);
    for (premium, answers) in [("99", false), ("100", false), ("101", true), ("2999", true), ("3000", false)] {
        assert_eq!(implied(premium).is_some(), answers, "{premium}");
    }
    assert_eq!(implied_vol(Right::Call, forward, strike, parse("101"), 0, Ratio::ONE), None);
    assert_eq!(price(Right::Put, forward, strike, -Ratio::ONE, WEEK, Ratio::ONE, Rounding::Floor), None);
    assert_eq!(price(Right::Put, forward, strike, Ratio::ONE, WEEK, Ratio::ZERO, Rounding::Floor), None);
}

#[test]
fn greeks_agree_with_finite_differences() {
    for (right, forward, strike, vol, tau, discount) in [
        (Right::Call, 3_000.0, 3_500.0, 0.6, 0.02, 0.99),
        (Right::Put, 3_000.0, 2_900.0, 0.8, 0.1, 1.0),
        (Right::Call, 60_000.0, 56_000.0, 0.45, 0.25, 0.95),
    ] {
        let at = |f, v, t| black76(right, f, strike, v, t, discount).expect("in domain");
        let quote = at(forward, vol, tau);
        let (df, dv, dt) = (forward * 1e-5, 1e-5, tau * 1e-5);
        let (up, down) = (at(forward + df, vol, tau), at(forward - df, vol, tau));
        assert!(relative((up.price - down.price) / (2.0 * df * discount), quote.delta) < 1e-7);
        assert!(relative((up.delta - down.delta) / (2.0 * df), quote.gamma) < 1e-7);
        let vega = (at(forward, vol + dv, tau).price - at(forward, vol - dv, tau).price) / (2.0 * dv);
        assert!(relative(vega, quote.vega) < 1e-7);
        let theta = (at(forward, vol, tau - dt).price - at(forward, vol, tau + dt).price) / (2.0 * dt);
        assert!(relative(theta, quote.theta) < 1e-7);
    }
}

fn rights() -> impl Strategy<Value = Right> {
    prop_oneof![Just(Right::Call), Just(Right::Put)]
}

/// Forward, strike near it, volatility, seconds up to 400 days and discount, in house types.
fn market() -> impl Strategy<Value = (Price, Price, Ratio, i64, Ratio)> {
    let forward = 1_000_000i64..200_000 * E9;
    (forward, 200i64..5_000, 10_000_000i64..5 * E9, 1i64..34_560_000, 900_000_000i64..=E9).prop_map(
        |(forward, per_mille, vol, seconds, discount)| {
            let strike = Price::from_raw((forward / 1_000 * per_mille).max(1));
            (Price::from_raw(forward), strike, Ratio::from_raw(vol), seconds, Ratio::from_raw(discount))
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn put_call_parity_is_exact((forward, strike, vol, seconds, discount) in market()) {
        let at = |right, discount| {
            price(right, forward, strike, vol, seconds, discount, Rounding::Floor).expect("in domain")
        };
        prop_assert_eq!(at(Right::Call, Ratio::ONE) - at(Right::Put, Ratio::ONE), forward - strike);
        let discounted = (forward - strike).scale(discount, Rounding::Floor);
        let apart = at(Right::Call, discount) - at(Right::Put, discount) - discounted;
        prop_assert!(apart.abs().raw() <= 1, "{apart}");
        let deltas = (delta(Right::Call, forward, strike, vol, seconds), delta(Right::Put, forward, strike, vol, seconds));
        let (call, put) = (deltas.0.expect("in domain"), deltas.1.expect("in domain"));
        prop_assert!((call - put - Ratio::ONE).abs().raw() <= 1);
    }

    #[test]
    fn stays_in_its_bounds(right in rights(), (forward, strike, vol, seconds, discount) in market()) {
        let value = price(right, forward, strike, vol, seconds, discount, Rounding::HalfUp).expect("in domain");
        let (top, floor) = match right {
            Right::Call => (forward, forward - strike),
            Right::Put => (strike, strike - forward),
        };
        prop_assert!(value <= top.scale(discount, Rounding::Ceil));
        prop_assert!(value >= floor.max(Price::ZERO).scale(discount, Rounding::Floor));
        let delta = delta(right, forward, strike, vol, seconds).expect("in domain").raw();
        let range = if right == Right::Call { 0..=E9 } else { -E9..=0 };
        prop_assert!(range.contains(&delta));
    }

    #[test]
    fn time_is_never_worth_less_than_nothing(
        right in rights(), forward in 1.0f64..100_000.0, deviations in -10.0f64..10.0, exponent in 1.0f64..17.0,
    ) {
        // Down to the last digits, where the two terms of the price differ by less than either can say.
        let deviation = libm::exp10(-exponent);
        let strike = forward * (1.0 + deviations * deviation);
        let quote = black76(right, forward, strike, deviation, 1.0, 1.0).expect("in domain");
        let intrinsic = if right == Right::Call { forward - strike } else { strike - forward };
        prop_assert!(quote.price >= intrinsic.max(0.0), "{}", quote.price);
    }

    #[test]
    fn rises_with_volatility_and_time(
        right in rights(), (forward, strike, vol, seconds, _) in market(), more in 0i64..E9, later in 0i64..1_000_000,
    ) {
        let at = |vol, seconds| price(right, forward, strike, vol, seconds, Ratio::ONE, Rounding::Floor);
        let start = at(vol, seconds).expect("in domain");
        // One part in 1e13 of the forward: the last digits of the float.
        let noise = Price::from_raw(1 + forward.raw() / 10_000_000_000_000);
        prop_assert!(at(vol + Ratio::from_raw(more), seconds).expect("in domain") + noise >= start);
        prop_assert!(at(vol, seconds + later).expect("in domain") + noise >= start);
    }

    #[test]
    fn follows_the_forward((forward, strike, vol, seconds, _) in market(), more in 0i64..1_000 * E9) {
        let at = |right, forward| {
            price(right, forward, strike, vol, seconds, Ratio::ONE, Rounding::Floor).expect("in domain")
        };
        let higher = forward + Price::from_raw(more);
        let noise = Price::from_raw(1 + higher.raw() / 10_000_000_000_000);
        prop_assert!(at(Right::Call, higher) + noise >= at(Right::Call, forward));
        prop_assert!(at(Right::Put, higher) <= at(Right::Put, forward) + noise);
    }

    #[test]
    fn a_price_implies_its_volatility(right in rights(), (forward, strike, vol, seconds, discount) in market()) {
        let (f, k, v, tau, df) = (forward.to_f64(), strike.to_f64(), vol.to_f64(), years(seconds), discount.to_f64());
        let quote = black76(right, f, k, v, tau, df).expect("in domain");
        // Where a volatility point moves the price by less than a float can say, there is nothing to find.
        prop_assume!(quote.vega * v > 1e-6 * quote.price && quote.vega * v > 1e-9 * f);
        let found = black76_vol(right, f, k, quote.price, tau, df).expect("between the bounds");
        prop_assert!(relative(found, v) < 1e-14 * (quote.price + f * df) / (quote.vega * v) + 1e-14, "{found} {v}");
    }

    #[test]
    fn an_implied_volatility_gives_back_the_price(
        right in rights(), (forward, strike, _, seconds, discount) in market(), share in 1i64..1_000_000_000,
    ) {
        let intrinsic = price(right, forward, strike, Ratio::ZERO, seconds, discount, Rounding::Ceil).expect("in domain");
        let top = if right == Right::Call { forward } else { strike };
        let room = top.scale(discount, Rounding::Floor) - intrinsic;
        let premium = intrinsic + room.scale(Ratio::from_raw(share), Rounding::Floor);
        let (f, k, p, df) = (forward.to_f64(), strike.to_f64(), premium.to_f64(), discount.to_f64());
        if let Some(vol) = black76_vol(right, f, k, p, years(seconds), df) {
            let back = black76(right, f, k, vol, years(seconds), df).expect("in domain").price;
            prop_assert!((back - p).abs() < 1e-13 * (f + k), "{back} {p} at {vol}");
        } else {
            prop_assert!(premium == intrinsic, "{premium} has no volatility");
        }
    }

    #[test]
    fn no_bits_panic_or_give_nan(bits in any::<[u64; 5]>(), right in rights()) {
        let [a, b, c, d, e] = bits.map(f64::from_bits);
        if let Some(quote) = black76(right, a, b, c, d, e) {
            let fields = [quote.price, quote.delta, quote.gamma, quote.vega, quote.theta];
            prop_assert!(fields.iter().all(|v| v.is_finite()));
        }
        prop_assert!(black76_vol(right, a, b, c, d, e).is_none_or(|vol| vol.is_finite() && vol >= 0.0));
    }

    #[test]
    fn no_house_number_panics(raw in any::<[i64; 5]>(), shift in any::<[u8; 5]>(), right in rights()) {
        // Shifted so that small numbers are met as often as huge ones.
        let [a, b, c, seconds, e]: [i64; 5] = std::array::from_fn(|i| raw[i] >> (shift[i] % 64));
        let (forward, strike, ratio, discount) =
            (Price::from_raw(a), Price::from_raw(b), Ratio::from_raw(c), Ratio::from_raw(e));
        for rounding in [Rounding::Floor, Rounding::Ceil, Rounding::HalfUp] {
            let value = price(right, forward, strike, ratio, seconds, discount, rounding);
            prop_assert!(value.is_none_or(|v| !v.is_negative()));
        }
        let _ = delta(right, forward, strike, ratio, seconds);
        let _ = implied_vol(right, forward, strike, Price::from_raw(c), seconds, discount);
    }
}
