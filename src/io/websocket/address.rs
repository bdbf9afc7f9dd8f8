//! Where to connect: a `ws://` or `wss://` address taken apart, and its host looked up off the hot thread.

use std::fmt;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread;

/// A name's addresses beyond this many are not tried.
const ADDRESSES_MAX: usize = 8;

/// A WebSocket address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// `wss`.
    pub secure: bool,
    /// Name or IP address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Path and query, from `/`.
    pub path: String,
    /// Host and port as the `Host` header wants them.
    pub authority: String,
}

/// Why a text is not a WebSocket address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressError {
    text: String,
    why: &'static str,
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}; expected ws://host[:port]/path or wss://host[:port]/path", self.text, self.why)
    }
}

impl std::error::Error for AddressError {}

impl Address {
    /// Takes an address apart. User names, fragments, spaces and control characters are refused.
    pub fn parse(text: &str) -> Result<Address, AddressError> {
        split(text).map_err(|why| AddressError { text: text.escape_debug().collect(), why })
    }
}

fn split(text: &str) -> Result<Address, &'static str> {
    if text.len() > 2_048 {
        return Err("longer than 2048 bytes");
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) || text.contains('#') {
        return Err("has a space, a fragment or an unprintable character");
    }
    let (secure, rest) = match text.split_once("://") {
        Some(("ws", rest)) => (false, rest),
        Some(("wss", rest)) => (true, rest),
        _ => return Err("is neither ws:// nor wss://"),
    };
    let cut = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(cut);
    if authority.contains('@') {
        return Err("has a user name");
    }
    let (host, port) = split_port(authority)?;
    if host.is_empty() || !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte)) {
        return Err("has no valid host");
    }
    let port = match port {
        Some(port) => port.parse::<u16>().ok().filter(|port| *port > 0).ok_or("has a port that is not 1 to 65535")?,
        None if secure => 443,
        None => 80,
    };
    let path = if tail.starts_with('/') { tail.to_string() } else { format!("/{tail}") };
    Ok(Address { secure, host: host.to_string(), port, path, authority: authority.to_string() })
}

/// Host and port of an authority; IPv6 addresses stand in brackets.
fn split_port(authority: &str) -> Result<(&str, Option<&str>), &'static str> {
    if let Some(inner) = authority.strip_prefix('[') {
        let (host, rest) = inner.split_once(']').ok_or("has an open bracket")?;
        host.parse::<std::net::Ipv6Addr>().map_err(|_| "has no IPv6 address in its brackets")?;
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if rest.is_empty() => Ok((host, None)),
            None => Err("has text after the bracket"),
        };
    }
    match authority.split_once(':') {
        Some((_, port)) if port.contains(':') => Err("has two ports; put an IPv6 address in brackets"),
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((authority, None)),
    }
}

/// The name has no address now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoAddress;

/// Looks a host up on a thread of its own, since the system's resolver blocks. Numeric hosts need no thread.
/// The thread is made with the resolver, so it does not inherit the mask of a hot thread pinned later.
pub enum Resolver {
    /// Addresses known beforehand.
    Fixed(Vec<SocketAddr>),
    /// A thread to ask.
    Thread {
        /// A token asks for one look-up.
        ask: SyncSender<()>,
        /// One answer per question; empty if the name has no address now.
        answers: Receiver<Vec<SocketAddr>>,
    },
}

impl Resolver {
    /// A resolver for one host; `known` addresses, if any, are used instead of asking.
    pub fn new(address: &Address, known: &[SocketAddr]) -> std::io::Result<Resolver> {
        if !known.is_empty() {
            return Ok(Resolver::Fixed(known.to_vec()));
        }
        if let Ok(ip) = address.host.parse::<IpAddr>() {
            return Ok(Resolver::Fixed(vec![SocketAddr::new(ip, address.port)]));
        }
        let (ask, questions) = sync_channel::<()>(1);
        let (reply, answers) = sync_channel(2);
        let (host, port) = (address.host.clone(), address.port);
        thread::Builder::new().name("resolver".into()).spawn(move || {
            while questions.recv().is_ok() {
                let found = (host.as_str(), port).to_socket_addrs();
                let found = found.map(|list| list.take(ADDRESSES_MAX).collect()).unwrap_or_default();
                if reply.send(found).is_err() {
                    return;
                }
            }
        })?;
        Ok(Resolver::Thread { ask, answers })
    }

    /// Asks, unless a question is waiting already.
    pub fn ask(&self) {
        if let Resolver::Thread { ask, answers } = self {
            // An answer that came after its attempt was given up is stale.
            while answers.try_recv().is_ok() {}
            let _ = ask.try_send(());
        }
    }

    /// The `turn`-th address, counting round; `Ok(None)` while the answer is awaited, an error if there is none.
    pub fn answer(&self, turn: u32) -> Result<Option<SocketAddr>, NoAddress> {
        let pick = |list: &[SocketAddr]| match list.len() {
            0 => Err(NoAddress),
            len => Ok(Some(list[turn as usize % len])),
        };
        match self {
            Resolver::Fixed(list) => pick(list),
            Resolver::Thread { answers, .. } => match answers.try_recv() {
                Ok(list) => pick(&list),
                Err(TryRecvError::Empty) => Ok(None),
                Err(TryRecvError::Disconnected) => Err(NoAddress),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn addresses_are_taken_apart() {
        for (text, secure, host, port, path, authority) in [
            ("ws://127.0.0.1:9000/v3/ws", false, "127.0.0.1", 9000, "/v3/ws", "127.0.0.1:9000"),
            ("wss://venue.example/ws?x=1", true, "venue.example", 443, "/ws?x=1", "venue.example"),
            ("ws://localhost", false, "localhost", 80, "/", "localhost"),
            ("ws://localhost?x", false, "localhost", 80, "/?x", "localhost"),
            ("wss://[::1]:8443/", true, "::1", 8443, "/", "[::1]:8443"),
            ("ws://[::1]", false, "::1", 80, "/", "[::1]"),
        ] {
            let address = Address::parse(text).expect(text);
            assert_eq!((address.secure, address.host.as_str(), address.port), (secure, host, port), "{text}");
            assert_eq!((address.path.as_str(), address.authority.as_str()), (path, authority), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_by_name() {
        for (text, why) in [
            ("", "neither"),
            ("http://a/", "neither"),
            ("WS://a/", "neither"),
            ("ws://", "host"),
            ("ws://:80/", "host"),
            ("ws://a:0/", "port"),
            ("ws://a:65536/", "port"),
            ("ws://a:/", "port"),
            ("ws://::1/", "brackets"),
            ("ws://[::1/", "bracket"),
            ("ws://[x]/", "IPv6"),
            ("ws://[::1]x/", "after"),
            ("ws://u:p@a/", "user"),
            ("ws://a/ b", "space"),
            ("ws://a/\r\nX: y", "space"),
            ("ws://a/#b", "fragment"),
            ("ws://a\u{e9}/", "unprintable"),
        ] {
            let error = Address::parse(text).expect_err(text).to_string();
            assert!(error.contains(why) && error.contains("expected ws://"), "{text}: {error}");
        }
        assert!(Address::parse(&format!("ws://a/{}", "b".repeat(3_000))).is_err());
    }

    #[test]
    fn names_are_looked_up_elsewhere_and_numbers_at_once() {
        let numeric = Address::parse("ws://127.0.0.1:7/").expect("address");
        let at_once = Resolver::new(&numeric, &[]).expect("resolver");
        assert_eq!(at_once.answer(5), Ok(Some("127.0.0.1:7".parse().expect("address"))));
        let named = Address::parse("ws://localhost:7/").expect("address");
        let resolver = Resolver::new(&named, &[]).expect("resolver");
        resolver.ask();
        let start = Instant::now();
        let found = loop {
            match resolver.answer(0) {
                Ok(None) => assert!(start.elapsed() < Duration::from_secs(10)),
                other => break other,
            }
            thread::yield_now();
        };
        assert!(found.expect("localhost is known").expect("an address").ip().is_loopback());
    }
}
