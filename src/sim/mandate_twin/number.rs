//! Whole numbers without bounds, and the few places where the contracts' words have them.

use alloy_primitives::{I256, U256};
use num_bigint::{BigInt, Sign};

/// An answer, or the name of the revert.
pub type Said<T> = Result<T, &'static str>;

/// Checked arithmetic left the word.
pub const OVERFLOW: &str = "Panic(0x11)";
/// Division by zero.
pub const BY_ZERO: &str = "Panic(0x12)";
/// A cast that loses something.
pub const CAST: &str = "SafeCast";

/// A whole number.
pub fn n(value: i128) -> BigInt {
    BigInt::from(value)
}

/// A whole number written out.
pub fn digits(text: &str) -> BigInt {
    text.parse().expect("digits")
}

/// Ten to the eighteenth.
pub fn wad() -> BigInt {
    n(1_000_000_000_000_000_000)
}

/// An unsigned word as a number.
pub fn of(word: U256) -> BigInt {
    BigInt::from_bytes_le(Sign::Plus, &word.to_le_bytes::<32>())
}

/// A signed word as a number.
pub fn signed(word: I256) -> BigInt {
    BigInt::from_signed_bytes_le(&word.into_raw().to_le_bytes::<32>())
}

fn two_to(power: u32) -> BigInt {
    n(1) << power
}

/// The number, if an unsigned word of that many bits holds it.
fn fits(x: BigInt, bits: u32, or: &'static str) -> Said<BigInt> {
    if x.sign() != Sign::Minus && x < two_to(bits) { Ok(x) } else { Err(or) }
}

/// Result of checked unsigned arithmetic.
pub fn u(x: BigInt) -> Said<BigInt> {
    fits(x, 256, OVERFLOW)
}

/// Result of checked signed arithmetic.
pub fn i(x: BigInt) -> Said<BigInt> {
    if x >= -two_to(255) && x < two_to(255) { Ok(x) } else { Err(OVERFLOW) }
}

/// `int256(x)` without a check: the upper half of the words are negative.
pub fn as_signed(x: BigInt) -> BigInt {
    if x < two_to(255) { x } else { x - two_to(256) }
}

/// `uint256(x)` without a check.
pub fn as_unsigned(x: BigInt) -> BigInt {
    if x.sign() == Sign::Minus { x + two_to(256) } else { x }
}

/// `SafeCast.toUint256`.
pub fn cast_unsigned(x: &BigInt) -> Said<BigInt> {
    fits(x.clone(), 256, CAST)
}

/// `SafeCast.toInt256`.
pub fn cast_signed(x: &BigInt) -> Said<BigInt> {
    fits(x.clone(), 255, CAST)
}

/// `SafeCast.toUint128`.
pub fn cast_128(x: &BigInt) -> Said<BigInt> {
    fits(x.clone(), 128, CAST)
}

/// Magnitude of a signed word; the least one has none.
pub fn size(x: &BigInt) -> Said<BigInt> {
    if x.sign() == Sign::Minus { i(-x) } else { Ok(x.clone()) }
}

/// Division towards zero.
pub fn over(a: BigInt, b: &BigInt) -> Said<BigInt> {
    if b.sign() == Sign::NoSign { Err(BY_ZERO) } else { Ok(a / b) }
}

/// Unsigned product of decimals.
pub fn mul(a: &BigInt, b: &BigInt) -> Said<BigInt> {
    over(u(a * b)?, &wad())
}

/// Unsigned quotient of decimals.
pub fn div(a: &BigInt, b: &BigInt) -> Said<BigInt> {
    over(u(a * wad())?, b)
}

/// Signed product of decimals.
pub fn smul(a: &BigInt, b: &BigInt) -> Said<BigInt> {
    over(i(a * b)?, &wad())
}

/// Signed quotient of decimals.
pub fn sdiv(a: &BigInt, b: &BigInt) -> Said<BigInt> {
    i(over(i(a * wad())?, b)?)
}

/// Root of a decimal.
pub fn root(x: &BigInt) -> Said<BigInt> {
    Ok(u(x * wad())?.sqrt())
}

/// A polynomial by Horner's rule, every product brought back by that many binary places, rounded down.
fn polynomial(x: &BigInt, places: u32, coefficients: &[&str]) -> BigInt {
    let mut sum = n(0);
    for text in coefficients {
        sum = ((sum * x) >> places) + digits(text);
    }
    sum
}

const ONE_96: &str = "79228162514264337593543950336";

/// e^x in decimals, with the contracts' last digit.
pub fn exp(x: &BigInt) -> Said<BigInt> {
    if *x <= digits("-42139678854452767551") {
        return Ok(n(0));
    }
    if *x >= digits("135305999368893231589") {
        return Err("ExpOverflow");
    }
    let x = (x << 78) / n(3_814_697_265_625);
    let ln_two = digits("54916777467707473351141471128");
    let doublings: BigInt = (((&x << 96) / &ln_two) + two_to(95)) >> 96;
    let x = x - &doublings * ln_two;
    let top = polynomial(
        &x,
        96,
        &[
            ONE_96,
            "2772001395605857295435445496992",
            "44335888930127919016834873520032",
            "398888492587501845352592340339721",
            "1993839819670624470859228494792842",
        ],
    );
    let top = top * &x + (digits("4385272521454847904632057985693276") << 96);
    let z = polynomial(&x, 96, &[ONE_96, "750530180792738023273180420736", "32788456221302202726307501949080"]);
    let w: BigInt = ((&x - digits("2218138959503481824038194425854")) * &z) >> 96;
    let w = w + digits("892943633302991980437332862907700");
    let q: BigInt = &z + &w - digits("78174809823045304726920794422040");
    let bottom: BigInt = ((q * w) >> 96) + digits("4203224763890128580604056984195872");
    let scaled = (top / bottom) * digits("3822833074963236453042738258902158003155416615667");
    let shift: BigInt = n(195) - doublings;
    let shift = u32::try_from(&shift).expect("between 0 and 256");
    Ok(scaled >> shift)
}

/// ln x in decimals, with the contracts' last digit.
pub fn ln(x: &BigInt) -> Said<BigInt> {
    match x.sign() {
        Sign::Minus => return Err("LnNegativeUndefined"),
        Sign::NoSign => return Err("Overflow"),
        Sign::Plus => {}
    }
    let top_bit = x.bits() as i64 - 1;
    let mantissa: BigInt = (x << 96) >> top_bit;
    let numerator = polynomial(
        &mantissa,
        96,
        &[
            ONE_96,
            "3273285459638523848632254066296",
            "24828157081833163892658089445524",
            "43456485725739037958740375743393",
            "-11111509109440967052023855526967",
            "-45023709667254063763336534515857",
            "-14706773417378608786704636184526",
        ],
    );
    let numerator = numerator * &mantissa - (digits("795164235651350426258249787498") << 96);
    let denominator = polynomial(
        &mantissa,
        96,
        &[
            ONE_96,
            "5573035233440673466300451813936",
            "71694874799317883764090561454958",
            "283447036172924575727196451306956",
            "401686690394027663651624208769553",
            "204048457590392012362485061816622",
            "31853899698501571402653359427138",
            "909429971244387300277376558375",
        ],
    );
    let sum = (numerator / denominator) * digits("1677202110996718588342820967067443963516166")
        + digits("16597577552685614221487285958193947469193820559219878177908093499208371") * (top_bit - 96)
        + digits("600920179829731861736702779321621459595472258049074101567377883020018308");
    Ok(sum >> 174)
}

/// Probability below x, in decimals, with the contracts' last digit.
pub fn normal(x: &BigInt) -> Said<BigInt> {
    let z = size(x)?;
    let tail = if z > wad() * 37 { n(0) } else { tail(&z)? };
    Ok(if x.sign() == Sign::Plus { wad() - tail } else { tail })
}

fn tail(z: &BigInt) -> Said<BigInt> {
    let five_to_18 = n(3_814_697_265_625);
    let half_square: BigInt = (z >> 1) * z / wad();
    let density: BigInt = (exp(&-half_square)? << 46) / &five_to_18;
    let z: BigInt = (z << 46) / &five_to_18;
    let beyond: BigInt = if z < digits("130438178253327725388") {
        let top = polynomial(
            &z,
            64,
            &[
                "650478250178244362",
                "12919787143353136591",
                "117578849504046139487",
                "625581961353917287603",
                "2067498006223917203771",
                "4080670594171652639712",
                "4062099735652764000328",
            ],
        );
        let bottom = polynomial(
            &z,
            64,
            &[
                "1630477228166597028",
                "32386342837845824709",
                "296331772558254578451",
                "1600821957476871612085",
                "5470644798650576484341",
                "11756730424506726822413",
                "14643514515380871948050",
                "8124199471305528000657",
            ],
        );
        top * density / bottom
    } else {
        let mut rest = digits("11990383647911208550");
        for level in [4_u8, 3, 2, 1] {
            rest = (BigInt::from(level) << 128) / (&z + rest);
        }
        let divisor: BigInt = ((rest + &z) * digits("46239130270042206915")) >> 64;
        (density << 64) / divisor
    };
    Ok((beyond * five_to_18) >> 46)
}
