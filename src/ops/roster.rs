//! Which options the pipeline should know, and in which place each stands: the one writer of the instrument table.
//!
//! Every option of a vault's currency and right that lives within its selection window is listed, so that a held
//! position is never a stranger; its ticker is watched only around the vault's option auction. A place is given to
//! another option no sooner than a day after the old one expired: nothing under way can still mean the old one.

use crate::base::ids::{InstrumentId, Name, Right};
use crate::base::time::{Nanos, SEC};
use crate::market::instrument::{Instrument, Listing};
use crate::strategy::options::params::Week;

/// Options are listed this long before a vault may select them.
const EARLY_S: u64 = 3_600;
/// Tickers are watched from this long before the option auction.
const LEAD_S: u64 = 900;
/// And this long after its hard stop.
const TRAIL_S: u64 = 120;
/// A place stays its option's for this long after expiry.
const REST_S: u64 = 86_400;

/// What one option vault needs listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Want {
    /// Currency of its options.
    pub currency: Name,
    /// Right of its options.
    pub right: Right,
    /// Its weekly clock.
    pub week: Week,
}

impl Want {
    /// True if the vault must be able to tell this option from a stranger.
    fn lists(&self, instrument: &Instrument, now_s: u64) -> bool {
        let Some(option) = instrument.option else { return false };
        instrument.base_currency == self.currency
            && option.right == self.right
            && option.expiry_s > now_s
            && option.expiry_s < now_s + self.week.expiry_days * 86_400 + EARLY_S
    }

    /// True if the vault may be about to choose or auction this option.
    fn watches(&self, instrument: &Instrument, now_s: u64) -> bool {
        let Some(option) = instrument.option else { return false };
        let start_s = self.week.auction_start_s(option.expiry_s);
        self.lists(instrument, now_s)
            && option.expiry_s > now_s + self.week.expiry_s_min
            && (start_s.saturating_sub(LEAD_S)..start_s + self.week.auction_s + TRAIL_S).contains(&now_s)
    }
}

#[derive(Clone, Copy, Debug)]
struct Place {
    instrument: Instrument,
    expiry_s: u64,
    watched: bool,
}

/// The table of option places.
#[derive(Clone, Debug)]
pub struct Roster {
    wants: Vec<Want>,
    /// First option place: those before are the configured spot and perp instruments.
    first: usize,
    places: Vec<Option<Place>>,
    crowded: bool,
}

impl Roster {
    /// For these vaults, with option places `first..capacity`.
    pub fn new(wants: Vec<Want>, first: usize, capacity: usize) -> Roster {
        Roster { wants, first, places: vec![None; capacity.saturating_sub(first)], crowded: false }
    }

    /// Currencies whose listings are wanted, each once.
    pub fn currencies(&self) -> Vec<Name> {
        let mut names: Vec<Name> = self.wants.iter().map(|want| want.currency).collect();
        names.sort();
        names.dedup();
        names
    }

    /// True if an option that is wanted found no place.
    pub fn is_crowded(&self) -> bool {
        self.crowded
    }

    /// Expiries being watched, with their currency: their signed feeds are wanted too.
    pub fn watched_expiries(&self) -> Vec<(Name, u64)> {
        let watched = self.places.iter().flatten().filter(|place| place.watched);
        let mut pairs: Vec<_> = watched.map(|place| (place.instrument.base_currency, place.expiry_s)).collect();
        pairs.sort();
        pairs.dedup();
        pairs
    }

    /// When the watch on something begins or ends next, if anything is listed; to look again then.
    pub fn next_turn(&self, at: Nanos) -> Option<Nanos> {
        let now_s = at.secs();
        let listed = self.places.iter().flatten();
        let turns = listed.flat_map(|place| {
            self.wants.iter().flat_map(|want| {
                let start_s = want.week.auction_start_s(place.expiry_s);
                [start_s.saturating_sub(LEAD_S), start_s + want.week.auction_s + TRAIL_S, place.expiry_s + REST_S]
            })
        });
        turns.filter(|turn_s| *turn_s > now_s).min().map(|turn_s| Nanos(turn_s * SEC))
    }

    /// Takes what the venue lists of one currency now, and says what must change in the pipeline's table.
    pub fn update(&mut self, at: Nanos, currency: Name, listed: &[Instrument]) -> Vec<Listing> {
        let now_s = at.secs();
        let mut changes = self.retire(now_s);
        for instrument in listed.iter().filter(|instrument| instrument.base_currency == currency) {
            if self.wants.iter().any(|want| want.lists(instrument, now_s)) {
                changes.extend(self.seat(instrument));
            }
        }
        changes.extend(self.rewatch(now_s));
        changes
    }

    /// Empties places whose option has been over for long.
    fn retire(&mut self, now_s: u64) -> Vec<Listing> {
        let first = self.first;
        let over = |place: &Option<Place>| place.is_some_and(|place| place.expiry_s + REST_S <= now_s);
        let emptied = self.places.iter_mut().enumerate().filter(|(_, place)| over(place));
        emptied
            .map(|(at, place)| {
                *place = None;
                Listing::Delisted { id: InstrumentId((first + at) as u16) }
            })
            .collect()
    }

    /// Gives an option a place, or renews its facts; `None` if nothing changed or no place is left.
    fn seat(&mut self, instrument: &Instrument) -> Option<Listing> {
        let known = self.places.iter().position(|p| p.is_some_and(|p| p.instrument.name == instrument.name));
        let at = known.or_else(|| self.places.iter().position(Option::is_none));
        let Some(at) = at else {
            self.crowded = true;
            return None;
        };
        let instrument = Instrument { id: InstrumentId((self.first + at) as u16), ..*instrument };
        let watched = self.places[at].is_some_and(|place| place.watched);
        if self.places[at].is_some_and(|place| place.instrument == instrument) {
            return None;
        }
        let expiry_s = instrument.option.map_or(0, |option| option.expiry_s);
        self.places[at] = Some(Place { instrument, expiry_s, watched });
        Some(Listing::Listed { instrument, watched })
    }

    /// Starts and ends the watch on tickers.
    fn rewatch(&mut self, now_s: u64) -> Vec<Listing> {
        let wants = &self.wants;
        let places = self.places.iter_mut().flatten();
        places
            .filter_map(|place| {
                let watched = wants.iter().any(|want| want.watches(&place.instrument, now_s));
                (watched != place.watched).then(|| {
                    place.watched = watched;
                    Listing::Listed { instrument: place.instrument, watched }
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::num::Price;
    use crate::market::instrument::{Kind, OptionTerms};

    const DAY: u64 = 86_400;
    /// A Friday, 08:00 UTC.
    const FRIDAY: u64 = 1_798_185_600;

    fn name(text: &str) -> Name {
        Name::new(text).expect("short")
    }

    fn option(currency: &str, strike: i64, expiry_s: u64, right: Right) -> Instrument {
        let amount = crate::base::num::Amount::ONE;
        Instrument {
            id: InstrumentId(0),
            name: name(&format!("{currency}-{expiry_s}-{strike}-{right:?}")),
            kind: Kind::Option,
            base_currency: name(currency),
            asset: [1; 20],
            sub_id: 7,
            tick: Price::ONE,
            step: amount,
            min_amount: amount,
            max_amount: amount,
            maker_fee: Default::default(),
            taker_fee: Default::default(),
            base_fee: Default::default(),
            mark_fee_cap: Default::default(),
            option: Some(OptionTerms { expiry_s, strike: Price::whole(strike), right }),
            active: true,
        }
    }

    fn want() -> Want {
        let week = Week {
            expiry_days: 7,
            expiry_s_min: 144 * 3_600,
            option_delay_s: 18_000,
            auction_s: 3_600,
            spot_delay_s: 3_600,
            settlement_s_max: 3_600,
        };
        Want { currency: name("ETH"), right: Right::Call, week }
    }

    fn ids(changes: &[Listing]) -> Vec<(u16, bool)> {
        changes
            .iter()
            .map(|change| match change {
                Listing::Listed { instrument, watched } => (instrument.id.0, *watched),
                Listing::Delisted { id } => (id.0, false),
            })
            .collect()
    }

    #[test]
    fn an_option_is_listed_before_watched_around_and_dropped_after_its_week() {
        let mut roster = Roster::new(vec![want()], 2, 4);
        let rows = [
            option("ETH", 3_500, FRIDAY, Right::Call),
            option("ETH", 3_500, FRIDAY, Right::Put),
            option("ETH", 3_500, FRIDAY + 7 * DAY, Right::Call),
            option("BTC", 3_500, FRIDAY, Right::Call),
        ];
        let start = FRIDAY - 7 * DAY;
        let at = |s: u64| Nanos(s * SEC);
        assert!(roster.update(at(start - 2 * 3_600), name("ETH"), &rows).is_empty(), "too early");
        assert_eq!(ids(&roster.update(at(start + 60), name("ETH"), &rows)), [(2, false)]);
        assert!(roster.update(at(start + 120), name("ETH"), &rows).is_empty(), "nothing new");
        assert_eq!(roster.next_turn(at(start + 120)), Some(at(start + 18_000 - LEAD_S)));
        assert_eq!(ids(&roster.update(at(start + 17_200), name("ETH"), &rows)), [(2, true)]);
        assert_eq!(roster.watched_expiries(), [(name("ETH"), FRIDAY)]);
        assert_eq!(ids(&roster.update(at(start + 21_800), name("ETH"), &rows)), [(2, false)]);
        assert_eq!(ids(&roster.update(at(FRIDAY + 60), name("ETH"), &rows)), [(3, false)], "the next week");
        assert_eq!(ids(&roster.update(at(FRIDAY + DAY), name("ETH"), &rows)), [(2, false)], "the old one is dropped");
    }

    #[test]
    fn a_full_table_says_so() {
        let mut roster = Roster::new(vec![want()], 0, 1);
        let rows = [3_500, 3_600].map(|strike| option("ETH", strike, FRIDAY, Right::Call));
        assert_eq!(roster.update(Nanos((FRIDAY - DAY) * SEC), name("ETH"), &rows).len(), 1);
        assert!(roster.is_crowded());
    }
}
