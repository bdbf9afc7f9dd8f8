//! Any lines of an operator, one after another: whatever is taken tightens, a vault that is not there is not commanded, and
//! limits never come back.
#![no_main]

use keel::base::num::{Amount, Cash, Ratio};
use keel::base::time::SEC;
use keel::msg::Command;
use keel::ops::console::{Console, Request, Verb};
use keel::ops::news::News;
use keel::risk::limits::{Limits, Mandate};
use keel::risk::losses::LossBudgets;
use keel::risk::wall::terms::BasisTerms;
use libfuzzer_sys::fuzz_target;

const VAULTS: [&str; 2] = ["first", "second"];

fn mandate() -> Mandate {
    Mandate::Basis(Limits {
        delta_min: Ratio::from_bps(9_800),
        delta_max: Ratio::from_bps(10_200),
        leverage_min: Ratio::from_bps(9_000),
        leverage_max: Ratio::whole(2),
        mark_offset_max: Ratio::from_bps(100),
        loss_ema_max: Ratio::from_bps(20),
        loss_decay_e18: 192_540_883_488_874,
        quote_amount_max: Amount::whole(1),
        hedge_amount_max: Amount::whole(5),
        notional_max: Cash::whole(50_000),
        borrow_max: Cash::whole(500_000),
        margin_factor: Ratio::from_bps(9_000),
        perp_requirement: Ratio::from_bps(660),
        margin_buffer: Ratio::ZERO,
        drawdown_max: Ratio::from_bps(500),
        off_peg_ns_max: 30 * 1_000_000_000,
        losses: LossBudgets::ALL,
        fills_per_minute_max: 100,
        order_life_ns: 590 * SEC,
        reject_after_ns: SEC,
        clock_offset_ns_max: SEC,
        value_age_ns_max: 2 * SEC,
        cash_tolerance: Cash::ONE,
        wall: BasisTerms::MISSION.wall(),
    })
}

fuzz_target!(|input: &[u8]| {
    let mut console = Console::new(VAULTS.map(|name| (name.to_owned(), mandate())).to_vec());
    let (mut kept, news) = (VAULTS.map(|_| mandate()), News::new(VAULTS.len()));
    for line in input.split(|byte| *byte == b'\n') {
        let Ok(request) = serde_json::from_slice::<Request>(line) else { continue };
        let orders = match console.decide(&request, &news) {
            Ok(orders) => orders,
            Err(why) => {
                assert!(why.len() < 512, "{why}");
                continue;
            }
        };
        let known = |name: &String| VAULTS.contains(&name.as_str());
        assert!(request.vault.as_ref().is_none_or(known), "{request:?}");
        assert!(orders.places.iter().all(|place| *place < VAULTS.len()));
        assert!(request.verb != Verb::Status || orders.commands.is_empty());
        for command in orders.commands {
            match command {
                Command::Tighten { vault, to } => {
                    let taken = kept[usize::from(vault.0)].tighten(to);
                    assert!(taken.is_ok(), "{request:?} loosens");
                }
                Command::Pause { vault }
                | Command::Drain { vault }
                | Command::Halt { vault }
                | Command::Resume { vault } => {
                    assert!(usize::from(vault.0) < VAULTS.len());
                }
                Command::Kill => assert_eq!(request.verb, Verb::Kill),
                other => panic!("an operator cannot say {other:?}"),
            }
        }
    }
});
