//! What an embedded exchange is started with: network, tier, clocks of its periodic work and seeded accounts.

use alloy_primitives::{Address, keccak256};
use k256::ecdsa::SigningKey;
use rust_decimal::Decimal;

/// Generation of the protocol that is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Orders settle on Derive Chain, where contracts may own accounts.
    V2,
    /// An off-chain sequencer's word is final.
    V3,
}

/// Whose EIP-712 domain signatures are verified against (Derive §1.1). It decides the dialect as well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Network {
    /// Chain 1.
    Mainnet,
    /// Sepolia, chain 11155111.
    Testnet,
    /// The SDK's local preset, chain 31337.
    #[default]
    Local,
    /// Derive Chain, 957, and a local node that stands in for it.
    V2Mainnet,
    /// The test network of Derive Chain, 901.
    V2Testnet,
}

impl Network {
    /// The chain id inside the EIP-712 domain.
    pub const fn chain_id(self) -> u64 {
        match self {
            Network::Mainnet => 1,
            Network::Testnet => 11_155_111,
            Network::Local => 31_337,
            Network::V2Mainnet => 957,
            Network::V2Testnet => 901,
        }
    }

    /// What is spoken there.
    pub const fn dialect(self) -> Dialect {
        match self {
            Network::Mainnet | Network::Testnet | Network::Local => Dialect::V3,
            Network::V2Mainnet | Network::V2Testnet => Dialect::V2,
        }
    }
}

/// Request budgets of an account (Derive §4.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tier {
    /// 5 requests per second of each class.
    #[default]
    Trader,
    /// 500 matching and non-matching requests per second, 10 per instrument.
    MarketMaker,
}

/// Everything the exchange needs to know before it opens. Same settings and same calls give the same frames.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The EIP-712 domain in force, and with it the dialect.
    pub network: Network,
    /// Seeds order, trade and operation ids.
    pub seed: u64,
    /// Accounts that exist from the start.
    pub accounts: Vec<AccountSeed>,
    /// Request budgets of accounts without an override.
    pub tier: Tier,
    /// Delay of every order that may take liquidity, in milliseconds (Derive: 150).
    pub speed_bump_ms: u64,
    /// Seconds between perp PnL and funding settlements into USDC.
    pub perp_settle_every_s: u64,
    /// Seconds between capitalisations of USDC interest.
    pub interest_every_s: u64,
    /// Milliseconds between order-book snapshots of a subscribed book that changed.
    pub book_every_ms: u64,
    /// Seconds of mid history behind the perp mark.
    pub mark_window_s: u64,
    /// How far an owner's login timestamp may be from exchange time, in milliseconds.
    pub login_window_ms: u64,
    /// Open orders one subaccount may hold (Derive 11019).
    pub open_orders_max: usize,
    /// WebSocket connections at one time (Derive −32100).
    pub connections_max: usize,
    /// Largest text frame or HTTP body accepted, in bytes.
    pub frame_bytes_max: usize,
}

impl Settings {
    /// What is spoken.
    pub const fn dialect(&self) -> Dialect {
        self.network.dialect()
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            network: Network::Local,
            seed: 1,
            accounts: developer_accounts(1, 2),
            tier: Tier::MarketMaker,
            speed_bump_ms: 150,
            perp_settle_every_s: 60,
            interest_every_s: 3_600,
            book_every_ms: 100,
            mark_window_s: 60,
            login_window_ms: 10_000,
            open_orders_max: 500,
            connections_max: 64,
            frame_bytes_max: 1 << 20,
        }
    }
}

/// What owns an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Owner {
    /// A key.
    #[default]
    Key,
    /// A contract that signs for itself at settlement (v2). Its session key proves requests to the API.
    Contract {
        /// May have orders approved inside their settlement (Derive 14033).
        atomic: bool,
    },
}

/// One account that exists from the start: an owner wallet, a session key and a standard-margin subaccount.
#[derive(Clone, Debug)]
pub struct AccountSeed {
    /// Owner address, also the account's name on the venue.
    pub wallet: Address,
    /// What the owner is.
    pub owner: Owner,
    /// Owner private key, 32 bytes hex with `0x`, for printing to developers. Empty if unknown.
    pub owner_key_hex: String,
    /// Session key address.
    pub session_key: Address,
    /// Session private key, 32 bytes hex with `0x`. Empty if unknown.
    pub session_key_hex: String,
    /// The session key lapses at this unix second.
    pub session_expiry_s: u64,
    /// Protocol scopes of the session key, by wire name.
    pub scopes: Vec<String>,
    /// Subaccount number.
    pub subaccount: u64,
    /// Label of the subaccount.
    pub label: String,
    /// Collateral balances by asset name.
    pub balances: Vec<(String, Decimal)>,
    /// Request budgets, if not the exchange's default.
    pub tier: Option<Tier>,
    /// May answer requests for quotes (Derive 14027).
    pub rfq_maker: bool,
}

/// Deterministic accounts for developers: the same seed always prints the same keys. These keys guard nothing;
/// they are derived from a public number. All but the first may answer requests for quotes.
pub fn developer_accounts(seed: u64, count: usize) -> Vec<AccountSeed> {
    (0..count).map(|place| developer_account(seed, place)).collect()
}

fn developer_account(seed: u64, place: usize) -> AccountSeed {
    let (owner_key_hex, wallet) = derived_key(seed, place, "owner");
    let (session_key_hex, session_key) = derived_key(seed, place, "session");
    AccountSeed {
        wallet,
        owner: Owner::Key,
        owner_key_hex,
        session_key,
        session_key_hex,
        session_expiry_s: 4_102_444_800, // 2100-01-01: developer keys do not lapse in any run.
        scopes: vec!["trade:all".into()],
        subaccount: 101 + place as u64,
        label: format!("developer {}", place + 1),
        balances: [("USDC", 1_000_000), ("ETH", 100), ("BTC", 5), ("WEETH", 100), ("LBTC", 5), ("SUSDE", 1_000_000)]
            .map(|(asset, amount)| (asset.to_string(), Decimal::from(amount)))
            .to_vec(),
        tier: None,
        rfq_maker: place > 0,
    }
}

/// The first key in a hash chain from the seed that is a valid secp256k1 scalar (practically always the first).
fn derived_key(seed: u64, place: usize, role: &str) -> (String, Address) {
    let mut digest = keccak256(format!("keel embedded exchange developer {role} {place} seed {seed}"));
    loop {
        if let Ok(key) = SigningKey::from_slice(digest.as_slice()) {
            return (digest.to_string(), Address::from_private_key(&key));
        }
        digest = keccak256(digest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn developer_accounts_depend_on_the_seed_alone() {
        let a = developer_accounts(7, 3);
        let b = developer_accounts(7, 3);
        assert_eq!(a.len(), 3);
        for (x, y) in a.iter().zip(&b) {
            assert_eq!((x.wallet, x.session_key, x.subaccount), (y.wallet, y.session_key, y.subaccount));
        }
        assert_ne!(a[0].wallet, developer_accounts(8, 1)[0].wallet);
        assert_ne!(a[0].wallet, a[0].session_key);
    }
}
