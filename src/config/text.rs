//! Texts with a form: quoted echoes, names, addresses, URLs.

use std::fmt;

/// Characters of an echo.
const ECHO_MAX: usize = 48;
/// Hexadecimal digits in a row from which a text may be a key.
const KEY_DIGITS: usize = 64;

/// True if the text holds what could be a private key: 64 hexadecimal digits in a row.
pub(super) fn looks_secret(text: &str) -> bool {
    let mut run = 0;
    text.bytes().any(|byte| {
        run = if byte.is_ascii_hexdigit() { run + 1 } else { 0 };
        run >= KEY_DIGITS
    })
}

/// A text from the file as an error may repeat it: escaped, short, and never a key.
pub(super) fn quoted(text: &str) -> String {
    if looks_secret(text) {
        return "\"(hidden)\"".to_owned();
    }
    let short: String = text.chars().take(ECHO_MAX).collect();
    let more = if short.len() < text.len() { "…" } else { "" };
    format!("{short:?}{more}")
}

/// The known name a typed one is nearest to, if it is near at all.
pub(super) fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    if name.len() > ECHO_MAX {
        return None;
    }
    let stem = |text: &str| text.rsplit_once('_').map_or(text.len(), |(stem, _)| stem.len());
    let by_unit = known.iter().find(|other| {
        let (own, other_stem) = (&name[..stem(name)], &other[..stem(other)]);
        own.len() >= 4 && (own == other_stem || name == other_stem || own == **other)
    });
    let by_letters = || {
        let scored = known.iter().map(|other| (distance(name, other), other));
        scored.filter(|(score, _)| *score <= (name.len() / 3).max(2)).min_by_key(|(score, _)| *score).map(|(_, k)| k)
    };
    by_unit.or_else(by_letters).copied()
}

/// Letters to insert, drop or change to make one name of the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, right) in b.iter().enumerate() {
            let change = diagonal + usize::from(left != *right);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// An address of 20 bytes, not zero.
pub(super) fn address(text: &str) -> Result<[u8; 20], String> {
    let mut bytes = [0u8; 20];
    let digits = text.strip_prefix("0x").filter(|digits| digits.len() == 40 && digits.is_ascii());
    let digits = digits.ok_or_else(|| format!("{} is not an address", quoted(text)))?;
    for (place, byte) in bytes.iter_mut().enumerate() {
        let pair = &digits[2 * place..2 * place + 2];
        let valid = pair.bytes().all(|digit| digit.is_ascii_hexdigit());
        *byte = u8::from_str_radix(pair, 16).ok().filter(|_| valid).ok_or("not hexadecimal")?;
    }
    if bytes == [0; 20] { Err("the zero address belongs to nobody".to_owned()) } else { Ok(bytes) }
}

/// An address as text, digits in lower case.
pub(super) fn show_address(bytes: &[u8; 20]) -> String {
    bytes.iter().fold("0x".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// Upper-case letters and digits, as exchanges name currencies and symbols.
pub(super) fn code(text: &str, longest: usize) -> Result<String, String> {
    let fits = (1..=longest).contains(&text.len());
    let plain = text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    if fits && plain { Ok(text.to_owned()) } else { Err(format!("{} is not such a name", quoted(text))) }
}

/// An instrument name with this ending, e.g. `-PERP`.
pub(super) fn instrument(text: &str, ending: &str) -> Result<String, String> {
    let currency = text.strip_suffix(ending).ok_or_else(|| format!("{} does not end in {ending}", quoted(text)))?;
    code(currency, 16).map(|_| text.to_owned())
}

/// A URL; shown without its path and query, because providers put their access keys there.
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    text: String,
    host: String,
    shown: usize,
}

impl Url {
    /// Reads `scheme://host[:port][/path]` in one of two schemes; the second, unencrypted one only for loopback.
    pub(super) fn read(text: &str, secure: &str, plain: &str, query: bool) -> Result<Url, String> {
        let (scheme, rest) = text.split_once("://").ok_or("not a URL")?;
        if scheme != secure && scheme != plain {
            return Err(format!("scheme {} cannot be used here", quoted(scheme)));
        }
        let printable = text.len() <= 2_048 && text.bytes().all(|byte| byte.is_ascii_graphic());
        if !printable || text.contains(['"', '\\', '<', '>', '#']) || (!query && text.contains('?')) {
            return Err("the URL holds characters that do not belong there".to_owned());
        }
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err("the URL holds a user name or password".to_owned());
        }
        let (host, port) = split_port(authority)?;
        if port.is_some_and(|port| port.parse::<u16>().map_or(true, |port| port == 0)) {
            return Err("the port is not a number from 1 to 65535".to_owned());
        }
        if host.is_empty() {
            return Err("the host is missing".to_owned());
        }
        let shown = scheme.len() + 3 + authority.len();
        let url = Url { text: text.trim_end_matches('/').to_owned(), host: host.to_ascii_lowercase(), shown };
        if scheme == plain && !url.is_loopback() {
            return Err(format!("{plain}:// sends everything in the clear; {secure}:// is required"));
        }
        Ok(url)
    }

    /// The whole URL, without a trailing slash. It may hold an access key.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host, in lower case.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// True if the host is this machine.
    pub fn is_loopback(&self) -> bool {
        let v4 = self.host.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback());
        self.host == "localhost" || self.host == "[::1]" || v4
    }
}

fn split_port(authority: &str) -> Result<(&str, Option<&str>), String> {
    if authority.starts_with('[') {
        let (inside, rest) = authority.split_once(']').ok_or("the IPv6 host is not closed")?;
        let port = rest.strip_prefix(':');
        let valid = inside[1..].parse::<std::net::Ipv6Addr>().is_ok() && (rest.is_empty() || port.is_some());
        return if valid { Ok((&authority[..inside.len() + 1], port)) } else { Err("not an IPv6 host".to_owned()) };
    }
    let (host, port) = authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
    let plain = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.');
    if plain { Ok((host, port)) } else { Err("the host holds characters that do not belong there".to_owned()) }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.text[..self.shown.min(self.text.len())];
        let rest = if self.text.len() > self.shown { "/…" } else { "" };
        write!(f, "{shown}{rest}")
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_must_be_encrypted_unless_local() {
        let table = [
            ("wss://api.derive.xyz/v3/ws", true),
            ("ws://127.0.0.1:9000/v3/ws", true),
            ("ws://localhost:9000/v3/ws", true),
            ("ws://[::1]:9000", true),
            ("ws://127.8.8.8", true),
            ("ws://api.derive.xyz", false),
            ("ws://127.0.0.1.evil.com", false),
            ("ws://localhost@evil.com", false),
            ("https://api.derive.xyz", false),
            ("wss://", false),
            ("wss://host:0", false),
            ("wss://host:65536", false),
            ("wss://host:", false),
            ("wss://host:1:2", false),
            ("wss://a b", false),
            ("wss://h/?key=1", false),
            ("wss://h/#x", false),
            ("wss://[::1", false),
            ("wss://[::1]x", false),
            ("wss://häuschen", false),
            ("api.derive.xyz", false),
        ];
        for (text, good) in table {
            assert_eq!(Url::read(text, "wss", "ws", false).is_ok(), good, "{text}");
        }
    }

    #[test]
    fn urls_are_shown_without_what_may_be_a_key() {
        let url = Url::read("https://rpc.example.org/v2/s3cret?key=s3cret", "https", "http", true).expect("valid");
        assert_eq!(format!("{url} {url:?}"), "https://rpc.example.org/… https://rpc.example.org/…");
        assert!(url.as_str().ends_with("key=s3cret"));
        let bare = Url::read("https://rpc.example.org/", "https", "http", true).expect("valid");
        assert_eq!((bare.to_string().as_str(), bare.as_str()), ("https://rpc.example.org", "https://rpc.example.org"));
    }

    #[test]
    fn echoes_are_short_and_hold_no_key() {
        assert_eq!(quoted("a\nb"), "\"a\\nb\"");
        assert_eq!(quoted(&format!("0x{}", "aB".repeat(32))), "\"(hidden)\"");
        assert!(quoted(&"é".repeat(1_000)).len() < 120);
    }

    #[test]
    fn nearest_names_forgive_units_and_typos() {
        let known = ["order_life_s", "reject_after_ms", "clip_base", "environment"];
        for (typed, want) in [
            ("order_life_ms", Some("order_life_s")),
            ("order_life", Some("order_life_s")),
            ("enviroment", Some("environment")),
            ("clip_bas", Some("clip_base")),
            ("leverage", None),
            ("ü", None),
        ] {
            assert_eq!(nearest(typed, &known), want, "{typed}");
        }
    }

    #[test]
    fn addresses_are_twenty_bytes_of_somebody() {
        let good = "0x5c9C449BbC9a6075A2c061dF312a35fd1E05fF22";
        assert_eq!(show_address(&address(good).expect("valid")), good.to_lowercase());
        let zero = format!("0x{}", "0".repeat(40));
        for bad in
            ["", "0x", "5c9C449BbC9a6075A2c061dF312a35fd1E05fF22", "0x+c9C449BbC9a6075A2c061dF312a35fd1E05fF2", &zero]
        {
            assert!(address(bad).is_err(), "{bad}");
        }
    }
}
