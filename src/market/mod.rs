//! Instruments and what they are worth.

mod belief;
pub mod black76;
pub mod carry;
pub mod collateral;
pub mod decay;
pub mod fair;
pub mod forward;
pub mod instrument;
pub mod option_line;
pub mod svi;
