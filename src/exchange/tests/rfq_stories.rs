//! Requests for quotes from end to end, on both sides.

use super::rfq::{Floor, MAKER, OTHER, PERP, SPOT, TAKER, package, priced};
use super::*;

fn keys_of(row: &Value) -> Vec<String> {
    let mut keys: Vec<String> = row.as_object().expect("an object").keys().cloned().collect();
    keys.sort_unstable();
    keys
}

#[test]
fn a_package_is_asked_for_quoted_and_executed_whole() {
    let mut f = Floor::new();
    f.rest(PERP, false, "4010", "5");
    f.rest(SPOT, true, "3990", "5");
    let rfq = f.send_rfq(json!({}));
    assert_eq!((&rfq["status"], &rfq["valid_until"]), (&json!("open"), &json!(T0.plus(600 * SEC).ms())));
    assert_eq!((&rfq["mark_total_cost"], &rfq["ask_total_cost"]), (&json!("4000"), &json!("4030")), "{rfq}");
    assert_eq!(rfq["bid_total_cost"], Value::Null, "nobody bids for perps");
    let seen = f.rows(MAKER, ".rfqs");
    assert_eq!(seen.len(), 1);
    assert_eq!((&seen[0]["rfq_id"], &seen[0]["legs"]), (&rfq["rfq_id"], &package()));
    assert!(seen[0].get("label").is_none() && seen[0].get("max_total_cost").is_none(), "makers are blind: {}", seen[0]);
    f.ex.set_spot("ETH", d("4000"), f.at);
    let quote = f.quote(MAKER, &rfq, "sell", priced("3995", "4005", "1"));
    assert_eq!((&quote["fill_pct"], &quote["status"], &quote["fee"]), (&json!("1"), &json!("open"), &json!("0")));
    let told = f.rows(TAKER, ".best.quotes");
    assert_eq!(told.len(), 1, "{told:?}");
    let best = &told[0]["result"];
    assert_eq!((&best["best_quote"]["quote_id"], &best["direction"]), (&quote["quote_id"], &json!("buy")));
    // 2 × 4005 − 3995; the books take 2 × 4010 − 3990.
    let costs = (&best["estimated_total_cost"], &best["orderbook_total_cost"]);
    assert_eq!(costs, (&json!("4015"), &json!("4030")));
    // perps 0.0003 × 4000 × 2, spot 0.0015 × 3995 × 1, the base fee of 0.01 once.
    assert_eq!((&best["estimated_fee"], &best["is_valid"]), (&json!("8.4025"), &json!(true)));
    let before = [f.report(TAKER), f.report(MAKER)];
    let done = f.execute(&quote, json!({ "max_fee": "8.4025", "label": "lot" }));
    let done = &done["result"];
    let view = ["status", "direction", "liquidity_role", "fee", "fill_pct", "rfq_filled_pct", "label"];
    assert_eq!(view.map(|f| done[f].as_str().expect(f)), ["filled", "buy", "taker", "8.4025", "1", "1", "lot"]);
    let after = [f.report(TAKER), f.report(MAKER)];
    assert_eq!(after[0].positions[PERP].amount, d("2"));
    assert_eq!(after[1].positions[PERP].amount, d("-2"));
    assert_eq!(after[0].balances["ETH"] - before[0].balances["ETH"], d("-1"));
    // Spot proceeds and spot fee, perp entry 5 under mark per unit, perp fee with base fee.
    assert_eq!(after[0].balances["USDC"] - before[0].balances["USDC"], d("3995") - d("10") - d("8.4025"));
    assert_eq!(after[1].balances["USDC"] - before[1].balances["USDC"], d("-3995") + d("10") - d("6.7925"));
    assert_eq!(f.ex.house_pools().fees, d("8.4025") + d("6.7925"));
    let rows = f.rows(TAKER, ".trades");
    assert_eq!(rows.len(), 2);
    let named = ["ETH-USDC", "ETH-PERP"];
    for (row, name) in rows.iter().zip(named) {
        assert_eq!((&row["rfq_id"], &row["quote_id"]), (&rfq["rfq_id"], &quote["quote_id"]));
        assert_eq!((row["instrument_name"].as_str(), row["label"].as_str()), (Some(name), Some("lot")));
        assert_eq!(row["liquidity_role"], "taker");
    }
    assert_eq!(f.rows(MAKER, ".trades").len(), 2);
    assert_eq!(f.rows(TAKER, ".balances").len(), 4, "one row per leg and per move of cash");
    let told = f.rows(MAKER, ".quotes");
    let last = told.last().expect("told");
    assert_eq!((&last["status"], &last["fee"]), (&json!("filled"), &json!("6.7925")));
    let gone = f.rows(TAKER, ".best.quotes");
    assert_eq!((&gone[0]["result"], &gone[0]["error"]["code"]), (&Value::Null, &json!(11104)));
    let told = f.rows(MAKER, ".rfqs");
    assert_eq!((&told[0]["status"], &told[0]["filled_direction"]), (&json!("filled"), &json!("buy")));
    assert_eq!((&told[0]["total_cost"], &told[0]["filled_pct"]), (&json!("4015"), &json!("1")));
    assert_eq!(code(&f.execute(&quote, json!({}))), 11104, "once only");
    let history = f.ok(
        TAKER,
        "private/get_trade_history",
        json!({
            "subaccount_id": f.sub(TAKER), "quote_id": quote["quote_id"],
        }),
    );
    assert_eq!(history["trades"].as_array().map(Vec::len), Some(2));
}

/// The member names of a row, in order.
fn members(names: &str) -> Vec<String> {
    let mut names: Vec<String> = names.split_whitespace().map(str::to_string).collect();
    names.sort_unstable();
    names
}

const SHARED_RFQ: &str = "cancel_reason creation_timestamp filled_direction filled_pct last_update_timestamp legs
    partial_fill_step rfq_id status subaccount_id total_cost valid_until wallet";
const SHARED_QUOTE: &str = "cancel_reason creation_timestamp direction fill_pct last_update_timestamp legs legs_hash
    liquidity_role quote_id rfq_id status subaccount_id";
const SIDE_OF_QUOTE: &str = "extra_fee fee is_transfer label max_fee mmp nonce signature_expiry_sec";

#[test]
fn frames_have_every_field_of_their_schemas_and_no_other() {
    let mut f = Floor::new();
    let rfq = f.send_rfq(json!({}));
    let public = format!("{SHARED_RFQ} fill_rate recent_fill_rate");
    assert_eq!(keys_of(&f.rows(MAKER, ".rfqs")[0]), members(&public));
    let costs = "ask_total_cost bid_total_cost mark_total_cost max_total_cost min_total_cost";
    assert_eq!(keys_of(&rfq), members(&format!("{SHARED_RFQ} {costs} counterparties label")));
    let reply = f.quote(MAKER, &rfq, "buy", priced("4000", "4000", "1"));
    let quote = format!("{SHARED_QUOTE} {SIDE_OF_QUOTE} batch_status tx_hash");
    assert_eq!(keys_of(&reply), members(&quote));
    assert_eq!(keys_of(&f.rows(MAKER, ".quotes")[0]), members(&format!("{quote} signature signer")));
    let told = f.rows(TAKER, ".best.quotes");
    assert_eq!(keys_of(&told[0]), members("error result rfq_id"));
    let best = "best_quote direction down_liquidation_price estimated_fee estimated_realized_pnl
        estimated_realized_pnl_excl_fees estimated_total_cost filled_pct invalid_reason is_valid orderbook_total_cost
        post_initial_margin post_liquidation_price pre_initial_margin suggested_max_fee up_liquidation_price";
    assert_eq!(keys_of(&told[0]["result"]), members(best));
    assert_eq!(keys_of(&told[0]["result"]["best_quote"]), members(&format!("{SHARED_QUOTE} wallet")));
    let executed = f.execute(&reply, json!({}));
    assert_eq!(keys_of(&executed["result"]), members(&format!("{SHARED_QUOTE} {SIDE_OF_QUOTE} rfq_filled_pct")));
}

#[test]
fn the_best_quote_is_told_when_it_changes_and_when_it_vanishes() {
    let mut f = Floor::new();
    let rfq = f.send_rfq(json!({ "max_total_cost": "4030", "min_total_cost": "-3990" }));
    let best = |f: &Floor| -> Vec<(String, Value)> {
        let row = |r: Value| {
            (
                r["result"]["direction"].as_str().unwrap_or("-").to_string(),
                r["result"]["best_quote"]["quote_id"].clone(),
            )
        };
        f.rows(TAKER, ".best.quotes").into_iter().map(row).collect()
    };
    f.quote(MAKER, &rfq, "sell", priced("3990", "4011", "1"));
    assert_eq!(best(&f), [], "4032 is dearer than the taker allows");
    let first = f.quote(MAKER, &rfq, "sell", priced("3990", "4005", "1"));
    assert_eq!(best(&f), [("buy".to_string(), first["quote_id"].clone())]);
    let second = f.quote(OTHER, &rfq, "sell", priced("3990", "4004", "1"));
    assert_eq!(best(&f), [("buy".to_string(), second["quote_id"].clone())]);
    f.quote(OTHER, &rfq, "sell", priced("3990", "4004", "1"));
    assert_eq!(best(&f), [], "the older of equals stays");
    f.quote(MAKER, &rfq, "buy", priced("4020", "4004", "1"));
    assert_eq!(best(&f), [], "a sale at 3988 brings less than the taker asks");
    let bid = f.quote(MAKER, &rfq, "buy", priced("4010", "4002", "1"));
    assert_eq!(best(&f), [("sell".to_string(), bid["quote_id"].clone())]);
    let (maker, other) = (f.sub(MAKER), f.sub(OTHER));
    f.ok(OTHER, "private/cancel_batch_quotes", json!({ "subaccount_id": other }));
    assert_eq!(best(&f), [("buy".to_string(), first["quote_id"].clone())], "back to the next best");
    assert_eq!(f.rows(OTHER, ".quotes").len(), 2);
    f.ok(MAKER, "private/cancel_quote", json!({ "subaccount_id": maker, "quote_id": first["quote_id"] }));
    assert_eq!(best(&f), [("buy".to_string(), Value::Null)], "only the one that is too dear is left");
    let asked = json!({ "subaccount_id": f.sub(TAKER), "rfq_id": rfq["rfq_id"], "direction": "sell" });
    let reply = f.ok(TAKER, "private/rfq_get_best_quote", asked);
    assert_eq!(reply["best_quote"]["quote_id"], bid["quote_id"]);
    assert_eq!(reply["estimated_total_cost"], "-3994", "what is received is negative");
}

#[test]
fn without_a_request_the_best_quote_is_an_estimate_at_marks() {
    let mut f = Floor::new();
    let sub = f.sub(TAKER);
    let reply = f.ok(TAKER, "private/rfq_get_best_quote", json!({ "subaccount_id": sub, "legs": package() }));
    assert_eq!((&reply["best_quote"], &reply["estimated_total_cost"]), (&Value::Null, &json!("4000")));
    assert_eq!((&reply["is_valid"], &reply["invalid_reason"]), (&json!(true), &Value::Null));
    let huge = json!([{ "instrument_name": PERP, "amount": "9000", "direction": "buy" }]);
    let reply = f.ok(TAKER, "private/rfq_get_best_quote", json!({ "subaccount_id": sub, "legs": huge }));
    assert_eq!(reply["is_valid"], json!(false));
    assert_eq!(reply["invalid_reason"], "Insufficient buying power, consider reducing order size.");
    let orders = reply["post_initial_margin"].as_str().map(d).expect("a decimal");
    assert!(orders < Decimal::ZERO, "{reply}");
}

#[test]
fn partial_fills_add_up_and_lock_the_direction() {
    let mut f = Floor::new();
    let rfq = f.send_rfq(json!({ "partial_fill_step": "0.25" }));
    let half = f.quote(MAKER, &rfq, "sell", priced("4000", "4000", "0.5"));
    let most = f.quote(OTHER, &rfq, "sell", priced("4000", "4001", "0.75"));
    let bid = f.quote(MAKER, &rfq, "buy", priced("4000", "3999", "0.25"));
    assert_eq!([&half, &most, &bid].map(|q| q["fill_pct"].as_str().expect("a share")), ["0.5", "0.75", "0.25"]);
    let done = f.execute(&half, json!({}));
    assert_eq!(done["result"]["rfq_filled_pct"], "0.5", "{done}");
    let told = f.rows(MAKER, ".rfqs");
    assert_eq!((&told[0]["status"], &told[0]["filled_pct"]), (&json!("open"), &json!("0.5")));
    assert_eq!(f.report(TAKER).positions[PERP].amount, d("1"));
    assert_eq!(code(&f.execute(&most, json!({}))), 11108);
    assert_eq!(code(&f.execute(&bid, json!({}))), 11109);
    let late = f.quote_params(MAKER, &rfq, "buy", priced("4000", "3999", "0.25"), json!({}));
    assert_eq!(code(&f.call(MAKER, "private/send_quote", late)), 11109);
    let late = f.quote_params(MAKER, &rfq, "sell", priced("4000", "3999", "0.75"), json!({}));
    assert_eq!(code(&f.call(MAKER, "private/send_quote", late)), 11108);
    let rest = f.quote(OTHER, &rfq, "sell", priced("4000", "4002", "0.5"));
    let told = f.rows(TAKER, ".best.quotes");
    assert_eq!(told[0]["result"]["best_quote"]["quote_id"], rest["quote_id"], "what no longer fits is passed over");
    let done = f.execute(&rest, json!({}));
    assert_eq!(done["result"]["rfq_filled_pct"], "1");
    let (taker, maker) = (f.sub(TAKER), f.sub(MAKER));
    let rfqs = f.ok(TAKER, "private/get_rfqs", json!({ "subaccount_id": taker }));
    // 1 × 4000 − 0.5 × 4000 and 1 × 4002 − 0.5 × 4000.
    assert_eq!((&rfqs["rfqs"][0]["status"], &rfqs["rfqs"][0]["total_cost"]), (&json!("filled"), &json!("4002")));
    let quotes = f.ok(MAKER, "private/get_quotes", json!({ "subaccount_id": maker, "status": "cancelled" }));
    assert_eq!(
        (&quotes["quotes"][0]["quote_id"], &quotes["quotes"][0]["cancel_reason"]),
        (&bid["quote_id"], &json!("rfq_no_longer_open"))
    );
    let polled = f.ok(TAKER, "private/poll_quotes", json!({ "subaccount_id": taker, "rfq_id": rfq["rfq_id"] }));
    assert_eq!(polled["pagination"]["count"], 4);
    assert!(polled["quotes"][0].get("signature").is_none() && polled["quotes"][0].get("max_fee").is_none());
}

#[test]
fn the_window_closes_after_ten_minutes_and_takes_the_quotes_along() {
    let mut f = Floor::new();
    let rfq = f.send_rfq(json!({}));
    let quote = f.quote(MAKER, &rfq, "sell", priced("4000", "4000", "1"));
    let deadline = T0.plus(600 * SEC);
    assert!(f.ex.next_deadline().is_some_and(|at| at <= deadline));
    f.pass(600 * SEC - 1);
    assert!(f.rows(TAKER, ".best.quotes").is_empty());
    f.pass(1);
    assert_eq!(f.rows(TAKER, ".best.quotes")[0]["error"]["code"], 11104);
    assert_eq!(f.rows(MAKER, ".quotes")[0]["status"], "expired");
    assert_eq!(f.rows(MAKER, ".rfqs")[0]["status"], "expired");
    assert_eq!(code(&f.execute(&quote, json!({}))), 11104);
    let sub = f.sub(TAKER);
    assert_eq!(
        code(&f.call(TAKER, "private/cancel_rfq", json!({ "subaccount_id": sub, "rfq_id": rfq["rfq_id"] }))),
        11104
    );
    let maker = f.sub(MAKER);
    let open = f.ok(MAKER, "private/poll_rfqs", json!({ "subaccount_id": maker, "status": "open" }));
    assert_eq!(open["rfqs"], json!([]));
    let past = f.ok(MAKER, "private/get_maker_rfq_history", json!({ "subaccount_id": maker }));
    assert_eq!(past["rfqs"][0]["rfq_id"], rfq["rfq_id"]);
}

#[test]
fn a_replaced_quote_is_cancelled_whatever_becomes_of_the_new_one() {
    let mut f = Floor::new();
    let rfq = f.send_rfq(json!({}));
    let old = f.quote(MAKER, &rfq, "sell", priced("4000", "4000", "1"));
    let to_cancel = json!({ "quote_id_to_cancel": old["quote_id"], "label": "again" });
    let fresh = f.quote_params(MAKER, &rfq, "sell", priced("4000", "4001", "1"), to_cancel);
    let reply = f.ok(MAKER, "private/replace_quote", fresh);
    assert_eq!(
        (&reply["cancelled_quote"]["status"], &reply["create_quote_error"]),
        (&json!("cancelled"), &Value::Null)
    );
    assert_eq!((&reply["quote"]["status"], &reply["quote"]["label"]), (&json!("open"), &json!("again")));
    let told = f.rows(TAKER, ".best.quotes");
    assert_eq!(told.len(), 1, "one change, not a vanishing and a return: {told:?}");
    assert_eq!(told[0]["result"]["best_quote"]["quote_id"], reply["quote"]["quote_id"]);
    let by_nonce = json!({ "nonce_to_cancel": reply["quote"]["nonce"], "max_fee": "0.01" });
    let poor = f.quote_params(MAKER, &rfq, "sell", priced("4000", "4002", "1"), by_nonce);
    let reply = f.ok(MAKER, "private/replace_quote", poor);
    assert_eq!((&reply["quote"], &reply["create_quote_error"]["code"]), (&Value::Null, &json!(11023)));
    assert_eq!(f.rows(TAKER, ".best.quotes")[0]["result"]["best_quote"], Value::Null);
    let gone = f.quote_params(
        MAKER,
        &rfq,
        "sell",
        priced("4000", "4002", "1"),
        json!({ "quote_id_to_cancel": old["quote_id"] }),
    );
    assert_eq!(code(&f.call(MAKER, "private/replace_quote", gone)), 11102);
}

#[test]
fn cancelled_requests_end_their_quotes_and_batches_obey_every_filter() {
    let mut f = Floor::new();
    let first = f.send_rfq(json!({}));
    let second = f.send_rfq(json!({ "label": "lot 2" }));
    f.quote(MAKER, &first, "sell", priced("4000", "4000", "1"));
    let sub = f.sub(TAKER);
    let reply = f.call(TAKER, "private/cancel_rfq", json!({ "subaccount_id": sub, "rfq_id": first["rfq_id"] }));
    assert_eq!(reply["result"], "ok");
    let told = f.rows(MAKER, ".quotes");
    assert_eq!((&told[0]["status"], &told[0]["cancel_reason"]), (&json!("cancelled"), &json!("rfq_no_longer_open")));
    let none = json!({ "subaccount_id": sub, "rfq_id": second["rfq_id"], "label": "lot 1" });
    assert_eq!(f.ok(TAKER, "private/cancel_batch_rfqs", none)["cancelled_ids"], json!([]));
    let one = json!({ "subaccount_id": sub, "label": "lot 2" });
    assert_eq!(f.ok(TAKER, "private/cancel_batch_rfqs", one)["cancelled_ids"], json!([second["rfq_id"]]));
    let rows = f.ok(TAKER, "private/get_rfqs", json!({ "subaccount_id": sub, "page_size": 1 }));
    assert_eq!((&rows["pagination"]["count"], &rows["rfqs"][0]["rfq_id"]), (&json!(2), &second["rfq_id"]));
    assert_eq!(rows["rfqs"][0]["cancel_reason"], "user_request");
}

#[test]
fn only_the_makers_asked_see_a_request() {
    let mut f = Floor::new();
    let named = f.account(MAKER).wallet.to_string();
    let rfq = f.send_rfq(json!({ "counterparties": [named] }));
    assert_eq!((f.rows(MAKER, ".rfqs").len(), f.rows(OTHER, ".rfqs").len()), (1, 0));
    let other = f.sub(OTHER);
    assert_eq!(f.ok(OTHER, "private/poll_rfqs", json!({ "subaccount_id": other }))["rfqs"], json!([]));
    let uninvited = f.quote_params(OTHER, &rfq, "sell", priced("4000", "4000", "1"), json!({}));
    assert_eq!(code(&f.call(OTHER, "private/send_quote", uninvited)), 11106);
    f.quote(MAKER, &rfq, "sell", priced("4000", "4000", "1"));
}

#[test]
fn makers_are_shown_how_often_a_taker_executes() {
    let mut f = Floor::new();
    let mut rates = Vec::new();
    for n in 0..12 {
        let rfq = f.send_rfq(json!({}));
        let row = f.rows(MAKER, ".rfqs").remove(0);
        rates.push((row["fill_rate"].clone(), row["recent_fill_rate"].is_string()));
        if n % 2 == 0 {
            let quote = f.quote(MAKER, &rfq, "sell", priced("4000", "4000", "1"));
            assert_eq!(code(&f.execute(&quote, json!({}))), 0);
        } else {
            f.pass(600 * SEC);
        }
    }
    assert_eq!(rates[9].0, Value::Null, "too few to say");
    assert_eq!(rates[10].0, json!("0.5"));
    assert!(!rates[0].1 && rates[5].1);
}

#[test]
fn quotes_go_with_their_connection_when_that_is_armed() {
    let mut f = Floor::new();
    let rfq = f.send_rfq(json!({}));
    let wallet = f.account(MAKER).wallet.to_string();
    f.ok(MAKER, "private/set_cancel_on_disconnect", json!({ "wallet": wallet, "enabled": true }));
    f.quote(MAKER, &rfq, "sell", priced("4000", "4000", "1"));
    let kept = f.quote(OTHER, &rfq, "sell", priced("4000", "4001", "1"));
    f.out.clear();
    f.ex.disconnect(f.parties[MAKER].0, f.at, &mut f.out);
    assert_eq!(f.rows(TAKER, ".best.quotes")[0]["result"]["best_quote"]["quote_id"], kept["quote_id"]);
    f.ex.disconnect(f.parties[OTHER].0, f.at, &mut f.out);
    let sub = f.sub(TAKER);
    let open = f.ok(TAKER, "private/poll_quotes", json!({ "subaccount_id": sub, "status": "open" }));
    assert_eq!(open["quotes"][0]["quote_id"], kept["quote_id"], "unarmed quotes stay");
}

#[test]
fn protection_that_trips_on_one_quote_cancels_the_others() {
    let mut f = Floor::new();
    let sub = f.sub(MAKER);
    let config = json!({
        "subaccount_id": sub, "currency": "ETH", "mmp_amount_limit": "2", "mmp_delta_limit": "0",
        "mmp_interval": 60_000, "mmp_frozen_time": 60_000,
    });
    f.ok(MAKER, "private/set_mmp_config", config);
    let (one, two) = (f.send_rfq(json!({})), f.send_rfq(json!({})));
    let send = |f: &mut Floor, rfq: &Value| {
        let params = f.quote_params(MAKER, rfq, "sell", priced("4000", "4000", "1"), json!({ "mmp": true }));
        f.call(MAKER, "private/send_quote", params)
    };
    let first = send(&mut f, &one)["result"].clone();
    send(&mut f, &two);
    assert_eq!(code(&f.execute(&first, json!({}))), 0);
    let told = f.rows(MAKER, ".quotes");
    assert_eq!((told.len(), &told[1]["cancel_reason"]), (2, &json!("mmp_trigger")));
    assert_eq!(code(&send(&mut f, &two)), 11015);
}

#[test]
fn the_house_sees_and_answers_requests_without_signing() {
    let mut f = Floor::new();
    let rfq = f.send_rfq(json!({ "partial_fill_step": "0.5" }));
    let open = f.ex.house_rfqs();
    assert_eq!(open.len(), 1);
    assert_eq!((open[0].legs[0].instrument.as_str(), open[0].legs[0].buy), (SPOT, false));
    let (house, id, at) = (f.house, open[0].id, f.at);
    let prices = [d("3998"), d("4001")];
    f.out.clear();
    let quote = f.ex.house_quote(house, id, false, &prices, d("0.5"), at, &mut f.out).expect("quoted");
    let told = f.rows(TAKER, ".best.quotes");
    let best = told[0]["result"]["best_quote"].clone();
    assert_eq!(best["quote_id"], format!("{quote:?}"));
    assert_eq!(f.ex.house_quotes(house), [(quote, id, true)]);
    let done = f.execute(&best, json!({}));
    assert_eq!(done["result"]["rfq_filled_pct"], "0.5", "{done}");
    assert_eq!(done["result"]["legs_hash"], best["legs_hash"], "the taker signed what the house quoted");
    assert_eq!(f.ex.house_quotes(house), [(quote, id, false)]);
    let refused = |f: &mut Floor, prices: &[Decimal], share: &str| {
        f.ex.house_quote(house, id, false, prices, d(share), at, &mut Vec::new()).expect_err("refused").code
    };
    assert_eq!(refused(&mut f, &prices, "1"), 11108);
    assert_eq!(refused(&mut f, &prices[..1], "0.5"), -32602);
    assert_eq!(refused(&mut f, &prices, "0.3"), 11103);
    assert_eq!(refused(&mut f, &[d("3998.001"), d("4001")], "0.5"), 11013);
    assert_eq!(refused(&mut f, &[d("3998"), d("4100")], "0.5"), 11013);
    f.out.clear();
    let second = f.ex.house_quote(house, id, false, &prices, d("0.5"), at, &mut f.out).expect("quoted");
    let best = f.rows(TAKER, ".best.quotes")[0]["result"]["best_quote"].clone();
    f.out.clear();
    f.ex.house_cancel_quote(house, second, at, &mut f.out);
    assert_eq!(f.rows(TAKER, ".best.quotes")[0]["result"]["best_quote"], Value::Null);
    assert_eq!(code(&f.execute(&best, json!({}))), 11104, "withdrawn between the push and the execution");
    assert_eq!(rfq["status"], "open");
}
