//! Capital through the risk actor: granted once, nothing beside it, and every end it can have.

use super::option_stage::*;
use super::*;
use crate::base::num::{Amount, Cash};
use crate::base::time::SEC;
use crate::msg::{
    Asset, Balance, BalanceKind, Breach, CapitalWish, ChainSight, CurrencyId, Flow, Mode, Phase, Product, Report,
    Request, Unsent, Verdict,
};
use crate::risk::capital::{CAPITAL_CHECKS, CapitalLimits};
use crate::risk::mandate::shares::Shares;
use alloy_primitives::U256;

const ONE: u128 = 1_000_000_000_000_000_000;

fn stage() -> Stage {
    let mut stage = Stage::new(Product::ShortCallSpread, "0");
    stage.milestone(Phase::CollateralOnly, "0");
    let whole = Amount::whole(100);
    stage.risk.desks[0].capital = CapitalLimits {
        deposits: true,
        withdrawals: true,
        deposit_max: whole,
        withdrawal_max: whole,
        withdrawn_per_day_max: whole,
        shares: Shares { deposit_cap: U256::MAX, ..CapitalLimits::NONE.shares },
        ..CapitalLimits::NONE
    };
    stage
}

fn ask(stage: &mut Stage, flow: Flow) -> Said {
    let sight = ChainSight {
        read_at: stage.at,
        tokens: 5 * ONE,
        pending: 0,
        base: Amount::whole(100),
        cash: Cash::ZERO,
        blocked: false,
    };
    let wish = CapitalWish { flow, amount: 5 * ONE, sight };
    stage.hear(In::Command(Command::Capital { vault: VAULT, wish }))
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

fn moved(stage: &mut Stage, kind: BalanceKind, to: &str) -> Said {
    let (asset, previous, new) = (Asset::Currency(CurrencyId(1)), cash("100"), cash(to));
    stage.report(Report::Balance(Balance { subaccount: SUB, asset, previous, new, kind }))
}

#[test]
fn nothing_is_granted_beside_capital_on_its_way() {
    let mut stage = stage();
    let nonce = granted(&ask(&mut stage, Flow::Deposit));
    assert_eq!(refused(&ask(&mut stage, Flow::Withdrawal)), "alone");
    assert!(stage.ask("5").asked().is_none(), "its execution would kill the deposit's signature");
    let said = moved(&mut stage, BalanceKind::Transfer, "105");
    assert_eq!(news(&said), [CapitalNews::Settled { nonce }]);
    assert!(stage.ask("5").asked().is_some());
    assert_eq!(refused(&ask(&mut stage, Flow::Deposit)), "settled", "the chain seen was of before");
}

#[test]
fn a_trade_of_collateral_is_no_settlement_and_silence_ends_with_the_signature() {
    let mut stage = stage();
    let nonce = granted(&ask(&mut stage, Flow::Withdrawal));
    assert_eq!(news(&moved(&mut stage, BalanceKind::Trade, "95")), []);
    assert_eq!(news(&stage.tick(309 * SEC)), []);
    assert_eq!(news(&stage.tick(3 * SEC)), [CapitalNews::Lapsed { nonce }]);
    assert!(stage.risk.desks[0].moving.is_none());
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
fn a_vault_without_the_section_moves_nothing_and_says_which_check_refused() {
    let mut stage = Stage::new(Product::CoveredCall, "0");
    stage.milestone(Phase::CollateralOnly, "0");
    assert_eq!(refused(&ask(&mut stage, Flow::Deposit)), "permitted");
    assert_eq!(refused(&ask(&mut stage, Flow::Withdrawal)), "permitted");
}
