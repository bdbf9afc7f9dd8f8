//! What a vault must keep, written whenever it changes, so that a restart spends none of it.

use super::kind::PRINCIPAL_V1;
use super::{RECORD, pack, unpack};
use crate::base::ids::SubaccountId;
use crate::base::num::{Amount, Ratio};
use crate::msg::Principal;

/// The principal of the vault that trades for a subaccount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrincipalRecord {
    /// The vault's subaccount.
    pub subaccount: SubaccountId,
    /// What it must keep.
    pub principal: Principal,
}

impl PrincipalRecord {
    /// The bytes of the record.
    pub fn write(&self) -> [u8; RECORD] {
        let Principal { base, rate } = self.principal;
        let words = [self.subaccount.0, base.raw() as u64, rate.raw() as u64, 0, 0, 0, 0];
        pack([PRINCIPAL_V1, 0, 0, 0, 0, 0, 0, 0], words)
    }

    /// Reads a record; `None` if it is of another kind or version.
    pub fn read(bytes: &[u8]) -> Option<PrincipalRecord> {
        let (_, [subaccount, base, rate, ..]) = unpack(bytes, PRINCIPAL_V1)?;
        let principal = Principal { base: Amount::from_raw(base as i64), rate: Ratio::from_raw(rate as i64) };
        Some(PrincipalRecord { subaccount: SubaccountId(subaccount), principal })
    }
}
