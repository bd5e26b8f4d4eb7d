//! What is remembered of one group as a whole: rebalances, error budget, alerts, stuck partitions. It is stored as it is.

use serde::{Deserialize, Serialize};

use super::alert::Alerts;
use super::budget::Spending;
use super::progress::Commit;
use super::rebalance::Watch;
use super::replicas::Crew;
use super::report::GroupTopic;
use super::{Millis, Name, Offset, Partition};

/// One group as a whole.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Conduct {
    /// Its rebalances.
    pub rebalances: Watch,
    /// Its error budget.
    pub spending: Spending,
    /// What is not all right.
    pub alerts: Alerts,
    /// Its stuck partitions at the last sample, sorted by topic and partition.
    pub stuck: Vec<Stuck>,
    /// What was seen of its members while it had some.
    pub crew: Crew,
    /// Whether something that must survive a restart has changed since it was last stored.
    #[serde(skip)]
    pub unsaved: bool,
}

/// A stuck partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stuck {
    /// The topic.
    pub topic: Name,
    /// The partition.
    pub partition: Partition,
    /// The committed offset that does not move.
    pub committed: Offset,
    /// Since when something readable waits there, unread.
    pub since: Millis,
}

impl Conduct {
    /// Gives the partitions of a topic, of which nothing is known since a restart, what is known of its stuck ones.
    pub fn restore(&self, topic: &str, partitions: &mut Vec<Commit>, now: Millis) {
        for stuck in self.stuck.iter().filter(|stuck| &*stuck.topic == topic) {
            let Ok(index) = usize::try_from(stuck.partition) else { continue };
            if partitions.len() <= index {
                partitions.resize_with(index + 1, Commit::default);
            }
            if let Some(commit) = partitions.get_mut(index) {
                commit.stuck_again(stuck.committed, stuck.since, now);
            }
        }
    }

    /// Takes note that the clock was set, forward or back, and shows `now`.
    pub fn clock_set(&mut self, by: Millis, now: Millis) {
        self.rebalances.clock_set(by);
        self.spending.clock_set(by, now);
        self.stuck.iter_mut().for_each(|stuck| stuck.since += by);
        self.unsaved = true;
    }

    /// Takes note of the partitions of a report that are stuck at `now`.
    pub fn note_stuck<'a>(&mut self, topics: impl Iterator<Item = &'a GroupTopic>, now: Millis) {
        let (mut known, mut same) = (self.stuck.iter(), true);
        let mut found = Vec::new();
        for topic in topics {
            for partition in topic.partitions.iter().flatten() {
                let (Some(age), Some(committed)) = (partition.stuck_seconds, partition.committed_offset) else {
                    continue;
                };
                let place = (&topic.topic, partition.partition, committed);
                let before = known.next().filter(|stuck| (&stuck.topic, stuck.partition, stuck.committed) == place);
                same &= before.is_some();
                let since = before.map_or(now - (age * 1e3).round() as Millis, |stuck| stuck.since);
                found.push(Stuck { topic: topic.topic.clone(), partition: partition.partition, committed, since });
            }
        }
        if !same || known.next().is_some() {
            self.stuck = found;
            self.unsaved = true;
        }
    }
}
