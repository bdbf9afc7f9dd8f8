//! Every message between actors, field by field. All are `Copy`, none holds a string.
//!
//! Permissions are not here: an `Order` must be earned from `risk`, a `Signed` from `derive`.

use crate::base::ids::{Epoch, InstrumentId, Nonce, Right, Side, SubaccountId, Uuid, VaultId};
use crate::base::num::{Amount, Cash, Price, Ratio};
use crate::base::time::Nanos;

/// Book levels kept per side.
pub const DEPTH: usize = 10;
/// Live orders one vault can have at once.
pub const SLOTS: usize = 4;
/// Legs of a package: every package of ours is a spread.
pub const LEGS: usize = 2;
/// Option positions one vault can hold at once.
pub const HELD: usize = 8;
/// Open quotes remembered per RFQ.
pub const OFFERS: usize = 8;

// ---------------------------------------------------------------------------------------------------------------------
// Trace: where a message's time went.

/// A place on the pipeline at which a message is stamped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Stage {
    /// The frame's last byte was read from the socket.
    FrameIn,
    /// `market_data` (or `gateway`) understood it.
    Decoded,
    /// `pricing` emitted a value.
    Priced,
    /// `auction` emitted an intent.
    Decided,
    /// `risk` approved it.
    Approved,
    /// `signer` released the signature.
    Signed,
    /// `gateway` handed the frame to the socket.
    FrameOut,
}

/// Number of [`Stage`]s.
pub const STAGES: usize = 7;

/// What set a chain of messages off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cause {
    /// Time passed.
    #[default]
    Timer,
    /// A public or external market-data frame.
    Market,
    /// A private frame (fill, order, balance, reply).
    Private,
}

/// The moments at which a message passed each stage; zero where it has not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// What set it off.
    pub cause: Cause,
    /// One moment per [`Stage`].
    pub stamps: [Nanos; STAGES],
}

impl Trace {
    /// A trace that starts with a frame read at `at`.
    pub fn from_frame(cause: Cause, at: Nanos) -> Trace {
        let mut trace = Trace { cause, ..Trace::default() };
        trace.stamps[Stage::FrameIn as usize] = at;
        trace
    }

    /// Notes the moment of a stage.
    pub fn stamp(&mut self, stage: Stage, at: Nanos) {
        self.stamps[stage as usize] = at;
    }

    /// The moment of a stage, zero if not passed.
    pub fn at(&self, stage: Stage) -> Nanos {
        self.stamps[stage as usize]
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// market_data → pricing

/// A currency's place in the currency table, from zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CurrencyId(pub u8);

/// What `market_data` understood from a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MarketMsg {
    /// Where the time went.
    pub trace: Trace,
    /// What was said.
    pub body: Market,
}

/// A fact about a market.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Market {
    /// `ticker_slim` frame.
    Ticker(Ticker),
    /// `orderbook` snapshot.
    Book(Book),
    /// Public trade (taker row).
    Trade(TradePrint),
    /// `spot_feed` entry.
    Spot(SpotIndex),
    /// Best bid and ask of an external venue (Binance `bookTicker`).
    External(External),
    /// A round of an on-chain ratio feed (Chainlink `latestRoundData`).
    Ratio(RatioRound),
    /// The venue's signed volatility and forward feeds of one expiry (`get_latest_signed_feeds`).
    Feeds(OptionFeeds),
    /// A connection is gone; what it said before no longer counts as fresh.
    Lost(Feed),
}

/// Where market facts come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feed {
    /// The venue's public channels.
    Venue,
    /// The external book.
    External,
}

/// `ticker_slim`: best prices, mark, index, band and funding. A zero bid or ask price means that side is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Ticker {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// Venue timestamp (ms precision).
    pub venue_at: Nanos,
    /// Best bid price.
    pub bid: Price,
    /// Amount at the best bid.
    pub bid_amount: Amount,
    /// Best ask price.
    pub ask: Price,
    /// Amount at the best ask.
    pub ask_amount: Amount,
    /// Mark price.
    pub mark: Price,
    /// Index price.
    pub index: Price,
    /// Lowest aggressive price (`minp`).
    pub band_low: Price,
    /// Highest aggressive price (`maxp`).
    pub band_high: Price,
    /// Hourly funding rate (perps; zero otherwise).
    pub funding_hourly: Ratio,
    /// Option fields, for options only.
    pub option: Option<OptionPricing>,
}

/// The venue's option model values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OptionPricing {
    /// Black-76 delta.
    pub delta: Ratio,
    /// Mark implied volatility, per year.
    pub mark_iv: Ratio,
    /// Forward price of the expiry.
    pub forward: Price,
    /// Discount factor.
    pub discount: Ratio,
    /// Mark price.
    pub mark: Price,
    /// Gamma.
    pub gamma: Ratio,
    /// Vega.
    pub vega: Ratio,
    /// Theta.
    pub theta: Ratio,
}

/// One price level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Level {
    /// Price.
    pub price: Price,
    /// Amount resting there.
    pub amount: Amount,
}

/// `orderbook`: the best levels of both sides, best first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Book {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// Venue timestamp (ms precision).
    pub venue_at: Nanos,
    /// The venue's publication number; grows by an unspecified step.
    pub publish_id: u64,
    /// Levels used in `bids`.
    pub bid_count: u8,
    /// Levels used in `asks`.
    pub ask_count: u8,
    /// Bids, highest price first.
    pub bids: [Level; DEPTH],
    /// Asks, lowest price first.
    pub asks: [Level; DEPTH],
}

impl Book {
    /// The used bid levels, best first.
    pub fn bids(&self) -> &[Level] {
        &self.bids[..usize::from(self.bid_count).min(DEPTH)]
    }

    /// The used ask levels, best first.
    pub fn asks(&self) -> &[Level] {
        &self.asks[..usize::from(self.ask_count).min(DEPTH)]
    }
}

/// One public trade, from its taker row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TradePrint {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// Venue trade id.
    pub trade_id: Uuid,
    /// Taker side.
    pub side: Side,
    /// Price.
    pub price: Price,
    /// Amount.
    pub amount: Amount,
    /// Venue timestamp (ms precision).
    pub venue_at: Nanos,
}

/// One currency of a `spot_feed` frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpotIndex {
    /// Which currency.
    pub currency: CurrencyId,
    /// Index price in USD.
    pub price: Price,
    /// Feed confidence, 0 to 1.
    pub confidence: Ratio,
    /// Venue timestamp (ms precision).
    pub venue_at: Nanos,
}

/// Best prices of an external book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct External {
    /// Which external symbol, by its place in the configuration.
    pub symbol: u8,
    /// The external venue's update number; never decreases.
    pub update_id: u64,
    /// Best bid price.
    pub bid: Price,
    /// Amount at the best bid.
    pub bid_amount: Amount,
    /// Best ask price.
    pub ask: Price,
    /// Amount at the best ask.
    pub ask_amount: Amount,
}

/// The venue's signed volatility and forward feeds of one expiry, from which its option marks follow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OptionFeeds {
    /// Place among the feeds the control plane reads, for conflation.
    pub slot: u8,
    /// Currency of the options.
    pub currency: CurrencyId,
    /// Expiry, unix seconds.
    pub expiry_s: u64,
    /// SVI parameters `a, b, ρ, m, σ`, the forward they were fitted at and their year fraction.
    pub svi: [f64; 7],
    /// Forward minus spot.
    pub forward_diff: Price,
    /// Spot price × seconds since the averaging began, at its start and now; both zero before it begins.
    pub spot_aggregates: [Cash; 2],
    /// Index price the feeds were read with.
    pub spot: Price,
    /// The forward feed's own moment.
    pub forward_at: Nanos,
    /// When they were read.
    pub read_at: Nanos,
}

/// What a ratio was some time ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PastRatio {
    /// Base asset per wrapped token then.
    pub ratio: Ratio,
    /// When the feed had said so.
    pub updated_at: Nanos,
    /// The moment asked about.
    pub at: Nanos,
}

/// One answer of a ratio feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RatioRound {
    /// Which feed, by its place in the configuration.
    pub feed: u8,
    /// Base asset per wrapped token.
    pub ratio: Ratio,
    /// When the feed was updated on chain.
    pub updated_at: Nanos,
    /// When we read it.
    pub read_at: Nanos,
    /// The ratio a look-back ago, for feeds read with one.
    pub past: Option<PastRatio>,
}

// ---------------------------------------------------------------------------------------------------------------------
// pricing → auction, risk

/// Reasons not to trade on a value, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Guards(pub u16);

impl Guards {
    /// Nothing speaks against trading.
    pub const NONE: Guards = Guards(0);
    /// The venue's ticker is missing or too old.
    pub const TICKER_STALE: Guards = Guards(1);
    /// The external book is missing, too old or crossed.
    pub const EXTERNAL_STALE: Guards = Guards(1 << 1);
    /// The ratio feed is missing or too old.
    pub const RATIO_STALE: Guards = Guards(1 << 2);
    /// The ratio left its band around the reference.
    pub const RATIO_DEVIATES: Guards = Guards(1 << 3);
    /// Fair value and the venue's mark disagree by more than allowed.
    pub const FAIR_DEVIATES: Guards = Guards(1 << 4);
    /// The external mid moves too fast.
    pub const VOLATILE: Guards = Guards(1 << 5);
    /// An option's mark or delta in the ticker is not what the venue's signed feeds give.
    pub const MODEL_DEVIATES: Guards = Guards(1 << 6);
    /// Names of the bits, lowest first.
    pub const NAMES: [&'static str; 7] = [
        "ticker_stale",
        "external_stale",
        "ratio_stale",
        "ratio_deviates",
        "fair_deviates",
        "volatile",
        "model_deviates",
    ];

    /// Both sets together.
    pub const fn with(self, other: Guards) -> Guards {
        Guards(self.0 | other.0)
    }

    /// `other` if `condition`, else nothing, added.
    pub const fn when(self, condition: bool, other: Guards) -> Guards {
        if condition { self.with(other) } else { self }
    }

    /// True if any bit of `other` is set here.
    pub const fn has(self, other: Guards) -> bool {
        self.0 & other.0 != 0
    }

    /// True if no bit is set.
    pub const fn is_clear(self) -> bool {
        self.0 == 0
    }
}

/// What pricing knows of an option beside its mark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OptionValue {
    /// Mark implied volatility, per year.
    pub mark_iv: Ratio,
    /// Forward price of the expiry.
    pub forward: Price,
    /// Discount factor of the venue's mark; one if it does not say.
    pub discount: Ratio,
    /// Black-76 delta, our own: N(d1) for calls, N(d1) − 1 for puts.
    pub delta: Ratio,
}

/// What one unit of a yield-bearing collateral has earned over a look-back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accrual {
    /// Growth as a share of the present price: 1 − then / now.
    pub share: Ratio,
    /// Start of the look-back.
    pub since: Nanos,
    /// When it was read.
    pub read_at: Nanos,
}

/// What an instrument is worth to us now.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Value {
    /// Where the time went.
    pub trace: Trace,
    /// Which instrument.
    pub instrument: InstrumentId,
    /// Our fair value; zero when guards forbid having one.
    pub fair: Price,
    /// The venue's mark.
    pub mark: Price,
    /// The venue's index.
    pub index: Price,
    /// Best bid, zero when empty.
    pub bid: Price,
    /// Best ask, zero when empty.
    pub ask: Price,
    /// Lowest price the venue lets an aggressive order trade at.
    pub band_low: Price,
    /// Highest price the venue lets an aggressive order trade at.
    pub band_high: Price,
    /// Hourly funding rate (perps).
    pub funding_hourly: Ratio,
    /// Options only.
    pub option: Option<OptionValue>,
    /// Yield-bearing collateral only, while its rates are known.
    pub accrual: Option<Accrual>,
    /// Reasons not to trade on this.
    pub guards: Guards,
    /// When it was computed; a value not renewed for long is dead whatever its inputs were.
    pub priced_at: Nanos,
    /// The value must not be used after this moment.
    pub good_until: Nanos,
}

// ---------------------------------------------------------------------------------------------------------------------
// auction → risk

/// How long an order may rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeInForce {
    /// Rests until cancelled or expired.
    Gtc,
    /// Rests, and is refused if it would trade at once.
    PostOnly,
    /// Trades at once what it can, the rest is cancelled.
    Ioc,
    /// Trades at once whole, or not at all.
    Fok,
}

/// Why an order is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A resting spot quote.
    Quote,
    /// A perp trade that brings delta back.
    Hedge,
    /// Sells options by a resting order (covered calls).
    Write,
    /// Turns cash into collateral, or collateral into cash against a debt.
    Convert,
    /// Executes a quote for a spread.
    Package,
}

/// A strategy's wish.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Intent {
    /// Where the time went.
    pub trace: Trace,
    /// Whose wish.
    pub vault: VaultId,
    /// Counts the vault's intents from 1; `Account::intents_seen` answers it.
    pub seq: u32,
    /// `Account::intents_seen` of the account it was decided on: an order wished for without knowing what became of
    /// the wish before it is not granted, or a slow answer would place it twice.
    pub after: u32,
    /// What is wished.
    pub act: Act,
}

/// The wish itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Send a new order.
    Place(Wish),
    /// Replace a resting order in one message.
    Replace {
        /// The order to replace.
        old: Nonce,
        /// What replaces it.
        new: Wish,
    },
    /// Cancel a resting order.
    Cancel {
        /// Which.
        nonce: Nonce,
    },
    /// Ask makers for quotes on a spread.
    Ask(RfqWish),
    /// Withdraw an RFQ, and with it its quotes.
    Unask {
        /// Which.
        rfq_id: Uuid,
    },
    /// Execute a quote.
    Execute(Deal),
    /// Say what has become true; nothing is sent.
    Tell(Tale),
}

/// One leg of a spread, as the vault would hold it: packages are always bought whole, their legs bought or sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leg {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// Side on which the vault ends up.
    pub side: Side,
    /// Amount, positive.
    pub amount: Amount,
}

impl Default for Leg {
    fn default() -> Leg {
        Leg { instrument: InstrumentId(0), side: Side::Buy, amount: Amount::ZERO }
    }
}

/// A leg with its price.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PricedLeg {
    /// The leg.
    pub leg: Leg,
    /// Price of one unit.
    pub price: Price,
}

/// What the vault pays for a package before fees; negative is received.
pub fn package_cost(legs: &[PricedLeg; LEGS]) -> Cash {
    legs.iter()
        .map(|priced| {
            let value = priced.price.times(priced.leg.amount);
            if priced.leg.side == Side::Buy { value } else { -value }
        })
        .sum()
}

/// A wish to be quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RfqWish {
    /// Legs, sorted by instrument name.
    pub legs: [Leg; LEGS],
    /// Smallest share of it that may be quoted and executed, 0 < step ≤ 1.
    pub partial_fill_step: Ratio,
}

/// A wish to execute one quote as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deal {
    /// The RFQ.
    pub rfq_id: Uuid,
    /// The quote.
    pub quote_id: Uuid,
    /// Its legs as the vault takes them, in the order of the RFQ.
    pub legs: [PricedLeg; LEGS],
    /// The most the vault would pay for it before fees at this moment (negative: the least it would receive).
    pub cost_max: Cash,
}

/// What an option vault trades every week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Product {
    /// Harvest: short calls against collateral, by limit order.
    CoveredCall,
    /// Safe Harvest: short call spreads, by RFQ.
    ShortCallSpread,
    /// Maxi: short put spreads, by RFQ.
    ShortPutSpread,
    /// BULL: long call spreads paid from accrued yield, by RFQ.
    LongCallSpread,
}

impl Product {
    /// Right of its options.
    pub const fn right(self) -> Right {
        match self {
            Product::ShortPutSpread => Right::Put,
            Product::CoveredCall | Product::ShortCallSpread | Product::LongCallSpread => Right::Call,
        }
    }

    /// True if it is traded as a spread.
    pub const fn is_spread(self) -> bool {
        !matches!(self, Product::CoveredCall)
    }

    /// Side on which the vault ends up in the leg that carries the package's direction: the nearer strike.
    pub const fn side(self) -> Side {
        match self {
            Product::LongCallSpread => Side::Buy,
            Product::CoveredCall | Product::ShortCallSpread | Product::ShortPutSpread => Side::Sell,
        }
    }
}

/// Where an option vault stands in its week.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Not yet told by a snapshot.
    #[default]
    Boot,
    /// S1: nothing but collateral.
    CollateralOnly,
    /// S2: options or spreads are being auctioned.
    OptionAuction,
    /// S3: positions wait for their expiry and settlement.
    AwaitSettlement,
    /// S4: cash becomes collateral, or collateral pays a debt.
    SpotAuction,
    /// Something is wrong: a person must look.
    Halt,
}

impl Phase {
    /// Names, in the order of the variants.
    pub const NAMES: [&'static str; 6] =
        ["boot", "collateral-only", "option-auction", "await-settlement", "spot-auction", "halt"];

    /// Its name.
    pub const fn name(self) -> &'static str {
        Phase::NAMES[self as usize]
    }
}

/// A phase entered, with what a restart must know of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Milestone {
    /// The phase.
    pub phase: Phase,
    /// When its clock started; a restart keeps it.
    pub started_at: Nanos,
    /// Expiry concerned, unix seconds; zero if none.
    pub expiry_s: u64,
    /// Strikes chosen, in the order of the legs; zero where none.
    pub strikes: [Price; LEGS],
    /// Most that may be spent in this auction, fees included; zero for sellers.
    pub budget: Cash,
    /// Cash when the auction began: what was spent since is the difference.
    pub cash_at_start: Cash,
    /// Collateral when the phase began.
    pub base_at_start: Amount,
}

/// What an auction demands at one moment, for display.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// Phase it belongs to.
    pub phase: Phase,
    /// Limit per unit: what a unit must fetch at least, or may cost at most.
    pub limit: Price,
    /// Mark per unit.
    pub mark: Price,
    /// Best open quote per unit after fees, if any.
    pub best: Option<Price>,
    /// Units still wanted.
    pub remaining: Amount,
}

/// What a person should know about an option vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Concern {
    /// Positions are not the shape this vault's auctions make.
    Shape,
    /// Options of an expired date are still there, unsettled.
    SettlementLate,
    /// A debt rests although its auction has run past its usual end.
    DebtLeft,
    /// The auction cannot sell the whole amount in its time with lots of this size.
    Capacity,
    /// No instrument of the chain fits the selection.
    NoCandidate,
    /// The chain is incomplete or its tickers are stale.
    ChainStale,
    /// The auction ended with part of the amount unsold.
    Unfilled,
    /// Marks do not follow from the venue's signed feeds.
    MarksDeviate,
    /// No accrued yield is known that would buy anything.
    NoBudget,
}

impl Concern {
    /// Names, in the order of the variants.
    pub const NAMES: [&'static str; 9] = [
        "position-shape",
        "settlement-late",
        "debt-left",
        "auction-capacity",
        "no-candidate",
        "chain-stale",
        "unfilled",
        "marks-deviate",
        "no-budget",
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        Concern::NAMES[self as usize]
    }
}

/// What a strategy says beside its wishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tale {
    /// A phase was entered: journaled, so that a restart resumes it.
    Phase(Milestone),
    /// What the auction demands now.
    Demand(Demand),
    /// A person should look.
    Concern(Concern),
    /// Nothing more may be traded until a person has looked and restarted.
    Halt(Concern),
}

/// The economic content of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// Side.
    pub side: Side,
    /// Limit price.
    pub price: Price,
    /// Amount, positive.
    pub amount: Amount,
    /// Life.
    pub tif: TimeInForce,
    /// Only reduces a position (perps, IOC or FOK).
    pub reduce_only: bool,
    /// Why.
    pub purpose: Purpose,
}

// ---------------------------------------------------------------------------------------------------------------------
// gateway → risk

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
    /// A fill (`{sub}.trades`).
    Fill(Fill),
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
    /// A private frame could not be understood: a fact may be missing.
    Unreadable,
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
}

/// State of the private session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
}

/// States of RFQs and quotes (Derive §6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

// ---------------------------------------------------------------------------------------------------------------------
// risk → auction

/// What the engine may do for a vault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Not reconciled yet: nothing may be sent but cancels.
    #[default]
    Starting,
    /// Everything within the limits.
    Live,
    /// Only what brings risk down.
    Drain,
    /// Nothing but cancels until a restart.
    Halted,
}

/// Where an order of ours stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Life {
    /// Slot unused.
    #[default]
    Empty,
    /// Approved; the venue has not confirmed it.
    Pending,
    /// Resting at the venue.
    Open,
    /// A cancel or replace of it is under way.
    Leaving,
    /// The venue's answer is missing or ambiguous: it may be live.
    Unknown,
}

/// One live order, as the strategy sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Working {
    /// Its name.
    pub nonce: Nonce,
    /// Where it stands.
    pub life: Life,
    /// What it asked for.
    pub wish: Wish,
    /// Filled so far.
    pub filled: Amount,
    /// When its signature expires.
    pub expires_at: Nanos,
}

impl Working {
    /// What may still fill.
    pub fn remaining(&self) -> Amount {
        self.wish.amount - self.filled
    }
}

/// An option position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// Signed size; negative is short.
    pub amount: Amount,
}

/// An open quote for the vault's RFQ, as the strategy sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Venue id.
    pub quote_id: Uuid,
    /// Whoever quotes.
    pub maker: u64,
    /// When it was made.
    pub created_at: Nanos,
    /// Share of the RFQ it covers.
    pub filled: Ratio,
    /// Its legs as the vault would take them.
    pub legs: [PricedLeg; LEGS],
    /// Fee the venue expects, where it says.
    pub fee: Option<Cash>,
}

/// Where an RFQ of the vault stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenRfq {
    /// Our name for it.
    pub name: Nonce,
    /// Venue id, once the venue has answered.
    pub rfq_id: Option<Uuid>,
    /// What was asked for.
    pub wish: RfqWish,
    /// When the venue opened it, on our clock; when it was asked for until the venue has answered.
    pub opened_at: Nanos,
    /// When its window ends, on our clock.
    pub valid_until: Nanos,
    /// Share executed so far.
    pub filled: Ratio,
    /// A withdrawal is under way.
    pub leaving: bool,
}

/// The vault's conversation with makers: its RFQ and the open quotes for it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Talk {
    /// Whose.
    pub vault: VaultId,
    /// The RFQ under way.
    pub rfq: Option<OpenRfq>,
    /// Open quotes from which the vault could buy.
    pub offers: [Option<Offer>; OFFERS],
    /// Number of executions the venue has refused since start.
    pub refusals: u32,
    /// The last refusal: its code and the maker whose quote it was.
    pub last_refusal: Option<(i32, u64)>,
}

/// What is true of a vault's account now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Account {
    /// Where the time went.
    pub trace: Trace,
    /// Whose.
    pub vault: VaultId,
    /// What may be done.
    pub mode: Mode,
    /// Base collateral held.
    pub base: Amount,
    /// Perp position; negative is short.
    pub perp: Amount,
    /// USDC; negative is a borrow.
    pub cash: Cash,
    /// Perp cost not yet settled into cash: unsettled profit = perp × mark − this.
    pub perp_cost: Cash,
    /// Annual borrow rate, while a recent one is known.
    pub borrow_apr: Option<Ratio>,
    /// Decaying sum of losses against mark, as a fraction of TVL (§5.4 of the strategy spec).
    pub loss_ema: Ratio,
    /// Number of the last intent that `risk` decided on: its outcome is in this message.
    pub intents_seen: u32,
    /// Number of the last intent that was refused, zero if none was.
    pub intent_refused: u32,
    /// Order messages the rate budget still allows for quoting.
    pub quote_budget: u32,
    /// When the last snapshot that agreed or was adopted was asked for; zero before the first.
    pub proved_at: Nanos,
    /// Option positions.
    pub held: [Option<Held>; HELD],
    /// Live orders; the legs of a package are two, of one name.
    pub working: [Option<Working>; SLOTS],
}

// ---------------------------------------------------------------------------------------------------------------------
// risk → gateway (own lane), control plane → risk

/// What must not wait behind a signature.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Urgent {
    /// Nothing approved in an older epoch may leave any more.
    Stop {
        /// The new epoch.
        epoch: Epoch,
    },
    /// Cancel one order, or keep it from leaving if it has not left.
    Cancel {
        /// Where the time went.
        trace: Trace,
        /// Which order.
        nonce: Nonce,
        /// Its instrument.
        instrument: InstrumentId,
        /// Its vault.
        vault: VaultId,
    },
    /// Ask makers for quotes.
    Ask {
        /// Whose.
        vault: VaultId,
        /// Our name for it, also its label.
        name: Nonce,
        /// What for.
        wish: RfqWish,
    },
    /// Withdraw an RFQ.
    Unask {
        /// Whose.
        vault: VaultId,
        /// Which.
        rfq_id: Uuid,
    },
    /// Ask the venue for a snapshot of a vault.
    Reconcile {
        /// Which vault.
        vault: VaultId,
    },
}

/// What the control plane tells the pipeline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Command {
    /// Cancel everything, take no new risk.
    Drain {
        /// Which vault.
        vault: VaultId,
    },
    /// Trade again after a drain.
    Resume {
        /// Which vault.
        vault: VaultId,
    },
    /// Stop for good.
    Kill,
    /// The venue's annual USDC borrow rate.
    BorrowRate {
        /// Annual rate.
        apr: Ratio,
        /// When it was read.
        read_at: Nanos,
    },
}
