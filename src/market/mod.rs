//! Instruments and what they are worth.

pub mod black76;
pub mod carry;
pub mod decay;
pub mod fair;
pub mod forward;
pub mod instrument;
pub mod svi;
