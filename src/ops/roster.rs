//! Which options the pipeline should know, and in which place each stands: the one writer of the instrument table.
//!
//! Every option of a vault's currency and right that lives within its selection window is listed, so that a held
//! position is never a stranger; its ticker is watched only while the vault's option auction may run. A place is given to
//! another option no sooner than a day after the old one expired: nothing under way can still mean the old one.

use crate::base::ids::{InstrumentId, Name, Right};
use crate::base::time::{Nanos, SEC};
use crate::market::instrument::{Instrument, Listing};
use crate::strategy::options::params::Week;

/// Options are listed this long before a vault may select them.
const EARLY_S: u64 = 3_600;
/// Tickers are watched from this long before the option auction.
const LEAD_S: u64 = 900;
/// And this long after the last hard stop it may have.
const TRAIL_S: u64 = 120;
/// Expiries watched at once for one vault: the one being auctioned and the one after it.
const WATCHED_EXPIRIES: usize = 2;
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

    /// From shortly before an auction of this expiry may begin, unix seconds, to shortly after the last one may end: it
    /// may begin late, after a late settlement or a restart, as long as the expiry can be selected.
    fn watch_s(&self, expiry_s: u64) -> std::ops::Range<u64> {
        let start_s = self.week.auction_start_s(expiry_s);
        let last_start_s = start_s.max(expiry_s.saturating_sub(self.week.expiry_s_min));
        let end_s = last_start_s.saturating_add(self.week.auction_s + TRAIL_S);
        start_s.saturating_sub(LEAD_S)..end_s.min(expiry_s)
    }

    /// The latest expiries of which the vault may be about to choose or auction an option.
    fn watched<'a>(&self, instruments: impl Iterator<Item = &'a Instrument>, now_s: u64) -> Vec<u64> {
        let expiries = instruments.filter(|instrument| self.lists(instrument, now_s));
        let mut expiries: Vec<u64> = expiries
            .filter_map(|instrument| instrument.option.map(|option| option.expiry_s))
            .filter(|expiry_s| self.watch_s(*expiry_s).contains(&now_s))
            .collect();
        expiries.sort_unstable_by(|one, other| other.cmp(one));
        expiries.dedup();
        expiries.truncate(WATCHED_EXPIRIES);
        expiries
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

    /// The option in a place.
    pub fn instrument(&self, id: InstrumentId) -> Option<&Instrument> {
        let place = usize::from(id.0).checked_sub(self.first)?;
        self.places.get(place)?.as_ref().map(|place| &place.instrument)
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
                let watch_s = want.watch_s(place.expiry_s);
                [watch_s.start, watch_s.end, place.expiry_s + REST_S]
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
        let instruments = || self.places.iter().flatten().map(|place| &place.instrument);
        let watched: Vec<(Want, Vec<u64>)> =
            self.wants.iter().map(|want| (*want, want.watched(instruments(), now_s))).collect();
        let places = self.places.iter_mut().flatten();
        places
            .filter_map(|place| {
                let watched = watched
                    .iter()
                    .any(|(want, expiries)| want.lists(&place.instrument, now_s) && expiries.contains(&place.expiry_s));
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
        // Its auction may begin until it can no longer be selected, six days before its expiry, and takes an hour.
        let last = FRIDAY - 6 * DAY + 3_600 + TRAIL_S;
        assert!(roster.update(at(start + 21_800), name("ETH"), &rows).is_empty(), "an auction may begin late");
        assert_eq!(roster.next_turn(at(start + 21_800)), Some(at(last)));
        assert!(roster.update(at(last - 1), name("ETH"), &rows).is_empty(), "and run when it could begin no more");
        assert_eq!(ids(&roster.update(at(last), name("ETH"), &rows)), [(2, false)]);
        assert_eq!(ids(&roster.update(at(FRIDAY + 60), name("ETH"), &rows)), [(3, false)], "the next week");
        assert_eq!(
            ids(&roster.update(at(FRIDAY + DAY), name("ETH"), &rows)),
            [(2, false), (3, true)],
            "the old one is dropped"
        );
    }

    #[test]
    fn of_many_expiries_that_could_be_auctioned_the_latest_two_are_watched() {
        // An expiry a day, each selectable for five days.
        let mut want = want();
        want.week.expiry_s_min = 2 * DAY;
        let mut roster = Roster::new(vec![want], 0, 16);
        let rows: Vec<Instrument> = (0..9).map(|day| option("ETH", 3_500, FRIDAY + day * DAY, Right::Call)).collect();
        let at = |s: u64| Nanos(s * SEC);
        roster.update(at(FRIDAY + 6 * 3_600), name("ETH"), &rows);
        assert_eq!(roster.watched_expiries(), [6, 7].map(|day| (name("ETH"), FRIDAY + day * DAY)));
        // A day on, the next one takes the place of the earlier.
        roster.update(at(FRIDAY + DAY + 6 * 3_600), name("ETH"), &rows);
        assert_eq!(roster.watched_expiries(), [7, 8].map(|day| (name("ETH"), FRIDAY + day * DAY)));
    }

    #[test]
    fn a_full_table_says_so() {
        let mut roster = Roster::new(vec![want()], 0, 1);
        let rows = [3_500, 3_600].map(|strike| option("ETH", strike, FRIDAY, Right::Call));
        assert_eq!(roster.update(Nanos((FRIDAY - DAY) * SEC), name("ETH"), &rows).len(), 1);
        assert!(roster.is_crowded());
    }
}
