//! An order that has passed every check. Its fields are private: nothing else can make one or change it.

use crate::base::ids::{Epoch, InstrumentId, Nonce, Side, SubaccountId, VaultId};
use crate::base::num::{Amount, Price};
use crate::base::time::Nanos;
use crate::msg::{Purpose, TimeInForce, Trace, Wish};

/// The order a replacement takes the place of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// Its name.
    pub nonce: Nonce,
    /// What it had filled when the replacement was approved; the venue refuses if it filled more (Derive 11028).
    pub filled: Amount,
}

/// Permission to sign and send one order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Order {
    pub(super) trace: Trace,
    pub(super) vault: VaultId,
    pub(super) subaccount: SubaccountId,
    pub(super) epoch: Epoch,
    pub(super) nonce: Nonce,
    pub(super) wish: Wish,
    pub(super) replaced: Option<Replaced>,
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
    pub fn stamp(&mut self, stage: crate::msg::Stage, at: Nanos) {
        self.trace.stamp(stage, at);
    }
}
