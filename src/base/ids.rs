//! Names of things, as small `Copy` values.

use std::fmt;

/// A vault's place in the configuration, from zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VaultId(pub u8);

/// An instrument's place in the instrument table, from zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstrumentId(pub u16);

/// A venue subaccount number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubaccountId(pub u64);

/// An order's one name, everywhere: its venue nonce (unix ns, unique per signing wallet, Derive 11016–11018).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nonce(pub u64);

/// Counts stops: what was approved in an older epoch may no longer leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u32);

/// A venue identifier in UUID form (order, trade, RFQ, quote).
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid(pub u128);

impl Uuid {
    /// Reads the 36-byte hyphenated form; anything else is `None`.
    pub fn parse(text: &[u8]) -> Option<Uuid> {
        if text.len() != 36 {
            return None;
        }
        let mut value = 0u128;
        for (place, &byte) in text.iter().enumerate() {
            let digit = match (place, byte) {
                (8 | 13 | 18 | 23, b'-') => continue,
                (8 | 13 | 18 | 23, _) => return None,
                (_, b'0'..=b'9') => byte - b'0',
                (_, b'a'..=b'f') => byte - b'a' + 10,
                (_, b'A'..=b'F') => byte - b'A' + 10,
                _ => return None,
            };
            value = value << 4 | u128::from(digit);
        }
        Some(Uuid(value))
    }

    /// Writes the 36-byte hyphenated form.
    pub fn write(self, out: &mut [u8; 36]) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut shift = 128;
        for (place, byte) in out.iter_mut().enumerate() {
            *byte = if matches!(place, 8 | 13 | 18 | 23) {
                b'-'
            } else {
                shift -= 4;
                HEX[(self.0 >> shift & 0xf) as usize]
            };
        }
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0u8; 36];
        self.write(&mut text);
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

/// A short venue name kept in place, so that what carries it stays `Copy`.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    bytes: [u8; Name::LEN_MAX],
    len: u8,
}

impl Name {
    /// Longest name: the longest option name of the venue has 24 bytes.
    pub const LEN_MAX: usize = 31;

    /// The name, or `None` if it is too long or not plain ASCII.
    pub fn new(text: &str) -> Option<Name> {
        if text.len() > Name::LEN_MAX || !text.is_ascii() {
            return None;
        }
        let mut bytes = [0; Name::LEN_MAX];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Some(Name { bytes, len: text.len() as u8 })
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or_default()
    }
}

impl std::ops::Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

/// What an option gives its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Right {
    /// The right to buy.
    Call,
    /// The right to sell.
    Put,
}

/// Side of an order or trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Buys the base.
    Buy,
    /// Sells the base.
    Sell,
}

impl Side {
    /// The other side.
    pub const fn opposite(self) -> Side {
        match self {
            Side::Buy => Side::Sell,
            Side::Sell => Side::Buy,
        }
    }

    /// +1 for a buy, −1 for a sell.
    pub const fn sign(self) -> i64 {
        match self {
            Side::Buy => 1,
            Side::Sell => -1,
        }
    }

    /// The venue's word.
    pub const fn wire(self) -> &'static str {
        match self {
            Side::Buy => "buy",
            Side::Sell => "sell",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuid_round_trips_and_refuses_other_forms() {
        let text = "6a6eed97-b882-4909-a7ac-566fe99577e1";
        let id = Uuid::parse(text.as_bytes()).expect("valid");
        assert_eq!(format!("{id:?}"), text);
        for bad in ["", "6a6eed97b8824909a7ac566fe99577e1", "6a6eed97-b882-4909-a7ac-566fe99577e!"] {
            assert_eq!(Uuid::parse(bad.as_bytes()), None, "{bad}");
        }
    }
}
