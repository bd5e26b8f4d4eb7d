//! Which topics there are: ids, partitions and their leaders, of those that are selected.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::admin::Admin;
use super::answers::{Code, Reply, TopicAnswer};
use super::failures::Failures;
use super::selection::Patterns;
use crate::lag::Name;
use crate::lag::reason::{Reason, Scope};

/// The selected topics, sorted by name.
///
/// # Errors
/// When the topics cannot be listed or described at all.
pub(super) async fn look(
    admin: &Admin,
    wanted: &Patterns,
    by: Instant,
    failures: &mut Failures,
) -> Result<Vec<TopicAnswer>, Reason> {
    let names = names(admin, by).await?;
    let literals: BTreeSet<Name> = wanted.literals().map(Name::from).collect();
    let mut asked: BTreeSet<Name> = names.iter().filter(|name| wanted.matches(name)).cloned().collect();
    if asked.is_empty() && literals.is_empty() {
        let others = names.len();
        let message = match others {
            0 => "no topic is visible: none exists, or the operation Describe on topics is missing".to_owned(),
            _ => format!("no topic is selected: of {others} visible ones none matches; check the patterns"),
        };
        failures.say(Scope::Cluster, "", Reason::NothingVisible, message);
        return Ok(vec![]);
    }
    // Asked by name, Kafka tells a missing right from a missing topic; in the list it hides both.
    asked.extend(literals.iter().cloned());
    let mut topics = describe(admin, asked, by).await?;
    topics.retain(|topic| {
        if let Some(code) = topic.error.filter(|_| literals.contains(&topic.name)) {
            failures.add(Scope::Topic, &topic.name, code.reason(), &format!("topic {}", topic.name));
        }
        topic.error.is_none()
    });
    topics.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(topics)
}

/// Why members are assigned topics that are not among the visible ones, where it is a matter of rights.
pub(super) async fn look_for_hidden(admin: &Admin, names: BTreeSet<Name>, by: Instant, failures: &mut Failures) {
    let Ok(topics) = describe(admin, names, by).await else { return };
    for topic in topics {
        if topic.error.map(Code::reason) == Some(Reason::TopicNotAuthorized) {
            let what = format!("topic {}, which group members are assigned", topic.name);
            failures.add(Scope::Topic, &topic.name, Reason::TopicNotAuthorized, &what);
        }
    }
}

async fn names(admin: &Admin, by: Instant) -> Result<Vec<Name>, Reason> {
    let (admin, timeout) = (admin.clone(), left(by));
    let blocking = {
        let admin = admin.clone();
        tokio::task::spawn_blocking(move || {
            let sent = admin.hub().clock.now();
            let value = admin.topic_names(timeout)?;
            Ok(Reply { value, sent, replied: admin.hub().clock.now() })
        })
    };
    let names = async { blocking.await.unwrap_or(Err(Code::TIMED_OUT)) };
    Ok(admin.hub().faults.guard(None, names).await?.value)
}

async fn describe(admin: &Admin, names: BTreeSet<Name>, by: Instant) -> Result<Vec<TopicAnswer>, Reason> {
    if names.is_empty() {
        return Ok(vec![]);
    }
    let names: Vec<Name> = names.into_iter().collect();
    Ok(admin.hub().faults.guard(None, admin.topics(&names, left(by))).await?.value)
}

/// What is left of a time budget.
pub(super) fn left(by: Instant) -> Duration {
    by.saturating_duration_since(Instant::now())
}
