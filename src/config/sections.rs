//! The sections there is one of: venue, wallet, signer, external book, chain, topology, state.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

use super::host::Online;
use super::read::{Absent, Field, Rule, Section, Span};
use super::text::{Url, address, looks_secret, quoted, show_address};
use super::{Chain, External, FoldBounds, Idle, Isolation, Layout, Signer, Tapes, Topology, Venue, Wallet, seal};
use crate::base::time::SEC;
use crate::derive::dialect::{DIALECTS, Dialect, Environment, Generation, LOCAL, MAINNET};

/// Unix seconds between which a key may expire: later than any past deployment, and not milliseconds.
const EXPIRY_S: std::ops::RangeInclusive<i64> = 1_700_000_000..=4_102_444_800;
/// Longest path.
const PATH_MAX: usize = 4_096;

/// A dialect that shows its name.
#[derive(Clone, Copy, PartialEq)]
struct Network(&'static Dialect);

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name)
    }
}

pub(super) fn url_rule<'r>(secure: &str, plain: &str, absent: Absent<Url>) -> Rule<'r, Url> {
    let allowed = format!("{secure}://host[:port]/path, or {plain}:// for this machine");
    Rule { unit: "", allowed, absent, show: Url::to_string }
}

/// `[venue]`.
pub(super) fn venue(section: Section<'_>) -> Option<Venue> {
    let networks = DIALECTS.map(|dialect| (dialect.name, Network(dialect)));
    let network = section.choice(
        ("environment", "which Derive network's signatures are made, and whose endpoints are used"),
        &networks,
        None,
    );
    let spec = ("ws_url", "WebSocket address; the network's own unless given");
    let ws = section.text(spec, url_rule("wss", "ws", Absent::Fine), |text| Url::read(text, "wss", "ws", false));
    let spec = ("rest_url", "REST base address; the network's own unless given");
    let rest =
        section.text(spec, url_rule("https", "http", Absent::Fine), |text| Url::read(text, "https", "http", false));
    let cancel_on_disconnect = section
        .boolean(("cancel_on_disconnect", "ask the venue to cancel quotes when the private connection drops"), true);
    if let Some(Network(dialect)) = network.value {
        for url in [&ws, &rest] {
            check_host(url, dialect, &section);
        }
        if dialect.generation == Generation::V2 && (ws.value.is_none() || rest.value.is_none()) {
            let what = format!("the public endpoints of {} are wound down", dialect.name);
            network.refuse(what, "this environment with ws_url and rest_url of a local exchange", section.notes);
        }
    }
    match (&ws.value, &rest.value) {
        (Some(_), None) => ws.refuse("given without rest_url", "both or neither", section.notes),
        (None, Some(_)) => rest.refuse("given without ws_url", "both or neither", section.notes),
        (Some(a), Some(b)) if a.host() != b.host() => {
            rest.refuse("names another host than ws_url", "the same host in both", section.notes);
        }
        _ => {}
    }
    section.finish();
    let Network(dialect) = network.value?;
    let endpoint = |url: Option<Url>, own| url.map_or(Cow::Borrowed(own), |url| Cow::Owned(url.as_str().to_owned()));
    let environment =
        Environment { rest: endpoint(rest.value, dialect.rest), ws: endpoint(ws.value, dialect.ws), dialect };
    section.derived(("ws_endpoint", "WebSocket address in use"), &environment.ws, "");
    section.derived(("rest_endpoint", "REST base address in use"), &environment.rest, "");
    section.derived(("chain_id", "EIP-712 chain id every signature names"), dialect.chain_id, "");
    Some(Venue { environment, cancel_on_disconnect: cancel_on_disconnect.value? })
}

/// A key must not sign for one network while talking to another.
fn check_host(url: &Field<Url>, dialect: &'static Dialect, section: &Section<'_>) {
    let Some(address) = &url.value else { return };
    if dialect == &MAINNET && address.is_loopback() {
        let what = "environment mainnet signs for real money, this URL is a local exchange";
        url.refuse(what, "environment = \"local\" or \"testnet\" with a loopback URL", section.notes);
    }
    if dialect == &LOCAL && !address.is_loopback() {
        let what = "environment local signs for a local exchange, this URL is elsewhere";
        url.refuse(what, "a loopback URL, or environment = \"testnet\" or \"mainnet\"", section.notes);
    }
    let owner = DIALECTS.into_iter().filter(|other| *other != &LOCAL).find(|other| {
        let hosts = [other.ws, other.rest].map(|known| known.split('/').nth(2).unwrap_or_default());
        hosts.contains(&address.host())
    });
    if let Some(other) = owner.filter(|other| *other != dialect) {
        let what = format!("this is the {} endpoint, but environment is {}", other.name, dialect.name);
        url.refuse(what, format!("environment = \"{}\" with this URL", other.name), section.notes);
    }
}

pub(super) fn path_rule<'r>(allowed: &str, absent: Absent<PathBuf>) -> Rule<'r, PathBuf> {
    Rule { unit: "", allowed: allowed.to_owned(), absent, show: |path| path.display().to_string() }
}

pub(super) fn path(text: &str) -> Result<PathBuf, String> {
    let plain = !text.is_empty() && text.len() <= PATH_MAX && !text.contains(char::is_control);
    if plain { Ok(PathBuf::from(text)) } else { Err(format!("{} is not a path", quoted(text))) }
}

/// `[wallet]`, and the line that names the key file.
pub(super) fn wallet(section: Section<'_>) -> (Option<Wallet>, usize) {
    let rule =
        Rule { unit: "", allowed: "0x and 40 hexadecimal digits".into(), absent: Absent::Refused, show: show_address };
    let owner = section.text(("owner_address", "wallet that owns every vault's subaccount"), rule, address);
    let spec = ("session_key_file", "file with the session key, as key_source says; relative to this file");
    let rule = path_rule("path of a plain file with mode 0600 or 0400", Absent::Refused);
    let key_file = section.text(spec, rule, |text| {
        let inline = looks_secret(text) || (text.starts_with("0x") && !text.contains(['/', '.']));
        // Never repeated: whoever typed a key here must not find it in a log as well.
        if inline { Err("a key was typed into the configuration; treat it as lost".to_owned()) } else { path(text) }
    });
    let seal = seal::read(&section);
    let expires = section.field(
        ("session_key_expires_at_s", "when the session key expires; read from the venue unless given"),
        Rule {
            unit: "unix s",
            allowed: format!("{} to {} unix s", EXPIRY_S.start(), EXPIRY_S.end()),
            absent: Absent::Fine,
            show: u64::to_string,
        },
        |value| super::read::read_integer(value, &EXPIRY_S).map(i64::unsigned_abs),
    );
    let line = key_file.line;
    section.finish();
    let both = owner.value.zip(key_file.value).zip(seal);
    let wallet = both.map(|((owner, session_key_file), seal)| Wallet {
        owner,
        session_key_file,
        seal,
        session_key_expires_at_s: expires.value,
    });
    (wallet, line)
}

/// Tells that a section is read but no vault of the file uses it.
fn warn_unneeded(section: &Section<'_>, needed: bool) {
    if !needed {
        let note = Field::<()> { value: None, path: section.name().to_owned(), line: section.line };
        note.warn("no vault of this file needs it", section.notes);
    }
}

/// `[external]`: none if it is neither needed nor given, an outer none if it is faulty.
pub(super) fn external(section: Section<'_>, needed: bool) -> Option<Option<External>> {
    if !needed && !section.is_given() {
        return Some(None);
    }
    let read = |text: &str| Url::read(text, "wss", "ws", false);
    let default = read("wss://stream.binance.com:9443").ok();
    let spec = ("ws_url", "external order book in Binance's format; symbols come from the vaults");
    let url = section.text(spec, url_rule("wss", "ws", default.into()), read);
    section.finish();
    warn_unneeded(&section, needed);
    Some(Some(External { ws_url: url.value? }))
}

/// `[chain]`, as [`external`], and the poll interval for checks against the feeds.
pub(super) fn chain(section: Section<'_>, needed: bool) -> (Option<Option<Chain>>, Field<Span>) {
    if !needed && !section.is_given() {
        return (Some(None), Field { value: None, path: section.name().to_owned(), line: section.line });
    }
    let spec = ("rpc_url", "Ethereum JSON-RPC endpoint for ratio feeds; shown without its path");
    let rule = url_rule("https", "http", Absent::Refused);
    let url = section.text(spec, rule, |text| Url::read(text, "https", "http", true));
    let spec = ("poll_interval_ms", "how often each ratio feed is read");
    let interval = section.ms(spec, 500..=600_000, 12_000);
    section.finish();
    warn_unneeded(&section, needed);
    let chain = url.value.zip(interval.value).map(|(rpc_url, Span(ns))| Chain { rpc_url, poll_interval_ns: ns });
    (chain.map(Some), interval)
}

/// `[signer]`.
pub(super) fn signer(section: Section<'_>) -> Option<Signer> {
    let words = [("process", Isolation::Process), ("thread", Isolation::Thread)];
    let spec = ("isolation", "process: the key lives in a locked-down process of its own; thread: in the engine's");
    let isolation = section.choice(spec, &words, Some(Isolation::Process));
    let spec = ("refusals_max", "refusals of its own envelope at which the signer halts until a restart");
    let refusals = section.integer(spec, "", 1..=100, Some(5));
    section.finish();
    Some(Signer { isolation: isolation.value?, refusals_max: u32::try_from(refusals.value?).ok()? })
}

/// `[topology]`.
pub(super) fn topology(section: Section<'_>, online: &Online) -> Option<Topology> {
    let words = [("auto", Word("auto")), ("single", Word("single")), ("spread", Word("spread"))];
    let layout = section.choice(
        ("layout", "auto: by the host; single: all actors in one thread; spread: a core for each"),
        &words,
        Some(words[0].1),
    );
    let idle_words = [("spin", Idle::Spin), ("yield", Idle::Yield)];
    let default = if online.count() > 2 { Idle::Spin } else { Idle::Yield };
    let spec = ("idle", "what an idle actor thread does; unless given, spin on hosts with more than two cores");
    let idle = section.choice(spec, &idle_words, Some(default));
    let core = section.field(
        ("core", "core of the one thread, for layout single; not pinned unless given"),
        core_rule(online, Absent::Fine),
        |value| read_core(value, online),
    );
    let cores = cores(section.child("cores"), &layout, online);
    let Word(name) = layout.value.unwrap_or(Word(""));
    if core.value.is_some() && name != "single" && layout.value.is_some() {
        core.refuse(format!("layout {name} does not use it"), "layout = \"single\" with core", section.notes);
    }
    section.finish();
    let layout = match name {
        "auto" => Layout::Auto,
        "single" => Layout::Single(core.value),
        "spread" => Layout::Spread(cores?),
        _ => return None,
    };
    Some(Topology { layout, idle: idle.value? })
}

/// A word that shows itself.
#[derive(Clone, Copy, PartialEq)]
struct Word(&'static str);

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

fn core_rule<'r>(online: &Online, absent: Absent<usize>) -> Rule<'r, usize> {
    Rule { unit: "core", allowed: format!("an online core: {online}"), absent, show: usize::to_string }
}

fn read_core(value: &toml::de::DeValue<'_>, online: &Online) -> Result<usize, String> {
    let core = super::read::read_integer(value, &(0..=65_535))?;
    let core = usize::try_from(core).map_err(|_| "negative".to_owned())?;
    if online.has(core) { Ok(core) } else { Err(format!("core {core} is absent or offline")) }
}

/// `[topology.cores]`: all six or none, no core twice.
fn cores(section: Section<'_>, layout: &Field<Word>, online: &Online) -> Option<[usize; 6]> {
    let spread = layout.value == Some(Word("spread"));
    if !spread {
        if section.is_given() && layout.value.is_some() {
            let note = Field::<usize> { value: None, path: "topology.cores".into(), line: section.line };
            note.refuse("only layout spread uses it", "layout = \"spread\" with [topology.cores]", section.notes);
        }
        return None;
    }
    let actors = ["market_data", "pricing", "auction", "risk", "signer", "gateway"];
    let suggested = online.last_six();
    if !section.is_given() && suggested.is_none() {
        let what = format!("spread needs six cores, {} online", online.count());
        layout.refuse(what, "layout = \"auto\" or \"single\" on this host", section.notes);
        return None;
    }
    let fields: Vec<Field<usize>> = (0..6)
        .map(|place| {
            let default = suggested.filter(|_| !section.is_given()).map(|cores| cores[place]);
            let rule = core_rule(online, default.into());
            section.field((actors[place], "core of this actor's thread"), rule, |value| read_core(value, online))
        })
        .collect();
    for (place, field) in fields.iter().enumerate() {
        let twin = fields[..place].iter().find(|other| field.value.is_some() && other.value == field.value);
        if let (Some(twin), Some(core)) = (twin, field.value) {
            field.refuse(format!("core {core} is already {}'s", twin.path), "a core of its own", section.notes);
        }
    }
    section.finish();
    let mut cores = [0; 6];
    for (core, field) in cores.iter_mut().zip(&fields) {
        *core = field.value?;
    }
    Some(cores)
}

/// `[journal]`.
pub(super) fn journal(section: Section<'_>) -> Option<Tapes> {
    let on = section.boolean(("tape", "record what every actor hears, so that a run can be replayed"), true);
    let spec = (
        "tape_mib_per_run_max",
        "most the tapes of a run take; its oldest pages go then, and it cannot be replayed any more",
    );
    let run = section.integer(spec, "MiB", 64..=1_048_576, Some(16_384));
    let spec = (
        "tape_mib_kept_max",
        "most that the tapes of older runs take beside it; the oldest are deleted. Three short runs, by which a crash loop is known, take 128",
    );
    let kept = section.integer(spec, "MiB", 128..=16_777_216, Some(65_536));
    let spec = ("tape_free_mib_min", "space on the disk that tapes leave free for the journal of orders");
    let free = section.integer(spec, "MiB", 128..=1_048_576, Some(2_048));
    let spec = ("crash_loop_s", "three deaths at one place of the tape within this time: the next run starts drained");
    let crash = section.integer(spec, "s", 10..=86_400, Some(600));
    let spec = ("replay_at_start_ms_max", "time in which a start folds the last run's tapes again; 0: it does not");
    let fold_ms = section.integer(spec, "ms", 0..=60_000, Some(2_000));
    let spec = ("replay_at_start_mib_max", "tapes above this are only looked at where they end, not folded at a start");
    let fold_mib = section.integer(spec, "MiB", 24..=16_384, Some(512));
    section.finish();
    let numbers = [run, kept, free, crash, fold_ms, fold_mib].map(|field| field.value.map(i64::unsigned_abs));
    let [run, kept, free, crash, fold_ms, fold_mib] = numbers;
    Some(Tapes {
        on: on.value?,
        run_mib_max: run?,
        kept_mib_max: kept?,
        free_mib_min: free?,
        crash_loop_ns: crash?.saturating_mul(SEC),
        fold: FoldBounds { ms_max: fold_ms?, mib_max: fold_mib? },
    })
}

/// `[state]`, and the line that names the folder.
pub(super) fn state(section: Section<'_>) -> (Option<PathBuf>, usize) {
    let spec = ("dir", "folder of the journal, made with mode 0700; relative to this file; none: nothing is kept");
    let dir = section.text(spec, path_rule("path of a folder only its owner can enter", Absent::Fine), path);
    section.finish();
    (dir.value, dir.line)
}
