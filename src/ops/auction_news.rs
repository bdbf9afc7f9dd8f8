//! What an option vault's week looks like from outside: the phase it is in, what its auction demands, and what that
//! auction has traded.

use crate::base::ids::{Nonce, Side};
use crate::base::num::{Amount, Cash};
use crate::base::time::{Nanos, SEC};
use crate::msg::{Demand, Fill, Milestone, Phase};

/// Spacing of the kept demands.
const DEMAND_NS: u64 = SEC;
/// Most demands kept: the longest auction's seconds are 86 400, an hour of them is enough to read.
const DEMANDS_MAX: usize = 3_600;
/// Most phase changes kept.
const PHASES_MAX: usize = 1_000;

/// What an auction's fills come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trades {
    /// Fills; a spread has one per leg.
    pub fills: u64,
    /// Orders or executions that were filled at least in part.
    pub lots: u64,
    /// Contracts sold, every leg counted.
    pub sold: Amount,
    /// Contracts bought, every leg counted.
    pub bought: Amount,
    /// Premium received less premium paid, before fees.
    pub premium: Cash,
    /// The same at the venue's marks of each fill.
    pub at_mark: Cash,
    /// Fees paid.
    pub fees: Cash,
    last: Nonce,
}

impl Trades {
    /// Units traded: calls, or whole spreads, of which each leg is one side.
    pub fn units(&self) -> Amount {
        if self.sold.is_zero() || self.bought.is_zero() { self.sold + self.bought } else { self.sold.min(self.bought) }
    }

    fn add(&mut self, fill: &Fill) {
        let received = |cash: Cash| if fill.side == Side::Sell { cash } else { -cash };
        self.fills += 1;
        // Fills of one order follow each other, since an auction never has two at work.
        self.lots += u64::from(fill.nonce != self.last);
        self.last = fill.nonce;
        match fill.side {
            Side::Sell => self.sold += fill.amount,
            Side::Buy => self.bought += fill.amount,
        }
        self.premium += received(fill.price.times(fill.amount));
        self.at_mark += received(fill.mark.times(fill.amount));
        self.fees += fill.fee;
    }
}

/// The newest auction and the phases around it.
#[derive(Clone, Debug, Default)]
pub struct AuctionNews {
    /// The phase last entered.
    pub milestone: Option<Milestone>,
    /// The option auction last begun, as it was last chosen.
    pub auction: Option<Milestone>,
    /// Phases entered; a new choice of instruments is an entry of its own.
    pub phases: Vec<(Nanos, Milestone)>,
    /// What is demanded now.
    pub demand: Option<(Nanos, Demand)>,
    /// Demands of the newest auction, a second apart.
    pub demands: Vec<(Nanos, Demand)>,
    /// Trades of the newest option auction.
    pub trades: Trades,
}

impl AuctionNews {
    /// A phase was entered.
    pub(super) fn enter(&mut self, at: Nanos, milestone: Milestone) {
        if milestone.phase == Phase::OptionAuction {
            let again = self.auction.is_some_and(|auction| auction.started_at == milestone.started_at);
            if !again {
                self.trades = Trades::default();
                self.demands.clear();
            }
            self.auction = Some(milestone);
        }
        self.milestone = Some(milestone);
        if self.phases.len() < PHASES_MAX {
            self.phases.push((at, milestone));
        }
    }

    /// What an auction demands now.
    pub(super) fn demand(&mut self, at: Nanos, demand: Demand) {
        self.demand = Some((at, demand));
        let due = self.demands.last().is_none_or(|(kept, _)| at.since(*kept) >= DEMAND_NS);
        if due && demand.phase == Phase::OptionAuction && self.demands.len() < DEMANDS_MAX {
            self.demands.push((at, demand));
        }
    }

    /// An option was traded.
    pub(super) fn trade(&mut self, fill: &Fill) {
        self.trades.add(fill);
    }
}
