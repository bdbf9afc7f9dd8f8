//! An option position: premium is paid when it is traded, so all it keeps is its size and what it cost.

use crate::exchange::money::truncate;
use rust_decimal::Decimal;

/// One option position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OptionPosition {
    /// Signed size.
    pub amount: Decimal,
    /// Average premium with fees.
    pub average: Decimal,
    /// Average premium without fees.
    pub average_excl: Decimal,
    /// PnL realised by closing trades, fees included.
    pub realized: Decimal,
    /// PnL realised by closing trades, without fees.
    pub realized_excl: Decimal,
    /// Fees charged.
    pub fees: Decimal,
    /// Unix ms of opening.
    pub created_ms: u64,
}

impl OptionPosition {
    /// Books a fill of a signed amount; returns PnL realised with and without fees. Premium and fee move elsewhere.
    pub fn trade(&mut self, signed: Decimal, price: Decimal, fee: Decimal) -> (Decimal, Decimal) {
        let opposite = self.amount.is_sign_negative() != signed.is_sign_negative();
        let closing = if opposite { self.amount.abs().min(signed.abs()) } else { Decimal::ZERO };
        let fee_closing = truncate(fee * closing / signed.abs());
        let realized = if closing.is_zero() { Default::default() } else { self.close(closing, price, fee_closing) };
        let opening = signed.abs() - closing;
        if opening > Decimal::ZERO {
            let opened = if signed.is_sign_negative() { -opening } else { opening };
            let total = self.amount + opened;
            let paid = price * opened;
            self.average_excl = truncate((self.average_excl * self.amount + paid) / total);
            self.average = truncate((self.average * self.amount + paid + fee - fee_closing) / total);
            self.amount = total;
        }
        self.fees += fee;
        realized
    }

    fn close(&mut self, closing: Decimal, price: Decimal, fee: Decimal) -> (Decimal, Decimal) {
        let direction = if self.amount.is_sign_negative() { Decimal::NEGATIVE_ONE } else { Decimal::ONE };
        let realized_excl = truncate((price - self.average_excl) * closing * direction);
        let realized = truncate((price - self.average) * closing * direction) - fee;
        self.realized += realized;
        self.realized_excl += realized_excl;
        self.amount -= closing * direction;
        if self.amount.is_zero() {
            self.average = Decimal::ZERO;
            self.average_excl = Decimal::ZERO;
        }
        (realized, realized_excl)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::money::constant as d;

    #[test]
    fn averages_carry_fees_on_both_sides_of_zero() {
        let mut p = OptionPosition::default();
        p.trade(d("-10"), d("40"), d("5"));
        assert_eq!((p.average_excl, p.average), (d("40"), d("39.5")), "a seller's fee lowers what was received");
        let (realized, excl) = p.trade(d("4"), d("30"), d("2"));
        assert_eq!((realized, excl), (d("36"), d("40")));
        assert_eq!((p.amount, p.average), (d("-6"), d("39.5")));
        let (realized, excl) = p.trade(d("8"), d("45"), d("4"));
        assert_eq!((realized, excl), (d("-36"), d("-30")));
        assert_eq!((p.amount, p.average_excl, p.average), (d("2"), d("45"), d("45.5")));
        assert_eq!((p.realized, p.realized_excl, p.fees), (d("0"), d("10"), d("11")));
        p.trade(d("-2"), d("45"), d("0"));
        assert_eq!((p.amount, p.average, p.average_excl), Default::default());
    }
}
