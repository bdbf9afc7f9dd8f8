//! `keel sim`: whole weeks of an option vault in virtual time, on the terminal, as JSON and as a page.

use super::Failure;
use crate::exchange::world::weeks::Shape;
use crate::sim::record::{Record, Stage};
use crate::sim::weeks::{Terms, Vault};
use crate::sim::{page, table, text};
use clap::ValueEnum;
use clap::builder::PossibleValue;
use std::fmt::Display;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Options of `keel sim`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which vault to simulate.
    #[arg(long, value_enum)]
    vault: Vault,
    /// How many weeks.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=520))]
    weeks: u32,
    /// Seeds prices and crowd.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Shape of the price path.
    #[arg(long, value_enum, default_value_t = Shape::Wild)]
    market: Shape,
    /// Print the whole result as one JSON object; stages go to standard error.
    #[arg(long)]
    json: bool,
    /// Write a page with plots, over what is there.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

impl ValueEnum for Vault {
    fn value_variants<'a>() -> &'a [Vault] {
        &Vault::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let about = match self {
            Vault::Harvest => "Sells covered calls",
            Vault::SafeHarvest => "Sells call spreads",
            Vault::Maxi => "Sells put spreads",
            Vault::Bull => "Buys call spreads with earned yield",
        };
        Some(PossibleValue::new(self.name()).help(about))
    }
}

impl ValueEnum for Shape {
    fn value_variants<'a>() -> &'a [Shape] {
        &Shape::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

/// Simulates with `drive`, which reports each stage as it is entered, and prints what came of it.
pub fn run<Why: Display>(
    args: &Args,
    drive: impl FnOnce(&Terms, &mut dyn FnMut(&Stage)) -> Result<Record, Why>,
) -> Result<(), Failure> {
    let terms = Terms { vault: args.vault, weeks: args.weeks, seed: args.seed, market: args.market };
    let page = args.report.as_deref().map(Page::open).transpose()?;
    // Whoever closed our output early is told after the run, when the page is safe.
    let mut shown = Ok(());
    let outcome = drive(&terms, &mut |stage| {
        let line = text::stage(stage);
        if args.json {
            eprintln!("{line}");
        } else if shown.is_ok() {
            shown = writeln!(std::io::stdout(), "{line}");
        }
    });
    let record = outcome.map_err(|why| Failure::Broken(format!("the simulation stopped: {why}")))?;
    if let Some(page) = page {
        page.write(&page::html(&record, &terms))?;
    }
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let printed = shown.and_then(|()| print(&mut out, &record, args.json));
    printed.map_err(|why| Failure::Refused(format!("cannot print the result: {why}")))?;
    match record.violations.len() {
        0 => Ok(()),
        count => Err(Failure::Broken(format!("{} broke, see the report", table::counted(count, "invariant")))),
    }
}

/// One JSON object with the record's fields in their order, or the tables.
fn print(out: &mut dyn Write, record: &Record, json: bool) -> std::io::Result<()> {
    if json {
        serde_json::to_writer(&mut *out, record)?;
        writeln!(out)?;
    } else {
        write!(out, "\n{}", text::report(record))?;
    }
    out.flush()
}

/// Where the page goes: proven writable before the simulation, and not left behind empty if there is nothing to write.
struct Page<'a> {
    path: &'a Path,
    ours: bool,
}

impl<'a> Page<'a> {
    fn open(path: &'a Path) -> Result<Page<'a>, Failure> {
        let ours = !path.exists();
        let opened = std::fs::OpenOptions::new().write(true).create(true).truncate(false).open(path);
        opened.map_err(|why| refused(path, &why))?;
        Ok(Page { path, ours })
    }

    fn write(mut self, text: &str) -> Result<(), Failure> {
        self.ours = false;
        std::fs::write(self.path, text).map_err(|why| refused(self.path, &why))
    }
}

impl Drop for Page<'_> {
    fn drop(&mut self) {
        if self.ours {
            // Best effort: an empty file is no harm.
            let _ = std::fs::remove_file(self.path);
        }
    }
}

fn refused(path: &Path, why: &std::io::Error) -> Failure {
    Failure::Refused(format!("--report {}: {why}; name a file in a folder that can be written to", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Command, FromArgMatches};

    fn parse(words: &[&str]) -> Result<Args, clap::Error> {
        let command = <Args as clap::Args>::augment_args(Command::new("sim").no_binary_name(true));
        command.try_get_matches_from(words).and_then(|found| Args::from_arg_matches(&found))
    }

    fn went(terms: &Terms, violations: &[&str]) -> Result<Record, String> {
        let violations = violations.iter().map(|&words| words.to_owned()).collect();
        Ok(Record { vault: terms.vault.name().to_owned(), violations, ..Record::default() })
    }

    #[test]
    fn defaults_are_a_quarter_of_a_wild_market() {
        let args = parse(&["--vault", "bull"]).expect("enough");
        let Args { vault, weeks, seed, market, json, report } = args;
        assert_eq!((vault, weeks, seed, market, json, report), (Vault::Bull, 12, 7, Shape::Wild, false, None));
        for vault in Vault::ALL {
            assert_eq!(parse(&["--vault", vault.name()]).expect("known").vault, vault);
        }
        for market in Shape::ALL {
            assert_eq!(parse(&["--vault", "maxi", "--market", market.name()]).expect("known").market, market);
        }
    }

    #[test]
    fn wrong_options_name_what_is_allowed() {
        for (words, expected) in [
            (&["--vault", "hodl"][..], "[possible values: harvest, safe-harvest, maxi, bull]"),
            (&[], "--vault <VAULT>"),
            (&["--vault", "maxi", "--weeks", "0"], "0 is not in 1..=520"),
            (&["--vault", "maxi", "--weeks", "521"], "521 is not in 1..=520"),
            (&["--vault", "maxi", "--market", "up"], "[possible values: wild, rising, falling, flat, gapping]"),
            (&["--vault", "maxi", "--seed", "-1"], "'-1'"),
        ] {
            let why = parse(words).expect_err("refused").to_string();
            assert!(why.contains(expected), "{words:?}: {why}");
        }
    }

    #[test]
    fn a_broken_invariant_is_a_broken_run_and_the_page_is_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("page.html");
        let args = parse(&["--vault", "harvest", "--json", "--report", path.to_str().expect("utf-8")]).expect("fine");
        let end = run(&args, |terms, _| went(terms, &["shorts exceed collateral"]));
        assert!(matches!(&end, Err(Failure::Broken(words)) if words.contains("1 invariant broke")), "{end:?}");
        let page = std::fs::read_to_string(&path).expect("written");
        assert!(page.contains("shorts exceed collateral") && page.ends_with("</html>\n"));
        // A second page goes over the first.
        assert!(run(&args, |terms, _| went(terms, &[])).is_ok());
        assert!(!std::fs::read_to_string(&path).expect("written").contains("shorts exceed collateral"));
    }

    #[test]
    fn json_is_one_line_with_exact_amounts_in_a_stable_order() {
        let deposited = "100.0000000000000001".parse().expect("a number");
        let record = Record { vault: "maxi".to_owned(), deposited, digest: "ab".to_owned(), ..Record::default() };
        let mut out = Vec::new();
        print(&mut out, &record, true).expect("memory takes everything");
        let expected = concat!(
            r#"{"vault":"maxi","market":"","seed":0,"collateral":"","currency":"","start_s":0,"end_s":0,"#,
            r#""deposited":"100.0000000000000001","weeks":[],"stages":[],"prices":[],"values":[],"auctions":[],"#,
            r#""violations":[],"concerns":[],"refused":{},"digest":"ab"}"#,
            "\n"
        );
        assert_eq!(String::from_utf8(out).expect("utf-8"), expected);
    }

    #[test]
    fn an_unwritable_page_is_refused_before_the_run() {
        let args = parse(&["--vault", "harvest", "--report", "/dev/null/out.html"]).expect("fine");
        let end = run(&args, |_, _| -> Result<Record, String> { panic!("must not run") });
        assert!(matches!(&end, Err(Failure::Refused(words)) if words.contains("/dev/null/out.html")), "{end:?}");
    }

    #[test]
    fn a_run_that_stops_leaves_no_empty_page() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("page.html");
        let args = parse(&["--vault", "harvest", "--report", path.to_str().expect("utf-8")]).expect("fine");
        let end = run(&args, |_, _| Err("the exchange died"));
        assert!(matches!(&end, Err(Failure::Broken(words)) if words.contains("the exchange died")), "{end:?}");
        assert!(!path.exists());
    }
}
