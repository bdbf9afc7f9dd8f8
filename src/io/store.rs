//! The journal on disk: fixed records in preallocated, memory-mapped pages; what was appended survives `kill -9`.
//!
//! Appending is a copy, a checksum and one store: no system call. The kernel owns the bytes from then on, so the
//! death of the process loses nothing; loss of power may lose what was not synced, which a thread does every few
//! milliseconds. A sync that fails takes the room away for good: what the disk has lost, no later sync can tell. The next
//! page is made beforehand by a thread of its own; a writer that outruns it waits.
//!
//! On opening, a tail that was not written whole is dropped and counted; anything broken with valid records behind
//! it is refused by file and record, because then nobody knows what was lost.

mod keeper;
pub mod page;

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::{self, JoinHandle};

use self::keeper::{Durability, Job};
use self::page::{Extent, PAYLOAD_BYTES_MAX, Page, Slot};
use crate::engine::ports::Store;
use crate::io::lockdown::{self, Filter};

/// How much is written and kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Records in a page of 256 bytes each; at least 1.
    pub records_per_page: u64,
    /// Full pages kept besides the one being written; older ones are deleted.
    pub pages_kept: u64,
}

impl Default for Layout {
    /// Pages of 64 MiB, of which 64 are kept: about 17 million records.
    fn default() -> Layout {
        Layout { records_per_page: (64 << 20) / 256 - 1, pages_kept: 64 }
    }
}

/// Of the records of a page, one in so many is kept for what cannot be refused once the next page fails to come.
const KEPT_BACK: u64 = 64;

/// Why the journal cannot be used.
#[derive(Debug)]
pub enum StoreError {
    /// The system refused.
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        cause: std::io::Error,
    },
    /// Others can reach the folder or file.
    Exposed {
        /// Which file or folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// The permission bits it must have.
        allowed: u32,
    },
    /// Another instance is running on this folder.
    Locked {
        /// The folder.
        path: PathBuf,
        /// What the other instance wrote about itself.
        holder: String,
    },
    /// A file that is no page, or not the page expected.
    Foreign {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A record is broken and valid ones follow it.
    Corrupt {
        /// Which file.
        path: PathBuf,
        /// Which of its records, from zero.
        record: u64,
    },
}

impl StoreError {
    fn io<'a>(path: &'a Path, doing: &'static str) -> impl Fn(std::io::Error) -> StoreError + Copy + 'a {
        move |cause| StoreError::Io { path: path.to_path_buf(), doing, cause }
    }

    fn foreign(path: &Path, why: &'static str) -> StoreError {
        StoreError::Foreign { path: path.to_path_buf(), why }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Io { path, doing, cause } => write!(f, "cannot {doing} {}: {cause}", path.display()),
            StoreError::Exposed { path, mode, allowed } => {
                let path = path.display();
                write!(
                    f,
                    "{path} has mode {mode:04o}, others can reach it; allowed is {allowed:04o}: chmod {allowed:o} {path}"
                )
            }
            StoreError::Locked { path, holder } => {
                write!(f, "{} is in use by {holder}; two instances must not share one journal", path.display())
            }
            StoreError::Foreign { path, why } => write!(f, "{}: {why}", path.display()),
            StoreError::Corrupt { path, record } => {
                write!(
                    f,
                    "{}: record {record} is damaged and valid ones follow it; do not trade on this journal",
                    path.display()
                )
            }
        }
    }
}

impl std::error::Error for StoreError {}

/// What was found on opening.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Pages on disk.
    pub pages: u64,
    /// Valid records in them.
    pub records: u64,
    /// Records at the end that were not written whole.
    pub torn: u64,
}

/// The journal, open for appending by one thread.
pub struct PageStore {
    current: Page,
    used: u64,
    jobs: Option<SyncSender<Job>>,
    ready: Receiver<Result<Page, StoreError>>,
    standby: Option<Page>,
    failed: Option<StoreError>,
    durability: Arc<Durability>,
    keeper: Option<JoinHandle<()>>,
    /// Ends the thread that syncs when it is dropped.
    syncing: Option<SyncSender<()>>,
    syncer: Option<JoinHandle<()>>,
    _lock: Lock,
    _beside: Option<Lock>,
}

/// A journal's folder, taken for this process for as long as this lives.
pub struct Lock {
    folder: PathBuf,
    _file: File,
}

impl Lock {
    /// Makes the folder with mode 0700 if absent, and takes it.
    pub fn take(folder: &Path) -> Result<Lock, StoreError> {
        prepare_folder(folder)?;
        Ok(Lock { folder: folder.to_path_buf(), _file: lock_folder(folder)? })
    }
}

impl PageStore {
    /// Opens or starts the journal in a folder, which is made with mode 0700 if absent, and shows every record in
    /// order, with its number, before anything can be appended.
    pub fn open(
        folder: &Path,
        layout: Layout,
        visit: &mut dyn FnMut(u64, &[u8]),
    ) -> Result<(PageStore, Found), StoreError> {
        PageStore::open_under(Lock::take(folder)?, layout, visit, None)
    }

    /// The same in a folder that is taken already; with a filter, the thread that keeps the pages is left no other
    /// system calls.
    pub fn open_under(
        lock: Lock,
        layout: Layout,
        visit: &mut dyn FnMut(u64, &[u8]),
        filter: Option<Filter>,
    ) -> Result<(PageStore, Found), StoreError> {
        assert!(layout.records_per_page > 0, "a page holds at least one record");
        let folder = lock.folder.as_path();
        let mut scan = Scan::default();
        for path in page_paths(folder)? {
            scan.take(Page::open(&path)?, visit)?;
        }
        let found = scan.found;
        let (current, used, spare) = scan.into_place(folder, layout)?;
        let durability = Arc::new(Durability::default());
        for page in std::iter::once(&current).chain(&spare) {
            durability.enlist(page);
        }
        let (jobs, inbox) = sync_channel(4);
        let (outbox, ready) = sync_channel(2);
        let (home, kept, shared) = (folder.to_path_buf(), layout.pages_kept.max(1), durability.clone());
        let keep = move || keeper::run(home, kept, shared, inbox, outbox);
        let keeper = confined(folder, "journal-keeper", filter, keep)?;
        let (syncing, until) = sync_channel(1);
        let shared = durability.clone();
        let syncer = confined(folder, "journal-syncer", filter, move || keeper::sync_on(&shared, &until))?;
        let next = following(current.extent(), layout.records_per_page);
        if spare.is_none() {
            let _ = jobs.try_send(Job::Prepare(next));
        }
        let store = PageStore {
            current,
            used,
            jobs: Some(jobs),
            ready,
            standby: spare,
            failed: None,
            durability,
            keeper: Some(keeper),
            syncing: Some(syncing),
            syncer: Some(syncer),
            _lock: lock,
            _beside: None,
        };
        Ok((store, found))
    }

    /// Holds another folder too, for as long as this one is open.
    pub fn hold(&mut self, other: Lock) {
        self._beside = Some(other);
    }

    /// Number of the next record.
    pub fn next_record(&self) -> u64 {
        self.current.extent().first_record + self.used
    }

    /// Looks whether the next page has come. One that could not be made may have come since.
    fn look_ahead(&mut self) {
        while self.standby.is_none() {
            match self.ready.try_recv() {
                Ok(Ok(page)) => (self.standby, self.failed) = (Some(page), None),
                Ok(Err(error)) => self.failed = Some(error),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
            }
        }
    }

    /// Records that can be appended now without waiting for the disk; the error if the next page could not be made
    /// (a full disk, as a rule), or what was appended could not be synced. Ask regularly, and stop taking risk while there
    /// is still room.
    pub fn room(&mut self) -> Result<u64, &StoreError> {
        self.look_ahead();
        let ahead = self.standby.as_ref().map_or(0, |page| page.extent().records);
        match self.failed.as_ref().or(self.durability.failure()) {
            Some(error) => Err(error),
            None => Ok(self.current.extent().records - self.used + ahead),
        }
    }

    /// Goes on to the next page. Dies if there is none: an order whose nonce is not on record must not be sent.
    #[cold]
    fn turn(&mut self) {
        self.look_ahead();
        if self.failed.is_none() && self.standby.is_none() {
            match self.ready.recv() {
                Ok(Ok(page)) => self.standby = Some(page),
                Ok(Err(error)) => self.failed = Some(error),
                Err(_) => panic!("the journal's keeper is gone"),
            }
        }
        let Some(page) = self.standby.take() else {
            let why = self.failed.as_ref().map_or_else(String::new, StoreError::to_string);
            panic!("the journal is full and has no next page: {why}");
        };
        let next = following(page.extent(), page.extent().records);
        let full = std::mem::replace(&mut self.current, page);
        self.used = 0;
        if let Some(jobs) = &self.jobs {
            let _ = jobs.send(Job::Prepare(next));
            let _ = jobs.send(Job::Retire(full));
        }
    }
}

/// A thread that has begun, and is left no system calls but the filter's.
fn confined(
    folder: &Path,
    name: &str,
    filter: Option<Filter>,
    duty: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, StoreError> {
    let (begin, begun) = sync_channel(1);
    let begins = move || {
        let confined = filter.map_or(Ok(()), lockdown::confine).map_err(std::io::Error::other);
        let goes_on = confined.is_ok();
        if begin.send(confined).is_ok() && goes_on {
            duty();
        }
    };
    let failed = StoreError::io(folder, "start the thread that keeps");
    let thread = thread::Builder::new().name(name.into()).spawn(begins).map_err(failed)?;
    begun.recv().unwrap_or_else(|_| Err(std::io::Error::other("it ended at once"))).map_err(failed)?;
    Ok(thread)
}

impl Store for PageStore {
    fn append(&mut self, record: &[u8]) {
        assert!(record.len() <= PAYLOAD_BYTES_MAX, "a record of {} bytes; at most {PAYLOAD_BYTES_MAX}", record.len());
        if self.used == self.current.extent().records {
            self.turn();
        }
        self.current.write(self.used, record);
        self.used += 1;
        self.durability.appended(self.next_record());
    }

    fn begins_page(&self) -> bool {
        self.used == 0 || self.used == self.current.extent().records
    }

    fn has_room(&mut self) -> bool {
        if self.durability.failure().is_some() {
            return false;
        }
        let records = self.current.extent().records;
        // Asked for every signature: the other thread is looked at only when it matters.
        self.used + records / KEPT_BACK < records || self.room().is_ok_and(|room| room > records / KEPT_BACK)
    }
}

impl Drop for PageStore {
    fn drop(&mut self) {
        // The keeper first: what it makes or retires is synced after it.
        self.jobs = None;
        let keeper = self.keeper.take().map(JoinHandle::join);
        self.syncing = None;
        let syncer = self.syncer.take().map(JoinHandle::join);
        drop((keeper, syncer));
    }
}

/// The page after another.
fn following(extent: Extent, records: u64) -> Extent {
    Extent { sequence: extent.sequence + 1, first_record: extent.first_record + extent.records, records }
}

/// Reads every record of a journal in order without locking or changing it; for inspection, even of a damaged one,
/// whose sound beginning has been shown when the error comes.
pub fn read_records(folder: &Path, visit: &mut dyn FnMut(u64, &[u8])) -> Result<Found, StoreError> {
    let mut scan = Scan::default();
    for path in page_paths(folder)? {
        scan.take(Page::open(&path)?, visit)?;
    }
    Ok(scan.found)
}

/// Shows every sound record of a damaged journal, in order, as far as its pages can be read, without locking or changing
/// it: for a start that must know what it can and may only cancel.
pub fn salvage(folder: &Path, visit: &mut dyn FnMut(&[u8])) -> Result<(), StoreError> {
    for page in page_paths(folder)?.iter().filter_map(|path| Page::open(path).ok()) {
        for slot in 0..page.extent().records {
            if let Slot::Valid(payload) = page.read(slot) {
                visit(payload);
            }
        }
    }
    Ok(())
}

/// Pages seen so far, oldest first: full ones, then at most one with room, then at most empty ones.
#[derive(Default)]
struct Scan {
    found: Found,
    last: Option<Extent>,
    tail: Option<(Page, u64)>,
    spare: Option<Page>,
}

impl Scan {
    /// Takes the next page and shows its records.
    fn take(&mut self, page: Page, visit: &mut dyn FnMut(u64, &[u8])) -> Result<(), StoreError> {
        let extent = page.extent();
        let expected = self.last.map(|last| (last.sequence + 1, last.first_record + last.records));
        if expected.is_some_and(|expected| expected != (extent.sequence, extent.first_record)) {
            return Err(StoreError::foreign(page.path(), "does not follow the page before it; one is missing"));
        }
        if self.spare.is_some() {
            return Err(StoreError::foreign(page.path(), "one empty page too many"));
        }
        let mut used = 0;
        while used < extent.records
            && let Slot::Valid(payload) = page.read(used)
        {
            if let Some((tail, record)) = &self.tail {
                return Err(StoreError::Corrupt { path: tail.path().to_path_buf(), record: *record });
            }
            visit(extent.first_record + used, payload);
            used += 1;
        }
        for slot in used..extent.records {
            match page.read(slot) {
                Slot::Free => {}
                Slot::Broken => self.found.torn += 1,
                Slot::Valid(_) => return Err(StoreError::Corrupt { path: page.path().to_path_buf(), record: used }),
            }
        }
        self.found.pages += 1;
        self.found.records += used;
        self.last = Some(extent);
        match (&self.tail, used < extent.records) {
            (Some(_), _) => self.spare = Some(page),
            (None, true) => self.tail = Some((page, used)),
            (None, false) => {}
        }
        Ok(())
    }

    /// Where to go on writing: the page with room, wiped behind its last record, or a new one; and a spare, if the
    /// journal died with one ready.
    fn into_place(self, folder: &Path, layout: Layout) -> Result<(Page, u64, Option<Page>), StoreError> {
        let Some((mut page, used)) = self.tail else {
            let first = Extent { sequence: 1, first_record: 0, records: layout.records_per_page };
            let extent = self.last.map_or(first, |last| following(last, layout.records_per_page));
            return Ok((Page::create(folder, extent)?, 0, None));
        };
        let mut spare = self.spare;
        for (page, from) in std::iter::once((&mut page, used)).chain(spare.as_mut().map(|page| (page, 0))) {
            for slot in from..page.extent().records {
                if page.read(slot) != Slot::Free {
                    page.erase(slot);
                }
            }
            page.populate();
        }
        Ok((page, used, spare))
    }
}

/// Makes the folder, or checks that only its owner can reach it.
fn prepare_folder(folder: &Path) -> Result<(), StoreError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700).create(folder).map_err(StoreError::io(folder, "make"))?;
    let mode = fs::metadata(folder).map_err(StoreError::io(folder, "examine"))?.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(StoreError::Exposed { path: folder.to_path_buf(), mode, allowed: 0o700 });
    }
    Ok(())
}

/// Takes the folder for this process, for as long as the file stays open.
fn lock_folder(folder: &Path) -> Result<File, StoreError> {
    let path = folder.join("lock");
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(libc::O_NOFOLLOW);
    let mut file = options.open(&path).map_err(StoreError::io(&path, "open"))?;
    // SAFETY: takes an open descriptor and flags.
    if unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } != 0 {
        let cause = std::io::Error::last_os_error();
        if cause.kind() != std::io::ErrorKind::WouldBlock {
            return Err(StoreError::io(&path, "lock")(cause));
        }
        let mut holder = String::new();
        let _ = (&mut file).take(64).read_to_string(&mut holder);
        return Err(StoreError::Locked { path: folder.to_path_buf(), holder: holder.trim().to_string() });
    }
    let written = file.set_len(0).and_then(|()| write!(file, "process {}", std::process::id()));
    written.map_err(StoreError::io(&path, "write"))?;
    Ok(file)
}

/// Page files in order. Half-made ones of a crash are not listed; making the next page replaces them.
fn page_paths(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let failed = StoreError::io(folder, "list");
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "page") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests;
