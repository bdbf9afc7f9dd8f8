//! The project's own vault that trades spreads, check by check in an Ethereum machine of this process: what it signs for, and
//! that a unit more is refused by name.

#[path = "support/evm.rs"]
#[allow(dead_code)]
mod evm;
#[path = "support/virtual_chain.rs"]
#[allow(dead_code)]
mod virtual_chain;

use alloy::primitives::{Address, Bytes, I256, U256, keccak256};
use alloy::sol;
use alloy::sol_types::SolValue;
use keel::chain::abi::Action;
use keel::derive::dialect::V2_MAINNET;
use virtual_chain::{Contracts, OPTIONS, RFQ, WRAPPED};

sol! {
    struct Leg { address asset; uint256 subId; uint256 price; int256 amount; }
    struct Taken { bytes32 orderHash; uint256 maxFee; }
    struct Order { uint256 maxFee; Leg[] legs; }
    struct Trade { address asset; uint256 subId; int256 limitPrice; int256 desiredAmount; uint256 worstFee; uint256 recipientId; bool isBid; }
}

const NOW_S: u64 = 1_800_000_000;
const SUBACCOUNT: u64 = 77;
const DAY_S: u64 = 86_400;
const E18: u128 = 1_000_000_000_000_000_000;

fn wad(units: u128) -> U256 {
    U256::from(units * E18)
}

fn put(strike: u64, expiry_s: u64) -> U256 {
    U256::from(expiry_s) | (U256::from(u128::from(strike) * 100_000_000) << 32)
}

/// What is put to the vault: a put spread of one BTC it sells for 60 dollars, marked at 40, with a fee of up to 5.
#[derive(Clone)]
struct Ask {
    legs: Vec<Leg>,
    max_fee: U256,
    life_s: u64,
    module: Address,
    /// Instead of the legs' own hash.
    hash_of: Option<Vec<u8>>,
    base: u64,
    cash: i64,
}

impl Ask {
    fn good() -> Ask {
        let leg = |strike, price, amount: i128| Leg {
            asset: OPTIONS,
            subId: put(strike, NOW_S + 5 * DAY_S),
            price: wad(price),
            amount: I256::try_from(amount * E18 as i128).expect("small"),
        };
        // The maker receives what the vault sells: the higher strike.
        let legs = vec![leg(54_000, 100, -1), leg(56_000, 160, 1)];
        let max_fee = wad(5);
        Ask { legs, max_fee, life_s: 590, module: RFQ, hash_of: None, base: 10, cash: 0 }
    }

    fn with(change: impl FnOnce(&mut Ask)) -> Ask {
        let mut ask = Ask::good();
        change(&mut ask);
        ask
    }

    fn action(&self, vault: Address, data: Vec<u8>) -> Action {
        Action {
            subaccountId: U256::from(SUBACCOUNT),
            nonce: U256::from(1),
            module: self.module,
            data: Bytes::from(data),
            expiry: U256::from(NOW_S + self.life_s),
            owner: vault,
            signer: vault,
        }
    }

    fn refusal(&self, contracts: &Contracts) -> Option<String> {
        contracts.set_held(SUBACCOUNT, self.base, self.cash);
        let legs = self.legs.abi_encode();
        let hashed = self.hash_of.as_ref().unwrap_or(&legs);
        let data = Taken { orderHash: keccak256(hashed), maxFee: self.max_fee }.abi_encode();
        contracts.would_sign(self.action(contracts.vault, data), &legs).err().map(|why| why.to_string())
    }
}

#[test]
fn a_taken_spread_passes_and_a_unit_beyond_each_bound_is_refused_by_name() {
    let contracts = Contracts::deploy(SUBACCOUNT, 10, NOW_S);
    type Change = fn(&mut Ask);
    let one = || U256::from(1);
    let passes: [(&str, Change); 6] = [
        ("as it is", |_| {}),
        ("legs the other way round", |ask| ask.legs.reverse()),
        ("a fee of the whole price", |ask| ask.max_fee = wad(60)),
        ("a dozen dollars, 0.3 of the mark", |ask| ask.legs[1].price = wad(112)),
        ("thirty units of 2000 against 10 of 60000", |ask| {
            for leg in &mut ask.legs {
                leg.amount *= I256::try_from(30).expect("small");
            }
        }),
        ("the shortest life", |ask| ask.life_s = 300),
    ];
    for (what, change) in passes {
        assert_eq!(Ask::with(change).refusal(&contracts), None, "{what}");
    }
    let refused: [(&str, Ask); 17] = [
        ("PPT_InvalidActionExpiry", Ask::with(|ask| ask.life_s = 299)),
        ("PPT_InvalidActionExpiry", Ask::with(|ask| ask.life_s = 600)),
        ("PPT_InvalidModule", Ask::with(|ask| ask.module = Address::repeat_byte(9))),
        ("PPT_TradeDataDoesNotMatchOrderHash", Ask::with(|ask| ask.hash_of = Some(vec![1]))),
        ("PPT_InvalidTradeLength", Ask::with(|ask| ask.legs.truncate(1))),
        ("PPT_InvalidOptionDetails", Ask::with(|ask| ask.legs[1].subId |= one() << 95)),
        ("PPT_InvalidOptionDetails", Ask::with(|ask| ask.legs[0].subId = put(54_000, NOW_S + 43_199))),
        ("PPT_InvalidOptionDetails", Ask::with(|ask| ask.legs[0].subId = put(54_000, NOW_S + 8 * DAY_S + 1))),
        ("PPT_InvalidMakerTradeDetails", Ask::with(|ask| ask.legs[0].asset = WRAPPED)),
        ("PPT_InvalidMakerTradeDetails", Ask::with(|ask| ask.legs[0].subId = put(54_000, NOW_S + 5 * DAY_S + 1))),
        ("PPT_InvalidHighStrikeAmount", Ask::with(|ask| ask.legs.iter_mut().for_each(|leg| leg.amount = -leg.amount))),
        ("PPT_StrikePriceOutsideOfDiff", Ask::with(|ask| ask.legs[0].subId = put(54_001, NOW_S + 5 * DAY_S))),
        ("PPT_InvalidTradeAmount", Ask::with(|ask| ask.legs[1].amount += I256::ONE)),
        ("PPT_CannotTradeWithTooMuchNegativeCash", Ask::with(|ask| ask.cash = -100_001)),
        ("PPT_TradeFeeTooHigh", Ask::with(|ask| ask.max_fee = wad(60) + one())),
        ("PPT_TotalCostBelowTolerance", Ask::with(|ask| ask.legs[1].price = wad(112) - one())),
        (
            "PPT_TradeTooLarge",
            Ask::with(|ask| {
                ask.base = 9;
                ask.legs.iter_mut().for_each(|leg| leg.amount *= I256::try_from(28).expect("small"));
            }),
        ),
    ];
    for (name, ask) in &refused {
        let why = ask.refusal(&contracts);
        assert!(why.as_ref().is_some_and(|why| why.contains(name)), "{name}: {why:?}");
    }
}

#[test]
fn the_vault_quotes_and_swaps_within_its_mandate() {
    let contracts = Contracts::deploy(SUBACCOUNT, 10, NOW_S);
    let ask = Ask::good();
    let would = |module: Address, data: Vec<u8>| {
        let action = Ask { module, ..ask.clone() }.action(contracts.vault, data);
        contracts.would_sign(action, &[]).err().map(|why| why.to_string())
    };
    // As a maker it signs its own side: the same amounts would have it buy.
    let quoted = |legs: &[Leg]| Order { maxFee: wad(5), legs: legs.to_vec() }.abi_encode();
    let mut sold = ask.legs.clone();
    sold.iter_mut().for_each(|leg| leg.amount = -leg.amount);
    assert_eq!(would(RFQ, quoted(&sold)), None);
    let wrong = would(RFQ, quoted(&ask.legs)).expect("refused");
    assert!(wrong.contains("PPT_InvalidHighStrikeAmount"), "{wrong}");
    let trade = |asset, price: u128, amount: i128, is_bid| {
        let signed = |number: i128| I256::try_from(number * E18 as i128).expect("small");
        let (fee, subaccount) = (wad(1), U256::from(SUBACCOUNT));
        let (limit, amount) = (signed(price as i128), signed(amount));
        Trade {
            asset,
            subId: U256::ZERO,
            limitPrice: limit,
            desiredAmount: amount,
            worstFee: fee,
            recipientId: subaccount,
            isBid: is_bid,
        }
        .abi_encode()
    };
    let orders = Address::new(V2_MAINNET.modules.trade);
    contracts.set_held(SUBACCOUNT, 10, 60_000);
    assert_eq!(would(orders, trade(WRAPPED, 60_000, 1, true)), None);
    for (name, data) in [
        ("PPT_InvalidAsset", trade(OPTIONS, 60_000, 1, true)),
        ("PPT_InvalidDesiredAmount", trade(WRAPPED, 60_000, 0, true)),
        ("CMTSA_MustHaveNegativeCash", trade(WRAPPED, 60_000, 1, false)),
        ("CMTSA_SpotLimitPriceTooHigh", trade(WRAPPED, 61_201, 1, true)),
        ("CMTSA_BuyingTooMuchCollateral", trade(WRAPPED, 60_000, 2, true)),
    ] {
        let why = would(orders, data).expect("refused");
        assert!(why.contains(name), "{name}: {why}");
    }
}
