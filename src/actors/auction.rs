//! Runs each vault's strategy on the newest values and account, and says its wishes, one at a time.

use crate::base::ids::{InstrumentId, VaultId};
use crate::base::queue::Batch;
use crate::base::time::{MS, Nanos};
use crate::engine::actor::Actor;
use crate::market::instrument::Instrument;
use crate::msg::{Account, Cause, Intent, Talk, Trace, Value};
use crate::strategy::basis::{Basis, State};
use crate::strategy::{Strategy, View};

/// A wish unanswered for this long was lost on a full lane and may be made again.
const ANSWER_NS_MAX: u64 = 50 * MS;
/// Wishes one step can make: one per vault.
pub const INTENTS_MAX: usize = 8;

/// What the auction actor hears.
#[derive(Clone, Copy, Debug)]
pub enum In {
    /// A value.
    Value(Value),
    /// An account.
    Account(Account),
    /// A conversation with makers.
    Talk(Talk),
    /// Time passed.
    Tick,
}

/// What one step says.
pub type Out = Batch<Intent, INTENTS_MAX>;

/// One vault's strategy and what it knows.
pub struct Seat {
    vault: VaultId,
    base_instrument: Instrument,
    perp_instrument: Instrument,
    strategy: Basis,
    state: State,
    base: Option<Value>,
    perp: Option<Value>,
    account: Option<Account>,
    asked: u32,
    asked_at: Nanos,
}

impl Seat {
    /// A seat that has heard nothing yet.
    pub fn new(vault: VaultId, base_instrument: Instrument, perp_instrument: Instrument, strategy: Basis) -> Seat {
        Seat {
            vault,
            base_instrument,
            perp_instrument,
            strategy,
            state: State::default(),
            base: None,
            perp: None,
            account: None,
            asked: 0,
            asked_at: Nanos::ZERO,
        }
    }

    fn hear(&mut self, value: &Value) -> bool {
        let InstrumentId(id) = value.instrument;
        if id == self.base_instrument.id.0 {
            self.base = Some(*value);
        } else if id == self.perp_instrument.id.0 {
            self.perp = Some(*value);
        } else {
            return false;
        }
        true
    }

    /// Looks once, unless the last wish is still unanswered.
    fn look(&mut self, at: Nanos, trace: Trace, out: &mut Out) {
        let (Some(account), Some(base), Some(perp)) = (&self.account, &self.base, &self.perp) else { return };
        if account.intents_seen < self.asked && at.since(self.asked_at) < ANSWER_NS_MAX {
            return;
        }
        let view = View {
            account,
            base,
            perp,
            base_instrument: &self.base_instrument,
            perp_instrument: &self.perp_instrument,
        };
        if let Some(act) = self.strategy.intent(&mut self.state, &view, at) {
            let after = account.intents_seen;
            self.asked = self.asked.max(after) + 1;
            self.asked_at = at;
            out.push(Intent { trace, vault: self.vault, seq: self.asked, after, act });
        }
    }
}

/// The auction actor.
pub struct Auction {
    seats: Box<[Seat]>,
}

impl Auction {
    /// For the given vaults.
    pub fn new(seats: Vec<Seat>) -> Auction {
        assert!(seats.len() <= INTENTS_MAX, "more vaults than one step can speak for");
        Auction { seats: seats.into_boxed_slice() }
    }
}

impl Actor for Auction {
    type In<'a> = In;
    type Out = Out;

    fn on(&mut self, at: Nanos, message: In, out: &mut Out) {
        match message {
            In::Value(value) => {
                for seat in &mut self.seats {
                    if seat.hear(&value) {
                        seat.look(at, value.trace, out);
                    }
                }
            }
            In::Account(account) => {
                for seat in self.seats.iter_mut().filter(|seat| seat.vault == account.vault) {
                    seat.account = Some(account);
                    seat.look(at, account.trace, out);
                }
            }
            In::Talk(_) => {} // a basis vault asks nobody for quotes
            In::Tick => {
                for seat in &mut self.seats {
                    seat.look(at, Trace { cause: Cause::Timer, ..Trace::default() }, out);
                }
            }
        }
    }
}
