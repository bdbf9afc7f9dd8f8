//! The real binary as processes: they mostly wait, so that they share one test program and wait beside each other.

#[path = "../support/basis_vault.rs"]
mod basis_vault;
#[path = "../support/live_vault.rs"]
mod live_vault;
#[path = "../support/told_run.rs"]
mod told_run;

mod cli;
mod control_socket;
mod crash_loop;
mod replay_live;
mod signer;
