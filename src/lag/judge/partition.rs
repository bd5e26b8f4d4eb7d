//! One group on one partition: lag in records, age, and what is odd.

use std::num::NonZero;

use crate::lag::anomaly::{Anomalies, Anomaly};
use crate::lag::bracket::{CAUGHT_UP, Estimate, NO_COMMIT, Question, estimate, is_undated, wanted};
use crate::lag::memory::PartitionMemory;
use crate::lag::policy::Policy;
use crate::lag::progress::{Anchor, Commit, Rates};
use crate::lag::report::{Clock, Ends, GroupPartition, Method};
use crate::lag::{Millis, Name, Offset, Partition};

/// What judging one partition needs to know of its group and topic.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// How the monitor judges.
    pub policy: &'a Policy,
    /// Now.
    pub now: Millis,
    /// How long nothing may move before it counts as standing still.
    pub patience: Millis,
    /// Whether the group has members; `None` where they could not be asked.
    pub has_members: Option<bool>,
    /// Whether a member has the partition.
    pub held: bool,
    /// Whether some partition of the topic advanced within `patience`.
    pub others_advance: bool,
    /// Whether the group has left the topic: its members have partitions, and none of it.
    pub left: bool,
    /// Whether the committed offsets were read in this sample.
    pub fresh: bool,
    /// How long something readable may wait, unread, before the partition is stuck; `None` where that is not judged.
    pub stuck_after: Option<Millis>,
}

/// The judgement of one partition.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// Age and bound.
    pub estimate: Option<Estimate>,
    /// Records not read.
    pub lag_records: Option<i64>,
    /// Records deleted before they were read.
    pub records_lost: i64,
    /// Records hidden by an open transaction.
    pub blocked_records: i64,
    /// Age of the figures, where they are not of this sample.
    pub stale: Option<Millis>,
    /// How long something readable has waited, where the partition is stuck.
    pub stuck: Option<Millis>,
    /// What is odd.
    pub anomalies: Anomalies,
    /// Whether something readable is waiting.
    pub waiting: bool,
    /// How fast the group reads and producers write.
    pub rates: Option<Rates>,
}

impl Verdict {
    /// Nothing is known yet but how old the figures are.
    fn unknown(stale: Option<Millis>) -> Self {
        Self {
            estimate: None,
            lag_records: None,
            records_lost: 0,
            blocked_records: 0,
            stale,
            stuck: None,
            anomalies: Anomalies::default(),
            waiting: false,
            rates: None,
        }
    }

    /// Whether it counts in the topic's ages.
    pub fn counts(&self) -> bool {
        !self.anomalies.leave_out()
    }

    /// Whether it was given up by a group that goes on elsewhere.
    pub fn is_abandoned(&self) -> bool {
        self.anomalies.contains(Anomaly::Abandoned)
    }

    /// The line of the report.
    pub fn line<'a>(
        &self,
        partition: Partition,
        commit: &Commit,
        (log_start_offset, log_end_offset): Ends,
        member_id: Option<&'a Name>,
    ) -> GroupPartition<'a> {
        GroupPartition {
            partition,
            member_id,
            committed_offset: commit.committed,
            log_start_offset,
            log_end_offset,
            lag_records: self.lag_records,
            lag_seconds: self.estimate.and_then(|e| e.lag).map(super::seconds),
            bound_seconds: self.estimate.and_then(|e| e.bound).map(super::seconds),
            method: self.estimate.map(|e| e.method),
            clock: self.estimate.and_then(|e| e.clock),
            records_lost: self.records_lost,
            blocked_records: self.blocked_records,
            stale_seconds: self.stale.map(super::seconds),
            stuck_seconds: self.stuck.map(super::seconds),
            anomalies: self.anomalies,
        }
    }
}

/// Judges one partition. `moved` is by how much the commit moved since the last good sample.
pub fn judge(memory: &PartitionMemory, commit: &mut Commit, moved: Option<Offset>, context: Context<'_>) -> Verdict {
    let Context { policy, now, .. } = context;
    let mut verdict = Verdict::unknown(stale(memory, commit, context));
    let Some(committed) = commit.committed else {
        // Before it was read for the first time, nobody knows whether there is one.
        verdict.estimate = (context.fresh || commit.read > 0).then_some(NO_COMMIT);
        verdict.stale = None;
        return verdict;
    };
    let (Some(end), Some(high_watermark)) = (memory.end(policy.read_committed), memory.history.end()) else {
        return verdict;
    };
    let first = committed.max(memory.log_start.unwrap_or(0));
    if first > committed && moved.unwrap_or(0) == 0 {
        verdict.records_lost = first - committed;
    }
    if context.fresh && memory.is_current() {
        commit.beyond = if committed > high_watermark { commit.beyond.saturating_add(1) } else { 0 };
    }
    verdict.lag_records = Some((end - first).max(0));
    let seen = memory.end_seen.map_or(now, |(replied, _)| replied);
    let question = |end| Question { committed: first, end, seen, now };
    if context.held {
        commit.held = now;
    }
    let seen_twice = memory.history.runs.last().is_some_and(|run| run.first < run.last);
    commit.rested |= committed == high_watermark && moved == Some(0) && seen_twice && memory.is_current();
    if first < end {
        verdict.waiting = true;
        verdict.estimate = Some(estimate(&memory.history, question(end), policy.precision));
    } else if first == end && end < high_watermark && memory.is_current() {
        verdict.blocked_records = high_watermark - end;
        verdict.estimate = Some(estimate(&memory.history, question(high_watermark), policy.precision));
    } else if committed > end && !memory.is_current() {
        // Read beyond the end that was seen last: how much has come since is not known.
        verdict.lag_records = None;
    } else {
        verdict.estimate = Some(CAUGHT_UP);
    }
    note_anomalies(&mut verdict, memory, commit, context, (committed, first, end, high_watermark));
    if context.fresh && memory.is_current() {
        let truncated = memory.truncated.is_some_and(|at| at >= commit.waiting_since);
        // Nobody is to move what the group has left.
        let given_up = context.left && verdict.is_abandoned();
        commit.waits(verdict.waiting && !given_up, truncated, now);
    }
    verdict.stuck = context.stuck_after.and_then(|window| commit.stuck_for(window));
    if let (None, Some(time)) = (verdict.stale, NonZero::new(now)) {
        let sight = Anchor { time, committed, end };
        verdict.rates = commit.rates(sight, policy.interval.saturating_mul(crate::lag::progress::WINDOW as i64));
    }
    verdict
}

fn note_anomalies(
    verdict: &mut Verdict,
    memory: &PartitionMemory,
    commit: &Commit,
    context: Context<'_>,
    (committed, first, end, high_watermark): (Offset, Offset, Offset, Offset),
) {
    let Context { policy, now, patience, .. } = context;
    let still = commit.still_long_enough(now, policy, patience);
    let end_still = memory.history.runs.last().is_some_and(|run| now - run.first >= patience);
    let few = verdict.waiting && end - first <= 2 && !commit.rested;
    let tail = few && still && end_still && context.has_members != Some(false);
    // A member that has it is to read it: what it leaves is stuck. Between two assignments nobody has anything.
    let held = now - commit.held < patience;
    let estimate = verdict.estimate;
    let late = estimate.is_some_and(|e| {
        let wanted = wanted(policy.precision, e.lag.unwrap_or(0));
        let undated = e.method == Method::AtLeast && is_undated(&memory.history, first);
        undated || e.clock == Some(Clock::Producer) && memory.history.slack(now) > wanted
    });
    let dated = estimate.is_some_and(|e| e.method != Method::CaughtUp && e.clock != Some(Clock::Append));
    let odd = [
        (Anomaly::CommitFromFormerTopic, commit.former),
        (Anomaly::OffsetBeyondEnd, commit.beyond >= 2),
        (Anomaly::AheadOfStable, memory.is_current() && end < committed && committed <= high_watermark),
        (Anomaly::BlockedByTransaction, verdict.blocked_records > 0),
        (Anomaly::TailUnreadable, tail),
        (Anomaly::TimestampsAhead, dated && memory.history.ahead.is_some()),
        (Anomaly::TimestampsLate, late),
        (Anomaly::RecordHidden, estimate.is_some_and(|e| e.hidden)),
        (Anomaly::LogTruncated, memory.truncated.is_some_and(|at| now - at < patience)),
        (Anomaly::Abandoned, verdict.waiting && !tail && !held && still && (context.others_advance || context.left)),
    ];
    verdict.anomalies = odd.into_iter().filter(|(_, holds)| *holds).map(|(anomaly, _)| anomaly).collect();
    verdict.waiting &= !tail;
}

/// How old the figures are, where a broker did not answer in this sample.
fn stale(memory: &PartitionMemory, commit: &Commit, context: Context<'_>) -> Option<Millis> {
    let end = if memory.is_current() { None } else { memory.end_seen.map(|(_, sent)| sent) };
    let read = (!context.fresh).then_some(commit.read);
    let oldest = match (end, read) {
        (Some(end), Some(read)) => Some(end.min(read)),
        (end, read) => end.or(read),
    };
    oldest.map(|time| (context.now - time).max(0))
}
