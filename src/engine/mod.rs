//! House rules of the pipeline: ports, actors and the core loop.

pub mod actor;
pub mod ports;
