//! Before a contract may sign for a vault: everything that can be read of it, held against the configuration.

pub mod custody;
pub mod kinds;

use super::abi::{Matching, VaultSigner};
use super::node::{CallError, Node};
use crate::base::ids::SubaccountId;
use crate::base::num::{Cash, Ratio};
use crate::config::{ContractSigning, CoveredCallTerms, V2Contract, VaultConfig, VaultKind};
use alloy::primitives::utils::format_ether;
use alloy::primitives::{Address, B256, I256, U256};
use alloy::sol_types::SolCall;
use custody::Custody;
use kinds::{Bindings, Kind};
use std::fmt::Display;

/// What was found of one thing, and what must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What was read.
    pub what: String,
    /// What it is, or why it could not be read.
    pub found: String,
    /// What it must be; empty where anything will do.
    pub expected: String,
    /// Whether it is.
    pub sound: bool,
}

impl Line {
    /// Theirs must be no tighter than ours: at least as much.
    fn at_least<T: PartialOrd>(what: &str, found: T, ours: T, show: impl Fn(T) -> String) -> Line {
        let sound = found >= ours;
        Line { what: what.to_owned(), sound, found: show(found), expected: format!("at least {}", show(ours)) }
    }

    /// Theirs must be no tighter than ours: at most as much.
    fn at_most<T: PartialOrd>(what: &str, found: T, ours: T, show: impl Fn(T) -> String) -> Line {
        let sound = found <= ours;
        Line { what: what.to_owned(), sound, found: show(found), expected: format!("at most {}", show(ours)) }
    }

    /// Something to know, whatever it is.
    fn told(what: &str, found: impl Display) -> Line {
        Line { what: what.to_owned(), found: found.to_string(), expected: String::new(), sound: true }
    }

    fn equal(what: impl Display, found: impl Display, expected: impl Display) -> Line {
        let (found, expected) = (found.to_string(), expected.to_string());
        Line { what: what.to_string(), sound: found == expected, found, expected }
    }

    fn unread(what: impl Display, why: &CallError, expected: impl Display) -> Line {
        Line { what: what.to_string(), found: why.to_string(), expected: expected.to_string(), sound: false }
    }
}

/// An aligned table, one line each; what is not as it must be is marked.
pub fn table(lines: &[Line]) -> String {
    let width = |of: fn(&Line) -> &str| lines.iter().map(|line| of(line).chars().count()).max().unwrap_or(0);
    let (whats, founds) = (width(|line| &line.what), width(|line| &line.found));
    let row = |line: &Line| {
        let Line { what, found, expected, sound } = line;
        let verdict = match (sound, expected.is_empty()) {
            (true, _) => "ok".to_owned(),
            (false, true) => "DIFFERS".to_owned(),
            (false, false) => format!("DIFFERS, must be {expected}"),
        };
        format!("  {what:whats$}  {found:founds$}  {verdict}")
    };
    lines.iter().map(row).collect::<Vec<_>>().join("\n")
}

/// What is checked against what.
pub struct Preflight<'a> {
    /// Node of the contract's network.
    pub node: &'a Node,
    /// The contract, as configured.
    pub contract: &'a V2Contract,
    /// The subaccount it trades.
    pub subaccount: SubaccountId,
    /// The key that asks it for signatures.
    pub key: Address,
}

/// Which of the contracts a vault has.
pub fn kind_of(vault: &VaultConfig) -> Kind<'_> {
    match &vault.kind {
        VaultKind::Basis(basis) => Kind::Basis(&basis.limits.wall.contract),
        VaultKind::Options(options) => Kind::of_options(&options.limits.wall.contract),
    }
}

/// Everything that can be read of a vault's contract: its section, its limits, what it is bound to, and what its capital
/// needs. `keeper` is the address of the key that keeps its shares, if they are kept.
pub async fn whole(preflight: &Preflight<'_>, vault: &VaultConfig, keeper: Option<Address>) -> Vec<Line> {
    let (node, address) = (preflight.node, preflight.vault());
    let dialect = preflight.contract.dialect;
    let kind = kind_of(vault);
    let mut lines = preflight.lines().await;
    lines.extend(kinds::limits(node, address, kind).await);
    match Bindings::read(node, address, kind).await {
        Ok(bound) => {
            lines.extend(bound.lines(dialect, kind));
            lines.push(custody::feed_line(node, bound.feed).await);
        }
        Err(why) => lines.push(Line::unread("modules and feed of the vault", &why, "")),
    }
    let custody = Custody {
        node,
        vault: address,
        subaccount: preflight.subaccount.0,
        deposit_module: dialect.modules.deposit.map(Address::from),
        capital: &vault.capital,
        keeper,
    };
    lines.extend(custody.lines().await);
    lines
}

impl Preflight<'_> {
    /// Every line, in the order a person would look: who it is, who may sign, what for.
    pub async fn lines(&self) -> Vec<Line> {
        let mut lines = self.identity().await;
        lines.extend(self.rights().await);
        lines.extend(self.parameters().await);
        lines
    }

    fn vault(&self) -> Address {
        Address::from(self.contract.address)
    }

    /// A view of the vault that must give this.
    async fn view<C: SolCall>(&self, what: &str, call: C, expected: impl Display) -> Line
    where
        C::Return: Display,
    {
        match self.node.view(self.vault(), call).await {
            Ok(found) => Line::equal(what, found, expected),
            Err(why) => Line::unread(what, &why, expected),
        }
    }

    async fn identity(&self) -> Vec<Line> {
        let dialect = self.contract.dialect;
        let (matching, wrapped) = (Address::from(dialect.verifying_contract), self.contract.wrapped_asset);
        let mut lines = vec![self.view("subaccount", VaultSigner::subAccountCall {}, self.subaccount.0).await];
        match self.node.view(self.vault(), VaultSigner::getBaseTSAAddressesCall {}).await {
            Ok(found) => {
                lines.push(Line::equal("verifier", found.matching, matching));
                lines.push(Line::equal("wrapped collateral", found.wrappedDepositAsset, Address::from(wrapped)));
            }
            Err(why) => lines.push(Line::unread("verifier and wrapped collateral", &why, matching)),
        }
        let separator = B256::from(dialect.domain_separator);
        lines.push(match self.node.view(matching, Matching::domainSeparatorCall {}).await {
            Ok(found) => Line::equal("signing domain", found, separator),
            Err(why) => Line::unread("signing domain", &why, separator),
        });
        let owner = Matching::subAccountToOwnerCall { subaccount: U256::from(self.subaccount.0) };
        lines.push(match self.node.view(matching, owner).await {
            Ok(found) => Line::equal("owner of the subaccount", found, self.vault()),
            Err(why) => Line::unread("owner of the subaccount", &why, self.vault()),
        });
        let modules = [
            ("trade", Some(dialect.modules.trade)),
            ("withdrawal", Some(dialect.modules.withdrawal)),
            ("deposit", dialect.modules.deposit),
        ];
        for (name, module) in modules.into_iter().filter_map(|(name, module)| Some((name, module?))) {
            let what = format!("{name} module allowed");
            let call = Matching::allowedModulesCall { module: Address::from(module) };
            lines.push(match self.node.view(matching, call).await {
                Ok(found) => Line::equal(what, found, true),
                Err(why) => Line::unread(what, &why, true),
            });
        }
        lines
    }

    async fn rights(&self) -> Vec<Line> {
        vec![
            self.view("key may sign", VaultSigner::isSignerCall { key: self.key }, true).await,
            self.view("signatures disabled", VaultSigner::signaturesDisabledCall {}, false).await,
            self.view("settlement blocked", VaultSigner::isBlockedCall {}, false).await,
            self.live_signature().await,
            self.base_price().await,
            self.way_of_signing().await,
        ]
    }

    /// What the contract is asked with: gas of the key, or the exchange's executor.
    async fn way_of_signing(&self) -> Line {
        match &self.contract.signing {
            ContractSigning::Before(terms) => self.gas_balance(terms.gas_balance_min).await,
            ContractSigning::Atomic { executor } => {
                let submitter = Address::from(*executor);
                self.view("executor may submit", VaultSigner::isSubmitterCall { submitter }, true).await
            }
        }
    }

    /// A live signature is no fault: it is adopted or revoked at the start.
    async fn live_signature(&self) -> Line {
        let what = "live signature".to_owned();
        let read = async {
            let hash = self.node.view(self.vault(), VaultSigner::lastSeenHashCall {}).await?;
            Ok((hash, self.node.view(self.vault(), VaultSigner::signedDataCall { hash }).await?))
        };
        match read.await {
            Ok((hash, live)) => {
                let found = if live { hash.to_string() } else { "none".to_owned() };
                Line { what, found, expected: String::new(), sound: true }
            }
            Err(why) => Line::unread(what, &why, ""),
        }
    }

    /// Its feed refuses to answer when it is stale, and then nothing can be signed.
    async fn base_price(&self) -> Line {
        let (what, expected) = ("price of the collateral", "readable, above 0");
        match self.node.view(self.vault(), VaultSigner::getBasePriceCall {}).await {
            Ok(price) => {
                let (what, expected) = (what.to_owned(), expected.to_owned());
                Line { what, found: format_ether(price), expected, sound: !price.is_zero() }
            }
            Err(why) => Line::unread(what, &why, expected),
        }
    }

    async fn gas_balance(&self, least: Cash) -> Line {
        let what = "gas of the key, ETH";
        let expected = format!("at least {least}");
        let least = U256::from(least.raw().unsigned_abs());
        match self.node.balance(self.key).await {
            Ok(found) => Line { what: what.to_owned(), found: format_ether(found), expected, sound: found >= least },
            Err(why) => Line::unread(what, &why, expected),
        }
    }

    async fn parameters(&self) -> Vec<Line> {
        let Some(terms) = &self.contract.terms else { return Vec::new() };
        let mut lines = Vec::new();
        match self.node.view(self.vault(), VaultSigner::getCCTSAParamsCall {}).await {
            Ok(found) => lines.extend(option_lines(&found, terms)),
            Err(why) => lines.push(Line::unread("parameters of options", &why, "CCTSAParams")),
        }
        match self.node.view(self.vault(), VaultSigner::getCollateralManagementParamsCall {}).await {
            Ok(found) => lines.extend(collateral_lines(&found, terms)),
            Err(why) => lines.push(Line::unread("parameters of collateral", &why, "CollateralManagementParams")),
        }
        lines
    }
}

fn option_lines(found: &super::abi::CCTSAParams, terms: &CoveredCallTerms) -> [Line; 7] {
    [
        Line::equal("shortest signature, s", found.minSignatureExpiry, terms.signature_s_min),
        Line::equal("longest signature, s", found.maxSignatureExpiry, terms.signature_s_max),
        Line::equal("volatility factor", format_ether(found.optionVolSlippageFactor), ratio(terms.vol_factor)),
        Line::equal("highest delta", format_ether(found.optionMaxDelta), ratio(terms.delta_max)),
        Line::equal("lowest cash", format_ether(found.optionMaxNegCash), cash(terms.cash_min)),
        Line::equal("shortest option, s", found.optionMinTimeToExpiry, terms.life_s_min),
        Line::equal("longest option, s", found.optionMaxTimeToExpiry, terms.life_s_max),
    ]
}

fn collateral_lines(found: &super::abi::CollateralManagementParams, terms: &CoveredCallTerms) -> [Line; 4] {
    [
        Line::equal("highest fee", format_ether(found.feeFactor), ratio(terms.fee_max)),
        Line::equal("leniency", format_ether(found.spotTransactionLeniency), ratio(terms.leniency)),
        Line::equal("lowest selling price", format_ether(found.worstSpotSellPrice), ratio(terms.worst_sell)),
        Line::equal("highest buying price", format_ether(found.worstSpotBuyPrice), ratio(terms.worst_buy)),
    ]
}

/// In the form the chain's 18 decimals are shown.
fn ratio(value: Ratio) -> String {
    /// Units of the contracts in one of ours, which has nine decimals.
    const SCALE: i128 = 1_000_000_000;
    format_ether(I256::try_from(i128::from(value.raw()) * SCALE).unwrap_or(I256::MAX))
}

fn cash(value: Cash) -> String {
    format_ether(I256::try_from(value.raw()).unwrap_or(I256::MAX))
}
