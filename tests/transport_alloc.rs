//! Once up, the hot thread's ports take no memory: counted by the allocator itself, thread by thread.

use std::alloc::{GlobalAlloc, Layout as Shape, System};
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use keel::base::time::{Nanos, SEC};
use keel::engine::ports::{Clock, Event, Key, Store, Transport};
use keel::io::clock::LiveClock;
use keel::io::key::LocalKey;
use keel::io::store::{Layout, PageStore};
use keel::io::websocket::{Settings, WebSocket};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tungstenite::Message;

thread_local! {
    static TAKEN: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, counting what each thread takes.
struct Counting;

// SAFETY: every call goes to the system's allocator unchanged; the count is a thread's own cell without destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, shape: Shape) -> *mut u8 {
        TAKEN.with(|taken| taken.set(taken.get() + 1));
        unsafe { System.alloc(shape) }
    }

    unsafe fn realloc(&self, place: *mut u8, shape: Shape, bytes: usize) -> *mut u8 {
        TAKEN.with(|taken| taken.set(taken.get() + 1));
        unsafe { System.realloc(place, shape, bytes) }
    }

    unsafe fn dealloc(&self, place: *mut u8, shape: Shape) {
        unsafe { System.dealloc(place, shape) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often this thread took memory while `work` ran.
fn taken_by(work: impl FnOnce()) -> u64 {
    let before = TAKEN.with(Cell::get);
    work();
    TAKEN.with(Cell::get) - before
}

/// Accepts one client.
fn serve(talk: impl FnOnce(TcpStream) + Send + 'static) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let server = thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a client");
        stream.set_nodelay(true).expect("nodelay");
        talk(stream);
    });
    (address, server)
}

/// Echoes texts, and pings before each.
fn echo<S: Read + Write>(stream: S) {
    let mut peer = tungstenite::accept(stream).expect("upgrade");
    while let Ok(message) = peer.read() {
        if let Message::Text(text) = message {
            peer.send(Message::Ping(b"ping"[..].to_vec().into())).expect("pinged");
            peer.send(Message::Text(text)).expect("echoed");
        }
    }
}

/// Polls until the connection is up.
fn bring_up(socket: &mut WebSocket, at: Nanos) {
    let (start, mut up) = (Instant::now(), false);
    while !up {
        assert!(start.elapsed() < Duration::from_secs(10));
        socket.poll(at, &mut |event| up |= matches!(event, Event::Up { .. }));
    }
}

/// Sends one text and polls until it is back.
fn round(socket: &mut WebSocket, at: Nanos, text: &[u8]) {
    assert!(socket.send(at, text));
    let (start, mut back) = (Instant::now(), false);
    while !back {
        assert!(start.elapsed() < Duration::from_secs(10));
        socket.poll(at, &mut |event| back |= matches!(event, Event::Text(got) if got == text));
    }
}

#[test]
fn the_counter_counts() {
    assert_eq!(taken_by(|| drop(std::hint::black_box(vec![1u8; 10]))), 1);
}

#[test]
fn an_open_connection_takes_no_memory() {
    let (address, server) = serve(echo);
    let mut socket = WebSocket::new(&format!("ws://{address}/"), Settings::new([5; 32])).expect("made");
    let mut at = Nanos(SEC);
    bring_up(&mut socket, at);
    let large = vec![b'y'; 100_000];
    let taken = taken_by(|| {
        for turn in 0..1_000u64 {
            // Two seconds a turn: pings of our own go out and are answered all along.
            at = at.plus(2 * SEC);
            let len = if turn % 100 == 0 { large.len() } else { (turn % 1_500) as usize };
            round(&mut socket, at, &large[..len]);
        }
    });
    assert_eq!(taken, 0, "allocations in 1 000 round trips");
    assert!(socket.counters().pings > 300);
    drop(socket);
    server.join().expect("the server");
}

/// rustls takes one buffer per record and direction; this holds it to that.
#[test]
fn an_open_tls_connection_takes_memory_for_its_records_only() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_string()]).expect("a certificate");
    let (root, key) = (made.cert.der().clone(), made.signing_key.serialize_der());
    let chain = vec![root.clone()];
    let (address, server) = serve(move |stream| {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let key = PrivateKeyDer::try_from(key).expect("a key");
        let config = versions.expect("versions").with_no_client_auth().with_single_cert(chain, key).expect("usable");
        let session = ServerConnection::new(Arc::new(config)).expect("a session");
        echo(StreamOwned::new(session, stream));
    });
    let settings = Settings { addresses: vec![address], extra_root: Some(root.to_vec()), ..Settings::new([5; 32]) };
    let mut socket = WebSocket::new("wss://localhost/", settings).expect("made");
    bring_up(&mut socket, Nanos(SEC));
    (0..10).for_each(|_| round(&mut socket, Nanos(SEC), &[b'y'; 1_000]));
    let rounds = 500;
    let taken = taken_by(|| (0..rounds).for_each(|_| round(&mut socket, Nanos(SEC), &[b'y'; 1_000])));
    // Out: the text and the pong. In: the ping and the text. Four records.
    println!("{} allocations in {rounds} TLS round trips of four records", taken);
    assert!(taken <= rounds * 4, "{taken} allocations in {rounds} round trips of four records");
    drop(socket);
    server.join().expect("the server");
}

#[test]
fn signing_telling_time_and_journalling_take_no_memory() {
    let mut key = LocalKey::from_bytes(&mut [9; 32]).expect("a key");
    let mut clock = LiveClock::new();
    let folder = tempfile::tempdir().expect("a folder");
    let layout = Layout { records_per_page: 10_000, pages_kept: 1 };
    let (mut store, _) = PageStore::open(&folder.path().join("journal"), layout, &mut |_, _| {}).expect("a journal");
    let taken = taken_by(|| {
        for turn in 0..1_000u64 {
            let mut digest = [0u8; 32];
            digest[..8].copy_from_slice(&clock.now().0.to_le_bytes());
            let signature = key.sign(&digest);
            store.append(&signature);
            if turn % 100 == 0 {
                key.rerandomize().expect("entropy");
                store.room().expect("room");
            }
        }
    });
    drop(store);
    assert_eq!(taken, 0);
}
