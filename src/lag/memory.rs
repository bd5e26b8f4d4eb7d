//! What one monitor remembers between samples: histories of partitions, progress of groups, the last observation.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::conduct::Conduct;
use super::history::{History, Seen};
use super::observation::{GroupObservation, Observation, PartitionObservation, TopicConfig, TopicObservation};
use super::policy::Policy;
use super::progress::Progress;
use super::reason::{Reason, Scope};
use super::report::{Ends, State};
use super::thin::thin;
use super::{Millis, Name, Offset, Partition, TopicId};

/// How long after a group went OFFLINE its topics still get history rows at the fine cadence.
const FINE_AFTER_OFFLINE: Millis = 3_600_000;

/// How far two clocks of one machine may be apart by chance between two passes, beside a thousandth of the time.
const CLOCK_JITTER: Millis = 2_000;

/// Everything that one monitor remembers.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    /// Topics by name.
    pub topics: BTreeMap<Name, TopicMemory>,
    /// Groups by id, and their topics by name.
    pub groups: BTreeMap<Name, BTreeMap<Name, Progress>>,
    /// Groups as a whole, by id.
    pub conducts: BTreeMap<Name, Conduct>,
    /// By how much the clock was set between the last two passes, forward or back; 0 where it was not.
    pub clock_set: Millis,
    /// Samples since the start in which brokers were asked by time.
    pub sharpened: u32,
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
    /// Start and end of each partition's log as of the last judgement, which the reports of all groups share.
    pub ends: Arc<[Ends]>,
    /// Whether no group needs history rows at the fine cadence.
    pub coarse: bool,
    /// Whether records of it may be compacted away.
    pub compaction: Compaction,
}

/// Whether records of a topic may be compacted away, as its `cleanup.policy` says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Compaction {
    /// The settings are not known.
    #[default]
    Unknown,
    /// The policy is to delete, and nothing else.
    Never,
    /// The policy is to compact.
    Set,
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
        self.clock_set = clock_set(&before, &observation);
        if self.clock_set != 0 {
            let partitions = self.topics.values_mut().flat_map(|topic| &mut topic.partitions);
            partitions.for_each(|partition| partition.clock_set(self.clock_set, observation.started));
            self.groups.values_mut().flat_map(BTreeMap::values_mut).for_each(|known| known.clock_set(self.clock_set));
            let now = observation.started;
            self.conducts.values_mut().for_each(|conduct| conduct.clock_set(self.clock_set, now));
        }
        self.last = completed(observation, before);
        let last = std::mem::take(&mut self.last);
        self.topics.retain(|name, _| last.topic(name).is_some());
        for topic in &last.topics {
            self.remember_topic(topic, policy, last.finished);
        }
        self.last = last;
    }

    /// Takes in the settings of topics, as far as they are known.
    pub fn told_configs(&mut self, configs: &BTreeMap<Name, Result<TopicConfig, Reason>>) {
        for (name, topic) in &mut self.topics {
            let config = configs.get(name).and_then(|config| config.as_ref().ok());
            topic.compaction = match config.and_then(|config| config.cleanup_policy.as_deref()) {
                None => Compaction::Unknown,
                Some("delete") => Compaction::Never,
                Some(_) => Compaction::Set,
            };
        }
    }

    /// What is remembered of one partition.
    pub fn partition(&self, topic: &str, partition: Partition) -> Option<&PartitionMemory> {
        self.topics.get(topic)?.partitions.get(usize::try_from(partition).ok()?)
    }

    /// What is remembered of one partition, to change it.
    pub fn partition_mut(&mut self, topic: &str, partition: Partition) -> Option<&mut PartitionMemory> {
        self.topics.get_mut(topic)?.partitions.get_mut(usize::try_from(partition).ok()?)
    }

    /// The partitions whose logs the last pass found truncated.
    pub fn truncated(&self) -> impl Iterator<Item = (&Name, Partition)> {
        let since = self.last.started;
        let found = move |known: &PartitionMemory| known.truncated.is_some_and(|at| at >= since);
        self.topics.iter().flat_map(move |(topic, known)| {
            let partitions = (0..).zip(&known.partitions).filter(move |(_, known)| found(known));
            partitions.map(move |(partition, _)| (topic, partition))
        })
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
            }
            self.conducts.values_mut().for_each(|conduct| conduct.stuck.retain(|stuck| stuck.topic != topic.name));
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

impl TopicMemory {
    /// Takes note of where the logs start and end now.
    pub fn tell_ends(&mut self, read_committed: bool) {
        self.ends = self.partitions.iter().map(|known| (known.log_start, known.end(read_committed))).collect();
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

    /// Takes note that the clock was set, forward or back, to `now`.
    fn clock_set(&mut self, by: Millis, now: Millis) {
        self.history.clock_set(by, now);
        self.truncated = self.truncated.map(|at| at + by);
        self.end_seen = self.end_seen.map(|(replied, sent)| (replied + by, sent + by));
    }

    fn remember(&mut self, seen: &PartitionObservation, spacing: Millis) {
        if let Ok(start) = seen.log_start {
            self.log_start = Some(start.offset);
            self.history.starts_at(start.offset);
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

/// By how much the clock was set between two passes. Clocks are not exact, and are brought into step slowly all the time.
fn clock_set(before: &Observation, now: &Observation) -> Millis {
    let [Some(then), Some(uptime)] = [before.uptime, now.uptime] else { return 0 };
    let passed = uptime - then;
    let by = now.started - before.started - passed;
    if by.abs() > CLOCK_JITTER + passed / 1_000 { by } else { 0 }
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
    // A pass that has described any topic has listed all that there are.
    let blind_to_topics = blindness.filter(|_| now.topics.is_empty());
    for mut topic in before.topics {
        let Some(reason) = blind_to_topics.or_else(|| unread.get(&*topic.name).copied()) else { continue };
        if let Err(place) = now.topics.binary_search_by(|seen| seen.name.cmp(&topic.name)) {
            for partition in &mut topic.partitions {
                partition.log_start = Err(reason);
                partition.high_watermark = Err(reason);
                partition.last_stable = partition.last_stable.map(|_| Err(reason));
            }
            now.unseen.insert(topic.name.clone());
            now.topics.insert(place, topic);
        }
    }
    for group in before.groups {
        let Some(reason) = blindness.filter(|_| !now.gone.contains(&group.id)) else { continue };
        if let Err(place) = now.groups.binary_search_by(|seen| seen.id.cmp(&group.id)) {
            now.groups.insert(place, GroupObservation { commits: Err(reason), ..group });
        }
    }
    now.cluster_id = now.cluster_id.or(before.cluster_id);
    now
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lag::observation::Reading;
    use crate::lag::reason::Failure;
    use crate::lag::tests::{POLICY, ZERO};

    fn pass(minute: Millis, topics: &[(&str, Offset)]) -> Observation {
        let now = ZERO + minute * 60_000;
        let reading = |offset| Ok(Reading { offset, sent: now, replied: now });
        let topic = |(name, end): &(&str, Offset)| TopicObservation {
            name: (*name).into(),
            id: Some([1; 16]),
            replication_factor: 1,
            partitions: vec![PartitionObservation {
                leader: Some(0),
                log_start: reading(0),
                high_watermark: reading(*end),
                last_stable: None,
            }],
        };
        Observation {
            started: now,
            finished: now,
            topics: topics.iter().map(topic).collect(),
            ..Observation::default()
        }
    }

    #[test]
    fn topics_that_could_not_be_described_are_not_gone_however_many_they_are() {
        let (mut memory, policy) = (Memory::default(), POLICY);
        let names: Vec<String> = (10..60).map(|n| format!("t{n}")).collect();
        let topics: Vec<_> = names.iter().map(|name| (name.as_str(), 5)).collect();
        memory.remember(pass(0, &topics), &policy);
        let failure = |name: &String| Failure::new(Scope::Topic, name, Reason::NoLeader, String::new());
        let failures = names.iter().skip(1).map(failure).collect();
        memory.remember(Observation { failures, ..pass(1, &topics[..1]) }, &policy);
        assert_eq!(memory.topics.len(), 50);
        assert_eq!(memory.last.topics[49].partitions[0].high_watermark, Err(Reason::NoLeader));
        memory.remember(pass(2, &topics[..1]), &policy);
        assert_eq!(memory.topics.len(), 1, "nobody says any more that they are there");
    }

    #[test]
    fn a_broker_that_hides_groups_keeps_no_topic_and_no_group_that_is_known_to_be_gone() {
        let (mut memory, policy) = (Memory::default(), POLICY);
        let group = |id: &str| GroupObservation {
            id: id.into(),
            kind: crate::lag::observation::GroupKind::Classic,
            state: None,
            assignor: None,
            members: None,
            commits: Ok(Default::default()),
        };
        let groups = ["a", "b", "c"].map(group).to_vec();
        memory.remember(Observation { groups, ..pass(0, &[("t", 5), ("u", 5)]) }, &policy);
        let failures = vec![Failure::new(Scope::Cluster, "", Reason::Timeout, String::new())];
        let gone = ["b".into()].into();
        let groups = vec![group("a")];
        memory.remember(Observation { groups, gone, failures: failures.clone(), ..pass(1, &[("t", 5)]) }, &policy);
        let ids: Vec<&str> = memory.last.groups.iter().map(|group| &*group.id).collect();
        assert_eq!((ids, memory.topics.len()), (vec!["a", "c"], 1));
        memory.remember(Observation { failures, ..pass(2, &[]) }, &policy);
        assert_eq!((memory.last.groups.len(), memory.topics.len()), (2, 1), "a pass that saw nothing tells nothing");
    }

    #[test]
    fn a_truncation_is_told_of_the_pass_that_found_it() {
        let (mut memory, policy) = (Memory::default(), POLICY);
        for (minute, end, told) in [(0, 9, 0), (1, 5, 0), (2, 5, 1), (3, 6, 0)] {
            memory.remember(pass(minute, &[("t", end)]), &policy);
            assert_eq!(memory.truncated().count(), told, "minute {minute}");
        }
    }
}
