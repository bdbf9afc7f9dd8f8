//! Runs storms by seed on every core and says what fired, what broke, and how fast time went.

mod crashes;

use clap::builder::ArgPredicate;
use clap::{Args as ClapArgs, ValueEnum};
use keel::base::buggify::{Bent, COMPILED_IN, PLACES, TABLE};
use keel::sim::soak::coverage::{self, State};
use keel::sim::soak::{self, Case, Compared, ELSEWHERE, INVARIANTS, Outcome, Shrunk, Subject, Violation};
use keel::sim::venue::faults::{self, CATALOGUE};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Of so many eights of seeds, in each of which every vault has its turn, one runs twice and must come out the same.
const TWICE_EVERY: u64 = 16;
/// Seeds in which every vault has its turn.
const ROUND: u64 = 8;

/// Arguments of `keel-tools soak`.
#[derive(Clone, Debug, ClapArgs)]
pub struct Args {
    /// Number of seeds; with --canary, that a planted bug may take, and 400 unless given.
    #[arg(
        long,
        default_value_t = 100,
        default_value_if("canary", ArgPredicate::Equals("true".into()), "400"),
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    seeds: u64,
    /// First seed.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Seeds run at a time; all cores unless told.
    #[arg(long)]
    jobs: Option<usize>,
    /// Only seeds of these vaults.
    #[arg(long)]
    only: Option<Kind>,
    /// End at the first seed that breaks.
    #[arg(long)]
    stop: bool,
    /// Print every seed.
    #[arg(long)]
    verbose: bool,
    /// Print every invariant with its function's name and statement, and every kind of fault with its rows; and where what
    /// is judged or drawn by neither is tested.
    #[arg(long)]
    list: bool,
    /// Make this failing seed as small as it can be, and tell it.
    #[arg(long)]
    shrink: Option<u64>,
    /// Kill the engine at every moment of every short story instead.
    #[arg(long)]
    crash_every_step: bool,
    /// Only stories whose name holds this.
    #[arg(long, requires = "crash_every_step")]
    stories: Option<String>,
    /// Plant bugs into a copy of this tree, and see which seed and which invariant finds each. Needs the sources.
    #[arg(long)]
    canary: bool,
    /// Leave our own code as it is, in a build with bends.
    #[arg(long)]
    unbent: bool,
    /// Run one seed of every vault again, each in a process of its own, and compare.
    #[arg(long)]
    again: bool,
}

/// Which vaults are in the storm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Delta-1 market making.
    Basis,
    /// Options.
    Options,
}

impl Kind {
    fn of(seed: u64) -> Kind {
        if Subject::of(seed) == Subject::Basis { Kind::Basis } else { Kind::Options }
    }
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
    if args.list {
        list();
        return Ok(());
    }
    name_seeds_in_panics();
    if let Some(seed) = args.shrink {
        return shrink(&Case { bends: !args.unbent, ..Case::of(seed) });
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = args.jobs.unwrap_or(cores).max(1);
    if args.crash_every_step {
        return crashes::run(args.stories.as_deref(), jobs);
    }
    if args.canary {
        return canaries(args.seeds);
    }
    let began = Instant::now();
    let (next, sum) = (AtomicU64::new(0), Mutex::new(Sum::default()));
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| work(args, &next, &sum));
        }
    });
    let mut sum = sum.into_inner().map_err(|_| "a seed panicked".to_owned())?;
    sum.outcomes.sort_by_key(|outcome| outcome.seed);
    sum.broken.sort();
    if args.again {
        compare(&mut sum, args.unbent)?;
    }
    report(&sum, began.elapsed().as_secs_f64(), jobs);
    matrix(&sum);
    if sum.broken.is_empty() { Ok(()) } else { Err(format!("{} of {} seeds broke", sum.broken.len(), args.seeds)) }
}

/// Plants bugs, by the script beside their list.
fn canaries(seeds: u64) -> Result<(), String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tools/canaries/run");
    let status = std::process::Command::new(script).args(["--seeds", &seeds.to_string()]).status();
    let status = status.map_err(|why| format!("{script}: {why}"))?;
    if status.success() { Ok(()) } else { Err("a planted bug survived".to_owned()) }
}

/// A process of its own must come to the same digest, whichever the vault.
fn compare(sum: &mut Sum, unbent: bool) -> Result<(), String> {
    let program = std::env::current_exe().map_err(|why| why.to_string())?;
    let mut of_each: BTreeMap<&str, (u64, String)> = BTreeMap::new();
    for outcome in &sum.outcomes {
        of_each.entry(outcome.subject.name()).or_insert_with(|| (outcome.seed, digest(outcome)));
    }
    for (vault, (seed, ours)) in of_each {
        let seed_text = seed.to_string();
        let words = ["soak", "--seeds", "1", "--verbose", "--jobs", "1", "--from", seed_text.as_str()];
        let unbent = unbent.then_some("--unbent");
        let output =
            std::process::Command::new(&program).args(words).args(unbent).output().map_err(|why| why.to_string())?;
        if String::from_utf8_lossy(&output.stdout).contains(&ours) {
            println!("seed {seed} ({vault}) came out the same in a process of its own: {ours}");
        } else {
            sum.broken.push(format!("seed {seed} ({vault}): a process of its own came out differently"));
        }
    }
    Ok(())
}

fn digest(outcome: &Outcome) -> String {
    outcome.digest[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// How often each fault met each state of an order; cells that cannot be reached say so, others that were not are marked.
fn matrix(sum: &Sum) {
    print!("\n{:<22}", "fault against state");
    State::ALL.iter().for_each(|state| print!("{:>10}", state.name()));
    println!();
    let mut reasons: BTreeMap<&str, u32> = BTreeMap::new();
    let mut missed = 0;
    for kind in &CATALOGUE {
        print!("{:<22}", kind.name);
        for state in State::ALL {
            let count: u64 =
                sum.outcomes.iter().map(|outcome| outcome.matrix[kind.fault as usize][state as usize]).sum();
            match coverage::unreachable(kind.fault, state) {
                Some(why) => {
                    *reasons.entry(why).or_default() += 1;
                    print!("{:>10}", "-");
                }
                None => {
                    missed += u32::from(count == 0);
                    print!("{count:>10}");
                }
            }
        }
        println!();
    }
    reasons.iter().for_each(|(why, cells)| println!("{cells} cells are not to be reached (-): {why}"));
    println!("{missed} cells were to be reached and were not (0)");
}

fn list() {
    println!("{:<7}{:<28}statement", "id", "invariant");
    INVARIANTS.iter().for_each(|one| println!("{:<7}{:<28}{}", one.id, one.name, one.says));
    println!("\nnot judged here");
    ELSEWHERE.iter().for_each(|(id, why)| println!("{id:<11}{why}"));
    println!("\n{:<24}rows of the catalogue", "fault");
    CATALOGUE.iter().for_each(|kind| println!("{:<24}{}", kind.name, kind.catalogue));
    println!("\nnot drawn here");
    faults::ELSEWHERE.iter().for_each(|(row, why)| println!("{row:<11}{why}"));
}

fn shrink(case: &Case) -> Result<(), String> {
    let seed = case.seed;
    SEED.set(seed);
    let Some(shrunk) = soak::shrink(case)? else {
        return Err(format!("seed {seed} holds: there is nothing to shrink"));
    };
    let Shrunk { case, outcome, strikes, runs } = shrunk;
    println!(
        "seed {seed}, {}: {strikes} strikes, of which {} are needed ({runs} runs)",
        outcome.subject.name(),
        outcome.log.len()
    );
    if case.bends && COMPILED_IN {
        bends(&outcome.bent);
    }
    println!("storm of {} s", case.storm_s.map_or_else(|| "its usual".to_owned(), |s| s.to_string()));
    for strike in &outcome.log {
        println!("{:>10.3} {} #{}", strike.at.since(outcome.started) as f64 / 1e9, strike.fault.name(), strike.nth);
    }
    println!("the last lines of the story");
    outcome.story.iter().flat_map(|story| story.lines(outcome.started)).for_each(|line| println!("{line}"));
    outcome.violations.iter().for_each(|violation| println!("  BROKEN {violation}"));
    Ok(())
}

thread_local! {
    /// The seed this thread is at.
    static SEED: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// An assertion that fails ends the process: it must be known where.
fn name_seeds_in_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |what| {
        println!("  BROKEN seed {}: assertion (A) at 0 ms: {what}", SEED.get());
        before(what);
    }));
}

fn work(args: &Args, next: &AtomicU64, sum: &Mutex<Sum>) {
    loop {
        let place = next.fetch_add(1, Ordering::Relaxed);
        if place >= args.seeds || (args.stop && sum.lock().is_ok_and(|sum| !sum.broken.is_empty())) {
            return;
        }
        let seed = args.from + place;
        if args.only.is_some_and(|only| only != Kind::of(seed)) {
            continue;
        }
        SEED.set(seed);
        let case = Case { bends: !args.unbent, ..Case::of(seed) };
        let outcome = soak::run_case(&case);
        let twice = (seed / ROUND).is_multiple_of(TWICE_EVERY);
        let again = twice.then(|| soak::run_case(&case));
        let Ok(mut sum) = sum.lock() else { return };
        match outcome {
            Err(why) => sum.broken.push(format!("seed {seed}: {why}")),
            Ok(outcome) => {
                if args.verbose || !outcome.violations.is_empty() {
                    println!(
                        "seed {seed:>8} {:<13} {:>4} fills  {}  {}",
                        outcome.subject.name(),
                        outcome.fills,
                        digest(&outcome),
                        words(&outcome)
                    );
                }
                if !outcome.violations.is_empty() {
                    sum.broken.push(format!("seed {seed}: {}", listed(&outcome.violations)));
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

/// How often each place of our own code was bent.
fn bends(bent: &Bent) {
    if !COMPILED_IN {
        println!("\nour own code was not bent: that takes a build with `--features buggify`");
        return;
    }
    println!("\n{:<22}{:>10}", "bent in our own code", "times");
    TABLE.iter().zip(bent).for_each(|((name, says, _), times)| println!("{name:<22}{times:>10}  {says}"));
}

/// What was no violation because of what had happened before it, and what the venue itself refused.
fn waived(sum: &Sum) {
    let (mut excused, mut codes) = (BTreeMap::new(), BTreeMap::new());
    for outcome in &sum.outcomes {
        for (key, count) in &outcome.excused {
            let entry: &mut (u64, u64) = excused.entry(key.clone()).or_default();
            *entry = (entry.0 + count, entry.1 + 1);
        }
        for (key, count) in &outcome.codes {
            *codes.entry(*key).or_default() += *count;
        }
    }
    println!("\n{:<50}{:<46}{:>8}{:>10}", "waived", "because of", "times", "in seeds");
    for ((what, why), (times, seeds)) in &excused {
        println!("{what:<50}{why:<46}{times:>8}{seeds:>10}");
    }
    println!("\n{:<30}{:>10}", "refused by the venue itself", "times");
    codes.iter().for_each(|((code, letter), times): (&(i64, char), &u64)| {
        println!("{:<30}{times:>10}", format!("{code} to a request of kind {letter}"));
    });
}

fn listed(violations: &[Violation]) -> String {
    violations.iter().map(Violation::to_string).collect::<Vec<_>>().join("; ")
}

fn words(outcome: &Outcome) -> String {
    if outcome.violations.is_empty() { "held".to_owned() } else { listed(&outcome.violations) }
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
    for kind in &CATALOGUE {
        let fired = || sum.outcomes.iter().map(|outcome| outcome.fired[kind.fault as usize]);
        println!("{:<22}{:>10}{:>12}", kind.name, fired().sum::<u64>(), fired().filter(|count| *count > 0).count());
    }
    bends(&sum.outcomes.iter().fold([0; PLACES], |all, outcome| std::array::from_fn(|n| all[n] + outcome.bent[n])));
    println!("\n{:<7}{:<22}{:>10}", "id", "invariant", "broken");
    for invariant in &INVARIANTS {
        let all = sum.outcomes.iter().flat_map(|outcome| &outcome.violations);
        let broken = all.filter(|violation| violation.name == invariant.name).count();
        println!("{:<7}{:<22}{broken:>10}  {}", invariant.id, invariant.name, invariant.says);
    }
    waived(sum);
    let virtual_s: f64 = sum.outcomes.iter().map(|outcome| outcome.virtual_ns as f64 / 1e9).sum();
    let steps: u64 = sum.outcomes.iter().map(|outcome| outcome.steps).sum();
    println!(
        "\n{} seeds, {:.1} simulated hours, {steps} checked steps, {} seeds run twice, {took_s:.0} s on {jobs} threads: {:.0} times real time",
        sum.outcomes.len(),
        virtual_s / 3_600.0,
        sum.doubled,
        virtual_s / took_s.max(1e-9)
    );
    let all = |of: fn(&Compared) -> u64| sum.outcomes.iter().map(|outcome| of(&outcome.compared)).sum::<u64>();
    println!(
        "compared with twins: {} looks of the ledger, {} messages, {} books and values, {} option values, {} grants",
        all(|compared| compared.samples),
        all(|compared| compared.messages),
        all(|compared| compared.tops),
        all(|compared| compared.options),
        all(|compared| compared.grants)
    );
    sum.broken.iter().for_each(|line| println!("  BROKEN {line}"));
}
