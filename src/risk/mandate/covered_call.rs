//! The covered-call vault's signer (`CoveredCallTSA`): what it would sign, check by check in its order.

use super::action::{Action, Assets, SignatureLife, Trade, Transfer, VaultState};
use super::black76::Black76;
use super::collateral::{CollateralLimits, check_deposit};
use super::feeds::Feeds;
use super::fixed::{UNIT, abs, add, mul_d, to_u128, to_unsigned};
use super::option_id::OptionTerms;
use super::revert::Revert;
use alloy_primitives::{I256, U256};

/// `CCTSAParams` and the parameters of its collateral half, as the chain gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CoveredCall {
    /// Contracts of the vault.
    pub assets: Assets,
    /// Bounds on the life of a signature.
    pub life: SignatureLife,
    /// Factor on the feed's volatility before pricing, 18 decimals.
    pub vol_factor: U256,
    /// Highest delta sold, at the lowered volatility, 18 decimals.
    pub delta_max: U256,
    /// Cash below which no call is sold and nothing withdrawn; not positive.
    pub cash_min: I256,
    /// Shortest time to expiry, seconds.
    pub expires_in_min_s: U256,
    /// Longest time to expiry, seconds.
    pub expires_in_max_s: U256,
    /// Fees and swaps.
    pub collateral: CollateralLimits,
}

struct Holdings {
    short_calls: U256,
    base: U256,
}

impl CoveredCall {
    /// Verdict on an action expiring at `expiry_s`. The first failing check names the revert. A blocked account does
    /// not stop this signer; it stops the signature's use at settlement.
    pub fn check(&self, action: &Action, expiry_s: U256, state: &VaultState, feeds: &impl Feeds) -> Result<(), Revert> {
        if !self.life.contains(state.now_s, expiry_s)? {
            return Err(Revert::CctInvalidActionExpiry);
        }
        match action {
            Action::Deposit(deposit) => check_deposit(deposit, state, &self.assets),
            Action::Withdraw(withdrawal) => self.check_withdrawal(withdrawal, state),
            Action::Trade(trade) => self.check_trade(trade, state, feeds),
            Action::Rfq(_) | Action::Other => Err(Revert::CctInvalidModule),
        }
    }

    fn check_withdrawal(&self, withdrawal: &Transfer, state: &VaultState) -> Result<(), Revert> {
        if withdrawal.asset != self.assets.base {
            return Err(Revert::CctInvalidAsset);
        }
        let holdings = holdings(state)?;
        let amount = self.assets.to_18_decimals(withdrawal.amount)?;
        if holdings.base < add(amount, holdings.short_calls)? {
            return Err(Revert::CctWithdrawingUtilisedCollateral);
        }
        if state.cash < self.cash_min {
            return Err(Revert::CctWithdrawalNegativeCash);
        }
        Ok(())
    }

    fn check_trade(&self, trade: &Trade, state: &VaultState, feeds: &impl Feeds) -> Result<(), Revert> {
        if !trade.amount.is_positive() {
            return Err(Revert::CctInvalidDesiredAmount);
        }
        if trade.asset == self.assets.base {
            return self.collateral.check_trade(trade, state, feeds);
        }
        if trade.asset != self.assets.derivative {
            return Err(Revert::CctInvalidAsset);
        }
        if trade.is_bid {
            return Err(Revert::CctCanOnlyOpenShortOptions);
        }
        self.check_sale(trade, state, feeds)
    }

    fn check_sale(&self, trade: &Trade, state: &VaultState, feeds: &impl Feeds) -> Result<(), Revert> {
        let holdings = holdings(state)?;
        if add(abs(trade.amount)?, holdings.short_calls)? > holdings.base {
            return Err(Revert::CctSellingTooManyCalls);
        }
        if state.cash < self.cash_min {
            return Err(Revert::CctCannotSellOptionsWithNegativeCash);
        }
        self.collateral.check_fee(trade.worst_fee, feeds.spot()?)?;
        let terms = OptionTerms::of_sub_id(trade.sub_id)?;
        self.check_call(&terms, to_unsigned(trade.limit_price)?, state.now_s, feeds)
    }

    fn check_call(&self, terms: &OptionTerms, limit: U256, now_s: u64, feeds: &impl Feeds) -> Result<(), Revert> {
        if !terms.is_call {
            return Err(Revert::CctOnlyShortCallsAllowed);
        }
        let expires_in_s = terms.expiry_s.checked_sub(now_s).filter(|left_s| *left_s > 0);
        let expires_in_s = expires_in_s.ok_or(Revert::CctOptionExpired)?;
        let left_s = U256::from(expires_in_s);
        if left_s < self.expires_in_min_s || left_s > self.expires_in_max_s {
            return Err(Revert::CctOptionExpiryOutOfBounds);
        }
        let vol = feeds.vol(terms.strike, terms.expiry_s)?;
        let forward = feeds.forward(terms.expiry_s)?;
        let input = Black76 {
            expires_in_s,
            discount: UNIT.saturating_to(),
            vol: to_u128(mul_d(vol, self.vol_factor)?)?,
            forward: to_u128(forward)?,
            strike: terms.strike,
        };
        let priced = input.priced()?;
        if priced.call_delta > self.delta_max {
            return Err(Revert::CctOptionDeltaTooHigh);
        }
        if limit <= priced.call {
            return Err(Revert::CctOptionPriceTooLow);
        }
        Ok(())
    }
}

/// Calls sold over every option id, settled or not, and the base held (`getSubAccountStats`).
fn holdings(state: &VaultState) -> Result<Holdings, Revert> {
    let mut short_calls = U256::ZERO;
    for balance in state.options.iter() {
        if balance.is_positive() {
            return Err(Revert::CctInvalidOptionBalance);
        }
        short_calls = add(short_calls, abs(*balance)?)?;
    }
    Ok(Holdings { short_calls, base: abs(state.base)? })
}

#[cfg(test)]
#[path = "covered_call_tests.rs"]
mod tests;
