//! Settlement on a chain (v2): a fill counts at once, but stands only when the chain has taken it.
//!
//! The exchange has no chain. It hands over what was signed for every match or execution, and a [`SettlementAuthority`]
//! beside it answers, now or later; whoever drives the exchange joins the two with [`Exchange::settle_with`]. A fill that
//! the chain refuses is undone on both sides: amounts, cash, fees and funding go back, orders stay as they were filled.
//!
//! What v2 says of fills on their way, `tx_status` and `tx_hash`, is told on `{subaccount}.trades` at every change and on
//! `….trades.{tx_status}` when a fill comes into that state.

use super::account::{Holding, Subaccount};
use super::catalog::Kind;
use super::eip712::Action;
use super::execution::Deal;
use super::money::truncate;
use super::options::OptionPosition;
use super::order::{Order, TradeRow};
use super::outbox::Outbox;
use super::position::Position;
use super::{Dialect, Exchange, Owner};
use crate::base::ids::Uuid;
use crate::base::time::Nanos;
use alloy_primitives::{Address, B256, keccak256};
use rust_decimal::Decimal;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// How far a fill has come on the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TxStatus {
    /// Matched; no transaction yet.
    Requested,
    /// In a transaction.
    Pending,
    /// In a block.
    Settled,
    /// Refused by the chain, and undone.
    Reverted,
}

impl TxStatus {
    /// Every state.
    pub const ALL: [TxStatus; 4] = [TxStatus::Requested, TxStatus::Pending, TxStatus::Settled, TxStatus::Reverted];

    /// The venue's word.
    pub const fn wire(self) -> &'static str {
        match self {
            TxStatus::Requested => "requested",
            TxStatus::Pending => "pending",
            TxStatus::Settled => "settled",
            TxStatus::Reverted => "reverted",
        }
    }

    /// True if nothing can follow.
    pub const fn is_final(self) -> bool {
        matches!(self, TxStatus::Settled | TxStatus::Reverted)
    }
}

/// Where a fill stands on the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tx {
    /// How far it has come.
    pub status: TxStatus,
    /// The transaction, once there is one.
    pub hash: Option<B256>,
}

/// One signed side of a match or execution. Accounts of the house sign nothing and have none.
#[derive(Clone, Debug)]
pub struct SettlementAction {
    /// What was signed.
    pub action: Action,
    /// Its digest in the exchange's domain.
    pub digest: B256,
    /// The signature as sent to the API, hex.
    pub signature: String,
    /// The owner's contract is to approve it inside the settlement.
    pub atomic: bool,
    /// What the contract needs to know beside the action: the legs of an execution and its quote, empty for all else.
    pub extra_data: Vec<u8>,
    /// Amount filled of an order, the share of an execution or quote: 1.
    pub filled: Decimal,
    /// Price an order was filled at; zero for an execution, whose legs have their own.
    pub price: Decimal,
    /// Fee charged for it, of an execution or quote that of all legs.
    pub fee: Decimal,
}

/// A match or execution to be settled, all or nothing.
#[derive(Clone, Debug)]
pub struct SettlementRequest {
    /// Its name.
    pub id: Uuid,
    /// What was signed for it, the taker's first. Empty between accounts of the house.
    pub actions: Vec<SettlementAction>,
    /// Marks of every spot and perp when it was matched, by instrument: what signed feeds tell a chain. Empty if `actions`
    /// is.
    pub marks: Vec<(Arc<str>, Decimal)>,
}

/// What has become of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettlementVerdict {
    /// The request's name.
    pub id: Uuid,
    /// How far it has come.
    pub status: TxStatus,
    /// The transaction, if there is one.
    pub hash: Option<B256>,
}

/// Whoever settles. None of its methods may wait: it is asked between two requests to the exchange.
pub trait SettlementAuthority: Send {
    /// Takes a request.
    fn submit(&mut self, at: Nanos, request: SettlementRequest);
    /// The next verdict that is due.
    fn poll(&mut self, at: Nanos) -> Option<SettlementVerdict>;
    /// When to poll next, seen from `at`; `None` while nothing is under way.
    fn next_due(&self, at: Nanos) -> Option<Nanos>;
}

/// Settles everything after a while, without a chain: pending at half the time, settled at the whole.
#[derive(Clone, Debug)]
pub struct Always {
    delay_ns: u64,
    waiting: BTreeMap<(Nanos, u64), SettlementVerdict>,
    submitted: u64,
}

impl Always {
    /// With so much time between a fill and its settlement.
    pub fn after(delay_ns: u64) -> Always {
        Always { delay_ns, waiting: BTreeMap::new(), submitted: 0 }
    }
}

impl SettlementAuthority for Always {
    fn submit(&mut self, at: Nanos, request: SettlementRequest) {
        let digests: Vec<u8> = request.actions.iter().flat_map(|side| side.digest.0).collect();
        let hash = Some(keccak256([&request.id.0.to_be_bytes()[..], &digests].concat()));
        self.submitted += 1;
        for (status, after_ns) in [(TxStatus::Pending, self.delay_ns / 2), (TxStatus::Settled, self.delay_ns)] {
            // Both may be due at once: the state comes second in the order, so that it ends settled.
            let place = self.submitted * 2 + u64::from(status == TxStatus::Settled);
            self.waiting.insert((at.plus(after_ns), place), SettlementVerdict { id: request.id, status, hash });
        }
    }

    fn poll(&mut self, at: Nanos) -> Option<SettlementVerdict> {
        let first = self.waiting.first_entry().filter(|entry| entry.key().0 <= at)?;
        Some(first.remove())
    }

    fn next_due(&self, _: Nanos) -> Option<Nanos> {
        self.waiting.keys().next().map(|(due, _)| *due)
    }
}

/// How balances name what is given back.
const REVERT: &str = "onchain_revert";

/// Amount before and after, and of what.
type Change = (Decimal, Decimal, Arc<str>);

/// The account's holding in what was traded, as it was before.
#[derive(Clone, Debug)]
enum Before {
    Spot(Holding),
    Perp(Position),
    Option(OptionPosition),
}

/// One side of a deal as it was booked.
#[derive(Clone, Debug)]
struct Booked {
    sub: u64,
    instrument: usize,
    name: Arc<str>,
    signed: Decimal,
    price: Decimal,
    fee: Decimal,
    extra_fee: Decimal,
    /// Aggregate funding at the fill.
    aggregate: Decimal,
    before: Before,
}

/// Fills that are on their way.
#[derive(Clone, Debug, Default)]
pub struct Settling {
    unsent: VecDeque<SettlementRequest>,
    open: BTreeMap<Uuid, Vec<Booked>>,
    /// Deposits and withdrawals.
    pub(super) movements: super::capital::Movements,
}

impl Exchange {
    /// True if fills settle on a chain.
    pub(super) fn settles(&self) -> bool {
        self.settings.dialect() == Dialect::V2
    }

    /// Where a fresh fill stands; nowhere on v3.
    pub(super) fn fresh_tx(&self) -> Option<Tx> {
        self.settles().then_some(Tx { status: TxStatus::Requested, hash: None })
    }

    /// Remembers one side of a deal that is about to be booked, so that it can be undone.
    pub(super) fn note_unsettled(
        &mut self,
        (id, ix): (u64, usize),
        signed: Decimal,
        deal: &Deal,
        (fee, extra_fee): (Decimal, Decimal),
    ) {
        let Some(sub) = self.subs.get(&id).filter(|_| self.settles()) else { return };
        let instrument = &self.instruments[ix];
        let before = match instrument.kind {
            Kind::Erc20 => Before::Spot(sub.holdings.get(instrument.base).cloned().unwrap_or_default()),
            Kind::Perp => Before::Perp(sub.positions.get(&ix).cloned().unwrap_or_default()),
            Kind::Option => Before::Option(sub.options.get(&ix).cloned().unwrap_or_default()),
        };
        let booked = Booked {
            sub: id,
            instrument: ix,
            name: instrument.name.clone(),
            signed,
            price: deal.price,
            fee,
            extra_fee,
            aggregate: self.markets[ix].perp.aggregate_funding,
            before,
        };
        self.settling.open.entry(deal.op_uuid).or_default().push(booked);
    }

    /// An order's side of a match, as settlement wants it; none for the house.
    pub(super) fn settlement_of(&self, order: &Order, row: &TradeRow) -> Option<SettlementAction> {
        let sub = self.subs.get(&order.sub).filter(|sub| !sub.house && self.settles())?;
        let action = self.order_action(order, sub.wallet).ok()?;
        let digest = action.digest(self.domain);
        let (signature, atomic) = (order.signature.clone(), order.atomic);
        let (filled, price, fee) = (row.amount, row.price, row.fee + row.extra_fee);
        Some(SettlementAction { action, digest, signature, atomic, extra_data: Vec::new(), filled, price, fee })
    }

    /// Queues a deal for settlement.
    pub(super) fn ask_settlement(&mut self, id: Uuid, actions: impl IntoIterator<Item = Option<SettlementAction>>) {
        if self.settles() {
            let actions: Vec<_> = actions.into_iter().flatten().collect();
            let marks = if actions.is_empty() { Vec::new() } else { self.marks() };
            self.settling.unsent.push_back(SettlementRequest { id, actions, marks });
        }
    }

    /// Marks of every spot and perp.
    fn marks(&self) -> Vec<(Arc<str>, Decimal)> {
        let marked = self.instruments.iter().enumerate().filter(|(_, instrument)| instrument.kind != Kind::Option);
        marked.map(|(ix, instrument)| (instrument.name.clone(), self.mark_of(ix))).collect()
    }

    /// Deals that are neither settled nor reverted, in which a subaccount has a side.
    pub fn unsettled_of(&self, sub: u64) -> usize {
        self.settling.open.values().filter(|sides| sides.iter().any(|side| side.sub == sub)).count()
    }

    /// Hands every new request to an authority and books its verdicts.
    pub fn settle_with(&mut self, authority: &mut dyn SettlementAuthority, at: Nanos, out: &mut Outbox) {
        while let Some(request) = self.settling.unsent.pop_front() {
            authority.submit(at, request);
        }
        while let Some(verdict) = authority.poll(at) {
            self.settle(&verdict, at, out);
        }
    }

    /// Books a verdict. One about a deal that is over, or that says no more than is known, changes nothing.
    pub fn settle(&mut self, verdict: &SettlementVerdict, at: Nanos, out: &mut Outbox) {
        self.advance(at);
        if self.settle_movement(verdict, at, out) {
            return;
        }
        let Some(sides) = self.settling.open.get(&verdict.id) else { return };
        let mut status = verdict.status;
        if status == TxStatus::Reverted && sides.iter().any(|side| self.is_paid_out(side)) {
            // Nothing of it is left to give back: its option has become cash.
            status = TxStatus::Settled;
        }
        if status.is_final()
            && let Some(sides) = self.settling.open.remove(&verdict.id)
            && status == TxStatus::Reverted
        {
            sides.into_iter().rev().for_each(|side| self.undo(side));
        }
        self.move_rows(verdict.id, Tx { status, hash: verdict.hash });
        self.flush(out);
    }

    /// True if an option traded has been settled since, or its place has another instrument.
    fn is_paid_out(&self, side: &Booked) -> bool {
        let instrument = &self.instruments[side.instrument];
        instrument.name != side.name || instrument.settlement.is_some()
    }

    /// Moves the fills of a deal to a state in every record, and tells those that moved.
    fn move_rows(&mut self, op: Uuid, tx: Tx) {
        let moves = |row: &&mut TradeRow| row.op_uuid == op && row.tx.is_some_and(|old| old.status < tx.status);
        self.public_trades.iter_mut().rev().filter(moves).for_each(|row| row.tx = Some(tx));
        let mut told = Vec::new();
        for sub in self.subs.values_mut() {
            let moved = sub.trades.iter_mut().rev().filter(moves);
            told.extend(moved.map(|row| {
                row.tx = Some(tx);
                row.clone()
            }));
        }
        told.iter().for_each(|row| self.tell_trade(row));
    }

    /// Gives one side back.
    fn undo(&mut self, side: Booked) {
        let (fee, extra_fee) = (side.fee, side.extra_fee);
        self.house.fees -= fee + extra_fee;
        if let Some(sub) = self.subs.get_mut(&side.sub) {
            sub.fees_paid -= fee + extra_fee;
        }
        let (before, after, name) = match &side.before {
            Before::Spot(held) => self.undo_spot(&side, held),
            Before::Perp(held) => self.undo_perp(&side, held),
            Before::Option(held) => self.undo_option(&side, held),
        };
        if self.instruments[side.instrument].kind != Kind::Erc20 {
            let interest = &mut self.markets[side.instrument].open_interest;
            *interest += after.max(Decimal::ZERO) - before.max(Decimal::ZERO);
        }
        self.note_balance(side.sub, &name, before, after, REVERT);
    }

    fn undo_spot(&mut self, side: &Booked, held: &Holding) -> Change {
        let base = self.instruments[side.instrument].base;
        let change = self.with_account(side.sub, |sub| {
            let holding = sub.holdings.entry(base).or_default();
            let before = holding.amount;
            holding.amount -= side.signed;
            if holding.amount == held.amount {
                *holding = held.clone();
            }
            (before, holding.amount)
        });
        self.move_cash(side.sub, truncate(side.price * side.signed) + side.fee + side.extra_fee, REVERT);
        (change.0, change.1, base.into())
    }

    /// What was gained since on the amount goes back with it: profit against the mark of now, and funding.
    fn undo_perp(&mut self, side: &Booked, held: &Position) -> Change {
        let ix = side.instrument;
        let (mark, aggregate) = (self.mark_of(ix), self.markets[ix].perp.aggregate_funding);
        let funding = truncate(side.signed * (aggregate - side.aggregate));
        let mut cash = funding - truncate((mark - side.price) * side.signed);
        let change = self.with_account(side.sub, |sub| {
            let position = sub.positions.entry(ix).or_insert_with(|| Position {
                settled_mark: mark,
                settled_funding: aggregate,
                ..Position::default()
            });
            let before = position.amount;
            let settled = position.settle(mark, aggregate);
            cash += settled.pnl + settled.funding;
            position.cumulative_funding += funding;
            sub.funding_paid -= settled.funding + funding;
            position.amount -= side.signed;
            if position.amount == held.amount {
                position.restore(held);
            }
            let after = position.amount;
            if after.is_zero() {
                sub.positions.remove(&ix);
            }
            (before, after)
        });
        self.house.perp_clearing -= cash;
        self.move_cash(side.sub, cash + side.fee + side.extra_fee, REVERT);
        (change.0, change.1, side.name.clone())
    }

    fn undo_option(&mut self, side: &Booked, held: &OptionPosition) -> Change {
        let change = self.with_account(side.sub, |sub| {
            let position = sub.options.entry(side.instrument).or_default();
            let before = position.amount;
            position.amount -= side.signed;
            if position.amount == held.amount {
                *position = held.clone();
            }
            let after = position.amount;
            if after.is_zero() {
                sub.options.remove(&side.instrument);
            }
            (before, after)
        });
        let premium = truncate(side.price * side.signed);
        self.house.option_clearing -= premium;
        self.move_cash(side.sub, premium + side.fee + side.extra_fee, REVERT);
        (change.0, change.1, side.name.clone())
    }

    pub(super) fn with_account(
        &mut self,
        id: u64,
        change: impl FnOnce(&mut Subaccount) -> (Decimal, Decimal),
    ) -> (Decimal, Decimal) {
        self.subs.get_mut(&id).map(change).unwrap_or_default()
    }

    /// True if a wallet is a contract that signs for itself.
    pub(super) fn is_contract(&self, wallet: Address) -> bool {
        self.settles() && self.wallets.get(&wallet).is_some_and(|w| w.owner != Owner::Key)
    }
}
