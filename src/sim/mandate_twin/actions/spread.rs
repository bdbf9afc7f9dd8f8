//! Actions put to the spread vaults' contract.

use super::super::Verdicts;
use super::super::vaults::spread;
use super::call::transfer_or_swap;
use super::dice::{DERIVATIVE, Dice, int, micros, off, times};
use crate::risk::mandate::action::{Action, Leg, Rfq, Role, VaultState};
use crate::risk::mandate::black76::Black76;
use crate::risk::mandate::feeds::{FeedState, Feeds};
use crate::risk::mandate::spread::Spread;
use alloy_primitives::{B256, I256, U256};

/// Reverts a quote taken or made must meet.
pub const REVERTS: &[&str] = &[
    "BTSA_Blocked",
    "PPT_InvalidActionExpiry",
    "PPT_InvalidModule",
    "PPT_TradeDataDoesNotMatchOrderHash",
    "PPT_InvalidTradeLength",
    "PPT_InvalidOptionDetails",
    "PPT_InvalidMakerTradeDetails",
    "PPT_InvalidHighStrikeAmount",
    "PPT_StrikePriceOutsideOfDiff",
    "PPT_InvalidTradeAmount",
    "PPT_InvalidSpreadBalance",
    "PPT_NegativeBaseBalance",
    "PPT_CannotTradeWithTooMuchNegativeCash",
    "PPT_TradeFeeTooHigh",
    "PPT_TotalCostOverTolerance",
    "PPT_TotalCostBelowTolerance",
    "PPT_MarkValueNotWithinBounds",
    "PPT_TradeTooLarge",
    "BLF_DataTooOld",
    "LVF_MissingExpiryData",
    "LFF_MissingExpiryData",
    "LFF_SettlementDataTooOld",
    "SVI_InvalidParameters",
    "SVI_NoForwardPrice",
    "SVI: value must be positive",
    "SafeCast",
    "Panic(0x11)",
    "Panic(0x12)",
];

/// Reverts the actions with collateral must meet, of both option vaults.
pub const COLLATERAL_REVERTS: &[&str] = &[
    "BTSA_Blocked",
    "CCT_InvalidActionExpiry",
    "CCT_InvalidAsset",
    "CCT_InvalidDesiredAmount",
    "CCT_WithdrawalNegativeCash",
    "CCT_WithdrawingUtilisedCollateral",
    "CMTSA_BuyingTooMuchCollateral",
    "CMTSA_DepositingTooMuch",
    "CMTSA_FeeTooHigh",
    "CMTSA_InvalidAsset",
    "CMTSA_MustHaveNegativeCash",
    "CMTSA_MustHavePositiveCash",
    "CMTSA_SellingTooMuchCollateral",
    "CMTSA_SpotLimitPriceTooHigh",
    "CMTSA_SpotLimitPriceTooLow",
    "PPT_InvalidActionExpiry",
    "PPT_InvalidAsset",
    "PPT_InvalidBaseBalance",
    "PPT_InvalidDesiredAmount",
    "PPT_InvalidSpreadBalance",
    "PPT_NegativeBaseBalance",
    "PPT_WithdrawingUtilisedCollateral",
    "PPT_WithdrawingWithOpenTrades",
    "BLF_DataTooOld",
    "SafeCast",
    "Panic(0x11)",
];

struct Scene {
    vault: Spread,
    state: VaultState<'static>,
    feeds: FeedState,
    spot: U256,
    expiry_s: u64,
}

impl Scene {
    fn judge(&self, dice: &mut Dice, action: &Action) -> Verdicts {
        let expiry = dice.expiry(self.state.now_s, &self.vault.life);
        Verdicts::plain(
            self.vault.check(action, expiry, &self.state, &self.feeds),
            spread(&self.vault, action, expiry, &self.state, &self.feeds),
        )
    }
}

fn scene(dice: &mut Dice) -> Scene {
    let now_s = dice.pick(1_700_000_000, 1_900_000_000);
    let left_s = if dice.chance(4) { dice.pick(0, 1_799) } else { dice.pick(1_800, 2_592_000) };
    let expiry_s = now_s + left_s;
    let spot = dice.decimal(1_000_000_000, 5_000_000_000);
    let mut state = dice.state(now_s);
    let cash_min = -int(dice.decimal(0, 100_000_000_000));
    state.cash = int(dice.at_least(cash_min.into_raw(), 40));
    let (is_call, is_long) = (dice.chance(50), dice.chance(50));
    let vault = Spread {
        assets: dice.assets(),
        is_call,
        is_long,
        life: dice.life(),
        mark_ratio_min: U256::ZERO,
        mark_ratio_max: micros(1_000_000),
        strike_distance: U256::ZERO,
        cost_tolerance: if is_long { dice.decimal(1_000_000, 5_000_000) } else { dice.decimal(100_000, 1_000_000) },
        loss_or_gain_max: dice.decimal(10_000, 1_000_000),
        debt_tolerance: dice.decimal(10_000, 1_000_000),
        expires_in_min_s: dice.at_most(U256::from(left_s), 8),
        expires_in_max_s: dice.at_least(U256::from(left_s), 8),
        cash_min,
        fee_factor: dice.decimal(10_000, 1_000_000),
        collateral: dice.collateral(),
    };
    let feeds = dice.feeds(now_s, expiry_s, spot);
    Scene { vault, state, feeds, spot, expiry_s }
}

/// Marks of both strikes with the first leg's volatility; zero where the feeds give none.
fn marks(scene: &Scene, first_cents: u64, cents: [u64; 2]) -> [U256; 2] {
    let wad = |cents: u64| u128::from(cents) * 10_000_000_000_000_000;
    let vol = scene.feeds.vol(wad(first_cents), scene.expiry_s).unwrap_or(micros(500_000));
    let forward = scene.feeds.forward(scene.expiry_s).unwrap_or(scene.spot);
    cents.map(|cents| {
        let input = Black76 {
            expires_in_s: scene.expiry_s.saturating_sub(scene.state.now_s),
            discount: 1_000_000_000_000_000_000,
            vol: vol.saturating_to(),
            forward: forward.saturating_to(),
            strike: wad(cents),
        };
        let priced = input.priced().ok();
        priced.map_or(U256::ZERO, |priced| if scene.vault.is_call { priced.call } else { priced.put })
    })
}

/// A spread quoted or taken, with cost, ratio, size, fee and time on their boundaries.
pub fn package(dice: &mut Dice) -> Verdicts {
    let mut scene = scene(dice);
    let low = (times(scene.spot, dice.decimal(850_000, 1_150_000)) / micros(10_000)).saturating_to::<u64>();
    let high = low + dice.pick(1_000, 40_000);
    scene.vault.strike_distance = off(micros(10_000) * U256::from(high - low), if dice.chance(2) { 1 } else { 0 });
    let turned = dice.chance(50);
    let [low_mark, high_mark] = marks(&scene, if turned { high } else { low }, [low, high]);
    let unit = low_mark.abs_diff(high_mark);
    let ratio = unit.wrapping_mul(micros(1_000_000)) / scene.vault.strike_distance.max(U256::ONE);
    scene.vault.mark_ratio_min = dice.at_most(ratio, 40).min(ratio + micros(1));
    scene.vault.mark_ratio_max = dice.at_least(ratio, 40);
    let amount = size(dice, &mut scene);
    let (legs, cost) = legs(dice, &mut scene, ([low, high], turned), (unit, amount));
    let fee = dice.at_most(times(cost, scene.vault.fee_factor), 40);
    let takes = dice.chance(50);
    let role = match (takes, dice.chance(2)) {
        (false, _) => Role::Maker,
        (true, odd) => Role::Taker { order_hash: B256::ZERO, legs_hash: B256::repeat_byte(u8::from(odd)) },
    };
    let bought = (scene.vault.is_call == scene.vault.is_long) == takes;
    let wrong = dice.chance(3);
    let mut rfq = Rfq { role, max_fee: dice.wild(fee), legs: legs.into() };
    if bought == wrong {
        rfq.legs.to_mut().iter_mut().for_each(|leg| leg.amount = leg.amount.wrapping_neg());
    }
    if turned {
        rfq.legs.to_mut().reverse();
    }
    if dice.chance(1) {
        rfq.legs.to_mut().pop();
    }
    let action = if dice.chance(1) { Action::Other } else { Action::Rfq(rfq) };
    scene.judge(dice, &action)
}

/// Open spreads, and how many more just fit into the collateral's value.
fn size(dice: &mut Dice, scene: &mut Scene) -> U256 {
    let open = dice.decimal(0, 100_000_000);
    if dice.chance(50) {
        let uneven = if dice.chance(4) { 1 } else { 0 };
        let half = open / U256::from(2);
        scene.state.options = vec![-int(half), int(off(open, uneven)), -int(open - half)].into();
    }
    match dice.pick(0, 127) {
        0 | 1 => scene.state.base = -scene.state.base,
        2 => scene.state.base = int(dice.word()),
        3 => scene.state.options.to_mut().push(int(dice.word())),
        _ => {}
    }
    let held = if scene.state.options.is_empty() { U256::ZERO } else { open };
    let room = times(times(scene.state.base.into_raw(), scene.spot), scene.vault.loss_or_gain_max);
    let distance = scene.vault.strike_distance;
    let most = room.saturating_sub(times(held, distance)).wrapping_mul(micros(1_000_000)) / distance.max(U256::ONE);
    let most = most.max(micros(1)).min(micros(1_000_000_000_000));
    let margin = dice.margin(40);
    off(most, -margin).max(U256::ONE)
}

/// Both legs, lower strike first, the upper one received; and what they cost together.
fn legs(
    dice: &mut Dice,
    scene: &mut Scene,
    ([low, high], _turned): ([u64; 2], bool),
    (unit, amount): (U256, U256),
) -> (Vec<Leg>, U256) {
    let bound = times(unit, scene.vault.cost_tolerance);
    let per_unit = if scene.vault.is_long { dice.at_most(bound, 50) } else { dice.at_least(bound, 50) };
    let per_unit = if per_unit.bit(255) { U256::ZERO } else { per_unit };
    let below = dice.decimal(0, 100_000_000);
    let is_call = scene.vault.is_call != dice.chance(1);
    let mut ids = [low, high].map(|cents| dice.sub_id(cents, scene.expiry_s, is_call));
    match dice.pick(0, 127) {
        0 => ids[1] = dice.sub_id(high, scene.expiry_s + 1, is_call),
        1 => ids[0] = dice.sub_id(low, scene.expiry_s, !is_call),
        _ => {}
    }
    let odd = dice.chance(2);
    let prices = if dice.chance(50) { [below + per_unit, below] } else { [below, below + per_unit] };
    let amounts = [-int(off(amount, i64::from(odd))), int(amount)];
    let mut leg = |place: usize| Leg {
        asset: if dice.pick(0, 127) == 0 { super::dice::OTHER } else { DERIVATIVE },
        sub_id: ids[place],
        price: dice.wild(prices[place]),
        amount: if dice.pick(0, 511) == 0 { I256::MIN } else { amounts[place] },
    };
    (vec![leg(0), leg(1)], times(per_unit, amount))
}

/// A swap, deposit or withdrawal of this vault.
pub fn collateral(dice: &mut Dice) -> Verdicts {
    let mut scene = scene(dice);
    if dice.chance(10) {
        let open = dice.decimal(0, 100_000_000);
        scene.state.options = vec![-int(open), int(off(open, i64::from(dice.chance(20))))].into();
    }
    if dice.chance(1) {
        scene.state.base = -scene.state.base;
    }
    let free = owed(dice, &mut scene);
    let assets = scene.vault.assets;
    let limits = scene.vault.collateral;
    let spot = scene.spot;
    let action = transfer_or_swap(dice, (spot, free), &assets, &limits, &mut scene.state);
    scene.judge(dice, &action)
}

/// Sets a debt, half the time; what may be withdrawn with it.
fn owed(dice: &mut Dice, scene: &mut Scene) -> U256 {
    let base = scene.state.base.into_raw();
    if dice.chance(50) {
        scene.state.cash = int(dice.decimal(0, 1_000_000_000));
        return base;
    }
    let left = times(base, micros(dice.pick(0, 1_000_000)));
    let most = times(times(left, scene.spot), scene.vault.debt_tolerance);
    scene.state.cash = -int(dice.at_most(most, 40));
    base.saturating_sub(left)
}
