//! The last `N` names seen, to recognise what comes twice. Fixed memory, one pass over it.

/// A bounded set that forgets its oldest member.
pub struct Recent<T, const N: usize> {
    ring: Box<[Option<T>; N]>,
    next: usize,
}

impl<T: Copy + PartialEq, const N: usize> Default for Recent<T, N> {
    fn default() -> Self {
        Recent { ring: Box::new([None; N]), next: 0 }
    }
}

impl<T: Copy + PartialEq, const N: usize> Recent<T, N> {
    /// True if `name` is among the last `N`.
    pub fn contains(&self, name: T) -> bool {
        // Newest first: a duplicate follows its original closely.
        (0..N).any(|back| self.ring[(self.next + 2 * N - 1 - back) % N] == Some(name))
    }

    /// Remembers `name`; false if it was known already.
    pub fn insert(&mut self, name: T) -> bool {
        if self.contains(name) {
            return false;
        }
        self.ring[self.next] = Some(name);
        self.next = (self.next + 1) % N;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_last_n() {
        let mut recent: Recent<u8, 2> = Recent::default();
        assert!(recent.insert(1));
        assert!(!recent.insert(1));
        assert!(recent.insert(2) && recent.insert(3));
        assert!(!recent.contains(1));
        assert!(recent.contains(2) && recent.contains(3));
    }
}
