//! The sentry: another process, on another host if there is one, with a session and a key of its own. It hears the engine's
//! beat and cancels everything when it stops; it can place nothing.
//!
//! The venue's own cancel-on-disconnect reaches only some orders, and only once the venue has noticed. Nothing here, nor
//! anything it names, knows the risk desk, the strategies or the sealing of orders: `tests/sentry_reach.rs` follows every
//! import.

mod badge;
pub mod beat;
pub mod guard;
pub mod words;

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use badge::Badge;
use beat::{BEAT_BYTES, Ear, NoBeat};
use guard::{Guard, In, Out, Terms, Word};

use crate::base::time::{Nanos, SEC};
use crate::engine::ports::{Clock, Key, Transport};

/// How often it looks: far below every time it keeps.
const LOOK: Duration = Duration::from_millis(1);
/// Datagrams taken in one look; a flood waits, and what overflows the socket is lost.
const BURST: usize = 64;
/// Refused datagrams are told of at most this often.
const TELL_NS: u64 = SEC;

/// A moment of the wall clock, which is what engine and sentry share.
pub fn wall_now() -> Nanos {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Nanos(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

/// Listens for beats.
///
/// # Errors
/// Address and reason, in words.
pub fn listen(address: SocketAddr) -> Result<UdpSocket, String> {
    let socket = UdpSocket::bind(address).and_then(|socket| socket.set_nonblocking(true).map(|()| socket));
    socket.map_err(|why| format!("cannot hear beats on {address}: {why}"))
}

/// The way to the venue, and time.
pub struct Outside<T, C> {
    /// The venue.
    pub venue: T,
    /// Beats.
    pub beats: UdpSocket,
    /// Moments.
    pub clock: C,
}

/// Watches until `stop`; every word for people goes to `tell`.
pub fn run<T: Transport, C: Clock, K: Key>(
    (terms, badge, mut ear): (Terms, Badge<K>, Ear),
    mut outside: Outside<T, C>,
    stop: &AtomicBool,
    tell: &mut dyn FnMut(Told<'_>),
) {
    let Outside { venue, beats, clock } = &mut outside;
    let mut guard = Guard::new(clock.now(), terms, badge);
    let mut out = Out::default();
    let mut told_at = Nanos::ZERO;
    while !stop.load(Ordering::Relaxed) {
        let at = clock.now();
        let mut page = [0; BEAT_BYTES + 1];
        for _ in 0..BURST {
            let length = match beats.recv(&mut page) {
                Ok(length) => length,
                Err(why) if why.kind() == ErrorKind::WouldBlock => break,
                Err(_) => continue, // an earlier datagram's fate; the next may be sound
            };
            match ear.hear(wall_now(), &page[..length]) {
                Ok(beat) => guard.on(at, In::Beat(&beat), &mut out),
                Err(why) if at.since(told_at) >= TELL_NS => {
                    told_at = at;
                    tell(Told::NoBeat(why));
                }
                Err(_) => {}
            }
        }
        let busy = venue.poll(at, &mut |event| guard.on(at, In::Wire(event), &mut out));
        guard.on(at, In::Tick, &mut out);
        for text in out.texts.drain(..) {
            // A text the socket does not take is asked again by the clock.
            let _ = venue.send(at, &text);
        }
        if std::mem::take(&mut out.drop_connection) {
            venue.drop_connection();
        }
        out.words.drain(..).for_each(|word| tell(Told::Word(&word)));
        if !busy {
            std::thread::sleep(LOOK);
        }
    }
}

/// What people are told.
#[derive(Debug)]
pub enum Told<'a> {
    /// What happened.
    Word(&'a Word),
    /// A datagram that is no beat.
    NoBeat(NoBeat),
}

#[cfg(test)]
mod tests;
