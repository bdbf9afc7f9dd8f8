//! A basis vault whose contract approves each fill inside its settlement, on a real chain: anvil, where `tools/evm/install`
//! has put it; skipped, and said so, where it has not. Every verdict is held against the contract's arithmetic in Rust.

use alloy_primitives::{Address, I256, address, hex};
use keel::base::ids::{Nonce, Side, SubaccountId};
use keel::base::num::{Amount, Price};
use keel::base::time::Nanos;
use keel::derive::action::Envelope;
use keel::derive::action::trade::Trade;
use keel::derive::dialect::V2_MAINNET;
use keel::engine::ports::Key;
use keel::exchange::{
    AuthHeaders, Exchange, HttpTicket, Network, Out, Outbox, Owner, Settings, SettlementAuthority, SettlementRequest,
    SettlementVerdict, TimeInForce, TxStatus, developer_accounts,
};
use keel::io::key::LocalKey;
use keel::risk::mandate::revert::Revert;
use keel::risk::wall::terms::BasisTerms;
use keel::sim::evm::LocalChain;
use keel::sim::evm::basis::{BasisSeed, BasisVault, SETTLER_KEY};
use keel::sim::judge::{Judge, Judgements};
use keel::sim::onchain::OnChain;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const SUBACCOUNT: u64 = 7_777;
const SESSION: [u8; 32] = [0x51; 32];
const NAMES: [&str; 2] = ["WEETH-USDC", "ETH-PERP"];
const WEETH: Address = address!("F30EE744fCfd135A135E6a4e327e01d0f697e6Ec");
const PERP: Address = address!("Af65752C4643E25C02F693f9D4FE19cF23a095E3");
const MARK: i64 = 3_000;

fn anvil() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("below the build folder");
    let path = target.join("evm/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil");
    if !path.exists() {
        // Not by the macro: what that prints of a passing test is not shown.
        let _ = writeln!(std::io::stderr(), "SKIPPED: no {}; tools/evm/install puts it there", path.display());
        return None;
    }
    Some(path)
}

fn now() -> Nanos {
    Nanos(SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos() as u64)
}

fn wad(units: i64) -> I256 {
    I256::try_from(units).expect("it fits") * I256::try_from(1_000_000_000_000_000_000_i64).expect("it fits")
}

/// Asks the chain and the arithmetic in this process, and holds one answer against the other.
struct Both {
    chain: OnChain,
    judge: Judge,
    expected: Vec<SettlementVerdict>,
}

impl SettlementAuthority for Both {
    fn submit(&mut self, at: Nanos, request: SettlementRequest) {
        self.judge.submit(at, request.clone());
        self.expected.extend(self.judge.poll(at));
        self.chain.submit(at, request);
    }

    fn poll(&mut self, at: Nanos) -> Option<SettlementVerdict> {
        let verdict = self.chain.poll(at)?;
        if verdict.status.is_final() {
            let ours = self.expected.iter().find(|ours| ours.id == verdict.id).expect("asked for");
            assert_eq!(verdict.status, ours.status, "chain and arithmetic disagree");
        }
        Some(verdict)
    }

    fn next_due(&self, at: Nanos) -> Option<Nanos> {
        self.chain.next_due(at)
    }
}

struct World {
    chain: LocalChain,
    vault: BasisVault,
    key: LocalKey,
    exchange: Exchange,
    authority: Both,
    told: Arc<Mutex<Judgements>>,
    house: u64,
    out: Outbox,
    nonce: u64,
}

impl World {
    /// A vault of ten weETH at 3 000 each, and nothing else.
    async fn start(anvil: &Path) -> World {
        let chain = LocalChain::start(anvil).expect("anvil starts");
        let key = LocalKey::from_bytes(&mut SESSION.clone()).expect("a key");
        let mut account = developer_accounts(1, 1).remove(0);
        account.session_key = Address::from(key.address());
        account.subaccount = SUBACCOUNT;
        account.balances = vec![("WEETH".to_owned(), Decimal::from(10))];
        let seed = BasisSeed {
            subaccount: SUBACCOUNT,
            key: account.session_key,
            assets: [WEETH, PERP],
            held: [wad(10), I256::ZERO, I256::ZERO],
            prices: [wad(MARK).into_raw(); 2],
        };
        let vault = chain.deploy_basis(&seed).await.expect("deployed");
        account.wallet = vault.vault;
        account.owner = Owner::Contract { atomic: true };
        let settings = Settings { network: Network::V2Mainnet, accounts: vec![account], ..Settings::default() };
        let mut exchange = Exchange::new(settings, now());
        exchange.set_spot("WEETH", Decimal::from(MARK), now());
        exchange.set_spot("ETH", Decimal::from(MARK), now());
        let house = exchange.house_account("maker", &[("WEETH", Decimal::from(100))]);
        let mut contract = BasisTerms::MISSION.wall().contract;
        (contract.assets.base, contract.assets.derivative) = (WEETH, PERP);
        let judge = Judge::new(vault.vault, contract, NAMES, Decimal::from(10), 0).expect("it fits");
        let told = judge.judgements();
        let site = chain.site(&vault, NAMES);
        let payer = LocalKey::from_bytes(&mut SETTLER_KEY.0.clone()).expect("a key");
        // Not from here: connecting waits on a runtime of its own.
        let connected = std::thread::spawn(move || OnChain::connect(site, payer)).join().expect("no panic");
        let authority = Both { chain: connected.expect("the node answers"), judge, expected: Vec::new() };
        World { chain, vault, key, exchange, authority, told, house, out: Outbox::new(), nonce: now().0 / 1_000 }
    }

    /// Sends an order of the vault that asks to be approved inside its settlements; true if the venue took it.
    fn order(&mut self, (base, side): (bool, Side), amount: &str, limit: i64) -> Value {
        self.nonce += 1;
        let trade = Trade {
            asset: if base { WEETH } else { PERP }.into(),
            sub_id: 0,
            limit_price: Price::whole(limit).into(),
            amount: amount.parse::<Amount>().expect("literal").into(),
            max_fee: Price::whole(20).into(),
            recipient: SubaccountId(SUBACCOUNT),
            side,
        };
        let data = trade.data().expect("encodable");
        let owner = self.vault.vault.into_array();
        let envelope = Envelope {
            subaccount: SubaccountId(SUBACCOUNT),
            nonce: Nonce(self.nonce),
            module: V2_MAINNET.modules.trade,
            expiry_sec: now().secs() + 590,
            owner,
            signer: owner,
        };
        let signature = self.key.sign(&envelope.digest(&V2_MAINNET.domain_separator, &data));
        let params = json!({
            "subaccount_id": SUBACCOUNT, "instrument_name": NAMES[usize::from(!base)],
            "direction": if side == Side::Buy { "buy" } else { "sell" }, "limit_price": limit.to_string(),
            "amount": amount, "max_fee": "20", "order_type": "limit", "time_in_force": "gtc", "nonce": self.nonce,
            "signer": self.vault.vault.to_string(), "signature_expiry_sec": envelope.expiry_sec,
            "is_atomic_signing": true, "signature": hex::encode_prefixed(signature),
        });
        let (at, stamp) = (now(), now().ms().to_string());
        let proof = self.key.sign(&alloy_primitives::eip191_hash_message(stamp.as_bytes()).0);
        let headers = AuthHeaders {
            wallet: Some(self.vault.vault.to_string()),
            timestamp: Some(stamp),
            signature: Some(hex::encode_prefixed(proof)),
        };
        self.out.clear();
        let body = params.to_string();
        self.exchange.on_http(at, "private/order", &headers, body.as_bytes(), HttpTicket(1), &mut self.out);
        self.exchange.tick(at.plus(200_000_000), &mut self.out);
        let reply = self.out.iter().find_map(|out| match out {
            Out::Http { body, .. } => serde_json::from_str::<Value>(body).ok(),
            _ => None,
        });
        let reply = reply.expect("a reply");
        assert!(reply["result"]["order"].is_object(), "{reply}");
        reply
    }

    /// The house trades against what rests.
    fn meet(&mut self, (base, buys): (bool, bool), amount: &str, limit: i64) {
        let (limit, amount) = (Decimal::from(limit), amount.parse().expect("literal"));
        let name = NAMES[usize::from(!base)];
        let placed =
            self.exchange.house_order(self.house, name, buys, limit, amount, TimeInForce::Ioc, now(), &mut self.out);
        placed.expect("trades");
    }

    /// Where the newest fill ends on the chain.
    async fn end(&mut self) -> TxStatus {
        let patience = Instant::now() + Duration::from_secs(20);
        loop {
            self.exchange.settle_with(&mut self.authority, now(), &mut self.out);
            let newest = self.exchange.trades_of(SUBACCOUNT).last().and_then(|trade| trade.tx).expect("a fill on v2");
            if newest.is_final() {
                return newest;
            }
            assert!(Instant::now() < patience, "still {newest:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn last_refusal(&self) -> Option<Revert> {
        self.told.lock().expect("no panic").refused.last().copied()
    }

    async fn agrees(&self) {
        let [base, perp, cash] = self.chain.held(&self.vault, SUBACCOUNT).await.expect("an answer");
        let held = self.told.lock().expect("no panic").held;
        assert_eq!((base, perp, cash), (held.base, held.perp, held.cash), "the chain's books and ours");
    }
}

#[tokio::test]
async fn the_contract_judges_the_whole_order_at_every_part() {
    let Some(anvil) = anvil() else { return };
    let mut world = World::start(&anvil).await;
    let books = |world: &World| world.exchange.subaccount_report(SUBACCOUNT).expect("exists").balances;

    // Ten of value, all of it base: exposure may grow by 0.2. The example of the specification: 0.15 in two parts.
    world.order((true, Side::Buy), "0.15", MARK);
    world.meet((true, false), "0.06", MARK);
    assert_eq!(world.end().await, TxStatus::Settled, "0.15 alone is inside");
    let before = books(&world);
    world.meet((true, false), "0.05", MARK);
    assert_eq!(world.end().await, TxStatus::Reverted, "0.06 and 0.15 once more are not");
    assert_eq!(world.last_refusal(), Some(Revert::LbtPostTradeDeltaOutOfRange));
    assert_eq!(books(&world), before, "undone");
    world.agrees().await;

    // The hedge, in parts; each is judged by the whole, and none leads out.
    world.order((false, Side::Sell), "0.15", MARK);
    for _ in 0..3 {
        world.meet((false, true), "0.05", MARK);
        assert_eq!(world.end().await, TxStatus::Settled, "a hedge");
    }
    // Too far from the mark: more than a hundredth of the price.
    world.order((false, Side::Sell), "0.1", MARK - 31);
    world.meet((false, true), "0.1", MARK - 31);
    assert_eq!(world.end().await, TxStatus::Reverted);
    assert_eq!(world.last_refusal(), Some(Revert::LbtInvalidGainPerUnit));
    world.agrees().await;

    let record = world.chain.record(&world.vault).await.expect("an answer");
    assert_eq!((record.approved.len(), record.settled.len()), (4, 4));
    assert_eq!(world.told.lock().expect("no panic").repeated, 2);

    // A key the contract does not list any more approves nothing; the arithmetic knows nothing of keys.
    world.chain.unlist(&world.vault, Address::from(world.key.address())).await.expect("told");
    let site = world.chain.site(&world.vault, NAMES);
    let payer = LocalKey::from_bytes(&mut SETTLER_KEY.0.clone()).expect("a key");
    let mut chain =
        std::thread::spawn(move || OnChain::connect(site, payer)).join().expect("no panic").expect("answers");
    world.order((false, Side::Sell), "0.1", MARK);
    world.meet((false, true), "0.1", MARK);
    let patience = Instant::now() + Duration::from_secs(20);
    while world.exchange.unsettled_of(SUBACCOUNT) > 0 {
        world.exchange.settle_with(&mut chain, now(), &mut world.out);
        assert!(Instant::now() < patience);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(world.exchange.trades_of(SUBACCOUNT).last().and_then(|trade| trade.tx), Some(TxStatus::Reverted));
    assert_eq!(world.chain.record(&world.vault).await.expect("an answer").approved.len(), 4);
}

#[test]
fn a_whole_run_has_every_fill_approved_on_chain() {
    every_fill_is_approved("lbtc-basis");
}

#[test]
fn a_whole_run_of_the_other_pair_has_every_fill_approved_on_chain() {
    every_fill_is_approved("weeth-basis");
}

fn every_fill_is_approved(vault: &str) {
    let Some(anvil) = anvil() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let run = Command::new(env!("CARGO_BIN_EXE_keel"))
        .args(["demo", "--vault", vault, "--dialect", "v2", "--seconds", "8", "--json", "--anvil"])
        .arg(anvil)
        .arg("--state")
        .arg(folder.path().join("state"))
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{:?}\n{said}\n{}", run.status, String::from_utf8_lossy(&run.stdout));
    let line = said.lines().find(|line| line.contains("the contract approved")).expect("the chain's own word");
    let numbers: Vec<u32> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [fills, approved, settled, refused] = numbers[..] else { panic!("{line}") };
    assert!(fills > 3, "{line}");
    assert_eq!((approved, settled, refused), (fills, fills, 0), "{line}");
}
