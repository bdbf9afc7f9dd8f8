//! Each row of the checks table refuses its own fault, one unit past the limit, and passes at the limit.

use super::checks::{CHECKS, Case, refusal};
use super::limits::Limits;
use super::mandate::ema::MarkLoss;
use super::wall::Drift;
use super::wall::terms::BasisTerms;
use super::*;
use crate::account::ledger::{Book, Ledger};
use crate::base::ids::{InstrumentId, Side, SubaccountId, VaultId};
use crate::base::num::{Cash, Price, Ratio};
use crate::base::time::MS;
use crate::market::instrument::{Instrument, Kind};
use crate::msg::{CurrencyId, Guards, Mode, Purpose, Snapshot, TimeInForce, Value, Wish};

pub(super) const NOW: Nanos = Nanos(1_000 * SEC);
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

fn ratio(text: &str) -> Ratio {
    text.parse().expect("literal")
}

fn amount(text: &str) -> Amount {
    text.parse().expect("literal")
}

fn price(text: &str) -> Price {
    text.parse().expect("literal")
}

/// The mission's contract without margins: it ends where the limits of the scene end.
const EXACT: BasisTerms =
    BasisTerms { drift: Drift { price: Ratio::ZERO, time_s: 0 }, signature_s_min: 310, ..BasisTerms::MISSION };

/// Changes the contract.
fn walled(scene: &mut Scene, change: fn(&mut BasisTerms)) {
    let mut terms = EXACT;
    change(&mut terms);
    scene.limits.wall = terms.wall();
}

/// A loss sum of the contract, at this moment.
fn lost(share: &str) -> MarkLoss {
    MarkLoss { ema: wall::basis::booked(&EXACT.wall(), MarkLoss::NONE, ratio(share), NOW).ema, last_s: NOW.secs() }
}

pub(super) struct Scene {
    pub(super) ledger: Ledger,
    pub(super) limits: Limits,
    pub(super) base: Value,
    pub(super) perp: Value,
    instruments: [Instrument; 2],
    pub(super) wish: Wish,
    replaced: Option<Nonce>,
    mode: Mode,
    session_up: bool,
    meets_another: bool,
    contract_free: Option<bool>,
    loss_ema: Ratio,
    mark_loss: MarkLoss,
    inherited_loss: MarkLoss,
    budget_left: u32,
    fills: u32,
    offset: Option<i64>,
    key_expires_at: Nanos,
}

fn instrument(id: u16, kind: Kind) -> Instrument {
    Instrument {
        id: InstrumentId(id),
        name: Default::default(),
        kind,
        base_currency: Default::default(),
        asset: [0; 20],
        sub_id: 0,
        tick: price("0.1"),
        step: amount("0.01"),
        min_amount: amount("0.01"),
        max_amount: amount("50"),
        maker_fee: Ratio::ZERO,
        taker_fee: Ratio::from_bps(3),
        base_fee: Cash::ZERO,
        mark_fee_cap: Default::default(),
        option: None,
        active: true,
    }
}

/// UB 10 at 1 000: base 15, cash −5 000, perp −5; the wish buys 0.1 at the mark.
pub(super) fn scene() -> Scene {
    let mut scene = Scene {
        ledger: Ledger::new(BOOK),
        limits: Limits {
            delta_min: ratio("0.98"),
            delta_max: ratio("1.02"),
            leverage_min: ratio("0.9"),
            leverage_max: ratio("2"),
            mark_offset_max: Ratio::from_bps(100),
            loss_ema_max: Ratio::from_bps(20),
            loss_decay_e18: 0,
            quote_amount_max: amount("1"),
            hedge_amount_max: amount("2"),
            notional_max: Cash::whole(1_500),
            borrow_max: Cash::whole(20_000),
            margin_factor: ratio("0.9"),
            perp_requirement: ratio("0.066"),
            margin_buffer: Ratio::ZERO,
            drawdown_max: Ratio::ONE,
            off_peg_ns_max: 30 * 1_000_000_000,
            losses: crate::risk::losses::LossBudgets::ALL,
            fills_per_minute_max: 100,
            order_life_ns: 310 * SEC,
            reject_after_ns: SEC,
            clock_offset_ns_max: SEC,
            value_age_ns_max: 500 * MS,
            cash_tolerance: Cash::ONE,
            wall: EXACT.wall(),
        },
        base: value(0),
        perp: value(1),
        instruments: [instrument(0, Kind::Spot), instrument(1, Kind::Perp)],
        wish: quote(Side::Buy, "1000", "0.1"),
        replaced: None,
        mode: Mode::Live,
        session_up: true,
        meets_another: false,
        contract_free: None,
        loss_ema: Ratio::ZERO,
        mark_loss: MarkLoss::NONE,
        inherited_loss: MarkLoss::NONE,
        budget_left: 1,
        fills: 0,
        offset: Some(0),
        key_expires_at: Nanos::MAX,
    };
    hold(&mut scene, "15", -5_000, "-5");
    scene
}

fn value(id: u16) -> Value {
    Value {
        instrument: InstrumentId(id),
        fair: price("1000"),
        mark: price("1000"),
        index: price("1000"),
        band_low: price("980"),
        band_high: price("1020"),
        priced_at: NOW,
        good_until: NOW,
        ..Value::default()
    }
}

pub(super) fn quote(side: Side, at: &str, quantity: &str) -> Wish {
    Wish {
        instrument: BOOK.base,
        side,
        price: price(at),
        amount: amount(quantity),
        tif: TimeInForce::PostOnly,
        reduce_only: false,
        purpose: Purpose::Quote,
    }
}

pub(super) fn hedge(side: Side, at: &str, quantity: &str) -> Wish {
    Wish { instrument: PERP, tif: TimeInForce::Ioc, purpose: Purpose::Hedge, ..quote(side, at, quantity) }
}

pub(super) fn hold(scene: &mut Scene, base: &str, cash: i64, perp: &str) {
    let mark = price("1000");
    let funding = Cash::ZERO;
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
        Snapshot::Position { instrument: PERP, amount: amount(perp), mark, unsettled: Cash::ZERO, funding },
        Snapshot::End { asked_at: NOW },
    ];
    scene.ledger = Ledger::new(BOOK);
    for part in parts {
        scene.ledger.on_snapshot(NOW, &part, Cash::ONE);
    }
}

pub(super) fn rests(scene: &mut Scene, nonce: u64, wish: Wish, life: Life) {
    let order = LiveOrder {
        nonce: Nonce(nonce),
        vault: BOOK.vault,
        subaccount: BOOK.subaccount,
        wish,
        replaces: None,
        life,
        booked: Amount::ZERO,
        final_filled: None,
        approved_at: NOW,
        reject_after: NOW,
        expires_at: Nanos::MAX,
        cancel_asked_at: Nanos::ZERO,
    };
    scene.ledger.reserve(order);
}

impl Scene {
    pub(super) fn case(&self) -> Case<'_> {
        Case {
            at: NOW,
            wish: self.wish,
            replaced: self.replaced.and_then(|nonce| self.ledger.order(nonce)),
            ledger: &self.ledger,
            limits: &self.limits,
            instrument: self.instruments.iter().find(|i| i.id == self.wish.instrument),
            base: &self.base,
            perp: &self.perp,
            mode: self.mode,
            session_up: self.session_up,
            meets_another: self.meets_another,
            contract_free: self.contract_free,
            loss_ema: self.loss_ema,
            mark_loss: self.mark_loss,
            inherited_loss: self.inherited_loss,
            budget_left: self.budget_left,
            fills_last_minute: self.fills,
            venue_offset_ns: self.offset,
            key_expires_at: self.key_expires_at,
        }
    }
}

type Spoil = fn(&mut Scene);

/// (row that must refuse, or "pass"; what is changed in the passing scene)
const TABLE: [(&str, Spoil); 91] = [
    ("pass", |_| {}),
    ("awake", |s| s.mode = Mode::Starting),
    ("awake", |s| s.mode = Mode::Halted),
    ("awake", |s| s.mode = Mode::Drain),
    ("awake", |s| s.session_up = false),
    ("awake", |s| s.ledger.doubt_all()),
    ("pass", |s| {
        s.mode = Mode::Drain;
        hold(s, "15.1", -5_100, "-5");
        s.wish = hedge(Side::Sell, "1000", "0.1");
    }),
    ("fresh", |s| s.base.guards = Guards::VOLATILE),
    ("fresh", |s| s.perp.guards = Guards::EXTERNAL_STALE),
    ("fresh", |s| s.base.mark = Price::ZERO),
    ("fresh", |s| s.base.good_until = Nanos(NOW.0 - 1)),
    ("fresh", |s| s.perp.priced_at = Nanos(NOW.0 - 500 * MS - 1)),
    ("pass", |s| s.perp.priced_at = Nanos(NOW.0 - 500 * MS)),
    ("pass", |s| {
        s.base.guards = Guards::VOLATILE;
        s.wish = hedge(Side::Sell, "1000", "0.1");
    }),
    ("fresh", |s| {
        s.perp.guards = Guards::TICKER_STALE;
        s.wish = hedge(Side::Sell, "1000", "0.1");
    }),
    ("known", |s| s.wish.instrument = InstrumentId(9)),
    ("known", |s| s.wish.purpose = Purpose::Hedge),
    ("known", |s| s.wish.tif = TimeInForce::Gtc),
    ("known", |s| s.instruments[0].active = false),
    ("on_tick", |s| s.wish.price = price("1000.05")),
    ("on_tick", |s| s.wish.amount = amount("0.105")),
    ("on_tick", |s| s.wish.amount = Amount::ZERO),
    ("on_tick", |s| s.wish.price = -price("1000")),
    ("on_tick", |s| s.instruments[0].min_amount = amount("0.11")),
    ("on_tick", |s| s.instruments[0].max_amount = amount("0.09")),
    ("pass", |s| s.instruments[0].min_amount = amount("0.1")),
    ("sized", |s| s.limits.quote_amount_max = amount("0.09")),
    ("pass", |s| s.limits.quote_amount_max = amount("0.1")),
    ("sized", |s| s.limits.notional_max = Cash::whole(99)),
    ("pass", |s| s.limits.notional_max = Cash::whole(100)),
    ("collared", |s| s.wish.price = price("1010.1")),
    ("pass", |s| {
        // 1 % over the mark on 0.1: a loss of 1 in 10 000 is 1 bp.
        s.wish.price = price("1010");
        s.loss_ema = Ratio::from_bps(19);
    }),
    ("collared", |s| {
        s.wish.price = price("1010");
        s.loss_ema = Ratio::from_raw(1_900_001);
    }),
    ("collared", |s| s.wish.price = price("989.9")),
    ("collared", |s| s.base.ask = price("1000")),
    ("pass", |s| s.base.ask = price("1000.1")),
    ("collared", |s| {
        s.wish = hedge(Side::Sell, "995", "0.1");
        s.perp.band_low = price("995.1");
    }),
    ("collared", |s| {
        s.wish = hedge(Side::Buy, "1005", "0.1");
        s.perp.band_high = price("1004.9");
    }),
    ("covered", |s| s.wish = hedge(Side::Buy, "1000", "5.01").limited(s)),
    ("covered", |s| {
        rests(s, 1, hedge(Side::Buy, "999", "4.95"), Life::Open);
        s.wish = hedge(Side::Buy, "1000", "0.1");
    }),
    ("covered", |s| {
        hold(s, "0.05", 10_000, "0");
        s.wish = quote(Side::Sell, "1000", "0.1");
    }),
    ("covered", |s| s.limits.margin_factor = ratio("0.35")),
    ("in_delta", |s| s.wish.amount = amount("0.21")),
    ("pass", |s| s.wish.amount = amount("0.2")),
    ("in_delta", |s| {
        rests(s, 1, quote(Side::Buy, "999", "0.15"), Life::Leaving);
        s.wish.amount = amount("0.06");
    }),
    ("in_delta", |s| s.limits.leverage_max = ratio("1.509")),
    ("pass", |s| s.limits.leverage_max = ratio("1.51")),
    ("in_delta", |s| s.wish = hedge(Side::Sell, "1000", "0.21")),
    ("pass", |s| s.wish = hedge(Side::Sell, "1000", "0.2")),
    ("in_cash", |s| s.limits.borrow_max = Cash::whole(5_099)),
    ("pass", |s| s.limits.borrow_max = Cash::whole(5_100)),
    ("alone", |s| s.meets_another = true),
    ("alone", |s| rests(s, 1, quote(Side::Buy, "999", "0.05"), Life::Open)),
    ("pass", |s| {
        rests(s, 1, quote(Side::Buy, "999", "0.05"), Life::Open);
        s.replaced = Some(Nonce(1));
    }),
    ("alone", |s| {
        rests(s, 1, quote(Side::Buy, "999", "0.05"), Life::Leaving);
        s.replaced = Some(Nonce(1));
    }),
    ("alone", |s| rests(s, 1, hedge(Side::Sell, "999", "0.05"), Life::Unknown)),
    ("alone", |s| {
        (1..=4).for_each(|n| rests(s, n, hedge(Side::Sell, "1001", "0.01"), Life::Pending));
    }),
    ("paced", |s| s.budget_left = 0),
    ("paced", |s| s.fills = 100),
    ("pass", |s| {
        s.fills = 199;
        hold(s, "15.1", -5_100, "-5");
        s.wish = hedge(Side::Sell, "1000", "0.1");
    }),
    ("paced", |s| {
        s.fills = 200;
        hold(s, "15.1", -5_100, "-5");
        s.wish = hedge(Side::Sell, "1000", "0.1");
    }),
    ("settled", |s| s.contract_free = Some(false)),
    ("pass", |s| s.contract_free = Some(true)),
    ("unexpired", |s| s.offset = None),
    ("unexpired", |s| s.offset = Some(-1_000_000_001)),
    ("unexpired", |s| s.key_expires_at = NOW.plus(310 * SEC)),
    ("mandate", |s| walled(s, |t| t.delta_max = ratio("1.009999999"))),
    ("pass", |s| walled(s, |t| t.delta_max = ratio("1.01"))),
    // From below towards the band, and away from it.
    ("pass", |s| walled(s, |t| (t.delta_min, t.delta_max) = (ratio("1.010000001"), ratio("1.1")))),
    ("mandate", |s| {
        walled(s, |t| (t.delta_min, t.delta_max) = (ratio("1.010000001"), ratio("1.1")));
        s.wish = hedge(Side::Sell, "1000", "0.1");
    }),
    ("mandate", |s| walled(s, |t| t.leverage_max = ratio("1.509999999"))),
    ("pass", |s| walled(s, |t| t.leverage_max = ratio("1.51"))),
    ("mandate", |s| walled(s, |t| t.base_fee_max = ratio("0.000899999"))),
    ("pass", |s| walled(s, |t| t.base_fee_max = ratio("0.0009"))),
    ("mandate", |s| {
        walled(s, |t| t.perp_fee_max = ratio("0.000899999"));
        s.wish = hedge(Side::Sell, "1000", "0.1");
    }),
    ("mandate", |s| {
        walled(s, |t| t.base_loss_max = ratio("0.009999999"));
        s.wish.price = price("1010");
    }),
    ("mandate", |s| {
        walled(s, |t| t.perp_loss_max = ratio("0.004999999"));
        s.wish = hedge(Side::Sell, "995", "0.1");
    }),
    ("pass", |s| {
        walled(s, |t| t.perp_loss_max = ratio("0.005"));
        s.wish = hedge(Side::Sell, "995", "0.1");
    }),
    ("pass", |s| {
        // Decay over no time takes a unit of the eighteenth decimal, so the boundary is exact in nine.
        s.wish.price = price("1010");
        s.mark_loss = lost("0.0019");
    }),
    ("mandate", |s| {
        s.wish.price = price("1010");
        s.mark_loss = lost("0.001900001");
    }),
    ("mandate", |s| {
        // What rests may fill at its price: 1 bp booked by it, 18 more, and 1 of the wish.
        rests(s, 1, hedge(Side::Sell, "990", "0.1"), Life::Open);
        s.wish.price = price("1010");
        s.mark_loss = lost("0.001800001");
    }),
    ("pass", |s| {
        rests(s, 1, hedge(Side::Sell, "990", "0.1"), Life::Open);
        s.wish = quote(Side::Buy, "989.9", "0.1");
        s.limits.mark_offset_max = ratio("0.02");
        s.mark_loss = lost("0.0021");
    }),
    ("mandate", |s| {
        s.wish.price = price("1010");
        s.inherited_loss = lost("0.001900001");
    }),
    ("pass", |s| {
        // An hour later half of it is left.
        s.wish.price = price("1010");
        s.inherited_loss = MarkLoss { last_s: 0, ..lost("0.002") };
    }),
    ("pass", |s| {
        s.wish = hedge(Side::Sell, "995", "0.1");
        s.inherited_loss = lost("0.002");
    }),
    ("mandate", |s| walled(s, |t| t.signature_s_max = 309)),
    ("mandate", |s| walled(s, |t| t.signature_s_min = 311)),
    ("mandate", |s| walled(s, |t| (t.drift.time_s, t.signature_s_min) = (4, 307))),
    ("pass", |s| walled(s, |t| (t.drift.time_s, t.signature_s_min) = (4, 306))),
    ("mandate", |s| {
        // The mark may fall by 10 bp before the order is there.
        walled(s, |t| t.drift.price = Ratio::from_bps(10));
        s.wish.price = price("1010");
    }),
    ("pass", |s| {
        walled(s, |t| t.drift.price = Ratio::from_bps(10));
        s.wish.price = price("1008");
    }),
];

impl Wish {
    /// Raises the vault's own size limit so that a later row gets to see the wish.
    fn limited(self, scene: &mut Scene) -> Wish {
        scene.limits.hedge_amount_max = self.amount;
        scene.limits.notional_max = Cash::whole(1_000_000);
        self
    }
}

#[test]
fn every_row_refuses_its_own_fault() {
    for (place, (expected, spoil)) in TABLE.iter().enumerate() {
        let mut scene = scene();
        spoil(&mut scene);
        let got = refusal(&scene.case()).map_or("pass", |row| CHECKS[row].name);
        assert_eq!(got, *expected, "table row {place}");
    }
}

#[test]
fn every_row_of_the_table_is_tested() {
    for check in &CHECKS {
        assert!(TABLE.iter().any(|(name, _)| *name == check.name), "{} has no failing case", check.name);
    }
}

#[test]
fn an_approved_order_carries_what_was_checked() {
    let mut scene = scene();
    rests(&mut scene, 1, quote(Side::Buy, "999", "0.05"), Life::Open);
    scene.replaced = Some(Nonce(1));
    scene.offset = Some(250_000_000);
    let grant = Grant { nonce: Nonce(42), epoch: Epoch(3), trace: Trace::default(), ended: None };
    let (order, live) = approve(&scene.case(), grant).expect("passes");
    assert_eq!((order.nonce(), order.epoch(), order.price()), (Nonce(42), Epoch(3), price("1000")));
    assert_eq!(order.expires_s(), 1_310);
    assert_eq!(order.reject_ms(), 1_001_250);
    assert_eq!(order.replaced().map(|old| old.nonce), Some(Nonce(1)));
    assert_eq!((live.life, live.replaces, live.open()), (Life::Pending, Some(Nonce(1)), amount("0.1")));
    // three times 3 bp of 1 000, no fixed fee
    assert_eq!(order.max_fee(), price("0.9"));
}
