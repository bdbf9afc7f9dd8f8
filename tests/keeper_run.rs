//! `keel run` with a vault whose shares are kept: on the embedded exchange, with the vault's contract on anvil, where
//! `tools/evm/install` has put it; skipped, and said so, where it has not.

#[path = "support/anvil.rs"]
mod anvil;
#[path = "support/live_vault.rs"]
mod live_vault;

use alloy::primitives::{Address, I256, U256};
use alloy::sol_types::{SolEvent, SolValue};
use anvil::{
    ADMIN, Anvil, BASE, Holder, Holdings, MATCHING, OptionParams, Owner, ShareTerms, SpotParams, e18, holdings,
};
use keel::chain::abi::{Bound, SpotFeed, VaultSigner};
use keel::chain::node::Node;
use keel::derive::dialect::V2_MAINNET;
use keel::engine::ports::Key;
use keel::exchange::world::{Options, WorldSettings, spawn};
use keel::exchange::{Network, Owner as Holds, Settings, SettlementAuthority, developer_accounts};
use keel::io::key::LocalKey;
use keel::sim::onchain::{OnChain, Site};
use live_vault::{Scene, private};
use serde_json::{Value, json};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const KEEPER: [u8; 32] = [0x57; 32];
/// Oldest price the collateral's feed answers with where nobody but the engine brings it another.
const HEARTBEAT_S: u64 = 20;
const SETTLER: [u8; 32] = [0x58; 32];
const WEEK_S: u64 = 604_800;
/// Friday, 08:00 UTC, of the first week of time.
const EXPIRY_S: u64 = 115_200;

/// What `keel run` finds written down; `may_move` says whether the vault may sign for capital.
fn config(scene: &Scene, anvil: &Anvil, may_move: bool) -> String {
    // The minute of the week in which the auction would be is never this one.
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let since_s = (now_s - EXPIRY_S) % WEEK_S;
    let delay_s = if (17_000..19_000).contains(&since_s) { 25_000 } else { 18_000 };
    let template = include_str!("../src/cli/demo/harvest-v2.toml");
    let values = [
        ("@WS@", scene.live.exchange_ws_url()),
        ("@REST@", scene.live.exchange_http_url()),
        ("@OWNER@", scene.account.wallet.to_string()),
        ("@SUBACCOUNT@", scene.account.subaccount.to_string()),
        ("@KEY@", "session.key".to_owned()),
        ("@CHAIN@", anvil.url.clone()),
        ("@WRAPPED@", BASE.to_string()),
    ];
    let text = values.iter().fold(template.to_owned(), |text, (name, value)| text.replace(name, value));
    let feeds = if may_move { "submit_feeds = true\nfeed_age_max_bps = 1000\nfeed_pause_s = 2\n" } else { "" };
    // What a busy machine makes fail is to be tried again soon; what may never be is not.
    let retry_blocks = if may_move { 2 } else { 150 };
    format!(
        "{text}{feeds}
[vault.week]
option_delay_s = {delay_s}
auction_s = 60

[vault.capital]
deposits = {may_move}
withdrawals = {may_move}
deposit_min_base = \"0\"
management_fee_bps_per_year = 0
token_decimals = 18
deposit_max_base = \"100\"
withdrawal_max_base = \"100\"
withdrawn_per_day_max_base = \"250\"

[vault.keeper]
key_file = \"keeper.key\"
deployed_block = 0
deposit_phases = \"collateral-only-or-settlement\"
fee_every_s = 0
retry_blocks = {retry_blocks}
gas_price_max_gwei = \"300\"
gas_tip_gwei = \"1\"
"
    )
}

/// As `[vault.v2]` of that configuration says.
fn limits() -> Owner::setParamsCall {
    let share = |parts: u64, of: u64| e18(parts) / U256::from(of);
    let options = OptionParams {
        minSignatureExpiry: U256::from(60),
        maxSignatureExpiry: U256::from(900),
        optionVolSlippageFactor: share(1, 2),
        optionMaxDelta: share(2, 5),
        optionMaxNegCash: -I256::from_raw(e18(100_000)),
        optionMinTimeToExpiry: U256::from(86_400),
        optionMaxTimeToExpiry: U256::from(2_592_000),
    };
    let spot = SpotParams {
        feeFactor: share(1, 100),
        spotTransactionLeniency: I256::from_raw(share(105, 100)),
        worstSpotSellPrice: share(98, 100),
        worstSpotBuyPrice: share(102, 100),
    };
    Owner::setParamsCall { options, spot }
}

/// Has the chain move capital, and returns who settles the venue's deposits and withdrawals there.
async fn settles(anvil: &Anvil, vault: Address, token: Address) -> Box<dyn SettlementAuthority> {
    let modules = V2_MAINNET.modules;
    let deposit = Address::from(modules.deposit.expect("v2 has one"));
    let call = Owner::setCapitalModulesCall { deposit, withdrawal: modules.withdrawal.into() };
    anvil.tell(MATCHING, call).await;
    anvil.tell(vault, Owner::approveModuleCall { module: deposit, amount: U256::MAX }).await;
    let wrapper = anvil.deploy("Wrapper", token.abi_encode()).await;
    let code = anvil.rpc("eth_getCode", json!([wrapper, "latest"])).await;
    anvil.rpc("anvil_setCode", json!([BASE, code])).await;
    // The ten that are at work already.
    anvil.tell(token, Holder::mintCall { holder: BASE, amount: e18(10) }).await;
    let settler = LocalKey::from_bytes(&mut SETTLER.clone()).expect("a key");
    let executor = Address::from(settler.address());
    anvil.rpc("anvil_setBalance", json!([executor, e18(1)])).await;
    anvil.tell(MATCHING, Owner::setTradeExecutorCall { executor, allowed: true }).await;
    let site = Site {
        rpc_url: anvil.url.clone(),
        chain_id: V2_MAINNET.chain_id,
        matching: MATCHING,
        atomic_executor: None,
        prices: None,
        gas_limit: 1_000_000,
    };
    // Not from here: connecting waits on a runtime of its own.
    let connected = std::thread::spawn(move || OnChain::connect(site, settler)).join().expect("no panic");
    Box::new(connected.expect("the node answers"))
}

/// A venue and a chain with a vault on both that holds ten, a keeper of its shares, and somebody with tokens.
async fn set_up(anvil: &Anvil, may_move: bool) -> Scene {
    let mut account = developer_accounts(7, 1).remove(0);
    account.balances = vec![("WEETH".to_owned(), "10".parse().expect("literal"))];
    let vault = anvil.set_up(account.session_key, account.subaccount).await;
    account.wallet = vault;
    account.owner = Holds::Contract { atomic: false };
    let keeper = Address::from(LocalKey::from_bytes(&mut KEEPER.clone()).expect("a key").address());
    anvil.rpc("anvil_setBalance", json!([keeper, e18(1)])).await;
    anvil.tell(vault, limits()).await;
    anvil.tell(vault, Owner::setHoldingsCall { told: Holdings { undeposited: e18(1_000), ..holdings(10) } }).await;
    anvil.tell(vault, Owner::setShareKeeperCall { keeper, allowed: true }).await;
    let terms = ShareTerms {
        depositCap: e18(10_000_000),
        minDepositValue: U256::ZERO,
        depositScale: e18(1),
        withdrawScale: e18(1),
        managementFee: U256::ZERO,
        feeRecipient: Address::ZERO,
    };
    anvil.tell(vault, Owner::setTSAParamsCall { told: terms }).await;
    let node = Node::connect(&anvil.url, V2_MAINNET.chain_id).await.expect("the node answers");
    let token = node.view(vault, VaultSigner::getBaseTSAAddressesCall {}).await.expect("an answer").depositAsset;
    anvil.tell(token, Holder::mintCall { holder: ADMIN, amount: e18(1_000) }).await;
    anvil.tell(token, Holder::approveCall { spender: vault, amount: U256::MAX }).await;
    anvil.tell(vault, Holder::initiateDepositCall { amount: e18(5), recipient: ADMIN }).await;
    let authority = if may_move { Some(settles(anvil, vault, token).await) } else { None };
    anvil.rpc("evm_setIntervalMining", json!([1])).await;
    // What the keeper searches must be final.
    anvil.rpc("anvil_mine", json!([40])).await;

    let settings =
        Settings { network: Network::V2Mainnet, seed: 7, accounts: vec![account.clone()], ..Settings::default() };
    let options = Options { authority, ..Options::on_free_ports(settings, WorldSettings::option_demo(7)) };
    let live = spawn(options).expect("loopback is free");
    if may_move {
        anvil.bind_to_oracle(vault, &live.exchange_http_url(), HEARTBEAT_S).await;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let hex: String = KEEPER.iter().map(|byte| format!("{byte:02x}")).collect();
    private(folder.path(), "session.key", &account.session_key_hex);
    private(folder.path(), "keeper.key", &hex);
    Scene { folder, live, account }
}

/// What `keel ctl status` says of the keeping of the vault's shares.
fn kept(scene: &Scene) -> Option<String> {
    let output = scene.keel(&["ctl", "status", "--json", "--state", "journal"]);
    let said: Value = serde_json::from_slice(&output.stdout).ok()?;
    said["vaults"][0]["keeper"].as_str().map(str::to_owned)
}

#[test]
fn a_run_makes_shares_of_deposits_asks_risk_for_capital_and_ends_with_nothing_signed() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let Some(anvil) = runtime.block_on(async { Anvil::start() }) else { return };
    let scene = runtime.block_on(set_up(&anvil, false));
    private(scene.folder.path(), "vault.toml", &config(&scene, &anvil, false));
    let mut engine = scene.start(&["run", "--config", "vault.toml", "--state", "journal", "--seconds", "60"]);
    let began = Instant::now();
    // The vault may not sign for deposits: risk says so, and the keeper's alarm is said aloud.
    let said = engine.wait_for("keeper of its shares");
    assert!(said.contains("deposit into the subaccount was not made"), "{said}");
    let status = loop {
        let status = kept(&scene).unwrap_or_default();
        if status.contains("1 deposits taken") {
            break status;
        }
        assert!(began.elapsed() < Duration::from_secs(40), "{status}\n{}", engine.said());
    };
    // Ten and five tokens; the only shares are those of the five.
    assert!(status.starts_with("a share is worth 3.0"), "{status}");
    engine.signal(libc::SIGTERM);
    assert_eq!(engine.child.wait().expect("it ends").code(), Some(0), "{}", engine.said());
    assert!(!engine.said().contains("answers for"), "{}", engine.said());
}

/// What the venue's books say the vault holds of its collateral.
fn credited(scene: &Scene) -> U256 {
    let subaccount = scene.account.subaccount;
    let report = scene.live.exchange.with(move |exchange, _, _| exchange.subaccount_report(subaccount));
    let mut held = report.flatten().expect("its books").balances.get("WEETH").copied().unwrap_or_default();
    held.rescale(18);
    U256::from(held.mantissa().unsigned_abs())
}

#[test]
fn a_deposit_travels_from_the_queue_to_the_books_of_the_venue_and_a_withdrawal_back() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let Some(anvil) = runtime.block_on(async { Anvil::start() }) else { return };
    let scene = runtime.block_on(set_up(&anvil, true));
    private(scene.folder.path(), "vault.toml", &config(&scene, &anvil, true));
    let mut engine = scene.start(&["run", "--config", "vault.toml", "--state", "journal", "--seconds", "90"]);
    let vault = scene.account.wallet;
    let node = runtime.block_on(Node::connect(&anvil.url, V2_MAINNET.chain_id)).expect("the node answers");
    let named = runtime.block_on(node.view(vault, VaultSigner::getBaseTSAAddressesCall {})).expect("an answer");
    let holds = |token: Address, holder: Address| {
        runtime.block_on(node.view(token, Holder::balanceOfCall { holder })).expect("an answer")
    };
    let patience = |engine: &mut live_vault::Process, what: &str, done: &dyn Fn() -> bool| {
        let began = Instant::now();
        while !done() {
            assert!(began.elapsed() < Duration::from_secs(40), "{what}: {:?}\n{}", kept(&scene), engine.said());
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    // Five came into the queue beside ten at work.
    patience(&mut engine, "credited", &|| credited(&scene) > e18(10));
    let moved = credited(&scene) - e18(10);
    let tokens = [BASE, vault].map(|holder| holds(named.depositAsset, holder));
    assert_eq!(tokens, [e18(10) + moved, e18(5) - moved]);
    let stats = runtime.block_on(node.view(vault, VaultSigner::getSubAccountStatsCall {})).expect("an answer");
    assert_eq!(stats.base, credited(&scene), "the contract's books and the venue's");

    // The holder wants two fifths of the shares paid.
    let shares = holds(vault, ADMIN);
    assert!(!shares.is_zero());
    let (before, part) = (holds(named.depositAsset, ADMIN), shares * U256::from(2) / U256::from(5));
    runtime.block_on(anvil.tell(vault, Holder::requestWithdrawalCall { shares: part }));
    patience(&mut engine, "paid", &|| holds(named.depositAsset, ADMIN) > before);
    assert!(credited(&scene) < e18(10) + moved, "it came out of what was at work");
    engine.signal(libc::SIGTERM);
    assert_eq!(engine.child.wait().expect("it ends").code(), Some(0), "{}", engine.said());
    // What is idle may have been on its way back to work.
    let agreed = || {
        let stats = runtime.block_on(node.view(vault, VaultSigner::getSubAccountStatsCall {})).expect("an answer");
        stats.base == credited(&scene) && holds(named.depositAsset, BASE) == credited(&scene)
    };
    patience(&mut engine, "the wrapper keeps what was credited", &agreed);
    let brought = runtime.block_on(async {
        let (head, _) = node.head().await.expect("a head");
        let feed = node.view(vault, Bound::getCCTSAAddressesCall {}).await.expect("an answer").feed;
        let kind = [SpotFeed::SpotPriceUpdated::SIGNATURE_HASH];
        node.events(feed, &kind, 0, head.number).await.expect("an answer").len()
    });
    assert!(brought > 2, "the engine kept the feed fresh: {brought} prices\n{}", engine.said());
    let tokens = [BASE, vault, ADMIN].map(|holder| holds(named.depositAsset, holder));
    assert_eq!(tokens.iter().sum::<U256>(), e18(1_010), "no token was made or lost");
}
