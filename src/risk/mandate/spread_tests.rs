//! Boundary tables of the spread signer.

use super::super::fixture::{
    BASE, EXPIRY_S, LEFT_S, NOW_S, OPTION, OTHER, Quotes, assets, collateral, int, leg, life, micros, off, order,
    quote, state, sub_id, taken, trade, whole,
};
use super::*;
use alloy_primitives::B256;

#[derive(Clone, Debug)]
struct Case {
    vault: Spread,
    action: Action<'static>,
    expiry_s: U256,
    state: VaultState<'static>,
    feeds: Quotes,
}

impl Case {
    fn verdict(&self) -> Result<(), Revert> {
        self.vault.check(&self.action, self.expiry_s, &self.state, &self.feeds)
    }

    fn rfq(&mut self) -> &mut Rfq<'static> {
        quote(&mut self.action)
    }

    fn order(&mut self) -> &mut Trade {
        order(&mut self.action)
    }
}

fn case(vault: Spread, action: Action<'static>) -> Case {
    Case {
        vault,
        action,
        expiry_s: U256::from(NOW_S + 600),
        state: state(),
        feeds: Quotes { spot: Ok(whole(60_000)), vol: Ok(micros(550_000)), forward: Ok(whole(60_000)), own_vol: None },
    }
}

/// Limits loose enough for both spreads; tests set them onto the boundary.
fn vault(is_call: bool, is_long: bool, distance: u64) -> Spread {
    Spread {
        assets: assets(),
        is_call,
        is_long,
        life: life(),
        mark_ratio_min: micros(5_000),
        mark_ratio_max: micros(700_000),
        strike_distance: whole(distance),
        cost_tolerance: if is_long { micros(1_500_000) } else { micros(300_000) },
        loss_or_gain_max: micros(100_000),
        debt_tolerance: micros(100_000),
        expires_in_min_s: U256::from(LEFT_S),
        expires_in_max_s: U256::from(LEFT_S),
        cash_min: -int(whole(100)),
        fee_factor: whole(1),
        collateral: collateral(),
    }
}

fn mark(strike: u64, vol: U256, is_call: bool) -> U256 {
    let input = Black76 {
        expires_in_s: LEFT_S,
        discount: 1_000_000_000_000_000_000,
        vol: vol.saturating_to(),
        forward: whole(60_000).saturating_to(),
        strike: whole(strike).saturating_to(),
    };
    let priced = input.priced().expect("no revert");
    if is_call { priced.call } else { priced.put }
}

/// Sells ten 54k/56k put spreads as taker for 150 each: the maker receives the upper leg.
fn put_spread() -> Case {
    let legs = [
        leg(sub_id(54_000, EXPIRY_S, false), whole(100), -int(whole(10))),
        leg(sub_id(56_000, EXPIRY_S, false), whole(250), int(whole(10))),
    ];
    let vault = vault(false, false, 2_000);
    case(vault, Action::Rfq(taken(whole(3), legs)))
}

/// Buys ten 59k/61k call spreads as taker for 1000 each: the maker gives the lower leg.
fn bull_spread() -> Case {
    let legs = [
        leg(sub_id(59_000, EXPIRY_S, true), whole(2_200), -int(whole(10))),
        leg(sub_id(61_000, EXPIRY_S, true), whole(1_200), int(whole(10))),
    ];
    case(vault(true, true, 2_000), Action::Rfq(taken(whole(3), legs)))
}

type Break = fn(&mut Case);

/// Name, case to start from, what is changed in it, verdict.
type Row = (&'static str, fn() -> Case, Break, Result<(), Revert>);

fn run(table: &[Row]) {
    for (name, make, spoil, expected) in table {
        let mut case = make();
        spoil(&mut case);
        assert_eq!(case.verdict(), *expected, "{name}");
    }
}

fn both_amounts(case: &mut Case, amount: U256) {
    case.rfq().legs.to_mut()[0].amount = -int(amount);
    case.rfq().legs.to_mut()[1].amount = int(amount);
}

#[test]
fn each_check_of_what_a_quote_is_turns_at_one_unit() {
    use Revert as R;
    run(&[
        ("puts sold", put_spread, |_| {}, Ok(())),
        ("calls bought", bull_spread, |_| {}, Ok(())),
        ("blocked", put_spread, |c| c.state.blocked = true, Err(R::BtsaBlocked)),
        ("too short a life", put_spread, |c| c.expiry_s = U256::from(NOW_S + 299), Err(R::PptInvalidActionExpiry)),
        ("too long a life", put_spread, |c| c.expiry_s = U256::from(NOW_S + 1_801), Err(R::PptInvalidActionExpiry)),
        (
            "other legs than hashed",
            put_spread,
            |c| c.rfq().role = Role::Taker { order_hash: B256::ZERO, legs_hash: B256::repeat_byte(1) },
            Err(R::PptTradeDataDoesNotMatchOrderHash),
        ),
        ("one leg", put_spread, |c| c.rfq().legs.to_mut().truncate(1), Err(R::PptInvalidTradeLength)),
        ("expires sooner", put_spread, |c| c.vault.expires_in_min_s += U256::ONE, Err(R::PptInvalidOptionDetails)),
        ("expires later", put_spread, |c| c.vault.expires_in_max_s -= U256::ONE, Err(R::PptInvalidOptionDetails)),
        (
            "second leg a call",
            put_spread,
            |c| c.rfq().legs.to_mut()[1].sub_id = sub_id(56_000, EXPIRY_S, true),
            Err(R::PptInvalidOptionDetails),
        ),
        ("another asset", put_spread, |c| c.rfq().legs.to_mut()[1].asset = OTHER, Err(R::PptInvalidMakerTradeDetails)),
        (
            "another asset in both",
            put_spread,
            |c| c.rfq().legs.to_mut().iter_mut().for_each(|leg| leg.asset = OTHER),
            Err(R::PptInvalidMakerTradeDetails),
        ),
        (
            "two expiries",
            put_spread,
            |c| {
                c.vault.expires_in_max_s += U256::ONE;
                c.rfq().legs.to_mut()[1].sub_id = sub_id(56_000, EXPIRY_S + 1, false);
            },
            Err(R::PptInvalidMakerTradeDetails),
        ),
    ]);
}

#[test]
fn each_check_of_a_quotes_size_and_of_the_vault_turns_at_one_unit() {
    use Revert as R;
    run(&[
        ("as maker", put_spread, |c| c.rfq().role = Role::Maker, Err(R::PptInvalidHighStrikeAmount)),
        ("no amount", put_spread, |c| both_amounts(c, U256::ZERO), Err(R::PptInvalidHighStrikeAmount)),
        ("strikes closer", put_spread, |c| c.vault.strike_distance += U256::ONE, Err(R::PptStrikePriceOutsideOfDiff)),
        ("strikes wider", put_spread, |c| c.vault.strike_distance -= U256::ONE, Err(R::PptStrikePriceOutsideOfDiff)),
        (
            "unequal amounts",
            put_spread,
            |c| c.rfq().legs.to_mut()[0].amount += I256::ONE,
            Err(R::PptInvalidTradeAmount),
        ),
        ("least amount", put_spread, |c| c.rfq().legs.to_mut()[0].amount = I256::MIN, Err(R::ArithmeticOverflow)),
        ("uneven book", put_spread, |c| c.state.options = vec![I256::ONE].into(), Err(R::PptInvalidSpreadBalance)),
        ("base in debt", put_spread, |c| c.state.base = -I256::ONE, Err(R::PptNegativeBaseBalance)),
        ("cash at the least", put_spread, |c| c.state.cash = -int(whole(100)), Ok(())),
        (
            "cash below",
            put_spread,
            |c| c.state.cash = -int(off(whole(100), 1)),
            Err(R::PptCannotTradeWithTooMuchNegativeCash),
        ),
        ("fee of the whole price", put_spread, |c| c.rfq().max_fee = whole(1_500), Ok(())),
        ("fee above the price", put_spread, |c| c.rfq().max_fee = off(whole(1_500), 1), Err(R::PptTradeFeeTooHigh)),
        ("price beyond a signed word", put_spread, |c| c.rfq().legs.to_mut()[0].price = U256::MAX, Err(R::SafeCast)),
        ("stale volatility", put_spread, |c| c.feeds.vol = Err(R::BlfDataTooOld), Err(R::BlfDataTooOld)),
        ("stale spot", put_spread, |c| c.feeds.spot = Err(R::BlfDataTooOld), Err(R::BlfDataTooOld)),
        ("another module", put_spread, |c| c.action = Action::Other, Err(R::PptInvalidModule)),
    ]);
}

#[test]
fn the_sign_of_the_upper_leg_follows_side_and_kind() {
    // calls, bought, taker, whether the maker must receive the upper leg
    let table = [
        (false, false, false, false),
        (false, false, true, true),
        (false, true, false, true),
        (false, true, true, false),
        (true, false, false, true),
        (true, false, true, false),
        (true, true, false, false),
        (true, true, true, true),
    ];
    for (is_call, is_long, is_taker, receives) in table {
        for up in [true, false] {
            let mut case = put_spread();
            case.vault = Spread {
                cost_tolerance: if is_long { whole(5) } else { U256::ZERO },
                ..vault(is_call, is_long, 2_000)
            };
            let amount = if up { int(whole(10)) } else { -int(whole(10)) };
            let strikes = if is_call { [59_000, 61_000] } else { [54_000, 56_000] };
            for (leg, (strike, amount)) in
                case.rfq().legs.to_mut().iter_mut().zip([(strikes[0], -amount), (strikes[1], amount)])
            {
                (leg.sub_id, leg.amount) = (sub_id(strike, EXPIRY_S, is_call), amount);
            }
            if !is_taker {
                case.rfq().role = Role::Maker;
            }
            let expected = if up == receives { Ok(()) } else { Err(Revert::PptInvalidHighStrikeAmount) };
            assert_eq!(case.verdict(), expected, "{is_call} {is_long} {is_taker} {up}");
        }
    }
}

#[test]
fn cost_and_ratio_turn_at_one_unit_of_the_mark() {
    let vol = micros(550_000);
    let sold = mark(56_000, vol, false) - mark(54_000, vol, false);
    let mut case = put_spread();
    case.vault.cost_tolerance = whole(1);
    // Both round the same way: ten marks on one side, ten prices on the other.
    case.rfq().legs.to_mut()[0].price = U256::ZERO;
    case.rfq().legs.to_mut()[1].price = sold;
    assert_eq!(case.verdict(), Ok(()));
    case.rfq().legs.to_mut()[1].price -= U256::ONE;
    assert_eq!(case.verdict(), Err(Revert::PptTotalCostBelowTolerance));
    // The sign is not looked at: paying for what should be sold passes.
    (case.rfq().legs.to_mut()[0].price, case.rfq().legs.to_mut()[1].price) = (sold, U256::ZERO);
    assert_eq!(case.verdict(), Ok(()));

    let bought = mark(59_000, vol, true) - mark(61_000, vol, true);
    let mut case = bull_spread();
    case.vault.cost_tolerance = whole(1);
    case.rfq().legs.to_mut()[1].price = U256::ZERO;
    case.rfq().legs.to_mut()[0].price = bought;
    assert_eq!(case.verdict(), Ok(()));
    case.rfq().legs.to_mut()[0].price += U256::ONE;
    assert_eq!(case.verdict(), Err(Revert::PptTotalCostOverTolerance));

    let ratio = sold / U256::from(2_000);
    let mut case = put_spread();
    (case.vault.mark_ratio_min, case.vault.mark_ratio_max) = (ratio, ratio);
    assert_eq!(case.verdict(), Ok(()));
    case.vault.mark_ratio_max -= U256::ONE;
    assert_eq!(case.verdict(), Err(Revert::PptMarkValueNotWithinBounds));
    (case.vault.mark_ratio_min, case.vault.mark_ratio_max) = (ratio + U256::ONE, ratio + U256::ONE);
    assert_eq!(case.verdict(), Err(Revert::PptMarkValueNotWithinBounds));
}

#[test]
fn the_first_leg_prices_both() {
    let ratio = |case: &mut Case, low: u64, high: u64| {
        (case.vault.mark_ratio_min, case.vault.mark_ratio_max) = (micros(low), micros(high));
        case.verdict()
    };
    // Volatility .55 at 54k, .52 at 56k: ratio .1330 or .1192 by order of the legs, .1028 in truth.
    let mut case = put_spread();
    case.feeds.own_vol = Some((56_000, micros(520_000)));
    assert_eq!(ratio(&mut case, 133_000, 133_100), Ok(()));
    case.rfq().legs.to_mut().reverse();
    assert_eq!(ratio(&mut case, 119_100, 119_250), Ok(()));
    assert_eq!(ratio(&mut case, 102_000, 103_500), Err(Revert::PptMarkValueNotWithinBounds));
}

#[test]
fn size_turns_at_one_unit_of_the_collaterals_value() {
    // 100 base at 60 000, a tenth: 600 000 of risk, less 200 000 open, in spreads of 2 000.
    let open = || {
        let mut case = put_spread();
        case.state.options = vec![int(whole(100)), -int(whole(60)), -int(whole(40))].into();
        case
    };
    let mut case = open();
    both_amounts(&mut case, whole(200));
    assert_eq!(case.verdict(), Ok(()));
    both_amounts(&mut case, off(whole(200), 1));
    assert_eq!(case.verdict(), Err(Revert::PptTradeTooLarge));
}

fn withdrawal() -> Case {
    let mut case = case(vault(false, false, 2_000), Action::Withdraw(Transfer { asset: BASE, amount: whole(2) }));
    // Eight left at 50, a tenth of it may be owed.
    case.state.base = int(whole(10));
    case.state.cash = -int(whole(40));
    case.feeds.spot = Ok(whole(50));
    case
}

fn transfer(case: &mut Case) -> &mut Transfer {
    let (Action::Deposit(transfer) | Action::Withdraw(transfer)) = &mut case.action else { unreachable!() };
    transfer
}

fn purchase() -> Case {
    let mut case = case(vault(true, true, 2_000), Action::Trade(trade(BASE, whole(60_000), micros(105_000), true)));
    case.state.cash = int(whole(6_000));
    case
}

#[test]
fn each_check_of_collateral_turns_at_one_unit() {
    use Revert as R;
    run(&[
        ("debt within tolerance", withdrawal, |_| {}, Ok(())),
        ("debt above", withdrawal, |c| c.state.cash -= I256::ONE, Err(R::PptWithdrawingUtilisedCollateral)),
        (
            "the documented example",
            withdrawal,
            |c| c.state.cash = -int(whole(100)),
            Err(R::PptWithdrawingUtilisedCollateral),
        ),
        ("another asset", withdrawal, |c| transfer(c).asset = OTHER, Err(R::PptInvalidAsset)),
        (
            "open spreads",
            withdrawal,
            |c| c.state.options = vec![I256::ONE, -I256::ONE].into(),
            Err(R::PptWithdrawingWithOpenTrades),
        ),
        (
            "all, without debt, with a stale spot",
            withdrawal,
            |c| {
                (c.state.cash, c.feeds.spot) = (I256::ZERO, Err(R::BlfDataTooOld));
                transfer(c).amount = whole(10);
            },
            Ok(()),
        ),
        ("more than held", withdrawal, |c| transfer(c).amount = off(whole(10), 1), Err(R::PptInvalidBaseBalance)),
        ("blocked", withdrawal, |c| c.state.blocked = true, Err(R::BtsaBlocked)),
        ("swap", purchase, |_| {}, Ok(())),
        ("swap too large", purchase, |c| c.order().amount += I256::ONE, Err(R::CmtsaBuyingTooMuchCollateral)),
        ("swap of nothing", purchase, |c| c.order().amount = I256::ZERO, Err(R::PptInvalidDesiredAmount)),
        ("an option order", purchase, |c| c.order().asset = OPTION, Err(R::PptInvalidAsset)),
        ("a deposit", purchase, |c| c.action = Action::Deposit(Transfer { asset: BASE, amount: whole(10) }), Ok(())),
    ]);
}
