//! `keel check`: is this configuration sound, what does every value mean, and does the venue agree?

use super::{Failure, session};
use crate::chain::node::{CallError, Node};
use crate::chain::preflight::{self, Preflight};
use crate::config::{Config, VaultConfig, table};
use crate::engine::ports::Key;
use crate::io::clock::LiveClock;
use crate::io::key::LocalKey;
use alloy::primitives::Address;
use std::path::PathBuf;

/// Options of `keel check`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Configuration file (TOML).
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Also ask the venue: clock, instruments, session key, subaccounts and signing domain; and a vault's contract.
    #[arg(long)]
    live: bool,
}

/// Checks and explains.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let config = Config::load(&args.config).map_err(|why| Failure::Refused(why.to_string()))?;
    println!("{}", table(config.explain()));
    config.warnings().iter().for_each(|warning| eprintln!("keel: warning: {warning}"));
    if args.live {
        let mut key = session::load_key(&config)?;
        let mut clock = LiveClock::new();
        let proved = actix::System::new().block_on(session::prove(&config, &mut key, &mut clock))?;
        println!("at the venue");
        println!("  clock        {:+.1} ms, round trip {:.1} ms", ms(proved.venue_offset_ns), ms(proved.rtt_ns as i64));
        println!("  session key  accepted, expires at unix second {}", proved.key_expires_at.secs());
        for instrument in &proved.instruments {
            println!(
                "  {:<12} tick {}, step {}, from {} to {}, maker {} taker {}",
                instrument.name,
                instrument.tick,
                instrument.step,
                instrument.min_amount,
                instrument.max_amount,
                instrument.maker_fee,
                instrument.taker_fee
            );
        }
        println!("  signing      the venue rebuilds the hashes we sign");
        contracts(&config, &key)?;
    }
    println!("{}: sound", args.config.display());
    Ok(())
}

/// Holds every contract that signs for a vault against its section, and refuses any difference.
fn contracts(config: &Config, key: &LocalKey) -> Result<(), Failure> {
    for vault in &config.vaults {
        let Some(contract) = vault.options().and_then(|options| options.v2.as_ref()) else { continue };
        println!("on {}, the contract of {}", contract.dialect.name, vault.name);
        let keeper = keeper_of(vault, key)?;
        let lines = actix::System::new().block_on(async {
            let node = Node::connect(contract.rpc_url.as_str(), contract.dialect.chain_id).await?;
            let (subaccount, key) = (vault.book.subaccount, key.address().into());
            let preflight = Preflight { node: &node, contract, subaccount, key };
            Ok(preflight::whole(&preflight, vault, keeper).await)
        });
        let lines = lines.map_err(|why: CallError| Failure::Refused(format!("{}: {why}", vault.name)))?;
        println!("{}", preflight::table(&lines));
        let faults = lines.iter().filter(|line| !line.sound).count();
        if faults > 0 {
            let what = format!("{faults} of {} lines of its contract differ from [vault.v2]", lines.len());
            return Err(Failure::Refused(format!("{}: {what}", vault.name)));
        }
    }
    Ok(())
}

/// The key that keeps a vault's shares; its transactions have nonces of their own, so it is not the session key.
fn keeper_of(vault: &VaultConfig, session: &LocalKey) -> Result<Option<Address>, Failure> {
    let Some(keeper) = &vault.keeper else { return Ok(None) };
    let key = LocalKey::from_file(&keeper.key_file).map_err(|why| Failure::Refused(why.to_string()))?;
    if key.address() == session.address() {
        let what = "keeper.key_file holds the session key: two senders would use the same nonces";
        return Err(Failure::Refused(format!("{}: {what}", vault.name)));
    }
    Ok(Some(key.address().into()))
}

fn ms(ns: i64) -> f64 {
    ns as f64 / 1e6
}
