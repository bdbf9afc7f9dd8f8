//! What goes into and comes out of the keeping of a vault's shares.

use crate::actors::risk::CapitalNews;
use crate::base::num::{Amount, Cash};
use crate::base::time::Nanos;
use crate::chain::lane::{Alarm as LaneAlarm, Limits, Seen, Step};
use crate::chain::presign::words::Shadow;
use crate::chain::refusal::Refusal;
use crate::msg::{CapitalWish, Flow, Phase};
use alloy::primitives::{Address, Bytes, U256};

/// How one vault's shares are kept.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The vault's contract.
    pub vault: Address,
    /// Block the contract was deployed in: no deposit is older.
    pub deployed_block: u64,
    /// Blocks searched for deposits by one question.
    pub logs_span_blocks: u64,
    /// Phases in which deposits become shares and idle tokens go to work.
    pub deposit_phases: &'static [Phase],
    /// Phases in which collateral is taken back and withdrawals are paid.
    pub withdrawal_phases: &'static [Phase],
    /// Most deposits in one transaction.
    pub deposit_batch: usize,
    /// Most withdrawals paid in one transaction.
    pub withdrawal_batch: u64,
    /// Taken from the subaccount on top of what withdrawals need, 1/10 000.
    pub buffer_bps: u32,
    /// Least number of idle tokens worth a deposit into the subaccount, in their own decimals.
    pub sweep_min: U256,
    /// Time between two collections of the management fee, seconds; zero never collects.
    pub fee_every_s: u64,
    /// Gas any transaction may use.
    pub gas_limit: u64,
    /// Blocks to wait after something failed.
    pub retry_blocks: u64,
    /// How transactions are priced and insisted on.
    pub lane: Limits,
}

/// Where the engine stands, as far as keeping is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Phase of the week; [`Phase::Boot`] for good in a vault without one.
    pub phase: Phase,
    /// A trade signature is live, or on its way to be.
    pub signing: bool,
    /// Fills, deposits and withdrawals not settled on the chain.
    pub unsettled: u32,
}

/// The vault's contract and its subaccount at one block. Tokens and shares are in the token's own decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Books {
    /// Height all of it was read at.
    pub block: u64,
    /// Time of that block, Unix seconds.
    pub time_s: u64,
    /// When it was read, our clock.
    pub read_at: Nanos,
    /// `shareKeeper(us)`.
    pub listed: bool,
    /// `isBlocked()`.
    pub blocked: bool,
    /// Tokens on the contract.
    pub tokens: U256,
    /// Of these, deposits that have not become shares yet.
    pub pending: U256,
    /// Shares in the withdrawal queue.
    pub queued: U256,
    /// What they are worth now, after the withdrawal scale.
    pub owed: U256,
    /// What all shares are worth, deposits in waiting left out.
    pub value: U256,
    /// All shares, the queue's among them.
    pub supply: U256,
    /// Collateral in the subaccount.
    pub base: Amount,
    /// Cash there, as last stored.
    pub cash: Cash,
    /// Collateral the contract would let go, tokens.
    pub base_free: U256,
    /// A management fee is charged, and there is somebody to get it.
    pub fee_due: bool,
    /// When it was last collected, Unix seconds.
    pub fee_collected_s: u64,
}

/// What a search for deposits found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// A deposit was queued.
    Initiated(u64),
    /// A deposit became shares.
    Processed(u64),
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// The engine says where it stands; nothing is done before it has.
    Moment(Moment),
    /// State of the contract.
    Books(Books),
    /// Deposits up to this block, in the order of the chain.
    Found {
        /// Last block searched.
        upto: u64,
        /// What was there.
        found: Vec<Found>,
    },
    /// Outcome of a call tried.
    Tried(u64, Shadow),
    /// What became of a wish to move capital.
    Capital(CapitalNews),
    /// What the node said about our transactions.
    Node(Seen),
    /// The run is over: nothing more is begun.
    Stop,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Read the contract; answer with [`Event::Books`].
    AskBooks,
    /// Search these blocks, both included; answer with [`Event::Found`].
    Search {
        /// First block.
        from: u64,
        /// Last block.
        upto: u64,
    },
    /// Make this call without a transaction, from our account; answer with [`Event::Tried`] and the same number.
    Try(u64, Bytes),
    /// Ask the engine to move capital.
    Move(CapitalWish),
    /// For the lane's own business with the node.
    Lane(Step),
    /// To whoever watches.
    Say(Word),
}

/// What a transaction does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Job {
    /// Makes shares of these deposits.
    Deposits(Vec<u64>),
    /// Pays withdrawals from the head of the queue.
    Withdrawals,
    /// Mints the management fee.
    Fee,
}

/// To whoever watches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// What one share is worth, 18 decimals.
    Price {
        /// Value of a whole share.
        price: U256,
        /// All shares.
        supply: U256,
        /// Height it was read at.
        block: u64,
    },
    /// Done, in this block.
    Done(Job, u64),
    /// A deposit cannot become shares now and is left out.
    LeftOut(u64, Refusal),
    /// Nothing is done, and why; said when it changes.
    Waiting(Wait),
    /// For a person.
    Alarm(Alarm),
    /// Nothing is done any more until a restart: another process uses our key.
    Halted,
}

/// Why nothing is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wait {
    /// The chain or the engine has not said enough yet.
    Unknown,
    /// Deposits of the past are still being searched for.
    Searching,
    /// The contract does not list our key among its keepers.
    NotListed,
    /// An auction, a withdrawal block or the cash fee stops everything.
    Blocked,
    /// The engine is in another phase.
    Phase(Phase),
    /// A trade signature is live.
    Signing,
    /// Something signed earlier is not settled.
    Unsettled(u32),
    /// Something failed a short while ago.
    Failed,
    /// The run is over.
    Stopped,
    /// All is done.
    Nothing,
}

/// For a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alarm {
    /// About our transactions.
    Lane(LaneAlarm),
    /// A call would revert, whatever it is about.
    Refused(Job, Refusal),
    /// The node did not say whether a call would pass.
    Unreachable(Job, String),
    /// A transaction reverted in its block.
    Reverted(Job),
    /// A transaction had its effect, but the queue is as long as before.
    NoProgress,
    /// The engine did not move capital.
    NotMoved(Flow, CapitalNews),
    /// Nothing was heard of capital on its way.
    Lost(Flow),
    /// Withdrawals need more collateral than is free, tokens.
    Short(U256),
}
