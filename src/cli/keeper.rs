//! Who keeps the shares of a vault whose contract is on v2: started beside the pipeline, and ended with it.

use super::Failure;
use super::contract::Proved;
use crate::base::queue::Post;
use crate::chain::abi::VaultSigner;
use crate::chain::keeper::task::plan;
use crate::config::Config;
use crate::io::clock::LiveClock;
use crate::msg::Command;
use crate::ops::control::KeeperPost;
use crate::ops::keeping::{self, PACE, Plan};
use alloy::primitives::Address;
use tokio::task::JoinHandle;

/// Starts the keeper of the proved vault, if its shares are to be kept.
pub(super) async fn start(
    config: &Config,
    proved: &Proved<'_>,
    commands: &Post<Command>,
    clock: &LiveClock,
) -> Result<Option<(JoinHandle<()>, KeeperPost)>, Failure> {
    let kept = config.vaults.iter().enumerate().find_map(|(place, vault)| Some((place, vault, vault.keeper.as_ref()?)));
    let Some((place, vault, keeper)) = kept else { return Ok(None) };
    let contract = Address::from(proved.contract().address);
    let node = proved.node().clone();
    let addresses = node.view(contract, VaultSigner::getBaseTSAAddressesCall {}).await;
    let addresses = addresses.map_err(|why| Failure::Refused(format!("{}: its token: {why}", vault.name)))?;
    let Some(planned) = plan(vault, contract, addresses.depositAsset) else { return Ok(None) };
    Ok(Some(keeping::start(Plan {
        place,
        presigned: proved.contract().presign().is_some(),
        keeper: planned,
        node,
        key_file: keeper.key_file.clone(),
        commands: commands.clone(),
        clock: clock.clone(),
        pace: PACE,
    })))
}

/// Waits for the end of keepers that have been dismissed, a little longer than it may take.
pub(super) async fn end(keepers: Vec<JoinHandle<()>>) {
    for keeper in keepers {
        if tokio::time::timeout(PACE.stop_max * 2, keeper).await.is_err() {
            eprintln!("keel: warning: the keeper of shares did not come to its end");
        }
    }
}
