//! What a nonce counts, and so which moment it names, in either generation of the protocol.

use super::ids::Nonce;
use super::time::Nanos;
use std::ops::RangeInclusive;

/// What one unit of a nonce means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum NonceUnit {
    /// Unix nanoseconds (v3; coarser scales are refused).
    #[default]
    Nanos,
    /// Unix milliseconds followed by three digits (v2).
    MillisAndThreeDigits,
}

impl NonceUnit {
    /// Nanoseconds between one nonce and the next.
    pub const fn ns(self) -> u64 {
        match self {
            NonceUnit::Nanos => 1,
            NonceUnit::MillisAndThreeDigits => 1_000,
        }
    }

    /// Digits of every nonce from 2001 to 2262.
    pub const fn digits(self) -> usize {
        match self {
            NonceUnit::Nanos => 19,
            NonceUnit::MillisAndThreeDigits => 16,
        }
    }

    /// The first and last nonce of that many digits.
    pub const fn range(self) -> RangeInclusive<u64> {
        match self {
            NonceUnit::Nanos => 1_000_000_000_000_000_000..=9_999_999_999_999_999_999,
            NonceUnit::MillisAndThreeDigits => 1_000_000_000_000_000..=9_999_999_999_999_999,
        }
    }

    /// The first nonce of a moment.
    pub const fn first_of(self, at: Nanos) -> Nonce {
        Nonce(at.0 / self.ns())
    }

    /// The moment of a nonce.
    pub const fn moment(self, nonce: Nonce) -> Nanos {
        Nanos(nonce.0.saturating_mul(self.ns()))
    }

    /// True if a nonce can have been spent in this unit; zero, for none, can.
    pub fn counts(self, nonce: Nonce) -> bool {
        nonce.0 == 0 || self.range().contains(&nonce.0)
    }
}
