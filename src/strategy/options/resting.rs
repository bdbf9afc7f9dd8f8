//! Keeps one resting order what it should be, and takes everything back when nothing should rest.

use crate::base::ids::{InstrumentId, Side, Uuid};
use crate::base::num::{Amount, Price};
use crate::base::time::{Nanos, SEC};
use crate::market::instrument::Instrument;
use crate::msg::{Act, Life, Mode, Purpose, TimeInForce, Wish, Working};
use crate::strategy::options::Look;
use crate::strategy::options::amend::{Amend, Stake};
use crate::strategy::options::state::State;

/// A withdrawal of an RFQ is said again after this long.
const UNASK_NS: u64 = SEC;

/// The one order that should rest.
pub(super) struct Resting<'a, R: Fn(Price) -> Amount> {
    /// In what.
    pub instrument: &'a Instrument,
    /// Why.
    pub purpose: Purpose,
    /// Side.
    pub side: Side,
    /// Price, on the tick.
    pub price: Price,
    /// The price never is as eager as this: a seller's lies above it.
    pub never: Option<Price>,
    /// Price change worth a replace.
    pub reprice_min: Price,
    /// What is lost while nothing rests.
    pub stake: Stake,
    /// Most that may rest at a price, in whole steps.
    pub room: R,
}

/// What is left to take back.
pub(super) enum Withdrawal {
    /// This.
    Act(Act),
    /// Nothing, but the venue has not confirmed all of it.
    Wait,
    /// Nothing rests.
    Done,
}

fn is_live(order: &&Working) -> bool {
    matches!(order.life, Life::Open | Life::Pending) && order.wish.purpose != Purpose::Package
}

/// Cancels one order after the other, then the RFQ.
pub(super) fn withdraw(look: &Look<'_>, state: &mut State) -> Withdrawal {
    let account = look.view.account;
    if let Some(order) = account.working.iter().flatten().find(is_live) {
        return Withdrawal::Act(Act::Cancel { nonce: order.nonce });
    }
    match look.view.talk.rfq {
        Some(rfq) if !rfq.leaving => match rfq.rfq_id.filter(|_| account.mode != Mode::Starting) {
            Some(rfq_id) => return unask(look.at, state, rfq_id).map_or(Withdrawal::Wait, Withdrawal::Act),
            None => return Withdrawal::Wait,
        },
        _ => {}
    }
    if account.working.iter().flatten().next().is_some() { Withdrawal::Wait } else { Withdrawal::Done }
}

/// Withdraws an RFQ; said again only after a while.
pub(super) fn unask(at: Nanos, state: &mut State, rfq_id: Uuid) -> Option<Act> {
    let said = state.lot.unasked.is_some_and(|(id, said_at)| id == rfq_id && at.since(said_at) < UNASK_NS);
    if said {
        return None;
    }
    state.lot.unasked = Some((rfq_id, at));
    Some(Act::Unask { rfq_id })
}

/// Cancels what rests, of which nothing should.
pub(super) fn clear(look: &Look<'_>, state: &mut State) -> Option<Act> {
    match withdraw(look, state) {
        Withdrawal::Act(act) => Some(act),
        Withdrawal::Wait | Withdrawal::Done => None,
    }
}

impl<R: Fn(Price) -> Amount> Resting<'_, R> {
    fn is_ours(&self, order: &Working) -> bool {
        let InstrumentId(id) = self.instrument.id;
        order.wish.instrument.0 == id && order.wish.purpose == self.purpose && order.wish.side == self.side
    }

    /// True while an order rests here that may fill whole.
    pub fn may_fill(&self, look: &Look<'_>) -> bool {
        let mut live = look.view.account.working.iter().flatten().filter(is_live);
        live.any(|order| self.is_ours(order) && !self.is_forbidden(order))
    }

    fn is_forbidden(&self, order: &Working) -> bool {
        let too_eager = self.never.is_some_and(|never| order.wish.price <= never);
        too_eager || order.remaining() > (self.room)(order.wish.price)
    }

    /// Places, replaces or cancels, or does nothing: never more than one order.
    pub fn keep(&self, look: &Look<'_>, state: &State) -> Option<Act> {
        let working = || look.view.account.working.iter().flatten();
        if let Some(stray) = working().filter(is_live).find(|order| !self.is_ours(order)) {
            return Some(Act::Cancel { nonce: stray.nonce });
        }
        let mut live = working().filter(is_live);
        let first = live.next();
        if let Some(second) = live.next() {
            return Some(Act::Cancel { nonce: second.nonce });
        }
        let settled = working().all(|order| matches!(order.life, Life::Open | Life::Pending));
        let free = settled && look.view.account.quote_budget > 0 && !state.is_quiet(look.at);
        let amount = (self.room)(self.price);
        match first {
            Some(order) => self.adjust(look, order, amount, free),
            None => {
                // A contract that signs first could not do so yet: what was signed before must settle.
                let signable = free && !look.view.account.settling;
                (signable && amount >= self.instrument.min_amount).then(|| Act::Place(self.wish(amount)))
            }
        }
    }

    fn adjust(&self, look: &Look<'_>, order: &Working, amount: Amount, free: bool) -> Option<Act> {
        let room = (self.room)(order.wish.price);
        let forbidden = self.is_forbidden(order);
        let cancel = Act::Cancel { nonce: order.nonce };
        // What is left of a part-filled order may be less than could be placed anew: it stays as long as it may.
        if order.life == Life::Pending || !free || amount < self.instrument.min_amount {
            return forbidden.then_some(cancel);
        }
        let moved = (order.wish.price - self.price).abs() >= self.reprice_min.max(self.instrument.tick);
        let grown = room - order.remaining() >= self.instrument.min_amount;
        let expiring = look.at.plus(look.params.refresh_ns) >= order.expires_at;
        match look.params.amend {
            Amend::Replace => {
                let worth = forbidden || moved || grown || expiring;
                worth.then(|| Act::Replace { old: order.nonce, new: self.wish(amount) })
            }
            // What is taken back is placed anew once it is gone.
            Amend::Resign(cost) => {
                let better = moved && cost.is_worth(order.wish.price - self.price, order.remaining(), &self.stake);
                (forbidden || better || grown || expiring).then_some(cancel)
            }
        }
    }

    fn wish(&self, amount: Amount) -> Wish {
        Wish {
            instrument: self.instrument.id,
            side: self.side,
            price: self.price,
            amount,
            tif: TimeInForce::Gtc,
            reduce_only: false,
            purpose: self.purpose,
        }
    }
}
