//! Whatever an engine, a contract and a node say, and in whatever order: a vault's signer keeps its promises.

use alloy::primitives::{Address, B256, Bytes, U256};
use keel::chain::feed::FeedState;
use keel::chain::lane::{Call, Head, Inclusion, Limits, Seen, SendFault, Step};
use keel::chain::presign::Presign;
use keel::chain::presign::words::{
    Action, Event, Facts, Held, RefreshTerms, Request, Shadow, SignedPrice, Terms, Ticket, Word,
};
use keel::chain::refusal::Refusal;
use proptest::prelude::*;
use std::collections::BTreeSet;

const GENESIS_S: u64 = 1_800_000_000;
const FEE_WEI_MAX: u128 = 5_000_000_000;
const FEED: Address = Address::repeat_byte(0xfe);
/// Oldest price the feed answers with, and least time between two asked for, seconds.
const HEARTBEAT_S: u64 = 60;
const PAUSE_S: u64 = 4;

/// What can happen; small numbers, so that things meet.
#[derive(Clone, Copy, Debug)]
enum Happening {
    Sign { ticket: u8, life_s: u64 },
    Release(u8),
    Revoke(u8),
    Unsettled(u8),
    Recovered(Option<u8>),
    Shadow { ticket: u8, passed: bool },
    Facts { last: u8, live: bool, listed: bool, stopped: bool, age_s: Option<u64> },
    Price { age_s: Option<u64> },
    Head { more: u64 },
    Counts { mined: u64, ahead: u64 },
    Sent { nonce: u64, hash: u8, fault: u8 },
    Receipt { nonce: u64, hash: u8, succeeded: bool },
    NoReceipt { nonce: u64 },
}

fn happening() -> impl Strategy<Value = Happening> {
    let ticket = || 1..4_u8;
    let nonce = || 0..4_u64;
    let age = || proptest::option::weighted(0.9, 0..HEARTBEAT_S + 20);
    prop_oneof![
        4 => (ticket(), prop_oneof![Just(200), Just(600)]).prop_map(|(ticket, life_s)| Happening::Sign { ticket, life_s }),
        1 => ticket().prop_map(Happening::Release),
        1 => ticket().prop_map(Happening::Revoke),
        2 => prop_oneof![4 => Just(0), 1 => Just(1_u8)].prop_map(Happening::Unsettled),
        1 => proptest::option::of(ticket()).prop_map(Happening::Recovered),
        4 => (ticket(), prop::bool::weighted(0.8)).prop_map(|(ticket, passed)| Happening::Shadow { ticket, passed }),
        4 => (ticket(), any::<bool>(), prop::bool::weighted(0.9), prop::bool::weighted(0.1), age())
            .prop_map(|(last, live, listed, stopped, age_s)| Happening::Facts { last, live, listed, stopped, age_s }),
        3 => age().prop_map(|age_s| Happening::Price { age_s }),
        4 => prop_oneof![6 => 0..3_u64, 1 => 100..300_u64].prop_map(|more| Happening::Head { more }),
        2 => (nonce(), 0..3_u64).prop_map(|(mined, ahead)| Happening::Counts { mined, ahead }),
        3 => (nonce(), 1..5_u8, 0..6_u8).prop_map(|(nonce, hash, fault)| Happening::Sent { nonce, hash, fault }),
        3 => (nonce(), 1..5_u8, prop::bool::weighted(0.8))
            .prop_map(|(nonce, hash, succeeded)| Happening::Receipt { nonce, hash, succeeded }),
        2 => nonce().prop_map(|nonce| Happening::NoReceipt { nonce }),
    ]
}

/// The signer and what a bystander has noted.
struct Watch {
    presign: Presign,
    block: u64,
    unsettled: Option<u8>,
    facts: Option<Facts>,
    passed: BTreeSet<u8>,
    nonces: BTreeSet<u64>,
    halted: bool,
    /// When the newest price sent to the feed was signed, and when the next may be asked for.
    brought_s: u64,
    price_due_s: u64,
}

impl Watch {
    fn new() -> Watch {
        let vault = Address::repeat_byte(7);
        let terms = Terms {
            vault,
            sign_gas: 1,
            revoke_gas: 1,
            life_s_min: 310,
            idle_blocks_max: 50,
            feed: Some(FEED),
            feed_spare_s: 6,
            refresh: Some(RefreshTerms { age_bps_max: 5_000, pause_s: PAUSE_S, gas: 1 }),
        };
        let limits = Limits {
            bump_after_blocks: 3,
            final_after_blocks: 10,
            tip_wei: 1_000_000_000,
            fee_wei_max: FEE_WEI_MAX,
            balance_wei_min: U256::ZERO,
        };
        Watch {
            presign: Presign::new(Address::repeat_byte(1), terms, limits),
            block: 100,
            unsettled: None,
            facts: None,
            passed: BTreeSet::new(),
            nonces: BTreeSet::new(),
            halted: false,
            brought_s: 0,
            price_due_s: 0,
        }
    }

    fn now_s(&self) -> u64 {
        GENESIS_S + 2 * self.block
    }

    fn event(&mut self, happening: Happening) -> Event {
        match happening {
            Happening::Sign { ticket, life_s } => Event::Sign(Request {
                ticket: Ticket(ticket.into()),
                digest: B256::repeat_byte(ticket),
                expiry_s: self.now_s() + life_s,
                calldata: Bytes::from(vec![ticket]),
            }),
            Happening::Release(ticket) => Event::Release(Ticket(ticket.into())),
            Happening::Revoke(ticket) => Event::Revoke(Ticket(ticket.into())),
            Happening::Unsettled(count) => {
                self.unsettled = Some(count);
                Event::Unsettled(count.into())
            }
            Happening::Recovered(ticket) => Event::Recovered(ticket.map(|ticket| Held {
                ticket: Ticket(ticket.into()),
                digest: B256::repeat_byte(ticket),
                expiry_s: self.now_s() + 600,
            })),
            Happening::Shadow { ticket, passed } => {
                let shadow = if passed { Shadow::Passed } else { Shadow::Reverted(Refusal::Bare) };
                if passed {
                    self.passed.insert(ticket);
                }
                Event::Shadow(Ticket(ticket.into()), shadow)
            }
            Happening::Facts { last, live, listed, stopped, age_s } => {
                let last_seen = B256::repeat_byte(last);
                let signed_s = age_s.map(|age_s| self.now_s() - age_s);
                let feed = Some(FeedState { signed_s, heartbeat_s: HEARTBEAT_S });
                let facts =
                    Facts { last_seen, live, listed, disabled: stopped, blocked: false, feed, block: self.block };
                self.facts = Some(facts);
                Event::Facts(facts)
            }
            Happening::Price { age_s } => {
                let price = age_s.map(|age_s| self.now_s() - age_s);
                let whole = |signed_s: u64| SignedPrice { signed_s, calldata: signed_s.to_be_bytes().into() };
                Event::Price(price.map(whole).ok_or_else(|| "none".to_owned()))
            }
            Happening::Head { more } => {
                self.block += more;
                let head = Head { number: self.block, time_s: self.now_s(), base_fee_wei: 1_000_000_000 };
                Event::Node(Seen::Head(head))
            }
            Happening::Counts { mined, ahead } => Event::Node(Seen::Counts { mined, pending: mined + ahead }),
            Happening::Sent { nonce, hash, fault } => {
                let fault = match fault {
                    0 => Some(SendFault::Known),
                    1 => Some(SendFault::NonceLow),
                    2 => Some(SendFault::Underpriced),
                    _ => None,
                };
                Event::Node(Seen::Sent { nonce, hash: B256::repeat_byte(hash), fault })
            }
            Happening::Receipt { nonce, hash, succeeded } => {
                let inclusion = Inclusion { block: self.block, block_hash: B256::ZERO, succeeded };
                Event::Node(Seen::Receipt { nonce, found: Some((B256::repeat_byte(hash), inclusion)) })
            }
            Happening::NoReceipt { nonce } => Event::Node(Seen::Receipt { nonce, found: None }),
        }
    }

    fn hear(&mut self, happening: Happening) {
        let event = self.event(happening);
        let mut actions = Vec::new();
        self.presign.on(event, &mut actions);
        assert!(actions.len() < 32, "{happening:?} set off {actions:?}");
        for action in &actions {
            match action {
                Action::Lane(Step::Send { nonce, call, fees }) => {
                    assert!(fees.max_wei <= FEE_WEI_MAX && fees.tip_wei <= fees.max_wei);
                    if self.nonces.insert(*nonce) && call.is_some() {
                        let last = self.nonces.iter().next_back();
                        assert_eq!(last, Some(nonce), "a nonce is left out or taken twice");
                        self.first_sent(call.as_ref().expect("a call"));
                    }
                }
                Action::Say(Word::Signed { digest, .. }) => {
                    let facts = self.facts.expect("facts");
                    assert!(
                        facts.live && facts.last_seen == *digest && !facts.disabled,
                        "said to be signed: {facts:?}"
                    );
                    assert!(!self.halted, "signed when halted");
                }
                Action::AskPrice => {
                    assert!(self.now_s() >= self.price_due_s, "asked for a price too soon");
                    self.price_due_s = self.now_s() + PAUSE_S;
                }
                Action::Say(Word::Refreshed { signed_s }) => {
                    let held_s = self.facts.and_then(|facts| facts.feed?.signed_s);
                    assert!(held_s >= Some(*signed_s), "said to be refreshed, and holds {held_s:?}");
                }
                Action::Say(Word::Halted(_)) => self.halted = true,
                _ => {}
            }
        }
        if let Some((_, expiry_s)) = self.presign.live() {
            assert!(self.now_s() <= expiry_s || !matches!(happening, Happening::Head { .. }), "live past its expiry");
        }
    }

    /// Holds of every call sent for the first time; what is sent again was allowed before.
    fn first_sent(&mut self, call: &Call) {
        assert!(!self.halted, "sent when halted");
        if call.to == FEED {
            let signed_s = u64::from_be_bytes(call.data[..].try_into().expect("a price of ours"));
            assert!(self.brought_s < signed_s, "brought twice, or older than before");
            self.brought_s = signed_s;
            return;
        }
        assert_eq!(self.unsettled, Some(0), "sent while something is unsettled");
        if let [ticket] = call.data[..] {
            assert!(self.passed.contains(&ticket), "sent without a shadow call");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn promises_hold_whatever_happens(happenings in prop::collection::vec(happening(), 1..120)) {
        let mut watch = Watch::new();
        for happening in happenings {
            watch.hear(happening);
        }
    }

    #[test]
    fn promises_hold_after_a_clean_start(happenings in prop::collection::vec(happening(), 1..120)) {
        let mut watch = Watch::new();
        let clean = Happening::Facts { last: 9, live: false, listed: true, stopped: false, age_s: Some(10) };
        let start = [Happening::Head { more: 0 }, Happening::Counts { mined: 0, ahead: 0 }, Happening::Unsettled(0),
            Happening::Recovered(None), clean, Happening::Sign { ticket: 1, life_s: 600 },
            Happening::Shadow { ticket: 1, passed: true }];
        for happening in start.into_iter().chain(happenings) {
            watch.hear(happening);
        }
        prop_assert!(watch.nonces.contains(&0), "the first wish was sent");
    }
}
