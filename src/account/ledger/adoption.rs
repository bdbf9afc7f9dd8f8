//! Fills told after balances were taken over from the venue: which of them those balances have shown already.

use crate::base::ids::Nonce;
use crate::base::time::{MS, Nanos};

/// How far the venue's time of a fill may be off, beside half a round trip: clocks, and milliseconds cut off.
const CLOCK_NS: u64 = 250 * MS;
/// Resting orders remembered from one snapshot.
pub(super) const LISTED: usize = 16;

/// Balances taken over from the venue because ours were in doubt.
#[derive(Clone, Copy, Debug, Hash)]
pub(super) struct Adoption {
    /// When they were asked for.
    pub asked_at: Nanos,
    /// When they were complete.
    pub ended_at: Nanos,
    /// Orders listed with them: their fills were taken over too.
    pub listed: [Nonce; LISTED],
}

/// Whether adopted balances show a fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// It traded after.
    No,
    /// It traded before.
    Yes,
    /// It traded about when they were taken.
    Unclear,
}

impl Adoption {
    /// Judges a fill by when it traded, on our clock.
    pub fn shows(&self, traded_at: Nanos) -> Shown {
        if traded_at > self.ended_at.plus(CLOCK_NS) {
            Shown::No
        } else if traded_at.plus(CLOCK_NS) < self.asked_at {
            Shown::Yes
        } else {
            Shown::Unclear
        }
    }
}
