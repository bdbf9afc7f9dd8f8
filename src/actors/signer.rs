//! Seals what risk has granted, and proves the session key for logins. It signs nothing else.

use crate::base::ids::{Nonce, VaultId};
use crate::base::queue::Batch;
use crate::base::time::{Nanos, SEC};
use crate::derive::seal::{LoginProof, Sealer, Signed, SignedExecution, Unsealed};
use crate::engine::actor::Actor;
use crate::engine::ports::{Key, Store};
use crate::market::instrument::Listing;
use crate::msg::{Milestone, Stage};
use crate::risk::order::{Execution, Order};

/// A login proof is renewed this often, so that a reconnect never waits for one or sends an old one.
const PROOF_NS: u64 = 2 * SEC;
/// Housekeeping of the key.
const REFRESH_NS: u64 = 10 * SEC;

/// What the signer hears.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::large_enum_variant)] // Copy on purpose: nothing on the hot path is boxed.
pub enum In {
    /// A granted order.
    Order(Order),
    /// A granted execution of a quote.
    Execution(Execution),
    /// A phase a vault has entered: journaled only.
    Milestone {
        /// Whose.
        vault: VaultId,
        /// Which.
        milestone: Milestone,
    },
    /// An instrument came or went.
    Listing(Listing),
    /// Time passed.
    Tick,
}

/// What the signer says.
#[derive(Clone, Copy)]
#[allow(clippy::large_enum_variant)] // Copy on purpose: nothing on the hot path is boxed.
pub enum Sealed {
    /// A signed order.
    Order(Signed),
    /// A signed execution.
    Execution(SignedExecution),
    /// A fresh login proof.
    Login(LoginProof),
}

impl Sealed {
    /// Notes the moment of a stage where there is a trace.
    pub fn stamp(&mut self, stage: Stage, at: Nanos) {
        match self {
            Sealed::Order(signed) => signed.stamp(stage, at),
            Sealed::Execution(signed) => signed.stamp(stage, at),
            Sealed::Login(_) => {}
        }
    }
}

/// What one step says.
pub type Out = Batch<Sealed, 2>;

/// The signer actor.
pub struct Signer<K, S> {
    sealer: Sealer<K, S>,
    proved_at: Nanos,
    refreshed_at: Nanos,
}

impl<K: Key, S: Store> Signer<K, S> {
    /// Over a sealing desk.
    pub fn new(sealer: Sealer<K, S>) -> Signer<K, S> {
        Signer { sealer, proved_at: Nanos::ZERO, refreshed_at: Nanos::ZERO }
    }
}

/// Our own fault, and the wall's duty: die rather than sign. A restart reconciles.
#[cold]
fn refuse(nonce: Nonce, why: Unsealed) -> ! {
    panic!("signer refused {}: {why:?}", nonce.0)
}

impl<K: Key, S: Store> Signer<K, S> {
    fn on_tick(&mut self, at: Nanos, out: &mut Out) {
        if at.since(self.proved_at) >= PROOF_NS {
            self.proved_at = at;
            out.push(Sealed::Login(self.sealer.login(at)));
        }
        if at.since(self.refreshed_at) >= REFRESH_NS {
            self.refreshed_at = at;
            self.sealer.refresh();
        }
    }
}

impl<K: Key, S: Store> Actor for Signer<K, S> {
    type In<'a> = In;
    type Out = Out;

    fn on(&mut self, at: Nanos, message: In, out: &mut Out) {
        match message {
            In::Order(order) => match self.sealer.seal(at, &order) {
                Ok(signed) => out.push(Sealed::Order(signed)),
                Err(why) => refuse(order.nonce(), why),
            },
            In::Execution(execution) => match self.sealer.seal_execution(at, &execution) {
                Ok(signed) => out.push(Sealed::Execution(signed)),
                Err(why) => refuse(execution.nonce(), why),
            },
            In::Milestone { vault, milestone } => {
                // A phase that is not on record would be forgotten by the next start.
                let subaccount = self.sealer.subaccount(vault).expect("only vaults with options reach milestones");
                self.sealer.note(subaccount, &milestone);
            }
            In::Listing(listing) => {
                // Without a place nothing is signed for it; the roster counts those.
                let _ = self.sealer.apply(&listing);
            }
            In::Tick => self.on_tick(at, out),
        }
    }
}
