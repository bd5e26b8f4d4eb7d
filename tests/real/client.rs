//! What tests do to a cluster: topics with settings, records with chosen timestamps, commits at chosen offsets.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::wait::{eventually, eventually_some};

const PATIENCE: Duration = Duration::from_secs(30);

/// A name that no other test has: `orders` becomes `orders-<process>-<number>`. For topics and groups.
pub(crate) fn unique(name: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("{name}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Milliseconds since 1970-01-01 UTC.
pub(crate) fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis().try_into().unwrap()
}

/// One way into one cluster.
pub(crate) struct Client {
    config: ClientConfig,
    admin: AdminClient<DefaultClientContext>,
}

impl Client {
    pub(crate) fn new(config: &ClientConfig) -> Self {
        Self { config: config.clone(), admin: config.create().unwrap() }
    }

    /// Creates a topic of a unique name, with Kafka's own settings such as `("cleanup.policy", "compact")`, and returns
    /// the name once every partition has a leader. Replicated as the cluster's default has it.
    pub(crate) fn topic(&self, name: &str, partitions: i32, settings: &[(&str, &str)]) -> String {
        let name = unique(name);
        self.create(&name, partitions, settings);
        name
    }

    /// Creates a topic of exactly this name: for one that is deleted and created again.
    pub(crate) fn create(&self, name: &str, partitions: i32, settings: &[(&str, &str)]) {
        self.create_as(NewTopic::new(name, partitions, TopicReplication::Fixed(-1)), settings);
    }

    /// Creates a topic of one partition that these brokers hold; the first leads, and one is enough to write to.
    pub(crate) fn place(&self, name: &str, brokers: &[i32]) {
        let replicas = [brokers];
        self.create_as(NewTopic::new(name, 1, TopicReplication::Variable(&replicas)), &[("min.insync.replicas", "1")]);
    }

    fn create_as<'a>(&self, mut topic: NewTopic<'a>, settings: &[(&'a str, &'a str)]) {
        topic.config = settings.to_vec();
        let (name, partitions) = (topic.name, topic.num_partitions);
        let created = wait_for(self.admin.create_topics([&topic], &AdminOptions::new())).unwrap();
        created.into_iter().next().unwrap().expect("the topic is created");
        eventually("every partition has a leader", PATIENCE, || {
            self.admin.inner().fetch_metadata(Some(name), PATIENCE).is_ok_and(|metadata| {
                let found = metadata.topics()[0].partitions();
                found.len() == partitions as usize && found.iter().all(|p| p.leader() >= 0 && p.error().is_none())
            })
        });
    }

    /// Gives a topic these settings, in the place of those that it was given before.
    pub(crate) fn configure(&self, topic: &str, settings: &[(&str, &str)]) {
        let mut config = AlterConfig::new(ResourceSpecifier::Topic(topic));
        for (setting, value) in settings {
            config = config.set(setting, value);
        }
        let altered = wait_for(self.admin.alter_configs([&config], &AdminOptions::new())).unwrap();
        altered.into_iter().next().unwrap().expect("the topic has other settings");
    }

    /// Deletes a topic, and returns once it is out of the metadata.
    pub(crate) fn delete(&self, name: &str) {
        let deleted = wait_for(self.admin.delete_topics(&[name], &AdminOptions::new())).unwrap();
        deleted.into_iter().next().unwrap().expect("the topic is deleted");
        eventually("the topic is gone", PATIENCE, || {
            let metadata = self.admin.inner().fetch_metadata(None, PATIENCE).unwrap();
            metadata.topics().iter().all(|topic| topic.name() != name)
        });
    }

    /// Deletes records before an offset, as retention would.
    pub(crate) fn delete_records(&self, topic: &str, partition: i32, before: i64) {
        let list = position(topic, partition, Offset::Offset(before));
        wait_for(self.admin.delete_records(&list, &AdminOptions::new())).unwrap();
    }

    /// Writes one record for each timestamp (milliseconds since 1970, UTC), in order, and returns when all are stored.
    pub(crate) fn produce(&self, topic: &str, partition: i32, timestamps: impl IntoIterator<Item = i64>) {
        let producer: BaseProducer = self.config.clone().set("linger.ms", "20").set("acks", "all").create().unwrap();
        for timestamp in timestamps {
            let mut record = BaseRecord::<(), _>::to(topic).partition(partition).payload("x").timestamp(timestamp);
            while let Err((error, back)) = producer.send(record) {
                assert_eq!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::QueueFull), "{error}");
                producer.poll(Duration::from_millis(10));
                record = back;
            }
        }
        producer.flush(PATIENCE).unwrap();
    }

    /// Commits `(partition, offset)`s for a group that nobody is a member of. A fresh coordinator is waited for.
    pub(crate) fn commit(&self, group: &str, topic: &str, offsets: &[(i32, i64)]) {
        let consumer: BaseConsumer = self.config.clone().set("group.id", group).create().unwrap();
        let mut list = TopicPartitionList::new();
        for &(partition, offset) in offsets {
            list.add_partition_offset(topic, partition, Offset::Offset(offset)).unwrap();
        }
        eventually("the commit is stored", PATIENCE, || {
            consumer.commit(&list, CommitMode::Sync).is_ok() && self.committed(group, topic, offsets.len()) == offsets
        });
    }

    /// Commits `(group, topic, offset)`s on the first partition, side by side.
    pub(crate) fn commit_each(&self, commits: &[(String, &str, i64)]) {
        for some in commits.chunks(16) {
            std::thread::scope(|scope| {
                for (group, topic, offset) in some {
                    scope.spawn(move || self.commit(group, topic, &[(0, *offset)]));
                }
            });
        }
    }

    /// The committed offsets of a group on a topic, by partition, once `at_least` partitions have one.
    pub(crate) fn committed(&self, group: &str, topic: &str, at_least: usize) -> Vec<(i32, i64)> {
        let consumer: BaseConsumer = self.config.clone().set("group.id", group).create().unwrap();
        eventually_some("the group has commits", PATIENCE, || {
            let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).ok()?;
            let mut list = TopicPartitionList::new();
            metadata.topics()[0].partitions().iter().for_each(|p| {
                list.add_partition(topic, p.id());
            });
            let answer = consumer.committed_offsets(list, PATIENCE).ok()?;
            let offsets = answer.elements().into_iter().filter_map(|e| match e.offset() {
                Offset::Offset(offset) => Some((e.partition(), offset)),
                _ => None,
            });
            let found: Vec<_> = offsets.collect();
            (found.len() >= at_least).then_some(found)
        })
    }

    /// Log start and high watermark. A leader that is being replaced is waited for.
    pub(crate) fn ends(&self, topic: &str, partition: i32) -> (i64, i64) {
        let client = self.admin.inner();
        eventually_some("the leader answers", PATIENCE, || client.fetch_watermarks(topic, partition, PATIENCE).ok())
    }

    /// The first offset whose record is at least as young as `time`; `None` where there is none.
    pub(crate) fn offset_at(&self, topic: &str, partition: i32, time: i64) -> Option<i64> {
        let consumer: BaseConsumer = self.config.create().unwrap();
        let list = position(topic, partition, Offset::Offset(time));
        let answer = consumer.offsets_for_times(list, PATIENCE).unwrap();
        match answer.elements()[0].offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        }
    }

    /// Offset and timestamp of every record that a consumer can read, transactions or not, in the order of the log.
    pub(crate) fn records(&self, topic: &str, partition: i32) -> Vec<(i64, i64)> {
        self.read(topic, partition, "read_uncommitted")
    }

    /// The same of those that are in no transaction which is open or was aborted.
    pub(crate) fn committed_records(&self, topic: &str, partition: i32) -> Vec<(i64, i64)> {
        self.read(topic, partition, "read_committed")
    }

    fn read(&self, topic: &str, partition: i32, isolation: &str) -> Vec<(i64, i64)> {
        let mut config = self.config.clone();
        config.set("group.id", unique("truth")).set("enable.partition.eof", "true").set("isolation.level", isolation);
        let consumer: BaseConsumer = config.create().unwrap();
        consumer.assign(&position(topic, partition, Offset::Beginning)).unwrap();
        let mut records = Vec::new();
        loop {
            match consumer.poll(PATIENCE).expect("the broker answers") {
                Ok(record) => records.push((record.offset(), record.timestamp().to_millis().unwrap())),
                Err(KafkaError::PartitionEOF(_)) => return records,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Adds partitions to a topic, up to `count`.
    pub(crate) fn grow(&self, topic: &str, count: usize) {
        let grown = wait_for(self.admin.create_partitions([&NewPartitions::new(topic, count)], &AdminOptions::new()));
        grown.unwrap().into_iter().next().unwrap().expect("the topic grows");
        eventually("the partitions are there", PATIENCE, || self.leaders(topic).len() == count);
    }

    /// Deletes a group that nobody is a member of.
    pub(crate) fn delete_group(&self, group: &str) {
        let deleted = wait_for(self.admin.delete_groups(&[group], &AdminOptions::new())).unwrap();
        deleted.into_iter().next().unwrap().expect("the group is deleted");
    }

    /// The id of the leader of each partition, `-1` for none.
    pub(crate) fn leaders(&self, topic: &str) -> HashMap<i32, i32> {
        let metadata = self.admin.inner().fetch_metadata(Some(topic), PATIENCE).unwrap();
        metadata.topics()[0].partitions().iter().map(|p| (p.id(), p.leader())).collect()
    }

    /// The brokers that hold all of the first partition.
    pub(crate) fn in_sync(&self, topic: &str) -> Vec<i32> {
        let metadata = self.admin.inner().fetch_metadata(Some(topic), PATIENCE).unwrap();
        metadata.topics()[0].partitions()[0].isr().to_vec()
    }

    /// How this client connects, to build another one from.
    pub(crate) fn config(&self) -> ClientConfig {
        self.config.clone()
    }
}

fn position(topic: &str, partition: i32, offset: Offset) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, offset).unwrap();
    list
}

fn wait_for<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}
