//! Option vaults whose engine is killed at every stage of the week, without a goodbye, and started again from its
//! journal or from nothing: it resumes the phase with the clock that was running, sends nothing twice, leaves nothing of
//! the dead engine behind, and the week ends as it should.

use keel::base::ids::{Side, SubaccountId};
use keel::base::num::{Cash, Price, Ratio};
use keel::base::time::{Nanos, SEC};
use keel::engine::journal::{LegRecord, MilestoneRecord, OrderRecord, Replay};
use keel::exchange::TradeReport;
use keel::exchange::world::WorldSettings;
use keel::exchange::world::weeks::Shape;
use keel::msg::{Milestone, OptionValue, Phase, Value};
use keel::sim::record::Record;
use keel::sim::venue::faults::Faults;
use keel::sim::venue::{Fate, Said};
use keel::sim::weeks::{Run, Terms, Vault};
use keel::strategy::options::limit_auction;
use keel::strategy::options::params::AuctionTerms;
use keel::strategy::options::schedule::{collateral_price, unit_limit};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use std::collections::BTreeSet;

/// A stretch of a run that takes longer than this in virtual time does not happen in a week.
const STRIDES_MAX: u32 = 200_000;

/// A vault's week with deaths in it.
struct Life {
    run: Run,
}

fn price(text: Decimal) -> Price {
    text.round_dp(9).to_string().parse().expect("venue price")
}

impl Life {
    fn begin(vault: Vault, seed: u64) -> Life {
        let market = if vault == Vault::SafeHarvest { Shape::Wild } else { Shape::Flat };
        let terms = Terms { vault, weeks: 1, seed, market };
        let mut run = Run::begin(&terms, WorldSettings::weeks(seed, market)).expect("a vault of ours");
        run.rig.venue.keep_tape();
        Life { run }
    }

    fn now(&self) -> Nanos {
        self.run.rig.venue.now()
    }

    fn stride(&mut self) {
        self.run.stride(&mut |_| {});
    }

    /// Goes on until something is true.
    fn until(&mut self, what: &str, mut is_so: impl FnMut(&Run) -> bool) {
        for _ in 0..STRIDES_MAX {
            if is_so(&self.run) {
                return;
            }
            assert!(self.run.goes_on(), "the run is over before {what}: {:?}", self.run.record().stages);
            self.stride();
        }
        panic!("never: {what}");
    }

    fn reach(&mut self, phase: Phase) {
        self.until(phase.name(), |run| run.phase() == phase);
    }

    fn journaled(&self) -> Milestone {
        let mut replay = Replay::default();
        self.run.rig.journal().iter().for_each(|record| replay.visit(record));
        replay.notes().milestone(SubaccountId(self.run.rig.subaccount())).expect("a phase on record")
    }

    /// Milestones on record so far.
    fn milestones(&self) -> usize {
        let records = self.run.rig.journal();
        records.iter().filter(|record| MilestoneRecord::read(*record).is_some()).count()
    }

    fn kill(&mut self) {
        self.run.rig.kill();
    }

    /// The venue goes on alone for so long.
    fn leave_alone(&mut self, seconds: u64) {
        let end = self.now().plus(seconds * SEC);
        while self.now() < end {
            self.stride();
        }
    }

    /// Starts an engine and waits until it has said which phase it is in; that phase.
    fn resume(&mut self) -> Milestone {
        let before = self.milestones();
        self.run.rig.start().expect("it started once");
        let again = self.now();
        self.until("a phase after the restart", |run| {
            let records = run.rig.journal();
            let phases = records.iter().filter(|record| MilestoneRecord::read(*record).is_some());
            phases.count() > before
        });
        assert!(self.now().since(again) <= 10 * SEC, "it took {} s to come back", self.now().since(again) / SEC);
        self.journaled()
    }

    fn restart(&mut self, seconds: u64) -> Milestone {
        self.kill();
        self.leave_alone(seconds);
        self.resume()
    }

    fn trades(&self) -> Vec<TradeReport> {
        self.run.rig.venue.exchange.trades_of(self.run.rig.subaccount())
    }

    fn option_trades(&self) -> Vec<TradeReport> {
        self.trades().into_iter().filter(|trade| !trade.instrument.ends_with("-USDC")).collect()
    }

    /// What the vault has paid for options, fees included.
    fn paid(&self) -> Cash {
        let paid: Decimal = self.option_trades().iter().map(|t| t.price * t.amount * sign(t.buy) + t.fee).sum();
        paid.to_string().parse().expect("number")
    }

    fn open_orders(&self) -> usize {
        self.run.rig.venue.report(self.run.rig.subaccount()).expect("the vault's account").open_orders
    }

    fn open_rfqs(&self) -> usize {
        self.run.rig.venue.exchange.house_rfqs().len()
    }

    fn base(&self) -> Decimal {
        let report = self.run.rig.venue.report(self.run.rig.subaccount()).expect("the vault's account");
        report.balances[self.run.record().collateral.as_str()]
    }

    /// To the week's end, and what must hold then.
    fn finish(mut self) -> Record {
        while self.run.goes_on() {
            self.stride();
        }
        self.holds();
        let record = self.run.finish();
        assert_eq!(record.violations, Vec::<String>::new(), "{:#?}", record.stages);
        assert_eq!(record.weeks.len(), 1, "{:#?}", record.stages);
        record
    }

    /// Nothing twice: no name is used again, no quote is executed again, what is short is covered.
    fn holds(&self) {
        let tape = self.run.rig.venue.tape();
        let names = names_sent(tape);
        assert!(
            names.windows(2).all(|pair| pair[0] < pair[1]),
            "names of orders and executions do not rise: {names:?}"
        );
        let trades = self.option_trades();
        let mut executed = BTreeSet::new();
        for trade in trades.iter().filter(|trade| trade.quote.is_some()) {
            assert!(executed.insert((trade.quote, trade.instrument.clone())), "executed twice: {trade:?}");
        }
        let short: Decimal = trades.iter().filter(|trade| !trade.buy).map(|trade| trade.amount).sum();
        assert!(short <= self.base(), "{short} options were sold on {}", self.base());
    }
}

/// The engine's requests of some methods that the venue has received.
fn sent<'a>(tape: &'a [Said], methods: &'a [&str]) -> impl Iterator<Item = &'a Said> {
    let named = |said: &&Said| methods.iter().any(|method| said.text.contains(&format!("\"{method}\"")));
    tape.iter().filter(|said| said.by_engine).filter(named)
}

/// Names of orders, replacements and executions the venue has received, in the order of their arrival.
fn names_sent(tape: &[Said]) -> Vec<u64> {
    let named = sent(tape, &["private/order", "private/replace", "private/execute_quote"]);
    named.map(name).collect()
}

fn name(said: &Said) -> u64 {
    let text: serde_json::Value = serde_json::from_str(&said.text).expect("the engine speaks JSON");
    let nonce = &text["params"]["nonce"];
    let name = nonce.as_u64().or_else(|| nonce.as_str().and_then(|digits| digits.parse().ok()));
    name.unwrap_or_else(|| panic!("no name: {}", said.text))
}

fn requests(tape: &[Said], method: &str) -> usize {
    sent(tape, &[method]).count()
}

/// The first limit demanded after a moment, with the mark it was worked out from, and when.
fn first_demand(life: &Life, after: Nanos) -> Option<(Nanos, Decimal, Decimal)> {
    let auction = life.run.record().auctions.last()?;
    let demand = auction.demands.iter().find(|demand| demand.at_ms > after.ms())?;
    Some((Nanos(demand.at_ms * 1_000_000), demand.limit.abs(), demand.mark.abs()))
}

/// What a call must fetch at a moment of an auction that began at another, from the venue's own marks.
fn call_limit(life: &Life, milestone: &Milestone, began: Nanos, at: Nanos) -> f64 {
    let rig = &life.run.rig;
    let AuctionTerms::Limit(terms) = rig.plan().params.auction else { panic!("a covered call") };
    let held = rig.venue.report(rig.subaccount()).expect("the vault's account").positions;
    let name = held.keys().find(|name| name.ends_with("-C")).expect("partly sold");
    let mark = rig.venue.exchange.option_mark(name).expect("listed");
    let option = OptionValue {
        mark_iv: Ratio::from_raw((mark.vol * 1e9) as i64),
        forward: price(mark.forward),
        discount: Ratio::ONE,
        delta: Ratio::ZERO,
    };
    let value = Value { mark: price(mark.price), option: Some(option), ..Value::default() };
    let place = (0..u16::MAX).map(keel::base::ids::InstrumentId);
    let listed = place.filter_map(|id| rig.instrument(id)).find(|one| one.name.as_str() == name).expect("listed");
    let seconds = milestone.expiry_s as i64 - at.secs() as i64;
    limit_auction::ask(&terms, listed, &value, at.since(began), seconds).expect("priced").price.to_f64()
}

fn close(one: f64, other: f64, share: f64) -> bool {
    (one - other).abs() <= share * other.abs()
}

#[test]
fn a_covered_call_survives_a_death_at_every_stage() {
    let mut life = Life::begin(Vault::Harvest, 7);
    life.reach(Phase::CollateralOnly);
    assert_eq!(life.restart(30).phase, Phase::CollateralOnly);

    // Partly sold, with an order resting that may fill while nobody looks.
    life.reach(Phase::OptionAuction);
    let began = life.journaled();
    life.until("a fill beside a resting order", |run| {
        let trades = run.rig.venue.exchange.trades_of(run.rig.subaccount());
        let open = run.rig.venue.report(run.rig.subaccount()).is_some_and(|report| report.open_orders == 1);
        open && !trades.is_empty()
    });
    life.kill();
    life.leave_alone(45);
    assert_eq!(life.open_orders(), 0, "what rested dies with the session that placed it");
    assert_eq!(life.resume(), began);
    assert_eq!(life.open_orders(), 0, "the dead engine's order is cancelled before anything else is done");
    limit_follows_the_first_clock(&mut life, &began);

    // Journaled, signed, and never sent.
    life.run.rig.venue.stop_at("private/replace", Fate::Lost);
    life.until("a replacement", |run| run.rig.venue.is_stopped());
    let records = life.run.rig.journal();
    let last = records.iter().filter_map(|record| OrderRecord::read(record)).map(|order| order.nonce.0).max();
    assert!(last > names_sent(life.run.rig.venue.tape()).last().copied(), "its name was spent and not sent");
    assert_eq!(life.restart(2), began);
    life.until("a new order", |run| names_sent(run.rig.venue.tape()).last().copied() > last);

    // Sent and taken, the answer never heard.
    life.run.rig.venue.stop_at("private/replace", Fate::Delivered);
    life.until("a replacement", |run| run.rig.venue.is_stopped());
    assert_eq!(life.restart(1), began);
    assert_eq!(life.open_orders(), 0);

    life.reach(Phase::AwaitSettlement);
    let waiting = life.journaled();
    assert_eq!(life.restart(5), waiting);
    spot_auction_survives(life, &waiting);
}

/// The engine dies before the expiry and again in the collateral auction; then the week ends.
fn spot_auction_survives(mut life: Life, waiting: &Milestone) {
    let expiry = Nanos(waiting.expiry_s * SEC);
    life.until("the last minute", |run| run.rig.venue.now().plus(60 * SEC) >= expiry);
    assert_eq!(life.restart(600), *waiting, "what was settled meanwhile is waited for until the auction is due");
    life.reach(Phase::SpotAuction);
    let began = life.journaled();
    life.kill();
    life.leave_alone(4);
    let trades = life.trades().len();
    assert_eq!(life.resume(), began);
    let back = life.now();
    life.until("a demand", |run| {
        let demands = run.record().auctions.last().map_or(&[][..], |auction| &auction.demands);
        demands.iter().any(|demand| demand.at_ms >= back.ms()) || run.phase() == Phase::CollateralOnly
    });
    if let Some((at, limit, mark)) = first_demand(&life, Nanos(back.0 - 1_000_000)) {
        let terms = life.run.rig.plan().params.collateral;
        let due = collateral_price(&terms, Side::Buy, price(mark), at.since(began.started_at)).to_f64();
        let anew = collateral_price(&terms, Side::Buy, price(mark), at.since(back)).to_f64();
        let (limit, tick) = (limit.to_f64().expect("finite"), life.run.rig.base().tick.to_f64());
        assert!((limit - due).abs() <= tick, "{limit} was bid, {due} was due");
        assert!((limit - anew).abs() > tick, "a clock begun anew would have bid {anew}");
    }
    assert!(life.trades().len() >= trades);
    life.finish();
}

/// The first limit after a restart is what the auction's own clock asks, not what a new one would.
fn limit_follows_the_first_clock(life: &mut Life, began: &Milestone) {
    let back = life.now();
    life.until("a demand", |run| {
        let demands = run.record().auctions.last().map_or(&[][..], |auction| &auction.demands);
        demands.iter().any(|demand| demand.at_ms > back.ms())
    });
    let (at, limit, _) = first_demand(life, back).expect("just seen");
    let limit = limit.to_f64().expect("finite");
    let due = call_limit(life, began, began.started_at, at);
    let anew = call_limit(life, began, back, at);
    assert!(close(limit, due, 0.01), "{limit} was asked, {due} was due");
    let (off, off_anew) = ((limit - due).abs(), (limit - anew).abs());
    assert!(off < off_anew, "a clock begun anew would have asked {anew}, as near to {limit} as {due}");
}

#[test]
fn a_spread_survives_a_death_at_every_stage() {
    let mut life = Life::begin(Vault::SafeHarvest, 7);
    life.reach(Phase::CollateralOnly);
    life.run.rig.lose_journal();
    assert_eq!(life.restart(30).phase, Phase::CollateralOnly);

    life.reach(Phase::OptionAuction);
    let began = life.journaled();
    let opened = dies_in_the_freeze(&mut life, &began);
    dies_with_an_execution_taken(&mut life, &began);
    dies_with_an_execution_unsent(&mut life, &began);
    assert!(requests(life.run.rig.venue.tape(), "private/send_rfq") > opened);

    life.reach(Phase::AwaitSettlement);
    let waiting = life.journaled();
    life.run.rig.lose_journal();
    let again = life.restart(5);
    assert_eq!((again.phase, again.expiry_s, again.strikes), (waiting.phase, waiting.expiry_s, waiting.strikes));
    spot_auction_survives(life, &again);
}

/// Returns how often quotes were asked for until then.
fn dies_in_the_freeze(life: &mut Life, began: &Milestone) -> usize {
    life.until("quotes within the freeze", |run| {
        let rfqs = run.rig.venue.exchange.house_rfqs();
        rfqs.iter().any(|rfq| run.rig.venue.now().since(rfq.created_at) >= 5 * SEC)
    });
    let asked = requests(life.run.rig.venue.tape(), "private/send_rfq");
    life.kill();
    life.leave_alone(3);
    assert_eq!(life.open_rfqs(), 1, "the venue keeps the request open");
    assert_eq!(life.resume(), *began);
    assert_eq!(life.open_rfqs(), 0, "the dead engine's request is withdrawn before anything else is done");
    asked
}

/// The venue has executed, and nobody was there to hear it.
fn dies_with_an_execution_taken(life: &mut Life, began: &Milestone) {
    let before = life.option_trades().len();
    life.run.rig.venue.stop_at("private/execute_quote", Fate::Delivered);
    life.until("an execution", |run| run.rig.venue.is_stopped());
    assert_eq!(life.option_trades().len(), before + 2, "both legs are booked");
    let died = life.now();
    assert_eq!(life.restart(2), *began);
    lot_price_follows_its_request(life, died);
}

/// Journaled, signed, and never sent.
fn dies_with_an_execution_unsent(life: &mut Life, began: &Milestone) {
    life.run.rig.venue.stop_at("private/execute_quote", Fate::Lost);
    life.until("an execution", |run| run.rig.venue.is_stopped());
    let trades = life.option_trades().len();
    let legs: Vec<LegRecord> = life.run.rig.journal().iter().filter_map(|record| LegRecord::read(record)).collect();
    let unsent = legs.last().expect("on record before it may leave").nonce.0;
    assert!(!names_sent(life.run.rig.venue.tape()).contains(&unsent));
    assert_eq!(life.restart(2), *began);
    assert_eq!(life.option_trades().len(), trades);
    life.until("the next execution", |run| names_sent(run.rig.venue.tape()).last().is_some_and(|name| *name > unsent));
}

/// The limit of a lot is worked out from the opening of its own request.
fn lot_price_follows_its_request(life: &mut Life, died: Nanos) {
    let back = life.now();
    life.until("a demand", |run| {
        let demands = run.record().auctions.last().map_or(&[][..], |auction| &auction.demands);
        demands.iter().any(|demand| demand.at_ms > back.ms()) && !run.rig.venue.exchange.house_rfqs().is_empty()
    });
    let (at, limit, mark) = first_demand(life, back).expect("just seen");
    let opened_at = life.run.rig.venue.exchange.house_rfqs()[0].created_at;
    assert!(opened_at > died, "the dead engine's request is still open");
    let AuctionTerms::Rfq(terms) = life.run.rig.plan().params.auction else { panic!("a spread") };
    let due = -unit_limit(&terms, -price(mark), at.since(opened_at)).to_f64();
    assert!(close(limit.to_f64().expect("finite"), due, 0.005), "{limit} was asked, {due} was due");
}

/// The journal saves time and nothing else: what is held tells the phase, and the calendar its clock.
#[test]
fn an_empty_journal_costs_nothing_but_a_choice() {
    let mut life = Life::begin(Vault::Harvest, 11);
    life.reach(Phase::OptionAuction);
    let began = life.journaled();
    life.until("a fill", |run| !run.rig.venue.exchange.trades_of(run.rig.subaccount()).is_empty());
    life.kill();
    life.run.rig.lose_journal();
    life.leave_alone(20);
    let again = life.resume();
    assert_eq!((again.phase, again.expiry_s, again.strikes), (began.phase, began.expiry_s, began.strikes));
    assert!(began.started_at.since(again.started_at) <= 2 * SEC && again.started_at <= began.started_at);
    assert_eq!(life.open_orders(), 0);
    limit_follows_the_first_clock(&mut life, &began);
    life.reach(Phase::AwaitSettlement);
    life.holds();
    let sold: Decimal = life.option_trades().iter().map(|trade| trade.amount).sum();
    assert_eq!(sold, life.base(), "everything is sold, and no more");
}

/// A buyer that has forgotten its budget buys nothing more: what it spent cannot be told from what it holds.
#[test]
fn a_buyer_without_a_journal_waits() {
    let mut life = Life::begin(Vault::Bull, 3);
    life.reach(Phase::OptionAuction);
    let began = life.journaled();
    life.run.rig.venue.stop_at("private/execute_quote", Fate::Delivered);
    life.until("an execution", |run| run.rig.venue.is_stopped());
    let again = life.restart(2);
    assert!(again.is_same(&began), "with its journal it goes on within its budget: {again:?}");
    assert!(again.spent >= life.paid() && again.units.is_positive(), "{} is not all of {}", again.spent, life.paid());
    life.run.rig.venue.stop_at("private/execute_quote", Fate::Delivered);
    life.until("another execution, or the end", |run| {
        run.rig.venue.is_stopped() || run.phase() == Phase::AwaitSettlement
    });
    life.kill();
    life.run.rig.lose_journal();
    life.leave_alone(2);
    let held = life.option_trades().len();
    let again = life.resume();
    assert_eq!((again.phase, again.expiry_s), (Phase::AwaitSettlement, began.expiry_s));
    for _ in 0..120 {
        life.stride();
    }
    assert_eq!(life.option_trades().len(), held);
    life.holds();
    assert!(life.paid() <= began.budget, "{} spent of {}", life.paid(), began.budget);
}

fn sign(buy: bool) -> Decimal {
    if buy { Decimal::ONE } else { Decimal::NEGATIVE_ONE }
}

/// Texts are lost, doubled and late, and the session is cut, for a whole auction: once that ends, nothing was sold twice
/// and the week goes on.
fn heals(vault: Vault, seed: u64) {
    let mut life = Life::begin(vault, seed);
    life.reach(Phase::OptionAuction);
    life.run.rig.venue.mistreat(Some(Faults::of_replies(seed)));
    for second in 0..240u64 {
        if (second * 7 + seed).is_multiple_of(41) {
            life.run.rig.venue.cut_private();
        }
        life.stride();
        life.holds();
    }
    life.run.rig.venue.mistreat(None);
    life.reach(Phase::AwaitSettlement);
    life.holds();
    assert_eq!((life.open_orders(), life.open_rfqs()), (0, 0));
    assert_eq!(life.run.record().violations, Vec::<String>::new(), "{} {seed}", vault.name());
}

#[test]
fn a_call_heals_what_is_lost_doubled_or_late() {
    (1..3).for_each(|seed| heals(Vault::Harvest, seed));
}

#[test]
fn a_spread_heals_what_is_lost_doubled_or_late() {
    heals(Vault::SafeHarvest, 7);
}
