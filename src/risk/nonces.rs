//! Nonces: the venue's clock in the dialect's unit, strictly increasing across restarts and clock steps.
//!
//! v3 counts unix nanoseconds. v2 wants unix milliseconds and three digits, any three: ours are the microseconds, so that
//! nonces keep the order of time in both.

use std::fmt;

use crate::base::buggify::{Place, bends};
use crate::base::ids::Nonce;
pub use crate::base::nonce_unit::NonceUnit;
use crate::base::time::{MS, Nanos, SEC};

/// Most our clock may differ from the venue's for a nonce to be spent.
pub const CLOCK_DIFFERENCE_NS_MAX: u64 = SEC;
/// Most a nonce may lie ahead of the venue's clock: bursts use one nanosecond each, so this is never met honestly.
pub const AHEAD_NS_MAX: u64 = SEC;

/// Why no nonce is spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NonceRefusal {
    /// The venue's clock has not been read yet.
    Unsynced,
    /// Our clock and the venue's differ by more than [`CLOCK_DIFFERENCE_NS_MAX`].
    ClocksDiffer {
        /// Venue clock minus ours.
        offset_ns: i64,
    },
    /// The next nonce would lie further ahead of the venue's clock than [`AHEAD_NS_MAX`]: an earlier run, or this one
    /// before its clock stepped back, spent nonces from the future. Wait until the venue's clock has caught up.
    Ahead {
        /// How far.
        ahead_ns: u64,
    },
}

impl fmt::Display for NonceRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NonceRefusal::Unsynced => f.write_str("the venue's clock has not been read yet"),
            NonceRefusal::ClocksDiffer { offset_ns } => {
                write!(
                    f,
                    "our clock is {} ms off the venue's, at most 1000 allowed: discipline it",
                    -offset_ns / 1_000_000
                )
            }
            NonceRefusal::Ahead { ahead_ns } => {
                write!(
                    f,
                    "nonces already spent lie {} ms ahead of the venue's clock: wait or check the clock",
                    ahead_ns / 1_000_000
                )
            }
        }
    }
}

impl std::error::Error for NonceRefusal {}

/// The one source of nonces of a signing wallet.
#[derive(Clone, Copy, Debug, Hash)]
pub struct NonceSource {
    unit: NonceUnit,
    last: Nonce,
    offset_ns: Option<i64>,
}

impl NonceSource {
    /// Continues above `floor`, the highest nonce any earlier run may have spent; zero if there was none.
    pub fn above(floor: Nonce) -> NonceSource {
        NonceSource { unit: NonceUnit::default(), last: floor, offset_ns: None }
    }

    /// The same in another unit.
    pub fn counting(self, unit: NonceUnit) -> NonceSource {
        NonceSource { unit, ..self }
    }

    /// Notes a measurement of the venue's clock minus ours.
    pub fn sync(&mut self, offset_ns: i64) {
        self.offset_ns = Some(offset_ns);
    }

    /// Spends the next nonce at our moment `at`.
    pub fn next(&mut self, at: Nanos) -> Result<Nonce, NonceRefusal> {
        let offset_ns = self.offset_ns.ok_or(NonceRefusal::Unsynced)?;
        if offset_ns.unsigned_abs() > CLOCK_DIFFERENCE_NS_MAX {
            return Err(NonceRefusal::ClocksDiffer { offset_ns });
        }
        let venue = self.unit.first_of(at.shifted(offset_ns)).0;
        let next = self.last.0.saturating_add(1).max(venue);
        let next = if bends(Place::NonceSkips) { next.saturating_add(MS / self.unit.ns()) } else { next };
        let ahead_ns = (next - venue).saturating_mul(self.unit.ns());
        if ahead_ns > AHEAD_NS_MAX {
            return Err(NonceRefusal::Ahead { ahead_ns });
        }
        self.last = Nonce(next);
        Ok(self.last)
    }

    /// The highest nonce spent so far, or the floor: what the next run must start above.
    pub fn last(&self) -> Nonce {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: u64 = 1_763_683_200_000_000_000;

    #[test]
    fn nonces_follow_the_venue_clock_and_never_repeat() {
        let mut source = NonceSource::above(Nonce(0));
        assert_eq!(source.next(Nanos(NOW)), Err(NonceRefusal::Unsynced));
        source.sync(5_000_000);
        assert_eq!(source.next(Nanos(NOW)), Ok(Nonce(NOW + 5_000_000)));
        assert_eq!(source.next(Nanos(NOW)), Ok(Nonce(NOW + 5_000_001)));
        assert_eq!(source.next(Nanos(NOW - 1000)), Ok(Nonce(NOW + 5_000_002)), "our clock stepped back");
        assert_eq!(source.next(Nanos(NOW + SEC)), Ok(Nonce(NOW + SEC + 5_000_000)));
    }

    #[test]
    fn v2_counts_milliseconds_and_three_digits() {
        let unit = NonceUnit::MillisAndThreeDigits;
        let mut source = NonceSource::above(Nonce(0)).counting(unit);
        source.sync(0);
        let first = NOW / 1_000;
        assert_eq!(source.next(Nanos(NOW)), Ok(Nonce(first)));
        assert_eq!(source.next(Nanos(NOW + 999)), Ok(Nonce(first + 1)), "twice in a microsecond");
        assert_eq!(source.next(Nanos(NOW + 7_000_123)), Ok(Nonce(first + 7_000)));
        assert!(unit.range().contains(&first) && first.to_string().len() == unit.digits());
        assert_eq!(unit.moment(Nonce(first)), Nanos(NOW));
        let mut later = NonceSource::above(Nonce(first + 7_000)).counting(unit);
        later.sync(0);
        assert_eq!(later.next(Nanos(NOW)), Ok(Nonce(first + 7_001)), "a restart continues above the floor");
        let mut far = NonceSource::above(Nonce(first + 3_000_000)).counting(unit);
        far.sync(0);
        assert_eq!(far.next(Nanos(NOW)), Err(NonceRefusal::Ahead { ahead_ns: 3 * SEC + 1_000 }));
        assert!(unit.counts(Nonce(0)) && unit.counts(Nonce(first)) && !unit.counts(Nonce(NOW)));
        assert!(NonceUnit::Nanos.counts(Nonce(NOW)) && !NonceUnit::Nanos.counts(Nonce(first)));
    }

    #[test]
    fn a_restart_continues_above_the_floor() {
        let mut source = NonceSource::above(Nonce(NOW + 7));
        source.sync(0);
        assert_eq!(source.next(Nanos(NOW)), Ok(Nonce(NOW + 8)));
        assert_eq!(source.last(), Nonce(NOW + 8));
    }

    #[test]
    fn clocks_that_differ_and_floors_from_the_future_spend_nothing() {
        let mut source = NonceSource::above(Nonce(NOW + 3 * SEC));
        source.sync(1_000_000_001);
        assert_eq!(source.next(Nanos(NOW)), Err(NonceRefusal::ClocksDiffer { offset_ns: 1_000_000_001 }));
        source.sync(-1_000_000_001);
        assert_eq!(source.next(Nanos(NOW)), Err(NonceRefusal::ClocksDiffer { offset_ns: -1_000_000_001 }));
        source.sync(0);
        assert_eq!(source.next(Nanos(NOW)), Err(NonceRefusal::Ahead { ahead_ns: 3 * SEC + 1 }));
        assert_eq!(source.last(), Nonce(NOW + 3 * SEC));
        assert_eq!(source.next(Nanos(NOW + 2 * SEC + 1)), Ok(Nonce(NOW + 3 * SEC + 1)), "caught up");
        let mut spent = NonceSource::above(Nonce(u64::MAX));
        spent.sync(0);
        assert!(spent.next(Nanos(NOW)).is_err());
    }

    proptest! {
        #[test]
        fn strictly_increasing_and_near_venue_time(
            wide in any::<bool>(),
            floor in 0u64..NOW + 2 * SEC,
            steps in proptest::collection::vec((-2_000_000_000i64..2_000_000_000, -1_200_000_000i64..1_200_000_000), 1..60),
        ) {
            let unit = if wide { NonceUnit::Nanos } else { NonceUnit::MillisAndThreeDigits };
            let floor = floor / unit.ns();
            let mut source = NonceSource::above(Nonce(floor)).counting(unit);
            let (mut at, mut last) = (NOW, floor);
            for (step, offset) in steps {
                at = at.saturating_add_signed(step);
                source.sync(offset);
                if let Ok(nonce) = source.next(Nanos(at)) {
                    prop_assert!(nonce.0 > last);
                    prop_assert!(unit.moment(nonce).0 <= at.saturating_add_signed(offset) + AHEAD_NS_MAX);
                    prop_assert!(offset.unsigned_abs() <= CLOCK_DIFFERENCE_NS_MAX);
                    last = nonce.0;
                }
            }
        }
    }
}
