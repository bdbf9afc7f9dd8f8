//! What an operation changed, collected while it runs and told to listeners when it is over.

use super::Exchange;
use super::account::keep;
use super::order::{Order, TradeRow};
use super::outbox::{Out, Outbox};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Changes not yet told.
#[derive(Clone, Debug, Default)]
pub struct Events {
    orders: BTreeMap<u64, Vec<Value>>,
    trades: BTreeMap<u64, Vec<Value>>,
    balances: BTreeMap<u64, Vec<Value>>,
    /// By whole channel name: public trades, requests for quotes and quotes.
    public: BTreeMap<String, Vec<Value>>,
}

impl Exchange {
    /// Notes a changed order for its owner.
    pub(super) fn note_order(&mut self, order: &Order) {
        if self.heard(&format!("{}.orders", order.sub)) {
            self.events.orders.entry(order.sub).or_default().push(order.json());
        }
    }

    /// Notes one side of a match: for its owner, for the public, for the records.
    pub(super) fn note_trade(&mut self, row: TradeRow, instrument: usize) {
        self.tell_trade(&row);
        let traded = &self.instruments[instrument];
        let by_kind = format!("trades.{}.{}", traded.kind.wire(), traded.base);
        for channel in [format!("trades.{}", traded.name), by_kind] {
            if self.heard(&channel) {
                self.events.public.entry(channel).or_default().push(row.public_json());
            }
        }
        keep(&mut self.public_trades, row.clone());
        if let Some(sub) = self.subs.get_mut(&row.sub) {
            keep(&mut sub.trades, row);
        }
    }

    /// Tells the owner of a fill, and on v2 those who listen for the state it is in.
    pub(super) fn tell_trade(&mut self, row: &TradeRow) {
        if self.heard(&format!("{}.trades", row.sub)) {
            self.events.trades.entry(row.sub).or_default().push(row.private_json());
        }
        let Some(tx) = row.tx else { return };
        let own = format!("{}.trades.{}", row.sub, tx.status.wire());
        if self.heard(&own) {
            self.note_row(own, row.private_json());
        }
        let Ok(ix) = self.find_instrument(&row.instrument_name) else { return };
        let traded = &self.instruments[ix];
        let by_kind = format!("trades.{}.{}.{}", traded.kind.wire(), traded.base, tx.status.wire());
        if self.heard(&by_kind) {
            self.note_row(by_kind, row.public_json());
        }
    }

    /// Notes a changed balance for its owner.
    pub(super) fn note_balance(&mut self, sub: u64, name: &str, before: Decimal, after: Decimal, why: &str) {
        if before != after && self.heard(&format!("{sub}.balances")) {
            self.events.balances.entry(sub).or_default().push(json!({
                "name": name, "previous_balance": super::money::json(before),
                "new_balance": super::money::json(after), "update_type": why,
            }));
        }
    }

    /// Notes one row for the listeners of a channel.
    pub(super) fn note_row(&mut self, channel: String, row: Value) {
        self.events.public.entry(channel).or_default().push(row);
    }

    /// Tells listeners everything noted.
    pub(super) fn flush(&mut self, out: &mut Outbox) {
        let Events { orders, trades, balances, public } = std::mem::take(&mut self.events);
        for (name, groups) in [("orders", orders), ("trades", trades), ("balances", balances)] {
            for (sub, rows) in groups {
                self.publish(&format!("{sub}.{name}"), Value::Array(rows), out);
            }
        }
        for (channel, rows) in public {
            self.publish(&channel, Value::Array(rows), out);
        }
    }

    /// Sends one notification to all listeners of a channel.
    pub(super) fn publish(&self, channel: &str, data: Value, out: &mut Outbox) {
        let Some(topic) = self.topics.get(channel) else { return };
        // Written out rather than put together: `json!` would copy the data once more.
        let channel = Value::from(channel);
        let text = format!(r#"{{"method":"subscription","params":{{"channel":{channel},"data":{data}}}}}"#);
        out.extend(topic.conns.iter().map(|conn| Out::Text { conn: *conn, text: text.clone() }));
    }
}
