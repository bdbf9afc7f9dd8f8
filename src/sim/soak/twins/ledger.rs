//! A slow twin of the ledger: the same fills, booked in decimals without an end, must come to what the engine's fixed
//! numbers say at every look it takes at itself.
//!
//! Balances taken over from the venue are no arithmetic: where the engine has just done so, the twin takes them over too,
//! and goes on from there.

use crate::actors::risk::{Sample, Stats};
use crate::base::ids::{InstrumentId, Side};
use crate::base::num::Amount;
use crate::base::time::{Nanos, SEC};
use crate::msg::Fill;
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// A fill told so soon after balances were taken over may be in them already.
const UNCLEAR_NS: u64 = 3 * SEC;

/// What an account holds and has paid.
#[derive(Clone, Debug, Default, PartialEq)]
struct Books {
    base: Decimal,
    perp: Decimal,
    options: BTreeMap<InstrumentId, Decimal>,
    /// Cash less what the perp has cost and not yet settled, without what was earned or settled.
    cash: Decimal,
    fees: Decimal,
}

/// The twin.
#[derive(Clone, Debug, Default)]
pub struct Twin {
    books: Option<Books>,
    /// Looks at the account that the engine had believed when it last looked at itself, and when their number last changed.
    proved: (u64, Nanos),
}

/// Reads a fixed number through its text.
fn exact(number: impl std::fmt::Display) -> Decimal {
    number.to_string().parse().unwrap_or(Decimal::MAX)
}

fn books_of(sample: &Sample) -> Books {
    let held = sample.held.iter().flatten().filter(|held| held.amount != Amount::ZERO);
    Books {
        base: exact(sample.base),
        perp: exact(sample.perp),
        options: held.map(|held| (held.instrument, exact(held.amount))).collect(),
        cash: exact(sample.cash) - exact(sample.perp_cost) - exact(sample.interest) - exact(sample.settled),
        fees: exact(sample.fees),
    }
}

impl Twin {
    /// The engine is gone, and what it had paid with it.
    pub fn forget(&mut self) {
        *self = Twin::default();
    }

    /// Something came into the account that is no fill.
    pub fn disturb(&mut self) {
        self.books = None;
    }

    /// The engine has booked a fill of the base, the perp, or else an option.
    pub fn book(&mut self, fill: &Fill, base: InstrumentId, perp: Option<InstrumentId>) {
        let Some(books) = &mut self.books else { return };
        let amount = exact(fill.amount);
        let signed = if fill.side == Side::Buy { amount } else { -amount };
        let (paid, fee) = (exact(fill.price) * signed, exact(fill.fee));
        books.fees += fee;
        books.cash -= fee + paid;
        if fill.instrument == base {
            books.base += signed;
        } else if Some(fill.instrument) == perp {
            books.perp += signed;
        } else {
            let held = books.options.entry(fill.instrument).or_default();
            *held += signed;
            if held.is_zero() {
                books.options.remove(&fill.instrument);
            }
        }
    }

    /// The engine has looked at itself: what it says otherwise than the twin.
    ///
    /// `None` if there was nothing to compare it with.
    pub fn compare(&mut self, sample: &Sample, stats: &Stats) -> Option<Result<(), String>> {
        let proved = stats.reconciled + stats.mismatched;
        if proved != self.proved.0 {
            self.proved = (proved, sample.at);
        }
        let unclear = sample.at.since(self.proved.1) <= UNCLEAR_NS;
        let said = books_of(sample);
        let mut expected = match self.books.replace(said.clone()) {
            Some(books) if !unclear => books,
            _ => return None,
        };
        let rounding = Decimal::new(1, 6);
        if (expected.cash - said.cash).abs() <= rounding {
            expected.cash = said.cash;
        }
        let agrees = expected == said;
        Some(if agrees { Ok(()) } else { Err(format!("the ledger says {said:?}, its twin {expected:?}")) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::{Nonce, SubaccountId, Uuid};
    use crate::base::num::{Cash, Price};
    use crate::msg::Settlement;

    fn sample(at_s: u64, base: i64, cash: i64) -> Sample {
        Sample { at: Nanos(at_s * SEC), base: Amount::whole(base), cash: Cash::whole(cash), ..Sample::default() }
    }

    /// Bought at ten a unit.
    fn fill(amount: i64) -> Fill {
        Fill {
            subaccount: SubaccountId(1),
            trade_id: Uuid(1),
            order_id: Uuid(1),
            nonce: Nonce(1),
            instrument: InstrumentId(1),
            side: Side::Buy,
            price: Price::whole(10),
            amount: Amount::whole(amount),
            fee: Cash::ZERO,
            maker: true,
            mark: Price::whole(10),
            venue_at: Nanos::ZERO,
            settlement: Settlement::Final,
        }
    }

    #[test]
    fn fills_explain_what_changes_and_nothing_else_does() {
        let mut twin = Twin::default();
        let stats = Stats { reconciled: 1, ..Stats::default() };
        let look = |twin: &mut Twin, at_s, base, cash| twin.compare(&sample(at_s, base, cash), &stats);
        assert_eq!(look(&mut twin, 1, 5, 100), None, "taken over");
        assert_eq!(look(&mut twin, 5, 5, 100), Some(Ok(())));
        twin.book(&fill(2), InstrumentId(1), None);
        assert_eq!(look(&mut twin, 6, 7, 80), Some(Ok(())));
        let differs = |look: Option<Result<(), String>>| look.is_some_and(|look| look.is_err());
        assert!(differs(look(&mut twin, 7, 8, 80)), "without a fill");
        twin.book(&fill(1), InstrumentId(1), None);
        assert!(differs(look(&mut twin, 8, 9, 80)), "bought for nothing");
        let again = Stats { reconciled: 2, ..Stats::default() };
        assert_eq!(twin.compare(&sample(9, 50, 50), &again), None, "taken over anew");
    }
}
