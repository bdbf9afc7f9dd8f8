//! The collateral half of the option vaults' signers: deposits, and swaps between base and cash.

use super::action::{Assets, Trade, Transfer, VaultState};
use super::feeds::Feeds;
use super::fixed::{abs, mul_d, mul_d_signed, sub, to_unsigned};
use super::revert::Revert;
use alloy_primitives::{I256, U256};

/// `CollateralManagementParams`, 18 decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CollateralLimits {
    /// Highest fee per unit as a fraction of spot; for options too.
    pub fee_factor: U256,
    /// How far a swap may overshoot the cash balance.
    pub leniency: I256,
    /// Lowest selling price over spot.
    pub worst_sell: U256,
    /// Highest buying price over spot.
    pub worst_buy: U256,
}

impl CollateralLimits {
    /// `CMTSA_FeeTooHigh` above the fraction of spot.
    pub fn check_fee(&self, worst_fee: U256, spot: U256) -> Result<(), Revert> {
        if worst_fee > mul_d(spot, self.fee_factor)? { Err(Revert::CmtsaFeeTooHigh) } else { Ok(()) }
    }

    /// An order in the base asset, checked in the contract's order (`_tradeCollateral`).
    pub fn check_trade(&self, trade: &Trade, state: &VaultState, feeds: &impl Feeds) -> Result<(), Revert> {
        if trade.is_bid { self.check_buy(trade, state, feeds) } else { self.check_sell(trade, state, feeds) }
    }

    fn check_buy(&self, trade: &Trade, state: &VaultState, feeds: &impl Feeds) -> Result<(), Revert> {
        if !state.cash.is_positive() {
            return Err(Revert::CmtsaMustHavePositiveCash);
        }
        let spot = feeds.spot()?;
        self.check_fee(trade.worst_fee, spot)?;
        if to_unsigned(trade.limit_price)? > mul_d(spot, self.worst_buy)? {
            return Err(Revert::CmtsaSpotLimitPriceTooHigh);
        }
        let cost = mul_d_signed(trade.limit_price, trade.amount)?;
        if cost > mul_d_signed(state.cash, self.leniency)? {
            return Err(Revert::CmtsaBuyingTooMuchCollateral);
        }
        Ok(())
    }

    fn check_sell(&self, trade: &Trade, state: &VaultState, feeds: &impl Feeds) -> Result<(), Revert> {
        if !state.cash.is_negative() {
            return Err(Revert::CmtsaMustHaveNegativeCash);
        }
        let spot = feeds.spot()?;
        self.check_fee(trade.worst_fee, spot)?;
        if to_unsigned(trade.limit_price)? < mul_d(spot, self.worst_sell)? {
            return Err(Revert::CmtsaSpotLimitPriceTooLow);
        }
        let proceeds = mul_d_signed(trade.limit_price, trade.amount)?;
        if abs(proceeds)? > abs(mul_d_signed(state.cash, self.leniency)?)? {
            return Err(Revert::CmtsaSellingTooMuchCollateral);
        }
        Ok(())
    }
}

/// A deposit into the subaccount: of the base only, and not of tokens owed to pending depositors.
pub fn check_deposit(deposit: &Transfer, state: &VaultState, assets: &Assets) -> Result<(), Revert> {
    if deposit.asset != assets.base {
        return Err(Revert::CmtsaInvalidAsset);
    }
    if deposit.amount > sub(state.token_balance, state.pending_deposits)? {
        return Err(Revert::CmtsaDepositingTooMuch);
    }
    Ok(())
}
