//! The tapes on disk: for every run of the engine a folder with its head and rows of pages, one row per actor.
//!
//! Writing is a copy and a checksum into mapped memory, without a system call: the kernel owns the bytes from then on, so
//! the death of the process loses nothing. The next page of each row is made beforehand by a thread of its own, which
//! makes room for it: older runs go first, then the oldest pages of this one. If it is not ready when it is needed, or
//! nothing can go, the run's tapes end there and the engine goes on: nothing on the hot path waits for a disk, and no tape
//! takes the space that the journal of orders needs.

mod keeper;
mod page;
mod run;

use crate::base::time::Nanos;
use crate::engine::tape::{Recorder, Reel, Tape};
use crate::io::dying;
use crate::io::map::Map;
use crate::topology::{TAPES, tapes_off};
use alloy::hex;
use keeper::{Job, Keeper, Older};
use page::PageFile;
pub use run::Run;
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
/// What it died of by its own doing (`io/dying.rs`), and in which thread.
const DEATH: &str = "death";
/// What the journal of orders held at its start.
const JOURNAL: &str = "journal";
/// Which page of each row is the first that is kept, once older ones of the run have gone.
const FIRST: &str = "first";
/// Bytes of a page: room for the longest frame several times over.
pub const PAGE_BYTES: usize = 4 << 20;
const MIB: u64 = 1 << 20;

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most a run may take; its oldest pages go then, and it can be checked but not folded again.
    pub run_mib_max: u64,
    /// Most that older runs may take beside it; the oldest are deleted.
    pub kept_mib_max: u64,
    /// Space left free on the disk: before there is less, older runs go, then this one's oldest pages.
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
        let _ = self.jobs.try_send(Job::Retire { row: self.row, page: full });
        let _ = self.jobs.try_send(Job::Prepare { row: self.row, number });
        true
    }
}

/// The tapes of a run that is being recorded.
pub struct Recording {
    folder: PathBuf,
    trouble: Trouble,
    keeper: JoinHandle<()>,
    death: Option<Map>,
}

impl Recording {
    /// Begins the tapes of a new run in a state folder, which the caller has locked; `head` and
    /// `journal` are what is needed to replay them. The first `rows` of [`TAPES`] are recorded. Old runs make room.
    ///
    /// # Errors
    /// The tapes cannot be kept; in words.
    pub fn begin(
        state: &Path,
        limits: Limits,
        (rows, head): (usize, &str),
        journal: &[u8],
    ) -> Result<(Recording, [Tape; 7]), String> {
        let home = make_folder(state)?;
        let runs = runs(state)?;
        let mut older = Older::of(&home, &runs);
        older.keep(limits.kept_mib_max * MIB);
        let run = runs.last().map_or(1, |last| last + 1);
        let folder = home.join(run_name(run));
        DirBuilder::new().mode(0o700).create(&folder).map_err(failed(&folder, "make"))?;
        write_summed(&folder.join(JOURNAL), &hex::encode(journal))?;
        let path = folder.join(DEATH);
        let mut death = Map::create(&path, dying::NOTE_BYTES).map_err(|(doing, cause)| failed(&path, doing)(cause))?;
        death.populate();
        write_summed(&folder.join(HEAD), head)?;
        let trouble = Trouble::default();
        let (jobs, inbox) = sync_channel(64);
        let ends: [_; TAPES.len()] = std::array::from_fn(|_| sync_channel(2));
        let ready = ends.each_ref().map(|(send, _)| send.clone());
        let mut keeper = Keeper::new((folder.clone(), run), (limits, older), ready, trouble.clone());
        let mut tapes = tapes_off();
        for (row, ((_, ready), tape)) in ends.into_iter().zip(&mut tapes).take(rows).enumerate() {
            let page = keeper.make(row, 1)?;
            let _ = jobs.try_send(Job::Prepare { row, number: 2 });
            let (jobs, trouble) = (jobs.clone(), trouble.clone());
            let reel = DiskReel { row, page, used: 0, ready, jobs, trouble };
            *tape = Tape::Recording(Recorder::new(Box::new(reel)));
        }
        let builder = thread::Builder::new().name("tape-keeper".into());
        let keeper = builder.spawn(move || keeper.serve(inbox)).map_err(failed(&folder, "start the keeper of"))?;
        Ok((Recording { folder, trouble, keeper, death: Some(death) }, tapes))
    }

    /// Why the tapes ended before their run, if they did.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().clone()
    }

    /// From now on this process notes here if it dies of its own doing.
    ///
    /// # Errors
    /// The system refuses; in words.
    pub fn mind_death(&mut self) -> Result<(), String> {
        let Some(death) = self.death.take() else { return Ok(()) };
        dying::note_in(death).map_err(|why| format!("a death of this process will not be told from a kill: {why}"))
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

#[cfg(test)]
mod tests;
