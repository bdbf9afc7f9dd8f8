//! Sessions and keys: login, subscriptions, cancel-on-disconnect, registering session keys.

use super::admission::{check_expiry, check_nonce_date};
use super::eip712::{Action, module, session_key_data};
use super::keys::{Need, Scopes, SessionKey};
use super::limits;
use super::params::{Params, invalid};
use super::public::now;
use super::rpc::{Answer, Call, Method};
use super::session::{CHANNELS_MAX, Channel, Topic};
use super::{Exchange, Refusal};
use crate::base::time::SEC;
use alloy_primitives::Address;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Methods of this module.
pub const METHODS: &[Method] = &[
    Method::new("public/login", login),
    Method::new("subscribe", subscribe),
    Method::new("public/subscribe", subscribe),
    Method::new("unsubscribe", unsubscribe),
    Method::new("public/unsubscribe", unsubscribe),
    Method::new("private/set_cancel_on_disconnect", set_cancel_on_disconnect),
    Method::new("private/get_account", get_account),
    Method::new("private/session_keys", session_keys),
    Method::new("private/set_session_key", set_session_key),
    Method::new("private/edit_session_key", edit_session_key),
];

/// Account-level nonces must lie this close to now and grow.
const ACCOUNT_NONCE_PAST_NS: u64 = 3_600 * SEC;
/// Account-level signatures live at most this long, seconds.
const ACCOUNT_EXPIRY_MAX_S: u64 = 10_368_000;
/// A session key must live at least this long, seconds (Derive 14039).
const KEY_LIFE_MIN_S: u64 = 300;
/// Keys one wallet may hold.
const KEYS_MAX: usize = 256;

fn login(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let p = call.params;
    let conn = call.conn.ok_or_else(|| Refusal::because(-32601, "login is for WebSocket connections"))?;
    let timestamp = p.u64("timestamp")?.to_string();
    let caller = exchange.authenticate(p.text("wallet")?, &timestamp, p.text("signature")?, call.at)?;
    let wallet = exchange.wallet(caller.wallet)?;
    let key = wallet.keys.get(&caller.signer).filter(|_| caller.signer != caller.wallet);
    let reachable: Vec<u64> =
        wallet.subaccounts.iter().copied().filter(|sub| key.is_none_or(|k| k.reaches(*sub))).collect();
    if let Some(connection) = exchange.conns.get_mut(&conn) {
        connection.login = Some(caller);
    }
    now(json!(reachable))
}

fn subscribe(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let conn = call.conn.ok_or_else(|| Refusal::because(-32601, "subscriptions are for WebSocket connections"))?;
    if call.params.opt_list("channels")?.is_none() {
        return Err(invalid("channels", "a list of channel names"));
    }
    let mut status = Map::new();
    for name in call.params.texts("channels")? {
        let outcome = exchange.listen(conn, &name, call);
        status.insert(name, Value::String(outcome.err().unwrap_or_else(|| "ok".to_string())));
    }
    let current = exchange.conns.get(&conn).map(|c| &c.channels);
    now(json!({ "status": status, "current_subscriptions": current }))
}

fn unsubscribe(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let conn = call.conn.ok_or_else(|| Refusal::because(-32601, "subscriptions are for WebSocket connections"))?;
    let held = exchange.conns.get(&conn).map(|c| c.channels.clone()).unwrap_or_default();
    let chosen = match call.params.opt_list("channels")? {
        None => held.iter().cloned().collect(),
        Some(_) => call.params.texts("channels")?,
    };
    let mut status = Map::new();
    for name in chosen {
        let outcome = if held.contains(&name) { "ok" } else { "not subscribed" };
        exchange.unlisten(conn, &name);
        if let Some(connection) = exchange.conns.get_mut(&conn) {
            connection.channels.remove(&name);
        }
        status.insert(name, json!(outcome));
    }
    let remaining = exchange.conns.get(&conn).map(|c| &c.channels);
    now(json!({ "status": status, "remaining_subscriptions": remaining }))
}

impl Exchange {
    fn listen(&mut self, conn: super::ConnId, name: &str, call: &Call) -> Result<(), String> {
        let channel = self.parse_channel(name)?;
        self.may_listen(&channel, call)?;
        let Some(connection) = self.conns.get_mut(&conn) else { return Err("not connected".into()) };
        if connection.channels.len() >= CHANNELS_MAX && !connection.channels.contains(name) {
            return Err(format!("at most {CHANNELS_MAX} channels"));
        }
        connection.channels.insert(name.to_string());
        let fresh = || Topic { channel, conns: BTreeSet::new(), published: u64::MAX };
        let topic = self.topics.entry(name.to_string()).or_insert_with(fresh);
        topic.conns.insert(conn);
        // A newcomer gets a book at the next cadence, changed or not.
        topic.published = u64::MAX;
        Ok(())
    }

    fn may_listen(&self, channel: &Channel, call: &Call) -> Result<(), String> {
        let refused = |r: Refusal| Refusal::because(14022, r.to_string()).to_string();
        match channel {
            Channel::Subaccount(sub) => {
                let caller = call.known().map_err(refused)?;
                self.owned(caller.wallet, *sub).map_err(refused)?;
                let wallet = self.wallet(caller.wallet).map_err(refused)?;
                wallet.allow(caller.wallet, caller.signer, Need::Read, Some(*sub), call.at).map_err(refused)
            }
            Channel::Rfqs(wallet) => match call.known() {
                Ok(caller) if caller.wallet == *wallet => {
                    self.wallet(*wallet).and_then(|w| w.makes_quotes(*wallet)).map_err(refused)
                }
                _ => Err(refused(Refusal::because(14020, wallet.to_string()))),
            },
            _ => Ok(()),
        }
    }

    /// The action a session-key request's signature must be of.
    pub(super) fn session_key_action(&self, p: Params, owner: Address) -> Result<Action, Refusal> {
        let key = p.address("public_session_key")?;
        Ok(Action {
            subaccount: 0,
            nonce: p.u64("nonce")?,
            module: module::SESSION_KEY,
            data: session_key_data(key, p.u64("expiry_sec")?, &codes_of(p)?, &p.u64s("subaccount_ids")?),
            expiry: p.u64("signature_expiry_sec")?,
            owner,
            signer: p.address("signer")?,
        })
    }
}

/// The scopes a request asks for.
pub fn scopes_of(p: Params) -> Result<Scopes, Refusal> {
    let names = p.texts("protocol_scopes")?;
    Scopes::from_names(names.iter().map(String::as_str))
        .map_err(|name| invalid("protocol_scopes", &format!("known scopes; {name} is none")))
}

/// Codes in the order they were sent, which is the order that was signed.
fn codes_of(p: Params) -> Result<Vec<u8>, Refusal> {
    scopes_of(p)?;
    let names = p.texts("protocol_scopes")?;
    Ok(names.iter().filter_map(|name| super::keys::scope_code(name)).collect())
}

fn set_cancel_on_disconnect(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let wallet = call.wallet(exchange, Need::AllTrade)?;
    let enabled = call.params.opt_bool("enabled")?;
    if let (Some(wallet), Some(enabled)) = (exchange.wallets.get_mut(&wallet), enabled) {
        wallet.cancel_on_disconnect = enabled;
    }
    now(json!("ok"))
}

fn get_account(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let address = call.wallet(exchange, Need::Read)?;
    let wallet = exchange.wallet(address)?;
    let (matching, instrument, other) = limits::tps(wallet.tier);
    now(json!({
        "wallet": address.to_string(), "subaccount_ids": wallet.subaccounts,
        "fallback_subaccount_id": 0, "creation_timestamp_sec": wallet.created_s,
        "cancel_on_disconnect": wallet.cancel_on_disconnect, "is_rfq_maker": wallet.rfq_maker, "referral_code": null,
        "whitelisted_recipients": [],
        "websocket_matching_tps": matching, "websocket_non_matching_tps": other,
        "websocket_option_tps": instrument, "websocket_perp_tps": instrument,
        "per_endpoint_tps": {
            "private/cancel_all": limits::CANCEL_ALL_TPS, "private/cancel_by_label": limits::CANCEL_BY_LABEL_TPS,
            "private/send_quote": limits::QUOTE_TPS, "private/replace_quote": limits::QUOTE_TPS,
            "private/cancel_quote": limits::QUOTE_TPS,
        },
        "fee_info": {
            "base_fee_discount": "0", "rfq_maker_discount": "0", "rfq_taker_discount": "0",
            "option_maker_fee": null, "option_taker_fee": null, "perp_maker_fee": null, "perp_taker_fee": null,
            "spot_maker_fee": null, "spot_taker_fee": null,
        },
    }))
}

fn session_keys(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let wallet = call.wallet(exchange, Need::Read)?;
    let keys: Vec<Value> = exchange.wallet(wallet)?.keys.iter().map(|(a, k)| k.json(*a)).collect();
    now(json!({ "public_session_keys": keys }))
}

fn set_session_key(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let p = call.params;
    let owner = call.wallet(exchange, Need::SetSessionKey)?;
    let action = exchange.session_key_action(p, owner)?;
    if !action.signed_by_signer(exchange.domain, p.text("signature")?) {
        return Err(Refusal::of(14014));
    }
    check_nonce_date(action.nonce, ACCOUNT_NONCE_PAST_NS, call.at)?;
    check_expiry(action.expiry, ACCOUNT_EXPIRY_MAX_S, call.at)?;
    let address = p.address("public_session_key")?;
    let key = requested_key(p, call)?;
    let wallet = exchange.wallet(owner)?;
    if action.nonce <= wallet.account_nonce {
        return Err(Refusal::because(11017, format!("account nonces must grow beyond {}", wallet.account_nonce)));
    }
    delegable(exchange, owner, action.signer, &key, call)?;
    if wallet.keys.len() >= KEYS_MAX && !wallet.keys.contains_key(&address) {
        return Err(Refusal::because(-32602, format!("at most {KEYS_MAX} session keys")));
    }
    let mut reply = key.json(address);
    if let Some(reply) = reply.as_object_mut() {
        reply.remove("registered_sec");
    }
    if let Some(wallet) = exchange.wallets.get_mut(&owner) {
        wallet.account_nonce = action.nonce;
        wallet.keys.insert(address, key);
    }
    now(reply)
}

fn requested_key(p: Params, call: &Call) -> Result<SessionKey, Refusal> {
    let expiry_s = p.u64("expiry_sec")?;
    if expiry_s < call.at.secs() + KEY_LIFE_MIN_S {
        return Err(Refusal::because(14039, format!("at least {}", call.at.secs() + KEY_LIFE_MIN_S)));
    }
    let offchain = p.texts("offchain_scopes")?;
    if let Some(unknown) = offchain.iter().find(|s| *s != "account_info") {
        return Err(invalid("offchain_scopes", &format!("account_info; {unknown} is unknown")));
    }
    Ok(SessionKey {
        expiry_s,
        registered_s: call.at.secs(),
        scopes: scopes_of(p)?,
        account_info: !offchain.is_empty(),
        subaccounts: p.u64s("subaccount_ids")?,
        label: p.opt_text("label")?.unwrap_or_default().to_string(),
        ip_whitelist: p.texts("ip_whitelist")?,
    })
}

/// A key may only create keys that can do no more than itself.
fn delegable(
    exchange: &Exchange,
    owner: Address,
    signer: Address,
    child: &SessionKey,
    call: &Call,
) -> Result<(), Refusal> {
    let wallet = exchange.wallet(owner)?;
    wallet.allow(owner, signer, Need::SetSessionKey, None, call.at)?;
    let Some(parent) = wallet.keys.get(&signer).filter(|_| signer != owner) else { return Ok(()) };
    let within = child.subaccounts.iter().all(|sub| parent.reaches(*sub))
        && (parent.subaccounts.is_empty() || !child.subaccounts.is_empty());
    if parent.scopes.includes(child.scopes) && within && child.expiry_s <= parent.expiry_s {
        return Ok(());
    }
    Err(Refusal::because(14031, "a key may only delegate what it holds, where and while it holds it"))
}

fn edit_session_key(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let p = call.params;
    let owner = call.wallet(exchange, Need::SetSessionKey)?;
    let address = p.address("public_session_key")?;
    let label = p.opt_text("label")?;
    let whitelist = p.opt_list("ip_whitelist")?.map(|_| p.texts("ip_whitelist")).transpose()?;
    let offchain = p.opt_list("offchain_scopes")?.map(|_| p.texts("offchain_scopes")).transpose()?;
    let wallet = exchange.wallets.get_mut(&owner).ok_or_else(|| Refusal::of(14000))?;
    let key = wallet.keys.get_mut(&address).ok_or_else(|| Refusal::because(14026, address.to_string()))?;
    if let Some(label) = label {
        key.label = label.to_string();
    }
    if let Some(whitelist) = whitelist {
        key.ip_whitelist = whitelist;
    }
    if let Some(offchain) = offchain {
        key.account_info = offchain.iter().any(|s| s == "account_info");
    }
    now(key.json(address))
}
