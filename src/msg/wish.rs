//! What the auction says to risk.

use super::{LEGS, LossSum, Stance, Trace};
use crate::base::ids::{InstrumentId, Nonce, Right, Side, Uuid, VaultId};
use crate::base::num::{Amount, Cash, Price, Ratio, Rounding, div_round};
use crate::base::time::Nanos;

/// How long an order may rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RfqWish {
    /// Legs, sorted by instrument name.
    pub legs: [Leg; LEGS],
    /// Smallest share of it that may be quoted and executed, 0 < step ≤ 1.
    pub partial_fill_step: Ratio,
}

/// A wish to execute one quote as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
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
    /// What executions of this auction have cost so far, fees included; buyers only.
    pub spent: Cash,
    /// What the execution under way may cost, fees included, while nobody knows whether it was done.
    pub pledged: Cash,
    /// Units bought by what is spent.
    pub units: Amount,
}

impl Milestone {
    /// True if both are of one phase with one clock and one choice, whatever was spent meanwhile.
    pub fn is_same(&self, other: &Milestone) -> bool {
        let facts = |one: &Milestone| (one.phase, one.started_at, one.expiry_s, one.strikes);
        facts(self) == facts(other)
    }

    /// What may still be spent.
    pub fn left(&self) -> Cash {
        (self.budget - self.spent - self.pledged).max(Cash::ZERO)
    }
}

/// What depositors have put into a vault that may only spend its yield: an amount of collateral at a rate of its own. As
/// the rate grows, less collateral is worth as much, and the difference is what may be spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Principal {
    /// Collateral.
    pub base: Amount,
    /// What a unit of it was worth then, in what it stands for.
    pub rate: Ratio,
}

impl Principal {
    /// The same worth at another rate, rounded up; what is not known is everything.
    pub fn at(&self, rate: Ratio) -> Amount {
        if !rate.is_positive() {
            return Amount::from_raw(i64::MAX);
        }
        let worth = i128::from(self.base.raw()) * i128::from(self.rate.raw());
        let base = div_round(worth, i128::from(rate.raw()), Rounding::Ceil);
        Amount::from_raw(i64::try_from(base).unwrap_or(i64::MAX))
    }
}

/// What a vault has lost lately, as a restart must know it: losses are no smaller for a crash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Lost {
    /// When it stood so.
    pub at: Nanos,
    /// Highest value in base units since its budgets began.
    pub peak: Amount,
    /// The same in the last hour, and in the last day; zero for a vault of options.
    pub highest: [Amount; 2],
    /// What its trades lost against mark in the last hour, and in the last day, as a share of value.
    pub traded: [Ratio; 2],
}

/// What is only journaled, for the next start: the last of each kind counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// A phase a vault has entered.
    Milestone(Milestone),
    /// What a vault must keep.
    Principal(Principal),
    /// What it has lost lately.
    Lost(Lost),
    /// Whether it was stopped.
    Stance(Stance),
    /// What it has used of its mandate's loss budget.
    LossSum(LossSum),
}

/// What an auction demands at one moment, for display.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    /// Checks before the signer keep refusing what the auction wants; the counters by check say which.
    Refused,
    /// Delta has stayed outside its band for longer than a hedge takes, whatever keeps hedges from it.
    Unhedged,
}

impl Concern {
    /// Names, in the order of the variants.
    pub const NAMES: [&'static str; 11] = [
        "position-shape",
        "settlement-late",
        "debt-left",
        "auction-capacity",
        "no-candidate",
        "chain-stale",
        "unfilled",
        "marks-deviate",
        "no-budget",
        "refused",
        "unhedged",
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        Concern::NAMES[self as usize]
    }
}

/// What a strategy says beside its wishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
