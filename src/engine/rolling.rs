//! Sums over the last minute, hour or day, in a fixed number of buckets.

use crate::base::num::Cash;
use crate::base::time::{Nanos, SEC};

/// Buckets of every window. The oldest may reach back a bucket further than the window: never less than it.
const BUCKETS: usize = 61;

/// What has been signed for one subaccount lately.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spent {
    /// Signatures in a minute.
    pub count: Rolling,
    /// Notional in an hour, 1e-18.
    pub hour: Rolling,
    /// Notional in a day, 1e-18.
    pub day: Rolling,
    /// Notional of perp bought in a day, 1e-18.
    pub bought: Rolling,
    /// Collateral withdrawn in a day, in its token's smallest units.
    pub withdrawn: Rolling,
}

impl Default for Spent {
    fn default() -> Spent {
        let (day, bought, withdrawn) = (Rolling::day(), Rolling::day(), Rolling::day());
        Spent { count: Rolling::minute(), hour: Rolling::hour(), day, bought, withdrawn }
    }
}

impl Spent {
    /// Counts one signature.
    pub fn charge(&mut self, at: Nanos, notional: Cash, bought: Cash) {
        self.count.add(at, 1);
        self.hour.add(at, notional.raw());
        self.day.add(at, notional.raw());
        self.bought.add(at, bought.raw());
    }

    /// Counts one movement of capital; `withdrawn` is zero for a deposit.
    pub fn charge_movement(&mut self, at: Nanos, withdrawn: u128) {
        self.count.add(at, 1);
        self.withdrawn.add(at, i128::try_from(withdrawn).unwrap_or(i128::MAX));
    }
}

/// A sum over the last minute, hour or day that takes no memory and at most one pass over its buckets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rolling {
    width_ns: u64,
    buckets: [i128; BUCKETS],
    head: u64,
    sum: i128,
}

impl Rolling {
    /// Over the last minute.
    pub const fn minute() -> Rolling {
        Rolling::of(SEC)
    }

    /// Over the last hour.
    pub const fn hour() -> Rolling {
        Rolling::of(60 * SEC)
    }

    /// Over the last day.
    pub const fn day() -> Rolling {
        Rolling::of(24 * 60 * SEC)
    }

    const fn of(width_ns: u64) -> Rolling {
        Rolling { width_ns, buckets: [0; BUCKETS], head: 0, sum: 0 }
    }

    /// Forgets what is over. A moment before the last one counts as the last one.
    fn advance(&mut self, at: Nanos) {
        let now = at.0 / self.width_ns;
        let steps = now.saturating_sub(self.head).min(BUCKETS as u64);
        for step in 1..=steps {
            let place = ((self.head + step) % BUCKETS as u64) as usize;
            self.sum -= std::mem::take(&mut self.buckets[place]);
        }
        if steps == BUCKETS as u64 {
            self.buckets = [0; BUCKETS];
            self.sum = 0;
        }
        self.head = self.head.max(now);
    }

    /// The sum as it stands.
    pub fn sum(&mut self, at: Nanos) -> i128 {
        self.advance(at);
        self.sum
    }

    /// Adds to the present bucket.
    pub fn add(&mut self, at: Nanos, what: i128) {
        self.advance(at);
        let place = (self.head % BUCKETS as u64) as usize;
        self.buckets[place] = self.buckets[place].saturating_add(what);
        self.sum = self.sum.saturating_add(what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_hour_forgets_after_an_hour_and_never_before() {
        let start = Nanos(1_800_000_000 * SEC);
        let mut hour = Rolling::hour();
        hour.add(start, 5);
        assert_eq!(hour.sum(start.plus(3_600 * SEC)), 5);
        assert_eq!(hour.sum(start.plus(3_660 * SEC)), 0);
        hour.add(start.plus(3_660 * SEC), 7);
        assert_eq!(hour.sum(start), 7, "a clock that went back forgets nothing");
        assert_eq!(hour.sum(start.plus(900_000 * SEC)), 0);
    }

    proptest! {
        #[test]
        fn it_holds_at_least_the_window_and_at_most_a_bucket_more(steps in proptest::collection::vec((0u64..40, 0i64..1_000), 1..200)) {
            let mut minute = Rolling::minute();
            let (mut at, mut all) = (Nanos(1_000 * SEC), Vec::new());
            for (wait_s, what) in steps {
                at = at.plus(wait_s * SEC + 7);
                minute.add(at, i128::from(what));
                all.push((at, i128::from(what)));
                let since = |ns: u64| all.iter().filter(|(then, _)| at.since(*then) <= ns).map(|(_, what)| what).sum::<i128>();
                let sum = minute.sum(at);
                prop_assert!(since(60 * SEC) <= sum && sum <= since(61 * SEC));
            }
        }
    }
}
