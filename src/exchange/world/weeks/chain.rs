//! The options order books of the coming weekly expiry: a maker some points of volatility around the surface, and takers
//! who lift an offer when it is no dearer than their own view of its worth.

use super::super::draws::Draws;
use super::super::path::Coin;
use super::collateral::{arrivals, exponential};
use super::view::{Grid, Listed, View};
use crate::base::time::{MS, Nanos, SEC};
use crate::exchange::{Exchange, OrderId, Outbox, TimeInForce};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Strikes quoted: this far from the forward, as a share of it, or in deviations if that is more.
const REACH: (f64, f64) = (0.15, 2.0);
/// An expiry nearer than this is not quoted, seconds.
const TENOR_S_MIN: f64 = 7_200.0;
/// Half spread of the maker in points of volatility.
const HALF_POINTS: (f64, f64) = (1.5, 4.0);
/// Mean amounts of a maker's level and of a taker by coin, contracts.
const AMOUNTS: [(f64, f64); 2] = [(15.0, 20.0), (0.8, 1.0)];
/// Takers per second and coin in an ordinary market.
pub const TAKERS_PER_S: f64 = 0.04;
/// A taker's view against the surface, points of volatility: mean and deviation.
const VIEW_POINTS: (f64, f64) = (-3.0, 2.5);
/// What a thin book leaves of takers and amounts.
const THIN: f64 = 0.15;
/// How often the maker looks at its quotes.
const LOOK_NS: u64 = SEC;

/// The maker's quotes on one option.
#[derive(Debug)]
struct Quoted {
    option: Listed,
    resting: Vec<OrderId>,
    anchor: f64,
    tolerance: f64,
    due: Nanos,
}

/// What happened in the options books.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trades {
    /// Quotes set anew.
    pub requotes: u64,
    /// Takers who came.
    pub takers: u64,
    /// Those who lifted something.
    pub filled: u64,
}

/// One coin's chain.
#[derive(Debug)]
pub struct Chain {
    coin: Coin,
    maker: u64,
    taker: u64,
    takers_per_s: f64,
    thin: bool,
    quoted: BTreeMap<Arc<str>, Quoted>,
    look_due: Nanos,
    draws: Draws,
    trades: Trades,
}

impl Chain {
    /// Opens the accounts; so many takers come per second, fewer if the books are thin.
    pub fn open(ex: &mut Exchange, seed: u64, coin: Coin, (takers_per_s, thin): (f64, bool)) -> Chain {
        let cash = [("USDC", Decimal::from(4_000_000_000u64))];
        Chain {
            coin,
            maker: ex.house_account(&format!("options maker {}", coin.currency()), &cash),
            taker: ex.house_account(&format!("options taker {}", coin.currency()), &cash),
            takers_per_s,
            thin,
            quoted: BTreeMap::new(),
            look_due: Nanos::ZERO,
            draws: Draws::new(seed, 20 + coin.index() as u64),
            trades: Trades::default(),
        }
    }

    /// What happened so far.
    pub fn trades(&self) -> Trades {
        self.trades
    }

    /// Number of options quoted now.
    pub fn quoted(&self) -> usize {
        self.quoted.len()
    }

    /// Takes every quote back, as makers do when nobody is there.
    pub fn retire(&mut self, ex: &mut Exchange, at: Nanos, out: &mut Outbox) {
        if !self.quoted.is_empty() {
            ex.house_cancel_all(self.maker, at, out);
            self.quoted.clear();
        }
        self.look_due = Nanos::ZERO;
    }

    /// Lets the maker look at its quotes once a second and the takers of `span_s` seconds come.
    pub fn act(&mut self, ex: &mut Exchange, view: &View, listed: &[Listed], at: Nanos, span_s: f64, out: &mut Outbox) {
        if at >= self.look_due {
            self.look_due = at.plus(LOOK_NS);
            self.choose(ex, view, listed, at, out);
            self.requote(ex, view, at, out);
        }
        let rate = self.takers_per_s * if self.thin { THIN } else { 1.0 };
        for _ in 0..arrivals(&mut self.draws, rate * span_s) {
            self.take(ex, view, at, out);
        }
    }

    /// Drops what has left the range and adds what has come into it.
    fn choose(&mut self, ex: &mut Exchange, view: &View, listed: &[Listed], at: Nanos, out: &mut Outbox) {
        let alive = view.years * 31_536_000.0 >= TENOR_S_MIN;
        let reach = REACH.0.max(REACH.1 * view.deviation());
        let near = |strike: f64| alive && (strike / view.slice.forward - 1.0).abs() <= reach;
        let gone = |quoted: &Quoted| !near(quoted.option.strike) || !listed.contains(&quoted.option);
        for quoted in self.quoted.values().filter(|quoted| gone(quoted)) {
            quoted.resting.iter().for_each(|order| ex.house_cancel(self.maker, *order, at, out));
        }
        self.quoted.retain(|_, quoted| !gone(quoted));
        for option in listed.iter().filter(|option| near(option.strike)) {
            self.quoted.entry(option.name.clone()).or_insert_with(|| Quoted {
                option: option.clone(),
                resting: Vec::new(),
                anchor: 0.0,
                tolerance: 0.0,
                due: Nanos::ZERO,
            });
        }
    }

    fn requote(&mut self, ex: &mut Exchange, view: &View, at: Nanos, out: &mut Outbox) {
        let (grid, thin) = (Grid::options(self.coin), self.thin);
        for quoted in self.quoted.values_mut() {
            let worth = view.worth(&quoted.option, 0.0);
            if at < quoted.due && (worth - quoted.anchor).abs() <= quoted.tolerance {
                continue;
            }
            for order in quoted.resting.drain(..) {
                ex.house_cancel(self.maker, order, at, out);
            }
            self.trades.requotes += 1;
            let half = self.draws.between(HALF_POINTS.0, HALF_POINTS.1) * if thin { 2.0 } else { 1.0 };
            let lean = self.draws.between(-0.5, 0.5);
            let mean = AMOUNTS[self.coin.index()].0 * if thin { THIN } else { 1.0 };
            for buy in [true, false] {
                let points = if buy { lean - half } else { lean + half };
                let price = grid.price(view.worth(&quoted.option, points), !buy);
                let amount = grid.amount(mean * self.draws.between(0.3, 1.7));
                if price.is_zero() {
                    continue;
                }
                let (name, tif) = (&quoted.option.name, TimeInForce::PostOnly);
                if let Ok(fill) = ex.house_order(self.maker, name, buy, price, amount, tif, at, out) {
                    quoted.resting.push(fill.order);
                }
            }
            quoted.anchor = worth;
            quoted.tolerance =
                ((view.worth(&quoted.option, half) - worth) / 2.0).max(grid.tick().to_f64().unwrap_or(1.0));
            quoted.due = at.plus((self.draws.between(30.0, 60.0) * 1_000.0) as u64 * MS);
        }
    }

    /// One taker: looks for the offer that is cheapest against its view, in points of volatility, and lifts it.
    fn take(&mut self, ex: &mut Exchange, view: &View, at: Nanos, out: &mut Outbox) {
        self.trades.takers += 1;
        let points = VIEW_POINTS.0 + VIEW_POINTS.1 * self.draws.normal();
        let amount = Grid::options(self.coin).amount(AMOUNTS[self.coin.index()].1 * exponential(&mut self.draws));
        let mut best: Option<(f64, &Listed, Decimal)> = None;
        for quoted in self.quoted.values() {
            let (_, Some((ask, _))) = ex.top_of_book(&quoted.option.name) else { continue };
            let worth = view.worth(&quoted.option, points);
            let point = (view.worth(&quoted.option, points + 1.0) - worth).max(1e-6);
            let edge = (worth - ask.to_f64().unwrap_or(f64::MAX)) / point;
            if edge >= 0.0 && best.is_none_or(|(most, _, _)| edge > most) {
                best = Some((edge, &quoted.option, ask));
            }
        }
        let Some((_, option, ask)) = best else { return };
        let sent = ex.house_order(self.taker, &option.name, true, ask, amount, TimeInForce::Ioc, at, out);
        self.trades.filled += u64::from(sent.is_ok_and(|fill| !fill.filled.is_zero()));
    }
}
