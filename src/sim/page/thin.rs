//! Long lines made as short as the picture can show, without losing a peak.

/// Keeps, of the points that share a column of the picture, the first, the lowest, the highest and the last, in order.
///
/// Points must be sorted by `x`; a line of `columns` columns keeps at most four points each.
pub fn thin(points: Vec<(f64, f64)>, columns: usize) -> Vec<(f64, f64)> {
    let ends = points.first().zip(points.last()).map(|(first, last)| (first.0, last.0));
    let Some((low, high)) = ends.filter(|(low, high)| low < high) else { return points };
    if points.len() <= 4 * columns {
        return points;
    }
    let column = |x: f64| ((x - low) / (high - low) * columns as f64) as usize;
    let mut kept = Vec::with_capacity(4 * columns);
    for bucket in points.chunk_by(|a, b| column(a.0) == column(b.0)) {
        let by_height = |pick: fn(f64, f64) -> bool| {
            (0..bucket.len()).reduce(|best, i| if pick(bucket[i].1, bucket[best].1) { i } else { best }).unwrap_or(0)
        };
        let mut picks = [0, by_height(|y, best| y < best), by_height(|y, best| y > best), bucket.len() - 1];
        picks.sort_unstable();
        let mut last = None;
        for pick in picks.into_iter().filter(|pick| last.replace(*pick) != Some(*pick)) {
            kept.push(bucket[pick]);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn extremes_and_ends_survive(heights in proptest::collection::vec(-1e6f64..1e6, 1..5_000), columns in 1usize..50) {
            let points: Vec<(f64, f64)> = heights.iter().enumerate().map(|(i, y)| (i as f64, *y)).collect();
            let kept = thin(points.clone(), columns);
            prop_assert!(kept.len() <= 4 * (columns + 1));
            prop_assert!(kept.is_sorted_by(|a, b| a.0 < b.0));
            prop_assert_eq!(kept.first(), points.first());
            prop_assert_eq!(kept.last(), points.last());
            let highest = |points: &[(f64, f64)]| points.iter().map(|p| p.1).fold(f64::MIN, f64::max);
            let lowest = |points: &[(f64, f64)]| points.iter().map(|p| p.1).fold(f64::MAX, f64::min);
            prop_assert_eq!(highest(&kept).to_bits(), highest(&points).to_bits());
            prop_assert_eq!(lowest(&kept).to_bits(), lowest(&points).to_bits());
        }
    }
}
