//! Names on the wire to small ids, in tables of fixed size that change in place as instruments come and go.

use std::fmt;
use std::hash::{Hash, Hasher};

use crate::base::ids::{InstrumentId, Name};
use crate::market::instrument::Listing;
use crate::msg::CurrencyId;

/// Instruments known at once: what is traded, and every option of some weeks.
pub const INSTRUMENTS_MAX: usize = 1024;

/// A table or place that cannot take one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom;

impl fmt::Display for NoRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no place for another name: at most {INSTRUMENTS_MAX} instruments can be known at once")
    }
}

impl std::error::Error for NoRoom {}

/// One name with its value.
#[derive(Clone, Copy, Debug)]
struct Slot<T> {
    bytes: [u8; Name::LEN_MAX],
    len: u8,
    value: T,
}

impl<T> Slot<T> {
    #[inline]
    fn name(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// An open-addressed table from names to values. Its size never changes; a removal leaves no gap behind.
#[derive(Clone, Debug)]
pub struct NameTable<T> {
    slots: Box<[Option<Slot<T>>]>,
    len: usize,
}

impl<T: Hash> Hash for NameTable<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.len.hash(state);
        self.slots.iter().flatten().for_each(|slot| (slot.name(), &slot.value).hash(state));
    }
}

impl<T: Copy> NameTable<T> {
    /// An empty table for up to `names`.
    pub fn with_capacity(names: usize) -> NameTable<T> {
        let size = (names * 2).next_power_of_two().max(8);
        NameTable { slots: vec![None; size].into(), len: 0 }
    }

    /// A table of just these names; of equal ones the first counts. Names longer than [`Name::LEN_MAX`] are none of the
    /// venue's and are left out.
    pub fn new<'n>(names: impl IntoIterator<Item = (&'n str, T)>) -> NameTable<T> {
        let names: Vec<_> = names.into_iter().collect();
        let mut table = NameTable::with_capacity(names.len());
        for (name, value) in names {
            if table.get(name.as_bytes()).is_none() {
                let _ = table.insert(name.as_bytes(), value);
            }
        }
        table
    }

    /// The value of a name, if known.
    #[inline]
    pub fn get(&self, name: &[u8]) -> Option<T> {
        let mask = self.slots.len() - 1;
        let mut at = spread(name) & mask;
        // Half full at most, so an empty slot always ends the walk.
        while let Some(slot) = &self.slots[at] {
            if slot.name() == name {
                return Some(slot.value);
            }
            at = (at + 1) & mask;
        }
        None
    }

    /// Sets the value of a name. Takes no memory; refuses a name that is too long or one more than fits.
    pub fn insert(&mut self, name: &[u8], value: T) -> Result<(), NoRoom> {
        if name.len() > Name::LEN_MAX {
            return Err(NoRoom);
        }
        let at = self.place(name);
        if let Some(slot) = &mut self.slots[at] {
            slot.value = value;
            return Ok(());
        }
        if (self.len + 1) * 2 > self.slots.len() {
            return Err(NoRoom);
        }
        let mut bytes = [0; Name::LEN_MAX];
        bytes[..name.len()].copy_from_slice(name);
        self.slots[at] = Some(Slot { bytes, len: name.len() as u8, value });
        self.len += 1;
        Ok(())
    }

    /// Forgets a name; what was pushed on by it moves back, so that every walk stays short.
    pub fn remove(&mut self, name: &[u8]) -> Option<T> {
        let mask = self.slots.len() - 1;
        let mut gap = self.place(name);
        let removed = self.slots[gap].take()?;
        self.len -= 1;
        let mut at = (gap + 1) & mask;
        while let Some(slot) = self.slots[at] {
            let home = spread(slot.name()) & mask;
            // It may move back only as far as its own home.
            if at.wrapping_sub(home) & mask >= at.wrapping_sub(gap) & mask {
                self.slots[gap] = self.slots[at].take();
                gap = at;
            }
            at = (at + 1) & mask;
        }
        Some(removed.value)
    }

    /// Where a name is, or would go.
    fn place(&self, name: &[u8]) -> usize {
        let mask = self.slots.len() - 1;
        let mut at = spread(name) & mask;
        while self.slots[at].as_ref().is_some_and(|slot| slot.name() != name) {
            at = (at + 1) & mask;
        }
        at
    }
}

/// Mixes length and the first, second and last eight bytes: instrument names differ in them.
#[inline]
fn spread(name: &[u8]) -> usize {
    let (head, tail) = match (name.first_chunk::<8>(), name.last_chunk::<8>()) {
        (Some(head), Some(tail)) => (u64::from_le_bytes(*head), u64::from_le_bytes(*tail)),
        _ => (name.iter().fold(0, |mixed, byte| mixed << 8 | u64::from(*byte)), 0),
    };
    let middle = match name.get(8..16).and_then(|middle| middle.first_chunk::<8>()) {
        Some(middle) => u64::from_le_bytes(*middle),
        None => 0,
    };
    let mixed =
        (head ^ middle.rotate_left(47) ^ tail.rotate_left(29) ^ name.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 32) as usize
}

/// Every name the decoder can resolve.
#[derive(Clone, Debug, Hash)]
pub struct Vocabulary {
    /// Instruments by venue name.
    pub(super) instruments: NameTable<InstrumentId>,
    /// Currencies by venue name.
    pub(super) currencies: NameTable<CurrencyId>,
    /// The name in each place.
    places: Box<[Option<Name>]>,
}

impl Vocabulary {
    /// Names get their place in the lists as id.
    pub fn new<'n>(
        instruments: impl IntoIterator<Item = &'n str>,
        currencies: impl IntoIterator<Item = &'n str>,
    ) -> Vocabulary {
        let listed: Vec<&str> = instruments.into_iter().collect();
        let size = listed.len().max(INSTRUMENTS_MAX);
        let mut words = Vocabulary {
            instruments: NameTable::with_capacity(size),
            currencies: NameTable::new((0..).map(CurrencyId).zip(currencies).map(|(id, name)| (name, id))),
            places: vec![None; size].into(),
        };
        for (id, name) in (0..).map(InstrumentId).zip(listed) {
            if let Some(name) = Name::new(name)
                && words.instruments.get(name.as_bytes()).is_none()
            {
                let _ = words.list(id, name);
            }
        }
        words
    }

    /// The instrument of a name.
    pub fn instrument(&self, name: &[u8]) -> Option<InstrumentId> {
        self.instruments.get(name)
    }

    /// The name in a place.
    pub fn name(&self, id: InstrumentId) -> Option<Name> {
        self.places.get(usize::from(id.0)).copied().flatten()
    }

    /// Takes a change of the instrument table, without taking memory. An instrument that moves leaves its old place.
    pub fn apply(&mut self, listing: &Listing) -> Result<(), NoRoom> {
        match listing {
            Listing::Listed { instrument, .. } => self.list(instrument.id, instrument.name),
            Listing::Delisted { id } => {
                self.empty(*id);
                Ok(())
            }
        }
    }

    fn list(&mut self, id: InstrumentId, name: Name) -> Result<(), NoRoom> {
        if self.name(id) == Some(name) {
            return Ok(());
        }
        if usize::from(id.0) >= self.places.len() {
            return Err(NoRoom);
        }
        self.empty(id);
        if let Some(old) = self.instruments.get(name.as_bytes()) {
            self.places[usize::from(old.0)] = None;
        }
        self.instruments.insert(name.as_bytes(), id)?;
        self.places[usize::from(id.0)] = Some(name);
        Ok(())
    }

    fn empty(&mut self, id: InstrumentId) {
        let Some(place) = self.places.get_mut(usize::from(id.0)) else { return };
        if let Some(name) = place.take() {
            self.instruments.remove(name.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_name_finds_its_own_id_and_no_other_does() {
        let names: Vec<String> = (0..500).map(|n| format!("ETH-20261225-{n}-{}", ["C", "P"][n % 2])).collect();
        let mut all: Vec<&str> = names.iter().map(String::as_str).collect();
        all.extend(["ETH-PERP", "BTC", "X", ""]);
        let words = Vocabulary::new(all.iter().copied(), ["USDC", "ETH"]);
        for (place, name) in all.iter().enumerate() {
            let id = InstrumentId(place as u16);
            assert_eq!(words.instrument(name.as_bytes()), Some(id), "{name}");
            assert_eq!(words.name(id).as_deref(), Some(*name));
        }
        assert_eq!(words.instrument(b"ETH-20261225-1-C"), None);
        assert_eq!(words.currencies.get(b"ETH"), Some(CurrencyId(1)));
        assert_eq!(words.currencies.get(b"eth"), None);
        assert_eq!(Vocabulary::new([], []).instrument(b"ETH-PERP"), None);
    }

    #[test]
    fn of_equal_names_the_first_counts() {
        assert_eq!(NameTable::new([("A", 1), ("A", 2)]).get(b"A"), Some(1));
        assert_eq!(Vocabulary::new(["A", "A", "B"], []).instrument(b"A"), Some(InstrumentId(0)));
        assert_eq!(Vocabulary::new(["A", "A", "B"], []).instrument(b"B"), Some(InstrumentId(2)));
    }

    #[test]
    fn a_full_table_refuses_and_keeps_what_it_has() {
        let mut table = NameTable::with_capacity(4);
        let names: Vec<String> = (0..5).map(|n| n.to_string()).collect();
        for name in &names[..4] {
            assert_eq!(table.insert(name.as_bytes(), 1), Ok(()));
        }
        assert_eq!(table.insert(names[4].as_bytes(), 1), Err(NoRoom));
        assert_eq!(table.insert(names[3].as_bytes(), 2), Ok(()), "a known name is only changed");
        assert_eq!(table.insert(&[b'a'; Name::LEN_MAX + 1], 1), Err(NoRoom));
        assert_eq!(table.remove(names[0].as_bytes()), Some(1));
        assert_eq!(table.insert(names[4].as_bytes(), 5), Ok(()));
        assert_eq!((table.get(b"0"), table.get(b"3"), table.get(b"4")), (None, Some(2), Some(5)));
    }

    /// The longest walk over a full board of long names: strikes and expiries that differ in the middle only.
    #[test]
    fn names_that_differ_in_the_middle_do_not_crowd() {
        let days = 1..=28u32;
        let names =
            days.flat_map(|day| (0..36u32).map(move |n| format!("BTC-202612{day:02}-{}-C", 100_000 + n * 1_000)));
        let mut table = NameTable::with_capacity(INSTRUMENTS_MAX);
        for name in names {
            table.insert(name.as_bytes(), 0).expect("room");
        }
        let (mut longest, mut run) = (0, 0);
        for slot in table.slots.iter().chain(table.slots.iter()) {
            run = if slot.is_some() { run + 1 } else { 0 };
            longest = longest.max(run);
        }
        assert!(longest < 64, "{longest} slots in a row are taken");
    }

    proptest! {
        #[test]
        fn the_table_says_what_a_map_says(steps in proptest::collection::vec((0u8..40, any::<bool>(), any::<u16>()), 0..400)) {
            let mut table = NameTable::with_capacity(24);
            let mut map: HashMap<String, u16> = HashMap::new();
            for (n, insert, value) in steps {
                let name = format!("ETH-{n}");
                if insert {
                    let fits = map.contains_key(&name) || map.len() < table.slots.len() / 2;
                    prop_assert_eq!(table.insert(name.as_bytes(), value).is_ok(), fits);
                    if fits {
                        map.insert(name, value);
                    }
                } else {
                    prop_assert_eq!(table.remove(name.as_bytes()), map.remove(&name));
                }
                for n in 0..40 {
                    let name = format!("ETH-{n}");
                    prop_assert_eq!(table.get(name.as_bytes()), map.get(&name).copied());
                }
            }
        }

        #[test]
        fn places_and_names_stay_one_to_one(steps in proptest::collection::vec((0u16..12, 0u8..16, any::<bool>()), 0..200)) {
            let mut words = Vocabulary::new(["ETH-PERP", "ETH-USDC"], []);
            let mut places: HashMap<u16, String> = HashMap::from([(0, "ETH-PERP".into()), (1, "ETH-USDC".into())]);
            for (id, n, list) in steps {
                let name = format!("ETH-20261225-{n}-C");
                if list {
                    prop_assert_eq!(words.list(InstrumentId(id), Name::new(&name).expect("short")), Ok(()));
                    places.retain(|_, held| *held != name);
                    places.insert(id, name);
                } else {
                    prop_assert_eq!(words.apply(&Listing::Delisted { id: InstrumentId(id) }), Ok(()));
                    places.remove(&id);
                }
                for id in 0..12 {
                    prop_assert_eq!(words.name(InstrumentId(id)).map(|name| name.to_string()), places.get(&id).cloned());
                }
                for (id, name) in &places {
                    prop_assert_eq!(words.instrument(name.as_bytes()), Some(InstrumentId(*id)));
                }
                for n in 0..16u8 {
                    let name = format!("ETH-20261225-{n}-C");
                    prop_assert_eq!(words.instrument(name.as_bytes()).is_some(), places.values().any(|held| *held == name));
                }
            }
        }
    }
}
