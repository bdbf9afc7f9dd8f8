//! Pictures with one place per week: prices with strikes, value against holding, profit and loss by reason.

use super::axis::{Axis, DAY_S};
use super::ink::Ink;
use super::panel::{Mark, Panel};
use super::series::{float, line};
use crate::sim::record::{Record, Week};

/// Width of a picture across the page, pixels.
pub const WIDTH_PX: u32 = 1_040;
const PRICE_SIZE_PX: (u32, u32) = (WIDTH_PX, 380);
const VALUE_SIZE_PX: (u32, u32) = (WIDTH_PX, 280);
const WEEK_S: f64 = 7.0 * DAY_S;

/// Everything drawn shares the run's time axis, so that pictures line up under each other.
fn panel(record: &Record, title: String, size_px: (u32, u32), marks: Vec<Mark>) -> Panel {
    let ends = [record.start_s as f64, record.end_s as f64];
    let places = || marks.iter().flat_map(Mark::places);
    let ends = ends.into_iter().filter(|_| record.end_s > 0);
    let x = Axis::dates(ends.chain(places().map(|place| place.0)));
    let y = Axis::numbers(places().map(|place| place.1), 6);
    Panel { title, below: "", size_px, x, y, marks }
}

/// Index price, strikes from auction to expiry, settlements.
pub fn prices(record: &Record) -> Panel {
    let path = line(record.prices.iter().map(|point| (point.at_s as f64, float(point.price))), WIDTH_PX);
    let mut marks: Vec<Mark> = Vec::new();
    for week in &record.weeks {
        let (from, to) = (auction_s(record, week), week.expiry_s as f64);
        if let [first, second] = week.strikes[..] {
            let corners = [(from, float(first)), (to, float(second))];
            marks.push(Mark::Area { corners, ink: Ink::Orange, opacity: 0.13 });
        }
        for (leg, strike) in week.strikes.iter().enumerate() {
            let ink = if leg == 0 { Ink::Orange } else { Ink::Green };
            let points = vec![(from, float(*strike)), (to, float(*strike))];
            marks.push(Mark::Line { points, ink, width_px: 2.0 });
        }
    }
    marks.push(Mark::Line { points: path, ink: Ink::Blue, width_px: 1.25 });
    let radius_px = if record.weeks.len() > 60 { 2.5 } else { 4.0 };
    for week in record.weeks.iter().filter(|week| !week.settlement.is_zero()) {
        let (at, full) = ((week.expiry_s as f64, float(week.settlement)), !week.payoff.is_zero());
        marks.push(Mark::Dot { at, radius_px, ink: Ink::Red, full });
    }
    panel(record, format!("{} index price, USD", record.currency), PRICE_SIZE_PX, marks)
}

/// When the week's option auction began; a week before expiry if it never did.
fn auction_s(record: &Record, week: &Week) -> f64 {
    let ours = record.auctions.iter().find(|auction| auction.week == week.week && auction.phase == "option-auction");
    ours.map_or(week.expiry_s as f64 - WEEK_S, |auction| auction.started_ms as f64 / 1_000.0)
}

/// Vault value in USD against what holding would be worth.
pub fn value_usd(record: &Record) -> Panel {
    let holding = line(record.values.iter().map(|point| (point.at_s as f64, float(point.holding_usd))), WIDTH_PX);
    let vault = line(record.values.iter().map(|point| (point.at_s as f64, float(point.value_usd))), WIDTH_PX);
    let marks = vec![
        Mark::Line { points: holding, ink: Ink::Violet, width_px: 1.25 },
        Mark::Line { points: vault, ink: Ink::Blue, width_px: 1.25 },
    ];
    panel(record, "Value, USD".to_owned(), VALUE_SIZE_PX, with_points(marks))
}

/// Vault value in its own asset, with the deposit as reference.
pub fn value_own(record: &Record) -> Panel {
    let vault = line(record.values.iter().map(|point| (point.at_s as f64, float(point.value))), WIDTH_PX);
    let ends = vault.first().zip(vault.last()).map(|(first, last)| (first.0, last.0));
    let mut marks = Vec::new();
    if let Some((from, to)) = ends.filter(|(from, to)| from < to) {
        let deposit = float(record.deposited);
        marks.push(Mark::Dashes { ends: [(from, deposit), (to, deposit)], ink: Ink::Violet });
    }
    marks.push(Mark::Line { points: vault, ink: Ink::Blue, width_px: 1.5 });
    for week in record.weeks.iter().filter(|week| !week.value.is_zero()) {
        let at = (week.expiry_s as f64, float(week.value));
        marks.push(Mark::Dot { at, radius_px: 2.5, ink: Ink::Blue, full: true });
    }
    panel(record, format!("Value, {}", record.collateral), VALUE_SIZE_PX, with_points(marks))
}

/// A line of one point shows as a dot.
fn with_points(marks: Vec<Mark>) -> Vec<Mark> {
    let dot = |mark: Mark| match mark {
        Mark::Line { points, ink, .. } if points.len() == 1 => {
            Mark::Dot { at: points[0], radius_px: 2.0, ink, full: true }
        }
        other => other,
    };
    marks.into_iter().map(dot).collect()
}

/// Reasons in the order they are stacked, with their colours.
pub const REASONS: [(&str, Ink); 5] = [
    ("premium", Ink::Blue),
    ("payoff", Ink::Orange),
    ("fees", Ink::Red),
    ("collateral cost", Ink::Violet),
    ("interest", Ink::Green),
];

/// What each reason made of a week, USDC; costs are negative.
fn parts(week: &Week) -> [f64; 5] {
    [week.premium, week.payoff, -week.fees, -week.collateral_cost, week.interest].map(float)
}

/// Profit and loss of each week by reason, stacked from zero in the middle of the week, and the net of it.
pub fn profit(record: &Record) -> Panel {
    let mut marks = Vec::new();
    let week_s = week_s(&record.weeks);
    // A run of few weeks still has bars rather than walls.
    let half = (week_s / 3.0).min((record.end_s as f64 - record.start_s as f64).abs().max(week_s) / 24.0);
    let mut net = Vec::new();
    for week in &record.weeks {
        let at = week.expiry_s as f64 - week_s / 2.0;
        let (mut up, mut down) = (0.0, 0.0);
        for (part, (_, ink)) in parts(week).into_iter().zip(REASONS) {
            let edge = if part >= 0.0 { &mut up } else { &mut down };
            let from = *edge;
            *edge += part;
            let corners = [(at - half, from), (at + half, *edge)];
            if part != 0.0 {
                marks.push(Mark::Area { corners, ink, opacity: 0.85 });
            }
        }
        net.push((at, up + down));
    }
    let ends = net.first().zip(net.last()).map(|(first, last)| [(first.0 - half, 0.0), (last.0 + half, 0.0)]);
    marks.extend(ends.map(|ends| Mark::Line { points: ends.to_vec(), ink: Ink::Rule, width_px: 1.0 }));
    let dot_px = if net.len() > 60 { 1.5 } else { 3.0 };
    marks.push(Mark::Line { points: net.clone(), ink: Ink::Label, width_px: 1.25 });
    marks.extend(net.into_iter().map(|at| Mark::Dot { at, radius_px: dot_px, ink: Ink::Label, full: true }));
    panel(record, "Profit and loss of the week, USDC".to_owned(), PRICE_SIZE_PX, marks)
}

/// Length of a week, seconds: the least distance between two expiries.
fn week_s(weeks: &[Week]) -> f64 {
    let gaps = weeks.windows(2).map(|pair| pair[1].expiry_s as f64 - pair[0].expiry_s as f64);
    gaps.filter(|gap| *gap > 0.0).fold(WEEK_S, f64::min)
}
