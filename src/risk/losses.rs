//! Loss budgets of a vault over the last hour and the last day (M7). At a budget the vault drains; a person resumes it.
//!
//! A basis vault loses what its value in base units has fallen from the highest of the window. An option vault loses what
//! it traded below (or above) mark, fees included: its value in base units swings by its very mandate.

use crate::base::num::{Amount, Ratio, Rounding, div_round};
use crate::base::time::{Nanos, SEC};
use crate::engine::rolling::Rolling;
use crate::msg::Lost;

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

/// What was lost lately. The journal keeps it over restarts, which crashes make too; who resumes the vault begins anew.
#[derive(Clone, Debug, Hash)]
pub struct Losses {
    /// Highest value since the budgets began.
    peak: Amount,
    value: [Highest; 2],
    traded: [Rolling; 2],
}

impl Default for Losses {
    fn default() -> Losses {
        Losses {
            peak: Amount::ZERO,
            value: [Highest::of(60 * SEC), Highest::of(24 * 60 * SEC)],
            traded: [Rolling::hour(), Rolling::day()],
        }
    }
}

impl Losses {
    /// As an earlier run left it. All of it counts as of the moment it was written: nothing is forgotten too early. A
    /// gain of its trades is not carried over, because losses after it may not have been written.
    pub fn inherited(lost: &Lost) -> Losses {
        let mut losses = Losses { peak: lost.peak, ..Losses::default() };
        losses.value.iter_mut().zip(lost.highest).for_each(|(window, highest)| window.note(lost.at, highest));
        for (window, share) in losses.traded.iter_mut().zip(lost.traded) {
            window.add(lost.at, i128::from(share.raw().max(0)));
        }
        losses
    }

    /// What a later run must know.
    pub fn lost(&mut self, at: Nanos) -> Lost {
        let [hour, day] = &mut self.traded;
        let share = |sum: i128| Ratio::from_raw(sum.clamp(i64::MIN.into(), i64::MAX.into()) as i64);
        let traded = [share(hour.sum(at)), share(day.sum(at))];
        self.value.iter_mut().for_each(|window| window.note(at, Amount::ZERO));
        let [hour, day] = &self.value;
        Lost { at, peak: self.peak, highest: [hour.get(), day.get()], traded }
    }

    /// Notes what the vault is worth in base units.
    pub fn note_value(&mut self, at: Nanos, value: Amount) {
        self.peak = self.peak.max(value);
        self.value.iter_mut().for_each(|window| window.note(at, value));
    }

    /// Capital came or went, and the vault is worth `after` instead of `before`: neither a gain nor a loss. All that was
    /// reached before counts in the same proportion.
    pub fn note_flow(&mut self, before: Amount, after: Amount) {
        if !before.is_positive() || !after.is_positive() {
            return;
        }
        let scaled = |amount: &mut Amount| {
            let product = i128::from(amount.raw()) * i128::from(after.raw());
            let raw = div_round(product, i128::from(before.raw()), Rounding::Ceil);
            *amount = Amount::from_raw(i64::try_from(raw).unwrap_or(i64::MAX));
        };
        scaled(&mut self.peak);
        self.value.iter_mut().flat_map(|window| &mut window.slots).for_each(scaled);
    }

    /// True once the vault, worth `value` base units now, has fallen further than `share` from its highest.
    pub fn has_drawn_down(&self, value: Amount, share: Ratio) -> bool {
        value < self.peak.scale(Ratio::ONE - share, Rounding::Floor)
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
    fn a_restart_forgives_nothing_and_forgets_no_sooner() {
        let start = Nanos(1_000 * HOUR);
        let mut losses = Losses::default();
        losses.note_value(start, amount("120"));
        losses.note_value(start.plus(HOUR * 2), amount("110"));
        losses.note_trade(start.plus(HOUR * 2), Ratio::from_bps(70));
        let written = start.plus(HOUR * 3 - 60 * SEC);
        let lost = losses.lost(written);
        assert_eq!((lost.peak, lost.highest), (amount("120"), [amount("110"), amount("120")]));
        assert_eq!(lost.traded, [Ratio::from_bps(70); 2]);
        let mut again = Losses::inherited(&lost);
        assert_eq!(again.lost(written), lost);
        for minutes in [0, 30, 59, 61, 1_000, 1_439, 1_600] {
            let at = written.plus(minutes * 60 * SEC);
            let (mut old, mut new) = (losses.clone(), again.clone());
            let [before, after] = [old.lost(at), new.lost(at)];
            assert!(after.highest >= before.highest && after.traded >= before.traded, "{minutes} minutes");
        }
        assert_eq!(again.lost(written.plus(26 * HOUR)).highest, [Amount::ZERO; 2]);
        assert!(again.has_drawn_down(amount("107.9"), Ratio::from_bps(1_000)));
        assert!(!again.has_drawn_down(amount("108"), Ratio::from_bps(1_000)));
        losses.note_trade(written, Ratio::from_bps(-200));
        let gained = losses.lost(written);
        assert_eq!(Losses::inherited(&gained).lost(written).traded, [Ratio::ZERO; 2], "a gain buys no losses");
    }

    #[test]
    fn capital_that_comes_or_goes_is_no_loss_and_hides_none() {
        let start = Nanos(1_000 * HOUR);
        let mut losses = Losses::default();
        losses.note_value(start, amount("100"));
        losses.note_flow(amount("99.5"), amount("49.75"));
        assert!(!losses.value_spent(amount("49.75"), BUDGETS), "half of it was paid out");
        assert!(losses.value_spent(amount("49.5"), BUDGETS), "a hundredth of the rest is gone");
        losses.note_flow(amount("49.5"), amount("990"));
        assert!(losses.value_spent(amount("990"), BUDGETS), "a deposit makes up for nothing");
        assert!(!losses.has_drawn_down(amount("990"), Ratio::from_bps(100)));
        losses.note_flow(amount("990"), Amount::ZERO);
        losses.note_flow(Amount::ZERO, amount("5"));
        assert_eq!(losses.lost(start).peak, amount("1000"), "what cannot be told apart changes nothing");
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
