//! The cell of the stage where a vault's contract signs: lanes from signer, risk and chain, lanes to gateway, risk and
//! chain. What the chain says comes from outside, and is on its tape.

use super::burst;
use crate::actors::signer::Sealed;
use crate::actors::signer::contract::{Contract, In, Out};
use crate::base::queue::{Postbox, Receiver, Sender};
use crate::base::time::Nanos;
use crate::engine::actor::{Actor, Turn};
use crate::engine::ear::Ear;
use crate::engine::ports::Clock;
use crate::engine::tape::Source;
use crate::market::instrument::Listing;
use crate::msg::{ChainAsk, ChainWord, ContractFact, ReportMsg};
use std::any::Any;

/// What the contract stage reads.
pub struct ContractIn {
    /// From the signer.
    pub sealed: Receiver<Sealed>,
    /// From the signer, passed on to risk.
    pub refusals: Receiver<ReportMsg>,
    /// From the chain.
    pub words: Receiver<ChainWord>,
    /// From risk.
    pub facts: Receiver<ContractFact>,
    /// Changes of the instrument table.
    pub listings: Postbox<Listing>,
}

/// What the contract stage writes.
pub struct ContractOut {
    /// To the gateway.
    pub sealed: Sender<Sealed>,
    /// To risk.
    pub refusals: Sender<ReportMsg>,
    /// To the chain.
    pub asks: Sender<ChainAsk>,
}

/// The contract stage with its lanes.
pub struct ContractCell<C> {
    actor: Contract,
    ear: Ear<C>,
    inbox: ContractIn,
    outbox: ContractOut,
    out: Out,
}

impl<C: Clock> ContractCell<C> {
    /// Connects it.
    pub fn new(actor: Contract, ear: Ear<C>, inbox: ContractIn, outbox: ContractOut) -> Self {
        ContractCell { actor, ear, inbox, outbox, out: Out::default() }
    }

    fn hear(&mut self, at: Nanos, message: In) {
        self.actor.on(at, message, &mut self.out);
        for sealed in self.out.sealed.drain() {
            assert!(self.outbox.sealed.send(sealed).is_ok(), "room was counted");
        }
        for report in self.out.reports.drain() {
            assert!(self.outbox.refusals.send(report).is_ok(), "room was counted");
        }
        for ask in self.out.asks.drain() {
            assert!(self.outbox.asks.send(ask).is_ok(), "room was counted");
        }
    }

    /// Room for everything one step can say.
    fn has_room(&self) -> bool {
        let ContractOut { sealed, refusals, asks } = &self.outbox;
        sealed.room() >= self.out.sealed.room()
            && refusals.room() >= self.out.reports.room()
            && asks.room() >= self.out.asks.room()
    }

    /// What is listed, then what risk and the chain know, then what was signed.
    fn next(&mut self) -> Option<(Nanos, In)> {
        let Self { ear, inbox: ContractIn { sealed, words, facts, listings, .. }, .. } = self;
        if let Some((at, listing)) = ear.letter(Source::Listing, listings) {
            return Some((at, In::Listing(listing)));
        }
        if let Some((at, fact)) = ear.lane(Source::ContractFacts, facts) {
            return Some((at, In::Fact(fact)));
        }
        if let Some((at, word)) = ear.word(Source::Words, words) {
            return Some((at, In::Word(word)));
        }
        ear.lane(Source::Sealed, sealed).map(|(at, sealed)| (at, In::Sealed(sealed)))
    }
}

impl<C: Clock + Send> Turn for ContractCell<C> {
    fn turn(&mut self) -> bool {
        let mut busy = false;
        for _ in 0..burst() {
            if !self.has_room() {
                break;
            }
            if let Some((_, refusal)) = self.ear.lane(Source::Refusals, &mut self.inbox.refusals) {
                assert!(self.outbox.refusals.send(refusal).is_ok(), "room was counted");
            } else if let Some((at, message)) = self.next() {
                self.hear(at, message);
            } else {
                break;
            }
            busy = true;
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
        "contract"
    }

    fn finish(mut self: Box<Self>) -> Option<Box<dyn Any + Send>> {
        self.ear.close(&self.actor);
        None
    }
}
