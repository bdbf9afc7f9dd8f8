//! RFQs, quotes and executions: what the venue says of them, and how they end.

use super::desk::Desk;
use super::notice::Alarm;
use super::talk::Heard;
use super::{Out, Wallet};
use crate::base::ids::{InstrumentId, Nonce, Uuid};
use crate::base::time::{Nanos, SEC};
use crate::msg::{Answer, QuoteRow, Report, RfqRow, Urgent, Verdict};

/// How long the venue may take over a request that reached it: what was under way when its end was certain shows by then.
const LATE_NS: u64 = SEC / 2;
/// A stray RFQ still open after this long is withdrawn again.
const STRAY_AGAIN_NS: u64 = SEC;

impl Desk {
    /// Tells the strategy how the conversation stands.
    pub(super) fn publish_talk(&self, out: &mut Out) {
        if out.talks.room() > 0 {
            out.talks.push(*self.conversation.talk());
        }
    }

    /// Withdraws the RFQ under way, if it has an id; asked again by the clock until the venue says it is gone.
    pub(super) fn unask(&mut self, at: Nanos, wallet: &mut Wallet, out: &mut Out) {
        if out.urgent.room() == 0 {
            return;
        }
        if let Some(rfq_id) = self.conversation.unask(at) {
            self.withdraw_rfq(at, rfq_id, wallet, out);
            self.publish_talk(out);
        }
    }

    /// The strategy withdraws an RFQ: only its own.
    pub(super) fn unask_named(&mut self, at: Nanos, rfq_id: Uuid, wallet: &mut Wallet, out: &mut Out) {
        let ours = self.conversation.talk().rfq.is_some_and(|rfq| rfq.rfq_id == Some(rfq_id));
        if ours { self.unask(at, wallet, out) } else { self.stats.stale_wishes += 1 }
    }

    fn withdraw_rfq(&self, at: Nanos, rfq_id: Uuid, wallet: &mut Wallet, out: &mut Out) {
        wallet.messages.spend(at);
        out.urgent.push(Urgent::Unask { vault: self.vault(), rfq_id });
    }

    /// One fact of a conversation; true if the account changed.
    pub(super) fn on_talk(&mut self, at: Nanos, report: &Report, wallet: &mut Wallet, out: &mut Out) -> bool {
        if self.ledger.book().options.is_none() {
            return false;
        }
        let offset = wallet.venue_offset_ns.unwrap_or_default();
        let changed = match report {
            Report::Rfq(row) => return self.on_rfq(at, row, wallet, out),
            Report::RfqRefused { name, verdict, code } => self.on_rfq_refused(*name, *verdict, *code, out),
            Report::Quote(row) => self.on_quote(at, row, offset),
            Report::QuotesComplete { rfq_id, asked_at } => self.conversation.on_complete(*rfq_id, *asked_at),
            _ => false,
        };
        if changed {
            self.publish_talk(out);
        }
        false
    }

    fn on_quote(&mut self, at: Nanos, row: &QuoteRow, offset_ns: i64) -> bool {
        self.conversation.on_quote(at, row, offset_ns)
    }

    fn on_rfq(&mut self, at: Nanos, row: &RfqRow, wallet: &mut Wallet, out: &mut Out) -> bool {
        if row.subaccount != self.ledger.book().subaccount {
            return false;
        }
        match self.conversation.on_rfq(row, wallet.venue_offset_ns.unwrap_or_default()) {
            Heard::Nothing => {}
            Heard::Changed => self.publish_talk(out),
            Heard::Over(rfq_id) => {
                let ended = self.conversation.executing.filter(|executing| executing.rfq_id == rfq_id);
                if let Some(executing) = ended
                    && !self.withdraw_unsigned(executing.nonce, out)
                {
                    self.ledger.dead_after(executing.nonce, at.plus(LATE_NS));
                }
                self.publish_talk(out);
            }
            Heard::Stray(rfq_id) => {
                let (known, asked_at) = self.stray;
                let due = known != rfq_id || at.since(asked_at) > STRAY_AGAIN_NS;
                if due && out.urgent.room() > 0 {
                    self.stray = (rfq_id, at);
                    self.withdraw_rfq(at, rfq_id, wallet, out);
                }
            }
        }
        false
    }

    fn on_rfq_refused(&mut self, name: Nonce, verdict: Verdict, code: i32, out: &mut Out) -> bool {
        if !self.conversation.on_refused(name) {
            return false;
        }
        match verdict {
            Verdict::RateLimited => self.stats.rate_limited += 1,
            Verdict::Refused => self.refused_by_venue(code),
            Verdict::Halt => self.halt(Alarm::VenueHalt { code }, out),
            Verdict::Accepted | Verdict::Unknown => {}
        }
        true
    }

    /// The answer to an execution. Accepted means done: its fills are on their way, and any later snapshot has them.
    pub(super) fn on_execution(&mut self, at: Nanos, answer: &Answer, wallet: &mut Wallet, out: &mut Out) {
        let Answer { nonce, verdict, code, .. } = *answer;
        match verdict {
            Verdict::Accepted => {
                self.ledger.confirm(nonce);
                self.ledger.dead_after(nonce, at.plus(LATE_NS));
            }
            Verdict::Refused | Verdict::RateLimited | Verdict::Halt => {
                let maker = self.conversation.executing.filter(|executing| executing.nonce == nonce);
                self.conversation.on_execution_refused(code, maker.map_or(0, |executing| executing.maker));
                self.refused_by_venue(code);
                self.ledger.release(nonce);
                self.redeem(nonce, out);
                self.publish_talk(out);
            }
            Verdict::Unknown => {
                self.doubt(at, nonce);
                self.cancel(at, nonce, Default::default(), wallet, out);
            }
        }
    }

    /// Logged in anew: the gateway has withdrawn every RFQ before it says so, so nothing can be executed any more.
    pub(super) fn talks_are_over(&mut self, at: Nanos, out: &mut Out) {
        if let Some(executing) = self.conversation.executing {
            self.ledger.dead_after(executing.nonce, at.plus(LATE_NS));
        }
        if self.conversation.talk().rfq.is_some() {
            self.conversation.clear();
            self.publish_talk(out);
        }
    }

    /// What time does to a conversation: ends it, repeats withdrawals, withdraws it while nothing may be traded.
    pub(super) fn chase_talk(&mut self, at: Nanos, wallet: &mut Wallet, out: &mut Out) {
        if self.conversation.executing.is_some_and(|executing| self.ledger.order(executing.nonce).is_none()) {
            self.conversation.executing = None;
        }
        if self.conversation.age(at) {
            self.publish_talk(out);
        }
        let Some(rfq) = self.conversation.talk().rfq else { return };
        let trades = self.mode == crate::msg::Mode::Live;
        if wallet.session_up() && (rfq.leaving || !trades) {
            self.unask(at, wallet, out);
        }
    }

    /// An execution that still waits for its signature is taken back once its quote or RFQ is gone, or its price is not
    /// one the mandate allows any more: a block has gone by, or several.
    pub(super) fn review_unsigned(&mut self, at: Nanos, wallet: &Wallet, out: &mut Out) {
        let Some(executing) = self.conversation.executing.filter(|executing| self.holds(executing.nonce)) else {
            return;
        };
        let stands = self.conversation.has_taken(at, &executing.deal) && wallet.stands(at, self, executing.deal);
        if !stands {
            self.withdraw_unsigned(executing.nonce, out);
        }
    }

    /// True if the vault may hold a position in this instrument.
    pub(super) fn may_hold(&self, wallet: &Wallet, id: InstrumentId) -> bool {
        self.trades(id) || self.ledger.book().options.is_some_and(|currency| wallet.table.is_option_of(currency, id))
    }
}
