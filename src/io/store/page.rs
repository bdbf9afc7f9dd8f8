//! One journal file: a header and a fixed number of 256-byte records, mapped into memory.
//!
//! ```text
//! header   magic "KEELPAGE" · version u32 · record bytes u32 · sequence u64 · first record u64 · records u64 · crc u32
//! record   word u32 (0: free, else 0x4b450000 + length) · crc u32 · payload up to 248 bytes
//! ```
//! All little-endian. The word is stored last, with release order: a record is either published whole or not at
//! all, whenever the process dies. The checksum (CRC-32) starts from the record's number, so that an old block
//! coming back, or a record in a wrong place, does not pass.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::StoreError;
use crate::io::map::Map;

/// Bytes of a record, word and checksum included.
pub const RECORD_BYTES: usize = 256;
/// Longest payload of a record.
pub const PAYLOAD_BYTES_MAX: usize = RECORD_BYTES - 8;

const MAGIC: &[u8; 8] = b"KEELPAGE";
const VERSION: u32 = 1;
const HEADER_BYTES: usize = 44;
const PUBLISHED: u32 = 0x4b45_0000;

/// Which records a page holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The page's own number.
    pub sequence: u64,
    /// Number of its first record, counted over all pages.
    pub first_record: u64,
    /// Records it has room for.
    pub records: u64,
}

/// What lies in a record's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot<'a> {
    /// Nothing was published.
    Free,
    /// A published record.
    Valid(&'a [u8]),
    /// Something that was not written whole, or was changed since.
    Broken,
}

/// A mapped page.
pub struct Page {
    map: Map,
    extent: Extent,
    path: PathBuf,
}

impl Page {
    /// Makes an empty page with all its disk space taken and all its memory present. It appears under its name
    /// only when complete, so a crash in between leaves no half page.
    pub fn create(folder: &Path, extent: Extent) -> Result<Page, StoreError> {
        let path = folder.join(file_name(extent.sequence));
        let unready = path.with_extension("new");
        let failed = |doing| StoreError::io(&unready, doing);
        let _ = fs::remove_file(&unready);
        let bytes = page_bytes(extent.records).ok_or_else(|| StoreError::foreign(&unready, "its size overflows"))?;
        let map = Map::create(&unready, bytes).map_err(|(doing, cause)| failed(doing)(cause))?;
        let mut page = Page { map, extent, path };
        page.populate();
        page.map.bytes_mut(0, HEADER_BYTES).copy_from_slice(&header(extent));
        page.file().sync_all().map_err(failed("sync"))?;
        fs::rename(&unready, &page.path).map_err(failed("rename"))?;
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(StoreError::io(folder, "sync"))?;
        Ok(page)
    }

    /// Opens an existing page and checks that it is one, and the one its name says.
    pub fn open(path: &Path) -> Result<Page, StoreError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).custom_flags(libc::O_NOFOLLOW);
        let file = options.open(path).map_err(StoreError::io(path, "open"))?;
        let facts = file.metadata().map_err(StoreError::io(path, "examine"))?;
        if facts.mode() & 0o077 != 0 {
            return Err(StoreError::Exposed { path: path.to_path_buf(), mode: facts.mode() & 0o7777, allowed: 0o600 });
        }
        let bytes = facts.len() as usize;
        if !facts.is_file() || bytes < RECORD_BYTES {
            return Err(StoreError::foreign(path, "too short to hold a header"));
        }
        let map = Map::over(file, bytes).map_err(|(doing, cause)| StoreError::io(path, doing)(cause))?;
        let extent = read_header(map.bytes(0, HEADER_BYTES)).map_err(|why| StoreError::foreign(path, why))?;
        let page = Page { map, extent, path: path.to_path_buf() };
        let Extent { sequence, first_record, records } = page.extent;
        if page_bytes(records) != Some(bytes) || sequence > 1 << 40 || first_record > 1 << 60 {
            return Err(StoreError::foreign(path, "its length is not what its header says"));
        }
        if path.file_name() != Some(file_name(page.extent.sequence).as_ref()) {
            return Err(StoreError::foreign(path, "its name is not what its header says"));
        }
        Ok(page)
    }

    /// Which records it holds.
    pub fn extent(&self) -> Extent {
        self.extent
    }

    /// The file, to be synced by others.
    pub fn file(&self) -> Arc<File> {
        self.map.file()
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Brings every byte into memory, writable, so that appending never waits for a fault.
    pub fn populate(&mut self) {
        self.map.populate();
    }

    /// Publishes a record in a free slot.
    pub fn write(&mut self, slot: u64, payload: &[u8]) {
        let crc = checksum(self.extent.first_record + slot, payload);
        let place = self.slot_mut(slot);
        place[8..8 + payload.len()].copy_from_slice(payload);
        place[4..8].copy_from_slice(&crc.to_le_bytes());
        let word = (PUBLISHED | payload.len() as u32).to_le();
        // SAFETY: the place is 256-byte aligned inside a page-aligned mapping, live and ours alone.
        unsafe { AtomicU32::from_ptr(place.as_mut_ptr().cast()) }.store(word, Ordering::Release);
    }

    /// What lies in a slot.
    pub fn read(&self, slot: u64) -> Slot<'_> {
        let place = self.map.bytes((slot as usize + 1) * RECORD_BYTES, RECORD_BYTES);
        let word = u32_at(place, 0);
        let length = (word & 0xffff) as usize;
        if word == 0 {
            return Slot::Free;
        }
        if word & 0xffff_0000 != PUBLISHED || length > PAYLOAD_BYTES_MAX {
            return Slot::Broken;
        }
        let payload = &place[8..8 + length];
        if u32_at(place, 4) == checksum(self.extent.first_record + slot, payload) {
            Slot::Valid(payload)
        } else {
            Slot::Broken
        }
    }

    /// Makes a slot free again.
    pub fn erase(&mut self, slot: u64) {
        self.slot_mut(slot).fill(0);
    }

    fn slot_mut(&mut self, slot: u64) -> &mut [u8] {
        self.map.bytes_mut((slot as usize + 1) * RECORD_BYTES, RECORD_BYTES)
    }
}

/// The name of a page's file; names sort as pages follow.
pub fn file_name(sequence: u64) -> String {
    format!("{sequence:012}.page")
}

fn page_bytes(records: u64) -> Option<usize> {
    usize::try_from(records).ok()?.checked_add(1)?.checked_mul(RECORD_BYTES).filter(|bytes| *bytes <= i64::MAX as usize)
}

fn checksum(number: u64, payload: &[u8]) -> u32 {
    let start = (number ^ (number >> 32)) as u32 ^ (payload.len() as u32) << 24;
    let mut crc = crc32fast::Hasher::new_with_initial(start);
    crc.update(payload);
    crc.finalize()
}

fn header(extent: Extent) -> [u8; HEADER_BYTES] {
    let mut out = [0u8; HEADER_BYTES];
    out[..8].copy_from_slice(MAGIC);
    out[8..12].copy_from_slice(&VERSION.to_le_bytes());
    out[12..16].copy_from_slice(&(RECORD_BYTES as u32).to_le_bytes());
    out[16..24].copy_from_slice(&extent.sequence.to_le_bytes());
    out[24..32].copy_from_slice(&extent.first_record.to_le_bytes());
    out[32..40].copy_from_slice(&extent.records.to_le_bytes());
    let crc = crc32fast::hash(&out[..40]);
    out[40..44].copy_from_slice(&crc.to_le_bytes());
    out
}

fn read_header(bytes: &[u8]) -> Result<Extent, &'static str> {
    if &bytes[..8] != MAGIC {
        return Err("not a journal page");
    }
    if u32_at(bytes, 40) != crc32fast::hash(&bytes[..40]) {
        return Err("its header is damaged");
    }
    if (u32_at(bytes, 8), u32_at(bytes, 12)) != (VERSION, RECORD_BYTES as u32) {
        return Err("written by another version");
    }
    Ok(Extent { sequence: u64_at(bytes, 16), first_record: u64_at(bytes, 24), records: u64_at(bytes, 32) })
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0u8; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
