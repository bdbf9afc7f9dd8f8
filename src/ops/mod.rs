//! Around the pipeline: start-up, supervision, news and reports.

pub mod blueprint;
pub mod bootstrap;
pub mod rest;
