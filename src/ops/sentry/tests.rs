//! The sentry against a venue that answers as told: when it cancels, for how long, and when it must not.

use super::beat::{Beat, State};
use super::guard::{Guard, In, Out, Terms, Why, Word};
use super::*;
use crate::base::ids::SubaccountId;
use crate::base::time::MS;
use crate::engine::ports::{DownReason, Event};
use serde_json::{Value, json};

const OURS: [u8; 20] = [9; 20];
const START: Nanos = Nanos(1_000 * SEC);
const SUBS: [SubaccountId; 2] = [SubaccountId(7), SubaccountId(8)];

struct OneKey;

impl Key for OneKey {
    fn sign(&mut self, _: &[u8; 32]) -> [u8; 65] {
        [1; 65]
    }

    fn address(&self) -> [u8; 20] {
        [2; 20]
    }
}

/// A sentry, the orders that rest at its venue, and what it said.
struct Scene {
    guard: Guard<OneKey>,
    at: Nanos,
    resting: Vec<(SubaccountId, u64, [u8; 20])>,
    cancels: usize,
    words: Vec<Word>,
    /// Cancels do nothing.
    deaf: bool,
    count: u64,
}

fn row((subaccount, nonce, signer): &(SubaccountId, u64, [u8; 20])) -> Value {
    let signer = alloy_primitives::hex::encode_prefixed(signer);
    json!({ "subaccount_id": subaccount.0, "order_id": format!("id-{nonce}"), "nonce": nonce.to_string(),
            "signer": signer, "order_status": "open" })
}

impl Scene {
    fn new() -> Scene {
        let terms = Terms { wallet: [1; 20], subaccounts: SUBS.to_vec(), silence_ns_max: 3 * SEC };
        let guard = Guard::new(START, terms, Badge::new(OneKey));
        let mut scene =
            Scene { guard, at: START, resting: Vec::new(), cancels: 0, words: Vec::new(), deaf: false, count: 0 };
        scene.hear(In::Wire(Event::Up { attempt: 1 }));
        assert_eq!(scene.words, [Word::Watching]);
        scene
    }

    fn hear(&mut self, message: In<'_>) {
        let mut out = Out::default();
        self.guard.on(self.at, message, &mut out);
        self.words.extend(out.words);
        for text in out.texts {
            let answer = self.answer(&serde_json::from_slice(&text).expect("JSON"));
            let answer = answer.to_string();
            self.hear(In::Wire(Event::Text(answer.as_bytes())));
        }
    }

    fn answer(&mut self, text: &Value) -> Value {
        let of = |sub: &SubaccountId| text["params"]["subaccount_id"] == sub.0;
        let result = match text["method"].as_str().expect("a method") {
            "public/login" => json!([7, 8]),
            "subscribe" => json!({ "status": {} }),
            "private/cancel_all" => {
                self.cancels += 1;
                let deaf = self.deaf;
                self.resting.retain(|(sub, ..)| deaf || !of(sub));
                json!("ok")
            }
            "private/get_open_orders" => {
                json!({ "orders": self.resting.iter().filter(|order| of(&order.0)).map(row).collect::<Vec<_>>() })
            }
            other => panic!("a sentry never says {other}"),
        };
        json!({ "id": text["id"], "result": result })
    }

    fn tick(&mut self, ns: u64) {
        self.at = self.at.plus(ns);
        self.hear(In::Tick);
    }

    fn beat(&mut self, change: impl FnOnce(&mut Beat)) {
        self.count += 1;
        let mut beat = Beat {
            run: START,
            count: self.count,
            at: self.at,
            nonce: 100,
            signer: OURS,
            state: State::Running,
            halted: 0,
        };
        change(&mut beat);
        self.hear(In::Beat(&beat));
    }

    /// An order shows up at the venue.
    fn place(&mut self, order: (SubaccountId, u64, [u8; 20])) {
        self.resting.push(order);
        let news = json!({ "method": "subscription", "params": { "channel": "x.orders", "data": [row(&order)] } });
        let news = news.to_string();
        self.hear(In::Wire(Event::Text(news.as_bytes())));
    }

    fn clearing(&self) -> Vec<Why> {
        self.words
            .iter()
            .filter_map(|word| if let Word::Clearing { why, .. } = word { Some(*why) } else { None })
            .collect()
    }
}

#[test]
fn while_the_engine_lives_nothing_is_touched() {
    let mut scene = Scene::new();
    scene.beat(|_| ());
    scene.place((SUBS[0], 99, OURS));
    for _ in 0..1_000 {
        scene.tick(100 * MS);
        scene.beat(|_| ());
    }
    assert_eq!((scene.cancels, scene.resting.len(), scene.words.len()), (0, 1, 2), "{:?}", scene.words);
}

#[test]
fn after_three_seconds_of_silence_everything_goes_and_stays_gone() {
    let mut scene = Scene::new();
    scene.beat(|_| ());
    scene.place((SUBS[0], 99, OURS));
    scene.place((SUBS[1], 98, OURS));
    scene.tick(3 * SEC - MS);
    assert_eq!(scene.cancels, 0);
    scene.tick(MS);
    assert_eq!((scene.cancels, scene.resting.len()), (2, 0));
    assert_eq!(scene.clearing(), [Why::Silent; 2]);
    let clear = scene.words.iter().filter(|word| matches!(word, Word::Clear { after_ns: 0, .. })).count();
    assert_eq!(clear, 2);
    // One that was still on its way is found by the next look.
    scene.resting.push((SUBS[1], 97, OURS));
    scene.tick(SEC);
    scene.tick(200 * MS);
    assert_eq!((scene.cancels, scene.resting.len()), (3, 0));
    let cancels = scene.cancels;
    scene.beat(|_| ());
    scene.place((SUBS[0], 100, OURS));
    for _ in 0..50 {
        scene.tick(100 * MS);
        scene.beat(|_| ());
    }
    assert_eq!((scene.cancels, scene.resting.len()), (cancels, 1), "the engine is back");
}

#[test]
fn it_asks_again_and_again_within_the_venues_budget_until_the_venue_says_zero() {
    let mut scene = Scene::new();
    scene.deaf = true;
    scene.place((SUBS[0], 99, OURS));
    scene.tick(3 * SEC);
    let mut asked = Vec::new();
    for _ in 0..200 {
        let before = scene.cancels;
        scene.tick(50 * MS);
        asked.extend(std::iter::repeat_n(scene.at, scene.cancels - before));
    }
    assert!(asked.len() >= 8, "{}", asked.len());
    assert!(asked.windows(6).all(|six| six[5].since(six[0]) > 4_900 * MS), "more than five in five seconds");
    scene.deaf = false;
    (0..200).for_each(|_| scene.tick(50 * MS));
    assert!(scene.resting.is_empty() && scene.words.iter().any(|word| matches!(word, Word::Clear { .. })));
}

#[test]
fn a_connection_lost_in_the_middle_changes_nothing_about_what_must_go() {
    let mut scene = Scene::new();
    scene.place((SUBS[0], 99, OURS));
    scene.hear(In::Wire(Event::Down(DownReason::Silent)));
    assert_eq!(scene.words.last(), Some(&Word::VenueLost));
    scene.tick(5 * SEC);
    assert_eq!((scene.cancels, scene.resting.len()), (0, 1));
    scene.hear(In::Wire(Event::Up { attempt: 2 }));
    (0..20).for_each(|_| scene.tick(100 * MS));
    assert!(scene.resting.is_empty());
}

#[test]
fn a_halted_vault_alone_is_cleared_and_an_end_is_believed_only_if_flat() {
    let mut scene = Scene::new();
    scene.beat(|_| ());
    scene.place((SUBS[0], 99, OURS));
    scene.place((SUBS[1], 98, OURS));
    scene.beat(|beat| beat.halted = 0b10);
    scene.tick(MS);
    assert_eq!((scene.clearing(), scene.resting.len()), (vec![Why::Halted], 1));
    scene.beat(|beat| beat.state = State::Abandoned);
    scene.tick(MS);
    (0..20).for_each(|_| scene.tick(100 * MS));
    assert_eq!((scene.clearing(), scene.resting.len()), (vec![Why::Halted, Why::Abandoned], 0));
    let cancels = scene.cancels;
    scene.beat(|beat| (beat.run, beat.state) = (START.plus(1), State::Ended));
    (0..100).for_each(|_| scene.tick(100 * MS));
    assert_eq!((scene.words.last(), scene.cancels), (Some(&Word::Ended), cancels), "it may be silent now");
    scene.place((SUBS[0], 5, OURS));
    scene.tick(MS);
    assert_eq!(scene.clearing().last(), Some(&Why::Foreign), "nobody lives who could have placed it");
    assert!(scene.resting.is_empty());
}

#[test]
fn foreign_orders_are_those_of_other_keys_and_names_the_engine_never_gave() {
    let mut scene = Scene::new();
    scene.beat(|_| ());
    scene.place((SUBS[0], 101, OURS)); // named by a later beat
    scene.beat(|beat| beat.nonce = 101);
    (0..30).for_each(|_| {
        scene.tick(100 * MS);
        scene.beat(|beat| beat.nonce = 101);
    });
    assert_eq!(scene.clearing(), []);
    scene.place((SUBS[1], 7, [8; 20]));
    assert!(matches!(scene.words.last(), Some(Word::Foreign(order)) if order.nonce == 7), "another key");
    scene.tick(MS);
    assert_eq!((scene.clearing(), scene.resting.len()), (vec![Why::Foreign], 1), "its subaccount alone is cleared");
    scene.place((SUBS[0], 500, OURS));
    for _ in 0..11 {
        scene.tick(100 * MS);
        scene.beat(|beat| beat.nonce = 102);
    }
    scene.tick(MS);
    assert_eq!(scene.clearing(), [Why::Foreign; 2], "our key, but a name we never gave");
    assert!(scene.resting.is_empty());
    let cancels = scene.cancels;
    (0..50).for_each(|_| {
        scene.tick(100 * MS);
        scene.beat(|beat| beat.nonce = 102);
    });
    assert_eq!(scene.cancels, cancels, "done when the foreign orders are gone");
}
