//! The single writer of account truth: checks wishes, grants orders, books what the venue says, and stops everything.

mod desk;
mod facts;
mod notice;
mod watch;

pub use desk::{Desk, Plan};
pub use notice::{Alarm, Notice, Sample, Stats};

use crate::base::ids::{Epoch, InstrumentId, Nonce, SubaccountId};
use crate::base::queue::Batch;
use crate::base::time::Nanos;
use crate::engine::actor::Actor;
use crate::market::instrument::Instrument;
use crate::msg::{Account, Act, Command, Intent, Purpose, ReportMsg, Session, Talk, Urgent, Value, Wish};
use crate::risk::checks::Case;
use crate::risk::limits::Mandate;
use crate::risk::nonces::NonceSource;
use crate::risk::order::Granted;
use crate::risk::pacing::{Class, Window};
use crate::risk::{Grant, check};

/// What the risk actor hears.
#[derive(Clone, Copy, Debug)]
pub enum In {
    /// A wish.
    Intent(Intent),
    /// A value.
    Value(Value),
    /// What the venue said.
    Report(ReportMsg),
    /// What the control plane wants.
    Command(Command),
    /// Time passed.
    Tick,
}

/// What one step says.
#[derive(Default)]
pub struct Out {
    /// What may be signed, and phases to journal.
    pub orders: Batch<Granted, 8>,
    /// What must not wait behind a signature.
    pub urgent: Batch<Urgent, 64>,
    /// Changed accounts.
    pub accounts: Batch<Account, 16>,
    /// Changed conversations with makers.
    pub talks: Batch<Talk, 16>,
    /// News for the control plane.
    pub notices: Batch<Notice, 64>,
}

/// Facts of the wallet, shared by all desks.
struct Wallet {
    epoch: Epoch,
    nonces: NonceSource,
    messages: Window,
    per_instrument: Box<[Window]>,
    venue_offset_ns: Option<i64>,
    session: Session,
    key_expires_at: Nanos,
}

/// The risk actor.
pub struct Risk {
    desks: Box<[Desk]>,
    instruments: Box<[Instrument]>,
    wallet: Wallet,
    snapshot_of: Option<SubaccountId>,
}

/// Matching requests per second assumed until the venue says otherwise: its lowest tier.
const TPS_ASSUMED: u32 = 1;

impl Risk {
    /// For the given vaults over the given instrument table; nonces start above `floor`.
    pub fn new(plans: Vec<Plan>, instruments: Vec<Instrument>, floor: Nonce, key_expires_at: Nanos) -> Risk {
        assert!(plans.len() <= 8, "more vaults than one step can speak for");
        let per_instrument = instruments.iter().map(|_| Window::new(TPS_ASSUMED)).collect();
        Risk {
            desks: plans.into_iter().map(Desk::new).collect(),
            instruments: instruments.into_boxed_slice(),
            wallet: Wallet {
                epoch: Epoch(0),
                nonces: NonceSource::above(floor),
                messages: Window::new(TPS_ASSUMED),
                per_instrument,
                venue_offset_ns: None,
                session: Session::Down,
                key_expires_at,
            },
            snapshot_of: None,
        }
    }

    fn on_intent(&mut self, at: Nanos, intent: &Intent, out: &mut Out) {
        let live: u32 = self.live_orders();
        let Some(desk) = self.desks.iter_mut().find(|desk| desk.vault() == intent.vault) else { return };
        let informed = desk.heard_intent(intent);
        let wallet = &mut self.wallet;
        match intent.act {
            Act::Ask(_) | Act::Unask { .. } | Act::Execute(_) | Act::Tell(_) => {}
            Act::Cancel { nonce } => desk.cancel(at, nonce, intent.trace, wallet, out),
            Act::Place(_) | Act::Replace { .. } if !informed => desk.stats.stale_wishes += 1,
            Act::Place(wish) => wallet.place(at, desk, &self.instruments, (wish, None), live, intent, out),
            Act::Replace { old, new } => {
                wallet.place(at, desk, &self.instruments, (new, Some(old)), live, intent, out);
            }
        }
        desk.publish(at, intent.trace, wallet, live, out);
    }

    fn live_orders(&self) -> u32 {
        self.desks.iter().map(|desk| desk.ledger.orders().count() as u32).sum()
    }

    fn on_command(&mut self, at: Nanos, command: &Command, out: &mut Out) {
        match *command {
            Command::Kill => self.kill(at, out),
            Command::Drain { vault } => {
                for desk in self.desks.iter_mut().filter(|desk| desk.vault() == vault) {
                    desk.drain(Alarm::Asked, out);
                }
            }
            Command::Resume { vault } => {
                for desk in self.desks.iter_mut().filter(|desk| desk.vault() == vault) {
                    desk.resume(out);
                }
            }
            Command::BorrowRate { apr, read_at } => {
                self.desks.iter_mut().for_each(|desk| desk.borrow_apr = Some((apr, read_at)));
            }
        }
    }

    /// Raises the epoch so that nothing approved before can leave, cancels every order, halts every desk.
    fn kill(&mut self, at: Nanos, out: &mut Out) {
        self.wallet.epoch = Epoch(self.wallet.epoch.0 + 1);
        out.urgent.push(Urgent::Stop { epoch: self.wallet.epoch });
        for desk in &mut self.desks {
            desk.halt(Alarm::Asked, out);
            desk.cancel_all(at, &mut self.wallet, out);
        }
    }
}

impl Wallet {
    fn session_up(&self) -> bool {
        self.session == Session::Up
    }

    /// Messages of a class left, for the wallet and the instrument.
    fn budget(&mut self, at: Nanos, class: Class, instrument: InstrumentId, live: u32) -> u32 {
        let wallet = self.messages.left(at, class, live);
        let window = self.per_instrument.get_mut(usize::from(instrument.0));
        wallet.min(window.map_or(0, |window| window.left(at, class, 1)))
    }

    fn spend(&mut self, at: Nanos, instrument: InstrumentId) {
        self.messages.spend(at);
        if let Some(window) = self.per_instrument.get_mut(usize::from(instrument.0)) {
            window.spend(at);
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn place(
        &mut self,
        at: Nanos,
        desk: &mut Desk,
        instruments: &[Instrument],
        (wish, old): (Wish, Option<Nonce>),
        live: u32,
        intent: &Intent,
        out: &mut Out,
    ) {
        let Mandate::Basis(limits) = &desk.mandate else { return };
        let class = if wish.purpose == Purpose::Hedge { Class::Hedge } else { Class::Quote };
        let replaced = old.and_then(|nonce| desk.ledger.order(nonce));
        if old.is_some() && replaced.is_none() {
            desk.stats.stale_wishes += 1; // what it wanted to replace is over: the account in flight says so
            return;
        }
        let case = Case {
            at,
            wish,
            replaced,
            ledger: &desk.ledger,
            limits,
            instrument: desk.trades(wish.instrument).then(|| instruments.get(usize::from(wish.instrument.0))).flatten(),
            base: &desk.base,
            perp: &desk.perp,
            mode: desk.mode,
            session_up: self.session_up(),
            loss_ema: desk.loss_ema(at),
            budget_left: self.budget(at, class, wish.instrument, live).min(out.orders.room() as u32),
            fills_last_minute: desk.fills_last_minute(at),
            venue_offset_ns: self.venue_offset_ns,
            key_expires_at: self.key_expires_at,
        };
        let passed = match check(&case) {
            Ok(passed) => passed,
            Err(row) => return desk.refused(row, intent.seq, out),
        };
        let Ok(nonce) = self.nonces.next(at) else {
            desk.stats.nonce_waits += 1;
            desk.intent_refused = intent.seq;
            return;
        };
        let (order, live_order) = passed.grant(Grant { nonce, epoch: self.epoch, trace: intent.trace });
        desk.grant(at, &order, live_order);
        self.spend(at, wish.instrument);
        out.orders.push(Granted::Order(order));
    }
}

impl Actor for Risk {
    type In<'a> = In;
    type Out = Out;

    fn on(&mut self, at: Nanos, message: In, out: &mut Out) {
        match message {
            In::Intent(intent) => self.on_intent(at, &intent, out),
            In::Value(value) => self.desks.iter_mut().for_each(|desk| desk.on_value(&value)),
            In::Report(report) => self.on_report(at, &report, out),
            In::Command(command) => self.on_command(at, &command, out),
            In::Tick => self.on_tick(at, out),
        }
    }
}

#[cfg(test)]
mod tests;
