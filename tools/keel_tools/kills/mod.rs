//! `keel-tools kills`: the real engine against the real venue on loopback, killed at random moments and started again on
//! the same journal; judged from outside after every kill.
//!
//! Several vaults live at a time, in turn of each kind, each with a journal, tapes, an account and a relay of its own. Most falls are SIGKILL at a random
//! moment, start-up included; a share of them comes after a freeze of the engine or of the venue, behind a line that is
//! held, delayed or cut, or on a full disk. Every so often a vault must heal: be live, drain to no order, and agree with the venue to the last unit.

mod judge;
mod recovery;
mod worker;

use crate::process::Venue;
use crate::process::vault::Vault;
use hdrhistogram::Histogram;
use recovery::Folds;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use worker::Worker;

/// Options of `keel-tools kills`.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Args {
    /// Kills in all.
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    kills: u64,
    /// Vaults that live at a time.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=32))]
    jobs: u8,
    /// Seeds market, moments and faults.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Seconds after which no engine is started to be killed any more.
    #[arg(long, default_value_t = 3_600, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    seconds: u64,
    /// The temporary folder is on a small disk of its own: a full disk is that one, filled before a start or while it trades.
    #[arg(long)]
    own_disk: bool,
}

/// How an engine falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fall {
    /// SIGKILL.
    Kill,
    /// SIGSTOP for half a second to ten, of the engine, its signer or both, SIGCONT, and SIGKILL a little later.
    Freeze,
    /// SIGSTOP of the venue for up to three seconds, SIGCONT, and SIGKILL a little later.
    VenueFreeze,
    /// The line to the venue is held on live sockets, then SIGKILL.
    Held,
    /// The line to the venue is slow by 5 to 60 ms a piece, then SIGKILL.
    Slow,
    /// The line to the venue is cut again and again, then SIGKILL.
    Cut,
    /// Started where no file may grow, or trading on a disk that fills up; then SIGKILL.
    FullDisk,
}

/// All of them, by name.
pub const FALLS: [(Fall, &str); 7] = [
    (Fall::Kill, "SIGKILL"),
    (Fall::Freeze, "SIGSTOP, SIGCONT, SIGKILL"),
    (Fall::VenueFreeze, "venue stopped, SIGKILL"),
    (Fall::Held, "held line, SIGKILL"),
    (Fall::Slow, "slow line, SIGKILL"),
    (Fall::Cut, "cut line, SIGKILL"),
    (Fall::FullDisk, "full disk, SIGKILL"),
];

/// What all vaults came to.
pub struct Sum {
    falls: [u64; FALLS.len()],
    orders: [u64; Vault::ALL.len()],
    options: u64,
    records: u64,
    folds: Folds,
    heals: Histogram<u64>,
    live: Histogram<u64>,
    faults: Vec<String>,
}

/// Runs until so many kills are done.
///
/// # Errors
/// What could not be done, or what a kill has broken; in words.
pub fn run(args: &Args) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|why| why.to_string())?;
    let venues = open_venues(folder.path(), args)?;
    let accounts = venues.iter().flat_map(|(kind, venue)| venue.accounts.iter().map(move |own| (*kind, venue, own)));
    let began = Instant::now();
    let histogram = || Histogram::new_with_bounds(1, 600_000, 3).map_err(|why| why.to_string());
    let sum = Mutex::new(Sum {
        falls: [0; FALLS.len()],
        orders: [0; Vault::ALL.len()],
        options: 0,
        records: 0,
        folds: Folds::default(),
        heals: histogram()?,
        live: histogram()?,
        faults: Vec::new(),
    });
    let left = AtomicU64::new(args.kills);
    std::thread::scope(|scope| {
        for (place, (kind, venue, account)) in accounts.enumerate() {
            let (sum, left) = (&sum, &left);
            let folder = folder.path().join(format!("vault-{place}"));
            scope.spawn(move || {
                let until = began + Duration::from_secs(args.seconds);
                let seed = args.seed.wrapping_mul(1_000) + place as u64;
                let outcome = Worker::new(folder, venue, (account, kind), seed, args.own_disk)
                    .and_then(|mut worker| worker.work(left, until, sum));
                if let (Err(why), Ok(mut sum)) = (outcome, sum.lock()) {
                    left.store(0, Ordering::Relaxed);
                    sum.faults.push(format!("vault {place}: {why}"));
                }
            });
        }
    });
    let sum = sum.into_inner().map_err(|_| "a vault's thread panicked".to_owned())?;
    report(args, &sum, began.elapsed().as_secs_f64());
    let idle = venues.iter().map(|(kind, _)| *kind).find(|kind| sum.orders[*kind as usize] == 0);
    match (sum.faults.len(), idle) {
        (0, None) => Ok(()),
        (0, Some(kind)) => Err(format!("no {kind:?} vault traded before it was killed: this proves nothing")),
        (faults, _) => Err(format!("{faults} faults")),
    }
}

/// A venue for each kind of vault of which there are some: kinds take turns.
fn open_venues(folder: &Path, args: &Args) -> Result<Vec<(Vault, Venue)>, String> {
    let jobs = usize::from(args.jobs);
    let shares = Vault::ALL
        .into_iter()
        .enumerate()
        .map(|(place, kind)| (kind, jobs.saturating_sub(place).div_ceil(Vault::ALL.len())));
    let some = shares.filter(|(_, count)| *count > 0);
    some.map(|(kind, count)| Ok((kind, Venue::start(folder, args.seed, (kind, count))?))).collect()
}

fn report(args: &Args, sum: &Sum, seconds: f64) {
    let kills: u64 = sum.falls.iter().sum();
    println!("{kills} kills in {seconds:.0} s, {} vaults at a time, seed {}", args.jobs, args.seed);
    for ((_, name), count) in FALLS.iter().zip(sum.falls) {
        println!("  {name:<28} {count:>8}");
    }
    for (kind, orders) in Vault::ALL.into_iter().zip(sum.orders) {
        println!("  orders of the venue looked for in journals of {kind:?} {orders}");
    }
    println!("  records read {}, options held against the venue's books {}", sum.records, sum.options);
    let Folds { starts, skipped, regained } = sum.folds;
    println!(
        "  starts behind recovery {starts}, last run not folded to its end {skipped}, records regained {regained}"
    );
    let quantiles = |name: &str, times: &Histogram<u64>| {
        let ms = |quantile| times.value_at_quantile(quantile);
        println!("  {name:<28} {:>8} times, ms: p50 {}, p99 {}, max {}", times.len(), ms(0.5), ms(0.99), times.max());
    };
    quantiles("start to live", &sum.live);
    quantiles("drain to flat", &sum.heals);
    println!("  lost orders, duplicate intents, nonces reused, books that differ, false drains: {}", sum.faults.len());
    sum.faults.iter().take(50).for_each(|fault| println!("    {fault}"));
}
