//! What a start looks at before anything may trade: who else trades, what the last run left, whether to begin drained; and
//! the tapes that it begins.

use super::Terms;
use crate::base::queue::Post;
use crate::base::time::Nanos;
use crate::cli::Failure;
use crate::config::{self, Config};
use crate::derive::dialect::NonceUnit;
use crate::engine::ports::Clock;
use crate::engine::tape::Tape;
use crate::io::claim::Claim;
use crate::io::clock::LiveClock;
use crate::io::quarantine::{self, Quarantine};
use crate::io::tape::{Limits, Recording};
use crate::msg::Command;
use crate::ops::blueprint::{Blueprint, vault_id};
use crate::ops::crash_loop;
use crate::ops::journal::Journal;
use crate::ops::recovery;
use crate::ops::replay::Hand;
use crate::ops::replay::head::{Begun, Head};
use crate::topology::{ACTORS, TAPES};
use std::path::Path;

/// Makes sure that no other process of this host trades for any of the vaults.
pub(super) fn claim(config: &Config) -> Result<Vec<Claim>, Failure> {
    let subaccounts = config.vaults.iter().map(|vault| vault.book.subaccount.0);
    let claims = subaccounts.map(|subaccount| {
        Claim::take(config.venue.environment.ws.as_ref(), &config.wallet.owner, subaccount).map_err(Failure::Refused)
    });
    claims.collect()
}

/// Folds the last run again, gives the journal back what it lost, and says what was found. A damaged journal is doubted
/// already, and nothing is added to it.
pub(super) fn recover(
    config: &Config,
    terms: &Terms<'_>,
    mut journal: Journal,
    unit: NonceUnit,
) -> Result<Journal, Failure> {
    if !config.tapes.on || journal.damage.is_some() {
        return Ok(journal);
    }
    let found = recovery::recover(terms.state_dir, config.tapes.fold);
    found.words.iter().for_each(|words| eprintln!("keel: {words}"));
    journal.regain(&found.missing, unit, LiveClock::new().now()).map_err(Failure::Refused)?;
    journal.damage = found.drained;
    Ok(journal)
}

/// Why every vault must start drained, if so: a damaged journal, or deaths at one place. A message that was the death of
/// each is kept out from now on.
pub(super) fn why_drained(
    config: &Config,
    terms: &Terms<'_>,
    damage: Option<String>,
    now: Nanos,
) -> Result<Option<String>, Failure> {
    if !config.tapes.on {
        return Ok(damage);
    }
    let within_ns = config.tapes.crash_loop_ns;
    let found = crash_loop::look(terms.state_dir, within_ns, now).map_err(Failure::Refused)?;
    let words = found.map(|found| crash_loop::quarantine(terms.state_dir, &found, within_ns));
    Ok([damage, words].into_iter().flatten().reduce(|one, other| format!("{one}; {other}")))
}

/// The messages that this run does not hear, and why it starts drained: what it is not told it cannot know. If they cannot
/// be read all are heard, drained too: an engine that does not start hedges nothing and cancels nothing.
pub(super) fn kept_out(state: &Path, drained: Option<String>) -> (Quarantine, Option<String>) {
    let folder = quarantine::folder(state);
    let (quarantine, words) = match Quarantine::of(state) {
        Ok(quarantine) if quarantine.is_empty() => (quarantine, None),
        Ok(quarantine) => {
            let words = format!("messages kept out by {}: {}", folder.display(), quarantine.len());
            (quarantine, Some(words))
        }
        Err(why) => (Quarantine::default(), Some(format!("no message is kept out: {why}"))),
    };
    (quarantine, [drained, words].into_iter().flatten().reduce(|one, other| format!("{one}; {other}")))
}

/// Drains every vault before it begins, and says why. The lane has room for all of them, and risk hears it before anything
/// of the venue.
pub(super) fn start_drained(why: Option<String>, commands: &Post<Command>, vaults: usize) {
    let Some(why) = why else { return };
    for place in 0..vaults {
        let _ = commands.send(Command::Drain { vault: vault_id(place) });
    }
    eprintln!("keel: alarm: every vault starts drained: {why}");
}

/// Begins the tapes of this run, unless none are wanted.
pub(super) fn record(
    (config, terms, blueprint): (&Config, &Terms<'_>, &Blueprint),
    (hand, at): (Hand, Nanos),
    records: &[u8],
    tapes: &mut [Tape; 7],
) -> Result<Option<Recording>, Failure> {
    let config::Tapes { on, run_mib_max, kept_mib_max, free_mib_min, .. } = config.tapes;
    if !on {
        return Ok(None);
    }
    let limits = Limits { run_mib_max, kept_mib_max, free_mib_min };
    let rows = if blueprint.presigned().is_some() { TAPES.len() } else { ACTORS.len() };
    let begun = Begun {
        config,
        auctions_from: terms.auctions_from,
        instruments: &blueprint.instruments,
        key_expires_at: blueprint.key_expires_at,
        hand,
        at,
    };
    let begun = Recording::begin(terms.state_dir, limits, (rows, &Head::of(&begun).text()), records);
    let advice = "make room, lower [journal] tape_free_mib_min, or set tape = false";
    let (mut recording, begun) = begun.map_err(|why| Failure::Refused(format!("no tapes: {why} ({advice})")))?;
    recording.mind_death().unwrap_or_else(|why| eprintln!("keel: warning: {why}"));
    *tapes = begun;
    Ok(Some(recording))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarantine_that_cannot_be_read_drains_the_start_and_keeps_nothing_out() {
        let state = tempfile::tempdir().expect("a folder");
        let words = |drained: Option<&str>| kept_out(state.path(), drained.map(str::to_owned));
        assert_eq!(words(Some("damage")).1.as_deref(), Some("damage"), "nothing is kept out");
        quarantine::put(state.path(), b"{}").expect("written");
        let (kept, why) = words(Some("damage"));
        assert_eq!(kept.len(), 1);
        assert!(why.is_some_and(|why| why.starts_with("damage; messages kept out by ") && why.ends_with(": 1")));
        std::fs::remove_dir_all(quarantine::folder(state.path())).expect("gone");
        std::fs::write(quarantine::folder(state.path()), "in its place").expect("a file");
        let (kept, why) = words(None);
        assert!(kept.is_empty() && why.is_some_and(|why| why.starts_with("no message is kept out: cannot read ")));
    }
}
