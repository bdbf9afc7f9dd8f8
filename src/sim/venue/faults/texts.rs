//! Faults of texts: what arrives in place of what was said, when, and who answers.

use super::{CHANNEL_SHARE, Fault, Faults, Handling, Passage};
use crate::base::time::Nanos;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::borrow::Cow;

/// How far stamps are off.
const STAMP_MS: i64 = 10_000;
/// How far the venue's clock may seem off, either way.
const CLOCK_S: f64 = 3_600.0;
/// A code of no meaning.
const NOVEL_CODE: i64 = 11_999;
/// What a venue with too many connections says.
const CROWDED_CODE: i64 = -32_100;
/// What it says for an account that it has disabled.
const DISABLED_CODE: i64 = 16_001;
/// How a resting order is called, and by what names beside that.
const OPEN: &str = r#""order_status":"open""#;
const ODD: [&str; 2] = [r#""order_status":"untriggered""#, r#""order_status":"algo_active""#];

/// Answers given in the venue's place: the fault, its code, and whether the venue may have received the request.
const ANSWERS: [(Fault, i64, bool); 11] = [
    (Fault::TimedOut, 9_000, true),
    (Fault::Dropped, 9_001, true),
    (Fault::Ailing, -32_603, true),
    (Fault::RateLimited, -32_000, false),
    (Fault::NonceSeen, 11_017, false),
    (Fault::TooLate, 11_022, false),
    (Fault::Frozen, 11_015, false),
    (Fault::Queued, 11_002, false),
    (Fault::Novel, NOVEL_CODE, false),
    (Fault::ClockRefused, 11_018, false),
    (Fault::Liquidating, 11_027, false),
];

/// Faults that hit any request; the others are about orders.
const ANY_REQUEST: [Fault; 2] = [Fault::Ailing, Fault::RateLimited];
/// Faults that hit cancels too, and whatever else is matched.
const ANY_MATCHED: [Fault; 3] = [Fault::TimedOut, Fault::Dropped, Fault::Novel];

impl Faults {
    /// A text of the venue on the private connection.
    pub(in crate::sim::venue) fn reply<'a>(&mut self, at: Nanos, due: Nanos, text: &'a str) -> Passage<'a> {
        let mut passage = Passage::of(due, text);
        if self.lasts(Fault::PrivateSilent, at).is_some() {
            (self.private_hurt_at, self.reply_hurt_at) = (at, at);
            passage.due = [None, None];
            return passage;
        }
        if self.strikes(at, Fault::ReplyLost, 1.0) {
            passage.due = [None, None];
        } else if self.strikes(at, Fault::ReplyTwice, 1.0) {
            passage.due[1] = Some(self.late(Fault::ReplyTwice, due));
        } else if self.strikes(at, Fault::ReplyLate, 1.0) {
            passage.due[0] = Some(self.late(Fault::ReplyLate, due));
        } else if self.strikes(at, Fault::ReplyGarbled, 1.0) {
            passage.text = cut(text, self.draw(Fault::ReplyGarbled, 0.0, 1.0));
        } else if self.strikes(at, Fault::ReplyHollow, 1.0) {
            passage.text = self.hollow(Fault::ReplyHollow, text);
        } else if self.strikes(at, Fault::ReplyMisnamed, 1.0) {
            passage.text = Cow::Owned(text.replacen("\"id\":\"", "\"id\":\"9", 1));
        } else {
            // Another word for the same is no harm.
            if text.contains(OPEN) && self.strikes(at, Fault::OddStatus, 1.0) {
                passage.text = Cow::Owned(text.replace(OPEN, ODD[self.pick(Fault::OddStatus, ODD.len())]));
                passage.told = true;
            }
            return passage;
        }
        self.reply_hurt_at = at;
        passage
    }

    /// A text of the venue on the public connection.
    pub(in crate::sim::venue) fn news<'a>(&mut self, at: Nanos, due: Nanos, text: &'a str) -> Passage<'a> {
        let mut passage = Passage::of(due, text);
        let muted = self.lasts(Fault::ChannelSilent, at).is_some() && self.is_muted(text);
        if muted || self.lasts(Fault::PublicSilent, at).is_some() || self.strikes(at, Fault::NewsLost, 1.0) {
            passage.due = [None, None];
            return passage;
        }
        if let Some(until) = self.lasts(Fault::Stalled, at) {
            passage.due[0] = Some(until.max(due));
        } else if self.strikes(at, Fault::NewsLate, 1.0) {
            passage.due[0] = Some(self.late(Fault::NewsLate, due));
        } else if self.strikes(at, Fault::NewsTwice, 1.0) {
            passage.due[1] = Some(self.late(Fault::NewsTwice, due));
        }
        if let Some(changed) = self.mangled(at, text) {
            passage.text = changed;
        }
        passage
    }

    /// A request of the engine on the private connection.
    pub(in crate::sim::venue) fn request(&mut self, at: Nanos, text: &str) -> Handling {
        if self.lasts(Fault::PrivateSilent, at).is_some() || self.strikes(at, Fault::RequestLost, 1.0) {
            self.private_hurt_at = at;
            return Handling::Lost;
        }
        let (Some(id), Some(method)) = (member(text, "\"id\":\""), member(text, "\"method\":\"")) else {
            return Handling::Through;
        };
        if method == "public/get_time" {
            return self.time(at, id);
        }
        let places = matches!(method, "private/order" | "private/replace" | "private/execute_quote");
        let matched = places || method.starts_with("private/cancel") || method == "private/send_rfq";
        let refused = |code| {
            let text = format!(r#"{{"error":{{"code":{code},"message":"fault","data":null}},"id":"{id}"}}"#);
            Handling::Answered { text, delivered: false }
        };
        if method == "public/login" && self.strikes(at, Fault::Crowded, 1.0) {
            self.private_hurt_at = at;
            return refused(CROWDED_CODE);
        }
        if method == "subscribe" {
            let handled = self.subscription(at, text);
            if !matches!(handled, Handling::Through) {
                self.private_hurt_at = at;
            }
            return handled;
        }
        if method == "public/login" {
            return Handling::Through;
        }
        if (places || method == "private/send_rfq") && self.lasts(Fault::AccountDisabled, at).is_some() {
            return refused(DISABLED_CODE);
        }
        for (fault, code, ambiguous) in ANSWERS {
            let applies = places || ANY_REQUEST.contains(&fault) || (matched && ANY_MATCHED.contains(&fault));
            if applies && self.strikes(at, fault, 1.0) {
                self.private_hurt_at = at;
                let delivered = ambiguous && self.draw(fault, 0.0, 1.0) < 0.5;
                let text = format!(r#"{{"error":{{"code":{code},"message":"fault","data":null}},"id":"{id}"}}"#);
                return Handling::Answered { text, delivered };
            }
        }
        Handling::Through
    }

    /// A subscription, on either connection. One that is refused is told so for each of its channels.
    pub(in crate::sim::venue) fn subscription(&mut self, at: Nanos, text: &str) -> Handling {
        let Some(id) = member(text, "\"id\":\"").filter(|_| text.contains(r#""method":"subscribe""#)) else {
            return Handling::Through;
        };
        if !self.strikes(at, Fault::Unsubscribed, 1.0) {
            return Handling::Through;
        }
        if self.pick(Fault::Unsubscribed, 2) == 0 {
            return Handling::Lost;
        }
        let frame: Value = serde_json::from_str(text).unwrap_or_default();
        let channels = frame["params"]["channels"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let status: serde_json::Map<String, Value> = channels.map(|name| (name.to_owned(), json!("fault"))).collect();
        let result = json!({ "status": status, "current_subscriptions": [] });
        Handling::Answered { text: format!(r#"{{"id":"{id}","result":{result}}}"#), delivered: false }
    }

    fn time(&mut self, at: Nanos, id: &str) -> Handling {
        if !self.strikes(at, Fault::TimeJumps, 1.0) {
            return Handling::Through;
        }
        let far = self.pick(Fault::TimeJumps, 2) == 0;
        let reach_s = if far { CLOCK_S } else { 1.5 };
        let off_ms = (self.draw(Fault::TimeJumps, -reach_s, reach_s) * 1_000.0) as i64;
        let seen = at.ms().saturating_add_signed(off_ms);
        Handling::Answered { text: format!(r#"{{"id":"{id}","result":{seen}}}"#), delivered: false }
    }

    /// True for a text on one of the channels that carry nothing.
    fn is_muted(&self, text: &str) -> bool {
        let Some(channel) = member(text, "\"channel\":\"") else { return false };
        let mixed = channel.bytes().fold(17u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
        mixed % CHANNEL_SHARE == self.choice[Fault::ChannelSilent as usize] % CHANNEL_SHARE
    }

    /// A market text as something between has left it, if it has.
    fn mangled(&mut self, at: Nanos, text: &str) -> Option<Cow<'static, str>> {
        if self.strikes(at, Fault::NewsGarbled, 1.0) {
            return Some(Cow::Owned(cut(text, self.draw(Fault::NewsGarbled, 0.0, 1.0)).into_owned()));
        }
        if !text.starts_with(r#"{"method":"subscription""#) {
            return None;
        }
        let is_book = text.contains("\"bids\":");
        if self.lasts(Fault::BookLocked, at).is_some()
            && let Some(locked) = locked(text)
        {
            return Some(locked);
        }
        let change: [(Fault, bool); 10] = [
            (Fault::NewsMissing, true),
            (Fault::NewsHollow, true),
            (Fault::NewsExtra, true),
            (Fault::NewsForeign, is_book),
            (Fault::StampStale, true),
            (Fault::StampFresh, true),
            (Fault::BookCrossed, is_book),
            (Fault::BookEmpty, is_book),
            (Fault::BookOneSided, is_book),
            (Fault::PriceOff, true),
        ];
        let (fault, _) = change.into_iter().find(|(fault, fits)| *fits && self.strikes(at, *fault, 1.0))?;
        let mut frame: Value = serde_json::from_str(text).ok()?;
        self.change(fault, frame.get_mut("params")?.get_mut("data")?);
        Some(Cow::Owned(frame.to_string()))
    }

    fn change(&mut self, fault: Fault, data: &mut Value) {
        match fault {
            Fault::NewsMissing => {
                if let Some(key) = self.key_of(fault, data) {
                    data.as_object_mut().into_iter().for_each(|fields| drop(fields.remove(&key)));
                }
            }
            Fault::NewsHollow => self.empty_one(fault, data),
            Fault::NewsExtra => data["fault"] = json!({ "nested": [1, "two", null] }),
            Fault::NewsForeign => {
                let perp = data["instrument_name"].as_str().is_some_and(|name| name.ends_with("-PERP"));
                data["instrument_name"] = json!(if perp { "WEETH-USDC" } else { "ETH-PERP" });
            }
            Fault::StampStale => restamp(data, -STAMP_MS),
            Fault::StampFresh => restamp(data, STAMP_MS),
            Fault::BookCrossed => {
                let bids = data["bids"].take();
                data["bids"] = std::mem::replace(&mut data["asks"], bids);
            }
            Fault::BookEmpty => (data["bids"], data["asks"]) = (json!([]), json!([])),
            Fault::BookOneSided => {
                let side = ["bids", "asks"][self.pick(fault, 2)];
                data[side] = json!([]);
            }
            _ => {
                let factor = [Decimal::new(7, 1), Decimal::new(13, 1)][self.pick(fault, 2)];
                scale(data, factor);
            }
        }
    }

    fn hollow(&mut self, fault: Fault, text: &str) -> Cow<'static, str> {
        let Ok(mut frame) = serde_json::from_str::<Value>(text) else { return Cow::Owned(text.to_owned()) };
        let inner = if frame["params"]["data"].is_null() { &mut frame["result"] } else { &mut frame["params"]["data"] };
        let row = if inner.is_array() { &mut inner[0] } else { inner };
        self.empty_one(fault, row);
        Cow::Owned(frame.to_string())
    }

    /// Empties a field of an object or, as often, of one of the objects in it.
    fn empty_one(&mut self, fault: Fault, data: &mut Value) {
        let Some(key) = self.key_of(fault, data) else { return };
        let inner = &mut data[&key];
        match self.key_of(fault, inner).filter(|_| self.draw(fault, 0.0, 1.0) < 0.8) {
            Some(below) => inner[&below] = Value::Null,
            None => *inner = Value::Null,
        }
    }

    fn key_of(&mut self, fault: Fault, data: &Value) -> Option<String> {
        let fields = data.as_object().filter(|fields| !fields.is_empty())?;
        let place = self.pick(fault, fields.len());
        fields.keys().nth(place).cloned()
    }
}

/// What stands between a head and the next quotation mark.
pub(in crate::sim) fn member<'a>(text: &'a str, head: &str) -> Option<&'a str> {
    let start = text.find(head)? + head.len();
    text[start..].split('"').next()
}

/// The beginning of a text, never the whole.
fn cut(text: &str, share: f64) -> Cow<'static, str> {
    let mut end = (text.len() as f64 * share) as usize;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Cow::Owned(text[..end].to_owned())
}

/// A book or a ticker whose best ask is its best bid; `None` for anything else, or if it has not both.
fn locked(text: &str) -> Option<Cow<'static, str>> {
    let mut frame: Value = serde_json::from_str(text).ok()?;
    let data = frame.get_mut("params")?.get_mut("data")?;
    if let Some(ticker) = data.get_mut("instrument_ticker") {
        let [bid, ask] = ["b", "a"].map(|side| ticker.get(side).filter(|price| *price != "0").cloned());
        ticker["a"] = bid.filter(|_| ask.is_some())?;
    } else {
        let price = data.get("bids")?.get(0)?.get(0)?.clone();
        *data.get_mut("asks")?.get_mut(0)?.get_mut(0)? = price;
    }
    Some(Cow::Owned(frame.to_string()))
}

fn restamp(data: &mut Value, by_ms: i64) {
    match data {
        Value::Object(fields) => {
            for (key, value) in fields {
                match (key.as_str(), value.as_u64()) {
                    ("timestamp" | "t", Some(ms)) => *value = json!(ms.saturating_add_signed(by_ms)),
                    _ => restamp(value, by_ms),
                }
            }
        }
        Value::Array(rows) => rows.iter_mut().for_each(|row| restamp(row, by_ms)),
        _ => {}
    }
}

/// Scales every price: texts of a number above ten, which no amount, rate or greek in these frames is.
fn scale(data: &mut Value, factor: Decimal) {
    match data {
        Value::Object(fields) => fields.values_mut().for_each(|value| scale(value, factor)),
        Value::Array(rows) => rows.iter_mut().for_each(|row| scale(row, factor)),
        Value::String(text) => {
            if let Ok(number) = text.parse::<Decimal>()
                && number > Decimal::TEN
            {
                *text = (number * factor).round_dp(2).normalize().to_string();
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::MS;

    const BOOK: &str = r#"{"method":"subscription","params":{"channel":"orderbook.ETH-PERP.1.10","data":{"instrument_name":"ETH-PERP","timestamp":1763683200000,"bids":[["3500.5","1"]],"asks":[["3501","2"]]}}}"#;

    fn changed(fault: Fault) -> Value {
        let mut frame: Value = serde_json::from_str(BOOK).expect("json");
        Faults::of(1, fault).change(fault, &mut frame["params"]["data"]);
        frame["params"]["data"].take()
    }

    #[test]
    fn market_texts_change_as_their_faults_say() {
        assert_eq!(changed(Fault::BookCrossed)["bids"], json!([["3501", "2"]]));
        assert_eq!(changed(Fault::BookEmpty)["asks"], json!([]));
        assert_eq!(changed(Fault::StampStale)["timestamp"], json!(1_763_683_190_000u64));
        assert_eq!(changed(Fault::NewsForeign)["instrument_name"], "WEETH-USDC");
        let off = changed(Fault::PriceOff)["bids"][0][0].clone();
        assert!(off == "2450.35" || off == "4550.65", "{off}");
        assert_eq!(changed(Fault::NewsMissing).as_object().map(|fields| fields.len()), Some(3));
    }

    #[test]
    fn a_locked_book_has_one_price() {
        let frame: Value = serde_json::from_str(&locked(BOOK).expect("it has both")).expect("json");
        let data = &frame["params"]["data"];
        assert_eq!((&data["bids"][0], &data["asks"]), (&json!(["3500.5", "1"]), &json!([["3500.5", "2"]])));
        assert!(locked(&BOOK.replace(r#"[["3501","2"]]"#, "[]")).is_none());
    }

    #[test]
    fn a_refused_subscription_names_its_channels() {
        let mut faults = Faults::of(5, Fault::Unsubscribed);
        let request = r#"{"id":"s1","method":"subscribe","params":{"channels":["a.1","b"]}}"#;
        let answer = (0..1_000).find_map(|at| match faults.subscription(Nanos(at * MS), request) {
            Handling::Answered { text, delivered: false } => Some(text),
            _ => None,
        });
        let frame: Value = serde_json::from_str(&answer.expect("it strikes")).expect("json");
        assert_eq!(
            (&frame["id"], &frame["result"]["status"]),
            (&json!("s1"), &json!({ "a.1": "fault", "b": "fault" }))
        );
    }

    #[test]
    fn requests_are_answered_by_their_names() {
        let mut faults = Faults::of(5, Fault::RateLimited);
        let request = r#"{"id":"c123","method":"private/cancel_by_nonce","params":{}}"#;
        let answer = (0..1_000).find_map(|at| match faults.request(Nanos(at * MS), request) {
            Handling::Answered { text, delivered } => Some((text, delivered)),
            _ => None,
        });
        let (text, delivered) = answer.expect("six of a hundred");
        assert!(text.contains("-32000") && text.contains(r#""id":"c123""#) && !delivered);
    }
}
