//! The exchange's marks against the engine's pricing: two implementations, nothing shared but what is on the wire.

use super::*;
use crate::base::ids::Right;
use crate::base::num::Price;
use crate::exchange::options::{black76, svi};
use crate::market;
use crate::market::forward::{ForwardFeed, SpotAggregate};
use proptest::prelude::*;

proptest! {
    #[test]
    fn both_black76_agree(
        (forward, ratio, vol, days) in (100.0f64..100_000.0, 0.5f64..2.0, 0.05f64..3.0, 0.01f64..400.0), call: bool,
    ) {
        let (strike, years) = (forward * ratio, days / 365.0);
        let here = black76::Option76 { forward, strike, vol, years, call };
        let right = if call { Right::Call } else { Right::Put };
        let there = market::black76::black76(right, forward, strike, vol, years, 1.0).expect("in range");
        let greeks = here.greeks();
        let near = |a: f64, b: f64, scale: f64| (a - b).abs() <= 1e-11 * scale;
        prop_assert!(near(here.price(), there.price, forward), "{here:?} {there:?}");
        prop_assert!(near(greeks.delta, there.delta, 1.0), "{greeks:?} {there:?}");
        prop_assert!(near(greeks.gamma, there.gamma, 1.0) && near(greeks.vega * 100.0, there.vega, forward));
        prop_assert!(near(greeks.theta * 365.0, there.theta, forward));
    }

    #[test]
    fn both_smiles_agree(
        (a, b, rho, m, sigma) in (0.0005f64..0.1, 0.0f64..0.2, -0.95f64..0.95, -0.2f64..0.2, 0.001f64..0.5),
        (fwd, ratio, ref_tau) in (100.0f64..100_000.0, 0.2f64..5.0, 0.001f64..1.1),
    ) {
        let here = Svi { a, b, rho, m, sigma, fwd, ref_tau };
        let there = market::svi::Svi { a, b, rho, m, sigma, forward: fwd, ref_tau };
        prop_assert!(here.is_sound());
        let expected = there.vol(fwd * ratio).expect("sound");
        prop_assert!((here.vol(fwd * ratio) / expected - 1.0).abs() < 1e-12);
    }
}

fn price(value: &Value) -> Price {
    let value = d(value.as_str().expect("a decimal"));
    Price::from_raw(i64::try_from((value * Decimal::from(1_000_000_000)).trunc().mantissa()).expect("small"))
}

fn aggregate(value: &Value) -> SpotAggregate {
    let value = d(value.as_str().expect("a decimal"));
    SpotAggregate::from_raw(i128::try_from(e18_signed(value)).expect("small"))
}

/// From listing through the averaging window to the second of settlement, the engine's arithmetic on the signed feeds
/// gives the exchange's own marks.
#[test]
fn the_engine_prices_every_option_as_the_exchange_marks_it() {
    let mut b = Bench::new();
    let expiry_s = 1_763_712_000u64;
    b.ex.set_forward("ETH", expiry_s, d("2.5"));
    let to = |b: &mut Bench, ns: u64| b.pass(ns - b.at.0);
    let moments = [T0.0, (expiry_s - 7_200) * SEC, (expiry_s - 1_000) * SEC + 1, (expiry_s - 1) * SEC, expiry_s * SEC];
    b.ex.delay_settlement(expiry_s, 10);
    for (n, moment) in moments.into_iter().enumerate() {
        to(&mut b, moment);
        b.ex.set_spot("ETH", d("4000") + Decimal::from(17 * n as u64), b.at);
        let asked = json!({ "currency": "ETH", "expiry": expiry_s });
        let feeds = b.call("public/get_latest_signed_feeds", asked)["result"].clone();
        let fwd = &feeds["fwd_data"]["ETH"][expiry_s.to_string()];
        let feed = ForwardFeed {
            fwd_diff: price(&fwd["fwd_diff"]),
            spot_aggregate_start: aggregate(&fwd["spot_aggregate_start"]),
            spot_aggregate_latest: aggregate(&fwd["spot_aggregate_latest"]),
            feed_at: Nanos(fwd["timestamp"].as_u64().expect("ms") * MS),
            expiry: Nanos(expiry_s * SEC),
        };
        let forward = feed.forward(price(&feeds["spot_data"]["ETH"]["price"])).expect("in range").to_f64();
        let vol = &feeds["vol_data"]["ETH"][expiry_s.to_string()]["vol_data"];
        let stated = |field: &str| svi::to_f64(d(vol[field].as_str().expect("a decimal")));
        let smile = market::svi::Svi {
            a: stated("SVI_a"),
            b: stated("SVI_b"),
            rho: stated("SVI_rho"),
            m: stated("SVI_m"),
            sigma: stated("SVI_sigma"),
            forward: stated("SVI_fwd"),
            ref_tau: stated("SVI_refTau"),
        };
        let years = expiry_s.saturating_sub(b.at.secs()) as f64 / market::black76::YEAR_SECONDS as f64;
        for (strike, call, put) in b.ex.listed_options("ETH", expiry_s) {
            let strike = svi::to_f64(strike);
            let vol = smile.vol(strike).expect("sound");
            for (right, name) in [(Right::Call, call), (Right::Put, put)] {
                let engine = market::black76::black76(right, forward, strike, vol, years, 1.0).expect("in range").price;
                let mark = svi::to_f64(b.ex.mark(&name));
                assert!((engine - mark).abs() < 1e-6, "{name} at {moment}: {engine} {mark}");
            }
        }
    }
}
