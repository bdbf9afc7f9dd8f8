//! `keel ctl`: what an operator tells a running engine. It speaks to the signer itself, not through the pipeline.

use super::Failure;
use crate::config::Config;
use crate::io::switch;
use std::path::PathBuf;
use std::time::Duration;

/// Longest wait for the signer to say that it has stopped: one that is still starting proves itself to the venue first.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// Options of `keel ctl`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    order: Order,
}

#[derive(Debug, clap::Subcommand)]
enum Order {
    /// Stop the signer at once: nothing is signed until a restart, everything at the venue is cancelled.
    Kill(Kill),
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Kill {
    /// Configuration file of the running engine, for its `state.dir`.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder of the running engine's journal.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

/// Tells the engine.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let Order::Kill(kill) = &args.order;
    let folder = match (&kill.state, &kill.config) {
        (Some(folder), _) => folder.clone(),
        (None, Some(file)) => {
            let config = Config::load(file).map_err(|why| Failure::Refused(why.to_string()))?;
            let missing = || Failure::Refused(format!("{}: no state.dir; give --state DIR", file.display()));
            config.state_dir.ok_or_else(missing)?
        }
        (None, None) => return Err(Failure::Refused("give --config FILE or --state DIR".to_owned())),
    };
    let holder = switch::kill(&folder, ANSWER_MAX).map_err(Failure::Refused)?;
    println!("{holder}: the signer signs nothing any more; it stays so until a restart");
    Ok(())
}
