//! The demo's chain: a local node, a vault on it that signs, and at the end the chain's own word on every order.

use super::Failure;
use crate::chain::service::Tally;
use crate::exchange::world::Live;
use crate::exchange::{AccountSeed, Owner};
use crate::sim::evm::{LocalChain, WRAPPED, installed};
use alloy::primitives::Address;
use std::collections::HashMap;
use std::path::PathBuf;

/// Time between two blocks of the demo's chain.
const BLOCK_S: u64 = 1;

/// A chain with the demo's vault on it.
pub(super) struct Stage {
    chain: LocalChain,
    vault: Address,
}

fn refused(why: String) -> Failure {
    Failure::Refused(format!("the demo's chain: {why}"))
}

impl Stage {
    /// Starts the node and deploys the vault; its account becomes the contract's.
    pub(super) fn set_up(anvil: Option<PathBuf>, account: &mut AccountSeed, base: u64) -> Result<Stage, Failure> {
        let anvil = anvil.or_else(installed).ok_or_else(|| {
            let what = "v2 needs anvil, a local Ethereum node: run tools/evm/install, or name one with --anvil";
            Failure::Refused(what.to_owned())
        })?;
        let chain = LocalChain::start(&anvil).map_err(refused)?;
        let vault = actix::System::new().block_on(async {
            let vault = chain.deploy(account.session_key, account.subaccount, base).await?;
            chain.tick_every(BLOCK_S).await.map(|()| vault)
        });
        let vault = vault.map_err(refused)?;
        account.wallet = vault;
        account.owner = Owner::Contract { atomic: false };
        Ok(Stage { chain, vault })
    }

    /// Puts the chain's addresses into the configuration.
    pub(super) fn fill_in(&self, text: &str) -> String {
        text.replace("@CHAIN@", &self.chain.url).replace("@WRAPPED@", &WRAPPED.to_string())
    }

    /// Orders the venue took that the contract had not signed, in words.
    pub(super) fn unapproved(&self, live: &Live, subaccount: u64, tally: &Tally) -> Vec<String> {
        let accepted = live.exchange.with(move |exchange, _, _| exchange.accepted_of(subaccount));
        let signed = actix::System::new().block_on(self.chain.signed_by(self.vault));
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
}
