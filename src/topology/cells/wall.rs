//! The signer's cell when the key is behind a process wall: lanes on one side, the way through on the other.

use super::{SignerIn, SignerOut, burst};
use crate::actors::signer::link::{In, Link, LinkOut};
use crate::base::time::{MS, Nanos};
use crate::derive::seal::wire::Answer;
use crate::engine::actor::{Actor, Turn};
use crate::engine::ear::Ear;
use crate::engine::ports::{Clock, Wall};
use crate::engine::tape::Source;
use crate::msg::Stage;
use std::any::Any;

/// How often the signer's process is looked after.
const LOOK_NS: u64 = 10 * MS;

/// The link with its lanes and the wall.
pub struct WallCell<C> {
    actor: Link,
    ear: Ear<C>,
    looked_at: Nanos,
    inbox: SignerIn,
    outbox: SignerOut,
    wall: Box<dyn Wall + Send>,
    said: LinkOut,
}

impl<C: Clock> WallCell<C> {
    /// Connects it.
    pub fn new(ear: Ear<C>, inbox: SignerIn, outbox: SignerOut, wall: Box<dyn Wall + Send>) -> Self {
        let (actor, said) = (Link::default(), LinkOut::default());
        WallCell { actor, ear, looked_at: Nanos::ZERO, inbox, outbox, wall, said }
    }

    fn hear(&mut self, at: Nanos, message: In<'_>) {
        self.actor.on(at, message, &mut self.said);
        if let Some(ask) = self.said.ask.take() {
            // Without room there is nobody who reads; the deed stays pending and is given back when it is overdue.
            let _ = self.wall.send(&ask);
        }
        for mut sealed in self.said.out.sealed.drain() {
            sealed.stamp(Stage::Signed, self.ear.now());
            assert!(self.outbox.sealed.send(sealed).is_ok(), "room was counted");
        }
        for refusal in self.said.out.refusals.drain() {
            assert!(self.outbox.refusals.send(refusal).is_ok(), "room was counted");
        }
    }

    fn has_room(&self) -> bool {
        let out = &self.said.out;
        self.outbox.sealed.room() >= out.sealed.room() && self.outbox.refusals.room() >= out.refusals.room()
    }

    fn hear_answers(&mut self) -> bool {
        let mut busy = false;
        while self.has_room()
            && let Some((at, page)) = self.ear.page(Source::Answer, || self.wall.receive(), Answer::without_login)
        {
            self.hear(at, In::Answer(&page));
            busy = true;
        }
        busy
    }

    /// What waits for the other side, most telling first: what is listed, what it is worth, what is to be signed.
    fn pass_on(&mut self) -> bool {
        let mut busy = false;
        for _ in 0..burst() {
            if !self.has_room() || self.wall.room() == 0 {
                break;
            }
            let Self { ear, inbox, .. } = self;
            let (at, message) = if let Some((at, listing)) = ear.letter(Source::Listing, &mut inbox.listings) {
                (at, In::Listing(listing))
            } else if let Some((at, mark)) = ear.lane(Source::Marks, &mut inbox.marks) {
                (at, In::Mark(mark))
            } else if let Some((at, granted)) = ear.lane(Source::Orders, &mut inbox.orders) {
                (at, In::Granted(granted))
            } else {
                break;
            };
            self.hear(at, message);
            busy = true;
        }
        busy
    }

    /// Looks after the signer's process.
    fn look(&mut self) {
        let at = self.ear.now();
        let due = at.since(self.looked_at) >= LOOK_NS;
        if due {
            self.looked_at = at;
        }
        if let Some(at) = self.ear.event(Source::Gone, || due && !self.wall.is_alive()) {
            self.hear(at, In::Gone);
        }
    }
}

impl<C: Clock + Send> Turn for WallCell<C> {
    fn turn(&mut self) -> bool {
        let mut busy = self.hear_answers();
        busy |= self.pass_on();
        if self.has_room() {
            self.look();
        }
        if self.has_room()
            && let Some(at) = self.ear.tick()
        {
            self.hear(at, In::Tick);
            self.ear.checkpoint(&self.actor);
        }
        busy
    }

    fn name(&self) -> &'static str {
        "signer"
    }

    fn tell(&self) -> String {
        format!("{:#?}", self.actor)
    }

    fn finish(mut self: Box<Self>) -> Option<Box<dyn Any + Send>> {
        self.ear.close(&self.actor);
        None
    }
}
