//! `keel demo`: the embedded exchange, its crowd and the engine in one command, over real sockets with real signatures.

use super::run::{Status, finish, print_reports};
use super::{Failure, session};
use crate::base::num::{Amount, Cash};
use crate::config::{Config, Online};
use crate::exchange::world::{self, Live, Options, WorldSettings};
use crate::exchange::{AccountSeed, Settings, SubaccountReport, developer_accounts};
use crate::ops::news::VaultNews;
use clap::ValueEnum;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Options of `keel demo`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Length of the run.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(5..=86_400))]
    seconds: u64,
    /// Seeds prices and crowd.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Which vault to run.
    #[arg(long, value_enum, default_value_t = Vault::WeethBasis)]
    vault: Vault,
    /// Print the report as one JSON object.
    #[arg(long)]
    json: bool,
    /// Folder of the journal; without it one is made and removed again.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Vault {
    /// Long weETH, short ETH-PERP.
    WeethBasis,
    /// Long LBTC, short BTC-PERP.
    LbtcBasis,
}

/// What differs between the demo's vaults.
struct Stage {
    config: &'static str,
    collateral: &'static str,
    amount: &'static str,
}

impl Vault {
    fn stage(self) -> Stage {
        match self {
            Vault::WeethBasis => Stage { config: include_str!("demo/weeth.toml"), collateral: "WEETH", amount: "100" },
            Vault::LbtcBasis => Stage { config: include_str!("demo/lbtc.toml"), collateral: "LBTC", amount: "5" },
        }
    }
}

/// A folder that vanishes with its owner.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> std::io::Result<Scratch> {
        let path = std::env::temp_dir().join(format!("keel-demo-{}", std::process::id()));
        std::fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Scratch(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Best effort: what stays behind holds a public developer key and a journal of make-believe orders.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs the demo.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let stage = args.vault.stage();
    let refused = |what: &str, why: &dyn std::fmt::Display| Failure::Refused(format!("{what}: {why}"));
    let scratch = Scratch::new().map_err(|why| refused("cannot make a folder for the demo", &why))?;
    let account = vault_account(args.seed, &stage)?;
    let key_file = scratch.0.join("session.key");
    write_key(&key_file, &account.session_key_hex).map_err(|why| refused("cannot write the session key", &why))?;

    let settings = Settings { seed: args.seed, accounts: vec![account.clone()], ..Settings::default() };
    let mut options = Options::on_free_ports(settings, WorldSettings::demo(args.seed, args.seconds));
    // The exchange keeps off the engine's core where there is more than one.
    options.core = (Online::here().count() > 1).then_some(0);
    let live = world::spawn(options).map_err(|why| refused("cannot start the embedded exchange", &why))?;

    let text = fill_in(stage.config, &live, &account, &key_file);
    let config = Config::parse(&text, "demo.toml", &Online::here()).map_err(|why| Failure::Refused(why.to_string()))?;
    eprintln!("embedded Derive v3 at {}, vault {}", live.exchange_ws_url(), config.vaults[0].name);
    let mut status = Status::new(&config);
    let journal = args.state.clone().unwrap_or_else(|| scratch.0.join("journal"));
    let terms = session::Terms {
        state_dir: &journal,
        seconds: Some(args.seconds),
        watch: &mut |news, elapsed| status.show(news, elapsed),
    };
    let outcome = session::run(&config, terms)?;
    status.end();
    let books = live.exchange.with(move |exchange, _, _| exchange.subaccount_report(account.subaccount)).flatten();
    let findings = match (books, outcome.news.vault(0)) {
        (Some(books), Some(news)) => differences(&books, news, &config),
        _ => vec!["the exchange could not be asked for its own books".to_owned()],
    };
    let violations = print_reports(&config, &outcome, args.json, &findings);
    live.exchange.join();
    finish(&outcome, violations)
}

/// The demo's vault: nothing but base collateral, as after the first deposits.
fn vault_account(seed: u64, stage: &Stage) -> Result<AccountSeed, Failure> {
    let mut account = developer_accounts(seed, 1).remove(0);
    let amount = stage.amount.parse().map_err(|why| Failure::Refused(format!("demo balance: {why}")))?;
    account.balances = vec![(stage.collateral.to_owned(), amount)];
    Ok(account)
}

fn write_key(path: &Path, hex: &str) -> std::io::Result<()> {
    use std::io::Write;
    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(hex.as_bytes())
}

/// Puts this run's addresses into the demo's configuration.
fn fill_in(template: &str, live: &Live, account: &AccountSeed, key_file: &Path) -> String {
    let book = live.binance_ws_url();
    let values = [
        ("@WS@", live.exchange_ws_url()),
        ("@REST@", live.exchange_http_url()),
        ("@BOOK@", book.trim_end_matches("/ws").to_owned()),
        ("@RPC@", live.chainlink_http_url()),
        ("@OWNER@", account.wallet.to_string()),
        ("@SUBACCOUNT@", account.subaccount.to_string()),
        ("@KEY@", key_file.display().to_string()),
    ];
    values.iter().fold(template.to_owned(), |text, (name, value)| text.replace(name, value))
}

/// Compares the engine's ledger with the exchange's own books, which know nothing of each other.
fn differences(books: &SubaccountReport, news: &VaultNews, config: &Config) -> Vec<String> {
    let Some(last) = news.last else { return vec!["the engine never saw its account".to_owned()] };
    let vault = &config.vaults[0];
    let read = |number: Option<&rust_decimal::Decimal>| {
        number.and_then(|n| Amount::observed(n.to_string().as_bytes()).ok()).unwrap_or_default()
    };
    let base = read(books.balances.get(&vault.base_currency));
    let perp = vault.basis().and_then(|basis| books.positions.get(&basis.perp_instrument));
    let perp = read(perp.map(|position| &position.amount));
    let fees = Cash::observed(books.fees_paid.to_string().as_bytes()).unwrap_or_default();
    let mut found = Vec::new();
    if base != last.base {
        found.push(format!("the exchange holds {base} of the base for us, our ledger says {}", last.base));
    }
    if perp != last.perp {
        found.push(format!("the exchange holds a perp position of {perp}, our ledger says {}", last.perp));
    }
    if fees != last.fees {
        found.push(format!("the exchange charged {fees} in fees, our ledger says {}", last.fees));
    }
    if books.open_orders > 0 {
        found.push(format!("{} orders still rest at the exchange", books.open_orders));
    }
    found
}
