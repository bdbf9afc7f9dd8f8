//! The signer's place in the pipeline when the key is behind a process wall: it passes deeds through, keeps the orders
//! they belong to, and puts what comes back together. It holds no key and can sign nothing.

use super::{Out, Sealed, down, request_of, withheld};
use crate::base::ids::Nonce;
use crate::base::time::{Nanos, SEC};
use crate::derive::seal::wire::{Answer, Ask};
use crate::derive::seal::{MovementDeed, OrderDeed, PackageDeed, Signed, SignedExecution, SignedMovement};
use crate::engine::actor::Actor;
use crate::engine::ports::{ANSWER_BYTES, ASK_BYTES};
use crate::market::instrument::Listing;
use crate::msg::{Breach, Mark, ReportMsg, Request, Trace};
use crate::risk::capital::Movement;
use crate::risk::order::{Execution, Granted, Order};

/// Deeds that can be under way: as many as the lane from risk holds.
const PENDING: usize = 64;
/// A deed unanswered for this long means that nobody signs any more.
const ANSWER_NS_MAX: u64 = SEC;

/// What the link hears.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::large_enum_variant)] // Copy on purpose: nothing on the hot path is boxed.
pub enum In<'a> {
    /// What risk has granted.
    Granted(Granted),
    /// An instrument came or went.
    Listing(Listing),
    /// An instrument's mark.
    Mark(Mark),
    /// What came back.
    Answer(&'a [u8; ANSWER_BYTES]),
    /// The signer's process is gone.
    Gone,
    /// Time passed.
    Tick,
}

/// What was asked for and not answered yet.
#[derive(Clone, Copy, Debug, Hash)]
#[allow(clippy::large_enum_variant)] // Copy on purpose: nothing on the hot path is boxed.
enum Subject {
    Order(Order),
    Execution(Execution),
    Movement(Movement),
}

impl Subject {
    fn nonce(&self) -> Nonce {
        match self {
            Subject::Order(order) => order.nonce(),
            Subject::Execution(execution) => execution.nonce(),
            Subject::Movement(movement) => movement.nonce(),
        }
    }

    fn refused(&self, why: Breach) -> ReportMsg {
        match self {
            Subject::Order(order) => withheld(order.trace(), order.nonce(), request_of(order), why),
            Subject::Execution(deal) => withheld(deal.trace(), deal.nonce(), Request::Execute, why),
            Subject::Movement(moved) => withheld(Trace::default(), moved.nonce(), Request::Move, why),
        }
    }
}

/// The link actor.
#[derive(Debug, Hash)]
pub struct Link {
    pending: Box<[Option<(Nanos, Subject)>]>,
    lost: bool,
    told: bool,
}

impl Default for Link {
    fn default() -> Link {
        Link { pending: vec![None; PENDING].into(), lost: false, told: false }
    }
}

/// What one step says beside a signer's own words.
#[derive(Default)]
pub struct LinkOut {
    /// To gateway and risk.
    pub out: Out,
    /// To the signer's process.
    pub ask: Option<[u8; ASK_BYTES]>,
}

impl Link {
    fn on_granted(&mut self, at: Nanos, granted: Granted, said: &mut LinkOut) {
        let (subject, ask) = match granted {
            Granted::Order(order) => (Subject::Order(order), Ask::Order(OrderDeed::of(&order))),
            Granted::Execution(deal) => (Subject::Execution(deal), Ask::Package(PackageDeed::of(&deal))),
            Granted::Movement(moved) => (Subject::Movement(moved), Ask::Movement(MovementDeed::of(&moved))),
            Granted::Note { vault, note } => {
                said.ask = Some(Ask::Note { vault, note }.write());
                return;
            }
        };
        let free = self.pending.iter_mut().find(|place| place.is_none()).filter(|_| !self.lost);
        match free {
            Some(place) => {
                *place = Some((at, subject));
                said.ask = Some(ask.write());
            }
            None => said.out.refusals.push(subject.refused(Breach::Lost)),
        }
    }

    fn take(&mut self, nonce: Nonce) -> Option<Subject> {
        let found = |place: &&mut Option<(Nanos, Subject)>| place.is_some_and(|(_, subject)| subject.nonce() == nonce);
        self.pending.iter_mut().find(found)?.take().map(|(_, subject)| subject)
    }

    /// An answer to nothing, or of the wrong kind, means that the other side is broken: it is not listened to again.
    fn on_answer(&mut self, page: &[u8; ANSWER_BYTES], out: &mut Out) {
        let Some(answer) = Answer::read(page).filter(|_| !self.lost) else {
            self.lost = true;
            return;
        };
        match answer {
            Answer::Order { nonce, signature } => match self.take(nonce) {
                Some(Subject::Order(order)) => out.sealed.push(Sealed::Order(Signed::of(order, signature))),
                other => self.on_nonsense(other, out),
            },
            Answer::Package { nonce, seal } => match self.take(nonce) {
                Some(Subject::Execution(deal)) => {
                    out.sealed.push(Sealed::Execution(SignedExecution::of(deal, seal)));
                }
                other => self.on_nonsense(other, out),
            },
            Answer::Movement { nonce, signature } => match self.take(nonce) {
                Some(Subject::Movement(moved)) => {
                    out.sealed.push(Sealed::Movement(SignedMovement::of(moved, signature)));
                }
                other => self.on_nonsense(other, out),
            },
            Answer::Refused { nonce, why } => match self.take(nonce) {
                Some(subject) => out.refusals.push(subject.refused(why)),
                None => self.lost = true,
            },
            Answer::Down { why } if !self.told => {
                self.told = true;
                out.refusals.push(down(why));
            }
            Answer::Down { .. } => {}
            Answer::Login(proof) => out.sealed.push(Sealed::Login(proof)),
        }
    }

    fn on_nonsense(&mut self, subject: Option<Subject>, out: &mut Out) {
        self.lost = true;
        if let Some(subject) = subject {
            out.refusals.push(subject.refused(Breach::Lost));
        }
    }

    /// Says that nobody signs any more, then gives back one deed after another: their signatures never came, and what
    /// comes now is not heard.
    fn mourn(&mut self, out: &mut Out) {
        if !std::mem::replace(&mut self.told, true) {
            out.refusals.push(down(Breach::Lost));
        }
        if out.refusals.room() > 0
            && let Some((_, subject)) = self.pending.iter_mut().find_map(Option::take)
        {
            out.refusals.push(subject.refused(Breach::Lost));
        }
    }
}

impl Actor for Link {
    type In<'a> = In<'a>;
    type Out = LinkOut;

    fn on(&mut self, at: Nanos, message: In<'_>, said: &mut LinkOut) {
        match message {
            In::Granted(granted) => self.on_granted(at, granted, said),
            In::Listing(listing) => said.ask = Some(Ask::Listing(listing).write()),
            In::Mark(mark) => said.ask = Some(Ask::Mark(mark).write()),
            In::Answer(page) => self.on_answer(page, &mut said.out),
            In::Gone => self.lost = true,
            In::Tick => {
                let overdue =
                    |place: &Option<(Nanos, Subject)>| place.is_some_and(|(then, _)| at.since(then) > ANSWER_NS_MAX);
                self.lost |= self.pending.iter().any(overdue);
                if self.lost {
                    self.mourn(&mut said.out);
                }
            }
        }
    }
}
