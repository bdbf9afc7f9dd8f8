//! A simulated run for people at a terminal: a line per phase while it runs, tables and verdict when it is over.

use super::record::{Record, Stage};
use super::table::{self, Table};
use std::fmt::Write;

/// Concerns printed before the rest is counted.
const CONCERNS_MAX: usize = 40;

/// One line: time in UTC, phase, what there is to say of it.
pub fn stage(stage: &Stage) -> String {
    format!("{}  {:<17} {}", table::clock(stage.at_ms), stage.phase, stage.what).trim_end().to_owned()
}

/// Everything but the stages: heading, table of weeks, concerns, violations, digest.
pub fn report(record: &Record) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write_report(&mut out, record);
    out
}

fn write_report(out: &mut String, record: &Record) -> std::fmt::Result {
    writeln!(
        out,
        "{} on {} {}, options on {}, {} of a {} market, seed {}, {} to {}",
        record.vault,
        record.deposited.normalize(),
        record.collateral,
        record.currency,
        table::counted(record.weeks.len(), "week"),
        record.market,
        record.seed,
        table::day(record.start_s),
        table::day(record.end_s)
    )?;
    writeln!(out)?;
    write_table(out, &Table::of(record))?;
    write_concerns(out, record)?;
    writeln!(out)?;
    if !record.refused.is_empty() {
        let rows: Vec<String> = record.refused.iter().map(|(check, count)| format!("{check} {count}")).collect();
        writeln!(out, "  refused     {}", rows.join(", "))?;
    }
    if record.violations.is_empty() {
        writeln!(out, "  invariants  all held")?;
    } else {
        writeln!(out, "  INVARIANTS BROKEN")?;
        record.violations.iter().try_for_each(|violation| writeln!(out, "    {violation}"))?;
    }
    writeln!(out, "  digest      {}", record.digest)
}

fn write_table(out: &mut String, table: &Table) -> std::fmt::Result {
    let widths = table.widths();
    let line = |cells: &[String]| {
        let cells = cells.iter().zip(&widths).map(|(cell, &wide)| format!("{cell:>wide$}"));
        format!("  {}", cells.collect::<Vec<_>>().join("  "))
    };
    let names: Vec<String> = table.names.iter().map(|name| (*name).to_owned()).collect();
    let heading = line(&names);
    writeln!(out, "{heading}")?;
    table.rows.iter().try_for_each(|row| writeln!(out, "{}", line(row).trim_end()))?;
    writeln!(out, "  {}", "-".repeat(heading.chars().count().saturating_sub(2)))?;
    writeln!(out, "{}", line(&table.totals).trim_end())?;
    writeln!(out)?;
    table::KEY.iter().try_for_each(|line| writeln!(out, "  {line}"))
}

fn write_concerns(out: &mut String, record: &Record) -> std::fmt::Result {
    if record.concerns.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    writeln!(out, "  concerns")?;
    for concern in record.concerns.iter().take(CONCERNS_MAX) {
        writeln!(out, "    {}  {}", table::clock(concern.at_ms), concern.what)?;
    }
    match record.concerns.len().saturating_sub(CONCERNS_MAX) {
        0 => Ok(()),
        more => writeln!(out, "    and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::world::weeks::Shape;
    use crate::sim::record::{Concern, Week};
    use crate::sim::sample::{any_record, record};
    use crate::sim::weeks::{Terms, Vault};
    use proptest::prelude::*;
    use rust_decimal::Decimal;

    fn small() -> Record {
        let number = |text: &str| text.parse::<Decimal>().expect("a number");
        let week = Week {
            week: 1,
            expiry_s: 1_796_976_000,
            strikes: vec![number("3250"), number("3450")],
            delta: number("0.1042"),
            ratio: number("0.12715"),
            units: number("100"),
            lots: 5,
            average_price: number("25.417"),
            average_mark: number("26.03"),
            premium: number("2541.7"),
            fees: number("41.25"),
            settlement: number("3310.5"),
            payoff: number("-6050"),
            collateral_traded: number("-1.0123"),
            cash_left: number("0.004"),
            value: number("98.9877"),
            over_holding: number("-0.010123"),
            ..Week::default()
        };
        let concern = Concern { at_ms: 1_796_373_000_000, what: "no quotes for a lot in two minutes".to_owned() };
        Record {
            vault: "safe-harvest".to_owned(),
            market: "wild".to_owned(),
            seed: 7,
            collateral: "WEETH".to_owned(),
            currency: "ETH".to_owned(),
            start_s: 1_796_371_200,
            end_s: 1_796_980_000,
            deposited: number("100.00"),
            weeks: vec![week],
            concerns: vec![concern],
            digest: "5f0c6d2e".to_owned(),
            ..Record::default()
        }
    }

    #[test]
    fn a_small_run_reads_like_this() {
        let expected = "\
safe-harvest on 100 WEETH, options on ETH, 1 week of a wild market, seed 7, 2026-12-04 to 2026-12-11

  week      expiry    strikes  delta   ratio  lots   units  price   mark  premium   fees  settled    payoff   bought  cash    value  over %
     1  2026-12-11  3250/3450  0.104  0.1272     5  100.00  25.42  26.03  2541.70  41.25  3310.50  -6050.00  -1.0123  0.00  98.9877  -1.012
  -----------------------------------------------------------------------------------------------------------------------------------------
     1       total                               5  100.00                2541.70  41.25           -6050.00  -1.0123  0.00  98.9877  -1.012

  price and mark: average per unit, received positive, paid negative; premium, fees, payoff and cash in USDC
  bought: collateral bought (negative: sold); value: vault in its own asset; over %: over holding the deposit

  concerns
    2026-12-04 08:30:00  no quotes for a lot in two minutes

  invariants  all held
  digest      5f0c6d2e
";
        assert_eq!(report(&small()), expected);
    }

    #[test]
    fn stages_take_one_line() {
        let at_ms = 1_796_371_200_123;
        let words = |phase: &str, what: &str| stage(&Stage { at_ms, phase: phase.to_owned(), what: what.to_owned() });
        assert_eq!(
            words("option-auction", "3250/3450, 100 units"),
            "2026-12-04 08:00:00  option-auction    3250/3450, 100 units"
        );
        assert_eq!(words("halt", ""), "2026-12-04 08:00:00  halt");
    }

    #[test]
    fn violations_are_shouted_and_many_concerns_counted() {
        let mut broken = small();
        broken.refused = [("sized", 12), ("in_cash", 3)].into();
        broken.violations = vec!["shorts exceed collateral".to_owned()];
        broken.concerns = vec![broken.concerns[0].clone(); 43];
        let report = report(&broken);
        assert!(report.contains("  INVARIANTS BROKEN\n    shorts exceed collateral\n"), "{report}");
        assert!(report.contains("  refused     in_cash 3, sized 12\n"), "{report}");
        assert!(report.contains("    and 3 more\n") && !report.contains("all held"), "{report}");
    }

    #[test]
    fn ordinary_runs_fit_160_columns() {
        for vault in Vault::ALL {
            let report = report(&record(&Terms { vault, weeks: 52, seed: 3, market: Shape::Gapping }));
            let widest =
                report.lines().filter(|line| !line.contains("price and mark")).map(|line| line.chars().count()).max();
            assert!(widest <= Some(160), "{widest:?}");
        }
    }

    proptest! {
        #[test]
        fn any_record_has_a_report(record in any_record()) {
            prop_assert!(report(&record).contains(&record.digest));
            prop_assert!(record.stages.iter().all(|s| stage(s).len() > 10));
        }
    }
}
