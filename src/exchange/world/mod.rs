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

pub use live::{Live, Options, spawn};
pub use serving::Serving;

use super::server::World;
use super::{Exchange, Outbox};
use crate::base::time::{MS, Nanos};
use binance::{BookTicker, Publisher};
use chainlink::Reporter;
use crowd::{Activity, Crowd, PROFILES};
use draws::Draws;
use path::{Coin, Path, PathSettings, Prices};
use rust_decimal::{Decimal, RoundingStrategy};
use script::Script;

/// Steps made up for in one turn; a longer stall stops the world's clock instead.
const CATCH_UP_STEPS: u64 = 250;

/// What a world is made of. The same settings and the same turns give the same world.
#[derive(Clone, Debug, PartialEq)]
pub struct WorldSettings {
    /// Seeds prices, crowd and external book.
    pub seed: u64,
    /// How prices move.
    pub path: PathSettings,
    /// What happens when.
    pub script: Script,
}

impl WorldSettings {
    /// A steady market on the default path.
    pub fn steady(seed: u64) -> WorldSettings {
        WorldSettings { seed, path: PathSettings::default(), script: Script::steady() }
    }

    /// The demo's market, see [`Script::demo`].
    pub fn demo(seed: u64, seconds: u64) -> WorldSettings {
        WorldSettings { seed, path: PathSettings::default(), script: Script::demo(seconds) }
    }
}

/// Prices and crowd, turned by whoever owns the exchange.
#[derive(Debug)]
pub struct MarketWorld {
    settings: WorldSettings,
    path: Path,
    crowd: Option<Crowd>,
    external: Draws,
    publisher: Option<Publisher>,
    reporter: Option<Reporter>,
    started: Nanos,
    phase: Option<usize>,
}

impl MarketWorld {
    /// A world without feeds, for virtual time.
    pub fn new(settings: WorldSettings) -> MarketWorld {
        let path = Path::new(settings.seed, settings.path);
        let external = Draws::new(settings.seed, 2);
        MarketWorld {
            settings,
            path,
            crowd: None,
            external,
            publisher: None,
            reporter: None,
            started: Nanos::ZERO,
            phase: None,
        }
    }

    /// The same world, publishing its external book and its LST ratios.
    pub fn with_feeds(self, publisher: Publisher, reporter: Reporter) -> MarketWorld {
        MarketWorld { publisher: Some(publisher), reporter: Some(reporter), ..self }
    }

    /// Prices of the present step.
    pub fn prices(&self) -> Prices {
        self.path.prices()
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
        for coin in Coin::ALL {
            ex.set_funding_override(coin.currency(), phase.funding_hourly[coin.index()]);
        }
        ex.set_borrow_override(phase.borrow_apr);
        self.phase = Some(number);
    }

    /// Publishes oracle prices, the external book and the LST ratios.
    fn publish(&mut self, ex: &mut Exchange, prices: &Prices, at: Nanos) {
        for coin in Coin::ALL {
            ex.set_spot(coin.currency(), prices.spot[coin.index()], at);
            ex.set_spot(coin.lst(), prices.lst_spot(coin), at);
            self.publish_external(coin, prices);
        }
        if let Some(reporter) = &self.reporter {
            reporter.report(at.secs(), prices.ratio);
        }
    }

    fn publish_external(&mut self, coin: Coin, prices: &Prices) {
        let (symbol, depth) = [("ETHUSDC", 12.0), ("BTCUSDC", 0.8)][coin.index()];
        let cents = |price: Decimal| price.round_dp_with_strategy(2, RoundingStrategy::ToZero);
        let bid = cents(prices.external[coin.index()]);
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
        let prices = self.path.prices();
        ex.set_spot("USDC", Decimal::ONE, at);
        self.publish(ex, &prices, at);
        self.enter_phase(ex);
        let mut crowd = Crowd::open(ex, self.settings.seed, &PROFILES);
        let (_, phase) = self.settings.script.at(0.0);
        crowd.quote(ex, (&prices.external, &prices.ratio), phase, at, out);
        self.crowd = Some(crowd);
    }

    fn turn(&mut self, ex: &mut Exchange, at: Nanos, out: &mut Outbox) -> Nanos {
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
            if let Some(crowd) = &mut self.crowd {
                let fair = (&prices.external, &prices.ratio);
                crowd.quote(ex, fair, phase, at, out);
                crowd.take(ex, fair, phase, (at, (due * self.path.step_ms()) as f64 / 1_000.0), out);
            }
        }
        self.started.plus((self.path.prices().step + 1) * step_ns)
    }
}
