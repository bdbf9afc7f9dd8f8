//! Option prices and the call's delta as the contracts compute them (Black 1976 on the forward, 18-decimal integers).

use super::fixed::{SIGNED_UNIT, UNIT, ln, sqrt};
use super::normal::cdf;
use super::revert::Revert;
use alloy_primitives::{I256, U256, uint};

/// 365 days.
const SECONDS_PER_YEAR: U256 = uint!(31_536_000_U256);
/// From this total volatility (24.0) on, the undiscounted call is worth the forward.
const TOTAL_VOL_CAP: U256 = uint!(24_000_000_000_000_000_000_U256);

/// What the price depends on; the widths are the contract's, and with them nothing below can overflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Black76 {
    /// Time to expiry in seconds.
    pub expires_in_s: u64,
    /// Discount factor in 18 decimals; the vault contracts always pass 1.0.
    pub discount: u64,
    /// Volatility per year in 18 decimals.
    pub vol: u128,
    /// Forward in 18 decimals.
    pub forward: u128,
    /// Strike in 18 decimals.
    pub strike: u128,
}

/// Prices of both options and the call's delta, in 18 decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Priced {
    /// Call price, at most the discounted forward.
    pub call: U256,
    /// Put price, at most the discounted strike.
    pub put: U256,
    /// Discounted forward delta of the call.
    pub call_delta: U256,
}

impl Black76 {
    /// `Black76.pricesAndDelta`. No input reverts; the error type is that of the functions beneath.
    pub fn priced(&self) -> Result<Priced, Revert> {
        let discount = U256::from(self.discount);
        let forward = U256::from(self.forward);
        let strike = U256::from(self.strike);
        let root_years = sqrt(self.years())?;
        let total_vol = scaled(U256::from(self.vol), root_years);
        let forward_now = scaled(forward, discount);
        if strike.is_zero() {
            return Ok(Priced { call: forward_now, put: U256::ZERO, call_delta: discount });
        }
        let strike_now = scaled(strike, discount);
        if forward.is_zero() {
            return Ok(Priced { call: U256::ZERO, put: strike_now, call_delta: U256::ZERO });
        }
        let moneyness = strike.wrapping_mul(UNIT).wrapping_div(forward);
        let (call, delta) = unit_call(moneyness, total_vol)?;
        let put = call.wrapping_add(moneyness).saturating_sub(UNIT);
        Ok(Priced {
            call: scaled(call, forward_now).min(forward_now),
            put: scaled(put, forward_now).min(strike_now),
            call_delta: scaled(delta, discount),
        })
    }

    /// Time to expiry as an 18-decimal fraction of 365 days.
    fn years(&self) -> U256 {
        U256::from(self.expires_in_s).wrapping_mul(UNIT).wrapping_div(SECONDS_PER_YEAR)
    }
}

/// `a · b / 1e18` where the product of the two widths fits a word.
fn scaled(a: U256, b: U256) -> U256 {
    a.wrapping_mul(b).wrapping_div(UNIT)
}

/// Call on a forward of 1.0 without discount, and its delta. `moneyness` is strike over forward.
fn unit_call(moneyness: U256, total_vol: U256) -> Result<(U256, U256), Revert> {
    if total_vol >= TOTAL_VOL_CAP {
        return Ok((UNIT, UNIT));
    }
    // One unit stands for zero in both: the division and the logarithm need it.
    let total_vol = total_vol.max(U256::ONE);
    let moneyness = moneyness.max(U256::ONE);
    let log_moneyness = ln(I256::from_raw(moneyness))?;
    // The contract halves before it squares, and so loses the last bit of an odd volatility.
    let half_variance = I256::from_raw(scaled(total_vol >> 1_usize, total_vol));
    let vol = I256::from_raw(total_vol);
    let d1 = half_variance.wrapping_sub(log_moneyness).wrapping_mul(SIGNED_UNIT).wrapping_div(vol);
    let delta = cdf(d1)?;
    let strike_leg = scaled(moneyness, cdf(d1.wrapping_sub(vol))?);
    Ok((delta.saturating_sub(strike_leg), delta))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEEK_S: u64 = 604_800;

    fn wad(decimal: &str) -> u128 {
        let (whole, fraction) = decimal.split_once('.').unwrap_or((decimal, ""));
        format!("{whole}{fraction:0<18}").parse().expect("a literal")
    }

    fn at(expires_in_s: u64, vol: &str, forward: &str, strike: &str) -> Priced {
        let input = Black76 {
            expires_in_s,
            discount: 1_000_000_000_000_000_000,
            vol: wad(vol),
            forward: wad(forward),
            strike: wad(strike),
        };
        input.priced().expect("no revert")
    }

    /// 163 hours.
    const AUCTION_S: u64 = 586_800;
    /// .55 as binary floating point gives it; the vectors were computed with it.
    const ABOUT_55: &str = ".550000000000000064";

    #[test]
    fn reference_vectors_are_exact() {
        // time to expiry, volatility, forward, strike; call, put, delta (zero where the vector gives none)
        let cases: [(u64, &str, &str, &str, u128, u128, u128); 9] = [
            (WEEK_S, ".6", "3000", "3500", 3338707777076454000, 503338707777076452000, 34865179553899041),
            (WEEK_S, ABOUT_55, "3500", "3400", 162302388310450332000, 0, 662268936313489586),
            (WEEK_S, ABOUT_55, "3500", "3600", 65133908508514856500, 0, 370029694893069021),
            (WEEK_S, ".5", "60000", "56000", 0, 336575151534887340000, 0),
            (WEEK_S, ".5", "60000", "54000", 0, 109886566490497860000, 0),
            (WEEK_S, ".7", "2600", "3000", 8368122500874773000, 0, 76686534206902016),
            (WEEK_S, ".7", "2600", "3100", 3784889479535600800, 0, 0),
            (WEEK_S, ".2", "100", "105", 44600511382008100, 0, 0),
            (AUCTION_S, ".48", "3000", "3500", 661521092220891000, 0, 10128172003477776),
        ];
        for (expires_in_s, vol, forward, strike, call, put, delta) in cases {
            let priced = at(expires_in_s, vol, forward, strike);
            for (name, expected, got) in
                [("call", call, priced.call), ("put", put, priced.put), ("delta", delta, priced.call_delta)]
            {
                assert!(expected == 0 || got == U256::from(expected), "{name} {vol} {forward} {strike}: {got}");
            }
        }
    }

    #[test]
    fn both_legs_of_a_spread_at_one_volatility() {
        let put = |vol, strike| at(AUCTION_S, vol, "60000", strike).put;
        let cents = |amount: U256| (amount + U256::from(5 * 10_u64.pow(15))) / U256::from(10_u64.pow(16));
        assert_eq!(cents(put(".55", "56000") - put(".55", "54000")), U256::from(26_609));
        assert_eq!(cents(put(".52", "56000") - put(".52", "54000")), U256::from(23_836));
        assert_eq!(cents(put(".52", "56000") - put(".55", "54000")), U256::from(20_561));
    }

    #[test]
    fn edges_follow_the_contract() {
        let one = 1_000_000_000_000_000_000_u64;
        let year = 31_536_000;
        // expires in, discount, volatility, forward, strike; call, put, delta
        let huge = u128::MAX;
        let f = wad("1000");
        let k = wad("700");
        let d = 980_198_673_306_755_300;
        let fd = (U256::from(f) * U256::from(d)) / UNIT;
        let kd = (U256::from(k) * U256::from(d)) / UNIT;
        let cases = [
            (year, d, wad("25"), f, k, fd, kd, U256::from(d)),
            (year, one, wad("4"), 1, huge, U256::ZERO, U256::from(huge), U256::ZERO),
            (year, one, wad("4"), huge, 1, U256::from(huge), U256::ZERO, UNIT),
            (year, d, wad("4"), f, 0, fd, U256::ZERO, U256::from(d)),
            (year, d, wad("4"), 0, k, U256::ZERO, kd, U256::ZERO),
            (0, one, wad("1"), f, k, U256::from(f - k), U256::ZERO, UNIT),
            (0, one, 0, k, f, U256::ZERO, U256::from(f - k), U256::ZERO),
        ];
        for (expires_in_s, discount, vol, forward, strike, call, put, call_delta) in cases {
            let priced = Black76 { expires_in_s, discount, vol, forward, strike }.priced().expect("no revert");
            let near = |a: U256, b: U256| a.abs_diff(b) <= U256::from(1_000_000_u64);
            assert!(near(priced.call, call) && near(priced.put, put), "{forward} {strike} {priced:?}");
            assert!(near(priced.call_delta, call_delta), "{forward} {strike} {priced:?}");
        }
    }

    #[test]
    fn the_contracts_own_benchmarks_hold_within_its_tolerance() {
        let near = |a: U256, b: u128| a.abs_diff(U256::from(b)) <= U256::from(1_000_000_u64);
        let money = at(WEEK_S, "1", "1500", "1500");
        assert!(near(money.call, 82_805_080_668_634_559_515) && near(money.put, 82_805_080_668_634_559_515));
        assert!(near(money.call_delta, 527_601_693_556_211_600));
        let discounted = |days: u64, vol: &str, strike: &str, discount: u64| {
            let forward = wad("1000");
            Black76 { expires_in_s: days * 86_400, discount, vol: wad(vol), forward, strike: wad(strike) }.priced()
        };
        let out = discounted(30, ".25", "1200", 999_178_419_873_700_600).expect("no revert");
        assert!(near(out.call, 137_082_128_426_579_297) && near(out.put, 199_972_766_103_166_719_631));
        let deep = discounted(2, ".75", "700", 999_890_416_963_563_700).expect("no revert");
        assert!(near(deep.call, 299_967_125_089_526_177_817) && near(deep.put, 457_084_680));
        let long = discounted(365, "5", "700", 980_198_673_306_755_300).expect("no revert");
        assert!(near(long.call, 970_034_553_583_819_047_162) && near(long.put, 675_974_951_591_792_546_424));
    }

    proptest::proptest! {
        #[test]
        fn never_reverts_and_stays_inside_its_bounds(
            (expires_in_s, discount) in (0_u64.., 0_u64..=1_000_000_000_000_000_000),
            (vol, forward, strike) in (0_u128.., 0_u128.., 0_u128..),
            (narrow_vol, narrow_forward, narrow_strike) in (0_u32..128, 0_u32..128, 0_u32..128),
        ) {
            let (vol, forward, strike) = (vol >> narrow_vol, forward >> narrow_forward, strike >> narrow_strike);
            let priced = Black76 { expires_in_s, discount, vol, forward, strike }.priced().expect("no revert");
            let now = |x: u128| (U256::from(x) * U256::from(discount)) / UNIT;
            proptest::prop_assert!(priced.call <= now(forward) && priced.put <= now(strike));
            proptest::prop_assert!(priced.call_delta <= U256::from(discount));
        }
    }
}
