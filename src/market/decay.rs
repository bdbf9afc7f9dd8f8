//! Exponential decay in integers, so that a decayed limit is bit-equal on every host.

use crate::base::num::{E18, Ratio};

/// `e^-x` for `x ≥ 0` in 1e-18, accurate to about 1e-17; zero from `x = 42` on.
pub fn exp_neg(x: i128) -> i128 {
    debug_assert!(x >= 0);
    if x >= 42 * E18 {
        return 0;
    }
    // e^-x = (e^-(x/64))^64: the reduced argument is below 0.66 and the series converges in 20 terms.
    let reduced = x / 64;
    let mut term = E18;
    let mut sum = E18;
    for n in 1..=20 {
        term = -term * reduced / E18 / n;
        sum += term;
    }
    for _ in 0..6 {
        sum = sum * sum / E18;
    }
    sum
}

/// `value · e^(-lambda · dt)`, truncated towards zero. `lambda` is per second in 1e-18, `dt` in nanoseconds.
pub fn decayed(value: Ratio, lambda_e18: i128, dt_ns: u64) -> Ratio {
    if value.is_zero() {
        return value;
    }
    // Beyond a day the decay of any sensible lambda is complete; the cap keeps the product inside i128.
    let dt = i128::from(dt_ns.min(86_400_000_000_000));
    let exponent = (lambda_e18.min(E18) * dt) / 1_000_000_000;
    Ratio::from_raw((i128::from(value.raw()) * exp_neg(exponent) / E18) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_the_worked_half_lives() {
        // Strategy spec §5.4: lambda 0.0002/s gives e^-0.72 after an hour; D14: 0.1 halves each hour at 0.000192541.
        let hour = exp_neg(720_000_000_000_000_000);
        assert!((hour - 486_752_255_959_971_650).abs() < 1_000, "{hour}");
        let start = Ratio::from_raw(100_000_000);
        let after = |seconds: u64| decayed(start, 192_541_000_000_000, seconds * 1_000_000_000).raw();
        assert!((after(3_600) - 50_000_000).abs() < 30);
        assert!((after(7_200) - 25_000_000).abs() < 30);
        assert!((after(1_500) - 74_916_000).abs() < 20_000);
        assert_eq!(exp_neg(0), E18);
        assert_eq!(exp_neg(42 * E18), 0);
    }
}
