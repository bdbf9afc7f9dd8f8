//! What an account holds and what follows from it: value, leverage, delta, margin headroom.
//!
//! Base units throughout (strategy specification §1.1.1): `UB = value / base price`, leverage `= base / UB`,
//! delta `= (base + perp · R) / UB` with `R = perp price / base price`.

use crate::base::num::{Amount, Cash, Price, Ratio, Rounding};

/// Balances of a basis account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Holdings {
    /// Base collateral.
    pub base: Amount,
    /// Perp position; negative is short.
    pub perp: Amount,
    /// USDC; negative is a borrow.
    pub cash: Cash,
    /// Perp cost not yet settled into cash: unsettled profit = perp × price − this.
    pub perp_cost: Cash,
}

/// Prices at which holdings are valued. Both must be positive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Marks {
    /// Price of the base collateral.
    pub base: Price,
    /// Price of the perp.
    pub perp: Price,
}

impl Marks {
    /// `R`: perp price in units of base.
    pub fn ratio(&self) -> Ratio {
        // Never zero: hedges are divided by it.
        self.perp.over(self.base, Rounding::HalfUp).max(Ratio::from_raw(1))
    }
}

impl Holdings {
    /// False for numbers no account holds: more than a billion units, or a trillion in cash.
    pub fn is_plausible(&self) -> bool {
        let units = Amount::whole(crate::base::num::WIRE_MAX);
        let cash = Cash::whole(1_000_000_000_000);
        self.base.abs() <= units && self.perp.abs() <= units && self.cash.abs() <= cash && self.perp_cost.abs() <= cash
    }

    /// Value in quote currency.
    pub fn value(&self, marks: Marks) -> Cash {
        marks.base.times(self.base) + self.cash + marks.perp.times(self.perp) - self.perp_cost
    }

    /// `UB`: value in base units.
    pub fn tvl(&self, marks: Marks) -> Amount {
        self.value(marks).over_price(marks.base, Rounding::Floor)
    }

    /// Base plus perp, in base units.
    pub fn exposure(&self, marks: Marks) -> Amount {
        self.base + self.perp.scale(marks.ratio(), Rounding::HalfUp)
    }

    /// Base over TVL; `None` when the account is worth nothing.
    pub fn leverage(&self, marks: Marks) -> Option<Ratio> {
        let tvl = self.tvl(marks);
        tvl.is_positive().then(|| self.base.over(tvl, Rounding::HalfUp))
    }

    /// Exposure over TVL; `None` when the account is worth nothing.
    pub fn delta(&self, marks: Marks) -> Option<Ratio> {
        let tvl = self.tvl(marks);
        tvl.is_positive().then(|| self.exposure(marks).over(tvl, Rounding::HalfUp))
    }

    /// Perp amount that brings delta to one (negative: sell).
    pub fn hedge(&self, marks: Marks) -> Amount {
        (self.tvl(marks) - self.exposure(marks)).unscale(marks.ratio(), Rounding::HalfUp)
    }

    /// Initial margin left: collateral at its factor, cash in full, perps at their requirement (standard margin).
    pub fn margin_left(&self, marks: Marks, collateral_factor: Ratio, perp_requirement: Ratio) -> Cash {
        let collateral = marks.base.times(self.base).scale(collateral_factor, Rounding::Floor);
        let perp = marks.perp.times(self.perp);
        collateral + self.cash + perp - self.perp_cost - perp.abs().scale(perp_requirement, Rounding::Ceil)
    }

    /// Books a fill: `base` of the collateral or `perp` contracts at `price`, signed, with its fee.
    pub fn book_spot(&mut self, signed: Amount, price: Price, fee: Cash) {
        self.base += signed;
        self.cash -= price.times(signed) + fee;
    }

    /// Books a perp fill; its cost settles into cash later, the fee at once.
    pub fn book_perp(&mut self, signed: Amount, price: Price, fee: Cash) {
        self.perp += signed;
        self.perp_cost += price.times(signed);
        self.cash -= fee;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(text: &str) -> Amount {
        text.parse().expect("literal")
    }

    fn held(base: &str, cash: i64, perp: &str, at: i64) -> Holdings {
        let perp = amount(perp);
        Holdings { base: amount(base), perp, cash: Cash::whole(cash), perp_cost: Price::whole(at).times(perp) }
    }

    fn flat(price: i64) -> Marks {
        Marks { base: Price::whole(price), perp: Price::whole(price) }
    }

    /// Worked examples D1, D2, D6, D7, D8 of the strategy specification.
    #[test]
    fn worked_examples() {
        let marks = flat(100_000);
        let one = held("2", -100_000, "-1", 100_000);
        assert_eq!(one.tvl(marks), amount("1"));
        assert_eq!(one.leverage(marks), Some(Ratio::whole(2)));
        assert_eq!(one.delta(marks), Some(Ratio::ONE));

        let ten = held("15", -500_000, "-5", 100_000);
        assert_eq!((ten.tvl(marks), ten.delta(marks)), (amount("10"), Some(Ratio::ONE)));
        assert_eq!(ten.leverage(marks), Some("1.5".parse().expect("literal")));

        let filled = held("15.1", -510_000, "-5", 100_000);
        assert_eq!(filled.delta(marks), Some("1.01".parse().expect("literal")));
        assert_eq!(filled.hedge(marks), amount("-0.1"));

        // D7: R = 1.002, and D8: R = 1/1.002, with UB held at 10 by entering the perp at the marked price.
        let dear = Marks { base: Price::whole(100_000), perp: Price::whole(100_200) };
        let hedge = held("15.1", -510_000, "-5", 100_200).hedge(dear);
        assert_eq!(hedge, amount("-0.089820359"));
        let cheap = Marks { base: Price::whole(100_200), perp: Price::whole(100_000) };
        let cash = Cash::ZERO - Price::whole(100_200).times(amount("5.1"));
        let holdings = Holdings {
            base: amount("15.1"),
            perp: amount("-5"),
            cash,
            perp_cost: Price::whole(100_000).times(amount("-5")),
        };
        let hedge = holdings.hedge(cheap);
        assert!((hedge - amount("-0.1102")).abs() <= amount("0.000000010"), "{hedge}");
    }

    /// D12: with factors 0.5005 and 0.10 leverage ends at 1.835.
    #[test]
    fn margin_caps_leverage() {
        let factor = "0.5005".parse().expect("literal");
        let requirement = "0.1".parse().expect("literal");
        let at = |leverage: &str| {
            let base = amount(leverage);
            let perp = Amount::ONE - base;
            let marks = flat(100_000);
            let cash = Price::whole(100_000).times(perp);
            Holdings { base, perp, cash, perp_cost: marks.perp.times(perp) }
                .margin_left(marks, factor, requirement)
                .is_negative()
        };
        assert!(!at("1.834"));
        assert!(at("1.836"));
    }
}
