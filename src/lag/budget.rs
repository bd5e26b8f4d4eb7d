//! The error budget of a group: how much of it is left, and how fast it is spent.
//!
//! After "Alerting on SLOs" in The Site Reliability Workbook (Google, 2018), with time in place of requests: each sample
//! stands for the time since the one before, and its error is the share of partitions over their limits. The burn rate
//! over a window is `bad time / (window × (1 − target))`.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::Millis;
use super::judge::seconds;
use super::report::Budget;
use super::slo::Compliance;

/// The period of the budget: 30 days, as in the book's examples.
const PERIOD: Millis = 30 * DAY;

const MINUTE: Millis = 60_000;
const HOUR: Millis = 60 * MINUTE;
const DAY: Millis = 24 * HOUR;

/// Length of the buckets for windows of up to 6 hours, and of those for longer ones.
const FINE: Millis = 5 * MINUTE;
const COARSE: Millis = 6 * HOUR;

/// Intervals after which a sample no longer stands for the whole time since the one before.
const GAP: Millis = 3;

/// What was spent, bucket by bucket; about 2 KiB after a month.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Spending {
    /// When the last sample was.
    last: Option<Millis>,
    fine: VecDeque<Bucket>,
    coarse: VecDeque<Bucket>,
}

/// The spending of one stretch of time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Bucket {
    /// The number of the stretch since 1970.
    number: i32,
    /// Seconds over the limits, each weighed by the share of partitions that were.
    bad: f32,
    /// Seconds observed.
    seen: f32,
}

impl Spending {
    /// Takes in what one sample showed; says whether a bucket was begun, so that it should be stored.
    ///
    /// Partitions of which it is not known whether they are over their limits count as little as those without commit.
    pub fn add(&mut self, compliance: Compliance, interval: Millis, now: Millis) -> bool {
        let elapsed = self.last.replace(now).map_or(0, |last| now - last);
        let known = compliance.within.saturating_add(compliance.breaching);
        if known == 0 || elapsed <= 0 {
            return false;
        }
        let elapsed = if elapsed > interval.saturating_mul(GAP) { interval } else { elapsed };
        let error = compliance.breaching as f64 / known as f64;
        let begun = self.fine.back().map(|bucket| bucket.number);
        // The last six hours at most can be told by buckets.
        put(&mut self.fine, FINE, 6 * HOUR, (now - elapsed.min(6 * HOUR), now), error);
        put(&mut self.coarse, COARSE, PERIOD, (now - elapsed, now), error);
        begun != self.fine.back().map(|bucket| bucket.number)
    }

    /// Takes note that the clock was set, forward or back, and shows `now`: what was spent stays where it stands, but for what
    /// would stand in the future.
    pub fn clock_set(&mut self, by: Millis, now: Millis) {
        self.last = self.last.map(|last| last + by);
        for (buckets, length) in [(&mut self.fine, FINE), (&mut self.coarse, COARSE)] {
            buckets.retain(|bucket| Millis::from(bucket.number) <= now.div_euclid(length));
        }
    }

    /// The budget at `now` for a target from 0 to 100 percent.
    pub fn figures(&self, target_percent: u32, now: Millis) -> Budget {
        let allowed = 1.0 - f64::from(target_percent) / 100.0;
        let burn = |buckets: &VecDeque<Bucket>, length: Millis, window: Millis| {
            let bad = over(buckets, length, window, now).0;
            (target_percent < 100).then(|| bad / (seconds(window) * allowed))
        };
        Budget {
            period_seconds: seconds(PERIOD),
            observed_seconds: over(&self.coarse, COARSE, PERIOD, now).1,
            remaining: burn(&self.coarse, COARSE, PERIOD).map(|spent| 1.0 - spent),
            burn_rate_5m: burn(&self.fine, FINE, 5 * MINUTE),
            burn_rate_30m: burn(&self.fine, FINE, 30 * MINUTE),
            burn_rate_1h: burn(&self.fine, FINE, HOUR),
            burn_rate_6h: burn(&self.fine, FINE, 6 * HOUR),
            burn_rate_3d: burn(&self.coarse, COARSE, 3 * DAY),
        }
    }
}

/// The share of partitions over their limits that is as urgent as the rates below, where the target is so low that they
/// cannot be reached: at 80 % nothing burns more than 5 times as fast as allowed.
const NEARLY_ALL: f64 = 0.9;

/// Whether it is spent so fast that somebody has to look at once: 14.4 times as fast as allowed over an hour (2 % of
/// the budget) and still over 5 minutes, or 6 times over 6 hours (5 %) and still over 30 minutes, as in the book; or with
/// nearly everything over its limits for as long. `target` is that of the budget, from 0 to 1.
pub fn burns(budget: &Budget, target: f64) -> bool {
    let most = NEARLY_ALL / (1.0 - target);
    let both = |long: Option<f64>, short: Option<f64>, rate: f64| {
        let rate = rate.min(most);
        long.is_some_and(|long| long >= rate) && short.is_some_and(|short| short >= rate)
    };
    both(budget.burn_rate_1h, budget.burn_rate_5m, 14.4) || both(budget.burn_rate_6h, budget.burn_rate_30m, 6.0)
}

/// Adds a stretch of time to its buckets, and drops those that are older than `kept`.
fn put(buckets: &mut VecDeque<Bucket>, length: Millis, kept: Millis, (from, to): (Millis, Millis), error: f64) {
    let mut from = from;
    while from < to {
        let number = from.div_euclid(length);
        let until = to.min((number + 1) * length);
        let time = seconds(until - from) as f32;
        let number = number.try_into().unwrap_or(i32::MAX);
        if buckets.back().is_none_or(|bucket| bucket.number < number) {
            buckets.push_back(Bucket { number, ..Bucket::default() });
        }
        if let Some(bucket) = buckets.back_mut() {
            bucket.bad += time * error as f32;
            bucket.seen += time;
        }
        from = until;
    }
    let oldest = (to - kept).div_euclid(length);
    while buckets.front().is_some_and(|bucket| Millis::from(bucket.number) < oldest) {
        buckets.pop_front();
    }
}

/// Bad and observed seconds of the window that ends at `now`. Of the bucket in which it begins, its share counts.
fn over(buckets: &VecDeque<Bucket>, length: Millis, window: Millis, now: Millis) -> (f64, f64) {
    let begin = now - window;
    let (mut bad, mut seen) = (0.0, 0.0);
    for bucket in buckets {
        let from = Millis::from(bucket.number) * length;
        let share = (from + length - begin).clamp(0, length) as f64 / length as f64;
        bad += f64::from(bucket.bad) * share;
        seen += f64::from(bucket.seen) * share;
    }
    (bad, seen)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn counted(within: u64, breaching: u64) -> Compliance {
        Compliance { within, breaching, ..Compliance::default() }
    }

    /// The spending of samples one minute apart from a whole day on.
    fn spent(samples: impl IntoIterator<Item = Compliance>) -> (Spending, Millis) {
        let (mut spending, mut now) = (Spending::default(), 20_000 * DAY);
        spending.add(counted(1, 0), MINUTE, now);
        for compliance in samples {
            now += MINUTE;
            spending.add(compliance, MINUTE, now);
        }
        (spending, now)
    }

    fn near(found: Option<f64>, expected: f64) -> bool {
        found.is_some_and(|found| (found - expected).abs() < 1e-3 * expected.abs().max(1.0))
    }

    #[test]
    fn an_hour_with_everything_over_its_limits_burns_twenty_times_a_budget_of_five_percent() {
        let (spending, now) = spent((0..60).map(|_| counted(0, 4)));
        let budget = spending.figures(95, now);
        assert!(near(budget.burn_rate_5m, 20.0) && near(budget.burn_rate_1h, 20.0), "{budget:?}");
        assert!(near(budget.burn_rate_6h, 20.0 / 6.0) && near(budget.burn_rate_3d, 20.0 / 72.0), "{budget:?}");
        assert!(near(budget.remaining, 1.0 - 1.0 / 36.0), "{budget:?}");
        assert_eq!((budget.observed_seconds, budget.period_seconds), (3_600.0, 2_592_000.0));
        assert!(burns(&budget, 0.95));
        let none = spending.figures(100, now);
        assert_eq!((none.remaining, none.burn_rate_1h), (None, None));
    }

    #[test]
    fn it_takes_both_windows_to_be_urgent() {
        let quiet = (0..10).map(|_| counted(4, 0));
        let (spending, now) = spent((0..60).map(|_| counted(0, 4)).chain(quiet));
        assert!(!burns(&spending.figures(95, now), 0.95), "it is over");
        let (spending, now) = spent((0..20).map(|_| counted(0, 4)));
        assert!(!burns(&spending.figures(95, now), 0.95), "it has only begun");
        let (spending, now) = spent((0..360).map(|_| counted(7, 3)));
        let budget = spending.figures(95, now);
        assert!(near(budget.burn_rate_6h, 6.0) && !burns(&spending.figures(94, now), 0.94), "{budget:?}");
    }

    #[test]
    fn a_target_that_is_low_is_missed_urgently_too() {
        for (minutes, over, urgent) in [(50, 4, false), (60, 4, true), (60, 3, false), (360, 3, false)] {
            let (spending, now) = spent((0..minutes).map(|_| counted(4 - over, over)));
            assert_eq!(burns(&spending.figures(80, now), 0.8), urgent, "{minutes} min with {over} of 4");
            assert!(!burns(&spending.figures(100, now), 1.0), "there is no budget");
        }
    }

    #[test]
    fn a_clock_that_is_set_back_makes_nothing_burn_faster() {
        let (mut spending, now) = spent((0..60).map(|n| counted(u64::from(n < 50), 1)));
        let before = spending.figures(95, now);
        let set = now - HOUR;
        spending.clock_set(-HOUR, set);
        spending.add(counted(1, 0), MINUTE, set + MINUTE);
        let after = spending.figures(95, set + MINUTE);
        assert!(after.burn_rate_5m <= before.burn_rate_5m && after.burn_rate_1h <= before.burn_rate_1h, "{after:?}");
        let (mut spending, now) = spent((0..60).map(|_| counted(0, 4)));
        spending.clock_set(HOUR, now + HOUR);
        spending.add(counted(0, 4), MINUTE, now + HOUR + MINUTE);
        let budget = spending.figures(95, now + HOUR + MINUTE);
        assert_eq!(budget.observed_seconds, 3_660.0, "the hour that was skipped did not pass");
    }

    #[test]
    fn what_is_not_known_and_gaps_are_not_observed() {
        let (mut spending, now) = spent([counted(0, 0), Compliance { unknown: 9, ..counted(0, 0) }]);
        assert_eq!(spending.figures(95, now).observed_seconds, 0.0);
        spending.add(counted(0, 1), MINUTE, now + DAY);
        assert_eq!(spending.figures(95, now + DAY).observed_seconds, 60.0);
    }

    proptest! {
        #[test]
        fn spending_adds_up_and_stays_small(
            samples in prop::collection::vec((0..5_u64, 0..5_u64, 1..40_i64), 1..300), target in 0..100_u32,
        ) {
            let (mut spending, mut now) = (Spending::default(), 20_000 * DAY + 12_345);
            spending.add(counted(1, 0), 40 * MINUTE, now);
            let (mut bad, mut seen) = (0.0, 0.0);
            for (within, breaching, minutes) in samples {
                now += minutes * MINUTE;
                spending.add(counted(within, breaching), 40 * MINUTE, now);
                if within + breaching > 0 {
                    seen += minutes as f64 * 60.0;
                    bad += minutes as f64 * 60.0 * breaching as f64 / (within + breaching) as f64;
                }
            }
            let budget = spending.figures(target, now);
            let allowed = 1.0 - f64::from(target) / 100.0;
            prop_assert!((budget.observed_seconds - seen).abs() < 1.0);
            prop_assert!(near(budget.remaining, 1.0 - bad / (2_592_000.0 * allowed)), "{budget:?} {bad}");
            prop_assert!(spending.fine.len() <= 74 && spending.coarse.len() <= 122);
            for rate in [budget.burn_rate_5m, budget.burn_rate_1h, budget.burn_rate_6h, budget.burn_rate_3d] {
                prop_assert!((-1e-9..=1.001 / allowed).contains(&rate.unwrap()), "{budget:?}");
            }
        }
    }
}
