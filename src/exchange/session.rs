//! Connections and the channels they listen to.

use super::limits::Budgets;
use super::outbox::ConnId;
use super::params::parse_address;
use super::{Exchange, TxStatus};
use alloy_primitives::Address;
use std::collections::{BTreeMap, BTreeSet};

/// Channels one connection may hold.
pub const CHANNELS_MAX: usize = 500;

/// Who speaks: an account and the key that proved it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Account owner.
    pub wallet: Address,
    /// The owner itself or a session key.
    pub signer: Address,
}

/// A WebSocket peer.
#[derive(Clone, Debug, Default)]
pub struct Connection {
    /// Set by `public/login`.
    pub login: Option<Caller>,
    /// Request budgets before login.
    pub budgets: Budgets,
    /// Channels subscribed.
    pub channels: BTreeSet<String>,
}

/// A parsed channel name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Channel {
    /// `ticker_slim.{instrument}.{ms}`.
    Ticker {
        /// Catalog place.
        instrument: usize,
        /// Cadence.
        every_ms: u64,
    },
    /// `orderbook.{instrument}.{group}.{depth}`.
    Book {
        /// Catalog place.
        instrument: usize,
        /// Ticks per level.
        group: u64,
        /// Levels per side.
        depth: usize,
    },
    /// `trades.{instrument}` and `trades.{kind}.{currency}`.
    Trades,
    /// `spot_feed.{currency}`, all currencies if `None`.
    Spot(Option<&'static str>),
    /// `margin.watch`.
    MarginWatch,
    /// `auctions.watch`: nothing is ever auctioned here.
    Auctions,
    /// A private channel of a subaccount.
    Subaccount(u64),
    /// `{wallet}.rfqs`.
    Rfqs(Address),
}

impl Channel {
    /// The catalog place the channel names.
    pub const fn instrument(&self) -> Option<usize> {
        match self {
            Channel::Ticker { instrument, .. } | Channel::Book { instrument, .. } => Some(*instrument),
            _ => None,
        }
    }
}

/// The listeners of a channel.
#[derive(Clone, Debug)]
pub struct Topic {
    /// What it carries.
    pub channel: Channel,
    /// Who listens.
    pub conns: BTreeSet<ConnId>,
    /// Version of the content last published.
    pub published: u64,
}

/// All channels that have listeners.
pub type Topics = BTreeMap<String, Topic>;

impl Exchange {
    /// Understands a channel name; the error is the text for the subscription status.
    pub(super) fn parse_channel(&self, name: &str) -> Result<Channel, String> {
        let parts: Vec<&str> = name.split('.').collect();
        match parts[..] {
            ["ticker_slim", instrument, every] => {
                let every_ms = one_of(every, &[100, 1000])?;
                Ok(Channel::Ticker { instrument: self.channel_instrument(instrument)?, every_ms })
            }
            ["orderbook", instrument, group, depth] => Ok(Channel::Book {
                instrument: self.channel_instrument(instrument)?,
                group: one_of(group, &[1, 10, 100])?,
                depth: one_of(depth, &[1, 10, 20, 100])? as usize,
            }),
            ["trades", instrument] => self.channel_instrument(instrument).map(|_| Channel::Trades),
            ["trades", kind, currency] => {
                if !["erc20", "option", "perp"].contains(&kind) {
                    return Err(format!("Invalid enum value {kind}"));
                }
                self.channel_currency(currency).map(|_| Channel::Trades)
            }
            ["trades", kind, currency, status] if self.settles() => {
                tx_status(status)?;
                self.parse_channel(&format!("trades.{kind}.{currency}"))
            }
            [sub, "trades", status] if self.settles() => {
                tx_status(status)?;
                self.parse_channel(&format!("{sub}.trades"))
            }
            ["spot_feed", "ALL"] => Ok(Channel::Spot(None)),
            ["spot_feed", currency] => self.channel_currency(currency).map(|c| Channel::Spot(Some(c))),
            ["auctions", "watch"] => Ok(Channel::Auctions),
            ["margin", "watch"] => Ok(Channel::MarginWatch),
            [sub, "orders" | "trades" | "balances" | "quotes"] | [sub, "best", "quotes"] => {
                let known = sub.parse().ok().filter(|id| self.subs.contains_key(id));
                known.map(Channel::Subaccount).ok_or_else(|| format!("Subaccount {sub} not found"))
            }
            [wallet, "rfqs"] => {
                let wallet = parse_address(wallet).ok_or_else(|| format!("Invalid address {wallet}"))?;
                Ok(Channel::Rfqs(wallet))
            }
            _ => Err(format!("Invalid channel {name}")),
        }
    }

    fn channel_instrument(&self, name: &str) -> Result<usize, String> {
        self.find_instrument(name).map_err(|_| format!("Instrument {name} not found"))
    }

    fn channel_currency(&self, name: &str) -> Result<&'static str, String> {
        self.find_asset(name).map(|a| a.name).ok_or_else(|| format!("Currency {name} not found"))
    }

    /// True if anyone listens to a channel.
    pub(super) fn heard(&self, channel: &str) -> bool {
        self.topics.contains_key(channel)
    }

    /// Ends a connection's subscription; the topic goes with its last listener.
    pub(super) fn unlisten(&mut self, conn: ConnId, channel: &str) {
        if let Some(topic) = self.topics.get_mut(channel) {
            topic.conns.remove(&conn);
            if topic.conns.is_empty() {
                self.topics.remove(channel);
            }
        }
    }
}

/// A state of a fill on the chain, by its word; the error is the text for the subscription status.
pub fn tx_status(text: &str) -> Result<TxStatus, String> {
    TxStatus::ALL.into_iter().find(|status| status.wire() == text).ok_or_else(|| format!("Invalid enum value {text}"))
}

fn one_of(text: &str, allowed: &[u64]) -> Result<u64, String> {
    let value = text.parse().ok().filter(|v| allowed.contains(v));
    value.ok_or_else(|| format!("Invalid value {text}, allowed {allowed:?}"))
}
