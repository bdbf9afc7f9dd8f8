//! The tapes on disk: for every run of the engine a folder with its head and six rows of pages, one row per actor.
//!
//! Writing is a copy and a checksum into mapped memory, without a system call: the kernel owns the bytes from then on, so
//! the death of the process loses nothing. The next page of each row is made beforehand by a thread of its own; if it is
//! not ready when it is needed, or there is no room for it, the run's tapes end there and the engine goes on: nothing on
//! the hot path waits for a disk, and no tape takes the space that the journal of orders needs.

mod page;

use crate::base::time::Nanos;
use crate::engine::tape::{Page, Pages, Recorder, Reel, Roll, Source, Tape};
use crate::topology::ACTORS;
use alloy::hex;
use page::{PageFile, Place, file_name, read_page};
use std::fs::{self, DirBuilder};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

/// Folder of the tapes inside a state folder.
const FOLDER: &str = "tape";
/// The head of a run, how it ended, and the sum behind each.
const HEAD: &str = "head";
const END: &str = "end";
/// What the journal of orders held at its start.
const JOURNAL: &str = "journal";
/// Bytes of a page: room for the longest frame several times over.
pub const PAGE_BYTES: usize = 4 << 20;
const MIB: u64 = 1 << 20;

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most a run may write; its tapes end there.
    pub run_mib_max: u64,
    /// Most that older runs may take beside it; the oldest are deleted.
    pub kept_mib_max: u64,
    /// Space left free on the disk.
    pub free_mib_min: u64,
}

impl Default for Limits {
    /// 16 GiB a run, 64 GiB of older ones, 2 GiB left free.
    fn default() -> Limits {
        Limits { run_mib_max: 16 << 10, kept_mib_max: 64 << 10, free_mib_min: 2 << 10 }
    }
}

/// Makes the folder of the tapes in a state folder, unless it is there.
///
/// # Errors
/// File and reason, in words.
pub fn make_folder(state: &Path) -> Result<PathBuf, String> {
    let home = state.join(FOLDER);
    DirBuilder::new().recursive(true).mode(0o700).create(&home).map_err(failed(&home, "make"))?;
    Ok(home)
}

fn failed(path: &Path, doing: &str) -> impl Fn(std::io::Error) -> String {
    let path = path.display().to_string();
    let doing = doing.to_owned();
    move |cause| format!("cannot {doing} {path}: {cause}")
}

/// Why the tapes of a run ended early, once they did.
#[derive(Clone, Default)]
struct Trouble(Arc<Mutex<Option<String>>>);

impl Trouble {
    fn lock(&self) -> MutexGuard<'_, Option<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first one counts. Noted once a run, and never waited for.
    fn note(&self, why: String) {
        if let Ok(mut known) = self.0.try_lock() {
            known.get_or_insert(why);
        }
    }
}

/// What a reel asks the keeper for.
enum Job {
    /// Its next page.
    Prepare { row: usize, number: u64 },
    /// To take a full one away.
    Retire(PageFile),
}

/// One actor's row of pages, open for writing.
struct DiskReel {
    row: usize,
    page: PageFile,
    used: usize,
    ready: Receiver<Option<PageFile>>,
    jobs: SyncSender<Job>,
    trouble: Trouble,
}

impl Reel for DiskReel {
    fn room(&self) -> usize {
        self.page.room(self.used)
    }

    fn put(&mut self, code: u8, parts: [&[u8]; 4]) {
        self.page.put(self.used, code, &parts);
        self.used += 1 + parts.iter().map(|part| part.len()).sum::<usize>();
    }

    #[cold]
    fn turn(&mut self, chain: u32, after: Nanos) -> bool {
        let Ok(Some(mut next)) = self.ready.try_recv() else {
            // Said by the keeper already, unless it was only too slow.
            self.trouble.note("the next page was not ready in time".to_owned());
            return false;
        };
        next.begin(chain, after);
        let number = next.number() + 1;
        let full = std::mem::replace(&mut self.page, next);
        self.used = 0;
        // A keeper that is gone makes no pages: the tape ends with this one.
        let _ = self.jobs.try_send(Job::Prepare { row: self.row, number });
        let _ = self.jobs.try_send(Job::Retire(full));
        true
    }
}

/// The thread that makes pages ahead of their use and takes full ones away.
struct Keeper {
    folder: PathBuf,
    run: u64,
    limits: Limits,
    written: u64,
    ready: [SyncSender<Option<PageFile>>; 6],
    trouble: Trouble,
}

impl Keeper {
    fn make(&mut self, row: usize, number: u64) -> Result<PageFile, String> {
        self.written += PAGE_BYTES as u64;
        if self.written > self.limits.run_mib_max * MIB {
            return Err(format!("this run has written its {} MiB", self.limits.run_mib_max));
        }
        if free_bytes(&self.folder)? < self.limits.free_mib_min * MIB {
            return Err(format!("less than {} MiB are free on the disk", self.limits.free_mib_min));
        }
        let path = self.folder.join(file_name(ACTORS[row], number));
        let place = Place { run: self.run, row, number };
        PageFile::create(&path, place, PAGE_BYTES).map_err(|(doing, cause)| failed(&path, doing)(cause))
    }

    fn serve(mut self, jobs: Receiver<Job>) {
        for job in jobs {
            match job {
                Job::Prepare { row, number } => {
                    let page = self.make(row, number).map_err(|why| self.trouble.note(why)).ok();
                    // A reel that is gone needs no page.
                    let _ = self.ready[row].try_send(page);
                }
                Job::Retire(page) => {
                    // What is not on disk yet is the kernel's; only loss of power could lose it.
                    let _ = page.file().sync_data();
                }
            }
        }
    }
}

fn free_bytes(folder: &Path) -> Result<u64, String> {
    use std::os::unix::ffi::OsStrExt;
    let path = std::ffi::CString::new(folder.as_os_str().as_bytes()).map_err(|why| why.to_string())?;
    // SAFETY: plain numbers, for which zeros are a value.
    let mut facts: libc::statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: a terminated path and a place for the answer, both ours.
    if unsafe { libc::statvfs(path.as_ptr(), &raw mut facts) } != 0 {
        return Err(failed(folder, "examine the disk of")(std::io::Error::last_os_error()));
    }
    Ok(facts.f_bavail * facts.f_frsize)
}

/// The tapes of a run that is being recorded.
pub struct Recording {
    folder: PathBuf,
    trouble: Trouble,
    keeper: JoinHandle<()>,
}

impl Recording {
    /// Begins the tapes of a new run in a state folder, which the caller has locked; `head` and
    /// `journal` are what is needed to replay them. Old runs make room.
    ///
    /// # Errors
    /// The tapes cannot be kept; in words.
    pub fn begin(state: &Path, limits: Limits, head: &str, journal: &[u8]) -> Result<(Recording, [Tape; 6]), String> {
        let home = make_folder(state)?;
        let runs = runs(state)?;
        make_room(&home, &runs, limits.kept_mib_max * MIB);
        let run = runs.last().map_or(1, |last| last + 1);
        let folder = home.join(run_name(run));
        DirBuilder::new().mode(0o700).create(&folder).map_err(failed(&folder, "make"))?;
        write_summed(&folder.join(JOURNAL), &hex::encode(journal))?;
        write_summed(&folder.join(HEAD), head)?;
        let trouble = Trouble::default();
        let (jobs, inbox) = sync_channel(64);
        let ends: [_; 6] = std::array::from_fn(|_| sync_channel(2));
        let ready = ends.each_ref().map(|(send, _)| send.clone());
        let mut keeper = Keeper { folder: folder.clone(), run, limits, written: 0, ready, trouble: trouble.clone() };
        let mut tapes = Vec::with_capacity(ends.len());
        for (row, (_, ready)) in ends.into_iter().enumerate() {
            let page = keeper.make(row, 1)?;
            let _ = jobs.try_send(Job::Prepare { row, number: 2 });
            let (jobs, trouble) = (jobs.clone(), trouble.clone());
            let reel = DiskReel { row, page, used: 0, ready, jobs, trouble };
            tapes.push(Tape::Recording(Recorder::new(Box::new(reel))));
        }
        let builder = thread::Builder::new().name("tape-keeper".into());
        let keeper = builder.spawn(move || keeper.serve(inbox)).map_err(failed(&folder, "start the keeper of"))?;
        let tapes = tapes.try_into().map_err(|_| "six tapes".to_owned())?;
        Ok((Recording { folder, trouble, keeper }, tapes))
    }

    /// Why the tapes ended before their run, if they did.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().clone()
    }

    /// Notes how the run ended, after its actors are gone.
    ///
    /// # Errors
    /// It cannot be written; in words.
    pub fn end(self, how: &str) -> Result<(), String> {
        // The reels are gone with their actors, and the keeper with them.
        let _ = self.keeper.join();
        write_summed(&self.folder.join(END), how)
    }
}

/// Writes a text with the sum of its bytes in a line behind it.
fn write_summed(path: &Path, text: &str) -> Result<(), String> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
    let mut file = options.open(path).map_err(failed(path, "make"))?;
    let sum = crc32fast::hash(text.as_bytes());
    write!(file, "{text}\n{sum:08x}\n").and_then(|()| file.sync_data()).map_err(failed(path, "write"))
}

/// Reads what [`write_summed`] wrote.
fn read_summed(path: &Path) -> Result<String, String> {
    let text = fs::read_to_string(path).map_err(failed(path, "read"))?;
    let parts = text.strip_suffix('\n').and_then(|text| text.rsplit_once('\n'));
    let sound = |(text, sum): &(&str, &str)| u32::from_str_radix(sum, 16) == Ok(crc32fast::hash(text.as_bytes()));
    let (text, _) = parts.filter(sound).ok_or_else(|| format!("{} is damaged", path.display()))?;
    Ok(text.to_owned())
}

fn run_name(run: u64) -> String {
    format!("run-{run:06}")
}

/// Runs with tapes in a state folder, oldest first.
///
/// # Errors
/// The folder cannot be read; in words.
pub fn runs(state: &Path) -> Result<Vec<u64>, String> {
    let home = state.join(FOLDER);
    if !home.exists() {
        return Ok(Vec::new());
    }
    let mut runs = Vec::new();
    for entry in fs::read_dir(&home).map_err(failed(&home, "list"))? {
        let name = entry.map_err(failed(&home, "list"))?.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix("run-"));
        runs.extend(number.and_then(|number| number.parse::<u64>().ok()));
    }
    runs.sort_unstable();
    Ok(runs)
}

/// Deletes the oldest runs until the rest take no more than so many bytes. What cannot be deleted stays.
fn make_room(home: &Path, runs: &[u64], bytes_max: u64) {
    let size = |run: &u64| -> u64 {
        let files = fs::read_dir(home.join(run_name(*run))).into_iter().flatten().flatten();
        files.filter_map(|file| file.metadata().ok()).map(|facts| facts.len()).sum()
    };
    let mut kept = 0u64;
    for run in runs.iter().rev() {
        kept = kept.saturating_add(size(run));
        if kept > bytes_max {
            let _ = fs::remove_dir_all(home.join(run_name(*run)));
        }
    }
}

/// A run whose tapes are read.
#[derive(Clone, Debug)]
pub struct Run {
    folder: PathBuf,
    /// Its number.
    pub number: u64,
    /// What was said when it began.
    pub head: String,
    /// How it ended, if in order.
    pub end: Option<String>,
}

impl Run {
    /// Opens a run of a state folder.
    ///
    /// # Errors
    /// Its head is missing or damaged; in words.
    pub fn open(state: &Path, number: u64) -> Result<Run, String> {
        let folder = state.join(FOLDER).join(run_name(number));
        let head = read_summed(&folder.join(HEAD))?;
        let end = folder.join(END);
        let end = if end.exists() { Some(read_summed(&end)?) } else { None };
        Ok(Run { folder, number, head, end })
    }

    /// The records of the journal of orders that it started from.
    ///
    /// # Errors
    /// They are missing or damaged; in words.
    pub fn journal(&self) -> Result<Vec<u8>, String> {
        let path = self.folder.join(JOURNAL);
        hex::decode(read_summed(&path)?).map_err(|_| format!("{} is damaged", path.display()))
    }

    /// The last message on each tape, in the order of the pipeline, as far as its last pages can be read.
    pub fn last_words(&self) -> [Option<(Nanos, Source)>; 6] {
        std::array::from_fn(|row| {
            let place = |number| Place { run: self.number, row, number };
            let path = |number| self.folder.join(file_name(ACTORS[row], number));
            let last = (1..).find(|number| !path(*number).exists())? - 1;
            // The very last page may be unused.
            (1..=last).rev().take(2).find_map(|number| last_of(read_page(&path(number), place(number)).ok()?))
        })
    }

    /// Its tapes, in the order of the pipeline.
    pub fn rolls(&self) -> [Roll; 6] {
        std::array::from_fn(|row| {
            Roll::new(FolderPages { folder: self.folder.clone(), run: self.number, row, next: 1 })
        })
    }
}

/// The last message on a page.
fn last_of(page: Page) -> Option<(Nanos, Source)> {
    let (mut roll, mut last) = (Roll::of_page(page), None);
    while let Ok(Some(entry)) = roll.next_entry() {
        if entry.source.is_message() {
            last = Some((entry.at, entry.source));
        }
    }
    last
}

/// The pages of one row, read as they are needed.
struct FolderPages {
    folder: PathBuf,
    run: u64,
    row: usize,
    next: u64,
}

impl FolderPages {
    /// True if there is a page behind the next one.
    fn goes_on(&self) -> bool {
        let missing = file_name(ACTORS[self.row], self.next);
        let files = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut names = files.filter_map(|file| file.file_name().into_string().ok());
        names.any(|name| {
            name.starts_with(ACTORS[self.row])
                && name.len() == missing.len()
                && name > missing
                && name.ends_with(".page")
        })
    }
}

impl Pages for FolderPages {
    fn next_page(&mut self) -> Result<Option<Page>, String> {
        let path = self.folder.join(file_name(ACTORS[self.row], self.next));
        if !path.exists() {
            return if self.goes_on() { Err(format!("{} is missing", path.display())) } else { Ok(None) };
        }
        let page = read_page(&path, Place { run: self.run, row: self.row, number: self.next })?;
        self.next += 1;
        Ok(Some(page))
    }
}

#[cfg(test)]
mod tests;
