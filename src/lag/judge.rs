//! From what is remembered to the report: every group, its topics and partitions.

pub mod partition;
pub mod topic;

use std::collections::{BTreeMap, BTreeSet};

use super::memory::Memory;
use super::observation::{GroupObservation, Member};
use super::policy::Policy;
use super::report::{self, Detail, Report, Sampling, Timestamp};
use super::trend::trend;
use super::{Millis, Name};

/// What a report says of itself, besides the figures.
#[derive(Debug, Clone)]
pub struct Heading {
    /// The LagMonitor that asked; `None` for a single look.
    pub monitor: Option<report::MonitorName>,
    /// The name given to the cluster.
    pub cluster_name: String,
    /// Whether samples follow one another.
    pub periodic: bool,
    /// Times asked to sharpen ages in this sample.
    pub probes: u64,
}

/// Judges the last pass: moves every group's progress on, and says how old its data is at `now`.
pub fn judge(memory: &mut Memory, policy: &Policy, heading: Heading, now: Millis) -> Report {
    let last = std::mem::take(&mut memory.last);
    let mut progress = std::mem::take(&mut memory.groups);
    let groups = last
        .groups
        .iter()
        .map(|group| {
            let known = progress.remove(&group.id).unwrap_or_default();
            let (known, report) = judge_group(memory, group, known, policy, now);
            memory.groups.insert(group.id.clone(), known);
            report
        })
        .collect();
    memory.choose_cadence(now);
    let topics = last
        .topics
        .iter()
        .map(|topic| report::Topic {
            topic: topic.name.clone(),
            topic_id: topic.id.map(|id| id.iter().map(|byte| format!("{byte:02x}")).collect()),
            partitions: topic.partitions.len().try_into().unwrap_or(u32::MAX),
            replication_factor: topic.replication_factor,
        })
        .collect();
    let report = Report {
        schema_version: report::SCHEMA_VERSION,
        monitor: heading.monitor,
        cluster: report::Cluster {
            name: heading.cluster_name,
            id: last.cluster_id.clone(),
            brokers: last.brokers.clone(),
        },
        generated_at: Timestamp(now),
        sampling: Sampling {
            interval_seconds: heading.periodic.then(|| seconds(policy.interval)),
            duration_seconds: seconds((now - last.started).max(0)),
            coverage: last.coverage(),
            probes: heading.probes,
        },
        detail: Detail::Partition,
        truncated: false,
        left_out: None,
        errors: last.failures.clone(),
        groups,
        topics,
    };
    memory.last = last;
    report
}

/// Milliseconds as seconds.
pub fn seconds(millis: Millis) -> f64 {
    millis as f64 / 1e3
}

type Topics = BTreeMap<Name, super::progress::Progress>;

fn judge_group(
    memory: &Memory,
    group: &GroupObservation,
    mut known: Topics,
    policy: &Policy,
    now: Millis,
) -> (Topics, report::Group) {
    let commits = group.commits.as_ref().ok();
    let wanted: BTreeSet<&Name> = match commits {
        Some(commits) => commits.topics.iter().map(|topic| &topic.topic).chain(assigned(group)).collect(),
        None => known.keys().chain(assigned(group)).collect(),
    };
    let wanted: Vec<Name> = wanted.into_iter().cloned().collect();
    known.retain(|topic, _| wanted.binary_search(topic).is_ok());
    let mut topics = Vec::with_capacity(wanted.len());
    for name in wanted {
        let Some(topic) = memory.topics.get(&name) else { continue };
        let offsets = commits.map(|commits| {
            let found = commits.topics.binary_search_by(|topic| topic.topic.cmp(&name)).ok();
            found.and_then(|i| commits.topics.get(i)).map_or(&[][..], |topic| &topic.offsets)
        });
        let sample = topic::Sample {
            topic: &name,
            memory: topic,
            commits: offsets,
            members: &members_of(group, &name, topic.partitions.len()),
            has_members: group.members.as_ref().map(|members| !members.is_empty()),
            policy,
            now,
        };
        topics.push(topic::judge(known.entry(name.clone()).or_default(), sample));
    }
    let report = summary(group, &known, topics);
    (known, report)
}

fn assigned(group: &GroupObservation) -> impl Iterator<Item = &Name> {
    group.members.iter().flatten().flat_map(|member| member.assigned.iter().map(|(topic, _)| topic))
}

/// The member of each partition of a topic.
fn members_of(group: &GroupObservation, topic: &Name, partitions: usize) -> Vec<Option<Name>> {
    let mut members = vec![None; partitions];
    for member in group.members.iter().flatten() {
        if let Ok(place) = member.assigned.binary_search_by(|(name, _)| name.cmp(topic)) {
            for index in member.assigned[place].1.iter().filter_map(|p| usize::try_from(*p).ok()) {
                if let Some(slot) = members.get_mut(index) {
                    *slot = Some(member.member_id.clone());
                }
            }
        }
    }
    members
}

fn summary(group: &GroupObservation, known: &Topics, topics: Vec<report::GroupTopic>) -> report::Group {
    let oldest = topics.iter().max_by(|a, b| {
        let age = |topic: &report::GroupTopic| topic.max_lag_seconds.unwrap_or(-1.0);
        age(a).total_cmp(&age(b))
    });
    let total = topics.iter().filter_map(|topic| topic.total_lag_records).reduce(i64::saturating_add);
    let trend = oldest.and_then(|topic| {
        let noise = topic.bound_seconds.map_or(0, |bound| (bound * 1e3) as Millis);
        trend(&known.get(&topic.topic)?.ages, noise)
    });
    report::Group {
        group_id: group.id.clone(),
        kind: group.kind,
        group_state: group.state,
        state: topics.iter().map(|topic| topic.state).max().flatten(),
        assignor: group.assignor.clone(),
        members: group.members.as_ref().map(|members| members.iter().map(member).collect()),
        max_lag_seconds: oldest.and_then(|topic| topic.max_lag_seconds),
        total_lag_records: total,
        trend,
        topics: Some(topics),
    }
}

fn member(member: &Member) -> report::Member {
    report::Member {
        member_id: member.member_id.clone(),
        client_id: member.client_id.clone(),
        host: member.host.clone(),
        assigned: member
            .assigned
            .iter()
            .map(|(topic, partitions)| report::Assignment { topic: topic.clone(), partitions: partitions.clone() })
            .collect(),
    }
}
