//! How late this machine wakes a thread that asked to be woken: what every time in the table has in it, whoever's fault it is.

use super::Row;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Time between two wake-ups.
const EVERY: Duration = Duration::from_millis(5);

/// A thread that sleeps and looks at the clock.
pub struct Jitter {
    over: Arc<AtomicBool>,
    thread: JoinHandle<Row>,
}

impl Jitter {
    /// Begins to watch.
    pub fn watch() -> Result<Jitter, String> {
        let mut row = Row::new("this machine: a thread woken late by", &[])?;
        let over = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&over);
        let thread = std::thread::spawn(move || {
            while !seen.load(Ordering::Relaxed) {
                let due = Instant::now() + EVERY;
                std::thread::sleep(EVERY);
                row.add(Instant::now().saturating_duration_since(due));
            }
            row
        });
        Ok(Jitter { over, thread })
    }

    /// What was seen.
    pub fn row(self) -> Result<Row, String> {
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| "the thread that watches the machine panicked".to_owned())
    }
}
