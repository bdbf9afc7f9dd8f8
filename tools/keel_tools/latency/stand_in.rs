//! The venue's side of a latency measurement: just enough Derive v3 to let a vault quote, and prices that make it
//! re-price at every frame. It is a load generator: it checks nothing and fills nothing.

use keel::derive::request_id::{RequestId, RequestKind};
use memchr::memmem;
use std::fmt::Write;

/// Best ask the moving book starts from, in ticks of 0.01: below fair value, so that it decides our bid.
const ASK_TICKS: u64 = 321_320;
/// How far the ask jumps up and down: more than the smallest re-price, less than the adverse cancel.
const JUMP_TICKS: u64 = 48;
/// Asks before one comes back.
pub const ASK_PERIOD: u64 = 16;
/// External mid, and with the usual ratio of 1.0712 the mark of the base.
const EXTERNAL_BID: &str = "2999.99";
const EXTERNAL_ASK: &str = "3000.01";
const BASE_MARK: &str = "3213.6";
const PERP_MARK: &str = "3000";
const LEVELS: u64 = 10;

/// What a text of the engine was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// A new order or a replacement at this limit price, in ticks of 0.01.
    Priced {
        /// Limit price.
        ticks: u64,
    },
    /// A cancel.
    Cancel,
    /// Login, subscriptions, snapshots, clock.
    Session,
}

/// An order that rests here.
#[derive(Clone, Copy, Debug)]
struct Resting {
    nonce: u64,
    ticks: u64,
}

/// The venue's state.
pub struct StandIn {
    subaccount: u64,
    base: String,
    perp: String,
    resting: Option<Resting>,
    published: u64,
    text: String,
}

/// The best ask of the `k`-th moving book, in ticks.
pub fn ask_ticks(k: u64) -> u64 {
    ASK_TICKS + k % 2 * JUMP_TICKS + k / 2 % (ASK_PERIOD / 2)
}

/// The bid a vault wants against the `k`-th moving book, in ticks.
pub fn bid_ticks(k: u64) -> u64 {
    ask_ticks(k) - 1
}

/// A price of so many ticks, as the wire writes it.
fn price(ticks: u64) -> String {
    format!("{}.{:02}", ticks / 100, ticks % 100)
}

/// The text of a JSON string field of ours, which never holds an escape.
fn field<'t>(text: &'t [u8], key: &str) -> Option<&'t str> {
    let at = memmem::find(text, key.as_bytes())? + key.len();
    let rest = text.get(at..)?;
    let end = memchr::memchr(b'"', rest)?;
    std::str::from_utf8(&rest[..end]).ok()
}

/// A decimal of at most two places as ticks of 0.01.
fn ticks_of(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let cents = format!("{fraction:0<2}");
    if cents.len() != 2 {
        return None;
    }
    Some(whole.parse::<u64>().ok()? * 100 + cents.parse::<u64>().ok()?)
}

impl StandIn {
    /// For one subaccount trading these two instruments.
    pub fn new(subaccount: u64, [base, perp]: [&str; 2]) -> StandIn {
        let (base, perp) = (base.to_owned(), perp.to_owned());
        StandIn { subaccount, base, perp, resting: None, published: 0, text: String::with_capacity(8 * 1024) }
    }

    /// Limit price of the order that rests, in ticks.
    pub fn resting_ticks(&self) -> Option<u64> {
        self.resting.map(|order| order.ticks)
    }

    /// Answers one text of the engine, heard at unix `ms`; `None` if it cannot be read.
    pub fn hear(&mut self, text: &[u8], ms: u64, say: &mut dyn FnMut(&str)) -> Option<Said> {
        let id = field(text, "{\"id\":\"")?;
        let RequestId { kind, number } = RequestId::parse(id.as_bytes())?;
        let head = format!(r#"{{"id":"{id}","result":"#);
        let (sub, text_out) = (self.subaccount, &mut self.text);
        text_out.clear();
        let said = match kind {
            RequestKind::Order | RequestKind::Replace => {
                let ticks = ticks_of(field(text, "\"limit_price\":\"")?)?;
                let amount = field(text, "\"amount\":\"")?;
                let new = Resting { nonce: number, ticks };
                self.answer_order(&head, new, amount, ms, say);
                return Some(Said::Priced { ticks });
            }
            RequestKind::CancelByNonce => {
                let hit = self.resting.take_if(|order| order.nonce == number).is_some();
                write!(text_out, r#"{head}{{"cancelled_orders":{}}}}}"#, u8::from(hit)).ok()?;
                Said::Cancel
            }
            RequestKind::Login => {
                write!(text_out, "{head}[{sub}]}}").ok()?;
                Said::Session
            }
            RequestKind::Subscribe => {
                write!(text_out, r#"{head}{{"status":{{{}}},"current_subscriptions":[]}}}}"#, granted(text)).ok()?;
                Said::Session
            }
            RequestKind::Account => {
                write!(
                    text_out,
                    r#"{head}{{"websocket_matching_tps":1000000,"websocket_perp_tps":1000000,"websocket_non_matching_tps":1000000,"cancel_on_disconnect":true}}}}"#
                )
                .ok()?;
                Said::Session
            }
            RequestKind::CancelOnDisconnect => {
                write!(text_out, r#"{head}"ok"}}"#).ok()?;
                Said::Session
            }
            RequestKind::Time => {
                write!(text_out, "{head}{ms}}}").ok()?;
                Said::Session
            }
            RequestKind::Subaccount => {
                write!(
                    text_out,
                    r#"{head}{{"subaccount_id":{sub},"initial_margin":"160000","maintenance_margin":"170000","subaccount_value":"321360","is_under_liquidation":false,"collaterals":[{{"asset_name":"WEETH","amount":"100"}},{{"asset_name":"USDC","amount":"0"}}],"positions":[],"failed_to_fetch":false}}}}"#
                )
                .ok()?;
                Said::Session
            }
            RequestKind::OpenOrders => {
                let row = self.resting.map(|order| row(sub, &self.base, order, "1", "open", ms)).unwrap_or_default();
                write!(text_out, r#"{head}{{"orders":[{row}],"subaccount_id":{sub}}}}}"#).ok()?;
                Said::Session
            }
            _ => return None,
        };
        say(&self.text);
        Some(said)
    }

    /// The reply to an order or replacement, and what the orders channel says about it.
    fn answer_order(&mut self, head: &str, new: Resting, amount: &str, ms: u64, say: &mut dyn FnMut(&str)) {
        let sub = self.subaccount;
        let opened = row(sub, &self.base, new, amount, "open", ms);
        let closed = self.resting.replace(new).map(|old| row(sub, &self.base, old, amount, "cancelled", ms));
        let cancelled = closed.as_ref().map(|row| format!(r#""cancelled_order":{row},"#)).unwrap_or_default();
        say(&format!(r#"{head}{{{cancelled}"order":{opened},"trades":[]}}}}"#));
        let rows = closed.into_iter().chain([opened]).collect::<Vec<_>>().join(",");
        say(&format!(r#"{{"method":"subscription","params":{{"channel":"{sub}.orders","data":[{rows}]}}}}"#));
    }

    /// A `ticker_slim` frame of the base (place 0) or the perp (place 1): marks stand still.
    pub fn ticker(&mut self, place: usize, ms: u64) -> &str {
        let (name, mark, ask, bid, low, high) = match place {
            0 => (&self.base, BASE_MARK, price(self.ask()), "3200".to_owned(), "3150", "3280"),
            _ => (&self.perp, PERP_MARK, "3000.1".to_owned(), "2999.9".to_owned(), "2940", "3060"),
        };
        self.text.clear();
        // A `String` takes every write.
        let _ = write!(
            self.text,
            r#"{{"method":"subscription","params":{{"channel":"ticker_slim.{name}.100","data":{{"timestamp":{ms},"instrument_ticker":{{"t":{ms},"A":"1.505","a":"{ask}","B":"1.505","b":"{bid}","f":"0.0001","I":"{mark}","M":"{mark}","maxp":"{high}","minp":"{low}","option_pricing":null,"stats":{{"c":"3088.047","h":"3300","l":"3100","n":2599,"oi":"4248.342","p":"-0.045","pr":"6248579.356","v":"6249174.098"}}}}}}}}}}"#
        );
        &self.text
    }

    fn ask(&self) -> u64 {
        ask_ticks(self.published)
    }

    /// The `k`-th moving book: ten levels a side of the base.
    pub fn book(&mut self, k: u64, ms: u64) -> &str {
        self.published = k;
        let ask = self.ask();
        self.text.clear();
        let _ = write!(
            self.text,
            r#"{{"method":"subscription","params":{{"channel":"orderbook.{0}.1.10","data":{{"instrument_name":"{0}","publish_id":{k},"timestamp":{ms},"bids":["#,
            self.base
        );
        for level in 0..LEVELS {
            let comma = if level == 0 { "" } else { "," };
            let _ = write!(self.text, r#"{comma}["{}","{}.25"]"#, price(320_000 - level * 25), level + 1);
        }
        self.text.push_str(r#"],"asks":["#);
        for level in 0..LEVELS {
            let comma = if level == 0 { "" } else { "," };
            let _ = write!(self.text, r#"{comma}["{}","{}.5"]"#, price(ask + level * 25), level + 1);
        }
        self.text.push_str("]}}}");
        &self.text
    }

    /// A `bookTicker` frame with the external prices, which stand still; `update` must grow.
    pub fn external(&mut self, symbol: &str, update: u64) -> &str {
        self.text.clear();
        let _ = write!(
            self.text,
            r#"{{"u":{update},"s":"{symbol}","b":"{EXTERNAL_BID}","B":"31.21000000","a":"{EXTERNAL_ASK}","A":"40.66000000"}}"#
        );
        &self.text
    }
}

/// `"channel":"ok"` for every channel of a subscription request.
fn granted(text: &[u8]) -> String {
    let channels = memmem::find(text, b"\"channels\":[").map_or(&[] as &[u8], |at| &text[at + 12..]);
    let channels = String::from_utf8_lossy(channels);
    let names = channels.split('"').filter(|part| part.contains('.'));
    names.map(|name| format!(r#""{name}":"ok""#)).collect::<Vec<_>>().join(",")
}

/// One row of the private order schema.
fn row(sub: u64, instrument: &str, order: Resting, amount: &str, status: &str, ms: u64) -> String {
    let (nonce, price) = (order.nonce, price(order.ticks));
    format!(
        r#"{{"subaccount_id":{sub},"order_id":"6a6eed97-b882-4909-{:04x}-{:012x}","instrument_name":"{instrument}","direction":"buy","label":"{nonce}","quote_id":null,"creation_timestamp":{ms},"last_update_timestamp":{ms},"limit_price":"{price}","amount":"{amount}","filled_amount":"0","average_price":"0","order_fee":"0","order_type":"limit","time_in_force":"post_only","order_status":"{status}","max_fee":"1000","extra_fee":"0","signature_expiry_sec":{},"signer":"0x86042886b1063625d0b3ddcc9e4cbcf912b79e16","signature":"0x","nonce":"{nonce}","cancel_reason":"","mmp":true,"is_transfer":false,"replaced_order_id":null}}"#,
        nonce >> 48,
        nonce & 0xffff_ffff_ffff,
        ms / 1_000 + 600
    )
}

#[cfg(test)]
mod tests {
    #[allow(unused_imports)] // a bench compiles this file without the test harness
    use super::*;

    #[test]
    fn every_step_of_the_book_is_worth_a_replace_and_none_a_cancel() {
        // One basis point of fair value is 32.1 ticks; two are 64.3.
        for k in 1..3 * ASK_PERIOD {
            let step = ask_ticks(k).abs_diff(ask_ticks(k - 1));
            assert!((33..64).contains(&step), "{k}: {step}");
        }
        let asks: std::collections::BTreeSet<u64> = (0..ASK_PERIOD).map(ask_ticks).collect();
        assert_eq!(asks.len() as u64, ASK_PERIOD, "no ask repeats within the period");
    }

    #[test]
    fn prices_are_read_as_they_are_written() {
        for (text, ticks) in
            [("3213.2", Some(321_320)), ("3213", Some(321_300)), ("0.07", Some(7)), ("1.234", None), ("x", None)]
        {
            assert_eq!(ticks_of(text), ticks, "{text}");
        }
        assert_eq!(price(321_307), "3213.07");
    }
}
