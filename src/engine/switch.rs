//! The operator's switch: one word that any thread or process may throw and nothing throws back.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// What holds the word: memory of this process, or memory shared with others.
pub trait Word: Send + Sync {
    /// The word.
    fn word(&self) -> &AtomicU32;
}

impl Word for AtomicU32 {
    fn word(&self) -> &AtomicU32 {
        self
    }
}

const THROWN: u32 = 1;

/// Once thrown, the signer signs nothing until a restart. Copies are the same switch.
#[derive(Clone)]
pub struct Switch(Arc<dyn Word>);

impl Switch {
    /// In memory of this process.
    pub fn local() -> Switch {
        Switch(Arc::new(AtomicU32::new(0)))
    }

    /// In memory that somebody else keeps.
    pub fn over(word: Arc<dyn Word>) -> Switch {
        Switch(word)
    }

    /// True once thrown, whatever stands in the word but zero: shared memory is anybody's.
    pub fn is_thrown(&self) -> bool {
        self.0.word().load(Ordering::Acquire) != 0
    }

    /// Throws it.
    pub fn throw(&self) {
        self.0.word().store(THROWN, Ordering::Release);
    }
}

impl fmt::Debug for Switch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_thrown() { "Switch(thrown)" } else { "Switch" })
    }
}
