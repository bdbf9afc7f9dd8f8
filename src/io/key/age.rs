//! Files encrypted with age (format version 1) under a passphrase. Whatever comes near key or passphrase is wiped.
//!
//! The format is read here, over ring and scrypt, because what a key needs of it is one stanza and one block: the
//! library brings a translation framework and fifty crates into the process that holds the key. Files made by the
//! library are what the tests open.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::{hkdf, hmac};
use zeroize::Zeroizing;

/// Largest file, in bytes: a header, a key, and armour around both.
pub(super) const BYTES_MAX: usize = 4 * 1024;
/// Longest content, in bytes.
const PLAIN_MAX: usize = 128;
/// Highest work factor: scrypt takes a kibibyte to this power of two, and a hostile file must not take the machine's.
const WORK_MAX: u8 = 20;
/// Salt of the stanza, nonce of the payload.
const SALT: usize = 16;
const FILE_KEY: usize = 16;
const TAG: usize = 16;
/// A nonce's last byte in the last block.
const LAST: u8 = 1;

const VERSION: &[u8] = b"age-encryption.org/v1\n";
const ARMOUR: [&str; 2] = ["-----BEGIN AGE ENCRYPTED FILE-----", "-----END AGE ENCRYPTED FILE-----"];

/// A file, taken apart.
struct Parts<'f> {
    salt: [u8; SALT],
    work: u8,
    wrapped: [u8; FILE_KEY + TAG],
    /// From the first byte to the dashes, which the code covers too.
    header: &'f [u8],
    code: [u8; 32],
    nonce: [u8; SALT],
    payload: &'f [u8],
}

/// Decrypts a file to its content.
///
/// # Errors
/// What is wrong, in words that hold nothing of the key or the passphrase.
pub(super) fn open(file: &[u8], passphrase: &[u8]) -> Result<Zeroizing<Vec<u8>>, String> {
    let bare = bared(file)?;
    let parts = Parts::of(&bare)?;
    let file_key = unwrapped(&parts, passphrase)?;
    let code = hmac::Key::new(hmac::HMAC_SHA256, &*derived(&[], &file_key, b"header"));
    if hmac::verify(&code, parts.header, &parts.code).is_err() {
        return Err("has a header that was changed".to_owned());
    }
    if parts.payload.len() > PLAIN_MAX + TAG {
        return Err(format!("holds more than {PLAIN_MAX} bytes, so no key"));
    }
    let mut nonce = [0; 12];
    nonce[11] = LAST;
    let mut block = Zeroizing::new(parts.payload.to_vec());
    let key = derived(&parts.nonce, &file_key, b"payload");
    let length = opened(&key, nonce, &mut block).ok_or("has a content that was changed or cut")?;
    block.truncate(length);
    Ok(block)
}

/// Without the armour, if there is one.
fn bared(file: &[u8]) -> Result<Vec<u8>, String> {
    let Some(text) = std::str::from_utf8(file).ok().map(str::trim).filter(|text| text.starts_with("-----")) else {
        return Ok(file.to_vec());
    };
    let inner = text.strip_prefix(ARMOUR[0]).and_then(|rest| rest.strip_suffix(ARMOUR[1]));
    let inner = inner.ok_or_else(|| "has an armour that is not age's".to_owned())?;
    let digits: String = inner.lines().map(str::trim_end).collect();
    STANDARD.decode(digits).map_err(|_| "has an armour that is not base64".to_owned())
}

fn exactly<const N: usize>(what: &str, digits: &[u8]) -> Result<[u8; N], String> {
    let bytes = STANDARD_NO_PAD.decode(digits).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| format!("has a {what} that is not {N} bytes in base64"))
}

impl<'f> Parts<'f> {
    fn of(file: &'f [u8]) -> Result<Parts<'f>, String> {
        let rest = file.strip_prefix(VERSION).ok_or("is no age file of version 1")?;
        let (stanza, rest) = line(rest)?;
        let words: Vec<&[u8]> = stanza.split(|byte| *byte == b' ').collect();
        let (salt, work) = match words[..] {
            [b"->", b"scrypt", salt, work] => (salt, work),
            [b"->", ..] => return Err("is not encrypted with a passphrase; age -p makes one that is".to_owned()),
            _ => return Err("has a header that is none".to_owned()),
        };
        let work = std::str::from_utf8(work).ok().filter(|text| !text.starts_with(['0', '+']));
        let work = work.and_then(|text| text.parse().ok()).filter(|work| *work <= WORK_MAX);
        let work = work.ok_or_else(|| format!("asks scrypt for another work factor than 1 to {WORK_MAX}"))?;
        let (wrapped, rest) = line(rest)?;
        let dashes = file.len() - rest.len() + 3;
        let (end, payload) = line(rest)?;
        let code = end.strip_prefix(b"--- ").ok_or("has more recipients than its passphrase")?;
        let (nonce, payload) = payload.split_first_chunk::<SALT>().ok_or("ends before its content")?;
        Ok(Parts {
            salt: exactly("salt", salt)?,
            work,
            wrapped: exactly("stanza", wrapped)?,
            header: &file[..dashes],
            code: exactly("code", code)?,
            nonce: *nonce,
            payload,
        })
    }
}

fn line(text: &[u8]) -> Result<(&[u8], &[u8]), String> {
    let end = text.iter().position(|byte| *byte == b'\n').ok_or("has a header without an end")?;
    Ok((&text[..end], &text[end + 1..]))
}

/// The file's own key, by the passphrase.
fn unwrapped(parts: &Parts<'_>, passphrase: &[u8]) -> Result<Zeroizing<Vec<u8>>, String> {
    let params = scrypt::Params::new(parts.work, 8, 1, 32).map_err(|why| format!("asks scrypt for too much: {why}"))?;
    let salt = [&b"age-encryption.org/v1/scrypt"[..], &parts.salt].concat();
    let mut key = Zeroizing::new([0; 32]);
    scrypt::scrypt(passphrase, &salt, &params, &mut key[..]).map_err(|why| why.to_string())?;
    let mut file_key = Zeroizing::new(parts.wrapped.to_vec());
    let length = opened(&key, [0; 12], &mut file_key).ok_or("does not open with this passphrase")?;
    file_key.truncate(length);
    Ok(file_key)
}

/// Thirty-two bytes for one purpose.
fn derived(salt: &[u8], key: &[u8], purpose: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut out = Zeroizing::new([0; 32]);
    let secret = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(key);
    let filled = secret.expand(&[purpose], hkdf::HKDF_SHA256).and_then(|okm| okm.fill(&mut out[..]));
    filled.expect("thirty-two bytes are what this derivation gives");
    out
}

/// Decrypts in place; the length of what was inside, or none if it was changed.
fn opened(key: &[u8; 32], nonce: [u8; 12], block: &mut [u8]) -> Option<usize> {
    let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key).ok()?);
    let plain = key.open_in_place(Nonce::assume_unique_for_key(nonce), Aad::empty(), block);
    plain.map(|plain| plain.len()).ok()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use alloy_primitives::hex;

    /// Made by age's own library (rage 0.11) with work factor 4: the key of the usual first developer account and a line
    /// end, under the passphrase `correct horse`.
    pub(in crate::io::key) const FILE: &str = "6167652d656e6372797074696f6e2e6f72672f76310a2d3e20736372797074204e56302b4459776e6970686a3739334d37303058684120340a49556b6c744f6f4e32463138455371485875634d796a3777546c2f474842487964673553555a36535a33670a2d2d2d20524341527132786c70464c694f48482b42587a6672766f6f767447517a6f754e4c35536c63466d754933380a2376a85246a09b20f42c4a8b98ae388ca855324bbfdff6bf7d14132e25a90cfdec23ea99dee7c4735ac773b49dc5676eca67923d63d90be65c8715a60298fb881a059f4b9876ad82d08f64e0560c9b7cdc47d491a748fee4f8f84a31fad68a5669";
    /// Likewise, to a public key.
    const TO_A_KEY: &str = "6167652d656e6372797074696f6e2e6f72672f76310a2d3e20583235353139205730786e78493164546a4144505634755335676d2b7a6a7877396a51747255554e57523138554e396c52300a724b4d2f42445670574576346445776e314b6348414d76586559482f6d677642304243444d3377594f41380a2d3e2079632d677265617365202f6e23202d3520590a50687675354d42322b34726a474f6f302f4d4a374869433259427a7a3379793135703939575369704f504f326c4b647334435a4a7a65577168344135584959560a515a545a4c6e6d30764b7a516e5333566475796854444971526972766f4c453055445a6949436f6a63454a735847454b6b6e76722b670a2d2d2d20382f5368786e6654645a597a596f464e626c336279334f586e514344473572754c4841684871314d4271510a661f9880004998d4e0ac45f70c8e8b84d7f7c83d875a1bddbacf696b3ab3ccdcd96ae29a33cc377de57f1eb843017576b3a49e85688d5436a90e43dceee6e9a0a8b6bf6cfa54bca4512c9709d78d4e46d94a4b967f76fcd9ef6f35d8a5b963c2dd";
    const KEY: &str = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80\n";
    const WORDS: &[u8] = b"correct horse";

    fn file() -> Vec<u8> {
        hex::decode(FILE).expect("a constant")
    }

    fn armoured(file: &[u8]) -> String {
        let digits = STANDARD.encode(file);
        let lines: Vec<&str> =
            digits.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("ASCII")).collect();
        format!("{}\n{}\n{}\n", ARMOUR[0], lines.join("\n"), ARMOUR[1])
    }

    #[test]
    fn files_of_the_library_open_bare_and_armoured() {
        assert_eq!(open(&file(), WORDS).expect("opens")[..], *KEY.as_bytes());
        assert_eq!(open(armoured(&file()).as_bytes(), WORDS).expect("opens")[..], *KEY.as_bytes());
        let windows = armoured(&file()).replace('\n', "\r\n");
        assert_eq!(open(windows.as_bytes(), WORDS).expect("opens")[..], *KEY.as_bytes());
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let sound = file();
        for place in 0..sound.len() {
            let mut changed = sound.clone();
            changed[place] ^= 1;
            // A work factor of 5 for 4 is the one change that costs more than a look.
            let why = open(&changed, WORDS).expect_err("changed");
            assert!(!why.contains("correct") && !why.contains("ac0974"), "{why}");
        }
        for length in 0..sound.len() {
            assert!(open(&sound[..length], WORDS).is_err(), "cut at {length}");
        }
    }

    #[test]
    fn what_is_not_supported_or_not_bearable_is_said() {
        let text = |from: &str, to: &str| {
            let sound = file();
            let at = sound.windows(from.len()).position(|part| part == from.as_bytes()).expect("there");
            [&sound[..at], to.as_bytes(), &sound[at + from.len()..]].concat()
        };
        let long = [file(), vec![0; 200]].concat();
        let table: [(Vec<u8>, &str); 10] = [
            (hex::decode(TO_A_KEY).expect("a constant"), "not encrypted with a passphrase"),
            (text("hA 4\n", "hA 21\n"), "work factor than 1 to 20"),
            (text("hA 4\n", "hA 0\n"), "work factor than 1 to 20"),
            (text("hA 4\n", "hA 04\n"), "work factor than 1 to 20"),
            (text("hA 4\n", "hA +4\n"), "work factor than 1 to 20"),
            (text("v1\n", "v2\n"), "no age file of version 1"),
            (text("\n--- ", "\n-> scrypt x 4\nAAAA\n--- "), "more recipients"),
            (text("NV0+", "NV0"), "salt that is not 16 bytes"),
            (long, "more than 128 bytes"),
            (armoured(&file()).replace("-----END", "-----ENDE").into_bytes(), "armour that is not age's"),
        ];
        for (file, says) in table {
            let why = open(&file, WORDS).expect_err(says);
            assert!(why.contains(says), "{why} should say {says}");
        }
        assert!(open(&file(), b"correct horsf").expect_err("wrong").contains("does not open with this passphrase"));
        assert!(open(b"", WORDS).is_err() && open(b"-----", WORDS).is_err());
    }
}
