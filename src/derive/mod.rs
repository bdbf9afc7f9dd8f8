//! Derive's language: where it is spoken, what is signed, what is written to it and what it says back.

pub mod action;
pub mod dialect;
