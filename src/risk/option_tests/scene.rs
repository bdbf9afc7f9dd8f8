//! A vault with everything in order, to be spoiled one thing at a time.

use crate::account::ledger::{Book, Ledger};
use crate::base::ids::{InstrumentId, Name, Right, Side, SubaccountId, Uuid, VaultId};
pub(in crate::risk) use crate::base::literal::{amount, cash, price, ratio};
use crate::base::num::{Cash, Price, Ratio, Rounding};
use crate::base::time::MS;
use crate::market::black76;
use crate::market::instrument::{Instrument, Kind, OptionTerms};
use crate::msg::{
    CurrencyId, Deal, LEGS, Leg, Mode, Offer, OpenRfq, OptionValue, PricedLeg, Product, Purpose, RfqWish, Snapshot,
    Talk, TimeInForce, Value, Wish,
};
use crate::risk::limits::OptionLimits;
use crate::risk::option_case::{Facet, OptionCase, Purse, Wanted};
use crate::risk::option_checks::{OPTION_CHECKS, refusal};
use crate::risk::wall::Drift;
use crate::risk::wall::terms::OptionTerms as WallTerms;
use crate::risk::*;

pub(in crate::risk) const NOW: Nanos = Nanos(1_000_000 * SEC);
pub(in crate::risk) const DAY_S: u64 = 86_400;
pub(in crate::risk) const BASE: InstrumentId = InstrumentId(0);
/// The near strike 3 000 and the far strike: 3 100 for calls, 2 900 for puts.
pub(in crate::risk) const NEAR: InstrumentId = InstrumentId(1);
pub(in crate::risk) const FAR: InstrumentId = InstrumentId(2);
pub(in crate::risk) const RFQ: Uuid = Uuid(7);
pub(in crate::risk) const QUOTE: Uuid = Uuid(8);
/// Black-76 of the 3 000 call on a forward of 2 700 at volatility 0.6 × 0.8 and 0.3, seven days: the floors of a write.
pub(in crate::risk) const SLIPPED_VOL: &str = "0.48";

pub(in crate::risk) struct Scene {
    pub ledger: Ledger,
    pub limits: OptionLimits,
    pub instruments: [Instrument; 3],
    pub values: [Value; 3],
    pub wanted: Wanted,
    pub replaced: Option<Nonce>,
    pub talk: Talk,
    pub purse: Option<Purse>,
    pub mode: Mode,
    pub session_up: bool,
    pub meets_another: bool,
    pub contract_free: Option<bool>,
    pub budget_left: u32,
    pub fills: u32,
    pub offset: Option<i64>,
    pub key_expires_at: Nanos,
}

pub(crate) fn instrument(id: InstrumentId, kind: Kind, option: Option<OptionTerms>) -> Instrument {
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

pub(in crate::risk) fn terms(strike: i64, right: Right) -> Option<OptionTerms> {
    Some(OptionTerms { expiry_s: NOW.secs() + 7 * DAY_S, strike: Price::whole(strike), right })
}

pub(in crate::risk) fn value(id: InstrumentId, mark: &str, option: Option<OptionValue>) -> Value {
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

/// The mission's contract without margins.
pub(in crate::risk) fn exact(product: Product) -> WallTerms {
    WallTerms { drift: Drift { price: Ratio::ZERO, time_s: 0 }, ..WallTerms::mission(product, price("100")) }
}

/// Puts another contract in its place.
pub(in crate::risk) fn walled(scene: &mut Scene, change: fn(&mut WallTerms)) {
    let product = scene.limits.product;
    let mut terms = exact(product);
    change(&mut terms);
    scene.limits.wall = terms.wall(product);
}

/// Puts another contract in its place, as open as the scene's but for the change.
pub(in crate::risk) fn deal_walled(scene: &mut Scene, change: fn(&mut WallTerms)) {
    let product = scene.limits.product;
    let mut terms = open(product);
    change(&mut terms);
    scene.limits.wall = terms.wall(product);
}

/// A contract far outside of the limits, so that these are what refuses.
fn open(product: Product) -> WallTerms {
    let buys = product.side() == Side::Buy;
    WallTerms {
        spread_ratio_min: Ratio::ZERO,
        spread_ratio_max: Ratio::ONE,
        cost_tolerance: if buys { Ratio::whole(1_000) } else { Ratio::ZERO },
        share_max: Ratio::ONE,
        ..exact(product)
    }
}

pub(in crate::risk) fn limits(product: Product) -> OptionLimits {
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
        losses: crate::risk::losses::LossBudgets::ALL,
        fills_per_minute_max: 100,
        order_life_ns: 310 * SEC,
        reject_after_ns: SEC,
        clock_offset_ns_max: SEC,
        value_age_ns_max: 500 * MS,
        cash_tolerance: Cash::ONE,
        wall: open(product).wall(product),
    }
}

/// 100 base, 10 000 cash; near option marked at 10 (deltas 0.1), far at 4: a spread worth 6, a ratio of 0.06.
pub(in crate::risk) fn scene(product: Product) -> Scene {
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
        meets_another: false,
        contract_free: None,
        budget_left: 1,
        fills: 0,
        offset: Some(0),
        key_expires_at: Nanos::MAX,
    };
    hold(&mut scene, "100", "10000", &[]);
    scene
}

pub(in crate::risk) fn book() -> Book {
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

pub(in crate::risk) fn write(at: &str, quantity: &str) -> Wish {
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

pub(in crate::risk) fn convert(side: Side, at: &str, quantity: &str) -> Wanted {
    Wanted::Order(Wish { instrument: BASE, side, purpose: Purpose::Convert, ..write(at, quantity) })
}

/// A resting purchase of collateral.
pub(in crate::risk) fn conversion(at: &str, quantity: &str) -> Wish {
    Wish { instrument: BASE, side: Side::Buy, purpose: Purpose::Convert, ..write(at, quantity) }
}

pub(in crate::risk) fn leg(instrument: InstrumentId, side: Side, quantity: &str) -> Leg {
    Leg { instrument, side, amount: amount(quantity) }
}

/// The product's package with the near leg on its side.
pub(in crate::risk) fn package(product: Product, quantity: &str) -> [Leg; LEGS] {
    [leg(NEAR, product.side(), quantity), leg(FAR, product.side().opposite(), quantity)]
}

pub(in crate::risk) fn ask(product: Product, quantity: &str) -> Wanted {
    Wanted::Ask(RfqWish { legs: package(product, quantity), partial_fill_step: Ratio::ONE })
}

/// The same package quoted at these prices, within an RFQ for it.
pub(in crate::risk) fn deal(scene: &mut Scene, quantity: &str, prices: [&str; 2], cost_max: &str) {
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

pub(in crate::risk) fn hold(scene: &mut Scene, base: &str, money: &str, held: &[(InstrumentId, &str)]) {
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

pub(in crate::risk) fn rests(scene: &mut Scene, nonce: u64, wish: Wish, life: Life) {
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
    pub fn case(&self) -> OptionCase<'_> {
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
            meets_another: self.meets_another,
            contract_free: self.contract_free,
            budget_left: self.budget_left,
            fills_last_minute: self.fills,
            venue_offset_ns: self.offset,
            key_expires_at: self.key_expires_at,
        }
    }

    pub fn wish(&mut self) -> &mut Wish {
        match &mut self.wanted {
            Wanted::Order(wish) => wish,
            _ => panic!("a single order"),
        }
    }

    pub fn dealt(&mut self) -> &mut Deal {
        match &mut self.wanted {
            Wanted::Deal(deal) => deal,
            _ => panic!("a deal"),
        }
    }

    pub fn verdict(&self) -> &'static str {
        refusal(&self.case()).map_or("pass", |row| OPTION_CHECKS[row].name)
    }
}

/// What is changed in a passing scene.
pub(in crate::risk) type Spoil = fn(&mut Scene);

pub(in crate::risk) fn run(table: &[(&str, Spoil)], product: Product, prepare: Spoil) {
    for (place, (expected, spoil)) in table.iter().enumerate() {
        let mut scene = scene(product);
        prepare(&mut scene);
        assert_eq!(scene.verdict(), "pass", "before row {place}");
        spoil(&mut scene);
        assert_eq!(scene.verdict(), *expected, "row {place}");
    }
}

/// The highest price on the tick at or below Black-76 at that volatility, and the lowest above it.
pub(in crate::risk) fn around_floor(vol: &str) -> (Price, Price) {
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
