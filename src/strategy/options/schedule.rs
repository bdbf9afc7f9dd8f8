//! What an auction demands as its clock runs: spreads, volatility and package limits as functions of the time passed.

use crate::base::ids::Side;
use crate::base::num::{Price, Ratio, Rounding, div_round};
use crate::base::time::SEC;
use crate::strategy::options::params::{CollateralAuction, IvDecay, RfqAuction};

/// Price step of a package's unit cost (Derive: six decimals).
pub const UNIT_COST_STEP: Price = Price::from_raw(1_000);

/// `min(max, init + rate · elapsed / unit)`.
pub fn spread(init: Ratio, rate: Ratio, unit_ns: u64, max: Ratio, elapsed_ns: u64) -> Ratio {
    let growth = i128::from(rate.raw()) * i128::from(elapsed_ns) / i128::from(unit_ns.max(1));
    let total = (i128::from(init.raw()) + growth).min(i128::from(max.raw()));
    Ratio::from_raw(i64::try_from(total).unwrap_or(max.raw()))
}

/// Implied volatility at which a call is offered.
pub fn offered_iv(decay: &IvDecay, mark_iv: Ratio, elapsed_ns: u64) -> Ratio {
    match *decay {
        IvDecay::Additive { init, per_s, max, floor } => {
            (mark_iv - spread(init, per_s, SEC, max, elapsed_ns)).max(floor)
        }
        IvDecay::Multiplicative { init, per_min, max } => {
            mark_iv.scale(Ratio::ONE - spread(init, per_min, 60 * SEC, max, elapsed_ns), Rounding::Ceil)
        }
    }
}

/// Lowest implied volatility at which a call is ever offered, whatever its mark's.
pub fn iv_floor(decay: &IvDecay) -> Ratio {
    match *decay {
        IvDecay::Additive { floor, .. } => floor.max(Ratio::ZERO),
        IvDecay::Multiplicative { .. } => Ratio::ZERO,
    }
}

/// Most a unit of a package may cost after fees (negative: the least it must fetch), from its mark cost: sellers ask
/// `|mark| / (1 + s)`, buyers pay `mark · (1 + s)`, both within the operator's bounds and never above by rounding.
pub fn unit_limit(terms: &RfqAuction, mark: Price, elapsed_ns: u64) -> Price {
    let share = spread(terms.init_spread, terms.spread_per_min, 60 * SEC, terms.max_spread, elapsed_ns);
    let scale = Ratio::ONE + share.max(Ratio::ZERO);
    let scaled = if mark.is_negative() {
        let raw =
            div_round(i128::from(mark.raw()) * i128::from(Ratio::ONE.raw()), i128::from(scale.raw()), Rounding::Floor);
        Price::from_raw(raw as i64)
    } else {
        mark.scale(scale, Rounding::Floor)
    };
    scaled.min(terms.unit_cost_max).max(terms.unit_cost_min).to_tick(UNIT_COST_STEP, Rounding::Floor)
}

/// Price at which collateral is bought or sold, before ticks and bands: away from the mark by a growing spread.
pub fn collateral_price(terms: &CollateralAuction, side: Side, mark: Price, elapsed_ns: u64) -> Price {
    let share = spread(terms.init_spread, terms.spread_per_s, SEC, terms.max_spread, elapsed_ns);
    match side {
        Side::Buy => mark.scale(Ratio::ONE + share, Rounding::Floor),
        Side::Sell => mark.scale(Ratio::ONE - share, Rounding::Ceil),
    }
}
