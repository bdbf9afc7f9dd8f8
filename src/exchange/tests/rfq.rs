//! The floor on which requests for quotes are tested: a taker, two makers and the house, each on its own connection.

use super::*;
use crate::exchange::params::Params;

/// A taker, two makers and the house, with books around 4000.
pub struct Floor {
    pub ex: Exchange,
    pub at: Nanos,
    pub parties: Vec<(ConnId, AccountSeed)>,
    pub house: u64,
    pub out: Outbox,
    nonce: u64,
}

pub const TAKER: usize = 0;
pub const MAKER: usize = 1;
pub const OTHER: usize = 2;
pub const PERP: &str = "ETH-PERP";
pub const SPOT: &str = "ETH-USDC";

/// The package of most tests: buy 2 perps, sell 1 ether.
pub fn package() -> Value {
    json!([
        { "instrument_name": SPOT, "amount": "1", "direction": "sell" },
        { "instrument_name": PERP, "amount": "2", "direction": "buy" },
    ])
}

/// The package with prices, at a share of its size.
pub fn priced(spot: &str, perp: &str, share: &str) -> Value {
    let mut legs = package();
    for (leg, price) in legs.as_array_mut().expect("a list").iter_mut().zip([spot, perp]) {
        let amount = d(leg["amount"].as_str().expect("a text")) * d(share);
        leg["amount"] = json!(amount.normalize().to_string());
        leg["price"] = json!(price);
    }
    legs
}

impl Floor {
    pub fn new() -> Floor {
        Floor::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut Settings)) -> Floor {
        let mut settings = Settings { accounts: developer_accounts(1, 3), ..Settings::default() };
        change(&mut settings);
        let accounts = settings.accounts.clone();
        let mut ex = Exchange::new(settings, T0);
        for (currency, price) in [("ETH", "4000"), ("BTC", "100000"), ("WEETH", "4300"), ("LBTC", "100500")] {
            ex.set_spot(currency, d(price), T0);
        }
        let house = ex.house_account("maker", &[("USDC", d("100000000")), ("ETH", d("10000"))]);
        let parties = accounts.into_iter().map(|account| (ex.connect(T0), account)).collect();
        let mut floor = Floor { ex, at: T0, parties, house, out: Vec::new(), nonce: T0.0 };
        (0..floor.parties.len()).for_each(|who| floor.log_in(who));
        floor
    }

    fn log_in(&mut self, who: usize) {
        let account = self.account(who).clone();
        let stamp = self.at.ms().to_string();
        let signature = sign(eip191_hash_message(stamp.as_bytes()), &key(&account.session_key_hex));
        let login = json!({ "wallet": account.wallet.to_string(), "timestamp": stamp, "signature": signature });
        self.ok(who, "public/login", login);
        let (sub, wallet) = (account.subaccount, account.wallet);
        let mut channels: Vec<String> =
            ["best.quotes", "quotes", "trades", "balances"].iter().map(|c| format!("{sub}.{c}")).collect();
        if account.rfq_maker {
            channels.push(format!("{wallet}.rfqs"));
        }
        let reply = self.ok(who, "subscribe", json!({ "channels": channels }));
        let status = reply["status"].as_object().expect("an object").clone();
        assert!(status.values().all(|word| word == "ok"), "{status:?}");
    }

    pub fn account(&self, who: usize) -> &AccountSeed {
        &self.parties[who].1
    }

    pub fn sub(&self, who: usize) -> u64 {
        self.account(who).subaccount
    }

    pub fn call(&mut self, who: usize, method: &str, params: Value) -> Value {
        self.out.clear();
        let frame = json!({ "id": 7, "method": method, "params": params }).to_string();
        self.ex.on_text(self.parties[who].0, self.at, frame.as_bytes(), &mut self.out);
        let reply = self.frames(who).into_iter().find(|f| f.get("id").is_some());
        reply.unwrap_or_else(|| panic!("{method}: no reply"))
    }

    pub fn ok(&mut self, who: usize, method: &str, params: Value) -> Value {
        let reply = self.call(who, method, params);
        assert!(reply.get("error").is_none(), "{method}: {reply}");
        reply["result"].clone()
    }

    fn frames(&self, who: usize) -> Vec<Value> {
        let text = |o: &Out| match o {
            Out::Text { conn, text } if *conn == self.parties[who].0 => serde_json::from_str(text).ok(),
            _ => None,
        };
        self.out.iter().filter_map(text).collect()
    }

    /// Rows a party was sent on channels ending so, since the last call.
    pub fn rows(&self, who: usize, channel: &str) -> Vec<Value> {
        let of = |f: &Value| f["params"]["channel"].as_str().is_some_and(|c| c.ends_with(channel));
        let data = |f: Value| f["params"]["data"].as_array().expect("rows").clone();
        self.frames(who).into_iter().filter(of).flat_map(data).collect()
    }

    pub fn pass(&mut self, ns: u64) {
        self.at = self.at.plus(ns);
        self.out.clear();
        self.ex.tick(self.at, &mut self.out);
    }

    pub fn send_rfq(&mut self, change: Value) -> Value {
        let mut params = json!({ "subaccount_id": self.sub(TAKER), "legs": package(), "label": "lot 1" });
        overlay(&mut params, change);
        self.ok(TAKER, "private/send_rfq", params)
    }

    /// A signed quote or execution; fields can be changed before it is signed.
    pub fn signed(&mut self, who: usize, maker: bool, fields: Value, change: Value) -> Value {
        self.nonce += 1;
        let account = self.account(who).clone();
        let mut params = json!({
            "subaccount_id": account.subaccount, "max_fee": "1000", "nonce": self.nonce.to_string(),
            "signer": account.session_key.to_string(), "signature_expiry_sec": self.at.secs() + 700,
        });
        overlay(&mut params, fields);
        overlay(&mut params, change);
        let map = params.as_object().expect("an object").clone();
        let (action, _) = debug::quote_action(&self.ex, Params(&map, 12), maker).expect("encodes");
        params["signature"] = json!(sign(action.digest(self.ex.domain), &key(&account.session_key_hex)));
        params
    }

    pub fn quote_params(&mut self, who: usize, rfq: &Value, direction: &str, legs: Value, change: Value) -> Value {
        let fields = json!({ "rfq_id": rfq["rfq_id"], "direction": direction, "legs": legs });
        self.signed(who, true, fields, change)
    }

    pub fn quote(&mut self, who: usize, rfq: &Value, direction: &str, legs: Value) -> Value {
        let params = self.quote_params(who, rfq, direction, legs, json!({}));
        self.ok(who, "private/send_quote", params)
    }

    pub fn execution(&mut self, quote: &Value, change: Value) -> Value {
        let opposite = if quote["direction"] == "buy" { "sell" } else { "buy" };
        let fields = json!({
            "rfq_id": quote["rfq_id"], "quote_id": quote["quote_id"], "direction": opposite, "legs": quote["legs"],
        });
        self.signed(TAKER, false, fields, change)
    }

    pub fn execute(&mut self, quote: &Value, change: Value) -> Value {
        let params = self.execution(quote, change);
        self.call(TAKER, "private/execute_quote", params)
    }

    pub fn rest(&mut self, instrument: &str, buy: bool, price: &str, amount: &str) {
        let (price, amount, at) = (d(price), d(amount), self.at);
        let tif = TimeInForce::Gtc;
        self.ex.house_order(self.house, instrument, buy, price, amount, tif, at, &mut self.out).expect("rests");
    }

    pub fn report(&self, who: usize) -> SubaccountReport {
        self.ex.subaccount_report(self.sub(who)).expect("exists")
    }
}

pub fn overlay(params: &mut Value, change: Value) {
    for (field, value) in change.as_object().expect("an object") {
        params[field] = value.clone();
    }
}
