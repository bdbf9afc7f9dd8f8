//! Derive's language: where it is spoken, what is signed, what is written to it and what it says back.

pub mod action;
pub mod decode;
pub mod desk;
pub mod dialect;
pub mod encode;
pub mod errors;
pub mod feeds;
pub mod instrument;
pub mod request_id;
pub mod seal;
