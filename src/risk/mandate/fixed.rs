//! Arithmetic in 18 decimals as the contracts do it: truncating, checked at 256 bits, with their root, logarithm and exponential.
//!
//! The logarithm and the exponential are the rational approximations of `FixedPointMathLib` (range reduction by powers
//! of two in 96 binary places); their last digit is theirs, not the true one, so that a verdict never differs by it.

use super::revert::Revert;
use alloy_primitives::{I256, U256, uint};

/// 1.0, unsigned.
pub const UNIT: U256 = uint!(1_000_000_000_000_000_000_U256);
/// 1.0, signed.
pub const SIGNED_UNIT: I256 = I256::from_raw(UNIT);

/// `a + b`, or panic 0x11.
pub fn add(a: U256, b: U256) -> Result<U256, Revert> {
    a.checked_add(b).ok_or(Revert::ArithmeticOverflow)
}

/// `a − b`, or panic 0x11 below zero.
pub fn sub(a: U256, b: U256) -> Result<U256, Revert> {
    a.checked_sub(b).ok_or(Revert::ArithmeticOverflow)
}

/// `a · b / 1e18` rounded down; `DecimalMath.multiplyDecimal`.
pub fn mul_d(a: U256, b: U256) -> Result<U256, Revert> {
    Ok(a.checked_mul(b).ok_or(Revert::ArithmeticOverflow)?.wrapping_div(UNIT))
}

/// `a · 1e18 / b` rounded down; `DecimalMath.divideDecimal`. The overflow shows before the division by zero.
pub fn div_d(a: U256, b: U256) -> Result<U256, Revert> {
    a.checked_mul(UNIT).ok_or(Revert::ArithmeticOverflow)?.checked_div(b).ok_or(Revert::DivisionByZero)
}

/// `a + b`, or panic 0x11.
pub fn add_signed(a: I256, b: I256) -> Result<I256, Revert> {
    a.checked_add(b).ok_or(Revert::ArithmeticOverflow)
}

/// `a − b`, or panic 0x11.
pub fn sub_signed(a: I256, b: I256) -> Result<I256, Revert> {
    a.checked_sub(b).ok_or(Revert::ArithmeticOverflow)
}

/// `a · b` without rescaling, or panic 0x11.
pub fn mul_signed(a: I256, b: I256) -> Result<I256, Revert> {
    a.checked_mul(b).ok_or(Revert::ArithmeticOverflow)
}

/// `a / b` towards zero without rescaling; panic 0x12 by zero, 0x11 for the one quotient that does not fit.
pub fn div_signed(a: I256, b: I256) -> Result<I256, Revert> {
    if b.is_zero() {
        return Err(Revert::DivisionByZero);
    }
    a.checked_div(b).ok_or(Revert::ArithmeticOverflow)
}

/// `a · b / 1e18` towards zero; `SignedDecimalMath.multiplyDecimal`.
pub fn mul_d_signed(a: I256, b: I256) -> Result<I256, Revert> {
    div_signed(mul_signed(a, b)?, SIGNED_UNIT)
}

/// `a · 1e18 / b` towards zero; `SignedDecimalMath.divideDecimal`.
pub fn div_d_signed(a: I256, b: I256) -> Result<I256, Revert> {
    div_signed(mul_signed(a, SIGNED_UNIT)?, b)
}

/// `−a`, or panic 0x11 for the least value.
pub fn neg(a: I256) -> Result<I256, Revert> {
    a.checked_neg().ok_or(Revert::ArithmeticOverflow)
}

/// Magnitude; panic 0x11 for the least value, which the contracts negate before they cast.
pub fn abs(a: I256) -> Result<U256, Revert> {
    if a.is_negative() { neg(a).map(I256::into_raw) } else { Ok(a.into_raw()) }
}

/// `SafeCast.toInt256`.
pub fn to_signed(a: U256) -> Result<I256, Revert> {
    let signed = I256::from_raw(a);
    if signed.is_negative() { Err(Revert::SafeCast) } else { Ok(signed) }
}

/// `SafeCast.toUint256`.
pub fn to_unsigned(a: I256) -> Result<U256, Revert> {
    if a.is_negative() { Err(Revert::SafeCast) } else { Ok(a.into_raw()) }
}

/// `SafeCast.toUint128`.
pub fn to_u128(a: U256) -> Result<u128, Revert> {
    u128::try_from(a).map_err(|_| Revert::SafeCast)
}

/// Square root of an integer, rounded down. The contracts' seven Newton steps from a power of two reach the same
/// number for every 256-bit argument.
pub fn isqrt(x: U256) -> U256 {
    if x.is_zero() {
        return x;
    }
    // Starts at or above the root, so the sequence falls until it stands on the floor.
    let mut root = U256::ONE << x.bit_len().div_ceil(2);
    loop {
        let next = (root + x.wrapping_div(root)) >> 1_usize;
        if next >= root {
            return root;
        }
        root = next;
    }
}

/// Square root of an 18-decimal number; panic 0x11 when `x · 1e18` does not fit.
pub fn sqrt(x: U256) -> Result<U256, Revert> {
    x.checked_mul(UNIT).map(isqrt).ok_or(Revert::ArithmeticOverflow)
}

const BINARY_PLACES: usize = 96;

const fn int(value: i128) -> I256 {
    let magnitude = value.unsigned_abs();
    let raw = U256::from_limbs([magnitude as u64, (magnitude >> 64) as u64, 0, 0]);
    if value < 0 { I256::from_raw(U256::ZERO.wrapping_sub(raw)) } else { I256::from_raw(raw) }
}

/// `a · b` in 96 binary places, rounded down as the machine's arithmetic shift does.
fn mul_binary(a: I256, b: I256) -> I256 {
    a.wrapping_mul(b).asr(BINARY_PLACES)
}

/// Polynomial in `x` whose highest coefficient is one; the others from the second highest down to the constant.
fn monic(x: I256, coefficients: &[i128]) -> I256 {
    match coefficients.split_first() {
        None => x,
        Some((second, rest)) => {
            rest.iter().fold(x.wrapping_add(int(*second)), |sum, c| mul_binary(sum, x).wrapping_add(int(*c)))
        }
    }
}

const LN_NUMERATOR: [i128; 6] = [
    3_273_285_459_638_523_848_632_254_066_296,
    24_828_157_081_833_163_892_658_089_445_524,
    43_456_485_725_739_037_958_740_375_743_393,
    -11_111_509_109_440_967_052_023_855_526_967,
    -45_023_709_667_254_063_763_336_534_515_857,
    -14_706_773_417_378_608_786_704_636_184_526,
];
const LN_NUMERATOR_CONSTANT: i128 = -795_164_235_651_350_426_258_249_787_498;
const LN_DENOMINATOR: [i128; 7] = [
    5_573_035_233_440_673_466_300_451_813_936,
    71_694_874_799_317_883_764_090_561_454_958,
    283_447_036_172_924_575_727_196_451_306_956,
    401_686_690_394_027_663_651_624_208_769_553,
    204_048_457_590_392_012_362_485_061_816_622,
    31_853_899_698_501_571_402_653_359_427_138,
    909_429_971_244_387_300_277_376_558_375,
];
/// The approximation's leading coefficient, in 5^18 · 2^192 units over 2^96.
const LN_SCALE: U256 = uint!(1677202110996718588342820967067443963516166_U256);
/// ln 2 in 5^18 · 2^192 units.
const LN_TWO: U256 = uint!(16597577552685614221487285958193947469193820559219878177908093499208371_U256);
/// ln(2^96 / 10^18) in the same units: the argument is read as if it had 96 binary places.
const LN_BASE: U256 = uint!(600920179829731861736702779321621459595472258049074101567377883020018308_U256);

/// Natural logarithm of an 18-decimal number (`FixedPointMathLib.ln`).
pub fn ln(x: I256) -> Result<I256, Revert> {
    if x.is_negative() {
        return Err(Revert::LnNegativeUndefined);
    }
    if x.is_zero() {
        return Err(Revert::LnZero);
    }
    let raw = x.into_raw();
    let top_bit = raw.bit_len() - 1;
    // The mantissa in [1, 2) with 96 binary places.
    let mantissa = I256::from_raw((raw << (255 - top_bit)) >> (255 - BINARY_PLACES));
    let exponent = I256::from_raw(U256::from(top_bit)).wrapping_sub(int(BINARY_PLACES as i128));
    // The last numerator step keeps its 96 extra places: the division takes them off.
    let numerator = monic(mantissa, &LN_NUMERATOR)
        .wrapping_mul(mantissa)
        .wrapping_add(int(LN_NUMERATOR_CONSTANT).wrapping_mul(I256::from_raw(U256::ONE << BINARY_PLACES)));
    let ratio = numerator.wrapping_div(monic(mantissa, &LN_DENOMINATOR));
    let sum = ratio
        .wrapping_mul(I256::from_raw(LN_SCALE))
        .wrapping_add(I256::from_raw(LN_TWO).wrapping_mul(exponent))
        .wrapping_add(I256::from_raw(LN_BASE));
    Ok(sum.asr(174))
}

/// At and below this the exponential is zero: the result would be under half a unit.
const EXP_ZERO_AT: I256 = int(-42_139_678_854_452_767_551);
/// At and above this the result would not fit a signed word.
const EXP_OVERFLOW_AT: I256 = int(135_305_999_368_893_231_589);
/// ln 2 in 96 binary places.
const LN_TWO_BINARY: I256 = int(54_916_777_467_707_473_351_141_471_128);
const EXP_NUMERATOR: [i128; 4] = [
    2_772_001_395_605_857_295_435_445_496_992,
    44_335_888_930_127_919_016_834_873_520_032,
    398_888_492_587_501_845_352_592_340_339_721,
    1_993_839_819_670_624_470_859_228_494_792_842,
];
const EXP_NUMERATOR_CONSTANT: i128 = 4_385_272_521_454_847_904_632_057_985_693_276;
const EXP_SCALE: U256 = uint!(3822833074963236453042738258902158003155416615667_U256);

/// Exponential of an 18-decimal number (`FixedPointMathLib.exp`).
pub fn exp(x: I256) -> Result<U256, Revert> {
    if x <= EXP_ZERO_AT {
        return Ok(U256::ZERO);
    }
    if x >= EXP_OVERFLOW_AT {
        return Err(Revert::ExpOverflow);
    }
    let binary = x.wrapping_mul(int(1 << 78)).wrapping_div(int(5_i128.pow(18)));
    let half = int(1 << (BINARY_PLACES - 1));
    let doublings = binary.wrapping_mul(int(1 << BINARY_PLACES)).wrapping_div(LN_TWO_BINARY).wrapping_add(half);
    let doublings = doublings.asr(BINARY_PLACES);
    let rest = binary.wrapping_sub(doublings.wrapping_mul(LN_TWO_BINARY));
    // The last numerator step keeps its 96 extra places: the division takes them off.
    let numerator = monic(rest, &EXP_NUMERATOR)
        .wrapping_mul(rest)
        .wrapping_add(int(EXP_NUMERATOR_CONSTANT).wrapping_mul(int(1 << BINARY_PLACES)));
    let ratio = numerator.wrapping_div(exp_denominator(rest)).into_raw();
    // Between −61 and 195, so the shift is between 0 and 256.
    let shift = int(195).wrapping_sub(doublings).into_raw().saturating_to::<usize>();
    Ok(ratio.wrapping_mul(EXP_SCALE) >> shift)
}

/// The sixth-degree denominator, by the scheme that spares two multiplications.
fn exp_denominator(x: I256) -> I256 {
    let z = monic(x, &[750_530_180_792_738_023_273_180_420_736, 32_788_456_221_302_202_726_307_501_949_080]);
    let w = mul_binary(x.wrapping_sub(int(2_218_138_959_503_481_824_038_194_425_854)), z)
        .wrapping_add(int(892_943_633_302_991_980_437_332_862_907_700));
    let q = z.wrapping_add(w).wrapping_sub(int(78_174_809_823_045_304_726_920_794_422_040));
    mul_binary(q, w).wrapping_add(int(4_203_224_763_890_128_580_604_056_984_195_872))
}
