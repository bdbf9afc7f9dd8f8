//! Seals what risk has granted, as far as its own envelope allows, and proves the session key for logins. It signs
//! nothing else.

pub mod contract;
pub mod link;

use crate::base::buggify::{Place, bends};
use crate::base::ids::{Nonce, VaultId};
use crate::base::queue::Batch;
use crate::base::time::{Nanos, SEC};
use crate::derive::dialect::Address;
use crate::derive::seal::{
    LoginProof, MovementDeed, OrderDeed, PackageDeed, PackageSeal, Sealer, Signed, SignedExecution, SignedMovement,
};
use crate::engine::actor::Actor;
use crate::engine::ports::{Key, Store};
use crate::engine::rolling::Rolling;
use crate::engine::switch::Switch;
use crate::market::instrument::Listing;
use crate::msg::{Breach, Mark, Note, Report, ReportMsg, Request, Stage, Stance, StopReason, Trace, Unsent};
use crate::risk::capital::Movement;
use crate::risk::order::{Execution, Order};
use std::fmt;
use std::hash::{Hash, Hasher};

/// A login proof is renewed this often, so that a reconnect never waits for one or sends an old one.
const PROOF_NS: u64 = 2 * SEC;
/// Housekeeping of the key.
const REFRESH_NS: u64 = 10 * SEC;

/// Most notes journaled in a minute.
const NOTES_PER_MINUTE_MAX: i128 = 600;

/// What the signer hears.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::large_enum_variant)] // Copy on purpose: nothing on the hot path is boxed.
pub enum In {
    /// A granted order.
    Order(Order),
    /// A granted execution of a quote.
    Execution(Execution),
    /// A granted movement of capital.
    Movement(Movement),
    /// Something to journal, and no more.
    Note {
        /// Whose.
        vault: VaultId,
        /// What.
        note: Note,
    },
    /// An instrument came or went.
    Listing(Listing),
    /// An instrument's mark.
    Mark(Mark),
    /// Time passed.
    Tick,
}

/// What the signer says to the gateway.
#[derive(Clone, Copy, PartialEq)]
#[allow(clippy::large_enum_variant)] // Copy on purpose: nothing on the hot path is boxed.
pub enum Sealed {
    /// A signed order.
    Order(Signed),
    /// A signed execution.
    Execution(SignedExecution),
    /// A signed movement of capital.
    Movement(SignedMovement),
    /// A fresh login proof.
    Login(LoginProof),
}

impl Sealed {
    /// What was signed for the venue's contracts; a login proof is nothing to keep.
    pub fn signature(&self) -> Option<&[u8; 65]> {
        match self {
            Sealed::Order(signed) => Some(signed.signature()),
            Sealed::Execution(signed) => Some(signed.signature()),
            Sealed::Movement(signed) => Some(signed.signature()),
            Sealed::Login(_) => None,
        }
    }

    /// Notes the moment of a stage where there is a trace.
    pub fn stamp(&mut self, stage: Stage, at: Nanos) {
        match self {
            Sealed::Order(signed) => signed.stamp(stage, at),
            Sealed::Execution(signed) => signed.stamp(stage, at),
            Sealed::Movement(_) | Sealed::Login(_) => {}
        }
    }
}

/// What one step says.
#[derive(Default)]
pub struct Out {
    /// To the gateway.
    pub sealed: Batch<Sealed, 2>,
    /// To risk: what was not signed, and that nothing will be.
    pub refusals: Batch<ReportMsg, 2>,
}

/// The switch is the operator's, not state: what it did is in `stopped`.
impl Hash for Brake {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Brake { switch: _, refusals_max, refusals, stopped, heard, told } = self;
        (refusals_max, refusals, stopped, heard, told).hash(state);
    }
}

/// Stops the desk: after too many refusals, at a nonce that went back, when the journal has no more room, or when the
/// operator says so. Never undone.
#[derive(Clone, Debug)]
pub struct Brake {
    switch: Switch,
    refusals_max: u32,
    refusals: u32,
    stopped: Option<Breach>,
    heard: bool,
    told: bool,
}

impl Brake {
    /// Stops at this many refusals, or when the switch is thrown.
    pub fn new(switch: Switch, refusals_max: u32) -> Brake {
        Brake { switch, refusals_max, refusals: 0, stopped: None, heard: false, told: false }
    }

    /// Why nothing may be signed, if so.
    pub fn check(&mut self) -> Result<(), Breach> {
        if !self.heard && self.switch.is_thrown() {
            // Only what has stopped for good says so: a switch that is thrown back changes nothing any more.
            self.stopped.get_or_insert(Breach::Stopped);
            self.heard = true;
            self.switch.acknowledge();
        }
        self.stopped.map_or(Ok(()), Err)
    }

    /// Stops, unless it has.
    fn stop(&mut self, why: Breach) {
        self.stopped.get_or_insert(why);
    }

    /// Hears of a refusal.
    pub fn note(&mut self, why: Breach) {
        if why.is_fault() {
            self.count(why);
        }
    }

    /// Counts what no sound engine does.
    fn count(&mut self, why: Breach) {
        self.refusals = self.refusals.saturating_add(1);
        let for_good = matches!(why, Breach::Nonce | Breach::Journal);
        if self.stopped.is_none() && (self.refusals >= self.refusals_max || for_good) {
            self.stopped = Some(if for_good { why } else { Breach::Halted });
        }
    }

    /// Why it has stopped, once.
    pub fn news(&mut self) -> Option<Breach> {
        let why = self.check().err()?;
        (!std::mem::replace(&mut self.told, true)).then_some(why)
    }
}

/// The desk behind the brake: what a signer does with a deed, in the engine's own process or in one of its own.
pub struct Guarded<K, S> {
    sealer: Sealer<K, S>,
    brake: Brake,
    noted: Rolling,
}

impl<K, S> Hash for Guarded<K, S> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.sealer, &self.brake, &self.noted).hash(state);
    }
}

impl<K, S> fmt::Debug for Guarded<K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded").field("sealer", &self.sealer).field("brake", &self.brake).finish()
    }
}

impl<K: Key, S: Store> Guarded<K, S> {
    /// Over a sealing desk.
    pub fn new(sealer: Sealer<K, S>, brake: Brake) -> Guarded<K, S> {
        Guarded { sealer, brake, noted: Rolling::minute() }
    }

    /// Address that actions name as their signer.
    pub fn signer(&self) -> Address {
        self.sealer.signer()
    }

    /// The signature of an order, or why there is none.
    pub fn order(&mut self, at: Nanos, deed: &OrderDeed) -> Result<[u8; 65], Breach> {
        let sealed = self.brake.check().and_then(|()| self.sealer.seal_deed(at, deed));
        sealed.inspect_err(|why| self.brake.note(*why))
    }

    /// The signature of an execution with what belongs to it, or why there is none.
    pub fn package(&mut self, at: Nanos, deed: &PackageDeed) -> Result<PackageSeal, Breach> {
        let sealed = self.brake.check().and_then(|()| self.sealer.seal_package(at, deed));
        sealed.inspect_err(|why| self.brake.note(*why))
    }

    /// The signature of a movement of capital, or why there is none.
    pub fn movement(&mut self, at: Nanos, deed: &MovementDeed) -> Result<[u8; 65], Breach> {
        let sealed = self.brake.check().and_then(|()| self.sealer.seal_movement(at, deed));
        sealed.inspect_err(|why| self.brake.note(*why))
    }

    /// Why nothing is signed any more, once. The next start knows of it, whatever becomes of the rest of the engine.
    pub fn news(&mut self, at: Nanos) -> Option<Breach> {
        let why = self.brake.news()?;
        if why != Breach::Journal {
            self.sealer.note_all(&Note::Stance(Stance { at, stopped: Some(StopReason::of_signer(why)) }));
        }
        Some(why)
    }

    /// Journals a note, at a pace that no vault needs.
    pub fn note(&mut self, at: Nanos, vault: VaultId, note: &Note) {
        let Some(subaccount) = self.sealer.subaccount(vault) else { return };
        // Nothing is traded any more, and the last records are not for what is only good to know.
        if self.brake.stopped == Some(Breach::Journal) {
            return;
        }
        if self.noted.sum(at) >= NOTES_PER_MINUTE_MAX {
            return self.brake.count(Breach::Pace);
        }
        self.noted.add(at, 1);
        self.sealer.note(subaccount, note);
    }

    /// Takes a change of the instrument table. Without a place nothing is signed for it; the roster counts those.
    pub fn apply(&mut self, listing: &Listing) {
        let _ = self.sealer.apply(listing);
    }

    /// Takes a mark.
    pub fn mark(&mut self, mark: &Mark) {
        self.sealer.mark(mark);
    }

    /// Proves the session key.
    pub fn login(&mut self, at: Nanos) -> LoginProof {
        self.sealer.login(at)
    }

    /// Housekeeping of the key.
    pub fn refresh(&mut self) {
        self.sealer.refresh();
    }
}

/// What is due with time: fresh proofs and fresh blinding.
#[derive(Clone, Copy, Debug, Default, Hash)]
pub struct Chores {
    proved_at: Nanos,
    refreshed_at: Nanos,
}

impl Chores {
    /// True if a login proof is due; then it counts as made.
    pub fn proof_due(&mut self, at: Nanos) -> bool {
        due(&mut self.proved_at, at, PROOF_NS)
    }

    /// True if the key's housekeeping is due; then it counts as done.
    pub fn refresh_due(&mut self, at: Nanos) -> bool {
        due(&mut self.refreshed_at, at, REFRESH_NS)
    }
}

fn due(last: &mut Nanos, at: Nanos, every_ns: u64) -> bool {
    let due = at.since(*last) >= every_ns || bends(Place::ChoreEarly);
    if due {
        *last = at;
    }
    due
}

/// The signer actor, with the key in the engine's own process.
pub struct Signer<K, S> {
    desk: Guarded<K, S>,
    chores: Chores,
}

impl<K, S> Hash for Signer<K, S> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.desk, &self.chores).hash(state);
    }
}

impl<K, S> fmt::Debug for Signer<K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("desk", &self.desk).field("chores", &self.chores).finish()
    }
}

impl<K: Key, S: Store> Signer<K, S> {
    /// Over a guarded desk.
    pub fn new(desk: Guarded<K, S>) -> Signer<K, S> {
        Signer { desk, chores: Chores::default() }
    }

    /// Puts a switch of this process in the place of the operator's, which is handed over: a fold looks at nothing that
    /// changes between its messages. Whoever holds both passes the throw on.
    pub fn take_switch(&mut self, own: Switch) -> Switch {
        std::mem::replace(&mut self.desk.brake.switch, own)
    }

    /// True once the journal has hardly room left. As the switch, it is no state of the actor: whoever holds this asks
    /// between two messages, and stops it.
    pub fn is_cramped(&mut self) -> bool {
        self.desk.brake.stopped.is_none() && !self.desk.sealer.has_room()
    }

    /// Signs nothing from now on.
    pub fn stop(&mut self, why: Breach) {
        self.desk.brake.stop(why);
    }

    fn on_tick(&mut self, at: Nanos, out: &mut Out) {
        if self.chores.proof_due(at) {
            out.sealed.push(Sealed::Login(self.desk.login(at)));
        }
        if self.chores.refresh_due(at) {
            self.desk.refresh();
        }
    }
}

/// Tells risk that an order or execution was not signed.
pub fn withheld(trace: Trace, nonce: Nonce, request: Request, why: Breach) -> ReportMsg {
    ReportMsg { trace, body: Report::Unsent { nonce, request, why: Unsent::Withheld(why) } }
}

/// Tells risk that nothing will be signed any more.
pub fn down(why: Breach) -> ReportMsg {
    ReportMsg { trace: Trace::default(), body: Report::SignerDown { why } }
}

/// What an order asks the venue for.
pub fn request_of(order: &Order) -> Request {
    if order.replaced().is_some() { Request::Replace } else { Request::Place }
}

impl<K: Key, S: Store> Actor for Signer<K, S> {
    type In<'a> = In;
    type Out = Out;

    fn on(&mut self, at: Nanos, message: In, out: &mut Out) {
        match message {
            In::Order(order) => match self.desk.order(at, &OrderDeed::of(&order)) {
                Ok(signature) => out.sealed.push(Sealed::Order(Signed::of(order, signature))),
                Err(why) => out.refusals.push(withheld(order.trace(), order.nonce(), request_of(&order), why)),
            },
            In::Execution(execution) => match self.desk.package(at, &PackageDeed::of(&execution)) {
                Ok(seal) => out.sealed.push(Sealed::Execution(SignedExecution::of(execution, seal))),
                Err(why) => {
                    out.refusals.push(withheld(execution.trace(), execution.nonce(), Request::Execute, why));
                }
            },
            In::Movement(movement) => match self.desk.movement(at, &MovementDeed::of(&movement)) {
                Ok(signature) => out.sealed.push(Sealed::Movement(SignedMovement::of(movement, signature))),
                Err(why) => out.refusals.push(withheld(Trace::default(), movement.nonce(), Request::Move, why)),
            },
            // What is not on record would be forgotten by the next start.
            In::Note { vault, note } => self.desk.note(at, vault, &note),
            In::Listing(listing) => self.desk.apply(&listing),
            In::Mark(mark) => self.desk.mark(&mark),
            In::Tick => self.on_tick(at, out),
        }
        if let Some(why) = self.desk.news(at) {
            out.refusals.push(down(why));
        }
    }
}

#[cfg(test)]
mod tests;
