//! The life of a perp's mark and funding (Derive §8.4, §8.6): sampled once a second from its book and spot.

use super::money::{constant, truncate};
use crate::base::time::{Nanos, SEC};
use rust_decimal::Decimal;
use std::collections::VecDeque;

/// Samples per hour.
const SAMPLES_PER_HOUR: u64 = 3_600;
/// Seconds of premium history behind the funding rate.
const PREMIUM_WINDOW: u64 = 3_600;
/// Hours over which a premium converges (BTC, ETH).
const CONVERGENCE_HOURS: u64 = 16;

/// Largest funding rate per hour, either sign (BTC, ETH).
pub fn rate_cap() -> Decimal {
    constant("0.00017123")
}

/// USDC notional at which impact prices are taken.
pub fn impact_notional() -> Decimal {
    Decimal::from(20_000)
}

/// A mean over the last samples, kept as runs of equal ones.
#[derive(Clone, Debug, Default)]
struct Rolling {
    runs: VecDeque<(Decimal, u64)>,
    count: u64,
    sum: Decimal,
}

impl Rolling {
    fn push(&mut self, sample: Decimal, times: u64, keep: u64) {
        let times = times.min(keep);
        match self.runs.back_mut() {
            Some((last, run)) if *last == sample => *run += times,
            _ => self.runs.push_back((sample, times)),
        }
        self.count += times;
        self.sum += sample * Decimal::from(times);
        while self.count > keep
            && let Some((oldest, run)) = self.runs.front_mut()
        {
            let gone = (*run).min(self.count - keep);
            *run -= gone;
            self.count -= gone;
            self.sum -= *oldest * Decimal::from(gone);
            if *run == 0 {
                self.runs.pop_front();
            }
        }
    }

    fn mean(&self) -> Decimal {
        if self.count == 0 { Decimal::ZERO } else { self.sum / Decimal::from(self.count) }
    }
}

/// What the perp's book looked like at a sample: mid, and the averages for selling and buying the impact notional.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sample {
    /// Index price.
    pub index: Decimal,
    /// Mid price of a two-sided book.
    pub mid: Option<Decimal>,
    /// Impact bid.
    pub bid: Option<Decimal>,
    /// Impact ask.
    pub ask: Option<Decimal>,
}

/// Mark, funding rate and cumulative funding of one perp.
#[derive(Clone, Debug, Default)]
pub struct Perp {
    diffs: Rolling,
    premiums: Rolling,
    /// Replaces the computed rate, still clamped.
    pub rate_override: Option<Decimal>,
    /// Funding rate per hour in force.
    pub rate: Decimal,
    /// Sum of rate × hours × index since the start: what one unit long has paid.
    pub aggregate_funding: Decimal,
}

impl Perp {
    /// TWAP of mid minus spot: the perp diff feed.
    pub fn diff(&self) -> Decimal {
        truncate(self.diffs.mean())
    }

    /// Takes a sample that stands for some seconds: first accrues funding for the time gone by, then moves mark and rate.
    pub fn sample(&mut self, sample: Sample, mark_window: u64, seconds: u64) {
        let per_second = self.rate * sample.index / Decimal::from(SAMPLES_PER_HOUR);
        self.aggregate_funding += per_second.trunc_with_scale(18) * Decimal::from(seconds);
        if let Some(mid) = sample.mid {
            // A book far from spot is broken, not informative.
            let bound = sample.index * constant("0.025");
            self.diffs.push(truncate((mid - sample.index).clamp(-bound, bound)), seconds, mark_window.max(1));
        }
        if sample.index > Decimal::ZERO {
            let above = sample.bid.map_or(Decimal::ZERO, |bid| (bid - sample.index).max(Decimal::ZERO));
            let below = sample.ask.map_or(Decimal::ZERO, |ask| (sample.index - ask).max(Decimal::ZERO));
            self.premiums.push(truncate((above - below) / sample.index), seconds, PREMIUM_WINDOW);
        }
        self.set_rate();
    }

    /// Recomputes the rate from premium or override.
    pub fn set_rate(&mut self) {
        let computed = self.premiums.mean() / Decimal::from(CONVERGENCE_HOURS);
        let cap = rate_cap();
        self.rate = truncate(self.rate_override.unwrap_or(computed).clamp(-cap, cap));
    }
}

/// The next whole second after `at`: when perps are sampled.
pub const fn next_sample(at: Nanos) -> Nanos {
    Nanos((at.0 / SEC + 1) * SEC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_premium_becomes_a_sixteenth_per_hour_up_to_the_cap() {
        let table = [("1001", "1003", "0.0000625"), ("1010", "1011", "0.00017123"), ("990", "999", "-0.0000625")];
        for (bid, ask, rate) in table {
            let mut perp = Perp::default();
            let sample =
                Sample { index: Decimal::from(1000), mid: None, bid: Some(constant(bid)), ask: Some(constant(ask)) };
            (0..10).for_each(|_| perp.sample(sample, 60, 1));
            assert_eq!(perp.rate.normalize(), constant(rate), "{bid}/{ask}");
        }
    }

    #[test]
    fn an_hour_of_funding_sums_to_rate_times_index() {
        let mut perp = Perp { rate_override: Some(constant("0.0001")), ..Perp::default() };
        let sample = Sample { index: Decimal::from(2000), mid: Some(Decimal::from(2001)), ..Sample::default() };
        perp.sample(sample, 60, 1);
        (0..3600).for_each(|_| perp.sample(sample, 60, 1));
        assert!((perp.aggregate_funding - constant("0.2")).abs() < constant("0.0000000001"));
        assert_eq!(perp.diff(), Decimal::ONE);
    }

    #[test]
    fn a_long_step_is_as_many_seconds() {
        let at = |mid: i64| Sample {
            index: Decimal::from(2000),
            mid: Some(Decimal::from(mid)),
            bid: Some(Decimal::from(mid)),
            ask: None,
        };
        let (mut fine, mut coarse) = (Perp::default(), Perp::default());
        for (n, seconds) in [20u64, 1, 45, 60, 7, 4000, 30].into_iter().enumerate() {
            let sample = at(2000 + n as i64 % 3);
            // The rate moves within a run of seconds as well; funding is compared where it does not.
            (0..seconds).for_each(|_| fine.sample(sample, 60, 1));
            coarse.sample(sample, 60, seconds);
            assert_eq!(fine.diff(), coarse.diff(), "step {n}");
            assert_eq!(fine.rate, coarse.rate, "step {n}");
        }
        fine.aggregate_funding = coarse.aggregate_funding;
        (fine.rate_override, coarse.rate_override) = (Some(constant("0.0001")), Some(constant("0.0001")));
        fine.set_rate();
        coarse.set_rate();
        (0..600).for_each(|_| fine.sample(at(2001), 60, 1));
        coarse.sample(at(2001), 60, 600);
        assert_eq!(fine.aggregate_funding, coarse.aggregate_funding);
    }
}
