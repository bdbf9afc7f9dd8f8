//! What is around the session key in its file: `key_source`, the passphrase's two fields, and `[wallet.kms]`.

use super::read::{Absent, Field, Rule, Section, Spec, read_integer};
use super::sections::{path, path_rule, url_rule};
use super::text::{Url, quoted};
use super::{KeySeal, KmsCredentials, KmsKey, Passphrase};

const SOURCE: Spec = ("key_source", "what the key's file is; unless given, keystore if a passphrase is, else file");
const FILE: Spec = ("passphrase_file", "file with the passphrase of a keystore or age file; relative to this file");
const DESCRIPTOR: Spec = ("passphrase_fd", "inherited descriptor that passphrase is read from");
const ARN: Spec = ("key_arn", "full name of the KMS key that wrapped the session key");
const ENDPOINT: Spec = ("endpoint_url", "address of KMS; the region's own unless given");
const CREDENTIALS: Spec =
    ("credentials", "whose right it is to unwrap: the instance's or container's role, or a file's");
const CREDENTIALS_FILE: Spec = ("credentials_file", "AWS credentials file of one profile; relative to this file");

/// Names of the sources.
const FORMS: [&str; 4] = ["file", "keystore", "age", "kms-wrapped"];

/// Reads it all; none if anything is wrong, which has been noted by then.
pub(super) fn read(section: &Section<'_>) -> Option<KeySeal> {
    let source = source(section);
    let passphrase = passphrase(section)?;
    let kms = kms(section.child("kms"));
    let form = match (&source.value, &passphrase) {
        (Some(form), _) => *form,
        (None, Some(_)) => "keystore",
        (None, None) => "file",
    };
    let refuse = |what: &str, allowed: &str| {
        source.refuse(what, allowed, section.notes);
        None
    };
    match (form, passphrase, kms) {
        ("kms-wrapped", None, Some(kms)) => kms.map(KeySeal::Kms),
        ("kms-wrapped", None, None) => refuse("nobody is named to unwrap it", "key_source with [wallet.kms]"),
        (_, _, Some(_)) => refuse("[wallet.kms] unwraps another kind of file", "\"kms-wrapped\" and no passphrase"),
        ("keystore", Some(passphrase), None) => Some(KeySeal::Keystore(passphrase)),
        ("age", Some(passphrase), None) => Some(KeySeal::Age(passphrase)),
        ("keystore" | "age", None, None) => {
            refuse("no passphrase opens it", "key_source with passphrase_file or passphrase_fd")
        }
        (_, Some(_), None) => refuse("no passphrase opens such a file", "\"keystore\" or \"age\" with a passphrase"),
        (_, None, None) => Some(KeySeal::Plain),
    }
}

fn source(section: &Section<'_>) -> Field<&'static str> {
    let allowed = FORMS.map(|form| format!("\"{form}\"")).join(" or ");
    let rule = Rule { unit: "", allowed, absent: Absent::Fine, show: |form: &&str| (*form).to_owned() };
    section.text(SOURCE, rule, |text| match FORMS.into_iter().find(|form| *form == text) {
        Some(form) => Ok(form),
        None if text == "kms" => {
            let why = "a signature by KMS takes a socket and tens of milliseconds, and the signer has neither";
            Err(format!("{why}; it can unwrap the key at start"))
        }
        None => Err(format!("{} is not one of them", quoted(text))),
    })
}

/// Where the passphrase comes from: of two ways at most one. None if a field is wrong.
fn passphrase(section: &Section<'_>) -> Option<Option<Passphrase>> {
    let file = section.text(FILE, path_rule("path of a plain file with mode 0600 or 0400", Absent::Fine), path);
    let range = 3..=1_023;
    let rule =
        Rule { unit: "", allowed: "3 to 1023".into(), absent: Absent::Fine, show: |number: &i64| number.to_string() };
    let descriptor = section.field(DESCRIPTOR, rule, |value| read_integer(value, &range));
    if file.value.is_some() && descriptor.value.is_some() {
        descriptor.refuse("given beside passphrase_file", "one of the two", section.notes);
        return None;
    }
    let descriptor = descriptor.value.and_then(|number| i32::try_from(number).ok()).map(Passphrase::Descriptor);
    Some(file.value.map(Passphrase::File).or(descriptor))
}

/// The region a key's full name says.
fn region(arn: &str) -> Result<&str, String> {
    let parts: Vec<&str> = arn.split(':').collect();
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    match parts[..] {
        ["arn", partition, "kms", region, account, key]
            if partition.starts_with("aws") && [partition, region, account].into_iter().all(plain) =>
        {
            key.strip_prefix("key/").filter(|id| plain(id)).map(|_| region).ok_or_else(|| not_a_key(arn))
        }
        _ => Err(not_a_key(arn)),
    }
}

fn not_a_key(arn: &str) -> String {
    format!("{} is not the full name of a key", quoted(arn))
}

/// `[wallet.kms]`: none if it is not given, an inner none if it is faulty.
fn kms(section: Section<'_>) -> Option<Option<KmsKey>> {
    if !section.is_given() {
        return None;
    }
    let s = &section;
    let allowed = "arn:aws:kms:REGION:ACCOUNT:key/ID".to_owned();
    let rule = Rule { unit: "", allowed, absent: Absent::Refused, show: String::clone };
    let arn = s.text(ARN, rule, |text| region(text).map(|_| text.to_owned()));
    let region = arn.value.as_deref().and_then(|arn| region(arn).ok()).map(str::to_owned);
    let china = region.as_deref().is_some_and(|region| region.starts_with("cn-"));
    let own =
        region.as_ref().map(|region| format!("https://kms.{region}.amazonaws.com{}", if china { ".cn" } else { "" }));
    let address = |text: &str| Url::read(text, "https", "http", false);
    let own = own.and_then(|own| address(&own).ok());
    let absent = own.map_or(Absent::Fine, Absent::Default);
    let endpoint = s.text(ENDPOINT, url_rule("https", "http", absent), address);
    let words = [("instance", "instance"), ("container", "container"), ("file", "file")];
    let credentials = s.choice(CREDENTIALS, &words, None);
    let rule = path_rule("path of a plain file with mode 0600 or 0400", Absent::Fine);
    let file = s.text(CREDENTIALS_FILE, rule, path);
    let timeout = s.ms(("timeout_ms", "longest wait for one answer"), 500..=30_000, 5_000);
    let lender = match (credentials.value, &file.value) {
        (Some("file"), Some(path)) => Some(KmsCredentials::File(path.clone())),
        (Some("file"), None) => {
            credentials.refuse("no file is named", "\"file\" with credentials_file", s.notes);
            None
        }
        (Some(other), Some(_)) => {
            file.refuse(format!("credentials are the {other}'s"), "credentials = \"file\"", s.notes);
            None
        }
        (Some("instance"), None) => Some(KmsCredentials::Instance),
        (Some(_), None) => Some(KmsCredentials::Container),
        (None, _) => None,
    };
    section.finish();
    let whole = || {
        let timeout_ms = timeout.value?.0 / crate::base::time::MS;
        Some(KmsKey {
            region: region?,
            key_arn: arn.value?,
            endpoint: endpoint.value?,
            credentials: lender?,
            timeout_ms,
        })
    };
    Some(whole())
}
