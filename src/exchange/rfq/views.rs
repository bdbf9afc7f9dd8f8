//! Requests and quotes in the venue's shapes: to their owner, to the other side.

use super::{Leg, PricedLeg, Quote, Rfq, funds};
use crate::base::ids::Side;
use crate::exchange::Exchange;
use crate::exchange::money::{json as decimal, text};
use crate::exchange::order::Status;
use rust_decimal::Decimal;
use serde_json::{Value, json};

impl Leg {
    /// The `LegUnpricedParams` schema.
    fn json(&self) -> Value {
        json!({
            "instrument_name": &*self.name, "amount": decimal(self.amount), "direction": self.side.wire(),
        })
    }
}

impl PricedLeg {
    /// The `PricedLegParamsAndResponse` schema.
    fn json(&self) -> Value {
        let mut row = self.leg.json();
        row["price"] = decimal(self.price);
        row
    }
}

fn optional(value: Option<Decimal>) -> Value {
    value.map_or(Value::Null, decimal)
}

impl Exchange {
    /// The `Rfq` schema, for the taker. Costs are those of one who buys the package: at the marks, from the books, and
    /// (bid) what the books would pay for it.
    pub(super) fn rfq_json(&self, rfq: &Rfq) -> Value {
        let open = rfq.status == Status::Open;
        let mark = open.then(|| funds::cost(&self.at_marks(&rfq.legs), Side::Buy));
        let ask = if open { self.book_cost(rfq.sub, &rfq.legs, Side::Buy) } else { None };
        let bid = if open { self.book_cost(rfq.sub, &rfq.legs, Side::Sell) } else { None };
        let named = rfq.counterparties.as_ref().map(|list| list.iter().map(ToString::to_string).collect::<Vec<_>>());
        json!({
            "rfq_id": format!("{:?}", rfq.id), "subaccount_id": rfq.sub, "wallet": rfq.wallet.to_string(),
            "status": rfq.status.wire(), "cancel_reason": rfq.reason, "label": rfq.label,
            "creation_timestamp": rfq.created_at.ms(), "last_update_timestamp": rfq.updated_ms,
            "valid_until": rfq.valid_until.ms(), "legs": rfq.legs.iter().map(Leg::json).collect::<Vec<_>>(),
            "partial_fill_step": decimal(rfq.step), "filled_pct": decimal(rfq.filled_pct),
            "filled_direction": rfq.filled_direction.map(Side::wire), "counterparties": named,
            "max_total_cost": optional(rfq.max_total_cost), "min_total_cost": optional(rfq.min_total_cost),
            "total_cost": optional(rfq.total_cost), "mark_total_cost": optional(mark),
            "ask_total_cost": optional(ask), "bid_total_cost": optional(bid.map(|received| -received)),
        })
    }

    /// The `PublicRfq` schema, for makers: no limits, no label. `rated` shows the taker's fill rates.
    pub(super) fn public_rfq_json(&self, rfq: &Rfq, rated: bool) -> Value {
        let reputation = self.rfq.reputations.get(&rfq.wallet).filter(|_| rated);
        json!({
            "rfq_id": format!("{:?}", rfq.id), "subaccount_id": rfq.sub, "wallet": rfq.wallet.to_string(),
            "status": rfq.status.wire(), "cancel_reason": rfq.reason,
            "creation_timestamp": rfq.created_at.ms(), "last_update_timestamp": rfq.updated_ms,
            "valid_until": rfq.valid_until.ms(), "legs": rfq.legs.iter().map(Leg::json).collect::<Vec<_>>(),
            "partial_fill_step": decimal(rfq.step), "filled_pct": decimal(rfq.filled_pct),
            "filled_direction": rfq.filled_direction.map(Side::wire), "total_cost": optional(rfq.total_cost),
            "fill_rate": reputation.and_then(|r| r.lifetime()).map(text),
            "recent_fill_rate": reputation.and_then(|r| r.recent()).map(text),
        })
    }
}

impl Quote {
    fn shared(&self) -> Value {
        json!({
            "quote_id": format!("{:?}", self.id), "rfq_id": format!("{:?}", self.rfq), "subaccount_id": self.sub,
            "direction": self.direction.wire(), "legs": self.legs.iter().map(PricedLeg::json).collect::<Vec<_>>(),
            "legs_hash": self.legs_hash.to_string(), "liquidity_role": "maker", "status": self.status.wire(),
            "cancel_reason": self.reason, "fill_pct": decimal(self.fill_pct),
            "creation_timestamp": self.created_ms, "last_update_timestamp": self.updated_ms,
        })
    }

    /// The `PublicQuote` schema, for the taker: no signature, no fee.
    pub fn public_json(&self) -> Value {
        let mut row = self.shared();
        row["wallet"] = json!(self.wallet.to_string());
        row
    }

    /// The `Quote` schema, for the maker.
    pub fn json(&self) -> Value {
        let mut row = self.shared();
        row["label"] = json!(self.label);
        row["mmp"] = json!(self.mmp);
        row["is_transfer"] = json!(false);
        row["nonce"] = json!(self.nonce.to_string());
        row["signature_expiry_sec"] = json!(self.expiry_s);
        row["max_fee"] = decimal(self.max_fee);
        row["fee"] = decimal(self.fee);
        row["extra_fee"] = decimal(self.extra_fee);
        row["batch_status"] = Value::Null;
        row["tx_hash"] = Value::Null;
        row
    }

    /// The row of `{subaccount}.quotes`: the maker's view with what was signed.
    pub fn owner_json(&self) -> Value {
        let mut row = self.json();
        row["signature"] = json!(self.signature);
        row["signer"] = json!(self.signer.to_string());
        row
    }
}
