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
    /// Whether compaction may have taken every record between the rows: it has taken others of this partition.
    pub unproven: bool,
}

/// The times between which a question by time can still sharpen an age, with the offsets known there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Search {
    /// The latest time known to lead to a record at or before the committed offset.
    pub low: Millis,
    /// How much later than `low` the log ended at `low_offset`; 0 where a record's own timestamp says so.
    pub margin: Millis,
    /// The offset at `low`.
    pub low_offset: Offset,
    /// The earliest time known to lead past the committed offset.
    pub high: Millis,
    /// The offset at `high`.
    pub high_offset: Offset,
}

/// Nothing is waiting.
pub const CAUGHT_UP: Estimate = Estimate {
    lag: Some(0),
    bound: Some(0),
    method: Method::CaughtUp,
    clock: None,
    settled: true,
    hidden: false,
    unproven: false,
};

/// No committed offset: no number, never 0.
pub const NO_COMMIT: Estimate = Estimate { lag: None, bound: None, method: Method::NoCommit, ..CAUGHT_UP };

/// How exact an age should be: `precision`, or one percent of the age where that is more.
pub fn wanted(precision: Millis, lag: Millis) -> Millis {
    precision.max(lag / 100)
}

/// The age of the record at the committed offset.
///
/// The append clock answers where its rows enclose the offset and are near enough together for `precision`;
/// otherwise record timestamps narrow its bracket, or stand in for it.
///
/// Where compaction took every record between the rows, the first survivor behind them counts; that there is none
/// before it is told by timestamps.
pub fn estimate(history: &History, question: Question, precision: Millis) -> Estimate {
    let runs = history.runs_around(question.committed);
    if let Some((survivor, doubt)) = beyond_gap(history, question, runs) {
        let found = between(history, Question { committed: survivor.offset, ..question }, precision);
        let slack = if found.clock == Some(Clock::Append) { history.slack(question.now) } else { 0 };
        let bound = found.bound.map(|bound| bound.max(doubt).saturating_add(slack));
        return Estimate { bound, clock: Some(Clock::Producer), settled: true, hidden: true, ..found };
    }
    let found = between(history, question, precision);
    let unproven = history.compacted && found.clock == Some(Clock::Append) && !survives(history, question, runs);
    if unproven { Estimate { bound: None, unproven, hidden: true, ..found } } else { found }
}

/// By the rows of either clock around the committed offset.
fn between(history: &History, question: Question, precision: Millis) -> Estimate {
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
        margin: 0,
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
        let earliest = run.last - history.transit(question.now);
        if earliest > search.low {
            (search.low, search.low_offset) = (earliest.min(search.high), run.offset);
            search.margin = run.last - earliest;
        }
    }
    (search.low > Millis::MIN).then_some(search)
}

/// Whether the records from the committed offset on have timestamps that cannot be any.
pub fn is_undated(history: &History, committed: Offset) -> bool {
    let (below, above) = history.facts_around(committed);
    below.or(above).is_some_and(|fact| !fact.is_dated())
}

/// A time that tells whether the record that an age stands on is still there; `None` before the ladder was asked.
///
/// Where no record is known yet, most likely one between the committed offset and the row above it.
pub fn check(history: &History, question: Question) -> Option<Millis> {
    let runs = history.runs_around(question.committed);
    let (below, above) = history.facts_around(question.committed);
    let found = below.filter(|fact| fact.offset == question.committed);
    if let Some(known) = found.or_else(|| above.filter(|_| is_proven(history, question))) {
        return Some(known.from);
    }
    let search = search(history, question)?;
    let value = enclosed(runs, question).and_then(|append| append.lag).map(|lag| question.now - lag);
    let between = value.map_or(search.low + 1, |value| value + (search.high - value) / 2);
    (search.high > search.low + 1).then(|| between.clamp(search.low + 1, search.high - 1))
}

/// Whether an answer shows that the age is that of a record which is there, or of the first one behind a gap.
pub fn is_proven(history: &History, question: Question) -> bool {
    let runs = history.runs_around(question.committed);
    survives(history, question, runs) || beyond_gap(history, question, runs).is_some()
}

/// Whether a record is known to be there between the committed offset and the row above it.
fn survives(history: &History, question: Question, (_, upper): (Option<Run>, Option<Run>)) -> bool {
    let (below, above) = history.facts_around(question.committed);
    let inside = above.zip(upper).is_some_and(|(fact, run)| fact.offset < run.offset);
    inside || below.is_some_and(|fact| fact.offset == question.committed)
}

/// The first record behind the rows around the committed offset, where none between them is left: a question from
/// before the lower row, or from the beginning of time, led there. Where one from right after the record below did, records of the same timestamp as that
/// one may stand between, and the distance to it is in doubt.
fn beyond_gap(history: &History, question: Question, runs: (Option<Run>, Option<Run>)) -> Option<(Fact, Millis)> {
    let (lower, upper) = (runs.0, runs.1?);
    let (below, above) = history.facts_around(question.committed);
    let above = above.filter(|fact| fact.offset >= upper.offset && fact.offset < question.end)?;
    let below = match below {
        Some(fact) if fact.offset == question.committed => return None,
        below => below.map_or(Millis::MIN, |fact| fact.at),
    };
    let before = lower.map_or(0, |run| run.last.saturating_sub(history.transit(question.now)).saturating_add(1));
    let next = history.compacted && above.from <= below.saturating_add(1);
    (above.from <= before).then_some((above, 0)).or(next.then(|| (above, above.at - below)))
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
    /// Whether a timestamp can be that of its record.
    fn hold(self, fact: Fact) -> bool {
        let seen = self.low.saturating_sub(self.seen)..=self.high.saturating_add(self.seen);
        fact.is_dated() && seen.contains(&fact.at)
    }

    /// The time in the bracket that is nearest to that of a timestamp: the record was written then, or entered later.
    fn clamp(self, time: Millis) -> Millis {
        time.clamp(self.low, self.high.max(self.low))
    }

    /// The disorder to add to a bound that rests on a record: no less than what is seen of that record.
    fn slack_of(self, fact: Fact) -> Millis {
        self.slack.max((self.clamp(fact.at) - fact.at).abs())
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
        return limits.hold(fact).then(|| record(question, fact, limits));
    }
    if let (None, Some(first)) = (below, above)
        && first.from <= 0
    {
        return limits.hold(first).then(|| record(question, first, limits));
    }
    let search = search(history, question)?;
    let blind = is_blind(history, question);
    let closed = search.high <= search.low + 1;
    let below = below.filter(|fact| limits.hold(*fact));
    if below.is_none() && (closed || search.high >= limits.high) {
        return None;
    }
    let run = history.runs_around(question.committed).0.map(|run| (limits.low, run.offset));
    let (low, low_offset) = below.map(|fact| (limits.clamp(fact.at), fact.offset)).into_iter().chain(run).max()?;
    let high = upper(history, question, above, limits);
    let reach = search.high.clamp(low, high.max(low));
    let share = (question.committed - low_offset) as f64 / (search.high_offset - low_offset).max(1) as f64;
    let time = if closed { low } else { low + ((reach - low) as f64 * share.clamp(0.0, 1.0)) as Millis };
    let estimate = found(question, time, (low, high), Method::Interpolated, Clock::Producer);
    let slack = below.map_or(limits.slack, |fact| limits.slack_of(fact));
    let bound = estimate.bound.map(|bound| bound + slack);
    Some(Estimate { bound, settled: closed || blind, hidden: closed || blind, ..estimate })
}

/// Whether questions by time have nothing left to tell.
fn exhausted(history: &History, question: Question) -> bool {
    let found = history.facts_around(question.committed).0.is_some_and(|fact| fact.offset == question.committed);
    let closed = search(history, question).is_some_and(|search| search.high <= search.low + 1);
    found || closed || is_blind(history, question)
}

/// Whether a record from the future stands before the committed offset: every later time leads to that one.
pub fn is_blind(history: &History, question: Question) -> bool {
    history.ahead.is_some_and(|ahead| ahead.offset <= question.committed)
}

/// A question by time led to the very record.
fn record(question: Question, fact: Fact, limits: Limits) -> Estimate {
    let at = limits.clamp(fact.at);
    let estimate = found(question, at, (at, at), Method::Record, Clock::Producer);
    Estimate { bound: Some(1 + limits.slack_of(fact)), settled: true, ..estimate }
}

/// The proven upper end on the producer clock. The time asked for counts only where a record is known to survive
/// between the committed offset and the one found; otherwise the record found may be the very first survivor.
fn upper(history: &History, question: Question, above: Option<Fact>, limits: Limits) -> Millis {
    let survivor = history.runs_around(question.committed).1;
    let fact = above.map(|fact| match survivor {
        Some(run) if run.offset <= fact.offset && !history.compacted => fact.from,
        _ => fact.at,
    });
    let silence = history.silence.filter(|(_, below)| *below > question.committed).map(|(time, _)| time);
    [fact, silence].into_iter().flatten().filter(|time| *time >= limits.low).fold(limits.high, Millis::min)
}

/// No row at or before the committed offset: all that is known is that the record is older than the oldest row.
fn at_least(history: &History, question: Question, high: Millis) -> Estimate {
    let above = history.facts_around(question.committed).1.filter(|fact| fact.is_dated());
    let lag = Some((question.now - above.map_or(high, |fact| fact.at.min(high))).max(0));
    let settled = exhausted(history, question);
    Estimate { lag, bound: None, method: Method::AtLeast, clock: None, settled, hidden: false, unproven: false }
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
        unproven: false,
    }
}
