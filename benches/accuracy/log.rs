//! A log of records of which everything is known: when each entered, its timestamp, and what compaction took.
//!
//! Answers what a broker answers, a log end and a question by time, and beside that the truth.

use highwater::lag::{Millis, Offset};

/// One record, or the end of a transaction, which stands in the log as a record that nobody can read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record {
    /// When it entered the log.
    pub(crate) entered: Millis,
    /// The timestamp that it carries.
    pub(crate) stamp: Millis,
    /// Whether a consumer can read it.
    pub(crate) readable: bool,
}

/// One partition's log over two weeks.
#[derive(Debug)]
pub(crate) struct Log {
    records: Vec<Record>,
    /// What is left from a time on; the latest one that has begun counts.
    views: Vec<View>,
}

/// What compaction has left.
#[derive(Debug)]
struct View {
    from: Millis,
    /// The offsets that survive; `None` where all do.
    left: Option<Vec<Offset>>,
    /// The records with a larger timestamp than every one before: those that a question by time leads to.
    peaks: Vec<(Offset, Millis)>,
}

impl Log {
    /// A log of records in the order in which they enter.
    pub(crate) fn new(records: Vec<Record>) -> Self {
        assert!(records.is_sorted_by_key(|record| record.entered), "records enter one after the other");
        let peaks = peaks(&records, 0..records.len() as Offset);
        Self { records, views: vec![View { from: Millis::MIN, left: None, peaks }] }
    }

    /// Takes every record away that has a younger one of its key, at each of these times, once it is older than `lag`.
    pub(crate) fn compacted(mut self, keys: &[u32], cleanings: impl Iterator<Item = Millis>, lag: Millis) -> Self {
        for at in cleanings {
            let dirty = self.end(at - lag) as usize;
            let mut seen = std::collections::HashSet::new();
            let mut left: Vec<Offset> = (dirty..self.records.len()).rev().map(|i| i as Offset).collect();
            left.extend((0..dirty).rev().filter(|i| seen.insert(keys[*i])).map(|i| i as Offset));
            left.reverse();
            let peaks = peaks(&self.records, left.iter().copied());
            self.views.push(View { from: at, left: Some(left), peaks });
        }
        self
    }

    /// The log end at `now`.
    pub(crate) fn end(&self, now: Millis) -> Offset {
        self.records.partition_point(|record| record.entered <= now) as Offset
    }

    /// The first record at `now` with a timestamp at or after `time`, as offset and timestamp.
    pub(crate) fn first_since(&self, time: Millis, now: Millis) -> Option<(Offset, Millis)> {
        let peaks = &self.view(now).peaks;
        let found = peaks.get(peaks.partition_point(|(_, stamp)| *stamp < time))?;
        (found.0 < self.end(now)).then_some(*found)
    }

    /// The record with the largest timestamp at `now`, as `ListOffsets` tells it to those who ask for that.
    pub(crate) fn youngest(&self, now: Millis) -> Option<(Offset, Millis)> {
        let (peaks, end) = (&self.view(now).peaks, self.end(now));
        peaks.partition_point(|(offset, _)| *offset < end).checked_sub(1).map(|last| peaks[last])
    }

    /// The truth: the first readable record at or after `committed` that is there at `now`.
    pub(crate) fn waiting(&self, committed: Offset, now: Millis) -> Option<Record> {
        let there =
            |offset: &Offset| self.records.get(*offset as usize).filter(|record| record.entered <= now).copied();
        let readable = |record: &Record| record.readable;
        match &self.view(now).left {
            None => (committed..).map_while(|offset| there(&offset)).find(readable),
            Some(left) => {
                let first = left.partition_point(|offset| *offset < committed);
                left[first..].iter().map_while(there).find(readable)
            }
        }
    }

    fn view(&self, now: Millis) -> &View {
        &self.views[self.views.partition_point(|view| view.from <= now) - 1]
    }
}

fn peaks(records: &[Record], left: impl Iterator<Item = Offset>) -> Vec<(Offset, Millis)> {
    let mut peaks: Vec<(Offset, Millis)> = Vec::new();
    for offset in left {
        let stamp = records[offset as usize].stamp;
        if peaks.last().is_none_or(|(_, highest)| stamp > *highest) {
            peaks.push((offset, stamp));
        }
    }
    peaks
}
