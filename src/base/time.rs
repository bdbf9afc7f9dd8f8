//! Moments: unix nanoseconds on a clock that never goes back.

use std::fmt;

/// Nanoseconds of one millisecond.
pub const MS: u64 = 1_000_000;
/// Nanoseconds of one second.
pub const SEC: u64 = 1_000_000_000;

/// A moment in unix nanoseconds. Live clocks anchor it to the wall clock once and then follow the
/// monotonic clock, so a later step of the wall clock changes no timeout.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nanos(pub u64);

impl Nanos {
    /// The earliest moment; also "never happened".
    pub const ZERO: Nanos = Nanos(0);
    /// Later than every moment.
    pub const MAX: Nanos = Nanos(u64::MAX);

    /// From unix milliseconds; saturates.
    pub const fn from_ms(ms: u64) -> Nanos {
        Nanos(ms.saturating_mul(MS))
    }

    /// Unix milliseconds.
    pub const fn ms(self) -> u64 {
        self.0 / MS
    }

    /// Unix seconds.
    pub const fn secs(self) -> u64 {
        self.0 / SEC
    }

    /// Nanoseconds since `earlier`, zero if `earlier` is later.
    pub const fn since(self, earlier: Nanos) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// `ns` later; saturates.
    pub const fn plus(self, ns: u64) -> Nanos {
        Nanos(self.0.saturating_add(ns))
    }

    /// `ns` later, or earlier if negative; saturates.
    pub const fn shifted(self, ns: i64) -> Nanos {
        Nanos(self.0.saturating_add_signed(ns))
    }
}

impl fmt::Debug for Nanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}", self.0 / SEC, self.0 % SEC)
    }
}
