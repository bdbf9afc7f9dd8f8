//! The sentry's own session key, of which nothing can be had but proofs for logging in.

use crate::base::time::Nanos;
use crate::derive::action::login::login_digest;
use crate::derive::dialect::Address;
use crate::engine::ports::Key;

/// A key that logs in. What it could sign besides has no way out of here.
pub struct Badge<K>(K);

impl<K: Key> Badge<K> {
    /// Over a session key.
    pub fn new(key: K) -> Badge<K> {
        Badge(key)
    }

    /// The key's address.
    pub fn address(&self) -> Address {
        self.0.address()
    }

    /// The signed moment in unix ms, and its signature.
    pub fn prove(&mut self, venue_at: Nanos) -> (u64, [u8; 65]) {
        let timestamp_ms = venue_at.ms();
        (timestamp_ms, self.0.sign(&login_digest(timestamp_ms)))
    }
}
