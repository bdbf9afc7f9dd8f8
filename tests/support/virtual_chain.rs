//! A chain in virtual time: the committed contracts in an Ethereum machine of this process, blocks by the venue's clock,
//! and between both and the engine the life of the vault's one signature as a live run has it.

use super::evm::{Evm, MATCHING, OWNER};
use alloy::primitives::{Address, B256, Bytes, I256, U256, keccak256};
use alloy::sol;
use alloy::sol_types::{SolCall, SolValue};
use keel::base::time::{Nanos, SEC};
use keel::chain::abi::{Action, VaultSigner};
use keel::chain::lane::{Call, Head, Inclusion, Limits, Seen, Step};
use keel::chain::presign::Presign;
use keel::chain::presign::words::{Action as Due, Event, Facts, Shadow, Terms, Ticket, Why, Word};
use keel::chain::refusal::Refusal;
use keel::chain::service::{recovered, request, told};
use keel::derive::dialect::V2_MAINNET;
use keel::exchange::{SettlementAuthority, SettlementRequest, SettlementVerdict, TxStatus};
use keel::msg::{ChainAsk, ChainWord};
use keel::sim::onchain::{Site, calldata};
use keel::topology::ChainEnds;
use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::{Arc, Mutex};

sol! {
    struct Base { address subAccounts; address auction; address wrappedDepositAsset; address cash; address depositAsset; address manager; address matching; }
    struct Places { address feed; address deposit; address withdrawal; address module; address derivative; }
    #[derive(Default)]
    struct SpreadParams { uint256 maxMarkValueToStrikeDiffRatio; uint256 minMarkValueToStrikeDiffRatio; uint256 strikeDiff; uint256 maxTotalCostTolerance; uint256 maxLossOrGainPercentOfTVL; uint256 negMaxCashTolerance; uint256 minSignatureExpiry; uint256 maxSignatureExpiry; uint256 optionMinTimeToExpiry; uint256 optionMaxTimeToExpiry; int256 maxNegCash; uint256 rfqFeeFactor; }
    #[derive(Default)]
    struct BasisParams { uint256 maxPerpFee; int256 maxBaseLossPerBase; int256 maxBaseLossPerPerp; int256 deltaFloor; int256 deltaCeil; uint256 leverageFloor; uint256 leverageCeil; uint256 emaDecayFactor; uint256 markLossEmaTarget; uint256 minSignatureExpiry; uint256 maxSignatureExpiry; }
    struct Prices { uint256 spot; uint256 perp; }
    struct SwapParams { uint256 feeFactor; int256 spotTransactionLeniency; uint256 worstSpotSellPrice; uint256 worstSpotBuyPrice; }
    struct SignedAction { uint256 subaccountId; uint256 nonce; address module; bytes data; uint256 expiry; address owner; address signer; }

    interface Set {
        function initialize(address administrator, address orders) external;
        function setTradeExecutor(address executor, bool allowed) external;
        function setRfqModule(address quotes) external;
        function setBooks(address kept) external;
        function setSubAccountOwner(uint256 subaccount, address owner) external;
        function setHeartbeat(uint64 told) external;
        function tell(Prices told) external;
        function open(uint256 subaccount, int256 base, int256 perp, int256 cash) external;
        function optionsOf(uint256 subaccount) external view returns (uint256 bought, uint256 sold);
        function setKinds(SpreadParams ofSpread, BasisParams ofBasis, Places named) external;
        function setSwaps(SwapParams told) external;
        function setUnitMark(uint256 told) external;
        function setSigner(address key, bool allowed) external;
        function verifyAndMatch(SignedAction[] actions, bytes[] signatures, bytes data) external;
    }
}

/// Seconds between two blocks.
pub const BLOCK_S: u64 = 2;
/// The key that pays for signatures.
const OWN: Address = Address::repeat_byte(0xee);
/// Collateral.
pub const WRAPPED: Address = Address::repeat_byte(0xaa);
/// Options.
pub const OPTIONS: Address = alloy::primitives::address!("d0711b9eBE84b778483709CDe62BacFDBAE13623");
/// Module of quotes.
pub const RFQ: Address = Address::new(V2_MAINNET.modules.rfq);
const TRADE: Address = Address::new(V2_MAINNET.modules.trade);

fn wad(units: u64) -> U256 {
    U256::from(units) * U256::from(10).pow(U256::from(18))
}

fn share(bps: u64) -> U256 {
    wad(bps) / U256::from(10_000)
}

/// The machine with a vault that sells put spreads on it.
#[derive(Clone)]
pub struct Contracts {
    evm: Rc<RefCell<Evm>>,
    /// The vault.
    pub vault: Address,
    books: Address,
}

impl Contracts {
    /// With so many units of collateral.
    pub fn deploy(subaccount: u64, base: u64, now_s: u64) -> Contracts {
        let mut evm = Evm::new(now_s);
        let number = U256::from(subaccount);
        evm.tell(MATCHING, &Set::initializeCall { administrator: OWNER, orders: TRADE });
        evm.tell(MATCHING, &Set::setTradeExecutorCall { executor: OWNER, allowed: true });
        evm.tell(MATCHING, &Set::setRfqModuleCall { quotes: RFQ });
        let books = evm.deploy("Books", &(MATCHING, WRAPPED, Address::ZERO).abi_encode_params());
        evm.tell(MATCHING, &Set::setBooksCall { kept: books });
        let named = [1, 2, 3, 4].map(Address::repeat_byte);
        let addresses = Base {
            subAccounts: named[0],
            auction: named[1],
            wrappedDepositAsset: WRAPPED,
            cash: named[2],
            depositAsset: named[3],
            manager: named[0],
            matching: MATCHING,
        };
        let vault = evm.deploy("PackageSigner", &(number, addresses, books, TRADE, false, false).abi_encode_params());
        evm.tell(MATCHING, &Set::setSubAccountOwnerCall { subaccount: number, owner: vault });
        evm.tell(books, &Set::setHeartbeatCall { told: 86_400 });
        evm.tell(books, &Set::tellCall { told: Prices { spot: wad(60_000), perp: U256::ZERO } });
        let (base, none) = (I256::from_raw(wad(base)), I256::ZERO);
        evm.tell(books, &Set::openCall { subaccount: number, base, perp: none, cash: none });
        let named = Places { feed: books, deposit: WRAPPED, withdrawal: books, module: RFQ, derivative: OPTIONS };
        evm.tell(vault, &Set::setKindsCall { ofSpread: spreads(), ofBasis: BasisParams::default(), named });
        let swaps = SwapParams {
            feeFactor: share(100),
            spotTransactionLeniency: I256::from_raw(share(10_500)),
            worstSpotSellPrice: share(9_800),
            worstSpotBuyPrice: share(10_200),
        };
        evm.tell(vault, &Set::setSwapsCall { told: swaps });
        evm.tell(vault, &Set::setUnitMarkCall { told: wad(40) });
        evm.tell(vault, &Set::setSignerCall { key: OWN, allowed: true });
        Contracts { evm: Rc::new(RefCell::new(evm)), vault, books }
    }

    fn with<T>(&self, work: impl FnOnce(&mut Evm) -> T) -> T {
        work(&mut self.evm.borrow_mut())
    }

    /// What the contract takes a spread to be worth from now on, dollars.
    pub fn set_unit_mark(&self, dollars: u64) {
        self.with(|evm| evm.tell(self.vault, &Set::setUnitMarkCall { told: wad(dollars) }));
    }

    /// Options bought and sold by the chain's books, whole units.
    pub fn options_of(&self, subaccount: u64) -> [U256; 2] {
        let call = Set::optionsOfCall { subaccount: U256::from(subaccount) };
        let found = self.with(|evm| evm.tell(self.books, &call));
        [found.bought / wad(1), found.sold / wad(1)]
    }

    /// What the vault would say to this action with these legs beside it.
    pub fn would_sign(&self, action: Action, legs: &[u8]) -> Result<(), Refusal> {
        let call = VaultSigner::signActionDataCall { action, extraData: Bytes::copy_from_slice(legs) };
        self.with(|evm| evm.would(OWN, self.vault, &call).map(drop))
    }

    /// What its subaccount holds from now on: collateral and cash, whole units.
    pub fn set_held(&self, subaccount: u64, base: u64, cash: i64) {
        let cash = I256::try_from(cash).expect("small") * I256::from_raw(wad(1));
        let (base, perp) = (I256::from_raw(wad(base)), I256::ZERO);
        let call = Set::openCall { subaccount: U256::from(subaccount), base, perp, cash };
        self.with(|evm| evm.tell(self.books, &call));
    }

    /// The hash it answers for, if any.
    pub fn live(&self) -> Option<B256> {
        let facts = self.facts(0);
        facts.live.then_some(facts.last_seen)
    }

    fn facts(&self, block: u64) -> Facts {
        self.with(|evm| {
            let last_seen = evm.tell(self.vault, &VaultSigner::lastSeenHashCall {});
            Facts {
                last_seen,
                live: evm.tell(self.vault, &VaultSigner::signedDataCall { hash: last_seen }),
                listed: evm.tell(self.vault, &VaultSigner::isSignerCall { key: OWN }),
                disabled: evm.tell(self.vault, &VaultSigner::signaturesDisabledCall {}),
                blocked: evm.tell(self.vault, &VaultSigner::isBlockedCall {}),
                feed: None,
                block,
            }
        })
    }

    fn settle(&self, request: &SettlementRequest) -> TxStatus {
        if request.actions.is_empty() {
            return TxStatus::Settled;
        }
        let site = Site {
            rpc_url: String::new(),
            chain_id: V2_MAINNET.chain_id,
            matching: MATCHING,
            atomic_executor: None,
            prices: None,
            gas_limit: 0,
        };
        let (to, data) = calldata(&site, request).expect("it can be said");
        let call = Set::verifyAndMatchCall::abi_decode(&data).expect("as declared");
        let done = self.with(|evm| evm.send(OWNER, to, &call));
        if done.is_ok() { TxStatus::Settled } else { TxStatus::Reverted }
    }

    /// A transaction of ours, or what it would come to.
    fn call(&self, data: &[u8], commits: bool) -> Result<(), Refusal> {
        macro_rules! put {
            ($call:expr) => {
                self.with(|evm| match commits {
                    true => evm.send(OWN, self.vault, &$call).map(drop),
                    false => evm.would(OWN, self.vault, &$call).map(drop),
                })
            };
        }
        match VaultSigner::signActionDataCall::abi_decode(data) {
            Ok(call) => put!(call),
            Err(_) => put!(VaultSigner::revokeSignatureCall::abi_decode(data).expect("signs or revokes")),
        }
    }
}

fn spreads() -> SpreadParams {
    SpreadParams {
        maxMarkValueToStrikeDiffRatio: share(2_000),
        minMarkValueToStrikeDiffRatio: share(50),
        strikeDiff: wad(2_000),
        maxTotalCostTolerance: share(3_000),
        maxLossOrGainPercentOfTVL: share(1_000),
        negMaxCashTolerance: share(200),
        minSignatureExpiry: U256::from(300),
        maxSignatureExpiry: U256::from(599),
        optionMinTimeToExpiry: U256::from(43_200),
        optionMaxTimeToExpiry: U256::from(691_200),
        maxNegCash: -I256::from_raw(wad(100_000)),
        rfqFeeFactor: wad(1),
    }
}

/// What the chain's side did and was told.
#[derive(Default)]
pub struct Record {
    /// Names of what was signed.
    pub signed: Vec<u64>,
    /// Why others were not.
    pub refused: Vec<Why>,
    /// Every word for a person.
    pub alarms: usize,
    /// Transactions that signed, and that revoked.
    pub transactions: [usize; 2],
}

/// The chain's side of the contract stage.
pub struct Chain {
    contracts: Contracts,
    presign: Presign,
    block: u64,
    due: Nanos,
    waiting: Vec<(u64, B256, Option<Call>)>,
    mined: u64,
    receipts: HashMap<B256, Inclusion>,
    ready: bool,
    said: VecDeque<ChainWord>,
    /// Who has fills settled here.
    pub settles: Settles,
    /// Transactions still to be lost on their way.
    pub drops: u32,
    /// No block comes before this moment.
    pub stalled_until: Nanos,
    /// What happened.
    pub record: Record,
}

impl Chain {
    /// From this moment on.
    pub fn new(contracts: Contracts, at: Nanos) -> Chain {
        Chain {
            presign: Chain::presign(contracts.vault),
            contracts,
            block: 100,
            due: at,
            waiting: Vec::new(),
            mined: 0,
            receipts: HashMap::new(),
            ready: false,
            said: VecDeque::from([ChainWord::Hello]),
            settles: Settles::default(),
            drops: 0,
            stalled_until: Nanos::ZERO,
            record: Record::default(),
        }
    }

    fn presign(vault: Address) -> Presign {
        let terms = Terms {
            vault,
            sign_gas: 600_000,
            revoke_gas: 80_000,
            life_s_min: 310,
            idle_blocks_max: 15,
            feed: None,
            feed_spare_s: 6,
            refresh: None,
        };
        let limits = Limits {
            bump_after_blocks: 2,
            final_after_blocks: 10,
            tip_wei: 1,
            fee_wei_max: 1_000,
            balance_wei_min: U256::ZERO,
        };
        Presign::new(OWN, terms, limits)
    }

    /// Our side has died with the engine: it knows nothing. The chain goes on.
    pub fn restart(&mut self) {
        self.presign = Chain::presign(self.contracts.vault);
        self.ready = false;
        self.said = VecDeque::from([ChainWord::Hello]);
    }

    /// Hears the stage, makes a block if one is due, answers. `unsettled` fills are on their way.
    pub fn turn(&mut self, at: Nanos, ends: &mut ChainEnds, unsettled: usize) {
        while let Some(ask) = ends.asks.receive() {
            let event = match ask {
                ChainAsk::Sign(ask) => Event::Sign(request(&V2_MAINNET, self.contracts.vault, &ask)),
                ChainAsk::Release(nonce) => Event::Release(Ticket(nonce.0)),
                ChainAsk::Revoke(nonce) => Event::Revoke(Ticket(nonce.0)),
                ChainAsk::Unsettled(count) => Event::Unsettled(count),
                ChainAsk::Recovered(held) => Event::Recovered(held.map(recovered)),
            };
            self.hear(event);
        }
        if at >= self.due.max(self.stalled_until) {
            self.due = at.plus(BLOCK_S * SEC);
            self.mine(at, unsettled);
        }
        let ready = self.presign.is_ready();
        if ready != self.ready {
            self.ready = ready;
            self.said.push_back(ChainWord::Ready(ready));
        }
        self.said.drain(..).for_each(|word| assert!(ends.words.send(word).is_ok(), "the stage reads"));
    }

    fn mine(&mut self, at: Nanos, unsettled: usize) {
        self.block += 1;
        self.contracts.with(|evm| evm.at(at.secs()));
        let due: Vec<_> = self.settles.with(|queue| queue.waiting.drain(..).collect());
        for request in due {
            let status = self.contracts.settle(&request);
            self.settles.with(|queue| queue.done.push_back(SettlementVerdict { id: request.id, status, hash: None }));
        }
        self.waiting.sort_by_key(|(nonce, ..)| *nonce);
        for (nonce, hash, call) in std::mem::take(&mut self.waiting) {
            if nonce != self.mined {
                continue;
            }
            self.mined += 1;
            let succeeded = call.is_none_or(|call| {
                // Nothing is signed or revoked while a fill depends on the signature before.
                assert_eq!(unsettled, 0, "block {}", self.block);
                let revokes = VaultSigner::revokeSignatureCall::abi_decode(&call.data).is_ok();
                self.record.transactions[usize::from(revokes)] += 1;
                self.contracts.call(&call.data, true).is_ok()
            });
            let found = Inclusion { block: self.block, block_hash: B256::repeat_byte(1), succeeded };
            self.receipts.insert(hash, found);
        }
        self.hear(Event::Node(Seen::Head(Head { number: self.block, time_s: at.secs(), base_fee_wei: 1 })));
    }

    fn hear(&mut self, event: Event) {
        let mut due = VecDeque::from([event]);
        while let Some(event) = due.pop_front() {
            let mut actions = Vec::new();
            self.presign.on(event, &mut actions);
            due.extend(actions.into_iter().filter_map(|action| self.act(action)));
        }
    }

    fn act(&mut self, action: Due) -> Option<Event> {
        Some(match action {
            Due::Say(word) => {
                self.note(&word);
                self.said.extend(told(&word));
                return None;
            }
            Due::AskFacts => Event::Facts(self.contracts.facts(self.block)),
            // Its terms bring no prices to the feed.
            Due::AskPrice => Event::Price(Err("no venue here".to_owned())),
            Due::AskShadow(ticket, data) => {
                let would = self.contracts.call(&data, false);
                Event::Shadow(ticket, would.map_or_else(Shadow::Reverted, |()| Shadow::Passed))
            }
            Due::Lane(step) => Event::Node(self.step(step)?),
        })
    }

    fn note(&mut self, word: &Word) {
        match word {
            Word::Signed { ticket, .. } => self.record.signed.push(ticket.0),
            Word::Refused(_, why) => self.record.refused.push(why.clone()),
            Word::Alarm(_) | Word::Halted(_) => self.record.alarms += 1,
            _ => {}
        }
    }

    fn step(&mut self, step: Step) -> Option<Seen> {
        Some(match step {
            Step::Send { nonce, call, fees } => {
                let data = call.as_ref().map_or(Bytes::new(), |call| call.data.clone());
                let hash = keccak256([&nonce.to_be_bytes()[..], &fees.max_wei.to_be_bytes(), &data].concat());
                if self.drops > 0 {
                    self.drops -= 1;
                } else {
                    self.waiting.retain(|(other, ..)| *other != nonce);
                    self.waiting.push((nonce, hash, call));
                }
                Seen::Sent { nonce, hash, fault: None }
            }
            Step::AskReceipt { nonce, hashes } => {
                let found = hashes.iter().find_map(|hash| Some((*hash, *self.receipts.get(hash)?)));
                Seen::Receipt { nonce, found }
            }
            Step::AskCounts => Seen::Counts { mined: self.mined, pending: self.mined + self.waiting.len() as u64 },
            Step::AskBalance => Seen::Balance(wad(1)),
            Step::Fate(..) | Step::Alarm(_) => return None,
        })
    }
}

/// What is to settle, and what has.
#[derive(Default)]
struct Queue {
    waiting: VecDeque<SettlementRequest>,
    done: VecDeque<SettlementVerdict>,
}

/// Has fills settled by the chain, in its next block.
#[derive(Clone, Default)]
pub struct Settles(Arc<Mutex<Queue>>);

impl Settles {
    fn with<T>(&self, work: impl FnOnce(&mut Queue) -> T) -> T {
        work(&mut self.0.lock().expect("no panic"))
    }
}

impl SettlementAuthority for Settles {
    fn submit(&mut self, _: Nanos, request: SettlementRequest) {
        self.with(|queue| queue.waiting.push_back(request));
    }

    fn poll(&mut self, _: Nanos) -> Option<SettlementVerdict> {
        self.with(|queue| queue.done.pop_front())
    }

    fn next_due(&self, at: Nanos) -> Option<Nanos> {
        self.with(|queue| (!queue.done.is_empty()).then_some(at))
    }
}
