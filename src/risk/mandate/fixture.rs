//! Vault, feeds and orders that pass every check of the option vaults, for tests to break one number at a time.

use super::action::{Action, Assets, Leg, Rfq, Role, SignatureLife, Trade, VaultState};
use super::collateral::CollateralLimits;
use super::feeds::Feeds;
use super::revert::Revert;
use alloy_primitives::{Address, B256, I256, U256};
use std::borrow::Cow;

/// Seconds from [`NOW_S`] to [`EXPIRY_S`].
pub const LEFT_S: u64 = 586_800;
pub const NOW_S: u64 = EXPIRY_S - LEFT_S;
pub const EXPIRY_S: u64 = 1_732_780_800;
pub const BASE: Address = Address::repeat_byte(0xba);
pub const OPTION: Address = Address::repeat_byte(0x09);
pub const OTHER: Address = Address::repeat_byte(0x77);

/// Millionths of 1.0 in 18 decimals.
pub fn micros(value: u64) -> U256 {
    U256::from(value) * U256::from(1_000_000_000_000_u64)
}

pub fn whole(value: u64) -> U256 {
    micros(value) * U256::from(1_000_000)
}

pub fn int(value: U256) -> I256 {
    I256::from_raw(value)
}

/// Adds a signed number of units.
pub fn off(value: U256, units: i64) -> U256 {
    int(value).wrapping_add(I256::try_from(units).expect("it fits")).into_raw()
}

pub fn sub_id(strike: u64, expiry_s: u64, is_call: bool) -> U256 {
    let strike = u128::from(strike) * 100_000_000;
    U256::from(u128::from(expiry_s) | strike << 32 | u128::from(is_call) << 95)
}

/// Feeds with one volatility, but for one strike that may have its own.
#[derive(Clone, Debug)]
pub struct Quotes {
    pub spot: Result<U256, Revert>,
    pub vol: Result<U256, Revert>,
    pub forward: Result<U256, Revert>,
    pub own_vol: Option<(u64, U256)>,
}

impl Feeds for Quotes {
    fn spot(&self) -> Result<U256, Revert> {
        self.spot
    }

    fn vol(&self, strike: u128, _: u64) -> Result<U256, Revert> {
        match self.own_vol {
            Some((own, vol)) if whole(own) == U256::from(strike) => Ok(vol),
            _ => self.vol,
        }
    }

    fn forward(&self, _: u64) -> Result<U256, Revert> {
        self.forward
    }
}

pub fn assets() -> Assets {
    Assets { base: BASE, derivative: OPTION, token_decimals: 18 }
}

pub fn life() -> SignatureLife {
    SignatureLife { min_s: U256::from(300), max_s: U256::from(1_800) }
}

/// Fee 1 %, leniency 1.05, prices within 1.5 % of spot.
pub fn collateral() -> CollateralLimits {
    CollateralLimits {
        fee_factor: micros(10_000),
        leniency: int(micros(1_050_000)),
        worst_sell: micros(985_000),
        worst_buy: micros(1_015_000),
    }
}

/// A hundred of base, no cash, nothing open.
pub fn state() -> VaultState<'static> {
    VaultState {
        now_s: NOW_S,
        blocked: false,
        base: int(whole(100)),
        cash: I256::ZERO,
        options: Cow::Borrowed(&[]),
        token_balance: whole(12),
        pending_deposits: whole(2),
    }
}

pub fn trade(asset: Address, limit_price: U256, amount: U256, is_bid: bool) -> Trade {
    Trade {
        asset,
        sub_id: U256::ZERO,
        limit_price: int(limit_price),
        amount: int(amount),
        worst_fee: U256::ZERO,
        is_bid,
    }
}

pub fn leg(sub_id: U256, price: U256, amount: I256) -> Leg {
    Leg { asset: OPTION, sub_id, price, amount }
}

pub fn taken(max_fee: U256, legs: [Leg; 2]) -> Rfq<'static> {
    let role = Role::Taker { order_hash: B256::ZERO, legs_hash: B256::ZERO };
    Rfq { role, max_fee, legs: legs.to_vec().into() }
}

/// The order inside an action; tests only build such.
pub fn order<'c>(action: &'c mut Action<'_>) -> &'c mut Trade {
    let Action::Trade(trade) = action else { panic!("not an order: {action:?}") };
    trade
}

pub fn quote<'c>(action: &'c mut Action<'static>) -> &'c mut Rfq<'static> {
    let Action::Rfq(rfq) = action else { panic!("not a quote: {action:?}") };
    rfq
}
