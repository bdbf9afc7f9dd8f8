//! Black-76 on a forward (Derive §8.4, §5.1): price, greeks in the venue's units, implied volatility.
//!
//! Written for this exchange alone: the engine prices options with code of its own, so that agreement of the two means
//! something. Logarithm, exponential and error function come from `libm`, which gives the same bits on every machine.

/// Seconds of the venue's year.
pub const YEAR_S: f64 = 31_536_000.0;
/// Highest volatility an implied volatility is looked for at.
const VOL_MAX: f64 = 20.0;
/// Steps of that search; halving alone would come within 1e-12 in as many.
const STEPS_MAX: u32 = 45;

/// What an undiscounted option price depends on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Option76 {
    /// Forward of the expiry, USD.
    pub forward: f64,
    /// Strike, USD.
    pub strike: f64,
    /// Volatility per square root of a year.
    pub vol: f64,
    /// Years to expiry.
    pub years: f64,
    /// Call or put.
    pub call: bool,
}

/// Sensitivities as the ticker states them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Greeks {
    /// Change of price per unit of forward.
    pub delta: f64,
    /// Change of delta per unit of forward.
    pub gamma: f64,
    /// Change of price per point (1 %) of volatility.
    pub vega: f64,
    /// Change of price per day.
    pub theta: f64,
    /// Years × price, which is how the venue's frames read.
    pub rho: f64,
}

/// The standard normal distribution function.
pub fn normal_cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2)
}

fn normal_density(x: f64) -> f64 {
    libm::exp(-0.5 * x * x) * 0.398_942_280_401_432_7
}

impl Option76 {
    fn intrinsic(&self) -> f64 {
        let gain = if self.call { self.forward - self.strike } else { self.strike - self.forward };
        gain.max(0.0)
    }

    /// Both normal arguments; `None` once time or volatility is gone or an input is no market.
    fn d(&self) -> Option<(f64, f64)> {
        let deviation = self.vol * self.years.sqrt();
        let usable = self.years > 0.0 && deviation > 0.0 && self.forward > 0.0 && self.strike > 0.0;
        if !usable || !deviation.is_finite() {
            return None;
        }
        let d1 = libm::log(self.forward / self.strike) / deviation + 0.5 * deviation;
        Some((d1, d1 - deviation))
    }

    /// Price of one unit, USD; intrinsic at expiry.
    pub fn price(&self) -> f64 {
        let Some((d1, d2)) = self.d() else { return self.intrinsic() };
        let value = if self.call {
            self.forward * normal_cdf(d1) - self.strike * normal_cdf(d2)
        } else {
            self.strike * normal_cdf(-d2) - self.forward * normal_cdf(-d1)
        };
        value.max(self.intrinsic())
    }

    /// Change of price per whole unit of volatility, zero at expiry.
    fn vega_of_one(&self) -> f64 {
        self.d().map_or(0.0, |(d1, _)| self.forward * normal_density(d1) * self.years.sqrt())
    }

    /// Sensitivities; all zero at expiry.
    pub fn greeks(&self) -> Greeks {
        let Some((d1, _)) = self.d() else { return Greeks::default() };
        let density = normal_density(d1);
        let root = self.years.sqrt();
        Greeks {
            delta: if self.call { normal_cdf(d1) } else { -normal_cdf(-d1) },
            gamma: density / (self.forward * self.vol * root),
            vega: self.vega_of_one() / 100.0,
            theta: -self.forward * density * self.vol / (2.0 * root) / 365.0,
            rho: self.years * self.price(),
        }
    }

    /// The volatility at which the option costs `price`; zero if no volatility does. Newton steps from the volatility at
    /// hand, kept inside a bracket that halves whenever one of them would leave it.
    pub fn implied(&self, price: f64) -> f64 {
        let at = |vol| Option76 { vol, ..*self };
        if price.is_nan() || self.years <= 0.0 || price <= self.intrinsic() || price >= at(VOL_MAX).price() {
            return 0.0;
        }
        let (mut low, mut high) = (0.0, VOL_MAX);
        let mut vol = self.vol.clamp(0.01, 5.0);
        for _ in 0..STEPS_MAX {
            let guess = at(vol);
            let miss = guess.price() - price;
            if miss > 0.0 {
                high = vol
            } else {
                low = vol
            }
            let step = miss / guess.vega_of_one();
            if step.abs() < 1e-12 {
                break;
            }
            let next = vol - step;
            vol = if next > low && next < high { next } else { 0.5 * (low + high) };
        }
        vol
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn option(vol: f64, forward: f64, strike: f64, days: f64, call: bool) -> Option76 {
        Option76 { forward, strike, vol, years: days / 365.0, call }
    }

    #[test]
    fn prices_and_deltas_are_those_of_the_protocols_integer_arithmetic() {
        // volatility, forward, strike, call, price, delta; all a week from expiry.
        let table = [
            (0.6, 3000.0, 3500.0, true, 3.338_707_777_076_454, Some(0.034_865_179_553_899_04)),
            (0.6, 3000.0, 3500.0, false, 503.338_707_777_076, None),
            (0.55, 3500.0, 3400.0, true, 162.302_388_310_450_33, Some(0.662_268_936_313_489_6)),
            (0.55, 3500.0, 3600.0, true, 65.133_908_508_514_86, Some(0.370_029_694_893_069)),
            (0.5, 60_000.0, 56_000.0, false, 336.575_151_534_887_34, None),
            (0.5, 60_000.0, 54_000.0, false, 109.886_566_490_497_86, None),
            (0.7, 2600.0, 3000.0, true, 8.368_122_500_874_773, Some(0.076_686_534_206_902)),
        ];
        for (vol, forward, strike, call, price, delta) in table {
            let o = option(vol, forward, strike, 7.0, call);
            assert!((o.price() / price - 1.0).abs() < 1e-9, "{o:?}: {}", o.price());
            if let Some(delta) = delta {
                assert!((o.greeks().delta / delta - 1.0).abs() < 1e-9, "{o:?}");
            }
        }
    }

    #[test]
    fn greeks_are_the_slopes_of_the_price() {
        for (call, strike) in [(true, 1600.0), (false, 2100.0), (true, 2400.0)] {
            let o = option(0.677, 1992.6, strike, 15.0, call);
            let g = o.greeks();
            let slope = |bump: &dyn Fn(f64) -> Option76, h: f64| (bump(h).price() - bump(-h).price()) / (2.0 * h);
            let delta = slope(&|h| Option76 { forward: o.forward + h, ..o }, 0.01);
            let vega = slope(&|h| Option76 { vol: o.vol + h, ..o }, 1e-5) / 100.0;
            let theta = -slope(&|h| Option76 { years: o.years + h, ..o }, 1e-6) / 365.0;
            let up = Option76 { forward: o.forward + 0.1, ..o }.greeks().delta;
            let gamma = (up - Option76 { forward: o.forward - 0.1, ..o }.greeks().delta) / 0.2;
            for (name, stated, measured) in [
                ("delta", g.delta, delta),
                ("vega", g.vega, vega),
                ("theta", g.theta, theta),
                ("gamma", g.gamma, gamma),
            ] {
                assert!((stated - measured).abs() < 1e-5 * stated.abs().max(1e-3), "{name} {stated} {measured}");
            }
        }
    }

    #[test]
    fn implied_volatility_inverts_the_price_where_there_is_one() {
        for (strike, start) in [(2400.0, 0.62), (2900.0, 0.1), (3300.0, 3.0), (3300.0, 0.0), (3000.0, 0.9)] {
            let o = option(0.62, 3000.0, strike, 7.0, strike > 2950.0);
            let found = Option76 { vol: start, ..o }.implied(o.price());
            assert!((found - 0.62).abs() < 1e-7, "{strike} from {start}: {found}");
        }
        let deep = option(0.6, 3000.0, 2000.0, 7.0, true);
        assert!(deep.implied(999.0) <= 0.0, "below intrinsic");
        assert!(deep.implied(0.0) <= 0.0, "an empty side");
        assert_eq!(Option76 { years: 0.0, ..deep }.price().to_bits(), 1000f64.to_bits());
        assert_eq!(Option76 { years: -1.0, ..deep }.greeks(), Greeks::default());
    }
}
