//! Keeps a history within its rows: drops the rows whose loss moves ages least, and recent ones last.
//!
//! In the family of line simplification by effective area (Visvalingam and Whyatt 1993), with an error in time
//! rather than an area, and weighed against the age of the row.

use super::history::{Fact, History, Run};
use super::packed::{Packed, Row};
use super::{Millis, Offset};

/// Rows over the limit before a pass drops them, as a share of the limit.
const BATCH: usize = 8;

/// Facts kept, as a share of the limit; runs get the rest.
const FACTS: usize = 4;

/// Brings a history back to at most `rows` rows when it has grown an eighth above, and says whether it did.
pub fn thin(history: &mut History, rows: usize, now: Millis) -> bool {
    let facts = rows / FACTS;
    let runs = rows - facts;
    let due = |len: usize, limit: usize| len > limit + limit / BATCH;
    let thinned = due(history.runs.len(), runs) || due(history.facts.len(), facts);
    if thinned {
        keep(&mut history.runs, runs, now);
        keep(&mut history.facts, facts, now);
    }
    thinned
}

trait Timed: Row {
    /// Time as the lower end of a bracket, time as the upper end, and the offset.
    fn ends(self) -> (Millis, Millis, Offset);

    /// Whether it ends a stretch in which nothing happened.
    fn ends_idle(self) -> bool;
}

impl Timed for Run {
    fn ends(self) -> (Millis, Millis, Offset) {
        (self.last, self.first, self.offset)
    }

    fn ends_idle(self) -> bool {
        self.last > self.first
    }
}

impl Timed for Fact {
    fn ends(self) -> (Millis, Millis, Offset) {
        (self.at, self.at, self.offset)
    }

    fn ends_idle(self) -> bool {
        false
    }
}

/// Drops the cheapest rows until `limit` are left; never two neighbours in one pass, never the first or the last.
fn keep<R: Timed>(packed: &mut Packed<R>, limit: usize, now: Millis) {
    let mut rows: Vec<R> = packed.iter().collect();
    thin_rows(&mut rows, limit, now);
    *packed = rows.into_iter().collect();
}

fn thin_rows<R: Timed>(rows: &mut Vec<R>, limit: usize, now: Millis) {
    while rows.len() > limit.max(2) {
        let over = rows.len() - limit.max(2);
        let mut costs: Vec<(f64, usize)> = rows
            .windows(3)
            .enumerate()
            .filter_map(|(i, w)| match w {
                [before, row, after] => Some((cost(*before, *row, *after, now), i + 1)),
                _ => None,
            })
            .collect();
        costs.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut drop = vec![false; rows.len()];
        let mut dropped = 0;
        for (_, i) in costs {
            if dropped == over {
                break;
            }
            let neighbour = drop.get(i - 1).copied().unwrap_or(false) || drop.get(i + 1).copied().unwrap_or(false);
            if !neighbour && let Some(mark) = drop.get_mut(i) {
                *mark = true;
                dropped += 1;
            }
        }
        if dropped == 0 {
            return;
        }
        let mut marks = drop.into_iter();
        rows.retain(|_| !marks.next().unwrap_or(false));
    }
}

/// What losing the middle row costs: how far it would move an interpolated time, times how long a stretch it is
/// needed for, over its age. The end of an idle stretch comes last of all: without it the records after it would be
/// dated into the idle time.
fn cost<R: Timed>(before: R, row: R, after: R, now: Millis) -> f64 {
    let ((t0, _, o0), (low, high, o), (_, t2, o2)) = (before.ends(), row.ends(), after.ends());
    let needed = row.ends_idle() && low - high > t2 - low;
    let share = (o - o0) as f64 / (o2 - o0).max(1) as f64;
    let line = t0 as f64 + share * (t2 - t0) as f64;
    let moved = (line - low as f64).abs().max((line - high as f64).abs());
    let age = (now - high).max(0) as f64;
    let cost = (moved + 1_000.0) * (t2 - t0).max(1) as f64 / (age + 60_000.0);
    if needed { f64::MAX / 2.0 + cost } else { cost }
}
