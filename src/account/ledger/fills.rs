//! Fills: each is booked once, unless balances taken over from the venue have shown it already; and undone if the
//! venue's chain has refused it.

use super::adoption::Shown;
use super::{Effect, Ledger};
use crate::account::unsettled::Heard;
use crate::base::ids::Side;
use crate::base::num::{Amount, Cash};
use crate::base::time::Nanos;
use crate::msg::Fill;

impl Ledger {
    /// A fill. A trade id counts once; a fill of an order we do not know still moves the position.
    pub fn on_fill(&mut self, at: Nanos, fill: &Fill) -> Effect {
        if fill.subaccount != self.book.subaccount {
            return Effect::None;
        }
        if let Heard::Reverted { known } = self.unsettled.note(fill.trade_id, fill.settlement) {
            return self.on_reverted(at, fill, known);
        }
        if !self.trades_seen.insert(fill.trade_id) {
            return Effect::None;
        }
        self.last_fact_at = at;
        let shown = self.shown(fill);
        if shown != Shown::No {
            return self.on_late_fill(fill, shown);
        }
        let signed = if fill.side == Side::Buy { fill.amount } else { -fill.amount };
        if !self.book_fill(fill, signed) {
            // Another instrument's, or a number no account can hold: only a snapshot can say what is true.
            self.suspect();
            return Effect::Alarm;
        }
        self.flows.fees += fill.fee;
        let buried = self.buried.contains(fill.nonce);
        match self.leg_mut(fill.nonce, fill.instrument) {
            Some(order) => {
                order.booked += fill.amount;
                order.confirm();
                self.bury_if_over(fill.nonce);
                Effect::Changed
            }
            // Its order was declared dead too early; the balances must be proved again.
            None if buried => {
                self.suspect();
                Effect::Changed
            }
            None => {
                self.suspect();
                Effect::Foreign { nonce: fill.nonce, instrument: fill.instrument }
            }
        }
    }

    /// A fill of an earlier session, from the venue's records. Balances have been taken over with it: only where it stands
    /// on the chain is news.
    pub fn on_past_fill(&mut self, at: Nanos, fill: &Fill) -> Effect {
        if fill.subaccount != self.book.subaccount {
            return Effect::None;
        }
        match self.unsettled.note(fill.trade_id, fill.settlement) {
            // Whether balances show that it was taken back is not known, so that only a snapshot asked for later counts.
            Heard::Reverted { known } if known || self.trades_seen.contains(fill.trade_id) => {
                self.last_fact_at = at;
                self.suspect();
                Effect::Reverted
            }
            _ => Effect::None,
        }
    }

    /// Every fill that may be unsettled has been told since the session began.
    pub fn past_fills_complete(&mut self) {
        self.unsettled.regain_track();
    }

    /// The chain has refused a fill: what it moved goes back. Its order stays as it was filled. The venue gives back what
    /// was earned since as well, which only a snapshot tells.
    fn on_reverted(&mut self, at: Nanos, fill: &Fill, known: bool) -> Effect {
        self.last_fact_at = at;
        self.suspect();
        let booked = !self.trades_seen.insert(fill.trade_id) || known;
        if booked {
            let back = Fill { fee: -fill.fee, ..*fill };
            let signed = if fill.side == Side::Buy { -fill.amount } else { fill.amount };
            if self.book_fill(&back, signed) {
                self.flows.fees -= fill.fee;
            }
        }
        Effect::Reverted
    }

    /// Moves position and cash at once. False, and nothing moved, for an instrument the vault does not hold or a number
    /// no account can hold.
    fn book_fill(&mut self, fill: &Fill, signed: Amount) -> bool {
        let (mut after, mut options) = (self.holdings, self.options);
        let paid = fill.price.times(signed) + fill.fee;
        if fill.instrument == self.book.base {
            after.book_spot(signed, fill.price, fill.fee);
        } else if Some(fill.instrument) == self.book.perp {
            after.book_perp(signed, fill.price, fill.fee);
        } else if self.book.options.is_some() {
            after.cash -= paid;
            if !options.add(fill.instrument, signed) {
                return false;
            }
        }
        let moved = after != self.holdings || options != self.options;
        let booked = moved && after.is_plausible();
        if booked {
            (self.holdings, self.options) = (after, options);
            self.note_flow(fill, paid);
        }
        booked
    }

    /// Notes for what a fill paid.
    fn note_flow(&mut self, fill: &Fill, paid: Cash) {
        if fill.instrument == self.book.base {
            self.flows.converted -= paid;
        } else if Some(fill.instrument) != self.book.perp {
            self.flows.premium -= paid;
        }
    }

    /// Whether adopted balances show a fill; never one of an order approved after them.
    fn shown(&self, fill: &Fill) -> Shown {
        let Some(adoption) = self.adoption else { return Shown::No };
        if self.order(fill.nonce).is_some_and(|order| order.approved_at >= adoption.ended_at) {
            return Shown::No;
        }
        adoption.shows(fill.venue_at.shifted(-self.venue_offset_ns))
    }

    /// A fill that adopted balances show, or may show: it moves none of them, and where that is unclear the next
    /// snapshot tells. An order listed with them has its fills from there.
    fn on_late_fill(&mut self, fill: &Fill, shown: Shown) -> Effect {
        let value = fill.price.times(fill.amount);
        self.note_flow(fill, fill.fee + if fill.side == Side::Buy { value } else { -value });
        self.flows.fees += fill.fee;
        if shown == Shown::Unclear {
            self.suspect();
        }
        let listed = fill.nonce.0 > 0 && self.adoption.is_some_and(|adoption| adoption.listed.contains(&fill.nonce));
        if listed {
            return Effect::Late;
        }
        let history = shown == Shown::Yes || self.buried.contains(fill.nonce);
        match self.leg_mut(fill.nonce, fill.instrument) {
            Some(order) => {
                order.booked += fill.amount;
                self.bury_if_over(fill.nonce);
                Effect::Late
            }
            None if history => Effect::Late,
            None => Effect::Foreign { nonce: fill.nonce, instrument: fill.instrument },
        }
    }
}
