//! Records for tests: weeks made up over waves of prices, and arbitrary ones.

use super::record::*;
use super::weeks::{Terms, Vault};
use proptest::prelude::*;
use rust_decimal::Decimal;
use rust_decimal::prelude::FromPrimitive;

const WEEK_S: u64 = 604_800;
/// A Friday, 08:00 UTC.
const START_S: u64 = 1_796_371_200;

/// An amount with four decimals.
fn amount(number: f64) -> Decimal {
    Decimal::from_f64(number).unwrap_or_default().round_dp(4)
}

/// A run of these terms as it might have gone.
pub fn record(terms: &Terms) -> Record {
    let phase = terms.seed as f64;
    let price = |at_s: u64| {
        let days = (at_s - START_S) as f64 / 86_400.0;
        3_000.0 * (0.2 * (days / 19.0).sin() + 0.05 * (days / 1.7 + phase).sin() + 0.01 * (days * 9.0).sin()).exp()
    };
    let end_s = START_S + u64::from(terms.weeks) * WEEK_S;
    let mut record = Record {
        vault: terms.vault.name().to_owned(),
        market: terms.market.name().to_owned(),
        seed: terms.seed,
        collateral: "WEETH".to_owned(),
        currency: "ETH".to_owned(),
        start_s: START_S,
        end_s,
        deposited: Decimal::ONE_HUNDRED,
        digest: "5f0c6d2e9a".repeat(6) + "0123",
        ..Record::default()
    };
    record.prices =
        (START_S..=end_s).step_by(600).map(|at_s| PricePoint { at_s, price: amount(price(at_s)) }).collect();
    let mut value = 100.0;
    for number in 1..=terms.weeks {
        let start_s = START_S + u64::from(number - 1) * WEEK_S + 900;
        add_week(&mut record, number, start_s, &price, terms.vault, &mut value);
    }
    record
}

fn add_week(record: &mut Record, number: u32, start_s: u64, price: &dyn Fn(u64) -> f64, vault: Vault, value: &mut f64) {
    let (index, expiry_s) = (price(start_s), start_s - 900 + WEEK_S);
    let settlement = price(expiry_s);
    let (strikes, sign): (Vec<f64>, f64) = match vault {
        Vault::Harvest => (vec![index * 1.09], 1.0),
        Vault::SafeHarvest => (vec![index * 1.06, index * 1.06 + 200.0], 1.0),
        Vault::Maxi => (vec![index * 0.94, index * 0.94 - 200.0], 1.0),
        Vault::Bull => (vec![index * 1.06, index * 1.06 + 200.0], -1.0),
    };
    let strikes: Vec<f64> = strikes.into_iter().map(|strike| (strike / 50.0).round() * 50.0).collect();
    let units = if vault == Vault::Bull { 7.2 } else { 100.0 };
    let mark = index * 0.008;
    let due = |strike: f64| if vault == Vault::Maxi { strike - settlement } else { settlement - strike }.max(0.0);
    let payoff = -sign * units * (due(strikes[0]) - strikes.get(1).map_or(0.0, |strike| due(*strike)));
    let auction = auction(number, start_s, sign, mark, units);
    let average = auction.fills.iter().map(|fill| fill.price).sum::<Decimal>() / Decimal::from(auction.fills.len());
    let premium = average * amount(units);
    record.auctions.push(auction);
    record.auctions.push(collateral_auction(number, expiry_s + 600, settlement * 1.07));
    let before = *value;
    *value += (premium.try_into().unwrap_or(0.0) + payoff) / (settlement * 1.07);
    for at_s in (start_s..=expiry_s).step_by(3_600) {
        let share = (at_s - start_s) as f64 / WEEK_S as f64;
        let now = before + (*value - before) * share;
        let base = price(at_s) * 1.07;
        let (value, value_usd, holding_usd) = (amount(now), amount(now * base), amount(100.0 * base));
        record.values.push(ValuePoint { at_s, value, value_usd, holding_usd });
    }
    let words = |phase: &str, at_s: u64, what: String| Stage { at_ms: at_s * 1_000, phase: phase.to_owned(), what };
    record.stages.push(words("option-auction", start_s, format!("{} units", units)));
    record.stages.push(words("await-settlement", start_s + 1_800, String::new()));
    record.stages.push(words("spot-auction", expiry_s + 600, format!("{payoff:.2} USDC")));
    record.weeks.push(Week {
        week: number,
        expiry_s,
        strikes: strikes.iter().map(|strike| amount(*strike)).collect(),
        index_at_auction: amount(index),
        delta: amount(0.1034),
        ratio: if vault == Vault::Harvest { Decimal::ZERO } else { amount(0.1271) },
        units: amount(units),
        units_wanted: amount(units),
        lots: 4,
        average_price: average,
        average_mark: amount(sign * mark),
        premium,
        fees: amount(41.7),
        settlement: amount(settlement),
        payoff: amount(payoff),
        collateral_traded: amount(payoff / settlement),
        collateral_cost: amount(payoff.abs() * 0.002),
        interest: amount(-3.2),
        budget: Decimal::ZERO,
        option_fees: Decimal::ZERO,
        cash_left: amount(0.42),
        base: amount(*value),
        base_price: amount(settlement * 1.07),
        value: amount(*value),
        over_holding: amount(*value / 100.0 - 1.0),
    });
}

/// Thirty minutes in which a seller's demand falls and four lots fill.
fn auction(week: u32, start_s: u64, sign: f64, mark: f64, units: f64) -> Auction {
    let mut auction =
        Auction { phase: "option-auction".to_owned(), week, started_ms: start_s * 1_000, ..Auction::default() };
    for second in 0..1_800u64 {
        let (at_ms, lot) = ((start_s + second) * 1_000, second / 450);
        let minutes = (second % 450) as f64 / 60.0;
        let drift = mark * (1.0 + 0.04 * (second as f64 / 300.0).sin());
        let limit = if sign > 0.0 { drift / (1.0 + 0.02 * minutes) } else { -drift * (1.0 + 0.02 * minutes) };
        let best = (second % 450 > 20 && second % 97 > 12)
            .then(|| amount(sign * drift - drift * 0.08 + drift * 0.02 * (second as f64 / 30.0).sin()));
        let remaining = amount(units * (4 - lot) as f64 / 4.0);
        auction.demands.push(DemandPoint { at_ms, limit: amount(limit), mark: amount(sign * drift), best, remaining });
        if second % 450 == 260 {
            let (price, mark) = (amount(limit + drift * 0.003), amount(sign * drift));
            auction.fills.push(FillPoint { at_ms, price, mark, amount: amount(units / 4.0) });
        }
    }
    auction
}

/// A few minutes of buying collateral.
fn collateral_auction(week: u32, start_s: u64, mark: f64) -> Auction {
    let mut auction =
        Auction { phase: "spot-auction".to_owned(), week, started_ms: start_s * 1_000, ..Auction::default() };
    for second in 0..240u64 {
        let at_ms = (start_s + second) * 1_000;
        let mark = mark * (1.0 + 0.0004 * (second as f64 / 20.0).sin());
        let limit = mark * (1.0 + 0.00001 * second as f64);
        let remaining = amount(5.0 - second as f64 / 60.0);
        auction.demands.push(DemandPoint { at_ms, limit: amount(limit), mark: amount(mark), best: None, remaining });
        if second % 60 == 59 {
            let size = amount(0.2 + second as f64 / 100.0);
            auction.fills.push(FillPoint { at_ms, price: amount(limit), mark: amount(mark), amount: size });
        }
    }
    auction
}

/// Any amount, the largest among them.
fn any_amount() -> BoxedStrategy<Decimal> {
    let parts = (any::<i64>(), 0u32..19).prop_map(|(number, scale)| Decimal::new(number, scale));
    prop_oneof![Just(Decimal::ZERO), Just(Decimal::MAX), Just(Decimal::MIN), Just(Decimal::new(1, 28)), parts].boxed()
}

/// Any moment, mostly of this age.
fn any_moment() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just(u64::MAX), any::<u64>(), START_S..START_S + 10 * WEEK_S, START_S * 1_000..START_S * 1_001]
}

prop_compose! {
    fn any_week()(
        week: u32, lots: u32, expiry_s in any_moment(),
        strikes in proptest::collection::vec(any_amount(), 0..4),
        a in proptest::array::uniform12(any_amount()), b in proptest::array::uniform7(any_amount()),
    ) -> Week {
        let [index_at_auction, delta, ratio, units, units_wanted, average_price, average_mark, premium, fees, ..] = a;
        let [settlement, payoff, interest, cash_left, value, over_holding, collateral_traded] = b;
        Week {
            week, lots, expiry_s, strikes, index_at_auction, delta, ratio, units, units_wanted, average_price, average_mark,
            premium, fees, option_fees: fees, settlement, payoff, interest, cash_left, value, over_holding, collateral_traded,
            collateral_cost: a[9], base: a[10], base_price: a[11], budget: Decimal::ZERO,
        }
    }
}

prop_compose! {
    fn any_auction()(
        phase in prop_oneof![Just("option-auction".to_owned()), Just("spot-auction".to_owned()), any::<String>()],
        week in 0u32..4, started_ms in any_moment(),
        demands in proptest::collection::vec((any_moment(), any_amount(), any_amount(), proptest::option::of(any_amount())), 0..6),
        fills in proptest::collection::vec((any_moment(), any_amount(), any_amount()), 0..4),
    ) -> Auction {
        let demand = |(at_ms, limit, mark, best)| DemandPoint { at_ms, limit, mark, best, remaining: mark };
        let fill = |(at_ms, price, amount)| FillPoint { at_ms, price, mark: price, amount };
        Auction {
            phase, week, started_ms,
            demands: demands.into_iter().map(demand).collect(),
            fills: fills.into_iter().map(fill).collect(),
        }
    }
}

prop_compose! {
    /// Any record at all.
    pub fn any_record()(
        names in proptest::array::uniform5(any::<String>()), seed: u64,
        start_s in any_moment(), end_s in any_moment(), deposited in any_amount(),
        weeks in proptest::collection::vec(any_week().boxed(), 0..4),
        prices in proptest::collection::vec((any_moment(), any_amount()), 0..5),
        values in proptest::collection::vec((any_moment(), any_amount(), any_amount()), 0..5),
        auctions in proptest::collection::vec(any_auction().boxed(), 0..16),
        notes in proptest::collection::vec((any_moment(), any::<String>()), 0..4),
    ) -> Record {
        let [vault, market, collateral, currency, digest] = names;
        let value = |(at_s, value, usd)| ValuePoint { at_s, value, value_usd: usd, holding_usd: value };
        Record {
            vault, market, seed, collateral, currency, start_s, end_s, deposited, weeks, auctions, digest,
            stages: notes.iter().map(|(at_ms, what)| Stage { at_ms: *at_ms, phase: what.clone(), what: what.clone() }).collect(),
            prices: prices.into_iter().map(|(at_s, price)| PricePoint { at_s, price }).collect(),
            values: values.into_iter().map(value).collect(),
            violations: notes.iter().map(|(_, what)| what.clone()).collect(),
            concerns: notes.into_iter().map(|(at_ms, what)| Concern { at_ms, what }).collect(),
            refused: std::collections::BTreeMap::new(),
        }
    }
}
