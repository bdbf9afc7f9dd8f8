//! Dry runs: what an order would do, and what margin would be after changes.

use super::catalog::{CASH, Kind};
use super::execution::Reach;
use super::fees::fee;
use super::keys::Need;
use super::margin::Portfolio;
use super::money::{DECIMALS, json as decimal, truncate};
use super::order::Order;
use super::params::{Params, invalid};
use super::public::now;
use super::rpc::{Answer, Call};
use super::{Exchange, Refusal, TimeInForce};
use rust_decimal::Decimal;
use serde_json::{Value, json};

/// `public/order_quote` and `private/order_quote`: everything but the signature is taken seriously.
pub fn order_quote(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let mut order = exchange.read_order(call)?;
    if !exchange.subs.contains_key(&order.sub) {
        return Err(Refusal::because(14001, order.sub.to_string()));
    }
    exchange.check_grid(order.instrument, order.limit_price, order.amount)?;
    let verdict = exchange.check_entry(&order, call.at).and_then(|()| exchange.reach(&mut order));
    let checked = verdict.and_then(|reach| {
        exchange.check_against_book(&order, reach)?;
        exchange.check_funds(&order, reach).map(|()| reach)
    });
    let reach = match &checked {
        Ok(reach) => *reach,
        Err(_) => Reach { limit: Some(order.limit_price), amount: order.amount },
    };
    now(exchange.quote_json(&order, reach, checked.err()))
}

impl Exchange {
    fn quote_json(&self, order: &Order, reach: Reach, refusal: Option<Refusal>) -> Value {
        let instrument = &self.instruments[order.instrument];
        let book = &self.markets[order.instrument].book;
        let sweep = reach.limit.map(|l| book.sweep(order.sub, order.side, l, reach.amount)).unwrap_or_default();
        let value: Decimal = sweep.fills.iter().map(|(maker, amount)| maker.price * amount).sum();
        let price = if sweep.filled.is_zero() { order.limit_price } else { truncate(value / sweep.filled) };
        let prices = self.fee_prices(order.instrument, price);
        let taker = !sweep.filled.is_zero();
        let estimated_fee = fee(instrument, taker, prices, order.amount, true);
        let suggested = fee(instrument, true, prices, order.amount, true) / order.amount * Decimal::TWO;
        let margin = self.subs.get(&order.sub).map(|s| (self.margin_of(s).initial(), s));
        let (before, after) = margin.map_or((Decimal::ZERO, Decimal::ZERO), |(initial, sub)| {
            let limit = reach.limit.unwrap_or(order.limit_price);
            (initial, initial + self.open_orders_margin(sub, Some((order, limit))))
        });
        let rests = matches!(order.tif, TimeInForce::Gtc | TimeInForce::PostOnly) && !order.market;
        let status = match (&refusal, sweep.filled >= order.amount, rests) {
            (Some(_), _, _) => "rejected",
            (None, true, _) => "filled",
            (None, false, true) => "open",
            (None, false, false) => "cancelled",
        };
        json!({
            "estimated_fee": decimal(estimated_fee), "estimated_fill_amount": decimal(sweep.filled),
            "estimated_fill_price": decimal(price), "estimated_order_status": status,
            "estimated_realized_pnl": "0", "estimated_realized_pnl_excl_fees": "0",
            "is_valid": refusal.is_none(), "invalid_reason": refusal.as_ref().map(reason),
            "max_amount": null, "pre_initial_margin": decimal(before), "post_initial_margin": decimal(after),
            "post_liquidation_price": null, "suggested_max_fee": decimal(suggested),
        })
    }

    fn simulated(&self, call: &Call, mut portfolio: Portfolio) -> Result<Portfolio, Refusal> {
        let p = call.params;
        for row in p.opt_list("simulated_collateral_changes")?.unwrap_or(&[]) {
            let (name, amount) = named_amount(row, "asset_name")?;
            let asset = self.find_asset(name).ok_or_else(|| Refusal::because(12000, name))?;
            *portfolio.assets.entry(asset.name).or_default() += amount;
        }
        for row in p.opt_list("simulated_position_changes")?.unwrap_or(&[]) {
            self.add_position(&mut portfolio, row)?;
        }
        Ok(portfolio)
    }

    fn add_position(&self, portfolio: &mut Portfolio, row: &Value) -> Result<(), Refusal> {
        let (name, amount) = named_amount(row, "instrument_name")?;
        let ix = self.find_instrument(name)?;
        match self.instruments[ix].kind {
            Kind::Erc20 => return Err(invalid("instrument_name", "a perp or an option; spot is collateral")),
            Kind::Option => {
                *portfolio.options.entry(ix).or_default() += amount;
                return Ok(());
            }
            Kind::Perp => {}
        }
        let entry = row.as_object().map(|o| Params(o, DECIMALS).opt_decimal("entry_price")).transpose()?.flatten();
        let pnl = entry.map_or(Decimal::ZERO, |entry| truncate((self.mark_of(ix) - entry) * amount));
        let perp = portfolio.perps.entry(ix).or_default();
        perp.0 += amount;
        perp.1 += pnl;
        Ok(())
    }

    fn margin_json(&self, id: u64, before: &Portfolio, after: &Portfolio) -> Value {
        let (pre, post) = (self.margin(before), self.margin(after));
        let healthy = post.maintenance() >= Decimal::ZERO;
        let valid = post.initial() >= Decimal::ZERO || (healthy && post.initial() >= pre.initial());
        json!({
            "subaccount_id": id, "is_valid_trade": valid,
            "pre_initial_margin": decimal(pre.initial()), "pre_maintenance_margin": decimal(pre.maintenance()),
            "post_initial_margin": decimal(post.initial()), "post_maintenance_margin": decimal(post.maintenance()),
        })
    }
}

/// The venue's words for common refusals (Derive §6, `invalid_reason`).
fn reason(refusal: &Refusal) -> String {
    match refusal.code {
        11000 => "Insufficient buying power, consider reducing order size.".to_string(),
        11027 => "Account is currently under maintenance margin requirements, trading is frozen.".to_string(),
        _ => refusal.to_string(),
    }
}

fn named_amount<'a>(row: &'a Value, field: &str) -> Result<(&'a str, Decimal), Refusal> {
    let row = row.as_object().ok_or_else(|| invalid(field, "a list of objects"))?;
    let row = Params(row, DECIMALS);
    Ok((row.text(field)?, row.decimal("amount")?))
}

/// `private/get_margin`: margin of a subaccount before and after simulated changes.
pub fn private_margin(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let id = call.subaccount(exchange, Need::Read)?;
    let before = exchange.subs.get(&id).map(|s| exchange.portfolio(s)).unwrap_or_default();
    let after = exchange.simulated(call, before.clone())?;
    now(exchange.margin_json(id, &before, &after))
}

/// `public/get_margin`: margin of an invented portfolio. Only standard margin is computed here.
pub fn public_margin(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let p = call.params;
    if p.text("margin_type")? != "SM" {
        return Err(invalid("margin_type", "SM; portfolio margin is not offered here"));
    }
    let mut before = Portfolio::default();
    for row in p.opt_list("simulated_collaterals")?.unwrap_or(&[]) {
        let (name, amount) = named_amount(row, "asset_name")?;
        let asset = exchange.find_asset(name).ok_or_else(|| Refusal::because(12000, name))?;
        *before.assets.entry(asset.name).or_default() += amount;
    }
    for row in p.opt_list("simulated_positions")?.unwrap_or(&[]) {
        exchange.add_position(&mut before, row)?;
    }
    before.assets.entry(CASH).or_default();
    let after = exchange.simulated(call, before.clone())?;
    now(exchange.margin_json(0, &before, &after))
}
