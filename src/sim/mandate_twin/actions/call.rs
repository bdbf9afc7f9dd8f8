//! Actions put to the covered-call vault's contract.

use super::super::Verdicts;
use super::super::vaults::covered_call;
use super::dice::{BASE, DERIVATIVE, Dice, int, micros, off, times};
use crate::risk::mandate::action::{Action, Rfq, Role, Trade, Transfer, VaultState};
use crate::risk::mandate::black76::Black76;
use crate::risk::mandate::covered_call::CoveredCall;
use crate::risk::mandate::feeds::{FeedState, Feeds};
use alloy_primitives::{I256, U256};

/// Reverts a sale must meet.
pub const REVERTS: &[&str] = &[
    "CCT_InvalidActionExpiry",
    "CCT_InvalidModule",
    "CCT_InvalidDesiredAmount",
    "CCT_InvalidAsset",
    "CCT_CanOnlyOpenShortOptions",
    "CCT_InvalidOptionBalance",
    "CCT_SellingTooManyCalls",
    "CCT_CannotSellOptionsWithNegativeCash",
    "CMTSA_FeeTooHigh",
    "CCT_OnlyShortCallsAllowed",
    "CCT_OptionExpired",
    "CCT_OptionExpiryOutOfBounds",
    "CCT_OptionDeltaTooHigh",
    "CCT_OptionPriceTooLow",
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

struct Scene {
    vault: CoveredCall,
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
            covered_call(&self.vault, action, expiry, &self.state, &self.feeds),
        )
    }
}

fn scene(dice: &mut Dice) -> Scene {
    let now_s = dice.pick(1_700_000_000, 1_900_000_000);
    let left_s = if dice.chance(4) { dice.pick(0, 1_799) } else { dice.pick(1_800, 2_592_000) };
    let expiry_s = if dice.chance(1) { now_s - dice.pick(0, 5) } else { now_s + left_s };
    let spot = dice.decimal(1_000_000_000, 5_000_000_000);
    let left = U256::from(left_s);
    let mut state = dice.state(now_s);
    let cash_min = -int(dice.decimal(0, 100_000_000_000));
    state.cash = int(dice.at_least(cash_min.into_raw(), 40));
    let vault = CoveredCall {
        assets: dice.assets(),
        life: dice.life(),
        vol_factor: dice.decimal(500_000, 1_000_000),
        delta_max: U256::ZERO,
        cash_min,
        expires_in_min_s: dice.at_most(left, 8),
        expires_in_max_s: dice.at_least(left, 8),
        collateral: dice.collateral(),
    };
    let feeds = dice.feeds(now_s, expiry_s, spot);
    Scene { vault, state, feeds, spot, expiry_s }
}

/// A call sold, with price, delta, cover, fee and time on their boundaries.
pub fn sale(dice: &mut Dice) -> Verdicts {
    let mut scene = scene(dice);
    let strike = times(scene.spot, dice.decimal(980_000, 1_400_000)) / micros(10_000);
    let strike = strike.saturating_to::<u64>();
    let is_call = !dice.chance(2);
    let sub_id = dice.sub_id(strike, scene.expiry_s, is_call);
    let priced = floor(&scene, strike);
    scene.vault.delta_max = dice.at_least(priced.1, 40);
    let price = dice.at_least(priced.0 + U256::ONE, 50);
    let base = scene.state.base.into_raw();
    let short = times(base, micros(dice.pick(0, 1_000_000)));
    scene.state.options = vec![-int(short / U256::from(2)), -int(short - short / U256::from(2))].into();
    match dice.pick(0, 127) {
        0 => scene.state.options.to_mut().push(I256::ONE),
        1 => scene.state.options.to_mut().push(int(dice.word())),
        2 => scene.state.base = -scene.state.base,
        3 => scene.state.base = int(dice.word()),
        _ => {}
    }
    let order = Trade {
        asset: dice.asset(DERIVATIVE),
        sub_id,
        limit_price: int(dice.wild(price)),
        amount: {
            let whole = dice.at_most(base - short, 60);
            int(dice.wild(whole))
        },
        worst_fee: {
            let most = times(scene.spot, scene.vault.collateral.fee_factor);
            let fee = dice.at_most(most, 50);
            dice.wild(fee)
        },
        is_bid: dice.chance(2),
    };
    let action = match dice.pick(0, 63) {
        0 => Action::Other,
        1 => Action::Rfq(Rfq { role: Role::Maker, max_fee: U256::ZERO, legs: Vec::new().into() }),
        _ => Action::Trade(order),
    };
    scene.judge(dice, &action)
}

/// Price and delta at the floor, where the feeds give one.
fn floor(scene: &Scene, strike_cents: u64) -> (U256, U256) {
    let strike = u128::from(strike_cents) * 10_000_000_000_000_000;
    let vol = scene.feeds.vol(strike, scene.expiry_s).unwrap_or(micros(500_000));
    let forward = scene.feeds.forward(scene.expiry_s).unwrap_or(scene.spot);
    let input = Black76 {
        expires_in_s: scene.expiry_s.saturating_sub(scene.state.now_s),
        discount: 1_000_000_000_000_000_000,
        vol: times(vol, scene.vault.vol_factor).saturating_to(),
        forward: forward.saturating_to(),
        strike,
    };
    input.priced().map(|priced| (priced.call, priced.call_delta)).unwrap_or_default()
}

/// A swap, deposit or withdrawal of this vault.
pub fn collateral(dice: &mut Dice) -> Verdicts {
    let mut scene = scene(dice);
    let short = times(scene.state.base.into_raw(), micros(dice.pick(0, 1_000_000)));
    if dice.chance(50) {
        scene.state.options = vec![-int(short)].into();
    }
    let held: U256 = scene.state.options.iter().fold(U256::ZERO, |sum, held| sum + held.unsigned_abs());
    let free = scene.state.base.into_raw().saturating_sub(held);
    let action =
        transfer_or_swap(dice, (scene.spot, free), &scene.vault.assets, &scene.vault.collateral, &mut scene.state);
    scene.judge(dice, &action)
}

/// Any action with collateral, near its bounds; cash is set for swaps.
pub fn transfer_or_swap(
    dice: &mut Dice,
    (spot, free): (U256, U256),
    assets: &crate::risk::mandate::action::Assets,
    limits: &crate::risk::mandate::collateral::CollateralLimits,
    state: &mut VaultState<'_>,
) -> Action<'static> {
    let asset = dice.asset(BASE);
    match dice.pick(0, 9) {
        0 => {
            let own = state.token_balance.wrapping_sub(state.pending_deposits);
            Action::Deposit(Transfer { asset, amount: dice.at_most(own, 40) })
        }
        1 | 2 => {
            // The token's own decimals, rounded down: what 18 decimals hold less is lost.
            let power = U256::from(10).pow(U256::from(18 - assets.token_decimals.min(18)));
            let amount = dice.at_most(free / power, 20);
            Action::Withdraw(Transfer { asset, amount: dice.wild(amount) })
        }
        _ => Action::Trade(swap(dice, asset, spot, limits, state)),
    }
}

fn swap(
    dice: &mut Dice,
    asset: alloy_primitives::Address,
    spot: U256,
    limits: &crate::risk::mandate::collateral::CollateralLimits,
    state: &mut VaultState<'_>,
) -> Trade {
    let is_bid = dice.chance(50);
    let cash = dice.decimal(0, 1_000_000_000_000);
    state.cash = if is_bid { int(cash) } else { -int(cash) };
    match dice.pick(0, 63) {
        0 => state.cash = I256::ZERO,
        1 => state.cash = -state.cash,
        2 => state.cash = int(dice.word()),
        _ => {}
    }
    let limit = if is_bid {
        dice.at_most(times(spot, limits.worst_buy), 50)
    } else {
        dice.at_least(times(spot, limits.worst_sell), 50)
    };
    let unit = U256::from(1_000_000_000_000_000_000_u64);
    let whole = times(cash, limits.leniency.into_raw()).wrapping_mul(unit) / limit.max(U256::ONE);
    let amount = off(whole, -dice.margin(40));
    let limit = if dice.chance(1) { limit.wrapping_neg() } else { limit };
    Trade {
        asset,
        sub_id: U256::ZERO,
        limit_price: int(dice.wild(limit)),
        amount: if dice.chance(1) { I256::ZERO } else { int(dice.wild(amount)) },
        worst_fee: dice.at_most(times(spot, limits.fee_factor), 50),
        is_bid,
    }
}
