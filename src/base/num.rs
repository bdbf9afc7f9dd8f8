//! Fixed-point numbers with dimensions: price, amount, ratio (all 1e-9) and cash (1e-18).
//!
//! A price times an amount is cash, exactly. Every operation that can lose a digit names its [`Rounding`]. Sums
//! saturate far beyond what the wire may say: a hostile number is refused by the limits, and stops nothing.
//! Nothing here touches floating point; option mathematics lives in `market`.

use std::fmt;

/// Units of one whole in the 1e-9 scale.
pub const E9: i64 = 1_000_000_000;
/// Units of one whole in the 1e-18 scale.
pub const E18: i128 = 1_000_000_000_000_000_000;
/// Largest magnitude accepted from outside, in whole units. Keeps price × amount far inside `i128`.
pub const WIRE_MAX: i64 = 1_000_000_000;

/// Direction of a rounding, towards infinities or to the nearest unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// Towards minus infinity.
    Floor,
    /// Towards plus infinity.
    Ceil,
    /// To the nearest; halves go up (towards plus infinity).
    HalfUp,
}

/// Why a decimal text is not a number we accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumError {
    /// Empty, a sign without digits, two points, an exponent, or any other byte.
    Malformed,
    /// More than nine decimals where an exact value is required.
    TooPrecise,
    /// Magnitude above [`WIRE_MAX`] (or the wider cash limit).
    TooLarge,
}

impl fmt::Display for NumError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NumError::Malformed => "not a plain decimal number",
            NumError::TooPrecise => "more decimals than allowed",
            NumError::TooLarge => "magnitude too large",
        })
    }
}

impl std::error::Error for NumError {}

/// Bound of a narrow result: far beyond [`WIRE_MAX`], and eight of them still add up inside `i64`.
const NARROW_MAX: i128 = i64::MAX as i128 / 8;

/// A wide result as a narrow one. Saturates: absurd inputs give an absurd number that every limit refuses, never a
/// plausible one by wrapping.
const fn narrow(value: i128) -> i64 {
    if value > NARROW_MAX {
        NARROW_MAX as i64
    } else if value < -NARROW_MAX {
        -(NARROW_MAX as i64)
    } else {
        value as i64
    }
}

/// `a / b` rounded as told; `b` must be positive.
pub const fn div_round(a: i128, b: i128, rounding: Rounding) -> i128 {
    debug_assert!(b > 0);
    match rounding {
        Rounding::Floor => a.div_euclid(b),
        Rounding::Ceil => -(a.saturating_neg().div_euclid(b)),
        Rounding::HalfUp => a.saturating_add(b / 2).div_euclid(b),
    }
}

/// Parses `[-]digits[.digits]` into an integer of `decimals` decimals.
///
/// Digits beyond `decimals` are dropped towards zero when `exact` is false and refused when it is true
/// (unless they are zeros). `limit` bounds the magnitude of the result. `.5`, `5.`, `1e3` and `+1` are refused.
fn parse_scaled(text: &[u8], decimals: u32, exact: bool, limit: i128) -> Result<i128, NumError> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut value: i128 = 0;
    let mut fraction: Option<u32> = None;
    let mut whole_digits = 0u32;
    for &byte in digits {
        match byte {
            b'0'..=b'9' => match fraction {
                Some(seen) if seen >= decimals => {
                    if exact && byte != b'0' {
                        return Err(NumError::TooPrecise);
                    }
                    fraction = Some(seen.saturating_add(1));
                }
                _ => {
                    value = value * 10 + i128::from(byte - b'0');
                    if value > limit {
                        return Err(NumError::TooLarge);
                    }
                    match &mut fraction {
                        Some(seen) => *seen += 1,
                        None => whole_digits += 1,
                    }
                }
            },
            b'.' if fraction.is_none() && whole_digits > 0 => fraction = Some(0),
            _ => return Err(NumError::Malformed),
        }
    }
    if whole_digits == 0 || fraction == Some(0) {
        return Err(NumError::Malformed);
    }
    let missing = decimals.saturating_sub(fraction.unwrap_or(0));
    let value = value.checked_mul(10i128.pow(missing)).filter(|v| *v <= limit).ok_or(NumError::TooLarge)?;
    Ok(if negative { -value } else { value })
}

/// Writes `value` (an integer of `decimals` decimals) as a plain decimal, trailing zeros dropped.
/// Returns the number of bytes written; `out` must hold 48 bytes.
fn write_scaled(value: i128, decimals: usize, out: &mut [u8]) -> usize {
    let mut at = 0;
    if value < 0 {
        out[0] = b'-';
        at = 1;
    }
    let unit = 10u128.pow(decimals as u32);
    let magnitude = value.unsigned_abs();
    let mut buffer = itoa::Buffer::new();
    let whole = buffer.format(magnitude / unit);
    out[at..at + whole.len()].copy_from_slice(whole.as_bytes());
    at += whole.len();
    let mut fraction = magnitude % unit;
    if fraction > 0 {
        out[at] = b'.';
        let start = at + 1;
        for place in (0..decimals).rev() {
            out[start + place] = b'0' + (fraction % 10) as u8;
            fraction /= 10;
        }
        at = start + decimals;
        while out[at - 1] == b'0' {
            at -= 1;
        }
    }
    at
}

macro_rules! fixed {
    ($(#[$doc:meta])* $name:ident, $repr:ty, $unit:expr, $decimals:expr, $limit:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name($repr);

        impl $name {
            /// Zero.
            pub const ZERO: $name = $name(0);
            /// One whole unit.
            pub const ONE: $name = $name($unit);

            /// From the raw scaled integer.
            pub const fn from_raw(raw: $repr) -> $name { $name(raw) }
            /// The raw scaled integer.
            pub const fn raw(self) -> $repr { self.0 }
            /// From whole units.
            pub const fn whole(units: i64) -> $name { $name(units as $repr * $unit) }
            /// Parses a plain decimal; refuses digits the scale cannot hold.
            pub fn parse(text: &[u8]) -> Result<$name, NumError> {
                parse_scaled(text, $decimals, true, $limit).map(|v| $name(v as $repr))
            }
            /// Parses an observed value (mark, index, greek): digits beyond the scale are dropped towards zero.
            pub fn observed(text: &[u8]) -> Result<$name, NumError> {
                parse_scaled(text, $decimals, false, $limit).map(|v| $name(v as $repr))
            }
            /// Writes the plain decimal into `out` (48 bytes at least) and returns its length.
            pub fn write(self, out: &mut [u8]) -> usize { write_scaled(self.0 as i128, $decimals, out) }
            /// Magnitude.
            pub const fn abs(self) -> $name { $name(self.0.saturating_abs()) }
            /// True above zero.
            pub const fn is_positive(self) -> bool { self.0 > 0 }
            /// True below zero.
            pub const fn is_negative(self) -> bool { self.0 < 0 }
            /// True at zero.
            pub const fn is_zero(self) -> bool { self.0 == 0 }
            /// Times a dimensionless ratio.
            pub const fn scale(self, ratio: Ratio, rounding: Rounding) -> $name {
                let wide = scale_raw(self.0 as i128, ratio, rounding);
                $name(if <$repr>::BITS == 64 { narrow(wide) as $repr } else { wide as $repr })
            }
            /// As a float, for display and statistics only.
            pub fn to_f64(self) -> f64 { self.0 as f64 / $unit as f64 }
        }

        impl std::ops::Add for $name {
            type Output = $name;
            fn add(self, other: $name) -> $name { $name(self.0.saturating_add(other.0)) }
        }
        impl std::ops::Sub for $name {
            type Output = $name;
            fn sub(self, other: $name) -> $name { $name(self.0.saturating_sub(other.0)) }
        }
        impl std::ops::Neg for $name {
            type Output = $name;
            fn neg(self) -> $name { $name(self.0.saturating_neg()) }
        }
        impl std::ops::AddAssign for $name {
            fn add_assign(&mut self, other: $name) { *self = *self + other; }
        }
        impl std::ops::SubAssign for $name {
            fn sub_assign(&mut self, other: $name) { *self = *self - other; }
        }
        impl std::iter::Sum for $name {
            fn sum<I: Iterator<Item = $name>>(items: I) -> $name {
                items.fold($name::ZERO, |a, b| a + b)
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut buffer = [0u8; 64];
                let len = self.write(&mut buffer);
                let text = std::str::from_utf8(&buffer[..len]).map_err(|_| fmt::Error)?;
                f.pad(text)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { fmt::Display::fmt(self, f) }
        }
        impl std::str::FromStr for $name {
            type Err = NumError;
            fn from_str(text: &str) -> Result<$name, NumError> { $name::parse(text.as_bytes()) }
        }
    };
}

const fn scale_raw(raw: i128, ratio: Ratio, rounding: Rounding) -> i128 {
    match raw.checked_mul(ratio.0 as i128) {
        Some(product) => div_round(product, E9 as i128, rounding),
        // Beyond 1e20 in cash: the last nine digits no longer matter.
        None => div_round(raw, E9 as i128, rounding).saturating_mul(ratio.0 as i128),
    }
}

const NARROW_LIMIT: i128 = WIRE_MAX as i128 * E9 as i128;

fixed!(
    /// Quote currency per unit of base, 1e-9.
    Price, i64, E9, 9, NARROW_LIMIT
);
fixed!(
    /// Quantity of an instrument or asset in base units, 1e-9; negative is short.
    Amount, i64, E9, 9, NARROW_LIMIT
);
fixed!(
    /// A dimensionless number (leverage, delta, rate, price ratio), 1e-9.
    Ratio, i64, E9, 9, NARROW_LIMIT
);
fixed!(
    /// Quote currency, 1e-18: the exact product of a price and an amount.
    Cash, i128, E18, 18, E18 * 1_000_000_000_000
);

impl Price {
    /// Price × amount, exactly.
    pub const fn times(self, amount: Amount) -> Cash {
        Cash(self.0 as i128 * amount.0 as i128)
    }

    /// `self / other` as a ratio; `other` must be positive.
    pub const fn over(self, other: Price, rounding: Rounding) -> Ratio {
        Ratio(narrow(div_round(self.0 as i128 * E9 as i128, other.0 as i128, rounding)))
    }

    /// Rounded to a multiple of `tick`, which must be positive.
    pub const fn to_tick(self, tick: Price, rounding: Rounding) -> Price {
        Price(narrow(div_round(self.0 as i128, tick.0 as i128, rounding) * tick.0 as i128))
    }

    /// True if a whole number of ticks.
    pub const fn on_tick(self, tick: Price) -> bool {
        tick.0 > 0 && self.0 % tick.0 == 0
    }
}

impl Amount {
    /// `self / other` as a ratio; `other` must be positive.
    pub const fn over(self, other: Amount, rounding: Rounding) -> Ratio {
        Ratio(narrow(div_round(self.0 as i128 * E9 as i128, other.0 as i128, rounding)))
    }

    /// Divided by a positive ratio.
    pub const fn unscale(self, ratio: Ratio, rounding: Rounding) -> Amount {
        Amount(narrow(div_round(self.0 as i128 * E9 as i128, ratio.0 as i128, rounding)))
    }

    /// Rounded to a multiple of `step`, which must be positive.
    pub const fn to_step(self, step: Amount, rounding: Rounding) -> Amount {
        Amount(narrow(div_round(self.0 as i128, step.0 as i128, rounding) * step.0 as i128))
    }

    /// True if a whole number of steps.
    pub const fn on_step(self, step: Amount) -> bool {
        step.0 > 0 && self.0 % step.0 == 0
    }
}

impl Cash {
    /// Cash divided by a positive price: an amount.
    pub const fn over_price(self, price: Price, rounding: Rounding) -> Amount {
        Amount(narrow(div_round(self.0, price.0 as i128, rounding)))
    }

    /// `self / other` as a ratio, to nine decimals; `other` must be positive.
    pub const fn over(self, other: Cash, rounding: Rounding) -> Ratio {
        // 1e18 / 1e9: divide the denominator first so the numerator cannot overflow.
        Ratio(narrow(div_round(self.0, div_round(other.0, E9 as i128, Rounding::Ceil), rounding)))
    }
}

impl Ratio {
    /// From basis points.
    pub const fn from_bps(bps: i64) -> Ratio {
        Ratio(bps * (E9 / 10_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parses_what_the_venue_writes_and_refuses_the_rest() {
        let table: [(&str, Result<i64, NumError>); 20] = [
            ("0", Ok(0)),
            ("1", Ok(E9)),
            ("-0.5", Ok(-500_000_000)),
            ("2568.424787416", Ok(2_568_424_787_416)),
            ("0.000000001", Ok(1)),
            ("1.0000000000", Ok(E9)),
            ("00", Ok(0)),
            ("2568.424787416985", Err(NumError::TooPrecise)),
            ("", Err(NumError::Malformed)),
            ("-", Err(NumError::Malformed)),
            (".5", Err(NumError::Malformed)),
            ("5.", Err(NumError::Malformed)),
            ("1e5", Err(NumError::Malformed)),
            ("+1", Err(NumError::Malformed)),
            ("1.2.3", Err(NumError::Malformed)),
            ("NaN", Err(NumError::Malformed)),
            (" 1", Err(NumError::Malformed)),
            ("1000000000", Ok(1_000_000_000 * E9)),
            ("1000000000.000000001", Err(NumError::TooLarge)),
            ("9999999999999999999999999999999999999999999", Err(NumError::TooLarge)),
        ];
        for (text, want) in table {
            assert_eq!(Price::parse(text.as_bytes()).map(Price::raw), want, "{text}");
        }
        assert_eq!(Price::observed(b"2568.424787416985").map(Price::raw), Ok(2_568_424_787_416));
        assert_eq!(Cash::parse(b"0.087052743622").map(Cash::raw), Ok(87_052_743_622_000_000));
    }

    #[test]
    fn rounds_as_named() {
        use Rounding::{Ceil, Floor, HalfUp};
        for (a, b, floor, ceil, half) in
            [(7, 2, 3, 4, 4), (-7, 2, -4, -3, -3), (6, 2, 3, 3, 3), (1, 3, 0, 1, 0), (-1, 3, -1, 0, 0)]
        {
            assert_eq!(div_round(a, b, Floor), floor);
            assert_eq!(div_round(a, b, Ceil), ceil);
            assert_eq!(div_round(a, b, HalfUp), half);
        }
        let tick = Price::from_raw(10_000_000);
        let price: Price = "1992.365".parse().expect("literal");
        assert_eq!(price.to_tick(tick, Floor).to_string(), "1992.36");
        assert_eq!(price.to_tick(tick, Ceil).to_string(), "1992.37");
        assert_eq!(price.to_tick(tick, HalfUp).to_string(), "1992.37");
    }

    proptest! {
        #[test]
        fn writing_then_parsing_is_identity(raw in -(NARROW_LIMIT as i64)..(NARROW_LIMIT as i64)) {
            let price = Price::from_raw(raw);
            prop_assert_eq!(price.to_string().parse::<Price>(), Ok(price));
        }

        #[test]
        fn cash_round_trips(raw in -(E18 * 1_000_000_000)..(E18 * 1_000_000_000)) {
            let cash = Cash::from_raw(raw);
            prop_assert_eq!(cash.to_string().parse::<Cash>(), Ok(cash));
        }

        /// The widest numbers the wire lets in, through every operation: no panic, and no sign lost by wrapping.
        #[test]
        fn nothing_from_the_wire_overflows(
            p in prop_oneof![Just(1i64), Just(NARROW_LIMIT as i64), 1i64..NARROW_LIMIT as i64],
            q in prop_oneof![Just(1i64), Just(NARROW_LIMIT as i64), 1i64..NARROW_LIMIT as i64],
            a in prop_oneof![Just(1i64), Just(NARROW_LIMIT as i64), 1i64..NARROW_LIMIT as i64],
            rounding in prop_oneof![Just(Rounding::Floor), Just(Rounding::Ceil), Just(Rounding::HalfUp)],
        ) {
            let (price, other, amount) = (Price::from_raw(p), Price::from_raw(q), Amount::from_raw(a));
            let ratio = Ratio::from_raw(q);
            let cash = price.times(amount);
            for value in [cash, -cash, cash + cash] {
                let scaled = value.scale(ratio, rounding);
                prop_assert!(scaled.is_zero() || scaled.is_negative() == value.is_negative() || a < 10 || p < 10);
            }
            prop_assert!(price.over(other, rounding) >= Ratio::ZERO);
            prop_assert!(amount.unscale(ratio, rounding) >= Amount::ZERO);
            prop_assert!(cash.over_price(other, rounding) >= Amount::ZERO);
            prop_assert!(cash.over(other.times(Amount::from_raw(1)), rounding) >= Ratio::ZERO);
            prop_assert!(price.scale(ratio, rounding) >= Price::ZERO);
            prop_assert!((0..100).map(|_| amount).sum::<Amount>().is_positive());
        }

        #[test]
        fn parser_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = Price::parse(&bytes);
            let _ = Cash::observed(&bytes);
        }

        #[test]
        fn product_and_quotient_agree(p in 1i64..1_000_000 * E9, a in -1_000_000 * E9..1_000_000 * E9) {
            let (price, amount) = (Price::from_raw(p), Amount::from_raw(a));
            prop_assert_eq!(price.times(amount).over_price(price, Rounding::Floor), amount);
        }
    }
}
