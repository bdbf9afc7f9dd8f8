//! Every lane of a pipeline beside a plain queue: what an actor takes must be what was said, in that order, once, and
//! nothing may be missing but what the lane counts as overwritten. What the other twins follow is written down on the way.

use crate::base::queue::{Watched, Witness};
use crate::base::time::Nanos;
use crate::engine::ports::Clock;
use crate::market::instrument::Listing;
use crate::msg::{Account, MarketMsg, Value};
use crate::risk::order::Granted;
use crate::sim::ports::SimClock;
use crate::topology::{LaneSpec, Overflow, Watcher};
use std::any::Any;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Something that the twins follow.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant)] // A few hundred a step, dropped with it.
pub enum Passed {
    /// A text the venue's public connection brought.
    Heard(Vec<u8>),
    /// Market data said a fact.
    Said(MarketMsg),
    /// Pricing took one.
    Taken(MarketMsg),
    /// Pricing heard of a change in the instrument table.
    Listed(Listing),
    /// Pricing said a value.
    Priced(Value),
    /// Risk took one.
    Valued(Value),
    /// Risk said what is true of an account.
    Account(Account),
    /// Risk granted something.
    Granted(Granted),
}

/// The lanes of the engine at work, and what has passed over them. Copies share it.
#[derive(Clone, Default)]
pub struct Lanes(Arc<Mutex<Log>>);

#[derive(Default)]
struct Log {
    clock: SimClock,
    passed: Vec<(Nanos, Passed)>,
    wrong: Option<String>,
    taken: u64,
}

impl Lanes {
    fn log(&self) -> MutexGuard<'_, Log> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another engine starts, on this clock.
    pub fn begin(&self, clock: SimClock) {
        self.log().clock = clock;
    }

    /// Writes down something that has passed.
    pub fn note(&self, passed: Passed) {
        let mut log = self.log();
        let at = log.clock.now();
        log.passed.push((at, passed));
    }

    /// Takes what was written down, with its moment on the engine's clock.
    pub fn passed(&self) -> Vec<(Nanos, Passed)> {
        std::mem::take(&mut self.log().passed)
    }

    /// Takes the first thing that a lane did otherwise than its twin.
    pub fn wrong(&self) -> Option<String> {
        self.log().wrong.take()
    }

    /// Messages taken so far, each compared.
    pub fn taken(&self) -> u64 {
        self.log().taken
    }

    fn blame(&self, what: String) {
        self.log().wrong.get_or_insert(what);
    }
}

/// What is written down of a message, if anything.
type Note = fn(&dyn Any) -> Option<Passed>;

macro_rules! notes {
    ($($name:ident: $kind:ident -> $passed:ident;)*) => {
        $(fn $name(message: &dyn Any) -> Option<Passed> {
            message.downcast_ref::<$kind>().map(|message| Passed::$passed(*message))
        })*
    };
}

notes! {
    said: MarketMsg -> Said;
    taken: MarketMsg -> Taken;
    listed: Listing -> Listed;
    priced: Value -> Priced;
    valued: Value -> Valued;
    account: Account -> Account;
    granted: Granted -> Granted;
}

/// What is written down when a message is said, and when it is taken.
fn notes(lane: &str, reader: &str) -> [Option<Note>; 2] {
    match (lane, reader) {
        ("facts", "pricing") => [Some(said), Some(taken)],
        ("listings", "pricing") => [None, Some(listed)],
        ("values", "risk") => [Some(priced), Some(valued)],
        ("accounts", "auction") => [Some(account), None],
        ("orders", "signer") => [Some(granted), None],
        _ => [None, None],
    }
}

impl Watcher for Lanes {
    fn witness<M: Copy + PartialEq + Send + 'static>(
        &self,
        lane: &'static LaneSpec,
        reader: &'static str,
    ) -> Option<Watched<M>> {
        let notes = notes(lane.name, reader);
        let twin = Twin { lane, reader, waiting: VecDeque::new(), said: 0, overwritten: 0, notes, lanes: self.clone() };
        Some(Arc::new(Mutex::new(twin)))
    }
}

/// How long a message has waited, in what its reader and its sender did meanwhile.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Age {
    Fresh,
    /// The reader has found nothing since.
    Missed,
    /// And the sender has spoken after that: it is on its way, if there is room.
    Due,
}

struct Waiting<M> {
    number: u64,
    key: Option<usize>,
    age: Age,
    message: M,
}

/// The plain queue beside a lane.
struct Twin<M> {
    lane: &'static LaneSpec,
    reader: &'static str,
    waiting: VecDeque<Waiting<M>>,
    said: u64,
    /// Messages the lane says it has overwritten, less those found missing.
    overwritten: u64,
    notes: [Option<Note>; 2],
    lanes: Lanes,
}

impl<M: Copy + PartialEq> Twin<M> {
    fn blame(&self, what: &str) {
        let (lane, reader) = (self.lane.name, self.reader);
        self.lanes.blame(format!("{lane} to {reader}: {what}, with {} in the twin", self.waiting.len()));
    }

    fn conflates(&self) -> bool {
        self.lane.overflow == Overflow::Conflate
    }

    /// Takes the place of a message out of the queue; what it replaces must have been overwritten.
    fn take(&mut self, number: u64, message: &M) {
        if !self.conflates() {
            let next = self.waiting.pop_front();
            if next.is_none_or(|next| next.message != *message) {
                self.blame("took what was not next");
            }
            return;
        }
        // Two of the same words are not the same message: the newest may stand for all before it.
        let is_it = |said: &Waiting<M>| said.message == *message && (number == 0 || said.number == number);
        let Some(place) = self.waiting.iter().position(is_it) else {
            return self.blame("took what nobody had said, or took it twice");
        };
        let key = self.waiting[place].key;
        let mut number = 0;
        let before = self.waiting.len();
        self.waiting.retain(|said| {
            number += 1;
            number > place + 1 || said.key != key
        });
        let missing = (before - self.waiting.len() - 1) as u64;
        if missing > self.overwritten {
            self.blame("lost what it does not count as overwritten");
        }
        self.overwritten = self.overwritten.saturating_sub(missing);
    }

    /// The reader found nothing.
    fn is_dry(&mut self) {
        let late = match self.conflates() {
            false => !self.waiting.is_empty(),
            true => {
                let fits = self.waiting.len() <= self.lane.depth;
                fits && self.waiting.iter().any(|said| said.age == Age::Due)
            }
        };
        if late {
            self.blame("nothing was found");
            self.waiting.clear();
        }
        self.waiting.iter_mut().filter(|said| said.age == Age::Fresh).for_each(|said| said.age = Age::Missed);
    }
}

impl<M: Copy + PartialEq + Send + 'static> Witness<M> for Twin<M> {
    fn said(&mut self, key: Option<usize>, message: &M) {
        self.waiting.iter_mut().filter(|said| said.age == Age::Missed).for_each(|said| said.age = Age::Due);
        self.said += 1;
        self.waiting.push_back(Waiting { number: self.said, key, age: Age::Fresh, message: *message });
        if !self.conflates() && self.waiting.len() > self.lane.depth + 1 {
            self.blame("took in more than it holds");
        }
        if let Some(passed) = self.notes[0].and_then(|note| note(message)) {
            self.lanes.note(passed);
        }
    }

    fn handed_back(&mut self) {
        self.waiting.pop_back();
        if self.waiting.len() < self.lane.depth {
            self.blame("handed a message back though it had room");
        }
    }

    fn overwrote(&mut self) {
        self.overwritten += 1;
    }

    fn took(&mut self, next: Option<(u64, &M)>) {
        let Some((number, message)) = next else { return self.is_dry() };
        self.take(number, message);
        self.lanes.log().taken += 1;
        if let Some(passed) = self.notes[1].and_then(|note| note(message)) {
            self.lanes.note(passed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::LANES;

    fn lane(overflow: Overflow) -> &'static LaneSpec {
        LANES.iter().find(|lane| lane.overflow == overflow).expect("one of each")
    }

    /// What is blamed after a few words on a lane.
    fn blamed(overflow: Overflow, story: impl FnOnce(&mut dyn Witness<u64>)) -> Option<String> {
        let lanes = Lanes::default();
        let witness = lanes.witness::<u64>(lane(overflow), "a reader").expect("every lane is watched");
        story(&mut *witness.lock().expect("one thread"));
        lanes.wrong()
    }

    #[test]
    fn order_loss_and_doubles_are_seen_on_a_plain_lane() {
        let told = |took: &'static [Option<u64>]| {
            blamed(Overflow::Hold, move |lane| {
                [1, 2].iter().for_each(|number| lane.said(None, number));
                took.iter().for_each(|number| lane.took(number.as_ref().map(|number| (0, number))));
            })
        };
        assert_eq!(told(&[Some(1), Some(2), None]), None);
        for wrong in [&[Some(2), Some(1)][..], &[Some(1), None], &[Some(1), Some(1)], &[Some(1), Some(2), Some(2)]] {
            assert!(told(wrong).is_some(), "{wrong:?}");
        }
        let early = blamed(Overflow::Hold, |lane| {
            lane.said(None, &1);
            lane.handed_back();
        });
        assert!(early.is_some_and(|what| what.contains("had room")));
    }

    #[test]
    fn a_lane_that_keeps_the_newest_may_lose_what_it_counts() {
        let told = |counts: bool, took: &'static [Option<u64>]| {
            blamed(Overflow::Conflate, move |lane| {
                [(1, 10), (2, 20), (1, 11)].iter().for_each(|(key, number)| lane.said(Some(*key), number));
                if counts {
                    lane.overwrote();
                }
                took.iter().for_each(|number| lane.took(number.as_ref().map(|number| (0, number))));
            })
        };
        assert_eq!(told(true, &[Some(20), Some(11), None]), None);
        assert_eq!(told(false, &[Some(10), Some(20), Some(11), None]), None);
        assert!(told(false, &[Some(11)]).is_some(), "not counted");
        assert!(told(true, &[Some(11), Some(10)]).is_some(), "an older one after a newer");
        assert!(told(true, &[Some(20), Some(20)]).is_some(), "twice");
    }

    #[test]
    fn the_newest_of_equal_words_stands_for_all_before_it() {
        let blame = blamed(Overflow::Conflate, |lane| {
            [7, 7, 7].iter().for_each(|number| lane.said(Some(1), number));
            lane.overwrote();
            [1, 3].iter().for_each(|place| lane.took(Some((*place, &7))));
            lane.took(None);
            lane.said(Some(2), &8);
            lane.took(Some((4, &8)));
            lane.took(None);
        });
        assert_eq!(blame, None);
    }

    #[test]
    fn what_never_comes_is_lost() {
        let told = |speaks: bool| {
            blamed(Overflow::Conflate, move |lane| {
                lane.said(Some(1), &10);
                lane.took(None);
                if speaks {
                    lane.said(Some(2), &20);
                }
                lane.took(None);
            })
        };
        assert_eq!(told(false), None, "it may wait for its sender");
        assert!(told(true).is_some());
    }
}
