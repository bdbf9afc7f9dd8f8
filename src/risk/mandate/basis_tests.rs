//! Boundary tables of the leveraged-basis signer.

use super::super::fixture::{
    BASE, NOW_S, OPTION, OTHER, Quotes, assets, collateral, int, life, micros, off, order, state, trade, whole,
};
use super::*;
use proptest::prelude::*;

#[derive(Clone, Debug)]
struct Case {
    vault: Basis,
    action: Action<'static>,
    expiry_s: U256,
    state: BasisState<'static>,
    feeds: Quotes,
}

impl Case {
    fn signed(&self) -> Result<MarkLoss, Revert> {
        self.vault.check(&self.action, self.expiry_s, &self.state, &self.feeds)
    }

    fn verdict(&self) -> Result<(), Revert> {
        self.signed().map(|_| ())
    }

    fn order(&mut self) -> &mut Trade {
        order(&mut self.action)
    }
}

/// Signed millionths.
fn signed(value: i64) -> I256 {
    let magnitude = int(micros(value.unsigned_abs()));
    if value < 0 { -magnitude } else { magnitude }
}

const ONE: i64 = 1_000_000;

/// Vault worth `value` with `base` and `perp` held, in millionths, everything at 2000; an order at the mark.
fn case(asset: alloy_primitives::Address, value: i64, base: i64, perp: i64, change: i64) -> Case {
    let price = whole(2_000);
    let mut vault = state();
    vault.base = signed(base);
    Case {
        vault: Basis {
            assets: assets(),
            life: life(),
            perp_fee_max: micros(1_000),
            loss_per_base_max: signed(5_000),
            loss_per_perp_max: signed(5_000),
            delta: Band { floor: signed(990_000), ceil: signed(1_010_000) },
            leverage: Band { floor: signed(0), ceil: signed(5 * ONE) },
            decay_per_s: U256::from(200_000_000_000_000_u64),
            loss_target: signed(15_000),
            collateral: collateral(),
        },
        action: Action::Trade(trade(asset, price, micros(change.unsigned_abs()), change > 0)),
        expiry_s: U256::from(NOW_S + 600),
        state: BasisState {
            vault,
            perp: signed(perp),
            perp_price: Ok(price),
            mark_to_market: Ok(signed(value) * I256::try_from(2_000).expect("it fits")),
            mark_loss: MarkLoss { ema: I256::ZERO, last_s: NOW_S },
        },
        feeds: Quotes { spot: Ok(price), vol: Ok(U256::ZERO), forward: Ok(U256::ZERO), own_vol: None },
    }
}

#[test]
fn delta_keeps_to_its_band_or_moves_towards_it() {
    let out = Err(Revert::LbtPostTradeDeltaOutOfRange);
    // value, base, perp, change; verdict. The same for base and perp at equal prices.
    let table = [
        (10 * ONE, 10 * ONE, 0, 100_000, Ok(())),
        (10 * ONE, 10 * ONE, 0, -100_000, Ok(())),
        (10 * ONE, 10 * ONE, 0, 100_001, out),
        (10 * ONE, 10 * ONE, 0, -100_001, out),
        (10 * ONE, 10 * ONE, 0, 500_000, out),
        (10 * ONE, 10 * ONE, 0, -500_000, out),
        (10 * ONE, 10 * ONE, -10 * ONE, 100_000, Ok(())),
        (10 * ONE, 10 * ONE, -10 * ONE, 10 * ONE, Ok(())),
        (10 * ONE, 10 * ONE, -10 * ONE, 19_900_000, out),
        (10 * ONE, 10 * ONE, -10 * ONE, 20 * ONE, out),
        (10 * ONE, 10 * ONE, -10 * ONE, 20_100_000, out),
        (10 * ONE, 10 * ONE, -10 * ONE, -100_000, out),
    ];
    for (value, base, perp, change, expected) in table {
        for asset in [BASE, OPTION] {
            assert_eq!(case(asset, value, base, perp, change).verdict(), expected, "{base} {perp} {change}");
        }
    }
    let mut wider = case(BASE, 10 * ONE, 10 * ONE, 0, 500_000);
    wider.vault.delta = Band { floor: signed(950_000), ceil: signed(1_050_000) };
    assert_eq!(wider.verdict(), Ok(()));
}

#[test]
fn perp_delta_is_scaled_by_the_price_ratio() {
    let verdict = |spot: u64, perp_price: u64, change: i64| {
        let mut case = case(OPTION, 10 * ONE, 10 * ONE, 0, change);
        case.feeds.spot = Ok(whole(spot));
        case.state.perp_price = Ok(whole(perp_price));
        case.state.mark_to_market = Ok(int(whole(10 * spot)));
        case.order().limit_price = int(whole(perp_price));
        case.verdict()
    };
    let out = Err(Revert::LbtPostTradeDeltaOutOfRange);
    for side in [1, -1] {
        assert_eq!(verdict(2_000, 200, side * ONE), Ok(()));
        assert_eq!(verdict(2_000, 2_000, side * ONE), out);
        assert_eq!(verdict(100, 2_000, side * 100_000), out);
    }
}

#[test]
fn leverage_keeps_to_its_band_or_moves_towards_it() {
    let out = Err(Revert::LbtPostTradeLeverageOutOfRange);
    let table = [
        (ONE, ONE, ONE, Ok(())),
        (ONE, ONE, 2 * ONE, Ok(())),
        (ONE, ONE, 2_100_000, out),
        (ONE, 3 * ONE, -ONE, Ok(())),
        (ONE, 3 * ONE, -2 * ONE, Ok(())),
        (ONE, 3 * ONE, -2_100_000, out),
        (20 * ONE, 100 * ONE, -80 * ONE, Ok(())),
        (20 * ONE, 100 * ONE, -80_010_000, out),
        (20 * ONE, 100 * ONE, ONE, out),
        // Selling more than is held: the wrapped balance overflows.
        (ONE, ONE, -ONE - 1, Err(Revert::ArithmeticOverflow)),
    ];
    for (value, base, change, expected) in table {
        let mut case = case(BASE, value, base, 0, change);
        case.vault.delta = Band { floor: signed(-1_000 * ONE), ceil: signed(1_000 * ONE) };
        case.vault.leverage = Band { floor: signed(ONE), ceil: signed(3 * ONE) };
        assert_eq!(case.verdict(), expected, "{value} {base} {change}");
    }
}

/// Value 20, base 20, buys 0.1 of base at spot.
fn buy() -> Case {
    case(BASE, 20 * ONE, 20 * ONE, 0, 100_000)
}

fn perp_sale() -> Case {
    case(OPTION, 20 * ONE, 20 * ONE, 0, -100_000)
}

fn withdrawal() -> Case {
    let mut case = buy();
    case.action = Action::Withdraw(Transfer { asset: BASE, amount: whole(1) });
    case
}

fn withdraw(case: &mut Case, amount: U256) {
    case.action = Action::Withdraw(Transfer { asset: BASE, amount });
}

type Break = fn(&mut Case);
/// Name, case to start from, what is changed in it, verdict.
type Row = (&'static str, fn() -> Case, Break, Result<(), Revert>);

#[test]
fn each_other_check_turns_at_one_unit() {
    use Revert as R;
    let table: [Row; 30] = [
        ("base", buy, |_| {}, Ok(())),
        ("perp", perp_sale, |_| {}, Ok(())),
        ("blocked", buy, |c| c.state.vault.blocked = true, Err(R::BtsaBlocked)),
        ("shortest life", buy, |c| c.expiry_s = U256::from(NOW_S + 300), Ok(())),
        ("longest life", buy, |c| c.expiry_s = U256::from(NOW_S + 1_800), Ok(())),
        ("stale perp price", buy, |c| c.state.perp_price = Err(R::BlfDataTooOld), Err(R::BlfDataTooOld)),
        ("a hair of value", buy, |c| c.state.mark_to_market = Ok(-I256::ONE), Err(R::LbtInvalidDeltaChange)),
        ("too short a life", buy, |c| c.expiry_s = U256::from(NOW_S + 299), Err(R::LbtInvalidActionExpiry)),
        ("too long a life", buy, |c| c.expiry_s = U256::from(NOW_S + 1_801), Err(R::LbtInvalidActionExpiry)),
        ("another module", buy, |c| c.action = Action::Other, Err(R::LbtInvalidModule)),
        ("another asset", buy, |c| c.order().asset = OTHER, Err(R::LbtInvalidTradeAsset)),
        ("stale spot", buy, |c| c.feeds.spot = Err(R::BlfDataTooOld), Err(R::BlfDataTooOld)),
        ("base in debt", buy, |c| c.state.vault.base = -I256::ONE, Err(R::LbtNegativeBaseBalance)),
        ("perp long", buy, |c| c.state.perp = I256::ONE, Err(R::LbtPositivePerpPosition)),
        ("insolvent", buy, |c| c.state.mark_to_market = Ok(signed(-2_000 * ONE)), Err(R::CmtsaPositionInsolvent)),
        ("worthless", buy, |c| c.state.mark_to_market = Ok(I256::ZERO), Err(R::LbtInvalidDeltaChange)),
        ("fee at the most", buy, |c| c.order().worst_fee = whole(20), Ok(())),
        ("fee above", buy, |c| c.order().worst_fee = off(whole(20), 1), Err(R::CmtsaFeeTooHigh)),
        // A fee of 2 is a thousandth; the division drops what is under a unit of it.
        ("perp fee at the most", perp_sale, |c| c.order().worst_fee = off(whole(2), 1_999), Ok(())),
        ("perp fee above", perp_sale, |c| c.order().worst_fee = off(whole(2), 2_000), Err(R::LbtPerpFeeTooHigh)),
        ("loss per unit at the most", buy, |c| c.order().limit_price = int(whole(2_010)), Ok(())),
        (
            "loss per unit above",
            buy,
            |c| c.order().limit_price = int(off(whole(2_010), 2_000)),
            Err(R::LbtInvalidGainPerUnit),
        ),
        (
            "loss beyond the budget",
            buy,
            |c| (c.vault.loss_target, c.order().limit_price) = (signed(24), int(whole(2_010))),
            Err(R::LbtMarkLossTooHigh),
        ),
        (
            "loss on the budget",
            buy,
            |c| (c.vault.loss_target, c.order().limit_price) = (signed(25), int(whole(2_010))),
            Ok(()),
        ),
        ("a withdrawal", withdrawal, |_| {}, Ok(())),
        ("of all", withdrawal, |c| withdraw(c, whole(20)), Ok(())),
        ("of more than all", withdrawal, |c| withdraw(c, off(whole(20), 1)), Err(R::ArithmeticOverflow)),
        ("of nothing", withdrawal, |c| withdraw(c, U256::ZERO), Err(R::LbtInvalidDeltaChange)),
        (
            "of another asset",
            withdrawal,
            |c| c.action = Action::Withdraw(Transfer { asset: OTHER, amount: whole(1) }),
            Err(R::LbtInvalidWithdrawAsset),
        ),
        ("a deposit", buy, |c| c.action = Action::Deposit(Transfer { asset: BASE, amount: whole(10) }), Ok(())),
    ];
    for (name, make, spoil, expected) in table {
        let mut case = make();
        spoil(&mut case);
        assert_eq!(case.verdict(), expected, "{name}");
    }
}

/// Where a band's end must lie for the verdict to turn, and which end it is.
type Edge = (&'static str, fn() -> Case, fn(&mut Case) -> &mut I256, I256, Revert);

#[test]
fn every_end_of_a_band_turns_at_one_unit() {
    let (delta, leverage) = (Revert::LbtPostTradeDeltaOutOfRange, Revert::LbtPostTradeLeverageOutOfRange);
    // 9.85 of 10 held, one withdrawn: 8.85 / 9, rounded down.
    let left = I256::unchecked_from(983_333_333_333_333_333_i128);
    let withdrawal: fn() -> Case = || {
        let mut case = case(BASE, 10 * ONE, 9_850_000, 0, ONE);
        case.vault.delta.floor = signed(0);
        withdraw(&mut case, whole(1));
        case
    };
    let purchase: fn() -> Case = || case(BASE, 10 * ONE, 10 * ONE, 0, 100_000);
    let sale: fn() -> Case = || case(BASE, 10 * ONE, 10 * ONE, 0, -100_000);
    let hedge: fn() -> Case = || case(OPTION, 10 * ONE, 10 * ONE, 0, -100_000);
    let edges: [Edge; 7] = [
        ("delta ceiling", purchase, |c| &mut c.vault.delta.ceil, signed(1_010_000), delta),
        ("delta floor", sale, |c| &mut c.vault.delta.floor, signed(990_000), delta),
        ("delta floor of a hedge", hedge, |c| &mut c.vault.delta.floor, signed(990_000), delta),
        ("leverage ceiling", purchase, |c| &mut c.vault.leverage.ceil, signed(1_010_000), leverage),
        ("leverage floor", sale, |c| &mut c.vault.leverage.floor, signed(990_000), leverage),
        ("leverage floor of a withdrawal", withdrawal, |c| &mut c.vault.leverage.floor, left, leverage),
        ("delta floor of a withdrawal", withdrawal, |c| &mut c.vault.delta.floor, left, delta),
    ];
    for (name, make, end, value, revert) in edges {
        let inward = if name.contains("floor") { I256::ONE } else { -I256::ONE };
        let mut case = make();
        *end(&mut case) = value;
        assert_eq!(case.verdict(), Ok(()), "{name}");
        *end(&mut case) = value + inward;
        assert_eq!(case.verdict(), Err(revert), "{name}");
    }
}

#[test]
fn only_a_trade_changes_the_budget_and_by_its_whole_amount() {
    let mut losing = buy();
    losing.order().limit_price = int(whole(2_010));
    let once = losing.signed().expect("no revert");
    assert_eq!(once, MarkLoss { ema: signed(25), last_s: NOW_S });
    losing.state.mark_loss = once;
    // The same order again, as when a part of it fills: charged in full again (less the unit that e^0 lacks).
    assert_eq!(losing.signed().map(|after| after.ema), Ok(signed(50) - I256::ONE));
    let mut held = withdrawal();
    held.state.mark_loss = once;
    assert_eq!(held.signed(), Ok(once));
}

#[test]
fn native_decimals_make_the_withdrawal_check_vacuous() {
    // One of ten in 18 decimals takes leverage from .985 to .9833, under the floor; the same in 8 decimals is not seen.
    let mut case = case(BASE, 10 * ONE, 9_850_000, 0, ONE);
    case.vault.leverage.floor = signed(984_000);
    withdraw(&mut case, whole(1));
    assert_eq!(case.verdict(), Err(Revert::LbtPostTradeLeverageOutOfRange));
    case.vault.delta.floor = signed(984_000);
    case.vault.assets.token_decimals = 8;
    withdraw(&mut case, U256::from(100_000_000));
    assert_eq!(case.verdict(), Ok(()));
}

proptest! {
    #[test]
    fn any_words_give_a_verdict(
        words in proptest::array::uniform10(proptest::array::uniform4(any::<u64>())),
        narrow in proptest::array::uniform10(0_usize..256),
        (is_bid, is_base, withdraws, last_s) in any::<(bool, bool, bool, u64)>(),
    ) {
        let word = |i: usize| U256::from_limbs(words[i]) >> narrow[i];
        let mut case = buy();
        let asset = if is_base { BASE } else { OPTION };
        let order = Trade { asset, sub_id: U256::ZERO, limit_price: int(word(0)), amount: int(word(1)), worst_fee: word(2), is_bid };
        case.action = if withdraws { Action::Withdraw(Transfer { asset, amount: word(1) }) } else { Action::Trade(order) };
        case.state.vault.base = int(word(3));
        case.state.perp = int(word(4));
        case.state.perp_price = Ok(word(5));
        case.state.mark_to_market = Ok(int(word(6)));
        case.state.mark_loss = MarkLoss { ema: int(word(7)), last_s };
        case.feeds.spot = Ok(word(8));
        case.vault.decay_per_s = word(9);
        let verdict = case.signed();
        prop_assert!(verdict.is_err() || state_is_signable(&case));
    }
}

/// What must hold of any vault that gets a signature.
fn state_is_signable(case: &Case) -> bool {
    !case.state.perp.is_positive() && !case.state.vault.base.is_negative() && !case.state.vault.blocked
}
