//! What the people of the market think an option is worth: Black-76 on the slice they all see.

use super::super::path::{Coin, at_scale};
use super::Slice;
use crate::base::time::{MS, Nanos};
use rust_decimal::Decimal;
use std::sync::Arc;

/// Seconds of a year of 365 days.
const YEAR_S: f64 = 31_536_000.0;

/// An option that can be traded.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// Instrument name.
    pub name: Arc<str>,
    /// Strike in USD.
    pub strike: f64,
    /// A call, else a put.
    pub call: bool,
}

/// One expiry of a coin at a moment.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// The smile.
    pub slice: Slice,
    /// Years to expiry.
    pub years: f64,
}

impl View {
    /// The view of an expiry at a moment.
    pub fn new(slice: Slice, expiry_s: u64, at: Nanos) -> View {
        let left_ms = (expiry_s * 1_000).saturating_sub(at.0 / MS);
        View { slice, years: left_ms as f64 / 1_000.0 / YEAR_S }
    }

    /// Deviation of the log price until expiry, at the money.
    pub fn deviation(&self) -> f64 {
        self.slice.vol(self.slice.forward) * self.years.sqrt()
    }

    /// Worth at the slice's volatility plus `points` of it (1 point is 0.01).
    pub fn worth(&self, option: &Listed, points: f64) -> f64 {
        let vol = (self.slice.vol(option.strike) + points / 100.0).max(0.01);
        black76(self.slice.forward, option.strike, vol * self.years.sqrt(), option.call)
    }
}

/// Undiscounted Black-76 with `deviation` = volatility times root of time.
pub fn black76(forward: f64, strike: f64, deviation: f64, call: bool) -> f64 {
    let payoff = if call { forward - strike } else { strike - forward };
    if deviation <= 0.0 {
        return payoff.max(0.0);
    }
    let d1 = libm::log(forward / strike) / deviation + deviation / 2.0;
    let d2 = d1 - deviation;
    let value =
        if call { forward * below(d1) - strike * below(d2) } else { strike * below(-d2) - forward * below(-d1) };
    value.max(payoff).max(0.0)
}

/// Standard normal distribution function.
fn below(x: f64) -> f64 {
    libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2) / 2.0
}

/// What prices and amounts an instrument takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Decimal places of the price tick.
    pub price_places: u32,
    /// Decimal places of the amount step.
    pub amount_places: u32,
    /// Least amount.
    pub minimum: Decimal,
}

impl Grid {
    /// Of a coin's options.
    pub const fn options(coin: Coin) -> Grid {
        match coin {
            Coin::Eth => Grid { price_places: 1, amount_places: 2, minimum: Decimal::from_parts(1, 0, 0, false, 1) },
            Coin::Btc => Grid { price_places: 0, amount_places: 2, minimum: Decimal::from_parts(1, 0, 0, false, 2) },
        }
    }

    /// One tick.
    pub fn tick(&self) -> Decimal {
        Decimal::new(1, self.price_places)
    }

    /// The nearest tick at or above (`up`) or at or below a price.
    pub fn price(&self, value: f64, up: bool) -> Decimal {
        let unit = (0..self.price_places).fold(1.0, |unit, _| unit * 10.0);
        let ticks = if up { libm::ceil(value * unit - 1e-9) } else { libm::floor(value * unit + 1e-9) };
        Decimal::new(ticks as i64, self.price_places)
    }

    /// An amount on step, at least the minimum.
    pub fn amount(&self, value: f64) -> Decimal {
        at_scale(value, self.amount_places).max(self.minimum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_those_of_the_published_vectors() {
        let week: f64 = 7.0 / 365.0;
        for (vol, forward, strike, call, price) in [
            (0.6, 3_000.0, 3_500.0, true, 3.338_707_777_076_454),
            (0.6, 3_000.0, 3_500.0, false, 503.338_707_777_076),
            (0.5, 60_000.0, 56_000.0, false, 336.575_151_534_887_34),
        ] {
            let value = black76(forward, strike, vol * week.sqrt(), call);
            assert!((value / price - 1.0).abs() < 1e-9, "{value}");
        }
        assert_eq!(black76(3_100.0, 3_000.0, 0.0, true).to_bits(), 100.0f64.to_bits());
    }

    #[test]
    fn prices_and_amounts_fall_on_the_grid() {
        let grid = Grid::options(Coin::Eth);
        let table =
            [(1.23, true, "1.3"), (1.23, false, "1.2"), (1.2, true, "1.2"), (1.2, false, "1.2"), (0.04, false, "0.0")];
        for (value, up, expected) in table {
            assert_eq!(grid.price(value, up).to_string(), expected);
        }
        assert_eq!(grid.amount(0.001), Decimal::new(1, 1));
        assert_eq!(grid.amount(7.123), Decimal::new(712, 2));
    }
}
