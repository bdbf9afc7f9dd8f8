//! Standard margin of options (Derive §8.8): per expiry the milder of isolated requirements and the worst payoff.
//!
//! Margins here are net, as everywhere: a short costs its requirement and its mark, a long counts for nothing, and a
//! hedged package costs no more than the most it can lose.

use super::svi::to_decimal;
use crate::exchange::Exchange;
use crate::exchange::catalog::OptionTerms;
use crate::exchange::money::{constant, truncate};
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// One option in a portfolio.
#[derive(Clone, Copy, Debug)]
pub struct OptionLeg {
    /// What it pays.
    pub terms: OptionTerms,
    /// Signed size.
    pub amount: Decimal,
    /// Mark price.
    pub mark: Decimal,
}

/// All options of one currency and expiry in a portfolio, and where their market stands.
#[derive(Clone, Debug)]
pub struct ExpiryBook {
    /// The options.
    pub legs: Vec<OptionLeg>,
    /// Index price.
    pub spot: Decimal,
    /// Forward of the expiry.
    pub forward: Decimal,
}

impl OptionLeg {
    /// Net isolated margin: zero for a long, minus mark and requirement for a short.
    fn isolated(&self, spot: Decimal, initial: bool) -> Decimal {
        if !self.amount.is_sign_negative() {
            return Decimal::ZERO;
        }
        let OptionTerms { call, strike, .. } = self.terms;
        let otm = if call { strike - spot } else { spot - strike }.max(Decimal::ZERO);
        let maintenance = if call {
            constant("0.09") * spot + self.mark
        } else {
            (constant("0.09") * spot).max(constant("0.09") * self.mark) + self.mark
        };
        let far = if spot.is_zero() { Decimal::ZERO } else { otm / spot };
        let share = (constant("0.15") - far).max(constant("0.13"));
        let need = match (initial, call) {
            (false, _) => maintenance,
            (true, true) => share * spot + self.mark,
            (true, false) => (share * spot + self.mark).max(constant("1.05") * maintenance),
        };
        need * self.amount
    }
}

impl ExpiryBook {
    /// Market value of all legs.
    pub fn value(&self) -> Decimal {
        self.legs.iter().map(|l| truncate(l.amount * l.mark)).sum()
    }

    /// Net margin of the expiry, zero or negative.
    pub fn margin(&self, initial: bool) -> Decimal {
        let isolated: Decimal = self.legs.iter().map(|l| l.isolated(self.spot, initial)).sum();
        truncate(isolated.max(self.worst_payoff(initial)))
    }

    /// The least the package can pay at expiry, at zero and at every strike; more calls sold than bought have no least
    /// payoff and cost a multiple of the forward on top.
    fn worst_payoff(&self, initial: bool) -> Decimal {
        let payoff = |price: Decimal| self.legs.iter().map(|l| l.amount * l.terms.payoff(price)).sum::<Decimal>();
        let strikes = self.legs.iter().map(|l| l.terms.strike);
        let worst = strikes.map(payoff).fold(payoff(Decimal::ZERO), Decimal::min).min(Decimal::ZERO);
        let calls: Decimal = self.legs.iter().filter(|l| l.terms.call).map(|l| l.amount).sum();
        let scale = constant(if initial { "1.2" } else { "1.1" });
        worst + calls.min(Decimal::ZERO) * scale * self.forward
    }
}

impl Exchange {
    /// Groups options by currency and expiry for margin. Places that hold no option are ignored.
    pub(in crate::exchange) fn expiry_books(
        &self,
        options: &BTreeMap<usize, Decimal>,
    ) -> BTreeMap<(&'static str, u64), ExpiryBook> {
        let mut books: BTreeMap<(&'static str, u64), ExpiryBook> = BTreeMap::new();
        for (ix, amount) in options.iter().filter(|(_, amount)| !amount.is_zero()) {
            let Some(terms) = self.instruments[*ix].terms else { continue };
            let spot = self.spot_price(terms.currency);
            let book = books.entry(terms.expiry()).or_insert_with(|| ExpiryBook {
                legs: Vec::new(),
                spot,
                forward: self.forward(terms.expiry()).unwrap_or(spot),
            });
            book.legs.push(OptionLeg { terms, amount: *amount, mark: self.mark_of_option(*ix, &terms) });
        }
        books
    }

    /// Net initial margin of the options of one expiry with some amounts changed.
    pub(in crate::exchange) fn expiry_margin_with(
        &self,
        options: &BTreeMap<usize, Decimal>,
        change: (usize, Decimal),
    ) -> Decimal {
        let Some(terms) = self.instruments[change.0].terms else { return Decimal::ZERO };
        let same = |ix: &usize| self.instruments[*ix].terms.is_some_and(|t| t.expiry() == terms.expiry());
        let mut of_expiry: BTreeMap<usize, Decimal> =
            options.iter().filter(|(ix, _)| same(ix)).map(|(ix, amount)| (*ix, *amount)).collect();
        *of_expiry.entry(change.0).or_default() += change.1;
        self.expiry_books(&of_expiry).values().map(|book| book.margin(true)).sum()
    }

    /// A position's share of delta, gamma, vega and theta, as decimals.
    pub(in crate::exchange) fn greek_decimals(&self, terms: &OptionTerms) -> [Decimal; 4] {
        let greeks = self.greeks_of(terms);
        [greeks.delta, greeks.gamma, greeks.vega, greeks.theta].map(|x| to_decimal(x).round_dp(8))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::money::constant as d;

    fn book(legs: &[(bool, &str, &str, &str)]) -> ExpiryBook {
        let leg = |(call, strike, amount, mark): &(bool, &str, &str, &str)| OptionLeg {
            terms: OptionTerms { currency: "ETH", expiry_s: 1, strike: d(strike), call: *call },
            amount: d(amount),
            mark: d(mark),
        };
        ExpiryBook { legs: legs.iter().map(leg).collect(), spot: d("3000"), forward: d("3010") }
    }

    #[test]
    fn requirements_follow_the_rule() {
        // legs as (call, strike, amount, mark), initial and maintenance margin, net.
        let table: [(&str, ExpiryBook, &str, &str); 8] = [
            ("long only", book(&[(true, "3000", "5", "80")]), "0", "0"),
            // at the money 15 %, far out 13 %
            ("short call atm", book(&[(true, "3000", "-1", "80")]), "-530", "-350"),
            ("short call 2 %", book(&[(true, "3060", "-1", "60")]), "-450", "-330"),
            ("short put", book(&[(false, "2700", "-2", "20")]), "-820", "-580"),
            // Deep in the money 1.05 × maintenance is more: 0.09 of a mark above spot, and the mark.
            ("short put deep", book(&[(false, "10000", "-1", "7000")]), "-8011.5", "-7630"),
            ("short call spread", book(&[(true, "3000", "-1", "80"), (true, "3100", "1", "45")]), "-100", "-100"),
            ("short put spread", book(&[(false, "2800", "-10", "30"), (false, "2600", "10", "9")]), "-2000", "-2000"),
            ("long call spread", book(&[(true, "3000", "1", "80"), (true, "3100", "-1", "45")]), "0", "0"),
        ];
        for (name, book, initial, maintenance) in table {
            assert_eq!(book.margin(true), d(initial), "{name}");
            assert_eq!(book.margin(false), d(maintenance), "{name}");
        }
    }

    #[test]
    fn unpaired_calls_are_bounded_by_isolated_margin_not_by_payoff() {
        let ratio = book(&[(true, "3000", "1", "80"), (true, "3100", "-2", "45")]);
        assert_eq!(ratio.margin(true), -d("2") * (d("0.13") * d("3000") + d("45")), "2 × short is milder than 1.2 F");
        assert_eq!(ratio.value(), d("-10"));
    }
}
