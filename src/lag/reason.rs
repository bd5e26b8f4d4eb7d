//! Why something could not be read: the closed list of reasons, each named for what a person can do about it.
//!
//! The same word stands in reports, conditions, log fields and metric labels.

use std::collections::BTreeMap;

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

impl Reason {
    /// What to do about it.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Unreachable => "no connection; check the brokers' addresses, DNS, the network, and whether they run",
            Self::Timeout => "no answer within the deadline; the next sample asks again",
            Self::AuthenticationFailed => {
                "the brokers refuse the credentials, or want some; check mechanism, username and password or token"
            }
            Self::TlsFailed => {
                "the TLS handshake fails; check whether the port wants TLS, the CA, the names in the broker's certificate, and the client certificate"
            }
            Self::GroupNotAuthorized => "the operation Describe on the group is missing; grant it to this user",
            Self::TopicNotAuthorized => "the operation Describe on the topic is missing; grant it to this user",
            Self::ClusterNotAuthorized => "Kafka refuses this user as a whole; grant Describe on groups and topics",
            Self::NothingVisible => "none exists, or the operation Describe is missing",
            Self::NoLeader => "no leader at present; check that enough replicas run",
            Self::NoCoordinator => "the coordinator is not available at present; the next sample asks again",
            Self::UnknownTopic => "does not exist; check the name",
            Self::UnknownGroup => "does not exist, or has no committed offset left; check the name",
            Self::UnsupportedByBroker => "the brokers are too old to be asked this",
            Self::UnsupportedByClient => "librdkafka cannot ask this of a share or streams group",
            Self::KafkaError => "Kafka answers with an error; see its logs",
        }
    }
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
    /// The name of that thing; empty for the cluster, and where one line stands for many.
    pub name: String,
    /// Why, from a closed list.
    pub reason: Reason,
    /// One sentence that says what to do. Never bytes from the peer.
    pub message: String,
    /// How many things of that kind this stands for: 1, but in the line that counts those which are not written out.
    pub count: u64,
}

/// Failures of one scope and reason that are written out; the others are counted.
const WRITTEN_OUT: usize = 20;

impl Failure {
    /// One thing that could not be read.
    pub fn new(scope: Scope, name: &str, reason: Reason, message: String) -> Self {
        Self { scope, name: name.to_owned(), reason, message, count: 1 }
    }

    /// No more than a page of them: the first of each scope and reason, and how many more there are.
    pub fn page(all: &[Self]) -> Vec<Self> {
        let mut counts: BTreeMap<(Scope, Reason), usize> = BTreeMap::new();
        let mut page: Vec<Self> = Vec::new();
        for failure in all {
            let count = counts.entry((failure.scope, failure.reason)).or_default();
            *count += 1;
            if *count <= WRITTEN_OUT {
                page.push(failure.clone());
            }
        }
        for ((scope, reason), count) in counts {
            let more = count.saturating_sub(WRITTEN_OUT);
            if more > 0 {
                let message = format!("{more} more of the same: {}", reason.advice());
                page.push(Self { count: more as u64, ..Self::new(scope, "", reason, message) });
            }
        }
        page
    }

    /// The one of them that explains most: that of the widest scope. `NothingVisible` explains no missing answer and
    /// gives way to every other.
    pub fn gravest(all: &[Self]) -> Option<&Self> {
        all.iter().min_by_key(|failure| (failure.reason == Reason::NothingVisible, failure.scope))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lag::anomaly::Anomaly;

    #[test]
    fn the_widest_scope_explains_most_and_the_first_of_it() {
        let failure = |scope, reason, name: &str| Failure::new(scope, name, reason, String::new());
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

    /// The words of a closed list, each with what it means, as the report's schema has them.
    fn table<T: schemars::JsonSchema>() -> String {
        let schema = serde_json::to_value(schemars::schema_for!(T)).unwrap();
        let rows = schema["oneOf"].as_array().unwrap().iter().map(|word| {
            let text = word["description"].as_str().unwrap().replace('\n', " ");
            format!("| `{}` | {text} |\n", word["const"].as_str().unwrap())
        });
        format!("| word | meaning |\n|---|---|\n{}", rows.collect::<String>())
    }

    #[test]
    fn the_closed_lists_stand_in_the_docs() {
        let docs = include_str!("../../docs/report.md");
        for (list, table) in [("anomalies", table::<Anomaly>()), ("reasons", table::<Reason>())] {
            let shown = docs.split_once(&format!("<!-- {list} -->\n")).and_then(|(_, rest)| rest.split_once("<!-- /"));
            assert_eq!(shown.unwrap().0, table, "the table of {list} in docs/report.md is to be:\n{table}");
        }
    }

    #[test]
    fn a_flood_is_counted_and_not_written_out() {
        let one = |n| Failure::new(Scope::Group, &format!("g{n}"), Reason::Timeout, "committed offsets".into());
        let mut all: Vec<_> = (0..1000).map(one).collect();
        all.push(Failure::new(Scope::Topic, "orders", Reason::UnknownTopic, "orders".into()));
        let page = Failure::page(&all);
        assert_eq!((page.len(), page[20].name.as_str()), (22, "orders"));
        assert!(page[21].message.starts_with("980 more of the same: no answer"), "{}", page[21].message);
        assert_eq!(page.iter().map(|failure| failure.count).sum::<u64>(), 1001);
    }
}
