//! Why something could not be read: the closed list of reasons, each named for what a person can do about it.
//!
//! The same word stands in reports, conditions, log fields and metric labels.

use serde::Serialize;

/// Why a cluster, group, topic or partition could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, schemars::JsonSchema)]
pub enum Reason {
    /// No broker could be reached: check `brokers`, DNS and the network.
    Unreachable,
    /// A broker did not answer within the deadline.
    Timeout,
    /// The brokers refused the credentials: check mechanism, username and password.
    AuthenticationFailed,
    /// The TLS handshake failed: check the CA, the certificate's names and the client certificate.
    TlsFailed,
    /// `Describe` on the cluster's group is missing.
    GroupNotAuthorized,
    /// `Describe` on the topic is missing.
    TopicNotAuthorized,
    /// Kafka refuses the client as a whole.
    ClusterNotAuthorized,
    /// Nothing is visible behind the patterns: none exists, or `Describe` is missing.
    NothingVisible,
    /// The partition has no leader at present.
    NoLeader,
    /// The group's coordinator is not available at present.
    NoCoordinator,
    /// The topic does not exist (any more).
    UnknownTopic,
    /// The group does not exist (any more).
    UnknownGroup,
    /// The brokers are too old to be asked this.
    UnsupportedByBroker,
    /// The client library cannot ask this kind of group.
    UnsupportedByClient,
    /// Anything else that Kafka answers.
    KafkaError,
}

/// What a failure is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// The whole cluster.
    Cluster,
    /// One broker.
    Broker,
    /// One consumer group.
    Group,
    /// One topic.
    Topic,
    /// One partition, named `topic/partition`.
    Partition,
}

/// One thing that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Failure {
    /// What it is about.
    pub scope: Scope,
    /// The name of that thing; empty for the cluster.
    pub name: String,
    /// Why, from a closed list.
    pub reason: Reason,
    /// One sentence that says what to do. Never bytes from the peer.
    pub message: String,
}
