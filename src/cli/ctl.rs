//! `keel ctl`: what an operator tells a running engine. A kill of everything speaks to the signer itself, through shared
//! memory; all else goes through the engine's control socket.

use super::Failure;
use crate::config::Config;
use crate::io::switch;
use crate::ops::console::{Reply, Request, Verb, client};
use std::path::{Path, PathBuf};
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
    /// How every vault stands.
    Status(Status),
    /// Cancel everything, take no new risk until resumed; hedges go on.
    Pause(Named),
    /// Cancel everything, take no new risk until a restart; hedges go on.
    Drain(Named),
    /// Trade again, where no restart is demanded.
    Resume(Named),
    /// Make a limit of [vault.limits] tighter until a restart; looser is refused.
    Tighten(Tighten),
    /// Stop at once: nothing is signed until a restart, everything at the venue is cancelled. One vault's with --vault.
    Kill(Kill),
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Engine {
    /// Configuration file of the running engine, for its `state.dir`.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder of the running engine's journal.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// The vault, by its name.
    #[arg(long, value_name = "NAME")]
    vault: Option<String>,
    /// All of them.
    #[arg(long)]
    all: bool,
}

#[derive(Debug, clap::Args)]
struct Status {
    #[command(flatten)]
    engine: Engine,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Named {
    #[command(flatten)]
    engine: Engine,
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, clap::Args)]
struct Tighten {
    #[command(flatten)]
    named: Named,
    /// The limit's name, such as notional_max_usdc.
    #[arg(long, value_name = "FIELD")]
    limit: String,
    /// Its new value, as in the configuration.
    #[arg(long, value_name = "VALUE")]
    to: String,
}

#[derive(Debug, clap::Args)]
struct Kill {
    #[command(flatten)]
    engine: Engine,
    /// One vault; without it, everything.
    #[arg(long, value_name = "NAME", conflicts_with = "all")]
    vault: Option<String>,
    /// Everything.
    #[arg(long)]
    all: bool,
}

impl Engine {
    fn folder(&self) -> Result<PathBuf, Failure> {
        match (&self.state, &self.config) {
            (Some(folder), _) => Ok(folder.clone()),
            (None, Some(file)) => {
                let config = Config::load(file).map_err(|why| Failure::Refused(why.to_string()))?;
                let missing = || Failure::Refused(format!("{}: no state.dir; give --state DIR", file.display()));
                config.state_dir.ok_or_else(missing)
            }
            (None, None) => Err(Failure::Refused("give --config FILE or --state DIR".to_owned())),
        }
    }
}

/// Tells the engine.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let (engine, request, json) = match &args.order {
        Order::Kill(kill) if kill.vault.is_none() => return stop_signer(&kill.engine.folder()?),
        Order::Kill(kill) => (&kill.engine, asked(Verb::Kill, kill.vault.clone()), false),
        Order::Status(status) => (&status.engine, asked(Verb::Status, None), status.json),
        Order::Pause(named) => (&named.engine, asked(Verb::Pause, named.which.vault.clone()), false),
        Order::Drain(named) => (&named.engine, asked(Verb::Drain, named.which.vault.clone()), false),
        Order::Resume(named) => (&named.engine, asked(Verb::Resume, named.which.vault.clone()), false),
        Order::Tighten(Tighten { named, limit, to }) => {
            let request = asked(Verb::Tighten, named.which.vault.clone());
            (&named.engine, Request { limit: Some(limit.clone()), to: Some(to.clone()), ..request }, false)
        }
    };
    let folder = engine.folder()?;
    running(&folder)?;
    let advice = "; if the engine hangs, keel ctl kill --all reaches its signer";
    let reply = client::ask(&folder, &request).map_err(|why| Failure::Unsafe(format!("{why}{advice}")))?;
    if json {
        println!("{}", serde_json::to_string(&reply).map_err(|why| Failure::Unsafe(why.to_string()))?);
    } else {
        show(&reply);
    }
    match reply {
        Reply { ok: false, said, .. } => Err(Failure::Refused(said)),
        Reply { done: false, said, .. } => Err(Failure::Unsafe(format!("taken, but not seen to be done yet: {said}"))),
        Reply { .. } => Ok(()),
    }
}

fn asked(verb: Verb, vault: Option<String>) -> Request {
    Request { verb, vault, ..Request::default() }
}

fn show(reply: &Reply) {
    if reply.ok {
        println!("{}", reply.said);
    }
    for vault in &reply.vaults {
        let restart = if vault.demands_restart { ", resumes with a restart only" } else { "" };
        let asking = if vault.asking { ", an RFQ open" } else { "" };
        println!("  {} {}{restart}: {} orders live{asking}", vault.vault, vault.mode, vault.orders);
        println!("    base {}, perp {}, cash {}", vault.base, vault.perp, vault.cash);
        vault.keeper.iter().for_each(|keeper| println!("    shares: {keeper}"));
        vault.alarms.iter().for_each(|alarm| println!("    alarm: {alarm}"));
    }
}

/// Who runs on a state folder.
fn running(folder: &Path) -> Result<String, Failure> {
    let holder = switch::holder(folder).map_err(Failure::Refused)?;
    holder.ok_or_else(|| Failure::Refused(format!("nothing runs on {}: there is nobody to tell", folder.display())))
}

/// Needs nothing of the engine but memory.
fn stop_signer(folder: &Path) -> Result<(), Failure> {
    let holder = switch::kill(folder, ANSWER_MAX).map_err(Failure::Refused)?;
    println!("{holder}: the signer signs nothing any more; it stays so until a restart");
    Ok(())
}
