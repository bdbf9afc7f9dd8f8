//! A world in one thread: virtual time, wires in memory, a journal in memory. The pipeline cannot tell the difference.
//! Beside it, where exchange and chain may meet: an embedded exchange's settlement on a real node.

pub mod evm;
pub mod judge;
pub mod lanes;
pub mod mandate_twin;
pub mod onchain;
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
