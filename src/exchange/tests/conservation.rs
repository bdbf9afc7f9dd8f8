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
