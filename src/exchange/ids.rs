//! Identifiers drawn from the seed: the n-th id of a run is the same in every run.

use crate::base::ids::Uuid;

/// A SplitMix64 stream dressed as version-4 UUIDs.
#[derive(Clone, Debug)]
pub struct Ids(u64);

impl Ids {
    /// The stream of a seed.
    pub const fn new(seed: u64) -> Ids {
        Ids(seed)
    }

    fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// The next id.
    pub fn uuid(&mut self) -> Uuid {
        let raw = u128::from(self.word()) << 64 | u128::from(self.word());
        let versioned = raw & !(0xf << 76) | 0x4 << 76;
        Uuid(versioned & !(0x3 << 62) | 0x2 << 62)
    }
}
