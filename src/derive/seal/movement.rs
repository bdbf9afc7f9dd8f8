//! Sealing a movement of capital between a vault's contract and its subaccount (v2).

use super::Sealer;
use crate::base::ids::{Nonce, SubaccountId, VaultId};
use crate::base::time::Nanos;
use crate::derive::action::{self, v2::movement_data};
use crate::engine::journal::MovementRecord;
use crate::engine::ports::{Key, Store};
use crate::msg::{Breach, Flow, HeldSignature};
use crate::risk::capital::Movement;

/// A movement with its signature. Only the signer actor makes one, of what the sealing desk has signed.
#[derive(Clone, Copy, PartialEq)]
pub struct SignedMovement {
    movement: Movement,
    signature: [u8; 65],
}

impl SignedMovement {
    /// A movement with the signature that its deed was given. For the signer actor.
    pub(crate) fn of(movement: Movement, signature: [u8; 65]) -> SignedMovement {
        SignedMovement { movement, signature }
    }

    /// The movement.
    pub fn movement(&self) -> &Movement {
        &self.movement
    }

    /// `r ‖ s ‖ v`.
    pub fn signature(&self) -> &[u8; 65] {
        &self.signature
    }
}

/// What is sealed of a movement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MovementDeed {
    /// Vault.
    pub vault: VaultId,
    /// Subaccount.
    pub subaccount: SubaccountId,
    /// Its name.
    pub nonce: Nonce,
    /// Which way.
    pub flow: Flow,
    /// How much, in the token's own decimals.
    pub amount: u128,
    /// Signature expiry, unix seconds.
    pub expires_s: u64,
}

impl MovementDeed {
    /// Of a granted movement.
    pub fn of(movement: &Movement) -> MovementDeed {
        MovementDeed {
            vault: movement.vault(),
            subaccount: movement.subaccount(),
            nonce: movement.nonce(),
            flow: movement.flow(),
            amount: movement.amount(),
            expires_s: movement.expires_s(),
        }
    }
}

impl<K: Key, S: Store> Sealer<K, S> {
    /// Bytes, judgement, journal, signature.
    pub fn seal_movement(&mut self, at: Nanos, deed: &MovementDeed) -> Result<[u8; 65], Breach> {
        let MovementDeed { vault, subaccount, nonce, flow, amount, expires_s } = *deed;
        self.room()?;
        if nonce <= self.last {
            return Err(Breach::Nonce);
        }
        let fence = self.envelope.capital(subaccount)?;
        let data = movement_data(flow, fence.asset, amount);
        let module = match flow {
            Flow::Deposit => fence.deposit,
            Flow::Withdrawal => fence.withdrawal,
        };
        let envelope = action::Envelope {
            subaccount,
            nonce,
            module: module.ok_or(Breach::Module)?,
            expiry_sec: expires_s,
            owner: self.maker.owner,
            signer: self.maker.signer,
        };
        self.envelope.judge_movement(at, flow, &envelope, &data)?;
        let digest = envelope.digest(&self.maker.dialect.domain_separator, &data);
        self.last = nonce;
        self.put(&MovementRecord { at, nonce, vault, subaccount, flow, amount, expires_s }.write());
        self.note_asked(subaccount, HeldSignature { nonce, moves: true, digest, expires_s });
        Ok(self.key.sign(&digest))
    }
}

#[cfg(test)]
#[path = "movement_tests.rs"]
mod tests;
