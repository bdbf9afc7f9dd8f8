//! AWS signature version 4, for the one request that is made: a POST to the root with a JSON body.

use ring::digest::{SHA256, digest};
use ring::hmac::{HMAC_SHA256, Key, Tag, sign};
use zeroize::Zeroizing;

/// Who asks.
pub(super) struct Credentials {
    /// Its public name.
    pub(super) access_key_id: String,
    /// Its secret.
    pub(super) secret: Zeroizing<String>,
    /// Of a session.
    pub(super) token: Option<Zeroizing<String>>,
}

/// What is asked, of whom, when.
pub(super) struct Request<'r> {
    /// Region of the service.
    pub(super) region: &'r str,
    /// Name of the service.
    pub(super) service: &'r str,
    /// Host, with a port that is not the usual one.
    pub(super) host: &'r str,
    /// What `x-amz-target` says.
    pub(super) target: &'r str,
    /// UTC, as `20261118T110640Z`.
    pub(super) stamp: &'r str,
    /// Body.
    pub(super) body: &'r [u8],
}

/// What the body is.
pub(super) const CONTENT_TYPE: &str = "application/x-amz-json-1.1";

fn hex(bytes: &[u8]) -> String {
    alloy_primitives::hex::encode(bytes)
}

fn next(key: &[u8], text: &str) -> Tag {
    sign(&Key::new(HMAC_SHA256, key), text.as_bytes())
}

/// The `authorization` header. Signed are content type, host, moment, target and, if there is one, the session's token:
/// each must be sent as it is named here.
pub(super) fn authorization(who: &Credentials, what: &Request<'_>) -> String {
    let Request { region, service, host, target, stamp, body } = *what;
    let token = who.token.as_ref().map(|token| token.as_str());
    let mut headers = vec![("content-type", CONTENT_TYPE), ("host", host), ("x-amz-date", stamp)];
    headers.extend(token.map(|token| ("x-amz-security-token", token)));
    headers.push(("x-amz-target", target));
    let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let lines = Zeroizing::new(lines);
    let canonical = Zeroizing::new(format!("POST\n/\n\n{}\n{names}\n{}", *lines, hex(digest(&SHA256, body).as_ref())));
    let day = stamp.get(..8).unwrap_or_default();
    let scope = format!("{day}/{region}/{service}/aws4_request");
    let hashed = hex(digest(&SHA256, canonical.as_bytes()).as_ref());
    let secret = Zeroizing::new(format!("AWS4{}", *who.secret));
    let mut key = next(secret.as_bytes(), day);
    for part in [region, service, "aws4_request"] {
        key = next(key.as_ref(), part);
    }
    let signature = hex(next(key.as_ref(), &format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashed}")).as_ref());
    let credential = &who.access_key_id;
    format!("AWS4-HMAC-SHA256 Credential={credential}/{scope}, SignedHeaders={names}, Signature={signature}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Signatures of AWS's own library (aws-sigv4 1.6) for the same requests.
    #[test]
    fn signatures_are_those_of_the_services_own_library() {
        let mut who = Credentials {
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret: Zeroizing::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned()),
            token: None,
        };
        let what = Request {
            region: "eu-west-1",
            service: "kms",
            host: "kms.eu-west-1.amazonaws.com",
            target: "TrentService.Decrypt",
            stamp: "20261118T110640Z",
            body: br#"{"CiphertextBlob":"AQID"}"#,
        };
        let start = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261118/eu-west-1/kms/aws4_request, SignedHeaders=";
        let plain = "content-type;host;x-amz-date;x-amz-target, \
                     Signature=6d1544267f5d71b43de5080886d445f9ebd3af4bb3b941f482b1a2aeafe2ee00";
        assert_eq!(authorization(&who, &what), format!("{start}{plain}"));
        who.token = Some(Zeroizing::new("session/token+=".to_owned()));
        let session = "content-type;host;x-amz-date;x-amz-security-token;x-amz-target, \
                       Signature=7b7a8779a60db08763c132fe40a8ad0706dae3b46ea27067c80343b4415bf089";
        assert_eq!(authorization(&who, &what), format!("{start}{session}"));
    }
}
