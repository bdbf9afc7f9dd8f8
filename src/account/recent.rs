//! The last `N` names seen, to recognise what comes twice. Fixed memory, one pass over it.

use std::fmt;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher};

/// End of a chain.
const NONE: u16 = u16::MAX;

/// A bounded set that forgets its oldest member.
///
/// Names lie in a ring, oldest overwritten first; names of one bucket are chained through `after`, newest first.
pub struct Recent<T, const N: usize> {
    ring: Box<[Option<T>; N]>,
    after: Box<[u16; N]>,
    buckets: Box<[u16; N]>,
    next: usize,
}

/// Mixes by multiplication: names are venue ids and nonces, which nobody chooses against us within `N` of them.
/// The names and their order; how they are found follows.
impl<T: Hash, const N: usize> Hash for Recent<T, N> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.next.hash(state);
        self.ring.iter().flatten().for_each(|name| name.hash(state));
    }
}

impl<T, const N: usize> fmt::Debug for Recent<T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recent({} of {N})", self.ring.iter().flatten().count())
    }
}

#[derive(Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0u8; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_u128(&mut self, word: u128) {
        self.write_u64(word as u64);
        self.write_u64((word >> 64) as u64);
    }

    fn finish(&self) -> u64 {
        self.0 >> 32
    }
}

impl<T: Copy + PartialEq + Hash, const N: usize> Default for Recent<T, N> {
    fn default() -> Self {
        const { assert!(N > 0 && N < NONE as usize, "places are counted in u16") };
        Recent { ring: Box::new([None; N]), after: Box::new([NONE; N]), buckets: Box::new([NONE; N]), next: 0 }
    }
}

impl<T: Copy + PartialEq + Hash, const N: usize> Recent<T, N> {
    fn bucket(name: T) -> usize {
        (BuildHasherDefault::<Mix>::default().hash_one(name) % N as u64) as usize
    }

    /// True if `name` is among the last `N`.
    pub fn contains(&self, name: T) -> bool {
        let mut place = self.buckets[Self::bucket(name)];
        while place != NONE {
            if self.ring[usize::from(place)] == Some(name) {
                return true;
            }
            place = self.after[usize::from(place)];
        }
        false
    }

    /// Remembers `name`; false if it was known already.
    pub fn insert(&mut self, name: T) -> bool {
        if self.contains(name) {
            return false;
        }
        let place = self.next;
        if let Some(oldest) = self.ring[place].replace(name) {
            self.unchain(Self::bucket(oldest), place as u16);
        }
        self.after[place] = std::mem::replace(&mut self.buckets[Self::bucket(name)], place as u16);
        self.next = (place + 1) % N;
        true
    }

    /// Takes a place out of its bucket. The oldest of all is the last of its chain.
    fn unchain(&mut self, bucket: usize, place: u16) {
        let mut link = &mut self.buckets[bucket];
        while *link != place && *link != NONE {
            link = &mut self.after[usize::from(*link)];
        }
        *link = NONE;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn knows_the_last_n() {
        let mut recent: Recent<u8, 2> = Recent::default();
        assert!(recent.insert(1));
        assert!(!recent.insert(1));
        assert!(recent.insert(2) && recent.insert(3));
        assert!(!recent.contains(1));
        assert!(recent.contains(2) && recent.contains(3));
    }

    proptest! {
        /// As a plain list of the last N would answer.
        #[test]
        fn answers_as_a_list_would(names in proptest::collection::vec(0u64..40, 0..400)) {
            let mut recent: Recent<u64, 13> = Recent::default();
            let mut list: Vec<u64> = Vec::new();
            for name in names {
                let known = list.contains(&name);
                prop_assert_eq!(recent.contains(name), known);
                prop_assert_eq!(recent.insert(name), !known);
                if !known {
                    list.push(name);
                    if list.len() > 13 {
                        list.remove(0);
                    }
                }
            }
        }
    }
}
