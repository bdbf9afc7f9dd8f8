//! The account that pays: carries out what a lane asks of the node.

use super::lane::{Call, EMPTY_GAS, Fees, Seen, Step};
use super::node::{CallError, Draft, Node};
use crate::engine::ports::Key;
use alloy::primitives::{Address, Bytes};

/// A key and the node its transactions go to. Each account has one lane only: two would use the same nonces.
pub struct Account<K> {
    node: Node,
    key: K,
    own: Address,
}

impl<K: Key> Account<K> {
    /// The account of `key`.
    pub fn new(node: Node, key: K) -> Account<K> {
        let own = Address::from(key.address());
        Account { node, key, own }
    }

    /// Its address.
    pub fn address(&self) -> Address {
        self.own
    }

    /// Does what the lane wants next. None if the node did not answer, or if nothing is to be asked of it.
    pub async fn step(&mut self, step: Step) -> Option<Seen> {
        let seen = match step {
            Step::Send { nonce, call, fees } => self.send(nonce, call, fees).await,
            Step::AskReceipt { nonce, hashes } => {
                self.node.receipt(&hashes).await.map(|found| Seen::Receipt { nonce, found })
            }
            Step::AskCounts => self.node.counts(self.own).await.map(|(mined, pending)| Seen::Counts { mined, pending }),
            Step::AskBalance => self.node.balance(self.own).await.map(Seen::Balance),
            Step::Fate(..) | Step::Alarm(_) => return None,
        };
        seen.ok()
    }

    async fn send(&mut self, nonce: u64, call: Option<Call>, fees: Fees) -> Result<Seen, CallError> {
        let call = call.unwrap_or(Call { to: self.own, data: Bytes::new(), gas_limit: EMPTY_GAS });
        let draft = Draft { nonce, to: call.to, data: call.data, gas_limit: call.gas_limit, fees };
        let sealed = self.node.seal(&mut self.key, &draft)?;
        let fault = self.node.offer(&sealed).await;
        Ok(Seen::Sent { nonce, hash: sealed.hash, fault })
    }
}
