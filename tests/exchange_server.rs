//! The embedded exchange over real sockets: HTTP and WebSocket, spoken by hand so that nothing of the engine helps.

use keel::exchange::server::{Options, Running, spawn};
use keel::exchange::{AccountSeed, Exchange, Network, Settings, TimeInForce};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

fn serve(settings: Settings) -> Running {
    let listen = "127.0.0.1:0".parse().expect("address");
    spawn(Options { listen, settings, world: None, authority: None, core: None }).expect("binds")
}

fn connect(running: &Running) -> TcpStream {
    let socket = TcpStream::connect(running.local_addr).expect("connects");
    socket.set_read_timeout(Some(Duration::from_secs(20))).expect("timeout");
    socket
}

fn post(running: &Running, path: &str, body: &str) -> (u16, Value) {
    post_as(running, path, "", body)
}

fn post_as(running: &Running, path: &str, headers: &str, body: &str) -> (u16, Value) {
    let mut socket = connect(running);
    let head =
        format!("POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}content-type: application/json\r\n");
    let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
    socket.write_all(request.as_bytes()).expect("writes");
    let mut reply = String::new();
    socket.read_to_string(&mut reply).expect("reads");
    let status = reply.split(' ').nth(1).and_then(|s| s.parse().ok()).expect("status");
    let body = reply.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

/// A WebSocket client in a page: masks with zero, reads unfragmented text.
struct Socket(TcpStream);

impl Socket {
    fn open(running: &Running, path: &str) -> Socket {
        let mut socket = connect(running);
        let upgrade = "upgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-version: 13\r\n";
        let key = "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n{upgrade}{key}\r\n");
        socket.write_all(request.as_bytes()).expect("writes");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            socket.read_exact(&mut byte).expect("reads");
            head.push(byte[0]);
        }
        assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
        Socket(socket)
    }

    fn send(&mut self, text: &str) {
        let mut frame = vec![0x81];
        if text.len() < 126 {
            frame.push(0x80 | text.len() as u8);
        } else {
            frame.push(0x80 | 126);
            frame.extend((text.len() as u16).to_be_bytes());
        }
        frame.extend([0; 4]);
        frame.extend(text.as_bytes());
        self.0.write_all(&frame).expect("writes");
    }

    fn frame(&mut self) -> Option<Value> {
        let mut head = [0; 2];
        self.0.read_exact(&mut head).ok()?;
        let extra = match head[1] & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mut length = [0; 8];
        self.0.read_exact(&mut length[8 - extra..]).ok()?;
        let length = if extra == 0 { u64::from(head[1] & 0x7f) } else { u64::from_be_bytes(length) };
        let mut payload = vec![0; length as usize];
        self.0.read_exact(&mut payload).ok()?;
        (head[0] & 0xf == 1).then(|| serde_json::from_slice(&payload).expect("json"))
    }

    fn call(&mut self, method: &str, params: Value) -> Value {
        self.send(&json!({ "id": 1, "method": method, "params": params }).to_string());
        loop {
            let frame = self.frame().expect("a frame");
            if frame.get("id").is_some() {
                return frame;
            }
        }
    }
}

/// The headers that prove an account's session key, with this prefix.
fn proof(account: &AccountSeed, prefix: &str) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let stamp = now.as_millis().to_string();
    let secret = alloy_primitives::hex::decode(&account.session_key_hex).expect("hex");
    let key = k256::ecdsa::SigningKey::from_slice(&secret).expect("a key");
    let digest = alloy_primitives::eip191_hash_message(stamp.as_bytes());
    let signed = key.sign_prehash_recoverable(digest.as_slice()).expect("signs");
    let signature = alloy_primitives::hex::encode_prefixed(alloy_primitives::Signature::from(signed).as_bytes());
    format!("{prefix}Wallet: {}\r\n{prefix}Timestamp: {stamp}\r\n{prefix}Signature: {signature}\r\n", account.wallet)
}

#[test]
fn each_dialect_has_its_own_paths_and_headers() {
    for (network, ours, theirs, nested) in
        [(Network::Local, "X-Derive", "X-Lyra", 200), (Network::V2Mainnet, "X-Lyra", "X-Derive", 404)]
    {
        let settings = Settings { network, ..Settings::default() };
        let account = settings.accounts[0].clone();
        let running = serve(settings);
        let body = json!({ "wallet": account.wallet.to_string() }).to_string();
        let ask = |prefix: &str| post_as(&running, "/private/get_account", &proof(&account, prefix), &body).1;
        assert_eq!(ask(ours)["result"]["wallet"], account.wallet.to_string(), "{network:?}");
        assert_eq!(ask(theirs)["error"]["code"], 14021, "{network:?}");
        assert_eq!(post(&running, "/v3/public/get_time", "{}").0, nested, "{network:?}");
        Socket::open(&running, "/ws");
        running.join();
    }
}

#[test]
fn both_paths_answer_over_http_and_websocket() {
    let running = serve(Settings::default());
    for path in ["/public/get_all_live_instruments", "/v3/public/get_all_live_instruments"] {
        let (status, reply) = post(&running, path, "{}");
        assert_eq!((status, reply["result"].as_array().map(Vec::len)), (200, Some(7)), "{path}");
    }
    let (_, unknown) = post(&running, "/v3/public/nothing", "{}");
    assert_eq!(unknown["error"]["code"], -32601);
    let (_, anonymous) = post(&running, "/v3/private/get_account", "{}");
    assert_eq!(anonymous["error"]["code"], 14021);
    for path in ["/ws", "/v3/ws"] {
        let mut socket = Socket::open(&running, path);
        let time = socket.call("public/get_time", json!({}));
        assert!(time["result"].as_u64().is_some_and(|ms| ms > 1_700_000_000_000), "{time}");
    }
    running.join();
}

#[test]
fn listeners_hear_of_house_trades_and_of_the_book() {
    let running = serve(Settings::default());
    let mut socket = Socket::open(&running, "/v3/ws");
    let channels = json!({ "channels": ["trades.ETH-PERP", "orderbook.ETH-PERP.1.10", "ticker_slim.ETH-PERP.100"] });
    socket.call("subscribe", channels);
    let traded = running.with(|ex: &mut Exchange, at, out| {
        ex.set_spot("ETH", Decimal::from(4000), at);
        let (a, b) = (ex.house_account("a", &[]), ex.house_account("b", &[]));
        let (price, amount) = (Decimal::from(4000), Decimal::from(2));
        ex.house_order(a, "ETH-PERP", false, price, amount, TimeInForce::Gtc, at, out).expect("rests");
        ex.house_order(b, "ETH-PERP", true, price, Decimal::ONE, TimeInForce::Ioc, at, out).expect("takes").filled
    });
    assert_eq!(traded, Some(Decimal::ONE));
    let (mut trade, mut book, mut ticker) = (false, false, false);
    while !(trade && book && ticker) {
        let frame = socket.frame().expect("a notification");
        let data = &frame["params"]["data"];
        match frame["params"]["channel"].as_str() {
            Some("trades.ETH-PERP") => trade = data[0]["trade_amount"] == "1",
            Some("orderbook.ETH-PERP.1.10") => book |= data["asks"] == json!([["4000", "1"]]),
            Some("ticker_slim.ETH-PERP.100") => ticker |= data["instrument_ticker"]["A"] == "1",
            _ => {}
        }
    }
    running.join();
}

#[test]
fn too_many_connections_are_turned_away() {
    let running = serve(Settings { connections_max: 1, ..Settings::default() });
    let mut first = Socket::open(&running, "/ws");
    first.call("public/get_time", json!({}));
    let mut second = Socket::open(&running, "/ws");
    assert_eq!(second.call("public/get_time", json!({}))["error"]["code"], -32100);
    assert!(first.call("public/get_time", json!({}))["result"].is_u64(), "the first is not disturbed");
    running.join();
}

#[test]
fn a_stopped_exchange_lets_go_of_its_address() {
    let running = serve(Settings::default());
    let address = running.local_addr;
    running.join();
    assert!(TcpStream::connect(address).is_err());
}
