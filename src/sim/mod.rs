//! A world in one thread: virtual time, wires in memory, a journal in memory. The pipeline cannot tell the difference.

pub mod evm;
pub mod page;
pub mod ports;
pub mod record;
pub mod rig;
#[cfg(test)]
mod sample;
pub mod soak;
pub mod table;
pub mod text;
pub mod venue;
pub mod weeks;
