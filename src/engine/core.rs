//! The loop of one core: turn every actor, over and over, until told to stop.

use crate::engine::actor::Turn;
use crossbeam::utils::Backoff;
use std::any::Any;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a core does when a pass found no work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    /// Looks again at once: lowest latency, one whole core.
    Spin,
    /// Spins a little longer at each empty pass, then lets other threads of the host run: for shared or small hosts.
    Yield,
}

/// Runs until `stop`; then gives back what the actors measured.
pub fn run(mut turns: Vec<Box<dyn Turn>>, stop: &AtomicBool, idle: Idle) -> Vec<Box<dyn Any + Send>> {
    let backoff = Backoff::new();
    while !stop.load(Ordering::Relaxed) {
        let mut busy = false;
        for turn in &mut turns {
            busy |= turn.turn();
        }
        match (busy, idle) {
            (true, _) => backoff.reset(),
            (false, Idle::Spin) => std::hint::spin_loop(),
            (false, Idle::Yield) => backoff.snooze(),
        }
    }
    turns.into_iter().filter_map(Turn::finish).collect()
}
