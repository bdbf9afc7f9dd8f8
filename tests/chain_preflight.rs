//! A vault's contract held against its configuration, by the library and by `keel check --live`, on anvil where
//! `tools/evm/install` has put it; skipped, and said so, where it has not.

#[path = "support/anvil.rs"]
mod anvil;

use alloy::primitives::{Address, I256, U256};
use anvil::{Anvil, BASE, MATCHING, OptionParams, Owner, holdings, option_params, spot_params};
use keel::base::ids::SubaccountId;
use keel::chain::node::Node;
use keel::chain::preflight::{Line, Preflight};
use keel::config::{Config, Online, V2Contract};
use keel::exchange::world::{Options, WorldSettings, spawn};
use keel::exchange::{Network, Owner as KindOfOwner, Settings, developer_accounts};
use serde_json::json;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;

/// A Harvest vault with what the contract of the test is deployed with; where a step makes the contract tighter, limits and
/// mandate leave it room.
fn config(venue: &str, owner: &str, subaccount: u64, rpc: &str, vault: Address) -> String {
    format!(
        r#"
[venue]
environment = "v2-mainnet"
{venue}
[signer]
isolation = "thread"
[wallet]
owner_address = "{owner}"
session_key_file = "session.key"
[[vault]]
name = "harvest-weeth"
strategy = "harvest"
subaccount_id = {subaccount}
base_instrument = "WEETH-USDC"
option_currency = "ETH"
[vault.week]
expiry_days = 7
[vault.selection]
target_delta = "0.1"
[vault.auction]
form = "additive"
refresh_s = 310
[vault.collateral]
init_spread_bps = 0
max_spread_bps = 139
[vault.limits]
order_life_s = 590
vol_factor_min_bps = 10000
life_min_s = 518401
life_max_s = 691199
sell_discount_max_bps = 149
option_amount_max_contracts = "200"
collateral_amount_max_base = "200"
notional_max_usdc = "800000"
[vault.mandate]
vol_factor_min_bps = 10000
delta_max = "0.15"
option_min_s = 518401
option_max_s = 691199
fee_max_bps = 99
cash_min_usdc = "-2000"
overshoot_max_bps = 0
buy_premium_max_bps = 150
sell_discount_max_bps = 149
[vault.v2]
network = "v2-mainnet"
rpc_url = "{rpc}"
contract_address = "{vault}"
wrapped_asset_address = "{BASE}"
vol_factor_x = "1"
cash_min_usdc = "-2000"
leniency_x = "1"
"#
    )
}

/// Lets the vault owe 2000 dollars, the least with which an engine can work.
async fn lend(anvil: &Anvil, vault: Address) {
    let least = -I256::from_raw(U256::from(2_000) * U256::from(10_u64.pow(18)));
    let options = OptionParams { optionMaxNegCash: least, ..option_params() };
    anvil.tell(vault, Owner::setParamsCall { options, spot: spot_params() }).await;
}

fn contract(text: &str) -> V2Contract {
    let config = Config::parse(text, "keel.toml", &Online::first(2)).unwrap_or_else(|why| panic!("{why}"));
    config.vaults[0].contract.clone().expect("a contract")
}

fn unsound(lines: &[Line]) -> Vec<&str> {
    lines.iter().filter(|line| !line.sound).map(|line| line.what.as_str()).collect()
}

#[tokio::test]
async fn every_difference_is_a_line_of_its_own() {
    let Some(anvil) = Anvil::start() else { return };
    let key = Address::repeat_byte(0x33);
    let vault = anvil.set_up(key, 7777).await;
    lend(&anvil, vault).await;
    let node = Node::connect(&anvil.url, 957).await.expect("the node answers");
    let text = config(
        "ws_url = \"ws://127.0.0.1:9/ws\"\nrest_url = \"http://127.0.0.1:9\"",
        &vault.to_string(),
        7777,
        &anvil.url,
        vault,
    );
    let sound = contract(&text);
    let read = async |contract: &V2Contract, subaccount: u64, key: Address| {
        Preflight { node: &node, contract, subaccount: SubaccountId(subaccount), key }.lines().await
    };
    let lines = read(&sound, 7777, key).await;
    assert_eq!(unsound(&lines), [""; 0], "{lines:#?}");
    assert_eq!(lines.len(), 25, "{lines:#?}");

    assert_eq!(unsound(&read(&sound, 7778, key).await), ["subaccount", "owner of the subaccount"]);
    let other = Address::repeat_byte(0x44);
    assert_eq!(unsound(&read(&sound, 7777, other).await), ["key may sign", "gas of the key, ETH"]);

    // One field off by its smallest step is one line.
    let steps = [
        ("vol_factor_x = \"1\"", "vol_factor_x = \"0.999999999\"", "volatility factor"),
        ("\"-2000\"\nleniency_x", "\"-2000.000000000000000001\"\nleniency_x", "lowest cash"),
        ("leniency_x = \"1\"", "leniency_x = \"1.000000001\"", "leniency"),
        ("leniency_x", "signature_min_s = 61\nleniency_x", "shortest signature, s"),
        ("leniency_x", "signature_max_s = 899\nleniency_x", "longest signature, s"),
        ("leniency_x", "delta_max = \"0.200000001\"\nleniency_x", "highest delta"),
        ("leniency_x", "life_min_s = 518401\nleniency_x", "shortest option, s"),
        ("leniency_x", "life_max_s = 691199\nleniency_x", "longest option, s"),
        ("leniency_x", "fee_max_bps = 99\nleniency_x", "highest fee"),
        ("leniency_x", "sell_discount_max_bps = 149\nleniency_x", "lowest selling price"),
        ("leniency_x", "buy_premium_max_bps = 151\nleniency_x", "highest buying price"),
        ("leniency_x", "gas_balance_min_eth = \"1.000000000000000001\"\nleniency_x", "gas of the key, ETH"),
    ];
    for (from, to, what) in steps {
        let off = contract(&text.replacen(from, to, 1));
        assert_eq!(unsound(&read(&off, 7777, key).await), [what], "{to}");
    }
    let elsewhere = V2Contract { wrapped_asset: [9; 20], ..sound.clone() };
    assert_eq!(unsound(&read(&elsewhere, 7777, key).await), ["wrapped collateral"]);

    anvil.tell(vault, Owner::setSignaturesDisabledCall { disabled: true }).await;
    anvil.tell(vault, Owner::setBlockedCall { blocked: true }).await;
    let mut told = holdings(1);
    told.spot = U256::ZERO;
    anvil.tell(vault, Owner::setHoldingsCall { told }).await;
    anvil.rpc("anvil_setCode", json!([MATCHING, "0x"])).await;
    let expected = [
        "signing domain",
        "owner of the subaccount",
        "trade module allowed",
        "withdrawal module allowed",
        "deposit module allowed",
        "signatures disabled",
        "settlement blocked",
        "price of the collateral",
    ];
    assert_eq!(unsound(&read(&sound, 7777, key).await), expected);
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().expect("a temporary folder"))
    }

    fn private(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path).expect("a file");
        file.write_all(text.as_bytes()).expect("written");
    }
}

fn keel(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let command = Command::new(env!("CARGO_BIN_EXE_keel")).args(arguments).current_dir(folder).output();
    let output = command.expect("the binary runs");
    let printed = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code(), printed)
}

#[tokio::test]
async fn check_prints_the_contract_and_refuses_a_difference() {
    let Some(anvil) = Anvil::start() else { return };
    let mut account = developer_accounts(3, 1).remove(0);
    let vault = anvil.set_up(Address::new(account.session_key.into()), account.subaccount).await;
    lend(&anvil, vault).await;
    account.wallet = vault;
    account.owner = KindOfOwner::Contract { atomic: false };
    let settings = Settings { network: Network::V2Mainnet, accounts: vec![account.clone()], ..Settings::default() };
    let live = spawn(Options::on_free_ports(settings, WorldSettings::steady(3))).expect("loopback is free");
    let venue = format!("ws_url = \"{}\"\nrest_url = \"{}\"", live.exchange_ws_url(), live.exchange_http_url());
    let text = config(&venue, &account.wallet.to_string(), account.subaccount, &anvil.url, vault);
    let folder = Folder::new();
    folder.private("session.key", &account.session_key_hex);

    folder.private("vault.toml", &text);
    let (code, printed) = keel(folder.0.path(), &["check", "--config", "vault.toml", "--live"]);
    assert_eq!(code, Some(0), "{printed}");
    let row = |what: &str| printed.lines().find(|line| line.trim_start().starts_with(what)).unwrap_or_default();
    assert!(row("key may sign").ends_with("ok") && row("highest delta").contains("0.200000"), "{printed}");

    folder.private("vault.toml", &text.replace("leniency_x = \"1\"", "leniency_x = \"1.05\""));
    let (code, printed) = keel(folder.0.path(), &["check", "--config", "vault.toml", "--live"]);
    assert_eq!(code, Some(2), "{printed}");
    assert!(printed.contains("DIFFERS, must be 1.05") && printed.contains("1 of 31 lines"), "{printed}");

    let (code, printed) = keel(folder.0.path(), &["run", "--config", "vault.toml", "--state", "journal"]);
    assert_eq!(code, Some(2), "{printed}");
    assert!(printed.contains("must be 1.05"), "{printed}");
}
