//! `[sentry]`: where the engine's beat goes, what seals it, and how long it may be missing. One section for both sides.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::read::{Absent, Field, Rule, Section, Span};
use super::sections::{path, path_rule};
use super::text::quoted;

/// What engine and sentry agree on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentry {
    /// Where beats are sent.
    pub address: SocketAddr,
    /// Where they are heard.
    pub listen: SocketAddr,
    /// File with the secret both sides share.
    pub secret_file: PathBuf,
    /// File with the sentry's own session key.
    pub session_key_file: PathBuf,
    /// Time between beats.
    pub beat_ns: u64,
    /// Silence after which everything is cancelled.
    pub silence_ns_max: u64,
    /// Oldest beat believed, by the difference of both hosts' clocks.
    pub clock_offset_ns_max: u64,
}

/// Beats that may be lost in a row before their absence says something.
const BEATS_LOST: u64 = 5;

fn address(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text.parse().map_err(|_| format!("{} is not an address", quoted(text)))?;
    if address.port() == 0 { Err("port 0 is nobody's".to_owned()) } else { Ok(address) }
}

fn address_rule<'r>(absent: Absent<SocketAddr>) -> Rule<'r, SocketAddr> {
    let allowed = "an IP address and a port, such as 10.0.0.2:7700 or [::1]:7700".to_owned();
    Rule { unit: "", allowed, absent, show: SocketAddr::to_string }
}

/// `[sentry]`, and its line: none if it is not given, an outer none if it is faulty.
pub(super) fn sentry(section: Section<'_>, engine_key: Option<&PathBuf>) -> (Option<Option<Sentry>>, usize) {
    let line = section.line;
    if !section.is_given() {
        return (Some(None), line);
    }
    let spec = ("address", "where the engine sends its beat: the sentry's host");
    let target = section.text(spec, address_rule(Absent::Refused), address);
    let spec = ("listen_address", "where the sentry hears it; the address above unless given");
    let listen = section.text(spec, address_rule(Absent::Fine), address);
    let spec = ("secret_file", "file with the secret both sides share, 64 hexadecimal digits; relative to this file");
    let secret = section.text(spec, path_rule("path of a plain file with mode 0600 or 0400", Absent::Refused), path);
    let spec = ("session_key_file", "the sentry's own session key, of use to nobody else; relative to this file");
    let key = section.text(spec, path_rule("path of a plain file with mode 0600 or 0400", Absent::Refused), path);
    let beat = section.ms(("beat_ms", "time between two beats"), 20..=1_000, 100);
    let silence =
        section.ms(("silence_max_ms", "silence after which the sentry cancels everything"), 500..=30_000, 3_000);
    let spec = ("clock_offset_max_ms", "furthest the clocks of the two hosts may be apart");
    let offset = section.ms(spec, 50..=5_000, 1_000);
    section.finish();
    if let Some(key_file) = key.value.as_ref().filter(|own| Some(*own) == engine_key) {
        let what = format!("{} is the engine's key", quoted(&key_file.display().to_string()));
        key.refuse(what, "a session key of its own, registered beside the engine's", section.notes);
    }
    let patience: Field<Span> = beat.clone().map(|Span(ns)| Span(ns * BEATS_LOST));
    patience.at_most(&silence, "a few lost beats are no silence", section.notes);
    let build = || {
        Some(Sentry {
            address: target.value?,
            listen: listen.value.or(target.value)?,
            secret_file: secret.value?,
            session_key_file: key.value?,
            beat_ns: beat.value?.0,
            silence_ns_max: silence.value?.0,
            clock_offset_ns_max: offset.value?.0,
        })
    };
    (build().map(Some), line)
}
