//! What one monitor remembers between samples: histories of partitions, progress of groups, the last observation.

use std::collections::BTreeMap;

use super::history::{History, Seen};
use super::observation::{GroupObservation, Observation, PartitionObservation, TopicObservation};
use super::policy::Policy;
use super::progress::Progress;
use super::reason::{Reason, Scope};
use super::report::State;
use super::thin::thin;
use super::{Millis, Name, Offset, Partition, TopicId};

/// How long after a group went OFFLINE its topics still get history rows at the fine cadence.
const FINE_AFTER_OFFLINE: Millis = 3_600_000;

/// Everything that one monitor remembers.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    /// Topics by name.
    pub topics: BTreeMap<Name, TopicMemory>,
    /// Groups by id, and their topics by name.
    pub groups: BTreeMap<Name, BTreeMap<Name, Progress>>,
    /// The last pass; what it may have missed stands in it as the pass before saw it, unanswered.
    pub last: Observation,
}

/// One incarnation of a topic.
#[derive(Debug, Clone, Default)]
pub struct TopicMemory {
    /// Kafka's id of this incarnation, where the broker tells it.
    pub id: Option<TopicId>,
    /// One entry a partition.
    pub partitions: Vec<PartitionMemory>,
    /// Whether no group needs history rows at the fine cadence.
    pub coarse: bool,
}

/// One partition of a topic.
#[derive(Debug, Clone, Default)]
pub struct PartitionMemory {
    /// The log over time.
    pub history: History,
    /// The last log start that a broker told.
    pub log_start: Option<Offset>,
    /// The last stable offset that a broker told, with `ReadCommitted`.
    pub last_stable: Option<Offset>,
    /// Whether the last pass was told no last stable offset that it asked for.
    pub stable_missed: bool,
    /// When the log end was last told: the reply, and the send of its request.
    pub end_seen: Option<(Millis, Millis)>,
    /// When the log was last seen to be truncated.
    pub truncated: Option<Millis>,
}

impl Memory {
    /// Takes in one pass over the cluster.
    ///
    /// What is remembered of another cluster, by Kafka's id, is forgotten first.
    pub fn remember(&mut self, observation: Observation, policy: &Policy) {
        let known = [&self.last.cluster_id, &observation.cluster_id].map(Option::as_deref);
        if let [Some(before), Some(now)] = known
            && before != now
        {
            *self = Self::default();
        }
        let before = std::mem::take(&mut self.last);
        self.last = completed(observation, before);
        let last = std::mem::take(&mut self.last);
        self.topics.retain(|name, _| last.topic(name).is_some());
        for topic in &last.topics {
            self.remember_topic(topic, policy, last.finished);
        }
        self.last = last;
    }

    /// What is remembered of one partition.
    pub fn partition(&self, topic: &str, partition: Partition) -> Option<&PartitionMemory> {
        self.topics.get(topic)?.partitions.get(usize::try_from(partition).ok()?)
    }

    /// What is remembered of one partition, to change it.
    pub fn partition_mut(&mut self, topic: &str, partition: Partition) -> Option<&mut PartitionMemory> {
        self.topics.get_mut(topic)?.partitions.get_mut(usize::try_from(partition).ok()?)
    }

    /// Chooses the cadence of history rows from the states of the groups on each topic.
    pub fn choose_cadence(&mut self, now: Millis) {
        self.topics.values_mut().for_each(|topic| topic.coarse = true);
        for (name, progress) in self.groups.values().flatten() {
            let fine = match progress.state {
                Some(State::Offline) => now - progress.since < FINE_AFTER_OFFLINE,
                state => state.is_some(),
            };
            if fine && let Some(topic) = self.topics.get_mut(name) {
                topic.coarse = false;
            }
        }
    }

    fn remember_topic(&mut self, topic: &TopicObservation, policy: &Policy, now: Millis) {
        let memory = self.topics.entry(topic.name.clone()).or_default();
        let reborn = memory.id.is_some() && topic.id.is_some() && memory.id != topic.id;
        if reborn {
            *memory = TopicMemory::default();
            for commit in self.groups.values_mut().filter_map(|topics| topics.get_mut(&topic.name)) {
                commit.start_over();
                commit.partitions.iter_mut().for_each(|commit| commit.former = commit.committed.is_some());
            }
        }
        memory.id = topic.id.or(memory.id);
        // Kafka never takes partitions from a topic; one pass that shows fewer is wrong.
        let fewer = topic.id.is_some() && topic.partitions.len() < memory.partitions.len();
        if !fewer {
            memory.partitions.resize_with(topic.partitions.len(), PartitionMemory::default);
        }
        let spacing = if memory.coarse { policy.coarse_interval } else { 0 };
        for (partition, seen) in memory.partitions.iter_mut().zip(&topic.partitions) {
            partition.remember(seen, spacing);
            thin(&mut partition.history, policy.rows_per_partition, now);
        }
    }
}

impl PartitionMemory {
    /// The end to which lag is counted, if one was ever told.
    pub fn end(&self, read_committed: bool) -> Option<Offset> {
        let high_watermark = self.history.end()?;
        if read_committed { Some(self.last_stable?.min(high_watermark)) } else { Some(high_watermark) }
    }

    /// Whether the last pass was told every end that it asked for.
    pub fn is_current(&self) -> bool {
        self.history.current && !self.stable_missed
    }

    fn remember(&mut self, seen: &PartitionObservation, spacing: Millis) {
        if let Ok(start) = seen.log_start {
            self.log_start = Some(start.offset);
        }
        if let Some(Ok(stable)) = seen.last_stable {
            self.last_stable = Some(stable.offset);
        }
        self.stable_missed = matches!(seen.last_stable, Some(Err(_)));
        match seen.high_watermark {
            Ok(reading) => {
                let seen = self.history.observe(reading, spacing);
                if seen != Seen::Fallen && !self.stable_missed {
                    self.end_seen = Some((reading.replied, reading.sent));
                }
                if seen == Seen::Truncated {
                    self.truncated = Some(reading.replied);
                }
            }
            Err(_) => self.history.miss(),
        }
    }
}

impl Observation {
    /// The topic of that name.
    pub fn topic(&self, name: &str) -> Option<&TopicObservation> {
        self.topics.binary_search_by(|topic| (*topic.name).cmp(name)).ok().and_then(|i| self.topics.get(i))
    }

    /// Share of the wanted answers that came, 0 to 1: log starts and ends of partitions, and commits of groups.
    pub fn coverage(&self) -> f64 {
        let (mut wanted, mut came) = (0_u64, 0_u64);
        let mut count = |ok: bool| {
            wanted += 1;
            came += u64::from(ok);
        };
        for partition in self.topics.iter().flat_map(|topic| &topic.partitions) {
            count(partition.log_start.is_ok());
            count(partition.high_watermark.is_ok());
            if let Some(stable) = partition.last_stable {
                count(stable.is_ok());
            }
        }
        for group in &self.groups {
            count(!matches!(&group.commits, Err(reason) if *reason != Reason::UnsupportedByClient));
        }
        match wanted {
            0 if blindness(self).is_some() => 0.0,
            0 => 1.0,
            wanted => came as f64 / wanted as f64,
        }
    }
}

/// Why a pass may have missed topics or groups that still exist, if it may.
fn blindness(observation: &Observation) -> Option<Reason> {
    let failure = observation.failures.iter().find(|failure| failure.scope == Scope::Cluster)?;
    (failure.reason != Reason::NothingVisible).then_some(failure.reason)
}

/// A pass with what it may have missed as the pass before it saw that, unanswered.
fn completed(mut now: Observation, before: Observation) -> Observation {
    let blindness = blindness(&now);
    let unread: BTreeMap<String, Reason> = now
        .failures
        .iter()
        .filter(|failure| failure.scope == Scope::Topic && failure.reason != Reason::UnknownTopic)
        .map(|failure| (failure.name.clone(), failure.reason))
        .collect();
    for mut topic in before.topics {
        let Some(reason) = blindness.or_else(|| unread.get(&*topic.name).copied()) else { continue };
        if let Err(place) = now.topics.binary_search_by(|seen| seen.name.cmp(&topic.name)) {
            for partition in &mut topic.partitions {
                partition.log_start = Err(reason);
                partition.high_watermark = Err(reason);
                partition.last_stable = partition.last_stable.map(|_| Err(reason));
            }
            now.topics.insert(place, topic);
        }
    }
    for group in before.groups {
        let Some(reason) = blindness else { break };
        if let Err(place) = now.groups.binary_search_by(|seen| seen.id.cmp(&group.id)) {
            now.groups.insert(place, GroupObservation { commits: Err(reason), ..group });
        }
    }
    now.cluster_id = now.cluster_id.or(before.cluster_id);
    now
}
