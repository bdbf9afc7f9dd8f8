//! What was found, as a table and as JSON.

use super::{Circumstances, Kind, Measured};
use hdrhistogram::Histogram;
use keel::engine::latency::{Percentiles, percentiles};
use serde_json::{Map, Value, json};

fn us(ns: u64) -> f64 {
    ns as f64 / 1e3
}

fn label(kind: Kind) -> &'static str {
    match kind {
        Kind::Echo => "echo floor, same sockets",
        Kind::Engine => "engine, book in → replace out",
        Kind::Conventional => "conventional (tokio, serde_json, k256)",
    }
}

fn find(results: &[Measured], kind: Kind) -> Option<&Measured> {
    results.iter().find(|measured| measured.kind == kind)
}

fn line(name: &str, p: &Percentiles) {
    println!("{name:<40}{:>10.1}{:>10.1}{:>10.1}{:>10.1}", us(p.p50), us(p.p99), us(p.p999), us(p.max));
}

/// Prints the tables.
pub fn print(results: &[Measured], around: &Circumstances) {
    println!("\nfrom the scheduled send of a frame to the arrival of its answer, µs, {} frames/s", around.rate_hz);
    println!("{:<40}{:>10}{:>10}{:>10}{:>10}", "", "p50", "p99", "p99.9", "max");
    for measured in results {
        line(label(measured.kind), &percentiles(&measured.waits));
    }
    if let Some(minus) = engine_minus_echo(results) {
        println!("{:<40}{:>10.1}{:>10.1}{:>10.1}", "engine − echo", minus[0], minus[1], minus[2]);
    }
    println!("\n{:<40}{:>10}{:>10}{:>10}  medians of the rounds, µs", "", "frames", "overtaken", "missed");
    for m in results {
        let medians: Vec<String> = m.medians.iter().map(|ns| format!("{:.1}", us(*ns))).collect();
        println!("{:<40}{:>10}{:>10}{:>10}  {}", label(m.kind), m.sent, m.overtaken, m.missed, medians.join("  "));
    }
    if let Some(engine) = find(results, Kind::Engine) {
        println!("\ninside the engine, as it measures itself, µs");
        println!("{:<40}{:>10}{:>10}{:>10}{:>10}", "", "p50", "p99", "p99.9", "max");
        engine.stages.iter().for_each(|(name, row)| line(name, row));
    }
    let late = percentiles(&around.lateness);
    println!(
        "\nthe load itself sent late by p50 {:.1}, p99 {:.1}, max {:.1} µs (charged above)",
        us(late.p50),
        us(late.p99),
        us(late.max)
    );
    let proved: u64 = results.iter().map(|measured| measured.proved).sum();
    println!(
        "{proved} of the orders received had their signatures recovered to the session key; {} cores online",
        around.cores
    );
}

/// Differences of percentiles, µs.
fn engine_minus_echo(results: &[Measured]) -> Option<[f64; 3]> {
    let at = |kind: Kind, quantile: f64| Some(us(find(results, kind)?.waits.value_at_quantile(quantile)));
    let minus = |quantile: f64| Some(at(Kind::Engine, quantile)? - at(Kind::Echo, quantile)?);
    Some([minus(0.5)?, minus(0.99)?, minus(0.999)?])
}

fn row(p: &Percentiles) -> Value {
    json!({ "count": p.count, "p50": p.p50, "p99": p.p99, "p999": p.p999, "max": p.max })
}

fn of(histogram: &Histogram<u64>) -> Value {
    row(&percentiles(histogram))
}

/// The same as one JSON object; times in nanoseconds unless named otherwise.
pub fn json(results: &[Measured], around: &Circumstances) -> Value {
    let subjects: Map<String, Value> = results
        .iter()
        .map(|m| {
            let body = json!({
                "latency_ns": of(&m.waits), "round_p50_ns": m.medians, "frames": m.sent,
                "overtaken": m.overtaken, "missed": m.missed, "signatures_proved": m.proved,
            });
            (m.kind.name().to_owned(), body)
        })
        .collect();
    let stages = find(results, Kind::Engine)
        .map(|engine| engine.stages.iter().map(|(name, p)| (name.clone(), row(p))).collect::<Map<String, Value>>());
    let minus = engine_minus_echo(results).map(|[p50, p99, p999]| json!({ "p50": p50, "p99": p99, "p999": p999 }));
    json!({
        "rate_hz": around.rate_hz, "cores": around.cores, "load_lateness_ns": of(&around.lateness),
        "subjects": subjects, "engine_minus_echo_us": minus, "engine_stages_ns": stages,
    })
}
