//! What holding the basis earns.

use crate::base::num::Ratio;

/// Hours of a year, for hourly funding to annual.
const HOURS_PER_YEAR: i64 = 8_760;

/// Annual carry: what the short earns less what the borrow costs.
pub fn annual(funding_hourly: Ratio, borrow_apr: Ratio) -> Ratio {
    Ratio::from_raw(funding_hourly.raw().saturating_mul(HOURS_PER_YEAR)) - borrow_apr
}
