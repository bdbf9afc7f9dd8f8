//! Where a message's time went, counted per stage without allocation.
//!
//! Each sample starts at the moment its frame's last byte was read, whenever that was: a message that waited behind
//! another carries its wait, so nothing is left out by coordination with the engine's own pace.

use crate::msg::{Cause, Stage, Trace};
use hdrhistogram::Histogram;

/// Longest time kept, in nanoseconds: 10 s.
const HIGHEST_NS: u64 = 10_000_000_000;
/// Stages reported, with the stage each is measured from.
pub const SPANS: [(&str, Stage, Stage); 7] = [
    ("decoded", Stage::FrameIn, Stage::Decoded),
    ("priced", Stage::Decoded, Stage::Priced),
    ("decided", Stage::Priced, Stage::Decided),
    ("approved", Stage::Decided, Stage::Approved),
    ("signed", Stage::Approved, Stage::Signed),
    ("frame_out", Stage::Signed, Stage::FrameOut),
    ("total", Stage::FrameIn, Stage::FrameOut),
];

/// One histogram per span and cause.
#[derive(Clone)]
pub struct Latency {
    market: Vec<Histogram<u64>>,
    private: Vec<Histogram<u64>>,
    cancels: Histogram<u64>,
}

/// Percentiles of one span, nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Percentiles {
    /// Samples.
    pub count: u64,
    /// Median.
    pub p50: u64,
    /// 99 of 100 are no slower.
    pub p99: u64,
    /// 999 of 1000 are no slower.
    pub p999: u64,
    /// Slowest.
    pub max: u64,
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, HIGHEST_NS, 3).expect("constant bounds are valid")
}

impl Default for Latency {
    fn default() -> Self {
        let all = || SPANS.iter().map(|_| histogram()).collect();
        Latency { market: all(), private: all(), cancels: histogram() }
    }
}

impl Latency {
    /// Books an order that has left. Orders set off by time alone have no first frame and are not counted.
    pub fn order(&mut self, trace: &Trace) {
        let spans = match trace.cause {
            Cause::Market => &mut self.market,
            Cause::Private => &mut self.private,
            Cause::Timer => return,
        };
        for (histogram, (_, from, to)) in spans.iter_mut().zip(SPANS) {
            let (from, to) = (trace.at(from), trace.at(to));
            if from.0 > 0 && to.0 > 0 {
                histogram.saturating_record(to.since(from));
            }
        }
    }

    /// Books a cancel that has left.
    pub fn cancel(&mut self, trace: &Trace) {
        let from = trace.at(Stage::FrameIn);
        if from.0 > 0 {
            self.cancels.saturating_record(trace.at(Stage::FrameOut).since(from));
        }
    }

    /// Percentiles per span of orders set off by market data.
    pub fn market(&self) -> Vec<(&'static str, Percentiles)> {
        named(&self.market)
    }

    /// Percentiles per span of orders set off by a private frame (fill to hedge).
    pub fn private(&self) -> Vec<(&'static str, Percentiles)> {
        named(&self.private)
    }

    /// Frame to cancel frame.
    pub fn cancels(&self) -> Percentiles {
        percentiles(&self.cancels)
    }
}

fn named(histograms: &[Histogram<u64>]) -> Vec<(&'static str, Percentiles)> {
    SPANS.iter().zip(histograms).map(|((name, _, _), histogram)| (*name, percentiles(histogram))).collect()
}

/// Percentiles of a histogram.
pub fn percentiles(histogram: &Histogram<u64>) -> Percentiles {
    Percentiles {
        count: histogram.len(),
        p50: histogram.value_at_quantile(0.5),
        p99: histogram.value_at_quantile(0.99),
        p999: histogram.value_at_quantile(0.999),
        max: histogram.max(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Nanos;

    #[test]
    fn each_span_is_measured_from_the_stage_before() {
        let mut trace = Trace::from_frame(Cause::Market, Nanos(1_000));
        for (place, stage) in
            [Stage::Decoded, Stage::Priced, Stage::Decided, Stage::Approved, Stage::Signed, Stage::FrameOut]
                .into_iter()
                .enumerate()
        {
            trace.stamp(stage, Nanos(1_000 + 100 * (place as u64 + 1)));
        }
        let mut latency = Latency::default();
        latency.order(&trace);
        let spans = latency.market();
        assert!(spans[..6].iter().all(|(_, p)| p.count == 1 && p.max == 100), "{spans:?}");
        assert_eq!((spans[6].0, spans[6].1.max), ("total", 600));
        assert_eq!(latency.private()[6].1.count, 0);
        latency.order(&Trace::default());
        assert_eq!(latency.market()[6].1.count, 1);
    }
}
