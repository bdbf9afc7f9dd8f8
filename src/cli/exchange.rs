//! `keel exchange`: the embedded Derive exchange on loopback, v3 or v2, for any Derive client.

use super::{Failure, session};
use crate::exchange::world::{self, Options, WorldSettings};
use crate::exchange::{
    AccountSeed, Dialect, Network, Owner, Settings, Tier, developer_accounts, modules, verifying_contract,
};
use alloy_primitives::Address;
use clap::ValueEnum;
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Options of `keel exchange`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Address to listen on; port 0 picks a free one.
    #[arg(long, default_value = "127.0.0.1:9000", value_name = "ADDR")]
    listen: SocketAddr,
    /// Generation of the protocol: v2 settles on a chain, here after two seconds and without one.
    #[arg(long, value_enum, default_value_t = DialectArg::V3)]
    dialect: DialectArg,
    /// Whose EIP-712 domain signatures are verified against, so that an unmodified client's signatures hold.
    /// On v2 local is Derive Chain's own, 957.
    #[arg(long, value_enum, default_value_t = NetworkArg::Local)]
    network: NetworkArg,
    /// Seeds accounts, prices, crowd and ids: the same seed gives the same keys and the same market.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Number of developer accounts.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=64))]
    accounts: u8,
    /// Serve these accounts instead: a JSON list of {wallet, session_key_address, subaccount_id, balances: {"USDC": "1000"}}
    /// and optionally label, scopes, session_expiry_s, rfq_maker, contract (the wallet is one that signs, v2), atomic.
    #[arg(long, value_name = "FILE", conflicts_with = "accounts")]
    accounts_file: Option<PathBuf>,
    /// Also write the accounts to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    accounts_json: Option<PathBuf>,
    /// Request budgets of the accounts.
    #[arg(long, value_enum, default_value_t = TierArg::MarketMaker)]
    tier: TierArg,
    /// What the market does: steady without a lean, waves in which carry turns good and bad every half minute, or weeks of
    /// options that buyers come for within seconds.
    #[arg(long, value_enum, default_value_t = MarketArg::Steady)]
    market: MarketArg,
    /// Address of the external book's feed (Binance bookTicker).
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDR")]
    book_listen: SocketAddr,
    /// Address of the Ethereum JSON-RPC endpoint with the ratio feeds.
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDR")]
    rpc_listen: SocketAddr,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum DialectArg {
    V3,
    V2,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum NetworkArg {
    Mainnet,
    Testnet,
    Local,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum MarketArg {
    Steady,
    Waves,
    Options,
}

/// Length of a wave.
const WAVE_S: u64 = 30;

#[derive(Clone, Copy, Debug, ValueEnum)]
enum TierArg {
    Trader,
    MarketMaker,
}

/// Serves until told to stop.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    for address in [args.listen, args.book_listen, args.rpc_listen] {
        if !address.ip().is_loopback() {
            return Err(Failure::Refused(format!(
                "{address} is not a loopback address: this exchange's keys are public, it must not be reachable"
            )));
        }
    }
    let stop = session::stop_flag()?;
    let accounts = match &args.accounts_file {
        Some(path) => read_accounts(path)?,
        None => developer_accounts(args.seed, usize::from(args.accounts)),
    };
    let settings = Settings {
        network: match (args.dialect, args.network) {
            (DialectArg::V3, NetworkArg::Mainnet) => Network::Mainnet,
            (DialectArg::V3, NetworkArg::Testnet) => Network::Testnet,
            (DialectArg::V3, NetworkArg::Local) => Network::Local,
            (DialectArg::V2, NetworkArg::Mainnet | NetworkArg::Local) => Network::V2Mainnet,
            (DialectArg::V2, NetworkArg::Testnet) => Network::V2Testnet,
        },
        seed: args.seed,
        accounts: accounts.clone(),
        tier: match args.tier {
            TierArg::Trader => Tier::Trader,
            TierArg::MarketMaker => Tier::MarketMaker,
        },
        ..Settings::default()
    };
    if let Some(path) = &args.accounts_json {
        write_accounts(path, &accounts)?;
    }
    let network = settings.network;
    let live = world::spawn(Options {
        listen: args.listen,
        binance_listen: args.book_listen,
        chainlink_listen: args.rpc_listen,
        settings,
        world: match args.market {
            MarketArg::Steady => WorldSettings::steady(args.seed),
            MarketArg::Waves => WorldSettings::waves(args.seed, WAVE_S),
            MarketArg::Options => WorldSettings::option_demo(args.seed),
        },
        authority: None,
        core: None,
    })
    .map_err(|why| Failure::Refused(format!("cannot listen: {why}")))?;
    print_accounts(&accounts, args.accounts_file.is_none());
    print_domain(network);
    println!("  WebSocket      {}", live.exchange_ws_url());
    println!("  HTTP           {}/{{public|private}}/{{method}}", live.exchange_http_url());
    println!("Beside it");
    println!("  external book  {}/ethusdc@bookTicker", live.binance_ws_url());
    println!("  ratio feeds    {}", live.chainlink_http_url());
    println!("Ready. Ctrl-C stops it.");
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(50));
    }
    live.exchange.join();
    Ok(())
}

/// What a client must sign for.
fn print_domain(network: Network) {
    let generation = if network.dialect() == Dialect::V2 { "v2" } else { "v3" };
    println!("Derive {generation} ({network:?} domain)");
    println!("  chain id       {}", network.chain_id());
    println!("  Matching       {}", verifying_contract(network));
    println!("  trade module   {}", modules(network).trade);
    println!("  RFQ module     {}", modules(network).rfq);
}

/// Developer keys are derived from a public number and guard nothing; they are shown as local chain nodes do. Keys of
/// accounts from a file are not ours to know.
fn print_accounts(accounts: &[AccountSeed], developer: bool) {
    if developer {
        println!("Developer accounts (these keys are public, never use them elsewhere)");
    } else {
        println!("Accounts");
    }
    for account in accounts {
        println!("  subaccount {:<5} wallet {}", account.subaccount, account.wallet);
        if developer {
            println!("    owner key    {}", account.owner_key_hex);
        }
        println!("    session key  {} {}", account.session_key, account.session_key_hex);
        let balances: Vec<String> =
            account.balances.iter().map(|(asset, amount)| format!("{amount} {asset}")).collect();
        println!("    holds        {}; key scopes {}", balances.join(", "), account.scopes.join(", "));
    }
}

/// One account of `--accounts-file`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountRow {
    wallet: Address,
    session_key_address: Address,
    subaccount_id: u64,
    balances: BTreeMap<String, Decimal>,
    #[serde(default)]
    label: String,
    #[serde(default = "trade_all")]
    scopes: Vec<String>,
    /// 2100-01-01 unless given.
    #[serde(default = "far_future")]
    session_expiry_s: u64,
    #[serde(default)]
    rfq_maker: bool,
    /// The wallet is a contract that signs for itself (v2).
    #[serde(default)]
    contract: bool,
    /// Its orders may be approved inside their settlement (v2).
    #[serde(default)]
    atomic: bool,
}

fn trade_all() -> Vec<String> {
    vec!["trade:all".to_owned()]
}

fn far_future() -> u64 {
    4_102_444_800
}

fn read_accounts(path: &Path) -> Result<Vec<AccountSeed>, Failure> {
    /// Assets the embedded exchange knows.
    const ASSETS: [&str; 5] = ["USDC", "ETH", "BTC", "WEETH", "LBTC"];
    let refused = |why: String| Failure::Refused(format!("{}: {why}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|why| refused(why.to_string()))?;
    let rows: Vec<AccountRow> = serde_json::from_str(&text).map_err(|why| refused(why.to_string()))?;
    for (place, row) in rows.iter().enumerate() {
        if let Some(asset) = row.balances.keys().find(|asset| !ASSETS.contains(&asset.as_str())) {
            return Err(refused(format!("account {place}: {asset} is not an asset here; allowed: {ASSETS:?}")));
        }
        if rows[..place].iter().any(|other| other.subaccount_id == row.subaccount_id) {
            return Err(refused(format!("account {place}: subaccount_id {} comes twice", row.subaccount_id)));
        }
    }
    let seed = |row: AccountRow| AccountSeed {
        wallet: row.wallet,
        owner: if row.contract { Owner::Contract { atomic: row.atomic } } else { Owner::Key },
        owner_key_hex: String::new(),
        session_key: row.session_key_address,
        session_key_hex: String::new(),
        session_expiry_s: row.session_expiry_s,
        scopes: row.scopes,
        subaccount: row.subaccount_id,
        label: row.label,
        balances: row.balances.into_iter().collect(),
        tier: None,
        rfq_maker: row.rfq_maker,
    };
    Ok(rows.into_iter().map(seed).collect())
}

fn write_accounts(path: &Path, accounts: &[AccountSeed]) -> Result<(), Failure> {
    let rows: Vec<_> = accounts
        .iter()
        .map(|account| {
            json!({
                "wallet": account.wallet.to_string(),
                "owner_private_key": account.owner_key_hex,
                "session_key_address": account.session_key.to_string(),
                "session_private_key": account.session_key_hex,
                "subaccount_id": account.subaccount,
            })
        })
        .collect();
    let text = serde_json::to_string_pretty(&rows).map_err(|why| Failure::Refused(why.to_string()))?;
    std::fs::write(path, text).map_err(|why| Failure::Refused(format!("cannot write {}: {why}", path.display())))
}
