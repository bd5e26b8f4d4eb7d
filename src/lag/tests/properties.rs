//! What must hold for every log, whatever its traffic: bounds, order, and the number of rows.
//!
//! A random log is sampled through requests that take time, and a broker answers by time from its timestamps.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::lag::bracket::{Estimate, Question, estimate};
use crate::lag::history::{History, Run};
use crate::lag::observation::Reading;
use crate::lag::refine::times::{ladder, times, worth};
use crate::lag::report::{Clock, Method};
use crate::lag::thin::thin;
use crate::lag::{Millis, Offset};

pub(super) const PRECISION: Millis = 1_000;
const BEGINNING: Millis = 1_700_000_000_000;

/// A log: when each record entered, and the timestamp it carries.
#[derive(Debug, Clone)]
pub(super) struct Log {
    pub(super) records: Vec<(Millis, Millis)>,
}

impl Log {
    /// Records that enter `gaps` after one another, each `transit` after its timestamp.
    pub(super) fn new(gaps: &[Millis], transits: &[Millis]) -> Self {
        let mut at = BEGINNING;
        let mut stamp = 0;
        let records = gaps.iter().zip(transits.iter().cycle()).map(|(gap, transit)| {
            at += gap;
            stamp = stamp.max(at - transit);
            (at, stamp)
        });
        Self { records: records.collect() }
    }

    pub(super) fn end(&self, time: Millis) -> Offset {
        self.records.partition_point(|(at, _)| *at <= time) as Offset
    }

    fn at_or_after(&self, time: Millis, end: Offset) -> Option<(Offset, Millis)> {
        let found = self.records.iter().take(end as usize).position(|(_, stamp)| *stamp >= time)?;
        Some((found as Offset, self.records[found].1))
    }

    pub(super) fn last(&self) -> Millis {
        self.records.last().map_or(BEGINNING, |(at, _)| *at)
    }

    /// Samples from `start` to the end and past it; a request is on its way for `way` before and after.
    fn sample(&self, start: Millis, interval: Millis, ways: &[Millis]) -> (History, Millis) {
        let mut history = History::default();
        let mut now = start;
        let interval = interval.max((self.last() - start) / 2_000);
        for way in ways.iter().cycle() {
            let reading = Reading { offset: self.end(now), sent: now - way, replied: now + way };
            history.observe(reading, 0);
            now += interval.max(2 * way + 1);
            if now > self.last() + 2 * interval {
                break;
            }
        }
        (history, now)
    }

    /// One sample, five seconds after the last record, and one of the commits to ask about.
    fn first_sample(&self, pick: prop::sample::Index) -> (History, Question) {
        let now = self.last() + 5_000;
        let mut history = History::default();
        history.observe(Reading { offset: self.end(now), sent: now, replied: now }, 0);
        let committed = pick.index(self.records.len()) as Offset;
        let question = self.question(&history, committed, now).unwrap();
        (history, question)
    }

    fn question(&self, history: &History, committed: Offset, now: Millis) -> Option<Question> {
        let end = history.end()?;
        (committed < end).then_some(Question { committed, end, seen: now, now })
    }

    /// Asks as `Refinement` does, for one commit, until nothing is left to learn.
    fn refined(&self, history: &mut History, question: Question) -> Estimate {
        for _ in 0..200 {
            let known = estimate(history, question, PRECISION);
            let asked = match times(history, question, PRECISION) {
                None if !history.backfilled => {
                    history.backfilled = true;
                    ladder(question.now).collect()
                }
                Some(times) if worth(&known, PRECISION) => times,
                _ => return known,
            };
            if asked.is_empty() {
                return known;
            }
            for time in asked {
                let found = self.at_or_after(time, question.end);
                history.learn(time, found, question.now, question.end);
            }
        }
        panic!("the search does not end");
    }
}

pub(super) fn gaps() -> impl Strategy<Value = Vec<Millis>> {
    let gap = prop_oneof![0..5_i64, 0..2_000_i64, 10_000..600_000_i64, Just(86_400_000_i64)];
    vec(gap, 1..80)
}

fn error(estimate: &Estimate, now: Millis, truth: Millis) -> Millis {
    (estimate.lag.expect("a number") - (now - truth)).abs()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn append_bounds_always_hold(gaps in gaps(), ways in vec(0..400_i64, 1..5), interval in 1_000..120_000_i64) {
        let log = Log::new(&gaps, &[0]);
        let (history, now) = log.sample(BEGINNING - 1_000_000, interval, &ways);
        for committed in 0..log.records.len() as Offset {
            let Some(question) = log.question(&history, committed, now) else { continue };
            let found = estimate(&history, question, 0);
            prop_assert_eq!(found.clock, Some(Clock::Append));
            let off = error(&found, now, log.records[committed as usize].0);
            prop_assert!(off <= found.bound.unwrap(), "{} off by {}: {:?}", committed, off, found);
        }
    }

    #[test]
    fn append_bounds_hold_after_the_clock_was_set_back(
        gaps in gaps(), ways in vec(0..400_i64, 1..5), interval in 1_000..120_000_i64,
        wrong in 120_000..7_200_000_i64, from in 0.0..1.0,
    ) {
        let log = Log::new(&gaps, &[0]);
        let (right, now) = log.sample(BEGINNING - 1_000_000, interval, &ways);
        let first = (right.runs.len() as f64 * from) as usize;
        let mut history = History::default();
        for (index, run) in right.runs.iter().enumerate() {
            let ahead = if index >= first { wrong } else { 0 };
            history.runs.push(Run { first: run.first + ahead, last: run.last + ahead, offset: run.offset });
        }
        // The interval is the longer one of the two where the log is long.
        let elapsed = right.runs.last().map_or(0, |run| now + 60_000 - run.last);
        prop_assume!(elapsed < wrong / 2);
        let now = now + 60_000;
        history.observe(Reading { offset: log.end(now), sent: now - 5, replied: now + 5 }, 0);
        for committed in 0..log.records.len() as Offset {
            let Some(question) = log.question(&history, committed, now + 5) else { continue };
            let found = estimate(&history, question, 0);
            let off = error(&found, question.now, log.records[committed as usize].0);
            prop_assert!(off <= found.bound.unwrap(), "{} off by {}: {:?}", committed, off, found);
        }
    }

    #[test]
    fn append_bounds_hold_after_the_clock_was_set_forward(
        gaps in gaps(), ways in vec(0..400_i64, 1..5), interval in 1_000..120_000_i64,
        by in 3_000..7_200_000_i64, was_behind in any::<bool>(),
    ) {
        let log = Log::new(&gaps, &[0]);
        let (mut history, now) = log.sample(BEGINNING - 1_000_000, interval, &ways);
        let behind = if was_behind { by } else { 0 };
        history.runs.change(|run| Run { first: run.first - behind, last: run.last - behind, ..run });
        history.clock_set(by, now);
        history.observe(Reading { offset: log.end(now), sent: now - 5, replied: now + 5 }, 0);
        for committed in 0..log.records.len() as Offset {
            let Some(question) = log.question(&history, committed, now + 5) else { continue };
            let found = estimate(&history, question, 0);
            let off = error(&found, question.now, log.records[committed as usize].0);
            prop_assert!(off <= found.bound.unwrap(), "{} off by {}: {:?}", committed, off, found);
        }
    }

    #[test]
    fn ages_are_never_negative_and_fall_with_the_offset(gaps in gaps(), interval in 1_000..120_000_i64) {
        let log = Log::new(&gaps, &[0]);
        let (history, now) = log.sample(BEGINNING - 1_000_000, interval, &[5]);
        let mut before = Millis::MAX;
        for committed in 0..log.records.len() as Offset {
            let Some(question) = log.question(&history, committed, now) else { continue };
            let lag = estimate(&history, question, 0).lag.unwrap();
            prop_assert!((0..=before).contains(&lag));
            before = lag;
        }
    }

    #[test]
    fn the_first_sample_is_exact_for_timestamps_in_order(gaps in gaps(), pick in any::<prop::sample::Index>()) {
        let log = Log::new(&gaps, &[0]);
        let (mut history, question) = log.first_sample(pick);
        let found = log.refined(&mut history, question);
        let off = error(&found, question.now, log.records[question.committed as usize].1);
        prop_assert!(found.bound.is_some_and(|bound| off <= bound), "off by {}: {:?}", off, found);
        prop_assert!(off <= PRECISION.max(found.lag.unwrap() / 100), "off by {}: {:?}", off, found);
    }

    #[test]
    fn producer_bounds_hold_for_timestamps_in_order(
        gaps in gaps(), transits in vec(0..900_i64, 1..6), interval in 1_000..120_000_i64,
        ways in vec(0..200_i64, 1..5), pick in any::<prop::sample::Index>(),
    ) {
        let log = Log::new(&gaps, &transits);
        let (mut history, now) = log.sample(BEGINNING - 1_000_000, interval, &ways);
        let committed = pick.index(log.records.len()) as Offset;
        let question = log.question(&history, committed, now).unwrap();
        let found = log.refined(&mut history, question);
        let (entered, stamp) = log.records[committed as usize];
        let truth = if found.clock == Some(Clock::Producer) { stamp } else { entered };
        let off = error(&found, now, truth);
        prop_assert!(found.bound.is_some_and(|bound| off <= bound), "off by {}: {:?}", off, found);
    }

    #[test]
    fn a_disordered_producer_is_inside_the_bound_or_named(
        gaps in gaps(), stamps in vec((0..80_usize, -600_000..86_400_000_i64), 1..10),
        pick in any::<prop::sample::Index>(),
    ) {
        let mut log = Log::new(&gaps, &[0]);
        for (index, late) in stamps {
            let index = index % log.records.len();
            log.records[index].1 -= late;
        }
        let (mut history, question) = log.first_sample(pick);
        let found = log.refined(&mut history, question);
        let off = error(&found, question.now, log.records[question.committed as usize].1);
        let inside = found.bound.is_some_and(|bound| off <= bound);
        let named = found.hidden || history.ahead.is_some() || found.method == Method::AtLeast;
        prop_assert!(inside || named, "off by {}: {:?}", off, found);
    }

    #[test]
    fn a_disordered_producer_with_a_history_is_inside_the_bound_or_named(
        gaps in gaps(), stamps in vec((0..80_usize, -600_000..3_600_000_i64), 1..10),
        interval in 1_000..1_800_000_i64, pick in any::<prop::sample::Index>(),
    ) {
        let mut log = Log::new(&gaps, &[0]);
        for (index, late) in stamps {
            let index = index % log.records.len();
            log.records[index].1 -= late;
        }
        let (mut history, now) = log.sample(BEGINNING - 1_000_000, interval, &[20]);
        let committed = pick.index(log.records.len()) as Offset;
        let question = log.question(&history, committed, now).unwrap();
        let found = log.refined(&mut history, question);
        let (entered, stamp) = log.records[committed as usize];
        let truth = if found.clock == Some(Clock::Producer) { stamp } else { entered };
        let off = error(&found, now, truth);
        let inside = found.bound.is_some_and(|bound| off <= bound);
        prop_assert!(inside || found.hidden || history.ahead.is_some(), "off by {}: {:?}", off, found);
    }

    #[test]
    fn thinning_keeps_the_limit_the_ends_and_the_bounds(gaps in vec(1..90_000_i64, 60..400), rows in 20..80_usize) {
        let log = Log::new(&gaps, &[0]);
        let mut history = History::default();
        let mut now = BEGINNING - 1_000_000;
        while now < log.last() + 60_000 {
            history.observe(Reading { offset: log.end(now), sent: now, replied: now }, 0);
            let (first, newest) = (history.runs.first(), history.runs.last());
            if thin(&mut history, rows, now) {
                prop_assert!(history.runs.len() + history.facts.len() <= rows);
            }
            prop_assert!(history.runs.len() <= rows + rows / 8);
            prop_assert_eq!((history.runs.first(), history.runs.last()), (first, newest));
            now += 10_000;
        }
        for committed in 0..log.records.len() as Offset {
            let Some(question) = log.question(&history, committed, now) else { continue };
            let found = estimate(&history, question, 0);
            let off = error(&found, now, log.records[committed as usize].0);
            prop_assert!(off <= found.bound.unwrap(), "{} off by {}: {:?}", committed, off, found);
        }
    }
}

#[test]
fn thinning_keeps_the_end_of_an_idle_stretch() {
    let hour = 3_600_000;
    let mut history = History::default();
    for i in 0..200 {
        let (first, offset) = (i * hour, i * 1_000);
        history.runs.push(Run { first, last: first - 10, offset });
        history.runs.push(Run { first: first + 60_000, last: first + hour - 60_000, offset: offset + 900 });
    }
    thin(&mut history, 300, 200 * hour);
    let idle = history.runs.iter().filter(|run| run.last > run.first).count();
    assert_eq!(idle, 200, "of {} rows", history.runs.len());
}
