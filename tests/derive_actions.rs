//! Every signed action, byte for byte: data, action hash, digest and RFC 6979 signature of known inputs.

use alloy_primitives::{Signature, hex, keccak256};
use k256::ecdsa::SigningKey;
use keel::base::ids::{Nonce, Side, SubaccountId};
use keel::base::num::{Amount, Price};
use keel::derive::action::funds::{TransferSpot, Withdraw};
use keel::derive::action::keys::{Scope, SetSessionKey, UpdateRecipients};
use keel::derive::action::login::login_digest;
use keel::derive::action::rfq::{
    ExecutionTemplate, ExecutionTerms, Leg, Role, TakenLeg, execute_data, legs_hash, quote_data,
};
use keel::derive::action::scale::Decimal18;
use keel::derive::action::trade::{OrderFrame, OrderTemplate, OrderTerms, Trade};
use keel::derive::action::vault::{Create, VaultAction};
use keel::derive::action::{Envelope, v2};
use keel::derive::dialect::{Address, Dialect, MODULES_V3, V2_MAINNET};
use serde_json::Value;

fn read(text: &str) -> Value {
    serde_json::from_str(text).expect("vector file")
}

fn actions() -> Value {
    read(include_str!("vectors/actions.json"))
}

fn encodings() -> Value {
    read(include_str!("vectors/encodings.json"))
}

fn text<'a>(at: &'a Value, key: &str) -> &'a str {
    at[key].as_str().unwrap_or_else(|| panic!("{key} in {at}"))
}

fn number(at: &Value, key: &str) -> u64 {
    at[key].as_u64().unwrap_or_else(|| panic!("{key} in {at}"))
}

fn bytes<const N: usize>(at: &Value, key: &str) -> [u8; N] {
    hex::decode_to_array(text(at, key)).unwrap_or_else(|_| panic!("{key} in {at}"))
}

fn decimal(at: &Value, key: &str) -> Decimal18 {
    Decimal18::parse(text(at, key).as_bytes()).expect("decimal")
}

fn side(at: &Value) -> Side {
    if text(at, "direction") == "buy" { Side::Buy } else { Side::Sell }
}

fn legs(inputs: &Value) -> Vec<Leg<'_>> {
    let leg = |leg| Leg {
        instrument: text(leg, "instrument_name").as_bytes(),
        asset: bytes(leg, "asset"),
        sub_id: text(leg, "sub_id").parse().expect("sub id"),
        price: decimal(leg, "price"),
        amount: decimal(leg, "amount"),
        side: side(leg),
    };
    inputs["legs"].as_array().expect("legs").iter().map(leg).collect()
}

fn trade(inputs: &Value) -> Trade {
    Trade {
        asset: bytes(inputs, "asset"),
        sub_id: text(inputs, "sub_id").parse().expect("sub id"),
        limit_price: decimal(inputs, "limit_price"),
        amount: decimal(inputs, "amount"),
        max_fee: decimal(inputs, "max_fee"),
        recipient: SubaccountId(number(inputs, "recipient_subaccount_id")),
        side: if inputs["is_bid"].as_bool().expect("side") { Side::Buy } else { Side::Sell },
    }
}

fn withdraw(inputs: &Value) -> Withdraw {
    let scale = 10u128.pow(number(inputs, "amount_decimals") as u32);
    Withdraw {
        asset: bytes(inputs, "asset"),
        max_fee_usd: decimal(inputs, "max_fee_usd"),
        recipient: bytes(inputs, "recipient"),
        amount_native: text(inputs, "amount").parse::<u128>().expect("amount") * scale,
        force_batch: inputs["force_batch"].as_bool().expect("force_batch"),
    }
}

fn transfer(inputs: &Value) -> TransferSpot {
    TransferSpot {
        to: SubaccountId(number(inputs, "to_subaccount_id")),
        new_subaccount_manager: number(inputs, "new_subaccount_manager"),
        asset: bytes(inputs, "asset"),
        sub_id: text(inputs, "sub_id").parse().expect("sub id"),
        amount: decimal(inputs, "amount"),
        max_fee_usd: decimal(inputs, "max_fee_usd"),
    }
}

fn session_key(inputs: &Value) -> Vec<u8> {
    let scope = |code: &Value| Scope::from_code(code.as_u64().expect("code")).expect("scope");
    let scopes: Vec<Scope> = inputs["protocol_scopes"].as_array().expect("scopes").iter().map(scope).collect();
    let id = |id: &Value| id.as_u64().or_else(|| id.as_str()?.parse().ok()).map(SubaccountId).expect("subaccount");
    let subaccounts: Vec<SubaccountId> = inputs["subaccount_ids"].as_array().expect("ids").iter().map(id).collect();
    SetSessionKey {
        key: bytes(inputs, "session_key"),
        expiry_sec: number(inputs, "expiry_sec"),
        scopes: &scopes,
        subaccounts: &subaccounts,
    }
    .data()
}

fn recipients(inputs: &Value) -> Vec<u8> {
    let list = |key: &str| -> Vec<Address> {
        let address = |row: &Value| hex::decode_to_array(row.as_str().expect("text")).expect("address");
        inputs[key].as_array().expect("list").iter().map(address).collect()
    };
    UpdateRecipients { add: &list("add"), remove: &list("remove") }.data()
}

fn vault(inputs: &Value) -> Vec<u8> {
    let vault = || SubaccountId(number(inputs, "vault_subaccount_id"));
    let action = match number(inputs, "kind") {
        0 => VaultAction::Create(Create {
            manager_id: number(inputs, "manager_id"),
            deposit_asset: bytes(inputs, "deposit_asset"),
            initial_deposit: decimal(inputs, "initial_deposit"),
            management_fee_bps: number(inputs, "management_fee_bps"),
            performance_fee_bps: number(inputs, "performance_fee_bps"),
            max_slippage_bps: number(inputs, "max_slippage_bps"),
            cooldown_sec: number(inputs, "cooldown_sec"),
            max_fee_usd: decimal(inputs, "max_fee_usd"),
            initial_share_price_usd: decimal(inputs, "initial_share_price_usd"),
            benchmark: Some(bytes(inputs, "benchmark_asset")),
        }),
        1 => VaultAction::Deposit { vault: vault(), asset: bytes(inputs, "asset"), amount: decimal(inputs, "amount") },
        2 => VaultAction::Withdraw { vault: vault(), shares: decimal(inputs, "shares_to_burn") },
        3 => VaultAction::CancelAll { vault: vault() },
        4 => VaultAction::Mint {
            share_price: decimal(inputs, "share_price"),
            user_action_hash: bytes(inputs, "user_action_hash"),
        },
        5 => VaultAction::Burn {
            share_price: decimal(inputs, "share_price"),
            user_action_hash: bytes(inputs, "user_action_hash"),
        },
        6 => VaultAction::ForceBurn { holder: bytes(inputs, "holder") },
        kind => panic!("kind {kind}"),
    };
    action.data().expect("scaled")
}

/// The data a case's inputs encode to, and the module it is signed for.
fn encoded(case: &Value) -> (Vec<u8>, Address) {
    let inputs = &case["inputs"];
    let modules = MODULES_V3;
    let scaled = |data: Result<Vec<u8>, _>| data.expect("scaled");
    match (text(case, "module"), text(case, "name")) {
        ("trade", _) => (scaled(trade(inputs).data()), modules.trade),
        ("rfq", name) if name.contains("quote") => {
            (scaled(quote_data(&legs(inputs), side(inputs), decimal(inputs, "max_fee"))), modules.rfq)
        }
        ("rfq", _) => (scaled(execute_data(&legs(inputs), side(inputs), decimal(inputs, "max_fee"))), modules.rfq),
        ("withdrawal", _) => (scaled(withdraw(inputs).data()), modules.withdrawal),
        ("transfer", _) => (scaled(transfer(inputs).data()), modules.transfer),
        ("external_transfer", _) => {
            (scaled(transfer(inputs).external_data(bytes(inputs, "recipient"))), modules.external_transfer.expect("v3"))
        }
        ("set_session_key", _) => (session_key(inputs), modules.session_key.expect("v3")),
        ("whitelisted_recipient", _) => (recipients(inputs), modules.whitelisted_recipient.expect("v3")),
        ("vault", _) => (vault(inputs), modules.vault.expect("v3")),
        (module, _) => panic!("module {module}"),
    }
}

fn check_data(case: &Value) -> (Vec<u8>, Address) {
    let (data, module) = encoded(case);
    assert_eq!(hex::encode(&data), text(case, "data"), "{}", text(case, "name"));
    assert_eq!(keccak256(&data).0, bytes::<32>(case, "data_hash"), "{}", text(case, "name"));
    (data, module)
}

fn sign(key: &SigningKey, digest: &[u8; 32]) -> String {
    let (signature, parity) = key.sign_prehash_recoverable(digest).expect("signs");
    assert!(signature.normalize_s().is_none(), "low s");
    format!("{}{:02x}", hex::encode(signature.to_bytes()), 27 + parity.to_byte())
}

#[test]
fn all_32_envelopes_are_reproduced_with_their_signatures() {
    let file = actions();
    let key = SigningKey::from_slice(&bytes::<32>(&file, "key")).expect("key");
    let owner = bytes(&file, "owner");
    let mut envelopes = 0;
    for case in file["cases"].as_array().expect("cases") {
        let (data, module) = check_data(case);
        let envelope = Envelope {
            subaccount: SubaccountId(number(case, "subaccount")),
            nonce: Nonce(number(&file, "nonce")),
            module,
            expiry_sec: number(&file, "expiry_sec"),
            owner,
            signer: owner,
        };
        assert_eq!(envelope.action_hash(&data), bytes::<32>(case, "action"), "{}", text(case, "name"));
        for (network, expected) in case["networks"].as_object().expect("networks") {
            let dialect = Dialect::named(network).expect("network");
            let digest = envelope.digest(&dialect.domain_separator, &data);
            assert_eq!(hex::encode(digest), expected[0].as_str().expect("digest"));
            assert_eq!(sign(&key, &digest), expected[1].as_str().expect("signature"));
            envelopes += 1;
        }
    }
    assert_eq!(envelopes, 32);
}

#[test]
fn all_14_server_encodings_are_reproduced() {
    let file = encodings();
    let cases = file["cases"].as_array().expect("cases");
    for case in cases {
        check_data(case);
    }
    assert_eq!(cases.len(), 14);
}

#[test]
fn the_server_verified_envelope_is_reproduced_and_its_signature_recovers_to_the_signer() {
    let file = encodings();
    let expected = &file["envelope"];
    let (data, module) = encoded(&file["cases"][0]);
    let envelope = Envelope {
        subaccount: SubaccountId(number(expected, "subaccount")),
        nonce: Nonce(number(expected, "nonce")),
        module,
        expiry_sec: number(expected, "expiry_sec"),
        owner: bytes(expected, "owner"),
        signer: bytes(expected, "signer"),
    };
    let dialect = Dialect::named(text(expected, "network")).expect("network");
    let digest = envelope.digest(&dialect.domain_separator, &data);
    assert_eq!(envelope.action_hash(&data), bytes::<32>(expected, "action"));
    assert_eq!(digest, bytes::<32>(expected, "digest"));
    let signature = Signature::from_raw_array(&bytes::<65>(expected, "signature")).expect("signature");
    let signer = signature.recover_address_from_prehash(&digest.into()).expect("recovers");
    assert_eq!(signer.into_array(), envelope.signer);
}

/// The known executions sell a package; buying the opposite package signs the same numbers.
#[test]
fn the_execution_template_reproduces_the_takers_envelopes() {
    let file = actions();
    let owner = bytes(&file, "owner");
    let is_execution = |case: &&Value| text(case, "name") == "rfq_execute";
    let case = file["cases"].as_array().expect("cases").iter().find(is_execution).expect("rfq_execute");
    let inputs = &case["inputs"];
    assert_eq!(side(inputs), Side::Sell);
    let raw = |value: Decimal18| i64::try_from(value.raw() / 1_000_000_000).expect("nine decimals");
    let mut legs = legs(inputs);
    legs.sort_by_key(|leg| leg.instrument);
    let taken = |leg: &Leg<'_>| TakenLeg {
        asset: leg.asset,
        sub_id: leg.sub_id,
        price: Price::from_raw(raw(leg.price)),
        amount: Amount::from_raw(raw(leg.amount)),
        side: leg.side.opposite(),
    };
    let terms = ExecutionTerms {
        legs: [taken(&legs[0]), taken(&legs[1])],
        max_fee: Price::from_raw(raw(decimal(inputs, "max_fee"))),
        nonce: Nonce(number(&file, "nonce")),
        expiry_sec: number(&file, "expiry_sec"),
    };
    let mut reproduced = 0;
    for (network, expected) in case["networks"].as_object().expect("networks") {
        let dialect = Dialect::named(network).expect("network");
        let mut template = ExecutionTemplate::new(dialect, SubaccountId(number(case, "subaccount")), &owner, &owner);
        assert_eq!(hex::encode(template.digest(&terms)), expected[0].as_str().expect("digest"), "{network}");
        reproduced += 1;
    }
    assert_eq!(reproduced, 2);
}

#[test]
fn the_order_template_reproduces_the_trade_envelopes() {
    let file = actions();
    let owner = bytes(&file, "owner");
    let is_trade = |case: &&Value| text(case, "name") == "trade";
    let case = file["cases"].as_array().expect("cases").iter().find(is_trade).expect("trade");
    let inputs = &case["inputs"];
    let frame = OrderFrame {
        asset: bytes(inputs, "asset"),
        sub_id: text(inputs, "sub_id").parse().expect("sub id"),
        subaccount: SubaccountId(number(case, "subaccount")),
        owner,
        signer: owner,
    };
    let terms = OrderTerms {
        price: text(inputs, "limit_price").parse().expect("price"),
        amount: text(inputs, "amount").parse::<Amount>().expect("amount"),
        max_fee: text(inputs, "max_fee").parse::<Price>().expect("fee"),
        side: Side::Buy,
        nonce: Nonce(number(&file, "nonce")),
        expiry_sec: number(&file, "expiry_sec"),
    };
    for (network, expected) in case["networks"].as_object().expect("networks") {
        let mut template = OrderTemplate::new(Dialect::named(network).expect("network"), &frame);
        assert_eq!(hex::encode(template.digest(&terms)), expected[0].as_str().expect("digest"));
    }
}

#[test]
fn the_login_signature_is_reproduced() {
    let file = actions();
    let key = SigningKey::from_slice(&bytes::<32>(&file, "key")).expect("key");
    let digest = login_digest(number(&file["login"], "timestamp_ms"));
    assert_eq!(digest, bytes::<32>(&file["login"], "digest"));
    assert_eq!(sign(&key, &digest), text(&file["login"], "signature"));
}

fn v2_envelope(nonce: u64, subaccount: u64, owner: Address, module: Address) -> Envelope {
    let (subaccount, nonce) = (SubaccountId(subaccount), Nonce(nonce));
    Envelope { subaccount, nonce, module, expiry_sec: 1_732_176_600, owner, signer: owner }
}

/// `[data hash, action hash, digest]` of an action in v2's own domain.
fn v2_hashes(envelope: &Envelope, data: &[u8]) -> [String; 3] {
    [
        hex::encode(keccak256(data)),
        hex::encode(envelope.action_hash(data)),
        hex::encode(envelope.digest(&V2_MAINNET.domain_separator, data)),
    ]
}

const ETH_OPTION: Address = hex!("4BB4C3CDc7562f08e9910A0C7D8bB7e108861eB4");
const WEETH_VAULT: Address = hex!("ec68928bd83B2E52fF5A8e8c215B6ea72879F521");
const WEETH_BASE: Address = hex!("F30EE744fCfd135A135E6a4e327e01d0f697e6Ec");
const SRM: Address = hex!("28c9ddF9A3B29c2E6a561c1BC520954e5A33de5D");

#[test]
fn v2_orders_and_funds_hash_as_the_contracts_do() {
    let modules = V2_MAINNET.modules;
    let order = Trade {
        asset: ETH_OPTION,
        sub_id: 39_614_082_760_370_722_398_504_755_968,
        limit_price: Price::whole(10).into(),
        amount: Amount::ONE.into(),
        max_fee: Price::whole(5).into(),
        recipient: SubaccountId(7777),
        side: Side::Sell,
    };
    let data = order.data().expect("scaled");
    assert_eq!(
        v2_hashes(&v2_envelope(1_732_176_000_000_001, 7777, WEETH_VAULT, modules.trade), &data),
        [
            "c41f5ec59290739ea705f3ae3187fcff1c2f1e417e5253b9b0749cf0fab36e96",
            "14a57eaf9a88c227cce54f423efbc817c032f53df55f3b8a081c36df5fb83780",
            "5e1f457122e6c1941ae64c273e5bbc9f7bb4639bc43d11202d74e5f56e62f3ca"
        ]
    );
    let deposit = v2::deposit_data(1_000_000_000_000_000_000, WEETH_BASE, SRM);
    let envelope = v2_envelope(1_732_176_000_000_003, 7777, WEETH_VAULT, modules.deposit.expect("v2"));
    let [data, _, digest] = v2_hashes(&envelope, &deposit);
    assert_eq!(data, "b3391d636bd0d2ebd06ac1e50571873958829e66d23a2807197b7ea7c2de2156");
    assert_eq!(digest, "eadcbcb3cafe3f4f03a4945ebb35365ed646a957e2ef4caef923aaf646c6a0bc");
    let withdrawal = v2::withdraw_data(WEETH_BASE, 1_000_000_000_000_000_000);
    let envelope = v2_envelope(1_732_176_000_000_004, 7777, WEETH_VAULT, modules.withdrawal);
    let [data, _, digest] = v2_hashes(&envelope, &withdrawal);
    assert_eq!(data, "6ec29e8045e1b0e61b1d58628268434aa2bc01875c6ce429c05e08f9270f4f3d");
    assert_eq!(digest, "017215d98d2e013b1f13b66510f9f01bcb09d725324a8ea621aba356052503b5");
}

#[test]
fn v2_taker_hashes_the_legs_the_maker_signs() {
    let leg = |name: &'static [u8], sub_id, price: &[u8], side| Leg {
        instrument: name,
        asset: ETH_OPTION,
        sub_id,
        price: Decimal18::parse(price).expect("price"),
        amount: Decimal18::parse(b"0.5").expect("amount"),
        side,
    };
    // The maker sells the 3400 call and buys the 3600 call; the vault takes the other side.
    let legs = [
        leg(b"ETH-20241128-3400-C", 39_614_082_717_421_049_438_504_755_968, b"165", Side::Buy),
        leg(b"ETH-20241128-3600-C", 39_614_082_803_320_395_358_504_755_968, b"70", Side::Sell),
    ];
    let order_hash = legs_hash(&legs, Side::Sell, Role::Maker).expect("scaled");
    assert_eq!(hex::encode(order_hash), "97dd0b8e8008d4f5b6a19ccff3b472c3a0004c766446b39b8c2403f6cc41f9d7");
    let three = Price::whole(3).into();
    let quote = quote_data(&legs, Side::Sell, three).expect("scaled");
    assert_eq!(quote.len(), 384);
    assert_eq!(hex::encode(keccak256(&quote)), "5ee370d5133531c001f40c5a1a29552124fd3a6d22763317443d504bcfae5453");
    let data = execute_data(&legs, Side::Buy, three).expect("scaled");
    let owner = hex!("e48cdbe3A233Ea577c9ee6959801e7730e516d1A");
    let [_, action, digest] =
        v2_hashes(&v2_envelope(1_732_176_000_000_002, 8888, owner, V2_MAINNET.modules.rfq), &data);
    assert_eq!(action, "67f42f19090ab68df0e58ee891c6db225170d1f82eb83bc16a7340584cae0cc4");
    assert_eq!(digest, "64f38db256d57347b27360a9ef4378f10b309bf9eb5202437db730d0d03cd2e6");
}
