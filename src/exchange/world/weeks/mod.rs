//! A market for weeks of virtual time: prices that do not depend on how time is stepped, an options surface, and the
//! people who trade on it.
//!
//! People act while somebody attends, which is while turns follow each other within seconds. A longer gap is a leap
//! through quiet times: prices and feeds move, quotes are taken back, nobody trades.

pub mod chain;
pub mod collateral;
pub mod dealers;
mod feeds;
pub mod noise;
pub mod path;
mod surface;
mod view;

pub use dealers::Manners;
pub use feeds::weekly_expiry_s;
pub use path::{FEEDS, LongPath, LongSettings, Shape};
pub use surface::{Moment, Slice};
pub use view::{Grid, Listed, View};

use super::Strain;
use super::path::{Coin, Prices};
use crate::base::time::{MS, Nanos, SEC};
use crate::exchange::{Exchange, Outbox};
use chain::Chain;
use collateral::Collateral;
use dealers::Dealers;
use feeds::Feeds;

/// Longest gap between two turns in which people still act.
const ATTENDED_NS: u64 = 5 * SEC;

/// How an options market looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OptionMarket {
    /// Prices and ratios.
    pub path: LongSettings,
    /// Milliseconds between two turns when nobody asks for longer ones.
    pub step_ms: u64,
    /// Hardly anybody trades collateral.
    pub thin_collateral: bool,
    /// Options books are wide, small and seldom visited.
    pub thin_options: bool,
    /// Takers who come to a currency's options books, per second; fewer if those are thin.
    pub takers_per_s: f64,
    /// Who answers requests for quotes.
    pub dealers: Manners,
}

impl OptionMarket {
    /// Weeks of a shape with ordinary liquidity.
    pub fn of(shape: Shape) -> OptionMarket {
        OptionMarket {
            path: LongSettings { shape, ..LongSettings::default() },
            step_ms: 100,
            thin_collateral: false,
            thin_options: false,
            takers_per_s: chain::TAKERS_PER_S,
            dealers: Manners::default(),
        }
    }

    /// The same with thin books everywhere and dealers who are seldom there.
    pub fn thin(self) -> OptionMarket {
        OptionMarket { thin_collateral: true, thin_options: true, dealers: Manners::thin(), ..self }
    }
}

/// The people of the market.
#[derive(Debug)]
struct People {
    collateral: Collateral,
    chains: [Chain; 2],
    dealers: Dealers,
}

/// What the people have done, for tests and reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bustle {
    /// In the collateral books.
    pub collateral: collateral::Trades,
    /// In the options books of ETH and BTC.
    pub options: [chain::Trades; 2],
    /// Among dealers.
    pub deals: dealers::Deals,
}

/// Prices and people of such a market.
#[derive(Debug)]
pub struct Weeks {
    settings: OptionMarket,
    seed: u64,
    path: LongPath,
    prices: Prices,
    at: Nanos,
    feeds: Feeds,
    people: Option<People>,
}

impl Weeks {
    /// The market of a seed; it starts when told.
    pub fn new(seed: u64, settings: OptionMarket) -> Weeks {
        let path = LongPath::new(seed, settings.path, Nanos::ZERO);
        let prices = path.prices(Nanos::ZERO);
        Weeks { settings, seed, prices, path, at: Nanos::ZERO, feeds: Feeds::default(), people: None }
    }

    /// Puts the first moment of the path at `at`.
    pub fn begin(&mut self, at: Nanos) {
        self.path = self.path.starting(at);
        self.prices = self.path.prices(at);
        self.at = at;
    }

    /// From the next turn on everybody thinks so of volatility and forwards.
    pub fn set_strain(&mut self, strain: Strain) {
        self.feeds.set_strain(strain);
    }

    /// Prices as of the last turn.
    pub fn prices(&self) -> Prices {
        self.prices
    }

    /// The path, which knows every moment.
    pub fn path(&self) -> &LongPath {
        &self.path
    }

    /// What the people have done so far.
    pub fn bustle(&self) -> Bustle {
        self.people.as_ref().map_or_else(Bustle::default, |people| Bustle {
            collateral: people.collateral.trades(),
            options: [people.chains[0].trades(), people.chains[1].trades()],
            deals: people.dealers.deals(),
        })
    }

    /// Opens accounts and books.
    pub fn open(&mut self, ex: &mut Exchange, at: Nanos, out: &mut Outbox) {
        let (seed, market) = (self.seed, self.settings);
        self.people = Some(People {
            collateral: Collateral::open(ex, seed, market.thin_collateral),
            chains: Coin::ALL.map(|coin| Chain::open(ex, seed, coin, (market.takers_per_s, market.thin_options))),
            dealers: Dealers::open(ex, seed, market.dealers),
        });
        self.trade(ex, at, out);
    }

    /// Moves prices on; `None` if no time has passed.
    pub fn advance(&mut self, at: Nanos) -> Option<Prices> {
        if at <= self.at {
            return None;
        }
        self.prices = self.path.prices(at);
        Some(self.prices)
    }

    /// Publishes the surface and lets everybody act on the prices of `at`; returns the moment of the next turn.
    pub fn trade(&mut self, ex: &mut Exchange, at: Nanos, out: &mut Outbox) -> Nanos {
        let gap = at.since(self.at);
        self.at = at;
        self.feeds.publish(ex, &self.path, at);
        if let Some(people) = &mut self.people {
            if gap <= ATTENDED_NS {
                people.act(ex, (&self.path, &mut self.feeds), at, gap as f64 / SEC as f64, out);
            } else {
                people.collateral.retire(ex, at, out);
                people.chains.iter_mut().for_each(|chain| chain.retire(ex, at, out));
            }
        }
        at.plus(self.settings.step_ms.max(1) * MS)
    }
}

impl People {
    fn act(
        &mut self,
        ex: &mut Exchange,
        (path, feeds): (&LongPath, &mut Feeds),
        at: Nanos,
        span_s: f64,
        out: &mut Outbox,
    ) {
        self.collateral.act(ex, at, span_s, out);
        let expiry_s = weekly_expiry_s(at);
        for (coin, chain) in Coin::ALL.into_iter().zip(&mut self.chains) {
            let view = feeds.view(ex, path, (coin, &path.moment(coin, at)), expiry_s, at);
            let listed = feeds.listed(ex, coin, at);
            chain.act(ex, &view, listed, at, span_s, out);
        }
        self.dealers.act(ex, at, out);
    }
}
