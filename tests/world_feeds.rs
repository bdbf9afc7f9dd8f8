//! The feeds beside the venue, read by clients that know nothing of them: an alloy provider and a WebSocket client.

use alloy::primitives::{Address, U256, address};
use alloy::providers::{Provider, ProviderBuilder};
use alloy::rpc::types::{BlockNumberOrTag, TransactionRequest};
use alloy::sol;
use alloy::sol_types::SolCall;
use fastwebsockets::{FragmentCollector, Frame, OpCode, Payload, Role, WebSocket};
use keel::exchange::world::binance::{self, BookTicker};
use keel::exchange::world::chainlink::{self, FEEDS, LBTC_BTC_FEED, Round, SUSDE_USDE_FEED, WEETH_ETH_FEED};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

sol! {
    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80);
    function decimals() external view returns (uint8);
    function description() external view returns (string);
}

fn any() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(20), work).await.expect("within 20 s") })
}

fn ratios() -> [Vec<Round>; FEEDS] {
    let first = |answer| vec![Round { updated_s: 1_700_000_000, answer }];
    [Decimal::new(10_712, 4), Decimal::new(10_035, 4), Decimal::new(118, 2)].map(first)
}

/// Reads a feed the way any client does and returns (round id, answer, updated at, decimals, description).
async fn read(provider: &impl Provider, feed: Address) -> (U256, String, u64, u8, String) {
    let call = async |input: Vec<u8>| {
        provider.call(TransactionRequest::default().to(feed).input(input.into())).await.expect("an answer")
    };
    let round = latestRoundDataCall::abi_decode_returns(&call(latestRoundDataCall {}.abi_encode()).await).expect("abi");
    let decimals = decimalsCall::abi_decode_returns(&call(decimalsCall {}.abi_encode()).await).expect("abi");
    let text = descriptionCall::abi_decode_returns(&call(descriptionCall {}.abi_encode()).await).expect("abi");
    assert_eq!(round._0, round._4, "answered in its own round");
    (U256::from(round._0), round._1.to_string(), round._3.to::<u64>(), decimals, text)
}

#[test]
fn an_alloy_provider_reads_the_feeds() {
    let (serving, reporter) = chainlink::spawn(any(), 31_337, 1_700_000_000, ratios()).expect("a free port");
    let url = format!("http://{}/", serving.local_addr()).parse().expect("a url");
    run(async {
        // The HTTP client asks for a TLS provider of the process; who comes second finds it done.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let provider = ProviderBuilder::new().connect_http(url);
        assert_eq!(provider.get_chain_id().await.expect("chain id"), 31_337);

        let phase = U256::from(1) << 64;
        let weeth = read(&provider, WEETH_ETH_FEED).await;
        let expected = (phase + U256::from(1), "1071200000000000000".into(), 1_700_000_000, 18, "weETH / ETH".into());
        assert_eq!(weeth, expected);
        let lbtc = read(&provider, LBTC_BTC_FEED).await;
        assert_eq!(lbtc, (phase + U256::from(1), "100350000".into(), 1_700_000_000, 8, "LBTC / BTC".into()));

        let susde = read(&provider, SUSDE_USDE_FEED).await;
        let expected = (phase + U256::from(1), "1180000000000000000".into(), 1_700_000_000, 18, "sUSDe / USDe".into());
        assert_eq!(susde, expected);

        // 0.6 % on one feed: a round there, none on the other; the chain has grown by two blocks meanwhile.
        let first = provider.get_block_number().await.expect("a number");
        let later = [Decimal::new(107_765, 5), Decimal::new(10_036, 4), Decimal::new(118, 2)];
        reporter.report(1_700_000_030, later);
        let weeth = read(&provider, WEETH_ETH_FEED).await;
        assert_eq!((weeth.0, weeth.1.as_str(), weeth.2), (phase + U256::from(2), "1077650000000000000", 1_700_000_030));
        assert_eq!(read(&provider, LBTC_BTC_FEED).await.2, 1_700_000_000);
        assert_eq!(provider.get_block_number().await.expect("a number"), first + 2);
    });
}

#[test]
fn an_alloy_provider_reads_blocks_and_meets_errors() {
    let (serving, _reporter) = chainlink::spawn(any(), 1, 1_700_000_000, ratios()).expect("a free port");
    let url = format!("http://{}/", serving.local_addr()).parse().expect("a url");
    run(async {
        // The HTTP client asks for a TLS provider of the process; who comes second finds it done.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let provider = ProviderBuilder::new().connect_http(url);
        let head = provider.get_block_by_number(BlockNumberOrTag::Latest).await.expect("an answer").expect("a block");
        assert_eq!(head.header.number, provider.get_block_number().await.expect("a number"));
        assert_eq!(head.header.timestamp, 1_700_000_000);
        let beyond = BlockNumberOrTag::Number(head.header.number + 1);
        assert!(provider.get_block_by_number(beyond).await.expect("an answer").is_none());

        let nobody = address!("0x00000000000000000000000000000000000000aa");
        let request = TransactionRequest::default().to(nobody).input(decimalsCall {}.abi_encode().into());
        assert!(provider.call(request).await.expect("an answer").is_empty());
        let request = TransactionRequest::default().to(WEETH_ETH_FEED).input(vec![1, 2, 3, 4].into());
        let reverted = provider.call(request).await.expect_err("reverts");
        assert_eq!(reverted.as_error_resp().expect("a json-rpc error").code, 3);
        let refused = provider.get_gas_price().await.expect_err("not served");
        assert_eq!(refused.as_error_resp().expect("a json-rpc error").code, -32_601);
    });
}

/// A WebSocket client on a path of the external book.
async fn open(server: SocketAddr, path: &str) -> FragmentCollector<TcpStream> {
    let mut stream = TcpStream::connect(server).await.expect("connects");
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {server}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
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

async fn ask(socket: &mut FragmentCollector<TcpStream>, request: Value) -> Value {
    let text = request.to_string().into_bytes();
    socket.write_frame(Frame::text(Payload::Owned(text))).await.expect("writes");
    next(socket).await
}

fn ticker(symbol: &'static str, update_id: u64) -> BookTicker {
    let quote = |price| (Decimal::new(price, 2), Decimal::new(15, 1));
    BookTicker { symbol, update_id, bid: quote(300_012), ask: quote(300_013) }
}

#[test]
fn a_websocket_client_follows_the_external_book() {
    let (serving, publisher) = binance::spawn(any()).expect("a free port");
    let server = serving.local_addr();
    run(async {
        let mut raw = open(server, "/ws/ethusdc@bookTicker").await;
        let mut combined = open(server, "/stream?streams=ethusdc@bookTicker/btcusdc@bookTicker").await;
        // Answered, so both are subscribed before anything is published.
        let list = json!({"method": "LIST_SUBSCRIPTIONS", "id": 3});
        assert_eq!(ask(&mut raw, list.clone()).await, json!({"result": ["ethusdc@bookTicker"], "id": 3}));
        let both = json!(["ethusdc@bookTicker", "btcusdc@bookTicker"]);
        assert_eq!(ask(&mut combined, list).await, json!({"result": both, "id": 3}));

        publisher.publish(&ticker("BTCUSDC", 1));
        publisher.publish(&ticker("ETHUSDC", 2));
        let eth = json!({"u": 2, "s": "ETHUSDC", "b": "3000.12000000", "B": "1.50000000",
                         "a": "3000.13000000", "A": "1.50000000"});
        assert_eq!(next(&mut raw).await, eth, "bitcoin was not asked for");
        assert_eq!(next(&mut combined).await["stream"], "btcusdc@bookTicker");
        assert_eq!(next(&mut combined).await, json!({"stream": "ethusdc@bookTicker", "data": eth}));
    });
}

#[test]
fn a_websocket_client_subscribes_and_unsubscribes() {
    let (serving, publisher) = binance::spawn(any()).expect("a free port");
    let server = serving.local_addr();
    run(async {
        let mut socket = open(server, "/ws").await;
        let streams = json!(["btcusdc@bookTicker"]);
        let subscribe = json!({"method": "SUBSCRIBE", "params": streams, "id": 1});
        assert_eq!(ask(&mut socket, subscribe).await, json!({"result": null, "id": 1}));
        publisher.publish(&ticker("BTCUSDC", 7));
        assert_eq!(next(&mut socket).await["u"], 7);

        let unsubscribe = json!({"method": "UNSUBSCRIBE", "params": streams, "id": 2});
        assert_eq!(ask(&mut socket, unsubscribe).await, json!({"result": null, "id": 2}));
        publisher.publish(&ticker("BTCUSDC", 8));
        let refused = ask(&mut socket, json!({"method": "SHOUT", "id": 4})).await;
        assert_eq!((&refused["error"]["code"], &refused["id"]), (&json!(2), &json!(4)), "and no update in between");
    });
}

#[test]
fn pings_are_answered_and_floods_end_the_connection() {
    let (serving, _publisher) = binance::spawn(any()).expect("a free port");
    let server = serving.local_addr();
    run(async {
        let mut socket = open(server, "/ws").await;
        socket.write_frame(Frame::new(true, OpCode::Ping, None, Payload::Borrowed(b"keel"))).await.expect("writes");
        let pong = socket.read_frame().await.expect("a frame");
        assert_eq!((pong.opcode, &pong.payload[..]), (OpCode::Pong, &b"keel"[..]));

        // Binance ends a connection after five messages in a second; fifty fall into one second on any machine.
        for id in 0..50 {
            let text = format!(r#"{{"method":"LIST_SUBSCRIPTIONS","id":{id}}}"#).into_bytes();
            if socket.write_frame(Frame::text(Payload::Owned(text))).await.is_err() {
                break;
            }
        }
        let mut answered = 0;
        while let Ok(frame) = socket.read_frame().await {
            if frame.opcode == OpCode::Close {
                break;
            }
            answered += 1;
        }
        assert!(answered < 50, "{answered}");
    });
}

#[test]
fn dropping_a_feed_frees_its_port() {
    let (serving, _publisher) = binance::spawn(any()).expect("a free port");
    let address = serving.local_addr();
    assert!(binance::spawn(address).is_err(), "taken");
    drop(serving);
    assert!(std::net::TcpStream::connect(address).is_err(), "closed");
}
