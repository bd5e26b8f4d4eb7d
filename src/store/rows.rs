//! How rows become bytes: differences from the row before, as variable-length integers.
//!
//! A damaged file may hold any bytes, so differences wrap around rather than overflow.

use serde::{Deserialize, Serialize};

use super::Sample;
use super::error::Error;
use crate::lag::change::Change;
use crate::lag::conduct::Conduct;
use crate::lag::history::{Fact, History, Run};
use crate::lag::report::State;
use crate::lag::{Millis, Offset, Partition};

/// A run or a fact as three numbers.
type Triple = (i64, i64, i64);

#[derive(Serialize, Deserialize)]
struct Rows {
    runs: Vec<Triple>,
    facts: Vec<Triple>,
    rest: Rest,
}

#[derive(Serialize, Deserialize)]
struct Rest {
    silence: Option<(Millis, Offset)>,
    ahead: Option<Triple>,
    slack: Option<(Millis, Millis)>,
    backfilled: bool,
    current: bool,
}

#[derive(Serialize, Deserialize)]
struct Step {
    partition: Partition,
    before: Option<Triple>,
    newest: Option<Triple>,
    learnt: Vec<Triple>,
    rest: Rest,
}

/// The changes of one topic's partitions, by the topic's row.
pub(super) type TopicChanges = (i64, Vec<(Partition, Change)>);

/// A whole history, of a partition of the topic with that row.
pub(super) fn history_to_bytes(history: &History, topic: i64, partition: Partition) -> Result<Vec<u8>, Error> {
    let Run { first, offset, .. } = history.runs.first().unwrap_or(ORIGIN);
    let mut before = ORIGIN;
    let runs = history.runs.iter().map(|run| run_difference(run, std::mem::replace(&mut before, run))).collect();
    let mut before = Fact { from: first, at: first, offset };
    let facts = history.facts.iter().map(|fact| fact_difference(fact, std::mem::replace(&mut before, fact))).collect();
    let rest = Rest {
        silence: history.silence.map(|pair| relative(pair, first)),
        ahead: history.ahead.map(|fact| fact_difference(fact, fact_at(first))),
        slack: history.slack,
        backfilled: history.backfilled,
        current: history.current,
    };
    seal(&Rows { runs, facts, rest }, [topic, partition.into()])
}

/// The history that these bytes tell.
pub(super) fn history_from_bytes(bytes: &[u8], topic: i64, partition: Partition) -> Result<History, Error> {
    let rows: Rows = unseal(bytes, [topic, partition.into()])?;
    let mut history = History::default();
    let mut before = ORIGIN;
    for run in rows.runs {
        before = run_after(run, before);
        history.runs.push(before);
    }
    let Run { first, offset, .. } = history.runs.first().unwrap_or(ORIGIN);
    let mut before = Fact { from: first, at: first, offset };
    for fact in rows.facts {
        before = fact_after(fact, before);
        history.facts.push(before);
    }
    history.silence = rows.rest.silence.map(|pair| absolute(pair, first));
    history.ahead = rows.rest.ahead.map(|fact| fact_after(fact, fact_at(first)));
    history.slack = rows.rest.slack;
    history.backfilled = rows.rest.backfilled;
    history.current = rows.rest.current;
    Ok(history)
}

/// What is remembered of one group of a monitor as a whole.
pub(super) fn conduct_to_bytes(conduct: &Conduct, monitor: i64) -> Result<Vec<u8>, Error> {
    seal(conduct, [monitor, 0])
}

/// What these bytes tell of one group of a monitor as a whole.
pub(super) fn conduct_from_bytes(bytes: &[u8], monitor: i64) -> Result<Conduct, Error> {
    unseal(bytes, [monitor, 0])
}

/// The changes of one sample; times count from `base`.
pub(super) fn changes_to_bytes(changes: &[TopicChanges], base: Millis) -> Result<Vec<u8>, Error> {
    let steps: Vec<(i64, Vec<Step>)> = changes
        .iter()
        .map(|(topic, changes)| (*topic, changes.iter().map(|(partition, c)| step(*partition, c, base)).collect()))
        .collect();
    seal(&steps, [base, 0])
}

/// The changes that these bytes tell.
pub(super) fn changes_from_bytes(bytes: &[u8], base: Millis) -> Result<Vec<TopicChanges>, Error> {
    let steps: Vec<(i64, Vec<Step>)> = unseal(bytes, [base, 0])?;
    let changes = |steps: Vec<Step>| steps.into_iter().map(|step| (step.partition, change(step, base))).collect();
    Ok(steps.into_iter().map(|(topic, steps)| (topic, changes(steps))).collect())
}

fn step(partition: Partition, change: &Change, base: Millis) -> Step {
    let base = Run { first: base, last: base, offset: 0 };
    let newest_from = change.before.unwrap_or(base);
    let offset = change.newest.map_or(0, |run| run.offset);
    let mut before = Fact { from: base.first, at: base.first, offset };
    let learnt = change.learnt.iter().map(|fact| fact_difference(*fact, std::mem::replace(&mut before, *fact)));
    Step {
        partition,
        before: change.before.map(|run| run_difference(run, base)),
        newest: change.newest.map(|run| run_difference(run, newest_from)),
        learnt: learnt.collect(),
        rest: Rest {
            silence: change.silence.map(|pair| relative(pair, base.first)),
            ahead: change.ahead.map(|fact| fact_difference(fact, fact_at(base.first))),
            slack: change.slack.map(|(amount, seen)| (amount, seen.wrapping_sub(base.first))),
            backfilled: change.backfilled,
            current: change.current,
        },
    }
}

fn change(step: Step, base: Millis) -> Change {
    let base = Run { first: base, last: base, offset: 0 };
    let before = step.before.map(|run| run_after(run, base));
    let newest = step.newest.map(|run| run_after(run, before.unwrap_or(base)));
    let mut fact_before = Fact { from: base.first, at: base.first, offset: newest.map_or(0, |run| run.offset) };
    let learnt = step.learnt.into_iter().map(|fact| {
        fact_before = fact_after(fact, fact_before);
        fact_before
    });
    Change {
        learnt: learnt.collect(),
        before,
        newest,
        silence: step.rest.silence.map(|pair| absolute(pair, base.first)),
        ahead: step.rest.ahead.map(|fact| fact_after(fact, fact_at(base.first))),
        slack: step.rest.slack.map(|(amount, seen)| (amount, seen.wrapping_add(base.first))),
        backfilled: step.rest.backfilled,
        current: step.rest.current,
    }
}

/// Bytes with a checksum of themselves and of the row they belong to, for SQLite does not look into them.
fn seal<T: Serialize>(value: &T, row: [i64; 2]) -> Result<Vec<u8>, Error> {
    Ok(postcard::to_stdvec_crc32(value, checksum(row))?)
}

fn unseal<'a, T: Deserialize<'a>>(bytes: &'a [u8], row: [i64; 2]) -> Result<T, Error> {
    Ok(postcard::from_bytes_crc32(bytes, checksum(row))?)
}

fn checksum(row: [i64; 2]) -> crc::Digest<'static, u32> {
    let mut checksum = CHECKSUM.digest();
    row.iter().for_each(|number| checksum.update(&number.to_le_bytes()));
    checksum
}

static CHECKSUM: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_32_ISCSI);

const ORIGIN: Run = Run { first: 0, last: 0, offset: 0 };

fn run_difference(run: Run, before: Run) -> Triple {
    (run.first.wrapping_sub(before.first), run.last.wrapping_sub(run.first), run.offset.wrapping_sub(before.offset))
}

fn run_after((first, length, offset): Triple, before: Run) -> Run {
    let first = before.first.wrapping_add(first);
    Run { first, last: first.wrapping_add(length), offset: before.offset.wrapping_add(offset) }
}

fn fact_difference(fact: Fact, before: Fact) -> Triple {
    (fact.at.wrapping_sub(fact.from), fact.at.wrapping_sub(before.at), fact.offset.wrapping_sub(before.offset))
}

fn fact_after((width, at, offset): Triple, before: Fact) -> Fact {
    let at = before.at.wrapping_add(at);
    Fact { from: at.wrapping_sub(width), at, offset: before.offset.wrapping_add(offset) }
}

fn fact_at(time: Millis) -> Fact {
    Fact { from: time, at: time, offset: 0 }
}

fn relative((time, offset): (Millis, Offset), base: Millis) -> (Millis, Offset) {
    (time.wrapping_sub(base), offset)
}

fn absolute((time, offset): (Millis, Offset), base: Millis) -> (Millis, Offset) {
    (time.wrapping_add(base), offset)
}

/// Samples, each with a key that rises: the row of a group on a topic within those of one time, or the time within
/// those of one row. `of` is the time or the row.
pub(super) fn samples_to_bytes(samples: &[(i64, Sample)], of: i64) -> Result<Vec<u8>, Error> {
    let mut numbers = Vec::with_capacity(samples.len() * 4);
    let mut before = 0;
    for (key, sample) in samples {
        numbers.push(key.wrapping_sub(std::mem::replace(&mut before, *key)));
        let figures = [sample.lag, sample.bound, sample.records];
        let zero = figures == [Some(0); 3];
        let known = figures.iter().enumerate().map(|(bit, figure)| i64::from(figure.is_some()) << bit).sum::<i64>();
        numbers.push(if zero { ZERO } else { known } | state_code(sample.state) << 4);
        numbers.extend(figures.into_iter().flatten().filter(|_| !zero));
    }
    seal(&numbers, [of, 0])
}

/// The samples that these bytes tell, with their keys; the time of each is left to the caller.
pub(super) fn samples_from_bytes(bytes: &[u8], of: i64) -> Result<Vec<(i64, Sample)>, Error> {
    let mut numbers = unseal::<Vec<i64>>(bytes, [of, 0])?.into_iter();
    let mut samples = Vec::new();
    let mut key = 0_i64;
    while let (Some(step), Some(flags)) = (numbers.next(), numbers.next()) {
        key = key.wrapping_add(step);
        let mut figure = |bit: i64| match flags {
            zero if zero & ZERO != 0 => Some(0),
            known if known & bit != 0 => numbers.next(),
            _ => None,
        };
        let (lag, bound, records) = (figure(1), figure(2), figure(4));
        samples.push((key, Sample { time: key, lag, bound, records, state: state(flags >> 4) }));
    }
    Ok(samples)
}

/// Marks the most frequent sample of all, that of a group that has read everything, in one bit.
const ZERO: i64 = 8;

/// The number that stands for a state in the database.
pub(super) fn state_code(state: Option<State>) -> i64 {
    match state {
        None => 0,
        Some(State::Online) => 1,
        Some(State::Recovering) => 2,
        Some(State::Offline) => 3,
    }
}

/// The state that a number in the database stands for.
pub(super) fn state(code: i64) -> Option<State> {
    match code {
        1 => Some(State::Online),
        2 => Some(State::Recovering),
        3 => Some(State::Offline),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Bytes under a checksum that holds, as those have that an older version or a mistake has written.
    fn sealed(bytes: &[u8], row: [i64; 2]) -> Vec<u8> {
        let mut checksum = checksum(row);
        checksum.update(bytes);
        [bytes, &checksum.finalize().to_le_bytes()].concat()
    }

    proptest! {
        #[test]
        fn any_bytes_are_rows_or_damage(bytes in prop::collection::vec(any::<u8>(), 0..200), row in any::<i64>()) {
            let (pair, one) = (sealed(&bytes, [row, 3]), sealed(&bytes, [row, 0]));
            if let Ok(history) = history_from_bytes(&pair, row, 3) {
                prop_assert!(history_to_bytes(&history, row, 3).is_ok());
            }
            let read = [
                history_from_bytes(&bytes, row, 3).map(drop),
                history_from_bytes(&pair, row, 3).map(drop),
                changes_from_bytes(&one, row).map(drop),
                samples_from_bytes(&one, row).map(drop),
                conduct_from_bytes(&one, row).map(drop),
            ];
            for error in read.into_iter().filter_map(Result::err) {
                prop_assert_eq!(error.reason(), "StorageDamaged");
            }
        }

        #[test]
        fn samples_are_read_back(samples in prop::collection::vec(any::<(i64, Option<i64>, Option<i64>, Option<i64>, u8)>(), 0..20)) {
            let sample = |&(key, lag, bound, records, code): &_| {
                (key, Sample { time: key, lag, bound, records, state: state(i64::from(code % 4)) })
            };
            let samples: Vec<_> = samples.iter().map(sample).collect();
            prop_assert_eq!(samples_from_bytes(&samples_to_bytes(&samples, 7)?, 7)?, samples);
        }
    }
}
