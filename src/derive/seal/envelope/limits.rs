//! What the signer's own envelope allows one vault, and how much of it follows from the vault's limits.

use crate::base::ids::{Name, SubaccountId, VaultId};
use crate::base::num::{Cash, E9, E18, Price, Ratio, Rounding, div_round};
use crate::base::time::SEC;
use crate::derive::dialect::Address;
use crate::msg::Product;
use crate::risk::limits::{Limits, Mandate, OptionLimits};
use crate::risk::wall::OptionContract;
use alloy_primitives::U256;

/// Longest life a signature may ever have: the mandate's ten minutes.
pub const LIFE_S_MAX: u64 = 600;

/// The envelope's numbers for one vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FenceLimits {
    /// Signatures per minute.
    pub orders_per_minute_max: u32,
    /// Largest order: price × amount, for options strike × amount.
    pub notional_max: Cash,
    /// Most signed for in an hour.
    pub notional_per_hour_max: Cash,
    /// Most signed for in a day.
    pub notional_per_day_max: Cash,
    /// Most signed to buy of the perp in a day; basis vaults only.
    pub bought_per_day_max: Cash,
    /// Most given away in an hour: wrong side of the signer's mark and fees signed for, over all amounts signed. What one
    /// order replaces counts once with it. No strategy, whatever it wishes, can bleed more through signatures of an hour.
    pub given_per_hour_max: Cash,
    /// The same in a day.
    pub given_per_day_max: Cash,
    /// Furthest on the wrong side of the mark a spot or perp order may be.
    pub price_band: Ratio,
    /// Furthest on the wrong side of its mark an option or spread may be, as a share of that mark.
    pub option_band: Ratio,
    /// Highest fee signed for, as a share of the order's notional.
    pub fee_max: Ratio,
    /// Highest fee of a package signed for, as a share of what it costs or brings.
    pub package_fee_max: Ratio,
    /// Oldest usable mark.
    pub mark_age_ns_max: u64,
    /// Longest life of a signature, seconds.
    pub life_s_max: u64,
}

/// More is not a limit.
const MONEY_MAX: Cash = Cash::whole(100_000_000_000);

impl FenceLimits {
    /// Allows next to nothing: what stands in for limits that are not known.
    pub const CLOSED: FenceLimits = FenceLimits {
        orders_per_minute_max: 1,
        notional_max: Cash::ONE,
        notional_per_hour_max: Cash::ONE,
        notional_per_day_max: Cash::ONE,
        bought_per_day_max: Cash::ZERO,
        given_per_hour_max: Cash::ONE,
        given_per_day_max: Cash::ONE,
        price_band: Ratio::from_bps(1),
        option_band: Ratio::ZERO,
        fee_max: Ratio::from_bps(1),
        package_fee_max: Ratio::ZERO,
        mark_age_ns_max: SEC,
        life_s_max: LIFE_S_MAX,
    };

    /// What follows from a vault's own limits: wide enough that nothing risk lets pass is refused for a mark a moment
    /// newer than risk's, narrow enough that an hour of the worst is bounded.
    pub fn of(mandate: &Mandate) -> FenceLimits {
        match mandate {
            Mandate::Basis(limits) => FenceLimits::of_basis(limits),
            Mandate::Options(limits) => FenceLimits::of_options(limits),
        }
    }

    fn of_basis(limits: &Limits) -> FenceLimits {
        let (order, contract) = (limits.notional_max, &limits.wall.contract);
        FenceLimits {
            bought_per_day_max: times(limits.borrow_max, 10),
            // All that may be borrowed is bought, hedged and unwound again within a day, at what that costs.
            given_per_hour_max: share(limits.borrow_max, 200),
            given_per_day_max: share(limits.borrow_max, 500),
            price_band: half_more(limits.mark_offset_max),
            fee_max: fee(contract.perp_fee_max.max(contract.collateral.fee_factor)),
            option_band: Ratio::ZERO,
            ..FenceLimits::of_order(order)
        }
    }

    fn of_options(limits: &OptionLimits) -> FenceLimits {
        // Risk counts options with their index, the envelope with their strike, which may be further out.
        let order = times(limits.notional_max, 2);
        let (order_fee, package_fee_max) = match &limits.wall.contract {
            OptionContract::Calls(contract) => (contract.collateral.fee_factor, Ratio::ZERO),
            OptionContract::Spreads(contract) => (contract.collateral.fee_factor, fee(contract.fee_factor)),
        };
        let option_band = match limits.product {
            // A call may be sold for as little as Black-76 gives at a share of its volatility.
            Product::CoveredCall => Ratio::from_bps(8_500),
            Product::ShortCallSpread | Product::ShortPutSpread => {
                half_more(Ratio::ONE - limits.mark_tolerance).min(Ratio::from_bps(9_000))
            }
            Product::LongCallSpread => half_more(limits.mark_tolerance - Ratio::ONE),
        };
        FenceLimits {
            bought_per_day_max: Cash::ZERO,
            // A week's options and a week's collateral, each traded at the worst of its auction.
            given_per_hour_max: share(limits.notional_max, 100),
            given_per_day_max: share(limits.notional_max, 200),
            price_band: half_more(limits.buy_premium_max.max(limits.sell_discount_max)),
            option_band,
            fee_max: fee(order_fee),
            package_fee_max,
            ..FenceLimits::of_order(order)
        }
    }

    fn of_order(order: Cash) -> FenceLimits {
        FenceLimits {
            orders_per_minute_max: 600,
            notional_max: order,
            notional_per_hour_max: times(order, 1_000),
            notional_per_day_max: times(order, 10_000),
            bought_per_day_max: Cash::ZERO,
            given_per_hour_max: Cash::ZERO,
            given_per_day_max: Cash::ZERO,
            price_band: Ratio::ZERO,
            option_band: Ratio::ZERO,
            fee_max: Ratio::ZERO,
            package_fee_max: Ratio::ZERO,
            mark_age_ns_max: 15 * SEC,
            life_s_max: LIFE_S_MAX,
        }
    }
}

/// A fee factor of the contract's, 1e-18, and half as much again: the contract judges at the mark, the envelope at the
/// order's own price.
fn fee(factor: U256) -> Ratio {
    let raw = factor / U256::from(E9);
    half_more(Ratio::from_raw(i64::try_from(raw).unwrap_or(i64::MAX)).min(Ratio::ONE))
}

/// Half as much again, in whole basis points.
fn half_more(ratio: Ratio) -> Ratio {
    let bps = Ratio::from_bps(1).raw();
    Ratio::from_bps((ratio.raw().saturating_mul(3) / 2 + bps - 1) / bps)
}

fn times(cash: Cash, factor: i128) -> Cash {
    Cash::from_raw(cash.raw().saturating_mul(factor)).min(MONEY_MAX)
}

/// So many basis points, rounded up to a whole dollar.
fn share(cash: Cash, bps: i64) -> Cash {
    let dollars = div_round(cash.scale(Ratio::from_bps(bps), Rounding::Ceil).raw(), E18, Rounding::Ceil);
    Cash::from_raw(dollars * E18)
}

/// What may be signed of a vault's capital (v2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CapitalFence {
    /// The wrapped collateral, the only asset that moves.
    pub asset: Address,
    /// Deposit module, if deposits may be signed.
    pub deposit: Option<Address>,
    /// Withdrawal module, if withdrawals may be signed.
    pub withdrawal: Option<Address>,
    /// Largest deposit, in the token's own decimals.
    pub deposit_max: u128,
    /// Largest withdrawal, likewise.
    pub withdrawal_max: u128,
    /// Most withdrawn in a day, likewise.
    pub withdrawn_per_day_max: u128,
}

/// What a vault trades, and within what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FenceTerms {
    /// Vault.
    pub vault: VaultId,
    /// Its subaccount.
    pub subaccount: SubaccountId,
    /// Currency of its spot instrument.
    pub base: Name,
    /// Currency of its perp, if it hedges with one.
    pub perp: Option<Name>,
    /// Currency and product of its options, and the distance of a spread's strikes, if it trades any.
    pub options: Option<(Name, Product, Price)>,
    /// Numbers.
    pub limits: FenceLimits,
    /// What may be signed of its capital; none: nothing.
    pub capital: Option<CapitalFence>,
}
