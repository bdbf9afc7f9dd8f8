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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::{InstrumentId, SubaccountId, Uuid};
    use crate::base::num::Price;

    fn fill(nonce: u64, side: Side, price: &str, mark: &str, amount: &str) -> Fill {
        Fill {
            subaccount: SubaccountId(1),
            trade_id: Uuid::default(),
            order_id: Uuid::default(),
            nonce: Nonce(nonce),
            instrument: InstrumentId(7),
            side,
            price: price.parse().expect("literal"),
            amount: amount.parse().expect("literal"),
            fee: Cash::ONE,
            maker: false,
            mark: mark.parse().expect("literal"),
            venue_at: Nanos::ZERO,
            settlement: Default::default(),
        }
    }

    fn begun(started_s: u64, strike: i64) -> Milestone {
        let strikes = [Price::whole(strike), Price::ZERO];
        Milestone { phase: Phase::OptionAuction, started_at: Nanos(started_s * SEC), strikes, ..Milestone::default() }
    }

    #[test]
    fn fills_come_to_units_lots_and_premium() {
        use Side::{Buy, Sell};
        type Case<'a> = (&'a str, &'a [Fill], &'a str, u64, &'a str, &'a str);
        let cases: [Case<'_>; 4] = [
            ("nothing", &[], "0", 0, "0", "0"),
            (
                "two orders, the first in parts",
                &[fill(1, Sell, "9", "10", "4"), fill(1, Sell, "9", "10", "6"), fill(2, Sell, "8", "10", "5")],
                "15",
                2,
                "130",
                "150",
            ),
            (
                "a spread sold in two lots",
                &[
                    fill(1, Sell, "12", "13", "15"),
                    fill(1, Buy, "5", "6", "15"),
                    fill(2, Buy, "5", "6", "5"),
                    fill(2, Sell, "11", "13", "5"),
                ],
                "20",
                2,
                "135",
                "140",
            ),
            ("a spread bought", &[fill(1, Buy, "9", "8", "2"), fill(1, Sell, "3", "3", "2")], "2", 1, "-12", "-10"),
        ];
        for (name, fills, units, lots, premium, at_mark) in cases {
            let mut news = AuctionNews::default();
            fills.iter().for_each(|fill| news.trade(fill));
            let trades = news.trades;
            assert_eq!(trades.units(), units.parse().expect("literal"), "{name}");
            assert_eq!((trades.lots, trades.fills), (lots, fills.len() as u64), "{name}");
            assert_eq!(trades.premium, premium.parse().expect("literal"), "{name}");
            assert_eq!(trades.at_mark, at_mark.parse().expect("literal"), "{name}");
            assert_eq!(trades.fees, Cash::whole(fills.len() as i64), "{name}");
        }
    }

    #[test]
    fn a_new_choice_keeps_the_auctions_trades_and_a_new_auction_does_not() {
        let mut news = AuctionNews::default();
        news.enter(Nanos(SEC), begun(1, 3_400));
        news.trade(&fill(1, Side::Sell, "9", "10", "4"));
        news.enter(Nanos(2 * SEC), begun(1, 3_450));
        assert_eq!((news.trades.fills, news.auction.map(|auction| auction.strikes[0])), (1, Some(Price::whole(3_450))));
        let rest = Milestone { phase: Phase::AwaitSettlement, ..begun(3, 3_450) };
        news.enter(Nanos(3 * SEC), rest);
        assert_eq!((news.trades.fills, news.milestone), (1, Some(rest)), "it stays in view when it is over");
        news.enter(Nanos(9 * SEC), begun(9, 3_500));
        assert_eq!((news.trades, news.phases.len()), (Trades::default(), 4));
    }

    #[test]
    fn demands_are_kept_a_second_apart_and_the_newest_always() {
        let mut news = AuctionNews::default();
        news.enter(Nanos::ZERO, begun(0, 3_400));
        let demand = |limit| Demand { phase: Phase::OptionAuction, limit: Price::whole(limit), ..Demand::default() };
        for tenth in 0..25 {
            news.demand(Nanos(tenth * SEC / 10), demand(tenth as i64));
        }
        assert_eq!(news.demands.iter().map(|(at, _)| at.0 / SEC).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(news.demand.map(|(_, demand)| demand.limit), Some(Price::whole(24)));
    }
}
