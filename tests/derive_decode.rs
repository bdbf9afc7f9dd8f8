//! Frames as the venue writes them, and what they mean.

mod derive_frames;

use derive_frames::*;
use keel::base::ids::{InstrumentId, Nonce, Side, SubaccountId, Uuid};
use keel::base::num::{Price, Ratio};
use keel::base::time::{MS, Nanos};
use keel::derive::decode::{Decoder, ExternalDecoder, Foreign, Heard, Malformed, Reply, ReplyBody};
use keel::derive::instrument::listings;
use keel::derive::request_id::{RequestId, RequestKind};
use keel::market::instrument::{Instrument, Listing};
use keel::msg::{
    Answer, Asset, BalanceKind, Budget, CurrencyId, Market, OrderStatus, QuoteRow, Request, RfqStatus, Settlement,
    Snapshot, Verdict, package_cost,
};

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
fn on_v2_a_fill_says_where_it_stands_on_the_chain() {
    let with = |status: &str| fill_row().replacen('{', &format!(r#"{{"tx_status":{status},"tx_hash":"0xab","#), 1);
    for (status, want) in [
        (r#""requested""#, Settlement::Open),
        (r#""pending""#, Settlement::Open),
        (r#""timed_out""#, Settlement::Open),
        ("null", Settlement::Open),
        (r#""settled""#, Settlement::Settled),
        (r#""reverted""#, Settlement::Reverted),
    ] {
        for channel in ["42.trades", "42.trades.settled", "42.trades.reverted"] {
            let told = heard(&notification(channel, &format!("[{}]", with(status))));
            let [Heard::Fill(fill)] = told[..] else { panic!("{told:?}") };
            assert_eq!(fill.settlement, want, "{status}");
        }
    }
    let [Heard::Fill(v3)] = heard(&notification("42.trades", &format!("[{}]", fill_row())))[..] else { panic!("fill") };
    assert_eq!(v3.settlement, Settlement::Final);
    let twice = with(r#""settled","tx_status":"settled""#);
    assert!(decoder().decode(notification("42.trades", &format!("[{twice}]")).as_bytes()).is_err());
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

fn quotes(frame: &str) -> Vec<QuoteRow> {
    let quote = |heard: &Heard| if let Heard::Quote(row) = heard { Some(*row) } else { None };
    heard(frame).iter().filter_map(quote).collect()
}

#[test]
fn a_quote_is_the_same_pushed_or_polled_in_whatever_order_its_legs_come() {
    let [pushed] = quotes(&best_quote())[..] else { panic!("one quote") };
    assert_eq!((Some(pushed.rfq_id), pushed.direction), (Uuid::parse(ORDER_ID.as_bytes()), Side::Sell));
    assert_eq!((Some(pushed.quote_id), pushed.status), (Uuid::parse(TRADE_ID.as_bytes()), RfqStatus::Open));
    assert_eq!((pushed.fee, pushed.filled, pushed.created_at), (Some(cash("1.75")), Ratio::ONE, Nanos(NOW_MS * MS)));
    let [near, far] = pushed.legs;
    assert_eq!((near.leg.instrument, near.leg.side, near.price), (CALL, Side::Sell, price("120.5")));
    assert_eq!((far.leg.instrument, far.leg.side, far.price), (CALL_HIGH, Side::Buy, price("45.2")));
    assert_eq!(package_cost(&pushed.legs), cash("-753"));
    assert_eq!(quotes(&poll()), [QuoteRow { fee: None, ..pushed }]);
    assert_eq!(heard(&poll())[1..], [reply(RequestKind::PollQuotes, 7, ReplyBody::Quotes { pages: 1 })]);
    let shouted = poll().replace(MAKER, &MAKER.to_uppercase().replace("0X", "0x"));
    assert_eq!(quotes(&shouted)[0].maker, pushed.maker, "a wallet is one whatever the case of its digits");
    let other = poll().replace(MAKER, "0x86042886b1063625d0b3ddcc9e4cbcf912b79e17");
    assert_ne!(quotes(&other)[0].maker, pushed.maker);
}

#[test]
fn a_quote_that_is_no_spread_of_known_instruments_is_foreign_and_costs_nothing_else() {
    let strange = leg("ETH-20261225-9999-C", "buy", "1");
    let (near, far) = (near_leg(), far_leg());
    let good = quote(&format!("{near},{far}"));
    for legs in [format!("{near},{strange}"), near.clone(), format!("{near},{near}"), format!("{near},{far},{far}")] {
        let page = format!(r#"{{"quotes":[{},{good}],"pagination":{{"num_pages":1}}}}"#, quote(&legs));
        let rows = heard(&result("v7", &page));
        assert_eq!(rows[0], Heard::Foreign { subaccount: SubaccountId(555), what: Foreign::Quote }, "{legs}");
        assert!(matches!(rows[1..], [Heard::Quote(_), Heard::Reply(_)]));
        let pushed = heard(&best_quote_with(&quote(&legs)));
        assert_eq!(pushed, [Heard::Foreign { subaccount: SubaccountId(42), what: Foreign::Quote }]);
    }
    let none = notification(
        "42.best.quotes",
        &format!(r#"[{{"rfq_id":"{ORDER_ID}","result":null,"error":{{"code":11104,"message":"x"}}}}]"#),
    );
    assert_eq!(heard(&none), []);
    assert_eq!(heard(&best_quote_with("null")), []);
}

#[test]
fn rfqs_open_end_and_fill_under_our_names() {
    let rows = heard(&result(OUR_RFQ, &rfq()));
    let [Heard::Rfq(row), Heard::Reply(_)] = rows[..] else { panic!("rfq") };
    assert_eq!(
        (row.subaccount, row.name, row.status),
        (SubaccountId(42), Nonce(1_763_683_200_000_000_001), RfqStatus::Open)
    );
    assert_eq!((row.created_at, row.valid_until), (Nanos(NOW_MS * MS), Nanos((NOW_MS + 600_000) * MS)));
    let refused = ReplyBody::Failed { code: 11100, verdict: Verdict::Refused };
    assert_eq!(heard(&failure(OUR_RFQ, 11100)), [reply(RequestKind::SendRfq, row.name.0, refused)]);
    let name = 1_763_683_200_000_000_001;
    assert_eq!(heard(&result(&format!("n{name}"), r#""ok""#)), [reply(RequestKind::CancelRfq, name, ReplyBody::Done)]);
    let two = format!(r#"{{"cancelled_ids":["{ORDER_ID}","{TRADE_ID}"]}}"#);
    assert_eq!(heard(&result("k4", &two)), [reply(RequestKind::CancelRfqs, 4, ReplyBody::Cancelled { count: 2 })]);

    let nonce = Nonce(1_763_683_200_000_000_003);
    let rows = heard(&result(OUR_EXECUTION, &executed()));
    let [Heard::Answer(done), Heard::RfqFilled { rfq_id, filled }] = rows[..] else { panic!("execution") };
    assert_eq!((done.nonce, done.request, done.verdict, done.code), (nonce, Request::Execute, Verdict::Accepted, 0));
    assert_eq!((rfq_id, filled), (row.rfq_id, Ratio::from_raw(500_000_000)));
    for (status, verdict) in
        [("cancelled", Verdict::Refused), ("expired", Verdict::Refused), ("open", Verdict::Unknown)]
    {
        let text = executed().replace("filled\",\"cancel", &format!("{status}\",\"cancel"));
        assert_eq!(answers(&result(OUR_EXECUTION, &text)).verdict, verdict, "{status}");
    }
    for code in [8500, 8501, 11100, 11101, 11102, 11103, 11104, 11107, 11108, 11109, 11110, 11112, 14027, 14028] {
        let answer = answers(&failure(OUR_EXECUTION, code));
        assert_eq!(
            (answer.nonce, answer.request, answer.verdict),
            (nonce, Request::Execute, Verdict::Refused),
            "{code}"
        );
    }
    assert_eq!(answers(&failure(OUR_EXECUTION, 9000)).verdict, Verdict::Unknown);
}

#[test]
fn the_fills_of_a_quote_bear_its_nonce_and_settlement_is_told_apart() {
    for row in [
        rfq_fill_row(),
        rfq_fill_row().replace(&format!(r#""order_id":"{ORDER_ID}""#), r#""order_id":"""#),
        rfq_fill_row().replace(&format!(r#""order_id":"{ORDER_ID}""#), r#""order_id":null"#),
    ] {
        let rows = heard(&notification("42.trades", &format!("[{row}]")));
        let [Heard::Fill(fill)] = rows[..] else { panic!("fill") };
        assert_eq!((fill.instrument, fill.nonce, fill.maker), (CALL, Nonce(1_763_683_200_000_000_003), false));
    }
    let rows = heard(&settled());
    let [Heard::Balance(option), Heard::Balance(dollars)] = rows[..] else { panic!("balances") };
    assert_eq!(
        (option.asset, option.new, option.kind),
        (Asset::Instrument(CALL), cash("0"), BalanceKind::OptionSettlement)
    );
    assert_eq!((dollars.asset, dollars.new), (Asset::Currency(CurrencyId(0)), cash("-205.5")));
}

#[test]
fn an_option_position_owes_nothing_yet() {
    let position = r#"{"amount":"-10","average_price":"120","cumulative_funding":"0","instrument_name":"ETH-20261225-3500-C","instrument_type":"option","mark_price":"118.123456789123","mark_value":"-1181.23456789123","pending_funding":"0"}"#;
    let mut frame = subaccount();
    let from = frame.find(r#""positions":["#).expect("positions") + 13;
    frame.insert_str(from, &format!("{position},"));
    let want = Snapshot::Position {
        instrument: CALL,
        amount: amount("-10"),
        mark: price("118.123456789"),
        unsettled: cash("0"),
        funding: cash("0"),
    };
    assert!(heard(&frame).contains(&Heard::Snapshot(want)));
}

#[test]
fn instruments_come_and_go_while_frames_are_read() {
    let mut decoder = decoder();
    let frame = notification("42.trades", &format!("[{}]", rfq_fill_row().replace("3500", "5000")));
    let heard = |decoder: &mut Decoder| decoder.decode(frame.as_bytes()).expect("reads")[0];
    assert!(matches!(heard(&mut decoder), Heard::Foreign { what: Foreign::Fill, .. }));
    let id = InstrumentId(900);
    decoder.apply(&Listing::Listed { instrument: option(id, "ETH-20261225-5000-C"), watched: true }).expect("room");
    assert!(matches!(heard(&mut decoder), Heard::Fill(fill) if fill.instrument == id));
    decoder.apply(&Listing::Delisted { id }).expect("room");
    assert!(matches!(heard(&mut decoder), Heard::Foreign { what: Foreign::Fill, .. }));
}

fn option(id: InstrumentId, name: &str) -> Instrument {
    let listed = serde_json::json!([{
        "instrument_name": name, "instrument_type": "option", "base_currency": "ETH", "quote_currency": "USDC",
        "base_asset_address": "0xAf65752C4643E25C02F693f9D4FE19cF23a095E3", "base_asset_sub_id": "7", "tick_size": "0.1",
        "amount_step": "0.01", "minimum_amount": "0.1", "maximum_amount": "10000", "maker_fee_rate": "0", "taker_fee_rate": "0",
        "base_fee": "0", "is_active": true, "mark_price_fee_rate_cap": "0.125", "scheduled_deactivation": 1,
        "option_details": {"expiry": 1_798_185_600, "strike": "5000", "option_type": "C"}
    }]);
    listings(listed.to_string().as_bytes(), id).expect("listing").remove(0).instrument
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
