//! Each actor with its lanes and its piece of the outside, as something a core can turn.
//!
//! A cell hears through its [`Ear`](crate::engine::ear::Ear), which knows the moment and keeps the tape, feeds its actor,
//! stamps what it says and sends it on. It decides nothing.

mod contract;
mod edges;
mod inner;
mod wall;

pub use contract::{ContractCell, ContractIn, ContractOut};
pub use edges::{GatewayCell, GatewayEnd, GatewayIn, MarketDataCell, MarketDataEnd, MarketDataIn, MarketDataOut};
pub use inner::{AuctionCell, AuctionIn, PricingCell, RiskCell, RiskIn, RiskOut, SignerCell, SignerIn, SignerOut};
pub use wall::WallCell;

use crate::base::buggify::{Place, bends};
use crate::base::ids::InstrumentId;
use crate::msg::{Feed, Market};

/// Messages one turn takes from one lane before it looks at the others.
fn burst() -> usize {
    if bends(Place::ShortTurn) { 1 } else { 64 }
}

/// Expiries whose signed feeds are read at once.
const FEED_SLOTS: usize = 16;

/// Conflation keys needed for market facts.
pub fn fact_keys(instruments: usize, feeds: usize) -> usize {
    4 * instruments + 2 * feeds + 2 + FEED_SLOTS
}

/// A fact's conflation key: facts of one key replace each other, facts of two never do.
fn fact_key(body: &Market, instruments: usize, feeds: usize) -> usize {
    let id = |instrument: InstrumentId| usize::from(instrument.0).min(instruments.saturating_sub(1));
    let feed = |place: u8| usize::from(place).min(feeds.saturating_sub(1));
    match body {
        Market::Ticker(ticker) => id(ticker.instrument),
        Market::Book(book) => instruments + id(book.instrument),
        Market::Trade(trade) => 2 * instruments + id(trade.instrument),
        Market::Spot(spot) => 3 * instruments + usize::from(spot.currency.0).min(instruments.saturating_sub(1)),
        Market::External(quote) => 4 * instruments + feed(quote.symbol),
        Market::Ratio(round) => 4 * instruments + feeds + feed(round.feed),
        Market::Feeds(round) => 4 * instruments + 2 * feeds + 2 + usize::from(round.slot).min(FEED_SLOTS - 1),
        Market::Lost(Feed::Venue) => 4 * instruments + 2 * feeds,
        Market::Lost(Feed::External) => 4 * instruments + 2 * feeds + 1,
    }
}
