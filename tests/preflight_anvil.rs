//! Contracts of spread and basis vaults, what all of them are bound to, and what capital needs of them, held against
//! mandate and capital limits on anvil where `tools/evm/install` has put it; skipped, and said so, where it has not.

#[path = "support/anvil.rs"]
mod anvil;

use alloy::primitives::{Address, I256, U256};
use alloy::sol_types::SolValue;
use anvil::{Anvil, BasisParams, Owner, Places, ShareTerms, SpreadParams, Told, e18};
use keel::base::num::{Amount, Price};
use keel::chain::abi::VaultSigner;
use keel::chain::node::Node;
use keel::chain::preflight::Line;
use keel::chain::preflight::custody::{Custody, FeedAge};
use keel::chain::preflight::kinds::{self, Bindings, Kind};
use keel::derive::dialect::V2_MAINNET;
use keel::msg::Product;
use keel::risk::capital::CapitalLimits;
use keel::risk::mandate::basis::Basis;
use keel::risk::mandate::shares::Shares;
use keel::risk::mandate::spread::Spread;
use keel::risk::wall::OptionContract;
use keel::risk::wall::terms::{BasisTerms, OptionTerms};
use serde_json::json;

const SUBACCOUNT: u64 = 7777;
const KEEPER: Address = Address::repeat_byte(0x33);

struct World {
    anvil: Anvil,
    node: Node,
    vault: Address,
}

impl World {
    async fn start() -> Option<World> {
        let anvil = Anvil::start()?;
        let vault = anvil.set_up(KEEPER, SUBACCOUNT).await;
        let node = Node::connect(&anvil.url, V2_MAINNET.chain_id).await.expect("the node answers");
        Some(World { anvil, node, vault })
    }

    /// Puts a wrapper where the vault's stands.
    async fn wrap(&self) -> Address {
        let named = self.node.view(self.vault, VaultSigner::getBaseTSAAddressesCall {}).await.expect("an answer");
        let wrapper = self.anvil.deploy("Wrapper", named.depositAsset.abi_encode()).await;
        let code = self.anvil.rpc("eth_getCode", json!([wrapper, "latest"])).await;
        self.anvil.rpc("anvil_setCode", json!([named.wrappedDepositAsset, code])).await;
        named.wrappedDepositAsset
    }

    async fn tell_kinds(&self, spread: &SpreadParams, basis: &BasisParams, named: &Places) {
        let call = Owner::setKindsCall { ofSpread: spread.clone(), ofBasis: basis.clone(), named: named.clone() };
        self.anvil.tell(self.vault, call).await;
    }
}

fn unsound(lines: &[Line]) -> Vec<&str> {
    lines.iter().filter(|line| !line.sound).map(|line| line.what.as_str()).collect()
}

fn spread(product: Product) -> Spread {
    let wall = OptionTerms::mission(product, Price::whole(200)).wall(product);
    let OptionContract::Spreads(spread) = wall.contract else { panic!("no spreads") };
    spread
}

/// A contract that allows what the mandate does and not a unit more.
fn same_spread(ours: &Spread) -> SpreadParams {
    SpreadParams {
        maxMarkValueToStrikeDiffRatio: ours.mark_ratio_max,
        minMarkValueToStrikeDiffRatio: ours.mark_ratio_min,
        strikeDiff: ours.strike_distance,
        maxTotalCostTolerance: ours.cost_tolerance,
        maxLossOrGainPercentOfTVL: ours.loss_or_gain_max,
        negMaxCashTolerance: ours.debt_tolerance,
        minSignatureExpiry: ours.life.min_s,
        maxSignatureExpiry: ours.life.max_s,
        optionMinTimeToExpiry: ours.expires_in_min_s,
        optionMaxTimeToExpiry: ours.expires_in_max_s,
        maxNegCash: ours.cash_min,
        rfqFeeFactor: ours.fee_factor,
    }
}

fn same_basis(ours: &Basis) -> BasisParams {
    BasisParams {
        maxPerpFee: ours.perp_fee_max,
        maxBaseLossPerBase: ours.loss_per_base_max,
        maxBaseLossPerPerp: ours.loss_per_perp_max,
        deltaFloor: ours.delta.floor,
        deltaCeil: ours.delta.ceil,
        leverageFloor: ours.leverage.floor.into_raw(),
        leverageCeil: ours.leverage.ceil.into_raw(),
        emaDecayFactor: ours.decay_per_s,
        markLossEmaTarget: ours.loss_target.into_raw(),
        minSignatureExpiry: ours.life.min_s,
        maxSignatureExpiry: ours.life.max_s,
    }
}

fn places(module: [u8; 20]) -> Places {
    Places {
        feed: Address::repeat_byte(0xfe),
        deposit: Address::from(V2_MAINNET.modules.deposit.expect("v2 has one")),
        withdrawal: Address::from(V2_MAINNET.modules.withdrawal),
        module: Address::from(module),
        derivative: Address::repeat_byte(0xd0),
    }
}

#[tokio::test]
async fn a_spread_contract_a_unit_tighter_than_the_mandate_is_one_line() {
    let Some(world) = World::start().await else { return };
    let basis = same_basis(&BasisTerms::MISSION.wall().contract);
    let rfq = places(V2_MAINNET.modules.rfq);
    let one = U256::from(1);
    for product in [Product::ShortCallSpread, Product::LongCallSpread] {
        let ours = Spread {
            // The rest of the collateral half is what the set-up deploys.
            collateral: keel::risk::mandate::collateral::CollateralLimits {
                fee_factor: e18(1) / U256::from(100),
                leniency: I256::from_raw(e18(1)),
                worst_sell: e18(985) / U256::from(1_000),
                worst_buy: e18(1_015) / U256::from(1_000),
            },
            ..spread(product)
        };
        let same = same_spread(&ours);
        let tighter_cost = if ours.is_long { ours.cost_tolerance - one } else { ours.cost_tolerance + one };
        let s = || same.clone();
        let table = [
            (s(), None),
            (
                SpreadParams { maxMarkValueToStrikeDiffRatio: ours.mark_ratio_max - one, ..s() },
                Some("highest mark over distance"),
            ),
            (
                SpreadParams { minMarkValueToStrikeDiffRatio: ours.mark_ratio_min + one, ..s() },
                Some("lowest mark over distance"),
            ),
            (SpreadParams { strikeDiff: ours.strike_distance + one, ..s() }, Some("distance of the strikes")),
            (SpreadParams { maxTotalCostTolerance: tighter_cost, ..s() }, Some("tolerance of the cost")),
            (
                SpreadParams { maxLossOrGainPercentOfTVL: ours.loss_or_gain_max - one, ..s() },
                Some("share of the value"),
            ),
            (SpreadParams { negMaxCashTolerance: ours.debt_tolerance - one, ..s() }, Some("debt left by a withdrawal")),
            (SpreadParams { minSignatureExpiry: ours.life.min_s + one, ..s() }, Some("shortest signature, s")),
            (SpreadParams { maxSignatureExpiry: ours.life.max_s - one, ..s() }, Some("longest signature, s")),
            (SpreadParams { optionMinTimeToExpiry: ours.expires_in_min_s + one, ..s() }, Some("shortest option, s")),
            (SpreadParams { optionMaxTimeToExpiry: ours.expires_in_max_s - one, ..s() }, Some("longest option, s")),
            (SpreadParams { maxNegCash: ours.cash_min + I256::ONE, ..s() }, Some("lowest cash")),
            (SpreadParams { rfqFeeFactor: ours.fee_factor - one, ..s() }, Some("highest fee of a spread")),
        ];
        for (params, what) in table {
            world.tell_kinds(&params, &basis, &rfq).await;
            let lines = kinds::limits(&world.node, world.vault, Kind::Spreads(&ours)).await;
            assert_eq!(lines.len(), 16, "{lines:#?}");
            assert_eq!(unsound(&lines), what.into_iter().collect::<Vec<_>>(), "{product:?}");
        }
    }
}

#[tokio::test]
async fn a_basis_contract_a_unit_tighter_than_the_mandate_is_one_line() {
    let Some(world) = World::start().await else { return };
    let ours = BasisTerms::MISSION.wall().contract;
    let same = same_basis(&ours);
    let options = same_spread(&spread(Product::ShortPutSpread));
    let (one, b) = (U256::from(1), || same.clone());
    let table = [
        (b(), None),
        (BasisParams { maxPerpFee: same.maxPerpFee - one, ..b() }, Some("highest perp fee")),
        (BasisParams { maxBaseLossPerBase: same.maxBaseLossPerBase - I256::ONE, ..b() }, Some("loss per base")),
        (BasisParams { maxBaseLossPerPerp: same.maxBaseLossPerPerp - I256::ONE, ..b() }, Some("loss per perp")),
        (BasisParams { deltaFloor: same.deltaFloor + I256::ONE, ..b() }, Some("lowest delta")),
        (BasisParams { deltaCeil: same.deltaCeil - I256::ONE, ..b() }, Some("highest delta")),
        (BasisParams { leverageFloor: same.leverageFloor + one, ..b() }, Some("lowest leverage")),
        (BasisParams { leverageCeil: same.leverageCeil - one, ..b() }, Some("highest leverage")),
        (BasisParams { emaDecayFactor: same.emaDecayFactor - one, ..b() }, Some("decay of losses, 1/s")),
        (BasisParams { markLossEmaTarget: same.markLossEmaTarget - one, ..b() }, Some("sum of losses")),
        (BasisParams { minSignatureExpiry: same.minSignatureExpiry + one, ..b() }, Some("shortest signature, s")),
        (BasisParams { maxSignatureExpiry: same.maxSignatureExpiry - one, ..b() }, Some("longest signature, s")),
    ];
    for (params, what) in table {
        world.tell_kinds(&options, &params, &places(V2_MAINNET.modules.trade)).await;
        let lines = kinds::limits(&world.node, world.vault, Kind::Basis(&ours)).await;
        assert_eq!(lines.len(), 12, "{lines:#?}");
        assert_eq!(unsound(&lines), what.into_iter().collect::<Vec<_>>());
    }
    let bound = Bindings::read(&world.node, world.vault, Kind::Basis(&ours)).await.expect("an answer");
    assert_eq!(unsound(&bound.lines(&V2_MAINNET, Kind::Basis(&ours))), [""; 0]);
    let spreads = spread(Product::ShortCallSpread);
    assert_eq!(unsound(&bound.lines(&V2_MAINNET, Kind::Spreads(&spreads))), ["trading module of the vault"]);
}

#[tokio::test]
async fn capital_needs_terms_keeper_allowance_and_list() {
    let Some(world) = World::start().await else { return };
    let wad = e18(1);
    let shares = Shares {
        deposit_cap: e18(1_000),
        deposit_min: wad / U256::from(100),
        deposit_scale: wad,
        withdraw_scale: wad,
        management_fee: U256::ZERO,
    };
    let deposit_max = Amount::whole(5);
    let capital = CapitalLimits {
        deposits: true,
        withdrawals: true,
        token_decimals: 18,
        deposit_max,
        withdrawal_max: deposit_max,
        withdrawn_per_day_max: deposit_max,
        shares,
    };
    let module = Address::from(V2_MAINNET.modules.deposit.expect("v2 has one"));
    let terms = ShareTerms {
        depositCap: e18(1_000),
        minDepositValue: wad / U256::from(100),
        depositScale: wad,
        withdrawScale: wad,
        managementFee: U256::ZERO,
        feeRecipient: Address::ZERO,
    };
    world.anvil.tell(world.vault, Owner::setTSAParamsCall { told: terms.clone() }).await;
    world.wrap().await;
    let custody = Custody {
        node: &world.node,
        vault: world.vault,
        subaccount: SUBACCOUNT,
        deposit_module: Some(module),
        capital: &capital,
        keeper: Some(KEEPER),
    };
    assert_eq!(unsound(&custody.lines().await), ["keeper may keep", "allowance of the deposit module"]);
    world.anvil.tell(world.vault, Owner::setShareKeeperCall { keeper: KEEPER, allowed: true }).await;
    world.anvil.tell(world.vault, Owner::approveModuleCall { module, amount: e18(5) - U256::from(1) }).await;
    assert_eq!(unsound(&custody.lines().await), ["allowance of the deposit module"]);
    world.anvil.tell(world.vault, Owner::approveModuleCall { module, amount: e18(5) }).await;
    let lines = custody.lines().await;
    assert_eq!((unsound(&lines), lines.len()), (vec![""; 0], 9), "{lines:#?}");

    let changed = ShareTerms { withdrawScale: wad - U256::from(1), ..terms };
    world.anvil.tell(world.vault, Owner::setTSAParamsCall { told: changed }).await;
    let six = CapitalLimits { token_decimals: 6, ..capital };
    let other = Custody { capital: &six, ..custody };
    let differ = ["most the vault may be worth", "least deposit", "scale of withdrawals", "decimals of the token"];
    assert_eq!(unsound(&other.lines().await), differ);
    let nothing = Custody { capital: &CapitalLimits::NONE, keeper: None, ..other };
    assert_eq!(nothing.lines().await, []);
}

#[tokio::test]
async fn a_wrapper_with_a_list_must_list_the_subaccount() {
    let Some(world) = World::start().await else { return };
    let wrapper = world.wrap().await;
    let capital = CapitalLimits { deposits: true, token_decimals: 18, ..CapitalLimits::NONE };
    let custody = Custody {
        node: &world.node,
        vault: world.vault,
        subaccount: SUBACCOUNT,
        deposit_module: Some(Address::repeat_byte(9)),
        capital: &capital,
        keeper: None,
    };
    let list = async |enabled: bool, listed: bool| {
        let call = Told::setListCall { enabled, subaccount: U256::from(SUBACCOUNT), listed };
        world.anvil.tell(wrapper, call).await;
        unsound(&custody.lines().await).contains(&"subaccount may deposit")
    };
    assert!(list(true, false).await);
    assert!(!list(true, true).await);
    assert!(!list(false, false).await);
}

#[tokio::test]
async fn a_feed_is_as_old_as_its_newest_event_says() {
    let Some(world) = World::start().await else { return };
    let feed = world.anvil.deploy("Feed", Vec::new()).await;
    world.anvil.tell(feed, Told::setHeartbeatCall { told: 180 }).await;
    let age = FeedAge::read(&world.node, feed).await.expect("an answer");
    assert_eq!((age.age_s, age.line().sound), (None, false), "never told");
    let now = world.node.head().await.expect("a head").0.time_s;
    let price = "3000000000000000000000".parse().expect("a number");
    world.anvil.tell(feed, Told::setSpotCall { told: price, timestamp: now }).await;
    world.anvil.rpc("evm_setNextBlockTimestamp", json!([now + 180])).await;
    world.anvil.rpc("evm_mine", json!([])).await;
    let age = FeedAge::read(&world.node, feed).await.expect("an answer");
    assert_eq!(age, FeedAge { age_s: Some(180), heartbeat_s: 180 });
    assert!(age.line().sound && age.lasts(0) && !age.lasts(1));
    world.anvil.rpc("evm_setNextBlockTimestamp", json!([now + 181])).await;
    world.anvil.rpc("evm_mine", json!([])).await;
    let age = FeedAge::read(&world.node, feed).await.expect("an answer");
    assert!(!age.line().sound, "{age:?}");
}
