//! A vault that trades spreads by RFQ on the local chain: its contract, and the books that settled executions move.

use super::{
    Base, BasisParams, DEPOSIT, HEARTBEAT_S, LocalChain, MATCHING, Owner, Places, SpotParams, SpreadParams, TRADE,
    Told, WITHDRAWAL, e18, spot_params,
};
use crate::base::num::Price;
use crate::derive::dialect::V2_MAINNET;
use crate::msg::Product;
use crate::risk::mandate::spread::Spread;
use crate::risk::wall::OptionContract;
use crate::risk::wall::terms::OptionTerms;
use crate::sim::evm::basis::{BOOKS, BasisOwner, Prices, SETTLEMENT_GAS, SETTLER};
use crate::sim::onchain::Site;
use alloy::primitives::{Address, I256, U256};
use alloy::sol;
use alloy::sol_types::SolValue;

sol! {
    struct SwapParams { uint256 feeFactor; int256 spotTransactionLeniency; uint256 worstSpotSellPrice; uint256 worstSpotBuyPrice; }

    /// What the owner of the verifier and the vault may set, and what the books tell.
    interface PackageOwner {
        function setRfqModule(address quotes) external;
        function setSwaps(SwapParams told) external;
        function setUnitMark(uint256 told) external;
        function optionsOf(uint256 subaccount) external view returns (uint256 bought, uint256 sold);
    }
}

const SIGNER: &str = include_str!("../../../tools/contracts/artifacts/PackageSigner.json");
const RFQ: Address = Address::new(V2_MAINNET.modules.rfq);
/// Options may be traded with this much left to live, seconds: the demonstration begins on any day.
const OPTION_S_MIN: u64 = 43_200;

/// Which vault to deploy.
#[derive(Clone, Copy, Debug)]
pub struct PackageSeed {
    /// Its subaccount.
    pub subaccount: u64,
    /// The key that asks for its signatures.
    pub key: Address,
    /// What it trades.
    pub product: Product,
    /// The collateral's asset, and its options'.
    pub assets: [Address; 2],
    /// Units of collateral it begins with.
    pub base: u64,
    /// Price of one, dollars.
    pub spot: u64,
    /// Distance of the strikes.
    pub strike_diff: Price,
    /// What one spread is worth by the contract, dollars.
    pub unit_mark: u64,
}

/// A vault that stands.
#[derive(Clone, Copy, Debug)]
pub struct PackageVault {
    /// Its contract, which owns the subaccount.
    pub vault: Address,
    /// What subaccounts hold by the chain's word.
    pub books: Address,
}

impl LocalChain {
    /// Deploys the exchange's verifier, books and the vault.
    ///
    /// # Errors
    /// What the node refused, in words.
    pub async fn deploy_package(&self, seed: &PackageSeed) -> Result<PackageVault, String> {
        let subaccount = U256::from(seed.subaccount);
        self.found_exchange().await?;
        self.fund(seed.key).await?;
        let [asset, options] = seed.assets;
        let books = self.create(BOOKS, &(MATCHING, asset, Address::ZERO).abi_encode_params()).await?;
        self.tell(MATCHING, BasisOwner::setBooksCall { kept: books }).await?;
        self.tell(MATCHING, PackageOwner::setRfqModuleCall { quotes: RFQ }).await?;
        self.tell(MATCHING, Owner::setTradeExecutorCall { executor: SETTLER, allowed: true }).await?;
        let spread = mandate(seed)?;
        let addresses = Base { wrappedDepositAsset: asset, ..super::base() };
        let arguments = (subaccount, addresses, books, TRADE, spread.is_call, spread.is_long);
        let vault = self.create(SIGNER, &arguments.abi_encode_params()).await?;
        self.tell(MATCHING, Owner::setSubAccountOwnerCall { subaccount, owner: vault }).await?;
        self.tell(books, Told::setHeartbeatCall { told: HEARTBEAT_S }).await?;
        let told = Prices { spot: e18(seed.spot), perp: U256::ZERO };
        self.tell(books, BasisOwner::tellCall { told }).await?;
        let (base, none) = (I256::from_raw(e18(seed.base)), I256::ZERO);
        self.tell(books, BasisOwner::openCall { subaccount, base, perp: none, cash: none }).await?;
        let named = Places { feed: books, deposit: DEPOSIT, withdrawal: WITHDRAWAL, module: RFQ, derivative: options };
        let (of_spread, of_basis) = (params(&spread), BasisParams::default());
        self.tell(vault, Owner::setKindsCall { ofSpread: of_spread, ofBasis: of_basis, named }).await?;
        self.tell(vault, PackageOwner::setSwapsCall { told: swaps() }).await?;
        self.tell(vault, PackageOwner::setUnitMarkCall { told: e18(seed.unit_mark) }).await?;
        self.tell(vault, Owner::setSignerCall { key: seed.key, allowed: true }).await?;
        Ok(PackageVault { vault, books })
    }

    /// Where executions settle.
    pub fn package_site(&self) -> Site {
        Site {
            rpc_url: self.url.clone(),
            chain_id: V2_MAINNET.chain_id,
            matching: MATCHING,
            atomic_executor: None,
            prices: None,
            gas_limit: SETTLEMENT_GAS,
        }
    }

    /// Options bought and sold by the chain's books, 18 decimals.
    ///
    /// # Errors
    /// The node does not answer, in words.
    pub async fn options_of(&self, vault: &PackageVault, subaccount: u64) -> Result<[U256; 2], String> {
        let found = self.view(vault.books, PackageOwner::optionsOfCall { subaccount: U256::from(subaccount) }).await?;
        Ok([found.bought, found.sold])
    }
}

fn swaps() -> SwapParams {
    let SpotParams { feeFactor, spotTransactionLeniency, worstSpotSellPrice, worstSpotBuyPrice } = spot_params();
    SwapParams { feeFactor, spotTransactionLeniency, worstSpotSellPrice, worstSpotBuyPrice }
}

/// The mission's mandate for what the vault trades.
fn mandate(seed: &PackageSeed) -> Result<Spread, String> {
    let mission = OptionTerms::mission(seed.product, seed.strike_diff);
    match (OptionTerms { option_s_min: OPTION_S_MIN, ..mission }).wall(seed.product).contract {
        OptionContract::Spreads(spread) => Ok(spread),
        OptionContract::Calls(_) => Err("not a vault that trades spreads".to_owned()),
    }
}

fn params(spread: &Spread) -> SpreadParams {
    SpreadParams {
        maxMarkValueToStrikeDiffRatio: spread.mark_ratio_max,
        minMarkValueToStrikeDiffRatio: spread.mark_ratio_min,
        strikeDiff: spread.strike_distance,
        maxTotalCostTolerance: spread.cost_tolerance,
        maxLossOrGainPercentOfTVL: spread.loss_or_gain_max,
        negMaxCashTolerance: spread.debt_tolerance,
        minSignatureExpiry: spread.life.min_s,
        maxSignatureExpiry: spread.life.max_s,
        optionMinTimeToExpiry: spread.expires_in_min_s,
        optionMaxTimeToExpiry: spread.expires_in_max_s,
        maxNegCash: spread.cash_min,
        rfqFeeFactor: spread.fee_factor,
    }
}
