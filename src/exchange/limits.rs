//! Request budgets (Derive §4.2): five-second windows per class, a token bucket per instrument, refusal without queueing.

use super::{Refusal, Tier};
use crate::base::time::{MS, Nanos, SEC};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Length of a fixed window, seconds; also the burst factor.
const WINDOW_S: u64 = 5;
/// Points of one ordinary request in the instrument bucket; an mmp order costs a third.
const INSTRUMENT_POINTS: u64 = 3;
/// Requests per second to `private/cancel_all`.
pub const CANCEL_ALL_TPS: u64 = 1;
/// Requests per second to `private/cancel_by_label` without an instrument.
pub const CANCEL_BY_LABEL_TPS: u64 = 10;

/// Requests per second to each of `send_quote`, `replace_quote` and `cancel_quote`: budgets of their own, whose size
/// the venue does not publish.
pub const QUOTE_TPS: u64 = 50;

/// What a request is charged to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Orders, replaces and most cancels.
    Matching,
    /// Everything without a class of its own.
    NonMatching,
    /// A budget of the method's own, requests per second.
    Endpoint(&'static str, u64),
}

/// Sustained requests per second of a tier: matching, per instrument, non-matching.
pub const fn tps(tier: Tier) -> (u64, u64, u64) {
    match tier {
        Tier::Trader => (5, 5, 5),
        Tier::MarketMaker => (500, 10, 500),
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Window {
    opened: u64,
    used: u64,
}

impl Window {
    fn current(self, at: Nanos) -> Window {
        let opened = at.secs() / WINDOW_S;
        if opened == self.opened { self } else { Window { opened, used: 0 } }
    }

    fn take(&mut self, tps: u64, at: Nanos) -> bool {
        *self = self.current(at);
        let room = self.used < tps * WINDOW_S;
        self.used += u64::from(room);
        room
    }

    fn json(self, tps: u64, at: Nanos) -> Value {
        let now = self.current(at);
        let left = (tps * WINDOW_S).saturating_sub(now.used);
        let wait_ms = if left > 0 { 0 } else { ms_to_next(at) };
        json!({
            "remainingPoints": left, "consumedPoints": now.used,
            "msBeforeNext": wait_ms, "isFirstInDuration": now.used <= 1,
        })
    }
}

fn ms_to_next(at: Nanos) -> u64 {
    let window = WINDOW_S * SEC;
    (window - at.0 % window).div_ceil(MS)
}

/// Continuously refilled; counts nanoseconds of refill so that no fraction is lost.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// The moment at which the bucket would have been empty.
    empty_at: Nanos,
}

impl Bucket {
    fn take(&mut self, tps: u64, points: u64, at: Nanos) -> bool {
        let point_ns = SEC / (tps * INSTRUMENT_POINTS);
        let floor = Nanos(at.0.saturating_sub(WINDOW_S * SEC));
        let empty_at = self.empty_at.max(floor).plus(points * point_ns);
        let room = empty_at <= at;
        if room {
            self.empty_at = empty_at;
        }
        room
    }
}

/// The budgets of one wallet, or of one unauthenticated connection.
#[derive(Clone, Debug, Default)]
pub struct Budgets {
    matching: Window,
    other: Window,
    endpoints: BTreeMap<&'static str, Window>,
    instruments: BTreeMap<String, Bucket>,
}

impl Budgets {
    /// Charges one request or refuses it with −32000. `mmp` makes a matching request on an instrument cheaper.
    pub fn charge(
        &mut self,
        tier: Tier,
        class: Class,
        instrument: Option<&str>,
        mmp: bool,
        at: Nanos,
    ) -> Result<(), Refusal> {
        let (matching, per_instrument, other) = tps(tier);
        let room = match class {
            Class::Matching => self.matching.take(matching, at),
            Class::NonMatching => self.other.take(other, at),
            Class::Endpoint(name, tps) => self.endpoints.entry(name).or_default().take(tps, at),
        };
        if !room {
            return Err(Refusal::because(-32000, format!("Retry after {} ms", ms_to_next(at))));
        }
        let (Class::Matching, Some(name)) = (class, instrument) else { return Ok(()) };
        let points = if mmp { INSTRUMENT_POINTS / 3 } else { INSTRUMENT_POINTS };
        let bucket = self.instruments.entry(name.to_string()).or_insert(Bucket { empty_at: Nanos::ZERO });
        if bucket.take(per_instrument, points, at) {
            return Ok(());
        }
        Err(Refusal::because(-32000, format!("{name}: {per_instrument} requests per second")))
    }

    /// The `public/getRateLimits` view; `connections` are those in use and allowed.
    pub fn json(&self, tier: Tier, connections: Option<(u64, u64)>, at: Nanos) -> Value {
        let (matching, _, other) = tps(tier);
        let endpoint = |name: &'static str, tps| self.endpoints.get(name).copied().unwrap_or_default().json(tps, at);
        let connections = connections.map(|(used, allowed)| {
            json!({
                "remainingPoints": allowed.saturating_sub(used), "consumedPoints": used,
                "msBeforeNext": 0, "isFirstInDuration": used <= 1,
            })
        });
        json!({
            "remaining_matching": self.matching.json(matching, at),
            "remaining_non_matching": self.other.json(other, at),
            "remaining_per_endpoint": {
                "private/cancel_all": endpoint("private/cancel_all", CANCEL_ALL_TPS),
                "private/cancel_by_label": endpoint("private/cancel_by_label", CANCEL_BY_LABEL_TPS),
                "private/send_quote": endpoint("private/send_quote", QUOTE_TPS),
                "private/replace_quote": endpoint("private/replace_quote", QUOTE_TPS),
                "private/cancel_quote": endpoint("private/cancel_quote", QUOTE_TPS),
            },
            "remaining_connections": connections,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Nanos = Nanos(1_700_000_000 * SEC);

    #[test]
    fn a_window_holds_five_seconds_of_requests_and_then_reopens() {
        let mut b = Budgets::default();
        for n in 0..25 {
            assert!(b.charge(Tier::Trader, Class::NonMatching, None, false, T0.plus(n)).is_ok(), "{n}");
        }
        let refusal = b.charge(Tier::Trader, Class::NonMatching, None, false, T0).expect_err("window full");
        assert_eq!(refusal.code, -32000);
        assert_eq!(b.json(Tier::Trader, None, T0)["remaining_non_matching"]["remainingPoints"], 0);
        assert!(b.charge(Tier::Trader, Class::Matching, None, false, T0).is_ok(), "other class untouched");
        assert!(b.charge(Tier::Trader, Class::NonMatching, None, false, T0.plus(5 * SEC)).is_ok());
    }

    #[test]
    fn an_instrument_bucket_refills_and_mmp_orders_cost_a_third() {
        let burst = |mmp| {
            let mut b = Budgets::default();
            let charge = |b: &mut Budgets, at| b.charge(Tier::MarketMaker, Class::Matching, Some("ETH-PERP"), mmp, at);
            let mut n = 0;
            while charge(&mut b, T0).is_ok() {
                n += 1;
            }
            assert!(charge(&mut b, T0.plus(SEC / 10)).is_ok(), "one more after a tenth of a second");
            n
        };
        assert_eq!(burst(false), 50);
        assert_eq!(burst(true), 150);
    }

    #[test]
    fn cancel_all_has_its_own_budget() {
        let mut b = Budgets::default();
        let class = Class::Endpoint("private/cancel_all", CANCEL_ALL_TPS);
        let taken = (0..20).filter(|_| b.charge(Tier::MarketMaker, class, None, false, T0).is_ok()).count();
        assert_eq!(taken, 5);
    }
}
