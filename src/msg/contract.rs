//! What risk, the contract stage and the chain say to each other about the one signature of a vault's contract.

use super::LEGS;
use crate::base::ids::{Nonce, SubaccountId};

/// Bytes of an order's signed data, the longest there is: seven words.
pub const ACTION_BYTES: usize = 224;

/// A module's data, as it is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActionData {
    bytes: [u8; ACTION_BYTES],
    length: usize,
}

impl ActionData {
    /// These bytes; none if there are more than an order's.
    pub fn of(data: &[u8]) -> Option<ActionData> {
        let mut bytes = [0; ACTION_BYTES];
        bytes.get_mut(..data.len())?.copy_from_slice(data);
        Some(ActionData { bytes, length: data.len() })
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// Bytes of the legs of a quote, as their hash is taken.
pub const LEGS_BYTES: usize = 64 + 128 * LEGS;

/// An order, the execution of a quote or a movement of capital as the contract is to sign it; owner and signer are the
/// contract itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActionAsk {
    /// Its name.
    pub nonce: Nonce,
    /// Subaccount it acts on.
    pub subaccount: SubaccountId,
    /// Module of the exchange that acts.
    pub module: [u8; 20],
    /// When the signature ends, venue unix seconds.
    pub expires_s: u64,
    /// EIP-712 digest, which the contract must arrive at by itself.
    pub digest: [u8; 32],
    /// The module's data.
    pub data: ActionData,
    /// The legs of the quote that is executed, whose hash the data holds: the contract judges what it can read.
    pub legs: Option<[u8; LEGS_BYTES]>,
}

/// A signature that an order, an execution or a movement of capital stands on, or stood on when it was last heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldSignature {
    /// What stands on it.
    pub nonce: Nonce,
    /// Capital moves on it.
    pub moves: bool,
    /// Its digest.
    pub digest: [u8; 32],
    /// When it ends, venue unix seconds.
    pub expires_s: u64,
}

/// To the chain's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant)] // Copy on purpose: nothing on the hot path is boxed.
pub enum ChainAsk {
    /// Let the contract sign this.
    Sign(ActionAsk),
    /// No order stands on this signature any more.
    Release(Nonce),
    /// This signature is to be dead.
    Revoke(Nonce),
    /// So many fills, deposits and withdrawals signed earlier are unsettled.
    Unsettled(u32),
    /// What is known of the live signature; once after each [`ChainWord::Hello`].
    Recovered(Option<HeldSignature>),
}

/// From the chain's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainWord {
    /// It has just started, for the first time or again, and knows nothing.
    Hello,
    /// Whether a signature could be asked for now, changed.
    Ready(bool),
    /// The contract answers for this order from this block on.
    Signed {
        /// The order.
        nonce: Nonce,
        /// The block.
        block: u64,
    },
    /// The live signature found at the start is this order's.
    Adopted(Nonce),
    /// No signature came of the wish.
    Refused {
        /// The order.
        nonce: Nonce,
        /// Why.
        why: Unsigned,
    },
    /// The signature an order may stand on counts for nothing.
    Unbacked {
        /// The order.
        nonce: Nonce,
        /// Why.
        why: Unbacked,
    },
    /// Nothing is signed any more until a restart.
    Halted(ContractHalt),
    /// For a person.
    Alarm(ContractAlarm),
}

/// What risk knows of the order that stands on a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContractFact {
    /// Nothing more can come of it, by the venue's word.
    Over(Nonce),
    /// It must not leave any more.
    Withdrawn(Nonce),
    /// So many fills, deposits and withdrawals signed earlier are unsettled.
    Unsettled(u32),
}

/// What the contract stage tells risk, beside orders that never left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContractReport {
    /// Whether a signature could be asked for now.
    Ready(bool),
    /// The contract has signed; the order went on to the venue.
    Passed(Nonce),
    /// An order of an earlier run may stand on the live signature.
    Adopted(Nonce),
    /// The signature of this order counts for nothing: it must not rest any longer.
    Unbacked {
        /// The order.
        nonce: Nonce,
        /// Why.
        why: Unbacked,
    },
    /// Nothing is signed any more until a restart.
    Halted(ContractHalt),
    /// For a person.
    Alarm(ContractAlarm),
}

/// Why no signature of the contract came of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsigned {
    /// What is on chain after the start is not settled yet.
    Recovering,
    /// Something signed earlier is unsettled, or how much is not known.
    Unsettled,
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
    /// The contract refuses; the first four bytes of its error, zeros if it gave none.
    Reverted([u8; 4]),
    /// The node could not say whether the contract would sign.
    Unreachable,
    /// The contract signed another hash: our domain or its verifier is not what we think.
    OtherHash,
    /// Not in time.
    Late,
    /// It is not wanted any more.
    Withdrawn,
    /// Nothing is signed until a restart.
    Halted,
    /// A kind of action that is not put to the contract.
    Kind,
}

/// Why a signature counts for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unbacked {
    /// Its block is gone, or the owner stopped signatures or settlement; it may come back.
    Suspended,
    /// It is dead though nobody asked.
    Lost,
    /// It has reached its expiry.
    Expired,
}

/// Why nothing is signed until a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContractHalt {
    /// Another process uses our key.
    KeyUsedElsewhere,
    /// A revocation reverted.
    RevocationReverted,
}

/// For a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContractAlarm {
    /// Too little is left for gas.
    GasLow,
    /// The fee has reached its cap and a transaction still waits.
    FeeAtCap,
    /// Transactions of an earlier process wait at the node.
    Leftover,
    /// A node did not take a transaction.
    NotTaken,
    /// Something turned up unsettled after the signature that will make it revert was sent.
    LateUnsettled,
    /// The contract answered for a hash that is not ours; it is revoked.
    Foreign,
    /// Whether signatures are disabled, changed.
    Disabled(bool),
    /// Whether settlement is blocked, changed.
    Blocked(bool),
    /// Whether our key is listed, changed.
    Listed(bool),
    /// Whether the collateral's price is too old to be signed on, changed.
    StalePrice(bool),
    /// Time and again the feed of that price could not be brought a newer one.
    NotRefreshed,
    /// The node has not answered for long.
    NodeSilent,
    /// The contract refused what its replica had let pass; the first four bytes of its error.
    Refused([u8; 4]),
}
