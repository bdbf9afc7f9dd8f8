//! The contract that signs for the only vault of a configuration: proved before anything starts, and served while it runs.

use super::Failure;
use super::session::read_key;
use crate::base::time::SEC;
use crate::chain::lane::Limits;
use crate::chain::node::Node;
use crate::chain::oracle::Oracle;
use crate::chain::preflight::kinds::Bindings;
use crate::chain::preflight::{self, Line, Preflight};
use crate::chain::presign::words::{RefreshTerms, Terms};
use crate::chain::service::{Service, Shared, Tally};
use crate::chain::signer::{ContractSigner, Pace};
use crate::config::{Config, V2Contract, VaultConfig};
use crate::derive::dialect::Address;
use crate::engine::ports::Key;
use crate::io::key::LocalKey;
use crate::topology::ChainEnds;
use alloy::primitives::{Address as ChainAddress, U256};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The venue takes no order whose signature has less left, and some of it goes by on the way.
const LIFE_S_MIN: u64 = 310;
/// Gas of a revocation.
const REVOKE_GAS: u64 = 150_000;
/// Gas of bringing a price to the feed: a signature of each of its oracles is recovered there.
const REFRESH_GAS: u64 = 600_000;
/// Blocks on top of its own before a transaction is final.
const FINAL_AFTER: u64 = 30;
/// Blocks without inclusion before the fee is raised.
const BUMP_AFTER: u64 = 2;
/// How often the chain is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// Blocks for which the feed must still answer when a signature is asked for: one to be in, and two of patience.
const SPARE_BLOCKS: u32 = 3;
/// Blocks within which a signature must be revoked at the end of a run.
const CLOSE_BLOCKS: u32 = 10;
/// Blocks of silence after which a person hears of it.
const SILENT_BLOCKS: u32 = 10;

/// The key that pays for signatures, for every life of the service. It is read once, while its file can still be opened.
#[derive(Clone)]
pub(super) struct GasKey(Arc<Mutex<LocalKey>>);

impl GasKey {
    /// Reads it, if the configuration's contract signs before orders leave.
    pub(super) fn read(config: &Config) -> Result<Option<GasKey>, Failure> {
        let Some(terms) = of(config).and_then(|(_, contract)| contract.presign()) else { return Ok(None) };
        let key = read_key(config, terms.gas_key_file.as_deref())?;
        Ok(Some(GasKey(Arc::new(Mutex::new(key)))))
    }

    fn with<T>(&self, work: impl FnOnce(&mut LocalKey) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Key for GasKey {
    fn sign(&mut self, digest: &[u8; 32]) -> [u8; 65] {
        self.with(|key| key.sign(digest))
    }

    fn address(&self) -> Address {
        self.with(|key| key.address())
    }

    fn refresh(&mut self) {
        self.with(Key::refresh);
    }
}

/// A contract whose chain agrees with the configuration.
pub(super) struct Proved<'c> {
    contract: &'c V2Contract,
    node: Node,
    feed: Option<ChainAddress>,
    oracle: Option<Oracle>,
    gas: Option<GasKey>,
}

/// Every vault's contract, of which there is at most one.
pub(super) fn of(config: &Config) -> Option<(&VaultConfig, &V2Contract)> {
    config.vaults.iter().find_map(|vault| Some((vault, vault.contract.as_ref()?)))
}

/// Reads everything that can be read of the contract and holds it against the configuration; `session` is the key that
/// signs what goes to the venue, `gas` the one that pays for signatures.
pub(super) async fn read(
    config: &Config,
    session: Address,
    gas: Option<GasKey>,
) -> Result<Option<(Proved<'_>, Vec<Line>)>, Failure> {
    let Some((vault, contract)) = of(config) else { return Ok(None) };
    let refused = |why: String| Failure::Refused(format!("{}: {why}", vault.name));
    let node = Node::connect(contract.rpc_url.as_str(), contract.dialect.chain_id).await;
    let node = node.map_err(|why| refused(why.to_string()))?;
    let key = gas.as_ref().map_or(session, Key::address);
    let subaccount = vault.book.subaccount;
    let asks = Preflight { node: &node, contract, subaccount, key: ChainAddress::from(key) };
    let lines = preflight::whole(&asks, vault, keeper_of(vault, &[session, key])?).await;
    // Where it cannot be read, a line says so.
    let bound = Bindings::read(&node, ChainAddress::from(contract.address), preflight::kind_of(vault)).await;
    let feed = bound.ok().map(|bound| bound.feed);
    let refresh = contract.presign().and_then(|terms| terms.refresh);
    let oracle = refresh.map(|_| Oracle::of(&config.venue.environment.rest, &vault.base_currency)).transpose();
    let oracle = oracle.map_err(refused)?;
    Ok(Some((Proved { contract, node, gas, feed, oracle }, lines)))
}

/// The key that keeps a vault's shares; its transactions have nonces of their own, so it is none of `others`.
fn keeper_of(vault: &VaultConfig, others: &[Address]) -> Result<Option<ChainAddress>, Failure> {
    let Some(keeper) = &vault.keeper else { return Ok(None) };
    let refused = |why: String| Failure::Refused(format!("{}: {why}", vault.name));
    let key = LocalKey::from_file(&keeper.key_file).map_err(|why| refused(why.to_string()))?.address();
    if others.contains(&key) {
        let what = "keeper.key_file holds the session key or the key that pays for signatures";
        return Err(refused(format!("{what}: two senders would use the same nonces")));
    }
    Ok(Some(ChainAddress::from(key)))
}

/// As [`read`], and refuses any difference.
pub(super) async fn prove(
    config: &Config,
    session: Address,
    gas: Option<GasKey>,
) -> Result<Option<Proved<'_>>, Failure> {
    let Some((proved, lines)) = read(config, session, gas).await? else { return Ok(None) };
    let faults: Vec<Line> = lines.iter().filter(|line| !line.sound).cloned().collect();
    if faults.is_empty() {
        return Ok(Some(proved));
    }
    let what = format!("{} of {} lines of its contract differ from [vault.v2]", faults.len(), lines.len());
    Err(Failure::Refused(format!("{what}:\n{}", preflight::table(&faults))))
}

impl<'c> Proved<'c> {
    /// What is configured of it.
    pub(super) fn contract(&self) -> &'c V2Contract {
        self.contract
    }

    /// The node it was read through.
    pub(super) fn node(&self) -> &Node {
        &self.node
    }
}

impl Proved<'_> {
    /// Serves the stage from now on; what it does is counted in the tally.
    pub(super) fn serve(self, ends: ChainEnds) -> Result<Serving, Failure> {
        let Proved { contract, node, gas, feed, oracle } = self;
        let (Some(terms), Some(gas)) = (contract.presign().cloned(), gas) else {
            return Err(Failure::Refused("nothing to serve".to_owned()));
        };
        let (vault, dialect) = (ChainAddress::from(contract.address), contract.dialect);
        let block = Duration::from_nanos(terms.block_ns);
        let make = move || {
            let own = Terms {
                vault,
                sign_gas: terms.sign_gas,
                revoke_gas: REVOKE_GAS,
                life_s_min: LIFE_S_MIN,
                idle_blocks_max: terms.idle_blocks_max,
                feed,
                feed_spare_s: (block * SPARE_BLOCKS).as_secs().max(1),
                refresh: terms.refresh.map(|own| RefreshTerms {
                    age_bps_max: own.age_bps_max,
                    pause_s: own.pause_ns / SEC,
                    gas: REFRESH_GAS,
                }),
            };
            let limits = Limits {
                bump_after_blocks: BUMP_AFTER,
                final_after_blocks: FINAL_AFTER,
                tip_wei: terms.gas_tip_wei,
                fee_wei_max: terms.gas_price_wei_max,
                balance_wei_min: U256::from(terms.gas_balance_min.raw().unsigned_abs()),
            };
            Ok(ContractSigner::new(node.clone(), gas.clone(), own, limits).with_oracle(oracle.clone()))
        };
        let (tally, close) = (Shared::default(), Arc::new(AtomicBool::new(false)));
        let pace = Pace { look: LOOK.min(block), silent_max: block * SILENT_BLOCKS };
        let service = Service { make, dialect, contract: vault, pace, tally: tally.clone(), close: Arc::clone(&close) };
        actix::spawn(service.run(ends));
        Ok(Serving { tally, close, close_max: block * CLOSE_BLOCKS })
    }
}

/// The chain's side of the contract stage, at work.
pub(super) struct Serving {
    tally: Shared,
    close: Arc<AtomicBool>,
    close_max: Duration,
}

impl Serving {
    /// A copy of what was counted so far.
    pub(super) fn counted(&self) -> Tally {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Has nothing more signed and revokes what no order stands on, for as long as that may take; says what stays live. An
    /// order of unknown fate keeps its signature: a fill of it could not be settled without.
    pub(super) async fn close(&self) {
        self.close.store(true, Ordering::Relaxed);
        let until = Instant::now() + self.close_max;
        while !self.counted().closed && Instant::now() < until {
            tokio::time::sleep(LOOK).await;
        }
        let Tally { closed, live_until_s, .. } = self.counted();
        match live_until_s {
            _ if closed => {}
            Some(until_s) => {
                eprintln!(
                    "keel: warning: the vault's contract answers for a signature of ours until unix second {until_s}"
                );
            }
            None => eprintln!("keel: warning: it is not known that the vault's contract answers for nothing of ours"),
        }
    }
}
