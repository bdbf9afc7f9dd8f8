//! What a schema needs from JSON, whether it is scanned in place or read from a parsed tape.

use super::Malformed;
use crate::base::ids::{Side, Uuid};
use crate::base::num::{Amount, Cash, Price};
use crate::base::time::{MS, Nanos};
use crate::derive::request_id::parse_u64;

/// A cursor on one JSON value. Reading a value moves behind it; a clone remembers the place.
pub(super) trait Source<'f>: Clone {
    /// Reads an object, handing each key to `on` with the cursor on its value; `on` must read or skip it.
    fn object(&mut self, on: impl FnMut(&'f [u8], &mut Self) -> Result<(), Malformed>) -> Result<(), Malformed>;

    /// Reads an array, calling `on` with the cursor on each element; `on` must read or skip it.
    fn array(&mut self, on: impl FnMut(&mut Self) -> Result<(), Malformed>) -> Result<(), Malformed>;

    /// Reads a string.
    fn string(&mut self) -> Result<&'f [u8], Malformed>;

    /// Reads an integer.
    fn int(&mut self) -> Result<i128, Malformed>;

    /// Reads `true` or `false`.
    fn flag(&mut self) -> Result<bool, Malformed>;

    /// Reads a `null` if there is one.
    fn null(&mut self) -> bool;

    /// True if the cursor is on a string.
    fn is_string(&self) -> bool;

    /// Steps over any value.
    fn skip(&mut self) -> Result<(), Malformed>;

    /// Reads a decimal string as a 1e-9 integer, refusing digits the scale cannot hold.
    fn exact(&mut self) -> Result<i64, Malformed> {
        Price::parse(self.string()?).map(Price::raw).map_err(|_| Malformed::Number)
    }

    /// Reads a decimal string as a 1e-9 integer, dropping further digits towards zero.
    fn observed(&mut self) -> Result<i64, Malformed> {
        Price::observed(self.string()?).map(Price::raw).map_err(|_| Malformed::Number)
    }

    /// Reads a price that may be zero but not negative.
    fn price(&mut self) -> Result<Price, Malformed> {
        self.exact().and_then(not_negative).map(Price::from_raw)
    }

    /// Reads a mark, index or band: further digits dropped, not negative.
    fn mark(&mut self) -> Result<Price, Malformed> {
        self.observed().and_then(not_negative).map(Price::from_raw)
    }

    /// Reads an amount that may be zero but not negative.
    fn amount(&mut self) -> Result<Amount, Malformed> {
        self.exact().and_then(not_negative).map(Amount::from_raw)
    }

    /// Reads cash, dropping digits beyond 1e-18.
    fn cash(&mut self) -> Result<Cash, Malformed> {
        Cash::observed(self.string()?).map_err(|_| Malformed::Number)
    }

    /// Reads an unsigned integer.
    fn uint(&mut self) -> Result<u64, Malformed> {
        u64::try_from(self.int()?).map_err(|_| Malformed::Range)
    }

    /// Reads unix milliseconds of this century.
    fn millis(&mut self) -> Result<Nanos, Malformed> {
        let ms = self.uint().map_err(|_| Malformed::Time)?;
        if MILLIS.contains(&ms) { Ok(Nanos(ms * MS)) } else { Err(Malformed::Time) }
    }

    /// Reads a UUID.
    fn uuid(&mut self) -> Result<Uuid, Malformed> {
        Uuid::parse(self.string()?).ok_or(Malformed::Id)
    }

    /// Reads a nonce: decimal text, or a plain number as v2 writes it.
    fn nonce(&mut self) -> Result<u64, Malformed> {
        if self.is_string() { parse_u64(self.string()?).ok_or(Malformed::Id) } else { self.uint() }
    }

    /// Reads `buy` or `sell`.
    fn side(&mut self) -> Result<Side, Malformed> {
        match self.string()? {
            b"buy" => Ok(Side::Buy),
            b"sell" => Ok(Side::Sell),
            _ => Err(Malformed::Word),
        }
    }
}

/// From 2001 to 2100: seconds, microseconds and nanoseconds fall outside.
const MILLIS: std::ops::Range<u64> = 1_000_000_000_000..4_102_444_800_000;

#[inline]
fn not_negative(raw: i64) -> Result<i64, Malformed> {
    if raw < 0 { Err(Malformed::Range) } else { Ok(raw) }
}
