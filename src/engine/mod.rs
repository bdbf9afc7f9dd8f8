//! House rules of the pipeline: ports, actors, frames and the journal's records.

pub mod actor;
pub mod core;
pub mod ear;
pub mod frames;
pub mod journal;
pub mod latency;
pub mod ports;
pub mod rolling;
pub mod switch;
pub mod tape;
