//! `keel demo`: the embedded exchange, its crowd and the engine in one command, over real sockets with real signatures.

mod books;
mod contract;
mod week;

use super::run::{finish, print_reports};
use super::status::Status;
use super::{Failure, session};
use crate::base::time::{Nanos, SEC};
use crate::config::{Config, Online, VaultKind};
use crate::engine::ports::Clock;
use crate::exchange::world::{self, Live, Options, WorldSettings};
use crate::exchange::{AccountSeed, Network, Settings, developer_accounts};
use crate::io::clock::LiveClock;
use crate::msg::Phase;
use crate::ops::news::News;
use clap::ValueEnum;
use std::ops::ControlFlow;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::Duration;

/// The auction begins this long after the engine starts: listings, tickers and makers need a moment.
const AUCTION_LEAD_NS: u64 = 7 * SEC;
/// How long an auction that is over stays in view.
const AFTERWARDS: Duration = Duration::from_secs(2);

/// Options of `keel demo`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Length of the run; unless given, 60 for basis vaults, and for option vaults 90 or until the auction is over.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(5..=86_400))]
    seconds: Option<u64>,
    /// Seeds prices and crowd.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Which vault to run.
    #[arg(long, value_enum, default_value_t = Vault::WeethBasis)]
    vault: Vault,
    /// Which protocol venue and engine speak; on v2 the vault's contract signs every order or execution of a quote, or
    /// approves every fill of a basis vault, on a local chain.
    #[arg(long, value_enum, default_value_t = Spoken::V3)]
    dialect: Spoken,
    /// Local Ethereum node for v2; the one tools/evm/install puts below the build folder unless given.
    #[arg(long, value_name = "FILE")]
    anvil: Option<PathBuf>,
    /// Print the report as one JSON object.
    #[arg(long)]
    json: bool,
    /// Folder of the journal; without it one is made and removed again.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

/// A generation of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Spoken {
    /// An off-chain sequencer's word is final.
    V3,
    /// Fills settle on a chain, where the vault's contract signs.
    V2,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Vault {
    /// Long weETH, short ETH-PERP.
    WeethBasis,
    /// Long LBTC, short BTC-PERP.
    LbtcBasis,
    /// Sells calls on weETH by limit order.
    Harvest,
    /// Sells call spreads on weETH by RFQ.
    SafeHarvest,
    /// Sells put spreads on LBTC by RFQ.
    Maxi,
    /// Buys call spreads with the yield of sUSDe by RFQ.
    Bull,
}

/// What differs between the demo's vaults.
struct Stage {
    config: &'static str,
    collateral: &'static str,
    amount: &'static str,
    /// Length unless the operator chooses one.
    seconds: u64,
}

impl Vault {
    fn stage(self) -> Stage {
        let basis = |config, collateral, amount| Stage { config, collateral, amount, seconds: 60 };
        let options = |config, collateral, amount| Stage { config, collateral, amount, seconds: 90 };
        match self {
            Vault::WeethBasis => basis(include_str!("demo/weeth.toml"), "WEETH", "100"),
            Vault::LbtcBasis => basis(include_str!("demo/lbtc.toml"), "LBTC", "5"),
            Vault::Harvest => options(include_str!("demo/harvest.toml"), "WEETH", "100"),
            Vault::SafeHarvest => options(include_str!("demo/safe-harvest.toml"), "WEETH", "100"),
            Vault::Maxi => options(include_str!("demo/maxi.toml"), "LBTC", "10"),
            Vault::Bull => options(include_str!("demo/bull.toml"), "SUSDE", "1000000"),
        }
    }

    /// Its contract on v2, and its configuration there.
    fn contract(self) -> (contract::Kind, &'static str) {
        match self {
            Vault::Harvest => (contract::Kind::Before, include_str!("demo/harvest-v2.toml")),
            Vault::WeethBasis => (contract::Kind::Atomic(contract::WEETH), include_str!("demo/weeth-v2.toml")),
            Vault::LbtcBasis => (contract::Kind::Atomic(contract::LBTC), include_str!("demo/lbtc-v2.toml")),
            Vault::SafeHarvest => {
                (contract::Kind::Package(contract::SAFE_HARVEST), include_str!("demo/safe-harvest-v2.toml"))
            }
            Vault::Maxi => (contract::Kind::Package(contract::MAXI), include_str!("demo/maxi-v2.toml")),
            Vault::Bull => (contract::Kind::Package(contract::BULL), include_str!("demo/bull-v2.toml")),
        }
    }

    /// The market it trades in.
    fn world(self, seed: u64, seconds: u64) -> WorldSettings {
        match self {
            Vault::WeethBasis | Vault::LbtcBasis => WorldSettings::demo(seed, seconds),
            Vault::Harvest | Vault::SafeHarvest | Vault::Maxi | Vault::Bull => WorldSettings::option_demo(seed),
        }
    }
}

/// A folder that vanishes with its owner. It is removed by a thread that was there before: the engine's own may not touch
/// the signer's files any more.
struct Scratch {
    path: PathBuf,
    remover: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Scratch {
    fn new() -> std::io::Result<Scratch> {
        let path = std::env::temp_dir().join(format!("keel-demo-{}", std::process::id()));
        std::fs::DirBuilder::new().mode(0o700).create(&path)?;
        let (owner, gone) = std::sync::mpsc::channel::<()>();
        let folder = path.clone();
        let remover = std::thread::spawn(move || {
            let _ = gone.recv();
            // Best effort: what stays behind holds a public developer key and a journal of make-believe orders.
            let _ = std::fs::remove_dir_all(folder);
        });
        Ok(Scratch { path, remover: Some((owner, remover)) })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Some((owner, remover)) = self.remover.take() {
            drop(owner);
            let _ = remover.join();
        }
    }
}

/// Runs the demo.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let mut stage = args.vault.stage();
    let speaks_v2 = args.dialect == Spoken::V2;
    let kind = speaks_v2.then(|| args.vault.contract());
    if let Some((_, config)) = kind {
        stage.config = config;
    }
    let refused = |what: &str, why: &dyn std::fmt::Display| Failure::Refused(format!("{what}: {why}"));
    let scratch = Scratch::new().map_err(|why| refused("cannot make a folder for the demo", &why))?;
    let mut account = vault_account(args.seed, &stage)?;
    let base = stage.amount.parse().unwrap_or_default();
    let set_up = |(kind, _)| contract::Stage::set_up(args.anvil.clone(), &mut account, (kind, base));
    let chain = kind.map(set_up).transpose()?;
    let key_file = scratch.path.join("session.key");
    write_key(&key_file, &account.session_key_hex).map_err(|why| refused("cannot write the session key", &why))?;

    let network = if speaks_v2 { Network::V2Mainnet } else { Network::Local };
    let settings = Settings { network, seed: args.seed, accounts: vec![account.clone()], ..Settings::default() };
    let seconds = args.seconds.unwrap_or(stage.seconds);
    let mut options = Options::on_free_ports(settings, args.vault.world(args.seed, seconds));
    options.authority = chain.as_ref().map(contract::Stage::authority).transpose()?.flatten();
    // The exchange keeps off the engine's core where there is more than one.
    options.core = (Online::here().count() > 1).then_some(0);
    let live = world::spawn(options).map_err(|why| refused("cannot start the embedded exchange", &why))?;

    let text = fill_in(stage.config, &live, &account, &key_file);
    let text = chain.as_ref().map_or(text.clone(), |chain| chain.fill_in(&text));
    let mut config =
        Config::parse(&text, "demo.toml", &Online::here()).map_err(|why| Failure::Refused(why.to_string()))?;
    let auctions_from = LiveClock::new().now().plus(AUCTION_LEAD_NS);
    let due = bring_forward(&mut config, auctions_from);
    let spoken = if speaks_v2 { "v2" } else { "v3" };
    eprintln!("embedded Derive {spoken} at {}, vault {}{due}", live.exchange_ws_url(), config.vaults[0].name);
    let mut status = Status::new(&config);
    let mut patience = Patience { asked_for: args.seconds.is_some(), over_since: None };
    let journal = args.state.clone().unwrap_or_else(|| scratch.path.join("journal"));
    let names: Vec<String> = config.vaults.iter().map(|vault| vault.name.clone()).collect();
    let terms = session::Terms {
        names: &names,
        state_dir: &journal,
        auctions_from: Some(auctions_from),
        seconds: Some(seconds),
        watch: &mut |news, elapsed| {
            status.show(news, elapsed);
            patience.look(news, elapsed)
        },
    };
    let outcome = session::run(&config, terms)?;
    status.end();
    let mut findings = books::differences(&live, account.subaccount, &outcome, &config.vaults[0]);
    if let Some(chain) = &chain {
        findings.extend(chain.unapproved(&live, account.subaccount, outcome.contract.as_ref()));
    }
    let violations = print_reports(&config, &outcome, args.json, &findings);
    live.exchange.join();
    finish(&outcome, violations)
}

/// Lets the option auction begin now instead of on its weekday, and says so; a basis vault has none.
pub(super) fn bring_forward(config: &mut Config, start: Nanos) -> String {
    let mut said = String::new();
    for vault in &mut config.vaults {
        if let VaultKind::Options(options) = &mut vault.kind {
            let life_s = week::begin_at(options, start);
            let (days, hours) = (life_s / 86_400, life_s % 86_400 / 3_600);
            said = format!(", its auction moved here from its weekday: options of {days} days and {hours} hours");
        }
    }
    said
}

/// Ends a demo whose auction is over, unless its length was asked for.
struct Patience {
    asked_for: bool,
    over_since: Option<Duration>,
}

impl Patience {
    fn look(&mut self, news: &News, elapsed: Duration) -> ControlFlow<()> {
        let waits = |phase| phase == Phase::AwaitSettlement;
        let over = news.vault(0).and_then(|vault| vault.last).is_some_and(|last| waits(last.phase));
        if !over || self.asked_for {
            return ControlFlow::Continue(());
        }
        let since = *self.over_since.get_or_insert(elapsed);
        if elapsed < since + AFTERWARDS { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
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
