//! Waiting for a condition instead of for time to pass.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// Asks until `condition` holds; fails with `what` after `timeout`.
#[track_caller]
pub(crate) fn eventually(what: &str, timeout: Duration, mut condition: impl FnMut() -> bool) {
    eventually_some(what, timeout, || condition().then_some(()));
}

/// Asks until `answer` has something to give; fails with `what` after `timeout`.
#[track_caller]
pub(crate) fn eventually_some<T>(what: &str, timeout: Duration, mut answer: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + timeout;
    loop {
        if let Some(value) = answer() {
            return value;
        }
        assert!(Instant::now() < end, "not within {timeout:?}: {what}");
        sleep(Duration::from_millis(50));
    }
}

/// Asks until nothing is left; fails with `what` and what is left after `timeout`.
#[track_caller]
pub(crate) fn eventually_none(what: &str, timeout: Duration, mut left: impl FnMut() -> Vec<String>) {
    let end = Instant::now() + timeout;
    loop {
        let left = left();
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < end, "after {timeout:?} {what}:\n{}", left.join("\n"));
        sleep(Duration::from_millis(200));
    }
}
