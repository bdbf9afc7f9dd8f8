//! A vault with a leveraged-basis mandate on the local chain: its contract, the books its settlements move, and the
//! executor that has the contract approve every fill inside its settlement.

use super::{
    Base, BasisParams, DEPOSIT, HEARTBEAT_S, LocalChain, MATCHING, Owner, Places, SpreadParams, TRADE, Told,
    WITHDRAWAL, e18,
};
use crate::sim::onchain::Site;
use alloy::primitives::{Address, B256, I256, U256, address, b256};
use alloy::rpc::types::Filter;
use alloy::sol;
use alloy::sol_types::{SolEvent, SolValue};
use std::collections::HashSet;

sol! {
    struct Prices { uint256 spot; uint256 perp; }
    struct FeeParams { uint256 feeFactor; int256 spotTransactionLeniency; uint256 worstSpotSellPrice; uint256 worstSpotBuyPrice; }

    /// What the owner of the books, the verifier and the vault may set, and what the books tell.
    interface BasisOwner {
        function tell(Prices told) external;
        function open(uint256 subaccount, int256 base, int256 perp, int256 cash) external;
        function balances(uint256 subaccount) external view returns (int256 base, int256 perp, int256 cash);
        function setBooks(address kept) external;
        function setFee(FeeParams spot) external;
        function setSubmitter(address submitter, bool allowed) external;
    }

    event Settled(bytes32 indexed digest, uint256 amount);
}

const SIGNER: &str = include_str!("../../../tools/contracts/artifacts/BasisSigner.json");
pub(super) const BOOKS: &str = include_str!("../../../tools/contracts/artifacts/Books.json");
const EXECUTOR: &str = include_str!("../../../tools/contracts/artifacts/AtomicExecutor.json");

/// Second account of every such node, which settles.
pub(super) const SETTLER: Address = address!("70997970C51812dc3A010C7d01b50e0d17dc79C8");
/// Its key, known to everybody.
pub const SETTLER_KEY: B256 = b256!("59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d");
/// Gas one settlement may use.
pub(super) const SETTLEMENT_GAS: u64 = 2_000_000;

/// Which vault to deploy.
#[derive(Clone, Copy, Debug)]
pub struct BasisSeed {
    /// Its subaccount.
    pub subaccount: u64,
    /// The key whose orders it approves.
    pub key: Address,
    /// The collateral's asset, and its perp's.
    pub assets: [Address; 2],
    /// Collateral, perp and cash it begins with, 18 decimals.
    pub held: [I256; 3],
    /// Prices of collateral and perp, 18 decimals.
    pub prices: [U256; 2],
}

/// A vault that stands.
#[derive(Clone, Copy, Debug)]
pub struct BasisVault {
    /// Its contract, which owns the subaccount.
    pub vault: Address,
    /// What subaccounts hold by the chain's word.
    pub books: Address,
    /// Who brings it fills to approve.
    pub executor: Address,
}

/// What the chain itself records of a vault's fills.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Digests approved, one for each time.
    pub approved: Vec<B256>,
    /// Digests settled, one for each fill.
    pub settled: Vec<B256>,
}

impl LocalChain {
    /// Deploys the exchange's verifier, books, an executor and the vault.
    ///
    /// # Errors
    /// What the node refused, in words.
    pub async fn deploy_basis(&self, seed: &BasisSeed) -> Result<BasisVault, String> {
        let number = U256::from(seed.subaccount);
        self.found_exchange().await?;
        let [asset, perp] = seed.assets;
        let books = self.create(BOOKS, &(MATCHING, asset, perp).abi_encode_params()).await?;
        let executor = self.create(EXECUTOR, &MATCHING.abi_encode()).await?;
        self.tell(MATCHING, BasisOwner::setBooksCall { kept: books }).await?;
        for allowed in [SETTLER, executor] {
            self.tell(MATCHING, Owner::setTradeExecutorCall { executor: allowed, allowed: true }).await?;
        }
        let addresses = Base { wrappedDepositAsset: asset, ..super::base() };
        let vault = self.create(SIGNER, &(number, addresses, books).abi_encode_params()).await?;
        self.tell(MATCHING, Owner::setSubAccountOwnerCall { subaccount: number, owner: vault }).await?;
        self.tell(books, Told::setHeartbeatCall { told: HEARTBEAT_S }).await?;
        let [spot, perp_price] = seed.prices;
        self.tell(books, BasisOwner::tellCall { told: Prices { spot, perp: perp_price } }).await?;
        let [base, short, cash] = seed.held;
        self.tell(books, BasisOwner::openCall { subaccount: number, base, perp: short, cash }).await?;
        let places = Places { feed: books, deposit: DEPOSIT, withdrawal: WITHDRAWAL, module: TRADE, derivative: perp };
        let of_spread = SpreadParams::default();
        let kinds = Owner::setKindsCall { ofSpread: of_spread, ofBasis: mission(), named: places };
        self.tell(vault, kinds).await?;
        self.tell(vault, BasisOwner::setFeeCall { spot: fee() }).await?;
        self.tell(vault, BasisOwner::setSubmitterCall { submitter: executor, allowed: true }).await?;
        self.tell(vault, Owner::setSignerCall { key: seed.key, allowed: true }).await?;
        Ok(BasisVault { vault, books, executor })
    }

    /// Where an exchange's fills of these instruments settle: the collateral's spot and its perp.
    pub fn site(&self, vault: &BasisVault, names: [&str; 2]) -> Site {
        Site {
            rpc_url: self.url.clone(),
            chain_id: crate::derive::dialect::V2_MAINNET.chain_id,
            matching: MATCHING,
            atomic_executor: Some(vault.executor),
            prices: Some(names.map(str::to_owned)),
            gas_limit: SETTLEMENT_GAS,
        }
    }

    /// From now on the vault's contract approves nothing of this key.
    ///
    /// # Errors
    /// What the node refused, in words.
    pub async fn unlist(&self, vault: &BasisVault, key: Address) -> Result<(), String> {
        self.tell(vault.vault, Owner::setSignerCall { key, allowed: false }).await
    }

    /// Every approval of the vault and every fill settled for it, by the chain's own record.
    ///
    /// # Errors
    /// The node does not answer, in words.
    pub async fn record(&self, vault: &BasisVault) -> Result<Record, String> {
        let approvals = Filter::new().address(vault.vault);
        let approved = self.topics(approvals, crate::chain::abi::VaultSigner::ActionSigned::SIGNATURE_HASH, 2).await?;
        let own: HashSet<B256> = approved.iter().copied().collect();
        let settled = self.topics(Filter::new().address(MATCHING), Settled::SIGNATURE_HASH, 1).await?;
        Ok(Record { approved, settled: settled.into_iter().filter(|digest| own.contains(digest)).collect() })
    }

    async fn topics(&self, filter: Filter, event: B256, place: usize) -> Result<Vec<B256>, String> {
        use alloy::providers::Provider;
        let filter = filter.event_signature(event).from_block(0);
        let logs = self.provider.get_logs(&filter).await.map_err(|why| why.to_string())?;
        Ok(logs.iter().filter_map(|log| log.topics().get(place).copied()).collect())
    }

    /// Collateral, perp and cash of the vault by the chain's books, 18 decimals.
    ///
    /// # Errors
    /// The node does not answer, in words.
    pub async fn held(&self, vault: &BasisVault, subaccount: u64) -> Result<[I256; 3], String> {
        let call = BasisOwner::balancesCall { subaccount: U256::from(subaccount) };
        let found = self.view(vault.books, call).await?;
        Ok([found.base, found.perp, found.cash])
    }
}

/// Fees up to a hundredth of the price; swaps are not this contract's business.
fn fee() -> FeeParams {
    FeeParams {
        feeFactor: e18(1) / U256::from(100),
        spotTransactionLeniency: I256::ZERO,
        worstSpotSellPrice: U256::ZERO,
        worstSpotBuyPrice: U256::ZERO,
    }
}

/// The mission's mandate: delta ±2 %, leverage 0.9 to 2, prices ±1 %, 20 bp of losses an hour, under ten minutes.
fn mission() -> BasisParams {
    let share = |bps: u64| e18(bps) / U256::from(10_000);
    let signed = |bps: u64| I256::from_raw(share(bps));
    BasisParams {
        maxPerpFee: share(100),
        maxBaseLossPerBase: signed(100),
        maxBaseLossPerPerp: signed(100),
        deltaFloor: signed(9_800),
        deltaCeil: signed(10_200),
        leverageFloor: share(9_000),
        leverageCeil: share(20_000),
        emaDecayFactor: U256::from(192_541_000_000_000_u64),
        markLossEmaTarget: share(20),
        minSignatureExpiry: U256::ZERO,
        maxSignatureExpiry: U256::from(599),
    }
}
