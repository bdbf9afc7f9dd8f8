//! The four ports without the outside: a clock that moves when told, wires that are queues, a journal of pages whose disk
//! may refuse another.

use crate::base::time::Nanos;
use crate::engine::ports::{Clock, DownReason, Event, Store, Transport};
pub use crate::engine::tape::MemoryReel;
use crate::sim::lanes::{Lanes, Passed};
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
    /// What the engine was last told.
    heard_up: bool,
    /// The engine has not been told of this connection yet; it may still write to the one before.
    fresh: bool,
    /// Texts the engine has sent or taken.
    traffic: u64,
    inbound: VecDeque<(Nanos, Vec<u8>)>,
    /// Each behind what the watched journal had been written when it was sent.
    outbound: VecDeque<(u64, Vec<u8>)>,
    /// The sender's journal.
    journal: Option<MemoryStore>,
    /// Told of every text the engine takes.
    lanes: Option<Lanes>,
    spare_inbound: Vec<Vec<u8>>,
    spare_outbound: Vec<Vec<u8>>,
}

/// The engine's side is laid out beforehand, so that its turns take no memory.
impl Default for Cable {
    fn default() -> Cable {
        Cable {
            up: false,
            attempts: 0,
            heard_up: false,
            fresh: false,
            traffic: 0,
            inbound: VecDeque::with_capacity(INBOUND),
            outbound: VecDeque::with_capacity(OUTBOUND),
            journal: None,
            lanes: None,
            spare_inbound: Vec::with_capacity(INBOUND),
            spare_outbound: (0..OUTBOUND).map(|_| Vec::with_capacity(OUTBOUND_BYTES)).collect(),
        }
    }
}

impl Cable {
    fn forget(&mut self) {
        self.spare_inbound.extend(self.inbound.drain(..).map(|(_, text)| text));
        self.spare_outbound.extend(self.outbound.drain(..).map(|(_, text)| text));
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
        (cable.up, cable.fresh) = (true, true);
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

    /// From now on every text is taken with what its sender's journal had been written when it was sent.
    pub fn watch(&self, journal: MemoryStore) {
        self.cable().journal = Some(journal);
    }

    /// From now on every text the engine takes is written down.
    pub fn tell(&self, lanes: Lanes) {
        self.cable().lanes = Some(lanes);
    }

    /// The next text from the engine to the world.
    pub fn take(&self) -> Option<Vec<u8>> {
        self.take_marked().map(|(_, text)| text)
    }

    /// The same, with the number of records ever written to the watched journal when it was sent.
    pub fn take_marked(&self) -> Option<(u64, Vec<u8>)> {
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
}

impl Transport for Wire {
    fn poll(&mut self, at: Nanos, sink: &mut dyn FnMut(Event<'_>)) -> bool {
        let mut busy = false;
        {
            let mut cable = self.cable();
            if cable.heard_up && (!cable.up || cable.fresh) {
                cable.heard_up = false;
                drop(cable);
                sink(Event::Down(DownReason::Closed));
                return true;
            }
            if !cable.up {
                return false;
            }
            if !cable.heard_up {
                (cable.heard_up, cable.fresh) = (true, false);
                cable.attempts += 1;
                let attempt = cable.attempts;
                drop(cable);
                sink(Event::Up { attempt });
                busy = true;
            }
        }
        loop {
            let mut cable = self.cable();
            if cable.inbound.front().is_none_or(|(due, _)| *due > at) {
                return busy;
            }
            let Some((_, text)) = cable.inbound.pop_front() else { return busy };
            cable.traffic += 1;
            cable.lanes.iter().for_each(|lanes| lanes.note(Passed::Heard(text.clone())));
            drop(cable);
            sink(Event::Text(&text));
            self.cable().spare_inbound.push(text);
            busy = true;
        }
    }

    fn send(&mut self, _at: Nanos, text: &[u8]) -> bool {
        let mut cable = self.cable();
        if !cable.up || !cable.heard_up {
            return false;
        }
        if cable.fresh {
            return true; // into the connection before, which is gone
        }
        let mut buffer = cable.spare_outbound.pop().unwrap_or_default();
        buffer.clear();
        buffer.extend_from_slice(text);
        let written = cable.journal.as_ref().map_or(0, MemoryStore::written);
        cable.outbound.push_back((written, buffer));
        cable.traffic += 1;
        true
    }

    fn drop_connection(&mut self) {
        let mut cable = self.cable();
        cable.up = false;
        cable.forget();
    }
}

/// What becomes of the next page of a journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Disk {
    /// It is ready before it is needed.
    #[default]
    Well,
    /// It will come, but not yet.
    Slow,
    /// It cannot be made, and nobody tries again: the disk is full or ailing.
    Full,
}

/// A journal in memory; copies share it.
#[derive(Clone, Default)]
pub struct MemoryStore(Arc<Mutex<Pages>>);

#[derive(Default)]
struct Pages {
    /// Each with its number, from one, of all that were ever written.
    records: VecDeque<(u64, [u8; 64])>,
    written: u64,
    /// Records of a page; one without end unless told.
    page: Option<u64>,
    used: u64,
    standby: bool,
    failed: bool,
    /// A sync has failed: what was appended may be lost.
    unsynced: bool,
    disk: Disk,
}

/// Full pages kept beside the one that is written.
const PAGES_KEPT: u64 = 2;
/// Records of a page that are kept back once no other follows.
const KEPT_BACK: u64 = 8;

impl Pages {
    /// Looks whether the next page has come.
    fn prepare(&mut self) {
        match self.disk {
            _ if self.standby => {}
            Disk::Well => (self.standby, self.failed) = (true, false),
            Disk::Slow => {}
            Disk::Full => self.failed = true,
        }
    }

    fn turn(&mut self, page: u64) {
        self.prepare();
        assert!(!self.failed, "the journal is full and has no next page");
        (self.used, self.standby) = (0, false);
        self.prepare();
        let kept = (PAGES_KEPT * page) as usize;
        let old = self.records.len().saturating_sub(kept);
        self.records.drain(..old);
    }
}

impl MemoryStore {
    /// With room for `records` before it grows.
    pub fn with_room(records: usize) -> MemoryStore {
        let pages = Pages { records: VecDeque::with_capacity(records), ..Pages::default() };
        MemoryStore(Arc::new(Mutex::new(pages)))
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on it has pages of so many records, and forgets all but the last few.
    pub fn paginate(&self, records: u64) {
        let mut pages = self.pages();
        (pages.page, pages.standby) = (Some(records), true);
    }

    /// How the disk takes the next page from now on.
    pub fn set_disk(&self, disk: Disk) {
        let mut pages = self.pages();
        pages.disk = disk;
        // What could not be made is tried again.
        if pages.page.is_some() {
            pages.prepare();
        }
    }

    /// The disk refuses to make safe what was appended.
    pub fn fail_sync(&self) {
        self.pages().unsynced = true;
    }

    /// Another process opens it: what the last one waited for in vain is asked for again.
    pub fn reopen(&self) {
        let mut pages = self.pages();
        (pages.failed, pages.unsynced) = (false, false);
        pages.prepare();
    }

    /// Records ever written, also those lost since.
    pub fn written(&self) -> u64 {
        self.pages().written
    }

    /// Loses the last records, as power loss would what was not settled; a torn one is as good as lost.
    pub fn lose(&self, last: usize) {
        let mut pages = self.pages();
        let kept = pages.records.len().saturating_sub(last);
        let lost = (pages.records.len() - kept) as u64;
        pages.records.truncate(kept);
        pages.used = pages.used.saturating_sub(lost);
    }

    /// What is left of what was written after record number `known`, each with its number.
    pub fn records_after(&self, known: u64) -> Vec<(u64, [u8; 64])> {
        let pages = self.pages();
        let place = pages.records.partition_point(|(number, _)| *number <= known);
        pages.records.range(place..).copied().collect()
    }

    /// What it holds, oldest first.
    pub fn records(&self) -> Vec<[u8; 64]> {
        self.pages().records.iter().map(|(_, record)| *record).collect()
    }
}

impl Store for MemoryStore {
    fn append(&mut self, record: &[u8]) {
        let record: [u8; 64] = record.try_into().expect("only order records are journaled here");
        let mut pages = self.pages();
        if let Some(page) = pages.page.filter(|page| pages.used >= *page) {
            pages.turn(page);
        }
        pages.written += 1;
        pages.used += 1;
        let number = pages.written;
        pages.records.push_back((number, record));
    }

    fn begins_page(&self) -> bool {
        let pages = self.pages();
        pages.page.is_some_and(|page| pages.used == 0 || pages.used >= page)
    }

    fn has_room(&mut self) -> bool {
        let mut pages = self.pages();
        if pages.unsynced {
            return false;
        }
        let Some(page) = pages.page else { return true };
        if pages.used + KEPT_BACK < page {
            return true;
        }
        pages.prepare();
        pages.standby
    }
}
