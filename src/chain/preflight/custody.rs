//! Whether capital can move, and prices are fresh: the terms of a vault's shares, who keeps them, what its token and its
//! wrapper allow, and the age of its feed.

use super::Line;
use crate::chain::abi::{Erc20, TSAParams, VaultShares, VaultSigner, Wrapper};
use crate::chain::feed::{FeedState, FeedWatch};
use crate::chain::node::{CallError, Node};
use crate::msg::Flow;
use crate::risk::capital::CapitalLimits;
use alloy::primitives::utils::format_ether;
use alloy::primitives::{Address, U256};

/// When a feed was told its price, and how old that may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedAge {
    /// Age at the newest block, seconds; none if it is older than its heartbeat by far.
    pub age_s: Option<u64>,
    /// Oldest price it answers with, seconds.
    pub heartbeat_s: u64,
}

impl FeedAge {
    /// Reads it.
    pub async fn read(node: &Node, feed: Address) -> Result<FeedAge, CallError> {
        let (head, _) = node.head().await?;
        let FeedState { signed_s, heartbeat_s } = FeedWatch::new(feed).read(node, head.number).await?;
        Ok(FeedAge { age_s: signed_s.map(|at| head.time_s.saturating_sub(at)), heartbeat_s })
    }

    /// Whether it will still answer `margin_s` later.
    pub fn lasts(&self, margin_s: u64) -> bool {
        self.age_s.is_some_and(|age| age.saturating_add(margin_s) <= self.heartbeat_s)
    }

    /// A line of it.
    pub fn line(&self) -> Line {
        let found = self.age_s.map_or("not updated within its heartbeat".to_owned(), |age| age.to_string());
        let expected = format!("at most {}", self.heartbeat_s);
        Line { what: "age of the feed, s".to_owned(), found, expected, sound: self.lasts(0) }
    }
}

/// The feed's age as a line, read or not.
pub async fn feed_line(node: &Node, feed: Address) -> Line {
    match FeedAge::read(node, feed).await {
        Ok(age) => age.line(),
        Err(why) => Line::unread("age of the feed, s", &why, "at most its heartbeat"),
    }
}

/// What capital needs of the chain.
pub struct Custody<'a> {
    /// Node of the contract's network.
    pub node: &'a Node,
    /// The vault's contract.
    pub vault: Address,
    /// The subaccount it trades.
    pub subaccount: u64,
    /// Module that fetches deposits.
    pub deposit_module: Option<Address>,
    /// What its capital may do.
    pub capital: &'a CapitalLimits,
    /// The key that keeps its shares, if they are kept.
    pub keeper: Option<Address>,
}

impl Custody<'_> {
    /// A line for everything that is wanted; none if no capital may move and nobody keeps.
    pub async fn lines(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        if let Some(keeper) = self.keeper {
            let call = VaultShares::shareKeeperCall { keeper };
            lines.push(match self.node.view(self.vault, call).await {
                Ok(listed) => Line::equal("keeper may keep", listed, true),
                Err(why) => Line::unread("keeper may keep", &why, true),
            });
        }
        if !self.capital.allows(Flow::Deposit) && !self.capital.allows(Flow::Withdrawal) {
            return lines;
        }
        match self.node.view(self.vault, VaultShares::getTSAParamsCall {}).await {
            Ok(found) => lines.extend(self.share_lines(&found)),
            Err(why) => lines.push(Line::unread("terms of the shares", &why, "TSAParams")),
        }
        match self.node.view(self.vault, VaultSigner::getBaseTSAAddressesCall {}).await {
            Ok(found) => lines.extend(self.token_lines(found.depositAsset, found.wrappedDepositAsset).await),
            Err(why) => lines.push(Line::unread("token and wrapper", &why, "BaseTSAAddresses")),
        }
        lines
    }

    /// Cap and least deposit are in the token's decimals there, in 18 here.
    fn share_lines(&self, found: &TSAParams) -> [Line; 5] {
        let ours = &self.capital.shares;
        let native = |wad: U256| wad / U256::from(10).pow(U256::from(18 - self.capital.token_decimals.min(18)));
        [
            Line::equal("most the vault may be worth", found.depositCap, native(ours.deposit_cap)),
            Line::equal("least deposit", found.minDepositValue, native(ours.deposit_min)),
            Line::equal("scale of deposits", format_ether(found.depositScale), format_ether(ours.deposit_scale)),
            Line::equal("scale of withdrawals", format_ether(found.withdrawScale), format_ether(ours.withdraw_scale)),
            Line::equal("management fee", format_ether(found.managementFee), format_ether(ours.management_fee)),
        ]
    }

    async fn token_lines(&self, token: Address, wrapper: Address) -> Vec<Line> {
        let decimals = self.capital.token_decimals;
        let mut lines = vec![match self.node.view(token, Erc20::decimalsCall {}).await {
            Ok(found) => Line::equal("decimals of the token", found, decimals),
            Err(why) => Line::unread("decimals of the token", &why, decimals),
        }];
        if let Some(spender) = self.deposit_module.filter(|_| self.capital.allows(Flow::Deposit)) {
            let most = U256::from(self.capital.in_token(self.capital.deposit_max));
            let what = "allowance of the deposit module";
            lines.push(match self.node.view(token, Erc20::allowanceCall { holder: self.vault, spender }).await {
                Ok(found) => Line::at_least(what, found, most, |tokens: U256| tokens.to_string()),
                Err(why) => Line::unread(what, &why, format!("at least {most}")),
            });
            lines.push(self.whitelist(wrapper).await);
        }
        lines
    }

    /// Not every wrapper has a list; one without takes deposits for all.
    async fn whitelist(&self, wrapper: Address) -> Line {
        let what = "subaccount may deposit";
        match self.node.view(wrapper, Wrapper::wlEnabledCall {}).await {
            Ok(false) => return Line::told(what, "any"),
            Ok(true) => {}
            Err(CallError::Reverted(_)) => return Line::told(what, "no list to be read"),
            Err(why) => return Line::unread(what, &why, true),
        }
        let call = Wrapper::wlAccountsCall { subaccount: U256::from(self.subaccount) };
        match self.node.view(wrapper, call).await {
            Ok(listed) => Line::equal(what, listed, true),
            Err(why) => Line::unread(what, &why, true),
        }
    }
}
