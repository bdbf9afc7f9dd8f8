//! The cold requests: login, subscriptions, snapshots and the wider cancels.

use super::EncodeError;
use super::text::Text;
use crate::base::ids::{SubaccountId, Uuid};
use crate::base::num::{Amount, Ratio};
use crate::derive::dialect::Address;
use crate::derive::request_id::RequestKind;

/// A request being written: the envelope and, after each value, the comma before the next.
pub(super) struct Params<'o> {
    text: Text<'o>,
    first: bool,
}

impl<'o> Params<'o> {
    pub(super) fn open(out: &'o mut [u8], kind: RequestKind, seq: u64) -> Params<'o> {
        let mut text = Text::new(out);
        text.raw(b"{\"id\":\"").raw(&[kind.letter()]).int(seq);
        text.raw(b"\",\"method\":\"").raw(kind.method().as_bytes()).raw(b"\",\"params\":{");
        Params { text, first: true }
    }

    pub(super) fn key(&mut self, key: &str) -> &mut Text<'o> {
        if !std::mem::take(&mut self.first) {
            self.text.raw(b",");
        }
        self.text.raw(b"\"").raw(key.as_bytes()).raw(b"\":")
    }

    pub(super) fn int(mut self, key: &str, value: u64) -> Params<'o> {
        self.key(key).int(value);
        self
    }

    pub(super) fn name(mut self, key: &str, value: &str) -> Params<'o> {
        self.key(key).raw(b"\"").name(value.as_bytes()).raw(b"\"");
        self
    }

    pub(super) fn address(mut self, key: &str, value: &Address) -> Params<'o> {
        self.key(key).raw(b"\"").address(value).raw(b"\"");
        self
    }

    pub(super) fn decimal(mut self, key: &str, raw: i64) -> Params<'o> {
        self.key(key).raw(b"\"").decimal(raw).raw(b"\"");
        self
    }

    pub(super) fn flag(mut self, key: &str, value: bool) -> Params<'o> {
        self.key(key).flag(value);
        self
    }

    pub(super) fn uuid(mut self, key: &str, value: Uuid) -> Params<'o> {
        self.key(key).raw(b"\"").uuid(value).raw(b"\"");
        self
    }

    pub(super) fn close(mut self) -> Result<&'o [u8], EncodeError> {
        self.text.raw(b"}}");
        self.text.finish()
    }
}

/// `public/login`: `wallet` is the owner even when a session key signed; `timestamp_ms` is what was signed.
pub fn login<'o>(
    out: &'o mut [u8],
    seq: u64,
    wallet: &Address,
    timestamp_ms: u64,
    signature: &[u8; 65],
) -> Result<&'o [u8], EncodeError> {
    let mut params =
        Params::open(out, RequestKind::Login, seq).address("wallet", wallet).int("timestamp", timestamp_ms);
    params.key("signature").raw(b"\"").signature(signature).raw(b"\"");
    params.close()
}

/// `subscribe` to channels by name.
pub fn subscribe<'o, 'c>(
    out: &'o mut [u8],
    seq: u64,
    channels: impl IntoIterator<Item = &'c str>,
) -> Result<&'o [u8], EncodeError> {
    let mut params = Params::open(out, RequestKind::Subscribe, seq);
    params.key("channels").raw(b"[");
    for (place, channel) in channels.into_iter().enumerate() {
        params.text.raw(if place == 0 { b"\"" } else { b",\"" }).name(channel.as_bytes()).raw(b"\"");
    }
    params.text.raw(b"]");
    params.close()
}

/// `private/cancel` by venue id.
pub fn cancel<'o>(
    out: &'o mut [u8],
    seq: u64,
    subaccount: SubaccountId,
    instrument: &str,
    order_id: Uuid,
) -> Result<&'o [u8], EncodeError> {
    Params::open(out, RequestKind::Cancel, seq)
        .int("subaccount_id", subaccount.0)
        .name("instrument_name", instrument)
        .uuid("order_id", order_id)
        .close()
}

/// `private/cancel_by_instrument`.
pub fn cancel_by_instrument<'o>(
    out: &'o mut [u8],
    seq: u64,
    subaccount: SubaccountId,
    instrument: &str,
) -> Result<&'o [u8], EncodeError> {
    Params::open(out, RequestKind::CancelByInstrument, seq)
        .int("subaccount_id", subaccount.0)
        .name("instrument_name", instrument)
        .close()
}

/// `private/cancel_by_label`; without an instrument it has its own, smaller budget and answers −1.
pub fn cancel_by_label<'o>(
    out: &'o mut [u8],
    seq: u64,
    subaccount: SubaccountId,
    label: &str,
    instrument: Option<&str>,
) -> Result<&'o [u8], EncodeError> {
    let params =
        Params::open(out, RequestKind::CancelByLabel, seq).int("subaccount_id", subaccount.0).name("label", label);
    match instrument {
        Some(instrument) => params.name("instrument_name", instrument).close(),
        None => params.close(),
    }
}

/// `private/cancel_all` of a subaccount, trigger and algorithmic orders included.
pub fn cancel_all(out: &mut [u8], seq: u64, subaccount: SubaccountId) -> Result<&[u8], EncodeError> {
    Params::open(out, RequestKind::CancelAll, seq)
        .int("subaccount_id", subaccount.0)
        .flag("cancel_trigger_orders", true)
        .flag("cancel_algo_orders", true)
        .close()
}

/// `private/set_cancel_on_disconnect`: persists per wallet; covers orders with `mmp` only.
pub fn set_cancel_on_disconnect<'o>(
    out: &'o mut [u8],
    seq: u64,
    wallet: &Address,
    enabled: bool,
) -> Result<&'o [u8], EncodeError> {
    Params::open(out, RequestKind::CancelOnDisconnect, seq).address("wallet", wallet).flag("enabled", enabled).close()
}

/// `private/get_subaccount`.
pub fn get_subaccount(out: &mut [u8], seq: u64, subaccount: SubaccountId) -> Result<&[u8], EncodeError> {
    Params::open(out, RequestKind::Subaccount, seq).int("subaccount_id", subaccount.0).close()
}

/// `private/get_open_orders`.
pub fn get_open_orders(out: &mut [u8], seq: u64, subaccount: SubaccountId) -> Result<&[u8], EncodeError> {
    Params::open(out, RequestKind::OpenOrders, seq).int("subaccount_id", subaccount.0).close()
}

/// `private/get_account`.
pub fn get_account<'o>(out: &'o mut [u8], seq: u64, wallet: &Address) -> Result<&'o [u8], EncodeError> {
    Params::open(out, RequestKind::Account, seq).address("wallet", wallet).close()
}

/// `public/get_time`.
pub fn get_time(out: &mut [u8], seq: u64) -> Result<&[u8], EncodeError> {
    Params::open(out, RequestKind::Time, seq).close()
}

/// `private/get_order` by venue id.
pub fn get_order(out: &mut [u8], seq: u64, subaccount: SubaccountId, order_id: Uuid) -> Result<&[u8], EncodeError> {
    Params::open(out, RequestKind::GetOrder, seq).int("subaccount_id", subaccount.0).uuid("order_id", order_id).close()
}

/// One page of `private/get_trade_history`, from a moment on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TradePage {
    /// Subaccount.
    pub subaccount: SubaccountId,
    /// Earliest trade wanted, unix ms.
    pub from_ms: u64,
    /// Page, from 1.
    pub page: u32,
    /// Rows per page, at most 1000.
    pub page_size: u32,
}

/// `private/get_trade_history`.
pub fn get_trade_history(out: &mut [u8], seq: u64, want: TradePage) -> Result<&[u8], EncodeError> {
    Params::open(out, RequestKind::TradeHistory, seq)
        .int("subaccount_id", want.subaccount.0)
        .int("from_timestamp", want.from_ms)
        .int("page", want.page.into())
        .int("page_size", want.page_size.into())
        .close()
}

/// Market-maker protection of one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MmpConfig<'a> {
    /// Subaccount.
    pub subaccount: SubaccountId,
    /// Currency, e.g. `ETH`.
    pub currency: &'a str,
    /// Most filled within the interval; zero means no limit.
    pub amount_limit: Amount,
    /// Most delta filled within the interval; zero means no limit.
    pub delta_limit: Ratio,
    /// Rolling interval, ms, above zero; the venue rounds up to whole seconds.
    pub interval_ms: u64,
    /// Freeze after a trigger, ms; zero means until reset.
    pub frozen_ms: u64,
}

/// `private/set_mmp_config`.
pub fn set_mmp_config<'o>(out: &'o mut [u8], seq: u64, config: &MmpConfig<'_>) -> Result<&'o [u8], EncodeError> {
    Params::open(out, RequestKind::MmpConfig, seq)
        .int("subaccount_id", config.subaccount.0)
        .name("currency", config.currency)
        .decimal("mmp_amount_limit", config.amount_limit.raw())
        .decimal("mmp_delta_limit", config.delta_limit.raw())
        .int("mmp_interval", config.interval_ms)
        .int("mmp_frozen_time", config.frozen_ms)
        .close()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const SUB: SubaccountId = SubaccountId(42);
    const ID: Uuid = Uuid(1);

    #[test]
    #[allow(clippy::too_many_lines)] // a table: one row after the other
    fn every_cold_request_reads_as_meant() {
        let wallet = [0x11; 20];
        let owner = format!("0x{}", "11".repeat(20));
        let id = "00000000-0000-0000-0000-000000000001";
        let page = TradePage { subaccount: SUB, from_ms: 5, page: 2, page_size: 1000 };
        let mmp = MmpConfig {
            subaccount: SUB,
            currency: "ETH",
            amount_limit: Amount::whole(10),
            delta_limit: Ratio::from_raw(2_500_000_000),
            interval_ms: 2000,
            frozen_ms: 0,
        };
        type Write<'a> = Box<dyn Fn(&mut [u8]) -> Result<usize, EncodeError> + 'a>;
        let table: Vec<(&str, Write<'_>, &str, Value)> = vec![
            (
                "l7",
                Box::new(|o| login(o, 7, &wallet, 1_763_683_200_000, &[2; 65]).map(<[u8]>::len)),
                "public/login",
                json!({"wallet": owner, "timestamp": 1_763_683_200_000u64, "signature": format!("0x{}", "02".repeat(65))}),
            ),
            (
                "s8",
                Box::new(|o| subscribe(o, 8, ["42.orders", "spot_feed.ETH"]).map(<[u8]>::len)),
                "subscribe",
                json!({"channels": ["42.orders", "spot_feed.ETH"]}),
            ),
            (
                "x1",
                Box::new(|o| cancel(o, 1, SUB, "ETH-PERP", ID).map(<[u8]>::len)),
                "private/cancel",
                json!({"subaccount_id": 42, "instrument_name": "ETH-PERP", "order_id": id}),
            ),
            (
                "i1",
                Box::new(|o| cancel_by_instrument(o, 1, SUB, "ETH-PERP").map(<[u8]>::len)),
                "private/cancel_by_instrument",
                json!({"subaccount_id": 42, "instrument_name": "ETH-PERP"}),
            ),
            (
                "b1",
                Box::new(|o| cancel_by_label(o, 1, SUB, "9", Some("ETH-PERP")).map(<[u8]>::len)),
                "private/cancel_by_label",
                json!({"subaccount_id": 42, "label": "9", "instrument_name": "ETH-PERP"}),
            ),
            (
                "b2",
                Box::new(|o| cancel_by_label(o, 2, SUB, "9", None).map(<[u8]>::len)),
                "private/cancel_by_label",
                json!({"subaccount_id": 42, "label": "9"}),
            ),
            (
                "a1",
                Box::new(|o| cancel_all(o, 1, SUB).map(<[u8]>::len)),
                "private/cancel_all",
                json!({"subaccount_id": 42, "cancel_trigger_orders": true, "cancel_algo_orders": true}),
            ),
            (
                "d1",
                Box::new(|o| set_cancel_on_disconnect(o, 1, &wallet, true).map(<[u8]>::len)),
                "private/set_cancel_on_disconnect",
                json!({"wallet": owner, "enabled": true}),
            ),
            (
                "p1",
                Box::new(|o| get_subaccount(o, 1, SUB).map(<[u8]>::len)),
                "private/get_subaccount",
                json!({"subaccount_id": 42}),
            ),
            (
                "q1",
                Box::new(|o| get_open_orders(o, 1, SUB).map(<[u8]>::len)),
                "private/get_open_orders",
                json!({"subaccount_id": 42}),
            ),
            (
                "w1",
                Box::new(|o| get_account(o, 1, &wallet).map(<[u8]>::len)),
                "private/get_account",
                json!({"wallet": owner}),
            ),
            ("t1", Box::new(|o| get_time(o, 1).map(<[u8]>::len)), "public/get_time", json!({})),
            (
                "h1",
                Box::new(|o| get_trade_history(o, 1, page).map(<[u8]>::len)),
                "private/get_trade_history",
                json!({"subaccount_id": 42, "from_timestamp": 5, "page": 2, "page_size": 1000}),
            ),
            (
                "g1",
                Box::new(|o| get_order(o, 1, SUB, ID).map(<[u8]>::len)),
                "private/get_order",
                json!({"subaccount_id": 42, "order_id": id}),
            ),
            (
                "m1",
                Box::new(|o| set_mmp_config(o, 1, &mmp).map(<[u8]>::len)),
                "private/set_mmp_config",
                json!({
                    "subaccount_id": 42, "currency": "ETH", "mmp_amount_limit": "10", "mmp_delta_limit": "2.5",
                    "mmp_interval": 2000, "mmp_frozen_time": 0
                }),
            ),
        ];
        for (id, write, method, params) in table {
            let mut out = [0; 1024];
            let len = write(&mut out).expect(method);
            let got: Value = serde_json::from_slice(&out[..len]).expect(method);
            assert_eq!(got, json!({"id": id, "method": method, "params": params}));
            assert_eq!(write(&mut [0; 16]), Err(EncodeError::Full), "{method}");
        }
    }

    #[test]
    fn a_channel_that_needs_escaping_is_refused() {
        let mut out = [0; 256];
        assert_eq!(subscribe(&mut out, 1, ["a\"]}"]), Err(EncodeError::Text));
    }
}
