//! Money that moves: withdrawals and spot transfers.

use super::scale::{Decimal18, ScaleError};
use super::words::Words;
use crate::base::ids::SubaccountId;
use crate::derive::dialect::Address;

/// Takes an asset out of a subaccount to an L1 address (withdrawal module).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Withdraw {
    /// Protocol address of the asset, not the ERC-20.
    pub asset: Address,
    /// Most the sequencer may charge, USD.
    pub max_fee_usd: Decimal18,
    /// Who receives on L1.
    pub recipient: Address,
    /// Quantity in the ERC-20's own smallest units.
    pub amount_native: u128,
    /// Forces inclusion in the next batch.
    pub force_batch: bool,
}

impl Withdraw {
    /// The signed bytes.
    pub fn data(&self) -> Result<Vec<u8>, ScaleError> {
        let mut words = Words::with_capacity(5);
        words
            .address(self.asset)
            .word(self.max_fee_usd.unsigned()?)
            .address(self.recipient)
            .uint(self.amount_native)
            .flag(self.force_batch);
        Ok(words.into_bytes())
    }
}

/// Moves an asset between subaccounts of one wallet (transfer module).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransferSpot {
    /// Receiving subaccount; not read when a new one is created.
    pub to: SubaccountId,
    /// Risk manager of a subaccount to create, or zero for an existing one.
    pub new_subaccount_manager: u64,
    /// Protocol address of the asset.
    pub asset: Address,
    /// Sub-id within the asset; zero for spot.
    pub sub_id: u128,
    /// Quantity.
    pub amount: Decimal18,
    /// Most the sequencer may charge, USD.
    pub max_fee_usd: Decimal18,
}

impl TransferSpot {
    fn words(&self) -> Result<Words, ScaleError> {
        let mut words = Words::with_capacity(7);
        words
            .uint(self.to.0.into())
            .uint(self.new_subaccount_manager.into())
            .address(self.asset)
            .uint(self.sub_id)
            .word(self.amount.unsigned()?)
            .word(self.max_fee_usd.unsigned()?);
        Ok(words)
    }

    /// The signed bytes of a transfer within the wallet.
    pub fn data(&self) -> Result<Vec<u8>, ScaleError> {
        Ok(self.words()?.into_bytes())
    }

    /// The signed bytes of a transfer to another wallet (external transfer module).
    /// `to` zero creates a subaccount for `recipient`.
    pub fn external_data(&self, recipient: Address) -> Result<Vec<u8>, ScaleError> {
        let mut words = self.words()?;
        words.address(recipient);
        Ok(words.into_bytes())
    }
}
