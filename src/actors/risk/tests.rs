//! What risk makes of wishes that crossed its answer on the way.

use super::*;
use crate::account::ledger::Book;
use crate::account::order::LiveOrder;
use crate::base::ids::{Side, VaultId};
use crate::base::num::Ratio;
use crate::base::num::{Amount, Cash, Price};
use crate::base::time::{MS, SEC};
use crate::msg::{
    Budget, Concern, CurrencyId, Fill, Guards, Life, Mode, Purpose, Report, ReportMsg, Settlement, Snapshot,
    TimeInForce, Value, Wish,
};
use crate::risk::capital::CapitalLimits;
use crate::risk::limits::{Limits, Mandate};
use crate::risk::losses::LossBudgets;
use crate::risk::mandate::ema::MarkLoss;

const PERP: InstrumentId = InstrumentId(1);
const BOOK: Book = Book {
    vault: VaultId(0),
    subaccount: SubaccountId(7),
    base: InstrumentId(0),
    perp: Some(PERP),
    options: None,
    base_currency: CurrencyId(1),
    cash_currency: CurrencyId(0),
};

fn limits() -> Limits {
    Limits {
        delta_min: Ratio::ZERO,
        delta_max: Ratio::ONE,
        leverage_min: Ratio::ZERO,
        leverage_max: Ratio::ONE,
        mark_offset_max: Ratio::ONE,
        loss_ema_max: Ratio::ONE,
        loss_decay_e18: 0,
        quote_amount_max: Amount::ONE,
        hedge_amount_max: Amount::ONE,
        notional_max: Cash::ONE,
        borrow_max: Cash::ONE,
        margin_factor: Ratio::ONE,
        perp_requirement: Ratio::ONE,
        margin_buffer: Ratio::ZERO,
        drawdown_max: Ratio::ONE,
        off_peg_ns_max: 30 * 1_000_000_000,
        losses: crate::risk::losses::LossBudgets::ALL,
        fills_per_minute_max: 1,
        order_life_ns: 310 * SEC,
        reject_after_ns: SEC,
        clock_offset_ns_max: SEC,
        value_age_ns_max: SEC,
        cash_tolerance: Cash::ONE,
        wall: crate::risk::wall::terms::BasisTerms::MISSION.wall(),
    }
}

fn hedge(seq: u32, after: u32) -> In {
    let wish = Wish {
        instrument: PERP,
        side: Side::Sell,
        price: Price::ONE,
        amount: Amount::ONE,
        tif: TimeInForce::Ioc,
        reduce_only: false,
        purpose: Purpose::Hedge,
    };
    In::Intent(Intent { trace: Default::default(), vault: BOOK.vault, seq, after, act: Act::Place(wish) })
}

fn plan(book: Book) -> Plan {
    let mandate = Mandate::Basis(limits());
    Plan {
        book,
        mandate,
        capital: CapitalLimits::NONE,
        principal: None,
        lost: None,
        stopped: None,
        loss_sums: [MarkLoss::NONE; 2],
        contract_signs: false,
        journaled: None,
    }
}

/// The strategy repeats a wish that nobody answers in time. If both arrive, only one may come to the checks.
#[test]
fn a_repeated_wish_is_not_decided_twice() {
    let mut risk = Risk::new(vec![plan(BOOK)], Vec::new(), Nonce(0), Nanos::MAX);
    let mut decided = |message| {
        let mut out = Out::default();
        risk.on(Nanos(SEC), message, &mut out);
        let seen = out.accounts.iter().last().map(|account| account.intents_seen);
        let stats = risk.desks[0].stats;
        (stats.refused.iter().sum::<u64>(), stats.stale_wishes, seen)
    };
    assert_eq!(decided(hedge(1, 0)), (1, 0, Some(1)), "answered by the checks");
    assert_eq!(decided(hedge(2, 0)), (1, 1, Some(2)), "wished for before the first answer was known");
    assert_eq!(decided(hedge(3, 2)), (2, 1, Some(3)), "knows every answer");
    assert_eq!(decided(hedge(5, 3)), (3, 1, Some(5)), "the wish between was lost on a full lane");
}

/// One perp.
fn wish(side: Side, price: i64) -> Wish {
    Wish {
        instrument: PERP,
        side,
        price: Price::whole(price),
        amount: Amount::ONE,
        tif: TimeInForce::Gtc,
        reduce_only: false,
        purpose: Purpose::Hedge,
    }
}

/// An order of that vault that nothing has been heard of.
fn live_order(book: &Book, wish: Wish) -> LiveOrder {
    LiveOrder {
        nonce: Nonce(1),
        vault: book.vault,
        subaccount: book.subaccount,
        wish,
        replaces: None,
        life: Life::Unknown,
        booked: Amount::ZERO,
        final_filled: None,
        approved_at: Nanos(1),
        reject_after: Nanos(1),
        expires_at: Nanos::MAX,
        cancel_asked_at: Nanos::ZERO,
    }
}

/// Vaults of one wallet never trade with each other, whatever either knows of the other (M9).
#[test]
fn an_order_that_could_meet_one_of_another_vault_is_seen() {
    let book = Book { vault: VaultId(1), subaccount: SubaccountId(8), ..BOOK };
    let mut risk = Risk::new(vec![plan(BOOK), plan(book)], Vec::new(), Nonce(0), Nanos::MAX);
    let intent = |vault, wish, old: Option<Nonce>| {
        let act = old.map_or(Act::Place(wish), |old| Act::Replace { old, new: wish });
        Intent { trace: Default::default(), vault, seq: 1, after: 0, act }
    };
    assert!(!risk.meets_another_vault(&intent(BOOK.vault, wish(Side::Sell, 1), None)), "nothing rests");
    risk.desks[1].ledger.reserve(live_order(&book, wish(Side::Buy, 100)));
    for (vault, wanted, old, meets) in [
        (BOOK.vault, wish(Side::Sell, 100), None, true),
        (BOOK.vault, wish(Side::Sell, 99), Some(Nonce(5)), true),
        (BOOK.vault, wish(Side::Sell, 101), None, false),
        (BOOK.vault, wish(Side::Buy, 200), None, false),
        (BOOK.vault, Wish { instrument: BOOK.base, ..wish(Side::Sell, 1) }, None, false),
        (book.vault, wish(Side::Sell, 1), None, false), // its own: the ledger's business
    ] {
        assert_eq!(risk.meets_another_vault(&intent(vault, wanted, old)), meets, "{wanted:?}");
    }
}

/// A basis vault of twenty base, half of it borrowed at 2 000, under these limits.
struct Leveraged {
    risk: Risk,
    at: Nanos,
}

impl Leveraged {
    fn new(limits: Limits) -> Leveraged {
        let mut vault = Leveraged::starting(limits);
        vault.snapshot(0);
        assert_eq!(vault.risk.desks[0].mode, Mode::Live);
        vault
    }

    /// Before its account is listed.
    fn starting(limits: Limits) -> Leveraged {
        let plan = Plan { mandate: Mandate::Basis(limits), ..plan(BOOK) };
        let risk = Risk::new(vec![plan], Vec::new(), Nonce(0), Nanos::MAX);
        let mut vault = Leveraged { risk, at: Nanos(1_000 * SEC) };
        vault.report(Report::Budget(Budget { matching_tps: 100, instrument_tps: 100, other_tps: 100 }));
        vault.report(Report::VenueTime { offset_ns: 0, rtt_ns: 0 });
        vault.report(Report::Session(crate::msg::Session::Up));
        vault.told(2_000, Guards::NONE);
        vault
    }

    /// The account is listed, with so much of the perp.
    fn snapshot(&mut self, perp: i64) -> Vec<Alarm> {
        let asked_at = self.at.plus(1);
        let (subaccount, none) = (BOOK.subaccount, Cash::ZERO);
        let begin = Snapshot::Begin {
            subaccount,
            initial_margin: none,
            maintenance_margin: none,
            value: none,
            liquidation: false,
        };
        let held = [(BOOK.base_currency, 20), (BOOK.cash_currency, -20_000)];
        let held = held.map(|(currency, amount)| Snapshot::Collateral { currency, amount: Cash::whole(amount) });
        let position = Snapshot::Position {
            instrument: PERP,
            amount: Amount::whole(perp),
            mark: Price::whole(2_000),
            unsettled: none,
            funding: none,
        };
        self.at = self.at.plus(SEC);
        let parts = [begin].into_iter().chain(held).chain([position, Snapshot::End { asked_at }]);
        parts.flat_map(|part| self.report(Report::Snapshot(part))).collect()
    }

    fn hear(&mut self, message: In) -> Vec<Alarm> {
        self.at = self.at.plus(1);
        let mut out = Out::default();
        self.risk.on(self.at, message, &mut out);
        let alarm = |notice: Notice| match notice {
            Notice::Alarm { alarm, .. } => Some(alarm),
            _ => None,
        };
        out.notices.drain().filter_map(alarm).collect()
    }

    fn report(&mut self, body: Report) -> Vec<Alarm> {
        self.hear(In::Report(ReportMsg { trace: Default::default(), body }))
    }

    /// The collateral's mark is told, and a moment passes: what is said.
    fn told(&mut self, base: i64, guards: Guards) -> Vec<Alarm> {
        let value =
            |instrument, mark, guards| Value { instrument, mark: Price::whole(mark), guards, ..Value::default() };
        self.hear(In::Value(value(PERP, 2_000, Guards::NONE)));
        self.hear(In::Value(value(BOOK.base, base, guards)));
        self.hear(In::Tick)
    }
}

/// One base at the mark of 2 000.
fn fill_of_base(side: Side) -> Fill {
    Fill {
        subaccount: BOOK.subaccount,
        trade_id: crate::base::ids::Uuid(1),
        order_id: crate::base::ids::Uuid(1),
        nonce: Nonce(1),
        instrument: BOOK.base,
        side,
        price: Price::whole(2_000),
        amount: Amount::ONE,
        fee: Cash::ZERO,
        maker: true,
        mark: Price::whole(2_000),
        venue_at: Nanos::ZERO,
        settlement: Settlement::Final,
    }
}

/// An order of an earlier life fills before the account is listed: what is held is not known, only what moved.
#[test]
fn books_that_are_not_known_yet_are_not_judged_and_what_a_snapshot_shows_is() {
    let bought = |trade_id: u128| Fill {
        trade_id: crate::base::ids::Uuid(trade_id),
        instrument: PERP,
        venue_at: Nanos(2_000 * SEC), // later than what a snapshot shows
        ..fill_of_base(Side::Buy)
    };
    let starting = || Leveraged::starting(Limits { fills_per_minute_max: 100, ..limits() });
    let mut vault = starting();
    assert_eq!(vault.report(Report::Fill(bought(1))), []);
    assert_eq!(vault.snapshot(-1), []);
    vault.risk.desks[0].ledger.reserve(live_order(&BOOK, Wish { amount: Amount::whole(2), ..wish(Side::Buy, 2_000) }));
    assert_eq!(vault.report(Report::Fill(bought(2))), [], "flat");
    assert_eq!(vault.report(Report::Fill(bought(3))), [Alarm::Invariant { row: 0 }], "long");

    let mut vault = starting();
    assert_eq!(vault.snapshot(1), [Alarm::Invariant { row: 0 }]);
}

/// What fills while nothing can be signed is left without a hedge (K2).
#[test]
fn quotes_leave_while_the_clocks_disagree_and_hedges_stay() {
    let mut vault = Leveraged::new(limits());
    let quote = Wish { instrument: BOOK.base, purpose: Purpose::Quote, ..wish(Side::Buy, 2_000) };
    for (name, wish) in [(1, quote), (2, wish(Side::Sell, 2_000))] {
        let order = LiveOrder { nonce: Nonce(name), life: Life::Open, ..live_order(&BOOK, wish) };
        vault.risk.desks[0].ledger.reserve(order);
    }
    let limit_ns = SEC as i64;
    for (offset_ns, alarms, quote) in [
        (limit_ns, vec![], Life::Open),
        (-limit_ns - 1, vec![Alarm::ClocksApart], Life::Leaving),
        (-limit_ns - 2, vec![], Life::Leaving),
        (0, vec![], Life::Leaving),
        (limit_ns + 1, vec![Alarm::ClocksApart], Life::Leaving),
    ] {
        vault.report(Report::VenueTime { offset_ns, rtt_ns: 0 });
        assert_eq!(vault.hear(In::Tick), alarms, "{offset_ns}");
        let lives = [1, 2].map(|name| vault.risk.desks[0].ledger.order(Nonce(name)).map(|order| order.life));
        assert_eq!(lives, [Some(quote), Some(Life::Open)], "{offset_ns}");
    }
    assert_eq!(vault.risk.desks[0].mode, Mode::Live);
}

/// A tenth off the price costs a ninth of the value in base units; one text that says so costs nothing.
#[test]
fn budgets_wait_until_a_mark_that_jumped_is_believed_and_count_it_then() {
    let hour = LossBudgets { hour: Ratio::from_bps(500), ..LossBudgets::ALL };
    for (limits, alarm) in [
        (Limits { drawdown_max: Ratio::from_bps(500), ..limits() }, Alarm::Drawdown),
        (Limits { losses: hour, ..limits() }, Alarm::LossBudget),
    ] {
        let mut vault = Leveraged::new(limits);
        for (mark, guards) in [
            (1_800, Guards::UNCONFIRMED),
            (1_800, Guards::UNCONFIRMED),
            (2_000, Guards::NONE),
            (2_300, Guards::UNCONFIRMED), // would be the highest from which all else is a fall
            (2_000, Guards::NONE),
            (1_801, Guards::UNCONFIRMED),
        ] {
            assert_eq!(vault.told(mark, guards), [], "{mark}");
        }
        assert_eq!(vault.told(1_800, Guards::NONE), [alarm], "believed");
        assert_eq!(vault.risk.desks[0].mode, Mode::Drain);
    }
}

/// A snapshot that is only late is waited for; one that the venue refused is asked for again as soon as it may be.
#[test]
fn a_refused_snapshot_is_asked_for_again_soon() {
    let asks = |refused: bool| {
        let mut vault = Leveraged::starting(limits());
        assert!(vault.risk.desks[0].reconcile.pending, "a session begins with one");
        if refused {
            assert!(vault.report(Report::NoSnapshot { subaccount: BOOK.subaccount }).is_empty());
        }
        let began = vault.risk.desks[0].reconcile.asked_at;
        loop {
            let mut out = Out::default();
            vault.at = vault.at.plus(100 * MS);
            vault.risk.on(vault.at, In::Tick, &mut out);
            if out.urgent.drain().any(|word| matches!(word, Urgent::Reconcile { .. })) {
                break;
            }
            assert!(vault.at.since(began) < 10 * SEC, "never");
        }
        vault.at.since(began) / (100 * MS)
    };
    assert_eq!((asks(true), asks(false)), (4, 30), "tenths of a second");
}

/// Twenty of the base and half of their value owed: ten of the perp sold make one delta.
#[test]
fn a_delta_that_stays_outside_its_band_is_said_once() {
    let concern = [Alarm::Concern(Concern::Unhedged)];
    let band = Limits { delta_min: Ratio::from_bps(9_000), delta_max: Ratio::from_bps(11_000), ..limits() };
    let (clear, rumour, lost) = ((2_000, Guards::NONE), (1_000, Guards::UNCONFIRMED), (0, Guards::TICKER_STALE));
    for (perp, said, (mark, guards)) in [
        (0, true, clear),
        (-7, true, clear),
        (-7, true, rumour),
        (-7, true, lost),
        (-10, false, clear),
        (-10, false, rumour),
        (-10, false, lost),
    ] {
        let mut vault = Leveraged::starting(band);
        vault.snapshot(perp);
        assert_eq!(vault.risk.desks[0].mode, Mode::Live);
        let mut alarms = vault.told(mark, guards);
        for _ in 0..40 {
            vault.at = vault.at.plus(500 * MS);
            alarms.extend(vault.hear(In::Tick));
        }
        assert_eq!(alarms, if said { &concern[..] } else { &[] }, "{perp}");
    }
}

/// Off its peg for a second at most: what is known of it counts, and what is not known ends nothing.
#[test]
fn a_base_that_stays_off_its_peg_drains_its_vault() {
    let off = Guards::FAIR_DEVIATES;
    let blind = off.with(Guards::EXTERNAL_STALE);
    for (told, drains_after) in [
        (&[off, off, off][..], Some(3)),
        (&[Guards::RATIO_DEVIATES, off, blind, off, off], Some(5)),
        (&[Guards::RATIO_DEVIATES, blind, blind, blind, off], None),
        (&[off, Guards::RATIO_STALE, Guards::UNCONFIRMED, Guards::TICKER_STALE, blind], None),
        (&[off, Guards::VOLATILE, off, off], None),
        (&[off, Guards::NONE, off, off, off], Some(5)),
    ] {
        let mut vault = Leveraged::new(Limits { off_peg_ns_max: SEC, ..limits() });
        for (place, guards) in told.iter().enumerate() {
            vault.at = vault.at.plus(600 * MS);
            let good_until = vault.at.plus(SEC);
            let base = Value {
                instrument: BOOK.base,
                mark: Price::whole(2_000),
                guards: *guards,
                good_until,
                ..Value::default()
            };
            vault.hear(In::Value(base));
            let drained = Some(place + 1) == drains_after;
            let alarms = vault.hear(In::Tick);
            assert_eq!(alarms.contains(&Alarm::OffPeg), drained, "{told:?} at {place}: {alarms:?}");
        }
        let mode = if drains_after.is_some() { Mode::Drain } else { Mode::Live };
        assert_eq!(vault.risk.desks[0].mode, mode, "{told:?}");
    }
    // The last thing that was known is too old to drain by.
    let mut vault = Leveraged::new(Limits { off_peg_ns_max: SEC, ..limits() });
    let good_until = vault.at.plus(500 * MS);
    let base = Value { instrument: BOOK.base, mark: Price::whole(2_000), guards: off, good_until, ..Value::default() };
    vault.hear(In::Value(base));
    for _ in 0..4 {
        vault.hear(In::Tick);
        vault.at = vault.at.plus(400 * MS);
    }
    assert_eq!(vault.risk.desks[0].mode, Mode::Live);
}

#[test]
fn a_fill_is_charged_against_the_mark_that_is_believed() {
    let lost = |mark, guards| {
        let mut vault = Leveraged::new(limits());
        vault.told(mark, guards);
        let fill = Fill { price: Price::whole(2_200), ..fill_of_base(Side::Buy) };
        let at = vault.at;
        vault.risk.desks[0].note_fill(at, &fill, None);
        vault.risk.desks[0].loss_ema(at)
    };
    assert_eq!(lost(1_800, Guards::NONE), Ratio::from_bps(250), "400 of a value of 16 000");
    let as_before = Ratio::from_bps(100); // 200 of 20 000
    assert_eq!(lost(1_800, Guards::UNCONFIRMED), as_before);
    assert_eq!(lost(0, Guards::TICKER_STALE), as_before, "the venue's prices are lost");
}
