//! What leaves the exchange: frames, HTTP replies and closed connections, in order.

/// Names a WebSocket connection for its lifetime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u64);

/// Names a pending HTTP request; chosen by the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HttpTicket(pub u64);

/// Something for the outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Out {
    /// A text frame for one connection.
    Text {
        /// The connection.
        conn: ConnId,
        /// One JSON document.
        text: String,
    },
    /// The reply to an HTTP request.
    Http {
        /// The request.
        ticket: HttpTicket,
        /// HTTP status.
        status: u16,
        /// One JSON document.
        body: String,
    },
    /// The exchange hangs up on a connection.
    Close {
        /// The connection.
        conn: ConnId,
    },
}

/// Outputs in the order they must leave.
pub type Outbox = Vec<Out>;
