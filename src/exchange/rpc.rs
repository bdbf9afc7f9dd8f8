//! Requests in, replies out: JSON-RPC framing, authentication, budgets, and the table of methods.

use super::keys::Need;
use super::limits::{CANCEL_ALL_TPS, CANCEL_BY_LABEL_TPS, Class, QUOTE_TPS};
use super::outbox::{ConnId, HttpTicket, Out, Outbox};
use super::params::{Params, parse_address};
use super::session::{Caller, Connection};
use super::{AuthHeaders, Dialect, Exchange, Refusal, eip712, money};
use crate::base::time::Nanos;
use alloy_primitives::Address;
use serde_json::{Map, Value, json};

/// Where a reply goes.
#[derive(Clone, Debug)]
pub struct ReplyTo {
    to: Destination,
    id: Value,
}

#[derive(Clone, Copy, Debug)]
enum Destination {
    Socket(ConnId),
    Http(HttpTicket),
}

/// One request while it is handled.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    /// When it arrived.
    pub at: Nanos,
    /// Its parameters.
    pub params: Params<'a>,
    /// Who sent it, if proved.
    pub caller: Option<Caller>,
    /// The connection, for WebSocket requests.
    pub conn: Option<ConnId>,
    /// Where its reply goes, now or later.
    pub reply: ReplyTo,
}

/// A method's immediate answer.
pub enum Answer {
    /// The result.
    Now(Value),
    /// The reply will be sent when the speed bump is over.
    Later,
}

/// The shape of every method.
pub type Handler = fn(&mut Exchange, &Call) -> Result<Answer, Refusal>;

/// One method: its name, what it is charged to, whether the caller must be known, what it does.
pub struct Method {
    /// Name with its `public/` or `private/` prefix.
    pub name: &'static str,
    class: Class,
    handler: Handler,
}

impl Method {
    /// A method of the ordinary class.
    pub const fn new(name: &'static str, handler: Handler) -> Method {
        Method { name, class: Class::NonMatching, handler }
    }

    /// A method charged to the matching budget.
    pub const fn matching(name: &'static str, handler: Handler) -> Method {
        Method { name, class: Class::Matching, handler }
    }

    /// A quote method, charged to a budget of its own.
    pub const fn quoting(name: &'static str, handler: Handler) -> Method {
        Method { name, class: Class::Endpoint(name, QUOTE_TPS), handler }
    }

    fn is_private(&self) -> bool {
        self.name.starts_with("private/")
    }

    /// `cancel_all` and unscoped `cancel_by_label` have budgets of their own.
    fn class_for(&self, params: Params) -> Class {
        match self.name {
            "private/cancel_all" => Class::Endpoint("private/cancel_all", CANCEL_ALL_TPS),
            "private/cancel_by_label" if params.0.get("instrument_name").is_some_and(Value::is_string) => {
                Class::Matching
            }
            "private/cancel_by_label" => Class::Endpoint("private/cancel_by_label", CANCEL_BY_LABEL_TPS),
            _ => self.class,
        }
    }
}

/// What v2 has no such action for.
const V3_ONLY: [&str; 7] = [
    "private/set_session_key",
    "private/set_session_key_debug",
    "private/transfer_spot_debug",
    "private/transfer_spot_external_debug",
    "private/transfer_positions_debug",
    "private/update_whitelisted_recipients_debug",
    "public/withdraw_debug",
];

/// What only v2 has an action for.
const V2_ONLY: [&str; 3] = ["private/deposit", "private/withdraw", "public/get_transaction"];

fn find_method(name: &str) -> Option<&'static Method> {
    let tables: [&'static [Method]; 11] = [
        super::public::METHODS,
        super::registry::METHODS,
        super::orders::METHODS,
        super::cancels::METHODS,
        &super::capital::METHODS,
        super::portfolio::METHODS,
        super::history::METHODS,
        super::rfq::TAKER_METHODS,
        super::rfq::MAKER_METHODS,
        super::debug::METHODS,
        super::options::METHODS,
    ];
    tables.into_iter().flatten().find(|m| m.name == name)
}

impl Call<'_> {
    /// The caller, or 14021.
    pub fn known(&self) -> Result<Caller, Refusal> {
        self.caller.ok_or_else(|| Refusal::because(14021, "log in, or send the headers of a login"))
    }

    /// The wallet named by `wallet`, which must be the caller's, with a need satisfied.
    pub fn wallet(&self, exchange: &Exchange, need: Need) -> Result<Address, Refusal> {
        let caller = self.known()?;
        if let Some(named) = self.params.opt_text("wallet")?
            && parse_address(named) != Some(caller.wallet)
        {
            return Err(Refusal::because(14020, named));
        }
        exchange.wallet(caller.wallet)?.allow(caller.wallet, caller.signer, need, None, self.at)?;
        Ok(caller.wallet)
    }

    /// The subaccount named by `subaccount_id`, which must be the caller's, with a need satisfied.
    pub fn subaccount(&self, exchange: &Exchange, need: Need) -> Result<u64, Refusal> {
        let caller = self.known()?;
        let sub = self.params.u64("subaccount_id")?;
        exchange.owned(caller.wallet, sub)?;
        exchange.wallet(caller.wallet)?.allow(caller.wallet, caller.signer, need, Some(sub), self.at)?;
        Ok(sub)
    }
}

impl Exchange {
    /// A WebSocket connection was accepted; over the limit the first request is answered with −32100 and a close.
    pub fn connect(&mut self, at: Nanos) -> ConnId {
        self.advance(at);
        let conn = ConnId(self.next_conn);
        self.next_conn += 1;
        if self.conns.len() < self.settings.connections_max {
            self.conns.insert(conn, Connection::default());
        }
        conn
    }

    /// A WebSocket connection is gone: its subscriptions end, and cancel-on-disconnect does its work.
    pub fn disconnect(&mut self, conn: ConnId, at: Nanos, out: &mut Outbox) {
        self.advance(at);
        let Some(connection) = self.conns.remove(&conn) else { return };
        for channel in &connection.channels {
            self.unlisten(conn, channel);
        }
        let armed = |c: &Caller| self.wallets.get(&c.wallet).is_some_and(|w| w.cancel_on_disconnect);
        if connection.login.as_ref().is_some_and(armed) {
            self.cancel_of_connection(conn, at);
        }
        self.flush(out);
    }

    /// One JSON-RPC request over WebSocket.
    pub fn on_text(&mut self, conn: ConnId, at: Nanos, text: &[u8], out: &mut Outbox) {
        self.advance(at);
        let to = Destination::Socket(conn);
        let Some(connection) = self.conns.get(&conn) else {
            self.reply(&ReplyTo { to, id: Value::Null }, Err(Refusal::of(-32100)), out);
            out.push(Out::Close { conn });
            return;
        };
        if text.len() > self.settings.frame_bytes_max {
            out.push(Out::Close { conn });
            return;
        }
        let caller = connection.login;
        match parse_request(text) {
            Err((id, refusal)) => self.reply(&ReplyTo { to, id }, Err(refusal), out),
            Ok((id, method, params)) => {
                let reply = ReplyTo { to, id };
                let call = Call { at, params: self.params(&params), caller, conn: Some(conn), reply };
                self.handle(&method, &call, out);
            }
        }
        self.flush(out);
    }

    /// One HTTP request, `method_path` such as `public/get_time`. The reply arrives through an outbox, now or later.
    pub fn on_http(
        &mut self,
        at: Nanos,
        method_path: &str,
        headers: &AuthHeaders,
        body: &[u8],
        reply: HttpTicket,
        out: &mut Outbox,
    ) {
        self.advance(at);
        let reply = ReplyTo { to: Destination::Http(reply), id: json!(format!("{:?}", self.ids.uuid())) };
        let body = if body.iter().all(u8::is_ascii_whitespace) { b"{}" } else { body };
        let params = match serde_json::from_slice(body) {
            Ok(Value::Object(params)) if body.len() <= self.settings.frame_bytes_max => params,
            Ok(_) => return self.reply(&reply, Err(Refusal::because(-32602, "the body must be an object")), out),
            Err(_) => return self.reply(&reply, Err(Refusal::of(-32700)), out),
        };
        match self.header_caller(headers, at) {
            Err(refusal) => self.reply(&reply, Err(refusal), out),
            Ok(caller) => {
                let call = Call { at, params: self.params(&params), caller, conn: None, reply };
                self.handle(method_path, &call, out);
            }
        }
        self.flush(out);
    }

    fn params<'a>(&self, params: &'a Map<String, Value>) -> Params<'a> {
        Params(params, decimals_max(self.settings.dialect()))
    }

    fn header_caller(&self, headers: &AuthHeaders, at: Nanos) -> Result<Option<Caller>, Refusal> {
        let Some(wallet) = &headers.wallet else { return Ok(None) };
        let (Some(timestamp), Some(signature)) = (&headers.timestamp, &headers.signature) else {
            return Err(Refusal::because(14014, "headers: timestamp and signature are needed too"));
        };
        self.authenticate(wallet, timestamp, signature, at).map(Some)
    }

    /// Who signed a login: the wallet's owner within the freshness window, or one of its live session keys.
    pub(super) fn authenticate(
        &self,
        wallet: &str,
        timestamp: &str,
        signature: &str,
        at: Nanos,
    ) -> Result<Caller, Refusal> {
        let wallet = parse_address(wallet).ok_or_else(|| Refusal::because(14013, "wallet"))?;
        let account = self.wallet(wallet)?;
        let stamp: u64 = timestamp.parse().map_err(|_| Refusal::because(-32602, "timestamp: unix milliseconds"))?;
        let signer = eip712::recover_login(timestamp, signature).ok_or_else(|| Refusal::of(14014))?;
        if signer == wallet {
            if stamp.abs_diff(at.ms()) > self.settings.login_window_ms {
                return Err(Refusal::because(14014, format!("timestamp {stamp} is far from {}", at.ms())));
            }
        } else {
            let key = account.keys.get(&signer).ok_or_else(|| Refusal::because(14026, signer.to_string()))?;
            if let Some(code) = account.loss.and_then(|loss| loss.refuses(Need::Read)) {
                return Err(Refusal::because(code, signer.to_string()));
            }
            if !key.is_live(at) {
                return Err(Refusal::of(14030));
            }
        }
        Ok(Caller { wallet, signer })
    }

    fn handle(&mut self, name: &str, call: &Call, out: &mut Outbox) {
        let answer = self.answer(name, call);
        match answer {
            Ok(Answer::Now(value)) => self.reply(&call.reply, Ok(value), out),
            Ok(Answer::Later) => {}
            Err(refusal) => self.reply(&call.reply, Err(refusal), out),
        }
    }

    fn answer(&mut self, name: &str, call: &Call) -> Result<Answer, Refusal> {
        let named = || name.chars().take(64).collect::<String>();
        let elsewhere: &[&str] = if self.settles() { &V3_ONLY } else { &V2_ONLY };
        let offered = |method: &&Method| !elsewhere.contains(&method.name);
        let method = find_method(name).filter(offered).ok_or_else(|| Refusal::because(-32601, named()))?;
        let caller = if method.is_private() { Some(call.known()?) } else { call.caller };
        self.charge(method.class_for(call.params), caller, call)?;
        (method.handler)(self, call)
    }

    fn charge(&mut self, class: Class, caller: Option<Caller>, call: &Call) -> Result<(), Refusal> {
        let named = call.params.0.get("instrument_name").and_then(Value::as_str);
        let instrument = named.filter(|name| self.find_instrument(name).is_ok());
        let mmp = call.params.0.get("mmp") == Some(&Value::Bool(true));
        let default_tier = self.settings.tier;
        let (budgets, tier) = match (caller.and_then(|c| self.wallets.get_mut(&c.wallet)), call.conn) {
            (Some(wallet), _) => (&mut wallet.budgets, wallet.tier),
            (None, Some(conn)) => match self.conns.get_mut(&conn) {
                Some(connection) => (&mut connection.budgets, default_tier),
                None => return Err(Refusal::of(-32603)),
            },
            (None, None) => (&mut self.http_budgets, default_tier),
        };
        budgets.charge(tier, class, instrument, mmp, call.at)
    }

    /// Sends a reply to wherever its request came from.
    pub(super) fn reply(&self, reply: &ReplyTo, result: Result<Value, Refusal>, out: &mut Outbox) {
        // Written out rather than put together: `json!` would copy the whole result once more.
        let text = match result {
            Ok(value) => format!(r#"{{"id":{},"result":{value}}}"#, reply.id),
            Err(refusal) => format!(r#"{{"error":{},"id":{}}}"#, refusal.json(), reply.id),
        };
        match reply.to {
            Destination::Socket(conn) => out.push(Out::Text { conn, text }),
            Destination::Http(ticket) => out.push(Out::Http { ticket, status: 200, body: text }),
        }
    }

    /// A wallet, or 14000.
    pub(super) fn wallet(&self, wallet: Address) -> Result<&super::account::Wallet, Refusal> {
        self.wallets.get(&wallet).ok_or_else(|| Refusal::because(14000, wallet.to_string()))
    }

    /// Checks that a subaccount belongs to a wallet, else 14001.
    pub(super) fn owned(&self, wallet: Address, sub: u64) -> Result<(), Refusal> {
        let mine = self.subs.get(&sub).is_some_and(|s| s.wallet == wallet);
        if mine { Ok(()) } else { Err(Refusal::because(14001, sub.to_string())) }
    }
}

/// Decimals a number may have: twelve on v3, all that an e18 word holds on v2.
const fn decimals_max(dialect: Dialect) -> u32 {
    match dialect {
        Dialect::V3 => money::DECIMALS,
        Dialect::V2 => money::DECIMALS_V2,
    }
}

type Request = (Value, String, Map<String, Value>);

/// Splits a request frame; on failure, the id to answer with (null if it could not be read) and why.
fn parse_request(text: &[u8]) -> Result<Request, (Value, Refusal)> {
    let value: Value = serde_json::from_slice(text).map_err(|_| (Value::Null, Refusal::of(-32700)))?;
    let Value::Object(mut frame) = value else { return Err((Value::Null, Refusal::of(-32600))) };
    let id = frame.remove("id").unwrap_or(Value::Null);
    if !matches!(&id, Value::Null | Value::Number(_)) && id.as_str().is_none_or(|t| t.len() > 256) {
        return Err((Value::Null, Refusal::because(-32600, "id: a number, a short text or null")));
    }
    let Some(Value::String(method)) = frame.remove("method") else {
        return Err((id, Refusal::because(-32600, "method: missing")));
    };
    match frame.remove("params") {
        None | Some(Value::Null) => Ok((id, method, Map::new())),
        Some(Value::Object(params)) => Ok((id, method, params)),
        Some(_) => Err((id, Refusal::because(-32602, "params must be an object"))),
    }
}
