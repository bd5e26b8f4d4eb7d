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
    let slope = slope(ages)?;
    let change = slope * (ages.back()?.0 - ages.front()?.0) as f64;
    let tells = slope.abs() >= SLOPE && change.abs() > noise.max(1_000) as f64;
    Some(match tells {
        false => Trend::Steady,
        true if slope > 0.0 => Trend::Growing,
        true => Trend::Shrinking,
    })
}

/// How fast some ages grow, oldest first, in seconds a second: the slope of their regression line.
pub fn slope(ages: &VecDeque<(Millis, Millis)>) -> Option<f64> {
    if ages.len() < LEAST {
        return None;
    }
    let count = ages.len() as f64;
    let first = ages.front()?.0;
    let points = || ages.iter().map(|(time, age)| ((time - first) as f64, *age as f64));
    let (sum_t, sum_a) = points().fold((0.0, 0.0), |(t, a), (x, y)| (t + x, a + y));
    let (mean_t, mean_a) = (sum_t / count, sum_a / count);
    let (cov, var) = points()
        .fold((0.0, 0.0), |(cov, var), (t, a)| (cov + (t - mean_t) * (a - mean_a), var + (t - mean_t) * (t - mean_t)));
    Some(if var > 0.0 { cov / var } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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

    /// Times that rise, and an age at each.
    fn sights() -> impl Strategy<Value = Vec<(Millis, Millis)>> {
        prop::collection::vec((1..120_000_i64, 0..10_000_000_i64), 3..=10).prop_map(|steps| {
            let mut time = 0;
            let mut sight = |(step, age)| {
                time += step;
                (time - step, age)
            };
            steps.into_iter().map(&mut sight).collect()
        })
    }

    proptest! {
        #[test]
        fn an_age_on_a_line_has_the_slope_of_that_line(sights in sights(), from in 0..10_000_000_i64, slope_percent in -100..300_i64) {
            let on_line = |(time, _): &(Millis, Millis)| (*time, 20_000_000 + from + time * slope_percent / 100);
            let ages: Vec<_> = sights.iter().map(on_line).collect();
            let found = slope(&ages.iter().copied().collect()).unwrap();
            let (wanted, span) = (slope_percent as f64 / 100.0, ages[ages.len() - 1].0 as f64);
            // Ages are whole milliseconds.
            prop_assert!((found - wanted).abs() <= 4.0 / span, "{found}");
            let expected = match slope_percent {
                _ if (wanted * span).abs() <= 1_100.0 => return Ok(()),
                ..=-11 => Trend::Shrinking,
                11.. => Trend::Growing,
                -9..=9 => Trend::Steady,
                _ => return Ok(()),
            };
            prop_assert_eq!(told(&ages), Some(expected), "{} over {}", found, span);
        }

        #[test]
        fn neither_the_hour_nor_the_level_matters_and_a_mirror_turns_it(
            sights in sights(), later in 0..1_000_000_000_i64, older in 0..1_000_000_000_i64,
        ) {
            let found = told(&sights);
            let moved: Vec<_> = sights.iter().map(|(time, age)| (time + later, age + older)).collect();
            prop_assert_eq!(told(&moved), found);
            let mirrored: Vec<_> = sights.iter().map(|(time, age)| (*time, 10_000_000 - age)).collect();
            let turned = found.map(|trend| match trend {
                Trend::Growing => Trend::Shrinking,
                Trend::Shrinking => Trend::Growing,
                Trend::Steady => Trend::Steady,
            });
            prop_assert_eq!(told(&mirrored), turned);
        }
    }
}
