//! Options: listed by rule, priced from volatility and forward feeds, settled on the average of spot.

pub mod black76;
mod feeds;
mod listing;
mod margin;
mod marks;
mod position;
mod settlement;
pub mod svi;

#[cfg(test)]
pub use feeds::digest as feed_digest;
pub use feeds::{FeedKey, latest_signed_feeds};
pub use listing::expiries_due;
pub use marks::OptionMark;
pub use position::OptionPosition;
pub use settlement::{METHODS, Settlement, SettlementRow};
pub use svi::Svi;

use rust_decimal::Decimal;
use std::collections::BTreeMap;

use crate::base::time::Nanos;

/// Call and put of one strike, as catalog places.
pub type Pair = [usize; 2];

/// All options of one currency and expiry, with the feeds that price them.
#[derive(Clone, Debug)]
pub struct Chain {
    /// Volatility surface; until one is set, a typical one around the present forward.
    pub svi: Option<Svi>,
    /// When the surface was set.
    pub vol_at: Nanos,
    /// Forward minus spot, USD.
    pub fwd_diff: Decimal,
    /// When the forward was set.
    pub fwd_at: Nanos,
    /// Call and put by strike.
    pub strikes: BTreeMap<Decimal, Pair>,
    /// Distance of strikes.
    pub step: Decimal,
    /// Orders are taken.
    pub active: bool,
    /// Spot aggregate when the settlement window opened.
    pub window_start: Option<Decimal>,
    /// Spot aggregate at expiry.
    pub window_end: Option<Decimal>,
    /// Unix second at which it is settled; later than expiry only if somebody delays it.
    pub settle_at_s: u64,
}

/// Live chains by currency and expiry second.
pub type Chains = BTreeMap<(&'static str, u64), Chain>;

/// Seconds over which spot is averaged for settlement (Derive §8.5).
pub const WINDOW_S: u64 = 1_800;
