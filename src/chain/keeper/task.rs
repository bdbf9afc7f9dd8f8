//! The keeper of a vault's shares on a live chain: turns what it wants into calls, and their answers into events.

use super::Keeper;
use super::words::{Action, Books, Event, Found, Terms, Word};
use crate::actors::risk::CapitalNews;
use crate::base::num::{Amount, Cash};
use crate::base::time::Nanos;
use crate::chain::abi::{Erc20, VaultShares, VaultSigner};
use crate::chain::account::Account;
use crate::chain::lane::{Limits, Seen};
use crate::chain::node::{CallError, Emitted, Node};
use crate::chain::presign::words::Shadow;
use crate::config::{DepositPhases, VaultConfig};
use crate::engine::ports::Key;
use crate::msg::{CapitalWish, Product};
use alloy::primitives::{Address, B256, I256, U256};
use std::collections::VecDeque;

/// Steps taken for one event or head before the rest must wait for the next.
const STEPS_MAX: usize = 64;
/// Blocks a transaction waits before it is offered more.
const BUMP_AFTER_BLOCKS: u64 = 5;
/// Blocks after which no reorg is feared on Derive Chain: a minute of them.
const FINAL_AFTER_BLOCKS: u64 = 30;
/// Nine-decimal units in one of eighteen.
const E9: i128 = 1_000_000_000;
const E18: u64 = 1_000_000_000_000_000_000;

/// To the engine, which alone moves collateral: it judges every wish and tells what became of it.
pub trait CapitalDesk {
    /// Lays a wish before it; false if it cannot be heard now.
    fn ask(&mut self, wish: CapitalWish) -> bool;
}

/// What a vault's contract lets go of its collateral.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holdings {
    /// All but what calls are written on.
    Calls,
    /// All, once no spread is open.
    Spreads,
    /// All, once there is neither perp nor debt.
    Basis,
}

impl Holdings {
    /// Free collateral, 18 decimals, of what `getSubAccountStats` returned.
    fn free(self, open: U256, base: U256, cash: I256) -> U256 {
        match self {
            Holdings::Calls => base.saturating_sub(open),
            Holdings::Spreads if open.is_zero() => base,
            Holdings::Basis if open.is_zero() && !cash.is_negative() => base,
            Holdings::Spreads | Holdings::Basis => U256::ZERO,
        }
    }
}

/// Where a vault's books are read.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The vault's contract.
    pub vault: Address,
    /// The token that is deposited.
    pub token: Address,
    /// Its decimals.
    pub decimals: u8,
    /// What is held.
    pub holdings: Holdings,
}

/// What a vault's configuration and its contract say of its keeping; none of a vault that is not to be kept. `token` is
/// the contract's own.
pub fn plan(vault: &VaultConfig, contract: Address, token: Address) -> Option<(Terms, Place)> {
    let config = vault.keeper.as_ref()?;
    let deposit_phases = match config.deposit_phases {
        DepositPhases::CollateralOnly => Keeper::FLAT_PHASES,
        DepositPhases::OrSettlement => Keeper::DEPOSIT_PHASES,
        DepositPhases::AnyTime => Keeper::ANY_TIME,
    };
    let holdings = match vault.strategy.product() {
        Some(Product::CoveredCall) => Holdings::Calls,
        Some(_) => Holdings::Spreads,
        None => Holdings::Basis,
    };
    let terms = Terms {
        vault: contract,
        deployed_block: config.deployed_block,
        logs_span_blocks: config.logs_span_blocks,
        deposit_phases,
        withdrawal_phases: if vault.basis().is_some() { Keeper::ANY_TIME } else { Keeper::FLAT_PHASES },
        deposit_batch: config.deposit_batch,
        withdrawal_batch: config.withdrawal_batch,
        buffer_bps: config.buffer_bps,
        sweep_min: U256::from(vault.capital.in_token(config.sweep_min)),
        fee_every_s: config.fee_every_s,
        gas_limit: config.gas_limit,
        retry_blocks: config.retry_blocks,
        lane: Limits {
            bump_after_blocks: BUMP_AFTER_BLOCKS,
            final_after_blocks: FINAL_AFTER_BLOCKS,
            tip_wei: config.gas_tip_wei,
            fee_wei_max: config.gas_price_wei_max,
            balance_wei_min: U256::from(config.gas_balance_min.raw().unsigned_abs()),
        },
    };
    Some((terms, Place { vault: contract, token, decimals: vault.capital.token_decimals, holdings }))
}

/// The engine's clock.
pub type Moments = Box<dyn FnMut() -> Nanos>;

/// One vault's keeper, its account, its node and its engine.
pub struct Task<K, D> {
    node: Node,
    account: Account<K>,
    terms: Terms,
    place: Place,
    desk: D,
    clock: Moments,
    keeper: Keeper,
    head_hash: Option<B256>,
    due: VecDeque<Action>,
    words: Vec<Word>,
}

impl<K: Key, D: CapitalDesk> Task<K, D> {
    /// Keeps the vault of `terms` with `key`'s account through `node`; `clock` is the engine's.
    pub fn new(node: Node, key: K, (terms, place): (Terms, Place), desk: D, clock: Moments) -> Task<K, D> {
        let account = Account::new(node.clone(), key);
        let keeper = Keeper::new(account.address(), terms.clone());
        let (due, words) = (VecDeque::new(), Vec::new());
        Task { node, account, terms, place, desk, clock, keeper, head_hash: None, due, words }
    }

    /// Tells an event and does what follows from it. Returns what there is to say.
    pub async fn tell(&mut self, event: Event) -> Vec<Word> {
        self.fold(event);
        self.work().await;
        std::mem::take(&mut self.words)
    }

    /// Looks for a new head and does what follows from it.
    pub async fn poll(&mut self) -> Result<Vec<Word>, CallError> {
        if let Some(head) = self.node.next_head(&mut self.head_hash).await? {
            self.fold(Event::Node(Seen::Head(head)));
        }
        self.work().await;
        Ok(std::mem::take(&mut self.words))
    }

    /// True while a transaction is on its way.
    pub fn is_sending(&self) -> bool {
        self.keeper.is_sending()
    }

    /// Gas used by transactions in blocks so far, and what was paid for it, wei.
    pub fn spent(&self) -> (u64, u128) {
        self.account.spent()
    }

    fn fold(&mut self, event: Event) {
        let mut actions = Vec::new();
        self.keeper.on(event, &mut actions);
        self.due.extend(actions);
    }

    async fn work(&mut self) {
        for _ in 0..STEPS_MAX {
            let Some(action) = self.due.pop_front() else { return };
            let event = match action {
                Action::Say(word) => {
                    self.words.push(word);
                    None
                }
                // As if its name had to wait: wished again, it may be heard.
                Action::Move(wish) => (!self.desk.ask(wish)).then_some(Event::Capital(CapitalNews::Unnamed)),
                Action::AskBooks => self.books().await.ok().map(Event::Books),
                Action::Search { from, upto } => self.search(from, upto).await.ok(),
                Action::Try(asked, data) => {
                    let (own, gas) = (self.account.address(), self.terms.gas_limit);
                    let outcome = match self.node.shadow(own, self.place.vault, data, gas).await {
                        Ok(()) => Shadow::Passed,
                        Err(CallError::Reverted(refusal)) => Shadow::Reverted(refusal),
                        Err(CallError::Node(why) | CallError::Absurd(why)) => Shadow::Unreachable(why),
                    };
                    Some(Event::Tried(asked, outcome))
                }
                Action::Lane(step) => self.account.step(step).await.map(Event::Node),
            };
            if let Some(event) = event {
                self.fold(event);
            }
        }
    }

    async fn search(&self, from: u64, upto: u64) -> Result<Event, CallError> {
        let found = self.node.deposits(self.place.vault, from, upto).await?;
        Ok(Event::Found { upto, found })
    }

    async fn books(&mut self) -> Result<Books, CallError> {
        let (read_at, (head, _)) = ((self.clock)(), self.node.head().await?);
        let (node, block, vault) = (&self.node, head.number, self.place.vault);
        let params = node.view_at(vault, VaultShares::getTSAParamsCall {}, block).await?;
        let queued = node.view_at(vault, VaultShares::totalPendingWithdrawalsCall {}, block).await?;
        let scaled = queued.saturating_mul(params.withdrawScale) / U256::from(E18);
        let stats = node.view_at(vault, VaultSigner::getSubAccountStatsCall {}, block).await?;
        let keeper = VaultShares::shareKeeperCall { keeper: self.account.address() };
        let held = Erc20::balanceOfCall { holder: vault };
        let value = VaultShares::getAccountValueCall { includePending: false };
        let collected = node.view_at(vault, VaultShares::lastFeeCollectedCall {}, block).await?;
        Ok(Books {
            block,
            time_s: head.time_s,
            read_at,
            listed: node.view_at(vault, keeper, block).await?,
            blocked: node.view_at(vault, VaultSigner::isBlockedCall {}, block).await?,
            tokens: node.view_at(self.place.token, held, block).await?,
            pending: node.view_at(vault, VaultShares::totalPendingDepositsCall {}, block).await?,
            queued,
            owed: node.view_at(vault, VaultShares::getSharesValueCall { shares: scaled }, block).await?,
            value: node.view_at(vault, value, block).await?,
            supply: node.view_at(vault, VaultShares::totalSupplyCall {}, block).await?,
            base: amount(stats.base)?,
            cash: cash(stats.cash)?,
            base_free: native(self.place.holdings.free(stats.open, stats.base, stats.cash), self.place.decimals),
            fee_due: !params.managementFee.is_zero() && !params.feeRecipient.is_zero(),
            fee_collected_s: u64::try_from(collected).unwrap_or(u64::MAX),
        })
    }
}

fn unfit(what: &str) -> CallError {
    CallError::Node(format!("{what} of the subaccount does not fit"))
}

/// 18 decimals as nine, rounded down.
fn amount(wad: U256) -> Result<Amount, CallError> {
    let raw = wad / U256::from(E9.unsigned_abs());
    i64::try_from(raw).map(Amount::from_raw).map_err(|_| unfit("base"))
}

fn cash(wad: I256) -> Result<Cash, CallError> {
    i128::try_from(wad).map(Cash::from_raw).map_err(|_| unfit("cash"))
}

/// 18 decimals as the token's own, rounded down.
fn native(wad: U256, decimals: u8) -> U256 {
    let power = |places: u8| U256::from(10).saturating_pow(U256::from(places));
    match decimals {
        ..=18 => wad / power(18 - decimals),
        more => wad.saturating_mul(power(more - 18)),
    }
}

impl Node {
    /// Deposits queued and made shares of in these blocks, in the order of the chain.
    async fn deposits(&self, vault: Address, from: u64, upto: u64) -> Result<Vec<Found>, CallError> {
        use alloy::sol_types::SolEvent;
        let topics = [VaultShares::DepositInitiated::SIGNATURE_HASH, VaultShares::DepositProcessed::SIGNATURE_HASH];
        let id = |topic: Option<&B256>| topic.and_then(|word| u64::try_from(U256::from_be_bytes(word.0)).ok());
        let mut found = Vec::new();
        for Emitted { topics, .. } in self.events(vault, &topics, from, upto).await? {
            let Some(id) = id(topics.get(1)) else { continue };
            if topics[0] == VaultShares::DepositInitiated::SIGNATURE_HASH {
                found.push(Found::Initiated(id));
            } else {
                found.push(Found::Processed(id));
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_collateral_is_what_the_contract_lets_go() {
        let (ten, three) = (U256::from(10), U256::from(3));
        let table = [
            (Holdings::Calls, three, I256::ZERO, 7),
            (Holdings::Calls, U256::from(11), I256::ZERO, 0),
            (Holdings::Spreads, three, I256::ZERO, 0),
            (Holdings::Spreads, U256::ZERO, I256::MINUS_ONE, 10),
            (Holdings::Basis, U256::ZERO, I256::ZERO, 10),
            (Holdings::Basis, U256::ZERO, I256::MINUS_ONE, 0),
            (Holdings::Basis, U256::MAX, I256::ONE, 0),
        ];
        for (holdings, open, cash, free) in table {
            assert_eq!(holdings.free(open, ten, cash), U256::from(free), "{holdings:?} {open}");
        }
    }

    #[test]
    fn decimals_round_down() {
        let wad = U256::from(1_999_999_999_999_999_999_u64);
        assert_eq!(native(wad, 18), wad);
        assert_eq!(native(wad, 8), U256::from(199_999_999));
        assert_eq!(native(wad, 20), wad * U256::from(100));
        assert_eq!(amount(wad), Ok(Amount::from_raw(1_999_999_999)));
        assert!(amount(U256::MAX).is_err() && cash(I256::MAX).is_err());
    }
}
