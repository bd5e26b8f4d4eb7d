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

impl Failure {
    /// The one of them that explains most: that of the widest scope. `NothingVisible` explains no missing answer and
    /// gives way to every other.
    pub fn gravest(all: &[Self]) -> Option<&Self> {
        all.iter().min_by_key(|failure| (failure.reason == Reason::NothingVisible, failure.scope))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_widest_scope_explains_most_and_the_first_of_it() {
        let failure = |scope, reason, name: &str| Failure { scope, name: name.into(), reason, message: String::new() };
        let all = [
            failure(Scope::Cluster, Reason::NothingVisible, "groups"),
            failure(Scope::Group, Reason::Timeout, "a"),
            failure(Scope::Broker, Reason::Unreachable, "1"),
            failure(Scope::Broker, Reason::Timeout, "2"),
        ];
        let gravest = |all| Failure::gravest(all).map(|failure| failure.name.as_str());
        assert_eq!(gravest(&all), Some("1"));
        assert_eq!(gravest(&all[..2]), Some("a"));
        assert_eq!(gravest(&all[..1]), Some("groups"));
        assert_eq!(gravest(&[]), None);
    }
}
