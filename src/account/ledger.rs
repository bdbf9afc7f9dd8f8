//! The single book of what a vault has and may still get: balances, live orders, reservations, worst case.
//!
//! Fills move it, once per trade id. The venue's absolute balances and snapshots check it; they overwrite it only while
//! the truth is uncertain (at start, after a lost session, after an order of unknown fate).

mod adoption;
mod fills;
mod snapshot;

pub use snapshot::Reconciled;

use crate::account::holdings::Holdings;
use crate::account::order::LiveOrder;
use crate::account::positions::Positions;
use crate::account::recent::Recent;
use crate::account::unsettled::Unsettled;
use crate::base::ids::{InstrumentId, Name, Nonce, Side, SubaccountId, Uuid, VaultId};
use crate::base::num::{Amount, Cash, Price, Rounding};
use crate::base::time::{Nanos, SEC};
use crate::msg::{Account, Asset, Balance, BalanceKind, CurrencyId, OrderRow, SLOTS};
use adoption::Adoption;
use snapshot::Draft;

/// How long the venue's balances and ours may differ before it counts: a fill and its balance travel apart.
const SETTLE_NS: u64 = SEC;

/// Which subaccount, and which of the venue's assets mean what to the vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flows {
    /// Fees paid.
    pub fees: Cash,
    /// Interest received (negative: paid).
    pub interest: Cash,
    /// Funding received, as last reported by the venue.
    pub funding: Cash,
    /// Deposits, withdrawals and transfers, in cash.
    pub transfers: Cash,
    /// Premium received for options less premium and fees paid.
    pub premium: Cash,
    /// Cash from collateral sold less cash paid for collateral, fees included.
    pub converted: Cash,
    /// Options settled into cash.
    pub settled: Cash,
}

/// What a fact did to the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing new.
    None,
    /// Something changed.
    Changed,
    /// A fill that balances taken over from the venue have shown before it was told, or may have: they stay.
    Late,
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
    /// A fill never happened: the chain has refused it, and it is undone.
    Reverted,
    /// The venue reports something only a person may explain.
    Alarm,
}

/// Positions as the venue's balance changes last named them.
#[derive(Clone, Copy, Debug, PartialEq, Hash)]
struct Reported {
    base: Amount,
    perp: Amount,
    options: Positions,
}

/// The ledger of one vault.
#[derive(Debug, Hash)]
pub struct Ledger {
    book: Book,
    holdings: Holdings,
    options: Positions,
    orders: [Option<LiveOrder>; SLOTS],
    flows: Flows,
    trades_seen: Recent<Uuid, 1024>,
    unsettled: Unsettled,
    buried: Recent<Nonce, 256>,
    settlements_seen: Recent<(Cash, Cash), 64>,
    draft: Draft,
    adoption: Option<Adoption>,
    venue_offset_ns: i64,
    reported: Option<Reported>,
    proved_at: Nanos,
    last_fact_at: Nanos,
    uncertain: bool,
    /// The last snapshot differed, and nothing but it makes the truth uncertain.
    disputed: bool,
    /// When a settlement was last told, if nothing but it makes the truth uncertain: it is booked as told, and explains no
    /// more than that.
    settled_at: Option<Nanos>,
}

impl Ledger {
    /// An empty ledger; nothing is certain until the first snapshot.
    pub fn new(book: Book) -> Ledger {
        Ledger {
            book,
            holdings: Holdings::default(),
            options: Positions::default(),
            orders: [None; SLOTS],
            flows: Flows::default(),
            trades_seen: Recent::default(),
            unsettled: Unsettled::default(),
            buried: Recent::default(),
            settlements_seen: Recent::default(),
            draft: Draft::default(),
            adoption: None,
            venue_offset_ns: 0,
            reported: None,
            proved_at: Nanos::ZERO,
            last_fact_at: Nanos::ZERO,
            uncertain: true,
            disputed: false,
            settled_at: None,
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

    /// Option positions now.
    pub fn options(&self) -> &Positions {
        &self.options
    }

    /// Money moved so far.
    pub fn flows(&self) -> &Flows {
        &self.flows
    }

    /// From now on fills are expected to settle on a chain (v2).
    pub fn expect_settlement(&mut self) {
        self.unsettled.expect();
    }

    /// True if fills settle on a chain.
    pub fn expects_settlement(&self) -> bool {
        self.unsettled.is_expected()
    }

    /// Fills that may still be taken back, one more while that is not known for certain. Zero on v3.
    pub fn unsettled(&self) -> u32 {
        self.unsettled.count()
    }

    /// True until a snapshot has settled what is true.
    pub fn is_uncertain(&self) -> bool {
        self.uncertain
    }

    /// Live orders; a package is one per leg, all of one name.
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
        self.has_room_for(1)
    }

    /// True if that many more orders, or legs, can be tracked.
    pub fn has_room_for(&self, count: usize) -> bool {
        self.orders.iter().filter(|place| place.is_none()).count() >= count
    }

    /// The live order that a fill of that name in that instrument belongs to.
    fn leg_mut(&mut self, nonce: Nonce, instrument: InstrumentId) -> Option<&mut LiveOrder> {
        self.orders.iter_mut().flatten().find(|order| order.nonce == nonce && order.wish.instrument == instrument)
    }

    /// What all live orders of one side in options may still fill.
    pub fn reserved_options(&self, side: Side, except: Option<Nonce>) -> Amount {
        let base = self.book.base;
        let mut seen = [None; SLOTS];
        let mut total = Amount::ZERO;
        for (place, order) in self.orders().enumerate() {
            let instrument = order.wish.instrument;
            if instrument != base && Some(instrument) != self.book.perp && !seen.contains(&Some(instrument)) {
                seen[place] = Some(instrument);
                total += self.reserved(instrument, side, except);
            }
        }
        total
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

    /// Venue clock minus ours: fills bear the venue's time, snapshots ours.
    pub fn sync(&mut self, venue_offset_ns: i64) {
        self.venue_offset_ns = venue_offset_ns;
    }

    /// A fact may be missing: nothing is certain until the next snapshot, and whatever that says is taken over.
    pub fn mistrust(&mut self) {
        (self.uncertain, self.disputed, self.settled_at) = (true, false, None);
    }

    /// Something does not add up: the next snapshot tells, and a difference already found stays one.
    fn suspect(&mut self) {
        (self.uncertain, self.settled_at) = (true, None);
    }

    /// The session is lost: every live order may have met any fate.
    pub fn doubt_all(&mut self) {
        self.mistrust();
        self.unsettled.lose_track();
        self.orders.iter_mut().flatten().for_each(LiveOrder::doubt);
    }

    /// One order's fate is unknown, and with it the balances; of a package, every leg's.
    pub fn doubt(&mut self, nonce: Nonce) {
        self.mistrust();
        self.legs_mut(nonce).for_each(LiveOrder::doubt);
    }

    /// The venue accepted it; of a package, every leg.
    pub fn confirm(&mut self, nonce: Nonce) {
        self.legs_mut(nonce).for_each(LiveOrder::confirm);
    }

    /// Nothing new can come of it at the venue after `at`: a snapshot asked for later shows all that ever will.
    pub fn dead_after(&mut self, nonce: Nonce, at: Nanos) {
        self.legs_mut(nonce).for_each(|order| order.reject_after = order.reject_after.min(at));
    }

    /// An end was asked for; of a package, every leg's.
    pub fn note_cancel(&mut self, nonce: Nonce, at: Nanos) {
        self.legs_mut(nonce).for_each(|order| order.cancel_asked_at = at);
    }

    fn legs_mut(&mut self, nonce: Nonce) -> impl Iterator<Item = &mut LiveOrder> {
        self.orders.iter_mut().flatten().filter(move |order| order.nonce == nonce)
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
            BalanceKind::Interest if balance.asset == Asset::Currency(self.book.base_currency) => {
                self.holdings.base += to_amount(moved);
            }
            BalanceKind::Transfer => return self.on_transfer(balance),
            BalanceKind::PerpSettlement | BalanceKind::Interest => return Effect::None,
            BalanceKind::OptionSettlement if self.book.options.is_some() => return self.on_settlement(at, balance),
            BalanceKind::OptionSettlement | BalanceKind::Alarm => {
                self.suspect();
                return Effect::Alarm;
            }
        }
        Effect::Changed
    }

    /// Something was deposited, withdrawn or transferred. What a snapshot has shown already is not booked again, and
    /// before anything is traded on it the next snapshot has to agree.
    fn on_transfer(&mut self, balance: &Balance) -> Effect {
        let moved = balance.new - balance.previous;
        if balance.asset == Asset::Currency(self.book.cash_currency) {
            if is_news(self.holdings.cash, balance) {
                self.holdings.cash += moved;
                self.flows.transfers += moved;
            }
        } else if balance.asset == Asset::Currency(self.book.base_currency) {
            if is_news(Price::ONE.times(self.holdings.base), balance) {
                self.holdings.base += to_amount(moved);
            }
        } else {
            return Effect::None;
        }
        self.mistrust();
        Effect::Changed
    }

    /// An expired option became cash: its own row takes the position away, the cash row pays. A snapshot may have told
    /// of either before; and before anything is traded on half of it, the next one has to agree.
    fn on_settlement(&mut self, at: Nanos, balance: &Balance) -> Effect {
        match balance.asset {
            Asset::Instrument(instrument) => {
                if !self.options.set(instrument, to_amount(balance.new)) {
                    self.suspect();
                    return Effect::Alarm;
                }
            }
            Asset::Currency(currency) if currency == self.book.cash_currency => {
                let first = self.settlements_seen.insert((balance.previous, balance.new));
                if first && is_news(self.holdings.cash, balance) {
                    self.holdings.cash += balance.new - balance.previous;
                    self.flows.settled += balance.new - balance.previous;
                }
            }
            Asset::Currency(_) => {
                self.suspect();
                return Effect::Alarm;
            }
        }
        let alone = !self.uncertain || self.disputed || self.settled_at.is_some();
        self.mistrust();
        self.settled_at = alone.then_some(at);
        Effect::Changed
    }

    /// True when the venue's reported positions have differed from ours for longer than a fill takes to arrive. Cash is
    /// not compared here: a perp trade also pays old profit into cash, which only a snapshot tells apart.
    pub fn differs_from_reports(&self, at: Nanos) -> bool {
        let Some(reported) = self.reported else { return false };
        at.since(self.last_fact_at) > SETTLE_NS && !self.uncertain && reported != self.believed()
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
            settling: false,
            quote_budget: 0,
            proved_at: self.proved_at,
            milestone: Default::default(),
            held: self.options.all(),
            working,
        }
    }

    /// Takes away what of an order is over; its name is buried with its last leg.
    fn bury_if_over(&mut self, nonce: Nonce) {
        for place in &mut self.orders {
            if place.is_some_and(|order| order.nonce == nonce && order.is_over()) {
                *place = None;
            }
        }
        if self.order(nonce).is_none() {
            self.buried.insert(nonce);
        }
    }

    fn believed(&self) -> Reported {
        Reported { base: self.holdings.base, perp: self.holdings.perp, options: self.options }
    }

    fn note_reported(&mut self, balance: &Balance) {
        let mut reported = self.reported.unwrap_or_else(|| self.believed());
        match balance.asset {
            Asset::Currency(currency) if currency == self.book.base_currency => reported.base = to_amount(balance.new),
            Asset::Instrument(id) if Some(id) == self.book.perp => reported.perp = to_amount(balance.new),
            Asset::Instrument(id) if self.book.options.is_some() => {
                // One too many to hold differs from what is believed already.
                let _ = reported.options.set(id, to_amount(balance.new));
            }
            _ => {}
        }
        self.reported = Some(reported);
    }
}

/// Whether a row with balances before and after tells ours something new: ours is still nearer to the one before.
fn is_news(ours: Cash, balance: &Balance) -> bool {
    (ours - balance.previous).abs() <= (ours - balance.new).abs()
}

/// A balance with venue precision as an amount, rounded down: we never hold more than the venue says.
fn to_amount(balance: Cash) -> Amount {
    balance.over_price(Price::ONE, Rounding::Floor)
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod option_tests;
