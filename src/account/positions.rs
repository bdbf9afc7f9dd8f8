//! Option positions of one account: at most one entry per instrument, none of size zero.

use crate::base::ids::InstrumentId;
use crate::base::num::{Amount, WIRE_MAX};
use crate::msg::{HELD, Held};

/// A bounded set of signed positions.
#[derive(Clone, Copy, Debug, Default, Hash)]
#[allow(clippy::derived_hash_with_manual_eq)] // A digest is of the places too; nothing looks positions up by their hash.
pub struct Positions {
    held: [Option<Held>; HELD],
}

impl Positions {
    /// Signed size in an instrument; zero if there is none.
    pub fn of(&self, instrument: InstrumentId) -> Amount {
        self.iter().find(|held| held.instrument == instrument).map_or(Amount::ZERO, |held| held.amount)
    }

    /// Every position, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &Held> {
        self.held.iter().flatten()
    }

    /// As the strategy sees them.
    pub fn all(&self) -> [Option<Held>; HELD] {
        self.held
    }

    /// Units sold and not bought back, over all instruments.
    pub fn short(&self) -> Amount {
        self.iter().map(|held| (-held.amount).max(Amount::ZERO)).sum()
    }

    /// Makes a position what it is said to be. False, and nothing changed, if there is no room for it or no account
    /// could hold that much.
    #[must_use]
    pub fn set(&mut self, instrument: InstrumentId, amount: Amount) -> bool {
        if amount.abs() > Amount::whole(WIRE_MAX) {
            return false;
        }
        let known = self.held.iter().position(|place| place.is_some_and(|held| held.instrument == instrument));
        let place = known.or_else(|| self.held.iter().position(Option::is_none));
        match place {
            Some(place) => self.held[place] = (!amount.is_zero()).then_some(Held { instrument, amount }),
            None if amount.is_zero() => {}
            None => return false,
        }
        true
    }

    /// Moves a position. False, and nothing changed, as for [`Positions::set`].
    #[must_use]
    pub fn add(&mut self, instrument: InstrumentId, signed: Amount) -> bool {
        self.set(instrument, self.of(instrument) + signed)
    }
}

impl PartialEq for Positions {
    /// Equal if the same instruments are held in the same size, whatever their places.
    fn eq(&self, other: &Positions) -> bool {
        self.iter().all(|held| other.of(held.instrument) == held.amount)
            && other.iter().all(|held| self.of(held.instrument) == held.amount)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_closes_and_frees_its_place() {
        let mut positions = Positions::default();
        for id in 0..HELD as u16 {
            assert!(positions.add(InstrumentId(id), Amount::ONE));
        }
        assert!(!positions.add(InstrumentId(99), Amount::ONE), "no room");
        assert!(positions.set(InstrumentId(99), Amount::ZERO), "nothing to hold");
        assert!(positions.add(InstrumentId(3), -Amount::ONE));
        assert!(positions.add(InstrumentId(99), -Amount::whole(2)));
        assert_eq!((positions.of(InstrumentId(99)), positions.short()), (-Amount::whole(2), Amount::whole(2)));
        assert!(!positions.add(InstrumentId(0), Amount::whole(WIRE_MAX)), "more than an account holds");
        assert_eq!(positions.of(InstrumentId(0)), Amount::ONE);
    }

    #[test]
    fn order_of_arrival_does_not_matter() {
        let (mut one, mut two) = (Positions::default(), Positions::default());
        let legs = [(InstrumentId(4), Amount::ONE), (InstrumentId(9), -Amount::ONE)];
        assert!(legs.iter().all(|(id, amount)| one.set(*id, *amount)));
        assert!(legs.iter().rev().all(|(id, amount)| two.set(*id, *amount)));
        assert_eq!(one, two);
        assert!(two.add(InstrumentId(9), Amount::from_raw(1)));
        assert_ne!(one, two);
    }
}
