//! Keel runs strategy vaults on the Derive exchange.

pub mod account;
pub mod actors;
pub mod base;
pub mod chain;
pub mod cli;
pub mod config;
pub mod derive;
pub mod engine;
pub mod exchange;
pub mod io;
pub mod market;
pub mod msg;
pub mod ops;
pub mod risk;
pub mod sim;
pub mod strategy;
pub mod topology;
