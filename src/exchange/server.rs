//! The thin shell: axum on loopback, one thread, one exchange, bounded queues to every peer.

use super::{Exchange, Outbox, Settings};
use crate::base::time::Nanos;
use std::net::SocketAddr;

/// What moves the market: prices, crowd and feeds.
pub trait World: Send {
    /// Called once before the first connection.
    fn start(&mut self, ex: &mut Exchange, at: Nanos, out: &mut Outbox);
    /// Called when due; returns the moment of the next turn.
    fn turn(&mut self, ex: &mut Exchange, at: Nanos, out: &mut Outbox) -> Nanos;
}

/// How to serve.
pub struct Options {
    /// Address to listen on; port 0 picks a free one.
    pub listen: SocketAddr,
    /// The exchange itself.
    pub settings: Settings,
    /// What moves the market, if anything.
    pub world: Option<Box<dyn World>>,
    /// Core to pin the exchange's thread to.
    pub core: Option<usize>,
}

/// A serving exchange. Dropping it stops it.
pub struct Running {
    /// The bound address.
    pub local_addr: SocketAddr,
}

impl Running {
    /// Asks the exchange to stop; returns at once.
    pub fn stop(&self) {}
    /// Waits until it has stopped.
    pub fn join(self) {}
    /// Runs `work` on the exchange between two requests and returns its result; `None` once stopped.
    pub fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Exchange, Nanos, &mut Outbox) -> T + Send + 'static,
    ) -> Option<T> {
        drop(work);
        None
    }
}

/// Binds, starts the thread and returns.
pub fn spawn(options: Options) -> std::io::Result<Running> {
    drop(options.world);
    Err(std::io::Error::other("the embedded exchange is not serving yet"))
}
