//! What is known of one partition's log over time: sampled log ends, and answers to questions by time.
//!
//! The two stand on different clocks and are never mixed: a run is what we saw ourselves, a fact is what record
//! timestamps say. How an age follows from them is left to `bracket`; which times to ask is left to `refine`.

use super::observation::Reading;
use super::{Millis, Offset};

/// One day, over which a seen disorder of timestamps fades.
const DAY: Millis = 86_400_000;

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
    pub runs: Vec<Run>,
    /// Answers by time.
    pub facts: Vec<Fact>,
    /// Every record below this offset is older than this time: the latest question that found no record.
    pub silence: Option<(Millis, Offset)>,
    /// The first record from the future, until its time has come.
    pub ahead: Option<Fact>,
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
        let Some(&newest) = self.runs.last() else {
            self.rewritten = true;
            return self.push(fresh, Seen::Grown);
        };
        if reading.offset == newest.offset {
            self.fallen = None;
            self.unsaved |= !self.current;
            self.current = true;
            if let Some(run) = self.runs.last_mut() {
                run.last = run.last.max(reading.sent);
            }
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
        self.backfilled = true;
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
        self.note_disorder(offset, at, replied);
        let fact = Fact { from: time.min(at), at, offset };
        self.insert(fact);
        self.rewritten |= self.learnt.len() >= LEARNT;
        if self.rewritten {
            self.learnt.clear();
        } else {
            self.learnt.push(fact);
        }
    }

    /// Puts a fact in its place, over those that it outdates.
    pub(super) fn insert(&mut self, fact: Fact) {
        let index = self.facts.partition_point(|known| known.offset < fact.offset);
        match self.facts.get_mut(index) {
            Some(known) if known.offset == fact.offset && known.at == fact.at => known.from = known.from.min(fact.from),
            Some(known) if known.offset == fact.offset => *known = fact,
            _ => self.facts.insert(index, fact),
        }
        self.drop_contradictions(index);
    }

    /// How far timestamps were seen to lie from the time at which their records entered the log, fading over a day.
    pub fn slack(&self, now: Millis) -> Millis {
        self.slack.map_or(0, |(amount, seen)| {
            let left = (DAY - (now - seen)).clamp(0, DAY);
            (i128::from(amount) * i128::from(left) / i128::from(DAY)) as Millis
        })
    }

    /// The last run that ended at or before `offset`, and the first that ended after it.
    pub fn runs_around(&self, offset: Offset) -> (Option<Run>, Option<Run>) {
        let above = self.runs.partition_point(|run| run.offset <= offset);
        (above.checked_sub(1).and_then(|i| self.runs.get(i)).copied(), self.runs.get(above).copied())
    }

    /// The last fact at or before `offset`, and the first after it.
    pub fn facts_around(&self, offset: Offset) -> (Option<Fact>, Option<Fact>) {
        let above = self.facts.partition_point(|fact| fact.offset <= offset);
        (above.checked_sub(1).and_then(|i| self.facts.get(i)).copied(), self.facts.get(above).copied())
    }

    fn push(&mut self, run: Run, seen: Seen) -> Seen {
        self.runs.push(run);
        self.fallen = None;
        self.unsaved = true;
        self.current = true;
        seen
    }

    /// A clock that went back must not leave rows in the future.
    fn pull_back(&mut self, reading: Reading) {
        for run in self.runs.iter_mut().rev() {
            if run.first <= reading.replied && run.last <= reading.sent {
                break;
            }
            run.first = run.first.min(reading.replied);
            run.last = run.last.min(reading.sent);
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

    /// Offsets and timestamps of answers rise together; a neighbour that disagrees with the newest answer is outdated.
    fn drop_contradictions(&mut self, index: usize) {
        let fact = self.facts[index];
        let mut position = 0;
        self.facts.retain(|other| {
            let keep = match position.cmp(&index) {
                std::cmp::Ordering::Less => other.at < fact.from,
                std::cmp::Ordering::Equal => true,
                std::cmp::Ordering::Greater => other.from > fact.at,
            };
            position += 1;
            keep
        });
    }
}
