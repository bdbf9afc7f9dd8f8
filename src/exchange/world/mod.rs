//! The world around the embedded exchange: prices, a crowd that trades on them, and the two feeds a vault reads beside
//! the venue (an external book in Binance's format, LST rates from a Chainlink aggregator).

pub mod binance;
pub mod chainlink;
pub mod crowd;
pub mod draws;
mod live;
pub mod path;
pub mod script;
mod serving;
pub mod weeks;

pub use live::{Live, Options, spawn};
pub use serving::Serving;

use super::server::World;
use super::{Exchange, Outbox};
use crate::base::time::{MS, Nanos};
use binance::{BookTicker, Publisher};
use chainlink::{HEARTBEAT_S, Reporter, Round};
use crowd::{Activity, Crowd, PROFILES};
use draws::Draws;
use path::{Coin, Path, PathSettings, Prices};
use rust_decimal::{Decimal, RoundingStrategy};
use script::Script;
use weeks::{OptionMarket, Shape, Weeks};

/// Steps made up for in one turn; a longer stall stops the world's clock instead.
const CATCH_UP_STEPS: u64 = 250;

/// Takers per second and currency in the option demo.
const DEMO_TAKERS_PER_S: f64 = 0.25;

/// Days of ratio history that exist before the start.
const PAST_DAYS: u64 = 60;

/// What a world is made of. The same settings and the same turns give the same world.
#[derive(Clone, Debug, PartialEq)]
pub struct WorldSettings {
    /// Seeds prices, crowd and external book.
    pub seed: u64,
    /// How prices move.
    pub path: PathSettings,
    /// What happens when.
    pub script: Script,
    /// A market of weeks with options in place of path and crowd, if any. Of the script only what its first phase says
    /// about rates then counts.
    pub options: Option<OptionMarket>,
}

impl WorldSettings {
    /// A steady market on the default path.
    pub fn steady(seed: u64) -> WorldSettings {
        WorldSettings { seed, path: PathSettings::default(), script: Script::steady(), options: None }
    }

    /// The demo's market, see [`Script::demo`].
    pub fn demo(seed: u64, seconds: u64) -> WorldSettings {
        WorldSettings { seed, path: PathSettings::default(), script: Script::demo(seconds), options: None }
    }

    /// The demo's market over and over, see [`Script::waves`].
    pub fn waves(seed: u64, seconds: u64) -> WorldSettings {
        WorldSettings { seed, path: PathSettings::default(), script: Script::waves(seconds), options: None }
    }

    /// The option demo's market: the takers of minutes come within seconds, and so an auction's buyers within it.
    pub fn option_demo(seed: u64) -> WorldSettings {
        let market = OptionMarket { takers_per_s: DEMO_TAKERS_PER_S, ..OptionMarket::of(Shape::default()) };
        WorldSettings { options: Some(market), ..WorldSettings::steady(seed) }
    }

    /// Weeks of a shape with an options market.
    pub fn weeks(seed: u64, shape: Shape) -> WorldSettings {
        WorldSettings { options: Some(OptionMarket::of(shape)), ..WorldSettings::steady(seed) }
    }
}

/// Prices and crowd, turned by whoever owns the exchange.
#[derive(Debug)]
pub struct MarketWorld {
    settings: WorldSettings,
    path: Path,
    weeks: Option<Weeks>,
    crowd: Option<Crowd>,
    external: Draws,
    publisher: Option<Publisher>,
    reporter: Option<Reporter>,
    started: Nanos,
    phase: Option<usize>,
    pegs: Pegs,
    strain: Strain,
}

/// What things trade at, as a share of what they stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pegs {
    /// Wrapped tokens at the venue, of what the chain says they hold.
    pub wrapped: Decimal,
    /// USDC, of a dollar.
    pub usdc: Decimal,
}

impl Default for Pegs {
    fn default() -> Pegs {
        Pegs { wrapped: Decimal::ONE, usdc: Decimal::ONE }
    }
}

/// Rates and opinions that a market is forced to, in place of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Strain {
    /// Funding per hour of every perp and the borrow rate per year.
    pub rates: Option<(Decimal, Decimal)>,
    /// Volatility of every option, as a multiple of what the market thinks.
    pub vol: f64,
    /// How far every forward is below where it would be, as a share of spot.
    pub forward_below: f64,
}

impl Default for Strain {
    fn default() -> Strain {
        Strain { rates: None, vol: 1.0, forward_below: 0.0 }
    }
}

impl MarketWorld {
    /// A world without feeds, for virtual time.
    pub fn new(settings: WorldSettings) -> MarketWorld {
        let path = Path::new(settings.seed, settings.path);
        let external = Draws::new(settings.seed, 2);
        let weeks = settings.options.map(|market| Weeks::new(settings.seed, market));
        MarketWorld {
            settings,
            path,
            weeks,
            crowd: None,
            external,
            publisher: None,
            reporter: None,
            started: Nanos::ZERO,
            phase: None,
            pegs: Pegs::default(),
            strain: Strain::default(),
        }
    }

    /// From its next step on the market trades at these pegs; what a chain says is as before.
    pub fn set_pegs(&mut self, pegs: Pegs) {
        self.pegs = pegs;
    }

    /// From its next step on the market is forced to these rates and opinions.
    pub fn set_strain(&mut self, strain: Strain) {
        if self.strain.rates != strain.rates {
            self.phase = None;
        }
        self.weeks.iter_mut().for_each(|weeks| weeks.set_strain(strain));
        self.strain = strain;
    }

    /// What an external market pays in USDC for a dollar's worth.
    fn in_usdc(&self, price: Decimal) -> Decimal {
        if self.pegs.usdc == Decimal::ONE { price } else { price / self.pegs.usdc }
    }

    /// Price of a coin in USDC on the external market now.
    pub fn external_price(&self, coin: Coin) -> Decimal {
        self.in_usdc(self.prices().external[coin.index()])
    }

    /// The same world, publishing its external book and its LST ratios.
    pub fn with_feeds(self, publisher: Publisher, reporter: Reporter) -> MarketWorld {
        MarketWorld { publisher: Some(publisher), reporter: Some(reporter), ..self }
    }

    /// Prices of the present step.
    pub fn prices(&self) -> Prices {
        self.weeks.as_ref().map_or_else(|| self.path.prices(), Weeks::prices)
    }

    /// The market of weeks, if that is what this world is.
    pub fn weeks(&self) -> Option<&Weeks> {
        self.weeks.as_ref()
    }

    /// Ratio of a feed (0 weETH, 1 LBTC, 2 sUSDe) at a moment, also one before the start.
    pub fn ratio_at(&self, feed: u8, at: Nanos) -> Decimal {
        self.ratio_after(feed, at.0 as i128 - self.started.0 as i128)
    }

    /// Ratio of a feed so many nanoseconds after the start, negative before it.
    fn ratio_after(&self, feed: u8, ns: i128) -> Decimal {
        let feed = usize::from(feed).min(chainlink::FEEDS - 1);
        match &self.weeks {
            Some(weeks) => weeks.path().ratio_after_ms(feed, (ns / i128::from(MS)) as i64),
            None => self.path.ratio(feed, ns as f64 / 1e9),
        }
    }

    /// What the ratio feeds have reported in the days before a start at `now_s`, one round a day.
    pub fn past_rounds(&self, now_s: u64) -> [Vec<Round>; chainlink::FEEDS] {
        [0u8, 1, 2].map(|feed| {
            let round = |days: u64| {
                let before_s = days * HEARTBEAT_S;
                let answer = self.ratio_after(feed, -i128::from(before_s) * 1_000_000_000);
                Round { updated_s: now_s.saturating_sub(before_s), answer }
            };
            (0..=PAST_DAYS).rev().map(round).collect()
        })
    }

    /// What the crowd has done so far.
    pub fn activity(&self) -> Activity {
        self.crowd.as_ref().map(Crowd::activity).unwrap_or_default()
    }

    /// Number of the phase in force.
    pub fn phase(&self) -> usize {
        self.phase.unwrap_or_default()
    }

    fn step_ns(&self) -> u64 {
        self.path.step_ms() * MS
    }

    fn elapsed_s(&self) -> f64 {
        (self.path.prices().step * self.path.step_ms()) as f64 / 1_000.0
    }

    /// Imposes the rates of a phase that has just begun.
    fn enter_phase(&mut self, ex: &mut Exchange) {
        let (number, phase) = self.settings.script.at(self.elapsed_s());
        if self.phase == Some(number) {
            return;
        }
        let forced = self.strain.rates;
        for coin in Coin::ALL {
            let of_phase = phase.funding_hourly[coin.index()];
            ex.set_funding_override(coin.currency(), forced.map_or(of_phase, |(funding, _)| Some(funding)));
        }
        ex.set_borrow_override(forced.map_or(phase.borrow_apr, |(_, borrow)| Some(borrow)));
        self.phase = Some(number);
    }

    /// Publishes oracle prices, the external book and the LST ratios.
    fn publish(&mut self, ex: &mut Exchange, prices: &Prices, at: Nanos) {
        for coin in Coin::ALL {
            ex.set_spot(coin.currency(), prices.spot[coin.index()], at);
            ex.set_spot(coin.lst(), prices.lst_spot(coin) * self.pegs.wrapped, at);
            self.publish_external(coin, prices);
        }
        ex.set_spot("SUSDE", prices.stable_spot() * self.pegs.wrapped, at);
        if ex.oracle_price("USDC") != self.pegs.usdc {
            ex.set_spot("USDC", self.pegs.usdc, at);
        }
        if let Some(reporter) = &self.reporter {
            reporter.report(at.secs(), prices.ratio);
        }
    }

    /// One step of a market of weeks, however long ago the last one was.
    fn turn_weeks(&mut self, ex: &mut Exchange, at: Nanos, out: &mut Outbox) -> Nanos {
        let Some(prices) = self.weeks.as_mut().and_then(|weeks| weeks.advance(at)) else { return at.plus(MS) };
        self.enter_phase(ex);
        self.publish(ex, &prices, at);
        match &mut self.weeks {
            Some(weeks) => weeks.trade(ex, at, out),
            None => at.plus(MS),
        }
    }

    fn publish_external(&mut self, coin: Coin, prices: &Prices) {
        let (symbol, depth) = [("ETHUSDC", 12.0), ("BTCUSDC", 0.8)][coin.index()];
        let cents = |price: Decimal| price.round_dp_with_strategy(2, RoundingStrategy::ToZero);
        let bid = cents(self.in_usdc(prices.external[coin.index()]));
        let ask = bid + Decimal::new(1 + i64::from(self.external.happens(0.2)), 2);
        // Drawn whether or not anybody listens, so that listeners do not change the world.
        let amounts = [0, 1].map(|_| Decimal::new((depth * self.external.between(0.05, 2.0) * 10_000.0) as i64 + 1, 4));
        let Some(publisher) = &self.publisher else { return };
        let update_id = prices.step * 2 + coin.index() as u64 + 1;
        publisher.publish(&BookTicker { symbol, update_id, bid: (bid, amounts[0]), ask: (ask, amounts[1]) });
    }
}

impl World for MarketWorld {
    fn start(&mut self, ex: &mut Exchange, at: Nanos, out: &mut Outbox) {
        self.started = at;
        if let Some(weeks) = &mut self.weeks {
            weeks.begin(at);
        }
        let prices = self.prices();
        ex.set_spot("USDC", Decimal::ONE, at);
        self.publish(ex, &prices, at);
        self.enter_phase(ex);
        if let Some(weeks) = &mut self.weeks {
            weeks.open(ex, at, out);
            return;
        }
        let mut crowd = Crowd::open(ex, self.settings.seed, &PROFILES);
        let (_, phase) = self.settings.script.at(0.0);
        crowd.quote(ex, (&prices.external, &prices.ratio), phase, at, out);
        self.crowd = Some(crowd);
    }

    fn turn(&mut self, ex: &mut Exchange, at: Nanos, out: &mut Outbox) -> Nanos {
        if self.weeks.is_some() {
            return self.turn_weeks(ex, at, out);
        }
        let step_ns = self.step_ns();
        let mut due = (at.since(self.started) / step_ns).saturating_sub(self.path.prices().step);
        if due > CATCH_UP_STEPS {
            self.started = self.started.plus((due - CATCH_UP_STEPS) * step_ns);
            due = CATCH_UP_STEPS;
        }
        for _ in 0..due {
            let (_, phase) = self.settings.script.at(self.elapsed_s());
            self.path.advance(phase.drift_bps_per_min);
        }
        if due > 0 {
            self.enter_phase(ex);
            let prices = self.path.prices();
            self.publish(ex, &prices, at);
            let (_, phase) = self.settings.script.at(self.elapsed_s());
            let external = prices.external.map(|price| self.in_usdc(price));
            let ratio = prices.ratio.map(|ratio| ratio * self.pegs.wrapped);
            if let Some(crowd) = &mut self.crowd {
                let fair = (&external, &ratio);
                crowd.quote(ex, fair, phase, at, out);
                crowd.take(ex, fair, phase, (at, (due * self.path.step_ms()) as f64 / 1_000.0), out);
            }
        }
        self.started.plus((self.path.prices().step + 1) * step_ns)
    }
}
