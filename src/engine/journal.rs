//! What an order record in the journal looks like: enough to know, after any crash, which nonces are spent and on what.

use crate::base::ids::{InstrumentId, Nonce, Side, SubaccountId, VaultId};
use crate::base::num::{Amount, Price};
use crate::base::time::Nanos;

/// Length of an order record.
pub const ORDER_RECORD: usize = 64;
/// First byte of an order record; its version.
const ORDER_V1: u8 = 0xA1;

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
}

impl OrderRecord {
    /// The bytes of the record, little endian.
    pub fn write(&self) -> [u8; ORDER_RECORD] {
        let mut out = [0u8; ORDER_RECORD];
        out[0] = ORDER_V1;
        out[1] = self.vault.0;
        out[2..4].copy_from_slice(&self.instrument.0.to_le_bytes());
        out[4] = u8::from(self.side == Side::Buy);
        let words = [
            self.at.0,
            self.nonce.0,
            self.replaces.0,
            self.subaccount.0,
            self.price.raw() as u64,
            self.amount.raw() as u64,
            self.expires_s,
        ];
        for (place, word) in out[8..].as_chunks_mut::<8>().0.iter_mut().zip(words) {
            *place = word.to_le_bytes();
        }
        out
    }

    /// Reads a record; `None` if it is of another kind or version.
    pub fn read(bytes: &[u8]) -> Option<OrderRecord> {
        let bytes: &[u8; ORDER_RECORD] = bytes.try_into().ok()?;
        if bytes[0] != ORDER_V1 {
            return None;
        }
        let mut words = [0u64; 7];
        for (word, place) in words.iter_mut().zip(bytes[8..].as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*place);
        }
        let [at, nonce, replaces, subaccount, price, amount, expires_s] = words;
        Some(OrderRecord {
            at: Nanos(at),
            nonce: Nonce(nonce),
            replaces: Nonce(replaces),
            vault: VaultId(bytes[1]),
            subaccount: SubaccountId(subaccount),
            instrument: InstrumentId(u16::from_le_bytes([bytes[2], bytes[3]])),
            side: if bytes[4] == 1 { Side::Buy } else { Side::Sell },
            price: Price::from_raw(price as i64),
            amount: Amount::from_raw(amount as i64),
            expires_s,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn writing_then_reading_is_identity(words in any::<[u64; 7]>(), vault in any::<u8>(), id in any::<u16>(), buy in any::<bool>()) {
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
            };
            prop_assert_eq!(OrderRecord::read(&record.write()), Some(record));
        }
    }
}
