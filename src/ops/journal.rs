//! The signer's journal as a start finds it: taken, with a new switch in its folder before anything else, folded, and
//! refused if it tells of what cannot be.

use crate::base::time::Nanos;
use crate::derive::dialect::NonceUnit;
use crate::derive::seal::envelope::NONCE_AHEAD_NS_MAX;
use crate::engine::journal::Replay;
use crate::engine::ports::Store;
use crate::engine::switch::Switch;
use crate::io::lockdown::Filter;
use crate::io::store::{Layout, Lock, PageStore, StoreError, read_records, salvage};
use crate::io::switch;
use std::path::{Path, PathBuf};

/// Journal pages: 65 536 orders a page, eight pages kept.
pub const JOURNAL: Layout = Layout { records_per_page: 65_536, pages_kept: 8 };

/// Folder of the journal that stands in for a damaged one.
const SALVAGE: &str = "salvage";

/// A journal that can be written to.
pub struct Journal {
    /// Its pages.
    pub store: PageStore,
    /// What they tell.
    pub replay: Replay,
    /// What stops whoever writes to it.
    pub switch: Switch,
}

/// Takes the folder's journal over at moment `now`; with a filter, its keeper is left no other system calls.
///
/// # Errors
/// File and reason, in words.
pub fn open(folder: &Path, unit: NonceUnit, now: Nanos, filter: Option<Filter>) -> Result<Journal, String> {
    let lock = Lock::take(folder).map_err(|why| why.to_string())?;
    // Whoever finds the folder taken finds the switch of the process that took it, not of one before.
    let switch = switch::create(folder)?;
    let mut replay = Replay::default();
    let mut visit = |_: u64, record: &[u8]| replay.visit(record);
    let (store, _) = PageStore::open_under(lock, JOURNAL, &mut visit, filter).map_err(|why| why.to_string())?;
    judge(&replay, unit, now)?;
    Ok(Journal { store, replay, switch })
}

/// A journal to start on.
pub struct Found {
    /// The journal.
    pub journal: Journal,
    /// Where it lies.
    pub folder: PathBuf,
    /// What it held, each record behind its length (u16, little endian): what a replay of this run starts from.
    pub records: Vec<u8>,
    /// Why nothing may be traded on it, if so.
    pub damage: Option<String>,
    /// Keeps others off the damaged one.
    pub held: Option<Lock>,
}

/// The same, also if the journal is damaged in its middle. Then it stays as it is, and what is sound in it goes to a
/// journal beside it, on which every vault must be drained, until a person has looked and moved one of the two away.
///
/// # Errors
/// File and reason, in words.
pub fn open_or_salvage(folder: &Path, unit: NonceUnit, now: Nanos) -> Result<Found, String> {
    let words = |why: StoreError| why.to_string();
    let (journal, folder, damage, held) = match open(folder, unit, now, None) {
        Ok(journal) => (journal, folder.to_path_buf(), None, None),
        Err(why) => {
            let Err(damage @ StoreError::Corrupt { .. }) = read_records(folder, &mut |_, _| ()) else {
                return Err(why);
            };
            let held = Lock::take(folder).map_err(words)?;
            let beside = folder.join(SALVAGE);
            let mut known = false;
            let (mut store, _) = PageStore::open(&beside, JOURNAL, &mut |_, _| known = true).map_err(words)?;
            if !known {
                salvage(folder, &mut |record| store.append(record)).map_err(words)?;
            }
            drop(store);
            (open(&beside, unit, now, None)?, beside, Some(damage.to_string()), Some(held))
        }
    };
    let mut records = Vec::new();
    let mut copy = |_: u64, record: &[u8]| {
        records.extend((record.len() as u16).to_le_bytes());
        records.extend_from_slice(record);
    };
    read_records(&folder, &mut copy).map_err(words)?;
    Ok(Found { journal, folder, records, damage, held })
}

/// Folds records that [`open_or_salvage`] copied.
pub fn fold(mut records: &[u8]) -> Option<Replay> {
    let mut replay = Replay::default();
    while let Some((length, rest)) = records.split_first_chunk::<2>() {
        let length = usize::from(u16::from_le_bytes(*length));
        replay.visit(rest.get(..length)?);
        records = &rest[length..];
    }
    records.is_empty().then_some(replay)
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

    const NOW: Nanos = Nanos(1_800_000_000 * SEC);

    fn replay(nonce: u64) -> Replay {
        let record = OrderRecord {
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
        };
        let mut replay = Replay::default();
        replay.visit(&record.write());
        replay
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
