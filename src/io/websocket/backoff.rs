//! How long to wait before the next attempt: doubling, bounded, and jittered so that many clients do not return as one.

/// Doubling waits.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    min_ns: u64,
    max_ns: u64,
    failures: u32,
}

impl Backoff {
    /// Waits between `min_ns` and `max_ns`, before jitter.
    pub fn new(min_ns: u64, max_ns: u64) -> Backoff {
        Backoff { min_ns, max_ns: max_ns.max(min_ns), failures: 0 }
    }

    /// The connection held: the next wait is the shortest again.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// The wait after one more failure: `min · 2^failures`, bounded, of which a random half to whole.
    pub fn next_ns(&mut self, random: u64) -> u64 {
        let doubled = self.min_ns.saturating_mul(1u64 << self.failures.min(40));
        self.failures = self.failures.saturating_add(1);
        let whole = doubled.min(self.max_ns);
        let half = whole / 2;
        half + random % (whole - half + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_stay_in_bounds_and_start_over() {
        let mut backoff = Backoff::new(100, 1_000);
        for (random, wait_ns) in
            [(0, 50), (50, 150), (100, 300), (401, 400), (400, 900), (1 << 63, 500 + (1 << 63) % 501)]
        {
            assert_eq!(backoff.next_ns(random), wait_ns, "{random}");
        }
        for _ in 0..100 {
            assert!((500..=1_000).contains(&backoff.next_ns(12_345)));
        }
        backoff.reset();
        assert!((50..=100).contains(&backoff.next_ns(777)));
        assert_eq!(Backoff::new(0, 0).next_ns(u64::MAX), 0);
        assert!(Backoff::new(u64::MAX, 0).next_ns(u64::MAX) >= u64::MAX / 2);
    }
}
