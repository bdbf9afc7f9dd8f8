//! The six actors of the pipeline. Each is a fold over messages; none reads a clock, a file or a socket.

pub mod auction;
pub mod gateway;
pub mod market_data;
pub mod pricing;
pub mod risk;
pub mod signer;
