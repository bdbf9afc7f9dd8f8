//! A market for weeks of virtual time: prices that do not depend on how time is stepped, an options surface, and the
//! people who trade on it.

pub mod noise;
pub mod path;
mod surface;

pub use path::{FEEDS, LongPath, LongSettings, Shape};
pub use surface::Slice;

use super::path::Prices;
use crate::base::time::{MS, Nanos};
use crate::exchange::{Exchange, Outbox};

/// How an options market looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OptionMarket {
    /// Prices and ratios.
    pub path: LongSettings,
    /// Milliseconds between two turns when nobody asks for longer ones.
    pub step_ms: u64,
}

impl OptionMarket {
    /// Weeks of a shape with ordinary liquidity.
    pub fn of(shape: Shape) -> OptionMarket {
        OptionMarket { path: LongSettings { shape, ..LongSettings::default() }, step_ms: 100 }
    }
}

/// Prices and people of such a market.
#[derive(Debug)]
pub struct Weeks {
    settings: OptionMarket,
    path: LongPath,
    prices: Prices,
    at: Nanos,
}

impl Weeks {
    /// The market of a seed; it starts when told.
    pub fn new(seed: u64, settings: OptionMarket) -> Weeks {
        let path = LongPath::new(seed, settings.path, Nanos::ZERO);
        Weeks { settings, prices: path.prices(Nanos::ZERO), path, at: Nanos::ZERO }
    }

    /// Puts the first moment of the path at `at`.
    pub fn begin(&mut self, at: Nanos) {
        self.path = self.path.starting(at);
        self.prices = self.path.prices(at);
        self.at = at;
    }

    /// Prices as of the last turn.
    pub fn prices(&self) -> Prices {
        self.prices
    }

    /// The path, which knows every moment.
    pub fn path(&self) -> &LongPath {
        &self.path
    }

    /// Opens accounts and books.
    pub fn open(&mut self, _ex: &mut Exchange, _at: Nanos, _out: &mut Outbox) {}

    /// Moves prices on; `None` if a step has not passed yet.
    pub fn advance(&mut self, at: Nanos) -> Option<Prices> {
        if at <= self.at {
            return None;
        }
        self.prices = self.path.prices(at);
        Some(self.prices)
    }

    /// Lets everybody act on the prices of `at`; returns the moment of the next turn.
    pub fn trade(&mut self, _ex: &mut Exchange, at: Nanos, _out: &mut Outbox) -> Nanos {
        self.at = at;
        at.plus(self.settings.step_ms.max(1) * MS)
    }
}
