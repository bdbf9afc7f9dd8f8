//! Each row of an option vault's table refuses its own fault, one unit past the limit, and passes at the limit.

use super::limits::{Mandate, OptionLimits};
use super::nonces::NonceSource;
use super::option_case::{Facet, OptionCase, Purse, Wanted};
use super::option_checks::{OPTION_CHECKS, refusal};
use super::option_grant::{Allowed, check_options};
use super::*;
use crate::account::ledger::{Book, Ledger};
use crate::base::ids::{InstrumentId, Name, Right, Side, SubaccountId, Uuid, VaultId};
use crate::base::num::{Cash, Price, Ratio, Rounding};
use crate::base::time::MS;
use crate::market::black76;
use crate::market::instrument::{Instrument, Kind, OptionTerms};
use crate::msg::{
    CurrencyId, Deal, Guards, LEGS, Leg, Mode, Offer, OpenRfq, OptionValue, PricedLeg, Product, Purpose, RfqWish,
    Snapshot, Talk, TimeInForce, Value, Wish,
};

const NOW: Nanos = Nanos(1_000_000 * SEC);
const DAY_S: u64 = 86_400;
const BASE: InstrumentId = InstrumentId(0);
/// The near strike 3 000 and the far strike: 3 100 for calls, 2 900 for puts.
const NEAR: InstrumentId = InstrumentId(1);
const FAR: InstrumentId = InstrumentId(2);
const RFQ: Uuid = Uuid(7);
const QUOTE: Uuid = Uuid(8);
/// Black-76 of the 3 000 call on a forward of 2 700 at volatility 0.6 × 0.8 and 0.3, seven days: the floors of a write.
const SLIPPED_VOL: &str = "0.48";

fn ratio(text: &str) -> Ratio {
    text.parse().expect("literal")
}

fn amount(text: &str) -> Amount {
    text.parse().expect("literal")
}

fn price(text: &str) -> Price {
    text.parse().expect("literal")
}

fn cash(text: &str) -> Cash {
    text.parse().expect("literal")
}

struct Scene {
    ledger: Ledger,
    limits: OptionLimits,
    instruments: [Instrument; 3],
    values: [Value; 3],
    wanted: Wanted,
    replaced: Option<Nonce>,
    talk: Talk,
    purse: Option<Purse>,
    mode: Mode,
    session_up: bool,
    budget_left: u32,
    fills: u32,
    offset: Option<i64>,
    key_expires_at: Nanos,
}

fn instrument(id: InstrumentId, kind: Kind, option: Option<OptionTerms>) -> Instrument {
    Instrument {
        id,
        name: Name::new("X").expect("short"),
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
        option,
        active: true,
    }
}

fn terms(strike: i64, right: Right) -> Option<OptionTerms> {
    Some(OptionTerms { expiry_s: NOW.secs() + 7 * DAY_S, strike: Price::whole(strike), right })
}

fn value(id: InstrumentId, mark: &str, option: Option<OptionValue>) -> Value {
    Value {
        instrument: id,
        mark: price(mark),
        index: price("2700"),
        option,
        priced_at: NOW,
        good_until: NOW,
        ..Value::default()
    }
}

fn limits(product: Product) -> OptionLimits {
    OptionLimits {
        product,
        delta_min: ratio("0.05"),
        delta_max: ratio("0.15"),
        vol_factor_min: ratio("0.8"),
        iv_min: ratio("0.3"),
        strike_diff: price("100"),
        spread_ratio_min: ratio("0.02"),
        spread_ratio_max: ratio("0.12"),
        mark_tolerance: ratio("0.5"),
        tvl_share_max: ratio("0.05"),
        life_s_min: 6 * DAY_S,
        life_s_max: 8 * DAY_S,
        cash_min: cash("-1000"),
        buy_premium_max: ratio("0.015"),
        sell_discount_max: ratio("0.015"),
        option_amount_max: amount("60"),
        collateral_amount_max: amount("20"),
        notional_max: cash("200000"),
        fills_per_minute_max: 100,
        order_life_ns: 310 * SEC,
        reject_after_ns: SEC,
        clock_offset_ns_max: SEC,
        value_age_ns_max: 500 * MS,
        cash_tolerance: Cash::ONE,
    }
}

/// 100 base, 10 000 cash; near option marked at 10 (deltas 0.1), far at 4: a spread worth 6, a ratio of 0.06.
fn scene(product: Product) -> Scene {
    let right = product.right();
    let far_strike = if right == Right::Call { 3_100 } else { 2_900 };
    let iv = OptionValue { mark_iv: ratio("0.6"), forward: price("2700"), discount: Ratio::ONE, delta: ratio("0.1") };
    let mut scene = Scene {
        ledger: Ledger::new(book()),
        limits: limits(product),
        instruments: [
            instrument(BASE, Kind::Spot, None),
            instrument(NEAR, Kind::Option, terms(3_000, right)),
            instrument(FAR, Kind::Option, terms(far_strike, right)),
        ],
        values: [value(BASE, "2700", None), value(NEAR, "10", Some(iv)), value(FAR, "4", Some(iv))],
        wanted: Wanted::Order(write("10", "5")),
        replaced: None,
        talk: Talk::default(),
        purse: Some(Purse { budget: cash("1000"), spent: Cash::ZERO }),
        mode: Mode::Live,
        session_up: true,
        budget_left: 1,
        fills: 0,
        offset: Some(0),
        key_expires_at: Nanos::MAX,
    };
    hold(&mut scene, "100", "10000", &[]);
    scene
}

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

fn write(at: &str, quantity: &str) -> Wish {
    Wish {
        instrument: NEAR,
        side: Side::Sell,
        price: price(at),
        amount: amount(quantity),
        tif: TimeInForce::Gtc,
        reduce_only: false,
        purpose: Purpose::Write,
    }
}

fn convert(side: Side, at: &str, quantity: &str) -> Wanted {
    Wanted::Order(Wish { instrument: BASE, side, purpose: Purpose::Convert, ..write(at, quantity) })
}

/// A resting purchase of collateral.
fn conversion(at: &str, quantity: &str) -> Wish {
    Wish { instrument: BASE, side: Side::Buy, purpose: Purpose::Convert, ..write(at, quantity) }
}

fn leg(instrument: InstrumentId, side: Side, quantity: &str) -> Leg {
    Leg { instrument, side, amount: amount(quantity) }
}

/// The product's package with the near leg on its side.
fn package(product: Product, quantity: &str) -> [Leg; LEGS] {
    [leg(NEAR, product.side(), quantity), leg(FAR, product.side().opposite(), quantity)]
}

fn ask(product: Product, quantity: &str) -> Wanted {
    Wanted::Ask(RfqWish { legs: package(product, quantity), partial_fill_step: Ratio::ONE })
}

/// The same package quoted at these prices, within an RFQ for it.
fn deal(scene: &mut Scene, quantity: &str, prices: [&str; 2], cost_max: &str) {
    let legs = package(scene.limits.product, quantity);
    let priced = std::array::from_fn(|place| PricedLeg { leg: legs[place], price: price(prices[place]) });
    scene.talk.rfq = Some(OpenRfq {
        name: Nonce(3),
        rfq_id: Some(RFQ),
        wish: RfqWish { legs, partial_fill_step: Ratio::ONE },
        opened_at: NOW,
        valid_until: NOW.plus(60 * SEC),
        filled: Ratio::ZERO,
        leaving: false,
    });
    scene.talk.offers[0] =
        Some(Offer { quote_id: QUOTE, maker: 5, created_at: NOW, filled: Ratio::ZERO, legs: priced, fee: None });
    scene.wanted = Wanted::Deal(Deal { rfq_id: RFQ, quote_id: QUOTE, legs: priced, cost_max: cash(cost_max) });
}

fn hold(scene: &mut Scene, base: &str, money: &str, held: &[(InstrumentId, &str)]) {
    let begin = Snapshot::Begin {
        subaccount: SubaccountId(7),
        initial_margin: Cash::ZERO,
        maintenance_margin: Cash::ZERO,
        value: Cash::ZERO,
        liquidation: false,
    };
    let collateral = [(base, CurrencyId(1)), (money, CurrencyId(0))]
        .map(|(text, currency)| Snapshot::Collateral { currency, amount: cash(text) });
    let positions = held.iter().map(|(instrument, text)| Snapshot::Position {
        instrument: *instrument,
        amount: amount(text),
        mark: Price::ONE,
        unsettled: Cash::ZERO,
        funding: Cash::ZERO,
    });
    scene.ledger = Ledger::new(book());
    let parts = std::iter::once(begin).chain(collateral).chain(positions);
    for part in parts.chain([Snapshot::End { asked_at: NOW }]) {
        scene.ledger.on_snapshot(NOW, &part, Cash::ONE);
    }
}

fn rests(scene: &mut Scene, nonce: u64, wish: Wish, life: Life) {
    scene.ledger.reserve(LiveOrder {
        nonce: Nonce(nonce),
        vault: VaultId(0),
        subaccount: SubaccountId(7),
        wish,
        replaces: None,
        life,
        booked: Amount::ZERO,
        final_filled: None,
        approved_at: NOW,
        reject_after: NOW,
        expires_at: Nanos::MAX,
        cancel_asked_at: Nanos::ZERO,
    });
}

impl Scene {
    fn case(&self) -> OptionCase<'_> {
        let facet = |id: InstrumentId| {
            let place = self.instruments.iter().position(|instrument| instrument.id == id)?;
            Some(Facet { instrument: &self.instruments[place], value: &self.values[place] })
        };
        let legs = match self.wanted {
            Wanted::Order(wish) => [facet(wish.instrument), None],
            Wanted::Ask(wish) => wish.legs.map(|leg| facet(leg.instrument)),
            Wanted::Deal(deal) => deal.legs.map(|priced| facet(priced.leg.instrument)),
        };
        OptionCase {
            at: NOW,
            wanted: self.wanted,
            replaced: self.replaced.and_then(|nonce| self.ledger.order(nonce)),
            ledger: &self.ledger,
            limits: &self.limits,
            legs,
            base: &self.values[0],
            talk: &self.talk,
            purse: self.purse,
            mode: self.mode,
            session_up: self.session_up,
            budget_left: self.budget_left,
            fills_last_minute: self.fills,
            venue_offset_ns: self.offset,
            key_expires_at: self.key_expires_at,
        }
    }

    fn wish(&mut self) -> &mut Wish {
        match &mut self.wanted {
            Wanted::Order(wish) => wish,
            _ => panic!("a single order"),
        }
    }

    fn dealt(&mut self) -> &mut Deal {
        match &mut self.wanted {
            Wanted::Deal(deal) => deal,
            _ => panic!("a deal"),
        }
    }

    fn verdict(&self) -> &'static str {
        refusal(&self.case()).map_or("pass", |row| OPTION_CHECKS[row].name)
    }
}

/// What is changed in a passing scene.
type Spoil = fn(&mut Scene);

fn run(table: &[(&str, Spoil)], product: Product, prepare: Spoil) {
    for (place, (expected, spoil)) in table.iter().enumerate() {
        let mut scene = scene(product);
        prepare(&mut scene);
        assert_eq!(scene.verdict(), "pass", "before row {place}");
        spoil(&mut scene);
        assert_eq!(scene.verdict(), *expected, "row {place}");
    }
}

/// The highest price on the tick at or below Black-76 at that volatility, and the lowest above it.
fn around_floor(vol: &str) -> (Price, Price) {
    let floor = black76::price(
        Right::Call,
        price("2700"),
        price("3000"),
        ratio(vol),
        (7 * DAY_S) as i64,
        Ratio::ONE,
        Rounding::Floor,
    );
    let below = floor.expect("ordinary").to_tick(price("0.1"), Rounding::Floor);
    (below, below + price("0.1"))
}

const WRITES: [(&str, Spoil); 45] = [
    ("awake", |s| s.mode = Mode::Drain),
    ("awake", |s| s.mode = Mode::Starting),
    ("awake", |s| s.session_up = false),
    ("awake", |s| s.ledger.mistrust()),
    ("fresh", |s| s.values[1].guards = Guards::MODEL_DEVIATES),
    ("fresh", |s| s.values[0].guards = Guards::RATIO_STALE),
    ("fresh", |s| s.values[1].priced_at = Nanos(NOW.0 - 500 * MS - 1)),
    ("pass", |s| s.values[1].priced_at = Nanos(NOW.0 - 500 * MS)),
    ("fresh", |s| s.values[1].good_until = Nanos(NOW.0 - 1)),
    ("fresh", |s| s.values[1].option = None),
    ("fresh", |s| s.values[0].mark = Price::ZERO),
    ("known", |s| s.wish().instrument = InstrumentId(9)),
    ("known", |s| s.limits.product = Product::ShortCallSpread),
    ("known", |s| s.wish().side = Side::Buy),
    ("known", |s| s.wish().tif = TimeInForce::Ioc),
    ("known", |s| s.instruments[1].active = false),
    ("known", |s| s.instruments[1].option = terms(3_000, Right::Put)),
    ("known", |s| s.instruments[1].base_currency = Name::new("BTC").expect("short")),
    ("known", |s| s.limits.life_s_min = 7 * DAY_S + 1),
    ("pass", |s| s.limits.life_s_min = 7 * DAY_S),
    ("known", |s| s.limits.life_s_max = 7 * DAY_S - 1),
    ("pass", |s| s.limits.life_s_max = 7 * DAY_S),
    ("on_tick", |s| s.wish().price = price("10.05")),
    ("on_tick", |s| s.wish().amount = amount("5.001")),
    ("on_tick", |s| s.wish().amount = amount("0.09")),
    ("sized", |s| s.limits.option_amount_max = amount("4.99")),
    ("pass", |s| s.limits.option_amount_max = amount("5")),
    ("sized", |s| s.limits.notional_max = cash("13499.99")),
    ("pass", |s| s.limits.notional_max = cash("13500")),
    ("collared", |s| s.limits.delta_min = ratio("0.100000001")),
    ("collared", |s| s.limits.delta_max = ratio("0.099999999")),
    ("collared", |s| s.wish().price = around_floor(SLIPPED_VOL).0),
    ("pass", |s| s.wish().price = around_floor(SLIPPED_VOL).1),
    ("collared", |s| {
        s.limits.iv_min = ratio("0.59");
        s.wish().price = around_floor("0.59").0;
    }),
    ("pass", |s| {
        s.limits.iv_min = ratio("0.59");
        s.wish().price = around_floor("0.59").1;
    }),
    ("covered", |s| hold(s, "100", "0", &[(FAR, "-95.01")])),
    ("pass", |s| hold(s, "100", "0", &[(FAR, "-95")])),
    ("covered", |s| hold(s, "100", "0", &[(FAR, "0.01")])),
    ("in_cash", |s| hold(s, "100", "-1000.01", &[])),
    ("pass", |s| hold(s, "100", "-1000", &[])),
    ("alone", |s| rests(s, 1, write("11", "1"), Life::Open)),
    ("alone", |s| rests(s, 1, write("11", "1"), Life::Unknown)),
    ("paced", |s| s.budget_left = 0),
    ("paced", |s| s.fills = 100),
    ("unexpired", |s| s.offset = None),
];

#[test]
fn writes_are_held_to_every_row() {
    run(&WRITES, Product::CoveredCall, |_| {});
}

#[test]
fn a_replacement_counts_with_its_old() {
    let mut scene = scene(Product::CoveredCall);
    rests(&mut scene, 1, write("11", "60"), Life::Open);
    scene.replaced = Some(Nonce(1));
    assert_eq!(scene.verdict(), "pass");
    // The old one may fill before it is replaced: the larger of the two is what may be written.
    hold(&mut scene, "59.99", "0", &[]);
    rests(&mut scene, 1, write("11", "60"), Life::Open);
    assert_eq!(scene.verdict(), "covered");
    hold(&mut scene, "60", "0", &[]);
    rests(&mut scene, 1, write("11", "60"), Life::Leaving);
    assert_eq!(scene.verdict(), "alone", "only a resting order is replaced");
    hold(&mut scene, "200", "0", &[]);
    rests(&mut scene, 1, Wish { instrument: FAR, ..write("11", "60") }, Life::Open);
    assert_eq!(scene.verdict(), "alone", "a replacement stays in its instrument");
}

const CONVERSIONS: [(&str, Spoil); 17] = [
    // 3 at 2 700 is 8 100, and 0.03 % and 0.5 of fees; a sale may raise 1 too many.
    ("in_cash", |s| hold(s, "100", "8102.929999", &[])),
    ("pass", |s| hold(s, "100", "8102.93", &[])),
    ("in_cash", |s| hold(s, "100", "-9000", &[])),
    ("collared", |s| s.wish().price = price("2740.6")),
    ("pass", |s| s.wish().price = price("2740.5")),
    ("collared", |s| s.values[0].band_high = price("2699.9")),
    ("sized", |s| s.limits.collateral_amount_max = amount("2.99")),
    ("known", |s| s.wish().instrument = NEAR),
    ("awake", |s| s.mode = Mode::Drain),
    ("fresh", |s| s.values[0].guards = Guards::TICKER_STALE),
    ("in_cash", |s| s.wanted = convert(Side::Sell, "2700", "3")),
    ("pass", |s| {
        hold(s, "100", "-8096.07", &[]);
        s.wanted = convert(Side::Sell, "2700", "3");
    }),
    ("in_cash", |s| {
        hold(s, "100", "-8096.069999", &[]);
        s.wanted = convert(Side::Sell, "2700", "3");
    }),
    ("collared", |s| {
        hold(s, "100", "-9000", &[]);
        s.wanted = convert(Side::Sell, "2659.4", "3");
    }),
    ("pass", |s| {
        // Draining, in a hurry: a debt may still be paid.
        (s.mode, s.fills) = (Mode::Drain, 199);
        hold(s, "100", "-9000", &[]);
        s.wanted = convert(Side::Sell, "2659.5", "3");
    }),
    ("covered", |s| {
        hold(s, "100", "-9000", &[(NEAR, "-97.01")]);
        s.wanted = convert(Side::Sell, "2700", "3");
    }),
    ("pass", |s| {
        hold(s, "100", "-9000", &[(NEAR, "-97")]);
        s.wanted = convert(Side::Sell, "2700", "3");
    }),
];

#[test]
fn conversions_clear_cash_and_never_cross_zero() {
    run(&CONVERSIONS, Product::CoveredCall, |s| s.wanted = convert(Side::Buy, "2700", "3"));
}

const SHORT_DEALS: [(&str, Spoil); 33] = [
    ("awake", |s| s.mode = Mode::Drain),
    ("fresh", |s| s.values[2].guards = Guards::TICKER_STALE),
    ("known", |s| s.limits.strike_diff = price("100.1")),
    ("known", |s| s.instruments[2].option = None),
    ("known", |s| s.instruments[2].option.as_mut().expect("terms").expiry_s += 1),
    ("known", |s| s.dealt().legs.swap(0, 1)),
    ("known", |s| s.dealt().rfq_id = Uuid(99)),
    ("known", |s| s.dealt().quote_id = Uuid(99)),
    ("known", |s| s.dealt().legs[0].price = price("9.6")),
    ("known", |s| s.talk.rfq.as_mut().expect("asked").wish.legs[0].amount = amount("4.99")),
    ("known", |s| s.talk.rfq = None),
    ("on_tick", |s| deal(s, "5", ["9.55", "4"], "-15")),
    ("sized", |s| s.limits.option_amount_max = amount("4.99")),
    ("collared", |s| s.limits.spread_ratio_min = ratio("0.060000001")),
    ("collared", |s| s.limits.spread_ratio_max = ratio("0.059999999")),
    // 5 at mark are 30; at least half of it must come in.
    ("collared", |s| deal(s, "5", ["6.9", "4"], "0")),
    ("pass", |s| deal(s, "5", ["7", "4"], "0")),
    ("collared", |s| deal(s, "5", ["4", "10"], "1000")),
    ("collared", |s| s.dealt().cost_max = cash("-25.000000001")),
    ("pass", |s| s.dealt().cost_max = cash("-25")),
    ("covered", |s| hold(s, "100", "0", &[(NEAR, "-95.01"), (FAR, "95.01")])),
    ("covered", |s| hold(s, "100", "0", &[(NEAR, "-1"), (FAR, "0.99")])),
    ("covered", |s| hold(s, "100", "0", &[(InstrumentId(9), "1")])),
    ("covered", |s| rests(s, 1, write("11", "1"), Life::Open)),
    ("covered", |s| hold(s, "100", "0", &[(NEAR, "1"), (FAR, "-1")])),
    // 100 × units on 270 000 of collateral, 5 % of it: 135 units, less than the collateral covers only when that is more.
    ("in_share", |s| s.limits.tvl_share_max = ratio("0.00185")),
    ("pass", |s| s.limits.tvl_share_max = ratio("0.001851852")),
    ("in_cash", |s| hold(s, "100", "-1000.01", &[])),
    ("in_cash", |s| s.instruments[1].base_fee = cash("25")),
    ("alone", |s| rests(s, 1, conversion("2600", "1"), Life::Open)),
    ("alone", |s| s.talk.rfq.as_mut().expect("asked").leaving = true),
    ("alone", |s| s.talk.rfq.as_mut().expect("asked").valid_until = NOW),
    ("unexpired", |s| s.key_expires_at = NOW.plus(310 * SEC)),
];

#[test]
fn executions_of_short_spreads_are_held_to_every_row() {
    for product in [Product::ShortCallSpread, Product::ShortPutSpread] {
        run(&SHORT_DEALS, product, |s| deal(s, "5", ["9", "4"], "-15"));
    }
}

/// The covered row alone, with nothing else in the way.
#[test]
fn spreads_never_exceed_the_collateral() {
    for (quantity, expected) in [("50", "pass"), ("50.01", "covered")] {
        let mut scene = scene(Product::ShortCallSpread);
        hold(&mut scene, "100", "0", &[(NEAR, "-50"), (FAR, "50")]);
        deal(&mut scene, quantity, ["9", "4"], "0");
        assert_eq!(scene.verdict(), expected, "{quantity}");
    }
}

const LONG_DEALS: [(&str, Spoil); 9] = [
    ("collared", |s| deal(s, "5", ["13.1", "4"], "1000")),
    ("pass", |s| deal(s, "5", ["13", "4"], "1000")),
    ("collared", |s| s.dealt().cost_max = cash("29.999999999")),
    // A buyer needs no cover, but a share: 135 units are 5 % of 270 000.
    ("in_share", |s| hold(s, "100", "0", &[(NEAR, "130.01"), (FAR, "-130.01")])),
    ("pass", |s| hold(s, "100", "0", &[(NEAR, "130"), (FAR, "-130")])),
    ("in_cash", |s| s.purse = None),
    // 30 for the spread, expected fees of 4.05 + 2.5 and once 0.5.
    ("in_cash", |s| s.purse = Some(Purse { budget: cash("100"), spent: cash("62.950000001") })),
    ("pass", |s| s.purse = Some(Purse { budget: cash("100"), spent: cash("62.95") })),
    ("pass", |s| s.purse = Some(Purse { budget: cash("100"), spent: cash("-50") })),
];

#[test]
fn a_buyer_never_overdraws_its_purse() {
    run(&LONG_DEALS, Product::LongCallSpread, |s| {
        s.limits.mark_tolerance = ratio("1.5");
        deal(s, "5", ["10", "4"], "1000");
    });
}

const ASKS: [(&str, Spoil); 9] = [
    ("known", |s| s.wanted = ask(Product::LongCallSpread, "5")),
    ("known", |s| {
        s.wanted =
            Wanted::Ask(RfqWish { legs: package(Product::ShortCallSpread, "5"), partial_fill_step: Ratio::ZERO });
    }),
    ("on_tick", |s| s.wanted = ask(Product::ShortCallSpread, "5.001")),
    ("collared", |s| s.limits.spread_ratio_min = ratio("0.060000001")),
    ("covered", |s| hold(s, "4.99", "0", &[])),
    ("in_share", |s| s.limits.tvl_share_max = ratio("0.00185")),
    ("alone", |s| {
        let wanted = s.wanted;
        deal(s, "5", ["9", "4"], "0");
        s.wanted = wanted;
    }),
    ("alone", |s| rests(s, 1, conversion("2600", "1"), Life::Unknown)),
    ("paced", |s| s.budget_left = 0),
];

#[test]
fn questions_are_held_to_the_rows_that_need_no_price() {
    run(&ASKS, Product::ShortCallSpread, |s| s.wanted = ask(Product::ShortCallSpread, "5"));
}

#[test]
fn every_row_has_a_name_and_a_failing_case() {
    let names = checks::row_names(&Mandate::Options(limits(Product::CoveredCall)));
    for name in names {
        let tables = [&WRITES[..], &CONVERSIONS[..], &SHORT_DEALS[..], &LONG_DEALS[..], &ASKS[..]];
        assert!(tables.iter().any(|table| table.iter().any(|(row, _)| *row == name)), "{name} has no failing case");
    }
}

#[test]
fn a_grant_carries_what_was_checked() {
    let mut nonces = NonceSource::above(Nonce(0));
    nonces.sync(0);
    let grant = Grant { nonce: Nonce(42), epoch: Epoch(3), trace: Trace::default() };
    let mut scene = scene(Product::LongCallSpread);
    scene.limits.mark_tolerance = ratio("1.5");
    scene.purse = Some(Purse { budget: cash("100"), spent: cash("50") });
    deal(&mut scene, "5", ["10", "4"], "1000");
    scene.offset = Some(250_000_000);
    let case = scene.case();
    let Ok(pass) = check_options(&case) else { panic!("passes") };
    let Allowed::Execution(execution, legs) = pass.grant(grant) else { panic!("an execution") };
    // Three times the variable fees and the fixed one would be 20.15; the purse has 20 left.
    assert_eq!((execution.max_fee(), execution.nonce(), execution.epoch()), (cash("20"), Nonce(42), Epoch(3)));
    assert_eq!((execution.expires_s(), execution.late_after()), (1_000_310, NOW.plus(SEC)));
    assert!(legs.iter().all(|leg| leg.nonce == Nonce(42) && leg.reject_after == NOW.plus(60 * SEC + SEC / 2)));
    assert_eq!((legs[0].wish.side, legs[1].wish.side), (Side::Buy, Side::Sell));
}
