//! What users would pick instead: the published methods of other programs, as small estimators on the same samples.
//!
//! Written from the descriptions of their methods. None is the program itself: polling, caching and labels are left out.

use std::collections::VecDeque;

use highwater::lag::{Millis, Offset};

use crate::log::Log;

/// One way to tell the age of what a group has not read.
pub(crate) trait Method {
    /// Takes in a sample: when the log ended where.
    fn sample(&mut self, now: Millis, end: Offset);

    /// The age of the data at `committed`, in milliseconds; `None` where the method has no number.
    fn age(&self, log: &Log, committed: Offset, now: Millis) -> Option<f64>;
}

/// The methods with the programs that use them.
pub(crate) const NAMES: [&str; 4] = [
    "interpolation over 60 points (kafka-lag-exporter, kafka-lag-go)",
    "lag ÷ rate (klag-exporter, default mode)",
    "first-to-last line (klag)",
    "head-relative cache (Datadog kafka_consumer)",
];

/// Fresh estimators, in the order of the names.
pub(crate) fn all() -> [Box<dyn Method>; 4] {
    [Box::<Table>::default(), Box::<Rate>::default(), Box::new(Line), Box::<Cache>::default()]
}

/// The line through two points, at an offset.
fn at((o1, t1): (Offset, Millis), (o2, t2): (Offset, Millis), offset: Offset) -> f64 {
    t1 as f64 + (t2 - t1) as f64 * (offset - o1) as f64 / (o2 - o1) as f64
}

/// The points on either side of an offset; outside of them the first and the last one.
fn around(points: &[(Offset, Millis)], offset: Offset) -> Option<[(Offset, Millis); 2]> {
    let (first, last) = (*points.first()?, *points.last()?);
    let above = points.partition_point(|(known, _)| *known < offset);
    match (above.checked_sub(1).and_then(|i| points.get(i)), points.get(above)) {
        (Some(below), Some(above)) => Some([*below, *above]),
        _ => Some([first, last]),
    }
}

/// The last 60 points; between two of them linear, outside on the line from the first to the last.
#[derive(Default)]
struct Table(VecDeque<(Offset, Millis)>);

impl Method for Table {
    fn sample(&mut self, now: Millis, end: Offset) {
        let flat = self.0.len() >= 2 && self.0.iter().rev().take(2).all(|(offset, _)| *offset == end);
        match self.0.back_mut() {
            Some(last) if end < last.0 => return,
            // A flat line is two points, of which the later one moves.
            Some(last) if flat => {
                last.1 = now;
                return;
            }
            _ => self.0.push_back((end, now)),
        }
        if self.0.len() > 60 {
            self.0.pop_front();
        }
    }

    fn age(&self, _: &Log, committed: Offset, now: Millis) -> Option<f64> {
        let points: Vec<_> = self.0.iter().copied().collect();
        if points.last().is_some_and(|(end, _)| *end == committed) {
            return Some(0.0);
        }
        let [a, b] = around(&points, committed)?;
        // A line of one height has no offset below it.
        (points.len() >= 2 && a.0 != b.0).then(|| now as f64 - at(a, b, committed))
    }
}

/// The last five points of ten minutes give the rate at which the log grows; the age is the lag over it.
#[derive(Default)]
struct Rate(VecDeque<(Offset, Millis)>);

impl Method for Rate {
    fn sample(&mut self, now: Millis, end: Offset) {
        self.0.push_back((end, now));
        while self.0.len() > 5 || self.0.front().is_some_and(|(_, time)| now - time > 600_000) {
            self.0.pop_front();
        }
    }

    fn age(&self, _: &Log, committed: Offset, _: Millis) -> Option<f64> {
        let (first, last) = (self.0.front()?, self.0.back()?);
        if committed >= last.0 {
            return Some(0.0);
        }
        let rate = (last.0 - first.0) as f64 / ((last.1 - first.1) as f64 / 1e3);
        (self.0.len() >= 2 && rate >= 0.01).then(|| (last.0 - committed) as f64 / rate * 1e3)
    }
}

/// One straight line from the first record to the one with the largest timestamp.
struct Line;

impl Method for Line {
    fn sample(&mut self, _: Millis, _: Offset) {}

    fn age(&self, log: &Log, committed: Offset, now: Millis) -> Option<f64> {
        let (first, last) = (log.first_since(0, now)?, log.youngest(now)?);
        if committed >= last.0 {
            return Some((now - last.1) as f64);
        }
        if committed <= first.0 {
            return Some((now - first.1) as f64);
        }
        Some(now as f64 - at(first, last, committed))
    }
}

/// Up to a thousand points, halved by area; the age is the time of the newest point less that of the commit, which is
/// at most ten minutes before the oldest point.
#[derive(Default)]
struct Cache(Vec<(Offset, Millis)>);

impl Method for Cache {
    fn sample(&mut self, now: Millis, end: Offset) {
        match self.0.last_mut() {
            Some(last) if last.0 > end => self.0.clear(),
            Some(last) if last.0 == end => last.1 = now,
            _ => self.0.push((end, now)),
        }
        if self.0.len() >= 1_000 {
            self.halve();
        }
    }

    fn age(&self, _: &Log, committed: Offset, _: Millis) -> Option<f64> {
        let (oldest, newest) = (*self.0.first()?, *self.0.last()?);
        if committed >= newest.0 {
            return Some(0.0);
        }
        let [a, b] = around(&self.0, committed)?;
        if a.0 == b.0 {
            return None;
        }
        let time = at(a, b, committed).max((oldest.1 - 600_000) as f64);
        Some(newest.1 as f64 - time)
    }
}

impl Cache {
    /// Takes the point with the smallest triangle to its neighbours away, until half are left.
    fn halve(&mut self) {
        let area = |points: &[(Offset, Millis)], i: usize| {
            let [(o0, t0), (o1, t1), (o2, t2)] = [points[i - 1], points[i], points[i + 1]];
            ((o1 - o0) as f64 * (t2 - t0) as f64 - (o2 - o0) as f64 * (t1 - t0) as f64).abs()
        };
        while self.0.len() > 500 {
            let smallest = (1..self.0.len() - 1).min_by(|a, b| area(&self.0, *a).total_cmp(&area(&self.0, *b)));
            let Some(smallest) = smallest else { return };
            self.0.remove(smallest);
        }
    }
}
