//! What an order must satisfy when it reaches the matching engine (Derive 11000–11029).

use super::Exchange;
use super::account::Subaccount;
use super::catalog::Kind;
use super::execution::Reach;
use super::fees::fee;
use super::mmp::Mmp;
use super::order::Order;
use super::{Refusal, TimeInForce};
use crate::base::ids::Side;
use crate::base::time::Nanos;
use rust_decimal::Decimal;

impl Exchange {
    /// 11022, 11015, 11019, 11021: may it enter at all?
    pub(super) fn check_entry(&self, order: &Order, at: Nanos) -> Result<(), Refusal> {
        if order.reject_timestamp.is_some_and(|limit| at.ms() > limit) {
            return Err(Refusal::because(11022, format!("matching engine time {}", at.ms())));
        }
        if self.index_of(order.instrument).is_zero() {
            return Err(Refusal::because(11021, format!("{} has no index price yet", order.instrument_name)));
        }
        let instrument = &self.instruments[order.instrument];
        if !instrument.active || at.secs() >= instrument.deactivation_s {
            return Err(Refusal::because(11021, format!("{} does not trade any more", order.instrument_name)));
        }
        if order.mmp && self.is_frozen(order, at) {
            return Err(Refusal::of(11015));
        }
        let sub = self.subs.get(&order.sub).ok_or_else(|| Refusal::of(14001))?;
        let may_rest = !order.market && matches!(order.tif, TimeInForce::Gtc | TimeInForce::PostOnly);
        if may_rest && !sub.house && sub.open.len() >= self.settings.open_orders_max {
            return Err(Refusal::because(11019, format!("limit {}", self.settings.open_orders_max)));
        }
        Ok(())
    }

    /// True while market-maker protection holds an order's currency.
    pub(super) fn is_frozen(&self, order: &Order, at: Nanos) -> bool {
        let currency = self.instruments[order.instrument].base;
        self.subs.get(&order.sub).and_then(|s| s.mmp.get(currency)).is_some_and(|m: &Mmp| m.is_frozen(at))
    }

    /// How far the order may reach: price band, post-only, reduce-only. May reprice a post-only order.
    pub(super) fn reach(&self, order: &mut Order) -> Result<Reach, Refusal> {
        let amount = self.reducible(order)?;
        let (low, high) = self.band(order.instrument);
        let outside = match order.side {
            Side::Buy => order.limit_price > high,
            Side::Sell => order.limit_price < low,
        };
        let edge = if order.side == Side::Buy { high } else { low };
        let best = self.markets[order.instrument].book.best(order.side.opposite()).map(|r| r.price);
        let crossing =
            best.filter(|p| if order.side == Side::Buy { *p <= order.limit_price } else { *p >= order.limit_price });
        if order.tif == TimeInForce::PostOnly {
            if let Some(price) = crossing {
                self.post_behind(order, price)?;
            }
            return Ok(Reach { limit: None, amount });
        }
        if order.market {
            return Ok(Reach { limit: Some(if outside { edge } else { order.limit_price }), amount });
        }
        if outside && crossing.is_some() {
            return Err(Refusal::because(11008, format!("limit price beyond {edge} may not take liquidity")));
        }
        Ok(Reach { limit: (!outside).then_some(order.limit_price), amount })
    }

    /// A post-only order that would cross is refused, or moved one tick behind the touch if it allows that.
    fn post_behind(&self, order: &mut Order, touch: Decimal) -> Result<(), Refusal> {
        if order.reject_post_only {
            return Err(Refusal::because(11008, format!("would cross {touch}")));
        }
        let tick = self.instruments[order.instrument].tick;
        order.signed_limit_price = Some(order.limit_price);
        order.limit_price = if order.side == Side::Buy { touch - tick } else { touch + tick };
        if order.limit_price <= Decimal::ZERO { Err(Refusal::of(11008)) } else { Ok(()) }
    }

    fn reducible(&self, order: &Order) -> Result<Decimal, Refusal> {
        if !order.reduce_only {
            return Ok(order.amount);
        }
        let takes_only = order.market || matches!(order.tif, TimeInForce::Ioc | TimeInForce::Fok);
        if !takes_only || self.instruments[order.instrument].kind == Kind::Erc20 {
            return Err(Refusal::of(11024));
        }
        let held = self.subs.get(&order.sub).map_or(Decimal::ZERO, |s| s.position(order.instrument));
        let opposite = held.is_sign_positive() == (order.side == Side::Sell);
        if held.is_zero() || !opposite {
            return Err(Refusal::because(11025, format!("position is {held}")));
        }
        Ok(order.amount.min(held.abs()))
    }

    /// 11007, 11009, 11014, 11012: what would it meet?
    pub(super) fn check_against_book(&self, order: &Order, reach: Reach) -> Result<(), Refusal> {
        let book = &self.markets[order.instrument].book;
        let sweep = reach.limit.map(|limit| book.sweep(order.sub, order.side, limit, reach.amount));
        let sweep = sweep.unwrap_or_default();
        if sweep.self_cross {
            return Err(Refusal::of(11007));
        }
        if order.tif == TimeInForce::Fok && sweep.filled < reach.amount {
            return Err(Refusal::because(11014, format!("{} available", sweep.filled)));
        }
        let takes_only = order.market || matches!(order.tif, TimeInForce::Ioc | TimeInForce::Fok);
        if takes_only && sweep.filled.is_zero() {
            return Err(Refusal::of(11009));
        }
        let minimum = self.instruments[order.instrument].minimum;
        if order.amount < minimum && sweep.filled < reach.amount && !takes_only {
            return Err(Refusal::because(11012, format!("below minimum {minimum}, which only a full fill may be")));
        }
        Ok(())
    }

    /// 11023, 11020, 11027, 11000: can its subaccount bear it?
    pub(super) fn check_funds(&self, order: &Order, reach: Reach) -> Result<(), Refusal> {
        let sub = self.subs.get(&order.sub).ok_or_else(|| Refusal::of(14001))?;
        if sub.house {
            return Ok(());
        }
        let instrument = &self.instruments[order.instrument];
        let limit = reach.limit.unwrap_or(order.limit_price);
        let (taker, prices) = (reach.limit.is_some(), self.fee_prices(order.instrument, limit));
        let per_unit = fee(instrument, taker, prices, order.amount, true) / order.amount;
        if per_unit > order.max_fee {
            return Err(Refusal::because(11023, format!("needs {} per unit", per_unit.round_dp(12))));
        }
        self.check_balance(order, reach)?;
        let margin = self.margin_of(sub);
        if margin.maintenance() < Decimal::ZERO {
            return Err(Refusal::because(11027, "maintenance margin is negative"));
        }
        let bound = self.bounded_order(order, reach);
        let after = margin.initial() + self.open_orders_margin(sub, Some((&bound, limit)));
        if after >= Decimal::ZERO || (sub.open.is_empty() && self.reduces_risk(sub, &bound)) {
            return Ok(());
        }
        Err(Refusal::because(11000, format!("initial margin would be {}", after.round_dp(2))))
    }

    fn bounded_order(&self, order: &Order, reach: Reach) -> Order {
        let mut bounded = order.clone();
        bounded.amount = reach.amount;
        bounded
    }

    /// Only USDC may be borrowed: all open sells of an asset together stay within its balance.
    fn check_balance(&self, order: &Order, reach: Reach) -> Result<(), Refusal> {
        let instrument = &self.instruments[order.instrument];
        if instrument.kind != Kind::Erc20 || order.side == Side::Buy {
            return Ok(());
        }
        let Some(sub) = self.subs.get(&order.sub) else { return Err(Refusal::of(14001)) };
        let resting = self.selling(sub, instrument.base);
        let balance = self.staying(order.sub, instrument.base);
        if resting + reach.amount > balance {
            return Err(Refusal::because(11020, format!("{} {balance}, open sells {resting}", instrument.base)));
        }
        Ok(())
    }

    /// What of an asset resting orders would sell.
    pub(super) fn selling(&self, sub: &Subaccount, asset: &str) -> Decimal {
        let sells = |o: &&Order| {
            let instrument = &self.instruments[o.instrument];
            instrument.kind == Kind::Erc20 && instrument.base == asset && o.side == Side::Sell
        };
        sub.open.iter().filter_map(|id| self.orders.get(id)).filter(sells).map(Order::remaining).sum()
    }
}
