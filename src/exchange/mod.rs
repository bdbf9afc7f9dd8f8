//! The embedded exchange: a Derive venue as a pure state machine, with a thin loopback server around it.
//!
//! It speaks v3, or v2 where its network is one of v2's. Of v2 it has what is known to differ: paths and headers, nonces,
//! domains and modules, eighteen decimals, `tx_status` with its channels, contract owners, and counts in replies to
//! `cancel_all`. Where nothing is known it answers as on v3; so tickers are slim, instruments are listed by the same
//! methods, and nonces in rows are texts. What v2 has not, such as signed session keys, is not offered there.
//!
//! Time, bytes and house orders come in; frames go out. There is no clock, socket, thread or file in the core, and
//! nothing is shared with the engine's own encoders, so that agreement between the two means something.

mod account;
mod admission;
mod book;
mod cancels;
mod capital;
mod catalog;
mod checks;
mod debug;
mod decode;
mod eip712;
mod events;
mod execution;
mod fees;
mod history;
mod house;
mod ids;
mod keys;
mod lending;
mod limits;
mod margin;
mod market;
mod mishaps;
mod mmp;
mod money;
mod options;
mod order;
mod orders;
mod outbox;
mod params;
mod periodic;
mod perp;
mod portfolio;
mod position;
mod public;
mod quote;
mod refusal;
mod registry;
mod rfq;
mod rpc;
pub mod server;
mod session;
mod settings;
mod settling;
mod stats;
mod takers;
#[cfg(test)]
mod tests;
pub mod world;

pub use eip712::{Action, Modules, modules, verifying_contract};
pub use keys::KeyLoss;
pub use mishaps::OpenOrder;
pub use options::{OptionMark, Svi, expiries_due};
pub use outbox::{ConnId, HttpTicket, Out, Outbox};
pub use refusal::Refusal;
pub use rfq::{HouseLeg, HouseRfq};
pub use settings::{AccountSeed, Dialect, Network, Owner, Settings, Tier, developer_accounts};
pub use settling::{Always, SettlementAction, SettlementAuthority, SettlementRequest, SettlementVerdict, Tx, TxStatus};

use crate::base::ids::Uuid;
use crate::base::time::{Nanos, SEC};
use account::{Subaccount, Wallet};
use alloy_primitives::{Address, B256};
use catalog::{Asset, Instrument};
use rust_decimal::Decimal;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// An order's venue name.
pub type OrderId = Uuid;

/// How long an order stays (Derive §4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimeInForce {
    /// Until cancelled or expired.
    Gtc,
    /// Only if it rests.
    PostOnly,
    /// All at once or not at all.
    Fok,
    /// What can be had now; the rest is cancelled.
    Ioc,
}

/// What became of a house order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HouseFill {
    /// The order's name, usable for cancelling while `resting` is positive.
    pub order: OrderId,
    /// Amount filled at once.
    pub filled: Decimal,
    /// Average price of those fills, zero without fills.
    pub average_price: Decimal,
    /// Amount now resting in the book.
    pub resting: Decimal,
}

/// One fill as the exchange booked it, for checking another ledger against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TradeReport {
    /// When, unix milliseconds.
    pub at_ms: u64,
    /// Instrument.
    pub instrument: String,
    /// Whatever the account called the order or execution.
    pub label: String,
    /// True for a purchase.
    pub buy: bool,
    /// Price.
    pub price: Decimal,
    /// The mark it was made at.
    pub mark: Decimal,
    /// Amount.
    pub amount: Decimal,
    /// Fee charged.
    pub fee: Decimal,
    /// The quote executed, if it was one.
    pub quote: Option<Uuid>,
    /// How far it has come on the chain (v2).
    pub tx: Option<TxStatus>,
}

/// A perp or option position as the exchange accounts for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PositionReport {
    /// Signed size.
    pub amount: Decimal,
    /// Entry price with fees.
    pub average_price: Decimal,
    /// Entry price without fees.
    pub average_price_excl_fees: Decimal,
    /// Perps: PnL and funding not yet settled into USDC. Options: amount × mark.
    pub mark_value: Decimal,
    /// The funding part of `mark_value`.
    pub pending_funding: Decimal,
    /// Cash the open position has moved: entry against mark, fees, settled PnL and funding.
    pub net_settlements: Decimal,
}

/// The exchange's own books of one subaccount, for checking another ledger against.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubaccountReport {
    /// Balances by asset name, `USDC` included (negative is borrowed), without pending interest.
    pub balances: BTreeMap<String, Decimal>,
    /// Perp and option positions by instrument name.
    pub positions: BTreeMap<String, PositionReport>,
    /// Sum of fees charged.
    pub fees_paid: Decimal,
    /// Net funding paid (positive) or received (negative).
    pub funding_paid: Decimal,
    /// Net interest paid (positive) or received (negative) through the balance.
    pub interest_paid: Decimal,
    /// Interest grown and not yet in the balance.
    pub pending_interest: Decimal,
    /// Account value at marks.
    pub value: Decimal,
    /// Net initial margin: value minus requirement.
    pub initial_margin: Decimal,
    /// Net maintenance margin.
    pub maintenance_margin: Decimal,
    /// Number of resting orders.
    pub open_orders: usize,
}

/// Headers that authenticate an HTTP request (Derive §2.2); on v2 `X-Lyra…` in place of `X-Derive…`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthHeaders {
    /// `X-DeriveWallet`.
    pub wallet: Option<String>,
    /// `X-DeriveTimestamp`.
    pub timestamp: Option<String>,
    /// `X-DeriveSignature`.
    pub signature: Option<String>,
}

/// Nanoseconds of a day.
const DAY_NS: u64 = 86_400 * SEC;

/// Pools on the other side of what accounts pay and receive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct House {
    /// Fees collected.
    pub fees: Decimal,
    /// Counterpart of perp cash flows; what rounding leaves once everything is settled at one mark.
    pub perp_clearing: Decimal,
    /// Counterpart of option premiums and settlements; only rounding stays.
    pub option_clearing: Decimal,
    /// Counterpart of interest: the security module's share and what is lent but not borrowed by accounts here.
    pub interest: Decimal,
}

/// The venue. All methods are deterministic in the settings and the sequence of calls.
#[derive(Debug)]
pub struct Exchange {
    settings: Settings,
    domain: B256,
    modules: Modules,
    assets: Vec<Asset>,
    instruments: Vec<Instrument>,
    markets: Vec<market::Market>,
    by_name: BTreeMap<Arc<str>, usize>,
    /// Places below this are the standing instruments.
    standing: usize,
    free: Vec<usize>,
    chains: options::Chains,
    settled: VecDeque<options::Settlement>,
    feed_key: options::FeedKey,
    spots: BTreeMap<&'static str, market::Spot>,
    lending: lending::Lending,
    wallets: BTreeMap<Address, Wallet>,
    subs: BTreeMap<u64, Subaccount>,
    orders: BTreeMap<OrderId, order::Order>,
    order_expiries: BTreeSet<(u64, OrderId)>,
    waiting: orders::Waiting,
    rfq: rfq::Desk,
    settling: settling::Settling,
    conns: BTreeMap<ConnId, session::Connection>,
    topics: session::Topics,
    events: events::Events,
    public_trades: VecDeque<order::TradeRow>,
    rate_history: VecDeque<periodic::Rates>,
    house: House,
    http_budgets: limits::Budgets,
    ids: ids::Ids,
    next_conn: u64,
    next_sub: u64,
    now: Nanos,
    due: periodic::Due,
}

impl Exchange {
    /// Opens the exchange with its seeded accounts.
    pub fn new(settings: Settings, at: Nanos) -> Exchange {
        let instruments = catalog::instruments();
        let mut exchange = Exchange {
            domain: eip712::domain_separator(settings.network),
            modules: modules(settings.network),
            assets: catalog::assets(settings.dialect()),
            markets: instruments.iter().map(|_| market::Market::default()).collect(),
            by_name: instruments.iter().enumerate().map(|(ix, i)| (i.name.clone(), ix)).collect(),
            standing: instruments.len(),
            free: Vec::new(),
            chains: BTreeMap::new(),
            settled: VecDeque::new(),
            feed_key: options::FeedKey::new(),
            instruments,
            spots: BTreeMap::new(),
            lending: lending::Lending::new(at),
            wallets: BTreeMap::new(),
            subs: BTreeMap::new(),
            orders: BTreeMap::new(),
            order_expiries: BTreeSet::new(),
            waiting: orders::Waiting::default(),
            rfq: rfq::Desk::default(),
            settling: settling::Settling::default(),
            conns: BTreeMap::new(),
            topics: BTreeMap::new(),
            events: events::Events::default(),
            public_trades: VecDeque::new(),
            rate_history: VecDeque::new(),
            house: House::default(),
            http_budgets: limits::Budgets::default(),
            ids: ids::Ids::new(settings.seed),
            next_conn: 1,
            next_sub: 1_000_000,
            now: at,
            due: periodic::Due::new(&settings, at),
            settings,
        };
        exchange.set_spot(catalog::CASH, Decimal::ONE, at);
        for seed in exchange.settings.accounts.clone() {
            exchange.open_account(&seed);
        }
        exchange
    }

    fn open_account(&mut self, seed: &AccountSeed) {
        let at = self.now;
        let mut sub = Subaccount::new(seed.wallet, &seed.label, false, &self.lending);
        self.fund(&mut sub, seed.balances.iter().map(|(name, amount)| (name.as_str(), *amount)));
        self.subs.insert(seed.subaccount, sub);
        let tier = seed.tier.unwrap_or(self.settings.tier);
        let wallet = self.wallets.entry(seed.wallet).or_insert_with(|| Wallet::new(tier, at));
        wallet.subaccounts.push(seed.subaccount);
        wallet.rfq_maker |= seed.rfq_maker;
        wallet.owner = seed.owner;
        let scopes = keys::Scopes::from_names(seed.scopes.iter().map(String::as_str)).unwrap_or_default();
        let key = keys::SessionKey {
            expiry_s: seed.session_expiry_s,
            registered_s: at.secs(),
            scopes,
            account_info: true,
            subaccounts: Vec::new(),
            label: "developer".into(),
            ip_whitelist: Vec::new(),
        };
        wallet.keys.insert(seed.session_key, key);
    }

    /// The settings in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The pools on the other side of accounts, for checking that nothing is made or lost.
    pub fn house_pools(&self) -> House {
        self.house
    }
}
