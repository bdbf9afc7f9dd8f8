//! A refusal: the venue's error code, its message and what was wrong in particular.

use std::fmt;

/// A JSON-RPC error as the venue sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Derive error code (§4.3).
    pub code: i64,
    /// The fixed message of the code.
    pub message: &'static str,
    /// Particulars: which field, which limit.
    pub data: Option<String>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.message)?;
        match &self.data {
            Some(data) => write!(f, ": {data}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Refusal {}
