//! A price feed followed by its own events: a feed has no view of its timestamp, and refuses to answer when what it holds
//! is older than its heartbeat.

use super::abi::SpotFeed;
use super::node::{CallError, Node};
use alloy::primitives::Address;
use alloy::sol_types::SolEvent;

/// One spot feed.
#[derive(Clone, Copy, Debug)]
pub struct FeedWatch {
    feed: Address,
    heartbeat_s: Option<u64>,
    /// Its newest price: the block it came in, and when it was signed, Unix seconds.
    newest: Option<(u64, u64)>,
}

/// What a feed holds. One that cannot be read holds nothing and has no heartbeat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeedState {
    /// When its price was signed, Unix seconds; none if that is longer ago than its heartbeat.
    pub signed_s: Option<u64>,
    /// Oldest price it answers with, seconds.
    pub heartbeat_s: u64,
}

/// Ten thousand basis points.
const WHOLE_BPS: u64 = 10_000;

impl FeedState {
    /// The last second at which it answers if it is told nothing more, Unix seconds; zero if it does not.
    pub fn answers_until_s(&self) -> u64 {
        self.signed_s.map_or(0, |signed_s| signed_s.saturating_add(self.heartbeat_s))
    }

    /// Whether its price is older than this share of its heartbeat at that second; not known of one that cannot be read.
    pub fn is_older(&self, share_bps: u64, at_s: u64) -> bool {
        let share_s = self.heartbeat_s.saturating_mul(share_bps) / WHOLE_BPS;
        self.heartbeat_s > 0 && self.signed_s.is_none_or(|signed_s| signed_s.saturating_add(share_s) < at_s)
    }
}

impl FeedWatch {
    /// Nothing is known of it yet.
    pub fn new(feed: Address) -> FeedWatch {
        FeedWatch { feed, heartbeat_s: None, newest: None }
    }

    /// What it holds at the block of this height, from the events since its newest price.
    pub async fn read(&mut self, node: &Node, block: u64) -> Result<FeedState, CallError> {
        let heartbeat_s = match self.heartbeat_s {
            Some(known) => known,
            None => *self.heartbeat_s.insert(node.view(self.feed, SpotFeed::heartbeatCall {}).await?),
        };
        // Blocks are a second apart or more.
        let oldest = block.saturating_sub(heartbeat_s);
        let known = self.newest.map_or(oldest, |(at, _)| at.clamp(oldest, block));
        self.newest = self.search(node, known, block).await?;
        // A reorg took the price that was known.
        if self.newest.is_none() && known > oldest {
            self.newest = self.search(node, oldest, block).await?;
        }
        Ok(FeedState { signed_s: self.newest.map(|(_, signed_s)| signed_s), heartbeat_s })
    }

    async fn search(&self, node: &Node, from: u64, upto: u64) -> Result<Option<(u64, u64)>, CallError> {
        let found = node.events(self.feed, &[SpotFeed::SpotPriceUpdated::SIGNATURE_HASH], from, upto).await?;
        let Some(event) = found.last() else { return Ok(None) };
        let told = SpotFeed::SpotPriceUpdated::abi_decode_data(&event.data);
        let (.., signed_s) = told.map_err(|why| CallError::Node(format!("SpotPriceUpdated: {why}")))?;
        Ok(Some((event.block, signed_s)))
    }
}
