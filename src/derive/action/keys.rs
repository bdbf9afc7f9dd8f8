//! Who may act and who may receive: session keys and whitelisted recipients, both signed on subaccount zero.

use super::words::Words;
use crate::base::ids::SubaccountId;
use crate::derive::dialect::Address;

/// A protocol scope of a session key; the discriminant is the signed code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum Scope {
    Admin = 0,
    Withdraw = 1,
    TradeAll = 2,
    TradeOrderbookAll = 3,
    TradeOrderbookSpot = 4,
    TradeOrderbookPerp = 5,
    TradeOrderbookOption = 6,
    TradeRfqAll = 7,
    TradeRfqSpot = 8,
    TradeRfqPerp = 9,
    TradeRfqOption = 10,
    TransferAll = 11,
    TransferExistingSubaccount = 12,
    TransferNewSubaccount = 13,
    TransferDifferentOwner = 14,
    SetSessionKey = 15,
    Liquidate = 16,
    VaultAll = 17,
    VaultCuratorCreate = 18,
    VaultCuratorMintAndBurn = 19,
    VaultUserDeposit = 20,
    VaultUserWithdraw = 21,
    VaultUserCancel = 22,
}

/// Every scope with the venue's word for it. Code 15 is also spelled `create_session_key` by older SDKs.
pub const SCOPES: [(Scope, &str); 23] = [
    (Scope::Admin, "admin"),
    (Scope::Withdraw, "withdraw"),
    (Scope::TradeAll, "trade:all"),
    (Scope::TradeOrderbookAll, "trade:orderbook:all"),
    (Scope::TradeOrderbookSpot, "trade:orderbook:spot"),
    (Scope::TradeOrderbookPerp, "trade:orderbook:perp"),
    (Scope::TradeOrderbookOption, "trade:orderbook:option"),
    (Scope::TradeRfqAll, "trade:rfq:all"),
    (Scope::TradeRfqSpot, "trade:rfq:spot"),
    (Scope::TradeRfqPerp, "trade:rfq:perp"),
    (Scope::TradeRfqOption, "trade:rfq:option"),
    (Scope::TransferAll, "transfer:all"),
    (Scope::TransferExistingSubaccount, "transfer:existing_subaccount"),
    (Scope::TransferNewSubaccount, "transfer:new_subaccount"),
    (Scope::TransferDifferentOwner, "transfer:different_owner_subaccount"),
    (Scope::SetSessionKey, "set_session_key"),
    (Scope::Liquidate, "liquidate"),
    (Scope::VaultAll, "vault:all"),
    (Scope::VaultCuratorCreate, "vault:curator_create"),
    (Scope::VaultCuratorMintAndBurn, "vault:curator_mint_and_burn"),
    (Scope::VaultUserDeposit, "vault:user_deposit"),
    (Scope::VaultUserWithdraw, "vault:user_withdraw"),
    (Scope::VaultUserCancel, "vault:user_cancel"),
];

impl Scope {
    /// The venue's word.
    pub const fn wire(self) -> &'static str {
        SCOPES[self as usize].1
    }

    /// The scope of a signed code.
    pub fn from_code(code: u64) -> Option<Scope> {
        usize::try_from(code).ok().and_then(|at| SCOPES.get(at)).map(|row| row.0)
    }

    /// The scope of a venue word, either spelling of code 15.
    pub fn parse(word: &str) -> Option<Scope> {
        if word == "create_session_key" {
            return Some(Scope::SetSessionKey);
        }
        SCOPES.iter().find(|row| row.1 == word).map(|row| row.0)
    }
}

/// Registers or shortens a session key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetSessionKey<'a> {
    /// The key's address.
    pub key: Address,
    /// When it lapses, unix seconds.
    pub expiry_sec: u64,
    /// What it may do.
    pub scopes: &'a [Scope],
    /// Where; empty means every subaccount of the wallet, now and later.
    pub subaccounts: &'a [SubaccountId],
}

impl SetSessionKey<'_> {
    /// The signed bytes.
    pub fn data(&self) -> Vec<u8> {
        let mut words = Words::with_capacity(6 + self.scopes.len() + self.subaccounts.len());
        let second_list = 32 * (4 + 1 + self.scopes.len());
        words.address(self.key).uint(self.expiry_sec.into()).uint(4 * 32).uint(second_list as u128);
        words.uint(self.scopes.len() as u128);
        for scope in self.scopes {
            words.uint(*scope as u128);
        }
        words.uint(self.subaccounts.len() as u128);
        for subaccount in self.subaccounts {
            words.uint(subaccount.0.into());
        }
        words.into_bytes()
    }
}

/// Adds and removes addresses that external transfers may go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateRecipients<'a> {
    /// Newly allowed.
    pub add: &'a [Address],
    /// No longer allowed.
    pub remove: &'a [Address],
}

impl UpdateRecipients<'_> {
    /// The signed bytes.
    pub fn data(&self) -> Vec<u8> {
        let mut words = Words::with_capacity(4 + self.add.len() + self.remove.len());
        words.uint(2 * 32).uint(32 * (2 + 1 + self.add.len()) as u128);
        for list in [self.add, self.remove] {
            words.uint(list.len() as u128);
            for address in list {
                words.address(*address);
            }
        }
        words.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scope_table_is_in_code_order_and_reads_back() {
        for (code, (scope, word)) in SCOPES.iter().enumerate() {
            assert_eq!(*scope as usize, code);
            assert_eq!(Scope::from_code(code as u64), Some(*scope));
            assert_eq!(Scope::parse(word), Some(*scope));
            assert_eq!(scope.wire(), *word);
        }
        assert_eq!(Scope::from_code(23), None);
        assert_eq!(Scope::parse("create_session_key"), Some(Scope::SetSessionKey));
    }
}
