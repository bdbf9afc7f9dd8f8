//! Messages that are kept out: each of them killed the engine three times over (`ops/crash_loop.rs`).
//!
//! One message a file in the folder `quarantine` of the state folder, as its bytes came; whoever has looked at it deletes
//! the file, and it is let in again by the next run. A message that comes again with other stamps, ids and nonces is the
//! same message: whole numbers as long as a stamp, UUIDs, hashes and signatures and what follows a member `id` are not
//! compared. All else must be equal, so that a ticker with another price is another message.

use crate::base::digest::Digest;
use std::fs::{self, DirBuilder, File};
use std::hash::Hasher;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tempfile::NamedTempFile;

/// Folder inside a state folder.
const FOLDER: &str = "quarantine";
/// How its files end.
const SUFFIX: &str = "frame";
/// Digits in a row that are a stamp, in seconds or finer, or a nonce.
const STAMP_DIGITS: usize = 10;
/// Characters of a UUID.
const UUID_BYTES: usize = 36;
/// Hex digits in a row, after `0x`, that are a hash or a signature.
const HASH_DIGITS: usize = 64;
/// The member whose value only names a request or its answer.
const ID: &[u8] = b"\"id\":";
/// Most messages kept out: a folder with more is a mistake, and every message that comes is compared with all of them.
const MESSAGES_MAX: usize = 64;
/// Longest message that is looked at, bytes: the longest a connection takes in.
const MESSAGE_BYTES_MAX: u64 = 1 << 20;

/// What a connection keeps out, and how often it had to. Copies share the count.
#[derive(Clone, Debug, Default)]
pub struct Quarantine(Option<Arc<Kept>>);

#[derive(Debug)]
struct Kept {
    shapes: Vec<u64>,
    refused: AtomicU64,
}

impl Quarantine {
    /// What a state folder keeps out; without the folder, nothing.
    ///
    /// # Errors
    /// It cannot be read, or holds what is no message; in words.
    pub fn of(state: &Path) -> Result<Quarantine, String> {
        let home = folder(state);
        if !home.exists() {
            return Ok(Quarantine::default());
        }
        let failed = |path: &Path, why: &dyn std::fmt::Display| format!("cannot read {}: {why}", path.display());
        let mut shapes = Vec::new();
        for entry in fs::read_dir(&home).map_err(|why| failed(&home, &why))? {
            let path = entry.map_err(|why| failed(&home, &why))?.path();
            if path.extension().is_none_or(|suffix| suffix != SUFFIX) {
                continue;
            }
            let bytes = fs::metadata(&path).map_err(|why| failed(&path, &why))?.len();
            if bytes > MESSAGE_BYTES_MAX || shapes.len() == MESSAGES_MAX {
                let allowed = format!("at most {MESSAGES_MAX} messages of {MESSAGE_BYTES_MAX} bytes are kept out");
                return Err(failed(&path, &allowed));
            }
            shapes.push(shape(&fs::read(&path).map_err(|why| failed(&path, &why))?));
        }
        Ok(Quarantine::with(shapes))
    }

    /// What keeps these messages out.
    pub fn from_messages(messages: &[&[u8]]) -> Quarantine {
        Quarantine::with(messages.iter().map(|message| shape(message)).collect())
    }

    fn with(shapes: Vec<u64>) -> Quarantine {
        let kept = Kept { shapes, refused: AtomicU64::new(0) };
        Quarantine((!kept.shapes.is_empty()).then(|| Arc::new(kept)))
    }

    /// Messages kept out.
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |kept| kept.shapes.len())
    }

    /// True if everything is let in.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// True if a message must not be let in, which is counted.
    #[inline]
    pub fn refuses(&self, message: &[u8]) -> bool {
        let Some(kept) = &self.0 else { return false };
        let known = kept.shapes.contains(&shape(message));
        if known {
            kept.refused.fetch_add(1, Ordering::Relaxed);
        }
        known
    }

    /// How often one was not let in.
    pub fn refused(&self) -> u64 {
        self.0.as_ref().map_or(0, |kept| kept.refused.load(Ordering::Relaxed))
    }
}

/// Where a state folder keeps them.
pub fn folder(state: &Path) -> PathBuf {
    state.join(FOLDER)
}

/// Puts a message into a state folder's quarantine; its file.
///
/// It is there whole or not at all.
///
/// # Errors
/// It cannot be written, or there are too many; in words.
pub fn put(state: &Path, message: &[u8]) -> Result<PathBuf, String> {
    let home = folder(state);
    let path = home.join(format!("{:016x}.{SUFFIX}", shape(message)));
    let failed = |why: std::io::Error| format!("cannot write {}: {why}", path.display());
    DirBuilder::new().recursive(true).mode(0o700).create(&home).map_err(failed)?;
    if !path.exists() && Quarantine::of(state)?.len() == MESSAGES_MAX {
        return Err(format!("{} is full: {MESSAGES_MAX} messages", home.display()));
    }
    let mut file = NamedTempFile::new_in(&home).map_err(failed)?;
    file.write_all(message).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
    file.persist(&path).map_err(|why| failed(why.error))?;
    let sync = |folder: &Path| File::open(folder).and_then(|folder| folder.sync_all());
    sync(&home).and_then(|()| sync(state)).map_err(failed)?;
    Ok(path)
}

/// What is the same of two messages that differ in stamps, ids, nonces and what is signed with them only. Takes no memory.
pub fn shape(message: &[u8]) -> u64 {
    let (mut digest, mut rest, mut before) = (Digest::default(), message, 0);
    while let Some(first) = rest.first() {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (kept, skipped): (&[u8], usize) = if is_uuid(rest) {
            (b"#", UUID_BYTES)
        } else if digits >= STAMP_DIGITS && before != b'.' {
            (b"#", digits)
        } else if hash_digits(rest) >= HASH_DIGITS {
            (b"#", 2 + hash_digits(rest))
        } else if rest.starts_with(ID) {
            (ID, ID.len() + rest[ID.len()..].iter().take_while(|byte| !b",}".contains(byte)).count())
        } else {
            let length = digits.max(1);
            (&rest[..length], length)
        };
        kept.iter().for_each(|byte| digest.write_u8(*byte));
        (before, rest) = (*first, &rest[skipped..]);
    }
    digest.finish()
}

/// Hex digits behind the `0x` that begins here.
fn hash_digits(text: &[u8]) -> usize {
    text.strip_prefix(b"0x").map_or(0, |text| text.iter().take_while(|byte| byte.is_ascii_hexdigit()).count())
}

/// True if a name of the venue's begins here: 36 characters, hex digits in five groups.
fn is_uuid(text: &[u8]) -> bool {
    let sound = |(place, byte): (usize, &u8)| match place {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    text.get(..UUID_BYTES).is_some_and(|text| text.iter().enumerate().all(sound))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICKER: &[u8] =
        br#"{"params":{"channel":"ticker.ETH-PERP","data":{"timestamp":1800000000123,"price":"2500.5"}}}"#;

    #[test]
    fn a_message_with_other_stamps_is_the_same_and_with_another_price_is_not() {
        let text = |stamp: &str, price: &str| {
            let text = String::from_utf8(TICKER.to_vec()).expect("text");
            text.replace("1800000000123", stamp).replace("2500.5", price).into_bytes()
        };
        assert_eq!(shape(TICKER), shape(&text("1800000005999", "2500.5")));
        assert_ne!(shape(TICKER), shape(&text("1800000000123", "2500.6")));
        assert_ne!(shape(TICKER), shape(&text("18000001", "2500.5")), "no stamp any more");
        let answer = |id: &str| format!(r#"{{"id":{id},"result":{{"amount":"7"}}}}"#).into_bytes();
        assert_eq!(shape(&answer("17")), shape(&answer(r#""o1800000000""#)));
        assert_ne!(shape(b"{\"id\":1}"), shape(b"{\"ids\":1}"));
        assert_ne!(shape(b""), shape(b"0"));
        let order = |id: &str, price: &str| format!(r#"{{"order_id":"{id}","average_price":"{price}"}}"#).into_bytes();
        let [one, other] = ["0b4e5b2c-8d3f-4c57-9a52-6f1f6a0c7d11", "11111111-2222-3333-4444-555555555555"];
        assert_eq!(shape(&order(one, "2568.67924727244")), shape(&order(other, "2568.67924727244")));
        assert_ne!(shape(&order(one, "2568.67924727244")), shape(&order(one, "2568.11111111111")), "no stamp");
        assert_ne!(shape(&order(one, "1")), shape(&order("0b4e5b2c-8d3f-4c57-9a52-6f1f6a0c7d1", "1")), "no UUID");
    }

    #[test]
    fn what_was_signed_does_not_count_and_whose_it_is_does() {
        let order = |signature: &str, signer: &str| {
            format!(r#"{{"signature":"0x{signature}","signer":"0x{signer}","status":"open"}}"#).into_bytes()
        };
        let [ours, another] = ["a1".repeat(20), "b2".repeat(20)];
        assert_eq!(shape(&order(&"5c".repeat(65), &ours)), shape(&order(&"0F".repeat(65), &ours)));
        assert_ne!(shape(&order(&"5c".repeat(65), &ours)), shape(&order(&"5c".repeat(65), &another)));
        assert_ne!(shape(&order(&"5c".repeat(31), &ours)), shape(&order(&"0f".repeat(31), &ours)), "no hash");
    }

    #[test]
    fn a_full_one_takes_no_more() {
        let state = tempfile::tempdir().expect("a folder");
        let message = |place: usize| format!("message {place}").into_bytes();
        (0..MESSAGES_MAX).for_each(|place| drop(put(state.path(), &message(place)).expect("room")));
        assert!(put(state.path(), &message(3)).is_ok(), "it is there already");
        assert!(put(state.path(), b"one more").expect_err("full").ends_with("is full: 64 messages"));
        assert_eq!(Quarantine::of(state.path()).expect("readable").len(), MESSAGES_MAX);
    }

    #[test]
    fn what_was_put_there_is_refused_until_it_is_taken_away() {
        let state = tempfile::tempdir().expect("a folder");
        assert!(Quarantine::of(state.path()).expect("no folder yet").is_empty());
        let file = put(state.path(), TICKER).expect("written");
        assert_eq!(put(state.path(), TICKER), Ok(file.clone()), "one file a message");
        assert_eq!(fs::read(&file).expect("a file"), TICKER);
        let kept_out = Quarantine::of(state.path()).expect("readable");
        assert_eq!((kept_out.len(), kept_out.refused()), (1, 0));
        assert!(kept_out.refuses(TICKER) && !kept_out.refuses(b"{}"));
        assert_eq!(kept_out.clone().refused(), 1, "copies share the count");
        fs::remove_file(file).expect("taken away");
        assert!(!Quarantine::of(state.path()).expect("readable").refuses(TICKER));
    }

    #[test]
    fn what_is_too_long_to_be_a_message_is_named() {
        let state = tempfile::tempdir().expect("a folder");
        let file = put(state.path(), b"{}").expect("written");
        fs::write(&file, vec![b' '; MESSAGE_BYTES_MAX as usize + 1]).expect("longer");
        let why = Quarantine::of(state.path()).expect_err("too long");
        assert!(
            why.contains(&file.display().to_string()) && why.contains("at most 64 messages of 1048576 bytes"),
            "{why}"
        );
    }
}
