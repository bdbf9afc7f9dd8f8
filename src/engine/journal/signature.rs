//! The record of what a vault's contract is asked to sign, so that a start can tell the live signature from a stranger's.

use super::kind::SIGNATURE_V1;
use super::{RECORD, pack, unpack};
use crate::base::ids::{Nonce, SubaccountId};
use crate::msg::HeldSignature;

/// The digest of an order or a movement of capital, written behind its own record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignatureRecord {
    /// Subaccount.
    pub subaccount: SubaccountId,
    /// What the contract is asked to sign.
    pub signature: HeldSignature,
}

impl SignatureRecord {
    /// The bytes of the record, little endian; the digest as it is.
    pub fn write(&self) -> [u8; RECORD] {
        let HeldSignature { nonce, moves, digest, expires_s } = self.signature;
        let mut words = [nonce.0, self.subaccount.0, expires_s, 0, 0, 0, 0];
        for (word, part) in words[3..].iter_mut().zip(digest.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*part);
        }
        pack([SIGNATURE_V1, u8::from(moves), 0, 0, 0, 0, 0, 0], words)
    }

    /// Reads a record; `None` if it is of another kind or version.
    pub fn read(bytes: &[u8]) -> Option<SignatureRecord> {
        let (head, [nonce, subaccount, expires_s, parts @ ..]) = unpack(bytes, SIGNATURE_V1)?;
        let mut digest = [0; 32];
        for (place, part) in digest.as_chunks_mut::<8>().0.iter_mut().zip(parts) {
            *place = part.to_le_bytes();
        }
        let signature = HeldSignature { nonce: Nonce(nonce), moves: head[1] != 0, digest, expires_s };
        Some(SignatureRecord { subaccount: SubaccountId(subaccount), signature })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn writing_then_reading_is_identity(words in any::<[u64; 3]>(), digest in any::<[u8; 32]>(), moves: bool) {
            let signature = HeldSignature { nonce: Nonce(words[0]), moves, digest, expires_s: words[1] };
            let record = SignatureRecord { subaccount: SubaccountId(words[2]), signature };
            prop_assert_eq!(SignatureRecord::read(&record.write()), Some(record));
        }
    }
}
