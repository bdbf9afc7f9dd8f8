//! What a signature gives away at worst, written before it leaves the signer.

use super::kind::GIVEN_V1;
use super::{RECORD, pack, unpack};
use crate::base::ids::SubaccountId;
use crate::base::num::Cash;
use crate::base::time::Nanos;
use crate::engine::rolling::Given;

/// What one signature gives away, exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GivenRecord {
    /// When it was sealed.
    pub at: Nanos,
    /// Subaccount.
    pub subaccount: SubaccountId,
    /// How much, and in whose place.
    pub given: Given,
}

fn split(cash: Cash) -> [u64; 2] {
    [(cash.raw() >> 64) as u64, cash.raw() as u64]
}

fn join(high: u64, low: u64) -> Cash {
    Cash::from_raw((u128::from(high) << 64 | u128::from(low)) as i128)
}

impl GivenRecord {
    /// The bytes of the record, little endian.
    pub fn write(&self) -> [u8; RECORD] {
        let Given { away, back, back_at } = self.given;
        let ([away_high, away_low], [back_high, back_low]) = (split(away), split(back));
        let words = [self.at.0, self.subaccount.0, away_high, away_low, back_high, back_low, back_at.0];
        pack([GIVEN_V1, 0, 0, 0, 0, 0, 0, 0], words)
    }

    /// Reads a record; `None` if it is of another kind or version.
    pub fn read(bytes: &[u8]) -> Option<GivenRecord> {
        let (_, [at, subaccount, away_high, away_low, back_high, back_low, back_at]) = unpack(bytes, GIVEN_V1)?;
        let (away, back) = (join(away_high, away_low), join(back_high, back_low));
        let given = Given { away, back, back_at: Nanos(back_at) };
        Some(GivenRecord { at: Nanos(at), subaccount: SubaccountId(subaccount), given })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn writing_then_reading_is_identity(words in any::<[u64; 3]>(), [away, back] in any::<[i128; 2]>()) {
            let given = Given { away: Cash::from_raw(away), back: Cash::from_raw(back), back_at: Nanos(words[2]) };
            let record = GivenRecord { at: Nanos(words[0]), subaccount: SubaccountId(words[1]), given };
            prop_assert_eq!(GivenRecord::read(&record.write()), Some(record));
            prop_assert_eq!(super::super::OrderRecord::read(&record.write()), None);
        }
    }
}
