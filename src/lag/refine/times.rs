//! The times of one search: a ladder into the past to begin with, then cuts where the record most likely is.
//!
//! By interpolation, by the middle, and between, so that neither steady traffic nor a burst can stall it.

use crate::lag::Millis;
use crate::lag::bracket::{Estimate, Question, Search, search, wanted};
use crate::lag::history::History;
use crate::lag::report::Clock;

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
    is_coarse(estimate, precision, lag) || estimate.unproven || estimate.clock == Some(Clock::Producer)
}

fn is_coarse(estimate: &Estimate, precision: Millis, lag: Millis) -> bool {
    estimate.bound.is_none_or(|bound| bound > wanted(precision, lag))
}

/// The next times to ask for one committed offset: none before the ladder was asked, an empty list when nothing is left
/// to learn.
pub fn times(history: &History, question: Question, precision: Millis) -> Option<Vec<Millis>> {
    search(history, question)
        .map(|search| cuts(search, question, Cutting { precision, first: false, compacted: history.compacted }))
}

/// What decides where a search is cut.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cutting {
    /// How exact an age should be at least.
    pub(super) precision: Millis,
    /// Whether nothing was asked for this commit yet.
    pub(super) first: bool,
    /// Whether compaction has taken records of the partition.
    pub(super) compacted: bool,
}

/// Up to three times strictly inside the search, that cut it where the record most likely is.
///
/// Record `committed` answers to every time after its predecessor's timestamp, so the guess aims half a record below.
/// While the search is wide, two cuts stand around the guess, as far apart as the age may be inexact: where traffic is
/// smooth, one round is enough. From the second round on the middle is always among the cuts, so that no traffic can
/// stall the search. Where compaction leaves gaps, the first millisecond leads to the next survivor.
pub(super) fn cuts(search: Search, question: Question, cutting: Cutting) -> Vec<Millis> {
    let Search { low, margin, low_offset, high, high_offset } = search;
    let width = high - low;
    if width <= 1 {
        return Vec::new();
    }
    let share = (question.committed - low_offset) as f64 - 0.5;
    let share = (share / (high_offset - low_offset).max(1) as f64).clamp(0.0, 1.0);
    let margin = margin.min(width);
    let guess = low + margin + ((width - margin) as f64 * share) as Millis;
    let middle = low + width / 2;
    let near = (wanted(cutting.precision, question.now - guess) / 2).max(1);
    let step = (width / 16).max(1);
    let cuts = match cutting {
        Cutting { compacted: true, .. } => [low + 1, guess, middle],
        Cutting { first: true, .. } if width > 4 * near => [guess - near, guess + near, guess + near],
        _ if width > 4 * near => [guess - near, guess + near, middle],
        _ => [guess, middle, if guess < middle { guess + step } else { guess - step }],
    };
    let mut times = cuts.map(|time| time.clamp(low + 1, high - 1)).to_vec();
    times.sort_unstable();
    times.dedup();
    times
}
