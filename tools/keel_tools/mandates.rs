//! `mandates`: the engine's replica of the vault contracts against a slow twin, on any number of random actions.

use clap::Args as ClapArgs;
use keel::sim::mandate_twin::actions::{Contract, Dice};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Disagreements shown one by one.
const SHOWN_MAX: usize = 5;

/// How many actions, and which.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// Random actions per contract.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    actions: u64,
    /// Seed of the first action; the others follow it.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

/// What came of one contract's actions.
#[derive(Default)]
struct Tally {
    counts: BTreeMap<&'static str, u64>,
    disagreements: u64,
    shown: Vec<String>,
}

/// Runs them and prints a table; an error if the two disagree anywhere, or an outcome was never met.
pub fn run(args: &Args) -> Result<(), String> {
    let tallies = std::thread::scope(|scope| {
        let threads = Contract::ALL.map(|contract| scope.spawn(move || tally(contract, args)));
        threads.map(|thread| thread.join().map_err(|_| "a thread died".to_owned()))
    });
    let mut faults = Vec::new();
    for (contract, tally) in Contract::ALL.into_iter().zip(tallies) {
        let tally = tally?;
        print!("{}", table(contract, args, &tally));
        if tally.disagreements > 0 {
            faults.push(format!("{}: {} disagreements", contract.name(), tally.disagreements));
        }
        let missed: Vec<&str> =
            contract.reverts().iter().copied().filter(|name| !tally.counts.contains_key(name)).collect();
        if !missed.is_empty() {
            faults.push(format!("{}: never met {}", contract.name(), missed.join(", ")));
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.join("; ")) }
}

fn tally(contract: Contract, args: &Args) -> Tally {
    let mut tally = Tally::default();
    for step in 0..args.actions {
        let seed = args.seed.wrapping_add(step);
        let said = contract.judge(&mut Dice::new(seed));
        if said.replica != said.twin {
            tally.disagreements += 1;
            if tally.shown.len() < SHOWN_MAX {
                tally.shown.push(format!("seed {seed}: replica {:?}, twin {:?}", said.replica, said.twin));
            }
        }
        *tally.counts.entry(said.replica.err().unwrap_or("accepted")).or_default() += 1;
    }
    tally
}

fn table(contract: Contract, args: &Args, tally: &Tally) -> String {
    let mut out = String::new();
    let name = contract.name();
    let accepted = tally.counts.get("accepted").copied().unwrap_or_default();
    let _ = writeln!(out, "{name}: {} actions, {} disagreements", args.actions, tally.disagreements);
    let _ = writeln!(out, "  {:>9}  accepted", accepted);
    for (revert, count) in tally.counts.iter().filter(|(revert, _)| **revert != "accepted") {
        let _ = writeln!(out, "  {count:>9}  {revert}");
    }
    for line in &tally.shown {
        let _ = writeln!(out, "  {line}");
    }
    out
}
