//! What a start says of the run before it: whether it was folded again, what came back, and why it would not trade.

/// What one start said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// It came as far as the key, and so behind recovery.
    through: bool,
    /// The last run was not folded to its end.
    skipped: bool,
    /// Records that the journal had lost came back from the tapes.
    regained: bool,
    /// Why every vault started drained. A kill from outside is no reason.
    pub drained: Option<String>,
}

impl Recovery {
    /// From all it said.
    pub fn of(said: &str) -> Recovery {
        let has = |words: &str| said.contains(words);
        let drained = said.lines().find(|line| line.contains("every vault starts drained"));
        Recovery {
            through: has("the key is in process "),
            skipped: ["was not folded again", "no time to fold", "was not looked at"].into_iter().any(has),
            regained: has("come back from the last run's tapes"),
            drained: drained.map(|line| format!("false drain: {line}")),
        }
    }
}

/// Of all starts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Folds {
    /// Starts that came behind recovery.
    pub starts: u64,
    /// Of these, with the last run not folded to its end.
    pub skipped: u64,
    /// Of these, with records that came back.
    pub regained: u64,
}

impl Folds {
    /// One more.
    pub fn add(&mut self, recovery: &Recovery) {
        self.starts += u64::from(recovery.through);
        self.skipped += u64::from(recovery.through && recovery.skipped);
        self.regained += u64::from(recovery.through && recovery.regained);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_understood() {
        let key = "keel: the key is in process 7\n";
        let plain = Recovery { through: true, ..Recovery::default() };
        assert_eq!((Recovery::of(""), Recovery::of(key)), (Recovery::default(), plain.clone()));
        let skipped = format!("keel: run 3 was not folded again: its beginning has made room for its end\n{key}");
        assert_eq!(Recovery::of(&skipped), Recovery { skipped: true, ..plain.clone() });
        let back =
            format!("keel: 2 records that the journal of orders lost come back from the last run's tapes\n{key}");
        assert_eq!(Recovery::of(&back), Recovery { regained: true, ..plain });
        let drained = Recovery::of("keel: alarm: every vault starts drained: the last 3 runs died").drained;
        assert!(drained.is_some_and(|why| why.contains("the last 3 runs died")));
    }
}
