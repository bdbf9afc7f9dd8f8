//! Small pictures of auctions: what was demanded, what was offered, what was filled.

use super::axis::Axis;
use super::ink::Ink;
use super::panel::{Mark, Panel};
use super::series::{float, line, stretches};
use crate::sim::record::{Auction, Record};

/// Size of a small picture, pixels.
const SIZE_PX: (u32, u32) = (336, 232);
/// Room of its lines, pixels.
const COLUMNS: u32 = 270;
/// Small pictures per kind of auction.
pub const SHOWN_MAX: usize = 12;

/// Auctions of a phase that are drawn, evenly spread with the first and the last, and how many there were.
pub fn shown<'a>(record: &'a Record, phase: &str) -> (Vec<&'a Auction>, usize) {
    let all: Vec<&Auction> = record.auctions.iter().filter(|auction| auction.phase == phase).collect();
    let count = all.len();
    if count <= SHOWN_MAX {
        return (all, count);
    }
    let picks = (0..SHOWN_MAX).map(|i| i * (count - 1) / (SHOWN_MAX - 1));
    (picks.filter_map(|pick| all.get(pick).copied()).collect(), count)
}

/// An auction's limit, mark, best quote and fills over the minutes since its clock started.
pub fn picture(auction: &Auction) -> Panel {
    let minutes = |at_ms: u64| (at_ms as f64 - auction.started_ms as f64) / 60_000.0;
    let demands = &auction.demands;
    let marks_line = line(demands.iter().map(|demand| (minutes(demand.at_ms), float(demand.mark))), COLUMNS);
    let limit = line(demands.iter().map(|demand| (minutes(demand.at_ms), float(demand.limit))), COLUMNS);
    let quotes = demands.iter().map(|demand| (minutes(demand.at_ms), demand.best.map(float)));
    let mut marks = vec![Mark::Line { points: marks_line, ink: Ink::Violet, width_px: 1.25 }];
    for run in stretches(quotes, COLUMNS) {
        marks.push(match run[..] {
            [at] => Mark::Dot { at, radius_px: 1.0, ink: Ink::Orange, full: true },
            _ => Mark::Line { points: run, ink: Ink::Orange, width_px: 1.25 },
        });
    }
    marks.push(Mark::Line { points: limit, ink: Ink::Blue, width_px: 1.75 });
    let largest = auction.fills.iter().map(|fill| float(fill.amount).abs()).fold(0.0, f64::max);
    for fill in &auction.fills {
        let share = if largest > 0.0 { (float(fill.amount).abs() / largest).sqrt() } else { 1.0 };
        let at = (minutes(fill.at_ms), float(fill.price));
        marks.push(Mark::Dot { at, radius_px: 2.0 + 3.0 * share, ink: Ink::Green, full: false });
    }
    let places = || marks.iter().flat_map(Mark::places);
    let x = Axis::tight(places().map(|place| place.0).chain([0.0]), 5);
    let y = Axis::numbers(places().map(|place| place.1), 5);
    Panel { title: "USDC per unit".to_owned(), below: "minutes since the clock started", size_px: SIZE_PX, x, y, marks }
}
