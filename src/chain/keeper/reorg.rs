//! Transactions in blocks that are not final: what a reorg takes out is sent again, and judged again like something new.

use super::words::{Action, Alarm, Job, Word};
use super::{Fate, Head, Keeper, TxId};
use crate::chain::lane::Inclusion;

/// A transaction that has been in a block.
#[derive(Clone, Debug)]
pub(super) struct Passed {
    tx: TxId,
    job: Job,
    withdrawn: bool,
    /// Height at which it was seen in one last.
    block: u64,
    /// A reorg took that block, and the lane offers it again.
    out: bool,
    /// It was said to be done.
    told: bool,
}

impl Passed {
    pub(super) fn new(tx: TxId, job: Job, withdrawn: bool) -> Passed {
        Passed { tx, job, withdrawn, block: 0, out: false, told: false }
    }

    pub(super) fn is(&self, tx: TxId) -> bool {
        self.tx == tx
    }

    pub(super) fn is_out(&self) -> bool {
        self.out
    }
}

impl Keeper {
    pub(super) fn forget_final(&mut self, head: Head) {
        let horizon = self.terms.lane.final_after_blocks;
        self.passed.retain(|passed| passed.out || head.number < passed.block.saturating_add(horizon));
    }

    /// What became of a transaction that has been in a block; false if it is none of those.
    pub(super) fn on_fate_again(&mut self, id: TxId, fate: Fate, out: &mut Vec<Action>) -> bool {
        let height = self.height();
        let Some(passed) = self.passed.iter_mut().find(|passed| passed.is(id)) else { return false };
        (passed.out, passed.block) = (fate == Fate::Vanished, height);
        let (job, told) = (passed.job.clone(), passed.told);
        match fate {
            // What was read since may know of it.
            Fate::Vanished => {
                self.act_after = self.act_after.max(height);
                self.queue_before = None;
            }
            Fate::Mined(seen) => {
                passed.block = height.max(seen.block);
                passed.told |= seen.succeeded;
                self.on_mined(job, seen, told, out);
            }
            Fate::Emptied | Fate::Displaced => {}
        }
        true
    }

    /// Takes what a transaction did in its block; `told` if it was said of an earlier one, which a reorg took.
    fn on_mined(&mut self, job: Job, seen: Inclusion, told: bool, out: &mut Vec<Action>) {
        self.act_after = self.act_after.max(seen.block);
        if !seen.succeeded {
            self.rest(Alarm::Reverted(job), out);
            return;
        }
        match &job {
            Job::Deposits(ids) => self.index.done(ids, seen.block),
            Job::Withdrawals => self.queue_before = self.books.map(|books| books.queued),
            Job::Fee => {}
        }
        if !told {
            out.push(Action::Say(Word::Done(job, seen.block)));
        }
    }

    /// Takes back what is out again and has no business any more in the present phase, whatever else is being done.
    pub(super) fn recall(&mut self, out: &mut Vec<Action>) {
        for at in 0..self.passed.len() {
            let passed = &self.passed[at];
            if passed.out && !passed.withdrawn && self.gate(&passed.job).is_some() {
                self.passed[at].withdrawn = true;
                self.withdraw(self.passed[at].tx, out);
            }
        }
    }
}
