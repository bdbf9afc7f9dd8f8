//! An external book: Binance's spot WebSocket streams, `bookTicker` only, on loopback.
//!
//! Raw streams live under `/ws/<stream>[/<stream>…]`, combined ones under `/stream?streams=<stream>[/<stream>…]`;
//! either takes `SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, `SET_PROPERTY` and `GET_PROPERTY`. As at Binance, a
//! peer that reads too slowly misses updates, and one that writes more than five messages a second is disconnected.

use super::serving::Serving;
use axum::Router;
use axum::body::Bytes;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, broadcast};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

/// Updates a slow peer may fall behind before it misses some.
const BACKLOG_UPDATES: usize = 256;
/// Streams one connection may hold (Binance: 1024).
const STREAMS_MAX: usize = 1_024;
/// Messages a peer may send in one second (Binance: 5).
const INCOMING_PER_S_MAX: u32 = 5;
/// Largest message a peer may send.
const INCOMING_BYTES_MAX: usize = 64 << 10;
/// Connections at one time.
const CONNECTIONS_MAX: usize = 64;
/// Time between pings of the server (Binance: 20 s).
const PING_EVERY: Duration = Duration::from_secs(20);
/// Silence after which a peer is dropped (Binance: 60 s).
const PONG_WITHIN: Duration = Duration::from_secs(60);
/// Time a peer may take to accept one message.
const SEND_WITHIN: Duration = Duration::from_secs(5);

/// Best bid and offer of one symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BookTicker {
    /// Symbol in capitals, such as `ETHUSDC`.
    pub symbol: &'static str,
    /// Number of the book's update; grows.
    pub update_id: u64,
    /// Best bid price and amount.
    pub bid: (Decimal, Decimal),
    /// Best ask price and amount.
    pub ask: (Decimal, Decimal),
}

impl BookTicker {
    /// The payload of Binance's `<symbol>@bookTicker` stream: eight decimals throughout.
    pub fn json(&self) -> String {
        let (b, bq, a, aq) = (fixed(self.bid.0), fixed(self.bid.1), fixed(self.ask.0), fixed(self.ask.1));
        format!(r#"{{"u":{},"s":"{}","b":"{b}","B":"{bq}","a":"{a}","A":"{aq}"}}"#, self.update_id, self.symbol)
    }

    /// The stream's name, such as `ethusdc@bookTicker`.
    pub fn stream(&self) -> String {
        format!("{}@bookTicker", self.symbol.to_lowercase())
    }
}

fn fixed(mut value: Decimal) -> Decimal {
    value.rescale(8);
    value
}

/// One update as peers receive it, encoded once for all of them.
#[derive(Clone, Debug)]
struct Update {
    stream: Arc<str>,
    raw: Utf8Bytes,
    combined: Utf8Bytes,
}

/// Where the world publishes.
#[derive(Clone, Debug)]
pub struct Publisher {
    updates: broadcast::Sender<Update>,
}

impl Publisher {
    /// Sends an update to every subscribed peer; never waits.
    pub fn publish(&self, ticker: &BookTicker) {
        if self.updates.receiver_count() == 0 {
            return;
        }
        let (stream, raw) = (ticker.stream(), ticker.json());
        let combined = format!(r#"{{"stream":"{stream}","data":{raw}}}"#);
        // Fails only when the last peer has just left.
        let _ = self.updates.send(Update { stream: stream.into(), raw: raw.into(), combined: combined.into() });
    }
}

/// Starts the server on `listen` (port 0 picks a free port).
pub fn spawn(listen: SocketAddr) -> std::io::Result<(Serving, Publisher)> {
    let (updates, _) = broadcast::channel(BACKLOG_UPDATES);
    let publisher = Publisher { updates };
    let hub = Hub { publisher: publisher.clone(), places: Arc::new(Semaphore::new(CONNECTIONS_MAX)) };
    let router = Router::new()
        .route("/ws", get(open_bare))
        .route("/ws/{*streams}", get(open_raw))
        .route("/stream", get(open_combined))
        .with_state(hub);
    Ok((Serving::spawn("binance-feed", listen, router)?, publisher))
}

#[derive(Clone)]
struct Hub {
    publisher: Publisher,
    places: Arc<Semaphore>,
}

async fn open_bare(State(hub): State<Hub>, upgrade: WebSocketUpgrade) -> Response {
    open(hub, upgrade, Vec::new(), false)
}

async fn open_raw(State(hub): State<Hub>, Path(streams): Path<String>, upgrade: WebSocketUpgrade) -> Response {
    open(hub, upgrade, split(&streams), false)
}

async fn open_combined(State(hub): State<Hub>, RawQuery(query): RawQuery, upgrade: WebSocketUpgrade) -> Response {
    let query = query.unwrap_or_default().replace("%40", "@").replace("%2F", "/").replace("%2f", "/");
    let streams = query.split('&').find_map(|pair| pair.strip_prefix("streams=")).unwrap_or_default();
    open(hub, upgrade, split(streams), true)
}

fn split(streams: &str) -> Vec<String> {
    streams.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

fn open(hub: Hub, upgrade: WebSocketUpgrade, streams: Vec<String>, combined: bool) -> Response {
    if streams.len() > STREAMS_MAX {
        return (StatusCode::BAD_REQUEST, "too many streams: at most 1024 per connection").into_response();
    }
    let Ok(place) = hub.places.clone().try_acquire_owned() else {
        return (StatusCode::TOO_MANY_REQUESTS, "too many connections: at most 64").into_response();
    };
    let updates = hub.publisher.updates.subscribe();
    upgrade.max_message_size(INCOMING_BYTES_MAX).on_upgrade(move |socket| async move {
        let session = Session { streams, combined };
        serve(socket, session, updates).await;
        drop(place);
    })
}

/// Carries one connection until either side ends it.
async fn serve(mut socket: WebSocket, mut session: Session, mut updates: broadcast::Receiver<Update>) {
    let mut pings = interval(PING_EVERY);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pings.tick().await;
    let mut heard = Instant::now();
    let mut budget = Budget { since: heard, used: 0 };
    loop {
        let reply = tokio::select! {
            update = updates.recv() => match update {
                Ok(update) => session.wanted(&update).map(Message::Text),
                Err(broadcast::error::RecvError::Lagged(_)) => None,
                Err(broadcast::error::RecvError::Closed) => return,
            },
            message = socket.recv() => {
                let Some(Ok(message)) = message else { return };
                heard = Instant::now();
                if !budget.allows(heard) {
                    return;
                }
                match message {
                    Message::Text(text) => Some(Message::Text(session.answer(&text).to_string().into())),
                    Message::Close(_) => return,
                    // Pings are answered by the protocol layer.
                    Message::Binary(_) | Message::Ping(_) | Message::Pong(_) => None,
                }
            }
            _ = pings.tick() => {
                if heard.elapsed() > PONG_WITHIN {
                    return;
                }
                Some(Message::Ping(Bytes::new()))
            }
        };
        if let Some(reply) = reply
            && !matches!(timeout(SEND_WITHIN, socket.send(reply)).await, Ok(Ok(())))
        {
            return;
        }
    }
}

/// Counts what a peer sends within a second.
struct Budget {
    since: Instant,
    used: u32,
}

impl Budget {
    fn allows(&mut self, now: Instant) -> bool {
        if now.duration_since(self.since) >= Duration::from_secs(1) {
            *self = Budget { since: now, used: 0 };
        }
        self.used += 1;
        self.used <= INCOMING_PER_S_MAX
    }
}

/// What one connection has asked for.
#[derive(Debug, Default)]
struct Session {
    streams: Vec<String>,
    combined: bool,
}

/// Methods Binance knows, as its error message lists them.
const METHODS: &str = "`SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY`";

impl Session {
    fn wanted(&self, update: &Update) -> Option<Utf8Bytes> {
        let wanted = self.streams.iter().any(|stream| **stream == *update.stream);
        wanted.then(|| if self.combined { update.combined.clone() } else { update.raw.clone() })
    }

    /// Answers one request. Streams that exist nowhere are accepted and stay silent, as at Binance.
    fn answer(&mut self, text: &str) -> Value {
        let Ok(request) = serde_json::from_str::<Value>(text) else {
            return failure(3, "Invalid JSON: expected value", &Value::Null);
        };
        let id = &request["id"];
        if !(id.is_u64() || id.is_string() || id.is_null()) {
            return failure(2, "Invalid request: request ID must be an unsigned integer", &Value::Null);
        }
        match request["method"].as_str() {
            Some("SUBSCRIBE") => self.edit(&request, id, Session::subscribe),
            Some("UNSUBSCRIBE") => self.edit(&request, id, Session::unsubscribe),
            Some("LIST_SUBSCRIPTIONS") => json!({ "result": self.streams, "id": id }),
            Some("SET_PROPERTY") => match (request["params"][0].as_str(), request["params"][1].as_bool()) {
                (Some("combined"), Some(combined)) => {
                    self.combined = combined;
                    json!({ "result": null, "id": id })
                }
                (Some("combined"), None) => failure(1, "Invalid value type: expected Boolean", id),
                _ => failure(0, "Unknown property", id),
            },
            Some("GET_PROPERTY") => match request["params"][0].as_str() {
                Some("combined") => json!({ "result": self.combined, "id": id }),
                _ => failure(0, "Unknown property", id),
            },
            Some(method) => {
                failure(2, &format!("Invalid request: unknown variant `{method}`, expected one of {METHODS}"), id)
            }
            None => failure(2, "Invalid request: missing field `method`", id),
        }
    }

    fn edit(&mut self, request: &Value, id: &Value, apply: fn(&mut Session, String) -> bool) -> Value {
        let names = request["params"].as_array().map(|list| list.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
        let Some(Some(names)) = names else {
            return failure(2, "Invalid request: params must be a list of stream names", id);
        };
        for name in names {
            if !apply(self, name.to_owned()) {
                return failure(2, "Invalid request: too many parameters", id);
            }
        }
        json!({ "result": null, "id": id })
    }

    fn subscribe(&mut self, name: String) -> bool {
        if self.streams.contains(&name) {
            return true;
        }
        if self.streams.len() >= STREAMS_MAX {
            return false;
        }
        self.streams.push(name);
        true
    }

    fn unsubscribe(&mut self, name: String) -> bool {
        self.streams.retain(|held| *held != name);
        true
    }
}

fn failure(code: i32, message: &str, id: &Value) -> Value {
    json!({ "error": { "code": code, "msg": message }, "id": id })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_payload_is_binances() {
        let ticker = BookTicker {
            symbol: "ETHUSDC",
            update_id: 400_900_217,
            bid: (Decimal::new(253_519, 4), Decimal::new(3_121, 2)),
            ask: (Decimal::new(253_652, 4), Decimal::new(4_066, 2)),
        };
        let expected =
            r#"{"u":400900217,"s":"ETHUSDC","b":"25.35190000","B":"31.21000000","a":"25.36520000","A":"40.66000000"}"#;
        assert_eq!(ticker.json(), expected);
        assert_eq!(ticker.stream(), "ethusdc@bookTicker");
    }

    #[test]
    fn requests_are_answered_as_documented() {
        let mut session = Session::default();
        let table = [
            (r#"{"method":"LIST_SUBSCRIPTIONS","id":3}"#, json!({"result":[],"id":3})),
            (r#"{"method":"SUBSCRIBE","params":["a@bookTicker","b"],"id":1}"#, json!({"result":null,"id":1})),
            (r#"{"method":"SUBSCRIBE","params":["b"],"id":"x"}"#, json!({"result":null,"id":"x"})),
            (r#"{"method":"UNSUBSCRIBE","params":["b","zz"],"id":2}"#, json!({"result":null,"id":2})),
            (r#"{"method":"LIST_SUBSCRIPTIONS","id":3}"#, json!({"result":["a@bookTicker"],"id":3})),
            (r#"{"method":"GET_PROPERTY","params":["combined"],"id":4}"#, json!({"result":false,"id":4})),
            (r#"{"method":"SET_PROPERTY","params":["combined",true],"id":5}"#, json!({"result":null,"id":5})),
            (r#"{"method":"GET_PROPERTY","params":["combined"],"id":6}"#, json!({"result":true,"id":6})),
        ];
        for (request, reply) in table {
            assert_eq!(session.answer(request), reply, "{request}");
        }
    }

    #[test]
    fn bad_requests_are_refused_and_change_nothing() {
        let mut session = Session::default();
        let table = [
            ("{", 3),
            ("[]", 2),
            ("7", 2),
            (r#"{"id":1}"#, 2),
            (r#"{"method":"BUY","id":1}"#, 2),
            (r#"{"method":"SUBSCRIBE","id":1}"#, 2),
            (r#"{"method":"SUBSCRIBE","params":[1],"id":1}"#, 2),
            (r#"{"method":"SUBSCRIBE","params":["a"],"id":-1}"#, 2),
            (r#"{"method":"SET_PROPERTY","params":["combined","yes"],"id":1}"#, 1),
            (r#"{"method":"SET_PROPERTY","params":["colour",true],"id":1}"#, 0),
        ];
        for (request, code) in table {
            assert_eq!(session.answer(request)["error"]["code"], code, "{request}");
        }
        assert!(session.streams.is_empty() && !session.combined);
    }

    #[test]
    fn streams_are_bounded() {
        let mut session = Session::default();
        let names: Vec<String> = (0..=STREAMS_MAX).map(|n| format!("s{n}")).collect();
        let reply = session.answer(&json!({"method":"SUBSCRIBE","params":names,"id":1}).to_string());
        assert_eq!(reply["error"]["code"], 2);
        assert_eq!(session.streams.len(), STREAMS_MAX);
    }
}
