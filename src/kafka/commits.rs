//! Asks for the committed offsets of many groups at once.

use std::collections::{BTreeMap, HashSet};
use std::time::Instant;

use futures_util::stream::{self, StreamExt};

use super::admin::Admin;
use super::answers::{OffsetAnswer, Reply};
use super::groups::Found;
use super::topics::left;
use crate::lag::Name;
use crate::lag::observation::{Commits, TopicCommits};
use crate::lag::reason::Reason;

/// Groups in flight: librdkafka takes one a call, and each call is two requests.
const IN_FLIGHT: usize = 256;

/// The committed offsets of each group on the topics given, in the order of the groups.
pub(super) async fn ask(
    admin: &Admin,
    groups: &[Found],
    topics: &HashSet<Name>,
    by: Instant,
) -> Vec<Result<Commits, Reason>> {
    let calls: Vec<_> = groups.iter().map(|group| ask_one(admin, group, topics, by)).collect();
    stream::iter(calls).buffered(IN_FLIGHT).collect().await
}

async fn ask_one(admin: &Admin, group: &Found, topics: &HashSet<Name>, by: Instant) -> Result<Commits, Reason> {
    if !group.askable {
        return Err(Reason::UnsupportedByClient);
    }
    let faults = &admin.hub().faults;
    let timeout = left(by);
    if timeout.is_zero() {
        return Err(faults.blame(group.coordinator, Reason::Timeout));
    }
    let answer = admin.commits(&group.id, timeout);
    let Reply { value, sent, replied } =
        faults.guard(group.coordinator, answer).await.map_err(|reason| moved(admin, reason))?;
    // A partition whose commit could not be read is not one without a commit.
    let unread = value.iter().find_map(|row| row.error.filter(|_| topics.contains(&row.topic)));
    match unread {
        Some(code) => Err(moved(admin, faults.blame(group.coordinator, code.reason()))),
        None => Ok(Commits { sent, replied, topics: by_topic(value, topics) }),
    }
}

/// librdkafka goes on to ask the coordinator that it once found for ten minutes: a new client finds the new one.
fn moved(admin: &Admin, reason: Reason) -> Reason {
    if reason == Reason::NoCoordinator {
        admin.hub().leave_behind();
    }
    reason
}

/// Sorted by topic and partition, without what is not wanted and partitions without a commit.
fn by_topic(rows: Vec<OffsetAnswer>, topics: &HashSet<Name>) -> Vec<TopicCommits> {
    let mut found = BTreeMap::<Name, Vec<_>>::new();
    for row in rows {
        if row.offset >= 0 && topics.contains(&row.topic) {
            found.entry(row.topic).or_default().push((row.partition, row.offset));
        }
    }
    let sorted = found.into_iter().map(|(topic, mut offsets)| {
        offsets.sort_unstable();
        TopicCommits { topic, offsets }
    });
    sorted.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_commits_on_selected_topics_stay_sorted() {
        let row = |topic: &str, partition, offset| OffsetAnswer {
            topic: topic.into(),
            partition,
            offset,
            timestamp: -1,
            error: None,
        };
        let rows = vec![row("b", 1, 5), row("b", 0, 7), row("hidden", 0, 1), row("a", 0, -1001), row("a", 3, 0)];
        let topics = HashSet::from(["a".into(), "b".into()]);
        let found: Vec<_> = by_topic(rows, &topics).into_iter().map(|t| (t.topic, t.offsets)).collect();
        assert_eq!(found, vec![("a".into(), vec![(3, 0)]), ("b".into(), vec![(0, 7), (1, 5)])]);
    }
}
