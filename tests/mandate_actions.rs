//! Bytes of an action read back: what the engine's own encoders and a general ABI encoder write, the mandate reads.

use alloy::sol;
use alloy::sol_types::SolValue;
use alloy_primitives::{Address, B256, I256, U256, keccak256};
use keel::base::ids::{Side, SubaccountId};
use keel::derive::action::scale::{Decimal18, GRAIN};
use keel::derive::action::trade::Trade as Signed;
use keel::derive::action::v2::{deposit_data, withdraw_data};
use keel::risk::mandate::action::{Action, Leg, Rfq, Role, Trade, Transfer};
use keel::risk::mandate::decode::{Malformed, Module, decode};
use proptest::prelude::*;

sol! {
    struct TradeData {
        address asset;
        uint256 subId;
        int256 limitPrice;
        int256 desiredAmount;
        uint256 worstFee;
        uint256 recipientId;
        bool isBid;
    }
    struct RfqTradeData {
        address asset;
        uint256 subId;
        uint256 price;
        int256 amount;
    }
    struct RfqOrder {
        uint256 maxFee;
        RfqTradeData[] trades;
    }
    struct TakerOrder {
        bytes32 orderHash;
        uint256 maxFee;
    }
    struct DepositData {
        uint256 amount;
        address asset;
        address managerForNewAccount;
    }
    struct WithdrawalData {
        address asset;
        uint256 assetAmount;
    }
}

fn word() -> impl Strategy<Value = U256> {
    (proptest::array::uniform4(any::<u64>()), 0_usize..256)
        .prop_map(|(limbs, narrow)| U256::from_limbs(limbs) >> narrow)
}

fn address() -> impl Strategy<Value = Address> {
    any::<[u8; 20]>().prop_map(Address::from)
}

fn leg() -> impl Strategy<Value = Leg> {
    (address(), word(), word(), word()).prop_map(|(asset, sub_id, price, amount)| Leg {
        asset,
        sub_id,
        price,
        amount: I256::from_raw(amount),
    })
}

fn solidity(legs: &[Leg]) -> Vec<RfqTradeData> {
    let one = |leg: &Leg| RfqTradeData { asset: leg.asset, subId: leg.sub_id, price: leg.price, amount: leg.amount };
    legs.iter().map(one).collect()
}

proptest! {
    #[test]
    fn trades_come_back(
        (asset, sub_id, price, amount) in (address(), word(), word(), word()),
        (worst_fee, recipient, is_bid, surplus) in (word(), word(), any::<bool>(), 0_usize..40),
    ) {
        let trade = Trade {
            asset,
            sub_id,
            limit_price: I256::from_raw(price),
            amount: I256::from_raw(amount),
            worst_fee,
            is_bid,
        };
        let data = TradeData {
            asset,
            subId: sub_id,
            limitPrice: trade.limit_price,
            desiredAmount: trade.amount,
            worstFee: worst_fee,
            recipientId: recipient,
            isBid: is_bid,
        };
        let mut bytes = data.abi_encode();
        prop_assert_eq!(bytes.len(), 224);
        bytes.extend(std::iter::repeat_n(7, surplus));
        let decoded = decode(Module::Trade, &bytes, &[]).expect("well formed");
        prop_assert_eq!(decoded.action, Action::Trade(trade));
        prop_assert_eq!((decoded.recipient, decoded.surplus), (Some(recipient), surplus));
        for length in [0, 31, 192, 223] {
            prop_assert_eq!(decode(Module::Trade, &bytes[..length], &[]), Err(Malformed::Short));
        }
    }

    #[test]
    fn quotes_and_executions_come_back(
        legs in proptest::collection::vec(leg(), 0..5),
        max_fee in word(),
        other_hash in any::<bool>(),
    ) {
        let made = RfqOrder { maxFee: max_fee, trades: solidity(&legs) }.abi_encode();
        let decoded = decode(Module::Rfq, &made, &[]).expect("well formed");
        prop_assert_eq!(decoded.surplus, 0);
        prop_assert_eq!(decoded.action, Action::Rfq(Rfq { role: Role::Maker, max_fee, legs: legs.clone().into() }));

        let extra = solidity(&legs).abi_encode();
        let order_hash = if other_hash { B256::ZERO } else { keccak256(&extra) };
        let taken = TakerOrder { orderHash: order_hash, maxFee: max_fee }.abi_encode();
        let decoded = decode(Module::Rfq, &taken, &extra).expect("well formed");
        let role = Role::Taker { order_hash, legs_hash: keccak256(&extra) };
        prop_assert_eq!(decoded.action, Action::Rfq(Rfq { role, max_fee, legs: legs.clone().into() }));
        for cut in 1..extra.len().min(64) {
            prop_assert!(decode(Module::Rfq, &taken, &extra[..extra.len() - cut]).is_err() || legs.is_empty());
        }
    }

    #[test]
    fn transfers_come_back((asset, manager, amount) in (address(), address(), word()), small in any::<u128>()) {
        let transfer = Transfer { asset, amount };
        let data = DepositData { amount, asset, managerForNewAccount: manager }.abi_encode();
        prop_assert_eq!(decode(Module::Deposit, &data, &[]).map(|d| d.action), Ok(Action::Deposit(transfer)));
        let data = WithdrawalData { asset, assetAmount: amount }.abi_encode();
        prop_assert_eq!(decode(Module::Withdraw, &data, &[]).map(|d| d.action), Ok(Action::Withdraw(transfer)));
        // And as the engine writes them.
        let transfer = Transfer { asset, amount: U256::from(small) };
        let data = deposit_data(small, asset.into_array(), manager.into_array());
        prop_assert_eq!(decode(Module::Deposit, &data, &[]).map(|d| d.action), Ok(Action::Deposit(transfer)));
        let data = withdraw_data(asset.into_array(), small);
        prop_assert_eq!(decode(Module::Withdraw, &data, &[]).map(|d| d.action), Ok(Action::Withdraw(transfer)));
    }

    #[test]
    fn the_engines_orders_come_back(
        (asset, sub_id, bid) in (address(), any::<u128>(), any::<bool>()),
        (price, amount, fee, recipient) in (any::<i64>(), 0_i64.., 0_i64.., any::<u64>()),
    ) {
        // The venue takes twelve decimals.
        let raw = |units: i64| i128::from(units) * GRAIN;
        let decimal = |units: i64| Decimal18::from_raw(raw(units)).expect("whole grains");
        let order = Signed {
            asset: asset.into_array(),
            sub_id,
            limit_price: decimal(price),
            amount: decimal(amount),
            max_fee: decimal(fee),
            recipient: SubaccountId(recipient),
            side: if bid { Side::Buy } else { Side::Sell },
        };
        let decoded = decode(Module::Trade, &order.data().expect("in range"), &[]).expect("well formed");
        let trade = Trade {
            asset,
            sub_id: U256::from(sub_id),
            limit_price: I256::unchecked_from(raw(price)),
            amount: I256::unchecked_from(raw(amount)),
            worst_fee: U256::from(raw(fee).unsigned_abs()),
            is_bid: bid,
        };
        prop_assert_eq!(decoded.action, Action::Trade(trade));
        prop_assert_eq!(decoded.recipient, Some(U256::from(recipient)));
    }
}

/// The published execution of a 3 400/3 600 call spread: its legs hash to the hash that was signed.
#[test]
fn the_published_execution_is_read() {
    let option: Address = "0x4BB4C3CDc7562f08e9910A0C7D8bB7e108861eB4".parse().expect("an address");
    let unit = I256::unchecked_from(1_000_000_000_000_000_000_i128);
    let half = unit / I256::unchecked_from(2);
    let leg = |sub_id: &str, dollars: u64, amount| Leg {
        asset: option,
        sub_id: sub_id.parse().expect("an id"),
        price: U256::from(dollars) * unit.into_raw(),
        amount,
    };
    let legs = [leg("39614082717421049438504755968", 165, -half), leg("39614082803320395358504755968", 70, half)];
    let extra = solidity(&legs).abi_encode();
    let hash: B256 = "0x97dd0b8e8008d4f5b6a19ccff3b472c3a0004c766446b39b8c2403f6cc41f9d7".parse().expect("a hash");
    assert_eq!((extra.len(), keccak256(&extra)), (320, hash));
    let made = RfqOrder { maxFee: U256::from(3) * unit.into_raw(), trades: solidity(&legs) }.abi_encode();
    let made_hash: B256 = "0x5ee370d5133531c001f40c5a1a29552124fd3a6d22763317443d504bcfae5453".parse().expect("a hash");
    assert_eq!((made.len(), keccak256(&made)), (384, made_hash));
    let taken = TakerOrder { orderHash: hash, maxFee: U256::from(3) * unit.into_raw() }.abi_encode();
    let Ok(Action::Rfq(rfq)) = decode(Module::Rfq, &taken, &extra).map(|decoded| decoded.action) else {
        panic!("an execution")
    };
    assert_eq!((rfq.role, rfq.legs.as_ref()), (Role::Taker { order_hash: hash, legs_hash: hash }, &legs[..]));
}
