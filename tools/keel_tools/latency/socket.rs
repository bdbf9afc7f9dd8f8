//! The server's end of a WebSocket for a load generator: never blocks after the handshake, adds next to nothing.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};
use tokio_tungstenite::tungstenite;
use tungstenite::handshake::server::{Request, Response};

/// Longest the other side may take to connect or shake hands.
const CONNECT: Duration = Duration::from_secs(10);
/// Longest message read, and so the size of the buffer.
const BYTES_MAX: usize = 64 * 1024;
const OP_TEXT: u8 = 1;
const OP_CLOSE: u8 = 8;
const OP_PING: u8 = 9;
const OP_PONG: u8 = 10;

/// One connected client.
pub struct Peer {
    stream: TcpStream,
    inbox: Box<[u8; BYTES_MAX]>,
    filled: usize,
    frame: Vec<u8>,
}

/// A connection that cannot be used any longer.
fn broken(why: impl std::fmt::Display) -> String {
    format!("connection lost: {why}")
}

/// Accepts one client; its path says what it is for.
pub fn accept(listener: &TcpListener) -> Result<(String, Peer), String> {
    let deadline = Instant::now() + CONNECT;
    listener.set_nonblocking(true).map_err(broken)?;
    let stream = loop {
        match listener.accept() {
            Ok((stream, _)) => break stream,
            Err(why) if why.kind() == ErrorKind::WouldBlock && Instant::now() < deadline => std::thread::yield_now(),
            Err(why) => return Err(format!("nobody connected within {} s: {why}", CONNECT.as_secs())),
        }
    };
    stream.set_nonblocking(false).and_then(|()| stream.set_read_timeout(Some(CONNECT))).map_err(broken)?;
    stream.set_nodelay(true).map_err(broken)?;
    let mut path = String::new();
    #[allow(clippy::result_large_err)] // The handshake library fixes the type.
    let note = |request: &Request, response: Response| {
        request.uri().path().clone_into(&mut path);
        Ok(response)
    };
    let socket = tungstenite::accept_hdr(stream, note).map_err(|why| format!("handshake failed: {why}"))?;
    let stream = socket.get_ref().try_clone().map_err(broken)?;
    stream.set_nonblocking(true).map_err(broken)?;
    Ok((path, Peer { stream, inbox: Box::new([0; BYTES_MAX]), filled: 0, frame: Vec::with_capacity(BYTES_MAX) }))
}

/// One frame found at the start of the bytes received.
struct Found {
    opcode: u8,
    from: usize,
    to: usize,
    mask: [u8; 4],
}

/// Finds the next whole masked frame.
fn find(bytes: &[u8]) -> Result<Option<Found>, String> {
    let [first, second, ..] = bytes else { return Ok(None) };
    if first & 0x80 == 0 || second & 0x80 == 0 {
        return Err(broken("a fragment or an unmasked frame"));
    }
    let short = usize::from(second & 0x7f);
    let (len, head) = match short {
        126 if bytes.len() < 4 => return Ok(None),
        126 => (usize::from(u16::from_be_bytes([bytes[2], bytes[3]])), 4),
        127 => return Err(broken("a frame above 64 KiB")),
        len => (len, 2),
    };
    let (from, to) = (head + 4, head + 4 + len);
    if to > BYTES_MAX {
        return Err(broken("a frame above 64 KiB"));
    }
    if bytes.len() < to {
        return Ok(None);
    }
    let mask = [bytes[head], bytes[head + 1], bytes[head + 2], bytes[head + 3]];
    Ok(Some(Found { opcode: first & 0x0f, from, to, mask }))
}

impl Peer {
    /// Reads what is there and hands out each whole text. True if anything arrived.
    pub fn poll(&mut self, sink: &mut dyn FnMut(&[u8])) -> Result<bool, String> {
        match self.stream.read(&mut self.inbox[self.filled..]) {
            Ok(0) => return Err(broken("the other side left")),
            Ok(count) => self.filled += count,
            Err(why) if matches!(why.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return Ok(false),
            Err(why) => return Err(broken(why)),
        }
        let mut at = 0;
        let mut pinged = Vec::new();
        while let Some(found) = find(&self.inbox[at..self.filled])? {
            let payload = &mut self.inbox[at + found.from..at + found.to];
            for (byte, mask) in payload.iter_mut().zip(found.mask.iter().cycle()) {
                *byte ^= mask;
            }
            match found.opcode {
                OP_TEXT => sink(payload),
                OP_PING => pinged.extend_from_slice(payload),
                OP_CLOSE => return Err(broken("the other side closed")),
                _ => {}
            }
            at += found.to;
        }
        self.inbox.copy_within(at..self.filled, 0);
        self.filled -= at;
        if !pinged.is_empty() {
            pinged.truncate(125);
            self.write(OP_PONG, &pinged)?;
        }
        Ok(true)
    }

    /// Sends one text, whole.
    pub fn say(&mut self, text: &str) -> Result<(), String> {
        self.write(OP_TEXT, text.as_bytes())
    }

    fn write(&mut self, opcode: u8, payload: &[u8]) -> Result<(), String> {
        self.frame.clear();
        self.frame.push(0x80 | opcode);
        match payload.len() {
            len @ 0..=125 => self.frame.push(len as u8),
            len => {
                let len = u16::try_from(len).map_err(|_| broken("a text above 64 KiB"))?;
                self.frame.push(126);
                self.frame.extend_from_slice(&len.to_be_bytes());
            }
        }
        self.frame.extend_from_slice(payload);
        let mut left = &self.frame[..];
        while !left.is_empty() {
            match self.stream.write(left) {
                Ok(count) => left = &left[count..],
                Err(why) if matches!(why.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(why) => return Err(broken(why)),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_found_whole_and_bad_ones_refused() {
        let short = [&[0x81, 0x83, 1, 2, 3, 4][..], &[b'a' ^ 1, b'b' ^ 2, b'c' ^ 3]].concat();
        for cut in 0..short.len() {
            assert!(find(&short[..cut]).expect("so far fine").is_none(), "{cut}");
        }
        let found = find(&short).expect("fine").expect("whole");
        assert_eq!((found.opcode, found.from, found.to), (OP_TEXT, 6, 9));
        let long = [&[0x81, 0xfe, 0x01, 0x00, 0, 0, 0, 0][..], &[b'x'; 256]].concat();
        let found = find(&long).expect("fine").expect("whole");
        assert_eq!((found.from, found.to), (8, 264));
        for bad in [&[0x01, 0x83][..], &[0x81, 0x03], &[0x81, 0xff]] {
            assert!(find(bad).is_err(), "{bad:?}");
        }
    }
}
