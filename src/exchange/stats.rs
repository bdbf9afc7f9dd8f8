//! Rolling 24-hour trading statistics of an instrument, kept in minutes.

use super::money::json;
use crate::base::time::Nanos;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::collections::VecDeque;

const MINUTES: u64 = 24 * 60;

#[derive(Clone, Debug, Default)]
struct Minute {
    minute: u64,
    open: Decimal,
    close: Decimal,
    high: Decimal,
    low: Decimal,
    contracts: Decimal,
    notional: Decimal,
    premium: Decimal,
    trades: u64,
}

/// The last 24 hours of one instrument.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    minutes: VecDeque<Minute>,
}

impl Stats {
    /// Notes one trade.
    pub fn on_trade(&mut self, at: Nanos, price: Decimal, index: Decimal, amount: Decimal) {
        let minute = at.secs() / 60;
        if self.minutes.back().is_none_or(|m| m.minute != minute) {
            self.minutes.push_back(Minute { minute, open: price, high: price, low: price, ..Minute::default() });
        }
        while self.minutes.front().is_some_and(|m| m.minute + MINUTES <= minute) {
            self.minutes.pop_front();
        }
        if let Some(m) = self.minutes.back_mut() {
            m.close = price;
            m.high = m.high.max(price);
            m.low = m.low.min(price);
            m.contracts += amount;
            m.notional += index * amount;
            m.premium += price * amount;
            m.trades += 1;
        }
    }

    /// The `stats` member of a ticker.
    pub fn json(&self, at: Nanos, open_interest: Decimal) -> Value {
        let since = (at.secs() / 60 + 1).saturating_sub(MINUTES);
        let live = || self.minutes.iter().filter(move |m| m.minute >= since);
        let sum = |field: fn(&Minute) -> Decimal| json(live().map(field).sum());
        let first = live().next().map_or(Decimal::ZERO, |m| m.open);
        let last = live().next_back().map_or(Decimal::ZERO, |m| m.close);
        let change = if first.is_zero() { Decimal::ZERO } else { (last / first - Decimal::ONE).round_dp(6) };
        json!({
            "c": sum(|m| m.contracts), "v": sum(|m| m.notional), "pr": sum(|m| m.premium),
            "n": live().map(|m| m.trades).sum::<u64>(),
            "h": json(live().map(|m| m.high).max().unwrap_or_default()),
            "l": json(live().map(|m| m.low).min().unwrap_or_default()),
            "p": json(change), "oi": json(open_interest),
        })
    }
}
