//! Recognises an engine that dies again and again of the same thing: after three deaths at one place of the tape it
//! starts drained, and a person looks. If each died of the same message of a connection, that is kept out from then on
//! (`io/quarantine.rs`).
//!
//! Only a death of its own doing counts: a panic, or a signal that the kernel sends for a fault, which the run notes as it
//! dies. A kill from outside, or the loss of power, finds whichever actor happened to hear something last, often the same
//! one. A message that takes all memory is killed from outside too; the fold of that run dies of it in turn and says so.

use crate::base::time::{Nanos, SEC};
use crate::engine::tape::{Entry, Source};
use crate::io::quarantine::{self, shape};
use crate::io::tape::{Run, runs};
use crate::ops::engine::{PIPELINE, lives_in};
use crate::ops::replay::head::Head;
use crate::topology::TAPES;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Deaths at one place that make a loop.
const DEATHS: usize = 3;

/// How a run ended, as its folder keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// Threads that died.
    pub died: Vec<String>,
}

impl Ending {
    /// Its text.
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Where an engine died: which actor had heard what last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Actor.
    pub actor: &'static str,
    /// From where its last message came.
    pub source: Source,
}

/// Deaths in a row at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loop {
    /// Where.
    pub place: Place,
    /// The message each of them died of, if it was the same and came over a connection.
    pub message: Option<Vec<u8>>,
}

/// One death.
struct Death {
    place: Place,
    message: Option<Vec<u8>>,
}

/// Whoever only heard time pass was idle when it was stopped.
fn told_something((_, last): &(usize, Entry)) -> bool {
    last.source != Source::Tick
}

/// Where a run died and of what, if it did and if that can be told. A run that ended in order, or was killed, died nowhere.
fn death(run: &Run) -> Option<Death> {
    let ending = run.end.as_ref().map(|text| serde_json::from_str::<Ending>(text).unwrap_or_default());
    if ending.as_ref().is_some_and(|ending| ending.died.is_empty()) {
        return None;
    }
    if ending.is_none() && run.died_in.is_none() {
        return None;
    }
    let dead: Vec<String> = ending.unwrap_or_default().died.into_iter().chain(run.died_in.clone()).collect();
    let words = run.last_words();
    let last = |place: usize| words[place].clone().map(|entry| (place, entry));
    let lived = |place: &usize| dead.iter().any(|thread| lives_in(TAPES[*place], thread));
    let named: Vec<usize> = (0..TAPES.len()).filter(lived).collect();
    let known = !named.is_empty() || dead.iter().any(|thread| thread == PIPELINE);
    let suspects = if named.is_empty() { (0..TAPES.len()).collect() } else { named };
    // Of several actors in one thread only the time tells: whoever heard the last message before all stopped.
    let heard = suspects.iter().copied().filter_map(last).filter(told_something);
    let (place, entry) = heard.max_by_key(|(_, entry)| entry.at)?;
    // That the actor heard it last says what it died of only if it was the one to die: it must be the last thing that any
    // of them heard, the passing of time included.
    let later = |other: &Entry| other.at >= entry.at && *other != entry;
    let blamed = known && !suspects.iter().filter_map(|other| words[*other].as_ref()).any(later);
    let message = entry.text().filter(|_| blamed).map(<[u8]>::to_vec);
    Some(Death { place: Place { actor: TAPES[place], source: entry.source }, message })
}

/// The loop that the last runs of a state folder make, if all of the last three died at one place within this time.
///
/// # Errors
/// The folder cannot be read; in words.
pub fn look(state: &Path, within_ns: u64, now: Nanos) -> Result<Option<Loop>, String> {
    let runs = runs(state)?;
    let Some(first) = runs.len().checked_sub(DEATHS) else { return Ok(None) };
    let mut deaths = Vec::with_capacity(DEATHS);
    for number in &runs[first..] {
        // A run whose head cannot be read, or is of another version, tells nothing.
        let Ok(run) = Run::open(state, *number) else { return Ok(None) };
        let Ok(head) = Head::read(&run.head) else { return Ok(None) };
        if now.since(Nanos(head.started_at_ns)) > within_ns {
            return Ok(None);
        }
        let Some(death) = death(&run) else { return Ok(None) };
        deaths.push(death);
    }
    let same = |one: &Death, other: &Death| one.place == other.place;
    let Some(last) = deaths.pop().filter(|last| deaths.iter().all(|other| same(last, other))) else { return Ok(None) };
    let known = last.message.as_deref().map(shape);
    let message = last.message.filter(|_| deaths.iter().all(|other| other.message.as_deref().map(shape) == known));
    Ok(Some(Loop { place: last.place, message }))
}

/// Keeps the message of a loop out of the next runs, if it can be written down, and says what is to be said to the operator.
pub fn quarantine(state: &Path, found: &Loop, within_ns: u64) -> String {
    let Loop { place: Place { actor, source }, message } = found;
    let kept = message.as_ref().map(|message| match quarantine::put(state, message) {
        Ok(file) => format!("is kept out while {} exists", file.display()),
        Err(why) => format!("is not kept out: {why}"),
    });
    let length = message.as_ref().map_or(0, Vec::len);
    let kept = kept.map_or(String::new(), |kept| format!(" of the same message of {length} bytes, which {kept}"));
    format!(
        "the last {DEATHS} runs died within {} s, each while {actor} heard {source:?}{kept}: this one starts drained. \
         Look at the tapes (keel replay) before starting again",
        within_ns / SEC,
    )
}

#[cfg(test)]
mod tests;
