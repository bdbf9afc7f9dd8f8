//! Fills that the venue's chain has not taken yet (v2): which they are, and how many.
//!
//! The venue may tell the states of a fill twice and out of order; a fill that has come to an end stays there. What is not
//! known counts: while the records of earlier sessions have not been read, there may be one more.

use crate::account::recent::Recent;
use crate::base::ids::Uuid;
use crate::msg::Settlement;

/// Open fills remembered by name; more are only counted.
const OPEN_MAX: usize = 256;

/// What a state of a fill says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Nothing that was not known.
    Nothing,
    /// It is on its way, or there.
    Stands,
    /// It never happened; `known` if we had heard of it before.
    Reverted {
        /// It was among the open ones.
        known: bool,
    },
}

/// Fills on their way to the chain.
pub struct Unsettled {
    expected: bool,
    read: bool,
    open: Box<[Option<Uuid>; OPEN_MAX]>,
    unnamed: u32,
    ended: Recent<Uuid, 1024>,
}

impl Default for Unsettled {
    fn default() -> Unsettled {
        Unsettled {
            expected: false,
            read: false,
            open: Box::new([None; OPEN_MAX]),
            unnamed: 0,
            ended: Recent::default(),
        }
    }
}

impl Unsettled {
    /// From now on fills are expected to settle on a chain.
    pub fn expect(&mut self) {
        self.expected = true;
    }

    /// True if fills settle on a chain.
    pub fn is_expected(&self) -> bool {
        self.expected
    }

    /// The session is lost: states may be missed until the venue's records are read again, which name every open fill.
    pub fn lose_track(&mut self) {
        self.read = false;
        self.unnamed = 0;
    }

    /// The venue's records have been read to their end.
    pub fn regain_track(&mut self) {
        self.read = true;
    }

    /// How many fills may still be taken back.
    pub fn count(&self) -> u32 {
        let named = self.open.iter().flatten().count() as u32;
        named + self.unnamed + u32::from(self.expected && !self.read)
    }

    /// Takes the state of a fill.
    pub fn note(&mut self, trade: Uuid, state: Settlement) -> Heard {
        match state {
            Settlement::Final => Heard::Stands,
            Settlement::Open if self.ended.contains(trade) => Heard::Nothing,
            Settlement::Open => {
                self.open(trade);
                Heard::Stands
            }
            Settlement::Settled | Settlement::Reverted if !self.ended.insert(trade) => Heard::Nothing,
            Settlement::Settled => {
                self.close(trade);
                Heard::Stands
            }
            Settlement::Reverted => Heard::Reverted { known: self.close(trade) },
        }
    }

    fn open(&mut self, trade: Uuid) {
        if self.open.contains(&Some(trade)) {
            return;
        }
        match self.open.iter_mut().find(|place| place.is_none()) {
            Some(place) => *place = Some(trade),
            None => self.unnamed = self.unnamed.saturating_add(1),
        }
    }

    /// Forgets an open fill; true if it was one.
    fn close(&mut self, trade: Uuid) -> bool {
        let place = self.open.iter_mut().find(|place| **place == Some(trade));
        place.map(Option::take).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_never_go_back() {
        let mut unsettled = Unsettled::default();
        unsettled.expect();
        assert_eq!(unsettled.count(), 1, "nothing has been read yet");
        unsettled.regain_track();
        assert_eq!(unsettled.count(), 0);
        let [one, two] = [Uuid(1), Uuid(2)];
        assert_eq!(unsettled.note(one, Settlement::Open), Heard::Stands);
        assert_eq!(unsettled.note(one, Settlement::Open), Heard::Stands);
        assert_eq!(unsettled.note(two, Settlement::Open), Heard::Stands);
        assert_eq!(unsettled.count(), 2);
        assert_eq!(unsettled.note(one, Settlement::Settled), Heard::Stands);
        for late in [Settlement::Open, Settlement::Settled, Settlement::Reverted] {
            assert_eq!(unsettled.note(one, late), Heard::Nothing, "{late:?}");
        }
        assert_eq!(unsettled.note(two, Settlement::Reverted), Heard::Reverted { known: true });
        assert_eq!(unsettled.note(Uuid(3), Settlement::Reverted), Heard::Reverted { known: false });
        assert_eq!(unsettled.note(Uuid(3), Settlement::Open), Heard::Nothing);
        assert_eq!(unsettled.count(), 0);
    }

    #[test]
    fn what_cannot_be_named_counts_until_the_records_are_read_again() {
        let mut unsettled = Unsettled::default();
        unsettled.regain_track();
        (0..OPEN_MAX as u128 + 3).for_each(|trade| {
            unsettled.note(Uuid(trade), Settlement::Open);
        });
        assert_eq!(unsettled.count(), OPEN_MAX as u32 + 3);
        (0..OPEN_MAX as u128 + 3).for_each(|trade| {
            unsettled.note(Uuid(trade), Settlement::Settled);
        });
        assert_eq!(unsettled.count(), 3, "their names are not known");
        unsettled.lose_track();
        unsettled.regain_track();
        assert_eq!(unsettled.count(), 0);
    }

    #[test]
    fn on_v3_nothing_is_ever_open() {
        let mut unsettled = Unsettled::default();
        assert_eq!(unsettled.note(Uuid(1), Settlement::Final), Heard::Stands);
        unsettled.lose_track();
        assert_eq!(unsettled.count(), 0);
    }
}
