//! The people of an options market on a real exchange: collateral auctions fill over minutes, falling offers are lifted
//! at random times, requests for quotes are answered late, blind and not by everybody.

use alloy::primitives::{B256, Signature, eip191_hash_message, hex};
use k256::ecdsa::SigningKey;
use keel::base::time::{MS, Nanos, SEC};
use keel::exchange::server::World;
use keel::exchange::world::weeks::{Bustle, Manners, OptionMarket, Shape, weekly_expiry_s};
use keel::exchange::world::{MarketWorld, WorldSettings};
use keel::exchange::{ConnId, Exchange, Out, Outbox, Settings, TimeInForce};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde_json::{Value, json};

/// Friday 2027-01-15 13:00 UTC: five hours after an expiry, when weekly auctions begin.
const START: Nanos = Nanos(1_800_018_000 * SEC);

struct Sim {
    ex: Exchange,
    world: MarketWorld,
    at: Nanos,
    out: Outbox,
    conn: ConnId,
    heard: Vec<Value>,
}

impl Sim {
    fn new(seed: u64, market: OptionMarket) -> Sim {
        let settings = WorldSettings { options: Some(market), ..WorldSettings::weeks(seed, market.path.shape) };
        let mut ex = Exchange::new(Settings { seed, ..Settings::default() }, START);
        let mut world = MarketWorld::new(settings);
        let mut out = Outbox::new();
        world.start(&mut ex, START, &mut out);
        let conn = ex.connect(START);
        ex.tick(START.plus(60 * SEC), &mut out);
        let mut sim = Sim { ex, world, at: START.plus(60 * SEC), out, conn, heard: Vec::new() };
        sim.run(2, |_, _, _| {});
        sim
    }

    /// Runs for `seconds`, calling `each` at every turn of the world.
    fn run(&mut self, seconds: u64, mut each: impl FnMut(&mut Exchange, Nanos, &mut Outbox)) {
        let end = self.at.plus(seconds * SEC);
        while self.at < end {
            let next = self.world.turn(&mut self.ex, self.at, &mut self.out);
            assert!(next > self.at, "the world must ask for a later turn");
            each(&mut self.ex, self.at, &mut self.out);
            self.at = next;
            self.ex.tick(self.at, &mut self.out);
            self.hear();
        }
    }

    fn hear(&mut self) {
        for out in self.out.drain(..) {
            if let Out::Text { text, .. } = out {
                self.heard.push(serde_json::from_str(&text).expect("json"));
            }
        }
    }

    fn call(&mut self, method: &str, params: Value) -> Value {
        self.heard.clear();
        let frame = json!({ "id": 1, "method": method, "params": params }).to_string();
        self.ex.on_text(self.conn, self.at, frame.as_bytes(), &mut self.out);
        self.hear();
        self.heard.iter().find(|frame| frame.get("id").is_some()).expect("a reply").clone()
    }

    fn login(&mut self) {
        let account = self.ex.settings().accounts[0].clone();
        let stamp = self.at.ms().to_string();
        let digest: B256 = eip191_hash_message(stamp.as_bytes());
        let key = SigningKey::from_slice(&hex::decode(&account.session_key_hex).expect("hex")).expect("a key");
        let (signature, recovery) = key.sign_prehash_recoverable(digest.as_slice()).expect("signs");
        let signature = hex::encode_prefixed(Signature::from((signature, recovery)).as_bytes());
        let params = json!({ "wallet": account.wallet.to_string(), "timestamp": stamp, "signature": signature });
        let reply = self.call("public/login", params);
        assert!(reply["result"].is_array(), "{reply}");
    }

    fn bustle(&self) -> Bustle {
        self.world.weeks().expect("a market of weeks").bustle()
    }

    /// The call nearest to a share above spot, expiring with the trading weekly.
    fn call_above(&self, currency: &str, share: f64) -> (String, Decimal) {
        let spot = self.ex.index(currency).to_f64().expect("small");
        let strikes = self.ex.listed_options(currency, weekly_expiry_s(self.at));
        let off = |strike: &Decimal| (strike.to_f64().expect("small") / spot - 1.0 - share).abs();
        let nearest = strikes.into_iter().min_by(|a, b| off(&a.0).total_cmp(&off(&b.0))).expect("options are listed");
        (nearest.1, nearest.0)
    }
}

/// Somebody at auction: one lot at a price that is set anew every second.
struct Auction {
    account: u64,
    left: Decimal,
    fills: Vec<u64>,
    resting: Option<(keel::exchange::OrderId, Decimal)>,
    held: Decimal,
}

impl Auction {
    fn of(ex: &mut Exchange, asset: &str, amount: Decimal) -> Auction {
        let funds = [("USDC", Decimal::from(50_000_000)), (asset, Decimal::from(1_000_000))];
        let account = ex.house_account("auction", &funds);
        Auction { account, left: amount, fills: Vec::new(), resting: None, held: Decimal::ZERO }
    }

    /// `held` is what the exchange says the account has of the thing, as an absolute distance from the start.
    fn turn(
        &mut self,
        ex: &mut Exchange,
        (instrument, buy): (&str, bool),
        (price, held): (Decimal, Decimal),
        at: Nanos,
        out: &mut Outbox,
    ) {
        if held != self.held {
            self.left -= held - self.held;
            self.held = held;
            self.fills.push(at.since(START) / SEC);
        }
        if let Some((order, _)) = self.resting.take() {
            ex.house_cancel(self.account, order, at, out);
        }
        if self.left > Decimal::ZERO
            && let Ok(fill) = ex.house_order(self.account, instrument, buy, price, self.left, TimeInForce::Gtc, at, out)
        {
            self.resting = Some((fill.order, price));
        }
    }
}

/// Buys or sells weETH at index for ten minutes; returns the share filled after each minute.
fn collateral_auction(market: OptionMarket, buy: bool) -> (Vec<Decimal>, usize) {
    let mut sim = Sim::new(3, market);
    let total = Decimal::from(80);
    let mut auction = Auction::of(&mut sim.ex, "WEETH", total);
    let start = sim.ex.subaccount_report(auction.account).expect("an account").balances["WEETH"];
    let mut shares = Vec::new();
    for _ in 0..10 {
        for _ in 0..60 {
            sim.run(1, |ex, at, out| {
                if at.0 % SEC < 100 * MS {
                    let held = ex.subaccount_report(auction.account).expect("an account").balances["WEETH"];
                    let price = ex.index("WEETH");
                    auction.turn(ex, ("WEETH-USDC", buy), (price, (held - start).abs()), at, out);
                }
            });
        }
        shares.push((total - auction.left) / total);
    }
    (shares, auction.fills.len())
}

#[test]
fn collateral_at_index_is_bought_and_sold_over_minutes() {
    for buy in [true, false] {
        let (shares, fills) = collateral_auction(OptionMarket::of(Shape::Wild), buy);
        println!("{shares:?} in {fills}");
        assert!(shares[0] < Decimal::new(8, 1), "{shares:?}");
        assert!(shares[9] >= Decimal::new(4, 1) && fills >= 5, "{shares:?} in {fills}");
    }
}

#[test]
fn a_thin_book_leaves_a_debt_standing() {
    let (shares, _) = collateral_auction(OptionMarket::of(Shape::Wild).thin(), false);
    assert!(shares[9] < Decimal::new(3, 1), "{shares:?}");
}

#[test]
fn the_weekly_chain_is_quoted_around_the_surface_while_attended_and_not_in_a_leap() {
    let mut sim = Sim::new(4, OptionMarket::of(Shape::Wild));
    sim.run(5, |_, _, _| {});
    for (currency, steps) in [("ETH", 50), ("BTC", 1_000)] {
        let spot = sim.ex.index(currency);
        let (mut two_sided, mut looked) = (0, 0);
        for (strike, call, put) in sim.ex.listed_options(currency, weekly_expiry_s(sim.at)) {
            if (strike / spot - Decimal::ONE).abs() > Decimal::new(14, 2) {
                continue;
            }
            for name in [call, put] {
                looked += 1;
                let mark = sim.ex.mark(&name);
                let (bid, ask) = sim.ex.top_of_book(&name);
                assert!(ask.is_some_and(|(ask, _)| ask > mark), "{name}: {ask:?} against {mark}");
                if let Some((bid, _)) = bid {
                    assert!(bid < mark, "{name}: {bid} against {mark}");
                    two_sided += 1;
                }
            }
        }
        assert!(looked * steps > 2 * 27 * spot.to_i64().expect("small") / 100, "{looked}");
        assert!(two_sided * 10 >= looked * 8, "{two_sided} of {looked}");
    }
    let (name, _) = sim.call_above("ETH", 0.05);
    assert!(sim.ex.top_of_book(&name).1.is_some());
    let late = sim.at.plus(60 * SEC);
    sim.world.turn(&mut sim.ex, late, &mut sim.out);
    assert_eq!(sim.ex.top_of_book(&name), (None, None));
    assert_eq!(sim.ex.top_of_book("WEETH-USDC"), (None, None));
    sim.at = late.plus(100 * MS);
    sim.run(1, |_, _, _| {});
    for name in [&*name, "WEETH-USDC"] {
        assert!(sim.ex.top_of_book(name).1.is_some(), "{name} is quoted again");
    }
}

/// Offers calls for a quarter of an hour at a price that falls from the mark to half of it; returns the seconds of fills and what is left.
fn falling_offer(seed: u64, market: OptionMarket) -> (Vec<u64>, Decimal) {
    let mut sim = Sim::new(seed, market);
    let (name, _) = sim.call_above("ETH", 0.10);
    let mut auction = Auction::of(&mut sim.ex, "WEETH", Decimal::from(300));
    let begun = sim.at;
    let account = auction.account;
    sim.run(900, |ex, at, out| {
        if at.0 % SEC < 100 * MS {
            let report = ex.subaccount_report(account).expect("an account");
            let held = report.positions.get(&*name).map_or(Decimal::ZERO, |p| p.amount.abs());
            let share = Decimal::ONE - Decimal::new((at.since(begun) / SEC) as i64, 0) / Decimal::from(1_800);
            let price = (ex.mark(&name) * share).round_dp(1).max(Decimal::new(1, 1));
            auction.turn(ex, (&name, false), (price, held), at, out);
        }
    });
    (auction.fills, auction.left)
}

#[test]
fn a_falling_offer_is_lifted_in_parts_at_random_times() {
    let (fills, left) = falling_offer(5, OptionMarket::of(Shape::Flat));
    let (_, thin) = falling_offer(5, OptionMarket::of(Shape::Flat).thin());
    assert!(thin > left, "a thin book lifts less: {thin} {left}");
    assert!(fills.len() >= 4, "{fills:?}");
    assert!(left < Decimal::from(250), "{left}");
    let (again, _) = falling_offer(5, OptionMarket::of(Shape::Flat));
    assert_eq!(fills, again, "a seed repeats");
    let (other, _) = falling_offer(6, OptionMarket::of(Shape::Flat));
    assert_ne!(fills, other);
}

/// A quote as the taker sees it: seconds after the request, what it would be paid as a share of the mark, the part of
/// the request it is for.
type Heard = (u64, Decimal, Decimal);

/// Sends lots of one hundred-dollar call spread and watches the quotes on each for two minutes.
fn lots(seed: u64, manners: Manners, step: &str, count: usize) -> (Vec<Vec<Heard>>, Bustle) {
    let mut sim = Sim::new(seed, OptionMarket { dealers: manners, ..OptionMarket::of(Shape::Flat) });
    sim.login();
    let subaccount = sim.ex.settings().accounts[0].subaccount;
    let mut lots = Vec::new();
    for _ in 0..count {
        let (low, strike) = sim.call_above("ETH", 0.06);
        let chain = sim.ex.listed_options("ETH", weekly_expiry_s(sim.at));
        let high = chain.into_iter().find(|o| o.0 == strike + Decimal::from(100)).expect("listed").1;
        let legs = json!([
            { "instrument_name": low, "amount": "20", "direction": "sell" },
            { "instrument_name": high, "amount": "20", "direction": "buy" },
        ]);
        let params = json!({ "subaccount_id": subaccount, "legs": legs, "partial_fill_step": step });
        let reply = sim.call("private/send_rfq", params);
        let rfq = reply["result"]["rfq_id"].as_str().unwrap_or_else(|| panic!("{reply}")).to_owned();
        let begun = sim.at;
        let mut seen: Vec<(String, u64, Decimal, Decimal)> = Vec::new();
        for _ in 0..120 {
            sim.run(1, |_, _, _| {});
            let polled = sim.call("private/poll_quotes", json!({ "subaccount_id": subaccount, "rfq_id": rfq }));
            let mark = Decimal::from(20) * (sim.ex.mark(&low) - sim.ex.mark(&high));
            for quote in polled["result"]["quotes"].as_array().unwrap_or_else(|| panic!("{polled}")) {
                let id = quote["quote_id"].as_str().expect("an id").to_owned();
                if quote["direction"] != "sell" || seen.iter().any(|known| known.0 == id) {
                    continue;
                }
                let number = |value: &Value| value.as_str().expect("text").parse::<Decimal>().expect("a number");
                let leg = |place: usize| &quote["legs"][place];
                let cost: Decimal = [0, 1]
                    .map(|i| {
                        let value = number(&leg(i)["price"]) * number(&leg(i)["amount"]);
                        if leg(i)["direction"] == "sell" { -value } else { value }
                    })
                    .iter()
                    .sum();
                let part = number(&quote["fill_pct"]);
                // What the vault would be paid, as a share of the mark.
                seen.push((id, sim.at.since(begun) / SEC, -cost / part / mark, part));
            }
        }
        sim.call("private/cancel_rfq", json!({ "subaccount_id": subaccount, "rfq_id": rfq }));
        lots.push(seen.into_iter().map(|(_, at_s, paid, part)| (at_s, paid, part)).collect());
    }
    (lots, sim.bustle())
}

#[test]
fn requests_are_answered_late_blind_and_below_the_mark() {
    let (lots, bustle) = lots(7, Manners::default(), "1", 12);
    let deals = bustle.deals;
    println!("{deals:?}");
    let quotes: Vec<_> = lots.iter().flatten().collect();
    assert!(quotes.len() >= 12 && deals.refused * 20 <= deals.quotes, "{deals:?}");
    assert_eq!(deals.seen, 48);
    assert!((3..20).contains(&deals.silent) && deals.renewed > 3 && deals.withdrawn > 0, "{deals:?}");
    assert_eq!(deals.partial, 0);
    let paid: Vec<Decimal> = quotes.iter().map(|quote| quote.1).collect();
    let below = paid.iter().filter(|paid| **paid < Decimal::ONE).count();
    assert!(below * 100 >= paid.len() * 80, "{paid:?}");
    assert!(paid.iter().all(|paid| (Decimal::new(4, 1)..Decimal::new(12, 1)).contains(paid)), "{paid:?}");
    // Some are good enough after fifteen seconds, others only later.
    let early = paid.iter().filter(|paid| **paid >= Decimal::new(889, 3)).count();
    assert!(early > 0 && early < paid.len(), "{paid:?}");
}

#[test]
fn parts_are_quoted_where_parts_are_allowed() {
    let (lots, bustle) = lots(8, Manners { partial: 0.8, ..Manners::default() }, "0.25", 6);
    assert!(bustle.deals.partial > 0, "{:?}", bustle.deals);
    let quarter = Decimal::new(25, 2);
    for (_, _, part) in lots.iter().flatten() {
        assert!((*part / quarter).fract().is_zero() && *part > Decimal::ZERO && *part <= Decimal::ONE, "{part}");
    }
}

#[test]
fn whole_lots_pass_in_silence_where_dealers_are_seldom_there() {
    let (lots, bustle) = lots(9, Manners { silent: 0.9, ..Manners::default() }, "1", 8);
    assert!(lots.iter().any(Vec::is_empty), "{:?}", bustle.deals);
}
