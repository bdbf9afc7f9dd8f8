//! What operators can do to a vault of the risk actor, and what two vaults of one wallet must not do to each other.

use super::option_stage::*;
use super::*;
use crate::base::num::{Cash, Ratio};
use crate::base::time::SEC;
use crate::msg::{Breach, Lost, Mode, Product, Report, Tighter};
use crate::risk::limits::{Mandate, OptionLimits};

#[test]
fn a_pause_ends_with_a_resume_and_a_drain_or_halt_with_a_restart() {
    let vault = VAULT;
    for (command, want, resumed) in [
        (Command::Pause { vault }, (Mode::Drain, false), Mode::Live),
        (Command::Drain { vault }, (Mode::Drain, true), Mode::Drain),
        (Command::Halt { vault }, (Mode::Halted, true), Mode::Halted),
        (Command::Kill, (Mode::Halted, true), Mode::Halted),
    ] {
        let mut stage = Stage::new(Product::ShortCallSpread, "0");
        assert_eq!(stage.mode(), (Mode::Live, false));
        stage.hear(In::Command(command));
        assert_eq!(stage.mode(), want, "{command:?}");
        stage.hear(In::Command(Command::Resume { vault }));
        stage.reconcile();
        assert_eq!(stage.mode().0, resumed, "{command:?}");
    }
    let mut stage = Stage::new(Product::ShortCallSpread, "0");
    stage.hear(In::Command(Command::Pause { vault }));
    stage.hear(In::Command(Command::Drain { vault }));
    stage.hear(In::Command(Command::Resume { vault }));
    assert_eq!(stage.mode(), (Mode::Drain, true), "the graver of both holds");
}

#[test]
fn what_the_engine_did_wrong_takes_a_restart_and_what_the_world_did_a_person() {
    let mut stage = Stage::new(Product::ShortCallSpread, "0");
    stage.report(Report::Stranger { subaccount: SUB });
    assert_eq!(stage.mode(), (Mode::Drain, false), "a foreign order");
    stage.hear(In::Command(Command::Resume { vault: VAULT }));
    stage.reconcile();
    assert_eq!(stage.mode().0, Mode::Live);
    assert!(!Alarm::Withheld { why: Breach::GivenHour }.demands_restart());
    assert!(Alarm::Withheld { why: Breach::Price }.demands_restart() && !Alarm::FillRate.demands_restart());
    assert!(!Alarm::LossBudget.demands_restart() && Alarm::SignerDown { why: Breach::Lost }.demands_restart());
}

#[test]
fn a_signer_that_is_down_fences_what_was_approved() {
    let mut stage = Stage::new(Product::ShortCallSpread, "0");
    let said = stage.report(Report::SignerDown { why: Breach::Stopped });
    assert!(said.urgent.iter().any(|urgent| matches!(urgent, Urgent::Stop { epoch: Epoch(1) })));
    assert_eq!(stage.mode(), (Mode::Halted, true));
}

#[test]
fn limits_tighten_while_running_and_never_loosen() {
    let mut stage = Stage::new(Product::ShortCallSpread, "0");
    let mut tighten = |to| {
        stage.hear(In::Command(Command::Tighten { vault: VAULT, to }));
        let Mandate::Options(limits) = stage.risk.desks[0].mandate else { panic!("an option vault") };
        (limits.notional_max, limits.losses.hour)
    };
    let (_, hour) = tighten(Tighter::Notional(Cash::whole(5)));
    assert_eq!(tighten(Tighter::Notional(Cash::whole(6))), (Cash::whole(5), hour), "looser");
    assert_eq!(tighten(Tighter::Borrow(Cash::ZERO)), (Cash::whole(5), hour), "it has no such limit");
    assert_eq!(tighten(Tighter::LossPerHour(Ratio::from_bps(1))), (Cash::whole(5), Ratio::from_bps(1)));
}

/// One lot of a spread, sold at these prices, under limits changed by `tighten`; the alarms of each of its fills.
fn sell_a_lot(near: &str, tighten: impl FnOnce(&mut OptionLimits)) -> (Stage, [Vec<Alarm>; 2]) {
    let mut stage = Stage::new(Product::ShortCallSpread, "0");
    let Mandate::Options(limits) = &mut stage.risk.desks[0].mandate else { panic!("an option vault") };
    tighten(limits);
    let name = stage.execute("1");
    let [one, two] = stage.priced("1", near);
    let alarms = [stage.fill(1, name, one).alarms(), stage.fill(2, name, two).alarms()];
    (stage, alarms)
}

/// Time passes, and the venue shows what was sold and `money`.
fn wait(stage: &mut Stage, money: &str) {
    for _ in 0..3 {
        stage.tick(SEC);
        stage.snapshot(money, &[(NEAR, "-1"), (FAR, "1")], &[]);
    }
}

#[test]
fn a_vault_drains_before_its_session_key_ends() {
    let life_ns = limits(Product::ShortPutSpread).order_life_ns;
    for (left_ns, expected) in [(2 * life_ns + 10 * SEC, Mode::Live), (2 * life_ns, Mode::Drain)] {
        let mut stage = Stage::new(Product::ShortPutSpread, "10");
        stage.risk.wallet.key_expires_at = stage.at.plus(left_ns);
        let said = stage.tick(SEC);
        assert_eq!(said.alarms().contains(&Alarm::KeyExpires), expected == Mode::Drain);
        assert_eq!(stage.mode(), (expected, expected == Mode::Drain));
    }
}

#[test]
fn too_many_fills_drain_until_a_person_resumes() {
    let (stage, alarms) = sell_a_lot("10", |limits| limits.fills_per_minute_max = 3);
    assert_eq!((stage.mode(), alarms), ((Mode::Live, false), [vec![], vec![]]));
    let (mut stage, alarms) = sell_a_lot("10", |limits| limits.fills_per_minute_max = 2);
    assert_eq!((stage.mode(), alarms), ((Mode::Drain, false), [vec![], vec![Alarm::FillRate]]));
    stage.tick(120 * SEC);
    wait(&mut stage, "4");
    assert_eq!(stage.mode().0, Mode::Drain, "a quiet minute resumes nothing");
    assert_eq!(stage.ask("1").asked(), None);
    stage.hear(In::Command(Command::Resume { vault: VAULT }));
    wait(&mut stage, "4");
    assert_eq!(stage.mode().0, Mode::Live);
}

#[test]
fn a_loss_budget_spent_by_trades_drains_until_a_person_resumes() {
    // Of 270 000: sold two below its mark for a fee of one, bought at its mark for a fee of one.
    let hour = |budget: &'static str| move |limits: &mut OptionLimits| limits.losses.hour = ratio(budget);
    let (stage, alarms) = sell_a_lot("8", hour("0.00002"));
    assert_eq!((stage.mode(), alarms), ((Mode::Live, false), [vec![], vec![]]));
    let (mut stage, alarms) = sell_a_lot("8", hour("0.000014"));
    assert_eq!((stage.mode(), alarms), ((Mode::Drain, false), [vec![], vec![Alarm::LossBudget]]));
    wait(&mut stage, "2");
    assert_eq!(stage.mode().0, Mode::Drain);
    stage.hear(In::Command(Command::Resume { vault: VAULT }));
    wait(&mut stage, "2");
    assert_eq!(stage.mode().0, Mode::Live, "what was lost is the person's to answer for");
}

#[test]
fn what_an_earlier_run_has_lost_drains_before_anything_is_traded() {
    let limits = limits(Product::ShortPutSpread);
    let budget = limits.losses.hour;
    for (lost, expected) in [(budget, Mode::Drain), (budget - Ratio::from_raw(1), Mode::Live)] {
        let past = Lost { at: START, traded: [lost, Ratio::ZERO], ..Lost::default() };
        let mut stage = Stage::begin(limits, false, Nonce(0), |plan| plan.lost = Some(past));
        let said = stage.snapshot("10", &[], &[]);
        assert_eq!(stage.mode().0, expected);
        assert_eq!(said.alarms().contains(&Alarm::LossBudget), expected == Mode::Drain);
    }
}

#[test]
fn orders_of_an_earlier_run_may_still_arrive_whatever_nonces_count() {
    let limits = limits(Product::ShortPutSpread);
    let before = Nanos(START.0 - SEC);
    for (contract_signs, unit_ns) in [(false, 1), (true, 1_000)] {
        let mut stage = Stage::begin(limits, contract_signs, Nonce(before.0 / unit_ns), |_| {});
        stage.snapshot("10", &[], &[]);
        assert_eq!(stage.mode().0, Mode::Starting, "asked for too early");
        stage.tick(SEC + SEC / 10);
        stage.snapshot("10", &[], &[]);
        assert_eq!(stage.mode().0, Mode::Live);
    }
}
