//! Public methods: time, instruments, tickers, currencies, feeds, histories everyone may see.

use super::catalog::{CASH, Kind, MANAGER_SM, UNIVERSE, date_text};
use super::money::json as decimal;
use super::params::{invalid, paginate, parse_address};
use super::rpc::{Answer, Call, Method};
use super::session::tx_status;
use super::{Exchange, Refusal};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

/// Methods of this module.
pub const METHODS: &[Method] = &[
    Method::new("public/get_time", |_, call| now(json!(call.at.ms()))),
    Method::new("public/getRateLimits", get_rate_limits),
    Method::new("public/get_live_incidents", |_, _| now(json!({ "incidents": [] }))),
    Method::new("public/get_instrument", get_instrument),
    Method::new("public/get_all_instruments", get_all_instruments),
    Method::new("public/get_instruments", get_instruments),
    Method::new("public/get_all_live_instruments", get_all_live_instruments),
    Method::new("public/get_ticker", get_ticker),
    Method::new("public/get_tickers", get_tickers),
    Method::new("public/get_currency", get_currency),
    Method::new("public/get_all_currencies", get_all_currencies),
    Method::new("public/get_risk_universes", get_risk_universes),
    Method::new("public/get_latest_signed_feeds", super::options::latest_signed_feeds),
    Method::new("public/get_spot_feed", get_spot_feed),
    Method::new("public/get_funding_rate_history", get_funding_rate_history),
    Method::new("public/get_interest_rate_history", get_interest_rate_history),
    Method::new("public/get_trade_history", get_trade_history),
    Method::new("public/get_subaccounts", get_subaccounts),
    Method::new("public/get_wallet", get_wallet),
    Method::new("public/get_wallets_from_session_key", get_wallets_from_session_key),
    Method::new("public/get_live_auctions", |_, _| now(json!({ "auctions": [] }))),
    Method::new("public/get_vaults", |_, _| now(json!({ "vaults": [], "pagination": { "count": 0, "num_pages": 0 } }))),
];

/// An immediate answer.
pub fn now(value: Value) -> Result<Answer, Refusal> {
    Ok(Answer::Now(value))
}

fn get_rate_limits(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let connections = call.conn.map(|_| (exchange.conns.len() as u64, exchange.settings.connections_max as u64));
    let wallet = call.caller.and_then(|c| exchange.wallets.get(&c.wallet));
    let (budgets, tier) = match (wallet, call.conn.and_then(|c| exchange.conns.get(&c))) {
        (Some(wallet), _) => (&wallet.budgets, wallet.tier),
        (None, Some(connection)) => (&connection.budgets, exchange.settings.tier),
        (None, None) => (&exchange.http_budgets, exchange.settings.tier),
    };
    now(budgets.json(tier, connections, call.at))
}

fn get_instrument(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let ix = exchange.find_instrument(call.params.text("instrument_name")?)?;
    now(exchange.instrument_json(ix))
}

fn instruments_asked(exchange: &Exchange, call: &Call) -> Result<Vec<Value>, Refusal> {
    let kind = instrument_type(call)?;
    let currency = call.params.opt_text("currency")?;
    let universe = call.params.opt_u64("risk_universe_id")?;
    let expired = call.params.flag("expired")?;
    let asked = exchange.by_name.values().copied().filter(|ix| {
        let i = &exchange.instruments[*ix];
        (expired || i.terms.is_none_or(|t| t.expiry_s > call.at.secs()))
            && i.kind.wire() == kind
            && currency.is_none_or(|c| c == i.base)
            && universe.is_none_or(|u| u == u64::from(UNIVERSE))
    });
    Ok(asked.map(|ix| exchange.instrument_json(ix)).collect())
}

fn instrument_type<'a>(call: &Call<'a>) -> Result<&'a str, Refusal> {
    let kind = call.params.text("instrument_type")?;
    if ["erc20", "option", "perp"].contains(&kind) {
        Ok(kind)
    } else {
        Err(invalid("instrument_type", "erc20, option or perp"))
    }
}

fn get_all_instruments(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let (page, size) = call.params.page()?;
    let (instruments, pagination) = paginate(instruments_asked(exchange, call)?, page, size);
    now(object([("instruments", Value::Array(instruments)), ("pagination", pagination)]))
}

/// An object of values already made, which `json!` would copy.
pub fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    Value::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn get_instruments(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    now(Value::Array(instruments_asked(exchange, call)?))
}

fn get_all_live_instruments(exchange: &mut Exchange, _: &Call) -> Result<Answer, Refusal> {
    now(exchange.by_name.iter().filter(|(_, ix)| exchange.instruments[**ix].active).map(|(name, _)| &**name).collect())
}

fn get_ticker(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let ix = exchange.find_instrument(call.params.text("instrument_name")?)?;
    now(exchange.ticker_json(ix, call.at))
}

fn get_tickers(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let (kind, currency) = (instrument_type(call)?, call.params.opt_text("currency")?);
    let asked = if kind == "option" {
        options_of_expiry(exchange, call, currency)?
    } else {
        let of_kind = |ix: &usize| {
            let i = &exchange.instruments[*ix];
            i.kind.wire() == kind && currency.is_none_or(|c| c == i.base)
        };
        (0..exchange.standing).filter(of_kind).collect()
    };
    let tickers: Map<String, Value> = asked
        .into_iter()
        .map(|ix| (exchange.instruments[ix].name.to_string(), exchange.ticker_json(ix, call.at)))
        .collect();
    now(object([("tickers", Value::Object(tickers))]))
}

/// Options are asked for one currency and one expiry day at a time.
fn options_of_expiry(exchange: &Exchange, call: &Call, currency: Option<&str>) -> Result<Vec<usize>, Refusal> {
    let currency = currency.ok_or_else(|| invalid("currency", "a currency; required for options"))?;
    let asset = exchange.find_asset(currency).ok_or_else(|| Refusal::because(12002, currency))?;
    let day = call.params.opt_u64("expiry_date")?;
    let day = day.ok_or_else(|| invalid("expiry_date", "a day as YYYYMMDD; required for options"))?.to_string();
    let expiry_s = exchange.expiries(asset.name).into_iter().find(|e| date_text(*e) == day);
    let chain = expiry_s.and_then(|e| exchange.chain(asset.name, e));
    Ok(chain.into_iter().flat_map(|c| c.strikes.values().copied().flatten()).collect())
}

fn get_currency(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let name = call.params.text("currency")?;
    let asset = exchange.find_asset(name).ok_or_else(|| Refusal::because(12002, name))?;
    now(exchange.currency_json(asset))
}

fn get_all_currencies(exchange: &mut Exchange, _: &Call) -> Result<Answer, Refusal> {
    now(exchange.assets.iter().map(|a| exchange.currency_json(a)).collect())
}

fn get_risk_universes(exchange: &mut Exchange, _: &Call) -> Result<Answer, Refusal> {
    let collaterals: Vec<Value> = exchange
        .assets
        .iter()
        .map(|a| {
            json!({
                "name": a.name, "address": a.address.to_string(), "min_deposit_usd": "0",
                "im_discount": decimal(a.im_factor), "mm_discount": decimal(a.mm_factor),
                "erc20": { "decimals": a.decimals, "underlying_erc20": a.underlying.to_string() },
            })
        })
        .collect();
    let names: Vec<&str> = exchange.instruments.iter().filter(|i| i.active).map(|i| &*i.name).collect();
    let cash = exchange.find_asset(CASH).map(|a| a.address.to_string());
    now(json!([{
        "risk_universe_id": UNIVERSE, "name": "PRIME", "description": "embedded exchange",
        "managers": [{
            "manager_id": MANAGER_SM, "margin_type": "SM", "collaterals": collaterals, "instruments": names,
        }],
        "security_module": { "cash_asset": cash, "cash_currency": "USDC", "subaccount_id": 1 },
    }]))
}

fn get_spot_feed(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let name = call.params.opt_text("currency")?;
    if let Some(name) = name.filter(|n| exchange.find_asset(n).is_none()) {
        return Err(Refusal::because(12002, name));
    }
    now(exchange.spot_json(name, call.at))
}

fn history_window(call: &Call) -> Result<(u64, u64), Refusal> {
    let to_s = |ms: u64| ms / 1000;
    let from = call.params.opt_u64("start_timestamp")?.map_or(0, to_s);
    Ok((from, call.params.opt_u64("end_timestamp")?.map_or(u64::MAX, to_s)))
}

fn get_funding_rate_history(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let ix = exchange.find_instrument(call.params.text("instrument_name")?)?;
    if exchange.instruments[ix].kind != Kind::Perp {
        return Err(invalid("instrument_name", "a perp"));
    }
    let (from, to) = history_window(call)?;
    let rows = exchange.rate_history.iter().filter(|r| (from..=to).contains(&r.at_s)).filter_map(|r| {
        let rate = decimal(r.funding.iter().find(|(perp, _)| *perp == ix)?.1);
        Some(json!({
            "currency": exchange.instruments[ix].base, "risk_universe_id": UNIVERSE, "timestamp": r.at_s * 1000,
            "funding_rate": rate, "open": rate, "high": rate, "low": rate, "close": rate,
        }))
    });
    now(json!({ "funding_rate_history": rows.collect::<Vec<_>>() }))
}

fn get_interest_rate_history(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let currency = call.params.text("currency")?;
    if currency != super::catalog::CASH {
        return Err(Refusal::because(12002, format!("{currency}: only USDC is lent")));
    }
    let (from, to) = history_window(call)?;
    let candle = |rate: Decimal| {
        let rate = decimal(rate);
        json!({ "open": rate, "high": rate, "low": rate, "close": rate })
    };
    let rows = exchange.rate_history.iter().filter(|r| (from..=to).contains(&r.at_s)).map(|r| {
        json!({
            "risk_universe_id": UNIVERSE, "timestamp": r.at_s * 1000, "borrow_apy": candle(r.borrow),
            "supply_apy": candle(r.supply), "total_borrow": decimal(r.totals.0), "total_supply": decimal(r.totals.1),
        })
    });
    now(json!({ "interest_rate_history": rows.collect::<Vec<_>>() }))
}

fn get_trade_history(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let p = call.params;
    let (name, currency, kind) =
        (p.opt_text("instrument_name")?, p.opt_text("currency")?, p.opt_text("instrument_type")?);
    let status = p.opt_text("tx_status")?.filter(|_| exchange.settles());
    let status = status.map(tx_status).transpose().map_err(|_| invalid("tx_status", "a state of a fill"))?;
    let (sub, trade) = (p.opt_u64("subaccount_id")?, p.opt_uuid("trade_id")?);
    let from = p.opt_u64("from_timestamp")?.unwrap_or(0);
    let to = p.opt_u64("to_timestamp")?.unwrap_or(u64::MAX);
    let of_instrument = |n: &str| match exchange.by_name.get(n).map(|ix| &exchange.instruments[*ix]) {
        Some(i) => currency.is_none_or(|c| c == i.base) && kind.is_none_or(|k| k == i.kind.wire()),
        // An option whose place has gone to another: its name tells what it was.
        None => currency.is_none_or(|c| n.split('-').next() == Some(c)) && kind.is_none_or(|k| k == "option"),
    };
    let rows: Vec<&super::order::TradeRow> = exchange
        .public_trades
        .iter()
        .rev()
        .filter(|t| name.is_none_or(|n| *n == *t.instrument_name) && of_instrument(&t.instrument_name))
        .filter(|t| sub.is_none_or(|s| s == t.sub) && trade.is_none_or(|id| id == t.trade_id))
        .filter(|t| (from..=to).contains(&t.at_ms) && t.is_in(status))
        .collect();
    let (page, size) = p.page()?;
    let (rows, pagination) = paginate(rows, page, size);
    let trades: Vec<Value> = rows.into_iter().map(super::order::TradeRow::settled_json).collect();
    now(json!({ "trades": trades, "pagination": pagination }))
}

fn get_subaccounts(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let wallet = call.params.address("wallet")?;
    let subaccounts = &exchange.wallet(wallet)?.subaccounts;
    now(json!({ "wallet": wallet.to_string(), "subaccount_ids": subaccounts }))
}

fn get_wallet(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let id = call.params.u64("subaccount_id")?;
    let sub = exchange.subs.get(&id).ok_or_else(|| Refusal::because(14001, id.to_string()))?;
    now(json!({ "wallet": sub.wallet.to_string(), "subaccount_id": id }))
}

fn get_wallets_from_session_key(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let text = call.params.text("public_session_key")?;
    let key = parse_address(text).ok_or_else(|| Refusal::because(14013, "public_session_key"))?;
    let holders = exchange.wallets.iter().filter(|(_, w)| w.keys.get(&key).is_some_and(|k| k.is_live(call.at)));
    now(json!({ "wallets": holders.map(|(address, _)| address.to_string()).collect::<Vec<_>>() }))
}
