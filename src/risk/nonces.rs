//! Nonces that never repeat and never run ahead of the venue's clock.

use crate::base::ids::Nonce;
use crate::base::time::Nanos;

/// How far a nonce may lie ahead of venue time: room for bursts within one clock reading, far below the venue's hour.
const AHEAD_NS_MAX: u64 = 1_000_000;

/// One generator per signing wallet (Derive 11016–11018: unix ns, unique, near venue time).
#[derive(Clone, Copy, Debug)]
pub struct Nonces {
    last: u64,
}

impl Nonces {
    /// Continues above `floor`, the highest nonce the journal knows.
    pub fn above(floor: Nonce) -> Nonces {
        Nonces { last: floor.0 }
    }

    /// The next nonce at venue time `venue_at`, or none while the last one lies too far ahead of it (after a backward
    /// clock step, until time has caught up).
    pub fn next(&mut self, venue_at: Nanos) -> Option<Nonce> {
        let candidate = venue_at.0.max(self.last.saturating_add(1));
        if candidate > venue_at.0.saturating_add(AHEAD_NS_MAX) {
            return None;
        }
        self.last = candidate;
        Some(Nonce(candidate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn strictly_increases_whatever_the_clock_does(floor in 0u64..2_000_000, times in proptest::collection::vec(0u64..4_000_000, 1..200)) {
            let mut nonces = Nonces::above(Nonce(floor));
            let mut last = floor;
            for at in times {
                if let Some(nonce) = nonces.next(Nanos(at)) {
                    prop_assert!(nonce.0 > last && nonce.0 <= at + AHEAD_NS_MAX);
                    last = nonce.0;
                }
            }
        }
    }
}
