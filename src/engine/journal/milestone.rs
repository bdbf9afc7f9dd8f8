//! A phase entered by a vault, so that a restart resumes it with its clock.

use super::{RECORD, pack, unpack};
use crate::base::ids::SubaccountId;
use crate::base::num::{Amount, Cash, E9, Price, Rounding, div_round};
use crate::base::time::Nanos;
use crate::msg::{Milestone, Phase};

/// First byte of a milestone record; its kind and version.
const MILESTONE_V1: u8 = 0xA3;
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

/// Cash in nine decimals, rounded down: a budget read back is never larger than the one written.
fn coarse(cash: Cash) -> u64 {
    let raw = div_round(cash.raw(), i128::from(E9), Rounding::Floor);
    raw.clamp(i64::MIN.into(), i64::MAX.into()) as i64 as u64
}

fn fine(word: u64) -> Cash {
    Cash::from_raw(i128::from(word as i64) * i128::from(E9))
}

impl MilestoneRecord {
    /// The bytes of the record. Cash keeps nine decimals, expiries of this century keep all of theirs.
    pub fn write(&self) -> [u8; RECORD] {
        let Milestone { phase, started_at, expiry_s, strikes, budget, cash_at_start, base_at_start } = self.milestone;
        let [a, b, c, d] = u32::try_from(expiry_s).unwrap_or(u32::MAX).to_le_bytes();
        let words = [
            self.subaccount.0,
            started_at.0,
            strikes[0].raw() as u64,
            strikes[1].raw() as u64,
            coarse(budget),
            coarse(cash_at_start),
            base_at_start.raw() as u64,
        ];
        pack([MILESTONE_V1, phase as u8, 0, 0, a, b, c, d], words)
    }

    /// Reads a record; `None` if it is of another kind or version, or of a phase we do not know.
    pub fn read(bytes: &[u8]) -> Option<MilestoneRecord> {
        let ([_, phase, _, _, expiry @ ..], words) = unpack(bytes, MILESTONE_V1)?;
        let [subaccount, started_at, near, far, budget, cash_at_start, base_at_start] = words;
        let milestone = Milestone {
            phase: *PHASES.get(usize::from(phase))?,
            started_at: Nanos(started_at),
            expiry_s: u32::from_le_bytes(expiry).into(),
            strikes: [near, far].map(|raw| Price::from_raw(raw as i64)),
            budget: fine(budget),
            cash_at_start: fine(cash_at_start),
            base_at_start: Amount::from_raw(base_at_start as i64),
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
                cash_at_start: fine(cash[1] as u64),
                base_at_start: Amount::from_raw(words[3] as i64),
            };
            let record = MilestoneRecord { subaccount: SubaccountId(words[4]), milestone };
            prop_assert_eq!(MilestoneRecord::read(&record.write()), Some(record));
            prop_assert_eq!(super::super::LegRecord::read(&record.write()), None);
        }

        #[test]
        fn a_finer_budget_never_grows(raw in any::<i64>()) {
            let budget = Cash::from_raw(raw.into());
            let read = fine(coarse(budget));
            prop_assert!(read <= budget && (budget - read).raw() < i128::from(E9));
        }
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
