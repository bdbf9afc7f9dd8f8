//! The venue's signed spot price, made into the call that brings it to a feed on chain.
//!
//! The feed takes `FeedData(bytes data,uint256 deadline,uint64 timestamp,address[] signers,bytes[] signatures)`. The venue tells
//! all of it but `data`, which is what was signed: here price and confidence as two words of 18 decimals. That is how
//! the project's own feed reads it; the venue's documents do not say. A feed that reads it otherwise refuses the
//! signature in the call that is tried first, and then nothing is sent.

use super::abi::{FeedData, SpotFeed};
use super::presign::words::SignedPrice;
use crate::base::num::Cash;
use crate::ops::rest::Rest;
use alloy::primitives::{Address, Bytes, U256};
use alloy::sol_types::{SolCall, SolValue};
use serde::Deserialize;
use serde_json::json;
use std::collections::HashMap;
use std::time::Duration;

/// Longest wait for the venue: orders that wait for a signature wait too.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// Signatures under one price, at most.
const SIGNERS_MAX: usize = 16;
/// Bytes of a signature.
const SIGNATURE_BYTES: usize = 65;
/// Largest price, which a feed keeps in 96 bits.
const PRICE_MAX: Cash = Cash::whole(10_000_000_000);

/// Where signed prices of one currency come from.
#[derive(Clone)]
pub struct Oracle {
    venue: Rest,
    currency: String,
}

#[derive(Deserialize)]
struct Feeds {
    spot_data: HashMap<String, Row>,
}

#[derive(Deserialize)]
struct Row {
    price: String,
    confidence: String,
    deadline: u64,
    timestamp: u64,
    signatures: Signatures,
}

#[derive(Deserialize)]
struct Signatures {
    signers: Vec<Address>,
    signatures: Vec<Bytes>,
}

impl Oracle {
    /// Prices of `currency`, from the venue at this HTTP base address.
    ///
    /// # Errors
    /// Why it cannot be asked, in words.
    pub fn of(venue: &str, currency: &str) -> Result<Oracle, String> {
        let venue = Rest::new(venue).map_err(|why| why.to_string())?;
        Ok(Oracle { venue, currency: currency.to_owned() })
    }

    /// The newest there is.
    ///
    /// # Errors
    /// Why there is none, in words.
    pub async fn newest(&self) -> Result<SignedPrice, String> {
        // Expiry 0 is spot and perps alone.
        let params = json!({ "currency": self.currency, "expiry": 0 });
        let asked = self.venue.call("public/get_latest_signed_feeds", &params, None);
        let answer = tokio::time::timeout(ANSWER_MAX, asked).await;
        let answer = answer.map_err(|_| format!("no signed feeds within {ANSWER_MAX:?}"))?;
        read(&answer.map_err(|why| why.to_string())?, &self.currency)
    }
}

/// Reads the result of `public/get_latest_signed_feeds`.
fn read(result: &str, currency: &str) -> Result<SignedPrice, String> {
    let mut feeds: Feeds =
        serde_json::from_str(result).map_err(|why| format!("signed feeds are not as documented: {why}"))?;
    let row = feeds.spot_data.remove(currency).ok_or_else(|| format!("no signed spot feed of {currency}"))?;
    let wrong = |field: &str, why: String| format!("signed spot feed of {currency}: {field}: {why}");
    let word = |field: &str, text: &str, most: Cash| {
        let value: Cash = text.parse().map_err(|why| wrong(field, format!("{why}")))?;
        let fits = value > Cash::ZERO && value <= most;
        fits.then(|| U256::from(value.raw().unsigned_abs()))
            .ok_or_else(|| wrong(field, format!("{value}, where above 0 and at most {most}")))
    };
    let data =
        (word("price", &row.price, PRICE_MAX)?, word("confidence", &row.confidence, Cash::whole(1))?).abi_encode();
    let Signatures { signers, signatures } = row.signatures;
    let count = signers.len();
    if count != signatures.len() || !(1..=SIGNERS_MAX).contains(&count) {
        let what = format!("{count} signers of {} signatures, where as many, 1 to {SIGNERS_MAX}", signatures.len());
        return Err(wrong("signatures", what));
    }
    if let Some(odd) = signatures.iter().find(|signature| signature.len() != SIGNATURE_BYTES) {
        return Err(wrong("signatures", format!("{} bytes, where {SIGNATURE_BYTES}", odd.len())));
    }
    let (deadline, timestamp) = (U256::from(row.deadline), row.timestamp);
    let whole = FeedData { data: data.into(), deadline, timestamp, signers, signatures };
    let calldata = SpotFeed::acceptDataCall { data: whole.abi_encode().into() }.abi_encode().into();
    Ok(SignedPrice { signed_s: timestamp, calldata })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn row() -> Value {
        json!({
            "price": "4000.5", "confidence": "1", "deadline": 1_800_003_600_u64, "timestamp": 1_800_000_000_u64,
            "signatures": {
                "signers": ["0x1111111111111111111111111111111111111111"],
                "signatures": [format!("0x{}", "22".repeat(65))],
            },
        })
    }

    fn answer(row: &Value) -> String {
        json!({ "spot_data": { "WEETH": row }, "perp_data": {} }).to_string()
    }

    #[test]
    fn what_was_signed_is_brought_word_by_word() {
        let price = read(&answer(&row()), "WEETH").expect("sound");
        assert_eq!(price.signed_s, 1_800_000_000);
        let call = SpotFeed::acceptDataCall::abi_decode(&price.calldata).expect("our own call");
        let told = FeedData::abi_decode(&call.data).expect("feed data");
        let e15 = U256::from(10_u64.pow(15));
        assert_eq!(<(U256, U256)>::abi_decode(&told.data), Ok((U256::from(4_000_500) * e15, U256::from(1_000) * e15)));
        assert_eq!((told.deadline, told.timestamp), (U256::from(1_800_003_600_u64), 1_800_000_000));
        assert_eq!(told.signers, [Address::repeat_byte(0x11)]);
        assert_eq!(told.signatures, [Bytes::from(vec![0x22; 65])]);
    }

    #[test]
    fn anything_else_is_refused_by_field() {
        let table: [(&str, Value, &str); 6] = [
            ("price", json!("0"), "price: 0, where above 0"),
            ("price", json!("10000000001"), "price: 10000000001, where above 0 and at most 10000000000"),
            ("price", json!("1e3"), "price: "),
            ("confidence", json!("1.1"), "confidence: 1.1, where above 0 and at most 1"),
            ("signatures", json!({ "signers": [], "signatures": [] }), "0 signers of 0 signatures"),
            (
                "signatures",
                json!({ "signers": ["0x1111111111111111111111111111111111111111"], "signatures": ["0x22"] }),
                "signatures: 1 bytes, where 65",
            ),
        ];
        for (field, value, expected) in table {
            let mut row = row();
            row[field] = value;
            let why = read(&answer(&row), "WEETH").expect_err("refused");
            assert!(why.contains(expected), "{why}");
        }
        assert_eq!(read(&answer(&row()), "LBTC"), Err("no signed spot feed of LBTC".to_owned()));
        assert!(read("{}", "WEETH").is_err());
    }
}
