//! A world in one thread: virtual time, wires in memory, a journal in memory. The pipeline cannot tell the difference.

pub mod ports;
pub mod record;
pub mod venue;
