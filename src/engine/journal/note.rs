//! Notes of vaults, and the last of each kind of every vault: what a run hands to the next.

use super::{LossSumRecord, LostRecord, MilestoneRecord, PrincipalRecord, RECORD, StanceRecord};
use crate::base::ids::SubaccountId;
use crate::base::num::Cash;
use crate::msg::{LossSum, Lost, Milestone, Note, Principal, Stance};

/// A note of the vault that trades for a subaccount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoteRecord {
    /// The vault's subaccount.
    pub subaccount: SubaccountId,
    /// What is noted.
    pub note: Note,
}

impl NoteRecord {
    /// The bytes of the record.
    pub fn write(&self) -> [u8; RECORD] {
        let subaccount = self.subaccount;
        match self.note {
            Note::Milestone(milestone) => MilestoneRecord { subaccount, milestone }.write(),
            Note::Principal(principal) => PrincipalRecord { subaccount, principal }.write(),
            Note::Lost(lost) => LostRecord { subaccount, lost }.write(),
            Note::Stance(stance) => StanceRecord { subaccount, stance }.write(),
            Note::LossSum(sum) => LossSumRecord { subaccount, sum }.write(),
        }
    }

    /// Reads a record; `None` if it is no note of a version we know.
    pub fn read(bytes: &[u8]) -> Option<NoteRecord> {
        let milestone = || {
            let MilestoneRecord { subaccount, milestone } = MilestoneRecord::read(bytes)?;
            Some(NoteRecord { subaccount, note: Note::Milestone(milestone) })
        };
        let principal = || {
            let PrincipalRecord { subaccount, principal } = PrincipalRecord::read(bytes)?;
            Some(NoteRecord { subaccount, note: Note::Principal(principal) })
        };
        let lost = || {
            let LostRecord { subaccount, lost } = LostRecord::read(bytes)?;
            Some(NoteRecord { subaccount, note: Note::Lost(lost) })
        };
        let stance = || {
            let StanceRecord { subaccount, stance } = StanceRecord::read(bytes)?;
            Some(NoteRecord { subaccount, note: Note::Stance(stance) })
        };
        let loss_sum = || {
            let LossSumRecord { subaccount, sum } = LossSumRecord::read(bytes)?;
            Some(NoteRecord { subaccount, note: Note::LossSum(sum) })
        };
        milestone().or_else(principal).or_else(lost).or_else(stance).or_else(loss_sum)
    }
}

/// One thing of every vault that has it, by subaccount.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Last<T>(Vec<(SubaccountId, T)>);

impl<T> Default for Last<T> {
    fn default() -> Last<T> {
        Last(Vec::new())
    }
}

impl<T: Copy> Last<T> {
    fn get(&self, subaccount: SubaccountId) -> Option<T> {
        self.0.iter().find(|(known, _)| *known == subaccount).map(|(_, last)| *last)
    }

    fn set(&mut self, subaccount: SubaccountId, value: T) {
        match self.0.iter_mut().find(|(known, _)| *known == subaccount) {
            Some((_, last)) => *last = value,
            None => self.0.push((subaccount, value)),
        }
    }
}

/// The last note of each kind of every vault.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Notes {
    milestones: Last<Milestone>,
    principals: Last<Principal>,
    losses: Last<Lost>,
    stances: Last<Stance>,
    loss_sums: Last<LossSum>,
}

impl Notes {
    /// With room for so many vaults more, so that taking their notes allocates nothing.
    pub fn with_room(mut self, vaults: usize) -> Notes {
        self.milestones.0.reserve_exact(vaults);
        self.principals.0.reserve_exact(vaults);
        self.losses.0.reserve_exact(vaults);
        self.stances.0.reserve_exact(vaults);
        self.loss_sums.0.reserve_exact(vaults);
        self
    }

    /// Takes a note in the place of the last of its kind. A record has no place for what is pledged: it shows as what
    /// the second of two milestones says more.
    pub fn take(&mut self, subaccount: SubaccountId, note: &Note) {
        match *note {
            Note::Milestone(next) => {
                let last = self.milestone(subaccount).filter(|_| next.pledged == Cash::ZERO);
                self.milestones.set(subaccount, last.map_or(next, |last| told_apart(&last, next)));
            }
            Note::Principal(principal) => self.principals.set(subaccount, principal),
            Note::Lost(lost) => self.losses.set(subaccount, lost),
            Note::Stance(stance) => self.stances.set(subaccount, stance),
            Note::LossSum(sum) => self.loss_sums.set(subaccount, sum),
        }
    }

    /// Every note, as records that read again as these.
    pub fn records(&self, mut put: impl FnMut(&[u8; RECORD])) {
        let mut write = |subaccount, note| put(&NoteRecord { subaccount, note }.write());
        for &(subaccount, milestone) in &self.milestones.0 {
            write(subaccount, Note::Milestone(Milestone { pledged: Cash::ZERO, ..milestone }));
            if milestone.pledged.is_positive() {
                write(subaccount, Note::Milestone(milestone));
            }
        }
        self.principals.0.iter().for_each(|&(subaccount, principal)| write(subaccount, Note::Principal(principal)));
        self.losses.0.iter().for_each(|&(subaccount, lost)| write(subaccount, Note::Lost(lost)));
        self.stances.0.iter().for_each(|&(subaccount, stance)| write(subaccount, Note::Stance(stance)));
        self.loss_sums.0.iter().for_each(|&(subaccount, sum)| write(subaccount, Note::LossSum(sum)));
    }

    /// The phase of the vault that trades for a subaccount, if it has one.
    pub fn milestone(&self, subaccount: SubaccountId) -> Option<Milestone> {
        self.milestones.get(subaccount)
    }

    /// What that vault must keep.
    pub fn principal(&self, subaccount: SubaccountId) -> Option<Principal> {
        self.principals.get(subaccount)
    }

    /// What it has lost lately.
    pub fn lost(&self, subaccount: SubaccountId) -> Option<Lost> {
        self.losses.get(subaccount)
    }

    /// How it stood last.
    pub fn stance(&self, subaccount: SubaccountId) -> Option<Stance> {
        self.stances.get(subaccount)
    }

    /// What it has used of its mandate's loss budget.
    pub fn loss_sum(&self, subaccount: SubaccountId) -> Option<LossSum> {
        self.loss_sums.get(subaccount)
    }
}

/// More spent on the same units is pledged: an execution whose end was not written down.
fn told_apart(last: &Milestone, next: Milestone) -> Milestone {
    let pledged = next.spent - last.spent;
    let same = next.is_same(last) && next.units == last.units;
    if same && pledged.is_positive() { Milestone { spent: last.spent, pledged, ..next } } else { next }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::num::{Amount, Ratio};
    use crate::base::time::Nanos;
    use crate::engine::journal::Replay;
    use crate::msg::{Phase, StopReason};

    fn told(records: &[Note]) -> Notes {
        let mut replay = Replay::default();
        for note in records {
            replay.visit(&NoteRecord { subaccount: SubaccountId(7), note: *note }.write());
        }
        assert_eq!(replay.unread(), 0);
        replay.notes().clone()
    }

    #[test]
    fn an_execution_without_an_end_stays_pledged() {
        let at = |spent, pledged, units| Milestone {
            phase: Phase::OptionAuction,
            started_at: Nanos(1),
            budget: Cash::whole(100),
            spent: Cash::whole(spent),
            pledged: Cash::whole(pledged),
            units: Amount::whole(units),
            ..Milestone::default()
        };
        let told = |records: &[Milestone]| {
            let notes: Vec<Note> = records.iter().map(|milestone| Note::Milestone(*milestone)).collect();
            told(&notes).milestone(SubaccountId(7)).expect("told")
        };
        let begun = at(0, 0, 0);
        assert_eq!(told(&[begun, at(0, 40, 0)]), at(0, 40, 0), "under way");
        assert_eq!(told(&[begun, at(0, 40, 0), at(39, 0, 5)]), at(39, 0, 5), "done");
        assert_eq!(told(&[begun, at(0, 40, 0), begun]), begun, "refused");
        assert_eq!(told(&[begun, at(0, 40, 0), at(39, 0, 5), at(39, 30, 5)]), at(39, 30, 5), "the next");
        let later = Milestone { started_at: Nanos(2), ..at(70, 0, 0) };
        assert_eq!(told(&[begun, later]), later, "another auction");
    }

    #[test]
    fn the_last_of_each_kind_of_each_vault_is_remembered_and_reads_again_from_its_records() {
        let principal = Principal { base: Amount::whole(-3), rate: Ratio::from_bps(10_800) };
        let lost = |peak| Lost {
            at: Nanos(9),
            peak: Amount::whole(peak),
            highest: [Amount::whole(4), Amount::whole(5)],
            traded: [Ratio::from_bps(-6), Ratio::from_bps(7)],
        };
        let milestone = Milestone { phase: Phase::OptionAuction, pledged: Cash::whole(40), ..Milestone::default() };
        let stance = |stopped| Stance { at: Nanos(9), stopped };
        let loss_sum = |booked_e18| LossSum { at: Nanos(9), booked_e18, pending_e18: u64::MAX };
        let paid = Milestone { pledged: Cash::ZERO, ..milestone };
        let notes = told(&[
            Note::Principal(Principal::default()),
            Note::Lost(lost(1)),
            Note::Stance(stance(None)),
            Note::Milestone(paid),
            Note::Principal(principal),
            Note::Milestone(milestone),
            Note::Lost(lost(2)),
            Note::LossSum(loss_sum(3)),
            Note::LossSum(loss_sum(4)),
            Note::Stance(stance(Some(StopReason::Foreign))),
        ]);
        let ours = SubaccountId(7);
        assert_eq!(notes.milestone(ours), Some(milestone));
        assert_eq!((notes.principal(ours), notes.lost(ours)), (Some(principal), Some(lost(2))));
        assert_eq!(notes.stance(ours), Some(stance(Some(StopReason::Foreign))));
        assert_eq!(notes.loss_sum(ours), Some(loss_sum(4)));
        let other = SubaccountId(8);
        assert_eq!((notes.milestone(other), notes.principal(other), notes.lost(other)), (None, None, None));
        assert_eq!((notes.stance(other), notes.loss_sum(other)), (None, None));
        let mut again = Replay::default();
        notes.records(|record| again.visit(record));
        assert_eq!(*again.notes(), notes);
    }
}
