//! Reads compact ASCII JSON in place, one pass, no copy; anything unusual is left to the tape.

use memchr::{memchr, memchr2};

use super::Malformed;
use super::source::Source;
use crate::base::num::{E9, Price, WIRE_MAX};

/// Deepest nesting that is skipped in place.
const DEPTH_MAX: u32 = 32;
const POW10: [u64; 10] = [1_000_000_000, 100_000_000, 10_000_000, 1_000_000, 100_000, 10_000, 1_000, 100, 10, 1];

/// A cursor over the rest of a frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scan<'f>(&'f [u8]);

impl<'f> Scan<'f> {
    pub(super) fn new(frame: &'f [u8]) -> Scan<'f> {
        Scan(frame)
    }

    /// Refuses anything behind the last value.
    pub(super) fn end(self) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err(Malformed::Json) }
    }

    #[inline]
    fn take(&mut self, want: u8) -> bool {
        match self.0 {
            [first, rest @ ..] if *first == want => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    #[inline]
    fn expect(&mut self, want: u8) -> Result<(), Malformed> {
        if self.take(want) { Ok(()) } else { Err(Malformed::Json) }
    }

    #[inline]
    fn word(&mut self, word: &[u8]) -> bool {
        match self.0.strip_prefix(word) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    /// Reads a short plain string, eight bytes at a time: a search set up anew would cost more.
    #[inline]
    fn key(&mut self) -> Result<&'f [u8], Malformed> {
        self.expect(b'"')?;
        let len = plain_len(self.0);
        match self.0.get(len) {
            Some(b'"') => {
                let key = &self.0[..len];
                self.0 = &self.0[len + 1..];
                Ok(key)
            }
            _ => Err(Malformed::Json),
        }
    }

    fn skip_string(&mut self) -> Result<(), Malformed> {
        self.expect(b'"')?;
        match memchr2(b'"', b'\\', self.0) {
            Some(end) if self.0[end] == b'"' => {
                self.0 = &self.0[end + 1..];
                Ok(())
            }
            _ => Err(Malformed::Json),
        }
    }

    /// Steps over an object or array.
    fn skip_nested(&mut self) -> Result<(), Malformed> {
        // Most nested values are flat objects without brackets inside their strings: one search finds their end.
        // Where that guess is wrong the text behind the false end does not parse, and the tape decides.
        if self.0.first() == Some(&b'{') {
            let end = memchr(b'}', self.0).ok_or(Malformed::Json)?;
            if memchr2(b'{', b'[', &self.0[1..end]).is_none() {
                self.0 = &self.0[end + 1..];
                return Ok(());
            }
        }
        let mut depth = 0;
        loop {
            match self.0.first() {
                Some(b'{' | b'[') => depth += 1,
                Some(b'}' | b']') => depth -= 1,
                Some(b'"') => {
                    self.skip_string()?;
                    continue;
                }
                Some(_) => {}
                None => return Err(Malformed::Json),
            }
            self.0 = &self.0[1..];
            match depth {
                0 => return Ok(()),
                1..=DEPTH_MAX => {}
                _ => return Err(Malformed::Json),
            }
        }
    }

    /// Reads a decimal string; texts outside the common form go through the number types' own parser.
    #[inline]
    fn fixed(&mut self, exact: bool) -> Result<i64, Malformed> {
        match common_decimal(self.0, exact) {
            Some((raw, len)) => {
                self.0 = &self.0[len..];
                Ok(raw)
            }
            None => {
                let text = self.key()?;
                let price = if exact { Price::parse(text) } else { Price::observed(text) };
                price.map(Price::raw).map_err(|_| Malformed::Number)
            }
        }
    }
}

/// Bytes before the first quote, backslash, control byte or byte beyond ASCII.
#[inline]
fn plain_len(text: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let mut len = 0;
    while let Some(chunk) = text[len..].first_chunk::<8>() {
        let bytes = u64::from_le_bytes(*chunk);
        let zero_in = |x: u64| x.wrapping_sub(ONES) & !x;
        let quote = zero_in(bytes ^ (ONES * 0x22));
        let backslash = zero_in(bytes ^ (ONES * 0x5c));
        let control = bytes.wrapping_sub(ONES * 0x20) & !bytes;
        // A borrow can only set marks above a true one, and the lowest mark is the one that counts.
        let marks = (quote | backslash | control | bytes) & HIGHS;
        if marks != 0 {
            return len + marks.trailing_zeros() as usize / 8;
        }
        len += 8;
    }
    let tail = text[len..].iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f | 0x80..));
    tail.map_or(text.len(), |place| len + place)
}

/// Reads digits: their value, wrapped if there are more than nineteen, and what follows them.
#[inline]
fn digits(mut text: &[u8]) -> (u64, &[u8]) {
    let mut value = 0u64;
    while let [byte, rest @ ..] = text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
        text = rest;
    }
    (value, text)
}

/// Reads `"[-]d{1,10}[.d{1,9}]"` at the beginning of `text`: the 1e-9 integer and the bytes it took.
/// Further digits are dropped if not `exact`.
#[inline]
fn common_decimal(text: &[u8], exact: bool) -> Option<(i64, usize)> {
    let unsigned = text.strip_prefix(b"\"")?;
    let (negative, whole) = match unsigned {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let (value, mut rest) = digits(whole);
    if !(1..=10).contains(&(whole.len() - rest.len())) {
        return None;
    }
    // Ten digits times 1e9 fit.
    let mut value = value.wrapping_mul(E9 as u64);
    if let [b'.', places @ ..] = rest {
        let (mut fraction, behind) = digits(places);
        let mut len = places.len() - behind.len();
        if len > 9 {
            if exact {
                return None;
            }
            len = 9;
            fraction = digits(&places[..len]).0;
        }
        if len == 0 {
            return None;
        }
        value = value.wrapping_add(fraction.wrapping_mul(POW10[len]));
        rest = behind;
    }
    if rest.first() != Some(&b'"') || value > WIRE_MAX as u64 * E9 as u64 {
        return None;
    }
    let raw = value as i64;
    Some((if negative { -raw } else { raw }, text.len() - rest.len() + 1))
}

impl<'f> Source<'f> for Scan<'f> {
    #[inline]
    fn object(&mut self, mut on: impl FnMut(&'f [u8], &mut Self) -> Result<(), Malformed>) -> Result<(), Malformed> {
        self.expect(b'{')?;
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            let key = self.key()?;
            self.expect(b':')?;
            on(key, self)?;
            if !self.take(b',') {
                return self.expect(b'}');
            }
        }
    }

    #[inline]
    fn array(&mut self, mut on: impl FnMut(&mut Self) -> Result<(), Malformed>) -> Result<(), Malformed> {
        self.expect(b'[')?;
        if self.take(b']') {
            return Ok(());
        }
        loop {
            on(self)?;
            if !self.take(b',') {
                return self.expect(b']');
            }
        }
    }

    #[inline]
    fn string(&mut self) -> Result<&'f [u8], Malformed> {
        self.key()
    }

    #[inline]
    fn int(&mut self) -> Result<i128, Malformed> {
        let negative = self.take(b'-');
        let value = i128::from(self.uint()?);
        Ok(if negative { -value } else { value })
    }

    #[inline]
    fn uint(&mut self) -> Result<u64, Malformed> {
        let (value, rest) = digits(self.0);
        let len = self.0.len() - rest.len();
        let ends = matches!(rest.first(), Some(b',' | b'}' | b']'));
        // Nineteen digits cannot overflow; longer numbers go to the tape.
        if !(1..=19).contains(&len) || !ends || (len > 1 && self.0[0] == b'0') {
            return Err(Malformed::Json);
        }
        self.0 = rest;
        Ok(value)
    }

    fn flag(&mut self) -> Result<bool, Malformed> {
        if self.word(b"true") {
            Ok(true)
        } else if self.word(b"false") {
            Ok(false)
        } else {
            Err(Malformed::Json)
        }
    }

    #[inline]
    fn null(&mut self) -> bool {
        self.word(b"null")
    }

    #[inline]
    fn is_string(&self) -> bool {
        self.0.first() == Some(&b'"')
    }

    fn skip(&mut self) -> Result<(), Malformed> {
        match self.0.first() {
            Some(b'"') => self.skip_string(),
            Some(b'{' | b'[') => self.skip_nested(),
            Some(b'n') if self.word(b"null") => Ok(()),
            Some(b't' | b'f') => self.flag().map(|_| ()),
            _ => self.int().map(|_| ()),
        }
    }

    #[inline]
    fn exact(&mut self) -> Result<i64, Malformed> {
        self.fixed(true)
    }

    #[inline]
    fn observed(&mut self) -> Result<i64, Malformed> {
        self.fixed(false)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn both(text: &str) {
        let quoted = format!("\"{text}\"");
        let mut scan = Scan::new(quoted.as_bytes());
        assert_eq!(scan.exact().ok(), Price::parse(text.as_bytes()).ok().map(Price::raw), "{text}");
        let mut scan = Scan::new(quoted.as_bytes());
        assert_eq!(scan.observed().ok(), Price::observed(text.as_bytes()).ok().map(Price::raw), "{text}");
    }

    #[test]
    fn decimals_mean_what_the_number_types_say() {
        for text in [
            "0",
            "-0",
            "00",
            "1",
            "-1.5",
            "1.123456789",
            "1.1234567891",
            "1.1234567890",
            "1.0000000000",
            ".5",
            "5.",
            "1e5",
            "+1",
            "",
            "-",
            "1.2.3",
            "1000000000",
            "1000000000.000000001",
            "9999999999",
            "99999999999",
            "00000000000000001",
            "0.0000000000000000001",
            "1.12345678901234567890x",
        ] {
            both(text);
        }
    }

    #[test]
    fn nested_values_are_stepped_over_whole() {
        for text in ["{}", "[]", "{\"a\":{\"b\":[1,{}]},\"c\":\"}\"}", "[[\"]\"],null]", "\"}\"", "-12", "null", "true"]
        {
            let frame = format!("{text},");
            let mut scan = Scan::new(frame.as_bytes());
            scan.skip().expect(text);
            assert_eq!(scan.0, b",", "{text}");
        }
        for bad in ["{\"a\":[1}", "[1", "\"a\\\"\"", "nul", "tru"] {
            let mut scan = Scan::new(bad.as_bytes());
            assert!(scan.skip().and_then(|()| scan.end()).is_err(), "{bad}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(Scan::new(deep.as_bytes()).skip(), Err(Malformed::Json));
    }

    proptest! {
        #[test]
        fn plain_text_ends_where_a_plain_search_says(text in proptest::collection::vec(any::<u8>(), 0..40)) {
            let want = text.iter().position(|byte| !matches!(byte, b' '..=0x7f) || matches!(byte, b'"' | b'\\'));
            prop_assert_eq!(plain_len(&text), want.unwrap_or(text.len()));
            let tame: Vec<u8> = text.iter().map(|byte| byte % 96 + 32).collect();
            let want = tame.iter().position(|byte| matches!(byte, b'"' | b'\\'));
            prop_assert_eq!(plain_len(&tame), want.unwrap_or(tame.len()));
        }

        #[test]
        fn any_decimal_text_means_what_the_number_types_say(text in "-?[0-9]{0,12}\\.?[0-9]{0,14}") {
            both(&text);
        }
    }
}
