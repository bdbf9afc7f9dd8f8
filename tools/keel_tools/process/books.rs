//! The venue's own word on an account, asked with the account's own key, and never through an engine.

use keel::base::ids::Nonce;
use keel::base::time::Nanos;
use keel::derive::dialect::LOCAL;
use keel::engine::ports::Clock;
use keel::exchange::{AccountSeed, Settings};
use keel::io::clock::LiveClock;
use keel::io::key::LocalKey;
use keel::ops::rest::{Proof, Prover, Rest, RestError};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// Rows of one page.
const PAGE: u64 = 1_000;
/// The venue's code for a wallet that asks too often.
const RATE_LIMITED: i32 = -32_000;
/// How long such a wallet waits before it asks again, and how long it does that.
const PAUSE: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(5);

/// An order as the venue keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VenueOrder {
    /// The venue's name.
    pub id: String,
    /// Ours.
    pub nonce: Nonce,
    /// Instrument and side.
    pub what: (String, String),
    /// Never rests.
    pub immediate: bool,
    /// `open` or how it ended.
    pub status: String,
    /// Unix ms at which it comes to the book: what may take waits out the venue's speed bump first, and a replaced order
    /// rests until then.
    pub from_ms: u64,
    /// Unix ms of the last change, which is the end of one that has ended.
    pub to_ms: u64,
}

impl fmt::Display for VenueOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let VenueOrder { nonce, status, from_ms, to_ms, .. } = self;
        write!(f, "{} ({status}, from {from_ms} ms to {to_ms})", nonce.0)
    }
}

/// What an account holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holds {
    /// Base.
    pub base: Decimal,
    /// Perp.
    pub perp: Decimal,
    /// Options, by name.
    pub options: BTreeMap<String, Decimal>,
    /// Cash, without interest that is not booked yet.
    pub cash: Decimal,
    /// Orders that rest.
    pub open: usize,
}

/// One account's books at the venue.
pub struct Books {
    runtime: Runtime,
    rest: Rest,
    key: LocalKey,
    wallet: [u8; 20],
    subaccount: u64,
}

fn key_of(account: &AccountSeed) -> Result<LocalKey, String> {
    let mut bytes: [u8; 32] =
        alloy_primitives::hex::decode_to_array(&account.session_key_hex).map_err(|why| why.to_string())?;
    LocalKey::from_bytes(&mut bytes).map_err(|why| why.to_string())
}

impl Books {
    /// Of an account at the venue that answers at `http`.
    pub fn new(http: &str, account: &AccountSeed) -> Result<Books, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Ok(Books {
            runtime: runtime.map_err(|why| why.to_string())?,
            rest: Rest::new(http).map_err(|why| why.to_string())?,
            key: key_of(account)?,
            wallet: account.wallet.into_array(),
            subaccount: account.subaccount,
        })
    }

    /// Asks the venue; one that is asked too often is asked again a little later.
    fn call(&mut self, method: &str, mut params: Value) -> Result<Value, String> {
        params["subaccount_id"] = json!(self.subaccount);
        let began = Instant::now();
        let text = loop {
            let at: Nanos = LiveClock::new().now();
            let proof = Proof::of(&LOCAL, &self.wallet, &self.key.prove(at)?);
            match self.runtime.block_on(self.rest.call(method, &params, Some(&proof))) {
                Ok(text) => break text,
                Err(RestError::Refused { code: RATE_LIMITED, .. }) if began.elapsed() < PATIENCE => {
                    std::thread::sleep(PAUSE);
                }
                Err(why) => return Err(why.to_string()),
            }
        };
        serde_json::from_str(&text).map_err(|why| format!("{method}: {why}"))
    }

    /// Every order the venue has accepted since unix ms `from_ms`, resting ones included.
    pub fn orders(&mut self, from_ms: u64) -> Result<Vec<VenueOrder>, String> {
        let open = self.call("private/get_open_orders", json!({}))?;
        let mut orders = rows(&open["orders"])?;
        for page in 1.. {
            let params = json!({ "from_timestamp": from_ms, "page": page, "page_size": PAGE });
            let ended = rows(&self.call("private/get_order_history", params)?["orders"])?;
            let last = (ended.len() as u64) < PAGE;
            orders.extend(ended);
            if last {
                break;
            }
        }
        Ok(orders)
    }

    /// What the account holds now.
    pub fn holds(&mut self) -> Result<Holds, String> {
        let account = self.call("private/get_subaccount", json!({}))?;
        let collaterals = amounts(&account["collaterals"], "asset_name")?;
        let mut options = amounts(&account["positions"], "instrument_name")?;
        let perp = options.remove("ETH-PERP").unwrap_or_default();
        let amount = |name: &str| collaterals.get(name).copied().unwrap_or_default();
        let open = self.call("private/get_open_orders", json!({}))?["orders"].as_array().map_or(0, Vec::len);
        Ok(Holds { base: amount("WEETH"), perp, options, cash: amount("USDC"), open })
    }
}

/// Amounts that are not zero, by name.
fn amounts(rows: &Value, name: &str) -> Result<BTreeMap<String, Decimal>, String> {
    let rows = rows.as_array().ok_or("no list of what is held")?;
    let row = |row: &Value| Some((row[name].as_str()?.to_owned(), number(row["amount"].as_str()?).ok()?));
    let found: Option<BTreeMap<_, _>> = rows.iter().map(row).collect();
    let found = found.ok_or_else(|| format!("a row without {name} and amount"))?;
    Ok(found.into_iter().filter(|(_, amount)| !amount.is_zero()).collect())
}

/// A number as venue and engine write it.
pub fn number(text: &str) -> Result<Decimal, String> {
    text.parse::<Decimal>().map(|number| number.normalize()).map_err(|why| format!("{text}: {why}"))
}

fn rows(list: &Value) -> Result<Vec<VenueOrder>, String> {
    list.as_array().ok_or("no list of orders")?.iter().map(order).collect()
}

fn order(row: &Value) -> Result<VenueOrder, String> {
    let text = |field: &str| row[field].as_str().map(str::to_owned).ok_or_else(|| format!("an order without {field}"));
    let ms = |field: &str| row[field].as_u64().ok_or_else(|| format!("an order without {field}"));
    let tif = text("time_in_force")?;
    let wait_ms = if tif == "post_only" { 0 } else { Settings::default().speed_bump_ms };
    Ok(VenueOrder {
        id: text("order_id")?,
        nonce: Nonce(text("nonce")?.parse().map_err(|_| "a nonce that is no number")?),
        what: (text("instrument_name")?, text("direction")?),
        immediate: tif == "ioc" || tif == "fok",
        status: text("order_status")?,
        from_ms: ms("creation_timestamp")? + wait_ms,
        to_ms: ms("last_update_timestamp")?,
    })
}
