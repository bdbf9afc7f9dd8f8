//! What records in the journal look like: enough to know, after any crash, which nonces are spent and on what, and
//! where each vault stands in its week.

mod checkpoint;
mod execution;
mod given;
mod loss_sum;
mod lost;
mod milestone;
mod movement;
mod note;
mod principal;
mod replay;
mod signature;
mod stance;

use crate::base::ids::{InstrumentId, Nonce, Side, SubaccountId, VaultId};
use crate::base::num::{Amount, Cash, E18, Price, Rounding, div_round};
use crate::base::time::Nanos;
pub use checkpoint::{FloorRecord, PinRecord, SumRecord, WithdrawnRecord};
pub use execution::LegRecord;
pub use given::GivenRecord;
use kind::ORDER_V1;
pub use loss_sum::LossSumRecord;
pub use lost::LostRecord;
pub use milestone::MilestoneRecord;
pub use movement::MovementRecord;
pub use note::{NoteRecord, Notes};
pub use principal::PrincipalRecord;
pub use replay::Replay;
pub use signature::SignatureRecord;
pub use stance::StanceRecord;

/// Length of every record.
pub const RECORD: usize = 64;
/// First byte of every record: its kind and version. A byte is never used again for another.
mod kind {
    pub const ORDER_V1: u8 = 0xA1;
    pub const LEG_V1: u8 = 0xA2;
    /// Did not say what was spent.
    pub const MILESTONE_V1: u8 = 0xA3;
    pub const MILESTONE_V2: u8 = 0xA4;
    pub const FLOOR_V1: u8 = 0xA5;
    pub const SUM_V1: u8 = 0xA6;
    pub const PIN_V1: u8 = 0xA7;
    pub const MOVEMENT_V1: u8 = 0xA8;
    pub const WITHDRAWN_V1: u8 = 0xA9;
    pub const PRINCIPAL_V1: u8 = 0xAA;
    pub const SIGNATURE_V1: u8 = 0xAB;
    pub const LOST_V1: u8 = 0xAC;
    pub const GIVEN_V1: u8 = 0xAD;
    pub const STANCE_V1: u8 = 0xAE;
    pub const LOSS_SUM_V1: u8 = 0xAF;
}

/// Writes eight bytes of head and seven little-endian words.
fn pack(head: [u8; 8], words: [u64; 7]) -> [u8; RECORD] {
    let mut out = [0; RECORD];
    out[..8].copy_from_slice(&head);
    for (place, word) in out[8..].as_chunks_mut::<8>().0.iter_mut().zip(words) {
        *place = word.to_le_bytes();
    }
    out
}

/// Reads what [`pack`] wrote, if it is of this kind and version.
fn unpack(bytes: &[u8], kind: u8) -> Option<([u8; 8], [u64; 7])> {
    let bytes: &[u8; RECORD] = bytes.try_into().ok()?;
    let (head, rest) = bytes.split_first_chunk::<8>()?;
    let mut words = [0; 7];
    for (word, place) in words.iter_mut().zip(rest.as_chunks::<8>().0) {
        *word = u64::from_le_bytes(*place);
    }
    (head[0] == kind).then_some((*head, words))
}

/// An order as the journal knows it, written before its signature leaves the signer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderRecord {
    /// When it was sealed.
    pub at: Nanos,
    /// Its name.
    pub nonce: Nonce,
    /// Name of the order it replaces, zero if none.
    pub replaces: Nonce,
    /// Vault.
    pub vault: VaultId,
    /// Subaccount.
    pub subaccount: SubaccountId,
    /// Instrument.
    pub instrument: InstrumentId,
    /// Side.
    pub side: Side,
    /// Limit price.
    pub price: Price,
    /// Amount.
    pub amount: Amount,
    /// Signature expiry, unix seconds.
    pub expires_s: u64,
    /// What the signer counted it with; nothing in records of older programs.
    pub charged: Charged,
    /// It is of a perp; false in records of older programs.
    pub perp: bool,
}

/// Money in three bytes, rounded up to at most one part in half a million: 20 bits of whole units and 4 of a shift.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Charged([u8; 3]);

impl Charged {
    /// Rounds up; beyond 3 · 10^10 it is that.
    pub fn of(cash: Cash) -> Charged {
        const MANTISSA_MAX: u64 = (1 << 20) - 1;
        let units = div_round(cash.raw().max(0), E18, Rounding::Ceil);
        let mut mantissa = u64::try_from(units).unwrap_or(u64::MAX).min(MANTISSA_MAX << 15);
        let mut shift = 0;
        while mantissa > MANTISSA_MAX {
            mantissa = mantissa.div_ceil(2);
            shift += 1;
        }
        let [_, high, middle, low] = ((shift << 20 | mantissa) as u32).to_be_bytes();
        Charged([high, middle, low])
    }

    /// The money.
    pub fn cash(self) -> Cash {
        let [high, middle, low] = self.0;
        let bits = u32::from_be_bytes([0, high, middle, low]);
        Cash::whole(i64::from(bits & 0xF_FFFF) << (bits >> 20))
    }
}

const BUY: u8 = 1;
const PERP: u8 = 1 << 1;

impl OrderRecord {
    /// The bytes of the record, little endian.
    pub fn write(&self) -> [u8; RECORD] {
        let [low, high] = self.instrument.0.to_le_bytes();
        let flags = if self.side == Side::Buy { BUY } else { 0 } | if self.perp { PERP } else { 0 };
        let Charged([a, b, c]) = self.charged;
        let head = [ORDER_V1, self.vault.0, low, high, flags, a, b, c];
        let words = [
            self.at.0,
            self.nonce.0,
            self.replaces.0,
            self.subaccount.0,
            self.price.raw() as u64,
            self.amount.raw() as u64,
            self.expires_s,
        ];
        pack(head, words)
    }

    /// Reads a record; `None` if it is of another kind or version.
    pub fn read(bytes: &[u8]) -> Option<OrderRecord> {
        let (head, [at, nonce, replaces, subaccount, price, amount, expires_s]) = unpack(bytes, ORDER_V1)?;
        Some(OrderRecord {
            at: Nanos(at),
            nonce: Nonce(nonce),
            replaces: Nonce(replaces),
            vault: VaultId(head[1]),
            subaccount: SubaccountId(subaccount),
            instrument: InstrumentId(u16::from_le_bytes([head[2], head[3]])),
            side: if head[4] & BUY == BUY { Side::Buy } else { Side::Sell },
            price: Price::from_raw(price as i64),
            amount: Amount::from_raw(amount as i64),
            expires_s,
            charged: Charged([head[5], head[6], head[7]]),
            perp: head[4] & PERP == PERP,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn writing_then_reading_is_identity(words in any::<[u64; 7]>(), vault in any::<u8>(), id in any::<u16>(), [buy, perp] in any::<[bool; 2]>(), charged in any::<[u8; 3]>()) {
            let record = OrderRecord {
                at: Nanos(words[0]),
                nonce: Nonce(words[1]),
                replaces: Nonce(words[2]),
                vault: VaultId(vault),
                subaccount: SubaccountId(words[3]),
                instrument: InstrumentId(id),
                side: if buy { Side::Buy } else { Side::Sell },
                price: Price::from_raw(words[4] as i64),
                amount: Amount::from_raw(words[5] as i64),
                expires_s: words[6],
                charged: Charged(charged),
                perp,
            };
            prop_assert_eq!(OrderRecord::read(&record.write()), Some(record));
        }
    }

    proptest! {
        #[test]
        fn what_was_charged_is_kept_to_a_millionth_and_never_less(raw in 0i128..30_000_000_000 * E18) {
            let (cash, kept) = (Cash::from_raw(raw), Charged::of(Cash::from_raw(raw)).cash());
            prop_assert!(kept >= cash && kept.raw() <= raw + raw / 500_000 + E18, "{cash} {kept}");
        }
    }

    /// A record as the first version of the journal wrote it.
    #[test]
    fn old_records_stay_readable() {
        let mut old = [0u8; RECORD];
        old[..8].copy_from_slice(&[0xA1, 3, 0x02, 0x01, 1, 0, 0, 0]);
        for (place, word) in [7u64, 11, 10, 42, 2_568_890_000_000, 100_000_000, 1_763_683_500].into_iter().enumerate() {
            old[8 + 8 * place..16 + 8 * place].copy_from_slice(&word.to_le_bytes());
        }
        let record = OrderRecord::read(&old).expect("an order");
        assert_eq!((record.vault, record.instrument, record.side), (VaultId(3), InstrumentId(0x0102), Side::Buy));
        assert_eq!((record.at, record.nonce, record.replaces), (Nanos(7), Nonce(11), Nonce(10)));
        assert_eq!((record.price.to_string(), record.amount.to_string()), ("2568.89".into(), "0.1".into()));
        assert_eq!((record.subaccount, record.expires_s), (SubaccountId(42), 1_763_683_500));
        assert_eq!((record.charged.cash(), record.perp), (Cash::ZERO, false));
        assert_eq!(record.write(), old);
    }
}
