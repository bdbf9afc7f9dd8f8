//! Which deposits of a batch would go through: one bad id makes the whole call revert, so it is looked for by halves.

use crate::chain::refusal::Refusal;

/// Refusals that no choice of deposits can help.
const GENERAL: [&str; 8] = [
    "BTSA_Blocked",
    "BTSA_OnlyShareKeeper",
    "BLF_DataTooOld",
    "BLF_DataExpired",
    "LVF_MissingExpiryData",
    "LFF_MissingExpiryData",
    "SRM_NoForwardPrice",
    "CMTSA_PositionInsolvent",
];

/// The search among one batch.
#[derive(Clone, Debug)]
pub struct Bisect {
    parts: Vec<Vec<u64>>,
    good: Vec<u64>,
    /// The good ones are being tried together, after some were left out.
    last: bool,
    split: bool,
}

/// What follows from an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Another part must be tried.
    More,
    /// This id is bad; another part must be tried, or the search is over.
    LeftOut(u64, Refusal),
    /// No choice helps.
    Hopeless(Refusal),
}

impl Bisect {
    /// A search among these ids.
    pub fn new(ids: Vec<u64>) -> Bisect {
        Bisect { parts: vec![ids], good: Vec::new(), last: false, split: false }
    }

    /// What to try next; none when the search is over.
    pub fn next(&self) -> Option<&[u64]> {
        self.parts.last().map(Vec::as_slice)
    }

    /// The ids that pass together, once there is nothing more to try.
    pub fn good(&self) -> &[u64] {
        &self.good
    }

    /// The part tried last would pass.
    pub fn passed(&mut self) {
        let Some(part) = self.parts.pop() else { return };
        if self.last {
            return;
        }
        self.good.extend(part);
        self.close();
    }

    /// The part tried last would revert.
    pub fn refused(&mut self, why: Refusal) -> Verdict {
        let Some(mut part) = self.parts.pop() else { return Verdict::More };
        if self.last || GENERAL.contains(&why.to_string().as_str()) {
            self.good.clear();
            return Verdict::Hopeless(why);
        }
        self.split = true;
        if let [id] = part[..] {
            self.close();
            return Verdict::LeftOut(id, why);
        }
        let half = part.split_off(part.len() / 2);
        self.parts.extend([half, part]);
        Verdict::More
    }

    /// Those that pass one half at a time must pass together too: the first mints shares for the second.
    fn close(&mut self) {
        if self.parts.is_empty() && self.split && self.good.len() > 1 {
            self.last = true;
            self.parts.push(self.good.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::U256;
    use proptest::prelude::*;

    fn bad() -> Refusal {
        Refusal::Panic(U256::from(1))
    }

    #[test]
    fn one_refusal_that_no_choice_helps_ends_it() {
        let mut search = Bisect::new(vec![1, 2, 3]);
        let blocked = Refusal::Named("BTSA_OnlyShareKeeper");
        assert_eq!(search.refused(blocked.clone()), Verdict::Hopeless(blocked));
        assert_eq!((search.next(), search.good()), (None, &[][..]));
    }

    proptest! {
        /// Against a contract that refuses whatever holds a bad id: exactly the good ones are left, in few questions.
        #[test]
        fn exactly_the_bad_ones_are_left_out(bad_ids in prop::collection::btree_set(0_u64..64, 0..8), count in 1_u64..64) {
            let mut search = Bisect::new((0..count).collect());
            let (mut left_out, mut asked) = (Vec::new(), 0);
            while let Some(part) = search.next().map(<[u64]>::to_vec) {
                asked += 1;
                if part.iter().any(|id| bad_ids.contains(id)) {
                    match search.refused(bad()) {
                        Verdict::LeftOut(id, _) => left_out.push(id),
                        Verdict::More => {}
                        Verdict::Hopeless(why) => prop_assert!(false, "{why}"),
                    }
                } else {
                    search.passed();
                }
            }
            left_out.sort_unstable();
            let mut good = search.good().to_vec();
            good.sort_unstable();
            prop_assert_eq!(&left_out, &bad_ids.iter().copied().filter(|id| *id < count).collect::<Vec<_>>());
            prop_assert_eq!(good, (0..count).filter(|id| !bad_ids.contains(id)).collect::<Vec<_>>());
            prop_assert!(asked <= 2 * count + 1);
        }
    }
}
