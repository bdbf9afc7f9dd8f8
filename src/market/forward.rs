//! Forward price of one expiry, which turns into its settlement price over the last half hour.

use crate::base::num::{E9, Price};
use crate::base::time::Nanos;

/// Seconds before expiry over which spot is averaged into the settlement price.
pub const SETTLEMENT_WINDOW_SECS: i128 = 1_800;

/// Sum over time of a spot price, in price × seconds, 1e-18. Only differences mean anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct SpotAggregate(i128);

impl SpotAggregate {
    /// From the raw integer: price × seconds, 1e-18.
    pub const fn from_raw(raw: i128) -> SpotAggregate {
        SpotAggregate(raw)
    }

    /// The raw integer: price × seconds, 1e-18.
    pub const fn raw(self) -> i128 {
        self.0
    }

    /// This much further on after `seconds` at one price; saturates.
    pub const fn after(self, price: Price, seconds: u32) -> SpotAggregate {
        SpotAggregate(self.0.saturating_add(price.raw() as i128 * E9 as i128 * seconds as i128))
    }
}

/// The forward feed of one expiry, as signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForwardFeed {
    /// Forward less spot.
    pub fwd_diff: Price,
    /// Aggregate when the settlement window opened; used inside the window only.
    pub spot_aggregate_start: SpotAggregate,
    /// Aggregate at `feed_at`; used inside the window only.
    pub spot_aggregate_latest: SpotAggregate,
    /// When the feed was signed; whole seconds count.
    pub feed_at: Nanos,
    /// Expiry; whole seconds count.
    pub expiry: Nanos,
}

impl ForwardFeed {
    /// Forward price for pricing and marking: spot plus the difference, and inside the window the average so far
    /// weighted with it by time. At expiry it is the settlement price, whatever spot. Rounded down.
    ///
    /// `None` for a feed later than its expiry, a spot that is not positive, aggregates that run backwards, and a
    /// result that is not positive or too large. Age is the caller's to judge.
    pub fn forward(&self, spot: Price) -> Option<Price> {
        let remaining = self.remaining_secs()?;
        if remaining == 0 {
            return self.settlement_price();
        }
        let live = i128::from(spot.raw()) + i128::from(self.fwd_diff.raw());
        if !spot.is_positive() || live < 0 {
            return None;
        }
        if remaining >= SETTLEMENT_WINDOW_SECS {
            return positive(live);
        }
        // Each part is cut to 18 decimals on its own, as the contract does.
        let variable = live * i128::from(E9) * remaining / SETTLEMENT_WINDOW_SECS;
        positive(self.average_e18()?.checked_add(variable)? / i128::from(E9))
    }

    /// Average spot over the whole window, rounded down; `None` until the feed is signed for the very second of expiry.
    pub fn settlement_price(&self) -> Option<Price> {
        if self.remaining_secs()? != 0 {
            return None;
        }
        positive(self.average_e18()? / i128::from(E9))
    }

    fn remaining_secs(&self) -> Option<i128> {
        self.expiry.secs().checked_sub(self.feed_at.secs()).map(i128::from)
    }

    /// What the window has gathered so far, spread over all of it, 1e-18.
    fn average_e18(&self) -> Option<i128> {
        let gathered = self.spot_aggregate_latest.0.checked_sub(self.spot_aggregate_start.0)?;
        (gathered >= 0).then_some(gathered / SETTLEMENT_WINDOW_SECS)
    }
}

fn positive(raw: i128) -> Option<Price> {
    i64::try_from(raw).ok().filter(|raw| *raw > 0).map(Price::from_raw)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::num::{E18, Ratio, Rounding};
    use crate::base::time::SEC;
    use proptest::prelude::*;

    const EXPIRY_SECS: u64 = 1_779_955_200;

    fn price(text: &str) -> Price {
        text.parse().expect("literal")
    }

    /// A feed signed `left` seconds before expiry, spot having stood at 1050 since the aggregate began.
    fn feed(left: u64) -> ForwardFeed {
        let since_epoch = |secs: u64| SpotAggregate::default().after(Price::whole(1_050), secs as u32);
        ForwardFeed {
            fwd_diff: Price::whole(10),
            spot_aggregate_start: since_epoch(EXPIRY_SECS - 1_800),
            spot_aggregate_latest: since_epoch(EXPIRY_SECS - left),
            feed_at: Nanos((EXPIRY_SECS - left) * SEC),
            expiry: Nanos(EXPIRY_SECS * SEC),
        }
    }

    #[test]
    fn blends_over_the_last_half_hour() {
        // Spot 990 with a difference of 10 is 1000 live; the window has seen 1050.
        let table = [
            (86_400, "1000"),
            (1_800, "1000"),
            (1_799, "1000.027777777"),
            (1_200, "1016.666666666"),
            (600, "1033.333333333"),
            (1, "1049.972222222"),
            (0, "1050"),
        ];
        for (left, want) in table {
            assert_eq!(feed(left).forward(Price::whole(990)), Some(price(want)), "{left} s left");
        }
    }

    #[test]
    fn settles_only_on_the_second_of_expiry() {
        assert_eq!(feed(0).settlement_price(), Some(Price::whole(1_050)));
        assert_eq!(feed(1).settlement_price(), None);
        assert_eq!(feed(3_600).settlement_price(), None);
        // Settled: spot no longer matters, not even a missing one.
        assert_eq!(feed(0).forward(Price::ZERO), Some(Price::whole(1_050)));
        let late = ForwardFeed { feed_at: Nanos((EXPIRY_SECS + 1) * SEC), ..feed(0) };
        assert_eq!((late.settlement_price(), late.forward(Price::ONE)), (None, None));
    }

    #[test]
    fn refuses_feeds_that_cannot_be() {
        let spot = Price::whole(990);
        let backwards = ForwardFeed { spot_aggregate_latest: SpotAggregate::default(), ..feed(600) };
        assert_eq!(backwards.forward(spot), None);
        // By a second only: the blend would look plausible.
        let slipped = ForwardFeed { spot_aggregate_latest: feed(1_801).spot_aggregate_latest, ..feed(600) };
        assert_eq!(slipped.forward(spot), None);
        let at_the_opening = ForwardFeed { spot_aggregate_latest: SpotAggregate::default(), ..feed(1_800) };
        assert_eq!(at_the_opening.forward(spot), Some(Price::whole(1_000)));
        // Outside the window the aggregates are not looked at: the venue sends zeros.
        let zeros = ForwardFeed { spot_aggregate_start: SpotAggregate::default(), feed_at: Nanos::ZERO, ..backwards };
        assert_eq!(zeros.forward(spot), Some(Price::whole(1_000)));
        assert_eq!(feed(3_600).forward(Price::ZERO), None);
        assert_eq!(feed(3_600).forward(-spot), None);
        assert_eq!(ForwardFeed { fwd_diff: -spot, ..feed(3_600) }.forward(spot), None);
        assert_eq!(ForwardFeed { fwd_diff: -spot - spot, ..feed(600) }.forward(spot), None);
        let still = ForwardFeed { spot_aggregate_latest: feed(0).spot_aggregate_start, ..feed(0) };
        assert_eq!(still.settlement_price(), None);
    }

    #[test]
    fn holds_the_aggregate_of_a_costly_coin() {
        // 200 000 for every second since 1970: 3.6e14 whole, which the cash type would refuse.
        let spot = Price::whole(200_000);
        let start = SpotAggregate::default().after(spot, 1_779_953_400);
        assert_eq!(start.raw(), 355_990_680_000_000 * E18);
        let feed =
            ForwardFeed { spot_aggregate_start: start, spot_aggregate_latest: start.after(spot, 1_800), ..feed(0) };
        assert_eq!(feed.settlement_price(), Some(spot));
    }

    proptest! {
        #[test]
        fn lies_between_the_average_and_the_live_forward(
            average in 1i64..200_000 * E9, spot in 1i64..200_000 * E9, left in 1u32..1_800, diff in 0i64..1_000 * E9,
        ) {
            let (average, spot, diff) = (Price::from_raw(average), Price::from_raw(spot), Price::from_raw(diff));
            let start = SpotAggregate::default();
            let feed = ForwardFeed {
                fwd_diff: diff,
                spot_aggregate_latest: start.after(average, 1_800 - left),
                spot_aggregate_start: start,
                ..feed(u64::from(left))
            };
            let (low, high) = (average.min(spot + diff), average.max(spot + diff));
            let one = Price::from_raw(1);
            let blended = feed.forward(spot).unwrap_or(Price::ZERO);
            prop_assert!(blended >= low - one && blended <= high, "{blended}");
            let weight = Ratio::from_raw(i64::from(left) * E9 / 1_800);
            let weighed = average + (spot + diff - average).scale(weight, Rounding::HalfUp);
            prop_assert!((blended - weighed).abs().raw() <= 2 + (high - low).raw() / E9, "{blended} {weighed}");
        }

        #[test]
        fn no_numbers_panic(raw in any::<[i64; 2]>(), aggregates in any::<[i128; 2]>(), times in any::<[u64; 2]>()) {
            let feed = ForwardFeed {
                fwd_diff: Price::from_raw(raw[0]),
                spot_aggregate_start: SpotAggregate::from_raw(aggregates[0]),
                spot_aggregate_latest: SpotAggregate::from_raw(aggregates[1]),
                feed_at: Nanos(times[0]),
                expiry: Nanos(times[1]),
            };
            for feed in [feed, ForwardFeed { feed_at: feed.expiry, ..feed }, ForwardFeed {
                feed_at: Nanos(feed.expiry.0.saturating_sub(900 * SEC)), ..feed
            }] {
                prop_assert!(feed.forward(Price::from_raw(raw[1])).is_none_or(Price::is_positive));
                prop_assert!(feed.settlement_price().is_none_or(Price::is_positive));
            }
        }
    }
}
