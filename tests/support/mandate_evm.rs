//! What the tests of the committed mandate contracts share: actions as the contracts read them, and the count of verdicts.

#![allow(dead_code)] // Every binary that includes this uses its own part of it.

use keel::sim::mandate_twin::actions::dice;
#[path = "evm.rs"]
pub mod evm;

use alloy::primitives::{Address, Bytes, U256, keccak256, uint};
use alloy::sol;
use alloy::sol_types::SolValue;
use evm::MATCHING;
use keel::chain::abi::{Action as ChainAction, VaultSigner};
use keel::chain::refusal::Refusal;
use keel::derive::dialect::V2_MAINNET;
use keel::risk::mandate::action::{Action, Leg, Role, Transfer};
use keel::risk::mandate::revert::Revert;
use std::collections::BTreeMap;
use std::ops::Range;

sol! {
    struct Base { address subAccounts; address auction; address wrappedDepositAsset; address cash; address depositAsset; address manager; address matching; }
    struct SpotParams { uint256 feeFactor; int256 spotTransactionLeniency; uint256 worstSpotSellPrice; uint256 worstSpotBuyPrice; }
    struct Contracts { address deposit; address withdrawal; address trade; address option; }
    struct Holdings { uint256 base; uint256 numShort; int256 cash; uint256 undeposited; uint256 spot; int256 optionFloor; }
    struct OptionParams { uint256 minSignatureExpiry; uint256 maxSignatureExpiry; uint256 optionVolSlippageFactor; uint256 optionMaxDelta; int256 optionMaxNegCash; uint256 optionMinTimeToExpiry; uint256 optionMaxTimeToExpiry; }
    struct Told { int256 base; int256 cash; uint256 vol; int256 tilt; uint256 forward; }
    struct Prices { uint256 spot; uint256 perp; }
    #[derive(Default)]
    struct SpreadParams { uint256 maxMarkValueToStrikeDiffRatio; uint256 minMarkValueToStrikeDiffRatio; uint256 strikeDiff; uint256 maxTotalCostTolerance; uint256 maxLossOrGainPercentOfTVL; uint256 negMaxCashTolerance; uint256 minSignatureExpiry; uint256 maxSignatureExpiry; uint256 optionMinTimeToExpiry; uint256 optionMaxTimeToExpiry; int256 maxNegCash; uint256 rfqFeeFactor; }
    #[derive(Default)]
    struct BasisParams { uint256 maxPerpFee; int256 maxBaseLossPerBase; int256 maxBaseLossPerPerp; int256 deltaFloor; int256 deltaCeil; uint256 leverageFloor; uint256 leverageCeil; uint256 emaDecayFactor; uint256 markLossEmaTarget; uint256 minSignatureExpiry; uint256 maxSignatureExpiry; }
    struct Places { address feed; address deposit; address withdrawal; address module; address derivative; }
    struct TradeData { address asset; uint256 subId; int256 limitPrice; int256 desiredAmount; uint256 worstFee; uint256 recipientId; bool isBid; }
    struct DepositData { uint256 amount; address asset; address managerForNewAccount; }
    struct WithdrawalData { address asset; uint256 assetAmount; }
    struct RfqTradeData { address asset; uint256 subId; uint256 price; int256 amount; }
    struct RfqOrder { uint256 maxFee; RfqTradeData[] trades; }
    struct TakerOrder { bytes32 orderHash; uint256 maxFee; }

    /// What the owner of the verifier, a vault, its feed and its token may set.
    interface Owner {
        function initialize(address administrator, address orders) external;
        function setSigner(address key, bool allowed) external;
        function setBlocked(bool blocked) external;
        function setKinds(SpreadParams ofSpread, BasisParams ofBasis, Places named) external;
        function setHeartbeat(uint64 told) external;
        function setSpot(uint96 told, uint64 timestamp) external;
        function mint(address holder, uint256 amount) external;
        function totalPendingDeposits() external view returns (uint256);
    }

    interface CallOwner {
        function setParams(OptionParams options, SpotParams spot) external;
        function setHoldings(Holdings told) external;
    }

    interface SpreadOwner {
        function setSwaps(SpotParams swaps) external;
        function setTold(Told now_, int256[] held) external;
    }

    interface BasisOwner {
        function setFee(SpotParams spot) external;
        function open(uint256 subaccount, int256 base, int256 perp, int256 cash) external;
        function tell(Prices told) external;
        function getLBTSAEmaValues() external view returns (int256 ema, uint256 last);
    }
}

pub const KEY: Address = Address::repeat_byte(0x51);
pub const SUBACCOUNT: u64 = 7777;
pub const NOW_S: u64 = 1_800_000_000;
pub const DAY_S: u64 = 86_400;
pub const BASE: Address = dice::BASE;
pub const TRADE: Address = Address::new(V2_MAINNET.modules.trade);
pub const QUOTE: Address = Address::new(V2_MAINNET.modules.rfq);
pub const WITHDRAWAL: Address = Address::new(V2_MAINNET.modules.withdrawal);
pub const DEPOSIT: Address = Address::repeat_byte(0xde);
pub const UNIT: U256 = uint!(1_000_000_000_000_000_000_U256);
/// How often each refusal is met at least, of twenty thousand actions.
const OFTEN: u64 = 20;

/// Who asks for what.
#[derive(Clone, Debug)]
pub struct Ask {
    pub sender: Address,
    pub own_signer: bool,
    pub expiry: U256,
    pub action: Action<'static>,
}

impl Ask {
    /// Why the vault would not even look at the action.
    pub fn refused(&self) -> Option<Revert> {
        if self.sender != KEY {
            return Some(Revert::BocstOnlySigner);
        }
        (!self.own_signer).then_some(Revert::BocstInvalidAction)
    }

    /// The action as it is put to this vault.
    pub fn call(&self, vault: Address, nonce: u64) -> VaultSigner::signActionDataCall {
        let (module, data, beside) = encoded(&self.action);
        let action = ChainAction {
            subaccountId: U256::from(SUBACCOUNT),
            nonce: U256::from(nonce),
            module,
            data,
            expiry: self.expiry,
            owner: vault,
            signer: if self.own_signer { vault } else { KEY },
        };
        VaultSigner::signActionDataCall { action, extraData: beside }
    }
}

/// Contracts of a vault whose token is this one.
pub fn base(token: Address) -> Base {
    let place = |byte| Address::repeat_byte(byte);
    Base {
        subAccounts: place(1),
        auction: place(2),
        wrappedDepositAsset: BASE,
        cash: place(3),
        depositAsset: token,
        manager: place(5),
        matching: MATCHING,
    }
}

pub fn micros(value: u64) -> U256 {
    dice::micros(value)
}

pub fn whole(value: u64) -> U256 {
    U256::from(value) * UNIT
}

/// Module and data of an action, and what travels beside it.
fn encoded(action: &Action) -> (Address, Bytes, Bytes) {
    match action {
        Action::Deposit(Transfer { asset, amount }) => {
            let data = DepositData { amount: *amount, asset: *asset, managerForNewAccount: Address::ZERO };
            (DEPOSIT, data.abi_encode().into(), Bytes::new())
        }
        Action::Withdraw(Transfer { asset, amount }) => {
            let data = WithdrawalData { asset: *asset, assetAmount: *amount };
            (WITHDRAWAL, data.abi_encode().into(), Bytes::new())
        }
        Action::Trade(trade) => {
            let data = TradeData {
                asset: trade.asset,
                subId: trade.sub_id,
                limitPrice: trade.limit_price,
                desiredAmount: trade.amount,
                worstFee: trade.worst_fee,
                recipientId: U256::from(SUBACCOUNT),
                isBid: trade.is_bid,
            };
            (TRADE, data.abi_encode().into(), Bytes::new())
        }
        Action::Rfq(rfq) => match rfq.role {
            Role::Maker => {
                let order = RfqOrder { maxFee: rfq.max_fee, trades: solidity(&rfq.legs) };
                (QUOTE, order.abi_encode().into(), Bytes::new())
            }
            Role::Taker { order_hash, .. } => {
                let taken = TakerOrder { orderHash: order_hash, maxFee: rfq.max_fee };
                (QUOTE, taken.abi_encode().into(), solidity(&rfq.legs).abi_encode().into())
            }
        },
        Action::Other => (Address::repeat_byte(0x0f), Bytes::new(), Bytes::new()),
    }
}

fn solidity(legs: &[Leg]) -> Vec<RfqTradeData> {
    let one = |leg: &Leg| RfqTradeData { asset: leg.asset, subId: leg.sub_id, price: leg.price, amount: leg.amount };
    legs.iter().map(one).collect()
}

/// Role of a taker of these legs, under their own hash.
pub fn taker(legs: &[Leg]) -> Role {
    let hash = keccak256(solidity(legs).abi_encode());
    Role::Taker { order_hash: hash, legs_hash: hash }
}

/// Id of an option whose strike is told in eight decimals.
pub fn sub_id(strike_e8: u128, expiry_s: u64, is_call: bool) -> U256 {
    U256::from(u128::from(expiry_s) | strike_e8 << 32 | u128::from(is_call) << 95)
}

/// Id of an option whose strike is a whole number.
pub fn whole_id(strike: u64, expiry_s: u64, is_call: bool) -> U256 {
    sub_id(u128::from(strike) * 100_000_000, expiry_s, is_call)
}

/// A verdict of the contract in the words of the replica, which does not say how a cast fails.
pub fn of_contract<T>(verdict: Result<T, Refusal>) -> String {
    match verdict {
        Ok(_) => "accepted".to_owned(),
        Err(Refusal::Text(text)) if text.starts_with("SafeCast: ") => Revert::SafeCast.name().to_owned(),
        Err(why) => why.to_string(),
    }
}

pub fn of_replica<T>(verdict: Result<T, Revert>) -> String {
    verdict.err().map_or("accepted", Revert::name).to_owned()
}

/// Verdicts of so many actions, counted over parts that run beside each other.
pub fn count(actions: u64, part: impl Fn(Range<u64>) -> BTreeMap<String, u64> + Sync) -> BTreeMap<String, u64> {
    let parts = std::thread::available_parallelism().map_or(2, |cores| cores.get().clamp(1, 8) as u64);
    let bounds = |place: u64| actions * place / parts..actions * (place + 1) / parts;
    let part = &part;
    let mut met: BTreeMap<String, u64> = BTreeMap::new();
    std::thread::scope(|scope| {
        let parts: Vec<_> = (0..parts).map(|place| scope.spawn(move || part(bounds(place)))).collect();
        for part in parts {
            for (verdict, times) in part.join().expect("they agree") {
                *met.entry(verdict).or_default() += times;
            }
        }
    });
    assert_eq!(met.values().sum::<u64>(), actions);
    met
}

/// Every one of these refusals was met often, no other, and a fair share was accepted.
pub fn assert_met(met: &BTreeMap<String, u64>, names: &[&str]) {
    let total: u64 = met.values().sum();
    assert!(met["accepted"] > total / 10, "{met:?}");
    let seldom: Vec<_> = names.iter().filter(|name| met.get(**name).is_none_or(|times| *times < OFTEN)).collect();
    assert!(seldom.is_empty(), "seldom met {seldom:?}: {met:?}");
    let unlisted: Vec<_> = met.keys().filter(|name| *name != "accepted" && !names.contains(&name.as_str())).collect();
    assert!(unlisted.is_empty(), "unlisted {unlisted:?}: {met:?}");
}
