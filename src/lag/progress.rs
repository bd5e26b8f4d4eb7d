//! What is remembered of one group on one topic between samples: its state, and how its commits move.

use std::collections::VecDeque;
use std::num::NonZero;

use serde::{Deserialize, Serialize};

use super::policy::Policy;
use super::report::State;
use super::state::patience;
use super::{Millis, Offset, Partition};

/// Samples over which trend and rates are measured.
pub const WINDOW: usize = 10;

/// Good samples in a row that a partition is seen to be stuck in before it counts as such.
const STUCK_SAMPLES: u16 = 4;

/// Samples without a move that are enough for every policy: how many there were is not stored.
const LONG: u16 = u16::MAX;

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
    /// That of a former life of the topic, which was seen to have ended with a restart; until the next good sample.
    pub former_sum: Option<Offset>,
    /// The last ages: when, and how old.
    pub ages: VecDeque<(Millis, Millis)>,
    /// One entry a partition.
    pub partitions: Vec<Commit>,
    /// What stood still for long enough at the last good sample to be left out of the maximum, and what was committed on a
    /// former life of the topic, by partition.
    pub standing: Vec<Standing>,
    /// Whether the group, when that was last known, had left the topic: its members had partitions, and none of it.
    pub left: bool,
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
    pub still_samples: u16,
    /// Samples in a row in which it lay beyond the log end.
    pub beyond: u16,
    /// Whether the topic was deleted and created again since it last moved.
    pub former: bool,
    /// When a member last had the partition; 0 before one had.
    pub held: Millis,
    /// Whether it once rested at the very end of the log: the group reads tails here, so that one which it leaves unread
    /// is no marker of a transaction.
    pub rested: bool,
    /// Since when something readable waits while the offset does not move; meaningless before `waiting_samples`.
    pub waiting_since: Millis,
    /// The last good sample in which that was so.
    pub waiting_seen: Millis,
    /// Good samples in a row in which that was so.
    pub waiting_samples: u16,
    /// Two earlier sights, from which rates are measured; the older one first.
    pub anchors: [Option<Anchor>; 2],
}

/// A partition that stands still, and what is to be remembered of that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The partition.
    pub partition: Partition,
    /// The committed offset that does not move.
    pub committed: Offset,
    /// Since when it has not moved.
    pub since: Millis,
    /// Whether the topic was deleted and created again since it last moved.
    #[serde(default)]
    pub former: bool,
    /// Whether the group had left the topic.
    #[serde(default)]
    pub left: bool,
}

/// Offsets at an earlier time.
#[derive(Debug, Clone, Copy)]
pub struct Anchor {
    /// When; never 0, so that where there is none takes no room of its own.
    pub time: NonZero<Millis>,
    /// The committed offset then.
    pub committed: Offset,
    /// The log end then.
    pub end: Offset,
}

impl Anchor {
    fn since(self, earlier: Self) -> Millis {
        self.time.get() - earlier.time.get()
    }
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
    /// The sum of the committed offsets.
    pub fn sum(&self) -> Offset {
        self.partitions.iter().filter_map(|commit| commit.committed).fold(0, Offset::saturating_add)
    }

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

    /// Whether no committed offset has moved for so long.
    pub fn stands_for(&self, long: Millis, now: Millis) -> bool {
        let mut with_commit = self.partitions.iter().filter(|commit| commit.committed.is_some());
        with_commit.all(|commit| now - commit.still_since >= long)
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

    /// Forgets all of a former life of the topic but the committed offsets, by which one that moves is known.
    pub fn start_over(&mut self) {
        let former = |commit: &Commit| Commit {
            committed: commit.committed,
            read: commit.read,
            former: commit.committed.is_some(),
            ..Commit::default()
        };
        let partitions: Vec<Commit> = self.partitions.iter().map(former).collect();
        let former_sum = (self.restored && partitions.is_empty()).then_some(self.committed_sum);
        *self = Self { partitions, former_sum, unsaved: true, ..Self::default() };
    }

    /// Takes note of the partitions that stand still.
    pub fn stand(&mut self, found: impl Iterator<Item = Partition>) {
        let (mut known, mut same) = (self.standing.iter(), true);
        let mut standing = Vec::new();
        for partition in found {
            let commit = usize::try_from(partition).ok().and_then(|index| self.partitions.get(index));
            let told = |commit: &Commit| {
                let (committed, since, former) = (commit.committed?, commit.still_since, commit.former);
                Some(Standing { partition, committed, since, former, left: self.left })
            };
            let Some(now) = commit.and_then(told) else { continue };
            same &= known.next() == Some(&now);
            standing.push(now);
        }
        if !same || known.next().is_some() {
            self.standing = standing;
            self.unsaved = true;
        }
    }

    /// What is left of it after a restart, whose last sample before was at `sampled`.
    pub fn restored(self, sampled: Millis) -> Self {
        let Self { state, since, static_samples, static_since, gaps, committed_sum, standing, .. } = self;
        Self {
            state,
            since,
            static_samples,
            static_since,
            gaps,
            committed_sum,
            // Who did not stand still at the last sample had advanced, or had nothing to read.
            last_advance: Some(static_since.unwrap_or(sampled)),
            left: standing.iter().any(|standing| standing.left),
            standing,
            restored: true,
            ..Self::default()
        }
    }

    /// Takes up, after a restart, what was known of partitions that stood still.
    pub fn stand_again(&mut self) {
        for standing in &self.standing {
            let Ok(index) = usize::try_from(standing.partition) else { continue };
            if self.partitions.len() <= index {
                self.partitions.resize_with(index + 1, Commit::default);
            }
            if let Some(commit) = self.partitions.get_mut(index) {
                let (committed, read) = (Some(standing.committed), commit.read.max(standing.since));
                let Standing { since: still_since, former, .. } = *standing;
                *commit = Commit { committed, read, still_since, still_samples: LONG, former, ..commit.clone() };
            }
        }
    }

    /// Takes note that the clock was set, forward or back: what was counted in time is as long as it was.
    pub fn clock_set(&mut self, by: Millis) {
        for time in [&mut self.static_since, &mut self.last_advance, &mut self.gap_from].into_iter().flatten() {
            *time += by;
        }
        for commit in &mut self.partitions {
            for time in [&mut commit.still_since, &mut commit.waiting_since, &mut commit.waiting_seen] {
                *time += by;
            }
            (commit.read, commit.anchors) = (commit.read + by, [None; 2]);
            commit.held += if commit.held > 0 { by } else { 0 };
        }
        self.standing.iter_mut().for_each(|standing| standing.since += by);
        self.ages.clear();
        self.unsaved = true;
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
        let born_again = self.former && moved != Some(0);
        if moved == Some(0) {
            self.still_samples = self.still_samples.saturating_add(1);
        } else {
            self.still_since = now;
            self.still_samples = u16::from(before.is_none());
            self.waiting_samples = 0;
            self.former &= before.is_none();
        }
        if moved.is_some_and(|by| by < 0) {
            self.anchors = [None; 2];
        }
        // What was committed on a former life of the topic is nothing to rewind from.
        if born_again { Some(committed) } else { moved }
    }

    /// Takes note, in a good sample, of whether something readable waits; `anew` when it begins to wait anew, though the
    /// offset has not moved.
    pub fn waits(&mut self, waiting: bool, anew: bool, now: Millis) {
        if !waiting {
            self.waiting_samples = 0;
        } else if anew || self.waiting_samples == 0 {
            (self.waiting_since, self.waiting_samples) = (now, 1);
        } else {
            self.waiting_samples = self.waiting_samples.saturating_add(1);
        }
        self.waiting_seen = now;
    }

    /// How long something readable had waited at the last good sample, where that is at least `window`, and was seen often
    /// enough. What waits before a broker that is silent may have been read or deleted since.
    pub fn stuck_for(&self, window: Millis) -> Option<Millis> {
        let waited = self.waiting_seen - self.waiting_since;
        (self.waiting_samples >= STUCK_SAMPLES && waited >= window).then_some(waited)
    }

    /// Takes up, after a restart, what was known of a stuck partition: it was stuck until then, and is at `now` for all that
    /// is known.
    pub fn stuck_again(&mut self, committed: Offset, since: Millis, now: Millis) {
        let (still_samples, waiting_samples) = (STUCK_SAMPLES, STUCK_SAMPLES);
        *self = Self {
            committed: Some(committed),
            read: since,
            still_since: since,
            still_samples,
            waiting_since: since,
            waiting_seen: now,
            waiting_samples,
            // What was stuck was no unreadable tail.
            rested: true,
            ..Self::default()
        };
    }

    /// Whether it has stood still for long enough.
    pub fn still_long_enough(&self, now: Millis, policy: &Policy, patience: Millis) -> bool {
        u32::from(self.still_samples) >= policy.offline_after_samples && now - self.still_since >= patience
    }

    /// Takes note of both offsets, and measures the rates since the older anchor.
    pub fn rates(&mut self, now: Anchor, window: Millis) -> Option<Rates> {
        // A truncated log begins anew, as a rewind does.
        if self.anchors.into_iter().flatten().any(|then| now.end < then.end) {
            self.anchors = [None; 2];
        }
        let rates = self.anchors[0].and_then(|then| {
            let seconds = now.since(then) as f64 / 1e3;
            (seconds > 0.0).then(|| Rates {
                consume: (now.committed - then.committed) as f64 / seconds,
                produce: (now.end - then.end) as f64 / seconds,
            })
        });
        match self.anchors {
            [None, _] => self.anchors[0] = Some(now),
            [Some(old), None] if now.since(old) >= window / 2 => self.anchors[1] = Some(now),
            [Some(old), Some(newer)] if now.since(old) >= window => self.anchors = [Some(newer), Some(now)],
            _ => {}
        }
        rates
    }
}
