//! Decimal arithmetic as the protocol does it: twelve decimals, truncated towards zero, e18 words on the wire.

use alloy_primitives::{I256, U256};
use rust_decimal::Decimal;
use serde_json::Value;

/// Fraction digits the protocol keeps (1e12 precision).
pub const DECIMALS: u32 = 12;
/// Fraction digits an e18 word keeps: v2 knows no other bound.
pub const DECIMALS_V2: u32 = 18;
/// Largest magnitude accepted from outside, so that its e18 word fits `i128`.
const WHOLE_MAX: i64 = 100_000_000_000_000;

/// Cut to twelve decimals towards zero.
pub fn truncate(value: Decimal) -> Decimal {
    value.trunc_with_scale(DECIMALS)
}

/// The plain decimal text of a value, without trailing zeros.
pub fn text(value: Decimal) -> String {
    if value.is_zero() { "0".to_string() } else { truncate(value).normalize().to_string() }
}

/// [`text`] as a JSON string.
pub fn json(value: Decimal) -> Value {
    Value::String(text(value))
}

/// Parses `[-]digits[.digits]` of at most twelve significant decimals; no exponent, no sign `+`, bounded magnitude.
pub fn parse(text: &str) -> Option<Decimal> {
    parse_within(text, DECIMALS)
}

/// [`parse`] with another bound on significant decimals.
pub fn parse_within(text: &str, decimals_max: u32) -> Option<Decimal> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let plain = |part: &str| !part.is_empty() && part.len() <= 40 && part.bytes().all(|b| b.is_ascii_digit());
    if !plain(whole) || !plain(fraction) {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > decimals_max as usize {
        return None;
    }
    let sign = if digits.len() < text.len() { "-" } else { "" };
    let value = Decimal::from_str_exact(&format!("{sign}{whole}.{fraction}0")).ok()?;
    (value.abs() <= Decimal::from(WHOLE_MAX)).then(|| value.normalize())
}

/// The value × 1e18 as a signed 256-bit word.
pub fn e18_signed(value: Decimal) -> I256 {
    let value = value.trunc_with_scale(DECIMALS_V2);
    let scale = 18 - value.scale().min(18);
    I256::try_from(value.mantissa()).unwrap_or(I256::ZERO) * I256::try_from(10i128.pow(scale)).unwrap_or(I256::ONE)
}

/// The value × 1e18 as an unsigned word; negative values have none.
pub fn e18(value: Decimal) -> Option<U256> {
    U256::try_from(e18_signed(value)).ok()
}

/// A signed e18 word as a value; words with digits below 1e-12 or beyond `i128` are refused, as the protocol does.
pub fn from_e18_signed(word: I256) -> Option<Decimal> {
    let raw = i128::try_from(word).ok()?;
    (raw % 1_000_000 == 0).then_some(())?;
    Decimal::try_from_i128_with_scale(raw / 1_000_000, DECIMALS).ok().map(|v| v.normalize())
}

/// An unsigned e18 word as a value.
pub fn from_e18(word: U256) -> Option<Decimal> {
    from_e18_signed(I256::try_from(word).ok()?)
}

/// True if `value` is a whole multiple of `step`.
pub fn multiple_of(value: Decimal, step: Decimal) -> bool {
    step.is_zero() || (value % step).is_zero()
}

/// Rounded down to a multiple of `step`.
pub fn floor_to(value: Decimal, step: Decimal) -> Decimal {
    (value / step).floor() * step
}

/// Rounded up to a multiple of `step`.
pub fn ceil_to(value: Decimal, step: Decimal) -> Decimal {
    (value / step).ceil() * step
}

/// A constant written as a plain decimal in the source.
pub fn constant(text: &str) -> Decimal {
    parse(text).unwrap_or_else(|| unreachable!("constant {text} is a plain decimal"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::str::FromStr;

    #[test]
    fn parse_takes_plain_decimals_of_twelve_places_only() {
        for good in ["0", "-1", "0.1", "1.000000000001", "2.5000000000000000", "100000000000000"] {
            assert!(parse(good).is_some(), "{good}");
        }
        for bad in ["", "-", ".5", "5.", "+1", "1e3", "0.0000000000001", "1_000", " 1", "1000000000000000", "NaN"] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn words_carry_the_value_times_e18() {
        assert_eq!(e18(constant("100")), Some(U256::from(100) * U256::from(10).pow(U256::from(18))));
        assert_eq!(e18(constant("-1")), None);
        assert_eq!(from_e18_signed(e18_signed(constant("-3.25"))), Some(constant("-3.25")));
        assert_eq!(from_e18(U256::from(1)), None, "below 1e-12 is refused, not truncated");
        assert_eq!(from_e18(U256::from(1_000_000)), Some(constant("0.000000000001")));
    }

    #[test]
    fn text_truncates_towards_zero() {
        assert_eq!(text(Decimal::from_str("0.08705274362250955").expect("number")), "0.087052743622");
        assert_eq!(text(Decimal::from_str("-0.0000000000009").expect("number")), "0");
        assert_eq!(text(Decimal::from_str("1.50").expect("number")), "1.5");
    }
}
