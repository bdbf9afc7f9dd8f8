//! What is wrong with a configuration: every fault at once, each with its file, line and field.

use std::fmt;

/// Faults kept; a file with more has one cause, and the first hundred show it.
const PROBLEMS_MAX: usize = 100;

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Line in the file, from one.
    pub line: usize,
    /// Full name of the field or section, e.g. `vault[0].limits.delta_max_x`; empty if the whole file is meant.
    pub field: String,
    /// What is wrong. Never repeats a secret.
    pub what: String,
    /// What is allowed instead.
    pub allowed: String,
}

/// Everything wrong with one file, by line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors {
    file: String,
    problems: Vec<Problem>,
    more: usize,
}

impl ConfigErrors {
    pub(super) fn new(file: &str) -> ConfigErrors {
        ConfigErrors { file: file.to_owned(), problems: Vec::new(), more: 0 }
    }

    /// A fault of the file as a whole.
    pub(super) fn of_file(file: &str, what: impl Into<String>, allowed: &str) -> ConfigErrors {
        let mut errors = ConfigErrors::new(file);
        errors.push(1, "", what, allowed);
        errors
    }

    pub(super) fn push(&mut self, line: usize, field: &str, what: impl Into<String>, allowed: impl Into<String>) {
        let problem = Problem { line, field: field.to_owned(), what: what.into(), allowed: allowed.into() };
        if self.problems.len() == PROBLEMS_MAX {
            self.more += 1;
        } else if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    pub(super) fn sort(&mut self) {
        self.problems.sort_by_key(|problem| problem.line);
    }

    /// The faults, by line; at most a hundred.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, problem) in self.problems.iter().enumerate() {
            let gap = if place == 0 { "" } else { "\n" };
            write!(f, "{gap}{}:{}: ", self.file, problem.line)?;
            if !problem.field.is_empty() {
                write!(f, "{}: ", problem.field)?;
            }
            write!(f, "{}; allowed: {}", problem.what, problem.allowed)?;
        }
        if self.more > 0 {
            write!(f, "\n{}: and {} more", self.file, self.more)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
