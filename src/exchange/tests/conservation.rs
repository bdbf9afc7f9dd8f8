//! Properties: the matching twin, conservation, survival of any bytes.

use super::*;
use proptest::prelude::*;

/// A list-scanning twin of the book: slow and obvious.
#[derive(Default)]
struct Twin {
    orders: Vec<(u64, bool, Decimal, Decimal)>,
}

impl Twin {
    fn enter(&mut self, id: u64, buy: bool, price: Decimal, mut amount: Decimal) -> Vec<(u64, Decimal)> {
        let mut fills = Vec::new();
        loop {
            let crossing =
                |o: &&(u64, bool, Decimal, Decimal)| o.1 != buy && if buy { o.2 <= price } else { o.2 >= price };
            let rank = |o: &(u64, bool, Decimal, Decimal)| (if buy { o.2 } else { -o.2 }, o.0);
            let best = self.orders.iter().filter(crossing).map(|o| (rank(o), o.0)).min();
            let Some((_, maker)) = best.filter(|_| amount > Decimal::ZERO) else { break };
            let Some(o) = self.orders.iter_mut().find(|o| o.0 == maker) else { break };
            let take = o.3.min(amount);
            o.3 -= take;
            amount -= take;
            fills.push((maker, take));
            self.orders.retain(|o| o.3 > Decimal::ZERO);
        }
        if amount > Decimal::ZERO {
            self.orders.push((id, buy, price, amount));
        }
        fills
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Matching agrees with the twin fill by fill, and nobody gains or loses what another does not.
    #[test]
    fn matching_equals_the_twin_and_conserves(
        steps in proptest::collection::vec((0usize..6, any::<bool>(), 3_990i64..4_010, 1i64..50, 0usize..3), 1..60)
    ) {
        let mut b = Bench::new();
        b.ex.set_borrow_override(Some(d("0.2")));
        let houses: Vec<u64> = (0..6)
            .map(|n| b.ex.house_account(&format!("h{n}"), &[("USDC", d("1000000")), ("ETH", d("1000"))]))
            .collect();
        let total = |b: &Bench, asset: &str| -> Decimal { b.ex.subs.values().map(|s| s.balance(asset)).sum() };
        let (cash, eth) = (total(&b, "USDC"), total(&b, "ETH"));
        let mut twin = Twin::default();
        let mut names: BTreeMap<OrderId, u64> = BTreeMap::new();
        for (n, (who, buy, price, lots, kind)) in steps.into_iter().enumerate() {
            // Each step has its own subaccount per side in the twin's market, so that no order meets its own.
            let instrument = ["ETH-PERP", "ETH-USDC", "ETH-PERP"][kind];
            let sub = if buy { houses[who % 3] } else { houses[3 + who % 3] };
            let (price, amount) = (Decimal::from(price), Decimal::from(lots) / Decimal::TEN);
            let before = b.ex.public_trades.len();
            let placed = b.ex.house_order(sub, instrument, buy, price, amount, TimeInForce::Gtc, b.at, &mut b.out);
            let placed = placed.map_err(|r| TestCaseError::fail(r.to_string()))?;
            names.insert(placed.order, n as u64);
            if instrument == "ETH-PERP" {
                let expected = twin.enter(n as u64, buy, price, amount);
                let real: Vec<(u64, Decimal)> = b.ex.public_trades.iter().skip(before)
                    .filter(|t| !t.taker).map(|t| (names[&t.order], t.amount)).collect();
                prop_assert_eq!(real, expected);
            }
            b.pass(7 * SEC);
        }
        let order = b.order("ETH-PERP", "buy", "4020", "3", json!({ "time_in_force": "ioc" }));
        b.call("private/order", order);
        b.pass(4_000 * SEC);
        let pools = b.ex.house_pools();
        prop_assert_eq!(total(&b, "USDC") + pools.fees + pools.perp_clearing + pools.interest, cash);
        prop_assert_eq!(total(&b, "ETH"), eth);
        let net: Decimal = b.ex.subs.values().flat_map(|s| s.positions.values()).map(|p| p.amount).sum();
        prop_assert_eq!(net, Decimal::ZERO, "every long has its short");
        b.ex.settle_perps(b.at);
        prop_assert!(b.ex.house_pools().perp_clearing.abs() < d("0.000001"), "only rounding is left");
    }

    /// Any bytes at all are answered or hung up on, never a panic, and move no money.
    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut b = Bench::new();
        let before = b.report();
        b.ex.on_text(b.conn, b.at, &bytes, &mut b.out);
        prop_assert_eq!(b.report(), before);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Option trades and settlements move cash between accounts and make none, at any prices and any clock steps.
    #[test]
    fn options_conserve_from_trade_to_settlement(
        steps in proptest::collection::vec((0usize..4, any::<bool>(), 0usize..4, 90i64..111, 1i64..400), 1..40),
        spots in proptest::collection::vec((3_500i64..4_500, 1u64..900), 1..12),
        delay in prop_oneof![Just(0u64), 1u64..500],
    ) {
        const NAMES: [&str; 4] =
            ["ETH-20251121-4000-C", "ETH-20251121-4000-P", "ETH-20251121-3950-C", "BTC-20251121-100000-C"];
        let expiry_s = 1_763_712_000;
        let mut b = Bench::new();
        b.ex.set_borrow_override(Some(d("0.2")));
        let houses: Vec<u64> =
            (0..4).map(|n| b.ex.house_account(&format!("h{n}"), &[("USDC", d("1000"))])).collect();
        let total = |b: &Bench| -> Decimal { b.ex.subs.values().map(|s| s.balance("USDC")).sum() };
        let cash = total(&b);
        for (who, buy, kind, percent, lots) in steps {
            let name = NAMES[kind];
            let tick = if kind == 3 { 0 } else { 1 };
            let price = (b.ex.mark(name) * Decimal::new(percent, 2)).round_dp(tick).max(Decimal::ONE);
            let amount = Decimal::new(lots, 2);
            let client = b.order(name, if buy { "sell" } else { "buy" }, &price.to_string(), &amount.to_string(),
                json!({ "time_in_force": "ioc" }));
            // An order may meet its own account's and stop there; what is told is not the question here.
            let _ = b.ex.house_order(houses[who], name, buy, price, amount, TimeInForce::Gtc, b.at, &mut b.out);
            b.call("private/order", client);
            for name in NAMES {
                let ix = b.ex.find_instrument(name).expect("listed");
                let net: Decimal = b.ex.subs.values().map(|s| s.position(ix)).sum();
                prop_assert_eq!(net, Decimal::ZERO, "every long has its short");
            }
            b.pass(11 * SEC);
        }
        b.ex.delay_settlement(expiry_s, delay);
        b.pass((expiry_s - 1_900) * SEC - b.at.0);
        for (price, seconds) in spots {
            b.ex.set_spot("ETH", Decimal::from(price), b.at);
            b.pass(seconds * SEC);
        }
        let end = b.at.0.max((expiry_s + delay + 60) * SEC);
        b.pass(end - b.at.0);
        prop_assert!(b.ex.subs.values().all(|s| s.options.is_empty()), "all settled");
        prop_assert!(b.ex.settlement_price("ETH", expiry_s).is_some_and(|p| p >= d("3500") && p <= d("4500")));
        let pools = b.ex.house_pools();
        prop_assert!(pools.option_clearing.abs() < d("0.000000001"), "only rounding is left: {}", pools.option_clearing);
        prop_assert_eq!(total(&b) + pools.fees + pools.perp_clearing + pools.option_clearing + pools.interest, cash);
    }
}
