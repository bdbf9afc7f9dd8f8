//! Proves, before anything may trade, that key, chain, subaccount, instruments and clock are what the configuration says.

use crate::base::ids::{InstrumentId, Side, SubaccountId};
use crate::base::num::{Amount, Price};
use crate::base::time::{MS, Nanos, SEC};
use crate::derive::action::trade::{OrderFrame, OrderTemplate, OrderTerms};
use crate::derive::dialect::{Address, Dialect};
use crate::derive::instrument::listings;
use crate::engine::ports::Clock;
use crate::market::instrument::Instrument;
use crate::ops::rest::{Proof, Prover, Rest, RestError};
use alloy::hex;
use serde::Deserialize;
use serde_json::json;
use std::fmt;

/// Largest tolerated distance between our clock and the venue's (K2).
const CLOCK_OFFSET_NS_MAX: u64 = SEC;
/// Scopes of which one must be held to trade spot and perps.
const TRADING: [&str; 3] = ["admin", "trade:all", "trade:orderbook:all"];
/// Scopes that let a stolen key take money out; a trading key must not hold them.
const DANGEROUS: [&str; 4] = ["admin", "withdraw", "transfer:", "set_session_key"];

/// Why the engine refuses to start. Each says what to do.
#[derive(Debug)]
pub enum Refusal {
    /// The venue could not be asked.
    Venue(RestError),
    /// Our clock is off.
    Clock {
        /// Venue clock minus ours, ms.
        offset_ms: i64,
    },
    /// An instrument is missing or unusable.
    Instrument {
        /// Its name.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// The session key may not do what is needed, or may do too much.
    Key {
        /// Its address.
        address: String,
        /// What is wrong and what to do.
        why: String,
    },
    /// The subaccount is not usable.
    Subaccount {
        /// Its number.
        id: u64,
        /// What is wrong.
        why: String,
    },
    /// The venue verifies signatures for another chain.
    Chain {
        /// What we sign for.
        ours: String,
        /// What the venue verifies.
        venue: String,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Venue(why) => write!(f, "{why}"),
            Refusal::Clock { offset_ms } => write!(
                f,
                "this host's clock is {} ms {} the venue's (at most {} ms are allowed): discipline it with NTP or PTP, \
                 then start again",
                offset_ms.abs(),
                if *offset_ms > 0 { "behind" } else { "ahead of" },
                CLOCK_OFFSET_NS_MAX / MS
            ),
            Refusal::Instrument { name, why } => write!(f, "instrument {name}: {why}"),
            Refusal::Key { address, why } => write!(f, "session key {address}: {why}"),
            Refusal::Subaccount { id, why } => write!(f, "subaccount {id}: {why}"),
            Refusal::Chain { ours, venue } => write!(
                f,
                "the venue verifies signatures for domain {venue}, we would sign for {ours}: venue.environment does \
                 not match the venue at this address"
            ),
        }
    }
}

impl std::error::Error for Refusal {}

impl From<RestError> for Refusal {
    fn from(why: RestError) -> Refusal {
        Refusal::Venue(why)
    }
}

/// What must be proved.
pub struct Claims<'a> {
    /// Dialect signed for.
    pub dialect: &'a Dialect,
    /// Owner of the subaccounts.
    pub wallet: Address,
    /// The contract that signs for the wallet in the key's stead, if one does (v2).
    pub contract: Option<Address>,
    /// Subaccounts to trade for.
    pub subaccounts: &'a [SubaccountId],
    /// Instruments to trade, in table order.
    pub instruments: &'a [String],
}

/// What was proved.
#[derive(Clone, Debug)]
pub struct Proved {
    /// Instruments, in table order.
    pub instruments: Vec<Instrument>,
    /// When the session key expires.
    pub key_expires_at: Nanos,
    /// Venue clock minus ours.
    pub venue_offset_ns: i64,
    /// Round trip of the quickest time request.
    pub rtt_ns: u64,
}

fn garbled(method: &str, why: impl fmt::Display) -> Refusal {
    Refusal::Venue(RestError::Garbled { method: method.to_owned(), why: why.to_string() })
}

/// Asks the venue for everything [`Claims`] asserts.
pub async fn prove(
    rest: &Rest,
    claims: &Claims<'_>,
    key: &mut (dyn Prover + Send),
    clock: &mut (dyn Clock + Send),
) -> Result<Proved, Refusal> {
    let (venue_offset_ns, rtt_ns) = clock_offset(rest, clock).await?;
    if venue_offset_ns.unsigned_abs() > CLOCK_OFFSET_NS_MAX {
        return Err(Refusal::Clock { offset_ms: venue_offset_ns / MS as i64 });
    }
    let instruments = read_instruments(rest, claims.instruments).await?;
    let venue_at = clock.now().shifted(venue_offset_ns);
    let proof =
        key.prove(venue_at).map_err(|why| Refusal::Key { address: hex::encode_prefixed(key.address()), why })?;
    let proof = Proof::of(claims.dialect, &claims.wallet, &proof);
    let key_expires_at = check_key(rest, claims, &key.address(), &proof, venue_at).await?;
    for subaccount in claims.subaccounts {
        check_subaccount(rest, *subaccount, &proof).await?;
    }
    if let (Some(subaccount), Some(instrument)) = (claims.subaccounts.first(), instruments.first()) {
        let signer = claims.contract.unwrap_or_else(|| key.address());
        check_chain(rest, claims, &signer, *subaccount, instrument, &proof, venue_at).await?;
    }
    Ok(Proved { instruments, key_expires_at: key_expires_at.shifted(-venue_offset_ns), venue_offset_ns, rtt_ns })
}

/// Venue clock minus ours, from the quickest of three answers, and its round trip.
async fn clock_offset(rest: &Rest, clock: &mut (dyn Clock + Send)) -> Result<(i64, u64), Refusal> {
    let mut best: Option<(i64, u64)> = None;
    for _ in 0..3 {
        let asked = clock.now();
        let text = rest.call("public/get_time", &json!({}), None).await?;
        let answered = clock.now();
        let venue_ms: u64 = text.parse().map_err(|why| garbled("public/get_time", why))?;
        let rtt_ns = answered.since(asked);
        let middle = asked.plus(rtt_ns / 2);
        let offset_ns = Nanos::from_ms(venue_ms).plus(MS / 2).0.wrapping_sub(middle.0) as i64;
        if best.is_none_or(|(_, quickest)| rtt_ns < quickest) {
            best = Some((offset_ns, rtt_ns));
        }
    }
    best.ok_or_else(|| garbled("public/get_time", "no answer"))
}

async fn read_instruments(rest: &Rest, names: &[String]) -> Result<Vec<Instrument>, Refusal> {
    let mut instruments = Vec::with_capacity(names.len());
    for (place, name) in names.iter().enumerate() {
        let wrong = |why: String| Refusal::Instrument { name: name.clone(), why };
        let text = rest.call("public/get_instrument", &json!({ "instrument_name": name }), None).await?;
        let id = InstrumentId(u16::try_from(place).map_err(|_| wrong("too many instruments".to_owned()))?);
        let listing = listings(text.as_bytes(), id)
            .map_err(|why| wrong(why.to_string()))?
            .into_iter()
            .next()
            .ok_or_else(|| wrong("the venue does not list it".to_owned()))?;
        if listing.instrument.name.as_str() != name {
            return Err(wrong(format!("the venue answered about {}", listing.instrument.name)));
        }
        if !listing.instrument.active {
            return Err(wrong("it is listed but not trading".to_owned()));
        }
        instruments.push(listing.instrument);
    }
    // Names end up in request templates.
    match names.iter().find(|name| !name.bytes().all(is_plain)) {
        Some(name) => Err(Refusal::Instrument { name: name.clone(), why: "its name is not plain text".to_owned() }),
        None => Ok(instruments),
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

#[derive(Deserialize)]
struct KeyRow {
    public_session_key: String,
    expiry_sec: u64,
    protocol_scopes: Vec<String>,
    subaccount_ids: Vec<u64>,
}

#[derive(Deserialize)]
struct KeyRows {
    public_session_keys: Vec<KeyRow>,
}

/// Finds the key's registration and judges it; yields its expiry, venue time.
async fn check_key(
    rest: &Rest,
    claims: &Claims<'_>,
    signer: &Address,
    proof: &Proof,
    venue_at: Nanos,
) -> Result<Nanos, Refusal> {
    let address = hex::encode_prefixed(signer);
    let wallet = hex::encode_prefixed(claims.wallet);
    let wrong = |why: String| Refusal::Key { address: address.clone(), why };
    if *signer == claims.wallet {
        return Err(wrong(
            "this is the owner's own key, which can withdraw: register a session key with scope trade:all and use that"
                .to_owned(),
        ));
    }
    let text = match rest.call("private/session_keys", &json!({ "wallet": wallet }), Some(proof)).await {
        Err(RestError::Refused { code, message, .. }) if (14_000..15_000).contains(&code) => {
            return Err(wrong(format!(
                "the venue does not accept it for wallet {wallet} ({code} {message}): check wallet.owner and \
                 wallet.session_key_file, and that the key is registered and not expired"
            )));
        }
        answer => answer?,
    };
    let rows: KeyRows = serde_json::from_str(&text).map_err(|why| garbled("private/session_keys", why))?;
    let ours = rows.public_session_keys.into_iter().find(|row| row.public_session_key.eq_ignore_ascii_case(&address));
    let row = ours.ok_or_else(|| wrong(format!("not registered for wallet {wallet}")))?;
    if row.expiry_sec <= venue_at.secs() + 600 {
        return Err(wrong(format!("expires at unix second {}: register a new one", row.expiry_sec)));
    }
    if !row.protocol_scopes.iter().any(|scope| TRADING.contains(&scope.as_str())) {
        return Err(wrong(format!("its scopes are {:?}, one of {TRADING:?} is needed", row.protocol_scopes)));
    }
    let held = |danger: &str| row.protocol_scopes.iter().any(|scope| scope.starts_with(danger));
    if let Some(danger) = DANGEROUS.into_iter().find(|danger| held(danger)) {
        return Err(wrong(format!(
            "it holds a scope `{danger}…` that can move money or keys: register one with trade scopes only"
        )));
    }
    let missing = claims
        .subaccounts
        .iter()
        .find(|subaccount| !row.subaccount_ids.is_empty() && !row.subaccount_ids.contains(&subaccount.0));
    match missing {
        Some(subaccount) => Err(wrong(format!("it may not act for subaccount {}", subaccount.0))),
        None => Ok(Nanos(row.expiry_sec.saturating_mul(SEC))),
    }
}

#[derive(Deserialize)]
struct SubaccountRow {
    subaccount_id: u64,
    is_under_liquidation: bool,
    margin_type: String,
}

async fn check_subaccount(rest: &Rest, subaccount: SubaccountId, proof: &Proof) -> Result<(), Refusal> {
    let wrong = |why: String| Refusal::Subaccount { id: subaccount.0, why };
    let params = json!({ "subaccount_id": subaccount.0 });
    let text = match rest.call("private/get_subaccount", &params, Some(proof)).await {
        Err(RestError::Refused { code, message, .. }) => {
            return Err(wrong(format!("the venue refuses it ({code} {message}): check vault.subaccount_id")));
        }
        answer => answer?,
    };
    let row: SubaccountRow = serde_json::from_str(&text).map_err(|why| garbled("private/get_subaccount", why))?;
    if row.subaccount_id != subaccount.0 {
        return Err(wrong(format!("the venue answered about subaccount {}", row.subaccount_id)));
    }
    if row.is_under_liquidation {
        return Err(wrong("it is being liquidated".to_owned()));
    }
    if row.margin_type != "SM" {
        return Err(wrong(format!("its margin type is {}, the basis vault's margin model is SM", row.margin_type)));
    }
    Ok(())
}

#[derive(Deserialize)]
struct DebugRow {
    domain_separator: String,
    typed_data_hash: String,
}

/// Lets the venue rebuild an order's hashes (it executes nothing) and compares them with ours.
async fn check_chain(
    rest: &Rest,
    claims: &Claims<'_>,
    signer: &Address,
    subaccount: SubaccountId,
    instrument: &Instrument,
    proof: &Proof,
    venue_at: Nanos,
) -> Result<(), Refusal> {
    let terms = OrderTerms {
        price: instrument.tick,
        amount: instrument.min_amount.max(Amount::from_raw(1)),
        max_fee: Price::ONE,
        side: Side::Buy,
        nonce: claims.dialect.nonce_unit.first_of(venue_at),
        expiry_sec: venue_at.secs() + 600,
    };
    let frame = OrderFrame {
        asset: instrument.asset,
        sub_id: instrument.sub_id,
        subaccount,
        owner: claims.wallet,
        signer: *signer,
    };
    let ours = hex::encode_prefixed(OrderTemplate::new(claims.dialect, &frame).digest(&terms));
    let params = json!({
        "subaccount_id": subaccount.0,
        "instrument_name": instrument.name.as_str(),
        "direction": "buy",
        "amount": terms.amount.to_string(),
        "limit_price": terms.price.to_string(),
        "max_fee": terms.max_fee.to_string(),
        "nonce": terms.nonce.0.to_string(),
        "signer": hex::encode_prefixed(signer),
        // No signature is made: the venue only shows what it would have verified.
        "signature": format!("0x{}", "0".repeat(130)),
        "signature_expiry_sec": terms.expiry_sec,
    });
    let text = rest.call("private/order_debug", &params, Some(proof)).await?;
    let row: DebugRow = serde_json::from_str(&text).map_err(|why| garbled("private/order_debug", why))?;
    let domain = hex::encode_prefixed(claims.dialect.domain_separator);
    if !row.domain_separator.eq_ignore_ascii_case(&domain) {
        return Err(Refusal::Chain { ours: domain, venue: row.domain_separator });
    }
    if !row.typed_data_hash.eq_ignore_ascii_case(&ours) {
        return Err(garbled(
            "private/order_debug",
            format!("an order hashes to {}, ours to {ours}", row.typed_data_hash),
        ));
    }
    Ok(())
}
