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
    Stepped { shown: Arc<AtomicI64>, passed: Arc<AtomicI64> },
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
        Self(Kind::Stepped { shown: Arc::new(AtomicI64::new(at)), passed: Arc::default() })
    }

    /// Milliseconds since 1970-01-01 UTC.
    pub fn now(&self) -> Millis {
        match &self.0 {
            Kind::Wall => {
                SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis().try_into().unwrap_or(i64::MAX))
            }
            Kind::Scaled { origin, since, speed } => origin + (since.elapsed().as_secs_f64() * 1e3 * speed) as Millis,
            Kind::Stepped { shown, .. } => shown.load(Ordering::Relaxed),
        }
    }

    /// How long a wait of `length` on this clock takes on the machine's. A stepped clock never waits.
    pub fn real(&self, length: Millis) -> Duration {
        let length = Duration::from_millis(length.max(0).unsigned_abs());
        match &self.0 {
            Kind::Wall => length,
            Kind::Scaled { speed, .. } => length.div_f64(*speed),
            Kind::Stepped { .. } => Duration::ZERO,
        }
    }

    /// Milliseconds that have passed since some moment, however the clock was set meanwhile; a suspended machine's count.
    pub fn uptime(&self) -> Millis {
        match &self.0 {
            Kind::Wall => {
                let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
                time.tv_sec * 1_000 + time.tv_nsec / 1_000_000
            }
            Kind::Scaled { .. } => self.now(),
            Kind::Stepped { passed, .. } => passed.load(Ordering::Relaxed),
        }
    }

    /// Lets time pass on a stepped clock; the others go by themselves.
    pub fn step(&self, by: Millis) {
        if let Kind::Stepped { passed, .. } = &self.0 {
            passed.fetch_add(by, Ordering::Relaxed);
        }
        self.set(by);
    }

    /// Sets a stepped clock forward, or back, without time passing.
    pub fn set(&self, by: Millis) {
        if let Kind::Stepped { shown, .. } = &self.0 {
            shown.fetch_add(by, Ordering::Relaxed);
        }
    }
}
