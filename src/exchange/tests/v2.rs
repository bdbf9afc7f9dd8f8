//! The v2 dialect: nonces, modules, contract owners, and fills that settle or are taken back.

use super::*;
use crate::exchange::eip712::modules;
use proptest::prelude::Just;
use rust_decimal::Decimal;

/// Milliseconds and three digits.
pub(super) const N0: u64 = T0.0 / 1_000;

pub(super) fn bench() -> Bench {
    Bench::with(|s| s.network = Network::V2Mainnet)
}

/// An account whose owner is a contract, as [`Bench::with`] opens it.
pub(super) fn vault(atomic: bool) -> Bench {
    Bench::with(|s| {
        s.network = Network::V2Mainnet;
        s.accounts[0].owner = Owner::Contract { atomic };
    })
}

/// An order that names the contract as its signer, signed by the session key.
fn contract_order(b: &mut Bench, change: Value) -> Value {
    of_contract(b, ["ETH-PERP", "buy", "4000", "1"], change)
}

/// The same of an instrument, side, price and amount.
pub(super) fn of_contract(b: &mut Bench, [instrument, side, price, amount]: [&str; 4], change: Value) -> Value {
    let signer = b.account.session_key;
    b.account.session_key = b.account.wallet;
    let order = b.order(instrument, side, price, amount, change);
    b.account.session_key = signer;
    order
}

/// Settles as it is told.
#[derive(Default)]
pub(super) struct Told {
    pub(super) requests: Vec<SettlementRequest>,
    verdicts: VecDeque<SettlementVerdict>,
}

impl Told {
    pub(super) fn say(&mut self, place: usize, status: TxStatus) {
        let hash = Some(B256::repeat_byte(7));
        self.verdicts.push_back(SettlementVerdict { id: self.requests[place].id, status, hash });
    }
}

impl SettlementAuthority for Told {
    fn submit(&mut self, _: Nanos, request: SettlementRequest) {
        self.requests.push(request);
    }

    fn poll(&mut self, _: Nanos) -> Option<SettlementVerdict> {
        self.verdicts.pop_front()
    }

    fn next_due(&self, _: Nanos) -> Option<Nanos> {
        None
    }
}

impl Bench {
    pub(super) fn settle(&mut self, told: &mut Told) {
        self.ex.settle_with(told, self.at, &mut self.out);
    }

    /// Trade rows told on a channel since `out` was last cleared, as (trade id, state).
    fn told_on(&self, channel: &str) -> Vec<(String, String)> {
        let frames = self.frames();
        let rows = frames.iter().filter(|f| f["params"]["channel"] == channel);
        rows.flat_map(|f| f["params"]["data"].as_array().cloned().unwrap_or_default())
            .map(|row| (row["trade_id"].to_string(), row["tx_status"].as_str().unwrap_or("none").to_string()))
            .collect()
    }
}

#[test]
fn nonces_are_milliseconds_and_three_digits_within_an_hour_and_used_once() {
    let mut b = bench();
    b.rest("ETH-PERP", false, "4000", "100");
    let hour = 3_600_000_000;
    for (nonce, want) in [
        (T0.0, 11018),
        (T0.ms(), 11018),
        (N0 - hour - 1_000, 11018),
        (N0 + hour + 2_000, 11018),
        (N0 - hour + 5_000, 0),
        (N0 + hour - 5_000, 0),
        (N0 + 1, 0),
        (N0 + 1, 11017),
    ] {
        let params = json!({ "nonce": nonce.to_string(), "time_in_force": "post_only" });
        let reply = b.place("ETH-PERP", "buy", "3990", "1", params);
        assert_eq!(code(&reply), want, "{nonce}: {reply}");
    }
    b.nonce = N0 + 10;
    let mut order = b.order("ETH-PERP", "buy", "3990", "1", json!({ "time_in_force": "post_only" }));
    order["nonce"] = json!(N0 + 11);
    assert_eq!(code(&b.call("private/order", order)), 0, "a number does as well as a text");
}

#[test]
fn signatures_are_for_the_networks_own_modules_and_domain() {
    for network in [Network::V2Mainnet, Network::V2Testnet] {
        let mut b = Bench::with(|s| s.network = network);
        b.nonce = N0;
        let reply = b.place("ETH-PERP", "buy", "3990", "1", json!({ "time_in_force": "post_only" }));
        assert_eq!(code(&reply), 0, "{network:?}: {reply}");
    }
    assert_ne!(modules(Network::V2Mainnet).trade, modules(Network::V2Testnet).trade);
    let mut b = Bench::with(|s| s.network = Network::V2Testnet);
    b.nonce = N0;
    let order = b.order("ETH-PERP", "buy", "3990", "1", json!({}));
    let mut other = bench();
    assert_eq!(code(&other.call("private/order", order)), 14014);
}

#[test]
fn eighteen_decimals_are_signed_as_they_are() {
    let mut b = bench();
    b.nonce = N0;
    let fine = json!({ "time_in_force": "post_only", "max_fee": "1.000000000000000001" });
    let placed = b.place("ETH-PERP", "buy", "3990", "1", fine.clone());
    assert_eq!(code(&placed), 0, "{placed}");
    let mut v3 = Bench::new();
    let mut params = v3.order("ETH-PERP", "buy", "3990", "1", json!({ "max_fee": "1" }));
    params["max_fee"] = fine["max_fee"].clone();
    assert_eq!(code(&v3.call("private/order", params)), -32602, "v3 knows twelve");
}

#[test]
fn what_v2_has_not_is_not_offered_and_cancels_are_counted() {
    let mut b = bench();
    b.nonce = N0;
    assert_eq!(code(&b.call("private/set_session_key", json!({}))), -32601);
    for price in ["3990", "3980"] {
        b.place("ETH-PERP", "buy", price, "1", json!({ "time_in_force": "post_only" }));
    }
    let all = json!({ "subaccount_id": b.account.subaccount });
    assert_eq!(b.call("private/cancel_all", all)["result"], json!({ "cancelled_orders": 2 }));
}

#[test]
fn a_contract_owner_trades_by_its_session_keys_signature() {
    let mut b = vault(false);
    b.nonce = N0;
    b.rest("ETH-PERP", false, "4000", "100");
    let order = contract_order(&mut b, json!({ "time_in_force": "ioc" }));
    let reply = b.call("private/order", order);
    assert_eq!(reply["result"]["trades"][0]["tx_status"], "requested", "{reply}");
    let mut told = Told::default();
    b.settle(&mut told);
    let asked = &told.requests[0].actions;
    assert_eq!(asked.len(), 1, "the house signs nothing");
    assert_eq!((asked[0].action.owner, asked[0].action.signer), (b.account.wallet, b.account.wallet));
    assert_eq!(
        asked[0].action.recovered(domain_separator(Network::V2Mainnet), &asked[0].signature),
        Some(b.account.session_key)
    );
    assert_eq!((asked[0].filled, asked[0].atomic), (d("1"), false));
}

#[test]
fn strangers_and_plain_owners_cannot_sign_as_a_contract() {
    let mut b = vault(false);
    b.nonce = N0;
    let mut order = contract_order(&mut b, json!({}));
    order["is_atomic_signing"] = json!(true);
    assert_eq!(code(&b.call("private/order", order)), 14033, "not listed for atomic orders");
    b.account.session_key_hex = developer_accounts(9, 1)[0].session_key_hex.clone();
    let order = contract_order(&mut b, json!({}));
    assert_eq!(code(&b.call("private/order", order)), 14026, "nobody knows this key");

    let mut plain = bench();
    plain.nonce = N0;
    let order = contract_order(&mut plain, json!({}));
    assert_eq!(code(&plain.call("private/order", order)), 14014, "the owner is a key");
}

#[test]
fn an_atomic_order_asks_for_approval_inside_its_settlement() {
    let mut b = vault(true);
    b.nonce = N0;
    b.rest("ETH-PERP", false, "4000", "100");
    let order = contract_order(&mut b, json!({ "time_in_force": "ioc", "is_atomic_signing": true }));
    assert_eq!(code(&b.call("private/order", order)), 0);
    let mut told = Told::default();
    b.settle(&mut told);
    assert!(told.requests[0].actions[0].atomic);
}

#[test]
fn a_fill_is_told_in_every_state_and_never_goes_back() {
    let mut b = bench();
    b.nonce = N0;
    b.rest("ETH-PERP", false, "4000", "100");
    let sub = b.account.subaccount;
    let own = format!("{sub}.trades");
    let channels = json!([own, format!("{own}.pending"), format!("{own}.settled"), "trades.perp.ETH.settled"]);
    let subscribed = b.call("subscribe", json!({ "channels": channels }));
    assert_eq!(subscribed["result"]["current_subscriptions"].as_array().map(Vec::len), Some(4), "{subscribed}");
    let refused = b.call("subscribe", json!({ "channels": [format!("{own}.lost")] }));
    assert_eq!(refused["result"]["status"][format!("{own}.lost")], "Invalid enum value lost");
    b.place("ETH-PERP", "buy", "4000", "1", json!({ "time_in_force": "ioc" }));
    assert_eq!(b.told_on(&own).len(), 1);
    assert_eq!(b.ex.unsettled_of(sub), 1);
    let mut told = Told::default();
    b.settle(&mut told);
    for (status, on, left) in
        [(TxStatus::Pending, "pending", 1), (TxStatus::Settled, "settled", 0), (TxStatus::Reverted, "settled", 0)]
    {
        b.out.clear();
        told.say(0, status);
        b.settle(&mut told);
        let rows = b.told_on(&own);
        if status == TxStatus::Reverted {
            assert!(rows.is_empty(), "it had settled");
            break;
        }
        assert_eq!(rows.len(), 1, "{status:?}");
        assert_eq!(b.told_on(&format!("{own}.{on}")), rows);
        assert_eq!(b.ex.unsettled_of(sub), left);
    }
    let history = b.call("private/get_trade_history", json!({ "subaccount_id": sub }));
    let row = &history["result"]["trades"][0];
    assert_eq!(row["tx_status"], "settled");
    assert_eq!(row["tx_hash"], B256::repeat_byte(7).to_string());
    assert!(row.get("batch_status").is_none());
    let public = b.call("public/get_trade_history", json!({ "tx_status": "pending" }));
    assert_eq!(public["result"]["trades"], json!([]));
}

/// What must be the same after a fill was taken back: balances, positions, fees.
type Books = (BTreeMap<String, Decimal>, Vec<(String, Decimal)>, Decimal);

/// The books of the account and of the house.
fn books(b: &Bench) -> Vec<Books> {
    let of = |sub| {
        let report: SubaccountReport = b.ex.subaccount_report(sub).expect("exists");
        let positions = report.positions.iter().map(|(name, p)| (name.clone(), p.amount)).collect();
        let held = report.balances.into_iter().filter(|(_, amount)| !amount.is_zero()).collect();
        (held, positions, report.fees_paid)
    };
    vec![of(b.account.subaccount), of(b.house)]
}

#[test]
fn a_reverted_fill_gives_everything_back_to_both_sides() {
    for instrument in ["ETH-PERP", "ETH-USDC", "ETH-20251121-4000-C"] {
        let mut b = bench();
        b.nonce = N0;
        let price = if instrument.ends_with('C') { b.ex.mark(instrument).round_dp(0) } else { d("4000") }.to_string();
        b.rest(instrument, false, &price, "100");
        let before = (books(&b), b.ex.house_pools());
        let sub = b.account.subaccount;
        b.call("subscribe", json!({ "channels": [format!("{sub}.balances"), format!("{sub}.trades.reverted")] }));
        let placed = b.place(instrument, "buy", &price, "2", json!({ "time_in_force": "ioc" }));
        assert_eq!(placed["result"]["trades"].as_array().map(Vec::len), Some(1), "{instrument}: {placed}");
        assert_ne!(books(&b), before.0);
        let mut told = Told::default();
        b.settle(&mut told);
        b.out.clear();
        told.say(0, TxStatus::Reverted);
        b.settle(&mut told);
        assert_eq!((books(&b), b.ex.house_pools()), before, "{instrument}");
        assert_eq!(b.told_on(&format!("{sub}.trades.reverted")).len(), 1);
        let frames = b.frames();
        let told_back = frames.iter().flat_map(|f| f["params"]["data"].as_array().cloned().unwrap_or_default());
        let kinds: BTreeSet<String> = told_back.filter_map(|row| Some(row["update_type"].as_str()?.into())).collect();
        assert_eq!(kinds, BTreeSet::from(["onchain_revert".to_string()]), "{instrument}");
        assert_eq!(b.ex.unsettled_of(sub), 0);
    }
}

#[test]
fn an_authority_that_always_settles_does_so_after_its_delay() {
    let mut b = bench();
    b.nonce = N0;
    b.rest("ETH-PERP", false, "4000", "100");
    b.place("ETH-PERP", "buy", "4000", "1", json!({ "time_in_force": "ioc" }));
    let mut always = Always::after(2 * SEC);
    let start = b.at;
    for (ms, want) in
        [(0, TxStatus::Requested), (999, TxStatus::Requested), (1_000, TxStatus::Pending), (2_000, TxStatus::Settled)]
    {
        let at = start.plus(ms * MS);
        b.ex.settle_with(&mut always, at, &mut b.out);
        let trades = b.ex.trades_of(b.account.subaccount);
        assert_eq!(trades[0].tx, Some(want), "{ms} ms");
    }
    assert_eq!(always.next_due(b.at), None);
    let mut at_once = Always::after(0);
    b.place("ETH-PERP", "buy", "4000", "1", json!({ "time_in_force": "ioc" }));
    b.ex.settle_with(&mut at_once, b.at, &mut b.out);
    assert_eq!(b.ex.unsettled_of(b.account.subaccount), 0);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 24, ..Default::default() })]

    /// Whatever settles and whatever is taken back, at whatever marks and funding: nothing is made or lost, and an account
    /// all of whose fills were taken back holds what it held, but for the last digits of rounding.
    #[test]
    fn reverts_conserve_at_any_moment(
        steps in proptest::collection::vec((proptest::prelude::any::<bool>(), 1i64..40, 3_900i64..4_100, 1u64..900), 1..12),
        kept in proptest::prop_oneof![
            Just(vec![false]),
            proptest::collection::vec(proptest::prelude::any::<bool>(), 12),
        ],
    ) {
        let mut b = bench();
        b.nonce = N0;
        b.ex.set_borrow_override(Some(Decimal::ZERO));
        b.ex.set_funding_override("ETH", Some(d("0.0001")));
        let total = |b: &Bench| -> Decimal { b.ex.subs.values().map(|s| s.balance("USDC")).sum() };
        let (cash, own) = (total(&b), b.report().balances["USDC"]);
        let mut told = Told::default();
        for (buy, lots, spot, seconds) in steps {
            let amount = Decimal::new(lots, 1).to_string();
            let side = if buy { "buy" } else { "sell" };
            let resting = if buy { (false, "4001") } else { (true, "3999") };
            b.rest("ETH-PERP", resting.0, resting.1, &amount);
            b.nonce = b.at.0 / 1_000;
            b.place("ETH-PERP", side, resting.1, &amount, json!({ "time_in_force": "ioc" }));
            b.settle(&mut told);
            b.ex.set_spot("ETH", Decimal::from(spot), b.at);
            b.pass(seconds * SEC);
        }
        let mut reverted = true;
        for place in 0..told.requests.len() {
            let keep = kept[place % kept.len()];
            reverted &= !keep;
            told.say(place, if keep { TxStatus::Settled } else { TxStatus::Reverted });
        }
        b.settle(&mut told);
        b.ex.settle_perps(b.at);
        let pools = b.ex.house_pools();
        proptest::prop_assert_eq!(total(&b) + pools.fees + pools.perp_clearing + pools.interest, cash);
        let net: Decimal = b.ex.subs.values().flat_map(|s| s.positions.values()).map(|p| p.amount).sum();
        proptest::prop_assert_eq!(net, Decimal::ZERO, "every long has its short");
        if reverted {
            proptest::prop_assert!((b.report().balances["USDC"] - own).abs() < d("0.000001"), "{:?}", b.report());
            proptest::prop_assert_eq!(pools.fees, Decimal::ZERO);
        }
    }
}
