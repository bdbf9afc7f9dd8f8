//! One frame of every kind, in the form the venue writes, and what reading them through both readers gives.
#![allow(dead_code)] // Each test program uses its part.

use keel::base::ids::InstrumentId;
use keel::base::num::{Amount, Cash, Price};
use keel::derive::decode::{Decoder, Heard, Malformed, Vocabulary};

pub const PERP: InstrumentId = InstrumentId(0);
pub const CALL: InstrumentId = InstrumentId(1);
pub const CALL_HIGH: InstrumentId = InstrumentId(2);
pub const ORDER_ID: &str = "6a6eed97-b882-4909-a7ac-566fe99577e1";
pub const TRADE_ID: &str = "c0a8d1f2-0001-4a4a-8b8b-000000000001";
pub const NOW_MS: u64 = 1_763_683_200_000;

pub fn decoder() -> Decoder {
    Decoder::new(Vocabulary::new(["ETH-PERP", "ETH-20261225-3500-C", "ETH-20261225-4000-C"], ["USDC", "ETH"]))
}

pub fn price(text: &str) -> Price {
    text.parse().expect("price")
}

pub fn amount(text: &str) -> Amount {
    text.parse().expect("amount")
}

pub fn cash(text: &str) -> Cash {
    text.parse().expect("cash")
}

/// A notification in the form the venue's gateway writes: compact, method before params, channel before data.
pub fn notification(channel: &str, data: &str) -> String {
    format!(r#"{{"method":"subscription","params":{{"channel":"{channel}","data":{data}}}}}"#)
}

pub fn ticker() -> String {
    let stats =
        r#"{"c":"3088.047","h":"2093.59","l":"1971.4","n":2599,"oi":"4248.342","p":"-0.045","pr":"1.5","v":"9"}"#;
    notification(
        "ticker_slim.ETH-PERP.100",
        &format!(
            r#"{{"timestamp":{NOW_MS},"instrument_ticker":{{"t":{NOW_MS},"A":"1.505","a":"1992.37","B":"2.25","b":"1992.36","f":"0.0000125","I":"1991.79","M":"1992.490123456789","maxp":"2032.33","minp":"1953.45","option_pricing":null,"stats":{stats}}}}}"#
        ),
    )
}

pub fn option_ticker() -> String {
    let pricing = r#"{"ai":"0.88815","bi":"0","d":"0.95222","df":"0.999","f":"1992.6","g":"0.00036344","i":"0.67698","m":"398.1","r":"16.38143","t":"-0.90562","v":"0.40175"}"#;
    notification(
        "ticker_slim.ETH-20261225-3500-C.1000",
        &format!(
            r#"{{"instrument_ticker":{{"A":"0","B":"150.62","I":"1991.7","M":"398.1","a":"0","b":"383","f":null,"maxp":"432.6","minp":"366.1","option_pricing":{pricing},"stats":{{"c":"0"}},"t":{NOW_MS}}},"timestamp":{NOW_MS}}}"#
        ),
    )
}

pub fn levels(first: u32, step: i64, count: u32) -> String {
    let level = |n: u32| format!(r#"["{}.5","{}"]"#, i64::from(first) + step * i64::from(n), n + 1);
    format!("[{}]", (0..count).map(level).collect::<Vec<_>>().join(","))
}

pub fn book(bids: u32, asks: u32) -> String {
    let data = format!(
        r#"{{"instrument_name":"ETH-PERP","publish_id":9582,"timestamp":{NOW_MS},"bids":{},"asks":{}}}"#,
        levels(3500, -1, bids),
        levels(3501, 1, asks)
    );
    notification("orderbook.ETH-PERP.1.20", &data)
}

pub fn order_row() -> String {
    format!(
        r#"{{"subaccount_id":42,"order_id":"{ORDER_ID}","instrument_name":"ETH-PERP","direction":"sell","label":"1763683200000000002","quote_id":null,"creation_timestamp":{NOW_MS},"last_update_timestamp":{NOW_MS},"limit_price":"2568.89","amount":"0.3","filled_amount":"0.1","average_price":"2568.89","order_fee":"0.087052743622","order_type":"limit","time_in_force":"gtc","order_status":"open","max_fee":"1000","extra_fee":"0","signature_expiry_sec":1763683500,"signer":"0x86042886b1063625d0b3ddcc9e4cbcf912b79e16","signature":"0x1111","nonce":"1763683200000000002","cancel_reason":"","mmp":false,"is_transfer":false,"replaced_order_id":null,"trigger_type":null}}"#
    )
}

pub fn fill_row() -> String {
    format!(
        r#"{{"subaccount_id":42,"order_id":"{ORDER_ID}","instrument_name":"ETH-PERP","direction":"sell","label":"1763683200000000002","quote_id":null,"rfq_id":null,"trade_id":"{TRADE_ID}","timestamp":{NOW_MS},"mark_price":"2568.67924727244","index_price":"2568.424787416985","trade_price":"2568.89","trade_amount":"0.1","liquidity_role":"taker","realized_pnl":"0","is_transfer":false,"batch_status":null,"trade_fee":"0.087052743622","expected_rebate":"0","tx_hash":null,"extra_fee":"0"}}"#
    )
}

pub fn public_trades() -> String {
    let row = |role: &str| {
        format!(
            r#"{{"trade_id":"{TRADE_ID}","instrument_name":"ETH-PERP","timestamp":{NOW_MS},"trade_price":"2050","trade_amount":"0.1","mark_price":"2052.7251201831555","direction":"sell","quote_id":null,"wallet":"0xB4","subaccount_id":1,"trade_fee":"0","liquidity_role":"{role}"}}"#
        )
    };
    notification("trades.ETH-PERP", &format!("[{},{}]", row("maker"), row("taker")))
}

pub fn spot() -> String {
    let data = format!(
        r#"{{"timestamp":{NOW_MS},"feeds":{{"ETH":{{"price":"1991.79","confidence":"1","price_prev_daily":"1950"}},"DOGE":{{"price":"0.1","confidence":"1"}}}}}}"#
    );
    notification("spot_feed.ALL", &data)
}

pub fn balances() -> String {
    notification(
        "42.balances",
        r#"[{"name":"ETH-PERP","previous_balance":"0","new_balance":"-0.1","update_type":"trade"},{"name":"USDC","previous_balance":"45.981385","new_balance":"45.894332256378","update_type":"perp_settlement"}]"#,
    )
}

/// A leg as a quote has it; without a price as an RFQ has it.
pub fn leg(instrument: &str, side: &str, price: &str) -> String {
    format!(r#"{{"instrument_name":"{instrument}","amount":"10","direction":"{side}","price":"{price}"}}"#)
}

pub fn near_leg() -> String {
    leg("ETH-20261225-3500-C", "sell", "120.5")
}

pub fn far_leg() -> String {
    leg("ETH-20261225-4000-C", "buy", "45.2")
}

pub const MAKER: &str = "0x86042886b1063625d0b3ddcc9e4cbcf912b79e16";

/// A quote as takers see it.
pub fn quote(legs: &str) -> String {
    format!(
        r#"{{"quote_id":"{TRADE_ID}","rfq_id":"{ORDER_ID}","subaccount_id":555,"wallet":"{MAKER}","direction":"sell","legs":[{legs}],"legs_hash":"0xabab","liquidity_role":"maker","status":"open","cancel_reason":"","fill_pct":"1","creation_timestamp":{NOW_MS},"last_update_timestamp":{NOW_MS}}}"#
    )
}

pub fn best_quote_with(quote: &str) -> String {
    notification(
        "42.best.quotes",
        &format!(
            r#"[{{"rfq_id":"{ORDER_ID}","result":{{"best_quote":{quote},"direction":"buy","is_valid":true,"invalid_reason":null,"estimated_fee":"1.75","suggested_max_fee":"3.5","estimated_total_cost":"-753","orderbook_total_cost":"-741","filled_pct":"0","pre_initial_margin":"50000","post_initial_margin":"47000.5","up_liquidation_price":null}},"error":null}}]"#
        ),
    )
}

pub fn best_quote() -> String {
    best_quote_with(&quote(&format!("{},{}", near_leg(), far_leg())))
}

pub fn poll() -> String {
    let quote = quote(&format!("{},{}", far_leg(), near_leg()));
    result("v7", &format!(r#"{{"quotes":[{quote}],"pagination":{{"num_pages":1,"count":1}}}}"#))
}

pub const OUR_RFQ: &str = "f1763683200000000001";
pub const OUR_EXECUTION: &str = "e1763683200000000003";

pub fn rfq() -> String {
    let legs = [("ETH-20261225-3500-C", "sell"), ("ETH-20261225-4000-C", "buy")]
        .map(|(name, side)| format!(r#"{{"instrument_name":"{name}","amount":"10","direction":"{side}"}}"#));
    format!(
        r#"{{"rfq_id":"{ORDER_ID}","subaccount_id":42,"wallet":"0x8772185a1516f0d61fc1c2524926bfc69f95d698","legs":[{}],"status":"open","cancel_reason":"","label":"1763683200000000001","counterparties":null,"creation_timestamp":{NOW_MS},"last_update_timestamp":{NOW_MS},"valid_until":1763683800000,"partial_fill_step":"0.25","filled_pct":"0","filled_direction":null,"total_cost":null,"ask_total_cost":null,"bid_total_cost":null,"mark_total_cost":null,"max_total_cost":null,"min_total_cost":null}}"#,
        legs.join(",")
    )
}

pub fn executed() -> String {
    format!(
        r#"{{"quote_id":"{TRADE_ID}","rfq_id":"{ORDER_ID}","subaccount_id":42,"direction":"buy","legs":[{},{}],"legs_hash":"0xabab","liquidity_role":"taker","status":"filled","cancel_reason":"","label":"1763683200000000003","mmp":false,"is_transfer":false,"nonce":"1763683200000000003","signature_expiry_sec":1763683900,"max_fee":"3.5","fee":"1.75","extra_fee":"0","fill_pct":"0.5","rfq_filled_pct":"0.5","creation_timestamp":{NOW_MS},"last_update_timestamp":{NOW_MS}}}"#,
        near_leg(),
        far_leg()
    )
}

/// One leg's fill of an executed quote.
pub fn rfq_fill_row() -> String {
    fill_row()
        .replace(r#""quote_id":null,"rfq_id":null"#, &format!(r#""quote_id":"{TRADE_ID}","rfq_id":"{ORDER_ID}""#))
        .replace("ETH-PERP", "ETH-20261225-3500-C")
        .replace("1763683200000000002", "1763683200000000003")
}

pub fn settled() -> String {
    notification(
        "42.balances",
        r#"[{"name":"ETH-20261225-3500-C","previous_balance":"-10","new_balance":"0","update_type":"option_settlement"},{"name":"USDC","previous_balance":"1205","new_balance":"-205.5","update_type":"option_settlement"}]"#,
    )
}

pub fn result(id: &str, result: &str) -> String {
    format!(r#"{{"id":"{id}","result":{result}}}"#)
}

pub fn failure(id: &str, code: i64) -> String {
    format!(r#"{{"id":"{id}","error":{{"code":{code},"message":"no","data":null}}}}"#)
}

pub fn subaccount() -> String {
    result(
        "p9",
        r#"{"collaterals":[{"amount":"45.894332381059","asset_name":"USDC","asset_type":"erc20"},{"amount":"1","asset_name":"WBTC","asset_type":"erc20"}],"failed_to_fetch":false,"initial_margin":"0.942665488817","is_under_liquidation":false,"label":null,"maintenance_margin":"11.088866092881","open_orders":[],"positions":[{"amount":"-0.1","average_price":"2569.76052743622","cumulative_funding":"-0.25","instrument_name":"ETH-PERP","instrument_type":"perp","liquidation_price":null,"mark_price":"2568.706708413625","mark_value":"0.000318767368","net_settlements":"-0.105700669627","pending_funding":"0.05","unrealized_pnl":"-0.105381902259"}],"subaccount_id":42,"subaccount_value":"45.894651148427"}"#,
    )
}

pub const OUR_ORDER: &str = "o1763683200000000002";
pub const OUR_REPLACE: &str = "r1763683200000000002";

/// One frame of every kind.
pub fn all_frames() -> Vec<String> {
    let orders = format!("[{}]", order_row());
    vec![
        ticker(),
        option_ticker(),
        book(3, 2),
        book(20, 20),
        book(0, 0),
        public_trades(),
        spot(),
        notification("42.orders", &orders),
        notification("42.trades", &format!("[{}]", fill_row())),
        balances(),
        best_quote(),
        result(OUR_ORDER, &format!(r#"{{"order":{},"trades":[{}]}}"#, order_row(), fill_row())),
        result(
            OUR_REPLACE,
            &format!(r#"{{"cancelled_order":{0},"order":{0},"trades":[],"create_order_error":null}}"#, order_row()),
        ),
        result("c1763683200000000002", r#"{"cancelled_orders":1}"#),
        result("x1", &order_row()),
        result("i1", r#"{"cancelled_orders":3}"#),
        result("a1", r#""ok""#),
        result("l1", "[42,43]"),
        result(
            "s1",
            r#"{"status":{"42.orders":"ok","trades.spot.ETH":"no such kind"},"current_subscriptions":["42.orders"]}"#,
        ),
        result("t1", &NOW_MS.to_string()),
        result("q1", &format!(r#"{{"orders":{orders},"subaccount_id":42}}"#)),
        result(
            "h1",
            &format!(r#"{{"trades":[{}],"pagination":{{"num_pages":3,"count":9}},"subaccount_id":42}}"#, fill_row()),
        ),
        result(
            "w1",
            r#"{"cancel_on_disconnect":true,"websocket_matching_tps":5,"websocket_non_matching_tps":6,"websocket_perp_tps":1,"websocket_option_tps":1,"wallet":"0x1"}"#,
        ),
        subaccount(),
        failure(OUR_ORDER, 11008),
        failure("l1", 14014),
        notification("42.trades", &format!("[{}]", rfq_fill_row())),
        settled(),
        poll(),
        result(OUR_RFQ, &rfq()),
        result("n1763683200000000001", r#""ok""#),
        result("k4", &format!(r#"{{"cancelled_ids":["{ORDER_ID}"]}}"#)),
        result(OUR_EXECUTION, &executed()),
        failure(OUR_EXECUTION, 8500),
        failure(OUR_RFQ, 11100),
    ]
}

pub fn heard(frame: &str) -> Vec<Heard> {
    let mut decoder = decoder();
    let fast = decoder.decode(frame.as_bytes()).unwrap_or_else(|why| panic!("{why}: {frame}")).to_vec();
    assert_eq!(decoder.fallbacks(), 0, "the usual form needs no tape: {frame}");
    assert_eq!(decoder.decode_slowly(frame.as_bytes()), Ok(&fast[..]), "both readers agree: {frame}");
    fast
}

pub fn refusal(frame: &str) -> Malformed {
    let mut decoder = decoder();
    let why = decoder.decode(frame.as_bytes()).expect_err(frame);
    assert_eq!((decoder.refusals().of(why), decoder.refusals().total()), (1, 1));
    why
}
