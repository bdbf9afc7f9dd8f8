//! `public/decode_action`: a client's bytes through the exchange's decoder.
//!
//! Decoding is strict: the bytes must be the canonical encoding of what they decode to.

use super::Refusal;
use super::money::{from_e18, from_e18_signed, json as decimal};
use super::params::invalid;
use alloy::sol_types::SolValue;
use alloy_primitives::{Address, B256, I256, U256};
use serde_json::{Value, json};

type Decoded = Option<Value>;

/// Decodes a module's data into named fields.
pub fn decode_action(kind: &str, data: &[u8], scopes: &[&str]) -> Result<Value, Refusal> {
    let decoded = match kind {
        "order" => order(data),
        "rfq_maker" => rfq_maker(data),
        "rfq_taker" => rfq_taker(data),
        "transfer" => transfer(data),
        "external_transfer" => external_transfer(data),
        "withdrawal" => withdrawal(data),
        "set_session_key" => session_key(data, scopes),
        "update_whitelisted_recipients" => whitelist(data),
        "vault_create" => vault_create(data),
        "vault_deposit" => vault_deposit(data),
        "vault_withdraw" => vault_pair(data, 2, "shares_to_burn"),
        "vault_cancel" => vault_cancel(data),
        "vault_mint_shares" => vault_settle(data, 4),
        "vault_burn_shares" => vault_settle(data, 5),
        "vault_force_burn" => vault_force_burn(data),
        "liquidation" | "delete_subaccount" => {
            return Err(Refusal::because(-32602, format!("action_type: the layout of {kind} is not published")));
        }
        _ => return Err(invalid("action_type", "a decodable action type")),
    };
    decoded.ok_or_else(|| invalid("encoded_data", "canonical ABI words with values on the 1e-12 grid"))
}

fn int(word: U256) -> Option<u64> {
    u64::try_from(word).ok()
}

fn value(word: U256) -> Decoded {
    from_e18(word).map(decimal)
}

fn text(address: Address) -> String {
    address.to_string()
}

fn order(data: &[u8]) -> Decoded {
    type T = (Address, U256, I256, I256, U256, U256, bool);
    let t = T::abi_decode_params_validate(data).ok().filter(|t| t.abi_encode_params() == data)?;
    Some(json!({
        "asset_address": text(t.0), "asset_sub_id": t.1.to_string(), "limit_price": decimal(from_e18_signed(t.2)?),
        "desired_amount": decimal(from_e18_signed(t.3)?), "worst_fee": value(t.4)?, "recipient_id": int(t.5)?,
        "is_bid": t.6,
    }))
}

fn rfq_maker(data: &[u8]) -> Decoded {
    type T = (U256, Vec<(Address, U256, U256, I256)>);
    let t = T::abi_decode_validate(data).ok().filter(|t| t.abi_encode() == data)?;
    let leg = |(asset, sub_id, price, amount): &(Address, U256, U256, I256)| {
        Some(json!({
            "asset_address": text(*asset), "asset_sub_id": sub_id.to_string(), "price": value(*price)?,
            "amount": decimal(from_e18_signed(*amount)?),
        }))
    };
    let legs: Option<Vec<Value>> = t.1.iter().map(leg).collect();
    Some(json!({ "max_fee": value(t.0)?, "trades": legs? }))
}

fn rfq_taker(data: &[u8]) -> Decoded {
    type T = (B256, U256);
    let t = T::abi_decode_params_validate(data).ok().filter(|t| t.abi_encode_params() == data)?;
    Some(json!({ "order_hash": t.0.to_string(), "max_fee": value(t.1)? }))
}

fn transfer(data: &[u8]) -> Decoded {
    type T = (U256, U256, Address, U256, U256, U256);
    let t = T::abi_decode_params_validate(data).ok().filter(|t| t.abi_encode_params() == data)?;
    Some(json!({
        "to_subaccount_id": int(t.0)?, "new_subaccount_manager": int(t.1)?, "asset": text(t.2),
        "sub_id": t.3.to_string(), "amount": value(t.4)?, "max_fee_usd": value(t.5)?,
    }))
}

fn external_transfer(data: &[u8]) -> Decoded {
    type T = (U256, U256, Address, U256, U256, U256, Address);
    let t = T::abi_decode_params_validate(data).ok().filter(|t| t.abi_encode_params() == data)?;
    Some(json!({
        "to_subaccount_id": int(t.0)?, "new_subaccount_manager": int(t.1)?, "asset": text(t.2),
        "sub_id": t.3.to_string(), "amount": value(t.4)?, "max_fee_usd": value(t.5)?, "recipient_address": text(t.6),
    }))
}

fn withdrawal(data: &[u8]) -> Decoded {
    type T = (Address, U256, Address, U256, bool);
    let t = T::abi_decode_params_validate(data).ok().filter(|t| t.abi_encode_params() == data)?;
    Some(json!({
        "asset": text(t.0), "max_fee_usd": value(t.1)?, "recipient": text(t.2), "amount": t.3.to_string(),
        "force_batch": t.4,
    }))
}

fn session_key(data: &[u8], scopes: &[&str]) -> Decoded {
    type T = (Address, U256, Vec<U256>, Vec<U256>);
    let t = T::abi_decode_params_validate(data).ok().filter(|t| t.abi_encode_params() == data)?;
    let names: Option<Vec<&str>> = t.2.iter().map(|code| scopes.get(int(*code)? as usize).copied()).collect();
    let subaccounts: Option<Vec<u64>> = t.3.iter().map(|id| int(*id)).collect();
    Some(json!({
        "session_key": text(t.0), "expiry_sec": int(t.1)?, "scopes": names?, "subaccounts": subaccounts?,
    }))
}

fn whitelist(data: &[u8]) -> Decoded {
    type T = (Vec<Address>, Vec<Address>);
    let t = T::abi_decode_params_validate(data).ok().filter(|t| t.abi_encode_params() == data)?;
    let texts = |list: Vec<Address>| list.into_iter().map(text).collect::<Vec<_>>();
    Some(json!({ "add": texts(t.0), "remove": texts(t.1) }))
}

fn vault_create(data: &[u8]) -> Decoded {
    type T = (U256, U256, Address, U256, U256, U256, U256, U256, U256, U256, Address, bool);
    let t = T::abi_decode_params_validate(data).ok().filter(|t| t.abi_encode_params() == data)?;
    t.0.is_zero().then_some(())?;
    Some(json!({
        "manager_id": int(t.1)?, "deposit_asset": text(t.2), "initial_deposit": value(t.3)?,
        "management_fee_bps": int(t.4)?, "performance_fee_bps": int(t.5)?, "max_slippage_bps": int(t.6)?,
        "cooldown_sec": int(t.7)?, "max_fee_usd": value(t.8)?, "initial_share_price_usd": value(t.9)?,
        "benchmark_asset": t.11.then(|| text(t.10)),
    }))
}

fn vault_deposit(data: &[u8]) -> Decoded {
    type T = (U256, U256, Address, U256);
    let t = T::abi_decode_params_validate(data).ok().filter(|t| t.abi_encode_params() == data)?;
    (t.0 == U256::from(1)).then_some(())?;
    Some(json!({ "vault_subaccount_id": int(t.1)?, "deposit_asset": text(t.2), "amount": value(t.3)? }))
}

fn vault_pair(data: &[u8], kind: u64, field: &str) -> Decoded {
    type T = (U256, U256, U256);
    let t = T::abi_decode_params_validate(data).ok().filter(|t| t.abi_encode_params() == data)?;
    (t.0 == U256::from(kind)).then_some(())?;
    Some(json!({ "vault_subaccount_id": int(t.1)?, field: value(t.2)? }))
}

fn vault_cancel(data: &[u8]) -> Decoded {
    type T = (U256, U256);
    let t = T::abi_decode_params_validate(data).ok().filter(|t| t.abi_encode_params() == data)?;
    (t.0 == U256::from(3)).then_some(())?;
    Some(json!({ "vault_subaccount_id": int(t.1)? }))
}

fn vault_settle(data: &[u8], kind: u64) -> Decoded {
    type T = (U256, U256, B256);
    let t = T::abi_decode_params_validate(data).ok().filter(|t| t.abi_encode_params() == data)?;
    (t.0 == U256::from(kind)).then_some(())?;
    Some(json!({ "share_price": value(t.1)?, "user_action_hash": t.2.to_string() }))
}

fn vault_force_burn(data: &[u8]) -> Decoded {
    type T = (U256, Address);
    let t = T::abi_decode_params_validate(data).ok().filter(|t| t.abi_encode_params() == data)?;
    (t.0 == U256::from(6)).then_some(())?;
    Some(json!({ "holder": text(t.1) }))
}
