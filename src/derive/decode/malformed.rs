//! Why a frame was refused, as a small value, and how often.

use std::fmt;

/// Why a frame was refused. A refused frame changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Malformed {
    /// Longer than [`super::FRAME_MAX`].
    TooLarge,
    /// Not JSON, nested too deeply, or followed by more.
    Json,
    /// A value of another type than documented, or result and error together, or neither.
    Shape,
    /// A field we need is missing.
    Missing,
    /// A field we need is there twice.
    Duplicate,
    /// Not a plain decimal, too precise, or too large.
    Number,
    /// Below zero, or zero where that has no meaning.
    Range,
    /// Bid above ask, or the band's low above its high.
    Crossed,
    /// Levels not best first.
    Unsorted,
    /// More levels, legs or rows than any frame of the venue has.
    Count,
    /// A timestamp that is not unix milliseconds of this century.
    Time,
    /// A channel we do not know.
    Channel,
    /// A channel or row of an instrument, currency or symbol that is not in the table.
    Name,
    /// A row of another subaccount than its channel's.
    Subaccount,
    /// An enumerated word we do not know.
    Word,
    /// An identifier that is not one: UUID, nonce, or a reply to nothing we asked.
    Id,
    /// Filled more than the order's amount.
    Overfill,
}

/// Every reason, in counting order, with its name for metrics.
pub const REASONS: [(Malformed, &str); 17] = [
    (Malformed::TooLarge, "too_large"),
    (Malformed::Json, "json"),
    (Malformed::Shape, "shape"),
    (Malformed::Missing, "missing"),
    (Malformed::Duplicate, "duplicate"),
    (Malformed::Number, "number"),
    (Malformed::Range, "range"),
    (Malformed::Crossed, "crossed"),
    (Malformed::Unsorted, "unsorted"),
    (Malformed::Count, "count"),
    (Malformed::Time, "time"),
    (Malformed::Channel, "channel"),
    (Malformed::Name, "name"),
    (Malformed::Subaccount, "subaccount"),
    (Malformed::Word, "word"),
    (Malformed::Id, "id"),
    (Malformed::Overfill, "overfill"),
];

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REASONS[*self as usize].1)
    }
}

impl std::error::Error for Malformed {}

/// Refused frames by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Refusals([u64; REASONS.len()]);

impl Refusals {
    /// Notes one.
    pub fn note(&mut self, why: Malformed) {
        self.0[why as usize] += 1;
    }

    /// Frames refused for one reason.
    pub fn of(&self, why: Malformed) -> u64 {
        self.0[why as usize]
    }

    /// Frames refused in all.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

/// Marks fields as they come and refuses the second coming.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen(u32);

impl Seen {
    #[inline]
    pub(super) fn once(&mut self, bit: u32) -> Result<(), Malformed> {
        let before = self.0;
        self.0 |= 1 << bit;
        if before == self.0 { Err(Malformed::Duplicate) } else { Ok(()) }
    }

    /// Refuses unless every bit below `count` has come.
    #[inline]
    pub(super) fn all(self, count: u32) -> Result<(), Malformed> {
        let want = (1 << count) - 1;
        if self.0 & want == want { Ok(()) } else { Err(Malformed::Missing) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_counted_apart() {
        let mut refusals = Refusals::default();
        for (place, (why, name)) in REASONS.into_iter().enumerate() {
            assert_eq!(why as usize, place);
            assert_eq!(why.to_string(), name);
            refusals.note(why);
        }
        refusals.note(Malformed::Time);
        assert_eq!((refusals.of(Malformed::Time), refusals.total()), (2, 18));
    }
}
