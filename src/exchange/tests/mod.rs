//! The exchange as its clients meet it: signed requests in, replies and notifications out.

mod agreement;
mod capital;
mod conservation;
mod keys_and_debug;
mod options;
mod orders;
mod rfq;
mod rfq_conservation;
mod rfq_hashes;
mod rfq_options;
mod rfq_refusals;
mod rfq_stories;
mod v2;

use super::eip712::{Action, domain_separator, trade_data};
use super::money::{constant as d, e18, e18_signed};
use super::*;
use crate::base::time::MS;
use alloy_primitives::{U256, eip191_hash_message};
use k256::ecdsa::SigningKey;
use serde_json::{Value, json};

const T0: Nanos = Nanos(1_763_683_200 * SEC);

fn key(hex: &str) -> SigningKey {
    SigningKey::from_slice(&alloy_primitives::hex::decode(hex).expect("hex")).expect("scalar")
}

fn sign(digest: B256, key: &SigningKey) -> String {
    let (signature, recovery) = key.sign_prehash_recoverable(digest.as_slice()).expect("signs");
    let signature = alloy_primitives::Signature::from((signature, recovery));
    alloy_primitives::hex::encode_prefixed(signature.as_bytes())
}

/// An exchange with two developers, a house market maker with books around 4000, and one logged-in connection.
struct Bench {
    ex: Exchange,
    at: Nanos,
    conn: ConnId,
    account: AccountSeed,
    house: u64,
    out: Outbox,
    nonce: u64,
}

impl Bench {
    fn new() -> Bench {
        Bench::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Settings)) -> Bench {
        let mut settings = Settings::default();
        change(&mut settings);
        let account = settings.accounts[0].clone();
        let mut ex = Exchange::new(settings, T0);
        for (currency, price) in [("ETH", "4000"), ("BTC", "100000"), ("WEETH", "4300"), ("LBTC", "100500")] {
            ex.set_spot(currency, d(price), T0);
        }
        let house = ex.house_account("maker", &[("USDC", d("100000000")), ("ETH", d("10000")), ("WEETH", d("10000"))]);
        let conn = ex.connect(T0);
        let mut bench = Bench { ex, at: T0, conn, account, house, out: Vec::new(), nonce: T0.0 };
        bench.login();
        bench
    }

    fn login(&mut self) {
        let stamp = self.at.ms().to_string();
        let signature = sign(eip191_hash_message(stamp.as_bytes()), &key(&self.account.session_key_hex));
        let params = json!({ "wallet": self.account.wallet.to_string(), "timestamp": stamp, "signature": signature });
        let reply = self.call("public/login", params);
        assert_eq!(reply["result"], json!([self.account.subaccount]), "{reply}");
    }

    fn send(&mut self, method: &str, params: Value) {
        let frame = json!({ "id": 7, "method": method, "params": params }).to_string();
        self.ex.on_text(self.conn, self.at, frame.as_bytes(), &mut self.out);
    }

    /// Sends and returns the reply, letting the speed bump pass if there is none yet.
    fn call(&mut self, method: &str, params: Value) -> Value {
        self.out.clear();
        self.send(method, params);
        if self.reply().is_none() {
            self.pass(150 * MS);
        }
        self.reply().expect("a reply")
    }

    fn reply(&self) -> Option<Value> {
        self.frames().into_iter().find(|f| f.get("id").is_some())
    }

    fn frames(&self) -> Vec<Value> {
        let text = |o: &Out| match o {
            Out::Text { conn, text } if *conn == self.conn => serde_json::from_str(text).ok(),
            _ => None,
        };
        self.out.iter().filter_map(text).collect()
    }

    fn pass(&mut self, ns: u64) {
        self.at = self.at.plus(ns);
        self.ex.tick(self.at, &mut self.out);
    }

    fn rest(&mut self, instrument: &str, buy: bool, price: &str, amount: &str) -> OrderId {
        let fill = self.ex.house_order(
            self.house,
            instrument,
            buy,
            d(price),
            d(amount),
            TimeInForce::Gtc,
            self.at,
            &mut self.out,
        );
        fill.expect("rests").order
    }

    /// A well-formed order with a true signature; fields can be changed before signing.
    fn order(&mut self, instrument: &str, direction: &str, price: &str, amount: &str, change: Value) -> Value {
        self.nonce += 1;
        let mut order = json!({
            "subaccount_id": self.account.subaccount, "instrument_name": instrument, "direction": direction,
            "limit_price": price, "amount": amount, "max_fee": "1000", "order_type": "limit",
            "time_in_force": "gtc", "nonce": self.nonce.to_string(), "signer": self.account.session_key.to_string(),
            "signature_expiry_sec": self.at.secs() + 600, "label": "t",
        });
        for (field, value) in change.as_object().expect("an object") {
            order[field] = value.clone();
        }
        self.resign(&mut order);
        order
    }

    fn resign(&self, order: &mut Value) {
        let text = |f: &str| order[f].as_str().expect("a text").to_string();
        let (asset, sub_id) = catalog::signing_words(&text("instrument_name")).expect("known");
        let number = |f: &str| money::parse_within(&text(f), money::DECIMALS_V2).expect("a number");
        let data = trade_data(
            asset,
            sub_id,
            e18_signed(number("limit_price")),
            e18_signed(number("amount")),
            e18(number("max_fee")).unwrap_or(U256::ZERO),
            order["subaccount_id"].as_u64().expect("an id"),
            text("direction") == "buy",
        );
        let action = Action {
            subaccount: order["subaccount_id"].as_u64().expect("an id"),
            nonce: text("nonce").parse().expect("a nonce"),
            module: modules(self.ex.settings.network).trade,
            data,
            expiry: order["signature_expiry_sec"].as_u64().expect("seconds"),
            owner: self.account.wallet,
            signer: self.account.session_key,
        };
        let digest = action.digest(domain_separator(self.ex.settings.network));
        order["signature"] = json!(sign(digest, &key(&self.account.session_key_hex)));
    }

    fn place(&mut self, instrument: &str, direction: &str, price: &str, amount: &str, change: Value) -> Value {
        let order = self.order(instrument, direction, price, amount, change);
        self.call("private/order", order)
    }

    fn report(&self) -> SubaccountReport {
        self.ex.subaccount_report(self.account.subaccount).expect("exists")
    }
}

fn code(reply: &Value) -> i64 {
    reply["error"]["code"].as_i64().unwrap_or(0)
}
