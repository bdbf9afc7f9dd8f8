//! A 64-bit digest of plain state: the same value in every process of every host of one architecture.
//!
//! It takes whatever derives `Hash`, and holds no random key, so it is no defence against an adversary who chooses the
//! state. What hashes addresses or an unordered map must not be fed to it.

use std::hash::{Hash, Hasher};

/// Odd constants of 64 bits without structure (the fractional parts of square roots of 2 and 3).
const SEED: u64 = 0x6a09_e667_f3bc_c909;
const FACTOR: u64 = 0xbb67_ae85_84ca_a73b;

/// The digest of a value.
pub fn digest<T: Hash + ?Sized>(value: &T) -> u64 {
    let mut digest = Digest::default();
    value.hash(&mut digest);
    digest.finish()
}

/// Feeds floats by their bits: two that compare equal but differ in sign or payload are told apart.
pub fn floats<H: Hasher>(values: &[f64], state: &mut H) {
    values.iter().for_each(|value| state.write_u64(value.to_bits()));
}

/// The digest under way.
#[derive(Clone, Copy, Debug)]
pub struct Digest(u64);

impl Default for Digest {
    fn default() -> Digest {
        Digest(SEED)
    }
}

impl Digest {
    /// A full product, folded: every bit of the word reaches every bit of the state.
    #[inline]
    fn mix(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word) * u128::from(FACTOR);
        self.0 = (product as u64 ^ (product >> 64) as u64).wrapping_add(SEED);
    }
}

impl Hasher for Digest {
    fn finish(&self) -> u64 {
        let mut last = *self;
        last.mix(FACTOR);
        last.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.mix(u64::from_le_bytes(*word)));
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            // A shorter tail is not one that ends in zeros.
            self.mix(u64::from_le_bytes(last) ^ (rest.len() as u64) << 56);
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.mix(u64::from(value));
    }

    fn write_u16(&mut self, value: u16) {
        self.mix(u64::from(value));
    }

    fn write_u32(&mut self, value: u32) {
        self.mix(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        self.mix(value);
    }

    fn write_u128(&mut self, value: u128) {
        self.mix(value as u64);
        self.mix((value >> 64) as u64);
    }

    fn write_usize(&mut self, value: usize) {
        self.mix(value as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Hash)]
    struct State {
        name: &'static str,
        places: Vec<Option<i64>>,
        sum: i128,
    }

    /// Written down, so that a change of the function cannot pass unseen: old tapes would not replay.
    #[test]
    fn it_says_the_same_in_every_process() {
        let state = State { name: "harvest", places: vec![None, Some(-1)], sum: 1 << 100 };
        assert_eq!(digest(&state), 17_474_909_779_724_223_896);
        assert_eq!(digest(&[1u8; 13][..]), 11_676_234_130_503_436_733);
    }

    proptest! {
        #[test]
        fn one_flipped_bit_changes_it(words in proptest::collection::vec(any::<u64>(), 1..40), place in any::<prop::sample::Index>(), bit in 0u32..64) {
            let mut other = words.clone();
            other[place.index(words.len())] ^= 1 << bit;
            prop_assert_ne!(digest(&words), digest(&other));
        }
    }
}
