//! A price-time order book: best price first, then first come.

use super::OrderId;
use crate::base::ids::Side;
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// An order's place in the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resting {
    /// The order.
    pub order: OrderId,
    /// Its subaccount.
    pub sub: u64,
    /// Limit price.
    pub price: Decimal,
    /// Amount still open.
    pub amount: Decimal,
}

/// What an incoming order would take.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sweep {
    /// Makers in order with the amount taken from each.
    pub fills: Vec<(Resting, Decimal)>,
    /// Sum of the amounts.
    pub filled: Decimal,
    /// The sweep met an order of its own subaccount before it was done.
    pub self_cross: bool,
    /// The sweep met more makers than one order may.
    pub capped: bool,
}

/// Makers one order may take from (`max_crossed_orders`).
pub const CROSSED_MAX: usize = 200;

/// Resting orders of one instrument. Keys grow in matching priority on both sides.
#[derive(Clone, Debug, Default)]
pub struct Book {
    bids: BTreeMap<(Decimal, u64), Resting>,
    asks: BTreeMap<(Decimal, u64), Resting>,
    keys: BTreeMap<OrderId, (Side, (Decimal, u64))>,
    arrivals: u64,
    /// Grows with every change.
    pub version: u64,
}

impl Book {
    fn side(&self, side: Side) -> &BTreeMap<(Decimal, u64), Resting> {
        match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        }
    }

    fn side_mut(&mut self, side: Side) -> &mut BTreeMap<(Decimal, u64), Resting> {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }

    /// Adds an order behind all others of its price.
    pub fn rest(&mut self, side: Side, resting: Resting) {
        self.arrivals += 1;
        let price = if side == Side::Buy { -resting.price } else { resting.price };
        let key = (price, self.arrivals);
        self.keys.insert(resting.order, (side, key));
        self.side_mut(side).insert(key, resting);
        self.version += 1;
    }

    /// Takes an order out; `None` if it does not rest here.
    pub fn remove(&mut self, order: OrderId) -> Option<Resting> {
        let (side, key) = self.keys.remove(&order)?;
        self.version += 1;
        self.side_mut(side).remove(&key)
    }

    /// Takes `amount` from a resting order and drops it when nothing is left.
    pub fn reduce(&mut self, order: OrderId, amount: Decimal) {
        let Some(&(side, key)) = self.keys.get(&order) else { return };
        self.version += 1;
        if let Some(resting) = self.side_mut(side).get_mut(&key) {
            resting.amount -= amount;
            if resting.amount > Decimal::ZERO {
                return;
            }
        }
        self.remove(order);
    }

    /// Every resting order.
    pub fn orders(&self) -> impl Iterator<Item = OrderId> {
        self.keys.keys().copied()
    }

    /// Best resting order of a side.
    pub fn best(&self, side: Side) -> Option<&Resting> {
        self.side(side).values().next()
    }

    /// What an order of `sub` on `side` up to `limit` would take, without taking it.
    pub fn sweep(&self, sub: u64, side: Side, limit: Decimal, amount: Decimal) -> Sweep {
        let mut sweep = Sweep::default();
        for maker in self.side(side.opposite()).values() {
            let crosses = if side == Side::Buy { maker.price <= limit } else { maker.price >= limit };
            if !crosses || sweep.filled >= amount {
                break;
            }
            if maker.sub == sub {
                sweep.self_cross = true;
                break;
            }
            if sweep.fills.len() == CROSSED_MAX {
                sweep.capped = true;
                break;
            }
            let take = maker.amount.min(amount - sweep.filled);
            sweep.filled += take;
            sweep.fills.push((*maker, take));
        }
        sweep
    }

    /// Price levels of a side, best first: price and total amount. Prices are grouped outward to multiples of `group`.
    pub fn levels(&self, side: Side, group: Decimal, depth: usize) -> Vec<(Decimal, Decimal)> {
        let mut levels: Vec<(Decimal, Decimal)> = Vec::with_capacity(depth);
        for resting in self.side(side).values() {
            let price = match side {
                Side::Buy => super::money::floor_to(resting.price, group),
                Side::Sell => super::money::ceil_to(resting.price, group),
            };
            let full = levels.len() == depth;
            match levels.last_mut() {
                Some(level) if level.0 == price => level.1 += resting.amount,
                _ if full => break,
                _ => levels.push((price, resting.amount)),
            }
        }
        levels
    }

    /// Average price of taking `notional` of quote currency from a side, or of all there is; `None` if empty.
    pub fn impact_price(&self, side: Side, notional: Decimal) -> Option<Decimal> {
        let (mut spent, mut bought) = (Decimal::ZERO, Decimal::ZERO);
        for resting in self.side(side).values() {
            let room = notional - spent;
            if room <= Decimal::ZERO {
                break;
            }
            let value = (resting.price * resting.amount).min(room);
            spent += value;
            bought += value / resting.price;
        }
        (bought > Decimal::ZERO).then(|| spent / bought)
    }
}
