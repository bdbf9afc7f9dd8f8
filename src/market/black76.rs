//! Black-76 value of a European option on a forward, its greeks, and the volatility a price implies.
//!
//! Inside, an option is its intrinsic value plus the price of the out-of-the-money side: no tail is lost to
//! cancellation and put and call agree exactly. Only `+ − × ÷ √` and `libm` are used, so every host gets equal bits.

use std::f64::consts::{FRAC_1_SQRT_2, TAU};

use crate::base::ids::Right;
use crate::base::num::{E9, E18, Price, Ratio, Rounding, WIRE_MAX, div_round};

/// Seconds of the venue's year (365 days).
pub const YEAR_SECONDS: i64 = 31_536_000;

/// Largest `vol · √tau` searched for; at this point a call is worth its forward (as in the venue's contract).
const TOTAL_DEVIATION_MAX: f64 = 24.0;
/// Steps that may follow the slope before the search only halves.
const NEWTON_STEPS_MAX: u32 = 24;
/// Relative size of the step that needs no other: what it leaves is of the order of its square.
const NEWTON_LAST: f64 = 1e-9;
/// Steps of the search in all; enough to halve the widest bracket down to one unit in the last place.
const STEPS_MAX: u32 = 144;

/// Value and greeks of one option on one unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quote76 {
    /// Discounted value, quote currency.
    pub price: f64,
    /// Change of undiscounted value per unit of forward: `N(d1)` for a call, `N(d1) − 1` for a put.
    pub delta: f64,
    /// Change of `delta` per unit of forward.
    pub gamma: f64,
    /// Change of `price` per 1.00 of volatility; the venue's ticker shows a hundredth of it.
    pub vega: f64,
    /// Change of `price` per year that passes, forward and discount held; the venue's ticker shows a 365th of it.
    pub theta: f64,
}

/// Value and greeks from a forward, a strike, an annual volatility, the years left and a discount factor.
///
/// With no time left the option is its discounted intrinsic value and all greeks are zero. With time but no volatility
/// it is that value too, and delta is 1, ½ or 0 (less 1 for a put) by moneyness. `None` if a number is not finite, if
/// forward, strike or discount is not positive, if volatility is negative, or if a result leaves the range of `f64`.
pub fn black76(right: Right, forward: f64, strike: f64, vol: f64, tau_years: f64, discount: f64) -> Option<Quote76> {
    let log_moneyness = log_moneyness(forward, strike)?;
    if !(vol.is_finite() && vol >= 0.0 && tau_years.is_finite() && positive(discount)) {
        return None;
    }
    let intrinsic = intrinsic(right, forward, strike);
    if tau_years <= 0.0 {
        let quote = Quote76 { price: intrinsic * discount, delta: 0.0, gamma: 0.0, vega: 0.0, theta: 0.0 };
        return quote.price.is_finite().then_some(quote);
    }
    let root = tau_years.sqrt();
    let deviation = vol * root;
    let (d1, _) = distances(log_moneyness, deviation);
    let density = discount * forward * normal_density(d1);
    let (gamma, vega, theta) = if deviation > 0.0 {
        (normal_density(d1) / (forward * deviation), density * root, -density * vol / (2.0 * root))
    } else {
        (0.0, 0.0, 0.0)
    };
    let price = discount * (intrinsic + time_value(forward, strike, log_moneyness, deviation));
    let delta = match right {
        Right::Call => normal(d1),
        Right::Put => -normal(-d1),
    };
    [price, delta, gamma, vega, theta].iter().all(|v| v.is_finite()).then_some(Quote76 {
        price,
        delta,
        gamma,
        vega,
        theta,
    })
}

/// Annual volatility at which [`black76`] gives `price`.
///
/// `None` outside the domain of [`black76`], with no time left, and for a price at or below the discounted intrinsic
/// value or at or above its largest possible (forward for a call, strike for a put, discounted).
pub fn black76_vol(right: Right, forward: f64, strike: f64, price: f64, tau_years: f64, discount: f64) -> Option<f64> {
    if !(positive(price) && positive(tau_years) && positive(discount)) {
        return None;
    }
    let target = price / discount - intrinsic(right, forward, strike);
    let vol = total_deviation(forward, strike, target)? / tau_years.sqrt();
    vol.is_finite().then_some(vol)
}

/// Value in house types with `seconds` to expiry, rounded as told; at discount 1 put–call parity holds to the last
/// digit.
///
/// `None` where [`black76`] is, and for a value beyond [`WIRE_MAX`].
pub fn price(
    right: Right,
    forward: Price,
    strike: Price,
    vol: Ratio,
    seconds: i64,
    discount: Ratio,
    rounding: Rounding,
) -> Option<Price> {
    let (f, k) = (forward.to_f64(), strike.to_f64());
    let log_moneyness = log_moneyness(f, k)?;
    if vol.is_negative() || !discount.is_positive() {
        return None;
    }
    let extra = time_value(f, k, log_moneyness, vol.to_f64() * years(seconds).sqrt());
    let intrinsic = match right {
        Right::Call => i128::from(forward.raw()) - i128::from(strike.raw()),
        Right::Put => i128::from(strike.raw()) - i128::from(forward.raw()),
    };
    let value = intrinsic.max(0) * i128::from(E9) + (extra * E18 as f64) as i128;
    let raw = div_round(value.checked_mul(i128::from(discount.raw()))?, E18, rounding);
    narrow(raw).map(Price::from_raw)
}

/// Forward delta in house types with `seconds` to expiry, to the nearest 1e-9; zero once expired.
///
/// `None` where [`black76`] is.
pub fn delta(right: Right, forward: Price, strike: Price, vol: Ratio, seconds: i64) -> Option<Ratio> {
    let quote = black76(right, forward.to_f64(), strike.to_f64(), vol.to_f64(), years(seconds), 1.0)?;
    nearest(quote.delta)
}

/// Annual volatility implied by a price in house types with `seconds` to expiry, to the nearest 1e-9.
///
/// `None` where [`black76_vol`] is, and for a volatility beyond [`WIRE_MAX`].
pub fn implied_vol(
    right: Right,
    forward: Price,
    strike: Price,
    price: Price,
    seconds: i64,
    discount: Ratio,
) -> Option<Ratio> {
    let (f, k, p) = (forward.to_f64(), strike.to_f64(), price.to_f64());
    black76_vol(right, f, k, p, years(seconds), discount.to_f64()).and_then(nearest)
}

/// Years of that many seconds, zero if they have passed.
fn years(seconds: i64) -> f64 {
    seconds.max(0) as f64 / YEAR_SECONDS as f64
}

fn positive(value: f64) -> bool {
    value.is_finite() && value > 0.0
}

fn narrow(raw: i128) -> Option<i64> {
    i64::try_from(raw).ok().filter(|raw| raw.unsigned_abs() <= WIRE_MAX as u64 * E9 as u64)
}

fn nearest(value: f64) -> Option<Ratio> {
    // The cast saturates, so a number out of range stays out of range for the check.
    narrow((value * E9 as f64).round() as i128).map(Ratio::from_raw)
}

fn intrinsic(right: Right, forward: f64, strike: f64) -> f64 {
    match right {
        Right::Call => (forward - strike).max(0.0),
        Right::Put => (strike - forward).max(0.0),
    }
}

/// `ln(forward / strike)`; `None` unless both are positive and their ratio is an ordinary number.
fn log_moneyness(forward: f64, strike: f64) -> Option<f64> {
    let ratio = forward / strike;
    if !(positive(forward) && positive(strike) && ratio.is_normal()) {
        return None;
    }
    // Near the money the difference is exact and the ratio is not.
    let near = ratio > 0.5 && ratio < 2.0;
    Some(if near { libm::log1p((forward - strike) / strike) } else { libm::log(ratio) })
}

/// `d1` and `d2`; without deviation their limits.
fn distances(log_moneyness: f64, deviation: f64) -> (f64, f64) {
    if log_moneyness == 0.0 {
        return (deviation / 2.0, -deviation / 2.0);
    }
    let middle = log_moneyness / deviation;
    (middle + deviation / 2.0, middle - deviation / 2.0)
}

/// Cumulative normal distribution.
fn normal(x: f64) -> f64 {
    0.5 * libm::erfc(-x * FRAC_1_SQRT_2)
}

fn normal_density(x: f64) -> f64 {
    libm::exp(-0.5 * x * x) / TAU.sqrt()
}

/// Undiscounted price of whichever of put and call is out of the money: what either is worth above intrinsic.
fn time_value(forward: f64, strike: f64, log_moneyness: f64, deviation: f64) -> f64 {
    let (d1, d2) = distances(log_moneyness, deviation);
    let value = if log_moneyness <= 0.0 {
        forward * normal(d1) - strike * normal(d2)
    } else {
        strike * normal(-d2) - forward * normal(-d1)
    };
    value.clamp(0.0, forward.min(strike))
}

/// Finds `vol · √tau` at which [`time_value`] is `target`: Newton steps on its logarithm inside a shrinking bracket,
/// halving whenever a step leaves it.
fn total_deviation(forward: f64, strike: f64, target: f64) -> Option<f64> {
    let log_moneyness = log_moneyness(forward, strike)?;
    let top = time_value(forward, strike, log_moneyness, TOTAL_DEVIATION_MAX);
    if !(target > 0.0 && target < forward.min(strike) && target <= top) {
        return None;
    }
    let (mut low, mut high) = (0.0f64, TOTAL_DEVIATION_MAX);
    let at_the_money = target / (forward.sqrt() * strike.sqrt()) * TAU.sqrt();
    let mut guess = (2.0 * log_moneyness.abs()).sqrt().max(at_the_money).min(high / 2.0);
    for step in 0..STEPS_MAX {
        let value = time_value(forward, strike, log_moneyness, guess);
        if value < target {
            low = guess;
        } else {
            high = guess;
        }
        let (d1, _) = distances(log_moneyness, guess);
        let slope = forward * normal_density(d1);
        let newton = guess - libm::log(value / target) * value / slope;
        let inside = step < NEWTON_STEPS_MAX && newton > low && newton < high;
        let next = if inside { newton } else { low + (high - low) / 2.0 };
        let last = inside && (newton - guess).abs() <= NEWTON_LAST * guess;
        if last || high - low <= 2.0 * f64::EPSILON * high {
            return Some(next);
        }
        guess = next;
    }
    None
}

#[cfg(test)]
mod tests;
