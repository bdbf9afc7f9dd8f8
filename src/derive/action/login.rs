//! Login: the EIP-191 hash of the present moment's milliseconds as decimal text.

use alloy_primitives::keccak256;

use crate::derive::dialect::Word;

/// `keccak256("\x19Ethereum Signed Message:\n" ‖ length ‖ text)` of the decimal unix milliseconds.
pub fn login_digest(timestamp_ms: u64) -> Word {
    let mut digits = itoa::Buffer::new();
    let text = digits.format(timestamp_ms);
    let mut length = itoa::Buffer::new();
    let mut message = Vec::with_capacity(64);
    message.extend_from_slice(b"\x19Ethereum Signed Message:\n");
    message.extend_from_slice(length.format(text.len()).as_bytes());
    message.extend_from_slice(text.as_bytes());
    keccak256(message).0
}
