//! One group on one topic: moves its commits, judges its partitions, then its state, ages and rates.

use super::partition::{self, Context, Verdict};
use super::seconds;
use crate::lag::memory::TopicMemory;
use crate::lag::policy::Policy;
use crate::lag::progress::{Commit, Progress, Rates};
use crate::lag::report::{GroupTopic, Method, Partitions, State, Timestamp};
use crate::lag::spread::spread;
use crate::lag::state::{Motion, Sight, next, patience};
use crate::lag::trend::trend;
use crate::lag::{Millis, Name, Offset, Partition};

/// How long nobody of a group that is at work must have read a topic before the group has left it. Those who share a group
/// but not their topics look the same when the readers of one of them die: that is told until then.
const LEFT: Millis = 3_600_000;

/// What one sample showed of a group on a topic.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    /// The topic's name.
    pub topic: &'a Name,
    /// What is remembered of the topic.
    pub memory: &'a TopicMemory,
    /// The committed offsets; `None` where they could not be read.
    pub commits: Option<&'a [(Partition, Offset)]>,
    /// The member of each partition of the topic.
    pub members: &'a [Option<&'a Name>],
    /// Whether the group has members; `None` where they could not be asked.
    pub has_members: Option<bool>,
    /// Whether they are known to have partitions, of whatever topic.
    pub at_work: bool,
    /// How the monitor judges.
    pub policy: &'a Policy,
    /// How long something readable may wait, unread, before a partition is stuck; `None` where that is not judged.
    pub stuck_window: Option<Millis>,
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
        held: false,
        others_advance: false,
        left: false,
        fresh: sample.commits.is_some(),
        stuck_after: sample.stuck_window.map(|window| window.max(progress.commit_interval().saturating_mul(3))),
    };
    let advanced_lately = progress.last_advance.is_some_and(|at| sample.now - at < context.patience);
    let long = context.patience.max(LEFT);
    let held_lately = sample.members.iter().any(Option::is_some)
        || progress.partitions.iter().any(|commit| sample.now - commit.held < long);
    let stands = moves.iter().flatten().all(|by| *by == 0);
    progress.left &= stands && !held_lately;
    progress.left |= sample.at_work && !held_lately && progress.stands_for(long, sample.now);
    let context = Context { others_advance: advanced_lately, left: progress.left, ..context };
    let verdicts: Vec<Verdict> = sample
        .memory
        .partitions
        .iter()
        .zip(progress.partitions.iter_mut().zip(&moves))
        .zip(sample.members)
        .map(|((memory, (commit, moved)), member)| {
            partition::judge(memory, commit, *moved, Context { held: member.is_some(), ..context })
        })
        .collect();
    let oldest = oldest(&verdicts);
    if sample.commits.is_some() {
        judge_state(progress, sample, &moves, &verdicts);
        let former = progress.partitions.iter().map(|commit| commit.former);
        let standing =
            verdicts.iter().zip(former).zip(0..).filter(|((verdict, former), _)| !verdict.counts() || *former);
        let standing: Vec<Partition> = standing.map(|(_, partition)| partition).collect();
        progress.stand(standing.into_iter());
        progress.aged(sample.now, oldest.and_then(|v| v.estimate).and_then(|e| e.lag));
    }
    summary(progress, sample, &verdicts)
}

/// Takes in the committed offsets; says by how much each moved.
fn take_commits(progress: &mut Progress, sample: Sample<'_>) -> Vec<Option<Offset>> {
    let count = sample.memory.partitions.len();
    progress.partitions.resize_with(count, Commit::default);
    if progress.restored && progress.state == Some(State::Offline) {
        // A tail that can't be read makes nobody OFFLINE.
        progress.partitions.iter_mut().for_each(|commit| commit.rested = true);
    }
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
            *commit = Commit { read: sample.now, ..Commit::default() };
        }
    }
    // How far each partition had come is not stored; all of them together are.
    let sum = progress.sum();
    if progress.former_sum.take().is_some_and(|before| before > 0 && before == sum) {
        let known = progress.partitions.iter_mut().filter(|commit| commit.committed.is_some());
        known.for_each(|commit| commit.former = true);
    }
    if moves.iter().flatten().any(|by| *by > 0) || progress.restored && sum > progress.committed_sum {
        progress.advanced(sample.now);
    }
    moves
}

fn judge_state(progress: &mut Progress, sample: Sample<'_>, moves: &[Option<Offset>], verdicts: &[Verdict]) {
    let Sample { policy, now, .. } = sample;
    let sum = progress.sum();
    // What waits on a partition whose broker is silent cannot be read at present, or was never seen.
    let waiting = verdicts.iter().any(|verdict| verdict.waiting && verdict.stale.is_none());
    let unseen =
        verdicts.iter().any(|verdict| verdict.estimate.is_none() || verdict.waiting && verdict.stale.is_some());
    if progress.partitions.iter().all(|commit| commit.committed.is_none()) {
        progress.unsaved |= progress.state.take().is_some();
        return;
    }
    let restored = std::mem::take(&mut progress.restored);
    let (motion, rewound) = if restored {
        // A sum that fell tells no rewind: the commit of a partition may have expired meanwhile.
        motion([sum.saturating_sub(progress.committed_sum).max(0)], waiting)
    } else {
        motion(moves.iter().flatten().copied(), waiting)
    };
    progress.committed_sum = sum;
    if motion == Motion::Idle && unseen && !rewound {
        // Whether it stands still is not known.
        return;
    }
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
    let ends = &sample.memory.ends;
    let lines = verdicts.iter().zip(&progress.partitions).zip(ends.iter()).zip(sample.members).zip(0..);
    let lines =
        lines.map(|((((verdict, commit), ends), member), partition)| verdict.line(partition, commit, *ends, *member));
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
        partitions_without_commit: count(verdicts.iter().filter(|verdict| no_commit(verdict))),
        abandoned_partitions: count(verdicts.iter().filter(|verdict| verdict.is_abandoned())),
        abandoned: progress.left && verdicts.iter().any(Verdict::is_abandoned),
        consume_rate: rates.map(|r| r.consume),
        produce_rate: rates.map(|r| r.produce),
        drain_seconds: drain(verdicts),
        trend: trend(&progress.ages, worst.and_then(|e| e.bound).unwrap_or(0)),
        slo: None,
        stuck_partitions: sample.stuck_window.map(|_| count(verdicts.iter().filter(|v| v.stuck.is_some()))),
        partitions: Some(Partitions::pack(lines, ends.clone()).with_isolation(sample.policy.read_committed)),
    }
}

fn count<T>(items: impl Iterator<Item = T>) -> u32 {
    items.count().try_into().unwrap_or(u32::MAX)
}

/// The sum over the partitions with a commit that are not abandoned; `None` while that of one is not known, for the others
/// come to something else.
fn rates(verdicts: &[Verdict]) -> Option<Rates> {
    let with_commit = verdicts.iter().filter(|verdict| !no_commit(verdict) && !verdict.is_abandoned());
    let all = with_commit.map(|verdict| verdict.rates).reduce(|a, b| {
        let (a, b) = (a?, b?);
        Some(Rates { consume: a.consume + b.consume, produce: a.produce + b.produce })
    });
    all.flatten()
}

fn no_commit(verdict: &Verdict) -> bool {
    verdict.estimate.is_some_and(|estimate| estimate.method == Method::NoCommit)
}

/// The longest time that a partition needs to catch up at its rates; `None` when one never does.
fn drain(verdicts: &[Verdict]) -> Option<f64> {
    let counted = || verdicts.iter().filter(|verdict| !verdict.is_abandoned());
    let lagging = counted().filter(|verdict| verdict.waiting);
    let mut longest = counted().any(|verdict| verdict.lag_records.is_some()).then_some(0.0_f64)?;
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::lag::anomaly::Anomalies;

    fn verdict(lag: Option<i64>, rates: Option<(f64, f64)>) -> Verdict {
        Verdict {
            estimate: None,
            lag_records: lag,
            records_lost: 0,
            blocked_records: 0,
            stale: None,
            stuck: None,
            anomalies: Anomalies::default(),
            waiting: lag.is_some_and(|lag| lag > 0),
            rates: rates.map(|(consume, produce)| Rates { consume, produce }),
        }
    }

    proptest! {
        #[test]
        fn when_the_drain_time_is_over_the_last_partition_has_just_caught_up(
            partitions in prop::collection::vec(
                (prop::option::of(0..100_000_i64), prop::option::of((0.0..1e3, 0.0..1e3))), 0..8,
            ),
        ) {
            let verdicts: Vec<Verdict> = partitions.iter().map(|(lag, rates)| verdict(*lag, *rates)).collect();
            let waiting = || verdicts.iter().filter(|verdict| verdict.waiting);
            let converges = waiting().all(|verdict| verdict.rates.is_some_and(|rates| rates.consume > rates.produce));
            let known = verdicts.iter().any(|verdict| verdict.lag_records.is_some());
            let found = drain(&verdicts);
            prop_assert_eq!(found.is_some(), known && converges);
            let Some(drain) = found else { return Ok(()) };
            let left = waiting().map(|verdict| {
                let rates = verdict.rates.unwrap();
                (verdict.lag_records.unwrap() as f64 - drain * (rates.consume - rates.produce)) / (1.0 + drain)
            });
            let most = left.reduce(f64::max);
            prop_assert!(most.map_or(drain == 0.0, |left| left.abs() < 1e-6), "{most:?}");
        }

        #[test]
        fn rates_are_those_of_every_partition_with_a_commit_or_none(
            partitions in prop::collection::vec((any::<bool>(), prop::option::weighted(0.9, (0.0..1e3, 0.0..1e3))), 0..8),
        ) {
            let of = |(committed, rates): &(bool, Option<(f64, f64)>)| match committed {
                true => verdict(Some(0), *rates),
                false => Verdict { estimate: Some(crate::lag::bracket::NO_COMMIT), ..verdict(None, None) },
            };
            let found = rates(&partitions.iter().map(of).collect::<Vec<_>>()).map(|all| (all.consume, all.produce));
            let counted: Vec<_> = partitions.iter().filter(|(committed, _)| *committed).map(|(_, rates)| *rates).collect();
            let expected: Option<Vec<_>> = counted.iter().copied().collect();
            let expected = expected.filter(|all| !all.is_empty());
            prop_assert_eq!(found.is_some(), expected.is_some());
            if let (Some(found), Some(expected)) = (found, expected) {
                let sum = expected.iter().fold((0.0, 0.0), |sum, rates| (sum.0 + rates.0, sum.1 + rates.1));
                prop_assert!((found.0 - sum.0).abs() < 1e-6 && (found.1 - sum.1).abs() < 1e-6);
            }
        }
    }
}
