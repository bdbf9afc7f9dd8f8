//! A vault's conversation with makers: its RFQ, the open quotes for it, and the execution under way.

use crate::base::ids::{Nonce, Side, Uuid, VaultId};
use crate::base::num::Rounding;
use crate::base::time::{Nanos, SEC};
use crate::msg::{
    Deal, LEGS, OFFERS, Offer, OpenRfq, PricedLeg, QuoteRow, RfqRow, RfqStatus, RfqWish, Talk, package_cost,
};

/// An RFQ the venue has not answered for this long is taken as never sent; if it opens after all, it is withdrawn.
const ANSWER_NS_MAX: u64 = 3 * SEC;
/// A withdrawal unanswered for this long is asked again.
const AGAIN_NS: u64 = SEC;
/// Window the venue gives an RFQ, until it says so itself (Derive §6.1).
const WINDOW_NS: u64 = 600 * SEC;

/// The execution under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Executing {
    /// Its name.
    pub nonce: Nonce,
    /// The RFQ it belongs to.
    pub rfq_id: Uuid,
    /// Whose quote it takes.
    pub maker: u64,
    /// What was granted.
    pub deal: Deal,
}

/// The quote whose execution is under way or done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Taken {
    quote_id: Uuid,
    legs: [PricedLeg; LEGS],
    heard_at: Nanos,
    /// The venue lists it no more, or not as it was.
    gone: bool,
}

/// What a row about an RFQ meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Nothing to us.
    Nothing,
    /// The conversation changed.
    Changed,
    /// The RFQ is over: nothing can be executed against it any more.
    Over(Uuid),
    /// An RFQ of ours is open that we do not hold: to be withdrawn.
    Stray(Uuid),
}

/// One vault's conversation.
#[derive(Clone, Copy, Debug, Hash)]
pub(super) struct Conversation {
    talk: Talk,
    heard_at: [Nanos; OFFERS],
    unasked_at: Nanos,
    /// It is not offered again.
    taken: Option<Taken>,
    pub executing: Option<Executing>,
}

impl Conversation {
    pub(super) fn new(vault: VaultId) -> Conversation {
        Conversation {
            talk: Talk { vault, ..Talk::default() },
            heard_at: [Nanos::ZERO; OFFERS],
            unasked_at: Nanos::ZERO,
            taken: None,
            executing: None,
        }
    }

    pub(super) fn talk(&self) -> &Talk {
        &self.talk
    }

    /// An RFQ is being sent.
    pub(super) fn ask(&mut self, at: Nanos, name: Nonce, wish: RfqWish) {
        self.clear();
        self.talk.rfq = Some(OpenRfq {
            name,
            rfq_id: None,
            wish,
            opened_at: at,
            valid_until: at.plus(WINDOW_NS),
            filled: Default::default(),
            leaving: false,
        });
    }

    /// Begins or repeats the withdrawal of the RFQ under way; its id if a message is due.
    pub(super) fn unask(&mut self, at: Nanos) -> Option<Uuid> {
        let rfq = self.talk.rfq.as_mut()?;
        let rfq_id = rfq.rfq_id?;
        let due = !rfq.leaving || at.since(self.unasked_at) > AGAIN_NS;
        rfq.leaving = true;
        if due {
            self.unasked_at = at;
        }
        due.then_some(rfq_id)
    }

    /// A quote is being executed: nothing more can be had of it, unless the execution never happens.
    pub(super) fn take(&mut self, at: Nanos, deal: &Deal) {
        let Deal { quote_id, legs, .. } = *deal;
        self.taken = Some(Taken { quote_id, legs, heard_at: at, gone: false });
        if let Some(place) = self.place_of(quote_id) {
            self.talk.offers[place] = None;
        }
    }

    /// True while the quote taken can still be had: it is listed as it was, for an RFQ that is open.
    pub(super) fn has_taken(&self, at: Nanos, deal: &Deal) -> bool {
        let open =
            self.talk.rfq.is_some_and(|rfq| rfq.rfq_id == Some(deal.rfq_id) && !rfq.leaving && at < rfq.valid_until);
        open && self.taken.is_some_and(|taken| taken.quote_id == deal.quote_id && !taken.gone)
    }

    /// The execution under way will not happen.
    pub(super) fn untake(&mut self) {
        self.taken = None;
    }

    /// The RFQ under way and its quotes are gone.
    pub(super) fn clear(&mut self) {
        self.taken = None;
        self.talk.rfq = None;
        self.talk.offers = [None; OFFERS];
    }

    /// The venue's word about an RFQ of this vault; its times become ours by `offset_ns`, venue clock minus ours.
    pub(super) fn on_rfq(&mut self, row: &RfqRow, offset_ns: i64) -> Heard {
        let ours = self.talk.rfq.as_mut().filter(|rfq| match rfq.rfq_id {
            Some(rfq_id) => rfq_id == row.rfq_id,
            None => rfq.name == row.name && row.name.0 > 0,
        });
        let Some(rfq) = ours else {
            return match row.status {
                RfqStatus::Open => Heard::Stray(row.rfq_id),
                _ => Heard::Over(row.rfq_id),
            };
        };
        if row.status != RfqStatus::Open {
            self.clear();
            return Heard::Over(row.rfq_id);
        }
        let before = *rfq;
        rfq.rfq_id = Some(row.rfq_id);
        rfq.opened_at = row.created_at.shifted(-offset_ns);
        rfq.valid_until = row.valid_until.shifted(-offset_ns);
        rfq.filled = row.filled;
        if *rfq == before { Heard::Nothing } else { Heard::Changed }
    }

    /// The venue did not take the RFQ, or cannot say: true if it was the one under way. One that opens after all is
    /// withdrawn as a stray; it binds us to nothing.
    pub(super) fn on_refused(&mut self, name: Nonce) -> bool {
        let ours = self.talk.rfq.is_some_and(|rfq| rfq.name == name);
        if ours {
            self.clear();
        }
        ours
    }

    /// A quote; true if the open quotes changed.
    pub(super) fn on_quote(&mut self, at: Nanos, row: &QuoteRow, offset_ns: i64) -> bool {
        let Some(rfq) = self.talk.rfq.filter(|rfq| rfq.rfq_id == Some(row.rfq_id)) else { return false };
        let place = self.place_of(row.quote_id);
        let taken = self.taken.as_mut().filter(|taken| taken.quote_id == row.quote_id);
        let offered = taken.is_none();
        if let Some(taken) = taken {
            taken.heard_at = at;
            taken.gone |= row.status != RfqStatus::Open || row.legs != taken.legs;
        }
        let usable =
            offered && row.direction == Side::Sell && row.status == RfqStatus::Open && is_share(&rfq.wish, &row.legs);
        if !usable {
            return place.is_some_and(|place| self.talk.offers[place].take().is_some());
        }
        let offer = Offer {
            quote_id: row.quote_id,
            maker: row.maker,
            created_at: row.created_at.shifted(-offset_ns),
            filled: row.filled,
            legs: row.legs,
            fee: row.fee,
        };
        let Some(place) = place.or_else(|| self.free_place(&offer)) else { return false };
        self.heard_at[place] = at;
        let before = self.talk.offers[place].replace(offer);
        before != Some(offer)
    }

    /// Quotes not heard of since `asked_at` are gone; true if there were any.
    pub(super) fn on_complete(&mut self, rfq_id: Uuid, asked_at: Nanos) -> bool {
        if self.talk.rfq.is_none_or(|rfq| rfq.rfq_id != Some(rfq_id)) {
            return false;
        }
        let mut gone = false;
        for (offer, heard_at) in self.talk.offers.iter_mut().zip(self.heard_at) {
            gone |= heard_at < asked_at && offer.take().is_some();
        }
        if let Some(taken) = &mut self.taken {
            taken.gone |= taken.heard_at < asked_at;
        }
        gone
    }

    /// The venue refused an execution.
    pub(super) fn on_execution_refused(&mut self, code: i32, maker: u64) {
        self.untake();
        self.talk.refusals = self.talk.refusals.wrapping_add(1);
        self.talk.last_refusal = Some((code, maker));
    }

    /// Drops what time has ended; true if something changed.
    pub(super) fn age(&mut self, at: Nanos) -> bool {
        let over = self.talk.rfq.is_some_and(|rfq| {
            let unanswered = rfq.rfq_id.is_none() && at.since(rfq.opened_at) > ANSWER_NS_MAX;
            unanswered || at > rfq.valid_until.plus(AGAIN_NS)
        });
        if over {
            self.clear();
        }
        over
    }

    /// Whose quote it is, zero if it is not open.
    pub(super) fn maker_of(&self, quote_id: Uuid) -> u64 {
        self.place_of(quote_id).and_then(|place| self.talk.offers[place]).map_or(0, |offer| offer.maker)
    }

    fn place_of(&self, quote_id: Uuid) -> Option<usize> {
        self.talk.offers.iter().position(|offer| offer.is_some_and(|offer| offer.quote_id == quote_id))
    }

    /// An empty place, or that of the dearest quote if the new one is cheaper.
    fn free_place(&self, new: &Offer) -> Option<usize> {
        if let Some(place) = self.talk.offers.iter().position(Option::is_none) {
            return Some(place);
        }
        let dearest = (0..OFFERS).max_by_key(|place| self.talk.offers[*place].map_or(0, |offer| unit_cost(&offer)))?;
        let worst = self.talk.offers[dearest].map_or(0, |offer| unit_cost(&offer));
        (unit_cost(new) < worst).then_some(dearest)
    }
}

/// Cost of one unit before fees, 1e-9.
fn unit_cost(offer: &Offer) -> i128 {
    let amount = i128::from(offer.legs[0].leg.amount.raw()).max(1);
    crate::base::num::div_round(package_cost(&offer.legs).raw(), amount, Rounding::Ceil)
}

/// The same legs at positive prices, whole or in one proportion.
fn is_share(wish: &RfqWish, legs: &[PricedLeg; LEGS]) -> bool {
    let pairs = || wish.legs.iter().zip(legs);
    let same = pairs().all(|(asked, PricedLeg { leg, price })| {
        leg.instrument == asked.instrument
            && leg.side == asked.side
            && leg.amount.is_positive()
            && leg.amount <= asked.amount
            && price.is_positive()
    });
    let wide =
        |at: usize, other: usize| i128::from(legs[at].leg.amount.raw()) * i128::from(wish.legs[other].amount.raw());
    same && wide(0, 1) == wide(1, 0)
}
