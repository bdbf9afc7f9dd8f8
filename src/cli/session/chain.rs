//! What a run does on a chain beside its pipeline: a contract that signs, and a keeper of its shares.

use crate::chain::service::Tally;
use crate::cli::contract::{Proved, Serving};
use crate::cli::{Failure, keeper};
use crate::config::Config;
use crate::io::clock::LiveClock;
use crate::ops::control::KeeperPost;
use crate::topology::ControlEnds;
use tokio::task::JoinHandle;

/// Both, as far as the configuration wants them.
pub(super) struct OnChain {
    serving: Option<Serving>,
    keepers: Vec<JoinHandle<()>>,
}

impl OnChain {
    /// Starts them for a contract that has been proved; returns what the clerk needs of the keepers too.
    pub(super) async fn start(
        config: &Config,
        proved: Option<Proved<'_>>,
        ends: &mut ControlEnds,
        clock: &LiveClock,
    ) -> Result<(OnChain, Vec<KeeperPost>), Failure> {
        let Some(proved) = proved else { return Ok((OnChain { serving: None, keepers: Vec::new() }, Vec::new())) };
        let keeper = keeper::start(config, &proved, &ends.commands, clock).await?;
        let (keepers, posts) = keeper.into_iter().unzip();
        let serving = ends.chain.take().map(|chain| proved.serve(chain)).transpose()?;
        Ok((OnChain { serving, keepers }, posts))
    }

    /// Once orders are gone and keepers dismissed: what is live is revoked, and what is on its way is seen to its end, for
    /// as long as that may take.
    pub(super) async fn end(&mut self) {
        let signature = async {
            if let Some(serving) = &self.serving {
                serving.close().await;
            }
        };
        tokio::join!(signature, keeper::end(std::mem::take(&mut self.keepers)));
    }

    /// What the contract did, if one signs.
    pub(super) fn counted(&self) -> Option<Tally> {
        self.serving.as_ref().map(Serving::counted)
    }
}
