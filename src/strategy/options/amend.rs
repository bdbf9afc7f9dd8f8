//! What it takes to change a resting order, and when a better price is worth it.

use crate::base::num::{Amount, Cash, Price, Ratio, Rounding};

/// How a resting order is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Amend {
    /// In one message: the venue swaps the old for the new.
    Replace,
    /// By taking it back and having the vault's contract sign the new one, once nothing depends on the old signature.
    Resign(ResignCost),
}

/// What a signature of the vault's contract costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ResignCost {
    /// Gas.
    pub gas: Cash,
    /// Time without an order in the book: a block for the old one to be known gone, one for the signature.
    pub off_book_ns: u64,
}

/// What is at stake while no order rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stake {
    /// What the order brings per unit if it fills at all; zero where waiting loses nothing.
    pub value: Price,
    /// Time left for it to fill.
    pub left_ns: u64,
}

impl ResignCost {
    /// True if moving `amount` from one price to another gains more than it costs:
    /// `|Δprice| · amount > gas + value · amount · min(1, off_book / left)`.
    ///
    /// The right side takes a fill to be as likely in one moment of the time left as in any other: off the book for a
    /// share of that time, the same share of what the order brings is lost. With no time left nothing is worth it.
    pub fn is_worth(&self, moved: Price, amount: Amount, stake: &Stake) -> bool {
        let share = match stake.left_ns {
            0 => Ratio::ONE,
            left => {
                let raw = i128::from(self.off_book_ns) * i128::from(Ratio::ONE.raw()) / i128::from(left);
                Ratio::from_raw(i64::try_from(raw).unwrap_or(i64::MAX)).min(Ratio::ONE)
            }
        };
        let lost = stake.value.times(amount).scale(share, Rounding::Ceil);
        moved.abs().times(amount) > self.gas + lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::SEC;

    #[test]
    fn a_new_price_must_gain_more_than_gas_and_the_time_off_the_book() {
        // moved, amount, value, seconds left: worth it with gas of 0.05 and 4 s off the book?
        let table = [
            ("0.1", "100", "10", 3_600, true),    // 10 against 0.05 + 1000 · 4/3600 = 1.16
            ("0.011", "100", "10", 3_600, false), // 1.10
            ("0.012", "100", "10", 3_600, true),  // 1.20
            ("0.1", "100", "10", 360, false),     // 10 against 11.16
            ("0.1", "100", "10", 480, true),      // 10 against 8.38
            ("9.9", "100", "10", 2, false),       // all of it would be lost
            ("9.9", "100", "10", 0, false),
            ("0.01", "5", "0", 3_600, false),   // 0.05 is the gas itself
            ("0.011", "5", "0", 3_600, true),   // nothing lost but gas
            ("-0.1", "100", "10", 3_600, true), // upwards as downwards
            ("0", "100", "10", 3_600, false),
        ];
        let cost = ResignCost { gas: "0.05".parse().expect("cash"), off_book_ns: 4 * SEC };
        for (moved, amount, value, left_s, worth) in table {
            let stake = Stake { value: value.parse().expect("a price"), left_ns: left_s * SEC };
            let (price, units) = (moved.parse().expect("a price"), amount.parse().expect("an amount"));
            assert_eq!(cost.is_worth(price, units, &stake), worth, "{moved} on {amount} with {left_s} s left");
        }
    }
}
