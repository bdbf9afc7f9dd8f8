//! The committed spread vaults in an Ethereum machine of this process, against the replica the engine trades by: calls and
//! puts, bought and sold, quoted and taken, and the collateral half on its own; verdict for verdict and name for name.
//!
//! The contract prices both legs itself, from a forward and a volatility line it is told. Feeds of those two never age here.

#[path = "support/mandate_evm.rs"]
mod shared;

use alloy::primitives::{Address, B256, I256, U256};
use alloy::sol_types::SolValue;
use keel::risk::mandate::action::{Action, Assets, Leg, Rfq, Role, SignatureLife, Trade, Transfer, VaultState};
use keel::risk::mandate::black76::Black76;
use keel::risk::mandate::feeds::Feeds;
use keel::risk::mandate::revert::Revert;
use keel::risk::mandate::spread::Spread;
use keel::sim::mandate_twin::actions::dice::{self, Dice, int, off, times};
use shared::evm::{Evm, MATCHING, OWNER};
use shared::{
    Ask, BASE, BasisParams, DEPOSIT, KEY, NOW_S, Owner, Places, QUOTE, SUBACCOUNT, SpotParams, SpreadOwner,
    SpreadParams, TRADE, Told, UNIT, WITHDRAWAL, base, micros, of_contract, of_replica,
};
use std::collections::BTreeMap;

/// Random actions of each of the two tests.
const ACTIONS: u64 = 20_000;
/// Oldest price of the collateral.
const HEARTBEAT_S: u64 = 180;
const OPTION: Address = dice::DERIVATIVE;
/// A vault each: calls rather than puts, bought rather than sold, places of its token.
const KINDS: [(bool, bool, u8); 4] = [(true, false, 18), (false, false, 8), (true, true, 6), (false, true, 20)];

/// Refusals of quotes and executions.
const QUOTED: &[&str] = &[
    "BLF_DataTooOld",
    "BOCST_InvalidAction",
    "BOCST_OnlySigner",
    "BTSA_Blocked",
    "PPT_CannotTradeWithTooMuchNegativeCash",
    "PPT_InvalidActionExpiry",
    "PPT_InvalidHighStrikeAmount",
    "PPT_InvalidMakerTradeDetails",
    "PPT_InvalidModule",
    "PPT_InvalidOptionDetails",
    "PPT_InvalidSpreadBalance",
    "PPT_InvalidTradeAmount",
    "PPT_InvalidTradeLength",
    "PPT_MarkValueNotWithinBounds",
    "PPT_NegativeBaseBalance",
    "PPT_StrikePriceOutsideOfDiff",
    "PPT_TotalCostBelowTolerance",
    "PPT_TotalCostOverTolerance",
    "PPT_TradeDataDoesNotMatchOrderHash",
    "PPT_TradeFeeTooHigh",
    "PPT_TradeTooLarge",
    "Panic(0x11)",
    "SafeCast",
];

/// Refusals of deposits, withdrawals and swaps.
const MOVED: &[&str] = &[
    "BLF_DataTooOld",
    "BOCST_InvalidAction",
    "BOCST_OnlySigner",
    "BTSA_Blocked",
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
    "PPT_InvalidModule",
    "PPT_InvalidSpreadBalance",
    "PPT_NegativeBaseBalance",
    "PPT_WithdrawingUtilisedCollateral",
    "PPT_WithdrawingWithOpenTrades",
    "Panic(0x11)",
    "SafeCast",
];

/// A vault's parameters, what it holds and what its feeds say.
#[derive(Clone, Debug)]
struct Scene {
    kind: usize,
    params: Spread,
    blocked: bool,
    base: I256,
    cash: I256,
    options: Vec<I256>,
    tokens: U256,
    pending: U256,
    spot: U256,
    spot_age_s: u64,
    vol: U256,
    tilt: I256,
    forward: U256,
}

impl Feeds for Scene {
    fn spot(&self) -> Result<U256, Revert> {
        if self.spot_age_s > HEARTBEAT_S { Err(Revert::BlfDataTooOld) } else { Ok(self.spot) }
    }

    fn vol(&self, strike: u128, _: u64) -> Result<U256, Revert> {
        let tilted = self.tilt.wrapping_mul(int(U256::from(strike))).wrapping_div(int(UNIT));
        Ok((int(self.vol) + tilted).into_raw())
    }

    fn forward(&self, _: u64) -> Result<U256, Revert> {
        Ok(self.forward)
    }
}

impl Scene {
    fn replica(&self, ask: &Ask) -> Result<(), Revert> {
        if let Some(why) = ask.refused() {
            return Err(why);
        }
        let state = VaultState {
            now_s: NOW_S,
            blocked: self.blocked,
            base: self.base,
            cash: self.cash,
            options: self.options.as_slice().into(),
            token_balance: self.tokens,
            pending_deposits: self.pending,
        };
        self.params.check(&ask.action, ask.expiry, &state, self)
    }

    /// Marks of strikes (eight decimals) by the volatility of the first.
    fn marks(&self, first_e8: u128, strikes_e8: [u128; 2], left_s: u64) -> [U256; 2] {
        let vol = self.vol(first_e8 * 10_000_000_000, 0).expect("told");
        strikes_e8.map(|strike_e8| {
            let input = Black76 {
                expires_in_s: left_s,
                discount: UNIT.to(),
                vol: vol.to(),
                forward: self.forward.to(),
                strike: strike_e8 * 10_000_000_000,
            };
            let priced = input.priced().expect("no revert");
            if self.params.is_call { priced.call } else { priced.put }
        })
    }
}

/// The four vaults on a machine.
struct Vaults {
    evm: Evm,
    feed: Address,
    places: [Address; 4],
    tokens: [Token; 4],
    nonce: u64,
}

/// A token, and where it and the vault keep what lies there and what is owed.
#[derive(Clone, Copy)]
struct Token {
    place: Address,
    balance: U256,
    pending: U256,
}

impl Vaults {
    fn new() -> Vaults {
        let mut evm = Evm::new(NOW_S);
        evm.tell(MATCHING, &Owner::initializeCall { administrator: OWNER, orders: TRADE });
        let feed = evm.deploy("Feed", &[]);
        evm.tell(feed, &Owner::setHeartbeatCall { told: HEARTBEAT_S });
        let pending = pending_slot(&mut evm);
        let made = KINDS.map(|(is_call, is_long, decimals)| {
            let token = evm.deploy("Token", &U256::from(decimals).abi_encode());
            let arguments = (U256::from(SUBACCOUNT), base(token), QUOTE, is_call, is_long).abi_encode_params();
            let place = evm.deploy("SpreadSigner", &arguments);
            evm.tell(place, &Owner::setSignerCall { key: KEY, allowed: true });
            let mark = U256::from(0xbead) << 128_usize;
            let balance = evm.slots(token, &Owner::mintCall { holder: place, amount: mark }, &[mark])[0];
            (place, Token { place: token, balance, pending })
        });
        Vaults { evm, feed, places: made.map(|(place, _)| place), tokens: made.map(|(_, token)| token), nonce: 0 }
    }

    fn tell(&mut self, scene: &Scene) {
        let (place, token) = (self.places[scene.kind], self.tokens[scene.kind]);
        let params = &scene.params;
        let told = U256::to::<u128>(&scene.spot);
        let spot = Owner::setSpotCall {
            told: alloy::primitives::aliases::U96::from(told),
            timestamp: NOW_S - scene.spot_age_s,
        };
        self.evm.tell(self.feed, &spot);
        self.evm.tell(place, &Owner::setBlockedCall { blocked: scene.blocked });
        let named =
            Places { feed: self.feed, deposit: DEPOSIT, withdrawal: WITHDRAWAL, module: TRADE, derivative: OPTION };
        let kinds = Owner::setKindsCall { ofSpread: words(params), ofBasis: BasisParams::default(), named };
        self.evm.tell(place, &kinds);
        let swaps = SpotParams {
            feeFactor: params.collateral.fee_factor,
            spotTransactionLeniency: params.collateral.leniency,
            worstSpotSellPrice: params.collateral.worst_sell,
            worstSpotBuyPrice: params.collateral.worst_buy,
        };
        self.evm.tell(place, &SpreadOwner::setSwapsCall { swaps });
        let Scene { base, cash, vol, tilt, forward, .. } = *scene;
        let now_ = Told { base, cash, vol, tilt, forward };
        self.evm.tell(place, &SpreadOwner::setToldCall { now_, held: scene.options.clone() });
        self.evm.put(token.place, token.balance, scene.tokens);
        self.evm.put(place, token.pending, scene.pending);
    }

    /// Puts an action to both; what they say, which must be the same.
    fn judge(&mut self, scene: &Scene, ask: &Ask) -> String {
        self.nonce += 1;
        self.tell(scene);
        let place = self.places[scene.kind];
        let contract = of_contract(self.evm.would(ask.sender, place, &ask.call(place, self.nonce)));
        let replica = of_replica(scene.replica(ask));
        assert_eq!(contract, replica, "{scene:?} {ask:?}");
        replica
    }
}

/// Where such a vault keeps what it owes to depositors in waiting; found on one that is then thrown away.
fn pending_slot(evm: &mut Evm) -> U256 {
    let arguments = (U256::ZERO, base(Address::ZERO), QUOTE, true, true).abi_encode_params();
    let vault = evm.deploy("SpreadSigner", &arguments);
    let mark = U256::from(0xface) << 128_usize;
    let slot = (0..64_u64).map(U256::from).find(|slot| {
        evm.put(vault, *slot, mark);
        evm.would(OWNER, vault, &Owner::totalPendingDepositsCall {}) == Ok(mark)
    });
    slot.expect("it is kept in a slot of its own")
}

fn words(params: &Spread) -> SpreadParams {
    SpreadParams {
        maxMarkValueToStrikeDiffRatio: params.mark_ratio_max,
        minMarkValueToStrikeDiffRatio: params.mark_ratio_min,
        strikeDiff: params.strike_distance,
        maxTotalCostTolerance: params.cost_tolerance,
        maxLossOrGainPercentOfTVL: params.loss_or_gain_max,
        negMaxCashTolerance: params.debt_tolerance,
        minSignatureExpiry: params.life.min_s,
        maxSignatureExpiry: params.life.max_s,
        optionMinTimeToExpiry: params.expires_in_min_s,
        optionMaxTimeToExpiry: params.expires_in_max_s,
        maxNegCash: params.cash_min,
        rfqFeeFactor: params.fee_factor,
    }
}

// ---- actions, most of them near a boundary

/// A vault near the ends of its parameters, and how long its options run.
fn draw_scene(dice: &mut Dice) -> (Scene, u64) {
    let kind = dice.pick(0, 3) as usize;
    let (is_call, is_long, token_decimals) = KINDS[kind];
    let left_s = dice.pick(1_800, 2_592_000);
    let spot = dice.decimal(1_000_000_000, 5_000_000_000);
    let cash_min = -int(dice.decimal(0, 100_000_000_000));
    let tolerance = if is_long { (1_000_000, 2_000_000) } else { (100_000, 1_000_000) };
    let tilt = int(dice.decimal(0, 50));
    let tokens = dice.decimal(0, 10_000_000_000);
    let params = Spread {
        assets: Assets { base: BASE, derivative: OPTION, token_decimals },
        is_call,
        is_long,
        life: SignatureLife {
            min_s: U256::from(60),
            max_s: if dice.pick(0, 255) == 0 { U256::MAX } else { U256::from(900) },
        },
        mark_ratio_min: U256::ZERO,
        mark_ratio_max: UNIT,
        strike_distance: UNIT,
        cost_tolerance: dice.decimal(tolerance.0, tolerance.1),
        loss_or_gain_max: dice.decimal(1_000, 500_000),
        debt_tolerance: dice.decimal(10_000, 1_000_000),
        expires_in_min_s: dice.at_most(U256::from(left_s), 8),
        expires_in_max_s: dice.at_least(U256::from(left_s), 8),
        cash_min,
        fee_factor: dice.decimal(10_000, 1_000_000),
        collateral: dice.collateral(),
    };
    let scene = Scene {
        kind,
        params,
        blocked: dice.pick(0, 255) == 0,
        base: int(dice.decimal(1_000_000, 1_000_000_000)),
        cash: int(dice.at_least(cash_min.into_raw(), 40)),
        options: Vec::new(),
        tokens,
        pending: if dice.chance(1) { off(tokens, 1) } else { times(tokens, dice.decimal(0, 999_999)) },
        spot,
        spot_age_s: if dice.chance(1) { HEARTBEAT_S + 1 } else { dice.pick(0, HEARTBEAT_S) },
        vol: dice.decimal(500_000, 1_500_000),
        tilt: if dice.chance(50) { -tilt } else { tilt },
        forward: times(spot, dice.decimal(950_000, 1_050_000)),
    };
    (scene, left_s)
}

fn draw_ask(dice: &mut Dice, scene: &Scene, action: Action<'static>) -> Ask {
    let expiry = match dice.pick(0, 99) {
        0 => dice.word(),
        1..=20 => dice.expiry(NOW_S, &SignatureLife { max_s: U256::from(900), ..scene.params.life }),
        _ => U256::from(NOW_S + 600),
    };
    let action = if dice.chance(1) { Action::Other } else { action };
    Ask { sender: if dice.chance(1) { OWNER } else { KEY }, own_signer: !dice.chance(1), expiry, action }
}

/// A spread quoted or taken: ratio, size, cost, fee and time on their boundaries.
fn draw_quote(dice: &mut Dice, scene: &mut Scene, left_s: u64) -> Action<'static> {
    let cents: u64 = (times(scene.spot, dice.decimal(850_000, 1_150_000)) / micros(10_000)).saturating_to();
    let apart = dice.pick(1_000, 40_000);
    let strikes = [cents, cents + apart].map(|cents| u128::from(cents) * 1_000_000);
    let distance = micros(10_000) * U256::from(apart);
    scene.params.strike_distance = off(distance, i64::from(dice.chance(2)));
    let turned = dice.chance(50);
    let [low, high] = scene.marks(strikes[usize::from(turned)], strikes, left_s);
    let unit = low.abs_diff(high);
    let ratio = unit * UNIT / distance;
    scene.params.mark_ratio_min = dice.at_most(ratio, 40).min(ratio + U256::ONE);
    scene.params.mark_ratio_max = dice.at_least(ratio, 40);
    let amount = draw_size(dice, scene, distance);
    let bound = times(unit, scene.params.cost_tolerance);
    let per_unit = if scene.params.is_long { dice.at_most(bound, 50) } else { dice.at_least(bound, 50) };
    let per_unit = if per_unit.bit(255) { U256::ZERO } else { per_unit };
    let fee = dice.at_most(times(times(per_unit, amount), scene.params.fee_factor), 40);
    let takes = dice.chance(50);
    let receives = ((scene.params.is_call == scene.params.is_long) == takes) != dice.chance(3);
    let amount = if receives { int(amount) } else { -int(amount) };
    let mut legs = draw_legs(dice, scene, (strikes, NOW_S + left_s), per_unit, amount);
    if turned {
        legs.reverse();
    }
    match dice.pick(0, 127) {
        0 => drop(legs.pop()),
        1 => legs.push(legs[0]),
        _ => {}
    }
    let mut role = if takes { shared::taker(&legs) } else { Role::Maker };
    if let (Role::Taker { order_hash, .. }, true) = (&mut role, dice.chance(2)) {
        *order_hash = B256::repeat_byte(7);
    }
    Action::Rfq(Rfq { role, max_fee: if fee.bit(255) { U256::ZERO } else { fee }, legs: legs.into() })
}

/// Open spreads, and how many more just fit into the collateral's value.
fn draw_size(dice: &mut Dice, scene: &mut Scene, distance: U256) -> U256 {
    let room = times(times(scene.base.into_raw(), scene.spot), scene.params.loss_or_gain_max);
    let most = room * UNIT / distance;
    let open = times(most, dice.decimal(0, 900_000));
    let held = dice.chance(50);
    if held {
        let (half, uneven) = (open / U256::from(2), i64::from(dice.chance(4)));
        scene.options = vec![-int(half), int(off(open, uneven)), -int(open - half)];
    }
    if dice.chance(1) {
        scene.base = -scene.base;
    }
    let left = if held { most - open } else { most };
    let amount = dice.at_most(left, 30);
    if amount.is_zero() || amount.bit(255) { U256::ONE } else { amount }
}

/// Both legs, lower strike first; now and then one that does not fit.
fn draw_legs(
    dice: &mut Dice,
    scene: &Scene,
    (strikes, expiry_s): ([u128; 2], u64),
    per_unit: U256,
    amount: I256,
) -> Vec<Leg> {
    let is_call = scene.params.is_call;
    let mut ids = strikes.map(|strike| shared::sub_id(strike, expiry_s, is_call));
    match dice.pick(0, 127) {
        0 => ids[1] = shared::sub_id(strikes[1], expiry_s + 1, is_call),
        1 => ids[0] = shared::sub_id(strikes[0], expiry_s, !is_call),
        2 => ids[0] |= U256::ONE << 96_usize,
        3 => ids.swap(0, 1),
        _ => {}
    }
    let below = dice.decimal(0, 100_000_000);
    let prices = if dice.chance(50) { [below + per_unit, below] } else { [below, below + per_unit] };
    let other = if dice.chance(2) { amount + I256::ONE } else { amount };
    let mut amounts = [other.wrapping_neg(), amount];
    if dice.pick(0, 255) == 0 {
        amounts[0] = I256::MIN;
    }
    let mut leg = |place: usize| Leg {
        asset: if dice.pick(0, 127) == 0 { dice::OTHER } else { OPTION },
        sub_id: ids[place],
        price: dice.wild(prices[place]),
        amount: amounts[place],
    };
    vec![leg(0), leg(1)]
}

/// A deposit, a withdrawal or a swap.
fn draw_move(dice: &mut Dice, scene: &mut Scene) -> Action<'static> {
    match dice.pick(0, 99) {
        0..=9 => {
            let own = scene.tokens.saturating_sub(scene.pending);
            Action::Deposit(Transfer { asset: dice.asset(BASE), amount: dice.at_most(own, 40) })
        }
        10..=44 => draw_withdrawal(dice, scene),
        _ => Action::Trade(draw_swap(dice, scene)),
    }
}

/// Of all, or of what just leaves a debt covered, in the token's own places.
fn draw_withdrawal(dice: &mut Dice, scene: &mut Scene) -> Action<'static> {
    let whole = scene.base.into_raw();
    let mut left = U256::ZERO;
    if dice.chance(60) {
        left = times(whole, dice.decimal(0, 999_999));
        let most = times(times(left, scene.spot), scene.params.debt_tolerance);
        scene.cash = -int(dice.at_most(most, 62));
    } else {
        scene.cash = int(dice.decimal(0, 1_000_000_000));
    }
    match dice.pick(0, 31) {
        0 => scene.options = vec![I256::ONE, I256::MINUS_ONE],
        1 => scene.options = vec![I256::ONE, -int(U256::from(2))],
        2 => scene.base = -scene.base,
        _ => {}
    }
    let places = i32::from(scene.params.assets.token_decimals) - 18;
    let power = U256::from(10).pow(U256::from(places.unsigned_abs()));
    let free = whole - left;
    let free = if places < 0 { free / power } else { free * power };
    let amount = dice.at_most(free, if places < 0 { 4 } else { 20 });
    Action::Withdraw(Transfer { asset: dice.asset(BASE), amount: dice.wild(amount) })
}

fn draw_swap(dice: &mut Dice, scene: &mut Scene) -> Trade {
    let limits = scene.params.collateral;
    let is_bid = dice.chance(50);
    let cash = dice.decimal(0, 1_000_000_000_000);
    scene.cash = if is_bid { int(cash) } else { -int(cash) };
    match dice.pick(0, 63) {
        0 => scene.cash = I256::ZERO,
        1 => scene.cash = -scene.cash,
        _ => {}
    }
    let limit = if is_bid {
        dice.at_most(times(scene.spot, limits.worst_buy), 50)
    } else {
        dice.at_least(times(scene.spot, limits.worst_sell), 50)
    };
    let most = times(cash, limits.leniency.into_raw()) * UNIT / limit;
    let amount = dice.at_most(most, 40);
    let limit = if dice.chance(1) { limit.wrapping_neg() } else { limit };
    Trade {
        asset: dice.asset(BASE),
        sub_id: U256::ZERO,
        limit_price: int(limit),
        amount: if dice.chance(1) { I256::ZERO } else { int(dice.wild(amount)) },
        worst_fee: dice.at_most(times(scene.spot, limits.fee_factor), 50),
        is_bid,
    }
}

/// Verdicts of one part of the actions, each with how often it was met.
fn part(seeds: std::ops::Range<u64>, draw: fn(&mut Dice, &mut Scene, u64) -> Action<'static>) -> BTreeMap<String, u64> {
    let mut vaults = Vaults::new();
    let mut met = BTreeMap::new();
    for seed in seeds {
        let mut dice = Dice::new(seed);
        let (mut scene, left_s) = draw_scene(&mut dice);
        let action = draw(&mut dice, &mut scene, left_s);
        let ask = draw_ask(&mut dice, &scene, action);
        *met.entry(vaults.judge(&scene, &ask)).or_default() += 1;
    }
    met
}

#[test]
fn spreads_are_quoted_and_taken_by_the_same_rules_in_contract_and_replica() {
    let met = shared::count(ACTIONS, |seeds| part(seeds, draw_quote));
    shared::assert_met(&met, QUOTED);
}

#[test]
fn collateral_moves_and_is_swapped_by_the_same_rules_in_contract_and_replica() {
    let met = shared::count(ACTIONS, |seeds| part(seeds, |dice, scene, _| draw_move(dice, scene)));
    shared::assert_met(&met, MOVED);
}
