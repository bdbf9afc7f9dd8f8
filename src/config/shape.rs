//! What a configured vault is, once its section was read and checked.

use std::fmt;

use super::text::Url;
use super::vault::KeeperConfig;
use crate::account::ledger::Book;
use crate::base::num::{Cash, Ratio};
use crate::derive::dialect::{Address, Dialect};
use crate::derive::seal::envelope::FenceLimits;
use crate::market::fair::Model;
use crate::msg::Product;
use crate::risk::capital::CapitalLimits;
use crate::risk::limits::{Limits, OptionLimits};
use crate::strategy::basis::Params;
use crate::strategy::options::amend::{Amend, ResignCost};
use crate::strategy::options::params::OptionParams;
use std::path::PathBuf;

/// What a vault does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Delta-1 Basis.
    Delta1Basis,
    /// Covered calls, by limit order.
    Harvest,
    /// Short call spreads, by RFQ.
    SafeHarvest,
    /// Short put spreads, by RFQ.
    Maxi,
    /// Long call spreads paid from accrued yield, by RFQ.
    Bull,
}

impl Strategy {
    /// Every strategy, in the order they are offered.
    pub const ALL: [Strategy; 5] =
        [Strategy::Delta1Basis, Strategy::Harvest, Strategy::SafeHarvest, Strategy::Maxi, Strategy::Bull];

    /// Its name in a configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Strategy::Delta1Basis => "delta1-basis",
            Strategy::Harvest => "harvest",
            Strategy::SafeHarvest => "safe-harvest",
            Strategy::Maxi => "maxi",
            Strategy::Bull => "bull",
        }
    }

    /// What it trades every week; none for a strategy without options.
    pub const fn product(self) -> Option<Product> {
        match self {
            Strategy::Delta1Basis => None,
            Strategy::Harvest => Some(Product::CoveredCall),
            Strategy::SafeHarvest => Some(Product::ShortCallSpread),
            Strategy::Maxi => Some(Product::ShortPutSpread),
            Strategy::Bull => Some(Product::LongCallSpread),
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A Chainlink feed of what a wrapped token is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RatioFeed {
    /// Aggregator contract.
    pub aggregator: Address,
    /// Decimals of its answers.
    pub decimals: u8,
}

/// One vault.
#[derive(Clone, Debug, PartialEq)]
pub struct VaultConfig {
    /// Name in reports and commands.
    pub name: String,
    /// What it does.
    pub strategy: Strategy,
    /// Its ids: vault, subaccount, instruments and currencies, as places in the lists of [`crate::config::Config`].
    pub book: Book,
    /// Spot instrument of the base.
    pub base_instrument: String,
    /// Collateral that is the base.
    pub base_currency: String,
    /// What its strategy needs.
    pub kind: VaultKind,
    /// What the signer's own envelope allows it.
    pub fence: FenceLimits,
    /// The contract that owns its subaccount and signs for it, on v2.
    pub contract: Option<V2Contract>,
    /// What its capital may do.
    pub capital: CapitalLimits,
    /// How its shares are kept, if its contract is on v2 and that is wanted.
    pub keeper: Option<KeeperConfig>,
}

/// What a vault's strategy needs.
#[derive(Clone, Debug, PartialEq)]
pub enum VaultKind {
    /// Delta-1 Basis.
    Basis(BasisVault),
    /// Harvest, Safe Harvest, Maxi or BULL.
    Options(OptionVaultConfig),
}

impl VaultConfig {
    /// What it needs as a Delta-1 Basis vault, if it is one.
    pub fn basis(&self) -> Option<&BasisVault> {
        match &self.kind {
            VaultKind::Basis(basis) => Some(basis),
            VaultKind::Options(_) => None,
        }
    }

    /// What it needs as an option vault, if it is one.
    pub fn options(&self) -> Option<&OptionVaultConfig> {
        match &self.kind {
            VaultKind::Basis(_) => None,
            VaultKind::Options(options) => Some(options),
        }
    }
}

/// A Delta-1 Basis vault.
#[derive(Clone, Debug, PartialEq)]
pub struct BasisVault {
    /// Perp it hedges with.
    pub perp_instrument: String,
    /// Symbol on the external book.
    pub external_symbol: String,
    /// Feed of the base's ratio.
    pub ratio_feed: RatioFeed,
    /// How the base is valued.
    pub base_model: Model,
    /// How the perp is valued.
    pub perp_model: Model,
    /// What the strategy may choose.
    pub params: Params,
    /// What no order may break.
    pub limits: Limits,
}

/// An option vault.
#[derive(Clone, Debug, PartialEq)]
pub struct OptionVaultConfig {
    /// Currency of its options, e.g. `ETH`.
    pub option_currency: String,
    /// What the strategy may choose.
    pub params: OptionParams,
    /// What no order may break.
    pub limits: OptionLimits,
    /// Feed of what the collateral has earned; BULL only.
    pub ratio_feed: Option<RatioFeed>,
    /// How far back yield counts as earned and unspent; zero for vaults that spend none.
    pub lookback_ns: u64,
    /// Oldest usable venue ticker, of options and of the collateral.
    pub ticker_age_ns_max: u64,
}

impl OptionVaultConfig {
    /// Orders wait for a signature before they leave, and are taken back instead of replaced.
    pub(super) fn sign_first(&mut self, presign: &PresignTerms) {
        self.limits.reject_after_ns = presign.sign_within_ns;
        self.params.amend =
            Amend::Resign(ResignCost { gas: presign.signature_cost, off_book_ns: 2 * presign.block_ns });
    }
}

/// A contract that signs for a vault on v2, as it must be found on chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct V2Contract {
    /// Network it is on.
    pub dialect: &'static Dialect,
    /// JSON-RPC endpoint of that network; it may hold an access key and is never shown whole.
    pub rpc_url: Url,
    /// The contract, owner of the subaccount.
    pub address: Address,
    /// Wrapped collateral.
    pub wrapped_asset: Address,
    /// When it signs.
    pub signing: ContractSigning,
    /// What it signs for; of a covered-call vault.
    pub terms: Option<CoveredCallTerms>,
}

/// When a vault's contract signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContractSigning {
    /// In a transaction of its own before an order may leave.
    Before(PresignTerms),
    /// Inside the settlement of each fill, called by this executor.
    Atomic {
        /// Submitter the contract must list.
        executor: Address,
    },
}

/// How a vault has its orders signed before they leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresignTerms {
    /// File of the key that pays for signatures and asks for them; the session key unless given.
    pub gas_key_file: Option<PathBuf>,
    /// Least that key must hold, ETH.
    pub gas_balance_min: Cash,
    /// Longest an order waits for its signature.
    pub sign_within_ns: u64,
    /// Time between two blocks.
    pub block_ns: u64,
    /// What one signature costs, USDC.
    pub signature_cost: Cash,
    /// Gas a signature may use.
    pub sign_gas: u64,
    /// Most paid per gas, wei.
    pub gas_price_wei_max: u128,
    /// Of it to the block's builder at first, wei.
    pub gas_tip_wei: u128,
    /// Blocks a signature may outlive its order before it is revoked.
    pub idle_blocks_max: u64,
    /// When the collateral's feed is brought a newer price, if it is.
    pub refresh: Option<FeedRefresh>,
}

/// When a vault's feed is brought a newer price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedRefresh {
    /// Share of its heartbeat that its price may be old, basis points.
    pub age_bps_max: u64,
    /// Least time between two prices asked for.
    pub pause_ns: u64,
}

impl V2Contract {
    /// How it signs before orders leave, if it does.
    pub fn presign(&self) -> Option<&PresignTerms> {
        match &self.signing {
            ContractSigning::Before(terms) => Some(terms),
            ContractSigning::Atomic { .. } => None,
        }
    }
}

/// Parameters of a covered-call vault's contract (`CCTSAParams` and `CollateralManagementParams`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoveredCallTerms {
    /// Shortest life of a signature, seconds.
    pub signature_s_min: u64,
    /// Longest life of a signature, seconds.
    pub signature_s_max: u64,
    /// Factor on volatility before pricing.
    pub vol_factor: Ratio,
    /// Highest delta sold, at that volatility.
    pub delta_max: Ratio,
    /// Cash below which nothing is sold or withdrawn.
    pub cash_min: Cash,
    /// Shortest life of an option, seconds.
    pub life_s_min: u64,
    /// Longest life of an option, seconds.
    pub life_s_max: u64,
    /// Highest fee as a share of the collateral's price.
    pub fee_max: Ratio,
    /// How far a swap may overshoot the cash balance.
    pub leniency: Ratio,
    /// Lowest selling price over spot.
    pub worst_sell: Ratio,
    /// Highest buying price over spot.
    pub worst_buy: Ratio,
}
