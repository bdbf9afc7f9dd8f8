//! Loss budgets of a vault over the last hour and the last day (M7). At a budget the vault drains; a person resumes it.
//!
//! A basis vault loses what its value in base units has fallen from the highest of the window. An option vault loses what
//! it traded below (or above) mark, fees included: its value in base units swings by its very mandate.

use crate::base::num::{Amount, Ratio, Rounding};
use crate::base::time::{Nanos, SEC};
use crate::engine::rolling::Rolling;

/// Slots of a window. The oldest may reach back a slot further than the window: never less than it.
const SLOTS: usize = 61;

/// Shares of value that may be lost before the vault drains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LossBudgets {
    /// In an hour.
    pub hour: Ratio,
    /// In a day.
    pub day: Ratio,
}

impl LossBudgets {
    /// All of it: for tests of other limits.
    pub const ALL: LossBudgets = LossBudgets { hour: Ratio::ONE, day: Ratio::ONE };
}

/// Highest amount over the last hour or day.
#[derive(Clone, Debug, Hash)]
struct Highest {
    width_ns: u64,
    slots: [Amount; SLOTS],
    head: u64,
}

impl Highest {
    const fn of(width_ns: u64) -> Highest {
        Highest { width_ns, slots: [Amount::ZERO; SLOTS], head: 0 }
    }

    fn note(&mut self, at: Nanos, amount: Amount) {
        let now = at.0 / self.width_ns;
        let steps = now.saturating_sub(self.head).min(SLOTS as u64);
        for step in 1..=steps {
            self.slots[((self.head + step) % SLOTS as u64) as usize] = Amount::ZERO;
        }
        self.head = self.head.max(now);
        let slot = &mut self.slots[(self.head % SLOTS as u64) as usize];
        *slot = amount.max(*slot);
    }

    fn get(&self) -> Amount {
        self.slots.iter().copied().max().unwrap_or_default()
    }
}

/// What was lost lately. It lives as long as the run: a restart, which a person makes, begins anew.
#[derive(Clone, Debug, Hash)]
pub struct Losses {
    value: [Highest; 2],
    traded: [Rolling; 2],
}

impl Default for Losses {
    fn default() -> Losses {
        Losses { value: [Highest::of(60 * SEC), Highest::of(24 * 60 * SEC)], traded: [Rolling::hour(), Rolling::day()] }
    }
}

impl Losses {
    /// Notes what the vault is worth in base units.
    pub fn note_value(&mut self, at: Nanos, value: Amount) {
        self.value.iter_mut().for_each(|window| window.note(at, value));
    }

    /// Notes a loss against mark as a share of value, negative for a gain: the legs of a package are priced together.
    pub fn note_trade(&mut self, at: Nanos, share: Ratio) {
        self.traded.iter_mut().for_each(|window| window.add(at, i128::from(share.raw())));
    }

    /// True once the vault, worth `value` base units now, has used up a budget by its value.
    pub fn value_spent(&self, value: Amount, budgets: LossBudgets) -> bool {
        let shares = [budgets.hour, budgets.day];
        self.value.iter().zip(shares).any(|(window, share)| {
            let highest = window.get();
            highest.is_positive() && value <= highest.scale(Ratio::ONE - share, Rounding::Floor)
        })
    }

    /// True once the vault has used up a budget by its trades.
    pub fn trades_spent(&mut self, at: Nanos, budgets: LossBudgets) -> bool {
        let shares = [budgets.hour, budgets.day];
        self.traded.iter_mut().zip(shares).any(|(window, share)| window.sum(at) >= i128::from(share.raw()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600 * SEC;
    const BUDGETS: LossBudgets = LossBudgets { hour: Ratio::from_bps(100), day: Ratio::from_bps(200) };

    fn amount(text: &str) -> Amount {
        text.parse().expect("literal")
    }

    #[test]
    fn a_fall_from_the_highest_of_the_hour_or_the_day_spends_the_budget() {
        let start = Nanos(1_000 * HOUR);
        let mut losses = Losses::default();
        assert!(!losses.value_spent(Amount::ONE, BUDGETS), "nothing is known yet");
        losses.note_value(start, amount("100"));
        // (minutes later, value, spent)
        let table = [
            (1, "99.01", false),
            (2, "99", true),
            (59, "99", true),
            (62, "99", false), // the hour has forgotten; the day allows two in a hundred
            (200, "98.02", false),
            (201, "98", true),
            (1_380, "98", true),
            (1_500, "98", false), // the day has forgotten
        ];
        for (minutes, value, spent) in table {
            let at = start.plus(minutes * 60 * SEC);
            let mut now = losses.clone();
            now.note_value(at, amount(value));
            assert_eq!(now.value_spent(amount(value), BUDGETS), spent, "{value} after {minutes} minutes");
        }
    }

    #[test]
    fn trades_below_mark_add_up_and_legs_are_priced_together() {
        let start = Nanos(1_000 * HOUR);
        let mut losses = Losses::default();
        losses.note_trade(start, Ratio::from_bps(560));
        losses.note_trade(start, Ratio::from_bps(-500));
        losses.note_trade(start.plus(60 * SEC), Ratio::from_bps(39));
        assert!(!losses.trades_spent(start.plus(60 * SEC), BUDGETS));
        losses.note_trade(start.plus(120 * SEC), Ratio::from_bps(1));
        assert!(losses.trades_spent(start.plus(120 * SEC), BUDGETS), "a hundred in the hour");
        let later = start.plus(2 * HOUR);
        assert!(!losses.trades_spent(later, BUDGETS), "the hour has forgotten, the day has not");
        losses.note_trade(later, Ratio::from_bps(99));
        assert!(!losses.trades_spent(later, BUDGETS));
        losses.note_trade(later.plus(HOUR + 120 * SEC), Ratio::from_bps(1));
        assert!(losses.trades_spent(later.plus(HOUR + 120 * SEC), BUDGETS), "two hundred in the day");
        assert!(!losses.trades_spent(later.plus(26 * HOUR), BUDGETS));
    }
}
