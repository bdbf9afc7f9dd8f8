//! Texts on the private wire, read by other means than the engine's own.

use crate::base::ids::Side;
use rust_decimal::Decimal;
use serde::Deserialize;

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `private/order`.
    Place,
    /// `private/replace`.
    Replace,
    /// `private/execute_quote`.
    Execute,
    /// `private/send_rfq`.
    Ask,
    /// `private/cancel_by_nonce`.
    Cancel,
    /// Anything else.
    Other,
}

impl Method {
    /// True for what spends a nonce and may trade.
    pub const fn is_signed(self) -> bool {
        matches!(self, Method::Place | Method::Replace | Method::Execute)
    }
}

/// A request of the engine, as far as it is judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// What it is for.
    pub method: Method,
    /// Nonce, zero if it has none.
    pub nonce: u64,
    /// Nonce of the order it replaces, zero if none.
    pub replaces: u64,
    /// Instrument, empty if it names none.
    pub instrument: String,
    /// Side.
    pub side: Side,
    /// Limit price.
    pub price: Decimal,
    /// Amount.
    pub amount: Decimal,
    /// Highest fee signed for, per unit.
    pub max_fee: Decimal,
    /// The venue refuses it later than this, unix ms; zero if it does not say.
    pub reject_ms: u64,
    /// Its signature ends, unix seconds.
    pub expires_s: u64,
    /// It counts towards market-maker protection: it is meant to rest.
    pub mmp: bool,
    /// Legs of a package: side and amount.
    pub legs: Vec<(Side, Decimal)>,
}

#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(borrow)]
    method: &'a str,
    #[serde(default)]
    params: Params,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Params {
    nonce: Option<String>,
    nonce_to_cancel: Option<String>,
    instrument_name: Option<String>,
    direction: Option<String>,
    amount: Option<Decimal>,
    limit_price: Option<Decimal>,
    max_fee: Option<Decimal>,
    reject_timestamp: Option<u64>,
    signature_expiry_sec: Option<u64>,
    mmp: bool,
    legs: Vec<LegText>,
}

#[derive(Deserialize)]
struct LegText {
    direction: String,
    amount: Decimal,
}

/// Reads a request; `None` if it is not one.
pub fn request(text: &str) -> Option<Request> {
    let Frame { method, params } = serde_json::from_str(text).ok()?;
    let method = match method {
        "private/order" => Method::Place,
        "private/replace" => Method::Replace,
        "private/execute_quote" => Method::Execute,
        "private/send_rfq" => Method::Ask,
        "private/cancel_by_nonce" => Method::Cancel,
        _ => Method::Other,
    };
    let number = |text: Option<String>| text.and_then(|text| text.parse().ok()).unwrap_or_default();
    Some(Request {
        method,
        nonce: number(params.nonce),
        replaces: number(params.nonce_to_cancel),
        instrument: params.instrument_name.unwrap_or_default(),
        side: side(params.direction.as_deref()),
        price: params.limit_price.unwrap_or_default(),
        amount: params.amount.unwrap_or_default(),
        max_fee: params.max_fee.unwrap_or_default(),
        reject_ms: params.reject_timestamp.unwrap_or_default(),
        expires_s: params.signature_expiry_sec.unwrap_or_default(),
        mmp: params.mmp,
        legs: params.legs.iter().map(|leg| (side(Some(&leg.direction)), leg.amount)).collect(),
    })
}

fn side(direction: Option<&str>) -> Side {
    if direction == Some("buy") { Side::Buy } else { Side::Sell }
}

/// What the venue says about orders.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// A request was refused.
    Refused {
        /// First letter of the request's id: what it was for.
        letter: char,
        /// Number in the request's id: the nonce where there is one.
        number: u64,
        /// The venue's code.
        code: i64,
    },
    /// Orders as they are now.
    Orders(Vec<Row>),
    /// Every order that rests.
    Listed(Vec<Row>),
    /// Something else.
    Other,
}

/// One order as the venue tells of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// Nonce.
    pub nonce: u64,
    /// It rests.
    pub open: bool,
    /// Part of it is filled.
    pub partly: bool,
}

#[derive(Deserialize)]
struct Refusal {
    error: RefusalCode,
    id: Option<String>,
}

#[derive(Deserialize)]
struct RefusalCode {
    code: i64,
}

#[derive(Deserialize)]
struct OrderText {
    nonce: String,
    order_status: String,
    filled_amount: Decimal,
}

#[derive(Deserialize)]
struct Told {
    #[serde(default)]
    params: Option<ToldParams>,
    #[serde(default)]
    result: Option<ToldResult>,
}

#[derive(Deserialize)]
struct ToldParams {
    data: Vec<OrderText>,
}

#[derive(Deserialize)]
struct ToldResult {
    order: Option<OrderText>,
    orders: Option<Vec<OrderText>>,
}

/// Reads a text of the venue.
pub fn reply(text: &str) -> Reply {
    if text.starts_with("{\"error\"") {
        let Ok(Refusal { error, id }) = serde_json::from_str(text) else { return Reply::Other };
        let id = id.unwrap_or_default();
        let letter = id.chars().next().unwrap_or(' ');
        let number = id.get(1..).and_then(|digits| digits.parse().ok()).unwrap_or_default();
        return Reply::Refused { letter, number, code: error.code };
    }
    let tells = text.contains(".orders\"") || text.contains("\"order\":") || text.contains("\"orders\":");
    let Some(told) = tells.then(|| serde_json::from_str::<Told>(text).ok()).flatten() else { return Reply::Other };
    let rows = |rows: Vec<OrderText>| rows.iter().map(row).collect();
    match (told.params, told.result) {
        (Some(params), _) => Reply::Orders(rows(params.data)),
        (_, Some(ToldResult { orders: Some(listed), .. })) => Reply::Listed(rows(listed)),
        (_, Some(ToldResult { order: Some(order), .. })) => Reply::Orders(vec![row(&order)]),
        _ => Reply::Other,
    }
}

fn row(text: &OrderText) -> Row {
    Row {
        nonce: text.nonce.parse().unwrap_or_default(),
        open: text.order_status == "open",
        partly: text.filled_amount > Decimal::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_both_sides_are_read() {
        let text = r#"{"id":"r2","method":"private/replace","params":{"instrument_name":"A","direction":"buy","nonce":"2","nonce_to_cancel":"1","amount":"0.5","limit_price":"10","max_fee":"1","mmp":true,"reject_timestamp":7,"signature_expiry_sec":8}}"#;
        let read = request(text).expect("a request");
        assert_eq!((read.method, read.nonce, read.replaces, read.side), (Method::Replace, 2, 1, Side::Buy));
        assert_eq!((read.amount, read.reject_ms, read.expires_s, read.mmp), (Decimal::new(5, 1), 7, 8, true));
        assert_eq!(
            reply(r#"{"error":{"code":-32000,"message":"x","data":null},"id":"c12"}"#),
            Reply::Refused { letter: 'c', number: 12, code: -32_000 }
        );
        let order = r#"{"nonce":"5","order_status":"open","filled_amount":"1","more":[1]}"#;
        let open = vec![Row { nonce: 5, open: true, partly: true }];
        let told = format!(r#"{{"method":"subscription","params":{{"channel":"1.orders","data":[{order}]}}}}"#);
        assert_eq!(reply(&told), Reply::Orders(open.clone()));
        assert_eq!(reply(&format!(r#"{{"id":"l9","result":{{"orders":[{order}]}}}}"#)), Reply::Listed(open));
    }
}
