//! What the tapes of a run must be told to be folded again: everything the engine was built from.

use crate::base::digest::digest;
use crate::base::time::Nanos;
use crate::config::{Config, Online};
use crate::engine::tape::{LETTER_BYTES, Letter, VERSION};
use crate::market::instrument::{Instrument, Listing};
use crate::ops::blueprint::Blueprint;
use crate::ops::journal::fold;
use crate::ops::replay::Hand;
use alloy::hex;
use serde::{Deserialize, Serialize};

/// Cores a configuration may name: which of them this host has is no matter when nothing runs on them.
const CORES: usize = 4_096;
/// Stands in for an address that may hold an access key; nothing is read from it again.
const NO_RPC: &str = "http://127.0.0.1:9/";

/// The head of a run, as its folder keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Version of entries and digests.
    pub version: u32,
    /// Version of the program.
    pub program: String,
    /// Digest of the program's own file.
    pub build: String,
    /// When the run began, unix ns.
    pub started_at_ns: u64,
    /// Name of the configuration.
    pub file: String,
    /// Its text, without what could open a door. Keys never stand in it.
    pub config: String,
    /// Digest of the text as it was.
    pub config_digest: String,
    /// The auctions were brought forward to this moment, unix ns: the demo does that.
    pub auctions_from_ns: Option<u64>,
    /// The venue's answers about the instruments, as listings in hexadecimal.
    instruments: Vec<String>,
    key_expires_at_ns: u64,
    apart: bool,
    signer: String,
}

/// What a head is made of.
pub struct Begun<'a> {
    /// Configuration.
    pub config: &'a Config,
    /// The moment auctions were brought forward to, if they were.
    pub auctions_from: Option<Nanos>,
    /// What the venue listed.
    pub instruments: &'a [Instrument],
    /// When the session key expires.
    pub key_expires_at: Nanos,
    /// Where the key is.
    pub hand: Hand,
    /// Now.
    pub at: Nanos,
}

fn written(instrument: &Instrument) -> String {
    let mut page = [0; LETTER_BYTES];
    let length = Listing::Listed { instrument: *instrument, watched: false }.write(&mut page);
    hex::encode(&page[..length])
}

fn read(text: &String) -> Option<Instrument> {
    match Listing::read(&hex::decode(text).ok()?)? {
        Listing::Listed { instrument, .. } => Some(instrument),
        Listing::Delisted { .. } => None,
    }
}

impl Head {
    /// Of a run that is about to begin.
    pub fn of(begun: &Begun<'_>) -> Head {
        let Begun { config, auctions_from, instruments, key_expires_at, hand, at } = begun;
        let source = config.source();
        let contracts = config.vaults.iter().filter_map(|vault| vault.contract.as_ref());
        let nodes = config.chain.iter().map(|chain| &chain.rpc_url).chain(contracts.map(|contract| &contract.rpc_url));
        let text = nodes.fold(source.text.clone(), |text, node| text.replace(node.as_str(), NO_RPC));
        let (apart, signer) = match hand {
            Hand::Here(signer) => (false, signer),
            Hand::Apart(signer) => (true, signer),
        };
        Head {
            version: VERSION,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            build: build(),
            started_at_ns: at.0,
            file: source.file.clone(),
            config: text,
            config_digest: format!("{:016x}", digest(source.text.as_bytes())),
            auctions_from_ns: auctions_from.map(|at| at.0),
            instruments: instruments.iter().map(written).collect(),
            key_expires_at_ns: key_expires_at.0,
            apart,
            signer: hex::encode(signer),
        }
    }

    /// Its text.
    pub fn text(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// The same on one line.
    pub fn line(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads a head.
    ///
    /// # Errors
    /// It is not one, or of a version that this program does not fold.
    pub fn read(text: &str) -> Result<Head, String> {
        /// What every version has.
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
            program: String,
        }
        let wrong = |why: serde_json::Error| format!("the head of the tapes is not understood: {why}");
        let Versioned { version, program } = serde_json::from_str(text).map_err(wrong)?;
        if version != VERSION {
            return Err(format!(
                "the tapes are of version {version}, written by keel {program}; this program folds version {VERSION}: \
                 replay them with that one"
            ));
        }
        serde_json::from_str(text).map_err(wrong)
    }

    /// The configuration of the run; `bring_forward` does what the demo did to its auctions.
    ///
    /// # Errors
    /// This program refuses it; in words.
    pub fn config(&self, bring_forward: impl FnOnce(&mut Config, Nanos)) -> Result<Config, String> {
        let mut config =
            Config::parse(&self.config, &self.file, &Online::first(CORES)).map_err(|why| why.to_string())?;
        if let Some(at) = self.auctions_from_ns {
            bring_forward(&mut config, Nanos(at));
        }
        Ok(config)
    }

    /// What the engine was built from, and where its key was; `journal` holds the records it started from.
    ///
    /// # Errors
    /// The head is damaged in a way its sum does not show; in words.
    pub fn blueprint(&self, config: &Config, journal: &[u8]) -> Result<(Blueprint, Hand), String> {
        let wrong = |what: &str| format!("the head of the tapes holds no {what}");
        let instruments: Option<Vec<Instrument>> = self.instruments.iter().map(read).collect();
        let instruments = instruments.filter(|all| all.len() == config.instruments().len());
        let instruments = instruments.ok_or_else(|| wrong("instruments of its configuration"))?;
        let journal = fold(journal).ok_or_else(|| wrong("journal that can be read"))?;
        let signer = hex::decode_to_array(&self.signer).map_err(|_| wrong("signer"))?;
        let blueprint = Blueprint::of(config, instruments, Nanos(self.key_expires_at_ns), &journal);
        Ok((blueprint, if self.apart { Hand::Apart(signer) } else { Hand::Here(signer) }))
    }

    /// True if it was written by this very program.
    pub fn is_ours(&self) -> bool {
        self.build == build()
    }
}

/// The digest of the running program's file; empty if it cannot be read.
fn build() -> String {
    let bytes = std::fs::read("/proc/self/exe").unwrap_or_default();
    if bytes.is_empty() { String::new() } else { format!("{:016x}", digest(&bytes[..])) }
}
