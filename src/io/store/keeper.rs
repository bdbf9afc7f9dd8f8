//! The threads behind the journal: one has the next page ready before it is needed and takes full ones away, the other
//! syncs what is appended.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use super::page::{Extent, Page, file_name};
use super::{StoreError, page_paths};

/// Longest wait between two syncs: what was appended since, and during the last, is what loss of power may cost.
const SYNC_EVERY: Duration = Duration::from_millis(4);

/// What the writer asks for.
pub enum Job {
    /// An empty page.
    Prepare(Extent),
    /// This page is full: make it durable, forget it, and delete the page that is now too old.
    Retire(Page),
}

/// A page that is being written.
struct OpenFile {
    sequence: u64,
    path: PathBuf,
    file: Arc<File>,
}

/// How far the journal is safe from loss of power.
#[derive(Default)]
pub struct Durability {
    files: Mutex<Vec<OpenFile>>,
    /// Records ever appended.
    appended: AtomicU64,
    /// The first sync that failed. The kernel forgets what it could not write, so a later one that succeeds proves nothing.
    failure: OnceLock<StoreError>,
}

impl Durability {
    fn files(&self) -> MutexGuard<'_, Vec<OpenFile>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a page to those that are synced.
    pub fn enlist(&self, page: &Page) {
        self.enlist_file(page.extent().sequence, page.path(), page.file());
    }

    pub(super) fn enlist_file(&self, sequence: u64, path: &Path, file: Arc<File>) {
        self.files().push(OpenFile { sequence, path: path.to_path_buf(), file });
    }

    /// So many records are in the pages now.
    pub fn appended(&self, records: u64) {
        self.appended.store(records, Ordering::Release);
    }

    /// Why nothing that was appended can be relied on any more, if so.
    pub fn failure(&self) -> Option<&StoreError> {
        self.failure.get()
    }

    /// Makes everything appended so far durable against loss of power.
    fn sync(&self) {
        let open: Vec<(PathBuf, Arc<File>)> =
            self.files().iter().map(|open| (open.path.clone(), open.file.clone())).collect();
        open.iter().for_each(|(path, file)| self.sync_file(path, file));
    }

    fn sync_file(&self, path: &Path, file: &File) {
        if let Err(cause) = file.sync_data() {
            let why = StoreError::io(path, "sync the journal's page")(cause);
            if self.failure.get().is_none() {
                say(&format!("alarm: {why}; nothing is signed on it any more until a restart"));
            }
            let _ = self.failure.set(why);
        }
    }
}

/// Syncs what is appended, until the writer is gone and all is safe.
pub fn sync_on(durability: &Durability, until: &Receiver<()>) {
    let mut synced = 0;
    loop {
        let ends = until.recv_timeout(SYNC_EVERY) != Err(RecvTimeoutError::Timeout);
        let appended = durability.appended.load(Ordering::Acquire);
        if appended != synced {
            durability.sync();
            synced = appended;
        }
        if ends {
            return;
        }
    }
}

/// Pause before a page that could not be made is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// Serves jobs until the writer is gone. A page that cannot be made is told as it fails, to the writer and to whoever
/// reads standard error, and tried until it can: a disk that was full for a moment must not end the writer hours later.
pub fn run(
    folder: PathBuf,
    pages_kept: u64,
    durability: Arc<Durability>,
    jobs: Receiver<Job>,
    ready: SyncSender<Result<Page, StoreError>>,
) {
    let mut owed: Option<Extent> = None;
    loop {
        let job = match owed {
            None => jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(_) => jobs.recv_timeout(AGAIN),
        };
        match job {
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {
                let Some(Ok(page)) = owed.map(|extent| Page::create(&folder, extent)) else { continue };
                say(&format!("{} could be made after all", page.path().display()));
                owed = None;
                durability.enlist(&page);
                if ready.send(Ok(page)).is_err() {
                    return;
                }
            }
            Ok(Job::Prepare(extent)) => {
                let page = Page::create(&folder, extent);
                match &page {
                    Ok(page) => durability.enlist(page),
                    Err(why) => {
                        say(&format!("alarm: no next page: {why}; signing ends with this page unless a try succeeds"));
                        owed = Some(extent);
                    }
                }
                if ready.send(page).is_err() {
                    return;
                }
            }
            Ok(Job::Retire(page)) => {
                let sequence = page.extent().sequence;
                durability.sync_file(page.path(), &page.file());
                durability.files().retain(|open| open.sequence != sequence);
                drop(page);
                if let Some(old) = sequence.checked_sub(pages_kept) {
                    delete_up_to(&folder, old);
                }
            }
        }
    }
}

/// To a person; nobody listening is no reason to stop.
fn say(words: &str) {
    let _ = writeln!(std::io::stderr(), "keel: journal: {words}");
}

/// Deletes the pages up to and including this one. What cannot be deleted is tried again after the next page.
fn delete_up_to(folder: &Path, sequence: u64) {
    let newest = folder.join(file_name(sequence));
    for path in page_paths(folder).unwrap_or_default() {
        if path <= newest {
            let _ = fs::remove_file(path);
        }
    }
}
