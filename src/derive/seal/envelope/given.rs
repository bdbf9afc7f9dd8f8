//! What a signature gives away at worst against the signer's own mark, and which of two orders that replace each other counts.
//!
//! A replacement and what it replaces cannot both fill: the venue ends one before it takes the other, and refuses if the one
//! filled more than was claimed (Derive 11028). So both count as one, with the dearer of the two. That much is the engine's
//! word, as is every mark; whoever signs two orders without saying so pays for both.

use crate::base::ids::{Nonce, Side};
use crate::base::num::{Amount, Cash, Price};
use crate::base::time::Nanos;
use crate::engine::rolling::{Given, Spent};
use crate::msg::Breach;
use crate::risk::order::Replaced;

/// Orders remembered until they are replaced: more than may live at once. One forgotten counts on.
const REMEMBERED: usize = 16;

/// How far a price is on the wrong side of a mark, 1e-9; nothing on the right side.
pub(super) fn wrong_side(side: Side, price: Price, mark: Price) -> i128 {
    let (price, mark) = (i128::from(price.raw()), i128::from(mark.raw()));
    let distance = if side == Side::Buy { price - mark } else { mark - price };
    distance.max(0)
}

/// So much per unit of an amount, and so much for all of it.
pub(super) fn worst(per_unit_e9: i128, amount: Amount, fee: Cash) -> Result<Cash, Breach> {
    let units = per_unit_e9.checked_mul(i128::from(amount.raw()));
    units.and_then(|units| units.checked_add(fee.raw())).map(Cash::from_raw).ok_or(Breach::Range)
}

/// An order that may rest.
#[derive(Clone, Copy, Debug, Default, Hash)]
struct Resting {
    nonce: Nonce,
    per_unit_e9: i128,
    amount: Amount,
    filled: Amount,
}

/// An order that may rest, or in its stead the one it was to replace, counted as one.
#[derive(Clone, Copy, Debug, Default, Hash)]
struct Line {
    orders: [Resting; 2],
    charged: Cash,
    at: Nanos,
}

impl Line {
    fn find(&self, nonce: Nonce) -> Option<&Resting> {
        self.orders.iter().find(|order| order.nonce == nonce && nonce > Nonce(0))
    }
}

/// A vault's orders that may rest.
#[derive(Clone, Debug, Default, Hash)]
pub(super) struct Lines([Line; REMEMBERED]);

/// An order about to be counted.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    pub nonce: Nonce,
    pub per_unit_e9: i128,
    pub amount: Amount,
    pub replaces: Option<Replaced>,
}

impl Lines {
    /// What an order changes about what is given away.
    pub fn weigh(&self, entry: &Entry) -> Result<Given, Breach> {
        let away = worst(entry.per_unit_e9, entry.amount, Cash::ZERO)?;
        let Some((line, old, filled)) = entry.replaces.and_then(|old| self.replaced(old)) else {
            return Ok(Given { away, ..Given::default() });
        };
        let gone = worst(old.per_unit_e9, filled - old.filled, Cash::ZERO)?;
        let back = (line.charged - gone).max(Cash::ZERO);
        let rest = worst(old.per_unit_e9, old.amount - filled, Cash::ZERO)?;
        Ok(Given { away: away.max(rest), back, back_at: line.at })
    }

    /// Remembers an order that was counted.
    pub fn note(&mut self, at: Nanos, entry: &Entry, given: &Given) {
        let new =
            Resting { nonce: entry.nonce, per_unit_e9: entry.per_unit_e9, amount: entry.amount, filled: Amount::ZERO };
        let replaced = entry.replaces.and_then(|old| self.replaced(old));
        let old = replaced.map_or(Resting::default(), |(_, old, filled)| Resting { filled, ..*old });
        let place = self.0.iter().position(|line| line.find(old.nonce).is_some());
        // The newest are in front; what falls off the end counts on.
        self.0[..=place.unwrap_or(REMEMBERED - 1)].rotate_right(1);
        self.0[0] = Line { orders: [new, old], charged: given.away, at };
    }

    /// The order named, its line, and how much of it had filled as far as the claim can be.
    fn replaced(&self, old: Replaced) -> Option<(&Line, &Resting, Amount)> {
        let (line, order) = self.0.iter().find_map(|line| line.find(old.nonce).map(|order| (line, order)))?;
        Some((line, order, old.filled.clamp(order.filled, order.amount)))
    }
}

/// True if the sums of the hour and of the day stay within their limits.
pub(super) fn fits(spent: &mut Spent, at: Nanos, given: &Given, most: [Cash; 2]) -> Result<(), Breach> {
    let sums = [(&mut spent.given_hour, Breach::GivenHour), (&mut spent.given_day, Breach::GivenDay)];
    for ((sum, breach), most) in sums.into_iter().zip(most) {
        let left = sum.sum(at) - sum.takes_back(given.back_at, given.back.raw());
        if left.saturating_add(given.away.raw()) > most.raw() {
            return Err(breach);
        }
    }
    Ok(())
}
