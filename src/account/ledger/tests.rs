//! What each fact does to the ledger, and what it must not do twice.

use super::*;
use crate::base::num::Price;
use crate::base::time::MS;
use crate::msg::{Fill, Life, OrderStatus, Purpose, Settlement, Snapshot, TimeInForce, Wish};

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
const CENT: Cash = Cash::from_raw(10_000_000_000_000_000);

fn amount(text: &str) -> Amount {
    text.parse().expect("literal")
}

fn order(nonce: u64, side: Side, quantity: &str, replaces: Option<u64>) -> LiveOrder {
    LiveOrder {
        nonce: Nonce(nonce),
        vault: BOOK.vault,
        subaccount: BOOK.subaccount,
        wish: Wish {
            instrument: BOOK.base,
            side,
            price: Price::whole(2_000),
            amount: amount(quantity),
            tif: TimeInForce::PostOnly,
            reduce_only: false,
            purpose: Purpose::Quote,
        },
        replaces: replaces.map(Nonce),
        life: Life::Pending,
        booked: Amount::ZERO,
        final_filled: None,
        approved_at: Nanos(0),
        reject_after: Nanos(SEC),
        expires_at: Nanos(500 * SEC),
        cancel_asked_at: Nanos::ZERO,
    }
}

fn fill(trade: u128, nonce: u64, quantity: &str) -> Fill {
    Fill {
        subaccount: BOOK.subaccount,
        trade_id: Uuid(trade),
        order_id: Uuid(nonce.into()),
        nonce: Nonce(nonce),
        instrument: BOOK.base,
        side: Side::Buy,
        price: Price::whole(2_000),
        amount: amount(quantity),
        fee: Cash::ONE,
        maker: true,
        mark: Price::whole(2_000),
        venue_at: Nanos(3_600 * SEC),
        settlement: Default::default(),
    }
}

fn row(nonce: u64, status: OrderStatus, filled: &str) -> OrderRow {
    OrderRow {
        subaccount: BOOK.subaccount,
        order_id: Uuid(nonce.into()),
        nonce: Nonce(nonce),
        instrument: BOOK.base,
        side: Side::Buy,
        price: Price::whole(2_000),
        amount: amount("1"),
        filled: amount(filled),
        status,
        updated_at: Nanos(0),
    }
}

fn snapshot(ledger: &mut Ledger, at: u64, base: &str, cash: i64, open: &[u64]) -> Option<Reconciled> {
    let rows: Vec<OrderRow> = open.iter().map(|nonce| row(*nonce, OrderStatus::Open, "0")).collect();
    snapshot_of(ledger, at, (base, cash), &rows).1
}

fn snapshot_of(
    ledger: &mut Ledger,
    at: u64,
    (base, cash): (&str, i64),
    open: &[OrderRow],
) -> (Vec<Effect>, Option<Reconciled>) {
    let parts = [
        Snapshot::Begin {
            subaccount: BOOK.subaccount,
            initial_margin: Cash::ZERO,
            maintenance_margin: Cash::ZERO,
            value: Cash::ZERO,
            liquidation: false,
        },
        Snapshot::Collateral { currency: BOOK.base_currency, amount: Price::ONE.times(amount(base)) },
        Snapshot::Collateral { currency: BOOK.cash_currency, amount: Cash::whole(cash) },
    ];
    let rows = open.iter().map(|row| Snapshot::OpenOrder(*row));
    let end = Snapshot::End { asked_at: Nanos(at) };
    let (mut effects, mut outcome) = (Vec::new(), None);
    for part in parts.into_iter().chain(rows).chain([end]) {
        let (effect, done) = ledger.on_snapshot(Nanos(at + MS), &part, CENT);
        effects.push(effect);
        outcome = done;
    }
    (effects, outcome)
}

fn opened(base: &str, cash: i64) -> Ledger {
    let mut ledger = Ledger::new(BOOK);
    assert_eq!(snapshot(&mut ledger, 1, base, cash, &[]), Some(Reconciled::Adopted));
    ledger
}

#[test]
fn a_trade_id_counts_once_and_releases_the_reservation_with_the_last_fill() {
    let mut ledger = opened("10", 0);
    ledger.reserve(order(1, Side::Buy, "1", None));
    assert_eq!(ledger.reserved(BOOK.base, Side::Buy, None), amount("1"));
    assert_eq!(ledger.on_fill(Nanos(2), &fill(9, 1, "0.4")), Effect::Changed);
    assert_eq!(ledger.on_fill(Nanos(2), &fill(9, 1, "0.4")), Effect::None);
    assert_eq!(ledger.holdings().base, amount("10.4"));
    assert_eq!(ledger.holdings().cash, Cash::whole(-801));
    assert_eq!(ledger.reserved(BOOK.base, Side::Buy, None), amount("0.6"));
    // The venue says it is cancelled with more filled than we booked: the difference stays reserved until it comes.
    ledger.on_order(Nanos(3), &row(1, OrderStatus::Cancelled, "0.5"));
    assert_eq!(ledger.reserved(BOOK.base, Side::Buy, None), amount("0.1"));
    ledger.on_fill(Nanos(4), &fill(10, 1, "0.1"));
    assert_eq!(ledger.orders().count(), 0);
    // A late "open" never revives it.
    assert_eq!(ledger.on_order(Nanos(5), &row(1, OrderStatus::Open, "0")), Effect::None);
}

#[test]
fn a_replacement_shares_the_larger_reservation() {
    let mut ledger = opened("10", 0);
    ledger.reserve(order(1, Side::Buy, "1", None));
    ledger.reserve(order(2, Side::Buy, "0.7", Some(1)));
    assert_eq!(ledger.reserved(BOOK.base, Side::Buy, None), amount("1"));
    ledger.on_order(Nanos(2), &row(1, OrderStatus::Cancelled, "0"));
    assert_eq!(ledger.reserved(BOOK.base, Side::Buy, None), amount("0.7"));
    assert_eq!(ledger.reserved(BOOK.base, Side::Sell, None), Amount::ZERO);
}

#[test]
fn doubt_is_exposure_until_a_later_snapshot_proves_otherwise() {
    let mut ledger = opened("10", 0);
    ledger.reserve(order(1, Side::Buy, "1", None));
    ledger.doubt_all();
    assert!(ledger.is_uncertain());
    assert_eq!(ledger.reserved(BOOK.base, Side::Buy, None), amount("1"));
    // Asked before the venue would have refused it as late: proves nothing about it.
    snapshot(&mut ledger, SEC, "10", 0, &[]);
    assert_eq!(ledger.orders().count(), 1);
    assert!(ledger.is_uncertain());
    // Asked later, and not listed: it filled while we were away, and the balances say so.
    assert_eq!(snapshot(&mut ledger, SEC + 1, "11", -2_000, &[]), Some(Reconciled::Adopted));
    assert_eq!((ledger.orders().count(), ledger.holdings().base), (0, amount("11")));
    assert!(!ledger.is_uncertain());
}

#[test]
fn a_listed_order_lives_on_and_a_stranger_is_named() {
    let mut ledger = opened("10", 0);
    ledger.reserve(order(1, Side::Buy, "1", None));
    ledger.doubt_all();
    snapshot(&mut ledger, 2 * SEC, "10", 0, &[1]);
    assert_eq!(ledger.order(Nonce(1)).map(|o| o.life), Some(Life::Open));
    let stranger = ledger.on_order(Nanos(3 * SEC), &row(5, OrderStatus::Open, "0"));
    assert_eq!(stranger, Effect::Foreign { nonce: Nonce(5), instrument: BOOK.base });
}

#[test]
fn a_resting_order_missing_from_a_snapshot_is_doubted_before_it_is_buried() {
    let mut ledger = opened("10", 0);
    ledger.reserve(order(1, Side::Buy, "1", None));
    ledger.on_order(Nanos(2), &row(1, OrderStatus::Open, "0"));
    snapshot(&mut ledger, 2 * SEC, "10", 0, &[]);
    assert_eq!(ledger.order(Nonce(1)).map(|o| o.life), Some(Life::Unknown));
    snapshot(&mut ledger, 3 * SEC, "10", 0, &[]);
    assert_eq!(ledger.orders().count(), 0);
}

#[test]
fn a_difference_that_an_order_under_way_explains_is_looked_at_again_and_a_larger_one_is_reported() {
    // Asked to leave, or not answered yet: its last fill may be told after the books show it.
    for leaves in [true, false] {
        let under_way = || {
            let mut ledger = opened("10", 0);
            ledger.reserve(order(1, Side::Buy, "1", None));
            if leaves {
                ledger.on_order(Nanos(2), &row(1, OrderStatus::Open, "0"));
                ledger.order_mut(Nonce(1)).expect("it rests").life = Life::Leaving;
            }
            ledger
        };
        let mut ledger = under_way();
        assert_eq!(snapshot(&mut ledger, SEC / 2, "11", -2_000, &[]), Some(Reconciled::Inconclusive));
        assert!(ledger.is_uncertain());
        assert_eq!(snapshot(&mut ledger, 2 * SEC, "11", -2_000, &[]), Some(Reconciled::Adopted));
        for (base, cash) in [("11.1", -2_200), ("9.9", 200), ("10", -1)] {
            assert_eq!(
                snapshot(&mut under_way(), SEC / 2, base, cash, &[]),
                Some(Reconciled::Differs),
                "{base} {cash}"
            );
        }
    }
}

#[test]
fn a_list_that_shows_more_filled_than_was_told_explains_the_difference() {
    let mut ledger = opened("10", 0);
    ledger.reserve(order(1, Side::Buy, "1", None));
    ledger.on_order(Nanos(2), &row(1, OrderStatus::Open, "0"));
    let listed = [row(1, OrderStatus::Open, "0.4")];
    assert_eq!(snapshot_of(&mut ledger, 2 * SEC, ("10.4", -800), &listed).1, Some(Reconciled::Adopted));
    assert_eq!(ledger.order(Nonce(1)).map(|order| order.booked), Some(amount("0.4")));
}

#[test]
fn an_unexplained_difference_is_reported_and_facts_under_way_are_not() {
    let mut ledger = opened("10", 0);
    assert_eq!(snapshot(&mut ledger, 2 * SEC, "10", 0, &[]), Some(Reconciled::Agrees));
    ledger.reserve(order(1, Side::Buy, "1", None));
    ledger.on_fill(Nanos(4 * SEC), &fill(1, 1, "1"));
    assert_eq!(snapshot(&mut ledger, 3 * SEC, "10", 0, &[]), Some(Reconciled::Inconclusive));
    assert_eq!(snapshot(&mut ledger, 5 * SEC, "11.5", -2_001, &[]), Some(Reconciled::Differs));
    assert_eq!(snapshot(&mut ledger, 6 * SEC, "11.5", -2_001, &[]), Some(Reconciled::Overruled), "said twice");
    assert_eq!(snapshot(&mut ledger, 7 * SEC, "11.5", -2_001, &[]), Some(Reconciled::Agrees));
    assert_eq!(snapshot(&mut ledger, 8 * SEC, "12", -2_001, &[]), Some(Reconciled::Differs));
    ledger.doubt_all();
    assert_eq!(
        snapshot(&mut ledger, 9 * SEC, "12", -2_001, &[]),
        Some(Reconciled::Adopted),
        "a lost session explains it"
    );
}

#[test]
fn settlement_moves_cash_but_not_value_and_interest_is_counted() {
    let mut ledger = opened("10", 100);
    ledger.holdings.perp = amount("-1");
    ledger.holdings.perp_cost = Cash::whole(-2_000);
    let marks = crate::account::holdings::Marks { base: Price::whole(1_990), perp: Price::whole(1_990) };
    let before = ledger.holdings().value(marks);
    let cash = |from: i64, to: i64, kind| Balance {
        subaccount: BOOK.subaccount,
        asset: Asset::Currency(BOOK.cash_currency),
        previous: Cash::whole(from),
        new: Cash::whole(to),
        kind,
    };
    ledger.on_balance(Nanos(2), &cash(100, 110, BalanceKind::PerpSettlement));
    assert_eq!(ledger.holdings().value(marks), before);
    ledger.on_balance(Nanos(3), &cash(110, 109, BalanceKind::Interest));
    assert_eq!(ledger.flows().interest, Cash::whole(-1));
    assert!(!ledger.differs_from_reports(Nanos(2 * SEC)));
    let sold = Balance {
        asset: Asset::Instrument(PERP),
        previous: Cash::whole(-1),
        new: Cash::whole(-2),
        ..cash(0, 0, BalanceKind::Trade)
    };
    ledger.on_balance(Nanos(4), &sold);
    assert!(!ledger.differs_from_reports(Nanos(SEC / 2)));
    assert!(ledger.differs_from_reports(Nanos(2 * SEC)));
}

/// A deposit told late is not counted again, and nothing is traded on one before a snapshot agrees.
#[test]
fn a_transfer_that_a_snapshot_has_shown_is_not_booked_again() {
    let told = |(base, cash), currency, from: i64, to: i64| {
        let mut ledger = opened(base, cash);
        let row = Balance {
            subaccount: BOOK.subaccount,
            asset: Asset::Currency(currency),
            previous: Cash::whole(from),
            new: Cash::whole(to),
            kind: BalanceKind::Transfer,
        };
        assert_eq!(ledger.on_balance(Nanos(2), &row), Effect::Changed);
        assert!(ledger.is_uncertain());
        (ledger.holdings().base, ledger.holdings().cash, ledger.flows().transfers)
    };
    let (base, cash) = (BOOK.base_currency, BOOK.cash_currency);
    let want = |base: &str, cash: i64, flow: i64| (amount(base), Cash::whole(cash), Cash::whole(flow));
    assert_eq!(told(("10", 50), base, 10, 110), want("110", 50, 0));
    assert_eq!(told(("110", 50), base, 10, 110), want("110", 50, 0));
    assert_eq!(told(("10", 50), cash, 50, 150), want("10", 150, 100));
    assert_eq!(told(("10", 150), cash, 50, 150), want("10", 150, 0));
    assert_eq!(told(("10", 150), cash, 150, 50), want("10", 50, -100));
}

#[test]
fn adopted_balances_bring_the_fills_of_listed_orders_with_them() {
    let mut ledger = opened("10", 0);
    ledger.reserve(order(1, Side::Buy, "1", None));
    ledger.doubt_all();
    // Filled by 0.4 while we were away: a replacement must name that, or the venue refuses it for ever (11028).
    let rows = [row(1, OrderStatus::Open, "0.4")];
    assert_eq!(snapshot_of(&mut ledger, 2 * SEC, ("10.4", -800), &rows).1, Some(Reconciled::Adopted));
    let held = ledger.order(Nonce(1)).expect("listed");
    assert_eq!((held.booked, held.open(), held.life), (amount("0.4"), amount("0.6"), Life::Open));
}

#[test]
fn a_buried_order_that_rests_after_all_is_named() {
    let mut ledger = opened("10", 0);
    ledger.reserve(order(1, Side::Buy, "1", None));
    ledger.release(Nonce(1));
    let (effects, _) = snapshot_of(&mut ledger, 2 * SEC, ("10", 0), &[row(1, OrderStatus::Open, "0")]);
    assert!(effects.contains(&Effect::Revenant { nonce: Nonce(1), instrument: BOOK.base }), "{effects:?}");
}

#[test]
fn absurd_numbers_alarm_and_change_nothing() {
    let mut ledger = opened("10", 0);
    let huge = "1000000000";
    let effects: Vec<Effect> = (0..200)
        .map(|trade| ledger.on_fill(Nanos(2), &Fill { price: huge.parse().expect("literal"), ..fill(trade, 1, huge) }))
        .collect();
    assert!(effects.iter().all(|effect| *effect == Effect::Alarm));
    assert_eq!(ledger.holdings().base, amount("10"));
    assert!(ledger.is_uncertain());
    // Both marks at the ends of the wire's range: values saturate, nothing divides by zero.
    let (low, high) = (Price::from_raw(1), Price::whole(1_000_000_000));
    for (base, perp) in [(low, high), (high, low), (low, low), (high, high)] {
        let marks = crate::account::holdings::Marks { base, perp };
        for held in ["-1000000000", "0.000000001", "1000000000"] {
            ledger.holdings.base = amount(held);
            ledger.holdings.perp = -amount(held);
            let holdings = ledger.holdings();
            let _ = (holdings.hedge(marks), holdings.delta(marks), holdings.leverage(marks));
            let _ = holdings.margin_left(marks, crate::base::num::Ratio::ONE, crate::base::num::Ratio::ONE);
        }
    }
}

/// A fill heard late, by when it traded: shown by the balances taken over, perhaps shown, not shown.
#[test]
fn a_fill_that_adopted_balances_show_is_not_booked_again() {
    let told = |traded_ms: u64, offset_ms: i64| {
        let mut ledger = opened("10", 0);
        ledger.sync(offset_ms * MS as i64);
        ledger.reserve(order(1, Side::Buy, "1", None));
        ledger.doubt_all();
        // Asked for at 10 s, the answer comes a millisecond later; 0.4 were bought meanwhile and cost 801.
        let open = [row(1, OrderStatus::Open, "0.4")];
        assert_eq!(snapshot_of(&mut ledger, 10 * SEC, ("10.4", -801), &open).1, Some(Reconciled::Adopted));
        let venue_at = Nanos(traded_ms * MS).shifted(offset_ms * MS as i64);
        let effect = ledger.on_fill(Nanos(12 * SEC), &Fill { venue_at, ..fill(9, 1, "0.4") });
        assert_eq!(ledger.flows().fees, Cash::ONE, "told once, paid once");
        let booked = ledger.order(Nonce(1)).map(|order| order.booked);
        (effect, ledger.holdings().base, ledger.is_uncertain(), booked)
    };
    let (once, twice) = (amount("10.4"), amount("10.8"));
    for (traded_ms, want) in [
        (8_000, (Effect::Late, once, false, Some(amount("0.4")))),
        (9_749, (Effect::Late, once, false, Some(amount("0.4")))),
        (9_750, (Effect::Late, once, true, Some(amount("0.4")))),
        (10_251, (Effect::Late, once, true, Some(amount("0.4")))),
        (10_252, (Effect::Changed, twice, false, Some(amount("0.8")))),
    ] {
        for offset_ms in [0, 3_000, -3_000] {
            assert_eq!(told(traded_ms, offset_ms), want, "traded at {traded_ms} ms, venue ahead by {offset_ms} ms");
        }
    }
}

#[test]
fn an_order_approved_after_balances_were_adopted_is_news_to_them() {
    for (approved_at, want) in [(Nanos(1 + MS), Effect::Changed), (Nanos(MS), Effect::Late)] {
        let mut ledger = opened("10", 0);
        ledger.reserve(LiveOrder { approved_at, ..order(1, Side::Buy, "1", None) });
        let soon = Fill { venue_at: Nanos(2 * MS), ..fill(9, 1, "0.4") };
        assert_eq!(ledger.on_fill(Nanos(3 * MS), &soon), want, "approved at {approved_at:?}");
    }
}

#[test]
fn an_order_filled_before_balances_were_adopted_ends_with_its_late_fill() {
    let mut ledger = opened("10", 0);
    ledger.reserve(order(1, Side::Buy, "1", None));
    ledger.confirm(Nonce(1));
    ledger.doubt_all();
    assert_eq!(snapshot(&mut ledger, 10 * SEC, "11", -2_001, &[]), Some(Reconciled::Adopted));
    let late = Fill { venue_at: Nanos(9 * SEC), ..fill(9, 1, "1") };
    assert_eq!(ledger.on_fill(Nanos(12 * SEC), &late), Effect::Late);
    assert_eq!((ledger.orders().count(), ledger.holdings().base), (0, amount("11")));
    // One of an order that nobody here remembers is history, unless it may be news.
    for (venue_at, want) in
        [(Nanos(9 * SEC), Effect::Late), (Nanos(10 * SEC), Effect::Foreign { nonce: Nonce(77), instrument: BOOK.base })]
    {
        let strange = Fill { venue_at, ..fill(venue_at.0.into(), 77, "1") };
        assert_eq!(ledger.on_fill(Nanos(12 * SEC), &strange), want);
        assert_eq!(ledger.holdings().base, amount("11"));
    }
}

/// A fill in a state on the chain.
fn on_chain(trade: u128, nonce: u64, quantity: &str, settlement: Settlement) -> Fill {
    Fill { settlement, ..fill(trade, nonce, quantity) }
}

fn opened_on_v2() -> Ledger {
    let mut ledger = opened("10", 0);
    ledger.expect_settlement();
    assert_eq!(ledger.unsettled(), 1, "the venue's records have not been read");
    ledger.past_fills_complete();
    assert_eq!(ledger.unsettled(), 0);
    ledger
}

#[test]
fn a_fill_is_unsettled_until_the_chain_has_it() {
    let mut ledger = opened_on_v2();
    ledger.reserve(order(1, Side::Buy, "1", None));
    assert_eq!(ledger.on_fill(Nanos(2), &on_chain(9, 1, "0.4", Settlement::Open)), Effect::Changed);
    assert_eq!(ledger.on_fill(Nanos(3), &on_chain(9, 1, "0.4", Settlement::Open)), Effect::None);
    assert_eq!((ledger.unsettled(), ledger.holdings().base), (1, amount("10.4")));
    assert_eq!(ledger.on_fill(Nanos(4), &on_chain(9, 1, "0.4", Settlement::Settled)), Effect::None);
    assert_eq!((ledger.unsettled(), ledger.holdings().base), (0, amount("10.4")));
    assert_eq!(
        ledger.on_fill(Nanos(5), &on_chain(8, 1, "0.1", Settlement::Settled)),
        Effect::Changed,
        "first told late"
    );
    assert_eq!((ledger.unsettled(), ledger.is_uncertain()), (0, false));
}

#[test]
fn a_reverted_fill_gives_back_what_it_moved_once() {
    for side in [Side::Buy, Side::Sell] {
        for instrument in [BOOK.base, PERP] {
            let mut ledger = opened_on_v2();
            let before = (*ledger.holdings(), *ledger.flows());
            let told = |settlement| Fill { side, instrument, ..on_chain(9, 1, "0.4", settlement) };
            ledger.on_fill(Nanos(2), &told(Settlement::Open));
            assert_ne!(*ledger.holdings(), before.0);
            assert_eq!(ledger.on_fill(Nanos(3), &told(Settlement::Reverted)), Effect::Reverted);
            assert_eq!((*ledger.holdings(), *ledger.flows()), before, "{side:?}");
            assert_eq!((ledger.unsettled(), ledger.is_uncertain()), (0, true));
            for late in [Settlement::Reverted, Settlement::Open, Settlement::Settled] {
                assert_eq!(ledger.on_fill(Nanos(4), &told(late)), Effect::None, "{late:?}");
            }
            assert_eq!(*ledger.holdings(), before.0);
        }
    }
}

#[test]
fn a_fill_that_is_first_told_as_reverted_moves_nothing() {
    let mut ledger = opened_on_v2();
    let before = *ledger.holdings();
    assert_eq!(ledger.on_fill(Nanos(2), &on_chain(9, 1, "0.4", Settlement::Reverted)), Effect::Reverted);
    assert_eq!(ledger.on_fill(Nanos(3), &on_chain(9, 1, "0.4", Settlement::Open)), Effect::None);
    assert_eq!((*ledger.holdings(), ledger.unsettled()), (before, 0));
}

#[test]
fn after_a_lost_session_the_records_tell_what_is_unsettled() {
    let mut ledger = opened_on_v2();
    ledger.on_fill(Nanos(2), &on_chain(9, 1, "0.4", Settlement::Open));
    ledger.doubt_all();
    assert_eq!(ledger.unsettled(), 2, "and one that may have been missed");
    let held = *ledger.holdings();
    assert_eq!(ledger.on_past_fill(Nanos(3), &on_chain(9, 1, "0.4", Settlement::Settled)), Effect::None);
    assert_eq!(ledger.on_past_fill(Nanos(3), &on_chain(5, 1, "0.2", Settlement::Open)), Effect::None);
    ledger.past_fills_complete();
    assert_eq!((ledger.unsettled(), *ledger.holdings()), (1, held), "records move no balance");
    assert_eq!(ledger.on_past_fill(Nanos(3), &on_chain(5, 1, "0.2", Settlement::Reverted)), Effect::Reverted);
    assert_eq!(
        ledger.on_past_fill(Nanos(3), &on_chain(4, 1, "0.2", Settlement::Reverted)),
        Effect::None,
        "never counted"
    );
    assert_eq!((ledger.unsettled(), *ledger.holdings()), (0, held), "a snapshot tells");
    assert_eq!(snapshot(&mut ledger, 9, "10.4", -801, &[]), Some(Reconciled::Adopted));
}
