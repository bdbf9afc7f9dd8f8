//! A feed brought newer prices by the engine on a real chain: anvil, where `tools/evm/install` has put it; skipped, and said
//! so, where it has not. The prices are the embedded exchange's own, signed, over HTTP.

#[path = "support/anvil.rs"]
mod anvil;

use alloy::primitives::{Address, B256, Bytes, U256};
use alloy::sol_types::{SolCall, SolEvent, SolValue};
use anvil::{Anvil, MATCHING, OPTION, Told, accept, signed};
use keel::base::ids::{Nonce, SubaccountId};
use keel::base::num::Price;
use keel::chain::abi::{FeedData, SpotFeed, VaultSigner};
use keel::chain::call::{self, Form};
use keel::chain::lane::Limits;
use keel::chain::node::{CallError, Node};
use keel::chain::oracle::Oracle;
use keel::chain::presign::words::{Alarm, Event, RefreshTerms, Request, Terms, Ticket, Why, Word};
use keel::chain::signer::ContractSigner;
use keel::derive::action::Envelope;
use keel::derive::action::trade::option_sub_id;
use keel::derive::action::words::Words;
use keel::derive::dialect::V2_MAINNET;
use keel::engine::ports::Key;
use keel::exchange::server::{Options, Running, spawn};
use keel::exchange::{Network, Settings};
use keel::io::key::LocalKey;
use rust_decimal::Decimal;
use serde_json::json;
use std::time::{Duration, Instant};

const SUBACCOUNT: u64 = 7777;
const E18: u128 = 1_000_000_000_000_000_000;
/// Oldest price the feed answers with, seconds of blocks that come once a second.
const HEARTBEAT_S: u64 = 8;
/// What the engine does of its own accord must have happened by then.
const PATIENCE: Duration = Duration::from_secs(30);

fn key() -> LocalKey {
    LocalKey::from_bytes(&mut [0x51; 32]).expect("a key")
}

/// An exchange that knows a price of the collateral.
fn venue(spot: i64) -> Running {
    let settings = Settings { network: Network::V2Mainnet, ..Settings::default() };
    let listen = "127.0.0.1:0".parse().expect("an address");
    let running = spawn(Options { listen, settings, world: None, authority: None, core: None }).expect("binds");
    tell_spot(&running, spot);
    running
}

fn tell_spot(venue: &Running, spot: i64) {
    venue.with(move |exchange, at, _| exchange.set_spot("WEETH", Decimal::from(spot), at)).expect("it runs");
}

fn url(venue: &Running) -> String {
    format!("http://{}", venue.local_addr)
}

struct World {
    anvil: Anvil,
    node: Node,
    vault: Address,
    feed: Address,
    venue: Running,
}

impl World {
    /// A vault bound to a feed that has been brought one price.
    async fn start() -> Option<World> {
        let anvil = Anvil::start()?;
        let venue = std::thread::spawn(|| venue(3_000)).join().expect("no panic");
        let vault = anvil.set_up(Address::from(key().address()), SUBACCOUNT).await;
        let feed = anvil.bind_to_oracle(vault, &url(&venue), HEARTBEAT_S).await;
        let node = Node::connect(&anvil.url, V2_MAINNET.chain_id).await.expect("the node answers");
        anvil.rpc("evm_setIntervalMining", json!([1])).await;
        let world = World { anvil, node, vault, feed, venue };
        assert_eq!(world.spot().await, Ok(U256::from(3_000 * E18)));
        Some(world)
    }

    /// A signer that brings prices from `venue`, if one is given.
    async fn signer(&self, venue: Option<&str>) -> ContractSigner<LocalKey> {
        let terms = Terms {
            vault: self.vault,
            sign_gas: 400_000,
            revoke_gas: 80_000,
            life_s_min: 310,
            idle_blocks_max: 1_000,
            feed: Some(self.feed),
            feed_spare_s: 3,
            refresh: venue.map(|_| RefreshTerms { age_bps_max: 2_500, pause_s: 2, gas: 600_000 }),
        };
        let limits = Limits {
            bump_after_blocks: 2,
            final_after_blocks: 30,
            tip_wei: 1_000_000_000,
            fee_wei_max: 300_000_000_000,
            balance_wei_min: U256::from(10_u64.pow(15)),
        };
        let oracle = venue.map(|venue| Oracle::of(venue, "WEETH").expect("a client"));
        let mut signer = ContractSigner::new(self.node.clone(), key(), terms, limits).with_oracle(oracle);
        signer.tell(Event::Recovered(None)).await;
        signer.tell(Event::Unsettled(0)).await;
        signer.poll().await.expect("the node answers");
        signer
    }

    /// A call of strike 3500 in a week, at 10.
    async fn request(&self, nonce: u64) -> Request {
        let now_s = self.node.head().await.expect("a head").0.time_s;
        let sub_id = option_sub_id(true, Price::whole(3_500), now_s + 7 * 86_400).expect("in range");
        let mut data = Words::with_capacity(7);
        data.address(OPTION.into()).uint(sub_id).uint(10 * E18).uint(4 * E18).uint(5 * E18);
        data.uint(SUBACCOUNT.into()).flag(false);
        let envelope = Envelope {
            subaccount: SubaccountId(SUBACCOUNT),
            nonce: Nonce(nonce),
            module: V2_MAINNET.modules.trade,
            expiry_sec: now_s + 600,
            owner: self.vault.into(),
            signer: self.vault.into(),
        };
        call::request(Form::WithExtraData, &V2_MAINNET.domain_separator, &envelope, &data.into_bytes(), &[])
    }

    async fn spot(&self) -> Result<U256, CallError> {
        self.node.view(self.feed, Told::getSpotCall {}).await.map(|answer| answer.spot)
    }

    /// When each price the feed took was signed, in their order.
    async fn taken(&self) -> Vec<u64> {
        let head = self.node.head().await.expect("a head").0.number;
        let events = self.node.events(self.feed, &[SpotFeed::SpotPriceUpdated::SIGNATURE_HASH], 0, head).await;
        let at = |data: &Bytes| SpotFeed::SpotPriceUpdated::abi_decode_data(data).expect("its event").2;
        events.expect("an answer").iter().map(|event| at(&event.data)).collect()
    }
}

/// Polls until the signer says something that `wanted` recognises; returns all that was said.
async fn until(signer: &mut ContractSigner<LocalKey>, wanted: impl Fn(&Word) -> bool) -> Vec<Word> {
    let (mut heard, started) = (Vec::new(), Instant::now());
    while started.elapsed() < PATIENCE {
        heard.extend(signer.poll().await.expect("the node answers"));
        if heard.iter().any(&wanted) {
            return heard;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("not said; instead {heard:?}");
}

fn is_stale(word: &Word) -> bool {
    *word == Word::Alarm(Alarm::StalePrice(true))
}

#[tokio::test]
async fn a_stale_feed_is_refreshed_by_the_engine_and_a_signature_follows() {
    let Some(world) = World::start().await else { return };

    // Switched off: the price grows too old, and nothing is signed.
    let mut idle = world.signer(None).await;
    until(&mut idle, is_stale).await;
    let request = world.request(1).await;
    assert_eq!(idle.tell(Event::Sign(request)).await, [Word::Refused(Ticket(1), Why::StalePrice)]);
    while world.spot().await.is_ok() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let why = world.spot().await.expect_err("too old").to_string();
    assert_eq!((why.as_str(), world.taken().await.len()), ("reverted: BLF_DataTooOld", 1));

    // Switched on: the venue's present price is brought, and only then the contract is asked.
    std::thread::scope(|scope| scope.spawn(|| tell_spot(&world.venue, 3_100)).join()).expect("no panic");
    let mut signer = world.signer(Some(&url(&world.venue))).await;
    let early = world.request(2).await;
    let refused = signer.tell(Event::Sign(early)).await;
    assert!(
        matches!(refused[..], [Word::Refused(Ticket(2), Why::StalePrice | Why::Busy | Why::Recovering)]),
        "{refused:?}"
    );
    until(&mut signer, |word| matches!(word, Word::Refreshed { .. })).await;
    assert_eq!(world.spot().await, Ok(U256::from(3_100 * E18)));
    let digest = sign(&world, &mut signer, 3).await;
    let signed = VaultSigner::signedDataCall { hash: digest };
    assert_eq!(world.node.view(world.vault, signed).await, Ok(true));

    // It goes on, while the signature stands, and never brings the same twice.
    until(&mut signer, |word| matches!(word, Word::Refreshed { .. })).await;
    assert_eq!(signer.live().map(|(live, _)| live), Some(digest));
    let taken = world.taken().await;
    assert!(taken.len() >= 3 && taken.is_sorted_by(|before, after| before < after), "{taken:?}");
}

/// Asks for signatures until the price is fresh and nothing else is under way.
async fn sign(world: &World, signer: &mut ContractSigner<LocalKey>, from: u64) -> B256 {
    for nonce in from..from + 50 {
        let request = world.request(nonce).await;
        let digest = request.digest;
        let mut words = signer.tell(Event::Sign(request)).await;
        let decided = |word: &Word| matches!(word, Word::Signed { .. } | Word::Refused(..));
        if !words.iter().any(decided) {
            words = until(signer, decided).await;
        }
        if words.iter().any(|word| matches!(word, Word::Signed { .. })) {
            return digest;
        }
        assert!(words.iter().any(|word| matches!(word, Word::Refused(_, Why::Busy | Why::StalePrice))), "{words:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
        signer.poll().await.expect("the node answers");
    }
    panic!("never signed");
}

#[tokio::test]
async fn a_venue_without_prices_leaves_the_wall_standing_and_is_told() {
    let Some(world) = World::start().await else { return };
    // The discard port of this machine: nothing listens.
    let mut signer = world.signer(Some("http://127.0.0.1:9")).await;
    let heard = until(&mut signer, |word| *word == Word::Alarm(Alarm::NotRefreshed)).await;
    let failed = heard.iter().filter(|word| matches!(word, Word::NotRefreshed(_))).count();
    assert!(failed >= 2 && heard.iter().any(is_stale), "{heard:?}");
    let refused = signer.tell(Event::Sign(world.request(1).await)).await;
    assert_eq!(refused, [Word::Refused(Ticket(1), Why::StalePrice)]);
    assert_eq!((world.taken().await.len(), world.node.counts(Address::from(key().address())).await), (1, Ok((0, 0))));
}

#[tokio::test]
async fn the_feed_takes_only_what_its_oracle_signed_and_only_once() {
    let Some(world) = World::start().await else { return };
    let reverted = |name: &str| Err(format!("reverted: {name}"));
    let bring = async |price: &FeedData| {
        let data = accept(price).abi_encode().into();
        world.node.shadow(MATCHING, world.feed, data, 600_000).await.map_err(|why| why.to_string())
    };
    let mut fresh = signed(&url(&world.venue)).await;
    while fresh.timestamp <= world.taken().await[0]
        || world.node.head().await.expect("a head").0.time_s < fresh.timestamp
    {
        tokio::time::sleep(Duration::from_millis(200)).await;
        fresh = signed(&url(&world.venue)).await;
    }
    assert_eq!(bring(&fresh).await, Ok(()));
    let dearer = FeedData { data: (U256::from(E18), U256::from(E18)).abi_encode().into(), ..fresh.clone() };
    let later = FeedData { deadline: fresh.deadline + U256::from(1), ..fresh.clone() };
    let stranger = FeedData { signers: vec![MATCHING], ..fresh.clone() };
    for forged in [dearer, later, stranger] {
        assert_eq!(bring(&forged).await, reverted("BLF_InvalidSignature"));
    }
    world.anvil.tell(world.feed, accept(&fresh)).await;
    assert_eq!(bring(&fresh).await, reverted("BLF_InvalidTimestamp"), "the same once more");
    world.anvil.rpc("evm_increaseTime", json!([4_000])).await;
    world.anvil.rpc("evm_mine", json!([])).await;
    let late = FeedData { timestamp: fresh.timestamp + 1, ..fresh };
    assert_eq!(bring(&late).await, reverted("BLF_DataExpired"));
}
