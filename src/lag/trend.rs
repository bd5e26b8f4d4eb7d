//! Where an age is heading.

use std::collections::VecDeque;

use super::Millis;
use super::report::Trend;

/// Sights below which no trend is told.
const LEAST: usize = 3;

/// The least slope that counts: a group that stands still has 1.
const SLOPE: f64 = 0.1;

/// The trend of some ages, oldest first, by the slope of their regression line.
///
/// A slope below a tenth of a second a second is none, nor is a change that is smaller than `noise` or a second.
pub fn trend(ages: &VecDeque<(Millis, Millis)>, noise: Millis) -> Option<Trend> {
    if ages.len() < LEAST {
        return None;
    }
    let count = ages.len() as f64;
    let (first, last) = (ages.front()?.0, ages.back()?.0);
    let points = || ages.iter().map(|(time, age)| ((time - first) as f64, *age as f64));
    let (sum_t, sum_a) = points().fold((0.0, 0.0), |(t, a), (x, y)| (t + x, a + y));
    let (mean_t, mean_a) = (sum_t / count, sum_a / count);
    let (cov, var) = points()
        .fold((0.0, 0.0), |(cov, var), (t, a)| (cov + (t - mean_t) * (a - mean_a), var + (t - mean_t) * (t - mean_t)));
    let slope = if var > 0.0 { cov / var } else { 0.0 };
    let change = slope * (last - first) as f64;
    let tells = slope.abs() >= SLOPE && change.abs() > noise.max(1_000) as f64;
    Some(match tells {
        false => Trend::Steady,
        true if slope > 0.0 => Trend::Growing,
        true => Trend::Shrinking,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(ages: &[(Millis, Millis)]) -> Option<Trend> {
        trend(&ages.iter().copied().collect(), 0)
    }

    #[test]
    fn a_stopped_group_grows_and_a_recovering_one_shrinks() {
        assert_eq!(told(&[(0, 60_000), (60_000, 120_000), (120_000, 180_000)]), Some(Trend::Growing));
        assert_eq!(told(&[(0, 90_000), (1_000, 60_000), (2_000, 30_000)]), Some(Trend::Shrinking));
    }

    #[test]
    fn small_changes_and_few_sights_tell_nothing() {
        assert_eq!(told(&[(0, 300), (1_000, 900), (2_000, 100)]), Some(Trend::Steady));
        assert_eq!(told(&[(0, 0), (1_000, 9_000)]), None);
    }
}
