//! What may happen now and then and is no accident any more when it comes again and again: a difference to the venue that
//! a reconciliation finds (M8), an order the signer had no mark for.

use crate::base::time::{Nanos, SEC};

/// So many within [`WITHIN_NS`] are no accident any more.
const SERIES: usize = 3;
/// How long one is remembered. Nothing that went well in between explains it away.
const WITHIN_NS: u64 = 600 * SEC;

/// When the newest ones came; zero is never.
#[derive(Clone, Copy, Debug, Default, Hash)]
pub(super) struct Series([Nanos; SERIES]);

impl Series {
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
            let mut series = Series::default();
            let got: Vec<bool> = moments.iter().map(|ns| series.note(start.plus(*ns))).collect();
            assert_eq!(got, want, "{moments:?}");
        }
    }
}
