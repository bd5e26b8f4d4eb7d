//! How many members would keep up with what is written, from the rates that were measured.
//!
//! What one member can read shows only while it has enough to read; it is remembered from then. More members than
//! partitions are never advised: those beyond have nothing to read.

use serde::{Deserialize, Serialize};

use super::advice::{count, span};
use super::judge::seconds;
use super::observation::GroupState;
use super::policy::Policy;
use super::report::{Group, GroupPartition, GroupTopic, Member, Partitions, ReplicaReason, Replicas};

/// What is advised beyond the rates, so that a busier minute is not a lag at once.
const HEADROOM: f64 = 1.2;

/// Intervals for which something must have waited before the rate is that of members who have enough to read.
const BUSY: f64 = 2.0;

/// What was seen of a group's members while it had some.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Crew {
    /// How many had a partition when any had one last; 0 before that was seen.
    pub size: u32,
    /// Records a second that one of them reads when it has enough to read, once that was seen.
    pub rate: Option<f64>,
}

/// What the last samples showed of a group's members.
#[derive(Debug, Clone, Copy)]
pub struct Lately {
    /// The group had the same members for as long as its rates are measured over.
    pub calm: bool,
    /// Nobody has been in it for so long that this is no moment between two generations of members.
    pub deserted: bool,
}

/// The advice for a group, and what is known of its members, which the caller remembers.
///
/// `None` where something of the group is not known: members or committed offsets could not be read, a figure is missing or
/// not of this sample, or a member has partitions of a topic that is not watched. What there is would advise a smaller
/// group than the whole asks for, and an autoscaler that gets no number holds what it has, or does what its owner wrote
/// for that.
///
/// Where no member has a partition, what is told starts a group that was scaled to none, and makes one no smaller of which
/// all members have crashed:
///
/// - by the rates, where they were measured: they do not depend on who is there now;
/// - else `None` in the middle of a rebalance: how many get partitions is not decided yet;
/// - else as many as there were last, which is remembered over a restart: a crash is no reason to run fewer;
/// - else, where no member was ever seen, `None` until nobody has been there for long, and then one. It is never 0, with
///   which nobody could begin to read.
pub fn replicas(group: &Group, crew: Crew, lately: Lately, policy: &Policy) -> (Option<Replicas>, Crew) {
    let topics = group.topics.as_deref().unwrap_or_default();
    let read = || group.topics_read();
    let Some(members) = group.members.as_ref().filter(|_| read().next().is_some()) else { return (None, crew) };
    let assigned = |member: &&Member| member.assigned.iter().any(|some| !some.partitions.is_empty());
    let current = members.iter().filter(assigned).count().try_into().unwrap_or(u32::MAX);
    let settled = group.group_state == Some(GroupState::Stable);
    let size = if settled && current > 0 { current } else { crew.size };
    let useful = useful(group.assignor.as_deref(), topics).max(1);
    let sum = |rate: fn(&GroupTopic) -> Option<f64>| read().map(rate).reduce(|a, b| Some(a? + b?)).flatten();
    let (consumed, produced) = (sum(|topic| topic.consume_rate), sum(|topic| topic.produce_rate));
    let long = BUSY * seconds(policy.interval);
    let waited = group.max_lag_seconds.unwrap_or(0.0) >= long;
    // Where only a few partitions wait, most members have nothing to read, and their rate is that of the producers.
    let busy = topics.iter().any(|topic| topic.p50_lag_seconds.is_some_and(|median| median >= long));
    let measured =
        consumed.filter(|rate| lately.calm && busy && current > 0 && *rate > 0.0).map(|rate| rate / f64::from(current));
    let crew = Crew { size, rate: measured.or(crew.rate) };
    if unseen(group).is_some() {
        return (None, crew);
    }
    let waiting = read().filter_map(|topic| topic.total_lag_records).fold(0, i64::saturating_add);
    let all = members.len();
    let (moving, deserted) = (all > 0 && (current == 0 || !settled), lately.deserted);
    let sight = Sight { current, useful, all, waiting, waited, produced, crew, moving, deserted };
    let stuck = group.health.stuck_partitions.is_some_and(|stuck| stuck > 0);
    let drain = seconds(policy.online_threshold);
    (sight.advice(stuck, drain), crew)
}

/// What of a group could not be seen in this sample, though it reads there: in words, where there is something.
pub fn unseen(group: &Group) -> Option<String> {
    let topics = group.topics.as_deref().unwrap_or_default();
    let silent = |line: &GroupPartition<'_>| match line.committed_offset {
        Some(_) => line.stale_seconds.is_some() || line.lag_records.is_none() || line.lag_seconds.is_none(),
        None => line.method.is_none(),
    };
    let lines = topics.iter().flat_map(|topic| topic.partitions.iter().flatten().map(move |line| (topic, line)));
    if let Some((topic, line)) = lines.into_iter().find(|(_, line)| silent(line)) {
        return Some(format!("partition {} of topic {} was not answered", line.partition, topic.topic));
    }
    let assigned = group.members.iter().flatten().flat_map(|member| &member.assigned);
    let mut elsewhere = assigned.filter(|some| topics.binary_search_by(|topic| topic.topic.cmp(&some.topic)).is_err());
    elsewhere
        .next()
        .map(|some| format!("its members have partitions of topic {}, which the LagMonitor does not watch", some.topic))
}

/// The most members that have a partition: `range` hands out each topic for itself, the others all of them together.
fn useful(assignor: Option<&str>, topics: &[GroupTopic]) -> u32 {
    let counts = topics
        .iter()
        .filter(|topic| !topic.abandoned)
        .map(|topic| topic.partitions.as_ref().map_or(0, Partitions::len));
    let together = assignor.is_some_and(|assignor| assignor != "range");
    let useful = if together { counts.sum() } else { counts.max().unwrap_or(0) };
    useful.try_into().unwrap_or(u32::MAX)
}

struct Sight {
    current: u32,
    useful: u32,
    all: usize,
    waiting: i64,
    waited: bool,
    produced: Option<f64>,
    crew: Crew,
    /// Who gets which partitions is being decided.
    moving: bool,
    deserted: bool,
}

impl Sight {
    fn advice(&self, stuck: bool, drain: f64) -> Option<Replicas> {
        let wanted = self.wanted(drain);
        if self.moving && (stuck || wanted.is_none()) {
            return None;
        }
        if self.current > 0 {
            return Some(self.change(wanted, stuck, drain));
        }
        let (advised, why) = match (wanted, self.crew.size) {
            (Some(wanted), _) => (wanted, format!("no member has a partition; {}", self.sum(wanted, drain))),
            (None, 0) if !self.deserted => return None,
            (None, 0) => (1, "no member has a partition, and none ever had".to_owned()),
            (None, size) => (size, format!("no member has a partition; {size} had when any had one last")),
        };
        Some(self.told(advised.clamp(1, self.useful), ReplicaReason::NoMembers, why))
    }

    /// The advice for a group whose members have partitions.
    fn change(&self, wanted: Option<u32>, stuck: bool, drain: f64) -> Replicas {
        let Self { current, useful, .. } = *self;
        let stay = current.clamp(1, useful);
        if stuck {
            let why = "partitions are stuck, and more members would not move them".to_owned();
            return self.told(stay, ReplicaReason::Stuck, why);
        }
        if wanted.is_none_or(|wanted| wanted >= useful) && self.all > useful as usize {
            let why = format!("{} members, and no more than {useful} can have a partition", self.all);
            return self.told(useful, ReplicaReason::IdleMembers, why);
        }
        match wanted {
            Some(wanted) if wanted > useful => {
                let why = format!(
                    "{}, but no more than {useful} can have a partition: add partitions",
                    self.sum(wanted, drain)
                );
                self.told(useful, ReplicaReason::PartitionLimit, why)
            }
            Some(wanted) => self.told(wanted, ReplicaReason::Measured, self.sum(wanted, drain)),
            None if self.waited => {
                self.told(stay, ReplicaReason::NotMeasured, "it is behind, and its rates are not known yet".to_owned())
            }
            None => {
                let why = "it keeps up, and what one member can read was not seen yet".to_owned();
                self.told(stay, ReplicaReason::KeepsUp, why)
            }
        }
    }

    /// Members enough to read what is written, with headroom, and what waits within `drain` seconds.
    fn wanted(&self, drain: f64) -> Option<u32> {
        let (rate, produced) = (self.crew.rate?, self.produced?);
        let wanted = ((produced * HEADROOM + self.waiting as f64 / drain.max(1.0)) / rate).ceil();
        wanted.is_finite().then(|| wanted.clamp(1.0, f64::from(u32::MAX)) as u32)
    }

    fn sum(&self, wanted: u32, drain: f64) -> String {
        let (rate, produced) = (self.crew.rate.unwrap_or(0.0), self.produced.unwrap_or(0.0));
        format!(
            "{produced:.1} records/s are written and {waiting} wait, one member reads {rate:.1} records/s: {wanted} would keep up \
             with a fifth to spare and read what waits within {drain}",
            waiting = count(self.waiting),
            drain = span(drain),
        )
    }

    fn told(&self, advised: u32, reason: ReplicaReason, reasoning: String) -> Replicas {
        let (current, useful, member_rate) = (self.current, self.useful, self.crew.rate);
        Replicas { advised, current, useful, member_rate, reason, reasoning }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sight(current: u32, waiting: i64, produced: Option<f64>, rate: Option<f64>) -> Sight {
        let (crew, all, waited) = (Crew { size: current, rate }, current as usize, waiting > 0);
        Sight { current, useful: 6, all, waiting, waited, produced, crew, moving: false, deserted: false }
    }

    #[test]
    fn each_reason_has_its_case() {
        use ReplicaReason::{IdleMembers, KeepsUp, Measured, NoMembers, NotMeasured, PartitionLimit, Stuck};
        let crowded = Sight { all: 9, ..sight(6, 0, None, None) };
        let crashed = |size| Sight { crew: Crew { size, rate: None }, ..sight(0, 1, None, None) };
        let never = Sight { deserted: true, ..sight(0, 1, None, None) };
        for (sight, stuck, advised, reason) in [
            (sight(2, 0, Some(50.0), None), false, 2, KeepsUp),
            (sight(2, 9, Some(50.0), None), false, 2, NotMeasured),
            // 50 × 1.2 + 600 / 600 = 61 records a second.
            (sight(2, 600, Some(50.0), Some(20.0)), false, 4, Measured),
            (sight(5, 0, Some(50.0), Some(20.0)), false, 3, Measured),
            (sight(2, 60_000, Some(50.0), Some(20.0)), false, 6, PartitionLimit),
            (sight(2, 60_000, Some(50.0), Some(20.0)), true, 2, Stuck),
            (sight(0, 60_000, Some(0.0), Some(20.0)), true, 5, NoMembers),
            (crashed(4), false, 4, NoMembers),
            (crashed(9), false, 6, NoMembers),
            (never, false, 1, NoMembers),
            (crowded, false, 6, IdleMembers),
        ] {
            let found = sight.advice(stuck, 600.0).unwrap();
            assert_eq!((found.advised, found.reason), (advised, reason), "{}", found.reasoning);
        }
        let joining = Sight { moving: true, ..sight(2, 9, Some(50.0), None) };
        assert_eq!(joining.advice(false, 600.0), None, "who gets partitions is not decided yet");
        let joining = Sight { moving: true, ..sight(2, 600, Some(50.0), Some(20.0)) };
        assert_eq!(joining.advice(false, 600.0).unwrap().advised, 4);
        assert_eq!(joining.advice(true, 600.0), None, "as many as there are would be fewer");
        assert_eq!(sight(0, 1, None, None).advice(false, 600.0), None, "nothing is known of its members");
        let told = sight(2, 1_600, Some(50.0), Some(20.0)).advice(false, 600.0).unwrap().reasoning;
        let expected = "50.0 records/s are written and 1,600 wait, one member reads 20.0 records/s: 4 would keep up with a \
                        fifth to spare and read what waits within 10 min";
        assert_eq!(told, expected);
    }

    proptest! {
        #[test]
        fn it_is_at_least_one_and_never_more_than_can_have_a_partition(
            current in 0..40_u32, useful in 1..40_u32, waiting in 0..i64::MAX, stuck in any::<bool>(),
            produced in prop::option::of(0.0..1e12), rate in prop::option::of(1e-9..1e9),
        ) {
            let sight = Sight { useful, ..sight(current.min(useful), waiting, produced, rate) };
            let advised = sight.advice(stuck, 600.0).map(|advice| advice.advised);
            let known = current > 0 || produced.is_some() && rate.is_some();
            prop_assert_eq!(advised.is_some(), known);
            prop_assert!(advised.is_none_or(|advised| (1..=useful).contains(&advised)));
        }

        #[test]
        fn when_all_members_are_gone_no_fewer_are_advised_than_while_they_were_there(
            size in 1..=6_u32, waiting in 0..1_000_000_i64, produced in prop::option::of(0.0..1e4), rate in prop::option::of(1.0..1e3),
        ) {
            let there = sight(size, waiting, produced, rate).advice(false, 600.0).unwrap().advised;
            let gone = Sight { current: 0, all: 0, ..sight(size, waiting, produced, rate) };
            prop_assert_eq!(gone.advice(false, 600.0).unwrap().advised, there);
        }

        #[test]
        fn more_that_waits_or_is_written_never_asks_for_fewer(
            waiting in 0..1_000_000_i64, more in 0..1_000_000_i64, produced in 0.0..1e4, extra in 0.0..1e4, rate in 1.0..1e3,
        ) {
            let advice = |waiting, produced| sight(3, waiting, Some(produced), Some(rate)).advice(false, 600.0);
            let advised = |waiting, produced| advice(waiting, produced).unwrap().advised;
            prop_assert!(advised(waiting, produced) <= advised(waiting + more, produced + extra));
        }
    }
}
