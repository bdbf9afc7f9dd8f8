//! `keel run`: the vaults of a configuration on a real venue.

use super::status::Status;
use super::{Failure, session};
use crate::chain::keeper::standing::Standing;
use crate::chain::service::Tally;
use crate::config::{BasisVault, Config, OptionVaultConfig, VaultConfig, VaultKind};
use crate::msg::Breach;
use crate::ops::news::VaultNews;
use crate::ops::report::{AuctionReport, Report};
use crate::risk::checks::row_names;
use crate::risk::limits::Mandate;
use serde_json::json;
use std::ops::ControlFlow;
use std::path::PathBuf;

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
    let names: Vec<String> = config.vaults.iter().map(|vault| vault.name.clone()).collect();
    let terms = session::Terms {
        names: &names,
        state_dir: &state_dir,
        auctions_from: None,
        seconds: args.seconds,
        watch: &mut |news, elapsed| {
            status.show(news, elapsed);
            ControlFlow::Continue(())
        },
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
        let told = Told { vault, news, outcome, findings };
        let (broken, object, page) = match &vault.kind {
            VaultKind::Basis(basis) => {
                let report = told.of_basis(basis);
                (report.violations(), report.json(), report.text())
            }
            VaultKind::Options(options) => {
                let report = told.of_auctions(options);
                (report.violations(), report.json(), report.text())
            }
        };
        violations += broken.len();
        if json {
            println!("{object}");
        } else {
            println!("{page}");
        }
        if let Some(keeper) = &news.keeper {
            print_keeper(keeper, json);
        }
    }
    if let Some(contract) = &outcome.contract {
        print_contract(contract, json);
    }
    if let Some(trouble) = &outcome.troubles.last {
        let troubles = &outcome.troubles;
        let (ratio, rate, listings) = (troubles.ratio, troubles.rate, troubles.listings);
        eprintln!("keel: {ratio} ratio, {rate} rate and {listings} listing reads failed, the last: {trouble}");
    }
    violations
}

/// What the keeper of a vault's shares did, in figures.
fn print_keeper(keeper: &Standing, json: bool) {
    let Standing { price, deposits, payments, fees, left_out, gas_used, paid_wei, restarts, alarms, .. } = keeper;
    if json {
        println!(
            "{}",
            json!({ "keeper": {
                "share_price_e18": price.map(|(price, _)| price.to_string()), "deposits": deposits, "payments": payments,
                "fees": fees, "left_out": left_out, "gas_used": gas_used, "paid_wei": paid_wei.to_string(),
                "restarts": restarts, "alarms": alarms.len(),
            }})
        );
        return;
    }
    println!("shares       {keeper}");
    println!("             {gas_used} gas for {paid_wei} wei, {left_out} deposits left out, {restarts} restarts");
    if let Some(last) = alarms.last() {
        println!("             {} alarms, the last: {last}", alarms.len());
    }
}

/// What the contract did, in figures.
fn print_contract(tally: &Tally, json: bool) {
    let Tally { asked, made, refused, revoked, refreshed, not_refreshed, gas_used, paid_wei, restarts, .. } = tally;
    let waited = tally.waited_p50();
    if json {
        println!(
            "{}",
            json!({ "contract": {
                "asked": asked, "made": made, "refused": refused, "revoked": revoked, "feed_refreshed": refreshed,
                "feed_not_refreshed": not_refreshed, "gas_used": gas_used,
                "paid_wei": paid_wei.to_string(), "waited_blocks_p50": waited, "restarts": restarts,
            }})
        );
        return;
    }
    let waited = waited.map_or_else(|| "no".to_owned(), |blocks| blocks.to_string());
    println!("contract     {asked} signatures asked for, {made} made, {refused} refused, {revoked} revoked");
    println!("             {gas_used} gas for {paid_wei} wei, {waited} blocks waited (p50), {restarts} restarts");
    if refreshed + not_refreshed > 0 {
        println!("             the feed was brought a newer price {refreshed} times, and not {not_refreshed} times");
    }
    if let Some(last) = &tally.last {
        println!("             last: {last}");
    }
}

/// What the reports on one vault are made of.
struct Told<'r> {
    vault: &'r VaultConfig,
    news: &'r VaultNews,
    outcome: &'r session::Outcome,
    findings: &'r [String],
}

impl<'r> Told<'r> {
    fn of_basis(&self, basis: &'r BasisVault) -> Report<'r> {
        let Told { vault, news, outcome, findings } = *self;
        Report {
            vault: &vault.name,
            instruments: [&vault.base_instrument, &basis.perp_instrument],
            target_leverage: basis.params.target_leverage,
            news,
            ends: &outcome.ends,
            findings,
        }
    }

    fn of_auctions(&self, options: &'r OptionVaultConfig) -> AuctionReport<'r> {
        let Told { vault, news, outcome, findings } = *self;
        AuctionReport {
            vault: &vault.name,
            product: options.params.product,
            assets: [&vault.base_currency, &options.option_currency],
            checks: row_names(&Mandate::Options(options.limits)),
            options: &outcome.options,
            news,
            ends: &outcome.ends,
            findings,
        }
    }
}

/// The verdict on a finished run.
pub(super) fn finish(outcome: &session::Outcome, violations: usize) -> Result<(), Failure> {
    if violations > 0 {
        return Err(Failure::Broken(format!("{violations} invariants broke, see the report")));
    }
    if let Some(why) = outcome.news.signer_down() {
        let cause = match why {
            Breach::Stopped => "an operator stopped the signer".to_owned(),
            Breach::Lost => "the signer's process died".to_owned(),
            why => format!("the signer stopped itself ({why:?})"),
        };
        return Err(Failure::Unsafe(format!("{cause}: nothing was hedged after it, look at the positions")));
    }
    if !outcome.flat {
        return Err(Failure::Unsafe(
            "not every order and RFQ was seen to be gone within 5 s: look at the venue before starting again"
                .to_owned(),
        ));
    }
    Ok(())
}
