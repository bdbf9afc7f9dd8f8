//! Turning the engine: in pipeline order or in one that a seed draws, with actors that do not turn, and up to the very
//! turn after which it is to be killed.

use super::faults::Fault;
use super::{Fate, PRIVATE, SimVenue};
use crate::engine::actor::Turn;
use crate::exchange::server::World;
use crate::exchange::world::draws::Draws;
use crate::sim::ports::MemoryStore;

/// Most actors an engine has.
const ACTORS_MAX: usize = 8;

/// How the engine is turned, and how often a turn of an actor has left a trace.
#[derive(Default)]
pub(super) struct Turning {
    /// Draws the order of the actors.
    order: Option<Draws>,
    /// The engine's journal, to see when it grows.
    journal: Option<MemoryStore>,
    /// Turns so far that wrote to the journal, sent a private text or took one.
    deeds: u64,
    traces: u64,
    pub(super) stop_after: Option<(u64, Fate)>,
}

impl SimVenue {
    /// From now on the actors turn in an order that a seed draws, anew for every round.
    pub fn interleave(&mut self, seed: u64) {
        self.turning.order = Some(Draws::new(seed, 79));
    }

    /// Watches a journal, to count what the engine does and to know what it had written when it said something.
    pub fn watch_journal(&mut self, journal: MemoryStore) {
        self.wires[PRIVATE].watch(journal.clone());
        self.turning.journal = Some(journal);
    }

    /// Turns of actors so far that wrote to the journal, sent a private text or took one.
    pub fn deeds(&self) -> u64 {
        self.turning.deeds
    }

    /// Stops the run after so many more deeds, between two actors' turns; what was handed to the private connection in
    /// that round is delivered, or lost. The run goes on after [`SimVenue::hang_up`].
    pub fn stop_after(&mut self, deeds: u64, fate: Fate) {
        self.turning.stop_after = Some((self.turning.deeds + deeds, fate));
    }

    pub(super) fn turn_world(&mut self) {
        self.mind_faults();
        self.world_due = self.world.turn(&mut self.exchange, self.now, &mut self.outbox).max(self.now.plus(1));
    }

    pub(super) fn turn_engine(&mut self, turns: &mut [Box<dyn Turn>]) {
        self.looks += 1;
        let lasting = |fault| self.faults.as_ref().and_then(|faults| faults.lasts(fault, self.now));
        if lasting(Fault::Paused).is_some() {
            return;
        }
        let starved = self.faults.as_ref().and_then(|faults| faults.starved(self.now, turns.len()));
        while self.round(turns, starved) {}
        if !self.stopped {
            self.collect();
            self.deliver();
        }
    }

    /// Every actor once; true if there was work.
    fn round(&mut self, turns: &mut [Box<dyn Turn>], starved: Option<usize>) -> bool {
        let mut busy = false;
        let mut order: [usize; ACTORS_MAX] = std::array::from_fn(|place| place);
        let order = &mut order[..turns.len().min(ACTORS_MAX)];
        if let Some(draws) = &mut self.turning.order {
            for place in (1..order.len()).rev() {
                order.swap(place, (draws.uniform() * (place + 1) as f64) as usize);
            }
        }
        for place in order.iter().filter(|place| Some(**place) != starved) {
            busy |= turns[*place].turn();
            if self.note_deed() {
                return false;
            }
        }
        busy
    }

    /// Notes whether the last turn has left a trace; true if the run stops here.
    fn note_deed(&mut self) -> bool {
        let written = self.turning.journal.as_ref().map_or(0, |journal| journal.written());
        let traces = written + self.wires[PRIVATE].traffic();
        if traces == self.turning.traces {
            return false;
        }
        self.turning.traces = traces;
        self.turning.deeds += 1;
        let Some((_, fate)) = self.turning.stop_after.filter(|(deed, _)| self.turning.deeds >= *deed) else {
            return false;
        };
        self.turning.stop_after = None;
        if fate == Fate::Delivered {
            self.collect();
        }
        self.stopped = true;
        true
    }
}
