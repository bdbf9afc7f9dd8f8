//! The thread that makes pages ahead of their use and takes full ones away, within the bounds of the disk and of what is
//! kept: older runs go first, then the oldest pages of the run that is recorded.

use super::page::{PageFile, Place, file_name};
use super::{FIRST, Limits, MIB, PAGE_BYTES, Trouble, failed, run_name, write_summed};
use crate::topology::TAPES;
use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender};

/// What a reel asks the keeper for.
pub(super) enum Job {
    /// Its next page.
    Prepare { row: usize, number: u64 },
    /// To take a full one away.
    Retire { row: usize, page: PageFile },
}

/// Runs before the one that is recorded, oldest first, with their bytes.
pub(super) struct Older {
    home: PathBuf,
    runs: VecDeque<(u64, u64)>,
}

impl Older {
    /// Those in a folder.
    pub(super) fn of(home: &Path, runs: &[u64]) -> Older {
        let size = |run: &u64| -> u64 {
            let files = fs::read_dir(home.join(run_name(*run))).into_iter().flatten().flatten();
            files.filter_map(|file| file.metadata().ok()).map(|facts| facts.len()).sum()
        };
        Older { home: home.to_path_buf(), runs: runs.iter().map(|run| (*run, size(run))).collect() }
    }

    /// Deletes the oldest until the rest take no more than so many bytes.
    pub(super) fn keep(&mut self, bytes_max: u64) {
        while self.runs.iter().map(|(_, bytes)| bytes).sum::<u64>() > bytes_max {
            self.drop_oldest();
        }
    }

    /// Deletes the oldest; false if there is none. What cannot be deleted stays.
    fn drop_oldest(&mut self) -> bool {
        let Some((run, _)) = self.runs.pop_front() else { return false };
        let _ = fs::remove_dir_all(self.home.join(run_name(run)));
        true
    }
}

/// The keeper of one run.
pub(super) struct Keeper {
    folder: PathBuf,
    run: u64,
    limits: Limits,
    older: Older,
    /// Pages there are.
    pages: u64,
    /// Full ones, in the order in which they became so.
    full: VecDeque<(usize, u64)>,
    /// First page that is kept of each row.
    first: [u64; TAPES.len()],
    ready: [SyncSender<Option<PageFile>>; 7],
    trouble: Trouble,
}

impl Keeper {
    /// Of a run without pages, in its folder.
    pub(super) fn new(
        (folder, run): (PathBuf, u64),
        (limits, older): (Limits, Older),
        ready: [SyncSender<Option<PageFile>>; 7],
        trouble: Trouble,
    ) -> Keeper {
        Keeper { folder, run, limits, older, pages: 0, full: VecDeque::new(), first: [1; TAPES.len()], ready, trouble }
    }

    /// Makes a page, once there is room for it.
    pub(super) fn make(&mut self, row: usize, number: u64) -> Result<PageFile, String> {
        self.make_room()?;
        let path = self.folder.join(file_name(TAPES[row], number));
        let place = Place { run: self.run, row, number };
        let page = PageFile::create(&path, place, PAGE_BYTES).map_err(|(doing, cause)| failed(&path, doing)(cause))?;
        self.pages += 1;
        Ok(page)
    }

    fn make_room(&mut self) -> Result<(), String> {
        while (self.pages + 1) * PAGE_BYTES as u64 > self.limits.run_mib_max * MIB {
            if !self.drop_oldest()? {
                return Err(format!("{} MiB do not hold the pages in use", self.limits.run_mib_max));
            }
        }
        while free_bytes(&self.folder)? < self.limits.free_mib_min * MIB {
            if !self.older.drop_oldest() && !self.drop_oldest()? {
                return Err(format!("less than {} MiB are free on the disk", self.limits.free_mib_min));
            }
        }
        Ok(())
    }

    /// Deletes the page that was full first; false if none is. It is said before it is done, so that a page which is
    /// missing is never mistaken for one that was let go.
    fn drop_oldest(&mut self) -> Result<bool, String> {
        let Some((row, number)) = self.full.pop_front() else { return Ok(false) };
        self.first[row] = number + 1;
        let words: Vec<String> = self.first.iter().map(u64::to_string).collect();
        let (path, unready) = (self.folder.join(FIRST), self.folder.join("first.new"));
        let _ = fs::remove_file(&unready);
        write_summed(&unready, &words.join(" "))?;
        fs::rename(&unready, &path).map_err(failed(&path, "make"))?;
        let page = self.folder.join(file_name(TAPES[row], number));
        fs::remove_file(&page).map_err(failed(&page, "delete"))?;
        self.pages -= 1;
        Ok(true)
    }

    /// Serves the reels until the last of them is gone.
    pub(super) fn serve(mut self, jobs: Receiver<Job>) {
        for job in jobs {
            match job {
                Job::Prepare { row, number } => {
                    let page = self.make(row, number).map_err(|why| self.trouble.note(why)).ok();
                    // A reel that is gone needs no page.
                    let _ = self.ready[row].try_send(page);
                }
                Job::Retire { row, page } => {
                    // What is not on disk yet is the kernel's; only loss of power could lose it.
                    let _ = page.file().sync_data();
                    self.full.push_back((row, page.number()));
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
