//! An Ethereum node, asked over HTTP: what a vault's signer needs of it and nothing else.

use super::lane::{Fees, Head, Inclusion, SendFault, WAITING_MAX};
use super::refusal::Refusal;
use crate::engine::ports::Key;
use alloy::consensus::{SignableTransaction, TxEip1559};
use alloy::eips::BlockNumberOrTag;
use alloy::eips::eip2718::Encodable2718;
use alloy::network::TransactionBuilder;
use alloy::primitives::{Address, B256, Bytes, Signature, TxKind, U256};
use alloy::providers::{DynProvider, Provider, ProviderBuilder};
use alloy::rpc::types::{Filter, TransactionRequest};
use alloy::sol_types::SolCall;
use alloy::transports::{RpcError, TransportErrorKind};
use std::fmt;
use std::time::Duration;

/// What came of a call that wanted an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallError {
    /// The contract reverted.
    Reverted(Refusal),
    /// The node did not answer, or not in the form promised.
    Node(String),
    /// The node answered with a number that no chain of ours can have.
    Absurd(String),
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallError::Reverted(refusal) => write!(f, "reverted: {refusal}"),
            CallError::Node(why) | CallError::Absurd(why) => write!(f, "node: {why}"),
        }
    }
}

impl std::error::Error for CallError {}

/// A transaction, signed.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// Its hash.
    pub hash: B256,
    /// Its wire form.
    pub raw: Bytes,
}

/// A transaction in a block.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// Its hash.
    pub hash: B256,
    /// Where it is.
    pub inclusion: Inclusion,
    /// Gas it used.
    pub gas_used: u64,
    /// What each unit cost, wei.
    pub price_wei: u128,
}

/// An event in a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emitted {
    /// Height of its block.
    pub block: u64,
    /// Topics, of which there is at least one.
    pub topics: Vec<B256>,
    /// Everything that is not a topic.
    pub data: Bytes,
}

/// Longest wait for an answer; a node that is slower has not answered.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// Highest block and count of an account's transactions believed.
const NUMBER_MAX: u64 = 1 << 48;
/// Latest time of a block believed, Unix seconds.
const TIME_S_MAX: u64 = 1 << 40;
/// Most gas of one transaction believed.
const GAS_MAX: u64 = 1 << 32;
/// Highest price of gas believed, wei.
const PRICE_WEI_MAX: u128 = 1 << 64;

/// A number from a node, unless it is absurd: what we do with it is arithmetic.
fn sane<N: PartialOrd + fmt::Display>(what: &str, found: N, most: N) -> Result<N, CallError> {
    if found > most {
        return Err(CallError::Absurd(format!("{what} {found}, where at most {most} is believed")));
    }
    Ok(found)
}

/// A text about the node at `rpc_url` without the path and query, where providers put their access keys.
pub fn veiled(rpc_url: &str, text: &str) -> String {
    let rest = rpc_url.split_once("://").map_or(rpc_url, |(_, rest)| rest);
    match rest.find(['/', '?']).map(|at| &rest[at..]).filter(|path| path.len() > 1) {
        Some(path) => text.replace(path, &format!("{}…", &path[..1])),
        None => text.to_owned(),
    }
}

/// A client of the node at `rpc_url`; nothing is sent yet.
pub fn over_http(rpc_url: &str) -> Result<DynProvider, String> {
    over_http_within(rpc_url, ANSWER_MAX)
}

fn over_http_within(rpc_url: &str, answer_max: Duration) -> Result<DynProvider, String> {
    // The provider's HTTP client asks for a TLS provider of the process; who comes second finds it done.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let url = rpc_url.parse().map_err(|why| veiled(rpc_url, &format!("{rpc_url}: {why}")))?;
    let client = reqwest::Client::builder().timeout(answer_max).build().map_err(|why| why.to_string())?;
    Ok(ProviderBuilder::new().connect_reqwest(client, url).erased())
}

/// One node and the chain behind it.
#[derive(Clone)]
pub struct Node {
    provider: DynProvider,
    rpc_url: String,
    chain_id: u64,
}

impl Node {
    /// Connects, and refuses a node of another chain than `chain_id`.
    pub async fn connect(rpc_url: &str, chain_id: u64) -> Result<Node, CallError> {
        let provider = over_http(rpc_url).map_err(CallError::Node)?;
        let node = Node { provider, rpc_url: rpc_url.to_owned(), chain_id };
        let found = node.provider.get_chain_id().await.map_err(|why| node.silent(&why))?;
        if found != chain_id {
            let what = format!("{rpc_url} serves chain {found}, configured is {chain_id}");
            return Err(CallError::Node(veiled(rpc_url, &what)));
        }
        Ok(node)
    }

    /// The newest block.
    pub async fn head(&self) -> Result<(Head, B256), CallError> {
        let block =
            self.provider.get_block_by_number(BlockNumberOrTag::Latest).await.map_err(|why| self.silent(&why))?;
        let header = block.ok_or_else(|| CallError::Node("no latest block".to_owned()))?.header;
        let head = Head {
            number: sane("block number", header.number, NUMBER_MAX)?,
            time_s: sane("block time", header.timestamp, TIME_S_MAX)?,
            base_fee_wei: header.base_fee_per_gas.unwrap_or_default().into(),
        };
        Ok((head, header.hash))
    }

    /// The newest block, if it is not the one seen last.
    pub async fn next_head(&self, seen: &mut Option<B256>) -> Result<Option<Head>, CallError> {
        let (head, hash) = self.head().await?;
        Ok((seen.replace(hash) != Some(hash)).then_some(head))
    }

    /// A view call at the newest block.
    pub async fn view<C: SolCall>(&self, to: Address, call: C) -> Result<C::Return, CallError> {
        self.ask(to, call, BlockNumberOrTag::Latest).await
    }

    /// A view call at the block of this height.
    pub async fn view_at<C: SolCall>(&self, to: Address, call: C, block: u64) -> Result<C::Return, CallError> {
        self.ask(to, call, BlockNumberOrTag::Number(block)).await
    }

    /// A view call at the newest block, its answer undecoded.
    pub async fn view_bytes<C: SolCall>(&self, to: Address, call: C) -> Result<Bytes, CallError> {
        self.ask_bytes(to, &call, BlockNumberOrTag::Latest).await
    }

    async fn ask_bytes<C: SolCall>(&self, to: Address, call: &C, block: BlockNumberOrTag) -> Result<Bytes, CallError> {
        let request = TransactionRequest::default().with_to(to).with_input(call.abi_encode());
        self.provider.call(request).block(block.into()).await.map_err(|why| self.reverted(&why))
    }

    async fn ask<C: SolCall>(&self, to: Address, call: C, block: BlockNumberOrTag) -> Result<C::Return, CallError> {
        let bytes = self.ask_bytes(to, &call, block).await?;
        C::abi_decode_returns(&bytes).map_err(|why| CallError::Node(format!("{}: {why}", C::SIGNATURE)))
    }

    /// Executes calldata without a transaction, as `from`, with the gas a transaction would have.
    pub async fn shadow(&self, from: Address, to: Address, data: Bytes, gas: u64) -> Result<(), CallError> {
        let request = TransactionRequest::default().with_from(from).with_to(to).with_input(data).with_gas_limit(gas);
        self.provider.call(request).await.map(|_| ()).map_err(|why| self.reverted(&why))
    }

    /// The events of `contract` that begin with one of `first`, in blocks `from` to `upto`, in their order.
    pub async fn events(
        &self,
        contract: Address,
        first: &[B256],
        from: u64,
        upto: u64,
    ) -> Result<Vec<Emitted>, CallError> {
        let filter = Filter::new().address(contract).event_signature(first.to_vec()).from_block(from).to_block(upto);
        let logs = self.provider.get_logs(&filter).await.map_err(|why| self.silent(&why))?;
        let taken = logs.into_iter().filter_map(|log| {
            Some(Emitted { block: log.block_number?, topics: log.topics().to_vec(), data: log.inner.data.data })
        });
        Ok(taken.filter(|event| !event.topics.is_empty()).collect())
    }

    /// Transactions of `account` in blocks, and with those waiting.
    pub async fn counts(&self, account: Address) -> Result<(u64, u64), CallError> {
        let mined = self.provider.get_transaction_count(account).await.map_err(|why| self.silent(&why))?;
        let pending = self.provider.get_transaction_count(account).pending().await.map_err(|why| self.silent(&why))?;
        sane("count of transactions in blocks", mined, NUMBER_MAX)?;
        sane("count of transactions waiting", pending.saturating_sub(mined), WAITING_MAX)?;
        Ok((mined, pending))
    }

    /// Balance of `account`, wei.
    pub async fn balance(&self, account: Address) -> Result<U256, CallError> {
        self.provider.get_balance(account).await.map_err(|why| self.silent(&why))
    }

    /// The first of these transactions that is in a block.
    pub async fn receipt(&self, hashes: &[B256]) -> Result<Option<Found>, CallError> {
        for hash in hashes {
            let Some(receipt) = self.provider.get_transaction_receipt(*hash).await.map_err(|why| self.silent(&why))?
            else {
                continue;
            };
            if let (Some(block), Some(block_hash)) = (receipt.block_number, receipt.block_hash) {
                let block = sane("block of a receipt", block, NUMBER_MAX)?;
                let inclusion = Inclusion { block, block_hash, succeeded: receipt.status() };
                let gas_used = sane("gas of a receipt", receipt.gas_used, GAS_MAX)?;
                let price_wei = sane("gas price of a receipt", receipt.effective_gas_price, PRICE_WEI_MAX)?;
                return Ok(Some(Found { hash: *hash, inclusion, gas_used, price_wei }));
            }
        }
        Ok(None)
    }

    /// Signs a transaction of type 2 for this chain.
    pub fn seal(&self, key: &mut dyn Key, draft: &Draft) -> Result<Sealed, CallError> {
        let transaction = TxEip1559 {
            chain_id: self.chain_id,
            nonce: draft.nonce,
            gas_limit: draft.gas_limit,
            max_fee_per_gas: draft.fees.max_wei,
            max_priority_fee_per_gas: draft.fees.tip_wei,
            to: TxKind::Call(draft.to),
            input: draft.data.clone(),
            ..TxEip1559::default()
        };
        let signature = key.sign(&transaction.signature_hash().0);
        let signature = Signature::from_raw_array(&signature).map_err(|why| CallError::Node(format!("key: {why}")))?;
        let signed = transaction.into_signed(signature);
        Ok(Sealed { hash: *signed.hash(), raw: signed.encoded_2718().into() })
    }

    /// Offers a transaction.
    pub async fn offer(&self, sealed: &Sealed) -> Option<SendFault> {
        let outcome = self.provider.send_raw_transaction(&sealed.raw).await;
        outcome.err().map(|why| send_fault(&veiled(&self.rpc_url, &why.to_string())))
    }

    fn silent(&self, why: &RpcError<TransportErrorKind>) -> CallError {
        CallError::Node(veiled(&self.rpc_url, &why.to_string()))
    }

    /// A failed call is a revert when the node hands out revert data or says so.
    fn reverted(&self, why: &RpcError<TransportErrorKind>) -> CallError {
        let Some(payload) = why.as_error_resp() else { return self.silent(why) };
        match payload.as_revert_data() {
            Some(data) => CallError::Reverted(Refusal::decode(&data)),
            None if payload.message.contains("revert") => CallError::Reverted(Refusal::Bare),
            None => self.silent(why),
        }
    }
}

/// A transaction before it is signed.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Nonce of the account.
    pub nonce: u64,
    /// Receiver.
    pub to: Address,
    /// Calldata.
    pub data: Bytes,
    /// Gas it may use.
    pub gas_limit: u64,
    /// Price of gas.
    pub fees: Fees,
}

/// Nodes differ in their words; these are geth's, reth's and anvil's.
fn send_fault(text: &str) -> SendFault {
    let lower = text.to_lowercase();
    let says = |part: &str| lower.contains(part);
    if says("already known") || says("already imported") {
        SendFault::Known
    } else if says("nonce too low") || says("nonce is too low") {
        SendFault::NonceLow
    } else if says("underpriced") || says("less than block base fee") {
        SendFault::Underpriced
    } else if says("insufficient funds") {
        SendFault::Funds
    } else {
        SendFault::Other(text.chars().take(200).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[tokio::test]
    async fn a_node_that_never_answers_is_given_up() {
        // It accepts, and that is all.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback is free");
        let url = format!("http://{}", silent.local_addr().expect("bound"));
        let provider = over_http_within(&url, Duration::from_millis(20)).expect("a URL");
        assert!(provider.get_chain_id().await.is_err());
    }

    #[tokio::test]
    async fn no_error_repeats_an_access_key() {
        // The discard port of this machine: nothing listens, nothing leaves.
        for url in [
            "http://127.0.0.1:9/v2/open-sesame",
            "http://127.0.0.1:9/?key=open-sesame",
            "http://127.0.0.1:9?key=open-sesame",
            "nonsense/open-sesame",
        ] {
            let why = Node::connect(url, 1).await.err().map(|why| why.to_string()).unwrap_or_default();
            assert!(why.contains('…') && !why.contains("sesame"), "{why}");
        }
        assert_eq!(veiled("http://127.0.0.1:9", "http://127.0.0.1:9/ is down"), "http://127.0.0.1:9/ is down");
    }

    /// A node that answers each method with the same result.
    async fn answering(result: impl Fn(&str) -> Value + Clone + Send + Sync + 'static) -> Node {
        let reply = move |body: axum::Json<Value>| async move {
            let method = body["method"].as_str().unwrap_or_default().to_owned();
            axum::Json(json!({ "jsonrpc": "2.0", "id": body["id"], "result": result(&method) }))
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback is free");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let app = axum::Router::new().fallback(reply);
        tokio::spawn(async move { axum::serve(listener, app).await });
        Node::connect(&url, 1).await.expect("chain 1")
    }

    fn header(number: &str, time: &str, fee: &str) -> Value {
        let zeros = |bytes: usize| format!("0x{}", "00".repeat(bytes));
        json!({
            "hash": zeros(32), "parentHash": zeros(32), "sha3Uncles": zeros(32), "miner": zeros(20), "stateRoot": zeros(32),
            "transactionsRoot": zeros(32), "receiptsRoot": zeros(32), "logsBloom": zeros(256), "difficulty": "0x0",
            "number": number, "gasLimit": "0x1", "gasUsed": "0x0", "timestamp": time, "extraData": "0x",
            "mixHash": zeros(32), "nonce": zeros(8), "baseFeePerGas": fee, "transactions": [], "uncles": [],
        })
    }

    fn receipt(block: &str, gas: &str, price: &str) -> Value {
        let zeros = |bytes: usize| format!("0x{}", "00".repeat(bytes));
        json!({
            "type": "0x2", "status": "0x1", "cumulativeGasUsed": gas, "logs": [], "logsBloom": zeros(256),
            "transactionHash": zeros(32), "transactionIndex": "0x0", "blockHash": zeros(32), "blockNumber": block,
            "gasUsed": gas, "effectiveGasPrice": price, "from": zeros(20), "to": zeros(20), "contractAddress": null,
        })
    }

    /// What a node says of block, counts and a receipt comes to this.
    async fn judged(
        block: [&'static str; 3],
        counts: [&'static str; 2],
        mined: [&'static str; 3],
    ) -> [Option<String>; 3] {
        let (first, calls) = (counts, std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0)));
        let node = answering(move |method| match method {
            "eth_chainId" => json!("0x1"),
            "eth_getBlockByNumber" => header(block[0], block[1], block[2]),
            "eth_getTransactionCount" => json!(first[calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % 2]),
            "eth_getTransactionReceipt" => receipt(mined[0], mined[1], mined[2]),
            other => json!(format!("no method {other}")),
        })
        .await;
        let why = |error: CallError| error.to_string();
        [
            node.head().await.err().map(why),
            node.counts(Address::ZERO).await.err().map(why),
            node.receipt(&[B256::ZERO]).await.err().map(why),
        ]
    }

    #[tokio::test]
    async fn absurd_numbers_are_refused_at_the_border() {
        let (block, counts, mined) = (["0x10", "0x6a000000", "0x3b9aca00"], ["0x5", "0x6"], ["0x10", "0x5208", "0x1"]);
        assert_eq!(judged(block, counts, mined).await, [None, None, None]);
        // What is believed at most is believed.
        let (most, time) = ("0x1000000000000", "0x10000000000");
        let edge =
            judged([most, time, "0xffffffffffffffff"], ["0x0", "0x400"], [most, "0x100000000", "0x10000000000000000"]);
        assert_eq!(edge.await, [None, None, None]);
        // A node that knows less of the pool than of the chain is behind, not absurd.
        assert_eq!(judged(block, ["0x6", "0x5"], mined).await[1], None);
        let huge = "0xffffffffffffffff";
        for (block, counts, mined, at, what) in [
            (
                [huge, "0x1", "0x1"],
                counts,
                mined,
                0,
                "node: block number 18446744073709551615, where at most 281474976710656",
            ),
            (["0x1", huge, "0x1"], counts, mined, 0, "node: block time "),
            (block, [huge, huge], mined, 1, "node: count of transactions in blocks "),
            (
                block,
                ["0x0", huge],
                mined,
                1,
                "node: count of transactions waiting 18446744073709551615, where at most 1024",
            ),
            (block, counts, ["0x1000000000001", "0x1", "0x1"], 2, "node: block of a receipt "),
            (block, counts, ["0x1", huge, "0x1"], 2, "node: gas of a receipt "),
            (block, counts, ["0x1", "0x1", "0xffffffffffffffffffffffffffffffff"], 2, "node: gas price of a receipt "),
        ] {
            let said = judged(block, counts, mined).await[at].clone().unwrap_or_default();
            assert!(said.starts_with(what), "{said}, not {what}");
        }
    }

    #[test]
    fn faults_are_read_from_the_words_nodes_use() {
        let table = [
            ("error code -32000: already known", SendFault::Known),
            ("error code -32003: transaction already imported", SendFault::Known),
            ("nonce too low: next nonce 7, tx nonce 6", SendFault::NonceLow),
            ("Nonce is too low", SendFault::NonceLow),
            ("replacement transaction underpriced", SendFault::Underpriced),
            ("max fee per gas less than block base fee: address 0x1", SendFault::Underpriced),
            ("insufficient funds for gas * price + value", SendFault::Funds),
            ("Insufficient funds for gas * price + value", SendFault::Funds),
            ("connection refused", SendFault::Other("connection refused".to_owned())),
        ];
        for (text, fault) in table {
            assert_eq!(send_fault(text), fault, "{text}");
        }
    }
}
