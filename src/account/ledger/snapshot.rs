//! The venue's whole picture of an account against ours: compared, and taken over where ours is in doubt.

use super::adoption::{Adoption, LISTED};
use super::{Effect, Ledger, to_amount};
use crate::account::holdings::Holdings;
use crate::account::order::LiveOrder;
use crate::account::positions::Positions;
use crate::base::ids::{InstrumentId, Nonce, Side};
use crate::base::num::{Amount, Cash};
use crate::base::time::{Nanos, SEC};
use crate::msg::{Life, OrderRow, Snapshot};

/// The rows of a settlement come one by one: what is still missing after so long does not belong to it.
const SETTLEMENT_NS: u64 = 3 * SEC;

/// Result of a finished snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reconciled {
    /// The venue and we agree.
    Agrees,
    /// Truth was uncertain and now is the venue's.
    Adopted,
    /// The venue has said twice what we knew of nothing that explains: its numbers are taken over, and a person should
    /// look (M8).
    Overruled,
    /// Facts arrived while it was taken: it proves nothing.
    Inconclusive,
    /// The venue and we differ without a reason.
    Differs,
}

/// What a snapshot has said so far.
#[derive(Clone, Copy, Debug, Default, Hash)]
pub(super) struct Draft {
    options: Positions,
    base: Amount,
    cash: Cash,
    perp: Amount,
    perp_cost: Cash,
    funding: Cash,
    open: [(Nonce, Amount); LISTED],
    open_count: usize,
    stranger: bool,
    revenant: bool,
    liquidation: bool,
}

impl Ledger {
    /// One part of a snapshot; `Some` when it is complete.
    pub fn on_snapshot(&mut self, at: Nanos, part: &Snapshot, tolerance: Cash) -> (Effect, Option<Reconciled>) {
        match *part {
            Snapshot::Begin { liquidation, .. } => self.draft = Draft { liquidation, ..Draft::default() },
            Snapshot::Collateral { currency, amount } if currency == self.book.base_currency => {
                self.draft.base = to_amount(amount);
            }
            Snapshot::Collateral { currency, amount } if currency == self.book.cash_currency => {
                self.draft.cash = amount;
            }
            Snapshot::Collateral { .. } => {}
            Snapshot::Position { instrument, amount, mark, unsettled, funding } => {
                if Some(instrument) == self.book.perp {
                    self.draft.perp = amount;
                    self.draft.perp_cost = mark.times(amount) - unsettled;
                    self.draft.funding = funding;
                } else if self.book.options.is_some() {
                    self.draft.stranger |= !self.draft.options.set(instrument, amount);
                } else if !amount.is_zero() {
                    self.draft.stranger = true;
                }
            }
            Snapshot::OpenOrder(row) => return (self.on_open_order(&row), None),
            Snapshot::End { asked_at } => return self.finish_snapshot(at, asked_at, tolerance),
        }
        (Effect::None, None)
    }

    fn on_open_order(&mut self, row: &OrderRow) -> Effect {
        let count = self.draft.open_count;
        if count < LISTED && !self.draft.open[..count].iter().any(|(nonce, _)| *nonce == row.nonce) {
            self.draft.open[count] = (row.nonce, row.filled);
            self.draft.open_count += 1;
        }
        let buried = self.buried.contains(row.nonce);
        match self.order_mut(row.nonce) {
            Some(order) => {
                order.confirm();
                Effect::Changed
            }
            // Most likely its end and this list crossed on the way; a cancel too many costs one message, an order
            // nobody counts costs its whole amount.
            None if buried => {
                self.draft.revenant = true;
                Effect::Revenant { nonce: row.nonce, instrument: row.instrument }
            }
            None => Effect::Foreign { nonce: row.nonce, instrument: row.instrument },
        }
    }

    /// When the snapshot that balances were last proved by was asked for.
    pub fn proved_at(&self) -> Nanos {
        self.proved_at
    }

    /// Balances are the venue's now, and with them the fills of listed orders: no fewer, or every replacement would be
    /// refused for it (Derive 11028); no more, or a fill that was told after a snapshot had shown it would count twice
    /// against what is reserved.
    fn adopt_fills(&mut self) {
        let listed = self.draft.open;
        for (nonce, filled) in &listed[..self.draft.open_count] {
            if let Some(order) = self.order_mut(*nonce) {
                order.booked = *filled;
            }
        }
    }

    fn finish_snapshot(&mut self, at: Nanos, asked_at: Nanos, tolerance: Cash) -> (Effect, Option<Reconciled>) {
        if self.draft.stranger || self.draft.liquidation {
            return (Effect::Alarm, Some(Reconciled::Differs));
        }
        self.bury_absent(asked_at);
        let fresh = self.last_fact_at < asked_at;
        let doubtful = self.orders().any(|order| order.life == Life::Unknown);
        let draft = &self.draft;
        // Profit moves between perp and cash whenever the venue likes; their sum does not.
        let net = (draft.cash - draft.perp_cost) - (self.holdings.cash - self.holdings.perp_cost);
        let same = draft.base == self.holdings.base
            && draft.perp == self.holdings.perp
            && draft.options == self.options
            && net.abs() <= tolerance;
        self.flows.funding = draft.funding;
        if !fresh {
            return (Effect::None, Some(Reconciled::Inconclusive));
        }
        if !same && self.settled_at.is_some_and(|told_at| at.since(told_at) <= SETTLEMENT_NS) {
            return (Effect::None, Some(Reconciled::Inconclusive));
        }
        if !self.uncertain && !same && self.is_explained() {
            self.suspect();
            return (Effect::None, Some(Reconciled::Inconclusive));
        }
        if (!self.uncertain || self.settled_at.is_some()) && !same {
            self.mistrust();
            self.disputed = true;
            return (Effect::None, Some(Reconciled::Differs));
        }
        let was_uncertain = self.uncertain;
        let overruled = std::mem::take(&mut self.disputed) && !same;
        if !same {
            let listed = self.draft.open.map(|(nonce, _)| nonce);
            self.adoption = Some(Adoption { asked_at, ended_at: at, listed });
        }
        self.holdings = Holdings { base: draft.base, perp: draft.perp, cash: draft.cash, perp_cost: draft.perp_cost };
        self.options = draft.options;
        (self.reported, self.settled_at) = (None, None);
        self.proved_at = asked_at;
        // An order that nobody reserves for may still fill until a later snapshot lists it no more.
        self.uncertain = doubtful || draft.revenant;
        let outcome = match was_uncertain {
            _ if overruled => Reconciled::Overruled,
            true => Reconciled::Adopted,
            false => Reconciled::Agrees,
        };
        self.adopt_fills();
        (Effect::Changed, Some(outcome))
    }

    /// True if orders whose fate is not told yet may have made the difference: their fills are still travelling.
    fn is_explained(&self) -> bool {
        let travels = |order: &&LiveOrder| matches!(order.life, Life::Pending | Life::Leaving);
        let open = |instrument: InstrumentId, side: Side| {
            let of_it = |order: &&LiveOrder| (order.wish.instrument, order.wish.side) == (instrument, side);
            self.orders().filter(travels).filter(of_it).map(|order| order.open()).sum::<Amount>()
        };
        let within = |difference: Amount, instrument: InstrumentId| {
            -open(instrument, Side::Sell) <= difference && difference <= open(instrument, Side::Buy)
        };
        let (book, draft, held) = (&self.book, &self.draft, &self.holdings);
        let (base, perp) = (draft.base - held.base, draft.perp - held.perp);
        let options = draft.options != self.options;
        let is_option =
            |order: &&LiveOrder| order.wish.instrument != book.base && Some(order.wish.instrument) != book.perp;
        // Cash alone is moved by no fill.
        (options || !base.is_zero() || !perp.is_zero())
            && (!options || self.orders().filter(travels).any(|order| is_option(&order)))
            && within(base, book.base)
            && book.perp.map_or(perp.is_zero(), |instrument| within(perp, instrument))
    }

    /// Deals with orders a snapshot does not list although they had arrived, or the venue would have refused them as late
    /// by then. One that seemed to rest becomes doubtful first, because its last fill may still be travelling, as it is
    /// where a list shows more filled than was told; a doubtful one is dead.
    fn bury_absent(&mut self, asked_at: Nanos) {
        let open = self.draft.open;
        let listed = &open[..self.draft.open_count];
        if self.draft.open_count == LISTED {
            return;
        }
        let mut travelling = false;
        for place in &mut self.orders {
            let Some(order) = place else { continue };
            if let Some((_, filled)) = listed.iter().find(|(nonce, _)| *nonce == order.nonce) {
                // A fill of it is still travelling.
                travelling |= *filled > order.booked;
                continue;
            }
            // One that rested cannot be late any more.
            let known = order.life == Life::Open && order.approved_at < asked_at;
            if order.reject_after >= asked_at && !known {
                continue;
            }
            match order.life {
                Life::Unknown => {
                    self.buried.insert(order.nonce);
                    *place = None;
                }
                Life::Open | Life::Leaving => {
                    order.life = Life::Unknown;
                    travelling = true;
                }
                Life::Pending | Life::Empty => {}
            }
        }
        if travelling {
            self.suspect();
        }
    }
}
