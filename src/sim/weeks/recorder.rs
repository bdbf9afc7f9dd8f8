//! Writes down what a simulated vault went through: what risk says, beside the venue's own books.

use super::checks::Checks;
use super::{FIRST_EXPIRY_S, Terms, WEEK_S};
use crate::actors::risk::{Alarm, Notice, Stats};
use crate::base::ids::{Nonce, Side};
use crate::base::num::{Amount, Cash, Price};
use crate::base::time::{Nanos, SEC};
use crate::exchange::SubaccountReport;
use crate::market::instrument::{Instrument, Kind};
use crate::msg::{Demand, Fill, Milestone, Mode, Phase};
use crate::risk::option_checks::OPTION_CHECKS;
use crate::sim::record::{Auction, Concern, DemandPoint, FillPoint, PricePoint, Record, Stage, ValuePoint, Week};
use crate::sim::rig::Rig;
use alloy_primitives::keccak256;
use rust_decimal::Decimal;

/// Spacing of recorded prices.
const PRICE_NS: u64 = 600 * SEC;
/// Spacing of recorded values.
const VALUE_NS: u64 = 3_600 * SEC;
/// How long after the collateral auction was due a week without an auction is written down.
const IDLE_S: u64 = 3_000;

/// What the venue took for options traded in the week that ends at an expiry.
fn option_fees(rig: &Rig, expiry_s: u64) -> Decimal {
    let week_ms = expiry_s.saturating_sub(WEEK_S) * 1_000..expiry_s * 1_000;
    let trades = rig.venue.exchange.trades_of(rig.subaccount());
    let options = trades.iter().filter(|trade| trade.instrument.ends_with("-C") || trade.instrument.ends_with("-P"));
    options.filter(|trade| week_ms.contains(&trade.at_ms)).map(|trade| trade.fee).sum()
}

/// A house number as an exact decimal.
pub(super) fn decimal(raw: i128, digits: u32) -> Decimal {
    Decimal::try_from_i128_with_scale(raw, digits).map_or(Decimal::MAX, |number| number.normalize())
}

pub(super) fn price(price: Price) -> Decimal {
    decimal(i128::from(price.raw()), 9)
}

pub(super) fn amount(amount: Amount) -> Decimal {
    decimal(i128::from(amount.raw()), 9)
}

fn cash(cash: Cash) -> Decimal {
    // Micro-dollars are enough to read, and keep within the decimal's range.
    decimal(cash.raw() / 1_000_000_000_000, 6)
}

/// A moment for people, to the second.
fn utc(at: Nanos) -> String {
    let moment = jiff::Timestamp::from_second(i64::try_from(at.secs()).unwrap_or(i64::MAX));
    moment.map_or_else(|_| at.secs().to_string(), |moment| moment.to_string())
}

/// One package under execution: its legs' fills so far.
#[derive(Clone, Copy, Debug)]
struct Package {
    nonce: Nonce,
    legs: [Option<Fill>; 2],
}

/// The venue's books when a phase began.
#[derive(Clone, Debug, Default)]
pub(super) struct Books {
    pub cash: Decimal,
    pub base: Decimal,
    pub fees: Decimal,
    pub interest: Decimal,
}

impl Books {
    fn of(report: &SubaccountReport, collateral: &str) -> Books {
        let balance = |name: &str| report.balances.get(name).copied().unwrap_or_default();
        Books {
            cash: balance("USDC"),
            base: balance(collateral),
            fees: report.fees_paid,
            interest: -report.interest_paid,
        }
    }
}

/// The record in the making.
pub(crate) struct Recorder {
    record: Record,
    phase: Phase,
    week: Option<Week>,
    books: Books,
    package: Option<Package>,
    premium_at_mark: Decimal,
    checks: Checks,
    collateral: &'static str,
    currency: &'static str,
    prices_due: Nanos,
    values_due: Nanos,
    spot_delay_s: u64,
    weeks: u32,
}

impl Recorder {
    pub(crate) fn new(terms: &Terms, rig: &Rig) -> Recorder {
        let scene = terms.vault.scene();
        let record = Record {
            vault: terms.vault.name().to_owned(),
            market: terms.market.name().to_owned(),
            seed: terms.seed,
            collateral: scene.collateral.to_owned(),
            currency: scene.currency.to_owned(),
            start_s: terms.start().secs(),
            deposited: scene.deposit.parse().unwrap_or_default(),
            ..Record::default()
        };
        Recorder {
            record,
            phase: Phase::Boot,
            week: None,
            books: Books::default(),
            package: None,
            premium_at_mark: Decimal::ZERO,
            checks: Checks::new(rig.plan()),
            collateral: scene.collateral,
            currency: scene.currency,
            prices_due: Nanos::ZERO,
            values_due: Nanos::ZERO,
            spot_delay_s: rig.plan().params.week.spot_delay_s,
            weeks: terms.weeks,
        }
    }

    /// The phase last entered.
    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    /// The record so far.
    pub(crate) fn record(&self) -> &Record {
        &self.record
    }

    /// Takes one notice.
    pub(crate) fn hear(&mut self, rig: &Rig, notice: &Notice, watch: &mut dyn FnMut(&Stage)) {
        match notice {
            Notice::Phase { at, milestone, .. } => self.on_phase(rig, *at, milestone, watch),
            Notice::Demand { at, demand, .. } => self.on_demand(*at, demand),
            Notice::Filled { fill, .. } => self.on_fill(rig, fill),
            Notice::Alarm { alarm, .. } => self.on_alarm(rig.venue.now(), alarm),
            Notice::Mode { mode: Mode::Halted, .. } => {
                self.violation(rig.venue.now(), "the vault halted".to_owned());
            }
            Notice::Sample { stats, .. } => self.note_refused(stats),
            Notice::Mode { .. } | Notice::Hedged { .. } | Notice::Settlement { .. } | Notice::Capital { .. } => {}
        }
    }

    /// What is written down because time passed.
    pub(crate) fn look(&mut self, rig: &mut Rig) {
        let now = rig.venue.now();
        self.checks.note_rfqs(rig);
        self.note_idle_week(rig, now);
        if now >= self.prices_due {
            self.prices_due = now.plus(PRICE_NS);
            self.record.prices.push(PricePoint { at_s: now.secs(), price: rig.venue.spot(self.currency) });
        }
        if now >= self.values_due
            && let Some(report) = rig.venue.report(rig.subaccount())
        {
            self.values_due = now.plus(VALUE_NS);
            let price = rig.venue.spot(self.collateral);
            let value = if price.is_zero() { Decimal::ZERO } else { (report.value / price).round_dp(9) };
            let holding_usd = (self.record.deposited * price).round_dp(6);
            self.record.values.push(ValuePoint { at_s: now.secs(), value, value_usd: report.value, holding_usd });
            if let Some(wrong) = self.checks.coverage(&report, self.collateral) {
                self.violation(now, wrong);
            }
        }
    }

    /// By row, and those of the mandate by the contract's names too.
    fn note_refused(&mut self, stats: &Stats) {
        let rows = OPTION_CHECKS.iter().zip(stats.refused).filter(|(_, count)| *count > 0);
        self.record.refused = rows.map(|(check, count)| (check.name, count)).chain(stats.reverts.iter()).collect();
    }

    fn violation(&mut self, at: Nanos, what: String) {
        let text = format!("{}: {what}", utc(at));
        if !self.record.violations.contains(&text) {
            self.record.violations.push(text);
        }
    }

    fn on_alarm(&mut self, at: Nanos, alarm: &Alarm) {
        let what = match alarm {
            Alarm::Concern(concern) => concern.name().to_owned(),
            other => {
                self.violation(at, format!("alarm: {other:?}"));
                format!("{other:?}")
            }
        };
        self.record.concerns.push(Concern { at_ms: at.ms(), what });
    }

    fn on_phase(&mut self, rig: &Rig, at: Nanos, milestone: &Milestone, watch: &mut dyn FnMut(&Stage)) {
        let report = rig.venue.report(rig.subaccount()).unwrap_or_default();
        let books = Books::of(&report, self.collateral);
        let again = self.phase == milestone.phase;
        if milestone.phase == Phase::SpotAuction {
            self.checks.begin_spot(milestone);
        }
        match milestone.phase {
            Phase::OptionAuction => self.begin_week(rig, milestone, &books),
            Phase::SpotAuction if !again => self.settle_week(rig, at, milestone, &books),
            Phase::CollateralOnly if !again => self.end_week(rig, at, &books),
            _ => {}
        }
        if !again && matches!(milestone.phase, Phase::OptionAuction | Phase::SpotAuction) {
            self.record.auctions.push(Auction {
                phase: milestone.phase.name().to_owned(),
                week: self.week.as_ref().map_or(0, |week| week.week),
                started_ms: milestone.started_at.ms(),
                ..Auction::default()
            });
        }
        self.phase = milestone.phase;
        let what = self.describe(milestone, &books);
        let stage = Stage { at_ms: at.ms(), phase: milestone.phase.name().to_owned(), what };
        watch(&stage);
        self.record.stages.push(stage);
    }

    fn describe(&self, milestone: &Milestone, books: &Books) -> String {
        let strikes: Vec<String> =
            milestone.strikes.iter().filter(|strike| strike.is_positive()).map(ToString::to_string).collect();
        let held =
            format!("{} {}, {} USDC", books.base.round_dp(4).normalize(), self.collateral, books.cash.round_dp(2));
        match (milestone.phase, strikes.is_empty()) {
            (Phase::OptionAuction, _) if milestone.budget.is_positive() => {
                format!("strikes {}, budget {} USDC, {held}", strikes.join("/"), cash(milestone.budget).round_dp(2))
            }
            (Phase::OptionAuction | Phase::AwaitSettlement, false) => format!("strikes {}, {held}", strikes.join("/")),
            _ => held,
        }
    }

    fn begin_week(&mut self, rig: &Rig, milestone: &Milestone, books: &Books) {
        let number = (milestone.expiry_s.saturating_sub(FIRST_EXPIRY_S) / WEEK_S) as u32;
        // A restart, or another choice of strikes, goes on with the week it finds.
        let begun = self.week.take().filter(|week| week.expiry_s == milestone.expiry_s);
        if begun.is_none() {
            self.books = books.clone();
            self.premium_at_mark = Decimal::ZERO;
        }
        // An auction that sold nothing may be tried again in the same week.
        if self.record.weeks.last().is_some_and(|last| last.week == number && last.units.is_zero()) {
            self.record.weeks.pop();
        }
        let mut week = begun.unwrap_or_default();
        week.week = number;
        week.expiry_s = milestone.expiry_s;
        week.strikes = milestone.strikes.iter().filter(|strike| strike.is_positive()).map(|s| price(*s)).collect();
        week.index_at_auction = rig.venue.spot(self.currency);
        week.budget = cash(milestone.budget);
        let (delta, ratio, mark) = self.checks.choice(rig, milestone);
        (week.delta, week.ratio) = (delta, ratio);
        week.units_wanted = if milestone.budget.is_positive() && mark.is_sign_positive() && !mark.is_zero() {
            (week.budget / mark).round_dp(4)
        } else {
            books.base
        };
        self.week = Some(week);
    }

    /// A week in which no auction began has its row too, once its collateral auction would be over.
    fn note_idle_week(&mut self, rig: &Rig, now: Nanos) {
        let number = self.record.weeks.last().map_or(1, |week| week.week + 1);
        let expiry_s = FIRST_EXPIRY_S + u64::from(number) * WEEK_S;
        let over_s = expiry_s + self.spot_delay_s + IDLE_S;
        if self.week.is_some() || number > self.weeks || now.secs() < over_s {
            return;
        }
        let books = Books::of(&rig.venue.report(rig.subaccount()).unwrap_or_default(), self.collateral);
        let settlement = rig.venue.exchange.settlement_price(self.currency, expiry_s).unwrap_or_default();
        self.books = books.clone();
        self.week = Some(Week { week: number, expiry_s, settlement, ..Week::default() });
        self.end_week(rig, now, &books);
    }

    fn on_demand(&mut self, at: Nanos, demand: &Demand) {
        let sign = self.checks.sign(demand.phase);
        let point = DemandPoint {
            at_ms: at.ms(),
            limit: sign * price(demand.limit),
            mark: sign * price(demand.mark),
            best: demand.best.map(|best| sign * price(best)),
            remaining: amount(demand.remaining),
        };
        if let Some(auction) = self.record.auctions.last_mut() {
            auction.demands.push(point);
        }
    }

    fn on_fill(&mut self, rig: &Rig, fill: &Fill) {
        let Some(instrument) = rig.instrument(fill.instrument).copied() else {
            return self.violation(fill.venue_at, format!("a fill in an unlisted instrument: {:?}", fill.instrument));
        };
        match instrument.kind {
            Kind::Option if self.checks.is_spread() => self.on_leg(fill),
            Kind::Option => self.on_units(rig, fill, &instrument),
            Kind::Spot | Kind::Perp => self.on_collateral(fill),
        }
    }

    /// A fill of a call sold by resting order.
    fn on_units(&mut self, rig: &Rig, fill: &Fill, instrument: &Instrument) {
        let (units, at_price, mark) = (amount(fill.amount), price(fill.price), price(fill.mark));
        if let Some(wrong) = self.checks.call_price(rig, fill, instrument) {
            self.violation(fill.venue_at, wrong);
        }
        self.add_units(fill.venue_at, units, at_price, mark);
    }

    /// One leg of a package; the package counts once both are there.
    fn on_leg(&mut self, fill: &Fill) {
        let package = self.package.filter(|package| package.nonce == fill.nonce);
        let mut package = package.unwrap_or(Package { nonce: fill.nonce, legs: [None; 2] });
        let place = usize::from(package.legs[0].is_some());
        package.legs[place] = Some(*fill);
        let [Some(one), Some(other)] = package.legs else {
            self.package = Some(package);
            return;
        };
        self.package = None;
        let signed = |value: fn(&Fill) -> Price| -> Decimal {
            [one, other].iter().map(|leg| Decimal::from(-leg.side.sign()) * price(value(leg))).sum()
        };
        let (at_price, mark) = (signed(|leg| leg.price), signed(|leg| leg.mark));
        if one.amount != other.amount {
            self.violation(fill.venue_at, format!("unequal legs: {} and {}", one.amount, other.amount));
        }
        if let Some(wrong) = self.checks.package_price(fill.venue_at, at_price, mark) {
            self.violation(fill.venue_at, wrong);
        }
        self.add_units(fill.venue_at, amount(one.amount), at_price, mark);
    }

    fn add_units(&mut self, at: Nanos, units: Decimal, at_price: Decimal, mark: Decimal) {
        let point = FillPoint { at_ms: at.ms(), price: at_price, mark, amount: units };
        if let Some(auction) = self.record.auctions.last_mut() {
            auction.fills.push(point);
        }
        let Some(week) = &mut self.week else { return };
        week.units += units;
        week.lots += 1;
        week.premium += at_price * units;
        self.premium_at_mark += mark * units;
    }

    fn on_collateral(&mut self, fill: &Fill) {
        let (units, at_price, mark) = (amount(fill.amount), price(fill.price), price(fill.mark));
        let sign = Decimal::from(fill.side.sign());
        if let Some(wrong) = self.checks.collateral_price(fill) {
            self.violation(fill.venue_at, wrong);
        }
        if let Some(auction) = self.record.auctions.last_mut() {
            auction.fills.push(FillPoint { at_ms: fill.venue_at.ms(), price: at_price, mark, amount: units });
        }
        let Some(week) = &mut self.week else { return };
        week.collateral_traded += sign * units;
        week.collateral_cost += (at_price - mark) * sign * units;
        debug_assert!(fill.side == Side::Buy || sign.is_sign_negative());
    }

    /// Fills that a dead engine could not tell of are known to the venue: units, lots and premium are taken from there.
    fn heal_week(&self, rig: &Rig, week: &mut Week) {
        let begun = self.record.auctions.iter().rev().find(|auction| auction.phase == Phase::OptionAuction.name());
        let begun_ms = begun.map_or(0, |auction| auction.started_ms);
        let trades = rig.venue.exchange.trades_of(rig.subaccount());
        let legs: Vec<_> = trades
            .iter()
            .filter(|trade| {
                trade.at_ms >= begun_ms && (trade.instrument.ends_with("-C") || trade.instrument.ends_with("-P"))
            })
            .collect();
        let legs_per_unit = if self.checks.is_spread() { 2u32 } else { 1 };
        week.units = legs.iter().map(|trade| trade.amount).sum::<Decimal>() / Decimal::from(legs_per_unit);
        week.lots = legs.len() as u32 / legs_per_unit;
        let received = |buy: bool| if buy { Decimal::NEGATIVE_ONE } else { Decimal::ONE };
        week.premium = legs.iter().map(|trade| received(trade.buy) * trade.price * trade.amount).sum();
    }

    /// The options are gone: what they paid must be what they were worth.
    fn settle_week(&mut self, rig: &Rig, at: Nanos, milestone: &Milestone, books: &Books) {
        let Some(mut week) = self.week.take() else { return };
        if rig.deaths() > 0 {
            self.heal_week(rig, &mut week);
        }
        week.settlement = rig.venue.exchange.settlement_price(self.currency, milestone.expiry_s).unwrap_or_default();
        week.payoff = self.checks.payoff(&week).round_dp(6);
        let expected = self.books.cash + week.premium + week.payoff + (books.interest - self.books.interest)
            - (books.fees - self.books.fees);
        if (expected - books.cash).abs() > Decimal::new(2, 2) {
            let what = format!("cash after settlement is {}, premium and payoff make {expected}", books.cash);
            self.violation(at, what);
        }
        self.week = Some(week);
    }

    fn end_week(&mut self, rig: &Rig, at: Nanos, books: &Books) {
        let Some(mut week) = self.week.take() else { return };
        if !week.units.is_zero() {
            week.average_price = (week.premium / week.units).round_dp(6);
            week.average_mark = (self.premium_at_mark / week.units).round_dp(6);
        }
        week.fees = books.fees - self.books.fees;
        week.option_fees = option_fees(rig, week.expiry_s);
        week.interest = books.interest - self.books.interest;
        week.cash_left = books.cash;
        week.base = books.base;
        week.base_price = rig.venue.spot(self.collateral);
        week.value = if week.base_price.is_zero() {
            books.base
        } else {
            (books.base + books.cash / week.base_price).round_dp(9)
        };
        week.over_holding = (week.value / self.record.deposited - Decimal::ONE).round_dp(9);
        for wrong in self.checks.week_end(rig, &week) {
            self.violation(at, wrong);
        }
        self.record.weeks.push(week);
    }

    /// The finished record.
    pub(crate) fn finish(mut self, rig: &Rig) -> Record {
        if let Some(week) = &self.week {
            let what = format!("week {} did not come to its end: {}", week.week, self.phase.name());
            self.violation(rig.venue.now(), what);
            let books = Books::of(&rig.venue.report(rig.subaccount()).unwrap_or_default(), self.collateral);
            self.end_week(rig, rig.venue.now(), &books);
        }
        self.record.end_s = rig.venue.now().secs();
        let mut bytes = rig.venue.sent_digest().to_vec();
        // A record is plain data: writing it cannot fail.
        bytes.extend(serde_json::to_vec(&self.record).unwrap_or_default());
        self.record.digest = format!("{:x}", keccak256(bytes));
        self.record
    }
}
