//! The shapes that several answers have in common: where a figure comes from, a group in a list, a group on a topic.

use schemars::JsonSchema;
use serde::Serialize;

use crate::http::view::Told;
use crate::lag::Name;
use crate::lag::extent::{Extent, extent};
use crate::lag::observation::{GroupKind, GroupState};
use crate::lag::report::{Clock, Group, GroupTopic, Health, Method, State, Timestamp, TopicSlo, Trend};

/// Where a figure comes from.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
pub(in crate::http) struct Origin<'a> {
    /// The name given to the cluster.
    pub(in crate::http) cluster_name: &'a str,
    /// Kafka's own id of the cluster.
    pub(in crate::http) cluster_id: Option<&'a str>,
    /// The namespace of the LagMonitor.
    pub(in crate::http) namespace: &'a str,
    /// The name of the LagMonitor.
    pub(in crate::http) monitor: &'a str,
    /// Whose LagMonitor it is: its label `highwater.dev/team`.
    pub(in crate::http) team: Option<&'a str>,
    /// When the ages were computed.
    pub(in crate::http) generated_at: Timestamp,
}

impl<'a> Origin<'a> {
    pub(in crate::http) fn of(told: Told<'a>) -> Self {
        Self {
            cluster_name: &told.report.cluster.name,
            cluster_id: told.report.cluster.id.as_deref(),
            namespace: &told.monitor.name.namespace,
            monitor: &told.monitor.name.name,
            team: told.report.team.as_deref(),
            generated_at: told.report.generated_at,
        }
    }
}

/// One consumer group in a list.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "GroupRow")]
pub(in crate::http) struct GroupRow<'a> {
    /// Where it was seen.
    #[serde(flatten)]
    origin: Origin<'a>,
    /// The group's id.
    group_id: &'a str,
    /// Which protocol it speaks.
    #[serde(rename = "type")]
    kind: GroupKind,
    /// Kafka's own state of the group.
    group_state: Option<GroupState>,
    /// The worst state of its topics.
    state: Option<State>,
    /// The assignor, where the group has one.
    assignor: Option<&'a str>,
    /// How many members it has; `null` where they could not be asked.
    members: Option<usize>,
    /// The topics on which it committed or has an assignment.
    topics: Vec<&'a str>,
    /// How far behind it is, over all its partitions.
    lag: Extent,
    /// Age of the oldest record that it has not read, over all topics.
    max_lag_seconds: Option<f64>,
    /// Records not read, over all topics.
    total_lag_records: Option<i64>,
    /// Where the age is heading.
    trend: Option<Trend>,
    /// How it stands against its objective.
    #[serde(flatten)]
    health: &'a Health,
}

impl<'a> GroupRow<'a> {
    pub(in crate::http) fn of(told: Told<'a>, group: &'a Group) -> Self {
        Self {
            origin: Origin::of(told),
            group_id: &group.group_id,
            kind: group.kind,
            group_state: group.group_state,
            state: group.state,
            assignor: group.assignor.as_deref(),
            members: group.members.as_ref().map(Vec::len),
            topics: group.topics.iter().flatten().map(|topic| &*topic.topic).collect(),
            lag: extent(group),
            max_lag_seconds: group.max_lag_seconds,
            total_lag_records: group.total_lag_records,
            trend: group.trend,
            health: &group.health,
        }
    }
}

/// One consumer group on one topic, without its partitions.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "TopicLag")]
pub(in crate::http) struct TopicLag<'a> {
    /// The topic.
    topic: &'a Name,
    /// Whether the group keeps up with it.
    state: Option<State>,
    /// Since when it is in that state.
    since: Option<Timestamp>,
    /// The largest age over the partitions.
    max_lag_seconds: Option<f64>,
    /// The median age (nearest rank).
    p50_lag_seconds: Option<f64>,
    /// The 95th percentile of the ages (nearest rank).
    p95_lag_seconds: Option<f64>,
    /// How far the largest age may be off, either way.
    bound_seconds: Option<f64>,
    /// How the largest age was found.
    method: Option<Method>,
    /// The clock on which the largest age stands.
    clock: Option<Clock>,
    /// Records not read, all partitions together.
    total_lag_records: Option<i64>,
    /// Records not read on the worst partition.
    max_lag_records: Option<i64>,
    /// The median over the partitions (nearest rank).
    p50_lag_records: Option<i64>,
    /// The 95th percentile over the partitions (nearest rank).
    p95_lag_records: Option<i64>,
    /// Partitions without a committed offset.
    partitions_without_commit: u32,
    /// Partitions that stand still while the group goes on elsewhere, and that no member has.
    abandoned_partitions: u32,
    /// Whether the group has left the topic: something waits here, and its members have had partitions of other topics
    /// only for an hour.
    abandoned: bool,
    /// Records read a second, over the last samples; `null` while that is not known of each partition with a commit.
    consume_rate: Option<f64>,
    /// Records written a second to the same partitions, likewise.
    produce_rate: Option<f64>,
    /// How long until it has caught up at these rates; `null` when it does not converge.
    drain_seconds: Option<f64>,
    /// Where the age is heading.
    trend: Option<Trend>,
    /// How many partitions are within the limits that the group has here.
    slo: Option<TopicSlo>,
    /// Partitions that are stuck.
    stuck_partitions: Option<u32>,
}

impl<'a> TopicLag<'a> {
    pub(in crate::http) fn of(of: &'a GroupTopic) -> Self {
        Self {
            topic: &of.topic,
            state: of.state,
            since: of.since,
            max_lag_seconds: of.max_lag_seconds,
            p50_lag_seconds: of.p50_lag_seconds,
            p95_lag_seconds: of.p95_lag_seconds,
            bound_seconds: of.bound_seconds,
            method: of.method,
            clock: of.clock,
            total_lag_records: of.total_lag_records,
            max_lag_records: of.max_lag_records,
            p50_lag_records: of.p50_lag_records,
            p95_lag_records: of.p95_lag_records,
            partitions_without_commit: of.partitions_without_commit,
            abandoned_partitions: of.abandoned_partitions,
            abandoned: of.abandoned,
            consume_rate: of.consume_rate,
            produce_rate: of.produce_rate,
            drain_seconds: of.drain_seconds,
            trend: of.trend,
            slo: of.slo,
            stuck_partitions: of.stuck_partitions,
        }
    }
}
