//! What a vault has lost lately, written at most every few seconds, so that a restart forgives nothing.

use super::kind::LOST_V1;
use super::{RECORD, pack, unpack};
use crate::base::ids::SubaccountId;
use crate::base::num::{Amount, Ratio};
use crate::base::time::Nanos;
use crate::msg::Lost;

/// The losses of the vault that trades for a subaccount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LostRecord {
    /// The vault's subaccount.
    pub subaccount: SubaccountId,
    /// What it has lost.
    pub lost: Lost,
}

impl LostRecord {
    /// The bytes of the record.
    pub fn write(&self) -> [u8; RECORD] {
        let Lost { at, peak, highest: [hour, day], traded: [traded_hour, traded_day] } = self.lost;
        let signed = [peak.raw(), hour.raw(), day.raw(), traded_hour.raw(), traded_day.raw()].map(|raw| raw as u64);
        let [peak, hour, day, traded_hour, traded_day] = signed;
        let words = [self.subaccount.0, at.0, peak, hour, day, traded_hour, traded_day];
        pack([LOST_V1, 0, 0, 0, 0, 0, 0, 0], words)
    }

    /// Reads a record; `None` if it is of another kind or version.
    pub fn read(bytes: &[u8]) -> Option<LostRecord> {
        let (_, [subaccount, at, peak, highest @ .., traded_hour, traded_day]) = unpack(bytes, LOST_V1)?;
        let lost = Lost {
            at: Nanos(at),
            peak: Amount::from_raw(peak as i64),
            highest: highest.map(|raw| Amount::from_raw(raw as i64)),
            traded: [traded_hour, traded_day].map(|raw| Ratio::from_raw(raw as i64)),
        };
        Some(LostRecord { subaccount: SubaccountId(subaccount), lost })
    }
}
