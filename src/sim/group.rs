//! A consumer group of the simulated cluster: which topics it reads, its story, and offsets committed by hand.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::lag::{Millis, Name, Offset, Partition};

use super::consumer::{Anchor, Story};
use super::log::Log;

/// Which protocol a group speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Assignment by a member of the group.
    Classic,
    /// Assignment by the broker (KIP-848).
    Consumer,
}

/// One consumer group.
#[derive(Debug, Clone)]
pub struct Group {
    /// The group's id.
    pub id: Name,
    /// Its protocol.
    pub protocol: Protocol,
    /// The topics that it reads, every partition of each.
    pub topics: Vec<Name>,
    /// Its life; `None` for a group that only has offsets committed by hand.
    pub story: Option<Story>,
    pub(super) by_hand: HashMap<Name, HashMap<Partition, Anchor>>,
}

/// One member of a group, with what it is assigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The id that the coordinator gave it; another one after each restart.
    pub id: String,
    /// The client's name for itself.
    pub client_id: String,
    /// Partitions by topic, in the order of the group's topics.
    pub assigned: Vec<(Name, Vec<Partition>)>,
}

impl Group {
    /// A group of the classic protocol that reads `topics` and lives through `story`.
    pub fn new(id: &str, topics: &[&str], story: Story) -> Self {
        let topics = topics.iter().map(|&topic| topic.into()).collect();
        Self { topics, story: Some(story), ..Self::without_members(id.into()) }
    }

    /// A group that exists by its committed offsets alone.
    pub(super) fn without_members(id: Name) -> Self {
        Self { id, protocol: Protocol::Classic, topics: vec![], story: None, by_hand: HashMap::new() }
    }

    /// The same group on the KIP-848 protocol.
    #[must_use]
    pub fn on_consumer_protocol(self) -> Self {
        Self { protocol: Protocol::Consumer, ..self }
    }

    /// Whether it has members at `now`.
    pub fn is_running(&self, now: Millis) -> bool {
        self.story.as_ref().is_some_and(|story| story.members(now).0 > 0)
    }

    /// How often its members have changed at `now`, roughly: the epoch of a KIP-848 group.
    pub(super) fn epoch(&self, now: Millis) -> i32 {
        let since = self.story.as_ref().map_or(0, |story| story.members(now).1.max(0));
        i32::try_from(since / 1000).unwrap_or(i32::MAX)
    }

    /// The members at `now`, each with its share of the partitions: ranges, as even as they come.
    pub(super) fn members(&self, now: Millis, partitions: impl Fn(&str) -> usize) -> Vec<Member> {
        let (count, since) = self.story.as_ref().map_or((0, 0), |story| story.members(now));
        let share = |topic: &Name, index: u32| {
            let all = partitions(topic) as u64;
            let bound = |i: u32| (all * u64::from(i) / u64::from(count)) as Partition;
            (topic.clone(), (bound(index)..bound(index + 1)).collect::<Vec<_>>())
        };
        let member = |index: u32| {
            let client_id = format!("{}-{index}", self.id);
            let mut hash = DefaultHasher::new();
            (&client_id, since).hash(&mut hash);
            let id = format!("{client_id}-{:016x}", hash.finish());
            let assigned = self.topics.iter().map(|topic| share(topic, index)).filter(|(_, p)| !p.is_empty()).collect();
            Member { id, client_id, assigned }
        };
        (0..count).map(member).collect()
    }

    /// The committed offset at `now` on one partition, whose log is `log` if it exists.
    pub(super) fn committed(
        &self,
        topic: &str,
        partition: Partition,
        log: Option<&Log>,
        now: Millis,
    ) -> Option<Offset> {
        let anchor = self.by_hand.get(topic).and_then(|partitions| partitions.get(&partition)).copied();
        match (&self.story, log) {
            (Some(story), Some(log)) if self.topics.iter().any(|t| **t == *topic) => story.committed(log, anchor, now),
            _ => anchor.map(|anchor| anchor.position),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::consumer::Phase;
    use super::*;

    #[test]
    fn members_share_every_partition_and_are_others_after_a_restart() {
        let phases = vec![Phase::keeps_up(1000, 4), Phase::stopped(1000), Phase::keeps_up(1000, 4)];
        let group = Group::new("g", &["wide", "narrow"], Story::new(0, phases));
        let partitions = |topic: &str| if topic == "wide" { 10 } else { 1 };
        let members = group.members(500, partitions);
        let assigned: Vec<_> = members.iter().flat_map(|m| &m.assigned).filter(|(t, _)| **t == *"wide").collect();
        assert_eq!(assigned.iter().flat_map(|(_, p)| p).copied().collect::<Vec<_>>(), (0..10).collect::<Vec<_>>());
        assert_eq!(members.iter().flat_map(|m| &m.assigned).filter(|(t, _)| **t == *"narrow").count(), 1);
        assert_eq!(group.members(1500, partitions), []);
        assert_ne!(group.members(2500, partitions)[0].id, members[0].id);
    }
}
