//! A local Ethereum node of one's own, with the exchange's verifier at its real address and a vault that signs.

use alloy::primitives::utils::parse_ether;
use alloy::primitives::{Address, B256, Bytes, I256, U256, address};
use alloy::providers::{DynProvider, Provider};
use alloy::rpc::types::TransactionReceipt;
use alloy::sol;
use alloy::sol_types::{SolCall, SolValue};
use keel::chain::abi::{FeedData, SpotFeed};
use keel::chain::node::over_http;
use keel::derive::dialect::V2_MAINNET;
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

sol! {
    struct Contracts { address deposit; address withdrawal; address trade; address option; }
    struct Holdings { uint256 base; uint256 numShort; int256 cash; uint256 undeposited; uint256 spot; int256 optionFloor; }
    struct Base { address subAccounts; address auction; address wrappedDepositAsset; address cash; address depositAsset; address manager; address matching; }
    struct OptionParams { uint256 minSignatureExpiry; uint256 maxSignatureExpiry; uint256 optionVolSlippageFactor; uint256 optionMaxDelta; int256 optionMaxNegCash; uint256 optionMinTimeToExpiry; uint256 optionMaxTimeToExpiry; }
    struct SpotParams { uint256 feeFactor; int256 spotTransactionLeniency; uint256 worstSpotSellPrice; uint256 worstSpotBuyPrice; }

    struct ShareTerms { uint256 depositCap; uint256 minDepositValue; uint256 depositScale; uint256 withdrawScale; uint256 managementFee; address feeRecipient; }
    #[derive(Default)]
    struct SpreadParams { uint256 maxMarkValueToStrikeDiffRatio; uint256 minMarkValueToStrikeDiffRatio; uint256 strikeDiff; uint256 maxTotalCostTolerance; uint256 maxLossOrGainPercentOfTVL; uint256 negMaxCashTolerance; uint256 minSignatureExpiry; uint256 maxSignatureExpiry; uint256 optionMinTimeToExpiry; uint256 optionMaxTimeToExpiry; int256 maxNegCash; uint256 rfqFeeFactor; }
    #[derive(Default)]
    struct BasisParams { uint256 maxPerpFee; int256 maxBaseLossPerBase; int256 maxBaseLossPerPerp; int256 deltaFloor; int256 deltaCeil; uint256 leverageFloor; uint256 leverageCeil; uint256 emaDecayFactor; uint256 markLossEmaTarget; uint256 minSignatureExpiry; uint256 maxSignatureExpiry; }
    struct Places { address feed; address deposit; address withdrawal; address module; address derivative; }

    /// What holders of shares and of the token may do.
    interface Holder {
        function mint(address holder, uint256 amount) external;
        function approve(address spender, uint256 amount) external returns (bool);
        function balanceOf(address holder) external view returns (uint256);
        function initiateDeposit(uint256 amount, address recipient) external returns (uint256);
        function requestWithdrawal(uint256 shares) external returns (uint256);
    }

    /// What the test tells feed and wrapper.
    interface Told {
        function setHeartbeat(uint64 told) external;
        function setSpot(uint96 told, uint64 timestamp) external;
        function getSpot() external view returns (uint256 spot, uint256 confidence);
        function setList(bool enabled, uint256 subaccount, bool listed) external;
    }

    /// What the owners of the two contracts may set.
    interface Owner {
        function initialize(address administrator, address orders) external;
        function setTradeExecutor(address executor, bool allowed) external;
        function setAllowedModule(address module, bool allowed) external;
        function setCapitalModules(address deposit, address withdrawal) external;
        function setSubAccountOwner(uint256 subaccount, address owner) external;
        function setSigner(address key, bool allowed) external;
        function setSubmitter(address submitter, bool allowed) external;
        function setSignaturesDisabled(bool disabled) external;
        function setBlocked(bool blocked) external;
        function setParams(OptionParams options, SpotParams spot) external;
        function setHoldings(Holdings told) external;
        function setKinds(SpreadParams ofSpread, BasisParams ofBasis, Places named) external;
        function setTSAParams(ShareTerms told) external;
        function setShareKeeper(address keeper, bool allowed) external;
        function approveModule(address module, uint256 amount) external;
        function moveCapital(int256 amount) external;
    }
}

/// The verifier's address on the chain itself, so that digests are those of the live exchange.
pub const MATCHING: Address = Address::new(V2_MAINNET.verifying_contract);
/// First account of the node, which pays for the setting up.
pub const ADMIN: Address = address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
pub const OPTION: Address = address!("4BB4C3CDc7562f08e9910A0C7D8bB7e108861eB4");
pub const BASE: Address = address!("F30EE744fCfd135A135E6a4e327e01d0f697e6Ec");
const TRADE: Address = Address::new(V2_MAINNET.modules.trade);
const WITHDRAWAL: Address = Address::new(V2_MAINNET.modules.withdrawal);
const DEPOSIT: Address = address!("9B3FE5E5a3bcEa5df4E08c41Ce89C4e3Ff01Ace3");
const DAY_S: u64 = 86_400;

/// A process that does not outlive the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A node on a free port of the loopback interface, gone when dropped.
pub struct Anvil {
    _process: Process,
    pub url: String,
    pub provider: DynProvider,
}

fn binary() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("below the build folder");
    target.join("evm/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil")
}

impl Anvil {
    /// Starts a node; none, and a word about it, where it is not installed.
    pub fn start() -> Option<Anvil> {
        let binary = binary();
        if !binary.exists() {
            // Not by the macro: what that prints of a passing test is not shown.
            let _ = writeln!(std::io::stderr(), "SKIPPED: no {}; tools/evm/install puts it there", binary.display());
            return None;
        }
        let chain = V2_MAINNET.chain_id.to_string();
        let arguments = ["--host", "127.0.0.1", "--port", "0", "--chain-id", &chain, "--accounts", "1"];
        let child = Command::new(&binary)
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("anvil starts");
        let mut process = Process(child);
        let stdout = process.0.stdout.take().expect("piped");
        let mut lines = BufReader::new(stdout).lines();
        let place = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("Listening on ").map(|place| place.trim().to_owned()));
        let url = format!("http://{}", place.expect("anvil says where it listens"));
        // What it goes on to say is drained, or it would block on a full pipe.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        let provider = over_http(&url).expect("a URL");
        Some(Anvil { _process: process, url, provider })
    }

    /// One of the node's own methods.
    pub async fn rpc(&self, method: &'static str, arguments: Value) -> Value {
        let answer: Result<Value, _> = self.provider.raw_request(method.into(), arguments).await;
        answer.unwrap_or_else(|why| panic!("{method}: {why}"))
    }

    /// A transaction of the owner, in a block on return.
    pub async fn tell<C: SolCall>(&self, to: Address, call: C) {
        let hash = self.offer(to, call).await;
        assert!(self.receipt(hash).await.status(), "{} reverted", C::SIGNATURE);
    }

    /// A transaction of the owner, waiting for a block, where it comes first: it offers more than anyone.
    pub async fn offer<C: SolCall>(&self, to: Address, call: C) -> B256 {
        let data = Bytes::from(call.abi_encode());
        let tip = U256::from(50_000_000_000_u64);
        let request = json!([{"from": ADMIN, "to": to, "data": data, "gas": "0x4c4b40",
            "maxFeePerGas": U256::from(500_000_000_000_u64), "maxPriorityFeePerGas": tip}]);
        let hash = self.rpc("eth_sendTransaction", request).await;
        serde_json::from_value(hash).expect("a hash")
    }

    /// The receipt of a transaction whose block is being made.
    async fn receipt(&self, hash: B256) -> TransactionReceipt {
        for _ in 0..1_000 {
            if let Some(receipt) = self.provider.get_transaction_receipt(hash).await.expect("an answer") {
                return receipt;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        panic!("{hash} is in no block");
    }

    /// A transaction of an account that the node speaks for, in a block on return; true unless it reverted.
    #[allow(dead_code)] // Only settlement needs it.
    pub async fn tell_as<C: SolCall>(&self, from: Address, to: Address, call: C) -> bool {
        self.rpc("anvil_impersonateAccount", json!([from])).await;
        let request = json!([{"from": from, "to": to, "data": Bytes::from(call.abi_encode()), "gas": "0x4c4b40"}]);
        let hash = self.rpc("eth_sendTransaction", request).await;
        self.receipt(serde_json::from_value(hash).expect("a hash")).await.status()
    }

    /// Deploys what settles atomic orders, and lists it with the verifier and the vault.
    #[allow(dead_code)]
    pub async fn deploy_executor(&self, vault: Address) -> Address {
        let executor = self.deploy("AtomicExecutor", MATCHING.abi_encode()).await;
        self.tell(MATCHING, Owner::setTradeExecutorCall { executor, allowed: true }).await;
        self.tell(vault, Owner::setSubmitterCall { submitter: executor, allowed: true }).await;
        executor
    }

    /// Deploys the verifier and a vault of this subaccount of which `key` is a signer; returns the vault.
    pub async fn set_up(&self, key: Address, subaccount: u64) -> Address {
        let subaccount = U256::from(subaccount);
        let matching = artifact("Matching");
        self.rpc("anvil_setCode", json!([MATCHING, matching["deployed_bytecode"]])).await;
        self.rpc("anvil_setBalance", json!([key, U256::from(10_u64.pow(18))])).await;
        self.tell(MATCHING, Owner::initializeCall { administrator: ADMIN, orders: TRADE }).await;
        self.tell(MATCHING, Owner::setTradeExecutorCall { executor: ADMIN, allowed: true }).await;
        let token = self.deploy("Token", U256::from(18).abi_encode()).await;
        let vault = self.deploy_vault(subaccount, token).await;
        self.tell(MATCHING, Owner::setSubAccountOwnerCall { subaccount, owner: vault }).await;
        for module in [TRADE, WITHDRAWAL, DEPOSIT] {
            self.tell(MATCHING, Owner::setAllowedModuleCall { module, allowed: true }).await;
        }
        self.tell(vault, Owner::setSignerCall { key, allowed: true }).await;
        self.tell(vault, Owner::setParamsCall { options: option_params(), spot: spot_params() }).await;
        self.tell(vault, Owner::setHoldingsCall { told: holdings(10) }).await;
        self.bind(vault).await;
        vault
    }

    /// Binds a covered-call vault to the modules of the exchange and to a feed told its price just now.
    async fn bind(&self, vault: Address) {
        let feed = self.deploy("Feed", Vec::new()).await;
        self.tell(feed, Told::setHeartbeatCall { told: 3_600 }).await;
        let now = self.provider.get_block_by_number(Default::default()).await.expect("an answer").expect("a block");
        let told = "3000000000000000000000".parse().expect("a number");
        self.tell(feed, Told::setSpotCall { told, timestamp: now.header.timestamp }).await;
        self.bind_to(vault, feed).await;
    }

    /// Binds it to a feed that takes the prices this venue has signed, and brings it the first.
    #[allow(dead_code)]
    pub async fn bind_to_oracle(&self, vault: Address, venue: &str, heartbeat_s: u64) -> Address {
        let price = signed(venue).await;
        let domain = B256::from(V2_MAINNET.domain_separator);
        let feed = self.deploy("OracleFeed", (price.signers[0], domain).abi_encode_params()).await;
        self.tell(feed, Told::setHeartbeatCall { told: heartbeat_s }).await;
        self.bind_to(vault, feed).await;
        self.tell(feed, accept(&price)).await;
        feed
    }

    /// Binds it to this feed.
    pub async fn bind_to(&self, vault: Address, feed: Address) {
        let named = Places { feed, deposit: DEPOSIT, withdrawal: WITHDRAWAL, module: TRADE, derivative: OPTION };
        let (spread, basis) = (SpreadParams::default(), BasisParams::default());
        self.tell(vault, Owner::setKindsCall { ofSpread: spread, ofBasis: basis, named }).await;
    }

    async fn deploy_vault(&self, subaccount: U256, token: Address) -> Address {
        let base = Base {
            subAccounts: Address::repeat_byte(1),
            auction: Address::repeat_byte(2),
            wrappedDepositAsset: BASE,
            cash: Address::repeat_byte(3),
            depositAsset: token,
            manager: Address::repeat_byte(5),
            matching: MATCHING,
        };
        let modules = Contracts { deposit: DEPOSIT, withdrawal: WITHDRAWAL, trade: TRADE, option: OPTION };
        self.deploy("MandateSigner", (subaccount, base, modules).abi_encode_params()).await
    }

    /// Deploys a contract of ours with these encoded arguments.
    pub async fn deploy(&self, name: &str, arguments: Vec<u8>) -> Address {
        let code: Bytes = artifact(name)["bytecode"].as_str().expect("code").parse().expect("hexadecimal");
        let data = [code.as_ref(), &arguments].concat();
        let request = json!([{"from": ADMIN, "data": Bytes::from(data), "gas": "0x4c4b40"}]);
        let hash = self.rpc("eth_sendTransaction", request).await;
        let receipt = self.receipt(serde_json::from_value(hash).expect("a hash")).await;
        assert!(receipt.status(), "{name} is deployed");
        receipt.contract_address.expect("a contract")
    }
}

fn artifact(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tools/contracts/artifacts/{name}.json"));
    serde_json::from_slice(&fs::read(path).expect("committed")).expect("JSON")
}

pub fn e18(units: u64) -> U256 {
    U256::from(units) * U256::from(10_u64.pow(18))
}

/// So much collateral, no debt, nothing sold yet; an option must bring more than 2.
pub fn holdings(base: u64) -> Holdings {
    Holdings {
        base: e18(base),
        numShort: U256::ZERO,
        cash: I256::ZERO,
        undeposited: U256::ZERO,
        spot: e18(3_000),
        optionFloor: I256::from_raw(e18(2)),
    }
}

pub fn option_params() -> OptionParams {
    OptionParams {
        minSignatureExpiry: U256::from(60),
        maxSignatureExpiry: U256::from(900),
        optionVolSlippageFactor: e18(1),
        optionMaxDelta: e18(1) / U256::from(5),
        optionMaxNegCash: I256::ZERO,
        optionMinTimeToExpiry: U256::from(6 * DAY_S),
        optionMaxTimeToExpiry: U256::from(8 * DAY_S),
    }
}

pub fn spot_params() -> SpotParams {
    SpotParams {
        feeFactor: e18(1) / U256::from(100),
        spotTransactionLeniency: I256::from_raw(e18(1)),
        worstSpotSellPrice: e18(985) / U256::from(1_000),
        worstSpotBuyPrice: e18(1_015) / U256::from(1_000),
    }
}

/// The venue's newest price, as its documents have it.
#[allow(dead_code)] // Only feeds need it.
pub async fn signed(venue: &str) -> FeedData {
    let asked = reqwest::Client::new().post(format!("{venue}/public/get_latest_signed_feeds"));
    let answer = asked.json(&json!({ "currency": "WEETH", "expiry": 0 })).send().await.expect("it answers");
    let answer: Value = answer.json().await.expect("JSON");
    let row = &answer["result"]["spot_data"]["WEETH"];
    let price = parse_ether(row["price"].as_str().expect("text")).expect("a price");
    FeedData {
        data: (price, e18(1)).abi_encode().into(),
        deadline: U256::from(row["deadline"].as_u64().expect("seconds")),
        timestamp: row["timestamp"].as_u64().expect("seconds"),
        signers: serde_json::from_value(row["signatures"]["signers"].clone()).expect("addresses"),
        signatures: serde_json::from_value(row["signatures"]["signatures"].clone()).expect("signatures"),
    }
}

#[allow(dead_code)]
pub fn accept(price: &FeedData) -> SpotFeed::acceptDataCall {
    SpotFeed::acceptDataCall { data: price.abi_encode().into() }
}
