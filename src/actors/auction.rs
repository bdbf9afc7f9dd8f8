//! Runs each vault's strategy on the newest values and account, and says its wishes, one at a time.

mod basis_seat;
mod option_seat;

pub use basis_seat::BasisSeat;
pub use option_seat::{OptionSeat, OptionSeatTerms};

use crate::base::buggify::{Place, bends};
use crate::base::ids::VaultId;
use crate::base::queue::Batch;
use crate::base::time::{MS, Nanos};
use crate::engine::actor::Actor;
use crate::market::instrument::Listing;
use crate::msg::{Account, Act, Cause, Intent, Talk, Trace, Value};

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
    /// A vault's RFQ and quotes.
    Talk(Talk),
    /// The instrument table has changed.
    Listing(Listing),
    /// Time passed.
    Tick,
}

/// What one step says.
pub type Out = Batch<Intent, INTENTS_MAX>;

/// Counts a vault's wishes and waits for the answer to each.
#[derive(Clone, Copy, Debug, Hash)]
struct Pulpit {
    vault: VaultId,
    asked: u32,
    asked_at: Nanos,
}

impl Pulpit {
    fn new(vault: VaultId) -> Pulpit {
        Pulpit { vault, asked: 0, asked_at: Nanos::ZERO }
    }

    /// True while the last wish is unanswered.
    fn waits(&self, account: &Account, at: Nanos) -> bool {
        let unanswered = account.intents_seen < self.asked && at.since(self.asked_at) < ANSWER_NS_MAX;
        (unanswered && !bends(Place::WishLost)) || bends(Place::LookMissed)
    }

    fn say(&mut self, account: &Account, at: Nanos, trace: Trace, act: Act, out: &mut Out) {
        let after = account.intents_seen;
        self.asked = self.asked.max(after) + 1;
        self.asked_at = at;
        out.push(Intent { trace, vault: self.vault, seq: self.asked, after, act });
    }
}

/// One vault's strategy and what it knows.
#[allow(clippy::large_enum_variant)] // A handful, made at start.
#[derive(Debug, Hash)]
pub enum Seat {
    /// Delta-1 Basis.
    Basis(BasisSeat),
    /// One of the option vaults.
    Options(OptionSeat),
}

impl Seat {
    fn on(&mut self, at: Nanos, message: &In, out: &mut Out) {
        let timer = Trace { cause: Cause::Timer, ..Trace::default() };
        match (self, message) {
            (Seat::Basis(seat), In::Value(value)) => seat.on_value(at, value, out),
            (Seat::Basis(seat), In::Account(account)) => seat.on_account(at, account, out),
            (Seat::Basis(seat), In::Tick) => seat.look(at, timer, out),
            (Seat::Basis(_), In::Talk(_) | In::Listing(_)) => {}
            (Seat::Options(seat), In::Value(value)) => seat.on_value(at, value, out),
            (Seat::Options(seat), In::Account(account)) => seat.on_account(at, account, out),
            (Seat::Options(seat), In::Talk(talk)) => seat.on_talk(at, talk, out),
            (Seat::Options(seat), In::Listing(listing)) => seat.on_listing(listing),
            (Seat::Options(seat), In::Tick) => seat.on_tick(at, timer, out),
        }
    }
}

/// The auction actor.
#[derive(Debug, Hash)]
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
        for seat in &mut self.seats {
            seat.on(at, &message, out);
        }
    }
}
