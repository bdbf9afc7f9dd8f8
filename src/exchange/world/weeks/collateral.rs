//! Spot books of yield-bearing collateral: one maker a few basis points around index, and buyers and sellers who come at
//! random with a price of their own, so that an auction near index fills over minutes.

use super::super::draws::Draws;
use super::view::Grid;
use crate::base::time::{MS, Nanos};
use crate::exchange::{Exchange, OrderId, Outbox, TimeInForce};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

/// Distances of the maker's levels from index, basis points, and their mean sizes, USD.
const LEVELS: [(f64, f64); 4] = [(4.0, 8_000.0), (12.0, 15_000.0), (25.0, 30_000.0), (50.0, 60_000.0)];
/// Buyers per second, and as many sellers.
const ARRIVALS_PER_S: f64 = 0.1;
/// Mean size of a buyer or seller, USD.
const TAKER_USD: f64 = 6_000.0;
/// A seller takes what is at most this far below index, a buyer above it, basis points; some want to do better.
const CONCESSION_BPS: (f64, f64) = (-30.0, 50.0);
/// Share of takers that come to a thin book.
const THIN: f64 = 0.03;
/// Takers of one turn and book.
const TAKERS_MAX: u32 = 8;
/// Move of index that makes the maker re-quote, basis points.
const MOVE_BPS: f64 = 4.0;

/// Balances of everybody here.
const BALANCES: [(&str, Decimal); 4] = [
    ("USDC", Decimal::from_parts(4_000_000_000, 0, 0, false, 0)),
    ("WEETH", Decimal::from_parts(1_000_000, 0, 0, false, 0)),
    ("LBTC", Decimal::from_parts(100_000, 0, 0, false, 0)),
    ("SUSDE", Decimal::from_parts(2_000_000_000, 0, 0, false, 0)),
];

/// Instrument, asset and grid of each book.
const BOOKS: [(&str, &str, Grid); 3] = [
    (
        "WEETH-USDC",
        "WEETH",
        Grid { price_places: 2, amount_places: 2, minimum: Decimal::from_parts(1, 0, 0, false, 1) },
    ),
    ("LBTC-USDC", "LBTC", Grid { price_places: 1, amount_places: 3, minimum: Decimal::from_parts(1, 0, 0, false, 2) }),
    (
        "SUSDE-USDC",
        "SUSDE",
        Grid { price_places: 4, amount_places: 2, minimum: Decimal::from_parts(1, 0, 0, false, 0) },
    ),
];

/// One book.
#[derive(Debug)]
struct Book {
    instrument: &'static str,
    asset: &'static str,
    grid: Grid,
    resting: Vec<OrderId>,
    anchor: f64,
    due: Nanos,
}

/// What happened in the collateral books.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trades {
    /// Times the maker quoted a book anew.
    pub requotes: u64,
    /// Buyers and sellers who came.
    pub takers: u64,
    /// Those who found a price they liked.
    pub filled: u64,
}

/// All collateral books.
#[derive(Debug)]
pub struct Collateral {
    maker: u64,
    taker: u64,
    books: Vec<Book>,
    thin: bool,
    draws: Draws,
    trades: Trades,
}

impl Collateral {
    /// Opens the accounts. A thin market has no maker and few takers.
    pub fn open(ex: &mut Exchange, seed: u64, thin: bool) -> Collateral {
        let book = |(instrument, asset, grid)| Book {
            instrument,
            asset,
            grid,
            resting: Vec::new(),
            anchor: 0.0,
            due: Nanos::ZERO,
        };
        Collateral {
            maker: ex.house_account("collateral maker", &BALANCES),
            taker: ex.house_account("collateral taker", &BALANCES),
            books: BOOKS.map(book).into(),
            thin,
            draws: Draws::new(seed, 10),
            trades: Trades::default(),
        }
    }

    /// What happened so far.
    pub fn trades(&self) -> Trades {
        self.trades
    }

    /// Takes every quote back: prices move on without the maker.
    pub fn retire(&mut self, ex: &mut Exchange, at: Nanos, out: &mut Outbox) {
        for book in self.books.iter_mut().filter(|book| !book.resting.is_empty()) {
            book.resting.drain(..).for_each(|order| ex.house_cancel(self.maker, order, at, out));
            book.anchor = 0.0;
        }
    }

    /// Lets the maker re-quote and the takers of `span_s` seconds come; nobody comes while `span_s` is zero.
    pub fn act(&mut self, ex: &mut Exchange, at: Nanos, span_s: f64, out: &mut Outbox) {
        let Collateral { maker, taker, books, thin, draws, trades } = self;
        for book in books {
            let index = ex.index(book.asset).to_f64().unwrap_or_default();
            if index <= 0.0 {
                continue;
            }
            let moved = (index / book.anchor.max(1e-9) - 1.0).abs() * 10_000.0 >= MOVE_BPS;
            if !*thin && (at >= book.due || moved) {
                book.quote(ex, *maker, index, at, draws, out);
                trades.requotes += 1;
            }
            let rate = if *thin { ARRIVALS_PER_S * THIN } else { ARRIVALS_PER_S };
            for buy in [true, false] {
                for _ in 0..arrivals(draws, rate * span_s) {
                    trades.takers += 1;
                    trades.filled += u64::from(book.take(ex, *taker, index, buy, at, draws, out));
                }
            }
        }
    }
}

/// Number of arrivals with the given mean: its whole part, and one more with the rest's probability.
pub(super) fn arrivals(draws: &mut Draws, mean: f64) -> u32 {
    let whole = mean.max(0.0) as u32;
    (whole + u32::from(draws.happens(mean - f64::from(whole)))).min(TAKERS_MAX)
}

/// Exponentially distributed with mean one, at most five.
pub(super) fn exponential(draws: &mut Draws) -> f64 {
    (-libm::log(1.0 - draws.uniform())).min(5.0)
}

impl Book {
    fn quote(&mut self, ex: &mut Exchange, maker: u64, index: f64, at: Nanos, draws: &mut Draws, out: &mut Outbox) {
        for order in self.resting.drain(..) {
            ex.house_cancel(maker, order, at, out);
        }
        for (bps, usd) in LEVELS {
            for buy in [true, false] {
                let off = bps / 10_000.0 * draws.between(0.8, 1.2);
                let price = self.grid.price(index * if buy { 1.0 - off } else { 1.0 + off }, !buy);
                let amount = self.grid.amount(usd * draws.between(0.5, 1.5) / index);
                let tif = TimeInForce::PostOnly;
                if let Ok(fill) = ex.house_order(maker, self.instrument, buy, price, amount, tif, at, out) {
                    self.resting.push(fill.order);
                }
            }
        }
        self.anchor = index;
        self.due = at.plus((draws.between(20.0, 40.0) * 1_000.0) as u64 * MS);
    }

    #[allow(clippy::too_many_arguments)]
    fn take(
        &self,
        ex: &mut Exchange,
        taker: u64,
        index: f64,
        buy: bool,
        at: Nanos,
        draws: &mut Draws,
        out: &mut Outbox,
    ) -> bool {
        let concession = draws.between(CONCESSION_BPS.0, CONCESSION_BPS.1) / 10_000.0;
        let price = self.grid.price(index * if buy { 1.0 + concession } else { 1.0 - concession }, !buy);
        let amount = self.grid.amount(TAKER_USD * exponential(draws) / index);
        let sent = ex.house_order(taker, self.instrument, buy, price, amount, TimeInForce::Ioc, at, out);
        sent.is_ok_and(|fill| !fill.filled.is_zero())
    }
}
