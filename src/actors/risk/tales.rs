//! What a strategy says beside its wishes: phases are journaled, concerns alarm, a halt is final.

use super::desk::Desk;
use super::notice::{Alarm, Notice};
use super::purse::announced;
use super::{Out, Wallet};
use crate::base::time::Nanos;
use crate::msg::{Milestone, Tale};

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

    /// A phase is journaled once; said again because its echo was late, it changes nothing.
    fn on_phase(&mut self, at: Nanos, milestone: Milestone, out: &mut Out) {
        self.found_principal(out);
        let next = self.within_principal(announced(&self.milestone, milestone));
        if next == self.milestone {
            return;
        }
        self.milestone = next;
        self.journal_milestone(out);
        if out.notices.room() > 0 {
            out.notices.push(Notice::Phase { vault: self.vault(), at, milestone });
        }
    }
}
