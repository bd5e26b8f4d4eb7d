//! Collects what could not be read, each with one sentence that says what to do, and never more than a page of it.

use std::collections::BTreeMap;

use crate::lag::reason::{Failure, Reason, Scope};

/// Failures of one scope and reason that are written out; the others are counted.
const WRITTEN_OUT: usize = 20;

/// The failures of one pass.
#[derive(Default)]
pub(super) struct Failures {
    list: Vec<Failure>,
    counts: BTreeMap<(Scope, Reason), usize>,
}

impl Failures {
    /// Adds one; `what` is the beginning of its sentence, to which the advice is added.
    pub(super) fn add(&mut self, scope: Scope, name: &str, reason: Reason, what: &str) {
        self.say(scope, name, reason, format!("{what}: {}", advice(reason)));
    }

    /// Adds one with a sentence of its own.
    pub(super) fn say(&mut self, scope: Scope, name: &str, reason: Reason, message: String) {
        let count = self.counts.entry((scope, reason)).or_default();
        *count += 1;
        if *count <= WRITTEN_OUT {
            self.list.push(Failure { scope, name: name.to_owned(), reason, message });
        }
    }

    /// All of them.
    pub(super) fn list(mut self) -> Vec<Failure> {
        for ((scope, reason), count) in self.counts {
            if count > WRITTEN_OUT {
                let message = format!("{} more of the same: {}", count - WRITTEN_OUT, advice(reason));
                self.list.push(Failure { scope, name: String::new(), reason, message });
            }
        }
        self.list
    }
}

fn advice(reason: Reason) -> &'static str {
    match reason {
        Reason::Unreachable => "no connection; check the brokers' addresses, DNS, the network, and whether they run",
        Reason::Timeout => "no answer within the deadline; the next sample asks again",
        Reason::AuthenticationFailed => {
            "the brokers refuse the credentials, or want some; check mechanism, username and password or token"
        }
        Reason::TlsFailed => {
            "the TLS handshake fails; check whether the port wants TLS, the CA, the names in the broker's certificate, and the client certificate"
        }
        Reason::GroupNotAuthorized => "the operation Describe on the group is missing; grant it to this user",
        Reason::TopicNotAuthorized => "the operation Describe on the topic is missing; grant it to this user",
        Reason::ClusterNotAuthorized => "Kafka refuses this user as a whole; grant Describe on groups and topics",
        Reason::NothingVisible => "none exists, or the operation Describe is missing",
        Reason::NoLeader => "no leader at present; check that enough replicas run",
        Reason::NoCoordinator => "the coordinator is not available at present; the next sample asks again",
        Reason::UnknownTopic => "does not exist; check the name",
        Reason::UnknownGroup => "does not exist, or has no committed offset left; check the name",
        Reason::UnsupportedByBroker => "the brokers are too old to be asked this",
        Reason::UnsupportedByClient => "librdkafka cannot ask for the offsets of a share or streams group",
        Reason::KafkaError => "Kafka answers with an error; see its logs",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted_and_not_written_out() {
        let mut failures = Failures::default();
        for group in 0..1000 {
            failures.add(Scope::Group, &format!("g{group}"), Reason::Timeout, "committed offsets");
        }
        failures.add(Scope::Topic, "orders", Reason::UnknownTopic, "orders");
        let list = failures.list();
        assert_eq!(list.len(), 22);
        assert_eq!(list[20].name, "orders");
        assert!(list[21].message.starts_with("980 more"), "{}", list[21].message);
    }
}
