//! Each rule passes and fails by one unit at its boundary, and no order gets through that breaks any.

use super::*;
use crate::base::ids::{Nonce, VaultId};
use crate::base::time::MS;
use crate::derive::action::rfq::ExecutionTerms;
use crate::derive::action::trade::{OrderFrame, OrderTerms};
use crate::derive::dialect::{LOCAL, TESTNET};
use proptest::prelude::*;

#[path = "given_tests.rs"]
mod given;

const OWNER: Address = [7; 20];
const KEY: Address = [9; 20];
const BASIS: SubaccountId = SubaccountId(1);
const CALLS: SubaccountId = SubaccountId(2);
const SPREADS: SubaccountId = SubaccountId(3);
const YIELD: SubaccountId = SubaccountId(4);
const NOW: Nanos = Nanos(1_800_000_000 * SEC);
const EXPIRY: u64 = 1_800_500_000;

fn name(text: &str) -> Name {
    Name::new(text).expect("short")
}

fn price(text: &str) -> Price {
    text.parse().expect("literal")
}

fn limits() -> FenceLimits {
    FenceLimits {
        orders_per_minute_max: 3,
        notional_max: Cash::whole(10_000),
        notional_per_hour_max: Cash::whole(25_000),
        notional_per_day_max: Cash::whole(40_000),
        bought_per_day_max: Cash::whole(12_000),
        given_per_hour_max: Cash::whole(1_000_000),
        given_per_day_max: Cash::whole(1_000_000),
        price_band: Ratio::from_bps(100),
        option_band: Ratio::from_bps(2_000),
        fee_max: Ratio::from_bps(50),
        package_fee_max: Ratio::from_bps(1_000),
        mark_age_ns_max: SEC,
        life_s_max: 590,
    }
}

fn goods(id: u16, kind: Kind, currency: &str, option: Option<(i64, Right)>) -> Instrument {
    Instrument {
        id: InstrumentId(id),
        name: name(currency),
        kind,
        base_currency: name(currency),
        asset: if kind == Kind::Option { [99; 20] } else { [id as u8; 20] },
        sub_id: option.map_or(u128::from(id), |(strike, right)| {
            option_sub_id(right == Right::Call, Price::whole(strike), EXPIRY).expect("a plain strike")
        }),
        tick: Price::ONE,
        step: Amount::ONE,
        min_amount: Amount::ONE,
        max_amount: Amount::ONE,
        maker_fee: Ratio::ZERO,
        taker_fee: Ratio::ZERO,
        base_fee: Cash::ZERO,
        mark_fee_cap: Ratio::ZERO,
        option: option.map(|(strike, right)| OptionTerms { expiry_s: EXPIRY, strike: Price::whole(strike), right }),
        active: true,
    }
}

/// Spot, perp, near call, far call, put, another coin's spot.
fn table() -> [Instrument; 6] {
    [
        goods(0, Kind::Spot, "WEETH", None),
        goods(1, Kind::Perp, "ETH", None),
        goods(2, Kind::Option, "ETH", Some((1_000, Right::Call))),
        goods(3, Kind::Option, "ETH", Some((1_100, Right::Call))),
        goods(4, Kind::Option, "ETH", Some((1_000, Right::Put))),
        goods(5, Kind::Spot, "LBTC", None),
    ]
}

const MARKS: [&str; 6] = ["1000", "1000", "50", "20", "40", "1000"];

fn envelope() -> Envelope {
    let fence = |subaccount: SubaccountId, perp: Option<&str>, product: Option<Product>| FenceTerms {
        vault: VaultId(subaccount.0 as u8),
        subaccount,
        base: name("WEETH"),
        perp: perp.map(name),
        options: product.map(|product| (name("ETH"), product, Price::whole(100))),
        limits: limits(),
        capital: None,
    };
    let fences = [
        fence(BASIS, Some("ETH"), None),
        fence(CALLS, None, Some(Product::CoveredCall)),
        fence(SPREADS, None, Some(Product::ShortCallSpread)),
        fence(YIELD, None, Some(Product::LongCallSpread)),
    ];
    let mut envelope = Envelope::new(&LOCAL, OWNER, KEY, fences);
    for (instrument, mark) in table().iter().zip(MARKS) {
        envelope.list(instrument);
        envelope.mark(&Mark { instrument: instrument.id, price: price(mark), at: NOW });
    }
    envelope
}

/// An order as it would be signed.
#[derive(Clone, Copy)]
struct Draft {
    subaccount: SubaccountId,
    id: u16,
    side: Side,
    price: Price,
    amount: Amount,
    fee: Price,
    life_s: u64,
    late_ns: u64,
    nonce: u64,
}

fn draft(subaccount: SubaccountId, id: u16, side: Side, limit: &str, amount: &str) -> Draft {
    let (price, amount) = (price(limit), amount.parse().expect("literal"));
    Draft { subaccount, id, side, price, amount, fee: Price::ZERO, life_s: 300, late_ns: 0, nonce: NOW.0 }
}

impl Draft {
    fn template(&self, dialect: &Dialect, owner: Address, signer: Address) -> OrderTemplate {
        let Instrument { asset, sub_id, .. } = table()[usize::from(self.id)];
        let frame = OrderFrame { asset, sub_id, subaccount: self.subaccount, owner, signer };
        let mut template = OrderTemplate::new(dialect, &frame);
        template.digest(&OrderTerms {
            price: self.price,
            amount: self.amount,
            max_fee: self.fee,
            side: self.side,
            nonce: Nonce(self.nonce),
            expiry_sec: NOW.secs() + self.life_s,
        });
        template
    }

    fn judge(&self, envelope: &mut Envelope) -> Result<(), Breach> {
        let template = self.template(&LOCAL, OWNER, KEY);
        envelope.judge_order(NOW.plus(self.late_ns), InstrumentId(self.id), &template, None).map(|_| ())
    }
}

#[test]
fn every_rule_on_single_orders_turns_at_its_boundary() {
    use Side::{Buy, Sell};
    let spot = draft(BASIS, 0, Buy, "1000", "1");
    let table = [
        ("spot is bought", spot, Ok(())),
        ("and sold", Draft { side: Sell, ..spot }, Ok(())),
        ("perp is sold", draft(BASIS, 1, Sell, "1000", "1"), Ok(())),
        ("and bought back", draft(BASIS, 1, Buy, "1000", "1"), Ok(())),
        ("another coin's spot", draft(BASIS, 5, Buy, "1000", "1"), Err(Breach::Instrument)),
        ("no options for basis", draft(BASIS, 2, Sell, "50", "1"), Err(Breach::Instrument)),
        ("no perp for options", draft(CALLS, 1, Sell, "1000", "1"), Err(Breach::Instrument)),
        ("calls are sold", draft(CALLS, 2, Sell, "50", "1"), Ok(())),
        ("and never bought", draft(CALLS, 2, Buy, "50", "1"), Err(Breach::Side)),
        ("puts never", draft(CALLS, 4, Sell, "40", "1"), Err(Breach::Instrument)),
        ("legs only in packages", draft(SPREADS, 2, Sell, "50", "1"), Err(Breach::Module)),
        ("their collateral singly", draft(SPREADS, 0, Sell, "1000", "1"), Ok(())),
        ("no such vault", Draft { subaccount: SubaccountId(9), ..spot }, Err(Breach::Subaccount)),
        ("bid at the band", Draft { price: price("1010"), ..spot }, Ok(())),
        ("a unit above it", Draft { price: price("1010.000000001"), ..spot }, Err(Breach::Price)),
        ("offer at the band", draft(BASIS, 1, Sell, "990", "1"), Ok(())),
        ("a unit below it", draft(BASIS, 1, Sell, "989.999999999", "1"), Err(Breach::Price)),
        ("cheap bids do no harm", Draft { price: price("0.000000001"), ..spot }, Ok(())),
        ("free ones do", Draft { price: Price::ZERO, ..spot }, Err(Breach::Range)),
        ("call at its band", draft(CALLS, 2, Sell, "40", "1"), Ok(())),
        ("a unit below it", draft(CALLS, 2, Sell, "39.999999999", "1"), Err(Breach::Price)),
        ("largest", draft(BASIS, 0, Buy, "1000", "10"), Ok(())),
        ("a unit more", draft(BASIS, 0, Buy, "1000", "10.000000001"), Err(Breach::Notional)),
        ("calls count with their strike", draft(CALLS, 2, Sell, "50", "10"), Ok(())),
        ("a unit more", draft(CALLS, 2, Sell, "50", "10.000000001"), Err(Breach::Notional)),
        ("nothing", Draft { amount: Amount::ZERO, ..spot }, Err(Breach::Range)),
        ("less than nothing", Draft { amount: Amount::from_raw(-1), ..spot }, Err(Breach::Range)),
        ("highest fee", Draft { fee: price("5"), ..spot }, Ok(())),
        ("a unit more", Draft { fee: price("5.000000001"), ..spot }, Err(Breach::Fee)),
        ("negative", Draft { fee: Price::from_raw(-1), ..spot }, Err(Breach::Range)),
        ("longest life", Draft { life_s: 590, ..spot }, Ok(())),
        ("a second more", Draft { life_s: 591, ..spot }, Err(Breach::Life)),
        ("alive for a nanosecond", Draft { life_s: 1, late_ns: SEC - 1, ..spot }, Ok(())),
        ("dead", Draft { life_s: 1, late_ns: SEC, ..spot }, Err(Breach::Life)),
        ("a nonce two seconds ahead", Draft { nonce: NOW.0 + 2 * SEC, ..spot }, Ok(())),
        ("a nanosecond more", Draft { nonce: NOW.0 + 2 * SEC + 1, ..spot }, Err(Breach::Nonce)),
        ("the last there is", Draft { nonce: u64::MAX, ..spot }, Err(Breach::Nonce)),
        ("oldest mark", Draft { late_ns: SEC, ..spot }, Ok(())),
        ("a nanosecond older", Draft { late_ns: SEC + 1, ..spot }, Err(Breach::Mark)),
    ];
    for (what, draft, want) in table {
        assert_eq!(draft.judge(&mut envelope()), want, "{what}");
    }
}

#[test]
fn bytes_for_anybody_else_are_refused() {
    let spot = draft(BASIS, 0, Side::Buy, "1000", "1");
    let judge = |id: u16, template: &OrderTemplate| envelope().judge_order(NOW, InstrumentId(id), template, None).err();
    assert_eq!(judge(0, &spot.template(&TESTNET, OWNER, KEY)), Some(Breach::Chain));
    assert_eq!(judge(0, &spot.template(&LOCAL, KEY, KEY)), Some(Breach::Owner));
    assert_eq!(judge(0, &spot.template(&LOCAL, OWNER, OWNER)), Some(Breach::Signer));
    assert_eq!(judge(1, &spot.template(&LOCAL, OWNER, KEY)), Some(Breach::Instrument), "asset and place differ");
    assert_eq!(judge(999, &spot.template(&LOCAL, OWNER, KEY)), Some(Breach::Instrument));
    let mut modules = LOCAL;
    for other in [LOCAL.modules.withdrawal, LOCAL.modules.transfer, LOCAL.modules.rfq] {
        modules.modules.trade = other;
        assert_eq!(judge(0, &spot.template(&modules, OWNER, KEY)), Some(Breach::Module));
    }
}

#[test]
fn sums_turn_at_their_boundary_and_count_only_what_was_signed() {
    let big = draft(BASIS, 0, Side::Buy, "1000", "10");
    let small = draft(BASIS, 0, Side::Buy, "1000", "0.000000001");
    let later = |draft: Draft, minutes: u64, envelope: &mut Envelope| {
        let at = NOW.plus(minutes * 60 * SEC);
        envelope.mark(&Mark { instrument: InstrumentId(draft.id), price: price("1000"), at });
        let moved = Draft { late_ns: at.since(NOW), life_s: draft.life_s + minutes * 60, ..draft };
        moved.judge(envelope)
    };
    let mut one = envelope();
    assert_eq!(later(draft(BASIS, 0, Side::Buy, "1000", "11"), 0, &mut one), Err(Breach::Notional));
    assert_eq!(later(big, 0, &mut one), Ok(()));
    assert_eq!(later(big, 0, &mut one), Ok(()));
    assert_eq!(later(draft(BASIS, 0, Side::Buy, "1000", "5.000000001"), 0, &mut one), Err(Breach::Hour));
    assert_eq!(later(draft(BASIS, 0, Side::Buy, "1000", "5"), 0, &mut one), Ok(()));
    assert_eq!(later(small, 0, &mut one), Err(Breach::Pace), "three a minute");
    assert_eq!(later(small, 2, &mut one), Err(Breach::Hour));
    assert_eq!(later(big, 62, &mut one), Ok(()), "a new hour");
    assert_eq!(later(draft(BASIS, 0, Side::Buy, "1000", "5.000000001"), 63, &mut one), Err(Breach::Day));
    assert_eq!(later(draft(BASIS, 0, Side::Buy, "1000", "5"), 63, &mut one), Ok(()));
    assert_eq!(later(small, 1_400, &mut one), Err(Breach::Day));
    assert_eq!(later(big, 1_440 + 25, &mut one), Ok(()), "a new day");

    let back = draft(BASIS, 1, Side::Buy, "1000", "6");
    let mut two = envelope();
    assert_eq!((later(back, 0, &mut two), later(back, 0, &mut two)), (Ok(()), Ok(())));
    let more = draft(BASIS, 1, Side::Buy, "1000", "0.000000001");
    assert_eq!(later(more, 70, &mut two), Err(Breach::Bought));
    assert_eq!(later(Draft { side: Side::Sell, ..more }, 70, &mut two), Ok(()));
    assert_eq!(draft(CALLS, 0, Side::Buy, "1000", "10").judge(&mut two), Ok(()), "every vault has its own sums");
}

#[test]
fn a_restart_buys_no_new_hour() {
    let mut spent = Spent::default();
    spent.charge(NOW, Cash::whole(25_000), Cash::ZERO);
    let mut envelope = envelope();
    envelope.remember(BASIS, &spent);
    assert_eq!(draft(BASIS, 0, Side::Buy, "1000", "0.000000001").judge(&mut envelope), Err(Breach::Hour));
    assert_eq!(draft(CALLS, 0, Side::Buy, "1000", "1").judge(&mut envelope), Ok(()));
}

#[test]
fn a_mark_belongs_to_its_instrument_and_never_goes_back() {
    let spot = draft(BASIS, 0, Side::Buy, "1000", "1");
    let mut envelope = envelope();
    envelope.mark(&Mark { instrument: InstrumentId(0), price: price("500"), at: Nanos(NOW.0 - 1) });
    assert_eq!(spot.judge(&mut envelope), Ok(()), "an older mark changes nothing");
    envelope.apply(&Listing::Listed { instrument: table()[0], watched: true });
    assert_eq!(spot.judge(&mut envelope), Ok(()), "listed again, the same instrument");
    let mut other = table()[0];
    other.sub_id += 1;
    envelope.list(&other);
    assert_eq!(spot.judge(&mut envelope), Err(Breach::Instrument));
    envelope.list(&table()[0]);
    assert_eq!(spot.judge(&mut envelope), Err(Breach::Mark), "the mark was another's");
    envelope.apply(&Listing::Delisted { id: InstrumentId(0) });
    assert_eq!(spot.judge(&mut envelope), Err(Breach::Instrument));
    let call = draft(CALLS, 2, Side::Sell, "50", "1");
    assert_eq!(call.judge(&mut envelope), Ok(()));
    let mut cheap = table()[2];
    cheap.option = cheap.option.map(|option| OptionTerms { strike: Price::ONE, ..option });
    envelope.list(&cheap);
    assert_eq!(call.judge(&mut envelope), Err(Breach::Instrument), "a strike that the sub-id contradicts");
    envelope.list(&table()[2]);
    assert_eq!(call.judge(&mut envelope), Err(Breach::Mark), "known again, without a mark");
    let mut foreign = table()[3];
    foreign.asset = [98; 20];
    envelope.list(&foreign);
    let far = draft(CALLS, 3, Side::Sell, "20", "1");
    assert_eq!(far.judge(&mut envelope), Err(Breach::Instrument), "an asset that ETH options never had");
}

fn package(
    subaccount: SubaccountId,
    ids: [u16; 2],
    near: (Side, &str, &str),
    far: (Side, &str, &str),
    fee: &str,
) -> Result<(), Breach> {
    let all = table();
    let leg = |id: u16, (side, limit, amount): (Side, &str, &str)| TakenLeg {
        asset: all[usize::from(id)].asset,
        sub_id: all[usize::from(id)].sub_id,
        price: price(limit),
        amount: amount.parse().expect("literal"),
        side,
    };
    let mut template = ExecutionTemplate::new(&LOCAL, subaccount, &OWNER, &KEY);
    template.digest(&ExecutionTerms {
        legs: [leg(ids[0], near), leg(ids[1], far)],
        max_fee: price(fee),
        nonce: Nonce(1),
        expiry_sec: NOW.secs() + 300,
    });
    envelope().judge_package(NOW, ids.map(InstrumentId), &template).map(|_| ())
}

#[test]
fn packages_are_the_vaults_own_spread_at_a_fair_price() {
    use Side::{Buy, Sell};
    // The spread's mark is 50 − 20 = 30; sold for 24 or more, bought for 36 or less.
    let good = package(SPREADS, [2, 3], (Sell, "50", "9"), (Buy, "26", "9"), "0");
    assert_eq!(good, Ok(()));
    let turned = package(SPREADS, [3, 2], (Buy, "26", "9"), (Sell, "50", "9"), "0");
    assert_eq!(turned, Ok(()), "whatever the order of the legs");
    let table = [
        (package(SPREADS, [2, 3], (Sell, "50", "9"), (Buy, "26.000000001", "9"), "0"), Breach::Price),
        (package(SPREADS, [2, 3], (Buy, "50", "9"), (Sell, "26", "9"), "0"), Breach::Package),
        (package(SPREADS, [2, 3], (Sell, "50", "9"), (Sell, "26", "9"), "0"), Breach::Side),
        (package(SPREADS, [2, 3], (Sell, "50", "9"), (Buy, "26", "9.000000001"), "0"), Breach::Package),
        (package(SPREADS, [2, 4], (Sell, "50", "9"), (Buy, "26", "9"), "0"), Breach::Instrument),
        (package(SPREADS, [2, 3], (Sell, "50", "9.090909091"), (Buy, "26", "9.090909091"), "0"), Breach::Notional),
        (package(SPREADS, [2, 3], (Sell, "50", "1"), (Buy, "20", "1"), "3.000000001"), Breach::Fee),
        (package(SPREADS, [2, 3], (Sell, "50", "1"), (Buy, "-1", "1"), "0"), Breach::Range),
        (package(CALLS, [2, 3], (Sell, "50", "1"), (Buy, "20", "1"), "0"), Breach::Module),
        (package(BASIS, [2, 3], (Sell, "50", "1"), (Buy, "20", "1"), "0"), Breach::Module),
        (package(YIELD, [2, 3], (Sell, "50", "1"), (Buy, "20", "1"), "0"), Breach::Package),
        (package(YIELD, [2, 3], (Buy, "56.000000001", "1"), (Sell, "20", "1"), "0"), Breach::Price),
    ];
    for (place, (got, want)) in table.into_iter().enumerate() {
        assert_eq!(got, Err(want), "row {place}");
    }
    assert_eq!(package(SPREADS, [2, 3], (Sell, "50", "9.09090909"), (Buy, "26", "9.09090909"), "0"), Ok(()));
    assert_eq!(package(SPREADS, [2, 3], (Sell, "50", "1"), (Buy, "20", "1"), "3"), Ok(()));
    assert_eq!(package(YIELD, [2, 3], (Buy, "56", "1"), (Sell, "20", "1"), "0"), Ok(()));
}

proptest! {
    #[test]
    fn whatever_passes_is_inside(
        drafts in proptest::collection::vec(
            (0u64..6, 0u16..6, any::<bool>(), 0i64..1_100_000_000_000, 0i64..12_000_000_000, 0i64..10_000_000_000, 0u64..700, 0u64..2_000),
            1..60,
        ),
    ) {
        let (mut envelope, mut signed) = (envelope(), [Cash::ZERO; 6]);
        for (subaccount, id, buy, limit, amount, fee, life_s, late_ms) in drafts {
            let side = if buy { Side::Buy } else { Side::Sell };
            let draft = Draft {
                subaccount: SubaccountId(subaccount), id, side, price: Price::from_raw(limit), amount: Amount::from_raw(amount),
                fee: Price::from_raw(fee), life_s, late_ns: late_ms * MS, nonce: NOW.0,
            };
            if draft.judge(&mut envelope).is_err() { continue }
            let mark = price(MARKS[usize::from(id)]);
            let band = mark.scale(if id < 2 { limits().price_band } else { limits().option_band }, Rounding::Floor);
            let unit = if id < 2 { draft.price } else { Price::whole(if id == 2 { 1_000 } else { 1_100 }) };
            let notional = unit.times(draft.amount);
            prop_assert!((1..=4).contains(&subaccount) && id <= 3 && (id != 1 || subaccount == 1));
            prop_assert!(id < 2 || (subaccount == 2 && !buy));
            let near = if buy { draft.price <= mark + band } else { draft.price >= mark - band };
            prop_assert!(near);
            prop_assert!(notional <= limits().notional_max && (1..=590).contains(&life_s) && late_ms <= 1_000);
            signed[subaccount as usize] += notional;
            prop_assert!(signed[subaccount as usize] <= limits().notional_per_hour_max);
        }
    }
}
