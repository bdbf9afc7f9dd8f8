//! The market's view of volatility and carry: SVI per expiry and the forward above spot, both functions of time.
//!
//! The level reverts to its mean, rises when the coin has fallen, and flattens with tenor; the skew leans to puts and
//! swings a little.

use super::super::path::Coin;
use super::noise::Swing;
use super::path::LongPath;
use crate::base::time::{MS, Nanos, SEC};

/// Seconds of a year of 365 days.
const YEAR_S: f64 = 31_536_000.0;
/// Streams of the seed.
const LEVEL: u64 = 0x51;
const SKEW: u64 = 0x52;
/// Shortest tenor a slice is made for, seconds: below it the smile would be a spike.
const TENOR_S_MIN: f64 = 600.0;

/// One slice of the surface: `w(k) = a + b(ρ(k − m) + √((k − m)² + σ²))`, `vol = √(w / tenor)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slice {
    /// `a`, at least zero.
    pub a: f64,
    /// `b`, positive.
    pub b: f64,
    /// `ρ`, between −1 and 1.
    pub rho: f64,
    /// `m`.
    pub m: f64,
    /// `σ`, positive.
    pub sigma: f64,
    /// Forward the log-moneyness is measured from.
    pub forward: f64,
    /// Tenor in years that total variance belongs to.
    pub tenor: f64,
}

impl Slice {
    /// Volatility per year at a strike.
    pub fn vol(&self, strike: f64) -> f64 {
        let k = libm::log(strike / self.forward) - self.m;
        let variance = self.a + self.b * (self.rho * k + (k * k + self.sigma * self.sigma).sqrt());
        (variance.max(0.0) / self.tenor).sqrt()
    }
}

/// What the surface of a coin depends on at a moment, whatever the expiry.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    coin: Coin,
    at: Nanos,
    /// True price.
    price: f64,
    /// Log growth of three days.
    moved: f64,
}

impl LongPath {
    /// A moment of a coin.
    pub fn moment(&self, coin: Coin, at: Nanos) -> Moment {
        let past = Nanos(at.0.saturating_sub(72 * 3_600 * SEC));
        let (now, then) = (self.log_growth(coin, at), self.log_growth(coin, past));
        Moment { coin, at, price: self.settings().start[coin.index()] * libm::exp(now), moved: now - then }
    }

    /// At-the-money volatility for a tenor at a moment.
    pub fn level(&self, moment: &Moment, tenor_s: f64) -> f64 {
        let seed = self.stream(LEVEL, moment.coin);
        let ms = self.since_start_ms(moment.at);
        let swing = |n: u64, hours: i64| Swing { seed: seed ^ n, period_ms: hours * 3_600_000 }.at(ms);
        let mood = 0.20 * swing(1, 72) + 0.08 * swing(2, 9) + 0.03 * swing(3, 1);
        // What three days of falling prices add, and of rising ones take.
        let moved = moment.moved.clamp(-0.25, 0.25);
        let damp = 1.0 / (1.0 + tenor_s / (14.0 * 86_400.0));
        self.settings().volatility[moment.coin.index()] * libm::exp(damp * (mood - 0.8 * moved))
    }

    /// Forward of an expiry above spot, in USDC: about five percent a year.
    pub fn forward_above_spot(&self, moment: &Moment, expiry_s: u64) -> f64 {
        let seed = self.stream(LEVEL ^ 0xf0, moment.coin);
        let mood = Swing { seed, period_ms: 86_400_000 }.at(self.since_start_ms(moment.at));
        moment.price * (0.05 + 0.03 * mood) * tenor_s(expiry_s, moment.at) / YEAR_S
    }

    /// The slice of an expiry, given its forward. In deviations it is the same at every tenor: a floor of total
    /// variance, wings that add a seventh at two deviations, and puts dearer than calls.
    pub fn slice(&self, moment: &Moment, expiry_s: u64, forward: f64) -> Slice {
        let (wing, bend) = (0.13, 1.1);
        let tenor_s = tenor_s(expiry_s, moment.at).max(TENOR_S_MIN);
        let tenor = tenor_s / YEAR_S;
        let level = self.level(moment, tenor_s);
        let deviation = level * tenor.sqrt();
        let seed = self.stream(SKEW, moment.coin);
        let lean = Swing { seed, period_ms: 36 * 3_600_000 }.at(self.since_start_ms(moment.at));
        Slice {
            a: deviation * deviation * (1.0 - wing * bend),
            b: wing * deviation,
            rho: -0.25 + 0.15 * lean,
            m: 0.0,
            sigma: bend * deviation,
            forward,
            tenor,
        }
    }

    fn stream(&self, kind: u64, coin: Coin) -> u64 {
        self.seed() ^ kind << 40 ^ (coin.index() as u64) << 32
    }
}

fn tenor_s(expiry_s: u64, at: Nanos) -> f64 {
    (expiry_s * 1_000).saturating_sub(at.0 / MS) as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::super::path::{LongSettings, Shape};
    use super::*;

    const START: Nanos = Nanos(1_800_000_000 * SEC);

    fn path(shape: Shape) -> LongPath {
        LongPath::new(4, LongSettings { shape, ..LongSettings::default() }, START)
    }

    #[test]
    fn volatility_wanders_around_its_mean_and_stays_plausible() {
        let path = path(Shape::Wild);
        let levels: Vec<f64> = (0..12 * 168)
            .map(|h| path.level(&path.moment(Coin::Eth, START.plus(h * 3_600 * SEC)), 7.0 * 86_400.0))
            .collect();
        let mean = levels.iter().sum::<f64>() / levels.len() as f64;
        let (low, high) = levels.iter().fold((9.0, 0.0), |(l, h): (f64, f64), v| (l.min(*v), h.max(*v)));
        assert!((0.55..0.70).contains(&mean) && low > 0.45 && high < 0.95 && high - low > 0.1, "{mean} {low} {high}");
    }

    #[test]
    fn a_slice_has_its_level_at_the_money_and_a_smile_beside_it() {
        let path = path(Shape::Wild);
        for hours in [1, 500, 1_500] {
            let at = START.plus(hours * 3_600 * SEC);
            let expiry_s = at.secs() + 7 * 86_400;
            let moment = path.moment(Coin::Btc, at);
            let slice = path.slice(&moment, expiry_s, 90_000.0);
            let level = path.level(&moment, 7.0 * 86_400.0);
            let [atm, put, call] = [90_000.0, 80_000.0, 100_000.0].map(|strike| slice.vol(strike));
            assert!((atm - level).abs() < 1e-9, "{atm} {level}");
            assert!(put > atm && put > call && put < 1.4 * atm, "{put} {atm} {call}");
        }
    }

    #[test]
    fn forwards_lie_a_little_above_spot_and_meet_it_at_expiry() {
        let path = path(Shape::Falling);
        let expiry_s = START.secs() + 7 * 86_400;
        for hours in 0..168 {
            let at = START.plus(hours * 3_600 * SEC);
            let above = path.forward_above_spot(&path.moment(Coin::Eth, at), expiry_s) / path.price(Coin::Eth, at);
            assert!((0.0..0.002).contains(&above), "{hours}: {above}");
        }
        let end = path.moment(Coin::Eth, Nanos(expiry_s * SEC));
        assert_eq!(path.forward_above_spot(&end, expiry_s).to_bits(), 0.0f64.to_bits());
    }
}
