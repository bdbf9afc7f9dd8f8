//! Bringing the collateral's feed a newer price before the one it holds is too old, which anybody may who has one with the
//! oracle's signature. A wish is still judged by what the feed is seen to hold in a block, never by what is on its way; nor does
//! it wait for that, since its own transaction comes behind.
//!
//! Only a vault that signs before trading is served. Where the contract approves inside the settlement of a fill, the exchange
//! sends the transaction at a moment of its own, from its own account, and the engine has neither a key that pays nor a
//! moment to be early for: a settlement that an old price reverts is undone by the venue and undone in our books.

use super::words::{Action, Alarm, RefreshTerms, SignedPrice, Word};
use super::{Presign, Stage};
use crate::chain::feed::FeedState;
use crate::chain::lane::{Fate, TxId};

/// Failures in a row after which a person hears of it, and again after as many more.
const FAILURES_TOLD: u32 = 3;

/// Where a price is on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Way {
    #[default]
    Idle,
    /// The venue is asked for it.
    Asked,
    /// Its transaction is out.
    Sent { tx: TxId, signed_s: u64 },
    /// Its transaction is in this block; the feed is yet to be seen there.
    Mined { tx: TxId, signed_s: u64, block: u64 },
}

/// The prices brought to one feed, one at a time.
#[derive(Debug, Default)]
pub(super) struct Refresh {
    way: Way,
    /// When the newest price that was ever sent was signed, Unix seconds: none as old is sent again.
    sent_s: u64,
    /// No price is asked for before this second.
    next_s: u64,
    failures: u32,
}

impl Refresh {
    /// The transaction that waits or is yet to be confirmed.
    pub(super) fn tx(&self) -> Option<TxId> {
        match self.way {
            Way::Sent { tx, .. } | Way::Mined { tx, .. } => Some(tx),
            Way::Idle | Way::Asked => None,
        }
    }

    fn failed(&mut self, why: String, out: &mut Vec<Action>) {
        self.way = Way::Idle;
        self.failures = self.failures.saturating_add(1);
        out.push(Action::Say(Word::NotRefreshed(why)));
        if self.failures.is_multiple_of(FAILURES_TOLD) {
            out.push(Action::Say(Word::Alarm(Alarm::NotRefreshed)));
        }
    }

    /// Holds what was brought against what the feed holds, once that is known of the block.
    fn confirm(&mut self, feed: FeedState, at_block: u64, out: &mut Vec<Action>) {
        let Way::Mined { signed_s, block, .. } = self.way else { return };
        if at_block < block {
            return;
        }
        if feed.signed_s.is_some_and(|held_s| held_s >= signed_s) {
            (self.way, self.failures) = (Way::Idle, 0);
            out.push(Action::Say(Word::Refreshed { signed_s }));
        } else {
            self.failed(format!("the feed did not take the price signed at {signed_s}"), out);
        }
    }
}

impl Presign {
    /// Asks for a newer price if one is due.
    pub(super) fn refresh(&mut self, out: &mut Vec<Action>) {
        let (Some(terms), Some(facts), Some(head)) = (self.terms.refresh, self.facts, self.head()) else { return };
        let Some(feed) = facts.feed else { return };
        self.refresh.confirm(feed, facts.block, out);
        let busy = self.refresh.way != Way::Idle || !self.lane.quiet() || head.time_s < self.refresh.next_s;
        if !busy && self.may_refresh() && self.is_due(terms, feed) {
            self.refresh.next_s = head.time_s.saturating_add(terms.pause_s);
            self.refresh.way = Way::Asked;
            out.push(Action::AskPrice);
        }
    }

    fn may_refresh(&self) -> bool {
        !self.closing && !matches!(self.stage, Stage::Recovering | Stage::Halted)
    }

    /// Whether the price is older than its share, or too old to be signed on whatever the share.
    fn is_due(&self, terms: RefreshTerms, feed: FeedState) -> bool {
        let aged = self.head().is_some_and(|head| feed.is_older(terms.age_bps_max, head.time_s));
        aged || (feed.heartbeat_s > 0 && self.is_short(feed.answers_until_s()))
    }

    pub(super) fn on_price(&mut self, price: Result<SignedPrice, String>, out: &mut Vec<Action>) {
        let (Way::Asked, Some(terms), Some(to)) = (self.refresh.way, self.terms.refresh, self.terms.feed) else {
            return;
        };
        self.refresh.way = Way::Idle;
        let Some(feed) = self.facts.and_then(|facts| facts.feed) else { return };
        // Somebody else was quicker, or there is nothing to be quick for any more.
        if !self.may_refresh() || !self.is_due(terms, feed) {
            return;
        }
        let price = match price {
            Ok(price) => price,
            Err(why) => return self.refresh.failed(why, out),
        };
        let held_s = feed.signed_s.unwrap_or(0).max(self.refresh.sent_s);
        let brought = FeedState { signed_s: Some(price.signed_s), ..feed };
        if price.signed_s <= held_s || self.is_short(brought.answers_until_s()) {
            let why = format!("the venue's newest price is of {}, after {held_s} was wanted", price.signed_s);
            return self.refresh.failed(why, out);
        }
        if let Some(tx) = self.submit(to, price.calldata, terms.gas, out) {
            self.refresh.sent_s = price.signed_s;
            self.refresh.way = Way::Sent { tx, signed_s: price.signed_s };
        }
    }

    /// What became of the transaction of a price. Whether it reverted is not asked: another's price may have come first, and
    /// what counts is what the feed holds.
    pub(super) fn on_price_fate(&mut self, id: TxId, fate: Fate, out: &mut Vec<Action>) {
        match (self.refresh.way, fate) {
            (Way::Sent { tx, signed_s } | Way::Mined { tx, signed_s, .. }, Fate::Mined(seen)) if tx == id => {
                self.refresh.way = Way::Mined { tx, signed_s, block: seen.block };
            }
            (Way::Mined { tx, signed_s, .. }, Fate::Vanished) if tx == id => {
                self.refresh.way = Way::Sent { tx, signed_s };
            }
            (Way::Sent { tx, .. }, Fate::Emptied) if tx == id => {
                self.refresh.failed("an empty transfer took its place".to_owned(), out);
            }
            _ => {}
        }
    }
}
