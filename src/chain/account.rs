//! The account that pays: carries out what a lane asks of the node.

use super::lane::{Call, EMPTY_GAS, Fees, Inclusion, Seen, Step};
use super::node::{CallError, Draft, Found, Node};
use crate::engine::ports::Key;
use alloy::primitives::{Address, B256, Bytes};
use std::collections::VecDeque;

/// Transactions whose cost is remembered as counted: more than can wait to become final.
const COUNTED_MAX: usize = 256;

/// A key and the node its transactions go to. Each account has one lane only: two would use the same nonces.
pub struct Account<K> {
    node: Node,
    key: K,
    own: Address,
    spent: (u64, u128),
    counted: VecDeque<B256>,
}

impl<K: Key> Account<K> {
    /// The account of `key`.
    pub fn new(node: Node, key: K) -> Account<K> {
        let own = Address::from(key.address());
        Account { node, key, own, spent: (0, 0), counted: VecDeque::with_capacity(COUNTED_MAX) }
    }

    /// Its address.
    pub fn address(&self) -> Address {
        self.own
    }

    /// Gas used by its transactions in blocks so far, and what was paid for it, wei.
    pub fn spent(&self) -> (u64, u128) {
        self.spent
    }

    /// Does what the lane wants next. None if the node did not answer, or if nothing is to be asked of it.
    pub async fn step(&mut self, step: Step) -> Option<Seen> {
        let seen = match step {
            Step::Send { nonce, call, fees } => self.send(nonce, call, fees).await,
            Step::AskReceipt { nonce, hashes } => {
                let found = self.node.receipt(&hashes).await;
                found.map(|found| Seen::Receipt { nonce, found: found.map(|found| self.count(&found)) })
            }
            Step::AskCounts => self.node.counts(self.own).await.map(|(mined, pending)| Seen::Counts { mined, pending }),
            Step::AskBalance => self.node.balance(self.own).await.map(Seen::Balance),
            Step::Fate(..) | Step::Alarm(_) => return None,
        };
        match seen {
            Ok(seen) => Some(seen),
            // Asked again at the next head; a person must know why nothing comes of it.
            Err(CallError::Absurd(why)) => Some(Seen::Absurd(why)),
            Err(CallError::Reverted(_) | CallError::Node(_)) => None,
        }
    }

    /// Adds a transaction's cost, once: a receipt is asked for until its block is final. Returns which it was, and where.
    fn count(&mut self, found: &Found) -> (B256, Inclusion) {
        if !self.counted.contains(&found.hash) {
            if self.counted.len() == COUNTED_MAX {
                self.counted.pop_front();
            }
            self.counted.push_back(found.hash);
            self.spent.0 = self.spent.0.saturating_add(found.gas_used);
            self.spent.1 = self.spent.1.saturating_add(u128::from(found.gas_used).saturating_mul(found.price_wei));
        }
        (found.hash, found.inclusion)
    }

    async fn send(&mut self, nonce: u64, call: Option<Call>, fees: Fees) -> Result<Seen, CallError> {
        let call = call.unwrap_or(Call { to: self.own, data: Bytes::new(), gas_limit: EMPTY_GAS });
        let draft = Draft { nonce, to: call.to, data: call.data, gas_limit: call.gas_limit, fees };
        let sealed = self.node.seal(&mut self.key, &draft)?;
        let fault = self.node.offer(&sealed).await;
        Ok(Seen::Sent { nonce, hash: sealed.hash, fault })
    }
}
