//! `private/execute_quote`: every leg of both sides is booked, or nothing is.

use super::funds::{self, LegFill};
use super::legs::{check_room, same_legs};
use super::proof::Proof;
use super::{PricedLeg, Quote, Rfq};
use crate::base::ids::{Side, Uuid};
use crate::base::time::Nanos;
use crate::exchange::admission::side;
use crate::exchange::eip712::Action;
use crate::exchange::execution::Deal;
use crate::exchange::money::json as decimal;
use crate::exchange::order::{Status, TradeRow};
use crate::exchange::public::now;
use crate::exchange::rpc::{Answer, Call};
use crate::exchange::{Exchange, Refusal, SettlementAction};
use rust_decimal::Decimal;
use serde_json::{Value, json};

/// A taker's acceptance of a quote.
#[derive(Clone, Debug)]
struct Execution {
    sub: u64,
    direction: Side,
    legs: Vec<PricedLeg>,
    label: String,
    proof: Proof,
    extra_fee: Decimal,
}

/// Both sides' fills in the order of the quote's legs.
#[derive(Clone, Debug)]
struct Fills {
    taker: Vec<LegFill>,
    maker: Vec<LegFill>,
}

fn fees(fills: &[LegFill]) -> Decimal {
    fills.iter().map(|f| f.fee).sum()
}

pub fn execute_quote(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let p = call.params;
    exchange.expire_rfqs(call.at);
    let sub = p.u64("subaccount_id")?;
    exchange.owned(call.known()?.wallet, sub)?;
    let (rfq, quote) = exchange.named_pair(sub, p.uuid("rfq_id")?, p.uuid("quote_id")?)?;
    let (rfq, quote) = (rfq.clone(), quote.clone());
    let direction = side(p)?;
    let legs = exchange.read_priced_legs(p)?;
    if direction == quote.direction || !same_legs(&legs, &quote.legs) {
        return Err(Refusal::because(11103, "legs must be the quote's and the direction its opposite"));
    }
    let proof = exchange.prove(call, false, legs.iter().map(|l| &l.leg), None)?;
    let label = p.opt_text("label")?.filter(|label| !label.is_empty()).unwrap_or(&rfq.label).to_string();
    let extra_fee = crate::exchange::money::truncate(rfq.extra_fee * quote.fill_pct);
    let execution = Execution { sub, direction, legs, label, proof, extra_fee };
    check_room(&rfq, direction, quote.fill_pct)?;
    if p.flag("enable_taker_protection")? {
        exchange.protect_taker(&execution)?;
    }
    let fills = exchange.check_execution(&execution, &quote, call.at)?;
    now(exchange.execute(&execution, &quote, &fills, call.at))
}

impl Exchange {
    /// The open pair a taker names: 11101, 11102, 11105, 11104.
    fn named_pair(&self, sub: u64, rfq: Uuid, quote: Uuid) -> Result<(&Rfq, &Quote), Refusal> {
        let missing = |code, id: Uuid| Refusal::because(code, format!("{id:?}"));
        let rfq = self.rfq.rfqs.get(&rfq).filter(|r| r.sub == sub).ok_or_else(|| missing(11101, rfq))?;
        let quote = self.rfq.quotes.get(&quote).ok_or_else(|| missing(11102, quote))?;
        if quote.rfq != rfq.id {
            return Err(missing(11105, quote.rfq));
        }
        if rfq.status != Status::Open {
            return Err(Refusal::because(11104, format!("the RFQ is {}", rfq.status.wire())));
        }
        if quote.status != Status::Open {
            return Err(Refusal::because(11104, format!("the quote is {}", quote.status.wire())));
        }
        Ok((rfq, quote))
    }

    /// 11110 if the books would fill every leg for less.
    fn protect_taker(&self, execution: &Execution) -> Result<(), Refusal> {
        let bare: Vec<_> = execution.legs.iter().map(|l| l.leg.clone()).collect();
        let cost = funds::cost(&execution.legs, execution.direction);
        match self.book_cost(execution.sub, &bare, execution.direction) {
            Some(book) if book < cost => Err(Refusal::because(11110, format!("{cost}, the orderbook takes {book}"))),
            _ => Ok(()),
        }
    }

    /// Fees and funds of both sides: 11023, 11020, 11027 and 11000 for the taker, 8501 and 8500 for the maker, whose
    /// quote ends when it can no longer be honoured.
    fn check_execution(&mut self, taken: &Execution, quote: &Quote, at: Nanos) -> Result<Fills, Refusal> {
        let fills = Fills {
            taker: self.leg_fills(taken.sub, &quote.legs, taken.direction, true, taken.extra_fee),
            maker: self.leg_fills(quote.sub, &quote.legs, quote.direction, false, quote.extra_fee),
        };
        let due = fees(&fills.taker);
        if due > taken.proof.max_fee {
            return Err(Refusal::because(11023, format!("needs {due} for the whole execution")));
        }
        self.bears(taken.sub, &fills.taker)?;
        if let Some(refusal) = self.ordered_refusal() {
            return Err(refusal);
        }
        if fees(&fills.maker) > quote.max_fee {
            self.drop_quote(quote, "signed_max_fee_too_low", at);
            return Err(Refusal::of(8501));
        }
        if self.bears(quote.sub, &fills.maker).is_err() {
            self.drop_quote(quote, "insufficient_margin", at);
            return Err(Refusal::of(8500));
        }
        Ok(fills)
    }

    fn drop_quote(&mut self, quote: &Quote, reason: &'static str, at: Nanos) {
        self.end_quote(quote.id, Status::Cancelled, reason, at);
        self.tell_best(quote.rfq);
    }

    /// Books everything and moves the quote and the request on.
    fn execute(&mut self, taken: &Execution, quote: &Quote, fills: &Fills, at: Nanos) -> Value {
        if let Some(sub) = self.subs.get_mut(&taken.sub) {
            sub.nonces.insert(taken.proof.nonce);
        }
        let op_uuid = self.ids.uuid();
        self.ask_settlement(op_uuid, self.signed_sides(taken, quote, fills));
        for (place, made) in fills.maker.iter().enumerate() {
            let (ix, price, amount) = (made.instrument, made.price, made.signed.abs());
            let deal = Deal { op_uuid, ..self.deal(ix, price, amount, at) };
            self.markets[ix].stats.on_trade(at, price, deal.index, amount);
            self.book_leg(taken.sub, &taken.label, quote, &fills.taker[place], &deal, true);
            self.book_leg(quote.sub, &quote.label, quote, made, &deal, false);
        }
        let filled_pct = self.move_on(taken, quote, fees(&fills.maker), at);
        if quote.mmp {
            fills.maker.iter().for_each(|made| self.protect(quote.sub, made.instrument, at, made.signed));
        }
        self.executed_json(taken, quote, fees(&fills.taker), filled_pct, at)
    }

    /// What taker and maker have signed, as settlement wants it.
    fn signed_sides(&self, taken: &Execution, quote: &Quote, fills: &Fills) -> [Option<SettlementAction>; 2] {
        let side = |action: &Action, signature: &str, fills: &[LegFill]| SettlementAction {
            action: action.clone(),
            digest: action.digest(self.domain),
            signature: signature.to_string(),
            // Orders alone can be approved inside their settlement.
            atomic: false,
            extra_data: taken.proof.legs.clone(),
            filled: Decimal::ONE,
            price: Decimal::ZERO,
            fee: fees(fills),
        };
        let proof = &taken.proof;
        let made = quote.action.as_ref().map(|action| side(action, &quote.signature, &fills.maker));
        [Some(side(&proof.action, &proof.signature, &fills.taker)), made]
    }

    fn book_leg(&mut self, sub: u64, label: &str, quote: &Quote, fill: &LegFill, deal: &Deal, taker: bool) {
        let ix = fill.instrument;
        let (realized, realized_excl) = self.book_amount((sub, ix), fill.signed, deal, (fill.fee, fill.extra_fee));
        let row = TradeRow {
            trade_id: deal.trade_id,
            op_uuid: deal.op_uuid,
            order: quote.id,
            label: label.to_string(),
            sub,
            wallet: self.subs.get(&sub).map(|s| s.wallet).unwrap_or_default(),
            instrument_name: self.instruments[ix].name.clone(),
            side: if fill.signed > Decimal::ZERO { Side::Buy } else { Side::Sell },
            taker,
            price: deal.price,
            amount: deal.amount,
            fee: fill.fee,
            extra_fee: fill.extra_fee,
            mark: deal.mark,
            index: deal.index,
            realized,
            realized_excl,
            rfq: Some((quote.rfq, quote.id)),
            tx: self.fresh_tx(),
            at_ms: deal.at.ms(),
        };
        self.note_trade(row, ix);
    }

    /// The quote is filled, the request by as much; returns the request's filled share.
    fn move_on(&mut self, taken: &Execution, quote: &Quote, maker_fee: Decimal, at: Nanos) -> Decimal {
        if let Some(quote) = self.rfq.quotes.get_mut(&quote.id) {
            quote.fee = maker_fee;
        }
        self.end_quote(quote.id, Status::Filled, "", at);
        let Some(rfq) = self.rfq.rfqs.get_mut(&quote.rfq) else { return quote.fill_pct };
        rfq.filled_pct += quote.fill_pct;
        rfq.filled_direction = Some(taken.direction);
        rfq.total_cost = Some(rfq.total_cost.unwrap_or_default() + funds::cost(&quote.legs, taken.direction));
        rfq.updated_ms = at.ms();
        let rfq = rfq.clone();
        if rfq.filled_pct >= Decimal::ONE {
            self.end_rfq(rfq.id, Status::Filled, "", at);
        } else {
            self.note_rfq(&rfq);
            self.tell_best(rfq.id);
        }
        rfq.filled_pct
    }

    /// The `QuoteExecuteResponse` schema.
    fn executed_json(&self, taken: &Execution, quote: &Quote, fee: Decimal, filled: Decimal, at: Nanos) -> Value {
        let mut reply = quote.public_json();
        if let Some(reply) = reply.as_object_mut() {
            reply.remove("wallet");
        }
        reply["subaccount_id"] = json!(taken.sub);
        reply["direction"] = json!(taken.direction.wire());
        reply["liquidity_role"] = json!("taker");
        reply["status"] = json!(Status::Filled.wire());
        reply["creation_timestamp"] = json!(at.ms());
        reply["last_update_timestamp"] = json!(at.ms());
        reply["label"] = json!(taken.label);
        reply["mmp"] = json!(false);
        reply["is_transfer"] = json!(false);
        reply["nonce"] = json!(taken.proof.nonce.to_string());
        reply["signature_expiry_sec"] = json!(taken.proof.expiry_s);
        reply["max_fee"] = decimal(taken.proof.max_fee);
        reply["fee"] = decimal(fee);
        reply["extra_fee"] = decimal(taken.extra_fee);
        reply["rfq_filled_pct"] = decimal(filled);
        reply
    }

    fn ordered_refusal(&mut self) -> Option<Refusal> {
        let (code, left) = self.rfq.refusals.as_mut()?;
        *left -= 1;
        let refusal = Refusal::because(*code, "ordered by the exchange's operator");
        if *left == 0 {
            self.rfq.refusals = None;
        }
        Some(refusal)
    }

    /// Refuses the next `count` executions that are otherwise in order, with a code such as 8500 or 8501. Zero ends it.
    pub fn refuse_executions(&mut self, code: i32, count: u32) {
        self.rfq.refusals = (count > 0).then_some((i64::from(code), count));
    }
}
