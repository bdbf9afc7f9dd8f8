//! Raw SVI per expiry (Derive §5.3): total variance over log-moneyness, and the smile in force until one is set.

use crate::exchange::money::truncate;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

/// Largest total variance the protocol accepts.
const VARIANCE_MAX: f64 = 144.0;

/// The volatility surface of one expiry, in the words of the venue's vol feed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Svi {
    /// Level of total variance.
    pub a: f64,
    /// Slope of the wings.
    pub b: f64,
    /// Tilt, −1 to 1.
    pub rho: f64,
    /// Log-moneyness of the minimum without tilt.
    pub m: f64,
    /// Width of the bend.
    pub sigma: f64,
    /// Forward the log-moneyness is measured from, USD.
    pub fwd: f64,
    /// Years the total variance spans.
    pub ref_tau: f64,
}

impl Svi {
    /// At-the-money volatility, skew and wings of an invented but plausible market: 60 % for ETH, 48 % otherwise. The
    /// smile has the same shape in standard deviations at every tenor.
    pub fn typical(currency: &str, fwd: f64, years: f64) -> Svi {
        let vol = if currency == "ETH" { 0.60 } else { 0.48 };
        let root = years.max(1e-6).sqrt();
        let deviation = vol * root;
        let (b, sigma) = (0.36 * deviation, 0.96 * deviation);
        Svi { a: deviation * deviation - b * sigma, b, rho: -0.25, m: 0.0, sigma, fwd, ref_tau: years.max(1e-6) }
            .stated()
    }

    /// The same surface with every number at twelve decimals, as the feed states it; marks use these.
    pub fn stated(self) -> Svi {
        let cut = |x| to_f64(to_decimal(x));
        Svi {
            a: cut(self.a),
            b: cut(self.b),
            rho: cut(self.rho),
            m: cut(self.m),
            sigma: cut(self.sigma),
            fwd: cut(self.fwd),
            ref_tau: cut(self.ref_tau),
        }
    }

    /// True if the surface is one: finite, forward and time positive, variance nowhere negative at the bound strikes.
    pub fn is_sound(&self) -> bool {
        let all = [self.a, self.b, self.rho, self.m, self.sigma, self.fwd, self.ref_tau];
        let bounded = all.iter().all(|x| x.is_finite() && x.abs() < 1e12);
        let tilt = self.rho.abs() <= 1.0 && self.b >= 0.0 && self.sigma >= 0.0;
        let lowest = self.a + self.b * self.sigma * (1.0 - self.rho * self.rho).max(0.0).sqrt();
        bounded && tilt && self.fwd > 0.0 && self.ref_tau > 0.0 && lowest >= 0.0
    }

    /// Volatility at a strike.
    pub fn vol(&self, strike: f64) -> f64 {
        let bound = 4.0 * (self.a + self.b * self.sigma).max(0.0).sqrt();
        let k = libm::log(strike / self.fwd).clamp(-bound, bound) - self.m;
        let variance = self.a + self.b * (self.rho * k + (k * k + self.sigma * self.sigma).sqrt());
        (variance.clamp(0.0, VARIANCE_MAX) / self.ref_tau).sqrt()
    }
}

/// A finite number at twelve decimals; anything else is zero. A value that has twelve decimals keeps them.
pub fn to_decimal(x: f64) -> Decimal {
    let scaled = x * 1e12;
    if !scaled.is_finite() || scaled.abs() >= 1e27 {
        return Decimal::ZERO;
    }
    // Exact up to 2^53 units, beyond which the number itself has no finer digits.
    Decimal::try_from_i128_with_scale(scaled.round() as i128, 12).map(truncate).unwrap_or_default().normalize()
}

/// The nearest double of a value of this exchange's magnitudes.
pub fn to_f64(value: Decimal) -> f64 {
    value.to_f64().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_vector_reproduces() {
        let svi = Svi { a: 0.002, b: 0.03, rho: -0.2, m: 0.01, sigma: 0.05, fwd: 3000.0, ref_tau: 7.0 / 365.0 };
        for (strike, vol) in [(2800.0, 0.524_633), (3000.0, 0.432_640), (3200.0, 0.450_515), (3500.0, 0.545_765)] {
            assert!((svi.vol(strike) - vol).abs() < 1e-6, "{strike}: {}", svi.vol(strike));
        }
        assert!(svi.is_sound());
        assert!(!Svi { a: -0.1, ..svi }.is_sound());
        assert!(!Svi { fwd: f64::NAN, ..svi }.is_sound());
        // Beyond four standard deviations the smile is flat.
        assert_eq!(svi.vol(300.0).to_bits(), svi.vol(3.0).to_bits());
    }

    #[test]
    fn the_typical_smile_is_skewed_and_the_same_at_every_tenor() {
        for (currency, atm) in [("ETH", 0.60), ("BTC", 0.48)] {
            for days in [1.0, 7.0, 30.0] {
                let years: f64 = days / 365.0;
                let svi = Svi::typical(currency, 3000.0, years);
                assert!(svi.is_sound());
                assert!((svi.vol(3000.0) - atm).abs() < 1e-4, "{}", svi.vol(3000.0));
                let move_ = libm::exp(1.5 * atm * years.sqrt());
                let (put, call) = (svi.vol(3000.0 / move_), svi.vol(3000.0 * move_));
                assert!(put > call && call > atm && put < 1.5 * atm, "{put} {call}");
            }
        }
    }

    #[test]
    fn decimals_survive_the_way_there_and_back() {
        for n in 1..2_000i64 {
            let value = Decimal::new(n * 7_919_000_017, 12);
            assert_eq!(to_decimal(to_f64(value)), value.normalize());
        }
        assert_eq!(to_decimal(0.000_000_000_001_4).to_string(), "0.000000000001");
        assert_eq!(to_decimal(-0.5).to_string(), "-0.5");
        assert_eq!(to_decimal(f64::INFINITY), Decimal::ZERO);
        assert_eq!(to_decimal(f64::NAN), Decimal::ZERO);
    }
}
