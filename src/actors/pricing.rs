//! Market facts in, values out: what each instrument is worth to us, and why not to believe it.

use crate::base::buggify::{Place, bends};
use crate::base::ids::{InstrumentId, Name};
use crate::base::queue::Batch;
use crate::base::time::{MS, Nanos};
use crate::engine::actor::Actor;
use crate::market::collateral::{Collateral, CollateralModel};
use crate::market::fair::{Fair, Model};
use crate::market::instrument::Listing;
use crate::market::option_line::OptionLine;
use crate::msg::{Cause, Feed, Guards, Market, MarketMsg, OptionFeeds, Trace, Value};

/// A value is renewed at least this often, so that a silent pricing actor is noticed.
const HEARTBEAT_NS: u64 = 100 * MS;
/// So is an option's, while its ticker is heard.
const OPTION_HEARTBEAT_NS: u64 = 500 * MS;
/// Values one message can change.
pub const VALUES_MAX: usize = 16;

/// What pricing hears.
#[derive(Clone, Copy, Debug)]
pub enum In {
    /// A market fact.
    Market(MarketMsg),
    /// The instrument table has changed.
    Listing(Listing),
    /// Time passed.
    Tick,
}

/// What one step says.
pub type Out = Batch<Value, VALUES_MAX>;

/// How an instrument that is always there is valued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelOf {
    /// From several sources.
    Fair(Model),
    /// At the venue's mark.
    Collateral(CollateralModel),
}

#[allow(clippy::large_enum_variant)] // A handful, made at start.
#[derive(Debug, Hash)]
enum Opinion {
    Fair(Fair),
    Collateral(Collateral),
}

#[derive(Debug, Hash)]
struct Line {
    instrument: InstrumentId,
    opinion: Opinion,
    said_at: Nanos,
    guards: Guards,
}

#[derive(Debug, Hash)]
struct OptionPlace {
    instrument: InstrumentId,
    currency: Name,
    line: OptionLine,
    said_at: Nanos,
}

/// The pricing actor.
#[derive(Debug, Hash)]
pub struct Pricing {
    lines: Box<[Line]>,
    /// By instrument id; `None` where no option stands.
    options: Box<[Option<OptionPlace>]>,
    /// Where the next round of option heartbeats begins, so that all have their turn.
    next_option: usize,
    currencies: Box<[Name]>,
}

impl Pricing {
    /// For the given instruments and models, at most [`VALUES_MAX`], options in places below `capacity`, and the
    /// currencies by place.
    pub fn new(
        models: impl IntoIterator<Item = (InstrumentId, ModelOf)>,
        capacity: usize,
        currencies: Vec<Name>,
    ) -> Pricing {
        let opinion = |model| match model {
            ModelOf::Fair(model) => Opinion::Fair(Fair::new(model)),
            ModelOf::Collateral(model) => Opinion::Collateral(Collateral::new(model)),
        };
        let lines: Box<[Line]> = models
            .into_iter()
            .map(|(instrument, model)| Line {
                instrument,
                opinion: opinion(model),
                said_at: Nanos::ZERO,
                guards: Guards::NONE,
            })
            .collect();
        assert!(lines.len() <= VALUES_MAX, "more priced instruments than one step can say");
        let options = (0..capacity).map(|_| None).collect();
        Pricing { lines, options, next_option: 0, currencies: currencies.into_boxed_slice() }
    }

    fn on_market(&mut self, at: Nanos, message: &MarketMsg, out: &mut Out) {
        match &message.body {
            Market::Ticker(ticker) => {
                let place = self.options.get_mut(usize::from(ticker.instrument.0)).and_then(Option::as_mut);
                if let Some(place) = place
                    && place.line.on_ticker(at, ticker)
                {
                    out.push(place.value(at, message.trace));
                    return;
                }
            }
            Market::Feeds(feeds) => return self.on_feeds(feeds),
            Market::Lost(Feed::Venue) => {
                self.options.iter_mut().flatten().for_each(|place| place.line.forget_ticker());
            }
            _ => {}
        }
        for line in &mut self.lines {
            if line.hear(at, &message.body) {
                out.push(line.value(at, message.trace));
            }
        }
    }

    fn on_feeds(&mut self, feeds: &OptionFeeds) {
        let Some(currency) = self.currencies.get(usize::from(feeds.currency.0)) else { return };
        let places = self.options.iter_mut().flatten().filter(|place| place.currency == *currency);
        places.for_each(|place| place.line.on_feeds(feeds));
    }

    fn on_listing(&mut self, listing: &Listing) {
        let id = match listing {
            Listing::Listed { instrument, .. } => instrument.id,
            Listing::Delisted { id } => *id,
        };
        let Some(place) = self.options.get_mut(usize::from(id.0)) else { return };
        match listing {
            Listing::Delisted { .. } => *place = None,
            Listing::Listed { instrument, watched } => {
                let Some(terms) = instrument.option else { return };
                let known = place
                    .as_ref()
                    .is_some_and(|known| *known.line.terms() == terms && known.currency == instrument.base_currency);
                if !known {
                    let (line, currency) = (OptionLine::new(terms), instrument.base_currency);
                    *place = Some(OptionPlace { instrument: id, currency, line, said_at: Nanos::ZERO });
                }
                if let Some(place) = place.as_mut().filter(|_| !watched) {
                    place.line.forget_ticker();
                }
            }
        }
    }

    fn on_tick(&mut self, at: Nanos, out: &mut Out) {
        let timer = Trace { cause: Cause::Timer, ..Trace::default() };
        for line in &mut self.lines {
            if line.is_due(at) {
                out.push(line.value(at, timer));
            }
        }
        let places = self.options.len();
        for step in 0..places {
            if out.room() == 0 {
                self.next_option = (self.next_option + step) % places;
                return;
            }
            let place = &mut self.options[(self.next_option + step) % places];
            if let Some(place) = place.as_mut().filter(|place| place.is_due(at)) {
                out.push(place.value(at, timer));
            }
        }
    }
}

impl OptionPlace {
    fn is_due(&self, at: Nanos) -> bool {
        self.line.is_heard() && at.since(self.said_at) >= OPTION_HEARTBEAT_NS
    }

    fn value(&mut self, at: Nanos, trace: Trace) -> Value {
        self.said_at = at;
        Value { trace, instrument: self.instrument, ..self.line.value(at) }
    }
}

impl Line {
    /// Takes a fact; true if the value may have changed.
    fn hear(&mut self, at: Nanos, fact: &Market) -> bool {
        let own = self.instrument;
        match (&mut self.opinion, fact) {
            (Opinion::Fair(fair), Market::Ticker(ticker)) => ticker.instrument == own && fair.on_ticker(at, ticker),
            (Opinion::Fair(fair), Market::Book(book)) => book.instrument == own && fair.on_book(book),
            (Opinion::Fair(fair), Market::External(quote)) => {
                quote.symbol == fair.model().external && fair.on_external(at, quote)
            }
            (Opinion::Fair(fair), Market::Ratio(round)) => {
                Some(round.feed) == fair.model().ratio_feed && fair.on_ratio(round)
            }
            (Opinion::Fair(fair), Market::Lost(Feed::Venue)) => {
                fair.forget_ticker();
                true
            }
            (Opinion::Fair(fair), Market::Lost(Feed::External)) => {
                fair.forget_external();
                true
            }
            (Opinion::Collateral(line), Market::Ticker(ticker)) => {
                ticker.instrument == own && line.on_ticker(at, ticker)
            }
            (Opinion::Collateral(line), Market::Book(book)) => book.instrument == own && line.on_book(book),
            (Opinion::Collateral(line), Market::Ratio(round)) => line.on_ratio(round),
            (Opinion::Collateral(line), Market::Lost(Feed::Venue)) => {
                line.forget_ticker();
                true
            }
            (Opinion::Collateral(_), Market::External(_) | Market::Lost(Feed::External)) => false,
            (_, Market::Trade(_) | Market::Spot(_) | Market::Feeds(_)) => false,
        }
    }

    fn is_due(&self, at: Nanos) -> bool {
        let guards = match &self.opinion {
            Opinion::Fair(fair) => fair.opinion(at).guards,
            Opinion::Collateral(line) => line.value(at).guards,
        };
        at.since(self.said_at) >= HEARTBEAT_NS || guards != self.guards || bends(Place::ValueAgain)
    }

    fn value(&mut self, at: Nanos, trace: Trace) -> Value {
        let value = match &self.opinion {
            Opinion::Fair(fair) => fair_value(fair, at),
            Opinion::Collateral(line) => line.value(at),
        };
        self.said_at = at;
        self.guards = value.guards;
        Value { trace, instrument: self.instrument, ..value }
    }
}

fn fair_value(fair: &Fair, at: Nanos) -> Value {
    let opinion = fair.opinion(at);
    let ticker = opinion.ticker;
    Value {
        fair: opinion.fair,
        mark: ticker.mark,
        index: ticker.index,
        bid: ticker.bid,
        ask: ticker.ask,
        band_low: ticker.band_low,
        band_high: ticker.band_high,
        funding_hourly: ticker.funding_hourly,
        guards: opinion.guards,
        priced_at: at,
        good_until: opinion.good_until,
        ..Value::default()
    }
}

impl Actor for Pricing {
    type In<'a> = In;
    type Out = Out;

    fn on(&mut self, at: Nanos, message: In, out: &mut Out) {
        match message {
            In::Market(message) => self.on_market(at, &message, out),
            In::Listing(listing) => self.on_listing(&listing),
            In::Tick => self.on_tick(at, out),
        }
    }
}
