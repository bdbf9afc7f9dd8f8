//! What fills, settlements and executions do to the ledger of an option vault.

use super::*;
use crate::base::num::Price;
use crate::base::time::MS;
use crate::msg::{Fill, Life, Purpose, Snapshot, TimeInForce, Wish};

const SOLD: InstrumentId = InstrumentId(5);
const BOUGHT: InstrumentId = InstrumentId(6);
const BASE: InstrumentId = InstrumentId(0);

fn book() -> Book {
    Book {
        vault: VaultId(0),
        subaccount: SubaccountId(7),
        base: BASE,
        perp: None,
        options: Name::new("ETH"),
        base_currency: CurrencyId(1),
        cash_currency: CurrencyId(0),
    }
}

fn amount(text: &str) -> Amount {
    text.parse().expect("literal")
}

fn cash(text: &str) -> Cash {
    text.parse().expect("literal")
}

/// A leg of the execution named 1, which the venue cannot fill after the tenth second.
fn leg(instrument: InstrumentId, side: Side) -> LiveOrder {
    LiveOrder {
        nonce: Nonce(1),
        vault: VaultId(0),
        subaccount: SubaccountId(7),
        wish: Wish {
            instrument,
            side,
            price: Price::whole(10),
            amount: amount("3"),
            tif: TimeInForce::Fok,
            reduce_only: false,
            purpose: Purpose::Package,
        },
        replaces: None,
        life: Life::Pending,
        booked: Amount::ZERO,
        final_filled: None,
        approved_at: Nanos(0),
        reject_after: Nanos(10 * SEC),
        expires_at: Nanos(500 * SEC),
        cancel_asked_at: Nanos::ZERO,
    }
}

fn fill(trade: u128, instrument: InstrumentId, side: Side, quantity: &str, price: i64) -> Fill {
    Fill {
        subaccount: SubaccountId(7),
        trade_id: Uuid(trade),
        order_id: Uuid(1),
        nonce: Nonce(1),
        instrument,
        side,
        price: Price::whole(price),
        amount: amount(quantity),
        fee: cash("0.5"),
        maker: false,
        mark: Price::whole(price),
        venue_at: Nanos(3_600 * SEC),
        settlement: Default::default(),
    }
}

fn snapshot(ledger: &mut Ledger, asked_at: u64, money: &str, held: &[(InstrumentId, &str)]) -> Reconciled {
    let begin = Snapshot::Begin {
        subaccount: SubaccountId(7),
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
        mark: Price::whole(10),
        unsettled: Cash::ZERO,
        funding: Cash::ZERO,
    });
    let parts = std::iter::once(begin).chain(collateral).chain(positions);
    for part in parts {
        ledger.on_snapshot(Nanos(asked_at + MS), &part, Cash::from_raw(1));
    }
    let end = Snapshot::End { asked_at: Nanos(asked_at) };
    ledger.on_snapshot(Nanos(asked_at + MS), &end, Cash::from_raw(1)).1.expect("complete")
}

fn opened(money: &str, held: &[(InstrumentId, &str)]) -> Ledger {
    let mut ledger = Ledger::new(book());
    assert_eq!(snapshot(&mut ledger, 1, money, held), Reconciled::Adopted);
    ledger
}

fn executing() -> Ledger {
    let mut ledger = opened("0", &[]);
    ledger.reserve(leg(SOLD, Side::Sell));
    ledger.reserve(leg(BOUGHT, Side::Buy));
    ledger
}

fn settlement(asset: Asset, previous: &str, new: &str) -> Balance {
    Balance {
        subaccount: SubaccountId(7),
        asset,
        previous: cash(previous),
        new: cash(new),
        kind: BalanceKind::OptionSettlement,
    }
}

#[test]
fn premium_moves_cash_and_position_at_once_whatever_the_order_and_however_often_it_is_told() {
    let mut ledger = executing();
    // Sold 3 at 10 in two trades, bought 3 at 4: 30 − 12, three fees of 0.5.
    let fills = [
        fill(1, SOLD, Side::Sell, "1", 10),
        fill(2, BOUGHT, Side::Buy, "3", 4),
        fill(1, SOLD, Side::Sell, "1", 10),
        fill(3, SOLD, Side::Sell, "2", 10),
        fill(2, BOUGHT, Side::Buy, "3", 4),
    ];
    let effects: Vec<Effect> = fills.iter().map(|fill| ledger.on_fill(Nanos(2), fill)).collect();
    assert_eq!(effects, [Effect::Changed, Effect::Changed, Effect::None, Effect::Changed, Effect::None]);
    assert_eq!((ledger.options().of(SOLD), ledger.options().of(BOUGHT)), (amount("-3"), amount("3")));
    assert_eq!((ledger.holdings().cash, ledger.flows().premium), (cash("16.5"), cash("16.5")));
    assert_eq!((ledger.flows().fees, ledger.orders().count(), ledger.is_uncertain()), (cash("1.5"), 0, false));
    assert_eq!(snapshot(&mut ledger, 3, "16.5", &[(BOUGHT, "3"), (SOLD, "-3")]), Reconciled::Agrees);
    assert_eq!(ledger.account().proved_at, Nanos(3));
}

#[test]
fn each_leg_keeps_its_own_reservation_until_its_own_fills() {
    let mut ledger = executing();
    assert_eq!(ledger.reserved_options(Side::Sell, None), amount("3"));
    ledger.on_fill(Nanos(2), &fill(1, SOLD, Side::Sell, "1", 10));
    assert_eq!(
        (ledger.reserved(SOLD, Side::Sell, None), ledger.reserved(BOUGHT, Side::Buy, None)),
        (amount("2"), amount("3"))
    );
    ledger.on_fill(Nanos(2), &fill(2, SOLD, Side::Sell, "2", 10));
    assert_eq!((ledger.reserved_options(Side::Sell, None), ledger.orders().count()), (Amount::ZERO, 1));
    ledger.on_fill(Nanos(2), &fill(3, BOUGHT, Side::Buy, "3", 4));
    assert_eq!(ledger.orders().count(), 0);
}

#[test]
fn an_execution_of_unknown_fate_is_doubted_whole_and_resolved_by_a_late_enough_snapshot_only() {
    for (held, money) in [(&[][..], "0"), (&[(SOLD, "-3"), (BOUGHT, "3")][..], "16.5")] {
        let mut ledger = executing();
        ledger.doubt(Nonce(1));
        assert!(ledger.orders().all(|order| order.life == Life::Unknown));
        snapshot(&mut ledger, 9 * SEC, money, held);
        assert_eq!(ledger.orders().count(), 2, "the venue may still fill it");
        assert!(ledger.is_uncertain());
        // Its RFQ is over: a snapshot asked for after that proves either.
        ledger.dead_after(Nonce(1), Nanos(9 * SEC + MS));
        assert_eq!(snapshot(&mut ledger, 9 * SEC + 2 * MS, money, held), Reconciled::Adopted);
        assert_eq!((ledger.orders().count(), ledger.is_uncertain()), (0, false));
        assert_eq!(ledger.options().short(), if held.is_empty() { Amount::ZERO } else { amount("3") });
        assert_eq!(ledger.holdings().cash, cash(money));
    }
}

#[test]
fn a_fill_after_its_execution_was_buried_is_proved_anew() {
    let mut ledger = executing();
    ledger.doubt(Nonce(1));
    assert_eq!(snapshot(&mut ledger, 11 * SEC, "0", &[]), Reconciled::Adopted);
    assert_eq!(ledger.on_fill(Nanos(12 * SEC), &fill(1, SOLD, Side::Sell, "3", 10)), Effect::Changed);
    assert!(ledger.is_uncertain());
    let held = [(SOLD, "-3"), (BOUGHT, "3")];
    assert_eq!(snapshot(&mut ledger, 13 * SEC, "16.5", &held), Reconciled::Adopted);
    assert_eq!(ledger.options().of(BOUGHT), amount("3"));
}

#[test]
fn settlement_becomes_cash_once_in_any_order_with_the_snapshot() {
    let money = Asset::Currency(CurrencyId(0));
    let rows = [
        settlement(Asset::Instrument(SOLD), "-3", "0"),
        settlement(money, "20", "-130"),
        settlement(Asset::Instrument(BOUGHT), "3", "0"),
        settlement(money, "-130", "-100"),
    ];
    let held = [(SOLD, "-3"), (BOUGHT, "3")];
    // In order, with every row told twice.
    let mut ledger = opened("20", &held);
    for row in rows.iter().chain(rows.iter()) {
        assert_eq!(ledger.on_balance(Nanos(2), row), Effect::Changed);
    }
    assert_eq!((ledger.holdings().cash, ledger.flows().settled), (cash("-100"), cash("-120")));
    assert_eq!(ledger.options().iter().count(), 0);
    assert_eq!(
        snapshot(&mut ledger, 3, "-100", &[]),
        Reconciled::Adopted,
        "half of it may have been told: nothing is certain before"
    );
    // The snapshot saw it before the rows came.
    let mut ledger = opened("20", &held);
    assert_eq!(snapshot(&mut ledger, 3, "-100", &[]), Reconciled::Differs);
    assert_eq!(snapshot(&mut ledger, 4, "-100", &[]), Reconciled::Overruled);
    for row in [&rows[0], &rows[2], &rows[3]] {
        ledger.on_balance(Nanos(5), row);
    }
    assert_eq!((ledger.holdings().cash, ledger.options().iter().count()), (cash("-100"), 0));
}

#[test]
fn a_settlement_explains_what_it_tells_and_no_more() {
    let money = Asset::Currency(CurrencyId(0));
    let rows = [settlement(Asset::Instrument(SOLD), "-3", "0"), settlement(money, "20", "-130")];
    let told = |rows: &[Balance]| {
        let mut ledger = opened("20", &[(SOLD, "-3")]);
        rows.iter().for_each(|row| {
            ledger.on_balance(Nanos(2), row);
        });
        ledger
    };
    // Fifty more are gone than it says.
    let mut ledger = told(&rows);
    assert_eq!(snapshot(&mut ledger, SEC, "-180", &[]), Reconciled::Inconclusive, "a row may be under way");
    assert_eq!(snapshot(&mut ledger, 4 * SEC, "-180", &[]), Reconciled::Differs);
    assert_eq!((ledger.holdings().cash, ledger.is_uncertain()), (cash("-130"), true));
    assert_eq!(snapshot(&mut ledger, 5 * SEC, "-180", &[]), Reconciled::Overruled);
    // A position beside it is no more its business.
    let mut ledger = told(&rows);
    assert_eq!(snapshot(&mut ledger, 4 * SEC, "-130", &[(BOUGHT, "1")]), Reconciled::Differs);
    // Its own row comes late: then all is explained.
    let mut ledger = told(&rows[..1]);
    assert_eq!(snapshot(&mut ledger, SEC, "-130", &[]), Reconciled::Inconclusive);
    ledger.on_balance(Nanos(2 * SEC), &rows[1]);
    assert_eq!(snapshot(&mut ledger, 3 * SEC, "-130", &[]), Reconciled::Adopted);
    assert!(!ledger.is_uncertain());
    // It never comes: that is a difference.
    let mut ledger = told(&rows[..1]);
    assert_eq!(snapshot(&mut ledger, 4 * SEC, "-130", &[]), Reconciled::Differs);
    // Where the session was lost before or after, only the venue knows.
    let mut ledger = told(&rows);
    ledger.doubt_all();
    assert_eq!(snapshot(&mut ledger, 4 * SEC, "-180", &[]), Reconciled::Adopted);
    let mut ledger = opened("20", &[(SOLD, "-3")]);
    ledger.doubt_all();
    ledger.on_balance(Nanos(2), &rows[0]);
    assert_eq!(snapshot(&mut ledger, 4 * SEC, "-180", &[]), Reconciled::Adopted);
    // A difference found before is explained by the settlement, or stays one.
    for (shown, verdict) in [("-130", Reconciled::Adopted), ("-180", Reconciled::Differs)] {
        let mut ledger = told(&[]);
        assert_eq!(snapshot(&mut ledger, 3, "-130", &[]), Reconciled::Differs);
        rows.iter().for_each(|row| {
            ledger.on_balance(Nanos(4), row);
        });
        assert_eq!(snapshot(&mut ledger, 4 * SEC, shown, &[]), verdict, "{shown}");
    }
}

#[test]
fn settlement_of_what_is_not_an_option_and_positions_without_room_alarm() {
    let mut ledger = opened("0", &[]);
    assert_eq!(ledger.on_balance(Nanos(2), &settlement(Asset::Currency(CurrencyId(1)), "100", "90")), Effect::Alarm);
    let mut basis = Ledger::new(Book { options: None, perp: Some(InstrumentId(1)), ..book() });
    assert_eq!(basis.on_balance(Nanos(2), &settlement(Asset::Instrument(SOLD), "1", "0")), Effect::Alarm);
    let mut ledger = opened("0", &[]);
    let many: Vec<(InstrumentId, &str)> =
        (10..=10 + crate::msg::HELD as u16).map(|id| (InstrumentId(id), "-1")).collect();
    assert_eq!(snapshot(&mut ledger, 3, "0", &many), Reconciled::Differs);
    assert_eq!(ledger.options().iter().count(), 0, "nothing was taken over");
}

#[test]
fn venue_positions_that_stay_different_are_noticed() {
    let mut ledger = opened("0", &[(SOLD, "-3")]);
    let row = Balance { kind: BalanceKind::Trade, ..settlement(Asset::Instrument(SOLD), "-3", "-4") };
    ledger.on_balance(Nanos(2), &row);
    assert!(!ledger.differs_from_reports(Nanos(SEC / 2)));
    assert!(ledger.differs_from_reports(Nanos(2 * SEC)));
}
