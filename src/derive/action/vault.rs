//! Protocol-native vaults: creation, shareholder intents and the curator's minting and burning.

use super::scale::{Decimal18, ScaleError};
use super::words::Words;
use crate::base::ids::SubaccountId;
use crate::derive::dialect::{Address, Word};

/// One vault action; the first signed word is its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VaultAction {
    /// Kind 0: a new vault, funded from the signing subaccount. Immutable afterwards.
    Create(Create),
    /// Kind 1: asks for shares; signed on the source subaccount.
    Deposit {
        /// The vault.
        vault: SubaccountId,
        /// Protocol address of the deposit asset.
        asset: Address,
        /// Quantity of it.
        amount: Decimal18,
    },
    /// Kind 2: asks to burn shares; signed on the receiving subaccount.
    Withdraw {
        /// The vault.
        vault: SubaccountId,
        /// Shares to burn.
        shares: Decimal18,
    },
    /// Kind 3: withdraws every open request of the holder; signed on any own subaccount.
    CancelAll {
        /// The vault.
        vault: SubaccountId,
    },
    /// Kind 4: fulfils a deposit request; signed on the vault.
    Mint {
        /// Price of one share.
        share_price: Decimal18,
        /// `user_action_hash` of the request.
        user_action_hash: Word,
    },
    /// Kind 5: fulfils a withdrawal request; signed on the vault.
    Burn {
        /// Price of one share.
        share_price: Decimal18,
        /// `user_action_hash` of the request.
        user_action_hash: Word,
    },
    /// Kind 6: pays a holder out at the protocol's price; signed on the vault.
    ForceBurn {
        /// The holder.
        holder: Address,
    },
}

/// Configuration of a new vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Create {
    /// Risk manager.
    pub manager_id: u64,
    /// Protocol address of the deposit asset.
    pub deposit_asset: Address,
    /// The curator's first deposit.
    pub initial_deposit: Decimal18,
    /// Yearly fee on value, at most 300.
    pub management_fee_bps: u64,
    /// Fee on gains, at most 5000.
    pub performance_fee_bps: u64,
    /// Distance of a share price from the protocol's, at most 300.
    pub max_slippage_bps: u64,
    /// Wait between a holder's deposit and withdrawal, 60 to 604800.
    pub cooldown_sec: u64,
    /// Most the sequencer may charge, USD.
    pub max_fee_usd: Decimal18,
    /// First price of a share, USD.
    pub initial_share_price_usd: Decimal18,
    /// Asset that performance is measured in; none means USD.
    pub benchmark: Option<Address>,
}

impl VaultAction {
    /// The signed bytes.
    pub fn data(&self) -> Result<Vec<u8>, ScaleError> {
        let mut words = Words::with_capacity(12);
        match *self {
            VaultAction::Create(create) => create.append(&mut words)?,
            VaultAction::Deposit { vault, asset, amount } => {
                words.uint(1).uint(vault.0.into()).address(asset).word(amount.unsigned()?);
            }
            VaultAction::Withdraw { vault, shares } => {
                words.uint(2).uint(vault.0.into()).word(shares.unsigned()?);
            }
            VaultAction::CancelAll { vault } => {
                words.uint(3).uint(vault.0.into());
            }
            VaultAction::Mint { share_price, user_action_hash } => {
                words.uint(4).word(share_price.unsigned()?).word(user_action_hash);
            }
            VaultAction::Burn { share_price, user_action_hash } => {
                words.uint(5).word(share_price.unsigned()?).word(user_action_hash);
            }
            VaultAction::ForceBurn { holder } => {
                words.uint(6).address(holder);
            }
        }
        Ok(words.into_bytes())
    }
}

impl Create {
    fn append(&self, words: &mut Words) -> Result<(), ScaleError> {
        words
            .uint(0)
            .uint(self.manager_id.into())
            .address(self.deposit_asset)
            .word(self.initial_deposit.unsigned()?)
            .uint(self.management_fee_bps.into())
            .uint(self.performance_fee_bps.into())
            .uint(self.max_slippage_bps.into())
            .uint(self.cooldown_sec.into())
            .word(self.max_fee_usd.unsigned()?)
            .word(self.initial_share_price_usd.unsigned()?)
            .address(self.benchmark.unwrap_or_default())
            .flag(self.benchmark.is_some());
        Ok(())
    }
}
