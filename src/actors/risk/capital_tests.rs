//! Capital through the risk actor: granted once, nothing beside it, and every end it can have.

use super::option_stage::*;
use super::*;
use crate::base::num::Amount;
use crate::base::time::SEC;
use crate::msg::{BalanceKind, Breach, Flow, Mode, Phase, Product, Report, Request, Unsent, Verdict};
use crate::risk::capital::CAPITAL_CHECKS;

fn stage() -> Stage {
    let mut stage = Stage::new(Product::ShortCallSpread, "0");
    stage.milestone(Phase::CollateralOnly, "0");
    stage.permit_capital();
    stage
}

fn ask(stage: &mut Stage, flow: Flow) -> Said {
    stage.move_capital(flow, Amount::whole(100))
}

fn news(said: &Said) -> Vec<CapitalNews> {
    let word = |notice: &Notice| match notice {
        Notice::Capital { vault: VAULT, news } => Some(*news),
        _ => None,
    };
    said.notices.iter().filter_map(word).collect()
}

fn granted(said: &Said) -> Nonce {
    let [Granted::Movement(movement)] = said.orders[..] else { panic!("one movement, not {:?}", said.orders) };
    assert_eq!(news(said), [CapitalNews::Granted { nonce: movement.nonce() }]);
    movement.nonce()
}

/// The row that refuses.
fn refused(said: &Said) -> &'static str {
    assert!(said.orders.is_empty());
    match news(said)[..] {
        [CapitalNews::Refused { row, .. }] => CAPITAL_CHECKS[usize::from(row)].name,
        ref other => panic!("a refusal, not {other:?}"),
    }
}

#[test]
fn nothing_is_granted_beside_capital_on_its_way() {
    let mut stage = stage();
    let nonce = granted(&ask(&mut stage, Flow::Deposit));
    assert_eq!(refused(&ask(&mut stage, Flow::Withdrawal)), "alone");
    assert!(stage.ask("5").asked().is_none(), "its execution would kill the deposit's signature");
    let said = stage.collateral(BalanceKind::Transfer, "105");
    assert_eq!(news(&said), [CapitalNews::Settled { nonce }]);
    assert_eq!(refused(&ask(&mut stage, Flow::Deposit)), "awake", "what came is not proved yet");
    stage.tick(SEC);
    stage.snapshot("0", &[], &[]);
    stage.mark();
    assert_eq!(
        refused(&stage.move_capital(Flow::Deposit, Amount::whole(95))),
        "settled",
        "the chain seen was of before"
    );
    assert!(stage.ask("5").asked().is_some());
}

#[test]
fn a_trade_of_collateral_is_no_settlement_and_silence_ends_with_the_signature() {
    let mut stage = stage();
    let nonce = granted(&ask(&mut stage, Flow::Withdrawal));
    assert_eq!(news(&stage.collateral(BalanceKind::Trade, "95")), []);
    assert_eq!(news(&stage.tick(309 * SEC)), []);
    assert_eq!(news(&stage.tick(3 * SEC)), [CapitalNews::Lapsed { nonce }]);
    assert!(stage.risk.desks[0].moving.is_none());
}

#[test]
fn collateral_that_is_not_ours_leaves_the_movement_under_way() {
    for (flow, others, ours) in [
        (Flow::Deposit, ["95", "104.999999999999999999", "105.000000000000000001", "100"], "105"),
        (Flow::Withdrawal, ["105", "95.000000000000000001", "94.999999999999999999", "100"], "95"),
    ] {
        let mut stage = stage();
        let nonce = granted(&ask(&mut stage, flow));
        for other in others {
            assert_eq!(news(&stage.collateral(BalanceKind::Transfer, other)), [], "{flow:?} {other}");
            assert!(stage.risk.desks[0].moving.is_some(), "another signature would kill it");
        }
        assert_eq!(news(&stage.collateral(BalanceKind::Transfer, ours)), [CapitalNews::Settled { nonce }]);
    }
}

#[test]
fn every_answer_has_its_end() {
    for (verdict, code, over) in [
        (Verdict::Accepted, 0, false),
        (Verdict::Unknown, -32_603, false),
        (Verdict::Refused, 11_000, true),
        (Verdict::RateLimited, -32_000, true),
        (Verdict::Halt, 14_001, true),
    ] {
        let mut stage = stage();
        let nonce = granted(&ask(&mut stage, Flow::Deposit));
        let said = stage.answer(nonce, Request::Move, verdict, code);
        assert_eq!(news(&said), [CapitalNews::Answered { nonce, verdict, code }]);
        assert_eq!(stage.risk.desks[0].moving.is_none(), over, "{verdict:?}");
        assert_eq!(stage.risk.desks[0].mode == Mode::Halted, verdict == Verdict::Halt);
    }
}

#[test]
fn what_never_left_is_over_and_what_the_signer_refused_drains() {
    for (why, mode) in [(Unsent::Down, Mode::Live), (Unsent::Withheld(Breach::Day), Mode::Drain)] {
        let mut stage = stage();
        let nonce = granted(&ask(&mut stage, Flow::Deposit));
        let said = stage.report(Report::Unsent { nonce, request: Request::Move, why });
        assert_eq!(news(&said), [CapitalNews::Unsent { nonce, why }]);
        assert_eq!((stage.risk.desks[0].moving.is_none(), stage.risk.desks[0].mode), (true, mode));
    }
}

#[test]
fn behind_a_process_wall_a_movement_is_signed_by_name_or_given_back() {
    use crate::actors::signer::Sealed;
    use crate::actors::signer::link::{In as ToLink, Link, LinkOut};
    use crate::derive::seal::MovementDeed;
    use crate::derive::seal::wire::{Answer, Ask};
    for refused in [false, true] {
        let mut stage = stage();
        let said = ask(&mut stage, Flow::Withdrawal);
        let [Granted::Movement(movement)] = said.orders[..] else { panic!("granted") };
        let (mut link, mut out) = (Link::default(), LinkOut::default());
        link.on(stage.at, ToLink::Granted(said.orders[0]), &mut out);
        let asked = Ask::read(&out.ask.expect("asked"));
        assert_eq!(asked, Some(Ask::Movement(MovementDeed::of(&movement))));
        let nonce = movement.nonce();
        let answer = match refused {
            true => Answer::Refused { nonce, why: Breach::Module },
            false => Answer::Movement { nonce, signature: [3; 65] },
        };
        let mut out = LinkOut::default();
        link.on(stage.at, ToLink::Answer(&answer.write()), &mut out);
        let sealed: Vec<_> = out.out.sealed.iter().collect();
        match sealed[..] {
            [] => {
                let why = Unsent::Withheld(Breach::Module);
                let back: Vec<_> = out.out.refusals.iter().map(|report| report.body).collect();
                assert!(refused && back == [Report::Unsent { nonce, request: Request::Move, why }]);
            }
            [Sealed::Movement(signed)] => {
                assert!(!refused);
                assert_eq!((signed.movement(), signed.signature()), (&movement, &[3; 65]));
            }
            _ => panic!("one movement"),
        }
    }
}

#[test]
fn a_vault_without_the_section_moves_nothing_and_says_which_check_refused() {
    let mut stage = Stage::new(Product::CoveredCall, "0");
    stage.milestone(Phase::CollateralOnly, "0");
    assert_eq!(refused(&ask(&mut stage, Flow::Deposit)), "permitted");
    assert_eq!(refused(&ask(&mut stage, Flow::Withdrawal)), "permitted");
}
