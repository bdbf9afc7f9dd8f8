//! The outside of a replay: nothing comes from it, and whatever is said to it is gone.

use crate::base::time::Nanos;
use crate::derive::dialect::Address;
use crate::engine::ports::{ANSWER_BYTES, ASK_BYTES, Clock, Event, Key, Store, Transport, Wall};
use crate::engine::tape::Gate;

/// A connection that takes everything; whether it did then is on the tape.
pub(super) struct Deaf;

impl Transport for Deaf {
    fn poll(&mut self, _: Nanos, _: &mut dyn FnMut(Event<'_>)) -> bool {
        false
    }

    fn send(&mut self, _: Nanos, _: &[u8]) -> bool {
        true
    }

    fn drop_connection(&mut self) {}
}

/// A clock that nobody reads: moments are on the tape.
#[derive(Clone, Copy)]
pub(super) struct Still;

impl Clock for Still {
    fn now(&mut self) -> Nanos {
        Nanos::ZERO
    }
}

/// A journal that keeps nothing: it is there already.
pub(super) struct Forgetful;

impl Store for Forgetful {
    fn append(&mut self, _: &[u8]) {}
}

/// Gives the signatures that the tape has; for logins, which it does not have, zeros.
pub(super) struct Taped {
    pub(super) address: Address,
    pub(super) gate: Gate,
}

impl Key for Taped {
    fn sign(&mut self, _: &[u8; 32]) -> [u8; 65] {
        self.gate.signature().unwrap_or([0; 65])
    }

    fn address(&self) -> [u8; 20] {
        self.address
    }
}

/// A signer's process that takes everything; its answers are on the tape.
pub(super) struct Nobody;

impl Wall for Nobody {
    fn room(&mut self) -> usize {
        usize::MAX
    }

    fn send(&mut self, _: &[u8; ASK_BYTES]) -> bool {
        true
    }

    fn receive(&mut self) -> Option<[u8; ANSWER_BYTES]> {
        None
    }

    fn is_alive(&mut self) -> bool {
        true
    }
}
