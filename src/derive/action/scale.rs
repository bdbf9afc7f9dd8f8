//! A decimal as it is signed: scaled by 1e18, never finer than the protocol's own 1e-12.

use std::fmt;

use crate::base::num::{Amount, Cash, E9, NumError, Price};
use crate::derive::dialect::Word;

use super::words;

/// The smallest signed step: words that are no multiple of it are refused by the venue, not truncated.
pub const GRAIN: i128 = 1_000_000;

/// Why a value cannot be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScaleError {
    /// More than twelve decimals.
    TooFine,
    /// Below zero where the layout is unsigned.
    Negative,
    /// Not a plain decimal, or beyond the accepted magnitude.
    Text(NumError),
}

impl fmt::Display for ScaleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ScaleError::TooFine => f.write_str("more than 12 decimals: the venue refuses such a value"),
            ScaleError::Negative => f.write_str("negative where only zero or more can be signed"),
            ScaleError::Text(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ScaleError {}

/// A decimal scaled by 1e18 with at most twelve decimals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Decimal18(i128);

impl Decimal18 {
    /// Zero.
    pub const ZERO: Decimal18 = Decimal18(0);

    /// From the raw 1e18-scaled integer.
    pub const fn from_raw(raw: i128) -> Result<Decimal18, ScaleError> {
        if raw % GRAIN == 0 { Ok(Decimal18(raw)) } else { Err(ScaleError::TooFine) }
    }

    /// From a plain decimal text.
    pub fn parse(text: &[u8]) -> Result<Decimal18, ScaleError> {
        Decimal18::from_raw(Cash::parse(text).map_err(ScaleError::Text)?.raw())
    }

    /// The raw 1e18-scaled integer.
    pub const fn raw(self) -> i128 {
        self.0
    }

    /// As an `int256` word.
    pub fn signed(self) -> Word {
        words::int(self.0)
    }

    /// As a `uint256` word.
    pub fn unsigned(self) -> Result<Word, ScaleError> {
        u128::try_from(self.0).map(words::uint).map_err(|_| ScaleError::Negative)
    }
}

impl From<Price> for Decimal18 {
    fn from(price: Price) -> Decimal18 {
        Decimal18(price.raw() as i128 * E9 as i128)
    }
}

impl From<Amount> for Decimal18 {
    fn from(amount: Amount) -> Decimal18 {
        Decimal18(amount.raw() as i128 * E9 as i128)
    }
}

impl TryFrom<Cash> for Decimal18 {
    type Error = ScaleError;
    fn try_from(cash: Cash) -> Result<Decimal18, ScaleError> {
        Decimal18::from_raw(cash.raw())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twelve_decimals_are_signed_and_the_thirteenth_is_refused() {
        for (text, want) in [
            ("1.5", Ok(1_500_000_000_000_000_000)),
            ("-4", Ok(-4_000_000_000_000_000_000)),
            ("0.000000000001", Ok(GRAIN)),
            ("0.0000000000010", Ok(GRAIN)),
            ("0.0000000000001", Err(ScaleError::TooFine)),
            ("1e3", Err(ScaleError::Text(NumError::Malformed))),
            ("", Err(ScaleError::Text(NumError::Malformed))),
        ] {
            assert_eq!(Decimal18::parse(text.as_bytes()).map(Decimal18::raw), want, "{text}");
        }
        assert_eq!(Decimal18::from(Price::whole(2)), Decimal18(2 * crate::base::num::E18));
        assert_eq!(Decimal18(-GRAIN).unsigned(), Err(ScaleError::Negative));
        assert_eq!(Decimal18::try_from(Cash::from_raw(1)), Err(ScaleError::TooFine));
    }
}
