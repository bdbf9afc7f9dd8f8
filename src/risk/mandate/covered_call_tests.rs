//! Boundary tables of the covered-call signer.

use super::super::action::{Rfq, Role};
use super::super::fixture::{
    BASE, EXPIRY_S, LEFT_S, NOW_S, OPTION, OTHER, Quotes, assets, collateral, int, life, micros, off, order, state,
    sub_id, trade, whole,
};
use super::*;

/// Call 3500 at forward 3000, volatility .6 · .8, 163 hours: the price and delta of the reference vector.
const CALL_PRICE: u64 = 661_521_092_220_891_000;
const CALL_DELTA: u64 = 10_128_172_003_477_776;

#[derive(Clone, Debug)]
struct Case {
    vault: CoveredCall,
    action: Action<'static>,
    expiry_s: U256,
    state: VaultState<'static>,
    feeds: Quotes,
}

impl Case {
    fn verdict(&self) -> Result<(), Revert> {
        self.vault.check(&self.action, self.expiry_s, &self.state, &self.feeds)
    }

    fn order(&mut self) -> &mut Trade {
        order(&mut self.action)
    }
}

fn case(action: Action<'static>) -> Case {
    Case {
        vault: CoveredCall {
            assets: assets(),
            life: life(),
            vol_factor: micros(800_000),
            delta_max: U256::from(CALL_DELTA),
            cash_min: -int(whole(100)),
            expires_in_min_s: U256::from(LEFT_S),
            expires_in_max_s: U256::from(LEFT_S),
            collateral: collateral(),
        },
        action,
        expiry_s: U256::from(NOW_S + 600),
        state: state(),
        feeds: Quotes { spot: Ok(whole(3_000)), vol: Ok(micros(600_000)), forward: Ok(whole(3_000)), own_vol: None },
    }
}

/// Sells ten calls one unit above the price floor.
fn sale() -> Case {
    let mut order = trade(OPTION, U256::from(CALL_PRICE + 1), whole(10), false);
    order.sub_id = sub_id(3_500, EXPIRY_S, true);
    case(Action::Trade(order))
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

#[test]
fn each_check_of_a_sale_turns_at_one_unit() {
    use Revert as R;
    run(&[
        ("as it stands", sale, |_| {}, Ok(())),
        ("life least", sale, |c| c.expiry_s = U256::from(NOW_S + 300), Ok(())),
        ("life under least", sale, |c| c.expiry_s = U256::from(NOW_S + 299), Err(R::CctInvalidActionExpiry)),
        ("life most", sale, |c| c.expiry_s = U256::from(NOW_S + 1_800), Ok(())),
        ("life over most", sale, |c| c.expiry_s = U256::from(NOW_S + 1_801), Err(R::CctInvalidActionExpiry)),
        ("blocked still signs", sale, |c| c.state.blocked = true, Ok(())),
        ("one unit", sale, |c| c.order().amount = I256::ONE, Ok(())),
        ("nothing", sale, |c| c.order().amount = I256::ZERO, Err(R::CctInvalidDesiredAmount)),
        ("less than nothing", sale, |c| c.order().amount = I256::MIN, Err(R::CctInvalidDesiredAmount)),
        ("another asset", sale, |c| c.order().asset = OTHER, Err(R::CctInvalidAsset)),
        ("a buy", sale, |c| c.order().is_bid = true, Err(R::CctCanOnlyOpenShortOptions)),
        ("long option", sale, |c| c.state.options = vec![I256::ONE].into(), Err(R::CctInvalidOptionBalance)),
        ("closed option", sale, |c| c.state.options = vec![I256::ZERO].into(), Ok(())),
        ("covered", sale, |c| c.state.options = vec![-int(whole(60)), -int(whole(30))].into(), Ok(())),
        (
            "uncovered",
            sale,
            |c| c.state.options = vec![-int(whole(60)), -int(off(whole(30), 1))].into(),
            Err(R::CctSellingTooManyCalls),
        ),
        ("base in debt counts as held", sale, |c| c.state.base = -int(whole(10)), Ok(())),
        ("cash at the least", sale, |c| c.state.cash = -int(whole(100)), Ok(())),
        ("cash below", sale, |c| c.state.cash = -int(off(whole(100), 1)), Err(R::CctCannotSellOptionsWithNegativeCash)),
        ("fee at the most", sale, |c| c.order().worst_fee = whole(30), Ok(())),
        ("fee above", sale, |c| c.order().worst_fee = off(whole(30), 1), Err(R::CmtsaFeeTooHigh)),
        ("a put", sale, |c| c.order().sub_id = sub_id(3_500, EXPIRY_S, false), Err(R::CctOnlyShortCallsAllowed)),
        ("an id too wide", sale, |c| c.order().sub_id = U256::ONE << 96_usize, Err(R::SafeCast)),
        ("a negative limit", sale, |c| c.order().limit_price = -I256::ONE, Err(R::SafeCast)),
        ("expires sooner", sale, |c| c.vault.expires_in_min_s += U256::ONE, Err(R::CctOptionExpiryOutOfBounds)),
        ("expires later", sale, |c| c.vault.expires_in_max_s -= U256::ONE, Err(R::CctOptionExpiryOutOfBounds)),
        ("expired now", sale, |c| c.order().sub_id = sub_id(3_500, NOW_S, true), Err(R::CctOptionExpired)),
        ("expired long ago", sale, |c| c.order().sub_id = sub_id(3_500, 1, true), Err(R::CctOptionExpired)),
        (
            "expires in a second",
            sale,
            |c| {
                c.order().sub_id = sub_id(3_500, NOW_S + 1, true);
                c.vault.expires_in_min_s = U256::ONE;
            },
            Ok(()),
        ),
        ("delta above", sale, |c| c.vault.delta_max -= U256::ONE, Err(R::CctOptionDeltaTooHigh)),
        ("price at the floor", sale, |c| c.order().limit_price -= I256::ONE, Err(R::CctOptionPriceTooLow)),
        ("vol too wide", sale, |c| c.feeds.vol = Ok(whole(1) << 100_usize), Err(R::SafeCast)),
    ]);
}

#[test]
fn checks_speak_in_the_contracts_order() {
    let mut case = sale();
    // Everything wrong at once; each step mends what was named.
    case.expiry_s = U256::ZERO;
    case.order().amount = I256::ZERO;
    case.order().is_bid = true;
    case.state.options = vec![int(whole(1))].into();
    case.state.cash = -int(whole(101));
    case.feeds.spot = Err(Revert::BlfDataTooOld);
    case.order().worst_fee = whole(31);
    case.order().sub_id = sub_id(3_500, NOW_S, false);
    case.feeds.vol = Err(Revert::LvfMissingExpiryData);
    case.feeds.forward = Err(Revert::LffMissingExpiryData);
    case.vault.delta_max = U256::ZERO;
    case.order().limit_price = I256::ZERO;
    let steps: [(Revert, Break); 15] = [
        (Revert::CctInvalidActionExpiry, |c| c.expiry_s = U256::from(NOW_S + 600)),
        (Revert::CctInvalidDesiredAmount, |c| c.order().amount = int(whole(101))),
        (Revert::CctCanOnlyOpenShortOptions, |c| c.order().is_bid = false),
        (Revert::CctInvalidOptionBalance, |c| c.state.options.to_mut().clear()),
        (Revert::CctSellingTooManyCalls, |c| c.order().amount = int(whole(100))),
        (Revert::CctCannotSellOptionsWithNegativeCash, |c| c.state.cash = I256::ZERO),
        (Revert::BlfDataTooOld, |c| c.feeds.spot = Ok(whole(3_000))),
        (Revert::CmtsaFeeTooHigh, |c| c.order().worst_fee = U256::ZERO),
        (Revert::CctOnlyShortCallsAllowed, |c| c.order().sub_id = sub_id(3_500, NOW_S, true)),
        (Revert::CctOptionExpired, |c| c.order().sub_id = sub_id(3_500, EXPIRY_S + 1, true)),
        (Revert::CctOptionExpiryOutOfBounds, |c| c.order().sub_id = sub_id(3_500, EXPIRY_S, true)),
        (Revert::LvfMissingExpiryData, |c| c.feeds.vol = Ok(micros(600_000))),
        (Revert::LffMissingExpiryData, |c| c.feeds.forward = Ok(whole(3_000))),
        (Revert::CctOptionDeltaTooHigh, |c| c.vault.delta_max = U256::from(CALL_DELTA)),
        (Revert::CctOptionPriceTooLow, |c| c.order().limit_price = int(U256::from(CALL_PRICE + 1))),
    ];
    for (expected, mend) in steps {
        assert_eq!(case.verdict(), Err(expected));
        mend(&mut case);
    }
    assert_eq!(case.verdict(), Ok(()));
}

fn withdrawal() -> Case {
    let mut case = case(Action::Withdraw(Transfer { asset: BASE, amount: whole(90) }));
    case.state.options = vec![-int(whole(10))].into();
    case
}

fn transfer(case: &mut Case) -> &mut Transfer {
    let (Action::Deposit(transfer) | Action::Withdraw(transfer)) = &mut case.action else { unreachable!() };
    transfer
}

fn deposit() -> Case {
    case(Action::Deposit(Transfer { asset: BASE, amount: whole(10) }))
}

#[test]
fn each_check_of_a_transfer_turns_at_one_unit() {
    use Revert as R;
    let coarse = |c: &mut Case| {
        c.vault.assets.token_decimals = 8;
        transfer(c).amount = U256::from(9_000_000_000_u64);
    };
    let mut eight = withdrawal();
    coarse(&mut eight);
    assert_eq!(eight.verdict(), Ok(()));
    transfer(&mut eight).amount += U256::ONE;
    assert_eq!(eight.verdict(), Err(R::CctWithdrawingUtilisedCollateral));
    run(&[
        ("free collateral", withdrawal, |_| {}, Ok(())),
        (
            "covering collateral",
            withdrawal,
            |c| transfer(c).amount += U256::ONE,
            Err(R::CctWithdrawingUtilisedCollateral),
        ),
        ("all of a word", withdrawal, |c| transfer(c).amount = U256::MAX, Err(R::ArithmeticOverflow)),
        ("another asset", withdrawal, |c| transfer(c).asset = OTHER, Err(R::CctInvalidAsset)),
        ("cash at the least", withdrawal, |c| c.state.cash = -int(whole(100)), Ok(())),
        ("cash below", withdrawal, |c| c.state.cash = -int(off(whole(100), 1)), Err(R::CctWithdrawalNegativeCash)),
        ("own tokens", deposit, |_| {}, Ok(())),
        ("depositors' tokens", deposit, |c| transfer(c).amount += U256::ONE, Err(R::CmtsaDepositingTooMuch)),
        ("the word for all", deposit, |c| transfer(c).amount = U256::MAX, Err(R::CmtsaDepositingTooMuch)),
        ("another token", deposit, |c| transfer(c).asset = OTHER, Err(R::CmtsaInvalidAsset)),
        ("more owed than held", deposit, |c| c.state.pending_deposits = whole(13), Err(R::ArithmeticOverflow)),
        ("another module", deposit, |c| c.action = Action::Other, Err(R::CctInvalidModule)),
        (
            "a quote",
            deposit,
            |c| c.action = Action::Rfq(Rfq { role: Role::Maker, max_fee: U256::ZERO, legs: Vec::new().into() }),
            Err(R::CctInvalidModule),
        ),
    ]);
}

/// 6000 of cash: two of base at spot, 2.1 with the leniency.
fn purchase() -> Case {
    let mut case = case(Action::Trade(trade(BASE, whole(3_000), micros(2_100_000), true)));
    case.state.cash = int(whole(6_000));
    case
}

fn liquidation() -> Case {
    let mut case = case(Action::Trade(trade(BASE, whole(3_000), micros(2_100_000), false)));
    case.state.cash = -int(whole(6_000));
    case
}

#[test]
fn each_check_of_a_swap_turns_at_one_unit() {
    use Revert as R;
    run(&[
        ("within leniency", purchase, |_| {}, Ok(())),
        ("beyond leniency", purchase, |c| c.order().amount += I256::ONE, Err(R::CmtsaBuyingTooMuchCollateral)),
        ("no cash", purchase, |c| c.state.cash = I256::ZERO, Err(R::CmtsaMustHavePositiveCash)),
        ("fee at the most", purchase, |c| c.order().worst_fee = whole(30), Ok(())),
        ("fee above", purchase, |c| c.order().worst_fee = off(whole(30), 1), Err(R::CmtsaFeeTooHigh)),
        (
            "dearest",
            purchase,
            |c| (c.order().limit_price, c.order().amount) = (int(whole(3_045)), int(whole(2))),
            Ok(()),
        ),
        (
            "dearer",
            purchase,
            |c| (c.order().limit_price, c.order().amount) = (int(off(whole(3_045), 1)), int(whole(2))),
            Err(R::CmtsaSpotLimitPriceTooHigh),
        ),
        ("stale spot", purchase, |c| c.feeds.spot = Err(R::BlfDataTooOld), Err(R::BlfDataTooOld)),
        ("negative limit", purchase, |c| c.order().limit_price = -I256::ONE, Err(R::SafeCast)),
        ("covers the debt", liquidation, |_| {}, Ok(())),
        ("more than the debt", liquidation, |c| c.order().amount += I256::ONE, Err(R::CmtsaSellingTooMuchCollateral)),
        ("no debt", liquidation, |c| c.state.cash = I256::ZERO, Err(R::CmtsaMustHaveNegativeCash)),
        ("fee above, selling", liquidation, |c| c.order().worst_fee = off(whole(30), 1), Err(R::CmtsaFeeTooHigh)),
        ("cheapest", liquidation, |c| c.order().limit_price = int(whole(2_955)), Ok(())),
        (
            "cheaper",
            liquidation,
            |c| c.order().limit_price = int(off(whole(2_955), -1)),
            Err(R::CmtsaSpotLimitPriceTooLow),
        ),
    ]);
}
