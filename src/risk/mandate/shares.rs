//! The shares of a vault contract (`BaseTSA`): what a deposit buys, what a withdrawal pays, what the manager takes.
//!
//! Amounts are in the deposited token's own decimals, shares in theirs, ratios in 18; everything rounds down, as there.

use super::fixed::{UNIT, add, sub};
use super::revert::Revert;
use alloy_primitives::{U256, uint};

/// The contract's year.
const YEAR_S: U256 = uint!(31_536_000_U256);

/// `TSAParams`, but for who receives the fee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shares {
    /// Most the vault may be worth once a deposit is in, 18 decimals.
    pub deposit_cap: U256,
    /// Least that may be deposited, 18 decimals.
    pub deposit_min: U256,
    /// Share of a deposit that buys shares, 18 decimals.
    pub deposit_scale: U256,
    /// Share of a withdrawal that is paid, 18 decimals.
    pub withdraw_scale: U256,
    /// Share of all shares minted to the manager in a year, 18 decimals.
    pub management_fee: U256,
}

/// A withdrawal at the head of the queue, as far as the tokens there are go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payment {
    /// Tokens paid.
    pub paid: U256,
    /// Shares that stay in the queue; zero once it is paid whole.
    pub left: U256,
}

fn scaled(amount: U256, by: U256, over: U256) -> Result<U256, Revert> {
    amount.checked_mul(by).ok_or(Revert::ArithmeticOverflow)?.checked_div(over).ok_or(Revert::DivisionByZero)
}

/// `getSharePrice`: value per share in 18 decimals, one while there are no shares. Shares that wait to be withdrawn count.
pub fn share_price(value: U256, supply: U256) -> Result<U256, Revert> {
    if supply.is_zero() { Ok(UNIT) } else { scaled(value, UNIT, supply) }
}

impl Shares {
    /// `initiateDeposit`: whether a deposit is taken, given what the vault is worth with it (`BTSA_DepositBelowMinimum`,
    /// `BTSA_DepositCapExceeded`).
    pub fn check_deposit(&self, amount: U256, value_after: U256) -> Result<(), Revert> {
        if amount < self.deposit_min {
            return Err(Revert::BtsaDepositBelowMinimum);
        }
        if value_after > self.deposit_cap { Err(Revert::BtsaDepositCapExceeded) } else { Ok(()) }
    }

    /// `processDeposit`: the shares a deposit becomes (`BTSA_MustReceiveShares` for none).
    pub fn minted(&self, amount: U256, price: U256) -> Result<U256, Revert> {
        let shares = scaled(scaled(amount, self.deposit_scale, UNIT)?, UNIT, price)?;
        if shares.is_zero() { Err(Revert::BtsaMustReceiveShares) } else { Ok(shares) }
    }

    /// What that many shares in the withdrawal queue would be paid now.
    pub fn owed(&self, shares: U256, price: U256) -> Result<U256, Revert> {
        scaled(scaled(shares, self.withdraw_scale, UNIT)?, price, UNIT)
    }

    /// `processWithdrawalRequests`: one request against the tokens on the contract that nobody has deposited just now.
    pub fn paid(&self, shares: U256, price: U256, tokens: U256) -> Result<Payment, Revert> {
        let owed = self.owed(shares, price)?;
        if tokens >= owed {
            return Ok(Payment { paid: owed, left: U256::ZERO });
        }
        Ok(Payment { paid: tokens, left: scaled(shares, sub(owed, tokens)?, owed)? })
    }

    /// `collectFee`: shares minted to the manager after that long.
    pub fn fee(&self, supply: U256, elapsed_s: u64) -> Result<U256, Revert> {
        let share = scaled(U256::from(elapsed_s), self.management_fee, YEAR_S)?;
        scaled(supply, share, UNIT)
    }

    /// Tokens still to be brought to the contract before every request there is can be paid: the requests and deposits
    /// that may be refunded, less what is there.
    pub fn missing(&self, pending_shares: U256, price: U256, pending: U256, tokens: U256) -> Result<U256, Revert> {
        Ok(add(self.owed(pending_shares, price)?, pending)?.saturating_sub(tokens))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn e18(text: &str) -> U256 {
        U256::from(text.parse::<crate::base::num::Cash>().expect("literal").raw().unsigned_abs())
    }

    fn shares() -> Shares {
        Shares {
            deposit_cap: e18("100"),
            deposit_min: e18("0.01"),
            deposit_scale: UNIT,
            withdraw_scale: e18("0.998"),
            management_fee: e18("0.01"),
        }
    }

    #[test]
    fn deposits_buy_and_withdrawals_pay_at_the_share_price() {
        let price = share_price(e18("105"), e18("100")).expect("a price");
        assert_eq!((price, share_price(e18("7"), U256::ZERO)), (e18("1.05"), Ok(UNIT)));
        assert_eq!(shares().minted(e18("10.5"), price), Ok(e18("10")));
        assert_eq!(shares().owed(e18("10"), price), Ok(e18("10.479")));
        // A token of eight decimals in a vault of shares of eight.
        assert_eq!(shares().minted(U256::from(1_050_000_000_u64), price), Ok(U256::from(1_000_000_000_u64)));
        assert_eq!(shares().minted(U256::ONE, price), Err(Revert::BtsaMustReceiveShares));
        assert_eq!(shares().minted(U256::from(2), price), Ok(U256::ONE));
    }

    #[test]
    fn cap_and_minimum_are_inside() {
        let check = |amount, after| shares().check_deposit(amount, after);
        assert_eq!(check(e18("0.01"), e18("100")), Ok(()));
        assert_eq!(check(e18("0.01") - U256::ONE, e18("100")), Err(Revert::BtsaDepositBelowMinimum));
        assert_eq!(check(e18("0.01"), e18("100") + U256::ONE), Err(Revert::BtsaDepositCapExceeded));
    }

    #[test]
    fn a_request_is_paid_as_far_as_tokens_go() {
        let whole = Shares { withdraw_scale: UNIT, ..shares() };
        let paid = |tokens: U256| whole.paid(e18("10"), e18("2"), tokens).expect("no revert");
        assert_eq!(paid(e18("20")), Payment { paid: e18("20"), left: U256::ZERO });
        assert_eq!(paid(e18("5")), Payment { paid: e18("5"), left: e18("7.5") });
        assert_eq!(paid(e18("20") - U256::ONE), Payment { paid: e18("20") - U256::ONE, left: U256::ZERO });
        assert_eq!(paid(U256::ZERO), Payment { paid: U256::ZERO, left: e18("10") });
        let missing = |tokens| whole.missing(e18("10"), e18("2"), e18("1"), tokens);
        assert_eq!(
            (missing(e18("4")), missing(e18("21")), missing(e18("22"))),
            (Ok(e18("17")), Ok(U256::ZERO), Ok(U256::ZERO))
        );
    }

    #[test]
    fn the_manager_takes_a_share_of_the_shares_by_the_second() {
        let year = shares().fee(UNIT, 31_536_000).expect("no revert");
        assert_eq!(year, e18("0.01"));
        assert_eq!(shares().fee(UNIT + year, 31_536_000).map(|more| UNIT + year + more), Ok(e18("1.0201")));
        assert_eq!(shares().fee(UNIT, 0), Ok(U256::ZERO));
        assert_eq!(shares().fee(U256::MAX, 31_536_000), Err(Revert::ArithmeticOverflow));
    }
}
