//! The time that `monitor`, `kafka` and `sim` go by: the wall's, a faster one for the demo, or one that tests step.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::lag::Millis;

/// A source of time. Cheap to clone; clones show the same time.
#[derive(Debug, Clone)]
pub struct Clock(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Wall,
    Scaled { origin: Millis, since: Instant, speed: f64 },
    Stepped(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's clock.
    pub fn wall() -> Self {
        Self(Kind::Wall)
    }

    /// A clock that starts at `origin` now and runs `speed` times as fast as the machine's.
    pub fn scaled(origin: Millis, speed: f64) -> Self {
        Self(Kind::Scaled { origin, since: Instant::now(), speed })
    }

    /// A clock that stands still until it is stepped.
    pub fn stepped(at: Millis) -> Self {
        Self(Kind::Stepped(Arc::new(AtomicI64::new(at))))
    }

    /// Milliseconds since 1970-01-01 UTC.
    pub fn now(&self) -> Millis {
        match &self.0 {
            Kind::Wall => {
                SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis().try_into().unwrap_or(i64::MAX))
            }
            Kind::Scaled { origin, since, speed } => origin + (since.elapsed().as_secs_f64() * 1e3 * speed) as Millis,
            Kind::Stepped(at) => at.load(Ordering::Relaxed),
        }
    }

    /// How long a wait of `length` on this clock takes on the machine's. A stepped clock never waits.
    pub fn real(&self, length: Millis) -> Duration {
        let length = Duration::from_millis(length.max(0).unsigned_abs());
        match &self.0 {
            Kind::Wall => length,
            Kind::Scaled { speed, .. } => length.div_f64(*speed),
            Kind::Stepped(_) => Duration::ZERO,
        }
    }

    /// Moves a stepped clock on by `by`; the others go by themselves.
    pub fn step(&self, by: Millis) {
        if let Kind::Stepped(at) = &self.0 {
            at.fetch_add(by, Ordering::Relaxed);
        }
    }
}
