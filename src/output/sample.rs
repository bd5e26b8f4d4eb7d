//! A small report for tests: one group that keeps up, one that stopped, one with an awkward name and no commit, and
//! one that could not be asked.

use crate::lag::anomaly::{Anomalies, Anomaly};
use crate::lag::observation::{GroupKind, GroupState};
use crate::lag::reason::{Failure, Reason, Scope};
use crate::lag::report::{
    Alert, AlertKind, Assignment, Budget, Clock, Cluster, Detail, Fairness, Group, GroupPartition, GroupTopic, Health,
    Member, Method, MonitorName, Rebalances, ReplicaReason, Replicas, Report, Sampling, Severity, Slo, State,
    Timestamp, Topic, TopicHealth, Totals, Trend, Velocity,
};

/// A group id with everything that formats have to escape: quote, backslash, newline, comma, escape character, tab.
pub(crate) const AWKWARD: &str = "we\"ird\\gr\noup,\u{1b}[31m\t=é";

pub(crate) const NOW: i64 = 1_772_366_400_000;

/// The name under which the sample is posted.
pub(crate) fn monitor() -> MonitorName {
    MonitorName { namespace: "shop".into(), name: "orders".into() }
}

/// The sample, at partition detail.
pub(crate) fn report() -> Report {
    let topics = [("orders", 2), ("payments", 1)].map(|(name, partitions)| Topic {
        topic: name.into(),
        topic_id: Some("ABEiM0RVZneImaq7zN3u_w".into()),
        partitions,
        replication_factor: 3,
        ends: [(Some(0), Some(100)), (Some(0), Some(50))].into_iter().take(partitions as usize).collect(),
        health: TopicHealth::default(),
    });
    Report {
        schema_version: 1,
        monitor: Some(monitor()),
        team: Some("logistics".into()),
        cluster: Cluster { name: "orders-kafka".into(), id: Some("abc".into()), brokers: vec!["b:9092".into()] },
        generated_at: Timestamp(NOW),
        sampling: Sampling { interval_seconds: Some(60.0), duration_seconds: 0.21, coverage: 0.95, probes: 7 },
        detail: Detail::Partition,
        truncated: false,
        left_out: None,
        errors: vec![Failure::new(
            Scope::Group,
            "zombie",
            Reason::UnsupportedByClient,
            "The client library cannot ask share groups.".into(),
        )],
        totals: Totals::default(),
        groups: vec![stopped(), busy(), awkward(), unasked()],
        topics: topics.to_vec(),
    }
}

/// How a group stands that has one partition of four over its limits, and one alert for it.
pub(crate) fn health() -> Health {
    let budget = Budget {
        period_seconds: 2_592_000.0,
        observed_seconds: 86_400.0,
        remaining: Some(0.9),
        burn_rate_5m: Some(5.0),
        burn_rate_30m: Some(5.0),
        burn_rate_1h: Some(4.5),
        burn_rate_6h: Some(1.25),
        burn_rate_3d: Some(0.5),
    };
    Health {
        slo: Some(Slo {
            compliance: Some(0.75),
            target: 0.95,
            met: Some(false),
            within: 3,
            breaching: 1,
            unknown: 0,
            without_commit: 0,
            budget: Some(budget),
        }),
        stuck_partitions: Some(0),
        rebalances: Some(Rebalances {
            score: Some(90.0),
            target: 70.0,
            count: 1,
            window_seconds: 3_600.0,
            last: Some(Timestamp(NOW)),
        }),
        fairness: Some(Fairness { gini: 0.5, excess: 0.5, idle_members: 1 }),
        velocity: Some(Velocity { records_per_second: Some(-2.5), seconds_per_second: Some(-0.5) }),
        drain_seconds: Some(95.0),
        replicas: Some(Replicas {
            advised: 2,
            current: 1,
            useful: 3,
            member_rate: Some(12.5),
            reason: ReplicaReason::Measured,
            reasoning: "2 would keep up".into(),
        }),
        recommendation: Some("Run 2 members: 2 would keep up.".into()),
        alerts: vec![alert("orders-shipper", AlertKind::SloViolated)],
    }
}

/// An alert of a group that began a minute ago.
pub(crate) fn alert(group: &str, kind: AlertKind) -> Alert {
    Alert {
        id: format!("orders-kafka/{group}/{}", kind.word()),
        kind,
        severity: Severity::Warning,
        group_id: group.into(),
        since: Timestamp(NOW - 60_000),
        value: 0.75,
        bound: 0.95,
        held: false,
        summary: "75 % of its partitions are within their limits, 95 % are wanted".into(),
        advice: "Run 2 members: 2 would keep up.".into(),
    }
}

fn busy() -> Group {
    let member = "m-1".into();
    let first = partition(0, Some(90), 100, Some((2.5, 0.04, Method::Interpolated)));
    let first = GroupPartition { member_id: Some(&member), ..first };
    let second = partition(1, Some(50), 50, Some((0.0, 0.0, Method::CaughtUp)));
    let orders = topic("orders", Some(State::Online), vec![first, second]);
    let mut behind = topic(
        "payments",
        Some(State::Recovering),
        vec![partition(0, Some(1_000), 5_000, Some((252.0, 0.001, Method::Record)))],
    );
    behind.trend = Some(Trend::Shrinking);
    behind.drain_seconds = Some(95.0);
    let member = Member {
        member_id: "m-1".into(),
        client_id: "shipper".into(),
        host: "10.0.0.7".into(),
        assigned: vec![Assignment { topic: "orders".into(), partitions: vec![0] }],
    };
    let other = Member { member_id: "m-2".into(), assigned: vec![], ..member.clone() };
    let mut group = group("orders-shipper", vec![orders, behind], Some(vec![member, other]));
    group.health = health();
    group
}

fn stopped() -> Group {
    let mut lost = partition(0, Some(10), 100, Some((266_400.0, 0.0, Method::AtLeast)));
    lost.bound_seconds = None;
    lost.clock = Some(Clock::Append);
    lost.log_start_offset = Some(40);
    lost.lag_records = Some(60);
    lost.records_lost = 30;
    lost.stale_seconds = Some(61.5);
    lost.anomalies = [Anomaly::TimestampsAhead, Anomaly::RecordHidden].into_iter().collect();
    let caught_up = partition(1, Some(50), 50, Some((0.0, 0.0, Method::CaughtUp)));
    let mut orders = topic("orders", Some(State::Offline), vec![lost, caught_up]);
    orders.abandoned_partitions = 1;
    orders.trend = Some(Trend::Growing);
    group("billing", vec![orders], Some(vec![]))
}

fn awkward() -> Group {
    let orders = topic("orders", None, vec![partition(0, None, 100, None), partition(1, None, 50, None)]);
    group(AWKWARD, vec![orders], Some(vec![]))
}

fn unasked() -> Group {
    let mut group = group("zombie", vec![], None);
    group.kind = GroupKind::Share;
    group.group_state = None;
    group
}

/// A group over its topics.
pub(crate) fn group(id: &str, topics: Vec<GroupTopic>, members: Option<Vec<Member>>) -> Group {
    Group {
        group_id: id.into(),
        kind: GroupKind::Classic,
        group_state: Some(if members.as_ref().is_some_and(|m| m.is_empty()) {
            GroupState::Empty
        } else {
            GroupState::Stable
        }),
        state: topics.iter().filter_map(|t| t.state).max(),
        assignor: Some("range".into()),
        members,
        max_lag_seconds: topics.iter().filter_map(|t| t.max_lag_seconds).max_by(f64::total_cmp),
        total_lag_records: topics.iter().filter_map(|t| t.total_lag_records).reduce(|a, b| a + b),
        trend: topics.iter().find_map(|t| t.trend),
        health: Health::default(),
        topics: Some(topics),
    }
}

/// A group on one topic, with the aggregates of its partitions.
pub(crate) fn topic(name: &str, state: Option<State>, partitions: Vec<GroupPartition<'_>>) -> GroupTopic {
    let known = partitions.iter().filter(|p| p.lag_seconds.is_some());
    let worst = known.max_by(|a, b| a.lag_seconds.unwrap_or(0.0).total_cmp(&b.lag_seconds.unwrap_or(0.0)));
    let records: Vec<i64> = partitions.iter().filter_map(|p| p.lag_records).collect();
    GroupTopic {
        topic: name.into(),
        state,
        since: state.map(|_| Timestamp(NOW - 3_600_000)),
        max_lag_seconds: worst.and_then(|p| p.lag_seconds),
        p50_lag_seconds: worst.and_then(|p| p.lag_seconds),
        p95_lag_seconds: worst.and_then(|p| p.lag_seconds),
        bound_seconds: worst.and_then(|p| p.bound_seconds),
        method: worst.and_then(|p| p.method).or(Some(Method::NoCommit)),
        clock: worst.and_then(|p| p.clock),
        total_lag_records: (!records.is_empty()).then(|| records.iter().sum()),
        max_lag_records: records.iter().max().copied(),
        p50_lag_records: records.iter().max().copied(),
        p95_lag_records: records.iter().max().copied(),
        partitions_without_commit: partitions.iter().filter(|p| p.committed_offset.is_none()).count() as u32,
        abandoned_partitions: 0,
        abandoned: false,
        consume_rate: state.map(|_| 12.5),
        produce_rate: state.map(|_| 10.0),
        drain_seconds: None,
        trend: None,
        slo: None,
        stuck_partitions: None,
        partitions: Some(partitions.into_iter().collect()),
    }
}

/// A group on one partition: committed offset, log end, and age with bound and method.
pub(crate) fn partition(
    number: i32,
    committed: Option<i64>,
    log_end: i64,
    age: Option<(f64, f64, Method)>,
) -> GroupPartition<'static> {
    GroupPartition {
        partition: number,
        member_id: None,
        committed_offset: committed,
        log_start_offset: Some(0),
        log_end_offset: Some(log_end),
        lag_records: committed.map(|committed| log_end - committed),
        lag_seconds: age.map(|a| a.0),
        bound_seconds: age.map(|a| a.1),
        method: Some(age.map_or(Method::NoCommit, |a| a.2)),
        clock: age.map(|_| Clock::Producer),
        records_lost: 0,
        blocked_records: 0,
        stale_seconds: None,
        stuck_seconds: None,
        anomalies: Anomalies::default(),
    }
}

/// Changes the first partition of a group on a topic.
pub(crate) fn change_first_partition(topic: &mut GroupTopic, change: impl Fn(&mut GroupPartition<'_>)) {
    let changed = topic.partitions.as_ref().map(|partitions| {
        let mut all: Vec<_> = partitions.iter().collect();
        all.iter_mut().take(1).for_each(change);
        all.into_iter().collect()
    });
    topic.partitions = changed;
}
