//! What the operator has done on Kubernetes since it started, counted.

use std::collections::BTreeMap;
use std::time::Duration;

/// Upper bounds of the buckets of durations, in seconds.
pub const BUCKETS: [f64; 9] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];

/// Counts of the operator's work.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Account {
    /// What turns took. A turn brings one LagMonitor about.
    pub turns: Durations,
    /// Turns, watches and publications that failed, by reason.
    pub failures: BTreeMap<&'static str, u64>,
    /// Requests to the API server, by the status code of the answer; 0 without one.
    pub requests: BTreeMap<u16, u64>,
}

/// A histogram of durations.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Durations {
    /// How many lie at or below each of [`BUCKETS`], and above the one before.
    pub counts: [u64; BUCKETS.len()],
    /// How many there are.
    pub count: u64,
    /// How long they are together, in seconds.
    pub sum: f64,
}

impl Account {
    /// Counts a failure.
    pub fn failed(&mut self, reason: &'static str) {
        *self.failures.entry(reason).or_default() += 1;
    }

    /// Counts a request.
    pub fn requested(&mut self, code: u16) {
        *self.requests.entry(code).or_default() += 1;
    }
}

impl Durations {
    /// Counts one.
    pub fn add(&mut self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        let bucket = self.counts.iter_mut().zip(BUCKETS).find(|(_, bound)| seconds <= *bound);
        bucket.into_iter().for_each(|(count, _)| *count += 1);
        self.count += 1;
        self.sum += seconds;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_fall_into_their_buckets() {
        let mut durations = Durations::default();
        for seconds in [0.0005, 0.001, 0.0011, 7.0, 60.0] {
            durations.add(Duration::from_secs_f64(seconds));
        }
        assert_eq!(durations.counts, [2, 1, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(durations.count, 5);
        assert!((durations.sum - 67.0026).abs() < 1e-9);
    }
}
