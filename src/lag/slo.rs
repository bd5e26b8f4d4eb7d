//! How many partitions are within the limits that somebody set: the compliance of a service level objective.
//!
//! Which limits a group has on a topic is told by the caller; this only counts.

use super::Millis;
use super::anomaly::Anomaly;
use super::judge::seconds;
use super::report::{GroupPartition, Method, Report};

/// The limits of a group on a topic. A partition at its limit is within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most records that a partition may be behind.
    pub max_lag_records: i64,
    /// The largest age of data; `None` for no limit.
    pub max_lag: Option<Millis>,
}

/// The partitions with a committed offset, by what the limits say of them.
///
/// Left out are those of which the age says nothing about the group: abandoned ones, and unreadable tails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compliance {
    /// Within every limit that is set.
    pub within: u64,
    /// Over at least one.
    pub breaching: u64,
    /// Over none, and not known to be within all: a figure is missing, or only a lower bound.
    pub unknown: u64,
}

impl Compliance {
    /// All partitions that count.
    pub fn partitions(self) -> u64 {
        self.within.saturating_add(self.breaching).saturating_add(self.unknown)
    }

    /// The share of partitions known to be within every limit, in percent; `None` where there is no partition.
    ///
    /// An unknown one counts as not within: compliance is proven, never assumed. [`Compliance::meets`] knows both ends.
    pub fn percent(self) -> Option<f64> {
        let partitions = self.partitions();
        (partitions > 0).then(|| self.within as f64 * 100.0 / partitions as f64)
    }

    /// Whether at least `percent` of the partitions are within every limit; `None` where there is no partition, and
    /// where the unknown ones decide.
    pub fn meets(self, percent: u32) -> Option<bool> {
        let wanted = u128::from(percent) * u128::from(self.partitions());
        let reaches = |within: u64| u128::from(within) * 100 >= wanted;
        match self.partitions() {
            0 => None,
            _ if reaches(self.within) => Some(true),
            _ if reaches(self.within.saturating_add(self.unknown)) => None,
            _ => Some(false),
        }
    }
}

/// What one limit says of a partition; the last one decides over the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Within,
    Unknown,
    Breaching,
}

/// Counts the partitions of a report of partition detail by the `limits` of their group and topic.
pub fn compliance(report: &Report, limits: impl Fn(&str, &str) -> Limits) -> Compliance {
    let mut compliance = Compliance::default();
    for group in &report.groups {
        for topic in group.topics.iter().flatten() {
            let limits = limits(&group.group_id, &topic.topic);
            for partition in topic.partitions.iter().flatten().filter(|partition| counts(partition)) {
                let count = match verdict(partition, limits) {
                    Verdict::Within => &mut compliance.within,
                    Verdict::Unknown => &mut compliance.unknown,
                    Verdict::Breaching => &mut compliance.breaching,
                };
                *count += 1;
            }
        }
    }
    compliance
}

fn counts(partition: &GroupPartition) -> bool {
    let odd = |anomaly| partition.anomalies.contains(anomaly);
    partition.committed_offset.is_some() && !odd(Anomaly::Abandoned) && !odd(Anomaly::TailUnreadable)
}

fn verdict(partition: &GroupPartition, limits: Limits) -> Verdict {
    let records = match partition.lag_records {
        None => Verdict::Unknown,
        Some(records) if records > limits.max_lag_records => Verdict::Breaching,
        Some(_) => Verdict::Within,
    };
    let age = match (limits.max_lag.map(seconds), partition.lag_seconds) {
        (None, _) => Verdict::Within,
        (Some(_), None) => Verdict::Unknown,
        (Some(most), Some(age)) if age > most => Verdict::Breaching,
        _ if partition.method == Some(Method::AtLeast) => Verdict::Unknown,
        _ => Verdict::Within,
    };
    records.max(age)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lag::observation::GroupKind;
    use crate::lag::report::{Cluster, Detail, Group, GroupTopic, Sampling, Timestamp};

    const RECORDS: Limits = Limits { max_lag_records: 1_000, max_lag: None };
    const AGE: Limits = Limits { max_lag_records: 1_000, max_lag: Some(60_000) };

    /// A partition with a committed offset, its records behind and its age.
    fn behind(records: Option<i64>, age: Option<f64>, method: Method) -> GroupPartition {
        GroupPartition {
            partition: 0,
            member_id: None,
            committed_offset: Some(7),
            log_start_offset: Some(0),
            log_end_offset: None,
            lag_records: records,
            lag_seconds: age,
            bound_seconds: None,
            method: Some(method),
            clock: None,
            records_lost: 0,
            blocked_records: 0,
            stale_seconds: None,
            anomalies: Default::default(),
        }
    }

    fn topic(name: &str, partitions: Vec<GroupPartition>) -> GroupTopic {
        GroupTopic {
            topic: name.into(),
            state: None,
            since: None,
            max_lag_seconds: None,
            p50_lag_seconds: None,
            p95_lag_seconds: None,
            bound_seconds: None,
            method: None,
            clock: None,
            total_lag_records: None,
            max_lag_records: None,
            p50_lag_records: None,
            p95_lag_records: None,
            partitions_without_commit: 0,
            abandoned_partitions: 0,
            consume_rate: None,
            produce_rate: None,
            drain_seconds: None,
            trend: None,
            partitions: Some(partitions),
        }
    }

    fn report(groups: Vec<(&str, Vec<GroupTopic>)>) -> Report {
        let group = |(id, topics): (&str, Vec<GroupTopic>)| Group {
            group_id: id.into(),
            kind: GroupKind::Classic,
            group_state: None,
            state: None,
            assignor: None,
            members: None,
            max_lag_seconds: None,
            total_lag_records: None,
            trend: None,
            topics: Some(topics),
        };
        Report {
            schema_version: 1,
            monitor: None,
            cluster: Cluster { name: "c".into(), id: None, brokers: vec![] },
            generated_at: Timestamp(0),
            sampling: Sampling { interval_seconds: None, duration_seconds: 0.1, coverage: 1.0, probes: 0 },
            detail: Detail::Partition,
            truncated: false,
            left_out: None,
            errors: vec![],
            groups: groups.into_iter().map(group).collect(),
            topics: vec![],
        }
    }

    fn of(partitions: Vec<GroupPartition>, limits: Limits) -> Compliance {
        compliance(&report(vec![("g", vec![topic("t", partitions)])]), |_, _| limits)
    }

    fn counted(within: u64, breaching: u64, unknown: u64) -> Compliance {
        Compliance { within, breaching, unknown }
    }

    #[test]
    fn a_partition_is_within_every_limit_that_is_set_or_breaches() {
        let (within, breaching, unknown) = (counted(1, 0, 0), counted(0, 1, 0), counted(0, 0, 1));
        for (records, age, method, by_records, by_age) in [
            (Some(1_000), Some(60.0), Method::Record, within, within),
            (Some(1_001), Some(0.5), Method::Record, breaching, breaching),
            (Some(1), Some(60.001), Method::Interpolated, within, breaching),
            (Some(0), Some(0.0), Method::CaughtUp, within, within),
            (Some(1_000), Some(59.0), Method::AtLeast, within, unknown),
            (Some(1_000), Some(60.0), Method::AtLeast, within, unknown),
            (Some(1_000), Some(60.001), Method::AtLeast, within, breaching),
            (Some(1_001), Some(1.0), Method::AtLeast, breaching, breaching),
            (Some(5), None, Method::Record, within, unknown),
            (None, Some(1.0), Method::Record, unknown, unknown),
            (None, Some(61.0), Method::Record, unknown, breaching),
            (None, None, Method::Record, unknown, unknown),
        ] {
            let one = || vec![behind(records, age, method)];
            assert_eq!(of(one(), RECORDS), by_records, "{records:?} {age:?} {method:?}");
            assert_eq!(of(one(), AGE), by_age, "{records:?} {age:?} {method:?}, with an age");
        }
    }

    #[test]
    fn partitions_without_commit_abandoned_ones_and_unreadable_tails_do_not_count() {
        let late = || behind(Some(9_999), Some(1e6), Method::Record);
        let odd = |anomaly| GroupPartition { anomalies: [anomaly].into_iter().collect(), ..late() };
        let without = GroupPartition { committed_offset: None, lag_records: None, ..late() };
        let left_out = vec![without, odd(Anomaly::Abandoned), odd(Anomaly::TailUnreadable)];
        assert_eq!(of(left_out, AGE), Compliance::default());
        let others = Anomaly::ALL.into_iter().filter(|a| !matches!(a, Anomaly::Abandoned | Anomaly::TailUnreadable));
        assert_eq!(of(others.map(odd).collect(), AGE), counted(0, 8, 0));
    }

    #[test]
    fn every_topic_of_every_group_is_held_to_its_own_limits() {
        let late = || vec![behind(Some(5), Some(100.0), Method::Record)];
        let both = || vec![topic("orders", late()), topic("audit", late())];
        let report = report(vec![("a", both()), ("b", both())]);
        let patient = |group: &str, topic: &str| match (group, topic) {
            ("b", "audit") => Limits { max_lag: Some(100_000), ..AGE },
            _ => AGE,
        };
        assert_eq!(compliance(&report, patient), counted(1, 3, 0));
    }

    #[test]
    fn unknown_partitions_prove_nothing_and_are_no_breach() {
        assert_eq!((Compliance::default().percent(), Compliance::default().meets(0)), (None, None));
        for (counts, percent, wanted, meets) in [
            (counted(95, 5, 0), 95.0, 95, Some(true)),
            (counted(94, 6, 0), 94.0, 95, Some(false)),
            (counted(949, 51, 0), 94.9, 95, Some(false)),
            (counted(95, 0, 5), 95.0, 95, Some(true)),
            (counted(94, 5, 1), 94.0, 95, None),
            (counted(0, 0, 3), 0.0, 95, None),
            (counted(90, 6, 4), 90.0, 95, Some(false)),
            (counted(0, 3, 0), 0.0, 0, Some(true)),
            (counted(2, 0, 0), 100.0, 100, Some(true)),
            (counted(u64::MAX / 2, 1, 0), 100.0, 100, Some(false)),
        ] {
            assert_eq!(counts.percent(), Some(percent), "{counts:?}");
            assert_eq!(counts.meets(wanted), meets, "{counts:?}");
        }
    }
}
