//! Fills of the embedded exchange settle on a real chain: anvil, where `tools/evm/install` has put it; skipped, and said so,
//! where it has not. A vault's contract owns the account: what it has signed stands, what it has not is taken back.

#[path = "support/anvil.rs"]
mod anvil;

use alloy::primitives::{Address, I256, U256};
use anvil::{Anvil, MATCHING, Owner, holdings};
use keel::base::ids::{Nonce, Side, SubaccountId};
use keel::base::num::{Amount, Price};
use keel::base::time::Nanos;
use keel::chain::abi::VaultSigner;
use keel::chain::call;
use keel::derive::action::Envelope;
use keel::derive::action::trade::Trade;
use keel::derive::dialect::V2_MAINNET;
use keel::engine::ports::Key;
use keel::exchange::{
    Exchange, HttpTicket, Network, Out, Outbox, Owner as OwnerKind, Settings, SubaccountReport, TimeInForce, TxStatus,
    developer_accounts,
};
use keel::io::key::LocalKey;
use keel::sim::onchain::{OnChain, Site};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const SUBACCOUNT: u64 = 7777;
/// First account of every anvil, which the verifier lists as an executor.
const EXECUTOR: [u8; 32] = alloy::primitives::hex!("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");
const SESSION: [u8; 32] = [0x51; 32];

fn now() -> Nanos {
    Nanos(SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos() as u64)
}

struct World {
    anvil: Anvil,
    vault: Address,
    key: LocalKey,
    exchange: Exchange,
    authority: OnChain,
    house: u64,
    out: Outbox,
    nonce: u64,
}

impl World {
    async fn start() -> Option<World> {
        let anvil = Anvil::start()?;
        let key = LocalKey::from_bytes(&mut SESSION.clone()).expect("a key");
        let vault = anvil.set_up(Address::from(key.address()), SUBACCOUNT).await;
        // Cash to spend, so that it may buy collateral at up to 1.5 % above its price.
        let told = anvil::Holdings { cash: I256::from_raw(U256::from(10).pow(U256::from(24))), ..holdings(10) };
        anvil.tell(vault, Owner::setHoldingsCall { told }).await;
        let executor = anvil.deploy_executor(vault).await;
        let mut account = developer_accounts(1, 1).remove(0);
        account.wallet = vault;
        account.owner = OwnerKind::Contract { atomic: true };
        account.session_key = Address::from(key.address());
        account.subaccount = SUBACCOUNT;
        let settings = Settings { network: Network::V2Mainnet, accounts: vec![account], ..Settings::default() };
        let mut exchange = Exchange::new(settings, now());
        exchange.set_spot("WEETH", Decimal::from(3_000), now());
        let house = exchange.house_account("maker", &[("WEETH", Decimal::from(100))]);
        let site = Site {
            rpc_url: anvil.url.clone(),
            chain_id: V2_MAINNET.chain_id,
            matching: MATCHING,
            atomic_executor: Some(executor),
            prices: None,
            gas_limit: 2_000_000,
        };
        let payer = LocalKey::from_bytes(&mut EXECUTOR.clone()).expect("a key");
        // Not from here: connecting waits on a runtime of its own.
        let connected = std::thread::spawn(move || OnChain::connect(site, payer)).join().expect("no panic");
        let authority = connected.expect("the node answers");
        Some(World { anvil, vault, key, exchange, authority, house, out: Outbox::new(), nonce: now().0 / 1_000 })
    }

    /// An order to buy collateral: what is signed, and what is sent.
    fn order(&mut self, atomic: bool) -> (Envelope, Vec<u8>, Value) {
        self.nonce += 1;
        let asset = alloy::primitives::address!("F30EE744fCfd135A135E6a4e327e01d0f697e6Ec");
        let trade = Trade {
            asset: asset.into(),
            sub_id: 0,
            limit_price: Price::whole(3_010).into(),
            amount: Amount::ONE.into(),
            max_fee: Price::whole(20).into(),
            recipient: SubaccountId(SUBACCOUNT),
            side: Side::Buy,
        };
        let data = trade.data().expect("encodable");
        let envelope = Envelope {
            subaccount: SubaccountId(SUBACCOUNT),
            nonce: Nonce(self.nonce),
            module: V2_MAINNET.modules.trade,
            expiry_sec: now().secs() + 600,
            owner: self.vault.into(),
            signer: self.vault.into(),
        };
        let signature = self.key.sign(&envelope.digest(&V2_MAINNET.domain_separator, &data));
        let params = json!({
            "subaccount_id": SUBACCOUNT, "instrument_name": "WEETH-USDC", "direction": "buy", "limit_price": "3010",
            "amount": "1", "max_fee": "20", "order_type": "limit", "time_in_force": "ioc", "nonce": self.nonce,
            "signer": self.vault.to_string(), "signature_expiry_sec": envelope.expiry_sec, "is_atomic_signing": atomic,
            "signature": alloy::primitives::hex::encode_prefixed(signature),
        });
        (envelope, data, params)
    }

    /// Sends an order over HTTP, to be filled by the house.
    fn fill(&mut self, params: &Value) {
        let at = now();
        let ask = Decimal::from(3_010);
        let rest = self.exchange.house_order(
            self.house,
            "WEETH-USDC",
            false,
            ask,
            Decimal::ONE,
            TimeInForce::Gtc,
            at,
            &mut self.out,
        );
        rest.expect("rests");
        let stamp = at.ms().to_string();
        let proof = self.key.sign(&alloy::primitives::eip191_hash_message(stamp.as_bytes()).0);
        let headers = keel::exchange::AuthHeaders {
            wallet: Some(self.vault.to_string()),
            timestamp: Some(stamp),
            signature: Some(alloy::primitives::hex::encode_prefixed(proof)),
        };
        let body = params.to_string();
        self.out.clear();
        self.exchange.on_http(at, "private/order", &headers, body.as_bytes(), HttpTicket(1), &mut self.out);
        self.exchange.tick(at.plus(200_000_000), &mut self.out);
        let reply = self.out.iter().find_map(|out| match out {
            Out::Http { body, .. } => serde_json::from_str::<Value>(body).ok(),
            _ => None,
        });
        let reply = reply.expect("a reply");
        assert_eq!(reply["result"]["trades"][0]["tx_status"], "requested", "{reply}");
    }

    /// Where the newest fill ends on the chain.
    async fn end(&mut self) -> TxStatus {
        let patience = Instant::now() + Duration::from_secs(20);
        loop {
            self.exchange.settle_with(&mut self.authority, now(), &mut self.out);
            let trades = self.exchange.trades_of(SUBACCOUNT);
            let newest = trades.last().and_then(|trade| trade.tx).expect("a fill on v2");
            if newest.is_final() {
                return newest;
            }
            assert!(Instant::now() < patience, "still {newest:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn books(&self) -> SubaccountReport {
        self.exchange.subaccount_report(SUBACCOUNT).expect("exists")
    }
}

#[tokio::test]
async fn what_the_contract_has_signed_settles_and_what_it_has_not_is_taken_back() {
    let Some(mut world) = World::start().await else { return };
    let before = world.books();

    let (_, _, params) = world.order(false);
    world.fill(&params);
    assert_ne!(world.books().balances, before.balances);
    assert_eq!(world.end().await, TxStatus::Reverted, "nobody has put it to the contract");
    assert_eq!((world.books().balances, world.books().fees_paid), (before.balances, before.fees_paid));

    let (envelope, data, params) = world.order(false);
    let sign =
        VaultSigner::signActionDataCall { action: call::action(&envelope, &data), extraData: Default::default() };
    let own = Address::from(world.key.address());
    assert!(world.anvil.tell_as(own, world.vault, sign).await, "the contract signs");
    world.fill(&params);
    assert_eq!(world.end().await, TxStatus::Settled, "mode B");

    let (_, _, params) = world.order(true);
    world.fill(&params);
    assert_eq!(world.end().await, TxStatus::Settled, "mode C: approved inside the settlement");

    world.anvil.tell(world.vault, Owner::setSignerCall { key: own, allowed: false }).await;
    let held = world.books().balances;
    let (_, _, params) = world.order(true);
    world.fill(&params);
    assert_eq!(world.end().await, TxStatus::Reverted, "the contract knows the key no more");
    assert_eq!(world.books().balances, held);
}
