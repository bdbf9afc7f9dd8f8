//! What signatures give away is capped to the unit, and what replaces another order is no second one.

use super::*;
use crate::engine::rolling::Given;
use std::collections::BTreeMap;

fn given_within(hour: &str, day: &str) -> Envelope {
    let mut envelope = envelope();
    for fence in &mut envelope.fences {
        let limits = &mut fence.terms.limits;
        limits.orders_per_minute_max = u32::MAX;
        for most in
            [&mut limits.notional_per_hour_max, &mut limits.notional_per_day_max, &mut limits.bought_per_day_max]
        {
            *most = Cash::whole(1_000_000_000);
        }
        (limits.given_per_hour_max, limits.given_per_day_max) = (cash(hour), cash(day));
    }
    envelope
}

fn cash(text: &str) -> Cash {
    text.parse().expect("literal")
}

/// An order of this name at a moment, said to replace another.
fn seal(
    envelope: &mut Envelope,
    at: Nanos,
    (nonce, order): (u64, Draft),
    replaces: Option<(u64, Amount)>,
) -> Result<Cash, Breach> {
    let mark = Mark { instrument: InstrumentId(order.id), price: price(MARKS[usize::from(order.id)]), at };
    envelope.mark(&mark);
    let late_s = at.since(NOW) / SEC;
    let draft = Draft { nonce, life_s: late_s + 300, ..order };
    let replaces = replaces.map(|(nonce, filled)| Replaced { nonce: Nonce(nonce), filled });
    let template = draft.template(&LOCAL, OWNER, KEY);
    let given = |envelope: &Envelope| {
        let (_, spent) = envelope.spent().find(|(of, _)| *of == order.subaccount).expect("a fence");
        Cash::from_raw(spent.given_hour.clone().sum(at))
    };
    let before = given(envelope);
    let charge = envelope.judge_order(at, InstrumentId(order.id), &template, replaces)?;
    let (sum, Given { away, back, back_at }) = (given(envelope), charge.given);
    // What is taken back was counted, while the hour has it: nothing for an order on its own.
    assert!(replaces.is_some() || back.is_zero(), "{back} for nothing replaced");
    if back.is_zero() || at.since(back_at) < 3_000 * SEC {
        assert_eq!(sum, before + away - back, "of {before}");
    }
    Ok(sum)
}

#[test]
fn what_one_order_gives_away_is_its_wrong_side_and_its_fee() {
    use Side::{Buy, Sell};
    let spot = draft(BASIS, 0, Buy, "1000", "1");
    let fee = |fee: &str, order: Draft| Draft { fee: price(fee), ..order };
    for (order, want) in [
        (spot, "0"),
        (draft(BASIS, 0, Buy, "900", "2"), "0"),
        (draft(BASIS, 0, Buy, "1001", "2"), "2"),
        (draft(BASIS, 0, Sell, "1001", "2"), "0"),
        (draft(BASIS, 1, Sell, "999.5", "2"), "1"),
        (draft(BASIS, 0, Buy, "1000.000000001", "0.000000001"), "0.000000000000000001"),
        (fee("5", draft(BASIS, 0, Buy, "1000", "2")), "10"),
        (fee("4", draft(BASIS, 0, Buy, "900", "2")), "8"),
        (fee("2", draft(BASIS, 0, Buy, "1001", "2")), "6"),
        (draft(CALLS, 2, Sell, "45", "3"), "15"),
        (fee("0.1", draft(CALLS, 2, Sell, "55", "3")), "0.3"),
    ] {
        // A quote of a vault that hedges may use three quarters: the least limit of which they are enough.
        let limit = if order.id == 0 { Cash::from_raw((cash(want).raw() * 4 + 2) / 3) } else { cash(want) };
        let (exact, short) = (limit.to_string(), (limit - Cash::from_raw(1)).to_string());
        assert_eq!(seal(&mut given_within(&exact, &exact), NOW, (1, order), None), Ok(cash(want)), "{want}");
        if want != "0" {
            assert_eq!(
                seal(&mut given_within(&short, &exact), NOW, (1, order), None),
                Err(Breach::GivenHour),
                "{want}"
            );
            assert_eq!(seal(&mut given_within(&exact, &short), NOW, (1, order), None), Err(Breach::GivenDay), "{want}");
        }
    }
}

#[test]
fn a_package_gives_away_below_its_spreads_mark_and_its_fee() {
    use Side::{Buy, Sell};
    // The spread's mark is 30: sold for 28 it gives away 2 a unit, bought for 33 it gives away 3.
    for (subaccount, side, near, want) in [(SPREADS, Sell, "48", "6.5"), (YIELD, Buy, "53", "9.5")] {
        let judge = |most: &str| {
            let legs = [(2, side, near), (3, side.opposite(), "20")].map(|(id, side, limit): (u16, Side, &str)| {
                let Instrument { asset, sub_id, .. } = table()[usize::from(id)];
                TakenLeg { asset, sub_id, price: price(limit), amount: Amount::whole(3), side }
            });
            let mut template = ExecutionTemplate::new(&LOCAL, subaccount, &OWNER, &KEY);
            let (nonce, expiry_sec) = (Nonce(1), NOW.secs() + 300);
            template.digest(&ExecutionTerms { legs, max_fee: price("0.5"), nonce, expiry_sec });
            let charge = given_within(most, most).judge_package(NOW, [2, 3].map(InstrumentId), &template);
            charge.map(|charge| charge.given.away)
        };
        assert_eq!(judge(want), Ok(cash(want)));
        assert_eq!(judge(&(cash(want) - Cash::from_raw(1)).to_string()), Err(Breach::GivenHour));
    }
}

#[test]
fn hours_and_days_add_up_and_a_refusal_counts_nothing() {
    let order = draft(BASIS, 1, Side::Sell, "990", "1"); // gives away ten
    let unit = draft(BASIS, 1, Side::Sell, "999.999999999", "0.000000001");
    let mut envelope = given_within("30", "50");
    let mut nonce = 0;
    let mut later = |minutes: u64, order: Draft| {
        nonce += 1;
        seal(&mut envelope, NOW.plus(minutes * 60 * SEC), (nonce, order), None)
    };
    assert_eq!((later(0, order), later(0, order)), (Ok(cash("10")), Ok(cash("20"))));
    assert_eq!((later(1, order), later(1, order)), (Ok(cash("30")), Err(Breach::GivenHour)));
    assert_eq!(later(60, unit), Err(Breach::GivenHour), "an hour is not over yet");
    assert_eq!((later(62, order), later(62, order)), (Ok(cash("10")), Ok(cash("20"))));
    assert_eq!(later(62, unit), Err(Breach::GivenDay));
    assert_eq!(
        later(200, draft(BASIS, 1, Side::Sell, "1000", "1")),
        Ok(Cash::ZERO),
        "what gives nothing away is signed"
    );
    assert_eq!(later(1_440 + 25, order), Ok(cash("10")), "a new day");
}

#[test]
fn the_dearer_of_two_that_replace_each_other_counts() {
    let order = |limit: &str, amount: &str| draft(BASIS, 0, Side::Buy, limit, amount);
    let none = Amount::ZERO;
    let amount = |text: &str| text.parse::<Amount>().expect("literal");
    let mut envelope = given_within("1000", "1000");
    let mut sum = |minutes: u64, nonce, order, old| {
        seal(&mut envelope, NOW.plus(minutes * 60 * SEC), (nonce, order), old).expect("within").to_string()
    };
    assert_eq!(sum(0, 1, order("1004", "2"), None), "8");
    assert_eq!(sum(0, 2, order("1003", "2"), Some((1, none))), "8", "the first may rest on");
    assert_eq!(sum(0, 3, order("1003", "2"), Some((2, none))), "6", "it does not");
    assert_eq!(sum(1, 4, order("1005", "2"), Some((3, amount("0.5")))), "11.5", "half a unit at three, two at five");
    assert_eq!(
        sum(1, 5, order("1001", "1"), Some((3, amount("1")))),
        "6",
        "refused; one at three, and one rests at three"
    );
    assert_eq!(sum(1, 6, order("1001", "1"), Some((5, none))), "4", "one at three, one at one");
    assert_eq!(sum(1, 7, order("1001", "1"), Some((5, none))), "4", "its twin was refused");
    assert_eq!(sum(1, 8, order("1001", "1"), Some((6, none))), "5", "and cannot be replaced any more");
    assert_eq!(sum(1, 9, order("1001", "1"), Some((99, none))), "6", "nor what was never signed");
    assert_eq!(sum(1, 10, order("1001", "1"), None), "7");
    assert_eq!(
        sum(2, 11, order("1001", "1"), Some((10, Amount::whole(5)))),
        "8",
        "no more fills than there was to fill"
    );
    assert_eq!(sum(2, 12, order("1001", "1"), Some((11, Amount::whole(-5)))), "8", "and no less than nothing");
    assert_eq!(sum(62, 13, order("1001", "1"), Some((12, none))), "1", "what moves on counts when it moved");
}

#[test]
fn too_many_orders_at_once_count_on_as_their_own() {
    let order = draft(BASIS, 0, Side::Buy, "1001", "1");
    let mut envelope = given_within("1000", "1000");
    for nonce in 1..=17 {
        seal(&mut envelope, NOW, (nonce, order), None).expect("within");
    }
    assert_eq!(seal(&mut envelope, NOW, (18, order), Some((2, Amount::ZERO))), Ok(cash("17")));
    assert_eq!(seal(&mut envelope, NOW, (19, order), Some((1, Amount::ZERO))), Ok(cash("18")), "forgotten");
}

/// An order at the venue.
#[derive(Clone, Copy)]
struct Resting {
    left: i64,
    filled: i64,
    unit: i64,
}

proptest! {
    /// Orders are placed, filled, replaced and cancelled at a venue that keeps its word; a strategy that wishes for anything
    /// at all never loses more than was counted, and what was counted never more than it may be.
    #[test]
    fn no_strategy_bleeds_more_than_an_hour_allows(
        steps in proptest::collection::vec((0u8..4, any::<prop::sample::Index>(), 0i64..12, 1i64..9, any::<bool>()), 1..120),
    ) {
        let most = 400;
        let mut envelope = given_within("400", "400");
        let mut venue: BTreeMap<u64, Resting> = BTreeMap::new();
        let (mut nonce, mut lost) = (0u64, 0i64);
        for (step, which, off, size, raced) in steps {
            let names: Vec<u64> = venue.keys().copied().collect();
            let old = (!names.is_empty()).then(|| names[which.index(names.len())]);
            let claim = old.map(|old| (old, Amount::whole(venue[&old].filled)));
            if let Some(resting) = old.and_then(|old| venue.get_mut(&old))
                && (step == 0 || (step == 1 && raced))
            {
                // A fill, or one that overtakes a replacement.
                let filled = resting.left.min(size);
                (resting.left, resting.filled) = (resting.left - filled, resting.filled + filled);
                lost += filled * resting.unit;
            }
            if step == 0 {
                continue;
            }
            nonce += 1;
            let order = draft(BASIS, 0, Side::Buy, &(999 + off).to_string(), &size.to_string());
            let replaces = claim.filter(|_| step == 1);
            if let Ok(sum) = seal(&mut envelope, NOW, (nonce, order), replaces) {
                prop_assert!(sum <= Cash::whole(most));
                let overtaken = replaces.is_some_and(|(old, claimed)| claimed < Amount::whole(venue[&old].filled));
                if !overtaken {
                    replaces.map(|(old, _)| venue.remove(&old));
                    venue.insert(nonce, Resting { left: size, filled: 0, unit: (off - 1).max(0) });
                }
            }
            let worst = lost + venue.values().map(|resting| resting.left * resting.unit).sum::<i64>();
            let (_, spent) = envelope.spent().find(|(of, _)| *of == BASIS).expect("a fence");
            let counted = Cash::from_raw(spent.given_hour.clone().sum(NOW));
            prop_assert!(Cash::whole(worst) <= counted && counted <= Cash::whole(most), "{worst} of {counted}");
            if step == 3 && let Some(old) = old {
                venue.remove(&old);
            }
        }
    }
}

#[test]
fn a_quarter_is_kept_for_hedges() {
    let (quote, hedge) = (draft(BASIS, 0, Side::Buy, "1010", "1"), draft(BASIS, 1, Side::Sell, "990", "1"));
    let mut given = given_within("40", "40");
    for (nonce, order, want) in [
        (1, quote, Ok("10")),
        (2, quote, Ok("20")),
        (3, quote, Ok("30")),
        (4, quote, Err(Breach::GivenHour)),
        (4, hedge, Ok("40")),
        (5, hedge, Err(Breach::GivenHour)),
    ] {
        assert_eq!(seal(&mut given, NOW, (nonce, order), None), want.map(cash), "{nonce}");
    }
    let mut paced = given_within("1000", "1000");
    paced.fences.iter_mut().for_each(|fence| fence.terms.limits.orders_per_minute_max = 4);
    let verdicts = [(1, quote), (2, quote), (3, quote), (4, quote), (4, hedge), (5, hedge)];
    let verdicts = verdicts.map(|order| seal(&mut paced, NOW, order, None).err());
    assert_eq!(verdicts, [None, None, None, Some(Breach::Pace), None, Some(Breach::Pace)]);
}

#[test]
fn a_restart_gives_nothing_back() {
    let order = draft(BASIS, 1, Side::Sell, "990", "1");
    let mut first = given_within("30", "30");
    assert_eq!(seal(&mut first, NOW, (1, order), None), Ok(cash("10")));
    assert_eq!(seal(&mut first, NOW, (2, order), Some((1, Amount::ZERO))), Ok(cash("10")));
    let mut second = given_within("30", "30");
    let (_, spent) = first.spent().find(|(of, _)| *of == BASIS).expect("a fence");
    second.remember(BASIS, spent);
    assert_eq!(seal(&mut second, NOW, (3, order), Some((2, Amount::ZERO))), Ok(cash("20")), "it is known no more");
    assert_eq!(seal(&mut second, NOW, (4, order), None), Ok(cash("30")));
    assert_eq!(seal(&mut second, NOW, (5, order), None), Err(Breach::GivenHour));
}
