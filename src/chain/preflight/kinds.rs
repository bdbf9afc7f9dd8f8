//! What spread and basis vaults sign for, and what every kind is bound to, held against the mandate: orders inside the
//! mandate must be inside the contract's limits too, or settlement would refuse them.

use super::Line;
use crate::chain::abi::{Bound, CollateralManagementParams, LBTSAParams, PPTSAParams, VaultSigner};
use crate::chain::node::{CallError, Node};
use crate::derive::dialect::Dialect;
use crate::risk::mandate::basis::Basis;
use crate::risk::mandate::collateral::CollateralLimits;
use crate::risk::mandate::spread::Spread;
use crate::risk::wall::OptionContract;
use alloy::primitives::utils::format_ether;
use alloy::primitives::{Address, I256, U256};
use alloy::sol_types::{SolCall, SolValue};

/// Words of the parameters of spread vaults deployed before fees and debt were limited.
const WORDS_BEFORE: usize = 10;

/// Which of the contracts a vault has, and what its mandate expects of it.
#[derive(Clone, Copy, Debug)]
pub enum Kind<'a> {
    /// Covered calls; their parameters are compared with a section of their own.
    Calls,
    /// Spreads.
    Spreads(&'a Spread),
    /// Base against perp.
    Basis(&'a Basis),
}

impl Kind<'_> {
    /// Of an option vault.
    pub fn of_options(contract: &OptionContract) -> Kind<'_> {
        match contract {
            OptionContract::Calls(_) => Kind::Calls,
            OptionContract::Spreads(spread) => Kind::Spreads(spread),
        }
    }
}

/// What a vault's contract is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bindings {
    /// Feed of the collateral's price.
    pub feed: Address,
    /// Module of deposits.
    pub deposit: Address,
    /// Module of withdrawals.
    pub withdrawal: Address,
    /// Module of trades, of a spread vault that of RFQs.
    pub module: Address,
    /// Options or perp.
    pub derivative: Address,
}

impl Bindings {
    /// Reads them.
    pub async fn read(node: &Node, vault: Address, kind: Kind<'_>) -> Result<Bindings, CallError> {
        macro_rules! of {
            ($call:expr) => {{
                let found = node.view(vault, $call).await?;
                Bindings {
                    feed: found.feed,
                    deposit: found.deposit,
                    withdrawal: found.withdrawal,
                    module: found.module,
                    derivative: found.derivative,
                }
            }};
        }
        Ok(match kind {
            Kind::Calls => of!(Bound::getCCTSAAddressesCall {}),
            Kind::Spreads(_) => of!(Bound::getPPTSAAddressesCall {}),
            Kind::Basis(_) => of!(Bound::getLBTSAAddressesCall {}),
        })
    }

    /// Against the modules of the network.
    pub fn lines(&self, dialect: &Dialect, kind: Kind<'_>) -> Vec<Line> {
        let module = match kind {
            Kind::Spreads(_) => dialect.modules.rfq,
            Kind::Calls | Kind::Basis(_) => dialect.modules.trade,
        };
        let mut lines = vec![
            Line::equal("withdrawal module of the vault", self.withdrawal, Address::from(dialect.modules.withdrawal)),
            Line::equal("trading module of the vault", self.module, Address::from(module)),
            Line::told("options or perp of the vault", self.derivative),
            Line::told("feed of the vault", self.feed),
        ];
        if let Some(deposit) = dialect.modules.deposit {
            lines.insert(0, Line::equal("deposit module of the vault", self.deposit, Address::from(deposit)));
        }
        lines
    }
}

/// What the contract of a spread or basis vault signs for.
pub async fn limits(node: &Node, vault: Address, kind: Kind<'_>) -> Vec<Line> {
    match kind {
        Kind::Calls => Vec::new(),
        Kind::Spreads(ours) => spread_limits(node, vault, ours).await,
        Kind::Basis(ours) => basis_limits(node, vault, ours).await,
    }
}

async fn spread_limits(node: &Node, vault: Address, ours: &Spread) -> Vec<Line> {
    let what = "parameters of spreads";
    let mut lines = match node.view_bytes(vault, Bound::getPPTSAParamsCall {}).await {
        Ok(bytes) => match read_spread(&bytes) {
            Some((found, whole)) => spread_lines(&found, whole, ours),
            None => vec![Line::unread(what, &CallError::Node(format!("{} bytes", bytes.len())), "10 or 12 words")],
        },
        Err(why) => vec![Line::unread(what, &why, "PPTSAParams")],
    };
    match node.view(vault, VaultSigner::getCollateralManagementParamsCall {}).await {
        Ok(found) => lines.extend(collateral_lines(&found, &ours.collateral)),
        Err(why) => lines.push(Line::unread("parameters of collateral", &why, "CollateralManagementParams")),
    }
    lines
}

/// The parameters, and whether the last two are among them.
fn read_spread(bytes: &[u8]) -> Option<(PPTSAParams, bool)> {
    if bytes.len() == 32 * WORDS_BEFORE {
        let padded = [bytes, &[0; 64]].concat();
        return PPTSAParams::abi_decode(&padded).ok().map(|found| (found, false));
    }
    Bound::getPPTSAParamsCall::abi_decode_returns(bytes).ok().map(|found| (found, true))
}

fn spread_lines(found: &PPTSAParams, whole: bool, ours: &Spread) -> Vec<Line> {
    let (seconds, share) = (|s: U256| s.to_string(), |share: U256| format_ether(share));
    // A bought spread may cost up to that multiple, a sold one must bring at least that share.
    let (what, found_cost, our_cost) = ("tolerance of the cost", found.maxTotalCostTolerance, ours.cost_tolerance);
    let cost = if ours.is_long {
        Line::at_least(what, found_cost, our_cost, share)
    } else {
        Line::at_most(what, found_cost, our_cost, share)
    };
    let mut lines = vec![
        Line::at_least("highest mark over distance", found.maxMarkValueToStrikeDiffRatio, ours.mark_ratio_max, share),
        Line::at_most("lowest mark over distance", found.minMarkValueToStrikeDiffRatio, ours.mark_ratio_min, share),
        Line::equal("distance of the strikes", format_ether(found.strikeDiff), format_ether(ours.strike_distance)),
        cost,
        Line::at_least("share of the value", found.maxLossOrGainPercentOfTVL, ours.loss_or_gain_max, share),
        Line::at_least("debt left by a withdrawal", found.negMaxCashTolerance, ours.debt_tolerance, share),
        Line::at_most("shortest signature, s", found.minSignatureExpiry, ours.life.min_s, seconds),
        Line::at_least("longest signature, s", found.maxSignatureExpiry, ours.life.max_s, seconds),
        Line::at_most("shortest option, s", found.optionMinTimeToExpiry, ours.expires_in_min_s, seconds),
        Line::at_least("longest option, s", found.optionMaxTimeToExpiry, ours.expires_in_max_s, seconds),
    ];
    if whole {
        lines.push(Line::at_most("lowest cash", found.maxNegCash, ours.cash_min, |cash: I256| format_ether(cash)));
        lines.push(Line::at_least("highest fee of a spread", found.rfqFeeFactor, ours.fee_factor, share));
    } else {
        lines.push(Line::told("lowest cash, highest fee of a spread", "not limited by this older contract"));
    }
    lines
}

fn collateral_lines(found: &CollateralManagementParams, ours: &CollateralLimits) -> [Line; 4] {
    let share = |share: U256| format_ether(share);
    [
        Line::at_least("highest fee", found.feeFactor, ours.fee_factor, share),
        Line::at_least("leniency", found.spotTransactionLeniency, ours.leniency, |share: I256| format_ether(share)),
        Line::at_most("lowest selling price", found.worstSpotSellPrice, ours.worst_sell, share),
        Line::at_least("highest buying price", found.worstSpotBuyPrice, ours.worst_buy, share),
    ]
}

async fn basis_limits(node: &Node, vault: Address, ours: &Basis) -> Vec<Line> {
    let mut lines = match node.view(vault, Bound::getLBTSAParamsCall {}).await {
        Ok(found) => basis_lines(&found, ours),
        Err(why) => vec![Line::unread("parameters of the basis", &why, "LBTSAParams")],
    };
    // The rest of the collateral half is not this contract's business.
    match node.view(vault, VaultSigner::getCollateralManagementParamsCall {}).await {
        Ok(found) => {
            let fee = Line::at_least("highest fee", found.feeFactor, ours.collateral.fee_factor, format_ether);
            lines.push(fee);
        }
        Err(why) => lines.push(Line::unread("parameters of collateral", &why, "CollateralManagementParams")),
    }
    lines
}

fn basis_lines(found: &LBTSAParams, ours: &Basis) -> Vec<Line> {
    let (seconds, share) = (|s: U256| s.to_string(), |share: U256| format_ether(share));
    let signed = |share: I256| format_ether(share);
    let wad = |share: U256| I256::try_from(share).unwrap_or(I256::MAX);
    vec![
        Line::at_least("highest perp fee", found.maxPerpFee, ours.perp_fee_max, share),
        Line::at_least("loss per base", found.maxBaseLossPerBase, ours.loss_per_base_max, signed),
        Line::at_least("loss per perp", found.maxBaseLossPerPerp, ours.loss_per_perp_max, signed),
        Line::at_most("lowest delta", found.deltaFloor, ours.delta.floor, signed),
        Line::at_least("highest delta", found.deltaCeil, ours.delta.ceil, signed),
        Line::at_most("lowest leverage", wad(found.leverageFloor), ours.leverage.floor, signed),
        Line::at_least("highest leverage", wad(found.leverageCeil), ours.leverage.ceil, signed),
        Line::at_least("decay of losses, 1/s", found.emaDecayFactor, ours.decay_per_s, share),
        Line::at_least("sum of losses", wad(found.markLossEmaTarget), ours.loss_target, signed),
        Line::at_most("shortest signature, s", found.minSignatureExpiry, ours.life.min_s, seconds),
        Line::at_least("longest signature, s", found.maxSignatureExpiry, ours.life.max_s, seconds),
    ]
}
