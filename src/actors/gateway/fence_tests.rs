//! What must not leave any more although risk granted and the signer sealed it: every fence, for executions of quotes.

use super::tests::Stand;
use super::*;
use crate::actors::risk::option_stage::{NEAR, SUB, Stage as RiskStage, VAULT, instrument};
use crate::base::num::Price;
use crate::base::time::SEC;
use crate::derive::seal::{PackageSeal, SignedExecution};
use crate::engine::ports::DownReason;
use crate::market::instrument::Kind;
use crate::msg::{Product, RfqStatus};
use crate::risk::order::Granted;

/// An execution as risk grants and the signer seals it, and when it was granted.
fn sealed() -> (SignedExecution, Nanos) {
    let mut stage = RiskStage::new(Product::ShortCallSpread, "0");
    let name = stage.ask("5").asked().expect("sent");
    stage.rfq(name, RfqStatus::Open);
    stage.quote(1, "5", "10");
    let said = stage.deal("5");
    let execution = said.orders.iter().find_map(|granted| match granted {
        Granted::Execution(execution) => Some(*execution),
        _ => None,
    });
    let execution = *execution.as_ref().expect("granted");
    let names = execution.deal().legs.map(|priced| {
        let strike = if priced.leg.instrument == NEAR { 3_000 } else { 3_100 };
        instrument(priced.leg.instrument, Kind::Option, Some(strike)).name
    });
    // The gateway checks no signature.
    let seal = PackageSeal { names, max_fee: Price::ONE, signature: [3; 65] };
    let signed = SignedExecution::of(execution, seal);
    (signed, stage.at)
}

/// Something that happens at the gateway before the execution arrives.
type Event = fn(&mut Stand, Nonce);

fn cancel(nonce: Nonce) -> In<'static> {
    In::Urgent(Urgent::Cancel { trace: Trace::default(), nonce, instrument: NEAR, vault: VAULT })
}

#[test]
fn an_execution_leaves_once_and_only_while_nothing_speaks_against_it() {
    let (signed, granted_at) = sealed();
    let nonce = signed.execution().nonce();
    let table: [(&str, Event, Option<Unsent>); 10] = [
        ("nothing", |_, _| {}, None),
        ("just in time", |stand, _| stand.at = stand.at.plus(SEC), None),
        ("too late", |stand, _| stand.at = stand.at.plus(SEC + 1), Some(Unsent::Late)),
        ("a stop of a newer epoch", |stand, _| stop(stand, 1), Some(Unsent::Fenced)),
        ("a stop of its own epoch", |stand, _| stop(stand, 0), None),
        ("its cancel", |stand, nonce| drop(stand.hear(cancel(nonce))), Some(Unsent::Withdrawn)),
        ("another's cancel", |stand, nonce| drop(stand.hear(cancel(Nonce(nonce.0 + 1)))), None),
        ("a lost session", |stand, _| lose(stand), Some(Unsent::Down)),
        (
            "a connection that has not logged in",
            |stand, _| {
                lose(stand);
                stand.log_in();
            },
            Some(Unsent::Down),
        ),
        (
            "a session lost and found, and a stop",
            |stand, _| {
                lose(stand);
                stand.come_up();
                stop(stand, 2);
            },
            Some(Unsent::Fenced),
        ),
    ];
    for (name, event, why) in table {
        let mut stand = Stand::for_subaccount(SUB, granted_at);
        stand.come_up();
        event(&mut stand, nonce);
        let message = Sealed::Execution(signed);
        let (texts, reports) = stand.hear(In::Sealed(&message));
        let sent = texts.iter().filter(|text| text.contains("private/execute_quote")).count();
        let want: Vec<Report> =
            why.into_iter().map(|why| Report::Unsent { nonce, request: Request::Execute, why }).collect();
        assert_eq!((sent, &reports), (usize::from(why.is_none()), &want), "{name}");
        let counts = stand.gateway.counts();
        assert_eq!((counts.executions, counts.kept_back), (sent as u64, u64::from(why.is_some())), "{name}");
        // Whatever became of it, the same again neither leaves nor says that it did not.
        stand.at = granted_at;
        let (texts, reports) = stand.hear(In::Sealed(&message));
        assert!(texts.is_empty() && reports.is_empty(), "{name}: {texts:?} {reports:?}");
        assert_eq!(stand.gateway.counts().kept_back, counts.kept_back + 1, "{name}");
    }
}

fn stop(stand: &mut Stand, epoch: u32) {
    stand.hear(In::Urgent(Urgent::Stop { epoch: Epoch(epoch) }));
}

fn lose(stand: &mut Stand) {
    stand.hear(In::Wire(crate::engine::ports::Event::Down(DownReason::Io)));
}

/// What risk asked again and again while this thread stood still is found all at once, and the venue counts messages.
#[test]
fn a_cancel_leaves_once_however_often_it_waits() {
    const START_NS: u64 = 1_800_000_000 * SEC;
    let mut stand = Stand::for_subaccount(SUB, Nanos(START_NS));
    stand.come_up();
    let mut sent = |after_ns, names: &[u64]| {
        stand.at = stand.at.plus(after_ns);
        names.iter().map(|name| stand.hear(cancel(Nonce(START_NS + name))).0.len()).sum::<usize>()
    };
    assert_eq!(sent(0, &[7; 24]), 1);
    assert_eq!(sent(AGAIN_NS - 1, &[7, 8, 7, 8]), 1, "another order's is its own");
    assert_eq!(sent(1, &[7, 7]), 1, "it may have been lost");
    let many: Vec<u64> = (100..100 + CANCELLED as u64).collect();
    assert_eq!((sent(SEC, &many), sent(0, &many)), (CANCELLED, 0));
}
