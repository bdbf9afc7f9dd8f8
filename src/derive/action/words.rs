//! Canonical ABI words: 32 bytes each, big-endian, zero- or sign-extended.

use crate::derive::dialect::{Address, Word};

/// A growing run of ABI words.
#[derive(Clone, Debug, Default)]
pub struct Words(Vec<u8>);

impl Words {
    /// An empty run with room for `words`.
    pub fn with_capacity(words: usize) -> Words {
        Words(Vec::with_capacity(words * 32))
    }

    /// Appends a word as it is.
    pub fn word(&mut self, word: Word) -> &mut Words {
        self.0.extend_from_slice(&word);
        self
    }

    /// Appends an unsigned integer.
    pub fn uint(&mut self, value: u128) -> &mut Words {
        self.word(uint(value))
    }

    /// Appends a signed integer, sign-extended to 256 bits.
    pub fn int(&mut self, value: i128) -> &mut Words {
        self.word(int(value))
    }

    /// Appends an address.
    pub fn address(&mut self, address: Address) -> &mut Words {
        let mut word = [0; 32];
        word[12..].copy_from_slice(&address);
        self.word(word)
    }

    /// Appends a boolean.
    pub fn flag(&mut self, value: bool) -> &mut Words {
        self.uint(value.into())
    }

    /// The bytes so far.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes, owned.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// An unsigned integer as a word.
pub fn uint(value: u128) -> Word {
    let mut word = [0; 32];
    word[16..].copy_from_slice(&value.to_be_bytes());
    word
}

/// A signed integer as a two's complement word.
pub fn int(value: i128) -> Word {
    let mut word = [if value < 0 { 0xff } else { 0 }; 32];
    word[16..].copy_from_slice(&value.to_be_bytes());
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negatives_extend_their_sign_and_positives_zeros() {
        assert_eq!(int(-1), [0xff; 32]);
        assert_eq!(int(1), uint(1));
        assert_eq!(int(i128::MIN)[..17], [&[0xff; 16][..], &[0x80]].concat()[..]);
        let mut words = Words::default();
        words.address([7; 20]).flag(true);
        assert_eq!(words.bytes().len(), 64);
        assert_eq!(words.bytes()[..12], [0; 12]);
        assert_eq!(words.bytes()[63], 1);
    }
}
