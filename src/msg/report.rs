//! What the gateway and the signer say to risk.

use super::{Breach, ContractReport, CurrencyId, LEGS, PricedLeg, Trace, Unsigned};
use crate::base::ids::{InstrumentId, Nonce, Side, SubaccountId, Uuid};
use crate::base::num::{Amount, Cash, Price, Ratio};
use crate::base::time::Nanos;

/// What a venue answer tells us about a request. `Unknown` is exposure until proved otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Done as asked.
    Accepted,
    /// Definitely not done.
    Refused,
    /// Definitely not done, and we are too fast.
    RateLimited,
    /// May or may not have been done.
    Unknown,
    /// Not done, and nothing more should be tried without a person (wrong key, wrong chain, compliance).
    Halt,
}

/// Kind of request that a reply answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// `private/order`.
    Place,
    /// `private/replace`.
    Replace,
    /// `private/cancel_by_nonce`.
    Cancel,
    /// `private/execute_quote`.
    Execute,
    /// `private/deposit` or `private/withdraw` (v2).
    Move,
}

/// What the gateway learned from the venue or did itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReportMsg {
    /// Where the time went.
    pub trace: Trace,
    /// What was learned.
    pub body: Report,
}

/// A fact about our orders, account or session.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Report {
    /// A request was dropped before the socket and never will leave.
    Unsent {
        /// The order it concerns.
        nonce: Nonce,
        /// What was asked.
        request: Request,
        /// Why.
        why: Unsent,
    },
    /// The venue answered a request of ours.
    Answer(Answer),
    /// An order changed (`{sub}.orders`).
    Order(OrderRow),
    /// A fill, or how it stands now (`{sub}.trades`).
    Fill(Fill),
    /// A fill of an earlier session, as the venue's records have it: only where it stands on the chain is news.
    PastFill(Fill),
    /// Every fill of earlier sessions that may not be settled yet has been reported.
    PastFillsComplete {
        /// Whose.
        subaccount: SubaccountId,
    },
    /// A balance changed (`{sub}.balances`).
    Balance(Balance),
    /// Part of a snapshot.
    Snapshot(Snapshot),
    /// An RFQ of ours was opened, changed or ended.
    Rfq(RfqRow),
    /// `send_rfq` was refused, or its fate is unknown.
    RfqRefused {
        /// Our name for it.
        name: Nonce,
        /// What the answer means.
        verdict: Verdict,
        /// The venue's error code.
        code: i32,
    },
    /// A quote for an RFQ of ours.
    Quote(QuoteRow),
    /// Every open quote of an RFQ has been reported since this moment: others are gone.
    QuotesComplete {
        /// The RFQ.
        rfq_id: Uuid,
        /// When the question left.
        asked_at: Nanos,
    },
    /// The wallet's message budget (`private/get_account`).
    Budget(Budget),
    /// Venue clock minus ours, from `public/get_time`.
    VenueTime {
        /// Nanoseconds to add to our clock to get the venue's.
        offset_ns: i64,
        /// Round trip of the measurement.
        rtt_ns: u64,
    },
    /// The session changed.
    Session(Session),
    /// An order, fill or position of a subaccount of ours in an instrument we do not know.
    Stranger {
        /// Which subaccount.
        subaccount: SubaccountId,
    },
    /// A snapshot was refused: another may be asked for.
    NoSnapshot {
        /// Of which subaccount.
        subaccount: SubaccountId,
    },
    /// A private frame could not be understood: a fact may be missing.
    Unreadable,
    /// The signer signs nothing any more until a restart.
    SignerDown {
        /// Why.
        why: Breach,
    },
    /// From the stage where a vault's contract signs.
    Contract(ContractReport),
}

/// Why a request never left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsent {
    /// A stop of a newer epoch.
    Fenced,
    /// A cancel overtook it.
    Withdrawn,
    /// No usable session.
    Down,
    /// Too old by the time it could have left.
    Late,
    /// The signer would not sign it, or is gone.
    Withheld(Breach),
    /// The vault's contract did not sign it.
    Unsigned(Unsigned),
}

/// State of the private session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Session {
    /// Connection lost: every answer outstanding is now unknown.
    Down,
    /// Logged in and subscribed; a snapshot follows.
    Up,
    /// Login or subscription was refused; a person must look.
    Rejected {
        /// The venue's error code.
        code: i32,
    },
}

/// A reply to place, replace or cancel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answer {
    /// The order the request was about (for replace: the new order).
    pub nonce: Nonce,
    /// What was asked.
    pub request: Request,
    /// What the answer means.
    pub verdict: Verdict,
    /// The venue's error code, zero if none. For a replace whose cancel worked but whose create failed, the create's.
    pub code: i32,
    /// The order as the venue sees it, when the reply carries one.
    pub order: Option<OrderRow>,
    /// Replace only: the old order as the venue sees it, when it was cancelled.
    pub cancelled: Option<OrderRow>,
}

/// Venue order states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderStatus {
    /// Resting (also untriggered and algo orders).
    Open,
    /// Filled whole.
    Filled,
    /// Cancelled, by us or the venue.
    Cancelled,
    /// Its signature expired.
    Expired,
    /// Never accepted.
    Rejected,
}

impl OrderStatus {
    /// True when no further fill is possible.
    pub const fn is_final(self) -> bool {
        !matches!(self, OrderStatus::Open)
    }
}

/// One order as the venue sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OrderRow {
    /// Subaccount.
    pub subaccount: SubaccountId,
    /// Venue id.
    pub order_id: Uuid,
    /// Our name for it.
    pub nonce: Nonce,
    /// Which instrument.
    pub instrument: InstrumentId,
    /// Side.
    pub side: Side,
    /// Limit price.
    pub price: Price,
    /// Whole amount.
    pub amount: Amount,
    /// Filled so far.
    pub filled: Amount,
    /// State.
    pub status: OrderStatus,
    /// Last change (ms precision).
    pub updated_at: Nanos,
}

/// Where a fill stands on the venue's chain (v2). On v3 the venue's word is final.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Settlement {
    /// There is no chain to wait for.
    #[default]
    Final,
    /// The chain has not taken it yet, or the venue says what we do not know.
    Open,
    /// The chain has taken it.
    Settled,
    /// The chain has refused it: it never happened.
    Reverted,
}

/// One fill of ours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fill {
    /// Subaccount.
    pub subaccount: SubaccountId,
    /// Venue trade id; a trade counts once.
    pub trade_id: Uuid,
    /// Venue order id.
    pub order_id: Uuid,
    /// Our name for the order, read from the label; zero if the order is not ours.
    pub nonce: Nonce,
    /// Which instrument.
    pub instrument: InstrumentId,
    /// Our side.
    pub side: Side,
    /// Price.
    pub price: Price,
    /// Amount.
    pub amount: Amount,
    /// Fee paid.
    pub fee: Cash,
    /// True if we were the maker.
    pub maker: bool,
    /// Mark at the fill.
    pub mark: Price,
    /// Venue timestamp (ms precision).
    pub venue_at: Nanos,
    /// Where it stands on the chain.
    pub settlement: Settlement,
}

/// States of RFQs and quotes (Derive §6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RfqStatus {
    /// Quotes may come, or it may be executed.
    Open,
    /// Filled.
    Filled,
    /// Cancelled, by us, the maker or the venue.
    Cancelled,
    /// Its window is over.
    Expired,
}

/// One RFQ of ours as the venue sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RfqRow {
    /// Subaccount that asked.
    pub subaccount: SubaccountId,
    /// Our name for it, from the reply to `send_rfq` or the label; zero if unreadable.
    pub name: Nonce,
    /// Venue id.
    pub rfq_id: Uuid,
    /// State.
    pub status: RfqStatus,
    /// When the venue opened it (ms precision).
    pub created_at: Nanos,
    /// When its window ends.
    pub valid_until: Nanos,
    /// Share executed so far.
    pub filled: Ratio,
}

/// One quote for an RFQ of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuoteRow {
    /// The RFQ.
    pub rfq_id: Uuid,
    /// Venue id.
    pub quote_id: Uuid,
    /// Whoever quotes, as a hash of the wallet; zero where the venue does not say.
    pub maker: u64,
    /// The maker's own direction: only `Sell` lets us buy the package.
    pub direction: Side,
    /// State.
    pub status: RfqStatus,
    /// Share of the RFQ it covers.
    pub filled: Ratio,
    /// When it was made (ms precision).
    pub created_at: Nanos,
    /// Its legs as the RFQ states them, in its order.
    pub legs: [PricedLeg; LEGS],
    /// Fee the venue expects us to pay, where it says.
    pub fee: Option<Cash>,
}

/// What a balance is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asset {
    /// A collateral currency.
    Currency(CurrencyId),
    /// A position in an instrument.
    Instrument(InstrumentId),
}

/// Why a balance changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BalanceKind {
    /// A trade of ours.
    Trade,
    /// Perp profit, loss and funding paid into cash.
    PerpSettlement,
    /// Interest on cash.
    Interest,
    /// Deposit, withdrawal or transfer.
    Transfer,
    /// Option settlement.
    OptionSettlement,
    /// Liquidation, or the venue rewrote history.
    Alarm,
}

/// One balance change, with the absolute values before and after.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Balance {
    /// Subaccount.
    pub subaccount: SubaccountId,
    /// Of what.
    pub asset: Asset,
    /// Before.
    pub previous: Cash,
    /// After.
    pub new: Cash,
    /// Why.
    pub kind: BalanceKind,
}

/// A snapshot, in parts: `Begin`, any number of rows, `End`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Snapshot {
    /// `get_subaccount` answered.
    Begin {
        /// Subaccount.
        subaccount: SubaccountId,
        /// Net initial margin (Derive: healthy above zero).
        initial_margin: Cash,
        /// Net maintenance margin.
        maintenance_margin: Cash,
        /// Venue's own valuation.
        value: Cash,
        /// The account is being liquidated.
        liquidation: bool,
    },
    /// One collateral.
    Collateral {
        /// Which.
        currency: CurrencyId,
        /// Balance; negative USDC is a borrow.
        amount: Cash,
    },
    /// One position.
    Position {
        /// Which.
        instrument: InstrumentId,
        /// Signed size.
        amount: Amount,
        /// The venue's mark.
        mark: Price,
        /// Profit and funding not yet settled into cash.
        unsettled: Cash,
        /// Funding received (negative: paid) over the position's life, settled or not.
        funding: Cash,
    },
    /// One resting order (`get_open_orders`).
    OpenOrder(OrderRow),
    /// The snapshot is complete.
    End {
        /// When the requests for it left: nothing sent later is in it.
        asked_at: Nanos,
    },
}

/// Message budget of the wallet, in requests per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Matching requests (order, replace, cancel).
    pub matching_tps: u32,
    /// Matching requests per instrument: perps and spot.
    pub instrument_tps: u32,
    /// Everything else.
    pub other_tps: u32,
}
