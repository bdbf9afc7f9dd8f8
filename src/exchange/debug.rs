//! Debug methods (Derive §3.8): what a request encodes and hashes to, and who signed it. They execute nothing.

use super::admission::side;
use super::decode::decode_action;
use super::eip712::{
    ACTION_TYPEHASH, Action, Leg, execute_data, external_transfer_data, legs_data, module, quote_data, recover,
    transfer_data, whitelist_data, withdraw_data,
};
use super::keys::{Need, SCOPES};
use super::money::{e18, e18_signed, json as decimal};
use super::params::{Params, invalid, parse_address};
use super::public::now;
use super::quote::{order_quote, private_margin, public_margin};
use super::rpc::{Answer, Call, Method};
use super::{Exchange, Refusal, catalog};
use alloy_primitives::{Address, I256, U256, hex, keccak256};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

/// Methods of this module.
pub const METHODS: &[Method] = &[
    Method::new("public/order_quote", order_quote),
    Method::new("private/order_quote", order_quote),
    Method::new("private/get_margin", private_margin),
    Method::new("public/get_margin", public_margin),
    Method::new("private/order_debug", order_debug),
    Method::new("private/set_session_key_debug", set_session_key_debug),
    Method::new("private/transfer_spot_debug", |e, c| transfer_debug(e, c, false)),
    Method::new("private/transfer_spot_external_debug", |e, c| transfer_debug(e, c, true)),
    Method::new("private/transfer_positions_debug", transfer_positions_debug),
    Method::new("private/update_whitelisted_recipients_debug", whitelist_debug),
    Method::new("public/send_quote_debug", send_quote_debug),
    Method::new("public/execute_quote_debug", execute_quote_debug),
    Method::new("public/withdraw_debug", withdraw_debug),
    Method::new("public/decode_action", decode),
];

fn hex_text(bytes: impl AsRef<[u8]>) -> String {
    hex::encode_prefixed(bytes)
}

fn amount_word(p: Params, field: &str) -> Result<U256, Refusal> {
    e18(p.decimal(field)?).ok_or_else(|| invalid(field, "zero or more"))
}

/// The full debug reply of an action; `data` is the decoded view of its data.
fn explained(exchange: &Exchange, action: &Action, signature: Option<&str>, data: Value) -> Value {
    let digest = action.digest(exchange.domain);
    json!({
        "encoded_data": hex_text(&action.data), "encoded_data_hashed": hex_text(keccak256(&action.data)),
        "action_hash": hex_text(action.hash()), "typed_data_hash": hex_text(digest),
        "action_typehash": hex_text(ACTION_TYPEHASH), "domain_separator": hex_text(exchange.domain),
        "module": action.module.to_string(), "owner": action.owner.to_string(),
        "expected_signer": action.signer.to_string(),
        "recovered_signer": signature.and_then(|s| recover(digest, s)).map(|a| a.to_string()),
        "input_data": {
            "data": data, "expiry": action.expiry, "module": action.module.to_string(),
            "nonce": action.nonce.to_string(), "owner": action.owner.to_string(),
            "signer": action.signer.to_string(), "subaccount_id": action.subaccount,
        },
    })
}

/// The envelope of a request whose fields have their usual names.
fn envelope(p: Params, owner: Address, subaccount: u64, module: Address, data: Vec<u8>) -> Result<Action, Refusal> {
    Ok(Action {
        subaccount,
        nonce: p.u64("nonce")?,
        module,
        data,
        expiry: p.u64("signature_expiry_sec")?,
        owner,
        signer: p.address("signer")?,
    })
}

fn owner_of(exchange: &Exchange, sub: u64) -> Result<Address, Refusal> {
    exchange.subs.get(&sub).map(|s| s.wallet).ok_or_else(|| Refusal::because(14001, sub.to_string()))
}

fn order_debug(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let sub = call.subaccount(exchange, Need::Read)?;
    let order = exchange.read_order(call)?;
    let action = exchange.order_action(&order, owner_of(exchange, sub)?)?;
    let data = json!({
        "asset_address": exchange.instruments[order.instrument].address.to_string(),
        "asset_sub_id": exchange.instruments[order.instrument].sub_id.to_string(),
        "limit_price": decimal(order.limit_price), "desired_amount": decimal(order.amount),
        "worst_fee": decimal(order.max_fee), "recipient_id": sub,
        "is_bid": order.side == crate::base::ids::Side::Buy,
    });
    now(explained(exchange, &action, Some(&order.signature), data))
}

fn set_session_key_debug(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let p = call.params;
    let owner = call.wallet(exchange, Need::Read)?;
    let action = exchange.session_key_action(p, owner)?;
    let data = json!({
        "session_key": p.text("public_session_key")?, "expiry_sec": p.u64("expiry_sec")?,
        "scopes": super::registry::scopes_of(p)?.names(), "subaccounts": p.u64s("subaccount_ids")?,
    });
    now(explained(exchange, &action, p.opt_text("signature")?, data))
}

fn asset_address(exchange: &Exchange, name: &str) -> Result<Address, Refusal> {
    let spot = exchange.find_asset(name).map(|a| a.address);
    spot.or_else(|| catalog::signing_words(name).map(|(asset, _)| asset)).ok_or_else(|| Refusal::because(12000, name))
}

fn transfer_debug(exchange: &mut Exchange, call: &Call, external: bool) -> Result<Answer, Refusal> {
    let p = call.params;
    let sub = call.subaccount(exchange, Need::Read)?;
    let asset = asset_address(exchange, p.text("asset_name")?)?;
    let manager = u32::try_from(p.u64("new_subaccount_manager")?)
        .map_err(|_| invalid("new_subaccount_manager", "an integer below 2^32"))?;
    let to = p.u64("to_subaccount_id")?;
    let sub_id = U256::from(p.opt_u64("sub_id")?.unwrap_or(0));
    let (amount, max_fee) = (amount_word(p, "amount")?, amount_word(p, "max_fee_usd")?);
    let mut view = json!({
        "asset": asset.to_string(), "sub_id": sub_id.to_string(), "amount": decimal(p.decimal("amount")?),
        "max_fee_usd": decimal(p.decimal("max_fee_usd")?), "new_subaccount_manager": manager, "to_subaccount_id": to,
    });
    let (module, data) = if external {
        let recipient = p.address("recipient_address")?;
        view["recipient_address"] = json!(recipient.to_string());
        let data = external_transfer_data(to, manager, asset, sub_id, amount, max_fee, recipient);
        (module::EXTERNAL_TRANSFER, data)
    } else {
        (exchange.modules.transfer, transfer_data(to, manager, asset, sub_id, amount, max_fee))
    };
    let action = envelope(p, owner_of(exchange, sub)?, sub, module, data)?;
    now(explained(exchange, &action, p.opt_text("signature")?, view))
}

fn whitelist_debug(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let p = call.params;
    let owner = call.wallet(exchange, Need::Read)?;
    let addresses = |field: &str| -> Result<Vec<Address>, Refusal> {
        p.texts(field)?.iter().map(|t| parse_address(t).ok_or_else(|| Refusal::because(14013, field))).collect()
    };
    let (add, remove) = (addresses("add")?, addresses("remove")?);
    let texts = |list: &[Address]| list.iter().map(Address::to_string).collect::<Vec<_>>();
    let view = json!({ "add": texts(&add), "remove": texts(&remove) });
    let action = envelope(p, owner, 0, module::WHITELIST, whitelist_data(&add, &remove))?;
    now(explained(exchange, &action, p.opt_text("signature")?, view))
}

/// Legs as the maker's signed numbers, sorted by name (Derive §3.3).
fn maker_legs(p: Params, maker: bool) -> Result<Vec<Leg>, Refusal> {
    let direction = side(p)?.sign() * if maker { 1 } else { -1 };
    let rows = p.opt_list("legs")?.ok_or_else(|| invalid("legs", "a list of priced legs"))?;
    let mut legs = Vec::with_capacity(rows.len());
    for row in rows {
        let leg = Params(row.as_object().ok_or_else(|| invalid("legs", "a list of objects"))?, p.1);
        let name = leg.text("instrument_name")?;
        let (asset, sub_id) = catalog::signing_words(name).ok_or_else(|| Refusal::because(12001, name))?;
        let amount: I256 = e18_signed(leg.decimal("amount")? * Decimal::from(side(leg)?.sign() * direction));
        legs.push((name, (asset, sub_id, amount_word(leg, "price")?, amount)));
    }
    legs.sort_by_key(|(name, _)| *name);
    Ok(legs.into_iter().map(|(_, leg)| leg).collect())
}

fn legs_json(legs: &[Leg]) -> Vec<Value> {
    let value = |word: I256| super::money::from_e18_signed(word).map(decimal);
    legs.iter()
        .map(|(asset, sub_id, price, amount)| {
            json!({
                "asset_address": asset.to_string(), "asset_sub_id": sub_id.to_string(),
                "price": value(I256::try_from(*price).unwrap_or_default()), "amount": value(*amount),
            })
        })
        .collect()
}

/// The action a quote's (`maker`) or an execution's signature must be of, and the maker's legs in it.
pub(super) fn quote_action(exchange: &Exchange, p: Params, maker: bool) -> Result<(Action, Vec<Leg>), Refusal> {
    let sub = p.u64("subaccount_id")?;
    let legs = maker_legs(p, maker)?;
    let max_fee = amount_word(p, "max_fee")?;
    let data = if maker { quote_data(max_fee, &legs) } else { execute_data(&legs, max_fee) };
    Ok((envelope(p, owner_of(exchange, sub)?, sub, exchange.modules.rfq, data)?, legs))
}

fn hashes(exchange: &Exchange, action: &Action) -> Map<String, Value> {
    let full = explained(exchange, action, None, Value::Null);
    let wanted = ["action_hash", "encoded_data", "encoded_data_hashed", "typed_data_hash"];
    wanted.into_iter().map(|name| (name.to_string(), full[name].clone())).collect()
}

fn send_quote_debug(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let (action, _) = quote_action(exchange, call.params, true)?;
    now(Value::Object(hashes(exchange, &action)))
}

fn execute_quote_debug(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let (action, legs) = quote_action(exchange, call.params, false)?;
    let mut reply = hashes(exchange, &action);
    let encoded = legs_data(&legs);
    reply.insert("legs_hash".into(), json!(hex_text(keccak256(&encoded))));
    reply.insert("encoded_legs".into(), json!(hex_text(encoded)));
    now(Value::Object(reply))
}

fn transfer_positions_debug(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    call.wallet(exchange, Need::Read)?;
    let part =
        |field: &str| call.params.0.get(field).and_then(Value::as_object).ok_or_else(|| invalid(field, "an object"));
    let of = |part| Params(part, call.params.1);
    let (maker, taker) = (of(part("maker_params")?), of(part("taker_params")?));
    let (made, legs) = quote_action(exchange, maker, true)?;
    let (taken, taker_legs) = quote_action(exchange, taker, false)?;
    let made_view = json!({ "max_fee": decimal(maker.decimal("max_fee")?), "trades": legs_json(&legs) });
    let taken_view = json!({
        "max_fee": decimal(taker.decimal("max_fee")?),
        "order_hash": hex_text(keccak256(legs_data(&taker_legs))),
    });
    now(json!({
        "maker_result": explained(exchange, &made, maker.opt_text("signature")?, made_view),
        "taker_result": explained(exchange, &taken, taker.opt_text("signature")?, taken_view),
    }))
}

fn withdraw_debug(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let p = call.params;
    let sub = p.u64("subaccount_id")?;
    let owner = owner_of(exchange, sub)?;
    let name = p.text("asset_name")?;
    let asset = asset_address(exchange, name)?;
    let amount: U256 =
        p.text("amount_in_underlying")?.parse().map_err(|_| invalid("amount_in_underlying", "an integer"))?;
    let recipient = if p.opt_text("recipient")?.is_some() { p.address("recipient")? } else { owner };
    let force = p.flag("force_batch")?;
    let data = withdraw_data(asset, amount_word(p, "max_fee_usd")?, recipient, amount, force);
    let view = json!({
        "asset": asset.to_string(), "amount": amount.to_string(), "recipient": recipient.to_string(),
        "max_fee_usd": decimal(p.decimal("max_fee_usd")?), "force_batch": force,
    });
    let action = envelope(p, owner, sub, exchange.modules.withdrawal, data)?;
    now(explained(exchange, &action, p.opt_text("signature")?, view))
}

fn decode(_: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let kind = call.params.text("action_type")?;
    let text = call.params.0.get("encoded_data").and_then(Value::as_str).unwrap_or_default();
    let bytes = hex::decode(text).map_err(|_| invalid("encoded_data", "hex"))?;
    let decoded = decode_action(kind, &bytes, &SCOPES)?;
    now(json!({ "action_type": kind, "decoded": decoded }))
}
