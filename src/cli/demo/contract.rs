//! The demo's chain: a local node, a vault on it that signs, and at the end the chain's own word on every order or fill.

use super::Failure;
use crate::chain::service::Tally;
use crate::exchange::world::Live;
use crate::exchange::{AccountSeed, Owner, SettlementAuthority, SubaccountReport, TxStatus};
use crate::io::key::LocalKey;
use crate::sim::evm::basis::{BasisSeed, BasisVault, Record, SETTLER_KEY};
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
    /// Inside the settlement of each fill: base against perp.
    Atomic(Pair),
}

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
            Vault::Atomic(_, deployed) => (deployed.vault, Owner::Contract { atomic: true }),
        };
        Ok(Stage { chain, vault })
    }

    /// Who settles the exchange's fills, if the chain does.
    pub(super) fn authority(&self) -> Result<Option<Box<dyn SettlementAuthority>>, Failure> {
        let Vault::Atomic(pair, vault) = &self.vault else { return Ok(None) };
        let key = LocalKey::from_bytes(&mut SETTLER_KEY.0.clone()).map_err(|why| refused(why.to_string()))?;
        let authority = OnChain::connect(self.chain.site(vault, pair.names), key).map_err(refused)?;
        Ok(Some(Box::new(authority)))
    }

    /// Puts the chain's addresses into the configuration.
    pub(super) fn fill_in(&self, text: &str) -> String {
        let (wrapped, executor) = match &self.vault {
            Vault::Before(_) => (WRAPPED, Address::ZERO),
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
            Vault::Atomic(pair, vault) => self.unsettled(*pair, vault, live, subaccount),
        }
    }

    /// Orders the venue took that the contract had not signed.
    fn unsigned(&self, contract: Address, live: &Live, subaccount: u64, tally: &Tally) -> Vec<String> {
        let accepted = live.exchange.with(move |exchange, _, _| exchange.accepted_of(subaccount));
        let signed = actix::System::new().block_on(self.chain.signed_by(contract));
        let (Some(accepted), Ok(signed)) = (accepted, signed) else {
            return vec!["exchange and chain could not both be asked for their own books".to_owned()];
        };
        let digests: HashMap<u64, _> = tally.signed.iter().copied().collect();
        let approved = |nonce: &u64| digests.get(nonce).is_some_and(|digest| signed.contains(digest));
        eprintln!("the venue took {} orders, the chain records {} signatures", accepted.len(), signed.len());
        if accepted.is_empty() && tally.made > 0 {
            return vec!["the exchange remembers no order, though the contract signed some".to_owned()];
        }
        let lacking = accepted.iter().filter(|nonce| !approved(nonce));
        lacking
            .map(|nonce| format!("the venue took order {nonce}, which the vault's contract had not signed"))
            .collect()
    }

    /// Fills the venue settled that the contract had not approved, and what the chain's books hold otherwise.
    fn unsettled(&self, pair: Pair, vault: &BasisVault, live: &Live, subaccount: u64) -> Vec<String> {
        let until = Instant::now() + SETTLE_MAX;
        let open = || live.exchange.with(move |exchange, _, _| exchange.unsettled_of(subaccount));
        while open().is_some_and(|open| open > 0) && Instant::now() < until {
            std::thread::sleep(LOOK);
        }
        let asked = live.exchange.with(move |exchange, _, _| {
            let ends: Vec<_> = exchange.trades_of(subaccount).iter().map(|trade| trade.tx).collect();
            exchange.subaccount_report(subaccount).map(|books| (books, ends))
        });
        let chain = actix::System::new().block_on(async {
            let record = self.chain.record(vault).await?;
            self.chain.held(vault, subaccount).await.map(|held| (record, held))
        });
        let (Some((books, ends)), Ok((record, held))) = (asked.flatten(), chain) else {
            return vec!["exchange and chain could not both be asked for their own books".to_owned()];
        };
        judged(&record, &ends).into_iter().chain(differing(pair, &books, &held)).collect()
    }
}

async fn deploy(chain: &LocalChain, account: &AccountSeed, kind: Kind, base: u64) -> Result<Vault, String> {
    let pair = match kind {
        Kind::Before => return chain.deploy(account.session_key, account.subaccount, base).await.map(Vault::Before),
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
