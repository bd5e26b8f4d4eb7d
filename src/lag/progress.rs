//! What is remembered of one group on one topic between samples: its state, and how its commits move.

use std::collections::VecDeque;

use super::policy::Policy;
use super::report::State;
use super::state::patience;
use super::{Millis, Offset};

/// Samples over which trend and rates are measured.
pub const WINDOW: usize = 10;

/// Gaps between advances from which the commit interval is taken.
const GAPS: usize = 8;

/// One group on one topic.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// The state, once one sample was judged.
    pub state: Option<State>,
    /// Since when it is in that state.
    pub since: Millis,
    /// Samples in a row without progress, counted up to the number that matters.
    pub static_samples: u32,
    /// Since when nothing has moved.
    pub static_since: Option<Millis>,
    /// Samples in a row that advanced while behind.
    pub behind_samples: u32,
    /// Gaps between the last advances.
    pub gaps: VecDeque<Millis>,
    /// When a committed offset last grew.
    pub last_advance: Option<Millis>,
    /// Since when a commit was to be expected: the last advance, or the last sample with nothing to read.
    pub gap_from: Option<Millis>,
    /// Sum of the committed offsets at the last good sample.
    pub committed_sum: Offset,
    /// The last ages: when, and how old.
    pub ages: VecDeque<(Millis, Millis)>,
    /// One entry a partition.
    pub partitions: Vec<Commit>,
    /// Whether something that must survive a restart has changed since it was last stored.
    pub unsaved: bool,
    /// Whether it was read back from storage and has seen no sample since.
    pub restored: bool,
}

/// One group on one partition.
#[derive(Debug, Clone, Default)]
pub struct Commit {
    /// The committed offset at the last good sample.
    pub committed: Option<Offset>,
    /// When it was read.
    pub read: Millis,
    /// Since when it has not moved.
    pub still_since: Millis,
    /// Samples in a row in which it has not moved.
    pub still_samples: u32,
    /// Samples in a row in which it lay beyond the log end.
    pub beyond: u32,
    /// Whether the topic was deleted and created again since it last moved.
    pub former: bool,
    /// Two earlier sights, from which rates are measured; the older one first.
    pub anchors: [Option<Anchor>; 2],
}

/// Offsets at an earlier time.
#[derive(Debug, Clone, Copy)]
pub struct Anchor {
    /// When.
    pub time: Millis,
    /// The committed offset then.
    pub committed: Offset,
    /// The log end then.
    pub end: Offset,
}

/// Records a second, read and written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// Read by the group.
    pub consume: f64,
    /// Written by producers.
    pub produce: f64,
}

impl Progress {
    /// The second longest of the last gaps in which an advance was to be expected, so that one outage does not count;
    /// 0 while unknown.
    pub fn commit_interval(&self) -> Millis {
        let mut gaps: Vec<Millis> = self.gaps.iter().copied().collect();
        gaps.sort_unstable();
        gaps.get(gaps.len().saturating_sub(2)).copied().unwrap_or(0)
    }

    /// Takes note that a committed offset grew.
    pub fn advanced(&mut self, now: Millis) {
        self.last_advance = Some(now);
        if let Some(since) = self.gap_from.replace(now) {
            self.gaps.push_back((now - since).max(0));
            if self.gaps.len() > GAPS {
                self.gaps.pop_front();
            }
        }
        self.unsaved |= self.static_samples > 0;
        self.static_samples = 0;
        self.static_since = None;
    }

    /// Takes note that nothing moved while something was waiting, and says whether that has lasted long enough.
    pub fn stood_still(&mut self, now: Millis, policy: &Policy) -> bool {
        let since = *self.static_since.get_or_insert(now);
        if self.static_samples < policy.offline_after_samples {
            self.static_samples += 1;
            self.unsaved = true;
        }
        self.static_samples >= policy.offline_after_samples && now - since >= patience(policy, self.commit_interval())
    }

    /// Forgets what was counted on a former life of the topic.
    pub fn start_over(&mut self) {
        self.unsaved |= self.static_samples > 0;
        (self.static_samples, self.static_since, self.behind_samples) = (0, None, 0);
        self.ages.clear();
        for commit in &mut self.partitions {
            *commit = Commit { committed: commit.committed, read: commit.read, ..Commit::default() };
        }
    }

    /// Takes note of the age of this sample.
    pub fn aged(&mut self, now: Millis, age: Option<Millis>) {
        if let Some(age) = age {
            self.ages.push_back((now, age));
            if self.ages.len() > WINDOW {
                self.ages.pop_front();
            }
        }
    }
}

impl Commit {
    /// Takes note of a committed offset that was read at `now`; says by how much it moved since the last one.
    pub fn moved(&mut self, committed: Offset, now: Millis) -> Option<Offset> {
        let before = self.committed.replace(committed);
        self.read = now;
        let moved = before.map(|before| committed.saturating_sub(before));
        if moved == Some(0) {
            self.still_samples = self.still_samples.saturating_add(1);
        } else {
            self.still_since = now;
            self.still_samples = u32::from(before.is_none());
            self.former &= before.is_none();
        }
        if moved.is_some_and(|by| by < 0) {
            self.anchors = [None; 2];
        }
        moved
    }

    /// Whether it has stood still for long enough.
    pub fn still_long_enough(&self, now: Millis, policy: &Policy, patience: Millis) -> bool {
        self.still_samples >= policy.offline_after_samples && now - self.still_since >= patience
    }

    /// Takes note of both offsets, and measures the rates since the older anchor.
    pub fn rates(&mut self, now: Anchor, window: Millis) -> Option<Rates> {
        let rates = self.anchors[0].and_then(|then| {
            let seconds = (now.time - then.time) as f64 / 1e3;
            (seconds > 0.0 && now.end >= then.end && now.committed >= then.committed).then(|| Rates {
                consume: (now.committed - then.committed) as f64 / seconds,
                produce: (now.end - then.end) as f64 / seconds,
            })
        });
        match self.anchors {
            [None, _] => self.anchors[0] = Some(now),
            [Some(old), None] if now.time - old.time >= window / 2 => self.anchors[1] = Some(now),
            [Some(old), Some(newer)] if now.time - old.time >= window => self.anchors = [Some(newer), Some(now)],
            _ => {}
        }
        rates
    }
}
