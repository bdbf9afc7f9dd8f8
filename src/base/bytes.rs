//! Fields as bytes, one after another, little endian: how messages without pointers are written and read back.
//!
//! Reading takes nothing on trust: a number out of range makes no field.

use crate::base::ids::{Name, Side};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::{Deref, DerefMut};

/// Memory in which a text is put together. What it holds between two texts is no state: it is in no digest, and it is
/// never shown, because it may have been a login.
pub struct Scratch<const N: usize>(Box<[u8; N]>);

impl<const N: usize> Default for Scratch<N> {
    fn default() -> Self {
        Scratch(Box::new([0; N]))
    }
}

impl<const N: usize> Deref for Scratch<N> {
    type Target = [u8; N];

    fn deref(&self) -> &[u8; N] {
        &self.0
    }
}

impl<const N: usize> DerefMut for Scratch<N> {
    fn deref_mut(&mut self) -> &mut [u8; N] {
        &mut self.0
    }
}

impl<const N: usize> Hash for Scratch<N> {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl<const N: usize> fmt::Debug for Scratch<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scratch({N})")
    }
}

/// Writes fields one after another into a page of fixed length.
pub struct Pen<const N: usize> {
    page: [u8; N],
    at: usize,
}

impl<const N: usize> Pen<N> {
    /// On an empty page, which begins with the message's kind.
    pub fn new(kind: u8) -> Pen<N> {
        Pen { page: [0; N], at: 0 }.bytes(&[kind])
    }

    /// Bytes as they are. Pages are made for their messages: one too long is our own error and asserts.
    pub fn bytes(mut self, bytes: &[u8]) -> Pen<N> {
        self.page[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
        self
    }

    /// One byte.
    pub fn u8(self, value: u8) -> Pen<N> {
        self.bytes(&[value])
    }

    /// Two bytes.
    pub fn u16(self, value: u16) -> Pen<N> {
        self.bytes(&value.to_le_bytes())
    }

    /// Eight bytes.
    pub fn u64(self, value: u64) -> Pen<N> {
        self.bytes(&value.to_le_bytes())
    }

    /// Eight bytes.
    pub fn i64(self, value: i64) -> Pen<N> {
        self.bytes(&value.to_le_bytes())
    }

    /// Sixteen bytes.
    pub fn u128(self, value: u128) -> Pen<N> {
        self.bytes(&value.to_le_bytes())
    }

    /// Sixteen bytes.
    pub fn i128(self, value: i128) -> Pen<N> {
        self.bytes(&value.to_le_bytes())
    }

    /// A name, padded with zeros.
    pub fn name(self, name: &Name) -> Pen<N> {
        let mut padded = [0; Name::LEN_MAX];
        padded[..name.len()].copy_from_slice(name.as_bytes());
        self.bytes(&padded)
    }

    /// One byte: 1 buys, 0 sells.
    pub fn side(self, side: Side) -> Pen<N> {
        self.u8(u8::from(side == Side::Buy))
    }

    /// The page.
    pub fn page(self) -> [u8; N] {
        self.page
    }

    /// Bytes written so far.
    pub fn len(&self) -> usize {
        self.at
    }

    /// True before the first byte, which there always is.
    pub fn is_empty(&self) -> bool {
        self.at == 0
    }
}

/// Reads fields back.
pub struct Eye<'a>(&'a [u8]);

impl<'a> Eye<'a> {
    /// From the first byte on.
    pub fn new(bytes: &'a [u8]) -> Eye<'a> {
        Eye(bytes)
    }

    /// Bytes as they are.
    pub fn take<const M: usize>(&mut self) -> Option<[u8; M]> {
        let (bytes, rest) = self.0.split_first_chunk::<M>()?;
        self.0 = rest;
        Some(*bytes)
    }

    /// One byte.
    pub fn u8(&mut self) -> Option<u8> {
        self.take::<1>().map(|[byte]| byte)
    }

    /// One byte, 0 or 1.
    pub fn bool(&mut self) -> Option<bool> {
        match self.u8()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    /// Two bytes.
    pub fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_le_bytes)
    }

    /// Eight bytes.
    pub fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    /// Eight bytes.
    pub fn i64(&mut self) -> Option<i64> {
        self.take().map(i64::from_le_bytes)
    }

    /// Sixteen bytes.
    pub fn u128(&mut self) -> Option<u128> {
        self.take().map(u128::from_le_bytes)
    }

    /// Sixteen bytes.
    pub fn i128(&mut self) -> Option<i128> {
        self.take().map(i128::from_le_bytes)
    }

    /// A name of plain characters, padded with zeros.
    pub fn name(&mut self) -> Option<Name> {
        let padded: [u8; Name::LEN_MAX] = self.take()?;
        let length = padded.iter().position(|byte| *byte == 0).unwrap_or(padded.len());
        let (text, rest) = padded.split_at(length);
        let plain = text.iter().all(u8::is_ascii_graphic) && rest.iter().all(|byte| *byte == 0);
        Name::new(std::str::from_utf8(text).ok()?).filter(|_| plain)
    }

    /// One byte: 1 buys, 0 sells.
    pub fn side(&mut self) -> Option<Side> {
        self.bool().map(|buys| if buys { Side::Buy } else { Side::Sell })
    }

    /// True if nothing is left.
    pub fn is_done(&self) -> bool {
        self.0.is_empty()
    }
}
