//! Why a connection could not be made, or ended: a word for the engine, a sentence for the operator.

use std::fmt;

use super::address::AddressError;
use super::frame::{CLOSE_WITHOUT_CODE, Violation};
use super::handshake::Refusal;
use crate::engine::ports::DownReason;

/// Why a transport could not be made.
#[derive(Debug)]
pub enum SetupError {
    /// The address is not one.
    Address(AddressError),
    /// TLS cannot be set up.
    Tls(String),
    /// The system gave no poll, thread or randomness.
    System(std::io::Error),
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SetupError::Address(error) => error.fmt(f),
            SetupError::Tls(why) => f.write_str(why),
            SetupError::System(cause) => write!(f, "the system refused what a socket needs: {cause}"),
        }
    }
}

impl std::error::Error for SetupError {}

/// Why the last connection, or attempt, ended; for the operator.
#[derive(Debug)]
pub enum Trouble {
    /// The host has no address.
    NoAddress,
    /// TCP or TLS failed.
    Io(std::io::Error),
    /// It took longer than `connect_ns_max`.
    TooSlow,
    /// The upgrade was refused.
    Refused(Refusal),
    /// A frame broke the protocol.
    Frame(Violation),
    /// The peer closed, with this status.
    Closed(u16),
    /// The stream ended without a close frame.
    Ended,
    /// No pong came.
    Silent,
    /// We asked for it.
    Asked,
}

impl Trouble {
    /// The engine's word for it.
    pub fn reason(&self) -> DownReason {
        match self {
            Trouble::NoAddress | Trouble::Io(_) | Trouble::TooSlow => DownReason::Io,
            Trouble::Refused(_) => DownReason::Upgrade,
            Trouble::Frame(_) => DownReason::Protocol,
            Trouble::Closed(_) | Trouble::Ended => DownReason::Closed,
            Trouble::Silent => DownReason::Silent,
            Trouble::Asked => DownReason::Asked,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::NoAddress => f.write_str("the host has no address"),
            Trouble::Io(cause) => write!(f, "connection failed: {cause}"),
            Trouble::TooSlow => f.write_str("connecting took too long"),
            Trouble::Refused(Refusal::Status(status)) => write!(f, "upgrade refused with HTTP status {status}"),
            Trouble::Refused(refusal) => write!(f, "upgrade answer unusable: {refusal:?}"),
            Trouble::Frame(violation) => write!(f, "protocol violated: {violation:?}"),
            Trouble::Closed(CLOSE_WITHOUT_CODE) => f.write_str("closed by the peer"),
            Trouble::Closed(code) => write!(f, "closed by the peer with status {code}"),
            Trouble::Ended => f.write_str("the stream ended without a close frame"),
            Trouble::Silent => f.write_str("pings went unanswered"),
            Trouble::Asked => f.write_str("dropped on request"),
        }
    }
}

impl From<std::io::Error> for Trouble {
    fn from(cause: std::io::Error) -> Trouble {
        Trouble::Io(cause)
    }
}
