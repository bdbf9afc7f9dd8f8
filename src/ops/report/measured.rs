//! What every report says alike, whatever the vault trades: refusals, the venue's answers, invariants, latencies.

use crate::actors::risk::{Alarm, Sample, Stats};
use crate::engine::latency::Percentiles;
use crate::ops::engine::Ends;
use crate::ops::news::VaultNews;
use crate::risk::checks::CHECK_COUNT;
use serde_json::{Map, Value, json};
use std::fmt::Write;

/// What the latencies of orders set off by a private frame are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reaction {
    /// A fill and its hedge.
    Hedge,
    /// A fill, a snapshot or a quote, and the next step of an auction.
    Auction,
}

/// Broken invariants that do not depend on what is traded, in words.
pub(super) fn broken(news: &VaultNews, ends: &Ends) -> Vec<String> {
    let mut found = Vec::new();
    for (_, alarm) in &news.alarms {
        if let Alarm::Invariant { row } = alarm {
            let name = Alarm::INVARIANTS.get(usize::from(*row)).unwrap_or(&"unnamed");
            found.push(format!("invariant broken: {name}"));
        }
    }
    if news.stats.mismatched > 0 {
        found.push(format!("the ledger differed from the venue {} times (M8)", news.stats.mismatched));
    }
    if !ends.died.is_empty() {
        found.push(format!("{} pipeline threads died: {}", ends.died.len(), ends.died.join(", ")));
    }
    found
}

/// Adds refusals by check and by the venue, reconciliation and the message budget.
pub(super) fn add_safety(report: &mut Value, rows: &[&'static str; CHECK_COUNT], stats: &Stats, last: &Sample) {
    let refused: Map<String, Value> =
        rows.iter().zip(stats.refused).map(|(name, count)| ((*name).to_owned(), json!(count))).collect();
    report["refused"] = refused.into();
    let reverts: Map<String, Value> =
        stats.reverts.iter().map(|(name, count)| (name.to_owned(), json!(count))).collect();
    report["mandate_reverts"] = reverts.into();
    report["venue_refused"] = json!(stats.venue_refused);
    report["venue_last_code"] = json!(stats.venue_code);
    report["rate_limited"] = json!(stats.rate_limited);
    report["unknown"] = json!(stats.unknown);
    report["reconciled"] = json!(stats.reconciled);
    report["mismatched"] = json!(stats.mismatched);
    report["withheld"] = json!(stats.withheld);
    report["rate_budget"] = json!({ "used_pct": last.budget_pct, "peak_pct": stats.budget_peak_pct });
}

/// Adds latencies and frame counts.
pub(super) fn add_measurements(report: &mut Value, ends: &Ends, reaction: Reaction) {
    if let Some(gateway) = &ends.gateway {
        let private = match reaction {
            Reaction::Hedge => "latency_fill_to_hedge_ns",
            Reaction::Auction => "latency_private_ns",
        };
        report["latency_ns"] = spans(gateway.latency.market());
        report[private] = spans(gateway.latency.private());
        report["latency_cancel_ns"] = percentiles(&gateway.latency.cancels());
    }
    if let Some(market) = &ends.market_data {
        report["frames"] = json!({
            "venue": market.counts.venue_frames,
            "external": market.counts.external_frames,
            "malformed": market.counts.malformed,
            "conflated": market.conflated,
        });
    }
}

/// Writes refusals, the venue's answers and whether the invariants held.
pub(super) fn write_safety(
    out: &mut String,
    rows: &[&'static str; CHECK_COUNT],
    stats: &Stats,
    last: &Sample,
    violations: &[String],
) -> std::fmt::Result {
    let refused: Vec<String> = rows
        .iter()
        .zip(stats.refused)
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    let refused = if refused.is_empty() { "none".to_owned() } else { refused.join(", ") };
    writeln!(out)?;
    writeln!(out, "  wishes refused by check    {refused}")?;
    let reverts: Vec<String> = stats.reverts.iter().map(|(name, count)| format!("{name} {count}")).collect();
    if !reverts.is_empty() {
        writeln!(out, "  the mandate would revert   {}", reverts.join(", "))?;
    }
    writeln!(
        out,
        "  venue                      {} refused (last code {}), {} rate-limited, {} of unknown fate",
        stats.venue_refused, stats.venue_code, stats.rate_limited, stats.unknown
    )?;
    writeln!(out, "  reconciliation             {} snapshots agreed, {} differed", stats.reconciled, stats.mismatched)?;
    writeln!(
        out,
        "  message budget             {} % in use at last, {} % at most",
        last.budget_pct, stats.budget_peak_pct
    )?;
    if violations.is_empty() {
        return writeln!(out, "  invariants                 all held");
    }
    writeln!(out, "  INVARIANTS BROKEN")?;
    violations.iter().try_for_each(|violation| writeln!(out, "    {violation}"))
}

/// Writes the latency table.
pub(super) fn write_latency(out: &mut String, ends: &Ends, reaction: Reaction) -> std::fmt::Result {
    let Some(gateway) = &ends.gateway else { return Ok(()) };
    writeln!(out)?;
    writeln!(out, "  latency in µs                      count      p50      p99    p99.9      max")?;
    write_spans(out, "market frame → order frame", &gateway.latency.market())?;
    let private = match reaction {
        Reaction::Hedge => "fill frame → hedge frame",
        Reaction::Auction => "private frame → order frame",
    };
    write_spans(out, private, &gateway.latency.private())?;
    write_row(out, "market frame → cancel frame", &gateway.latency.cancels())
}

fn write_spans(out: &mut String, title: &str, spans: &[(&'static str, Percentiles)]) -> std::fmt::Result {
    let Some((_, total)) = spans.last() else { return Ok(()) };
    write_row(out, title, total)?;
    if total.count == 0 {
        return Ok(());
    }
    for (name, span) in spans[..spans.len() - 1].iter().filter(|(_, span)| span.count > 0) {
        write_row(out, &format!("  {name}"), span)?;
    }
    Ok(())
}

fn write_row(out: &mut String, name: &str, p: &Percentiles) -> std::fmt::Result {
    let us = |ns: u64| format!("{:>8.1}", ns as f64 / 1_000.0);
    writeln!(out, "    {name:<30}{:>8} {} {} {} {}", p.count, us(p.p50), us(p.p99), us(p.p999), us(p.max))
}

fn percentiles(p: &Percentiles) -> Value {
    json!({ "count": p.count, "p50": p.p50, "p99": p.p99, "p999": p.p999, "max": p.max })
}

fn spans(spans: Vec<(&'static str, Percentiles)>) -> Value {
    spans.iter().map(|(name, p)| ((*name).to_owned(), percentiles(p))).collect::<Map<_, _>>().into()
}
