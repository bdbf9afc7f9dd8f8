//! An option vault's week as risk sees it: asked, quoted, executed, refused, lost, settled, stopped.

use super::*;
use crate::account::ledger::Book;
use crate::base::ids::{Name, Right, Side, Uuid, VaultId};
use crate::base::num::{Amount, Cash, Price, Ratio};
use crate::base::time::{MS, SEC};
use crate::market::instrument::{Kind, OptionTerms};
use crate::msg::{
    Answer, Concern, CurrencyId, Deal, Fill, Leg, Life, Milestone, Mode, OptionValue, Phase, PricedLeg, Product,
    Purpose, QuoteRow, Report, Request, RfqRow, RfqStatus, RfqWish, Snapshot, Tale, TimeInForce, Verdict, Wish,
};
use crate::risk::limits::{Mandate, OptionLimits};

pub(super) const SUB: SubaccountId = SubaccountId(7);
const VAULT: VaultId = VaultId(0);
pub(super) const BASE: InstrumentId = InstrumentId(0);
pub(super) const NEAR: InstrumentId = InstrumentId(1);
pub(super) const FAR: InstrumentId = InstrumentId(2);
pub(super) const START: Nanos = Nanos(1_000_000 * SEC);
pub(super) const RFQ: Uuid = Uuid(70);
const WEEK_S: u64 = 604_800;

pub(super) fn amount(text: &str) -> Amount {
    text.parse().expect("literal")
}

pub(super) fn price(text: &str) -> Price {
    text.parse().expect("literal")
}

pub(super) fn cash(text: &str) -> Cash {
    text.parse().expect("literal")
}

fn ratio(text: &str) -> Ratio {
    text.parse().expect("literal")
}

fn limits(product: Product) -> OptionLimits {
    OptionLimits {
        product,
        delta_min: Ratio::ZERO,
        delta_max: Ratio::ONE,
        vol_factor_min: ratio("0.1"),
        iv_min: ratio("0.01"),
        strike_diff: price("100"),
        spread_ratio_min: Ratio::ZERO,
        spread_ratio_max: Ratio::ONE,
        mark_tolerance: if product == Product::LongCallSpread { ratio("1.5") } else { ratio("0.5") },
        tvl_share_max: Ratio::ONE,
        life_s_min: 1,
        life_s_max: WEEK_S,
        cash_min: cash("-100000"),
        buy_premium_max: ratio("0.02"),
        sell_discount_max: ratio("0.02"),
        option_amount_max: amount("100"),
        collateral_amount_max: amount("100"),
        notional_max: Cash::whole(1_000_000),
        fills_per_minute_max: 1_000,
        order_life_ns: 310 * SEC,
        reject_after_ns: SEC,
        clock_offset_ns_max: SEC,
        value_age_ns_max: 3_600 * SEC,
        cash_tolerance: cash("0.01"),
    }
}

fn instrument(id: InstrumentId, kind: Kind, strike: Option<i64>) -> Instrument {
    let terms =
        |strike| OptionTerms { expiry_s: START.secs() + WEEK_S / 2, strike: Price::whole(strike), right: Right::Call };
    Instrument {
        id,
        name: Name::new(["S", "N", "F"][usize::from(id.0)]).expect("short"),
        kind,
        base_currency: Name::new("ETH").expect("short"),
        asset: [0; 20],
        sub_id: 0,
        tick: price("0.1"),
        step: amount("0.01"),
        min_amount: amount("0.1"),
        max_amount: amount("500"),
        maker_fee: Ratio::ZERO,
        taker_fee: ratio("0.0003"),
        base_fee: cash("0.5"),
        mark_fee_cap: ratio("0.125"),
        option: strike.map(terms),
        active: true,
    }
}

/// What one step said.
#[derive(Default)]
pub(super) struct Said {
    pub orders: Vec<Granted>,
    pub urgent: Vec<Urgent>,
    pub account: Option<Account>,
    talk: Option<Talk>,
    notices: Vec<Notice>,
}

impl Said {
    fn add(&mut self, later: Said) {
        self.orders.extend(later.orders);
        self.urgent.extend(later.urgent);
        self.notices.extend(later.notices);
        self.account = later.account.or(self.account);
        self.talk = later.talk.or(self.talk);
    }

    fn execution(&self) -> Option<Nonce> {
        self.orders.iter().find_map(|granted| match granted {
            Granted::Execution(execution) => Some(execution.nonce()),
            _ => None,
        })
    }

    fn asked(&self) -> Option<Nonce> {
        self.urgent.iter().find_map(|urgent| match urgent {
            Urgent::Ask { name, .. } => Some(*name),
            _ => None,
        })
    }

    fn withdrew(&self) -> bool {
        self.urgent.iter().any(|urgent| matches!(urgent, Urgent::Unask { rfq_id: RFQ, .. }))
    }

    fn alarms(&self) -> Vec<Alarm> {
        let alarm = |notice: &Notice| match notice {
            Notice::Alarm { alarm, .. } => Some(*alarm),
            _ => None,
        };
        self.notices.iter().filter_map(alarm).collect()
    }
}

pub(super) struct Stage {
    pub risk: Risk,
    pub at: Nanos,
    seq: u32,
    product: Product,
}

impl Stage {
    /// 100 base, live, with marks of 2 700, 10 and 4.
    pub fn new(product: Product, money: &str) -> Stage {
        let book = Book {
            vault: VAULT,
            subaccount: SUB,
            base: BASE,
            perp: None,
            options: Name::new("ETH"),
            base_currency: CurrencyId(1),
            cash_currency: CurrencyId(0),
        };
        let plan = Plan { book, mandate: Mandate::Options(limits(product)) };
        let spot = instrument(BASE, Kind::Spot, None);
        let risk = Risk::new(vec![plan], vec![spot], Nonce(0), Nanos::MAX);
        let mut stage = Stage { risk, at: START, seq: 0, product };
        for (id, strike) in [(NEAR, 3_000), (FAR, 3_100)] {
            let instrument = instrument(id, Kind::Option, Some(strike));
            stage.hear(In::Listing(Listing::Listed { instrument, watched: true }));
        }
        stage.report(Report::Budget(crate::msg::Budget { matching_tps: 100, instrument_tps: 100, other_tps: 100 }));
        stage.report(Report::VenueTime { offset_ns: 0, rtt_ns: 0 });
        stage.report(Report::Session(crate::msg::Session::Up));
        stage.mark();
        stage.snapshot(money, &[], &[]);
        assert_eq!(stage.risk.desks[0].mode, Mode::Live);
        stage
    }

    fn hear(&mut self, message: In) -> Said {
        self.at = self.at.plus(MS);
        let mut out = Out::default();
        self.risk.on(self.at, message, &mut out);
        Said {
            orders: out.orders.drain().collect(),
            urgent: out.urgent.drain().collect(),
            account: out.accounts.drain().last(),
            talk: out.talks.drain().last(),
            notices: out.notices.drain().collect(),
        }
    }

    pub fn mark(&mut self) {
        for (id, mark) in [(BASE, "2700"), (NEAR, "10"), (FAR, "4")] {
            let option = OptionValue {
                mark_iv: ratio("0.6"),
                forward: price("2700"),
                discount: Ratio::ONE,
                delta: ratio("0.1"),
            };
            self.hear(In::Value(Value {
                instrument: id,
                mark: price(mark),
                index: price("2700"),
                option: (id != BASE).then_some(option),
                priced_at: self.at,
                good_until: self.at.plus(3_600 * SEC),
                ..Value::default()
            }));
        }
    }

    pub fn report(&mut self, body: Report) -> Said {
        self.hear(In::Report(ReportMsg { trace: Default::default(), body }))
    }

    pub fn act(&mut self, act: Act) -> Said {
        let after = self.seq;
        self.seq += 1;
        self.hear(In::Intent(Intent { trace: Default::default(), vault: VAULT, seq: self.seq, after, act }))
    }

    pub fn tick(&mut self, after_ns: u64) -> Said {
        self.at = self.at.plus(after_ns);
        self.hear(In::Tick)
    }

    pub fn snapshot(&mut self, money: &str, held: &[(InstrumentId, &str)], open: &[crate::msg::OrderRow]) -> Said {
        let asked_at = self.at;
        self.at = self.at.plus(MS);
        let begin = Snapshot::Begin {
            subaccount: SUB,
            initial_margin: Cash::ZERO,
            maintenance_margin: Cash::ZERO,
            value: Cash::ZERO,
            liquidation: false,
        };
        let collateral = [("100", CurrencyId(1)), (money, CurrencyId(0))]
            .map(|(text, currency)| Snapshot::Collateral { currency, amount: cash(text) });
        let positions = held.iter().map(|(instrument, text)| Snapshot::Position {
            instrument: *instrument,
            amount: amount(text),
            mark: Price::ONE,
            unsettled: Cash::ZERO,
            funding: Cash::ZERO,
        });
        let rows = open.iter().map(|row| Snapshot::OpenOrder(*row));
        let parts: Vec<Snapshot> = std::iter::once(begin).chain(collateral).chain(positions).chain(rows).collect();
        let mut said = Said::default();
        for part in parts.into_iter().chain([Snapshot::End { asked_at }]) {
            said.add(self.report(Report::Snapshot(part)));
        }
        said
    }

    pub fn legs(&self, quantity: &str) -> [Leg; 2] {
        let near = self.product.side();
        [(NEAR, near), (FAR, near.opposite())].map(|(instrument, side)| Leg {
            instrument,
            side,
            amount: amount(quantity),
        })
    }

    pub fn priced(&self, quantity: &str, near: &str) -> [PricedLeg; 2] {
        let [one, two] = self.legs(quantity);
        [PricedLeg { leg: one, price: price(near) }, PricedLeg { leg: two, price: price("4") }]
    }

    fn ask(&mut self, quantity: &str) -> Said {
        let wish = RfqWish { legs: self.legs(quantity), partial_fill_step: Ratio::ONE };
        self.act(Act::Ask(wish))
    }

    fn rfq(&mut self, name: Nonce, status: RfqStatus) -> Said {
        let (created_at, valid_until) = (self.at, self.at.plus(120 * SEC));
        let filled = Ratio::ZERO;
        self.report(Report::Rfq(RfqRow { subaccount: SUB, name, rfq_id: RFQ, status, created_at, valid_until, filled }))
    }

    fn quote(&mut self, id: u128, quantity: &str, near: &str) -> Said {
        let row = self.quote_row(id, quantity, near);
        self.report(Report::Quote(row))
    }

    fn quote_row(&self, id: u128, quantity: &str, near: &str) -> QuoteRow {
        QuoteRow {
            rfq_id: RFQ,
            quote_id: Uuid(id),
            maker: id as u64,
            direction: Side::Sell,
            status: RfqStatus::Open,
            filled: Ratio::ZERO,
            created_at: self.at,
            legs: self.priced(quantity, near),
            fee: None,
        }
    }

    /// Asks, is quoted once at 10 and executes; the execution's name.
    fn execute(&mut self, quantity: &str) -> Nonce {
        let name = self.ask(quantity).asked().expect("sent");
        self.rfq(name, RfqStatus::Open);
        self.quote(1, quantity, "10");
        self.deal(quantity).execution().expect("granted")
    }

    fn deal(&mut self, quantity: &str) -> Said {
        let legs = self.priced(quantity, "10");
        self.act(Act::Execute(Deal { rfq_id: RFQ, quote_id: Uuid(1), legs, cost_max: Cash::whole(100_000) }))
    }

    fn answer(&mut self, nonce: Nonce, request: Request, verdict: Verdict, code: i32) -> Said {
        self.report(Report::Answer(Answer { nonce, request, verdict, code, order: None, cancelled: None }))
    }

    fn fill(&mut self, trade: u128, nonce: Nonce, priced: PricedLeg) -> Said {
        self.report(Report::Fill(Fill {
            subaccount: SUB,
            trade_id: Uuid(trade),
            order_id: Uuid(trade),
            nonce,
            instrument: priced.leg.instrument,
            side: priced.leg.side,
            price: priced.price,
            amount: priced.leg.amount,
            fee: Cash::ONE,
            maker: false,
            mark: priced.price,
            venue_at: self.at,
        }))
    }

    fn talk(&self) -> &Talk {
        self.risk.desks[0].conversation.talk()
    }

    fn milestone(&mut self, phase: Phase, budget: &str) -> Said {
        let milestone = Milestone { phase, budget: cash(budget), ..Milestone::default() };
        self.act(Act::Tell(Tale::Phase(milestone)))
    }
}

#[test]
fn a_lot_is_asked_for_quoted_executed_and_filled() {
    let mut stage = Stage::new(Product::ShortCallSpread, "0");
    let nonce = stage.execute("5");
    stage.answer(nonce, Request::Execute, Verdict::Accepted, 0);
    assert!(stage.rfq(Nonce(0), RfqStatus::Filled).talk.expect("changed").rfq.is_none());
    let [near, far] = stage.priced("5", "10");
    stage.fill(1, nonce, near);
    let account = stage.fill(2, nonce, far).account.expect("changed");
    assert_eq!((account.cash, account.working), (cash("28"), [None; 4]));
    assert_eq!(account.held.iter().flatten().count(), 2);
    let sample = stage.tick(100 * MS).notices.into_iter().find_map(|notice| match notice {
        Notice::Sample { sample, stats, .. } => Some((sample, stats)),
        _ => None,
    });
    let (sample, stats) = sample.expect("due");
    assert_eq!((sample.options, sample.value, sample.premium), (cash("-30"), cash("269998"), cash("28")));
    assert_eq!((stats.asks, stats.executions, stats.options_filled, stats.violations), (1, 1, amount("10"), 0));
}

#[test]
fn the_table_of_quotes_keeps_the_cheapest_open_ones_of_our_rfq_only() {
    let mut stage = Stage::new(Product::ShortCallSpread, "0");
    let name = stage.ask("5").asked().expect("sent");
    assert!(stage.ask("5").asked().is_none(), "one at a time");
    stage.rfq(name, RfqStatus::Open);
    let asked_at = stage.at.plus(1);
    let row = stage.quote_row(9, "5", "10");
    for strange in [
        QuoteRow { rfq_id: Uuid(1), ..row },
        QuoteRow { direction: Side::Buy, ..row },
        QuoteRow { status: RfqStatus::Cancelled, ..row },
        QuoteRow { legs: stage.priced("5.01", "10"), ..row },
        QuoteRow { legs: [row.legs[1], row.legs[0]], ..row },
    ] {
        assert!(stage.report(Report::Quote(strange)).talk.is_none(), "{strange:?}");
    }
    // Eight quotes fill the table; a dearer one is not taken in, a cheaper one (for a seller: more credit) is.
    for id in 0..8 {
        assert!(stage.quote(10 + id, "5", "9").talk.is_some());
    }
    assert!(stage.quote(30, "5", "8.9").talk.is_none());
    let cheapest = stage.quote_row(31, "5", "10");
    assert!(stage.report(Report::Quote(cheapest)).talk.is_some());
    assert!(stage.report(Report::Quote(cheapest)).talk.is_none(), "no news");
    let complete = Report::QuotesComplete { rfq_id: RFQ, asked_at };
    assert!(stage.report(complete).talk.is_none(), "all heard since");
    let asked_at = stage.at.plus(1);
    stage.report(Report::Quote(cheapest));
    let talk = stage.report(Report::QuotesComplete { rfq_id: RFQ, asked_at }).talk.expect("seven are gone");
    assert_eq!(talk.offers.iter().flatten().map(|offer| offer.maker).collect::<Vec<_>>(), [31]);
}

#[test]
fn a_refused_execution_names_the_maker_and_frees_the_legs() {
    let mut stage = Stage::new(Product::ShortCallSpread, "0");
    let nonce = stage.execute("5");
    assert!(stage.deal("5").execution().is_none(), "one execution at a time");
    let said = stage.answer(nonce, Request::Execute, Verdict::Refused, 11_104);
    let talk = said.talk.expect("changed");
    assert_eq!((talk.refusals, talk.last_refusal), (1, Some((11_104, 1))));
    assert_eq!(said.account.expect("changed").working, [None; 4]);
    assert!(stage.deal("5").execution().is_some(), "the next may follow");
}

#[test]
fn an_execution_of_unknown_fate_blocks_until_its_rfq_is_over_and_a_snapshot_shows() {
    for filled in [false, true] {
        let mut stage = Stage::new(Product::ShortCallSpread, "0");
        let nonce = stage.execute("5");
        let said = stage.answer(nonce, Request::Execute, Verdict::Unknown, -32_603);
        assert!(said.withdrew(), "its RFQ is withdrawn");
        assert!(said.account.expect("changed").working.iter().flatten().all(|order| order.life == Life::Unknown));
        let held: &[(InstrumentId, &str)] = if filled { &[(NEAR, "-5"), (FAR, "5")] } else { &[] };
        let money = if filled { "28" } else { "0" };
        stage.tick(2 * SEC);
        stage.snapshot(money, held, &[]);
        assert_eq!(stage.risk.desks[0].ledger.orders().count(), 2, "it may still be filled");
        stage.rfq(Nonce(0), if filled { RfqStatus::Filled } else { RfqStatus::Cancelled });
        stage.tick(SEC);
        stage.snapshot(money, held, &[]);
        let desk = &stage.risk.desks[0];
        assert_eq!((desk.ledger.orders().count(), desk.ledger.is_uncertain()), (0, false));
        assert_eq!(desk.ledger.options().short(), if filled { amount("5") } else { Amount::ZERO });
        assert_eq!(stage.ask("95.01").asked().is_some(), !filled, "what may have been sold counts");
    }
}

#[test]
fn a_lost_session_ends_every_conversation_only_once_it_is_up_again() {
    let mut stage = Stage::new(Product::ShortCallSpread, "0");
    stage.execute("5");
    stage.report(Report::Session(Session::Down));
    assert!(stage.talk().rfq.is_some());
    stage.tick(5 * SEC);
    stage.report(Report::Session(Session::Up));
    assert!(stage.talk().rfq.is_none());
    stage.tick(SEC);
    stage.snapshot("0", &[], &[]);
    assert_eq!(stage.risk.desks[0].ledger.orders().count(), 0);
}

#[test]
fn a_stray_rfq_and_a_lost_question_are_withdrawn_not_traded_on() {
    let mut stage = Stage::new(Product::ShortCallSpread, "0");
    assert!(stage.rfq(Nonce(99), RfqStatus::Open).withdrew());
    assert!(!stage.rfq(Nonce(99), RfqStatus::Open).withdrew(), "once a second");
    let name = stage.ask("5").asked().expect("sent");
    let refused = Report::RfqRefused { name, verdict: Verdict::Unknown, code: -32_603 };
    assert!(stage.report(refused).talk.expect("changed").rfq.is_none());
    assert!(stage.ask("5").asked().is_some(), "asked again");
    stage.tick(4 * SEC);
    assert!(stage.talk().rfq.is_none(), "never answered");
}

#[test]
fn stops_withdraw_the_rfq_and_a_drain_still_pays_debts() {
    for command in [Command::Kill, Command::Drain { vault: VAULT }] {
        let mut stage = Stage::new(Product::ShortCallSpread, "-2700");
        let name = stage.ask("5").asked().expect("sent");
        stage.rfq(name, RfqStatus::Open);
        let mut withdrew = stage.hear(In::Command(command)).withdrew();
        withdrew |= stage.tick(MS).withdrew();
        assert!(withdrew, "{command:?}");
        stage.rfq(name, RfqStatus::Cancelled);
        assert!(stage.ask("5").asked().is_none());
        let debt = Wish {
            instrument: BASE,
            side: Side::Sell,
            price: price("2690"),
            amount: amount("1"),
            tif: TimeInForce::Gtc,
            reduce_only: false,
            purpose: Purpose::Convert,
        };
        let granted = stage.act(Act::Place(debt)).orders.len();
        assert_eq!(granted, usize::from(command != Command::Kill), "{command:?}");
        let left = stage.tick(MS).urgent.iter().any(|urgent| matches!(urgent, Urgent::Cancel { .. }));
        assert!(!left, "it may rest");
    }
}

#[test]
fn a_purse_is_measured_by_cash_gone_and_cannot_be_refilled_in_one_auction() {
    let mut stage = Stage::new(Product::LongCallSpread, "0");
    assert!(stage.ask("5").asked().is_some(), "asking costs nothing");
    stage.risk.desks[0].conversation.clear();
    stage.milestone(Phase::OptionAuction, "100");
    let nonce = stage.execute("5");
    stage.answer(nonce, Request::Execute, Verdict::Accepted, 0);
    for (trade, priced) in (1..).zip(stage.priced("5", "10")) {
        stage.fill(trade, nonce, priced);
    }
    stage.rfq(Nonce(0), RfqStatus::Filled);
    let purse = |stage: &Stage| stage.risk.desks[0].purse().expect("announced");
    assert_eq!((purse(&stage).budget, purse(&stage).spent), (cash("100"), cash("32")));
    // Said again with more: the start and the budget stay. With less: it shrinks.
    stage.milestone(Phase::OptionAuction, "1000");
    assert_eq!((purse(&stage).budget, purse(&stage).spent), (cash("100"), cash("32")));
    stage.milestone(Phase::OptionAuction, "60");
    let name = stage.ask("5").asked().expect("sent");
    stage.rfq(name, RfqStatus::Open);
    stage.quote(1, "5", "10");
    assert!(stage.deal("5").execution().is_none(), "28 left, 30 and fees wanted");
    // A restart remembers what there was: 32 are gone, whatever the new ledger has seen.
    let mut again = Stage::new(Product::LongCallSpread, "-32");
    again.milestone(Phase::OptionAuction, "60");
    assert_eq!((purse(&again).budget, purse(&again).spent), (cash("60"), cash("32")));
}

#[test]
fn phases_are_journaled_and_concerns_and_halts_reach_a_person() {
    let mut stage = Stage::new(Product::CoveredCall, "0");
    let said = stage.milestone(Phase::SpotAuction, "0");
    assert!(matches!(said.orders[..], [Granted::Milestone { vault: VAULT, .. }]));
    assert!(said.notices.iter().any(|notice| matches!(notice, Notice::Phase { .. })));
    let said = stage.act(Act::Tell(Tale::Concern(Concern::DebtLeft)));
    assert_eq!(said.alarms(), [Alarm::Concern(Concern::DebtLeft)]);
    let said = stage.act(Act::Tell(Tale::Halt(Concern::Shape)));
    assert_eq!((said.alarms(), stage.risk.desks[0].mode), (vec![Alarm::Concern(Concern::Shape)], Mode::Halted));
}

#[test]
fn a_position_that_is_no_option_of_ours_drains() {
    let mut stage = Stage::new(Product::CoveredCall, "0");
    stage.tick(SEC);
    stage.snapshot("0", &[(InstrumentId(40), "1")], &[]);
    assert_eq!(stage.risk.desks[0].mode, Mode::Drain);
}
