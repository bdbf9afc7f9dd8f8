//! Orders: refusals, fills, replaces, protection, limits, time.

use super::*;

#[test]
#[allow(clippy::too_many_lines)] // a table: one row after the other
fn every_order_refusal_has_its_code() {
    let now_s = T0.secs();
    let now_ns = T0.0;
    // instrument, direction, price, amount, changed fields, expected code. The book is 3999 / 4001, 5 each.
    let table: Vec<(&str, &str, &str, &str, &str, Value, i64)> = vec![
        ("fine", "ETH-PERP", "buy", "3990", "0.1", json!({}), 0),
        ("off tick", "ETH-PERP", "buy", "3990.005", "0.1", json!({}), 11013),
        ("zero price", "ETH-PERP", "buy", "0", "0.1", json!({}), 11013),
        ("off step", "ETH-PERP", "buy", "3990", "0.1005", json!({}), 11012),
        ("above maximum", "ETH-PERP", "buy", "3990", "10001", json!({}), 11012),
        ("resting below minimum", "ETH-PERP", "buy", "3990", "0.05", json!({}), 11012),
        ("taking below minimum", "ETH-PERP", "buy", "4001", "0.05", json!({}), 0),
        ("13 decimals", "ETH-PERP", "buy", "3990", "0.1", json!({ "extra_fee": "0.0000000000001" }), -32602),
        ("exponent", "ETH-PERP", "buy", "3990", "0.1", json!({ "extra_fee": "1e3" }), -32602),
        ("ms nonce", "ETH-PERP", "buy", "3990", "0.1", json!({ "nonce": "1763683200000" }), 11018),
        ("µs nonce", "ETH-PERP", "buy", "3990", "0.1", json!({ "nonce": "1763683200000000" }), 11018),
        ("old nonce", "ETH-PERP", "buy", "3990", "0.1", json!({ "nonce": (now_ns - 121 * DAY_NS).to_string() }), 11018),
        (
            "future nonce",
            "ETH-PERP",
            "buy",
            "3990",
            "0.1",
            json!({ "nonce": (now_ns + 3601 * SEC).to_string() }),
            11018,
        ),
        ("short expiry", "ETH-PERP", "buy", "3990", "0.1", json!({ "signature_expiry_sec": now_s + 299 }), 11011),
        ("long expiry", "ETH-PERP", "buy", "3990", "0.1", json!({ "signature_expiry_sec": now_s + 10_368_001 }), 11011),
        (
            "long mmp expiry",
            "ETH-PERP",
            "buy",
            "3990",
            "0.1",
            json!({ "mmp": true, "signature_expiry_sec": now_s + 901 }),
            11011,
        ),
        ("fee cap", "ETH-PERP", "buy", "4001", "0.1", json!({ "max_fee": "1.2" }), 11023),
        ("post-only crosses", "ETH-PERP", "buy", "4001", "0.1", json!({ "time_in_force": "post_only" }), 11008),
        (
            "market post-only",
            "ETH-PERP",
            "buy",
            "4001",
            "0.1",
            json!({ "time_in_force": "post_only", "order_type": "market" }),
            11010,
        ),
        ("beyond the band and crossing", "ETH-PERP", "buy", "4100", "0.1", json!({}), 11008),
        ("IOC meets nothing", "ETH-PERP", "buy", "4000", "0.1", json!({ "time_in_force": "ioc" }), 11009),
        ("FOK too large", "ETH-PERP", "buy", "4001", "6", json!({ "time_in_force": "fok" }), 11014),
        ("reduce-only gtc", "ETH-PERP", "buy", "3990", "0.1", json!({ "reduce_only": true }), 11024),
        (
            "reduce-only spot",
            "ETH-USDC",
            "buy",
            "4001",
            "0.1",
            json!({ "reduce_only": true, "time_in_force": "ioc" }),
            11024,
        ),
        (
            "reduce-only flat",
            "ETH-PERP",
            "buy",
            "4001",
            "0.1",
            json!({ "reduce_only": true, "time_in_force": "ioc" }),
            11025,
        ),
        ("spot never short", "ETH-USDC", "sell", "4010", "100.01", json!({}), 11020),
        ("margin", "ETH-PERP", "buy", "3990", "9000", json!({}), 11000),
        ("too late", "ETH-PERP", "buy", "3990", "0.1", json!({ "reject_timestamp": T0.ms() + 149 }), 11022),
        ("in time for the bump", "ETH-PERP", "buy", "3990", "0.1", json!({ "reject_timestamp": T0.ms() + 150 }), 0),
        ("triggers are not offered", "ETH-PERP", "buy", "3990", "0.1", json!({ "trigger_type": "stoploss" }), -32602),
        ("unknown time in force", "ETH-PERP", "buy", "3990", "0.1", json!({ "time_in_force": "day" }), -32602),
        ("somebody else's subaccount", "ETH-PERP", "buy", "3990", "0.1", json!({ "subaccount_id": 102 }), 14001),
    ];
    for (name, instrument, direction, price, amount, change, expected) in table {
        let mut b = Bench::new();
        for book in ["ETH-PERP", "ETH-USDC"] {
            b.rest(book, true, "3999", "5");
            b.rest(book, false, "4001", "5");
        }
        let before = b.report();
        let reply = b.place(instrument, direction, price, amount, change);
        assert_eq!(code(&reply), expected, "{name}: {reply}");
        if expected != 0 {
            assert_eq!(b.report(), before, "{name}: a refused order changes nothing");
        }
    }
}

#[test]
fn signatures_signers_and_keys_are_checked() {
    let mut b = Bench::new();
    let mut tampered = b.order("ETH-PERP", "buy", "3990", "0.1", json!({}));
    tampered["amount"] = json!("0.2");
    assert_eq!(code(&b.call("private/order", tampered)), 14014);
    let mut stranger = b.order("ETH-PERP", "buy", "3990", "0.1", json!({}));
    stranger["signer"] = json!(Address::repeat_byte(7).to_string());
    assert_eq!(code(&b.call("private/order", stranger)), 14014);
    let mut wrong_chain = Bench::with(|s| s.network = Network::Mainnet);
    let order = b.order("ETH-PERP", "buy", "3990", "0.1", json!({}));
    assert_eq!(code(&wrong_chain.call("private/order", order)), 14014);
    let owner = b.account.wallet;
    let session = b.account.session_key;
    let set = |b: &mut Bench, scopes: &[&str], expiry_s| {
        let key = b.ex.wallets.get_mut(&owner).and_then(|w| w.keys.get_mut(&session)).expect("registered");
        key.scopes = keys::Scopes::from_names(scopes.iter().copied()).expect("known");
        key.expiry_s = expiry_s;
    };
    set(&mut b, &["trade:orderbook:spot"], u64::MAX);
    assert_eq!(code(&b.place("ETH-PERP", "buy", "3990", "0.1", json!({}))), 14031);
    assert_eq!(code(&b.place("ETH-USDC", "buy", "3990", "0.1", json!({}))), 0);
    set(&mut b, &["trade:all"], T0.secs() + 310);
    assert_eq!(code(&b.place("ETH-PERP", "buy", "3990", "0.1", json!({}))), 11011, "must not outlive its key");
    let reply = b.place("ETH-PERP", "buy", "3990", "0.1", json!({ "signature_expiry_sec": T0.secs() + 308 }));
    assert_eq!(code(&reply), 0, "{reply}");
    set(&mut b, &["trade:all"], T0.secs() + 1);
    b.pass(2 * SEC);
    assert_eq!(b.report().open_orders, 0, "resting orders die with their key");
    assert_eq!(code(&b.place("ETH-PERP", "buy", "3990", "0.1", json!({}))), 14030);
}

#[test]
fn nonces_are_used_once_and_refused_orders_free_theirs() {
    let mut b = Bench::new();
    let order = b.order("ETH-PERP", "buy", "3990", "0.1", json!({}));
    assert_eq!(code(&b.call("private/order", order.clone())), 0);
    assert_eq!(code(&b.call("private/order", order.clone())), 11017);
    let cancel = json!({
        "subaccount_id": b.account.subaccount, "instrument_name": "ETH-PERP", "nonce": order["nonce"],
    });
    assert_eq!(b.call("private/cancel_by_nonce", cancel)["result"]["cancelled_orders"], 1);
    assert_eq!(code(&b.call("private/order", order)), 11016);
    let lonely = b.order("ETH-PERP", "buy", "3990", "0.1", json!({ "time_in_force": "ioc" }));
    assert_eq!(code(&b.call("private/order", lonely.clone())), 11009);
    b.rest("ETH-PERP", false, "3990", "1");
    assert_eq!(code(&b.call("private/order", lonely)), 0);
}

#[test]
fn a_taker_waits_and_a_maker_does_not() {
    let mut b = Bench::new();
    b.rest("ETH-PERP", false, "4001", "1");
    let order = b.order("ETH-PERP", "buy", "4001", "1", json!({}));
    b.out.clear();
    b.send("private/order", order);
    assert!(b.reply().is_none(), "inside the speed bump");
    b.ex.house_cancel_all(b.house, b.at, &mut b.out);
    b.pass(149 * MS);
    assert!(b.reply().is_none());
    b.pass(MS);
    let reply = b.reply().expect("released");
    assert_eq!(reply["result"]["order"]["order_status"], "open", "the maker was gone in time: {reply}");
    let post = b.order("ETH-PERP", "buy", "3990", "1", json!({ "time_in_force": "post_only" }));
    b.out.clear();
    b.send("private/order", post);
    assert_eq!(b.reply().expect("at once")["result"]["order"]["order_status"], "open");
}

#[test]
fn a_fill_is_told_everywhere_in_the_venues_shapes() {
    let mut b = Bench::new();
    let sub = b.account.subaccount;
    let channels = json!([
        format!("{sub}.orders"),
        format!("{sub}.trades"),
        format!("{sub}.balances"),
        "trades.ETH-PERP",
        "trades.perp.ETH",
        "trades.spot.ETH",
        "999.orders",
        "orderbook.ETH-PERP.1.10",
    ]);
    let reply = b.call("subscribe", json!({ "channels": channels }));
    let status = &reply["result"]["status"];
    assert_eq!(status["trades.ETH-PERP"], "ok");
    assert_eq!(status["trades.spot.ETH"], "Invalid enum value spot");
    assert_ne!(status["999.orders"], "ok");
    b.rest("ETH-PERP", false, "4000", "0.4");
    let reply = b.place("ETH-PERP", "buy", "4001", "1", json!({}));
    let trades = reply["result"]["trades"].as_array().expect("trades");
    assert_eq!(trades.len(), 1);
    assert_eq!(trades[0]["trade_fee"], "0.49", "0.0003 × 4000 × 0.4 + 0.01");
    assert_eq!(reply["result"]["order"]["filled_amount"], "0.4");
    let told: Vec<(String, Value)> = b
        .frames()
        .into_iter()
        .filter(|f| f["method"] == "subscription")
        .map(|f| (f["params"]["channel"].as_str().unwrap_or("").to_string(), f["params"]["data"].clone()))
        .collect();
    let data = |channel: &str| told.iter().find(|(c, _)| c == channel).map(|(_, data)| data.clone()).expect("told");
    assert_eq!(data(&format!("{sub}.orders"))[0]["order_status"], "open");
    assert_eq!(data(&format!("{sub}.trades"))[0]["liquidity_role"], "taker");
    let balances = data(&format!("{sub}.balances"));
    assert_eq!(
        balances[0],
        json!({ "name": "ETH-PERP", "previous_balance": "0", "new_balance": "0.4", "update_type": "trade" })
    );
    assert_eq!(balances[1]["new_balance"], "999999.51");
    let public = data("trades.ETH-PERP");
    assert_eq!(public[0]["trade_id"], public[1]["trade_id"]);
    assert_eq!((&public[0]["liquidity_role"], &public[1]["liquidity_role"]), (&json!("taker"), &json!("maker")));
    assert_eq!(data("trades.perp.ETH"), public);
}

#[test]
fn replace_is_atomic_guarded_and_honest_about_a_failed_create() {
    let mut b = Bench::new();
    b.rest("ETH-PERP", false, "4001", "1");
    let placed = b.place("ETH-PERP", "buy", "3990", "1", json!({ "time_in_force": "post_only" }));
    let id = placed["result"]["order"]["order_id"].clone();
    let replace = |b: &mut Bench, price: &str, id: &Value, more: Value| {
        let mut order = b.order("ETH-PERP", "buy", price, "1", json!({ "time_in_force": "post_only" }));
        order["order_id_to_cancel"] = id.clone();
        for (field, value) in more.as_object().expect("object") {
            order[field] = value.clone();
        }
        b.call("private/replace", order)
    };
    assert_eq!(code(&replace(&mut b, "3991", &id, json!({ "expected_filled_amount": "0.5" }))), 11028);
    assert_eq!(b.report().open_orders, 1, "the guard leaves the old order");
    let done = replace(&mut b, "3991", &id, json!({ "expected_filled_amount": "0" }));
    assert_eq!(done["result"]["cancelled_order"]["cancel_reason"], "user_request");
    assert_eq!(done["result"]["order"]["replaced_order_id"], id);
    assert_eq!(code(&replace(&mut b, "3992", &id, json!({}))), 11003);
    let id = done["result"]["order"]["order_id"].clone();
    let failed = replace(&mut b, "4001", &id, json!({}));
    assert_eq!(failed["result"]["create_order_error"]["code"], 11008);
    assert_eq!(failed["result"]["order"], Value::Null);
    assert_eq!(b.report().open_orders, 0, "cancelled although the new one failed");
}

#[test]
fn protection_freezes_and_disconnect_takes_only_protected_orders() {
    let mut b = Bench::new();
    let sub = b.account.subaccount;
    let config = json!({
        "subaccount_id": sub, "currency": "ETH", "mmp_amount_limit": "1", "mmp_interval": 1000, "mmp_frozen_time": 0,
    });
    assert_eq!(b.call("private/set_mmp_config", config)["result"]["mmp_amount_limit"], "1");
    let mmp = json!({ "mmp": true, "time_in_force": "post_only" });
    b.place("ETH-PERP", "buy", "3990", "2", mmp.clone());
    b.place("ETH-PERP", "buy", "3980", "2", mmp.clone());
    b.place("ETH-PERP", "buy", "3970", "2", json!({}));
    let sell = b.ex.house_order(b.house, "ETH-PERP", false, d("3990"), d("1.5"), TimeInForce::Ioc, b.at, &mut b.out);
    assert_eq!(sell.expect("fills").filled, d("1.5"));
    assert_eq!(b.report().open_orders, 1, "only the unprotected order is left");
    assert_eq!(code(&b.place("ETH-PERP", "buy", "3990", "2", mmp.clone())), 11015);
    b.call("private/reset_mmp", json!({ "subaccount_id": sub }));
    assert_eq!(code(&b.place("ETH-PERP", "buy", "3990", "2", mmp)), 0);
    let on = json!({ "wallet": b.account.wallet.to_string(), "enabled": true });
    assert_eq!(b.call("private/set_cancel_on_disconnect", on)["result"], "ok");
    b.ex.disconnect(b.conn, b.at, &mut b.out);
    assert_eq!(b.report().open_orders, 1);
}

#[test]
fn limits_bite_and_tell_the_truth() {
    let mut b = Bench::with(|s| s.tier = Tier::Trader);
    let first = b.call("public/getRateLimits", json!({}));
    let left = first["result"]["remaining_non_matching"]["remainingPoints"].as_i64().expect("points");
    let mut served = 0;
    while code(&b.call("public/get_time", json!({}))) == 0 {
        served += 1;
    }
    assert_eq!(served, left);
    assert_eq!(code(&b.call("public/get_time", json!({}))), -32000);
    assert_eq!(code(&b.place("ETH-PERP", "buy", "3990", "0.1", json!({}))), 0, "matching has its own budget");
    b.pass(5 * SEC);
    let account = b.call("private/get_account", json!({ "wallet": b.account.wallet.to_string() }));
    assert_eq!(account["result"]["websocket_matching_tps"], 5);
}

#[test]
fn funding_and_interest_reach_cash_on_their_cadence() {
    let mut b = Bench::with(|s| s.interest_every_s = 3600);
    b.rest("ETH-PERP", false, "4000", "10");
    b.place("ETH-PERP", "buy", "4000", "10", json!({}));
    b.ex.set_funding_override("ETH", Some(d("0.0001")));
    b.ex.set_borrow_override(Some(d("0.10")));
    for _ in 0..60 {
        b.pass(60 * SEC);
    }
    let report = b.report();
    let funding = d("4"); // 0.0001 per hour × 4000 × 10
    assert!((report.funding_paid - funding).abs() < d("0.01"), "{}", report.funding_paid);
    assert_eq!(report.interest_paid, Decimal::ZERO, "nobody borrows, so suppliers earn nothing");
    b.ex.move_cash(b.account.subaccount, d("-1500000"), "trade");
    for _ in 0..120 {
        b.pass(60 * SEC);
    }
    let paid = b.report().interest_paid + -b.report().pending_interest;
    let expected = d("500000") * d("0.10") * d("2") / d("8760");
    assert!((paid - expected).abs() < d("0.05") * expected, "paid {paid}, expected about {expected}");
}

#[test]
fn hostile_frames_are_answered_and_change_nothing() {
    let mut b = Bench::new();
    let before = b.report();
    let deep = "[".repeat(100_000);
    for bad in [
        "",
        "{",
        "null",
        "[]",
        "{\"id\":1}",
        "{\"id\":{},\"method\":\"public/get_time\"}",
        &deep,
        "{\"id\":1,\"method\":\"private/nothing\"}",
        "{\"id\":1,\"method\":\"public/get_time\",\"params\":[]}",
    ] {
        b.out.clear();
        b.ex.on_text(b.conn, b.at, bad.as_bytes(), &mut b.out);
        let reply = b.frames().pop().expect("answered");
        assert!(code(&reply) < 0, "{reply}");
    }
    b.out.clear();
    b.ex.on_text(b.conn, b.at, &vec![b'a'; (1 << 20) + 1], &mut b.out);
    assert_eq!(b.out, vec![Out::Close { conn: b.conn }]);
    assert_eq!(b.report(), before);
}

#[test]
fn the_same_calls_give_the_same_frames() {
    let run = || {
        let mut b = Bench::new();
        b.rest("ETH-PERP", false, "4000", "3");
        let mut frames = vec![b.place("ETH-PERP", "buy", "4000", "1", json!({}))];
        frames.push(b.place("ETH-PERP", "sell", "4010", "1", json!({})));
        frames.push(b.call("private/get_subaccount", json!({ "subaccount_id": b.account.subaccount })));
        frames
    };
    assert_eq!(run(), run());
}

#[test]
fn standing_orders_bound_what_comes_after_them() {
    let mut b = Bench::with(|s| s.open_orders_max = 2);
    assert_eq!(code(&b.place("ETH-PERP", "sell", "4000", "1", json!({}))), 0);
    assert_eq!(code(&b.place("ETH-PERP", "buy", "4000", "1", json!({}))), 11007, "own order in the way");
    assert_eq!(code(&b.place("ETH-PERP", "sell", "4001", "1", json!({}))), 0);
    assert_eq!(code(&b.place("ETH-PERP", "sell", "4002", "1", json!({}))), 11019);
    let sub = b.account.subaccount;
    let open = b.call("private/get_open_orders", json!({ "subaccount_id": sub }));
    let id = open["result"]["orders"][0]["order_id"].clone();
    let cancel = json!({ "subaccount_id": sub, "order_id": id, "instrument_name": "ETH-PERP" });
    assert_eq!(b.call("private/cancel", cancel.clone())["result"]["order_status"], "cancelled");
    assert_eq!(code(&b.call("private/cancel", cancel)), 11003);
    let unknown = json!({
        "subaccount_id": sub, "order_id": "6a6eed97-b882-4909-a7ac-566fe99577e1", "instrument_name": "ETH-PERP",
    });
    assert_eq!(code(&b.call("private/cancel", unknown)), 11006);
    let by_label = json!({ "subaccount_id": sub, "label": "t" });
    assert_eq!(b.call("private/cancel_by_label", by_label)["result"]["cancelled_orders"], -1);
    assert_eq!(b.report().open_orders, 0);
}

#[test]
fn orders_expire_with_their_signature() {
    let mut b = Bench::new();
    let placed = b.place("ETH-PERP", "buy", "3990", "1", json!({ "signature_expiry_sec": T0.secs() + 300 }));
    let id = placed["result"]["order"]["order_id"].clone();
    b.pass(300 * SEC);
    let sub = b.account.subaccount;
    let order = b.call("private/get_order", json!({ "subaccount_id": sub, "order_id": id }));
    assert_eq!(order["result"]["order_status"], "expired");
    let cancel = json!({ "subaccount_id": sub, "order_id": id, "instrument_name": "ETH-PERP" });
    assert_eq!(code(&b.call("private/cancel", cancel)), 11005);
}

#[test]
fn a_fallen_market_freezes_trading_and_clears_makers_who_cannot_pay() {
    let mut b = Bench::new();
    b.rest("ETH-PERP", false, "4000", "200");
    assert_eq!(code(&b.place("ETH-PERP", "buy", "4000", "200", json!({}))), 0);
    assert_eq!(code(&b.place("ETH-PERP", "buy", "3990", "100", json!({}))), 0);
    b.ex.move_cash(b.account.subaccount, d("-2140000"), "trade");
    let report = b.report();
    assert!(report.initial_margin < Decimal::ZERO && report.maintenance_margin > Decimal::ZERO, "{report:?}");
    let sell = b.ex.house_order(b.house, "ETH-PERP", false, d("3990"), d("1"), TimeInForce::Ioc, b.at, &mut b.out);
    assert_eq!(sell.expect_err("the maker was cancelled instead").code, 11009);
    assert_eq!(b.report().open_orders, 0);
    b.ex.set_spot("ETH", d("1000"), b.at);
    assert_eq!(code(&b.place("ETH-PERP", "sell", "1000", "1", json!({}))), 11027);
    let sub = b.account.subaccount;
    let view = b.call("private/get_subaccount", json!({ "subaccount_id": sub }));
    assert_eq!(view["result"]["is_under_liquidation"], true);
}

#[test]
fn reduce_only_never_turns_a_position() {
    let mut b = Bench::new();
    b.rest("ETH-PERP", false, "4000", "2");
    b.place("ETH-PERP", "buy", "4000", "2", json!({}));
    b.rest("ETH-PERP", true, "3999", "10");
    let change = json!({ "reduce_only": true, "time_in_force": "ioc" });
    let reply = b.place("ETH-PERP", "sell", "3999", "5", change.clone());
    assert_eq!(reply["result"]["order"]["filled_amount"], "2");
    assert_eq!(reply["result"]["order"]["cancel_reason"], "ioc_or_market_partial_fill");
    assert!(b.report().positions.is_empty());
    assert_eq!(code(&b.place("ETH-PERP", "sell", "3999", "1", change)), 11025);
}

#[test]
fn twelve_weeks_of_borrowing_cost_the_same_at_any_clock_step() {
    let paid = |step_s: u64| {
        let mut b = Bench::new();
        b.ex.set_borrow_override(Some(d("0.10")));
        b.pass(SEC);
        b.ex.move_cash(b.account.subaccount, d("-1500000"), "trade");
        let end = b.at.0 + 84 * 86_400 * SEC;
        while b.at.0 < end {
            b.pass((step_s * SEC).min(end - b.at.0));
        }
        let report = b.report();
        assert_eq!(report.balances["USDC"], d("-500000") - report.interest_paid);
        report.interest_paid - report.pending_interest
    };
    // 500000 × (e^(0.1 × 84 / 365) − 1)
    let exact = d("11640.2785");
    for step_s in [3_600, 40_000, 86_400] {
        let error = paid(step_s) - exact;
        assert!(error.abs() < d("0.001"), "steps of {step_s} s: off by {error}");
    }
}
