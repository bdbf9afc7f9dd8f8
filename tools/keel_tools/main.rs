//! The `keel-tools` binary: instruments for measuring the engine from outside, one verb each.

#[path = "../../tests/support/basis_vault.rs"]
mod basis_vault;
mod controls;
mod kills;
mod latency;
mod mandates;
mod process;
mod signer;
mod soak;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures Keel from outside.
#[derive(Debug, Parser)]
#[command(name = "keel-tools", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// How quickly the real engine stops what must stop, with each target.
    Controls(controls::Args),
    /// The real engine killed again and again on loopback, judged from the venue's record and the journal.
    Kills(kills::Args),
    /// Book frame in to replace frame out, over loopback sockets at fixed arrival times.
    Latency(latency::Args),
    /// The replica of the vault contracts against a slow twin of it, on random actions.
    Mandates(mandates::Args),
    /// An order to the signer and its signature back, with the key in this process and in one of its own.
    Signer(signer::Args),
    /// The signer's process of `signer`, which starts it itself.
    #[command(hide = true)]
    SignerProcess(signer::ProcessArgs),
    /// Vaults under storms of faults, a seed each, every invariant checked after every step.
    Soak(soak::Args),
    /// The measured side of `latency`, which starts it itself.
    #[command(hide = true)]
    Subject(latency::SubjectArgs),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().verb {
        Verb::Controls(args) => controls::run(&args),
        Verb::Kills(args) => kills::run(&args),
        Verb::Latency(args) => latency::run(&args),
        Verb::Mandates(args) => mandates::run(&args),
        Verb::Signer(args) => signer::run(&args),
        Verb::SignerProcess(args) => keel::ops::wall::child::run(args.memory),
        Verb::Soak(args) => soak::run(&args),
        Verb::Subject(args) => latency::subject(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("keel-tools: {why}");
            ExitCode::FAILURE
        }
    }
}
