//! What is read from Ethereum, and the vaults of v2 that sign by contract; off the pipeline.

pub mod abi;
pub mod account;
pub mod call;
pub mod feed;
pub mod keeper;
pub mod lane;
pub mod node;
pub mod oracle;
pub mod preflight;
pub mod presign;
pub mod ratio;
pub mod refusal;
pub mod service;
pub mod signer;
