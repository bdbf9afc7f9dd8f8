//! `keel sentry`: cancels everything at the venue when the engine falls silent.

use super::{Failure, session};
use crate::config::Config;
use crate::io::clock::LiveClock;
use crate::io::host;
use crate::io::key::LocalKey;
use crate::io::websocket::{Settings, WebSocket};
use crate::ops::sentry::beat::{Ear, Secret};
use crate::ops::sentry::guard::Terms;
use crate::ops::sentry::{self, Badge, Outside, Told};
use std::path::PathBuf;

/// Options of `keel sentry`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The engine's configuration file (TOML), with its `[sentry]`; of the files it names only the sentry's are needed.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Watches until SIGINT or SIGTERM.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let config = Config::load_for_sentry(&args.config).map_err(|why| Failure::Refused(why.to_string()))?;
    let missing = || Failure::Refused(format!("{}: no [sentry]", args.config.display()));
    let wanted = config.sentry.as_ref().ok_or_else(missing)?;
    let stop = session::stop_flag()?;
    if let Err(why) = host::forbid_core_dumps() {
        eprintln!("keel: warning: {why}");
    }
    let key = LocalKey::from_file(&wanted.session_key_file).map_err(|why| Failure::Refused(why.to_string()))?;
    let secret = Secret::load(&wanted.secret_file).map_err(Failure::Refused)?;
    let beats = sentry::listen(wanted.listen).map_err(Failure::Refused)?;
    let url = config.venue.environment.ws.as_ref();
    let settings = Settings::drawn().map_err(|why| Failure::Refused(why.to_string()))?;
    let venue = WebSocket::new(url, settings.patient_for(RECONNECT_NS_MAX));
    let venue = venue.map_err(|why| Failure::Refused(format!("{url}: {why}")))?;
    let terms = Terms {
        wallet: config.wallet.owner,
        subaccounts: config.vaults.iter().map(|vault| vault.book.subaccount).collect(),
        silence_ns_max: wanted.silence_ns_max,
    };
    eprintln!("keel: sentry: hears beats on {}", wanted.listen);
    let watched = (terms, Badge::new(key), Ear::new(secret, wanted.clock_offset_ns_max));
    sentry::run(watched, Outside { venue, beats, clock: LiveClock::new() }, &stop, &mut tell);
    Ok(())
}

/// Longest wait between two attempts to reach the venue.
const RECONNECT_NS_MAX: u64 = crate::base::time::SEC;

fn tell(told: Told<'_>) {
    match told {
        Told::Word(word) if word.is_alarm() => eprintln!("keel: sentry: alarm: {word}"),
        Told::Word(word) => eprintln!("keel: sentry: {word}"),
        Told::NoBeat(why) => eprintln!("keel: sentry: a datagram is not the engine's beat: {why}"),
    }
}
