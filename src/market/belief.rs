//! When a mark that jumps is believed.
//!
//! One text of the venue may be wrong, and a mark bounds orders by itself: one that lies far from the last believed mark is
//! held back until tickers of other moments agree with it (D5). So is the first of all: nothing is known that it could be
//! held against, and a loss reckoned with a wrong one would drain the vault.

use super::fair::deviates;
use crate::base::num::{Price, Ratio};
use crate::base::time::Nanos;

/// A price that lies further than this from the last believed one is a jump.
const JUMP_MAX: Ratio = Ratio::from_bps(200);
/// The same for a volatility, which moves by more: as a share of the last believed one.
const VOL_JUMP_MAX: Ratio = Ratio::from_bps(2_500);
/// Tickers of different moments that must agree, the first of them included, before a jump or a first mark is believed.
const WITNESSES: u8 = 3;

/// What has been believed of a mark, and what is rumoured instead.
#[derive(Clone, Copy, Debug, Default, Hash)]
pub(super) struct Belief {
    believed: Price,
    rumour: Price,
    told_at: Nanos,
    witnesses: u8,
}

impl Belief {
    /// Takes a ticker's mark with its stamp.
    pub(super) fn hear(&mut self, mark: Price, venue_at: Nanos) {
        self.weigh(mark, venue_at, JUMP_MAX);
    }

    /// Takes a ticker's volatility with its stamp.
    pub(super) fn hear_vol(&mut self, vol: Ratio, venue_at: Nanos) {
        // A number like a price here: only its relative distance matters.
        self.weigh(Price::from_raw(vol.raw()), venue_at, VOL_JUMP_MAX);
    }

    fn weigh(&mut self, mark: Price, venue_at: Nanos, jump_max: Ratio) {
        if !mark.is_positive() {
            return;
        }
        // Nothing believed yet: everything deviates from it.
        if !deviates(mark, self.believed, jump_max) {
            (self.believed, self.witnesses) = (mark, 0);
            return;
        }
        if self.witnesses == 0 || deviates(mark, self.rumour, jump_max) {
            (self.witnesses, self.told_at) = (1, venue_at);
        } else if venue_at != self.told_at {
            // An earlier moment too: who hands tickers over refuses older ones, unless the newest came from the future.
            (self.witnesses, self.told_at) = (self.witnesses + 1, venue_at);
        }
        self.rumour = mark;
        if self.witnesses >= WITNESSES {
            (self.believed, self.witnesses) = (mark, 0);
        }
    }

    /// True while the last mark heard is not believed.
    pub(super) const fn is_open(&self) -> bool {
        self.witnesses > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jump_counts_once_others_bear_it_out() {
        let mut belief = Belief::default();
        // Mark, its stamp, and whether it may be acted on.
        let told = [
            (3_000, 1, false),
            (3_000, 1, false),
            (3_010, 2, false),
            (3_050, 3, true),
            (2_135, 4, false),
            (3_049, 5, true),
            (2_135, 6, false),
            (2_135, 6, false),
            (2_130, 7, false),
            (3_900, 8, false),
            (3_060, 9, true),
            (0, 10, true),
            (2_140, 11, false),
            (2_150, 12, false),
            (2_120, 13, true),
            (3_060, 99, false),
            (3_061, 14, false),
            (3_062, 15, true),
        ];
        for (mark, stamp, usable) in told {
            belief.hear(Price::whole(mark), Nanos(stamp));
            assert_eq!(belief.is_open(), !usable, "{mark} at {stamp}");
        }
    }

    /// A start beside one wrong text believes the market, not the text, whichever comes first.
    #[test]
    fn the_first_mark_waits_for_others_that_agree() {
        let market = [3_000, 3_001, 3_002];
        for wrong in [&[][..], &[2_135], &[3_000, 2_135], &[2_135, 2_135], &[2_135, 2_900]] {
            let told = [wrong, &market].concat();
            let mut belief = Belief::default();
            let usable: Vec<bool> = (1..)
                .zip(&told)
                .map(|(stamp, mark)| {
                    belief.hear(Price::whole(*mark), Nanos(stamp));
                    !belief.is_open()
                })
                .collect();
            let (last, before) = usable.split_last().expect("a mark");
            assert!(*last && before.iter().all(|usable| !usable), "{told:?}: {usable:?}");
        }
    }
}
