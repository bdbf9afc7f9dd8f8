//! Prices over weeks: each is a function of the seed and the moment, so that a world stepped by minutes and one stepped
//! by milliseconds read the same market.
//!
//! Only operations that IEEE 754 rounds exactly and `libm`'s exponential are used, so that a seed is one market on
//! every machine.

use super::super::path::{Coin, Prices, at_scale};
use super::noise::{Motion, Swing, normal, uniform};
use crate::base::time::{MS, Nanos};
use rust_decimal::Decimal;

/// Milliseconds of a year of 365 days.
pub const YEAR_MS: f64 = 31_536_000_000.0;
/// Milliseconds of a day and of a week.
const DAY_MS: i64 = 86_400_000;
const WEEK_MS: i64 = 7 * DAY_MS;
/// Milliseconds from the epoch to the first Friday 08:00 UTC: weekly options expire on its multiples of a week.
const FRIDAY_MS: i64 = DAY_MS + 8 * 3_600_000;
/// How far venue spot lags the external mid.
const LAG_MS: u64 = 100;
/// Yield-bearing assets with a ratio, in feed order: weETH, LBTC, sUSDe.
pub const FEEDS: usize = 3;

/// What kind of weeks these are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// No aim, now and then a jump of a few percent.
    #[default]
    Wild,
    /// About six percent a week upward: now and then beyond a strike sold a week before.
    Rising,
    /// About six percent a week downward.
    Falling,
    /// Comes back to where it started every twelve days.
    Flat,
    /// Jumps of 5 to 15 percent, some of them around an expiry.
    Gapping,
}

impl Shape {
    /// Every shape, for tables and command lines.
    pub const ALL: [Shape; 5] = [Shape::Wild, Shape::Rising, Shape::Falling, Shape::Flat, Shape::Gapping];

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Shape::Wild => "wild",
            Shape::Rising => "rising",
            Shape::Falling => "falling",
            Shape::Flat => "flat",
            Shape::Gapping => "gapping",
        }
    }

    /// The shape of a word, if there is one.
    pub fn named(word: &str) -> Option<Shape> {
        Shape::ALL.into_iter().find(|shape| shape.name() == word)
    }

    /// Log growth per week.
    const fn weekly_drift(self) -> f64 {
        match self {
            Shape::Rising => 0.06,
            Shape::Falling => -0.06,
            Shape::Wild | Shape::Flat | Shape::Gapping => 0.0,
        }
    }

    /// Share of the coin's volatility that the path moves with between jumps.
    const fn calm(self) -> f64 {
        match self {
            Shape::Wild | Shape::Gapping => 0.85,
            Shape::Rising | Shape::Falling => 0.5,
            Shape::Flat => 0.55,
        }
    }
}

/// How weeks look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LongSettings {
    /// Their kind.
    pub shape: Shape,
    /// First price of each coin in USDC, by [`Coin::index`].
    pub start: [f64; 2],
    /// Volatility per year of each coin (0.6 = 60 %).
    pub volatility: [f64; 2],
    /// First ratio of weETH, LBTC and sUSDe to what they stand for.
    pub ratio_start: [f64; FEEDS],
    /// Growth of those ratios per year.
    pub ratio_apr: [f64; FEEDS],
}

impl Default for LongSettings {
    fn default() -> LongSettings {
        LongSettings {
            shape: Shape::Wild,
            start: [3_000.0, 90_000.0],
            volatility: [0.62, 0.48],
            ratio_start: [1.0712, 1.0035, 1.18],
            ratio_apr: [0.029, 0.006, 0.09],
        }
    }
}

/// Streams of the seed.
const COMMON: u64 = 1;
const OWN: u64 = 2;
const JUMPS: u64 = 4;
const RATIOS: u64 = 8;
const RUFFLE: u64 = 16;

/// The market's prices as functions of time.
#[derive(Clone, Copy, Debug)]
pub struct LongPath {
    seed: u64,
    settings: LongSettings,
    start: Nanos,
}

impl LongPath {
    /// The path of a seed whose first moment is `start`.
    pub fn new(seed: u64, settings: LongSettings, start: Nanos) -> LongPath {
        LongPath { seed: super::noise::word(seed, 0x6b65_656c), settings, start }
    }

    /// The same path beginning elsewhere in time.
    pub fn starting(self, start: Nanos) -> LongPath {
        LongPath { start, ..self }
    }

    /// The settings in force.
    pub fn settings(&self) -> &LongSettings {
        &self.settings
    }

    /// The seed of everything that moves with this path.
    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    /// Milliseconds since the start, negative before it.
    pub fn since_start_ms(&self, at: Nanos) -> i64 {
        (at.0 / MS) as i64 - (self.start.0 / MS) as i64
    }

    /// True price of a coin in USDC; before the start it is the first price.
    pub fn price(&self, coin: Coin, at: Nanos) -> f64 {
        self.settings.start[coin.index()] * libm::exp(self.log_growth(coin, at))
    }

    /// Logarithm of the price against the first one.
    pub fn log_growth(&self, coin: Coin, at: Nanos) -> f64 {
        let ms = self.since_start_ms(at).max(0);
        let volatility = self.settings.volatility[coin.index()] * self.settings.shape.calm();
        let moved = volatility * self.motion(coin, ms as u64) / YEAR_MS.sqrt();
        let bend = if self.settings.shape == Shape::Flat { 0.0 } else { volatility * volatility / 2.0 };
        let drift = self.settings.shape.weekly_drift() * ms as f64 / WEEK_MS as f64 - bend * ms as f64 / YEAR_MS;
        drift + moved + self.jumped(coin, ms)
    }

    /// Both coins share most of their motion (correlation 0.8).
    fn motion(&self, coin: Coin, ms: u64) -> f64 {
        let make = if self.settings.shape == Shape::Flat { Motion::returning } else { Motion::free };
        let common = make(self.seed ^ COMMON).at(ms);
        let own = make(self.seed ^ OWN ^ (coin.index() as u64 + 1) << 32).at(ms);
        // 0.894² + 0.447² = 1, and the common part's square is the correlation.
        0.894_427_190_999_916 * common + 0.447_213_595_499_958 * own
    }

    /// Sum of the jumps so far, in logarithm.
    fn jumped(&self, coin: Coin, ms: i64) -> f64 {
        let share = [1.0, 0.8][coin.index()];
        let sum = match self.settings.shape {
            Shape::Wild => self.daily_jumps(ms),
            Shape::Gapping => self.gaps(ms),
            Shape::Rising | Shape::Falling | Shape::Flat => 0.0,
        };
        share * sum
    }

    /// One day in eight jumps by a few percent.
    fn daily_jumps(&self, ms: i64) -> f64 {
        let seed = self.seed ^ JUMPS;
        let size = |day: u64| {
            let due = (day as f64 + uniform(seed, 3 * day)) * DAY_MS as f64;
            let happens = uniform(seed, 3 * day + 1) < 0.125 && due <= ms as f64;
            if happens { 0.018 * normal(seed, 3 * day + 2) } else { 0.0 }
        };
        (0..=(ms / DAY_MS) as u64).map(size).sum()
    }

    /// Six weeks in ten gap somewhere, and three in ten within twenty minutes of their expiry.
    fn gaps(&self, ms: i64) -> f64 {
        let seed = self.seed ^ JUMPS;
        let start_ms = (self.start.0 / MS) as i64;
        let first = (start_ms - FRIDAY_MS).div_euclid(WEEK_MS);
        let last = (start_ms + ms - FRIDAY_MS).div_euclid(WEEK_MS) + 1;
        let mut sum = 0.0;
        for week in first..=last {
            let draw = |n: u64| uniform(seed, (week as u64).wrapping_mul(8).wrapping_add(n));
            let friday = FRIDAY_MS + week * WEEK_MS - start_ms;
            let anywhere = friday + (draw(0) * WEEK_MS as f64) as i64;
            let at_expiry = friday + ((draw(1) - 0.5) * 2.0 * 1_200_000.0) as i64;
            for (n, probability, due) in [(2, 0.6, anywhere), (5, 0.3, at_expiry)] {
                if draw(n) < probability && due > 0 && due <= ms {
                    let size = 0.05 + 0.10 * draw(n + 1);
                    sum += if draw(n + 2) < 0.5 { -size } else { size };
                }
            }
        }
        sum
    }

    /// Ratio of a yield-bearing asset (0 weETH, 1 LBTC, 2 sUSDe) to what it stands for, at any moment, also before the
    /// start. It never falls: the swing of its rate is a fraction of the rate.
    pub fn ratio(&self, feed: usize, at: Nanos) -> f64 {
        self.ratio_after(feed, self.since_start_ms(at))
    }

    /// The same as a price, so many milliseconds after the start, negative before it.
    pub fn ratio_after_ms(&self, feed: usize, ms: i64) -> Decimal {
        at_scale(self.ratio_after(feed, ms), 12)
    }

    fn ratio_after(&self, feed: usize, ms: i64) -> f64 {
        let (start, apr) = (self.settings.ratio_start[feed], self.settings.ratio_apr[feed]);
        let swing = Swing { seed: self.seed ^ RATIOS ^ (feed as u64) << 32, period_ms: 2 * DAY_MS };
        // With this height the rate swings by at most six tenths of itself.
        let height = 0.2 * apr * (2 * DAY_MS) as f64 / YEAR_MS;
        start * libm::exp(apr * ms as f64 / YEAR_MS + height * (swing.at(ms) - swing.at(0)))
    }

    /// Everything a venue publishes at a moment. Venue spot lags the external mid by a tenth of a second.
    pub fn prices(&self, at: Nanos) -> Prices {
        let lagged = Nanos(at.0.saturating_sub(LAG_MS * MS));
        let ruffle = |coin: Coin| {
            let swing = Swing { seed: self.seed ^ RUFFLE ^ (coin.index() as u64) << 32, period_ms: 700 };
            1.0 + 0.000_05 * swing.at(self.since_start_ms(at))
        };
        Prices {
            step: at.0 / MS,
            spot: Coin::ALL.map(|coin| at_scale(self.price(coin, lagged), 2)),
            external: Coin::ALL.map(|coin| at_scale(self.price(coin, at) * ruffle(coin), 3)),
            ratio: [0, 1, 2].map(|feed| self.ratio_after_ms(feed, self.since_start_ms(at))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::SEC;

    const START: Nanos = Nanos(1_800_000_000 * SEC);

    fn path(seed: u64, shape: Shape) -> LongPath {
        LongPath::new(seed, LongSettings { shape, ..LongSettings::default() }, START)
    }

    fn after_h(hours: u64) -> Nanos {
        START.plus(hours * 3_600 * SEC)
    }

    #[test]
    fn reading_order_and_step_do_not_matter() {
        let path = path(1, Shape::Gapping);
        let coarse: Vec<Prices> = (0..100).map(|i| path.prices(START.plus(i * 60 * SEC))).collect();
        for s in (0..6_000u64).rev().step_by(7) {
            let _ = path.prices(START.plus(s * SEC));
        }
        for (i, expected) in coarse.iter().enumerate().rev() {
            assert_eq!(path.prices(START.plus(i as u64 * 60 * SEC)), *expected);
        }
    }

    #[test]
    fn shapes_go_where_they_say() {
        for seed in 1..=10 {
            let end = |shape| path(seed, shape).log_growth(Coin::Eth, after_h(26 * 168));
            assert!(end(Shape::Rising) > end(Shape::Falling) + 2.0, "{seed}");
            for coin in Coin::ALL {
                let quarter = |shape| path(seed, shape).log_growth(coin, after_h(12 * 168));
                assert!(quarter(Shape::Rising) > 0.25 && quarter(Shape::Falling) < -0.25, "{seed} {coin:?}");
            }
            let flat = path(seed, Shape::Flat);
            let widest = (0..26 * 168).map(|h| flat.log_growth(Coin::Eth, after_h(h)).abs()).fold(0.0, f64::max);
            assert!(widest < 0.16, "{seed}: {widest}");
        }
    }

    #[test]
    fn gaps_are_five_to_fifteen_percent_and_some_are_at_expiry() {
        let (mut gaps, mut near_expiry) = (0, 0);
        for seed in 1..=10 {
            let path = path(seed, Shape::Gapping);
            let mut last = 0.0;
            for minute in 1..12 * 7 * 24 * 60u64 {
                let now = path.gaps(minute as i64 * 60_000);
                if f64::abs(now - last) > 0.0 {
                    let size = f64::abs(now - last);
                    assert!((0.05..=0.30).contains(&size), "{size}");
                    gaps += 1;
                    let ms = (START.0 / MS) as i64 + minute as i64 * 60_000 - FRIDAY_MS;
                    let off = ms.rem_euclid(WEEK_MS);
                    near_expiry += i32::from(off.min(WEEK_MS - off) <= 1_260_000);
                }
                last = now;
            }
        }
        assert!((70..150).contains(&gaps) && near_expiry >= 15, "{gaps} {near_expiry}");
    }

    #[test]
    fn volatility_is_what_the_shape_says() {
        let path = path(2, Shape::Rising);
        let steps = 20_000;
        let at = |i: u64| path.log_growth(Coin::Btc, START.plus(i * 300 * SEC));
        let squares: f64 = (0..steps).map(|i| at(i + 1) - at(i)).map(|d| d * d).sum();
        let annual = (squares / (steps as f64 * 300_000.0) * YEAR_MS).sqrt();
        assert!((annual - 0.48 * 0.5).abs() < 0.02, "{annual}");
    }

    #[test]
    fn ratios_grow_at_their_rates_and_never_fall_also_backwards() {
        let path = path(3, Shape::Wild);
        for (feed, (start, apr)) in [(1.0712, 0.029), (1.0035, 0.006), (1.18, 0.09)].into_iter().enumerate() {
            assert!((path.ratio(feed, START) - start).abs() < 1e-12);
            let mut last = 0.0;
            for hour in 0..2 * 365 * 24 {
                let at = Nanos(START.0 - 365 * 86_400 * SEC).plus(hour * 3_600 * SEC);
                let now = path.ratio(feed, at);
                assert!(now > last, "feed {feed} hour {hour}");
                last = now;
            }
            assert!((libm::log(last / start) - apr).abs() < 0.02 * apr, "{last}");
        }
    }

    #[test]
    fn the_path_of_seed_one_is_pinned_for_every_machine() {
        let prices = path(1, Shape::Wild).prices(after_h(1_000));
        assert_eq!(prices.spot.map(|price| price.to_string()), ["3714.04", "107368.18"]);
        assert_eq!(prices.external.map(|price| price.to_string()), ["3714.201", "107365.912"]);
        assert_eq!(prices.ratio.map(|ratio| ratio.to_string()), ["1.074740090096", "1.004189898752", "1.192206498435"]);
    }

    #[test]
    fn words_name_shapes() {
        for shape in Shape::ALL {
            assert_eq!(Shape::named(shape.name()), Some(shape));
        }
        assert_eq!(Shape::named("sideways"), None);
    }
}
