//! What is read from Ethereum, and the vaults of v2 that sign by contract; off the pipeline.

pub mod abi;
pub mod ratio;
pub mod refusal;
