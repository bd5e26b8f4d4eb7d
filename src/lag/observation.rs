//! What one read-only pass over a cluster saw, with every partial failure as data.
//!
//! `kafka` fills it; nothing here decides what the figures mean.

use std::collections::BTreeSet;

use super::reason::{Failure, Reason};
use super::{BrokerId, Millis, Name, Offset, Partition, TopicId};

/// One pass over a cluster: topics and their log starts, then committed offsets, then log ends, in that order.
///
/// In that order a healthy partition has `log start ≤ committed offset ≤ log end`.
#[derive(Debug, Clone, Default)]
pub struct Observation {
    /// When the pass began.
    pub started: Millis,
    /// When the last reply was in.
    pub finished: Millis,
    /// What a clock that nobody sets showed when the pass began; only differences mean anything. `None` where there is
    /// none.
    pub uptime: Option<Millis>,
    /// Kafka's own id of the cluster, where it could be read.
    pub cluster_id: Option<Name>,
    /// `host:port` of every live broker, by broker id.
    pub brokers: Vec<Name>,
    /// The selected topics, sorted by name.
    pub topics: Vec<TopicObservation>,
    /// The selected groups, sorted by id.
    pub groups: Vec<GroupObservation>,
    /// What could not be read, and why. Partition failures stand at the partition as well.
    pub failures: Vec<Failure>,
    /// The topics among them that stand there as the pass before saw them: this one could not describe them, nor know the
    /// committed offsets on them.
    pub unseen: BTreeSet<Name>,
    /// Groups that are certainly gone, whatever else may be missing here.
    pub gone: BTreeSet<Name>,
}

/// An offset that a broker answered, with the interval in which it was true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// The offset answered.
    pub offset: Offset,
    /// When the request was sent.
    pub sent: Millis,
    /// When the reply was in.
    pub replied: Millis,
}

/// What a broker said of one offset: a reading, or the reason why there is none.
pub type Answer = Result<Reading, Reason>;

/// One topic of the pass.
#[derive(Debug, Clone)]
pub struct TopicObservation {
    /// The topic's name.
    pub name: Name,
    /// The topic's id; `None` from brokers that do not tell.
    pub id: Option<TopicId>,
    /// Replicas of the first partition.
    pub replication_factor: u16,
    /// One entry a partition, in the order of their numbers from 0.
    pub partitions: Vec<PartitionObservation>,
}

/// How long a topic keeps its records, as far as it is set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TopicConfig {
    /// `retention.ms`: milliseconds, -1 for ever.
    pub retention_ms: Option<i64>,
    /// `retention.bytes`, of each partition; -1 for no limit.
    pub retention_bytes: Option<i64>,
    /// `cleanup.policy`: delete, compact, or both by comma.
    pub cleanup_policy: Option<Name>,
}

/// One partition of the pass.
#[derive(Debug, Clone)]
pub struct PartitionObservation {
    /// The broker that leads it; `None` where no replica is alive.
    pub leader: Option<BrokerId>,
    /// The first readable offset.
    pub log_start: Answer,
    /// The high watermark: the end of the log for everybody.
    pub high_watermark: Answer,
    /// The last stable offset, asked only with `ReadCommitted`.
    pub last_stable: Option<Answer>,
}

/// One consumer group of the pass.
#[derive(Debug, Clone)]
pub struct GroupObservation {
    /// The group's id.
    pub id: Name,
    /// Which protocol the group speaks.
    pub kind: GroupKind,
    /// Kafka's own state of the group; `None` where it could not be asked.
    pub state: Option<GroupState>,
    /// The assignor (`range`, `cooperative-sticky`, `uniform`…), where the group has one.
    pub assignor: Option<Name>,
    /// The members; `None` where they could not be asked, empty where there are none.
    pub members: Option<Vec<Member>>,
    /// The committed offsets of the selected topics, or why there are none to show.
    pub commits: Result<Commits, Reason>,
}

/// The committed offsets of one group.
#[derive(Debug, Clone, Default)]
pub struct Commits {
    /// When the request was sent.
    pub sent: Millis,
    /// When the reply was in.
    pub replied: Millis,
    /// The topics with a committed offset, sorted by name.
    pub topics: Vec<TopicCommits>,
}

/// The committed offsets of one group on one topic.
#[derive(Debug, Clone)]
pub struct TopicCommits {
    /// The topic's name.
    pub topic: Name,
    /// Partition and committed offset (the next offset that the group will read), sorted by partition.
    pub offsets: Vec<(Partition, Offset)>,
}

/// One member of a consumer group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The id that the group coordinator gave it.
    pub member_id: Name,
    /// The `client.id` of the consumer.
    pub client_id: Name,
    /// The address it connects from.
    pub host: Name,
    /// The partitions assigned to it, sorted by topic and partition.
    pub assigned: Vec<(Name, Vec<Partition>)>,
}

/// Which protocol a group speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GroupKind {
    /// The consumer protocol with client-side assignment, or a group of committed offsets without members.
    Classic,
    /// The KIP-848 protocol with broker-side assignment.
    Consumer,
    /// A share group (KIP-932).
    Share,
    /// A streams group (KIP-1071).
    Streams,
    /// Not told by the broker.
    Unknown,
}

/// Kafka's own state of a consumer group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub enum GroupState {
    /// Members are joining.
    PreparingRebalance,
    /// Waiting for the leader's assignment.
    CompletingRebalance,
    /// Every member has its assignment.
    Stable,
    /// Committed offsets, no members.
    Empty,
    /// Being removed, or unknown to the coordinator.
    Dead,
    /// The broker computes an assignment (KIP-848).
    Assigning,
    /// Members move to a new assignment (KIP-848).
    Reconciling,
}

/// One question by time: which is the first offset whose record has a timestamp at or after `time`?
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Probe {
    /// The topic.
    pub topic: Name,
    /// The partition.
    pub partition: Partition,
    /// The time asked for, or [`Probe::NEWEST`].
    pub time: Millis,
}

impl Probe {
    /// Asks for the record with the largest timestamp, where the broker knows that question (Kafka 3.0 and later, KIP-734).
    /// One that does not takes it for the beginning of time, and answers with the first record.
    pub const NEWEST: Millis = Millis::MAX;
}

/// What a broker answered to a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// What was asked.
    pub probe: Probe,
    /// When the request was sent.
    pub sent: Millis,
    /// When the reply was in.
    pub replied: Millis,
    /// The first record at or after the time, as offset and timestamp; `None` when every record is older.
    pub answer: Result<Option<(Offset, Millis)>, Reason>,
}
