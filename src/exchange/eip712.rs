//! Recovers who signed an action: ABI encoding by alloy, EIP-712 envelope, secp256k1 recovery.
//!
//! Written against alloy alone; the engine's own encoder is deliberately not used, so the two check each other.

use super::Network;
use alloy::sol_types::{SolValue, eip712_domain};
use alloy_primitives::{Address, B256, I256, Signature, U256, address, b256, eip191_hash_message, keccak256};

/// keccak256 of the Action type (Derive §1.1).
pub const ACTION_TYPEHASH: B256 = b256!("4d7a9f27c403ff9c0f19bce61d76d82f9aa29f8d6d4b0c5474607d9770d1af17");

/// Module addresses of v3 (Derive §1.2); v2's main network has the same for what both know.
pub mod module {
    use super::{Address, address};
    /// Orders and replaces.
    pub const TRADE: Address = address!("B8D20c2B7a1Ad2EE33Bc50eF10876eD3035b5e7b");
    /// Transfers between own subaccounts.
    pub const TRANSFER: Address = address!("01259207A40925b794C8ac320456F7F6c8FE2636");
    /// Withdrawals.
    pub const WITHDRAWAL: Address = address!("9d0E8f5b25384C7310CB8C6aE32C8fbeb645d083");
    /// RFQ quotes and executions, and position transfers.
    pub const RFQ: Address = address!("9371352CCef6f5b36EfDFE90942fFE622Ab77F1D");
    /// Transfers to other owners.
    pub const EXTERNAL_TRANSFER: Address = address!("8F9B8f12ddA05FB1F0DDDDe8f5af8cECF54f8aC9");
    /// Recipient whitelist.
    pub const WHITELIST: Address = address!("B86D6DE1b76c9839e4BA860848CD98A1dABd6B54");
    /// Session keys.
    pub const SESSION_KEY: Address = address!("e330CF64ff6EbF41699aad344Cb21d78db1D2bb6");
}

/// Modules for which a network's signatures are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Modules {
    /// Orders and replaces.
    pub trade: Address,
    /// RFQ quotes and executions.
    pub rfq: Address,
    /// Transfers between own subaccounts.
    pub transfer: Address,
    /// Withdrawals.
    pub withdrawal: Address,
}

/// The modules of a network.
pub const fn modules(network: Network) -> Modules {
    match network {
        Network::V2Testnet => Modules {
            trade: address!("87F2863866D85E3192a35A73b388BD625D83f2be"),
            rfq: address!("4E4DD8Be1e461913D9A5DBC4B830e67a8694ebCa"),
            transfer: address!("0CFC1a4a90741aB242cAfaCD798b409E12e68926"),
            withdrawal: address!("e850641C5207dc5E9423fB15f89ae6031A05fd92"),
        },
        Network::Mainnet | Network::Testnet | Network::Local | Network::V2Mainnet => Modules {
            trade: module::TRADE,
            rfq: module::RFQ,
            transfer: module::TRANSFER,
            withdrawal: module::WITHDRAWAL,
        },
    }
}

/// Where deposits are signed for; v3 has none.
pub const fn deposit_module(network: Network) -> Option<Address> {
    match network {
        Network::V2Mainnet => Some(address!("9B3FE5E5a3bcEa5df4E08c41Ce89C4e3Ff01Ace3")),
        Network::V2Testnet => Some(address!("43223Db33AdA0575D2E100829543f8B04A37a1ec")),
        Network::Mainnet | Network::Testnet | Network::Local => None,
    }
}

/// The contract inside the domain of a network.
pub const fn verifying_contract(network: Network) -> Address {
    match network {
        Network::V2Testnet => address!("3cc154e220c2197c5337b7Bd13363DD127Bc0C6E"),
        Network::Mainnet | Network::Testnet | Network::Local | Network::V2Mainnet => {
            address!("eB8d770ec18DB98Db922E9D83260A585b9F0DeAD")
        }
    }
}

/// The domain separator of a network, computed from its parts.
pub fn domain_separator(network: Network) -> B256 {
    let domain = eip712_domain! {
        name: "Matching",
        version: "1.0",
        chain_id: network.chain_id(),
        verifying_contract: verifying_contract(network),
    };
    domain.separator()
}

/// The signed envelope around a module's data (Derive §3.1).
#[derive(Clone, Debug)]
pub struct Action {
    /// Subaccount, 0 for account-level actions.
    pub subaccount: u64,
    /// Nonce as sent.
    pub nonce: u64,
    /// Which module the data is for.
    pub module: Address,
    /// The module's ABI-encoded data.
    pub data: Vec<u8>,
    /// Signature expiry, unix seconds.
    pub expiry: u64,
    /// Owner of the subaccount.
    pub owner: Address,
    /// Who claims to have signed.
    pub signer: Address,
}

impl Action {
    /// The struct hash.
    pub fn hash(&self) -> B256 {
        let words = (
            ACTION_TYPEHASH,
            U256::from(self.subaccount),
            U256::from(self.nonce),
            self.module,
            keccak256(&self.data),
            U256::from(self.expiry),
            self.owner,
            self.signer,
        );
        keccak256(words.abi_encode_params())
    }

    /// What is signed.
    pub fn digest(&self, domain: B256) -> B256 {
        let mut bytes = [0u8; 66];
        bytes[..2].copy_from_slice(&[0x19, 0x01]);
        bytes[2..34].copy_from_slice(domain.as_slice());
        bytes[34..].copy_from_slice(self.hash().as_slice());
        keccak256(bytes)
    }

    /// Who signed this action, whoever it names.
    pub fn recovered(&self, domain: B256, signature: &str) -> Option<Address> {
        recover(self.digest(domain), signature)
    }

    /// True if `signature` is this action signed by its `signer`.
    pub fn signed_by_signer(&self, domain: B256, signature: &str) -> bool {
        self.recovered(domain, signature) == Some(self.signer)
    }
}

/// The address whose key made a 65-byte hex signature of `digest`, with or without `0x`, v in {0, 1, 27, 28}.
/// High-s signatures are refused: they would give one order two names.
pub fn recover(digest: B256, signature: &str) -> Option<Address> {
    let hex = signature.strip_prefix("0x").unwrap_or(signature);
    let mut bytes = [0u8; 65];
    if hex.len() != 130 {
        return None;
    }
    alloy_primitives::hex::decode_to_slice(hex, &mut bytes).ok()?;
    let signature = Signature::from_raw_array(&bytes).ok()?;
    if signature.normalize_s().is_some() {
        return None;
    }
    signature.recover_address_from_prehash(&digest).ok()
}

/// Who signed a login timestamp (EIP-191, Derive §2.1).
pub fn recover_login(timestamp: &str, signature: &str) -> Option<Address> {
    recover(eip191_hash_message(timestamp.as_bytes()), signature)
}

/// Data of an order or replace.
#[allow(clippy::too_many_arguments)]
pub fn trade_data(
    asset: Address,
    sub_id: U256,
    limit_price: I256,
    amount: I256,
    max_fee: U256,
    recipient: u64,
    is_bid: bool,
) -> Vec<u8> {
    (asset, sub_id, limit_price, amount, max_fee, U256::from(recipient), is_bid).abi_encode_params()
}

/// One priced leg from the maker's side: asset, sub id, price, signed amount.
pub type Leg = (Address, U256, U256, I256);

/// Data of an RFQ quote: one dynamic tuple.
pub fn quote_data(max_fee: U256, legs: &[Leg]) -> Vec<u8> {
    (max_fee, legs.to_vec()).abi_encode()
}

/// The legs alone, as hashed into an execution.
pub fn legs_data(legs: &[Leg]) -> Vec<u8> {
    legs.to_vec().abi_encode()
}

/// Data of an RFQ execution.
pub fn execute_data(legs: &[Leg], max_fee: U256) -> Vec<u8> {
    (keccak256(legs_data(legs)), max_fee).abi_encode_params()
}

/// Data of a withdrawal; `amount` in the ERC-20's own decimals.
pub fn withdraw_data(asset: Address, max_fee: U256, recipient: Address, amount: U256, force_batch: bool) -> Vec<u8> {
    (asset, max_fee, recipient, amount, force_batch).abi_encode_params()
}

/// Data of a transfer between subaccounts of one owner.
pub fn transfer_data(to: u64, new_manager: u32, asset: Address, sub_id: U256, amount: U256, max_fee: U256) -> Vec<u8> {
    (U256::from(to), U256::from(new_manager), asset, sub_id, amount, max_fee).abi_encode_params()
}

/// Data of a transfer to another owner.
pub fn external_transfer_data(
    to: u64,
    new_manager: u32,
    asset: Address,
    sub_id: U256,
    amount: U256,
    max_fee: U256,
    recipient: Address,
) -> Vec<u8> {
    (U256::from(to), U256::from(new_manager), asset, sub_id, amount, max_fee, recipient).abi_encode_params()
}

/// Data of a session-key registration.
pub fn session_key_data(key: Address, expiry_s: u64, scopes: &[u8], subaccounts: &[u64]) -> Vec<u8> {
    let scopes: Vec<U256> = scopes.iter().map(|s| U256::from(*s)).collect();
    let subaccounts: Vec<U256> = subaccounts.iter().map(|s| U256::from(*s)).collect();
    (key, U256::from(expiry_s), scopes, subaccounts).abi_encode_params()
}

/// Data of a change to the recipient whitelist.
pub fn whitelist_data(add: &[Address], remove: &[Address]) -> Vec<u8> {
    (add.to_vec(), remove.to_vec()).abi_encode_params()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::hex;

    #[test]
    fn domain_separators_equal_the_published_table() {
        let table = [
            (Network::Mainnet, "da616dfabb88681b08e1592820a41d55ddc62d68de110e327ae99d734506fe19"),
            (Network::Testnet, "24d674cd5f2b9d564691c51e9d88f649b99246a2244dd74ce27b96578d773e85"),
            (Network::Local, "8a010a34fc48f792a220b0b63077f0f8ba664f21340882d60fb34b4959397842"),
            (Network::V2Mainnet, "d96e5f90797da7ec8dc4e276260c7f3f87fedf68775fbe1ef116e996fc60441b"),
            (Network::V2Testnet, "9bcf4dc06df5d8bf23af818d5716491b995020f377d3b7b64c29ed14e3dd1105"),
        ];
        for (network, separator) in table {
            assert_eq!(hex::encode(domain_separator(network)), separator, "{network:?}");
        }
        let type_text = "Action(uint256 subaccountId,uint256 nonce,address module,bytes data,uint256 expiry,address owner,address signer)";
        assert_eq!(keccak256(type_text), ACTION_TYPEHASH);
    }

    #[test]
    fn a_server_verified_testnet_envelope_recovers_to_its_signer() {
        let e18 = U256::from(10).pow(U256::from(18));
        let signed = |v: u64| I256::try_from(U256::from(v) * e18).expect("small");
        let data = trade_data(
            address!("4BB4C3CDc7562f08e9910A0C7D8bB7e108861eB4"),
            U256::from(2_576_980_377_601_813_910_400u128),
            signed(100),
            signed(1),
            U256::from(1000) * e18,
            75_723,
            true,
        );
        assert_eq!(data.len(), 224);
        let action = Action {
            subaccount: 75_723,
            nonce: 1_754_472_862_000_000_000,
            module: module::TRADE,
            data,
            expiry: 1_893_456_000,
            owner: address!("5cb67F7829d01d9C75385A920De5E51060663374"),
            signer: address!("0e94ecA48AC699d2237F3732210f8216A497ab16"),
        };
        assert_eq!(hex::encode(action.hash()), "6c2ecd6541a41253440c87af220091c505d06ca0e826546af3c993d2588759d0");
        let signature = "0x1f6369ba4e27fb82512ee625954d636b565ba36a4d6b7b431f23afdd09dd3a2901b4b8b5c738ee1f9e33cd0705c66904a8b7d2e3e5d9b58c9771c7dbab6983391b";
        let domain = domain_separator(Network::Testnet);
        assert!(action.signed_by_signer(domain, signature));
        assert!(action.signed_by_signer(domain, &signature[2..]), "prefix is optional");
        assert!(!action.signed_by_signer(domain_separator(Network::Mainnet), signature), "wrong chain");
        for place in [2, 40, 100] {
            let mut broken = signature.to_string().into_bytes();
            broken[place] = if broken[place] == b'1' { b'2' } else { b'1' };
            let broken = String::from_utf8(broken).expect("ascii");
            assert!(!action.signed_by_signer(domain, &broken), "byte {place}");
        }
        for bad in ["", "0x", "zz", &signature[..130]] {
            assert_eq!(recover(action.digest(domain), bad), None, "{bad}");
        }
    }

    #[test]
    fn a_known_login_signature_recovers_to_its_wallet() {
        let signature = "fd4979f6864297a52467b2c3399627e8da22fa5e4a1c05a4753244b9dd8fd5383d405dd02545a193eaaeaa84616391d83ede2ba340758c696082c9ee70ca18251b";
        let wallet = address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
        assert_eq!(recover_login("1763683200000", signature), Some(wallet));
        assert_ne!(recover_login("1763683200001", signature), Some(wallet));
    }
}
