//! The venue's HTTP side, for start-up and slow polls only. Orders never go this way.

use crate::base::time::Nanos;
use crate::derive::action::login::login_digest;
use crate::derive::dialect::{Address, Dialect};
use crate::derive::seal::LoginProof;
use crate::engine::ports::Key;
use alloy::hex;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::fmt;
use std::time::Duration;

/// Longest wait for one answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Longest answer taken in.
const ANSWER_BYTES_MAX: usize = 8 << 20;

/// Why a call failed.
#[derive(Debug)]
pub enum RestError {
    /// The venue could not be reached, or did not answer in time.
    Unreachable {
        /// Where.
        url: String,
        /// What the network said.
        why: String,
    },
    /// It answered, but not with what the protocol promises.
    Garbled {
        /// Which call.
        method: String,
        /// What is wrong.
        why: String,
    },
    /// It refused.
    Refused {
        /// Which call.
        method: String,
        /// The venue's error code.
        code: i32,
        /// The venue's words.
        message: String,
    },
}

impl fmt::Display for RestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RestError::Unreachable { url, why } => write!(f, "cannot reach {url}: {why}"),
            RestError::Garbled { method, why } => write!(f, "{method} answered in a form we do not know: {why}"),
            RestError::Refused { method, code, message } => write!(f, "{method} was refused: {code} {message}"),
        }
    }
}

impl std::error::Error for RestError {}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    error: Option<Failure>,
}

#[derive(Deserialize)]
struct Failure {
    code: i32,
    message: String,
    #[serde(default)]
    data: Option<serde_json::Value>,
}

/// A client of one venue.
#[derive(Clone)]
pub struct Rest {
    http: reqwest::Client,
    base: String,
}

/// Headers that prove who asks.
#[derive(Clone)]
pub struct Proof {
    headers: [(&'static str, String); 3],
}

/// Whoever can prove to hold the session key.
pub trait Prover {
    /// The key's address.
    fn address(&self) -> Address;
    /// Proves it at venue time `venue_at`.
    ///
    /// # Errors
    /// Why there is no proof, in words.
    fn prove(&mut self, venue_at: Nanos) -> Result<LoginProof, String>;
}

impl<K: Key> Prover for K {
    fn address(&self) -> Address {
        Key::address(self)
    }

    fn prove(&mut self, venue_at: Nanos) -> Result<LoginProof, String> {
        let timestamp_ms = venue_at.ms();
        Ok(LoginProof { timestamp_ms, signature: self.sign(&login_digest(timestamp_ms)) })
    }
}

impl Proof {
    /// The headers of a login proof.
    pub fn of(dialect: &Dialect, wallet: &Address, proof: &LoginProof) -> Proof {
        let names = &dialect.headers;
        Proof {
            headers: [
                (names.wallet, hex::encode_prefixed(wallet)),
                (names.timestamp, proof.timestamp_ms.to_string()),
                (names.signature, hex::encode_prefixed(proof.signature)),
            ],
        }
    }
}

impl Rest {
    /// A client for the venue at `base`, e.g. `https://api.derive.xyz/v3`.
    pub fn new(base: &str) -> Result<Rest, RestError> {
        // The client asks for a TLS provider of the process; who comes second finds it done.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .no_proxy()
            .build()
            .map_err(|why| RestError::Unreachable { url: base.to_owned(), why: chain(&why) })?;
        Ok(Rest { http, base: base.trim_end_matches('/').to_owned() })
    }

    /// Calls `method` (such as `public/get_time`) and returns the JSON text of its result.
    pub async fn call(
        &self,
        method: &str,
        params: &serde_json::Value,
        proof: Option<&Proof>,
    ) -> Result<String, RestError> {
        let url = format!("{}/{method}", self.base);
        let unreachable = |why: reqwest::Error| RestError::Unreachable { url: url.clone(), why: chain(&why) };
        let mut request = self.http.post(&url).json(params);
        for (name, value) in proof.iter().flat_map(|proof| &proof.headers) {
            request = request.header(*name, value);
        }
        let answer = request.send().await.map_err(unreachable)?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(unreachable)?;
        let garbled = |why: String| RestError::Garbled { method: method.to_owned(), why };
        if body.len() > ANSWER_BYTES_MAX {
            return Err(garbled(format!("{} bytes, at most {ANSWER_BYTES_MAX} are taken in", body.len())));
        }
        let envelope: Envelope<'_> =
            serde_json::from_slice(&body).map_err(|why| garbled(format!("HTTP {status}, {why}")))?;
        match envelope {
            Envelope { error: Some(failure), .. } => {
                let detail = failure.data.map(|data| format!(" ({data})")).unwrap_or_default();
                let message = format!("{}{detail}", failure.message);
                Err(RestError::Refused { method: method.to_owned(), code: failure.code, message })
            }
            Envelope { result: Some(result), .. } => Ok(result.get().to_owned()),
            Envelope { .. } => Err(garbled(format!("HTTP {status}, neither result nor error"))),
        }
    }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encrypted_venue_that_is_not_there_is_unreachable() {
        let rest = Rest::new("https://127.0.0.1:9/v3/").expect("TLS can be set up");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let outcome = runtime.block_on(rest.call("public/get_time", &serde_json::json!({}), None));
        assert!(
            matches!(outcome, Err(RestError::Unreachable { ref url, .. }) if url == "https://127.0.0.1:9/v3/public/get_time")
        );
    }
}
