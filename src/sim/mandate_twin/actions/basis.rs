//! Actions put to the leveraged-basis vault's contract.

use super::super::Verdicts;
use super::super::vaults::basis;
use super::dice::{BASE, DERIVATIVE, Dice, int, micros, times};
use crate::risk::mandate::action::{Action, Trade, Transfer};
use crate::risk::mandate::basis::{Band, Basis, BasisState};
use crate::risk::mandate::ema::MarkLoss;
use crate::risk::mandate::feeds::FeedState;
use crate::risk::mandate::revert::Revert;
use alloy_primitives::{I256, U256};

/// Reverts its actions must meet.
pub const REVERTS: &[&str] = &[
    "BTSA_Blocked",
    "BLF_DataTooOld",
    "CMTSA_DepositingTooMuch",
    "CMTSA_FeeTooHigh",
    "CMTSA_InvalidAsset",
    "CMTSA_PositionInsolvent",
    "LBT_InvalidActionExpiry",
    "LBT_InvalidDeltaChange",
    "LBT_InvalidGainPerUnit",
    "LBT_InvalidModule",
    "LBT_InvalidTradeAsset",
    "LBT_InvalidWithdrawAsset",
    "LBT_MarkLossTooHigh",
    "LBT_NegativeBaseBalance",
    "LBT_PerpFeeTooHigh",
    "LBT_PositivePerpPosition",
    "LBT_PostTradeDeltaOutOfRange",
    "LBT_PostTradeLeverageOutOfRange",
    "SafeCast",
    "Panic(0x11)",
    "Panic(0x12)",
];

struct Scene {
    vault: Basis,
    state: BasisState<'static>,
    feeds: FeedState,
    spot: U256,
    perp_price: U256,
    /// Base, perp sold and worth, in decimals.
    base: I256,
    perp: I256,
    worth: I256,
}

fn unit() -> I256 {
    int(micros(1_000_000))
}

fn per(a: I256, b: I256) -> I256 {
    if b.is_zero() { I256::ZERO } else { a.wrapping_mul(unit()).wrapping_div(b) }
}

/// A vault near delta one and leverage between one and two, its average near the target.
fn scene(dice: &mut Dice) -> Scene {
    let now_s = dice.pick(1_700_000_000, 1_900_000_000);
    let spot = dice.decimal(1_000_000_000, 90_000_000_000);
    let perp_price = times(spot, dice.decimal(990_000, 1_010_000));
    let worth = int(dice.decimal(1_000_000, 100_000_000));
    let lever = int(dice.decimal(900_000, 2_100_000));
    let base = worth.wrapping_mul(lever).wrapping_div(unit());
    let drift = if dice.chance(50) { int(dice.decimal(0, 25_000)) } else { -int(dice.decimal(0, 25_000)) };
    let exposure = worth.wrapping_mul(unit() + drift).wrapping_div(unit());
    let perp = per((exposure - base).wrapping_mul(int(spot)).wrapping_div(int(perp_price)), unit()).min(I256::ZERO);
    let mut state = dice.state(now_s);
    state.base = base;
    let last_s = now_s - if dice.chance(30) { 0 } else { dice.pick(0, 100_000) };
    let mtm = worth.wrapping_mul(int(spot)).wrapping_div(unit()) + I256::ONE;
    let average = int(dice.decimal(0, 3_000));
    let vault = Basis {
        assets: dice.assets(),
        life: dice.life(),
        perp_fee_max: dice.decimal(100, 10_000),
        loss_per_base_max: I256::ZERO,
        loss_per_perp_max: I256::ZERO,
        delta: Band { floor: I256::ZERO, ceil: I256::ZERO },
        leverage: Band { floor: I256::ZERO, ceil: I256::ZERO },
        decay_per_s: U256::from(dice.pick(1, 400_000_000_000_000)),
        loss_target: int(dice.decimal(1_500, 3_000)),
        collateral: dice.collateral(),
    };
    let mut basis = BasisState {
        vault: state,
        perp,
        perp_price: Ok(dice.wild(perp_price)),
        mark_to_market: Ok(mtm),
        mark_loss: MarkLoss { ema: if dice.chance(80) { average } else { -average }, last_s },
    };
    spoil(dice, &mut basis);
    let mut feeds = dice.feeds(now_s, now_s + 604_800, spot);
    if dice.pick(0, 255) == 0 {
        // Beyond a signed word.
        feeds.base_spot.price = U256::MAX - feeds.base_spot.price;
    }
    Scene { vault, state: basis, feeds, spot, perp_price, base, perp, worth }
}

/// Rarely one thing wrong with the account itself.
fn spoil(dice: &mut Dice, state: &mut BasisState) {
    match dice.pick(0, 199) {
        0 => state.perp = I256::ONE,
        1 => state.perp = -state.perp,
        2 => state.vault.base = -I256::ONE,
        3 => state.mark_to_market = Ok(-int(micros(dice.pick(1, 1_000_000_000)))),
        4 => state.mark_to_market = Ok(I256::ZERO),
        5 => state.mark_to_market = Ok(int(dice.word())),
        6 => state.perp_price = Err(Revert::BlfDataTooOld),
        7 => state.perp_price = Ok(U256::ZERO),
        8 => state.mark_loss = MarkLoss { ema: int(dice.word()), last_s: dice.pick(0, u64::MAX - 1) },
        9 => state.vault.base = int(dice.word()),
        _ => {}
    }
}

/// A band whose nearer end lies on the outcome, or on the side the outcome moves towards.
fn band(dice: &mut Dice, before: I256, after: I256) -> Band {
    let width = int(dice.decimal(0, 40_000));
    let raw = |word: I256| word.into_raw();
    match dice.pick(0, 7) {
        // Outside before and after: only the direction decides.
        0 => Band { floor: before.max(after) + I256::ONE, ceil: before.max(after) + width + int(micros(1)) },
        1 => Band { floor: before.min(after) - width - int(micros(1)), ceil: before.min(after) - I256::ONE },
        2..=4 => Band { floor: after - width, ceil: int(dice.at_least(raw(after), 40)) },
        _ => Band { floor: int(dice.at_most(raw(after), 40)), ceil: after + width },
    }
}

/// A trade, deposit or withdrawal, with every limit on its boundary.
pub fn action(dice: &mut Dice) -> Verdicts {
    let mut scene = scene(dice);
    let action = match dice.pick(0, 31) {
        0 => Action::Other,
        1 | 2 => {
            let own = scene.state.vault.token_balance.wrapping_sub(scene.state.vault.pending_deposits);
            Action::Deposit(Transfer { asset: dice.asset(BASE), amount: dice.at_most(own, 40) })
        }
        3..=6 => withdrawal(dice, &mut scene),
        _ => trade(dice, &mut scene),
    };
    let expiry = dice.expiry(scene.state.vault.now_s, &scene.vault.life);
    let replica = scene.vault.check(&action, expiry, &scene.state, &scene.feeds);
    Verdicts {
        replica: replica.map(|after| after.ema.to_string()).map_err(Revert::name),
        twin: basis(&scene.vault, &action, expiry, &scene.state, &scene.feeds).map(|after| after.to_string()),
    }
}

fn withdrawal(dice: &mut Dice, scene: &mut Scene) -> Action<'static> {
    let amount = match dice.pick(0, 15) {
        0 => scene.base.into_raw(),
        1 => U256::ZERO,
        2 => dice.word(),
        _ => times(scene.worth.into_raw(), micros(dice.pick(0, 1_000_000))),
    };
    let left = scene.worth.wrapping_sub(int(amount));
    let exposure = exposure(scene);
    scene.vault.leverage = band(dice, per(scene.base, scene.worth), per(scene.base.wrapping_sub(int(amount)), left));
    scene.vault.delta = band(dice, per(exposure, scene.worth), per(exposure.wrapping_sub(int(amount)), left));
    Action::Withdraw(Transfer { asset: dice.asset(BASE), amount })
}

fn ratio(scene: &Scene) -> I256 {
    per(int(scene.perp_price), int(scene.spot))
}

fn exposure(scene: &Scene) -> I256 {
    scene.base + scene.perp.wrapping_mul(ratio(scene)).wrapping_div(unit())
}

fn trade(dice: &mut Dice, scene: &mut Scene) -> Action<'static> {
    let is_base = dice.chance(50);
    let is_bid = dice.chance(50);
    let amount = int(times(scene.worth.into_raw(), micros(dice.pick(1, 50_000))));
    let change = if is_bid { amount } else { -amount };
    let shift = if is_base { change } else { change.wrapping_mul(ratio(scene)).wrapping_div(unit()) };
    let exposure = exposure(scene);
    scene.vault.delta = band(dice, per(exposure, scene.worth), per(exposure + shift, scene.worth));
    scene.vault.leverage = band(dice, per(scene.base, scene.worth), per(scene.base + change, scene.worth));
    let mark = if is_base { scene.spot } else { scene.perp_price };
    let aside = times(mark, micros(dice.pick(0, 10_000)));
    let worse = dice.chance(70);
    let limit = if worse == is_bid { mark + aside } else { mark.saturating_sub(aside) };
    let loss = if is_bid { int(limit) - int(mark) } else { int(mark) - int(limit) };
    let per_unit = per(loss, int(scene.spot));
    scene.vault.loss_per_base_max = int(dice.at_least(per_unit.into_raw(), 30));
    scene.vault.loss_per_perp_max = scene.vault.loss_per_base_max;
    set_target(dice, scene, amount.wrapping_mul(per_unit).wrapping_div(scene.worth.max(I256::ONE)));
    let fee = if is_base {
        times(scene.spot, scene.vault.collateral.fee_factor)
    } else {
        times(scene.perp_price, scene.vault.perp_fee_max)
    };
    Action::Trade(Trade {
        asset: dice.asset(if is_base { BASE } else { DERIVATIVE }),
        sub_id: U256::ZERO,
        limit_price: int(dice.wild(limit)),
        amount: int(dice.wild(amount.into_raw())),
        worst_fee: dice.at_most(fee, 30),
        is_bid,
    })
}

/// Two times in three the loss budget ends just where this trade leads.
fn set_target(dice: &mut Dice, scene: &mut Scene, part: I256) {
    let before = scene.state.mark_loss.decayed(scene.vault.decay_per_s, scene.state.vault.now_s);
    if let (Ok(before), true) = (before, dice.chance(66)) {
        scene.vault.loss_target = int(dice.at_least(before.wrapping_add(part).into_raw(), 30));
    }
}
