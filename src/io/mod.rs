//! The outside world: sockets, clock, disk, key and host, each behind a port of the engine.

pub mod claim;
pub mod clock;
pub mod dying;
pub mod fence;
pub mod host;
pub mod key;
pub mod lockdown;
pub mod map;
pub mod quarantine;
pub mod ring;
pub mod store;
pub mod switch;
pub mod tape;
pub mod websocket;
