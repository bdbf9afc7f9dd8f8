//! Truth about an account: order life, holdings, ledger.

pub mod holdings;
pub mod ledger;
pub mod order;
pub mod positions;
pub mod recent;
pub mod unsettled;
