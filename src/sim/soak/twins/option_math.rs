//! Black-76 as the textbook has it, with the normal distribution summed up term by term: every option value that pricing
//! says must be what that makes of the ticker's own volatility, forward and discount.

use crate::base::ids::Right;
use crate::base::num::Ratio;
use crate::market::instrument::OptionTerms;
use crate::msg::{OptionPricing, Value};

/// Seconds of the venue's year.
const YEAR_S: f64 = 365.0 * 86_400.0;
/// Values have nine decimals; half of the last is rounding.
const ROUNDING: f64 = 2e-9;
/// Share of the forward that double precision may lose in either calculation.
const PRECISION: f64 = 1e-12;
/// Deviations beyond which nothing of the distribution is left to see.
const TAIL: f64 = 8.5;

/// The normal distribution: `½ + φ(x) · (x + x³/3 + x⁵/15 + …)`.
fn normal(x: f64) -> f64 {
    if x.abs() > TAIL {
        return if x > 0.0 { 1.0 } else { 0.0 };
    }
    let (mut term, mut sum, mut odd) = (x, x, 1.0);
    while term.abs() > 1e-18 * sum.abs() {
        odd += 2.0;
        term *= x * x / odd;
        sum += term;
    }
    0.5 + sum * (-x * x / 2.0).exp() / std::f64::consts::TAU.sqrt()
}

/// Discounted value, and delta of the undiscounted one.
fn black76(right: Right, [forward, strike, vol, years, discount]: [f64; 5]) -> (f64, f64) {
    let deviation = vol * years.sqrt();
    let d1 = ((forward / strike).ln() + deviation * deviation / 2.0) / deviation;
    let d2 = d1 - deviation;
    match right {
        Right::Call => (discount * (forward * normal(d1) - strike * normal(d2)), normal(d1)),
        Right::Put => (discount * (strike * normal(-d2) - forward * normal(-d1)), normal(d1) - 1.0),
    }
}

/// What a value says otherwise than the twin: `None` if it is of no option, or of one without time left.
pub fn compare(value: &Value, terms: &OptionTerms, told: &OptionPricing) -> Option<Result<(), String>> {
    let said = value.option?;
    let left_s = terms.expiry_s as f64 - value.priced_at.secs() as f64;
    if left_s <= 0.0 {
        return None;
    }
    let discount = if told.discount.is_positive() { told.discount } else { Ratio::ONE };
    if (said.mark_iv, said.forward, said.discount) != (told.mark_iv, told.forward, discount) {
        return Some(Err(format!("{said:?} rests on another ticker than {told:?}")));
    }
    let forward = told.forward.to_f64();
    let terms_f64 = [forward, terms.strike.to_f64(), told.mark_iv.to_f64(), left_s / YEAR_S, discount.to_f64()];
    let (fair, delta) = black76(terms.right, terms_f64);
    let off = (value.fair.to_f64() - fair).abs() > ROUNDING + PRECISION * forward;
    let steep = (said.delta.to_f64() - delta).abs() > ROUNDING;
    let differs = || format!("{terms:?} {told:?}: {} delta {}, the twin {fair} delta {delta}", value.fair, said.delta);
    Some(if off || steep { Err(differs()) } else { Ok(()) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::{Nanos, SEC};
    use crate::msg::OptionValue;

    /// Values of Abramowitz and Stegun, table 26.1.
    #[test]
    fn the_distribution_is_the_tables() {
        let table = [
            (0.0, 0.5),
            (0.5, 0.691_462_461_274_013),
            (1.0, 0.841_344_746_068_543),
            (2.0, 0.977_249_868_051_821),
            (3.0, 0.998_650_101_968_370),
        ];
        for (x, want) in table {
            assert!((normal(x) - want).abs() < 1e-15 && (normal(-x) - (1.0 - want)).abs() < 1e-15, "{x}");
        }
        assert_eq!((normal(40.0), normal(-40.0)), (1.0, 0.0));
    }

    /// σ 0.6, F 3000, K 3500, one week: price 3.338707777, delta 0.034865179.
    #[test]
    fn the_worked_example_agrees_and_its_neighbours_do_not() {
        let terms = OptionTerms { expiry_s: 1_604_800, strike: "3500".parse().expect("literal"), right: Right::Call };
        let told = OptionPricing {
            mark_iv: "0.6".parse().expect("literal"),
            forward: "3000".parse().expect("literal"),
            ..OptionPricing::default()
        };
        let say = |fair: &str, delta: &str| {
            let (mark_iv, forward) = (told.mark_iv, told.forward);
            let option = OptionValue { mark_iv, forward, discount: Ratio::ONE, delta: delta.parse().expect("literal") };
            let (fair, priced_at) = (fair.parse().expect("literal"), Nanos(1_000_000 * SEC));
            compare(&Value { fair, option: Some(option), priced_at, ..Value::default() }, &terms, &told)
        };
        assert_eq!(say("3.338707777", "0.034865180"), Some(Ok(())));
        for (fair, delta) in [("3.338707", "0.034865180"), ("3.338707777", "0.034866")] {
            assert!(say(fair, delta).is_some_and(|said| said.is_err()), "{fair} {delta}");
        }
    }
}
