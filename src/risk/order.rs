//! An order that has passed every check. Its fields are private: nothing else can make one or change it.

use super::capital::Movement;
use crate::base::ids::{Epoch, InstrumentId, Nonce, Side, SubaccountId, VaultId};
use crate::base::num::{Amount, Cash, Price};
use crate::base::time::Nanos;
use crate::msg::{Deal, Note, Purpose, Stage, TimeInForce, Trace, Wish};

/// The order a replacement takes the place of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Replaced {
    /// Its name.
    pub nonce: Nonce,
    /// What it had filled when the replacement was approved; the venue refuses if it filled more (Derive 11028).
    pub filled: Amount,
}

/// Permission to sign and send one order.
#[derive(Clone, Copy, Debug, PartialEq, Hash)]
pub struct Order {
    pub(super) trace: Trace,
    pub(super) vault: VaultId,
    pub(super) subaccount: SubaccountId,
    pub(super) epoch: Epoch,
    pub(super) nonce: Nonce,
    pub(super) wish: Wish,
    pub(super) replaced: Option<Replaced>,
    pub(super) ended: Option<Replaced>,
    pub(super) max_fee: Price,
    pub(super) expires_s: u64,
    pub(super) reject_ms: u64,
    pub(super) late_after: Nanos,
}

macro_rules! readers {
    ($($(#[$doc:meta])* $name:ident -> $kind:ty = $field:expr;)*) => {
        impl Order {
            $($(#[$doc])* pub fn $name(&self) -> $kind { let order = self; $field(order) })*
        }
    };
}

readers! {
    /// Where its time went.
    trace -> Trace = |o: &Order| o.trace;
    /// Whose it is.
    vault -> VaultId = |o: &Order| o.vault;
    /// Subaccount it trades for.
    subaccount -> SubaccountId = |o: &Order| o.subaccount;
    /// Epoch it was approved in.
    epoch -> Epoch = |o: &Order| o.epoch;
    /// Its name.
    nonce -> Nonce = |o: &Order| o.nonce;
    /// Instrument.
    instrument -> InstrumentId = |o: &Order| o.wish.instrument;
    /// Side.
    side -> Side = |o: &Order| o.wish.side;
    /// Limit price.
    price -> Price = |o: &Order| o.wish.price;
    /// Amount.
    amount -> Amount = |o: &Order| o.wish.amount;
    /// Life.
    tif -> TimeInForce = |o: &Order| o.wish.tif;
    /// Only reduces a position.
    reduce_only -> bool = |o: &Order| o.wish.reduce_only;
    /// Why it is wanted.
    purpose -> Purpose = |o: &Order| o.wish.purpose;
    /// The order it replaces.
    replaced -> Option<Replaced> = |o: &Order| o.replaced;
    /// The order in whose place it counts: the one it replaces, or one of its kind that has ended.
    counts_for -> Option<Replaced> = |o: &Order| o.replaced.or(o.ended);
    /// Highest fee per unit signed for.
    max_fee -> Price = |o: &Order| o.max_fee;
    /// Signature expiry, venue unix seconds.
    expires_s -> u64 = |o: &Order| o.expires_s;
    /// Venue must refuse it when it arrives later than this, venue unix milliseconds.
    reject_ms -> u64 = |o: &Order| o.reject_ms;
    /// After this moment (our clock) it must not leave any more.
    late_after -> Nanos = |o: &Order| o.late_after;
}

impl Order {
    /// Notes the moment of a stage in its trace.
    pub fn stamp(&mut self, stage: Stage, at: Nanos) {
        self.trace.stamp(stage, at);
    }
}

/// Permission to sign and send one execution of a quote. Made by the checks only.
#[derive(Clone, Copy, Debug, PartialEq, Hash)]
pub struct Execution {
    pub(super) trace: Trace,
    pub(super) vault: VaultId,
    pub(super) subaccount: SubaccountId,
    pub(super) epoch: Epoch,
    pub(super) nonce: Nonce,
    pub(super) deal: Deal,
    pub(super) max_fee: Cash,
    pub(super) expires_s: u64,
    pub(super) late_after: Nanos,
}

impl Execution {
    /// Where the time went.
    pub fn trace(&self) -> Trace {
        self.trace
    }
    /// Whose.
    pub fn vault(&self) -> VaultId {
        self.vault
    }
    /// For which subaccount.
    pub fn subaccount(&self) -> SubaccountId {
        self.subaccount
    }
    /// Epoch it was approved in.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }
    /// Its name.
    pub fn nonce(&self) -> Nonce {
        self.nonce
    }
    /// What is executed.
    pub fn deal(&self) -> &Deal {
        &self.deal
    }
    /// Most that may be charged as fees for the whole package, in quote currency.
    pub fn max_fee(&self) -> Cash {
        self.max_fee
    }
    /// When its signature expires, venue unix seconds.
    pub fn expires_s(&self) -> u64 {
        self.expires_s
    }
    /// It must not leave later than this, our clock.
    pub fn late_after(&self) -> Nanos {
        self.late_after
    }
    /// Notes the moment of a stage.
    pub fn stamp(&mut self, stage: Stage, at: Nanos) {
        self.trace.stamp(stage, at);
    }
}

/// What risk hands to the signer.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(clippy::large_enum_variant)] // Copy on purpose: nothing on the hot path is boxed.
pub enum Granted {
    /// An order to sign.
    Order(Order),
    /// An execution to sign.
    Execution(Execution),
    /// Capital to move.
    Movement(Movement),
    /// Something to journal, and no more.
    Note {
        /// Whose.
        vault: VaultId,
        /// What.
        note: Note,
    },
}

impl Granted {
    /// Notes the moment of a stage where there is a trace.
    pub fn stamp(&mut self, stage: Stage, at: Nanos) {
        match self {
            Granted::Order(order) => order.stamp(stage, at),
            Granted::Execution(execution) => execution.stamp(stage, at),
            Granted::Movement(_) | Granted::Note { .. } => {}
        }
    }
}
