//! How a vault stands, written when it is stopped, when a person resumes it, and when its run ends in order.

use super::kind::STANCE_V1;
use super::{RECORD, pack, unpack};
use crate::base::ids::SubaccountId;
use crate::base::time::Nanos;
use crate::msg::{Stance, StopReason};

/// The stance of the vault that trades for a subaccount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StanceRecord {
    /// The vault's subaccount.
    pub subaccount: SubaccountId,
    /// How it stands.
    pub stance: Stance,
}

impl StanceRecord {
    /// The bytes of the record: zero is free, any other number that of the reason and one.
    pub fn write(&self) -> [u8; RECORD] {
        let Stance { at, stopped } = self.stance;
        let why = stopped.map_or(0, |why| why as u8 + 1);
        pack([STANCE_V1, why, 0, 0, 0, 0, 0, 0], [self.subaccount.0, at.0, 0, 0, 0, 0, 0])
    }

    /// Reads a record; `None` if it is of another kind or version, or of a reason that only a newer program knows.
    pub fn read(bytes: &[u8]) -> Option<StanceRecord> {
        let ([_, why, ..], [subaccount, at, ..]) = unpack(bytes, STANCE_V1)?;
        let stopped = match why {
            0 => None,
            number => Some(*StopReason::ALL.get(usize::from(number) - 1)?),
        };
        Some(StanceRecord { subaccount: SubaccountId(subaccount), stance: Stance { at: Nanos(at), stopped } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_number_and_reads_as_it_was_written() {
        let free = Stance { at: Nanos(7), stopped: None };
        let stopped = StopReason::ALL.map(|why| Stance { at: Nanos(9), stopped: Some(why) });
        for (number, stance) in [free].into_iter().chain(stopped).enumerate() {
            let record = StanceRecord { subaccount: SubaccountId(3), stance };
            let mut bytes = record.write();
            assert_eq!(usize::from(bytes[1]), number);
            assert_eq!(StanceRecord::read(&bytes), Some(record));
            bytes[1] = StopReason::ALL.len() as u8 + 1;
            assert_eq!(StanceRecord::read(&bytes), None, "a newer program's");
        }
    }
}
