//! Each row refuses its own fault, one unit past the limit, and passes at the limit.

use super::*;
use crate::base::num::Cash;
use crate::msg::{ChainSight, Life, Product};
use crate::risk::mandate::revert::Revert;
use crate::risk::option_tests::scene;
use crate::risk::tests as basis;

/// One token of eighteen decimals.
const ONE: u128 = 1_000_000_000_000_000_000;

fn wad(units: u128) -> U256 {
    U256::from(units * ONE)
}

/// A vault in a quiet moment.
struct Stage {
    at: Nanos,
    wish: CapitalWish,
    ledger: Ledger,
    limits: CapitalLimits,
    mandate: Mandate,
    base: Value,
    perp: Value,
    phase: Phase,
    asking: bool,
    moving: bool,
    contract_free: Option<bool>,
    mode: Mode,
    session_up: bool,
    offset: Option<i64>,
    key_expires_at: Nanos,
}

fn limits() -> CapitalLimits {
    CapitalLimits {
        deposits: true,
        withdrawals: true,
        token_decimals: 18,
        deposit_max: Amount::whole(50),
        withdrawal_max: Amount::whole(95),
        withdrawn_per_day_max: Amount::whole(95),
        shares: Shares {
            deposit_cap: wad(110),
            deposit_min: wad(1),
            deposit_scale: wad(1),
            withdraw_scale: wad(1),
            management_fee: U256::ZERO,
        },
    }
}

fn option_stage(product: Product, flow: Flow, units: u128) -> Stage {
    let mut scene = scene::scene(product);
    scene::hold(&mut scene, "100", "0", &[]);
    let sight = ChainSight {
        read_at: scene::NOW,
        tokens: 10 * ONE,
        pending: 0,
        base: Amount::whole(100),
        cash: Cash::ZERO,
        blocked: false,
    };
    Stage {
        at: scene::NOW,
        wish: CapitalWish { flow, amount: units * ONE, sight },
        ledger: scene.ledger,
        limits: limits(),
        mandate: Mandate::Options(scene.limits),
        base: scene.values[0],
        perp: Value::default(),
        phase: Phase::CollateralOnly,
        asking: false,
        moving: false,
        contract_free: None,
        mode: Mode::Live,
        session_up: true,
        offset: Some(0),
        key_expires_at: Nanos::MAX,
    }
}

/// 15 of a token of eight decimals, 5 000 owed, 5 short: worth 10 at 1 000.
fn basis_stage(flow: Flow, amount: u128) -> Stage {
    let scene = basis::scene();
    let quiet = option_stage(Product::CoveredCall, flow, 1);
    let sight =
        ChainSight { read_at: basis::NOW, base: Amount::whole(15), cash: Cash::whole(-5_000), ..quiet.wish.sight };
    Stage {
        at: basis::NOW,
        wish: CapitalWish { amount, sight, ..quiet.wish },
        ledger: scene.ledger,
        limits: CapitalLimits { token_decimals: 8, ..limits() },
        mandate: Mandate::Basis(scene.limits),
        base: scene.base,
        perp: scene.perp,
        phase: Phase::Boot,
        ..quiet
    }
}

impl Stage {
    fn case(&self) -> CapitalCase<'_> {
        CapitalCase {
            at: self.at,
            wish: self.wish,
            ledger: &self.ledger,
            limits: &self.limits,
            mandate: &self.mandate,
            currency: Name::new("WEETH").expect("short"),
            base: &self.base,
            perp: &self.perp,
            phase: self.phase,
            asking: self.asking,
            moving: self.moving,
            contract_free: self.contract_free,
            mode: self.mode,
            session_up: self.session_up,
            venue_offset_ns: self.offset,
            key_expires_at: self.key_expires_at,
        }
    }

    fn verdict(&self) -> &'static str {
        self.case().refusal().map_or("pass", |row| CAPITAL_CHECKS[row].name)
    }

    /// As if the venue and the chain had shown this.
    fn hold(&mut self, base: &str, cash: &str, held: &[(crate::base::ids::InstrumentId, &str)]) {
        let mut scene = scene::scene(Product::CoveredCall);
        scene::hold(&mut scene, base, cash, held);
        self.ledger = scene.ledger;
        self.wish.sight.base = base.parse().expect("literal");
        self.wish.sight.cash = cash.parse().expect("literal");
    }

    fn shares(&mut self) -> &mut Shares {
        &mut self.limits.shares
    }
}

type Spoil = fn(&mut Stage);

fn run(table: &[(&str, Spoil)], stage: fn() -> Stage) {
    for (place, (expected, spoil)) in table.iter().enumerate() {
        let mut stage = stage();
        assert_eq!(stage.verdict(), "pass", "before row {place}");
        spoil(&mut stage);
        assert_eq!(stage.verdict(), *expected, "row {place}");
    }
}

#[test]
fn what_holds_for_both_ways() {
    let table: [(&str, Spoil); 29] = [
        ("permitted", |s| s.limits.deposits = false),
        ("awake", |s| s.mode = Mode::Starting),
        ("awake", |s| s.mode = Mode::Halted),
        ("pass", |s| s.mode = Mode::Drain),
        ("awake", |s| s.session_up = false),
        ("awake", |s| s.ledger.mistrust()),
        ("seen", |s| s.wish.sight.blocked = true),
        ("seen", |s| s.wish.sight.read_at = s.at.plus(1)),
        ("pass", |s| s.wish.sight.read_at = Nanos(s.at.0 - SIGHT_NS_MAX)),
        ("seen", |s| s.wish.sight.read_at = Nanos(s.at.0 - SIGHT_NS_MAX - 1)),
        ("fresh", |s| s.base.mark = crate::base::num::Price::ZERO),
        ("pass", |s| s.base.priced_at = Nanos(s.at.0 - 500_000_000)),
        ("fresh", |s| s.base.priced_at = Nanos(s.at.0 - 500_000_001)),
        ("sized", |s| s.wish.amount = 0),
        ("settled", |s| s.wish.sight.base = Amount::from_raw(Amount::whole(100).raw() + 1)),
        ("settled", |s| s.wish.sight.base = Amount::from_raw(Amount::whole(100).raw() - 1)),
        ("settled", |s| s.ledger.expect_settlement()),
        ("settled", |s| s.contract_free = Some(false)),
        ("pass", |s| s.contract_free = Some(true)),
        ("alone", |s| s.asking = true),
        ("alone", |s| s.moving = true),
        ("alone", |s| {
            let mut scene = scene::scene(Product::CoveredCall);
            scene::hold(&mut scene, "100", "0", &[]);
            scene::rests(&mut scene, 3, scene::write("10", "5"), Life::Open);
            s.ledger = scene.ledger;
        }),
        ("timely", |s| s.phase = Phase::OptionAuction),
        ("timely", |s| s.phase = Phase::SpotAuction),
        ("timely", |s| s.phase = Phase::Boot),
        ("unexpired", |s| s.offset = None),
        ("unexpired", |s| s.key_expires_at = s.at.plus(310 * SEC)),
        ("pass", |s| s.key_expires_at = s.at.plus(310 * SEC + 1)),
        ("unexpired", |s| {
            let Mandate::Options(limits) = &mut s.mandate else { return };
            limits.order_life_ns = 600 * SEC;
        }),
    ];
    run(&table, || option_stage(Product::CoveredCall, Flow::Deposit, 10));
}

#[test]
fn deposits_end_at_their_size_the_cap_and_what_nobody_waits_for() {
    let table: [(&str, Spoil); 9] = [
        ("pass", |s| s.phase = Phase::AwaitSettlement),
        ("sized", |s| s.wish.amount = 50 * ONE + 1),
        ("pass", |s| s.wish.amount = ONE),
        ("covered", |s| s.wish.amount = ONE - 1),
        ("covered", |s| s.shares().deposit_cap -= U256::ONE),
        ("covered", |s| s.wish.sight.tokens += 1),
        ("mandate", |s| s.wish.amount += 1),
        ("mandate", |s| s.wish.sight.pending = 1),
        ("mandate", |s| s.wish.sight.pending = 10 * ONE + 1),
    ];
    for product in [Product::CoveredCall, Product::ShortCallSpread, Product::ShortPutSpread, Product::LongCallSpread] {
        for (expected, spoil) in &table {
            let mut stage = option_stage(product, Flow::Deposit, 10);
            spoil(&mut stage);
            assert_eq!(stage.verdict(), *expected, "{product:?}");
        }
    }
    // A deposit of nothing but what is there: the contract says why not one unit more.
    let mut stage = option_stage(Product::LongCallSpread, Flow::Deposit, 10);
    stage.wish.amount += 1;
    assert_eq!(wall::capital::verdict(&stage.case()), Err(Revert::CmtsaDepositingTooMuch));
}

#[test]
fn withdrawals_of_a_call_seller_leave_what_was_written_covered() {
    let table: [(&str, Spoil); 8] = [
        ("permitted", |s| s.limits.withdrawals = false),
        ("timely", |s| s.phase = Phase::AwaitSettlement),
        ("sized", |s| s.wish.amount = 95 * ONE + 1),
        ("covered", |s| s.wish.amount += 1),
        ("pass", |s| s.hold("100", "-100000", &[(scene::NEAR, "-40")])),
        // A unit of cash less than the contract trades with; what the chain stored and what the venue counts both do.
        ("mandate", |s| s.wish.sight.cash = Cash::from_raw(Cash::whole(-100_000).raw() - 1)),
        ("mandate", |s| {
            s.hold("100", "-100000.000000001", &[(scene::NEAR, "-40")]);
            s.wish.sight.cash = Cash::ZERO;
        }),
        ("mandate", |s| {
            s.hold("100", "0", &[(scene::NEAR, "1")]);
        }),
    ];
    run(&table, || {
        let mut stage = option_stage(Product::CoveredCall, Flow::Withdrawal, 60);
        stage.hold("100", "0", &[(scene::NEAR, "-40")]);
        stage
    });
}

#[test]
fn withdrawals_of_a_spread_vault_wait_for_its_spreads_and_bound_its_debt() {
    for product in [Product::ShortCallSpread, Product::ShortPutSpread, Product::LongCallSpread] {
        let mut stage = option_stage(product, Flow::Withdrawal, 5);
        assert_eq!(stage.verdict(), "pass");
        stage.hold("100", "0", &[(scene::NEAR, "-10"), (scene::FAR, "10")]);
        assert_eq!(wall::capital::verdict(&stage.case()), Err(Revert::PptWithdrawingWithOpenTrades));
        assert_eq!(stage.verdict(), "mandate");
        // Ten are left, worth 27 000: two percent of it may be owed.
        let mut stage = option_stage(product, Flow::Withdrawal, 90);
        stage.hold("100", "-540", &[]);
        assert_eq!(stage.verdict(), "pass");
        stage.hold("100", "-540.000000000000000001", &[]);
        assert_eq!(wall::capital::verdict(&stage.case()), Err(Revert::PptWithdrawingUtilisedCollateral));
        stage.hold("100", "-540", &[]);
        stage.wish.amount += 1;
        assert_eq!(stage.verdict(), "mandate");
    }
}

#[test]
fn a_basis_vault_is_measured_in_eighteen_decimals_although_its_contract_is_not() {
    let eight = 100_000_000;
    let stage = |amount| basis_stage(Flow::Withdrawal, amount);
    assert_eq!(stage(5 * eight).verdict(), "pass", "leverage two");
    assert_eq!(stage(5 * eight + 1).verdict(), "mandate");
    assert_eq!(
        wall::capital::verdict(&stage(5 * eight + 1).case()),
        Err(Revert::LbtPostTradeLeverageOutOfRange),
        "the contract alone would not notice"
    );
    let deposit = |amount, tokens| {
        let mut stage = basis_stage(Flow::Deposit, amount);
        stage.wish.sight.tokens = tokens;
        stage.verdict()
    };
    assert_eq!((deposit(eight, eight), deposit(eight + 1, eight)), ("pass", "mandate"));
    let mut stale = stage(eight);
    stale.perp.priced_at = Nanos::ZERO;
    assert_eq!(stale.verdict(), "fresh");
}

#[test]
fn amounts_keep_their_size_in_any_decimals() {
    let of = |token_decimals| CapitalLimits { token_decimals, ..CapitalLimits::NONE };
    let amount: Amount = "1.234567891".parse().expect("literal");
    for (decimals, native) in [(18, 1_234_567_891_000_000_000), (9, 1_234_567_891), (8, 123_456_789), (0, 1)] {
        assert_eq!(of(decimals).in_token(amount), native);
    }
    assert_eq!(of(8).in_wad(1), Some(U256::from(10_000_000_000_u64)));
    assert_eq!(of(18).in_token(-amount), 0);
    assert_eq!(of(0).in_wad(u128::MAX).map(|wad| wad / U256::from(ONE)), Some(U256::from(u128::MAX)));
}

#[test]
fn what_passes_is_granted_as_it_was_wished_and_nothing_else_is() {
    let mut stage = option_stage(Product::CoveredCall, Flow::Withdrawal, 60);
    stage.offset = Some(-1_000_000_000);
    let named = Grant { nonce: Nonce(9), epoch: Epoch(4), trace: Default::default(), ended: None };
    let movement = grant(&stage.case(), &named).expect("granted");
    assert_eq!((movement.flow(), movement.amount(), movement.nonce()), (Flow::Withdrawal, 60 * ONE, Nonce(9)));
    assert_eq!((movement.epoch(), movement.vault(), movement.subaccount()), (Epoch(4), VaultId(0), SubaccountId(7)));
    assert_eq!(movement.expires_s(), stage.at.secs() - 1 + 310);
    assert_eq!((movement.late_after(), movement.token_decimals()), (stage.at.plus(SEC), 18));
    stage.offset = None;
    assert_eq!(grant(&stage.case(), &named).map_err(|row| CAPITAL_CHECKS[row].name), Err("unexpired"));
}

#[test]
fn the_row_that_stands_alone_is_where_it_is_said_to_be() {
    use crate::risk::checks::{ALONE_ROW, CHECKS};
    use crate::risk::option_checks::OPTION_CHECKS;
    assert_eq!((CHECKS[ALONE_ROW].name, OPTION_CHECKS[ALONE_ROW].name), ("alone", "alone"));
}
