//! The best quote for a taker: on request, and told whenever it changes or vanishes.

use super::{Leg, PricedLeg, Quote, Rfq, funds};
use crate::base::ids::{Side, Uuid};
use crate::exchange::admission::side;
use crate::exchange::keys::Need;
use crate::exchange::money::json as decimal;
use crate::exchange::order::Status;
use crate::exchange::params::invalid;
use crate::exchange::public::now;
use crate::exchange::rpc::{Answer, Call};
use crate::exchange::{Exchange, Refusal};
use rust_decimal::Decimal;
use serde_json::{Value, json};

/// The directions a taker may choose, in the order of [`Rfq`]'s memory of what was told.
const DIRECTIONS: [Side; 2] = [Side::Buy, Side::Sell];

/// `private/rfq_get_best_quote`: for a request of the caller, or without one an estimate from marks.
pub fn rfq_get_best_quote(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let p = call.params;
    let sub = call.subaccount(exchange, Need::Read)?;
    exchange.expire_rfqs(call.at);
    let direction = if p.opt_text("direction")?.is_some() { side(p)? } else { Side::Buy };
    let extra_fee = p.opt_decimal("extra_fee")?.unwrap_or_default();
    if extra_fee < Decimal::ZERO {
        return Err(invalid("extra_fee", "zero or more"));
    }
    let Some(id) = p.opt_uuid("rfq_id")? else {
        let legs = exchange.read_legs(p)?;
        return now(exchange.estimate_json(sub, &legs, direction, extra_fee));
    };
    let rfq = exchange.open_rfq_of(id)?;
    if rfq.sub != sub {
        return Err(Refusal::because(11101, format!("{id:?}")));
    }
    now(exchange.best_json(rfq, direction, extra_fee))
}

impl Exchange {
    /// The open quote that is cheapest for its size to a taker, within the request's own limit; the larger, then the
    /// older one first among equals.
    fn best_quote<'a>(&'a self, rfq: &'a Rfq, direction: Side) -> Option<&'a Quote> {
        let limit = if direction == Side::Buy { rfq.max_total_cost } else { rfq.min_total_cost };
        let usable = |q: &&Quote| {
            q.direction != direction
                && q.fill_pct <= rfq.remaining_pct()
                && rfq.filled_direction.is_none_or(|locked| locked == direction)
        };
        let rank = |q: &Quote| (funds::cost(&q.legs, direction) / q.fill_pct, -q.fill_pct);
        let best = self.rfq.live_quotes(rfq).filter(usable).map(|q| (rank(q), q)).min_by_key(|(rank, _)| *rank)?;
        limit.is_none_or(|limit| best.0.0 <= limit).then_some(best.1)
    }

    /// Tells the taker what has become best for a buyer and for a seller; once the request has ended, that it has.
    pub(super) fn tell_best(&mut self, id: Uuid) {
        let Some(rfq) = self.rfq.rfqs.get(&id) else { return };
        let best = DIRECTIONS.map(|direction| self.best_quote(rfq, direction).map(|q| q.id));
        let (told, channel) = (rfq.told, format!("{}.best.quotes", rfq.sub));
        if best == told {
            return;
        }
        let rows: Vec<Value> = if !self.heard(&channel) {
            Vec::new()
        } else if rfq.status == Status::Open {
            let changed = (0..2).filter(|place| best[*place] != told[*place]);
            changed.map(|place| told_row(id, Ok(self.best_json(rfq, DIRECTIONS[place], rfq.extra_fee)))).collect()
        } else {
            let why = format!("the RFQ is {}", rfq.status.wire());
            vec![told_row(id, Err(Refusal::because(11104, why)))]
        };
        for row in rows {
            self.note_row(channel.clone(), row);
        }
        if let Some(rfq) = self.rfq.rfqs.get_mut(&id) {
            rfq.told = best;
        }
    }

    /// The `RfqGetBestQuoteResponse` schema for a request. Without a quote, the figures are those of what is left at
    /// marks.
    fn best_json(&self, rfq: &Rfq, direction: Side, extra_fee: Decimal) -> Value {
        let best = self.best_quote(rfq, direction);
        let (legs, share) = match best {
            Some(quote) => (quote.legs.clone(), quote.fill_pct),
            None => (self.at_marks(&rest_of(rfq)), rfq.remaining_pct()),
        };
        let mut reply = self.outcome_json(rfq.sub, &legs, direction, extra_fee * share);
        reply["best_quote"] = best.map_or(Value::Null, Quote::public_json);
        reply["filled_pct"] = decimal(rfq.filled_pct);
        reply
    }

    fn estimate_json(&self, sub: u64, legs: &[Leg], direction: Side, extra_fee: Decimal) -> Value {
        self.outcome_json(sub, &self.at_marks(legs), direction, extra_fee)
    }

    /// What executing priced legs would cost and do. Liquidation prices are not computed here.
    fn outcome_json(&self, id: u64, legs: &[PricedLeg], direction: Side, extra_fee: Decimal) -> Value {
        let fills = self.leg_fills(id, legs, direction, true, extra_fee);
        let fee: Decimal = fills.iter().map(|f| f.fee).sum();
        let bare: Vec<Leg> = legs.iter().map(|l| l.leg.clone()).collect();
        let book = self.book_cost(id, &bare, direction).map_or(Value::Null, decimal);
        let mut reply = json!({
            "best_quote": null, "direction": direction.wire(), "filled_pct": "0",
            "estimated_fee": decimal(fee), "suggested_max_fee": decimal(fee * Decimal::TWO),
            "estimated_total_cost": decimal(funds::cost(legs, direction)), "orderbook_total_cost": book,
            "up_liquidation_price": null, "down_liquidation_price": null, "post_liquidation_price": null,
        });
        let Some(sub) = self.subs.get(&id) else { return reply };
        let effect = self.effect(sub, &fills);
        let (realised, realised_excl) = self.realised_by(sub, &fills);
        let complaint = effect.complaint(!sub.open.is_empty());
        reply["is_valid"] = json!(complaint.is_none());
        reply["invalid_reason"] = json!(complaint);
        reply["estimated_realized_pnl"] = decimal(realised);
        reply["estimated_realized_pnl_excl_fees"] = decimal(realised_excl);
        reply["pre_initial_margin"] = decimal(effect.before.initial() + effect.orders);
        reply["post_initial_margin"] = decimal(effect.after.initial() + effect.orders);
        reply
    }
}

fn told_row(rfq: Uuid, result: Result<Value, Refusal>) -> Value {
    let (result, error) = match result {
        Ok(result) => (result, Value::Null),
        Err(refusal) => (Value::Null, refusal.json()),
    };
    json!({ "rfq_id": format!("{rfq:?}"), "result": result, "error": error })
}

/// The part of a request's legs not yet filled.
fn rest_of(rfq: &Rfq) -> Vec<Leg> {
    rfq.legs.iter().map(|leg| Leg { amount: leg.amount * rfq.remaining_pct(), ..leg.clone() }).collect()
}
