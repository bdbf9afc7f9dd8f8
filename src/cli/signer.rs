//! `keel signer`: the engine's signer, started by the engine alone.

use super::Failure;
use crate::ops::wall::child;

/// How the engine starts it.
pub const ARGUMENTS: [&str; 2] = ["signer", "--memory"];

/// Options of `keel signer`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Descriptor of the memory shared with the engine.
    #[arg(long)]
    memory: i32,
}

/// Signs until the engine ends.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    child::run(args.memory).map_err(Failure::Refused)
}
