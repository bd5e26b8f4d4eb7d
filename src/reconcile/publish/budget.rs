//! How much all monitors together may write to the API server: etcd is not a time-series database.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Bytes a second, over a longer time.
const RATE: f64 = 1024.0 * 1024.0;

/// Bytes that may be written at once after a pause.
const BURST: f64 = 4.0 * RATE;

/// What may be written now, shared by all monitors of a process.
///
/// Whoever comes while there is something left gets all that he asks for, and those after him wait until it is paid
/// back: so a large report is not kept waiting by many small ones.
#[derive(Debug)]
pub struct Budget {
    balance: Mutex<(f64, Instant)>,
}

impl Budget {
    /// A full budget.
    pub fn new(now: Instant) -> Self {
        Self { balance: Mutex::new((BURST, now)) }
    }

    /// Spends so many bytes.
    ///
    /// # Errors
    /// How long to wait before asking again, when nothing is left; nothing is spent then.
    pub fn take(&self, bytes: usize, now: Instant) -> Result<(), Duration> {
        let mut balance = self.balance.lock().unwrap_or_else(PoisonError::into_inner);
        let (left, at) = *balance;
        let left = (left + now.saturating_duration_since(at).as_secs_f64() * RATE).min(BURST);
        let granted = left > 0.0;
        *balance = (if granted { left - bytes as f64 } else { left }, at.max(now));
        // A millisecond more, so that nobody comes back a rounding error too early.
        if granted { Ok(()) } else { Err(Duration::from_secs_f64(-left / RATE) + Duration::from_millis(1)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    #[test]
    fn a_burst_then_a_mebibyte_a_second() {
        let start = Instant::now();
        let budget = Budget::new(start);
        assert!((0..4).all(|_| budget.take(MIB, start).is_ok()));
        let wait = budget.take(MIB, start).unwrap_err();
        assert!(wait <= Duration::from_millis(1), "{wait:?}");
        let mut now = start;
        let mut written = 0;
        while now < start + Duration::from_secs(100) {
            match budget.take(MIB / 10, now) {
                Ok(()) => written += MIB / 10,
                Err(wait) => now += wait,
            }
        }
        assert!((99 * MIB..=101 * MIB).contains(&written), "{written}");
    }

    #[test]
    fn a_large_report_is_not_kept_waiting_by_small_ones() {
        let start = Instant::now();
        let budget = Budget::new(start);
        budget.take(5 * MIB, start).unwrap();
        assert_eq!(budget.take(900 * 1024, start).unwrap_err(), Duration::from_millis(1_001));
        assert!(budget.take(1, start + Duration::from_millis(999)).is_err());
        let later = start + Duration::from_millis(1_001);
        assert_eq!(budget.take(900 * 1024, later), Ok(()));
        assert!(budget.take(1, later).unwrap_err() > Duration::from_millis(870));
    }

    #[test]
    fn a_long_pause_saves_no_more_than_the_burst() {
        let start = Instant::now();
        let budget = Budget::new(start);
        let later = start + Duration::from_secs(3_600);
        budget.take(4 * MIB, later).unwrap();
        assert!(budget.take(1, later).is_err());
        assert!(budget.take(1, start).is_err(), "a time before the last does not fill it");
    }
}
