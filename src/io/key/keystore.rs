//! Encrypted keystore files, version 3: a key under a passphrase. Whatever comes near either is wiped.
//!
//! The derivation's cost stands in the file, so it is bounded here: a hostile file must not take the machine's memory.

use std::num::NonZeroU32;

use aes::Aes128;
use aes::cipher::{BlockEncrypt, KeyInit};
use alloy_primitives::{hex, keccak256};
use ring::pbkdf2;
use serde::Deserialize;
use zeroize::{Zeroize, Zeroizing};

/// Largest keystore file, in bytes.
pub(super) const BYTES_MAX: usize = 16 * 1024;
/// Most memory scrypt may take.
const SCRYPT_BYTES_MAX: u64 = 1 << 30;
/// Most work scrypt may do beyond its memory.
const SCRYPT_PARALLEL_MAX: u32 = 16;
/// Most rounds of PBKDF2.
const ROUNDS_MAX: u32 = 10_000_000;

#[derive(Deserialize)]
struct File {
    version: u8,
    #[serde(alias = "Crypto")]
    crypto: Crypto,
    #[serde(default)]
    address: Option<String>,
}

#[derive(Deserialize)]
struct Crypto {
    cipher: String,
    cipherparams: CipherParams,
    ciphertext: String,
    kdf: String,
    kdfparams: KdfParams,
    mac: String,
}

#[derive(Deserialize)]
struct CipherParams {
    iv: String,
}

#[derive(Deserialize)]
struct KdfParams {
    dklen: u32,
    salt: String,
    #[serde(default)]
    n: Option<u64>,
    #[serde(default)]
    r: Option<u32>,
    #[serde(default)]
    p: Option<u32>,
    #[serde(default)]
    c: Option<u32>,
    #[serde(default)]
    prf: Option<String>,
}

/// What opening a keystore yields beside the secret: the address it claims, if it does.
pub(super) type Claimed = Option<[u8; 20]>;

fn bytes<const N: usize>(field: &str, text: &str) -> Result<[u8; N], String> {
    hex::decode_to_array(text).map_err(|_| format!("{field} must be {N} bytes in hexadecimal"))
}

/// Decrypts a keystore's text into the secret.
///
/// # Errors
/// What is wrong, in words that hold nothing of the key or the passphrase.
pub(super) fn open(text: &[u8], passphrase: &[u8], secret: &mut [u8; 32]) -> Result<Claimed, String> {
    let file: File = serde_json::from_slice(text).map_err(|why| format!("is no version 3 keystore: {why}"))?;
    if file.version != 3 {
        return Err(format!("is a keystore of version {}; version 3 is supported", file.version));
    }
    let Crypto { cipher, cipherparams, ciphertext, kdf, kdfparams, mac } = &file.crypto;
    if cipher != "aes-128-ctr" {
        return Err(format!("uses the cipher {cipher:?}; aes-128-ctr is supported"));
    }
    let sealed: [u8; 32] = bytes("ciphertext", ciphertext)?;
    let (iv, mac): ([u8; 16], [u8; 32]) = (bytes("iv", &cipherparams.iv)?, bytes("mac", mac)?);
    let claimed = file.address.as_deref().map(|address| bytes("address", address)).transpose()?;
    let derived = derive(kdf, kdfparams, passphrase)?;
    let mut proof = Zeroizing::new([0u8; 48]);
    proof[..16].copy_from_slice(&derived[16..]);
    proof[16..].copy_from_slice(&sealed);
    if keccak256(&proof[..]) != mac {
        return Err("does not open with this passphrase".to_owned());
    }
    let aes = Aes128::new_from_slice(&derived[..16]).map_err(|_| "has no usable key".to_owned())?;
    for (place, (plain, sealed)) in secret.chunks_exact_mut(16).zip(sealed.chunks_exact(16)).enumerate() {
        let mut stream = aes::Block::from(u128::from_be_bytes(iv).wrapping_add(place as u128).to_be_bytes());
        aes.encrypt_block(&mut stream);
        for ((plain, sealed), pad) in plain.iter_mut().zip(sealed).zip(&stream) {
            *plain = sealed ^ pad;
        }
        stream[..].zeroize();
    }
    Ok(claimed)
}

/// The 32 bytes a passphrase stretches to.
fn derive(kdf: &str, params: &KdfParams, passphrase: &[u8]) -> Result<Zeroizing<[u8; 32]>, String> {
    let missing = |field: &str| format!("its kdfparams lack {field}");
    if params.dklen != 32 {
        return Err(format!("has dklen {}; 32 is supported", params.dklen));
    }
    let salt = hex::decode(&params.salt).map_err(|_| "salt must be hexadecimal".to_owned())?;
    let mut derived = Zeroizing::new([0u8; 32]);
    match kdf {
        "scrypt" => {
            let n = params.n.ok_or_else(|| missing("n"))?;
            let (r, p) = (params.r.ok_or_else(|| missing("r"))?, params.p.ok_or_else(|| missing("p"))?);
            let memory = n.checked_mul(u64::from(r)).and_then(|blocks| blocks.checked_mul(128));
            if !n.is_power_of_two()
                || n < 2
                || memory.is_none_or(|bytes| bytes > SCRYPT_BYTES_MAX)
                || p > SCRYPT_PARALLEL_MAX
            {
                return Err(format!("asks scrypt for n {n}, r {r}, p {p}; at most 1 GiB and p 16 are allowed"));
            }
            let params = scrypt::Params::new(n.trailing_zeros() as u8, r, p, 32)
                .map_err(|_| format!("asks scrypt for n {n}, r {r}, p {p}, which it does not allow"))?;
            scrypt::scrypt(passphrase, &salt, &params, &mut derived[..]).map_err(|why| why.to_string())?;
        }
        "pbkdf2" => {
            let rounds = params.c.ok_or_else(|| missing("c"))?;
            let allowed = NonZeroU32::new(rounds).filter(|rounds| rounds.get() <= ROUNDS_MAX);
            let rounds = allowed.ok_or_else(|| format!("asks for {rounds} rounds; 1 to {ROUNDS_MAX} are allowed"))?;
            if params.prf.as_deref() != Some("hmac-sha256") {
                return Err("asks for another prf than hmac-sha256".to_owned());
            }
            pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, &salt, passphrase, &mut derived[..]);
        }
        other => return Err(format!("stretches its passphrase with {other:?}; scrypt and pbkdf2 are supported")),
    }
    Ok(derived)
}

#[cfg(test)]
mod tests {
    use super::super::LocalKey;
    use super::*;
    use crate::engine::ports::Key;

    /// A light store as wallets make them, its passphrase empty.
    const SCRYPT: &str = r#"{"address":"45dea0fb0bba44f4fcf290bba71fd57d7117cbb8","crypto":{"cipher":"aes-128-ctr",
        "ciphertext":"b87781948a1befd247bff51ef4063f716cf6c2d3481163e9a8f42e1f9bb74145","cipherparams":
        {"iv":"dc4926b48a105133d2f16b96833abf1e"},"kdf":"scrypt","kdfparams":{"dklen":32,"n":2,"p":1,"r":8,
        "salt":"004244bbdc51cadda545b1cfa43cff9ed2ae88e08c61f1479dbb45410722f8f0"},
        "mac":"39990c1684557447940d4c69e06b1b82b2aceacb43f284df65c956daf3046b85"},
        "id":"ce541d8d-c79b-40f8-9f8c-20f59616faba","version":3}"#;
    /// The definition's own vector; its passphrase is `testpassword`.
    const PBKDF2: &str = r#"{"crypto":{"cipher":"aes-128-ctr","cipherparams":{"iv":"6087dab2f9fdbbfaddc31a909735c1e6"},
        "ciphertext":"5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46","kdf":"pbkdf2","kdfparams":
        {"c":262144,"dklen":32,"prf":"hmac-sha256","salt":"ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd"},
        "mac":"517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2"},
        "id":"3198bc9c-6672-5ab3-d995-4942343ae5b6","version":3}"#;
    const SECRET: &str = "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d";

    #[test]
    fn the_vectors_open_and_nothing_else_does() {
        let mut secret = [0; 32];
        assert_eq!(open(PBKDF2.as_bytes(), b"testpassword", &mut secret), Ok(None));
        assert_eq!(hex::encode(secret), SECRET);
        let claimed = open(SCRYPT.as_bytes(), b"", &mut secret).expect("opens").expect("an address");
        assert_eq!(LocalKey::from_bytes(&mut secret).expect("a key").address(), claimed);
        let wrong = open(PBKDF2.as_bytes(), b"testpasswore", &mut secret).expect_err("wrong");
        assert!(wrong.contains("passphrase") && !wrong.contains("testpass"), "{wrong}");
        assert_eq!(secret, [0; 32], "nothing is shown of what did not open");
    }

    #[test]
    fn what_is_not_supported_or_not_bearable_is_said() {
        let table = [
            ("\"version\":3", "\"version\":1", "version 1"),
            ("aes-128-ctr", "aes-128-cbc", "aes-128-cbc"),
            ("\"c\":262144", "\"c\":0", "0 rounds"),
            ("\"c\":262144", "\"c\":4000000000", "4000000000 rounds"),
            ("\"kdf\":\"pbkdf2\"", "\"kdf\":\"argon2\"", "argon2"),
            ("hmac-sha256", "hmac-sha1", "prf"),
            ("\"dklen\":32", "\"dklen\":64", "dklen 64"),
            ("\"iv\":\"60", "\"iv\":\"", "iv must be 16 bytes"),
            ("\"ciphertext\":\"53", "\"ciphertext\":\"5g", "ciphertext must be 32 bytes"),
            ("\"crypto\"", "\"krypto\"", "no version 3 keystore"),
            ("{", "", "no version 3 keystore"),
        ];
        for (from, to, says) in table {
            let why = open(PBKDF2.replacen(from, to, 1).as_bytes(), b"testpassword", &mut [0; 32]).expect_err(to);
            assert!(why.contains(says), "{why}");
        }
        for n in ["\"n\":0", "\"n\":3", "\"n\":1", "\"n\":1099511627776", "\"n\":18446744073709551615"] {
            let text = SCRYPT.replacen("\"n\":2", n, 1);
            assert!(open(text.as_bytes(), b"x", &mut [0; 32]).expect_err(n).contains("scrypt"));
        }
    }
}
