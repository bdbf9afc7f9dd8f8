//! The rules of the console: what is taken, what is refused, and with which words.

use super::*;
use crate::actors::risk::{Alarm, Notice, Sample};
use crate::ops::news::Traded;
use crate::risk::limits::{Limits, Mandate};
use crate::risk::losses::LossBudgets;

fn limits() -> Limits {
    Limits {
        delta_min: Ratio::ZERO,
        delta_max: Ratio::ONE,
        leverage_min: Ratio::ZERO,
        leverage_max: Ratio::ONE,
        mark_offset_max: Ratio::from_bps(100),
        loss_ema_max: Ratio::from_bps(20),
        loss_decay_e18: 0,
        quote_amount_max: Amount::ONE,
        hedge_amount_max: Amount::whole(2),
        notional_max: Cash::whole(1_000),
        borrow_max: Cash::whole(10_000),
        margin_factor: Ratio::ONE,
        perp_requirement: Ratio::ONE,
        margin_buffer: Ratio::ZERO,
        drawdown_max: Ratio::from_bps(200),
        off_peg_ns_max: 30 * 1_000_000_000,
        losses: LossBudgets { hour: Ratio::from_bps(100), day: Ratio::from_bps(200) },
        fills_per_minute_max: 60,
        order_life_ns: 1,
        reject_after_ns: 1,
        clock_offset_ns_max: 1,
        value_age_ns_max: 1,
        cash_tolerance: Cash::ONE,
        wall: crate::risk::wall::terms::BasisTerms::MISSION.wall(),
    }
}

fn console() -> Console {
    Console::new(vec![("first".to_owned(), Mandate::Basis(limits())), ("second".to_owned(), Mandate::Basis(limits()))])
}

fn news(modes: [(Mode, bool); 2]) -> News {
    let mut news = News::new(2);
    for (place, (mode, demands_restart)) in modes.into_iter().enumerate() {
        let sample = Sample { mode, demands_restart, ..Sample::default() };
        news.take(|_, _| Traded::Base, Notice::Sample { vault: vault_id(place), sample, stats: Default::default() });
    }
    news
}

fn request(verb: Verb, vault: Option<&str>) -> Request {
    Request { verb, vault: vault.map(str::to_owned), ..Request::default() }
}

#[test]
fn pauses_drains_and_kills_are_always_taken() {
    let [first, second] = [0, 1].map(vault_id);
    for modes in [[(Mode::Live, false); 2], [(Mode::Halted, true); 2], [(Mode::Drain, true), (Mode::Starting, false)]] {
        let news = news(modes);
        let taken = |verb, vault| console().decide(&request(verb, vault), &news).expect("taken").commands;
        assert_eq!(taken(Verb::Pause, Some("second")), [Command::Pause { vault: second }]);
        let both = [Command::Drain { vault: first }, Command::Drain { vault: second }];
        assert_eq!(taken(Verb::Drain, None), both);
        assert_eq!(taken(Verb::Kill, Some("first")), [Command::Halt { vault: first }]);
        assert_eq!(taken(Verb::Kill, None), [Command::Kill]);
        assert_eq!(taken(Verb::Status, None), []);
    }
}

#[test]
fn a_resume_is_taken_only_where_no_restart_is_demanded() {
    let news = news([(Mode::Drain, false), (Mode::Drain, true)]);
    let decide = |vault| console().decide(&request(Verb::Resume, vault), &news);
    assert_eq!(decide(Some("first")).expect("taken").commands, [Command::Resume { vault: vault_id(0) }]);
    for vault in [Some("second"), None] {
        let why = decide(vault).expect_err("refused");
        assert!(why.contains("second resumes with a restart only"), "{why}");
    }
}

#[test]
fn limits_tighten_only_and_in_all_vaults_or_none() {
    let news = news([(Mode::Live, false); 2]);
    let mut console = console();
    let mut tighten = |vault: Option<&str>, limit: &str, to: &str| {
        let wanted =
            Request { limit: Some(limit.to_owned()), to: Some(to.to_owned()), ..request(Verb::Tighten, vault) };
        console.decide(&wanted, &news).map(|orders| orders.commands)
    };
    assert!(TIGHTENED.iter().all(|limit| read_limit(limit, "0").is_ok()), "what is said to be allowed is");
    let notional = |place, cash| Command::Tighten { vault: vault_id(place), to: Tighter::Notional(Cash::whole(cash)) };
    assert_eq!(tighten(Some("first"), "notional_max_usdc", "500"), Ok(vec![notional(0, 500)]));
    let looser = |outcome: Result<Vec<Command>, String>| outcome.is_err_and(|why| why.contains("limits tighten only"));
    assert!(looser(tighten(Some("first"), "notional_max_usdc", "501")));
    assert!(looser(tighten(None, "notional_max_usdc", "600")), "the first has less already");
    assert_eq!(tighten(Some("second"), "notional_max_usdc", "1000"), Ok(vec![notional(1, 1_000)]), "untouched");
    assert_eq!(tighten(None, "notional_max_usdc", "0"), Ok(vec![notional(0, 0), notional(1, 0)]));
    for (limit, looser_value) in [
        ("quote_amount_max_base", "1.1"),
        ("borrow_max_usdc", "10000.01"),
        ("fills_per_minute_max", "61"),
        ("mark_offset_max_bps", "101"),
        ("loss_ema_max_bps", "21"),
        ("drawdown_max_bps", "201"),
        ("loss_per_hour_max_bps", "101"),
        ("loss_per_day_max_bps", "201"),
    ] {
        assert!(looser(tighten(None, limit, looser_value)), "{limit}");
        assert!(tighten(None, limit, "1").is_ok(), "{limit}");
    }
    for (limit, to, words) in [
        ("option_amount_max_contracts", "1", "has no limit"),
        ("delta_max_x", "1", "cannot be tightened while running; these can: quote_amount"),
        ("hedge_amount_max_contracts", "1", "cannot be tightened while running; these can: quote_amount"),
        ("notional_max_usdc", "-1", "no value"),
        ("notional_max_usdc", "1e3", "no value"),
        ("fills_per_minute_max", "many", "no value"),
        ("drawdown_max_bps", "99999", "no value"),
    ] {
        let why = tighten(None, limit, to).expect_err("refused");
        assert!(why.contains(words), "{why}");
    }
}

#[test]
fn wrong_vaults_and_stray_fields_are_refused() {
    let news = news([(Mode::Live, false); 2]);
    let why = console().decide(&request(Verb::Pause, Some("third")), &news).expect_err("refused");
    assert_eq!(why, "no vault \"third\" here; there are: first, second");
    let stray = Request { to: Some("1".to_owned()), ..request(Verb::Kill, None) };
    assert!(console().decide(&stray, &news).is_err());
    let unread: Result<Request, _> = serde_json::from_str(r#"{"challenge":"","verb":"pause","vaults":"first"}"#);
    assert!(unread.is_err());
}

#[test]
fn a_standing_shows_the_newest_alarms() {
    let mut news = news([(Mode::Drain, true), (Mode::Live, false)]);
    for code in 0..20 {
        let alarm = Alarm::VenueHalt { code };
        news.take(|_, _| Traded::Base, Notice::Alarm { vault: vault_id(0), alarm });
    }
    let standings = console().standings(&[0], &news);
    let [first] = &standings[..] else { panic!("one vault") };
    assert_eq!((first.mode.as_str(), first.demands_restart, first.alarms.len()), ("drain", true, ALARMS));
    assert!(first.alarms[7].contains("19"), "{:?}", first.alarms);
}

#[test]
fn a_vault_whose_shares_are_kept_stands_with_its_keeper_and_the_last_alarm() {
    let mut news = news([(Mode::Live, false); 2]);
    let alarms = vec!["old".to_owned(), "its key: gone".to_owned()];
    news.keep(1, Keeping { deposits: 3, alarms, ..Keeping::default() });
    let standings = console().standings(&[0, 1], &news);
    assert_eq!(standings[0].keeper, None);
    let words = "the price of a share is not known yet, 3 deposits taken, withdrawals paid 0 times, fee collected 0 times, at \
                 work; its last alarm: its key: gone";
    assert_eq!(standings[1].keeper.as_deref(), Some(words));
    let text = serde_json::to_string(&standings[0]).expect("JSON");
    assert!(!text.contains("keeper") && serde_json::from_str::<Standing>(&text).is_ok(), "{text}");
}
