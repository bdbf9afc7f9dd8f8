//! Which deposits have not become shares yet, from the contract's events since its first block.

use super::words::Found;
use std::collections::BTreeMap;

/// Most deposits remembered; what is queued beyond them is found once there is room.
const IDS_MAX: usize = 100_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    /// Left out until this block.
    LeftOut(u64),
    /// Made shares of in this block, which is not final yet.
    Done(u64),
}

/// Deposits by id, and how far the chain has been searched.
#[derive(Clone, Debug)]
pub struct Index {
    ids: BTreeMap<u64, State>,
    next_block: u64,
    asked: Option<u64>,
}

impl Index {
    /// Nothing is known before `first_block`.
    pub fn new(first_block: u64) -> Index {
        Index { ids: BTreeMap::new(), next_block: first_block, asked: None }
    }

    /// The blocks to search next, both included, if final ones are left and no search is under way.
    pub fn search(&mut self, final_block: u64, span: u64) -> Option<(u64, u64)> {
        if self.asked.is_some() || self.next_block > final_block || self.ids.len() >= IDS_MAX {
            return None;
        }
        let upto = final_block.min(self.next_block.saturating_add(span.max(1) - 1));
        self.asked = Some(upto);
        Some((self.next_block, upto))
    }

    /// The search under way got no answer: it is made again.
    pub fn forget_search(&mut self) {
        self.asked = None;
    }

    /// Takes the answer to a search.
    pub fn found(&mut self, upto: u64, found: &[Found]) {
        if self.asked.take_if(|asked| *asked == upto).is_none() {
            return;
        }
        for deposit in found {
            match *deposit {
                Found::Initiated(id) => {
                    self.ids.entry(id).or_insert(State::Waiting);
                }
                Found::Processed(id) => {
                    self.ids.remove(&id);
                }
            }
        }
        self.next_block = upto.saturating_add(1);
        // Its block is final and holds no such event: a reorg took the transaction.
        for state in self.ids.values_mut() {
            if matches!(*state, State::Done(block) if block <= upto) {
                *state = State::Waiting;
            }
        }
    }

    /// Whether every final block has been searched.
    pub fn is_complete(&self, final_block: u64) -> bool {
        self.next_block > final_block || self.ids.len() >= IDS_MAX
    }

    /// The oldest deposits that may become shares now.
    pub fn due(&self, block: u64, most: usize) -> Vec<u64> {
        let due = |state: &State| match state {
            State::Waiting => true,
            State::LeftOut(until) => block >= *until,
            State::Done(_) => false,
        };
        self.ids.iter().filter(|(_, state)| due(state)).map(|(id, _)| *id).take(most).collect()
    }

    /// Leaves one out until a later block.
    pub fn leave_out(&mut self, id: u64, until: u64) {
        self.put(id, State::LeftOut(until));
    }

    /// These became shares in this block.
    pub fn done(&mut self, ids: &[u64], block: u64) {
        ids.iter().for_each(|id| self.put(*id, State::Done(block)));
    }

    fn put(&mut self, id: u64, new: State) {
        if let Some(state) = self.ids.get_mut(&id) {
            *state = new;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_past_is_searched_span_by_span() {
        let mut index = Index::new(100);
        assert_eq!(index.search(99, 10), None);
        assert_eq!(index.search(125, 10), Some((100, 109)));
        assert_eq!(index.search(125, 10), None, "one at a time");
        index.forget_search();
        assert_eq!(index.search(125, 10), Some((100, 109)));
        index.found(108, &[Found::Initiated(9)]);
        assert_eq!(index.due(0, 9), [0; 0], "an answer to no question");
        index.found(109, &[Found::Initiated(0), Found::Initiated(1), Found::Processed(0)]);
        assert_eq!((index.due(0, 9), index.is_complete(125)), (vec![1], false));
        assert_eq!(index.search(125, 100), Some((110, 125)));
        index.found(125, &[]);
        assert!(index.is_complete(125) && !index.is_complete(126));
    }

    #[test]
    fn a_deposit_comes_back_when_its_wait_or_its_block_is_over() {
        let mut index = Index::new(0);
        let initiated: Vec<Found> = (0..4).map(Found::Initiated).collect();
        assert_eq!(index.search(5, 10), Some((0, 5)));
        index.found(5, &initiated);
        assert_eq!(index.due(5, 3), [0, 1, 2]);
        index.leave_out(0, 9);
        index.done(&[1, 2], 7);
        assert_eq!((index.due(8, 9), index.due(9, 9)), (vec![3], vec![0, 3]));
        assert_eq!(index.search(7, 10), Some((6, 7)));
        index.found(7, &[Found::Processed(1)]);
        assert_eq!(index.due(9, 9), [0, 2, 3], "2 was done in a block that is not there any more");
    }
}
