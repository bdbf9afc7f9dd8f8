//! Orders that have ended: what one of them did not fill is free for the next of its kind, or a venue that cancels often
//! would use up what a vault may give away.

use crate::base::ids::{InstrumentId, Side};
use crate::msg::Wish;
use crate::risk::order::Replaced;

/// Kinds remembered: an instrument and a side each.
const KINDS: usize = 4;

/// The newest ended order of each kind, if none has counted in its place.
#[derive(Clone, Copy, Debug, Default, Hash)]
pub(super) struct Ended([Option<(InstrumentId, Side, Replaced)>; KINDS]);

impl Ended {
    /// Notes that an order is over. The kind that was noted longest ago is forgotten where there is no place.
    pub fn note(&mut self, wish: &Wish, order: Replaced) {
        let last = self.place(wish).unwrap_or(KINDS - 1);
        self.0[..=last].rotate_right(1);
        self.0[0] = Some((wish.instrument, wish.side, order));
    }

    /// The order in whose place a new one counts.
    pub fn of(&self, wish: &Wish) -> Option<Replaced> {
        self.0[self.place(wish)?].map(|(_, _, order)| order)
    }

    /// A new one has counted in its place.
    pub fn forget(&mut self, wish: &Wish) {
        if let Some(place) = self.place(wish) {
            self.0[place] = None;
        }
    }

    fn place(&self, wish: &Wish) -> Option<usize> {
        let same = |known: &Option<(InstrumentId, Side, Replaced)>| {
            known.is_some_and(|(instrument, side, _)| (instrument, side) == (wish.instrument, wish.side))
        };
        self.0.iter().position(same)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::Nonce;
    use crate::base::num::{Amount, Price};
    use crate::msg::{Purpose, TimeInForce};

    #[test]
    fn the_newest_of_each_kind_is_named_once() {
        let wish = |instrument, side| Wish {
            instrument: InstrumentId(instrument),
            side,
            price: Price::whole(1),
            amount: Amount::whole(1),
            tif: TimeInForce::PostOnly,
            reduce_only: false,
            purpose: Purpose::Quote,
        };
        let order = |nonce| Replaced { nonce: Nonce(nonce), filled: Amount::ZERO };
        let mut ended = Ended::default();
        ended.note(&wish(1, Side::Buy), order(1));
        ended.note(&wish(1, Side::Sell), order(2));
        ended.note(&wish(1, Side::Buy), order(3));
        assert_eq!((ended.of(&wish(2, Side::Buy)), ended.of(&wish(1, Side::Buy))), (None, Some(order(3))));
        ended.forget(&wish(1, Side::Buy));
        assert_eq!((ended.of(&wish(1, Side::Buy)), ended.of(&wish(1, Side::Sell))), (None, Some(order(2))));
        (2..=5).for_each(|id| ended.note(&wish(id, Side::Buy), order(u64::from(id) + 10)));
        assert_eq!((ended.of(&wish(1, Side::Sell)), ended.of(&wish(5, Side::Buy))), (None, Some(order(15))));
    }
}
