//! A phase entered by a vault, so that a restart resumes it with its clock.

use super::kind::{MILESTONE_V1, MILESTONE_V2};
use super::{RECORD, pack, unpack};
use crate::base::ids::SubaccountId;
use crate::base::num::{Amount, Cash, E9, Price, Rounding, div_round};
use crate::base::time::Nanos;
use crate::msg::{Milestone, Phase};

const PHASES: [Phase; 6] =
    [Phase::Boot, Phase::CollateralOnly, Phase::OptionAuction, Phase::AwaitSettlement, Phase::SpotAuction, Phase::Halt];

/// A milestone of the vault that trades for a subaccount. Vaults may change places in the configuration between runs,
/// and options change theirs in the instrument table: neither is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MilestoneRecord {
    /// The vault's subaccount.
    pub subaccount: SubaccountId,
    /// What was reached.
    pub milestone: Milestone,
}

/// Cash in nine decimals; a budget is rounded down and what was spent up, so that nothing is left over by rounding.
fn coarse(cash: Cash, rounding: Rounding) -> u64 {
    let raw = div_round(cash.raw(), i128::from(E9), rounding);
    raw.clamp(i64::MIN.into(), i64::MAX.into()) as i64 as u64
}

fn fine(word: u64) -> Cash {
    Cash::from_raw(i128::from(word as i64) * i128::from(E9))
}

impl MilestoneRecord {
    /// The bytes of the record. Cash keeps nine decimals, expiries of this century keep all of theirs. What is pledged
    /// is written as spent: the record before tells them apart.
    pub fn write(&self) -> [u8; RECORD] {
        let Milestone { phase, started_at, expiry_s, strikes, budget, spent, pledged, units } = self.milestone;
        let [a, b, c, d] = u32::try_from(expiry_s).unwrap_or(u32::MAX).to_le_bytes();
        let words = [
            self.subaccount.0,
            started_at.0,
            strikes[0].raw() as u64,
            strikes[1].raw() as u64,
            coarse(budget, Rounding::Floor),
            coarse(spent + pledged, Rounding::Ceil),
            units.raw() as u64,
        ];
        pack([MILESTONE_V2, phase as u8, 0, 0, a, b, c, d], words)
    }

    /// Reads a record; `None` if it is of another kind or version, or of a phase we do not know.
    pub fn read(bytes: &[u8]) -> Option<MilestoneRecord> {
        let now = unpack(bytes, MILESTONE_V2);
        // Of an auction written down before, nobody knows what is left.
        let unsaid = now.is_none();
        let ([_, phase, _, _, expiry @ ..], words) = now.or_else(|| unpack(bytes, MILESTONE_V1))?;
        let [subaccount, started_at, near, far, budget, spent, units] = words;
        let milestone = Milestone {
            phase: *PHASES.get(usize::from(phase))?,
            started_at: Nanos(started_at),
            expiry_s: u32::from_le_bytes(expiry).into(),
            strikes: [near, far].map(|raw| Price::from_raw(raw as i64)),
            budget: fine(budget),
            spent: fine(if unsaid { budget } else { spent }),
            pledged: Cash::ZERO,
            units: if unsaid { Amount::ZERO } else { Amount::from_raw(units as i64) },
        };
        Some(MilestoneRecord { subaccount: SubaccountId(subaccount), milestone })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn writing_then_reading_is_identity(words in any::<[u64; 5]>(), cash in any::<[i64; 2]>(), expiry_s in any::<u32>(), phase in 0usize..6) {
            let milestone = Milestone {
                phase: PHASES[phase],
                started_at: Nanos(words[0]),
                expiry_s: expiry_s.into(),
                strikes: [Price::from_raw(words[1] as i64), Price::from_raw(words[2] as i64)],
                budget: fine(cash[0] as u64),
                spent: fine(cash[1] as u64),
                pledged: Cash::ZERO,
                units: Amount::from_raw(words[3] as i64),
            };
            let record = MilestoneRecord { subaccount: SubaccountId(words[4]), milestone };
            prop_assert_eq!(MilestoneRecord::read(&record.write()), Some(record));
            prop_assert_eq!(super::super::LegRecord::read(&record.write()), None);
        }

        #[test]
        fn a_finer_budget_never_grows(raw in any::<i64>()) {
            let budget = Cash::from_raw(raw.into());
            let read = fine(coarse(budget, Rounding::Floor));
            prop_assert!(read <= budget && (budget - read).raw() < i128::from(E9));
            prop_assert!(fine(coarse(budget, Rounding::Ceil)) >= budget, "nor does what was spent shrink");
        }
    }

    #[test]
    fn an_auction_of_the_first_version_has_nothing_left() {
        let milestone = Milestone { budget: Cash::whole(50), units: Amount::ONE, ..Milestone::default() };
        let mut bytes = MilestoneRecord { subaccount: SubaccountId(1), milestone }.write();
        bytes[0] = MILESTONE_V1;
        let read = MilestoneRecord::read(&bytes).expect("still read").milestone;
        assert_eq!((read.budget, read.left(), read.units), (Cash::whole(50), Cash::ZERO, Amount::ZERO));
    }

    #[test]
    fn phases_stand_where_their_names_stand_and_others_are_refused() {
        for (place, phase) in PHASES.into_iter().enumerate() {
            assert_eq!(phase as usize, place);
            assert_eq!(phase.name(), Phase::NAMES[place]);
        }
        let milestone = Milestone::default();
        let mut bytes = MilestoneRecord { subaccount: SubaccountId(1), milestone }.write();
        bytes[1] = 6;
        assert_eq!(MilestoneRecord::read(&bytes), None);
        assert_eq!(MilestoneRecord::read(&bytes[..63]), None);
    }
}
