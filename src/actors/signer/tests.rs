//! The brake and the link: what stops signing, and what becomes of deeds whose signatures never come.

use super::link::{In, Link, LinkOut};
use super::*;
use crate::actors::risk::option_stage::Stage as RiskStage;
use crate::base::ids::{Name, SubaccountId};
use crate::base::num::Price;
use crate::derive::dialect::LOCAL;
use crate::derive::seal::envelope::{FenceLimits, FenceTerms};
use crate::derive::seal::wire::{Answer, Ask};
use crate::derive::seal::{Charter, PackageSeal};
use crate::engine::journal::Replay;
use crate::engine::ports::ANSWER_BYTES;
use crate::engine::switch::Words;
use crate::msg::{Product, RfqStatus};
use crate::risk::order::Granted;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

#[test]
fn refusals_up_to_the_limit_are_borne_and_the_next_stops() {
    let mut brake = Brake::new(Switch::local(), 3);
    for _ in 0..2 {
        brake.note(Breach::Price);
        assert_eq!((brake.check(), brake.news()), (Ok(()), None));
    }
    for why in Breach::ALL.into_iter().filter(|breach| !breach.is_fault()) {
        brake.note(why);
        assert_eq!(brake.check(), Ok(()), "what is used up, or late, is no fault: {why:?}");
    }
    brake.note(Breach::Price);
    assert_eq!(brake.check(), Err(Breach::Halted));
    assert_eq!((brake.news(), brake.news()), (Some(Breach::Halted), None), "said once");
    brake.note(Breach::Nonce);
    assert_eq!(brake.check(), Err(Breach::Halted), "the first cause stays");
}

#[test]
fn a_nonce_that_goes_back_stops_at_once() {
    let mut brake = Brake::new(Switch::local(), 100);
    brake.note(Breach::Nonce);
    assert_eq!((brake.check(), brake.news()), (Err(Breach::Nonce), Some(Breach::Nonce)));
}

#[test]
fn the_switch_stops_and_nothing_releases_it() {
    let switch = Switch::local();
    let mut brake = Brake::new(switch.clone(), 100);
    assert_eq!(brake.check(), Ok(()));
    switch.throw();
    assert!(!switch.is_acknowledged(), "nobody has looked yet");
    assert_eq!((brake.check(), brake.news()), (Err(Breach::Stopped), Some(Breach::Stopped)));
    assert!(switch.is_acknowledged());
}

/// A switch's words where anybody may write.
#[derive(Default)]
struct Page([AtomicU32; 2]);

impl Words for Page {
    fn thrown(&self) -> &AtomicU32 {
        &self.0[0]
    }

    fn heard(&self) -> &AtomicU32 {
        &self.0[1]
    }
}

#[test]
fn a_switch_that_is_thrown_back_undoes_nothing_and_a_halted_signer_still_answers() {
    let page = Arc::new(Page::default());
    let mut brake = Brake::new(Switch::over(page.clone()), 1);
    brake.note(Breach::Price);
    page.thrown().store(1, Ordering::Release);
    assert_eq!((brake.check(), page.heard().load(Ordering::Acquire)), (Err(Breach::Halted), 1));
    let page = Arc::new(Page::default());
    let mut brake = Brake::new(Switch::over(page.clone()), 1);
    page.thrown().store(7, Ordering::Release);
    assert_eq!(brake.check(), Err(Breach::Stopped));
    page.thrown().store(0, Ordering::Release);
    assert_eq!(brake.check(), Err(Breach::Stopped));
}

/// An execution as risk grants it, and when.
fn granted() -> (Execution, Nanos) {
    let mut stage = RiskStage::new(Product::ShortCallSpread, "0");
    let name = stage.ask("5").asked().expect("sent");
    stage.rfq(name, RfqStatus::Open);
    stage.quote(1, "5", "10");
    let said = stage.deal("5");
    let execution = said.orders.iter().find_map(|granted| match granted {
        Granted::Execution(execution) => Some(*execution),
        _ => None,
    });
    (execution.expect("granted"), stage.at)
}

/// A link with one execution under way.
struct Scene {
    link: Link,
    execution: Execution,
    at: Nanos,
}

impl Scene {
    fn new() -> Scene {
        let (execution, at) = granted();
        let mut scene = Scene { link: Link::default(), execution, at };
        let said = scene.hear(In::Granted(Granted::Execution(execution)));
        let ask = Ask::read(&said.ask.expect("asked"));
        assert_eq!(ask, Some(Ask::Package(PackageDeed::of(&execution))));
        scene
    }

    fn hear(&mut self, message: In<'_>) -> LinkOut {
        let mut said = LinkOut::default();
        self.link.on(self.at, message, &mut said);
        said
    }

    fn answer(&mut self, answer: &Answer) -> LinkOut {
        self.hear(In::Answer(&answer.write()))
    }

    /// What is said about the next ticks: why nothing is signed any more, and which deeds come back.
    fn ticks(&mut self) -> Vec<Report> {
        let mut reports = Vec::new();
        for _ in 0..3 {
            let said = self.hear(In::Tick);
            assert!(said.out.sealed.is_empty() && said.ask.is_none());
            reports.extend(said.out.refusals.iter().map(|report| report.body));
        }
        reports
    }

    fn returned(&self, why: Breach) -> Report {
        let (nonce, request) = (self.execution.nonce(), Request::Execute);
        Report::Unsent { nonce, request, why: Unsent::Withheld(why) }
    }

    fn seal(&self) -> PackageSeal {
        let names = self.execution.deal().legs.map(|_| crate::base::ids::Name::default());
        PackageSeal { names, max_fee: Price::ONE, signature: [3; 65] }
    }
}

#[test]
fn what_comes_back_is_put_to_its_execution_once() {
    let mut scene = Scene::new();
    let (nonce, seal) = (scene.execution.nonce(), scene.seal());
    let said = scene.answer(&Answer::Package { nonce, seal });
    let sealed: Vec<_> = said.out.sealed.iter().collect();
    let [Sealed::Execution(signed)] = sealed[..] else { panic!("one execution") };
    assert_eq!((signed.execution(), signed.signature()), (&scene.execution, &[3; 65]));
    assert_eq!(scene.ticks(), []);
    let said = scene.answer(&Answer::Package { nonce, seal });
    assert!(said.out.sealed.is_empty(), "an answer to nothing");
    assert_eq!(scene.ticks(), [Report::SignerDown { why: Breach::Lost }]);
}

#[test]
fn a_refusal_comes_back_as_such_and_a_stop_is_passed_on_once() {
    let mut scene = Scene::new();
    let nonce = scene.execution.nonce();
    let said = scene.answer(&Answer::Refused { nonce, why: Breach::Price });
    let bodies: Vec<Report> = said.out.refusals.iter().map(|report| report.body).collect();
    assert_eq!(bodies, [scene.returned(Breach::Price)]);
    for expected in [1, 0] {
        let said = scene.answer(&Answer::Down { why: Breach::Halted });
        assert_eq!(said.out.refusals.iter().count(), expected);
    }
    assert_eq!(scene.ticks(), []);
}

#[test]
fn whatever_breaks_the_link_gives_every_deed_back_and_ends_signing() {
    type Break = fn(&mut Scene);
    let breaks: [(&str, Break); 6] = [
        ("the process is gone", |scene| {
            scene.hear(In::Gone);
        }),
        ("an answer to nothing", |scene| {
            scene.answer(&Answer::Refused { nonce: Nonce(1), why: Breach::Price });
        }),
        ("no message at all", |scene| {
            scene.hear(In::Answer(&[0xff; ANSWER_BYTES]));
        }),
        ("silence", |scene| scene.at = scene.at.plus(SEC + 1)),
        ("an execution answered after the end", |scene| {
            scene.hear(In::Gone);
            let (nonce, seal) = (scene.execution.nonce(), scene.seal());
            assert!(scene.answer(&Answer::Package { nonce, seal }).out.sealed.is_empty());
        }),
        ("somebody else's signature", |scene| {
            let seal = scene.seal();
            scene.answer(&Answer::Package { nonce: Nonce(1), seal });
        }),
    ];
    for (name, happen) in breaks {
        let mut scene = Scene::new();
        happen(&mut scene);
        let down = Report::SignerDown { why: Breach::Lost };
        assert_eq!(scene.ticks(), [down, scene.returned(Breach::Lost)], "{name}");
        let said = scene.hear(In::Granted(Granted::Execution(scene.execution)));
        let bodies: Vec<Report> = said.out.refusals.iter().map(|report| report.body).collect();
        assert_eq!((bodies, said.ask.is_none()), (vec![scene.returned(Breach::Lost)], true), "{name}");
    }
}

#[test]
fn an_order_answered_as_another_kind_is_given_back_at_once() {
    let mut scene = Scene::new();
    let nonce = scene.execution.nonce();
    let said = scene.answer(&Answer::Order { nonce, signature: [3; 65] });
    let bodies: Vec<Report> = said.out.refusals.iter().map(|report| report.body).collect();
    assert_eq!((bodies, said.out.sealed.is_empty()), (vec![scene.returned(Breach::Lost)], true));
    assert_eq!(scene.ticks(), [Report::SignerDown { why: Breach::Lost }]);
}

/// A journal's records beside a key that signs nothing of weight.
#[derive(Clone, Default)]
struct Diary(Arc<Mutex<Replay>>);

impl Store for Diary {
    fn append(&mut self, record: &[u8]) {
        self.0.lock().expect("one thread").visit(record);
    }
}

impl Key for Diary {
    fn sign(&mut self, _: &[u8; 32]) -> [u8; 65] {
        [0; 65]
    }

    fn address(&self) -> Address {
        [1; 20]
    }
}

#[test]
fn a_signer_that_stops_writes_it_down_itself_unless_the_journal_is_why() {
    let ends = [
        (None, Some(StopReason::Asked)),
        (Some(Breach::Lost), Some(StopReason::SignerDown)),
        (Some(Breach::Journal), None),
    ];
    for (why, noted) in ends {
        let (subaccount, diary, switch) = (SubaccountId(7), Diary::default(), Switch::local());
        let base = Name::new("WEETH").expect("short");
        let limits = FenceLimits::CLOSED;
        let fence =
            FenceTerms { vault: VaultId(0), subaccount, base, perp: None, options: None, limits, capital: None };
        let past = Replay::default();
        let charter = Charter { dialect: &LOCAL, owner: [2; 20], fences: vec![fence], past: &past, contract: None };
        let sealer = Sealer::new(charter, [], diary.clone(), diary.clone());
        let mut signer = Signer::new(Guarded::new(sealer, Brake::new(switch.clone(), 1)));
        match why {
            None => switch.throw(),
            Some(why) => signer.stop(why),
        }
        signer.on(Nanos(SEC), super::In::Tick, &mut Out::default());
        let stance = diary.0.lock().expect("one thread").notes().stance(subaccount);
        assert_eq!(stance, noted.map(|why| Stance { at: Nanos(SEC), stopped: Some(why) }));
    }
}
