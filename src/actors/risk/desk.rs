//! One vault's corner of the risk actor: ledger, limits, mode and counters.

use super::capital::Moving;
use super::contract::Contract;
use super::ended::Ended;
use super::loss_sum::LossSums;
use super::notice::{Notice, Stats};
use super::purse::Pledge;
use super::series::Series;
use super::stance::Stop;
use super::talk::Conversation;
use super::{Out, Wallet};
use crate::account::holdings::Marks;
use crate::account::ledger::{Book, Ledger};
use crate::account::order::LiveOrder;
use crate::base::ids::{InstrumentId, Nonce, Uuid, VaultId};
use crate::base::num::{Cash, Price, Ratio, Rounding};
use crate::base::time::{Nanos, SEC};
use crate::market::decay::decayed;
use crate::msg::{
    Accrual, Fill, Guards, HeldSignature, Intent, Life, Lost, Milestone, Mode, Principal, Purpose, StopReason, Trace,
    Urgent, Value, Wish,
};
use crate::risk::capital::CapitalLimits;
use crate::risk::checks::Case;
use crate::risk::limits::Mandate;
use crate::risk::losses::Losses;
use crate::risk::mandate::ema::MarkLoss;
use crate::risk::mandate::revert::Revert;
use crate::risk::order::Order;
use crate::risk::pacing::{Class, Window};
use crate::risk::wall;

/// Oldest usable borrow rate.
const RATE_AGE_NS_MAX: u64 = 600 * SEC;

/// What a desk is opened with.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Vault, subaccount and assets.
    pub book: Book,
    /// What it may do.
    pub mandate: Mandate,
    /// What its capital may do.
    pub capital: CapitalLimits,
    /// What a vault that spends yield must keep, as its journal remembers.
    pub principal: Option<Principal>,
    /// What it has lost lately, as its journal remembers.
    pub lost: Option<Lost>,
    /// Why it was stopped before, if nobody has looked since, as its journal remembers.
    pub stopped: Option<StopReason>,
    /// The mandate's loss sum as an earlier run has left it: what it had booked, and what its last orders may have added;
    /// [`MarkLoss::NONE`] both if there was none.
    pub loss_sums: [MarkLoss; 2],
    /// A contract must sign each order before it leaves.
    pub contract_signs: bool,
    /// The last signature it was asked for, by the journal.
    pub journaled: Option<HeldSignature>,
}

/// Where reconciliation stands.
#[derive(Clone, Copy, Debug, Default, Hash)]
pub(super) struct Reconcile {
    /// When a snapshot was last asked for.
    pub asked_at: Nanos,
    /// A snapshot is under way.
    pub pending: bool,
    /// A snapshot has been taken that shows all that an earlier run had under way.
    pub settled: bool,
    /// Differences found lately.
    pub differences: Series,
    /// Orders the signer had no mark for.
    pub unmarked: Series,
}

/// One vault's corner.
#[derive(Debug, Hash)]
pub struct Desk {
    pub(super) ledger: Ledger,
    pub(super) mandate: Mandate,
    pub(super) capital: CapitalLimits,
    pub(super) moving: Option<Moving>,
    pub(super) mode: Mode,
    pub(super) base: Value,
    pub(super) perp: Value,
    /// The marks when all of them were last believed: losses are counted by these.
    believed: Option<Marks>,
    pub(super) borrow_apr: Option<(Ratio, Nanos)>,
    pub(super) stats: Stats,
    pub(super) reconcile: Reconcile,
    pub(super) intent_refused: u32,
    /// Orders that have ended, if none has counted in their place.
    pub(super) ended: Ended,
    pub(super) unknown_since: Nanos,
    pub(super) foreign_seen: bool,
    pub(super) strange_since: Option<Nanos>,
    pub(super) base_filled_at: Nanos,
    pub(super) published_at: Nanos,
    /// Whether the strategy believes that new orders would have to wait for its contract.
    pub(super) settling_told: bool,
    pub(super) sampled_at: Nanos,
    pub(super) conversation: Conversation,
    pub(super) stray: (Uuid, Nanos),
    /// The phase the strategy last said, with what was spent in it.
    pub(super) milestone: Milestone,
    pub(super) pledge: Option<Pledge>,
    /// What it must keep; buyers of spreads only.
    pub(super) principal: Option<Principal>,
    /// What a unit of collateral has earned, as last known.
    pub(super) accrual: Option<Accrual>,
    /// The loss sum of the mandate's contract, in its own decay; Delta-1 only.
    pub(super) loss_sums: LossSums,
    /// The contract that signs, if one does.
    pub(super) contract: Option<Contract>,
    intents_seen: u32,
    loss: (Ratio, Nanos),
    /// How long its base has been seen off its peg, and the last look if it showed that.
    pub(super) off_peg_ns: u64,
    pub(super) off_peg_at: Option<Nanos>,
    /// Since when its delta has been outside its band, and whether that was said.
    pub(super) unhedged: Option<(Nanos, bool)>,
    pub(super) losses: Losses,
    /// Its losses as last journaled.
    pub(super) lost_told: Lost,
    fills: FillRate,
    /// Unsettled fills as last told.
    settlement_told: Option<u32>,
    /// Only a restart lets it trade again.
    pub(super) demands_restart: bool,
    /// It has been said that the clocks disagree.
    pub(super) clocks_apart: bool,
    pub(super) stop: Stop,
}

/// Fills of the last minute, in six slices.
#[derive(Clone, Copy, Debug, Default, Hash)]
struct FillRate {
    slices: [u32; 7],
    newest: u64,
}

impl FillRate {
    const SLICE_NS: u64 = 10_000_000_000;

    fn advance(&mut self, at: Nanos) {
        let slice = at.0 / Self::SLICE_NS;
        let steps = slice.saturating_sub(self.newest).min(self.slices.len() as u64);
        for step in 1..=steps {
            self.slices[((self.newest + step) % self.slices.len() as u64) as usize] = 0;
        }
        self.newest = self.newest.max(slice);
    }

    fn count(&mut self, at: Nanos) {
        self.advance(at);
        self.slices[(self.newest % self.slices.len() as u64) as usize] += 1;
    }

    fn last_minute(mut self, at: Nanos) -> u32 {
        self.advance(at);
        self.slices.iter().sum()
    }
}

impl Desk {
    pub(super) fn new(plan: Plan) -> Desk {
        Desk {
            ledger: Ledger::new(plan.book),
            mandate: plan.mandate,
            capital: plan.capital,
            moving: plan.journaled.as_ref().and_then(Moving::inherited),
            mode: if plan.stopped.is_some() { Mode::Drain } else { Mode::Starting },
            base: Value::default(),
            believed: None,
            perp: Value::default(),
            borrow_apr: None,
            stats: Stats::default(),
            reconcile: Reconcile::default(),
            intent_refused: 0,
            ended: Ended::default(),
            unknown_since: Nanos::ZERO,
            foreign_seen: false,
            strange_since: None,
            base_filled_at: Nanos::ZERO,
            published_at: Nanos::ZERO,
            settling_told: false,
            sampled_at: Nanos::ZERO,
            conversation: Conversation::new(plan.book.vault),
            stray: Default::default(),
            milestone: Milestone::default(),
            pledge: None,
            principal: plan.principal,
            accrual: None,
            loss_sums: LossSums::left_behind(plan.loss_sums),
            contract: plan.contract_signs.then(Contract::new),
            intents_seen: 0,
            loss: wall::basis::lost(plan.loss_sums[0]),
            off_peg_ns: 0,
            off_peg_at: None,
            unhedged: None,
            losses: plan.lost.as_ref().map(Losses::inherited).unwrap_or_default(),
            lost_told: plan.lost.unwrap_or_default(),
            fills: FillRate::default(),
            settlement_told: None,
            demands_restart: false,
            clocks_apart: false,
            stop: Stop::inherited(plan.stopped),
        }
    }

    pub(super) fn vault(&self) -> VaultId {
        self.ledger.book().vault
    }

    pub(super) fn trades(&self, instrument: InstrumentId) -> bool {
        let book = self.ledger.book();
        instrument == book.base || Some(instrument) == book.perp
    }

    /// Marks of base and perp; a vault without a perp needs none for it.
    pub(super) fn marks(&self) -> Option<Marks> {
        let perp = if self.ledger.book().perp.is_some() { self.perp.mark } else { self.base.mark };
        let marks = Marks { base: self.base.mark, perp };
        (marks.base.is_positive() && marks.perp.is_positive()).then_some(marks)
    }

    pub(super) fn on_value(&mut self, value: &Value) {
        if value.instrument == self.ledger.book().base {
            self.base = *value;
            self.accrual = value.accrual.or(self.accrual);
        } else if Some(value.instrument) == self.ledger.book().perp {
            self.perp = *value;
        }
        self.believed = self.marks().filter(|_| self.believes_marks()).or(self.believed);
    }

    /// True unless a mark has jumped and too few tickers have borne it out yet.
    fn believes_marks(&self) -> bool {
        !self.base.guards.with(self.perp.guards).has(Guards::UNCONFIRMED)
    }

    /// What losses are counted by: the last marks believed, and whether they are those of now.
    pub(super) fn believed_marks(&self) -> Option<(Marks, bool)> {
        let now = self.believes_marks() && self.marks().is_some();
        self.believed.map(|marks| (marks, now))
    }

    /// Tells how many fills are unsettled, if that has changed.
    pub(super) fn tell_settlement(&mut self, out: &mut Out) {
        let unsettled = self.ledger.unsettled();
        let news = self.ledger.expects_settlement() && self.settlement_told != Some(unsettled);
        if news && out.notices.room() > 0 {
            self.settlement_told = Some(unsettled);
            out.notices.push(Notice::Settlement { vault: self.vault(), unsettled });
        }
    }

    /// Notes a wish; true if whoever made it knew what became of every wish decided on before.
    pub(super) fn heard_intent(&mut self, intent: &Intent) -> bool {
        let informed = intent.after == self.intents_seen;
        self.intents_seen = self.intents_seen.max(intent.seq);
        informed
    }

    pub(super) fn loss_ema(&self, at: Nanos) -> Ratio {
        decayed(self.loss.0, self.mandate.loss_decay_e18(), at.since(self.loss.1))
    }

    /// The venue's annual borrow rate, if it was read recently.
    pub(super) fn borrow_apr(&self, at: Nanos) -> Option<Ratio> {
        self.borrow_apr.filter(|(_, read_at)| at.since(*read_at) <= RATE_AGE_NS_MAX).map(|(apr, _)| apr)
    }

    pub(super) fn fills_last_minute(&self, at: Nanos) -> u32 {
        self.fills.last_minute(at)
    }

    /// A check refused a wish; the mandate's contract says why by name.
    pub(super) fn refused(&mut self, row: usize, why: Option<Revert>, seq: u32) {
        self.stats.refused[row] += 1;
        why.into_iter().for_each(|revert| self.stats.reverts.note(revert));
        self.intent_refused = seq;
    }

    /// Books the reservation of a granted order and takes the replaced one off the strategy's hands.
    pub(super) fn grant(&mut self, at: Nanos, order: &Order, live: LiveOrder) {
        match (order.purpose(), order.replaced()) {
            (Purpose::Hedge, _) => self.stats.hedges += 1,
            (Purpose::Write, None) => self.stats.writes += 1,
            (Purpose::Convert, None) => self.stats.converts += 1,
            (_, Some(_)) => self.stats.replaces += 1,
            (_, None) => self.stats.quotes += 1,
        }
        self.ledger.reserve(live);
        self.contract.iter_mut().for_each(|contract| contract.bear(order.nonce()));
        if let Some(old) = order.replaced().and_then(|old| self.ledger.order_mut(old.nonce)) {
            old.leave(at);
        }
    }

    /// Asks for the end of one order.
    pub(super) fn cancel(&mut self, at: Nanos, nonce: Nonce, trace: Trace, wallet: &mut Wallet, out: &mut Out) {
        let vault = self.vault();
        let Some(order) = self.ledger.order_mut(nonce) else {
            self.stats.stale_wishes += 1;
            return;
        };
        let instrument = order.wish.instrument;
        if order.wish.purpose == Purpose::Package {
            self.ledger.note_cancel(nonce, at);
            if self.withdraw_unsigned(nonce, out) {
                return;
            }
            // Nothing recalls an execution that has left; what can be withdrawn is the RFQ it needs.
            return self.unask(at, wallet, out);
        }
        order.leave(at);
        if self.withdraw_unsigned(nonce, out) {
            return;
        }
        if out.urgent.room() > 0 {
            self.stats.cancels += 1;
            wallet.spend(at, instrument);
            out.urgent.push(Urgent::Cancel { trace, nonce, instrument, vault });
        }
    }

    /// The strategy asks for the end of one order. A package has one for it only while it waits for a signature.
    pub(super) fn cancel_wished(&mut self, at: Nanos, nonce: Nonce, trace: Trace, wallet: &mut Wallet, out: &mut Out) {
        let package = self.ledger.order(nonce).is_some_and(|order| order.wish.purpose == Purpose::Package);
        if package && !self.holds(nonce) {
            self.stats.stale_wishes += 1;
            return;
        }
        self.cancel(at, nonce, trace, wallet, out);
    }

    /// Asks for the end of every order, whatever its state.
    pub(super) fn cancel_all(&mut self, at: Nanos, wallet: &mut Wallet, out: &mut Out) {
        let mut names = [None; crate::msg::SLOTS];
        for (place, order) in names.iter_mut().zip(self.ledger.orders()) {
            *place = Some(order.nonce);
        }
        for nonce in names.into_iter().flatten() {
            self.cancel(at, nonce, Trace::default(), wallet, out);
        }
        self.withdraw_movement(out);
    }

    /// Books the loss of a fill against mark, fee included, as a share of value. A contract that judges each fill charges
    /// the loss of its whole order, `wish`, each time.
    pub(super) fn note_fill(&mut self, at: Nanos, fill: &Fill, wish: Option<Wish>) {
        self.fills.count(at);
        self.stats.fills += 1;
        let is_base = fill.instrument == self.ledger.book().base;
        if is_base {
            self.base_filled_at = at;
            self.stats.base_filled += fill.amount;
        } else if Some(fill.instrument) == self.ledger.book().perp {
            self.stats.perp_filled += fill.amount;
        } else {
            self.stats.options_filled += fill.amount;
        }
        let Mandate::Basis(limits) = self.mandate else { return };
        let Some((marks, _)) = self.believed_marks() else { return };
        let mark = if is_base { marks.base } else { marks.perp };
        let worth = self.ledger.holdings().value(marks);
        if worth.is_positive() {
            let against = (fill.price - mark).times(fill.amount);
            let loss = Cash::from_raw(against.raw() * i128::from(fill.side.sign())) + fill.fee;
            let share = loss.over(worth, Rounding::Ceil);
            // Gains make up for losses before them and are no credit beyond.
            self.loss = ((self.loss_ema(at) + share).max(Ratio::ZERO), at);
            let whole = |wish: Wish| Case::loss(wish.side, wish.price, wish.amount, mark);
            let charged = if limits.wall.judged_per_fill {
                share.max(wish.map_or(Cash::ZERO, whole).over(worth, Rounding::Ceil))
            } else {
                share
            };
            self.loss_sums.book(&limits.wall, charged, at);
        }
    }

    /// Books what an option vault's fill has lost against `mark`, fee included, as a share of `worth` (M7).
    pub(super) fn note_option_loss(&mut self, at: Nanos, fill: &Fill, (mark, worth): (Price, Cash)) {
        if worth.is_positive() && mark.is_positive() {
            let against = (fill.price - mark).times(fill.amount);
            let loss = Cash::from_raw(against.raw() * i128::from(fill.side.sign())) + fill.fee;
            self.losses.note_trade(at, loss.over(worth, Rounding::Ceil));
        }
    }

    /// Marks one order as of unknown fate and notes since when.
    pub(super) fn doubt(&mut self, at: Nanos, nonce: Nonce) {
        if self.ledger.order(nonce).is_some_and(|order| order.life != Life::Unknown) {
            self.stats.unknown += 1;
        }
        self.ledger.doubt(nonce);
        if self.unknown_since == Nanos::ZERO {
            self.unknown_since = at;
        }
    }

    /// Tells the strategy what is true now.
    pub(super) fn publish(&mut self, at: Nanos, trace: Trace, wallet: &mut Wallet, live: u32, out: &mut Out) {
        let mut account = self.ledger.account();
        let quotes = wallet.budget(at, Class::Quote, self.ledger.book().base, live);
        account.trace = trace;
        account.mode = if self.ledger.is_uncertain() || !wallet.session_up() { Mode::Starting } else { self.mode };
        account.borrow_apr = self.borrow_apr(at);
        account.loss_ema = self.loss_ema(at);
        account.intents_seen = self.intents_seen;
        account.intent_refused = self.intent_refused;
        account.settling = self.is_settling(at);
        self.settling_told = account.settling;
        account.quote_budget = quotes;
        account.milestone = self.milestone;
        self.published_at = at;
        out.accounts.push(account);
    }

    /// True while a contract that signs first could not sign an order.
    pub(super) fn is_settling(&self, at: Nanos) -> bool {
        self.contract_free(at) == Some(false)
    }

    /// Percent of the wallet's message window in use; remembers the peak.
    pub(super) fn budget_pct(&mut self, at: Nanos, messages: &mut Window) -> u32 {
        let used = messages.used_pct(at);
        self.stats.budget_peak_pct = self.stats.budget_peak_pct.max(used);
        used
    }
}
