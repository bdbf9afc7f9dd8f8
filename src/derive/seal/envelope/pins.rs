//! What every name was first seen to be. Names come from the engine's mouth, and what is signed is an asset: once a name
//! has meant one, on this journal, it means no other.

use crate::engine::journal::PinRecord;
use crate::market::instrument::{Instrument, Kind};
use alloy_primitives::keccak256;

/// Room for pins to come, so that taking one on takes no memory.
const ROOM: usize = 64;

/// What became of a look at an instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Nobody has seen the name before: this is on record from now on.
    First(PinRecord),
    /// It is what it was.
    Same,
    /// It is something else than it was.
    Moved,
}

/// The pins of one journal.
#[derive(Clone, Debug, Hash)]
pub struct Pins(Vec<PinRecord>);

impl Default for Pins {
    fn default() -> Pins {
        Pins::of(&[])
    }
}

impl Pins {
    /// Those that the journal tells.
    pub fn of(known: &[PinRecord]) -> Pins {
        let mut pins = Vec::with_capacity(known.len() + ROOM);
        pins.extend_from_slice(known);
        Pins(pins)
    }

    /// All of them.
    pub fn records(&self) -> &[PinRecord] {
        &self.0
    }

    /// Looks at an instrument.
    pub fn see(&mut self, instrument: &Instrument) -> Seen {
        let pin = pin_of(instrument);
        match self.0.iter().find(|known| known.name == pin.name) {
            Some(known) if *known == pin => Seen::Same,
            Some(_) => Seen::Moved,
            None => {
                self.0.push(pin);
                Seen::First(pin)
            }
        }
    }
}

/// An instrument goes by its name; options go by their currency, since each has a sub-id that its terms tell.
fn pin_of(instrument: &Instrument) -> PinRecord {
    let (tag, name, sub_id) = match instrument.kind {
        Kind::Option => (b'O', &instrument.base_currency, 0),
        Kind::Spot | Kind::Perp => (b'I', &instrument.name, instrument.sub_id),
    };
    let mut text = [0; 64];
    text[0] = tag;
    text[1..=name.len()].copy_from_slice(name.as_bytes());
    let mut hash = [0; 16];
    hash.copy_from_slice(&keccak256(&text[..=name.len()])[..16]);
    PinRecord { name: hash, asset: instrument.asset, sub_id }
}

/// Refuses instruments that are not what the journal says they were.
///
/// # Errors
/// Which, in words.
pub fn prove_unmoved(known: &[PinRecord], instruments: &[Instrument]) -> Result<(), String> {
    let mut pins = Pins::of(known);
    match instruments.iter().find(|instrument| pins.see(instrument) == Seen::Moved) {
        None => Ok(()),
        Some(moved) => Err(format!(
            "{} is another asset than when this journal first saw it: do not trade, unless the venue says that it has moved it; then start with an empty state.dir",
            moved.name
        )),
    }
}
