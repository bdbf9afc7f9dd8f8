//! The report of an option vault: what its auction traded at which price, what it holds, and whether all was in order.

use super::measured::{self, Reaction};
use crate::actors::risk::{Alarm, Sample};
use crate::base::ids::{InstrumentId, Side};
use crate::base::num::{Amount, Cash, Price};
use crate::base::time::{Nanos, SEC};
use crate::market::instrument::Instrument;
use crate::msg::{Demand, Milestone, Mode, Phase, Product};
use crate::ops::auction_news::Trades;
use crate::ops::engine::Ends;
use crate::ops::news::VaultNews;
use crate::risk::checks::CHECK_COUNT;
use serde_json::{Value, json};
use std::fmt::Write;

/// Rows of the auction's table.
const ROWS: usize = 14;

/// What a report is made of.
pub struct AuctionReport<'a> {
    /// Vault's name.
    pub vault: &'a str,
    /// What it trades.
    pub product: Product,
    /// Collateral and currency of the options.
    pub assets: [&'a str; 2],
    /// Names of the checks its wishes pass, by row.
    pub checks: [&'static str; CHECK_COUNT],
    /// Options held at the end.
    pub options: &'a [Instrument],
    /// What happened.
    pub news: &'a VaultNews,
    /// What the pipeline measured.
    pub ends: &'a Ends,
    /// Broken invariants found by others, in words.
    pub findings: &'a [String],
}

/// A moment for people, to the second.
fn utc(at_s: u64) -> String {
    let moment = jiff::Timestamp::from_second(i64::try_from(at_s).unwrap_or(i64::MAX));
    moment.map_or_else(|_| at_s.to_string(), |moment| moment.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

/// Cash per unit, to a price.
fn per_unit(cash: Cash, units: Amount) -> Option<Price> {
    let raw = units.is_positive().then(|| cash.raw() / i128::from(units.raw()))?;
    Some(Price::from_raw(i64::try_from(raw).unwrap_or(i64::MAX)))
}

/// The strikes of a choice.
pub fn strikes(milestone: &Milestone) -> impl Iterator<Item = Price> + use<> {
    milestone.strikes.into_iter().filter(|strike| strike.is_positive())
}

fn joined(words: impl Iterator<Item = String>, between: &str) -> String {
    words.collect::<Vec<_>>().join(between)
}

impl AuctionReport<'_> {
    /// Broken invariants, in words; empty on a clean run.
    pub fn violations(&self) -> Vec<String> {
        let mut found = self.findings.to_vec();
        found.extend(measured::broken(self.news, self.ends));
        if self.news.modes.iter().any(|(_, mode)| *mode == Mode::Halted) {
            found.push("the vault halted".to_owned());
        }
        found
    }

    fn buys(&self) -> bool {
        self.product.side() == Side::Buy
    }

    fn trades(&self) -> &Trades {
        &self.news.auction.trades
    }

    /// What a person should look at, each once with its count.
    fn concerns(&self) -> Vec<(String, usize)> {
        let mut counted: Vec<(String, usize)> = Vec::new();
        for (_, alarm) in &self.news.alarms {
            let name = match alarm {
                // Said by the command that ends the run.
                Alarm::Asked | Alarm::Retired => continue,
                Alarm::Concern(concern) => concern.name().to_owned(),
                other => format!("{other:?}"),
            };
            match counted.iter_mut().find(|(known, _)| *known == name) {
                Some((_, count)) => *count += 1,
                None => counted.push((name, 1)),
            }
        }
        counted
    }

    /// Options held, by name.
    fn held(&self) -> Vec<(String, Amount)> {
        let held = self.news.last.unwrap_or_default().held;
        let name = |id: InstrumentId| {
            let listed = self.options.iter().find(|instrument| instrument.id == id);
            listed.map_or_else(|| format!("option {}", id.0), |instrument| instrument.name.to_string())
        };
        held.iter().flatten().map(|held| (name(held.instrument), held.amount)).collect()
    }

    /// What a unit fetched, or cost, and what it was worth at its fills.
    fn prices(&self) -> Option<(Price, Price)> {
        let trades = self.trades();
        let shown = |cash: Cash| if self.buys() { -cash } else { cash };
        Some((per_unit(shown(trades.premium), trades.units())?, per_unit(shown(trades.at_mark), trades.units())?))
    }

    /// One JSON object.
    pub fn json(&self) -> Value {
        let (stats, trades) = (&self.news.stats, self.trades());
        let (first, last) = (self.news.first.unwrap_or_default(), self.news.last.unwrap_or_default());
        let auction = self.news.auction.auction.unwrap_or_default();
        let prices = self.prices();
        let mut report = json!({
            "vault": self.vault,
            "assets": self.assets,
            "seconds": last.at.since(first.at) as f64 / 1e9,
            "phase": last.phase.name(),
            "expiry_s": auction.expiry_s,
            "strikes": strikes(&auction).map(|strike| strike.to_string()).collect::<Vec<_>>(),
            "budget": auction.budget.to_string(),
            "units": trades.units().to_f64(),
            "lots": trades.lots,
            "fills": trades.fills,
            "average_price": prices.map(|(price, _)| price.to_f64()),
            "average_mark": prices.map(|(_, mark)| mark.to_f64()),
            "premium": trades.premium.to_f64(),
            "fees": trades.fees.to_f64(),
            "held": self.held().iter().map(|(name, amount)| (name.clone(), json!(amount.to_f64()))).collect::<serde_json::Map<_, _>>(),
            "base": last.base.to_string(),
            "cash": last.cash.to_string(),
            "interest": last.interest.to_string(),
            "value": last.value.to_string(),
            "orders": { "writes": stats.writes, "replaces": stats.replaces, "cancels": stats.cancels },
            "rfq": { "asked": stats.asks, "executions": stats.executions },
            "concerns": self.concerns().into_iter().map(|(name, count)| (name, json!(count))).collect::<serde_json::Map<_, _>>(),
            "history": self.news.auction.demands.iter().map(|(at, demand)| look(auction.started_at, *at, demand)).collect::<Vec<_>>(),
        });
        measured::add_safety(&mut report, &self.checks, stats, &last);
        report["violations"] = json!(self.violations());
        measured::add_measurements(&mut report, self.ends, Reaction::Auction);
        report
    }

    /// A page for people.
    pub fn text(&self) -> String {
        let mut page = String::new();
        // Writing to a String cannot fail.
        let _ = self.write_text(&mut page);
        page
    }

    fn write_text(&self, out: &mut String) -> std::fmt::Result {
        let (first, last) = (self.news.first.unwrap_or_default(), self.news.last.unwrap_or_default());
        let seconds = last.at.since(first.at) as f64 / 1e9;
        let [base, currency] = self.assets;
        let what = match self.product {
            Product::CoveredCall => "sells calls",
            Product::ShortCallSpread => "sells call spreads",
            Product::ShortPutSpread => "sells put spreads",
            Product::LongCallSpread => "buys call spreads",
        };
        writeln!(out, "{}: {what} on {currency} against {base}, {seconds:.1} s", self.vault)?;
        writeln!(out)?;
        self.write_auction(out)?;
        self.write_account(out, &last)?;
        measured::write_safety(out, &self.checks, &self.news.stats, &last, &self.violations())?;
        let concerns = self.concerns();
        if !concerns.is_empty() {
            let named = concerns.iter().map(|(name, count)| format!("{name} ({count}×)"));
            writeln!(out, "  LOOK AT                    {}", joined(named, ", "))?;
        }
        self.write_demands(out)?;
        measured::write_latency(out, self.ends, Reaction::Auction)
    }

    fn write_auction(&self, out: &mut String) -> std::fmt::Result {
        let week = &self.news.auction;
        if let Some(now) = &week.milestone {
            writeln!(out, "  phase      {} since {}", now.phase.name(), utc(now.started_at.secs()))?;
        }
        let Some(auction) = &week.auction else {
            return writeln!(out, "  auction    none began");
        };
        writeln!(out, "  auction    began {}", utc(auction.started_at.secs()))?;
        let chosen = joined(strikes(auction).map(|strike| strike.to_string()), " / ");
        writeln!(out, "  options    strikes {chosen}, expiry {}", utc(auction.expiry_s))?;
        if auction.budget.is_positive() {
            let spent = -self.trades().premium + self.trades().fees;
            let (spent, budget) = (spent.to_f64(), auction.budget.to_f64());
            writeln!(out, "  budget     {budget:.2} USDC of accrued yield, {spent:.2} spent, fees included")?;
        }
        let trades = self.trades();
        let (verb, premium) = if self.buys() { ("bought", "paid") } else { ("sold", "received") };
        let lots = if self.product.is_spread() { "lots" } else { "orders" };
        let (units, count, fills) = (trades.units(), trades.lots, trades.fills);
        writeln!(out, "  {verb:<9}  {units} units in {count} {lots}, {fills} fills{}", self.left())?;
        if let Some((price, mark)) = self.prices() {
            let share = 100.0 * price.to_f64() / mark.to_f64();
            let (price, mark) = (price.to_f64(), mark.to_f64());
            writeln!(
                out,
                "  price      {price:.4} a unit on average, {share:.1} % of its mark of {mark:.4}{}",
                self.net_price()
            )?;
        }
        let (gross, fees) = (trades.premium.to_f64(), trades.fees.to_f64());
        writeln!(out, "  premium    {:.2} USDC {premium}, {fees:.2} in fees, {:+.2} net", gross.abs(), gross - fees)
    }

    /// The price after fees, which is what a quote is judged by; the fee of a resting order is known beforehand.
    fn net_price(&self) -> String {
        let trades = self.trades();
        let net = if self.buys() { trades.fees - trades.premium } else { trades.premium - trades.fees };
        per_unit(net, trades.units()).map_or_else(String::new, |net| format!("; {:.4} after fees", net.to_f64()))
    }

    /// What is still to be traded, while an auction runs.
    fn left(&self) -> String {
        let running = self.news.last.is_some_and(|last| last.phase == Phase::OptionAuction);
        match self.news.auction.demand.filter(|_| running) {
            Some((_, demand)) if demand.remaining.is_positive() && self.buys() => {
                format!(", budget for {:.1} more", demand.remaining.to_f64())
            }
            Some((_, demand)) if demand.remaining.is_positive() => format!(", {} still offered", demand.remaining),
            _ => String::new(),
        }
    }

    fn write_account(&self, out: &mut String, last: &Sample) -> std::fmt::Result {
        let (stats, [base, _]) = (&self.news.stats, self.assets);
        let held = self.held().into_iter().map(|(name, amount)| format!("{:+} {name}", amount.to_f64()));
        let held = joined(held, ", ");
        writeln!(out, "  held       {}", if held.is_empty() { "no options" } else { &held })?;
        writeln!(out, "  account    {} {base}, {:.2} USDC", last.base, last.cash.to_f64())?;
        if self.product.is_spread() {
            return writeln!(out, "  RFQs       {} asked, {} quotes executed", stats.asks, stats.executions);
        }
        let (writes, replaces, cancels) = (stats.writes, stats.replaces, stats.cancels);
        writeln!(out, "  orders     {writes} new, {replaces} replaced, {cancels} cancelled")
    }

    /// The auction as it went: what was demanded against what it was worth and what was bid.
    fn write_demands(&self, out: &mut String) -> std::fmt::Result {
        let week = &self.news.auction;
        let Some(auction) = week.auction.filter(|_| !week.demands.is_empty()) else { return Ok(()) };
        writeln!(out)?;
        let best = if self.product.is_spread() {
            writeln!(out, "  a unit in USDC; limit and quotes after fees")?;
            "best quote"
        } else {
            writeln!(out, "  a unit in USDC")?;
            "best bid"
        };
        writeln!(out, "   auction        limit         mark   {best:>10}      to trade")?;
        let stride = week.demands.len().div_ceil(ROWS).max(1);
        for (at, demand) in week.demands.iter().step_by(stride) {
            let best = demand.best.map_or_else(|| "-".to_owned(), |best| format!("{:.4}", best.to_f64()));
            writeln!(
                out,
                "  {:>6.1} s   {:>10.4}   {:>10.4}   {best:>10}   {:>11.3}",
                at.since(auction.started_at) as f64 / SEC as f64,
                demand.limit.to_f64(),
                demand.mark.to_f64(),
                demand.remaining.to_f64()
            )?;
        }
        Ok(())
    }
}

fn look(started: Nanos, at: Nanos, demand: &Demand) -> Value {
    json!({
        "t": at.since(started) as f64 / 1e9,
        "limit": demand.limit.to_f64(),
        "mark": demand.mark.to_f64(),
        "best": demand.best.map(|best| best.to_f64()),
        "remaining": demand.remaining.to_string(),
    })
}
