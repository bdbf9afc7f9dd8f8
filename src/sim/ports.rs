//! The four ports without the outside: a clock that moves when told, wires that are queues, a journal that is a list.

use crate::base::time::Nanos;
use crate::engine::ports::{Clock, DownReason, Event, Store, Transport};
pub use crate::engine::tape::MemoryReel;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Time that moves only when told; copies share it.
#[derive(Clone, Debug, Default)]
pub struct SimClock(Arc<AtomicU64>);

impl SimClock {
    /// Starting at `at`.
    pub fn new(at: Nanos) -> SimClock {
        SimClock(Arc::new(AtomicU64::new(at.0)))
    }

    /// Moves on; time never goes back.
    pub fn advance_to(&self, at: Nanos) {
        self.0.fetch_max(at.0, Ordering::Relaxed);
    }
}

impl Clock for SimClock {
    fn now(&mut self) -> Nanos {
        Nanos(self.0.load(Ordering::Relaxed))
    }
}

/// Texts of the engine that may wait at once without taking memory, and the bytes each may have.
const OUTBOUND: usize = 128;
const OUTBOUND_BYTES: usize = 16 * 1024;
/// Texts that may wait for the engine without growing a list.
const INBOUND: usize = 4_096;

struct Cable {
    up: bool,
    attempts: u32,
    announced: bool,
    dropped: bool,
    /// Texts the engine has sent or taken.
    traffic: u64,
    inbound: VecDeque<(Nanos, Vec<u8>)>,
    outbound: VecDeque<Vec<u8>>,
    spare_inbound: Vec<Vec<u8>>,
    spare_outbound: Vec<Vec<u8>>,
}

/// The engine's side is laid out beforehand, so that its turns take no memory.
impl Default for Cable {
    fn default() -> Cable {
        Cable {
            up: false,
            attempts: 0,
            announced: false,
            dropped: false,
            traffic: 0,
            inbound: VecDeque::with_capacity(INBOUND),
            outbound: VecDeque::with_capacity(OUTBOUND),
            spare_inbound: Vec::with_capacity(INBOUND),
            spare_outbound: (0..OUTBOUND).map(|_| Vec::with_capacity(OUTBOUND_BYTES)).collect(),
        }
    }
}

impl Cable {
    fn forget(&mut self) {
        self.spare_inbound.extend(self.inbound.drain(..).map(|(_, text)| text));
        self.spare_outbound.extend(self.outbound.drain(..));
    }
}

/// Both ends of a connection in memory. Copies share it: the engine's copy is its `Transport`, the world keeps another.
#[derive(Clone, Default)]
pub struct Wire(Arc<Mutex<Cable>>);

impl Wire {
    /// A wire that is down.
    pub fn new() -> Wire {
        Wire::default()
    }

    fn cable(&self) -> MutexGuard<'_, Cable> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Connects; what was under way before is lost.
    pub fn connect(&self) {
        let mut cable = self.cable();
        cable.up = true;
        cable.announced = false;
        cable.forget();
    }

    /// Cuts the connection.
    pub fn cut(&self) {
        let mut cable = self.cable();
        cable.up = false;
        cable.forget();
    }

    /// True if connected.
    pub fn is_up(&self) -> bool {
        self.cable().up
    }

    /// Text from the world to the engine, heard at `at`.
    pub fn deliver(&self, at: Nanos, text: &[u8]) {
        let mut cable = self.cable();
        if !cable.up {
            return;
        }
        let mut buffer = cable.spare_inbound.pop().unwrap_or_default();
        buffer.clear();
        buffer.extend_from_slice(text);
        let place = cable.inbound.partition_point(|(due, _)| *due <= at);
        cable.inbound.insert(place, (at, buffer));
    }

    /// The next text from the engine to the world.
    pub fn take(&self) -> Option<Vec<u8>> {
        self.cable().outbound.pop_front()
    }

    /// Gives a taken buffer back for reuse.
    pub fn give_back(&self, buffer: Vec<u8>) {
        self.cable().spare_outbound.push(buffer);
    }

    /// When the next text is due at the engine.
    pub fn next_due(&self) -> Option<Nanos> {
        self.cable().inbound.front().map(|(due, _)| *due)
    }

    /// Texts the engine has sent or taken so far.
    pub fn traffic(&self) -> u64 {
        self.cable().traffic
    }

    /// True once after the engine asked for the connection to be dropped.
    pub fn was_dropped(&self) -> bool {
        std::mem::take(&mut self.cable().dropped)
    }
}

impl Transport for Wire {
    fn poll(&mut self, at: Nanos, sink: &mut dyn FnMut(Event<'_>)) -> bool {
        let mut busy = false;
        {
            let mut cable = self.cable();
            if cable.up != cable.announced {
                cable.announced = cable.up;
                busy = true;
                if cable.up {
                    cable.attempts += 1;
                    let attempt = cable.attempts;
                    drop(cable);
                    sink(Event::Up { attempt });
                } else {
                    drop(cable);
                    sink(Event::Down(DownReason::Closed));
                }
            }
        }
        loop {
            let mut cable = self.cable();
            if cable.inbound.front().is_none_or(|(due, _)| *due > at) {
                return busy;
            }
            let Some((_, text)) = cable.inbound.pop_front() else { return busy };
            cable.traffic += 1;
            drop(cable);
            sink(Event::Text(&text));
            self.cable().spare_inbound.push(text);
            busy = true;
        }
    }

    fn send(&mut self, _at: Nanos, text: &[u8]) -> bool {
        let mut cable = self.cable();
        if !cable.up {
            return false;
        }
        let mut buffer = cable.spare_outbound.pop().unwrap_or_default();
        buffer.clear();
        buffer.extend_from_slice(text);
        cable.outbound.push_back(buffer);
        cable.traffic += 1;
        true
    }

    fn drop_connection(&mut self) {
        let mut cable = self.cable();
        cable.up = false;
        cable.dropped = true;
        cable.forget();
    }
}

/// A journal in memory; copies share it.
#[derive(Clone, Default)]
pub struct MemoryStore(Arc<Mutex<Pages>>);

#[derive(Default)]
struct Pages {
    records: Vec<[u8; 64]>,
    /// Records ever written, also those lost since.
    written: u64,
}

impl MemoryStore {
    /// With room for `records` before it grows.
    pub fn with_room(records: usize) -> MemoryStore {
        MemoryStore(Arc::new(Mutex::new(Pages { records: Vec::with_capacity(records), written: 0 })))
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records ever written, also those lost since.
    pub fn written(&self) -> u64 {
        self.pages().written
    }

    /// Loses the last records, as power loss would what was not settled; a torn one is as good as lost.
    pub fn lose(&self, last: usize) {
        let mut pages = self.pages();
        let kept = pages.records.len().saturating_sub(last);
        pages.records.truncate(kept);
    }

    /// What was written after the first `known` records.
    pub fn records_after(&self, known: usize) -> Vec<[u8; 64]> {
        self.pages().records.get(known..).unwrap_or_default().to_vec()
    }

    /// What was written.
    pub fn records(&self) -> Vec<[u8; 64]> {
        self.pages().records.clone()
    }
}

impl Store for MemoryStore {
    fn append(&mut self, record: &[u8]) {
        let record: [u8; 64] = record.try_into().expect("only order records are journaled here");
        let mut pages = self.pages();
        pages.records.push(record);
        pages.written += 1;
    }
}
