//! The seeded path of prices: external mid, venue spot a few tens of milliseconds behind it, and LST ratios.
//!
//! The path is a function of the seed, the settings and the drift asked for at each step, never of the wall clock:
//! step `n` is the same on every machine, because only operations that IEEE 754 rounds exactly are used. Floats end
//! here; what leaves is `Decimal` at tick precision.

use super::draws::Draws;
use rust_decimal::Decimal;
use std::collections::VecDeque;

/// Seconds of a year of 365 days.
const YEAR_S: f64 = 31_536_000.0;

/// An asset with its own price path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coin {
    /// Ether; its LST is weETH.
    Eth,
    /// Bitcoin; its LST is LBTC.
    Btc,
}

impl Coin {
    /// Both coins, in index order.
    pub const ALL: [Coin; 2] = [Coin::Eth, Coin::Btc];

    /// Position in per-coin arrays.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Currency name on Derive.
    pub const fn currency(self) -> &'static str {
        ["ETH", "BTC"][self.index()]
    }

    /// Currency name of the coin's LST on Derive.
    pub const fn lst(self) -> &'static str {
        ["WEETH", "LBTC"][self.index()]
    }
}

/// How one coin moves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CoinSettings {
    /// First price, in USDC.
    pub start: f64,
    /// Volatility per year (0.6 = 60 %).
    pub volatility: f64,
    /// Jumps per minute.
    pub jumps_per_min: f64,
    /// Typical size of a jump, in basis points.
    pub jump_bps: f64,
    /// First LST ratio (LST per coin, as Chainlink reports it).
    pub ratio_start: f64,
    /// Growth of the LST ratio per year.
    pub ratio_apr: f64,
}

/// How prices move.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PathSettings {
    /// Milliseconds of one step, 1 to 1000.
    pub step_ms: u64,
    /// How far the external mid leads venue spot, in milliseconds.
    pub lead_ms: u64,
    /// Deviation of the external mid around the true price, in basis points.
    pub noise_bps: f64,
    /// Time in which that deviation forgets itself, in milliseconds.
    pub noise_memory_ms: f64,
    /// Per coin, indexed by [`Coin::index`].
    pub coins: [CoinSettings; 2],
    /// First sUSDe ratio (USDe per sUSDe) and its growth per year.
    pub stable: (f64, f64),
}

impl Default for PathSettings {
    fn default() -> PathSettings {
        let eth = CoinSettings {
            start: 3_000.0,
            volatility: 0.6,
            jumps_per_min: 4.0,
            jump_bps: 1.5,
            ratio_start: 1.0712,
            ratio_apr: 0.029,
        };
        let btc = CoinSettings {
            start: 90_000.0,
            volatility: 0.45,
            jumps_per_min: 3.0,
            jump_bps: 1.2,
            ratio_start: 1.0035,
            ratio_apr: 0.006,
        };
        PathSettings {
            step_ms: 20,
            lead_ms: 40,
            noise_bps: 0.5,
            noise_memory_ms: 1_000.0,
            coins: [eth, btc],
            stable: (1.18, 0.09),
        }
    }
}

/// All prices of one step, indexed by [`Coin::index`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prices {
    /// Steps made since the start.
    pub step: u64,
    /// Venue spot (oracle) in USDC, cents.
    pub spot: [Decimal; 2],
    /// Mid of the external book in USDC, tenths of a cent.
    pub external: [Decimal; 2],
    /// Ratios of weETH to ether, LBTC to bitcoin and sUSDe to USDe, twelve decimals.
    pub ratio: [Decimal; 3],
}

impl Prices {
    /// Venue spot of the coin's LST in USDC, cents.
    pub fn lst_spot(&self, coin: Coin) -> Decimal {
        (self.spot[coin.index()] * self.ratio[coin.index()]).round_dp(2)
    }

    /// Venue spot of sUSDe in USDC, taking USDe for a dollar, six decimals.
    pub fn stable_spot(&self) -> Decimal {
        self.ratio[2].round_dp(6)
    }
}

/// One coin's state: the true price, where the external mid sits around it, and the prices venue spot has yet to show.
#[derive(Clone, Debug)]
struct Track {
    settings: CoinSettings,
    price: f64,
    noise: f64,
    delayed: VecDeque<f64>,
}

/// The path, advanced one step at a time.
#[derive(Clone, Debug)]
pub struct Path {
    settings: PathSettings,
    draws: Draws,
    tracks: [Track; 2],
    step: u64,
}

impl Path {
    /// The path of a seed. `step_ms` outside 1 to 1000 is brought inside.
    pub fn new(seed: u64, mut settings: PathSettings) -> Path {
        settings.step_ms = settings.step_ms.clamp(1, 1_000);
        let lag = (settings.lead_ms / settings.step_ms) as usize;
        let tracks = settings.coins.map(|coin| Track {
            settings: coin,
            price: coin.start,
            noise: 0.0,
            delayed: VecDeque::from(vec![coin.start; lag + 1]),
        });
        Path { settings, draws: Draws::new(seed, 0), tracks, step: 0 }
    }

    /// Length of a step in milliseconds.
    pub fn step_ms(&self) -> u64 {
        self.settings.step_ms
    }

    /// Makes one step with the given drift in basis points per minute, by coin.
    pub fn advance(&mut self, drift_bps_per_min: [f64; 2]) {
        self.step += 1;
        let step_s = self.settings.step_ms as f64 / 1_000.0;
        // A square root is one of the operations IEEE 754 rounds exactly.
        let share = (step_s / YEAR_S).sqrt();
        let memory = (1.0 - self.settings.step_ms as f64 / self.settings.noise_memory_ms.max(1.0)).max(0.0);
        let shock = self.settings.noise_bps / 10_000.0 * (1.0 - memory * memory).sqrt();
        for (track, drift) in self.tracks.iter_mut().zip(drift_bps_per_min) {
            let mut growth = drift / 10_000.0 * step_s / 60.0 + track.settings.volatility * share * self.draws.normal();
            if self.draws.happens(track.settings.jumps_per_min * step_s / 60.0) {
                growth += track.settings.jump_bps / 10_000.0 * self.draws.normal();
            }
            // The exponential's first terms: at these step sizes the rest is below one part in 10^15.
            track.price *= 1.0 + growth + growth * growth / 2.0;
            track.noise = track.noise * memory + shock * self.draws.normal();
            track.delayed.pop_front();
            track.delayed.push_back(track.price);
        }
    }

    /// The prices of the present step.
    pub fn prices(&self) -> Prices {
        let elapsed_s = (self.step * self.settings.step_ms) as f64 / 1_000.0;
        let each = |of: fn(&Track) -> Decimal| [of(&self.tracks[0]), of(&self.tracks[1])];
        Prices {
            step: self.step,
            spot: each(|t| at_scale(t.delayed.front().copied().unwrap_or(t.price), 2)),
            external: each(|t| at_scale(t.price * (1.0 + t.noise), 3)),
            ratio: [0, 1, 2].map(|feed| self.ratio(feed, elapsed_s)),
        }
    }

    /// Ratio of a feed (0 weETH, 1 LBTC, 2 sUSDe) `elapsed_s` after the start, negative before it.
    pub fn ratio(&self, feed: usize, elapsed_s: f64) -> Decimal {
        let (start, apr) = match self.settings.coins.get(feed) {
            Some(coin) => (coin.ratio_start, coin.ratio_apr),
            None => self.settings.stable,
        };
        at_scale(start * (1.0 + apr * elapsed_s / YEAR_S), 12)
    }
}

/// The one place where a float becomes a price or an amount: nearest multiple of 10^-scale.
pub(super) fn at_scale(value: f64, scale: u32) -> Decimal {
    let unit = (0..scale).fold(1.0, |unit, _| unit * 10.0);
    Decimal::new((value * unit).round() as i64, scale)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rust_decimal::prelude::ToPrimitive;

    fn walk(seed: u64, steps: usize) -> Vec<Prices> {
        let mut path = Path::new(seed, PathSettings::default());
        (0..steps)
            .map(|_| {
                path.advance([0.0; 2]);
                path.prices()
            })
            .collect()
    }

    #[test]
    fn a_seed_is_a_path() {
        assert_eq!(walk(1, 5_000), walk(1, 5_000));
        assert_ne!(walk(1, 100), walk(2, 100));
    }

    #[test]
    fn the_path_of_seed_one_is_pinned_for_every_machine() {
        let pinned = walk(1, 1_000)[999];
        let text = |prices: [Decimal; 2]| prices.map(|price| price.to_string());
        assert_eq!(text(pinned.spot), ["3002.11", "89981.27"]);
        assert_eq!(text(pinned.external), ["3002.042", "89987.832"]);
        assert_eq!(pinned.ratio.map(|ratio| ratio.to_string()), ["1.071200019701", "1.003500003818", "1.180000067352"]);
    }

    #[test]
    fn volatility_is_what_was_asked_for() {
        // 20 minutes of ether: jumps off, so that only diffusion is measured.
        let mut settings = PathSettings::default();
        settings.coins[0].jumps_per_min = 0.0;
        let mut path = Path::new(5, settings);
        let mut last = path.tracks[0].price;
        let mut squares = 0.0;
        for _ in 0..60_000 {
            path.advance([0.0; 2]);
            let r = path.tracks[0].price / last - 1.0;
            squares += r * r;
            last = path.tracks[0].price;
        }
        let annual = (squares / 1_200.0 * YEAR_S).sqrt();
        assert!((annual - 0.6).abs() < 0.02, "{annual}");
    }

    #[test]
    fn drift_moves_the_price_by_what_was_asked() {
        let mut settings = PathSettings::default();
        settings.coins[0].volatility = 0.0;
        settings.coins[0].jumps_per_min = 0.0;
        let mut path = Path::new(5, settings);
        (0..3_000).for_each(|_| path.advance([20.0, 0.0]));
        assert!((path.tracks[0].price / 3_000.0 - 1.0020).abs() < 1e-5);
    }

    #[test]
    fn the_external_mid_leads_venue_spot() {
        // The return of venue spot is predicted by the external return two steps (40 ms) earlier and by no later one.
        let settings = PathSettings { noise_bps: 0.0, ..PathSettings::default() };
        let mut path = Path::new(9, settings);
        let (mut spot, mut external) = (Vec::new(), Vec::new());
        for _ in 0..4_000 {
            path.advance([0.0; 2]);
            spot.push(path.prices().spot[0].to_f64().expect("small"));
            external.push(path.prices().external[0].to_f64().expect("small"));
        }
        let correlation = |lag: usize| {
            (lag + 1..4_000).map(|i| (spot[i] - spot[i - 1]) * (external[i - lag] - external[i - lag - 1])).sum::<f64>()
        };
        assert!(correlation(2) > 5.0 * correlation(0).abs());
        assert!(correlation(2) > 5.0 * correlation(4).abs());
    }

    #[test]
    fn noise_stays_near_half_a_basis_point() {
        let mut path = Path::new(4, PathSettings::default());
        let mut squares = 0.0;
        for _ in 0..50_000 {
            path.advance([0.0; 2]);
            squares += path.tracks[1].noise * path.tracks[1].noise;
        }
        let bps = (squares / 50_000.0).sqrt() * 10_000.0;
        assert!((0.4..0.6).contains(&bps), "{bps}");
    }

    #[test]
    fn ratios_accrue_slowly_and_never_fall() {
        let prices = walk(1, 50_000);
        assert!(prices.windows(2).all(|w| w[1].ratio[0] >= w[0].ratio[0]));
        let first = prices[0].ratio[0].to_f64().expect("small");
        let last = prices[49_999].ratio[0].to_f64().expect("small");
        assert!(last > first && last / first - 1.0 < 1e-5);
        assert!(prices[9].lst_spot(Coin::Eth) > prices[9].spot[0]);
    }
}
