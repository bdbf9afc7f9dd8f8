//! The committed leveraged-basis vault in an Ethereum machine of this process, against the replica the engine trades by:
//! the same verdict and name for every action, and after every approval the same loss budget, to the last digit.
//!
//! Approvals are kept, the budget and the clock go on from one action to the next, and books beside the vault hold it.

#[path = "support/mandate_evm.rs"]
mod shared;

use alloy::primitives::aliases::U96;
use alloy::primitives::{Address, I256, U256};
use alloy::sol_types::SolValue;
use keel::risk::mandate::action::{Action, Assets, SignatureLife, Trade, Transfer, VaultState};
use keel::risk::mandate::basis::{Band, Basis, BasisState};
use keel::risk::mandate::ema::MarkLoss;
use keel::risk::mandate::feeds::Feeds;
use keel::risk::mandate::revert::Revert;
use keel::sim::mandate_twin::actions::dice::{self, Dice, int, times};
use shared::evm::{Evm, MATCHING, OWNER};
use shared::{
    Ask, BASE, BasisOwner, BasisParams, DEPOSIT, KEY, NOW_S, Owner, Places, Prices, SUBACCOUNT, SpotParams,
    SpreadParams, TRADE, UNIT, WITHDRAWAL, base, micros, of_contract, of_replica,
};
use std::collections::BTreeMap;

const ACTIONS: u64 = 20_000;
/// Oldest price of the collateral.
const HEARTBEAT_S: u64 = 180;
const PERP: Address = dice::DERIVATIVE;

/// Refusals that must be met.
const REFUSED: &[&str] = &[
    "BLF_DataTooOld",
    "BOCST_InvalidAction",
    "BOCST_OnlySigner",
    "BTSA_Blocked",
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
    "Panic(0x11)",
    "Panic(0x12)",
];

/// A vault's parameters, what it holds and what its prices are.
#[derive(Clone, Debug)]
struct Scene {
    params: Basis,
    blocked: bool,
    base: I256,
    perp: I256,
    /// Before the perp's profit became cash.
    cash: I256,
    tokens: U256,
    spot: U256,
    spot_age_s: u64,
    /// Perp price when its profit last became cash, and now.
    perp_prices: [U256; 2],
}

impl Feeds for Scene {
    fn spot(&self) -> Result<U256, Revert> {
        if self.spot_age_s > HEARTBEAT_S { Err(Revert::BlfDataTooOld) } else { Ok(self.spot) }
    }

    fn vol(&self, _: u128, _: u64) -> Result<U256, Revert> {
        Err(Revert::LvfMissingExpiryData)
    }

    fn forward(&self, _: u64) -> Result<U256, Revert> {
        Err(Revert::LffMissingExpiryData)
    }
}

impl Scene {
    /// Worth in cash, the perp's profit included.
    fn worth_in_cash(&self) -> I256 {
        let [then, now] = self.perp_prices.map(int);
        self.base * int(self.spot) / int(UNIT) + self.cash + self.perp * (now - then) / int(UNIT)
    }

    /// Worth in base.
    fn worth(&self) -> I256 {
        per(self.worth_in_cash(), int(self.spot))
    }

    fn ratio(&self) -> I256 {
        per(int(self.perp_prices[1]), int(self.spot))
    }

    fn exposure(&self) -> I256 {
        self.base + self.perp * self.ratio() / int(UNIT)
    }

    fn replica(&self, ask: &Ask, now_s: u64, mark_loss: MarkLoss) -> Result<MarkLoss, Revert> {
        if let Some(why) = ask.refused() {
            return Err(why);
        }
        let [then, now] = self.perp_prices.map(int);
        let vault = VaultState {
            now_s,
            blocked: self.blocked,
            base: self.base,
            cash: self.cash + self.perp * (now - then) / int(UNIT),
            options: Vec::new().into(),
            token_balance: self.tokens,
            pending_deposits: U256::ZERO,
        };
        let state = BasisState {
            vault,
            perp: self.perp,
            perp_price: Ok(self.perp_prices[1]),
            mark_to_market: Ok(self.worth_in_cash()),
            mark_loss,
        };
        self.params.check(&ask.action, ask.expiry, &state, self)
    }
}

/// The vault on a machine, and its loss budget as the replica has it.
struct Vault {
    evm: Evm,
    place: Address,
    books: Address,
    token: Address,
    balance: U256,
    now_s: u64,
    mark_loss: MarkLoss,
    nonce: u64,
}

impl Vault {
    fn new() -> Vault {
        let mut evm = Evm::new(NOW_S);
        evm.tell(MATCHING, &Owner::initializeCall { administrator: OWNER, orders: TRADE });
        let books = evm.deploy("Books", &(MATCHING, BASE, PERP).abi_encode_params());
        evm.tell(books, &Owner::setHeartbeatCall { told: HEARTBEAT_S });
        let token = evm.deploy("Token", &U256::from(8).abi_encode());
        let arguments = (U256::from(SUBACCOUNT), base(token), books).abi_encode_params();
        let place = evm.deploy("BasisSigner", &arguments);
        evm.tell(place, &Owner::setSignerCall { key: KEY, allowed: true });
        let mark = U256::from(0xbead) << 128_usize;
        let balance = evm.slots(token, &Owner::mintCall { holder: place, amount: mark }, &[mark])[0];
        Vault { evm, place, books, token, balance, now_s: NOW_S, mark_loss: MarkLoss::NONE, nonce: 0 }
    }

    fn tell(&mut self, scene: &Scene) {
        let Scene { params, base, perp, cash, spot, .. } = scene;
        let [then, now] = scene.perp_prices;
        self.evm.at(self.now_s);
        self.evm.tell(self.books, &BasisOwner::tellCall { told: Prices { spot: *spot, perp: then } });
        let subaccount = U256::from(SUBACCOUNT);
        let (base, perp, cash) = (*base, *perp, *cash);
        self.evm.tell(self.books, &BasisOwner::openCall { subaccount, base, perp, cash });
        self.evm.tell(self.books, &BasisOwner::tellCall { told: Prices { spot: *spot, perp: now } });
        let told = U96::from(spot.to::<u128>());
        let timestamp = self.now_s - scene.spot_age_s;
        self.evm.tell(self.books, &Owner::setSpotCall { told, timestamp });
        self.evm.tell(self.place, &Owner::setBlockedCall { blocked: scene.blocked });
        let named =
            Places { feed: self.books, deposit: DEPOSIT, withdrawal: WITHDRAWAL, module: TRADE, derivative: PERP };
        let kinds = Owner::setKindsCall { ofSpread: SpreadParams::default(), ofBasis: words(params), named };
        self.evm.tell(self.place, &kinds);
        let spot = SpotParams {
            feeFactor: params.collateral.fee_factor,
            spotTransactionLeniency: I256::ZERO,
            worstSpotSellPrice: U256::ZERO,
            worstSpotBuyPrice: U256::ZERO,
        };
        self.evm.tell(self.place, &BasisOwner::setFeeCall { spot });
        self.evm.put(self.token, self.balance, scene.tokens);
    }

    /// Puts an action to both; what they say, which must be the same, and so must be what an approval leaves behind.
    fn judge(&mut self, scene: &Scene, ask: &Ask) -> String {
        self.nonce += 1;
        self.tell(scene);
        let call = ask.call(self.place, self.nonce);
        let contract = of_contract(self.evm.send(ask.sender, self.place, &call));
        let replica = scene.replica(ask, self.now_s, self.mark_loss);
        self.mark_loss = replica.unwrap_or(self.mark_loss);
        let replica = of_replica(replica);
        assert_eq!(contract, replica, "{scene:?} {:?} {ask:?}", self.mark_loss);
        let kept = self.evm.would(OWNER, self.place, &BasisOwner::getLBTSAEmaValuesCall {}).expect("a view");
        assert_eq!((kept.ema, kept.last.to::<u64>()), (self.mark_loss.ema, self.mark_loss.last_s), "{scene:?} {ask:?}");
        replica
    }
}

fn per(a: I256, b: I256) -> I256 {
    if b.is_zero() { I256::ZERO } else { a.wrapping_mul(int(UNIT)).wrapping_div(b) }
}

fn words(params: &Basis) -> BasisParams {
    BasisParams {
        maxPerpFee: params.perp_fee_max,
        maxBaseLossPerBase: params.loss_per_base_max,
        maxBaseLossPerPerp: params.loss_per_perp_max,
        deltaFloor: params.delta.floor,
        deltaCeil: params.delta.ceil,
        leverageFloor: params.leverage.floor.into_raw(),
        leverageCeil: params.leverage.ceil.into_raw(),
        emaDecayFactor: params.decay_per_s,
        markLossEmaTarget: params.loss_target.into_raw(),
        minSignatureExpiry: params.life.min_s,
        maxSignatureExpiry: params.life.max_s,
    }
}

// ---- actions, most of them near a boundary

/// A vault near delta one and leverage between one and two.
fn draw_scene(dice: &mut Dice) -> Scene {
    let spot = dice.decimal(1_000_000_000, 90_000_000_000);
    let then = times(spot, dice.decimal(990_000, 1_010_000));
    let now = times(then, dice.decimal(990_000, 1_010_000));
    let worth = int(dice.decimal(1_000_000, 100_000_000));
    let base = worth * int(dice.decimal(900_000, 2_100_000)) / int(UNIT);
    let drift = int(dice.decimal(0, 25_000));
    let exposure = worth * (int(UNIT) + if dice.chance(50) { drift } else { -drift }) / int(UNIT);
    let perp = ((exposure - base) * int(spot) / int(now)).min(I256::ZERO);
    let open = Band { floor: I256::ZERO, ceil: I256::MAX };
    let params = Basis {
        assets: Assets { base: BASE, derivative: PERP, token_decimals: 8 },
        life: SignatureLife { min_s: U256::ZERO, max_s: U256::from(1_800) },
        perp_fee_max: dice.decimal(100, 10_000),
        loss_per_base_max: I256::MAX,
        loss_per_perp_max: I256::MAX,
        delta: open,
        leverage: open,
        decay_per_s: U256::from(dice.pick(1, 400_000_000_000_000)),
        loss_target: int(dice.decimal(1_500, 3_000)),
        collateral: dice.collateral(),
    };
    let mut scene = Scene {
        params,
        blocked: dice.pick(0, 255) == 0,
        base,
        perp,
        cash: (worth - base) * int(spot) / int(UNIT) - perp * (int(now) - int(then)) / int(UNIT),
        tokens: dice.decimal(0, 10_000),
        spot,
        spot_age_s: if dice.chance(1) { HEARTBEAT_S + 1 } else { dice.pick(0, HEARTBEAT_S) },
        perp_prices: [then, now],
    };
    match dice.pick(0, 255) {
        0 => scene.perp = I256::ONE,
        1 => scene.base = I256::MINUS_ONE,
        2 => scene.cash -= scene.worth_in_cash() + int(micros(dice.pick(1, 1_000_000_000))),
        3 => scene.cash -= scene.worth_in_cash(),
        4 => scene.spot = U256::ZERO,
        5 => scene.perp_prices = [U256::ZERO; 2],
        _ => {}
    }
    scene
}

/// A band whose nearer end lies on the outcome, or on the side the outcome moves towards.
fn band(dice: &mut Dice, before: I256, after: I256) -> Band {
    let width = int(dice.decimal(0, 40_000));
    match dice.pick(0, 7) {
        // Outside before and after: only the direction decides.
        0 => Band { floor: before.max(after) + I256::ONE, ceil: before.max(after) + width + int(micros(1)) },
        1 => Band { floor: before.min(after) - width - int(micros(1)), ceil: before.min(after) - I256::ONE },
        2..=4 => Band { floor: after - width, ceil: int(dice.at_least(after.into_raw(), 40)) },
        _ => Band { floor: int(dice.at_most(after.into_raw(), 40)), ceil: after + width },
    }
}

fn draw_withdrawal(dice: &mut Dice, scene: &mut Scene) -> Action<'static> {
    let (base, worth) = (scene.base, scene.worth());
    if dice.pick(0, 7) == 0 {
        // Nothing but collateral: all of it may go.
        scene.perp = I256::ZERO;
        scene.cash = I256::ZERO;
    }
    let amount = match dice.pick(0, 15) {
        0 | 1 => base.into_raw(),
        2 => U256::ZERO,
        3 => dice.word(),
        _ => times(worth.into_raw(), micros(dice.pick(0, 1_000_000))),
    };
    let (worth, left, taken) = (scene.worth(), scene.worth().wrapping_sub(int(amount)), int(amount));
    scene.params.leverage = band(dice, per(base, worth), per(base.wrapping_sub(taken), left));
    let exposure = scene.exposure();
    scene.params.delta = band(dice, per(exposure, worth), per(exposure.wrapping_sub(taken), left));
    Action::Withdraw(Transfer { asset: dice.asset(BASE), amount })
}

/// An order with delta, leverage, loss and fee on their boundaries.
fn draw_trade(dice: &mut Dice, scene: &mut Scene, vault: &Vault) -> Action<'static> {
    let (is_base, is_bid) = (dice.chance(50), dice.chance(50));
    let (worth, exposure) = (scene.worth(), scene.exposure());
    let amount = int(times(worth.unsigned_abs(), micros(dice.pick(1, 50_000))));
    let change = if is_bid { amount } else { -amount };
    let shift = if is_base { change } else { change * scene.ratio() / int(UNIT) };
    scene.params.delta = band(dice, per(exposure, worth), per(exposure + shift, worth));
    scene.params.leverage = band(dice, per(scene.base, worth), per(scene.base + change, worth));
    let mark = if is_base { scene.spot } else { scene.perp_prices[1] };
    let aside = times(mark, micros(dice.pick(0, 10_000)));
    let limit = if dice.chance(70) == is_bid { mark + aside } else { mark - aside };
    let loss = if is_bid { int(limit) - int(mark) } else { int(mark) - int(limit) };
    let per_unit = per(loss, int(scene.spot));
    let bound = int(dice.at_least(per_unit.into_raw(), 30));
    (scene.params.loss_per_base_max, scene.params.loss_per_perp_max) = (bound, bound);
    let before = vault.mark_loss.decayed(scene.params.decay_per_s, vault.now_s).expect("no revert");
    if dice.chance(80) {
        let part = amount * per_unit / worth.max(I256::ONE);
        scene.params.loss_target = int(dice.at_least((before + part).into_raw(), 30));
    }
    let fee = if is_base {
        times(scene.spot, scene.params.collateral.fee_factor)
    } else {
        times(mark, scene.params.perp_fee_max)
    };
    let fee = dice.at_most(fee, 30);
    Action::Trade(Trade {
        asset: dice.asset(if is_base { BASE } else { PERP }),
        sub_id: U256::ZERO,
        limit_price: int(limit),
        amount: int(dice.wild(amount.into_raw())),
        worst_fee: if fee.bit(255) { U256::ONE } else { fee },
        is_bid,
    })
}

fn draw_ask(dice: &mut Dice, vault: &Vault, scene: &mut Scene) -> Ask {
    let action = match dice.pick(0, 99) {
        0 => Action::Other,
        1..=5 => Action::Deposit(Transfer { asset: dice.asset(BASE), amount: dice.at_most(scene.tokens, 40) }),
        6..=24 => draw_withdrawal(dice, scene),
        _ => draw_trade(dice, scene, vault),
    };
    let expiry = match dice.pick(0, 99) {
        0 => dice.word(),
        1..=10 => dice.expiry(vault.now_s, &scene.params.life),
        _ => U256::from(vault.now_s + 590),
    };
    if dice.pick(0, 255) == 0 {
        scene.params.life.max_s = U256::MAX;
    }
    Ask { sender: if dice.chance(1) { OWNER } else { KEY }, own_signer: !dice.chance(1), expiry, action }
}

/// Verdicts of one part of the actions, each with how often it was met.
fn part(seeds: std::ops::Range<u64>) -> BTreeMap<String, u64> {
    let mut vault = Vault::new();
    let mut met = BTreeMap::new();
    for seed in seeds {
        let mut dice = Dice::new(seed);
        vault.now_s += if dice.chance(30) { 0 } else { dice.pick(0, 20_000) };
        let mut scene = draw_scene(&mut dice);
        let ask = draw_ask(&mut dice, &vault, &mut scene);
        *met.entry(vault.judge(&scene, &ask)).or_default() += 1;
    }
    met
}

#[test]
fn orders_and_transfers_are_judged_and_charged_the_same_in_contract_and_replica() {
    let met = shared::count(ACTIONS, part);
    shared::assert_met(&met, REFUSED);
}
