//! Which topics there are: ids, partitions and their leaders, of those that are selected.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rdkafka::error::KafkaError;
use rdkafka::metadata::MetadataBroker;
use tokio::sync::oneshot;

use super::admin::Admin;
use super::answers::{Code, Metadata, Node, Reply, TopicAnswer};
use super::failures::Failures;
use super::request::Ask;
use super::selection::Patterns;
use crate::lag::Name;
use crate::lag::reason::{Reason, Scope};

/// Brokers that are asked one after another where none is known to be up.
const TRIED: usize = 3;

/// The selected topics, sorted by name; and the names of those that may not be seen, any more or at all.
///
/// `known` from before are asked for by name: in the list, Kafka hides a topic that it refuses as if it were not there.
///
/// # Errors
/// When the topics cannot be listed or described at all.
pub(super) async fn look(
    admin: &Admin,
    metadata: &Metadata,
    wanted: &Patterns,
    known: impl Iterator<Item = Name>,
    by: Instant,
    failures: &mut Failures,
) -> Result<(Vec<TopicAnswer>, BTreeSet<Name>), Reason> {
    let names = &metadata.topics;
    let literals: BTreeSet<Name> = wanted.literals().map(Name::from).collect();
    let mut asked: BTreeSet<Name> = names.iter().cloned().chain(known).filter(|name| wanted.matches(name)).collect();
    if asked.is_empty() && literals.is_empty() {
        let others = names.len();
        let message = match others {
            0 => "no topic is visible: none exists, or the operation Describe on topics is missing".to_owned(),
            _ => format!("no topic is selected: of {others} visible ones none matches; check the patterns"),
        };
        failures.say(Scope::Cluster, "", Reason::NothingVisible, message);
        return Ok((vec![], BTreeSet::new()));
    }
    asked.extend(literals.iter().cloned());
    let mut topics = describe(admin, metadata, asked, by).await?;
    let mut refused = BTreeSet::new();
    topics.retain(|topic| {
        if topic.error.map(Code::reason) == Some(Reason::TopicNotAuthorized) {
            refused.insert(topic.name.clone());
        }
        let told = |code: &Code| literals.contains(&topic.name) || code.reason() != Reason::UnknownTopic;
        if let Some(code) = topic.error.filter(told) {
            failures.add(Scope::Topic, &topic.name, code.reason(), &format!("topic {}", topic.name));
        }
        topic.error.is_none()
    });
    topics.sort_by(|a, b| a.name.cmp(&b.name));
    Ok((topics, refused))
}

/// Why members are assigned topics that are not among the visible ones, where it is a matter of rights.
pub(super) async fn look_for_hidden(
    admin: &Admin,
    metadata: &Metadata,
    names: BTreeSet<Name>,
    by: Instant,
    failures: &mut Failures,
) {
    let Ok(topics) = describe(admin, metadata, names, by).await else { return };
    for topic in topics {
        if topic.error.map(Code::reason) == Some(Reason::TopicNotAuthorized) {
            let what = format!("topic {}, which group members are assigned", topic.name);
            failures.add(Scope::Topic, &topic.name, Reason::TopicNotAuthorized, &what);
        }
    }
}

/// The cluster, its live brokers, and the names of its topics.
///
/// librdkafka has no call for it that does not block, so a thread asks, in steps: it ends soon after nobody waits.
pub(super) async fn metadata(admin: &Admin, by: Instant) -> Result<Metadata, Reason> {
    let (sender, receiver) = oneshot::channel();
    let asking = admin.clone();
    tokio::task::spawn_blocking(move || {
        let (mut step, mut late) = (Duration::from_millis(500), false);
        let sent = asking.hub().clock.now();
        loop {
            let value = blocking_metadata(&asking, step.min(left(by)));
            late |= matches!(value, Err(Code::TIMED_OUT));
            // No connection yet and none any more are one code: what is wrong is among the faults.
            let value = value.map_err(|code| if code == Code::TRANSPORT { Code::TIMED_OUT } else { code });
            if value.is_ok() || left(by).is_zero() || sender.is_closed() {
                // It would go on to ask the broker that it asked last, for as long as that one hangs; one that is only slow
                // has answered by now.
                if late && value.is_err() {
                    asking.hub().leave_behind();
                }
                let replied = asking.hub().clock.now();
                let _ = sender.send(value.map(|value| Reply { value, sent, replied }));
                return;
            }
            // A call that failed at once is no reason to ask without a break.
            std::thread::sleep(Duration::from_millis(50));
            step *= 2;
        }
    });
    let answer = async { receiver.await.unwrap_or(Err(Code::TIMED_OUT)) };
    Ok(admin.hub().faults.guard(None, answer).await?.value)
}

fn blocking_metadata(admin: &Admin, timeout: Duration) -> Result<Metadata, Code> {
    let all = admin.client().fetch_metadata(None, timeout).map_err(|error| match error {
        KafkaError::MetadataFetch(code) => Code(code as i32),
        _ => Code::TRANSPORT,
    })?;
    let node = |broker: &MetadataBroker| Node {
        id: broker.id(),
        address: format!("{}:{}", broker.host(), broker.port()).into(),
    };
    Ok(Metadata {
        cluster_id: admin.cluster_id(),
        answered_by: (all.orig_broker_id(), all.orig_broker_name().to_owned()),
        nodes: all.brokers().iter().map(node).collect(),
        topics: all.topics().iter().map(|topic| topic.name().into()).collect(),
    })
}

async fn describe(
    admin: &Admin,
    metadata: &Metadata,
    names: BTreeSet<Name>,
    by: Instant,
) -> Result<Vec<TopicAnswer>, Reason> {
    if names.is_empty() {
        return Ok(vec![]);
    }
    let names: Vec<Name> = names.into_iter().collect();
    // Which of them answered is not known where bootstrap servers have names of their own: then several are tried.
    let brokers = match metadata.live_broker() {
        Some(live) => vec![live],
        None => metadata.nodes.iter().map(|node| node.id).take(TRIED).collect(),
    };
    let mut told = Err(Reason::Unreachable);
    for (tried, broker) in (0..).zip(&brokers) {
        let share = left(by) / (brokers.len() as u32 - tried);
        let answer = admin.topics(&names, Ask { broker: Some(*broker), ..Ask::within(share) });
        told = admin.hub().faults.guard(Some(*broker), answer).await.map(|reply| reply.value);
        if told.is_ok() {
            break;
        }
    }
    told
}

/// What is left of a time budget.
pub(super) fn left(by: Instant) -> Duration {
    by.saturating_duration_since(Instant::now())
}
