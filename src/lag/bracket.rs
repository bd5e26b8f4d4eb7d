//! From a committed offset to the age of the record that waits there: the tightest proven bracket and a value in it.
//!
//! The value interpolates between two known points of one clock, as the interpolation by look-up table of
//! kafka-lag-exporter does, with three differences: nothing is extrapolated, an idle stretch counts from its end, and
//! the bound says how wrong the value can be.

use super::history::{Fact, History, Run};
use super::report::{Clock, Method};
use super::{Millis, Offset};

/// What is asked: when did the first record at or after `committed` enter the log?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    /// The committed offset, or the log start where that is larger.
    pub committed: Offset,
    /// The log end to which lag is counted; larger than `committed`.
    pub end: Offset,
    /// Until when the log is known to have held `end`: the reply that told it.
    pub seen: Millis,
    /// Now.
    pub now: Millis,
}

/// The age of the oldest record that was not read, and how sure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// The age in milliseconds; never negative. A lower bound with `AtLeast`, absent with `NoCommit`.
    pub lag: Option<Millis>,
    /// How far the age may be off, either way.
    pub bound: Option<Millis>,
    /// How it was found.
    pub method: Method,
    /// The clock on which it stands.
    pub clock: Option<Clock>,
    /// Whether no further question by time can sharpen it: the record was found, or cannot be told apart.
    pub settled: bool,
    /// Whether no time leads to the record: equal timestamps, a gap, or records out of order.
    pub hidden: bool,
}

/// The times between which a question by time can still sharpen an age, with the offsets known there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Search {
    /// The latest time known to lead to a record at or before the committed offset.
    pub low: Millis,
    /// The offset at `low`.
    pub low_offset: Offset,
    /// The earliest time known to lead past the committed offset.
    pub high: Millis,
    /// The offset at `high`.
    pub high_offset: Offset,
}

/// How far below a sampled log end timestamps are looked for at least: records take a while from their producer into
/// the log, and this finds out how long.
const TRANSIT: Millis = 1_000;

/// Nothing is waiting.
pub const CAUGHT_UP: Estimate =
    Estimate { lag: Some(0), bound: Some(0), method: Method::CaughtUp, clock: None, settled: true, hidden: false };

/// No committed offset: no number, never 0.
pub const NO_COMMIT: Estimate =
    Estimate { lag: None, bound: None, method: Method::NoCommit, clock: None, settled: true, hidden: false };

/// How exact an age should be: `precision`, or one percent of the age where that is more.
pub fn wanted(precision: Millis, lag: Millis) -> Millis {
    precision.max(lag / 100)
}

/// The age of the record at the committed offset.
///
/// The append clock answers where its rows enclose the offset and are near enough together for `precision`;
/// otherwise record timestamps narrow its bracket, or stand in for it.
pub fn estimate(history: &History, question: Question, precision: Millis) -> Estimate {
    let runs = history.runs_around(question.committed);
    let append = enclosed(runs, question);
    if let Some(append) = append
        && append.bound.is_some_and(|bound| bound <= wanted(precision, append.lag.unwrap_or(0)))
    {
        return append;
    }
    let limits = Limits {
        low: runs.0.map_or(Millis::MIN, |run| run.last),
        high: runs.1.map_or(question.seen, |run| run.first).min(question.now),
        slack: history.slack(question.now),
        seen: history.slack.map_or(0, |(amount, _)| amount),
    };
    let producer = by_timestamps(history, question, limits);
    match (append, producer) {
        (Some(append), Some(producer)) if producer.bound <= append.bound => producer,
        (Some(append), _) => Estimate { settled: exhausted(history, question), ..append },
        (None, Some(producer)) => producer,
        (None, None) => at_least(history, question, limits.high),
    }
}

/// Where a question by time can still sharpen the age; `None` before the ladder was asked.
pub fn search(history: &History, question: Question) -> Option<Search> {
    let runs = history.runs_around(question.committed);
    let (below, above) = history.facts_around(question.committed);
    let mut search = Search {
        low: below.map_or(Millis::MIN, |fact| fact.at),
        low_offset: below.map_or(0, |fact| fact.offset),
        high: runs.1.map_or(question.seen, |run| run.first).min(question.now),
        high_offset: runs.1.map_or(question.end, |run| run.offset),
    };
    let reached = above.map(|fact| (fact.from, fact.offset));
    for (time, offset) in [reached, history.ahead.map(|a| (a.from, a.offset)), history.silence].into_iter().flatten() {
        if offset > question.committed && time < search.high {
            (search.high, search.high_offset) = (time, offset);
        }
    }
    if let Some(run) = runs.0 {
        let earliest = run.last - TRANSIT.max(2 * history.slack(question.now));
        if earliest > search.low {
            (search.low, search.low_offset) = (earliest.min(search.high), run.offset);
        }
    }
    (search.low > Millis::MIN).then_some(search)
}

#[derive(Debug, Clone, Copy)]
struct Limits {
    low: Millis,
    high: Millis,
    /// Disorder as it is added to bounds: faded.
    slack: Millis,
    /// Disorder as it was seen.
    seen: Millis,
}

impl Limits {
    fn hold(self, time: Millis) -> bool {
        self.low.saturating_sub(self.seen) <= time && time <= self.high.saturating_add(self.seen)
    }
}

/// Between two sampled log ends. Record `committed` came after the last request that saw the lower end.
fn enclosed((below, above): (Option<Run>, Option<Run>), question: Question) -> Option<Estimate> {
    let (below, above) = (below?, above?);
    let share = (question.committed - below.offset) as f64 + 0.5;
    let low = below.last.min(above.first);
    let time = low + ((above.first - low) as f64 * share / (above.offset - below.offset) as f64) as Millis;
    Some(found(question, time, (low, above.first), Method::Interpolated, Clock::Append))
}

/// By record timestamps, inside what the append clock allows.
fn by_timestamps(history: &History, question: Question, limits: Limits) -> Option<Estimate> {
    let (below, above) = history.facts_around(question.committed);
    if let Some(fact) = below.filter(|fact| fact.offset == question.committed) {
        return limits.hold(fact.at).then(|| record(question, fact, limits.slack));
    }
    if let (None, Some(first)) = (below, above)
        && first.from <= 0
    {
        return limits.hold(first.at).then(|| record(question, first, limits.slack));
    }
    let search = search(history, question)?;
    let blind = blind(history, question);
    let closed = search.high <= search.low + 1;
    let below = below.filter(|fact| limits.hold(fact.at));
    if below.is_none() && (closed || search.high >= limits.high) {
        return None;
    }
    let run = history.runs_around(question.committed).0;
    let (low, low_offset) = below.map(|f| (f.at, f.offset)).or(run.map(|run| (limits.low, run.offset)))?;
    let high = upper(history, question, above, limits);
    let reach = search.high.clamp(low, high.max(low));
    let share = (question.committed - low_offset) as f64 / (search.high_offset - low_offset).max(1) as f64;
    let time = if closed { low } else { low + ((reach - low) as f64 * share.clamp(0.0, 1.0)) as Millis };
    let estimate = found(question, time, (low, high), Method::Interpolated, Clock::Producer);
    let bound = estimate.bound.map(|bound| bound + limits.slack);
    Some(Estimate { bound, settled: closed || blind, hidden: closed || blind, ..estimate })
}

/// Whether questions by time have nothing left to tell.
fn exhausted(history: &History, question: Question) -> bool {
    let found = history.facts_around(question.committed).0.is_some_and(|fact| fact.offset == question.committed);
    let closed = search(history, question).is_some_and(|search| search.high <= search.low + 1);
    found || closed || blind(history, question)
}

/// Whether a record from the future stands before the committed offset: every later time leads to that one.
fn blind(history: &History, question: Question) -> bool {
    history.ahead.is_some_and(|ahead| ahead.offset <= question.committed)
}

/// A question by time led to the very record.
fn record(question: Question, fact: Fact, slack: Millis) -> Estimate {
    let estimate = found(question, fact.at, (fact.at, fact.at), Method::Record, Clock::Producer);
    Estimate { bound: Some(1 + slack), settled: true, ..estimate }
}

/// The proven upper end on the producer clock. The time asked for counts only where a record is known to survive
/// between the committed offset and the one found; otherwise the record found may be the very first survivor.
fn upper(history: &History, question: Question, above: Option<Fact>, limits: Limits) -> Millis {
    let survivor = history.runs_around(question.committed).1;
    let fact = above.map(|fact| match survivor {
        Some(run) if run.offset <= fact.offset => fact.from,
        _ => fact.at,
    });
    let silence = history.silence.filter(|(_, below)| *below > question.committed).map(|(time, _)| time);
    [fact, silence].into_iter().flatten().filter(|time| *time >= limits.low).fold(limits.high, Millis::min)
}

/// No row at or before the committed offset: all that is known is that the record is older than the oldest row.
fn at_least(history: &History, question: Question, high: Millis) -> Estimate {
    let oldest = history.facts_around(question.committed).1.map_or(high, |fact| fact.at.min(high));
    let lag = Some((question.now - oldest).max(0));
    Estimate { lag, bound: None, method: Method::AtLeast, clock: None, settled: false, hidden: false }
}

fn found(question: Question, time: Millis, (low, high): (Millis, Millis), method: Method, clock: Clock) -> Estimate {
    let time = time.clamp(low, high.max(low)).min(question.now);
    Estimate {
        lag: Some(question.now - time),
        bound: Some((time - low).max(high - time).max(0)),
        method,
        clock: Some(clock),
        settled: false,
        hidden: false,
    }
}
