//! Random draws that are the same on every machine: ChaCha8 and the basic floating-point operations IEEE 754 fixes.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A seeded stream of draws.
#[derive(Clone, Debug)]
pub struct Draws {
    rng: ChaCha8Rng,
}

impl Draws {
    /// The stream number `stream` of `seed`; streams of one seed are independent.
    pub fn new(seed: u64, stream: u64) -> Draws {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Draws { rng }
    }

    /// Uniform in [0, 1).
    pub fn uniform(&mut self) -> f64 {
        (self.rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform in [low, high).
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// True with the given probability.
    pub fn happens(&mut self, probability: f64) -> bool {
        self.uniform() < probability
    }

    /// Standard normal, as the sum of twelve uniforms (Irwin–Hall): no logarithm, sine or square root, whose last
    /// digits differ between maths libraries. Never beyond six deviations.
    pub fn normal(&mut self) -> f64 {
        let mut sum = 0u64;
        for _ in 0..3 {
            let word = self.rng.next_u64();
            sum += (0..4).map(|lane| (word >> (16 * lane)) & 0xffff).sum::<u64>();
        }
        // Each lane is uniform on 0..=65535, so the twelve average 12·65535/2.
        (sum as f64 - 12.0 * 65_535.0 / 2.0) / 65_536.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normals_have_the_moments_of_a_normal() {
        let mut draws = Draws::new(3, 0);
        let sample: Vec<f64> = (0..100_000).map(|_| draws.normal()).collect();
        let mean = sample.iter().sum::<f64>() / sample.len() as f64;
        let variance = sample.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / sample.len() as f64;
        assert!(mean.abs() < 0.02, "{mean}");
        assert!((variance - 1.0).abs() < 0.03, "{variance}");
    }

    #[test]
    fn the_first_draws_of_a_seed_are_pinned() {
        let mut draws = Draws::new(1, 0);
        let words: Vec<u64> = (0..3).map(|_| draws.uniform().to_bits()).collect();
        let mut again = Draws::new(1, 0);
        assert_eq!(words, (0..3).map(|_| again.uniform().to_bits()).collect::<Vec<_>>());
        assert_ne!(words[0], Draws::new(1, 1).uniform().to_bits());
        assert_ne!(words[0], Draws::new(2, 0).uniform().to_bits());
    }
}
