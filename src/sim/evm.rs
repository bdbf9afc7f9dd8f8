//! A local Ethereum node with the project's own contracts on it: the verifier where the live one stands, and a vault that
//! signs. For demonstrations and tests; nothing of it is trusted with anything.

pub mod basis;
pub mod package;

use crate::chain::abi::VaultSigner;
use crate::chain::node::over_http;
use crate::derive::dialect::V2_MAINNET;
use alloy::primitives::{Address, B256, Bytes, I256, U256, address};
use alloy::providers::{DynProvider, Provider};
use alloy::rpc::types::Filter;
use alloy::sol;
use alloy::sol_types::{SolCall, SolEvent, SolValue};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

sol! {
    struct Contracts { address deposit; address withdrawal; address trade; address option; }
    struct Holdings { uint256 base; uint256 numShort; int256 cash; uint256 undeposited; uint256 spot; int256 optionFloor; }
    struct Base { address subAccounts; address auction; address wrappedDepositAsset; address cash; address depositAsset; address manager; address matching; }
    struct OptionParams { uint256 minSignatureExpiry; uint256 maxSignatureExpiry; uint256 optionVolSlippageFactor; uint256 optionMaxDelta; int256 optionMaxNegCash; uint256 optionMinTimeToExpiry; uint256 optionMaxTimeToExpiry; }
    struct SpotParams { uint256 feeFactor; int256 spotTransactionLeniency; uint256 worstSpotSellPrice; uint256 worstSpotBuyPrice; }
    #[derive(Default)]
    struct SpreadParams { uint256 maxMarkValueToStrikeDiffRatio; uint256 minMarkValueToStrikeDiffRatio; uint256 strikeDiff; uint256 maxTotalCostTolerance; uint256 maxLossOrGainPercentOfTVL; uint256 negMaxCashTolerance; uint256 minSignatureExpiry; uint256 maxSignatureExpiry; uint256 optionMinTimeToExpiry; uint256 optionMaxTimeToExpiry; int256 maxNegCash; uint256 rfqFeeFactor; }
    #[derive(Default)]
    struct BasisParams { uint256 maxPerpFee; int256 maxBaseLossPerBase; int256 maxBaseLossPerPerp; int256 deltaFloor; int256 deltaCeil; uint256 leverageFloor; uint256 leverageCeil; uint256 emaDecayFactor; uint256 markLossEmaTarget; uint256 minSignatureExpiry; uint256 maxSignatureExpiry; }
    struct Places { address feed; address deposit; address withdrawal; address module; address derivative; }

    /// What the feed is told.
    interface Told {
        function setHeartbeat(uint64 told) external;
        function setSpot(uint96 told, uint64 timestamp) external;
    }

    /// What the owners of the two contracts may set.
    interface Owner {
        function initialize(address administrator, address orders) external;
        function setTradeExecutor(address executor, bool allowed) external;
        function setAllowedModule(address module, bool allowed) external;
        function setSubAccountOwner(uint256 subaccount, address owner) external;
        function setSigner(address key, bool allowed) external;
        function setParams(OptionParams options, SpotParams spot) external;
        function setHoldings(Holdings told) external;
        function setKinds(SpreadParams ofSpread, BasisParams ofBasis, Places named) external;
    }
}

/// Where the verifier stands.
pub const MATCHING: Address = Address::new(V2_MAINNET.verifying_contract);
/// First account of the node, which pays for the setting up.
const ADMIN: Address = address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
/// Wrapped collateral of the vault.
pub const WRAPPED: Address = address!("F30EE744fCfd135A135E6a4e327e01d0f697e6Ec");
const OPTION: Address = address!("4BB4C3CDc7562f08e9910A0C7D8bB7e108861eB4");
const TRADE: Address = Address::new(V2_MAINNET.modules.trade);
const WITHDRAWAL: Address = Address::new(V2_MAINNET.modules.withdrawal);
const DEPOSIT: Address = address!("9B3FE5E5a3bcEa5df4E08c41Ce89C4e3Ff01Ace3");

const VERIFIER: &str = include_str!("../../tools/contracts/artifacts/Matching.json");
const SIGNER: &str = include_str!("../../tools/contracts/artifacts/MandateSigner.json");
const FEED: &str = include_str!("../../tools/contracts/artifacts/Feed.json");

/// What the collateral is worth there, dollars.
const SPOT_USD: u64 = 4_000;
/// Oldest price the feed answers with, seconds: nobody tells it another.
const HEARTBEAT_S: u64 = 86_400;

/// Looks for a receipt, this far apart.
const LOOK: Duration = Duration::from_millis(5);
/// Looks before a transaction counts as lost.
const LOOKS_MAX: usize = 2_000;

/// A node on a free port of the loopback interface, gone when dropped.
pub struct LocalChain {
    process: Child,
    /// Where it answers.
    pub url: String,
    provider: DynProvider,
}

impl Drop for LocalChain {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Where `tools/evm/install` puts the node, seen from this program.
pub fn installed() -> Option<PathBuf> {
    let place = "evm/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil";
    let program = std::env::current_exe().ok()?;
    program.ancestors().map(|folder| folder.join(place)).find(|path| path.exists())
}

impl LocalChain {
    /// Starts the node, with the chain id of Derive Chain.
    ///
    /// # Errors
    /// Why it does not run, in words.
    pub fn start(anvil: &Path) -> Result<LocalChain, String> {
        let chain = V2_MAINNET.chain_id.to_string();
        let arguments = ["--host", "127.0.0.1", "--port", "0", "--chain-id", &chain, "--accounts", "2"];
        let child = Command::new(anvil).args(arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut process = child.map_err(|why| format!("{}: {why}", anvil.display()))?;
        let stdout = process.stdout.take();
        let lines = stdout.map(|stdout| BufReader::new(stdout).lines());
        let mut chain = LocalChain { process, url: String::new(), provider: over_http("http://127.0.0.1:1")? };
        let mut lines = lines.ok_or("the node has no output")?;
        let said = lines.by_ref().map_while(Result::ok);
        let place = said.into_iter().find_map(|line| Some(line.strip_prefix("Listening on ")?.trim().to_owned()));
        chain.url = format!("http://{}", place.ok_or("the node does not say where it listens")?);
        chain.provider = over_http(&chain.url)?;
        // What it goes on to say is drained, or it would block on a full pipe.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Ok(chain)
    }

    async fn rpc(&self, method: &'static str, arguments: Value) -> Result<Value, String> {
        self.provider.raw_request(method.into(), arguments).await.map_err(|why| format!("{method}: {why}"))
    }

    /// From now on a block comes this often, not with each transaction.
    pub async fn tick_every(&self, seconds: u64) -> Result<(), String> {
        self.rpc("evm_setIntervalMining", json!([seconds])).await.map(drop)
    }

    async fn send(&self, request: Value) -> Result<Option<Address>, String> {
        let hash = self.rpc("eth_sendTransaction", json!([request])).await?;
        let hash: B256 = serde_json::from_value(hash).map_err(|why| why.to_string())?;
        for _ in 0..LOOKS_MAX {
            match self.provider.get_transaction_receipt(hash).await.map_err(|why| why.to_string())? {
                Some(receipt) if receipt.status() => return Ok(receipt.contract_address),
                Some(_) => return Err(format!("{hash} reverted")),
                None => tokio::time::sleep(LOOK).await,
            }
        }
        Err(format!("{hash} is in no block"))
    }

    async fn tell<C: SolCall>(&self, to: Address, call: C) -> Result<(), String> {
        let data = Bytes::from(call.abi_encode());
        self.send(json!({"from": ADMIN, "to": to, "data": data, "gas": "0x4c4b40"})).await.map(drop)
    }

    /// Deploys the verifier and a vault of this subaccount that `key` may ask for signatures and that holds so many units
    /// of collateral; returns the vault.
    pub async fn deploy(&self, key: Address, subaccount: u64, base: u64) -> Result<Address, String> {
        let number = U256::from(subaccount);
        self.found_exchange().await?;
        self.fund(key).await?;
        let vault = self.deploy_vault(number).await?;
        self.tell(MATCHING, Owner::setSubAccountOwnerCall { subaccount: number, owner: vault }).await?;
        self.tell(vault, Owner::setSignerCall { key, allowed: true }).await?;
        self.tell(vault, Owner::setParamsCall { options: option_params(), spot: spot_params() }).await?;
        self.tell(vault, Owner::setHoldingsCall { told: holdings(base) }).await?;
        self.bind(vault).await?;
        Ok(vault)
    }

    /// Puts the verifier where the live one stands, with its modules.
    async fn found_exchange(&self) -> Result<(), String> {
        let code: Value = serde_json::from_str(VERIFIER).map_err(|why| why.to_string())?;
        self.rpc("anvil_setCode", json!([MATCHING, code["deployed_bytecode"]])).await?;
        self.tell(MATCHING, Owner::initializeCall { administrator: ADMIN, orders: TRADE }).await?;
        self.tell(MATCHING, Owner::setTradeExecutorCall { executor: ADMIN, allowed: true }).await?;
        for module in [TRADE, WITHDRAWAL, DEPOSIT] {
            self.tell(MATCHING, Owner::setAllowedModuleCall { module, allowed: true }).await?;
        }
        Ok(())
    }

    /// Gives a key what signatures cost.
    async fn fund(&self, key: Address) -> Result<(), String> {
        self.rpc("anvil_setBalance", json!([key, e18(1)])).await.map(drop)
    }

    /// What a view of a contract gives.
    async fn view<C: SolCall>(&self, to: Address, call: C) -> Result<C::Return, String> {
        let data = Bytes::from(call.abi_encode());
        let found = self.rpc("eth_call", json!([{"to": to, "data": data}, "latest"])).await?;
        let found: Bytes = serde_json::from_value(found).map_err(|why| why.to_string())?;
        C::abi_decode_returns(&found).map_err(|why| why.to_string())
    }

    /// Binds the vault to the modules of the exchange and to a feed told its price just now.
    async fn bind(&self, vault: Address) -> Result<(), String> {
        let feed = self.create(FEED, &[]).await?;
        self.tell(feed, Told::setHeartbeatCall { told: HEARTBEAT_S }).await?;
        let newest = self.provider.get_block_by_number(Default::default()).await.map_err(|why| why.to_string())?;
        let timestamp = newest.ok_or("the node has no block")?.header.timestamp;
        self.tell(feed, Told::setSpotCall { told: e18(SPOT_USD).to(), timestamp }).await?;
        let named = Places { feed, deposit: DEPOSIT, withdrawal: WITHDRAWAL, module: TRADE, derivative: OPTION };
        let (spread, basis) = (SpreadParams::default(), BasisParams::default());
        self.tell(vault, Owner::setKindsCall { ofSpread: spread, ofBasis: basis, named }).await
    }

    async fn deploy_vault(&self, subaccount: U256) -> Result<Address, String> {
        let modules = Contracts { deposit: DEPOSIT, withdrawal: WITHDRAWAL, trade: TRADE, option: OPTION };
        self.create(SIGNER, &(subaccount, base(), modules).abi_encode_params()).await
    }

    /// Deploys the contract of this artifact with these encoded arguments.
    async fn create(&self, artifact: &str, arguments: &[u8]) -> Result<Address, String> {
        let artifact: Value = serde_json::from_str(artifact).map_err(|why| why.to_string())?;
        let code = artifact["bytecode"].as_str().ok_or("the artifact holds no code")?;
        let code: Bytes = code.parse().map_err(|_| "the artifact's code is not hexadecimal")?;
        let data = Bytes::from([code.as_ref(), arguments].concat());
        let made = self.send(json!({"from": ADMIN, "data": data, "gas": "0x4c4b40"})).await?;
        made.ok_or_else(|| "the node made no contract".to_owned())
    }

    /// Every digest the vault has ever signed, by the chain's own record.
    pub async fn signed_by(&self, vault: Address) -> Result<HashSet<B256>, String> {
        let filter =
            Filter::new().address(vault).event_signature(VaultSigner::ActionSigned::SIGNATURE_HASH).from_block(0);
        let logs = self.provider.get_logs(&filter).await.map_err(|why| why.to_string())?;
        Ok(logs.iter().filter_map(|log| log.topics().get(2).copied()).collect())
    }
}

fn e18(units: u64) -> U256 {
    U256::from(units) * U256::from(10_u64.pow(18))
}

/// What a vault is built on; nobody looks at what is not the exchange's.
fn base() -> Base {
    Base {
        subAccounts: Address::repeat_byte(1),
        auction: Address::repeat_byte(2),
        wrappedDepositAsset: WRAPPED,
        cash: Address::repeat_byte(3),
        depositAsset: Address::repeat_byte(4),
        manager: Address::repeat_byte(5),
        matching: MATCHING,
    }
}

/// So much collateral, no debt, nothing sold yet; an option must bring more than a cent.
fn holdings(base: u64) -> Holdings {
    Holdings {
        base: e18(base),
        numShort: U256::ZERO,
        cash: I256::ZERO,
        undeposited: U256::ZERO,
        spot: e18(SPOT_USD),
        optionFloor: I256::from_raw(e18(1) / U256::from(100)),
    }
}

/// As `[vault.v2]` of the demonstration says.
fn option_params() -> OptionParams {
    OptionParams {
        minSignatureExpiry: U256::from(60),
        maxSignatureExpiry: U256::from(900),
        optionVolSlippageFactor: e18(1) / U256::from(2),
        optionMaxDelta: e18(2) / U256::from(5),
        optionMaxNegCash: -I256::from_raw(e18(100_000)),
        optionMinTimeToExpiry: U256::from(86_400),
        optionMaxTimeToExpiry: U256::from(2_592_000),
    }
}

fn spot_params() -> SpotParams {
    SpotParams {
        feeFactor: e18(1) / U256::from(100),
        spotTransactionLeniency: I256::from_raw(e18(105) / U256::from(100)),
        worstSpotSellPrice: e18(98) / U256::from(100),
        worstSpotBuyPrice: e18(102) / U256::from(100),
    }
}
