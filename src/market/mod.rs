//! Instruments and what they are worth.

pub mod instrument;
