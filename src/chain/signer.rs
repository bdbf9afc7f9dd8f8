//! The vault's contract signer on a live chain: turns what the life of a signature wants into calls, and their answers
//! into events.

use super::abi::VaultSigner;
use super::account::Account;
use super::feed::{FeedState, FeedWatch};
use super::lane::{Limits, Seen};
use super::node::{CallError, Node};
use super::oracle::Oracle;
use super::presign::Presign;
use super::presign::words::{Action, Event, Facts, Shadow, SignedPrice, Terms, Ticket, Word};
use crate::engine::ports::Key;
use alloy::primitives::{Address, B256, Bytes};
use std::collections::VecDeque;
use std::time::Duration;

/// Steps taken for one event or head before the rest must wait for the next: no answer of a node can keep us busy.
const STEPS_MAX: usize = 64;

/// How often the chain is looked at, and how long it may be silent.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Time between two looks.
    pub look: Duration,
    /// Silence of the node after which to raise the alarm.
    pub silent_max: Duration,
}

/// One vault's signer, its account and its node.
pub struct ContractSigner<K> {
    node: Node,
    account: Account<K>,
    terms: Terms,
    presign: Presign,
    feed: Option<FeedWatch>,
    oracle: Option<Oracle>,
    head_hash: Option<B256>,
    due: VecDeque<Action>,
    words: Vec<Word>,
}

impl<K: Key> ContractSigner<K> {
    /// Signs on the vault of `terms` with `key`'s account through `node`.
    pub fn new(node: Node, key: K, terms: Terms, limits: Limits) -> ContractSigner<K> {
        let account = Account::new(node.clone(), key);
        let presign = Presign::new(account.address(), terms, limits);
        let (feed, due, words) = (terms.feed.map(FeedWatch::new), VecDeque::new(), Vec::new());
        ContractSigner { node, account, terms, presign, feed, oracle: None, head_hash: None, due, words }
    }

    /// With the source of the prices that are brought to the feed, if the terms want that.
    pub fn with_oracle(self, oracle: Option<Oracle>) -> ContractSigner<K> {
        ContractSigner { oracle, ..self }
    }

    /// The digest the vault signs for now, and until when, Unix seconds.
    pub fn live(&self) -> Option<(B256, u64)> {
        self.presign.live()
    }

    /// Height of the last block seen.
    pub fn block(&self) -> u64 {
        self.presign.block()
    }

    /// True if a signature could be asked for now.
    pub fn is_ready(&self) -> bool {
        self.presign.is_ready()
    }

    /// True once the run is over and the vault signs for nothing any more.
    pub fn is_closed(&self) -> bool {
        self.presign.is_closed()
    }

    /// Gas used by transactions in blocks so far, and what was paid for it, wei.
    pub fn spent(&self) -> (u64, u128) {
        self.account.spent()
    }

    /// Tells an event and does what follows from it. Returns what the engine must know.
    pub async fn tell(&mut self, event: Event) -> Vec<Word> {
        self.fold(event);
        self.work().await;
        std::mem::take(&mut self.words)
    }

    /// Looks for a new head and does what follows from it. Call every 100 ms or so.
    pub async fn poll(&mut self) -> Result<Vec<Word>, CallError> {
        if let Some(head) = self.node.next_head(&mut self.head_hash).await? {
            self.fold(Event::Node(Seen::Head(head)));
        }
        self.work().await;
        Ok(std::mem::take(&mut self.words))
    }

    fn fold(&mut self, event: Event) {
        let mut actions = Vec::new();
        self.presign.on(event, &mut actions);
        self.due.extend(actions);
    }

    async fn work(&mut self) {
        for _ in 0..STEPS_MAX {
            let Some(action) = self.due.pop_front() else { return };
            match action {
                Action::Say(word) => self.words.push(word),
                Action::AskFacts => self.ask_facts().await,
                Action::AskPrice => {
                    let price = self.price().await;
                    self.fold(Event::Price(price));
                }
                Action::AskShadow(ticket, data) => self.ask_shadow(ticket, data).await,
                Action::Lane(step) => {
                    if let Some(seen) = self.account.step(step).await {
                        self.fold(Event::Node(seen));
                    }
                }
            }
        }
    }

    /// A node that does not answer leaves doubt, and doubt signs nothing: the next head asks again.
    async fn ask_facts(&mut self) {
        // One reading is enough for all who asked.
        self.due.retain(|action| *action != Action::AskFacts);
        let places = (self.terms.vault, self.account.address());
        if let Ok(facts) = facts(&self.node, places, self.feed.as_mut()).await {
            self.fold(Event::Facts(facts));
        }
    }

    /// The venue's newest price, once the feed was seen to take it without a transaction.
    async fn price(&mut self) -> Result<SignedPrice, String> {
        let (Some(oracle), Some(feed), Some(terms)) = (&self.oracle, self.terms.feed, self.terms.refresh) else {
            return Err("nobody to ask for a price".to_owned());
        };
        let price = oracle.newest().await?;
        let tried = self.node.shadow(self.account.address(), feed, price.calldata.clone(), terms.gas).await;
        tried.map(|()| price).map_err(|why| format!("the feed would not take the price: {why}"))
    }

    async fn ask_shadow(&mut self, ticket: Ticket, data: Bytes) {
        let shadow = match self.node.shadow(self.account.address(), self.terms.vault, data, self.terms.sign_gas).await {
            Ok(()) => Shadow::Passed,
            Err(CallError::Reverted(refusal)) => Shadow::Reverted(refusal),
            Err(CallError::Node(why) | CallError::Absurd(why)) => Shadow::Unreachable(why),
        };
        self.fold(Event::Shadow(ticket, shadow));
    }
}

/// The vault's contract at the newest block.
async fn facts(
    node: &Node,
    (vault, own): (Address, Address),
    feed: Option<&mut FeedWatch>,
) -> Result<Facts, CallError> {
    let block = node.head().await?.0.number;
    // A feed that cannot be read stops new signatures, and nothing else.
    let feed: Option<FeedState> = match feed {
        Some(feed) => Some(feed.read(node, block).await.unwrap_or_default()),
        None => None,
    };
    let last_seen = node.view_at(vault, VaultSigner::lastSeenHashCall {}, block).await?;
    Ok(Facts {
        last_seen,
        live: node.view_at(vault, VaultSigner::signedDataCall { hash: last_seen }, block).await?,
        listed: node.view_at(vault, VaultSigner::isSignerCall { key: own }, block).await?,
        disabled: node.view_at(vault, VaultSigner::signaturesDisabledCall {}, block).await?,
        blocked: node.view_at(vault, VaultSigner::isBlockedCall {}, block).await?,
        feed,
        block,
    })
}
