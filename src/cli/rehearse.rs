//! `keel rehearse`: the last run folded again before a start, by the engine alone.

use super::{Failure, demo};
use crate::config::FoldBounds;
use crate::ops::replay::rehearsal::rehearse;
use std::path::PathBuf;

/// Options of `keel rehearse`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// State folder.
    state: PathBuf,
    /// Time for it, ms.
    #[arg(long)]
    ms: u64,
    /// Most that is folded, MiB.
    #[arg(long)]
    mib: u64,
}

/// Tells what was found as one JSON object.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let bounds = FoldBounds { ms_max: args.ms, mib_max: args.mib };
    let found = rehearse(&args.state, bounds, |config, at| drop(demo::bring_forward(config, at)));
    let found = found.map_err(Failure::Refused)?;
    println!("{}", serde_json::to_string(&found).map_err(|why| Failure::Refused(why.to_string()))?);
    Ok(())
}
