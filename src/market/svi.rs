//! Volatility of any strike of one expiry, from the venue's SVI parameters.

/// Largest total variance the venue's contract lets through.
const TOTAL_VARIANCE_MAX: f64 = 144.0;
/// Bound of log-moneyness in at-the-money total deviations.
const MONEYNESS_MAX: f64 = 4.0;

/// One expiry's curve: `w(k) = a + b·(rho·(k − m) + √((k − m)² + sigma²))` with `k = ln(strike / forward)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Svi {
    /// Level of variance.
    pub a: f64,
    /// Slope of the wings; not negative.
    pub b: f64,
    /// Tilt.
    pub rho: f64,
    /// Log-moneyness of the middle.
    pub m: f64,
    /// Roundness of the middle; not negative.
    pub sigma: f64,
    /// Forward the curve was fitted on (`SVI_fwd`), not the forward of the moment.
    pub forward: f64,
    /// Years to expiry at the fit (`SVI_refTau`), not the time left.
    pub ref_tau: f64,
}

impl Svi {
    /// Total variance at a strike, capped at 144. Log-moneyness counts to ±4·√(a + b·sigma) only.
    ///
    /// `None` where the venue's contract refuses (`SVI_InvalidParameters`: a negative variance there or in the middle),
    /// and for a number that is not finite or a strike, forward, `b` or `sigma` of the wrong sign.
    pub fn total_variance(&self, strike: f64) -> Option<f64> {
        let ratio = strike / self.forward;
        let numbers = [self.a, self.b, self.rho, self.m, self.sigma, self.forward, strike, ratio];
        let signs = self.b >= 0.0 && self.sigma >= 0.0 && self.forward > 0.0 && strike > 0.0;
        let middle = self.a + self.b * self.sigma;
        if !(numbers.iter().all(|v| v.is_finite()) && signs && middle.is_finite() && middle >= 0.0) {
            return None;
        }
        let bound = MONEYNESS_MAX * middle.sqrt();
        let from_middle = libm::log(ratio).clamp(-bound, bound) - self.m;
        let distance = (from_middle * from_middle + self.sigma * self.sigma).sqrt();
        let variance = self.a + self.b * (self.rho * from_middle + distance);
        (variance >= 0.0).then(|| variance.min(TOTAL_VARIANCE_MAX))
    }

    /// Annual volatility at a strike: `√(w / ref_tau)`.
    ///
    /// `None` where [`Svi::total_variance`] is, and unless `ref_tau` is positive and finite.
    pub fn vol(&self, strike: f64) -> Option<f64> {
        if !(self.ref_tau.is_finite() && self.ref_tau > 0.0) {
            return None;
        }
        let vol = (self.total_variance(strike)? / self.ref_tau).sqrt();
        vol.is_finite().then_some(vol)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CURVE: Svi =
        Svi { a: 0.002, b: 0.03, rho: -0.2, m: 0.01, sigma: 0.05, forward: 3_000.0, ref_tau: 7.0 / 365.0 };

    #[test]
    fn matches_the_worked_smile() {
        let table = [(2_800.0, "0.524633"), (3_000.0, "0.432640"), (3_200.0, "0.450515"), (3_500.0, "0.545765")];
        for (strike, want) in table {
            assert_eq!(CURVE.vol(strike).map(|v| format!("{v:.6}")).as_deref(), Some(want), "{strike}");
        }
    }

    #[test]
    fn is_flat_beyond_four_deviations() {
        // 4·√0.0035 = 0.23664: strikes from 2367.8 to 3800.9.
        let edge = |k: f64| CURVE.vol(3_000.0 * libm::exp(k)).expect("in domain");
        let (low, high) = (edge(-0.236_643_191_323_984_6), edge(0.236_643_191_323_984_6));
        assert!((CURVE.vol(5_000.0).expect("in domain") - high).abs() < 1e-12);
        assert!((CURVE.vol(1e-300).expect("in domain") - low).abs() < 1e-12);
        assert!(CURVE.vol(3_800.0).expect("in domain") < high - 1e-5);
        assert!(CURVE.vol(2_369.0).expect("in domain") < low - 1e-5);
    }

    #[test]
    fn caps_variance_and_refuses_what_the_contract_refuses() {
        assert_eq!(Svi { a: 200.0, ..CURVE }.total_variance(3_000.0), Some(144.0));
        // a + b·sigma below zero; then only the variance itself, pulled down by a tilt no real curve has.
        assert_eq!(Svi { a: -0.01, ..CURVE }.vol(3_000.0), None);
        assert_eq!(Svi { rho: -9.0, ..CURVE }.vol(3_700.0), None);
        assert!(Svi { rho: -9.0, ..CURVE }.vol(2_500.0).is_some());
        for wrong in [
            Svi { b: -0.03, ..CURVE },
            Svi { sigma: -0.05, ..CURVE },
            Svi { forward: 0.0, ..CURVE },
            Svi { ref_tau: 0.0, ..CURVE },
            Svi { m: f64::NAN, ..CURVE },
            Svi { a: f64::INFINITY, ..CURVE },
        ] {
            assert_eq!(wrong.vol(3_000.0), None, "{wrong:?}");
        }
        for strike in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(CURVE.vol(strike), None, "{strike}");
        }
    }

    proptest! {
        #[test]
        fn no_bits_panic_or_give_nan(bits in any::<[u64; 8]>()) {
            let [a, b, rho, m, sigma, forward, ref_tau, strike] = bits.map(f64::from_bits);
            let curve = Svi { a, b, rho, m, sigma, forward, ref_tau };
            prop_assert!(curve.vol(strike).is_none_or(|vol| vol.is_finite() && vol >= 0.0));
        }

        #[test]
        fn real_curves_answer_for_every_strike(
            a in 0.0f64..0.1, b in 0.0f64..1.0, rho in -0.99f64..0.99, m in -0.5f64..0.5, sigma in 0.0f64..1.0,
            forward in 0.01f64..200_000.0, ref_tau in 0.0001f64..2.0, strike in 0.001f64..1e6,
        ) {
            let curve = Svi { a, b, rho, m, sigma, forward, ref_tau };
            let vol = curve.vol(strike);
            prop_assert!(vol.is_some_and(|v| v * v * ref_tau <= TOTAL_VARIANCE_MAX * 1.000_001), "{vol:?}");
        }
    }
}
