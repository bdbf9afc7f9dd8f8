//! The message-rate budget: quotes may use part of it, hedges more, cancels always go.
//!
//! Counted in a sliding window no longer than the venue's fixed one (Derive §4.2: five seconds holding five times the
//! per-second rate), so whatever the venue's window phase, we stay inside.

use crate::base::buggify::{Place, bends};
use crate::base::time::{MS, Nanos};

/// Length of one slice of the window.
const SLICE_NS: u64 = 100 * MS;
/// Slices of the window: five seconds, and one for the slice in progress.
const SLICES: usize = 51;
/// Seconds the window covers.
const WINDOW_S: u32 = 5;

/// What a message is for, by falling priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Never refused, always counted.
    Cancel,
    /// May use 80 % of the window beyond one cancel per live order.
    Hedge,
    /// May use 60 % of the window beyond one cancel per live order.
    Quote,
}

/// Requests counted over a sliding window.
#[derive(Clone, Debug, Hash)]
pub struct Window {
    capacity: u32,
    slices: [u32; SLICES],
    newest: u64,
    used: u32,
}

impl Window {
    /// For a budget of `tps` requests per second.
    pub fn new(tps: u32) -> Window {
        Window { capacity: tps.saturating_mul(WINDOW_S), slices: [0; SLICES], newest: 0, used: 0 }
    }

    /// Changes the budget; what was counted stays counted.
    pub fn set_rate(&mut self, tps: u32) {
        self.capacity = tps.saturating_mul(WINDOW_S);
    }

    /// Forgets slices that have left the window.
    fn advance(&mut self, at: Nanos) {
        let slice = at.0 / SLICE_NS;
        let steps = slice.saturating_sub(self.newest).min(SLICES as u64);
        for step in 1..=steps {
            let place = ((self.newest + step) % SLICES as u64) as usize;
            self.used -= std::mem::take(&mut self.slices[place]);
        }
        self.newest = self.newest.max(slice);
    }

    /// Requests of a class still possible, with `live` orders that each need a cancel kept for them.
    pub fn left(&mut self, at: Nanos, class: Class, live: u32) -> u32 {
        self.advance(at);
        let share = match class {
            Class::Cancel => return u32::MAX,
            Class::Hedge | Class::Quote if bends(Place::BudgetEmpty) => return 0,
            Class::Hedge => self.capacity / 5 * 4,
            Class::Quote => self.capacity / 5 * 3,
        };
        share.saturating_sub(live).saturating_sub(self.used)
    }

    /// Counts one request.
    pub fn spend(&mut self, at: Nanos) {
        self.advance(at);
        self.slices[(self.newest % SLICES as u64) as usize] += 1;
        self.used += 1;
    }

    /// Share of the window in use, in percent.
    pub fn used_pct(&mut self, at: Nanos) -> u32 {
        self.advance(at);
        self.used.saturating_mul(100) / self.capacity.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::SEC;
    use proptest::prelude::*;

    #[test]
    fn keeps_cancels_possible() {
        let mut window = Window::new(10);
        let at = Nanos(100 * SEC);
        assert_eq!(window.left(at, Class::Quote, 2), 28);
        for _ in 0..28 {
            window.spend(at);
        }
        assert_eq!(window.left(at, Class::Quote, 2), 0);
        assert_eq!(window.left(at, Class::Hedge, 2), 10);
        assert_eq!(window.left(at, Class::Cancel, 2), u32::MAX);
        assert_eq!(window.left(at.plus(6 * SEC), Class::Quote, 2), 28);
    }

    proptest! {
        /// Whatever the phase of the venue's fixed window, obeying `left` never exceeds it.
        #[test]
        fn never_exceeds_any_fixed_window(gaps in proptest::collection::vec(0u64..400, 1..400), phase in 0u64..5_000) {
            let mut window = Window::new(5);
            let mut at = 1_000_000u64;
            let mut sent = Vec::new();
            for gap in gaps {
                at += gap;
                if window.left(Nanos(at * MS), Class::Hedge, 0) > 0 {
                    window.spend(Nanos(at * MS));
                    sent.push(at);
                }
            }
            for start in &sent {
                let bucket = (start + phase) / 5_000;
                let inside = sent.iter().filter(|t| (*t + phase) / 5_000 == bucket).count();
                prop_assert!(inside <= 20, "{inside} in one window");
            }
        }
    }
}
