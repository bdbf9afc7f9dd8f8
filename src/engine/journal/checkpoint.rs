//! What a new page of the journal begins with, so that it tells by itself what pages before it told: the highest nonce,
//! what has been spent lately, what names were first seen to be. Each record says at least as much as was known, and
//! reading it twice, or beside the records it sums up, changes nothing.

use super::kind::{FLOOR_V1, PIN_V1, SUM_V1, WITHDRAWN_V1};
use super::{Charged, RECORD, pack, unpack};
use crate::base::ids::{Nonce, SubaccountId};
use crate::base::num::Cash;
use crate::engine::rolling::{BUCKETS, Rolling, Spent};

/// Buckets in a record of three bytes each.
const SUMS: usize = 13;
const SUMS_AT: usize = 24;
/// Number of the first sum of what is given away.
const GIVEN_FROM: u8 = 3;

/// The highest nonce spent so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FloorRecord(pub Nonce);

impl FloorRecord {
    /// The bytes of the record.
    pub fn write(&self) -> [u8; RECORD] {
        pack([FLOOR_V1, 0, 0, 0, 0, 0, 0, 0], [self.0.0, 0, 0, 0, 0, 0, 0])
    }

    /// Reads a record; `None` if it is of another kind or version.
    pub fn read(bytes: &[u8]) -> Option<FloorRecord> {
        unpack(bytes, FLOOR_V1).map(|(_, words)| FloorRecord(Nonce(words[0])))
    }
}

/// Into how many parts a sum's unit is cut when it is rounded up: what is given away is a small share of what is traded.
fn fineness(sum: u8) -> i128 {
    if sum < GIVEN_FROM { 1 } else { 1_000 }
}

/// Some buckets of one of a subaccount's sums of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SumRecord {
    subaccount: SubaccountId,
    sum: u8,
    first: u64,
    buckets: [Charged; SUMS],
}

impl SumRecord {
    /// The records of all that a subaccount has spent; buckets without anything are left out.
    pub fn of(subaccount: SubaccountId, spent: &Spent) -> impl Iterator<Item = SumRecord> + '_ {
        (0u8..).zip(spent.sums()).flat_map(move |(sum, rolling)| {
            let (oldest, fineness) = (rolling.oldest(), fineness(sum));
            (0..BUCKETS).step_by(SUMS).filter_map(move |from| {
                let first = oldest + from as u64;
                let bucket =
                    |at: usize| Charged::of(Cash::from_raw(rolling.bucket(first + at as u64).saturating_mul(fineness)));
                let buckets = std::array::from_fn(bucket);
                (buckets != [Charged::default(); SUMS]).then_some(SumRecord { subaccount, sum, first, buckets })
            })
        })
    }

    /// Whose.
    pub fn subaccount(&self) -> SubaccountId {
        self.subaccount
    }

    /// Raises what is known to have been spent to what the record tells.
    pub fn apply(&self, spent: &mut Spent) {
        let Some(rolling): Option<&mut Rolling> = spent.sums_mut().into_iter().nth(usize::from(self.sum)) else {
            return;
        };
        for (number, charged) in (self.first..=u64::MAX).zip(self.buckets) {
            if charged != Charged::default() {
                rolling.raise(number, charged.cash().raw() / fineness(self.sum));
            }
        }
    }

    /// The bytes of the record.
    pub fn write(&self) -> [u8; RECORD] {
        let mut out = pack([SUM_V1, self.sum, 0, 0, 0, 0, 0, 0], [self.subaccount.0, self.first, 0, 0, 0, 0, 0]);
        for (place, Charged(bytes)) in out[SUMS_AT..].as_chunks_mut::<3>().0.iter_mut().zip(self.buckets) {
            *place = bytes;
        }
        out
    }

    /// Reads a record; `None` if it is of another kind or version.
    pub fn read(bytes: &[u8]) -> Option<SumRecord> {
        let ([_, sum, ..], [subaccount, first, ..]) = unpack(bytes, SUM_V1)?;
        let mut buckets = [Charged::default(); SUMS];
        for (bucket, place) in buckets.iter_mut().zip(bytes[SUMS_AT..].as_chunks::<3>().0) {
            *bucket = Charged(*place);
        }
        Some(SumRecord { subaccount: SubaccountId(subaccount), sum, first, buckets })
    }
}

/// Collateral withdrawn from a subaccount in one part of a day, in its token's smallest units: exact, because a token
/// of eight decimals would not survive the rounding of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WithdrawnRecord {
    subaccount: SubaccountId,
    bucket: u64,
    amount: i128,
}

impl WithdrawnRecord {
    /// The records of all that was withdrawn lately.
    pub fn of(subaccount: SubaccountId, spent: &Spent) -> impl Iterator<Item = WithdrawnRecord> + '_ {
        let rolling = &spent.withdrawn;
        let numbers = (0..BUCKETS as u64).map(|at| rolling.oldest() + at);
        let filled = numbers.filter(|bucket| rolling.bucket(*bucket) != 0);
        filled.map(move |bucket| WithdrawnRecord { subaccount, bucket, amount: rolling.bucket(bucket) })
    }

    /// Whose.
    pub fn subaccount(&self) -> SubaccountId {
        self.subaccount
    }

    /// Raises what is known to have been withdrawn to what the record tells.
    pub fn apply(&self, spent: &mut Spent) {
        spent.withdrawn.raise(self.bucket, self.amount);
    }

    /// The bytes of the record.
    pub fn write(&self) -> [u8; RECORD] {
        let (high, low) = ((self.amount >> 64) as u64, self.amount as u64);
        pack([WITHDRAWN_V1, 0, 0, 0, 0, 0, 0, 0], [self.subaccount.0, self.bucket, high, low, 0, 0, 0])
    }

    /// Reads a record; `None` if it is of another kind or version.
    pub fn read(bytes: &[u8]) -> Option<WithdrawnRecord> {
        let (_, [subaccount, bucket, high, low, ..]) = unpack(bytes, WITHDRAWN_V1)?;
        let amount = (u128::from(high) << 64 | u128::from(low)) as i128;
        Some(WithdrawnRecord { subaccount: SubaccountId(subaccount), bucket, amount })
    }
}

/// What a name was first seen to be at the venue. It is so for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PinRecord {
    /// The beginning of the hash of what is named.
    pub name: [u8; 16],
    /// Its asset.
    pub asset: [u8; 20],
    /// Its sub-id; zero for a currency's options, which have their own.
    pub sub_id: u128,
}

impl PinRecord {
    /// The bytes of the record.
    pub fn write(&self) -> [u8; RECORD] {
        let mut out = [0; RECORD];
        out[0] = PIN_V1;
        out[8..24].copy_from_slice(&self.name);
        out[24..44].copy_from_slice(&self.asset);
        out[44..60].copy_from_slice(&self.sub_id.to_le_bytes());
        out
    }

    /// Reads a record; `None` if it is of another kind or version.
    pub fn read(bytes: &[u8]) -> Option<PinRecord> {
        let bytes: &[u8; RECORD] = bytes.try_into().ok().filter(|bytes: &&[u8; RECORD]| bytes[0] == PIN_V1)?;
        let (name, rest) = bytes[8..].split_first_chunk::<16>()?;
        let (asset, rest) = rest.split_first_chunk::<20>()?;
        let (sub_id, _) = rest.split_first_chunk::<16>()?;
        Some(PinRecord { name: *name, asset: *asset, sub_id: u128::from_le_bytes(*sub_id) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::num::E18;
    use crate::base::time::{Nanos, SEC};
    use crate::engine::rolling::Given;
    use proptest::prelude::*;

    const START: Nanos = Nanos(1_800_000_000 * SEC);

    proptest! {
        #[test]
        fn withdrawals_of_a_day_are_read_as_written_and_count_once(amounts in proptest::collection::vec((0u64..200_000, 1i128..i128::MAX / 100), 1..20)) {
            let mut spent = Spent::default();
            let mut at = START;
            for (wait_s, amount) in amounts {
                at = at.plus(wait_s * SEC);
                spent.charge_movement(at, amount.unsigned_abs());
            }
            let records: Vec<_> = WithdrawnRecord::of(SubaccountId(7), &spent).map(|record| record.write()).collect();
            let mut told = Spent::default();
            for record in records.iter().chain(&records) {
                WithdrawnRecord::read(record).expect("written").apply(&mut told);
            }
            prop_assert_eq!(told.withdrawn.sum(at), spent.withdrawn.sum(at));
        }

        #[test]
        fn pins_and_floors_are_read_as_written(name in any::<[u8; 16]>(), asset in any::<[u8; 20]>(), sub_id in any::<u128>(), nonce in any::<u64>()) {
            let (pin, floor) = (PinRecord { name, asset, sub_id }, FloorRecord(Nonce(nonce)));
            prop_assert_eq!(PinRecord::read(&pin.write()), Some(pin));
            prop_assert_eq!(FloorRecord::read(&floor.write()), Some(floor));
            prop_assert_eq!((PinRecord::read(&floor.write()), SumRecord::read(&pin.write())), (None, None));
        }

        #[test]
        fn sums_read_back_alone_or_beside_what_they_sum_up_are_no_less_and_hardly_more(
            steps in proptest::collection::vec((0u64..7_200, 0i64..5_000_000), 1..60),
        ) {
            let (mut spent, mut at) = (Spent::default(), START);
            for (wait_s, usdc) in steps {
                at = at.plus(wait_s * SEC);
                spent.charge(at, Cash::whole(usdc), Cash::whole(usdc / 2));
                let (away, back) = (Cash::from_raw(Cash::whole(usdc).raw() / 7), Cash::whole(usdc / 9));
                spent.charge_given(at, &Given { away, back, back_at: at });
            }
            let (mut alone, mut beside) = (Spent::default(), spent.clone());
            for record in SumRecord::of(SubaccountId(7), &spent) {
                let read = SumRecord::read(&record.write()).expect("a sum");
                prop_assert_eq!(read, record);
                read.apply(&mut alone);
                read.apply(&mut beside);
                read.apply(&mut beside);
            }
            for later_s in [0, 1_800, 4_000, 80_000, 100_000] {
                let later = at.plus(later_s * SEC);
                let sums = [&mut spent, &mut alone, &mut beside].map(|spent| {
                    spent.sums_mut().into_iter().map(|rolling| rolling.sum(later)).collect::<Vec<_>>()
                });
                for (place, exact) in sums[0].iter().enumerate() {
                    for told in [sums[1][place], sums[2][place]] {
                        let slack = exact / 500_000 + BUCKETS as i128 * E18 / fineness(place as u8);
                        prop_assert!(*exact <= told && told <= exact + slack, "{} told {}", exact, told);
                    }
                }
            }
        }
    }

    #[test]
    fn a_sum_of_an_unknown_kind_or_of_no_time_at_all_changes_nothing_and_harms_nothing() {
        let mut spent = Spent::default();
        let record =
            SumRecord { subaccount: SubaccountId(1), sum: 200, first: 5, buckets: [Charged::of(Cash::ONE); SUMS] };
        record.apply(&mut spent);
        assert_eq!(spent, Spent::default());
        SumRecord { sum: 0, first: u64::MAX - 3, ..record }.apply(&mut spent);
    }
}
