//! The vaults that are run as processes: what each trades, in which market, and its files.

use super::{Addresses, private};
use keel::base::time::{Nanos, SEC};
use keel::exchange::AccountSeed;
use keel::exchange::world::weeks::weekly_expiry_s;
use std::path::Path;

const DAY_S: u64 = 86_400;
/// Options are traded until so long before their expiry.
const LIFE_S_MIN: u64 = DAY_S / 2;
/// The crowd turns to the next weekly at a full hour: an auction about to begin then is for that one at once.
const TURN_S: u64 = 60;

/// What a vault does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vault {
    /// The demo's weETH basis vault, made restless.
    Basis,
    /// The demo's Harvest vault in the middle of a long auction: one resting order in the book of a call.
    Harvest,
}

/// What makes the demo's vault trade on right after every restart: prices cost next to nothing, what hundreds of lives an hour
/// lose to their marks has room, and there is always more to do.
const RESTLESS: [(&str, &str); 6] = [
    ("target_leverage_x = \"1.2\"", "target_leverage_x = \"1.7\""),
    ("clip_base = \"1\"", "clip_base = \"0.3\""),
    ("bid_offset_bps = 3", "bid_offset_bps = 0"),
    ("ask_offset_bps = -3", "ask_offset_bps = 0"),
    ("hedge_slippage_bps = 50", "hedge_slippage_bps = 2"),
    (
        "[vault.basis]",
        "[vault.mandate]\nloss_sum_max_bps = 150\nloss_half_life_s = 3466\ndrift_price_bps = 0\n\n[vault.basis]",
    ),
];

impl Vault {
    /// Every kind that is killed: vaults take turns.
    pub const ALL: [Vault; 2] = [Vault::Basis, Vault::Harvest];

    /// The venue's `--market` in which it finds something to do.
    pub fn market(self) -> &'static str {
        match self {
            Vault::Basis => "waves",
            Vault::Harvest => "options",
        }
    }

    /// Base it begins with, and nothing else. Cash is borrowed, or comes from premiums; there is more to sell than is asked
    /// for in an hour.
    pub fn base(self) -> &'static str {
        match self {
            Vault::Basis => "100",
            Vault::Harvest => "2000",
        }
    }

    /// Its configuration, with this run's names still to be filled in, and a week whose auction begins at `start`.
    fn text(self, start: Nanos) -> String {
        match self {
            Vault::Basis => {
                RESTLESS.iter().fold(include_str!("../../../src/cli/demo/weeth.toml").to_owned(), |text, (from, to)| {
                    text.replacen(from, to, 1)
                })
            }
            Vault::Harvest => harvest(start),
        }
    }
}

/// Every field that a table of the template has already is changed where it stands.
fn harvest(start: Nanos) -> String {
    let life_s = weekly_expiry_s(start.plus(TURN_S * SEC)).saturating_sub(start.secs());
    let days = life_s / DAY_S + 1;
    let (delay_s, life_s_max) = (days * DAY_S - life_s, days * DAY_S);
    let week = format!(
        "[vault.week]\nexpiry_days = {days}\nexpiry_min_s = {LIFE_S_MIN}\noption_delay_s = {delay_s}\n\
         auction_s = {LIFE_S_MIN}\nspot_delay_s = 0\n\n[vault.mandate]\noption_min_s = {LIFE_S_MIN}\n\n\
         [vault.auction]\nreprice_min_usdc = \"0.01\""
    );
    // Hundreds of lives an hour, whose last orders' ends nobody hears, give away more than one.
    let envelope = "[vault.envelope]\ngive_away_per_hour_usdc = \"10000000\"\ngive_away_per_day_usdc = \"20000000\"";
    let limits = format!("{envelope}\n\n[vault.limits]\nlife_min_s = {LIFE_S_MIN}\nlife_max_s = {life_s_max}");
    include_str!("../../../src/cli/demo/harvest.toml")
        .replacen("[vault.auction]", &week, 1)
        .replacen("[vault.limits]", &limits, 1)
        .replacen("option_amount_max_contracts = \"100\"", "option_amount_max_contracts = \"2000\"", 1)
        .replacen("notional_max_usdc = \"1000000\"", "notional_max_usdc = \"100000000\"", 1)
}

/// Writes configuration and key of a vault into a folder, changed by `change`; an auction begins at `start`.
pub fn write_vault(
    folder: &Path,
    addresses: &Addresses,
    (vault, start): (Vault, Nanos),
    account: &AccountSeed,
    change: impl FnOnce(String) -> String,
) -> Result<(), String> {
    let values = [
        ("@WS@", addresses.ws.clone()),
        ("@REST@", addresses.http.clone()),
        ("@BOOK@", addresses.book.clone()),
        ("@RPC@", addresses.rpc.clone()),
        ("@OWNER@", account.wallet.to_string()),
        ("@SUBACCOUNT@", account.subaccount.to_string()),
        ("@KEY@", "session.key".to_owned()),
    ];
    let text = values.iter().fold(vault.text(start), |text, (name, value)| text.replace(name, value));
    private(&folder.join("vault.toml"), &change(text))?;
    private(&folder.join("session.key"), &account.session_key_hex)
}
