//! What may be traded for whom: one entry per subaccount and instrument, following the listings.

use super::decode::{INSTRUMENTS_MAX, NoRoom};
use crate::base::ids::{InstrumentId, Name, Right, SubaccountId, VaultId};
use crate::market::instrument::{Instrument, Kind, Listing};
use std::fmt;
use std::hash::{Hash, Hasher};

/// A vault and the options it may trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MemberTerms {
    /// Vault.
    pub vault: VaultId,
    /// Its subaccount.
    pub subaccount: SubaccountId,
    /// Currency of its options, e.g. `ETH`; none if it trades none.
    pub option_currency: Option<Name>,
    /// Right of its options; none if it may trade calls and puts.
    pub right: Option<Right>,
}

impl MemberTerms {
    /// True if the instrument is an option of the member's kind.
    pub fn admits(&self, instrument: &Instrument) -> bool {
        let Some(terms) = instrument.option.filter(|_| instrument.kind == Kind::Option) else { return false };
        self.option_currency == Some(instrument.base_currency) && self.right.is_none_or(|right| right == terms.right)
    }
}

/// An instrument that a member may trade, with what was prepared for it.
#[derive(Clone, Debug)]
pub struct Entry<T> {
    /// The instrument.
    pub instrument: Instrument,
    /// What was prepared.
    pub prepared: T,
}

#[derive(Clone, Debug)]
struct Row<T> {
    subaccount: SubaccountId,
    terms: Option<MemberTerms>,
    places: Box<[Option<Box<Entry<T>>>]>,
}

/// The entries of all members. An entry is made when its instrument is listed and found without a search.
#[derive(Clone)]
pub struct Desk<T> {
    rows: Vec<Row<T>>,
}

impl<T> fmt::Debug for Desk<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = self.rows.iter().flat_map(|row| row.places.iter().flatten().map(|entry| (row.subaccount, entry)));
        f.debug_list().entries(places.map(|(whose, entry)| (whose, entry.instrument.name))).finish()
    }
}

/// What is prepared follows from the instrument.
impl<T> Hash for Desk<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for Row { subaccount, terms, places } in &self.rows {
            (subaccount, terms).hash(state);
            places.iter().flatten().for_each(|entry| entry.instrument.hash(state));
        }
    }
}

impl<T> Desk<T> {
    /// With the instruments traded from the start; `prepare` may take memory.
    pub fn new<'a>(
        pairs: impl IntoIterator<Item = (SubaccountId, &'a Instrument)>,
        mut prepare: impl FnMut(SubaccountId, &Instrument) -> T,
    ) -> Desk<T> {
        let mut desk = Desk { rows: Vec::new() };
        for (subaccount, instrument) in pairs {
            let row = desk.row(subaccount);
            let at = usize::from(instrument.id.0);
            if at >= row.places.len() {
                let mut places = std::mem::take(&mut row.places).into_vec();
                places.resize_with(at + 1, || None);
                row.places = places.into();
            }
            let prepared = prepare(subaccount, instrument);
            row.places[at] = Some(Box::new(Entry { instrument: *instrument, prepared }));
        }
        desk
    }

    /// From now on this member's options get entries as they are listed.
    pub fn admit(&mut self, terms: MemberTerms) {
        self.row(terms.subaccount).terms = Some(terms);
    }

    fn row(&mut self, subaccount: SubaccountId) -> &mut Row<T> {
        let known = self.rows.iter().position(|row| row.subaccount == subaccount);
        let at = known.unwrap_or_else(|| {
            let places = (0..INSTRUMENTS_MAX).map(|_| None).collect();
            self.rows.push(Row { subaccount, terms: None, places });
            self.rows.len() - 1
        });
        &mut self.rows[at]
    }

    /// The entry of an instrument, if the subaccount may trade it.
    #[inline]
    pub fn get(&mut self, subaccount: SubaccountId, instrument: InstrumentId) -> Option<&mut Entry<T>> {
        let row = self.rows.iter_mut().find(|row| row.subaccount == subaccount)?;
        row.places.get_mut(usize::from(instrument.0))?.as_deref_mut()
    }

    /// Takes a change of the instrument table. What stays the instrument it was keeps its entry; a new one gets entries
    /// with the members whose kind it is.
    pub fn apply(
        &mut self,
        listing: &Listing,
        mut prepare: impl FnMut(SubaccountId, &Instrument) -> T,
    ) -> Result<(), NoRoom> {
        let (id, listed) = match listing {
            Listing::Listed { instrument, .. } => (instrument.id, Some(instrument)),
            Listing::Delisted { id } => (*id, None),
        };
        let mut outcome = Ok(());
        for row in &mut self.rows {
            let Some(place) = row.places.get_mut(usize::from(id.0)) else {
                outcome = if listed.is_some() { Err(NoRoom) } else { outcome };
                continue;
            };
            match (place.as_deref_mut(), listed) {
                (Some(entry), Some(new)) if same(&entry.instrument, new) => entry.instrument = *new,
                (_, Some(new)) if row.terms.is_some_and(|terms| terms.admits(new)) => {
                    *place = Some(Box::new(Entry { instrument: *new, prepared: prepare(row.subaccount, new) }));
                }
                _ => *place = None,
            }
        }
        outcome
    }
}

/// True if both mean the same asset by the same name: what was prepared for one serves the other.
fn same(a: &Instrument, b: &Instrument) -> bool {
    (a.name, a.kind, a.asset, a.sub_id) == (b.name, b.kind, b.asset, b.sub_id)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::base::num::{Amount, Cash, Price, Ratio};
    use crate::derive::action::trade::option_sub_id;
    use crate::market::instrument::OptionTerms;

    pub(crate) const ETH_CALLS: SubaccountId = SubaccountId(1);
    pub(crate) const ETH_ANY: SubaccountId = SubaccountId(2);
    pub(crate) const NO_OPTIONS: SubaccountId = SubaccountId(3);

    pub(crate) fn name(text: &str) -> Name {
        Name::new(text).expect("short")
    }

    pub(crate) fn instrument(id: u16, text: &str) -> Instrument {
        let parts: Vec<&str> = text.split('-').collect();
        let right = if text.ends_with("-C") { Right::Call } else { Right::Put };
        let option = (parts.len() == 4).then(|| OptionTerms {
            expiry_s: 1_798_185_600,
            strike: parts[2].parse().expect("strike"),
            right,
        });
        let kind = if option.is_some() { Kind::Option } else { Kind::Perp };
        let sub_id = option
            .map_or(Some(0), |terms| option_sub_id(right == Right::Call, terms.strike, terms.expiry_s))
            .expect("a plain strike");
        Instrument {
            id: InstrumentId(id),
            name: name(text),
            kind,
            base_currency: name(parts[0]),
            asset: [0xAB; 20],
            sub_id,
            tick: Price::ONE,
            step: Amount::ONE,
            min_amount: Amount::ONE,
            max_amount: Amount::whole(1000),
            maker_fee: Ratio::ZERO,
            taker_fee: Ratio::ZERO,
            base_fee: Cash::ZERO,
            mark_fee_cap: Ratio::ZERO,
            option,
            active: true,
        }
    }

    pub(crate) fn listed(id: u16, text: &str) -> Listing {
        Listing::Listed { instrument: instrument(id, text), watched: false }
    }

    pub(crate) fn members() -> [MemberTerms; 3] {
        let terms = |place, subaccount, option_currency, right| MemberTerms {
            vault: VaultId(place),
            subaccount,
            option_currency,
            right,
        };
        [
            terms(0, ETH_CALLS, Some(name("ETH")), Some(Right::Call)),
            terms(1, ETH_ANY, Some(name("ETH")), None),
            terms(2, NO_OPTIONS, None, None),
        ]
    }

    #[test]
    fn entries_follow_the_listings_of_each_members_kind() {
        let perp = instrument(0, "ETH-PERP");
        let mut desk = Desk::new([(ETH_CALLS, &perp)], |_, _| 0);
        members().into_iter().for_each(|terms| desk.admit(terms));
        let mut made = 0;
        let mut apply = |desk: &mut Desk<u32>, listing| {
            desk.apply(&listing, |_, _| {
                made += 1;
                made
            })
        };
        let has = |desk: &mut Desk<u32>, id| {
            [ETH_CALLS, ETH_ANY, NO_OPTIONS].map(|owner| desk.get(owner, InstrumentId(id)).map(|entry| entry.prepared))
        };
        assert_eq!(apply(&mut desk, listed(5, "ETH-20261225-3500-C")), Ok(()));
        assert_eq!(has(&mut desk, 5), [Some(1), Some(2), None]);
        assert_eq!(apply(&mut desk, listed(6, "ETH-20261225-3500-P")), Ok(()));
        assert_eq!(has(&mut desk, 6), [None, Some(3), None], "puts are not the first one's kind");
        assert_eq!(apply(&mut desk, listed(7, "BTC-20261225-3500-C")), Ok(()));
        assert_eq!(has(&mut desk, 7), [None; 3]);
        assert_eq!(apply(&mut desk, listed(5, "ETH-20261225-3500-C")), Ok(()));
        assert_eq!(has(&mut desk, 5), [Some(1), Some(2), None], "renewed facts make nothing new");
        assert_eq!(apply(&mut desk, listed(5, "ETH-20270101-3500-C")), Ok(()));
        assert_eq!(has(&mut desk, 5), [Some(4), Some(5), None], "another instrument does");
        assert_eq!(apply(&mut desk, listed(0, "ETH-PERP")), Ok(()));
        assert_eq!(has(&mut desk, 0), [Some(0), None, None], "what was traded from the start stays");
        assert_eq!(apply(&mut desk, listed(0, "BTC-PERP")), Ok(()));
        assert_eq!(has(&mut desk, 0), [None; 3], "unless its place is another's");
        assert_eq!(apply(&mut desk, Listing::Delisted { id: InstrumentId(5) }), Ok(()));
        assert_eq!(has(&mut desk, 5), [None; 3]);
        assert_eq!(apply(&mut desk, listed(INSTRUMENTS_MAX as u16, "ETH-20261225-3500-C")), Err(NoRoom));
        assert_eq!(apply(&mut desk, Listing::Delisted { id: InstrumentId(u16::MAX) }), Ok(()));
    }
}
