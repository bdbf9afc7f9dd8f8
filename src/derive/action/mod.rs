//! Signed actions: canonical ABI data, the EIP-712 envelope around it, and the digest a key signs.

pub mod funds;
pub mod keys;
pub mod login;
pub mod rfq;
pub mod scale;
pub mod trade;
pub mod v2;
pub mod vault;
pub mod words;

use alloy_primitives::keccak256;

use crate::base::ids::{Nonce, SubaccountId};
use crate::derive::dialect::{ACTION_TYPEHASH, Address, Word};
use words::Words;

/// Everything an action's signature covers besides its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Subaccount acted upon; zero for wallet-wide actions.
    pub subaccount: SubaccountId,
    /// Venue nonce.
    pub nonce: Nonce,
    /// Module identifier.
    pub module: Address,
    /// Signature expiry, unix seconds.
    pub expiry_sec: u64,
    /// Wallet owning the subaccount.
    pub owner: Address,
    /// Key that signs: the owner or a session key.
    pub signer: Address,
}

impl Envelope {
    /// `keccak256(abi.encode(typehash, subaccount, nonce, module, keccak256(data), expiry, owner, signer))`.
    pub fn action_hash(&self, data: &[u8]) -> Word {
        let mut words = Words::with_capacity(8);
        words
            .word(ACTION_TYPEHASH)
            .uint(self.subaccount.0.into())
            .uint(self.nonce.0.into())
            .address(self.module)
            .word(keccak256(data).0)
            .uint(self.expiry_sec.into())
            .address(self.owner)
            .address(self.signer);
        keccak256(words.bytes()).0
    }

    /// The digest a key signs: `keccak256(0x1901 ‖ domain separator ‖ action hash)`.
    pub fn digest(&self, domain_separator: &Word, data: &[u8]) -> Word {
        let mut preimage = [0u8; 66];
        preimage[..2].copy_from_slice(&[0x19, 0x01]);
        preimage[2..34].copy_from_slice(domain_separator);
        preimage[34..].copy_from_slice(&self.action_hash(data));
        keccak256(preimage).0
    }
}
