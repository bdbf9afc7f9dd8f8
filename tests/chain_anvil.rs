//! The contract signer against contracts on a real chain: anvil, where `tools/evm/install` has put it; skipped, and said so,
//! where it has not.

#[path = "support/anvil.rs"]
mod anvil;

use alloy::primitives::{Address, B256, Bytes, FixedBytes, U256};
use alloy::providers::Provider;
use alloy::sol_types::{SolCall, SolValue};
use anvil::{ADMIN, Anvil, MATCHING, OPTION, Owner, holdings};
use keel::base::ids::{Nonce, SubaccountId};
use keel::base::num::Price;
use keel::base::queue::{Receiver, Sender, lane};
use keel::chain::abi::{Matching, VaultSigner};
use keel::chain::call::{self, Form};
use keel::chain::lane::{Alarm as LaneAlarm, Limits, SendFault};
use keel::chain::node::{CallError, Node};
use keel::chain::presign::words::{Alarm, Event, Held, Request, Terms, Ticket, Why, Word};
use keel::chain::service::{Service, Shared};
use keel::chain::signer::{ContractSigner, Pace};
use keel::derive::action::Envelope;
use keel::derive::action::trade::option_sub_id;
use keel::derive::action::words::Words;
use keel::derive::dialect::V2_MAINNET;
use keel::engine::ports::Key;
use keel::io::key::LocalKey;
use keel::msg::{ActionAsk, ActionData, ChainAsk, ChainWord, ContractAlarm, Unsigned};
use keel::topology::ChainEnds;
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};

alloy::sol! {
    struct Fill { uint256 amount; uint256 price; uint256 fee; }
    struct Prices { uint256 spot; uint256 perp; }
}

const SECRET: [u8; 32] = [0x51; 32];
const SUBACCOUNT: u64 = 7777;
const WEEK_S: u64 = 7 * 86_400;
const E18: u128 = 1_000_000_000_000_000_000;
/// Polls, two milliseconds apart, within which anything a test waits for must happen.
const POLLS: usize = 2_000;

fn key() -> LocalKey {
    LocalKey::from_bytes(&mut SECRET.clone()).expect("a key")
}

/// An order for the vault to sign.
struct Order {
    envelope: Envelope,
    data: Vec<u8>,
}

impl Order {
    fn request(&self) -> Request {
        call::request(Form::WithExtraData, &V2_MAINNET.domain_separator, &self.envelope, &self.data, &[])
    }
}

struct World {
    anvil: Anvil,
    node: Node,
    vault: Address,
    signer: ContractSigner<LocalKey>,
    /// Of the last head, Unix seconds.
    now_s: u64,
}

impl World {
    async fn start() -> Option<World> {
        let anvil = Anvil::start()?;
        let own = Address::from(key().address());
        let vault = anvil.set_up(own, SUBACCOUNT).await;
        let node = Node::connect(&anvil.url, V2_MAINNET.chain_id).await.expect("the node answers");
        let signer = World::signer(&node, vault);
        let now_s = node.head().await.expect("a head").0.time_s;
        let mut world = World { anvil, node, vault, signer, now_s };
        world.wake(None).await;
        Some(world)
    }

    fn signer(node: &Node, vault: Address) -> ContractSigner<LocalKey> {
        let terms = Terms {
            vault,
            sign_gas: 400_000,
            revoke_gas: 80_000,
            life_s_min: 310,
            idle_blocks_max: 1_000,
            feed: None,
            feed_spare_s: 6,
            refresh: None,
        };
        let limits = Limits {
            bump_after_blocks: 2,
            final_after_blocks: 30,
            tip_wei: 1_000_000_000,
            fee_wei_max: 300_000_000_000,
            balance_wei_min: U256::from(10_u64.pow(15)),
        };
        ContractSigner::new(node.clone(), key(), terms, limits)
    }

    async fn wake(&mut self, held: Option<Held>) -> Vec<Word> {
        let mut words = self.signer.tell(Event::Recovered(held)).await;
        words.extend(self.signer.tell(Event::Unsettled(0)).await);
        words.extend(self.signer.poll().await.expect("the node answers"));
        words
    }

    /// A call of strike 3500 in a week, at 10.
    fn order(&self, nonce: u64, amount: u128) -> Order {
        let sub_id = option_sub_id(true, Price::whole(3_500), self.now_s + WEEK_S).expect("in range");
        let mut data = Words::with_capacity(7);
        data.address(OPTION.into()).uint(sub_id).uint(10 * E18).uint(amount * E18).uint(5 * E18);
        data.uint(SUBACCOUNT.into()).flag(false);
        let envelope = Envelope {
            subaccount: SubaccountId(SUBACCOUNT),
            nonce: Nonce(nonce),
            module: V2_MAINNET.modules.trade,
            expiry_sec: self.now_s + 600,
            owner: self.vault.into(),
            signer: self.vault.into(),
        };
        Order { envelope, data: data.into_bytes() }
    }

    /// Polls until the signer says something that `wanted` recognises.
    async fn until(&mut self, wanted: impl Fn(&Word) -> bool) -> Word {
        let mut heard = Vec::new();
        for _ in 0..POLLS {
            for word in self.signer.poll().await.expect("the node answers") {
                if wanted(&word) {
                    return word;
                }
                heard.push(word);
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        panic!("not said; instead {heard:?}");
    }

    /// One block, with whatever waits and can pay for it.
    async fn mine(&self) {
        self.anvil.rpc("evm_mine", json!([])).await;
    }

    /// Asks for a signature and waits for it.
    async fn sign(&mut self, order: &Order) {
        let request = order.request();
        let ticket = request.ticket;
        let mut words = self.signer.tell(Event::Sign(request)).await;
        if words.is_empty() {
            words.push(self.until(|_| true).await);
        }
        assert!(matches!(words[..], [Word::Signed { ticket: signed, .. }] if signed == ticket), "{words:?}");
    }

    /// What the vault answers when settlement asks.
    async fn valid(&self, digest: B256) -> Result<bool, CallError> {
        let call = VaultSigner::isValidSignatureCall { hash: digest, signature: Bytes::new() };
        self.node.view(self.vault, call).await.map(|magic| magic == FixedBytes([0x16, 0x26, 0xba, 0x7e]))
    }

    /// What settlement would say to a fill of so many units.
    async fn settles(&self, order: &Order, units: u128) -> Result<(), String> {
        let data = settlement(order, units).abi_encode().into();
        self.node.shadow(ADMIN, MATCHING, data, 1_000_000).await.map_err(|why| why.to_string())
    }
}

fn settlement(order: &Order, units: u128) -> Matching::verifyAndMatchCall {
    let fills = vec![Fill { amount: U256::from(units * E18), price: U256::from(10 * E18), fee: U256::ZERO }];
    let prices = Prices { spot: U256::ZERO, perp: U256::ZERO };
    Matching::verifyAndMatchCall {
        actions: vec![call::action(&order.envelope, &order.data)],
        // The vault answers for itself; what the API wants here is not looked at on chain.
        signatures: vec![Bytes::from(vec![0; 65])],
        data: (fills, prices).abi_encode_params().into(),
    }
}

fn reverted(name: &str) -> Result<(), String> {
    Err(format!("reverted: {name}"))
}

#[tokio::test]
async fn a_signed_order_settles_a_revoked_one_does_not_and_is_signed_again() {
    let Some(mut world) = World::start().await else { return };
    let separator = world.node.view(MATCHING, Matching::domainSeparatorCall {}).await.expect("an answer");
    assert_eq!(separator.0, V2_MAINNET.domain_separator, "the verifier stands where the live one stands");

    let order = world.order(1, 4);
    let digest = order.request().digest;
    let hash = VaultSigner::getActionTypedDataHashCall { action: call::action(&order.envelope, &order.data) };
    assert_eq!(world.node.view(world.vault, hash).await.expect("an answer"), digest, "the contract hashes as we do");
    assert_eq!(world.settles(&order, 1).await, reverted("OV_InvalidSignature"), "before the signature");

    world.sign(&order).await;
    assert_eq!(world.signer.live().map(|(live, _)| live), Some(digest));
    assert_eq!(world.valid(digest).await, Ok(true));
    assert_eq!(world.settles(&order, 4).await, Ok(()));
    world.anvil.tell(MATCHING, settlement(&order, 3)).await;
    assert_eq!(world.settles(&order, 2).await, reverted("TM_FillLimitCrossed"), "3 of 4 are filled");
    assert_eq!(world.settles(&order, 1).await, Ok(()));

    world.signer.tell(Event::Revoke(Ticket(1))).await;
    assert_eq!(world.until(|_| true).await, Word::Revoked(digest));
    assert_eq!(world.valid(digest).await, Ok(false));
    assert_eq!(world.settles(&order, 1).await, reverted("OV_InvalidSignature"));

    let next = world.order(2, 2);
    world.sign(&next).await;
    assert_eq!(world.settles(&next, 2).await, Ok(()));
    assert_eq!(world.settles(&order, 1).await, reverted("OV_InvalidSignature"));
}

#[tokio::test]
async fn a_new_signature_replaces_a_released_one_at_once() {
    let Some(mut world) = World::start().await else { return };
    let (first, second) = (world.order(1, 4), world.order(2, 5));
    world.sign(&first).await;
    let refused = world.signer.tell(Event::Sign(second.request())).await;
    assert_eq!(refused, [Word::Refused(Ticket(2), Why::Busy)], "an order stands on the first");
    world.signer.tell(Event::Release(Ticket(1))).await;
    world.sign(&second).await;
    assert_eq!(world.settles(&first, 1).await, reverted("OV_InvalidSignature"));
    assert_eq!(world.settles(&second, 5).await, Ok(()));
}

#[tokio::test]
async fn an_expired_signature_is_refused_and_said_to_be() {
    let Some(mut world) = World::start().await else { return };
    let order = world.order(1, 4);
    world.sign(&order).await;
    world.anvil.rpc("evm_increaseTime", json!([601])).await;
    world.mine().await;
    assert_eq!(world.settles(&order, 1).await, reverted("OV_ActionExpired"));
    assert_eq!(world.until(|_| true).await, Word::Expired(Ticket(1)));
    assert_eq!(world.signer.live(), None);
    world.now_s += 601;
    let next = world.order(2, 1);
    world.sign(&next).await;
}

#[tokio::test]
async fn an_owner_stops_signatures_and_the_exchange_blocks_the_vault() {
    let Some(mut world) = World::start().await else { return };
    let order = world.order(1, 4);
    world.sign(&order).await;
    world.anvil.tell(world.vault, Owner::setSignaturesDisabledCall { disabled: true }).await;
    assert_eq!(world.until(|word| !matches!(word, Word::Alarm(_))).await, Word::Suspended(Ticket(1)));
    assert_eq!(world.signer.live(), None);
    assert_eq!(world.settles(&order, 1).await, reverted("OV_InvalidSignature"));
    world.anvil.tell(world.vault, Owner::setSignaturesDisabledCall { disabled: false }).await;
    world.until(|word| matches!(word, Word::Signed { .. })).await;
    assert_eq!(world.settles(&order, 1).await, Ok(()));

    world.anvil.tell(world.vault, Owner::setBlockedCall { blocked: true }).await;
    world.until(|word| *word == Word::Alarm(Alarm::Blocked(true))).await;
    assert_eq!(
        world.valid(order.request().digest).await.map_err(|why| why.to_string()),
        Err("reverted: BTSA_Blocked".into())
    );
    world.signer.tell(Event::Release(Ticket(1))).await;
    let refused = world.signer.tell(Event::Sign(world.order(2, 1).request())).await;
    assert_eq!(refused, [Word::Refused(Ticket(2), Why::Blocked)]);
}

#[tokio::test]
async fn the_contract_refuses_by_name_and_nothing_is_sent() {
    let Some(mut world) = World::start().await else { return };
    let own = Address::from(key().address());
    let far = {
        let mut order = world.order(2, 1);
        order.envelope.expiry_sec += 400;
        order
    };
    let elsewhere = {
        let mut order = world.order(3, 1);
        order.envelope.module = V2_MAINNET.modules.rfq;
        order
    };
    let table = [
        (world.order(1, 11), "CCT_SellingTooManyCalls"),
        (far, "CCT_InvalidActionExpiry"),
        (elsewhere, "CCT_InvalidModule"),
    ];
    for (order, name) in table {
        let words = world.signer.tell(Event::Sign(order.request())).await;
        let [Word::Refused(_, Why::Reverted(refusal))] = &words[..] else { panic!("{words:?}") };
        assert_eq!(refusal.to_string(), name);
    }
    assert_eq!(world.node.counts(own).await, Ok((0, 0)));
    world.anvil.tell(world.vault, Owner::setSignerCall { key: own, allowed: false }).await;
    assert_eq!(world.until(|_| true).await, Word::Alarm(Alarm::Listed(false)));
    let words = world.signer.tell(Event::Sign(world.order(4, 1).request())).await;
    assert_eq!(words, [Word::Refused(Ticket(4), Why::NotListed)]);
}

#[tokio::test]
async fn a_transaction_that_reverts_in_its_block_is_explained_by_name() {
    let Some(mut world) = World::start().await else { return };
    world.anvil.rpc("evm_setAutomine", json!([false])).await;
    let order = world.order(1, 4);
    assert_eq!(world.signer.tell(Event::Sign(order.request())).await, [], "the shadow call passed");
    world.anvil.offer(world.vault, Owner::setHoldingsCall { told: holdings(3) }).await;
    world.mine().await;
    let word = world.until(|_| true).await;
    let Word::Refused(Ticket(1), Why::Reverted(refusal)) = word else { panic!("{word:?}") };
    assert_eq!(refusal.to_string(), "CCT_SellingTooManyCalls");
    assert_eq!(world.node.counts(Address::from(key().address())).await, Ok((1, 1)), "it used up its nonce");
}

#[tokio::test]
async fn a_wish_withdrawn_in_a_slow_block_is_emptied() {
    let Some(mut world) = World::start().await else { return };
    world.anvil.rpc("evm_setAutomine", json!([false])).await;
    let order = world.order(1, 4);
    assert_eq!(world.signer.tell(Event::Sign(order.request())).await, []);
    assert_eq!(world.signer.poll().await, Ok(vec![]), "no block yet");
    assert_eq!(world.signer.live(), None);
    let words = world.signer.tell(Event::Revoke(Ticket(1))).await;
    assert_eq!(words, [Word::Refused(Ticket(1), Why::Withdrawn)]);
    world.mine().await;
    world.signer.poll().await.expect("the node answers");
    assert_eq!(world.node.counts(Address::from(key().address())).await, Ok((1, 1)));
    assert_eq!(world.valid(order.request().digest).await, Ok(false), "the empty transfer took its nonce");
    world.anvil.rpc("evm_setAutomine", json!([true])).await;
    let next = world.order(2, 4);
    world.sign(&next).await;
}

#[tokio::test]
async fn blocks_too_dear_go_by_until_the_fee_is_raised() {
    let Some(mut world) = World::start().await else { return };
    world.anvil.rpc("evm_setAutomine", json!([false])).await;
    let order = world.order(1, 4);
    assert_eq!(world.signer.tell(Event::Sign(order.request())).await, []);
    let mut blocks = 0;
    loop {
        // Twenty times what was offered.
        world.anvil.rpc("anvil_setNextBlockBaseFeePerGas", json!([U256::from(60_000_000_000_u64)])).await;
        world.mine().await;
        blocks += 1;
        let words = world.signer.poll().await.expect("the node answers");
        if let [Word::Signed { ticket: Ticket(1), .. }] = words[..] {
            break;
        }
        assert_eq!(words, []);
        assert!(blocks < 10, "the fee is not raised");
    }
    assert!(blocks > 1, "it was included at the first price");
    assert_eq!(world.settles(&order, 4).await, Ok(()));
    assert_eq!(world.node.counts(Address::from(key().address())).await, Ok((1, 1)), "under one nonce");
}

#[tokio::test]
async fn a_dropped_transaction_is_sent_again() {
    let Some(mut world) = World::start().await else { return };
    world.anvil.rpc("evm_setAutomine", json!([false])).await;
    let order = world.order(1, 4);
    assert_eq!(world.signer.tell(Event::Sign(order.request())).await, []);
    world.anvil.rpc("anvil_dropAllTransactions", json!([])).await;
    world.mine().await;
    assert_eq!(world.node.counts(Address::from(key().address())).await, Ok((0, 0)), "it is gone");
    assert_eq!(world.signer.poll().await, Ok(vec![]));
    assert_eq!(world.node.counts(Address::from(key().address())).await, Ok((0, 1)), "it is back");
    world.mine().await;
    world.until(|word| matches!(word, Word::Signed { ticket: Ticket(1), .. })).await;
    assert_eq!(world.settles(&order, 4).await, Ok(()));
}

#[tokio::test]
async fn a_reorg_takes_the_signature_and_it_is_sent_again() {
    let Some(mut world) = World::start().await else { return };
    let order = world.order(1, 4);
    world.sign(&order).await;
    world.anvil.rpc("evm_setAutomine", json!([false])).await;
    world.anvil.rpc("anvil_reorg", json!([1, []])).await;
    assert_eq!(world.valid(order.request().digest).await, Ok(false), "another history");
    assert_eq!(world.until(|_| true).await, Word::Suspended(Ticket(1)));
    assert_eq!(world.signer.live(), None);
    world.mine().await;
    world.until(|word| matches!(word, Word::Signed { ticket: Ticket(1), .. })).await;
    assert_eq!(world.settles(&order, 4).await, Ok(()));
}

#[tokio::test]
async fn a_gap_before_a_waiting_revocation_is_filled() {
    let Some(mut world) = World::start().await else { return };
    let order = world.order(1, 4);
    world.sign(&order).await;
    world.anvil.rpc("evm_setAutomine", json!([false])).await;
    assert_eq!(world.signer.tell(Event::Revoke(Ticket(1))).await, []);
    world.anvil.rpc("anvil_reorg", json!([1, []])).await;
    world.anvil.rpc("anvil_dropAllTransactions", json!([])).await;
    let own = Address::from(key().address());
    assert_eq!(world.node.counts(own).await, Ok((0, 0)), "neither is there");
    for _ in 0..4 {
        world.mine().await;
        for word in world.signer.poll().await.expect("the node answers") {
            assert_eq!(word, Word::Revoked(order.request().digest));
        }
    }
    assert_eq!(world.node.counts(own).await, Ok((2, 2)), "both were sent again, in their order");
    assert_eq!(world.valid(order.request().digest).await, Ok(false));
}

#[tokio::test]
async fn a_live_signature_is_adopted_or_revoked_after_a_restart() {
    let Some(mut world) = World::start().await else { return };
    let order = world.order(1, 4);
    world.sign(&order).await;
    let request = order.request();
    let held = Held { ticket: request.ticket, digest: request.digest, expiry_s: request.expiry_s };

    world.signer = World::signer(&world.node, world.vault);
    assert_eq!(world.wake(Some(held)).await, [Word::Adopted(Ticket(1))]);
    assert_eq!(world.settles(&order, 4).await, Ok(()));

    world.signer = World::signer(&world.node, world.vault);
    assert_eq!(world.wake(None).await, []);
    assert_eq!(world.until(|_| true).await, Word::Revoked(request.digest));
    assert_eq!(world.settles(&order, 4).await, reverted("OV_InvalidSignature"));
}

#[tokio::test]
async fn a_transaction_left_waiting_by_the_process_before_is_awaited_then_revoked() {
    let Some(mut world) = World::start().await else { return };
    world.anvil.rpc("evm_setAutomine", json!([false])).await;
    let order = world.order(1, 4);
    assert_eq!(world.signer.tell(Event::Sign(order.request())).await, []);

    world.signer = World::signer(&world.node, world.vault);
    let words = world.wake(None).await;
    assert_eq!(words, [Word::Alarm(Alarm::Lane(LaneAlarm::Leftover { count: 1 }))]);
    let refused = world.signer.tell(Event::Sign(world.order(2, 1).request())).await;
    assert_eq!(refused, [Word::Refused(Ticket(2), Why::Recovering)]);
    world.mine().await;
    assert_eq!(world.valid(order.request().digest).await, Ok(true), "it took effect all the same");
    world.anvil.rpc("evm_setAutomine", json!([true])).await;
    // The head that shows it used up, and the next.
    world.signer.poll().await.expect("the node answers");
    world.mine().await;
    assert_eq!(world.until(|_| true).await, Word::Revoked(order.request().digest));
    assert_eq!(world.valid(order.request().digest).await, Ok(false));
}

#[tokio::test]
async fn an_empty_purse_is_an_alarm_and_signs_once_it_is_filled() {
    let Some(mut world) = World::start().await else { return };
    let own = Address::from(key().address());
    world.anvil.rpc("anvil_setBalance", json!([own, "0x1"])).await;
    let order = world.order(1, 4);
    let words = world.signer.tell(Event::Sign(order.request())).await;
    let broke = Word::Alarm(Alarm::Lane(LaneAlarm::NotTaken { nonce: 0, fault: SendFault::Funds }));
    assert_eq!(words, [broke]);
    world.anvil.rpc("anvil_setBalance", json!([own, U256::from(10_u64.pow(18))])).await;
    world.mine().await;
    world.until(|word| matches!(word, Word::Signed { ticket: Ticket(1), .. })).await;
    assert_eq!(world.settles(&order, 4).await, Ok(()));

    world.signer = World::signer(&world.node, world.vault);
    world.anvil.rpc("anvil_setBalance", json!([own, "0x1"])).await;
    assert!(world.wake(None).await.contains(&Word::Alarm(Alarm::Lane(LaneAlarm::BalanceLow(U256::from(1))))));
}

/// The engine's end of a service.
struct Engine {
    asks: Sender<ChainAsk>,
    words: Receiver<ChainWord>,
}

impl Engine {
    fn ask(&mut self, ask: ChainAsk) {
        assert!(self.asks.send(ask).is_ok(), "it listens");
    }

    /// The next word that `wanted` recognises.
    async fn hears(&mut self, wanted: impl Fn(&ChainWord) -> bool) -> ChainWord {
        let mut heard = Vec::new();
        for _ in 0..5 * POLLS {
            match self.words.receive() {
                Some(word) if wanted(&word) => return word,
                Some(word) => heard.push(word),
                None => tokio::time::sleep(Duration::from_millis(2)).await,
            }
        }
        panic!("not said; instead {heard:?}");
    }
}

#[tokio::test]
async fn an_engine_is_served_over_lanes_while_blocks_come_by_the_clock() {
    let Some(world) = World::start().await else { return };
    world.anvil.rpc("evm_setIntervalMining", json!([1])).await;
    let order = world.order(1, 4);
    let (nonce, digest) = (Nonce(1), order.request().digest);
    let World { anvil, node, vault, .. } = world;
    let ((asks, heard), (words, said)) = (lane(8), lane(8));
    let (of_node, tally) = (node.clone(), Shared::default());
    let service = Service {
        make: move || Ok(World::signer(&of_node, vault)),
        dialect: &V2_MAINNET,
        contract: vault,
        pace: Pace { look: Duration::from_millis(100), silent_max: Duration::from_millis(300) },
        tally: tally.clone(),
        close: Arc::default(),
    };
    let served = tokio::spawn(service.run(ChainEnds { asks: heard, words }));
    let mut engine = Engine { asks, words: said };
    assert_eq!(engine.hears(|_| true).await, ChainWord::Hello);
    let ask = ActionAsk {
        nonce,
        subaccount: order.envelope.subaccount,
        module: order.envelope.module,
        expires_s: order.envelope.expiry_sec,
        digest: digest.0,
        data: ActionData::of(&order.data).expect("an order's"),
        legs: None,
    };
    // What is on chain is not settled yet: a wish before that is refused, not kept.
    engine.ask(ChainAsk::Sign(ask));
    let early = engine.hears(|word| matches!(word, ChainWord::Refused { .. })).await;
    assert_eq!(early, ChainWord::Refused { nonce, why: Unsigned::Recovering });
    engine.ask(ChainAsk::Recovered(None));
    engine.ask(ChainAsk::Unsettled(0));
    engine.hears(|word| *word == ChainWord::Ready(true)).await;
    let asked = Instant::now();
    engine.ask(ChainAsk::Sign(ask));
    engine.hears(|word| matches!(word, ChainWord::Signed { nonce: Nonce(1), .. })).await;
    println!("signed after {} ms with a block a second", asked.elapsed().as_millis());
    let valid = VaultSigner::isValidSignatureCall { hash: digest, signature: Bytes::new() };
    let magic = node.view(vault, valid).await;
    assert_eq!(magic, Ok(FixedBytes([0x16, 0x26, 0xba, 0x7e])), "by the contract's own word");
    engine.ask(ChainAsk::Revoke(nonce));
    engine.hears(|word| *word == ChainWord::Ready(true)).await;
    {
        let counted = tally.lock().expect("whole");
        assert_eq!((counted.asked, counted.made, counted.revoked, counted.restarts), (2, 1, 1, 0));
    }
    drop(anvil);
    engine.hears(|word| *word == ChainWord::Alarm(ContractAlarm::NodeSilent)).await;
    served.abort();
}

#[tokio::test]
async fn gas_of_signing_and_revoking_stays_inside_its_limits() {
    let Some(mut world) = World::start().await else { return };
    let order = world.order(1, 4);
    world.sign(&order).await;
    let first = gas_of_last(&world).await;
    world.signer.tell(Event::Release(Ticket(1))).await;
    let second = world.order(2, 4);
    world.sign(&second).await;
    let again = gas_of_last(&world).await;
    world.signer.tell(Event::Revoke(Ticket(2))).await;
    world.until(|word| matches!(word, Word::Revoked(_))).await;
    let revoking = gas_of_last(&world).await;
    println!("gas: first signature {first}, next {again}, revocation {revoking}");
    assert!(first < 200_000 && again < 200_000 && revoking < 60_000, "{first} {again} {revoking}");
}

async fn gas_of_last(world: &World) -> u64 {
    let block = world.anvil.provider.get_block_by_number(alloy::eips::BlockNumberOrTag::Latest);
    block.await.expect("an answer").expect("a block").header.gas_used
}

#[tokio::test]
async fn a_node_of_another_chain_is_refused() {
    let Some(anvil) = Anvil::start() else { return };
    let why = Node::connect(&anvil.url, 901).await.err().map(|why| why.to_string()).unwrap_or_default();
    assert!(why.contains("serves chain 957, configured is 901"), "{why}");
}
