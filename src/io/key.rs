//! The signing key in a locked page of its own, behind libsecp256k1; it never leaves and is never shown.
//!
//! Key, blinding and context share one anonymous page: locked in memory, left out of core files, empty in a
//! forked child, wiped on drop. One context lives as long as the key. The safe wrappers blind it anew for
//! every signature (46 µs instead of 22); here it is blinded at start and whenever `rerandomize` is called,
//! which belongs between ticks. That trades one layer of defence against power and timing analysis for
//! latency; the arithmetic is constant-time either way. Nonces are RFC 6979, so a signature needs no entropy.

mod age;
mod keystore;
mod kms;
mod sha256;
mod sigv4;
mod source;

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::ptr::{self, NonNull};

use alloy_primitives::keccak256;
use ring::rand::{SecureRandom, SystemRandom};
use secp256k1_sys as secp;
use secp256k1_sys::recovery;
use zeroize::Zeroize;

use crate::engine::ports::Key;
pub use kms::{Kms, Source as KmsCredentials};
pub use source::{KeySource, Passphrase, Seal};

/// One page: far more than key and context need, and the unit that can be locked.
const PAGE_BYTES: usize = 4096;
/// The secret sits at the start of the page, the context after it.
const CONTEXT_AT: usize = 64;
/// `0x` + 64 digits + a line end; more is not a key file.
const FILE_BYTES_MAX: usize = 70;

/// Why a key could not be had. Never holds any of the key.
#[derive(Debug)]
pub enum KeyError {
    /// The file could not be read.
    File {
        /// The file's path.
        path: String,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The file is open to others, or not a plain file.
    Exposed {
        /// The file's path.
        path: String,
        /// Its permission bits and type.
        mode: u32,
    },
    /// The text is not 64 hexadecimal digits.
    Form {
        /// The file's path.
        path: String,
    },
    /// Zero, or not below the group order: no key at all.
    Range,
    /// The page could not be had, locked or hidden from core files.
    Memory(std::io::Error),
    /// The system gave no random bytes.
    Random,
    /// A keystore that cannot be opened.
    Keystore {
        /// The file's path.
        path: String,
        /// What is wrong with it.
        what: String,
    },
    /// A file encrypted with age that cannot be opened.
    Age {
        /// The file's path.
        path: String,
        /// What is wrong with it.
        what: String,
    },
    /// A key that KMS did not unwrap, or not into a key.
    Kms {
        /// The wrapped key's path.
        path: String,
        /// What is wrong.
        what: String,
    },
    /// A passphrase that cannot be one.
    Passphrase {
        /// Where it was to come from.
        from: String,
        /// What is wrong there.
        what: &'static str,
    },
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyError::File { path, cause } => write!(f, "key file {path}: {cause}"),
            KeyError::Exposed { path, mode } if mode & libc::S_IFMT != libc::S_IFREG => {
                write!(f, "key file {path} is not a plain file")
            }
            KeyError::Exposed { path, mode } => write!(
                f,
                "key file {path} has mode {:04o}, others can reach it; allowed is 0600 or 0400: chmod 600 {path}",
                mode & 0o7777
            ),
            KeyError::Form { path } => {
                write!(f, "key file {path} must hold 64 hexadecimal digits, optionally after 0x, and nothing else")
            }
            KeyError::Range => write!(f, "the key is zero or not below the order of secp256k1"),
            KeyError::Memory(cause) => {
                write!(f, "no locked page for the key: {cause} (RLIMIT_MEMLOCK must allow {PAGE_BYTES} bytes)")
            }
            KeyError::Random => write!(f, "the system gave no random bytes"),
            KeyError::Keystore { path, what } => write!(f, "keystore {path} {what}"),
            KeyError::Age { path, what } => write!(f, "age file {path} {what}"),
            KeyError::Kms { path, what } => write!(f, "wrapped key {path}: {what}"),
            KeyError::Passphrase { from, what } => write!(f, "the passphrase of {from} {what}"),
        }
    }
}

impl std::error::Error for KeyError {}

/// One anonymous page that is locked, undumpable, wiped on drop.
struct LockedPage(NonNull<u8>);

impl LockedPage {
    fn new() -> Result<LockedPage, KeyError> {
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a fresh anonymous mapping at an address of the kernel's choice; it aliases nothing.
        let page = unsafe { libc::mmap(ptr::null_mut(), PAGE_BYTES, access, kind, -1, 0) };
        let page = match NonNull::new(page.cast::<u8>()) {
            Some(page) if page.as_ptr().cast() != libc::MAP_FAILED => LockedPage(page),
            _ => return Err(KeyError::Memory(std::io::Error::last_os_error())),
        };
        let start = page.0.as_ptr().cast();
        // SAFETY: the range is exactly the mapping just made; neither call reads or writes its bytes.
        let kept = unsafe {
            libc::mlock(start, PAGE_BYTES) == 0
                && libc::madvise(start, PAGE_BYTES, libc::MADV_DONTDUMP) == 0
                && libc::madvise(start, PAGE_BYTES, libc::MADV_WIPEONFORK) == 0
        };
        if kept { Ok(page) } else { Err(KeyError::Memory(std::io::Error::last_os_error())) }
    }

    /// The 32 secret bytes.
    fn secret(&self) -> *mut u8 {
        self.0.as_ptr()
    }

    /// Where the context goes: 16-byte aligned, as the library demands.
    fn context_place(&self) -> NonNull<secp::types::c_void> {
        // SAFETY: CONTEXT_AT lies inside the page.
        unsafe { self.0.add(CONTEXT_AT).cast() }
    }
}

impl Drop for LockedPage {
    fn drop(&mut self) {
        // SAFETY: the page is ours, mapped and writable until the munmap on the next line; nobody else holds
        // a pointer into it, because the context and secret pointers live and die with the owner of this page.
        unsafe {
            std::slice::from_raw_parts_mut(self.0.as_ptr(), PAGE_BYTES).zeroize();
            libc::munmap(self.0.as_ptr().cast(), PAGE_BYTES);
        }
    }
}

/// A secp256k1 secret key that signs digests.
pub struct LocalKey {
    page: LockedPage,
    context: NonNull<secp::Context>,
    random: SystemRandom,
    address: [u8; 20],
}

// SAFETY: the pointers lead into the page this value owns alone; nothing in it belongs to a thread.
unsafe impl Send for LocalKey {}

impl fmt::Debug for LocalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl LocalKey {
    /// Takes a key from 32 bytes and wipes them where they came from.
    pub fn from_bytes(secret: &mut [u8; 32]) -> Result<LocalKey, KeyError> {
        let page = LockedPage::new()?;
        // SAFETY: source and target are 32 valid bytes each and do not overlap.
        unsafe { ptr::copy_nonoverlapping(secret.as_ptr(), page.secret(), 32) };
        secret.zeroize();
        LocalKey::in_page(page)
    }

    /// Reads a key of 64 hexadecimal digits, optionally after `0x` and before one line end. The file must be
    /// a plain one that only its owner can reach.
    pub fn from_file(path: &Path) -> Result<LocalKey, KeyError> {
        let name = || path.display().to_string();
        let failed = |cause| KeyError::File { path: name(), cause };
        let mut file = source::private_file(path)?;
        let mut text = [0u8; FILE_BYTES_MAX];
        let mut secret = [0u8; 32];
        let parsed = read_up_to(&mut file, &mut text).map(|len| parse_hex(&text[..len], &mut secret));
        text.zeroize();
        match parsed {
            Err(cause) => Err(failed(cause)),
            Ok(false) => {
                secret.zeroize();
                Err(KeyError::Form { path: name() })
            }
            Ok(true) => LocalKey::from_bytes(&mut secret),
        }
    }

    /// Blinds the signing context anew (about 25 µs). Call it now and then, between ticks.
    pub fn rerandomize(&mut self) -> Result<(), KeyError> {
        let mut seed = [0u8; 32];
        self.random.fill(&mut seed).map_err(|_| KeyError::Random)?;
        // SAFETY: the context is valid for as long as the page, and `&mut self` makes this its only use.
        let done = unsafe { secp::secp256k1_context_randomize(self.context, seed.as_ptr()) };
        seed.zeroize();
        assert_eq!(done, 1, "libsecp256k1 refused to blind its context");
        Ok(())
    }

    /// Builds the context behind the secret and derives the address.
    fn in_page(page: LockedPage) -> Result<LocalKey, KeyError> {
        // SAFETY: both calls take flags; the place is aligned and, as checked between, large enough.
        let context = unsafe {
            let size = secp::secp256k1_context_preallocated_size(secp::SECP256K1_START_NONE);
            assert!(CONTEXT_AT + size <= PAGE_BYTES, "libsecp256k1 wants a context of {size} bytes");
            secp::secp256k1_context_preallocated_create(page.context_place(), secp::SECP256K1_START_NONE)
        };
        // SAFETY: context and secret are valid; the call only reads them.
        if unsafe { secp::secp256k1_ec_seckey_verify(context.as_ptr(), page.secret()) } != 1 {
            return Err(KeyError::Range);
        }
        sha256::lend(context);
        let address = address_of(&page, context);
        let mut key = LocalKey { page, context, random: SystemRandom::new(), address };
        key.rerandomize()?;
        Ok(key)
    }
}

impl Key for LocalKey {
    fn sign(&mut self, digest: &[u8; 32]) -> [u8; 65] {
        let mut signature = recovery::RecoverableSignature::new();
        let mut out = [0u8; 65];
        let mut recovery_id = 0;
        // SAFETY: every pointer is to a live value of the size the library expects: context and secret in our
        // page, digest and out on the stack. The nonce function is the library's own RFC 6979.
        let done = unsafe {
            recovery::secp256k1_ecdsa_sign_recoverable(
                self.context.as_ptr(),
                &mut signature,
                digest.as_ptr(),
                self.page.secret(),
                secp::secp256k1_nonce_function_rfc6979,
                ptr::null(),
            ) & recovery::secp256k1_ecdsa_recoverable_signature_serialize_compact(
                self.context.as_ptr(),
                out.as_mut_ptr(),
                &mut recovery_id,
                &signature,
            )
        };
        // A verified key cannot fail to sign, and an id of 2 or 3 means r ≥ n, once in 2^127 signatures.
        assert!(done == 1 && (0..2).contains(&recovery_id), "libsecp256k1 failed to sign");
        out[64] = 27 + recovery_id as u8;
        out
    }

    fn address(&self) -> [u8; 20] {
        self.address
    }

    fn refresh(&mut self) {
        // Without entropy the old blinding stays, which is as good as it was.
        let _ = self.rerandomize();
    }
}

/// Last 20 bytes of the Keccak-256 of the public key.
fn address_of(page: &LockedPage, context: NonNull<secp::Context>) -> [u8; 20] {
    let mut point = [0u8; 65];
    let mut len = point.len();
    // SAFETY: context and secret are valid and the secret was verified; the output buffer has the 65 bytes that
    // the uncompressed form needs, as `len` tells.
    let done = unsafe {
        let mut public = secp::PublicKey::new();
        secp::secp256k1_ec_pubkey_create(context.as_ptr(), &mut public, page.secret())
            & secp::secp256k1_ec_pubkey_serialize(
                context.as_ptr(),
                point.as_mut_ptr(),
                &mut len,
                &public,
                secp::SECP256K1_SER_UNCOMPRESSED,
            )
    };
    assert_eq!((done, len), (1, 65), "libsecp256k1 failed to derive the public key");
    let mut address = [0u8; 20];
    address.copy_from_slice(&keccak256(&point[1..])[12..]);
    address
}

/// Fills `into` as far as the file reaches; one byte more than it holds is found by being full.
fn read_up_to(file: &mut File, into: &mut [u8]) -> std::io::Result<usize> {
    let mut len = 0;
    while len < into.len() {
        match file.read(&mut into[len..])? {
            0 => break,
            n => len += n,
        }
    }
    Ok(len)
}

/// Reads the file's text into the secret; false if it is anything but a key.
fn parse_hex(text: &[u8], secret: &mut [u8; 32]) -> bool {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    let digits = text.strip_prefix(b"0x").unwrap_or(text);
    if digits.len() != 64 {
        return false;
    }
    for (byte, pair) in secret.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |place: usize| (pair[place] as char).to_digit(16);
        match (digit(0), digit(1)) {
            (Some(high), Some(low)) => *byte = (high << 4 | low) as u8,
            _ => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{B256, Signature, U256, hex};
    use k256::ecdsa::SigningKey;
    use proptest::prelude::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    /// First developer account of the usual local chain nodes.
    const KNOWN: &str = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

    fn known() -> LocalKey {
        let mut secret = [0u8; 32];
        assert!(parse_hex(KNOWN.as_bytes(), &mut secret));
        LocalKey::from_bytes(&mut secret).expect("a key")
    }

    struct Scratch(PathBuf);

    impl Scratch {
        fn file(name: &str, text: &[u8], mode: u32) -> Scratch {
            let path = std::env::temp_dir().join(format!("keel-key-{}-{name}", std::process::id()));
            fs::write(&path, text).expect("write");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("mode");
            Scratch(path)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    #[test]
    fn the_address_is_the_known_one_and_nothing_is_shown() {
        let key = known();
        assert_eq!(hex::encode(key.address()), "f39fd6e51aad88f6f4ce6ab8827279cfffb92266");
        assert_eq!(format!("{key:?}"), "Secret(…)");
    }

    #[test]
    fn the_source_is_wiped() {
        let mut secret = [7u8; 32];
        let _key = LocalKey::from_bytes(&mut secret).expect("a key");
        assert_eq!(secret, [0u8; 32]);
    }

    #[test]
    fn numbers_outside_the_group_are_refused() {
        let mut order = [0u8; 32];
        assert!(parse_hex(b"fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", &mut order));
        for mut secret in [[0u8; 32], order, [0xff; 32]] {
            assert!(matches!(LocalKey::from_bytes(&mut secret), Err(KeyError::Range)));
        }
    }

    #[test]
    fn files_are_read_in_every_allowed_form_and_refused_in_every_other() {
        for (name, text) in [
            ("plain", KNOWN.to_string()),
            ("prefixed", format!("0x{KNOWN}\n")),
            ("upper", KNOWN.to_uppercase()),
            ("crlf", format!("{KNOWN}\r\n")),
        ] {
            let file = Scratch::file(name, text.as_bytes(), 0o600);
            let key = LocalKey::from_file(&file.0).expect(name);
            assert_eq!(key.address(), known().address(), "{name}");
        }
        for (name, text) in [
            ("empty", String::new()),
            ("short", KNOWN[1..].to_string()),
            ("long", format!("{KNOWN}0")),
            ("huge", KNOWN.repeat(100)),
            ("letters", KNOWN.replace('a', "g")),
            ("spaced", format!(" {KNOWN}")),
        ] {
            let file = Scratch::file(name, text.as_bytes(), 0o600);
            let error = LocalKey::from_file(&file.0).expect_err(name).to_string();
            assert!(error.contains(&*file.0.to_string_lossy()) && error.contains("64 hexadecimal"), "{error}");
            assert!(text.len() < 10 || !error.contains(&text[..10]), "the error shows the key");
        }
    }

    #[test]
    fn files_others_can_reach_are_refused_by_path_and_mode() {
        for mode in [0o644, 0o640, 0o604, 0o620, 0o660, 0o601] {
            let file = Scratch::file(&format!("mode{mode:o}"), KNOWN.as_bytes(), mode);
            let error = LocalKey::from_file(&file.0).expect_err("exposed").to_string();
            assert!(error.contains(&*file.0.to_string_lossy()) && error.contains(&format!("{mode:04o}")), "{error}");
        }
        let folder = LocalKey::from_file(&std::env::temp_dir()).expect_err("a folder").to_string();
        assert!(folder.contains("plain file"), "{folder}");
        let absent = LocalKey::from_file(Path::new("absent-key")).expect_err("absent").to_string();
        assert!(absent.contains("absent-key"), "{absent}");
    }

    #[test]
    fn the_page_is_locked_and_left_out_of_core_files() {
        let key = known();
        let page = key.page.secret() as usize;
        let maps = fs::read_to_string("/proc/self/smaps").expect("smaps");
        let mut inside = false;
        let mut flags = String::new();
        for line in maps.lines() {
            if let Some((range, _)) = line.split_once(' ')
                && let Some((from, to)) = range.split_once('-')
                && let (Ok(from), Ok(to)) = (usize::from_str_radix(from, 16), usize::from_str_radix(to, 16))
            {
                inside = (from..to).contains(&page);
            }
            if inside && line.starts_with("VmFlags:") {
                flags = line.to_string();
            }
        }
        for flag in [" lo", " dd", " wf"] {
            assert!(flags.contains(flag), "{flag} missing in {flags}");
        }
    }

    proptest! {
        #[test]
        fn signatures_recover_and_equal_those_of_another_implementation(
            secret in any::<[u8; 32]>(), digest in any::<[u8; 32]>(), blind in any::<bool>()
        ) {
            let Ok(other) = SigningKey::from_slice(&secret) else { return Ok(()) };
            let mut key = LocalKey::from_bytes(&mut secret.clone()).expect("a key");
            if blind {
                key.rerandomize().expect("entropy");
            }
            let out = key.sign(&digest);
            let (theirs, id) = other.sign_prehash_recoverable(&digest).expect("signed");
            prop_assert_eq!(&out[..64], &theirs.to_bytes()[..]);
            prop_assert_eq!(out[64], 27 + id.to_byte());
            prop_assert_eq!(key.sign(&digest), out);
            let half = U256::from_str_radix("7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0", 16).expect("n/2");
            prop_assert!(U256::from_be_slice(&out[32..64]) <= half);
            let signature = Signature::from_raw(&out).expect("65 bytes");
            let found = signature.recover_address_from_prehash(&B256::from(digest)).expect("recovered");
            prop_assert_eq!(found.into_array(), key.address());
        }
    }
}
