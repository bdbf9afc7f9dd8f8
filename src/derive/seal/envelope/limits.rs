//! What the signer's own envelope allows one vault, and how much of it follows from the vault's limits.

use crate::base::ids::{Name, SubaccountId, VaultId};
use crate::base::num::{Cash, Price, Ratio};
use crate::base::time::SEC;
use crate::derive::dialect::Address;
use crate::msg::Product;
use crate::risk::limits::{Limits, Mandate, OptionLimits};

/// Longest life a signature may ever have: the mandate's ten minutes.
pub const LIFE_S_MAX: u64 = 600;

/// The envelope's numbers for one vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// Furthest on the wrong side of the mark a spot or perp order may be.
    pub price_band: Ratio,
    /// Furthest on the wrong side of its mark an option or spread may be, as a share of that mark.
    pub option_band: Ratio,
    /// Highest fee signed for, as a share of the order's notional.
    pub fee_max: Ratio,
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
        price_band: Ratio::from_bps(1),
        option_band: Ratio::ZERO,
        fee_max: Ratio::from_bps(1),
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
        let order = limits.notional_max;
        FenceLimits {
            bought_per_day_max: times(limits.borrow_max, 10),
            price_band: half_more(limits.mark_offset_max),
            option_band: Ratio::ZERO,
            ..FenceLimits::of_order(order)
        }
    }

    fn of_options(limits: &OptionLimits) -> FenceLimits {
        // Risk counts options with their index, the envelope with their strike, which may be further out.
        let order = times(limits.notional_max, 2);
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
            price_band: half_more(limits.buy_premium_max.max(limits.sell_discount_max)),
            option_band,
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
            price_band: Ratio::ZERO,
            option_band: Ratio::ZERO,
            fee_max: Ratio::from_bps(500),
            mark_age_ns_max: 15 * SEC,
            life_s_max: LIFE_S_MAX,
        }
    }
}

/// Half as much again, in whole basis points.
fn half_more(ratio: Ratio) -> Ratio {
    let bps = Ratio::from_bps(1).raw();
    Ratio::from_bps((ratio.raw().saturating_mul(3) / 2 + bps - 1) / bps)
}

fn times(cash: Cash, factor: i128) -> Cash {
    Cash::from_raw(cash.raw().saturating_mul(factor)).min(MONEY_MAX)
}

/// What may be signed of a vault's capital (v2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
