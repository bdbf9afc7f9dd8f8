//! Market-maker protection (Derive §4.6): too much filled in a rolling interval freezes tagged orders of a currency.

use crate::base::time::{MS, Nanos, SEC};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::collections::VecDeque;

/// Protection of one subaccount in one currency.
#[derive(Clone, Debug, Default)]
pub struct Mmp {
    /// Filled amount that trips it; zero is no limit.
    pub amount_limit: Decimal,
    /// Net delta that trips it; zero is no limit.
    pub delta_limit: Decimal,
    /// Rolling interval, ms.
    pub interval_ms: u64,
    /// Freeze duration, ms; zero freezes until reset.
    pub frozen_ms: u64,
    /// Frozen until then; `Nanos::MAX` is until reset.
    frozen_until: Nanos,
    fills: VecDeque<(Nanos, Decimal)>,
}

/// Milliseconds rounded up to whole seconds, as the venue does.
const fn whole_seconds(ms: u64) -> u64 {
    ms.div_ceil(1000).saturating_mul(SEC)
}

impl Mmp {
    /// True while mmp orders are refused (Derive 11015).
    pub fn is_frozen(&self, at: Nanos) -> bool {
        at < self.frozen_until
    }

    /// Lifts a freeze and forgets past fills.
    pub fn reset(&mut self) {
        self.frozen_until = Nanos::ZERO;
        self.fills.clear();
    }

    /// Notes a fill of an mmp order (signed amount); true if it trips the protection.
    pub fn on_fill(&mut self, at: Nanos, signed: Decimal) -> bool {
        if self.interval_ms == 0 {
            return false;
        }
        let since = Nanos(at.0.saturating_sub(whole_seconds(self.interval_ms)));
        self.fills.push_back((at, signed));
        while self.fills.front().is_some_and(|(t, _)| *t < since) {
            self.fills.pop_front();
        }
        let amount: Decimal = self.fills.iter().map(|(_, a)| a.abs()).sum();
        let delta: Decimal = self.fills.iter().map(|(_, a)| *a).sum();
        let over = |limit: Decimal, value: Decimal| limit > Decimal::ZERO && value > limit;
        if !over(self.amount_limit, amount) && !over(self.delta_limit, delta.abs()) {
            return false;
        }
        self.frozen_until = if self.frozen_ms == 0 { Nanos::MAX } else { at.plus(whole_seconds(self.frozen_ms)) };
        self.fills.clear();
        true
    }

    /// The `private/set_mmp_config` echo.
    pub fn config_json(&self, sub: u64, currency: &str) -> Value {
        json!({
            "subaccount_id": sub, "currency": currency,
            "mmp_amount_limit": super::money::json(self.amount_limit),
            "mmp_delta_limit": super::money::json(self.delta_limit),
            "mmp_interval": self.interval_ms, "mmp_frozen_time": self.frozen_ms,
        })
    }

    /// One row of `private/get_mmp_config`.
    pub fn json(&self, sub: u64, currency: &str, at: Nanos) -> Value {
        let mut row = self.config_json(sub, currency);
        let until = if self.frozen_until == Nanos::MAX { 0 } else { self.frozen_until.0 / MS };
        row["is_frozen"] = json!(self.is_frozen(at));
        row["mmp_unfreeze_time"] = json!(if self.is_frozen(at) { until } else { 0 });
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_beyond_the_amount_freeze_until_the_time_is_over() {
        let t0 = Nanos(1_000 * SEC);
        let mut mmp = Mmp { amount_limit: Decimal::from(5), interval_ms: 900, frozen_ms: 1500, ..Mmp::default() };
        assert!(!mmp.on_fill(t0, Decimal::from(3)));
        assert!(!mmp.on_fill(t0.plus(2 * SEC), Decimal::from(3)), "the first has left the interval");
        assert!(mmp.on_fill(t0.plus(2 * SEC), Decimal::from(-3)));
        assert!(mmp.is_frozen(t0.plus(4 * SEC - 1)), "1.5 s rounds up to 2 s");
        assert!(!mmp.is_frozen(t0.plus(4 * SEC)));
    }

    #[test]
    fn delta_nets_and_zero_means_until_reset() {
        let mut mmp = Mmp { delta_limit: Decimal::from(5), interval_ms: 1000, ..Mmp::default() };
        assert!(!mmp.on_fill(Nanos(SEC), Decimal::from(5)));
        assert!(!mmp.on_fill(Nanos(SEC), Decimal::from(-9)));
        assert!(mmp.on_fill(Nanos(SEC), Decimal::from(-2)));
        assert!(mmp.is_frozen(Nanos(u64::MAX - 1)));
        mmp.reset();
        assert!(!mmp.is_frozen(Nanos(SEC)));
    }
}
