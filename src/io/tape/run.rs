//! A run of the engine as its folder holds it: its head, how it ended, and its tapes page by page.

use super::page::{Place, file_name, read_page};
use super::{DEATH, END, FIRST, FOLDER, HEAD, JOURNAL, PAGE_BYTES, read_summed, run_name};
use crate::engine::tape::{Entry, Page, Pages, Roll};
use crate::io::dying::read_note;
use crate::topology::TAPES;
use alloy::hex;
use std::fs;
use std::path::{Path, PathBuf};

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
    /// The thread that it died in by its own doing, of a fault or a panic; none if it was killed from outside.
    pub died_in: Option<String>,
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
        // Runs from before there was such a note have none.
        let died_in = read_note(&fs::read(folder.join(DEATH)).unwrap_or_default());
        Ok(Run { folder, number, head, end, died_in })
    }

    /// True if a run has pages, whatever else of it can be read.
    pub fn has_pages(state: &Path, number: u64) -> bool {
        let files = fs::read_dir(state.join(FOLDER).join(run_name(number))).into_iter().flatten().flatten();
        files.filter_map(|file| file.file_name().into_string().ok()).any(|name| name.ends_with(".page"))
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
    pub fn last_words(&self) -> [Option<Entry>; 7] {
        std::array::from_fn(|row| {
            let Extent { first, last } = self.extent(row).ok()?;
            let read = |number| read_page(&self.path(row, number), Place { run: self.number, row, number }).ok();
            // The very last page may be unused.
            (first..=last).rev().take(2).find_map(|number| last_of(read(number)?))
        })
    }

    /// True if its tapes are there from the beginning: only then can they be folded again.
    ///
    /// # Errors
    /// The note of what was let go is damaged; in words.
    pub fn is_whole(&self) -> Result<bool, String> {
        Ok(self.first()? == [1; TAPES.len()])
    }

    /// Bytes of its pages.
    pub fn bytes(&self) -> u64 {
        let pages = |row| self.extent(row).map_or(0, |Extent { first, last }| (last + 1).saturating_sub(first));
        (0..TAPES.len()).map(pages).sum::<u64>() * PAGE_BYTES as u64
    }

    /// Its tapes, in the order of the pipeline, from the first page that was not let go.
    ///
    /// # Errors
    /// The note of what was let go is damaged; in words.
    pub fn rolls(&self) -> Result<[Roll; 7], String> {
        let first = self.first()?;
        Ok(std::array::from_fn(|row| self.roll(row, first[row])))
    }

    /// The last pages of its tapes, for those who only look whether they are sound.
    ///
    /// # Errors
    /// The note of what was let go is damaged; in words.
    pub fn last_rolls(&self, pages: u64) -> Result<[Roll; 7], String> {
        let first = self.first()?;
        let from = |row: usize| self.extent(row).map_or(first[row], |extent| (extent.last + 1).saturating_sub(pages));
        Ok(std::array::from_fn(|row| self.roll(row, from(row).max(first[row]))))
    }

    fn roll(&self, row: usize, first: u64) -> Roll {
        let pages = FolderPages { folder: self.folder.clone(), run: self.number, row, next: first };
        if first == 1 { Roll::new(pages) } else { Roll::from_page(first, pages) }
    }

    fn path(&self, row: usize, number: u64) -> PathBuf {
        self.folder.join(file_name(TAPES[row], number))
    }

    /// The first page of each row that was not let go.
    fn first(&self) -> Result<[u64; TAPES.len()], String> {
        let path = self.folder.join(FIRST);
        if !path.exists() {
            return Ok([1; TAPES.len()]);
        }
        let numbers: Option<Vec<u64>> = read_summed(&path)?.split(' ').map(|word| word.parse().ok()).collect();
        let numbers = numbers.and_then(|numbers| numbers.try_into().ok());
        numbers.ok_or_else(|| format!("{} is damaged", path.display()))
    }

    /// The pages of a row that follow each other.
    fn extent(&self, row: usize) -> Result<Extent, String> {
        let first = self.first()?[row];
        let behind = (first..).find(|number| !self.path(row, *number).exists()).unwrap_or(first);
        Ok(Extent { first, last: behind - 1 })
    }
}

/// First and last page of a row; without any, the last is before the first.
struct Extent {
    first: u64,
    last: u64,
}

/// The last message on a page.
fn last_of(page: Page) -> Option<Entry> {
    let (mut roll, mut last) = (Roll::of_page(page), None);
    while let Ok(Some(entry)) = roll.next_entry() {
        if entry.source.is_message() {
            last = Some(entry);
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
        let missing = file_name(TAPES[self.row], self.next);
        let files = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut names = files.filter_map(|file| file.file_name().into_string().ok());
        names.any(|name| {
            name.starts_with(TAPES[self.row])
                && name.len() == missing.len()
                && name > missing
                && name.ends_with(".page")
        })
    }
}

impl Pages for FolderPages {
    fn next_page(&mut self) -> Result<Option<Page>, String> {
        let path = self.folder.join(file_name(TAPES[self.row], self.next));
        if !path.exists() {
            return if self.goes_on() { Err(format!("{} is missing", path.display())) } else { Ok(None) };
        }
        let page = read_page(&path, Place { run: self.run, row: self.row, number: self.next })?;
        self.next += 1;
        Ok(Some(page))
    }
}
