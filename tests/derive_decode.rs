//! Frames as the venue writes them: what they mean, that both readers agree, and that hostile ones change nothing.

use keel::base::ids::{InstrumentId, Nonce, Side, SubaccountId, Uuid};
use keel::base::num::{Amount, Cash, Price, Ratio};
use keel::base::time::{MS, Nanos};
use keel::derive::decode::{
    Decoder, ExternalDecoder, FRAME_MAX, Foreign, Heard, Malformed, Reply, ReplyBody, Vocabulary,
};
use keel::derive::request_id::{RequestId, RequestKind};
use keel::msg::{Answer, Asset, BalanceKind, Budget, CurrencyId, Market, OrderStatus, Request, Snapshot, Verdict};
use proptest::prelude::*;
use serde_json::{Value, json};

const PERP: InstrumentId = InstrumentId(0);
const CALL: InstrumentId = InstrumentId(1);
const CALL_HIGH: InstrumentId = InstrumentId(2);
const ORDER_ID: &str = "6a6eed97-b882-4909-a7ac-566fe99577e1";
const TRADE_ID: &str = "c0a8d1f2-0001-4a4a-8b8b-000000000001";
const NOW_MS: u64 = 1_763_683_200_000;

fn decoder() -> Decoder {
    Decoder::new(Vocabulary::new(["ETH-PERP", "ETH-20261225-3500-C", "ETH-20261225-4000-C"], ["USDC", "ETH"]))
}

fn price(text: &str) -> Price {
    text.parse().expect("price")
}

fn amount(text: &str) -> Amount {
    text.parse().expect("amount")
}

fn cash(text: &str) -> Cash {
    text.parse().expect("cash")
}

/// A notification in the form the venue's gateway writes: compact, method before params, channel before data.
fn notification(channel: &str, data: &str) -> String {
    format!(r#"{{"method":"subscription","params":{{"channel":"{channel}","data":{data}}}}}"#)
}

fn ticker() -> String {
    let stats =
        r#"{"c":"3088.047","h":"2093.59","l":"1971.4","n":2599,"oi":"4248.342","p":"-0.045","pr":"1.5","v":"9"}"#;
    notification(
        "ticker_slim.ETH-PERP.100",
        &format!(
            r#"{{"timestamp":{NOW_MS},"instrument_ticker":{{"t":{NOW_MS},"A":"1.505","a":"1992.37","B":"2.25","b":"1992.36","f":"0.0000125","I":"1991.79","M":"1992.490123456789","maxp":"2032.33","minp":"1953.45","option_pricing":null,"stats":{stats}}}}}"#
        ),
    )
}

fn option_ticker() -> String {
    let pricing = r#"{"ai":"0.88815","bi":"0","d":"0.95222","df":"0.999","f":"1992.6","g":"0.00036344","i":"0.67698","m":"398.1","r":"16.38143","t":"-0.90562","v":"0.40175"}"#;
    notification(
        "ticker_slim.ETH-20261225-3500-C.1000",
        &format!(
            r#"{{"instrument_ticker":{{"A":"0","B":"150.62","I":"1991.7","M":"398.1","a":"0","b":"383","f":null,"maxp":"432.6","minp":"366.1","option_pricing":{pricing},"stats":{{"c":"0"}},"t":{NOW_MS}}},"timestamp":{NOW_MS}}}"#
        ),
    )
}

fn levels(first: u32, step: i64, count: u32) -> String {
    let level = |n: u32| format!(r#"["{}.5","{}"]"#, i64::from(first) + step * i64::from(n), n + 1);
    format!("[{}]", (0..count).map(level).collect::<Vec<_>>().join(","))
}

fn book(bids: u32, asks: u32) -> String {
    let data = format!(
        r#"{{"instrument_name":"ETH-PERP","publish_id":9582,"timestamp":{NOW_MS},"bids":{},"asks":{}}}"#,
        levels(3500, -1, bids),
        levels(3501, 1, asks)
    );
    notification("orderbook.ETH-PERP.1.20", &data)
}

fn order_row() -> String {
    format!(
        r#"{{"subaccount_id":42,"order_id":"{ORDER_ID}","instrument_name":"ETH-PERP","direction":"sell","label":"1763683200000000002","quote_id":null,"creation_timestamp":{NOW_MS},"last_update_timestamp":{NOW_MS},"limit_price":"2568.89","amount":"0.3","filled_amount":"0.1","average_price":"2568.89","order_fee":"0.087052743622","order_type":"limit","time_in_force":"gtc","order_status":"open","max_fee":"1000","extra_fee":"0","signature_expiry_sec":1763683500,"signer":"0x86042886b1063625d0b3ddcc9e4cbcf912b79e16","signature":"0x1111","nonce":"1763683200000000002","cancel_reason":"","mmp":false,"is_transfer":false,"replaced_order_id":null,"trigger_type":null}}"#
    )
}

fn fill_row() -> String {
    format!(
        r#"{{"subaccount_id":42,"order_id":"{ORDER_ID}","instrument_name":"ETH-PERP","direction":"sell","label":"1763683200000000002","quote_id":null,"rfq_id":null,"trade_id":"{TRADE_ID}","timestamp":{NOW_MS},"mark_price":"2568.67924727244","index_price":"2568.424787416985","trade_price":"2568.89","trade_amount":"0.1","liquidity_role":"taker","realized_pnl":"0","is_transfer":false,"batch_status":null,"trade_fee":"0.087052743622","expected_rebate":"0","tx_hash":null,"extra_fee":"0"}}"#
    )
}

fn public_trades() -> String {
    let row = |role: &str| {
        format!(
            r#"{{"trade_id":"{TRADE_ID}","instrument_name":"ETH-PERP","timestamp":{NOW_MS},"trade_price":"2050","trade_amount":"0.1","mark_price":"2052.7251201831555","direction":"sell","quote_id":null,"wallet":"0xB4","subaccount_id":1,"trade_fee":"0","liquidity_role":"{role}"}}"#
        )
    };
    notification("trades.ETH-PERP", &format!("[{},{}]", row("maker"), row("taker")))
}

fn spot() -> String {
    let data = format!(
        r#"{{"timestamp":{NOW_MS},"feeds":{{"ETH":{{"price":"1991.79","confidence":"1","price_prev_daily":"1950"}},"DOGE":{{"price":"0.1","confidence":"1"}}}}}}"#
    );
    notification("spot_feed.ALL", &data)
}

fn balances() -> String {
    notification(
        "42.balances",
        r#"[{"name":"ETH-PERP","previous_balance":"0","new_balance":"-0.1","update_type":"trade"},{"name":"USDC","previous_balance":"45.981385","new_balance":"45.894332256378","update_type":"perp_settlement"}]"#,
    )
}

fn best_quote() -> String {
    notification(
        "42.best.quotes",
        &format!(
            r#"[{{"rfq_id":"{ORDER_ID}","result":{{"best_quote":{{"quote_id":"{TRADE_ID}","direction":"sell","legs":[{{"instrument_name":"ETH-20261225-3500-C","amount":"10","direction":"sell","price":"120.5"}},{{"instrument_name":"ETH-20261225-4000-C","amount":"10","direction":"buy","price":"45.2"}}],"status":"open"}},"direction":"buy","is_valid":true,"invalid_reason":null,"estimated_fee":"1.75","suggested_max_fee":"3.5","estimated_total_cost":"-753","filled_pct":"0"}},"error":null}}]"#
        ),
    )
}

fn result(id: &str, result: &str) -> String {
    format!(r#"{{"id":"{id}","result":{result}}}"#)
}

fn failure(id: &str, code: i64) -> String {
    format!(r#"{{"id":"{id}","error":{{"code":{code},"message":"no","data":null}}}}"#)
}

fn subaccount() -> String {
    result(
        "p9",
        r#"{"collaterals":[{"amount":"45.894332381059","asset_name":"USDC","asset_type":"erc20"},{"amount":"1","asset_name":"WBTC","asset_type":"erc20"}],"failed_to_fetch":false,"initial_margin":"0.942665488817","is_under_liquidation":false,"label":null,"maintenance_margin":"11.088866092881","open_orders":[],"positions":[{"amount":"-0.1","average_price":"2569.76052743622","cumulative_funding":"-0.25","instrument_name":"ETH-PERP","instrument_type":"perp","liquidation_price":null,"mark_price":"2568.706708413625","mark_value":"0.000318767368","net_settlements":"-0.105700669627","pending_funding":"0.05","unrealized_pnl":"-0.105381902259"}],"subaccount_id":42,"subaccount_value":"45.894651148427"}"#,
    )
}

const OUR_ORDER: &str = "o1763683200000000002";
const OUR_REPLACE: &str = "r1763683200000000002";

/// One frame of every kind.
fn all_frames() -> Vec<String> {
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
    ]
}

fn heard(frame: &str) -> Vec<Heard> {
    let mut decoder = decoder();
    let fast = decoder.decode(frame.as_bytes()).unwrap_or_else(|why| panic!("{why}: {frame}")).to_vec();
    assert_eq!(decoder.fallbacks(), 0, "the usual form needs no tape: {frame}");
    assert_eq!(decoder.decode_slowly(frame.as_bytes()), Ok(&fast[..]), "both readers agree: {frame}");
    fast
}

fn refusal(frame: &str) -> Malformed {
    let mut decoder = decoder();
    let why = decoder.decode(frame.as_bytes()).expect_err(frame);
    assert_eq!((decoder.refusals().of(why), decoder.refusals().total()), (1, 1));
    why
}

#[test]
fn a_ticker_says_prices_band_and_funding() {
    let frame = ticker();
    let [Heard::Market(Market::Ticker(ticker))] = heard(&frame)[..] else { panic!("ticker") };
    assert_eq!((ticker.instrument, ticker.venue_at), (PERP, Nanos(NOW_MS * MS)));
    assert_eq!((ticker.bid, ticker.bid_amount), (price("1992.36"), amount("2.25")));
    assert_eq!((ticker.ask, ticker.ask_amount), (price("1992.37"), amount("1.505")));
    assert_eq!((ticker.mark, ticker.index), (price("1992.490123456"), price("1991.79")));
    assert_eq!((ticker.band_low, ticker.band_high), (price("1953.45"), price("2032.33")));
    assert_eq!((ticker.funding_hourly, ticker.option), (Ratio::from_raw(12_500), None));
}

#[test]
fn an_option_ticker_says_the_model_too_and_an_empty_side_is_zero() {
    let [Heard::Market(Market::Ticker(ticker))] = heard(&option_ticker())[..] else { panic!("ticker") };
    let option = ticker.option.expect("option");
    assert_eq!((ticker.instrument, ticker.ask, ticker.bid), (CALL, Price::ZERO, price("383")));
    assert_eq!((option.delta, option.theta), (Ratio::from_raw(952_220_000), Ratio::from_raw(-905_620_000)));
    assert_eq!(
        (option.forward, option.mark, option.mark_iv),
        (price("1992.6"), price("398.1"), Ratio::from_raw(676_980_000))
    );
}

#[test]
fn a_book_keeps_its_best_levels() {
    let [Heard::Market(Market::Book(book))] = heard(&book(20, 3))[..] else { panic!("book") };
    assert_eq!((book.publish_id, book.bids().len(), book.asks().len()), (9582, 10, 3));
    assert_eq!((book.bids()[0].price, book.bids()[9].price), (price("3500.5"), price("3491.5")));
    assert_eq!((book.asks()[0].price, book.asks()[2].amount), (price("3501.5"), amount("3")));
}

#[test]
fn trades_count_once_and_strange_currencies_not_at_all() {
    let [Heard::Market(Market::Trade(print))] = heard(&public_trades())[..] else { panic!("one taker row") };
    assert_eq!((print.side, print.price, print.amount), (Side::Sell, price("2050"), amount("0.1")));
    let [Heard::Market(Market::Spot(index))] = heard(&spot())[..] else { panic!("one known currency") };
    assert_eq!((index.currency, index.price, index.venue_at), (CurrencyId(1), price("1991.79"), Nanos(NOW_MS * MS)));
    let late = notification(
        "spot_feed.ETH",
        r#"{"feeds":{"ETH":{"price":"2","confidence":"0.9"}},"timestamp":1763683200001}"#,
    );
    let [Heard::Market(Market::Spot(index))] = heard(&late)[..] else { panic!("spot") };
    assert_eq!((index.venue_at, index.confidence), (Nanos((NOW_MS + 1) * MS), Ratio::from_raw(900_000_000)));
}

#[test]
fn our_orders_fills_and_balances_are_read_whole() {
    let [Heard::Order(row)] = heard(&notification("42.orders", &format!("[{}]", order_row())))[..] else {
        panic!("order")
    };
    assert_eq!((row.subaccount, row.nonce, row.instrument), (SubaccountId(42), Nonce(1_763_683_200_000_000_002), PERP));
    assert_eq!(
        (row.side, row.price, row.amount, row.filled),
        (Side::Sell, price("2568.89"), amount("0.3"), amount("0.1"))
    );
    assert_eq!((row.status, Some(row.order_id)), (OrderStatus::Open, Uuid::parse(ORDER_ID.as_bytes())));
    let [Heard::Fill(fill)] = heard(&notification("42.trades", &format!("[{}]", fill_row())))[..] else {
        panic!("fill")
    };
    assert_eq!((fill.nonce, fill.maker, fill.fee), (row.nonce, false, cash("0.087052743622")));
    assert_eq!((fill.mark, Some(fill.trade_id)), (price("2568.679247272"), Uuid::parse(TRADE_ID.as_bytes())));
    let [Heard::Balance(position), Heard::Balance(dollars)] = heard(&balances())[..] else { panic!("balances") };
    assert_eq!(
        (position.asset, position.new, position.kind),
        (Asset::Instrument(PERP), cash("-0.1"), BalanceKind::Trade)
    );
    assert_eq!(
        (dollars.asset, dollars.previous, dollars.kind),
        (Asset::Currency(CurrencyId(0)), cash("45.981385"), BalanceKind::PerpSettlement)
    );
}

#[test]
fn a_label_of_somebody_else_is_no_nonce_and_an_unknown_instrument_is_foreign() {
    let row = fill_row().replace(r#""label":"1763683200000000002""#, r#""label":"hedge""#);
    let [Heard::Fill(fill)] = heard(&notification("42.trades", &format!("[{row}]")))[..] else { panic!("fill") };
    assert_eq!(fill.nonce, Nonce(0));
    let row = order_row().replace("ETH-PERP", "SOL-PERP");
    let foreign = Heard::Foreign { subaccount: SubaccountId(42), what: Foreign::Order };
    assert_eq!(heard(&notification("42.orders", &format!("[{row}]"))), [foreign]);
}

#[test]
fn a_best_quote_says_what_executing_it_costs() {
    let [Heard::BestQuote(quote)] = heard(&best_quote())[..] else { panic!("quote") };
    assert_eq!((quote.direction, quote.valid, quote.total_cost), (Side::Buy, true, cash("-753")));
    assert_eq!((quote.fee, quote.max_fee, quote.leg_count), (cash("1.75"), cash("3.5"), 2));
    assert_eq!((quote.legs[0].instrument, quote.legs[1].instrument), (CALL, CALL_HIGH));
    assert_eq!((quote.legs[1].side, quote.legs[1].price), (Side::Buy, price("45.2")));
    let none = notification(
        "42.best.quotes",
        &format!(r#"[{{"rfq_id":"{ORDER_ID}","result":null,"error":{{"code":11104,"message":"x"}}}}]"#),
    );
    let [Heard::BestQuote(quote)] = heard(&none)[..] else { panic!("quote") };
    assert_eq!((quote.quote_id, quote.code), (None, 11104));
}

fn answers(frame: &str) -> Answer {
    match heard(frame)[0] {
        Heard::Answer(answer) => answer,
        other => panic!("{other:?}"),
    }
}

#[test]
fn answers_name_order_verdict_and_code() {
    let nonce = Nonce(1_763_683_200_000_000_002);
    let frame = result(OUR_ORDER, &format!(r#"{{"order":{},"trades":[{}]}}"#, order_row(), fill_row()));
    let [Heard::Answer(answer), Heard::Fill(fill)] = heard(&frame)[..] else { panic!("answer and fill") };
    assert_eq!((answer.nonce, answer.request, answer.verdict), (nonce, Request::Place, Verdict::Accepted));
    assert_eq!((answer.order.map(|row| row.filled), fill.amount), (Some(amount("0.1")), amount("0.1")));
    let rejected = order_row().replace(r#""open""#, r#""rejected""#);
    assert_eq!(
        answers(&result(OUR_ORDER, &format!(r#"{{"order":{rejected},"trades":[]}}"#))).verdict,
        Verdict::Refused
    );

    let old = order_row().replace("1763683200000000002", "1763683200000000001");
    let both =
        format!(r#"{{"cancelled_order":{old},"order":{},"trades":null,"create_order_error":null}}"#, order_row());
    let replaced = answers(&result(OUR_REPLACE, &both));
    assert_eq!((replaced.verdict, replaced.request), (Verdict::Accepted, Request::Replace));
    assert_eq!(replaced.cancelled.map(|row| row.nonce), Some(Nonce(1_763_683_200_000_000_001)));
    let failed =
        format!(r#"{{"cancelled_order":{old},"order":null,"create_order_error":{{"code":11008,"message":"x"}}}}"#);
    let half = answers(&result(OUR_REPLACE, &failed));
    assert_eq!((half.verdict, half.code, half.cancelled.is_some(), half.order), (Verdict::Refused, 11008, true, None));
    assert_eq!(answers(&result(OUR_REPLACE, &format!(r#"{{"cancelled_order":{old}}}"#))).verdict, Verdict::Unknown);

    for (count, verdict) in [(1, Verdict::Accepted), (0, Verdict::Refused)] {
        let answer = answers(&result("c1763683200000000002", &format!(r#"{{"cancelled_orders":{count}}}"#)));
        assert_eq!((answer.nonce, answer.request, answer.verdict), (nonce, Request::Cancel, verdict));
    }
    for (code, verdict) in [
        (11008, Verdict::Refused),
        (-32000, Verdict::RateLimited),
        (9000, Verdict::Unknown),
        (14014, Verdict::Halt),
        (424_242, Verdict::Unknown),
    ] {
        let answer = answers(&failure(OUR_ORDER, code));
        assert_eq!((answer.verdict, i64::from(answer.code), answer.order), (verdict, code, None));
    }
}

fn reply(kind: RequestKind, number: u64, body: ReplyBody) -> Heard {
    Heard::Reply(Reply { id: RequestId { kind, number }, body })
}

#[test]
fn other_replies_say_what_they_answer() {
    let access = |id| reply(RequestKind::Login, 1, ReplyBody::Access { subaccount: SubaccountId(id) });
    let logged_in = reply(RequestKind::Login, 1, ReplyBody::LoggedIn { subaccounts: 2 });
    assert_eq!(heard(&result("l1", "[42,43]")), [access(42), access(43), logged_in]);
    let failed = ReplyBody::Failed { code: 14014, verdict: Verdict::Halt };
    assert_eq!(heard(&failure("l1", 14014)), [reply(RequestKind::Login, 1, failed)]);
    let status = r#"{"status":{"a":"ok","b":"ok","c":"no"},"current_subscriptions":["a","b"]}"#;
    let subscribed = ReplyBody::Subscribed { accepted: 2, refused: 1 };
    assert_eq!(heard(&result("s5", status)), [reply(RequestKind::Subscribe, 5, subscribed)]);
    let time = ReplyBody::Time { venue_at: Nanos(NOW_MS * MS) };
    assert_eq!(heard(&result("t7", &NOW_MS.to_string())), [reply(RequestKind::Time, 7, time)]);
    assert_eq!(heard(&result("a1", r#""ok""#)), [reply(RequestKind::CancelAll, 1, ReplyBody::Done)]);
    let account = all_frames().into_iter().find(|frame| frame.contains("w1")).expect("account");
    let budget = Budget { matching_tps: 5, instrument_tps: 1, other_tps: 6 };
    let body = ReplyBody::Account { budget, cancel_on_disconnect: true };
    assert_eq!(heard(&account), [reply(RequestKind::Account, 1, body)]);
    let uncounted = result("b1", r#"{"cancelled_orders":-1}"#);
    assert_eq!(heard(&uncounted), [reply(RequestKind::CancelByLabel, 1, ReplyBody::Cancelled { count: -1 })]);
}

#[test]
fn a_snapshot_comes_in_rows_and_its_reply_ends_it() {
    let rows = heard(&subaccount());
    let Heard::Snapshot(Snapshot::Begin { subaccount: owner, initial_margin, value, liquidation, .. }) = rows[0] else {
        panic!("begin")
    };
    assert_eq!((owner, initial_margin, liquidation), (SubaccountId(42), cash("0.942665488817"), false));
    assert_eq!(value, cash("45.894651148427"));
    let dollars = Snapshot::Collateral { currency: CurrencyId(0), amount: cash("45.894332381059") };
    assert_eq!(rows[1], Heard::Snapshot(dollars));
    assert_eq!(rows[2], Heard::Foreign { subaccount: SubaccountId(42), what: Foreign::Collateral });
    let position = Snapshot::Position {
        instrument: PERP,
        amount: amount("-0.1"),
        mark: price("2568.706708413"),
        unsettled: cash("0.000318767368"),
        funding: cash("-0.2"),
    };
    assert_eq!(rows[3], Heard::Snapshot(position));
    assert_eq!(rows[4..], [reply(RequestKind::Subaccount, 9, ReplyBody::Done)]);
    let failed = subaccount().replace(r#""failed_to_fetch":false"#, r#""failed_to_fetch":true"#);
    assert_eq!(heard(&failed), [reply(RequestKind::Subaccount, 9, ReplyBody::Incomplete)]);
    let orders = result("q1", &format!(r#"{{"orders":[{}],"subaccount_id":42}}"#, order_row()));
    assert!(matches!(heard(&orders)[..], [Heard::Snapshot(Snapshot::OpenOrder(_)), Heard::Reply(_)]));
}

#[test]
fn hostile_frames_are_refused_by_reason() {
    let swap = |frame: &str, from: &str, to: &str| {
        assert!(frame.contains(from), "{from}");
        refusal(&frame.replacen(from, to, 1))
    };
    let ticker = ticker();
    for (from, to, why) in [
        (r#""b":"1992.36""#, r#""b":"1992.38""#, Malformed::Crossed),
        (r#""minp":"1953.45""#, r#""minp":"9999""#, Malformed::Crossed),
        (r#""b":"1992.36""#, r#""b":"-1""#, Malformed::Range),
        (r#""I":"1991.79""#, r#""I":"0""#, Malformed::Range),
        (r#""b":"1992.36""#, r#""b":1992.36"#, Malformed::Shape),
        (r#""b":"1992.36""#, r#""b":"1e3""#, Malformed::Number),
        (r#""b":"1992.36""#, r#""b":"0.0000000001""#, Malformed::Number),
        (r#""b":"1992.36""#, r#""b":"1000000000000000000000000000000000000000""#, Malformed::Number),
        (r#""b":"1992.36","#, "", Malformed::Missing),
        (r#""b":"1992.36","#, r#""b":"1992.36","b":"1992.36","#, Malformed::Duplicate),
        (r#""t":1763683200000"#, r#""t":1763683200"#, Malformed::Time),
        (r#""t":1763683200000"#, r#""t":1763683200000000"#, Malformed::Time),
        (r#""t":1763683200000"#, r#""t":0"#, Malformed::Time),
        (r#""t":1763683200000"#, r#""t":-1763683200000"#, Malformed::Time),
        (r#""t":1763683200000"#, r#""t":1.7e12"#, Malformed::Time),
        (r#"ETH-PERP.100"#, "SOL-PERP.100", Malformed::Name),
        (r#"ticker_slim"#, "ticker", Malformed::Channel),
        ("subscription", "Subscription", Malformed::Word),
        ("}}}}}", "}}}}}}", Malformed::Json),
        ("}}}}}", "}}}}", Malformed::Json),
    ] {
        assert_eq!(swap(&ticker, from, to), why, "{from} → {to}");
    }
    for (from, to, why) in [
        (r#""d":"0.95222""#, r#""d":"1.5""#, Malformed::Range),
        (r#""i":"0.67698""#, r#""i":"0""#, Malformed::Range),
        (r#""i":"0.67698""#, r#""i":"101""#, Malformed::Range),
        (r#""option_pricing":{"ai""#, r#""option_pricing":{"d":"1","ai""#, Malformed::Duplicate),
    ] {
        assert_eq!(swap(&option_ticker(), from, to), why, "{from} → {to}");
    }
    for (from, to, why) in [
        (r#"["3500.5","1"]"#, r#"["3499.5","1"]"#, Malformed::Unsorted),
        (r#"["3500.5","1"]"#, r#"["3501.6","1"]"#, Malformed::Crossed),
        (r#"["3500.5","1"]"#, r#"["0","1"]"#, Malformed::Range),
        (r#"["3500.5","1"]"#, r#"["3500.5","0"]"#, Malformed::Range),
        (r#"["3500.5","1"]"#, r#"["3500.5"]"#, Malformed::Shape),
        (r#"["3500.5","1"]"#, r#"["3500.5","1","1"]"#, Malformed::Shape),
        (r#""instrument_name":"ETH-PERP""#, r#""instrument_name":"ETH-20261225-3500-C""#, Malformed::Name),
    ] {
        assert_eq!(swap(&book(3, 2), from, to), why, "{from} → {to}");
    }
    assert_eq!(refusal(&book(101, 1)), Malformed::Count);
}

#[test]
fn hostile_private_frames_and_replies_are_refused_by_reason() {
    let orders = notification("42.orders", &format!("[{}]", order_row()));
    for (from, to, why) in [
        (r#""subaccount_id":42"#, r#""subaccount_id":43"#, Malformed::Subaccount),
        (r#""filled_amount":"0.1""#, r#""filled_amount":"0.4""#, Malformed::Overfill),
        (r#""order_status":"open""#, r#""order_status":"Open""#, Malformed::Word),
        (r#""nonce":"1763683200000000002""#, r#""nonce":"-5""#, Malformed::Id),
        (ORDER_ID, "held", Malformed::Id),
    ] {
        assert_eq!(refusal(&orders.replacen(from, to, 1)), why, "{from} → {to}");
    }
    let two = notification("42.orders", &format!("[{},{}]", order_row(), order_row().replace("sell", "short")));
    assert_eq!(refusal(&two), Malformed::Word, "the good first row must not count either");
    let placed = format!(r#"{{"order":{},"trades":[]}}"#, order_row());
    for (frame, why) in [
        (result("o1763683200000000003", &placed), Malformed::Id),
        (result("probe-1", &placed), Malformed::Id),
        (r#"{"id":null,"result":{}}"#.into(), Malformed::Id),
        (r#"{"id":1.5,"result":{}}"#.into(), Malformed::Id),
        (r#"{"id":"t1","result":1763683200000,"error":{"code":1,"message":""}}"#.into(), Malformed::Shape),
        (r#"{"id":"t1"}"#.into(), Malformed::Shape),
        (r#"{"id":"t1","result":null}"#.into(), Malformed::Shape),
        (r#"{"id":"t1","error":{"message":"no code"}}"#.into(), Malformed::Missing),
        (result("c1763683200000000002", r#"{"cancelled_orders":2}"#), Malformed::Range),
        ("{}".into(), Malformed::Shape),
        ("".into(), Malformed::Json),
        ("[]".into(), Malformed::Shape),
        ("nul".into(), Malformed::Json),
        ("\0".into(), Malformed::Json),
        ("[".repeat(10_000), Malformed::Json),
        (r#"{"method":"\ud800"}"#.into(), Malformed::Json),
        ("x".repeat(FRAME_MAX + 1), Malformed::TooLarge),
    ] {
        let head: String = frame.chars().take(80).collect();
        assert_eq!(refusal(&frame), why, "{head}");
    }
    let crowd = format!("[{}]", vec!["42"; 5000].join(","));
    assert_eq!(refusal(&result("l1", &crowd)), Malformed::Count);
}

#[test]
fn binance_book_tickers_are_read_bare_and_wrapped() {
    let mut decoder = ExternalDecoder::new(["BTCUSDC", "ETHUSDC"]);
    let bare =
        r#"{"u":400900217,"s":"ETHUSDC","b":"2535.19000000","B":"31.21000000","a":"2536.52000000","A":"40.66000000"}"#;
    let external = decoder.decode(bare.as_bytes()).expect("reads").expect("a ticker");
    assert_eq!((external.symbol, external.update_id), (1, 400_900_217));
    assert_eq!(
        (external.bid, external.ask, external.ask_amount),
        (price("2535.19"), price("2536.52"), amount("40.66"))
    );
    let wrapped = format!(r#"{{"stream":"ethusdc@bookTicker","data":{bare}}}"#);
    assert_eq!(decoder.decode(wrapped.as_bytes()), Ok(Some(external)));
    assert_eq!(decoder.fallbacks(), 0);
    let spaced = wrapped.replace(',', " , ");
    assert_eq!(decoder.decode(spaced.as_bytes()), Ok(Some(external)));
    assert_eq!(decoder.fallbacks(), 1);
    assert_eq!(decoder.decode(br#"{"result":null,"id":1}"#), Ok(None));
    for (from, to, why) in [
        ("ETHUSDC", "ETHUSDT", Malformed::Name),
        ("2535.19000000", "2537", Malformed::Crossed),
        ("2535.19000000", "0", Malformed::Range),
        ("\"u\":400900217,", "", Malformed::Missing),
        ("31.21000000", "-1", Malformed::Range),
    ] {
        assert_eq!(decoder.decode(bare.replace(from, to).as_bytes()), Err(why), "{from} → {to}");
    }
    assert_eq!(decoder.refusals().total(), 5);
}

/// Writes a value with its keys in another order and blanks between the tokens.
fn restyle(value: &Value, seed: &mut u64, out: &mut String) {
    let mut roll = |n: usize| {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*seed >> 33) as usize % n
    };
    let blank = ["", " ", "\n", "\t "][roll(4)];
    match value {
        Value::Object(map) => {
            let mut rows: Vec<_> = map.iter().collect();
            for at in (1..rows.len()).rev() {
                rows.swap(at, roll(at + 1));
            }
            out.push('{');
            for (place, (key, value)) in rows.into_iter().enumerate() {
                out.push_str(if place > 0 { "," } else { "" });
                out.push_str(&format!("{blank}{}{blank}:", json!(key)));
                restyle(value, seed, out);
            }
            out.push('}');
        }
        Value::Array(rows) => {
            out.push('[');
            for (place, value) in rows.iter().enumerate() {
                out.push_str(if place > 0 { "," } else { "" });
                restyle(value, seed, out);
                out.push_str(blank);
            }
            out.push(']');
        }
        other => out.push_str(&other.to_string()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn order_and_blanks_change_nothing(which in 0usize..26, mut seed in any::<u64>()) {
        let frames = all_frames();
        let frame = &frames[which % frames.len()];
        let mut restyled = String::new();
        restyle(&serde_json::from_str(frame).expect("json"), &mut seed, &mut restyled);
        let mut decoder = decoder();
        let want = decoder.decode(frame.as_bytes()).expect("reads").to_vec();
        prop_assert_eq!(decoder.decode(restyled.as_bytes()), Ok(&want[..]), "{}", restyled);
    }

    #[test]
    fn one_changed_byte_is_refused_or_read_the_same_by_both(which in 0usize..26, at in any::<proptest::sample::Index>(), byte in any::<u8>()) {
        let frames = all_frames();
        let mut frame = frames[which % frames.len()].clone().into_bytes();
        let at = at.index(frame.len());
        frame[at] = byte;
        let mut decoder = decoder();
        let fast = decoder.decode(&frame).map(<[Heard]>::to_vec);
        let slow = decoder.decode_slowly(&frame).map(<[Heard]>::to_vec);
        match (fast, slow) {
            // The scanner does not look inside strings and objects it has no use for.
            (Ok(_), Err(Malformed::Json)) => {}
            (fast, slow) => prop_assert_eq!(fast, slow),
        }
    }

    #[test]
    fn noise_never_panics(noise in proptest::collection::vec(any::<u8>(), 0..300), which in 0usize..26, at in any::<proptest::sample::Index>()) {
        let mut decoder = decoder();
        let _ = decoder.decode(&noise);
        let frames = all_frames();
        let frame = frames[which % frames.len()].as_bytes();
        let at = at.index(frame.len());
        prop_assert!(decoder.decode(&frame[..at]).is_err(), "truncated");
        let mut spliced = frame[..at].to_vec();
        spliced.extend_from_slice(&noise);
        spliced.extend_from_slice(&frame[at..]);
        let _ = decoder.decode(&spliced);
        let mut external = ExternalDecoder::new(["ETHUSDC"]);
        let _ = external.decode(&noise);
    }
}

/// Fields of a message that a change of one number in the frame may reach.
fn differing_fields(a: &Heard, b: &Heard) -> usize {
    let (a, b) = (format!("{a:#?}"), format!("{b:#?}"));
    if a.lines().count() != b.lines().count() {
        return usize::MAX;
    }
    a.lines().zip(b.lines()).filter(|(a, b)| a != b).count()
}

#[test]
fn every_one_byte_change_of_a_market_frame_reaches_at_most_one_field() {
    for frame in [ticker(), option_ticker(), book(3, 2), spot()] {
        let mut decoder = decoder();
        let want = decoder.decode(frame.as_bytes()).expect("reads").to_vec();
        for at in 0..frame.len() {
            for byte in *b"\"{}[]:,0195.-eatbBAIMf \\\x00\xff" {
                let mut changed = frame.clone().into_bytes();
                changed[at] = byte;
                let Ok(got) = decoder.decode(&changed) else { continue };
                let differing: usize = want.iter().zip(got).map(|(a, b)| differing_fields(a, b)).sum();
                let rows = got.len() == want.len() || frame.contains("spot_feed");
                assert!(rows && differing <= 1, "{at} {} {frame}\n{want:?}\n{got:?}", byte as char);
            }
        }
    }
}
