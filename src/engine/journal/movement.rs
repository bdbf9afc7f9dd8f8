//! Capital moved, written before its signature leaves the signer.

use super::{RECORD, pack, unpack};
use crate::base::ids::{Nonce, SubaccountId, VaultId};
use crate::base::time::Nanos;
use crate::msg::Flow;

/// First byte of a movement record; its kind and version.
const MOVEMENT_V1: u8 = 0xA5;
const WITHDRAWAL: u8 = 1;

/// A movement of capital as the journal knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MovementRecord {
    /// When it was sealed.
    pub at: Nanos,
    /// Its name.
    pub nonce: Nonce,
    /// Vault.
    pub vault: VaultId,
    /// Subaccount.
    pub subaccount: SubaccountId,
    /// Which way.
    pub flow: Flow,
    /// How much, in the token's own decimals.
    pub amount: u128,
    /// Signature expiry, unix seconds.
    pub expires_s: u64,
}

impl MovementRecord {
    /// The bytes of the record, little endian.
    pub fn write(&self) -> [u8; RECORD] {
        let flags = if self.flow == Flow::Withdrawal { WITHDRAWAL } else { 0 };
        let head = [MOVEMENT_V1, self.vault.0, flags, 0, 0, 0, 0, 0];
        let (high, low) = ((self.amount >> 64) as u64, self.amount as u64);
        pack(head, [self.at.0, self.nonce.0, self.subaccount.0, high, low, self.expires_s, 0])
    }

    /// Reads a record; `None` if it is of another kind or version.
    pub fn read(bytes: &[u8]) -> Option<MovementRecord> {
        let (head, [at, nonce, subaccount, high, low, expires_s, _]) = unpack(bytes, MOVEMENT_V1)?;
        Some(MovementRecord {
            at: Nanos(at),
            nonce: Nonce(nonce),
            vault: VaultId(head[1]),
            subaccount: SubaccountId(subaccount),
            flow: if head[2] & WITHDRAWAL == WITHDRAWAL { Flow::Withdrawal } else { Flow::Deposit },
            amount: u128::from(high) << 64 | u128::from(low),
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
        fn writing_then_reading_is_identity(words in any::<[u64; 4]>(), amount in any::<u128>(), vault in any::<u8>(), out in any::<bool>()) {
            let record = MovementRecord {
                at: Nanos(words[0]),
                nonce: Nonce(words[1]),
                vault: VaultId(vault),
                subaccount: SubaccountId(words[2]),
                flow: if out { Flow::Withdrawal } else { Flow::Deposit },
                amount,
                expires_s: words[3],
            };
            prop_assert_eq!(MovementRecord::read(&record.write()), Some(record));
        }
    }
}
