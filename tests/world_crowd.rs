//! The crowd on a real exchange, in virtual time: books stay two-sided, trades happen, and flow leans as the script says.

use keel::base::time::{MS, Nanos, SEC};
use keel::exchange::server::World;
use keel::exchange::world::crowd::PROFILES;
use keel::exchange::world::{MarketWorld, WorldSettings};
use keel::exchange::{Exchange, OrderId, Outbox, Settings, TimeInForce};
use rust_decimal::Decimal;
use std::collections::BTreeMap;

const START: Nanos = Nanos(1_800_000_000 * SEC);

/// An exchange and its world, turned by hand.
struct Sim {
    ex: Exchange,
    world: MarketWorld,
    at: Nanos,
    out: Outbox,
}

impl Sim {
    fn new(settings: WorldSettings) -> Sim {
        let mut ex = Exchange::new(Settings::default(), START);
        let mut world = MarketWorld::new(settings);
        let mut out = Outbox::new();
        world.start(&mut ex, START, &mut out);
        Sim { ex, world, at: START, out }
    }

    /// Runs for `seconds`, calling `each` after every turn of the world.
    fn run(&mut self, seconds: u64, mut each: impl FnMut(&mut Exchange, &MarketWorld, Nanos, &mut Outbox)) {
        let end = self.at.plus(seconds * SEC);
        while self.at < end {
            let next = self.world.turn(&mut self.ex, self.at, &mut self.out);
            each(&mut self.ex, &self.world, self.at, &mut self.out);
            while let Some(due) = self.ex.next_deadline().filter(|due| *due <= next) {
                self.ex.tick(due.max(self.at), &mut self.out);
            }
            self.out.clear();
            assert!(next > self.at, "the world must ask for a later turn");
            self.at = next;
        }
    }
}

fn spread_bps(ex: &Exchange, instrument: &str) -> Option<Decimal> {
    let (bid, ask) = ex.top_of_book(instrument);
    let ((bid, _), (ask, _)) = (bid?, ask?);
    Some((ask - bid) / bid * Decimal::from(10_000))
}

#[test]
fn books_stay_two_sided_and_as_wide_as_meant() {
    let mut sim = Sim::new(WorldSettings::steady(1));
    let mut seen: BTreeMap<&str, Vec<Decimal>> = BTreeMap::new();
    let (mut looks, mut one_sided) = (0u32, 0u32);
    sim.run(120, |ex, _, _, _| {
        for profile in &PROFILES {
            looks += 1;
            match spread_bps(ex, profile.instrument) {
                Some(spread) => {
                    assert!(spread > Decimal::ZERO, "{} is crossed", profile.instrument);
                    seen.entry(profile.instrument).or_default().push(spread);
                }
                None => one_sided += 1,
            }
        }
    });
    assert_eq!(one_sided, 0, "of {looks} looks");
    for (instrument, low, high) in [
        ("ETH-PERP", "0.3", "3"),
        ("BTC-PERP", "0.3", "3"),
        ("ETH-USDC", "3", "9"),
        ("BTC-USDC", "3", "9"),
        ("WEETH-USDC", "12", "26"),
        ("LBTC-USDC", "12", "26"),
    ] {
        let spreads = seen.get_mut(instrument).expect("looked at");
        spreads.sort();
        let median = spreads[spreads.len() / 2];
        let range = low.parse::<Decimal>().expect("a number")..high.parse::<Decimal>().expect("a number");
        assert!(range.contains(&median), "{instrument}: median spread {median} bp");
    }
}

#[test]
fn trades_happen_and_few_quotes_are_refused() {
    let mut sim = Sim::new(WorldSettings::steady(2));
    sim.run(120, |_, _, _, _| {});
    let activity = sim.world.activity();
    // Steady flow is 9.7 takers a second.
    assert!((950..1_400).contains(&activity.takes), "{activity:?}");
    assert!(activity.takes_filled * 100 >= activity.takes * 95, "{activity:?}");
    assert!(activity.quotes > 20_000 && activity.quotes_refused * 50 < activity.quotes, "{activity:?}");
}

#[test]
fn marks_follow_spot() {
    let mut sim = Sim::new(WorldSettings::steady(3));
    sim.run(60, |ex, world, _, _| {
        let prices = world.prices();
        assert_eq!(ex.index("ETH"), prices.spot[0]);
        assert_eq!(ex.index("LBTC"), (prices.spot[1] * prices.ratio[1]).round_dp(2));
        let gap = (ex.mark("ETH-PERP") / prices.spot[0] - Decimal::ONE).abs();
        assert!(gap < Decimal::new(20, 4), "{gap}");
    });
}

/// Somebody who bids, or offers, one lot at fair value throughout, re-quoting whenever filled or off the price.
struct Quoter {
    account: u64,
    instrument: &'static str,
    resting: Option<(OrderId, Decimal)>,
    fills: u32,
    held: Decimal,
}

impl Quoter {
    fn open(ex: &mut Exchange, instrument: &'static str) -> Quoter {
        let account = ex.house_account("vault", &[("USDC", Decimal::from(5_000_000)), ("WEETH", Decimal::from(500))]);
        Quoter { account, instrument, resting: None, fills: 0, held: Decimal::from(500) }
    }

    fn quote(&mut self, ex: &mut Exchange, buy: bool, fair: Decimal, at: Nanos, out: &mut Outbox) {
        let held = ex.subaccount_report(self.account).expect("an account").balances["WEETH"];
        if held != self.held {
            self.fills += 1;
            self.held = held;
        }
        if let Some((order, _)) = self.resting.take() {
            ex.house_cancel(self.account, order, at, out);
        }
        let (price, lot) = (fair.round_dp(2), Decimal::from(2));
        if let Ok(fill) = ex.house_order(self.account, self.instrument, buy, price, lot, TimeInForce::PostOnly, at, out)
        {
            self.resting = Some((fill.order, price));
        }
    }
}

#[test]
fn the_demo_fills_a_bid_near_fair_value_and_later_an_offer() {
    let mut sim = Sim::new(WorldSettings::demo(4, 60));
    let mut vault = Quoter::open(&mut sim.ex, "WEETH-USDC");
    let fair = |world: &MarketWorld| world.prices().external[0] * world.prices().ratio[0];

    sim.run(38, |ex, world, at, out| vault.quote(ex, true, fair(world), at, out));
    let (bought, fills) = (vault.held - Decimal::from(500), vault.fills);
    assert!(fills >= 3 * 38, "a bid at fair value is filled several times a second: {fills} fills");
    assert!(bought >= Decimal::from(100), "{bought}");
    assert_eq!(sim.world.phase(), 0);

    sim.run(2, |_, _, _, _| {});
    assert_eq!(sim.world.phase(), 1, "carry has turned");
    let before = vault.held;
    sim.run(18, |ex, world, at, out| vault.quote(ex, false, fair(world), at, out));
    assert!(before - vault.held >= Decimal::from(100), "{} sold", before - vault.held);
}

#[test]
fn a_bid_is_nearly_alone_among_sellers_only() {
    // The same bid while the crowd buys: hardly ever hit.
    let mut sim = Sim::new(WorldSettings::demo(5, 60));
    sim.run(40, |_, _, _, _| {});
    let mut vault = Quoter::open(&mut sim.ex, "WEETH-USDC");
    sim.run(18, |ex, world, at, out| {
        vault.quote(ex, true, world.prices().external[0] * world.prices().ratio[0], at, out);
    });
    assert!(vault.fills < 18, "{} fills", vault.fills);
}

#[test]
fn funding_follows_the_script() {
    let mut sim = Sim::new(WorldSettings::demo(6, 20));
    let conn = sim.ex.connect(START);
    let funding = |sim: &mut Sim| {
        let request = br#"{"id":1,"method":"public/get_ticker","params":{"instrument_name":"ETH-PERP"}}"#;
        let mut out = Outbox::new();
        sim.ex.on_text(conn, sim.at, request, &mut out);
        let text = out.iter().find_map(|frame| match frame {
            keel::exchange::Out::Text { text, .. } => Some(text.as_str()),
            _ => None,
        });
        let reply: serde_json::Value = serde_json::from_str(text.expect("a reply")).expect("json");
        reply["result"]["f"].as_str().expect("a rate").parse::<Decimal>().expect("a number")
    };
    sim.run(5, |_, _, _, _| {});
    assert_eq!(funding(&mut sim), Decimal::new(12, 5));
    sim.run(10, |_, _, _, _| {});
    assert_eq!(funding(&mut sim), Decimal::new(-8, 5));
}

#[test]
fn a_seed_repeats_a_market_and_another_does_not() {
    let record = |seed| {
        let mut sim = Sim::new(WorldSettings::demo(seed, 10));
        let mut tops = Vec::new();
        sim.run(10, |ex, _, _, _| tops.push(PROFILES.map(|profile| ex.top_of_book(profile.instrument))));
        (tops, sim.world.activity())
    };
    let first = record(7);
    assert_eq!(first, record(7));
    assert_ne!(first, record(8));
}

#[test]
fn a_long_stall_stops_the_worlds_clock_instead_of_being_made_up_for() {
    let mut sim = Sim::new(WorldSettings::steady(9));
    sim.run(1, |_, _, _, _| {});
    let before = sim.world.prices().step;
    let late = sim.at.plus(3_600 * SEC);
    let next = sim.world.turn(&mut sim.ex, late, &mut sim.out);
    assert_eq!(sim.world.prices().step - before, 250);
    assert!(next > late && next.since(late) <= 20 * MS);
}
