//! The instruments risk knows and what each is worth, by place.

use crate::base::ids::{InstrumentId, Name};
use crate::base::num::{Cash, Price};
use crate::market::instrument::{Instrument, Kind, Listing};
use crate::msg::{Guards, Held, Value};
use crate::risk::option_case::Facet;

/// Most places: as many as the widest chain of every vault needs, and a bound against a listing gone mad.
const PLACES_MAX: usize = 4_096;

/// Whatever speaks against a mark itself.
const UNBELIEVED: Guards = Guards::NO_PRICE.with(Guards::MODEL_DEVIATES);

#[derive(Clone, Copy, Debug, Default, Hash)]
struct Place {
    instrument: Option<Instrument>,
    value: Value,
    /// The last mark that no guard spoke against; zero before the first.
    believed: Price,
}

/// The instrument table with newest values.
#[derive(Debug, Hash)]
pub(super) struct Table {
    places: Vec<Place>,
}

impl Table {
    pub(super) fn new(instruments: Vec<Instrument>) -> Table {
        let place = |instrument| Place { instrument: Some(instrument), ..Place::default() };
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
            if !value.guards.has(UNBELIEVED) {
                place.believed = value.mark;
            }
        }
    }

    /// The last mark that was believed; zero before the first.
    pub(super) fn believed_mark(&self, id: InstrumentId) -> Price {
        self.places.get(usize::from(id.0)).map_or(Price::ZERO, |place| place.believed)
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
            (place.value, place.believed) = Default::default();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actors::risk::option_stage::instrument;

    #[test]
    fn a_mark_that_a_guard_speaks_against_is_not_believed() {
        let id = InstrumentId(0);
        let mut table = Table::new(vec![instrument(id, Kind::Option, Some(3_000))]);
        assert_eq!(table.believed_mark(id), Price::ZERO);
        for (mark, guards, believed) in [
            (9, Guards::UNCONFIRMED, 0),
            (10, Guards::NONE, 10),
            (5, Guards::UNCONFIRMED, 10),
            (5, Guards::MODEL_DEVIATES, 10),
            (0, Guards::TICKER_STALE, 10),
            (11, Guards::VOLATILE, 11),
        ] {
            table.on_value(&Value { instrument: id, mark: Price::whole(mark), guards, ..Value::default() });
            assert_eq!(table.believed_mark(id), Price::whole(believed), "{mark} {guards:?}");
        }
        table.on_listing(&Listing::Delisted { id });
        assert_eq!(table.believed_mark(id), Price::ZERO);
    }
}
