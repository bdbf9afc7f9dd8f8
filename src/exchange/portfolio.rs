//! What an account holds: subaccounts, collaterals, positions, open orders, market-maker protection.

use super::account::{Holding, Subaccount};
use super::catalog::{CASH, MANAGER_SM, PERP_IM, PERP_MM, UNIVERSE};
use super::keys::Need;
use super::mmp::Mmp;
use super::money::{constant, json as decimal, truncate};
use super::options::OptionPosition;
use super::order::Order;
use super::params::invalid;
use super::position::Position;
use super::public::now;
use super::rpc::{Answer, Call, Method};
use super::{Exchange, Refusal};
use crate::base::time::Nanos;
use rust_decimal::Decimal;
use serde_json::{Value, json};

/// Methods of this module.
pub const METHODS: &[Method] = &[
    Method::new("private/get_subaccount", get_subaccount),
    Method::new("private/get_subaccounts", get_subaccounts),
    Method::new("private/get_all_portfolios", get_all_portfolios),
    Method::new("private/get_collaterals", get_collaterals),
    Method::new("private/get_positions", get_positions),
    Method::new("private/get_open_orders", get_open_orders),
    Method::new("private/get_trigger_orders", no_orders),
    Method::new("private/get_algo_orders", no_algo_orders),
    Method::new("private/get_order", get_order),
    Method::new("private/change_subaccount_label", change_label),
    Method::new("private/set_mmp_config", set_mmp_config),
    Method::new("private/get_mmp_config", get_mmp_config),
    Method::new("private/reset_mmp", reset_mmp),
];

fn get_subaccount(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let id = call.subaccount(exchange, Need::Read)?;
    now(exchange.subaccount_json(id))
}

fn get_subaccounts(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let wallet = call.wallet(exchange, Need::Read)?;
    now(json!({ "wallet": wallet.to_string(), "subaccount_ids": exchange.wallet(wallet)?.subaccounts }))
}

fn get_all_portfolios(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let wallet = call.wallet(exchange, Need::Read)?;
    now(exchange.wallet(wallet)?.subaccounts.iter().map(|id| exchange.subaccount_json(*id)).collect())
}

fn get_collaterals(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let id = call.subaccount(exchange, Need::Read)?;
    now(json!({ "subaccount_id": id, "collaterals": exchange.subaccount_json(id)["collaterals"] }))
}

fn get_positions(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let id = call.subaccount(exchange, Need::Read)?;
    now(json!({ "subaccount_id": id, "positions": exchange.subaccount_json(id)["positions"] }))
}

fn get_open_orders(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let id = call.subaccount(exchange, Need::Read)?;
    now(json!({ "subaccount_id": id, "orders": exchange.open_orders_json(id) }))
}

fn no_orders(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let id = call.subaccount(exchange, Need::Read)?;
    now(json!({ "subaccount_id": id, "orders": [] }))
}

fn no_algo_orders(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    call.subaccount(exchange, Need::Read)?;
    now(json!([]))
}

fn get_order(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let sub = call.subaccount(exchange, Need::Read)?;
    let id = call.params.uuid("order_id")?;
    let open = exchange.orders.get(&id).filter(|o| o.sub == sub);
    let ended = || exchange.subs.get(&sub).and_then(|s| s.ended.iter().rev().find(|o| o.id == id));
    let order = open.or_else(ended).ok_or_else(|| Refusal::because(11006, format!("{id:?}")))?;
    now(order.json())
}

fn change_label(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let id = call.subaccount(exchange, Need::AnyTrade)?;
    let label = call.params.text("label")?;
    if let Some(sub) = exchange.subs.get_mut(&id) {
        sub.label = label.to_string();
    }
    now(json!({ "subaccount_id": id, "label": label }))
}

fn mmp_currency(exchange: &Exchange, name: &str) -> Result<String, Refusal> {
    exchange.find_asset(name).map(|a| a.name.to_string()).ok_or_else(|| Refusal::because(12002, name))
}

fn set_mmp_config(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let id = call.subaccount(exchange, Need::AnyTrade)?;
    let p = call.params;
    let currency = mmp_currency(exchange, p.text("currency")?)?;
    let (interval_ms, frozen_ms) = (p.u64("mmp_interval")?, p.u64("mmp_frozen_time")?);
    if !(1..=86_400_000).contains(&interval_ms) || frozen_ms > 86_400_000 {
        return Err(invalid("mmp_interval, mmp_frozen_time", "1 to 86400000 ms, 0 to 86400000 ms"));
    }
    let limit = |field| match p.opt_decimal(field)? {
        Some(value) if value < Decimal::ZERO => Err(invalid(field, "zero or more")),
        value => Ok(value.unwrap_or_default()),
    };
    let (amount_limit, delta_limit) = (limit("mmp_amount_limit")?, limit("mmp_delta_limit")?);
    let sub = exchange.subs.get_mut(&id).ok_or_else(|| Refusal::of(14001))?;
    let mmp = sub.mmp.entry(currency.clone()).or_insert_with(Mmp::default);
    (mmp.amount_limit, mmp.delta_limit) = (amount_limit, delta_limit);
    (mmp.interval_ms, mmp.frozen_ms) = (interval_ms, frozen_ms);
    now(mmp.config_json(id, &currency))
}

fn get_mmp_config(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let id = call.subaccount(exchange, Need::Read)?;
    let wanted = call.params.opt_text("currency")?;
    let configured = exchange.subs.get(&id).into_iter().flat_map(|s| &s.mmp);
    let rows = configured.filter(|(c, _)| wanted.is_none_or(|w| w == *c)).map(|(c, m)| m.json(id, c, call.at));
    now(rows.collect())
}

fn reset_mmp(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let id = call.subaccount(exchange, Need::AnyTrade)?;
    let wanted = call.params.opt_text("currency")?;
    let sub = exchange.subs.get_mut(&id).ok_or_else(|| Refusal::of(14001))?;
    sub.mmp.iter_mut().filter(|(c, _)| wanted.is_none_or(|w| w == *c)).for_each(|(_, m)| m.reset());
    now(json!("ok"))
}

impl Exchange {
    fn open_orders_json(&self, id: u64) -> Vec<Value> {
        let open = self.subs.get(&id).into_iter().flat_map(|s| &s.open);
        open.filter_map(|id| self.orders.get(id)).map(Order::json).collect()
    }

    /// The `Subaccount` schema.
    pub(super) fn subaccount_json(&self, id: u64) -> Value {
        let Some(sub) = self.subs.get(&id) else { return Value::Null };
        let margin = self.margin_of(sub);
        let collaterals: Vec<Value> = sub.holdings.iter().map(|(name, h)| self.collateral_json(sub, name, h)).collect();
        let perps = sub.positions.iter().map(|(ix, p)| self.position_json(*ix, p));
        let options = sub.options.iter().map(|(ix, p)| self.option_position_json(*ix, p));
        let positions: Vec<Value> = perps.chain(options).collect();
        let currencies: Vec<&str> = self.assets.iter().map(|a| a.name).collect();
        json!({
            "subaccount_id": id, "label": sub.label, "manager_id": MANAGER_SM, "risk_universe_id": UNIVERSE,
            "margin_type": "SM", "currency": currencies, "failed_to_fetch": false, "mm_credits": "0",
            "is_under_liquidation": margin.maintenance() < Decimal::ZERO, "vault_deposit_holds": [],
            "subaccount_value": decimal(margin.value()), "initial_margin": decimal(margin.initial()),
            "maintenance_margin": decimal(margin.maintenance()),
            "collaterals_value": decimal(margin.collaterals_value),
            "collaterals_initial_margin": decimal(margin.collaterals_im),
            "collaterals_maintenance_margin": decimal(margin.collaterals_mm),
            "positions_value": decimal(margin.positions_value),
            "positions_initial_margin": decimal(margin.positions_im),
            "positions_maintenance_margin": decimal(margin.positions_mm),
            "open_orders_margin": decimal(self.open_orders_margin(sub, None)), "projected_margin_change": "0",
            "collaterals": collaterals, "positions": positions, "open_orders": self.open_orders_json(id),
        })
    }

    fn collateral_json(&self, sub: &Subaccount, name: &str, holding: &Holding) -> Value {
        let (im_factor, mm_factor) =
            self.find_asset(name).map_or((Decimal::ZERO, Decimal::ZERO), |a| (a.im_factor, a.mm_factor));
        let price = self.spot_price(name);
        let cash = name == CASH;
        let pending = if cash { sub.interest_due(&self.lending) } else { Decimal::ZERO };
        let value = truncate(holding.amount * price);
        let counted = truncate((holding.amount + pending) * price);
        let spot = self.find_instrument(&format!("{name}-{CASH}"));
        let step = spot.map_or(constant("0.000001"), |ix| self.instruments[ix].step);
        let interest = if cash { sub.cumulative_interest } else { Decimal::ZERO };
        json!({
            "asset_name": name, "asset_type": "erc20", "currency": name, "amount": decimal(holding.amount),
            "amount_step": decimal(step), "mark_price": decimal(price), "mark_value": decimal(value),
            "initial_margin": decimal(counted * im_factor), "maintenance_margin": decimal(counted * mm_factor),
            "open_orders_margin": "0", "cumulative_interest": decimal(interest), "pending_interest": decimal(pending),
            "average_price": decimal(if cash { Decimal::ONE } else { holding.average }),
            "average_price_excl_fees": decimal(if cash { Decimal::ONE } else { holding.average_excl }),
            "realized_pnl": decimal(holding.realized), "realized_pnl_excl_fees": decimal(holding.realized_excl),
            "unrealized_pnl": decimal(if cash { Decimal::ZERO } else { (price - holding.average) * holding.amount }),
            "unrealized_pnl_excl_fees":
                decimal(if cash { Decimal::ZERO } else { (price - holding.average_excl) * holding.amount }),
            "total_fees": decimal(holding.fees), "creation_timestamp": holding.created_ms,
            "delta": if cash { "0" } else { "1" }, "delta_currency": name,
        })
    }

    fn position_json(&self, ix: usize, position: &Position) -> Value {
        let instrument = &self.instruments[ix];
        let (mark, aggregate) = (self.mark_of(ix), self.markets[ix].perp.aggregate_funding);
        let unsettled = position.unsettled(mark, aggregate);
        let mark_value = unsettled.pnl + unsettled.funding;
        let notional = position.amount.abs() * mark;
        let need = |share| mark_value - truncate(notional * constant(share));
        let leverage = (Decimal::ONE / constant(PERP_IM)).round_dp(12);
        json!({
            "instrument_name": instrument.name, "instrument_type": "perp", "amount": decimal(position.amount),
            "amount_step": decimal(instrument.step), "average_price": decimal(position.average),
            "average_price_excl_fees": decimal(position.average_excl), "mark_price": decimal(mark),
            "index_price": decimal(self.index_of(ix)), "mark_value": decimal(mark_value),
            "initial_margin": decimal(need(PERP_IM)), "maintenance_margin": decimal(need(PERP_MM)),
            "open_orders_margin": "0", "net_settlements": decimal(position.net_settlements),
            "cumulative_funding": decimal(position.cumulative_funding), "pending_funding": decimal(unsettled.funding),
            "realized_pnl": decimal(position.realized), "realized_pnl_excl_fees": decimal(position.realized_excl),
            "unrealized_pnl": decimal(position.net_settlements + mark_value),
            "unrealized_pnl_excl_fees": decimal((mark - position.average_excl) * position.amount),
            "total_fees": decimal(position.fees), "creation_timestamp": position.created_ms,
            "leverage": decimal(leverage), "liquidation_price": null,
            "delta": "1", "gamma": "0", "vega": "0", "theta": "0",
        })
    }

    /// The `Position` schema of an option. Its margins are those it would have alone.
    fn option_position_json(&self, ix: usize, position: &OptionPosition) -> Value {
        let instrument = &self.instruments[ix];
        let (mark, amount) = (self.mark_of(ix), position.amount);
        let alone = self.expiry_books(&[(ix, amount)].into());
        let margin = |initial| alone.values().map(|book| book.margin(initial)).sum::<Decimal>();
        let [delta, gamma, vega, theta] =
            instrument.terms.map(|terms| self.greek_decimals(&terms)).unwrap_or_default().map(decimal);
        json!({
            "instrument_name": instrument.name, "instrument_type": "option", "amount": decimal(amount),
            "amount_step": decimal(instrument.step), "average_price": decimal(position.average),
            "average_price_excl_fees": decimal(position.average_excl), "mark_price": decimal(mark),
            "index_price": decimal(self.index_of(ix)), "mark_value": decimal(truncate(mark * amount)),
            "initial_margin": decimal(margin(true)), "maintenance_margin": decimal(margin(false)),
            "open_orders_margin": "0", "net_settlements": "0", "cumulative_funding": "0", "pending_funding": "0",
            "realized_pnl": decimal(position.realized), "realized_pnl_excl_fees": decimal(position.realized_excl),
            "unrealized_pnl": decimal(truncate((mark - position.average) * amount)),
            "unrealized_pnl_excl_fees": decimal(truncate((mark - position.average_excl) * amount)),
            "total_fees": decimal(position.fees), "creation_timestamp": position.created_ms,
            "leverage": null, "liquidation_price": null,
            "delta": delta, "gamma": gamma, "vega": vega, "theta": theta,
        })
    }

    /// Accounts below maintenance margin, as `margin.watch` shows them.
    pub(super) fn margin_watch(&self, at: Nanos) -> Vec<Value> {
        let below = self.subs.iter().filter(|(_, s)| !s.house).filter(|(_, s)| {
            let exposed = !s.positions.is_empty() || !s.options.is_empty() || s.balance(CASH).is_sign_negative();
            exposed && self.margin_of(s).maintenance() < Decimal::ZERO
        });
        let row = |(id, _): (&u64, &Subaccount)| {
            let full = self.subaccount_json(*id);
            json!({
                "subaccount_id": id, "margin_type": "SM", "currency": "USDC", "valuation_timestamp": at.secs(),
                "initial_margin": full["initial_margin"], "maintenance_margin": full["maintenance_margin"],
                "subaccount_value": full["subaccount_value"], "collaterals": full["collaterals"],
                "positions": full["positions"],
            })
        };
        below.map(row).collect()
    }
}
