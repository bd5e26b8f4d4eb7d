//! What a report should say, told by the records themselves, and how far what it says is from that.

use serde_json::Value;

/// What the clocks of a report and of this machine may differ by, in seconds.
pub(crate) const CLOCK: f64 = 0.05;

/// One group on one partition: what the report says and what is true.
#[derive(Debug)]
pub(crate) struct Compared {
    /// The true age in seconds; 0 where nothing is waiting.
    pub(crate) truth: f64,
    /// The age that the report says.
    pub(crate) age: Option<f64>,
    /// The bound that the report says.
    pub(crate) bound: Option<f64>,
    /// The line of the report.
    pub(crate) line: Value,
}

impl Compared {
    /// Compares one line of a report with the records of its partition.
    #[track_caller]
    pub(crate) fn new(report: &Value, group: &str, topic: &str, partition: usize, records: &[(i64, i64)]) -> Self {
        let mut line = line(report, group, topic, partition).clone();
        // For messages.
        line["place"] = format!("{group} on {topic}/{partition}").into();
        let committed = line["committed_offset"].as_i64().unwrap();
        let record = records.iter().find(|(offset, _)| *offset >= committed);
        let truth = record.map_or(0.0, |(_, time)| (generated(report) - time) as f64 / 1e3);
        let (age, bound) = (line["lag_seconds"].as_f64(), line["bound_seconds"].as_f64());
        Self { truth, age, bound, line }
    }

    /// How far the age is off, in seconds; infinite where there is none.
    pub(crate) fn error(&self) -> f64 {
        self.age.map_or(f64::INFINITY, |age| (age - self.truth).abs())
    }

    /// The error and the bound that are still good: 1 s or 1 % of the age, whichever is more.
    pub(crate) fn wanted(&self) -> f64 {
        (self.truth / 100.0).max(1.0)
    }

    /// Whether the truth lies within the bound that the report says.
    pub(crate) fn bound_holds(&self) -> bool {
        self.bound.is_some_and(|bound| self.error() <= bound + CLOCK)
    }

    /// Whether the report says that this is odd.
    pub(crate) fn has(&self, anomaly: &str) -> bool {
        self.line["anomalies"].as_array().unwrap().iter().any(|found| found == anomaly)
    }
}

/// The group of a report.
pub(crate) fn group<'a>(report: &'a Value, group: &str) -> Option<&'a Value> {
    report["groups"].as_array()?.iter().find(|found| found["group_id"] == group)
}

/// A group's topic in a report.
pub(crate) fn topic<'a>(report: &'a Value, group: &str, topic: &str) -> Option<&'a Value> {
    self::group(report, group)?["topics"].as_array()?.iter().find(|found| found["topic"] == topic)
}

/// The line of one group on one partition.
#[track_caller]
pub(crate) fn line<'a>(report: &'a Value, group: &str, topic: &str, partition: usize) -> &'a Value {
    let found = self::topic(report, group, topic);
    &found.unwrap_or_else(|| panic!("{group} on {topic} is not in {report:#}"))["partitions"][partition]
}

/// When the ages of a report were computed: milliseconds since 1970 UTC.
#[track_caller]
pub(crate) fn generated(report: &Value) -> i64 {
    report["generated_at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_millisecond()
}
