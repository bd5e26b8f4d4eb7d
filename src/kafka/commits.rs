//! Asks for the committed offsets of many groups at once, coordinator by coordinator: one that is silent takes only its own
//! groups with it.
//!
//! A group is asked for all that it has committed. What librdkafka takes for an answer grows with the square of its rows:
//! 0.25 s of CPU time for 10,000, and 6 s for 50,000, in which it does nothing else. So a group with too many is asked for
//! the selected partitions only, in parts. That it has too many is known from its assignment or from the answer before: one
//! without members is asked as a whole once, and again as long as that takes longer than a pass has time.

use std::collections::{BTreeMap, HashSet};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::admin::Admin;
use super::answers::{Answered, Code, OffsetAnswer, Reply, TopicAnswer};
use super::groups::Found;
use super::offsets::is_silence;
use super::request::{Ask, NOT_ANSWERED, Place};
use super::topics::left;
use crate::lag::Name;
use crate::lag::observation::{Commits, TopicCommits};
use crate::lag::reason::Reason;

/// Groups in flight to one coordinator: librdkafka takes one a call.
const IN_FLIGHT: usize = 128;

/// Partitions a request, where a group is asked in parts; and parts in flight.
const PART: usize = 500;
const PARTS_IN_FLIGHT: usize = 2;

/// A partition asked for in parts takes 3 µs, as long as so many pairs of rows in an answer to a group as a whole.
const PAIRS: usize = 1_000;

/// What is wanted of the answers: every partition of the selected topics.
pub(super) struct Wanted<'a> {
    names: HashSet<Name>,
    topics: &'a [TopicAnswer],
    /// Made when a group is asked in parts.
    places: OnceLock<Vec<Place>>,
    partitions: usize,
}

impl<'a> Wanted<'a> {
    pub(super) fn new(topics: &'a [TopicAnswer]) -> Self {
        let names = topics.iter().map(|topic| topic.name.clone()).collect();
        let partitions = topics.iter().map(|topic| topic.leaders.len()).sum();
        Self { names, topics, places: OnceLock::new(), partitions }
    }

    /// What a group is asked for, where an answer to it as a whole would take longer than to ask for every partition; else
    /// nothing. Of a group that is not listed, only the whole tells whether it is there.
    fn in_parts(&self, group: &Found) -> &[Place] {
        let rows = group.width();
        let wide = rows.saturating_mul(rows) / 2 > PAIRS * self.partitions;
        if wide && group.askable && !group.unlisted { self.places.get_or_init(|| self.every()) } else { &[] }
    }

    fn every(&self) -> Vec<Place> {
        let partitions = self.topics.iter().flat_map(|topic| (0..).zip(&topic.leaders).map(move |(p, _)| (topic, p)));
        partitions.map(|(topic, partition)| (topic.name.clone(), partition, NOT_ANSWERED)).collect()
    }
}

/// What became of one group.
pub(super) struct Asked {
    pub(super) commits: Result<Commits, Reason>,
    /// Rows that an answer to the group as a whole has, as far as is known.
    pub(super) rows: usize,
}

/// The committed offsets of each group on the partitions wanted, in the order of the groups.
pub(super) async fn ask(admin: &Admin, groups: &[Found], wanted: &Wanted<'_>, by: Instant) -> Vec<Asked> {
    let mut lines: BTreeMap<Option<i32>, Vec<usize>> = BTreeMap::new();
    for (index, group) in groups.iter().enumerate() {
        lines.entry(group.coordinator).or_default().push(index);
    }
    let lines = lines.into_values().map(|line| async move {
        let gone = OnceLock::new();
        let call = async |index: usize| (index, ask_one(admin, &groups[index], wanted, by, &gone).await);
        stream::iter(line).map(call).buffer_unordered(IN_FLIGHT).collect::<Vec<_>>().await
    });
    let unanswered = |group: &Found| Asked { commits: Err(Reason::Timeout), rows: group.rows };
    let mut answers: Vec<_> = groups.iter().map(unanswered).collect();
    for (index, answer) in join_all(lines).await.into_iter().flatten() {
        match answer {
            Ok((commits, rows)) => answers[index] = Asked { commits: Ok(commits), rows },
            Err(reason) => answers[index].commits = Err(reason),
        }
    }
    answers
}

/// Asks for one group; `gone` is why its coordinator is asked no more. Beside the commits stands of how many rows the answer
/// to the group as a whole is.
///
/// The coordinator that described the group in this pass is the only one to ask. One known from before comes first as well:
/// to look for it may take the answer of a broker that is silent.
async fn ask_one(
    admin: &Admin,
    group: &Found,
    wanted: &Wanted<'_>,
    by: Instant,
    gone: &OnceLock<Reason>,
) -> Result<(Commits, usize), Reason> {
    let faults = &admin.hub().faults;
    let time = left(by);
    if time.is_zero() {
        return Err(gone.get().copied().unwrap_or_else(|| faults.blame(group.coordinator, Reason::Timeout)));
    }
    let parts = wanted.in_parts(group);
    let patience = if group.is_described() { time } else { time / 2 };
    let straight = match (group.likely_coordinator(), gone.get()) {
        (None, _) => Err(Reason::NoCoordinator),
        (Some(_), Some(reason)) => Err(*reason),
        (Some(broker), None) => ask_broker(admin, group, parts, broker, patience).await.inspect_err(|reason| {
            if is_silence(*reason) {
                let _ = gone.set(*reason);
            }
        }),
    };
    let answered = match straight {
        Err(reason) if reason == Reason::NoCoordinator || is_silence(reason) && !group.is_described() => {
            let answer = fetch(admin, group, parts, Ask { coordinator: true, ..Ask::within(left(by)) });
            // Of a group that some broker tells of, a living one is the coordinator.
            let feared = group.coordinator.filter(|_| group.likely_coordinator().is_none());
            faults.guard(feared, answer).await.map_err(|reason| moved(admin, reason))
        }
        straight => straight,
    };
    let Reply { value, sent, replied } = answered.map_err(|reason| match reason {
        Reason::UnknownGroup if !group.askable && !group.unlisted => Reason::UnsupportedByClient,
        reason => reason,
    })?;
    // A partition whose commit could not be read is not one without a commit.
    let unread = value.iter().find_map(|row| row.error.filter(|_| wanted.names.contains(&row.topic)));
    let none = value.iter().all(|row| row.offset < 0);
    match unread {
        None if group.unlisted && none => Err(Reason::UnknownGroup),
        // Of the groups that librdkafka does not list, those of Kafka Streams commit offsets; share groups do not.
        None if !group.askable && none => Err(Reason::UnsupportedByClient),
        Some(code) => Err(moved(admin, faults.blame(group.coordinator, code.reason()))),
        None => {
            let rows = if parts.is_empty() { value.len() } else { group.width() };
            Ok((Commits { sent, replied, topics: by_topic(&value, &wanted.names) }, rows))
        }
    }
}

/// Asks the broker that answered for the group in this pass: without looking for the coordinator first, which librdkafka
/// does anew for each group, it is half as many requests.
async fn ask_broker(
    admin: &Admin,
    group: &Found,
    parts: &[Place],
    broker: i32,
    timeout: Duration,
) -> Result<Reply<Vec<OffsetAnswer>>, Reason> {
    let answer = fetch(admin, group, parts, Ask { broker: Some(broker), ..Ask::within(timeout) });
    let reply = admin.hub().faults.guard(Some(broker), answer).await?;
    // What Kafka refuses of a group as a whole, older brokers refuse of each of its partitions.
    let refused = reply.value.first().and_then(|row| row.error).map(Code::reason);
    if refused == Some(Reason::NoCoordinator) { Err(Reason::NoCoordinator) } else { Ok(reply) }
}

/// What a group has committed: on these partitions, or all of it where there are none.
async fn fetch(admin: &Admin, group: &Found, parts: &[Place], ask: Ask) -> Answered<Vec<OffsetAnswer>> {
    let mut parts = parts.chunks(PART);
    let Some(first) = parts.next() else { return admin.commits(&group.id, None, ask).await };
    let until = Instant::now() + ask.timeout;
    // One that is refused or not answered is the only one.
    let mut whole = admin.commits(&group.id, Some(first), ask).await?;
    let rest: Vec<_> = parts.map(|part| admin.commits(&group.id, Some(part), ask)).collect();
    let rest = stream::iter(rest).buffered(PARTS_IN_FLIGHT).try_collect::<Vec<_>>();
    let rest = tokio::time::timeout_at(until.into(), rest).await.map_err(|_| Code::TIMED_OUT)??;
    for Reply { value, sent, replied } in rest {
        whole.value.extend(value);
        (whole.sent, whole.replied) = (whole.sent.min(sent), whole.replied.max(replied));
    }
    Ok(whole)
}

/// librdkafka goes on to ask the coordinator that it once found for ten minutes: a new client finds the new one.
fn moved(admin: &Admin, reason: Reason) -> Reason {
    if reason == Reason::NoCoordinator {
        admin.hub().leave_behind();
    }
    reason
}

/// Sorted by topic and partition, without what is not wanted and partitions without a commit.
fn by_topic(rows: &[OffsetAnswer], topics: &HashSet<Name>) -> Vec<TopicCommits> {
    let mut found = BTreeMap::<Name, Vec<_>>::new();
    for rows in rows.chunk_by(|a, b| a.topic == b.topic) {
        let Some(topic) = rows.first().and_then(|row| topics.get(&row.topic)) else { continue };
        let mut offsets = rows.iter().filter(|row| row.offset >= 0).map(|row| (row.partition, row.offset)).peekable();
        if offsets.peek().is_some() {
            found.entry(topic.clone()).or_default().extend(offsets);
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
        let found: Vec<_> = by_topic(&rows, &topics).into_iter().map(|t| (t.topic, t.offsets)).collect();
        assert_eq!(found, vec![("a".into(), vec![(3, 0)]), ("b".into(), vec![(0, 7), (1, 5)])]);
    }
}
