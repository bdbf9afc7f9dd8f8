//! The instruments risk knows and what each is worth, by place.

use crate::base::ids::{InstrumentId, Name};
use crate::base::num::{Cash, Price};
use crate::market::instrument::{Instrument, Kind, Listing};
use crate::msg::{Held, Value};
use crate::risk::option_case::Facet;

/// Most places: as many as the widest chain of every vault needs, and a bound against a listing gone mad.
const PLACES_MAX: usize = 4_096;

#[derive(Clone, Copy, Debug, Default, Hash)]
struct Place {
    instrument: Option<Instrument>,
    value: Value,
}

/// The instrument table with newest values.
#[derive(Debug, Hash)]
pub(super) struct Table {
    places: Vec<Place>,
}

impl Table {
    pub(super) fn new(instruments: Vec<Instrument>) -> Table {
        let place = |instrument| Place { instrument: Some(instrument), value: Value::default() };
        Table { places: instruments.into_iter().map(place).collect() }
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn instrument(&self, id: InstrumentId) -> Option<&Instrument> {
        self.places.get(usize::from(id.0))?.instrument.as_ref()
    }

    pub(super) fn facet(&self, id: InstrumentId) -> Option<Facet<'_>> {
        let place = self.places.get(usize::from(id.0))?;
        Some(Facet { instrument: place.instrument.as_ref()?, value: &place.value })
    }

    pub(super) fn on_value(&mut self, value: &Value) {
        if let Some(place) = self.places.get_mut(usize::from(value.instrument.0)) {
            place.value = *value;
        }
    }

    /// A place has another instrument, or none; what its old one was worth is forgotten.
    pub(super) fn on_listing(&mut self, listing: &Listing) {
        let (id, instrument) = match *listing {
            Listing::Listed { instrument, .. } => (instrument.id, Some(instrument)),
            Listing::Delisted { id } => (id, None),
        };
        let at = usize::from(id.0);
        if at >= PLACES_MAX {
            return;
        }
        if at >= self.places.len() {
            self.places.resize(at + 1, Place::default());
        }
        let place = &mut self.places[at];
        let same = matches!((&place.instrument, &instrument), (Some(old), Some(new)) if old.name == new.name);
        if !same {
            place.value = Value::default();
        }
        place.instrument = instrument;
    }

    /// True for an option of that currency.
    pub(super) fn is_option_of(&self, currency: Name, id: InstrumentId) -> bool {
        self.instrument(id)
            .is_some_and(|instrument| instrument.kind == Kind::Option && instrument.base_currency == currency)
    }

    /// What positions are worth at mark; those without a mark count nothing.
    pub(super) fn worth<'a>(&self, held: impl Iterator<Item = &'a Held>) -> Cash {
        let mark = |held: &Held| self.facet(held.instrument).map_or(Price::ZERO, |facet| facet.value.mark);
        held.map(|held| mark(held).times(held.amount)).sum()
    }
}
