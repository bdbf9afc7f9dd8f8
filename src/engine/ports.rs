//! The four openings to the outside: `Transport`, `Clock`, `Store`, `Key`. Live and simulated worlds implement the same four.
//!
//! Where the key is behind a process wall, `Wall` stands for key and journal.

use crate::base::time::Nanos;

/// What a connection says when polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// The connection is usable; everything sent before is gone.
    Up {
        /// Connections made so far.
        attempt: u32,
    },
    /// One whole text message, unmasked and reassembled.
    Text(&'a [u8]),
    /// The connection is lost; nothing handed to `send` is known to have arrived.
    Down(DownReason),
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DownReason {
    /// TCP or TLS failed, or could not be established.
    Io,
    /// The peer sent a close frame or end of stream.
    Closed,
    /// The WebSocket protocol or the frame size cap was violated.
    Protocol,
    /// Three pings went unanswered.
    Silent,
    /// The HTTP upgrade was refused.
    Upgrade,
    /// We asked for it.
    Asked,
}

/// A message connection that never blocks.
pub trait Transport {
    /// Does what can be done now (connect, read, write, ping, reconnect) and hands each event to `sink`.
    /// Returns true if anything happened.
    fn poll(&mut self, at: Nanos, sink: &mut dyn FnMut(Event<'_>)) -> bool;

    /// Queues one text message whole and starts writing it. False: not connected or the outgoing buffer is
    /// full, and nothing was taken. True means handed over, not delivered.
    fn send(&mut self, at: Nanos, text: &[u8]) -> bool;

    /// Drops the connection; the next poll reports `Down(Asked)` and reconnection starts.
    fn drop_connection(&mut self);
}

/// Source of moments.
pub trait Clock {
    /// The present moment; never earlier than the last answer.
    fn now(&mut self) -> Nanos;
}

/// Append-only record keeping that survives the death of this process once `append` has returned.
pub trait Store {
    /// Appends one record.
    fn append(&mut self, record: &[u8]);

    /// True if the next record begins a page that may outlive those before it.
    fn begins_page(&self) -> bool {
        false
    }

    /// False once little can be appended without waiting for a disk that gives no more room: what is left is for what
    /// cannot be refused.
    fn has_room(&mut self) -> bool {
        true
    }
}

/// The signing key, behind a wall: a 32-byte digest in, `r ‖ s ‖ v` out (low s, v 27 or 28).
pub trait Key {
    /// Signs a digest.
    fn sign(&mut self, digest: &[u8; 32]) -> [u8; 65];
    /// The Ethereum address of the key.
    fn address(&self) -> [u8; 20];
    /// Housekeeping between ticks, such as fresh blinding.
    fn refresh(&mut self) {}
}

/// Length of every message to the signer's process.
pub const ASK_BYTES: usize = 256;
/// Length of every message from the signer's process.
pub const ANSWER_BYTES: usize = 160;

/// The way to a signer in a process of its own. Nothing that comes out of it is trusted to be well-formed.
pub trait Wall {
    /// Messages that can be sent now.
    fn room(&mut self) -> usize;
    /// Sends a message; false if there is no room.
    fn send(&mut self, ask: &[u8; ASK_BYTES]) -> bool;
    /// The next answer, if any.
    fn receive(&mut self) -> Option<[u8; ANSWER_BYTES]>;
    /// False once the process is gone or the way to it is broken. May cost a system call.
    fn is_alive(&mut self) -> bool;
}
