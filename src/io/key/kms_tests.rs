//! Against a peer on this machine that speaks the services' own protocols and checks every signature.

use super::*;
use crate::engine::ports::Key;
use crate::io::key::source::tests::Scratch;
use crate::io::key::{KeyError, KeySource, LocalKey, Seal};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode as Code};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

const ARN: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
/// What the peer takes for the wrapped key, and the key in it.
const WRAPPED: &str = "QVFJREFI";
const PLAIN: [u8; 32] = [7; 32];

/// How the peer behaves.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    Sound,
    InHex,
    OtherKey,
    Denied,
    Garbage,
    NoKey,
    NotBase64,
    Huge,
    Silent,
    Elsewhere,
    Short,
    NoRole,
}

#[derive(Clone)]
struct Peer {
    manner: Manner,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Peer {
    fn note(&self, what: impl Into<String>) {
        self.seen.lock().expect("not poisoned").push(what.into());
    }
}

/// The service's answer to a request whose signature is sound.
fn fault(kind: &str, message: &str) -> Response {
    (Code::BAD_REQUEST, serde_json::json!({ "__type": kind, "message": message }).to_string()).into_response()
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

async fn decrypt(State(peer): State<Peer>, headers: HeaderMap, body: Bytes) -> Response {
    peer.note("decrypt");
    let token = headers.contains_key("x-amz-security-token");
    let who = Credentials {
        access_key_id: "AKIDEXAMPLE".to_owned(),
        secret: Zeroizing::new(SECRET.to_owned()),
        token: token.then(|| Zeroizing::new(header(&headers, "x-amz-security-token").to_owned())),
    };
    let asked = sigv4::Request {
        region: "eu-west-1",
        service: "kms",
        host: header(&headers, "host"),
        target: header(&headers, "x-amz-target"),
        stamp: header(&headers, "x-amz-date"),
        body: &body,
    };
    if sigv4::authorization(&who, &asked) != header(&headers, "authorization") {
        return fault("InvalidSignatureException", "The request signature we calculated does not match");
    }
    let asked: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    if asked["CiphertextBlob"] != WRAPPED {
        return fault("InvalidCiphertextException", "");
    }
    if asked["KeyId"] != ARN {
        return fault("com.amazonaws.kms#NotFoundException", "Key is not in this region");
    }
    let sound = |plain: String, key: &str| {
        serde_json::json!({ "Plaintext": plain, "KeyId": key, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT" }).to_string()
    };
    let key = STANDARD.encode(PLAIN);
    match peer.manner {
        Manner::Denied => fault("AccessDeniedException", "User is not authorized to perform: kms:Decrypt"),
        Manner::Garbage => "<html>hello</html>".into_response(),
        Manner::NoKey => "{}".into_response(),
        Manner::NotBase64 => sound("%%%".to_owned(), ARN).into_response(),
        Manner::OtherKey => sound(key, "arn:aws:kms:eu-west-1:111122223333:key/another").into_response(),
        Manner::Huge => "x".repeat(ANSWER_MAX + 1).into_response(),
        Manner::Elsewhere => (Code::TEMPORARY_REDIRECT, [("location", "http://127.0.0.1:1/")], "").into_response(),
        Manner::Short => sound(STANDARD.encode([7; 31]), ARN).into_response(),
        Manner::InHex => sound(STANDARD.encode(format!("0x{}\n", "07".repeat(32))), ARN).into_response(),
        Manner::Silent => std::future::pending().await,
        Manner::Sound | Manner::NoRole => sound(key, ARN).into_response(),
    }
}

fn lent_by(token: &str) -> String {
    serde_json::json!({ "Code": "Success", "AccessKeyId": "AKIDEXAMPLE", "SecretAccessKey": SECRET, "Token": token })
        .to_string()
}

async fn role(State(peer): State<Peer>, headers: HeaderMap) -> Response {
    peer.note("role");
    match (header(&headers, "x-aws-ec2-metadata-token"), peer.manner) {
        ("session", Manner::NoRole) => "".into_response(),
        ("session", _) => "keel-signer\n".into_response(),
        _ => Code::UNAUTHORIZED.into_response(),
    }
}

async fn role_credentials(headers: HeaderMap) -> Response {
    match header(&headers, "x-aws-ec2-metadata-token") {
        "session" => lent_by("of/the+role=").into_response(),
        _ => Code::UNAUTHORIZED.into_response(),
    }
}

async fn session(headers: HeaderMap) -> Response {
    let given = header(&headers, "x-aws-ec2-metadata-token-ttl-seconds") == METADATA_S;
    if given { "session".into_response() } else { Code::BAD_REQUEST.into_response() }
}

/// Starts a peer; its address, and what it has seen.
fn peer(manner: Manner) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let peer = Peer { manner, seen: Arc::clone(&seen) };
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("a socket");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            let roles = "/latest/meta-data/iam/security-credentials";
            let router = Router::new()
                .route("/", post(decrypt))
                .route("/latest/api/token", put(session))
                .route(&format!("{roles}/"), get(role))
                .route(&format!("{roles}/keel-signer"), get(role_credentials))
                .route("/v2/credentials/abc", get(|| async { lent_by("of/the+task=") }))
                .with_state(peer);
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            axum::serve(listener, router).await.expect("served");
        });
    });
    (address, seen)
}

impl Scratch {
    fn credentials(&self) -> PathBuf {
        let text = format!("[default]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = {SECRET}\n");
        self.file("credentials", &text, 0o600)
    }

    /// Loads the key through a peer, changed as wished.
    fn load(&self, address: SocketAddr, change: impl Fn(&mut Kms)) -> Result<LocalKey, KeyError> {
        let mut kms = Kms {
            region: "eu-west-1".to_owned(),
            key_arn: ARN.to_owned(),
            endpoint: format!("http://{address}"),
            credentials: Source::File(self.credentials()),
            timeout_ms: 5_000,
        };
        change(&mut kms);
        KeySource { file: self.file("wrapped", &format!("{WRAPPED}\n"), 0o600), seal: Seal::Kms(kms) }.load()
    }
}

fn address_of_sevens() -> [u8; 20] {
    LocalKey::from_bytes(&mut [7; 32]).expect("a key").address()
}

#[test]
fn the_key_is_unwrapped_once_whoever_lends_the_right() {
    let scratch = Scratch::new();
    for (lender, manner) in [(0, Manner::Sound), (1, Manner::Sound), (2, Manner::Sound), (0, Manner::InHex)] {
        let (address, seen) = peer(manner);
        let key = scratch.load(address, |kms| match lender {
            0 => {}
            1 => kms.credentials = Source::Instance(format!("http://{address}")),
            _ => kms.credentials = Source::Container(format!("http://{address}/v2/credentials/abc")),
        });
        assert_eq!(key.expect("a key").address(), address_of_sevens(), "{lender}");
        let asked = seen.lock().expect("not poisoned").iter().filter(|what| *what == "decrypt").count();
        assert_eq!(asked, 1);
    }
}

#[test]
fn inside_a_runtime_it_is_waited_for_too() {
    let scratch = Scratch::new();
    let (address, _) = peer(Manner::Sound);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let key = runtime.block_on(async { scratch.load(address, |_| ()) });
    assert_eq!(key.expect("a key").address(), address_of_sevens());
}

#[test]
fn every_bad_answer_is_said_in_words_without_a_secret() {
    let scratch = Scratch::new();
    for (manner, says) in [
        (Manner::Denied, "AccessDeniedException: User is not authorized to perform: kms:Decrypt"),
        (Manner::Garbage, "something else than a key"),
        (Manner::NoKey, "something else than a key"),
        (Manner::NotBase64, "not base64"),
        (Manner::OtherKey, "another key than key_arn"),
        (Manner::Huge, "more than 16384 bytes"),
        (Manner::Elsewhere, "HTTP status 307"),
        (Manner::Short, "neither 32 bytes nor 64 hexadecimal digits"),
    ] {
        let (address, _) = peer(manner);
        let why = scratch.load(address, |_| ()).expect_err(says).to_string();
        assert!(why.contains(says), "{why} should say {says}");
        assert!(!why.contains(SECRET) && !why.contains("BwcHBw") && !why.contains("0707"), "{why}");
    }
}

#[test]
fn what_is_configured_wrongly_is_said_by_whom_it_was_refused() {
    let scratch = Scratch::new();
    let (address, seen) = peer(Manner::Sound);
    let why = |change: &dyn Fn(&mut Kms)| scratch.load(address, change).expect_err("refused").to_string();
    assert!(why(&|kms| kms.region = "eu-west-2".to_owned()).contains("InvalidSignatureException"), "a wrong region");
    assert!(
        why(&|kms| kms.key_arn = "arn:aws:kms:eu-west-1:1:key/x".to_owned()).contains("KMS refused: NotFoundException")
    );
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
    assert!(why(&|kms| kms.endpoint = format!("http://{nobody}")).contains("KMS cannot be reached"));
    assert!(
        why(&|kms| kms.credentials = Source::Instance(format!("http://{nobody}"))).contains("metadata service cannot")
    );
    let task = format!("http://{address}/v2/credentials/gone");
    assert!(why(&|kms| kms.credentials = Source::Container(task.clone())).contains("HTTP status 404"));
    let open = scratch.file("open", "aws_access_key_id = A\naws_secret_access_key = B\n", 0o640);
    assert!(why(&|kms| kms.credentials = Source::File(open.clone())).contains("0640"));
    let half = scratch.file("half", "aws_access_key_id = A\n", 0o600);
    assert!(why(&|kms| kms.credentials = Source::File(half.clone())).contains("no aws_secret_access_key"));
    let stranger = scratch.file("stranger", "aws_access_key_id = A\naws_secret_access_key = B\n", 0o600);
    assert!(why(&|kms| kms.credentials = Source::File(stranger.clone())).contains("InvalidSignatureException"));
    assert!(!seen.lock().expect("not poisoned").is_empty());
    let (address, _) = peer(Manner::NoRole);
    let roleless = scratch.load(address, |kms| kms.credentials = Source::Instance(format!("http://{address}")));
    assert!(roleless.expect_err("no role").to_string().contains("names no role"));
    let (address, _) = peer(Manner::Silent);
    let silent = scratch.load(address, |kms| kms.timeout_ms = 200).expect_err("silent").to_string();
    assert!(silent.contains("KMS did not answer in time"), "{silent}");
}
