//! Fair value of an instrument from what several sources say, and the guards that forbid believing it.
//!
//! A wrapped token is worth its on-chain ratio times the external mid of what it wraps; a perp is worth the middle of
//! the venue's own mid and the external one. No value is produced from a crossed, empty or stale input.

use super::belief::Belief;
use crate::base::num::{Price, Ratio, Rounding};
use crate::base::time::{Nanos, SEC};
use crate::msg::{Book, External, Guards, RatioRound, Ticker};

/// Oldest usable read of a ratio, however long its round may stand on chain: a few of the slowest polls allowed, so that a
/// dead node is noticed long before a day's heartbeat.
const RATIO_READ_AGE_NS_MAX: u64 = 1_800 * SEC;

/// How to value one instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Model {
    /// Place of the external symbol in the configuration.
    pub external: u8,
    /// Place of the ratio feed; none for instruments valued directly at the external mid (perps).
    pub ratio_feed: Option<u8>,
    /// Ratio expected.
    pub ratio_reference: Ratio,
    /// Largest relative distance of the ratio from its reference.
    pub ratio_deviation_max: Ratio,
    /// Largest relative distance of fair value from the venue's mark.
    pub mark_deviation_max: Ratio,
    /// Largest relative range of the external mid over one volatility window.
    pub move_max: Ratio,
    /// Length of the volatility window.
    pub move_window_ns: u64,
    /// Oldest usable ticker.
    pub ticker_age_ns_max: u64,
    /// Oldest usable external quote.
    pub external_age_ns_max: u64,
    /// Oldest usable ratio, by the chain's own timestamp.
    pub ratio_age_ns_max: u64,
}

/// Range of a price over a sliding window, kept as two half-windows.
#[derive(Clone, Copy, Debug, Default, Hash)]
struct Range {
    started_at: Nanos,
    current: Option<(Price, Price)>,
    previous: Option<(Price, Price)>,
}

impl Range {
    fn add(&mut self, at: Nanos, price: Price, window_ns: u64) {
        let half = (window_ns / 2).max(1);
        let elapsed = at.since(self.started_at);
        if elapsed >= half {
            self.previous = if elapsed < 2 * half { self.current } else { None };
            self.current = None;
            self.started_at = at;
        }
        let (low, high) = self.current.unwrap_or((price, price));
        self.current = Some((low.min(price), high.max(price)));
    }

    /// (high − low) / low over both halves.
    fn relative(&self) -> Ratio {
        let both = self.current.into_iter().chain(self.previous);
        let Some((low, high)) = both.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))) else { return Ratio::ZERO };
        if low.is_positive() { (high - low).over(low, Rounding::Ceil) } else { Ratio::ZERO }
    }
}

/// The inputs of one instrument's value and what they amount to.
#[derive(Clone, Copy, Debug, Hash)]
pub struct Fair {
    model: Model,
    ticker: Option<(Ticker, Nanos)>,
    belief: Belief,
    external: Option<(External, Nanos)>,
    ratio: Option<RatioRound>,
    range: Range,
}

/// Fair value with the reasons for and against using it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Opinion {
    /// Fair value; zero if there is none.
    pub fair: Price,
    /// Reasons not to trade.
    pub guards: Guards,
    /// First moment at which an input will be too old.
    pub good_until: Nanos,
    /// The ticker it rests on.
    pub ticker: Ticker,
}

/// Middle of two prices, rounded down.
fn middle(a: Price, b: Price) -> Price {
    Price::from_raw(a.raw().midpoint(b.raw()))
}

/// True if `a` lies further from `b` than `limit` of `b`.
pub(super) fn deviates(a: Price, b: Price, limit: Ratio) -> bool {
    !b.is_positive() || (a - b).abs() > b.scale(limit, Rounding::Floor)
}

impl Fair {
    /// With no inputs yet.
    pub fn new(model: Model) -> Fair {
        let (belief, range) = (Belief::default(), Range::default());
        Fair { model, ticker: None, belief, external: None, ratio: None, range }
    }

    /// The model in use.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Takes a ticker; an older one changes nothing (D3), unless the one we have is too old to be used anyway: one
    /// stamp from the future must not shut out all that follow. A repeated stamp does not make a ticker fresh again.
    pub fn on_ticker(&mut self, at: Nanos, ticker: &Ticker) -> bool {
        let heard = match self.ticker {
            Some((last, heard)) if ticker.venue_at == last.venue_at => heard,
            Some((last, heard)) if ticker.venue_at < last.venue_at => {
                if at.since(heard) <= self.model.ticker_age_ns_max {
                    return false;
                }
                at
            }
            _ => at,
        };
        self.ticker = Some((*ticker, heard));
        self.belief.hear(ticker.mark, ticker.venue_at);
        true
    }

    /// Takes a book snapshot: its top is fresher than the ticker's. It says nothing of marks, so it does not renew the
    /// ticker; an older one changes nothing (D3).
    pub fn on_book(&mut self, book: &Book) -> bool {
        let Some((ticker, _)) = &mut self.ticker else { return false };
        if book.venue_at < ticker.venue_at {
            return false;
        }
        let best = |levels: &[crate::msg::Level]| levels.first().copied().unwrap_or_default();
        let (bid, ask) = (best(book.bids()), best(book.asks()));
        let changed = (ticker.bid, ticker.ask) != (bid.price, ask.price);
        (ticker.bid, ticker.bid_amount) = (bid.price, bid.amount);
        (ticker.ask, ticker.ask_amount) = (ask.price, ask.amount);
        changed
    }

    /// Takes an external quote; an older update number changes nothing (D3) while the newer quote may still be used.
    pub fn on_external(&mut self, at: Nanos, quote: &External) -> bool {
        let newer = self.external.is_none_or(|(last, heard)| {
            quote.update_id > last.update_id
                || (quote.update_id < last.update_id && at.since(heard) > self.model.external_age_ns_max)
        });
        if newer {
            self.external = Some((*quote, at));
            if quote.bid.is_positive() && quote.bid < quote.ask {
                self.range.add(at, middle(quote.bid, quote.ask), self.model.move_window_ns);
            }
        }
        newer
    }

    /// Takes a ratio round; an older one changes nothing, and neither does one dated after the moment it was read (to
    /// the minute: chains and hosts differ by seconds): it would never grow stale.
    pub fn on_ratio(&mut self, round: &RatioRound) -> bool {
        let newer = round.updated_at <= round.read_at.plus(60 * SEC)
            && self.ratio.is_none_or(|last| round.updated_at >= last.updated_at);
        if newer {
            self.ratio = Some(*round);
        }
        newer
    }

    /// The venue connection is gone: the ticker no longer counts, and a restarted feed may begin anew.
    pub fn forget_ticker(&mut self) {
        self.ticker = None;
    }

    /// The external connection is gone.
    pub fn forget_external(&mut self) {
        self.external = None;
    }

    /// What the inputs amount to at `at`.
    pub fn opinion(&self, at: Nanos) -> Opinion {
        let model = &self.model;
        let ticker = self.ticker.map(|(ticker, _)| ticker).unwrap_or_default();
        let ticker_until = self.ticker.map_or(Nanos::ZERO, |(_, heard)| heard.plus(model.ticker_age_ns_max));
        let (external_mid, external_until) = self.external_mid();
        let (ratio, ratio_until) = self.ratio_now();

        let fair = match (external_mid, ratio) {
            (Some(mid), Some(ratio)) => self.value(mid, ratio, &ticker),
            _ => Price::ZERO,
        };
        let reference = model.ratio_reference;
        let ratio_off = ratio.is_some_and(|r| {
            let limit = model.ratio_deviation_max.raw() as i128 * reference.raw() as i128;
            i128::from((r - reference).abs().raw()) * i128::from(crate::base::num::E9) > limit
        });
        let guards = Guards::NONE
            .when(at > ticker_until || !ticker.mark.is_positive(), Guards::TICKER_STALE)
            .when(self.belief.is_open(), Guards::UNCONFIRMED)
            .when(external_mid.is_none() || at > external_until, Guards::EXTERNAL_STALE)
            .when(ratio.is_none() || at > ratio_until, Guards::RATIO_STALE)
            .when(ratio_off, Guards::RATIO_DEVIATES)
            .when(fair.is_positive() && deviates(fair, ticker.mark, model.mark_deviation_max), Guards::FAIR_DEVIATES)
            .when(self.range.relative() > model.move_max, Guards::VOLATILE);
        Opinion { fair, guards, good_until: ticker_until.min(external_until).min(ratio_until), ticker }
    }

    fn external_mid(&self) -> (Option<Price>, Nanos) {
        match self.external {
            Some((quote, heard)) if quote.bid.is_positive() && quote.bid < quote.ask => {
                (Some(middle(quote.bid, quote.ask)), heard.plus(self.model.external_age_ns_max))
            }
            _ => (None, Nanos::ZERO),
        }
    }

    fn ratio_now(&self) -> (Option<Ratio>, Nanos) {
        match (self.model.ratio_feed, self.ratio) {
            (None, _) => (Some(Ratio::ONE), Nanos::MAX),
            (Some(_), Some(round)) if round.ratio.is_positive() => {
                let chain_says = round.updated_at.plus(self.model.ratio_age_ns_max);
                (Some(round.ratio), chain_says.min(round.read_at.plus(RATIO_READ_AGE_NS_MAX)))
            }
            (Some(_), _) => (None, Nanos::ZERO),
        }
    }

    fn value(&self, external_mid: Price, ratio: Ratio, ticker: &Ticker) -> Price {
        let anchored = external_mid.scale(ratio, Rounding::HalfUp);
        let two_sided = ticker.bid.is_positive() && ticker.bid < ticker.ask;
        if self.model.ratio_feed.is_none() && two_sided {
            middle(anchored, middle(ticker.bid, ticker.ask))
        } else {
            anchored
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::num::Amount;

    fn price(text: &str) -> Price {
        text.parse().expect("literal")
    }

    fn model() -> Model {
        Model {
            external: 0,
            ratio_feed: Some(0),
            ratio_reference: "1.07".parse().expect("literal"),
            ratio_deviation_max: Ratio::from_bps(100),
            mark_deviation_max: Ratio::from_bps(100),
            move_max: Ratio::from_bps(50),
            move_window_ns: 10 * SEC,
            ticker_age_ns_max: 2 * SEC,
            external_age_ns_max: SEC,
            ratio_age_ns_max: 86_400 * SEC,
        }
    }

    fn quote(id: u64, bid: &str, ask: &str) -> External {
        let one = Amount::ONE;
        External { symbol: 0, update_id: id, bid: price(bid), bid_amount: one, ask: price(ask), ask_amount: one }
    }

    fn fed(at: Nanos) -> Fair {
        let mut fair = Fair::new(model());
        let mark = price("2140");
        for venue_at in [Nanos(at.0 - 2), Nanos(at.0 - 1), at] {
            fair.on_ticker(at, &Ticker { venue_at, mark, index: mark, ..Ticker::default() });
        }
        fair.on_external(at, &quote(1, "1999.5", "2000.5"));
        fair.on_ratio(&RatioRound {
            feed: 0,
            ratio: "1.07".parse().expect("literal"),
            updated_at: at,
            read_at: at,
            past: None,
        });
        fair
    }

    #[test]
    fn wrapped_token_is_ratio_times_external_mid() {
        let at = Nanos(100 * SEC);
        let opinion = fed(at).opinion(at);
        assert_eq!((opinion.fair, opinion.guards), (price("2140"), Guards::NONE));
        assert_eq!(opinion.good_until, at.plus(SEC));
    }

    #[test]
    fn each_guard_speaks_for_its_reason() {
        let at = Nanos(100 * SEC);
        let later = |ns| at.plus(ns);
        assert!(Fair::new(model()).opinion(at).guards.has(Guards::TICKER_STALE));
        assert_eq!(fed(at).opinion(later(SEC + 1)).guards, Guards::EXTERNAL_STALE);
        assert_eq!(fed(at).opinion(later(2 * SEC + 1)).guards, Guards::EXTERNAL_STALE.with(Guards::TICKER_STALE));

        let mut crossed = fed(at);
        crossed.on_external(at, &quote(2, "2001", "2000"));
        assert_eq!(crossed.opinion(at).guards, Guards::EXTERNAL_STALE);
        assert_eq!(crossed.opinion(at).fair, Price::ZERO);

        let mut depegged = fed(at);
        let round = |ratio: &str| RatioRound {
            feed: 0,
            ratio: ratio.parse().expect("literal"),
            updated_at: at,
            read_at: at,
            past: None,
        };
        depegged.on_ratio(&round("1.0593"));
        assert_eq!(depegged.opinion(at).guards, Guards::NONE);
        depegged.on_ratio(&round("1.0592"));
        assert!(depegged.opinion(at).guards.has(Guards::RATIO_DEVIATES));

        let mut moved = fed(at);
        moved.on_external(later(SEC), &quote(2, "2009.6", "2010.6"));
        assert!(moved.opinion(later(SEC)).guards.has(Guards::VOLATILE));
        assert!(!moved.opinion(later(SEC)).guards.has(Guards::FAIR_DEVIATES));
        moved.on_external(later(SEC), &quote(3, "2020.6", "2021.6"));
        assert!(moved.opinion(later(SEC)).guards.has(Guards::FAIR_DEVIATES));
    }

    #[test]
    fn a_ratio_that_can_no_longer_be_read_goes_stale() {
        let at = Nanos(100 * SEC);
        let ratio_stale = |ns| fed(at).opinion(at.plus(ns)).guards.has(Guards::RATIO_STALE);
        assert!(!ratio_stale(RATIO_READ_AGE_NS_MAX));
        assert!(ratio_stale(RATIO_READ_AGE_NS_MAX + 1));
    }

    #[test]
    fn older_publications_change_nothing() {
        let at = Nanos(100 * SEC);
        let mut fair = fed(at);
        assert!(!fair.on_external(at, &quote(1, "1", "2")));
        assert!(!fair.on_ticker(at, &Ticker { venue_at: Nanos(99 * SEC), ..Ticker::default() }));
        assert_eq!(fair.opinion(at).fair, price("2140"));
    }

    /// One stamp from the future shuts nothing out for long, and a repeated stamp makes nothing fresh.
    #[test]
    fn hostile_stamps_neither_mute_nor_refresh() {
        let at = Nanos(100 * SEC);
        let mut fair = fed(at);
        let ticker = |venue_at| Ticker { venue_at, mark: price("2140"), index: price("2140"), ..Ticker::default() };
        assert!(fair.on_ticker(at, &ticker(Nanos::MAX)));
        assert!(!fair.on_ticker(at.plus(SEC), &ticker(at.plus(SEC))), "older, and the newer one may still be used");
        assert!(fair.on_ticker(at.plus(3 * SEC), &ticker(at.plus(3 * SEC))));
        assert!(!fair.opinion(at.plus(3 * SEC)).guards.has(Guards::TICKER_STALE));
        fair.on_ticker(at.plus(6 * SEC), &ticker(at.plus(3 * SEC)));
        assert!(fair.opinion(at.plus(6 * SEC)).guards.has(Guards::TICKER_STALE), "the publisher repeats itself");

        assert!(fair.on_external(at, &quote(u64::MAX, "1999.5", "2000.5")));
        assert!(!fair.on_external(at.plus(SEC), &quote(7, "1999.5", "2000.5")));
        assert!(fair.on_external(at.plus(2 * SEC), &quote(7, "1999.5", "2000.5")));

        // Nor does a first stamp from the future keep those that follow from being believed.
        let mut fresh = Fair::new(model());
        fresh.on_ticker(at, &ticker(Nanos::MAX));
        for later in [3, 4] {
            assert!(fresh.opinion(at).guards.has(Guards::UNCONFIRMED), "{later}");
            assert!(fresh.on_ticker(at.plus(later * SEC), &ticker(at.plus(later * SEC))));
        }
        assert!(!fresh.opinion(at.plus(4 * SEC)).guards.has(Guards::NO_PRICE));

        let round =
            RatioRound { feed: 0, ratio: Ratio::ONE, updated_at: at.plus(3_600 * SEC), read_at: at, past: None };
        assert!(!fair.on_ratio(&round), "it would never grow stale");
    }
}
