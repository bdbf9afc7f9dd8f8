//! Folds recorded tapes again, through the same cells and actors, and compares every checkpoint.
//!
//! Each actor hears what its tape names, when the tape says so; what another actor said comes from that actor's own
//! replay. The tapes are played in the order of their moments, and an actor whose message has not been said again yet
//! waits for it: a network of folds that name their inputs has one outcome, whatever order it is folded in.

pub mod head;
mod ports;
pub mod rehearsal;
pub mod story;

use crate::actors::risk::Notice;
use crate::base::queue::Receiver;
use crate::base::time::{Nanos, SEC};
use crate::derive::dialect::Address;
use crate::engine::actor::Turn;
use crate::engine::tape::{Difference, Gate, Player, Progress, Roll, Tape};
use crate::msg::ChainAsk;
use crate::ops::blueprint::{Blueprint, Wires};
use crate::topology::{ControlEnds, Layout, Parts, Signing, TAPES, assemble};
use ports::{Deaf, Heard, Nobody, Still, Taped, Written};
use std::fmt;
use std::time::Instant;

/// Where the key was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hand {
    /// In the engine's process: the signer is replayed with the signatures on its tape.
    Here(Address),
    /// In a process of its own: its answers are on the tape, the signer itself is not.
    Apart(Address),
}

/// How one actor's tape was played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Played {
    /// Actor.
    pub actor: &'static str,
    /// How far.
    pub progress: Progress,
    /// Why no further, if not because the tape ends.
    pub trouble: Option<Trouble>,
    /// Bytes of an unfinished entry at the end.
    pub torn: u64,
}

/// Why a tape was not played to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The replay came to another state.
    Difference(Difference),
    /// The tape is damaged.
    Damage(String),
    /// The tape goes on with something the replay does not come to.
    Stuck {
        /// What the tape has next.
        next: String,
        /// When.
        at: Nanos,
    },
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Difference(Difference { checkpoint, at, recorded, replayed }) => write!(
                f,
                "checkpoint {checkpoint} at {at:?} differs: recorded {recorded:016x}, replayed {replayed:016x}"
            ),
            Trouble::Damage(why) => write!(f, "{why}"),
            Trouble::Stuck { next, at } => write!(f, "at {at:?} the tape goes on with {next}, which does not come"),
        }
    }
}

/// A pipeline whose actors hear from their tapes.
pub struct Rerun {
    turns: Vec<Box<dyn Turn>>,
    gates: [Gate; 7],
    asks: Option<Receiver<ChainAsk>>,
    notices: Receiver<Notice>,
    written: Written,
    heard: Heard,
    bound: Option<Bound>,
}

/// An actor that waits for longer than this for what is not said again is stuck: their clocks are one, their turns are not.
const PASSED_OVER_NS: u64 = SEC;

/// Where a fold is to stop.
#[derive(Clone, Copy)]
struct Bound {
    checkpoints: u64,
    /// The actor that must have come to it; all of them if none.
    actor: Option<usize>,
}

impl Rerun {
    /// Of the engine that was built from this blueprint, over its tapes in the order of [`TAPES`].
    pub fn new(blueprint: &Blueprint, hand: Hand, rolls: [Roll; 7]) -> Rerun {
        let gates = rolls.map(|roll| Gate::new(Player::new(roll)));
        let heard = Heard::default();
        let deaf = |whose| Deaf { whose, heard: heard.clone() };
        let wires =
            Wires { public: deaf("market_data"), external: Some(deaf("market_data")), private: deaf("gateway") };
        let written = Written::default();
        let mut parts: Parts<Deaf, Still, Taped, Written> = match hand {
            Hand::Here(address) => {
                let desk = blueprint.desk(
                    Taped { address, gate: gates[4].clone() },
                    written.clone(),
                    crate::engine::switch::Switch::local(),
                );
                // A contract's name stands where the key's does elsewhere.
                let address = desk.signer();
                let signer = Signing::Here(crate::actors::signer::Signer::new(desk));
                blueprint.parts(wires, Still, (signer, address))
            }
            Hand::Apart(address) => {
                let subaccounts = blueprint.vaults.iter().map(|plan| plan.book.subaccount).collect();
                let nobody = Nobody { written: written.clone(), subaccounts };
                blueprint.parts(wires, Still, (Signing::Apart(Box::new(nobody)), address))
            }
        };
        parts.tapes = gates.clone().map(Tape::Replaying);
        let (cores, ControlEnds { notices, chain, .. }) = assemble(parts, &Layout::single(None));
        let mut turns: Vec<_> = cores.into_iter().flat_map(|core| core.turns).collect();
        // The contract stage, where there is one, is turned before the gateway, and has the last tape.
        turns.sort_by_key(|turn| TAPES.iter().position(|name| *name == turn.name()));
        let asks = chain.map(|chain| chain.asks);
        Rerun { turns, gates, asks, notices, written, heard, bound: None }
    }

    /// Plays no further than until this actor stands at its checkpoint of this number, counted from one, or every actor has
    /// come to it: those that got there first go on, for what they say is what the last one waits for.
    pub fn stop_at_checkpoint(&mut self, count: u64, actor: Option<&str>) {
        let actor = actor.and_then(|actor| TAPES.iter().position(|name| *name == actor));
        if let Some(gate) = actor.and_then(|place| self.gates.get(place)) {
            gate.player().set_checkpoints_max(count);
        }
        self.bound = Some(Bound { checkpoints: count, actor });
    }

    /// True if what it was to come to is reached.
    fn has_come(&self) -> bool {
        let come = |gate: &Gate, count| gate.player().progress().equal >= count || gate.player().is_over();
        self.bound.is_some_and(|bound| self.bounded(bound).all(|gate| come(gate, bound.checkpoints)))
    }

    /// True if the run had such an actor.
    pub fn has(&self, actor: &str) -> bool {
        TAPES.iter().take(self.turns.len()).any(|name| *name == actor)
    }

    /// Plays everything up to a moment; hands over what risk says meanwhile.
    pub fn run(&mut self, until: Nanos, hear: &mut dyn FnMut(&Notice)) {
        while self.step(until) {
            while let Some(notice) = self.notices.receive() {
                hear(&notice);
            }
            self.forget_asks();
        }
    }

    /// What the chain was asked is answered on the tape.
    fn forget_asks(&mut self) {
        while self.asks.as_mut().is_some_and(|asks| asks.receive().is_some()) {}
    }

    /// Plays everything, but for no longer than until `deadline`; true if it came to the end.
    fn run_before(&mut self, deadline: Instant) -> bool {
        while Instant::now() < deadline {
            if !self.step(Nanos::MAX) {
                return true;
            }
            while self.notices.receive().is_some() {}
            self.forget_asks();
        }
        false
    }

    /// Keeps what the engine says from now on.
    fn listen(&mut self) -> Heard {
        self.heard.begin();
        self.heard.clone()
    }

    /// The last records that the fold would have written to the journal of orders.
    fn written(&self) -> Vec<Vec<u8>> {
        self.written.records()
    }

    /// Plays the actor whose tape is furthest behind as far as the next one; if it has to wait, that one.
    fn step(&mut self, until: Nanos) -> bool {
        let mut order = self.due(until);
        order.sort_unstable();
        for (place, (at, actor)) in order.iter().enumerate() {
            let next = order.get(place + 1).map_or(until, |(next, _)| *next);
            let gate = &self.gates[*actor];
            gate.player().set_horizon(next.max(*at));
            self.heard.pass(*at);
            let before = gate.player().played();
            let mut last = before;
            loop {
                self.turns[*actor].turn();
                let played = self.gates[*actor].player().played();
                if played == last {
                    break;
                }
                last = played;
            }
            if last > before {
                return true;
            }
        }
        false
    }

    /// Actors with something to hear up to a moment, with the moment of the next.
    fn due(&self, until: Nanos) -> Vec<(Nanos, usize)> {
        if self.has_come() {
            return Vec::new();
        }
        self.left(until)
    }

    /// The same wherever the fold is to stop.
    fn left(&self, until: Nanos) -> Vec<(Nanos, usize)> {
        let next = |(actor, gate): (usize, &Gate)| {
            let player = gate.player();
            let over = player.is_over();
            player.next().filter(|entry| !over && entry.at <= until).map(|entry| (entry.at, actor))
        };
        self.gates.iter().enumerate().filter_map(next).collect()
    }

    /// Actors that have something to hear and were not brought to it. Once the fold has come to where it was to stop, these
    /// are the ones that it had to pass over long before.
    fn held_up(&self, until: Nanos) -> Vec<(Nanos, usize)> {
        let stopped_at = match self.bound {
            Some(bound) if self.has_come() => self.bounded(bound).map(|gate| gate.player().progress().last_at).max(),
            _ => return self.due(until),
        };
        let passed_over =
            |(at, _): &(Nanos, usize)| stopped_at.is_some_and(|stopped| at.plus(PASSED_OVER_NS) < stopped);
        self.left(until).into_iter().filter(passed_over).collect()
    }

    /// The actors that are to come to the bound.
    fn bounded(&self, bound: Bound) -> impl Iterator<Item = &Gate> {
        let is_meant = move |place: usize| bound.actor.is_none_or(|actor| actor == place);
        let gates = self.gates.iter().take(self.turns.len()).enumerate();
        gates.filter(move |(place, _)| is_meant(*place)).map(|(_, gate)| gate)
    }

    /// Why tapes were not played up to a moment.
    fn troubles(&self, until: Nanos) -> Vec<(&'static str, Trouble)> {
        let left = self.held_up(until);
        let of = |place: usize| trouble(&self.gates[place], left.iter().any(|(_, actor)| *actor == place));
        (0..self.turns.len()).filter_map(|place| Some((TAPES[place], of(place)?))).collect()
    }

    /// An actor's state, for people.
    pub fn tell(&self, actor: &str) -> Option<String> {
        let place = TAPES.iter().position(|name| *name == actor)?;
        Some(self.turns.get(place)?.tell())
    }

    /// Takes the last checkpoints, and says how each tape was played.
    pub fn finish(self, until: Nanos) -> Vec<Played> {
        let left = self.held_up(until);
        let actors = self.turns.len();
        self.turns.into_iter().for_each(|turn| drop(turn.finish()));
        let told = |(place, gate): (usize, &Gate)| {
            let stuck = left.iter().any(|(_, actor)| *actor == place);
            let trouble = trouble(gate, stuck);
            let player = gate.player();
            Played { actor: TAPES[place], progress: player.progress(), trouble, torn: player.torn() }
        };
        self.gates.iter().enumerate().take(actors).map(told).collect()
    }
}

/// Why a tape is not played on; `stuck` if there is something on it that did not come.
fn trouble(gate: &Gate, stuck: bool) -> Option<Trouble> {
    let player = gate.player();
    let waits =
        || player.next().filter(|_| stuck).map(|entry| Trouble::Stuck { next: entry.to_string(), at: entry.at });
    let damage = || player.damage().map(|damage| Trouble::Damage(damage.to_string()));
    player.difference().map(Trouble::Difference).or_else(damage).or_else(waits)
}
