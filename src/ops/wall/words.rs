//! What is said during the introduction, one JSON object a line.

use crate::io::key::KeySource;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What a signer's process needs to know from the start. Paths only: secrets are the child's own to read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Charter {
    /// Name of the configuration.
    pub file: String,
    /// Its text, which the child reads and checks for itself.
    pub text: String,
    /// Folder of the journal.
    pub state_dir: PathBuf,
    /// Where the key comes from.
    pub key: KeySource,
    /// Core to pin to.
    pub core: Option<usize>,
    /// Look for work all the time, instead of sleeping until woken.
    pub spin: bool,
}

/// What the engine says.
#[derive(Serialize, Deserialize)]
pub(super) enum Request {
    /// Load the key.
    Charter(Charter),
    /// Prove the key to the venue.
    Prove {
        /// Venue time, unix ms.
        timestamp_ms: u64,
    },
    /// Open the journal, give up what is not needed, and sign what comes through the memory.
    Begin {
        /// What is traded from the start, in table order: listing messages in hexadecimal.
        instruments: Vec<String>,
    },
}

/// What the signer says.
#[derive(Serialize, Deserialize)]
pub(super) enum Reply {
    /// It holds a key.
    Holds {
        /// The key's address.
        address: String,
    },
    /// Proof of the key.
    Proof {
        /// The signature.
        signature: String,
    },
    /// It signs from now on.
    Ready {
        /// What it could not do for its own safety.
        warnings: Vec<String>,
    },
    /// It does not.
    Refused {
        /// Why.
        why: String,
    },
}
