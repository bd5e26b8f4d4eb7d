//! The one value that everybody downstream shows: status, file, ConfigMap, metrics, API and table.
//!
//! Unknown is `null`, never NaN; times are RFC 3339 in UTC; seconds are decimal.

mod health;
mod partitions;

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

pub use health::{
    Alert, AlertKind, Budget, Fairness, GroupStates, Health, Rebalances, ReplicaReason, Replicas, Severity, Slo, Team,
    TopicHealth, TopicSlo, Totals, Velocity,
};
pub use partitions::{Ends, GroupPartition, Partitions};

use super::observation::{GroupKind, GroupState};
use super::reason::Failure;
use super::{Millis, Name, Partition};

/// The version of this shape. Fields may be added within a version; none changes its meaning.
pub const SCHEMA_VERSION: u32 = 1;

/// How old the data is that each consumer group of one cluster is working on.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Report {
    /// Version of this shape: 1.
    pub schema_version: u32,
    /// The LagMonitor that asked; `null` for a single look.
    pub monitor: Option<MonitorName>,
    /// Whose LagMonitor it is: its label `highwater.dev/team`.
    pub team: Option<Name>,
    /// The Kafka cluster.
    pub cluster: Cluster,
    /// When the ages were computed.
    pub generated_at: Timestamp,
    /// How the sample went.
    pub sampling: Sampling,
    /// How deep `groups` goes.
    pub detail: Detail,
    /// Whether `detail` was lowered, or rows left out, to fit a size limit.
    pub truncated: bool,
    /// How many rows were left out to fit a size limit; absent when none was. The groups that are left out have the
    /// smallest ages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_out: Option<LeftOut>,
    /// What could not be read, and why.
    pub errors: Vec<Failure>,
    /// All groups together.
    pub totals: Totals,
    /// Every selected consumer group, by id.
    pub groups: Vec<Group>,
    /// Every selected topic, by name.
    pub topics: Vec<Topic>,
}

impl Report {
    /// The group with this id.
    pub fn group(&self, id: &str) -> Option<&Group> {
        let place = self.groups.binary_search_by(|group| (*group.group_id).cmp(id));
        place.ok().and_then(|place| self.groups.get(place))
    }
}

/// The name of a LagMonitor.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
pub struct MonitorName {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl std::fmt::Display for MonitorName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// The Kafka cluster of a report.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Cluster {
    /// The name given to it; the label `cluster_name` of the metrics.
    pub name: String,
    /// Kafka's own id.
    pub id: Option<Name>,
    /// `host:port` of every live broker.
    pub brokers: Vec<Name>,
}

/// How a sample went.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
pub struct Sampling {
    /// Time between samples; `null` for a single look.
    pub interval_seconds: Option<f64>,
    /// How long the sample took.
    pub duration_seconds: f64,
    /// Share of the wanted answers that came, 0 to 1.
    pub coverage: f64,
    /// Times asked to sharpen ages.
    pub probes: u64,
}

/// How many rows a report lacks that it would have without a size limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LeftOut {
    /// Rows of `groups`.
    pub groups: usize,
    /// Rows of `errors`.
    pub errors: usize,
    /// Rows of `topics`.
    pub topics: usize,
}

/// How deep a report goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub enum Detail {
    /// Groups only.
    Group,
    /// Groups and their topics.
    Topic,
    /// Groups, topics and partitions.
    Partition,
}

/// One consumer group.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Group {
    /// The group's id.
    pub group_id: Name,
    /// Which protocol it speaks.
    #[serde(rename = "type")]
    pub kind: GroupKind,
    /// Kafka's own state of the group.
    pub group_state: Option<GroupState>,
    /// The worst state of its topics: OFFLINE, then RECOVERING, then ONLINE. Without those that it has left, unless it has
    /// left them all. `null` while it has no committed offset.
    pub state: Option<State>,
    /// The assignor, where the group has one.
    pub assignor: Option<Name>,
    /// The members; `null` where they could not be asked.
    pub members: Option<Vec<Member>>,
    /// Age of the oldest record that it has not read, over all topics.
    pub max_lag_seconds: Option<f64>,
    /// Records not read, over all topics.
    pub total_lag_records: Option<i64>,
    /// Where the age is heading.
    pub trend: Option<Trend>,
    /// How it stands against its objective.
    #[serde(flatten)]
    pub health: Health,
    /// Every topic on which it committed or has an assignment, by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topics: Option<Vec<GroupTopic>>,
}

impl Group {
    /// The topics that it reads: those on which it has committed, and that it has not left.
    pub(super) fn topics_read(&self) -> impl Iterator<Item = &GroupTopic> {
        self.topics.iter().flatten().filter(|topic| topic.state.is_some() && !topic.abandoned)
    }
}

/// One member of a consumer group.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Member {
    /// The id that the group coordinator gave it.
    pub member_id: Name,
    /// The `client.id` of the consumer.
    pub client_id: Name,
    /// The address it connects from.
    pub host: Name,
    /// The partitions assigned to it.
    pub assigned: Vec<Assignment>,
}

/// The partitions of one topic that are assigned to one member.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Assignment {
    /// The topic.
    pub topic: Name,
    /// Its partitions.
    pub partitions: Vec<Partition>,
}

/// One consumer group on one topic.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct GroupTopic {
    /// The topic.
    pub topic: Name,
    /// Whether the group keeps up, stands still or catches up; `null` while it has no committed offset.
    pub state: Option<State>,
    /// Since when it is in that state.
    pub since: Option<Timestamp>,
    /// The largest age over the partitions.
    pub max_lag_seconds: Option<f64>,
    /// The median age over the partitions (nearest rank).
    pub p50_lag_seconds: Option<f64>,
    /// The 95th percentile of the ages (nearest rank).
    pub p95_lag_seconds: Option<f64>,
    /// How far the largest age may be off, either way; `null` where that is not known.
    pub bound_seconds: Option<f64>,
    /// How the largest age was found.
    pub method: Option<Method>,
    /// The clock on which the largest age stands.
    pub clock: Option<Clock>,
    /// Records not read, all partitions together.
    pub total_lag_records: Option<i64>,
    /// Records not read on the worst partition.
    pub max_lag_records: Option<i64>,
    /// The median over the partitions (nearest rank).
    pub p50_lag_records: Option<i64>,
    /// The 95th percentile over the partitions (nearest rank).
    pub p95_lag_records: Option<i64>,
    /// Partitions without a committed offset.
    pub partitions_without_commit: u32,
    /// Partitions that stand still while the group goes on elsewhere, and that no member has; they are not in the maximum.
    pub abandoned_partitions: u32,
    /// Whether the group has left the topic: something waits here, and its members have had partitions of other topics
    /// only for an hour. The topic is then not in the group's state, ages, rates and advice, nor stuck.
    pub abandoned: bool,
    /// Records read a second, over the last samples; `null` while that is not known of each partition with a commit.
    pub consume_rate: Option<f64>,
    /// Records written a second to the same partitions, likewise.
    pub produce_rate: Option<f64>,
    /// How long until it has caught up at these rates; `null` when it does not converge.
    pub drain_seconds: Option<f64>,
    /// Where the age is heading.
    pub trend: Option<Trend>,
    /// How many partitions are within the limits that the group has here.
    pub slo: Option<TopicSlo>,
    /// Partitions before which something readable has waited, unread, for the whole `stuckWindow`.
    pub stuck_partitions: Option<u32>,
    /// Every partition of the topic, by number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partitions: Option<Partitions>,
}

/// One topic of the cluster.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Topic {
    /// The topic's name.
    pub topic: Name,
    /// Kafka's id of this life of the topic, as its own tools write it.
    pub topic_id: Option<String>,
    /// Number of partitions.
    pub partitions: u32,
    /// Replicas of each.
    pub replication_factor: u16,
    /// Start and end of each partition's log, by number: what its groups have of them is the same. Not part of the JSON,
    /// where a partition stands with its groups.
    #[serde(skip)]
    pub ends: Arc<[Ends]>,
    /// How its groups are doing.
    #[serde(flatten)]
    pub health: TopicHealth,
}

/// Whether a group keeps up with a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum State {
    /// It advances, or has nothing to read.
    Online,
    /// It advances again, and is still behind.
    Recovering,
    /// It stands still before readable records.
    Offline,
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Online => "ONLINE",
            Self::Recovering => "RECOVERING",
            Self::Offline => "OFFLINE",
        })
    }
}

/// Where an age is heading over the last samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Trend {
    /// Up.
    Growing,
    /// Neither.
    Steady,
    /// Down.
    Shrinking,
}

/// How an age was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Nothing is waiting: 0.
    CaughtUp,
    /// The broker told the timestamp of the very record.
    Record,
    /// Between two known points.
    Interpolated,
    /// Only a lower bound is known.
    AtLeast,
    /// No committed offset: no age.
    NoCommit,
}

/// The clock on which an age stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// Our own sampled log ends: the bound holds without conditions, and there is none where compaction may have come.
    Append,
    /// Record timestamps: the bound holds for producers whose timestamps are in order.
    Producer,
}

/// A point in time; RFC 3339 in UTC with milliseconds in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub Millis);

impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(time) => write!(f, "{time:.3}"),
            Err(_) => write!(f, "{}", jiff::Timestamp::UNIX_EPOCH),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Timestamp {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "date-time" })
    }
}
