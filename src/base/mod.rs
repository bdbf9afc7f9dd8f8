//! Words every other floor speaks: numbers, moments, names, queues.

pub mod buggify;
pub mod bytes;
pub mod digest;
pub mod ids;
#[cfg(test)]
pub(crate) mod literal;
pub mod nonce_unit;
pub mod num;
pub mod queue;
pub mod time;
