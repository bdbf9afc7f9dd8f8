//! Settlement on a real chain: fills of an embedded v2 exchange as transactions to the verifier of a local node.
//!
//! A thread of its own sends one transaction per match or execution, in the order of the fills, and says what became of
//! each. The chain's word counts: a transaction that reverts takes its fill back. What it cannot send it tries again; until
//! then the fill is neither settled nor reverted.

use crate::base::time::{MS, Nanos};
use crate::chain::lane::{Fees, SendFault};
use crate::chain::node::{Draft, Node, Sealed};
use crate::engine::ports::Key;
use crate::exchange::{Action, SettlementAction, SettlementAuthority, SettlementRequest, SettlementVerdict, TxStatus};
use alloy::sol;
use alloy::sol_types::{SolCall, SolValue};
use alloy_primitives::{Address, B256, Bytes, U256, hex};
use rust_decimal::Decimal;
use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::JoinHandle;
use std::time::Duration;

sol! {
    struct SignedAction { uint256 subaccountId; uint256 nonce; address module; bytes data; uint256 expiry; address owner; address signer; }
    struct AtomicAction { bool isAtomic; bytes extraData; }
    struct Fill { uint256 amount; uint256 price; uint256 fee; }
    struct Prices { uint256 spot; uint256 perp; }

    /// The two ways to settle.
    interface Settlement {
        function verifyAndMatch(SignedAction[] actions, bytes[] signatures, bytes data) external;
        function atomicVerifyAndMatch(SignedAction[] actions, bytes[] signatures, bytes data, AtomicAction[] atomic) external;
    }
}

/// How often receipts are looked for.
const LOOK: Duration = Duration::from_millis(20);
/// Pause after a node that does not answer or does not take a transaction.
const PAUSE: Duration = Duration::from_millis(500);
/// Tip offered, wei; a local node takes anything.
const TIP_WEI: u128 = 1_000_000_000;
/// Transactions on their way at once.
const UNDER_WAY_MAX: usize = 64;

/// Where fills settle.
#[derive(Clone, Debug)]
pub struct Site {
    /// JSON-RPC endpoint of the node.
    pub rpc_url: String,
    /// Its chain.
    pub chain_id: u64,
    /// The verifier of signed actions.
    pub matching: Address,
    /// What has vaults approve actions inside the settlement; without it, orders that ask for that are reverted.
    pub atomic_executor: Option<Address>,
    /// Instruments whose marks a settlement with atomic orders brings along: a collateral's spot, and its perp.
    pub prices: Option<[String; 2]>,
    /// Gas one settlement may use.
    pub gas_limit: u64,
}

/// An authority that asks a chain. Dropping it ends its thread.
pub struct OnChain {
    requests: Option<Sender<SettlementRequest>>,
    verdicts: Receiver<SettlementVerdict>,
    ready: VecDeque<SettlementVerdict>,
    open: usize,
    thread: Option<JoinHandle<()>>,
}

impl OnChain {
    /// Connects to the node; `key` pays, and must be listed as a trade executor.
    ///
    /// # Errors
    /// The node does not answer or serves another chain; in words.
    pub fn connect(site: Site, key: impl Key + Send + 'static) -> Result<OnChain, String> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|why| why.to_string())?;
        let node = runtime.block_on(Node::connect(&site.rpc_url, site.chain_id)).map_err(|why| why.to_string())?;
        let (requests, inbox) = channel();
        let (outbox, verdicts) = channel();
        let payer = Address::from(key.address());
        let clerk = Clerk { node, site, key: Box::new(key), payer, nonce: None, sent: VecDeque::new(), outbox };
        let thread = std::thread::Builder::new().name("settlement".into());
        let thread = thread.spawn(move || runtime.block_on(clerk.run(inbox))).map_err(|why| why.to_string())?;
        Ok(OnChain { requests: Some(requests), verdicts, ready: VecDeque::new(), open: 0, thread: Some(thread) })
    }
}

impl SettlementAuthority for OnChain {
    fn submit(&mut self, _: Nanos, request: SettlementRequest) {
        if request.actions.is_empty() {
            // Between accounts of the house: nobody has signed, and there is nothing to ask.
            self.ready.push_back(SettlementVerdict { id: request.id, status: TxStatus::Settled, hash: None });
        } else if let Some(requests) = &self.requests {
            self.open += usize::from(requests.send(request).is_ok());
        }
    }

    fn poll(&mut self, _: Nanos) -> Option<SettlementVerdict> {
        self.ready.pop_front().or_else(|| {
            let verdict = self.verdicts.try_recv().ok()?;
            self.open -= usize::from(verdict.status.is_final());
            Some(verdict)
        })
    }

    fn next_due(&self, at: Nanos) -> Option<Nanos> {
        if self.ready.is_empty() { (self.open > 0).then(|| at.plus(LOOK.as_millis() as u64 * MS)) } else { Some(at) }
    }
}

impl Drop for OnChain {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            // A clerk that panicked has said so itself.
            let _ = thread.join();
        }
    }
}

/// A settlement that is not known to the node yet.
struct Waiting {
    request: SettlementRequest,
    /// Its transaction, if one has been offered.
    sealed: Option<Sealed>,
}

/// Sends transactions and waits for them.
struct Clerk {
    node: Node,
    site: Site,
    key: Box<dyn Key + Send>,
    payer: Address,
    /// Nonce of the next transaction, once read.
    nonce: Option<u64>,
    sent: VecDeque<(SettlementRequest, B256)>,
    outbox: Sender<SettlementVerdict>,
}

impl Clerk {
    async fn run(mut self, inbox: Receiver<SettlementRequest>) {
        let mut waiting = VecDeque::new();
        loop {
            match inbox.try_recv() {
                Ok(request) => {
                    waiting.push_back(Waiting { request, sealed: None });
                    continue;
                }
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => return,
            }
            while self.sent.len() < UNDER_WAY_MAX
                && let Some(next) = waiting.pop_front()
            {
                if let Err(again) = self.send(next).await {
                    waiting.push_front(again);
                    tokio::time::sleep(PAUSE).await;
                    break;
                }
            }
            self.look().await;
            tokio::time::sleep(LOOK).await;
        }
    }

    fn say(&self, request: &SettlementRequest, status: TxStatus, hash: Option<B256>) {
        // Nobody listens any more: the exchange is gone, and soon this thread.
        let _ = self.outbox.send(SettlementVerdict { id: request.id, status, hash });
    }

    /// Offers one settlement; hands it back if the node would not have it now. What has been offered once is offered
    /// again as it is, so that a fill can never settle twice.
    async fn send(&mut self, next: Waiting) -> Result<(), Waiting> {
        let Waiting { request, sealed } = next;
        let sealed = match sealed {
            Some(sealed) => sealed,
            None => {
                let Some((to, data)) = calldata(&self.site, &request) else {
                    self.say(&request, TxStatus::Reverted, None);
                    return Ok(());
                };
                let Some(draft) = self.draft(to, data).await else { return Err(Waiting { request, sealed: None }) };
                let Ok(sealed) = self.node.seal(self.key.as_mut(), &draft) else {
                    return Err(Waiting { request, sealed: None });
                };
                self.nonce = Some(draft.nonce + 1);
                sealed
            }
        };
        let hash = sealed.hash;
        let known = match self.node.offer(&sealed).await {
            None | Some(SendFault::Known) => true,
            Some(SendFault::NonceLow) => match self.node.receipt(&[hash]).await {
                Ok(Some(_)) => true,
                Ok(None) => {
                    // Somebody else has spent its nonce, so that it can never be mined.
                    self.nonce = None;
                    return Err(Waiting { request, sealed: None });
                }
                Err(_) => false,
            },
            Some(_) => false,
        };
        if !known {
            return Err(Waiting { request, sealed: Some(sealed) });
        }
        self.say(&request, TxStatus::Pending, Some(hash));
        self.sent.push_back((request, hash));
        Ok(())
    }

    async fn draft(&mut self, to: Address, data: Bytes) -> Option<Draft> {
        let nonce = match self.nonce {
            Some(nonce) => nonce,
            None => self.node.counts(self.payer).await.ok()?.1,
        };
        let (head, _) = self.node.head().await.ok()?;
        let fees = Fees { max_wei: head.base_fee_wei * 2 + TIP_WEI, tip_wei: TIP_WEI };
        Some(Draft { nonce, to, data, gas_limit: self.site.gas_limit, fees })
    }

    /// Looks for the oldest transactions in blocks, in their order.
    async fn look(&mut self) {
        while let Some((request, hash)) = self.sent.front() {
            let Ok(Some(found)) = self.node.receipt(&[*hash]).await else { return };
            let status = if found.inclusion.succeeded { TxStatus::Settled } else { TxStatus::Reverted };
            self.say(request, status, Some(*hash));
            self.sent.pop_front();
        }
    }
}

/// Where a settlement goes and what it says; none if it cannot be said.
pub fn calldata(site: &Site, request: &SettlementRequest) -> Option<(Address, Bytes)> {
    let actions = request.actions.iter().map(|side| on_chain(&side.action)).collect();
    let signatures: Vec<Bytes> =
        request.actions.iter().map(|side| hex::decode(&side.signature).ok().map(Bytes::from)).collect::<Option<_>>()?;
    let fills: Vec<Fill> = request.actions.iter().map(fill).collect::<Option<_>>()?;
    let prices = prices(site, request)?;
    // Both sides of an execution are of the same legs.
    let legs =
        request.actions.first().map(|side| Bytes::copy_from_slice(&side.extra_data)).filter(|legs| !legs.is_empty());
    let data = Bytes::from(match legs {
        Some(legs) => (fills, prices, legs).abi_encode_params(),
        None => (fills, prices).abi_encode_params(),
    });
    if !request.actions.iter().any(|side| side.atomic) {
        let call = Settlement::verifyAndMatchCall { actions, signatures, data };
        return Some((site.matching, call.abi_encode().into()));
    }
    let atomic = request
        .actions
        .iter()
        .map(|side| AtomicAction { isAtomic: side.atomic, extraData: Bytes::copy_from_slice(&side.extra_data) });
    let call = Settlement::atomicVerifyAndMatchCall { actions, signatures, data, atomic: atomic.collect() };
    Some((site.atomic_executor?, call.abi_encode().into()))
}

fn on_chain(action: &Action) -> SignedAction {
    SignedAction {
        subaccountId: U256::from(action.subaccount),
        nonce: U256::from(action.nonce),
        module: action.module,
        data: Bytes::copy_from_slice(&action.data),
        expiry: U256::from(action.expiry),
        owner: action.owner,
        signer: action.signer,
    }
}

fn fill(side: &SettlementAction) -> Option<Fill> {
    Some(Fill { amount: e18(side.filled)?, price: e18(side.price)?, fee: e18(side.fee.max(Decimal::ZERO))? })
}

/// The marks it was matched at, if the chain wants any.
fn prices(site: &Site, request: &SettlementRequest) -> Option<Prices> {
    let Some(names) = &site.prices else { return Some(Prices { spot: U256::ZERO, perp: U256::ZERO }) };
    let mark = |name: &str| request.marks.iter().find(|(known, _)| **known == *name).and_then(|(_, mark)| e18(*mark));
    let [spot, perp] = names;
    Some(Prices { spot: mark(spot)?, perp: mark(perp)? })
}

/// An amount with 18 decimals.
fn e18(amount: Decimal) -> Option<U256> {
    let mut amount = amount;
    amount.rescale(18);
    u128::try_from(amount.mantissa()).ok().filter(|_| amount.scale() == 18).map(U256::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_eighteen_decimals() {
        for (text, want) in
            [("1", "1000000000000000000"), ("0.05", "50000000000000000"), ("2.500", "2500000000000000000")]
        {
            let amount: Decimal = text.parse().expect("literal");
            assert_eq!(e18(amount).map(|word| word.to_string()), Some(want.to_owned()), "{text}");
        }
        assert_eq!(e18(Decimal::NEGATIVE_ONE), None);
    }

    #[test]
    fn a_node_that_is_not_there_is_told_by_address() {
        // The discard port of this machine: nothing listens, nothing leaves.
        let site = Site {
            rpc_url: "http://127.0.0.1:9/".to_owned(),
            chain_id: 957,
            matching: Address::ZERO,
            atomic_executor: None,
            prices: None,
            gas_limit: 1,
        };
        let key = crate::io::key::LocalKey::from_bytes(&mut [1; 32]).expect("a key");
        assert!(OnChain::connect(site, key).is_err());
    }
}
