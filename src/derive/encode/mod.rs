//! Requests as JSON-RPC text, written into fixed buffers without allocating.

pub mod capital;
pub mod order;
pub mod request;
pub mod rfq;
pub mod text;

use crate::derive::dialect::NonceUnit;
use std::fmt;

/// Why a request was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodeError {
    /// The buffer is too small.
    Full,
    /// A name, label or channel holds a byte that would need escaping, or is empty or over 128 bytes.
    Text,
    /// A nonce outside the range of the dialect's unit.
    Nonce,
    /// A moment outside the range of its unit (ten digits of seconds, thirteen of milliseconds).
    Time,
    /// A price, amount or fee that must not be negative is.
    Negative,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            EncodeError::Full => "request does not fit its buffer",
            EncodeError::Text => {
                "name holds a byte outside printable ASCII without quote and backslash, or is empty or over 128 bytes"
            }
            EncodeError::Nonce => "nonce is not of the dialect: nineteen digits of unix nanoseconds, or unix milliseconds and three digits",
            EncodeError::Time => "moment is not a ten-digit second or thirteen-digit millisecond count",
            EncodeError::Negative => "negative price, amount or fee",
        })
    }
}

impl std::error::Error for EncodeError {}

/// What stands around a nonce: v3 writes it as a text, v2 as a number.
const fn nonce_quote(unit: NonceUnit) -> &'static [u8] {
    match unit {
        NonceUnit::Nanos => b"\"",
        NonceUnit::MillisAndThreeDigits => b"",
    }
}
