//! The stage of the stories: auction seat and risk of one vault, a market, and the venue's books.

mod market;
mod telling;
mod venue;

use goldenscript::{Argument, Command, Context, Runner};
use keel::account::ledger::Book;
use keel::actors::auction::{self, Auction, OptionSeat, OptionSeatTerms, Seat};
use keel::actors::risk::{In, Out, Plan, Risk};
use keel::base::ids::{InstrumentId, Nonce, SubaccountId, VaultId};
use keel::base::num::{Amount, Cash, Price};
use keel::base::time::{MS, Nanos, SEC};
use keel::config::{Config, Online};
use keel::engine::actor::Actor;
use keel::engine::journal::Replay;
use keel::market::instrument::{Instrument, Listing};
use keel::msg::*;
use keel::ops::blueprint::{Blueprint, OptionPlan, PlanKind};
use keel::risk::capital::CapitalLimits;
use keel::risk::limits::Mandate;
use keel::risk::mandate::ema::MarkLoss;
use keel::sim::weeks::{FIRST_EXPIRY_S, Vault};
use keel::strategy::options::OptionVault;
use market::{calls, spot};
use std::error::Error;

const SUB: SubaccountId = SubaccountId(7);
const VAULT: VaultId = VaultId(0);
const BASE: InstrumentId = InstrumentId(0);
const EXPIRY_S: u64 = FIRST_EXPIRY_S + 7 * 86_400;
const STEP_NS: u64 = 10 * MS;
/// Strikes listed: 2,800 to 3,800 by 100.
const STRIKES: std::ops::RangeInclusive<i64> = 28..=38;

type Failure = Box<dyn Error>;

/// One story under way.
#[derive(Default)]
pub struct Stage {
    play: Option<Play>,
}

struct Play {
    risk: Risk,
    auction: Auction,
    at: Nanos,
    from: Nanos,
    index: Price,
    trades: u128,
    /// Names in the order of their making: the story says 1, the wire says a nonce.
    nonces: Vec<Nonce>,
    asked: Option<RfqWish>,
    asks: u128,
    instruments: Vec<Instrument>,
    cash: Cash,
    base: Amount,
    held: Vec<(InstrumentId, Amount)>,
    /// Orders granted, as the venue would list them.
    orders: Vec<OrderRow>,
    executing: Option<Deal>,
    /// The venue takes every order, replacement and cancel within a step, as it does on most days.
    willing: bool,
    /// Orders, with what they replace, and cancels the venue has not answered.
    unanswered: Vec<(Nonce, Request, Option<Nonce>)>,
    book: Book,
    demand: Option<Demand>,
    refused: u64,
}

/// The operator's plan of a vault.
fn plan_of(name: &str, instruments: Vec<Instrument>) -> Result<(OptionPlan, Book), Failure> {
    let vault = Vault::ALL.into_iter().find(|vault| vault.name() == name).ok_or("unknown vault")?;
    let scene = vault.scene();
    let config = Config::parse(&scene.config, scene.file, &Online::here())?;
    let blueprint = Blueprint::of(&config, instruments, Nanos::MAX, &Replay::default());
    let vault = blueprint.vaults[0];
    let PlanKind::Options(plan) = vault.kind else { return Err("not an option vault".into()) };
    Ok((plan, Book { vault: VAULT, subaccount: SUB, ..vault.book }))
}

struct Words<'a>(&'a Command);

impl Words<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.args.iter().find_map(|argument| match argument {
            Argument::KeyValue(name, value) if name == key => Some(value.as_str()),
            _ => None,
        })
    }

    fn number<N: std::str::FromStr>(&self, key: &str, otherwise: &str) -> Result<N, Failure>
    where
        N::Err: Error + 'static,
    {
        Ok(self.get(key).unwrap_or(otherwise).parse()?)
    }

    fn first(&self) -> &str {
        let first = self.0.args.iter().find_map(|argument| match argument {
            Argument::Positional(value) => Some(value.as_str()),
            _ => None,
        });
        first.unwrap_or_default()
    }
}

/// What the journal tells a start.
fn remembered(words: &Words<'_>) -> Result<Option<Milestone>, Failure> {
    match words.get("remembers") {
        None => Ok(None),
        Some("waiting") => Ok(Some(Milestone {
            phase: Phase::AwaitSettlement,
            started_at: Nanos((EXPIRY_S - 86_400) * SEC),
            expiry_s: EXPIRY_S,
            ..Milestone::default()
        })),
        Some(other) => Err(format!("remembers={other}: only waiting").into()),
    }
}

impl Play {
    /// A vault some seconds before the moment a story begins at: `auction`, `settlement` or `conversion`.
    fn open(words: &Words<'_>) -> Result<Play, Failure> {
        let (plan, book) = plan_of(words.first(), vec![spot()])?;
        let week = plan.params.week;
        let before_s = match words.get("at").unwrap_or("auction") {
            "auction" => week.auction_start_s(EXPIRY_S),
            "settlement" => EXPIRY_S,
            "conversion" => EXPIRY_S + week.spot_delay_s,
            other => return Err(format!("at={other}: auction, settlement or conversion").into()),
        };
        let at = Nanos((before_s - 2) * SEC);
        let terms = OptionSeatTerms {
            vault: VAULT,
            base_instrument: spot(),
            currency: plan.currency,
            right: plan.params.product.right(),
            remembered: remembered(words)?,
        };
        let risk_plan = Plan {
            book,
            mandate: Mandate::Options(plan.limits),
            capital: CapitalLimits::NONE,
            principal: None,
            lost: None,
            stopped: None,
            loss_sums: [MarkLoss::NONE; 2],
            contract_signs: false,
            journaled: None,
        };
        let seat = Seat::Options(OptionSeat::new(terms, OptionVault::new(plan.params)));
        let mut play = Play {
            risk: Risk::new(vec![risk_plan], vec![spot()], Nonce(0), Nanos::MAX),
            auction: Auction::new(vec![seat]),
            at,
            from: at,
            index: Price::whole(3_000),
            trades: 0,
            nonces: Vec::new(),
            asked: None,
            asks: 0,
            instruments: std::iter::once(spot()).chain(calls()).collect(),
            cash: words.number("cash", "0")?,
            base: words.number("base", "10")?,
            held: Vec::new(),
            orders: Vec::new(),
            executing: None,
            willing: false,
            unanswered: Vec::new(),
            book,
            demand: None,
            refused: 0,
        };
        if let Some(text) = words.get("short") {
            let (strike, size) = text.split_once('x').ok_or("short=STRIKExAMOUNT")?;
            let strike: i64 = strike.parse()?;
            let near = InstrumentId(u16::try_from(strike / 100 - STRIKES.start() + 1)?);
            play.held.push((near, -size.parse::<Amount>()?));
        }
        Ok(play)
    }

    fn wake(&mut self, said: &mut String) {
        for instrument in self.instruments.clone().into_iter().skip(1) {
            self.hear(In::Listing(Listing::Listed { instrument, watched: true }), said);
        }
        self.prices(said);
        self.report(Report::Session(Session::Up), said);
        self.report(Report::VenueTime { offset_ns: 0, rtt_ns: MS }, said);
        self.report(Report::Budget(Budget { matching_tps: 500, instrument_tps: 100, other_tps: 500 }), said);
        self.snapshot(said);
    }

    fn hear(&mut self, message: In, said: &mut String) {
        let mut out = Out::default();
        self.risk.on(self.at, message, &mut out);
        self.tell(&mut out, said);
        let mut wishes = auction::Out::default();
        match message {
            In::Value(value) => self.auction.on(self.at, auction::In::Value(value), &mut wishes),
            In::Listing(listing) => self.auction.on(self.at, auction::In::Listing(listing), &mut wishes),
            In::Tick => self.auction.on(self.at, auction::In::Tick, &mut wishes),
            _ => {}
        }
        let intents: Vec<Intent> = wishes.drain().collect();
        let (accounts, talks): (Vec<Account>, Vec<Talk>) =
            (out.accounts.drain().collect(), out.talks.drain().collect());
        for talk in talks {
            self.auction.on(self.at, auction::In::Talk(talk), &mut wishes);
        }
        for account in accounts {
            self.auction.on(self.at, auction::In::Account(account), &mut wishes);
        }
        let intents: Vec<Intent> = intents.into_iter().chain(wishes.drain()).collect();
        for intent in intents {
            self.hear(In::Intent(intent), said);
        }
        if out.urgent.drain().any(|urgent| matches!(urgent, Urgent::Reconcile { .. })) {
            self.snapshot(said);
        }
    }

    fn report(&mut self, body: Report, said: &mut String) {
        self.hear(In::Report(ReportMsg { trace: Trace::default(), body }), said);
    }
}

impl Play {
    fn wait(&mut self, words: &Words<'_>, said: &mut String) -> Result<(), Failure> {
        let seconds: f64 = words.first().parse()?;
        let end = self.at.plus((seconds * 1_000.0) as u64 * MS);
        while self.at < end {
            self.at = self.at.plus(STEP_NS);
            if self.at.0 / (100 * MS) != (self.at.0 - STEP_NS) / (100 * MS) {
                self.prices(said);
            }
            if self.willing {
                self.answer_all(said)?;
            }
            self.hear(In::Tick, said);
        }
        Ok(())
    }

    fn run(&mut self, command: &Command, said: &mut String) -> Result<(), Failure> {
        let words = Words(command);
        match (command.name.as_str(), words.first()) {
            ("wait", _) => self.wait(&words, said)?,
            ("index", text) => {
                self.index = text.parse()?;
                self.prices(said);
            }
            ("opens", _) => self.opens(&words, said)?,
            ("venue", "willing") => self.willing = true,
            ("refuses", _) => self.refuses(&words, said)?,
            ("fills", _) => self.fills(&words, said)?,
            ("rfq", "open") => self.rfq(RfqStatus::Open, said)?,
            ("rfq", "cancelled") => self.rfq(RfqStatus::Cancelled, said)?,
            ("quote", _) => self.quote(&words, said)?,
            ("executes", _) => self.executes(&words, said)?,
            ("settles", _) => self.settles(&words, said)?,
            (other, _) => return Err(format!("unknown command {other}").into()),
        }
        if let Some(demand) = self.demand.take() {
            let best = demand.best.map_or(String::new(), |best| format!(", best {best}"));
            let (limit, mark, left) = (demand.limit, demand.mark, demand.remaining);
            self.line(said, &format!("risk → ops      demands {limit} at mark {mark}{best}, {left} left"));
        }
        Ok(())
    }
}

impl Runner for Stage {
    type Command = Command;

    fn run(&mut self, command: &Command, _: &Context) -> Result<String, Box<dyn Error>> {
        let mut said = String::new();
        if command.name == "vault" {
            let mut play = Play::open(&Words(command))?;
            play.wake(&mut said);
            self.play = Some(play);
            return Ok(said);
        }
        let play = self.play.as_mut().ok_or("a story begins with its vault")?;
        play.run(command, &mut said)?;
        Ok(said)
    }
}
