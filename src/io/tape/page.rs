//! One page of a tape on disk: a head of 64 bytes, then entries.
//!
//! ```text
//! head   magic "KEELTAPE" · version u32 · row u32 · run u64 · number u64 · crc u32 over these · chain u32 · after u64 · zeros
//! ```
//! Little-endian. Chain and after are the check and the moment of the last entry of the page before, stored when the page
//! is taken into use: a reader holds them against that entry.

use crate::base::time::Nanos;
use crate::engine::tape::{Page, VERSION};
use crate::io::map::{Map, MapError};
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// Bytes of a page's head.
pub const HEAD_BYTES: usize = 64;
const MAGIC: &[u8; 8] = b"KEELTAPE";
const CRC_AT: usize = 32;
const CHAIN_AT: usize = 36;
const AFTER_AT: usize = 40;
const HEAD_END: usize = 48;

/// Which page of which row of which run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Run.
    pub run: u64,
    /// Actor's place in the pipeline.
    pub row: usize,
    /// Page, from one.
    pub number: u64,
}

/// A page being written.
pub struct PageFile {
    map: Map,
    place: Place,
}

/// The name of a page's file.
pub fn file_name(actor: &str, number: u64) -> String {
    format!("{actor}-{number:06}.page")
}

fn head(place: Place) -> [u8; HEAD_BYTES] {
    let mut head = [0; HEAD_BYTES];
    head[..8].copy_from_slice(MAGIC);
    head[8..12].copy_from_slice(&VERSION.to_le_bytes());
    head[12..16].copy_from_slice(&(place.row as u32).to_le_bytes());
    head[16..24].copy_from_slice(&place.run.to_le_bytes());
    head[24..32].copy_from_slice(&place.number.to_le_bytes());
    let crc = crc32fast::hash(&head[..CRC_AT]);
    head[CRC_AT..CHAIN_AT].copy_from_slice(&crc.to_le_bytes());
    head
}

impl PageFile {
    /// Makes an empty page; it appears under its name only when whole.
    ///
    /// # Errors
    /// What was tried, and what the system said.
    pub fn create(path: &Path, place: Place, bytes: usize) -> Result<PageFile, MapError> {
        let unready = path.with_extension("new");
        let _ = fs::remove_file(&unready);
        let mut map = Map::create(&unready, bytes)?;
        map.populate();
        map.bytes_mut(0, HEAD_BYTES).copy_from_slice(&head(place));
        fs::rename(&unready, path).map_err(|cause| ("rename", cause))?;
        Ok(PageFile { map, place })
    }

    /// Its number.
    pub fn number(&self) -> u64 {
        self.place.number
    }

    /// The file, to be synced by others.
    pub fn file(&self) -> Arc<File> {
        self.map.file()
    }

    /// Takes it into use behind an entry with this check and moment.
    pub fn begin(&mut self, chain: u32, after: Nanos) {
        self.map.bytes_mut(CHAIN_AT, 4).copy_from_slice(&chain.to_le_bytes());
        self.map.bytes_mut(AFTER_AT, 8).copy_from_slice(&after.0.to_le_bytes());
    }

    /// Bytes left behind those used.
    pub fn room(&self, used: usize) -> usize {
        self.map.len() - HEAD_BYTES - used
    }

    /// Puts an entry behind those used; its code, which publishes it, last.
    pub fn put(&mut self, used: usize, code: u8, parts: &[&[u8]]) {
        let length = parts.iter().map(|part| part.len()).sum::<usize>();
        let place = self.map.bytes_mut(HEAD_BYTES + used, 1 + length);
        let mut at = 1;
        for part in parts {
            place[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
        // SAFETY: one byte inside the mapping, live and ours alone.
        unsafe { AtomicU8::from_ptr(place.as_mut_ptr()) }.store(code, Ordering::Release);
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

/// Reads a page and checks that it is the one expected.
///
/// # Errors
/// Why it is not, in words.
pub fn read_page(path: &Path, place: Place) -> Result<Page, String> {
    let wrong = |why: &str| format!("{}: {why}", path.display());
    let mut bytes = fs::read(path).map_err(|cause| wrong(&cause.to_string()))?;
    if bytes.len() < HEAD_BYTES || bytes[..8] != *MAGIC {
        return Err(wrong("not a page of a tape"));
    }
    let version = u32_at(&bytes, 8);
    if crc32fast::hash(&bytes[..CRC_AT]) != u32_at(&bytes, CRC_AT) {
        return Err(wrong("its head is damaged"));
    }
    if version != VERSION {
        return Err(wrong(&format!("written in version {version} of the tape; this program reads {VERSION}")));
    }
    let expected = head(place);
    if bytes[..CHAIN_AT] != expected[..CHAIN_AT] {
        return Err(wrong("a page of another tape, or in the wrong place"));
    }
    if bytes[HEAD_END..HEAD_BYTES].iter().any(|byte| *byte != 0) {
        return Err(wrong("its head is damaged"));
    }
    let (chain, low, high) = (u32_at(&bytes, CHAIN_AT), u32_at(&bytes, AFTER_AT), u32_at(&bytes, AFTER_AT + 4));
    bytes.drain(..HEAD_BYTES);
    Ok(Page { number: place.number, chain, after: Nanos(u64::from(low) | u64::from(high) << 32), bytes })
}
