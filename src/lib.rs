//! Keel runs strategy vaults on the Derive exchange.

pub mod base;
pub mod derive;
pub mod engine;
pub mod market;
pub mod msg;
