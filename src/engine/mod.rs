//! House rules of the pipeline: ports, actors, lanes and the core loop.

pub mod ports;
