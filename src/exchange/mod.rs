//! The embedded exchange: a Derive v3 venue as a pure state machine, with a thin loopback server around it.
//!
//! Time, bytes and house orders come in; frames go out. There is no clock, socket, thread or file in the core, and
//! nothing is shared with the engine's own encoders, so that agreement between the two means something.

mod outbox;
mod refusal;
pub mod server;
mod settings;
pub mod world;

pub use outbox::{ConnId, HttpTicket, Out, Outbox};
pub use refusal::Refusal;
pub use settings::{AccountSeed, Network, Settings, Tier, developer_accounts};

use crate::base::ids::Uuid;
use crate::base::time::Nanos;
use rust_decimal::Decimal;
use std::collections::BTreeMap;

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

/// A perp position as the exchange accounts for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PositionReport {
    /// Signed size.
    pub amount: Decimal,
    /// Entry price without fees.
    pub average_price_excl_fees: Decimal,
    /// PnL and funding not yet settled into USDC.
    pub mark_value: Decimal,
    /// PnL and funding settled into USDC since the position opened.
    pub net_settlements: Decimal,
}

/// The exchange's own books of one subaccount, for checking another ledger against.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubaccountReport {
    /// Balances by asset name, `USDC` included (negative is borrowed), interest accrued.
    pub balances: BTreeMap<String, Decimal>,
    /// Perp positions by instrument name.
    pub positions: BTreeMap<String, PositionReport>,
    /// Sum of fees charged.
    pub fees_paid: Decimal,
    /// Net funding paid (positive) or received (negative).
    pub funding_paid: Decimal,
    /// Net interest paid (positive) or received (negative).
    pub interest_paid: Decimal,
    /// Account value at marks.
    pub value: Decimal,
    /// Net initial margin: value minus requirement.
    pub initial_margin: Decimal,
    /// Net maintenance margin.
    pub maintenance_margin: Decimal,
    /// Number of resting orders.
    pub open_orders: usize,
}

/// Headers that authenticate an HTTP request (Derive §2.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthHeaders {
    /// `X-DeriveWallet`.
    pub wallet: Option<String>,
    /// `X-DeriveTimestamp`.
    pub timestamp: Option<String>,
    /// `X-DeriveSignature`.
    pub signature: Option<String>,
}

/// The venue. All methods are deterministic in the settings and the sequence of calls.
#[derive(Debug)]
pub struct Exchange {
    settings: Settings,
}

#[allow(unused_variables)]
impl Exchange {
    /// Opens the exchange with its seeded accounts.
    pub fn new(settings: Settings, at: Nanos) -> Exchange {
        Exchange { settings }
    }
    /// A WebSocket connection was accepted.
    pub fn connect(&mut self, at: Nanos) -> ConnId {
        ConnId(0)
    }
    /// A WebSocket connection is gone: its subscriptions end, and cancel-on-disconnect does its work.
    pub fn disconnect(&mut self, conn: ConnId, at: Nanos, out: &mut Outbox) {}
    /// One JSON-RPC request over WebSocket.
    pub fn on_text(&mut self, conn: ConnId, at: Nanos, text: &[u8], out: &mut Outbox) {}
    /// One HTTP request, `method_path` such as `public/get_time`. The reply arrives through an outbox, now or later.
    pub fn on_http(
        &mut self,
        at: Nanos,
        method_path: &str,
        headers: &AuthHeaders,
        body: &[u8],
        reply: HttpTicket,
        out: &mut Outbox,
    ) {
    }
    /// Does everything due by `at`.
    pub fn tick(&mut self, at: Nanos, out: &mut Outbox) {}
    /// The earliest moment at which `tick` has something to do.
    pub fn next_deadline(&self) -> Option<Nanos> {
        None
    }
    /// Publishes an oracle price for `ETH`, `BTC`, `WEETH`, `LBTC` or `USDC`.
    pub fn set_spot(&mut self, currency: &str, price: Decimal, at: Nanos) {}
    /// Replaces the computed hourly funding rate of a currency's perp; still clamped to the cap.
    pub fn set_funding_override(&mut self, currency: &str, hourly: Option<Decimal>) {}
    /// Replaces the computed USDC borrow rate (per year, 0.05 = 5 %).
    pub fn set_borrow_override(&mut self, apr: Option<Decimal>) {}
    /// Opens an account of the house (the crowd): unsigned, unmetered, exempt from margin, matched like any other.
    pub fn house_account(&mut self, name: &str, balances: &[(&str, Decimal)]) -> u64 {
        0
    }
    /// Places an order of a house account, at once. `instrument` is a name such as `ETH-PERP`.
    #[allow(clippy::too_many_arguments)]
    pub fn house_order(
        &mut self,
        sub: u64,
        instrument: &str,
        buy: bool,
        price: Decimal,
        amount: Decimal,
        tif: TimeInForce,
        at: Nanos,
        out: &mut Outbox,
    ) -> Result<HouseFill, Refusal> {
        Err(Refusal { code: -32603, message: "Internal error", data: None })
    }
    /// Cancels a resting house order; unknown orders are ignored.
    pub fn house_cancel(&mut self, sub: u64, order: OrderId, at: Nanos, out: &mut Outbox) {}
    /// Cancels every resting order of a house account.
    pub fn house_cancel_all(&mut self, sub: u64, at: Nanos, out: &mut Outbox) {}
    /// Best bid and best ask as (price, amount).
    #[allow(clippy::type_complexity)]
    pub fn top_of_book(&self, instrument: &str) -> (Option<(Decimal, Decimal)>, Option<(Decimal, Decimal)>) {
        (None, None)
    }
    /// Mark price of an instrument, zero if unknown.
    pub fn mark(&self, instrument: &str) -> Decimal {
        Decimal::ZERO
    }
    /// Index price of a currency, zero if unknown.
    pub fn index(&self, currency: &str) -> Decimal {
        Decimal::ZERO
    }
    /// The books of one subaccount as of `at`.
    pub fn subaccount_report(&self, sub: u64, at: Nanos) -> Option<SubaccountReport> {
        None
    }
    /// The settings in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }
}
