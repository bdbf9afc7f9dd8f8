//! Around the pipeline: start-up, threads, supervision, news and reports.

pub mod auction_news;
pub mod blueprint;
pub mod bootstrap;
pub mod console;
pub mod control;
pub mod crash_loop;
pub mod engine;
pub mod herald;
pub mod journal;
pub mod keeping;
pub mod lister;
pub mod news;
pub mod recovery;
pub mod replay;
pub mod report;
pub mod rest;
pub mod roster;
pub mod sentry;
pub mod wall;
