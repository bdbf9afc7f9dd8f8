//! Reading an order request and checking all that can be checked before the matching engine sees it.

use super::eip712::{Action, trade_data};
use super::execution::Placed;
use super::keys::Need;
use super::money::{e18, e18_signed, multiple_of};
use super::order::{Order, Status};
use super::params::{Params, invalid};
use super::rpc::Call;
use super::{Dialect, Exchange, Owner, Refusal, TimeInForce};
use crate::base::ids::Side;
use crate::base::time::{MS, Nanos, SEC};
use alloy_primitives::Address;
use rust_decimal::Decimal;
use serde_json::{Value, json};

/// Order nonces may be this old.
const NONCE_PAST_NS: u64 = 120 * 86_400 * SEC;
/// Nonces may be this far ahead.
const NONCE_AHEAD_NS: u64 = 3_600 * SEC;
/// Nonces of v2 are milliseconds and three digits more.
const NONCE_V2_UNIT_NS: u64 = MS / 1_000;
/// Signatures live at least this long after arrival, seconds (Derive 11011).
const EXPIRY_MIN_S: u64 = 300;
/// And at most this long.
pub const EXPIRY_MAX_S: u64 = 10_368_000;
/// Signatures of mmp orders live at most this long.
const EXPIRY_MMP_MAX_S: u64 = 900;

impl Exchange {
    /// The order a request describes, with its grid and limits checked but nothing proved yet.
    pub(super) fn read_order(&mut self, call: &Call) -> Result<Order, Refusal> {
        let p = call.params;
        let sub = p.u64("subaccount_id")?;
        let ix = self.find_instrument(p.text("instrument_name")?)?;
        refuse_triggers(p)?;
        let market = one_of(p, "order_type", &[("limit", false), ("market", true)], false)?;
        let tif = time_in_force(p)?;
        if market && tif == TimeInForce::PostOnly {
            return Err(Refusal::of(11010));
        }
        Ok(Order {
            id: self.ids.uuid(),
            sub,
            instrument: ix,
            instrument_name: self.instruments[ix].name.clone(),
            side: side(p)?,
            limit_price: p.decimal("limit_price")?,
            signed_limit_price: None,
            amount: p.decimal("amount")?,
            filled: Decimal::ZERO,
            filled_value: Decimal::ZERO,
            fee: Decimal::ZERO,
            max_fee: p.decimal("max_fee")?,
            extra_fee: p.opt_decimal("extra_fee")?.unwrap_or_default(),
            tif,
            market,
            reduce_only: p.flag("reduce_only")?,
            mmp: p.flag("mmp")?,
            reject_post_only: p.opt_bool("reject_post_only")?.unwrap_or(true),
            reject_timestamp: p.opt_u64("reject_timestamp")?,
            label: p.opt_text("label")?.unwrap_or_default().to_string(),
            nonce: p.u64("nonce")?,
            signer: p.address("signer")?,
            proved_by: Address::ZERO,
            atomic: self.settles() && p.flag("is_atomic_signing")?,
            signature: p.text("signature")?.to_string(),
            expiry_s: p.u64("signature_expiry_sec")?,
            created_ms: call.at.ms(),
            updated_ms: call.at.ms(),
            status: Status::Open,
            cancel_reason: "",
            replaced: None,
            conn: call.conn,
        })
    }

    /// Everything that does not depend on the book, in the venue's order: signature, authority, nonce, expiry, grid.
    /// Notes whose key proved the order.
    pub(super) fn admit(&self, order: &mut Order, call: &Call) -> Result<(), Refusal> {
        let at = call.at;
        let caller = call.known()?;
        self.owned(caller.wallet, order.sub)?;
        let wallet = self.wallet(caller.wallet)?;
        let action = self.order_action(order, caller.wallet)?;
        order.proved_by = self.proved_by(&action, &order.signature, "private/order_debug")?;
        if order.atomic && wallet.owner != (Owner::Contract { atomic: true }) {
            return Err(Refusal::because(14033, caller.wallet.to_string()));
        }
        let need = Need::Orderbook(self.instruments[order.instrument].kind);
        wallet.allow(caller.wallet, caller.signer, need, Some(order.sub), at)?;
        wallet.allow(caller.wallet, order.proved_by, need, Some(order.sub), at)?;
        self.check_nonce(order.sub, order.nonce, at)?;
        let longest = if order.mmp { EXPIRY_MMP_MAX_S } else { EXPIRY_MAX_S };
        check_expiry(order.expiry_s, longest, at)?;
        let key = wallet.keys.get(&order.proved_by).filter(|_| order.proved_by != caller.wallet);
        if key.is_some_and(|key| order.expiry_s > key.expiry_s) {
            return Err(Refusal::because(11011, "the signature would outlive its session key"));
        }
        if order.max_fee < Decimal::ZERO || order.extra_fee < Decimal::ZERO {
            return Err(invalid("max_fee, extra_fee", "no negative fee"));
        }
        self.check_grid(order.instrument, order.limit_price, order.amount)
    }

    /// Whose key signed an action: its signer's; or, where the signer is the contract that owns the account, whoever's it
    /// is, who must then be registered for the account (v2). 14014 for any other signature; `debug` explains it.
    pub(super) fn proved_by(&self, action: &Action, signature: &str, debug: &str) -> Result<Address, Refusal> {
        let by_contract = action.signer == action.owner && self.is_contract(action.owner);
        action
            .recovered(self.domain, signature)
            .filter(|key| by_contract || *key == action.signer)
            .ok_or_else(|| Refusal::because(14014, format!("does not recover to {}; see {debug}", action.signer)))
    }

    /// The action an order's signature must be of.
    pub(super) fn order_action(&self, order: &Order, owner: Address) -> Result<Action, Refusal> {
        let max_fee = e18(order.max_fee).ok_or_else(|| invalid("max_fee", "zero or more"))?;
        let data = trade_data(
            self.instruments[order.instrument].address,
            self.instruments[order.instrument].sub_id,
            e18_signed(order.limit_price),
            e18_signed(order.amount),
            max_fee,
            order.sub,
            order.side == Side::Buy,
        );
        Ok(Action {
            subaccount: order.sub,
            nonce: order.nonce,
            module: self.modules.trade,
            data,
            expiry: order.expiry_s,
            owner,
            signer: order.signer,
        })
    }

    /// 11018, 11016, 11017: is the nonce of an order, a quote or an execution dated right and unused?
    pub(super) fn check_nonce(&self, sub: u64, nonce: u64, at: Nanos) -> Result<(), Refusal> {
        match self.settings.dialect() {
            Dialect::V3 => check_nonce_date(nonce, NONCE_PAST_NS, at)?,
            Dialect::V2 => check_nonce_date_v2(nonce, at)?,
        }
        let sub = self.subs.get(&sub).ok_or_else(|| Refusal::of(14001))?;
        if !sub.nonces.is_used(nonce) {
            return Ok(());
        }
        let ended = sub.ended.iter().rev().any(|o| o.nonce == nonce);
        Err(Refusal::because(if ended { 11016 } else { 11017 }, nonce.to_string()))
    }

    /// 11013 off the tick or not positive, 11012 off the step or outside the maximum.
    pub(super) fn check_grid(&self, ix: usize, price: Decimal, amount: Decimal) -> Result<(), Refusal> {
        let instrument = &self.instruments[ix];
        if price <= Decimal::ZERO || !multiple_of(price, instrument.tick) {
            return Err(Refusal::because(11013, format!("{price} is not a positive multiple of {}", instrument.tick)));
        }
        if amount <= Decimal::ZERO || !multiple_of(amount, instrument.step) {
            return Err(Refusal::because(11012, format!("{amount} is not a positive multiple of {}", instrument.step)));
        }
        if amount > instrument.maximum {
            return Err(Refusal::because(11012, format!("above maximum {}", instrument.maximum)));
        }
        Ok(())
    }
}

/// 11018 unless the nonce is a unix nanosecond within the window; ms- and µs-scale nonces fall far outside it.
pub fn check_nonce_date(nonce: u64, past_ns: u64, at: Nanos) -> Result<(), Refusal> {
    let (from, to) = (at.0.saturating_sub(past_ns), at.0.saturating_add(NONCE_AHEAD_NS));
    if (from..=to).contains(&nonce) {
        return Ok(());
    }
    Err(Refusal::because(11018, format!("{nonce}: expected UTC nanoseconds from {from} to {to}")))
}

/// 11018 unless the nonce is a unix millisecond within an hour of now, followed by three digits.
fn check_nonce_date_v2(nonce: u64, at: Nanos) -> Result<(), Refusal> {
    let hour = NONCE_AHEAD_NS / NONCE_V2_UNIT_NS;
    let now = at.ms() * 1_000;
    let (from, to) = (now.saturating_sub(hour), now.saturating_add(hour + 999));
    if (from..=to).contains(&nonce) {
        return Ok(());
    }
    Err(Refusal::because(11018, format!("{nonce}: expected UTC milliseconds and three digits from {from} to {to}")))
}

/// 11011 unless the signature expires between 300 s and `longest` seconds from now.
pub fn check_expiry(expiry_s: u64, longest: u64, at: Nanos) -> Result<(), Refusal> {
    let (from, to) = (at.secs() + EXPIRY_MIN_S, at.secs() + longest);
    if (from..=to).contains(&expiry_s) {
        return Ok(());
    }
    Err(Refusal::because(11011, format!("{expiry_s}: expected {from} to {to}")))
}

/// The reply to an order.
pub fn placed_json(placed: &Placed) -> Value {
    let trades: Vec<Value> = placed.trades.iter().map(super::order::TradeRow::private_json).collect();
    json!({ "order": placed.order.json(), "trades": trades })
}

/// `direction` as a side.
pub fn side(p: Params) -> Result<Side, Refusal> {
    match p.text("direction")? {
        "buy" => Ok(Side::Buy),
        "sell" => Ok(Side::Sell),
        _ => Err(invalid("direction", "buy or sell")),
    }
}

fn time_in_force(p: Params) -> Result<TimeInForce, Refusal> {
    let all = [TimeInForce::Gtc, TimeInForce::PostOnly, TimeInForce::Fok, TimeInForce::Ioc];
    one_of(p, "time_in_force", &all.map(|t| (t.wire(), t)), TimeInForce::Gtc)
}

fn one_of<T: Copy>(p: Params, field: &str, allowed: &[(&str, T)], default: T) -> Result<T, Refusal> {
    let Some(text) = p.opt_text(field)? else { return Ok(default) };
    let found = allowed.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
    let names: Vec<&str> = allowed.iter().map(|(name, _)| *name).collect();
    found.ok_or_else(|| invalid(field, &names.join(", ")))
}

fn refuse_triggers(p: Params) -> Result<(), Refusal> {
    for field in ["trigger_type", "trigger_price", "trigger_price_type", "algo_type"] {
        if p.0.get(field).is_some_and(|v| !v.is_null()) {
            return Err(Refusal::because(-32602, format!("{field}: trigger and algo orders are not offered here")));
        }
    }
    Ok(())
}

/// When an order that may take liquidity reaches the matching engine.
pub fn after_bump(at: Nanos, bump_ms: u64) -> Nanos {
    at.plus(bump_ms * MS)
}
