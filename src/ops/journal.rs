//! The signer's journal as a start finds it: taken, with a new switch in its folder before anything else, folded, and
//! refused if it tells of what cannot be.

use crate::base::time::Nanos;
use crate::derive::dialect::NonceUnit;
use crate::derive::seal::envelope::NONCE_AHEAD_NS_MAX;
use crate::engine::journal::Replay;
use crate::engine::ports::Store;
use crate::engine::switch::Switch;
use crate::io::lockdown::Filter;
use crate::io::store::{Layout, Lock, PageStore, StoreError, salvage};
use crate::io::switch;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// Journal pages: 65 536 orders a page, eight pages kept.
pub const JOURNAL: Layout = Layout { records_per_page: 65_536, pages_kept: 8 };

/// Folder of the journal that stands in for a damaged one, inside its folder.
const SALVAGE: &str = "salvage";

/// A journal that can be written to.
pub struct Journal {
    /// Its pages.
    pub store: PageStore,
    /// What they tell.
    pub replay: Replay,
    /// What stops whoever writes to it.
    pub switch: Switch,
    /// What it held, each record behind its length (u16, little endian): what a replay of this run starts from.
    pub records: Vec<u8>,
    /// Why nothing may be traded on it, if so: it stands in for the folder's own, which is damaged, or the last run's tapes
    /// tell otherwise.
    pub damage: Option<String>,
}

impl Journal {
    /// Appends what it had lost, and knows it again.
    ///
    /// # Errors
    /// That tells of what cannot be; in words. Nothing is appended then.
    pub fn regain(&mut self, missing: &[Vec<u8>], unit: NonceUnit, now: Nanos) -> Result<(), String> {
        let mut replay = self.replay.clone();
        missing.iter().for_each(|record| replay.visit(record));
        judge(&replay, unit, now)?;
        for record in missing {
            self.store.append(record);
            self.records.extend((record.len() as u16).to_le_bytes());
            self.records.extend_from_slice(record);
        }
        self.replay = replay;
        Ok(())
    }
}

/// Where what is sound in a state folder's damaged journal goes.
pub fn salvage_folder(folder: &Path) -> PathBuf {
    folder.join(SALVAGE)
}

/// Opens the folder's journal at moment `now`, for this process to write to or to hand over. A damaged one stays as it
/// is: what is sound in it goes to a journal beside it, until a person has looked and moved one of the two away.
///
/// # Errors
/// File and reason, in words.
pub fn open(folder: &Path, unit: NonceUnit, now: Nanos) -> Result<Journal, String> {
    // Whoever finds the folder taken finds the switch of the run that took it, not of one before.
    read(folder, switch::create, (unit, now), None)
}

/// Takes over the journal that the engine has opened and given back, with the engine's switch: one that was thrown
/// meanwhile stays thrown. Its keeper is left no system calls but those of its duty.
///
/// # Errors
/// File and reason, in words.
pub fn take_over(folder: &Path, unit: NonceUnit, now: Nanos) -> Result<Journal, String> {
    read(folder, switch::open, (unit, now), Some(Filter::Keeping))
}

fn words(why: StoreError) -> String {
    why.to_string()
}

/// What is learnt of a journal while it is read.
#[derive(Default)]
struct Learnt {
    replay: Replay,
    records: Vec<u8>,
}

impl Learnt {
    fn visit(&mut self, record: &[u8]) {
        self.replay.visit(record);
        self.records.extend((record.len() as u16).to_le_bytes());
        self.records.extend_from_slice(record);
    }
}

/// Folds the records that [`Journal::records`] holds.
pub fn fold(mut records: &[u8]) -> Option<Replay> {
    let mut replay = Replay::default();
    while let Some((length, rest)) = records.split_first_chunk::<2>() {
        let length = usize::from(u16::from_le_bytes(*length));
        replay.visit(rest.get(..length)?);
        records = &rest[length..];
    }
    records.is_empty().then_some(replay)
}

fn read(
    folder: &Path,
    switch: fn(&Path) -> Result<Switch, String>,
    (unit, now): (NonceUnit, Nanos),
    filter: Option<Filter>,
) -> Result<Journal, String> {
    let lock = Lock::take(folder).map_err(words)?;
    let mut held = switch(folder)?;
    let mut learnt = Learnt::default();
    let opened = PageStore::open_under(lock, JOURNAL, &mut |_, record| learnt.visit(record), filter);
    let (store, damage) = match opened {
        Ok((store, _)) => (store, None),
        Err(why @ StoreError::Corrupt { .. }) => {
            // Nobody else runs on the folder meanwhile, and its switch is still the one that is heard.
            let lock = Lock::take(folder).map_err(words)?;
            held = switch(folder)?;
            learnt = Learnt::default();
            (beside(folder, lock, &mut learnt, filter)?, Some(why.to_string()))
        }
        Err(why) => return Err(words(why)),
    };
    let Learnt { replay, records } = learnt;
    judge(&replay, unit, now)?;
    Ok(Journal { store, replay, switch: held, records, damage })
}

/// The journal that stands in for the folder's damaged one, begun with what is sound in that; it holds the folder too.
/// It is there whole or not at all: half a copy would give back names that have been used.
fn beside(folder: &Path, held: Lock, learnt: &mut Learnt, filter: Option<Filter>) -> Result<PageStore, String> {
    let home = salvage_folder(folder);
    if !home.exists() {
        copy_sound(folder, &home)?;
    }
    let lock = Lock::take(&home).map_err(words)?;
    let (mut store, _) =
        PageStore::open_under(lock, JOURNAL, &mut |_, record| learnt.visit(record), filter).map_err(words)?;
    store.hold(held);
    Ok(store)
}

/// Copies what is sound of a damaged journal to a folder, which has its name only once everything in it is on the disk.
fn copy_sound(folder: &Path, home: &Path) -> Result<(), String> {
    let begun = home.with_extension("new");
    let failed = |why: std::io::Error| format!("cannot copy the damaged journal to {}: {why}", begun.display());
    // What a copy that was cut short has left.
    if begun.exists() {
        fs::remove_dir_all(&begun).map_err(failed)?;
    }
    let (mut store, _) = PageStore::open(&begun, JOURNAL, &mut |_, _| {}).map_err(words)?;
    salvage(folder, &mut |record| store.append(record)).map_err(words)?;
    drop(store);
    let sync = |path: &Path| File::open(path).and_then(|file| file.sync_all());
    for entry in fs::read_dir(&begun).map_err(failed)? {
        sync(&entry.map_err(failed)?.path()).map_err(failed)?;
    }
    sync(&begun).and_then(|()| fs::rename(&begun, home)).and_then(|()| sync(folder)).map_err(failed)
}

fn judge(replay: &Replay, unit: NonceUnit, now: Nanos) -> Result<(), String> {
    if replay.unread() > 0 {
        let what = format!("{} records of the journal were written by a newer keel", replay.unread());
        return Err(format!("{what}: run that one, or start with an empty state.dir"));
    }
    if !unit.counts(replay.floor()) {
        return Err(
            "the journal holds nonces of the other generation of the protocol: each needs a state.dir of its own"
                .to_owned(),
        );
    }
    let ahead_ns = unit.moment(replay.floor()).since(now);
    if ahead_ns > NONCE_AHEAD_NS_MAX {
        let what =
            format!("the journal's last nonce lies {} s ahead of this host's clock", ahead_ns.div_ceil(1_000_000_000));
        return Err(format!(
            "{what}, at most 2 allowed: set the clock right, or have the key replaced and start with an empty state.dir"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::{InstrumentId, Nonce, Side, SubaccountId, VaultId};
    use crate::base::num::{Amount, Cash, Price};
    use crate::base::time::SEC;
    use crate::engine::journal::{Charged, OrderRecord};
    use crate::io::store::read_records;

    const NOW: Nanos = Nanos(1_800_000_000 * SEC);

    fn record(nonce: u64) -> OrderRecord {
        OrderRecord {
            at: NOW,
            nonce: Nonce(nonce),
            replaces: Nonce(0),
            vault: VaultId(0),
            subaccount: SubaccountId(7),
            instrument: InstrumentId(1),
            side: Side::Buy,
            price: Price::ONE,
            amount: Amount::ONE,
            expires_s: 1_800_000_300,
            charged: Charged::of(Cash::ONE),
            perp: false,
        }
    }

    fn replay(nonce: u64) -> Replay {
        let mut replay = Replay::default();
        replay.visit(&record(nonce).write());
        replay
    }

    fn write(folder: &Path, nonces: impl Iterator<Item = u64>) {
        let (mut store, _) = PageStore::open(folder, JOURNAL, &mut |_, _| {}).expect("opens");
        nonces.for_each(|nonce| store.append(&record(nonce).write()));
    }

    /// Name floor and records of what stands in for a damaged journal.
    fn stand_in(folder: &Path) -> Result<(u64, usize), String> {
        let journal = open(folder, NonceUnit::Nanos, NOW)?;
        assert!(journal.damage.is_some_and(|why| why.contains("record 1 is damaged")));
        let mut count = 0;
        read_records(&salvage_folder(folder), &mut |_, _| count += 1).expect("readable");
        Ok((journal.replay.floor().0, count))
    }

    #[test]
    fn half_a_copy_never_stands_in_for_a_damaged_journal() {
        let scratch = tempfile::tempdir().expect("a folder");
        let folder = scratch.path().join("journal");
        write(&folder, NOW.0..NOW.0 + 9);
        let page = folder.join("000000000001.page");
        let mut bytes = fs::read(&page).expect("a page");
        bytes[2 * 256 + 40] ^= 1;
        fs::write(&page, bytes).expect("written");
        // A copy that cannot be made leaves nothing that a later start could take for one.
        let begun = folder.join("salvage.new");
        fs::write(&begun, b"in the way").expect("written");
        assert!(stand_in(&folder).is_err_and(|why| why.contains("salvage.new")));
        assert!(!salvage_folder(&folder).exists());
        // One that was cut short is begun again.
        fs::remove_file(&begun).expect("removed");
        write(&begun, NOW.0..NOW.0 + 1);
        assert_eq!(stand_in(&folder), Ok((NOW.0 + 8, 8)));
        assert!(!begun.exists());
        // What is whole is gone on with.
        write(&salvage_folder(&folder), NOW.0 + 20..NOW.0 + 21);
        assert_eq!(stand_in(&folder), Ok((NOW.0 + 20, 9)));
    }

    #[test]
    fn a_floor_that_leaves_no_room_and_records_from_the_future_are_refused() {
        let judged = |replay: &Replay| judge(replay, NonceUnit::Nanos, NOW);
        assert_eq!(judged(&Replay::default()), Ok(()));
        assert_eq!(judged(&replay(NOW.0 + NONCE_AHEAD_NS_MAX)), Ok(()));
        for nonce in [NOW.0 + NONCE_AHEAD_NS_MAX + 1, 9_999_999_999_999_999_999] {
            assert!(judged(&replay(nonce)).is_err_and(|why| why.contains("ahead of this host's clock")), "{nonce}");
        }
        assert!(judged(&replay(u64::MAX)).is_err_and(|why| why.contains("other generation")));
        let mut newer = Replay::default();
        newer.visit(&[0xFE; 64]);
        assert!(judged(&newer).is_err_and(|why| why.contains("newer keel")));
    }
}
