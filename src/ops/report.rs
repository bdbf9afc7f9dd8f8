//! The report of a run, once for people and once for programs.

mod auction;
mod measured;

pub use auction::{AuctionReport, strikes};

use crate::actors::risk::Sample;
use crate::base::num::{Cash, Ratio};
use crate::ops::engine::Ends;
use crate::ops::news::VaultNews;
use crate::risk::checks::{CHECK_COUNT, CHECKS};
use measured::Reaction;
use serde_json::{Value, json};
use std::fmt::Write;

/// Furthest delta may be from one right after a hedge.
pub const HEDGED_DELTA_TOLERANCE: Ratio = Ratio::from_bps(100);

/// What a report is made of.
pub struct Report<'a> {
    /// Vault's name.
    pub vault: &'a str,
    /// Names of base and perp.
    pub instruments: [&'a str; 2],
    /// Leverage wanted while carry is good.
    pub target_leverage: Ratio,
    /// What happened.
    pub news: &'a VaultNews,
    /// What the pipeline measured.
    pub ends: &'a Ends,
    /// Broken invariants found by others, in words.
    pub findings: &'a [String],
}

/// Value change by reason, in quote currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pnl {
    /// Value at the end less value at the start.
    pub total: Cash,
    /// What simply holding the first TVL in base would have made.
    pub holding: Cash,
    /// Fees paid.
    pub fees: Cash,
    /// Funding received.
    pub funding: Cash,
    /// Interest received.
    pub interest: Cash,
    /// What is left: spread, hedging and marks.
    pub trading: Cash,
}

impl Pnl {
    /// Between two looks.
    pub fn between(first: &Sample, last: &Sample) -> Pnl {
        let total = last.value - first.value;
        let holding = (last.mark - first.mark).times(first.tvl);
        let fees = last.fees - first.fees;
        let funding = last.funding - first.funding;
        let interest = last.interest - first.interest;
        let trading = total - holding + fees - funding - interest;
        Pnl { total, holding, fees, funding, interest, trading }
    }
}

impl Report<'_> {
    /// Broken invariants, in words; empty on a clean run.
    pub fn violations(&self) -> Vec<String> {
        let mut found: Vec<String> = self.findings.to_vec();
        if let Some(hedged) = self.news.hedged {
            let off = (hedged.min - Ratio::ONE).abs().max((hedged.max - Ratio::ONE).abs());
            if off > HEDGED_DELTA_TOLERANCE {
                found.push(format!("delta was {off} away from 1 right after a hedge, at most 0.01 is allowed"));
            }
        }
        found.extend(measured::broken(self.news, self.ends));
        found
    }

    fn pnl(&self) -> Option<Pnl> {
        Some(Pnl::between(self.news.first.as_ref()?, self.news.last.as_ref()?))
    }

    /// One JSON object.
    pub fn json(&self) -> Value {
        let news = self.news;
        let stats = &news.stats;
        let (first, last) = (news.first.unwrap_or_default(), news.last.unwrap_or_default());
        let pnl = self.pnl().unwrap_or_default();
        let history: Vec<Value> = news.history.iter().map(|sample| look(sample, first.at.0)).collect();
        let mut report = json!({
            "vault": self.vault,
            "instruments": self.instruments,
            "seconds": last.at.since(first.at) as f64 / 1e9,
            "quotes": stats.quotes,
            "replaces": stats.replaces,
            "cancels": stats.cancels,
            "hedges": stats.hedges,
            "fills": stats.fills,
            "fills_base": news.fills.base,
            "fills_perp": news.fills.perp,
            "amount_base": stats.base_filled.to_string(),
            "amount_perp": stats.perp_filled.to_string(),
            "delta": {
                "last": number(last.delta),
                "after_hedge_min": news.hedged.map(|h| number(h.min)),
                "after_hedge_max": news.hedged.map(|h| number(h.max)),
                "after_hedge_count": news.hedged.map_or(0, |h| h.count),
            },
            "leverage": {
                "first": number(first.leverage),
                "peak": number(news.leverage_peak),
                "target": number(self.target_leverage),
                "last": number(last.leverage),
            },
            "carry": { "first": number(first.carry), "last": number(last.carry) },
            "pnl": {
                "currency": "USDC",
                "total": pnl.total.to_string(),
                "holding": pnl.holding.to_string(),
                "trading": pnl.trading.to_string(),
                "fees": (-pnl.fees).to_string(),
                "funding": pnl.funding.to_string(),
                "interest": pnl.interest.to_string(),
                "tvl_base_first": first.tvl.to_string(),
                "tvl_base_last": last.tvl.to_string(),
            },
            "history": history,
        });
        measured::add_safety(&mut report, &rows(), stats, &last);
        report["violations"] = json!(self.violations());
        measured::add_measurements(&mut report, self.ends, Reaction::Hedge);
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
        let news = self.news;
        let stats = &news.stats;
        let (first, last) = (news.first.unwrap_or_default(), news.last.unwrap_or_default());
        let [base, perp] = self.instruments;
        let seconds = last.at.since(first.at) as f64 / 1e9;
        writeln!(out, "{} on {base}, hedged with {perp}, {seconds:.1} s", self.vault)?;
        writeln!(out)?;
        writeln!(
            out,
            "  orders    {} quotes, {} replaces, {} cancels, {} hedges",
            stats.quotes, stats.replaces, stats.cancels, stats.hedges
        )?;
        writeln!(
            out,
            "  fills     {} of the base ({} {base}), {} of the perp ({} {perp}), {} as maker",
            news.fills.base, stats.base_filled, news.fills.perp, stats.perp_filled, news.fills.maker
        )?;
        writeln!(
            out,
            "  leverage  {:.4} at first, {:.4} at most (target {}), {:.4} at last",
            first.leverage.to_f64(),
            news.leverage_peak.to_f64(),
            self.target_leverage,
            last.leverage.to_f64()
        )?;
        if let Some(hedged) = news.hedged {
            writeln!(
                out,
                "  delta     {:.5} at last; right after {} hedges between {:.5} and {:.5}",
                last.delta.to_f64(),
                hedged.count,
                hedged.min.to_f64(),
                hedged.max.to_f64()
            )?;
        }
        writeln!(
            out,
            "  carry     {:+.2} % a year at first, {:+.2} % at last",
            first.carry.to_f64() * 100.0,
            last.carry.to_f64() * 100.0
        )?;
        self.write_pnl(out, &first, &last)?;
        measured::write_safety(out, &rows(), stats, &last, &self.violations())?;
        self.write_history(out, first.at.0)?;
        measured::write_latency(out, self.ends, Reaction::Hedge)
    }

    fn write_pnl(&self, out: &mut String, first: &Sample, last: &Sample) -> std::fmt::Result {
        let pnl = Pnl::between(first, last);
        let row = |cash: Cash| format!("{:>+14.4}", cash.to_f64());
        writeln!(out)?;
        writeln!(out, "  P&L in USDC")?;
        writeln!(
            out,
            "    holding the base  {}   what {:.3} base did by itself",
            row(pnl.holding),
            first.tvl.to_f64()
        )?;
        writeln!(out, "    trading           {}   spread, hedging, marks", row(pnl.trading))?;
        writeln!(out, "    fees              {}", row(-pnl.fees))?;
        writeln!(out, "    funding           {}", row(pnl.funding))?;
        writeln!(out, "    interest          {}", row(pnl.interest))?;
        writeln!(
            out,
            "    total             {}   TVL {:.4} → {:.4} base",
            row(pnl.total),
            first.tvl.to_f64(),
            last.tvl.to_f64()
        )
    }

    fn write_history(&self, out: &mut String, start: u64) -> std::fmt::Result {
        const ROWS: usize = 12;
        let history = &self.news.history;
        writeln!(out)?;
        writeln!(out, "      time   leverage     delta   carry %/y         perp   live orders   guards")?;
        let stride = history.len().div_ceil(ROWS).max(1);
        for sample in history.iter().step_by(stride) {
            writeln!(
                out,
                "  {:>6.1} s   {:>8.4}   {:>7.5}   {:>+9.2}   {:>10.3}   {:>11}   {}",
                sample.at.0.saturating_sub(start) as f64 / 1e9,
                sample.leverage.to_f64(),
                sample.delta.to_f64(),
                sample.carry.to_f64() * 100.0,
                sample.perp.to_f64(),
                sample.live,
                guards(sample)
            )?;
        }
        Ok(())
    }
}

/// Names of the checks a wish of a basis vault passes.
fn rows() -> [&'static str; CHECK_COUNT] {
    CHECKS.each_ref().map(|check| check.name)
}

fn guards(sample: &Sample) -> String {
    let names = crate::msg::Guards::NAMES.iter().enumerate();
    let set: Vec<&str> = names.filter(|(bit, _)| sample.guards.0 & (1 << bit) != 0).map(|(_, name)| *name).collect();
    if set.is_empty() { "-".to_owned() } else { set.join(",") }
}

fn number(ratio: Ratio) -> Value {
    json!(ratio.to_f64())
}

fn look(sample: &Sample, start: u64) -> Value {
    json!({
        "t": sample.at.0.saturating_sub(start) as f64 / 1e9,
        "leverage": number(sample.leverage),
        "delta": number(sample.delta),
        "carry": number(sample.carry),
        "base": sample.base.to_string(),
        "perp": sample.perp.to_string(),
        "value": sample.value.to_string(),
        "live": sample.live,
    })
}
