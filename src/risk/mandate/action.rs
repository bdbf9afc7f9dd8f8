//! An action put to a vault contract for its signature, and the vault as the contract sees it.

use super::fixed::add;
use super::revert::Revert;
use alloy_primitives::{Address, B256, I256, U256};
use std::borrow::Cow;

/// The module an action names, with its decoded data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action<'a> {
    /// Deposit module.
    Deposit(Transfer),
    /// Withdrawal module.
    Withdraw(Transfer),
    /// Trade module: an order in a book.
    Trade(Trade),
    /// Request-for-quote module.
    Rfq(Rfq<'a>),
    /// Any other module.
    Other,
}

/// `DepositData` or `WithdrawalData`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Asset contract.
    pub asset: Address,
    /// Amount in the token's own decimals.
    pub amount: U256,
}

/// What the signers read of `TradeData`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Trade {
    /// Asset contract.
    pub asset: Address,
    /// Option id, zero for other assets.
    pub sub_id: U256,
    /// Limit price, 18 decimals.
    pub limit_price: I256,
    /// Amount, 18 decimals.
    pub amount: I256,
    /// Highest fee per unit, 18 decimals.
    pub worst_fee: U256,
    /// Buy rather than sell.
    pub is_bid: bool,
}

/// One leg of a quote. Amounts carry the maker's sign: positive when the maker receives the leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Leg {
    /// Asset contract.
    pub asset: Address,
    /// Option id.
    pub sub_id: U256,
    /// Price per unit, 18 decimals.
    pub price: U256,
    /// Signed amount, 18 decimals.
    pub amount: I256,
}

/// Side the vault takes in a quote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The vault quotes; the legs are in the action itself.
    Maker,
    /// The vault executes another's quote; the legs travel beside the action.
    Taker {
        /// Hash of the legs inside the action.
        order_hash: B256,
        /// Hash of the bytes that carried the legs.
        legs_hash: B256,
    },
}

/// A quote or its execution.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rfq<'a> {
    /// Side of the vault.
    pub role: Role,
    /// Highest fee for the whole, 18 decimals.
    pub max_fee: U256,
    /// Legs in the maker's order, which decides whose volatility prices both.
    pub legs: Cow<'a, [Leg]>,
}

/// Contracts the vault trades with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Assets {
    /// Wrapped deposit asset.
    pub base: Address,
    /// Option or perp asset beside it.
    pub derivative: Address,
    /// Decimals of the deposited token.
    pub token_decimals: u8,
}

/// Balances at one block, 18 decimals unless said otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultState<'a> {
    /// Block time, Unix seconds.
    pub now_s: u64,
    /// `isBlocked()`: an auction, a withdrawal block or the cash fee.
    pub blocked: bool,
    /// Base in the subaccount.
    pub base: I256,
    /// Last stored cash balance, without the interest since.
    pub cash: I256,
    /// Balance of every option id held.
    pub options: Cow<'a, [I256]>,
    /// Deposit tokens on the vault contract itself, in the token's decimals.
    pub token_balance: U256,
    /// Deposits not yet processed, in the token's decimals.
    pub pending_deposits: U256,
}

impl Assets {
    /// Token amount in 18 decimals (`ConvertDecimals.to18Decimals`).
    pub fn to_18_decimals(&self, amount: U256) -> Result<U256, Revert> {
        let power = |exponent: u8| U256::from(10).checked_pow(U256::from(exponent)).ok_or(Revert::ArithmeticOverflow);
        match self.token_decimals {
            0..=17 => amount.checked_mul(power(18 - self.token_decimals)?).ok_or(Revert::ArithmeticOverflow),
            18 => Ok(amount),
            more => Ok(amount.wrapping_div(power(more - 18)?)),
        }
    }
}

/// Shortest and longest life of a signature, seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SignatureLife {
    /// Least time between the block and the expiry.
    pub min_s: U256,
    /// Most time between the block and the expiry.
    pub max_s: U256,
}

impl SignatureLife {
    /// Whether an expiry lies inside, both ends included; panic 0x11 when the sum overflows.
    pub fn contains(&self, now_s: u64, expiry_s: U256) -> Result<bool, Revert> {
        let now = U256::from(now_s);
        Ok(expiry_s >= add(now, self.min_s)? && expiry_s <= add(now, self.max_s)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_amounts_scale_to_18_decimals() {
        let convert = |decimals, amount: u64| {
            let assets = Assets { base: Address::ZERO, derivative: Address::ZERO, token_decimals: decimals };
            assets.to_18_decimals(U256::from(amount))
        };
        assert_eq!(convert(18, 7), Ok(U256::from(7)));
        assert_eq!(convert(8, 7), Ok(U256::from(70_000_000_000_u64)));
        assert_eq!(convert(20, 799), Ok(U256::from(7)));
        assert_eq!(convert(0, 1), Ok(U256::from(10_u64.pow(18))));
        assert_eq!(convert(255, 1), Err(Revert::ArithmeticOverflow));
        let all = Assets { base: Address::ZERO, derivative: Address::ZERO, token_decimals: 17 };
        assert_eq!(all.to_18_decimals(U256::MAX), Err(Revert::ArithmeticOverflow));
    }

    #[test]
    fn signature_life_includes_both_ends() {
        let life = SignatureLife { min_s: U256::from(60), max_s: U256::from(900) };
        for (expiry_s, inside) in [(1_059, false), (1_060, true), (1_900, true), (1_901, false)] {
            assert_eq!(life.contains(1_000, U256::from(expiry_s)), Ok(inside));
        }
        let endless = SignatureLife { max_s: U256::MAX, ..life };
        assert_eq!(endless.contains(1, U256::from(1_000)), Err(Revert::ArithmeticOverflow));
    }
}
