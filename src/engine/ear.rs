//! How an actor's cell hears: every message gets its moment here, and its place on the tape. In a replay the tape says
//! what is heard next, and when; queues it does not name stay closed.

use crate::base::digest::digest;
use crate::base::queue::{Postbox, Receiver};
use crate::base::time::{MS, Nanos};
use crate::engine::ports::{Clock, Event, Transport};
use crate::engine::tape::{Letter, Source, Tape, read_event};
use std::hash::Hash;

/// How often actors hear that time passed.
const TICK_NS: u64 = MS;

/// The clock and the tape of one cell.
pub struct Ear<C> {
    clock: C,
    tape: Tape,
    ticked_at: Nanos,
    heard_at: Nanos,
}

impl<C: Clock> Ear<C> {
    /// With this clock and this tape.
    pub fn new(clock: C, tape: Tape) -> Ear<C> {
        Ear { clock, tape, ticked_at: Nanos::ZERO, heard_at: Nanos::ZERO }
    }

    /// The present moment, for measurements; in a replay that of the last message.
    pub fn now(&mut self) -> Nanos {
        match self.tape {
            Tape::Replaying(_) => self.heard_at,
            Tape::Off | Tape::Recording(_) => self.clock.now(),
        }
    }

    /// The moment of the last message heard. What an actor is told later may depend on this, and on no other moment.
    pub fn heard_at(&self) -> Nanos {
        self.heard_at
    }

    fn hear(&mut self, at: Nanos) -> Nanos {
        self.heard_at = at;
        at
    }

    /// The next message of a lane.
    pub fn lane<T: Copy>(&mut self, source: Source, lane: &mut Receiver<T>) -> Option<(Nanos, T)> {
        if let Tape::Replaying(gate) = &self.tape {
            let (at, message) = gate.lane(source, lane)?;
            return Some((self.hear(at), message));
        }
        let message = lane.receive()?;
        let at = self.clock.now();
        if let Tape::Recording(recorder) = &mut self.tape {
            recorder.lane(at, source, lane.taken());
        }
        Some((self.hear(at), message))
    }

    /// The next letter of the control plane.
    pub fn letter<T: Letter>(&mut self, source: Source, postbox: &mut Postbox<T>) -> Option<(Nanos, T)> {
        self.told(source, || postbox.receive())
    }

    fn told<T: Letter>(&mut self, source: Source, receive: impl FnOnce() -> Option<T>) -> Option<(Nanos, T)> {
        if let Tape::Replaying(gate) = &self.tape {
            let (at, letter) = gate.letter(source)?;
            return Some((self.hear(at), letter));
        }
        let letter = receive()?;
        let at = self.clock.now();
        if let Tape::Recording(recorder) = &mut self.tape {
            recorder.letter(at, source, &letter);
        }
        Some((self.hear(at), letter))
    }

    /// The next letter of a lane on which one thread of the control plane speaks.
    pub fn word<T: Letter>(&mut self, source: Source, lane: &mut Receiver<T>) -> Option<(Nanos, T)> {
        self.told(source, || lane.receive())
    }

    /// What is read elsewhere; the tape keeps what `kept` makes of it.
    pub fn page<const N: usize>(
        &mut self,
        source: Source,
        read: impl FnOnce() -> Option<[u8; N]>,
        kept: impl FnOnce(&[u8; N]) -> [u8; N],
    ) -> Option<(Nanos, [u8; N])> {
        if let Tape::Replaying(gate) = &self.tape {
            let (at, page) = gate.body(source, |body| body.try_into().ok())?;
            return Some((self.hear(at), page));
        }
        let page = read()?;
        let at = self.clock.now();
        if let Tape::Recording(recorder) = &mut self.tape {
            recorder.body(at, source, &kept(&page), &[]);
        }
        Some((self.hear(at), page))
    }

    /// True if something has come to pass; `look` is asked unless it is a replay.
    pub fn event(&mut self, source: Source, look: impl FnOnce() -> bool) -> Option<Nanos> {
        if let Tape::Replaying(gate) = &self.tape {
            let at = gate.plain(source)?;
            return Some(self.hear(at));
        }
        if !look() {
            return None;
        }
        let at = self.clock.now();
        if let Tape::Recording(recorder) = &mut self.tape {
            recorder.plain(at, source);
        }
        Some(self.hear(at))
    }

    /// The moment, if it is time to tell the actor that time passed.
    pub fn tick(&mut self) -> Option<Nanos> {
        if let Tape::Replaying(gate) = &self.tape {
            let at = gate.plain(Source::Tick)?;
            return Some(self.hear(at));
        }
        let at = self.clock.now();
        if at.since(self.ticked_at) < TICK_NS {
            return None;
        }
        self.ticked_at = at;
        if let Tape::Recording(recorder) = &mut self.tape {
            recorder.plain(at, Source::Tick);
        }
        Some(self.hear(at))
    }

    /// Does what a connection can do now and hands on each event with its moment; true if anything happened.
    pub fn poll<T: Transport>(
        &mut self,
        source: Source,
        port: &mut T,
        sink: &mut dyn FnMut(&mut Ear<C>, Nanos, Event<'_>),
    ) -> bool {
        if let Tape::Replaying(gate) = &self.tape {
            let Some((at, body)) = gate.clone().body(source, |body| Some(body.to_vec())) else { return false };
            let at = self.hear(at);
            read_event(&body).into_iter().for_each(|event| sink(self, at, event));
            return true;
        }
        let at = self.clock.now();
        port.poll(at, &mut |event| {
            let at = self.clock.now();
            if let Tape::Recording(recorder) = &mut self.tape {
                recorder.event(at, source, &event);
            }
            let at = self.hear(at);
            sink(self, at, event);
        })
    }

    /// Whether the outside took what was handed to it; in a replay, whether it did then. `name` tells it apart.
    pub fn was_taken(&mut self, taken: bool, name: &[u8]) -> bool {
        match &mut self.tape {
            Tape::Replaying(gate) => !gate.is_about(Source::Unsent, name),
            Tape::Recording(recorder) if !taken => {
                recorder.body(self.heard_at, Source::Unsent, name, &[]);
                false
            }
            Tape::Off | Tape::Recording(_) => taken,
        }
    }

    /// Notes a signature that was given for what was heard last.
    pub fn signed(&mut self, signature: &[u8; 65]) {
        match &mut self.tape {
            Tape::Replaying(gate) => {
                gate.is_about(Source::Signature, signature);
            }
            Tape::Recording(recorder) => recorder.body(self.heard_at, Source::Signature, signature, &[]),
            Tape::Off => {}
        }
    }

    /// Takes a checkpoint of an actor between two messages, if one is due.
    pub fn checkpoint<A: Hash>(&mut self, actor: &A) {
        self.mark(actor, false);
    }

    /// Takes the last checkpoint of an actor: the tape ends in order.
    pub fn close<A: Hash>(&mut self, actor: &A) {
        self.mark(actor, true);
    }

    fn mark<A: Hash>(&mut self, actor: &A, closed: bool) {
        match &mut self.tape {
            Tape::Replaying(gate) => gate.check(|| digest(actor)),
            Tape::Recording(recorder) => recorder.checkpoint(self.heard_at, closed, || digest(actor)),
            Tape::Off => {}
        }
    }
}
