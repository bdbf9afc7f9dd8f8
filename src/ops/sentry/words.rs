//! What the sentry says to the venue and understands of it: four requests, none of which can place anything.

use serde::Deserialize;
use serde_json::Value;

use crate::base::ids::SubaccountId;
use crate::derive::dialect::Address;
use crate::derive::encode::EncodeError;
use crate::derive::encode::request;

/// Longest request: a login, or the channels of eight subaccounts.
const REQUEST_BYTES: usize = 2_048;
/// Longest text taken in.
pub const TEXT_BYTES_MAX: usize = 1 << 20;

/// A request to the venue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Log in.
    Login {
        /// Owner of the subaccounts.
        wallet: Address,
        /// The signed moment.
        timestamp_ms: u64,
        /// Its signature.
        signature: [u8; 65],
    },
    /// Be told of orders and trades.
    Subscribe(Vec<SubaccountId>),
    /// Cancel every order of a subaccount.
    CancelAll(SubaccountId),
    /// List the open orders of a subaccount.
    OpenOrders(SubaccountId),
}

impl Ask {
    /// The request as it is sent, under number `seq`.
    ///
    /// # Errors
    /// It does not fit.
    pub fn write(&self, seq: u64) -> Result<Vec<u8>, EncodeError> {
        let mut buffer = [0; REQUEST_BYTES];
        let text = match self {
            Ask::Login { wallet, timestamp_ms, signature } => {
                request::login(&mut buffer, seq, wallet, *timestamp_ms, signature)?
            }
            Ask::Subscribe(subaccounts) => {
                let channels =
                    subaccounts.iter().flat_map(|sub| ["orders", "trades"].map(|name| format!("{}.{name}", sub.0)));
                let channels: Vec<String> = channels.collect();
                request::subscribe(&mut buffer, seq, channels.iter().map(String::as_str))?
            }
            Ask::CancelAll(subaccount) => request::cancel_all(&mut buffer, seq, *subaccount)?,
            Ask::OpenOrders(subaccount) => request::get_open_orders(&mut buffer, seq, *subaccount)?,
        };
        Ok(text.to_vec())
    }
}

/// An order as the venue shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Whose.
    pub subaccount: SubaccountId,
    /// Its name at the venue.
    pub order_id: String,
    /// Its nonce.
    pub nonce: u64,
    /// Who signed it.
    pub signer: Option<Address>,
    /// True while it rests.
    pub open: bool,
}

/// What a text of the venue says.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// The answer to a request.
    Answer {
        /// Number of the request.
        seq: u64,
        /// Its result, or code and words of its refusal.
        result: Result<Value, (i64, String)>,
    },
    /// Orders changed.
    Orders(Vec<Seen>),
    /// Trades were made, in these subaccounts.
    Trades(Vec<SubaccountId>),
}

#[derive(Deserialize)]
struct Text {
    id: Option<String>,
    result: Option<Value>,
    error: Option<Failure>,
    params: Option<News>,
}

#[derive(Deserialize)]
struct Failure {
    code: i64,
    message: String,
}

#[derive(Deserialize)]
struct News {
    channel: String,
    data: Value,
}

/// Reads a text of the venue; `None` for what does not concern a sentry.
pub fn read(text: &[u8]) -> Option<Heard> {
    let text: Text = serde_json::from_slice(text).ok().filter(|_| text.len() <= TEXT_BYTES_MAX)?;
    if let Some(news) = text.params {
        let rows = news.data.as_array()?;
        return match news.channel.rsplit_once('.')?.1 {
            "orders" => Some(Heard::Orders(rows.iter().filter_map(seen).collect())),
            "trades" => Some(Heard::Trades(rows.iter().filter_map(subaccount).collect())),
            _ => None,
        };
    }
    let seq = text.id?.get(1..)?.parse().ok()?;
    let result = match (text.result, text.error) {
        (_, Some(failure)) => Err((failure.code, failure.message)),
        (Some(result), None) => Ok(result),
        (None, None) => return None,
    };
    Some(Heard::Answer { seq, result })
}

fn subaccount(row: &Value) -> Option<SubaccountId> {
    row["subaccount_id"].as_u64().map(SubaccountId)
}

fn seen(row: &Value) -> Option<Seen> {
    let signer = row["signer"].as_str().and_then(|text| alloy_primitives::hex::decode_to_array(text).ok());
    let nonce = row["nonce"].as_u64().or_else(|| row["nonce"].as_str()?.parse().ok()).unwrap_or_default();
    Some(Seen {
        subaccount: subaccount(row)?,
        order_id: row["order_id"].as_str()?.to_owned(),
        nonce,
        signer,
        open: row["order_status"] == "open",
    })
}

/// The rows of an answer to [`Ask::OpenOrders`]; `None` if it is none.
pub fn open_orders(result: &Value) -> Option<Vec<Seen>> {
    Some(result["orders"].as_array()?.iter().filter_map(seen).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_can_say_four_things_and_none_of_them_places_anything() {
        let login = Ask::Login { wallet: [1; 20], timestamp_ms: 1_763_683_200_000, signature: [2; 65] };
        let subs: Vec<SubaccountId> = (0..8).map(|place| SubaccountId(u64::MAX - place)).collect();
        let asks = [login, Ask::Subscribe(subs), Ask::CancelAll(SubaccountId(7)), Ask::OpenOrders(SubaccountId(7))];
        let methods = asks.map(|ask| {
            let text = ask.write(3).expect("fits");
            let value: Value = serde_json::from_slice(&text).expect("JSON");
            value["method"].as_str().expect("a method").to_owned()
        });
        let want = ["public/login", "subscribe", "private/cancel_all", "private/get_open_orders"];
        assert_eq!(methods, want);
    }

    #[test]
    fn the_venues_texts_are_understood_and_others_are_not() {
        let order = r#"{"subaccount_id":7,"order_id":"a","nonce":"12","signer":"0x0909090909090909090909090909090909090909","order_status":"open"}"#;
        let want =
            Seen { subaccount: SubaccountId(7), order_id: "a".into(), nonce: 12, signer: Some([9; 20]), open: true };
        let news = format!(r#"{{"method":"subscription","params":{{"channel":"7.orders","data":[{order}]}}}}"#);
        assert_eq!(read(news.as_bytes()), Some(Heard::Orders(vec![want.clone()])));
        let trades = r#"{"method":"subscription","params":{"channel":"7.trades","data":[{"subaccount_id":7}]}}"#;
        assert_eq!(read(trades.as_bytes()), Some(Heard::Trades(vec![SubaccountId(7)])));
        let answer = format!(r#"{{"id":"o3","result":{{"orders":[{order}]}}}}"#);
        let Some(Heard::Answer { seq: 3, result: Ok(result) }) = read(answer.as_bytes()) else { panic!("an answer") };
        assert_eq!(open_orders(&result), Some(vec![want]));
        let refused = r#"{"id":"c4","error":{"code":-32000,"message":"Rate limit exceeded","data":"x"}}"#;
        let want = Heard::Answer { seq: 4, result: Err((-32_000, "Rate limit exceeded".into())) };
        assert_eq!(read(refused.as_bytes()), Some(want));
        for noise in
            ["", "[]", "{}", "nonsense", r#"{"id":7,"result":1}"#, r#"{"id":"x"}"#, r#"{"id":"é1","result":1}"#]
        {
            assert_eq!(read(noise.as_bytes()), None, "{noise}");
        }
    }
}
