//! What a storm has shown so far: the wire, the journal, the venue's books and the engine's news, noted step by step for
//! the invariants to judge. Nothing is believed because the engine says so.

use super::Subject;
use super::coverage::{Follower, Matrix};
use super::excuses::{self, DISKS};
use super::moments::Moments;
use super::rules::Rules;
use super::story::Story;
use super::twins::Twins;
use super::words::{self, Method, Reply, Request};
use crate::actors::risk::{Alarm, Notice, Sample, Stats};
use crate::base::ids::{InstrumentId, Uuid};
use crate::base::num::Amount;
use crate::base::time::{Nanos, SEC};
use crate::engine::journal::{LegRecord, OrderRecord};
use crate::exchange::{OpenOrder, SubaccountReport, TradeReport};
use crate::market::instrument::Kind;
use crate::msg::{Breach, Mode};
use crate::sim::lanes::Lanes;
use crate::sim::rig::Rig;
use crate::sim::venue::Said;
use crate::sim::venue::faults::{CATALOGUE, Fault, Fired, KINDS, Strike};
use rust_decimal::Decimal;
use std::collections::{BTreeMap, BTreeSet};

/// The hedge of the storms' basis vault.
pub const PERP: &str = "ETH-PERP";
/// What changes an account without a fill.
const ARRIVALS: [Fault; 2] = [Fault::Deposited, Fault::RolledBack];
/// The engine has heard of it by then.
const DISTURBED_NS: u64 = 20 * SEC;
/// What the engine has said is in its journal by then, however slow its turns.
const JOURNALED_NS: u64 = SEC;
/// A resume said longer ago was refused: a thread that is stuck hears it once it goes on.
const HEEDED_NS: u64 = 10 * SEC;

/// A request of the engine, with what was true when it was noted.
#[derive(Clone, Debug)]
pub struct Sent {
    /// When.
    pub at: Nanos,
    /// What.
    pub request: Request,
    /// Its nonce was in the journal when it was handed to the connection.
    pub journaled: bool,
    /// Highest nonce on the wire before it.
    pub floor: u64,
    /// Another text bore the same nonce before.
    pub reused: bool,
    /// It is signed, and nothing has told yet, in its session, what rests.
    pub blind: bool,
    /// The venue's mark of its instrument.
    pub mark: Decimal,
}

/// A nonce the journal has just learnt of.
#[derive(Clone, Copy, Debug)]
pub struct Spent {
    /// The nonce.
    pub nonce: u64,
    /// When it was sealed, by the engine's clock.
    pub at: Nanos,
    /// Highest nonce before it.
    pub floor: u64,
    /// When the record before it was made.
    pub before: Nanos,
}

/// A refusal of the venue's own.
#[derive(Clone, Debug)]
pub struct Refused {
    /// First letter of the request's id.
    pub letter: char,
    /// The venue's code.
    pub code: i64,
    /// The whole text.
    pub text: String,
}

/// A fill the engine has booked.
#[derive(Clone, Copy, Debug)]
pub struct Booked {
    /// The trade was booked before.
    pub again: bool,
    /// What its order has filled with it, and what was ordered, if that is known.
    pub filled: (Amount, Option<Amount>),
}

/// Everything seen.
pub struct Seen {
    /// Who is in the storm.
    pub subject: Subject,
    /// Its collateral.
    pub collateral: &'static str,
    /// What its configuration allows.
    pub rules: Rules,
    /// Now, on the venue's clock.
    pub at: Nanos,
    /// The venue's books.
    pub books: SubaccountReport,
    /// What rests at the venue.
    pub open: Vec<OpenOrder>,
    /// Requests since the last look.
    pub sent: Vec<Sent>,
    /// Refusals since the last look.
    pub refused: Vec<Refused>,
    /// Nonces journaled since the last look.
    pub spent: Vec<Spent>,
    /// Fills booked since the last look.
    pub booked: Vec<Booked>,
    /// News since the last look.
    pub heard: Vec<Notice>,
    /// The engine's last look at itself, with its counters.
    pub last: Option<(Sample, Stats)>,
    /// Moments that judgements count from.
    pub moments: Moments,
    /// Requests could not get through, or not in time, until then.
    pub private_hurt: Nanos,
    /// Texts of the venue did not arrive as they were, or not in time, until then.
    pub reply_hurt: Nanos,
    /// The private connection is up since.
    pub private_up: Nanos,
    /// What an option is worth at the venue has last jumped.
    pub options_jumped: Nanos,
    /// What happened, in words, for whoever wants it told.
    pub story: Option<Story>,
    /// An engine is at work.
    pub alive: bool,
    /// How often each fault fired so far.
    pub fired: Fired,
    /// When each fault last did, or last was at work.
    struck_at: [Nanos; KINDS],
    /// What was waived because of what had happened: the invariant, or the alarm, why, and in how many steps.
    pub excused: BTreeMap<(String, &'static str), u64>,
    /// How often the venue itself refused with each code, and what kind of request.
    pub codes: BTreeMap<(i64, char), u64>,
    /// Positions as the engine last said, by name of the instrument.
    pub held: Vec<(String, Amount)>,
    /// Orders of somebody else, and since when they rest.
    pub strangers: Vec<(u64, Nanos)>,
    /// Faults against states of orders.
    pub matrix: Box<Matrix>,
    /// Nonces ever journaled, with the number of the record.
    journaled: BTreeMap<u64, u64>,
    names: BTreeMap<u64, String>,
    orders: BTreeMap<u64, Amount>,
    filled: BTreeMap<(u64, InstrumentId), Amount>,
    trades: BTreeSet<Uuid>,
    /// The venue's mark of the perp.
    pub perp_mark: Decimal,
    /// The same of its collateral.
    pub base_mark: Decimal,
    /// What the vault has traded in all, by the venue's books: the base, the perp.
    pub traded: (Decimal, Decimal),
    /// What its trades have cost it in all against the venue's marks, fees included, in cash.
    pub lost: Decimal,
    /// The session up to then and whether its account was listed, and whether that of the present one was.
    listed: (Nanos, bool, bool),
    /// Slow twins of what the engine holds and decides.
    pub twins: Twins,
    follower: Follower,
    records: u64,
    wire_floor: u64,
    spent_floor: (u64, Nanos),
    strikes: usize,
    drained_at: Option<Nanos>,
}

impl Seen {
    /// Nothing yet.
    pub fn new(subject: Subject, collateral: &'static str, rules: Rules, lanes: Lanes) -> Seen {
        Seen {
            subject,
            collateral,
            twins: Twins::new(lanes, &rules),
            rules,
            at: Nanos::ZERO,
            books: SubaccountReport::default(),
            open: Vec::new(),
            sent: Vec::new(),
            refused: Vec::new(),
            spent: Vec::new(),
            booked: Vec::new(),
            heard: Vec::new(),
            last: None,
            moments: Moments::default(),
            private_hurt: Nanos::ZERO,
            reply_hurt: Nanos::ZERO,
            private_up: Nanos::ZERO,
            options_jumped: Nanos::ZERO,
            story: None,
            alive: true,
            fired: [0; KINDS],
            struck_at: [Nanos::ZERO; KINDS],
            excused: BTreeMap::new(),
            codes: BTreeMap::new(),
            held: Vec::new(),
            strangers: Vec::new(),
            matrix: Box::new([[0; 8]; KINDS]),
            journaled: BTreeMap::new(),
            names: BTreeMap::new(),
            orders: BTreeMap::new(),
            filled: BTreeMap::new(),
            trades: BTreeSet::new(),
            perp_mark: Default::default(),
            base_mark: Default::default(),
            traded: Default::default(),
            lost: Decimal::ZERO,
            listed: (Nanos::ZERO, true, true),
            follower: Follower::default(),
            records: 0,
            wire_floor: 0,
            spent_floor: (0, Nanos::ZERO),
            strikes: 0,
            drained_at: None,
        }
    }

    /// Notes everything since the last look.
    pub fn look(&mut self, rig: &mut Rig, heard: Vec<Notice>) {
        self.forget_step();
        self.at = rig.venue.now();
        self.alive = rig.is_alive();
        self.note_faults(rig);
        if let Some(faults) = rig.venue.faults() {
            self.private_hurt = faults.private_hurt_at();
            self.reply_hurt = faults.reply_hurt_at();
            self.moments.deaf = faults.deaf_since(self.at);
            let jumped = excuses::OPTION_PRICES.map(|fault| faults.turned(fault, self.at));
            self.options_jumped = jumped[0].max(jumped[1]);
            let lasting = CATALOGUE.iter().filter(|kind| faults.lasts(kind.fault, self.at).is_some());
            lasting.for_each(|kind| self.struck_at[kind.fault as usize] = self.at);
        } else {
            self.moments.deaf = None;
        }
        if rig.venue.private_up_since() != self.private_up {
            self.private_up = rig.venue.private_up_since();
            self.listed = (self.private_up, self.listed.2, false);
            self.follower.lost();
        }
        self.note_journal(rig);
        self.note_wire(rig);
        self.twins.look(rig);
        heard.into_iter().for_each(|notice| self.hear(rig, notice));
        if let Some(books) = rig.venue.report(rig.subaccount()) {
            let same = |a: &SubaccountReport, b: &SubaccountReport| {
                let amounts = |report: &SubaccountReport| {
                    let held = report.positions.iter().map(|(name, position)| (name.clone(), position.amount));
                    held.collect::<Vec<_>>()
                };
                a.balances == b.balances && amounts(a) == amounts(b)
            };
            if !same(&self.books, &books) {
                self.moments.moved = self.at;
                self.note_trades(rig);
            }
            self.books = books;
        }
        self.perp_mark = rig.venue.exchange.mark(PERP);
        self.base_mark = rig.venue.exchange.mark(&format!("{}-USDC", self.collateral));
        self.open = rig.venue.exchange.open_orders_of(rig.subaccount());
        let open = &self.open;
        self.strangers.retain(|(nonce, _)| open.iter().any(|order| order.nonce == *nonce));
    }

    fn forget_step(&mut self) {
        self.sent.clear();
        self.refused.clear();
        self.spent.clear();
        self.booked.clear();
        self.heard.clear();
    }

    /// The engine is gone: what it still said is noted, and what it believed is forgotten.
    pub fn reborn(&mut self, rig: &mut Rig) {
        let held_back = self.leaves_a_stop();
        self.look(rig, Vec::new());
        let at = self.at;
        self.story.iter_mut().for_each(|story| story.tell(at, "        the engine is gone; another starts".to_owned()));
        self.moments = Moments {
            alive: self.at,
            calm: self.moments.calm.map(|_| self.at),
            gave_away: self.moments.gave_away,
            restarted: true,
            held_back,
            ..Moments::default()
        };
        self.last = None;
        self.drained_at = None;
        self.filled.clear();
        self.trades.clear();
        self.spent_floor.1 = Nanos::ZERO;
        self.follower.lost();
        self.twins.forget();
    }

    /// An operator has started a drained vault again.
    pub fn resumed(&mut self) {
        self.drained_at = None;
        self.moments.resumed = self.at;
        self.moments.held_back = false;
    }

    /// The next engine starts with an empty journal.
    pub fn journal_lost(&mut self) {
        self.records = 0;
        self.moments.held_back = false;
    }

    /// True if the engine that dies has a stop on record: it was said long enough ago, and the journal took what it was told.
    fn leaves_a_stop(&self) -> bool {
        let said = self.drained_at.is_some_and(|at| self.at.since(at) >= JOURNALED_NS);
        let kept = said && self.struck_by(&DISKS, self.at.since(self.moments.alive)).is_none();
        !self.moments.ended && (self.moments.held_back || kept)
    }

    /// When the vault began to wait for an operator, if it does.
    pub fn drained_at(&self) -> Option<Nanos> {
        self.drained_at
    }

    fn note_journal(&mut self, rig: &Rig) {
        for (number, record) in &rig.journal_after(self.records) {
            self.records = *number;
            let order = OrderRecord::read(record).map(|order| (order.nonce.0, order.at, Some(order.amount)));
            let leg = || LegRecord::read(record).map(|leg| (leg.nonce.0, leg.at, Some(leg.amount)));
            let Some((nonce, at, amount)) = order.or_else(leg) else { continue };
            // Both legs of a package bear one name.
            if self.journaled.insert(nonce, *number).is_none() || nonce != self.spent_floor.0 {
                let (floor, before) = self.spent_floor;
                self.spent.push(Spent { nonce, at, floor, before });
                self.spent_floor = (nonce.max(floor), at);
            }
            self.orders.extend(amount.map(|amount| (nonce, amount)));
        }
    }

    /// Notes what has fired; also before the faults are taken away.
    pub fn note_faults(&mut self, rig: &mut Rig) {
        if let Some(faults) = rig.venue.faults() {
            self.fired = faults.fired();
            faults.log()[self.strikes..].iter().for_each(|strike| self.struck_at[strike.fault as usize] = strike.at);
        }
    }

    /// Texts and strikes in the order of time.
    fn note_wire(&mut self, rig: &mut Rig) {
        let strikes: Vec<Strike> =
            rig.venue.faults().map(|faults| faults.log()[self.strikes..].to_vec()).unwrap_or_default();
        self.strikes += strikes.len();
        let mut strikes = strikes.into_iter().peekable();
        for said in rig.venue.take_tape() {
            while let Some(strike) = strikes.next_if(|strike| strike.at <= said.at) {
                self.note_strike(strike);
            }
            self.story.iter_mut().for_each(|story| story.said(&said));
            if said.by_engine { self.note_request(rig, &said) } else { self.note_reply(&said) }
        }
        strikes.for_each(|strike| self.note_strike(strike));
    }

    fn note_strike(&mut self, strike: Strike) {
        self.struck_at[strike.fault as usize] = strike.at;
        self.follower.note(strike.fault, &mut self.matrix);
        self.story.iter_mut().for_each(|story| story.struck(&strike));
    }

    fn note_request(&mut self, rig: &Rig, said: &Said) {
        let Some(request) = words::request(&said.text) else {
            let text = said.text.clone();
            return self.refused.push(Refused { letter: ' ', code: -32_700, text });
        };
        self.follower.sent(&request);
        if !matches!(request.method, Method::Other) {
            let signed = request.method.is_signed();
            let before = if signed { self.names.insert(request.nonce, said.text.clone()) } else { None };
            let sent = Sent {
                at: said.at,
                journaled: !signed || self.journaled.get(&request.nonce).is_some_and(|number| *number <= said.written),
                floor: self.wire_floor,
                reused: before.is_some_and(|before| before != said.text),
                blind: signed && !self.was_listed(said.at),
                mark: rig.venue.exchange.mark(&request.instrument),
                request,
            };
            if signed {
                self.wire_floor = self.wire_floor.max(sent.request.nonce);
            }
            if sent.request.mmp {
                self.moments.quoted = said.at;
            }
            self.sent.push(sent);
        }
    }

    fn note_reply(&mut self, said: &Said) {
        let reply = words::reply(&said.text);
        if said.arrived {
            self.follower.heard(&reply);
            self.note_listed(said.at, &reply);
        }
        if let (Reply::Refused { letter, code, .. }, false) = (&reply, said.forged) {
            *self.codes.entry((*code, *letter)).or_default() += 1;
            self.refused.push(Refused { letter: *letter, code: *code, text: said.text.clone() });
        }
    }

    /// Adds up what the venue's records of trades say.
    fn note_trades(&mut self, rig: &Rig) {
        let trades = rig.venue.exchange.trades_of(rig.subaccount());
        let sum = |perp: bool| -> Decimal {
            trades.iter().filter(|one| one.instrument.ends_with("-PERP") == perp).map(|one| one.amount).sum()
        };
        self.traded = (sum(false), sum(true));
        let against = |one: &TradeReport| if one.buy { one.price - one.mark } else { one.mark - one.price };
        let losses = trades.iter().map(|one| against(one) * one.amount + one.fee);
        self.lost = losses.fold(Decimal::ZERO, |sum, loss| (sum + loss).max(Decimal::ZERO));
    }

    /// True if what rests was told by then in the session of that moment.
    fn was_listed(&self, at: Nanos) -> bool {
        if at < self.listed.0 { self.listed.1 } else { self.listed.2 }
    }

    fn note_listed(&mut self, at: Nanos, reply: &Reply) {
        if matches!(reply, Reply::Listed(_)) && at >= self.listed.0 {
            self.listed.2 = true;
        }
    }

    fn hear(&mut self, rig: &Rig, notice: Notice) {
        match &notice {
            Notice::Sample { sample, stats, .. } => {
                if self.struck_by(&ARRIVALS, DISTURBED_NS).is_some() {
                    self.twins.ledger.disturb();
                }
                self.twins.look_at_ledger(sample, stats);
                self.last = Some((*sample, *stats));
                let name = |id| rig.instrument(id).map_or_else(String::new, |one| one.name.as_str().to_owned());
                self.held = sample.held.iter().flatten().map(|held| (name(held.instrument), held.amount)).collect();
            }
            Notice::Filled { fill, .. } => {
                let total = self.filled.entry((fill.nonce.0, fill.instrument)).or_insert(Amount::ZERO);
                *total += fill.amount;
                let filled = (*total, self.orders.get(&fill.nonce.0).copied());
                let perp = rig.instrument(fill.instrument).filter(|one| one.kind == Kind::Perp).map(|one| one.id);
                self.twins.ledger.book(fill, rig.base().id, perp);
                self.booked.push(Booked { again: !self.trades.insert(fill.trade_id), filled });
            }
            Notice::Mode { mode: mode @ (Mode::Drain | Mode::Halted), .. } => {
                self.drained_at.get_or_insert(self.at);
                self.moments.stopped_unsaid = (!self.moments.alarmed).then_some(*mode);
            }
            Notice::Mode { mode: Mode::Live | Mode::Starting, .. } => {
                self.drained_at = None; // started anew by a resume
                let heeded = self.moments.resume_said.take_if(|said| self.at.since(*said) <= HEEDED_NS);
                self.moments.held_back &= heeded.is_none();
            }
            Notice::Alarm { alarm, .. } => {
                self.moments.gave_away |=
                    matches!(alarm, Alarm::Withheld { why: Breach::GivenHour | Breach::GivenDay });
                if let Some(why) = excuses::cause(alarm, self) {
                    self.excuse(format!("alarm {alarm:?}"), why);
                }
            }
            _ => {}
        }
        self.moments.alarmed = matches!(notice, Notice::Alarm { .. });
        let at = self.at;
        self.story.iter_mut().for_each(|story| story.heard(at, &notice));
        self.heard.push(notice);
    }

    /// Counts what was waived.
    pub fn excuse(&mut self, what: String, why: &'static str) {
        *self.excused.entry((what, why)).or_default() += 1;
    }

    /// True if a fault has fired, or was at work, in the last so many nanoseconds.
    pub fn struck(&self, fault: Fault, within_ns: u64) -> bool {
        let place = fault as usize;
        self.fired[place] > 0 && self.at.since(self.struck_at[place]) <= within_ns
    }

    /// Which of these has fired of late.
    pub fn struck_by(&self, faults: &[Fault], within_ns: u64) -> Option<&'static str> {
        faults.iter().find(|fault| self.struck(**fault, within_ns)).map(|fault| fault.name())
    }

    /// True if for so long cancels could get through: an engine at work, a session, and no request lost.
    pub fn able_for(&self, ns: u64) -> bool {
        let since = self.moments.alive.max(self.private_hurt).max(self.private_up);
        self.alive && self.at.since(since) > ns
    }
}
