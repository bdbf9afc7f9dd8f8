//! A key that AWS KMS unwraps: asked once, at start, over TLS, before the process gives up the network.
//!
//! Signing itself stays here. A signature by KMS takes tens of milliseconds and a socket; the actor that signs may wait
//! for neither.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde::{Deserialize, Serialize};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;
use zeroize::{Zeroize, Zeroizing};

use super::sigv4::{self, CONTENT_TYPE, Credentials};
use super::source::private_file;

/// Largest file with a wrapped key: KMS wraps at most four kibibytes.
pub(super) const BYTES_MAX: usize = 8 * 1024;
/// Longest answer taken in.
const ANSWER_MAX: usize = 16 * 1024;
/// Longest of the service's own words in a message of ours.
const WORDS_MAX: usize = 160;
/// What is asked of the service.
const TARGET: &str = "TrentService.Decrypt";
/// How long a metadata session lives, seconds.
const METADATA_S: &str = "60";

/// Where a key is unwrapped, by whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kms {
    /// Region of the key.
    pub region: String,
    /// The key that wrapped it, by its full name; no other may have.
    pub key_arn: String,
    /// Address of the service.
    pub endpoint: String,
    /// Where the right to ask comes from.
    pub credentials: Source,
    /// Longest wait for one answer.
    pub timeout_ms: u64,
}

/// Where the right to ask comes from. Never plain environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// A file that only its owner can reach, in the form of AWS's own credentials files.
    File(PathBuf),
    /// The instance's metadata service (version 2) at this address.
    Instance(String),
    /// The container's credentials service, at this whole address.
    Container(String),
}

#[derive(Deserialize)]
struct Lent {
    #[serde(rename = "AccessKeyId")]
    access_key_id: String,
    #[serde(rename = "SecretAccessKey")]
    secret: String,
    #[serde(rename = "Token")]
    token: Option<String>,
}

#[derive(Deserialize)]
struct Unwrapped<'a> {
    #[serde(borrow, rename = "Plaintext")]
    plaintext: &'a str,
    #[serde(rename = "KeyId")]
    key_id: String,
}

#[derive(Deserialize, Default)]
struct Fault {
    #[serde(rename = "__type", default)]
    kind: String,
    #[serde(rename = "message", alias = "Message", default)]
    message: String,
}

/// The plain bytes of a wrapped key, given as base64.
///
/// # Errors
/// What went wrong, in words that hold nothing of key or credentials.
pub(super) fn unwrap(kms: &Kms, wrapped: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    // A thread of its own: the caller may live in a runtime already, which cannot be waited in.
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map_err(|why| why.to_string())?.block_on(ask(kms, wrapped))
        });
        asked.join().unwrap_or_else(|_| Err("the asking thread died".to_owned()))
    })
}

async fn ask(kms: &Kms, wrapped: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    // The client asks for a TLS provider of the process; who comes second finds it done.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder().timeout(Duration::from_millis(kms.timeout_ms)).no_proxy();
    let client = client.redirect(reqwest::redirect::Policy::none()).build().map_err(|why| why.to_string())?;
    let who = credentials(&client, &kms.credentials).await?;
    let body = serde_json::json!({ "CiphertextBlob": wrapped, "KeyId": kms.key_arn }).to_string();
    let stamp = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let url = reqwest::Url::parse(&kms.endpoint).map_err(|why| format!("{}: {why}", kms.endpoint))?;
    let host = match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => return Err(format!("{} names no host", kms.endpoint)),
    };
    let request = sigv4::Request {
        region: &kms.region,
        service: "kms",
        host: &host,
        target: TARGET,
        stamp: &stamp,
        body: body.as_bytes(),
    };
    let authorization = sigv4::authorization(&who, &request);
    let mut asked = client.post(url).header("content-type", CONTENT_TYPE).header("x-amz-target", TARGET);
    asked = asked.header("x-amz-date", &stamp).header("authorization", authorization);
    if let Some(token) = &who.token {
        asked = asked.header("x-amz-security-token", token.as_str());
    }
    let (status, answer) = heard("KMS", asked.body(body)).await?;
    if status != StatusCode::OK {
        return Err(refusal(status, &answer));
    }
    let read: Unwrapped<'_> =
        serde_json::from_slice(&answer).map_err(|_| "KMS answered with something else than a key".to_owned())?;
    if read.key_id != kms.key_arn {
        return Err("KMS unwrapped it with another key than key_arn".to_owned());
    }
    let plain = STANDARD.decode(read.plaintext).map_err(|_| "KMS answered with a key that is not base64".to_owned())?;
    Ok(Zeroizing::new(plain))
}

fn refusal(status: StatusCode, answer: &[u8]) -> String {
    let fault: Fault = serde_json::from_slice(answer).unwrap_or_default();
    let plain = |text: &str| text.chars().filter(|c| !c.is_control()).take(WORDS_MAX).collect::<String>();
    let kind = fault.kind.rsplit('#').next().unwrap_or_default();
    match (kind, fault.message.as_str()) {
        ("", _) => format!("KMS refused with HTTP status {}", status.as_u16()),
        (kind, "") => format!("KMS refused: {}", plain(kind)),
        (kind, message) => format!("KMS refused: {}: {}", plain(kind), plain(message)),
    }
}

/// Status and body of an answer, the body wiped when it is dropped.
async fn heard(whom: &str, request: RequestBuilder) -> Result<(StatusCode, Zeroizing<Vec<u8>>), String> {
    let silent = |why: reqwest::Error| {
        if why.is_timeout() {
            return format!("{whom} did not answer in time");
        }
        let mut words = format!("{whom} cannot be reached");
        let mut cause = std::error::Error::source(&why);
        while let Some(deeper) = cause {
            words = format!("{words}: {deeper}");
            cause = deeper.source();
        }
        words
    };
    let mut response = request.send().await.map_err(silent)?;
    // One size from the start: growing would leave copies behind.
    let mut body = Zeroizing::new(Vec::with_capacity(ANSWER_MAX));
    while let Some(chunk) = response.chunk().await.map_err(silent)? {
        if body.len() + chunk.len() > ANSWER_MAX {
            return Err(format!("{whom} answered with more than {ANSWER_MAX} bytes"));
        }
        body.extend_from_slice(&chunk);
        if let Ok(mut own) = chunk.try_into_mut() {
            own[..].zeroize();
        }
    }
    Ok((response.status(), body))
}

async fn credentials(client: &Client, source: &Source) -> Result<Credentials, String> {
    match source {
        Source::File(path) => from_file(path),
        Source::Container(address) => lent("the container's credentials service", client.get(address)).await,
        Source::Instance(base) => {
            let whom = "the instance's metadata service";
            let started = client.put(format!("{base}/latest/api/token"));
            let token = text(whom, started.header("x-aws-ec2-metadata-token-ttl-seconds", METADATA_S)).await?;
            let get = |path: String| client.get(path).header("x-aws-ec2-metadata-token", token.as_str());
            let roles = format!("{base}/latest/meta-data/iam/security-credentials/");
            let named = text(whom, get(roles.clone())).await?;
            let role = named.lines().next().unwrap_or_default().trim();
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+=,.@-_".contains(&byte);
            if role.is_empty() || !role.bytes().all(plain) {
                return Err(format!("{whom} names no role: give the instance one that may decrypt with the key"));
            }
            lent(whom, get(format!("{roles}{role}"))).await
        }
    }
}

async fn text(whom: &str, request: RequestBuilder) -> Result<Zeroizing<String>, String> {
    let (status, body) = heard(whom, request).await?;
    if status != StatusCode::OK {
        return Err(format!("{whom} refused with HTTP status {}", status.as_u16()));
    }
    let text = std::str::from_utf8(&body).map_err(|_| format!("{whom} answered with something else than text"))?;
    Ok(Zeroizing::new(text.to_owned()))
}

async fn lent(whom: &str, request: RequestBuilder) -> Result<Credentials, String> {
    let body = text(whom, request).await?;
    let Lent { access_key_id, secret, token } =
        serde_json::from_str(&body).map_err(|_| format!("{whom} answered with something else than credentials"))?;
    Ok(Credentials { access_key_id, secret: Zeroizing::new(secret), token: token.map(Zeroizing::new) })
}

/// `aws_access_key_id`, `aws_secret_access_key` and, of a session, `aws_session_token`, one a line.
fn from_file(path: &Path) -> Result<Credentials, String> {
    let name = path.display();
    let file = private_file(path).map_err(|why| why.to_string())?;
    let mut text = Zeroizing::new(String::with_capacity(BYTES_MAX + 1));
    let read = file.take(BYTES_MAX as u64 + 1).read_to_string(&mut text);
    read.map_err(|why| format!("{name}: {why}"))?;
    let value = |key: &str| {
        let mut pairs = text.lines().filter_map(|line| line.split_once('='));
        pairs.find(|(known, _)| known.trim() == key).map(|(_, value)| value.trim().to_owned())
    };
    let given = |key: &str| value(key).ok_or_else(|| format!("{name} holds no {key}"));
    Ok(Credentials {
        access_key_id: given("aws_access_key_id")?,
        secret: Zeroizing::new(given("aws_secret_access_key")?),
        token: value("aws_session_token").map(Zeroizing::new),
    })
}

#[cfg(test)]
#[path = "kms_tests.rs"]
mod tests;
