//! The spread vaults' signer (`PrincipalProtectedTSA`): what it would sign, check by check in its order.
//!
//! Faithful to its peculiarities: the first leg's volatility prices both legs, costs are compared by magnitude, and a
//! spread is measured against the collateral's value only, never against its amount.

use super::action::{Action, Assets, Leg, Rfq, Role, SignatureLife, Trade, Transfer, VaultState};
use super::black76::Black76;
use super::collateral::{CollateralLimits, check_deposit};
use super::feeds::Feeds;
use super::fixed::{UNIT, abs, add, add_signed, div_d, mul_d, mul_d_signed, neg, sub, sub_signed, to_signed, to_u128};
use super::option_id::OptionTerms;
use super::revert::Revert;
use alloy_primitives::{I256, U256};

/// `PPTSAParams`, the two flags fixed at initialisation, and the parameters of the collateral half.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Spread {
    /// Contracts of the vault.
    pub assets: Assets,
    /// Calls rather than puts.
    pub is_call: bool,
    /// Spreads bought rather than sold.
    pub is_long: bool,
    /// Bounds on the life of a signature.
    pub life: SignatureLife,
    /// Lowest mark of a spread over the distance of its strikes, 18 decimals.
    pub mark_ratio_min: U256,
    /// Highest mark of a spread over the distance of its strikes, 18 decimals.
    pub mark_ratio_max: U256,
    /// The one distance between strikes allowed, 18 decimals.
    pub strike_distance: U256,
    /// Factor on the mark that bounds the cost: from above for bought spreads, from below for sold ones.
    pub cost_tolerance: U256,
    /// Open and new spreads times the distance, as a fraction of the collateral's value.
    pub loss_or_gain_max: U256,
    /// Debt left after a withdrawal as a fraction of the collateral's value.
    pub debt_tolerance: U256,
    /// Shortest time to expiry, seconds.
    pub expires_in_min_s: U256,
    /// Longest time to expiry, seconds.
    pub expires_in_max_s: U256,
    /// Cash below which nothing is traded; not positive.
    pub cash_min: I256,
    /// Highest fee as a fraction of the price paid or received.
    pub fee_factor: U256,
    /// Fees and swaps of collateral.
    pub collateral: CollateralLimits,
}

struct Holdings {
    open_spreads: U256,
    base: U256,
}

/// One leg with its mark.
struct Strike {
    expiry_s: u64,
    strike: U256,
    mark: I256,
    price: U256,
    amount: I256,
}

impl Spread {
    /// Verdict on an action expiring at `expiry_s`. The first failing check names the revert.
    pub fn check(&self, action: &Action, expiry_s: U256, state: &VaultState, feeds: &impl Feeds) -> Result<(), Revert> {
        if state.blocked {
            return Err(Revert::BtsaBlocked);
        }
        if !self.life.contains(state.now_s, expiry_s)? {
            return Err(Revert::PptInvalidActionExpiry);
        }
        match action {
            Action::Deposit(deposit) => check_deposit(deposit, state, &self.assets),
            Action::Withdraw(withdrawal) => self.check_withdrawal(withdrawal, state, feeds),
            Action::Trade(trade) => self.check_trade(trade, state, feeds),
            Action::Rfq(rfq) => self.check_rfq(rfq, state, feeds),
            Action::Other => Err(Revert::PptInvalidModule),
        }
    }

    fn check_withdrawal(&self, withdrawal: &Transfer, state: &VaultState, feeds: &impl Feeds) -> Result<(), Revert> {
        if withdrawal.asset != self.assets.base {
            return Err(Revert::PptInvalidAsset);
        }
        let holdings = holdings(state)?;
        if !holdings.open_spreads.is_zero() {
            return Err(Revert::PptWithdrawingWithOpenTrades);
        }
        let amount = self.assets.to_18_decimals(withdrawal.amount)?;
        if amount > holdings.base {
            return Err(Revert::PptInvalidBaseBalance);
        }
        if !state.cash.is_negative() {
            return Ok(());
        }
        let left_value = mul_d(sub(holdings.base, amount)?, feeds.spot()?)?;
        if abs(state.cash)? > mul_d(left_value, self.debt_tolerance)? {
            return Err(Revert::PptWithdrawingUtilisedCollateral);
        }
        Ok(())
    }

    fn check_trade(&self, trade: &Trade, state: &VaultState, feeds: &impl Feeds) -> Result<(), Revert> {
        if !trade.amount.is_positive() {
            return Err(Revert::PptInvalidDesiredAmount);
        }
        if trade.asset != self.assets.base {
            return Err(Revert::PptInvalidAsset);
        }
        self.collateral.check_trade(trade, state, feeds)
    }

    fn check_rfq(&self, rfq: &Rfq, state: &VaultState, feeds: &impl Feeds) -> Result<(), Revert> {
        let is_taker = match rfq.role {
            Role::Maker => false,
            Role::Taker { order_hash, legs_hash } if order_hash == legs_hash => true,
            Role::Taker { .. } => return Err(Revert::PptTradeDataDoesNotMatchOrderHash),
        };
        let (low, high) = self.priced_by_strike(&rfq.legs, state.now_s, feeds)?;
        // The amounts are the maker's: the vault's own side turns the sign around when it takes.
        let high_is_bought = if self.is_call == self.is_long { is_taker } else { !is_taker };
        let sign_fits = if high_is_bought { high.amount.is_positive() } else { high.amount.is_negative() };
        if !sign_fits {
            return Err(Revert::PptInvalidHighStrikeAmount);
        }
        self.check_spread(&low, &high, rfq.max_fee, state, feeds)
    }

    /// Both legs marked, lower strike first. The feeds are read for the first leg only.
    fn priced_by_strike(&self, legs: &[Leg], now_s: u64, feeds: &impl Feeds) -> Result<(Strike, Strike), Revert> {
        let [first, second] = legs else {
            return Err(Revert::PptInvalidTradeLength);
        };
        let terms = self.terms(first, now_s)?;
        let vol = feeds.vol(terms.strike, terms.expiry_s)?;
        let forward = feeds.forward(terms.expiry_s)?;
        let one = marked(first, &terms, now_s, vol, forward)?;
        let other = marked(second, &self.terms(second, now_s)?, now_s, vol, forward)?;
        if first.asset != second.asset || first.asset != self.assets.derivative || one.expiry_s != other.expiry_s {
            return Err(Revert::PptInvalidMakerTradeDetails);
        }
        Ok(if one.strike > other.strike { (other, one) } else { (one, other) })
    }

    fn terms(&self, leg: &Leg, now_s: u64) -> Result<OptionTerms, Revert> {
        let terms = OptionTerms::of_sub_id(leg.sub_id)?;
        let (now, expiry) = (U256::from(now_s), U256::from(terms.expiry_s));
        let too_soon = expiry < add(now, self.expires_in_min_s)?;
        if too_soon || expiry > add(now, self.expires_in_max_s)? || terms.is_call != self.is_call {
            return Err(Revert::PptInvalidOptionDetails);
        }
        Ok(terms)
    }

    fn check_spread(
        &self,
        low: &Strike,
        high: &Strike,
        max_fee: U256,
        state: &VaultState,
        feeds: &impl Feeds,
    ) -> Result<(), Revert> {
        let distance = sub(high.strike, low.strike)?;
        if distance != self.strike_distance {
            return Err(Revert::PptStrikePriceOutsideOfDiff);
        }
        if high.amount != neg(low.amount)? {
            return Err(Revert::PptInvalidTradeAmount);
        }
        let holdings = holdings(state)?;
        if state.cash < self.cash_min {
            return Err(Revert::PptCannotTradeWithTooMuchNegativeCash);
        }
        let low_cost = mul_d_signed(to_signed(low.price)?, low.amount)?;
        let cost = abs(add_signed(low_cost, mul_d_signed(to_signed(high.price)?, high.amount)?)?)?;
        if max_fee > mul_d(cost, self.fee_factor)? {
            return Err(Revert::PptTradeFeeTooHigh);
        }
        self.check_cost(low, high, cost)?;
        let open = mul_d(holdings.open_spreads, distance)?;
        let added = mul_d(abs(high.amount)?, distance)?;
        let value = mul_d(holdings.base, feeds.spot()?)?;
        if add(open, added)? > mul_d(value, self.loss_or_gain_max)? {
            return Err(Revert::PptTradeTooLarge);
        }
        Ok(())
    }

    /// Cost against the mark, and the mark against the distance of the strikes (`_validateTradeDetails`).
    fn check_cost(&self, low: &Strike, high: &Strike, cost: U256) -> Result<(), Revert> {
        let low_mark = mul_d_signed(low.mark, low.amount)?;
        let mark = abs(add_signed(low_mark, mul_d_signed(high.mark, high.amount)?)?)?;
        let bound = mul_d(mark, self.cost_tolerance)?;
        if self.is_long && cost > bound {
            return Err(Revert::PptTotalCostOverTolerance);
        }
        if !self.is_long && cost < bound {
            return Err(Revert::PptTotalCostBelowTolerance);
        }
        let ratio = div_d(abs(sub_signed(low.mark, high.mark)?)?, sub(high.strike, low.strike)?)?;
        if ratio < self.mark_ratio_min || ratio > self.mark_ratio_max {
            return Err(Revert::PptMarkValueNotWithinBounds);
        }
        Ok(())
    }
}

fn marked(leg: &Leg, terms: &OptionTerms, now_s: u64, vol: U256, forward: U256) -> Result<Strike, Revert> {
    let expires_in_s = terms.expiry_s.checked_sub(now_s).ok_or(Revert::ArithmeticOverflow)?;
    let input = Black76 {
        expires_in_s,
        discount: UNIT.saturating_to(),
        vol: to_u128(vol)?,
        forward: to_u128(forward)?,
        strike: terms.strike,
    };
    let priced = input.priced()?;
    Ok(Strike {
        expiry_s: terms.expiry_s,
        strike: U256::from(terms.strike),
        mark: to_signed(if terms.is_call { priced.call } else { priced.put })?,
        price: leg.price,
        amount: leg.amount,
    })
}

/// Spreads open and base held (`getSubAccountStats`): as many options bought as sold, and no debt in base.
fn holdings(state: &VaultState) -> Result<Holdings, Revert> {
    let (mut bought, mut sold) = (U256::ZERO, U256::ZERO);
    for balance in state.options.iter() {
        let side = if balance.is_positive() { &mut bought } else { &mut sold };
        *side = add(*side, abs(*balance)?)?;
    }
    if sold != bought {
        return Err(Revert::PptInvalidSpreadBalance);
    }
    if state.base.is_negative() {
        return Err(Revert::PptNegativeBaseBalance);
    }
    Ok(Holdings { open_spreads: bought, base: state.base.into_raw() })
}

#[cfg(test)]
#[path = "spread_tests.rs"]
mod tests;
