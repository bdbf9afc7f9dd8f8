//! A local Ethereum JSON-RPC endpoint that serves three Chainlink rate feeds, for clients that know nothing of it.
//!
//! It answers what reading a feed takes, now and back in time: chain id, block number and header, and `eth_call` on the
//! aggregators, whose past rounds can be read one by one. There is no state, no transaction and no signature behind it; every other method is refused by name.

use super::serving::Serving;
use abi::{
    decimalsCall, descriptionCall, getRoundDataCall, latestAnswerCall, latestRoundCall, latestRoundDataCall,
    latestRoundDataReturn, latestTimestampCall, versionCall,
};
use alloy::primitives::{Address, B256, Bytes, I256, U256, address, keccak256};
use alloy::sol_types::SolCall;
use axum::Router;
use axum::body::Bytes as Body;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Chainlink's weETH/ETH rate feed on Ethereum mainnet: 18 decimals, heartbeat 24 h, deviation 0.5 %.
pub const WEETH_ETH_FEED: Address = address!("0x5c9C449BbC9a6075A2c061dF312a35fd1E05fF22");
/// Chainlink's LBTC/BTC rate feed on Ethereum mainnet: 8 decimals, heartbeat 24 h, deviation 0.5 %.
pub const LBTC_BTC_FEED: Address = address!("0x5c29868C58b6e15e2b962943278969Ab6a7D3212");
/// Where this endpoint serves the sUSDe/USDe rate, 18 decimals. Chainlink publishes no such feed on mainnet, so the
/// address is this endpoint's own.
pub const SUSDE_USDE_FEED: Address = address!("0x000000000000000000000000000000000005d5de");

/// Number of feeds.
pub const FEEDS: usize = 3;
/// Rounds kept of a feed; older ones revert as unknown.
pub const ROUNDS_MAX: usize = 1_024;
/// Longest time between two rounds of a feed, in seconds.
pub const HEARTBEAT_S: u64 = 86_400;
/// Change of the answer that starts a round at once, in basis points.
pub const DEVIATION_BPS: i64 = 50;

/// Seconds of one block.
const BLOCK_S: u64 = 12;
/// Number of the first block the endpoint knows.
const FIRST_BLOCK: u64 = 23_800_000;
/// Requests in one batch.
const BATCH_MAX: usize = 100;
/// Bytes of one HTTP body.
const BODY_BYTES_MAX: usize = 256 << 10;
/// Proxies number rounds `phase << 64 | round`; ours are all of the first phase.
const PHASE: u128 = 1 << 64;

mod abi {
    alloy::sol! {
        function latestRoundData() external view returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound);
        function getRoundData(uint80 wanted) external view returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound);
        function latestAnswer() external view returns (int256 answer);
        function latestRound() external view returns (uint256 roundId);
        function latestTimestamp() external view returns (uint256 updatedAt);
        function decimals() external view returns (uint8 decimals);
        function description() external view returns (string text);
        function version() external view returns (uint256 version);
    }
}

/// One round of a feed: when it was reported, unix seconds, and what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round {
    /// Unix seconds.
    pub updated_s: u64,
    /// The ratio.
    pub answer: Decimal,
}

/// One feed and its rounds, oldest first; never without one.
#[derive(Clone, Debug)]
struct Feed {
    address: Address,
    decimals: u8,
    description: &'static str,
    /// Number of the newest round; the first of all is 1.
    newest: u64,
    rounds: VecDeque<Round>,
}

/// What the endpoint knows; the world writes it, requests read it.
#[derive(Debug)]
struct Chain {
    chain_id: u64,
    start_s: u64,
    now_s: u64,
    feeds: [Feed; FEEDS],
}

/// Where the world reports ratios.
#[derive(Clone, Debug)]
pub struct Reporter {
    chain: Arc<Mutex<Chain>>,
}

impl Reporter {
    /// Moves the chain's clock and starts a round on each feed whose ratio (weETH/ETH, LBTC/BTC, sUSDe/USDe) has deviated or
    /// whose heartbeat is due.
    pub fn report(&self, now_s: u64, ratios: [Decimal; FEEDS]) {
        let mut chain = lock(&self.chain);
        chain.now_s = chain.now_s.max(now_s);
        let now_s = chain.now_s;
        for (feed, ratio) in chain.feeds.iter_mut().zip(ratios) {
            feed.observe(now_s, ratio);
        }
    }
}

/// A poisoned lock guards plain numbers that are written whole, so they are still good.
fn lock(chain: &Mutex<Chain>) -> MutexGuard<'_, Chain> {
    chain.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts the endpoint on `listen` (port 0 picks a free port) at `now_s`, unix seconds, with the past rounds of each
/// feed, oldest first; a feed without any starts with a round of one at `now_s`.
pub fn spawn(
    listen: SocketAddr,
    chain_id: u64,
    now_s: u64,
    past: [Vec<Round>; FEEDS],
) -> std::io::Result<(Serving, Reporter)> {
    let chain = Arc::new(Mutex::new(Chain::new(chain_id, now_s, past)));
    let router =
        Router::new().route("/", post(answer)).layer(DefaultBodyLimit::max(BODY_BYTES_MAX)).with_state(chain.clone());
    Ok((Serving::spawn("chainlink-rpc", listen, router)?, Reporter { chain }))
}

async fn answer(State(chain): State<Arc<Mutex<Chain>>>, body: Body) -> Response {
    let reply = lock(&chain).handle(&body);
    ([(CONTENT_TYPE, "application/json")], reply.map(|value| value.to_string()).unwrap_or_default()).into_response()
}

impl Feed {
    fn last(&self) -> Round {
        self.rounds.back().copied().unwrap_or(Round { updated_s: 0, answer: Decimal::ZERO })
    }

    fn observe(&mut self, now_s: u64, ratio: Decimal) {
        let last = self.last();
        let moved_bps = if last.answer.is_zero() {
            Decimal::MAX
        } else {
            ((ratio - last.answer) / last.answer).abs() * Decimal::from(10_000)
        };
        let due = now_s >= last.updated_s + HEARTBEAT_S;
        if due || moved_bps >= Decimal::from(DEVIATION_BPS) {
            self.newest += 1;
            self.rounds.push_back(Round { updated_s: now_s, answer: ratio });
            while self.rounds.len() > ROUNDS_MAX {
                self.rounds.pop_front();
            }
        }
    }

    fn raw(&self, answer: Decimal) -> I256 {
        let mut scaled = answer.round_dp(u32::from(self.decimals));
        scaled.rescale(u32::from(self.decimals));
        I256::try_from(scaled.mantissa()).unwrap_or(I256::ZERO)
    }

    /// The round of a number, as the interface returns it; `None` if it is not known, on which Chainlink reverts with
    /// "No data present".
    fn round(&self, number: u64) -> Option<latestRoundDataReturn> {
        let back = usize::try_from(self.newest.checked_sub(number)?).ok()?;
        let round = self.rounds.get(self.rounds.len().checked_sub(back + 1)?)?;
        let id = alloy::primitives::aliases::U80::from(PHASE | u128::from(number));
        let updated = U256::from(round.updated_s);
        Some(latestRoundDataReturn {
            roundId: id,
            answer: self.raw(round.answer),
            startedAt: updated,
            updatedAt: updated,
            answeredInRound: id,
        })
    }

    /// The ABI-encoded result, or `None` if the call reverts.
    fn call(&self, input: &[u8]) -> Option<Vec<u8>> {
        let selector: [u8; 4] = input.get(..4)?.try_into().ok()?;
        let data = self.round(self.newest)?;
        let (id, updated) = (U256::from(PHASE | u128::from(self.newest)), data.updatedAt);
        Some(match selector {
            latestRoundDataCall::SELECTOR => latestRoundDataCall::abi_encode_returns(&data),
            getRoundDataCall::SELECTOR => {
                let wanted: u128 = getRoundDataCall::abi_decode(input).ok()?.wanted.to();
                let number = u64::try_from(wanted.checked_sub(PHASE)?).ok()?;
                latestRoundDataCall::abi_encode_returns(&self.round(number)?)
            }
            latestAnswerCall::SELECTOR => latestAnswerCall::abi_encode_returns(&data.answer),
            latestRoundCall::SELECTOR => latestRoundCall::abi_encode_returns(&id),
            latestTimestampCall::SELECTOR => latestTimestampCall::abi_encode_returns(&updated),
            decimalsCall::SELECTOR => decimalsCall::abi_encode_returns(&self.decimals),
            descriptionCall::SELECTOR => descriptionCall::abi_encode_returns(&self.description.to_owned()),
            versionCall::SELECTOR => versionCall::abi_encode_returns(&U256::from(6)),
            _ => return None,
        })
    }
}

/// A JSON-RPC error: code and message.
type RpcError = (i64, String);

impl Chain {
    fn new(chain_id: u64, now_s: u64, past: [Vec<Round>; FEEDS]) -> Chain {
        let [weeth, lbtc, susde] = past.map(VecDeque::from).map(|mut rounds| {
            if rounds.is_empty() {
                rounds.push_back(Round { updated_s: now_s, answer: Decimal::ONE });
            }
            rounds
        });
        let feed = |address, decimals, description, rounds: VecDeque<Round>| Feed {
            address,
            decimals,
            description,
            newest: rounds.len() as u64,
            rounds,
        };
        let feeds = [
            feed(WEETH_ETH_FEED, 18, "weETH / ETH", weeth),
            feed(LBTC_BTC_FEED, 8, "LBTC / BTC", lbtc),
            feed(SUSDE_USDE_FEED, 18, "sUSDe / USDe", susde),
        ];
        Chain { chain_id, start_s: now_s, now_s, feeds }
    }

    /// One HTTP body: a request or a batch. `None` if it holds notifications only.
    fn handle(&self, body: &[u8]) -> Option<Value> {
        let Ok(request) = serde_json::from_slice::<Value>(body) else {
            return Some(failure(&Value::Null, (-32_700, "parse error".into())));
        };
        let Value::Array(batch) = request else { return self.one(&request) };
        if batch.is_empty() || batch.len() > BATCH_MAX {
            return Some(failure(&Value::Null, (-32_600, format!("a batch holds 1 to {BATCH_MAX} requests"))));
        }
        let replies: Vec<Value> = batch.iter().filter_map(|request| self.one(request)).collect();
        (!replies.is_empty()).then_some(Value::Array(replies))
    }

    fn one(&self, request: &Value) -> Option<Value> {
        let (Some(object), Some(method)) = (request.as_object(), request["method"].as_str()) else {
            return Some(failure(&Value::Null, (-32_600, "invalid request: expected an object with a method".into())));
        };
        // A request without id is a notification and gets no reply.
        let id = object.get("id")?;
        Some(match self.result(method, &request["params"]) {
            Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
            Err(error) => failure(id, error),
        })
    }

    fn result(&self, method: &str, params: &Value) -> Result<Value, RpcError> {
        match method {
            "eth_chainId" => Ok(json!(hex(self.chain_id))),
            "net_version" => Ok(json!(self.chain_id.to_string())),
            "web3_clientVersion" => Ok(json!("keel/embedded-chain")),
            "eth_blockNumber" => Ok(json!(hex(self.head()))),
            "eth_getBlockByNumber" => self.block(params),
            "eth_getCode" => {
                let code = if self.feed(&params[0])?.is_some() { "0x00" } else { "0x" };
                Ok(json!(code))
            }
            "eth_call" => self.call(params),
            _ => Err((-32_601, format!("the method {method} does not exist/is not available"))),
        }
    }

    fn head(&self) -> u64 {
        FIRST_BLOCK + (self.now_s - self.start_s) / BLOCK_S
    }

    fn feed(&self, to: &Value) -> Result<Option<&Feed>, RpcError> {
        let to: Address =
            to.as_str().and_then(|text| text.parse().ok()).ok_or_else(|| invalid("expected a 20-byte address"))?;
        Ok(self.feeds.iter().find(|feed| feed.address == to))
    }

    fn call(&self, params: &Value) -> Result<Value, RpcError> {
        let input = params[0].get("input").or_else(|| params[0].get("data"));
        let input: Bytes = match input {
            None | Some(Value::Null) => Bytes::new(),
            Some(value) => {
                value.as_str().and_then(|text| text.parse().ok()).ok_or_else(|| invalid("expected input as hex"))?
            }
        };
        match self.feed(&params[0]["to"])? {
            // The EVM's answer for an address without code.
            None => Ok(json!("0x")),
            Some(feed) => match feed.call(&input) {
                Some(output) => Ok(json!(Bytes::from(output))),
                None => Err((3, "execution reverted".into())),
            },
        }
    }

    fn block(&self, params: &Value) -> Result<Value, RpcError> {
        let number = match params[0].as_str() {
            Some("latest" | "safe" | "finalized" | "pending") => self.head(),
            Some("earliest") => FIRST_BLOCK,
            Some(text) => text
                .strip_prefix("0x")
                .and_then(|digits| u64::from_str_radix(digits, 16).ok())
                .ok_or_else(|| invalid("expected a block number as hex or a block tag"))?,
            None => return Err(invalid("missing value for required argument 0")),
        };
        if !(FIRST_BLOCK..=self.head()).contains(&number) {
            return Ok(Value::Null);
        }
        Ok(self.header(number))
    }

    /// A block without transactions. Hashes are those of the number, so that parent and child agree.
    fn header(&self, number: u64) -> Value {
        let hash = |n: u64| keccak256(n.to_be_bytes());
        let empty_root = alloy::primitives::b256!("0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421");
        let no_uncles = alloy::primitives::b256!("0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347");
        json!({
            "number": hex(number),
            "hash": hash(number),
            "parentHash": hash(number - 1),
            "timestamp": hex(self.start_s + (number - FIRST_BLOCK) * BLOCK_S),
            "sha3Uncles": no_uncles,
            "miner": Address::ZERO,
            "stateRoot": empty_root,
            "transactionsRoot": empty_root,
            "receiptsRoot": empty_root,
            "logsBloom": Bytes::from(vec![0u8; 256]),
            "difficulty": "0x0",
            "gasLimit": "0x2255100",
            "gasUsed": "0x0",
            "extraData": "0x",
            "mixHash": B256::ZERO,
            "nonce": "0x0000000000000000",
            "baseFeePerGas": "0x3b9aca00",
            "size": "0x21d",
            "uncles": [],
            "transactions": [],
        })
    }
}

fn invalid(what: &str) -> RpcError {
    (-32_602, format!("invalid params: {what}"))
}

fn hex(value: u64) -> String {
    format!("{value:#x}")
}

fn failure(id: &Value, (code, message): RpcError) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain() -> Chain {
        let first = |answer| vec![Round { updated_s: 1_000_000, answer }];
        let ratios = [Decimal::new(10_712, 4), Decimal::new(10_035, 4), Decimal::new(118, 2)];
        Chain::new(31_337, 1_000_000, ratios.map(first))
    }

    fn ask(chain: &Chain, body: &str) -> Value {
        chain.handle(body.as_bytes()).expect("a reply")
    }

    #[test]
    fn rounds_start_on_deviation_and_heartbeat_only() {
        let mut feed = chain().feeds[0].clone();
        // (seconds later, ratio, round then)
        let table = [
            (1, "1.0712", 1),
            (10, "1.0765", 1),
            (20, "1.0766", 2), // 50.4 bp from 1.0712
            (30, "1.0713", 2),
            (40, "1.0712", 3),
            (40 + HEARTBEAT_S - 1, "1.0712", 3),
            (40 + HEARTBEAT_S, "1.0712", 4),
        ];
        for (later_s, ratio, round) in table {
            feed.observe(1_000_000 + later_s, ratio.parse().expect("a ratio"));
            assert_eq!(feed.newest, round, "{later_s} {ratio}");
        }
    }

    #[test]
    fn answers_have_the_feeds_decimals() {
        let chain = chain();
        let answer = |feed: usize| chain.feeds[feed].round(1).map(|round| round.answer.to_string());
        assert_eq!(answer(0).as_deref(), Some("1071200000000000000"));
        assert_eq!(answer(1).as_deref(), Some("100350000"));
        assert_eq!(answer(2).as_deref(), Some("1180000000000000000"));
    }

    #[test]
    fn past_rounds_can_be_read_until_they_are_too_old() {
        let mut feed = chain().feeds[2].clone();
        for day in 1..=ROUNDS_MAX as u64 + 9 {
            feed.observe(1_000_000 + day * HEARTBEAT_S, Decimal::new(118_000 + day as i64, 5));
        }
        let newest = feed.newest;
        assert_eq!(feed.rounds.len(), ROUNDS_MAX);
        let week_ago = feed.round(newest - 7).expect("kept");
        assert_eq!(feed.round(newest).expect("kept").updatedAt - week_ago.updatedAt, U256::from(7 * HEARTBEAT_S));
        let ask = |number: u64| {
            let wanted = alloy::primitives::aliases::U80::from(PHASE | u128::from(number));
            feed.call(&getRoundDataCall { wanted }.abi_encode())
        };
        let data = latestRoundDataCall::abi_decode_returns(&ask(newest - 7).expect("kept")).expect("abi");
        assert_eq!(data.answer, week_ago.answer);
        for unknown in [0, newest - ROUNDS_MAX as u64, newest + 1, u64::MAX] {
            assert!(ask(unknown).is_none(), "{unknown}");
        }
    }

    #[test]
    fn bad_requests_get_the_standard_errors() {
        let chain = chain();
        let table = [
            ("{", -32_700),
            ("[]", -32_600),
            ("7", -32_600),
            (r#"{"id":1}"#, -32_600),
            (r#"{"id":1,"method":"eth_sendRawTransaction","params":["0x00"]}"#, -32_601),
            (r#"{"id":1,"method":"eth_call","params":[{"to":"0x12"}]}"#, -32_602),
            (r#"{"id":1,"method":"eth_call"}"#, -32_602),
            (r#"{"id":1,"method":"eth_getBlockByNumber","params":["soon",false]}"#, -32_602),
            (
                r#"{"id":1,"method":"eth_call","params":[{"to":"0x5c9C449BbC9a6075A2c061dF312a35fd1E05fF22","data":"0xdeadbeef"}]}"#,
                3,
            ),
        ];
        for (body, code) in table {
            assert_eq!(ask(&chain, body)["error"]["code"], code, "{body}");
        }
        let batch = format!("[{}]", vec![r#"{"id":1,"method":"eth_chainId"}"#; BATCH_MAX + 1].join(","));
        assert_eq!(ask(&chain, &batch)["error"]["code"], -32_600);
    }

    #[test]
    fn batches_answer_each_and_notifications_none() {
        let chain = chain();
        let batch =
            r#"[{"id":1,"method":"eth_chainId"},{"method":"eth_chainId"},{"id":"b","method":"eth_blockNumber"}]"#;
        let reply = ask(&chain, batch);
        assert_eq!(reply.as_array().map(Vec::len), Some(2));
        assert_eq!(reply[0]["result"], "0x7a69");
        assert_eq!(reply[1]["id"], "b");
        assert!(chain.handle(br#"{"method":"eth_chainId"}"#).is_none());
    }

    #[test]
    fn an_address_without_code_returns_nothing() {
        let body =
            r#"{"id":1,"method":"eth_call","params":[{"to":"0x0000000000000000000000000000000000000001"},"latest"]}"#;
        assert_eq!(ask(&chain(), body)["result"], "0x");
    }
}
