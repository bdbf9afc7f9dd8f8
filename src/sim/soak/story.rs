//! A run told line by line, and a failing one told as short as it can be.

use super::{CALM_S, Case, Outcome, run_case};
use crate::actors::risk::Notice;
use crate::base::buggify::COMPILED_IN;
use crate::base::time::{Nanos, SEC};
use crate::sim::venue::Said;
use crate::sim::venue::faults::{CATALOGUE, Strike};
use std::collections::VecDeque;

/// Lines kept: the last ones tell why.
const LINES: usize = 120;
/// Longest line.
const WIDTH: usize = 200;
/// Most runs a search may take.
const RUNS_MAX: u32 = 120;

/// The last lines of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Story {
    lines: VecDeque<(Nanos, String)>,
    over: bool,
}

impl Story {
    /// Nothing is told any more: it has come to its point.
    pub fn end(&mut self) {
        self.over = true;
    }

    /// One line.
    pub fn tell(&mut self, at: Nanos, line: String) {
        if self.over {
            return;
        }
        if self.lines.len() == LINES {
            self.lines.pop_front();
        }
        self.lines.push_back((at, line.chars().take(WIDTH).collect()));
    }

    /// A text on the private connection.
    pub fn said(&mut self, said: &Said) {
        let way = match (said.by_engine, said.arrived, said.forged) {
            (true, true, _) => "engine > venue  ",
            (true, false, _) => "engine > nobody ",
            (false, _, true) => "fault  > engine ",
            (false, true, _) => "venue  > engine ",
            (false, false, _) => "venue  > nobody ",
        };
        self.tell(said.at, format!("{way}{}", said.text));
    }

    /// A fault.
    pub fn struck(&mut self, strike: &Strike) {
        self.tell(strike.at, format!("        fault: {} #{}", strike.fault.name(), strike.nth));
    }

    /// News of the engine.
    pub fn heard(&mut self, at: Nanos, notice: &Notice) {
        if !matches!(notice, Notice::Sample { .. } | Notice::Demand { .. }) {
            self.tell(at, format!("        news:  {notice:?}"));
        }
    }

    /// The lines, each with its moment since a start.
    pub fn lines(&self, started: Nanos) -> impl Iterator<Item = String> {
        self.lines.iter().map(move |(at, line)| format!("{:>10.3} {line}", at.since(started) as f64 / 1e9))
    }
}

/// A failing seed, as small as it could be made.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// What still fails.
    pub case: Case,
    /// How.
    pub outcome: Outcome,
    /// Strikes at first.
    pub strikes: usize,
    /// Runs it took.
    pub runs: u32,
}

struct Search {
    name: &'static str,
    best: (Case, Outcome),
    runs: u32,
}

impl Search {
    /// Keeps a case if it fails in the same way.
    fn try_case(&mut self, case: Case) -> Result<bool, String> {
        if self.runs >= RUNS_MAX {
            return Ok(false);
        }
        self.runs += 1;
        let outcome = run_case(&case)?;
        let fails = outcome.violations.iter().any(|violation| violation.name == self.name);
        if fails {
            self.best = (case, outcome);
        }
        Ok(fails)
    }

    /// Ends the storm when it has done its harm.
    fn shorten(&mut self) -> Result<(), String> {
        let (case, outcome) = &self.best;
        let Some(violation) = outcome.violations.iter().find(|violation| violation.name == self.name) else {
            return Ok(());
        };
        let seconds = violation.at.since(outcome.started) / SEC + 1;
        let shorter = Case { storm_s: Some(seconds.saturating_sub(CALM_S).max(1)), ..case.clone() };
        self.try_case(shorter).map(drop)
    }

    /// Leaves our own code as it is.
    fn unbend(&mut self) -> Result<(), String> {
        let case = Case { bends: false, ..self.best.0.clone() };
        if COMPILED_IN { self.try_case(case).map(drop) } else { Ok(()) }
    }

    /// Takes kinds away, many at once and then fewer.
    fn drop_kinds(&mut self) -> Result<(), String> {
        let mut size = CATALOGUE.len() / 2;
        while size > 0 {
            let at_work = |outcome: &Outcome| {
                let kinds = CATALOGUE.iter().map(|kind| kind.fault).filter(|fault| outcome.fired[*fault as usize] > 0);
                kinds.collect::<Vec<_>>()
            };
            let kinds = at_work(&self.best.1);
            for some in kinds.chunks(size) {
                let mut case = self.best.0.clone();
                case.allowed = some.iter().fold(case.allowed, |allowed, fault| allowed.with(*fault, false));
                self.try_case(case)?;
            }
            size /= 2;
        }
        Ok(())
    }

    /// Takes single strikes away, many at once and then fewer.
    fn drop_strikes(&mut self) -> Result<(), String> {
        let mut size = self.best.1.log.len().div_ceil(2);
        while size > 0 && self.runs < RUNS_MAX {
            for some in self.best.1.log.clone().chunks(size) {
                let mut case = self.best.0.clone();
                case.allowed = case.allowed.without(some);
                self.try_case(case)?;
            }
            size /= 2;
        }
        Ok(())
    }
}

/// Makes a failing seed as small as it can; `None` if it does not fail.
///
/// # Errors
/// A run could not begin; in words.
pub fn shrink(case: &Case) -> Result<Option<Shrunk>, String> {
    let case = Case { tells: true, ..case.clone() };
    let outcome = run_case(&case)?;
    let Some(first) = outcome.violations.first() else { return Ok(None) };
    let strikes = outcome.log.len();
    let mut search = Search { name: first.name, best: (case, outcome), runs: 1 };
    search.unbend()?;
    search.shorten()?;
    search.drop_kinds()?;
    search.drop_strikes()?;
    search.shorten()?;
    let Search { best: (case, outcome), runs, .. } = search;
    Ok(Some(Shrunk { case, outcome, strikes, runs }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::MS;

    #[test]
    fn a_story_keeps_its_last_lines_and_ends_at_its_point() {
        let mut story = Story::default();
        (0..300).for_each(|at| story.tell(Nanos(at * MS), at.to_string()));
        story.end();
        story.tell(Nanos(SEC), "too late".to_owned());
        let lines: Vec<String> = story.lines(Nanos::ZERO).collect();
        assert_eq!((lines.len(), lines[LINES - 1].trim()), (LINES, "0.299 299"));
    }
}
