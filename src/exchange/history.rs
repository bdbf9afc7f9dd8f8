//! What happened to an account: ended orders, fills, funding, interest; and histories that are empty here by nature.

use super::account::Subaccount;
use super::keys::Need;
use super::money::json as decimal;
use super::order::{Order, TradeRow};
use super::params::{invalid, paginate};
use super::public::now;
use super::rpc::{Answer, Call, Method};
use super::{Exchange, Refusal};
use serde_json::{Value, json};

/// Methods of this module.
pub const METHODS: &[Method] = &[
    Method::new("private/get_order_history", get_order_history),
    Method::new("private/get_trade_history", get_trade_history),
    Method::new("private/get_funding_history", get_funding_history),
    Method::new("private/get_interest_history", get_interest_history),
    Method::new("private/get_deposit_history", |e, c| none_of(e, c, "deposits")),
    Method::new("private/get_withdrawal_history", |e, c| none_of(e, c, "withdrawals")),
    Method::new("private/get_erc20_transfer_history", |e, c| none_of(e, c, "transfers")),
];

/// A well-formed empty page: nothing of the kind exists on this exchange yet.
fn none_of(exchange: &mut Exchange, call: &Call, rows: &str) -> Result<Answer, Refusal> {
    subaccounts_asked(exchange, call)?;
    now(json!({ rows: [], "pagination": { "count": 0, "num_pages": 0 } }))
}

/// The subaccounts of a request that names either one or a whole wallet.
pub(super) fn subaccounts_asked(exchange: &Exchange, call: &Call) -> Result<Vec<u64>, Refusal> {
    match (call.params.opt_u64("subaccount_id")?, call.params.opt_text("wallet")?) {
        (Some(_), _) => call.subaccount(exchange, Need::Read).map(|id| vec![id]),
        (None, Some(_)) => {
            let wallet = call.wallet(exchange, Need::Read)?;
            Ok(exchange.wallet(wallet)?.subaccounts.clone())
        }
        (None, None) => Err(invalid("subaccount_id", "a subaccount_id or a wallet")),
    }
}

fn window(call: &Call, from: &str, to: &str) -> Result<std::ops::RangeInclusive<u64>, Refusal> {
    Ok(call.params.opt_u64(from)?.unwrap_or(0)..=call.params.opt_u64(to)?.unwrap_or(u64::MAX))
}

/// The subaccounts of some ids that exist.
pub(super) fn subaccounts<'a>(exchange: &'a Exchange, ids: &'a [u64]) -> impl Iterator<Item = (u64, &'a Subaccount)> {
    ids.iter().filter_map(|id| Some((*id, exchange.subs.get(id)?)))
}

fn get_order_history(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let ids = subaccounts_asked(exchange, call)?;
    let window = window(call, "from_timestamp", "to_timestamp")?;
    let mut rows: Vec<&Order> = subaccounts(exchange, &ids).flat_map(|(_, s)| &s.ended).collect();
    rows.retain(|o| window.contains(&o.created_ms));
    rows.sort_by_key(|o| std::cmp::Reverse(o.updated_ms));
    let (page, size) = call.params.page()?;
    let (rows, pagination) = paginate(rows, page, size);
    let orders: Vec<Value> = rows.into_iter().map(Order::json).collect();
    now(json!({ "subaccount_id": ids.first(), "orders": orders, "pagination": pagination }))
}

fn get_trade_history(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let p = call.params;
    let ids = subaccounts_asked(exchange, call)?;
    let window = window(call, "from_timestamp", "to_timestamp")?;
    let (name, order, quote) = (p.opt_text("instrument_name")?, p.opt_uuid("order_id")?, p.opt_uuid("quote_id")?);
    let mut rows: Vec<&TradeRow> = subaccounts(exchange, &ids).flat_map(|(_, s)| &s.trades).collect();
    rows.retain(|t| {
        let named = name.is_none_or(|n| *n == *t.instrument_name) && order.is_none_or(|o| o == t.order);
        let quoted = quote.is_none_or(|q| t.rfq.is_some_and(|(_, quote)| quote == q));
        named && quoted && window.contains(&t.at_ms)
    });
    rows.sort_by_key(|t| std::cmp::Reverse(t.at_ms));
    let (page, size) = p.page()?;
    let (rows, pagination) = paginate(rows, page, size);
    let trades: Vec<Value> = rows.into_iter().map(TradeRow::private_json).collect();
    now(json!({ "subaccount_id": ids.first(), "trades": trades, "pagination": pagination }))
}

fn get_funding_history(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let ids = subaccounts_asked(exchange, call)?;
    let window = window(call, "start_timestamp", "end_timestamp")?;
    let wanted = call.params.opt_text("instrument_name")?;
    let rows = subaccounts(exchange, &ids).flat_map(|(id, s)| s.settlements.iter().rev().map(move |row| (id, row)));
    let events: Vec<Value> = rows
        .filter(|(_, (at, _, _, _))| window.contains(at))
        .map(|(id, (at, ix, pnl, funding))| (id, at, exchange.instruments[*ix].name.clone(), pnl, funding))
        .filter(|(_, _, name, _, _)| wanted.is_none_or(|w| *w == **name))
        .map(|(id, at, name, pnl, funding)| {
            json!({
                "subaccount_id": id, "timestamp": at, "instrument_name": name, "pnl": decimal(*pnl),
                "funding": decimal(*funding), "batch_status": "Batching",
                "batch_uuid": "00000000-0000-4000-8000-000000000000", "tx_hash": null,
            })
        })
        .collect();
    let (page, size) = call.params.page()?;
    let (events, pagination) = paginate(events, page, size);
    now(json!({ "events": events, "pagination": pagination }))
}

fn get_interest_history(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let ids = subaccounts_asked(exchange, call)?;
    let window = window(call, "start_timestamp", "end_timestamp")?;
    let rows = subaccounts(exchange, &ids).flat_map(|(id, s)| s.interest.iter().rev().map(move |row| (id, row)));
    let events: Vec<Value> = rows
        .filter(|(_, (at, _))| window.contains(at))
        .map(|(id, (at, paid))| json!({ "subaccount_id": id, "timestamp": at, "interest": decimal(*paid) }))
        .collect();
    now(json!({ "events": events }))
}
