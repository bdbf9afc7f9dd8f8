//! The taker's side: opening, watching and cancelling requests.

use super::best::rfq_get_best_quote;
use super::execute::execute_quote;
use super::legs::check_step;
use super::{COUNTERPARTIES_MAX, Quote, Rfq, WINDOW_NS};
use crate::base::ids::Uuid;
use crate::exchange::keys::Need;
use crate::exchange::order::Status;
use crate::exchange::params::{Params, invalid, paginate, parse_address};
use crate::exchange::public::now;
use crate::exchange::rpc::{Answer, Call, Method};
use crate::exchange::{Exchange, Refusal};
use alloy_primitives::Address;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::ops::RangeInclusive;

/// Methods of the taker.
pub const METHODS: &[Method] = &[
    Method::new("private/send_rfq", send_rfq),
    Method::new("private/cancel_rfq", cancel_rfq),
    Method::new("private/cancel_batch_rfqs", cancel_batch_rfqs),
    Method::new("private/get_rfqs", get_rfqs),
    Method::new("private/poll_quotes", poll_quotes),
    Method::new("private/rfq_get_best_quote", rfq_get_best_quote),
    Method::new("private/execute_quote", execute_quote),
];

/// Rows of a page unless asked otherwise.
const PAGE_SIZE: u64 = 20;

fn send_rfq(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    exchange.expire_rfqs(call.at);
    let rfq = exchange.read_rfq(call)?;
    let caller = call.known()?;
    for need in exchange.rfq_needs(rfq.legs.iter()) {
        exchange.wallet(caller.wallet)?.allow(caller.wallet, caller.signer, need, Some(rfq.sub), call.at)?;
    }
    let sub = exchange.subs.get(&rfq.sub).ok_or_else(|| Refusal::of(14001))?;
    if exchange.margin_of(sub).maintenance() < Decimal::ZERO {
        return Err(Refusal::because(11027, "maintenance margin is negative"));
    }
    let limit = exchange.settings.open_orders_max;
    if exchange.rfq.open_of(rfq.sub).count() >= limit {
        return Err(Refusal::because(11019, format!("at most {limit} open RFQs")));
    }
    let reply = exchange.rfq_json(&rfq);
    exchange.open_rfq(rfq);
    now(reply)
}

impl Exchange {
    fn read_rfq(&mut self, call: &Call) -> Result<Rfq, Refusal> {
        let p = call.params;
        let sub = p.u64("subaccount_id")?;
        let wallet = call.known()?.wallet;
        self.owned(wallet, sub)?;
        let legs = self.read_legs(p)?;
        let step = p.opt_decimal("partial_fill_step")?.unwrap_or(Decimal::ONE);
        check_step(step)?;
        let extra_fee = p.opt_decimal("extra_fee")?.unwrap_or_default();
        if extra_fee < Decimal::ZERO {
            return Err(invalid("extra_fee", "zero or more"));
        }
        Ok(Rfq {
            id: self.ids.uuid(),
            sub,
            wallet,
            legs,
            label: p.opt_text("label")?.unwrap_or_default().to_string(),
            counterparties: self.read_counterparties(p)?,
            step,
            max_total_cost: p.opt_decimal("max_total_cost")?,
            min_total_cost: p.opt_decimal("min_total_cost")?,
            extra_fee,
            created_at: call.at,
            valid_until: call.at.plus(WINDOW_NS),
            updated_ms: call.at.ms(),
            status: Status::Open,
            reason: "",
            filled_pct: Decimal::ZERO,
            filled_direction: None,
            total_cost: None,
            quotes: VecDeque::new(),
            live: Vec::new(),
            told: [None; 2],
        })
    }

    /// 11113 for too many, 11106 for one that makes no quotes. An empty list asks everyone.
    fn read_counterparties(&self, p: Params) -> Result<Option<Vec<Address>>, Refusal> {
        let names = p.texts("counterparties")?;
        if names.len() > COUNTERPARTIES_MAX {
            return Err(Refusal::because(11113, format!("{} named, at most {COUNTERPARTIES_MAX}", names.len())));
        }
        let read = |name: &String| {
            let wallet = parse_address(name).ok_or_else(|| Refusal::because(14013, "counterparties"))?;
            let quotes = self.wallets.get(&wallet).is_some_and(|w| w.rfq_maker);
            if quotes { Ok(wallet) } else { Err(Refusal::because(11106, name.as_str())) }
        };
        let wallets = names.iter().map(read).collect::<Result<Vec<Address>, Refusal>>()?;
        Ok((!wallets.is_empty()).then_some(wallets))
    }
}

fn cancel_rfq(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    exchange.expire_rfqs(call.at);
    let sub = call.subaccount(exchange, Need::AnyRfq)?;
    let id = call.params.uuid("rfq_id")?;
    if exchange.open_rfq_of(id)?.sub != sub {
        return Err(Refusal::because(11101, format!("{id:?}")));
    }
    exchange.end_rfq(id, Status::Cancelled, "user_request", call.at);
    now(json!("ok"))
}

/// All filters given must match. Requests are not signed, so none has a nonce.
fn cancel_batch_rfqs(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    exchange.expire_rfqs(call.at);
    let p = call.params;
    let sub = call.subaccount(exchange, Need::AnyRfq)?;
    let (id, label, nonce) = (p.opt_uuid("rfq_id")?, p.opt_text("label")?, p.opt_u64("nonce")?);
    let chosen = |r: &&Rfq| nonce.is_none() && id.is_none_or(|id| id == r.id) && label.is_none_or(|l| l == r.label);
    let ids: Vec<Uuid> = exchange.rfq.open_of(sub).filter(chosen).map(|r| r.id).collect();
    for id in &ids {
        exchange.end_rfq(*id, Status::Cancelled, "user_request", call.at);
    }
    now(json!({ "cancelled_ids": names(&ids) }))
}

fn get_rfqs(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    exchange.expire_rfqs(call.at);
    let sub = call.subaccount(exchange, Need::Read)?;
    let filter = Filter::read(call.params)?;
    let mine = exchange.rfq.by_taker.get(&sub).into_iter().flatten().rev();
    let rows = mine.filter_map(|id| exchange.rfq.rfqs.get(id)).filter(|r| filter.admits_rfq(r));
    let rows: Vec<&Rfq> = rows.collect();
    filter.reply("rfqs", rows, |rfq| exchange.rfq_json(rfq))
}

fn poll_quotes(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    exchange.expire_rfqs(call.at);
    let sub = call.subaccount(exchange, Need::Read)?;
    let filter = Filter::read(call.params)?;
    let desk = &exchange.rfq;
    let mine = desk.by_taker.get(&sub).into_iter().flatten().rev().filter_map(|id| desk.rfqs.get(id));
    let asked = mine.filter(|r| filter.rfq.is_none_or(|id| id == r.id));
    let quotes = asked.flat_map(|r| r.quotes.iter().rev()).filter_map(|id| desk.quotes.get(id));
    let rows: Vec<&Quote> = quotes.filter(|q| filter.admits_quote(q)).collect();
    filter.reply("quotes", rows, Quote::public_json)
}

/// Names as the venue writes them.
pub fn names(ids: &[Uuid]) -> Vec<String> {
    ids.iter().map(|id| format!("{id:?}")).collect()
}

/// What the list methods can be narrowed by.
pub struct Filter {
    /// One request.
    pub rfq: Option<Uuid>,
    /// One quote.
    pub quote: Option<Uuid>,
    /// Requests of one taker.
    pub rfq_sub: Option<u64>,
    status: Option<&'static str>,
    created_ms: RangeInclusive<u64>,
    page: usize,
    size: usize,
}

impl Filter {
    /// The filter of a request.
    pub fn read(p: Params) -> Result<Filter, Refusal> {
        let known = [Status::Open, Status::Filled, Status::Cancelled, Status::Expired].map(Status::wire);
        let find = |text| known.into_iter().find(|word| *word == text);
        let status = match p.opt_text("status")? {
            None => None,
            Some(text) => Some(find(text).ok_or_else(|| invalid("status", &known.join(", ")))?),
        };
        let from = p.opt_u64("from_timestamp")?.unwrap_or(0);
        Ok(Filter {
            rfq: p.opt_uuid("rfq_id")?,
            quote: p.opt_uuid("quote_id")?,
            rfq_sub: p.opt_u64("rfq_subaccount_id")?,
            status,
            created_ms: from..=p.opt_u64("to_timestamp")?.unwrap_or(u64::MAX),
            page: p.opt_u64("page")?.unwrap_or(1).clamp(1, 1 << 32) as usize,
            size: p.opt_u64("page_size")?.unwrap_or(PAGE_SIZE).clamp(1, 1000) as usize,
        })
    }

    /// True if a request passes.
    pub fn admits_rfq(&self, rfq: &Rfq) -> bool {
        self.rfq.is_none_or(|id| id == rfq.id)
            && self.rfq_sub.is_none_or(|sub| sub == rfq.sub)
            && self.status.is_none_or(|word| word == rfq.status.wire())
            && self.created_ms.contains(&rfq.created_at.ms())
    }

    /// True if a quote passes.
    pub fn admits_quote(&self, quote: &Quote) -> bool {
        self.rfq.is_none_or(|id| id == quote.rfq)
            && self.quote.is_none_or(|id| id == quote.id)
            && self.status.is_none_or(|word| word == quote.status.wire())
            && self.created_ms.contains(&quote.created_ms)
    }

    /// One page of rows under a name.
    pub fn reply<T>(&self, name: &str, rows: Vec<T>, view: impl Fn(T) -> Value) -> Result<Answer, Refusal> {
        let (rows, pagination) = paginate(rows, self.page, self.size);
        let rows: Vec<Value> = rows.into_iter().map(view).collect();
        now(json!({ name: rows, "pagination": pagination }))
    }
}
