//! Slow twins: each does once more, plainly, what an actor does cleverly, from what really reached that actor, and must
//! come to the same at every step.

mod book;
mod ledger;
mod mandate;
mod option_math;

use super::rules::Rules;
use crate::actors::risk::{Sample, Stats};
use crate::base::time::{MS, Nanos};
use crate::msg::{Market, MarketMsg, Value};
use crate::risk::order::Granted;
use crate::sim::lanes::{Lanes, Passed};
use crate::sim::rig::Rig;

/// Where a twin and the engine differ, if they do, at the last look.
#[derive(Clone, Debug, Default)]
pub struct Differs {
    /// Fixed-point ledger and decimals.
    pub ledger: Option<String>,
    /// Lock-free lanes and plain queues.
    pub queue: Option<String>,
    /// What pricing shows of a market, and ordered maps of the texts.
    pub book: Option<String>,
    /// Option values, and the textbook.
    pub options: Option<String>,
    /// What risk granted, and the contract in unbounded integers.
    pub mandate: Option<String>,
}

/// How much was compared with each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// Looks of the engine at itself.
    pub samples: u64,
    /// Messages taken from lanes.
    pub messages: u64,
    /// Books and values.
    pub tops: u64,
    /// Option values.
    pub options: u64,
    /// Orders and executions granted.
    pub grants: u64,
}

/// All of them.
pub struct Twins {
    /// Of the ledger.
    pub ledger: ledger::Twin,
    /// Where they differ.
    pub differs: Differs,
    /// How much was compared.
    pub compared: Compared,
    lanes: Lanes,
    /// Oldest ticker that an older stamp does not displace.
    ticker_age_ns: u64,
    book: book::Books,
    mandates: mandate::Mandates,
}

impl Twins {
    /// Beside an engine with these lanes.
    pub fn new(lanes: Lanes, rules: &Rules) -> Twins {
        Twins {
            ledger: ledger::Twin::default(),
            differs: Differs::default(),
            compared: Compared::default(),
            lanes,
            ticker_age_ns: rules.ticker_age_ms * MS,
            book: book::Books::default(),
            mandates: mandate::Mandates::default(),
        }
    }

    /// The engine is gone, and what it believed with it.
    pub fn forget(&mut self) {
        (self.ledger, self.book) = (ledger::Twin::default(), book::Books::default());
        self.mandates = mandate::Mandates::default();
    }

    /// Follows what has passed since the last look.
    pub fn look(&mut self, rig: &Rig) {
        self.differs = Differs { queue: self.lanes.wrong(), ..Differs::default() };
        self.compared.messages = self.lanes.taken();
        for (at, passed) in self.lanes.passed() {
            self.follow(rig, at, &passed);
        }
    }

    fn follow(&mut self, rig: &Rig, at: Nanos, passed: &Passed) {
        match passed {
            Passed::Heard(text) => first(&mut self.differs.book, self.book.heard(text)),
            Passed::Said(MarketMsg { body: Market::Book(book), .. }) => {
                self.compared.tops += 1;
                let name = rig.instrument(book.instrument).map_or("nothing", |known| known.name.as_str());
                first(&mut self.differs.book, self.book.said(name, book));
            }
            Passed::Taken(fact) => self.book.taken(at, &fact.body, self.ticker_age_ns),
            Passed::Listed(listing) => self.book.listed(listing),
            Passed::Priced(value) => self.judge_value(value),
            Passed::Valued(value) => self.mandates.valued(value),
            Passed::Account(account) => self.mandates.account(account),
            Passed::Granted(granted) => self.judge_grant(rig, at, granted),
            Passed::Said(_) => {}
        }
    }

    fn judge_value(&mut self, value: &Value) {
        self.compared.tops += 1;
        first(&mut self.differs.book, self.book.priced(value));
        let Some((terms, told)) = self.book.option(value.instrument) else { return };
        let Some(agrees) = option_math::compare(value, terms, told) else { return };
        self.compared.options += 1;
        first(&mut self.differs.options, agrees.err());
    }

    fn judge_grant(&mut self, rig: &Rig, at: Nanos, granted: &Granted) {
        let Some(said) = self.mandates.granted(rig, at, granted) else { return };
        self.compared.grants += 1;
        first(&mut self.differs.mandate, said.err().map(|revert| format!("{revert} to {granted:?}")));
    }

    /// The engine has looked at itself.
    pub fn look_at_ledger(&mut self, sample: &Sample, stats: &Stats) {
        let Some(agrees) = self.ledger.compare(sample, stats) else { return };
        self.compared.samples += 1;
        first(&mut self.differs.ledger, agrees.err());
    }
}

/// Keeps what was found first.
fn first(kept: &mut Option<String>, found: Option<String>) {
    *kept = kept.take().or(found);
}
