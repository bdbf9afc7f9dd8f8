//! Sealing the execution of a quote: both legs are on record before the signature exists.

use super::Sealer;
use crate::base::ids::{Name, Nonce, SubaccountId, Uuid, VaultId};
use crate::base::num::{Cash, E9, Price, Rounding, div_round};
use crate::base::time::Nanos;
use crate::derive::action::rfq::{ExecutionTerms, TakenLeg};
use crate::engine::journal::LegRecord;
use crate::engine::ports::{Key, Store};
use crate::market::instrument::{Instrument, OptionTerms};
use crate::msg::{Breach, HeldSignature, LEGS, PricedLeg, Stage};
use crate::risk::order::Execution;

/// An execution with its signature: what the sealing desk gave for its deed.
#[derive(Clone, Copy, PartialEq)]
pub struct SignedExecution {
    execution: Execution,
    seal: PackageSeal,
}

/// What sealing adds to an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackageSeal {
    /// Names of the legs' instruments, in the order of the deal.
    pub names: [Name; LEGS],
    /// Fee limit that was signed, USD.
    pub max_fee: Price,
    /// `r ‖ s ‖ v`.
    pub signature: [u8; 65],
}

impl SignedExecution {
    /// An execution with the seal that its deed was given. For the signer actor.
    pub(crate) fn of(execution: Execution, seal: PackageSeal) -> SignedExecution {
        SignedExecution { execution, seal }
    }

    /// The execution.
    pub fn execution(&self) -> &Execution {
        &self.execution
    }

    /// Names of the instruments that were signed for, in the order of the deal's legs.
    pub fn names(&self) -> &[Name; LEGS] {
        &self.seal.names
    }

    /// The fee limit that was signed, USD: the granted one in nine decimals, rounded down.
    pub fn max_fee(&self) -> Price {
        self.seal.max_fee
    }

    /// `r ‖ s ‖ v`.
    pub fn signature(&self) -> &[u8; 65] {
        &self.seal.signature
    }

    /// Notes the moment of a stage in its trace.
    pub fn stamp(&mut self, stage: Stage, at: Nanos) {
        self.execution.stamp(stage, at);
    }
}

/// What is sealed of an execution. A claim, to be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackageDeed {
    /// Vault.
    pub vault: VaultId,
    /// Subaccount.
    pub subaccount: SubaccountId,
    /// Its name.
    pub nonce: Nonce,
    /// The quote.
    pub quote_id: Uuid,
    /// Legs, as the vault would hold them.
    pub legs: [PricedLeg; LEGS],
    /// Most that may be charged for all of it.
    pub max_fee: Cash,
    /// Signature expiry, unix seconds.
    pub expires_s: u64,
}

impl PackageDeed {
    /// Of a granted execution.
    pub fn of(execution: &Execution) -> PackageDeed {
        let deal = execution.deal();
        PackageDeed {
            vault: execution.vault(),
            subaccount: execution.subaccount(),
            nonce: execution.nonce(),
            quote_id: deal.quote_id,
            legs: deal.legs,
            max_fee: execution.max_fee(),
            expires_s: execution.expires_s(),
        }
    }
}

impl<K: Key, S: Store> Sealer<K, S> {
    /// Digest, judgement, journal, signature. Both legs must be listed options of the vault's kind.
    pub fn seal_package(&mut self, at: Nanos, deed: &PackageDeed) -> Result<PackageSeal, Breach> {
        self.room()?;
        if deed.nonce <= self.last {
            return Err(Breach::Nonce);
        }
        let mut taken = [self.leg(deed, 0)?, self.leg(deed, 1)?];
        let names = [taken[0].name, taken[1].name];
        if names[0] == names[1] {
            return Err(Breach::Package);
        }
        let max_fee = fee(deed.max_fee).ok_or(Breach::Range)?;
        let records = [0, 1].map(|leg| taken[leg].record(at, deed, leg as u8).write());
        if names[0].as_bytes() > names[1].as_bytes() {
            taken.swap(0, 1);
        }
        let terms =
            ExecutionTerms { legs: taken.map(|leg| leg.terms), max_fee, nonce: deed.nonce, expiry_sec: deed.expires_s };
        let member = self.members.iter_mut().find(|(terms, _)| terms.subaccount == deed.subaccount);
        let (_, template) = member.ok_or(Breach::Instrument)?;
        let digest = template.digest(&terms);
        let instruments = deed.legs.map(|priced| priced.leg.instrument);
        let charge = self.envelope.judge_package(at, instruments, template)?;
        self.last = deed.nonce;
        for record in &records {
            self.put(record);
        }
        self.put_given(at, deed.subaccount, &charge);
        let asked = HeldSignature { nonce: deed.nonce, moves: false, digest, expires_s: deed.expires_s };
        self.note_asked(deed.subaccount, asked);
        Ok(PackageSeal { names, max_fee, signature: self.key.sign(&digest) })
    }

    fn leg(&mut self, deed: &PackageDeed, place: usize) -> Result<Taken, Breach> {
        let priced = &deed.legs[place];
        let entry = self.orders.get(deed.subaccount, priced.leg.instrument).ok_or(Breach::Instrument)?;
        let instrument: &Instrument = &entry.instrument;
        let option = instrument.option.ok_or(Breach::Instrument)?;
        if priced.price.is_negative() || !priced.leg.amount.is_positive() {
            return Err(Breach::Range);
        }
        let terms = TakenLeg {
            asset: instrument.asset,
            sub_id: instrument.sub_id,
            price: priced.price,
            amount: priced.leg.amount,
            side: priced.leg.side,
        };
        Ok(Taken { name: instrument.name, option, terms })
    }
}

/// The limit in the scale in which it is both signed and written.
fn fee(granted: Cash) -> Option<Price> {
    let raw = div_round(granted.raw(), i128::from(E9), Rounding::Floor);
    i64::try_from(raw).ok().filter(|raw| *raw >= 0).map(Price::from_raw)
}

/// A leg as it is signed, with what the journal says of it.
#[derive(Clone, Copy)]
struct Taken {
    name: Name,
    option: OptionTerms,
    terms: TakenLeg,
}

impl Taken {
    fn record(&self, at: Nanos, deed: &PackageDeed, leg: u8) -> LegRecord {
        LegRecord {
            at,
            nonce: deed.nonce,
            vault: deed.vault,
            subaccount: deed.subaccount,
            leg,
            expiry_s: u32::try_from(self.option.expiry_s).unwrap_or(u32::MAX),
            strike: self.option.strike,
            right: self.option.right,
            side: self.terms.side,
            price: self.terms.price,
            amount: self.terms.amount,
            quote_half: LegRecord::half(deed.quote_id, leg),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;
    use crate::base::ids::{InstrumentId, Right, Side};
    use crate::base::num::{Amount, Ratio};
    use crate::base::time::SEC;
    use crate::derive::action::Envelope;
    use crate::derive::action::rfq::{Leg as ColdLeg, execute_data};
    use crate::derive::desk::tests::{ETH_ANY, ETH_CALLS, NO_OPTIONS, instrument, listed, members};
    use crate::derive::dialect::Dialect;
    use crate::derive::seal::envelope::{FenceLimits, FenceTerms};
    use crate::derive::seal::{Charter, ContractCharter};
    use crate::engine::journal::{FloorRecord, GivenRecord, MilestoneRecord, PinRecord, Replay, SignatureRecord};
    use crate::market::instrument::Listing;
    use crate::msg::{Leg, Lost, Mark, Milestone, Note, Phase, Product};

    const NEAR: &str = "ETH-20261225-3500-C";
    const FAR: &str = "ETH-20261225-10000-C";
    const OWNER: [u8; 20] = [7; 20];

    /// What happened, in order.
    #[derive(Clone, Default)]
    struct Diary(Rc<RefCell<Vec<Vec<u8>>>>);

    impl Store for Diary {
        fn append(&mut self, record: &[u8]) {
            self.0.borrow_mut().push(record.to_vec());
        }
    }

    impl Key for Diary {
        /// Notes the digest and shows it as the first half of the signature.
        fn sign(&mut self, digest: &[u8; 32]) -> [u8; 65] {
            self.0.borrow_mut().push(digest.to_vec());
            let mut signature = [0; 65];
            signature[..32].copy_from_slice(digest);
            signature
        }

        fn address(&self) -> [u8; 20] {
            [9; 20]
        }
    }

    fn dialect() -> &'static Dialect {
        Dialect::named("mainnet").expect("network")
    }

    /// Five hundred seconds before the deeds below expire.
    const NOW: Nanos = Nanos((1_763_683_900 - 500) * SEC);

    fn fence(vault: u8, subaccount: SubaccountId, options: Option<Product>) -> FenceTerms {
        let whole = Cash::whole(1_000_000);
        FenceTerms {
            vault: VaultId(vault),
            subaccount,
            base: Name::new("WEETH").expect("short"),
            perp: None,
            options: options.map(|product| (Name::new("ETH").expect("short"), product, Price::whole(6_500))),
            capital: None,
            limits: FenceLimits {
                orders_per_minute_max: 10,
                notional_max: whole,
                notional_per_hour_max: whole,
                notional_per_day_max: whole,
                bought_per_day_max: Cash::ZERO,
                given_per_hour_max: whole,
                given_per_day_max: whole,
                price_band: Ratio::from_bps(100),
                option_band: Ratio::from_bps(1_000),
                fee_max: Ratio::from_bps(100),
                package_fee_max: Ratio::from_bps(50_000),
                mark_age_ns_max: SEC,
                life_s_max: 600,
            },
        }
    }

    fn sealer(diary: &Diary) -> Sealer<Diary, Diary> {
        sealer_on(diary, diary.clone(), None)
    }

    fn sealer_on<S: Store>(diary: &Diary, store: S, contract: Option<ContractCharter>) -> Sealer<Diary, S> {
        let perp = instrument(0, "ETH-PERP");
        let pairs = [(ETH_CALLS, &perp), (NO_OPTIONS, &perp)];
        let spreads = Some(Product::ShortCallSpread);
        let fences = vec![fence(0, ETH_CALLS, spreads), fence(1, ETH_ANY, spreads), fence(2, NO_OPTIONS, None)];
        let mut past = Replay::default();
        past.visit(&FloorRecord(Nonce(10)).write());
        let charter = Charter { dialect: dialect(), owner: OWNER, fences, past: &past, contract };
        let mut sealer = Sealer::new(charter, pairs, diary.clone(), store).with_options(members());
        let marks = [(5, NEAR, 120), (6, FAR, 45), (7, "ETH-20261225-3500-P", 90), (8, "BTC-20261225-3500-C", 120)];
        for (id, name, mark) in marks {
            sealer.apply(&listed(id, name)).expect("room");
            sealer.mark(&Mark { instrument: InstrumentId(id), price: Price::whole(mark), at: NOW });
        }
        diary.0.borrow_mut().retain(|event| PinRecord::read(event).is_none());
        sealer
    }

    fn legs(near: u16, far: u16) -> [PricedLeg; LEGS] {
        let leg = |id, side, price: &str| PricedLeg {
            leg: Leg { instrument: InstrumentId(id), side, amount: Amount::whole(10) },
            price: price.parse().expect("price"),
        };
        [leg(near, Side::Sell, "120.5"), leg(far, Side::Buy, "45.2")]
    }

    fn deed(legs: &[PricedLeg; LEGS]) -> PackageDeed {
        let max_fee = Cash::from_raw(3_500_000_000_999_999_999);
        let (vault, quote_id, expires_s) = (VaultId(0), Uuid(u128::MAX / 3), 1_763_683_900);
        PackageDeed { vault, subaccount: ETH_CALLS, nonce: Nonce(11), quote_id, legs: *legs, max_fee, expires_s }
    }

    #[test]
    fn both_legs_are_on_record_before_the_signature_which_is_that_of_the_sorted_legs() {
        let diary = Diary::default();
        let legs = legs(5, 6);
        let seal = sealer(&diary).seal_package(NOW, &deed(&legs)).map_err(|why| format!("{why:?}")).expect("sealed");
        assert_eq!(seal.names.map(|name| name.to_string()), [NEAR, FAR]);
        assert_eq!(seal.max_fee.to_string(), "3.5");
        let events = diary.0.borrow();
        let [first, second, given, digest] = &events[..] else { panic!("three records, one signature") };
        let [near, far] = [first, second].map(|record| LegRecord::read(record).expect("a leg"));
        assert_eq!((near.strike, near.side, near.price.to_string()), (Price::whole(3500), Side::Sell, "120.5".into()));
        assert_eq!((far.strike, far.side, far.leg), (Price::whole(10_000), Side::Buy, 1));
        assert_eq!((near.at, near.nonce, near.right, near.subaccount), (NOW, Nonce(11), Right::Call, ETH_CALLS));
        assert_eq!(u128::from(near.quote_half) << 64 | u128::from(far.quote_half), u128::MAX / 3);
        let given = GivenRecord::read(given).expect("what it gives away");
        assert_eq!((given.at, given.subaccount, given.given.away.to_string()), (NOW, ETH_CALLS, "3.5".into()));
        let cold = |id, name: &'static str, place: usize| ColdLeg {
            instrument: name.as_bytes(),
            asset: [0xAB; 20],
            sub_id: instrument(id, name).sub_id,
            price: legs[place].price.into(),
            amount: legs[place].leg.amount.into(),
            side: legs[place].leg.side,
        };
        let data = execute_data(&[cold(5, NEAR, 0), cold(6, FAR, 1)], Side::Buy, seal.max_fee.into()).expect("scaled");
        let module = dialect().modules.rfq;
        let envelope = Envelope {
            subaccount: ETH_CALLS,
            nonce: Nonce(11),
            module,
            expiry_sec: 1_763_683_900,
            owner: OWNER,
            signer: [9; 20],
        };
        assert_eq!(digest[..], envelope.digest(&dialect().domain_separator, &data));
        assert_eq!(seal.signature[..32], digest[..]);
    }

    #[test]
    fn what_a_contract_will_be_asked_for_is_on_record_before_the_key_signs() {
        let diary = Diary::default();
        let contract = ContractCharter { address: OWNER, presigned: true };
        let mut sealer = sealer_on(&diary, diary.clone(), Some(contract));
        sealer.seal_package(NOW, &deed(&legs(5, 6))).map_err(|why| format!("{why:?}")).expect("sealed");
        let events = diary.0.borrow();
        let [.., asked, digest] = &events[..] else { panic!("a record, then the signature") };
        let asked = SignatureRecord::read(asked).expect("what it is asked for");
        let HeldSignature { nonce, moves, digest: held, expires_s } = asked.signature;
        assert_eq!((asked.subaccount, nonce, &held[..]), (ETH_CALLS, Nonce(11), &digest[..]));
        assert_eq!((moves, expires_s), (false, 1_763_683_900));
    }

    #[test]
    fn nothing_is_signed_or_written_for_what_is_not_the_vaults() {
        let diary = Diary::default();
        let mut sealer = sealer(&diary);
        let (good, puts, bitcoin, perp, one) = (legs(5, 6), legs(5, 7), legs(5, 8), legs(0, 6), legs(5, 5));
        let mut free = good;
        free[1].leg.amount = Amount::ZERO;
        for (wrong, why) in [
            (PackageDeed { nonce: Nonce(10), ..deed(&good) }, Breach::Nonce),
            (deed(&puts), Breach::Instrument),
            (deed(&bitcoin), Breach::Instrument),
            (deed(&perp), Breach::Instrument),
            (deed(&one), Breach::Package),
            (deed(&free), Breach::Range),
            (PackageDeed { max_fee: Cash::from_raw(-1), ..deed(&good) }, Breach::Range),
            (PackageDeed { max_fee: Cash::from_raw(i128::MAX), ..deed(&good) }, Breach::Range),
            (PackageDeed { subaccount: NO_OPTIONS, ..deed(&good) }, Breach::Instrument),
            (PackageDeed { subaccount: SubaccountId(99), ..deed(&good) }, Breach::Instrument),
        ] {
            assert_eq!(sealer.seal_package(NOW, &wrong).err(), Some(why));
        }
        let mixed = PackageDeed { subaccount: ETH_ANY, ..deed(&puts) };
        assert_eq!(sealer.seal_package(NOW, &mixed).err(), Some(Breach::Instrument), "only the envelope sees this");
        let short_lived = PackageDeed { subaccount: ETH_ANY, nonce: Nonce(12), ..deed(&good) };
        assert_eq!(sealer.seal_package(NOW.plus(500 * SEC), &short_lived).err(), Some(Breach::Life));
        let last = PackageDeed { nonce: Nonce(u64::MAX), ..deed(&good) };
        assert_eq!(sealer.seal_package(NOW, &last).err(), Some(Breach::Nonce), "it would leave no room after it");
        assert!(diary.0.borrow().is_empty());
        assert!(sealer.seal_package(NOW, &short_lived).is_ok(), "a vault of both kinds may");
        assert_eq!(sealer.seal_package(NOW, &short_lived).err(), Some(Breach::Nonce));
        diary.0.borrow_mut().clear();
        sealer.apply(&Listing::Delisted { id: InstrumentId(6) }).expect("room");
        let delisted = PackageDeed { nonce: Nonce(13), ..deed(&good) };
        assert_eq!(sealer.seal_package(NOW, &delisted).err(), Some(Breach::Instrument));
        assert!(diary.0.borrow().is_empty());
    }

    #[test]
    fn what_was_sealed_and_noted_is_replayed() {
        let diary = Diary::default();
        let mut sealer = sealer(&diary);
        let milestone = Milestone { phase: Phase::OptionAuction, started_at: Nanos(5), ..Milestone::default() };
        let owner = sealer.subaccount(VaultId(0)).expect("a member");
        sealer.note(owner, &Note::Milestone(milestone));
        let legs = legs(5, 6);
        assert!(sealer.seal_package(NOW, &deed(&legs)).is_ok());
        let mut replay = Replay::default();
        diary.0.borrow().iter().filter(|event| event.len() == 64).for_each(|record| replay.visit(record));
        assert_eq!((replay.floor(), replay.unread()), (Nonce(11), 0));
        assert_eq!(replay.notes().milestone(ETH_CALLS), Some(milestone));
        assert!(MilestoneRecord::read(&diary.0.borrow()[0]).is_some());
    }

    /// A journal whose disk gives it no more room.
    #[derive(Clone, Default)]
    struct Crammed(Diary);

    impl Store for Crammed {
        fn append(&mut self, record: &[u8]) {
            self.0.append(record);
        }

        fn has_room(&mut self) -> bool {
            false
        }
    }

    #[test]
    fn nothing_is_signed_that_the_journal_may_have_no_room_for() {
        let diary = Diary::default();
        let mut sealer = sealer_on(&diary, Crammed(diary.clone()), None);
        let legs = legs(5, 6);
        assert_eq!(sealer.seal_package(NOW, &deed(&legs)).map(|_| ()), Err(Breach::Journal));
        assert!(diary.0.borrow().is_empty(), "neither a record nor a signature");
        let owner = sealer.subaccount(VaultId(0)).expect("a member");
        sealer.note(owner, &Note::Milestone(Milestone::default()));
        assert_eq!(diary.0.borrow().len(), 1, "what cannot be refused is still written");
    }

    /// A journal of short pages.
    #[derive(Clone, Default)]
    struct Pages(Rc<RefCell<Vec<Vec<Vec<u8>>>>>);

    impl Store for Pages {
        fn append(&mut self, record: &[u8]) {
            let turns = self.begins_page();
            let mut pages = self.0.borrow_mut();
            if turns {
                pages.push(Vec::new());
            }
            pages.last_mut().expect("begun").push(record.to_vec());
        }

        fn begins_page(&self) -> bool {
            self.0.borrow().last().is_none_or(|page| page.len() == 64)
        }
    }

    #[test]
    fn the_last_page_alone_tells_all_that_a_start_must_know() {
        let pages = Pages::default();
        let mut sealer = sealer_on(&Diary::default(), pages.clone(), None);
        let owner = sealer.subaccount(VaultId(0)).expect("a member");
        let (spent, pledged) = (Cash::whole(30), Cash::whole(20));
        let milestone = Milestone { phase: Phase::OptionAuction, spent, pledged, ..Milestone::default() };
        sealer.note(owner, &Note::Milestone(milestone));
        // A vault without options has losses too.
        let lost = Lost { at: NOW, peak: Amount::whole(100), ..Lost::default() };
        sealer.note(sealer.subaccount(VaultId(2)).expect("a fence"), &Note::Lost(lost));
        let mut legs = legs(5, 6);
        legs.iter_mut().for_each(|priced| priced.leg.amount = "0.1".parse().expect("literal"));
        for step in 0..100 {
            let at = NOW.plus(step * 10 * SEC);
            for (id, mark) in [(5, 120), (6, 45)] {
                sealer.mark(&Mark { instrument: InstrumentId(id), price: Price::whole(mark), at });
            }
            let package =
                PackageDeed { nonce: Nonce(11 + step), expires_s: at.secs() + 300, max_fee: Cash::ONE, ..deed(&legs) };
            assert_eq!(sealer.seal_package(at, &package).err(), None);
        }
        let pages = pages.0.borrow();
        assert!(pages.len() > 3, "{} pages", pages.len());
        let replay = |pages: &[Vec<Vec<u8>>]| {
            let mut replay = Replay::default();
            pages.iter().flatten().for_each(|record| replay.visit(record));
            replay
        };
        let (all, last) = (replay(&pages), replay(&pages[pages.len() - 1..]));
        for told in [&all, &last] {
            assert_eq!((told.floor(), told.unread()), (Nonce(110), 0));
            assert_eq!((told.notes().milestone(ETH_CALLS), told.pins()), (Some(milestone), sealer.envelope.pins()));
            assert_eq!(told.notes().lost(NO_OPTIONS), Some(lost));
            let (_, exact) = sealer.envelope.spent().find(|(of, _)| *of == ETH_CALLS).expect("a fence");
            let (_, told) = told.spent().iter().find(|(of, _)| *of == ETH_CALLS).expect("told");
            for (exact, told) in exact.sums().into_iter().zip(told.sums()) {
                let at = NOW.plus(1_000 * SEC);
                let (exact, told) = (exact.clone().sum(at), told.clone().sum(at));
                // Rounding of every bucket, and a package a page whose legs stand on two.
                let slack = Cash::whole(61 + 1_000 * pages.len() as i64).raw();
                assert!(exact <= told && told <= exact + slack, "{exact} told {told}");
            }
        }
    }
}
