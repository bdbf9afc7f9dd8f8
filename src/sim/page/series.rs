//! Records as points: exact amounts become the nearest floats here, and only for drawing.

use super::thin::thin;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

/// An amount as the nearest float, which is always finite.
pub fn float(amount: Decimal) -> f64 {
    amount.to_f64().unwrap_or_default()
}

/// Points in order of time, thinned to a picture `columns` wide.
pub fn line(points: impl Iterator<Item = (f64, f64)>, columns: u32) -> Vec<(f64, f64)> {
    let mut points: Vec<(f64, f64)> = points.collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    thin(points, columns as usize)
}

/// The same with holes: one line for every stretch without any.
pub fn stretches(points: impl Iterator<Item = (f64, Option<f64>)>, columns: u32) -> Vec<Vec<(f64, f64)>> {
    let mut points: Vec<(f64, Option<f64>)> = points.collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    let ends = points.first().zip(points.last()).map_or((0.0, 1.0), |(first, last)| (first.0, last.0));
    let share = |run: &[(f64, f64)]| {
        let width = run.first().zip(run.last()).map_or(0.0, |(first, last)| last.0 - first.0);
        (width / (ends.1 - ends.0).max(f64::MIN_POSITIVE) * f64::from(columns)).ceil().max(1.0) as usize
    };
    let runs = points.split(|(_, y)| y.is_none());
    let runs = runs.map(|run| run.iter().filter_map(|(x, y)| Some((*x, (*y)?))).collect::<Vec<_>>());
    runs.filter(|run| !run.is_empty())
        .map(|run| {
            let columns = share(&run);
            thin(run, columns)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_part_a_line() {
        let points = [(3.0, None), (1.0, Some(5.0)), (2.0, Some(6.0)), (4.0, Some(7.0)), (5.0, None), (6.0, None)];
        assert_eq!(stretches(points.into_iter(), 100), [vec![(1.0, 5.0), (2.0, 6.0)], vec![(4.0, 7.0)]]);
    }

    #[test]
    fn points_are_put_in_order() {
        assert_eq!(line([(2.0, 1.0), (1.0, 2.0)].into_iter(), 10), [(1.0, 2.0), (2.0, 1.0)]);
    }
}
