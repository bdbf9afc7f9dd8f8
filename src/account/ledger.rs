//! The single book of what a vault has and may still get: balances, live orders, reservations, worst case.
//!
//! Fills move it, once per trade id. The venue's absolute balances and snapshots check it; they overwrite it only while
//! the truth is uncertain (at start, after a lost session, after an order of unknown fate).

use crate::account::holdings::Holdings;
use crate::account::order::LiveOrder;
use crate::account::recent::Recent;
use crate::base::ids::{InstrumentId, Name, Nonce, Side, SubaccountId, Uuid, VaultId};
use crate::base::num::{Amount, Cash, Rounding};
use crate::base::time::{Nanos, SEC};
use crate::msg::{Account, Asset, Balance, BalanceKind, CurrencyId, Fill, Life, OrderRow, SLOTS, Snapshot};

/// How long the venue's balances and ours may differ before it counts: a fill and its balance travel apart.
const SETTLE_NS: u64 = SEC;
/// Resting orders, with what they have filled, remembered from one snapshot.
const FOREIGN: usize = 16;

/// Which subaccount, and which of the venue's assets mean what to the vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Book {
    /// Vault.
    pub vault: VaultId,
    /// Subaccount.
    pub subaccount: SubaccountId,
    /// Spot instrument of the base.
    pub base: InstrumentId,
    /// Perp used as hedge; none for option vaults.
    pub perp: Option<InstrumentId>,
    /// Currency of the options traded, e.g. `ETH`; none for a vault that trades none.
    pub options: Option<Name>,
    /// Currency of the base collateral.
    pub base_currency: CurrencyId,
    /// Currency of cash (USDC).
    pub cash_currency: CurrencyId,
}

/// Money that moved, by reason, since the ledger was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flows {
    /// Fees paid.
    pub fees: Cash,
    /// Interest received (negative: paid).
    pub interest: Cash,
    /// Funding received, as last reported by the venue.
    pub funding: Cash,
    /// Deposits, withdrawals and transfers, in cash.
    pub transfers: Cash,
}

/// What a fact did to the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing new.
    None,
    /// Something changed.
    Changed,
    /// An order or fill that is not ours.
    Foreign {
        /// Its nonce, zero if unreadable.
        nonce: Nonce,
        /// Its instrument.
        instrument: InstrumentId,
    },
    /// An order of ours believed to be over rests: it must be cancelled, again if need be.
    Revenant {
        /// Its name.
        nonce: Nonce,
        /// Its instrument.
        instrument: InstrumentId,
    },
    /// The venue reports something only a person may explain.
    Alarm,
}

/// Result of a finished snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reconciled {
    /// The venue and we agree.
    Agrees,
    /// Truth was uncertain and now is the venue's.
    Adopted,
    /// Facts arrived while it was taken: it proves nothing.
    Inconclusive,
    /// The venue and we differ without a reason.
    Differs,
}

#[derive(Clone, Copy, Default)]
struct Draft {
    base: Amount,
    cash: Cash,
    perp: Amount,
    perp_cost: Cash,
    funding: Cash,
    open: [(Nonce, Amount); FOREIGN],
    open_count: usize,
    stranger: bool,
    liquidation: bool,
}

/// The ledger of one vault.
pub struct Ledger {
    book: Book,
    holdings: Holdings,
    orders: [Option<LiveOrder>; SLOTS],
    flows: Flows,
    trades_seen: Recent<Uuid, 1024>,
    buried: Recent<Nonce, 256>,
    draft: Draft,
    reported: Option<(Amount, Amount)>,
    last_fact_at: Nanos,
    uncertain: bool,
}

impl Ledger {
    /// An empty ledger; nothing is certain until the first snapshot.
    pub fn new(book: Book) -> Ledger {
        Ledger {
            book,
            holdings: Holdings::default(),
            orders: [None; SLOTS],
            flows: Flows::default(),
            trades_seen: Recent::default(),
            buried: Recent::default(),
            draft: Draft::default(),
            reported: None,
            last_fact_at: Nanos::ZERO,
            uncertain: true,
        }
    }

    /// What the vault's assets are.
    pub fn book(&self) -> &Book {
        &self.book
    }

    /// Balances now.
    pub fn holdings(&self) -> &Holdings {
        &self.holdings
    }

    /// Money moved so far.
    pub fn flows(&self) -> &Flows {
        &self.flows
    }

    /// True until a snapshot has settled what is true.
    pub fn is_uncertain(&self) -> bool {
        self.uncertain
    }

    /// Live orders.
    pub fn orders(&self) -> impl Iterator<Item = &LiveOrder> {
        self.orders.iter().flatten()
    }

    /// The live order of that name.
    pub fn order(&self, nonce: Nonce) -> Option<&LiveOrder> {
        self.orders().find(|order| order.nonce == nonce)
    }

    /// The live order of that name, to move it.
    pub fn order_mut(&mut self, nonce: Nonce) -> Option<&mut LiveOrder> {
        self.orders.iter_mut().flatten().find(|order| order.nonce == nonce)
    }

    /// True if one more order can be tracked.
    pub fn has_room(&self) -> bool {
        self.orders.iter().any(Option::is_none)
    }

    /// What live orders of one side may still fill, leaving out `except`. A replacement and what it replaces share one
    /// reservation, the larger: the venue creates the new one only if the old one filled no further (Derive 11028).
    pub fn reserved(&self, instrument: InstrumentId, side: Side, except: Option<Nonce>) -> Amount {
        let matching = |order: &&LiveOrder| {
            order.wish.instrument == instrument && order.wish.side == side && Some(order.nonce) != except
        };
        let old_of = |order: &LiveOrder| order.replaces.and_then(|old| self.order(old));
        self.orders()
            .filter(matching)
            .map(|order| {
                let shared = old_of(order).filter(|old| Some(old.nonce) != except);
                let replaced = self.orders().any(|new| new.replaces == Some(order.nonce));
                match shared {
                    _ if replaced => Amount::ZERO,
                    Some(old) => order.open().max(old.open()),
                    None => order.open(),
                }
            })
            .sum()
    }

    /// Books a reservation for an approved order. The caller has checked [`Ledger::has_room`].
    pub fn reserve(&mut self, order: LiveOrder) {
        let place = self.orders.iter_mut().find(|place| place.is_none());
        let place = place.expect("risk approves an order only while a slot is free");
        *place = Some(order);
    }

    /// Releases an order that provably never reached the book or is over with all fills booked.
    pub fn release(&mut self, nonce: Nonce) {
        for place in &mut self.orders {
            if place.is_some_and(|order| order.nonce == nonce) {
                *place = None;
                self.buried.insert(nonce);
            }
        }
    }

    /// A fact may be missing: nothing is certain until the next snapshot.
    pub fn mistrust(&mut self) {
        self.uncertain = true;
    }

    /// The session is lost: every live order may have met any fate.
    pub fn doubt_all(&mut self) {
        self.uncertain = true;
        self.orders.iter_mut().flatten().for_each(LiveOrder::doubt);
    }

    /// One order's fate is unknown, and with it the balances.
    pub fn doubt(&mut self, nonce: Nonce) {
        self.uncertain = true;
        if let Some(order) = self.order_mut(nonce) {
            order.doubt();
        }
    }

    /// The venue's word about an order.
    pub fn on_order(&mut self, at: Nanos, row: &OrderRow) -> Effect {
        if row.subaccount != self.book.subaccount || self.buried.contains(row.nonce) {
            return Effect::None;
        }
        self.last_fact_at = at;
        let Some(order) = self.order_mut(row.nonce) else {
            let foreign = Effect::Foreign { nonce: row.nonce, instrument: row.instrument };
            return if row.status.is_final() { Effect::None } else { foreign };
        };
        order.on_status(row.status, row.filled);
        self.bury_if_over(row.nonce);
        Effect::Changed
    }

    /// A fill. A trade id counts once; a fill of an order we do not know still moves the position.
    pub fn on_fill(&mut self, at: Nanos, fill: &Fill) -> Effect {
        if fill.subaccount != self.book.subaccount || !self.trades_seen.insert(fill.trade_id) {
            return Effect::None;
        }
        self.last_fact_at = at;
        let signed = if fill.side == Side::Buy { fill.amount } else { -fill.amount };
        let mut after = self.holdings;
        if fill.instrument == self.book.base {
            after.book_spot(signed, fill.price, fill.fee);
        } else if Some(fill.instrument) == self.book.perp {
            after.book_perp(signed, fill.price, fill.fee);
        }
        if after == self.holdings || !after.is_plausible() {
            // Another instrument's, or a number no account can hold: only a snapshot can say what is true.
            self.uncertain = true;
            return Effect::Alarm;
        }
        self.holdings = after;
        self.flows.fees += fill.fee;
        let buried = self.buried.contains(fill.nonce);
        match self.order_mut(fill.nonce) {
            Some(order) => {
                order.booked += fill.amount;
                order.confirm();
                self.bury_if_over(fill.nonce);
                Effect::Changed
            }
            // Its order was declared dead too early; the balances must be proved again.
            None if buried => {
                self.uncertain = true;
                Effect::Changed
            }
            None => {
                self.uncertain = true;
                Effect::Foreign { nonce: fill.nonce, instrument: fill.instrument }
            }
        }
    }

    /// A balance change. Trades were booked from their fills; everything else moves the ledger here.
    pub fn on_balance(&mut self, at: Nanos, balance: &Balance) -> Effect {
        if balance.subaccount != self.book.subaccount {
            return Effect::None;
        }
        self.last_fact_at = at;
        self.note_reported(balance);
        let moved = balance.new - balance.previous;
        let is_cash = balance.asset == Asset::Currency(self.book.cash_currency);
        match balance.kind {
            BalanceKind::Trade => return Effect::None,
            BalanceKind::PerpSettlement if is_cash => {
                self.holdings.cash += moved;
                self.holdings.perp_cost += moved;
            }
            BalanceKind::Interest if is_cash => {
                self.holdings.cash += moved;
                self.flows.interest += moved;
            }
            BalanceKind::Transfer if is_cash => {
                self.holdings.cash += moved;
                self.flows.transfers += moved;
            }
            BalanceKind::Transfer | BalanceKind::Interest
                if balance.asset == Asset::Currency(self.book.base_currency) =>
            {
                self.holdings.base += to_amount(moved);
            }
            BalanceKind::PerpSettlement | BalanceKind::Interest | BalanceKind::Transfer => return Effect::None,
            BalanceKind::OptionSettlement | BalanceKind::Alarm => {
                self.uncertain = true;
                return Effect::Alarm;
            }
        }
        Effect::Changed
    }

    /// True when the venue's reported positions have differed from ours for longer than a fill takes to arrive. Cash is
    /// not compared here: a perp trade also pays old profit into cash, which only a snapshot tells apart.
    pub fn differs_from_reports(&self, at: Nanos) -> bool {
        let Some(reported) = self.reported else { return false };
        at.since(self.last_fact_at) > SETTLE_NS
            && !self.uncertain
            && reported != (self.holdings.base, self.holdings.perp)
    }

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
                } else if !amount.is_zero() {
                    self.draft.stranger = true;
                }
            }
            Snapshot::OpenOrder(row) => return (self.on_open_order(&row), None),
            Snapshot::End { asked_at } => return self.finish_snapshot(at, asked_at, tolerance),
        }
        (Effect::None, None)
    }

    /// As the strategy sees it; mode, budget and rates are the caller's to fill in.
    pub fn account(&self) -> Account {
        let mut working = [None; SLOTS];
        for (place, order) in working.iter_mut().zip(self.orders()) {
            *place = Some(order.working());
        }
        Account {
            trace: Default::default(),
            vault: self.book.vault,
            mode: Default::default(),
            base: self.holdings.base,
            perp: self.holdings.perp,
            cash: self.holdings.cash,
            perp_cost: self.holdings.perp_cost,
            borrow_apr: Default::default(),
            loss_ema: Default::default(),
            intents_seen: 0,
            intent_refused: 0,
            quote_budget: 0,
            proved_at: Nanos::ZERO,
            held: [None; crate::msg::HELD],
            working,
        }
    }

    fn bury_if_over(&mut self, nonce: Nonce) {
        if self.order(nonce).is_some_and(LiveOrder::is_over) {
            self.release(nonce);
        }
    }

    fn note_reported(&mut self, balance: &Balance) {
        let (mut base, mut perp) = self.reported.unwrap_or((self.holdings.base, self.holdings.perp));
        match balance.asset {
            Asset::Currency(currency) if currency == self.book.base_currency => base = to_amount(balance.new),
            Asset::Instrument(instrument) if Some(instrument) == self.book.perp => perp = to_amount(balance.new),
            _ => {}
        }
        self.reported = Some((base, perp));
    }

    fn on_open_order(&mut self, row: &OrderRow) -> Effect {
        let count = self.draft.open_count;
        if count < FOREIGN && !self.draft.open[..count].iter().any(|(nonce, _)| *nonce == row.nonce) {
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
            None if buried => Effect::Revenant { nonce: row.nonce, instrument: row.instrument },
            None => Effect::Foreign { nonce: row.nonce, instrument: row.instrument },
        }
    }

    /// Balances were taken over together with fills we never heard of: listed orders have filled what the venue says,
    /// or every replacement of them would be refused for it (Derive 11028).
    fn adopt_fills(&mut self) {
        let listed = self.draft.open;
        for (nonce, filled) in &listed[..self.draft.open_count] {
            if let Some(order) = self.order_mut(*nonce) {
                order.booked = order.booked.max(*filled);
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
        let same = draft.base == self.holdings.base && draft.perp == self.holdings.perp && net.abs() <= tolerance;
        self.flows.funding = draft.funding;
        if !fresh {
            return (Effect::None, Some(Reconciled::Inconclusive));
        }
        if !self.uncertain && !same {
            self.uncertain = true;
            return (Effect::None, Some(Reconciled::Differs));
        }
        let was_uncertain = self.uncertain;
        self.holdings = Holdings { base: draft.base, perp: draft.perp, cash: draft.cash, perp_cost: draft.perp_cost };
        self.reported = None;
        self.uncertain = doubtful;
        self.last_fact_at = self.last_fact_at.min(at);
        let outcome = if was_uncertain { Reconciled::Adopted } else { Reconciled::Agrees };
        if was_uncertain {
            self.adopt_fills();
        }
        (Effect::Changed, Some(outcome))
    }

    /// Deals with orders a snapshot does not list although the venue would have refused them as late by then. One that
    /// seemed to rest becomes doubtful first, because its last fill may still be travelling; a doubtful one is dead.
    fn bury_absent(&mut self, asked_at: Nanos) {
        let open = self.draft.open;
        let listed = &open[..self.draft.open_count];
        if self.draft.open_count == FOREIGN {
            return;
        }
        for place in &mut self.orders {
            let Some(order) = place else { continue };
            if order.reject_after >= asked_at || listed.iter().any(|(nonce, _)| *nonce == order.nonce) {
                continue;
            }
            match order.life {
                Life::Unknown => {
                    self.buried.insert(order.nonce);
                    *place = None;
                }
                Life::Open | Life::Leaving => {
                    order.life = Life::Unknown;
                    self.uncertain = true;
                }
                Life::Pending | Life::Empty => {}
            }
        }
    }
}

/// A balance with venue precision as an amount, rounded down: we never hold more than the venue says.
fn to_amount(balance: Cash) -> Amount {
    balance.over_price(crate::base::num::Price::ONE, Rounding::Floor)
}

#[cfg(test)]
mod tests;
