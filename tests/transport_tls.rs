//! `wss://` against a TLS server of another making of the frames: trusted, untrusted and misnamed certificates.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use keel::base::time::{Nanos, SEC};
use keel::engine::ports::{DownReason, Event, Transport};
use keel::io::websocket::{Settings, WebSocket};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// An echo server under a fresh certificate for `name`; returns that certificate too.
fn serve(name: &str) -> (SocketAddr, Vec<u8>, JoinHandle<()>) {
    let made = rcgen::generate_simple_self_signed(vec![name.to_string()]).expect("a certificate");
    let (certificate, key) = (made.cert.der().clone(), PrivateKeyDer::try_from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut config = versions
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key.expect("a key"))
        .expect("a configuration");
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let server = thread::spawn(move || {
        let (socket, _) = listener.accept().expect("a client");
        socket.set_read_timeout(Some(Duration::from_secs(10))).expect("timeout");
        let session = ServerConnection::new(Arc::new(config)).expect("a session");
        let Ok(mut peer) = tungstenite::accept(StreamOwned::new(session, socket)) else { return };
        assert_eq!(peer.get_ref().conn.alpn_protocol(), Some(&b"http/1.1"[..]));
        while let Ok(message) = peer.read() {
            if message.is_text() {
                peer.send(message).expect("echoed");
            }
        }
    });
    (address, certificate.to_vec(), server)
}

fn client(host: &str, address: SocketAddr, extra_root: Option<Vec<u8>>) -> WebSocket {
    let settings = Settings { addresses: vec![address], extra_root, backoff_ns_min: SEC, ..Settings::new([3; 32]) };
    WebSocket::new(&format!("wss://{host}:{}/v3/ws", address.port()), settings).expect("made")
}

/// Polls until `done` of the events so far; fails after ten seconds.
fn poll(socket: &mut WebSocket, seen: &mut Vec<String>, done: impl Fn(&[String]) -> bool) {
    let start = Instant::now();
    while !done(seen) {
        assert!(start.elapsed() < Duration::from_secs(10), "got only {} events", seen.len());
        socket.poll(Nanos(SEC), &mut |event| {
            seen.push(match event {
                Event::Text(text) => String::from_utf8_lossy(text).into_owned(),
                other => format!("{other:?}"),
            });
        });
        thread::yield_now();
    }
}

#[test]
fn messages_of_every_size_come_back_over_tls() {
    let (address, root, server) = serve("localhost");
    let mut socket = client("localhost", address, Some(root));
    let mut seen = Vec::new();
    poll(&mut socket, &mut seen, |seen| !seen.is_empty());
    assert_eq!(seen, ["Up { attempt: 1 }"]);
    // One, several and very many TLS records per message, one and several messages per record.
    let sent: Vec<String> = [1, 16_000, 17_000, 200_000, 5, 5, 5].iter().map(|&len| "z".repeat(len)).collect();
    for text in &sent {
        assert!(socket.send(Nanos(SEC), text.as_bytes()));
    }
    poll(&mut socket, &mut seen, |seen| seen.len() == 1 + sent.len());
    assert_eq!(seen[1..], sent);
    drop(socket);
    server.join().expect("the server");
}

#[test]
fn untrusted_and_misnamed_certificates_are_refused() {
    for (name, trusted, why) in
        [("localhost", false, "UnknownIssuer"), ("elsewhere.example", true, "not valid for name")]
    {
        let (address, root, server) = serve(name);
        let mut socket = client("localhost", address, trusted.then_some(root));
        let mut seen = Vec::new();
        poll(&mut socket, &mut seen, |seen| !seen.is_empty());
        assert_eq!(seen, [format!("{:?}", Event::Down(DownReason::Io))]);
        let trouble = socket.last_trouble().expect("a reason").to_string();
        assert!(trouble.contains(why), "{trouble}");
        drop(socket);
        server.join().expect("the server");
    }
    let junk = Settings { extra_root: Some(vec![1, 2, 3]), ..Settings::new([3; 32]) };
    let error = WebSocket::new("wss://localhost/", junk).expect_err("no certificate").to_string();
    assert!(error.contains("extra root"), "{error}");
}
