//! The maker's side: seeing requests, answering them, replacing and cancelling answers.

use super::legs::{check_room, fill_share};
use super::taker::{Filter, names};
use super::{EXPIRY_MARGIN_S, PricedLeg, Quote, Rfq};
use crate::base::ids::Uuid;
use crate::base::time::Nanos;
use crate::exchange::admission::side;
use crate::exchange::keys::Need;
use crate::exchange::order::Status;
use crate::exchange::params::invalid;
use crate::exchange::public::now;
use crate::exchange::rpc::{Answer, Call, Method};
use crate::exchange::{Exchange, Refusal};
use rust_decimal::Decimal;
use serde_json::{Value, json};

/// Methods of the maker.
pub const METHODS: &[Method] = &[
    Method::new("private/poll_rfqs", poll_rfqs),
    Method::new("private/get_maker_rfq_history", get_maker_rfq_history),
    Method::quoting("private/send_quote", send_quote),
    Method::quoting("private/replace_quote", replace_quote),
    Method::quoting("private/cancel_quote", cancel_quote),
    Method::new("private/cancel_batch_quotes", cancel_batch_quotes),
    Method::new("private/get_quotes", get_quotes),
];

/// Without `from_timestamp` the history reaches back this far, ms.
const HISTORY_MS: u64 = 30 * 86_400_000;

/// The subaccount of a maker, or 14027.
fn maker(exchange: &mut Exchange, call: &Call, need: Need) -> Result<u64, Refusal> {
    exchange.expire_rfqs(call.at);
    let sub = call.subaccount(exchange, need)?;
    let wallet = call.known()?.wallet;
    exchange.wallet(wallet)?.makes_quotes(wallet)?;
    Ok(sub)
}

/// Open requests only; those that have ended are in the history.
fn poll_rfqs(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    maker(exchange, call, Need::Read)?;
    let wallet = call.known()?.wallet;
    let filter = Filter::read(call.params)?;
    let open = exchange.rfq.windows.iter().rev().filter_map(|(_, id)| exchange.rfq.rfqs.get(id));
    let rows: Vec<&Rfq> = open.filter(|r| r.asks(wallet) && filter.admits_rfq(r)).collect();
    filter.reply("rfqs", rows, |rfq| exchange.public_rfq_json(rfq, true))
}

fn get_maker_rfq_history(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    maker(exchange, call, Need::Read)?;
    let wallet = call.known()?.wallet;
    let filter = Filter::read(call.params)?;
    let until_ms = call.params.opt_u64("to_timestamp")?.unwrap_or(u64::MAX).min(call.at.ms());
    let since_ms = match call.params.opt_u64("from_timestamp")? {
        Some(_) => 0,
        None => until_ms.saturating_sub(HISTORY_MS),
    };
    let desk = &exchange.rfq;
    let ended = desk.ended_rfqs.iter().filter_map(|id| desk.rfqs.get(id));
    let seen = |r: &&Rfq| r.asks(wallet) && filter.admits_rfq(r) && r.created_at.ms() >= since_ms;
    let mut rows: Vec<&Rfq> = ended.filter(seen).collect();
    rows.sort_by_key(|r| std::cmp::Reverse((r.created_at, r.id)));
    filter.reply("rfqs", rows, |rfq| exchange.public_rfq_json(rfq, false))
}

fn send_quote(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    maker(exchange, call, Need::AnyRfq)?;
    let quote = exchange.read_quote(call)?;
    exchange.admit_quote(&quote, call.at)?;
    now(exchange.accept_quote(quote).json())
}

/// Cancels, then quotes. A target that is not open refuses the whole; a new quote that is refused leaves the cancel
/// standing and reports the refusal beside it.
fn replace_quote(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let p = call.params;
    let sub = maker(exchange, call, Need::AnyRfq)?;
    let rfq = p.uuid("rfq_id")?;
    let (by_id, by_nonce) = (p.opt_uuid("quote_id_to_cancel")?, p.opt_u64("nonce_to_cancel")?);
    if by_id.is_some() == by_nonce.is_some() {
        return Err(invalid("quote_id_to_cancel", "exactly one of quote_id_to_cancel and nonce_to_cancel"));
    }
    let fresh = exchange.read_quote(call)?;
    let target = |q: &&Quote| {
        q.status == Status::Open
            && q.rfq == rfq
            && by_id.is_none_or(|id| id == q.id)
            && by_nonce.is_none_or(|nonce| nonce == q.nonce)
    };
    let found = exchange.rfq.quotes_of(sub).rev().find(target).map(|q| q.id);
    let target = found.ok_or_else(|| Refusal::of(11102))?;
    exchange.end_quote(target, Status::Cancelled, "user_request", call.at);
    let cancelled = exchange.rfq.quotes.get(&target).map(Quote::json);
    let created = exchange.admit_quote(&fresh, call.at).map(|()| exchange.accept_quote(fresh));
    exchange.tell_best(rfq);
    now(match created {
        Ok(quote) => json!({ "cancelled_quote": cancelled, "quote": quote.json(), "create_quote_error": null }),
        Err(why) => json!({ "cancelled_quote": cancelled, "quote": null, "create_quote_error": why.json() }),
    })
}

fn cancel_quote(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let id = call.params.uuid("quote_id")?;
    let ids = cancel_matching(exchange, call)?;
    let cancelled = ids.first().and_then(|id| exchange.rfq.quotes.get(id));
    cancelled.map(|q| Answer::Now(q.json())).ok_or_else(|| Refusal::because(11102, format!("{id:?}")))
}

fn cancel_batch_quotes(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let ids = cancel_matching(exchange, call)?;
    now(json!({ "cancelled_ids": names(&ids) }))
}

/// Cancels the caller's open quotes that match every filter given.
fn cancel_matching(exchange: &mut Exchange, call: &Call) -> Result<Vec<Uuid>, Refusal> {
    let p = call.params;
    let sub = maker(exchange, call, Need::AnyRfq)?;
    let (quote, rfq) = (p.opt_uuid("quote_id")?, p.opt_uuid("rfq_id")?);
    let (label, nonce) = (p.opt_text("label")?, p.opt_u64("nonce")?);
    let matches = |q: &Quote| {
        q.sub == sub
            && quote.is_none_or(|id| id == q.id)
            && rfq.is_none_or(|id| id == q.rfq)
            && label.is_none_or(|label| label == q.label)
            && nonce.is_none_or(|nonce| nonce == q.nonce)
    };
    Ok(exchange.cancel_quotes_where("user_request", call.at, matches))
}

fn get_quotes(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    exchange.expire_rfqs(call.at);
    let sub = call.subaccount(exchange, Need::Read)?;
    let filter = Filter::read(call.params)?;
    let rows: Vec<&Quote> = exchange.rfq.quotes_of(sub).rev().filter(|q| filter.admits_quote(q)).collect();
    filter.reply("quotes", rows, |quote: &Quote| -> Value { quote.json() })
}

impl Exchange {
    /// The open request a wallet may answer: 11101, 11104, 11106.
    pub(super) fn answerable(&self, rfq: Uuid, wallet: alloy_primitives::Address) -> Result<&Rfq, Refusal> {
        let rfq = self.open_rfq_of(rfq)?;
        if rfq.asks(wallet) { Ok(rfq) } else { Err(Refusal::because(11106, wallet.to_string())) }
    }

    /// A proved quote that fits its request; funds and room are left to [`Exchange::admit_quote`].
    fn read_quote(&mut self, call: &Call) -> Result<Quote, Refusal> {
        let p = call.params;
        let wallet = call.known()?.wallet;
        let rfq = self.answerable(p.uuid("rfq_id")?, wallet)?;
        let legs = self.read_priced_legs(p)?;
        let fill_pct = fill_share(rfq, &legs)?;
        let earliest_s = rfq.valid_until.secs() + EXPIRY_MARGIN_S;
        let rfq = rfq.id;
        let proof = self.prove(call, true, legs.iter().map(|l| &l.leg), Some(earliest_s))?;
        self.check_leg_prices(&legs)?;
        let extra_fee = p.opt_decimal("extra_fee")?.unwrap_or_default();
        if extra_fee < Decimal::ZERO {
            return Err(invalid("extra_fee", "zero or more"));
        }
        Ok(Quote {
            id: self.ids.uuid(),
            rfq,
            sub: p.u64("subaccount_id")?,
            wallet,
            direction: side(p)?,
            legs,
            legs_hash: proof.legs_hash,
            fill_pct,
            max_fee: proof.max_fee,
            extra_fee,
            fee: Decimal::ZERO,
            label: p.opt_text("label")?.unwrap_or_default().to_string(),
            mmp: p.flag("mmp")?,
            nonce: proof.nonce,
            action: Some(Box::new(proof.action)),
            signer: proof.signer,
            signature: proof.signature,
            expiry_s: proof.expiry_s,
            created_ms: call.at.ms(),
            updated_ms: call.at.ms(),
            status: Status::Open,
            reason: "",
            conn: call.conn,
        })
    }

    /// 11109, 11108, 11015, 11019, 11023, 11000: may a quote stand, as the request and its maker now are?
    fn admit_quote(&self, quote: &Quote, at: Nanos) -> Result<(), Refusal> {
        let rfq = self.open_rfq_of(quote.rfq)?;
        check_room(rfq, quote.direction.opposite(), quote.fill_pct)?;
        if quote.mmp && self.quote_is_frozen(quote.sub, &quote.legs, at) {
            return Err(Refusal::of(11015));
        }
        let (open, limit) = (self.open_quotes_of(quote.sub), self.settings.open_orders_max);
        if open >= limit {
            return Err(Refusal::because(11019, format!("at most {limit} open quotes")));
        }
        let fills = self.leg_fills(quote.sub, &quote.legs, quote.direction, false, quote.extra_fee);
        let due: Decimal = fills.iter().map(|f| f.fee).sum();
        if due > quote.max_fee {
            return Err(Refusal::because(11023, format!("needs {due} for the whole quote")));
        }
        self.bears(quote.sub, &fills)
    }

    fn quote_is_frozen(&self, sub: u64, legs: &[PricedLeg], at: Nanos) -> bool {
        let Some(sub) = self.subs.get(&sub) else { return false };
        let currency = |l: &PricedLeg| &*self.instruments[l.leg.instrument].base;
        legs.iter().filter_map(|l| sub.mmp.get(currency(l))).any(|mmp| mmp.is_frozen(at))
    }

    fn open_quotes_of(&self, sub: u64) -> usize {
        let open = self.rfq.windows.iter().filter_map(|(_, id)| self.rfq.rfqs.get(id));
        open.flat_map(|rfq| self.rfq.live_quotes(rfq)).filter(|q| q.sub == sub).count()
    }

    fn accept_quote(&mut self, quote: Quote) -> Quote {
        if let Some(sub) = self.subs.get_mut(&quote.sub) {
            sub.nonces.insert(quote.nonce);
        }
        self.open_quote(quote.clone());
        quote
    }
}
