//! Sums over the last minute, hour or day, in a fixed number of buckets.

use crate::base::num::Cash;
use crate::base::time::{Nanos, SEC};

/// Buckets of every window. The oldest may reach back a bucket further than the window: never less than it.
pub const BUCKETS: usize = 61;
/// Sums of money kept for a subaccount.
const SUMS: usize = 5;

/// What has been signed for one subaccount lately.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
    /// Given away in an hour, 1e-18.
    pub given_hour: Rolling,
    /// Given away in a day, 1e-18.
    pub given_day: Rolling,
}

/// Money that what is signed gives away at worst, in place of what it makes impossible.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// Given away now.
    pub away: Cash,
    /// No longer given away.
    pub back: Cash,
    /// When that was counted.
    pub back_at: Nanos,
}

impl Default for Spent {
    fn default() -> Spent {
        let (hour, given_hour) = (Rolling::hour(), Rolling::hour());
        let [day, bought, withdrawn, given_day] = [const { Rolling::day() }; 4];
        Spent { count: Rolling::minute(), hour, day, bought, withdrawn, given_hour, given_day }
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

    /// Counts what one signature gives away.
    pub fn charge_given(&mut self, at: Nanos, given: &Given) {
        for sum in [&mut self.given_hour, &mut self.given_day] {
            sum.take_back(given.back_at, given.back.raw());
            sum.add(at, given.away.raw());
        }
    }

    /// The sums of money, in an order that never changes: journals number them by it.
    pub fn sums(&self) -> [&Rolling; SUMS] {
        [&self.hour, &self.day, &self.bought, &self.given_hour, &self.given_day]
    }

    /// The same, to be raised.
    pub fn sums_mut(&mut self) -> [&mut Rolling; SUMS] {
        [&mut self.hour, &mut self.day, &mut self.bought, &mut self.given_hour, &mut self.given_day]
    }
}

/// A sum over the last minute, hour or day that takes no memory and at most one pass over its buckets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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

    /// Number of the oldest bucket.
    pub fn oldest(&self) -> u64 {
        (self.head + 1).saturating_sub(BUCKETS as u64)
    }

    /// What a bucket holds; zero outside the window.
    pub fn bucket(&self, number: u64) -> i128 {
        let inside = (self.oldest()..=self.head).contains(&number);
        if inside { self.buckets[(number % BUCKETS as u64) as usize] } else { 0 }
    }

    /// Raises a bucket to at least this much, unless it is over.
    pub fn raise(&mut self, number: u64, least: i128) {
        self.advance(Nanos(number.saturating_mul(self.width_ns)));
        if number >= self.oldest() {
            let bucket = &mut self.buckets[(number % BUCKETS as u64) as usize];
            let more = least.saturating_sub(*bucket).max(0);
            *bucket = bucket.saturating_add(more);
            self.sum = self.sum.saturating_add(more);
        }
    }

    /// How much of that could be taken back from what was added then: nothing once it is over.
    pub fn takes_back(&self, then: Nanos, what: i128) -> i128 {
        self.bucket(then.0 / self.width_ns).min(what).max(0)
    }

    /// Takes back from what was added then, as far as it is there.
    pub fn take_back(&mut self, then: Nanos, what: i128) {
        let back = self.takes_back(then, what);
        self.buckets[(then.0 / self.width_ns % BUCKETS as u64) as usize] -= back;
        self.sum -= back;
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

    #[test]
    fn only_what_was_added_then_is_taken_back() {
        let start = Nanos(1_800_000_000 * SEC);
        let mut hour = Rolling::hour();
        hour.add(start, 5);
        hour.add(start.plus(60 * SEC), 7);
        hour.take_back(start, 3);
        assert_eq!(hour.sum(start.plus(60 * SEC)), 9);
        hour.take_back(start, 9);
        assert_eq!(hour.sum(start.plus(60 * SEC)), 7, "no more than there was");
        hour.take_back(start.plus(60 * SEC), -1);
        hour.take_back(start.plus(120 * SEC), 7);
        assert_eq!(hour.sum(start.plus(60 * SEC)), 7, "neither less than nothing nor what is yet to come");
        assert_eq!(hour.sum(start.plus(3_660 * SEC)), 7);
        hour.take_back(start, 7);
        assert_eq!(hour.sum(start.plus(3_660 * SEC)), 7, "what is over has no bucket any more");
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
