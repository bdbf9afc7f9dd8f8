//! Exchange, world and feeds started as one, over real sockets: what they say agrees.

use fastwebsockets::{FragmentCollector, Frame, OpCode, Payload, Role, WebSocket};
use keel::exchange::Settings;
use keel::exchange::world::{Options, WorldSettings, spawn};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::future::Future;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(30), work).await.expect("within 30 s") })
}

/// Opens `ws://host:port/path`.
async fn open(url: &str) -> FragmentCollector<TcpStream> {
    let (server, path) = url.trim_start_matches("ws://").split_once('/').expect("a path");
    let mut stream = TcpStream::connect(server).await.expect("connects");
    let request = format!(
        "GET /{path} HTTP/1.1\r\nHost: {server}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.expect("writes");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("an upgrade reply"));
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
    FragmentCollector::new(WebSocket::after_handshake(stream, Role::Client))
}

async fn next(socket: &mut FragmentCollector<TcpStream>) -> Value {
    loop {
        let frame = socket.read_frame().await.expect("a frame");
        if frame.opcode == OpCode::Text {
            return serde_json::from_slice(&frame.payload).expect("json");
        }
    }
}

fn number(value: &Value) -> Decimal {
    value.as_str().expect("a decimal string").parse().expect("a number")
}

#[test]
fn one_call_starts_a_market_whose_parts_agree() {
    let options = Options::on_free_ports(Settings::default(), WorldSettings::demo(1, 30));
    let live = spawn(options).expect("free ports");
    let (exchange, external) = (live.exchange_ws_url(), format!("{}/ethusdc@bookTicker", live.binance_ws_url()));
    run(async {
        let mut venue = open(&exchange).await;
        let channels = json!(["ticker_slim.ETH-PERP.100", "trades.WEETH-USDC"]);
        let subscribe = json!({"id": 1, "method": "subscribe", "params": {"channels": channels}}).to_string();
        venue.write_frame(Frame::text(Payload::Owned(subscribe.into_bytes()))).await.expect("writes");
        let acknowledged = next(&mut venue).await;
        assert_eq!(acknowledged["result"]["current_subscriptions"].as_array().map(Vec::len), Some(2), "{acknowledged}");

        let mut book = open(&external).await;
        let (mut updates, mut last) = (0, 0);
        let mut mid = Decimal::ZERO;
        while updates < 20 {
            let update = next(&mut book).await;
            let id = update["u"].as_u64().expect("an update id");
            assert!(id > last, "ids grow");
            last = id;
            updates += 1;
            assert!(number(&update["b"]) < number(&update["a"]));
            mid = (number(&update["b"]) + number(&update["a"])) / Decimal::TWO;
        }

        let (mut ticker, mut trade) = (None, None);
        while ticker.is_none() || trade.is_none() {
            let frame = next(&mut venue).await;
            match frame["params"]["channel"].as_str() {
                Some("ticker_slim.ETH-PERP.100") => ticker = Some(frame["params"]["data"]["instrument_ticker"].clone()),
                Some("trades.WEETH-USDC") => trade = Some(frame["params"]["data"][0].clone()),
                _ => {}
            }
        }
        let (ticker, trade) = (ticker.expect("seen"), trade.expect("seen"));
        // Prices cannot have run half a percent in the meantime.
        let near = |a: Decimal, b: Decimal| (a / b - Decimal::ONE).abs() < Decimal::new(5, 3);
        assert!(near(number(&ticker["I"]), mid), "{} {mid}", ticker["I"]);
        assert!(near(number(&ticker["b"]), mid) && number(&ticker["b"]) < number(&ticker["a"]));
        assert_eq!(number(&ticker["f"]), Decimal::new(12, 5), "the demo opens with good carry");
        assert!(near(number(&trade["trade_price"]) / mid, Decimal::new(10_712, 4)), "{trade}");
    });
    let addresses = [live.exchange.local_addr, live.binance.local_addr(), live.chainlink.local_addr()];
    drop(live);
    for address in addresses {
        assert!(std::net::TcpStream::connect(address).is_err(), "{address} is still served");
    }
}
