//! `public/get_latest_signed_feeds`: everything marks are made of, signed.
//!
//! The public documents do not say what v3 feeds sign. Here it is the scheme of the v2 feed contracts: EIP-712 over
//! `FeedData(bytes data,uint256 deadline,uint64 timestamp)` with the domain of the network's Matching contract, where
//! `data` is the ABI encoding of the feed's numbers as 1e18 words in the order of the functions below, and deadline and
//! timestamp are the integers of the reply. Domain and order of the numbers are our own choice; a timestamp is in
//! seconds on v2, where contracts hold it against their blocks, and in milliseconds on v3. The one signer is this
//! exchange's own key, derived from a public text; it guards nothing.

use super::svi::to_decimal;
use crate::base::time::Nanos;
use crate::exchange::money::{e18_signed, json as decimal, truncate};
use crate::exchange::public::{now, object};
use crate::exchange::rpc::{Answer, Call};
use crate::exchange::{Dialect, Exchange, Refusal};
use alloy::sol_types::SolValue;
use alloy_primitives::{Address, B256, I256, Signature, U256, hex, keccak256};
use k256::ecdsa::SigningKey;
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

/// The type whose hash opens the signed struct.
const FEED_TYPE: &[u8] = b"FeedData(bytes data,uint256 deadline,uint64 timestamp)";
/// Seconds a signed datum may be used for.
const LIFE_S: u64 = 3_600;
/// Every feed here is certain.
const CONFIDENCE: Decimal = Decimal::ONE;

/// The exchange's feed key and its address.
#[derive(Clone, Debug)]
pub struct FeedKey {
    key: SigningKey,
    address: Address,
}

impl FeedKey {
    /// The key of every embedded exchange.
    pub fn new() -> FeedKey {
        let mut digest = keccak256("keel embedded exchange feed");
        loop {
            if let Ok(key) = SigningKey::from_slice(digest.as_slice()) {
                let address = Address::from_private_key(&key);
                return FeedKey { key, address };
            }
            digest = keccak256(digest);
        }
    }

    fn sign(&self, digest: B256) -> Option<String> {
        let (signature, recovery) = self.key.sign_prehash_recoverable(digest.as_slice()).ok()?;
        Some(hex::encode_prefixed(Signature::from((signature, recovery)).as_bytes()))
    }
}

/// What a feed datum signs.
pub fn digest(domain: B256, data: &[u8], deadline: u64, timestamp: u64) -> B256 {
    let fields = (keccak256(FEED_TYPE), keccak256(data), U256::from(deadline), U256::from(timestamp));
    let hashed = keccak256(fields.abi_encode());
    keccak256([&[0x19, 0x01], domain.as_slice(), hashed.as_slice()].concat())
}

fn word(value: Decimal) -> I256 {
    e18_signed(truncate(value))
}

/// Adds the common members to a row and signs its data.
fn signed(exchange: &Exchange, mut row: Value, data: &[u8], at: Nanos) -> Value {
    let timestamp = match exchange.settings.dialect() {
        Dialect::V2 => at.secs(),
        Dialect::V3 => at.ms(),
    };
    let deadline = exchange.now.secs() + LIFE_S;
    let signature = exchange.feed_key.sign(digest(exchange.domain, data, deadline, timestamp));
    row["confidence"] = decimal(CONFIDENCE);
    row["timestamp"] = json!(timestamp);
    row["deadline"] = json!(deadline);
    row["signatures"] = json!({ "signers": [exchange.feed_key.address.to_string()], "signatures": [signature] });
    row
}

fn spot_row(exchange: &Exchange, currency: &str) -> Value {
    let price = exchange.spot_price(currency);
    let row = json!({ "currency": currency, "price": decimal(price), "feed_source_type": "S" });
    signed(exchange, row, &(word(price), word(CONFIDENCE)).abi_encode(), exchange.now)
}

fn perp_row(exchange: &Exchange, currency: &str, ix: usize) -> Value {
    let diff = exchange.markets[ix].perp.diff();
    let row = json!({ "currency": currency, "spot_diff_value": decimal(diff), "type": "P" });
    json!({ "P": signed(exchange, row, &(word(diff), word(CONFIDENCE)).abi_encode(), exchange.now) })
}

fn funding_row(exchange: &Exchange, currency: &str, ix: usize) -> Value {
    let rate = exchange.markets[ix].perp.rate;
    let row = json!({ "currency": currency, "funding_rate": decimal(rate) });
    signed(exchange, row, &(word(rate), word(CONFIDENCE)).abi_encode(), exchange.now)
}

/// The forward feed is made now: inside the settlement window its timestamp says up to when spot is in the aggregate.
fn forward_row(exchange: &Exchange, currency: &str, expiry_s: u64) -> Option<Value> {
    let chain = exchange.chain(currency, expiry_s)?;
    let window = chain.window(expiry_s, exchange.spots.get(currency)?, exchange.now);
    let (start, latest) = window.map_or((Decimal::ZERO, Decimal::ZERO), |w| (w.start, w.latest));
    let row = json!({
        "currency": currency, "expiry": expiry_s, "fwd_diff": decimal(chain.fwd_diff),
        "spot_aggregate_start": decimal(start), "spot_aggregate_latest": decimal(latest),
    });
    let data = (U256::from(expiry_s), word(start), word(latest), word(chain.fwd_diff), word(CONFIDENCE)).abi_encode();
    Some(signed(exchange, row, &data, exchange.now.min(super::marks::window_of(expiry_s).1)))
}

fn vol_row(exchange: &Exchange, currency: &'static str, expiry_s: u64) -> Option<Value> {
    let svi = exchange.surface_of(currency, expiry_s)?;
    let [a, b, rho, m, sigma, fwd, ref_tau] =
        [svi.a, svi.b, svi.rho, svi.m, svi.sigma, svi.fwd, svi.ref_tau].map(to_decimal);
    let row = json!({
        "currency": currency, "expiry": expiry_s,
        "vol_data": {
            "SVI_a": decimal(a), "SVI_b": decimal(b), "SVI_rho": decimal(rho), "SVI_m": decimal(m),
            "SVI_sigma": decimal(sigma), "SVI_fwd": decimal(fwd), "SVI_refTau": decimal(ref_tau),
        },
    });
    let words = [a, b, rho, m, sigma, fwd, ref_tau, CONFIDENCE].map(word);
    let data = (U256::from(expiry_s), words).abi_encode();
    let made = exchange.chain(currency, expiry_s).filter(|c| c.svi.is_some()).map_or(exchange.now, |c| c.vol_at);
    Some(signed(exchange, row, &data, made))
}

/// Nothing is discounted here: the rate is zero and the tickers' `df` is one.
fn rate_row(exchange: &Exchange, currency: &str, expiry_s: u64) -> Value {
    let row = json!({ "currency": currency, "expiry": expiry_s, "rate": "0" });
    signed(exchange, row, &(U256::from(expiry_s), word(Decimal::ZERO), word(CONFIDENCE)).abi_encode(), exchange.now)
}

/// Currency and expiry filter; expiry 0 asks for spot and perps alone.
pub fn latest_signed_feeds(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let wanted = call.params.opt_text("currency")?;
    if let Some(name) = wanted.filter(|n| exchange.find_asset(n).is_none()) {
        return Err(Refusal::because(12002, name));
    }
    let expiry = call.params.opt_u64("expiry")?;
    let [mut spot, mut perp, mut funding, mut fwd, mut rate, mut vol] = std::array::from_fn(|_| Map::new());
    for name in exchange.spots.keys().copied().filter(|n| wanted.is_none_or(|w| w == *n)) {
        spot.insert(name.to_string(), spot_row(exchange, name));
        if let Ok(ix) = exchange.find_instrument(&format!("{name}-PERP")) {
            perp.insert(name.to_string(), perp_row(exchange, name, ix));
            funding.insert(name.to_string(), funding_row(exchange, name, ix));
        }
        let expiries = exchange.expiries(name).into_iter().filter(|e| expiry.is_none_or(|x| x == *e));
        let [mut forwards, mut rates, mut vols] = std::array::from_fn(|_| Map::new());
        for expiry_s in expiries {
            let key = expiry_s.to_string();
            forwards.extend(forward_row(exchange, name, expiry_s).map(|row| (key.clone(), row)));
            vols.extend(vol_row(exchange, name, expiry_s).map(|row| (key.clone(), row)));
            rates.insert(key, rate_row(exchange, name, expiry_s));
        }
        for (all, of_currency) in [(&mut fwd, forwards), (&mut rate, rates), (&mut vol, vols)] {
            if !of_currency.is_empty() {
                all.insert(name.to_string(), Value::Object(of_currency));
            }
        }
    }
    let sections = [
        ("spot_data", spot),
        ("perp_data", perp),
        ("funding_data", funding),
        ("fwd_data", fwd),
        ("rate_data", rate),
        ("vol_data", vol),
    ];
    now(object(sections.map(|(name, rows)| (name, Value::Object(rows)))))
}
