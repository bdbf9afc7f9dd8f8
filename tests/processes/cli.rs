//! The binary as an operator meets it: what it refuses before trading, with which words and which exit code.

use keel::base::time::{Nanos, SEC};
use keel::derive::dialect::LOCAL;
use keel::engine::ports::Clock;
use keel::exchange::world::{Live, Options, WorldSettings, spawn};
use keel::exchange::{AccountSeed, Network, Settings, developer_accounts};
use keel::io::clock::LiveClock;
use keel::io::key::LocalKey;
use keel::ops::bootstrap::{Claims, Refusal, prove};
use keel::ops::rest::Rest;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Anybody's address.
const OWNER: &str = "0x00000000000000000000000000000000000000a1";

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("keel-cli-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::DirBuilder::new().mode(0o700).create(&path).expect("a temporary folder");
        Folder(path)
    }

    fn private(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).expect("a new file");
        file.write_all(text.as_bytes()).expect("written");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn venue(network: Network) -> (Live, Vec<AccountSeed>) {
    let accounts = developer_accounts(3, 2);
    let settings = Settings { network, accounts: accounts.clone(), ..Settings::default() };
    (spawn(Options::on_free_ports(settings, WorldSettings::steady(3))).expect("loopback is free"), accounts)
}

/// A configuration for the venue, with holes for what a test gets wrong.
fn config(ws: &str, rest: &str, rpc: &str, owner: &str, subaccount: u64) -> String {
    format!(
        r#"
[venue]
environment = "local"
ws_url = "{ws}"
rest_url = "{rest}"
[wallet]
owner_address = "{owner}"
session_key_file = "session.key"
[external]
ws_url = "ws://127.0.0.1:9"
[chain]
rpc_url = "{rpc}"
[[vault]]
name = "weeth-basis"
strategy = "delta1-basis"
subaccount_id = {subaccount}
base_instrument = "WEETH-USDC"
perp_instrument = "ETH-PERP"
external_symbol = "ETHUSDC"
[vault.ratio]
aggregator_address = "0x5c9C449BbC9a6075A2c061dF312a35fd1E05fF22"
answer_decimals = 18
reference_x = "1.0712"
[vault.limits]
quote_amount_max_base = "1"
hedge_amount_max_contracts = "5"
notional_max_usdc = "20000"
borrow_max_usdc = "500000"
[vault.basis]
clip_base = "1"
"#
    )
}

fn keel_command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keel"));
    command.args(args).current_dir(folder);
    command
}

fn keel(folder: &Path, args: &[&str]) -> Output {
    keel_command(folder, args).output().expect("the binary runs")
}

/// Takes from what is started next the right to lock memory: by its limit, and by the capability that stands above it.
fn forbid_locked_memory() -> std::io::Result<()> {
    const CAP_IPC_LOCK: libc::c_ulong = 14;
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls change only this process, between fork and exec, and read nothing but `none`.
    unsafe {
        if libc::setrlimit(libc::RLIMIT_MEMLOCK, &none) != 0 {
            return Err(std::io::Error::last_os_error());
        }
        // Refused to whoever is not root, who has no such capability.
        libc::prctl(libc::PR_CAPBSET_DROP, CAP_IPC_LOCK, 0, 0, 0);
    }
    Ok(())
}

/// Runs `keel check --live` on a configuration; returns exit code and what was printed.
fn check_live(folder: &Folder, text: &str, key: &str) -> (Option<i32>, String) {
    let _ = fs::remove_file(folder.0.join("vault.toml"));
    let _ = fs::remove_file(folder.0.join("session.key"));
    folder.private("vault.toml", text);
    folder.private("session.key", key);
    let output = keel(&folder.0, &["check", "--config", "vault.toml", "--live"]);
    let printed = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!printed.contains(key.trim_start_matches("0x")), "the session key was printed");
    (output.status.code(), printed)
}

#[test]
fn what_the_venue_disproves_is_refused_with_words_that_help() {
    let folder = Folder::new("refused");
    let (live, accounts) = venue(Network::Local);
    let (ws, rest, rpc) = (live.exchange_ws_url(), live.exchange_http_url(), live.chainlink_http_url());
    let (ours, other) = (&accounts[0], &accounts[1]);
    let owner = ours.wallet.to_string();

    let sound = config(&ws, &rest, &rpc, &owner, ours.subaccount);
    let (code, printed) = check_live(&folder, &sound, &ours.session_key_hex);
    assert_eq!(code, Some(0), "{printed}");
    assert!(printed.contains("the venue rebuilds the hashes we sign"), "{printed}");

    let table = [
        (sound.clone(), other.session_key_hex.as_str(), "wallet.session_key_file"),
        (sound.clone(), ours.owner_key_hex.as_str(), "owner's own key"),
        (config(&ws, &rest, &rpc, &owner, other.subaccount), &ours.session_key_hex, "subaccount"),
        (config(&ws, &rest, &rpc, &other.wallet.to_string(), other.subaccount), &ours.session_key_hex, "wallet.owner"),
    ];
    for (text, key, words) in table {
        let (code, printed) = check_live(&folder, &text, key);
        assert_eq!(code, Some(2), "{printed}");
        assert!(printed.contains(words), "expected {words:?} in {printed}");
    }
}

#[test]
fn a_host_that_locks_no_memory_gets_no_key() {
    let folder = Folder::new("unlocked");
    folder.private("vault.toml", &config("ws://127.0.0.1:9", "http://127.0.0.1:9", "http://127.0.0.1:9", OWNER, 7));
    folder.private("session.key", &"5c".repeat(32));
    let mut command = keel_command(&folder.0, &["check", "--config", "vault.toml", "--live"]);
    // SAFETY: what runs between fork and exec makes two system calls and allocates nothing.
    unsafe { command.pre_exec(forbid_locked_memory) };
    let output = command.output().expect("the binary runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("no locked page for the key") && said.contains("RLIMIT_MEMLOCK"), "{said}");
}

#[test]
fn a_venue_that_speaks_v2_is_proved_as_one() {
    let folder = Folder::new("v2");
    let (live, accounts) = venue(Network::V2Mainnet);
    let (ws, rest, rpc) = (live.exchange_ws_url(), live.exchange_http_url(), live.chainlink_http_url());
    assert!(ws.ends_with("/ws") && !ws.contains("v3") && !rest.contains("v3"), "{ws} {rest}");
    let account = &accounts[0];
    let v3 = config(&ws, &rest, &rpc, &account.wallet.to_string(), account.subaccount);
    let v2 = v3.replace(r#"environment = "local""#, r#"environment = "v2-mainnet""#);
    let (code, printed) = check_live(&folder, &v2, &account.session_key_hex);
    assert_eq!(code, Some(0), "{printed}");
    assert!(printed.contains("the venue rebuilds the hashes we sign"), "{printed}");
    let (code, printed) = check_live(&folder, &v3, &account.session_key_hex);
    assert_eq!(code, Some(2), "headers of v3 prove nothing here: {printed}");
}

/// A process that does not outlive its test.
struct Served(std::process::Child);

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_exchange_says_which_dialect_it_serves_and_where() {
    for (dialect, chain, root) in [("v2", "957", ""), ("v3", "31337", "/v3")] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_keel"))
            .args(["exchange", "--listen", "127.0.0.1:0", "--dialect", dialect])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().expect("piped")));
        let _served = Served(child);
        let printed: Vec<String> = lines.map_while(Result::ok).take_while(|line| !line.starts_with("Ready")).collect();
        let has = |what: &str| printed.iter().any(|line| line.contains(what));
        assert!(has(&format!("Derive {dialect}")) && has(&format!("chain id       {chain}")), "{printed:#?}");
        assert!(has("0xeB8d770ec18DB98Db922E9D83260A585b9F0DeAD"), "{printed:#?}");
        let socket = printed.iter().find(|line| line.contains("ws://") && line.contains("WebSocket")).expect("printed");
        assert!(socket.ends_with(&format!("{root}/ws")) && (root.is_empty() != socket.contains("/v3")), "{socket}");
    }
}

#[test]
fn a_venue_on_another_chain_is_refused() {
    let folder = Folder::new("chain");
    let (live, accounts) = venue(Network::Testnet);
    let owner = accounts[0].wallet.to_string();
    let text = config(
        &live.exchange_ws_url(),
        &live.exchange_http_url(),
        &live.chainlink_http_url(),
        &owner,
        accounts[0].subaccount,
    );
    let (code, printed) = check_live(&folder, &text, &accounts[0].session_key_hex);
    assert_eq!(code, Some(2), "{printed}");
    assert!(printed.contains("venue.environment does not match"), "{printed}");
}

#[test]
fn without_a_network_run_says_so_and_fails() {
    let folder = Folder::new("nowhere");
    let key = &developer_accounts(3, 1)[0].session_key_hex;
    // The discard port of this machine: nothing listens, nothing leaves.
    let text = config(
        "ws://127.0.0.1:9/v3/ws",
        "http://127.0.0.1:9/v3",
        "http://127.0.0.1:9",
        &format!("0x{}", "1".repeat(40)),
        1,
    );
    folder.private("vault.toml", &text);
    folder.private("session.key", key);
    let output = keel(&folder.0, &["run", "--config", "vault.toml", "--state", "journal"]);
    let printed = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{printed}");
    assert!(printed.contains("cannot reach http://127.0.0.1:9/v3"), "{printed}");
}

#[test]
fn a_bad_configuration_is_refused_by_file_line_and_field() {
    let folder = Folder::new("bad");
    let text = config("ws://127.0.0.1:9/v3/ws", "http://127.0.0.1:9/v3", "http://127.0.0.1:9", "0x12", 1);
    folder.private("vault.toml", &text.replace("clip_base = \"1\"", "clip_base = \"1\"\nclip_bse = 2"));
    let output = keel(&folder.0, &["check", "--config", "vault.toml"]);
    let printed = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{printed}");
    for words in ["vault.toml:", "wallet.owner_address", "40 hexadecimal digits", "clip_bse", "clip_base"] {
        assert!(printed.contains(words), "expected {words:?} in {printed}");
    }
}

/// A clock that is off by so many nanoseconds.
struct Skewed(LiveClock, i64);

impl Clock for Skewed {
    fn now(&mut self) -> Nanos {
        self.0.now().shifted(self.1)
    }
}

#[test]
fn a_stale_clock_is_refused_before_anything_is_signed() {
    let (live, accounts) = venue(Network::Local);
    let rest = Rest::new(&live.exchange_http_url()).expect("a URL");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let claims = Claims {
        dialect: &LOCAL,
        wallet: accounts[0].wallet.into_array(),
        subaccounts: &[],
        instruments: &["WEETH-USDC".to_owned()],
        contract: None,
    };
    for (skew_ns, refused) in [(5 * SEC as i64, true), (-5 * SEC as i64, true), (0, false)] {
        let mut clock = Skewed(LiveClock::new(), skew_ns);
        let mut key = LocalKey::from_bytes(&mut [0x51; 32]).expect("a key");
        let outcome = runtime.block_on(prove(&rest, &claims, &mut key, &mut clock));
        let clock_fault = matches!(&outcome, Err(Refusal::Clock { .. }));
        assert_eq!(clock_fault, refused, "{skew_ns}: {outcome:?}");
        if let Err(why @ Refusal::Clock { .. }) = outcome {
            assert!(why.to_string().contains("NTP"), "{why}");
        }
    }
}

#[test]
fn an_option_auction_trades_at_any_hour_and_both_books_agree() {
    let folder = Folder::new("auction");
    let output = keel(&folder.0, &["demo", "--vault", "safe-harvest", "--seconds", "30", "--json"]);
    let (said, words) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{said}{words}");
    let report: serde_json::Value = serde_json::from_str(&said).expect("one JSON object");
    let number = |name: &str| report[name].as_f64().unwrap_or_else(|| panic!("{name} in {report}"));
    // What the exchange's own books say otherwise is a violation.
    assert_eq!(report["violations"], serde_json::json!([]), "{report}");
    let (units, premium, fees) = (number("units"), number("premium"), number("fees"));
    assert!(units > 0.0 && units % 5.0 == 0.0 && premium > 0.0 && fees > 0.0, "{report}");
    assert!(number("average_price") > 0.4 * number("average_mark"), "{report}");
    let cash: f64 = report["cash"].as_str().and_then(|cash| cash.parse().ok()).expect("cash");
    assert!((cash - (premium - fees)).abs() < 0.01, "{report}");
    let mut held: Vec<f64> =
        report["held"].as_object().expect("legs").values().filter_map(|leg| leg.as_f64()).collect();
    held.sort_by(f64::total_cmp);
    assert_eq!(held, [-units, units], "{report}");
    assert_eq!((&report["mismatched"], &report["unknown"]), (&0.into(), &0.into()), "{report}");
    assert!(report["refused"]["covered"] == 0 && report["rfq"]["executions"].as_u64() > Some(0), "{report}");
    assert!(!said.contains("leverage") && !said.contains("hedge"), "{report}");
}
