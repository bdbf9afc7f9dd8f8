//! The USDC money market (Derive §8.7): utilisation sets the borrow rate, indices compound continuously.

use super::money::constant;
use crate::base::time::{Nanos, SEC};
use rust_decimal::Decimal;

/// Seconds in the venue's year.
const YEAR_S: u64 = 365 * 86_400;

/// The pool of one risk universe.
#[derive(Clone, Debug)]
pub struct Lending {
    /// Growth of one borrowed USDC since the start.
    pub borrow_index: Decimal,
    /// Growth of one supplied USDC since the start.
    pub supply_index: Decimal,
    /// Replaces the utilisation curve.
    pub rate_override: Option<Decimal>,
    /// Borrow rate per year in force.
    pub borrow_rate: Decimal,
    /// Supply rate per year in force.
    pub supply_rate: Decimal,
    /// USDC supplied at the last update.
    pub total_supply: Decimal,
    /// USDC borrowed at the last update.
    pub total_borrow: Decimal,
    updated: Nanos,
}

/// Borrow rate per year at a utilisation: 0 to 4.8 % at 80 %, then 100 % more up to full use.
pub fn borrow_rate(utilisation: Decimal) -> Decimal {
    let kink = constant("0.8");
    let utilisation = utilisation.clamp(Decimal::ZERO, Decimal::ONE);
    let low = constant("0.048") * utilisation.min(kink) / kink;
    low + (utilisation - kink).max(Decimal::ZERO) / (Decimal::ONE - kink)
}

impl Lending {
    /// An empty pool.
    pub fn new(at: Nanos) -> Lending {
        Lending {
            borrow_index: Decimal::ONE,
            supply_index: Decimal::ONE,
            rate_override: None,
            borrow_rate: Decimal::ZERO,
            supply_rate: Decimal::ZERO,
            total_supply: Decimal::ZERO,
            total_borrow: Decimal::ZERO,
            updated: at,
        }
    }

    /// Compounds both indices up to `at` at the rates in force, then sets new rates from the pool's totals.
    pub fn advance(&mut self, at: Nanos, supply: Decimal, borrow: Decimal) {
        let years = Decimal::from(at.since(self.updated)) / Decimal::from(YEAR_S * SEC);
        self.borrow_index = grown(self.borrow_index, self.borrow_rate * years);
        self.supply_index = grown(self.supply_index, self.supply_rate * years);
        self.updated = at;
        self.total_supply = supply;
        self.total_borrow = borrow;
        let utilisation = if supply > Decimal::ZERO { (borrow / supply).min(Decimal::ONE) } else { Decimal::ZERO };
        self.borrow_rate = self.rate_override.unwrap_or_else(|| borrow_rate(utilisation));
        // The security module keeps a fifth of what borrowers pay.
        self.supply_rate = self.borrow_rate * utilisation * constant("0.8");
    }

    /// The index that a balance of this sign grows with.
    pub fn index(&self, balance: Decimal) -> Decimal {
        if balance.is_sign_negative() { self.borrow_index } else { self.supply_index }
    }
}

/// `index × e^exponent`, to about twenty digits whatever the step: six terms of the series on a halved exponent, squared
/// back.
fn grown(index: Decimal, exponent: Decimal) -> Decimal {
    let small = constant("0.001");
    let halvings = (0..16u32).find(|n| exponent.abs() <= small * Decimal::from(1u64 << n)).unwrap_or(16);
    let x = exponent / Decimal::from(1u64 << halvings);
    let series = (1..=6u32).rev().fold(Decimal::ONE, |sum, n| Decimal::ONE + x * sum / Decimal::from(n));
    let growth = (0..halvings).try_fold(series, |growth, _| growth.checked_mul(growth));
    growth.and_then(|growth| index.checked_mul(growth)).unwrap_or(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curve_has_its_kink_at_eighty_percent() {
        let table = [("0", "0"), ("0.4", "0.024"), ("0.8", "0.048"), ("0.9", "0.548"), ("1", "1.048"), ("2", "1.048")];
        for (utilisation, rate) in table {
            assert_eq!(borrow_rate(constant(utilisation)).normalize(), constant(rate), "{utilisation}");
        }
    }

    #[test]
    fn a_year_at_five_percent_compounds_continuously_whatever_the_steps() {
        for steps in [1u64, 365, 8760] {
            let mut pool = Lending::new(Nanos::ZERO);
            pool.rate_override = Some(constant("0.05"));
            pool.advance(Nanos::ZERO, Decimal::from(100), Decimal::from(50));
            for n in 1..=steps {
                pool.advance(Nanos(YEAR_S * SEC / steps * n), Decimal::from(100), Decimal::from(50));
            }
            let error = (pool.borrow_index - constant("1.051271096376")).abs();
            assert!(error < constant("0.0000000001"), "{steps}: {}", pool.borrow_index);
            assert_eq!(pool.supply_rate.normalize(), constant("0.02"), "half used, a fifth withheld");
        }
    }

    #[test]
    fn growth_is_exact_for_any_step() {
        let table = [
            ("0.0001", "1.000100005000166670833"),
            ("0.05", "1.051271096376024039698"),
            ("1", "2.718281828459045235360"),
            ("-0.3", "0.740818220681717866066"),
            ("5", "148.413159102576603421115"),
        ];
        for (exponent, expected) in table {
            let expected: Decimal = expected.parse().expect("a number");
            let error = grown(Decimal::ONE, constant(exponent)) / expected - Decimal::ONE;
            assert!(error.abs() < constant("0.000000000001"), "{exponent}: {error}");
        }
        assert_eq!(grown(Decimal::TWO, Decimal::ZERO), Decimal::TWO);
    }
}
