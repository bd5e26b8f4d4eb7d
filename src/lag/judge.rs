//! From what is remembered to the report: every group, its topics and partitions.

pub mod partition;
pub mod topic;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::aggregate;
use super::conduct::Conduct;
use super::govern::{Scene, govern};
use super::memory::Memory;
use super::observation::{GroupObservation, Member, TopicObservation};
use super::policy::Policy;
use super::reason::Failure;
use super::report::{self, Detail, Report, Sampling, Timestamp};
use super::slo::Objective;
use super::trend::{slope, trend};
use super::{Millis, Name};

/// What a report says of itself, besides the figures.
#[derive(Debug, Clone)]
pub struct Heading {
    /// The LagMonitor that asked; `None` for a single look.
    pub monitor: Option<report::MonitorName>,
    /// Whose LagMonitor it is.
    pub team: Option<Name>,
    /// The name given to the cluster.
    pub cluster_name: String,
    /// Whether samples follow one another.
    pub periodic: bool,
    /// Times asked to sharpen ages in this sample.
    pub probes: u64,
}

/// Judges the last pass: moves every group's progress on, and says how old its data is at `now`.
///
/// Without an `objective` nothing is held against limits, and no alert is raised.
pub fn judge(
    memory: &mut Memory,
    policy: &Policy,
    objective: Option<&dyn Objective>,
    heading: Heading,
    now: Millis,
) -> Report {
    let scene = Scene { objective, policy, cluster_name: &heading.cluster_name, now };
    memory.topics.values_mut().for_each(|topic| topic.tell_ends(policy.read_committed));
    let last = std::mem::take(&mut memory.last);
    let mut progress = std::mem::take(&mut memory.groups);
    let mut conducts = std::mem::take(&mut memory.conducts);
    let groups: Vec<report::Group> = last
        .groups
        .iter()
        .map(|group| {
            let known = progress.remove(&group.id).unwrap_or_default();
            let mut conduct = conducts.remove(&group.id).unwrap_or_default();
            let (known, report) = judge_group(memory, group, &last.unseen, known, &mut conduct, scene);
            memory.groups.insert(group.id.clone(), known);
            memory.conducts.insert(group.id.clone(), conduct);
            report
        })
        .collect();
    memory.choose_cadence(now);
    let ends = |topic: &TopicObservation| memory.topics.get(&topic.name).map(|known| known.ends.clone());
    let mut topics: Vec<report::Topic> =
        last.topics.iter().map(|topic| described(topic, ends(topic).unwrap_or_default())).collect();
    aggregate::tell_topics(&mut topics, &groups);
    let report = Report {
        schema_version: report::SCHEMA_VERSION,
        monitor: heading.monitor,
        team: heading.team,
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
        errors: Failure::page(&last.failures),
        totals: aggregate::totals(&groups, objective.map(|objective| objective.bounds().min_compliance_percent)),
        groups,
        topics,
    };
    memory.last = last;
    report
}

fn described(topic: &TopicObservation, ends: Arc<[report::Ends]>) -> report::Topic {
    report::Topic {
        topic: topic.name.clone(),
        topic_id: topic.id.map(|id| URL_SAFE_NO_PAD.encode(id)),
        partitions: topic.partitions.len().try_into().unwrap_or(u32::MAX),
        replication_factor: topic.replication_factor,
        ends,
        health: report::TopicHealth::default(),
    }
}

/// Milliseconds as seconds.
pub fn seconds(millis: Millis) -> f64 {
    millis as f64 / 1e3
}

type Topics = BTreeMap<Name, super::progress::Progress>;

fn judge_group(
    memory: &Memory,
    group: &GroupObservation,
    unseen: &BTreeSet<Name>,
    mut known: Topics,
    conduct: &mut Conduct,
    scene: Scene<'_>,
) -> (Topics, report::Group) {
    let Scene { policy, now, .. } = scene;
    let commits = group.commits.as_ref().ok();
    let wanted: BTreeSet<&Name> = match commits {
        Some(commits) => {
            let there = commits.topics.iter().map(|topic| &topic.topic);
            there.chain(assigned(group)).chain(known.keys().filter(|topic| unseen.contains(*topic))).collect()
        }
        None => known.keys().chain(assigned(group)).collect(),
    };
    let wanted: Vec<Name> = wanted.into_iter().cloned().collect();
    known.retain(|topic, _| wanted.binary_search(topic).is_ok());
    let mut topics = Vec::with_capacity(wanted.len());
    for name in wanted {
        let Some(topic) = memory.topics.get(&name) else {
            // It is not there: one that comes by this name is another.
            known.remove(&name);
            continue;
        };
        let offsets = commits.filter(|_| !unseen.contains(&name)).map(|commits| {
            let found = commits.topics.binary_search_by(|topic| topic.topic.cmp(&name)).ok();
            found.and_then(|i| commits.topics.get(i)).map_or(&[][..], |topic| &topic.offsets)
        });
        let sample = topic::Sample {
            topic: &name,
            memory: topic,
            commits: offsets,
            members: &members_of(group, &name, topic.partitions.len()),
            has_members: group.members.as_ref().map(|members| !members.is_empty()),
            at_work: assigned(group).next().is_some(),
            policy,
            stuck_window: scene.objective.map(|objective| objective.bounds().stuck_window),
            now,
        };
        let progress = known.entry(name.clone()).or_default();
        if progress.partitions.is_empty() {
            conduct.restore(&name, &mut progress.partitions, now);
            progress.stand_again();
        }
        topics.push(topic::judge(progress, sample));
    }
    let (mut report, slope) = summary(group, &known, topics);
    govern(conduct, group, &mut report, slope, scene);
    (known, report)
}

fn assigned(group: &GroupObservation) -> impl Iterator<Item = &Name> {
    group.members.iter().flatten().flat_map(|member| member.assigned.iter().map(|(topic, _)| topic))
}

/// The member of each partition of a topic.
fn members_of<'a>(group: &'a GroupObservation, topic: &Name, partitions: usize) -> Vec<Option<&'a Name>> {
    let mut members = vec![None; partitions];
    for member in group.members.iter().flatten() {
        if let Ok(place) = member.assigned.binary_search_by(|(name, _)| name.cmp(topic)) {
            for index in member.assigned[place].1.iter().filter_map(|p| usize::try_from(*p).ok()) {
                if let Some(slot) = members.get_mut(index) {
                    *slot = Some(&member.member_id);
                }
            }
        }
    }
    members
}

fn summary(group: &GroupObservation, known: &Topics, topics: Vec<report::GroupTopic>) -> (report::Group, Option<f64>) {
    let oldest = topics.iter().max_by(|a, b| {
        let age = |topic: &report::GroupTopic| topic.max_lag_seconds.unwrap_or(-1.0);
        age(a).total_cmp(&age(b))
    });
    let total = topics.iter().filter_map(|topic| topic.total_lag_records).reduce(i64::saturating_add);
    let ages = oldest.and_then(|topic| known.get(&topic.topic)).map(|progress| &progress.ages);
    let noise = oldest.and_then(|topic| topic.bound_seconds).map_or(0, |bound| (bound * 1e3) as Millis);
    let (trend, slope) = (ages.and_then(|ages| trend(ages, noise)), ages.and_then(slope));
    let state =
        |left: bool| topics.iter().filter(|topic| topic.abandoned == left).filter_map(|topic| topic.state).max();
    let report = report::Group {
        group_id: group.id.clone(),
        kind: group.kind,
        group_state: group.state,
        state: state(false).or_else(|| state(true)),
        assignor: group.assignor.clone(),
        members: group.members.as_ref().map(|members| members.iter().map(member).collect()),
        max_lag_seconds: oldest.and_then(|topic| topic.max_lag_seconds),
        total_lag_records: total,
        trend,
        health: Default::default(),
        topics: Some(topics),
    };
    (report, slope)
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
