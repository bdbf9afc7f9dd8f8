//! The loop of one core: turn every actor, over and over, until told to stop.

use crate::engine::actor::Turn;
use crossbeam::utils::Backoff;
use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What a core does when a pass found no work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    /// Looks again at once: lowest latency, one whole core.
    Spin,
    /// Spins a little longer at each empty pass, then lets other threads of the host run: for shared or small hosts.
    Yield,
}

/// Passes a core has made, on a cache line of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Passes(AtomicU64);

/// Watches cores turn.
#[derive(Clone, Debug, Default)]
pub struct Pulse(Vec<(Arc<Passes>, u64)>);

impl Pulse {
    /// Watches one more core, which is to count here.
    pub fn watch(&mut self) -> Arc<Passes> {
        let passes = Arc::new(Passes::default());
        self.0.push((Arc::clone(&passes), 0));
        passes
    }

    /// True if every core has made a pass since the last look.
    pub fn beats(&mut self) -> bool {
        let mut all = true;
        for (passes, seen) in &mut self.0 {
            let now = passes.0.load(Ordering::Relaxed);
            all &= std::mem::replace(seen, now) != now;
        }
        all
    }
}

/// Runs until `stop`, counting every pass; then gives back what the actors measured.
pub fn run(
    mut turns: Vec<Box<dyn Turn>>,
    (stop, passes): (&AtomicBool, &Passes),
    idle: Idle,
) -> Vec<Box<dyn Any + Send>> {
    let backoff = Backoff::new();
    while !stop.load(Ordering::Relaxed) {
        let mut busy = false;
        for turn in &mut turns {
            busy |= turn.turn();
        }
        // The only writer: no read-modify-write is needed.
        passes.0.store(passes.0.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        match (busy, idle) {
            (true, _) => backoff.reset(),
            (false, Idle::Spin) => std::hint::spin_loop(),
            (false, Idle::Yield) => backoff.snooze(),
        }
    }
    turns.into_iter().filter_map(Turn::finish).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Still;

    impl Turn for Still {
        fn turn(&mut self) -> bool {
            false
        }

        fn name(&self) -> &'static str {
            "still"
        }
    }

    #[test]
    fn the_pulse_beats_only_while_every_core_turns() {
        let mut pulse = Pulse::default();
        let cores = [pulse.watch(), pulse.watch()];
        assert!(!pulse.beats(), "nothing has turned yet");
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let core = |passes: &Arc<Passes>| {
                let passes = Arc::clone(passes);
                let stop = &stop;
                scope.spawn(move || drop(run(vec![Box::new(Still)], (stop, &passes), Idle::Yield)))
            };
            core(&cores[0]);
            let one = cores[0].0.load(Ordering::Relaxed);
            while cores[0].0.load(Ordering::Relaxed) == one {
                std::hint::spin_loop();
            }
            assert!(!pulse.beats(), "one of two stands still");
            core(&cores[1]);
            while !pulse.beats() {
                std::hint::spin_loop();
            }
            stop.store(true, Ordering::Relaxed);
        });
        pulse.beats();
        assert!(!pulse.beats(), "both have stopped");
    }
}
