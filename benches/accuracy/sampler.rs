//! One monitor at work on one log, in virtual time: the pure core, asked and answered as the real one is.

use fastrand::Rng;
use highwater::lag::anomaly::Anomaly;
use highwater::lag::bracket::wanted;
use highwater::lag::judge::{Heading, judge};
use highwater::lag::memory::Memory;
use highwater::lag::observation::{
    Commits, GroupKind, GroupObservation, GroupState, Member, Observation, PartitionObservation, Probe, Reading, Told,
    TopicCommits, TopicObservation,
};
use highwater::lag::policy::Policy;
use highwater::lag::refine::{Budget, Refinement};
use highwater::lag::report::{Clock, Group, GroupPartition, Method};
use highwater::lag::{Millis, Offset};

use crate::log::Log;

const TOPIC: &str = "topic";

/// How one run samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Setting {
    /// Time between two samples.
    pub(crate) interval: Millis,
    /// Whether brokers are asked by time until ages are sharp.
    pub(crate) refined: bool,
    /// Whether rows are thinned, or the last ones kept.
    pub(crate) thinned: bool,
}

/// What excuses a bound that does not hold: the report says that timestamps, or what compaction has left, mislead it.
/// The other oddities are about something else.
pub(crate) const EXCUSES: [Anomaly; 3] = [Anomaly::TimestampsAhead, Anomaly::TimestampsLate, Anomaly::RecordHidden];

/// Rows kept.
pub(crate) const ROWS: usize = 600;

impl Setting {
    /// As the product does by default.
    pub(crate) const REFINED: Self = Self { interval: 60_000, refined: true, thinned: true };

    /// Every setting that is compared.
    pub(crate) const ALL: [Self; 5] = [
        Self::REFINED,
        Self { interval: 10_000, ..Self::REFINED },
        Self { refined: false, ..Self::REFINED },
        Self { refined: false, interval: 10_000, ..Self::REFINED },
        Self { refined: false, thinned: false, ..Self::REFINED },
    ];

    pub(crate) fn policy(self) -> Policy {
        Policy {
            interval: self.interval,
            coarse_interval: 1_800_000,
            offline_after_samples: 5,
            offline_after: 300_000,
            online_threshold: 600_000,
            rows_per_partition: if self.thinned { ROWS } else { usize::MAX / 2 },
            precision: if self.refined { 1_000 } else { 0 },
            read_committed: false,
        }
    }
}

/// What a report says of one group, and what is true.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    /// The true age by when the record entered the log.
    pub(crate) entered: Millis,
    /// The true age by the record's timestamp.
    pub(crate) stamped: Millis,
    /// The age told; none where it is only a lower bound.
    pub(crate) age: Option<Millis>,
    pub(crate) bound: Option<Millis>,
    pub(crate) clock: Option<Clock>,
    /// Whether the report names one of the [`EXCUSES`].
    pub(crate) flagged: bool,
    /// The distance of the rows between which the age was interpolated.
    pub(crate) rows: Option<Millis>,
}

impl Look {
    /// What a line of the report says, beside the truth.
    pub(crate) fn new(line: &GroupPartition<'_>, entered: Millis, stamped: Millis, rows: Option<Millis>) -> Self {
        let millis = |seconds: f64| (seconds * 1e3).round() as Millis;
        let known = line.method.is_some_and(|method| method != Method::AtLeast);
        Self {
            entered,
            stamped,
            age: line.lag_seconds.filter(|_| known).map(millis),
            bound: line.bound_seconds.map(millis),
            clock: line.clock,
            flagged: EXCUSES.into_iter().any(|excuse| line.anomalies.contains(excuse)),
            rows,
        }
    }

    /// How far the age is off, by when the record entered the log.
    pub(crate) fn error(&self) -> Option<Millis> {
        Some((self.age? - self.entered).abs())
    }

    /// Whether the truth lies within the bound, on the clock that the report names.
    pub(crate) fn holds(&self) -> bool {
        self.holds_for(if self.clock == Some(Clock::Producer) { self.stamped } else { self.entered })
    }

    /// Whether this truth lies within the bound.
    pub(crate) fn holds_for(&self, truth: Millis) -> bool {
        self.age.zip(self.bound).is_some_and(|(age, bound)| (age - truth).abs() <= bound)
    }

    /// Whether the bound is as narrow as is wanted.
    pub(crate) fn is_narrow(&self) -> bool {
        self.bound.is_some_and(|bound| bound <= wanted(1_000, self.entered))
    }
}

/// One monitor of one partition.
#[derive(Debug)]
pub(crate) struct Sampler {
    pub(crate) memory: Memory,
    policy: Policy,
    last_rows_only: bool,
    /// Questions by time so far.
    pub(crate) probes: u64,
}

impl Sampler {
    pub(crate) fn new(setting: Setting) -> Self {
        let last_rows_only = !setting.thinned;
        Self { memory: Memory::default(), policy: setting.policy(), last_rows_only, probes: 0 }
    }

    /// Sees where the log ends at about `at`, and what groups have committed. The broker answers at `at` itself.
    pub(crate) fn observe(&mut self, log: &Log, at: Millis, commits: &[Offset], rng: &mut Rng) -> Millis {
        let (sent, replied) = (at - rng.i64(1..30), at + rng.i64(1..30));
        let reading = |offset| Ok(Reading { offset, sent, replied });
        let partition = PartitionObservation {
            leader: Some(0),
            log_start: reading(0),
            high_watermark: reading(log.end(at)),
            last_stable: None,
        };
        let topic = TopicObservation {
            name: TOPIC.into(),
            id: Some([1; 16]),
            replication_factor: 1,
            partitions: vec![partition],
        };
        let groups = commits.iter().enumerate().map(|(group, committed)| GroupObservation {
            id: format!("{group:02}").into(),
            kind: GroupKind::Classic,
            state: Some(GroupState::Stable),
            assignor: None,
            members: Some(vec![Member {
                member_id: "m".into(),
                client_id: "c".into(),
                host: "h".into(),
                assigned: vec![(TOPIC.into(), vec![0])],
            }]),
            commits: Ok(Commits {
                sent,
                replied,
                topics: vec![TopicCommits { topic: TOPIC.into(), offsets: vec![(0, *committed)] }],
            }),
        });
        let observation = Observation {
            started: sent,
            finished: replied,
            topics: vec![topic],
            groups: groups.collect(),
            ..Observation::default()
        };
        self.memory.remember(observation, &self.policy);
        if self.last_rows_only
            && let Some(partition) = self.memory.partition_mut(TOPIC, 0)
        {
            let runs = &mut partition.history.runs;
            *runs = runs.iter().skip(runs.len().saturating_sub(ROWS)).collect();
        }
        replied
    }

    /// Asks by time until ages are as sharp as wanted; returns when that is done.
    pub(crate) fn refine(&mut self, log: &Log, mut now: Millis) -> Millis {
        let mut refinement = Refinement::start(&self.memory, &self.policy, now, Budget::FULL);
        loop {
            let probes = refinement.next(&self.memory, now, Some(0));
            if probes.is_empty() {
                return now;
            }
            self.probes += probes.len() as u64;
            let (sent, answered, replied) = (now, now + 2, now + 4);
            let answer = |probe: Probe| {
                let answer = Ok(log.first_since(probe.time, answered));
                Told { probe, sent, replied, answer }
            };
            let told: Vec<Told> = probes.into_iter().map(answer).collect();
            refinement.learn(&mut self.memory, &told);
            now = replied;
        }
    }

    /// What the report at `now` says of each group behind whose commit something is waiting.
    pub(crate) fn judge(&mut self, log: &Log, now: Millis) -> Vec<(usize, Offset, Look)> {
        let heading = Heading { monitor: None, cluster_name: "c".to_owned(), team: None, periodic: true, probes: 0 };
        let report = judge(&mut self.memory, &self.policy, None, heading, now);
        let groups = report.groups.iter().enumerate();
        groups.filter_map(|(group, line)| self.look(log, group, &lines(line).next()?.1, now)).collect()
    }

    fn look(&self, log: &Log, group: usize, line: &GroupPartition<'_>, now: Millis) -> Option<(usize, Offset, Look)> {
        let committed = line.committed_offset?;
        let history = &self.memory.partition(TOPIC, 0)?.history;
        // What entered after the log end was read is news to the next sample.
        history.end().filter(|end| committed < *end)?;
        let record = log.waiting(committed, now)?;
        let rows = match line.clock {
            Some(Clock::Append) => {
                let (below, above) = history.runs_around(committed);
                below.zip(above).map(|(below, above)| above.first - below.last)
            }
            _ => {
                let (below, above) = history.facts_around(committed);
                let above = above.map_or(now, |above| above.at);
                below.map(|below| above - below.at)
            }
        };
        Some((group, committed, Look::new(line, now - record.entered, now - record.stamp, rows)))
    }
}

/// Every line of a group, with its topic.
pub(crate) fn lines(group: &Group) -> impl Iterator<Item = (&str, GroupPartition<'_>)> {
    let topics = group.topics.iter().flatten();
    topics.flat_map(|topic| topic.partitions.iter().flatten().map(|line| (&*topic.topic, line)))
}
