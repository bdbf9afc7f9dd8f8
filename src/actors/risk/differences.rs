//! Differences to the venue that reconciliations have found lately (M8): each is said, a series of them drains.

use crate::base::time::{Nanos, SEC};

/// So many within [`WITHIN_NS`] are no accident any more.
const SERIES: usize = 3;
/// How long a difference is remembered. An agreement in between explains none of them away.
const WITHIN_NS: u64 = 600 * SEC;

/// When the newest differences were found; zero is never.
#[derive(Clone, Copy, Debug, Default, Hash)]
pub(super) struct Differences([Nanos; SERIES]);

impl Differences {
    /// Notes one; true if it completes a series.
    pub fn note(&mut self, at: Nanos) -> bool {
        self.0.rotate_right(1);
        self.0[0] = at;
        let first = self.0[SERIES - 1];
        first > Nanos::ZERO && at.since(first) <= WITHIN_NS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_in_ten_minutes_are_a_series() {
        let start = Nanos(1_800_000_000 * SEC);
        for (moments, want) in [
            (&[0][..], &[false][..]),
            (&[0, 1], &[false, false]),
            (&[0, 0, 0], &[false, false, true]),
            (&[0, 1, 600 * SEC], &[false, false, true]),
            (&[0, 1, 600 * SEC + 1], &[false, false, false]),
            (&[0, 1, 600 * SEC + 1, 600 * SEC + 1], &[false, false, false, true]),
            (&[0, 300 * SEC, 700 * SEC, 901 * SEC], &[false, false, false, false]),
            (&[0, 1, 2, 3, 603 * SEC], &[false, false, true, true, false]),
        ] {
            let mut differences = Differences::default();
            let got: Vec<bool> = moments.iter().map(|ns| differences.note(start.plus(*ns))).collect();
            assert_eq!(got, want, "{moments:?}");
        }
    }
}
