//! The journal against every way of being cut short, changed, shared or full.

use super::page::{RECORD_BYTES, file_name};
use super::*;
use proptest::prelude::*;
use std::fs;
use std::os::unix::fs::PermissionsExt;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().expect("a folder"))
    }

    /// Made by the first who opens it.
    fn path(&self) -> PathBuf {
        self.0.path().join("journal")
    }

    fn open(&self, records_per_page: u64, pages_kept: u64) -> Result<(PageStore, Found, Vec<Vec<u8>>), StoreError> {
        let mut seen = Vec::new();
        let mut visit = |number: u64, record: &[u8]| {
            assert_eq!(number, seen.first().map_or(number, |(first, _)| first + seen.len() as u64));
            seen.push((number, record.to_vec()));
        };
        let (store, found) = PageStore::open(&self.path(), Layout { records_per_page, pages_kept }, &mut visit)?;
        Ok((store, found, seen.into_iter().map(|(_, record)| record).collect()))
    }

    fn page(&self, sequence: u64) -> PathBuf {
        self.path().join(file_name(sequence))
    }

    fn change(&self, sequence: u64, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = fs::read(self.page(sequence)).expect("page");
        change(&mut bytes);
        fs::write(self.page(sequence), bytes).expect("written");
    }
}

fn record(number: u64) -> Vec<u8> {
    (0..number % (PAYLOAD_BYTES_MAX as u64 + 1)).map(|at| (number + at) as u8).collect()
}

#[test]
fn what_was_appended_is_there_again_across_pages_and_restarts() {
    let folder = Folder::new();
    let mut written = Vec::new();
    for run in 0..5u64 {
        let (mut store, found, seen) = folder.open(10, 100).expect("opens");
        assert_eq!(seen, written, "run {run}");
        assert_eq!((found.records, found.torn), (written.len() as u64, 0));
        assert_eq!(store.next_record(), written.len() as u64);
        for _ in 0..run * 7 {
            let next = record(written.len() as u64 * 31);
            store.append(&next);
            written.push(next);
        }
    }
    let mut seen = Vec::new();
    read_records(&folder.path(), &mut |_, record| seen.push(record.to_vec())).expect("readable");
    assert_eq!(seen, written);
}

#[test]
fn old_pages_go_and_the_newest_stay() {
    let folder = Folder::new();
    let (mut store, ..) = folder.open(4, 2).expect("opens");
    for number in 0..42 {
        store.append(&record(number));
    }
    drop(store);
    let (store, found, seen) = folder.open(4, 2).expect("opens");
    assert_eq!(store.next_record(), 42);
    // Two full pages, the one in use and its spare.
    assert_eq!(found.pages, 4);
    assert_eq!(seen, (32..42).map(record).collect::<Vec<_>>());
}

#[test]
fn a_second_instance_is_kept_out_and_told_by_whom() {
    let folder = Folder::new();
    let first = folder.open(4, 2).expect("opens");
    let error = folder.open(4, 2).map(|_| ()).expect_err("locked").to_string();
    assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
    drop(first);
    folder.open(4, 2).expect("free again");
}

#[test]
fn folders_and_pages_are_private_or_refused() {
    let folder = Folder::new();
    drop(folder.open(4, 2).expect("opens"));
    let mode = |path: &Path| fs::metadata(path).expect("there").mode() & 0o7777;
    assert_eq!((mode(&folder.path()), mode(&folder.page(1))), (0o700, 0o600));
    fs::set_permissions(folder.page(1), fs::Permissions::from_mode(0o644)).expect("mode");
    let error = folder.open(4, 2).map(|_| ()).expect_err("page exposed").to_string();
    assert!(error.contains("0644") && error.contains(".page"), "{error}");
    fs::set_permissions(folder.page(1), fs::Permissions::from_mode(0o600)).expect("mode");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o750)).expect("mode");
    let error = folder.open(4, 2).map(|_| ()).expect_err("folder exposed").to_string();
    assert!(error.contains("0750") && error.contains("0700"), "{error}");
}

#[test]
fn what_is_no_page_is_refused_by_name() {
    type Change = fn(&mut Vec<u8>);
    for (what, change) in [
        ("too short", (|bytes| bytes.truncate(100)) as Change),
        ("not a journal page", |bytes| bytes[0] = b'X'),
        ("header is damaged", |bytes| bytes[33] ^= 1),
        ("length", |bytes| bytes.truncate(RECORD_BYTES * 3)),
        ("length", |bytes| bytes.push(0)),
    ] {
        let folder = Folder::new();
        drop(folder.open(4, 2).expect("opens"));
        folder.change(1, change);
        let error = folder.open(4, 2).map(|_| ()).expect_err(what).to_string();
        assert!(error.contains(what) && error.contains("000000000001.page"), "{what}: {error}");
    }
    let folder = Folder::new();
    let (mut store, ..) = folder.open(2, 9).expect("opens");
    (0..7).for_each(|number| store.append(&record(number)));
    drop(store);
    fs::remove_file(folder.page(2)).expect("removed");
    let error = folder.open(2, 9).map(|_| ()).expect_err("a gap").to_string();
    assert!(error.contains("missing"), "{error}");
    fs::copy(folder.page(3), folder.page(2)).expect("copied");
    let error = folder.open(2, 9).map(|_| ()).expect_err("a copy").to_string();
    assert!(error.contains("name"), "{error}");
}

#[test]
fn a_half_made_page_of_a_crash_is_replaced() {
    let folder = Folder::new();
    drop(folder.open(4, 2).expect("opens"));
    fs::write(folder.page(3).with_extension("new"), b"half").expect("written");
    let (mut store, ..) = folder.open(4, 2).expect("opens");
    (0..20).for_each(|number| store.append(&record(number)));
    drop(store);
    assert_eq!(folder.open(4, 2).expect("opens").0.next_record(), 20);
}

#[test]
fn a_full_disk_is_told_before_it_hurts() {
    let folder = Folder::new();
    let (mut store, ..) = folder.open(4, 2).expect("opens");
    (0..4).for_each(|number| store.append(&record(number)));
    // The page after next cannot be made: its name is taken by a folder.
    fs::create_dir_all(folder.page(3).join("in the way")).expect("made");
    (4..8).for_each(|number| store.append(&record(number)));
    let error = loop {
        match store.room() {
            Ok(left) => assert!(left < 4, "still {left} records of room"),
            Err(error) => break error.to_string(),
        }
        thread::yield_now();
    };
    assert!(error.contains("000000000003"), "{error}");
}

#[test]
fn the_last_records_are_kept_back_once_no_page_follows() {
    let folder = Folder::new();
    let (mut store, ..) = folder.open(128, 2).expect("opens");
    fs::create_dir_all(folder.page(3).join("in the way")).expect("made");
    (0..255 - 2).for_each(|number| store.append(&record(number)));
    assert!(store.has_room(), "three are free, and two of them kept back");
    store.append(&record(253));
    while store.room().is_ok() {
        thread::yield_now();
    }
    assert!(!store.has_room());
    (254..256).for_each(|number| store.append(&record(number)));
    assert_eq!((store.has_room(), store.next_record()), (false, 256));
}

#[test]
fn a_disk_that_was_full_for_a_moment_ends_nothing() {
    let folder = Folder::new();
    let (mut store, ..) = folder.open(128, 9).expect("opens");
    let blocked = folder.page(3);
    fs::create_dir_all(blocked.join("in the way")).expect("made");
    // The second page is begun, and the third cannot be made.
    (0..129).for_each(|number| store.append(&record(number)));
    while store.room().is_ok() {
        thread::yield_now();
    }
    fs::remove_dir_all(&blocked).expect("removed");
    // It is made without anybody asking, and no error of before stands in its way.
    while !blocked.exists() {
        thread::yield_now();
    }
    (129..255).for_each(|number| store.append(&record(number)));
    while !store.has_room() {
        thread::yield_now();
    }
    (255..600).for_each(|number| store.append(&record(number)));
    drop(store);
    let (_, found, seen) = folder.open(128, 9).expect("opens");
    assert_eq!((found.records, seen), (600, (0..600).map(record).collect::<Vec<_>>()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// A last record cut at any byte is dropped whole, whatever of it reached the disk.
    #[test]
    fn a_torn_tail_is_dropped(count in 1u64..9, kept in 0usize..RECORD_BYTES, word_first in any::<bool>()) {
        let folder = Folder::new();
        let (mut store, ..) = folder.open(5, 9).expect("opens");
        let full = |number: u64| vec![number as u8 + 1; PAYLOAD_BYTES_MAX];
        (0..count).for_each(|number| store.append(&full(number)));
        drop(store);
        let (sequence, slot) = ((count - 1) / 5 + 1, ((count - 1) % 5) as usize);
        let at = (slot + 1) * RECORD_BYTES;
        folder.change(sequence, |bytes| match word_first {
            true => bytes[at + kept..at + RECORD_BYTES].fill(0),
            false => bytes[at..at + kept].fill(0),
        });
        let (mut store, found, seen) = folder.open(5, 9).expect("opens");
        let whole = if word_first { false } else { kept == 0 };
        let left = if whole { count } else { count - 1 };
        prop_assert_eq!(found.records, left);
        prop_assert_eq!(seen.len() as u64, left);
        store.append(b"after");
        drop(store);
        let (_, found, seen) = folder.open(5, 9).expect("opens");
        prop_assert_eq!((found.records, found.torn), (left + 1, 0));
        prop_assert_eq!(seen.last().map(Vec::as_slice), Some(&b"after"[..]));
    }

    /// One changed bit anywhere: the record is refused by place if others follow, dropped if it was the last, or the
    /// bit was in bytes no record uses.
    #[test]
    fn one_flipped_bit_is_never_read_as_a_record(count in 1u64..9, at in 0usize..6 * RECORD_BYTES, bit in 0u8..8) {
        let folder = Folder::new();
        let (mut store, ..) = folder.open(5, 9).expect("opens");
        (0..count).for_each(|number| store.append(&record(number + 40)));
        drop(store);
        folder.change(1, |bytes| bytes[at] ^= 1 << bit);
        let truth: Vec<_> = (0..count).map(|number| record(number + 40)).collect();
        match folder.open(5, 9) {
            Ok((_, found, seen)) => {
                prop_assert!(seen == truth || (seen == truth[..truth.len() - 1] && found.torn == 1));
            }
            Err(StoreError::Corrupt { record, .. }) => prop_assert!(record + 1 < count),
            Err(StoreError::Foreign { .. }) => prop_assert!(at < RECORD_BYTES),
            Err(other) => return Err(TestCaseError::fail(other.to_string())),
        }
    }
}

/// A device that holds nothing: the system refuses to sync it.
fn unsyncable() -> std::sync::Arc<fs::File> {
    std::sync::Arc::new(fs::File::open("/dev/null").expect("it is always there"))
}

fn waits_for(mut what: impl FnMut() -> bool) -> bool {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while std::time::Instant::now() < end {
        if what() {
            return true;
        }
        std::thread::yield_now();
    }
    false
}

#[test]
fn a_sync_that_fails_takes_the_room_away_for_good() {
    let folder = Folder::new();
    let (mut store, ..) = folder.open(1_000, 2).expect("opens");
    store.append(&record(1));
    assert!(store.has_room());
    store.durability.enlist_file(u64::MAX, Path::new("/dev/null"), unsyncable());
    assert!(store.has_room(), "nothing was appended that it could lose");
    store.append(&record(2));
    assert!(waits_for(|| !store.has_room()));
    let why = store.room().expect_err("lost").to_string();
    assert!(why.starts_with("cannot sync the journal's page /dev/null: "), "{why}");
    // A disk that is well again does not bring back what it has lost; what is appended all the same is kept as far as it can be.
    for number in 3..2_500 {
        store.append(&record(number));
    }
    assert!(!store.has_room());
    drop(store);
    let (mut store, _, seen) = folder.open(1_000, 2).expect("opens");
    assert_eq!((seen.last(), store.has_room()), (Some(&record(2_499)), true), "a restart looks anew");
}
