//! The limits of one vault. They may be tightened while running and loosened only by a restart.

use crate::base::ids::Side;
use crate::base::num::{Amount, Cash, Price, Ratio};
use crate::msg::Product;
use crate::risk::losses::LossBudgets;
use crate::risk::wall::{BasisWall, OptionWall};

/// What a vault may do at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mandate {
    /// Delta-1 Basis.
    Basis(Limits),
    /// Harvest, Safe Harvest, Maxi or BULL.
    Options(OptionLimits),
}

impl Mandate {
    /// Fills per minute at which the vault drains.
    pub const fn fills_per_minute_max(&self) -> u32 {
        match self {
            Mandate::Basis(limits) => limits.fills_per_minute_max,
            Mandate::Options(limits) => limits.fills_per_minute_max,
        }
    }

    /// What may be lost before the vault drains.
    pub const fn losses(&self) -> LossBudgets {
        match self {
            Mandate::Basis(limits) => limits.losses,
            Mandate::Options(limits) => limits.losses,
        }
    }

    /// Cash difference to the venue that rounding and accrual explain.
    pub const fn cash_tolerance(&self) -> Cash {
        match self {
            Mandate::Basis(limits) => limits.cash_tolerance,
            Mandate::Options(limits) => limits.cash_tolerance,
        }
    }

    /// How far the venue's clock may be from ours, and how long an order's signature lives, both in nanoseconds.
    pub const fn signing(&self) -> (u64, u64) {
        match self {
            Mandate::Basis(limits) => (limits.clock_offset_ns_max, limits.order_life_ns),
            Mandate::Options(limits) => (limits.clock_offset_ns_max, limits.order_life_ns),
        }
    }

    /// Decay of the sum of losses against mark, per second in 1e-18. Option vaults sell below mark on purpose, within
    /// their own price limits, and keep no such sum.
    pub const fn loss_decay_e18(&self) -> i128 {
        match self {
            Mandate::Basis(limits) => limits.loss_decay_e18,
            Mandate::Options(_) => 0,
        }
    }
}

/// Hard limits of an option vault (strategy specification §2.3 to §2.5, §2.12); its strategy's own are tighter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OptionLimits {
    /// What it may trade.
    pub product: Product,
    /// Lowest delta of a covered call at mark volatility.
    pub delta_min: Ratio,
    /// Highest delta of a covered call at mark volatility.
    pub delta_max: Ratio,
    /// A call is sold for more than Black-76 gives at this share of mark volatility.
    pub vol_factor_min: Ratio,
    /// Lowest implied volatility a call is sold at.
    pub iv_min: Ratio,
    /// Distance of a spread's strikes.
    pub strike_diff: Price,
    /// Lowest mark of a spread over its strike distance.
    pub spread_ratio_min: Ratio,
    /// Highest mark of a spread over its strike distance.
    pub spread_ratio_max: Ratio,
    /// Sellers receive at least this share of the mark; buyers pay at most this multiple of it.
    pub mark_tolerance: Ratio,
    /// Strike distance × units as a share of the vault's value, at most.
    pub tvl_share_max: Ratio,
    /// Shortest life of an option traded.
    pub life_s_min: u64,
    /// Longest life of an option traded.
    pub life_s_max: u64,
    /// No option is traded while cash is below this.
    pub cash_min: Cash,
    /// Collateral is bought at most this far above its mark.
    pub buy_premium_max: Ratio,
    /// Collateral is sold at most this far below its mark.
    pub sell_discount_max: Ratio,
    /// Largest order or lot: options in contracts.
    pub option_amount_max: Amount,
    /// Largest collateral order.
    pub collateral_amount_max: Amount,
    /// Largest order in quote currency: index × amount for options.
    pub notional_max: Cash,
    /// Losses at which the vault drains.
    pub losses: LossBudgets,
    /// Fills per minute at which the vault drains.
    pub fills_per_minute_max: u32,
    /// Life of a signature (Derive: 300 s at least; mandate: below 600 s).
    pub order_life_ns: u64,
    /// The venue must refuse an order arriving later than this after approval.
    pub reject_after_ns: u64,
    /// Largest tolerated distance between our clock and the venue's.
    pub clock_offset_ns_max: u64,
    /// Oldest usable value.
    pub value_age_ns_max: u64,
    /// Cash difference to the venue that rounding and accrual explain.
    pub cash_tolerance: Cash,
    /// The mandate's contract, outside of all the limits above.
    pub wall: OptionWall,
}

impl OptionLimits {
    /// True for a vault that writes options and is paid for it.
    pub const fn sells(&self) -> bool {
        matches!(self.product.side(), Side::Sell)
    }
}

/// Hard limits; the strategy's own are tighter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// Lowest delta any order may lead to.
    pub delta_min: Ratio,
    /// Highest delta any order may lead to.
    pub delta_max: Ratio,
    /// Lowest leverage a base order may lead to.
    pub leverage_min: Ratio,
    /// Highest leverage a base order may lead to.
    pub leverage_max: Ratio,
    /// Furthest a limit price may be from the mark.
    pub mark_offset_max: Ratio,
    /// Loss against mark allowed as a decaying share of TVL.
    pub loss_ema_max: Ratio,
    /// Decay of that sum, per second in 1e-18.
    pub loss_decay_e18: i128,
    /// Largest quote, in base.
    pub quote_amount_max: Amount,
    /// Largest hedge, in contracts.
    pub hedge_amount_max: Amount,
    /// Largest order, in quote currency.
    pub notional_max: Cash,
    /// Largest borrow.
    pub borrow_max: Cash,
    /// Collateral factor of the base for initial margin.
    pub margin_factor: Ratio,
    /// Initial margin requirement of the perp.
    pub perp_requirement: Ratio,
    /// Share of TVL kept free of margin.
    pub margin_buffer: Ratio,
    /// Value loss in base units, as a share of the session's highest, at which the vault drains.
    pub drawdown_max: Ratio,
    /// Time off its peg at which the vault drains.
    pub off_peg_ns_max: u64,
    /// Losses at which the vault drains.
    pub losses: LossBudgets,
    /// Fills per minute at which the vault drains.
    pub fills_per_minute_max: u32,
    /// Life of an order's signature (Derive: 300 s at least; mandate: below 600 s).
    pub order_life_ns: u64,
    /// The venue must refuse an order arriving later than this after approval.
    pub reject_after_ns: u64,
    /// Largest tolerated distance between our clock and the venue's.
    pub clock_offset_ns_max: u64,
    /// Oldest usable value.
    pub value_age_ns_max: u64,
    /// Cash difference to the venue that rounding and accrual explain.
    pub cash_tolerance: Cash,
    /// The mandate's contract, outside of all the limits above.
    pub wall: BasisWall,
}
