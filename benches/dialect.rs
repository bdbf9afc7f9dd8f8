//! Cost of understanding a frame, hashing an order and writing a request, each beside the usual way of doing it.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use keel::base::ids::{Nonce, Side, SubaccountId};
use keel::base::num::{Amount, Price};
use keel::derive::action::Envelope;
use keel::derive::action::trade::{OrderFrame, OrderTemplate, OrderTerms, Trade};
use keel::derive::decode::{Decoder, ExternalDecoder, Vocabulary};
use keel::derive::dialect::MAINNET;
use keel::derive::encode::order::{OrderForm, OrderRequests, OrderWire, Replaced};
use keel::msg::TimeInForce;
use serde::Deserialize;

const TICKER: &str = r#"{"method":"subscription","params":{"channel":"ticker_slim.ETH-PERP.100","data":{"timestamp":1779953796714,"instrument_ticker":{"t":1779953796714,"A":"1.505","a":"1992.37","B":"1.505","b":"1992.36","f":"0.0000125","I":"1991.79","M":"1992.49","maxp":"2032.33","minp":"1953.45","option_pricing":null,"stats":{"c":"3088.047","h":"2093.59","l":"1971.4","n":2599,"oi":"4248.342","p":"-0.045","pr":"6248579.356","v":"6249174.098"}}}}}"#;
const ORDER: &str = r#"{"method":"subscription","params":{"channel":"42.orders","data":[{"subaccount_id":42,"order_id":"6a6eed97-b882-4909-a7ac-566fe99577e1","instrument_name":"ETH-PERP","direction":"buy","label":"1763683200000000002","quote_id":null,"creation_timestamp":1763683200000,"last_update_timestamp":1763683200000,"limit_price":"2568.89","amount":"0.1","filled_amount":"0.1","average_price":"2568.89","order_fee":"0.087052743622","order_type":"limit","time_in_force":"ioc","order_status":"filled","max_fee":"1000","extra_fee":"0","signature_expiry_sec":1763683500,"signer":"0x86042886b1063625d0b3ddcc9e4cbcf912b79e16","signature":"0x1111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111","nonce":"1763683200000000002","cancel_reason":"","mmp":false,"is_transfer":false,"replaced_order_id":null}]}}"#;
const BOOK_TICKER: &str =
    r#"{"u":400900217,"s":"ETHUSDC","b":"2535.19000000","B":"31.21000000","a":"2536.52000000","A":"40.66000000"}"#;

fn book(levels: u32) -> String {
    let side = |first: u32, sign: i64| {
        let level = |n: u32| format!(r#"["{}.25","{}.125"]"#, i64::from(first) + sign * i64::from(n), n + 1);
        (0..levels).map(level).collect::<Vec<_>>().join(",")
    };
    format!(
        r#"{{"method":"subscription","params":{{"channel":"orderbook.ETH-PERP.1.{levels}","data":{{"instrument_name":"ETH-PERP","publish_id":9582,"timestamp":1779607319268,"bids":[{}],"asks":[{}]}}}}}}"#,
        side(3500, -1),
        side(3501, 1)
    )
}

#[derive(Deserialize)]
struct Notification<'a, T> {
    #[serde(borrow)]
    params: Params<'a, T>,
}

#[derive(Deserialize)]
struct Params<'a, T> {
    channel: &'a str,
    data: T,
}

#[derive(Deserialize)]
struct TickerData<'a> {
    #[serde(borrow)]
    instrument_ticker: TickerFields<'a>,
}

#[derive(Deserialize)]
#[allow(non_snake_case)]
struct TickerFields<'a> {
    t: u64,
    a: &'a str,
    A: &'a str,
    b: &'a str,
    B: &'a str,
    f: Option<&'a str>,
    I: &'a str,
    M: &'a str,
    minp: &'a str,
    maxp: &'a str,
}

#[derive(Deserialize)]
struct BookData<'a> {
    timestamp: u64,
    #[serde(borrow)]
    bids: Vec<[&'a str; 2]>,
    #[serde(borrow)]
    asks: Vec<[&'a str; 2]>,
}

fn number(text: &str) -> Price {
    Price::observed(text.as_bytes()).expect("number")
}

fn peer_ticker(frame: &[u8]) -> (usize, u64, [Price; 8], Option<Price>) {
    let read: Notification<'_, TickerData<'_>> = serde_json::from_slice(frame).expect("ticker");
    let fields = read.params.data.instrument_ticker;
    let numbers = [fields.a, fields.A, fields.b, fields.B, fields.I, fields.M, fields.minp, fields.maxp].map(number);
    (read.params.channel.len(), fields.t, numbers, fields.f.map(number))
}

fn peer_book(frame: &[u8]) -> (usize, u64, Price) {
    let read: Notification<'_, BookData<'_>> = serde_json::from_slice(frame).expect("book");
    let sides = [&read.params.data.bids, &read.params.data.asks];
    let sum = sides.into_iter().flatten().flatten().map(|text| number(text)).sum();
    (read.params.channel.len(), read.params.data.timestamp, sum)
}

fn decode(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode");
    let mut decoder = Decoder::new(Vocabulary::new(["ETH-PERP", "ETH-USDC", "BTC-PERP"], ["USDC", "ETH"]));
    let books = [book(1), book(10), book(20)];
    let frames = [
        ("ticker", TICKER),
        ("book_1", &books[0]),
        ("book_10", &books[1]),
        ("book_20", &books[2]),
        ("order_update", ORDER),
    ];
    for (name, frame) in frames {
        group.bench_function(name, |b| b.iter(|| decoder.decode(black_box(frame.as_bytes())).expect("reads").len()));
        assert_eq!(decoder.fallbacks(), 0);
    }
    let mut slow = Decoder::new(Vocabulary::new(["ETH-PERP"], ["USDC"]));
    group.bench_function("ticker/tape", |b| {
        b.iter(|| slow.decode_slowly(black_box(TICKER.as_bytes())).expect("reads").len());
    });
    group.bench_function("ticker/serde_json", |b| b.iter(|| peer_ticker(black_box(TICKER.as_bytes()))));
    group.bench_function("book_10/serde_json", |b| b.iter(|| peer_book(black_box(books[1].as_bytes()))));
    let mut external = ExternalDecoder::new(["ETHUSDC"]);
    group.bench_function("book_ticker", |b| {
        b.iter(|| external.decode(black_box(BOOK_TICKER.as_bytes())).expect("reads"))
    });
    group.finish();
}

fn terms() -> OrderTerms {
    OrderTerms {
        price: "2568.89".parse().expect("price"),
        amount: "0.1".parse().expect("amount"),
        max_fee: "2.411812".parse().expect("fee"),
        side: Side::Buy,
        nonce: Nonce(1_763_683_200_000_000_001),
        expiry_sec: 1_763_683_800,
    }
}

fn digest(c: &mut Criterion) {
    let mut group = c.benchmark_group("digest");
    let frame = OrderFrame {
        asset: [0xaf; 20],
        sub_id: 0,
        subaccount: SubaccountId(75_723),
        owner: [0x11; 20],
        signer: [0x22; 20],
    };
    let mut template = OrderTemplate::new(&MAINNET, &frame);
    let mut order = terms();
    group.bench_function("template", |b| {
        b.iter(|| {
            order.nonce.0 += 1;
            template.digest(black_box(&order))
        });
    });
    group.bench_function("cold", |b| {
        b.iter(|| {
            order.nonce.0 += 1;
            let trade = Trade {
                asset: frame.asset,
                sub_id: frame.sub_id,
                limit_price: order.price.into(),
                amount: order.amount.into(),
                max_fee: order.max_fee.into(),
                recipient: frame.subaccount,
                side: order.side,
            };
            let envelope = Envelope {
                subaccount: frame.subaccount,
                nonce: order.nonce,
                module: MAINNET.modules.trade,
                expiry_sec: order.expiry_sec,
                owner: frame.owner,
                signer: frame.signer,
            };
            envelope.digest(&MAINNET.domain_separator, &trade.data().expect("scaled"))
        });
    });
    group.finish();
}

fn peer_order(order: &OrderWire<'_>) -> Vec<u8> {
    let nonce = order.terms.nonce.0.to_string();
    serde_json::to_vec(&serde_json::json!({
        "id": format!("o{nonce}"), "method": "private/order",
        "params": {
            "subaccount_id": 75_723, "instrument_name": "ETH-PERP", "signer": "0xa7", "order_type": "limit",
            "nonce": nonce, "label": nonce, "signature": alloy_primitives::hex::encode_prefixed(order.signature),
            "signature_expiry_sec": order.terms.expiry_sec, "reject_timestamp": order.reject_after_ms,
            "direction": order.terms.side.wire(), "time_in_force": "gtc", "mmp": order.mmp,
            "reduce_only": order.reduce_only, "amount": order.terms.amount.to_string(),
            "limit_price": order.terms.price.to_string(), "max_fee": order.terms.max_fee.to_string(),
        }
    }))
    .expect("json")
}

fn encode(c: &mut Criterion) {
    let mut group = c.benchmark_group("encode");
    let signature = [0x5a; 65];
    let mut order = OrderWire {
        terms: terms(),
        tif: TimeInForce::Gtc,
        mmp: true,
        reduce_only: false,
        reject_after_ms: 1_763_683_205_000,
        signature: &signature,
    };
    let mut requests = OrderRequests::new(SubaccountId(75_723), "ETH-PERP", &OrderForm::v3([0xa7; 20])).expect("plain");
    group.bench_function("order", |b| {
        b.iter(|| {
            order.terms.nonce.0 += 1;
            requests.order(black_box(&order)).expect("fits").len()
        });
    });
    group.bench_function("replace", |b| {
        b.iter(|| {
            order.terms.nonce.0 += 1;
            let old = Replaced::Nonce(Nonce(order.terms.nonce.0 - 1));
            requests.replace(black_box(&order), old, Some(Amount::ZERO)).expect("fits").len()
        });
    });
    group.bench_function("cancel_by_nonce", |b| {
        b.iter(|| {
            order.terms.nonce.0 += 1;
            requests.cancel(black_box(order.terms.nonce)).expect("fits").len()
        });
    });
    group.bench_function("order/serde_json", |b| b.iter(|| peer_order(black_box(&order)).len()));
    group.finish();
}

criterion_group!(benches, decode, digest, encode);
criterion_main!(benches);
