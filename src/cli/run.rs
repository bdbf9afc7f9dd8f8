//! `keel run`: the vaults of a configuration on a real venue.

use super::{Failure, session};
use crate::config::Config;
use crate::ops::news::News;
use crate::ops::report::Report;
use std::path::PathBuf;
use std::time::Duration;

/// Options of `keel run`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Configuration file (TOML); `keel check` explains it.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Folder of the journal; overrides `state.dir`.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Stop after this many seconds; without it, run until SIGINT or SIGTERM.
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
    /// Print the report as one JSON object per vault.
    #[arg(long)]
    json: bool,
}

/// Runs until told to stop.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let config = Config::load(&args.config).map_err(|why| Failure::Refused(why.to_string()))?;
    config.warnings().iter().for_each(|warning| eprintln!("keel: warning: {warning}"));
    let state_dir = args.state.clone().or_else(|| config.state_dir.clone()).ok_or_else(|| {
        Failure::Refused(
            "a journal is needed so that nonces never repeat: set state.dir or give --state DIR".to_owned(),
        )
    })?;
    let mut status = Status::new(&config);
    let terms = session::Terms {
        state_dir: &state_dir,
        seconds: args.seconds,
        watch: &mut |news, elapsed| status.show(news, elapsed),
    };
    let outcome = session::run(&config, terms)?;
    status.end();
    let violations = print_reports(&config, &outcome, args.json, &[]);
    finish(&outcome, violations)
}

/// Prints one report per vault; returns how many invariants broke.
pub(super) fn print_reports(config: &Config, outcome: &session::Outcome, json: bool, findings: &[String]) -> usize {
    let mut violations = 0;
    for (vault, news) in config.vaults.iter().zip(outcome.news.vaults()) {
        // Other vaults have no such report; the session refuses them before it starts.
        let Some(basis) = vault.basis() else { continue };
        let report = Report {
            vault: &vault.name,
            instruments: [&vault.base_instrument, &basis.perp_instrument],
            target_leverage: basis.params.target_leverage,
            news,
            ends: &outcome.ends,
            findings,
        };
        violations += report.violations().len();
        if json {
            println!("{}", report.json());
        } else {
            println!("{}", report.text());
        }
    }
    if let Some(trouble) = &outcome.troubles.last {
        let troubles = &outcome.troubles;
        eprintln!("keel: {} ratio and {} rate reads failed, the last: {trouble}", troubles.ratio, troubles.rate);
    }
    violations
}

/// The verdict on a finished run.
pub(super) fn finish(outcome: &session::Outcome, violations: usize) -> Result<(), Failure> {
    if violations > 0 {
        return Err(Failure::Broken(format!("{violations} invariants broke, see the report")));
    }
    if !outcome.flat {
        return Err(Failure::Unsafe(
            "not every order was seen to be gone within 5 s: look at the venue before starting again".to_owned(),
        ));
    }
    Ok(())
}

/// The one-line status, renewed in place on a terminal, a line every five seconds elsewhere.
pub(super) struct Status {
    names: Vec<String>,
    terminal: bool,
    shown: Duration,
}

impl Status {
    pub(super) fn new(config: &Config) -> Status {
        let names = config.vaults.iter().map(|vault| vault.name.clone()).collect();
        Status { names, terminal: std::io::IsTerminal::is_terminal(&std::io::stderr()), shown: Duration::ZERO }
    }

    /// Shows the newest look at each vault.
    pub(super) fn show(&mut self, news: &News, elapsed: Duration) {
        let due = if self.terminal { Duration::from_millis(200) } else { Duration::from_secs(5) };
        if elapsed < self.shown + due {
            return;
        }
        self.shown = elapsed;
        let vaults = self.names.iter().zip(news.vaults()).filter_map(|(name, vault)| {
            let last = vault.last?;
            Some(format!(
                "{name} {:?} lev {:.3} Δ {:.4} perp {:.2} carry {:+.1} % fills {} hedges {} live {} TVL {:.3}",
                last.mode,
                last.leverage.to_f64(),
                last.delta.to_f64(),
                last.perp.to_f64(),
                last.carry.to_f64() * 100.0,
                vault.stats.fills,
                vault.stats.hedges,
                last.live,
                last.tvl.to_f64(),
            ))
        });
        let line = format!("{:>5.0} s  {}", elapsed.as_secs_f64(), vaults.collect::<Vec<_>>().join("  |  "));
        if self.terminal {
            eprint!("\r\x1b[2K{line}");
        } else {
            eprintln!("{line}");
        }
    }

    /// Leaves the status line.
    pub(super) fn end(&self) {
        if self.terminal {
            eprintln!();
        }
    }
}
