//! Requests for quotes on option spreads: premium, fees, margin, deactivation, settlement.

use super::rfq::{Floor, MAKER, PERP, TAKER};
use super::*;
use crate::exchange::money::{constant, floor_to, truncate};

/// T0 is Friday 2025-11-21 00:00 UTC; the weekly after it expires on the 28th at eight.
const EXPIRY_S: u64 = 1_763_712_000 + 7 * 86_400;
const LOWER: &str = "ETH-20251128-4400-C";
const UPPER: &str = "ETH-20251128-4600-C";

/// A call spread as its seller's counterpart writes it: sell the lower strike, buy the upper one.
fn spread(amount: &str) -> Value {
    json!([
        { "instrument_name": LOWER, "amount": amount, "direction": "sell" },
        { "instrument_name": UPPER, "amount": amount, "direction": "buy" },
    ])
}

fn at_prices(legs: &Value, prices: &[Decimal]) -> Value {
    let mut legs = legs.clone();
    for (leg, price) in legs.as_array_mut().expect("a list").iter_mut().zip(prices) {
        leg["price"] = json!(price.to_string());
    }
    legs
}

fn on_tick(price: Decimal) -> Decimal {
    floor_to(price, constant("0.1"))
}

/// 12.5 % of the mark or a rate on the index, whichever is less, times the amount.
fn option_fee(rate: &str, index: Decimal, mark: Decimal, amount: Decimal) -> Decimal {
    truncate((d(rate) * index).min(d("0.125") * mark) * amount)
}

#[test]
fn a_weekly_call_spread_is_sold_for_its_premium() {
    let mut f = Floor::new();
    let (lower, upper) = (f.ex.mark(LOWER), f.ex.mark(UPPER));
    let (low, high) = (on_tick(lower), on_tick(upper));
    let rfq = f.send_rfq(json!({ "legs": spread("10") }));
    assert_eq!(d(rfq["mark_total_cost"].as_str().expect("a cost")), truncate((upper - lower) * Decimal::TEN));
    let (house, at, id) = (f.house, f.at, f.ex.house_rfqs()[0].id);
    f.out.clear();
    f.ex.house_quote(house, id, false, &[low, high], Decimal::ONE, at, &mut f.out).expect("quoted");
    let told = f.rows(TAKER, ".best.quotes")[0]["result"].clone();
    let cost = (high - low) * Decimal::TEN;
    assert!(cost < Decimal::ZERO);
    assert_eq!(told["estimated_total_cost"], json!(cost.normalize().to_string()), "received, so negative");
    let index = d("4000");
    let fees = option_fee("0.0003", index, lower, Decimal::TEN) + option_fee("0.0003", index, upper, Decimal::TEN);
    let fee = fees + d("0.5");
    assert_eq!(told["estimated_fee"], json!(fee.normalize().to_string()), "the base fee once");
    let before = f.report(TAKER);
    let max_fee = json!({ "max_fee": fee.normalize().to_string() });
    let done = f.execute(&told["best_quote"], max_fee);
    assert_eq!(done["result"]["rfq_filled_pct"], "1", "{done}");
    let after = f.report(TAKER);
    assert_eq!(after.balances["USDC"] - before.balances["USDC"], -cost - fee);
    assert_eq!((after.positions[LOWER].amount, after.positions[UPPER].amount), (d("-10"), d("10")));
    let told_after = d(told["post_initial_margin"].as_str().expect("a margin"));
    assert_eq!(told_after, truncate(after.initial_margin), "the best quote told the truth about margin");
    // The spread can lose at most the distance of its strikes.
    let room = before.initial_margin - after.initial_margin;
    assert!(room > Decimal::ZERO && room <= d("2000") + fee, "{room}");
    let rows = f.rows(TAKER, ".trades");
    let names: Vec<&str> = rows.iter().filter_map(|r| r["instrument_name"].as_str()).collect();
    assert_eq!(names, [LOWER, UPPER]);
    assert!(rows.iter().all(|r| r["rfq_id"] == rfq["rfq_id"] && r["op_uuid"] == rows[0]["op_uuid"]));
}

#[test]
fn spreads_are_settled_between_both_sides_to_the_last_cent() {
    let mut f = Floor::new();
    f.ex.set_borrow_override(Some(Decimal::ZERO));
    let total = |f: &Floor| -> Decimal { f.ex.subs.values().map(|s| s.balance("USDC")).sum() };
    let cash = total(&f);
    let rfq = f.send_rfq(json!({ "legs": spread("5") }));
    let prices = [f.ex.mark(LOWER), f.ex.mark(UPPER)].map(on_tick);
    let quote = f.quote(MAKER, &rfq, "buy", at_prices(&spread("5"), &prices));
    assert_eq!(code(&f.execute(&quote, json!({}))), 0, "the taker sells the package: it is long the lower strike");
    assert_eq!(f.report(TAKER).positions[LOWER].amount, d("5"));
    f.ex.set_spot("ETH", d("4500"), f.at);
    f.pass((EXPIRY_S - 3_600) * SEC - f.at.0);
    f.ex.set_spot("ETH", d("4500"), f.at);
    f.pass(3_700 * SEC);
    assert!(f.report(TAKER).positions.is_empty(), "{:?}", f.report(TAKER).positions);
    let pools = f.ex.house_pools();
    assert_eq!(pools.option_clearing, Decimal::ZERO);
    assert_eq!(total(&f) + pools.fees + pools.interest, cash);
    let settled = f.ex.settlement_price("ETH", EXPIRY_S).expect("settled");
    assert_eq!(settled, d("4500"));
}

#[test]
fn requests_end_when_their_options_stop_trading_and_none_are_taken_after() {
    let mut f = Floor::new();
    f.pass((EXPIRY_S - 200) * SEC - f.at.0);
    let rfq = f.send_rfq(json!({ "legs": spread("1") }));
    let mixed = f.send_rfq(json!({ "legs": [{ "instrument_name": PERP, "amount": "1", "direction": "buy" }] }));
    f.pass(140 * SEC);
    let ended: Vec<Value> = f.rows(MAKER, ".rfqs");
    assert_eq!((ended.len(), &ended[0]["rfq_id"], &ended[0]["status"]), (1, &rfq["rfq_id"], &json!("expired")));
    assert_eq!(f.ex.house_rfqs().len(), 1, "{mixed} goes on");
    let late = json!({ "subaccount_id": f.sub(TAKER), "legs": spread("1") });
    assert_eq!(code(&f.call(TAKER, "private/send_rfq", late)), 11021);
}

#[test]
fn the_largest_base_fee_is_charged_once_and_option_legs_need_their_scope() {
    let mut f = Floor::new();
    let legs = json!([
        { "instrument_name": UPPER, "amount": "1", "direction": "buy" },
        { "instrument_name": PERP, "amount": "1", "direction": "sell" },
    ]);
    let upper = f.ex.mark(UPPER);
    let asked = json!({ "subaccount_id": f.sub(TAKER), "legs": legs });
    let reply = f.ok(TAKER, "private/rfq_get_best_quote", asked.clone());
    let expected = option_fee("0.0003", d("4000"), upper, Decimal::ONE) + d("1.2") + d("0.5");
    assert_eq!(reply["estimated_fee"], json!(expected.normalize().to_string()));
    let mut f = Floor::with(|s| s.accounts[TAKER].scopes = vec!["trade:rfq:perp".into()]);
    assert_eq!(code(&f.call(TAKER, "private/send_rfq", asked.clone())), 14031);
    let mut f = Floor::with(|s| s.accounts[TAKER].scopes = vec!["trade:rfq:option".into(), "trade:rfq:perp".into()]);
    assert_eq!(code(&f.call(TAKER, "private/send_rfq", asked)), 0);
}

#[test]
fn leg_prices_stay_within_the_bands_of_their_options() {
    let mut f = Floor::new();
    let rfq = f.send_rfq(json!({ "legs": spread("1") }));
    let ticker = f.ok(TAKER, "public/get_ticker", json!({ "instrument_name": LOWER }));
    let edge = |field: &str| d(ticker[field].as_str().expect("a price"));
    let (min, max, upper) = (edge("minp"), edge("maxp"), on_tick(f.ex.mark(UPPER)));
    for (price, expected) in
        [(min, 0), (max, 0), (max + d("0.1"), 11013), (min - d("0.1"), 11013), (min + d("0.05"), 11013)]
    {
        let legs = at_prices(&spread("1"), &[price, upper]);
        let params = f.quote_params(MAKER, &rfq, "sell", legs, json!({}));
        let reply = f.call(MAKER, "private/send_quote", params);
        assert_eq!(code(&reply), expected, "{price}: {reply}");
    }
}
