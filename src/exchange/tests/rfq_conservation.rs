//! Properties of requests for quotes: money and shares are conserved, shares add up, nothing panics.

use super::rfq::{Floor, MAKER, OTHER, PERP, TAKER, package};
use super::*;
use proptest::prelude::*;

fn total(f: &Floor, asset: &str) -> Decimal {
    f.ex.subs.values().map(|s| s.balance(asset)).sum()
}

fn quoted(share: Decimal, spot: i64, perp: i64) -> Value {
    let mut legs = package();
    for (leg, price) in legs.as_array_mut().expect("a list").iter_mut().zip([spot, perp]) {
        let amount = d(leg["amount"].as_str().expect("a text")) * share;
        leg["amount"] = json!(amount.normalize().to_string());
        leg["price"] = json!(price.to_string());
    }
    legs
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever is quoted and executed at whatever marks, what one side pays the other or the house receives.
    #[test]
    fn executions_conserve_money_and_positions(
        steps in proptest::collection::vec(
            (0usize..4, any::<bool>(), 1i64..=4, 3_950i64..4_050, 3_950i64..4_050, 3_900i64..4_100), 1..16)
    ) {
        let mut f = Floor::new();
        f.ex.set_borrow_override(Some(Decimal::ZERO));
        let (cash, eth) = (total(&f, "USDC"), total(&f, "ETH"));
        let mut rfq = f.send_rfq(json!({ "partial_fill_step": "0.25" }));
        for (who, buy, quarters, spot, perp, mark) in steps {
            f.ex.set_spot("ETH", Decimal::from(mark), f.at);
            let share = Decimal::from(quarters) / Decimal::from(4);
            let (id, at, house) = (f.ex.house_rfqs()[0].id, f.at, f.house);
            let sent = if who == 0 {
                let prices = [Decimal::from(spot), Decimal::from(perp)];
                f.ex.house_quote(house, id, buy, &prices, share, at, &mut f.out).is_ok()
            } else {
                let direction = if buy { "buy" } else { "sell" };
                let maker = if who == 1 { OTHER } else { MAKER };
                let params = f.quote_params(maker, &rfq, direction, quoted(share, spot, perp), json!({}));
                code(&f.call(maker, "private/send_quote", params)) == 0
            };
            let sub = f.sub(TAKER);
            let open = json!({ "subaccount_id": sub, "rfq_id": rfq["rfq_id"], "status": "open" });
            let open = f.ok(TAKER, "private/poll_quotes", open)["quotes"].clone();
            prop_assert!(!sent || open.as_array().is_some_and(|rows| !rows.is_empty()));
            let Some(quote) = open.get(0).cloned() else { continue };
            let before = d(f.ok(TAKER, "private/get_rfqs", json!({ "subaccount_id": sub }))["rfqs"][0]["filled_pct"]
                .as_str().expect("a share"));
            let done = f.execute(&quote, json!({}));
            if code(&done) == 0 {
                let filled = d(done["result"]["rfq_filled_pct"].as_str().expect("a share"));
                prop_assert_eq!(filled, before + d(quote["fill_pct"].as_str().expect("a share")));
                prop_assert!(filled <= Decimal::ONE);
                if filled == Decimal::ONE {
                    rfq = f.send_rfq(json!({ "partial_fill_step": "0.25" }));
                }
            }
            f.pass(SEC);
        }
        let pools = f.ex.house_pools();
        prop_assert_eq!(total(&f, "USDC") + pools.fees + pools.perp_clearing + pools.interest, cash);
        prop_assert_eq!(total(&f, "ETH"), eth);
        let net: Decimal = f.ex.subs.values().flat_map(|s| s.positions.values()).map(|p| p.amount).sum();
        prop_assert_eq!(net, Decimal::ZERO, "every long has its short");
        f.ex.settle_perps(f.at);
        prop_assert!(f.ex.house_pools().perp_clearing.abs() < d("0.000001"), "only rounding is left");
        prop_assert!(f.ex.find_instrument(PERP).is_ok());
    }

    /// Any JSON in the fields of any RFQ method is answered, and moves no money.
    #[test]
    fn any_fields_are_answered(
        method in 0usize..14,
        fields in proptest::collection::vec((0usize..12, "[0-9a-f.\\-]{0,40}|\\[\\]|\\{\\}|null|-?[0-9]{1,30}"), 0..8)
    ) {
        const NAMES: [&str; 12] = [
            "subaccount_id", "legs", "rfq_id", "quote_id", "max_fee", "nonce", "signature", "signer", "direction",
            "partial_fill_step", "page", "status",
        ];
        let mut f = Floor::new();
        let before = (f.report(TAKER), f.report(MAKER));
        let tables = crate::exchange::rfq::TAKER_METHODS.iter().chain(crate::exchange::rfq::MAKER_METHODS);
        let name = tables.map(|m| m.name).nth(method).expect("fourteen methods");
        let mut params = json!({ "subaccount_id": f.sub(MAKER), "legs": package(), "direction": "buy" });
        for (field, text) in fields {
            params[NAMES[field]] = serde_json::from_str(&text).unwrap_or(Value::String(text));
        }
        let reply = f.call(MAKER, name, params);
        prop_assert!(reply.get("result").is_some() || reply.get("error").is_some());
        prop_assert_eq!((f.report(TAKER), f.report(MAKER)), before);
    }
}
