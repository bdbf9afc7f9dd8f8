//! What the v2 contract signers compute, in their own integers: the verdict of the chain before the chain is asked.
//!
//! Everything here is pure, total and free of floating point. A value in 18 decimals is a `U256` or an `I256`, as in
//! the contracts; where a contract reverts, the function returns the [`Revert`](revert::Revert) of the same name.

pub mod action;
pub mod basis;
pub mod black76;
pub mod collateral;
pub mod covered_call;
pub mod decode;
pub mod ema;
pub mod feeds;
pub mod fixed;
pub mod normal;
pub mod option_id;
pub mod revert;
pub mod shares;
pub mod spread;
pub mod svi;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod series;
