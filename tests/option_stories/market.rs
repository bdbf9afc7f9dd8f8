//! What is listed and what it is worth.

use super::{BASE, EXPIRY_S, Play, STRIKES};
use keel::actors::risk::In;
use keel::base::ids::{InstrumentId, Name, Right};
use keel::base::num::{Amount, Cash, Price, Ratio, Rounding};
use keel::base::time::SEC;
use keel::market::black76;
use keel::market::instrument::{Instrument, Kind, OptionTerms};
use keel::msg::{OptionValue, Value};

const VOL: f64 = 0.6;

/// The collateral's spot instrument.
pub(super) fn spot() -> Instrument {
    Instrument {
        id: BASE,
        name: Name::new("WEETH-USDC").expect("short"),
        kind: Kind::Spot,
        base_currency: Name::new("WEETH").expect("short"),
        asset: [0; 20],
        sub_id: 0,
        tick: Price::from_raw(10_000_000),
        step: Amount::from_raw(1_000_000),
        min_amount: Amount::from_raw(10_000_000),
        max_amount: Amount::whole(1_000),
        maker_fee: Ratio::ZERO,
        taker_fee: Ratio::from_bps(10),
        base_fee: Cash::ZERO,
        mark_fee_cap: Ratio::ZERO,
        option: None,
        active: true,
    }
}

/// The calls of the week, from the first place on.
pub(super) fn calls() -> impl Iterator<Item = Instrument> {
    STRIKES.zip(1u16..).map(|(strike, place)| call(place, strike))
}

fn call(place: u16, strike: i64) -> Instrument {
    Instrument {
        id: InstrumentId(place),
        name: Name::new(&format!("ETH-20261211-{}-C", strike * 100)).expect("short"),
        kind: Kind::Option,
        base_currency: Name::new("ETH").expect("short"),
        tick: Price::from_raw(10_000_000),
        step: Amount::from_raw(10_000_000),
        min_amount: Amount::from_raw(100_000_000),
        max_amount: Amount::whole(500),
        taker_fee: Ratio::from_bps(3),
        mark_fee_cap: Ratio::from_bps(1_250),
        option: Some(OptionTerms { expiry_s: EXPIRY_S, strike: Price::whole(strike * 100), right: Right::Call }),
        ..spot()
    }
}

impl Play {
    /// Values of everything, from the index at one volatility.
    pub(super) fn prices(&mut self, said: &mut String) {
        for instrument in self.instruments.clone() {
            let seconds = EXPIRY_S as i64 - self.at.secs() as i64;
            let (mark, option) = match instrument.option {
                None => (self.index, None),
                Some(_) if seconds <= 0 => continue,
                Some(terms) => {
                    let vol = Ratio::from_raw((VOL * 1e9) as i64);
                    let worth = black76::price(
                        terms.right,
                        self.index,
                        terms.strike,
                        vol,
                        seconds,
                        Ratio::ONE,
                        Rounding::HalfUp,
                    );
                    let years = seconds as f64 / 31_536_000.0;
                    let (forward, strike) = (self.index.to_f64(), terms.strike.to_f64());
                    let delta =
                        black76::black76(terms.right, forward, strike, VOL, years, 1.0).map_or(0.0, |q| q.delta);
                    let delta = Ratio::from_raw((delta * 1e9) as i64);
                    let value = OptionValue { mark_iv: vol, forward: self.index, discount: Ratio::ONE, delta };
                    (worth.unwrap_or_default(), Some(value))
                }
            };
            let value = Value {
                instrument: instrument.id,
                fair: mark,
                mark,
                index: self.index,
                band_high: mark.scale(Ratio::whole(10), Rounding::HalfUp),
                option,
                priced_at: self.at,
                good_until: self.at.plus(3 * SEC),
                ..Value::default()
            };
            self.hear(In::Value(value), said);
        }
    }
}
