//! How often a taker's requests end in an execution, as makers are shown it.

use rust_decimal::Decimal;

/// Requests before the lifetime rate is shown. The venue does not publish its number.
const LIFETIME_MIN: u64 = 10;
/// What is left of a request's weight when the next one ends, in tenths.
const DECAY_TENTHS: i64 = 9;
/// Weight before the recent rate is shown: about four requests.
const RECENT_WEIGHT_MIN: i64 = 3;
/// Digits kept, so that decayed sums stay small.
const DIGITS: u32 = 12;

/// Fill record of one wallet.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reputation {
    ended: u64,
    filled: Decimal,
    recent: Decimal,
    recent_weight: Decimal,
}

impl Reputation {
    /// Notes a request that ended with a share filled.
    pub fn on_end(&mut self, filled_pct: Decimal) {
        let decay = Decimal::new(DECAY_TENTHS, 1);
        self.ended += 1;
        self.filled += filled_pct;
        self.recent = (self.recent * decay + filled_pct).round_dp(DIGITS);
        self.recent_weight = (self.recent_weight * decay + Decimal::ONE).round_dp(DIGITS);
    }

    /// Share of all requests filled; `None` while there are few.
    pub fn lifetime(&self) -> Option<Decimal> {
        (self.ended >= LIFETIME_MIN).then(|| self.filled / Decimal::from(self.ended))
    }

    /// The same with older requests counting less.
    pub fn recent(&self) -> Option<Decimal> {
        (self.recent_weight >= Decimal::from(RECENT_WEIGHT_MIN)).then(|| self.recent / self.recent_weight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_appear_when_there_is_enough_to_say_and_the_recent_one_forgets() {
        let mut r = Reputation::default();
        for n in 0..10u64 {
            assert_eq!((r.lifetime().is_some(), r.recent().is_some()), (false, n >= 4), "after {n}");
            r.on_end(if n < 5 { Decimal::ONE } else { Decimal::ZERO });
        }
        assert_eq!(r.lifetime(), Some(Decimal::new(5, 1)));
        let recent = r.recent().expect("enough");
        assert!(recent > Decimal::ZERO && recent < Decimal::new(4, 1), "{recent}");
        (0..100).for_each(|_| r.on_end(Decimal::ONE));
        assert!(r.recent().expect("enough") > Decimal::new(999, 3));
    }
}
