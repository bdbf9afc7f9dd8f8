//! A slow twin of the transcendental functions: power series in 256 binary places, to hold the approximations against.

use super::fixed::{exp, isqrt, ln, sqrt};
use super::normal::cdf;
use super::revert::Revert;
use alloy_primitives::{I256, U256, Uint};
use proptest::prelude::*;

/// Wide enough for the square of e^135 with 256 binary places.
type Wide = Uint<1024, 16>;

const PLACES: usize = 256;

fn one() -> Wide {
    Wide::ONE << PLACES
}

fn unit() -> Wide {
    Wide::from(1_000_000_000_000_000_000_u64)
}

fn wide(decimal: U256) -> Wide {
    (Wide::from(decimal) << PLACES) / unit()
}

/// Back to 18 decimals, to the nearest unit.
fn decimal(x: Wide) -> U256 {
    U256::from((x * unit() + (one() >> 1_usize)) >> PLACES)
}

fn times(a: Wide, b: Wide) -> Wide {
    (a * b) >> PLACES
}

/// e^x by Taylor's series at x/2^16, squared sixteen times.
fn exp_series(x: Wide) -> Wide {
    let small = x >> 16_usize;
    let (mut sum, mut term) = (one(), one());
    for n in 1_u64.. {
        term = times(term, small) / Wide::from(n);
        if term.is_zero() {
            break;
        }
        sum += term;
    }
    (0..16).fold(sum, |power, _| times(power, power))
}

/// 2·artanh(y) = ln((1 + y)/(1 − y)) by its series.
fn twice_artanh(y: Wide) -> Wide {
    let square = times(y, y);
    let (mut sum, mut power) = (Wide::ZERO, y);
    for n in (1_u64..).step_by(2) {
        if power.is_zero() {
            break;
        }
        sum += power / Wide::from(n);
        power = times(power, square);
    }
    sum << 1_usize
}

/// |ln(x / 1e18)| and whether it is negative.
fn ln_series(x: U256) -> (Wide, bool) {
    let value = wide(x);
    let exponent = value.bit_len() as i64 - 1 - PLACES as i64;
    let mantissa = if exponent >= 0 { value >> exponent as usize } else { value << exponent.unsigned_abs() as usize };
    let log_mantissa = twice_artanh(((mantissa - one()) << PLACES) / (mantissa + one()));
    let log_two = twice_artanh(one() / Wide::from(3_u8));
    let powers = log_two * Wide::from(exponent.unsigned_abs());
    if exponent >= 0 {
        (powers + log_mantissa, false)
    } else if powers >= log_mantissa {
        (powers - log_mantissa, true)
    } else {
        (log_mantissa - powers, false)
    }
}

/// Probability above `z`: one half less the density times Σ z^(2n+1) / (1·3·5···(2n+1)).
fn tail_series(z: U256) -> Wide {
    let x = wide(z);
    let square = times(x, x);
    let (mut sum, mut term) = (Wide::ZERO, x);
    for n in (3_u64..).step_by(2) {
        if term.is_zero() {
            break;
        }
        sum += term;
        term = times(term, square) / Wide::from(n);
    }
    // 1/√(2π), with 60 decimals.
    let digits: Wide = "398942280401432677939946059934381868475858631164934657665926".parse().expect("a literal");
    let peak = (digits << PLACES) / Wide::from(10_u8).pow(Wide::from(60));
    let density = (peak << PLACES) / exp_series(square >> 1_usize);
    (one() >> 1_usize).saturating_sub(times(density, sum))
}

fn int(value: i128) -> I256 {
    I256::try_from(value).expect("it fits")
}

fn distance(a: U256, b: U256) -> u128 {
    a.abs_diff(b).saturating_to()
}

#[test]
fn contract_values_of_the_logarithm() {
    let cases = [
        ("1000000000000000000000", 6_907_755_278_982_137_052),
        ("500000000000000000", -693_147_180_559_945_310),
        ("1000000000000000000", 0),
    ];
    for (x, expected) in cases {
        assert_eq!(ln(x.parse().expect("a literal")), Ok(int(expected)), "{x}");
    }
    assert_eq!(ln(I256::ZERO), Err(Revert::LnZero));
    assert_eq!(ln(int(-1)), Err(Revert::LnNegativeUndefined));
    assert_eq!(ln(I256::MIN), Err(Revert::LnNegativeUndefined));
    assert!(ln(I256::MAX).is_ok() && ln(I256::ONE).is_ok());
}

#[test]
fn contract_values_of_the_exponential() {
    let e18 = 1_000_000_000_000_000_000;
    let cases = [
        (10 * e18, "22026465794806716516861"),
        (e18 / 2, "1648721270700128146"),
        (e18, "2718281828459045235"),
        (135 * e18, "42633899483147210448604700672351880453901444390330694182932524274901948249590"),
        (0, "999999999999999999"),
        (-e18, "367879441171442321"),
        (-35 * e18, "630"),
        (-41 * e18, "1"),
        (-43 * e18, "0"),
    ];
    for (x, expected) in cases {
        assert_eq!(exp(int(x)), Ok(expected.parse().expect("a literal")), "{x}");
    }
    let last = 135_305_999_368_893_231_589;
    assert_eq!(exp(int(last)), Err(Revert::ExpOverflow));
    assert!(exp(int(last - 1)).is_ok());
    assert_eq!(exp(I256::MIN), Ok(U256::ZERO));
    assert_eq!(exp(I256::MAX), Err(Revert::ExpOverflow));
}

#[test]
fn contract_values_of_the_root() {
    let cases = [
        ("100000000000000000000000000000000000000", "10000000000000000000000000000"),
        ("500000000000000000", "707106781186547524"),
        ("1000000000000000000", "1000000000000000000"),
        ("0", "0"),
    ];
    for (x, expected) in cases {
        assert_eq!(sqrt(x.parse().expect("a literal")), Ok(expected.parse().expect("a literal")), "{x}");
    }
    assert_eq!(sqrt(U256::MAX), Err(Revert::ArithmeticOverflow));
}

#[test]
fn contract_values_of_the_distribution() {
    let e18 = 1_000_000_000_000_000_000;
    let cases = [
        (e18, 841_344_746_068_542_957),
        (-e18, 158_655_253_931_457_043),
        (2 * e18, 977_249_868_051_820_775),
        (-2 * e18, 22_750_131_948_179_225),
        (10 * e18, e18),
        (-10 * e18, 0),
        (38 * e18, e18),
        (-38 * e18, 0),
        (0, e18 / 2 - 1),
    ];
    for (x, expected) in cases {
        assert_eq!(cdf(int(x)), Ok(int(expected).into_raw()), "{x}");
    }
    assert_eq!(cdf(I256::MIN), Err(Revert::ArithmeticOverflow));
    assert_eq!(cdf(I256::MAX), Ok(int(e18).into_raw()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_logarithm_is_within_two_units(limbs in proptest::array::uniform4(any::<u64>()), narrow in 1_usize..256) {
        let x = (U256::from_limbs(limbs) >> narrow).max(U256::ONE);
        let ours = ln(I256::from_raw(x)).expect("no revert");
        let (magnitude, negative) = ln_series(x);
        let twin = I256::from_raw(decimal(magnitude));
        let twin = if negative { -twin } else { twin };
        prop_assert!(distance(ours.into_raw().wrapping_sub(twin.into_raw()).wrapping_add(U256::from(2)), U256::ZERO) <= 4);
    }

    #[test]
    fn the_exponential_is_within_two_units_and_a_part_in_1e20(x in -42_000_000_000_000_000_000_i128..135_000_000_000_000_000_000) {
        let ours = exp(int(x)).expect("no revert");
        let power = exp_series(wide(U256::from(x.unsigned_abs())));
        let twin = decimal(if x < 0 { (one() << PLACES) / power } else { power });
        let allowed = U256::from(2) + twin / U256::from(10_u128.pow(20));
        prop_assert!(ours.abs_diff(twin) <= allowed, "{ours} {twin}");
    }

    #[test]
    fn the_root_is_the_floor(limbs in proptest::array::uniform4(any::<u64>()), narrow in 0_usize..256) {
        let x = U256::from_limbs(limbs) >> narrow;
        let root = Wide::from(isqrt(x));
        let next = root + Wide::ONE;
        prop_assert!(root * root <= Wide::from(x) && Wide::from(x) < next * next);
        // Squares and their neighbours are where a root goes wrong.
        let square = isqrt(x) * isqrt(x);
        prop_assert_eq!(isqrt(square), isqrt(x));
        if !square.is_zero() {
            prop_assert_eq!(isqrt(square - U256::ONE), isqrt(x) - U256::ONE);
        }
    }

    #[test]
    fn the_distribution_is_within_a_hundred_units(x in 0_u128..12_000_000_000_000_000_000) {
        let tail = decimal(tail_series(U256::from(x)));
        let z = int(x as i128);
        let below = cdf(-z).expect("no revert");
        prop_assert!(distance(below, tail) <= 100, "{below} {tail}");
        if x > 0 {
            prop_assert_eq!(below + cdf(z).expect("no revert"), U256::from(1_000_000_000_000_000_000_u64));
        }
    }
}
