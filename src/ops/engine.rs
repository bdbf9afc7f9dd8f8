//! The pipeline's threads: started pinned, stopped together, giving up what they measured.

use crate::engine::core::{self, Idle, Pulse};
use crate::io::host;
use crate::topology::{Core, GatewayEnd, MarketDataEnd};
use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

type Measured = Vec<Box<dyn Any + Send>>;

/// Name of a thread that several actors live in whose names are too long for it.
pub const PIPELINE: &str = "pipeline";
/// Longest name that the system keeps of a thread, bytes.
const NAME_BYTES_MAX: usize = 15;
/// Letters of an actor's name that tell it from the others.
const LETTERS: usize = 4;

/// Name of the thread of these actors: their own with a plus between two, as short as it must be.
fn thread_name(actors: &[&str]) -> String {
    let short: Vec<&str> = actors.iter().map(|actor| actor.get(..LETTERS).unwrap_or(actor)).collect();
    let names = [actors.join("+"), short.join("+")];
    names.into_iter().find(|name| name.len() <= NAME_BYTES_MAX).unwrap_or_else(|| PIPELINE.to_owned())
}

/// True if an actor lives in a thread of this name; of one that does not say, nobody does.
pub fn lives_in(actor: &str, thread: &str) -> bool {
    thread.split('+').any(|name| name == actor || (name.len() == LETTERS && actor.starts_with(name)))
}

/// The running pipeline.
pub struct Engine {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Measured>>,
    pulse: Pulse,
}

/// What the pipeline measured.
#[derive(Default)]
pub struct Ends {
    /// From market data.
    pub market_data: Option<MarketDataEnd>,
    /// From the gateway.
    pub gateway: Option<GatewayEnd>,
    /// Threads that died instead of stopping, by name.
    pub died: Vec<String>,
}

impl Engine {
    /// Starts one thread per core group. A core that cannot be pinned is an error: a layout is meant.
    pub fn start(cores: Vec<Core>, idle: Idle) -> Result<Engine, String> {
        let stop = Arc::new(AtomicBool::new(false));
        let (ready, pinned) = std::sync::mpsc::channel();
        let mut threads = Vec::with_capacity(cores.len());
        let expected = cores.len();
        let mut pulse = Pulse::default();
        for group in cores {
            let name = thread_name(&group.turns.iter().map(|turn| turn.name()).collect::<Vec<_>>());
            let (stop, ready, passes) = (Arc::clone(&stop), ready.clone(), pulse.watch());
            let body = move || {
                let outcome = group.core.map_or(Ok(()), |core| host::pin_to_core(core).map_err(|why| why.to_string()));
                let failed = outcome.is_err();
                // The starter may have given up already; then nobody listens.
                let _ = ready.send(outcome);
                if failed { Vec::new() } else { core::run(group.turns, (&stop, &passes), idle) }
            };
            threads.push(thread::Builder::new().name(name).spawn(body).map_err(|why| why.to_string())?);
        }
        let engine = Engine { stop, threads, pulse };
        for _ in 0..expected {
            if let Ok(Err(why)) = pinned.recv() {
                engine.stop();
                return Err(why);
            }
        }
        Ok(engine)
    }

    /// Watches whether every thread turns.
    pub fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    /// True while every thread lives.
    pub fn is_alive(&self) -> bool {
        self.threads.iter().all(|thread| !thread.is_finished())
    }

    /// Stops all threads and collects what they measured.
    pub fn stop(self) -> Ends {
        self.stop.store(true, Ordering::Relaxed);
        let mut ends = Ends::default();
        for thread in self.threads {
            let name = thread.thread().name().unwrap_or_default().to_owned();
            let Ok(measured) = thread.join() else {
                ends.died.push(name);
                continue;
            };
            for item in measured {
                match item.downcast::<GatewayEnd>() {
                    Ok(end) => ends.gateway = Some(*end),
                    Err(item) => ends.market_data = item.downcast::<MarketDataEnd>().ok().map(|end| *end),
                }
            }
        }
        ends
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::TAPES;

    #[test]
    fn a_threads_name_tells_who_lives_in_it() {
        let of = |thread: &str| TAPES.into_iter().filter(|actor| lives_in(actor, thread)).collect::<Vec<_>>();
        for actors in [&["market_data"][..], &["risk", "signer"], &["risk", "signer", "contract"]] {
            let name = thread_name(actors);
            assert!(name.len() <= NAME_BYTES_MAX, "{name}");
            assert_eq!(of(&name), actors, "{name}");
        }
        assert_eq!(thread_name(&TAPES), PIPELINE);
        assert_eq!(of(PIPELINE), Vec::<&str>::new());
    }
}
