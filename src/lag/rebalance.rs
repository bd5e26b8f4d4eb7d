//! How often the members of a group, or what is assigned to them, changed: counted sample by sample.
//!
//! Two rebalances between two samples look like one, so every count is a lower bound. Pictures are compared when they
//! are settled: in the middle of a rebalance, members are there and assignments are not.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::Millis;
use super::judge::seconds;
use super::observation::{GroupObservation, GroupState, Member};
use super::report::{Rebalances, Timestamp};
use super::slo::Bounds;

/// Rebalances that are remembered at least, where `maxRebalances` is less.
const KEPT: usize = 100;

/// Intervals without a sight that are no gap yet, however short the window is.
const MISSED: Millis = 3;

/// What is remembered of one group's rebalances.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Watch {
    /// The members and assignments that were settled last, in a checksum.
    pub makeup: Option<u64>,
    /// The rebalance that was under way when the group was seen last.
    pub under_way: Option<Phase>,
    /// Since when there is one; meaningless while there is none.
    pub under_way_since: Millis,
    /// Since when it is watched without a gap longer than the window and three intervals; at most one window ago.
    pub since: Option<Millis>,
    /// When it was seen last.
    pub seen: Millis,
    /// When each rebalance was seen, oldest first.
    pub times: VecDeque<Millis>,
    /// When members or assignments were last seen to be other than before; 0 before that.
    pub changed: Millis,
}

/// How far a rebalance is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Who takes part, and what they get, is being found out.
    Preparing,
    /// Members move to what they get.
    Completing,
}

enum Sight {
    Settled(u64),
    Moving(Phase),
}

impl Watch {
    /// Takes in one of the samples that are an `interval` apart; says whether something changed that has to be stored.
    pub fn observe(&mut self, group: &GroupObservation, bounds: &Bounds, interval: Millis, now: Millis) -> bool {
        let Some(sight) = sight(group) else { return false };
        let window = bounds.rebalance_window;
        let first = self.since.is_none() || now - self.seen > window.max(interval.saturating_mul(MISSED));
        self.seen = now;
        let before = (self.makeup, self.under_way);
        let begun = match (&sight, before) {
            (Sight::Settled(makeup), (Some(known), None)) => *makeup != known,
            // It was counted when it began.
            (Sight::Settled(_), _) => false,
            (Sight::Moving(Phase::Preparing), (_, Some(Phase::Completing))) => true,
            (Sight::Moving(_), (_, under_way)) => under_way.is_none(),
        };
        if begun || before.1.is_some() {
            self.changed = now;
        }
        match sight {
            Sight::Settled(makeup) => (self.makeup, self.under_way) = (Some(makeup), None),
            Sight::Moving(phase) => {
                if self.under_way.replace(phase).is_none() {
                    self.under_way_since = now;
                }
            }
        }
        if first {
            self.since = Some(now);
            self.times.clear();
            return true;
        }
        self.since = self.since.map(|since| since.max(now - window));
        while self.times.front().is_some_and(|time| *time <= now - window) {
            self.times.pop_front();
        }
        if begun {
            self.times.push_back(now);
            let most = usize::try_from(bounds.max_rebalances).unwrap_or(KEPT).max(KEPT);
            while self.times.len() > most {
                self.times.pop_front();
            }
        }
        before != (self.makeup, self.under_way) || begun
    }

    /// Takes note that the clock was set, forward or back.
    pub fn clock_set(&mut self, by: Millis) {
        let once = [&mut self.under_way_since, &mut self.seen, &mut self.changed].into_iter().filter(|time| **time > 0);
        once.chain(&mut self.since).chain(&mut self.times).for_each(|time| *time += by);
    }

    /// Whether there has been no end of rebalances for so long.
    pub fn unsettled_for(&self, span: Millis, now: Millis) -> bool {
        self.under_way.is_some() && now - self.under_way_since >= span
    }

    /// Whether members and assignments were not seen to change for so long.
    pub fn unchanged_for(&self, span: Millis, now: Millis) -> bool {
        now - self.changed > span
    }

    /// Whether it has been watched for so long, or for the whole window where that is less.
    pub fn watched_for(&self, span: Millis, bounds: &Bounds, now: Millis) -> bool {
        self.since.is_some_and(|since| now - since >= span.min(bounds.rebalance_window))
    }

    /// The figures at `now`; `None` while the group was never seen.
    pub fn figures(&self, bounds: &Bounds, now: Millis) -> Option<Rebalances> {
        let since = self.since?;
        let window = bounds.rebalance_window;
        let count = self.times.iter().filter(|time| **time > now - window).count();
        let score = 100.0 - count as f64 * 100.0 / f64::from(bounds.max_rebalances.max(1));
        Some(Rebalances {
            score: (now - since >= window).then(|| score.max(0.0)),
            target: f64::from(bounds.min_rebalance_score),
            count: count.try_into().unwrap_or(u32::MAX),
            window_seconds: seconds(window),
            last: self.times.back().copied().map(Timestamp),
        })
    }
}

/// What a sample shows; `None` where state or members could not be asked.
fn sight(group: &GroupObservation) -> Option<Sight> {
    match group.state? {
        GroupState::Stable | GroupState::Empty => group.members.as_deref().map(|all| Sight::Settled(makeup(all))),
        GroupState::PreparingRebalance | GroupState::Assigning => Some(Sight::Moving(Phase::Preparing)),
        GroupState::CompletingRebalance | GroupState::Reconciling => Some(Sight::Moving(Phase::Completing)),
        GroupState::Dead => None,
    }
}

/// A checksum of members and assignments that does not depend on their order.
fn makeup(members: &[Member]) -> u64 {
    let of = |member: &Member| {
        let mut sum = CHECKSUM.digest();
        sum.update(member.member_id.as_bytes());
        for (topic, partitions) in &member.assigned {
            // Neither 0xFF nor 0xFE occurs in a name.
            sum.update(&[0xFF]);
            sum.update(topic.as_bytes());
            sum.update(&[0xFE]);
            partitions.iter().for_each(|partition| sum.update(&partition.to_le_bytes()));
        }
        sum.finalize()
    };
    members.iter().map(of).fold(members.len() as u64, u64::wrapping_add)
}

static CHECKSUM: crc::Crc<u64> = crc::Crc::<u64>::new(&crc::CRC_64_XZ);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::lag::observation::GroupKind;
    use crate::lag::reason::Reason;

    const MINUTE: Millis = 60_000;

    const BOUNDS: Bounds = Bounds {
        min_compliance_percent: 95,
        min_rebalance_score: 70,
        rebalance_window: 600_000,
        max_rebalances: 10,
        max_gini_excess_percent: 30,
        stuck_window: 300_000,
    };

    fn group(state: Option<GroupState>, members: &[(&str, &[i32])]) -> GroupObservation {
        let member = |(id, partitions): &(&str, &[i32])| Member {
            member_id: (*id).into(),
            client_id: "c".into(),
            host: "h".into(),
            assigned: vec![("t".into(), partitions.to_vec())],
        };
        GroupObservation {
            id: "g".into(),
            kind: GroupKind::Classic,
            state,
            assignor: None,
            members: Some(members.iter().map(member).collect()),
            commits: Err(Reason::Timeout),
        }
    }

    fn counted(sights: &[GroupObservation]) -> u32 {
        let mut watch = Watch::default();
        for (minute, sight) in (0..).zip(sights) {
            watch.observe(sight, &BOUNDS, MINUTE, minute * MINUTE);
        }
        watch.figures(&BOUNDS, sights.len() as Millis * 60_000 - 60_000).map_or(0, |figures| figures.count)
    }

    #[test]
    fn a_clock_that_is_set_forgets_no_rebalance() {
        for by in [-3_600_000, 3_600_000] {
            let mut watch = Watch::default();
            let sights = [&[("a", &[0, 1][..])][..], &[("a", &[0]), ("b", &[1])]]
                .map(|all| group(Some(GroupState::Stable), all));
            for minute in 0..20 {
                watch.observe(&sights[usize::from(minute > 15)], &BOUNDS, MINUTE, 100 * MINUTE + minute * MINUTE);
            }
            watch.clock_set(by);
            let now = 120 * MINUTE + by;
            watch.observe(&sights[1], &BOUNDS, MINUTE, now);
            let figures = watch.figures(&BOUNDS, now).unwrap();
            assert_eq!((figures.count, figures.score), (1, Some(90.0)), "set by {by}");
        }
    }

    #[test]
    fn members_assignments_and_phases_are_rebalances_and_silence_is_none() {
        use GroupState::{CompletingRebalance, Dead, Empty, PreparingRebalance, Stable};
        let stable = |members: &[(&str, &[i32])]| group(Some(Stable), members);
        let (a, ab, ba) =
            (stable(&[("a", &[0, 1])]), stable(&[("a", &[0]), ("b", &[1])]), stable(&[("b", &[1]), ("a", &[0])]));
        let moving = |state| group(Some(state), &[("a", &[]), ("b", &[])]);
        let (preparing, completing) = (moving(PreparingRebalance), moving(CompletingRebalance));
        let unknown = group(None, &[]);
        let cases: [(&[&GroupObservation], u32); 11] = [
            (&[&a, &a, &a], 0),
            (&[&a, &ab, &ba, &a], 2),
            (&[&stable(&[("a", &[0])]), &stable(&[("a", &[1])])], 1),
            (&[&a, &preparing, &ab], 1),
            (&[&a, &preparing, &preparing, &completing, &ab], 1),
            (&[&a, &completing, &preparing, &ab], 2),
            (&[&ab, &preparing, &ab], 1),
            (&[&preparing, &completing, &ab, &ab], 0),
            (&[&a, &unknown, &a, &group(Some(Dead), &[]), &a], 0),
            (&[&a, &unknown, &ab], 1),
            (&[&a, &group(Some(Empty), &[]), &a], 2),
        ];
        for (number, (sights, expected)) in cases.into_iter().enumerate() {
            let sights: Vec<GroupObservation> = sights.iter().map(|sight| (*sight).clone()).collect();
            assert_eq!(counted(&sights), expected, "case {number}");
        }
    }

    #[test]
    fn there_is_no_score_before_a_window_and_after_a_gap_of_one() {
        let mut watch = Watch::default();
        let calm = group(Some(GroupState::Stable), &[("a", &[0])]);
        let score = |watch: &Watch, now| watch.figures(&BOUNDS, now).unwrap().score;
        for minute in 0..=10 {
            watch.observe(&calm, &BOUNDS, MINUTE, minute * MINUTE);
            assert_eq!(score(&watch, minute * 60_000), (minute == 10).then_some(100.0));
        }
        assert!(watch.observe(&calm, &BOUNDS, MINUTE, 3_600_000));
        assert_eq!(score(&watch, 3_600_000), None);
        // A longer window than was watched needs more time.
        let longer = Bounds { rebalance_window: 1_200_000, ..BOUNDS };
        watch.observe(&calm, &BOUNDS, MINUTE, 3_600_000 + 600_000);
        assert_eq!(score(&watch, 4_200_000), Some(100.0));
        assert_eq!(watch.figures(&longer, 4_200_000).unwrap().score, None);
    }

    proptest! {
        #[test]
        fn the_score_is_within_its_bounds_and_falls_by_each_rebalance(
            changes in prop::collection::vec(any::<bool>(), 1..60), max in 1..20_u32,
        ) {
            let bounds = Bounds { max_rebalances: max, ..BOUNDS };
            let (mut watch, mut member, mut expected) = (Watch::default(), 0_u32, VecDeque::new());
            for (minute, change) in (0..).zip(&changes) {
                let now = minute * 60_000;
                member += u32::from(*change);
                watch.observe(&group(Some(GroupState::Stable), &[(&member.to_string(), &[0])]), &bounds, MINUTE, now);
                if *change && minute > 0 {
                    expected.push_back(now);
                }
                expected.retain(|time| *time > now - 600_000);
                let figures = watch.figures(&bounds, now).unwrap();
                prop_assert_eq!(figures.count as usize, expected.len());
                if minute >= 10 {
                    let score = (100.0 - expected.len() as f64 * 100.0 / f64::from(max)).max(0.0);
                    prop_assert_eq!(figures.score, Some(score));
                }
            }
        }
    }
}
