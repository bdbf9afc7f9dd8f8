//! `keel check`: is this configuration sound, what does every value mean, and does the venue agree?

use super::{Failure, session};
use crate::config::{Config, table};
use crate::io::clock::LiveClock;
use std::path::PathBuf;

/// Options of `keel check`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Configuration file (TOML).
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Also ask the venue: clock, instruments, session key, subaccounts and signing domain.
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
    }
    println!("{}: sound", args.config.display());
    Ok(())
}

fn ms(ns: i64) -> f64 {
    ns as f64 / 1e6
}
