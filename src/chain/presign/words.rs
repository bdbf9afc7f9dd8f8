//! What goes into and comes out of the life of a vault's signature.

use crate::chain::feed::FeedState;
use crate::chain::lane::{Alarm as LaneAlarm, Seen, Step};
use crate::chain::refusal::Refusal;
use alloy::primitives::{Address, B256, Bytes};

/// A wish for a signature, as the engine knows it: the venue nonce of the action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(pub u64);

/// An action to be signed by the vault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Names it from now on.
    pub ticket: Ticket,
    /// EIP-712 digest of the action.
    pub digest: B256,
    /// When the signature ends, Unix seconds.
    pub expiry_s: u64,
    /// The whole call that asks for it.
    pub calldata: Bytes,
}

/// A signature the journal knows to have an open order or quote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Its wish.
    pub ticket: Ticket,
    /// EIP-712 digest of the action.
    pub digest: B256,
    /// When the signature ends, Unix seconds.
    pub expiry_s: u64,
}

/// The vault's contract at one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// `lastSeenHash()`.
    pub last_seen: B256,
    /// `signedData(lastSeenHash)`.
    pub live: bool,
    /// `isSigner(us)`.
    pub listed: bool,
    /// `signaturesDisabled()`.
    pub disabled: bool,
    /// `isBlocked()`.
    pub blocked: bool,
    /// The feed of the collateral's price; none if it is not followed.
    pub feed: Option<FeedState>,
    /// Height all of it was read at.
    pub block: u64,
}

/// How one vault signs.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// The vault's contract.
    pub vault: Address,
    /// Gas for a signature.
    pub sign_gas: u64,
    /// Gas for a revocation.
    pub revoke_gas: u64,
    /// Least life a signature must still have to be asked for, adopted or waited for, seconds (the venue wants 300).
    pub life_s_min: u64,
    /// Blocks a signature without an order may live before it is revoked.
    pub idle_blocks_max: u64,
    /// Feed of the collateral's price, if its age is looked at before a signature is asked for.
    pub feed: Option<Address>,
    /// Time for which it must go on answering then: that of a transaction, seconds.
    pub feed_spare_s: u64,
    /// When newer prices are brought to that feed, if they are.
    pub refresh: Option<RefreshTerms>,
}

/// When a feed is brought a newer price.
#[derive(Clone, Copy, Debug)]
pub struct RefreshTerms {
    /// Share of its heartbeat that its price may be old, basis points.
    pub age_bps_max: u64,
    /// Least time between two prices asked for, seconds.
    pub pause_s: u64,
    /// Gas for bringing one.
    pub gas: u64,
}

/// A price with its oracle's signature, ready to be brought to a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedPrice {
    /// When it was signed, Unix seconds.
    pub signed_s: u64,
    /// The whole call that brings it.
    pub calldata: Bytes,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// The engine asks for a signature.
    Sign(Request),
    /// The venue proved that no order stands on the signature any more.
    Release(Ticket),
    /// The engine wants the signature dead.
    Revoke(Ticket),
    /// The run is over: nothing more is signed, and a signature without an order is revoked.
    Close,
    /// Fills, deposits and withdrawals signed earlier whose transaction is neither settled nor reverted.
    Unsettled(u32),
    /// What the journal knows of the live signature, once after the start.
    Recovered(Option<Held>),
    /// Outcome of the shadow call.
    Shadow(Ticket, Shadow),
    /// State of the vault's contract.
    Facts(Facts),
    /// The venue's newest signed price, which the feed would take now; or why there is none.
    Price(Result<SignedPrice, String>),
    /// What the node said about our transactions.
    Node(Seen),
}

/// Outcome of a call made without a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shadow {
    /// It would pass.
    Passed,
    /// It would revert.
    Reverted(Refusal),
    /// The node did not say.
    Unreachable(String),
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Call without a transaction, from our account; answer with [`Event::Shadow`].
    AskShadow(Ticket, Bytes),
    /// Read the vault's contract; answer with [`Event::Facts`].
    AskFacts,
    /// Ask the venue for the newest signed price; answer with [`Event::Price`].
    AskPrice,
    /// For the lane's own business with the node.
    Lane(Step),
    /// To the engine.
    Say(Word),
}

/// To the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// The vault signs for this digest from this block on: the order may go.
    Signed {
        /// The wish.
        ticket: Ticket,
        /// Its digest.
        digest: B256,
        /// Block of the signature.
        block: u64,
    },
    /// The live signature found at the start is ours and its order stands.
    Adopted(Ticket),
    /// No signature came of the wish.
    Refused(Ticket, Why),
    /// The signature counts for nothing until it is said to be signed again: its block is gone, or the owner stopped
    /// signatures, or settlement is blocked.
    Suspended(Ticket),
    /// The signature is dead though nobody asked: cancel what stands on it.
    Lost(Ticket),
    /// The signature has reached its expiry.
    Expired(Ticket),
    /// The signature of this digest is revoked.
    Revoked(B256),
    /// Nothing is signed any more until a restart.
    Halted(Halt),
    /// The feed holds a price that we brought, or a newer one.
    Refreshed {
        /// When the price we brought was signed, Unix seconds.
        signed_s: u64,
    },
    /// The feed was not brought a newer price, in words.
    NotRefreshed(String),
    /// For a person.
    Alarm(Alarm),
}

/// Why no signature came of a wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// What is on chain after the start is not settled yet.
    Recovering,
    /// Something signed earlier is unsettled, or how much is not known.
    Unsettled(Option<u32>),
    /// Another signature is under way, or an order stands on it.
    Busy,
    /// The contract does not list our key.
    NotListed,
    /// The owner has disabled signatures.
    Disabled,
    /// An auction, a withdrawal block or the cash fee stops settlement.
    Blocked,
    /// The contract would read a price that is too old, or about to be.
    StalePrice,
    /// The contract refuses.
    Reverted(Refusal),
    /// The node could not say whether the contract would sign.
    Unreachable(String),
    /// The contract signed, but for another hash: our domain or its verifier is not what we think.
    OtherHash(B256),
    /// Too little life is left.
    Late,
    /// The engine withdrew it.
    Withdrawn,
    /// Nothing is signed until a restart.
    Halted,
}

/// Why nothing is signed until a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halt {
    /// Another process uses our key: a nonce was used by a transaction that is not ours.
    KeyUsedElsewhere,
    /// A revocation reverted.
    RevocationReverted,
}

/// For a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alarm {
    /// About our transactions.
    Lane(LaneAlarm),
    /// A fill, deposit or withdrawal turned up after the signature or revocation that will make it revert was sent.
    LateUnsettled(u32),
    /// The contract answers for a hash that is not ours; it is revoked.
    Foreign(B256),
    /// Whether signatures are disabled, changed.
    Disabled(bool),
    /// Whether settlement is blocked, changed.
    Blocked(bool),
    /// Whether our key is listed, changed.
    Listed(bool),
    /// Whether the collateral's price is too old to be signed on, changed.
    StalePrice(bool),
    /// Time and again the feed could not be brought a newer price.
    NotRefreshed,
    /// The node has not answered for so long that nothing said of the signature is known to hold.
    NodeSilent,
}
