//! The committed contracts in an Ethereum machine of this process, against the replica the engine trades by: the same
//! verdict on every action, and the same name for every refusal, on both sides of every boundary and at random.
//!
//! The contract is ours and covers what a covered-call vault signs for. It is told a price floor where a live vault prices
//! the option, so the replica's own price is told to it; delta it does not know, nor what the casts of the live
//! contracts refuse, so prices are not negative here and ids have 96 bits.

#[path = "support/mandate_evm.rs"]
mod shared;

use alloy::primitives::{Address, B256, I256, U256};
use alloy::sol_types::SolValue;
use keel::base::ids::{Nonce, SubaccountId};
use keel::chain::abi::VaultSigner;
use keel::derive::action::Envelope;
use keel::derive::dialect::V2_MAINNET;
use keel::risk::mandate::action::{Action, Assets, SignatureLife, Trade, Transfer, VaultState};
use keel::risk::mandate::black76::Black76;
use keel::risk::mandate::collateral::CollateralLimits;
use keel::risk::mandate::covered_call::CoveredCall;
use keel::risk::mandate::feeds::Feeds;
use keel::risk::mandate::option_id::OptionTerms;
use keel::risk::mandate::revert::Revert;
use keel::sim::mandate_twin::actions::dice::{self, Dice, int, off, times};
use shared::evm::{Evm, MATCHING, OWNER};
use shared::{
    Ask, BASE, CallOwner, Contracts, DAY_S, DEPOSIT, Holdings, KEY, NOW_S, OptionParams, Owner, SUBACCOUNT, SpotParams,
    TRADE, UNIT, WITHDRAWAL, base, micros, of_contract, of_replica, whole, whole_id as sub_id,
};
use std::collections::BTreeMap;

const OPTION: Address = dice::DERIVATIVE;
const ACTIONS: u64 = 20_000;

/// What the vault holds and what its feeds say.
#[derive(Clone, Debug)]
struct Told {
    base: U256,
    short: U256,
    cash: I256,
    undeposited: U256,
    spot: U256,
    vol: U256,
    forward: U256,
}

impl Feeds for Told {
    fn spot(&self) -> Result<U256, Revert> {
        Ok(self.spot)
    }

    fn vol(&self, _: u128, _: u64) -> Result<U256, Revert> {
        Ok(self.vol)
    }

    fn forward(&self, _: u64) -> Result<U256, Revert> {
        Ok(self.forward)
    }
}

/// A vault of the replica's parameters on the machine.
struct Vault {
    evm: Evm,
    place: Address,
    slots: Vec<U256>,
    params: CoveredCall,
    nonce: u64,
}

fn params() -> CoveredCall {
    CoveredCall {
        assets: Assets { base: BASE, derivative: OPTION, token_decimals: 18 },
        life: SignatureLife { min_s: U256::from(60), max_s: U256::from(900) },
        vol_factor: micros(800_000),
        delta_max: U256::MAX,
        cash_min: -int(whole(100)),
        expires_in_min_s: U256::from(6 * DAY_S),
        expires_in_max_s: U256::from(8 * DAY_S),
        collateral: CollateralLimits {
            fee_factor: micros(10_000),
            leniency: int(micros(1_050_000)),
            worst_sell: micros(985_000),
            worst_buy: micros(1_015_000),
        },
    }
}

impl Vault {
    fn new(params: CoveredCall) -> Vault {
        let mut evm = Evm::new(NOW_S);
        let named = Contracts { deposit: DEPOSIT, withdrawal: WITHDRAWAL, trade: TRADE, option: OPTION };
        evm.tell(MATCHING, &Owner::initializeCall { administrator: OWNER, orders: TRADE });
        let place = evm.deploy(
            "MandateSigner",
            &(U256::from(SUBACCOUNT), base(Address::repeat_byte(4)), named).abi_encode_params(),
        );
        evm.tell(place, &Owner::setSignerCall { key: KEY, allowed: true });
        let options = OptionParams {
            minSignatureExpiry: params.life.min_s,
            maxSignatureExpiry: params.life.max_s,
            optionVolSlippageFactor: params.vol_factor,
            optionMaxDelta: params.delta_max,
            optionMaxNegCash: params.cash_min,
            optionMinTimeToExpiry: params.expires_in_min_s,
            optionMaxTimeToExpiry: params.expires_in_max_s,
        };
        let spot = SpotParams {
            feeFactor: params.collateral.fee_factor,
            spotTransactionLeniency: params.collateral.leniency,
            worstSpotSellPrice: params.collateral.worst_sell,
            worstSpotBuyPrice: params.collateral.worst_buy,
        };
        evm.tell(place, &CallOwner::setParamsCall { options, spot });
        let marks: Vec<U256> = (1..=6_u64).map(|mark| U256::from(mark) << 200_usize).collect();
        let told = Holdings {
            base: marks[0],
            numShort: marks[1],
            cash: int(marks[2]),
            undeposited: marks[3],
            spot: marks[4],
            optionFloor: int(marks[5]),
        };
        let slots = evm.slots(place, &CallOwner::setHoldingsCall { told }, &marks);
        Vault { evm, place, slots, params, nonce: 0 }
    }

    /// What the replica says.
    fn replica(&self, told: &Told, ask: &Ask) -> Result<(), Revert> {
        if let Some(why) = ask.refused() {
            return Err(why);
        }
        let short = if told.short.is_zero() { Vec::new() } else { vec![-int(told.short)] };
        let state = VaultState {
            now_s: NOW_S,
            blocked: false,
            base: int(told.base),
            cash: told.cash,
            options: short.into(),
            token_balance: told.undeposited,
            pending_deposits: U256::ZERO,
        };
        self.params.check(&ask.action, ask.expiry, &state, told)
    }

    /// Tells the contract what the replica knows, the option's price among it.
    fn tell(&mut self, told: &Told, ask: &Ask) {
        let floor = match ask.action {
            Action::Trade(trade) => self.price(told, &trade).unwrap_or_default(),
            _ => U256::ZERO,
        };
        let words = [told.base, told.short, told.cash.into_raw(), told.undeposited, told.spot, floor];
        for (slot, word) in self.slots.clone().into_iter().zip(words) {
            self.evm.put(self.place, slot, word);
        }
    }

    /// What the replica prices the option of a trade at; none if it would not.
    fn price(&self, told: &Told, trade: &Trade) -> Option<U256> {
        let terms = OptionTerms::of_sub_id(trade.sub_id).ok()?;
        let input = Black76 {
            expires_in_s: terms.expiry_s.checked_sub(NOW_S).filter(|left_s| *left_s > 0)?,
            discount: UNIT.to(),
            vol: times(told.vol, self.params.vol_factor).to(),
            forward: told.forward.to(),
            strike: terms.strike,
        };
        input.priced().ok().map(|priced| priced.call)
    }

    /// Puts an action to both; what they say, which must be the same.
    fn judge(&mut self, told: &Told, ask: &Ask) -> String {
        self.nonce += 1;
        self.tell(told, ask);
        let call = ask.call(self.place, self.nonce);
        let contract = of_contract(self.evm.would(ask.sender, self.place, &call));
        let replica = of_replica(self.replica(told, ask));
        assert_eq!(contract, replica, "{told:?} {ask:?}");
        replica
    }
}

// ---- every boundary, on both sides of it

fn told() -> Told {
    Told {
        base: whole(100),
        short: whole(40),
        cash: I256::ZERO,
        undeposited: whole(5),
        spot: whole(3_000),
        vol: micros(600_000),
        forward: whole(3_010),
    }
}

fn asked(action: Action<'static>) -> Ask {
    Ask { sender: KEY, own_signer: true, expiry: U256::from(NOW_S + 600), action }
}

fn sale() -> Trade {
    Trade {
        asset: OPTION,
        sub_id: sub_id(3_500, NOW_S + 7 * DAY_S, true),
        limit_price: int(whole(50)),
        amount: int(whole(10)),
        worst_fee: whole(5),
        is_bid: false,
    }
}

fn swap(is_bid: bool) -> Trade {
    Trade {
        asset: BASE,
        sub_id: U256::ZERO,
        limit_price: int(whole(3_000)),
        amount: int(UNIT),
        worst_fee: U256::ZERO,
        is_bid,
    }
}

/// A scene that one number decides: the last value that passes, and the first that is refused, by whom.
type Row = (&'static str, fn(&mut Told, &mut Ask, bool));

fn trade(ask: &mut Ask) -> &mut Trade {
    match &mut ask.action {
        Action::Trade(trade) => trade,
        _ => unreachable!("the row's own action is a trade"),
    }
}

fn set_sale(ask: &mut Ask, change: impl FnOnce(&mut Trade)) {
    ask.action = Action::Trade(sale());
    change(trade(ask));
}

fn set_swap(ask: &mut Ask, is_bid: bool, change: impl FnOnce(&mut Trade)) {
    ask.action = Action::Trade(swap(is_bid));
    change(trade(ask));
}

/// Moves a number one unit over, if it is to be.
fn over(word: U256, over: bool, by: i64) -> U256 {
    if over { off(word, by) } else { word }
}

const ROWS: &[Row] = &[
    ("CCT_InvalidActionExpiry", |_, ask, bad| ask.expiry = over(U256::from(NOW_S + 60), bad, -1)),
    ("CCT_InvalidActionExpiry", |_, ask, bad| ask.expiry = over(U256::from(NOW_S + 900), bad, 1)),
    ("BOCST_OnlySigner", |_, ask, bad| ask.sender = if bad { OWNER } else { KEY }),
    ("BOCST_InvalidAction", |_, ask, bad| ask.own_signer = !bad),
    ("CCT_InvalidModule", |_, ask, bad| {
        if bad {
            ask.action = Action::Other
        }
    }),
    ("CMTSA_DepositingTooMuch", |told, ask, bad| {
        ask.action = Action::Deposit(Transfer { asset: BASE, amount: over(told.undeposited, bad, 1) });
    }),
    ("CMTSA_InvalidAsset", |_, ask, bad| {
        ask.action = Action::Deposit(Transfer { asset: if bad { OPTION } else { BASE }, amount: UNIT });
    }),
    ("CCT_WithdrawingUtilisedCollateral", |told, ask, bad| {
        ask.action = Action::Withdraw(Transfer { asset: BASE, amount: over(told.base - told.short, bad, 1) });
    }),
    ("CCT_WithdrawalNegativeCash", |told, ask, bad| {
        ask.action = Action::Withdraw(Transfer { asset: BASE, amount: UNIT });
        told.cash = int(over((-int(whole(100))).into_raw(), bad, -1));
    }),
    ("CCT_InvalidAsset", |_, ask, bad| {
        ask.action = Action::Withdraw(Transfer { asset: if bad { OPTION } else { BASE }, amount: UNIT });
    }),
    ("Panic(0x11)", |told, ask, bad| {
        told.base = U256::MAX >> 1;
        let all = told.base - told.short;
        ask.action = Action::Withdraw(Transfer { asset: BASE, amount: if bad { U256::MAX } else { all } });
    }),
    ("CCT_InvalidDesiredAmount", |_, ask, bad| set_sale(ask, |sale| sale.amount = int(over(U256::ONE, bad, -1)))),
    ("CCT_InvalidAsset", |_, ask, bad| set_sale(ask, |sale| sale.asset = if bad { dice::OTHER } else { OPTION })),
    ("CCT_CanOnlyOpenShortOptions", |_, ask, bad| set_sale(ask, |sale| sale.is_bid = bad)),
    ("CCT_SellingTooManyCalls", |told, ask, bad| {
        set_sale(ask, |sale| sale.amount = int(over(told.base - told.short, bad, 1)));
    }),
    ("CCT_CannotSellOptionsWithNegativeCash", |told, ask, bad| {
        set_sale(ask, |_| {});
        told.cash = int(over((-int(whole(100))).into_raw(), bad, -1));
    }),
    ("CMTSA_FeeTooHigh", |told, ask, bad| {
        set_sale(ask, |sale| sale.worst_fee = over(times(told.spot, micros(10_000)), bad, 1));
    }),
    ("CCT_OnlyShortCallsAllowed", |_, ask, bad| {
        set_sale(ask, |sale| sale.sub_id = sub_id(3_500, NOW_S + 7 * DAY_S, !bad));
    }),
    ("CCT_OptionExpiryOutOfBounds", |_, ask, bad| {
        set_sale(ask, |sale| sale.sub_id = sub_id(3_500, NOW_S + 6 * DAY_S - u64::from(bad), true));
    }),
    ("CCT_OptionExpiryOutOfBounds", |_, ask, bad| {
        set_sale(ask, |sale| sale.sub_id = sub_id(3_500, NOW_S + 8 * DAY_S + u64::from(bad), true));
    }),
    ("CMTSA_MustHavePositiveCash", |told, ask, bad| {
        set_swap(ask, true, |swap| swap.amount = I256::ONE);
        told.cash = if bad { I256::ZERO } else { int(whole(1)) };
    }),
    ("CMTSA_FeeTooHigh", |told, ask, bad| {
        told.cash = int(whole(10_000));
        set_swap(ask, true, |swap| swap.worst_fee = over(whole(30), bad, 1));
    }),
    ("CMTSA_SpotLimitPriceTooHigh", |told, ask, bad| {
        told.cash = int(whole(10_000));
        set_swap(ask, true, |swap| swap.limit_price = int(over(whole(3_045), bad, 1)));
    }),
    ("CMTSA_BuyingTooMuchCollateral", |told, ask, bad| {
        told.cash = int(whole(10_000));
        set_swap(ask, true, |swap| {
            swap.limit_price = int(UNIT);
            swap.amount = int(over(whole(10_500), bad, 1));
        });
    }),
    ("CMTSA_MustHaveNegativeCash", |told, ask, bad| {
        set_swap(ask, false, |swap| swap.amount = I256::ONE);
        told.cash = if bad { I256::ZERO } else { -int(whole(1)) };
    }),
    ("CMTSA_FeeTooHigh", |told, ask, bad| {
        told.cash = -int(whole(10_000));
        set_swap(ask, false, |swap| swap.worst_fee = over(whole(30), bad, 1));
    }),
    ("CMTSA_SpotLimitPriceTooLow", |told, ask, bad| {
        told.cash = -int(whole(10_000));
        set_swap(ask, false, |swap| swap.limit_price = int(over(whole(2_955), bad, -1)));
    }),
    ("CMTSA_SellingTooMuchCollateral", |told, ask, bad| {
        told.cash = -int(whole(10_000));
        told.spot = UNIT;
        set_swap(ask, false, |swap| {
            swap.limit_price = int(UNIT);
            swap.amount = int(over(whole(10_500), bad, 1));
        });
    }),
];

#[test]
fn contract_and_replica_turn_at_the_same_unit_of_every_boundary() {
    let mut vault = Vault::new(params());
    for (place, (name, set)) in ROWS.iter().enumerate() {
        for (bad, expected) in [(false, "accepted"), (true, *name)] {
            let (mut told, mut ask) = (told(), asked(Action::Trade(sale())));
            set(&mut told, &mut ask, bad);
            assert_eq!(vault.judge(&told, &ask), expected, "row {place}, {bad}");
        }
    }
    // An option's last second, and its price to the unit.
    let mut ask = asked(Action::Trade(sale()));
    for (left_s, expected) in [(0, "CCT_OptionExpired"), (1, "CCT_OptionExpiryOutOfBounds")] {
        trade(&mut ask).sub_id = sub_id(3_500, NOW_S + left_s, true);
        assert_eq!(vault.judge(&told(), &ask), expected);
    }
    trade(&mut ask).sub_id = sale().sub_id;
    let floor = vault.price(&told(), &sale()).expect("priced");
    for (above, expected) in [(0, "CCT_OptionPriceTooLow"), (1, "accepted")] {
        trade(&mut ask).limit_price = int(off(floor, above));
        assert_eq!(vault.judge(&told(), &ask), expected);
    }
}

#[test]
fn what_has_expired_is_too_short_even_where_the_least_life_is_none() {
    let mut params = params();
    params.life.min_s = U256::ZERO;
    let mut vault = Vault::new(params);
    for (expiry_s, expected) in
        [(NOW_S - 1, "CCT_InvalidActionExpiry"), (0, "CCT_InvalidActionExpiry"), (NOW_S, "accepted")]
    {
        let mut ask = asked(Action::Trade(sale()));
        ask.expiry = U256::from(expiry_s);
        assert_eq!(vault.judge(&told(), &ask), expected, "{expiry_s}");
    }
}

// ---- and at random, most of it near a boundary

fn draw_told(dice: &mut Dice, params: &CoveredCall) -> Told {
    let spot = dice.decimal(1_000_000_000, 5_000_000_000);
    let base = dice.decimal(0, 1_000_000_000);
    let low = dice.at_least(params.cash_min.into_raw(), 40);
    let even = dice.margin(20);
    let cash = match dice.pick(0, 3) {
        0 => int(low),
        1 => int(off(U256::ZERO, even)),
        2 => int(dice.decimal(0, 100_000_000_000)),
        _ => -int(dice.decimal(0, 100_000_000_000)),
    };
    Told {
        base,
        short: times(base, dice.decimal(0, 999_999)),
        cash,
        undeposited: dice.decimal(0, 10_000_000),
        spot,
        vol: dice.decimal(200_000, 1_500_000),
        forward: times(spot, dice.decimal(950_000, 1_050_000)),
    }
}

fn draw_sale(dice: &mut Dice, vault: &Vault, told: &Told) -> Trade {
    let CoveredCall { expires_in_min_s, expires_in_max_s, .. } = vault.params;
    let near = if dice.chance(50) { dice.at_least(expires_in_min_s, 8) } else { dice.at_most(expires_in_max_s, 8) };
    let left_s = if dice.chance(2) { dice.pick(0, 2) } else { near.saturating_to() };
    let strike: u64 = (times(told.spot, dice.decimal(900_000, 1_400_000)) / UNIT).saturating_to();
    let is_call = !dice.chance(2);
    let mut sale = Trade {
        asset: dice.asset(OPTION),
        sub_id: sub_id(strike, NOW_S + left_s, is_call),
        limit_price: I256::ZERO,
        amount: int(dice.at_most(told.base - told.short, 40)),
        worst_fee: dice.at_most(times(told.spot, vault.params.collateral.fee_factor), 40),
        is_bid: dice.chance(2),
    };
    let floor = vault.price(told, &sale).unwrap_or_default();
    sale.limit_price = int(dice.at_least(floor + U256::ONE, 50)).max(I256::ZERO);
    sale
}

fn draw_swap(dice: &mut Dice, vault: &Vault, told: &Told) -> Trade {
    let limits = vault.params.collateral;
    let is_bid = if dice.chance(90) { told.cash.is_positive() } else { dice.chance(50) };
    let price = if is_bid {
        dice.at_most(times(told.spot, limits.worst_buy), 40)
    } else {
        dice.at_least(times(told.spot, limits.worst_sell), 40)
    };
    let most = times(told.cash.unsigned_abs(), limits.leniency.into_raw()).saturating_mul(UNIT) / price;
    let amount = if dice.chance(2) { U256::from(dice.pick(0, 1)) } else { dice.at_most(most, 30) };
    Trade {
        asset: BASE,
        sub_id: U256::ZERO,
        limit_price: int(price),
        amount: int(amount),
        worst_fee: dice.at_most(times(told.spot, limits.fee_factor), 40),
        is_bid,
    }
}

fn draw(dice: &mut Dice, vault: &Vault, told: &Told) -> Ask {
    let free = told.base - told.short;
    let action = match dice.pick(0, 99) {
        0..=9 => Action::Deposit(Transfer { asset: dice.asset(BASE), amount: dice.at_most(told.undeposited, 40) }),
        10..=19 => {
            let amount = if dice.chance(3) { U256::MAX } else { dice.at_most(free, 40) };
            Action::Withdraw(Transfer { asset: dice.asset(BASE), amount })
        }
        20..=54 => Action::Trade(draw_swap(dice, vault, told)),
        55..=98 => Action::Trade(draw_sale(dice, vault, told)),
        _ => Action::Other,
    };
    let expiry = match dice.pick(0, 99) {
        0 => dice.word(),
        1..=20 => dice.expiry(NOW_S, &vault.params.life),
        _ => U256::from(NOW_S + 600),
    };
    Ask { sender: if dice.chance(1) { OWNER } else { KEY }, own_signer: !dice.chance(1), expiry, action }
}

/// Verdicts of one part of the actions, each with how often it was met.
fn part(seeds: std::ops::Range<u64>) -> BTreeMap<String, u64> {
    let mut vault = Vault::new(params());
    let mut met = BTreeMap::new();
    for seed in seeds {
        let mut dice = Dice::new(seed);
        let told = draw_told(&mut dice, &vault.params);
        let ask = draw(&mut dice, &vault, &told);
        *met.entry(vault.judge(&told, &ask)).or_default() += 1;
    }
    met
}

#[test]
fn contract_and_replica_agree_on_random_actions_and_meet_every_verdict() {
    let met = shared::count(ACTIONS, part);
    let named: Vec<_> =
        ROWS.iter().map(|(name, _)| *name).chain(["CCT_OptionExpired", "CCT_OptionPriceTooLow"]).collect();
    shared::assert_met(&met, &named);
}

#[test]
fn the_contract_signs_the_digest_the_engine_has_and_a_second_signature_ends_the_first() {
    let mut vault = Vault::new(params());
    let mut digests = Vec::new();
    for amount in 1..=3 {
        let mut ask = asked(Action::Trade(sale()));
        trade(&mut ask).amount = int(whole(amount));
        vault.nonce += 1;
        vault.tell(&told(), &ask);
        let call = ask.call(vault.place, vault.nonce);
        let envelope = Envelope {
            subaccount: SubaccountId(SUBACCOUNT),
            nonce: Nonce(vault.nonce),
            module: V2_MAINNET.modules.trade,
            expiry_sec: NOW_S + 600,
            owner: vault.place.into(),
            signer: vault.place.into(),
        };
        let digest = B256::from(envelope.digest(&V2_MAINNET.domain_separator, &call.action.data));
        assert_eq!(vault.evm.send(KEY, vault.place, &call).map(drop), Ok(()));
        let last = vault.evm.would(OWNER, vault.place, &VaultSigner::lastSeenHashCall {});
        assert_eq!(last, Ok(digest));
        digests.push(digest);
        let live = digests
            .iter()
            .map(|hash| vault.evm.would(OWNER, vault.place, &VaultSigner::signedDataCall { hash: *hash }));
        let live: Vec<_> = live.map(|live| live.expect("a view")).collect();
        assert_eq!(live.iter().filter(|live| **live).count(), 1, "{live:?}");
        assert_eq!(live.last(), Some(&true));
    }
}
