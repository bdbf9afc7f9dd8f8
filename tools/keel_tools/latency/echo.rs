//! The floor: the engine's three sockets, polled as the engine polls them, answering each book with a text of a
//! replace's length and doing nothing else.

use super::engine::wires;
use super::{SubjectArgs, wait_for_end};
use keel::engine::ports::{Clock, Event, Transport};
use keel::io::clock::LiveClock;
use keel::io::host;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Length of a replace text of the measured vault.
const REPLACE_BYTES: usize = 800;
/// How a book begins.
const BOOK: &[u8] = br#"{"method":"subscription","params":{"channel":"orderbook"#;

/// Echoes until told to stop.
pub fn run(args: &SubjectArgs) -> Result<(), String> {
    let [mut public, mut external, mut private] = wires(args)?;
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let (core, mut clock) = (args.core, LiveClock::new());
    let body = move || -> Result<(), String> {
        if let Some(core) = core {
            host::pin_to_core(core).map_err(|why| why.to_string())?;
        }
        let text = [b'x'; REPLACE_BYTES];
        while !stopped.load(Ordering::Relaxed) {
            let at = clock.now();
            let mut books = 0u32;
            let mut busy = public.poll(at, &mut |event| {
                books += u32::from(matches!(event, Event::Text(frame) if frame.starts_with(BOOK)));
            });
            for _ in 0..books {
                private.send(at, &text);
            }
            busy |= external.poll(at, &mut |_| ());
            busy |= private.poll(at, &mut |_| ());
            match (busy, core) {
                (false, None) => std::thread::yield_now(),
                (false, Some(_)) => std::hint::spin_loop(),
                (true, _) => {}
            }
        }
        Ok(())
    };
    let thread = std::thread::spawn(body);
    wait_for_end();
    stop.store(true, Ordering::Relaxed);
    thread.join().map_err(|_| "the echo died".to_owned())?
}
