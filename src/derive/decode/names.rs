//! Names on the wire to small ids, by a table built once.

use crate::base::ids::InstrumentId;
use crate::msg::CurrencyId;

/// An open-addressed table from names to values; built once, then only read.
#[derive(Clone, Debug)]
pub struct NameTable<T> {
    slots: Vec<Option<(Box<[u8]>, T)>>,
}

impl<T: Copy> NameTable<T> {
    /// Builds the table; of equal names the first counts.
    pub fn new<'n>(names: impl IntoIterator<Item = (&'n str, T)>) -> NameTable<T> {
        let names: Vec<_> = names.into_iter().collect();
        let size = (names.len() * 4).next_power_of_two().max(8);
        let mut table = NameTable { slots: (0..size).map(|_| None).collect() };
        for (name, value) in names {
            if table.get(name.as_bytes()).is_none() {
                let mut at = spread(name.as_bytes()) & (size - 1);
                while table.slots[at].is_some() {
                    at = (at + 1) & (size - 1);
                }
                table.slots[at] = Some((name.as_bytes().into(), value));
            }
        }
        table
    }

    /// The value of a name, if known.
    #[inline]
    pub fn get(&self, name: &[u8]) -> Option<T> {
        let mask = self.slots.len() - 1;
        let mut at = spread(name) & mask;
        // A quarter full at most, so an empty slot always ends the walk.
        while let Some((known, value)) = &self.slots[at] {
            if **known == *name {
                return Some(*value);
            }
            at = (at + 1) & mask;
        }
        None
    }
}

/// Mixes length, first and last eight bytes: instrument names differ in them.
#[inline]
fn spread(name: &[u8]) -> usize {
    let (head, tail) = match (name.first_chunk::<8>(), name.last_chunk::<8>()) {
        (Some(head), Some(tail)) => (u64::from_le_bytes(*head), u64::from_le_bytes(*tail)),
        _ => (name.iter().fold(0, |mixed, byte| mixed << 8 | u64::from(*byte)), 0),
    };
    let mixed = (head ^ tail.rotate_left(29) ^ name.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 32) as usize
}

/// Every name the decoder can resolve.
#[derive(Clone, Debug)]
pub struct Vocabulary {
    /// Instruments by venue name.
    pub instruments: NameTable<InstrumentId>,
    /// Currencies by venue name.
    pub currencies: NameTable<CurrencyId>,
}

impl Vocabulary {
    /// Names get their place in the lists as id.
    pub fn new<'n>(
        instruments: impl IntoIterator<Item = &'n str>,
        currencies: impl IntoIterator<Item = &'n str>,
    ) -> Vocabulary {
        Vocabulary {
            instruments: NameTable::new((0..).map(InstrumentId).zip(instruments).map(|(id, name)| (name, id))),
            currencies: NameTable::new((0..).map(CurrencyId).zip(currencies).map(|(id, name)| (name, id))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_finds_its_own_id_and_no_other_does() {
        let names: Vec<String> = (0..500).map(|n| format!("ETH-20261225-{n}-{}", ["C", "P"][n % 2])).collect();
        let mut all: Vec<&str> = names.iter().map(String::as_str).collect();
        all.extend(["ETH-PERP", "BTC", "X", ""]);
        let words = Vocabulary::new(all.iter().copied(), ["USDC", "ETH"]);
        for (place, name) in all.iter().enumerate() {
            assert_eq!(words.instruments.get(name.as_bytes()), Some(InstrumentId(place as u16)), "{name}");
        }
        assert_eq!(words.instruments.get(b"ETH-20261225-1-C"), None);
        assert_eq!(words.currencies.get(b"ETH"), Some(CurrencyId(1)));
        assert_eq!(words.currencies.get(b"eth"), None);
        assert_eq!(Vocabulary::new([], []).instruments.get(b"ETH-PERP"), None);
    }

    #[test]
    fn of_equal_names_the_first_counts() {
        assert_eq!(NameTable::new([("A", 1), ("A", 2)]).get(b"A"), Some(1));
    }
}
