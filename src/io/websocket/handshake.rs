//! The HTTP/1.1 upgrade (RFC 6455 §4): one request out, one answer judged, the bytes behind it left alone.

use memchr::memmem;
use ring::digest;

/// Longest answer accepted, head only.
pub const ANSWER_BYTES_MAX: usize = 8 * 1024;
/// More header lines than any honest server sends.
const HEADERS_MAX: usize = 64;
/// What both sides append to the key (RFC 6455 §1.3).
const ACCEPT_SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Why an answer is no upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Not HTTP/1.1.
    NotHttp,
    /// A status other than 101.
    Status(u16),
    /// The named header is missing, repeated or wrong.
    Header(&'static str),
    /// The head is longer than 8 KiB or has more than 64 lines.
    TooLong,
}

/// Sixteen random bytes as the header wants them.
pub fn key_of(nonce: [u8; 16]) -> [u8; 24] {
    let mut key = [0u8; 24];
    base64(&nonce, &mut key);
    key
}

/// The answer that proves the server read our key.
pub fn accept_of(key: &[u8; 24]) -> [u8; 28] {
    let mut hash = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    hash.update(key);
    hash.update(ACCEPT_SUFFIX);
    let mut accept = [0u8; 28];
    base64(hash.finish().as_ref(), &mut accept);
    accept
}

/// The request. `host` carries the port where it is not the scheme's own.
pub fn request(host: &str, path: &str, key: &[u8; 24]) -> Vec<u8> {
    let mut text = Vec::with_capacity(256 + host.len() + path.len());
    for part in [
        b"GET " as &[u8],
        path.as_bytes(),
        b" HTTP/1.1\r\nHost: ",
        host.as_bytes(),
        b"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ",
        key,
        b"\r\nUser-Agent: keel\r\n\r\n",
    ] {
        text.extend_from_slice(part);
    }
    text
}

/// Judges the bytes received so far: `None` until the head is whole, then how many of them it takes.
pub fn read_answer(bytes: &[u8], accept: &[u8; 28]) -> Result<Option<usize>, Refusal> {
    const START: &[u8] = b"HTTP/1.1 ";
    let seen = bytes.len().min(START.len());
    if bytes[..seen] != START[..seen] {
        return Err(Refusal::NotHttp);
    }
    let window = &bytes[..bytes.len().min(ANSWER_BYTES_MAX)];
    let Some(end) = memmem::find(window, b"\r\n\r\n") else {
        return if window.len() < ANSWER_BYTES_MAX { Ok(None) } else { Err(Refusal::TooLong) };
    };
    let mut lines = Lines(&bytes[..end]);
    check_status(lines.next().unwrap_or_default())?;
    check_headers(lines, accept)?;
    Ok(Some(end + 4))
}

/// Lines of a head, split at CR LF.
struct Lines<'a>(&'a [u8]);

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.0.is_empty() {
            return None;
        }
        let (line, rest) = match memmem::find(self.0, b"\r\n") {
            Some(at) => (&self.0[..at], &self.0[at + 2..]),
            None => (self.0, &[][..]),
        };
        self.0 = rest;
        Some(line)
    }
}

fn check_status(line: &[u8]) -> Result<(), Refusal> {
    let digits = line.get(9..12).ok_or(Refusal::NotHttp)?;
    let status = std::str::from_utf8(digits).ok().and_then(|text| text.parse::<u16>().ok()).ok_or(Refusal::NotHttp)?;
    match (status, line.get(12)) {
        (101, None | Some(b' ')) => Ok(()),
        (_, None | Some(b' ')) => Err(Refusal::Status(status)),
        _ => Err(Refusal::NotHttp),
    }
}

fn check_headers(lines: Lines<'_>, accept: &[u8; 28]) -> Result<(), Refusal> {
    let (mut upgrades, mut connections, mut accepts) = (0, 0, 0);
    for (count, line) in lines.enumerate() {
        if count == HEADERS_MAX {
            return Err(Refusal::TooLong);
        }
        let colon = memchr::memchr(b':', line).ok_or(Refusal::NotHttp)?;
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        if is("upgrade") {
            upgrades += usize::from(value.eq_ignore_ascii_case(b"websocket"));
        } else if is("connection") {
            let named = |token: &[u8]| token.trim_ascii().eq_ignore_ascii_case(b"upgrade");
            connections += usize::from(value.split(|&byte| byte == b',').any(named));
        } else if is("sec-websocket-accept") {
            accepts += if value == accept { 1 } else { 2 };
        } else if is("sec-websocket-extensions") || is("sec-websocket-protocol") {
            // None was offered, so none can be chosen; frames would mean something else.
            return Err(Refusal::Header("Sec-WebSocket-Extensions or -Protocol"));
        }
    }
    match (upgrades, connections, accepts) {
        (0, _, _) => Err(Refusal::Header("Upgrade")),
        (_, 0, _) => Err(Refusal::Header("Connection")),
        (_, _, 1) => Ok(()),
        _ => Err(Refusal::Header("Sec-WebSocket-Accept")),
    }
}

/// Base64 with padding; `out` is exactly four characters per started three bytes.
fn base64(bytes: &[u8], out: &mut [u8]) {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (three, four) in bytes.chunks(3).zip(out.chunks_exact_mut(4)) {
        let byte = |place: usize| u32::from(three.get(place).copied().unwrap_or(0));
        let word = byte(0) << 16 | byte(1) << 8 | byte(2);
        for (place, letter) in four.iter_mut().enumerate() {
            let sextet = (word >> (18 - 6 * place) & 63) as usize;
            *letter = if place <= three.len() { LETTERS[sextet] } else { b'=' };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The key and answer of RFC 6455 §1.3.
    const KEY: &[u8; 24] = b"dGhlIHNhbXBsZSBub25jZQ==";
    const ACCEPT: &[u8; 28] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

    fn answer(status: &str, headers: &str) -> String {
        format!("HTTP/1.1 {status}\r\n{headers}\r\n")
    }

    const GOOD: &str = "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\
                        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";

    #[test]
    fn keys_and_answers_are_those_of_the_rfc() {
        assert_eq!(&key_of(*b"the sample nonce"), KEY);
        assert_eq!(&accept_of(KEY), ACCEPT);
        let text = String::from_utf8(request("example:9000", "/v3/ws?a=b", KEY)).expect("ascii");
        assert!(text.starts_with("GET /v3/ws?a=b HTTP/1.1\r\nHost: example:9000\r\n") && text.ends_with("\r\n\r\n"));
    }

    #[test]
    fn base64_pads_as_it_should() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
            let mut out = vec![0; text.len()];
            base64(bytes.as_bytes(), &mut out);
            assert_eq!(out, text.as_bytes());
        }
    }

    #[test]
    fn answers_are_judged() {
        let header = |name| Err(Refusal::Header(name));
        for (text, verdict) in [
            (answer("101 Switching Protocols", GOOD), Ok(())),
            (answer("101", GOOD), Ok(())),
            (
                answer(
                    "101 ",
                    &GOOD.to_lowercase().replace("s3pplmbitxaq9kygzzhzrbk+xoo=", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
                ),
                Ok(()),
            ),
            (answer("200 OK", GOOD), Err(Refusal::Status(200))),
            (answer("403 Forbidden", ""), Err(Refusal::Status(403))),
            (answer("429 Too Many Requests", "Retry-After: 1\r\n"), Err(Refusal::Status(429))),
            (answer("1011 x", GOOD), Err(Refusal::NotHttp)),
            (answer("abc", GOOD), Err(Refusal::NotHttp)),
            (answer("101 x", ""), header("Upgrade")),
            (answer("101 x", &GOOD.replace("websocket", "h2c")), header("Upgrade")),
            (answer("101 x", &GOOD.replace("keep-alive, Upgrade", "keep-alive")), header("Connection")),
            (answer("101 x", &GOOD.replace("s3p", "S3p")), header("Sec-WebSocket-Accept")),
            (answer("101 x", &format!("{GOOD}Sec-WebSocket-Accept: x\r\n")), header("Sec-WebSocket-Accept")),
            (
                answer("101 x", &format!("{GOOD}Sec-WebSocket-Extensions: permessage-deflate\r\n")),
                header("Sec-WebSocket-Extensions or -Protocol"),
            ),
            (answer("101 x", &format!("{GOOD}no colon\r\n")), Err(Refusal::NotHttp)),
            (answer("101 x", &"A: b\r\n".repeat(65)), Err(Refusal::TooLong)),
            ("SSH-2.0-OpenSSH".to_string(), Err(Refusal::NotHttp)),
            ("HTTP/1.0 101 x\r\n\r\n".to_string(), Err(Refusal::NotHttp)),
            ("HTTP/1.1 \r\n\r\n".to_string(), Err(Refusal::NotHttp)),
            (answer("101 x", &format!("A: {}\r\n", "b".repeat(ANSWER_BYTES_MAX))), Err(Refusal::TooLong)),
        ] {
            assert_eq!(
                read_answer(text.as_bytes(), ACCEPT).map(|used| assert_eq!(used, Some(text.len()))),
                verdict,
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn an_answer_is_whole_only_at_its_end_and_what_follows_is_left(rest in prop::collection::vec(any::<u8>(), 0..99)) {
            let mut bytes = answer("101 Switching Protocols", GOOD).into_bytes();
            let head = bytes.len();
            bytes.extend(rest);
            for len in 0..bytes.len() {
                prop_assert_eq!(read_answer(&bytes[..len], ACCEPT), Ok((len >= head).then_some(head)));
            }
        }

        #[test]
        fn hostile_answers_are_refused_or_waited_for(bytes in prop::collection::vec(any::<u8>(), 0..2_000), lead in any::<bool>()) {
            let mut text = if lead { b"HTTP/1.1 101 x\r\n".to_vec() } else { Vec::new() };
            text.extend(bytes);
            prop_assert_eq!(read_answer(&text, ACCEPT).unwrap_or(None), None);
        }
    }
}
