//! Where a key comes from: a plain key file, or a keystore with a passphrase from a private file or an inherited
//! descriptor. Never from an argument, the environment or the configuration itself.

use std::fs::File;
use std::io::Read;
use std::os::fd::FromRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::{KeyError, LocalKey, keystore, read_up_to};
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

/// Where a key comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySource {
    /// The key's file.
    pub file: PathBuf,
    /// Opens it if it is a keystore; none if the file holds the key itself.
    pub passphrase: Option<Passphrase>,
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
        KeySource { file, passphrase: None }
    }

    /// Reads the key.
    pub fn load(&self) -> Result<LocalKey, KeyError> {
        let Some(passphrase) = &self.passphrase else { return LocalKey::from_file(&self.file) };
        let path = self.file.display().to_string();
        let mut text = Vec::with_capacity(keystore::BYTES_MAX + 1);
        let file = private_file(&self.file)?;
        file.take(keystore::BYTES_MAX as u64 + 1)
            .read_to_end(&mut text)
            .map_err(|cause| KeyError::File { path: path.clone(), cause })?;
        let broken = |what: String| KeyError::Keystore { path: path.clone(), what };
        if text.len() > keystore::BYTES_MAX {
            return Err(broken(format!("is larger than {} bytes", keystore::BYTES_MAX)));
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::fd::IntoRawFd;
    use std::os::unix::fs::PermissionsExt;

    /// Made with few rounds, so that tests are quick; the passphrase is `a passphrase`.
    const STORE: &str = r#"{"version":3,"address":"ADDRESS","crypto":{"cipher":"aes-128-ctr","cipherparams":
        {"iv":"00000000000000000000000000000000"},"ciphertext":"SEALED","kdf":"pbkdf2","kdfparams":
        {"c":2,"dklen":32,"prf":"hmac-sha256","salt":"00"},"mac":"MAC"}}"#;

    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Scratch {
            let path = std::env::temp_dir().join(format!("keel-source-{}-{name}", std::process::id()));
            fs::create_dir_all(&path).expect("a folder");
            Scratch(path)
        }

        fn file(&self, name: &str, text: &str, mode: u32) -> PathBuf {
            let path = self.0.join(name);
            fs::write(&path, text).expect("write");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("mode");
            path
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
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
        let scratch = Scratch::new("opens");
        let (text, address) = store(b"a passphrase");
        let file = scratch.file("key.json", &text, 0o600);
        let words = scratch.file("words", "a passphrase\n", 0o600);
        let load = |passphrase| KeySource { file: file.clone(), passphrase: Some(passphrase) }.load();
        assert_eq!(load(Passphrase::File(words.clone())).expect("opens").address(), address);
        let descriptor = File::open(&words).expect("there").into_raw_fd();
        assert_eq!(load(Passphrase::Descriptor(descriptor)).expect("opens").address(), address);
        // SAFETY: only asks.
        assert!(unsafe { libc::fcntl(descriptor, libc::F_GETFD) } < 0, "the descriptor is closed after reading");
    }

    #[test]
    fn every_fault_names_its_file_and_never_the_passphrase() {
        let scratch = Scratch::new("faults");
        let (text, _) = store(b"a passphrase");
        let file = scratch.file("key.json", &text, 0o600);
        let words = scratch.file("words", "a passphrase", 0o600);
        let load = |file: &PathBuf, passphrase| {
            let source = KeySource { file: file.clone(), passphrase: Some(passphrase) };
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
}
