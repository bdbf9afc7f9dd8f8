//! Each stage by itself: decode, price, check, sign, encode.

use crate::basis_vault::{EXTERNAL, INSTRUMENTS, amount, blueprint, key_of, ratio, vault_account};
use crate::pipeline_mandates as mandates;
use crate::stand_in::StandIn;
use alloy_primitives::I256;
use criterion::Criterion;
use keel::account::ledger::{Book, Ledger};
use keel::account::order::LiveOrder;
use keel::actors::pricing::{In, ModelOf, Out, Pricing};
use keel::base::ids::{Epoch, InstrumentId, Nonce, Side};
use keel::base::num::{Amount, Cash, Price, Ratio};
use keel::base::time::{Nanos, SEC};
use keel::derive::decode::{Decoder, ExternalDecoder, Heard, Vocabulary};
use keel::derive::encode::order::{OrderForm, OrderRequests, OrderWire, Replaced};
use keel::derive::seal::OrderDeed;
use keel::engine::actor::Actor;
use keel::engine::ports::Key;
use keel::exchange::{Exchange, Settings};
use keel::io::key::LocalKey;
use keel::io::store::{Layout as Pages, PageStore};
use keel::market::fair::Fair;
use keel::msg::{
    Cause, Life, Mark, Market, MarketMsg, Mode, Purpose, RatioRound, Snapshot, TimeInForce, Trace, Value, Wish,
};
use keel::ops::blueprint::{BasisPlan, Blueprint, PlanKind};
use keel::risk::checks::Case;
use keel::risk::mandate::ema::MarkLoss;
use keel::risk::order::Order;
use keel::risk::wall::basis as basis_wall;
use keel::risk::{Grant, approve};
use secp256k1_sys as secp;
use std::hint::black_box;
use std::time::Instant;

const AT: Nanos = Nanos(1_800_000_000 * SEC);

fn plan() -> (Blueprint, LocalKey) {
    let account = vault_account();
    let settings = Settings { accounts: vec![account.clone()], ..Settings::default() };
    (blueprint(&mut Exchange::new(settings, AT), AT, &account), key_of(&account))
}

/// All stages.
pub fn stages(c: &mut Criterion) {
    let (blueprint, key) = plan();
    let mut venue = StandIn::new(101, INSTRUMENTS);
    decode(c, &mut venue);
    price(c, &blueprint, &mut venue);
    check(c, &blueprint);
    mandate(c, &blueprint);
    sign(c, &blueprint, key);
    encode(c, &blueprint);
}

fn decoder() -> Decoder {
    Decoder::new(Vocabulary::new(INSTRUMENTS, ["USDC", "WEETH"]))
}

fn decode(c: &mut Criterion, venue: &mut StandIn) {
    let mut group = c.benchmark_group("decode");
    let mut decoder = decoder();
    let ten = venue.book(1, AT.ms()).to_owned();
    let levels = |text: &str| text.replace(",[", "\u{0}").split('\u{0}').count();
    assert_eq!(levels(&ten), 19);
    let one = format!(
        r#"{{"method":"subscription","params":{{"channel":"orderbook.{0}.1.10","data":{{"instrument_name":"{0}","publish_id":7,"timestamp":{1},"bids":[["3200","1.25"]],"asks":[["3213.2","1.5"]]}}}}}}"#,
        INSTRUMENTS[0],
        AT.ms()
    );
    for (name, text) in [("ticker", venue.ticker(1, AT.ms()).to_owned()), ("book_1", one), ("book_10", ten)] {
        group.bench_function(name, |b| b.iter(|| decoder.decode(black_box(text.as_bytes())).expect("reads").len()));
    }
    assert_eq!(decoder.fallbacks(), 0);
    let text = venue.external(EXTERNAL, 1).to_owned();
    let mut external = ExternalDecoder::new([EXTERNAL]);
    group.bench_function("external", |b| b.iter(|| external.decode(black_box(text.as_bytes())).expect("reads")));
    group.finish();
}

/// What the frames of the standing market say.
fn facts(venue: &mut StandIn) -> Vec<Market> {
    let mut decoder = decoder();
    let texts = [venue.ticker(0, AT.ms()).to_owned(), venue.ticker(1, AT.ms()).to_owned()];
    let mut facts: Vec<Market> = Vec::new();
    for text in texts {
        for heard in decoder.decode(text.as_bytes()).expect("reads") {
            let Heard::Market(fact) = heard else { panic!("a market fact") };
            facts.push(*fact);
        }
    }
    let quote = ExternalDecoder::new([EXTERNAL]).decode(venue.external(EXTERNAL, 1).as_bytes());
    facts.push(Market::External(quote.expect("reads").expect("a quote")));
    facts.push(Market::Ratio(RatioRound { feed: 0, ratio: ratio("1.0712"), updated_at: AT, read_at: AT, past: None }));
    facts
}

fn basis(blueprint: &Blueprint) -> (&Book, &BasisPlan) {
    let vault = &blueprint.vaults[0];
    match &vault.kind {
        PlanKind::Basis(plan) => (&vault.book, plan),
        PlanKind::Options(_) => unreachable!("the vault of the benchmark is a basis vault"),
    }
}

fn price(c: &mut Criterion, blueprint: &Blueprint, venue: &mut StandIn) {
    let mut group = c.benchmark_group("price");
    let facts = facts(venue);
    let (book, plan) = basis(blueprint);
    let mut fair = Fair::new(plan.base_model);
    let perp = book.perp.expect("a basis vault");
    let models = [(book.base, ModelOf::Fair(plan.base_model)), (perp, ModelOf::Fair(plan.perp_model))];
    let mut actor = Pricing::new(models, 0, Vec::new());
    let mut out = Out::default();
    let mut hear = |actor: &mut Pricing, body: Market| {
        actor.on(AT, In::Market(MarketMsg { trace: Trace::from_frame(Cause::Market, AT), body }), &mut out);
        out.drain().fold(Price::ZERO, |sum, value| sum + value.fair)
    };
    for fact in facts {
        hear(&mut actor, fact);
        match fact {
            Market::Ticker(ticker) if ticker.instrument == book.base => fair.on_ticker(AT, &ticker),
            Market::External(quote) => fair.on_external(AT, &quote),
            Market::Ratio(round) => fair.on_ratio(&round),
            _ => false,
        };
    }
    assert!(fair.opinion(AT).guards.is_clear());
    group.bench_function("opinion", |b| b.iter(|| black_box(&fair).opinion(black_box(AT))));
    let mut decoder = decoder();
    let books = [1, 2].map(|k| match decoder.decode(venue.book(k, AT.ms()).as_bytes()).expect("reads")[0] {
        Heard::Market(fact) => fact,
        _ => panic!("a book"),
    });
    let mut turn = 0;
    group.bench_function("actor_on_book", |b| {
        b.iter(|| {
            turn += 1;
            hear(&mut actor, books[turn % 2])
        });
    });
    group.finish();
}

/// A vault at rest with one quote out, about to be replaced.
struct Desk {
    ledger: Ledger,
    values: [Value; 2],
    resting: LiveOrder,
}

fn value(blueprint: &Blueprint, place: usize, mark: &str) -> Value {
    let mark: Price = mark.parse().expect("literal");
    Value {
        instrument: blueprint.instruments[place].id,
        fair: mark,
        mark,
        index: mark,
        ask: mark,
        band_low: mark.scale(ratio("0.98"), keel::base::num::Rounding::Floor),
        band_high: mark.scale(ratio("1.02"), keel::base::num::Rounding::Floor),
        priced_at: AT,
        good_until: AT.plus(SEC),
        ..Value::default()
    }
}

fn wish(blueprint: &Blueprint, price: &str) -> Wish {
    Wish {
        instrument: blueprint.instruments[0].id,
        side: Side::Buy,
        price: price.parse().expect("literal"),
        amount: amount("1"),
        tif: TimeInForce::PostOnly,
        reduce_only: false,
        purpose: Purpose::Quote,
    }
}

fn desk(blueprint: &Blueprint) -> Desk {
    let book = blueprint.vaults[0].book;
    let mut ledger = Ledger::new(book);
    let begin = Snapshot::Begin {
        subaccount: book.subaccount,
        initial_margin: Cash::ZERO,
        maintenance_margin: Cash::ZERO,
        value: Cash::ZERO,
        liquidation: false,
    };
    let base = Snapshot::Collateral { currency: book.base_currency, amount: Cash::whole(100) };
    for part in [begin, base, Snapshot::End { asked_at: AT }] {
        ledger.on_snapshot(AT, &part, Cash::ONE);
    }
    let resting = LiveOrder {
        nonce: Nonce(AT.0),
        vault: book.vault,
        subaccount: book.subaccount,
        wish: wish(blueprint, "3213.19"),
        replaces: None,
        life: Life::Open,
        booked: Amount::ZERO,
        final_filled: None,
        approved_at: AT,
        reject_after: AT.plus(SEC),
        expires_at: AT.plus(600 * SEC),
        cancel_asked_at: Nanos::ZERO,
    };
    ledger.reserve(resting);
    Desk { ledger, values: [value(blueprint, 0, "3213.6"), value(blueprint, 1, "3000")], resting }
}

fn case<'a>(blueprint: &'a Blueprint, desk: &'a Desk) -> Case<'a> {
    Case {
        at: AT,
        wish: wish(blueprint, "3213.5"),
        replaced: Some(&desk.resting),
        ledger: &desk.ledger,
        limits: &basis(blueprint).1.limits,
        instrument: Some(&blueprint.instruments[0]),
        base: &desk.values[0],
        perp: &desk.values[1],
        mode: Mode::Live,
        session_up: true,
        contract_free: None,
        loss_ema: Ratio::ZERO,
        mark_loss: MarkLoss { ema: I256::ONE, last_s: AT.secs() - 60 },
        inherited_loss: MarkLoss { ema: I256::ONE, last_s: AT.secs() - 60 },
        budget_left: 100,
        fills_last_minute: 3,
        venue_offset_ns: Some(0),
        key_expires_at: Nanos::MAX,
        meets_another: false,
    }
}

/// The mandate's whole verdict on a quote: the contract's arithmetic at both ends of the drift it keeps to.
fn mandate(c: &mut Criterion, blueprint: &Blueprint) {
    let desk = desk(blueprint);
    let case = case(blueprint, &desk);
    assert_eq!(basis_wall::verdict(&case), Ok(()));
    c.bench_function("mandate/basis_quote", |b| b.iter(|| basis_wall::verdict(black_box(&case))));
    mandates::option_vaults(c);
}

fn grant(nonce: u64) -> Grant {
    Grant { nonce: Nonce(nonce), epoch: Epoch(0), trace: Trace::from_frame(Cause::Market, AT), ended: None }
}

fn check(c: &mut Criterion, blueprint: &Blueprint) {
    let desk = desk(blueprint);
    let case = case(blueprint, &desk);
    let mut nonce = AT.0;
    c.bench_function("check/approve_replace", |b| {
        b.iter(|| {
            nonce += 1;
            approve(black_box(&case), grant(nonce)).expect("granted")
        });
    });
}

fn granted(blueprint: &Blueprint, from: u64, count: u64) -> Vec<Order> {
    let desk = desk(blueprint);
    let case = case(blueprint, &desk);
    (from..from + count).map(|nonce| approve(&case, grant(nonce)).expect("granted").0).collect()
}

fn sign(c: &mut Criterion, blueprint: &Blueprint, mut key: LocalKey) {
    let mut group = c.benchmark_group("sign");
    let digest = [0x5au8; 32];
    group.bench_function("libsecp_floor", |b| {
        let secret = [0x11u8; 32];
        // SAFETY: the context is made here, used by this thread alone and destroyed at the end; the buffers have the
        // sizes libsecp256k1 names, and the secret is inside the group's order.
        unsafe {
            let context = secp::secp256k1_context_create(secp::SECP256K1_START_SIGN);
            let mut signature = secp::recovery::RecoverableSignature::new();
            b.iter(|| {
                secp::recovery::secp256k1_ecdsa_sign_recoverable(
                    context.as_ptr(),
                    &mut signature,
                    black_box(&digest).as_ptr(),
                    secret.as_ptr(),
                    secp::secp256k1_nonce_function_rfc6979,
                    std::ptr::null(),
                )
            });
            secp::secp256k1_context_destroy(context);
        }
    });
    group.bench_function("key", |b| b.iter(|| key.sign(black_box(&digest))));
    let folder = tempfile::tempdir().expect("a folder");
    let store = PageStore::open(&folder.path().join("journal"), Pages::default(), &mut |_, _| ()).expect("a journal").0;
    let mut sealer = blueprint.sealer(key, store);
    sealer.mark(&Mark { instrument: InstrumentId(0), price: "3213.6".parse().expect("literal"), at: AT });
    let mut nonce = AT.0;
    group.bench_function("seal", |b| {
        b.iter_custom(|iters| {
            let orders = granted(blueprint, nonce, iters);
            nonce += iters;
            let started = Instant::now();
            for order in &orders {
                assert!(black_box(sealer.seal_deed(AT, &OrderDeed::of(order))).is_ok());
            }
            started.elapsed()
        });
    });
    group.finish();
    drop(sealer);
}

fn encode(c: &mut Criterion, blueprint: &Blueprint) {
    let subaccount = blueprint.vaults[0].book.subaccount;
    let mut requests =
        OrderRequests::new(subaccount, INSTRUMENTS[0], &OrderForm::v3([0x22; 20])).expect("a plain name");
    let order = granted(blueprint, AT.0 + 1, 1).remove(0);
    let signature = [0x5a; 65];
    let mut wire = OrderWire {
        terms: keel::derive::action::trade::OrderTerms {
            price: order.price(),
            amount: order.amount(),
            max_fee: order.max_fee(),
            side: order.side(),
            nonce: order.nonce(),
            expiry_sec: order.expires_s(),
        },
        tif: order.tif(),
        mmp: true,
        reduce_only: false,
        reject_after_ms: order.reject_ms(),
        signature: &signature,
    };
    c.bench_function("encode/replace", |b| {
        b.iter(|| {
            wire.terms.nonce.0 += 1;
            let old = Replaced::Nonce(Nonce(wire.terms.nonce.0 - 1));
            requests.replace(black_box(&wire), old, Some(Amount::ZERO)).expect("fits").len()
        });
    });
}
