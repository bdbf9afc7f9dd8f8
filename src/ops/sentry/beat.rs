//! The engine's sign of life: a datagram that only who holds the shared secret can make, and that counts once.
//!
//! A beat is accepted if its seal is right, if it was made within the last moments by the sentry's own clock, and if it is
//! later than every beat before it: by the start of the run that made it, then by its count.

use std::fmt;
use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use ring::hmac;
use zeroize::Zeroizing;

use crate::base::time::Nanos;
use crate::derive::dialect::Address;

/// Length of a beat.
pub const BEAT_BYTES: usize = 96;
/// What it begins with: what it is, and its version.
const MAGIC: [u8; 8] = *b"KEELBT01";
/// Where its seal begins.
const SEAL_AT: usize = 64;
/// Hexadecimal digits of a secret.
const DIGITS: usize = 64;

/// What an engine says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It runs.
    Running,
    /// It has ended, and nothing of it rests.
    Ended,
    /// It has ended, and does not know whether something of it rests.
    Abandoned,
}

/// One sign of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beat {
    /// When the run began; later runs begin later.
    pub run: Nanos,
    /// Beats of this run so far.
    pub count: u64,
    /// When it was made.
    pub at: Nanos,
    /// Highest name given to an order so far.
    pub nonce: u64,
    /// The address that its orders name as their signer: the session key's, or the contract's.
    pub signer: Address,
    /// What it says of itself.
    pub state: State,
    /// Vaults that are halted, one bit each by place.
    pub halted: u8,
}

/// Why a datagram is no beat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoBeat {
    /// Wrong length, kind or version.
    Form,
    /// Made by somebody who does not know the secret.
    Seal,
    /// Made too long ago, or in the future.
    Age {
        /// By the sentry's clock.
        age_ns: i64,
    },
    /// Not later than one that was accepted.
    Replayed,
}

impl fmt::Display for NoBeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoBeat::Form => f.write_str("it has another form"),
            NoBeat::Seal => f.write_str("its sender does not know the secret"),
            NoBeat::Age { age_ns } => write!(f, "it is {} ms old by our clock", age_ns / 1_000_000),
            NoBeat::Replayed => f.write_str("it was heard before, or one after it"),
        }
    }
}

/// What both sides know.
pub struct Secret(hmac::Key);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    /// From its 32 bytes.
    pub fn new(bytes: &[u8; 32]) -> Secret {
        Secret(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// From a plain file with mode 0600 or 0400 that holds 64 hexadecimal digits.
    ///
    /// # Errors
    /// File and reason, in words; never any of the secret.
    pub fn load(path: &Path) -> Result<Secret, String> {
        let wrong = |what: &str| format!("secret file {}: {what}", path.display());
        let file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path);
        let file = file.map_err(|why| wrong(&why.to_string()))?;
        let facts = file.metadata().map_err(|why| wrong(&why.to_string()))?;
        if !facts.is_file() || facts.mode() & 0o077 != 0 {
            return Err(wrong("is not a plain file that only its owner can reach: chmod 600 it"));
        }
        // One size from the start: growing would leave copies behind.
        let mut text = Zeroizing::new(Vec::with_capacity(DIGITS + 3));
        file.take(DIGITS as u64 + 3).read_to_end(&mut text).map_err(|why| wrong(&why.to_string()))?;
        while text.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
            text.pop();
        }
        let mut bytes = Zeroizing::new([0u8; 32]);
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let pairs = text.as_chunks::<2>().0;
        if text.len() != DIGITS || !text.iter().all(u8::is_ascii_hexdigit) {
            return Err(wrong("must hold 64 hexadecimal digits and nothing else"));
        }
        for (byte, pair) in bytes.iter_mut().zip(pairs) {
            *byte = pair.iter().filter_map(|one| digit(*one)).fold(0, |sum, value| sum << 4 | value as u8);
        }
        Ok(Secret::new(&bytes))
    }
}

impl Beat {
    /// The beat as it is sent.
    pub fn seal(&self, secret: &Secret) -> [u8; BEAT_BYTES] {
        let mut page = [0; BEAT_BYTES];
        page[..8].copy_from_slice(&MAGIC);
        let words = [self.run.0, self.count, self.at.0, self.nonce];
        for (place, word) in page[8..40].as_chunks_mut::<8>().0.iter_mut().zip(words) {
            *place = word.to_le_bytes();
        }
        page[40..60].copy_from_slice(&self.signer);
        page[60] = match self.state {
            State::Running => 1,
            State::Ended => 2,
            State::Abandoned => 3,
        };
        page[61] = self.halted;
        let seal = hmac::sign(&secret.0, &page[..SEAL_AT]);
        page[SEAL_AT..].copy_from_slice(seal.as_ref());
        page
    }

    /// A datagram, if it is a beat of somebody who knows the secret.
    fn open(page: &[u8], secret: &Secret) -> Result<Beat, NoBeat> {
        let page: &[u8; BEAT_BYTES] = page.try_into().map_err(|_| NoBeat::Form)?;
        hmac::verify(&secret.0, &page[..SEAL_AT], &page[SEAL_AT..]).map_err(|_| NoBeat::Seal)?;
        let word = |place: usize| u64::from_le_bytes(page[8 * place..].first_chunk().copied().unwrap_or_default());
        let state = match page[60] {
            1 => State::Running,
            2 => State::Ended,
            3 => State::Abandoned,
            _ => return Err(NoBeat::Form),
        };
        if page[..8] != MAGIC || page[62..SEAL_AT] != [0; 2] {
            return Err(NoBeat::Form);
        }
        let signer = page[40..].first_chunk().copied().unwrap_or_default();
        let [run, count, at, nonce] = [1, 2, 3, 4].map(word);
        Ok(Beat { run: Nanos(run), count, at: Nanos(at), nonce, signer, state, halted: page[61] })
    }
}

/// The sentry's ear: takes each beat once.
#[derive(Debug)]
pub struct Ear {
    secret: Secret,
    age_ns_max: u64,
    last: Option<(Nanos, u64)>,
}

impl Ear {
    /// Takes beats made within `age_ns_max` of its own clock, to either side.
    pub fn new(secret: Secret, age_ns_max: u64) -> Ear {
        Ear { secret, age_ns_max, last: None }
    }

    /// A datagram heard at wall-clock moment `at`.
    ///
    /// # Errors
    /// Why it does not count.
    pub fn hear(&mut self, at: Nanos, page: &[u8]) -> Result<Beat, NoBeat> {
        let beat = Beat::open(page, &self.secret)?;
        let age_ns = i64::try_from(i128::from(at.0) - i128::from(beat.at.0)).unwrap_or(i64::MAX);
        if age_ns.unsigned_abs() > self.age_ns_max {
            return Err(NoBeat::Age { age_ns });
        }
        let order = (beat.run, beat.count);
        if self.last.is_some_and(|last| order <= last) {
            return Err(NoBeat::Replayed);
        }
        self.last = Some(order);
        Ok(beat)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::{MS, SEC};
    use proptest::prelude::*;

    const NOW: Nanos = Nanos(1_763_683_200 * SEC);

    fn secret() -> Secret {
        Secret::new(&[7; 32])
    }

    fn beat(count: u64) -> Beat {
        let (state, signer) = (State::Running, [9; 20]);
        Beat { run: NOW, count, at: NOW.plus(count * 100 * MS), nonce: 42, signer, state, halted: 0b101 }
    }

    #[test]
    fn each_beat_counts_once_and_in_order() {
        let mut ear = Ear::new(secret(), SEC);
        let [first, second, third] = [1, 2, 3].map(|count| beat(count).seal(&secret()));
        assert_eq!(ear.hear(NOW, &first), Ok(beat(1)));
        assert_eq!(ear.hear(NOW, &first), Err(NoBeat::Replayed));
        assert_eq!(ear.hear(NOW, &third), Ok(beat(3)));
        assert_eq!(ear.hear(NOW, &second), Err(NoBeat::Replayed), "overtaken on the way");
        let next = Beat { run: NOW.plus(1), ..beat(1) };
        assert_eq!(ear.hear(NOW, &next.seal(&secret())), Ok(next), "a later run begins at one");
        assert_eq!(ear.hear(NOW, &beat(9).seal(&secret())), Err(NoBeat::Replayed), "of the run before");
    }

    #[test]
    fn old_and_future_beats_do_not_count_even_after_a_restart_of_the_sentry() {
        let page = beat(0).seal(&secret());
        for (at, counts) in [
            (NOW.plus(SEC), true),
            (NOW.plus(SEC + MS), false),
            (Nanos(NOW.0 - SEC), true),
            (Nanos(NOW.0 - SEC - MS), false),
            (Nanos::ZERO, false),
        ] {
            let heard = Ear::new(secret(), SEC).hear(at, &page);
            assert_eq!(heard.is_ok(), counts, "{at:?}: {heard:?}");
        }
    }

    #[test]
    fn a_wrong_secret_and_other_lengths_are_no_beats() {
        let mut ear = Ear::new(secret(), SEC);
        assert_eq!(ear.hear(NOW, &beat(1).seal(&Secret::new(&[8; 32]))), Err(NoBeat::Seal));
        for length in [0, 1, BEAT_BYTES - 1, BEAT_BYTES + 1, 4_096] {
            assert_eq!(ear.hear(NOW, &vec![0; length]), Err(NoBeat::Form));
        }
    }

    proptest! {
        #[test]
        fn no_bit_can_be_changed(place in 0..BEAT_BYTES, bit in 0u8..8) {
            let mut page = beat(1).seal(&secret());
            page[place] ^= 1 << bit;
            prop_assert_eq!(Ear::new(secret(), SEC).hear(NOW, &page), Err(NoBeat::Seal));
        }
    }

    #[test]
    fn the_secret_comes_from_a_private_file_of_64_digits() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secret");
        let load = |text: &str, mode: u32| {
            std::fs::write(&path, text).expect("written");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("mode");
            Secret::load(&path)
        };
        let digits = "0a".repeat(32);
        let same = load(&format!("{digits}\n"), 0o600).expect("sound");
        let mut ear = Ear::new(Secret::new(&[10; 32]), SEC);
        assert!(ear.hear(NOW, &beat(1).seal(&same)).is_ok());
        for (text, mode, words) in [
            (digits.as_str(), 0o640, "only its owner"),
            (&digits[1..], 0o600, "64 hexadecimal digits"),
            (&format!("{digits}0"), 0o600, "64 hexadecimal digits"),
            (&"zz".repeat(32), 0o600, "64 hexadecimal digits"),
            ("", 0o600, "64 hexadecimal digits"),
        ] {
            let why = load(text, mode).expect_err("refused");
            assert!(why.contains(words) && !why.contains(&digits[1..]), "{why}");
        }
    }
}
