//! The mandate's loss sum of a Delta-1 vault, and what the journal knows of it: always at least what the orders that are
//! live may make of it, so that a restart knows what an earlier run has lost.

use super::Out;
use super::desk::Desk;
use crate::base::num::{Ratio, Rounding};
use crate::base::time::{Nanos, SEC};
use crate::msg::{LossSum, Note};
use crate::risk::limits::Mandate;
use crate::risk::mandate::ema::MarkLoss;
use crate::risk::order::Granted;
use crate::risk::wall::{self, BasisWall};

/// What is journaled is lowered at most this often.
const LOWER_NS: u64 = 5 * SEC;
/// What orders may lose is journaled in so many steps of the mandate's budget.
const STEPS: i64 = 32;

/// The sum in two parts, and what was journaled of it.
#[derive(Clone, Copy, Debug, Hash)]
pub(super) struct LossSums {
    /// What this run knows to be lost.
    booked: MarkLoss,
    /// What orders of an earlier run may have lost.
    inherited: MarkLoss,
    /// Both decayed to a second, which is noted.
    decayed: Option<(u64, [MarkLoss; 2])>,
    told: Option<Told>,
}

/// What the journal knows.
#[derive(Clone, Copy, Debug, Hash)]
struct Told {
    at: Nanos,
    /// What live orders may lose, as a share of value.
    live: Ratio,
    /// A loss was booked since.
    lost: bool,
    /// A gain was.
    gained: bool,
}

impl LossSums {
    pub(super) fn left_behind([booked, inherited]: [MarkLoss; 2]) -> LossSums {
        LossSums { booked, inherited, decayed: None, told: None }
    }

    /// This run's sum and an earlier one's, decayed to now; computed once a second.
    pub(super) fn now(&mut self, wall: &BasisWall, at: Nanos) -> [MarkLoss; 2] {
        if let Some((second, known)) = self.decayed
            && second == at.secs()
        {
            return known;
        }
        let sums = [self.booked, self.inherited].map(|sum| wall::basis::rolled(wall, sum, at));
        self.decayed = Some((at.secs(), sums));
        sums
    }

    /// A fill has lost this share of value, or gained it if it is negative.
    pub(super) fn book(&mut self, wall: &BasisWall, lost: Ratio, at: Nanos) {
        self.booked = wall::basis::booked(wall, self.booked, lost, at);
        self.decayed = None;
        if let Some(told) = &mut self.told {
            told.lost |= lost.is_positive();
            told.gained |= lost.is_negative();
        }
    }

    /// What the journal must know before live orders may lose that share; none if it knows as much. Half a step more is
    /// kept for fees and for marks that move until a fill is written down.
    pub(super) fn before(&mut self, wall: &BasisWall, live: Ratio, at: Nanos) -> Option<LossSum> {
        let step = step(wall);
        let needed = live.min(Ratio::ONE) + step.scale(Ratio::from_bps(5_000), Rounding::Ceil);
        let steps = (needed.raw() + step.raw() - 1) / step.raw();
        let kept = Ratio::from_raw(steps.saturating_mul(step.raw()));
        let knows = self.told.is_some_and(|told| {
            let too_much = kept < told.live && at.since(told.at) >= LOWER_NS;
            !told.lost && needed <= told.live && !too_much
        });
        (!knows).then(|| self.tell(wall, kept, at))
    }

    /// What the journal should know by now: what was booked since, and that no order is live any more.
    fn since(&mut self, wall: &BasisWall, any_live: bool, at: Nanos) -> Option<LossSum> {
        let told = self.told?;
        let less = told.gained || (!any_live && told.live.is_positive());
        (told.lost || (less && at.since(told.at) >= LOWER_NS))
            .then(|| self.tell(wall, if any_live { told.live } else { Ratio::ZERO }, at))
    }

    fn tell(&mut self, wall: &BasisWall, live: Ratio, at: Nanos) -> LossSum {
        self.told = Some(Told { at, live, lost: false, gained: false });
        let [booked, inherited] = self.now(wall, at);
        wall::basis::noted([booked, inherited], live, at)
    }
}

/// A part of the budget, never nothing.
fn step(wall: &BasisWall) -> Ratio {
    Ratio::from_raw((wall::basis::budget(wall).raw() / STEPS).max(1))
}

impl Desk {
    /// Has its loss sum written down, if a fill was booked or nothing is live any more.
    pub(super) fn journal_loss_sum(&mut self, at: Nanos, out: &mut Out) {
        let Mandate::Basis(limits) = self.mandate else { return };
        if out.orders.room() == 0 {
            return;
        }
        let any_live = self.ledger.orders().next().is_some();
        if let Some(sum) = self.loss_sums.since(&limits.wall, any_live, at) {
            out.orders.push(Granted::Note { vault: self.vault(), note: Note::LossSum(sum) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::risk::wall::terms::BasisTerms;
    use proptest::prelude::*;

    fn share(steps: i64) -> Ratio {
        Ratio::from_raw(step(&BasisTerms::MISSION.wall()).raw() * steps)
    }

    /// What a restart would take the sum for.
    fn remembered(wall: &BasisWall, told: Option<LossSum>, at: Nanos) -> Ratio {
        let sums = wall::basis::left_behind(wall, told, at).map(|sum| wall::basis::rolled(wall, sum, at));
        sums.map(|sum| wall::basis::lost(sum).0).into_iter().sum()
    }

    #[test]
    fn the_journal_hears_of_it_before_orders_may_lose_more_and_after_a_fill_has() {
        let wall = BasisTerms::MISSION.wall();
        let mut sums = LossSums::left_behind([MarkLoss::NONE; 2]);
        let at = |ns| Nanos(1_000 * SEC + ns);
        let pending = |told: LossSum| told.pending_e18 / 1_000_000_000;
        let kept = |steps| share(steps).raw() as u64;
        assert_eq!(sums.since(&wall, false, at(0)), None, "no order has left yet");
        assert_eq!(sums.before(&wall, Ratio::ZERO, at(0)).map(pending), Some(kept(1)));
        assert_eq!(sums.before(&wall, Ratio::ZERO, at(1)), None, "it knows as much");
        assert_eq!(sums.before(&wall, share(1), at(2)).map(pending), Some(kept(2)));
        assert_eq!(sums.before(&wall, Ratio::ZERO, at(3)), None, "lowered in a while");
        assert_eq!(sums.since(&wall, true, at(LOWER_NS + 2)), None);
        assert_eq!(sums.before(&wall, Ratio::ZERO, at(LOWER_NS + 2)).map(pending), Some(kept(1)));
        sums.book(&wall, Ratio::ZERO, at(LOWER_NS + 3));
        assert_eq!(sums.since(&wall, true, at(LOWER_NS + 3)), None, "nothing was lost");
        sums.book(&wall, share(3), at(LOWER_NS + 4));
        let told = sums.since(&wall, true, at(LOWER_NS + 5)).expect("news");
        assert_eq!((told.booked_e18.div_ceil(1_000_000_000), pending(told)), (kept(3), kept(1)));
        assert_eq!(sums.since(&wall, true, at(LOWER_NS + 6)), None, "said once");
        sums.book(&wall, -share(1), at(LOWER_NS + 7));
        assert_eq!(sums.since(&wall, true, at(LOWER_NS + 7)), None, "in a while");
        sums.book(&wall, share(1), at(LOWER_NS + 8));
        sums.book(&wall, -share(2), at(LOWER_NS + 8));
        let told = sums.since(&wall, true, at(LOWER_NS + 8)).expect("news");
        assert_eq!(told.booked_e18.div_ceil(1_000_000_000), kept(1));
        assert_eq!(sums.since(&wall, false, at(2 * LOWER_NS + 8)).map(pending), Some(0), "nothing is live");
        assert!(sums.before(&wall, Ratio::from_raw(i64::MAX), at(2 * LOWER_NS + 9)).is_some(), "whatever is asked");
    }

    proptest! {
        /// Whenever an engine dies, the next takes the sum for no less than it was, with what live orders may lose.
        #[test]
        fn a_restart_remembers_no_less(steps in proptest::collection::vec((0..4u8, 0..40i64, 0..9u64), 1..60)) {
            let wall = BasisTerms::MISSION.wall();
            let (mut at, mut live, mut told) = (Nanos(1_000 * SEC), Ratio::ZERO, None);
            let mut sums = LossSums::left_behind([MarkLoss::NONE; 2]);
            for (what, size, pause_s) in steps {
                at = at.plus(pause_s * SEC);
                let some = Ratio::from_raw(share(1).raw() / 16 * size);
                let news = match what {
                    0 => {
                        live = some;
                        sums.before(&wall, live, at)
                    }
                    1 => {
                        let lost = live.min(some);
                        live -= lost;
                        sums.book(&wall, lost, at);
                        sums.since(&wall, true, at)
                    }
                    2 => {
                        live = Ratio::ZERO;
                        sums.since(&wall, false, at)
                    }
                    _ => {
                        // Dies, and all of its orders that were live fill unseen.
                        let before: Ratio = sums.now(&wall, at).map(|sum| wall::basis::lost(sum).0).into_iter().sum();
                        let budget = wall::basis::budget(&wall);
                        if told.is_some() {
                            let after = remembered(&wall, told, at);
                            prop_assert!(after >= (before + live).min(budget), "{after} after {before} and {live}");
                            sums = LossSums::left_behind(wall::basis::left_behind(&wall, told, at));
                        }
                        live = Ratio::ZERO;
                        None
                    }
                };
                told = news.or(told);
            }
        }
    }
}
