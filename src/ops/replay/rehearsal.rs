//! The last run of a state folder, looked at and folded again before the next one starts: whether its tapes can be
//! believed, and whether the journal of orders holds what the fold says was written to it.

use super::head::Head;
use super::{Hand, Played, Rerun, Trouble};
use crate::base::time::Nanos;
use crate::config::{Config, FoldBounds};
use crate::engine::journal::{FloorRecord, Replay};
use crate::engine::tape::Roll;
use crate::io::store::read_records;
use crate::io::tape::{Run, runs};
use crate::topology::TAPES;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::path::Path;
use std::time::{Duration, Instant};

/// Pages at the end of each tape that are always looked at; the last may be unused.
const LAST_PAGES: u64 = 2;
const MIB: u64 = 1 << 20;

/// What a rehearsal found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rehearsal {
    /// For the operator.
    pub words: Vec<String>,
    /// Why nothing may be traded on what is there, if so.
    pub doubt: Option<String>,
    /// Records that the fold wrote and the journal of orders lost, oldest first, in hexadecimal.
    pub missing: Vec<String>,
}

impl Rehearsal {
    fn say(&mut self, words: impl Into<String>) {
        self.words.push(words.into());
    }

    fn doubt(&mut self, why: impl Into<String>) {
        self.doubt.get_or_insert(why.into());
    }
}

/// Looks at the last run of a state folder and folds it again, within bounds; `bring_forward` as for [`Head::config`].
///
/// # Errors
/// The folder cannot be read; in words.
pub fn rehearse(
    state: &Path,
    bounds: FoldBounds,
    bring_forward: impl FnOnce(&mut Config, Nanos),
) -> Result<Rehearsal, String> {
    let mut found = Rehearsal::default();
    let Some(number) = runs(state)?.last().copied() else { return Ok(found) };
    let run = match Run::open(state, number) {
        Ok(run) => run,
        Err(why) => {
            // The pages of a run are made behind its head: without any it died while it was begun.
            if Run::has_pages(state, number) {
                found.doubt(format!("run {number}: {why}"));
            } else {
                found.say(format!("run {number} was never begun: {why}"));
            }
            return Ok(found);
        }
    };
    look(&run, &mut found);
    if found.doubt.is_none() && bounds.ms_max > 0 {
        let deadline = Instant::now() + Duration::from_millis(bounds.ms_max);
        fold(&run, state, (bounds.mib_max, deadline), bring_forward, &mut found);
    }
    Ok(found)
}

/// Whether the tapes are sound where they end.
fn look(run: &Run, found: &mut Rehearsal) {
    let rolls = match run.last_rolls(LAST_PAGES) {
        Ok(rolls) => rolls,
        Err(why) => return found.doubt(format!("run {}: {why}", run.number)),
    };
    for (actor, mut roll) in TAPES.iter().zip(rolls) {
        match torn(&mut roll) {
            Ok(0) => {}
            Ok(bytes) => found.say(format!("{actor}: {bytes} bytes of an unfinished entry dropped")),
            Err(why) => found.doubt(format!("run {}: the tape of {actor} is damaged: {why}", run.number)),
        }
    }
}

fn torn(roll: &mut Roll) -> Result<u64, String> {
    while roll.next_entry().map_err(|why| why.to_string())?.is_some() {}
    Ok(roll.torn())
}

fn fold(
    run: &Run,
    state: &Path,
    (mib_max, deadline): (u64, Instant),
    bring_forward: impl FnOnce(&mut Config, Nanos),
    found: &mut Rehearsal,
) {
    let (mut rerun, exact) = match prepare(run, mib_max, bring_forward) {
        Ok(prepared) => prepared,
        Err(why) => return found.say(format!("run {} was not folded again: {why}", run.number)),
    };
    let whole = rerun.run_before(deadline);
    let written = rerun.written();
    let played = rerun.finish(Nanos::MAX);
    for Played { actor, trouble, .. } in &played {
        match trouble {
            Some(why @ (Trouble::Difference(_) | Trouble::Damage(_))) => {
                found.doubt(format!("run {}, {actor}: {why}", run.number));
            }
            // Loss of power takes the ends of the tapes one by one: one may tell of what another has lost.
            Some(why) if whole => found.say(format!("{actor}: {why}")),
            Some(_) | None => {}
        }
    }
    if !whole {
        let last = played.iter().map(|tape| tape.progress.last_at).min().unwrap_or_default();
        found.say(format!("run {}: no time to fold it beyond {last:?}, so far equal", run.number));
    } else if found.doubt.is_none() {
        let mut journal = Vec::new();
        match read_records(state, &mut |_, record| journal.push(record.to_vec())) {
            Ok(_) => hold_against((&written, exact), &journal, found),
            Err(why) => found.say(why.to_string()),
        }
    }
}

/// The fold, and whether it knows exactly what was written: behind the process wall it knows what was asked for.
fn prepare(run: &Run, mib_max: u64, bring_forward: impl FnOnce(&mut Config, Nanos)) -> Result<(Rerun, bool), String> {
    let head = Head::read(&run.head)?;
    if !head.is_ours() {
        return Err("another build of this program recorded it".to_owned());
    }
    if !run.is_whole()? {
        return Err("its beginning has made room for its end".to_owned());
    }
    if run.bytes() > mib_max * MIB {
        return Err(format!("its tapes take more than {mib_max} MiB ([journal] replay_at_start_mib_max)"));
    }
    let config = head.config(bring_forward)?;
    let (blueprint, hand) = head.blueprint(&config, &run.journal()?)?;
    Ok((Rerun::new(&blueprint, hand, run.rolls()?), matches!(hand, Hand::Here(_))))
}

/// The journal must hold what the fold wrote, but for an end that loss of power may have taken.
fn hold_against((written, exact): (&[Vec<u8>], bool), journal: &[Vec<u8>], found: &mut Rehearsal) {
    let mut replay = Replay::default();
    journal.iter().for_each(|record| replay.visit(record));
    let known: HashSet<&[u8]> = journal.iter().map(Vec::as_slice).collect();
    let is_known = |record: &Vec<u8>| match FloorRecord::read(record) {
        Some(FloorRecord(nonce)) => nonce <= replay.floor(),
        None => known.contains(record.as_slice()),
    };
    let behind = written.iter().rposition(is_known).map_or(0, |last| last + 1);
    let (held, lost) = written.split_at(behind);
    let holes = held.iter().filter(|record| !is_known(record)).count();
    if holes > 0 && exact {
        found.doubt(format!(
            "the journal of orders lacks {holes} records that the last run wrote before others which it has"
        ));
    } else if !lost.is_empty() {
        found
            .say(format!("{} records that the journal of orders lost come back from the last run's tapes", lost.len()));
        found.missing = lost.iter().map(alloy::hex::encode).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::Nonce;

    fn record(number: u8) -> Vec<u8> {
        vec![number; 64]
    }

    fn held(written: &[Vec<u8>], journal: &[Vec<u8>]) -> Rehearsal {
        let mut found = Rehearsal::default();
        hold_against((written, true), journal, &mut found);
        found
    }

    #[test]
    fn a_lost_end_comes_back_and_a_hole_is_doubted() {
        let all: Vec<_> = (1..=4).map(record).collect();
        assert_eq!(held(&all, &all), Rehearsal::default());
        assert_eq!(held(&all[..2], &all), Rehearsal::default(), "tapes may end before their run");
        let lost = held(&all, &all[..3]);
        assert_eq!((lost.missing, lost.doubt), (vec![alloy::hex::encode(record(4))], None));
        assert_eq!(held(&all, &[]).missing.len(), 4);
        let holed = held(&all, &[record(1), record(3), record(4)]);
        assert!(holed.missing.is_empty() && holed.doubt.is_some_and(|why| why.contains("lacks 1 records")));
    }

    #[test]
    fn a_nonce_counts_as_kept_once_the_floor_is_above_it() {
        let floor = |nonce| FloorRecord(Nonce(nonce)).write().to_vec();
        assert_eq!(held(&[floor(5), floor(7)], &[floor(7)]), Rehearsal::default());
        assert_eq!(held(&[floor(5), floor(7)], &[floor(6)]).missing, [alloy::hex::encode(floor(7))]);
    }
}
