//! How far a consumer has read, as a function of time: a story of phases in which it keeps up, lags or stands still.
//!
//! Nothing is stepped and nothing is stored: a position is found by walking the phases from the last known one.

use crate::lag::{Millis, Offset};

use super::log::Log;

/// A stretch of a consumer group's life.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Phase {
    /// How long it lasts.
    pub lasts: Millis,
    /// Members of the group meanwhile; 0 is a stopped group.
    pub members: u32,
    /// Records a second that are read of each partition at most. `f64::INFINITY` keeps up with everything, 0 stands
    /// still.
    pub per_second: f64,
}

impl Phase {
    /// No members, no progress.
    pub fn stopped(lasts: Millis) -> Self {
        Self { lasts, members: 0, per_second: 0.0 }
    }

    /// `members` that keep up with everything.
    pub fn keeps_up(lasts: Millis, members: u32) -> Self {
        Self { lasts, members, per_second: f64::INFINITY }
    }

    /// `members` that read `per_second` of each partition at most.
    pub fn reads(lasts: Millis, members: u32, per_second: f64) -> Self {
        Self { lasts, members, per_second }
    }

    /// The position at `until`, after reading on from `position` at `from`. What retention deletes is jumped over.
    fn read(&self, log: &Log, position: Offset, from: Millis, until: Millis) -> Offset {
        if self.per_second <= 0.0 || until <= from {
            return position;
        }
        let most = (self.per_second * (until - from) as f64 / 1e3) as Offset;
        let reached = position.max(log.start(until)).saturating_add(most).min(log.end(until));
        reached.max(position)
    }
}

/// A point from which a consumer reads on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor {
    /// When it was there.
    pub at: Millis,
    /// The next offset that it reads.
    pub position: Offset,
}

/// The life of a consumer group: phases one after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Story {
    since: Millis,
    phases: Vec<Phase>,
    repeated: usize,
    commit_interval: Millis,
}

impl Story {
    /// A group that appears at `since`, at the log end of that time, and lives through `phases`; then it has stopped.
    pub fn new(since: Millis, phases: Vec<Phase>) -> Self {
        Self { since, repeated: phases.len(), phases, commit_interval: 0 }
    }

    /// Starts over with the phase at index `first` whenever the last one is through.
    #[must_use]
    pub fn repeated_from(self, first: usize) -> Self {
        Self { repeated: first, ..self }
    }

    /// Commits every `interval` only, and once more when it stops. Without, every position is committed at once.
    #[must_use]
    pub fn committing_every(self, interval: Millis) -> Self {
        Self { commit_interval: interval, ..self }
    }

    /// Members of the group at `now`, and since when these.
    pub fn members(&self, now: Millis) -> (u32, Millis) {
        let (phase, from, _) = self.phase(now);
        (phase.members, from)
    }

    /// The committed offset on `log` at `now`, read on from `anchor` where one is set; `None` before the group appears.
    pub fn committed(&self, log: &Log, anchor: Option<Anchor>, now: Millis) -> Option<Offset> {
        let Anchor { mut at, mut position } = match anchor {
            Some(anchor) => anchor,
            None if now < self.since => return None,
            None => Anchor { at: self.since, position: log.end(self.since) },
        };
        let until = self.last_commit(now);
        while at < until {
            let (phase, _, ends) = self.phase(at);
            let next = ends.min(until);
            position = phase.read(log, position, at, next);
            at = next;
        }
        Some(position)
    }

    /// The time of the last commit at `now`. A stopped group committed all it had read.
    fn last_commit(&self, now: Millis) -> Millis {
        let stopped = self.phase(now).0.members == 0;
        if self.commit_interval <= 0 || stopped {
            now
        } else {
            now - (now - self.since).rem_euclid(self.commit_interval)
        }
    }

    /// The phase at `now`, its beginning and its end. Before the story and after it, the group is stopped.
    fn phase(&self, now: Millis) -> (Phase, Millis, Millis) {
        if now < self.since {
            return (Phase::stopped(0), Millis::MIN, self.since);
        }
        let length = |phases: &[Phase]| phases.iter().map(|p| p.lasts).sum::<Millis>();
        let round = self.phases.get(self.repeated..).map_or(0, length);
        let whole = self.since + length(&self.phases);
        let rounds = (now - whole).max(-1).checked_div_euclid(round).map_or(0, |n| n + 1);
        let mut from = self.since + rounds * round;
        for phase in &self.phases {
            if now < from + phase.lasts {
                return (*phase, from, from + phase.lasts);
            }
            from += phase.lasts;
        }
        (Phase::stopped(0), from, Millis::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::super::log::Traffic;
    use super::*;

    const MINUTE: Millis = 60_000;

    fn steady() -> Log {
        Log::new(0, Traffic::Steady { per_second: 10.0 })
    }

    /// The age of the oldest record not read, in seconds, rounded.
    fn age(story: &Story, log: &Log, now: Millis) -> i64 {
        let committed = story.committed(log, None, now).unwrap();
        log.timestamp(committed, now).map_or(0, |t| (now - t + 500) / 1000)
    }

    #[test]
    fn a_group_that_keeps_up_is_as_far_behind_as_it_commits() {
        let story = Story::new(MINUTE, vec![Phase::keeps_up(90 * MINUTE, 2)]).committing_every(2000);
        assert_eq!(story.committed(&steady(), None, MINUTE - 1), None);
        assert_eq!(story.committed(&steady(), None, 2 * MINUTE), Some(1200));
        assert_eq!(story.committed(&steady(), None, 2 * MINUTE + 1999), Some(1200));
        assert_eq!(story.committed(&steady(), None, 2 * MINUTE + 2000), Some(1220));
    }

    #[test]
    fn a_slow_group_falls_behind_and_a_stopped_one_ages_with_the_clock() {
        let story = Story::new(0, vec![Phase::reads(40 * MINUTE, 1, 5.0)]);
        assert_eq!(age(&story, &steady(), 20 * MINUTE), 600);
        assert_eq!(age(&story, &steady(), 40 * MINUTE), 1200);
        assert_eq!(age(&story, &steady(), 50 * MINUTE), 1800);
        assert_eq!(story.members(20 * MINUTE), (1, 0));
        assert_eq!(story.members(50 * MINUTE), (0, 40 * MINUTE));
    }

    #[test]
    fn a_restarted_group_catches_up_at_its_rate_and_the_story_repeats() {
        let phases =
            vec![Phase::keeps_up(60 * MINUTE, 1), Phase::stopped(30 * MINUTE), Phase::reads(30 * MINUTE, 3, 40.0)];
        let story = Story::new(0, phases).repeated_from(1);
        assert_eq!(age(&story, &steady(), 90 * MINUTE), 1800);
        assert_eq!(age(&story, &steady(), 95 * MINUTE), 15 * 60);
        assert_eq!(age(&story, &steady(), 101 * MINUTE), 0);
        assert_eq!(story.members(119 * MINUTE), (3, 90 * MINUTE));
        assert_eq!(story.members(120 * MINUTE), (0, 120 * MINUTE));
        assert_eq!(story.members(160 * MINUTE), (3, 150 * MINUTE));
        assert_eq!(age(&story, &steady(), (60 + 60 * 1000 + 31) * MINUTE), 27 * 60);
    }

    #[test]
    fn a_group_reads_on_from_where_its_offset_was_set() {
        let story = Story::new(0, vec![Phase::reads(10 * MINUTE, 1, 100.0)]);
        let anchor = Some(Anchor { at: 5 * MINUTE, position: 0 });
        assert_eq!(story.committed(&steady(), anchor, 5 * MINUTE), Some(0));
        assert_eq!(story.committed(&steady(), anchor, 5 * MINUTE + 10_000), Some(1000));
        assert_eq!(story.committed(&steady(), anchor, 6 * MINUTE), Some(3600));
    }

    #[test]
    fn a_running_group_jumps_over_deleted_records_and_a_stopped_one_stays_before_them() {
        let log = steady().with_retention(MINUTE);
        let story = Story::new(0, vec![Phase::stopped(10 * MINUTE), Phase::reads(10 * MINUTE, 1, 20.0)]);
        assert_eq!(story.committed(&log, None, 10 * MINUTE), Some(0));
        assert_eq!(story.committed(&log, None, 10 * MINUTE + 1000), Some(log.start(10 * MINUTE + 1000) + 20));
    }

    #[test]
    fn commits_never_fall_back() {
        let phases = vec![Phase::keeps_up(MINUTE, 1), Phase::reads(MINUTE, 1, 3.0), Phase::stopped(MINUTE)];
        let story = Story::new(0, phases).repeated_from(0).committing_every(700);
        let log = Log::new(0, Traffic::Bursts { records: 500, within: 9_000, every: 25_000 });
        let mut last = 0;
        for now in (0..30 * MINUTE).step_by(137) {
            let committed = story.committed(&log, None, now).unwrap();
            assert!((last..=log.end(now)).contains(&committed), "{last} then {committed} at {now}");
            last = committed;
        }
    }
}
