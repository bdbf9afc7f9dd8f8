//! The loop of one core: turn every actor, over and over, until told to stop.

use crate::engine::actor::Turn;
use std::any::Any;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a core does when a pass found no work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    /// Looks again at once: lowest latency, one whole core.
    Spin,
    /// Lets another thread of the host run first: for shared or small hosts.
    Yield,
}

/// Runs until `stop`; then gives back what the actors measured.
pub fn run(mut turns: Vec<Box<dyn Turn>>, stop: &AtomicBool, idle: Idle) -> Vec<Box<dyn Any + Send>> {
    while !stop.load(Ordering::Relaxed) {
        let mut busy = false;
        for turn in &mut turns {
            busy |= turn.turn();
        }
        if !busy {
            match idle {
                Idle::Spin => std::hint::spin_loop(),
                Idle::Yield => std::thread::yield_now(),
            }
        }
    }
    turns.into_iter().filter_map(Turn::finish).collect()
}
