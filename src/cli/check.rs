//! `keel check`: is this configuration sound, what does every value mean, and does the venue agree?

use super::contract::{self, GasKey};
use super::{Failure, session};
use crate::chain::preflight;
use crate::config::{Config, Isolation, table};
use crate::engine::ports::Key;
use crate::io::clock::LiveClock;
use crate::io::fence;
use crate::io::key::LocalKey;
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
    if config.signer.isolation == Isolation::Process
        && let Err(why) = fence::probe()
    {
        eprintln!("keel: warning: {why}: code that runs in the engine could open the key's file");
    }
    if args.live {
        let mut key = session::load_key(&config)?;
        contracts(&config, &key)?;
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
    }
    println!("{}: sound", args.config.display());
    Ok(())
}

/// Holds the contract that signs for a vault against its section, and refuses any difference.
fn contracts(config: &Config, key: &LocalKey) -> Result<(), Failure> {
    let Some((vault, contract)) = contract::of(config) else { return Ok(()) };
    println!("on {}, the contract of {}", contract.dialect.name, vault.name);
    let read = actix::System::new().block_on(contract::read(config, key.address(), GasKey::read(config)?))?;
    let lines = read.map_or_else(Vec::new, |(_, lines)| lines);
    println!("{}", preflight::table(&lines));
    let faults = lines.iter().filter(|line| !line.sound).count();
    if faults > 0 {
        let what = format!("{faults} of {} lines of its contract differ from [vault.v2]", lines.len());
        return Err(Failure::Refused(format!("{}: {what}", vault.name)));
    }
    Ok(())
}

fn ms(ns: i64) -> f64 {
    ns as f64 / 1e6
}
