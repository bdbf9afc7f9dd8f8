//! What `market_data` says to pricing and to the signer.

use super::{DEPTH, Trace};
use crate::base::digest::floats;
use crate::base::ids::{InstrumentId, Side, Uuid};
use crate::base::num::{Amount, Cash, Price, Ratio};
use crate::base::time::Nanos;
use std::hash::{Hash, Hasher};

/// A currency's place in the currency table, from zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CurrencyId(pub u8);

/// What `market_data` understood from a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MarketMsg {
    /// Where the time went.
    pub trace: Trace,
    /// What was said.
    pub body: Market,
}

/// A fact about a market.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Market {
    /// `ticker_slim` frame.
    Ticker(Ticker),
    /// `orderbook` snapshot.
    Book(Book),
    /// Public trade (taker row).
    Trade(TradePrint),
    /// `spot_feed` entry.
    Spot(SpotIndex),
    /// Best bid and ask of an external venue (Binance `bookTicker`).
    External(External),
    /// A round of an on-chain ratio feed (Chainlink `latestRoundData`).
    Ratio(RatioRound),
    /// The venue's signed volatility and forward feeds of one expiry (`get_latest_signed_feeds`).
    Feeds(OptionFeeds),
    /// A connection is gone; what it said before no longer counts as fresh.
    Lost(Feed),
}

/// Where market facts come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feed {
    /// The venue's public channels.
    Venue,
    /// The external book.
    External,
}

/// `ticker_slim`: best prices, mark, index, band and funding. A zero bid or ask price means that side is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Hash)]
pub struct Ticker {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// Venue timestamp (ms precision).
    pub venue_at: Nanos,
    /// Best bid price.
    pub bid: Price,
    /// Amount at the best bid.
    pub bid_amount: Amount,
    /// Best ask price.
    pub ask: Price,
    /// Amount at the best ask.
    pub ask_amount: Amount,
    /// Mark price.
    pub mark: Price,
    /// Index price.
    pub index: Price,
    /// Lowest aggressive price (`minp`).
    pub band_low: Price,
    /// Highest aggressive price (`maxp`).
    pub band_high: Price,
    /// Hourly funding rate (perps; zero otherwise).
    pub funding_hourly: Ratio,
    /// Option fields, for options only.
    pub option: Option<OptionPricing>,
}

/// An instrument's mark as the signer hears it, on a lane that neither pricing nor risk can reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// The venue's mark.
    pub price: Price,
    /// When its frame came in, our clock.
    pub at: Nanos,
}

/// The venue's option model values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct OptionPricing {
    /// Black-76 delta.
    pub delta: Ratio,
    /// Mark implied volatility, per year.
    pub mark_iv: Ratio,
    /// Forward price of the expiry.
    pub forward: Price,
    /// Discount factor.
    pub discount: Ratio,
    /// Mark price.
    pub mark: Price,
    /// Gamma.
    pub gamma: Ratio,
    /// Vega.
    pub vega: Ratio,
    /// Theta.
    pub theta: Ratio,
}

/// One price level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Level {
    /// Price.
    pub price: Price,
    /// Amount resting there.
    pub amount: Amount,
}

/// `orderbook`: the best levels of both sides, best first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Book {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// Venue timestamp (ms precision).
    pub venue_at: Nanos,
    /// The venue's publication number; grows by an unspecified step.
    pub publish_id: u64,
    /// Levels used in `bids`.
    pub bid_count: u8,
    /// Levels used in `asks`.
    pub ask_count: u8,
    /// Bids, highest price first.
    pub bids: [Level; DEPTH],
    /// Asks, lowest price first.
    pub asks: [Level; DEPTH],
}

impl Book {
    /// The used bid levels, best first.
    pub fn bids(&self) -> &[Level] {
        &self.bids[..usize::from(self.bid_count).min(DEPTH)]
    }

    /// The used ask levels, best first.
    pub fn asks(&self) -> &[Level] {
        &self.asks[..usize::from(self.ask_count).min(DEPTH)]
    }
}

/// One public trade, from its taker row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TradePrint {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// Venue trade id.
    pub trade_id: Uuid,
    /// Taker side.
    pub side: Side,
    /// Price.
    pub price: Price,
    /// Amount.
    pub amount: Amount,
    /// Venue timestamp (ms precision).
    pub venue_at: Nanos,
}

/// One currency of a `spot_feed` frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpotIndex {
    /// Which currency.
    pub currency: CurrencyId,
    /// Index price in USD.
    pub price: Price,
    /// Feed confidence, 0 to 1.
    pub confidence: Ratio,
    /// Venue timestamp (ms precision).
    pub venue_at: Nanos,
}

/// Best prices of an external book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct External {
    /// Which external symbol, by its place in the configuration.
    pub symbol: u8,
    /// The external venue's update number; never decreases.
    pub update_id: u64,
    /// Best bid price.
    pub bid: Price,
    /// Amount at the best bid.
    pub bid_amount: Amount,
    /// Best ask price.
    pub ask: Price,
    /// Amount at the best ask.
    pub ask_amount: Amount,
}

/// The venue's signed volatility and forward feeds of one expiry, from which its option marks follow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OptionFeeds {
    /// Place among the feeds the control plane reads, for conflation.
    pub slot: u8,
    /// Currency of the options.
    pub currency: CurrencyId,
    /// Expiry, unix seconds.
    pub expiry_s: u64,
    /// SVI parameters `a, b, ρ, m, σ`, the forward they were fitted at and their year fraction.
    pub svi: [f64; 7],
    /// Forward minus spot.
    pub forward_diff: Price,
    /// Spot price × seconds since the averaging began, at its start and now; both zero before it begins.
    pub spot_aggregates: [Cash; 2],
    /// Index price the feeds were read with.
    pub spot: Price,
    /// The forward feed's own moment.
    pub forward_at: Nanos,
    /// When they were read.
    pub read_at: Nanos,
}

/// What a ratio was some time ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PastRatio {
    /// Base asset per wrapped token then.
    pub ratio: Ratio,
    /// When the feed had said so.
    pub updated_at: Nanos,
    /// The moment asked about.
    pub at: Nanos,
}

/// One answer of a ratio feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RatioRound {
    /// Which feed, by its place in the configuration.
    pub feed: u8,
    /// Base asset per wrapped token.
    pub ratio: Ratio,
    /// When the feed was updated on chain.
    pub updated_at: Nanos,
    /// When we read it.
    pub read_at: Nanos,
    /// The ratio a look-back ago, for feeds read with one.
    pub past: Option<PastRatio>,
}

impl Hash for OptionFeeds {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let OptionFeeds { slot, currency, expiry_s, svi, forward_diff, spot_aggregates, spot, forward_at, read_at } =
            self;
        floats(svi, state);
        (slot, currency, expiry_s, forward_diff, spot_aggregates, spot, forward_at, read_at).hash(state);
    }
}
