//! The single writer of account truth: checks wishes, grants orders, books what the venue says, and stops everything.

mod able;
mod books;
mod capital;
mod contract;
mod desk;
mod ended;
mod facts;
mod loss_sum;
mod notice;
mod packages;
mod principal;
mod purse;
mod series;
mod stance;
mod table;
mod tales;
mod talk;
mod watch;
mod wishes;

pub use desk::{Desk, Plan};
pub use notice::{Alarm, CapitalNews, Notice, Reverts, Sample, Stats};

use crate::base::ids::{Epoch, InstrumentId, Nonce, SubaccountId, VaultId};
use crate::base::queue::Batch;
use crate::base::time::{Nanos, SEC};
use crate::derive::dialect::Dialect;
use crate::engine::actor::Actor;
use crate::market::instrument::{Instrument, Listing};
use crate::msg::{Account, Act, Command, ContractFact, Intent, ReportMsg, Session, Talk, Urgent, Value};
use crate::risk::checks::ALONE_ROW;
use crate::risk::nonces::NonceSource;
use crate::risk::option_case::Wanted;
use crate::risk::order::Granted;
use crate::risk::pacing::{Class, Window};
use table::Table;
use wishes::Plea;

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
    /// The instrument table changed.
    Listing(Listing),
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
    /// To the stage where a vault's contract signs.
    pub contract_facts: Batch<ContractFact, 16>,
}

/// Facts of the wallet and the market, shared by all desks.
#[derive(Debug, Hash)]
struct Wallet {
    table: Table,
    epoch: Epoch,
    nonces: NonceSource,
    messages: Window,
    per_instrument: Vec<Window>,
    instrument_tps: u32,
    venue_offset_ns: Option<i64>,
    session: Session,
    key_expires_at: Nanos,
    /// The last tick.
    ticked_at: Nanos,
    /// Before this moment an order of an earlier run may still arrive at the venue.
    settled_at: Nanos,
}

/// The risk actor.
#[derive(Debug, Hash)]
pub struct Risk {
    desks: Box<[Desk]>,
    wallet: Wallet,
    snapshot_of: Option<SubaccountId>,
}

/// After this an order has been refused as late, or its fate can be read: a second of `reject_after_ms`, and as much for the
/// venue's own delay and for what our clocks differ by. Nonces are moments, so the highest tells when the last was made.
const SETTLED_NS: u64 = 2 * SEC;
/// Matching requests per second assumed until the venue says otherwise: its lowest tier.
const TPS_ASSUMED: u32 = 1;

impl Risk {
    /// For the given vaults over the given instrument table, on v3; nonces start above `floor`.
    pub fn new(plans: Vec<Plan>, instruments: Vec<Instrument>, floor: Nonce, key_expires_at: Nanos) -> Risk {
        assert!(plans.len() <= 8, "more vaults than one step can speak for");
        let per_instrument = instruments.iter().map(|_| Window::new(TPS_ASSUMED)).collect();
        Risk {
            desks: plans.into_iter().map(Desk::new).collect(),
            wallet: Wallet {
                table: Table::new(instruments),
                epoch: Epoch(0),
                nonces: NonceSource::above(floor),
                messages: Window::new(TPS_ASSUMED),
                per_instrument,
                instrument_tps: TPS_ASSUMED,
                venue_offset_ns: None,
                session: Session::Down,
                key_expires_at,
                ticked_at: Nanos::ZERO,
                settled_at: if floor == Nonce(0) { Nanos::ZERO } else { Nanos(floor.0).plus(SETTLED_NS) },
            },
            snapshot_of: None,
        }
    }

    /// In a dialect: its nonces, and whether fills settle on a chain.
    pub fn speaking(mut self, dialect: &Dialect) -> Risk {
        self.wallet.nonces = self.wallet.nonces.counting(dialect.nonce_unit);
        let floor = self.wallet.nonces.last();
        if floor > Nonce(0) {
            self.wallet.settled_at = dialect.nonce_unit.moment(floor).plus(SETTLED_NS);
        }
        if dialect.settles_fills() {
            self.desks.iter_mut().for_each(|desk| desk.ledger.expect_settlement());
        }
        self
    }

    fn on_intent(&mut self, at: Nanos, intent: &Intent, out: &mut Out) {
        let live: u32 = self.live_orders();
        let meets_another = self.meets_another_vault(intent);
        let Some(desk) = self.desks.iter_mut().find(|desk| desk.vault() == intent.vault) else { return };
        let informed = desk.heard_intent(intent);
        let wallet = &mut self.wallet;
        let plea = Plea { at, intent, live, meets_another };
        match intent.act {
            Act::Cancel { nonce } => desk.cancel_wished(at, nonce, intent.trace, wallet, out),
            Act::Unask { rfq_id } => desk.unask_named(at, rfq_id, wallet, out),
            Act::Tell(tale) => desk.on_tale(at, &tale, wallet, out),
            _ if !informed => desk.stats.stale_wishes += 1,
            // A signature for anything else would kill that of the capital on its way.
            _ if desk.moving.is_some() => desk.refused(ALONE_ROW, None, intent.seq),
            Act::Place(wish) => wallet.place(&plea, desk, wish, None, out),
            Act::Replace { old, new } => wallet.place(&plea, desk, new, Some(old), out),
            Act::Ask(wish) => wallet.deal(&plea, desk, Wanted::Ask(wish), out),
            Act::Execute(deal) => wallet.deal(&plea, desk, Wanted::Deal(deal), out),
        }
        desk.tell_contract(out);
        desk.publish(at, intent.trace, wallet, live, out);
    }

    fn live_orders(&self) -> u32 {
        self.desks.iter().map(|desk| desk.ledger.orders().count() as u32).sum()
    }

    fn on_command(&mut self, at: Nanos, command: &Command, out: &mut Out) {
        match *command {
            Command::Kill => self.kill(at, Alarm::Asked, out),
            Command::Pause { vault } => {
                self.desk(vault).into_iter().for_each(|(desk, _)| desk.drain(Alarm::Asked, out))
            }
            Command::Drain { vault } => {
                self.desk(vault).into_iter().for_each(|(desk, _)| desk.drain(Alarm::Retired, out))
            }
            Command::End { vault, orderly } => {
                self.desk(vault).into_iter().for_each(|(desk, _)| desk.end(orderly, out))
            }
            Command::Resume { vault } => self.desk(vault).into_iter().for_each(|(desk, _)| desk.resume(out)),
            Command::Halt { vault } => {
                if let Some((desk, wallet)) = self.desk(vault) {
                    desk.stop(at, Alarm::Asked, wallet, out);
                }
            }
            Command::Tighten { vault, to } => {
                // Refused here too: whoever speaks on this lane may be wrong about what holds now.
                let _ = self.desk(vault).map(|(desk, _)| desk.mandate.tighten(to));
            }
            Command::Capital { vault, wish } => self.on_capital(at, vault, wish, out),
            Command::BorrowRate { apr, read_at } => {
                self.desks.iter_mut().for_each(|desk| desk.borrow_apr = Some((apr, read_at)));
            }
        }
    }

    fn desk(&mut self, vault: VaultId) -> Option<(&mut Desk, &mut Wallet)> {
        let desk = self.desks.iter_mut().find(|desk| desk.vault() == vault);
        desk.map(|desk| (desk, &mut self.wallet))
    }

    /// Raises the epoch so that nothing approved before can leave, cancels every order, halts every desk.
    fn kill(&mut self, at: Nanos, why: Alarm, out: &mut Out) {
        self.wallet.epoch = Epoch(self.wallet.epoch.0 + 1);
        out.urgent.push(Urgent::Stop { epoch: self.wallet.epoch });
        for desk in &mut self.desks {
            desk.stop(at, why, &mut self.wallet, out);
        }
    }

    /// True if an order could trade with one of another vault (M9, Derive 11007): whoever is taken decides nothing then.
    fn meets_another_vault(&self, intent: &Intent) -> bool {
        let (Act::Place(wish) | Act::Replace { new: wish, .. }) = intent.act else { return false };
        let others = self.desks.iter().filter(|desk| desk.vault() != intent.vault);
        others.flat_map(|desk| desk.ledger.orders()).any(|order| order.could_trade_with(&wish))
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

    fn on_listing(&mut self, listing: &Listing) {
        self.table.on_listing(listing);
        let window = Window::new(self.instrument_tps);
        self.per_instrument.resize(self.table.len(), window);
    }

    fn spend(&mut self, at: Nanos, instrument: InstrumentId) {
        self.messages.spend(at);
        if let Some(window) = self.per_instrument.get_mut(usize::from(instrument.0)) {
            window.spend(at);
        }
    }
}

impl Actor for Risk {
    type In<'a> = In;
    type Out = Out;

    fn on(&mut self, at: Nanos, message: In, out: &mut Out) {
        match message {
            In::Intent(intent) => self.on_intent(at, &intent, out),
            In::Value(value) => {
                self.wallet.table.on_value(&value);
                self.desks.iter_mut().for_each(|desk| desk.on_value(&value));
            }
            In::Listing(listing) => self.wallet.on_listing(&listing),
            In::Report(report) => self.on_report(at, &report, out),
            In::Command(command) => self.on_command(at, &command, out),
            In::Tick => self.on_tick(at, out),
        }
        self.desks.iter_mut().for_each(|desk| desk.journal_stop(at, out));
    }
}

#[cfg(test)]
mod capital_tests;
#[cfg(test)]
mod control_tests;
#[cfg(test)]
mod cover_tests;
#[cfg(test)]
pub(crate) mod option_stage;
#[cfg(test)]
mod option_tests;
#[cfg(test)]
mod tests;
