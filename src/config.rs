//! What was typed → what is meant. Units are in the names, ranges are checked, unknown names are refused.
//!
//! Every fault is reported at once, with file, line, field and what is allowed. A [`Config`] exists only if there was
//! none, so nothing behind it checks again. It holds no secret: the session key stays in its file.

mod explain;
mod file;
mod fleet;
mod host;
mod problem;
mod read;
mod seal;
mod sections;
mod sentry;
mod shape;
mod text;
mod vault;
mod wallet;

use std::fmt;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::actors::auction::INTENTS_MAX;
use crate::base::ids::InstrumentId;
use crate::derive::dialect::Environment;
use crate::market::fair::Model;
pub use explain::{Explained, table};
pub use host::Online;
pub use problem::{ConfigErrors, Problem};
use read::{Notes, Section};
pub use sentry::Sentry;
pub use shape::{
    BasisVault, ContractSigning, CoveredCallTerms, FeedRefresh, OptionVaultConfig, PresignTerms, RatioFeed, Strategy,
    V2Contract, VaultConfig, VaultKind,
};
pub use text::Url;
pub use vault::{DepositPhases, KeeperConfig};
pub use wallet::{Isolation, KeySeal, KmsCredentials, KmsKey, Passphrase, Signer, Wallet};

/// A whole, checked configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where orders go.
    pub venue: Venue,
    /// Whose orders they are.
    pub wallet: Wallet,
    /// Where the key lives, and when its keeper gives up.
    pub signer: Signer,
    /// The external order book; given if a vault needs it.
    pub external: Option<External>,
    /// Where ratio feeds are read; given if a vault needs it.
    pub chain: Option<Chain>,
    /// Which thread runs where.
    pub topology: Topology,
    /// Who watches the engine, if anybody.
    pub sentry: Option<Sentry>,
    /// Folder of the journal, if one is kept.
    pub state_dir: Option<PathBuf>,
    /// The tapes beside it.
    pub tapes: Tapes,
    /// Vaults, in the order of [`crate::base::ids::VaultId`].
    pub vaults: Vec<VaultConfig>,
    external_symbols: Vec<String>,
    ratio_feeds: Vec<RatioFeed>,
    instruments: Vec<String>,
    currencies: Vec<String>,
    explained: Vec<Explained>,
    warnings: Vec<String>,
    source: Source,
}

/// What a configuration was read from. It may hold an access key, so it is never shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Source {
    /// Name of the file.
    pub file: String,
    /// Its text.
    pub text: String,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Source(…)")
    }
}

/// Where orders go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Venue {
    /// Endpoints, and what is signed there.
    pub environment: Environment,
    /// Ask the venue to cancel quotes when the private connection drops (Derive §4.5).
    pub cancel_on_disconnect: bool,
}

/// The external order book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct External {
    /// WebSocket base address, without a stream path.
    pub ws_url: Url,
}

/// Where ratio feeds are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// JSON-RPC endpoint; it may hold an access key and is never shown whole.
    pub rpc_url: Url,
    /// Time between two reads of a feed.
    pub poll_interval_ns: u64,
}

/// Which thread runs where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Topology {
    /// Cores.
    pub layout: Layout,
    /// What an idle thread does.
    pub idle: Idle,
}

/// How actors are spread over cores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// As the host suggests.
    Auto,
    /// All in one thread, pinned to this core if given.
    Single(Option<usize>),
    /// One core each, in pipeline order: market data, pricing, auction, risk, signer, gateway.
    Spread([usize; 6]),
}

/// What an actor thread does with nothing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    /// Look again at once.
    Spin,
    /// Let others run first.
    Yield,
}

impl fmt::Display for Idle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Idle::Spin => "spin",
            Idle::Yield => "yield",
        })
    }
}

/// How much of the last run's tapes a start folds again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoldBounds {
    /// Time for it, ms; zero: nothing is folded.
    pub ms_max: u64,
    /// Tapes above this, MiB, are only looked at where they end.
    pub mib_max: u64,
}

/// What is recorded of every run, and how much of it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tapes {
    /// Record.
    pub on: bool,
    /// Most the tapes of a run take, MiB; its oldest pages go then.
    pub run_mib_max: u64,
    /// Most that the tapes of older runs may take beside it, MiB.
    pub kept_mib_max: u64,
    /// Space on the disk that tapes leave free, MiB.
    pub free_mib_min: u64,
    /// Three deaths at one place of the tape within this time make the next run start drained.
    pub crash_loop_ns: u64,
    /// How much of the last run a start folds again.
    pub fold: FoldBounds,
}

/// The vaults and the lists their places point into.
#[derive(Default)]
struct Fleet {
    vaults: Vec<VaultConfig>,
    external_symbols: Vec<String>,
    ratio_feeds: Vec<RatioFeed>,
    instruments: Vec<String>,
    currencies: Vec<String>,
}

impl Config {
    /// Reads and checks a file, the files the engine needs of those it names, and the cores of this host. Relative paths in
    /// it are relative to its folder.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn load(path: &Path) -> Result<Config, ConfigErrors> {
        Config::load_for(path, |config, files| {
            files.private_key(
                &mut config.wallet.session_key_file,
                "wallet.session_key_file",
                files.lines.key,
                KEY_FILE,
            );
            for (field, file, holds) in config.wallet.seal.files() {
                let allowed = format!("a plain file with mode 0600 or 0400, holding {holds}");
                files.private_key(file, field, files.lines.key, &allowed);
            }
            let contracts = config.vaults.iter_mut().filter_map(|vault| vault.contract.as_mut());
            for contract in contracts {
                if let ContractSigning::Before(PresignTerms { gas_key_file: Some(key), .. }) = &mut contract.signing {
                    files.private_key(key, "vault.v2.gas_key_file", 1, KEY_FILE);
                }
            }
            if let Some(sentry) = &mut config.sentry {
                files.private_key(&mut sentry.secret_file, "sentry.secret_file", files.lines.sentry, SECRET_FILE);
            }
            if let Some(dir) = &mut config.state_dir {
                config.warnings.extend(files.state(dir));
            }
        })
    }

    /// The same for the sentry, which is on another host: of the files named it needs its own.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn load_for_sentry(path: &Path) -> Result<Config, ConfigErrors> {
        Config::load_for(path, |config, files| {
            let Some(sentry) = &mut config.sentry else {
                return files.errors.push(1, "sentry", "missing: there is nothing to hear", "[sentry]");
            };
            files.private_key(&mut sentry.secret_file, "sentry.secret_file", files.lines.sentry, SECRET_FILE);
            files.private_key(&mut sentry.session_key_file, "sentry.session_key_file", files.lines.sentry, KEY_FILE);
        })
    }

    fn load_for(path: &Path, check: impl FnOnce(&mut Config, &mut Files<'_>)) -> Result<Config, ConfigErrors> {
        let name = path.display().to_string();
        let bytes = file::read(path)?;
        let text = plain_text(&name, &bytes)?;
        let mut outcome = parse(text, &name, &Online::here());
        if let (Some(config), lines) = &mut outcome.built {
            check(config, &mut Files { path, lines: *lines, errors: &mut outcome.errors });
        }
        outcome.finish()
    }

    /// Checks a text as if it were the content of `file`, on a host with these cores. No file is touched.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn parse(text: &str, file: &str, online: &Online) -> Result<Config, ConfigErrors> {
        parse(plain_text(file, text.as_bytes())?, file, online).finish()
    }

    /// Every resolved value, in the order of the sections. No secret is among them.
    pub fn explain(&self) -> &[Explained] {
        &self.explained
    }

    /// What is allowed but probably not wanted, as `file:line: field: what`.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// What it was read from.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// External symbols; [`Model::external`] is a place in this list.
    pub fn external_symbols(&self) -> &[String] {
        &self.external_symbols
    }

    /// Ratio feeds; [`Model::ratio_feed`] is a place in this list.
    pub fn ratio_feeds(&self) -> &[RatioFeed] {
        &self.ratio_feeds
    }

    /// Instruments by venue name; an [`crate::base::ids::InstrumentId`] is a place in this list.
    pub fn instruments(&self) -> &[String] {
        &self.instruments
    }

    /// Currencies by venue name, cash first; a [`crate::msg::CurrencyId`] is a place in this list.
    pub fn currencies(&self) -> &[String] {
        &self.currencies
    }

    /// How each instrument of the basis vaults is valued; option vaults take the venue's marks.
    pub fn models(&self) -> impl Iterator<Item = (InstrumentId, Model)> + '_ {
        (0u16..).map(InstrumentId).zip(&self.instruments).filter_map(|(id, _)| {
            self.vaults.iter().find_map(|vault| match vault.basis()? {
                basis if id == vault.book.base => Some((id, basis.base_model)),
                basis if Some(id) == vault.book.perp => Some((id, basis.perp_model)),
                _ => None,
            })
        })
    }
}

const KEY_FILE: &str = "a plain file with mode 0600 or 0400, holding the key as wallet.key_source says";
const SECRET_FILE: &str = "a plain file with mode 0600 or 0400, holding 64 hexadecimal digits";

/// Looks at the files a configuration names.
struct Files<'f> {
    /// The configuration's own.
    path: &'f Path,
    lines: Lines,
    errors: &'f mut ConfigErrors,
}

impl Files<'_> {
    /// Resolves the path of a file that only its owner may reach, and notes what is wrong with it.
    fn private_key(&mut self, named: &mut PathBuf, field: &str, line: usize, allowed: &str) {
        *named = file::resolve(self.path, named);
        if let Some(what) = file::key_fault(named) {
            self.errors.push(line, field, what, allowed);
        }
    }

    /// Resolves the state folder, and notes what is wrong with it; a warning if it will not last.
    fn state(&mut self, dir: &mut PathBuf) -> Option<String> {
        *dir = file::resolve(self.path, dir);
        let line = self.lines.state;
        if let Some(what) = file::state_fault(dir) {
            self.errors.push(line, "state.dir", what, "a folder with mode 0700, or none yet");
        }
        let name = self.path.display();
        let what = "is in memory: the journal is lost when the host restarts";
        file::in_memory(dir).then(|| format!("{name}:{line}: state.dir: {what}"))
    }
}

/// A reading, and what is wrong with it.
struct Outcome {
    built: (Option<Config>, Lines),
    errors: ConfigErrors,
}

/// Where things stand whose files are looked at later.
#[derive(Clone, Copy, Default)]
struct Lines {
    /// The session key file.
    key: usize,
    /// The state folder.
    state: usize,
    /// The sentry's section.
    sentry: usize,
}

impl Outcome {
    fn finish(mut self) -> Result<Config, ConfigErrors> {
        self.errors.sort();
        match self.built.0 {
            Some(config) if self.errors.is_empty() => Ok(config),
            _ => Err(self.errors),
        }
    }
}

/// The bytes as text, if they are plain text of bounded size.
fn plain_text<'b>(file: &str, bytes: &'b [u8]) -> Result<&'b str, ConfigErrors> {
    let line = |at: usize| bytes[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
    let refuse = |line: usize, what: &str, allowed: &str| {
        let mut errors = ConfigErrors::new(file);
        errors.push(line, "", what, allowed);
        Err(errors)
    };
    if bytes.len() > file::BYTES_MAX {
        return refuse(1, &format!("is larger than {} bytes", file::BYTES_MAX), "a configuration of at most 64 KiB");
    }
    if bytes.starts_with(&[0xef, 0xbb, 0xbf]) {
        return refuse(1, "starts with a byte order mark", "plain UTF-8 without one");
    }
    if let Some(at) = bytes.iter().position(|byte| *byte == 0) {
        return refuse(line(at), "holds a NUL byte", "plain UTF-8 text");
    }
    std::str::from_utf8(bytes).or_else(|error| refuse(line(error.valid_up_to()), "is not UTF-8", "plain UTF-8 text"))
}

fn parse(text: &str, file: &str, online: &Online) -> Outcome {
    let notes = Notes::new(file, text);
    let (document, faults) = DeTable::parse_recoverable(text);
    for fault in &faults {
        let mut notes = notes.borrow_mut();
        let line = notes.line(fault.span().map_or(0, |span| span.start));
        notes.errors.push(line, "", format!("not TOML: {}", fault.message()), "TOML 1.0");
    }
    // What a broken document seems to lack may only be hidden behind the fault.
    let built = if faults.is_empty() {
        refuse_secrets(document.get_ref(), &notes);
        build(&Section::root(&notes, document.get_ref()), online)
    } else {
        (None, Lines::default())
    };
    let Notes { errors, rows, warnings, .. } = notes.into_inner();
    let (config, lines) = built;
    let source = Source { file: file.to_owned(), text: text.to_owned() };
    let config = config.map(|config| Config { explained: rows, warnings, source, ..config });
    Outcome { built: (config, lines), errors }
}

fn build(root: &Section<'_>, online: &Online) -> (Option<Config>, Lines) {
    let venue = sections::venue(root.child("venue"));
    let (wallet, key_line) = sections::wallet(root.child("wallet"));
    let signer = sections::signer(root.child("signer"));
    let tables = root.children("vault", 1..=INTENTS_MAX);
    let needs = vault::Needs::of(&tables);
    let external = sections::external(root.child("external"), needs.external);
    let (chain, poll) = sections::chain(root.child("chain"), needs.ratios);
    let topology = sections::topology(root.child("topology"), online);
    let (state_dir, state_line) = sections::state(root.child("state"));
    let engine_key = wallet.as_ref().map(|wallet| &wallet.session_key_file);
    let (sentry, sentry_line) = sentry::sentry(root.child("sentry"), engine_key);
    let tapes = sections::journal(root.child("journal"));
    let drafts: Vec<_> = tables.into_iter().map(|table| vault::vault(table, &poll)).collect();
    fleet::check(&drafts, root.notes);
    fleet::check_contracts(&drafts, (&venue, &wallet, &signer), root.notes);
    root.finish();
    let config = || {
        let fleet = fleet::build(drafts)?;
        Some(Config {
            venue: venue?,
            wallet: wallet?,
            signer: signer?,
            external: external?,
            chain: chain?,
            topology: topology?,
            sentry: sentry?,
            state_dir,
            tapes: tapes?,
            vaults: fleet.vaults,
            external_symbols: fleet.external_symbols,
            ratio_feeds: fleet.ratio_feeds,
            instruments: fleet.instruments,
            currencies: fleet.currencies,
            explained: Vec::new(),
            warnings: Vec::new(),
            source: Source::default(),
        })
    };
    (config(), Lines { key: key_line, state: state_line, sentry: sentry_line })
}

/// Refuses any text that could be a private key, wherever it stands, without repeating it. Access keys in URLs look the
/// same and are allowed; nothing shows them.
fn refuse_secrets(table: &DeTable<'_>, notes: &std::cell::RefCell<Notes>) {
    let mut left: Vec<&Spanned<DeValue<'_>>> = table.values().collect();
    while let Some(value) = left.pop() {
        match value.get_ref() {
            DeValue::String(text) if text::looks_secret(text) && !text.contains("://") => {
                let mut notes = notes.borrow_mut();
                let line = notes.line(value.span().start);
                let what = "a text that could be a private key; if it is one, treat it as lost";
                notes.errors.push(line, "", what, "secrets only in the file that wallet.session_key_file names");
            }
            DeValue::Array(items) => left.extend(items.iter()),
            DeValue::Table(table) => left.extend(table.values()),
            _ => {}
        }
    }
}
