//! One listed option: what the venue's ticker says, what Black-76 makes of it, and whether both follow from the signed
//! feeds.

use super::belief::Belief;
use super::black76;
use super::collateral::take_ticker;
use super::forward::{ForwardFeed, SpotAggregate};
use super::instrument::OptionTerms;
use super::svi::Svi;
use crate::base::num::{Price, Ratio, Rounding};
use crate::base::time::{Nanos, SEC};
use crate::msg::{Guards, OptionFeeds, OptionValue, Ticker, Value};

/// Oldest usable ticker: they come once a second while an auction runs.
const TICKER_AGE_NS_MAX: u64 = 5 * SEC;
/// Signed feeds older than this prove nothing about a ticker.
const FEEDS_AGE_NS_MAX: u64 = 60 * SEC;
/// Largest distance of the ticker's delta from ours (strategy specification §5.1).
const DELTA_GAP_MAX: Ratio = Ratio::from_bps(100);
/// Share of the mark by which the feeds' mark may differ: rounding and rates.
const MARK_GAP_MAX: Ratio = Ratio::from_bps(200);
/// Relative move of the forward that may lie between the feeds' moment and the ticker's.
const FORWARD_GAP_MAX: Ratio = Ratio::from_bps(100);

/// One option's inputs.
#[derive(Clone, Copy, Debug, Hash)]
pub struct OptionLine {
    terms: OptionTerms,
    ticker: Option<(Ticker, Nanos)>,
    feeds: Option<OptionFeeds>,
    /// Of the forward and of the volatility: a mark that follows from wrong ones agrees with itself.
    beliefs: [Belief; 2],
}

impl OptionLine {
    /// With no inputs yet.
    pub fn new(terms: OptionTerms) -> OptionLine {
        OptionLine { terms, ticker: None, feeds: None, beliefs: Default::default() }
    }

    /// What it pays on.
    pub fn terms(&self) -> &OptionTerms {
        &self.terms
    }

    /// Takes a ticker (D3).
    pub fn on_ticker(&mut self, at: Nanos, ticker: &Ticker) -> bool {
        let taken = take_ticker(&mut self.ticker, at, ticker, TICKER_AGE_NS_MAX);
        if let Some(option) = ticker.option.filter(|_| taken) {
            let [forward, vol] = &mut self.beliefs;
            forward.hear(option.forward, ticker.venue_at);
            vol.hear_vol(option.mark_iv, ticker.venue_at);
        }
        taken
    }

    /// Takes the signed feeds of its expiry; the next value rests on them.
    pub fn on_feeds(&mut self, feeds: &OptionFeeds) {
        if feeds.expiry_s == self.terms.expiry_s {
            self.feeds = Some(*feeds);
        }
    }

    /// The venue connection is gone, or nobody watches any more.
    pub fn forget_ticker(&mut self) {
        self.ticker = None;
    }

    /// True once a ticker was heard and not forgotten.
    pub fn is_heard(&self) -> bool {
        self.ticker.is_some()
    }

    /// What the inputs amount to at `at`; names of the message are the caller's to fill in. A far strike's mark may be
    /// zero: that is worth nothing, not stale.
    pub fn value(&self, at: Nanos) -> Value {
        let Some((ticker, heard)) = self.ticker else {
            return Value { guards: Guards::TICKER_STALE, priced_at: at, ..Value::default() };
        };
        let good_until = heard.plus(TICKER_AGE_NS_MAX);
        let option = self.option_value(at, &ticker);
        let fair = option.and_then(|option| self.fair(at, &option));
        let deviates = match (option, ticker.option) {
            _ if fair.is_none() || ticker.mark.is_negative() => true,
            (Some(ours), Some(theirs)) => {
                (ours.delta - theirs.delta).abs() > DELTA_GAP_MAX || self.mark_deviates(at, &ticker, &ours)
            }
            _ => true,
        };
        Value {
            fair: fair.unwrap_or_default(),
            mark: ticker.mark,
            index: ticker.index,
            bid: ticker.bid,
            ask: ticker.ask,
            band_low: ticker.band_low,
            band_high: ticker.band_high,
            option,
            guards: Guards::NONE
                .when(at > good_until, Guards::TICKER_STALE)
                .when(self.beliefs.iter().any(Belief::is_open), Guards::UNCONFIRMED)
                .when(deviates, Guards::MODEL_DEVIATES),
            priced_at: at,
            good_until,
            ..Value::default()
        }
    }

    fn option_value(&self, at: Nanos, ticker: &Ticker) -> Option<OptionValue> {
        let said = ticker.option?;
        let seconds = self.terms.seconds_left(at);
        let OptionTerms { strike, right, .. } = self.terms;
        let delta = black76::delta(right, said.forward, strike, said.mark_iv, seconds)?;
        let discount = if said.discount.is_positive() { said.discount } else { Ratio::ONE };
        Some(OptionValue { mark_iv: said.mark_iv, forward: said.forward, discount, delta })
    }

    fn fair(&self, at: Nanos, option: &OptionValue) -> Option<Price> {
        let OptionTerms { strike, right, .. } = self.terms;
        let seconds = self.terms.seconds_left(at);
        black76::price(right, option.forward, strike, option.mark_iv, seconds, option.discount, Rounding::HalfUp)
    }

    /// True if the ticker's own volatility and forward give another mark than it says, or recent signed feeds do beyond
    /// what their distance in time explains.
    fn mark_deviates(&self, at: Nanos, ticker: &Ticker, option: &OptionValue) -> bool {
        let curved = option.forward.scale(Ratio::from_bps(2), Rounding::Ceil);
        let near = ticker.mark.scale(MARK_GAP_MAX, Rounding::Ceil) + curved;
        // Feeds may be missing; the ticker's own volatility and forward are not.
        if self.fair(at, option).is_none_or(|fair| (fair - ticker.mark).abs() > near) {
            return true;
        }
        let Some(feeds) = self.feeds.filter(|feeds| at.since(feeds.read_at) <= FEEDS_AGE_NS_MAX) else { return false };
        let Some(mark) = mark_from_feeds(&self.terms, &feeds, option.discount) else { return true };
        let moved = option.forward.scale(FORWARD_GAP_MAX, Rounding::Ceil).scale(option.delta.abs(), Rounding::Ceil);
        (mark - ticker.mark).abs() > near + moved
    }
}

/// The mark that follows from the signed feeds: SVI volatility at the strike, forward blended with the settlement
/// average, Black-76 (strategy specification §5.3).
pub fn mark_from_feeds(terms: &OptionTerms, feeds: &OptionFeeds, discount: Ratio) -> Option<Price> {
    let [a, b, rho, m, sigma, forward, ref_tau] = feeds.svi;
    let vol = Svi { a, b, rho, m, sigma, forward, ref_tau }.vol(terms.strike.to_f64())?;
    let feed = ForwardFeed {
        fwd_diff: feeds.forward_diff,
        spot_aggregate_start: SpotAggregate::from_raw(feeds.spot_aggregates[0].raw()),
        spot_aggregate_latest: SpotAggregate::from_raw(feeds.spot_aggregates[1].raw()),
        feed_at: feeds.forward_at,
        expiry: terms.expires_at(),
    };
    let forward = feed.forward(feeds.spot)?;
    let vol = Ratio::from_raw((vol * crate::base::num::E9 as f64) as i64);
    let seconds = terms.seconds_left(feeds.read_at);
    black76::price(terms.right, forward, terms.strike, vol, seconds, discount, Rounding::HalfUp)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::Right;
    use crate::msg::{CurrencyId, OptionPricing};

    const WEEK: u64 = 604_800;
    const EXPIRY: u64 = 1_798_185_600;

    fn price(text: &str) -> Price {
        text.parse().expect("literal")
    }

    fn ratio(text: &str) -> Ratio {
        text.parse().expect("literal")
    }

    fn terms() -> OptionTerms {
        OptionTerms { expiry_s: EXPIRY, strike: price("3500"), right: Right::Call }
    }

    /// σ 0.6, F 3000, K 3500, one week: price 3.338707777, delta 0.034865179 (strategy specification §5.2).
    fn ticker(at: Nanos) -> Ticker {
        let option = OptionPricing {
            delta: ratio("0.034865"),
            mark_iv: ratio("0.6"),
            forward: price("3000"),
            discount: Ratio::ONE,
            mark: price("3.3387"),
            ..OptionPricing::default()
        };
        Ticker { venue_at: at, mark: price("3.3387"), index: price("3000"), option: Some(option), ..Ticker::default() }
    }

    /// A flat curve at that volatility: w = a = 0.36 · refTau.
    fn feeds(at: Nanos, vol: f64) -> OptionFeeds {
        let tau = WEEK as f64 / 31_536_000.0;
        OptionFeeds {
            slot: 0,
            currency: CurrencyId(1),
            expiry_s: EXPIRY,
            svi: [vol * vol * tau, 0.0, 0.0, 0.0, 0.1, 3_000.0, tau],
            forward_diff: Price::ZERO,
            spot_aggregates: Default::default(),
            spot: price("3000"),
            forward_at: at,
            read_at: at,
        }
    }

    #[test]
    fn ticker_and_feeds_that_agree_clear_every_guard() {
        let at = Nanos((EXPIRY - WEEK) * SEC);
        let mut line = OptionLine::new(terms());
        assert!(line.value(at).guards.has(Guards::TICKER_STALE));
        for early in [2, 1] {
            line.on_ticker(at, &ticker(Nanos(at.0 - early)));
            assert_eq!(line.value(at).guards, Guards::UNCONFIRMED);
        }
        line.on_ticker(at, &ticker(at));
        line.on_feeds(&feeds(at, 0.6));
        let value = line.value(at);
        assert!(value.guards.is_clear(), "{:?}", value.guards);
        assert!((value.fair - price("3.338707777")).abs() <= Price::from_raw(2), "{}", value.fair);
        assert_eq!(value.option.map(|option| option.delta), Some(ratio("0.034865180")));
    }

    #[test]
    fn a_mark_that_does_not_follow_from_the_feeds_is_flagged() {
        let at = Nanos((EXPIRY - WEEK) * SEC);
        let mut line = OptionLine::new(terms());
        line.on_ticker(at, &ticker(at));
        line.on_feeds(&feeds(at, 0.75));
        assert!(line.value(at).guards.has(Guards::MODEL_DEVIATES));
        let mut off = ticker(at);
        off.option = off.option.map(|option| OptionPricing { delta: ratio("0.06"), ..option });
        let mut line = OptionLine::new(terms());
        line.on_ticker(at, &off);
        assert!(line.value(at).guards.has(Guards::MODEL_DEVIATES), "delta");
        for (mark, guarded) in [("2.8", false), ("3.9", false), ("4.1", true), ("0.3", true)] {
            let mut line = OptionLine::new(terms());
            line.on_ticker(at, &Ticker { mark: price(mark), ..ticker(at) });
            assert_eq!(line.value(at).guards.has(Guards::MODEL_DEVIATES), guarded, "{mark} without feeds");
        }
    }

    /// The vault's limit, and the signer's, follow the ticker: one that is wrong throughout must be borne out.
    #[test]
    fn a_ticker_wrong_throughout_waits_for_others() {
        let start = Nanos((EXPIRY - WEEK) * SEC);
        let told = |at: Nanos, forward: &str, vol: &str| {
            let (forward, mark_iv) = (price(forward), ratio(vol));
            let seconds = terms().seconds_left(at);
            let mark =
                black76::price(Right::Call, forward, terms().strike, mark_iv, seconds, Ratio::ONE, Rounding::HalfUp);
            let delta = black76::delta(Right::Call, forward, terms().strike, mark_iv, seconds).expect("a delta");
            let sound = ticker(at);
            let option = sound.option.map(|option| OptionPricing { delta, mark_iv, forward, ..option });
            Ticker { mark: mark.expect("a price"), option, ..sound }
        };
        for wrong in [("2900", "0.6"), ("3000", "0.4")] {
            let mut line = OptionLine::new(terms());
            let sound = ("3000", "0.6");
            let tickers = [sound, sound, sound, wrong, sound, wrong, wrong, wrong];
            let guards: Vec<Guards> = (0..)
                .zip(tickers)
                .map(|(second, (forward, vol))| {
                    let at = start.plus(second * SEC);
                    line.on_ticker(at, &told(at, forward, vol));
                    line.value(at).guards
                })
                .collect();
            let (clear, open) = (Guards::NONE, Guards::UNCONFIRMED);
            assert_eq!(guards, [open, open, clear, open, clear, open, open, clear], "{wrong:?}");
        }
    }

    #[test]
    fn in_the_last_half_hour_the_mark_follows_the_average() {
        let mut feeds = feeds(Nanos((EXPIRY - 900) * SEC), 0.6);
        // Half the window at 3600, then spot 3400: the forward is 3500 at the strike.
        let start = 1_000_000_000_000_i64;
        feeds.spot = price("3400");
        feeds.spot_aggregates = [start, start + 900 * 3_600].map(crate::base::num::Cash::whole);
        let blended = mark_from_feeds(&terms(), &feeds, Ratio::ONE).expect("a mark");
        assert!(blended > price("4") && blended < price("5"), "at the money with a quarter hour left: {blended}");
    }
}
