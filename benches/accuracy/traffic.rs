//! Traffic in six shapes, and producers of eight kinds: what makes a log. Each seed makes another one.
//!
//! A log begins a week before anybody looks at it and goes on for another.

use fastrand::Rng;
use highwater::lag::Millis;

use crate::log::{Log, Record};

pub(crate) const SECOND: Millis = 1_000;
pub(crate) const MINUTE: Millis = 60 * SECOND;
pub(crate) const HOUR: Millis = 60 * MINUTE;
pub(crate) const DAY: Millis = 24 * HOUR;
pub(crate) const WEEK: Millis = 7 * DAY;

/// When the first sample is taken.
pub(crate) const START: Millis = 1_790_000_000_000;

/// How many records come when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Steady,
    Wave,
    Bursts,
    Batch,
    Trickle,
    Step,
}

/// How timestamps follow from when records enter the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Producer {
    /// In order, a few milliseconds before the record enters.
    Prompt,
    /// One record in twenty is up to ten minutes old.
    Late,
    /// Two producers; the clock of one is ten minutes slow.
    Skewed,
    /// In order, but for one record from a month ahead and one from two hours ahead.
    FarAhead,
    /// In order, on a topic that keeps the last record of each of a thousand keys.
    Compacted,
    /// In order, in transactions of ten records with a marker behind each.
    Transactional,
    /// In order, but a record may wait thirty seconds for its batch to be sent.
    Lingering,
    /// Whatever the producers say, the broker writes its own time.
    LogAppendTime,
}

impl Shape {
    pub(crate) const ALL: [Self; 6] = [Self::Steady, Self::Wave, Self::Bursts, Self::Batch, Self::Trickle, Self::Step];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Steady => "steady",
            Self::Wave => "daily wave",
            Self::Bursts => "bursts",
            Self::Batch => "batch a day",
            Self::Trickle => "trickle",
            Self::Step => "step",
        }
    }

    /// Timestamps of at most `records` records of a week that begins at `from`.
    pub(crate) fn stamps(self, from: Millis, records: usize, rng: &mut Rng) -> Vec<Millis> {
        let mut times = self.entries(rng);
        times.retain(|time| (START..START + WEEK).contains(time));
        let every = times.len().div_ceil(records).max(1);
        times.into_iter().step_by(every).map(|time| time - START + from).collect()
    }

    /// When records enter, in order.
    fn entries(self, rng: &mut Rng) -> Vec<Millis> {
        let span = START - WEEK..START + WEEK + HOUR;
        let mut times = Vec::new();
        match self {
            Self::Steady => arrivals(rng, span, |_| 3.0, &mut times),
            Self::Wave => {
                let turn = |time| ((time % DAY) as f64 / DAY as f64 * std::f64::consts::TAU).sin();
                arrivals(rng, span, |time| 3.0 + 2.9 * turn(time), &mut times);
            }
            Self::Bursts => {
                for begin in span.step_by(2 * HOUR as usize) {
                    let begin = begin + rng.i64(0..HOUR);
                    times.extend((0..6_000).map(|_| begin + rng.i64(0..MINUTE)));
                }
            }
            Self::Batch => {
                for begin in span.step_by(DAY as usize) {
                    let begin = begin + rng.i64(0..2 * HOUR);
                    times.extend((0..50_000).map(|_| begin + rng.i64(0..20 * SECOND)));
                }
            }
            Self::Trickle => arrivals(rng, span, |_| 0.02, &mut times),
            Self::Step => {
                let at = START + rng.i64(2 * DAY..4 * DAY);
                arrivals(rng, span, |time| if time < at { 0.01 } else { 6.0 }, &mut times);
            }
        }
        times.sort_unstable();
        times
    }
}

/// Records that come by chance, at `per_second` of the moment.
fn arrivals(rng: &mut Rng, span: std::ops::Range<Millis>, per_second: impl Fn(Millis) -> f64, times: &mut Vec<Millis>) {
    let mut time = span.start as f64;
    loop {
        // At most a minute on, so that a change of the rate is seen.
        let gap = -(1.0 - rng.f64()).ln() / per_second(time as Millis) * 1e3;
        time += gap.min(MINUTE as f64);
        if time >= span.end as f64 {
            return;
        }
        if gap <= MINUTE as f64 {
            times.push(time as Millis);
        }
    }
}

impl Producer {
    pub(crate) const AWKWARD: [Self; 7] = [
        Self::Late,
        Self::Skewed,
        Self::FarAhead,
        Self::Compacted,
        Self::Transactional,
        Self::Lingering,
        Self::LogAppendTime,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Prompt => "prompt",
            Self::Late => "late",
            Self::Skewed => "skewed",
            Self::FarAhead => "one far ahead",
            Self::Compacted => "compacted",
            Self::Transactional => "transactional",
            Self::Lingering => "lingering",
            Self::LogAppendTime => "LogAppendTime",
        }
    }

    /// The log that this producer writes in this shape.
    pub(crate) fn log(self, shape: Shape, rng: &mut Rng) -> Log {
        let entries = shape.entries(rng);
        let mut records = self.records(&entries, rng);
        if self == Self::FarAhead {
            for ahead in [30 * DAY, 2 * HOUR] {
                let middle = START + rng.i64(DAY..3 * DAY);
                let place = records.partition_point(|record| record.entered < middle).min(records.len() - 1);
                records[place].stamp += ahead;
            }
        }
        if self != Self::Compacted {
            return Log::new(records);
        }
        let keys: Vec<u32> = records.iter().map(|_| rng.u32(0..1_000)).collect();
        let cleanings = (START - WEEK..START + WEEK).step_by(6 * HOUR as usize);
        Log::new(records).compacted(&keys, cleanings, HOUR)
    }

    fn records(self, entries: &[Millis], rng: &mut Rng) -> Vec<Record> {
        let mut records = Vec::with_capacity(entries.len());
        let mut highest = 0;
        for (index, &entered) in entries.iter().enumerate() {
            let mut stamp = (entered - rng.i64(1..20)).max(highest);
            highest = stamp;
            let mut entered = entered;
            match self {
                Self::Late if rng.u8(0..20) == 0 => stamp -= rng.i64(0..10 * MINUTE),
                Self::Skewed if index % 2 == 1 => stamp -= 10 * MINUTE,
                Self::Lingering => entered = entered.div_euclid(30 * SECOND) * 30 * SECOND + 30 * SECOND,
                Self::LogAppendTime => stamp = entered,
                _ => {}
            }
            records.push(Record { entered, stamp, readable: true });
            if self == Self::Transactional && index % 10 == 9 {
                records.push(Record { entered, stamp: entered, readable: false });
                highest = entered;
            }
        }
        records
    }
}
