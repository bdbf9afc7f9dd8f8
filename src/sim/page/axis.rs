//! Axes: ranges that always have a width, ticks at round numbers and round dates, and their labels.

use crate::sim::table::moment;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use std::ops::Range;

/// Seconds of a day.
pub const DAY_S: f64 = 86_400.0;
/// Most ticks of a time axis.
const DATES_MAX: f64 = 10.0;
/// Last second of the calendar.
const CALENDAR_END_S: f64 = 253_402_207_200.0;

/// A range of numbers with labelled ticks inside it.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// Lowest number shown.
    pub low: f64,
    /// Highest number shown, above `low`.
    pub high: f64,
    /// Where a tick is and what it says.
    pub ticks: Vec<(f64, String)>,
}

impl Axis {
    /// Round numbers, about `wanted` of them, over what is given and a little more.
    pub fn numbers(values: impl Iterator<Item = f64>, wanted: usize) -> Axis {
        let (low, high) = span(values, 0.06);
        Axis { low, high, ticks: number_ticks(low, high, wanted) }
    }

    /// Round numbers over exactly what is given.
    pub fn tight(values: impl Iterator<Item = f64>, wanted: usize) -> Axis {
        let (low, high) = span(values, 0.0);
        Axis { low, high, ticks: number_ticks(low, high, wanted) }
    }

    /// Dates over what is given, unix seconds.
    pub fn dates(seconds: impl Iterator<Item = f64>) -> Axis {
        let (low, high) = span(seconds, 0.01);
        Axis { low, high, ticks: date_ticks(low, high) }
    }

    /// Longest label, in characters.
    pub fn label_chars(&self) -> usize {
        self.ticks.iter().map(|(_, label)| label.chars().count()).max().unwrap_or(0)
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    /// The nearest whole unit between the ends: nothing is drawn past the axis.
    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        limit.0 + (share * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.iter().map(|(at, _)| *at).collect()
    }

    fn range(&self) -> Range<f64> {
        self.low..self.high
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        let tick = self.ticks.iter().find(|(at, _)| at.total_cmp(value).is_eq());
        tick.map_or_else(String::new, |(_, label)| label.clone())
    }
}

/// From lowest to highest with a margin (a share of the span), wide enough to tell its ends apart.
fn span(values: impl Iterator<Item = f64>, margin: f64) -> (f64, f64) {
    let ends = values
        .filter(|v| v.is_finite())
        .fold(None, |ends: Option<(f64, f64)>, v| Some(ends.map_or((v, v), |(low, high)| (low.min(v), high.max(v)))));
    let (low, high) = ends.unwrap_or((0.0, 1.0));
    let least = (low.abs().max(high.abs()) * 1e-6).max(1e-9);
    let margin = if high - low < least { least } else { (high - low) * margin };
    (low - margin, high + margin)
}

/// The round step (1, 2 or 5 times a power of ten) nearest above `rough`.
fn round_step(rough: f64) -> f64 {
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= rough * 0.999);
    step.unwrap_or(10.0) * power
}

fn number_ticks(low: f64, high: f64, wanted: usize) -> Vec<(f64, String)> {
    let step = round_step((high - low) / wanted.max(1) as f64);
    let (first, last) = ((low / step).ceil(), (high / step).floor());
    // At most twice as many as wanted, whatever rounding did.
    let count = ((last - first).max(-1.0) + 1.0).min(2.0 * wanted as f64 + 1.0) as usize;
    (0..count).map(|i| (first + i as f64) * step).map(|at| (at, number_label(at, step))).collect()
}

/// A number as precise as its axis needs, thousands apart, millions and more by letter.
fn number_label(at: f64, step: f64) -> String {
    let (unit, letter) = match at.abs().max(step) {
        size if size >= 1e15 => return format!("{at:.2e}"),
        size if size >= 1e12 => (1e12, "T"),
        size if size >= 1e9 => (1e9, "B"),
        size if size >= 1e6 => (1e6, "M"),
        _ => (1.0, ""),
    };
    let decimals = (-(step / unit * 1.001).log10().floor()).clamp(0.0, 12.0) as usize;
    let text = format!("{:.decimals$}", (at / unit).abs());
    let sign = if at < 0.0 && text.bytes().any(|b| (b'1'..=b'9').contains(&b)) { "−" } else { "" };
    format!("{sign}{}{letter}", grouped(&text))
}

/// Thousands apart by a comma.
fn grouped(text: &str) -> String {
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut out = String::with_capacity(text.len() + 4);
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out + rest
}

/// Steps of a date axis.
#[derive(Clone, Copy, Debug)]
enum Step {
    Hours(f64),
    /// Days, counted from a Friday, the day weekly options expire.
    Days(f64),
    Months(i32),
}

const STEPS: [Step; 22] = [
    Step::Hours(1.0),
    Step::Hours(3.0),
    Step::Hours(6.0),
    Step::Hours(12.0),
    Step::Days(1.0),
    Step::Days(2.0),
    Step::Days(7.0),
    Step::Days(14.0),
    Step::Days(28.0),
    Step::Months(1),
    Step::Months(2),
    Step::Months(3),
    Step::Months(6),
    Step::Months(12),
    Step::Months(24),
    Step::Months(60),
    Step::Months(120),
    Step::Months(600),
    Step::Months(1_200),
    Step::Months(6_000),
    Step::Months(12_000),
    Step::Months(60_000),
];

impl Step {
    fn seconds(self) -> f64 {
        match self {
            Step::Hours(hours) => hours * 3_600.0,
            Step::Days(days) => days * DAY_S,
            Step::Months(months) => f64::from(months) * 30.44 * DAY_S,
        }
    }

    fn ticks(self, low: f64, high: f64) -> Vec<f64> {
        let every = |step: f64, origin: f64| {
            let first = ((low - origin) / step).ceil();
            let ticks = (0..=2 * DATES_MAX as u32).map(move |i| origin + (first + f64::from(i)) * step);
            ticks.take_while(|at| *at <= high).collect::<Vec<_>>()
        };
        match self {
            Step::Hours(_) => every(self.seconds(), 0.0),
            // The first day of the epoch was a Thursday.
            Step::Days(_) => every(self.seconds(), DAY_S),
            Step::Months(months) => month_ticks(months, low, high),
        }
    }

    fn format(self) -> &'static str {
        match self {
            Step::Hours(_) => "%-d %b %H:%M",
            Step::Days(_) => "%-d %b %Y",
            Step::Months(months) if months % 12 == 0 => "%Y",
            Step::Months(_) => "%b %Y",
        }
    }
}

fn date_ticks(low: f64, high: f64) -> Vec<(f64, String)> {
    let (low, high) = (low.clamp(0.0, CALENDAR_END_S), high.clamp(0.0, CALENDAR_END_S));
    let step = STEPS.into_iter().find(|step| (high - low) / step.seconds() <= DATES_MAX).unwrap_or(STEPS[21]);
    let label = |at: f64| moment((at * 1_000.0) as u64).to_zoned(TimeZone::UTC).strftime(step.format()).to_string();
    step.ticks(low, high).into_iter().map(|at| (at, label(at))).collect()
}

/// First days of months whose number since year zero is a multiple of `months`.
fn month_ticks(months: i32, low: f64, high: f64) -> Vec<f64> {
    let start = moment((low * 1_000.0) as u64).to_zoned(TimeZone::UTC).date();
    let number = i32::from(start.year()) * 12 + i32::from(start.month()) - 1;
    let first = number.div_euclid(months) * months;
    let at = |number: i32| {
        let (year, month) = (i16::try_from(number.div_euclid(12)).ok()?, i8::try_from(number.rem_euclid(12) + 1).ok()?);
        let zoned = Date::new(year, month, 1).ok()?.to_zoned(TimeZone::UTC).ok()?;
        Some(zoned.timestamp().as_second() as f64)
    };
    let ticks = (0..=2 * DATES_MAX as i32).filter_map(|i| at(first + i * months));
    ticks.filter(|at| (low..=high).contains(at)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn ticks_are_round_numbers() {
        assert_eq!(
            labels(&Axis::tight([3_000.0, 4_000.0].into_iter(), 5)),
            ["3,000", "3,200", "3,400", "3,600", "3,800", "4,000"]
        );
        assert_eq!(labels(&Axis::tight([-0.2, 0.2].into_iter(), 4)), ["−0.2", "−0.1", "0.0", "0.1", "0.2"]);
        assert_eq!(labels(&Axis::tight([0.0, 3e6].into_iter(), 3)), ["0M", "1M", "2M", "3M"]);
        assert_eq!(
            labels(&Axis::tight([99.95, 100.15].into_iter(), 4)),
            ["99.95", "100.00", "100.05", "100.10", "100.15"]
        );
    }

    #[test]
    fn dates_fall_on_fridays_and_first_days() {
        let friday = 1_796_342_400.0;
        let weeks = Axis::dates([friday, friday + 42.0 * DAY_S].into_iter());
        assert_eq!(labels(&weeks)[..2], ["4 Dec 2026", "11 Dec 2026"]);
        let years = Axis::dates([friday, friday + 3_640.0 * DAY_S].into_iter());
        assert_eq!(labels(&years)[..2], ["2028", "2030"]);
        let day = Axis::dates([friday, friday + 0.9 * DAY_S].into_iter());
        assert_eq!(labels(&day)[..2], ["4 Dec 00:00", "4 Dec 03:00"]);
    }

    proptest! {
        #[test]
        fn any_axis_has_a_width_and_few_ticks(values in proptest::collection::vec(-8e28f64..8e28, 0..5), dates: bool) {
            let axis = if dates { Axis::dates(values.into_iter()) } else { Axis::numbers(values.into_iter(), 5) };
            prop_assert!(axis.low < axis.high && axis.low.is_finite() && axis.high.is_finite());
            prop_assert!(axis.ticks.len() <= 21, "{} ticks", axis.ticks.len());
        }

        #[test]
        fn narrow_axes_high_up_have_a_width(base in -8e28f64..8e28, width in 0f64..1.0) {
            let axis = Axis::numbers([base, base + width].into_iter(), 5);
            prop_assert!(axis.low < axis.high);
            prop_assert!(axis.ticks.iter().all(|(at, _)| at.is_finite()));
        }

        #[test]
        fn dates_of_any_span_inside_the_calendar_are_labelled(start in 0u64..4_000_000_000, span in 3_600u64..400_000_000) {
            let axis = Axis::dates([start as f64, (start + span) as f64].into_iter());
            prop_assert!((1..=12).contains(&axis.ticks.len()), "{} ticks", axis.ticks.len());
            prop_assert!(axis.ticks.iter().all(|(at, _)| (axis.low..=axis.high).contains(at)));
        }
    }
}
