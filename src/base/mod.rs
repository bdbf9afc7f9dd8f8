//! Words every other floor speaks: numbers, moments, names, queues.

pub mod ids;
pub mod num;
pub mod queue;
pub mod time;
