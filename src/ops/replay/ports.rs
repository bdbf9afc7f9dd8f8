//! The outside of a replay: nothing comes from it, and whatever is said to it is gone.

use crate::base::ids::{SubaccountId, VaultId};
use crate::base::time::Nanos;
use crate::derive::dialect::Address;
use crate::derive::seal::wire::Ask;
use crate::engine::journal::{FloorRecord, NoteRecord, RECORD};
use crate::engine::ports::{ANSWER_BYTES, ASK_BYTES, Clock, Event, Key, Store, Transport, Wall};
use crate::engine::tape::Gate;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// What the engine said in a replay, with its moments, once somebody listens; copies share it.
#[derive(Clone, Default)]
pub(super) struct Heard(Arc<Mutex<Option<Spoken>>>);

#[derive(Default)]
struct Spoken {
    last_at: Nanos,
    lines: Vec<(Nanos, String)>,
}

impl Heard {
    fn with<T>(&self, act: impl FnOnce(&mut Option<Spoken>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on what is said is kept.
    pub(super) fn begin(&self) {
        self.with(|spoken| {
            spoken.get_or_insert_default();
        });
    }

    /// Notes what was said at the moment of what was said before.
    pub(super) fn note(&self, words: String) {
        self.with(|spoken| spoken.iter_mut().for_each(|spoken| spoken.lines.push((spoken.last_at, words.clone()))));
    }

    /// The moment of the fold.
    pub(super) fn pass(&self, at: Nanos) {
        self.with(|spoken| spoken.iter_mut().for_each(|spoken| spoken.last_at = at));
    }

    /// What was said since it was last asked for.
    pub(super) fn drain(&self) -> Vec<(Nanos, String)> {
        self.with(|spoken| spoken.as_mut().map(|spoken| std::mem::take(&mut spoken.lines)).unwrap_or_default())
    }
}

/// A connection that takes everything; whether it did then is on the tape.
pub(super) struct Deaf {
    pub(super) whose: &'static str,
    pub(super) heard: Heard,
}

impl Transport for Deaf {
    fn poll(&mut self, _: Nanos, _: &mut dyn FnMut(Event<'_>)) -> bool {
        false
    }

    fn send(&mut self, _: Nanos, frame: &[u8]) -> bool {
        self.heard.with(|spoken| {
            let Some(spoken) = spoken else { return };
            let frame = String::from_utf8_lossy(frame).replace(char::is_control, " ");
            spoken.lines.push((spoken.last_at, format!("{} → venue {frame}", self.whose)));
        });
        true
    }

    fn drop_connection(&mut self) {}
}

/// A clock that nobody reads: moments are on the tape.
#[derive(Clone, Copy)]
pub(super) struct Still;

impl Clock for Still {
    fn now(&mut self) -> Nanos {
        Nanos::ZERO
    }
}

/// Records kept of those a fold comes to: more than a journal can lose at once.
const WRITTEN_MAX: usize = 4_096;

/// What the fold would have written to the journal, the newest last; copies share it.
#[derive(Clone, Default)]
pub(super) struct Written(Arc<Mutex<VecDeque<Vec<u8>>>>);

impl Written {
    fn put(&self, record: &[u8]) {
        let mut records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if records.len() == WRITTEN_MAX {
            records.pop_front();
        }
        records.push_back(record.to_vec());
    }

    /// The records.
    pub(super) fn records(&self) -> Vec<Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

/// A journal that only remembers what was to be written.
impl Store for Written {
    fn append(&mut self, record: &[u8]) {
        self.put(record);
    }
}

/// Gives the signatures that the tape has; for logins, which it does not have, zeros.
pub(super) struct Taped {
    pub(super) address: Address,
    pub(super) gate: Gate,
}

impl Key for Taped {
    fn sign(&mut self, _: &[u8; 32]) -> [u8; 65] {
        self.gate.signature().unwrap_or([0; 65])
    }

    fn address(&self) -> [u8; 20] {
        self.address
    }
}

/// A signer's process that takes everything; its answers are on the tape. What it was to write is remembered: of a deed
/// its nonce, which is spent whether it was signed or refused.
pub(super) struct Nobody {
    pub(super) written: Written,
    /// Subaccounts of the vaults, by place.
    pub(super) subaccounts: Vec<SubaccountId>,
}

impl Nobody {
    fn record(&self, ask: Ask) -> Option<[u8; RECORD]> {
        let subaccount = |vault: VaultId| self.subaccounts.get(usize::from(vault.0)).copied();
        Some(match ask {
            Ask::Order(deed) => FloorRecord(deed.terms.nonce).write(),
            Ask::Package(deed) => FloorRecord(deed.nonce).write(),
            Ask::Movement(deed) => FloorRecord(deed.nonce).write(),
            Ask::Note { vault, note } => NoteRecord { subaccount: subaccount(vault)?, note }.write(),
            Ask::Listing(_) | Ask::Mark(_) => return None,
        })
    }
}

impl Wall for Nobody {
    fn room(&mut self) -> usize {
        usize::MAX
    }

    fn send(&mut self, page: &[u8; ASK_BYTES]) -> bool {
        if let Some(record) = Ask::read(page).and_then(|ask| self.record(ask)) {
            self.written.put(&record);
        }
        true
    }

    fn receive(&mut self) -> Option<[u8; ANSWER_BYTES]> {
        None
    }

    fn is_alive(&mut self) -> bool {
        true
    }
}
