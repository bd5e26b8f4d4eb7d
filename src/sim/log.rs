//! A partition's log as a function of time: how many records there are, and when each was written.
//!
//! No record is stored. Every shape of traffic has a closed form for *how many records by then*; the time of a record
//! is its inverse, by bisection. So a log can be weeks long, and asking it costs the same.

use std::f64::consts::TAU;

use crate::lag::{Millis, Offset};

/// How records come into a partition.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Traffic {
    /// None.
    Idle,
    /// Evenly.
    Steady {
        /// Records a second, at least 0.
        per_second: f64,
    },
    /// More and less, as a sine.
    Wave {
        /// Records a second on average, at least 0.
        per_second: f64,
        /// From one peak to the next, above 0.
        period: Millis,
        /// How far the rate swings around the average, as a share of it: 0 up to below 1.
        depth: f64,
        /// How far into the wave the traffic starts; it starts rising through the average at 0.
        phase: Millis,
    },
    /// Many at once, then none: a burst, a batch (`within` is 0) or a trickle (a batch of one).
    Bursts {
        /// Records of one burst.
        records: i64,
        /// How long a burst takes; its records are spread evenly. Not above `every`.
        within: Millis,
        /// From the start of one burst to the start of the next. There are none when it is 0.
        every: Millis,
    },
}

/// One partition's log.
#[derive(Debug, Clone, PartialEq)]
pub struct Log {
    segments: Vec<Segment>,
    retention: Option<Millis>,
    delay: Millis,
    stable: Option<Offset>,
}

/// Traffic from a time on. Its records end where the next segment begins, in time and in offsets.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Segment {
    from: Millis,
    first: Offset,
    traffic: Traffic,
}

impl Traffic {
    /// Records written up to and including `elapsed` after the traffic began.
    fn count(self, elapsed: Millis) -> i64 {
        if elapsed < 0 {
            return 0;
        }
        match self {
            Self::Idle => 0,
            Self::Steady { per_second } => (per_second * elapsed as f64 / 1e3) as i64,
            Self::Wave { per_second, period, depth, phase } => {
                let angle = |at: Millis| TAU * at as f64 / period as f64;
                let swing = depth * period as f64 / TAU * (angle(phase).cos() - angle(phase + elapsed).cos());
                (per_second * (elapsed as f64 + swing) / 1e3) as i64
            }
            Self::Bursts { records, within, every } => {
                let Some(bursts) = elapsed.checked_div(every) else { return 0 };
                let into = elapsed % every;
                bursts * records + if into >= within { records } else { records * into / within }
            }
        }
    }

    /// How long after the traffic began record `index` was written, at most `latest`.
    fn written(self, index: i64, latest: Millis) -> Millis {
        let (mut before, mut by) = (-1, latest);
        while by - before > 1 {
            let middle = before + (by - before) / 2;
            if self.count(middle) > index {
                by = middle;
            } else {
                before = middle;
            }
        }
        by
    }
}

impl Log {
    /// A log that is empty before `created`, and keeps everything.
    pub fn new(created: Millis, traffic: Traffic) -> Self {
        let first = Segment { from: created, first: 0, traffic };
        Self { segments: vec![first], retention: None, delay: 0, stable: None }
    }

    /// Deletes records that are older than `retention`.
    #[must_use]
    pub fn with_retention(self, retention: Millis) -> Self {
        Self { retention: Some(retention), ..self }
    }

    /// Lets records enter the log `delay` after their timestamp, as a lingering producer does, or one whose clock is behind;
    /// a negative one is that of a clock that is ahead.
    #[must_use]
    pub fn with_delay(self, delay: Millis) -> Self {
        Self { delay, ..self }
    }

    /// Changes the traffic from `at` on; what was to come from then on is forgotten.
    #[must_use]
    pub fn then(mut self, at: Millis, traffic: Traffic) -> Self {
        self.change(at, traffic);
        self
    }

    /// Changes the traffic from `at` on; what was to come from then on is forgotten.
    pub fn change(&mut self, at: Millis, traffic: Traffic) {
        let first = self.count(at - 1);
        self.segments.retain(|s| s.from < at);
        self.segments.push(Segment { from: at, first, traffic });
    }

    /// Cuts the log at time `now` back to end at `end`, as an unclean leader election does. Its traffic goes on.
    pub fn truncate(&mut self, now: Millis, end: Offset) {
        let traffic = self.current(now).traffic;
        let first = end.clamp(0, self.count(now - 1));
        self.segments.retain(|s| s.from < now && s.first < first);
        self.segments.push(Segment { from: now, first, traffic });
    }

    /// Holds the last stable offset at `offset`, as an open transaction does; `None` lets it follow the end.
    pub fn hold_stable(&mut self, offset: Option<Offset>) {
        self.stable = offset;
    }

    /// The end at `now`: the offset that the next record will have.
    pub fn end(&self, now: Millis) -> Offset {
        self.count(self.latest(now))
    }

    /// The last stable offset at `now`.
    pub fn last_stable(&self, now: Millis) -> Offset {
        let end = self.end(now);
        self.stable.map_or(end, |stable| stable.min(end))
    }

    /// The first offset that retention has left at `now`.
    pub fn start(&self, now: Millis) -> Offset {
        self.retention.map_or(0, |kept| self.count(now.saturating_sub(kept).saturating_sub(1)).min(self.end(now)))
    }

    /// The timestamp of the record at `offset`; `None` when there is none at `now`, or no longer.
    pub fn timestamp(&self, offset: Offset, now: Millis) -> Option<Millis> {
        let there = (self.start(now)..self.end(now)).contains(&offset);
        let holding = self.segments.partition_point(|s| s.first <= offset).checked_sub(1)?;
        let segment = self.segments.get(holding).filter(|_| there)?;
        Some(segment.from + segment.traffic.written(offset - segment.first, self.latest(now) - segment.from))
    }

    /// The first record at `now` with a timestamp at or after `time`, as offset and timestamp.
    pub fn first_since(&self, time: Millis, now: Millis) -> Option<(Offset, Millis)> {
        let latest = self.latest(now);
        let offset = self.count(time.min(latest).saturating_sub(1)).max(self.start(now));
        self.timestamp(offset, now).filter(|_| time <= latest).map(|timestamp| (offset, timestamp))
    }

    /// The newest record at `now`, as offset and timestamp.
    pub fn newest(&self, now: Millis) -> Option<(Offset, Millis)> {
        let offset = self.end(now) - 1;
        self.timestamp(offset, now).map(|timestamp| (offset, timestamp))
    }

    /// The latest timestamp that a record may have at `now`.
    fn latest(&self, now: Millis) -> Millis {
        now.saturating_sub(self.delay)
    }

    /// Records with a timestamp up to and including `time`.
    fn count(&self, time: Millis) -> Offset {
        let next = self.segments.partition_point(|s| s.from <= time);
        let Some(segment) = next.checked_sub(1).and_then(|i| self.segments.get(i)) else { return 0 };
        let all = segment.first.saturating_add(segment.traffic.count(time - segment.from));
        self.segments.get(next).map_or(all, |s| all.min(s.first))
    }

    fn current(&self, now: Millis) -> Segment {
        let idle = Segment { from: now, first: 0, traffic: Traffic::Idle };
        self.segments.iter().rev().find(|s| s.from <= now).copied().unwrap_or(idle)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CREATED: Millis = 1_700_000_000_000;
    const HOUR: Millis = 3_600_000;

    fn traffic() -> impl Strategy<Value = Traffic> {
        prop_oneof![
            Just(Traffic::Idle),
            (0.001..2000.0).prop_map(|per_second| Traffic::Steady { per_second }),
            (0.001..2000.0, 1000..100 * HOUR, 0.0..0.95, -HOUR..HOUR)
                .prop_map(|(per_second, period, depth, phase)| { Traffic::Wave { per_second, period, depth, phase } }),
            (1..50_000i64, 1..24 * HOUR, 0.0..=1.0).prop_map(|(records, every, part)| Traffic::Bursts {
                records,
                within: (every as f64 * part) as Millis,
                every
            }),
        ]
    }

    prop_compose! {
        fn log()(first in traffic(), then in traffic(), at in 1..100 * HOUR,
                 kept in proptest::option::of(1..200 * HOUR), delay in -5000..5000i64,
                 cut in proptest::option::of((1..100 * HOUR, 0.0..1.0))) -> Log {
            let mut log = Log::new(CREATED, first).then(CREATED + at, then).with_delay(delay);
            log.retention = kept;
            if let Some((after, share)) = cut {
                let now = CREATED + at + after;
                log.truncate(now, (log.end(now) as f64 * share) as Offset);
            }
            log
        }
    }

    proptest! {
        #[test]
        fn start_and_end_never_fall_back(log in log(), a in 0..300 * HOUR, b in 0..300 * HOUR) {
            let (a, b) = (CREATED + a.min(b), CREATED + a.max(b));
            prop_assert!(log.end(a) <= log.end(b));
            prop_assert!(log.start(a) <= log.start(b));
            prop_assert!(log.start(b) <= log.end(b));
        }

        #[test]
        fn a_record_enters_at_its_timestamp_and_delay(log in log(), at in 0..300 * HOUR, share in 0.0..1.0) {
            let now = CREATED + at;
            let (start, end) = (log.start(now), log.end(now));
            if start == end {
                return Ok(());
            }
            let offset = start + ((end - start) as f64 * share) as Offset;
            let timestamp = log.timestamp(offset, now).unwrap();
            prop_assert!(log.end(timestamp + log.delay) > offset);
            prop_assert!(log.end(timestamp + log.delay - 1) <= offset);
        }

        #[test]
        fn the_first_record_since_a_time_is_the_first(log in log(), at in 0..300 * HOUR, back in 0..300 * HOUR) {
            let now = CREATED + at;
            let time = now - back;
            match log.first_since(time, now) {
                Some((offset, timestamp)) => {
                    prop_assert!(timestamp >= time);
                    prop_assert_eq!(log.timestamp(offset, now), Some(timestamp));
                    prop_assert!(log.timestamp(offset - 1, now).is_none_or(|earlier| earlier < time));
                    let again = log.first_since(timestamp, now).unwrap();
                    prop_assert_eq!(again, (offset, timestamp));
                }
                None => prop_assert!(log.newest(now).is_none_or(|(_, timestamp)| timestamp < time)),
            }
        }
    }

    #[test]
    fn each_shape_counts_what_it_says() {
        let at = |traffic: Traffic, elapsed| Log::new(0, traffic).end(elapsed);
        assert_eq!(at(Traffic::Steady { per_second: 50.0 }, 10_000), 500);
        let day = Traffic::Wave { per_second: 2.0, period: 24 * HOUR, depth: 0.8, phase: 0 };
        assert_eq!(at(day, 24 * HOUR), 172_800);
        assert!(at(day, 12 * HOUR) > 86_400 * 5 / 4, "the first half of the wave is the high one");
        let burst = Traffic::Bursts { records: 100, within: 1000, every: 60_000 };
        assert_eq!([at(burst, 500), at(burst, 30_000), at(burst, 60_010)], [50, 100, 101]);
        let trickle = Traffic::Bursts { records: 1, within: 0, every: 50_000 };
        assert_eq!([at(trickle, 0), at(trickle, 49_999), at(trickle, 50_000)], [1, 1, 2]);
        assert_eq!(at(Traffic::Bursts { records: 1, within: 0, every: 0 }, HOUR), 0);
    }

    #[test]
    fn truncation_takes_the_end_back_and_the_traffic_goes_on() {
        let mut log = Log::new(0, Traffic::Steady { per_second: 1.0 });
        log.truncate(100_000, 40);
        assert_eq!([log.end(99_999), log.end(100_000), log.end(110_000)], [40, 40, 50]);
        assert_eq!(log.timestamp(39, 110_000), Some(40_000));
        assert_eq!(log.timestamp(40, 110_000), Some(101_000));
    }

    #[test]
    fn retention_deletes_the_old_and_an_idle_log_empties() {
        let log = Log::new(0, Traffic::Steady { per_second: 1.0 }).then(10_000, Traffic::Idle).with_retention(5_000);
        assert_eq!([log.start(10_000), log.end(10_000)], [4, 9]);
        assert_eq!([log.start(HOUR), log.end(HOUR)], [9, 9]);
        assert_eq!(log.first_since(0, HOUR), None);
        assert_eq!(log.newest(HOUR), None);
    }
}
