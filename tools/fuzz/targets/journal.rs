//! A journal page with any bytes changed, and any bytes as a page: what is shown was written, in its order, and nothing is
//! shown as sound that lies behind damage.
//!
//! Input: changes of five bytes each, a place and what is xored into it; then, behind a `0xff`, what to look at as a page.
#![no_main]

use keel::engine::journal::{RECORD, Replay};
use keel::engine::ports::Store;
use keel::io::store::page::file_name;
use keel::io::store::{Layout, PageStore, StoreError, read_records, salvage};
use keel::ops::journal::fold;
use libfuzzer_sys::fuzz_target;
use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Records of a page, and how many of them are written.
const LAYOUT: Layout = Layout { records_per_page: 6, pages_kept: 4 };
const WRITTEN: u8 = 5;

fn record(number: u8) -> Vec<u8> {
    let mut record = [number; RECORD];
    // An order of the first version; its words are whatever they are.
    record[0] = 0xA1;
    record.to_vec()
}

/// A folder in memory where there is one, and a sound page.
fn stage() -> &'static (PathBuf, Vec<u8>) {
    static STAGE: OnceLock<(PathBuf, Vec<u8>)> = OnceLock::new();
    STAGE.get_or_init(|| {
        let memory = Path::new("/dev/shm");
        let home = if memory.is_dir() { memory.to_path_buf() } else { std::env::temp_dir() };
        let folder = home.join(format!("keel-fuzz-journal-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        let (mut store, _) = PageStore::open(&folder, LAYOUT, &mut |_, _| ()).expect("a journal");
        (0..WRITTEN).for_each(|number| store.append(&record(number)));
        drop(store);
        let sound = fs::read(folder.join(file_name(1))).expect("its page");
        for entry in fs::read_dir(&folder).expect("listed").flatten() {
            fs::remove_file(entry.path()).expect("removed");
        }
        (folder, sound)
    })
}

fn put(folder: &Path, page: &[u8]) {
    let path = folder.join(file_name(1));
    let _ = fs::remove_file(&path);
    let mut options = fs::OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    std::io::Write::write_all(&mut file.expect("a new file"), page).expect("written");
}

fn changed(folder: &Path, sound: &[u8], changes: &[[u8; 5]]) {
    let mut page = sound.to_vec();
    for [a, b, c, d, bits] in changes {
        let place = u32::from_le_bytes([*a, *b, *c, *d]) as usize % page.len();
        page[place] ^= bits;
    }
    put(folder, &page);
    let mut shown = Vec::new();
    let outcome = read_records(folder, &mut |number, bytes| shown.push((number, bytes.to_vec())));
    for (place, (number, bytes)) in (0u8..).zip(&shown) {
        assert_eq!((*number, bytes), (u64::from(place), &record(place)), "shown as written");
    }
    let whole = page == sound;
    match outcome {
        Ok(found) => {
            assert_eq!(found.records, shown.len() as u64);
            assert!(!whole || shown.len() == usize::from(WRITTEN));
        }
        Err(why) => assert!(!whole, "{why}"),
    }
    let mut saved = 0;
    // What is saved of a damaged one is never what was not written.
    let _ = salvage(folder, &mut |bytes| {
        assert!((0..WRITTEN).any(|number| bytes == record(number)));
        saved += 1;
    });
    assert!(saved >= shown.len() || matches!(read_records(folder, &mut |_, _| ()), Err(StoreError::Io { .. })));
}

fuzz_target!(|input: &[u8]| {
    let (folder, sound) = stage();
    let split = input.iter().position(|byte| *byte == 0xff).unwrap_or(input.len());
    let (changes, rest) = input.split_at(split);
    changed(folder, sound, changes.as_chunks::<5>().0);
    let rest = rest.get(1..).unwrap_or_default();
    put(folder, rest);
    let mut replay = Replay::default();
    let _ = read_records(folder, &mut |_, bytes| replay.visit(bytes));
    rest.chunks(RECORD).for_each(|bytes| replay.visit(bytes));
    let _ = fold(rest);
});
