//! The collateral of an option vault: valued at the venue's own mark, with what its yield has added over a look-back.

use super::belief::Belief;
use crate::base::num::{Price, Ratio, Rounding};
use crate::base::time::{Nanos, SEC};
use crate::msg::{Accrual, Book, Guards, RatioRound, Ticker, Value};

/// Oldest usable reading of a ratio.
const RATIO_READ_AGE_NS_MAX: u64 = 1_800 * SEC;
/// More growth than this over a look-back is a broken feed, not yield: a percent a week is 68 % a year.
const SHARE_MAX: Ratio = Ratio::from_bps(100);

/// How a collateral is valued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CollateralModel {
    /// Place of the ratio feed that says its yield, if one is read.
    pub ratio_feed: Option<u8>,
    /// Oldest usable ticker.
    pub ticker_age_ns_max: u64,
}

/// One collateral's inputs.
#[derive(Clone, Copy, Debug, Hash)]
pub struct Collateral {
    model: CollateralModel,
    ticker: Option<(Ticker, Nanos)>,
    belief: Belief,
    round: Option<RatioRound>,
}

impl Collateral {
    /// With no inputs yet.
    pub fn new(model: CollateralModel) -> Collateral {
        Collateral { model, ticker: None, belief: Belief::default(), round: None }
    }

    /// Takes a ticker; an older one changes nothing, and a repeated stamp does not make one fresh again (D3).
    pub fn on_ticker(&mut self, at: Nanos, ticker: &Ticker) -> bool {
        let taken = take_ticker(&mut self.ticker, at, ticker, self.model.ticker_age_ns_max);
        if taken {
            self.belief.hear(ticker.mark, ticker.venue_at);
        }
        taken
    }

    /// Takes a book snapshot: its top is fresher than the ticker's.
    pub fn on_book(&mut self, book: &Book) -> bool {
        let Some((ticker, _)) = &mut self.ticker else { return false };
        if book.venue_at < ticker.venue_at {
            return false;
        }
        let best = |levels: &[crate::msg::Level]| levels.first().map_or(Price::ZERO, |level| level.price);
        let top = (best(book.bids()), best(book.asks()));
        let changed = (ticker.bid, ticker.ask) != top;
        (ticker.bid, ticker.ask) = top;
        changed
    }

    /// Takes a ratio round of its feed.
    pub fn on_ratio(&mut self, round: &RatioRound) -> bool {
        let ours = self.model.ratio_feed == Some(round.feed);
        if ours {
            self.round = Some(*round);
        }
        ours
    }

    /// The venue connection is gone.
    pub fn forget_ticker(&mut self) {
        self.ticker = None;
    }

    /// What a unit has earned over the look-back; `None` while either rate is unknown or old, or growth is implausible.
    fn accrual(&self, at: Nanos) -> Option<Accrual> {
        let round = self.round.filter(|round| at.since(round.read_at) <= RATIO_READ_AGE_NS_MAX)?;
        let past = round.past?;
        if !past.ratio.is_positive() || past.ratio > round.ratio || past.updated_at > round.updated_at {
            return None;
        }
        let kept = Price::from_raw(past.ratio.raw()).over(Price::from_raw(round.ratio.raw()), Rounding::Ceil);
        let share = Ratio::ONE - kept;
        (share <= SHARE_MAX).then_some(Accrual {
            share,
            rate: Ratio::from_raw(round.ratio.raw()),
            since: past.at,
            read_at: round.read_at,
        })
    }

    /// What the inputs amount to at `at`; names of the message are the caller's to fill in.
    pub fn value(&self, at: Nanos) -> Value {
        let (ticker, heard) = self.ticker.unwrap_or_default();
        let good_until = if self.ticker.is_some() { heard.plus(self.model.ticker_age_ns_max) } else { Nanos::ZERO };
        Value {
            fair: ticker.mark,
            mark: ticker.mark,
            index: ticker.index,
            bid: ticker.bid,
            ask: ticker.ask,
            band_low: ticker.band_low,
            band_high: ticker.band_high,
            accrual: self.accrual(at),
            guards: Guards::NONE
                .when(at > good_until || !ticker.mark.is_positive(), Guards::TICKER_STALE)
                .when(self.belief.is_open(), Guards::UNCONFIRMED),
            priced_at: at,
            good_until,
            ..Value::default()
        }
    }
}

/// Keeps the newest ticker and when it was heard. An older stamp counts only once the newest is too old to be used: one
/// stamp from the future must not shut out all that follow.
pub(super) fn take_ticker(kept: &mut Option<(Ticker, Nanos)>, at: Nanos, ticker: &Ticker, age_ns_max: u64) -> bool {
    let heard = match *kept {
        Some((last, heard)) if ticker.venue_at == last.venue_at => heard,
        Some((last, heard)) if ticker.venue_at < last.venue_at && at.since(heard) <= age_ns_max => return false,
        _ => at,
    };
    *kept = Some((*ticker, heard));
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::MS;
    use crate::msg::PastRatio;

    fn ratio(text: &str) -> Ratio {
        text.parse().expect("literal")
    }

    fn round(now: &str, then: &str, at: Nanos) -> RatioRound {
        let past = PastRatio { ratio: ratio(then), updated_at: Nanos(1), at: Nanos(2) };
        RatioRound { feed: 1, ratio: ratio(now), updated_at: Nanos(3), read_at: at, past: Some(past) }
    }

    fn accrual(round: &RatioRound, at: Nanos) -> Option<Accrual> {
        let mut line = Collateral::new(CollateralModel { ratio_feed: Some(1), ticker_age_ns_max: SEC });
        assert!(line.on_ratio(round));
        line.value(at).accrual
    }

    #[test]
    fn growth_is_a_share_of_the_present_price_rounded_down() {
        let at = Nanos(100 * SEC);
        // 1.08 → 1.0875: 0.0075 / 1.0875 = 0.006896551…
        assert_eq!(accrual(&round("1.0875", "1.08", at), at).map(|a| a.share), Some(ratio("0.006896551")));
        assert_eq!(accrual(&round("1.08", "1.08", at), at).map(|a| a.share), Some(Ratio::ZERO));
    }

    #[test]
    fn what_cannot_be_yield_is_none() {
        let at = Nanos(10_000 * SEC);
        for (now, then) in [("1.08", "1.09"), ("1.10", "1.08"), ("1.08", "0")] {
            assert_eq!(accrual(&round(now, then, at), at), None, "{now} after {then}");
        }
        let old = Nanos(at.0 - RATIO_READ_AGE_NS_MAX - 1);
        assert_eq!(accrual(&round("1.0801", "1.08", old), at), None, "read too long ago");
        assert_eq!(accrual(&RatioRound { past: None, ..round("1.0801", "1.08", at) }, at), None);
    }

    #[test]
    fn a_silent_ticker_sets_the_guard() {
        let mut line = Collateral::new(CollateralModel { ratio_feed: None, ticker_age_ns_max: 2 * SEC });
        assert!(line.value(Nanos(1)).guards.has(Guards::TICKER_STALE));
        let ticker = Ticker { mark: Price::whole(3_000), venue_at: Nanos(SEC), ..Ticker::default() };
        for early in [2, 1] {
            assert!(line.on_ticker(Nanos(SEC), &Ticker { venue_at: Nanos(SEC - early), ..ticker }));
        }
        assert!(line.on_ticker(Nanos(SEC), &ticker));
        assert!(line.value(Nanos(3 * SEC)).guards.is_clear());
        assert!(line.on_ticker(Nanos(3 * SEC), &ticker), "a repeated stamp may correct prices");
        assert!(line.value(Nanos(3 * SEC + 1)).guards.has(Guards::TICKER_STALE), "but renews nothing");
    }

    #[test]
    fn a_jump_sets_a_guard_until_it_is_borne_out() {
        let mut line = Collateral::new(CollateralModel { ratio_feed: None, ticker_age_ns_max: 2 * SEC });
        let told = [
            (3_000, 1, false),
            (3_000, 2, false),
            (3_000, 3, true),
            (2_100, 4, false),
            (2_101, 5, false),
            (2_102, 6, true),
        ];
        for (mark, at_ms, usable) in told {
            let ticker = Ticker { mark: Price::whole(mark), venue_at: Nanos(at_ms * MS), ..Ticker::default() };
            assert!(line.on_ticker(Nanos(at_ms * MS), &ticker));
            let guards = line.value(Nanos(at_ms * MS)).guards;
            assert_eq!((guards.is_clear(), guards.has(Guards::NO_PRICE)), (usable, !usable), "{mark}");
        }
    }
}
