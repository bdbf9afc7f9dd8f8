//! Every refusal of the RFQ methods, by its code; and that a refusal changes nothing.

use super::rfq::{Floor, MAKER, OTHER, PERP, SPOT, TAKER, overlay, package, priced};
use super::*;

fn leg(name: &str, amount: &str, direction: &str) -> Value {
    json!({ "instrument_name": name, "amount": amount, "direction": direction })
}

#[test]
fn requests_are_refused_with_their_codes() {
    let perps: Vec<Value> = (0..17).map(|_| leg(PERP, "1", "buy")).collect();
    let stranger = Address::repeat_byte(7).to_string();
    let crowd: Vec<String> = (0..33).map(|_| stranger.clone()).collect();
    let table: Vec<(&str, Value, i64)> = vec![
        ("fine", json!({}), 0),
        ("no legs", json!({ "legs": [] }), -32602),
        ("not a list", json!({ "legs": "ETH-PERP" }), -32602),
        ("not objects", json!({ "legs": ["ETH-PERP"] }), -32602),
        ("too many legs", json!({ "legs": perps }), 11112),
        ("the same leg twice", json!({ "legs": [leg(PERP, "1", "buy"), leg(PERP, "2", "sell")] }), 11100),
        ("unknown instrument", json!({ "legs": [leg("DOGE-PERP", "1", "buy")] }), 12001),
        ("two currencies", json!({ "legs": [leg(PERP, "1", "buy"), leg("BTC-PERP", "1", "sell")] }), 14028),
        ("off step", json!({ "legs": [leg(PERP, "1.0005", "buy")] }), 11012),
        ("below minimum", json!({ "legs": [leg(PERP, "0.05", "buy")] }), 11012),
        ("above maximum", json!({ "legs": [leg(PERP, "10001", "buy")] }), 11012),
        ("zero", json!({ "legs": [leg(PERP, "0", "buy")] }), 11012),
        ("sideways", json!({ "legs": [leg(PERP, "1", "hold")] }), -32602),
        ("no step", json!({ "partial_fill_step": "0" }), -32602),
        ("step above one", json!({ "partial_fill_step": "1.5" }), -32602),
        ("negative builder fee", json!({ "extra_fee": "-1" }), -32602),
        ("too many makers", json!({ "counterparties": crowd }), 11113),
        ("not a maker", json!({ "counterparties": [stranger] }), 11106),
        ("not an address", json!({ "counterparties": ["0x12"] }), 14013),
        ("somebody else's subaccount", json!({ "subaccount_id": 102 }), 14001),
    ];
    let mut f = Floor::new();
    for (what, change, expected) in table {
        let mut params = json!({ "subaccount_id": f.sub(TAKER), "legs": package() });
        overlay(&mut params, change);
        let reply = f.call(TAKER, "private/send_rfq", params);
        assert_eq!(code(&reply), expected, "{what}: {reply}");
    }
    assert_eq!(f.ex.house_rfqs().len(), 1, "only the fine one is open");
}

#[test]
fn an_instrument_without_a_price_takes_no_requests() {
    let mut f = Floor::new();
    f.ex.spots.remove("ETH");
    let params = json!({ "subaccount_id": f.sub(TAKER), "legs": package() });
    assert_eq!(code(&f.call(TAKER, "private/send_rfq", params)), 11021);
}

#[test]
fn quotes_are_refused_with_their_codes() {
    let mut f = Floor::new();
    let rfq = f.send_rfq(json!({ "partial_fill_step": "0.5" }));
    let fine = priced("4000", "4000", "1");
    let flipped = json!([
        { "instrument_name": SPOT, "amount": "1", "direction": "buy", "price": "4000" },
        { "instrument_name": PERP, "amount": "2", "direction": "buy", "price": "4000" },
    ]);
    let skewed = json!([
        { "instrument_name": SPOT, "amount": "1", "direction": "sell", "price": "4000" },
        { "instrument_name": PERP, "amount": "1", "direction": "buy", "price": "4000" },
    ]);
    let doubled = json!([fine[0], fine[0]]);
    let s = T0.secs();
    let other = "00000000-0000-4000-8000-000000000001";
    let table: Vec<(&str, Value, Value, i64)> = vec![
        ("one leg only", json!([fine[0]]), json!({}), 11103),
        ("other directions", flipped, json!({}), 11103),
        ("other ratio", skewed, json!({}), 11103),
        ("off the fill step", priced("4000", "4000", "0.25"), json!({}), 11103),
        ("a leg twice", doubled, json!({}), 11100),
        ("more than asked", priced("4000", "4000", "1.5"), json!({}), 11108),
        ("off tick", priced("4000", "4000.001", "1"), json!({}), 11013),
        ("above the band", priced("4000", "4081", "1"), json!({}), 11013),
        ("below the band", priced("3921", "4000", "1"), json!({}), 11013),
        ("edge of the band", priced("3921.57", "4080", "1"), json!({}), 0),
        ("unknown request", fine.clone(), json!({ "rfq_id": other }), 11101),
        ("dies in the window's margin", fine.clone(), json!({ "signature_expiry_sec": s + 659 }), 11011),
        ("just outlives it", fine.clone(), json!({ "signature_expiry_sec": s + 660 }), 0),
        ("lives too long", fine.clone(), json!({ "signature_expiry_sec": s + 10_368_001 }), 11011),
        ("old nonce", fine.clone(), json!({ "nonce": "1763683200000" }), 11018),
        ("fee cap too low", fine.clone(), json!({ "max_fee": "6.79" }), 11023),
        ("fee cap just so", fine.clone(), json!({ "max_fee": "6.8" }), 0),
        ("negative fee", fine.clone(), json!({ "extra_fee": "-1" }), -32602),
        ("not my subaccount", fine.clone(), json!({ "subaccount_id": 103 }), 14001),
    ];
    for (what, legs, change, expected) in table {
        let params = f.quote_params(MAKER, &rfq, "sell", legs, change);
        let reply = f.call(MAKER, "private/send_quote", params);
        assert_eq!(code(&reply), expected, "{what}: {reply}");
        assert_eq!(f.rows(MAKER, ".quotes").len(), usize::from(expected == 0), "{what}");
    }
    let mut params = f.quote_params(MAKER, &rfq, "sell", fine.clone(), json!({}));
    f.ok(MAKER, "private/send_quote", params.clone());
    assert_eq!(code(&f.call(MAKER, "private/send_quote", params.clone())), 11017, "a nonce is used once");
    for (field, value) in [("max_fee", json!("999")), ("direction", json!("buy")), ("nonce", json!(T0.0.to_string()))] {
        let signed = std::mem::replace(&mut params[field], value);
        assert_eq!(code(&f.call(MAKER, "private/send_quote", params.clone())), 14014, "{field} is signed");
        params[field] = signed;
    }
}

#[test]
fn only_makers_quote_and_nobody_quotes_itself() {
    let mut f = Floor::new();
    let rfq = f.send_rfq(json!({}));
    let params = f.quote_params(TAKER, &rfq, "sell", priced("4000", "4000", "1"), json!({}));
    assert_eq!(code(&f.call(TAKER, "private/send_quote", params.clone())), 14027);
    let (sub, wallet) = (f.sub(TAKER), f.account(TAKER).wallet);
    assert_eq!(code(&f.call(TAKER, "private/poll_rfqs", json!({ "subaccount_id": sub }))), 14027);
    let channel = format!("{wallet}.rfqs");
    let reply = f.ok(TAKER, "subscribe", json!({ "channels": [channel] }));
    assert!(reply["status"][&channel].as_str().is_some_and(|text| text.contains("14027")), "{reply}");
    let account = f.ok(TAKER, "private/get_account", json!({ "wallet": wallet.to_string() }));
    assert_eq!(account["is_rfq_maker"], json!(false));
    f.ex.wallets.get_mut(&wallet).expect("exists").rfq_maker = true;
    assert_eq!(code(&f.call(TAKER, "private/send_quote", params)), 11106);
}

#[test]
fn executions_are_refused_with_their_codes() {
    let mut f = Floor::new();
    let rfq = f.send_rfq(json!({}));
    let elsewhere = f.send_rfq(json!({}));
    let quote = f.quote(MAKER, &rfq, "sell", priced("4000", "4000", "1"));
    let cancelled = f.quote(MAKER, &rfq, "sell", priced("4000", "4001", "1"));
    let maker = f.sub(MAKER);
    f.ok(MAKER, "private/cancel_quote", json!({ "subaccount_id": maker, "quote_id": cancelled["quote_id"] }));
    let none = "00000000-0000-4000-8000-000000000001";
    let s = T0.secs();
    let table: Vec<(&str, Value, i64)> = vec![
        ("unknown request", json!({ "rfq_id": none }), 11101),
        ("unknown quote", json!({ "quote_id": none }), 11102),
        ("another request", json!({ "rfq_id": elsewhere["rfq_id"] }), 11105),
        ("quote is gone", json!({ "quote_id": cancelled["quote_id"] }), 11104),
        ("the maker's direction", json!({ "direction": "sell" }), 11103),
        ("other prices", json!({ "legs": priced("4000", "3999", "1") }), 11103),
        ("fee cap too low", json!({ "max_fee": "8.4" }), 11023),
        ("short-lived", json!({ "signature_expiry_sec": s + 299 }), 11011),
        ("old nonce", json!({ "nonce": "1763683200000" }), 11018),
        ("not my subaccount", json!({ "subaccount_id": 102 }), 14001),
    ];
    let before = (f.report(TAKER), f.report(MAKER));
    for (what, change, expected) in table {
        let reply = f.execute(&quote, change);
        assert_eq!(code(&reply), expected, "{what}: {reply}");
        assert!(f.rows(TAKER, ".trades").is_empty() && f.rows(TAKER, ".balances").is_empty(), "{what}");
    }
    let mut forged = f.execution(&quote, json!({}));
    forged["max_fee"] = json!("999");
    assert_eq!(code(&f.call(TAKER, "private/execute_quote", forged)), 14014);
    let stolen = f.signed(
        OTHER,
        false,
        json!({
            "rfq_id": rfq["rfq_id"], "quote_id": quote["quote_id"], "direction": "buy", "legs": quote["legs"],
        }),
        json!({}),
    );
    assert_eq!(code(&f.call(OTHER, "private/execute_quote", stolen)), 11101, "not the taker's to see");
    assert_eq!((f.report(TAKER), f.report(MAKER)), before);
    let shuffled = json!([quote["legs"][1], quote["legs"][0]]);
    let params = f.execution(&quote, json!({ "max_fee": "8.41", "legs": shuffled }));
    assert_eq!(code(&f.call(TAKER, "private/execute_quote", params.clone())), 0, "leg order does not matter");
    let again = f.quote(MAKER, &elsewhere, "sell", priced("4000", "4000", "1"));
    let reused = f.execution(&again, json!({ "nonce": params["nonce"] }));
    assert_eq!(code(&f.call(TAKER, "private/execute_quote", reused)), 11017);
}

#[test]
fn taker_protection_compares_with_books_that_can_fill_every_leg() {
    let mut f = Floor::new();
    let rfq = f.send_rfq(json!({}));
    let quote = f.quote(MAKER, &rfq, "sell", priced("3990", "4010", "1"));
    let guarded = json!({ "enable_taker_protection": true });
    f.rest(PERP, false, "4009", "2");
    f.rest(SPOT, true, "3990", "0.9");
    let second = f.quote(OTHER, &rfq, "sell", priced("3990", "4009", "1"));
    f.rest(SPOT, true, "3989.5", "0.1");
    // The books: 2 × 4009 − 0.9 × 3990 − 0.1 × 3989.5 = 4028.05; the quotes 4030 and 4028.
    assert_eq!(code(&f.execute(&quote, guarded.clone())), 11110);
    assert_eq!(code(&f.execute(&second, guarded.clone())), 0);
    let rfq = f.send_rfq(json!({}));
    let quote = f.quote(MAKER, &rfq, "sell", priced("3990", "4010", "1"));
    f.ex.house_cancel_all(f.house, f.at, &mut Vec::new());
    assert_eq!(code(&f.execute(&quote, guarded)), 0, "empty books compare with nothing");
}

/// Leaves a party with a balance in cash and nothing else.
fn reduce_to(f: &mut Floor, who: usize, cash: &str) {
    let sub = f.sub(who);
    let sub = f.ex.subs.get_mut(&sub).expect("exists");
    sub.holdings.retain(|asset, _| *asset == "USDC");
    sub.holdings.get_mut("USDC").expect("cash").amount = d(cash);
}

#[test]
fn both_sides_must_bear_an_execution_when_it_happens() {
    let perp_only = json!([leg(PERP, "10", "buy")]);
    let priced_perp = json!([{ "instrument_name": PERP, "amount": "10", "direction": "buy", "price": "4000" }]);
    let mut f = Floor::new();
    let rfq = f.send_rfq(json!({ "legs": perp_only }));
    let quote = f.quote(MAKER, &rfq, "sell", priced_perp.clone());
    // Ten perps need 0.066 × 40000 = 2640 and the fee.
    reduce_to(&mut f, TAKER, "2650");
    assert_eq!(code(&f.execute(&quote, json!({}))), 11000, "2640 + 12.01 are not there");
    reduce_to(&mut f, TAKER, "2652.02");
    reduce_to(&mut f, MAKER, "2643");
    let before = (f.report(TAKER), f.report(MAKER));
    assert_eq!(code(&f.execute(&quote, json!({}))), 8500);
    assert_eq!((f.report(TAKER), f.report(MAKER)), before, "nothing was booked on either side");
    let told = f.rows(MAKER, ".quotes");
    assert_eq!(told[0]["cancel_reason"], "insufficient_margin");
    assert_eq!(code(&f.execute(&quote, json!({}))), 11104);
    let poor = f.quote_params(MAKER, &rfq, "sell", priced_perp.clone(), json!({}));
    assert_eq!(code(&f.call(MAKER, "private/send_quote", poor)), 11000, "and cannot quote again");
    reduce_to(&mut f, MAKER, "2644.01");
    let tight = f.quote_params(MAKER, &rfq, "sell", priced_perp, json!({ "max_fee": "4" }));
    let quote = f.ok(MAKER, "private/send_quote", tight);
    f.ex.set_spot("ETH", d("4000.5"), f.at);
    assert_eq!(code(&f.execute(&quote, json!({}))), 8501, "the index took the maker's fee above its cap");
    assert_eq!(f.rows(MAKER, ".quotes")[0]["cancel_reason"], "signed_max_fee_too_low");
}

#[test]
fn spot_that_is_not_there_cannot_be_sold() {
    let mut f = Floor::new();
    let rfq = f.send_rfq(json!({}));
    let quote = f.quote(MAKER, &rfq, "sell", priced("4000", "4000", "1"));
    let bid = f.quote(MAKER, &rfq, "buy", priced("4000", "4000", "1"));
    reduce_to(&mut f, TAKER, "100000");
    assert_eq!(code(&f.execute(&quote, json!({}))), 11020);
    reduce_to(&mut f, MAKER, "100000");
    assert_eq!(code(&f.execute(&bid, json!({}))), 8500, "the maker's ether is gone");
}

#[test]
fn ordered_refusals_hit_the_next_executions_only() {
    let mut f = Floor::new();
    let rfq = f.send_rfq(json!({}));
    let quote = f.quote(MAKER, &rfq, "sell", priced("4000", "4000", "1"));
    f.ex.refuse_executions(8501, 2);
    assert_eq!(code(&f.execute(&quote, json!({ "max_fee": "0" }))), 11023, "what fails anyway does not count");
    assert_eq!(code(&f.execute(&quote, json!({}))), 8501);
    let params = f.execution(&quote, json!({}));
    assert_eq!(code(&f.call(TAKER, "private/execute_quote", params.clone())), 8501);
    assert_eq!(code(&f.call(TAKER, "private/execute_quote", params)), 0, "the nonce was not used up");
}

#[test]
fn session_keys_need_the_rfq_scope_of_every_leg() {
    let with = |scopes: &[&str]| {
        let scopes: Vec<String> = scopes.iter().map(|s| (*s).to_string()).collect();
        Floor::with(move |s| s.accounts[..2].iter_mut().for_each(|a| a.scopes.clone_from(&scopes)))
    };
    for (scopes, expected) in [
        (&["trade:rfq:all"][..], 0),
        (&["trade:rfq:spot", "trade:rfq:perp"], 0),
        (&["trade:rfq:perp"], 14031),
        (&["trade:orderbook:all"], 14031),
    ] {
        let mut f = with(scopes);
        let params = json!({ "subaccount_id": f.sub(TAKER), "legs": package() });
        assert_eq!(code(&f.call(TAKER, "private/send_rfq", params)), expected, "{scopes:?}");
    }
    let mut f = with(&["trade:rfq:perp"]);
    let rfq = f.send_rfq(json!({ "legs": [leg(PERP, "1", "buy")] }));
    let legs = json!([{ "instrument_name": PERP, "amount": "1", "direction": "buy", "price": "4000" }]);
    let quote = f.quote(MAKER, &rfq, "sell", legs);
    let owner = f.account(MAKER).wallet;
    let scopes = keys::Scopes::from_names(["trade:orderbook:all"]).expect("known");
    let session = f.account(MAKER).session_key;
    f.ex.wallets.get_mut(&owner).expect("exists").keys.get_mut(&session).expect("held").scopes = scopes;
    let sub = f.sub(MAKER);
    let cancel = json!({ "subaccount_id": sub, "quote_id": quote["quote_id"] });
    assert_eq!(code(&f.call(MAKER, "private/cancel_quote", cancel)), 14031);
    assert_eq!(code(&f.execute(&quote, json!({}))), 0);
}

#[test]
fn quote_methods_have_budgets_of_their_own_and_the_rest_is_ordinary() {
    let mut f = Floor::with(|s| s.tier = Tier::Trader);
    let sub = f.sub(TAKER);
    let polls = json!({ "subaccount_id": sub });
    let taken = (0..100).take_while(|_| code(&f.call(TAKER, "private/poll_quotes", polls.clone())) == 0).count();
    assert!(taken <= 25, "{taken}");
    f.pass(5 * SEC);
    assert_eq!(code(&f.call(TAKER, "private/poll_quotes", polls)), 0);
    let cancel = json!({ "subaccount_id": f.sub(MAKER), "quote_id": "00000000-0000-4000-8000-000000000001" });
    let taken = (0..400).take_while(|_| code(&f.call(MAKER, "private/cancel_quote", cancel.clone())) == 11102).count();
    assert_eq!(taken, 250);
    let send = json!({ "subaccount_id": f.sub(MAKER) });
    assert_eq!(code(&f.call(MAKER, "private/send_quote", send)), -32602, "another budget");
}

#[test]
fn cancels_of_what_is_not_open_say_so() {
    let mut f = Floor::new();
    let rfq = f.send_rfq(json!({}));
    let none = "00000000-0000-4000-8000-000000000001";
    let (taker, maker, other) = (f.sub(TAKER), f.sub(MAKER), f.sub(OTHER));
    assert_eq!(code(&f.call(TAKER, "private/cancel_rfq", json!({ "subaccount_id": taker, "rfq_id": none }))), 11101);
    let theirs = json!({ "subaccount_id": other, "rfq_id": rfq["rfq_id"] });
    assert_eq!(code(&f.call(OTHER, "private/cancel_rfq", theirs)), 11101);
    let quote = f.quote(MAKER, &rfq, "sell", priced("4000", "4000", "1"));
    let mut cancel = json!({ "subaccount_id": maker, "quote_id": quote["quote_id"], "label": "no such" });
    assert_eq!(code(&f.call(MAKER, "private/cancel_quote", cancel.clone())), 11102, "filters apply");
    cancel["label"] = json!("");
    assert_eq!(f.ok(MAKER, "private/cancel_quote", cancel.clone())["cancel_reason"], "user_request");
    assert_eq!(code(&f.call(MAKER, "private/cancel_quote", cancel)), 11102);
}
