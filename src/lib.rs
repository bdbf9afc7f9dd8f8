//! Keel runs strategy vaults on the Derive exchange.

pub mod base;
pub mod engine;
pub mod exchange;
