//! One group on one topic: moves its commits, judges its partitions, then its state, ages and rates.

use super::partition::{self, Context, Line, Verdict};
use super::seconds;
use crate::lag::anomaly::Anomaly;
use crate::lag::memory::TopicMemory;
use crate::lag::policy::Policy;
use crate::lag::progress::{Commit, Progress, Rates};
use crate::lag::report::{GroupTopic, Method, Timestamp};
use crate::lag::spread::spread;
use crate::lag::state::{Motion, Sight, next, patience};
use crate::lag::trend::trend;
use crate::lag::{Millis, Name, Offset, Partition};

/// What one sample showed of a group on a topic.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    /// The topic's name.
    pub topic: &'a Name,
    /// What is remembered of the topic.
    pub memory: &'a TopicMemory,
    /// The committed offsets; `None` where they could not be read.
    pub commits: Option<&'a [(Partition, Offset)]>,
    /// The member of each partition.
    pub members: &'a [Option<Name>],
    /// Whether the group has members; `None` where they could not be asked.
    pub has_members: Option<bool>,
    /// How the monitor judges.
    pub policy: &'a Policy,
    /// Now.
    pub now: Millis,
}

/// Judges one group on one topic, and remembers what the next sample needs.
pub fn judge(progress: &mut Progress, sample: Sample<'_>) -> GroupTopic {
    let moves = take_commits(progress, sample);
    let context = Context {
        policy: sample.policy,
        now: sample.now,
        patience: patience(sample.policy, progress.commit_interval()),
        has_members: sample.has_members,
        others_advance: false,
        fresh: sample.commits.is_some(),
    };
    let advanced_lately = progress.last_advance.is_some_and(|at| sample.now - at < context.patience);
    let context = Context { others_advance: advanced_lately, ..context };
    let verdicts: Vec<Verdict> = sample
        .memory
        .partitions
        .iter()
        .zip(progress.partitions.iter_mut().zip(&moves))
        .map(|(memory, (commit, moved))| partition::judge(memory, commit, *moved, context))
        .collect();
    let oldest = oldest(&verdicts);
    if sample.commits.is_some() {
        judge_state(progress, sample, &moves, &verdicts);
        progress.aged(sample.now, oldest.and_then(|v| v.estimate).and_then(|e| e.lag));
    }
    summary(progress, sample, &verdicts)
}

/// Takes in the committed offsets; says by how much each moved.
fn take_commits(progress: &mut Progress, sample: Sample<'_>) -> Vec<Option<Offset>> {
    let count = sample.memory.partitions.len();
    progress.partitions.resize_with(count, Commit::default);
    let mut moves = vec![None; count];
    let Some(commits) = sample.commits else { return moves };
    let mut gone = vec![true; count];
    for (partition, offset) in commits {
        let Ok(index) = usize::try_from(*partition) else { continue };
        if let (Some(commit), Some(moved)) = (progress.partitions.get_mut(index), moves.get_mut(index)) {
            *moved = commit.moved(*offset, sample.now);
            gone[index] = false;
        }
    }
    for (commit, gone) in progress.partitions.iter_mut().zip(gone) {
        if gone {
            *commit = Commit::default();
        }
    }
    if moves.iter().flatten().any(|by| *by > 0) {
        progress.advanced(sample.now);
    }
    moves
}

fn judge_state(progress: &mut Progress, sample: Sample<'_>, moves: &[Option<Offset>], verdicts: &[Verdict]) {
    let Sample { policy, now, .. } = sample;
    let sum = progress.partitions.iter().filter_map(|commit| commit.committed).fold(0, Offset::saturating_add);
    let waiting = verdicts.iter().any(|verdict| verdict.waiting);
    if progress.partitions.iter().all(|commit| commit.committed.is_none()) {
        progress.unsaved |= progress.state.take().is_some();
        return;
    }
    let (motion, rewound) = if std::mem::take(&mut progress.restored) {
        motion([sum.saturating_sub(progress.committed_sum)], waiting)
    } else {
        motion(moves.iter().flatten().copied(), waiting)
    };
    progress.committed_sum = sum;
    if motion == Motion::Idle {
        progress.gap_from = progress.gap_from.map(|_| now);
    }
    let oldest = oldest(verdicts).and_then(|verdict| verdict.estimate);
    let behind = oldest.and_then(|e| e.lag).is_some_and(|age| age > policy.online_threshold);
    let near = !behind && oldest.is_some_and(|e| e.method != Method::AtLeast);
    progress.behind_samples = match motion {
        Motion::Advancing if behind => progress.behind_samples.saturating_add(1),
        _ if behind => progress.behind_samples,
        _ => 0,
    };
    let static_long_enough = motion == Motion::Static && progress.stood_still(now, policy);
    if motion != Motion::Static && progress.static_samples > 0 {
        progress.static_samples = 0;
        progress.static_since = None;
        progress.unsaved = true;
    }
    let lost = verdicts.iter().any(|verdict| verdict.records_lost > 0);
    let sight = Sight {
        motion,
        rewound,
        behind,
        near,
        static_long_enough,
        behind_samples: progress.behind_samples,
        has_members: sample.has_members,
        caught_up_by_loss: lost && !waiting,
    };
    let state = next(progress.state, sight, policy);
    if progress.state.replace(state) != Some(state) {
        progress.since = now;
        progress.unsaved = true;
    }
}

/// What the group did, and whether some committed offset fell.
fn motion(moves: impl IntoIterator<Item = Offset>, waiting: bool) -> (Motion, bool) {
    let (mut fell, mut grew) = (false, false);
    for by in moves {
        fell |= by < 0;
        grew |= by > 0;
    }
    let motion = match (grew, waiting) {
        (true, _) => Motion::Advancing,
        (_, true) => Motion::Static,
        _ => Motion::Idle,
    };
    (motion, fell)
}

/// The partition with the largest age among those that count.
fn oldest(verdicts: &[Verdict]) -> Option<&Verdict> {
    let age = |verdict: &&Verdict| verdict.estimate.and_then(|estimate| estimate.lag);
    verdicts.iter().filter(|verdict| verdict.counts() && age(verdict).is_some()).max_by_key(age)
}

fn summary(progress: &Progress, sample: Sample<'_>, verdicts: &[Verdict]) -> GroupTopic {
    let mut ages: Vec<Millis> =
        verdicts.iter().filter(|v| v.counts()).filter_map(|v| v.estimate.and_then(|e| e.lag)).collect();
    let mut records: Vec<i64> = verdicts.iter().filter_map(|v| v.lag_records).collect();
    let total = (!records.is_empty()).then(|| records.iter().copied().fold(0, i64::saturating_add));
    let (ages, records) = (spread(&mut ages), spread(&mut records));
    let worst = oldest(verdicts).and_then(|verdict| verdict.estimate);
    let rates = rates(verdicts);
    let no_commit = |v: &&Verdict| v.estimate.is_some_and(|e| e.method == Method::NoCommit);
    let lines = verdicts.iter().zip(&sample.memory.partitions).zip(&progress.partitions).zip(0..);
    GroupTopic {
        topic: sample.topic.clone(),
        state: progress.state,
        since: progress.state.map(|_| Timestamp(progress.since)),
        max_lag_seconds: ages.map(|s| seconds(s.max)),
        p50_lag_seconds: ages.map(|s| seconds(s.p50)),
        p95_lag_seconds: ages.map(|s| seconds(s.p95)),
        bound_seconds: worst.and_then(|e| e.bound).map(seconds),
        method: worst.map(|e| e.method),
        clock: worst.and_then(|e| e.clock),
        total_lag_records: total,
        max_lag_records: records.map(|s| s.max),
        p50_lag_records: records.map(|s| s.p50),
        p95_lag_records: records.map(|s| s.p95),
        partitions_without_commit: count(verdicts.iter().filter(no_commit)),
        abandoned_partitions: count(verdicts.iter().filter(|v| v.anomalies.contains(Anomaly::Abandoned))),
        consume_rate: rates.map(|r| r.consume),
        produce_rate: rates.map(|r| r.produce),
        drain_seconds: drain(verdicts),
        trend: trend(&progress.ages, worst.and_then(|e| e.bound).unwrap_or(0)),
        partitions: Some(
            lines
                .map(|(((verdict, memory), commit), partition)| {
                    let member = usize::try_from(partition).ok().and_then(|i| sample.members.get(i)?.as_ref());
                    let line = Line { member, read_committed: sample.policy.read_committed };
                    verdict.line(partition, memory, commit, line)
                })
                .collect(),
        ),
    }
}

fn count<T>(items: impl Iterator<Item = T>) -> u32 {
    items.count().try_into().unwrap_or(u32::MAX)
}

/// The sum over partitions; `None` before a partition has been seen for long enough.
fn rates(verdicts: &[Verdict]) -> Option<Rates> {
    verdicts
        .iter()
        .filter_map(|verdict| verdict.rates)
        .reduce(|a, b| Rates { consume: a.consume + b.consume, produce: a.produce + b.produce })
}

/// The longest time that a partition needs to catch up at its rates; `None` when one never does.
fn drain(verdicts: &[Verdict]) -> Option<f64> {
    let lagging = verdicts.iter().filter(|verdict| verdict.waiting);
    let mut longest = verdicts.iter().any(|verdict| verdict.lag_records.is_some()).then_some(0.0_f64)?;
    for verdict in lagging {
        let rates = verdict.rates?;
        let net = rates.consume - rates.produce;
        if net <= 0.0 {
            return None;
        }
        longest = longest.max(verdict.lag_records? as f64 / net);
    }
    Some(longest)
}
