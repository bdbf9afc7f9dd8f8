//! Environments and dialects: addresses, domains, module identifiers, and how v2 differs from v3.

use std::borrow::Cow;
use std::net::SocketAddr;

use alloy_primitives::hex;
use std::hash::{Hash, Hasher};

pub use crate::base::nonce_unit::NonceUnit;

/// An Ethereum address, raw.
pub type Address = [u8; 20];
/// A 32-byte hash or word, raw.
pub type Word = [u8; 32];

/// `keccak256` of [`ACTION_TYPE`]; the same in both generations.
pub const ACTION_TYPEHASH: Word = hex!("4d7a9f27c403ff9c0f19bce61d76d82f9aa29f8d6d4b0c5474607d9770d1af17");
/// The EIP-712 type of every signed action.
pub const ACTION_TYPE: &str =
    "Action(uint256 subaccountId,uint256 nonce,address module,bytes data,uint256 expiry,address owner,address signer)";
/// The EIP-712 domain type.
pub const DOMAIN_TYPE: &str = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
/// The EIP-712 domain name.
pub const DOMAIN_NAME: &str = "Matching";
/// The EIP-712 domain version.
pub const DOMAIN_VERSION: &str = "1.0";

/// Which generation of the protocol a dialect belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    /// Derive Chain, contracts verify signatures; wound down.
    V2,
    /// Off-chain sequencer settling on Ethereum; live.
    V3,
}

/// Names of the three REST authentication headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headers {
    /// Carries the owner's address.
    pub wallet: &'static str,
    /// Carries the signed moment, unix ms.
    pub timestamp: &'static str,
    /// Carries the EIP-191 signature.
    pub signature: &'static str,
}

/// Module identifiers inside signatures. `None`: the generation has no such action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Modules {
    /// Orders and replaces.
    pub trade: Address,
    /// Transfers between subaccounts.
    pub transfer: Address,
    /// Withdrawals.
    pub withdrawal: Address,
    /// Quotes, executions and position transfers.
    pub rfq: Address,
    /// Liquidation bids.
    pub liquidation: Address,
    /// Signed deposits (v2 only).
    pub deposit: Option<Address>,
    /// Transfers to another owner (v3 only).
    pub external_transfer: Option<Address>,
    /// Whitelisted recipients (v3 only).
    pub whitelisted_recipient: Option<Address>,
    /// Protocol-native vaults (v3 only).
    pub vault: Option<Address>,
    /// Session keys (v3 only).
    pub session_key: Option<Address>,
}

/// Contracts that settle a v3 network on its L1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// OnchainActionManager: deposits and actions of contract owners.
    pub action_manager: Address,
    /// vApp.
    pub vapp: Address,
    /// WithdrawalOutbox.
    pub withdrawal_outbox: Address,
    /// SpotVault.
    pub spot_vault: Address,
    /// Withdrawal factory.
    pub withdrawal_factory: Address,
}

/// What is signed and named on one network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// Short name, as used in configuration.
    pub name: &'static str,
    /// Protocol generation.
    pub generation: Generation,
    /// REST base address, without a trailing slash.
    pub rest: &'static str,
    /// WebSocket address.
    pub ws: &'static str,
    /// EIP-712 chain id.
    pub chain_id: u64,
    /// EIP-712 verifying contract.
    pub verifying_contract: Address,
    /// EIP-712 domain separator.
    pub domain_separator: Word,
    /// Module identifiers.
    pub modules: Modules,
    /// Settlement contracts, where published.
    pub settlement: Option<Settlement>,
    /// Unit of a nonce.
    pub nonce_unit: NonceUnit,
    /// REST authentication headers.
    pub headers: Headers,
    /// Most decimals a signed value may carry.
    pub decimals_max: u32,
}

const VERIFYING: Address = hex!("eB8d770ec18DB98Db922E9D83260A585b9F0DeAD");
const HEADERS_V3: Headers =
    Headers { wallet: "X-DeriveWallet", timestamp: "X-DeriveTimestamp", signature: "X-DeriveSignature" };
const HEADERS_V2: Headers =
    Headers { wallet: "X-LyraWallet", timestamp: "X-LyraTimestamp", signature: "X-LyraSignature" };

/// Module identifiers of every v3 network.
pub const MODULES_V3: Modules = Modules {
    trade: hex!("B8D20c2B7a1Ad2EE33Bc50eF10876eD3035b5e7b"),
    transfer: hex!("01259207A40925b794C8ac320456F7F6c8FE2636"),
    withdrawal: hex!("9d0E8f5b25384C7310CB8C6aE32C8fbeb645d083"),
    rfq: hex!("9371352CCef6f5b36EfDFE90942fFE622Ab77F1D"),
    liquidation: hex!("66d23e59DaEEF13904eFA2D4B8658aeD05f59a92"),
    deposit: None,
    external_transfer: Some(hex!("8F9B8f12ddA05FB1F0DDDDe8f5af8cECF54f8aC9")),
    whitelisted_recipient: Some(hex!("B86D6DE1b76c9839e4BA860848CD98A1dABd6B54")),
    vault: Some(hex!("2885c174ebf5524aED9c721d60c12b1537685186")),
    session_key: Some(hex!("e330CF64ff6EbF41699aad344Cb21d78db1D2bb6")),
};

/// v3 on Ethereum mainnet: live.
pub const MAINNET: Dialect = Dialect {
    name: "mainnet",
    generation: Generation::V3,
    rest: "https://api.derive.xyz/v3",
    ws: "wss://api.derive.xyz/v3/ws",
    chain_id: 1,
    verifying_contract: VERIFYING,
    domain_separator: hex!("da616dfabb88681b08e1592820a41d55ddc62d68de110e327ae99d734506fe19"),
    modules: MODULES_V3,
    settlement: Some(Settlement {
        action_manager: hex!("E366CcA474968e33b777E13905829A3b800CFAD3"),
        vapp: hex!("d330145C17fB6EF2a21ACf1275Ce683A305F58BB"),
        withdrawal_outbox: hex!("7c743D79C9C595cE332314503d84cBBb4E85FA63"),
        spot_vault: hex!("2e7dF4fAf35a1599979C7E764444e112d936ec42"),
        withdrawal_factory: hex!("Fec48bBC648bd2284520d862Ec67fc68F709915e"),
    }),
    nonce_unit: NonceUnit::Nanos,
    headers: HEADERS_V3,
    decimals_max: 12,
};

/// v3 on Sepolia, with the contracts of September 2026.
pub const TESTNET: Dialect = Dialect {
    name: "testnet",
    rest: "https://testnet.api.derive.xyz/v3",
    ws: "wss://testnet.api.derive.xyz/v3/ws",
    chain_id: 11_155_111,
    domain_separator: hex!("24d674cd5f2b9d564691c51e9d88f649b99246a2244dd74ce27b96578d773e85"),
    settlement: Some(Settlement {
        action_manager: hex!("d3625eCf97E5554C62A48Ac1c9284C9dCeFceB68"),
        vapp: hex!("1573bde26338A9E6AA358638679A796c81E33246"),
        withdrawal_outbox: hex!("FbB62CE2BbFdFdc8a60DDC22115aC29cf91B4566"),
        spot_vault: hex!("3FB79aafCD401CDD19e3d729241545955DDE0D48"),
        withdrawal_factory: hex!("6A8566c585903E4558A9BE722FFa55f173c719ef"),
    }),
    ..MAINNET
};

/// v3 on a local chain.
pub const LOCAL: Dialect = Dialect {
    name: "local",
    rest: "http://localhost:8080",
    ws: "ws://localhost:3000/ws",
    chain_id: 31_337,
    domain_separator: hex!("8a010a34fc48f792a220b0b63077f0f8ba664f21340882d60fb34b4959397842"),
    settlement: None,
    ..MAINNET
};

/// v2 on Derive Chain (957), wound down; a local node and an embedded exchange can stand in for it.
pub const V2_MAINNET: Dialect = Dialect {
    name: "v2-mainnet",
    generation: Generation::V2,
    rest: "https://api.lyra.finance",
    ws: "wss://api.lyra.finance/ws",
    chain_id: 957,
    verifying_contract: VERIFYING,
    domain_separator: hex!("d96e5f90797da7ec8dc4e276260c7f3f87fedf68775fbe1ef116e996fc60441b"),
    modules: Modules {
        deposit: Some(hex!("9B3FE5E5a3bcEa5df4E08c41Ce89C4e3Ff01Ace3")),
        external_transfer: None,
        whitelisted_recipient: None,
        vault: None,
        session_key: None,
        ..MODULES_V3
    },
    settlement: None,
    nonce_unit: NonceUnit::MillisAndThreeDigits,
    headers: HEADERS_V2,
    decimals_max: 18,
};

/// v2 test network (901).
pub const V2_TESTNET: Dialect = Dialect {
    name: "v2-testnet",
    rest: "https://api-demo.lyra.finance",
    ws: "wss://api-demo.lyra.finance/ws",
    chain_id: 901,
    verifying_contract: hex!("3cc154e220c2197c5337b7Bd13363DD127Bc0C6E"),
    domain_separator: hex!("9bcf4dc06df5d8bf23af818d5716491b995020f377d3b7b64c29ed14e3dd1105"),
    modules: Modules {
        trade: hex!("87F2863866D85E3192a35A73b388BD625D83f2be"),
        transfer: hex!("0CFC1a4a90741aB242cAfaCD798b409E12e68926"),
        withdrawal: hex!("e850641C5207dc5E9423fB15f89ae6031A05fd92"),
        rfq: hex!("4E4DD8Be1e461913D9A5DBC4B830e67a8694ebCa"),
        liquidation: hex!("fC3d7465C6Aa57d7Ba39ed70F143F89E1f823f37"),
        deposit: Some(hex!("43223Db33AdA0575D2E100829543f8B04A37a1ec")),
        external_transfer: None,
        whitelisted_recipient: None,
        vault: None,
        session_key: None,
    },
    ..V2_MAINNET
};

/// Every dialect we speak.
pub const DIALECTS: [&Dialect; 5] = [&MAINNET, &TESTNET, &LOCAL, &V2_MAINNET, &V2_TESTNET];

/// One name, one dialect.
impl Hash for Dialect {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.name, self.chain_id).hash(state);
    }
}

impl Dialect {
    /// True if fills settle on a chain after they are told, and may be taken back there.
    pub fn settles_fills(&self) -> bool {
        self.generation == Generation::V2
    }

    /// The dialect of that name, if any.
    pub fn named(name: &str) -> Option<&'static Dialect> {
        DIALECTS.into_iter().find(|dialect| dialect.name == name)
    }
}

/// A place to connect to and the dialect whose signatures hold there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// REST base address, without a trailing slash.
    pub rest: Cow<'static, str>,
    /// WebSocket address.
    pub ws: Cow<'static, str>,
    /// What is signed and named there.
    pub dialect: &'static Dialect,
}

impl Environment {
    /// The public endpoints of a dialect.
    pub fn public(dialect: &'static Dialect) -> Environment {
        Environment { rest: Cow::Borrowed(dialect.rest), ws: Cow::Borrowed(dialect.ws), dialect }
    }

    /// An embedded exchange listening at `listen` and verifying signatures as `dialect` would.
    pub fn embedded(listen: SocketAddr, dialect: &'static Dialect) -> Environment {
        let root = match dialect.generation {
            Generation::V2 => "",
            Generation::V3 => "/v3",
        };
        Environment {
            rest: Cow::Owned(format!("http://{listen}{root}")),
            ws: Cow::Owned(format!("ws://{listen}{root}/ws")),
            dialect,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::keccak256;

    use super::*;

    fn separator(dialect: &Dialect) -> Word {
        let mut preimage = Vec::new();
        for text in [DOMAIN_TYPE, DOMAIN_NAME, DOMAIN_VERSION] {
            preimage.extend_from_slice(keccak256(text).as_slice());
        }
        preimage.extend_from_slice(&[0; 24]);
        preimage.extend_from_slice(&dialect.chain_id.to_be_bytes());
        preimage.extend_from_slice(&[0; 12]);
        preimage.extend_from_slice(&dialect.verifying_contract);
        keccak256(preimage).0
    }

    #[test]
    fn every_separator_and_the_type_hash_follow_from_their_type_strings() {
        assert_eq!(keccak256(ACTION_TYPE).0, ACTION_TYPEHASH);
        for dialect in DIALECTS {
            assert_eq!(separator(dialect), dialect.domain_separator, "{}", dialect.name);
        }
    }

    #[test]
    fn dialects_are_found_by_name_and_told_apart() {
        for dialect in DIALECTS {
            assert_eq!(Dialect::named(dialect.name), Some(dialect));
        }
        assert_eq!(Dialect::named("Mainnet"), None);
        assert_eq!(TESTNET.generation, Generation::V3);
        assert_eq!(V2_TESTNET.headers.wallet, "X-LyraWallet");
        assert_eq!(V2_MAINNET.modules.vault, None);
    }

    #[test]
    fn an_embedded_exchange_borrows_any_domain() {
        let listen = SocketAddr::from(([127, 0, 0, 1], 9000));
        let here = Environment::embedded(listen, &TESTNET);
        assert_eq!((&*here.rest, &*here.ws), ("http://127.0.0.1:9000/v3", "ws://127.0.0.1:9000/v3/ws"));
        assert_eq!(here.dialect.chain_id, 11_155_111);
        let v2 = Environment::embedded(listen, &V2_MAINNET);
        assert_eq!((&*v2.rest, &*v2.ws), ("http://127.0.0.1:9000", "ws://127.0.0.1:9000/ws"));
        assert_eq!(&*Environment::public(&MAINNET).ws, "wss://api.derive.xyz/v3/ws");
    }
}
