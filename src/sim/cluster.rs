//! The state of the simulated cluster: brokers, topics and groups, and what tests do to them while it runs.
//!
//! Who leads a partition and who coordinates a group follows from names and from which brokers are up.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use crate::lag::{Millis, Name, Offset, Partition, TopicId};

use super::consumer::Anchor;
use super::group::{Group, Member};
use super::log::Log;

/// The number of a broker, from 0.
pub type BrokerId = i32;

/// How a broker behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Health {
    /// It answers.
    #[default]
    Up,
    /// It takes requests and never answers, and the others do not know it yet.
    Silent,
    /// It closes every connection, and the others have taken over what replicas allow.
    Down,
}

/// One topic.
#[derive(Debug, Clone)]
pub struct Topic {
    /// The topic's name.
    pub name: Name,
    /// Its id; another one when it is created again.
    pub id: TopicId,
    /// Replicas of each partition.
    pub replication_factor: usize,
    /// One log a partition, from 0.
    pub logs: Vec<Log>,
    /// Partitions that have no leader, though their brokers may be up.
    pub leaderless: Vec<Partition>,
}

#[derive(Debug, Default)]
pub(super) struct Broker {
    pub(super) port: u16,
    /// Watched by its connections, which end at once when it goes down.
    pub(super) health: watch::Sender<Health>,
    latency: Duration,
}

/// The simulated cluster.
#[derive(Debug)]
pub struct Cluster {
    pub(super) id: Name,
    pub(super) brokers: Vec<Broker>,
    pub(super) epoch: i32,
    pub(super) answered: AtomicU64,
    topics: HashMap<Name, Topic>,
    names: HashMap<TopicId, Name>,
    created: u64,
    groups: HashMap<Name, Group>,
    /// Brokers that may coordinate a group, its own one first.
    coordinators: usize,
    refused: HashSet<Name>,
}

impl Cluster {
    /// A cluster of `brokers` brokers without topics and groups; `id` is Kafka's own id of it.
    pub fn new(id: &str, brokers: usize) -> Self {
        Self {
            id: id.into(),
            brokers: (0..brokers).map(|_| Broker::default()).collect(),
            epoch: 0,
            answered: AtomicU64::new(0),
            topics: HashMap::new(),
            names: HashMap::new(),
            created: 0,
            groups: HashMap::new(),
            coordinators: brokers,
            refused: HashSet::new(),
        }
    }

    /// Creates a topic with one partition a log. One of that name is replaced by it, under a new id.
    pub fn create_topic(&mut self, name: &str, replication_factor: usize, logs: Vec<Log>) {
        self.drop_topic(name);
        self.created += 1;
        let half = |salt: u8| hash(&(name, self.created, salt)).to_be_bytes();
        let mut id = TopicId::default();
        id[..8].copy_from_slice(&half(0));
        id[8..].copy_from_slice(&half(1));
        let name: Name = name.into();
        self.names.insert(id, name.clone());
        self.topics.insert(name.clone(), Topic { name, id, replication_factor, logs, leaderless: vec![] });
    }

    /// Deletes a topic at `now` and creates it again with other logs. Committed offsets stay what they were.
    pub fn recreate_topic(&mut self, name: &str, logs: Vec<Log>, now: Millis) {
        let Some(topic) = self.topics.get(name) else { return };
        let (topic_name, replication_factor) = (topic.name.clone(), topic.replication_factor);
        for group in self.groups.values_mut() {
            let committed = |(partition, log): (usize, &Log)| {
                let partition = partition as Partition;
                let position = group.committed(name, partition, Some(log), now)?;
                Some((partition, Anchor { at: now, position }))
            };
            let kept: HashMap<_, _> = topic.logs.iter().enumerate().filter_map(committed).collect();
            if !kept.is_empty() {
                group.by_hand.insert(topic_name.clone(), kept);
            }
        }
        self.create_topic(name, replication_factor, logs);
    }

    /// Deletes a topic, and with it every offset committed on it.
    pub fn delete_topic(&mut self, name: &str) {
        self.drop_topic(name);
        self.groups.values_mut().for_each(|group| {
            group.by_hand.remove(name);
        });
    }

    /// The topic of that name.
    pub fn topic(&self, name: &str) -> Option<&Topic> {
        self.topics.get(name)
    }

    /// The topic of that name, to change its logs, and who of them has a leader; partitions may be added.
    pub fn topic_mut(&mut self, name: &str) -> Option<&mut Topic> {
        self.topics.get_mut(name)
    }

    /// The topic with that id.
    pub fn topic_by_id(&self, id: &TopicId) -> Option<&Topic> {
        self.topics.get(self.names.get(id)?)
    }

    /// Every topic.
    pub fn topics(&self) -> impl Iterator<Item = &Topic> {
        self.topics.values()
    }

    /// The log of a partition.
    pub fn log(&self, topic: &str, partition: Partition) -> Option<&Log> {
        self.topics.get(topic)?.logs.get(usize::try_from(partition).ok()?)
    }

    /// Adds a group; one of that id is replaced by it.
    pub fn add_group(&mut self, group: Group) {
        self.groups.insert(group.id.clone(), group);
    }

    /// Deletes a group with its committed offsets.
    pub fn delete_group(&mut self, id: &str) {
        self.groups.remove(id);
    }

    /// The group with that id.
    pub fn group(&self, id: &str) -> Option<&Group> {
        self.groups.get(id)
    }

    /// The group with that id, to change its topics or story.
    pub fn group_mut(&mut self, id: &str) -> Option<&mut Group> {
        self.groups.get_mut(id)
    }

    /// Requests that brokers have answered so far.
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Every group.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.values()
    }

    /// Commits `position` for a group at `now`; a group with a story reads on from there. An unknown group is created.
    pub fn commit(&mut self, group: &str, topic: &str, partition: Partition, position: Offset, now: Millis) {
        let topic = self.topics.get(topic).map_or_else(|| topic.into(), |t| t.name.clone());
        let new = || Group::without_members(group.into());
        let group = self.groups.entry(group.into()).or_insert_with(new);
        group.by_hand.entry(topic).or_default().insert(partition, Anchor { at: now, position });
    }

    /// The offset that a group has committed at `now`; `None` where it has not.
    pub fn committed(&self, group: &str, topic: &str, partition: Partition, now: Millis) -> Option<Offset> {
        self.groups.get(group)?.committed(topic, partition, self.log(topic, partition), now)
    }

    /// Every offset that a group has committed at `now`, by topic; the topics without any are left out.
    pub fn all_committed(&self, group: &Group, now: Millis) -> Vec<(Name, Vec<(Partition, Offset)>)> {
        let by_hand = group.by_hand.keys().filter(|topic| !group.topics.contains(topic));
        let offsets = |topic: &Name| {
            let logs = self.topics.get(topic).map_or(&[][..], |t| &t.logs);
            let read = 0..logs.len() as Partition;
            let set = group.by_hand.get(topic).into_iter().flat_map(HashMap::keys).copied();
            let known = read.clone().chain(set.filter(|p| !read.contains(p)));
            let committed = |p: Partition| Some((p, group.committed(topic, p, logs.get(p as usize), now)?));
            known.filter_map(committed).collect::<Vec<_>>()
        };
        let topics = group.topics.iter().chain(by_hand).map(|topic| (topic.clone(), offsets(topic)));
        topics.filter(|(_, offsets)| !offsets.is_empty()).collect()
    }

    /// The members of a group at `now`.
    pub fn members(&self, group: &Group, now: Millis) -> Vec<Member> {
        group.members(now, |topic| self.topics.get(topic).map_or(0, |t| t.logs.len()))
    }

    /// Makes a broker behave like that from now on; an unknown one is left out.
    pub fn set_health(&mut self, broker: BrokerId, health: Health) {
        self.epoch += 1;
        if let Some(broker) = self.broker_mut(broker) {
            broker.health.send_replace(health);
        }
    }

    /// Has another cluster take the place of this one, at the same addresses; what it holds is up to the caller.
    pub fn set_id(&mut self, id: &str) {
        self.id = id.into();
    }

    /// Lets a group have one coordinator only, as where the topic of the offsets has a single replica: while it is down, the
    /// group has none.
    pub fn set_one_coordinator(&mut self) {
        self.coordinators = 1;
    }

    /// Refuses to describe a topic from now on, or no more: it is in no list, and asked for by name it is not authorized.
    pub fn refuse_topic(&mut self, name: &str, refused: bool) {
        if refused {
            self.refused.insert(name.into());
        } else {
            self.refused.remove(name);
        }
    }

    pub(super) fn is_refused(&self, topic: &str) -> bool {
        self.refused.contains(topic)
    }

    /// Has a broker answer every request no earlier than `latency` of the machine's time after it came in; an unknown one is
    /// left out.
    pub fn set_latency(&mut self, broker: BrokerId, latency: Duration) {
        if let Some(broker) = self.broker_mut(broker) {
            broker.latency = latency;
        }
    }

    /// The brokers that hold a partition, the preferred leader first.
    pub(super) fn replicas(&self, topic: &Topic, partition: Partition) -> impl Iterator<Item = BrokerId> {
        self.ring(hash(&*topic.name).wrapping_add(partition.unsigned_abs().into()), topic.replication_factor)
    }

    /// The leader of a partition: the first of its replicas that is up, unless it is to have none.
    pub(super) fn leader(&self, topic: &Topic, partition: Partition) -> Option<BrokerId> {
        let first = self.replicas(topic, partition).find(|&broker| self.is_up(broker));
        first.filter(|_| !topic.leaderless.contains(&partition))
    }

    /// The coordinator of a group.
    pub(super) fn coordinator(&self, group: &str) -> Option<BrokerId> {
        self.ring(hash(group), self.coordinators).find(|&broker| self.is_up(broker))
    }

    /// Whether the cluster takes that broker for alive.
    pub(super) fn is_up(&self, broker: BrokerId) -> bool {
        self.health(broker) != Health::Down
    }

    pub(super) fn health(&self, broker: BrokerId) -> Health {
        self.broker(broker).map_or(Health::Down, |broker| *broker.health.borrow())
    }

    pub(super) fn latency(&self, broker: BrokerId) -> Duration {
        self.broker(broker).map_or(Duration::ZERO, |broker| broker.latency)
    }

    /// The brokers that are up, with their ports.
    pub(super) fn alive(&self) -> impl Iterator<Item = (BrokerId, u16)> {
        (0..).zip(&self.brokers).filter(|(id, _)| self.is_up(*id)).map(|(id, broker)| (id, broker.port))
    }

    fn broker(&self, id: BrokerId) -> Option<&Broker> {
        self.brokers.get(usize::try_from(id).ok()?)
    }

    fn broker_mut(&mut self, id: BrokerId) -> Option<&mut Broker> {
        self.brokers.get_mut(usize::try_from(id).ok()?)
    }

    fn ring(&self, first: u64, length: usize) -> impl Iterator<Item = BrokerId> + use<> {
        let brokers = self.brokers.len().max(1) as u64;
        (0..length.min(self.brokers.len()) as u64).map(move |i| (first.wrapping_add(i) % brokers) as BrokerId)
    }

    fn drop_topic(&mut self, name: &str) {
        if let Some(topic) = self.topics.remove(name) {
            self.names.remove(&topic.id);
        }
    }
}

fn hash<T: Hash + ?Sized>(value: &T) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::super::consumer::{Phase, Story};
    use super::super::log::Traffic;
    use super::*;

    fn cluster() -> Cluster {
        let mut cluster = Cluster::new("test", 3);
        cluster.create_topic("orders", 2, vec![Log::new(0, Traffic::Steady { per_second: 1.0 }); 6]);
        cluster.add_group(Group::new("g", &["orders"], Story::new(0, vec![Phase::keeps_up(1 << 40, 2)])));
        cluster
    }

    #[test]
    fn another_replica_leads_when_a_broker_goes_down_and_nobody_when_all_are() {
        let mut cluster = cluster();
        let topic = cluster.topic("orders").unwrap().clone();
        let leaders = |c: &Cluster| (0..6).map(|p| c.leader(&topic, p)).collect::<Vec<_>>();
        let before = leaders(&cluster);
        assert!((0..3).all(|b| before.contains(&Some(b))), "{before:?}");
        cluster.set_health(0, Health::Down);
        assert!(leaders(&cluster).iter().all(|l| matches!(l, Some(1 | 2))));
        cluster.set_health(1, Health::Down);
        assert_eq!(leaders(&cluster).iter().filter(|l| l.is_none()).count(), 2);
        assert_eq!(cluster.coordinator("g"), Some(2));
        cluster.set_health(2, Health::Silent);
        assert_eq!(cluster.coordinator("g"), Some(2));
    }

    #[test]
    fn a_recreated_topic_has_a_new_id_and_commits_of_its_former_life() {
        let mut cluster = cluster();
        let id = cluster.topic("orders").unwrap().id;
        cluster.recreate_topic("orders", vec![Log::new(100_000, Traffic::Idle); 6], 100_000);
        assert_ne!(cluster.topic("orders").unwrap().id, id);
        assert!(cluster.topic_by_id(&id).is_none());
        assert_eq!(cluster.committed("g", "orders", 5, 200_000), Some(100));
        cluster.delete_topic("orders");
        assert_eq!(cluster.all_committed(cluster.group("g").unwrap(), 200_000), []);
    }

    #[test]
    fn offsets_committed_by_hand_make_a_group_and_stay() {
        let mut cluster = cluster();
        cluster.commit("by-hand", "orders", 3, 17, 50_000);
        cluster.commit("by-hand", "gone", 0, 5, 50_000);
        assert_eq!(cluster.committed("by-hand", "orders", 3, 90_000), Some(17));
        assert_eq!(cluster.committed("by-hand", "orders", 2, 90_000), None);
        let mut all = cluster.all_committed(cluster.group("by-hand").unwrap(), 90_000);
        all.sort();
        assert_eq!(all, [("gone".into(), vec![(0, 5)]), ("orders".into(), vec![(3, 17)])]);
        cluster.delete_group("by-hand");
        assert_eq!(cluster.committed("by-hand", "orders", 3, 90_000), None);
    }
}
