//! Which expiry and strikes are chosen, and why two looks never choose differently.

use super::super::selector::{Chain, Pick};
use super::*;

fn chain(scene: &Scene) -> Chain<'_> {
    Chain { lines: &scene.chain, product: scene.params.product, at: scene.at }
}

fn pick(scene: &Scene) -> Option<Pick> {
    chain(scene).select(&scene.params.selection, EXPIRY_S)
}

fn chosen(scene: &Scene) -> Vec<(i64, Side)> {
    let legs = pick(scene).map(|pick| pick.legs().map(|leg| (leg.strike.raw() / Price::ONE.raw(), leg.side)).collect());
    legs.unwrap_or_default()
}

#[test]
fn the_latest_expiry_strictly_inside_the_window_is_taken() {
    let now = 1_000_000;
    let week = week();
    let (min, max) = (now + week.expiry_s_min, now + 7 * DAY_S);
    for (expiries, want) in [
        (vec![min, max], None),
        (vec![min + 1], Some(min + 1)),
        (vec![max - 1, min + 1, max, max + DAY_S], Some(max - 1)),
        (vec![], None),
    ] {
        let mut scene = Scene::new(Product::CoveredCall, 3000);
        scene.at = seconds(now);
        scene.chain.clear();
        for expiry_s in &expiries {
            scene.list(3500, *expiry_s, "0.6");
        }
        assert_eq!(chain(&scene).expiry(&week), want, "{expiries:?}");
        for line in &mut scene.chain {
            line.instrument.active = false;
        }
        assert_eq!(chain(&scene).expiry(&week), None, "delisted {expiries:?}");
    }
}

#[test]
fn a_chain_is_complete_only_if_every_value_is_fresh() {
    let mut scene = Scene::new(Product::CoveredCall, 3000);
    assert!(chain(&scene).is_complete(EXPIRY_S));
    let last = scene.chain.len() - 1;
    let whole = scene.chain[last];
    let value = whole.value.expect("priced");
    for (name, broken) in [
        ("unheard", None),
        ("old", Some(Value { good_until: Nanos(scene.at.0 - 1), ..value })),
        ("stale", Some(Value { guards: crate::msg::Guards::TICKER_STALE, ..value })),
        ("not believed", Some(Value { guards: crate::msg::Guards::UNCONFIRMED, ..value })),
    ] {
        scene.chain[last].value = broken;
        assert!(!chain(&scene).is_complete(EXPIRY_S), "{name}");
    }
    scene.chain[last].value = Some(Value { good_until: scene.at, mark: Price::ZERO, ..value });
    assert!(chain(&scene).is_complete(EXPIRY_S), "a worthless option is an option");
    let deviating = Value { guards: crate::msg::Guards::MODEL_DEVIATES, option: None, ..value };
    assert!(!chain(&scene).has_deviation(EXPIRY_S));
    scene.chain[last].value = Some(deviating);
    assert!(chain(&scene).is_complete(EXPIRY_S), "one strike nobody can price does not hide the others");
    assert!(chain(&scene).has_deviation(EXPIRY_S) && !chain(&scene).has_deviation(EXPIRY_S - 1));
    scene.chain[last].value = None;
    assert!(chain(&scene).is_complete(EXPIRY_S - 1), "another expiry is another chain");
}

#[test]
fn a_strike_that_deviates_from_the_model_is_never_chosen() {
    let mut scene = Scene::new(Product::CoveredCall, 3000);
    let best = pick(&scene).expect("a choice").legs().next().copied().expect("a leg");
    let line = scene.chain.iter_mut().find(|line| line.instrument.id == best.instrument).expect("listed");
    line.value.as_mut().expect("priced").guards = crate::msg::Guards::MODEL_DEVIATES;
    assert!(pick(&scene).is_none_or(|pick| pick.legs().all(|leg| leg.instrument != best.instrument)));
}

fn set_delta(scene: &mut Scene, strike: i64, delta: &str) {
    let id = scene.id(strike);
    let line = scene.chain.iter_mut().find(|line| line.instrument.id == id).expect("listed");
    line.value.as_mut().and_then(|value| value.option.as_mut()).expect("priced").delta = ratio(delta);
}

#[test]
fn a_covered_call_is_the_nearest_delta_below_the_highest() {
    for (deltas, want) in [
        (["0.2", "0.12", "0.06"], Some(3200)),
        (["0.13", "0.12", "0.11"], Some(3300)),
        (["0.15", "0.049", "0.04"], None),
        (["0.149999999", "0.01", "0.01"], Some(3100)),
        (["0.2", "0.05", "0.04"], Some(3200)),
        // equally near: the lower delta
        (["0.2", "0.12", "0.08"], Some(3300)),
        // the same delta: the higher strike
        (["0.2", "0.08", "0.08"], Some(3300)),
    ] {
        let mut scene = Scene::new(Product::CoveredCall, 3000);
        scene.chain.clear();
        for (strike, delta) in [3100, 3200, 3300].into_iter().zip(deltas) {
            scene.list(strike, EXPIRY_S, "0.6");
            set_delta(&mut scene, strike, delta);
        }
        let want: Vec<_> = want.map(|strike| (strike, Side::Sell)).into_iter().collect();
        assert_eq!(chosen(&scene), want, "{deltas:?}");
        scene.chain.reverse();
        assert_eq!(chosen(&scene), want, "{deltas:?} listed backwards");
    }
}

#[test]
fn a_spread_is_the_ratio_nearest_to_the_target() {
    use Product::{LongCallSpread, ShortCallSpread, ShortPutSpread};
    // Marks of the strikes 3000 to 3300; the target ratio is 0.07 (0.4 for the long spread), strikes 100 apart (200).
    for (product, marks, want) in [
        (ShortCallSpread, ["30", "20", "13", "9"], vec![(3100, Side::Sell), (3200, Side::Buy)]),
        (ShortCallSpread, ["30", "2", "1", "0.5"], vec![]),
        // equally near (0.05 and 0.09): a seller takes the smaller ratio
        (ShortCallSpread, ["49", "29", "20", "15"], vec![(3200, Side::Sell), (3300, Side::Buy)]),
        // the same ratio twice: the lower strike
        (ShortCallSpread, ["40", "33", "26", "1"], vec![(3000, Side::Sell), (3100, Side::Buy)]),
        (ShortPutSpread, ["1", "8", "40", "80"], vec![(3000, Side::Buy), (3100, Side::Sell)]),
        (LongCallSpread, ["165", "110", "70", "40"], vec![(3100, Side::Buy), (3300, Side::Sell)]),
    ] {
        let mut scene = Scene::new(product, 3000);
        scene.chain.clear();
        for (strike, mark) in [3000, 3100, 3200, 3300].into_iter().zip(marks) {
            scene.list(strike, EXPIRY_S, "0.6");
            scene.set_mark(strike, mark);
        }
        assert_eq!(chosen(&scene), want, "{product:?} {marks:?}");
        scene.chain.reverse();
        assert_eq!(chosen(&scene), want, "{product:?} {marks:?} listed backwards");
    }
}

#[test]
fn a_partner_that_is_not_listed_makes_no_pair() {
    let mut scene = Scene::new(Product::ShortCallSpread, 3000);
    scene.chain.clear();
    for (strike, mark) in [(3000, "10"), (3150, "3")] {
        scene.list(strike, EXPIRY_S, "0.6");
        scene.set_mark(strike, mark);
    }
    assert_eq!(pick(&scene), None);
}

#[test]
fn legs_are_in_the_order_of_their_names_even_across_digits() {
    let mut scene = Scene::new(Product::ShortCallSpread, 9000);
    scene.chain.clear();
    for (strike, mark) in [(9900, "10"), (10000, "3")] {
        scene.list(strike, EXPIRY_S, "0.6");
        scene.set_mark(strike, mark);
    }
    assert_eq!(chosen(&scene), vec![(10000, Side::Buy), (9900, Side::Sell)]);
}

#[test]
fn by_delta_the_buyer_takes_the_pair_nearest_to_both() {
    let mut scene = Scene::new(Product::LongCallSpread, 3500);
    for (strike_diff, want) in [(0, (3400, 3600)), (200, (3400, 3600)), (300, (3400, 3700))] {
        scene.params.selection = Selection::SpreadDelta {
            strike_diff: Price::whole(strike_diff),
            bought: ratio("0.65"),
            sold: ratio("0.35"),
        };
        assert_eq!(chosen(&scene), vec![(want.0, Side::Buy), (want.1, Side::Sell)], "apart {strike_diff}");
    }
}
