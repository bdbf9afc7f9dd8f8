//! Randomness that is a function of a seed and a moment, with nothing to advance: whoever asks about a moment gets the
//! same answer, whatever was asked before.

/// Milliseconds below which a motion runs straight.
const STRAIGHT_LOG2: u32 = 6;

/// A well-mixed word of a seed and a place (SplitMix64's finaliser, twice).
pub fn word(seed: u64, place: u64) -> u64 {
    mix(mix(seed ^ 0x9e37_79b9_7f4a_7c15).wrapping_add(place.wrapping_mul(0xd6e8_feb8_6659_fd93)))
}

fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Uniform in [0, 1).
pub fn uniform(seed: u64, place: u64) -> f64 {
    (word(seed, place) >> 11) as f64 / (1u64 << 53) as f64
}

/// Standard normal as a sum of twelve uniforms; never beyond six deviations.
pub fn normal(seed: u64, place: u64) -> f64 {
    let first = word(seed, place);
    let lanes = |w: u64| (w & 0xffff) + (w >> 16 & 0xffff) + (w >> 32 & 0xffff) + (w >> 48);
    let sum = lanes(first) + lanes(mix(first ^ 0xa076_1d64_78bd_642f)) + lanes(mix(first ^ 0xe703_7ed1_a0b4_28db));
    (sum as f64 - 12.0 * 65_535.0 / 2.0) / 65_536.0
}

/// A Brownian motion in milliseconds: variance one per millisecond, refined by seeded midpoints (Lévy's construction).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Motion {
    seed: u64,
    block_log2: u32,
    /// Returns to zero at the end of every block.
    returns: bool,
}

impl Motion {
    /// A motion without aim; one block spans 398 days, further ones follow on.
    pub const fn free(seed: u64) -> Motion {
        Motion { seed, block_log2: 35, returns: false }
    }

    /// A motion that comes back to zero every 2^30 ms, which is twelve and a half days.
    pub const fn returning(seed: u64) -> Motion {
        Motion { seed, block_log2: 30, returns: true }
    }

    /// Where the motion is `ms` after its start.
    pub fn at(&self, ms: u64) -> f64 {
        let block = ms >> self.block_log2;
        let mut start = block << self.block_log2;
        let mut low = (0..block).map(|b| self.drift(b)).sum::<f64>();
        let mut high = low + self.drift(block);
        for level in (STRAIGHT_LOG2..self.block_log2).rev() {
            let middle = start + (1 << level);
            // Halfway over a span of 2^(level+1), a bridge deviates by half the root of the span.
            let deviation = ((1u64 << (level + 1)) as f64).sqrt() / 2.0;
            let value = (low + high) / 2.0 + deviation * normal(self.seed, middle);
            if ms < middle {
                high = value;
            } else {
                (low, start) = (value, middle);
            }
        }
        low + (high - low) * (ms - start) as f64 / (1u64 << STRAIGHT_LOG2) as f64
    }

    /// What a whole block adds.
    fn drift(&self, block: u64) -> f64 {
        if self.returns {
            return 0.0;
        }
        ((1u64 << self.block_log2) as f64).sqrt() * normal(!self.seed, block)
    }
}

/// A smooth bounded swing between −1 and 1 with a lattice of `period_ms`, defined for all time, past and future.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Swing {
    /// Which swing.
    pub seed: u64,
    /// Distance of lattice points in milliseconds.
    pub period_ms: i64,
}

impl Swing {
    /// Steepest slope per period: smoothstep's 3/2 over a height of at most 2.
    pub const SLOPE_MAX: f64 = 3.0;

    /// The swing at a moment.
    pub fn at(&self, ms: i64) -> f64 {
        let cell = ms.div_euclid(self.period_ms);
        let x = ms.rem_euclid(self.period_ms) as f64 / self.period_ms as f64;
        let corner = |cell: i64| 2.0 * uniform(self.seed, cell as u64) - 1.0;
        let (low, high) = (corner(cell), corner(cell + 1));
        low + (high - low) * x * x * (3.0 - 2.0 * x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normals_and_uniforms_have_their_moments() {
        let sample: Vec<f64> = (0..100_000).map(|place| normal(3, place)).collect();
        let mean = sample.iter().sum::<f64>() / sample.len() as f64;
        let variance = sample.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / sample.len() as f64;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.03, "{mean} {variance}");
        let mean = (0..100_000).map(|place| uniform(3, place)).sum::<f64>() / 100_000.0;
        assert!((mean - 0.5).abs() < 0.01, "{mean}");
    }

    #[test]
    fn a_motion_spreads_with_the_root_of_time_at_every_scale() {
        for step_ms in [100, 1_000, 60_000, 3_600_000] {
            let motion = Motion::free(11);
            let squares: f64 =
                (0..4_000u64).map(|i| motion.at((i + 1) * step_ms) - motion.at(i * step_ms)).map(|d| d * d).sum();
            let ratio = squares / (4_000.0 * step_ms as f64);
            // Straight pieces of 64 ms take a little from the shortest step.
            assert!((0.7..1.15).contains(&ratio), "{step_ms} ms: {ratio}");
        }
    }

    #[test]
    fn a_returning_motion_is_back_at_each_block() {
        let motion = Motion::returning(5);
        for block in 0..5u64 {
            assert!(motion.at(block << 30).abs() < 1e-9);
            assert!(motion.at((block << 30) + (1 << 29)).abs() > 1.0);
        }
    }

    #[test]
    fn blocks_follow_on_without_a_break() {
        let motion = Motion::free(5);
        let (before, after) = (motion.at((1 << 35) - 1), motion.at(1 << 35));
        assert!((before - after).abs() < 40.0, "{before} {after}");
    }

    #[test]
    fn swings_stay_inside_and_are_no_steeper_than_said() {
        let swing = Swing { seed: 9, period_ms: 10_000 };
        let mut last = swing.at(-100_001);
        for ms in -100_000..100_000 {
            let now = swing.at(ms);
            assert!(now.abs() <= 1.0 && (now - last).abs() <= Swing::SLOPE_MAX / 10_000.0 + 1e-12);
            last = now;
        }
    }
}
