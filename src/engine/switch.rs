//! The operator's switch: a word that any thread or process may throw and nothing throws back, and a word with which the
//! signer says that it has stopped.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// What holds the words: memory of this process, or memory shared with others.
pub trait Words: Send + Sync {
    /// Not zero: thrown.
    fn thrown(&self) -> &AtomicU32;
    /// Not zero: the signer has stopped for it.
    fn heard(&self) -> &AtomicU32;
}

/// Words in memory of this process.
#[derive(Default)]
struct Own {
    thrown: AtomicU32,
    heard: AtomicU32,
}

impl Words for Own {
    fn thrown(&self) -> &AtomicU32 {
        &self.thrown
    }

    fn heard(&self) -> &AtomicU32 {
        &self.heard
    }
}

const YES: u32 = 1;

/// Once thrown, the signer signs nothing until a restart. Copies are the same switch.
#[derive(Clone)]
pub struct Switch(Arc<dyn Words>);

impl Switch {
    /// In memory of this process.
    pub fn local() -> Switch {
        Switch(Arc::new(Own::default()))
    }

    /// In memory that somebody else keeps.
    pub fn over(words: Arc<dyn Words>) -> Switch {
        Switch(words)
    }

    /// True once thrown, whatever stands in the word but zero: shared memory is anybody's.
    pub fn is_thrown(&self) -> bool {
        self.0.thrown().load(Ordering::Acquire) != 0
    }

    /// Throws it.
    pub fn throw(&self) {
        self.0.thrown().store(YES, Ordering::Release);
    }

    /// Says that the signer signs nothing any more. For the signer's brake, which has made sure of it.
    pub fn acknowledge(&self) {
        self.0.heard().store(YES, Ordering::Release);
    }

    /// True once the signer has said so.
    pub fn is_acknowledged(&self) -> bool {
        self.0.heard().load(Ordering::Acquire) != 0
    }
}

impl fmt::Debug for Switch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_thrown() { "Switch(thrown)" } else { "Switch" })
    }
}
