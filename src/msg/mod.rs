//! Every message between actors, field by field. All are `Copy`, none holds a string.
//!
//! Permissions are not here: an `Order` must be earned from `risk`, a `Signed` from `derive`.

mod account;
mod breach;
mod command;
mod contract;
mod market;
mod report;
mod stance;
mod trace;
mod value;
mod wish;

pub use account::{Account, Held, Life, Mode, Offer, OpenRfq, Talk, Working};
pub use breach::Breach;
pub use command::{CapitalWish, ChainSight, Command, Flow, Tighter, Urgent};
pub use contract::{
    ACTION_BYTES, ActionAsk, ActionData, ChainAsk, ChainWord, ContractAlarm, ContractFact, ContractHalt,
    ContractReport, HeldSignature, Unbacked, Unsigned,
};
pub use market::{
    Book, CurrencyId, External, Feed, Level, Mark, Market, MarketMsg, OptionFeeds, OptionPricing, PastRatio,
    RatioRound, SpotIndex, Ticker, TradePrint,
};
pub use report::{
    Answer, Asset, Balance, BalanceKind, Budget, Fill, OrderRow, OrderStatus, QuoteRow, Report, ReportMsg, Request,
    RfqRow, RfqStatus, Session, Settlement, Snapshot, Unsent, Verdict,
};
pub use stance::{LossSum, Stance, StopReason};
pub use trace::{Cause, STAGES, Stage, Trace};
pub use value::{Accrual, Guards, OptionValue, Value};
pub use wish::{
    Act, Concern, Deal, Demand, Intent, Leg, Lost, Milestone, Note, Phase, PricedLeg, Principal, Product, Purpose,
    RfqWish, Tale, TimeInForce, Wish, package_cost,
};

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
