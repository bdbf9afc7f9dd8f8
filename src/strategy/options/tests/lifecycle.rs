//! Every way from phase to phase, and everything that must not move the vault.

use super::*;

#[test]
fn a_week_goes_round() {
    let mut scene = Scene::new(Product::CoveredCall, 3000);
    scene.pass(60);
    assert_eq!(scene.enter().phase, Phase::CollateralOnly);
    let auction = scene.enter();
    assert_eq!((auction.phase, auction.expiry_s, auction.started_at), (Phase::OptionAuction, EXPIRY_S, scene.at));
    let act = scene.wish();
    let wish = scene.rest(act);
    assert_eq!((wish.amount, wish.side, wish.purpose), (Amount::whole(100), Side::Sell, crate::msg::Purpose::Write));
    scene.fill(Amount::whole(100));
    let waiting = scene.enter();
    assert_eq!((waiting.phase, waiting.expiry_s), (Phase::AwaitSettlement, EXPIRY_S));
    assert_eq!(scene.wish(), None);
    // expiry: the options go, a snapshot later proves it, an hour later the collateral auction is due
    scene.at = seconds(EXPIRY_S + 3601);
    scene.account.held = Default::default();
    assert_eq!(scene.wish(), None, "nothing proves yet that the options are gone");
    scene.account.proved_at = seconds(EXPIRY_S + 5);
    assert_eq!(scene.enter().phase, Phase::SpotAuction);
    let act = scene.wish();
    let wish = scene.rest(act);
    assert_eq!((wish.instrument, wish.side), (BASE, Side::Buy));
    let size = wish.amount;
    scene.fill(size);
    assert_eq!(scene.enter().phase, Phase::CollateralOnly);
    assert_eq!(scene.wish(), None, "no expiry of the next week is listed");
}

#[test]
fn nothing_is_wished_on_an_account_that_is_not_proved_and_live() {
    for (mode, proved_at) in
        [(Mode::Starting, Nanos(1)), (Mode::Drain, Nanos(1)), (Mode::Halted, Nanos(1)), (Mode::Live, Nanos::ZERO)]
    {
        let mut scene = Scene::new(Product::CoveredCall, 3000);
        (scene.account.mode, scene.account.proved_at) = (mode, proved_at);
        assert_eq!(scene.wish(), None, "{mode:?} proved at {proved_at:?}");
        assert_eq!(OptionVault::milestone(&scene.state), None);
        // what rests is taken back
        let mut scene = Scene::auctioning(Product::CoveredCall, 3000);
        let act = scene.wish();
        scene.rest(act);
        (scene.account.mode, scene.account.proved_at) = (mode, proved_at);
        assert_eq!(scene.wish(), cancel(1), "{mode:?} proved at {proved_at:?}");
    }
}

#[test]
fn the_auction_waits_for_its_start() {
    let mut scene = Scene::new(Product::CoveredCall, 3000);
    scene.at = Nanos(scene.at.0 - 1);
    assert_eq!(scene.enter().phase, Phase::CollateralOnly);
    assert_eq!(scene.wish(), None);
    scene.at = Nanos(scene.at.0 + 1);
    assert_eq!(scene.enter().phase, Phase::OptionAuction);
}

/// Everything that keeps a vault in S1 although its auction is due.
#[test]
fn guards_of_the_start() {
    type Spoil = fn(&mut Scene);
    let table: [(&str, Product, Spoil, Option<Concern>); 7] = [
        ("no collateral", Product::CoveredCall, |s| s.account.base = Amount::ZERO, None),
        ("less than a lot", Product::ShortCallSpread, |s| s.account.base = amount("4.9"), None),
        ("a stale strike", Product::CoveredCall, |s| s.chain[0].value = None, Some(Concern::ChainStale)),
        (
            "no strike that fits",
            Product::CoveredCall,
            |s| s.params.selection = Selection::Delta { target: ratio("0.1"), min: ratio("0.1"), max: ratio("0.1") },
            Some(Concern::NoCandidate),
        ),
        ("no yield known", Product::LongCallSpread, |_| {}, Some(Concern::NoBudget)),
        (
            "yield of a stale base",
            Product::LongCallSpread,
            |s| {
                s.base.accrual = Some(crate::msg::Accrual {
                    share: ratio("0.003"),
                    rate: crate::base::num::Ratio::ONE,
                    since: Nanos::ZERO,
                    read_at: Nanos::ZERO,
                });
                s.base.good_until = Nanos::ZERO;
            },
            Some(Concern::NoBudget),
        ),
        ("too late in the week", Product::CoveredCall, |s| s.at = seconds(EXPIRY_S - 6 * DAY_S), None),
    ];
    for (name, product, spoil, worry) in table {
        let mut scene = Scene::new(product, 3000);
        spoil(&mut scene);
        scene.boot_into(Phase::CollateralOnly);
        scene.pass(5);
        assert_eq!(scene.wish(), worry.and_then(concern), "{name}");
        scene.pass(2);
        assert_eq!(scene.wish(), None, "{name}: said once");
        assert_eq!(scene.phase(), Phase::CollateralOnly, "{name}");
    }
}

#[test]
fn a_debt_below_the_smallest_sale_is_said_and_stops_nothing() {
    let mut scene = Scene::new(Product::CoveredCall, 3000);
    scene.account.cash = cash("-20");
    scene.boot_into(Phase::CollateralOnly);
    assert_eq!(scene.wish(), concern(Concern::DebtLeft));
    assert_eq!(scene.enter().phase, Phase::OptionAuction);
}

#[test]
fn an_auction_larger_than_its_time_says_so_and_starts() {
    let mut scene = Scene::new(Product::ShortCallSpread, 3000);
    scene.account.base = Amount::whole(905);
    scene.enter();
    assert_eq!(scene.wish(), concern(Concern::Capacity));
    assert_eq!(scene.enter().phase, Phase::OptionAuction);
    let mut scene = Scene::new(Product::ShortCallSpread, 3000);
    scene.account.base = Amount::whole(900);
    scene.enter();
    assert_eq!(scene.enter().phase, Phase::OptionAuction, "60 lots of 15 fit");
}

#[test]
fn the_hard_stop_takes_back_what_rests_before_anything_else() {
    let mut scene = Scene::auctioning(Product::CoveredCall, 3000);
    let act = scene.wish();
    scene.rest(act);
    scene.fill(Amount::whole(40));
    scene.pass(7200);
    assert_eq!(scene.wish(), cancel(1));
    scene.resting().life = Life::Leaving;
    assert_eq!(scene.wish(), None, "the venue has not said that it is gone");
    scene.resting().life = Life::Unknown;
    assert_eq!(scene.wish(), None);
    scene.remove(Nonce(1));
    assert_eq!(scene.wish(), concern(Concern::Unfilled));
    assert_eq!(scene.enter().phase, Phase::AwaitSettlement);
}

#[test]
fn nothing_sold_goes_back_and_tries_again_while_the_expiry_allows() {
    let mut scene = Scene::auctioning(Product::CoveredCall, 3000);
    scene.pass(7200);
    assert_eq!(scene.wish(), concern(Concern::Unfilled));
    assert_eq!(scene.enter().phase, Phase::CollateralOnly);
    let again = scene.enter();
    assert_eq!((again.phase, again.started_at), (Phase::OptionAuction, scene.at));
    scene.at = seconds(EXPIRY_S - 6 * DAY_S);
    assert_eq!(scene.wish(), concern(Concern::Unfilled));
    assert_eq!(scene.enter().phase, Phase::CollateralOnly);
    assert_eq!(scene.wish(), None, "too little time to live is left");
}

#[test]
fn the_rfq_auction_also_ends_by_its_clock() {
    let mut scene = Scene::auctioning(Product::ShortCallSpread, 3000);
    let act = scene.wish();
    scene.ask(act);
    scene.pass(7200);
    let rfq_id = scene.talk.rfq.and_then(|rfq| rfq.rfq_id).expect("open");
    assert_eq!(scene.wish(), Some(Act::Unask { rfq_id }));
    assert_eq!(scene.wish(), None, "said once");
    scene.talk.rfq = None;
    assert_eq!(scene.wish(), concern(Concern::Unfilled));
    assert_eq!(scene.enter().phase, Phase::CollateralOnly);
}

/// A vault that has sold everything and waits.
fn waiting() -> Scene {
    let mut scene = Scene::auctioning(Product::CoveredCall, 3000);
    let act = scene.wish();
    scene.rest(act);
    scene.fill(Amount::whole(100));
    scene.boot_into(Phase::AwaitSettlement);
    scene
}

#[test]
fn settlement_is_waited_for_whatever_the_clock_says() {
    let mut scene = waiting();
    scene.at = seconds(EXPIRY_S + 1800);
    scene.account.proved_at = scene.at;
    assert_eq!(scene.wish(), None);
    scene.pass(1);
    assert_eq!(scene.wish(), concern(Concern::SettlementLate));
    scene.pass(86_400);
    assert_eq!(scene.wish(), None, "said once");
    scene.chain.clear();
    scene.list(3500, EXPIRY_S + 7 * DAY_S, "0.6");
    assert_eq!(scene.wish(), None, "delisted is not settled");
    scene.account.held = Default::default();
    assert_eq!(scene.enter().phase, Phase::SpotAuction);
}

/// The three things that must all be true before the collateral auction begins.
#[test]
fn guards_of_the_collateral_auction() {
    for (gone, proved_s, now_s, begins) in [
        (false, EXPIRY_S + 1, EXPIRY_S + 3600, false),
        (true, EXPIRY_S, EXPIRY_S + 3600, false),
        (true, EXPIRY_S + 1, EXPIRY_S + 3599, false),
        (true, EXPIRY_S + 1, EXPIRY_S + 3600, true),
    ] {
        let mut scene = waiting();
        if gone {
            scene.account.held = Default::default();
        }
        scene.account.proved_at = seconds(proved_s);
        scene.at = seconds(now_s);
        for _ in 0..3 {
            scene.look();
        }
        let want = if begins { Phase::SpotAuction } else { Phase::AwaitSettlement };
        assert_eq!(scene.phase(), want, "gone {gone}, proved {proved_s}, now {now_s}");
    }
}

/// Positions no auction of the vault makes.
#[test]
fn wrong_shapes_halt_and_are_never_traded() {
    let table: [(Product, &[(i64, &str)]); 12] = [
        (Product::CoveredCall, &[(3500, "1")]),
        (Product::CoveredCall, &[(3500, "-2"), (3600, "1")]),
        (Product::ShortCallSpread, &[(3500, "-2")]),
        (Product::ShortCallSpread, &[(3500, "-2"), (3600, "1")]),
        (Product::ShortCallSpread, &[(3500, "2"), (3600, "-2")]),
        (Product::ShortCallSpread, &[(3500, "-2"), (3700, "2")]),
        (Product::ShortCallSpread, &[(3500, "-2"), (3600, "1"), (3700, "1")]),
        (Product::ShortPutSpread, &[(2500, "-2"), (2600, "2")]),
        (Product::ShortPutSpread, &[(2500, "-2"), (2400, "-2")]),
        (Product::LongCallSpread, &[(3000, "-2"), (3200, "2")]),
        (Product::LongCallSpread, &[(3000, "2"), (3100, "-2")]),
        (Product::LongCallSpread, &[(3000, "2")]),
    ];
    for (product, held) in table {
        let mut scene = Scene::new(product, 3000);
        for (strike, size) in held {
            scene.hold(*strike, size);
        }
        assert_eq!(scene.wish(), None, "{product:?} {held:?}: legs may be on their way");
        scene.pass(5);
        assert_eq!(scene.enter().phase, Phase::Halt, "{product:?} {held:?}");
        assert_eq!(scene.wish(), Some(Act::Tell(Tale::Halt(Concern::Shape))), "{product:?} {held:?}");
        scene.account.held = Default::default();
        scene.pass(3600);
        assert_eq!(scene.wish(), None, "{product:?} {held:?}: a person must look");
    }
}

#[test]
fn two_expiries_at_once_are_a_wrong_shape() {
    let mut scene = Scene::new(Product::CoveredCall, 3000);
    let other = scene.list(3500, EXPIRY_S + DAY_S, "0.6");
    scene.hold(3500, "-1");
    scene.hold_id(other, amount("-1"));
    scene.wish();
    scene.pass(5);
    assert_eq!(scene.enter().phase, Phase::Halt);
}

#[test]
fn legs_that_are_booked_one_after_the_other_do_not_halt() {
    let mut scene = Scene::auctioning(Product::ShortCallSpread, 3000);
    let [near, far] = scene.state.milestone.strikes.map(|strike| strike.raw() / Price::ONE.raw());
    scene.hold(near, "-15");
    assert_eq!(scene.wish(), None, "one leg is not traded on");
    scene.pass(4);
    assert_eq!(scene.wish(), None);
    scene.hold(far, "15");
    assert!(matches!(scene.wish(), Some(Act::Ask(_))));
    // and settled one after the other
    scene.at = seconds(EXPIRY_S + 60);
    scene.hold(near, "15");
    scene.pass(60);
    assert_eq!(scene.wish(), concern(Concern::Unfilled));
    scene.boot_into(Phase::AwaitSettlement);
}

#[test]
fn an_execution_under_way_is_waited_for() {
    let mut scene = Scene::auctioning(Product::ShortCallSpread, 3000);
    let leg = scene.id(3500);
    let wish = Wish {
        instrument: leg,
        side: Side::Sell,
        price: Price::ONE,
        amount: Amount::ONE,
        tif: crate::msg::TimeInForce::Fok,
        reduce_only: false,
        purpose: crate::msg::Purpose::Package,
    };
    for life in [Life::Pending, Life::Unknown] {
        scene.account.working[0] =
            Some(Working { nonce: Nonce(9), life, wish, filled: Amount::ZERO, expires_at: Nanos::MAX });
        scene.pass(60);
        assert_eq!(scene.wish(), None, "{life:?}");
    }
    scene.pass(7200);
    assert_eq!(scene.wish(), None, "not even the hard stop ends an auction with an execution in the air");
}

#[test]
fn options_that_turn_up_late_wait_for_their_expiry() {
    for phase in [Phase::CollateralOnly, Phase::SpotAuction] {
        let mut scene = Scene::new(Product::CoveredCall, 3000);
        scene.at = seconds(EXPIRY_S - 3 * DAY_S);
        if phase == Phase::SpotAuction {
            scene.account.cash = cash("-3000");
        }
        scene.boot_into(phase);
        scene.hold(3500, "-1");
        let waiting = scene.enter();
        assert_eq!((waiting.phase, waiting.expiry_s), (Phase::AwaitSettlement, EXPIRY_S), "from {phase:?}");
    }
}

#[test]
fn wishes_refused_again_and_again_are_said_once() {
    for (pause_s, said) in [(1, true), (61, false)] {
        let mut scene = Scene::auctioning(Product::CoveredCall, 3000);
        let mut concerns = 0;
        for refused in 1..=12 {
            scene.account.intent_refused = refused;
            concerns += usize::from(scene.wish() == concern(Concern::Refused));
            assert!(refused >= 5 || concerns == 0, "{refused} refusals are races");
            scene.pass(pause_s);
        }
        assert_eq!(concerns, usize::from(said), "a refusal every {pause_s} s");
    }
}

#[test]
fn a_refusal_pauses_wishes_but_not_cancels() {
    let mut scene = Scene::auctioning(Product::CoveredCall, 3000);
    scene.account.intent_refused = 7;
    assert_eq!(scene.wish(), None);
    scene.pass(1);
    let act = scene.wish();
    scene.rest(act);
    scene.account.intent_refused = 8;
    scene.pass(7200);
    assert_eq!(scene.wish(), cancel(1));
}

#[test]
fn a_phase_is_said_until_it_is_on_record_and_nothing_is_done_before() {
    let mut scene = Scene::new(Product::CoveredCall, 3000);
    scene.is_deaf = true;
    let said = scene.enter();
    assert_eq!(said.phase, Phase::CollateralOnly);
    for _ in 0..3 {
        scene.pass(1);
        assert_eq!(scene.look(), Some(Act::Tell(Tale::Phase(said))), "the start of the auction has to wait");
    }
    scene.account.milestone = said;
    let said = scene.enter();
    assert_eq!(said.phase, Phase::OptionAuction);
    scene.account.milestone = Milestone { spent: Cash::ONE, ..said };
    assert!(matches!(scene.wish(), Some(Act::Place(_))), "what was spent makes it no other phase");
}

#[test]
fn a_halt_is_said_until_risk_has_halted() {
    let mut scene = Scene::new(Product::CoveredCall, 3000);
    scene.hold(3500, "40");
    scene.wish();
    scene.pass(5);
    assert_eq!(scene.enter().phase, Phase::Halt);
    scene.is_deaf = true;
    for _ in 0..3 {
        assert_eq!(scene.look(), Some(Act::Tell(Tale::Halt(Concern::Shape))));
    }
    scene.account.mode = Mode::Halted;
    assert_eq!(scene.look(), None);
}

/// A start in the middle of an auction, or before one, has no tickers yet: that is no concern for a while.
#[test]
fn a_stale_chain_is_no_concern_until_tickers_had_time_to_arrive() {
    for memory in [None, Some(Phase::OptionAuction)] {
        let mut scene = Scene::auctioning(Product::CoveredCall, 3000);
        scene.remembered = memory.and_then(|_| OptionVault::milestone(&scene.state));
        scene.state = State::default();
        let values: Vec<Option<Value>> = scene.chain.iter_mut().map(|line| line.value.take()).collect();
        scene.pass(600);
        scene.enter();
        for _ in 0..4 {
            scene.pass(1);
            assert_eq!(scene.wish(), None, "{memory:?}: within 5 s");
        }
        let mut blind = scene.state;
        scene.pass(1);
        assert_eq!(scene.wish(), concern(Concern::ChainStale), "{memory:?}");
        // Had they come in time, it would go on.
        std::mem::swap(&mut scene.state, &mut blind);
        for (line, value) in scene.chain.iter_mut().zip(values) {
            line.value = value;
        }
        let act = scene.wish();
        assert!(matches!(act, Some(Act::Place(_) | Act::Tell(Tale::Phase(_)))), "{memory:?}: {act:?}");
    }
}
