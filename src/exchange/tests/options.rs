//! Options: listing, pricing, trading, margin, deactivation, settlement, feeds.

use super::*;
use crate::exchange::options::{black76, svi};

/// T0 is Friday 2025-11-21 00:00 UTC; its weekly expires eight hours later.
const TODAY_S: u64 = 1_763_712_000;
const NEXT_S: u64 = TODAY_S + 7 * 86_400;
const CALL: &str = "ETH-20251128-4400-C";
const HIGHER: &str = "ETH-20251128-4600-C";

impl Bench {
    fn get(&mut self, method: &str, params: Value) -> Value {
        let reply = self.call(method, params);
        assert!(reply.get("error").is_none(), "{method}: {reply}");
        reply["result"].clone()
    }

    fn ticker(&mut self, name: &str) -> Value {
        self.get("public/get_ticker", json!({ "instrument_name": name }))
    }

    /// Moves to a moment, ticking once.
    fn jump_to(&mut self, at_s: u64) {
        self.pass(at_s * SEC - self.at.0);
    }

    fn spot(&mut self, price: &str) {
        self.ex.set_spot("ETH", d(price), self.at);
    }

    /// Rows of a private channel among what was sent.
    fn told(&self, channel: &str) -> Vec<Value> {
        let of_channel = |f: &Value| f["params"]["channel"] == channel;
        let rows = self.frames().into_iter().filter(of_channel);
        rows.flat_map(|f| f["params"]["data"].as_array().cloned().unwrap_or_default()).collect()
    }
}

fn number(value: &Value) -> Decimal {
    d(value.as_str().expect("a decimal text"))
}

#[test]
fn the_chain_is_listed_around_spot_for_two_days_and_three_fridays() {
    let mut b = Bench::new();
    let day = 86_400;
    assert_eq!(b.ex.expiries("ETH"), vec![TODAY_S, TODAY_S + day, NEXT_S, NEXT_S + 7 * day]);
    assert_eq!(b.ex.expiries("BTC"), b.ex.expiries("ETH"));
    assert!(b.ex.expiries("SUSDE").is_empty());
    let strikes: Vec<Decimal> = b.ex.listed_options("ETH", NEXT_S).into_iter().map(|(k, _, _)| k).collect();
    assert_eq!((strikes[0], strikes[strikes.len() - 1], strikes.len()), (d("2400"), d("5600"), 65));
    let instrument = b.get("public/get_instrument", json!({ "instrument_name": CALL }));
    let details =
        json!({ "expiry": NEXT_S, "strike": "4400", "option_type": "C", "index": "ETH-USD", "settlement_price": null });
    assert_eq!(instrument["option_details"], details);
    let (_, words) = catalog::signing_words(CALL).expect("encodable");
    for (field, expected) in [
        ("instrument_type", json!("option")),
        ("base_asset_sub_id", json!(words.to_string())),
        ("tick_size", json!("0.1")),
        ("amount_step", json!("0.01")),
        ("minimum_amount", json!("0.1")),
        ("base_fee", json!("0.5")),
        ("mark_price_fee_rate_cap", json!("0.125")),
        ("scheduled_deactivation", json!(NEXT_S - 60)),
        ("is_active", json!(true)),
    ] {
        assert_eq!(instrument[field], expected, "{field}");
    }
    let asked = json!({ "instrument_type": "option", "currency": "ETH", "expired": false, "page_size": 1000 });
    let all = b.get("public/get_all_instruments", asked);
    let listed: usize = b.ex.expiries("ETH").iter().map(|e| 2 * b.ex.listed_options("ETH", *e).len()).sum();
    assert_eq!(all["pagination"]["count"], listed);
    let live = b.get("public/get_all_live_instruments", json!({}));
    assert!(live.as_array().expect("names").contains(&json!(CALL)));
    let tickers = json!({ "instrument_type": "option", "currency": "ETH", "expiry_date": "20251128" });
    assert_eq!(b.get("public/get_tickers", tickers)["tickers"].as_object().expect("a map").len(), 130);
    let without = b.call("public/get_tickers", json!({ "instrument_type": "option", "currency": "ETH" }));
    assert_eq!(code(&without), -32602, "{without}");
}

#[test]
fn a_grid_follows_spot_and_listed_options_keep_their_places() {
    let mut b = Bench::new();
    let before = b.ex.find_instrument(CALL).expect("listed");
    b.spot("4900");
    b.pass(60 * SEC);
    let strikes: Vec<Decimal> = b.ex.listed_options("ETH", NEXT_S).into_iter().map(|(k, _, _)| k).collect();
    assert_eq!((strikes[0], strikes[strikes.len() - 1]), (d("2400"), d("6900")));
    assert!(strikes.windows(2).all(|w| w[1] - w[0] == d("50")), "one grid, whatever spot was");
    assert_eq!(b.ex.find_instrument(CALL).expect("still"), before);
}

#[test]
fn tickers_state_marks_greeks_and_volatilities() {
    let mut b = Bench::new();
    b.ex.set_forward("ETH", NEXT_S, d("6.5"));
    let surface = Svi { a: 0.002, b: 0.03, rho: -0.2, m: 0.01, sigma: 0.05, fwd: 4000.0, ref_tau: 8.0 / 365.0 };
    b.ex.set_vol("ETH", NEXT_S, surface);
    b.ex.set_vol("ETH", NEXT_S, Svi { b: -1.0, ..surface });
    b.rest(CALL, false, "60", "2");
    let ticker = b.ticker(CALL);
    let pricing = &ticker["option_pricing"];
    let option = black76::Option76 {
        forward: 4006.5,
        strike: 4400.0,
        vol: surface.vol(4400.0),
        years: (NEXT_S - T0.secs()) as f64 / 31_536_000.0,
        call: true,
    };
    let close = |field: &Value, x: f64| (svi::to_f64(number(field)) - x).abs() < 1e-6;
    assert!(close(&pricing["i"], option.vol), "{pricing}");
    assert!(close(&pricing["m"], option.price()) && pricing["m"] == ticker["M"]);
    assert!(close(&pricing["d"], option.greeks().delta) && close(&pricing["v"], option.greeks().vega));
    assert!(close(&pricing["ai"], option.implied(60.0)) && pricing["bi"] == "0");
    assert_eq!((&pricing["f"], &pricing["df"]), (&json!("4006.5"), &json!("1")));
    assert_eq!(b.ex.mark(CALL), number(&ticker["M"]));
    let (low, high) = (number(&ticker["minp"]), number(&ticker["maxp"]));
    let mark = number(&ticker["M"]);
    assert!(low < mark * d("0.8") && high > mark * d("1.2") && low >= d("0.1"), "{ticker}");
    assert_eq!(b.ex.option_mark(CALL).expect("live").price, mark);
    assert!(b.ex.option_mark("ETH-PERP").is_none() && b.ex.option_mark("ETH-20251128-1-C").is_none());
    let perp = b.ticker("ETH-PERP");
    assert_eq!(perp["option_pricing"], Value::Null);
}

#[test]
fn premium_is_cash_and_the_fill_is_told_as_balances() {
    let mut b = Bench::new();
    let sub = b.account.subaccount;
    let balances = format!("{sub}.balances");
    b.call("subscribe", json!({ "channels": [balances, "trades.option.ETH", format!("ticker_slim.{CALL}.100")] }));
    let mark = b.ex.mark(CALL);
    let bid = mark.round_dp(1) - d("1");
    b.rest(CALL, true, &bid.to_string(), "10");
    let reply = b.place(CALL, "sell", &bid.to_string(), "10", json!({ "time_in_force": "ioc" }));
    assert_eq!(reply["result"]["order"]["order_status"], "filled", "{reply}");
    let rate = (d("0.0003") * d("4000")).min(d("0.125") * mark);
    let fee = super::super::money::truncate(rate * d("10") + d("0.5"));
    assert_eq!(number(&reply["result"]["trades"][0]["trade_fee"]), fee);
    let cash = d("1000000") + bid * d("10") - fee;
    let rows = b.told(&balances);
    assert_eq!(rows[0], json!({ "name": CALL, "previous_balance": "0", "new_balance": "-10", "update_type": "trade" }));
    assert_eq!((&rows[1]["name"], number(&rows[1]["new_balance"])), (&json!("USDC"), cash));
    assert_eq!(b.told("trades.option.ETH").len(), 2);
    let report = b.report();
    assert_eq!(report.balances["USDC"], cash);
    assert_eq!((report.positions[CALL].amount, report.positions[CALL].average_price_excl_fees), (d("-10"), bid));
    let view = b.get("private/get_subaccount", json!({ "subaccount_id": sub }));
    let position = &view["positions"][0];
    assert_eq!((&position["instrument_name"], &position["instrument_type"]), (&json!(CALL), &json!("option")));
    assert_eq!(number(&position["mark_value"]), -b.ex.mark(CALL) * d("10"));
    assert!(number(&position["delta"]) > Decimal::ZERO && number(&position["theta"]) < Decimal::ZERO);
    let expected = number(&view["collaterals_value"]) + number(&view["positions_value"]);
    assert_eq!(number(&view["subaccount_value"]), expected);
    assert!(number(&view["positions_initial_margin"]) < number(&view["positions_value"]));
    b.out.clear();
    b.pass(100 * MS);
    let ticker = b.frames().into_iter().find(|f| f["params"]["channel"] == format!("ticker_slim.{CALL}.100"));
    let data = ticker.expect("cadence")["params"]["data"]["instrument_ticker"].clone();
    assert_eq!(data["stats"]["oi"], "10");
    let buy_back = b.rest(CALL, false, &(bid + d("2")).to_string(), "10");
    let _ = buy_back;
    b.place(CALL, "buy", &(bid + d("2")).to_string(), "10", json!({ "time_in_force": "ioc" }));
    assert!(b.report().positions.is_empty());
    assert_eq!(b.ex.house_pools().option_clearing, Decimal::ZERO);
}

#[test]
fn a_hedged_short_needs_what_it_can_lose_and_a_naked_one_more() {
    let mut b = Bench::new();
    let start = b.report().initial_margin;
    let price = |b: &Bench, name| b.ex.mark(name).round_dp(1).to_string();
    let (sold, bought) = (price(&b, CALL), price(&b, HIGHER));
    b.rest(CALL, true, &sold, "100");
    b.rest(HIGHER, false, &bought, "100");
    let ioc = json!({ "time_in_force": "ioc" });
    b.place(CALL, "sell", &sold, "100", ioc.clone());
    let naked = b.report();
    // Strike 10 % away: 13 % of spot and the mark; the premium came in as cash.
    let mark = b.ex.mark(CALL);
    let expected = start + naked.balances["USDC"] - d("1000000") - d("100") * (d("0.13") * d("4000") + mark);
    assert!((naked.initial_margin - expected).abs() < d("0.000001"), "{} {expected}", naked.initial_margin);
    let maintenance = naked.maintenance_margin;
    b.place(HIGHER, "buy", &bought, "100", ioc.clone());
    let spread = b.report();
    let freed = spread.initial_margin - naked.initial_margin;
    assert!(freed > d("20000"), "a spread of 200 is worth less margin than 13 % of spot: {freed}");
    assert!(spread.maintenance_margin > maintenance);
    let loss = start + spread.balances["USDC"] - d("1000000") - d("100") * d("200");
    assert!(
        (spread.initial_margin - loss).abs() < d("0.000001"),
        "exactly the payoff at most: {}",
        spread.initial_margin
    );
    b.rest(CALL, true, &sold, "5000");
    assert_eq!(code(&b.place(CALL, "sell", &sold, "5000", ioc.clone())), 11000);
    let sub = b.account.subaccount;
    let change = json!({
        "subaccount_id": sub, "simulated_position_changes": [{ "instrument_name": CALL, "amount": "-5000" }],
    });
    let simulated = b.get("private/get_margin", change);
    assert_eq!(simulated["is_valid_trade"], false);
    assert_eq!(number(&simulated["pre_initial_margin"]), b.report().initial_margin);
    assert_eq!(code(&b.place(CALL, "buy", "500", "1000", json!({}))), 0, "beyond the band it rests");
    let held_back = b.get("private/get_subaccount", json!({ "subaccount_id": sub }));
    let reserved = number(&held_back["open_orders_margin"]);
    // 500 000 of premium and 1 200 of fee, less the 20 000 that the spread no longer needs.
    assert!((reserved + d("481200")).abs() < d("100"), "{reserved}");
}

#[test]
fn trading_stops_a_minute_before_expiry() {
    let mut b = Bench::new();
    let near = "ETH-20251121-4000-C";
    b.rest(near, true, "1", "3");
    assert_eq!(code(&b.place(near, "buy", "0.5", "1", json!({ "signature_expiry_sec": TODAY_S + 600 }))), 0);
    assert_eq!(b.report().open_orders, 1);
    b.jump_to(TODAY_S - 61);
    assert_eq!(b.report().open_orders, 1);
    b.jump_to(TODAY_S - 60);
    assert_eq!(b.report().open_orders, 0, "resting orders go with their market");
    assert_eq!(b.ex.top_of_book(near), (None, None));
    assert_eq!(code(&b.place(near, "buy", "0.5", "1", json!({}))), 11021);
    let instrument = b.get("public/get_instrument", json!({ "instrument_name": near }));
    assert_eq!(instrument["is_active"], false);
    let live = b.get("public/get_all_live_instruments", json!({}));
    assert!(!live.as_array().expect("names").contains(&json!(near)));
}

#[test]
fn the_forward_becomes_the_average_that_settles() {
    let mut b = Bench::new();
    let name = "ETH-20251121-3900-C";
    b.ex.set_forward("ETH", TODAY_S, d("9"));
    b.jump_to(TODAY_S - 1_800);
    assert_eq!(b.ticker(name)["option_pricing"]["f"], "4009", "the window has just opened");
    b.jump_to(TODAY_S - 900);
    b.spot("4100");
    // Half the window at 4000, half to come at 4100 + 9.
    assert_eq!(b.ticker(name)["option_pricing"]["f"], "4054.5");
    let feeds = b.get("public/get_latest_signed_feeds", json!({ "currency": "ETH", "expiry": TODAY_S }));
    let forward = &feeds["fwd_data"]["ETH"][TODAY_S.to_string()];
    let seen = number(&forward["spot_aggregate_latest"]) - number(&forward["spot_aggregate_start"]);
    assert_eq!(seen, d("4000") * d("900"));
    b.jump_to(TODAY_S - 450);
    b.spot("3980");
    b.at = Nanos((TODAY_S + 30) * SEC);
    b.spot("9999");
    b.pass(0);
    // (900 × 4000 + 450 × 4100 + 450 × 3980) / 1800; the price after eight o'clock does not count.
    assert_eq!(b.ex.settlement_price("ETH", TODAY_S), Some(d("4020")));
    let prices = b.get("public/get_option_settlement_prices", json!({ "currency": "ETH" }));
    let row = json!({ "expiry_date": "20251121", "utc_expiry_sec": TODAY_S, "price": "4020" });
    assert_eq!(prices["expiries"], json!([row]));
    let settled = b.get("public/get_instrument", json!({ "instrument_name": name }));
    assert_eq!(settled["option_details"]["settlement_price"], "4020");
    let expired = json!({ "instrument_type": "option", "currency": "ETH", "expired": true, "page_size": 1000 });
    let count = b.get("public/get_all_instruments", expired)["pagination"]["count"].as_u64().expect("a count");
    let only_live = json!({ "instrument_type": "option", "currency": "ETH", "expired": false, "page_size": 1000 });
    assert!(count > b.get("public/get_all_instruments", only_live)["pagination"]["count"].as_u64().expect("a count"));
    assert_eq!(b.ex.mark(name), d("120"), "what it paid");
}

#[test]
fn settlement_pays_cash_and_takes_the_position() {
    let mut b = Bench::new();
    let sub = b.account.subaccount;
    let (call, put) = ("ETH-20251121-3900-C", "ETH-20251121-4000-P");
    let ioc = json!({ "time_in_force": "ioc" });
    let (sold, bought) = (b.ex.mark(call).round_dp(1), b.ex.mark(put).round_dp(1));
    b.rest(call, true, &sold.to_string(), "2");
    b.rest(put, false, &bought.to_string(), "3");
    assert_eq!(code(&b.place(call, "sell", &sold.to_string(), "2", ioc.clone())), 0);
    assert_eq!(code(&b.place(put, "buy", &bought.to_string(), "3", ioc)), 0);
    let before = b.report().balances["USDC"];
    let balances = format!("{sub}.balances");
    b.call("subscribe", json!({ "channels": [balances] }));
    b.ex.delay_settlement(TODAY_S, 120);
    b.jump_to(TODAY_S - 1_900);
    b.spot("3950");
    b.out.clear();
    b.jump_to(TODAY_S + 119);
    assert!(b.told(&balances).iter().all(|row| row["update_type"] != "option_settlement"), "held back");
    let report = b.report();
    assert_eq!(report.positions[call].mark_value, d("-100"), "expired and unsettled, at its payoff");
    assert!(b.ex.expiries("ETH").contains(&TODAY_S));
    b.out.clear();
    b.jump_to(TODAY_S + 120);
    let rows = b.told(&balances);
    let rows: Vec<_> = rows.iter().filter(|row| row["update_type"] == "option_settlement").collect();
    let names: Vec<&Value> = rows.iter().map(|r| &r["name"]).collect();
    assert_eq!(names, [&json!(call), &json!("USDC"), &json!(put), &json!("USDC")]);
    assert_eq!((&rows[0]["previous_balance"], &rows[0]["new_balance"]), (&json!("-2"), &json!("0")));
    assert_eq!(number(&rows[1]["new_balance"]) - number(&rows[1]["previous_balance"]), d("-100"));
    assert_eq!(number(&rows[3]["new_balance"]) - number(&rows[3]["previous_balance"]), d("150"));
    let after = b.report();
    assert!(after.positions.is_empty());
    assert_eq!(after.balances["USDC"], before + d("50"));
    let history = b.get("private/get_option_settlement_history", json!({ "subaccount_id": sub }));
    assert_eq!(history["settlements"][1]["settlement_value"], "-100");
    assert_eq!(history["settlements"][0]["settlement_price"], "3950");
    assert_eq!(b.ex.house_pools().option_clearing, Decimal::ZERO);
    assert!(!b.ex.expiries("ETH").contains(&TODAY_S));
}

#[test]
fn feeds_are_signed_and_marks_can_be_made_from_them() {
    let mut b = Bench::new();
    b.ex.set_forward("ETH", NEXT_S, d("3.25"));
    for surface in
        [None, Some(Svi { a: 0.0021, b: 0.031, rho: -0.31, m: 0.012, sigma: 0.061, fwd: 4011.0, ref_tau: 0.02 })]
    {
        if let Some(surface) = surface {
            b.ex.set_vol("ETH", NEXT_S, surface);
        }
        let feeds = b.get("public/get_latest_signed_feeds", json!({ "currency": "ETH", "expiry": NEXT_S }));
        assert_eq!(feeds["vol_data"]["ETH"].as_object().expect("a map").len(), 1);
        let vol = &feeds["vol_data"]["ETH"][NEXT_S.to_string()];
        let stated = |field: &str| svi::to_f64(number(&vol["vol_data"][field]));
        let surface = Svi {
            a: stated("SVI_a"),
            b: stated("SVI_b"),
            rho: stated("SVI_rho"),
            m: stated("SVI_m"),
            sigma: stated("SVI_sigma"),
            fwd: stated("SVI_fwd"),
            ref_tau: stated("SVI_refTau"),
        };
        let fwd = &feeds["fwd_data"]["ETH"][NEXT_S.to_string()];
        let forward = svi::to_f64(number(&feeds["spot_data"]["ETH"]["price"]) + number(&fwd["fwd_diff"]));
        let years = (NEXT_S - T0.secs()) as f64 / 31_536_000.0;
        for (strike, name) in [(4400.0, CALL), (4600.0, HIGHER)] {
            let option = black76::Option76 { forward, strike, vol: surface.vol(strike), years, call: true };
            assert_eq!(svi::to_decimal(option.price()), b.ex.mark(name), "{name}");
        }
        let text = |v: &Value| v.as_str().expect("hex").to_string();
        let signer = text(&vol["signatures"]["signers"][0]);
        let (deadline, timestamp) = (vol["deadline"].as_u64().expect("s"), vol["timestamp"].as_u64().expect("ms"));
        let word = |v: &Value| e18_signed(number(v));
        let v = &vol["vol_data"];
        let words = ["SVI_a", "SVI_b", "SVI_rho", "SVI_m", "SVI_sigma", "SVI_fwd", "SVI_refTau"].map(|f| word(&v[f]));
        let mut data = alloy::sol_types::SolValue::abi_encode(&(U256::from(NEXT_S), words));
        data.extend(word(&vol["confidence"]).to_be_bytes::<32>());
        let typed = crate::exchange::options::feed_digest(b.ex.domain, &data, deadline, timestamp);
        let recovered = eip712::recover(typed, &text(&vol["signatures"]["signatures"][0])).expect("recovers");
        assert_eq!(recovered.to_string(), signer);
    }
    let plain = b.get("public/get_latest_signed_feeds", json!({ "currency": "ETH", "expiry": 0 }));
    assert_eq!((&plain["vol_data"], &plain["fwd_data"]), (&json!({}), &json!({})));
    assert!(plain["perp_data"]["ETH"]["P"]["signatures"]["signatures"][0].is_string());
    let all = b.get("public/get_latest_signed_feeds", json!({}));
    assert_eq!(all["rate_data"]["BTC"].as_object().expect("a map").len(), 4);
}

#[test]
fn twelve_weeks_of_listing_stay_bounded() {
    let mut b = Bench::new();
    let mut sizes = Vec::new();
    for hour in 1..=12 * 7 * 24u64 {
        b.pass(3_600 * SEC);
        let wave = Decimal::from((hour * 37) % 400);
        b.ex.set_spot("ETH", d("3800") + wave, b.at);
        b.ex.set_spot("BTC", d("95000") + wave * Decimal::TEN, b.at);
        sizes.push(b.ex.instruments.len());
    }
    let three_weeks = sizes[3 * 7 * 24];
    let last = sizes[sizes.len() - 1];
    assert!(last < three_weeks * 5 / 4, "places are used again: {three_weeks} after three weeks, {last} after twelve");
    assert_eq!(b.ex.by_name.len() + b.ex.free.len(), last, "every place has one name or waits for one");
    assert_eq!(b.ex.expiries("ETH").len(), 4);
    assert_eq!(code(&b.call("public/get_instrument", json!({ "instrument_name": CALL }))), 12001, "long gone");
    let prices = b.get("public/get_option_settlement_prices", json!({ "currency": "BTC" }));
    assert!(prices["expiries"].as_array().expect("rows").len() >= 84);
}
