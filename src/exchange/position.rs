//! A perp position: cash-settled against its mark, with the venue's average price, settlements and funding figures.
//!
//! The figures reproduce a settled mainnet account to its last digit: `net_settlements` is what the position has moved
//! in cash since it opened, entry fee included, so `net_settlements + mark_value = (mark − average_price) × amount`.

use super::money::truncate;
use rust_decimal::Decimal;

/// One perp position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Signed size.
    pub amount: Decimal,
    /// Average entry price with fees.
    pub average: Decimal,
    /// Average entry price without fees.
    pub average_excl: Decimal,
    /// Mark at which PnL was last paid into cash.
    pub settled_mark: Decimal,
    /// Aggregate funding at which funding was last paid into cash.
    pub settled_funding: Decimal,
    /// Cash moved by the open position: entry, fees, PnL and funding.
    pub net_settlements: Decimal,
    /// Funding received (negative: paid) by the open position.
    pub cumulative_funding: Decimal,
    /// PnL realised by closing trades, fees included.
    pub realized: Decimal,
    /// PnL realised by closing trades, without fees.
    pub realized_excl: Decimal,
    /// Fees charged.
    pub fees: Decimal,
    /// Unix ms of opening.
    pub created_ms: u64,
}

/// Cash a settlement moves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// Mark-to-mark PnL.
    pub pnl: Decimal,
    /// Funding received.
    pub funding: Decimal,
}

/// What a trade did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traded {
    /// Change of cash, fee included.
    pub cash: Decimal,
    /// Funding paid into cash on the way.
    pub funding: Decimal,
    /// PnL realised with fees.
    pub realized: Decimal,
    /// PnL realised without fees.
    pub realized_excl: Decimal,
}

impl Position {
    /// PnL and funding not yet in cash.
    pub fn unsettled(&self, mark: Decimal, aggregate_funding: Decimal) -> Settled {
        Settled {
            pnl: truncate((mark - self.settled_mark) * self.amount),
            funding: truncate(-self.amount * (aggregate_funding - self.settled_funding)),
        }
    }

    /// Pays PnL and funding into cash up to a mark.
    pub fn settle(&mut self, mark: Decimal, aggregate_funding: Decimal) -> Settled {
        let settled = self.unsettled(mark, aggregate_funding);
        self.settled_mark = mark;
        self.settled_funding = aggregate_funding;
        self.net_settlements += settled.pnl + settled.funding;
        self.cumulative_funding += settled.funding;
        settled
    }

    /// Books a fill of a signed amount at `price` while the mark is `mark`.
    pub fn trade(
        &mut self,
        signed: Decimal,
        price: Decimal,
        fee: Decimal,
        mark: Decimal,
        aggregate_funding: Decimal,
    ) -> Traded {
        let settled = self.settle(mark, aggregate_funding);
        let entry = truncate((mark - price) * signed);
        let opposite = self.amount.is_sign_negative() != signed.is_sign_negative();
        let closing = if opposite { self.amount.abs().min(signed.abs()) } else { Decimal::ZERO };
        let fee_closing = truncate(fee * closing / signed.abs());
        let mut traded =
            Traded { cash: settled.pnl + settled.funding + entry - fee, funding: settled.funding, ..Traded::default() };
        if closing > Decimal::ZERO {
            (traded.realized, traded.realized_excl) = self.close(closing, price, fee_closing);
        }
        let opening = signed.abs() - closing;
        if opening > Decimal::ZERO {
            let signed_opening = if signed.is_sign_negative() { -opening } else { opening };
            self.open(signed_opening, price, fee - fee_closing, mark);
        }
        self.fees += fee;
        traded
    }

    /// Takes over entry prices and records of an earlier state of the same size; what has been settled stays settled.
    pub fn restore(&mut self, earlier: &Position) {
        self.net_settlements = truncate((self.settled_mark - earlier.average) * self.amount) + self.cumulative_funding;
        self.average = earlier.average;
        self.average_excl = earlier.average_excl;
        self.realized = earlier.realized;
        self.realized_excl = earlier.realized_excl;
        self.fees = earlier.fees;
        self.created_ms = earlier.created_ms;
    }

    fn close(&mut self, closing: Decimal, price: Decimal, fee: Decimal) -> (Decimal, Decimal) {
        let held = self.amount.abs();
        let direction = if self.amount.is_sign_negative() { Decimal::NEGATIVE_ONE } else { Decimal::ONE };
        let realized_excl = truncate((price - self.average_excl) * closing * direction);
        let realized = truncate((price - self.average) * closing * direction) - fee;
        self.realized += realized;
        self.realized_excl += realized_excl;
        self.amount -= closing * direction;
        if self.amount.is_zero() {
            self.average = Decimal::ZERO;
            self.average_excl = Decimal::ZERO;
            self.net_settlements = Decimal::ZERO;
            self.cumulative_funding = Decimal::ZERO;
        } else {
            let left = held - closing;
            self.net_settlements = truncate(self.net_settlements * left / held);
            self.cumulative_funding = truncate(self.cumulative_funding * left / held);
        }
        (realized, realized_excl)
    }

    fn open(&mut self, signed: Decimal, price: Decimal, fee: Decimal, mark: Decimal) {
        let total = self.amount + signed;
        let value = |average: Decimal| average * self.amount + price * signed;
        let average_excl = truncate(value(self.average_excl) / total);
        let average = truncate((value(self.average) + fee) / total);
        self.net_settlements += truncate((mark - price) * signed) - fee;
        self.amount = total;
        self.average_excl = average_excl;
        self.average = average;
    }
}

#[cfg(test)]
mod tests {
    use super::super::money::constant as d;
    use super::*;

    #[test]
    fn the_settled_mainnet_position_reproduces_digit_by_digit() {
        let mut p = Position::default();
        let opened = p.trade(d("0.1"), d("2568.89"), d("0.087052743622"), d("2568.67924727244"), Decimal::ZERO);
        assert_eq!(p.average, d("2569.76052743622"));
        assert_eq!(p.average_excl, d("2568.89"));
        assert_eq!(opened.cash, d("-0.021075272756") - d("0.087052743622"));
        p.settle(d("2568.70352073995"), Decimal::ZERO);
        assert_eq!(p.net_settlements, d("-0.105700669627"));
        let open = p.unsettled(d("2568.706708413625"), Decimal::ZERO);
        assert_eq!(open.pnl, d("0.000318767367"), "the venue rounds this one up to …368");
        let closed = p.trade(d("-0.1"), d("2568.5"), d("0.087052478068"), d("2568.670395471554"), Decimal::ZERO);
        assert_eq!(closed.realized, d("-0.21310522169"));
        assert_eq!(closed.realized_excl, d("-0.039"));
        assert_eq!((p.amount, p.average, p.net_settlements), Default::default());
    }

    #[test]
    fn a_trade_through_zero_closes_one_side_and_opens_the_other() {
        let mut p = Position::default();
        p.trade(d("2"), d("100"), d("0"), d("100"), Decimal::ZERO);
        let t = p.trade(d("-5"), d("110"), d("1"), d("105"), Decimal::ZERO);
        assert_eq!(t.realized_excl, d("20"));
        assert_eq!(t.realized, d("19.6"));
        assert_eq!((p.amount, p.average_excl), (d("-3"), d("110")));
        assert_eq!(p.average, d("109.8"), "fees lower a short's average");
        // Cash so far plus what closing at the mark would bring is the whole PnL.
        assert_eq!(t.cash, d("10") + d("25") - d("1"));
    }

    #[test]
    fn longs_pay_positive_funding() {
        let mut long = Position::default();
        long.trade(d("3"), d("100"), d("0"), d("100"), d("1"));
        let paid = long.settle(d("100"), d("1.5"));
        assert_eq!((paid.pnl, paid.funding), (d("0"), d("-1.5")));
        assert_eq!(long.cumulative_funding, d("-1.5"));
    }
}
