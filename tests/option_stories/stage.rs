//! The stage of the stories: auction seat and risk of one vault, a market, and the venue's books.

use goldenscript::{Argument, Command, Context, Runner};
use keel::account::ledger::Book;
use keel::actors::auction::{self, Auction, OptionSeat, OptionSeatTerms, Seat};
use keel::actors::risk::{In, Notice, Out, Plan, Risk};
use keel::base::ids::{InstrumentId, Name, Nonce, Right, Side, SubaccountId, Uuid, VaultId};
use keel::base::num::{Amount, Cash, Price, Ratio, Rounding};
use keel::base::time::{MS, Nanos, SEC};
use keel::config::{Config, Online};
use keel::engine::actor::Actor;
use keel::engine::journal::Replay;
use keel::market::black76;
use keel::market::instrument::{Instrument, Kind, Listing, OptionTerms};
use keel::msg::*;
use keel::ops::blueprint::{Blueprint, OptionPlan, PlanKind};
use keel::risk::limits::Mandate;
use keel::risk::mandate::ema::MarkLoss;
use keel::risk::order::Granted;
use keel::sim::weeks::{FIRST_EXPIRY_S, Vault};
use keel::strategy::options::OptionVault;
use std::error::Error;
use std::fmt::Write;

const SUB: SubaccountId = SubaccountId(7);
const VAULT: VaultId = VaultId(0);
const BASE: InstrumentId = InstrumentId(0);
const EXPIRY_S: u64 = FIRST_EXPIRY_S + 7 * 86_400;
const STEP_NS: u64 = 10 * MS;
/// Strikes listed: 2,800 to 3,800 by 100.
const STRIKES: std::ops::RangeInclusive<i64> = 28..=38;
const VOL: f64 = 0.6;

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

fn spot() -> Instrument {
    Instrument {
        id: BASE,
        name: Name::new("WEETH-USDC").expect("short"),
        kind: Kind::Spot,
        base_currency: Name::new("WEETH").expect("short"),
        asset: [0; 20],
        sub_id: 0,
        tick: Price::from_raw(10_000_000),
        step: Amount::from_raw(1_000_000),
        min_amount: Amount::from_raw(10_000_000),
        max_amount: Amount::whole(1_000),
        maker_fee: Ratio::ZERO,
        taker_fee: Ratio::from_bps(10),
        base_fee: Cash::ZERO,
        mark_fee_cap: Ratio::ZERO,
        option: None,
        active: true,
    }
}

fn call(place: u16, strike: i64) -> Instrument {
    Instrument {
        id: InstrumentId(place),
        name: Name::new(&format!("ETH-20261211-{}-C", strike * 100)).expect("short"),
        kind: Kind::Option,
        base_currency: Name::new("ETH").expect("short"),
        tick: Price::from_raw(10_000_000),
        step: Amount::from_raw(10_000_000),
        min_amount: Amount::from_raw(100_000_000),
        max_amount: Amount::whole(500),
        taker_fee: Ratio::from_bps(3),
        mark_fee_cap: Ratio::from_bps(1_250),
        option: Some(OptionTerms { expiry_s: EXPIRY_S, strike: Price::whole(strike * 100), right: Right::Call }),
        ..spot()
    }
}

/// The operator's plan of a vault.
fn plan_of(name: &str, instruments: Vec<Instrument>) -> Result<(OptionPlan, Book), Failure> {
    let vault = Vault::ALL.into_iter().find(|vault| vault.name() == name).ok_or("unknown vault")?;
    let scene = vault.scene();
    let config = Config::parse(scene.config, scene.file, &Online::here())?;
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
        let remembered = match words.get("remembers") {
            None => None,
            Some("waiting") => Some(Milestone {
                phase: Phase::AwaitSettlement,
                started_at: Nanos((EXPIRY_S - 86_400) * SEC),
                expiry_s: EXPIRY_S,
                ..Milestone::default()
            }),
            Some(other) => return Err(format!("remembers={other}: only waiting").into()),
        };
        let terms = OptionSeatTerms {
            vault: VAULT,
            base_instrument: spot(),
            currency: plan.currency,
            right: plan.params.product.right(),
            remembered,
        };
        let risk_plan = Plan { book, mandate: Mandate::Options(plan.limits), inherited_loss: MarkLoss::NONE };
        let seat = Seat::Options(OptionSeat::new(terms, OptionVault::new(plan.params)));
        let calls = STRIKES.zip(1u16..).map(|(strike, place)| call(place, strike));
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
            instruments: std::iter::once(spot()).chain(calls).collect(),
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

    /// Values of everything, from the index at one volatility.
    fn prices(&mut self, said: &mut String) {
        for instrument in self.instruments.clone() {
            let seconds = EXPIRY_S as i64 - self.at.secs() as i64;
            let (mark, option) = match instrument.option {
                None => (self.index, None),
                Some(_) if seconds <= 0 => continue,
                Some(terms) => {
                    let vol = Ratio::from_raw((VOL * 1e9) as i64);
                    let worth = black76::price(
                        terms.right,
                        self.index,
                        terms.strike,
                        vol,
                        seconds,
                        Ratio::ONE,
                        Rounding::HalfUp,
                    );
                    let years = seconds as f64 / 31_536_000.0;
                    let (forward, strike) = (self.index.to_f64(), terms.strike.to_f64());
                    let delta =
                        black76::black76(terms.right, forward, strike, VOL, years, 1.0).map_or(0.0, |q| q.delta);
                    let delta = Ratio::from_raw((delta * 1e9) as i64);
                    let value = OptionValue { mark_iv: vol, forward: self.index, discount: Ratio::ONE, delta };
                    (worth.unwrap_or_default(), Some(value))
                }
            };
            let value = Value {
                instrument: instrument.id,
                fair: mark,
                mark,
                index: self.index,
                band_high: mark.scale(Ratio::whole(10), Rounding::HalfUp),
                option,
                priced_at: self.at,
                good_until: self.at.plus(3 * SEC),
                ..Value::default()
            };
            self.hear(In::Value(value), said);
        }
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

    fn line(&self, said: &mut String, text: &str) {
        let ms = self.at.since(self.from) / MS;
        let _ = writeln!(said, "+{:<8} {text}", format!("{}.{:02}", ms / 1_000, ms % 1_000 / 10));
    }

    fn name(&self, nonce: Nonce) -> String {
        let place = self.nonces.iter().position(|known| *known == nonce);
        place.map_or_else(|| format!("foreign {}", nonce.0), |place| (place + 1).to_string())
    }

    fn instrument(&self, id: InstrumentId) -> &Instrument {
        &self.instruments[usize::from(id.0)]
    }

    fn leg(&self, leg: &Leg) -> String {
        format!("{:?} {} {}", leg.side, leg.amount, self.instrument(leg.instrument).name)
    }

    /// Writes down what risk says, except to the auction.
    fn tell(&mut self, out: &mut Out, said: &mut String) {
        for granted in out.orders.drain() {
            self.tell_granted(&granted, said);
        }
        let urgent: Vec<Urgent> = out.urgent.drain().collect();
        for one in urgent {
            match one {
                Urgent::Ask { name, wish, .. } => {
                    self.nonces.push(name);
                    self.asked = Some(wish);
                    self.asks += 1;
                    let legs: Vec<String> = wish.legs.iter().map(|leg| self.leg(leg)).collect();
                    self.line(said, &format!("risk → gateway  RFQ {}: {}", self.name(name), legs.join(", ")));
                }
                Urgent::Unask { .. } => self.line(said, "risk → gateway  withdraw the RFQ"),
                Urgent::Stop { epoch } => self.line(said, &format!("risk → gateway  stop, epoch {}", epoch.0)),
                Urgent::Cancel { nonce, .. } => {
                    self.unanswered.push((nonce, Request::Cancel, None));
                    self.line(said, &format!("risk → gateway  cancel {}", self.name(nonce)));
                }
                Urgent::Reconcile { .. } => out.urgent.push(one),
            }
        }
        for notice in out.notices.drain() {
            self.tell_notice(&notice, said);
        }
    }

    fn tell_granted(&mut self, granted: &Granted, said: &mut String) {
        let text = match granted {
            Granted::Order(order) => {
                self.nonces.push(order.nonce());
                self.orders.push(OrderRow {
                    subaccount: SUB,
                    order_id: Uuid(order.nonce().0.into()),
                    nonce: order.nonce(),
                    instrument: order.instrument(),
                    side: order.side(),
                    price: order.price(),
                    amount: order.amount(),
                    filled: Amount::ZERO,
                    status: OrderStatus::Rejected,
                    updated_at: self.at,
                });
                let replaced = order.replaced().map(|old| old.nonce);
                let request = if replaced.is_some() { Request::Replace } else { Request::Place };
                self.unanswered.push((order.nonce(), request, replaced));
                let old = order
                    .replaced()
                    .map(|old| format!(", replacing {} at {} filled", self.name(old.nonce), old.filled));
                let (side, amount, price) = (order.side(), order.amount(), order.price());
                let what = self.instrument(order.instrument()).name;
                format!("order {}: {side:?} {amount} {what} @ {price}{}", self.nonces.len(), old.unwrap_or_default())
            }
            Granted::Execution(execution) => {
                self.nonces.push(execution.nonce());
                let deal = execution.deal();
                self.executing = Some(*deal);
                let cost = package_cost(&deal.legs);
                format!("execution {} of quote {}: cost {cost}", self.nonces.len(), deal.quote_id.0)
            }
            Granted::Milestone { .. } => return,
        };
        self.line(said, &format!("risk → signer   {text}"));
    }

    fn tell_notice(&mut self, notice: &Notice, said: &mut String) {
        match notice {
            Notice::Mode { mode, .. } => self.line(said, &format!("risk → ops      mode {mode:?}")),
            Notice::Alarm { alarm, .. } => self.line(said, &format!("risk → ops      ALARM {alarm:?}")),
            Notice::Phase { milestone, .. } => {
                let strikes: Vec<String> =
                    milestone.strikes.iter().filter(|strike| strike.is_positive()).map(ToString::to_string).collect();
                let strikes =
                    if strikes.is_empty() { String::new() } else { format!(", strikes {}", strikes.join("/")) };
                self.line(said, &format!("risk → ops      phase {}{strikes}", milestone.phase.name()));
            }
            Notice::Demand { demand, .. } => self.demand = Some(*demand),
            Notice::Sample { stats, .. } => {
                let refused: u64 = stats.refused.iter().sum();
                if refused > self.refused {
                    self.refused = refused;
                    self.line(said, &format!("risk            refused {refused} wishes so far: {:?}", stats.refused));
                }
            }
            Notice::Filled { .. } | Notice::Hedged { .. } => {}
        }
    }
}

/// What the venue says.
impl Play {
    fn snapshot(&mut self, said: &mut String) {
        let asked_at = self.at;
        self.at = self.at.plus(MS);
        let begin = Snapshot::Begin {
            subaccount: SUB,
            initial_margin: Cash::ZERO,
            maintenance_margin: Cash::ZERO,
            value: Cash::ZERO,
            liquidation: false,
        };
        let base = Cash::from_raw(i128::from(self.base.raw()) * 1_000_000_000);
        let collateral = [(self.book.base_currency, base), (self.book.cash_currency, self.cash)]
            .map(|(currency, amount)| Snapshot::Collateral { currency, amount });
        let positions = self.held.iter().filter(|(_, amount)| !amount.is_zero()).map(|(instrument, amount)| {
            let (instrument, amount) = (*instrument, *amount);
            Snapshot::Position { instrument, amount, mark: Price::ONE, unsettled: Cash::ZERO, funding: Cash::ZERO }
        });
        let rows =
            self.orders.iter().filter(|row| row.status == OrderStatus::Open).map(|row| Snapshot::OpenOrder(*row));
        let parts: Vec<Snapshot> = std::iter::once(begin).chain(collateral).chain(positions).chain(rows).collect();
        for part in parts.into_iter().chain([Snapshot::End { asked_at }]) {
            self.report(Report::Snapshot(part), said);
        }
    }

    fn nonce(&self, words: &Words<'_>) -> Result<Nonce, Failure> {
        let place: usize = words.first().parse()?;
        self.nonces.get(place.wrapping_sub(1)).copied().ok_or_else(|| format!("nothing is called {place}").into())
    }

    fn row(&mut self, nonce: Nonce) -> Result<&mut OrderRow, Failure> {
        let row = self.orders.iter_mut().find(|row| row.nonce == nonce);
        row.ok_or_else(|| format!("{} is no order", nonce.0).into())
    }

    fn answer(&mut self, answer: Answer, said: &mut String) {
        self.report(Report::Answer(answer), said);
    }

    /// `opens N [replaces=M]`: the venue takes an order; the one it replaces is cancelled by the same answer.
    fn opens(&mut self, words: &Words<'_>, said: &mut String) -> Result<(), Failure> {
        let nonce = self.nonce(words)?;
        let old = match words.get("replaces") {
            Some(place) => Some(self.nonces.get(place.parse::<usize>()? - 1).copied().ok_or("replaces what?")?),
            None => None,
        };
        self.accept(nonce, old, said)
    }

    fn accept(&mut self, nonce: Nonce, old: Option<Nonce>, said: &mut String) -> Result<(), Failure> {
        let row = self.row(nonce)?;
        row.status = OrderStatus::Open;
        let order = Some(*row);
        let mut cancelled = None;
        if let Some(old) = old {
            let row = self.row(old)?;
            row.status = OrderStatus::Cancelled;
            cancelled = Some(*row);
        }
        let request = if cancelled.is_some() { Request::Replace } else { Request::Place };
        self.answer(Answer { nonce, request, verdict: Verdict::Accepted, code: 0, order, cancelled }, said);
        Ok(())
    }

    fn cancelled(&mut self, nonce: Nonce, said: &mut String) -> Result<(), Failure> {
        let row = self.row(nonce)?;
        row.status = OrderStatus::Cancelled;
        let order = Some(*row);
        let (request, verdict) = (Request::Cancel, Verdict::Accepted);
        self.answer(Answer { nonce, request, verdict, code: 0, order, cancelled: None }, said);
        Ok(())
    }

    fn answer_all(&mut self, said: &mut String) -> Result<(), Failure> {
        for (nonce, request, old) in std::mem::take(&mut self.unanswered) {
            match request {
                Request::Cancel => self.cancelled(nonce, said)?,
                _ => self.accept(nonce, old, said)?,
            }
        }
        Ok(())
    }

    /// `refuses N code=.. to=place|replace|execute`.
    fn refuses(&mut self, words: &Words<'_>, said: &mut String) -> Result<(), Failure> {
        let nonce = self.nonce(words)?;
        let request = match words.get("to") {
            Some("replace") => Request::Replace,
            Some("execute") => Request::Execute,
            _ => Request::Place,
        };
        let code = words.number("code", "0")?;
        let answer = Answer { nonce, request, verdict: Verdict::Refused, code, order: None, cancelled: None };
        self.answer(answer, said);
        Ok(())
    }

    /// `fills N amount=..`: part of an order, or all of it, trades at its price.
    fn fills(&mut self, words: &Words<'_>, said: &mut String) -> Result<(), Failure> {
        let nonce = self.nonce(words)?;
        let amount: Amount = words.number("amount", "0")?;
        let row = self.row(nonce)?;
        row.filled += amount;
        if row.filled >= row.amount {
            row.status = OrderStatus::Filled;
        }
        let row = *row;
        let priced = PricedLeg { leg: Leg { instrument: row.instrument, side: row.side, amount }, price: row.price };
        self.book_fill(nonce, priced, said);
        self.report(Report::Order(row), said);
        Ok(())
    }

    fn book_fill(&mut self, nonce: Nonce, priced: PricedLeg, said: &mut String) {
        let PricedLeg { leg: Leg { instrument, side, amount }, price } = priced;
        let signed = if side == Side::Buy { amount } else { -amount };
        if instrument == BASE {
            self.base += signed;
        } else {
            match self.held.iter_mut().find(|(id, _)| *id == instrument) {
                Some((_, held)) => *held += signed,
                None => self.held.push((instrument, signed)),
            }
        }
        self.cash -= price.times(signed);
        self.trades += 1;
        let fill = Fill {
            subaccount: SUB,
            trade_id: Uuid(self.trades),
            order_id: Uuid(nonce.0.into()),
            nonce,
            instrument,
            side,
            price,
            amount,
            fee: Cash::ZERO,
            maker: true,
            mark: price,
            venue_at: self.at,
        };
        self.report(Report::Fill(fill), said);
    }

    /// `rfq open|cancelled|expired`: the venue's word about the last request for quotes.
    fn rfq(&mut self, status: RfqStatus, said: &mut String) -> Result<(), Failure> {
        let name = self.nonces.iter().rev().find(|nonce| !self.orders.iter().any(|row| row.nonce == **nonce));
        let row = RfqRow {
            subaccount: SUB,
            name: *name.ok_or("nothing was asked for")?,
            rfq_id: Uuid(self.asks),
            status,
            created_at: self.at,
            valid_until: self.at.plus(600 * SEC),
            filled: if status == RfqStatus::Filled { Ratio::ONE } else { Ratio::ZERO },
        };
        self.report(Report::Rfq(row), said);
        Ok(())
    }

    /// `quote ID maker=.. prices=A/B`: per leg, in the order asked for.
    fn quote(&mut self, words: &Words<'_>, said: &mut String) -> Result<(), Failure> {
        let wish = self.asked.ok_or("nothing was asked for")?;
        let (one, other) = words.get("prices").and_then(|text| text.split_once('/')).ok_or("prices=A/B")?;
        let priced = |place: usize, text: &str| -> Result<PricedLeg, Failure> {
            Ok(PricedLeg { leg: wish.legs[place], price: text.parse()? })
        };
        let gone = words.get("status") == Some("cancelled");
        let row = QuoteRow {
            rfq_id: Uuid(self.asks),
            quote_id: Uuid(words.first().parse()?),
            maker: words.number("maker", "1")?,
            direction: Side::Sell,
            status: if gone { RfqStatus::Cancelled } else { RfqStatus::Open },
            filled: Ratio::ONE,
            created_at: self.at,
            legs: [priced(0, one)?, priced(1, other)?],
            fee: None,
        };
        self.report(Report::Quote(row), said);
        Ok(())
    }

    /// `executes N`: the venue takes an execution, closes the request and books both legs.
    fn executes(&mut self, words: &Words<'_>, said: &mut String) -> Result<(), Failure> {
        let nonce = self.nonce(words)?;
        let deal = self.executing.ok_or("nothing is being executed")?;
        let verdict = Verdict::Accepted;
        let answer = Answer { nonce, request: Request::Execute, verdict, code: 0, order: None, cancelled: None };
        self.answer(answer, said);
        let row = RfqRow {
            subaccount: SUB,
            name: Nonce(0),
            rfq_id: deal.rfq_id,
            status: RfqStatus::Filled,
            created_at: self.at,
            valid_until: self.at,
            filled: Ratio::ONE,
        };
        self.report(Report::Rfq(row), said);
        for leg in deal.legs {
            self.book_fill(nonce, leg, said);
        }
        Ok(())
    }

    /// `settles cash=..`: the options are gone, their payoff is booked.
    fn settles(&mut self, words: &Words<'_>, said: &mut String) -> Result<(), Failure> {
        self.held.clear();
        self.cash += words.number::<Cash>("cash", "0")?;
        self.snapshot(said);
        Ok(())
    }

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
