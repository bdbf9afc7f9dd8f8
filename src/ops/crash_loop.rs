//! Recognises an engine that dies again and again of the same thing: after three deaths at one place of the tape it
//! starts drained, and a person looks.
//!
//! Only a death of its own doing counts: a panic, or a signal that the kernel sends for a fault, which the run notes as it
//! dies. A kill from outside, or the loss of power, finds whichever actor happened to hear something last, often the same
//! one. A message that takes all memory is killed from outside too; the fold of that run dies of it in turn and says so.

use crate::base::time::{Nanos, SEC};
use crate::engine::tape::Source;
use crate::io::tape::{Run, runs};
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

/// Whoever only heard time pass was idle when it was stopped.
fn told_something((_, place): &(Nanos, Place)) -> bool {
    place.source != Source::Tick
}

/// Where a run died, if it did and if that can be told. A run that ended in order, or was killed, died nowhere.
fn death(run: &Run) -> Option<Place> {
    let ending = run.end.as_ref().map(|text| serde_json::from_str::<Ending>(text).unwrap_or_default());
    if ending.as_ref().is_some_and(|ending| ending.died.is_empty()) {
        return None;
    }
    if ending.is_none() && !run.died_of_itself {
        return None;
    }
    let dead = ending.unwrap_or_default().died;
    let words = run.last_words();
    let last = |place: usize| words[place].map(|(at, source)| (at, Place { actor: TAPES[place], source }));
    let named = (0..TAPES.len()).find(|place| dead.iter().any(|name| name == TAPES[*place]));
    let place = match named {
        Some(place) => last(place),
        // A process that aborts says nothing of its threads: whoever heard the last message before all stopped.
        None => (0..TAPES.len()).filter_map(last).filter(told_something).max_by_key(|(at, _)| *at),
    };
    place.filter(told_something).map(|(_, place)| place)
}

/// The place at which the last runs of a state folder died, if all of the last three did within this time.
///
/// # Errors
/// The folder cannot be read; in words.
pub fn look(state: &Path, within_ns: u64, now: Nanos) -> Result<Option<Place>, String> {
    let runs = runs(state)?;
    let Some(first) = runs.len().checked_sub(DEATHS) else { return Ok(None) };
    let mut places = Vec::with_capacity(DEATHS);
    for number in &runs[first..] {
        // A run whose head cannot be read, or is of another version, tells nothing.
        let Ok(run) = Run::open(state, *number) else { return Ok(None) };
        let Ok(head) = Head::read(&run.head) else { return Ok(None) };
        if now.since(Nanos(head.started_at_ns)) > within_ns {
            return Ok(None);
        }
        places.push(death(&run));
    }
    Ok(places[0].filter(|place| places.iter().all(|other| *other == Some(*place))))
}

/// What is said to the operator.
pub fn words(place: Place, within_ns: u64) -> String {
    format!(
        "the last {DEATHS} runs died within {} s, each while {} heard {:?}: this one starts drained. Look at the tapes \
         (keel replay) before starting again",
        within_ns / SEC,
        place.actor,
        place.source
    )
}

#[cfg(test)]
mod tests;
