//! What a vault has used of its mandate's loss budget, written before an order that may use more of it is signed.

use super::kind::LOSS_SUM_V1;
use super::{RECORD, pack, unpack};
use crate::base::ids::SubaccountId;
use crate::base::time::Nanos;
use crate::msg::LossSum;

/// The loss sum of the vault that trades for a subaccount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LossSumRecord {
    /// The vault's subaccount.
    pub subaccount: SubaccountId,
    /// Its sum.
    pub sum: LossSum,
}

impl LossSumRecord {
    /// The bytes of the record.
    pub fn write(&self) -> [u8; RECORD] {
        let LossSum { at, booked_e18, pending_e18 } = self.sum;
        pack([LOSS_SUM_V1, 0, 0, 0, 0, 0, 0, 0], [self.subaccount.0, at.0, booked_e18, pending_e18, 0, 0, 0])
    }

    /// Reads a record; `None` if it is of another kind or version.
    pub fn read(bytes: &[u8]) -> Option<LossSumRecord> {
        let (_, [subaccount, at, booked_e18, pending_e18, ..]) = unpack(bytes, LOSS_SUM_V1)?;
        let sum = LossSum { at: Nanos(at), booked_e18, pending_e18 };
        Some(LossSumRecord { subaccount: SubaccountId(subaccount), sum })
    }
}
