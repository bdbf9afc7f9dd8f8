//! The contracts' standard normal distribution function: Hart's rational near the middle, a continued fraction in the tails.

use super::fixed::{UNIT, abs, exp};
use super::revert::Revert;
use alloy_primitives::{I256, U256, uint};

const BINARY_PLACES: usize = 64;
/// Beyond 37 standard deviations the tail is zero.
const TAIL_END: U256 = uint!(37_000_000_000_000_000_000_U256);
/// 7.07…: from here on the continued fraction, in 64 binary places.
const TAIL_START: U256 = uint!(130438178253327725388_U256);
/// 5^18: what remains of 10^18 when the powers of two are shifted out.
const FIVE_TO_18: U256 = uint!(3814697265625_U256);
/// √(2π) in 64 binary places.
const SQRT_TWO_PI: U256 = uint!(46239130270042206915_U256);
/// 13/20 in 64 binary places: where the continued fraction is cut off.
const FRACTION_END: U256 = uint!(11990383647911208550_U256);

/// Coefficients in 64 binary places, highest power first.
const NUMERATOR: [u128; 7] = [
    650_478_250_178_244_362,
    12_919_787_143_353_136_591,
    117_578_849_504_046_139_487,
    625_581_961_353_917_287_603,
    2_067_498_006_223_917_203_771,
    4_080_670_594_171_652_639_712,
    4_062_099_735_652_764_000_328,
];
const DENOMINATOR: [u128; 8] = [
    1_630_477_228_166_597_028,
    32_386_342_837_845_824_709,
    296_331_772_558_254_578_451,
    1_600_821_957_476_871_612_085,
    5_470_644_798_650_576_484_341,
    11_756_730_424_506_726_822_413,
    14_643_514_515_380_871_948_050,
    8_124_199_471_305_528_000_657,
];

/// Probability, in 18 decimals, that a standard normal variable is at most `x` (`FixedPointMathLib.stdNormalCDF`).
/// The least signed word reverts with panic 0x11; nothing else does.
pub fn cdf(x: I256) -> Result<U256, Revert> {
    let magnitude = abs(x)?;
    let tail = if magnitude > TAIL_END { U256::ZERO } else { tail(magnitude)? };
    // No operation below can wrap: the tail is at most one half.
    Ok(if x.is_positive() { UNIT.wrapping_sub(tail) } else { tail })
}

/// Probability beyond `magnitude`, which is at most 37.
fn tail(magnitude: U256) -> Result<U256, Revert> {
    let half_square = ((magnitude >> 1_usize).wrapping_mul(magnitude)).wrapping_div(UNIT);
    let density = to_binary(exp(I256::from_raw(half_square).wrapping_neg())?);
    let z = to_binary(magnitude);
    let tail = if z < TAIL_START {
        let numerator = horner(z, &NUMERATOR);
        numerator.wrapping_mul(density).wrapping_div(horner(z, &DENOMINATOR))
    } else {
        let fraction = (1..=4_u8)
            .rev()
            .fold(FRACTION_END, |rest, n| (U256::from(n) << (2 * BINARY_PLACES)).wrapping_div(z.wrapping_add(rest)));
        let divisor = fraction.wrapping_add(z).wrapping_mul(SQRT_TWO_PI) >> BINARY_PLACES;
        (density << BINARY_PLACES).wrapping_div(divisor)
    };
    Ok(tail.wrapping_mul(FIVE_TO_18) >> 46_usize)
}

/// From 18 decimals to 64 binary places, rounded down.
fn to_binary(decimal: U256) -> U256 {
    (decimal << 46_usize).wrapping_div(FIVE_TO_18)
}

fn horner(z: U256, coefficients: &[u128]) -> U256 {
    coefficients.iter().fold(U256::ZERO, |sum, c| (sum.wrapping_mul(z) >> BINARY_PLACES).wrapping_add(U256::from(*c)))
}
