//! Market facts in, values out: what each instrument is worth to us, and why not to believe it.

use crate::base::ids::InstrumentId;
use crate::base::queue::Batch;
use crate::base::time::{MS, Nanos};
use crate::engine::actor::Actor;
use crate::market::fair::{Fair, Model};
use crate::msg::{Cause, Feed, Guards, Market, MarketMsg, Trace, Value};

/// A value is renewed at least this often, so that a silent pricing actor is noticed.
const HEARTBEAT_NS: u64 = 100 * MS;
/// Values one message can change.
pub const VALUES_MAX: usize = 16;

/// What pricing hears.
#[derive(Clone, Copy, Debug)]
pub enum In {
    /// A market fact.
    Market(MarketMsg),
    /// Time passed.
    Tick,
}

/// What one step says.
pub type Out = Batch<Value, VALUES_MAX>;

struct Line {
    instrument: InstrumentId,
    fair: Fair,
    said_at: Nanos,
    guards: Guards,
}

/// The pricing actor.
pub struct Pricing {
    lines: Box<[Line]>,
}

impl Pricing {
    /// For the given instruments and models, at most [`VALUES_MAX`].
    pub fn new(models: impl IntoIterator<Item = (InstrumentId, Model)>) -> Pricing {
        let lines: Box<[Line]> = models
            .into_iter()
            .map(|(instrument, model)| Line {
                instrument,
                fair: Fair::new(model),
                said_at: Nanos::ZERO,
                guards: Guards::NONE,
            })
            .collect();
        assert!(lines.len() <= VALUES_MAX, "more priced instruments than one step can say");
        Pricing { lines }
    }

    fn on_market(&mut self, at: Nanos, message: &MarketMsg, out: &mut Out) {
        for line in &mut self.lines {
            let model = *line.fair.model();
            let changed = match &message.body {
                Market::Ticker(ticker) => ticker.instrument == line.instrument && line.fair.on_ticker(at, ticker),
                Market::External(quote) => quote.symbol == model.external && line.fair.on_external(at, quote),
                Market::Ratio(round) => Some(round.feed) == model.ratio_feed && line.fair.on_ratio(round),
                Market::Book(book) => book.instrument == line.instrument && line.fair.on_book(book),
                Market::Lost(Feed::Venue) => {
                    line.fair.forget_ticker();
                    true
                }
                Market::Lost(Feed::External) => {
                    line.fair.forget_external();
                    true
                }
                Market::Trade(_) | Market::Spot(_) | Market::Feeds(_) => false,
            };
            if changed {
                out.push(line.value(at, message.trace));
            }
        }
    }
}

impl Line {
    fn value(&mut self, at: Nanos, trace: Trace) -> Value {
        let opinion = self.fair.opinion(at);
        self.said_at = at;
        self.guards = opinion.guards;
        let ticker = opinion.ticker;
        Value {
            trace,
            instrument: self.instrument,
            fair: opinion.fair,
            mark: ticker.mark,
            index: ticker.index,
            bid: ticker.bid,
            ask: ticker.ask,
            band_low: ticker.band_low,
            band_high: ticker.band_high,
            funding_hourly: ticker.funding_hourly,
            option: None,
            accrual: None,
            guards: opinion.guards,
            priced_at: at,
            good_until: opinion.good_until,
        }
    }
}

impl Actor for Pricing {
    type In<'a> = In;
    type Out = Out;

    fn on(&mut self, at: Nanos, message: In, out: &mut Out) {
        match message {
            In::Market(message) => self.on_market(at, &message, out),
            In::Tick => {
                for line in &mut self.lines {
                    let due = at.since(line.said_at) >= HEARTBEAT_NS;
                    if due || line.fair.opinion(at).guards != line.guards {
                        out.push(line.value(at, Trace { cause: Cause::Timer, ..Trace::default() }));
                    }
                }
            }
        }
    }
}
