//! The leveraged-basis vault's signer (`LeveragedBasisTSA`): what it would sign, check by check in its order.
//!
//! Faithful to its peculiarities: an order is judged by its whole amount at every fill, its loss is charged when it is
//! signed, and a withdrawal is measured in the token's own decimals against numbers of 18.

use super::action::{Action, Assets, SignatureLife, Trade, Transfer, VaultState};
use super::collateral::{CollateralLimits, check_deposit};
use super::ema::{MarkLoss, MarkLossLimits, MarkLossOrder};
use super::feeds::Feeds;
use super::fixed::{
    SIGNED_UNIT, UNIT, add_signed, div_d, div_d_signed, mul_d_signed, mul_signed, neg, to_signed, to_unsigned,
};
use super::revert::Revert;
use alloy_primitives::{I256, U256};

/// Two ends of a range, both inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Band {
    /// Lower end.
    pub floor: I256,
    /// Upper end.
    pub ceil: I256,
}

impl Band {
    /// Whether a step is allowed: into the band, or nearer to it from outside without crossing the far end.
    fn allows(&self, before: Share, after: I256) -> bool {
        if self.floor <= after && after <= self.ceil {
            return true;
        }
        let before = before.value();
        let rises = before < self.floor && before < after && after < self.ceil;
        let falls = before > self.ceil && after < before && after > self.floor;
        rises || falls
    }
}

/// A share of the vault's value before a step. Whatever could revert in it has been looked at; divided it is only where
/// the step leads out of the band and the start decides, since each division costs.
#[derive(Clone, Copy)]
struct Share {
    scaled: I256,
    whole: I256,
    is_signed: bool,
}

impl Share {
    /// As `divideDecimal` of unsigned words.
    fn of(part: U256, whole: U256) -> Result<Share, Revert> {
        let scaled = part.checked_mul(UNIT).ok_or(Revert::ArithmeticOverflow)?;
        let share = Share { scaled: I256::from_raw(scaled), whole: I256::from_raw(whole), is_signed: false };
        if whole.is_zero() { Err(Revert::DivisionByZero) } else { Ok(share) }
    }

    /// As `divideDecimal` of signed words, by a positive one.
    fn of_signed(part: I256, whole: I256) -> Result<Share, Revert> {
        let scaled = mul_signed(part, SIGNED_UNIT)?;
        if whole.is_zero() { Err(Revert::DivisionByZero) } else { Ok(Share { scaled, whole, is_signed: true }) }
    }

    fn value(self) -> I256 {
        let Share { scaled, whole, is_signed } = self;
        if is_signed {
            scaled.wrapping_div(whole)
        } else {
            I256::from_raw(scaled.into_raw().wrapping_div(whole.into_raw()))
        }
    }
}

/// `LBTSAParams` and the fee limit of its collateral half, 18 decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Basis {
    /// Contracts of the vault; the derivative is the perp.
    pub assets: Assets,
    /// Bounds on the life of a signature.
    pub life: SignatureLife,
    /// Highest perp fee as a fraction of its price.
    pub perp_fee_max: U256,
    /// Highest loss per unit of base, in base.
    pub loss_per_base_max: I256,
    /// Highest loss per unit of perp, in base.
    pub loss_per_perp_max: I256,
    /// Exposure over the vault's value.
    pub delta: Band,
    /// Base held over the vault's value.
    pub leverage: Band,
    /// Decay of the loss budget per second.
    pub decay_per_s: U256,
    /// The loss budget.
    pub loss_target: I256,
    /// Fee of base trades.
    pub collateral: CollateralLimits,
}

/// The vault after its perp profit was settled into cash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BasisState<'a> {
    /// Balances; no options.
    pub vault: VaultState<'a>,
    /// Perp held, never positive in a vault that can still sign.
    pub perp: I256,
    /// `perp.getPerpPrice()`.
    pub perp_price: Result<U256, Revert>,
    /// Account value in cash from `getMarginAndMarkToMarket(sub, false, 0)`.
    pub mark_to_market: Result<I256, Revert>,
    /// The loss budget as stored.
    pub mark_loss: MarkLoss,
}

/// `TradeHelperVars`.
struct Position {
    is_base: bool,
    spot: U256,
    perp_price: U256,
    perp: I256,
    base: U256,
    underlying_base: U256,
}

impl Basis {
    /// Verdict on an action expiring at `expiry_s`; the loss budget after the signature if it is given. The first
    /// failing check names the revert, and then the stored budget stays.
    pub fn check(
        &self,
        action: &Action,
        expiry_s: U256,
        state: &BasisState,
        feeds: &impl Feeds,
    ) -> Result<MarkLoss, Revert> {
        let vault = &state.vault;
        if vault.blocked {
            return Err(Revert::BtsaBlocked);
        }
        if !self.life.contains(vault.now_s, expiry_s)? {
            return Err(Revert::LbtInvalidActionExpiry);
        }
        match action {
            Action::Deposit(deposit) => check_deposit(deposit, vault, &self.assets).map(|()| state.mark_loss),
            Action::Withdraw(withdrawal) => self.check_withdrawal(withdrawal, state, feeds).map(|()| state.mark_loss),
            Action::Trade(trade) => self.check_trade(trade, state, feeds),
            Action::Rfq(_) | Action::Other => Err(Revert::LbtInvalidModule),
        }
    }

    fn check_trade(&self, trade: &Trade, state: &BasisState, feeds: &impl Feeds) -> Result<MarkLoss, Revert> {
        let is_base = trade.asset == self.assets.base;
        if !is_base && trade.asset != self.assets.derivative {
            return Err(Revert::LbtInvalidTradeAsset);
        }
        let position = position(is_base, state, feeds)?;
        if is_base {
            self.collateral.check_fee(trade.worst_fee, position.spot)?;
        } else if div_d(trade.worst_fee, position.perp_price)? > self.perp_fee_max {
            return Err(Revert::LbtPerpFeeTooHigh);
        }
        let change = if trade.is_bid { trade.amount } else { neg(trade.amount)? };
        self.check_delta(&position, change, false)?;
        self.check_leverage(&position, change, false)?;
        let order = MarkLossOrder {
            is_bid: trade.is_bid,
            limit_price: trade.limit_price,
            amount: trade.amount,
            mark: if is_base { position.spot } else { position.perp_price },
            spot: position.spot,
            underlying_base: position.underlying_base,
        };
        let limits = MarkLossLimits {
            decay_per_s: self.decay_per_s,
            target: self.loss_target,
            loss_per_unit_max: if is_base { self.loss_per_base_max } else { self.loss_per_perp_max },
        };
        state.mark_loss.charged(&order, &limits, state.vault.now_s)
    }

    fn check_withdrawal(&self, withdrawal: &Transfer, state: &BasisState, feeds: &impl Feeds) -> Result<(), Revert> {
        if withdrawal.asset != self.assets.base {
            return Err(Revert::LbtInvalidWithdrawAsset);
        }
        let position = position(true, state, feeds)?;
        // The contract forgets to bring the token's decimals to 18 here.
        let change = neg(I256::from_raw(withdrawal.amount))?;
        self.check_leverage(&position, change, true)?;
        self.check_delta(&position, change, true)
    }

    fn check_delta(&self, position: &Position, change: I256, is_withdrawal: bool) -> Result<(), Revert> {
        let ratio = I256::from_raw(div_d(position.perp_price, position.spot)?);
        let value = I256::from_raw(position.underlying_base);
        let mut value_after = value;
        if is_withdrawal {
            if !change.is_negative() {
                return Err(Revert::LbtInvalidDeltaChange);
            }
            value_after = add_signed(value, change)?;
            if value_after.is_zero() && position.perp.is_zero() {
                return Ok(());
            }
        }
        if !value_after.is_positive() {
            return Err(Revert::LbtInvalidDeltaChange);
        }
        let exposure = add_signed(I256::from_raw(position.base), mul_d_signed(position.perp, ratio)?)?;
        let before = Share::of_signed(exposure, to_signed(position.underlying_base)?)?;
        let change = if position.is_base { change } else { mul_d_signed(change, ratio)? };
        let after = div_d_signed(add_signed(exposure, change)?, value_after)?;
        if self.delta.allows(before, after) { Ok(()) } else { Err(Revert::LbtPostTradeDeltaOutOfRange) }
    }

    fn check_leverage(&self, position: &Position, change: I256, is_withdrawal: bool) -> Result<(), Revert> {
        if !position.is_base {
            return Ok(());
        }
        let value = position.underlying_base;
        let value_after = if is_withdrawal { add_signed(I256::from_raw(value), change)?.into_raw() } else { value };
        let before = Share::of(position.base, value)?;
        // A negative balance becomes a huge word, which the next division cannot scale: panic 0x11, as on chain.
        let base_after = add_signed(I256::from_raw(position.base), change)?.into_raw();
        if base_after.is_zero() && value_after.is_zero() {
            return Ok(());
        }
        let after = div_d(base_after, value_after)?;
        let allowed = self.leverage.allows(before, I256::from_raw(after));
        if allowed { Ok(()) } else { Err(Revert::LbtPostTradeLeverageOutOfRange) }
    }
}

/// Prices, balances and value, read in the contract's order (`_getTradeHelperVars`).
fn position(is_base: bool, state: &BasisState, feeds: &impl Feeds) -> Result<Position, Revert> {
    let spot = feeds.spot()?;
    let perp_price = state.perp_price?;
    let base = to_unsigned(state.vault.base).map_err(|_| Revert::LbtNegativeBaseBalance)?;
    if state.perp.is_positive() {
        return Err(Revert::LbtPositivePerpPosition);
    }
    let value = div_d_signed(state.mark_to_market?, to_signed(spot)?)?;
    let underlying_base = to_unsigned(value).map_err(|_| Revert::CmtsaPositionInsolvent)?;
    Ok(Position { is_base, spot, perp_price, perp: state.perp, base, underlying_base })
}

#[cfg(test)]
#[path = "basis_tests.rs"]
mod tests;
