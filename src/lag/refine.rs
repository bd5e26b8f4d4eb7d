//! Which times to ask a broker for next, so that ages become as exact as wanted with few questions.
//!
//! A search in time for each committed offset: by interpolation, by the middle, and between, so that neither steady
//! traffic nor a burst can stall it. The asking itself is left to `monitor` and `kafka`.

use std::collections::HashSet;

use super::bracket::{Estimate, Question, Search, estimate, search, wanted};
use super::history::History;
use super::memory::{Memory, PartitionMemory};
use super::observation::{Probe, Told};
use super::policy::Policy;
use super::report::{Clock, Method};
use super::{Millis, Name, Offset, Partition};

const MINUTE: Millis = 60_000;
const HOUR: Millis = 60 * MINUTE;
const DAY: Millis = 24 * HOUR;

/// How far back the ladder asks, besides the present and the beginning of time.
pub const LADDER: [Millis; 13] = [
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    4 * DAY,
    7 * DAY,
];

/// The times of the ladder: the present (which tells records from the future), the past, and the beginning.
pub fn ladder(now: Millis) -> impl Iterator<Item = Millis> {
    std::iter::once(now).chain(LADDER.into_iter().map(move |back| now - back)).chain(std::iter::once(0))
}

/// Whether asking more is worth it: an age less exact than wanted, or one on the producer clock whose record was not
/// found yet, for only a record that was found is right whatever the order of timestamps.
pub fn worth(estimate: &Estimate, precision: Millis) -> bool {
    if estimate.settled || precision == 0 {
        return false;
    }
    let Some(lag) = estimate.lag else { return false };
    let coarse = estimate.bound.is_none_or(|bound| bound > wanted(precision, lag));
    coarse || estimate.clock == Some(Clock::Producer)
}

/// The next times to ask for one committed offset: none when nothing is left to learn.
pub fn times(history: &History, question: Question) -> Option<Vec<Millis>> {
    search(history, question).map(|search| cuts(search, question.committed))
}

/// Up to three times strictly inside the search, that cut it where the record most likely is.
///
/// Record `committed` answers to every time after its predecessor's timestamp, so the guess aims half a record below.
fn cuts(search: Search, committed: Offset) -> Vec<Millis> {
    let Search { low, low_offset, high, high_offset } = search;
    let width = high - low;
    if width <= 1 {
        return Vec::new();
    }
    let share = (committed - low_offset) as f64 - 0.5;
    let share = (share / (high_offset - low_offset).max(1) as f64).clamp(0.0, 1.0);
    let guess = low + (width as f64 * share) as Millis;
    let middle = low + width / 2;
    let step = (width / 16).max(1);
    let between = if guess < middle { guess + step } else { guess - step };
    let mut times: Vec<Millis> = [guess, middle, between].map(|time| time.clamp(low + 1, high - 1)).to_vec();
    times.sort_unstable();
    times.dedup();
    times
}

/// One sample's questions by time: which commits still want sharper ages, and what to ask for them next.
#[derive(Debug)]
pub struct Refinement {
    open: Vec<Open>,
}

#[derive(Debug)]
struct Open {
    topic: Name,
    partition: Partition,
    committed: Offset,
}

impl Refinement {
    /// Starts with every commit of the last pass behind which records are waiting.
    pub fn start(memory: &Memory) -> Self {
        let mut open: Vec<Open> = Vec::new();
        for group in &memory.last.groups {
            for topic in group.commits.iter().flat_map(|commits| &commits.topics) {
                open.extend(topic.offsets.iter().map(|(partition, committed)| Open {
                    topic: topic.topic.clone(),
                    partition: *partition,
                    committed: *committed,
                }));
            }
        }
        Self { open }
    }

    /// Takes in what brokers answered; partitions that were not answered are not asked again in this sample.
    pub fn learn(&mut self, memory: &mut Memory, told: &[Told]) {
        let failed: HashSet<(&str, Partition)> = told
            .iter()
            .filter(|told| told.answer.is_err())
            .map(|told| (&*told.probe.topic, told.probe.partition))
            .collect();
        self.open.retain(|open| !failed.contains(&(&*open.topic, open.partition)));
        learn(memory, told);
    }

    /// The next questions, at most `budget`, the widest bound for its age first; none when no more are worth asking.
    pub fn next(&mut self, memory: &mut Memory, policy: &Policy, now: Millis, budget: usize) -> Vec<Probe> {
        let mut wanted: Vec<(f64, usize)> = Vec::new();
        let mut index = 0;
        self.open.retain(|open| {
            let need = need(open, memory, policy, now);
            wanted.extend(need.map(|need| (need, index)));
            index += usize::from(need.is_some());
            need.is_some()
        });
        wanted.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut asked = HashSet::new();
        for open in wanted.into_iter().filter_map(|(_, index)| self.open.get(index)) {
            let Some(partition) = memory.partition_mut(&open.topic, open.partition) else { continue };
            let times = question(partition, open.committed, policy, now)
                .and_then(|question| times(&partition.history, question))
                .unwrap_or_else(|| ladder(now).collect());
            if asked.len() + times.len() > budget {
                break;
            }
            asked.extend(times.into_iter().map(|time| Probe {
                topic: open.topic.clone(),
                partition: open.partition,
                time,
            }));
        }
        asked.into_iter().collect()
    }
}

fn learn(memory: &mut Memory, told: &[Told]) {
    for told in told {
        let Some(partition) = memory.partition_mut(&told.probe.topic, told.probe.partition) else { continue };
        let Ok(found) = told.answer else { continue };
        let Some(end) = partition.history.end() else { continue };
        partition.history.learn(told.probe.time, found, told.replied, end);
    }
}

/// How urgently one commit wants a sharper age: its bound over its age; `None` when nothing is left to ask.
fn need(open: &Open, memory: &Memory, policy: &Policy, now: Millis) -> Option<f64> {
    let partition = memory.partition(&open.topic, open.partition)?;
    let question = question(partition, open.committed, policy, now)?;
    let estimate = estimate(&partition.history, question, policy.precision);
    let known = times(&partition.history, question);
    let asks = match known {
        None => !partition.history.backfilled && estimate.method == Method::AtLeast,
        Some(times) => !times.is_empty() && worth(&estimate, policy.precision),
    };
    if !asks {
        return None;
    }
    let lag = estimate.lag.unwrap_or(0).max(1) as f64;
    Some(estimate.bound.map_or(f64::MAX, |bound| bound as f64 / lag))
}

/// What to ask of a commit behind which records are waiting, as of this sample.
fn question(partition: &PartitionMemory, committed: Offset, policy: &Policy, now: Millis) -> Option<Question> {
    let end = partition.end(policy.read_committed)?;
    let high_watermark = partition.history.end()?;
    let first = committed.max(partition.log_start.unwrap_or(0));
    let (seen, _) = partition.end_seen.filter(|_| partition.is_current())?;
    let end = if first == end { high_watermark } else { end };
    (first < end).then_some(Question { committed: first, end, seen, now })
}
