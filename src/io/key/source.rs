//! Where a key comes from: a plain key file, a keystore or an age file with a passphrase from a private file or an
//! inherited descriptor, or a file that KMS unwraps. Never from an argument, the environment or the configuration itself.

use std::fs::File;
use std::io::Read;
use std::os::fd::FromRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::kms::{self, Kms};
use super::{KeyError, LocalKey, age, keystore, parse_hex, read_up_to};
use crate::engine::ports::Key;

/// Longest passphrase, in bytes.
const PASSPHRASE_MAX: usize = 1024;

/// Where a passphrase comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Passphrase {
    /// A file that only its owner can reach.
    File(PathBuf),
    /// A descriptor this process has inherited; it is read to its end and closed.
    Descriptor(i32),
}

/// What is around the key in its file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Seal {
    /// Nothing: 64 hexadecimal digits.
    Plain,
    /// A version 3 keystore under this passphrase.
    Keystore(Passphrase),
    /// An age file under this passphrase, around 64 hexadecimal digits.
    Age(Passphrase),
    /// KMS has wrapped 32 bytes or 64 hexadecimal digits; the file holds the result in base64.
    Kms(Kms),
}

/// Where a key comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySource {
    /// The key's file.
    pub file: PathBuf,
    /// What is around the key in it.
    pub seal: Seal,
}

impl KeySource {
    /// True if somebody on the network is asked for the key.
    pub fn is_remote(&self) -> bool {
        matches!(self.seal, Seal::Kms(_))
    }

    /// Every file that helps to the key: its own, its passphrase's, the one that lends the right to unwrap it.
    pub fn files(&self) -> Vec<PathBuf> {
        let with = match &self.seal {
            Seal::Keystore(Passphrase::File(path)) | Seal::Age(Passphrase::File(path)) => Some(path.clone()),
            Seal::Kms(Kms { credentials: super::KmsCredentials::File(path), .. }) => Some(path.clone()),
            Seal::Plain | Seal::Keystore(_) | Seal::Age(_) | Seal::Kms(_) => None,
        };
        std::iter::once(self.file.clone()).chain(with).collect()
    }
}

/// Opens a plain file that only its owner can reach. What is checked is what is read: the open file, not the path.
pub(super) fn private_file(path: &Path) -> Result<File, KeyError> {
    let name = || path.display().to_string();
    let failed = |cause| KeyError::File { path: name(), cause };
    let file = File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.mode();
    if mode & libc::S_IFMT != libc::S_IFREG || mode & 0o077 != 0 {
        return Err(KeyError::Exposed { path: name(), mode });
    }
    Ok(file)
}

impl Passphrase {
    fn read(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let (mut file, name) = match self {
            Passphrase::File(path) => (private_file(path)?, path.display().to_string()),
            Passphrase::Descriptor(number) => {
                // SAFETY: F_GETFD only asks whether the number is open.
                if *number < 3 || unsafe { libc::fcntl(*number, libc::F_GETFD) } < 0 {
                    return Err(KeyError::Passphrase { from: format!("descriptor {number}"), what: "is not open" });
                }
                // SAFETY: it is open, was given to this process for this purpose, and is used nowhere else.
                (unsafe { File::from_raw_fd(*number) }, format!("descriptor {number}"))
            }
        };
        // One size from the start: growing would leave copies behind.
        let mut text = Zeroizing::new(vec![0; PASSPHRASE_MAX + 1]);
        let length = read_up_to(&mut file, &mut text).map_err(|cause| KeyError::File { path: name.clone(), cause })?;
        text.truncate(length);
        while text.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
            text.pop();
        }
        let wrong = |what| Err(KeyError::Passphrase { from: name.clone(), what });
        match text.len() {
            0 => wrong("is empty"),
            length if length > PASSPHRASE_MAX => wrong("is longer than 1024 bytes"),
            _ => Ok(text),
        }
    }
}

impl KeySource {
    /// A file that holds the key itself.
    pub fn plain(file: PathBuf) -> KeySource {
        KeySource { file, seal: Seal::Plain }
    }

    /// What opens it, if it is a passphrase.
    pub fn passphrase(&self) -> Option<&Passphrase> {
        match &self.seal {
            Seal::Keystore(passphrase) | Seal::Age(passphrase) => Some(passphrase),
            Seal::Plain | Seal::Kms(_) => None,
        }
    }

    /// Reads the key. Only a key wrapped by KMS takes the network.
    pub fn load(&self) -> Result<LocalKey, KeyError> {
        match &self.seal {
            Seal::Plain => LocalKey::from_file(&self.file),
            Seal::Keystore(passphrase) => self.keystore(passphrase),
            Seal::Age(passphrase) => {
                let broken = |what: String| KeyError::Age { path: self.name(), what };
                let file = self.read(age::BYTES_MAX, broken)?;
                let inside = age::open(&file, &passphrase.read()?).map_err(broken)?;
                self.unlocked(&inside, broken)
            }
            Seal::Kms(kms) => {
                let broken = |what: String| KeyError::Kms { path: self.name(), what };
                let file = self.read(kms::BYTES_MAX, broken)?;
                let text = std::str::from_utf8(&file).map(str::trim);
                let text = text.ok().filter(|text| !text.is_empty() && text.bytes().all(is_base64));
                let text = text.ok_or_else(|| broken("holds no base64, as `aws kms encrypt` gives it".to_owned()))?;
                self.unlocked(&kms::unwrap(kms, text).map_err(broken)?, broken)
            }
        }
    }

    fn name(&self) -> String {
        self.file.display().to_string()
    }

    /// The bytes of the file, at most so many.
    fn read(&self, bytes_max: usize, broken: impl Fn(String) -> KeyError) -> Result<Vec<u8>, KeyError> {
        let mut bytes = Vec::with_capacity(bytes_max + 1);
        let file = private_file(&self.file)?;
        let read = file.take(bytes_max as u64 + 1).read_to_end(&mut bytes);
        read.map_err(|cause| KeyError::File { path: self.name(), cause })?;
        if bytes.len() > bytes_max { Err(broken(format!("is larger than {bytes_max} bytes"))) } else { Ok(bytes) }
    }

    /// The key that was sealed: as it is, or in digits.
    fn unlocked(&self, inside: &[u8], broken: impl Fn(String) -> KeyError) -> Result<LocalKey, KeyError> {
        let mut secret = [0u8; 32];
        let whole = match <&[u8; 32]>::try_from(inside) {
            Ok(bytes) if matches!(self.seal, Seal::Kms(_)) => {
                secret.copy_from_slice(bytes);
                true
            }
            _ => parse_hex(inside, &mut secret),
        };
        if whole {
            return LocalKey::from_bytes(&mut secret);
        }
        secret.zeroize();
        let form = if matches!(self.seal, Seal::Kms(_)) { "neither 32 bytes nor" } else { "something else than" };
        Err(broken(format!("holds {form} 64 hexadecimal digits")))
    }

    fn keystore(&self, passphrase: &Passphrase) -> Result<LocalKey, KeyError> {
        let broken = |what: String| KeyError::Keystore { path: self.name(), what };
        let text = self.read(keystore::BYTES_MAX, broken)?;
        let mut secret = [0u8; 32];
        let opened = keystore::open(&text, &passphrase.read()?, &mut secret);
        let claimed = opened.inspect_err(|_| secret.zeroize()).map_err(broken)?;
        let key = LocalKey::from_bytes(&mut secret)?;
        match claimed {
            Some(address) if address != key.address() => Err(broken("holds the key of another address".to_owned())),
            _ => Ok(key),
        }
    }
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/=".contains(&byte)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::fs;
    use std::os::fd::IntoRawFd;
    use std::os::unix::fs::PermissionsExt;

    /// Made with few rounds, so that tests are quick; the passphrase is `a passphrase`.
    const STORE: &str = r#"{"version":3,"address":"ADDRESS","crypto":{"cipher":"aes-128-ctr","cipherparams":
        {"iv":"00000000000000000000000000000000"},"ciphertext":"SEALED","kdf":"pbkdf2","kdfparams":
        {"c":2,"dklen":32,"prf":"hmac-sha256","salt":"00"},"mac":"MAC"}}"#;

    /// A folder that vanishes.
    pub(in crate::io::key) struct Scratch(tempfile::TempDir);

    impl Scratch {
        pub(in crate::io::key) fn new() -> Scratch {
            Scratch(tempfile::tempdir().expect("a folder"))
        }

        /// A file in it, of a mode.
        pub(in crate::io::key) fn file(&self, name: &str, text: &str, mode: u32) -> PathBuf {
            let path = self.0.path().join(name);
            fs::write(&path, text).expect("write");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("mode");
            path
        }
    }

    /// A keystore of the key made of sevens, and its address.
    fn store(passphrase: &[u8]) -> (String, [u8; 20]) {
        use aes::cipher::{BlockEncrypt, KeyInit};
        let mut derived = [0; 32];
        let rounds = std::num::NonZeroU32::new(2).expect("two");
        ring::pbkdf2::derive(ring::pbkdf2::PBKDF2_HMAC_SHA256, rounds, &[0], passphrase, &mut derived);
        let aes = aes::Aes128::new_from_slice(&derived[..16]).expect("sixteen");
        let mut sealed = [7u8; 32];
        for (place, half) in sealed.chunks_exact_mut(16).enumerate() {
            let mut pad = aes::Block::from((place as u128).to_be_bytes());
            aes.encrypt_block(&mut pad);
            half.iter_mut().zip(&pad).for_each(|(byte, pad)| *byte ^= pad);
        }
        let mac = alloy_primitives::keccak256([&derived[16..], &sealed[..]].concat());
        let address = LocalKey::from_bytes(&mut [7; 32]).expect("a key").address();
        let hex = |bytes: &[u8]| alloy_primitives::hex::encode(bytes);
        let text = STORE.replace("ADDRESS", &hex(&address)).replace("SEALED", &hex(&sealed));
        (text.replace("MAC", &hex(&mac[..])), address)
    }

    #[test]
    fn a_keystore_opens_with_a_private_file_or_an_inherited_descriptor() {
        let scratch = Scratch::new();
        let (text, address) = store(b"a passphrase");
        let file = scratch.file("key.json", &text, 0o600);
        let words = scratch.file("words", "a passphrase\n", 0o600);
        let load = |passphrase| KeySource { file: file.clone(), seal: Seal::Keystore(passphrase) }.load();
        assert_eq!(load(Passphrase::File(words.clone())).expect("opens").address(), address);
        let descriptor = File::open(&words).expect("there").into_raw_fd();
        assert_eq!(load(Passphrase::Descriptor(descriptor)).expect("opens").address(), address);
        // SAFETY: only asks.
        assert!(unsafe { libc::fcntl(descriptor, libc::F_GETFD) } < 0, "the descriptor is closed after reading");
    }

    #[test]
    fn every_fault_names_its_file_and_never_the_passphrase() {
        let scratch = Scratch::new();
        let (text, _) = store(b"a passphrase");
        let file = scratch.file("key.json", &text, 0o600);
        let words = scratch.file("words", "a passphrase", 0o600);
        let load = |file: &PathBuf, passphrase| {
            let source = KeySource { file: file.clone(), seal: Seal::Keystore(passphrase) };
            let why = source.load().expect_err("refused").to_string();
            assert!(!why.contains("a passphrase") && !why.contains("another passphrase"), "{why}");
            why
        };
        let from = |name: &str, text: &str, mode| Passphrase::File(scratch.file(name, text, mode));
        assert!(load(&file, from("other", "another passphrase", 0o600)).contains("key.json does not open"));
        assert!(load(&file, from("empty", "\n", 0o600)).contains("empty is empty"));
        assert!(load(&file, from("long", &"x".repeat(1_025), 0o600)).contains("longer than 1024"));
        assert!(load(&file, from("open", "a passphrase", 0o640)).contains("0640"));
        assert!(load(&file, Passphrase::Descriptor(1_000)).contains("descriptor 1000 is not open"));
        assert!(load(&file, Passphrase::Descriptor(0)).contains("descriptor 0 is not open"));
        let exposed = scratch.file("exposed.json", &text, 0o644);
        assert!(load(&exposed, Passphrase::File(words.clone())).contains("0644"));
        let (_, address) = store(b"a passphrase");
        let shown = alloy_primitives::hex::encode(address);
        let stranger = scratch.file("stranger.json", &text.replace(&shown, &"11".repeat(20)), 0o600);
        assert!(load(&stranger, Passphrase::File(words)).contains("another address"));
        let plain = KeySource::plain(file).load().expect_err("no passphrase").to_string();
        assert!(plain.contains("64 hexadecimal digits"), "{plain}");
    }

    #[test]
    fn an_age_file_opens_with_its_passphrase_and_says_what_is_wrong() {
        let scratch = Scratch::new();
        let sealed = alloy_primitives::hex::decode(super::age::tests::FILE).expect("a constant");
        let file = scratch.0.path().join("key.age");
        fs::write(&file, &sealed).expect("write");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("mode");
        let load = |file: &Path, passphrase| KeySource { file: file.to_owned(), seal: Seal::Age(passphrase) }.load();
        let words = scratch.file("words", "correct horse\n", 0o600);
        let descriptor = File::open(&words).expect("there").into_raw_fd();
        for passphrase in [Passphrase::File(words.clone()), Passphrase::Descriptor(descriptor)] {
            let key = load(&file, passphrase).expect("opens");
            assert_eq!(alloy_primitives::hex::encode(key.address()), "f39fd6e51aad88f6f4ce6ab8827279cfffb92266");
        }
        let why = |file: &Path, words: &PathBuf| {
            load(file, Passphrase::File(words.clone())).expect_err("refused").to_string()
        };
        let other = scratch.file("other", "wrong", 0o600);
        assert!(why(&file, &other).contains("key.age does not open with this passphrase"));
        let large = scratch.file("large", &"x".repeat(4_097), 0o600);
        assert!(why(&large, &words).contains("larger than 4096 bytes"));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("mode");
        assert!(why(&file, &words).contains("0644"));
    }
}
