//! The live transport against real sockets: an independent WebSocket server where the protocol is kept, hand-made
//! bytes where it is broken, and time handed in where it must pass.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use keel::base::time::{MS, Nanos, SEC};
use keel::engine::ports::{DownReason, Event, Transport};
use keel::io::quarantine::Quarantine;
use keel::io::websocket::handshake::Refusal;
use keel::io::websocket::{Settings, Trouble, WebSocket};
use tungstenite::Message;
use tungstenite::handshake::derive_accept_key;

/// An event that outlives the poll.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Up(u32),
    Text(String),
    Down(DownReason),
}

/// A client under test with what it said and a clock of its own.
struct Client {
    socket: WebSocket,
    at: Nanos,
    seen: Vec<Seen>,
}

impl Client {
    fn new(address: SocketAddr, change: impl FnOnce(&mut Settings)) -> Client {
        let mut settings = Settings::new([7; 32]);
        settings.backoff_ns_min = MS;
        change(&mut settings);
        let socket = WebSocket::new(&format!("ws://{address}/v3/ws"), settings).expect("an address");
        Client { socket, at: Nanos::from_ms(1_000_000), seen: Vec::new() }
    }

    fn poll(&mut self) -> bool {
        let seen = &mut self.seen;
        self.socket.poll(self.at, &mut |event| {
            seen.push(match event {
                Event::Up { attempt } => Seen::Up(attempt),
                Event::Text(text) => Seen::Text(String::from_utf8_lossy(text).into_owned()),
                Event::Down(reason) => Seen::Down(reason),
            });
        })
    }

    /// Polls, letting `step_ns` pass in between, until `done`; fails after ten real seconds.
    fn until(&mut self, step_ns: u64, done: impl Fn(&Client) -> bool) {
        let start = Instant::now();
        while !done(self) {
            assert!(start.elapsed() < Duration::from_secs(10), "got only {:?}", self.seen);
            self.poll();
            self.at = self.at.plus(step_ns);
            thread::yield_now();
        }
    }

    fn until_seen(&mut self, wanted: Seen) {
        self.until(1_000, |client| client.seen.contains(&wanted));
    }

    fn texts(&self) -> Vec<&str> {
        self.seen
            .iter()
            .filter_map(|seen| if let Seen::Text(text) = seen { Some(text.as_str()) } else { None })
            .collect()
    }

    fn send(&mut self, text: &str) {
        assert!(self.socket.send(self.at, text.as_bytes()), "not taken");
    }
}

/// Serves one connection after another with the given acts, then ends.
fn serve(acts: Vec<Box<dyn FnOnce(TcpStream) + Send>>) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let server = thread::spawn(move || {
        for act in acts {
            let (stream, _) = listener.accept().expect("a client");
            stream.set_nodelay(true).expect("nodelay");
            stream.set_read_timeout(Some(Duration::from_secs(10))).expect("timeout");
            act(stream);
        }
    });
    (address, server)
}

fn one(act: impl FnOnce(TcpStream) + Send + 'static) -> (SocketAddr, JoinHandle<()>) {
    serve(vec![Box::new(act)])
}

/// Reads the request and returns the answer that accepts it.
fn greet(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    let mut byte = [0u8];
    while !request.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).expect("a request");
        request.push(byte[0]);
    }
    let request = String::from_utf8(request).expect("ascii");
    assert!(request.starts_with("GET /v3/ws HTTP/1.1\r\n"), "{request}");
    let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).expect("a key");
    let accept = derive_accept_key(key.as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    )
}

/// An open connection on which the server writes bytes of its own.
fn raw(act: impl FnOnce(TcpStream) + Send + 'static) -> Box<dyn FnOnce(TcpStream) + Send> {
    Box::new(move |mut stream| {
        let answer = greet(&mut stream);
        stream.write_all(answer.as_bytes()).expect("answered");
        act(stream);
    })
}

/// Reads until the client is gone and returns what it said, frames unmasked, opcode and payload.
fn drain(mut stream: TcpStream) -> Vec<(u8, Vec<u8>)> {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    let (mut frames, mut rest) = (Vec::new(), bytes.as_slice());
    while let [first, second, tail @ ..] = rest {
        assert!(second & 0x80 != 0 && second & 0x7f < 126, "client frames are masked; these are short");
        let len = usize::from(second & 0x7f);
        let (mask, body) = tail.split_at(4);
        frames.push((first & 0x0f, body[..len].iter().zip(mask.iter().cycle()).map(|(a, b)| a ^ b).collect()));
        rest = &body[len..];
    }
    frames
}

fn echo(stream: TcpStream) {
    let mut peer = tungstenite::accept(stream).expect("upgrade");
    while let Ok(message) = peer.read() {
        if message.is_text() {
            peer.send(message).expect("echoed");
        }
    }
}

#[test]
fn messages_of_every_size_come_back_in_order() {
    let (address, server) = one(echo);
    let mut client = Client::new(address, |_| {});
    assert!(!client.socket.send(client.at, b"too early"), "nothing is taken before the connection is up");
    client.until_seen(Seen::Up(1));
    let sent: Vec<String> = [0, 1, 125, 126, 127, 1_000, 65_535, 65_536, 200_000, 3]
        .iter()
        .map(|&len| {
            "aé€\u{1f600}"
                .chars()
                .cycle()
                .scan(0, |sum, c| {
                    *sum += c.len_utf8();
                    (*sum <= len).then_some(c)
                })
                .collect()
        })
        .collect();
    for text in &sent {
        client.send(text);
        let wanted = client.texts().len() + 1;
        client.until(1_000, |client| client.texts().len() == wanted);
    }
    assert_eq!(client.texts(), sent);
    let counters = client.socket.counters();
    assert_eq!((counters.messages_in, counters.messages_out, counters.connections), (10, 10, 1));
    drop(client);
    server.join().expect("the server");
}

#[test]
fn a_message_in_quarantine_is_not_handed_out() {
    let (address, server) = one(echo);
    let quarantine = Quarantine::from_messages(&[br#"{"id":4,"result":{"at":1800000000123,"amount":"-0"}}"#]);
    let mut client = Client::new(address, |settings| settings.quarantine = quarantine.clone());
    client.until_seen(Seen::Up(1));
    let known = r#"{"id":9,"result":{"at":1800000077001,"amount":"-0"}}"#;
    let other = r#"{"id":9,"result":{"at":1800000077001,"amount":"0"}}"#;
    for text in [known, other, known, "{}"] {
        client.send(text);
    }
    client.until_seen(Seen::Text("{}".to_owned()));
    assert_eq!(client.texts(), [other, "{}"]);
    assert_eq!((quarantine.refused(), client.socket.counters().messages_in), (2, 4));
    drop(client);
    server.join().expect("the server");
}

#[test]
fn bytes_may_come_one_at_a_time_or_along_with_the_upgrade() {
    let frames = |text: &str| [&[0x81, text.len() as u8][..], text.as_bytes()].concat();
    let slow = move |mut stream: TcpStream| {
        let answer = greet(&mut stream);
        for byte in answer.into_bytes().into_iter().chain(frames("slow")).chain([0x01, 1, b'a', 0x80, 1, b'b']) {
            stream.write_all(&[byte]).expect("written");
        }
        drain(stream);
    };
    let joined = move |mut stream: TcpStream| {
        let answer = greet(&mut stream);
        let at_once = [answer.into_bytes(), frames("one"), frames("two"), vec![0x81]].concat();
        stream.write_all(&at_once).expect("written");
        stream.write_all(&frames("three")[1..]).expect("written");
        drain(stream);
    };
    let (address, server) = serve(vec![Box::new(slow), Box::new(joined)]);
    let mut client = Client::new(address, |_| {});
    client.until(1_000, |client| client.texts() == ["slow", "ab"]);
    client.socket.drop_connection();
    client.until(1_000, |client| client.texts() == ["slow", "ab", "one", "two", "three"]);
    drop(client);
    server.join().expect("the server");
}

#[test]
fn pings_are_answered_and_close_frames_returned() {
    let (address, server) = one(|stream| {
        let mut peer = tungstenite::accept(stream).expect("upgrade");
        peer.send(Message::Ping(b"are you there".to_vec().into())).expect("sent");
        assert_eq!(peer.read().expect("an answer"), Message::Pong(b"are you there".to_vec().into()));
        peer.close(None).expect("closed");
        assert!(peer.read().expect("the close frame back").is_close());
    });
    let mut client = Client::new(address, |settings| settings.backoff_ns_min = SEC);
    client.until_seen(Seen::Down(DownReason::Closed));
    server.join().expect("the server");
}

#[test]
fn a_peer_that_answers_no_ping_is_dead_after_three_even_if_it_talks() {
    for talks in [false, true] {
        let (address, server) = one(raw(move |mut stream| {
            if talks {
                let mut told = stream.try_clone().expect("clone");
                // Talks until the client has hung up, and sends pongs nobody asked for.
                thread::spawn(move || while told.write_all(&[0x81, 1, b'x', 0x8a, 0]).is_ok() {});
                let _ = std::io::copy(&mut stream, &mut std::io::sink());
                return;
            }
            let pings: Vec<_> = drain(stream);
            let numbers = [1u64, 2, 3].map(|number| (9, number.to_be_bytes().to_vec()));
            assert_eq!(pings, numbers, "three pings, numbered, and nothing else");
        }));
        let mut client = Client::new(address, |settings| settings.backoff_ns_min = SEC);
        client.until_seen(Seen::Up(1));
        let up_at = client.at;
        client.until(50 * MS, |client| client.seen.contains(&Seen::Down(DownReason::Silent)));
        let silent_ns = client.at.since(up_at);
        // Three pings 0.7 s apart, and as long again for the last answer.
        assert!((2_800 * MS..2_950 * MS).contains(&silent_ns), "{silent_ns} ns");
        assert_eq!(client.socket.counters().pings, 3);
        drop(client);
        server.join().expect("the server");
    }
}

#[test]
fn a_peer_that_answers_pings_lives() {
    let (address, server) = one(echo);
    let mut client = Client::new(address, |_| {});
    client.until_seen(Seen::Up(1));
    for round in 1..=20 {
        client.at = client.at.plus(5 * SEC);
        let pings = client.socket.counters().pings;
        client.poll();
        assert_eq!(client.socket.counters().pings, pings + 1, "round {round}");
        // The peer answers pings before what was sent after them, so an echo proves that the pong is in.
        client.send(&round.to_string());
        client.until(1, |client| client.texts().len() == round);
    }
    assert_eq!(client.seen.iter().filter(|seen| matches!(seen, Seen::Down(_))).count(), 0);
    drop(client);
    server.join().expect("the server");
}

#[test]
fn a_lost_connection_comes_back_after_a_wait_in_bounds() {
    let drop_at_once = || raw(drop);
    let (address, server) = serve(vec![drop_at_once(), drop_at_once(), drop_at_once(), Box::new(echo)]);
    let mut client =
        Client::new(address, |settings| (settings.backoff_ns_min, settings.backoff_ns_max) = (SEC, 2 * SEC));
    for (fall, wait_ns) in [(1, SEC), (2, 2 * SEC), (3, 2 * SEC)] {
        let downs = |client: &Client| client.seen.iter().filter(|seen| matches!(seen, Seen::Down(_))).count();
        client.until(0, |client| downs(client) == fall);
        let down_at = client.at;
        let attempts = client.socket.counters().attempts;
        client.at = down_at.plus(wait_ns / 2 - 1);
        assert!(!client.poll(), "not before half the wait");
        client.until(MS, |client| client.socket.counters().attempts == attempts + 1);
        assert!(client.at.since(down_at) <= wait_ns + 2 * MS, "{} ns", client.at.since(down_at));
    }
    client.until_seen(Seen::Up(4));
    client.send("again");
    client.until_seen(Seen::Text("again".into()));
    let down = Seen::Down(DownReason::Closed);
    let expected = [Seen::Up(1), down.clone(), Seen::Up(2), down.clone(), Seen::Up(3), down, Seen::Up(4)];
    assert_eq!(client.seen[..7], expected);
    drop(client);
    server.join().expect("the server");
}

#[test]
fn a_refused_upgrade_says_why() {
    for (answer, refusal) in [
        ("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", Refusal::Status(403)),
        (
            "HTTP/1.1 101 Sure\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: no\r\n\r\n",
            Refusal::Header("Sec-WebSocket-Accept"),
        ),
        ("220 mail ready\r\n", Refusal::NotHttp),
    ] {
        let (address, server) = one(move |mut stream| {
            greet(&mut stream);
            stream.write_all(answer.as_bytes()).expect("answered");
            drain(stream);
        });
        let mut client = Client::new(address, |settings| settings.backoff_ns_min = SEC);
        client.until_seen(Seen::Down(DownReason::Upgrade));
        assert!(matches!(client.socket.last_trouble(), Some(Trouble::Refused(why)) if *why == refusal));
        assert_eq!(client.seen, [Seen::Down(DownReason::Upgrade)]);
        drop(client);
        server.join().expect("the server");
    }
}

#[test]
fn broken_rules_end_the_connection_with_the_right_status() {
    for (bytes, code) in [
        (vec![0x81, 127, 0, 0, 0, 0, 0, 0x10, 0, 1], 1009u16),
        (vec![0x81, 0x81, 1, 2, 3, 4, b'a'], 1002),
        (vec![0x81, 1, 0xff], 1007),
        (vec![0x82, 1, 0], 1003),
    ] {
        let (address, server) = one(raw(move |mut stream| {
            stream.write_all(&[&[0x81, 2, b'o', b'k'][..], &bytes].concat()).expect("sent");
            assert_eq!(drain(stream), [(8, code.to_be_bytes().to_vec())]);
        }));
        let mut client = Client::new(address, |settings| settings.backoff_ns_min = SEC);
        client.until_seen(Seen::Down(DownReason::Protocol));
        assert_eq!(client.seen, [Seen::Up(1), Seen::Text("ok".into()), Seen::Down(DownReason::Protocol)]);
        server.join().expect("the server");
    }
}

#[test]
fn nothing_is_half_taken_when_the_peer_stops_reading() {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let (address, server) = one(move |stream| {
        let mut peer = tungstenite::accept(stream).expect("upgrade");
        wait.recv().expect("the word");
        let mut count = 0u32;
        while let Ok(message) = peer.read() {
            if let Message::Text(text) = message {
                assert!(text.starts_with(&format!("{count}:")) && text.len() == 10_000, "message {count} is whole");
                count += 1;
                peer.send(Message::text(count.to_string())).expect("counted");
            }
        }
    });
    let mut client = Client::new(address, |settings| settings.outgoing_bytes_max = 100_000);
    client.until_seen(Seen::Up(1));
    let mut taken = 0;
    while client.socket.send(client.at, format!("{:x<10000}", format!("{taken}:")).as_bytes()) {
        taken += 1;
        assert!(taken < 100_000, "the buffer has no bound");
    }
    assert!(taken >= 9, "{taken}");
    go.send(()).expect("told");
    client.until(1_000, |client| client.texts().len() == taken);
    client.send(&format!("{:x<10000}", format!("{taken}:")));
    client.until(1_000, |client| client.texts().len() == taken + 1);
    drop(client);
    server.join().expect("the server");
}

#[test]
fn asking_to_drop_says_goodbye_and_comes_back() {
    let (address, server) =
        serve(vec![raw(|stream| assert_eq!(drain(stream), [(8, 1000u16.to_be_bytes().to_vec())])), Box::new(echo)]);
    let mut client = Client::new(address, |_| {});
    client.until_seen(Seen::Up(1));
    client.socket.drop_connection();
    assert!(!client.socket.send(client.at, b"late"));
    client.poll();
    assert_eq!(client.seen, [Seen::Up(1), Seen::Down(DownReason::Asked)]);
    client.until_seen(Seen::Up(2));
    drop(client);
    server.join().expect("the server");
}

#[test]
fn nobody_there_and_nobody_answering_are_told_apart_from_life() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
    let mut client = Client::new(free, |_| {});
    client.until_seen(Seen::Down(DownReason::Io));
    assert!(matches!(client.socket.last_trouble(), Some(Trouble::Io(_))));

    let mute = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut client = Client::new(mute.local_addr().expect("its address"), |_| {});
    let start = client.at;
    client.until(MS, |client| client.seen.contains(&Seen::Down(DownReason::Io)));
    assert!(matches!(client.socket.last_trouble(), Some(Trouble::TooSlow)));
    assert!((5 * SEC..5 * SEC + 5 * MS).contains(&client.at.since(start)));
}

#[test]
fn a_name_is_looked_up_and_every_address_tried() {
    let (address, server) = one(echo);
    let settings = |addresses| Settings { addresses, backoff_ns_min: MS, ..Settings::drawn().expect("entropy") };
    let socket = WebSocket::new(&format!("ws://localhost:{}/v3/ws", address.port()), settings(vec![])).expect("made");
    let mut client = Client { socket, at: Nanos::from_ms(1), seen: Vec::new() };
    client.until_seen(Seen::Up(1));
    drop(client);
    server.join().expect("the server");

    let (address, server) = one(echo);
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
    let socket = WebSocket::new("ws://venue.invalid/v3/ws", settings(vec![free, address])).expect("made");
    let mut client = Client { socket, at: Nanos::from_ms(1), seen: Vec::new() };
    client.until_seen(Seen::Up(1));
    assert_eq!(client.seen, [Seen::Down(DownReason::Io), Seen::Up(1)]);
    drop(client);
    server.join().expect("the server");
}
