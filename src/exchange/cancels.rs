//! Every way of cancelling.

use super::keys::Need;
use super::order::{Order, Status};
use super::outbox::ConnId;
use super::rpc::{Answer, Call, Method};
use super::{Exchange, OrderId, Refusal};
use crate::base::time::Nanos;
use serde_json::json;

/// Methods of this module.
pub const METHODS: &[Method] = &[
    Method::matching("private/cancel", cancel),
    Method::matching("private/cancel_by_nonce", cancel_by_nonce),
    Method::matching("private/cancel_by_instrument", cancel_by_instrument),
    Method::new("private/cancel_by_label", cancel_by_label),
    Method::new("private/cancel_all", cancel_all),
    Method::new("private/cancel_all_trigger_orders", nothing_to_cancel),
    Method::new("private/cancel_all_algo_orders", nothing_to_cancel),
];

const USER: &str = "user_request";

fn cancel(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let sub = call.subaccount(exchange, Need::AnyTrade)?;
    let ix = exchange.find_instrument(call.params.text("instrument_name")?)?;
    let id = call.params.uuid("order_id")?;
    let open = exchange.orders.get(&id).is_some_and(|o| o.sub == sub && o.instrument == ix);
    if !open {
        return Err(exchange.missing_order(sub, id));
    }
    let ended = exchange.end_order(id, Status::Cancelled, USER, call.at);
    ended.map(|o| Answer::Now(o.json())).ok_or_else(|| Refusal::of(11006))
}

fn cancel_by_nonce(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let sub = call.subaccount(exchange, Need::AnyTrade)?;
    let ix = exchange.find_instrument(call.params.text("instrument_name")?)?;
    let nonce = call.params.u64("nonce")?;
    let found = exchange.open_by_nonce(sub, ix, nonce);
    let ended = found.and_then(|id| exchange.end_order(id, Status::Cancelled, USER, call.at));
    Ok(Answer::Now(json!({ "cancelled_orders": i64::from(ended.is_some()) })))
}

fn cancel_by_instrument(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let sub = call.subaccount(exchange, Need::AnyTrade)?;
    let ix = exchange.find_instrument(call.params.text("instrument_name")?)?;
    let count = exchange.cancel_where(sub, USER, call.at, |o| o.instrument == ix);
    Ok(Answer::Now(json!({ "cancelled_orders": count })))
}

/// Without an instrument the venue does not count: it answers −1.
fn cancel_by_label(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let sub = call.subaccount(exchange, Need::AnyTrade)?;
    let label = call.params.text("label")?;
    let instrument = call.params.opt_text("instrument_name")?;
    let ix = instrument.map(|name| exchange.find_instrument(name)).transpose()?;
    let count =
        exchange.cancel_where(sub, USER, call.at, |o| o.label == label && ix.is_none_or(|ix| o.instrument == ix));
    Ok(Answer::Now(json!({ "cancelled_orders": if ix.is_some() { count as i64 } else { -1 } })))
}

fn cancel_all(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let sub = call.subaccount(exchange, Need::AnyTrade)?;
    let count = exchange.cancel_where(sub, USER, call.at, |_| true);
    // v2 counts here as everywhere.
    Ok(Answer::Now(if exchange.settles() { json!({ "cancelled_orders": count }) } else { json!("ok") }))
}

fn nothing_to_cancel(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    call.subaccount(exchange, Need::AnyTrade)?;
    Ok(Answer::Now(json!("ok")))
}

impl Exchange {
    /// Cancels the open orders of a subaccount that satisfy a condition; returns how many.
    pub(super) fn cancel_where(
        &mut self,
        sub: u64,
        reason: &'static str,
        at: Nanos,
        condition: impl Fn(&Order) -> bool,
    ) -> usize {
        let open = self.subs.get(&sub).map(|s| &s.open);
        let chosen: Vec<OrderId> =
            open.into_iter().flatten().filter(|id| self.orders.get(id).is_some_and(&condition)).copied().collect();
        chosen.into_iter().filter_map(|id| self.end_order(id, Status::Cancelled, reason, at)).count()
    }

    /// Cancel-on-disconnect: mmp orders sent on the connection go, those still in the speed bump included, and quotes.
    pub(super) fn cancel_of_connection(&mut self, conn: ConnId, at: Nanos) {
        self.waiting.drop_mmp_of(conn);
        let gone = |o: &&Order| o.mmp && o.conn == Some(conn);
        let chosen: Vec<OrderId> = self.orders.values().filter(gone).map(|o| o.id).collect();
        for id in chosen {
            self.end_order(id, Status::Cancelled, "cancel_on_disconnect", at);
        }
        self.cancel_quotes_where("cancel_on_disconnect", at, |q| q.conn == Some(conn));
    }
}
