//! The live clock: anchored to the wall clock once, then following the monotonic clock through the TSC.
//!
//! A reading is one TSC read and two multiplications (no system call). The TSC rate found at start is only
//! good to some parts per million, so once a second the clock is steered towards `CLOCK_MONOTONIC`, which the
//! kernel disciplines: at most 500 ppm, never backwards. The wall clock is read at the anchor and
//! nowhere else: stepping it moves no timeout.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::base::time::{Nanos, SEC};
use crate::engine::ports::Clock;

/// Steepest correction, in parts per billion: slow enough that no interval is visibly wrong.
const SLEW_PPB_MAX: i64 = 500_000;
/// Behind by more than this the process was suspended, and catching up slowly would take minutes.
const JUMP_NS_MIN: i64 = 50_000_000;

/// Unix nanoseconds that never go back. Clones share the anchor and steer to the same monotonic clock, so
/// threads holding clones agree to within a microsecond or so, but not exactly: order facts by messages.
#[derive(Clone, Debug)]
pub struct LiveClock {
    source: quanta::Clock,
    started: Instant,
    started_ns: u64,
    base_raw: u64,
    base_ns: u64,
    slew_ppb: i64,
    last_ns: u64,
}

impl LiveClock {
    /// Anchors to the wall clock. The first one made in a process measures the TSC, up to 0.2 s.
    pub fn new() -> LiveClock {
        let source = quanta::Clock::new();
        let (started, base_raw) = (Instant::now(), source.raw());
        let started_ns = wall_ns();
        LiveClock { source, started, started_ns, base_raw, base_ns: started_ns, slew_ppb: 0, last_ns: started_ns }
    }

    /// Starts a new second: remembers where we are and chooses the rate that closes the gap by its end.
    fn steer(&mut self, raw: u64, ns: u64) {
        let truth = self.started_ns.saturating_add(self.started.elapsed().as_nanos() as u64);
        let gap_ns = signed_gap(truth, ns);
        self.base_raw = raw;
        self.base_ns = if gap_ns > JUMP_NS_MIN { truth } else { ns };
        self.slew_ppb = slew_ppb(signed_gap(truth, self.base_ns));
    }
}

impl Default for LiveClock {
    fn default() -> LiveClock {
        LiveClock::new()
    }
}

impl Clock for LiveClock {
    fn now(&mut self) -> Nanos {
        let raw = self.source.raw();
        let span_ns = self.source.delta_as_nanos(self.base_raw, raw);
        let ns = self.base_ns.saturating_add(stretched(span_ns, self.slew_ppb));
        if span_ns >= SEC {
            self.steer(raw, ns);
        }
        self.last_ns = self.last_ns.max(ns);
        Nanos(self.last_ns)
    }
}

/// The present by the wall clock; a clock set before 1970 reads zero.
fn wall_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

/// `later − earlier`, saturating.
fn signed_gap(later: u64, earlier: u64) -> i64 {
    i64::try_from(i128::from(later) - i128::from(earlier)).unwrap_or(if later > earlier { i64::MAX } else { i64::MIN })
}

/// The rate that closes a gap within a second, bounded.
fn slew_ppb(gap_ns: i64) -> i64 {
    gap_ns.clamp(-SLEW_PPB_MAX, SLEW_PPB_MAX)
}

/// A span run at a rate of `1 + ppb/1e9`. Spans beyond an hour are not stretched: the product would overflow.
fn stretched(span_ns: u64, ppb: i64) -> u64 {
    if span_ns >= 3_600 * SEC {
        return span_ns;
    }
    span_ns.saturating_add_signed(span_ns as i64 * (ppb / 1_000) / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_bounded_and_close_the_gap_in_a_second() {
        for (gap_ns, ppb) in [
            (0, 0),
            (1_000, 1_000),
            (-2_000, -2_000),
            (10_000_000, 500_000),
            (-i64::MAX, -500_000),
            (i64::MAX, 500_000),
        ] {
            assert_eq!(slew_ppb(gap_ns), ppb, "{gap_ns}");
        }
        for (span_ns, ppb, out_ns) in [
            (SEC, 0, SEC),
            (SEC, 500_000, SEC + 500_000),
            (SEC, -500_000, SEC - 500_000),
            (2 * SEC, 1_000, 2 * SEC + 2_000),
            (u64::MAX, 500_000, u64::MAX),
        ] {
            assert_eq!(stretched(span_ns, ppb), out_ns, "{span_ns} at {ppb}");
        }
    }

    #[test]
    fn it_never_goes_back_and_keeps_to_the_monotonic_clock() {
        let mut clock = LiveClock::new();
        // Each reading lies between two of the monotonic clock, however long this thread was away in between.
        let mut read = || {
            let before = Instant::now();
            let now = clock.now();
            (before, now, Instant::now())
        };
        let first = read();
        let mut last = first;
        while first.0.elapsed().as_millis() < 20 {
            let next = read();
            assert!(next.1 >= last.1);
            last = next;
        }
        let ns = |later: Instant, earlier: Instant| later.saturating_duration_since(earlier).as_nanos() as u64;
        let (least, most) = (ns(last.0, first.2), ns(last.2, first.0));
        let (ours, slew) = (last.1.since(first.1), most / 1_000);
        assert!((least - slew.min(least)..=most + slew).contains(&ours), "{ours} between {least} and {most}");
        assert!(signed_gap(wall_ns(), clock.now().0).abs() < 50_000_000);
    }

    #[test]
    fn steering_closes_a_gap_either_way_and_jumps_only_forward() {
        let mut clock = LiveClock::new();
        let truth = clock.started_ns + clock.started.elapsed().as_nanos() as u64;
        for (ahead_ns, jumps) in [(-1_000_000_i64, false), (1_000_000, false), (-SEC_I * 5, true), (SEC_I * 5, false)] {
            let ours = truth.saturating_add_signed(ahead_ns);
            clock.steer(clock.source.raw(), ours);
            assert_eq!(clock.base_ns != ours, jumps, "{ahead_ns}");
            assert!(clock.base_ns >= ours);
            if !jumps {
                assert_eq!(clock.slew_ppb.signum(), -ahead_ns.signum(), "{ahead_ns}");
            }
        }
    }

    const SEC_I: i64 = SEC as i64;
}
