//! Any bytes as a number of each scale: what is read is what the digits say, worked out here a second time over strings.
#![no_main]

use keel::base::num::{Amount, Cash, Price, Ratio};
use keel::derive::action::scale::Decimal18;
use libfuzzer_sys::fuzz_target;

/// The sign and the scaled digits of a plain decimal with no more decimals than these, leading zeros dropped.
fn digits(text: &[u8], decimals: usize, exact: bool) -> Option<(bool, String)> {
    let text = std::str::from_utf8(text).ok()?;
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, part) = match text.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (text, ""),
    };
    let plain = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !plain(whole) || !plain(part) {
        return None;
    }
    let (kept, lost) = part.split_at(decimals.min(part.len()));
    if exact && lost.bytes().any(|byte| byte != b'0') {
        return None;
    }
    let all = format!("{whole}{kept:0<decimals$}");
    let all = all.trim_start_matches('0');
    Some((negative && !all.is_empty(), if all.is_empty() { "0".to_owned() } else { all.to_owned() }))
}

/// The same, of a raw number.
fn raw(value: i128) -> (bool, String) {
    (value < 0, value.unsigned_abs().to_string())
}

macro_rules! check {
    ($kind:ty, $decimals:expr, $text:expr) => {
        for (read, exact) in [(<$kind>::parse($text), true), (<$kind>::observed($text), false)] {
            match (read, digits($text, $decimals, exact)) {
                (Ok(number), Some(expected)) => {
                    assert_eq!(raw(number.raw() as i128), expected);
                    let mut out = [0; 48];
                    let length = number.write(&mut out);
                    assert_eq!(<$kind>::parse(&out[..length]).ok(), Some(number), "what is written is read back");
                    assert_eq!(number.to_string().as_bytes(), &out[..length]);
                }
                (Ok(number), None) => panic!("{number} was read from no number"),
                // Refused though plain: too large for its kind.
                (Err(_), Some((_, digits))) => assert!(digits.len() > 18, "{digits} of {} was refused", $decimals),
                (Err(_), None) => {}
            }
        }
    };
}

fuzz_target!(|text: &[u8]| {
    check!(Price, 9, text);
    check!(Amount, 9, text);
    check!(Ratio, 9, text);
    check!(Cash, 18, text);
    if let Ok(number) = Decimal18::parse(text) {
        assert_eq!(number.raw() % 1_000_000, 0, "finer than what the venue takes");
        assert_eq!(Some(number.raw()), Cash::parse(text).ok().map(Cash::raw));
    }
});
