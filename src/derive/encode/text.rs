//! A cursor over a caller's buffer that remembers an overflow instead of failing at every step.

use alloy_primitives::hex;

use super::EncodeError;
use crate::base::ids::Uuid;
use crate::base::num::E9;
use crate::derive::dialect::Address;

/// Longest name, label or channel accepted.
pub const NAME_MAX: usize = 128;

/// `00` to `99`.
const PAIRS: &[u8; 200] = b"0001020304050607080910111213141516171819\
    2021222324252627282930313233343536373839\
    4041424344454647484950515253545556575859\
    6061626364656667686970717273747576777879\
    8081828384858687888990919293949596979899";

/// Writes text into a caller's buffer.
#[derive(Debug)]
pub struct Text<'o> {
    out: &'o mut [u8],
    at: usize,
    failure: Option<EncodeError>,
}

impl<'o> Text<'o> {
    /// Starts at the beginning of `out`.
    pub fn new(out: &'o mut [u8]) -> Text<'o> {
        Text::at(out, 0)
    }

    /// Starts at `at`.
    pub fn at(out: &'o mut [u8], at: usize) -> Text<'o> {
        Text { out, at, failure: None }
    }

    /// Appends bytes as they are.
    #[inline]
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Text<'o> {
        match self.out.get_mut(self.at..self.at + bytes.len()) {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.at += bytes.len();
            }
            None => self.fail(EncodeError::Full),
        }
        self
    }

    /// Appends a name that needs no escaping; any other is refused.
    pub fn name(&mut self, name: &[u8]) -> &mut Text<'o> {
        if !is_plain(name) {
            self.fail(EncodeError::Text);
        }
        self.raw(name)
    }

    /// Appends an integer.
    #[inline]
    pub fn int(&mut self, value: u64) -> &mut Text<'o> {
        self.raw(itoa::Buffer::new().format(value).as_bytes())
    }

    /// Appends a 1e-9 scaled integer as a plain decimal without trailing zeros.
    #[inline]
    pub fn decimal(&mut self, raw: i64) -> &mut Text<'o> {
        let magnitude = raw.unsigned_abs();
        let unit = E9 as u64;
        if raw < 0 {
            self.raw(b"-");
        }
        self.int(magnitude / unit);
        let mut fraction = (magnitude % unit) as u32;
        if fraction > 0 {
            let mut digits = *b".000000000";
            for pair in digits[2..].chunks_exact_mut(2).rev() {
                let two = (fraction % 100) as usize * 2;
                pair.copy_from_slice(&PAIRS[two..two + 2]);
                fraction /= 100;
            }
            digits[1] = b'0' + fraction as u8;
            let used = digits.iter().rposition(|digit| *digit != b'0').map_or(0, |last| last + 1);
            self.raw(&digits[..used]);
        }
        self
    }

    /// Appends `true` or `false`.
    pub fn flag(&mut self, value: bool) -> &mut Text<'o> {
        self.raw(if value { b"true" } else { b"false" })
    }

    /// Appends an address as `0x` and forty lower-case digits.
    pub fn address(&mut self, address: &Address) -> &mut Text<'o> {
        let mut digits = [0; 40];
        encode_hex(address, &mut digits);
        self.raw(b"0x").raw(&digits)
    }

    /// Appends a signature as `0x` and 130 lower-case digits.
    pub fn signature(&mut self, signature: &[u8; 65]) -> &mut Text<'o> {
        let mut digits = [0; 130];
        encode_hex(signature, &mut digits);
        self.raw(b"0x").raw(&digits)
    }

    /// Appends the hyphenated form.
    pub fn uuid(&mut self, id: Uuid) -> &mut Text<'o> {
        let mut text = [0; 36];
        id.write(&mut text);
        self.raw(&text)
    }

    /// Notes a failure; the first one is reported by [`Text::finish`].
    pub fn fail(&mut self, failure: EncodeError) {
        self.failure.get_or_insert(failure);
    }

    /// Bytes written so far.
    pub fn len(&self) -> usize {
        self.at
    }

    /// True if nothing was written.
    pub fn is_empty(&self) -> bool {
        self.at == 0
    }

    /// The whole text from the buffer's beginning, or the first failure.
    pub fn finish(self) -> Result<&'o [u8], EncodeError> {
        match self.failure {
            Some(failure) => Err(failure),
            None => Ok(&self.out[..self.at]),
        }
    }
}

/// Lower-case hex digits of `bytes`; `digits` holds exactly twice as many.
pub(crate) fn encode_hex(bytes: &[u8], digits: &mut [u8]) {
    // Lengths are fixed by the callers' array types; the only error is a length mismatch.
    let written = hex::encode_to_slice(bytes, digits);
    debug_assert!(written.is_ok());
}

/// True for 1 to [`NAME_MAX`] bytes of printable ASCII without quote and backslash.
pub fn is_plain(name: &[u8]) -> bool {
    let plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
    !name.is_empty() && name.len() <= NAME_MAX && name.iter().all(plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::num::Price;

    #[test]
    fn overflow_and_unplain_names_are_remembered() {
        let mut small = [0; 4];
        let mut text = Text::new(&mut small);
        text.raw(b"abc").raw(b"de").raw(b"f");
        assert_eq!(text.finish(), Err(EncodeError::Full));
        for bad in ["", "a\"b", "a\\b", "a\nb", "é"] {
            let mut room = [0; 64];
            let mut text = Text::new(&mut room);
            text.name(bad.as_bytes());
            assert_eq!(text.finish(), Err(EncodeError::Text), "{bad:?}");
        }
        assert!(!is_plain(&[b'a'; NAME_MAX + 1]));
    }

    proptest! {
        #[test]
        fn decimals_are_those_of_the_number_types(raw in any::<i64>()) {
            let mut room = [0; 64];
            let mut text = Text::new(&mut room);
            text.decimal(raw);
            let written = text.finish().expect("fits").to_vec();
            prop_assert_eq!(String::from_utf8(written).expect("ascii"), Price::from_raw(raw).to_string());
        }
    }
}
