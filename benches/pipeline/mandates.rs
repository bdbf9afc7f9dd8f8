//! The contracts' arithmetic for option vaults with the mission's limits, once each: calls and spreads traded, collateral
//! swapped, taken out and put in.

use alloy_primitives::{Address, B256, I256, U256};
use criterion::Criterion;
use keel::base::num::Price;
use keel::msg::Product;
use keel::risk::mandate::action::{Action, Leg, Rfq, Role, Trade, Transfer, VaultState};
use keel::risk::mandate::black76::Black76;
use keel::risk::mandate::feeds::Feeds;
use keel::risk::mandate::revert::Revert;
use keel::risk::wall::OptionContract;
use keel::risk::wall::terms::OptionTerms;
use std::hint::black_box;

const WAD: u128 = 1_000_000_000_000_000_000;
const NOW_S: u64 = 1_800_000_000;
const WEEK_S: u64 = 604_800;
const SPOT: u128 = 3_000 * WAD;
const VOL: u128 = 600_000_000_000_000_000;
const BASE: Address = Address::repeat_byte(1);
const OPTION: Address = Address::repeat_byte(2);

/// Feeds that always answer the same.
struct Flat;

impl Feeds for Flat {
    fn spot(&self) -> Result<U256, Revert> {
        Ok(U256::from(SPOT))
    }

    fn vol(&self, _: u128, _: u64) -> Result<U256, Revert> {
        Ok(U256::from(VOL))
    }

    fn forward(&self, _: u64) -> Result<U256, Revert> {
        self.spot()
    }
}

fn sub_id(strike: u64, is_call: bool) -> U256 {
    let strike = u128::from(strike) * 100_000_000;
    U256::from(u128::from(NOW_S + WEEK_S) | strike << 32 | u128::from(is_call) << 95)
}

fn state(cash_usd: i128) -> VaultState<'static> {
    VaultState {
        now_s: NOW_S,
        blocked: false,
        base: I256::unchecked_from(100 * WAD),
        cash: I256::unchecked_from(cash_usd) * I256::unchecked_from(WAD),
        options: Vec::new().into(),
        token_balance: U256::from(2 * WAD),
        pending_deposits: U256::ZERO,
    }
}

/// One unit, without a fee.
fn order(asset: Address, sub_id: U256, price: u128, is_bid: bool) -> Action<'static> {
    let (limit_price, amount) = (I256::unchecked_from(price), I256::unchecked_from(WAD));
    Action::Trade(Trade { asset, sub_id, limit_price, amount, worst_fee: U256::ZERO, is_bid })
}

/// One spread taken at its mark, its legs with the maker's sign, the higher strike's in `higher`.
fn package([low, high]: [u64; 2], is_call: bool, higher: I256) -> Action<'static> {
    let leg = |strike: u64, amount| {
        let input = Black76 {
            expires_in_s: WEEK_S,
            discount: WAD as u64,
            vol: VOL,
            forward: SPOT,
            strike: u128::from(strike) * WAD,
        };
        let priced = input.priced().expect("priced");
        let price = if is_call { priced.call } else { priced.put };
        Leg { asset: OPTION, sub_id: sub_id(strike, is_call), price, amount }
    };
    let hash = B256::repeat_byte(7);
    let legs = vec![leg(low, -higher), leg(high, higher)].into();
    Action::Rfq(Rfq { role: Role::Taker { order_hash: hash, legs_hash: hash }, max_fee: U256::from(WAD / 100), legs })
}

/// Every kind of action of the option vaults.
pub fn option_vaults(c: &mut Criterion) {
    let unit = I256::unchecked_from(WAD);
    let moved = Transfer { asset: BASE, amount: U256::from(WAD) };
    let table = [
        ("call_sold", Product::CoveredCall, 0, order(OPTION, sub_id(3_500, true), 10 * WAD, false)),
        ("collateral_swapped", Product::CoveredCall, 10_000, order(BASE, U256::ZERO, SPOT, true)),
        ("collateral_withdrawn", Product::CoveredCall, 0, Action::Withdraw(moved)),
        ("collateral_deposited", Product::CoveredCall, 0, Action::Deposit(moved)),
        ("call_spread_sold", Product::ShortCallSpread, 0, package([3_400, 3_500], true, -unit)),
        ("put_spread_sold", Product::ShortPutSpread, 0, package([2_600, 2_700], false, unit)),
        ("call_spread_bought", Product::LongCallSpread, 0, package([3_000, 3_100], true, unit)),
    ];
    for (name, product, cash_usd, action) in table {
        let contract = OptionTerms::mission(product, Price::whole(100)).wall(product).contract;
        let (state, expiry) = (state(cash_usd), U256::from(NOW_S + 400));
        let verdict = || match &contract {
            OptionContract::Calls(calls) => calls.check(black_box(&action), expiry, &state, &Flat),
            OptionContract::Spreads(spreads) => spreads.check(black_box(&action), expiry, &state, &Flat),
        };
        assert_eq!(verdict(), Ok(()), "{name}");
        c.bench_function(&format!("mandate/{name}"), |b| b.iter(verdict));
    }
}
