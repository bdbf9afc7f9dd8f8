//! `[wallet]` and `[signer]`: whose orders they are, what is around the session key, and which process holds it.

use std::fmt;
use std::path::PathBuf;

use super::text::Url;
use crate::derive::dialect::Address;

/// Whose orders they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wallet {
    /// Owner of every vault's subaccount.
    pub owner: Address,
    /// File that holds the session key.
    pub session_key_file: PathBuf,
    /// What is around the key in it.
    pub seal: KeySeal,
    /// When the key expires, unix seconds; to be read from the venue if absent.
    pub session_key_expires_at_s: Option<u64>,
}

/// What is around the session key in its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySeal {
    /// Nothing.
    Plain,
    /// A version 3 keystore.
    Keystore(Passphrase),
    /// Encryption with age.
    Age(Passphrase),
    /// A key of a cloud's KMS.
    Kms(KmsKey),
}

/// Where and by whom a wrapped key is unwrapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KmsKey {
    /// Region of the key, as its name says.
    pub region: String,
    /// Full name of the key.
    pub key_arn: String,
    /// Address of the service.
    pub endpoint: Url,
    /// Where the right to ask comes from.
    pub credentials: KmsCredentials,
    /// Longest wait for one answer.
    pub timeout_ms: u64,
}

/// Where the right to ask KMS comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KmsCredentials {
    /// The role of the instance this runs on.
    Instance,
    /// The role of the container this runs in.
    Container,
    /// A private file.
    File(PathBuf),
}

/// Where the passphrase of a sealed key comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Passphrase {
    /// A private file.
    File(PathBuf),
    /// A descriptor the engine inherits.
    Descriptor(i32),
}

/// Where the key lives, and when its keeper gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signer {
    /// Which process holds the key.
    pub isolation: Isolation,
    /// Refusals after which it halts itself.
    pub refusals_max: u32,
}

/// Which process holds the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// One of its own, without network, that does nothing else.
    Process,
    /// The engine's.
    Thread,
}

impl fmt::Display for Isolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Isolation::Process => "process",
            Isolation::Thread => "thread",
        })
    }
}

impl KeySeal {
    /// The descriptor that the passphrase comes from, if it is one.
    pub(super) fn descriptor(&self) -> Option<i32> {
        match self {
            KeySeal::Keystore(Passphrase::Descriptor(number)) | KeySeal::Age(Passphrase::Descriptor(number)) => {
                Some(*number)
            }
            _ => None,
        }
    }

    /// Private files it names: field, path, and what is in it.
    pub(super) fn files(&mut self) -> impl Iterator<Item = (&'static str, &mut PathBuf, &'static str)> {
        let file = match self {
            KeySeal::Keystore(Passphrase::File(file)) | KeySeal::Age(Passphrase::File(file)) => {
                Some(("wallet.passphrase_file", file, "the passphrase"))
            }
            KeySeal::Kms(KmsKey { credentials: KmsCredentials::File(file), .. }) => {
                Some(("wallet.kms.credentials_file", file, "the credentials"))
            }
            _ => None,
        };
        file.into_iter()
    }
}
