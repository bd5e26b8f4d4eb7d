//! How many partitions are within the limits that somebody set: the compliance of a service level objective.
//!
//! Which limits a group has on a topic is told by the caller; this only counts.

use std::ops::AddAssign;

use super::Millis;
use super::judge::seconds;
use super::report::{Group, GroupPartition, Method};

/// The limits of a group on a topic. A partition at its limit is within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most records that a partition may be behind.
    pub max_lag_records: i64,
    /// The largest age of data; `None` for no limit.
    pub max_lag: Option<Millis>,
}

/// What counts as all right for the groups of one monitor.
pub trait Objective {
    /// The bounds of its figures.
    fn bounds(&self) -> Bounds;

    /// The limits of a group on a topic.
    fn limits(&self, group: &str, topic: &str) -> Limits;
}

/// The bounds of the figures of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The least share of partitions within every limit, in percent, from 0 to 100.
    pub min_compliance_percent: u32,
    /// The least rebalance score, from 0 to 100.
    pub min_rebalance_score: u32,
    /// The time over which rebalances are counted.
    pub rebalance_window: Millis,
    /// The number of rebalances in the window that brings the score to 0; 1 or more.
    pub max_rebalances: u32,
    /// The most that the Gini coefficient may be over that of the most even split, in percent, from 0 to 100.
    pub max_gini_excess_percent: u32,
    /// How long something readable may wait, unread, before the partition is stuck.
    pub stuck_window: Millis,
}

/// The partitions with a committed offset, by what the limits say of them, and beside them those that lack one.
///
/// Left out are those of which the age says nothing about the group: unreadable tails, and abandoned ones that no member
/// has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compliance {
    /// Within every limit that is set.
    pub within: u64,
    /// Over at least one.
    pub breaching: u64,
    /// Over none, and not known to be within all: a figure is missing, or only a lower bound.
    pub unknown: u64,
    /// Those that a member has, without a committed offset: they are in no share, for nobody knows where they begin.
    pub without_commit: u64,
}

impl Compliance {
    /// All partitions that count: those with a committed offset.
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

impl AddAssign for Compliance {
    fn add_assign(&mut self, other: Self) {
        self.within = self.within.saturating_add(other.within);
        self.breaching = self.breaching.saturating_add(other.breaching);
        self.unknown = self.unknown.saturating_add(other.unknown);
        self.without_commit = self.without_commit.saturating_add(other.without_commit);
    }
}

/// What one limit says of a partition; the last one decides over the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Within,
    Unknown,
    Breaching,
}

/// Counts the partitions of one group in a report of partition detail, by its limits on each topic.
pub fn of_group(group: &Group, objective: &dyn Objective) -> Compliance {
    let mut compliance = Compliance::default();
    for topic in group.topics.iter().flatten() {
        let limits = objective.limits(&group.group_id, &topic.topic);
        compliance += of_partitions(topic.partitions.iter().flatten(), limits);
    }
    compliance
}

/// Counts the partitions of one group on one topic.
pub fn of_partitions<'a>(partitions: impl Iterator<Item = GroupPartition<'a>>, limits: Limits) -> Compliance {
    let mut compliance = Compliance::default();
    for partition in partitions.filter(|partition| !partition.anomalies.leave_out()) {
        let count = match (partition.committed_offset, verdict(&partition, limits)) {
            // Not read yet.
            (None, _) if partition.method.is_none() => &mut compliance.unknown,
            (None, _) if partition.member_id.is_none() => continue,
            (None, _) => &mut compliance.without_commit,
            (_, Verdict::Within) => &mut compliance.within,
            (_, Verdict::Unknown) => &mut compliance.unknown,
            (_, Verdict::Breaching) => &mut compliance.breaching,
        };
        *count += 1;
    }
    compliance
}

fn verdict(partition: &GroupPartition<'_>, limits: Limits) -> Verdict {
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
    use proptest::prelude::*;

    use super::*;
    use crate::lag::Name;
    use crate::lag::anomaly::Anomaly;
    use crate::lag::observation::GroupKind;
    use crate::lag::report::GroupTopic;

    const RECORDS: Limits = Limits { max_lag_records: 1_000, max_lag: None };
    const AGE: Limits = Limits { max_lag_records: 1_000, max_lag: Some(60_000) };

    /// A partition with a committed offset, its records behind and its age.
    fn behind(records: Option<i64>, age: Option<f64>, method: Method) -> GroupPartition<'static> {
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
            stuck_seconds: None,
            anomalies: Default::default(),
        }
    }

    fn topic(name: &str, partitions: Vec<GroupPartition<'_>>) -> GroupTopic {
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
            abandoned: false,
            consume_rate: None,
            produce_rate: None,
            drain_seconds: None,
            trend: None,
            slo: None,
            stuck_partitions: None,
            partitions: Some(partitions.into_iter().collect()),
        }
    }

    fn group(id: &str, topics: Vec<GroupTopic>) -> Group {
        Group {
            group_id: id.into(),
            kind: GroupKind::Classic,
            group_state: None,
            state: None,
            assignor: None,
            members: None,
            max_lag_seconds: None,
            total_lag_records: None,
            trend: None,
            health: Default::default(),
            topics: Some(topics),
        }
    }

    /// Limits by group and topic; the bounds are not looked at.
    struct Wanted<F>(F);

    impl<F: Fn(&str, &str) -> Limits> Objective for Wanted<F> {
        fn bounds(&self) -> Bounds {
            unreachable!("counting knows no bounds")
        }

        fn limits(&self, group: &str, topic: &str) -> Limits {
            self.0(group, topic)
        }
    }

    fn of(partitions: Vec<GroupPartition<'_>>, limits: Limits) -> Compliance {
        of_partitions(partitions.into_iter(), limits)
    }

    fn counted(within: u64, breaching: u64, unknown: u64) -> Compliance {
        Compliance { within, breaching, unknown, without_commit: 0 }
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
        let without = || GroupPartition { committed_offset: None, lag_records: None, ..late() };
        let left_out = vec![without(), odd(Anomaly::Abandoned), odd(Anomaly::TailUnreadable)];
        assert_eq!(of(left_out, AGE), Compliance::default());
        let member: Name = "m".into();
        let held = GroupPartition { member_id: Some(&member), ..without() };
        assert_eq!(of(vec![held, without()], AGE), Compliance { without_commit: 1, ..Compliance::default() });
        let others = Anomaly::ALL.into_iter().filter(|a| !matches!(a, Anomaly::Abandoned | Anomaly::TailUnreadable));
        assert_eq!(of(others.map(odd).collect(), AGE), counted(0, 8, 0));
    }

    #[test]
    fn every_topic_of_every_group_is_held_to_its_own_limits() {
        let late = || vec![behind(Some(5), Some(100.0), Method::Record)];
        let both = |id| group(id, vec![topic("orders", late()), topic("audit", late())]);
        let patient = Wanted(|group: &str, topic: &str| match (group, topic) {
            ("b", "audit") => Limits { max_lag: Some(100_000), ..AGE },
            _ => AGE,
        });
        assert_eq!(of_group(&both("a"), &patient), counted(0, 2, 0));
        assert_eq!(of_group(&both("b"), &patient), counted(1, 1, 0));
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

    /// Records behind, the age in seconds, and whether that is a lower bound.
    type Behind = (Option<i64>, Option<u16>, bool);

    fn lines(all: &[Behind]) -> Vec<GroupPartition<'static>> {
        let line = |(records, age, at_least): &Behind| {
            behind(*records, age.map(f64::from), if *at_least { Method::AtLeast } else { Method::Record })
        };
        all.iter().map(line).collect()
    }

    fn partitions() -> impl Strategy<Value = Vec<Behind>> {
        prop::collection::vec((prop::option::of(0..2_000_i64), prop::option::of(0..200_u16), any::<bool>()), 0..40)
    }

    fn limits() -> impl Strategy<Value = Limits> {
        (0..2_000_i64, prop::option::of(1_000..200_000_i64))
            .prop_map(|(max_lag_records, max_lag)| Limits { max_lag_records, max_lag })
    }

    proptest! {
        #[test]
        fn looser_limits_never_find_more_breaches_nor_fewer_within(
            all in partitions(), limits in limits(), more in 0..1_000_i64, longer in prop::option::of(0..100_000_i64),
        ) {
            let max_lag = limits.max_lag.zip(longer).map(|(age, longer)| age + longer);
            let looser = Limits { max_lag_records: limits.max_lag_records + more, max_lag };
            let (strict, loose) = (of(lines(&all), limits), of(lines(&all), looser));
            prop_assert!(loose.breaching <= strict.breaching && loose.within >= strict.within, "{strict:?} {loose:?}");
            prop_assert_eq!((strict.partitions(), loose.partitions()), (all.len() as u64, all.len() as u64));
        }

        #[test]
        fn a_group_is_the_sum_of_its_topics_by_the_limits_of_each(
            topics in prop::collection::vec((partitions(), limits()), 0..5),
        ) {
            let named = |(n, (all, _)): (usize, &(Vec<Behind>, Limits))| topic(&n.to_string(), lines(all));
            let group = group("g", topics.iter().enumerate().map(named).collect());
            let objective = Wanted(|_: &str, topic: &str| topics[topic.parse::<usize>().unwrap()].1);
            let mut expected = Compliance::default();
            topics.iter().for_each(|(all, limits)| expected += of(lines(all), *limits));
            prop_assert_eq!(of_group(&group, &objective), expected);
        }

        #[test]
        fn it_is_met_where_no_unknown_partition_could_change_that(
            within in 0..60_u64, breaching in 0..60_u64, unknown in 0..20_u64, wanted in 0..=100_u32,
        ) {
            let found = counted(within, breaching, unknown).meets(wanted);
            let possible: Vec<_> =
                (0..=unknown).map(|good| counted(within + good, breaching + unknown - good, 0).meets(wanted)).collect();
            match found {
                Some(_) => prop_assert!(possible.iter().all(|met| *met == found), "{possible:?}"),
                None => prop_assert!(within + breaching + unknown == 0 || possible.iter().any(|met| *met != possible[0])),
            }
        }
    }
}
