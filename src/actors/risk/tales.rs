//! What a strategy says beside its wishes: phases are journaled, concerns alarm, a halt is final.

use super::desk::Desk;
use super::notice::{Alarm, Notice};
use super::{Out, Wallet};
use crate::account::ledger::Flows;
use crate::base::num::Cash;
use crate::base::time::Nanos;
use crate::msg::{Milestone, Phase, Tale};
use crate::risk::option_case::Purse;
use crate::risk::order::Granted;

/// What the buyer of spreads may spend, measured from when its auction began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spending {
    /// Most that may go out.
    budget: Cash,
    /// Cash when the auction began.
    cash_at_start: Cash,
    /// Money moved until it was announced.
    flows: Flows,
}

impl Spending {
    /// An auction is announced. While one is under way its budget may shrink but not grow, and its start stays.
    fn announce(before: Option<Spending>, milestone: &Milestone, cash: Cash, flows: Flows) -> Spending {
        match before {
            Some(running) => Spending { budget: running.budget.min(milestone.budget), ..running },
            // After a restart cash is what is left, and the milestone remembers what there was; never less than there is.
            None => Spending { budget: milestone.budget, cash_at_start: milestone.cash_at_start.max(cash), flows },
        }
    }

    /// Cash gone since the start for anything but interest, transfers, conversions and settlements. Measured by what is
    /// left, so that an execution known only from a snapshot counts too. Whatever was announced, no more may go out than
    /// the collateral has `earned` (strategy specification §1.5: never the principal).
    pub(super) fn purse(&self, cash: Cash, now: &Flows, earned: Cash) -> Purse {
        let then = &self.flows;
        let other = |flows: &Flows| flows.interest + flows.transfers + flows.converted + flows.settled;
        let spent = self.cash_at_start - cash + (other(now) - other(then));
        Purse { budget: self.budget.min(earned), spent }
    }
}

impl Desk {
    /// Takes one of the strategy's own words.
    pub(super) fn on_tale(&mut self, at: Nanos, tale: &Tale, wallet: &mut Wallet, out: &mut Out) {
        match *tale {
            Tale::Phase(milestone) => self.on_phase(at, milestone, out),
            Tale::Demand(demand) => {
                if out.notices.room() > 0 {
                    out.notices.push(Notice::Demand { vault: self.vault(), at, demand });
                }
            }
            Tale::Concern(concern) => self.alarm(Alarm::Concern(concern), out),
            Tale::Halt(concern) => {
                self.halt(Alarm::Concern(concern), out);
                self.cancel_all(at, wallet, out);
                self.unask(at, wallet, out);
            }
        }
    }

    fn on_phase(&mut self, at: Nanos, milestone: Milestone, out: &mut Out) {
        self.spending = match milestone.phase {
            Phase::OptionAuction => {
                let (cash, flows) = (self.ledger.holdings().cash, *self.ledger.flows());
                Some(Spending::announce(self.spending, &milestone, cash, flows))
            }
            _ => None,
        };
        self.phase = milestone.phase;
        let vault = self.vault();
        out.orders.push(Granted::Milestone { vault, milestone });
        if out.notices.room() > 0 {
            out.notices.push(Notice::Phase { vault, at, milestone });
        }
    }
}
