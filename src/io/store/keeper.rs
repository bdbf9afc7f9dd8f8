//! The thread behind the journal: it has the next page ready before it is needed, and takes full ones away.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::page::{Extent, Page, file_name};
use super::{StoreError, page_paths};

/// What the writer asks for.
pub enum Job {
    /// An empty page.
    Prepare(Extent),
    /// This page is full: make it durable, forget it, and delete the page that is now too old.
    Retire(Page),
}

/// The files being written, for whoever syncs them.
pub type OpenFiles = Arc<Mutex<Vec<(u64, Arc<File>)>>>;

/// Pause before a page that could not be made is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// Serves jobs until the writer is gone. A page that cannot be made is told as it fails, to the writer and to whoever
/// reads standard error, and tried until it can: a disk that was full for a moment must not end the writer hours later.
pub fn run(
    folder: PathBuf,
    pages_kept: u64,
    files: OpenFiles,
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
                enlist(&files, &page);
                if ready.send(Ok(page)).is_err() {
                    return;
                }
            }
            Ok(Job::Prepare(extent)) => {
                let page = Page::create(&folder, extent);
                match &page {
                    Ok(page) => enlist(&files, page),
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
                // A failed sync of a full page is found again by the next `sync`, which keeps the file on its list.
                if page.file().sync_data().is_ok() {
                    lock(&files).retain(|(number, _)| *number != sequence);
                }
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

/// Adds a page to those that are synced.
pub fn enlist(files: &OpenFiles, page: &Page) {
    lock(files).push((page.extent().sequence, page.file()));
}

/// Makes everything appended so far durable against loss of power.
pub fn sync(files: &OpenFiles) -> std::io::Result<()> {
    let open: Vec<Arc<File>> = lock(files).iter().map(|(_, file)| file.clone()).collect();
    for file in open {
        file.sync_data()?;
    }
    Ok(())
}

fn lock(files: &OpenFiles) -> std::sync::MutexGuard<'_, Vec<(u64, Arc<File>)>> {
    files.lock().unwrap_or_else(PoisonError::into_inner)
}
