//! What a buyer of spreads may spend: yield its collateral has earned, never the collateral itself.

use crate::base::num::{Amount, Cash, Price, Rounding};
use crate::msg::Value;
use crate::strategy::options::params::RfqAuction;

/// Yield accrued on `base` over the look-back, in cash: `base · share · mark · budget share`, and never more than the
/// operator's share of the collateral's value. None while no accrual is known, or where it is nothing.
pub fn accrued(value: &Value, base: Amount, terms: &RfqAuction) -> Option<Cash> {
    let accrual = value.accrual?;
    if !base.is_positive() || !accrual.share.is_positive() {
        return None;
    }
    let worth = value.mark.times(base);
    let earned = worth.scale(accrual.share, Rounding::Floor).scale(terms.budget_share, Rounding::Floor);
    let most = worth.scale(terms.budget_share_max, Rounding::Floor);
    Some(earned.min(most)).filter(|budget| budget.is_positive())
}

/// Units that `left` buys at a cost per unit, fees included, down to whole roundings and up to one lot.
pub fn affordable(left: Cash, unit_cost: Price, lot_size: Amount, lot_rounding: Amount) -> Amount {
    if !left.is_positive() || !unit_cost.is_positive() || !lot_rounding.is_positive() {
        return Amount::ZERO;
    }
    left.over_price(unit_cost, Rounding::Floor).min(lot_size).to_step(lot_rounding, Rounding::Floor)
}
