//! Runs storms by seed on every core and says what fired, what broke, and how fast time went.

use clap::Args as ClapArgs;
use keel::sim::soak::{self, INVARIANTS, Outcome, Subject};
use keel::sim::venue::faults::Fault;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Every so many seeds, one runs twice and must come out the same.
const TWICE_EVERY: u64 = 16;

/// Arguments of `keel-tools soak`.
#[derive(Clone, Debug, ClapArgs)]
pub struct Args {
    /// Number of seeds.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// First seed.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Seeds run at a time; all cores unless told.
    #[arg(long)]
    jobs: Option<usize>,
    /// End at the first seed that breaks.
    #[arg(long)]
    stop: bool,
    /// Print every seed.
    #[arg(long)]
    verbose: bool,
}

/// What all seeds came to.
#[derive(Default)]
struct Sum {
    outcomes: Vec<Outcome>,
    broken: Vec<String>,
    doubled: u64,
}

/// Runs the seeds.
///
/// # Errors
/// A seed could not begin, broke an invariant, or came out differently the second time; in words.
pub fn run(args: &Args) -> Result<(), String> {
    let began = Instant::now();
    let (next, sum) = (AtomicU64::new(0), Mutex::new(Sum::default()));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = args.jobs.unwrap_or(cores).max(1);
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| work(args, &next, &sum));
        }
    });
    let mut sum = sum.into_inner().map_err(|_| "a seed panicked".to_owned())?;
    sum.outcomes.sort_by_key(|outcome| outcome.seed);
    sum.broken.sort();
    report(&sum, began.elapsed().as_secs_f64(), jobs);
    if sum.broken.is_empty() { Ok(()) } else { Err(format!("{} of {} seeds broke", sum.broken.len(), args.seeds)) }
}

fn work(args: &Args, next: &AtomicU64, sum: &Mutex<Sum>) {
    loop {
        let place = next.fetch_add(1, Ordering::Relaxed);
        if place >= args.seeds || (args.stop && sum.lock().is_ok_and(|sum| !sum.broken.is_empty())) {
            return;
        }
        let seed = args.from + place;
        let outcome = soak::run(seed);
        let twice = seed.is_multiple_of(TWICE_EVERY);
        let again = twice.then(|| soak::run(seed));
        let Ok(mut sum) = sum.lock() else { return };
        match outcome {
            Err(why) => sum.broken.push(format!("seed {seed}: {why}")),
            Ok(outcome) => {
                if args.verbose || !outcome.violations.is_empty() {
                    println!(
                        "seed {seed:>8} {:<13} {:>4} fills  {}",
                        outcome.subject.name(),
                        outcome.fills,
                        words(&outcome)
                    );
                }
                if !outcome.violations.is_empty() {
                    sum.broken.push(format!("seed {seed}: {}", outcome.violations.join("; ")));
                }
                if again.is_some_and(|again| again.as_ref() != Ok(&outcome)) {
                    sum.broken.push(format!("seed {seed}: a second run came out differently"));
                }
                sum.doubled += u64::from(twice);
                sum.outcomes.push(outcome);
            }
        }
    }
}

fn words(outcome: &Outcome) -> String {
    if outcome.violations.is_empty() { "held".to_owned() } else { outcome.violations.join("; ") }
}

fn report(sum: &Sum, took_s: f64, jobs: usize) {
    let mut subjects: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for outcome in &sum.outcomes {
        let entry = subjects.entry(Subject::name(outcome.subject)).or_default();
        *entry = (entry.0 + 1, entry.1 + outcome.fills);
    }
    println!("\n{:<22}{:>10}{:>12}", "vault", "seeds", "fills");
    subjects.iter().for_each(|(name, (seeds, fills))| println!("{name:<22}{seeds:>10}{fills:>12}"));
    println!("\n{:<22}{:>10}{:>12}", "fault", "fired", "in seeds");
    for fault in Fault::ALL {
        let fired = || sum.outcomes.iter().map(|outcome| outcome.fired[fault as usize]);
        println!("{:<22}{:>10}{:>12}", fault.name(), fired().sum::<u64>(), fired().filter(|count| *count > 0).count());
    }
    println!("\n{:<22}{:>10}", "invariant", "broken");
    for (name, says) in INVARIANTS {
        let broken =
            sum.outcomes.iter().flat_map(|outcome| &outcome.violations).filter(|v| v.starts_with(name)).count();
        println!("{name:<22}{broken:>10}  {says}");
    }
    let virtual_s: f64 = sum.outcomes.iter().map(|outcome| outcome.virtual_ns as f64 / 1e9).sum();
    let steps: u64 = sum.outcomes.iter().map(|outcome| outcome.steps).sum();
    println!(
        "\n{} seeds, {:.1} simulated hours, {steps} checked steps, {} seeds run twice, {took_s:.0} s on {jobs} threads: {:.0} times real time",
        sum.outcomes.len(),
        virtual_s / 3_600.0,
        sum.doubled,
        virtual_s / took_s.max(1e-9)
    );
    sum.broken.iter().for_each(|line| println!("  BROKEN {line}"));
}
