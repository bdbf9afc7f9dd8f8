//! The worked examples D3 to D8 and every branch of quote and hedge.

use super::*;
use crate::base::ids::{Nonce, VaultId};
use crate::base::num::Cash;
use crate::base::time::SEC;
use crate::market::instrument::{Instrument, Kind};
use crate::msg::{Account, SLOTS, Value};

const NOW: Nanos = Nanos(1_000 * SEC);

fn ratio(text: &str) -> Ratio {
    text.parse().expect("literal")
}

fn amount(text: &str) -> Amount {
    text.parse().expect("literal")
}

fn params() -> Params {
    Params {
        target_leverage: ratio("2"),
        enter_carry: ratio("0.02"),
        exit_carry: ratio("0"),
        bid_offset: Ratio::from_bps(5),
        ask_offset: Ratio::from_bps(-5),
        soft_delta_min: ratio("0.99"),
        soft_delta_max: ratio("1.01"),
        clip: amount("1"),
        mark_offset_max: Ratio::from_bps(100),
        loss_ema_max: Ratio::from_bps(20),
        margin_factor: ratio("0.9"),
        perp_requirement: ratio("0.066"),
        margin_buffer: ratio("0.02"),
        reprice_min: Ratio::from_bps(1),
        adverse_cancel: Ratio::from_bps(2),
        resize_min: ratio("0.25"),
        hedge_slippage: Ratio::from_bps(30),
        refresh_ns: 60 * SEC,
        refusal_pause_ns: SEC,
        judged_per_fill: None,
    }
}

fn instrument(id: u16, kind: Kind) -> Instrument {
    Instrument {
        id: InstrumentId(id),
        name: Default::default(),
        kind,
        base_currency: Default::default(),
        asset: [0; 20],
        sub_id: 0,
        tick: Price::ONE,
        step: amount("0.01"),
        min_amount: amount("0.01"),
        max_amount: amount("1000"),
        maker_fee: Ratio::ZERO,
        taker_fee: Ratio::ZERO,
        base_fee: Cash::ZERO,
        mark_fee_cap: Default::default(),
        option: None,
        active: true,
    }
}

struct Scene {
    account: Account,
    base: Value,
    perp: Value,
    base_instrument: Instrument,
    perp_instrument: Instrument,
    state: State,
}

/// D2: UB 10, base 15, cash −500 000, perp −5 at 100 000, carry good.
fn scene() -> Scene {
    let mark = Price::whole(100_000);
    let value = |id| Value {
        instrument: InstrumentId(id),
        fair: mark,
        mark,
        index: mark,
        good_until: NOW.plus(SEC),
        funding_hourly: ratio("0.00001"),
        ..Value::default()
    };
    let perp = amount("-5");
    Scene {
        account: Account {
            settling: false,
            trace: Default::default(),
            vault: VaultId(0),
            mode: Mode::Live,
            base: amount("15"),
            perp,
            cash: Cash::whole(-500_000),
            perp_cost: mark.times(perp),
            borrow_apr: Some(Ratio::ZERO),
            loss_ema: Ratio::ZERO,
            intents_seen: 0,
            intent_refused: 0,
            proved_at: Nanos::ZERO,
            milestone: crate::msg::Milestone::default(),
            held: [None; crate::msg::HELD],
            quote_budget: 10,
            working: [None; SLOTS],
        },
        base: value(0),
        perp: value(1),
        base_instrument: instrument(0, Kind::Spot),
        perp_instrument: instrument(1, Kind::Perp),
        state: State::default(),
    }
}

impl Scene {
    fn look(&mut self) -> Option<Act> {
        self.look_with(params())
    }

    fn look_with(&mut self, params: Params) -> Option<Act> {
        let view = View {
            account: &self.account,
            base: &self.base,
            perp: &self.perp,
            base_instrument: &self.base_instrument,
            perp_instrument: &self.perp_instrument,
        };
        Basis::new(params).intent(&mut self.state, &view, NOW)
    }

    fn rests(&mut self, side: Side, price: i64, quantity: &str, life: Life) {
        let wish = quote(side, Price::whole(price), quantity);
        let expires_at = NOW.plus(300 * SEC);
        let order = Working { nonce: Nonce(1), life, wish, filled: Amount::ZERO, expires_at };
        self.account.working[0] = Some(order);
    }
}

fn quote(side: Side, price: Price, quantity: &str) -> Wish {
    Wish {
        instrument: InstrumentId(0),
        side,
        price,
        amount: amount(quantity),
        tif: TimeInForce::PostOnly,
        reduce_only: false,
        purpose: Purpose::Quote,
    }
}

fn placed(act: Option<Act>) -> Wish {
    match act {
        Some(Act::Place(wish)) => wish,
        other => panic!("expected a new order, got {other:?}"),
    }
}

/// D3 and D5: the soft delta limit allows 0.1, target leverage 5, so the bid is 0.1 at fair + 5 bp.
#[test]
fn bids_the_smallest_room() {
    assert_eq!(placed(scene().look()), quote(Side::Buy, Price::whole(100_050), "0.1"));
}

/// D6: a fill of 0.1 asks for a hedge of 0.1, before anything else.
#[test]
fn keeps_to_half_of_what_a_contract_allows_that_judges_each_fill() {
    let bounds = |delta_max: &str, leverage_max: &str| {
        let (delta_min, leverage_min) = (ratio("0.98"), ratio("0.9"));
        let bounds = Bounds { delta_min, delta_max: ratio(delta_max), leverage_min, leverage_max: ratio(leverage_max) };
        Params { judged_per_fill: Some(bounds), ..params() }
    };
    assert_eq!(placed(scene().look_with(bounds("1.03", "2"))).amount, amount("0.1"), "the soft limit is nearer");
    assert_eq!(placed(scene().look_with(bounds("1.012", "2"))).amount, amount("0.06"));
    assert_eq!(placed(scene().look_with(bounds("1.03", "1.508"))).amount, amount("0.04"));
    // A hedge ends at a delta of one, and may lead no further than the bound from there.
    let mut scene = scene();
    scene.account.base = amount("16");
    scene.account.cash = Cash::whole(-600_000);
    let hedge = placed(scene.look_with(bounds("1.02", "2")));
    assert_eq!((hedge.side, hedge.amount), (Side::Sell, amount("0.2")));
}

#[test]
fn hedges_a_fill_first_and_counts_what_is_under_way() {
    let mut filled = scene();
    filled.account.base = amount("15.1");
    filled.account.cash = Cash::whole(-510_000);
    let hedge = placed(filled.look());
    assert_eq!((hedge.side, hedge.amount, hedge.purpose), (Side::Sell, amount("0.1"), Purpose::Hedge));
    assert_eq!((hedge.price, hedge.tif), (Price::whole(99_700), TimeInForce::Ioc));

    filled.account.working[0] = Some(Working {
        nonce: Nonce(2),
        life: Life::Pending,
        wish: hedge,
        filled: Amount::ZERO,
        expires_at: Nanos::MAX,
    });
    assert_eq!(filled.look(), None, "delta room is used up and the hedge is under way");
}

#[test]
fn never_buys_the_perp_beyond_flat() {
    let mut long_dated = scene();
    long_dated.account.base = amount("4");
    long_dated.account.cash = Cash::whole(600_000);
    let hedge = placed(long_dated.look());
    assert_eq!((hedge.side, hedge.amount, hedge.reduce_only), (Side::Buy, amount("5"), true));
}

#[test]
fn replaces_when_better_and_cancels_first_when_adverse() {
    let mut better = scene();
    better.rests(Side::Buy, 100_000, "0.1", Life::Open);
    let new = quote(Side::Buy, Price::whole(100_050), "0.1");
    assert_eq!(better.look(), Some(Act::Replace { old: Nonce(1), new }));

    let mut adverse = scene();
    adverse.rests(Side::Buy, 100_071, "0.1", Life::Open);
    assert_eq!(adverse.look(), Some(Act::Cancel { nonce: Nonce(1) }));

    let mut close = scene();
    close.rests(Side::Buy, 100_045, "0.1", Life::Open);
    assert_eq!(close.look(), None);

    let mut poor = scene();
    poor.rests(Side::Buy, 100_000, "0.1", Life::Open);
    poor.account.quote_budget = 0;
    assert_eq!(poor.look(), None);

    let mut leaving = scene();
    leaving.rests(Side::Buy, 100_071, "0.1", Life::Leaving);
    assert_eq!(leaving.look(), None);
}

#[test]
fn guards_withdraw_quotes_but_not_hedges() {
    let mut volatile = scene();
    volatile.rests(Side::Buy, 100_050, "0.1", Life::Open);
    volatile.base.guards = Guards::VOLATILE;
    assert_eq!(volatile.look(), Some(Act::Cancel { nonce: Nonce(1) }));
    volatile.account.base = amount("15.1");
    volatile.account.cash = Cash::whole(-510_000);
    assert_eq!(volatile.look(), Some(Act::Cancel { nonce: Nonce(1) }), "a cancel waits for nothing");
    volatile.rests(Side::Buy, 100_050, "0.1", Life::Leaving);
    assert_eq!(placed(volatile.look()).purpose, Purpose::Hedge);
    volatile.rests(Side::Buy, 100_050, "0.1", Life::Open);
    volatile.perp.guards = Guards::TICKER_STALE;
    assert_eq!(volatile.look(), Some(Act::Cancel { nonce: Nonce(1) }));
}

/// A hedge that is refused again and again must not keep an adverse quote resting, and neither must the pause.
#[test]
fn cancels_go_out_while_hedges_are_refused_and_while_nothing_is_certain() {
    let cancel = Some(Act::Cancel { nonce: Nonce(1) });
    let mut unhedged = scene();
    unhedged.account.base = amount("15.1");
    unhedged.account.cash = Cash::whole(-510_000);
    unhedged.rests(Side::Buy, 100_071, "0.1", Life::Open);
    unhedged.account.intent_refused = 4;
    assert_eq!(unhedged.look(), cancel);

    let mut quiet = scene();
    quiet.rests(Side::Buy, 100_050, "0.1", Life::Open);
    quiet.state.quiet_until = NOW.plus(SEC);
    assert_eq!(quiet.look(), None);
    quiet.base.guards = Guards::EXTERNAL_STALE;
    assert_eq!(quiet.look(), cancel);

    let mut uncertain = scene();
    uncertain.rests(Side::Buy, 100_050, "0.1", Life::Open);
    uncertain.account.mode = Mode::Starting;
    assert_eq!(uncertain.look(), cancel);
}

#[test]
fn carry_turns_with_hysteresis_and_exit_asks_below_fair() {
    let mut scene = scene();
    assert!(scene.look().is_some() && scene.state.carrying == Some(true));
    scene.perp.funding_hourly = ratio("0.000001");
    assert_eq!(placed(scene.look()).side, Side::Buy, "between exit and enter nothing turns");
    scene.perp.funding_hourly = ratio("-0.000001");
    assert_eq!(placed(scene.look()), quote(Side::Sell, Price::whole(99_950), "0.1"));
    scene.perp.funding_hourly = ratio("0.000001");
    assert_eq!(placed(scene.look()).side, Side::Sell);
}

#[test]
fn stops_within_half_a_clip_of_target() {
    let mut near = scene();
    near.account.base = amount("19.6");
    near.account.perp = amount("-9.6");
    near.account.cash = Cash::whole(-960_000);
    near.account.perp_cost = Price::whole(100_000).times(near.account.perp);
    near.rests(Side::Buy, 100_050, "0.1", Life::Open);
    assert_eq!(near.look(), Some(Act::Cancel { nonce: Nonce(1) }));
}

#[test]
fn margin_and_loss_limits_cap_the_bid() {
    let mut lossy = scene();
    // 19.9 bp of 20 used: 0.1 bp of TVL 10 is 0.0001 base, at 5 bp loss a unit → 0.2; at 19.99 bp → 0.02.
    lossy.account.loss_ema = ratio("0.001999");
    assert_eq!(placed(lossy.look()).amount, amount("0.02"));
    lossy.account.loss_ema = ratio("0.002");
    assert_eq!(lossy.look(), None);
}

#[test]
fn a_refusal_quiets_it_for_a_while() {
    let mut refused = scene();
    refused.account.intent_refused = 4;
    assert_eq!(refused.look(), None);
    refused.state.quiet_until = NOW;
    assert!(refused.look().is_some());
}

#[test]
fn never_quotes_through_the_other_side() {
    let mut tight = scene();
    tight.base.ask = Price::whole(100_020);
    assert_eq!(placed(tight.look()).price, Price::whole(100_019));
}

#[test]
fn without_a_borrow_rate_it_hedges_but_does_not_quote() {
    let mut blind = scene();
    blind.account.borrow_apr = None;
    assert_eq!(blind.look(), None);
    blind.account.base = amount("15.1");
    blind.account.cash = Cash::whole(-510_000);
    assert_eq!(placed(blind.look()).purpose, Purpose::Hedge);
}

#[test]
fn after_a_start_in_the_dead_band_holdings_tell_which_way_it_was() {
    let between = ratio("0.000001");
    let mut levered = scene();
    levered.perp.funding_hourly = between;
    levered.account.base = amount("16");
    levered.account.perp = amount("-6");
    levered.account.cash = Cash::whole(-600_000);
    levered.account.perp_cost = Price::whole(100_000).times(levered.account.perp);
    assert_eq!(placed(levered.look()).side, Side::Buy, "1.6 of 2: it was building");
    let mut flat = scene();
    flat.perp.funding_hourly = between;
    flat.account.base = amount("12");
    flat.account.perp = amount("-2");
    flat.account.cash = Cash::whole(-200_000);
    flat.account.perp_cost = Price::whole(100_000).times(flat.account.perp);
    assert_eq!(placed(flat.look()).side, Side::Sell, "1.2 of 2: it was unwinding");
}
