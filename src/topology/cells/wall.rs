//! The signer's cell when the key is behind a process wall: lanes on one side, the way through on the other.

use super::{BURST, SignerIn, SignerOut, Ticker};
use crate::actors::signer::link::{In, Link, LinkOut};
use crate::base::time::{MS, Nanos};
use crate::engine::actor::{Actor, Turn};
use crate::engine::ports::{Clock, Wall};
use crate::msg::Stage;

/// How often the signer's process is looked after.
const LOOK_NS: u64 = 10 * MS;

/// The link with its lanes and the wall.
pub struct WallCell<C> {
    actor: Link,
    clock: C,
    ticker: Ticker,
    looked_at: Nanos,
    inbox: SignerIn,
    outbox: SignerOut,
    wall: Box<dyn Wall + Send>,
    said: LinkOut,
}

impl<C: Clock> WallCell<C> {
    /// Connects it.
    pub fn new(clock: C, inbox: SignerIn, outbox: SignerOut, wall: Box<dyn Wall + Send>) -> Self {
        let (actor, ticker, said) = (Link::default(), Ticker::default(), LinkOut::default());
        WallCell { actor, clock, ticker, looked_at: Nanos::ZERO, inbox, outbox, wall, said }
    }

    fn hear(&mut self, message: In<'_>) {
        self.actor.on(self.clock.now(), message, &mut self.said);
        if let Some(ask) = self.said.ask.take() {
            // Without room there is nobody who reads; the deed stays pending and is given back when it is overdue.
            let _ = self.wall.send(&ask);
        }
        for mut sealed in self.said.out.sealed.drain() {
            sealed.stamp(Stage::Signed, self.clock.now());
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
            && let Some(page) = self.wall.receive()
        {
            self.hear(In::Answer(&page));
            busy = true;
        }
        busy
    }

    /// What waits for the other side, most telling first: what is listed, what it is worth, what is to be signed.
    fn pass_on(&mut self) -> bool {
        let mut busy = false;
        for _ in 0..BURST {
            if !self.has_room() || self.wall.room() == 0 {
                break;
            }
            let message = if let Some(listing) = self.inbox.listings.receive() {
                In::Listing(listing)
            } else if let Some(mark) = self.inbox.marks.receive() {
                In::Mark(mark)
            } else if let Some(granted) = self.inbox.orders.receive() {
                In::Granted(granted)
            } else {
                break;
            };
            self.hear(message);
            busy = true;
        }
        busy
    }

    fn look(&mut self) {
        let at = self.clock.now();
        if at.since(self.looked_at) >= LOOK_NS {
            self.looked_at = at;
            if !self.wall.is_alive() {
                self.hear(In::Gone);
            }
        }
        self.hear(In::Tick);
    }
}

impl<C: Clock + Send> Turn for WallCell<C> {
    fn turn(&mut self) -> bool {
        let mut busy = self.hear_answers();
        busy |= self.pass_on();
        if self.has_room() && self.ticker.due(self.clock.now()) {
            self.look();
        }
        busy
    }

    fn name(&self) -> &'static str {
        "signer"
    }
}
