use super::*;
use crate::actors::risk::{CapitalNews, Sample, Stats};
use crate::base::ids::{Nonce, VaultId};
use crate::io::key::LocalKey;
use crate::msg::{CapitalWish, Phase};
use std::cell::RefCell;
use std::rc::Rc;

const VAULT: VaultId = VaultId(1);

struct Nobody;

impl CapitalDesk for Nobody {
    fn ask(&mut self, _: CapitalWish) -> bool {
        false
    }
}

fn pace() -> Pace {
    let ms = Duration::from_millis;
    Pace { look: ms(1), silent_max: ms(1_000), again: ms(1), again_max: ms(3), stop_max: ms(1) }
}

fn look(phase: Phase) -> Notice {
    Notice::Sample { vault: VAULT, sample: Sample { phase, ..Sample::default() }, stats: Stats::default() }
}

fn line() -> (Line, Receiver<Event>) {
    let (mut line, events) = Line::open(Ears::new(VAULT, true));
    line.hear(&Notice::Settlement { vault: VAULT, unsettled: 0 });
    (line, events)
}

fn phase(event: Option<Event>) -> Option<Phase> {
    match event {
        Some(Event::Moment(moment)) => Some(moment.phase),
        _ => None,
    }
}

#[test]
fn a_moment_is_told_when_it_changes_and_news_of_capital_always() {
    let (mut line, mut events) = line();
    line.hear(&look(Phase::CollateralOnly));
    line.hear(&look(Phase::CollateralOnly));
    line.hear(&look(Phase::OptionAuction));
    assert_eq!(phase(events.try_recv().ok()), Some(Phase::CollateralOnly));
    assert_eq!(phase(events.try_recv().ok()), Some(Phase::OptionAuction));
    for _ in 0..2 {
        line.hear(&Notice::Capital { vault: VAULT, news: CapitalNews::Settled { nonce: Nonce(7) } });
        assert!(matches!(events.try_recv(), Ok(Event::Capital(_))));
    }
    line.hang_up();
    line.hear(&look(Phase::CollateralOnly));
    assert!(events.blocking_recv().is_none(), "nothing more is said");
}

#[test]
fn a_moment_that_found_no_room_is_told_with_the_next_look() {
    let (mut line, mut events) = line();
    for _ in 0..=EVENTS {
        line.hear(&Notice::Capital { vault: VAULT, news: CapitalNews::Unnamed });
    }
    line.hear(&look(Phase::OptionAuction));
    while events.try_recv().is_ok_and(|event| matches!(event, Event::Capital(_))) {}
    line.hear(&look(Phase::OptionAuction));
    assert_eq!(phase(events.try_recv().ok()), Some(Phase::OptionAuction));
}

#[tokio::test]
async fn a_keeper_that_cannot_begin_is_begun_anew_ever_later_until_it_is_dismissed() {
    let (line, events) = line();
    let (line, lives) = (Rc::new(RefCell::new(line)), Rc::new(RefCell::new(0)));
    let (hung, counted) = (Rc::clone(&line), Rc::clone(&lives));
    let make = move || -> Result<Task<LocalKey, Nobody>, String> {
        *counted.borrow_mut() += 1;
        // What is said between two lives is not lost, and the end is heard there too.
        hung.borrow_mut().hear(&look(Phase::CollateralOnly));
        if *counted.borrow() == 4 {
            hung.borrow_mut().hang_up();
        }
        Err("its key: gone".to_owned())
    };
    let shared = Shared::default();
    Service { make, pace: pace(), shared: shared.clone() }.run(events).await;
    let standing = standing(&shared);
    assert_eq!((*lives.borrow(), standing.restarts), (4, 4));
    let pauses = ["0.001", "0.002", "0.003"].map(|s| format!("its key: gone; it begins anew in {s} s"));
    assert_eq!(standing.alarms, pauses, "one that repeats is said once");
}
