//! The demo's chain: a local node, a vault on it that signs, and at the end the chain's own word on every order or fill.

use super::Failure;
use crate::base::num::Price;
use crate::chain::service::Tally;
use crate::exchange::world::Live;
use crate::exchange::{AccountSeed, Owner, SettlementAuthority, SubaccountReport, TxStatus};
use crate::io::key::LocalKey;
use crate::msg::Product;
use crate::sim::evm::basis::{BasisSeed, BasisVault, Record, SETTLER_KEY};
use crate::sim::evm::package::{PackageSeed, PackageVault};
use crate::sim::evm::{LocalChain, WRAPPED, installed};
use crate::sim::onchain::OnChain;
use alloy::primitives::{Address, I256, U256, address};
use rust_decimal::Decimal;
use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Time between two blocks of the demo's chain.
const BLOCK_S: u64 = 1;
/// Longest wait for the last fills to settle.
const SETTLE_MAX: Duration = Duration::from_secs(15);
/// How often they are looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Which of the demo's vaults have a contract, and when it signs.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// Before an order leaves: covered calls.
    Before,
    /// Before the execution of a quote leaves: spreads.
    Package(Spreads),
    /// Inside the settlement of each fill: base against perp.
    Atomic(Pair),
}

/// What a vault trades by RFQ.
#[derive(Clone, Copy)]
pub(super) struct Spreads {
    product: Product,
    /// Collateral, and its options' asset.
    assets: [Address; 2],
    /// Price of one unit of collateral, dollars.
    spot: u64,
    /// Dollars between the strikes.
    distance: i64,
    /// What its contract takes a spread to be worth, dollars: the least a strategy sells, or the mark it aims to buy at.
    unit_mark: u64,
}

/// Options of ether.
const ETH_OPTION: Address = address!("4BB4C3CDc7562f08e9910A0C7D8bB7e108861eB4");
/// Call spreads on weETH.
pub(super) const SAFE_HARVEST: Spreads = Spreads {
    product: Product::ShortCallSpread,
    assets: [WRAPPED, ETH_OPTION],
    spot: 4_000,
    distance: 100,
    unit_mark: 2,
};
/// Put spreads on LBTC.
pub(super) const MAXI: Spreads = Spreads {
    product: Product::ShortPutSpread,
    assets: [LBTC.assets[0], address!("d0711b9eBE84b778483709CDe62BacFDBAE13623")],
    spot: 60_000,
    distance: 2_000,
    unit_mark: 40,
};
/// Call spreads bought with the yield of sUSDe.
pub(super) const BULL: Spreads = Spreads {
    product: Product::LongCallSpread,
    assets: [address!("375804CdcF0D534FDD2657584A7c4Ff5AB14A2bb"), ETH_OPTION],
    spot: 1,
    distance: 200,
    unit_mark: 80,
};

/// What a basis vault trades.
#[derive(Clone, Copy)]
pub(super) struct Pair {
    /// Collateral.
    currency: &'static str,
    /// Spot and perp.
    names: [&'static str; 2],
    /// Their assets.
    assets: [Address; 2],
}

/// weETH against ether.
pub(super) const WEETH: Pair = Pair {
    currency: "WEETH",
    names: ["WEETH-USDC", "ETH-PERP"],
    assets: [WRAPPED, address!("Af65752C4643E25C02F693f9D4FE19cF23a095E3")],
};
/// LBTC against bitcoin.
pub(super) const LBTC: Pair = Pair {
    currency: "LBTC",
    names: ["LBTC-USDC", "BTC-PERP"],
    assets: [
        address!("eaF03Bb3280C609d35E7F84d24a996c7C0b74F5f"),
        address!("DBa83C0C654DB1cd914FA2710bA743e925B53086"),
    ],
};

/// A chain with the demo's vault on it.
pub(super) struct Stage {
    chain: LocalChain,
    vault: Vault,
}

enum Vault {
    Before(Address),
    Package(Spreads, PackageVault),
    Atomic(Pair, BasisVault),
}

fn refused(why: String) -> Failure {
    Failure::Refused(format!("the demo's chain: {why}"))
}

impl Stage {
    /// Starts the node and deploys the vault with so much collateral; its account becomes the contract's.
    pub(super) fn set_up(
        anvil: Option<PathBuf>,
        account: &mut AccountSeed,
        (kind, base): (Kind, u64),
    ) -> Result<Stage, Failure> {
        let anvil = anvil.or_else(installed).ok_or_else(|| {
            let what = "v2 needs anvil, a local Ethereum node: run tools/evm/install, or name one with --anvil";
            Failure::Refused(what.to_owned())
        })?;
        let chain = LocalChain::start(&anvil).map_err(refused)?;
        let vault = actix::System::new().block_on(async {
            let vault = deploy(&chain, account, kind, base).await?;
            chain.tick_every(BLOCK_S).await.map(|()| vault)
        });
        let vault = vault.map_err(refused)?;
        (account.wallet, account.owner) = match &vault {
            Vault::Before(contract) => (*contract, Owner::Contract { atomic: false }),
            Vault::Package(_, deployed) => (deployed.vault, Owner::Contract { atomic: false }),
            Vault::Atomic(_, deployed) => (deployed.vault, Owner::Contract { atomic: true }),
        };
        Ok(Stage { chain, vault })
    }

    /// Who settles the exchange's fills, if the chain does.
    pub(super) fn authority(&self) -> Result<Option<Box<dyn SettlementAuthority>>, Failure> {
        let site = match &self.vault {
            Vault::Before(_) => return Ok(None),
            Vault::Package(..) => self.chain.package_site(),
            Vault::Atomic(pair, vault) => self.chain.site(vault, pair.names),
        };
        let key = LocalKey::from_bytes(&mut SETTLER_KEY.0.clone()).map_err(|why| refused(why.to_string()))?;
        let authority = OnChain::connect(site, key).map_err(refused)?;
        Ok(Some(Box::new(authority)))
    }

    /// Puts the chain's addresses into the configuration.
    pub(super) fn fill_in(&self, text: &str) -> String {
        let (wrapped, executor) = match &self.vault {
            Vault::Before(_) => (WRAPPED, Address::ZERO),
            Vault::Package(spreads, _) => (spreads.assets[0], Address::ZERO),
            Vault::Atomic(pair, vault) => (pair.assets[0], vault.executor),
        };
        text.replace("@CHAIN@", &self.chain.url)
            .replace("@WRAPPED@", &wrapped.to_string())
            .replace("@EXECUTOR@", &executor.to_string())
    }

    /// What the venue took or settled that the contract had not signed, and where the chain's books differ; in words.
    pub(super) fn unapproved(&self, live: &Live, subaccount: u64, tally: Option<&Tally>) -> Vec<String> {
        match &self.vault {
            Vault::Before(contract) => self.unsigned(*contract, live, subaccount, tally.unwrap_or(&Tally::default())),
            Vault::Package(_, vault) => {
                let mut found = self.unsigned(vault.vault, live, subaccount, tally.unwrap_or(&Tally::default()));
                found.extend(self.unsettled_packages(vault, live, subaccount));
                found
            }
            Vault::Atomic(pair, vault) => self.unsettled(*pair, vault, live, subaccount),
        }
    }

    /// Orders and executions the venue took that the contract had not signed.
    fn unsigned(&self, contract: Address, live: &Live, subaccount: u64, tally: &Tally) -> Vec<String> {
        let accepted = live.exchange.with(move |exchange, _, _| exchange.accepted_of(subaccount));
        let signed = actix::System::new().block_on(self.chain.signed_by(contract));
        let (Some(accepted), Ok(signed)) = (accepted, signed) else {
            return vec!["exchange and chain could not both be asked for their own books".to_owned()];
        };
        let digests: HashMap<u64, _> = tally.signed.iter().copied().collect();
        let approved = |nonce: &u64| digests.get(nonce).is_some_and(|digest| signed.contains(digest));
        eprintln!(
            "the venue took {} orders and executions, the chain records {} signatures",
            accepted.len(),
            signed.len()
        );
        if accepted.is_empty() && tally.made > 0 {
            return vec!["the exchange remembers no order, though the contract signed some".to_owned()];
        }
        let lacking = accepted.iter().filter(|nonce| !approved(nonce));
        lacking.map(|nonce| format!("the venue took {nonce}, which the vault's contract had not signed")).collect()
    }

    /// Legs of executions the chain has not settled, and options its books hold otherwise.
    fn unsettled_packages(&self, vault: &PackageVault, live: &Live, subaccount: u64) -> Vec<String> {
        let asked = settled_by_now(live, subaccount);
        let chain = actix::System::new().block_on(self.chain.options_of(vault, subaccount));
        let (Some((books, ends)), Ok(held)) = (asked, chain) else {
            return vec!["exchange and chain could not both be asked for their own books".to_owned()];
        };
        let settled = ends.iter().filter(|end| **end == Some(TxStatus::Settled)).count();
        eprintln!("{} legs: {settled} settled on chain, where the contract answered for their executions", ends.len());
        let mut found = Vec::new();
        if settled != ends.len() {
            found.push(format!("{} legs of executions are not settled on chain", ends.len() - settled));
        }
        let sum = |sign: Decimal| -> Decimal {
            books.positions.values().map(|position| (position.amount * sign).max(Decimal::ZERO)).sum()
        };
        for (what, theirs, chain) in [("bought", sum(Decimal::ONE), held[0]), ("sold", sum(-Decimal::ONE), held[1])] {
            let mut theirs = theirs;
            theirs.rescale(18);
            if u128::try_from(theirs.mantissa()).ok().map(U256::from) != Some(chain) {
                let what = format!("the exchange holds {} options {what} for us", theirs.normalize());
                found.push(format!("{what}, the chain's books say {chain} e-18"));
            }
        }
        found
    }

    /// Fills the venue settled that the contract had not approved, and what the chain's books hold otherwise.
    fn unsettled(&self, pair: Pair, vault: &BasisVault, live: &Live, subaccount: u64) -> Vec<String> {
        let asked = settled_by_now(live, subaccount);
        let chain = actix::System::new().block_on(async {
            let record = self.chain.record(vault).await?;
            self.chain.held(vault, subaccount).await.map(|held| (record, held))
        });
        let (Some((books, ends)), Ok((record, held))) = (asked, chain) else {
            return vec!["exchange and chain could not both be asked for their own books".to_owned()];
        };
        judged(&record, &ends).into_iter().chain(differing(pair, &books, &held)).collect()
    }
}

/// The exchange's own books, and what became of each fill, once all of them are settled or that took too long.
fn settled_by_now(live: &Live, subaccount: u64) -> Option<(SubaccountReport, Vec<Option<TxStatus>>)> {
    let until = Instant::now() + SETTLE_MAX;
    let open = || live.exchange.with(move |exchange, _, _| exchange.unsettled_of(subaccount));
    while open().is_some_and(|open| open > 0) && Instant::now() < until {
        std::thread::sleep(LOOK);
    }
    let asked = live.exchange.with(move |exchange, _, _| {
        let ends: Vec<_> = exchange.trades_of(subaccount).iter().map(|trade| trade.tx).collect();
        exchange.subaccount_report(subaccount).map(|books| (books, ends))
    });
    asked.flatten()
}

async fn deploy(chain: &LocalChain, account: &AccountSeed, kind: Kind, base: u64) -> Result<Vault, String> {
    let pair = match kind {
        Kind::Before => return chain.deploy(account.session_key, account.subaccount, base).await.map(Vault::Before),
        Kind::Package(spreads) => {
            let Spreads { product, assets, spot, distance, unit_mark } = spreads;
            let (subaccount, key, strike_diff) = (account.subaccount, account.session_key, Price::whole(distance));
            let seed = PackageSeed { subaccount, key, product, assets, base, spot, strike_diff, unit_mark };
            return chain.deploy_package(&seed).await.map(|vault| Vault::Package(spreads, vault));
        }
        Kind::Atomic(pair) => pair,
    };
    let wad = |units: u64| U256::from(units) * U256::from(10).pow(U256::from(18));
    let seed = BasisSeed {
        subaccount: account.subaccount,
        key: account.session_key,
        assets: pair.assets,
        held: [I256::from_raw(wad(base)), I256::ZERO, I256::ZERO],
        // Until the first settlement brings the venue's own.
        prices: [wad(1), wad(1)],
    };
    chain.deploy_basis(&seed).await.map(|vault| Vault::Atomic(pair, vault))
}

/// Holds the venue's fills against the chain's record, and says how many there were of each.
fn judged(record: &Record, ends: &[Option<TxStatus>]) -> Vec<String> {
    let count = |status| ends.iter().filter(|end| **end == Some(status)).count();
    let (settled, reverted) = (count(TxStatus::Settled), count(TxStatus::Reverted));
    let (approved, booked) = (record.approved.len(), record.settled.len());
    eprintln!(
        "{} fills: the contract approved {approved} on chain, {settled} settled, {reverted} refused and undone",
        ends.len()
    );
    let mut found = Vec::new();
    if settled + reverted != ends.len() {
        found.push(format!("{} fills are neither settled nor undone", ends.len() - settled - reverted));
    }
    if approved != settled || booked != settled {
        let what = format!("the venue settled {settled} fills, the contract approved {approved}");
        found.push(format!("{what}, the chain settled {booked}"));
    }
    found
}

/// What exchange and chain hold otherwise: collateral and perp; the chain's cash knows neither funding nor interest.
fn differing(pair: Pair, books: &SubaccountReport, held: &[I256; 3]) -> Vec<String> {
    let perp = books.positions.get(pair.names[1]).map(|position| position.amount).unwrap_or_default();
    let base = books.balances.get(pair.currency).copied().unwrap_or_default();
    let differs = |(name, theirs, chain): (&str, Decimal, I256)| {
        let mut theirs = theirs;
        theirs.rescale(18);
        (I256::try_from(theirs.mantissa()).ok() != Some(chain)).then(|| {
            format!("the exchange holds {} {name} for us, the chain's books say {chain} e-18", theirs.normalize())
        })
    };
    [(pair.names[0], base, held[0]), (pair.names[1], perp, held[1])].into_iter().filter_map(differs).collect()
}
