//! Maximum, total and percentiles over partitions.

/// The value at the nearest rank of `percent` (1 to 100) in `sorted`: the smallest that at least that share of the
/// values does not exceed.
pub fn nearest_rank<T: Copy>(sorted: &[T], percent: usize) -> Option<T> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.max(1) - 1).copied()
}

/// Median, 95th percentile, maximum of some values; `None` for none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spread<T> {
    /// The median.
    pub p50: T,
    /// The 95th percentile.
    pub p95: T,
    /// The largest.
    pub max: T,
}

/// The spread of `values`, which it sorts.
pub fn spread<T: Copy + Ord>(values: &mut [T]) -> Option<Spread<T>> {
    values.sort_unstable();
    Some(Spread { p50: nearest_rank(values, 50)?, p95: nearest_rank(values, 95)?, max: *values.last()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_rank_takes_a_value_that_is_there() {
        let values: Vec<i64> = (1..=20).collect();
        assert_eq!(nearest_rank(&values, 50), Some(10));
        assert_eq!(nearest_rank(&values, 95), Some(19));
        assert_eq!(nearest_rank(&[7], 50), Some(7));
        assert_eq!(nearest_rank::<i64>(&[], 95), None);
    }

    #[test]
    fn the_spread_of_one_value_is_that_value() {
        assert_eq!(spread(&mut [4]), Some(Spread { p50: 4, p95: 4, max: 4 }));
        assert_eq!(spread::<i64>(&mut []), None);
    }
}
