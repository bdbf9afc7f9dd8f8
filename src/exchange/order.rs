//! Orders and trades as the venue shows them.

use super::money::{json as decimal, text};
use super::settling::{Tx, TxStatus};
use super::{OrderId, TimeInForce};
use crate::base::ids::{Side, Uuid};
use crate::exchange::outbox::ConnId;
use alloy_primitives::Address;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::sync::Arc;

impl TimeInForce {
    /// The venue's word.
    pub const fn wire(self) -> &'static str {
        match self {
            TimeInForce::Gtc => "gtc",
            TimeInForce::PostOnly => "post_only",
            TimeInForce::Fok => "fok",
            TimeInForce::Ioc => "ioc",
        }
    }
}

/// How far an order has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Resting.
    Open,
    /// Done in full.
    Filled,
    /// Ended early, see the cancel reason.
    Cancelled,
    /// Outlived its signature.
    Expired,
}

impl Status {
    /// The venue's word.
    pub const fn wire(self) -> &'static str {
        match self {
            Status::Open => "open",
            Status::Filled => "filled",
            Status::Cancelled => "cancelled",
            Status::Expired => "expired",
        }
    }
}

/// An order, from acceptance to its end.
#[derive(Clone, Debug)]
pub struct Order {
    /// Venue name.
    pub id: OrderId,
    /// Subaccount.
    pub sub: u64,
    /// Instrument's place in the catalog.
    pub instrument: usize,
    /// Its name.
    pub instrument_name: Arc<str>,
    /// Side.
    pub side: Side,
    /// Limit price in force.
    pub limit_price: Decimal,
    /// The limit price that was signed, if the venue repriced a post-only order.
    pub signed_limit_price: Option<Decimal>,
    /// Amount ordered.
    pub amount: Decimal,
    /// Amount filled.
    pub filled: Decimal,
    /// Sum of price × amount of the fills.
    pub filled_value: Decimal,
    /// Fees charged.
    pub fee: Decimal,
    /// Cap on fees per unit.
    pub max_fee: Decimal,
    /// Builder fee for the whole order.
    pub extra_fee: Decimal,
    /// How long it stays.
    pub tif: TimeInForce,
    /// Market orders never rest.
    pub market: bool,
    /// May only shrink a position.
    pub reduce_only: bool,
    /// Under market-maker protection.
    pub mmp: bool,
    /// Whether a crossing post-only order is refused rather than repriced.
    pub reject_post_only: bool,
    /// Milliseconds after which the matching engine refuses it.
    pub reject_timestamp: Option<u64>,
    /// Client's name.
    pub label: String,
    /// Nonce.
    pub nonce: u64,
    /// Address the signature is said to be of: the owner, which on v2 may be a contract, or a session key.
    pub signer: Address,
    /// Address whose key made the signature as sent.
    pub proved_by: Address,
    /// The owner's contract approves each fill inside its settlement (v2).
    pub atomic: bool,
    /// The signature as sent.
    pub signature: String,
    /// Dies at this unix second.
    pub expiry_s: u64,
    /// Unix ms of acceptance.
    pub created_ms: u64,
    /// Unix ms of the last change.
    pub updated_ms: u64,
    /// How far it has come.
    pub status: Status,
    /// Why it ended early.
    pub cancel_reason: &'static str,
    /// The order it replaced.
    pub replaced: Option<Uuid>,
    /// Connection it was sent on.
    pub conn: Option<ConnId>,
}

impl Order {
    /// Amount not filled.
    pub fn remaining(&self) -> Decimal {
        self.amount - self.filled
    }

    /// The `Order` schema.
    pub fn json(&self) -> Value {
        let average = if self.filled.is_zero() { Decimal::ZERO } else { self.filled_value / self.filled };
        json!({
            "subaccount_id": self.sub, "order_id": format!("{:?}", self.id),
            "instrument_name": self.instrument_name, "direction": self.side.wire(), "label": self.label,
            "quote_id": null, "creation_timestamp": self.created_ms, "last_update_timestamp": self.updated_ms,
            "limit_price": decimal(self.limit_price), "amount": decimal(self.amount),
            "filled_amount": decimal(self.filled), "average_price": decimal(average),
            "order_fee": decimal(self.fee), "order_type": if self.market { "market" } else { "limit" },
            "time_in_force": self.tif.wire(), "order_status": self.status.wire(),
            "max_fee": decimal(self.max_fee), "extra_fee": decimal(self.extra_fee),
            "signature_expiry_sec": self.expiry_s, "signer": self.signer.to_string(),
            "signature": self.signature, "nonce": self.nonce.to_string(), "cancel_reason": self.cancel_reason,
            "mmp": self.mmp, "is_transfer": false,
            "replaced_order_id": self.replaced.map(|id| format!("{id:?}")),
            "signed_limit_price": self.signed_limit_price.map(text),
            "trigger_type": null, "trigger_price": null, "trigger_price_type": null,
            "trigger_reject_message": null, "algo_type": null, "algo_duration_sec": null,
            "algo_num_slices": null, "algo_slices_completed": null,
        })
    }
}

/// One side of a match.
#[derive(Clone, Debug)]
pub struct TradeRow {
    /// Shared by both sides.
    pub trade_id: Uuid,
    /// Protocol operation.
    pub op_uuid: Uuid,
    /// Order filled; for a quote, the quote's name.
    pub order: OrderId,
    /// Its label.
    pub label: String,
    /// Subaccount.
    pub sub: u64,
    /// Owner.
    pub wallet: Address,
    /// Instrument.
    pub instrument_name: Arc<str>,
    /// Side of this row.
    pub side: Side,
    /// Taker or maker.
    pub taker: bool,
    /// Price.
    pub price: Decimal,
    /// Amount.
    pub amount: Decimal,
    /// Fee charged.
    pub fee: Decimal,
    /// Builder fee charged.
    pub extra_fee: Decimal,
    /// Mark at the time.
    pub mark: Decimal,
    /// Index at the time.
    pub index: Decimal,
    /// PnL realised, with fees.
    pub realized: Decimal,
    /// PnL realised, without fees.
    pub realized_excl: Decimal,
    /// The RFQ and the quote it came from, if it was no match in the book.
    pub rfq: Option<(Uuid, Uuid)>,
    /// Where it stands on the chain; nowhere on v3.
    pub tx: Option<Tx>,
    /// Unix ms.
    pub at_ms: u64,
}

impl TradeRow {
    fn shared(&self) -> Value {
        let named = |id: Uuid| format!("{id:?}");
        json!({
            "subaccount_id": self.sub, "instrument_name": self.instrument_name, "direction": self.side.wire(),
            "quote_id": self.rfq.map(|(_, quote)| named(quote)), "rfq_id": self.rfq.map(|(rfq, _)| named(rfq)),
            "trade_id": named(self.trade_id), "timestamp": self.at_ms,
            "mark_price": decimal(self.mark), "index_price": decimal(self.index),
            "trade_price": decimal(self.price), "trade_amount": decimal(self.amount),
            "liquidity_role": if self.taker { "taker" } else { "maker" },
            "realized_pnl": decimal(self.realized), "realized_pnl_excl_fees": decimal(self.realized_excl),
            "trade_fee": decimal(self.fee), "expected_rebate": "0", "extra_fee": decimal(self.extra_fee),
        })
    }

    /// The owner's view: the `Trade` schema.
    pub fn private_json(&self) -> Value {
        let mut row = self.shared();
        row["order_id"] = json!(format!("{:?}", self.order));
        row["label"] = json!(self.label);
        row["is_transfer"] = json!(false);
        match self.tx {
            Some(tx) => tell(&mut row, tx),
            None => {
                row["batch_status"] = Value::Null;
                row["tx_hash"] = Value::Null;
                row["op_uuid"] = json!(format!("{:?}", self.op_uuid));
            }
        }
        row
    }

    /// Everyone's view: the `PublicTrade` schema.
    pub fn public_json(&self) -> Value {
        let mut row = self.shared();
        row["wallet"] = json!(self.wallet.to_string());
        if let Some(tx) = self.tx {
            tell(&mut row, tx);
        }
        row
    }

    /// The row of `public/get_trade_history`. On v3 nothing settles on a chain here, so there is no transaction hash.
    pub fn settled_json(&self) -> Value {
        let mut row = self.public_json();
        if self.tx.is_none() {
            row["batch_status"] = Value::Null;
            row["tx_hash"] = json!("");
        }
        row
    }

    /// True if it is in that state on the chain; any fill if none is asked for.
    pub fn is_in(&self, status: Option<TxStatus>) -> bool {
        status.is_none_or(|status| self.tx.is_some_and(|tx| tx.status == status))
    }
}

/// Writes where a fill stands on the chain into its row.
fn tell(row: &mut Value, tx: Tx) {
    row["tx_status"] = json!(tx.status.wire());
    row["tx_hash"] = json!(tx.hash.map(|hash| hash.to_string()));
}
