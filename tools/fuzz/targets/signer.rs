//! Any messages at the signer's gate, well-formed or not, at any time: nothing is signed outside the envelope.
//!
//! What may be signed is worked out here a second time, from the deeds alone and without the envelope's code. Run with
//! `cargo +nightly fuzz run --fuzz-dir tools/fuzz signer`.
#![no_main]

use keel::actors::signer::{Brake, Guarded};
use keel::base::ids::{InstrumentId, Name, Nonce, Side, SubaccountId, VaultId};
use keel::base::num::{Amount, Cash, Price, Ratio};
use keel::base::time::{Nanos, SEC};
use keel::derive::action::trade::OrderTerms;
use keel::derive::dialect::LOCAL;
use keel::derive::seal::envelope::{FenceLimits, FenceTerms};
use keel::derive::seal::wire::Ask;
use keel::derive::seal::{Charter, OrderDeed, Sealer};
use keel::engine::journal::Replay;
use keel::engine::ports::{ASK_BYTES, Key, Store};
use keel::engine::switch::Switch;
use keel::market::instrument::{Instrument, Kind, Listing};
use keel::msg::Mark;
use libfuzzer_sys::fuzz_target;
use std::cell::Cell;
use std::rc::Rc;

const START: Nanos = Nanos(1_800_000_000 * SEC);
/// Whole units, so that the sums below are plain integers of 1e-18.
const ORDER_MAX: i64 = 1_000;
const HOUR_MAX: i64 = 5_000;
const GIVEN_MAX: i64 = 20;
const BAND_BPS: i64 = 100;
const PER_MINUTE: usize = 20;
const LIFE_S_MAX: u64 = 590;

/// Counts signatures.
#[derive(Clone, Default)]
struct Pen(Rc<Cell<u64>>);

impl Key for Pen {
    fn sign(&mut self, _: &[u8; 32]) -> [u8; 65] {
        self.0.set(self.0.get() + 1);
        [0; 65]
    }

    fn address(&self) -> [u8; 20] {
        [9; 20]
    }
}

struct Paper;

impl Store for Paper {
    fn append(&mut self, _: &[u8]) {}
}

fn name(text: &str) -> Name {
    Name::new(text).expect("short")
}

fn instrument(id: u16, kind: Kind, currency: &str) -> Instrument {
    Instrument {
        id: InstrumentId(id),
        name: name(currency),
        kind,
        base_currency: name(currency),
        asset: [id as u8 + 1; 20],
        sub_id: 0,
        tick: Price::ONE,
        step: Amount::ONE,
        min_amount: Amount::ONE,
        max_amount: Amount::ONE,
        maker_fee: Ratio::ZERO,
        taker_fee: Ratio::ZERO,
        base_fee: Cash::ZERO,
        mark_fee_cap: Ratio::ZERO,
        option: None,
        active: true,
    }
}

fn desk(pen: &Pen) -> Guarded<Pen, Paper> {
    let limits = FenceLimits {
        orders_per_minute_max: PER_MINUTE as u32,
        notional_max: Cash::whole(ORDER_MAX),
        notional_per_hour_max: Cash::whole(HOUR_MAX),
        notional_per_day_max: Cash::whole(4 * HOUR_MAX),
        bought_per_day_max: Cash::whole(2 * HOUR_MAX),
        given_per_hour_max: Cash::whole(GIVEN_MAX),
        given_per_day_max: Cash::whole(2 * GIVEN_MAX),
        price_band: Ratio::from_bps(BAND_BPS),
        option_band: Ratio::ZERO,
        fee_max: Ratio::from_bps(100),
        package_fee_max: Ratio::ZERO,
        mark_age_ns_max: SEC,
        life_s_max: LIFE_S_MAX,
    };
    let (base, perp) = (name("WEETH"), Some(name("ETH")));
    let fence = FenceTerms { vault: VaultId(0), subaccount: SubaccountId(1), base, perp, options: None, limits, capital: None };
    let past = Replay::default();
    let charter = Charter { dialect: &LOCAL, owner: [7; 20], fences: vec![fence], past: &past, contract: None };
    let table = [instrument(0, Kind::Spot, "WEETH"), instrument(1, Kind::Perp, "ETH"), instrument(2, Kind::Spot, "LBTC")];
    let pairs = table.iter().map(|instrument| (SubaccountId(1), instrument));
    Guarded::new(Sealer::new(charter, pairs, pen.clone(), Paper), Brake::new(Switch::local(), u32::MAX))
}

/// Takes numbers out of the input; zeros once it is used up.
struct Source<'a>(&'a [u8]);

impl Source<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        let length = N.min(self.0.len());
        out[..length].copy_from_slice(&self.0[..length]);
        self.0 = &self.0[length..];
        out
    }

    fn byte(&mut self) -> u8 {
        let [byte] = self.take();
        byte
    }

    fn i64(&mut self) -> i64 {
        i64::from_le_bytes(self.take())
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }

    /// Near a number as a rule, anywhere now and then.
    fn near(&mut self, number: i64) -> i64 {
        match self.byte() {
            0..=15 => self.i64(),
            kind => number.saturating_add(i64::from(self.u32() as i32) >> (kind % 24)),
        }
    }

    fn deed(&mut self, at: Nanos, nonce: u64, mark: i64) -> OrderDeed {
        let [place, side, life] = self.take();
        let terms = OrderTerms {
            price: Price::from_raw(self.near(mark)),
            amount: Amount::from_raw(self.near(500_000_000)),
            max_fee: Price::from_raw(self.near(1_000_000)),
            side: if side % 2 == 0 { Side::Buy } else { Side::Sell },
            nonce: Nonce(nonce.wrapping_add(u64::from(place >> 4))),
            expiry_sec: at.secs().wrapping_add(u64::from(life) * 3),
        };
        let subaccount = SubaccountId(if place & 8 == 0 { 1 } else { u64::from(place) });
        OrderDeed { vault: VaultId(0), subaccount, instrument: InstrumentId(u16::from(place & 3)), replaces: None, terms }
    }
}

/// What has been signed, worked out again.
#[derive(Default)]
struct Ledger {
    signed: Vec<(Nanos, i128, i128)>,
    marks: [Option<(i64, Nanos)>; 3],
    nonce: u64,
}

impl Ledger {
    fn check(&mut self, at: Nanos, deed: &OrderDeed) {
        let OrderTerms { price, amount, max_fee, side, nonce, expiry_sec } = deed.terms;
        let place = usize::from(deed.instrument.0);
        assert!(deed.subaccount == SubaccountId(1) && place < 2, "another's: {deed:?}");
        assert!(nonce.0 > self.nonce, "a nonce that went back: {deed:?}");
        assert!(nonce.0 <= at.0 + 2 * SEC, "a nonce of the future: {deed:?}");
        let (mark, marked_at) = self.marks[place].expect("nothing is signed without a mark");
        assert!(at.0 - marked_at.0 <= SEC, "an old mark: {deed:?}");
        let (mark, limit) = (i128::from(mark), i128::from(price.raw()));
        let slack = mark * i128::from(BAND_BPS) / 10_000;
        assert!(price.raw() > 0 && amount.raw() > 0 && max_fee.raw() >= 0, "{deed:?}");
        let near = if side == Side::Buy { limit <= mark + slack } else { limit >= mark - slack };
        assert!(near, "{deed:?}");
        let notional = i128::from(price.raw()) * i128::from(amount.raw());
        let unit = 1_000_000_000_000_000_000;
        assert!(notional <= i128::from(ORDER_MAX) * unit, "{deed:?}");
        assert!(i128::from(max_fee.raw()) * i128::from(amount.raw()) <= notional / 100, "{deed:?}");
        let left = i128::from(expiry_sec) * i128::from(SEC) - i128::from(at.0);
        assert!(left > 0 && left <= i128::from(LIFE_S_MAX) * i128::from(SEC), "{deed:?}");
        self.nonce = nonce.0;
        let wrong = if side == Side::Buy { limit - mark } else { mark - limit };
        let given = (wrong.max(0) + i128::from(max_fee.raw())) * i128::from(amount.raw());
        self.signed.push((at, notional, given));
        let since = |ns: u64| self.signed.iter().filter(move |(then, ..)| at.0 - then.0 <= ns);
        assert!(since(60 * SEC).count() <= PER_MINUTE);
        assert!(since(3_600 * SEC).map(|(_, notional, _)| notional).sum::<i128>() <= i128::from(HOUR_MAX) * unit);
        assert!(since(3_600 * SEC).map(|(.., given)| given).sum::<i128>() <= i128::from(GIVEN_MAX) * unit);
    }
}

fuzz_target!(|input: &[u8]| {
    let pen = Pen::default();
    let (mut desk, mut ledger, mut source, mut at) = (desk(&pen), Ledger::default(), Source(input), START);
    while !source.0.is_empty() {
        let before = pen.0.get();
        let ask = match source.byte() {
            0..=63 => {
                let (place, price) = (source.byte() % 3, source.near(1_000_000_000_000));
                Some(Ask::Mark(Mark { instrument: InstrumentId(place.into()), price: Price::from_raw(price), at }))
            }
            64..=95 => {
                at = at.plus(u64::from(source.u32()) * 1_000);
                None
            }
            96..=111 => Ask::read(&source.take::<ASK_BYTES>()),
            _ => {
                let nonce = ledger.nonce;
                Some(Ask::Order(source.deed(at, nonce, 1_000_000_000_000)))
            }
        };
        match ask {
            Some(Ask::Order(deed)) => {
                if desk.order(at, &deed).is_ok() {
                    ledger.check(at, &deed);
                    assert_eq!(pen.0.get(), before + 1);
                    continue;
                }
            }
            Some(Ask::Package(deed)) => assert!(desk.package(at, &deed).is_err(), "this vault trades no packages"),
            Some(Ask::Movement(deed)) => assert!(desk.movement(at, &deed).is_err(), "nor moves any capital"),
            Some(Ask::Mark(mark)) => {
                let mark = Mark { at: mark.at.min(at), ..mark };
                desk.mark(&mark);
                if let Some(place) = ledger.marks.get_mut(usize::from(mark.instrument.0))
                    && place.is_none_or(|(_, then)| mark.at >= then)
                {
                    *place = Some((mark.price.raw(), at));
                }
            }
            // A place that changes hands is another vault's story: the table of this one stays.
            Some(Ask::Listing(Listing::Listed { .. } | Listing::Delisted { .. })) | None => {}
            Some(Ask::Note { vault, note }) => desk.note(at, vault, &note),
            Some(Ask::Movement(deed)) => assert!(desk.movement(at, &deed).is_err(), "this vault moves no capital"),
        }
        assert_eq!(pen.0.get(), before, "what is refused is not signed");
    }
});
