//! What the buyer of spreads has spent in its auction: what its executions really cost, whatever money comes or goes
//! beside them. Pledged before the signature leaves, settled by fills, or by what a proved account holds.

use super::Out;
use super::desk::Desk;
use crate::account::ledger::Effect;
use crate::base::ids::{Nonce, Side};
use crate::base::num::{Amount, Cash, Ratio, Rounding};
use crate::msg::{Fill, Milestone, Note, Phase, package_cost};
use crate::risk::limits::Mandate;
use crate::risk::option_case::Purse;
use crate::risk::order::{Execution, Granted};

/// An execution whose end is not known yet.
#[derive(Clone, Copy, Debug, Hash)]
pub(super) struct Pledge {
    nonce: Nonce,
    /// Units bought by it.
    units: Amount,
    /// Paid so far, fees included.
    paid: Cash,
    /// Not filled yet, every leg counted.
    open: Amount,
}

impl Pledge {
    fn of(execution: &Execution) -> Pledge {
        let legs = &execution.deal().legs;
        let open = legs.iter().map(|priced| priced.leg.amount).sum();
        Pledge { nonce: execution.nonce(), units: legs[0].leg.amount, paid: Cash::ZERO, open }
    }
}

/// What a fill took out of the purse, fee included; what it brought in is negative.
fn price_of(fill: &Fill) -> Cash {
    let value = fill.price.times(fill.amount);
    fill.fee + if fill.side == Side::Buy { value } else { -value }
}

/// A phase announced, given the one before: while an auction is under way its budget may shrink but not grow, and
/// what was spent stays spent.
pub(super) fn announced(before: &Milestone, next: Milestone) -> Milestone {
    let goes_on = before.phase == Phase::OptionAuction && next.phase == Phase::OptionAuction;
    if !goes_on {
        return next;
    }
    let Milestone { spent, pledged, units, .. } = *before;
    Milestone { budget: before.budget.min(next.budget), spent, pledged, units, ..next }
}

impl Desk {
    fn buys(&self) -> bool {
        let buyer = matches!(self.mandate, Mandate::Options(limits) if !limits.sells());
        buyer && self.milestone.phase == Phase::OptionAuction
    }

    /// What may still be spent, for a vault that has announced an auction. Whatever was announced, no more may go out than
    /// the collateral has earned (strategy specification §1.5), nor so much that less than the principal would be left if
    /// all of it were lost (§2.12).
    pub(super) fn purse(&self) -> Option<Purse> {
        let Milestone { phase, budget, spent, pledged, .. } = self.milestone;
        let surplus = self.surplus().unwrap_or_default() + spent;
        let budget = budget.min(self.earned().unwrap_or_default()).min(surplus);
        (phase == Phase::OptionAuction).then_some(Purse { budget, spent: spent + pledged })
    }

    /// Yield of the collateral held, by the newest accrual known and at its mark; the strategy may have looked a moment
    /// before, when the mark was higher by the drift.
    fn earned(&self) -> Option<Cash> {
        let Mandate::Options(limits) = &self.mandate else { return None };
        let worth = self.base.mark.times(self.ledger.holdings().base.max(Amount::ZERO));
        let earned = worth.scale(self.accrual?.share.max(Ratio::ZERO), Rounding::Floor);
        Some(earned + earned.scale(limits.wall.drift.price, Rounding::Floor))
    }

    /// An execution is granted: until its end is known, all it may cost counts as spent, also after a crash.
    pub(super) fn pledge(&mut self, execution: &Execution, out: &mut Out) {
        if self.buys() {
            self.milestone.pledged = (package_cost(&execution.deal().legs) + execution.max_fee()).max(Cash::ZERO);
            self.pledge = Some(Pledge::of(execution));
            self.journal_milestone(out);
        }
    }

    /// An execution has certainly not been done.
    pub(super) fn redeem(&mut self, nonce: Nonce, out: &mut Out) {
        if self.pledge.is_some_and(|pledge| pledge.nonce == nonce) {
            self.settle(Cash::ZERO, self.milestone.units, out);
        }
    }

    /// A fill; one of no execution under way is spent all the same, and what it bought is paid for, unless that was
    /// counted when it was seen.
    pub(super) fn note_paid(&mut self, fill: &Fill, effect: Effect, out: &mut Out) {
        if !self.buys() || fill.instrument == self.ledger.book().base {
            return;
        }
        match self.pledge.as_mut().filter(|pledge| pledge.nonce == fill.nonce) {
            Some(pledge) => {
                pledge.paid += price_of(fill);
                pledge.open -= fill.amount;
            }
            None if effect == Effect::Late => {}
            None => {
                self.milestone.spent += price_of(fill);
                if fill.side == Side::Buy {
                    self.milestone.units += fill.amount;
                }
                self.journal_milestone(out);
            }
        }
    }

    /// Settles a pledge whose end is known: filled whole, or gone and proved to be held or not.
    pub(super) fn settle_pledge(&mut self, out: &mut Out) {
        let Some(pledge) = self.pledge else { return };
        if !pledge.open.is_positive() {
            return self.settle(pledge.paid, self.milestone.units + pledge.units, out);
        }
        if self.ledger.order(pledge.nonce).is_some() || self.ledger.is_uncertain() {
            return;
        }
        let held = self.ledger.options().iter().map(|held| held.amount.abs()).max().unwrap_or_default();
        if held > self.milestone.units {
            let dearest = self.milestone.pledged.max(pledge.paid);
            self.settle(dearest, held, out);
        } else {
            self.settle(Cash::ZERO, self.milestone.units, out);
        }
    }

    fn settle(&mut self, paid: Cash, units: Amount, out: &mut Out) {
        self.pledge = None;
        self.milestone.pledged = Cash::ZERO;
        self.milestone.spent += paid;
        self.milestone.units = units;
        self.journal_milestone(out);
    }

    /// Has the phase written down as it is now.
    pub(super) fn journal_milestone(&mut self, out: &mut Out) {
        out.orders.push(Granted::Note { vault: self.vault(), note: Note::Milestone(self.milestone) });
    }
}
