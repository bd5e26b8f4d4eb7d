//! What is known of one partition's log over time: sampled log ends, and answers to questions by time.
//!
//! The two stand on different clocks and are never mixed: a run is what we saw ourselves, a fact is what record
//! timestamps say. How an age follows from them is left to `bracket`; which times to ask is left to `refine`.

use super::observation::Reading;
use super::packed::{Packed, Row};
use super::{Millis, Offset};

/// One day, over which a seen disorder of timestamps fades.
const DAY: Millis = 86_400_000;

/// The earliest timestamp that can be one, in March 1973. Earlier ones count seconds, or nothing.
const DATED: Millis = 100_000_000_000;

/// How long records take from their producer into the log at most, before it was seen how long.
const TRANSIT: Millis = 1_000;

/// Facts of one sample above which a history is stored anew rather than by what was learnt.
const LEARNT: usize = 64;

/// The log ended at `offset` from before `first` until after `last`.
///
/// `first` is the reply of the first request that saw it, `last` the send of the last one; a run seen once has
/// `last < first`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Reply of the first request that saw this end.
    pub first: Millis,
    /// Send of the last request that saw this end.
    pub last: Millis,
    /// The high watermark.
    pub offset: Offset,
}

/// An answer by time: record `offset` has timestamp `at`, and every surviving record below it one before `from`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fact {
    /// The earliest time that led to this record; never after `at`.
    pub from: Millis,
    /// The record's timestamp.
    pub at: Millis,
    /// The record's offset.
    pub offset: Offset,
}

impl Fact {
    /// Whether the timestamp can be one.
    pub fn is_dated(self) -> bool {
        self.at >= DATED
    }
}

impl Row for Run {
    fn numbers(self) -> [i64; 3] {
        [self.first, self.last, self.offset]
    }

    fn of([first, last, offset]: [i64; 3]) -> Self {
        Self { first, last, offset }
    }
}

impl Row for Fact {
    fn numbers(self) -> [i64; 3] {
        [self.from, self.at, self.offset]
    }

    fn of([from, at, offset]: [i64; 3]) -> Self {
        Self { from, at, offset }
    }
}

/// What became of a log end that was offered to a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// The end is where it was.
    Same,
    /// The log grew.
    Grown,
    /// The end fell once; the history waits for a second sight before it believes it.
    Fallen,
    /// The end fell twice: rows above it are gone.
    Truncated,
}

/// The history of one partition incarnation, in rising offsets.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// Sampled log ends.
    pub runs: Packed<Run>,
    /// Answers by time.
    pub facts: Packed<Fact>,
    /// Every record below this offset is older than this time: the latest question that found no record.
    pub silence: Option<(Millis, Offset)>,
    /// The first record from the future, until its time has come.
    pub ahead: Option<Fact>,
    /// Whether an answer has skipped records that were sampled: compaction took them. Not stored; it is seen again.
    pub compacted: bool,
    /// Whether the ladder of past times was asked.
    pub backfilled: bool,
    /// Whether anything has changed since it was last stored, besides the `last` of a newest run that is `current`.
    pub unsaved: bool,
    /// Whether more has changed since then than the newest run and what was `learnt`.
    pub rewritten: bool,
    /// Facts since it was last stored, in the order of their answers.
    pub learnt: Vec<Fact>,
    /// Whether the last sample saw the newest run.
    pub current: bool,
    /// How far a timestamp was seen out of order, and when.
    pub slack: Option<(Millis, Millis)>,
    fallen: Option<Offset>,
}

impl History {
    /// The newest sampled log end.
    pub fn end(&self) -> Option<Offset> {
        self.runs.last().map(|run| run.offset)
    }

    /// Takes in a sampled high watermark.
    ///
    /// `spacing` is the least time between two rows: a newest row that is nearer to the one before it is replaced,
    /// unless it is the end of an idle stretch.
    pub fn observe(&mut self, reading: Reading, spacing: Millis) -> Seen {
        let fresh = Run { first: reading.replied, last: reading.sent, offset: reading.offset };
        self.rewritten |= self.unsaved;
        self.pull_back(reading);
        if let Some(fact) = self.ahead.take_if(|fact| fact.at <= reading.sent) {
            self.insert(fact);
            self.note_disorder(fact.offset, fact.at, reading.replied);
            self.rewritten = true;
        }
        let Some(newest) = self.runs.last() else {
            self.rewritten = true;
            return self.push(fresh, Seen::Grown);
        };
        if reading.offset == newest.offset {
            self.fallen = None;
            self.unsaved |= !self.current;
            self.current = true;
            self.runs.change_last(|run| Run { last: run.last.max(reading.sent), ..run });
            return Seen::Same;
        }
        if reading.offset < newest.offset {
            let Some(once) = self.fallen.replace(reading.offset) else {
                self.miss();
                return Seen::Fallen;
            };
            let lowest = once.min(reading.offset);
            self.rewritten = true;
            self.runs.retain(|run| run.offset <= lowest && run.offset < reading.offset);
            self.facts.retain(|fact| fact.offset < lowest);
            self.silence = None;
            self.ahead = self.ahead.filter(|fact| fact.offset < reading.offset);
            return self.push(fresh, Seen::Truncated);
        }
        let idle = newest.last > newest.first;
        let previous = self.runs.len().checked_sub(2).and_then(|i| self.runs.get(i));
        if !idle && previous.is_some_and(|run| newest.first - run.first < spacing) {
            self.runs.pop();
        }
        self.push(fresh, Seen::Grown)
    }

    /// Takes note that the log starts at `start` now: a record from the future below it is no longer in the way.
    pub fn starts_at(&mut self, start: Offset) {
        if self.ahead.take_if(|fact| fact.offset < start).is_some() {
            (self.unsaved, self.rewritten) = (true, true);
        }
    }

    /// Takes note that the clock was set, forward or back, and shows `now`.
    ///
    /// Whether it had been wrong until then, or had stood still with the machine, is not known: each row is where it was,
    /// or by as much later, or earlier.
    pub fn clock_set(&mut self, by: Millis, now: Millis) {
        // Rows in the future are pulled back by the next sight, which goes further.
        let future = self.runs.last().is_some_and(|run| run.first.max(run.last) > now);
        if !future {
            let first = |run: Run| run.first.max((run.first + by).min(now));
            self.runs.change(|run| Run { first: first(run), last: run.last + by.min(0), ..run });
        }
        (self.unsaved, self.rewritten) = (true, true);
    }

    /// Takes note that the last sample did not see this partition's end.
    pub fn miss(&mut self) {
        self.unsaved |= self.current;
        self.current = false;
    }

    /// Takes in an answer by time: the first record at or after `time` is `found`, or there is none.
    ///
    /// `replied` tells timestamps from the future, `end` is the log end that was seen before the question was sent.
    pub fn learn(&mut self, time: Millis, found: Option<(Offset, Millis)>, replied: Millis, end: Offset) {
        self.unsaved = true;
        // The ladder ends with the beginning of time.
        self.backfilled |= time <= 0;
        let Some((offset, at)) = found else {
            match self.silence {
                Some((asked, below)) if below == end && asked <= time => {}
                _ => self.silence = Some((time, end)),
            }
            return;
        };
        if at > replied {
            let from = self.ahead.filter(|a| a.offset == offset).map_or(time, |a| a.from.min(time));
            self.ahead = Some(Fact { from, at, offset });
            return;
        }
        // A question leads past it only when it is gone.
        self.rewritten |= self.ahead.take_if(|ahead| time <= ahead.at && ahead.offset < offset).is_some();
        let fact = Fact { from: time.min(at), at, offset };
        if fact.is_dated() {
            self.note_disorder(offset, at, replied);
        }
        self.note_gap(time, offset, replied);
        self.insert(fact);
        self.rewritten |= self.learnt.len() >= LEARNT;
        if self.rewritten {
            self.learnt.clear();
        } else {
            self.learnt.push(fact);
        }
    }

    /// Takes in the record with the largest timestamp, as a broker told it that understands this question: no question from
    /// after it finds any, or it is one from the future. It is not known where the beginning of time, asked later, led to a
    /// record behind it.
    pub fn learn_newest(&mut self, found: Option<(Offset, Millis)>, replied: Millis, end: Offset) {
        let first = self.first();
        match found.filter(|(offset, _)| first.is_some_and(|first| first <= *offset)) {
            Some((_, at)) if at < replied => self.learn(at + 1, None, replied, end),
            Some((offset, at)) if self.ahead.is_none() => self.learn(at, Some((offset, at)), replied, end),
            _ => {}
        }
    }

    /// Whether the record found stands behind the one to which the beginning of time, asked later, led. What a broker answers
    /// that does not know the question for the newest record never does: it is the first one.
    pub fn is_behind_first(&self, found: Option<(Offset, Millis)>) -> bool {
        found.zip(self.first()).is_some_and(|((offset, _), first)| first < offset)
    }

    /// The record to which the beginning of time led.
    fn first(&self) -> Option<Offset> {
        self.facts.first().filter(|fact| fact.from <= 0).map(|fact| fact.offset)
    }

    /// Puts a fact in its place, over those that it outdates.
    pub(super) fn insert(&mut self, fact: Fact) {
        let index = self.facts.partition_point(|known| known.offset < fact.offset);
        let fact = match self.facts.get(index).filter(|known| known.offset == fact.offset) {
            Some(known) => {
                let from = if known.at == fact.at { known.from.min(fact.from) } else { fact.from };
                self.facts.set(index, Fact { from, ..fact });
                Fact { from, ..fact }
            }
            None => {
                self.facts.insert(index, fact);
                fact
            }
        };
        self.drop_contradictions(fact);
    }

    /// How far timestamps were seen to lie from the time at which their records entered the log, fading over a day.
    pub fn slack(&self, now: Millis) -> Millis {
        self.slack.map_or(0, |(amount, seen)| {
            let left = (DAY - (now - seen)).clamp(0, DAY);
            (i128::from(amount) * i128::from(left) / i128::from(DAY)) as Millis
        })
    }

    /// How far a record's timestamp may lie before its entry into the log: what is usual, or twice what was seen.
    pub fn transit(&self, now: Millis) -> Millis {
        TRANSIT.max(2 * self.slack(now))
    }

    /// The last run that ended at or before `offset`, and the first that ended after it.
    pub fn runs_around(&self, offset: Offset) -> (Option<Run>, Option<Run>) {
        let above = self.runs.partition_point(|run| run.offset <= offset);
        (above.checked_sub(1).and_then(|i| self.runs.get(i)), self.runs.get(above))
    }

    /// The last fact at or before `offset`, and the first after it.
    pub fn facts_around(&self, offset: Offset) -> (Option<Fact>, Option<Fact>) {
        let above = self.facts.partition_point(|fact| fact.offset <= offset);
        (above.checked_sub(1).and_then(|i| self.facts.get(i)), self.facts.get(above))
    }

    fn push(&mut self, run: Run, seen: Seen) -> Seen {
        self.runs.push(run);
        self.fallen = None;
        self.unsaved = true;
        self.current = true;
        seen
    }

    /// A clock that went back must not leave rows in the future. Since when it had been wrong is not known: each row is
    /// where it was, or earlier by what the clock went back. That is what can be seen of it, and the time between the
    /// two samples, which is taken to be no longer.
    fn pull_back(&mut self, reading: Reading) {
        let newest = self.runs.last().map_or(Millis::MIN, |run| run.first.max(run.last));
        if newest > reading.replied {
            let back = 2 * (newest - reading.replied);
            self.runs.change(|run| Run {
                first: run.first.min(reading.replied),
                last: run.last.min(run.first).min(reading.sent) - back,
                ..run
            });
            self.rewritten = true;
        }
        let known = self.facts.len();
        self.facts.retain(|fact| fact.at <= reading.replied);
        if self.facts.len() < known {
            self.silence = None;
            self.rewritten = true;
        }
        self.unsaved |= self.rewritten;
    }

    /// A record that entered after `last` with an older timestamp is late; one that was there at `first` with a
    /// younger timestamp is ahead.
    fn note_disorder(&mut self, offset: Offset, at: Millis, now: Millis) {
        let (below, above) = self.runs_around(offset);
        let late = below.map_or(0, |run| run.last - at);
        let ahead = above.map_or(0, |run| at - run.first);
        let amount = late.max(ahead);
        if amount > self.slack(now) {
            self.slack = Some((amount, now));
        }
    }

    /// Records between two runs entered after the lower one. Where a question from well before leads past all of them,
    /// none is left.
    fn note_gap(&mut self, time: Millis, offset: Offset, now: Millis) {
        let entered = time.saturating_add(self.transit(now));
        let below = self.runs.partition_point(|run| run.last < entered);
        self.compacted |= self.runs.get(below + 1).is_some_and(|above| above.offset <= offset);
    }

    /// Offsets and timestamps of answers rise together; a neighbour that disagrees with the newest answer is outdated.
    fn drop_contradictions(&mut self, fact: Fact) {
        self.facts.retain(|other| match other.offset.cmp(&fact.offset) {
            std::cmp::Ordering::Less => other.at < fact.from,
            std::cmp::Ordering::Equal => true,
            std::cmp::Ordering::Greater => other.from > fact.at,
        });
    }
}
