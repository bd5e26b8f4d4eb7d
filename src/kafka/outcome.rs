//! Puts a pass together from its answers, and says once for each broker, topic and group what is missing.

use std::collections::{BTreeMap, BTreeSet};

use super::answers::{Node, TopicAnswer};
use super::failures::Failures;
use super::groups::Found;
use super::offsets::{Lost, Outcome, is_silence};
use crate::lag::Name;
use crate::lag::observation::{
    Answer, Commits, GroupKind, GroupObservation, PartitionObservation, Reading, TopicObservation,
};
use crate::lag::reason::{Reason, Scope};

/// The brokers of which not one partition was answered.
pub(super) fn lost(topics: &[TopicAnswer], outcomes: &[Outcome]) -> Lost {
    let leaders = topics.iter().flat_map(|topic| &topic.leaders);
    let mut lost: BTreeMap<i32, Option<Reason>> = BTreeMap::new();
    for (leader, outcome) in leaders.zip(outcomes).filter_map(|(leader, outcome)| Some(((*leader)?, outcome))) {
        let reason = outcome.err().filter(|reason| is_silence(*reason));
        lost.entry(leader).and_modify(|old| *old = old.and(reason)).or_insert(reason);
    }
    lost.into_iter().filter_map(|(leader, reason)| Some((leader, reason?))).collect()
}

/// The groups that exist as far as anybody says, with the failures of the others.
///
/// Those that certainly do not are added to `gone`: unknown to their coordinator since they were listed. A group that is
/// here for its name alone and has no commit does not exist; one that is refused does, or may not be known to: Kafka does
/// not tell.
pub(super) fn groups(
    groups: Vec<(Found, Result<Commits, Reason>)>,
    gone: &mut BTreeSet<Name>,
    failures: &mut Failures,
) -> Vec<(Found, Result<Commits, Reason>)> {
    let there = groups.into_iter().filter(|(group, commits)| {
        let id = &group.id;
        match commits {
            Ok(commits) if group.by_name && commits.topics.is_empty() => {
                failures.add(Scope::Group, id, Reason::UnknownGroup, &format!("group {id}"));
                false
            }
            Err(Reason::UnknownGroup) if !group.by_name => !gone.insert(id.clone()),
            Err(reason) => {
                failures.add(Scope::Group, id, *reason, &format!("committed offsets of group {id}"));
                *reason != Reason::UnknownGroup
            }
            Ok(_) => {
                if !group.askable {
                    failures.add(Scope::Group, id, Reason::UnsupportedByClient, &format!("members of group {id}"));
                }
                true
            }
        }
    });
    there.collect()
}

/// One group of the observation.
pub(super) fn group(found: Found, commits: Result<Commits, Reason>) -> GroupObservation {
    // Committed offsets without anybody in the lists: an old broker, or a coordinator that is silent at present.
    let kind = match (&commits, found.by_name, found.askable) {
        (Ok(_), true, _) => GroupKind::Unknown,
        (Ok(_), false, false) => GroupKind::Streams,
        _ => found.kind,
    };
    let Found { id, state, assignor, members, .. } = found;
    GroupObservation { id, kind, state, assignor, members, commits }
}

/// The topics of the observation, from the outcomes of their partitions in the same order.
pub(super) fn topics(
    topics: &[TopicAnswer],
    starts: Vec<Outcome>,
    ends: Vec<Outcome>,
    stable: Option<Vec<Outcome>>,
) -> Vec<TopicObservation> {
    let (mut starts, mut ends) = (starts.into_iter(), ends.into_iter());
    let mut stable = stable.map(Vec::into_iter);
    let observed = topics.iter().map(|topic| {
        let partitions = topic.leaders.iter().map(|leader| PartitionObservation {
            leader: *leader,
            log_start: reading(starts.next()),
            high_watermark: reading(ends.next()),
            last_stable: stable.as_mut().map(|stable| reading(stable.next())),
        });
        TopicObservation {
            name: topic.name.clone(),
            id: topic.id,
            replication_factor: topic.replication_factor,
            partitions: partitions.collect(),
        }
    });
    observed.collect()
}

fn reading(outcome: Option<Outcome>) -> Answer {
    let found = outcome.unwrap_or(Err(Reason::Timeout))?;
    match found.offset {
        offset @ 0.. => Ok(Reading { offset, sent: found.sent, replied: found.replied }),
        _ => Err(Reason::KafkaError),
    }
}

/// Adds one failure for each broker that is silent and each topic that lacks answers otherwise.
pub(super) fn blame(observed: &[TopicObservation], topics: &[TopicAnswer], nodes: &[Node], failures: &mut Failures) {
    let mut brokers: BTreeMap<(i32, Reason), usize> = BTreeMap::new();
    for (topic, answer) in observed.iter().zip(topics) {
        let mut missing: BTreeMap<Reason, usize> = BTreeMap::new();
        for (partition, leader) in topic.partitions.iter().zip(&answer.leaders) {
            let answers = [Some(&partition.log_start), Some(&partition.high_watermark), partition.last_stable.as_ref()];
            let Some(reason) = answers.into_iter().flatten().find_map(|answer| answer.err()) else { continue };
            match leader.filter(|_| is_silence(reason)) {
                Some(leader) => *brokers.entry((leader, reason)).or_default() += 1,
                None => *missing.entry(reason).or_default() += 1,
            }
        }
        for (reason, count) in missing {
            let what = format!("{count} of {} partitions of topic {}", topic.partitions.len(), topic.name);
            failures.add(Scope::Topic, &topic.name, reason, &what);
        }
    }
    for ((leader, reason), count) in brokers {
        let address = nodes.iter().find(|node| node.id == leader).map_or("address unknown", |node| &node.address);
        let what = format!("broker {leader} ({address}), leader of {count} selected partitions");
        failures.add(Scope::Broker, &leader.to_string(), reason, &what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::offsets::Found as Offset;

    fn topic(name: &str, leaders: &[Option<i32>]) -> TopicAnswer {
        TopicAnswer { name: name.into(), error: None, id: None, replication_factor: 1, leaders: leaders.to_vec() }
    }

    fn at(offset: i64) -> Outcome {
        Ok(Offset { offset, timestamp: -1, sent: 1, replied: 2 })
    }

    #[test]
    fn a_silent_broker_is_one_failure_and_its_partitions_carry_the_reason() {
        let answers = vec![topic("a", &[Some(1), Some(2), None]), topic("b", &[Some(2)])];
        let silent = Err(Reason::Unreachable);
        let outcomes = vec![at(3), silent, Err(Reason::NoLeader), silent];
        assert_eq!(lost(&answers, &outcomes), Lost::from([(2, Reason::Unreachable)]));
        let observed = topics(&answers, outcomes.clone(), outcomes, None);
        assert_eq!(observed[0].partitions[1].log_start, Err(Reason::Unreachable));
        assert_eq!(observed[0].partitions[0].high_watermark.unwrap().offset, 3);
        let mut failures = Failures::default();
        let nodes = [Node { id: 2, address: "kafka-2:9092".into() }];
        blame(&observed, &answers, &nodes, &mut failures);
        let told: Vec<_> = failures.list().into_iter().map(|f| (f.scope, f.name, f.reason)).collect();
        assert_eq!(
            told,
            vec![(Scope::Topic, "a".into(), Reason::NoLeader), (Scope::Broker, "2".into(), Reason::Unreachable)]
        );
    }

    #[test]
    fn a_name_written_out_is_missing_or_refused_and_never_empty() {
        let there = |id: &str| Found { by_name: false, ..Found::unknown(id.into()) };
        let all = vec![
            (Found::unknown("missing".into()), Ok(Commits::default())),
            (Found::unknown("refused".into()), Err(Reason::GroupNotAuthorized)),
            (there("empty"), Ok(Commits::default())),
            (there("gone"), Err(Reason::UnknownGroup)),
        ];
        let mut failures = Failures::default();
        let mut left = BTreeSet::new();
        let kept: Vec<_> = groups(all, &mut left, &mut failures).into_iter().map(|(found, _)| found.id).collect();
        assert_eq!(kept, ["refused".into(), "empty".into()]);
        assert_eq!(left, ["gone".into()].into());
        let told: Vec<_> = failures.list().into_iter().map(|f| (f.name, f.reason)).collect();
        assert_eq!(
            told,
            vec![("missing".into(), Reason::UnknownGroup), ("refused".into(), Reason::GroupNotAuthorized)]
        );
    }
}
