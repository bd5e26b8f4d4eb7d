//! A small cluster, sampled as often as a test likes: topics that grow, fall or do not answer, and two groups.

use crate::lag::judge::{Heading, judge};
use crate::lag::memory::Memory;
use crate::lag::observation::{
    Commits, GroupKind, GroupObservation, GroupState, Member, Observation, PartitionObservation, Probe, Reading, Told,
    TopicCommits, TopicObservation,
};
use crate::lag::policy::Policy;
use crate::lag::reason::Reason;
use crate::lag::refine::{Budget, Refinement};
use crate::lag::report::Report;
use crate::lag::slo::{Bounds, Limits, Objective};
use crate::lag::{Millis, Offset};

pub(super) const POLICY: Policy = Policy {
    interval: 60_000,
    coarse_interval: 1_800_000,
    offline_after_samples: 3,
    offline_after: 120_000,
    online_threshold: 600_000,
    rows_per_partition: 600,
    precision: 1_000,
    read_committed: false,
};

/// Nothing may wait.
struct Strict;

impl Objective for Strict {
    fn bounds(&self) -> Bounds {
        Bounds {
            min_compliance_percent: 95,
            min_rebalance_score: 70,
            rebalance_window: 3_600_000,
            max_rebalances: 10,
            max_gini_excess_percent: 30,
            stuck_window: 300_000,
        }
    }

    fn limits(&self, _: &str, _: &str) -> Limits {
        Limits { max_lag_records: 0, max_lag: None }
    }
}

/// What one sample finds on one partition: by how much the log grew (`None`: no answer), and whether a question by
/// time is answered.
pub(super) type Find = (Option<Offset>, bool);

pub(super) struct Cluster {
    pub(super) now: Millis,
    pub(super) topics: Vec<(String, u8, Vec<Offset>)>,
    pub(super) committed: Offset,
    pub(super) members: Vec<String>,
    pub(super) policy: Policy,
}

impl Cluster {
    pub(super) fn new(topics: usize, partitions: usize) -> Self {
        let topics = (0..topics)
            .map(|i| (format!("topic-{}", i + if topics > 10 { 100 } else { 0 }), 1, vec![1_000_000; partitions]))
            .collect();
        Self { now: 1_800_000_000_000, topics, committed: 900_000, members: vec!["a".into()], policy: POLICY }
    }

    /// One sample, `step` later.
    pub(super) fn sample(&mut self, memory: &mut Memory, step: Millis, finds: &[Find]) -> Report {
        self.now += step;
        let mut told = Vec::new();
        let mut finds = finds.iter().cycle();
        let topics = self.topics.iter_mut().map(|(name, id, ends)| TopicObservation {
            name: name.as_str().into(),
            id: Some([*id; 16]),
            replication_factor: 3,
            partitions: ends
                .iter_mut()
                .zip(0..)
                .map(|(end, partition)| {
                    let (grown, asked) = *finds.next().unwrap();
                    *end = (*end + grown.unwrap_or(0)).max(0);
                    if asked {
                        let time = self.now - 3_600_000;
                        let probe = Probe { topic: name.as_str().into(), partition, time };
                        let answer = Ok((*end % 7 > 0).then_some((*end - 1_000, time + *end % 5_000)));
                        told.push(Told { probe, sent: self.now - 5, replied: self.now, answer });
                    }
                    let answer = grown.map(|_| Reading { offset: *end, sent: self.now - 20, replied: self.now - 10 });
                    PartitionObservation {
                        leader: Some(1),
                        log_start: Ok(Reading { offset: 0, sent: self.now - 30, replied: self.now - 25 }),
                        high_watermark: answer.ok_or(Reason::NoLeader),
                        last_stable: None,
                    }
                })
                .collect(),
        });
        let topics = topics.collect();
        let groups = vec![self.group("orders"), self.group("shop")];
        let observation = Observation {
            started: self.now - 40,
            finished: self.now,
            cluster_id: Some("cluster".into()),
            topics,
            groups,
            ..Observation::default()
        };
        memory.remember(observation, &self.policy);
        Refinement::start(memory, &self.policy, self.now, Budget { all: 0, exact: 0 }).learn(memory, &told);
        self.judge(memory)
    }

    pub(super) fn judge(&self, memory: &mut Memory) -> Report {
        let heading = Heading { monitor: None, team: None, cluster_name: "test".into(), periodic: true, probes: 0 };
        judge(memory, &self.policy, Some(&Strict), heading, self.now)
    }

    fn group(&self, id: &str) -> GroupObservation {
        let commits = self.topics.iter().map(|(name, _, ends)| TopicCommits {
            topic: name.as_str().into(),
            offsets: (0..).zip(ends).map(|(partition, end)| (partition, self.committed.min(*end))).collect(),
        });
        let member = |id: &String| Member {
            member_id: id.as_str().into(),
            client_id: "client".into(),
            host: "host".into(),
            assigned: vec![("topic-0".into(), vec![0])],
        };
        GroupObservation {
            id: id.into(),
            kind: GroupKind::Classic,
            state: Some(GroupState::Stable),
            assignor: None,
            members: Some(self.members.iter().map(member).collect()),
            commits: Ok(Commits { sent: self.now - 30, replied: self.now - 25, topics: commits.collect() }),
        }
    }
}
