//! One leg of an executed quote, written before its signature leaves the signer.

use super::kind::LEG_V1;
use super::{RECORD, pack, unpack};
use crate::base::ids::{Nonce, Right, Side, SubaccountId, Uuid, VaultId};
use crate::base::num::{Amount, Price};
use crate::base::time::Nanos;

const BUY: u8 = 1;
const CALL: u8 = 1 << 1;

/// One leg of an execution. The option is told by its terms: places in the instrument table do not outlive a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LegRecord {
    /// When it was sealed.
    pub at: Nanos,
    /// Name of the execution; both legs bear it.
    pub nonce: Nonce,
    /// Vault.
    pub vault: VaultId,
    /// Subaccount.
    pub subaccount: SubaccountId,
    /// Which leg, from zero.
    pub leg: u8,
    /// Expiry of the option, unix seconds.
    pub expiry_s: u32,
    /// Strike.
    pub strike: Price,
    /// Call or put.
    pub right: Right,
    /// Side on which the vault ends up.
    pub side: Side,
    /// Price.
    pub price: Price,
    /// Amount.
    pub amount: Amount,
    /// Half of the quote's id: the high half in the first leg, the low half in the second.
    pub quote_half: u64,
}

impl LegRecord {
    /// The half of a quote's id that belongs into the record of a leg.
    pub fn half(quote_id: Uuid, leg: u8) -> u64 {
        if leg == 0 { (quote_id.0 >> 64) as u64 } else { quote_id.0 as u64 }
    }

    /// The bytes of the record.
    pub fn write(&self) -> [u8; RECORD] {
        let buy = if self.side == Side::Buy { BUY } else { 0 };
        let call = if self.right == Right::Call { CALL } else { 0 };
        let [a, b, c, d] = self.expiry_s.to_le_bytes();
        let words = [
            self.at.0,
            self.nonce.0,
            self.subaccount.0,
            self.strike.raw() as u64,
            self.price.raw() as u64,
            self.amount.raw() as u64,
            self.quote_half,
        ];
        pack([LEG_V1, self.vault.0, buy | call, self.leg, a, b, c, d], words)
    }

    /// Reads a record; `None` if it is of another kind or version.
    pub fn read(bytes: &[u8]) -> Option<LegRecord> {
        let ([_, vault, flags, leg, expiry @ ..], words) = unpack(bytes, LEG_V1)?;
        let [at, nonce, subaccount, strike, price, amount, quote_half] = words;
        Some(LegRecord {
            at: Nanos(at),
            nonce: Nonce(nonce),
            vault: VaultId(vault),
            subaccount: SubaccountId(subaccount),
            leg,
            expiry_s: u32::from_le_bytes(expiry),
            strike: Price::from_raw(strike as i64),
            right: if flags & CALL == CALL { Right::Call } else { Right::Put },
            side: if flags & BUY == BUY { Side::Buy } else { Side::Sell },
            price: Price::from_raw(price as i64),
            amount: Amount::from_raw(amount as i64),
            quote_half,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn writing_then_reading_is_identity(words in any::<[u64; 7]>(), bytes in any::<[u8; 2]>(), flags in any::<[bool; 2]>(), expiry_s in any::<u32>()) {
            let record = LegRecord {
                at: Nanos(words[0]),
                nonce: Nonce(words[1]),
                vault: VaultId(bytes[0]),
                subaccount: SubaccountId(words[2]),
                leg: bytes[1],
                expiry_s,
                strike: Price::from_raw(words[3] as i64),
                right: if flags[0] { Right::Call } else { Right::Put },
                side: if flags[1] { Side::Buy } else { Side::Sell },
                price: Price::from_raw(words[4] as i64),
                amount: Amount::from_raw(words[5] as i64),
                quote_half: words[6],
            };
            prop_assert_eq!(LegRecord::read(&record.write()), Some(record));
            prop_assert_eq!(super::super::OrderRecord::read(&record.write()), None);
        }
    }

    #[test]
    fn the_halves_of_a_quote_id_join_again() {
        let id = Uuid(0x0123_4567_89ab_cdef_fedc_ba98_7654_3210);
        assert_eq!(u128::from(LegRecord::half(id, 0)) << 64 | u128::from(LegRecord::half(id, 1)), id.0);
    }
}
