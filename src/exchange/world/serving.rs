//! One loopback HTTP service on its own thread with its own small runtime, stopped when dropped.

use axum::Router;
use std::net::{SocketAddr, TcpListener};
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// A running service. Dropping it closes its listener and every connection, and waits for its thread.
#[derive(Debug)]
pub struct Serving {
    local_addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Serving {
    /// Binds at once, so that a taken port is an error here, and serves from a thread of the given name.
    pub fn spawn(name: &str, listen: SocketAddr, router: Router) -> std::io::Result<Serving> {
        let listener = TcpListener::bind(listen)?;
        listener.set_nonblocking(true)?;
        let local_addr = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let serve = async move {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            // Upgraded connections are tasks of this runtime and end with it.
            tokio::select! {
                result = axum::serve(listener, router) => result,
                _ = stopped => Ok(()),
            }
        };
        let thread = std::thread::Builder::new().name(name.into()).spawn(move || {
            // An accept loop has no way to fail that the owner could mend: the peers see a closed port.
            let _ = runtime.block_on(serve);
        })?;
        Ok(Serving { local_addr, stop: Some(stop), thread: Some(thread) })
    }

    /// The bound address.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
