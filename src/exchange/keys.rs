//! Session keys and what they may do (Derive §2.3).

use super::catalog::Kind;
use crate::base::time::Nanos;
use alloy_primitives::Address;
use serde_json::{Value, json};

/// Protocol scopes in the order of the codes that are signed.
pub const SCOPES: [&str; 23] = [
    "admin",
    "withdraw",
    "trade:all",
    "trade:orderbook:all",
    "trade:orderbook:spot",
    "trade:orderbook:perp",
    "trade:orderbook:option",
    "trade:rfq:all",
    "trade:rfq:spot",
    "trade:rfq:perp",
    "trade:rfq:option",
    "transfer:all",
    "transfer:existing_subaccount",
    "transfer:new_subaccount",
    "transfer:different_owner_subaccount",
    "set_session_key",
    "liquidate",
    "vault:all",
    "vault:curator_create",
    "vault:curator_mint_and_burn",
    "vault:user_deposit",
    "vault:user_withdraw",
    "vault:user_cancel",
];

/// A set of protocol scopes, one bit per code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scopes(u32);

/// What a request needs a key to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Any protocol scope, or `account_info`.
    Read,
    /// Any trade scope: cancels, market-maker protection.
    AnyTrade,
    /// Orders on the book in instruments of a kind.
    Orderbook(Kind),
    /// Any RFQ scope: cancelling requests and quotes.
    AnyRfq,
    /// Requests, quotes and executions with legs of a kind.
    Rfq(Kind),
    /// `trade:all` over every subaccount: cancel-on-disconnect.
    AllTrade,
    /// Taking capital out.
    Withdraw,
    /// Registering further keys.
    SetSessionKey,
}

/// The code of a scope name; the older SDK spelling of code 15 is understood too.
pub fn scope_code(name: &str) -> Option<u8> {
    let name = if name == "create_session_key" { "set_session_key" } else { name };
    SCOPES.iter().position(|s| *s == name).map(|p| p as u8)
}

impl Scopes {
    /// The set of some names; the first unknown name is the error.
    pub fn from_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Scopes, &'a str> {
        let mut bits = 0;
        for name in names {
            bits |= 1 << scope_code(name).ok_or(name)?;
        }
        Ok(Scopes(bits))
    }

    /// Codes held, ascending.
    pub fn codes(self) -> Vec<u8> {
        (0..SCOPES.len() as u8).filter(|code| self.0 >> code & 1 == 1).collect()
    }

    /// Names held.
    pub fn names(self) -> Vec<&'static str> {
        self.codes().into_iter().map(|code| SCOPES[code as usize]).collect()
    }

    /// True if the set covers a scope, by itself, its branch or `admin`.
    pub fn covers(self, code: u8) -> bool {
        let name = SCOPES[code as usize];
        let branch = |scope: &str| {
            scope == "admin" || scope == name || scope.strip_suffix("all").is_some_and(|stem| name.starts_with(stem))
        };
        self.names().into_iter().any(branch)
    }

    /// True if every scope of `other` is covered.
    pub fn includes(self, other: Scopes) -> bool {
        other.codes().into_iter().all(|code| self.covers(code))
    }

    fn any_trade(self) -> bool {
        (2..=10).any(|code| self.covers(code))
    }
}

/// A registered key.
#[derive(Clone, Debug)]
pub struct SessionKey {
    /// Lapses at this unix second.
    pub expiry_s: u64,
    /// Registered at this unix second.
    pub registered_s: u64,
    /// Protocol scopes.
    pub scopes: Scopes,
    /// Off-chain scope `account_info`.
    pub account_info: bool,
    /// Subaccounts it may act for; empty is all.
    pub subaccounts: Vec<u64>,
    /// Free text.
    pub label: String,
    /// Addresses it may come from; kept, not enforced on loopback.
    pub ip_whitelist: Vec<String>,
}

impl SessionKey {
    /// True while the key lives.
    pub fn is_live(&self, at: Nanos) -> bool {
        at.secs() < self.expiry_s
    }

    /// True if the key may act for a subaccount.
    pub fn reaches(&self, sub: u64) -> bool {
        self.subaccounts.is_empty() || self.subaccounts.contains(&sub)
    }

    /// True if the key's scopes satisfy a need.
    pub fn satisfies(&self, need: Need) -> bool {
        match need {
            Need::Read => self.account_info || self.scopes != Scopes::default(),
            Need::AnyTrade => self.scopes.any_trade(),
            Need::Orderbook(Kind::Erc20) => self.scopes.covers(4),
            Need::Orderbook(Kind::Perp) => self.scopes.covers(5),
            Need::Orderbook(Kind::Option) => self.scopes.covers(6),
            Need::AnyRfq => (7..=10).any(|code| self.scopes.covers(code)),
            Need::Rfq(Kind::Erc20) => self.scopes.covers(8),
            Need::Rfq(Kind::Perp) => self.scopes.covers(9),
            Need::Rfq(Kind::Option) => self.scopes.covers(10),
            Need::AllTrade => self.scopes.covers(2) && self.subaccounts.is_empty(),
            Need::Withdraw => self.scopes.covers(1),
            Need::SetSessionKey => self.scopes.covers(15),
        }
    }

    /// A row of `private/session_keys`.
    pub fn json(&self, address: Address) -> Value {
        let offchain: &[&str] = if self.account_info { &["account_info"] } else { &[] };
        json!({
            "public_session_key": address.to_string(), "expiry_sec": self.expiry_s,
            "registered_sec": self.registered_s, "label": self.label, "ip_whitelist": self.ip_whitelist,
            "protocol_scopes": self.scopes.names(), "offchain_scopes": offchain, "subaccount_ids": self.subaccounts,
        })
    }
}

/// What may become of a wallet's session keys while they are in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyLoss {
    /// They are registered no more.
    Deregistered,
    /// They may read, and do nothing else.
    ScopesCut,
    /// Where they are used from is on no list.
    Barred,
}

impl KeyLoss {
    /// Every one.
    pub const ALL: [KeyLoss; 3] = [KeyLoss::Deregistered, KeyLoss::ScopesCut, KeyLoss::Barred];

    /// The code with which such a key is refused a need, if it is.
    pub(super) const fn refuses(self, need: Need) -> Option<i64> {
        match (self, need) {
            (KeyLoss::Deregistered, _) => Some(14026),
            (KeyLoss::ScopesCut, Need::Read) => None,
            (KeyLoss::ScopesCut, _) => Some(14031),
            (KeyLoss::Barred, _) => Some(14029),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_cover_their_leaves_and_nothing_else() {
        let table = [
            ("admin", "withdraw", true),
            ("trade:all", "trade:orderbook:perp", true),
            ("trade:all", "trade:rfq:all", true),
            ("trade:orderbook:all", "trade:orderbook:spot", true),
            ("trade:orderbook:all", "trade:rfq:spot", false),
            ("trade:orderbook:spot", "trade:orderbook:perp", false),
            ("trade:orderbook:spot", "trade:all", false),
            ("transfer:all", "transfer:new_subaccount", true),
            ("vault:all", "trade:all", false),
            ("create_session_key", "set_session_key", true),
        ];
        for (held, wanted, covered) in table {
            let scopes = Scopes::from_names([held]).expect("known");
            assert_eq!(scopes.covers(scope_code(wanted).expect("known")), covered, "{held} over {wanted}");
        }
        assert_eq!(Scopes::from_names(["trade:everything"]), Err("trade:everything"));
    }
}
