//! Login: the EIP-191 hash of the present moment's milliseconds as decimal text.

use alloy_primitives::keccak256;

use crate::derive::dialect::Word;

/// `keccak256("\x19Ethereum Signed Message:\n" ‖ length ‖ text)` of the decimal unix milliseconds.
pub fn login_digest(timestamp_ms: u64) -> Word {
    const PREFIX: &[u8; 26] = b"\x19Ethereum Signed Message:\n";
    let mut digits = itoa::Buffer::new();
    let text = digits.format(timestamp_ms).as_bytes();
    let mut length = itoa::Buffer::new();
    let length = length.format(text.len()).as_bytes();
    // The longest u64 has 20 digits, so its length has two.
    let mut message = [0; PREFIX.len() + 2 + 20];
    let mut len = 0;
    for part in [PREFIX, length, text] {
        message[len..len + part.len()].copy_from_slice(part);
        len += part.len();
    }
    keccak256(&message[..len]).0
}
