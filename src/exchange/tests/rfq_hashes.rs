//! What is signed for quotes and executions, against envelopes computed elsewhere.

use super::*;
use crate::exchange::eip712::{Leg, execute_data, legs_data, quote_data, recover};
use alloy_primitives::{I256, keccak256};

const OWNER: Address = alloy_primitives::address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266");

/// A maker that buys a package of +3 ETH-PERP and −4 BTC-PERP, sorted by name.
fn legs() -> Vec<Leg> {
    vec![
        (Address::repeat_byte(0xcd), U256::from(7), e18(d("0.5")).expect("word"), e18_signed(d("-4"))),
        (Address::repeat_byte(0xab), U256::from(42), e18(d("2")).expect("word"), e18_signed(d("3"))),
    ]
}

fn envelope(data: Vec<u8>) -> Action {
    Action {
        subaccount: 1,
        nonce: 1_763_683_200_000_000_001,
        module: eip712::module::RFQ,
        data,
        expiry: 1_800_000_000,
        owner: OWNER,
        signer: OWNER,
    }
}

#[test]
fn quotes_and_executions_hash_and_recover_as_computed_by_other_encoders() {
    let quote = envelope(quote_data(e18(d("1.5")).expect("word"), &legs()));
    let execution = envelope(execute_data(&legs(), e18(d("100")).expect("word")));
    let table = [
        (
            &quote,
            Network::Mainnet,
            "df21a6424536eab2784093b59aab94a1dca8cd7924f1131515839a0a7ba2cfc1",
            "64bb0b43d8e5c88162713387bb4a4e944dd0586641f5df3001feb970f5480e36",
            "56cb508e030cfd1a8a11dc953366a663641dc501fc335cb22b76213be6a00ea8",
            "4130abb2592959123e4bfe191471efbe57ccd222eed26cd9dfeb5ff7b3a02df366b89e2ccd2207b96997123086d282c036f91ec9e8f6289bcc1819710a8712041c",
        ),
        (
            &quote,
            Network::Testnet,
            "df21a6424536eab2784093b59aab94a1dca8cd7924f1131515839a0a7ba2cfc1",
            "64bb0b43d8e5c88162713387bb4a4e944dd0586641f5df3001feb970f5480e36",
            "7037616193e39d0e88a2c1d7c4be2d4c740b04cc0915ec42e34a938b8d403ffc",
            "c5b0c812f6f0d30e9d80f8d1aa579ff756b7e96701c23e82f5802412b541d3d770f811af15e818f96540566a53297806bf606e73fe94e878d01fda39fd4256351b",
        ),
        (
            &execution,
            Network::Mainnet,
            "35758f09a78ba0ac8bff20f585d3cec57e088a5fc9c1411144344d5346c0218b",
            "1ce6d9ca822ff730e515b2152d28057651335af0e4188f128048d0d246176e17",
            "ec7dd77bc06e91b86680c1eccd7d28ab677ea5325472511b905e2c034a87bb62",
            "8a718819debc637bc45396ba635aec0a02b58c7b788213ba3bf6f9dfab34e58f4668a8a358e791c6a22ff03926bf14f96c11f78b6f2336972e428259a398bec91b",
        ),
        (
            &execution,
            Network::Testnet,
            "35758f09a78ba0ac8bff20f585d3cec57e088a5fc9c1411144344d5346c0218b",
            "1ce6d9ca822ff730e515b2152d28057651335af0e4188f128048d0d246176e17",
            "639635f8e1afb50a44ac483d1b214c0b3147c936839fb77f4a129953e7243b7e",
            "311c18907833c53b2bf70eb9794e80f9202452bdaa8f9786d041181909dcf1e517320fa408887197b222585a25bfae1aad07e113ac483ba20c16bf97060c98311b",
        ),
    ];
    for (action, network, data, hash, digest, signature) in table {
        let domain = domain_separator(network);
        assert_eq!(alloy_primitives::hex::encode(keccak256(&action.data)), data, "{network:?}");
        assert_eq!(alloy_primitives::hex::encode(action.hash()), hash, "{network:?}");
        assert_eq!(alloy_primitives::hex::encode(action.digest(domain)), digest, "{network:?}");
        assert_eq!(recover(action.digest(domain), signature), Some(OWNER), "{network:?}");
    }
    let order_hash = &execution.data[..32];
    assert_eq!(
        alloy_primitives::hex::encode(order_hash),
        "c906d8bbed08137b24a06d728b51d9d305847389d620dbc45a410b25199b9aeb"
    );
    let mut tail = U256::from(32).to_be_bytes::<32>().to_vec();
    tail.extend_from_slice(&quote.data[96..]);
    assert_eq!(keccak256(tail).as_slice(), order_hash, "the maker's bytes without its fee give the taker's hash");
}

#[test]
fn the_debug_methods_sort_and_sign_legs_as_the_venue_did() {
    let mut b = Bench::with(|s| s.network = Network::Testnet);
    let leg = |name: &str, direction: &str, price: &str, amount: &str| json!({ "instrument_name": name, "direction": direction, "price": price, "amount": amount });
    let (put, call) = ("ETH-20270625-6000-P", "ETH-20270625-6000-C");
    let mut request = json!({
        "subaccount_id": b.account.subaccount, "direction": "sell", "max_fee": "1000", "nonce": T0.0.to_string(),
        "signer": b.account.session_key.to_string(), "signature_expiry_sec": T0.secs() + 700, "signature": "0x",
        "rfq_id": "00000000-0000-4000-8000-000000000001", "quote_id": "00000000-0000-4000-8000-000000000002",
    });
    // The taker sells: the maker's numbers are those of a buyer.
    request["legs"] = json!([leg(put, "sell", "50", "1"), leg(call, "buy", "100", "2")]);
    let reply = b.call("public/execute_quote_debug", request.clone());
    let ours = reply["result"]["legs_hash"].as_str().expect("a hash").to_string();
    // The same legs in the other order, quoted by the buyer.
    request["direction"] = json!("buy");
    request["legs"] = json!([leg(call, "buy", "100", "2"), leg(put, "sell", "50", "1")]);
    let quoted =
        b.call("public/send_quote_debug", request)["result"]["encoded_data"].as_str().expect("hex").to_string();
    let bytes = alloy_primitives::hex::decode(&quoted).expect("hex");
    let mut tail = U256::from(32).to_be_bytes::<32>().to_vec();
    tail.extend_from_slice(&bytes[96..]);
    assert_eq!(keccak256(&tail).to_string(), ours, "both sides name the same legs");
    let (asset, call_id) = catalog::signing_words(call).expect("option");
    let put_id = catalog::signing_words(put).expect("option").1;
    let word = |v: &str| e18(d(v)).expect("word");
    let signed = |v: &str| -> I256 { e18_signed(d(v)) };
    let sorted = [(asset, call_id, word("100"), signed("2")), (asset, put_id, word("50"), signed("-1"))];
    assert_eq!(keccak256(legs_data(&sorted)).to_string(), ours);
}

#[test]
fn a_quote_is_answered_with_the_hash_its_execution_signs() {
    let mut f = super::rfq::Floor::new();
    let rfq = f.send_rfq(json!({}));
    let quote = f.quote(super::rfq::MAKER, &rfq, "buy", super::rfq::priced("4000", "4000", "1"));
    let execution = f.execution(&quote, json!({}));
    let debug = f.ok(super::rfq::TAKER, "public/execute_quote_debug", execution);
    assert_eq!(debug["legs_hash"], quote["legs_hash"]);
}
