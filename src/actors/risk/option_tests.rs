//! An option vault's week as risk sees it: asked, quoted, executed, refused, lost, settled, stopped.

use super::*;
use crate::base::ids::{Side, Uuid};
use crate::base::num::{Amount, Cash, Price};
use crate::base::time::{MS, SEC};
use crate::msg::{
    Breach, Concern, CurrencyId, Life, Milestone, Mode, Note, Phase, Product, Purpose, QuoteRow, Report, Request,
    RfqStatus, Snapshot, Tale, TimeInForce, Unsent, Verdict, Wish,
};
use crate::risk::checks::MANDATE_ROW;
use crate::risk::limits::Mandate;
use crate::risk::wall::terms::OptionTerms as WallTerms;
use option_stage::*;

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
    assert!(stage.deal("5").execution().is_none(), "that quote is not offered any more");
    stage.quote(1, "5", "10");
    assert!(stage.deal("5").execution().is_some(), "unless the venue still lists it");
}

#[test]
fn a_quote_is_not_taken_again_although_its_fills_come_before_the_answer() {
    let mut stage = Stage::new(Product::ShortCallSpread, "0");
    let nonce = stage.execute("5");
    for (trade, priced) in (1..).zip(stage.priced("5", "10")) {
        stage.fill(trade, nonce, priced);
    }
    assert_eq!(stage.risk.desks[0].ledger.orders().count(), 0);
    stage.quote(1, "5", "10"); // a poll that had left before
    assert!(stage.talk().offers.iter().flatten().next().is_none());
    assert!(stage.deal("5").execution().is_none());
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
fn what_the_signer_withholds_is_released_and_drains_and_a_signer_that_is_down_halts() {
    let mut stage = Stage::new(Product::ShortCallSpread, "0");
    let nonce = stage.execute("5");
    assert!(stage.risk.desks[0].ledger.order(nonce).is_some(), "reserved");
    let why = Unsent::Withheld(Breach::Price);
    let said = stage.report(Report::Unsent { nonce, request: Request::Execute, why });
    assert!(stage.risk.desks[0].ledger.order(nonce).is_none(), "released");
    assert_eq!(said.alarms(), [Alarm::Withheld { why: Breach::Price }]);
    assert_eq!((stage.risk.desks[0].mode, stage.risk.desks[0].stats.withheld), (Mode::Drain, 1));
    let said = stage.report(Report::SignerDown { why: Breach::Halted });
    assert_eq!(said.alarms(), [Alarm::SignerDown { why: Breach::Halted }]);
    assert_eq!(stage.risk.desks[0].mode, Mode::Halted);
}

/// What is left of the purse, and what the journal was told last.
fn purse(stage: &Stage) -> Cash {
    let purse = stage.risk.desks[0].purse().expect("announced");
    purse.budget - purse.spent
}

fn journaled(said: &Said) -> Option<Milestone> {
    said.orders.iter().rev().find_map(|granted| match granted {
        Granted::Note { note: Note::Milestone(milestone), .. } => Some(*milestone),
        _ => None,
    })
}

/// A buyer with a purse of 100, and five spreads for 30 under way.
fn buying() -> (Stage, Nonce) {
    let mut stage = Stage::new(Product::LongCallSpread, "0");
    stage.milestone(Phase::OptionAuction, "100");
    let name = stage.ask("5").asked().expect("sent");
    stage.rfq(name, RfqStatus::Open);
    stage.quote(1, "5", "10");
    let said = stage.deal("5");
    let nonce = said.execution().expect("granted");
    assert!(matches!(said.orders[..], [Granted::Note { .. }, Granted::Execution(_)]), "pledged before it is signed");
    let pledged = journaled(&said).expect("journaled").pledged;
    assert!(pledged > cash("30") && pledged <= cash("100"), "{pledged}");
    assert_eq!(purse(&stage), cash("100") - pledged);
    (stage, nonce)
}

#[test]
fn a_purse_is_what_executions_really_cost_and_cannot_be_refilled_in_one_auction() {
    let mut stage = Stage::new(Product::LongCallSpread, "0");
    assert!(stage.ask("5").asked().is_some(), "asking costs nothing");
    let (mut stage, nonce) = buying();
    stage.answer(nonce, Request::Execute, Verdict::Accepted, 0);
    let mut said = Said::default();
    for (trade, priced) in (1..).zip(stage.priced("5", "10")) {
        said = stage.fill(trade, nonce, priced);
    }
    assert_eq!(purse(&stage), cash("68"), "30 and a fee of 1 for each leg");
    let told = journaled(&said).expect("the end is journaled");
    assert_eq!((told.spent, told.pledged, told.units), (cash("32"), Cash::ZERO, amount("5")));
    assert_eq!(said.account.map(|account| account.milestone), Some(told), "and the strategy hears of it");
    stage.rfq(Nonce(0), RfqStatus::Filled);
    // Said again with more: the start and the budget stay. With less: it shrinks.
    stage.milestone(Phase::OptionAuction, "1000");
    assert_eq!(purse(&stage), cash("68"));
    stage.milestone(Phase::OptionAuction, "60");
    let name = stage.ask("5").asked().expect("sent");
    stage.rfq(name, RfqStatus::Open);
    stage.quote(1, "5", "10");
    assert!(stage.deal("5").execution().is_none(), "28 left, 30 and fees wanted");
}

#[test]
fn money_that_moves_beside_an_auction_neither_hides_nor_fakes_what_it_spent() {
    for (money, known_by_fills) in [("1000", true), ("-40", true), ("968", false), ("-500", false)] {
        let (mut stage, nonce) = buying();
        let signed = stage.risk.desks[0].milestone.pledged;
        stage.answer(nonce, Request::Execute, Verdict::Accepted, 0);
        if known_by_fills {
            for (trade, priced) in (1..).zip(stage.priced("5", "10")) {
                stage.fill(trade, nonce, priced);
            }
        }
        // The session is lost; what came or went meanwhile is only seen in what the account holds now.
        stage.report(Report::Session(crate::msg::Session::Down));
        stage.report(Report::Session(crate::msg::Session::Up));
        for _ in 0..3 {
            stage.tick(SEC);
            stage.snapshot(money, &[(NEAR, "5"), (FAR, "-5")], &[]);
        }
        let desk = &stage.risk.desks[0];
        assert!(!desk.ledger.is_uncertain() && desk.ledger.holdings().cash == cash(money));
        let Milestone { spent, pledged, units, .. } = desk.milestone;
        assert_eq!((pledged, units), (Cash::ZERO, amount("5")), "{money}");
        if known_by_fills {
            assert_eq!(spent, cash("32"), "{money}");
        } else {
            assert_eq!(spent, signed, "no fill tells: all that was signed for, with {money}");
        }
    }
}

/// A pledge settled as never done, whose fills come after all: they are paid and held, and a restart knows both.
#[test]
fn fills_of_an_execution_given_up_are_spent_and_written_down() {
    let (mut stage, nonce) = buying();
    let why = crate::msg::Unsent::Late;
    stage.report(Report::Unsent { nonce, request: Request::Execute, why });
    assert_eq!(purse(&stage), cash("100"));
    stage.tick(SEC);
    let mut said = Said::default();
    for (trade, priced) in (1..).zip(stage.priced("5", "10")) {
        said = stage.fill(trade, nonce, priced);
    }
    let told = journaled(&said).expect("written down");
    assert_eq!((told.spent, told.pledged, told.units), (cash("32"), Cash::ZERO, amount("5")));
}

#[test]
fn an_execution_that_never_was_costs_nothing() {
    let ends: [fn(&mut Stage, Nonce); 3] = [
        |stage, nonce| {
            stage.answer(nonce, Request::Execute, Verdict::Refused, 11_104);
        },
        |stage, nonce| {
            let why = crate::msg::Unsent::Late;
            stage.report(Report::Unsent { nonce, request: Request::Execute, why });
        },
        |stage, _| {
            stage.report(Report::Session(crate::msg::Session::Down));
            stage.report(Report::Session(crate::msg::Session::Up));
            for _ in 0..3 {
                stage.tick(SEC);
                stage.snapshot("-70", &[], &[]);
            }
        },
    ];
    for (place, end) in ends.into_iter().enumerate() {
        let (mut stage, nonce) = buying();
        end(&mut stage, nonce);
        assert_eq!(purse(&stage), cash("100"), "end {place}");
    }
}

#[test]
fn what_a_restart_remembers_as_spent_stays_spent() {
    let mut stage = Stage::new(Product::LongCallSpread, "5000");
    let memory =
        Milestone { phase: Phase::OptionAuction, budget: cash("60"), spent: cash("32"), ..Milestone::default() };
    let said = stage.act(Act::Tell(Tale::Phase(memory)));
    assert_eq!((journaled(&said), purse(&stage)), (Some(memory), cash("28")));
    assert!(stage.act(Act::Tell(Tale::Phase(memory))).orders.is_empty(), "said again, it is on record already");
}

#[test]
fn a_purse_never_holds_more_than_the_collateral_has_earned() {
    let mut stage = Stage::new(Product::LongCallSpread, "0");
    stage.milestone(Phase::OptionAuction, "1000");
    let budget = |stage: &Stage| stage.risk.desks[0].purse().expect("announced").budget;
    // 100 base at 2 700 with a tenth of it earned covers what was announced.
    assert_eq!(budget(&stage), cash("1000"));
    // A 27 000th of it is 10, and a tenth of a percent of drift.
    stage.mark_with(Some("0.000037037"));
    assert_eq!(budget(&stage), cash("10.00998999"));
    let name = stage.ask("5").asked().expect("asking costs nothing");
    stage.rfq(name, RfqStatus::Open);
    stage.quote(1, "5", "10");
    assert!(stage.deal("5").execution().is_none(), "30 and fees wanted");
    // Unknown for a while: what was known counts. A loss earns nothing.
    stage.mark_with(None);
    assert_eq!(budget(&stage), cash("10.00998999"));
    stage.mark_with(Some("-0.1"));
    assert_eq!(budget(&stage), Cash::ZERO);
}

#[test]
fn the_mandates_refusals_are_counted_by_name() {
    let mut stage = Stage::new(Product::CoveredCall, "0");
    let exact = WallTerms { option_s_min: 1, ..WallTerms::mission(Product::CoveredCall, Price::ZERO) };
    let Mandate::Options(limits) = &mut stage.risk.desks[0].mandate else { panic!("an option vault") };
    limits.wall = exact.wall(Product::CoveredCall);
    limits.wall.drift.time_s = 100;
    let wish = Wish {
        instrument: NEAR,
        side: Side::Sell,
        price: price("10"),
        amount: amount("1"),
        tif: TimeInForce::Gtc,
        reduce_only: false,
        purpose: Purpose::Write,
    };
    // 310 s of life are 210 when it may be 100 s under way: less than the contract's 300.
    for _ in 0..2 {
        assert!(stage.act(Act::Place(wish)).orders.is_empty());
    }
    let stats = stage.risk.desks[0].stats;
    assert_eq!(stats.refused[MANDATE_ROW], 2);
    assert_eq!(stats.reverts.iter().collect::<Vec<_>>(), [("CCT_InvalidActionExpiry", 2)]);
    let Mandate::Options(limits) = &mut stage.risk.desks[0].mandate else { panic!("an option vault") };
    limits.wall.drift.time_s = 4;
    assert_eq!(stage.act(Act::Place(wish)).orders.len(), 1);
}

#[test]
fn phases_are_journaled_and_concerns_and_halts_reach_a_person() {
    let mut stage = Stage::new(Product::CoveredCall, "0");
    let said = stage.milestone(Phase::SpotAuction, "0");
    assert!(matches!(said.orders[..], [Granted::Note { vault: VAULT, note: Note::Milestone(_) }]));
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

#[test]
fn a_start_waits_for_the_listing_of_what_is_held() {
    let mut stage = Stage::new(Product::CoveredCall, "0");
    stage.hear(In::Command(Command::Pause { vault: VAULT }));
    stage.hear(In::Command(Command::Resume { vault: VAULT }));
    // A call not listed yet is a stranger to the decoder: its row is left out, and said to be strange.
    let strange = |stage: &mut Stage| {
        stage.tick(SEC);
        let asked_at = stage.at;
        stage.tick(MS);
        let begin = Snapshot::Begin {
            subaccount: SUB,
            initial_margin: Cash::ZERO,
            maintenance_margin: Cash::ZERO,
            value: Cash::ZERO,
            liquidation: false,
        };
        let base = Snapshot::Collateral { currency: CurrencyId(1), amount: Cash::whole(100) };
        let mut said = stage.report(Report::Snapshot(begin));
        said.add(stage.report(Report::Snapshot(base)));
        said.add(stage.report(Report::Stranger { subaccount: SUB }));
        said.add(stage.report(Report::Snapshot(Snapshot::End { asked_at })));
        said
    };
    let alarms = |said: &Said| said.alarms().iter().filter(|alarm| **alarm == Alarm::Foreign).count();
    let quiet: usize = (0..5).map(|_| alarms(&strange(&mut stage))).sum();
    assert_eq!((quiet, stage.risk.desks[0].mode), (0, Mode::Starting), "it may be listed any moment");
    let loud: usize = (0..20).map(|_| alarms(&strange(&mut stage))).sum();
    assert_eq!((loud, stage.risk.desks[0].mode), (1, Mode::Starting), "said once, and nothing is traded");
    for _ in 0..3 {
        stage.tick(SEC);
        let said = stage.snapshot("0", &[(NEAR, "-5")], &[]);
        assert_eq!(said.alarms(), [], "what was left out is no difference");
    }
    let desk = &stage.risk.desks[0];
    assert_eq!((desk.mode, desk.ledger.options().short()), (Mode::Live, amount("5")));
}
