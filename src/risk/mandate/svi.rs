//! The volatility feed's curve: SVI variance over log-moneyness, as the contracts evaluate it in 18-decimal integers.

use super::fixed::{add, add_signed, div_d, ln, mul_d, mul_d_signed, neg, sqrt, sub_signed};
use super::revert::Revert;
use alloy_primitives::{I256, U256, uint};

/// Log-moneyness is kept within this many total volatilities of the forward (4.0).
const BOUND_VOLS: I256 = I256::from_raw(uint!(4_000_000_000_000_000_000_U256));
/// Total variance is cut off here (144.0).
const VARIANCE_MAX: I256 = I256::from_raw(uint!(144_000_000_000_000_000_000_U256));

/// Curve of one expiry, everything in 18 decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VolCurve {
    /// Level of total variance.
    pub a: I256,
    /// Slope of both wings.
    pub b: U256,
    /// Tilt.
    pub rho: I256,
    /// Log-moneyness of the vertex.
    pub m: I256,
    /// Roundness of the vertex.
    pub sigma: U256,
    /// Forward the curve was fitted around; not the forward feed's.
    pub forward: U256,
    /// Year fraction the curve was fitted at; not today's time to expiry.
    pub ref_tau: u64,
}

impl VolCurve {
    /// Volatility per year at a strike (`SVI.getVol`). Errors: `SVI_NoForwardPrice`, `SVI_InvalidParameters` for
    /// negative variance, the `SVI:` string, panics for numbers beyond 256 bits or `ref_tau` zero.
    pub fn vol(&self, strike: U256) -> Result<U256, Revert> {
        if strike.is_zero() {
            return Ok(U256::ZERO);
        }
        if self.forward.is_zero() {
            return Err(Revert::SviNoForwardPrice);
        }
        let from_vertex = sub_signed(self.log_moneyness(strike)?, self.m)?;
        let from_vertex_squared = mul_d_signed(from_vertex, from_vertex)?.into_raw();
        let radius = sqrt(add(from_vertex_squared, mul_d(self.sigma, self.sigma)?)?)?;
        let tilted = add_signed(I256::from_raw(radius), mul_d_signed(self.rho, from_vertex)?)?;
        let variance = add_signed(self.a, mul_d_signed(I256::from_raw(self.b), tilted)?)?;
        if variance.is_negative() {
            return Err(Revert::SviInvalidParameters);
        }
        sqrt(div_d(variance.min(VARIANCE_MAX).into_raw(), U256::from(self.ref_tau))?)
    }

    /// ln(strike / forward) held within four total volatilities of zero (`SVI.getK`).
    pub fn log_moneyness(&self, strike: U256) -> Result<I256, Revert> {
        // The contract's guard on this cast cannot trip: a product that fits a word is small after the division.
        let vertex_variance = add_signed(self.a, I256::from_raw(mul_d(self.b, self.sigma)?))?;
        if vertex_variance.is_negative() {
            return Err(Revert::SviNegativeVariance);
        }
        let total_vol = sqrt(vertex_variance.into_raw())?;
        let bound = mul_d_signed(I256::from_raw(total_vol), BOUND_VOLS)?;
        let moneyness = I256::from_raw(div_d(strike, self.forward)?);
        if moneyness.is_zero() {
            return neg(bound);
        }
        let log = ln(moneyness)?;
        Ok(if log > bound { bound } else { log.max(neg(bound)?) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const E18: i128 = 1_000_000_000_000_000_000;

    fn curve(a: i128, b: u128, rho: i128, m: i128, sigma: u128, forward: u128, ref_tau: u64) -> VolCurve {
        let int = |x: i128| I256::try_from(x).expect("it fits");
        VolCurve {
            a: int(a),
            b: U256::from(b),
            rho: int(rho),
            m: int(m),
            sigma: U256::from(sigma),
            forward: U256::from(forward * E18 as u128),
            ref_tau,
        }
    }

    fn dollars(strike: u128) -> U256 {
        U256::from(strike * E18 as u128)
    }

    #[test]
    fn week_smile() {
        let week = 19_178_082_191_780_821;
        let smile = curve(E18 / 500, E18 as u128 * 3 / 100, -E18 / 5, E18 / 100, E18 as u128 / 20, 3_000, week);
        for (strike, micro_vol) in [(2_800, 524_633), (3_000, 432_640), (3_200, 450_515), (3_500, 545_765)] {
            let vol = smile.vol(dollars(strike)).expect("no revert");
            // The reference gives six decimals, rounded to the nearest.
            let rounded = (vol + U256::from(500_000_000_000_u64)) / U256::from(1_000_000_000_000_u64);
            assert_eq!(rounded, U256::from(micro_vol), "{strike}: {vol}");
        }
    }

    #[test]
    fn contract_benchmarks_within_ten_thousand_units() {
        let first = curve(
            8_219_178_082_191_780,
            12_328_767_123_287_670,
            -821_917_808_219_178,
            -410_958_904_109_589,
            410_958_904_109_589,
            1_800,
            8_219_178_082_191_780,
        );
        let second = curve(
            27_616_438_356_164_386,
            41_424_657_534_246_574,
            3_452_054_794_520_548,
            1_726_027_397_260_274,
            345_205_479_452_055,
            1_805,
            38_356_164_383_561_646,
        );
        let third = curve(
            177_534_246_575_342_470,
            177_534_246_575_342_470,
            59_178_082_191_780_820,
            29_589_041_095_890_410,
            21_698_630_136_986_300,
            1_830,
            246_575_342_465_753_400,
        );
        let cases = [
            (first, 1_500, 1_128_313_283_835_480_400),
            (second, 1_500, 959_724_473_412_012_800),
            (second, 1_800, 851_385_607_696_952_200),
            (second, 2_100, 939_244_986_304_054_000),
            (second, 2_400, 1_013_357_133_427_566_800_u128),
            (third, 1_500, 935_672_821_844_278_400),
            (third, 1_800, 868_753_074_733_793_200),
            (third, 2_100, 896_626_901_741_326_600),
            (third, 2_400, 951_272_174_421_869_400),
        ];
        for (curve, strike, expected) in cases {
            let vol = curve.vol(dollars(strike)).expect("no revert");
            assert!(vol.abs_diff(U256::from(expected)) <= U256::from(10_000), "{strike}: {vol}");
        }
    }

    #[test]
    fn log_moneyness_and_variance_are_bounded() {
        let flat = curve(
            E18 / 100,
            E18 as u128 / 100,
            -E18 / 25,
            E18 * 3 / 100,
            E18 as u128 / 20,
            2_000,
            32_876_712_320_000_000,
        );
        let micro = |x: U256| x / U256::from(1_000_000_000_000_u64);
        for (strike, sign, micro_vol) in [(2_000_000, false, 645_048_u64), (1, true, 666_465)] {
            let k = flat.log_moneyness(dollars(strike)).expect("no revert");
            assert_eq!((k.is_negative(), micro(k.unsigned_abs())), (sign, U256::from(409_878)));
            assert_eq!(micro(flat.vol(dollars(strike)).expect("no revert")), U256::from(micro_vol));
        }
        let steep = curve(
            2 * E18,
            E18 as u128 * 3 / 5,
            -E18 / 50,
            E18 * 3 / 100,
            E18 as u128 * 3 / 10,
            2_000,
            38_356_164_380_000_000,
        );
        assert_eq!(micro(steep.vol(dollars(200_000)).expect("no revert")), U256::from(11_064_985));
        // One unit of strike over a large forward has moneyness zero: the lower bound, not a logarithm of zero.
        let lowest = flat.log_moneyness(U256::ONE).expect("no revert");
        assert_eq!(lowest, -flat.log_moneyness(dollars(2_000_000)).expect("no revert"));
        let wild = VolCurve { a: I256::from_raw(dollars(200)), ..flat };
        let cut =
            sqrt(div_d(VARIANCE_MAX.into_raw(), U256::from(flat.ref_tau)).expect("no revert")).expect("no revert");
        assert_eq!(wild.vol(dollars(2_000)), Ok(cut));
    }

    #[test]
    fn bad_curves_revert_by_name() {
        let flat = curve(E18 / 100, E18 as u128 / 100, 0, 0, E18 as u128 / 20, 2_000, 32_876_712_320_000_000);
        let strike = dollars(2_000);
        let negative = VolCurve { a: I256::try_from(-10 * E18).expect("it fits"), ..flat };
        let tilted = VolCurve {
            rho: I256::try_from(-90 * E18).expect("it fits"),
            m: I256::try_from(-E18).expect("it fits"),
            ..flat
        };
        let cases = [
            (VolCurve { forward: U256::ZERO, ..flat }, Err(Revert::SviNoForwardPrice)),
            (negative, Err(Revert::SviNegativeVariance)),
            (tilted, Err(Revert::SviInvalidParameters)),
            (VolCurve { ref_tau: 0, ..flat }, Err(Revert::DivisionByZero)),
            (VolCurve { b: U256::MAX, ..flat }, Err(Revert::ArithmeticOverflow)),
            (VolCurve { m: I256::MIN, ..flat }, Err(Revert::ArithmeticOverflow)),
        ];
        for (curve, expected) in cases {
            assert_eq!(curve.vol(strike), expected);
            assert_eq!(curve.vol(U256::ZERO), Ok(U256::ZERO));
        }
    }
}
