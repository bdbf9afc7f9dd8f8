//! Deposits and withdrawals on v2: signed, checked, settled on a chain, and only then in the books.

use super::v2::{N0, Told, bench, of_contract, vault};
use super::*;
use crate::derive::action::v2::movement_data;
use crate::exchange::eip712::{deposit_module, modules};
use crate::msg::Flow;
use alloy_primitives::hex;

/// A true request of a movement of weETH by whoever owns the account; fields can be changed before signing.
fn movement(b: &mut Bench, flow: Flow, amount: &str, change: Value) -> Value {
    b.nonce += 1;
    let contract = b.ex.is_contract(b.account.wallet);
    let signer = if contract { b.account.wallet } else { b.account.session_key };
    let mut wish = json!({
        "subaccount_id": b.account.subaccount, "asset_name": "WEETH", "amount": amount, "nonce": b.nonce,
        "signer": signer.to_string(), "signature_expiry_sec": b.at.secs() + 600, "is_atomic_signing": false,
    });
    for (field, value) in change.as_object().expect("an object") {
        wish[field] = value.clone();
    }
    let network = b.ex.settings.network;
    let module = match flow {
        Flow::Deposit => deposit_module(network).expect("v2"),
        Flow::Withdrawal => modules(network).withdrawal,
    };
    let asset = b.ex.find_asset("WEETH").expect("listed").address;
    let native = e18(d(amount)).unwrap_or_default().to::<u128>();
    let action = Action {
        subaccount: b.account.subaccount,
        nonce: wish["nonce"].as_u64().expect("a number"),
        module,
        // The engine's own encoder: the exchange reads the same bytes by its own.
        data: movement_data(flow, asset.into_array(), native),
        expiry: wish["signature_expiry_sec"].as_u64().expect("seconds"),
        owner: b.account.wallet,
        signer,
    };
    let digest = action.digest(domain_separator(network));
    wish["signature"] = json!(sign(digest, &key(&b.account.session_key_hex)));
    wish
}

fn ask(b: &mut Bench, flow: Flow, amount: &str, change: Value) -> Value {
    let wish = movement(b, flow, amount, change);
    b.call(method(flow), wish)
}

fn method(flow: Flow) -> &'static str {
    match flow {
        Flow::Deposit => "private/deposit",
        Flow::Withdrawal => "private/withdraw",
    }
}

fn held(b: &Bench) -> Decimal {
    b.report().balances.get("WEETH").copied().unwrap_or_default()
}

fn status(b: &mut Bench, reply: &Value) -> Value {
    let id = reply["result"]["transaction_id"].clone();
    b.call("public/get_transaction", json!({ "transaction_id": id }))["result"].clone()
}

/// A contract's account with ten weETH, and what settles it.
fn funded() -> (Bench, Told) {
    let mut b = vault(false);
    b.nonce = N0;
    let (sub, at) = (b.account.subaccount, b.at);
    let before = held(&b);
    b.ex.deposit(sub, "WEETH", d("10") - before, at, &mut b.out);
    assert_eq!(held(&b), d("10"));
    (b, Told::default())
}

#[test]
fn nothing_moves_until_the_chain_has_settled_it_and_then_it_is_told() {
    let (mut b, mut told) = funded();
    let name = format!("{}.balances", b.account.subaccount);
    b.call("subscribe", json!({ "channels": [name] }));
    let mut expected = d("10");
    for (place, flow, amount, why) in
        [(0, Flow::Deposit, "2.5", "asset_deposit"), (1, Flow::Withdrawal, "4.25", "asset_withdrawal")]
    {
        let reply = ask(&mut b, flow, amount, json!({}));
        assert_eq!(reply["result"]["status"], "requested", "{reply}");
        b.settle(&mut told);
        assert_eq!((held(&b), b.ex.moving(b.account.subaccount)), (expected, 1));
        let request = &told.requests[place].actions[0];
        assert_eq!((request.filled, request.action.owner), (d(amount), b.account.wallet));
        let data = hex::encode_prefixed(&request.action.data);
        let before = json!({ "data": data, "status": "requested", "transaction_hash": null, "error_log": null });
        assert_eq!(status(&mut b, &reply), before);
        told.say(place, TxStatus::Pending);
        b.settle(&mut told);
        assert_eq!((held(&b), status(&mut b, &reply)["status"].clone()), (expected, json!("pending")));
        told.say(place, TxStatus::Settled);
        b.out.clear();
        b.settle(&mut told);
        let before = expected;
        expected += if flow == Flow::Deposit { d(amount) } else { -d(amount) };
        let rows: Vec<_> = b.frames().iter().map(|frame| frame["params"]["data"][0].clone()).collect();
        assert_eq!(rows.len(), 1, "{rows:?}");
        assert_eq!(rows[0]["update_type"], why);
        let moved = [&rows[0]["previous_balance"], &rows[0]["new_balance"]].map(|v| d(v.as_str().expect("a text")));
        assert_eq!(moved, [before, expected]);
        assert_eq!((held(&b), b.ex.moving(b.account.subaccount)), (expected, 0));
        assert_eq!(status(&mut b, &reply)["transaction_hash"], json!(B256::repeat_byte(7).to_string()));
        // The last word stands.
        told.say(place, TxStatus::Reverted);
        b.settle(&mut told);
        assert_eq!((held(&b), status(&mut b, &reply)["status"].clone()), (expected, json!("settled")));
    }
}

#[test]
fn what_the_chain_reverts_leaves_the_books_as_they_were() {
    for flow in [Flow::Deposit, Flow::Withdrawal] {
        let (mut b, mut told) = funded();
        let reply = ask(&mut b, flow, "3", json!({}));
        b.settle(&mut told);
        told.say(0, TxStatus::Reverted);
        b.settle(&mut told);
        assert_eq!((held(&b), b.ex.moving(b.account.subaccount)), (d("10"), 0));
        let after = status(&mut b, &reply);
        assert_eq!((&after["status"], &after["error_log"]), (&json!("reverted"), &json!("reverted by the chain")));
    }
}

#[test]
fn what_is_leaving_can_neither_leave_twice_nor_be_sold() {
    let (mut b, mut told) = funded();
    assert_eq!(code(&ask(&mut b, Flow::Withdrawal, "6", json!({}))), 0);
    assert_eq!(code(&ask(&mut b, Flow::Withdrawal, "4.000000000001", json!({}))), 11020);
    let sell = |b: &mut Bench, amount: &str| {
        let order = of_contract(b, ["WEETH-USDC", "sell", "3500", amount], json!({}));
        b.call("private/order", order)
    };
    assert_eq!(code(&sell(&mut b, "4.01")), 11020);
    let rests = sell(&mut b, "3");
    assert_eq!(code(&rests), 0, "{rests}");
    assert_eq!(
        code(&ask(&mut b, Flow::Withdrawal, "1.000000000001", json!({}))),
        11020,
        "nor leave while it is for sale"
    );
    b.settle(&mut told);
    told.say(0, TxStatus::Reverted);
    b.settle(&mut told);
    let rest = ask(&mut b, Flow::Withdrawal, "7", json!({}));
    assert_eq!(code(&rest), 0, "what did not leave is free again: {rest}");
}

#[test]
fn every_other_request_is_refused_by_its_code() {
    let (mut b, mut told) = funded();
    let hour = 3_700_000_000;
    for flow in [Flow::Deposit, Flow::Withdrawal] {
        for (amount, change, want) in [
            ("1", json!({ "nonce": N0 - hour }), 11018),
            ("1", json!({ "signature_expiry_sec": b.at.secs() + 299 }), 11011),
            ("1", json!({ "asset_name": "DOGE" }), 12000),
            ("1", json!({ "asset_name": "LBTC" }), 14026),
            ("1", json!({ "amount": "2" }), 14026),
            ("1", json!({ "is_atomic_signing": true }), 14033),
            ("0", json!({}), 11012),
            ("-1", json!({}), 11012),
            ("1", json!({ "subaccount_id": 1 }), 14001),
        ] {
            let reply = ask(&mut b, flow, amount, change.clone());
            assert_eq!(code(&reply), want, "{flow:?} {amount} {change}: {reply}");
        }
        let wish = movement(&mut b, flow, "1", json!({}));
        assert_eq!(code(&b.call(method(flow), wish.clone())), 0);
        assert_eq!(code(&b.call(method(flow), wish)), 11017, "a nonce is used once");
        let other = if flow == Flow::Deposit { Flow::Withdrawal } else { Flow::Deposit };
        let wish = movement(&mut b, other, "1", json!({}));
        assert_eq!(code(&b.call(method(flow), wish)), 14026, "each has its own module");
    }
    b.settle(&mut told);
    assert_eq!(told.requests.len(), 2, "what was refused is never settled");
    assert_eq!(code(&b.call("public/get_transaction", json!({ "transaction_id": format!("{:?}", Uuid(1)) }))), -32602);
}

#[test]
fn an_owner_with_a_key_withdraws_by_one_that_may_and_v3_has_neither_method() {
    let mut b = bench();
    b.nonce = N0;
    let (sub, at) = (b.account.subaccount, b.at);
    b.ex.deposit(sub, "WEETH", d("10"), at, &mut b.out);
    assert_eq!(code(&ask(&mut b, Flow::Deposit, "1", json!({}))), 0);
    assert_eq!(code(&ask(&mut b, Flow::Withdrawal, "1", json!({}))), 14031);
    let mut v3 = Bench::new();
    for method in ["private/deposit", "private/withdraw", "public/get_transaction"] {
        assert_eq!(code(&v3.call(method, json!({}))), -32601, "{method}");
    }
}
