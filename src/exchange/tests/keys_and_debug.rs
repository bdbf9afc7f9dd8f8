//! Session keys and debug encodings.

use super::*;

#[test]
fn session_keys_are_registered_by_signature_and_delegate_no_more_than_they_hold() {
    let mut b = Bench::new();
    let owner = key(&b.account.owner_key_hex);
    let child = Address::repeat_byte(9);
    let request = |b: &mut Bench, scopes: Value, expiry: u64, nonce: u64| {
        let mut params = json!({
            "wallet": b.account.wallet.to_string(), "public_session_key": child.to_string(), "expiry_sec": expiry,
            "protocol_scopes": scopes, "offchain_scopes": ["account_info"], "subaccount_ids": [], "label": "child",
            "nonce": nonce.to_string(), "signer": b.account.wallet.to_string(),
            "signature_expiry_sec": T0.secs() + 600, "signature": "0x",
        });
        let map = params.as_object().expect("object").clone();
        let action = b.ex.session_key_action(params::Params(&map, 12), b.account.wallet).expect("encodes");
        params["signature"] = json!(sign(action.digest(b.ex.domain), &owner));
        b.call("private/set_session_key", params)
    };
    let day = T0.secs() + 86_400;
    assert_eq!(code(&request(&mut b, json!(["trade:all"]), day, T0.0)), 14031, "this session may not register keys");
    let wallet = b.account.wallet;
    b.ex.conns.get_mut(&b.conn).expect("open").login = Some(session::Caller { wallet, signer: wallet });
    assert_eq!(code(&request(&mut b, json!(["trade:all"]), T0.secs() + 299, T0.0)), 14039);
    let done = request(&mut b, json!(["trade:orderbook:perp"]), day, T0.0);
    assert_eq!(done["result"]["public_session_key"], child.to_string(), "{done}");
    assert_eq!(code(&request(&mut b, json!(["trade:all"]), day, T0.0)), 11017, "account nonces grow");
    let keys = b.call("private/session_keys", json!({ "wallet": wallet.to_string() }));
    assert_eq!(keys["result"]["public_session_keys"].as_array().map(Vec::len), Some(2));
    let parent = keys::SessionKey {
        scopes: keys::Scopes::from_names(["set_session_key", "trade:orderbook:spot"]).expect("known"),
        ..b.ex.wallets[&wallet].keys[&child].clone()
    };
    let holder = b.account.session_key;
    b.ex.wallets.get_mut(&wallet).expect("exists").keys.insert(holder, parent);
    b.ex.conns.get_mut(&b.conn).expect("open").login = Some(session::Caller { wallet, signer: holder });
    let wider = request_by_key(&mut b, child, json!(["trade:orderbook:perp"]), day);
    assert_eq!(code(&wider), 14031, "a key may not delegate more than it holds");
    assert_eq!(code(&request_by_key(&mut b, child, json!(["trade:orderbook:spot"]), day)), 0);
}

fn request_by_key(b: &mut Bench, child: Address, scopes: Value, expiry: u64) -> Value {
    b.nonce += 1_000;
    let mut params = json!({
        "wallet": b.account.wallet.to_string(), "public_session_key": child.to_string(), "expiry_sec": expiry,
        "protocol_scopes": scopes, "offchain_scopes": [], "nonce": b.nonce.to_string(),
        "signer": b.account.session_key.to_string(), "signature_expiry_sec": T0.secs() + 600, "signature": "0x",
    });
    let map = params.as_object().expect("object").clone();
    let action = b.ex.session_key_action(params::Params(&map, 12), b.account.wallet).expect("encodes");
    params["signature"] = json!(sign(action.digest(b.ex.domain), &key(&b.account.session_key_hex)));
    b.call("private/set_session_key", params)
}

#[test]
#[allow(clippy::too_many_lines)] // a table: one row after the other
fn debug_methods_reproduce_encodings_the_venue_itself_returned() {
    let mut b = Bench::new();
    let wallet = b.account.wallet.to_string();
    let legs = |put: &str| {
        json!([
            { "instrument_name": "ETH-20270625-6000-P", "direction": put, "price": "50", "amount": "1" },
            { "instrument_name": "ETH-20270625-6000-C", "direction": "buy", "price": "100", "amount": "2" },
        ])
    };
    let one = "0x0000000000000000000000000000000000000001";
    let transfer = json!({
        "asset_name": "USDC", "to_subaccount_id": 75726, "new_subaccount_manager": 0, "amount": "10", "sub_id": 0,
    });
    let external = json!({
        "asset_name": "USDC", "to_subaccount_id": 0, "new_subaccount_manager": 1, "amount": "10", "sub_id": 0,
        "recipient_address": one,
    });
    let withdrawal = json!({
        "asset_name": "USDC", "amount_in_underlying": "10000000", "force_batch": false,
        "recipient": "0x5cb67F7829d01d9C75385A920De5E51060663374",
    });
    let session = json!({
        "wallet": wallet, "public_session_key": one, "expiry_sec": 1_893_456_000u64, "protocol_scopes": ["withdraw"],
        "offchain_scopes": [], "subaccount_ids": [],
    });
    let table = [
        (
            "public/send_quote_debug",
            "rfq_maker",
            json!({ "direction": "sell", "legs": legs("buy") }),
            "659b196ec43d470a1fd482aea5395251c20ffb456f87d4542135f766073c390a",
        ),
        (
            "public/execute_quote_debug",
            "rfq_taker",
            json!({ "direction": "sell", "legs": legs("sell") }),
            "dfd691d9e1809cd595869771cf7ac3a31e74fc838b0bc347714877141e1ae08d",
        ),
        (
            "public/withdraw_debug",
            "withdrawal",
            withdrawal,
            "ced71ce63481a3fcaae2b4962fb75d741effc8138800105857f4c2c8f9d91b94",
        ),
        (
            "private/transfer_spot_debug",
            "transfer",
            transfer,
            "b6b33761ee03b6bfdd3a5560d985ddfb1f2595a638b89f6137dfd6339ebfd863",
        ),
        (
            "private/transfer_spot_external_debug",
            "external_transfer",
            external,
            "091ffd90c8effff678e02aadd7a9d1a7892640a5898825f06485ec349f065fac",
        ),
        (
            "private/set_session_key_debug",
            "set_session_key",
            session,
            "eae9c4220496e7e2f75828e8096292af67c31de04369677c40bfac32f4033201",
        ),
        (
            "private/update_whitelisted_recipients_debug",
            "update_whitelisted_recipients",
            json!({ "wallet": wallet, "add": [one], "remove": [] }),
            "6f3d02ec7366c0c366f718f8dbdff372d75bc5b5038ff18012146d8c7bff01a5",
        ),
    ];
    for (method, kind, more, hash) in table {
        let mut params = json!({
            "subaccount_id": b.account.subaccount, "nonce": "1763683200000000001", "max_fee_usd": "1.5",
            "max_fee": "1000", "signature_expiry_sec": 1_800_000_000u64, "signature": "0x",
            "signer": b.account.session_key.to_string(), "rfq_id": "", "quote_id": "",
        });
        more.as_object().expect("object").iter().for_each(|(k, v)| params[k] = v.clone());
        let reply = b.call(method, params);
        assert_eq!(reply["result"]["encoded_data_hashed"], format!("0x{hash}"), "{method}: {reply}");
        let data = reply["result"]["encoded_data"].as_str().expect("hex").to_string();
        let decode = |b: &mut Bench, data: &str| {
            b.call("public/decode_action", json!({ "action_type": kind, "encoded_data": data }))
        };
        assert!(decode(&mut b, &data)["result"]["decoded"].is_object(), "{kind}");
        assert_eq!(code(&decode(&mut b, &data[..data.len() - 2])), -32602, "{kind} short by a byte");
    }
}
