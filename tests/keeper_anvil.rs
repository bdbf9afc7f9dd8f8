//! The keeping of a vault's shares against contracts on a real chain: anvil, where `tools/evm/install` has put it;
//! skipped, and said so, where it has not. The test plays the engine: it moves the capital it is asked to move.

#[path = "support/anvil.rs"]
mod anvil;

use actix::Actor;
use alloy::primitives::{Address, I256, U256};
use alloy::sol_types::SolCall;
use anvil::{ADMIN, Anvil, BASE, Holder, Owner, ShareTerms, e18, holdings};
use keel::account::ledger::Book;
use keel::actors::risk::{CapitalNews, Notice, Sample};
use keel::base::ids::{InstrumentId, Nonce, SubaccountId, VaultId};
use keel::base::queue::{Postbox, Sender, lane, post};
use keel::base::time::Nanos;
use keel::chain::abi::{VaultShares, VaultSigner};
use keel::chain::keeper::Keeper;
use keel::chain::keeper::service::Pace;
use keel::chain::keeper::standing::Standing;
use keel::chain::keeper::task::{CapitalDesk, Holdings, Place, Task};
use keel::chain::keeper::words::{Event, Job, Moment, Terms, Wait, Word};
use keel::chain::lane::Limits;
use keel::chain::node::Node;
use keel::derive::dialect::V2_MAINNET;
use keel::engine::ports::Key;
use keel::io::clock::LiveClock;
use keel::io::key::LocalKey;
use keel::msg::{CapitalWish, Command, CurrencyId, Flow, Phase};
use keel::ops::control::{Ask, Clerk, Dismiss};
use keel::ops::keeping::{self, Plan};
use serde_json::json;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

const SECRET: [u8; 32] = [0x53; 32];
const POLLS: usize = 2_000;
const MILLI: u64 = 1_000;

/// Remembers what it was asked.
#[derive(Clone, Default)]
struct Desk(Rc<RefCell<Vec<CapitalWish>>>);

impl CapitalDesk for Desk {
    fn ask(&mut self, wish: CapitalWish) -> bool {
        self.0.borrow_mut().push(wish);
        true
    }
}

struct World {
    anvil: Anvil,
    node: Node,
    vault: Address,
    token: Address,
    task: Task<LocalKey, Desk>,
    desk: Desk,
}

fn key() -> LocalKey {
    LocalKey::from_bytes(&mut SECRET.clone()).expect("a key")
}

/// Thousandths of a whole token.
fn milli(thousandths: u64) -> U256 {
    e18(thousandths) / U256::from(MILLI)
}

impl World {
    async fn start() -> Option<World> {
        let anvil = Anvil::start()?;
        let own = Address::from(key().address());
        let vault = anvil.set_up(own, 7777).await;
        let node = Node::connect(&anvil.url, V2_MAINNET.chain_id).await.expect("the node answers");
        let token = node.view(vault, VaultSigner::getBaseTSAAddressesCall {}).await.expect("an answer").depositAsset;
        anvil.tell(vault, Owner::setHoldingsCall { told: holdings(0) }).await;
        anvil.tell(vault, Owner::setTSAParamsCall { told: terms(0) }).await;
        anvil.tell(vault, Owner::setShareKeeperCall { keeper: own, allowed: true }).await;
        anvil.tell(token, Holder::mintCall { holder: ADMIN, amount: e18(1_000) }).await;
        anvil.tell(token, Holder::approveCall { spender: vault, amount: U256::MAX }).await;
        let desk = Desk::default();
        let task = World::task(&node, vault, token, &desk);
        let mut world = World { anvil, node, vault, token, task, desk };
        world.moment(Phase::CollateralOnly).await;
        Some(world)
    }

    fn task(node: &Node, vault: Address, token: Address, desk: &Desk) -> Task<LocalKey, Desk> {
        Task::new(node.clone(), key(), World::plan(vault, token), desk.clone(), Box::new(|| Nanos(1)))
    }

    fn plan(vault: Address, token: Address) -> (Terms, Place) {
        let lane = Limits {
            bump_after_blocks: 2,
            final_after_blocks: 3,
            tip_wei: 1_000_000_000,
            fee_wei_max: 300_000_000_000,
            balance_wei_min: U256::ZERO,
        };
        let terms = Terms {
            vault,
            deployed_block: 0,
            logs_span_blocks: 7,
            deposit_phases: Keeper::DEPOSIT_PHASES,
            withdrawal_phases: Keeper::FLAT_PHASES,
            deposit_batch: 4,
            withdrawal_batch: 2,
            buffer_bps: 100,
            sweep_min: milli(1),
            fee_every_s: 86_400,
            gas_limit: 2_000_000,
            retry_blocks: 2,
            lane,
        };
        let place = Place { vault, token, decimals: 18, holdings: Holdings::Calls };
        (terms, place)
    }

    async fn moment(&mut self, phase: Phase) {
        self.task.tell(Event::Moment(Moment { phase, signing: false, unsettled: 0 })).await;
    }

    /// Makes blocks and polls until the keeper says something that `wanted` recognises, or asks for capital.
    async fn until(&mut self, wanted: impl Fn(&Word) -> bool) -> Vec<Word> {
        let mut heard = Vec::new();
        for _ in 0..POLLS {
            self.anvil.rpc("evm_mine", json!([])).await;
            let said = self.task.poll().await.expect("the node answers");
            let done = said.iter().any(&wanted);
            heard.extend(said);
            if done {
                return heard;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        panic!("not said; instead {heard:?}");
    }

    /// The only wish since the last one was taken.
    async fn wish(&mut self) -> CapitalWish {
        for _ in 0..POLLS {
            if let Some(wish) = self.desk.0.borrow_mut().pop() {
                return wish;
            }
            self.anvil.rpc("evm_mine", json!([])).await;
            self.task.poll().await.expect("the node answers");
        }
        panic!("nothing was asked of the engine");
    }

    /// Moves the capital and says so.
    async fn settle(&mut self, wish: &CapitalWish) {
        let amount = I256::try_from(wish.amount).expect("small");
        let amount = if wish.flow == Flow::Deposit { amount } else { -amount };
        self.anvil.tell(self.vault, Owner::moveCapitalCall { amount }).await;
        self.task.tell(Event::Capital(CapitalNews::Granted { nonce: Nonce(1) })).await;
        self.task.tell(Event::Capital(CapitalNews::Settled { nonce: Nonce(1) })).await;
    }

    async fn deposit(&self, amount: U256) {
        self.anvil.tell(self.vault, Holder::initiateDepositCall { amount, recipient: ADMIN }).await;
    }

    async fn balance(&self, of: Address, holder: Address) -> U256 {
        self.node.view(of, Holder::balanceOfCall { holder }).await.expect("an answer")
    }

    async fn view<C: SolCall>(&self, call: C) -> C::Return {
        self.node.view(self.vault, call).await.expect("an answer")
    }
}

fn terms(fee_bps: u64) -> ShareTerms {
    ShareTerms {
        depositCap: e18(10_000_000),
        minDepositValue: U256::ZERO,
        depositScale: e18(1),
        withdrawScale: milli(998),
        managementFee: e18(fee_bps) / U256::from(10_000),
        feeRecipient: if fee_bps == 0 { Address::ZERO } else { Address::repeat_byte(0xfe) },
    }
}

fn processed(word: &Word) -> bool {
    matches!(word, Word::Done(Job::Deposits(_), _))
}

#[tokio::test]
async fn deposits_become_shares_and_withdrawals_are_paid_at_the_published_vectors() {
    let Some(mut world) = World::start().await else { return };
    world.deposit(e18(10)).await;
    world.until(processed).await;
    assert_eq!(world.balance(world.vault, ADMIN).await, e18(10), "the first share is worth one token");
    let wish = world.wish().await;
    assert_eq!((wish.flow, wish.amount), (Flow::Deposit, e18(10).to::<u128>()));
    world.settle(&wish).await;

    // The subaccount earns half a token: a share is worth 1.05, and 10.5 tokens buy ten.
    let mut told = holdings(0);
    told.base = milli(10_500);
    world.anvil.tell(world.vault, Owner::setHoldingsCall { told }).await;
    world.deposit(milli(10_500)).await;
    let heard = world.until(processed).await;
    assert!(heard.iter().any(|word| matches!(word, Word::Price { price, .. } if *price == milli(1_050))), "{heard:?}");
    assert_eq!(world.balance(world.vault, ADMIN).await, e18(20));
    let wish = world.wish().await;
    world.settle(&wish).await;
    assert_eq!(world.balance(world.token, BASE).await, milli(20_500), "nothing idle is left");

    // Ten shares at a scale of 0.998: 10.479 tokens, taken back with one part in a hundred on top.
    let before = world.balance(world.token, ADMIN).await;
    world.anvil.tell(world.vault, Holder::requestWithdrawalCall { shares: e18(10) }).await;
    let wish = world.wish().await;
    assert_eq!(wish.flow, Flow::Withdrawal);
    assert_eq!(U256::from(wish.amount), milli(10_479) + milli(10_479) / U256::from(100));
    world.settle(&wish).await;
    world.until(|word| matches!(word, Word::Done(Job::Withdrawals, _))).await;
    assert_eq!(world.balance(world.token, ADMIN).await - before, milli(10_479));
    assert_eq!(world.view(VaultShares::totalPendingWithdrawalsCall {}).await, U256::ZERO);
    let wish = world.wish().await;
    assert_eq!((wish.flow, wish.amount), (Flow::Deposit, (milli(10_479) / U256::from(100)).to::<u128>()), "the buffer");
}

#[tokio::test]
async fn a_bad_deposit_is_left_out_and_an_auction_stops_everything() {
    let Some(mut world) = World::start().await else { return };
    world.moment(Phase::OptionAuction).await;
    for amount in [e18(10), U256::ZERO, e18(5), e18(1)] {
        world.deposit(amount).await;
    }
    let told = world.until(|word| matches!(word, Word::Waiting(Wait::Phase(_)))).await;
    assert!(!told.iter().any(processed), "{told:?}");
    // Until the newest deposit is final and found.
    for _ in 0..10 {
        world.anvil.rpc("evm_mine", json!([])).await;
        let said = world.task.poll().await.expect("the node answers");
        assert!(!said.iter().any(processed), "{said:?}");
    }
    world.moment(Phase::AwaitSettlement).await;
    let heard = world.until(processed).await;
    assert!(heard.iter().any(|word| *word == Word::Done(Job::Deposits(vec![0, 2, 3]), done_in(&heard))), "{heard:?}");
    assert_eq!(world.balance(world.vault, ADMIN).await, e18(16));
    let own = Address::from(key().address());
    assert_eq!(world.node.counts(own).await, Ok((1, 1)), "nothing was sent that would revert");

    // Another process of the same key finds the same work done from the events alone.
    world.task = World::task(&world.node, world.vault, world.token, &world.desk);
    world.desk.0.borrow_mut().clear();
    world.moment(Phase::AwaitSettlement).await;
    let wish = world.wish().await;
    assert_eq!((wish.flow, wish.amount), (Flow::Deposit, e18(16).to::<u128>()));
    assert_eq!(world.node.counts(own).await, Ok((1, 1)));
}

fn done_in(words: &[Word]) -> u64 {
    let done = words.iter().find_map(|word| if let Word::Done(_, block) = word { Some(*block) } else { None });
    done.expect("a block")
}

#[tokio::test]
async fn the_fee_is_collected_once_a_day() {
    let Some(mut world) = World::start().await else { return };
    world.deposit(e18(1)).await;
    world.until(processed).await;
    let wish = world.wish().await;
    world.settle(&wish).await;
    world.anvil.tell(world.vault, Owner::setTSAParamsCall { told: terms(100) }).await;
    let collected: u64 = world.view(VaultShares::lastFeeCollectedCall {}).await.to();
    world.anvil.rpc("evm_increaseTime", json!([31_536_000])).await;
    world.until(|word| matches!(word, Word::Done(Job::Fee, _))).await;
    // One hundredth of all shares in a year, by the second.
    let elapsed = world.view(VaultShares::lastFeeCollectedCall {}).await - U256::from(collected);
    assert!(elapsed >= U256::from(31_536_000));
    let minted = elapsed * milli(10) / U256::from(31_536_000);
    assert_eq!(world.balance(world.vault, Address::repeat_byte(0xfe)).await, minted);
    assert_eq!(world.view(VaultShares::totalSupplyCall {}).await, e18(1) + minted);
    let heard = world.until(|word| matches!(word, Word::Price { .. })).await;
    assert!(!heard.iter().any(|word| matches!(word, Word::Done(..))), "once is enough: {heard:?}");
}

/// The keeper beside the clerk of a running engine, of which the test is risk.
struct Beside {
    notices: Sender<Notice>,
    commands: Postbox<Command>,
    clerk: actix::Addr<Clerk>,
    end: tokio::task::JoinHandle<()>,
}

const VAULT: VaultId = VaultId(0);

impl Beside {
    fn start(world: &World, folder: &std::path::Path) -> Beside {
        let ((notices, heard), (to_risk, commands)) = (lane(64), post(8));
        let book = Book {
            vault: VAULT,
            subaccount: SubaccountId(7777),
            base: InstrumentId(0),
            perp: None,
            options: None,
            base_currency: CurrencyId(0),
            cash_currency: CurrencyId(1),
        };
        let ms = Duration::from_millis;
        let (end, keeper) = keeping::start(Plan {
            place: 0,
            presigned: true,
            keeper: World::plan(world.vault, world.token),
            node: world.node.clone(),
            key_file: folder.join("keeper.key"),
            commands: to_risk,
            clock: LiveClock::new(),
            pace: Pace { look: ms(2), silent_max: ms(20), again: ms(5), again_max: ms(20), stop_max: ms(5_000) },
        });
        let clerk = Clerk::new(heard, vec![book]).with_keepers(vec![keeper]).start();
        Beside { notices, commands, clerk, end }
    }

    fn look(&mut self, phase: Phase) {
        let sample = Sample { phase, ..Sample::default() };
        let known = self.notices.send(Notice::Settlement { vault: VAULT, unsettled: 0 });
        let seen = self.notices.send(Notice::Sample { vault: VAULT, sample, stats: Default::default() });
        assert!(known.is_ok() && seen.is_ok(), "the clerk listens");
    }

    fn capital(&mut self, news: CapitalNews) {
        assert!(self.notices.send(Notice::Capital { vault: VAULT, news }).is_ok(), "the clerk listens");
    }

    /// Makes blocks until the clerk tells of a keeper that stands as wanted.
    async fn until(&self, anvil: Option<&Anvil>, wanted: impl Fn(&Standing) -> bool) -> Standing {
        let mut last = Standing::default();
        for _ in 0..POLLS {
            if let Some(anvil) = anvil {
                anvil.rpc("evm_mine", json!([])).await;
            }
            let news = self.clerk.send(Ask).await.expect("a clerk");
            last = news.vault(0).and_then(|vault| vault.keeper.clone()).expect("its shares are kept");
            if wanted(&last) {
                return last;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("not so: {last:?}");
    }

    async fn wish(&mut self, anvil: &Anvil) -> CapitalWish {
        for _ in 0..POLLS {
            if let Some(command) = self.commands.receive() {
                let Command::Capital { vault: VAULT, wish } = command else { panic!("{command:?}") };
                return wish;
            }
            anvil.rpc("evm_mine", json!([])).await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("nothing was asked of risk");
    }
}

fn write_key(folder: &std::path::Path) {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(folder.join("keeper.key"));
    let hex: String = SECRET.iter().map(|byte| format!("{byte:02x}")).collect();
    file.and_then(|mut file| file.write_all(hex.as_bytes())).expect("written");
}

#[test]
fn an_engines_clerk_drives_it_and_hears_of_it_through_failure_and_silence_to_its_end() {
    actix::System::new().block_on(async {
        let Some(mut world) = World::start().await else { return };
        world.deposit(e18(10)).await;
        let folder = tempfile::tempdir().expect("a folder");
        let mut beside = Beside::start(&world, folder.path());
        // Its key is not there yet: it fails, says so and begins anew, and what it missed meanwhile is not lost.
        beside.look(Phase::CollateralOnly);
        let failed = beside.until(None, |standing| standing.restarts > 1).await;
        assert!(failed.alarms[0].contains("its key"), "{failed:?}");
        write_key(folder.path());

        beside.until(Some(&world.anvil), |standing| standing.deposits == 1).await;
        let wish = beside.wish(&world.anvil).await;
        assert_eq!((wish.flow, wish.amount), (Flow::Deposit, e18(10).to::<u128>()));
        beside.capital(CapitalNews::Granted { nonce: Nonce(5) });
        world.settle(&wish).await;
        beside.capital(CapitalNews::Settled { nonce: Nonce(5) });
        let kept = beside.until(Some(&world.anvil), |standing| standing.waits == Some(Wait::Nothing)).await;
        let words = kept.to_string();
        assert!(words.starts_with("a share is worth 1.000000000000000000, 1 deposits taken"), "{words}");

        // An auction stops it; a node that is silent is an alarm; neither ends it.
        beside.look(Phase::OptionAuction);
        beside.until(Some(&world.anvil), |standing| matches!(standing.waits, Some(Wait::Phase(_)))).await;
        drop(world);
        let silent = |standing: &Standing| standing.alarms.iter().any(|alarm| alarm.contains("does not answer"));
        beside.until(None, silent).await;
        beside.clerk.send(Dismiss).await.expect("a clerk");
        beside.end.await.expect("it comes to its end");
        let news = beside.clerk.send(Ask).await.expect("a clerk");
        assert!(news.vault(0).and_then(|vault| vault.keeper.as_ref()).is_some_and(|keeper| keeper.ended));
    });
}
