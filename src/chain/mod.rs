//! What is read from Ethereum, off the pipeline.

pub mod ratio;
