//! The verbs, one file each, and what they share.

mod check;
mod contract;
mod ctl;
mod demo;
mod exchange;
mod keeper;
mod rehearse;
mod replay;
mod run;
mod sentry;
mod session;
pub mod signer;
mod sim;
mod status;

use crate::sim::weeks;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Runs strategy vaults on the Derive exchange.
#[derive(Debug, Parser)]
#[command(name = "keel", version, about, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run a vault on the embedded exchange and print a report.
    Demo(demo::Args),
    /// Serve the embedded Derive exchange, v3 or v2, with a crowd that trades on it.
    Exchange(exchange::Args),
    /// Simulate whole weeks of an option vault in virtual time.
    Sim(sim::Args),
    /// Run the vaults of a configuration on a real venue.
    Run(run::Args),
    /// Fold the recorded tapes of a run once more and compare every checkpoint.
    Replay(replay::Args),
    /// Check a configuration and explain every value.
    Check(check::Args),
    /// Cancel everything at the venue when the engine falls silent: another process, with a key of its own.
    Sentry(sentry::Args),
    /// Tell a running engine something, or ask how it is.
    Ctl(ctl::Args),
    /// The last run folded again before a start, which the engine asks for itself.
    #[command(hide = true)]
    Rehearse(rehearse::Args),
    /// The signer's process, which the engine starts itself.
    #[command(hide = true)]
    Signer(signer::Args),
}

/// Why a verb ended without success; the number is the process's exit code.
#[derive(Debug)]
pub enum Failure {
    /// The operator must change something before anything can start (2).
    Refused(String),
    /// The run ended in a state that needs a person (3).
    Unsafe(String),
    /// An invariant broke (4).
    Broken(String),
}

impl Failure {
    fn code(&self) -> u8 {
        match self {
            Failure::Refused(_) => 2,
            Failure::Unsafe(_) => 3,
            Failure::Broken(_) => 4,
        }
    }

    fn words(&self) -> &str {
        match self {
            Failure::Refused(words) | Failure::Unsafe(words) | Failure::Broken(words) => words,
        }
    }
}

/// Runs the verb that was asked for.
pub fn main() -> ExitCode {
    let outcome = match Cli::parse().verb {
        Verb::Demo(args) => demo::run(&args),
        Verb::Exchange(args) => exchange::run(&args),
        Verb::Sim(args) => sim::run(&args, weeks::run),
        Verb::Run(args) => run::run(&args),
        Verb::Replay(args) => replay::run(&args),
        Verb::Check(args) => check::run(&args),
        Verb::Sentry(args) => sentry::run(&args),
        Verb::Ctl(args) => ctl::run(&args),
        Verb::Rehearse(args) => rehearse::run(&args),
        Verb::Signer(args) => signer::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("keel: {}", failure.words());
            ExitCode::from(failure.code())
        }
    }
}
