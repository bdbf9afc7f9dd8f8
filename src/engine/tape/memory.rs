//! A tape that is kept in memory, for those who record and fold within one process.

use super::{Page, Reel};
use crate::base::time::Nanos;
use std::sync::{Arc, Mutex, PoisonError};

/// A tape in memory; copies share it.
#[derive(Clone, Default)]
pub struct MemoryReel(Arc<Mutex<Vec<u8>>>);

impl MemoryReel {
    /// With room for so many bytes before it grows.
    pub fn with_room(bytes: usize) -> MemoryReel {
        MemoryReel(Arc::new(Mutex::new(Vec::with_capacity(bytes))))
    }

    /// What was written so far, as one page.
    pub fn page(&self) -> Page {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Page { number: 1, bytes, ..Page::default() }
    }
}

impl Reel for MemoryReel {
    fn room(&self) -> usize {
        usize::MAX
    }

    fn put(&mut self, code: u8, parts: [&[u8]; 4]) {
        let mut bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        bytes.push(code);
        parts.iter().for_each(|part| bytes.extend_from_slice(part));
    }

    fn turn(&mut self, _: u32, _: Nanos) -> bool {
        false
    }
}
