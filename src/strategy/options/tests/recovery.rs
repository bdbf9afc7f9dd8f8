//! Where a restart finds itself, from what the account proves and what the journal remembers.

use super::*;

const START_S: u64 = EXPIRY_S - 7 * DAY_S + 310 * 60;

fn remembered(phase: Phase, started_s: u64, strikes: [i64; 2]) -> Option<Milestone> {
    Some(Milestone {
        phase,
        started_at: seconds(started_s),
        expiry_s: EXPIRY_S,
        strikes: strikes.map(Price::whole),
        ..Milestone::default()
    })
}

/// One restart: when, what is held, the cash, what is remembered; and the phase and clock that follow.
struct Restart {
    name: &'static str,
    now_s: u64,
    held: &'static [(i64, &'static str)],
    cash: &'static str,
    memory: Option<(Phase, u64)>,
    phase: Phase,
    started_s: Option<u64>,
}

const SHORT: &[(i64, &str)] = &[(3500, "-40")];

fn check(restart: &Restart) {
    let mut scene = Scene::new(Product::CoveredCall, 3000);
    scene.at = seconds(restart.now_s);
    scene.account.proved_at = scene.at;
    for (strike, size) in restart.held {
        scene.hold(*strike, size);
    }
    scene.account.cash = cash(restart.cash);
    scene.remembered = restart.memory.and_then(|(phase, started_s)| remembered(phase, started_s, [3500, 0]));
    let found = scene.enter();
    assert_eq!(found.phase, restart.phase, "{}", restart.name);
    assert_eq!(found.started_at, seconds(restart.started_s.unwrap_or(restart.now_s)), "{}", restart.name);
}

#[test]
fn options_alive_go_on_being_sold_while_their_auction_runs() {
    use Phase::{AwaitSettlement, OptionAuction};
    let at = |name, now_s, memory, phase, started_s| Restart {
        name,
        now_s,
        held: SHORT,
        cash: "400",
        memory,
        phase,
        started_s,
    };
    for restart in [
        at("no journal, within", START_S + 600, None, OptionAuction, Some(START_S)),
        at("no journal, before", START_S - 1, None, AwaitSettlement, None),
        at("no journal, after", START_S + 7200, None, AwaitSettlement, None),
        at("its own clock", START_S + 600, Some((OptionAuction, START_S + 30)), OptionAuction, Some(START_S + 30)),
        at("its own end", START_S + 7230, Some((OptionAuction, START_S + 30)), AwaitSettlement, None),
        at(
            "an auction begun late",
            START_S + 9000,
            Some((OptionAuction, START_S + 8000)),
            OptionAuction,
            Some(START_S + 8000),
        ),
        at("ended early", START_S + 600, Some((AwaitSettlement, START_S + 90)), AwaitSettlement, Some(START_S + 90)),
        at("a spot auction's memory", START_S + 600, Some((Phase::SpotAuction, 5)), OptionAuction, Some(START_S)),
        at("a halt's memory", START_S + 600, Some((Phase::Halt, 5)), OptionAuction, Some(START_S)),
        at("expired", EXPIRY_S, Some((OptionAuction, START_S)), AwaitSettlement, None),
        at(
            "expired, waited for",
            EXPIRY_S + 60,
            Some((AwaitSettlement, START_S + 7200)),
            AwaitSettlement,
            Some(START_S + 7200),
        ),
    ] {
        check(&restart);
    }
}

#[test]
fn without_options_cash_and_memory_tell() {
    use Phase::{AwaitSettlement, CollateralOnly, OptionAuction, SpotAuction};
    let at = |name, now_s, cash, memory, phase, started_s| Restart {
        name,
        now_s,
        held: &[],
        cash,
        memory,
        phase,
        started_s,
    };
    let waited = Some((AwaitSettlement, START_S + 7200));
    for restart in [
        at("nothing", START_S, "0", None, CollateralOnly, None),
        at("a credit of no known week", START_S, "5000", None, CollateralOnly, None),
        at("a credit before its settlement", EXPIRY_S - 60, "5000", None, CollateralOnly, None),
        at("a credit just settled", EXPIRY_S + 60, "5000", None, SpotAuction, None),
        at("a credit in its auction", EXPIRY_S + 3700, "5000", None, SpotAuction, Some(EXPIRY_S + 3600)),
        at("a credit at its auction's end", EXPIRY_S + 6299, "5000", None, SpotAuction, Some(EXPIRY_S + 3600)),
        at("a credit after its auction", EXPIRY_S + 6300, "5000", None, CollateralOnly, None),
        at("a credit the day after", EXPIRY_S + DAY_S + 3700, "5000", None, CollateralOnly, None),
        at("dust in a collateral auction", EXPIRY_S + 3700, "1", None, CollateralOnly, None),
        at("a debt in its auction", EXPIRY_S + 3700, "-5000", None, SpotAuction, None),
        at("a debt before its settlement", EXPIRY_S - 60, "-5000", None, SpotAuction, None),
        at("a debt", START_S, "-5000", None, SpotAuction, None),
        at("dust", START_S, "-1", None, CollateralOnly, None),
        at("unsold, within", START_S + 600, "0", Some((OptionAuction, START_S)), OptionAuction, Some(START_S)),
        at("unsold, after", START_S + 7200, "0", Some((OptionAuction, START_S)), CollateralOnly, None),
        at("sold, options not seen", START_S + 9000, "400", waited, AwaitSettlement, Some(START_S + 7200)),
        at("settled, too early", EXPIRY_S + 60, "-5000", waited, AwaitSettlement, Some(START_S + 7200)),
        at("settled, in time", EXPIRY_S + 6299, "5000", waited, AwaitSettlement, Some(START_S + 7200)),
        at("settled, long ago", EXPIRY_S + 6300, "5000", waited, CollateralOnly, None),
        at("down until settled", EXPIRY_S + 60, "5000", Some((OptionAuction, START_S)), AwaitSettlement, Some(START_S)),
        at("settled long ago with a debt", EXPIRY_S + 6300, "-5000", waited, SpotAuction, None),
        at("buying", EXPIRY_S + 3700, "5000", Some((SpotAuction, EXPIRY_S + 3600)), SpotAuction, Some(EXPIRY_S + 3600)),
        at("bought too long", EXPIRY_S + 6300, "5000", Some((SpotAuction, EXPIRY_S + 3600)), CollateralOnly, None),
        at(
            "selling for days",
            EXPIRY_S + 200_000,
            "-5000",
            Some((SpotAuction, EXPIRY_S + 3600)),
            SpotAuction,
            Some(EXPIRY_S + 3600),
        ),
        at("at rest", EXPIRY_S + 3700, "5000", Some((CollateralOnly, EXPIRY_S)), CollateralOnly, None),
    ] {
        check(&restart);
    }
}

#[test]
fn a_restart_waits_for_a_proved_account_and_a_chain() {
    let mut scene = Scene::new(Product::CoveredCall, 3000);
    scene.hold(3500, "-40");
    let chain = std::mem::take(&mut scene.chain);
    scene.pass(60);
    assert_eq!(scene.wish(), None, "what is held cannot be judged");
    scene.chain = chain;
    scene.account.mode = Mode::Starting;
    assert_eq!(scene.wish(), None);
    scene.account.mode = Mode::Live;
    assert_eq!(scene.enter().phase, Phase::OptionAuction);
}

#[test]
fn options_delisted_after_the_expiry_remembered_are_settling() {
    for (memory, phase) in
        [(remembered(Phase::AwaitSettlement, START_S, [3500, 0]), Phase::AwaitSettlement), (None, Phase::Halt)]
    {
        let mut scene = Scene::new(Product::CoveredCall, 3000);
        scene.hold(3500, "-40");
        scene.at = seconds(EXPIRY_S + 60);
        scene.chain.clear();
        scene.list(3500, EXPIRY_S + 7 * DAY_S, "0.6");
        scene.remembered = memory;
        scene.wish();
        scene.pass(5);
        scene.wish();
        assert_eq!(scene.phase(), phase);
    }
}

#[test]
fn an_order_that_survived_is_kept_and_a_second_is_not_placed() {
    let mut scene = Scene::auctioning(Product::CoveredCall, 3000);
    scene.remembered = OptionVault::milestone(&scene.state);
    let act = scene.wish();
    scene.rest(act);
    scene.fill(Amount::whole(10));
    scene.state = State::default();
    assert_eq!(Some(scene.enter()), scene.remembered);
    assert_eq!(scene.wish(), None);
    // in a phase without an auction what survived is taken back
    scene.state = State::default();
    scene.at = seconds(EXPIRY_S - DAY_S);
    assert_eq!(scene.enter().phase, Phase::AwaitSettlement);
    assert_eq!(scene.wish(), cancel(1));
}

/// Restarted between any two looks, an auction goes on with its clock and sells nothing twice.
#[test]
fn restarts_in_the_middle_of_a_lot_change_nothing() {
    let mut scene = Scene::auctioning(Product::ShortCallSpread, 3000);
    scene.remembered = OptionVault::milestone(&scene.state);
    let began = scene.at;
    for round in 0..7u128 {
        let act = scene.wish();
        scene.ask(act);
        scene.offer(round, 5, "1", [price("20"), price("1")]);
        scene.state = State::default();
        scene.boot_into(Phase::OptionAuction);
        assert_eq!(OptionVault::milestone(&scene.state).map(|milestone| milestone.started_at), Some(began));
        assert_eq!(scene.wish(), None);
        scene.pass(20);
        let act = scene.wish();
        scene.execute(act);
        scene.pass(2);
    }
    let short: Amount = scene.account.held.iter().flatten().map(|held| held.amount.min(Amount::ZERO)).sum();
    assert_eq!(short, -Amount::whole(100), "six lots of 15 and one of 10");
    assert_eq!(scene.enter().phase, Phase::AwaitSettlement);
}
