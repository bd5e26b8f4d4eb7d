//! What is measured on: topics, records and committed offsets, on a simulated cluster and on a real one.

use std::io::BufRead;
use std::str::FromStr;
use std::time::{Duration, Instant};

use highwater::clock::Clock;
use highwater::sim::Sim;
use highwater::sim::cluster::Cluster;
use highwater::sim::consumer::{Phase, Story};
use highwater::sim::group::Group;
use highwater::sim::log::{Log, Traffic};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::{ClientConfig, FromClientConfig};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};

/// What the names of all groups and of all topics begin with.
pub(crate) const GROUPS: &str = "scale-group-";
pub(crate) const TOPICS: &str = "scale-topic-";

/// Partitions of a topic. Each group reads one topic, and so has as many committed offsets.
const PARTITIONS: i32 = 100;

/// Records of a partition of a real cluster, at most.
const RECORDS: i64 = 10;

/// Records a second on each partition of a simulated cluster, and milliseconds between two commits.
const RATE: f64 = 10.0;
const COMMITS: i64 = 100;

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// How much there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) groups: usize,
    pub(crate) topics: usize,
}

impl Size {
    pub(crate) const TENTH: Self = Self { groups: 100, topics: 10 };
    pub(crate) const ONE: Self = Self { groups: 1_000, topics: 100 };
    pub(crate) const TEN: Self = Self { groups: 10_000, topics: 500 };

    pub(crate) fn name(self) -> &'static str {
        match self.groups {
            100 => "0.1",
            1_000 => "1",
            _ => "10",
        }
    }

    pub(crate) fn commits(self) -> usize {
        self.groups * PARTITIONS as usize
    }

    pub(crate) fn partitions(self) -> usize {
        self.topics * PARTITIONS as usize
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        [Self::TENTH, Self::ONE, Self::TEN].into_iter().find(|size| size.name() == name).ok_or(name.to_owned())
    }
}

/// Is a simulated cluster of three brokers until standard input ends; each line there asks for the requests so far.
pub(crate) fn simulate(size: Size) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let clock = Clock::wall();
    let sim = runtime.block_on(Sim::start(cluster(size, clock.now()), clock)).unwrap();
    println!("{}", sim.bootstrap().join(","));
    for _ in std::io::stdin().lock().lines() {
        println!("{}", sim.cluster().answered());
    }
}

/// Topics with ten records a second on each partition for a week. Of ten groups seven keep up and one reads too slowly; these
/// commit ten times a second, so that every one of their offsets moves between two samples. Two have stopped.
fn cluster(size: Size, now: i64) -> Cluster {
    let mut cluster = Cluster::new("scale", 3);
    for topic in 0..size.topics {
        let logs = (0..PARTITIONS)
            .map(|partition| Log::new(now - 7 * DAY + i64::from(partition) * 7, Traffic::Steady { per_second: RATE }));
        cluster.create_topic(&format!("{TOPICS}{topic:04}"), 3, logs.collect());
    }
    for group in 0..size.groups {
        let since = now - 6 * DAY - group as i64 % 97 * 1_000;
        let story = match group % 10 {
            0..7 => Story::new(since, vec![Phase::keeps_up(365 * DAY, 4)]).committing_every(COMMITS),
            7 => Story::new(since, vec![Phase::reads(365 * DAY, 4, RATE * 0.99)]).committing_every(COMMITS),
            _ => Story::new(since, vec![Phase::keeps_up(6 * DAY - group as i64 % 89 * HOUR, 4)]),
        };
        let topic = format!("{TOPICS}{:04}", group % size.topics);
        cluster.add_group(Group::new(&format!("{GROUPS}{group:05}"), &[topic.as_str()], story));
    }
    cluster
}

/// Makes topics, records and commits on a real cluster of one broker, where they are not there yet.
pub(crate) fn fill(broker: &str, size: Size) {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker).set("linger.ms", "100").set("queue.buffering.max.messages", "2000000");
    let producer = BaseProducer::from_config(&config).unwrap();
    let there = producer.client().fetch_metadata(None, super::PATIENCE).unwrap();
    if there.topics().iter().any(|topic| topic.name().starts_with(TOPICS)) {
        return;
    }
    let topics: Vec<String> = (0..size.topics).map(|topic| format!("{TOPICS}{topic:04}")).collect();
    create(&config, &topics);
    for topic in &topics {
        for record in 0..RECORDS {
            for partition in 0..PARTITIONS {
                let (key, payload) = (record.to_be_bytes(), [b'x'; 20]);
                let mut record = BaseRecord::to(topic).partition(partition).key(&key).payload(&payload);
                while let Err((_, back)) = producer.send(record) {
                    producer.poll(Duration::from_millis(100));
                    record = back;
                }
            }
        }
        producer.poll(Duration::ZERO);
    }
    producer.flush(super::PATIENCE).unwrap();
    for (group, topic) in (0..size.groups).zip(topics.iter().cycle()) {
        commit(&config, group, topic);
    }
}

fn create(config: &ClientConfig, topics: &[String]) {
    let admin = AdminClient::<DefaultClientContext>::from_config(config).unwrap();
    let new = topics.iter().map(|topic| {
        let new = NewTopic::new(topic, PARTITIONS, TopicReplication::Fixed(1));
        new.set("segment.bytes", "1048576").set("segment.index.bytes", "1024").set("retention.ms", "-1")
    });
    let new: Vec<_> = new.collect();
    let options = AdminOptions::new().operation_timeout(Some(super::PATIENCE)).request_timeout(Some(super::PATIENCE));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for some in new.chunks(5) {
        let created = runtime.block_on(admin.create_topics(some, &options)).unwrap();
        created.into_iter().for_each(|topic| drop(topic.unwrap()));
    }
}

/// Commits for a group, so that it lags by up to all records of each partition.
fn commit(config: &ClientConfig, group: usize, topic: &str) {
    let mut config = config.clone();
    config.set("group.id", format!("{GROUPS}{group:05}")).set("enable.auto.commit", "false");
    let consumer: BaseConsumer = BaseConsumer::from_config(&config).unwrap();
    let mut list = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        let offset = (group as i64 * 7 + i64::from(partition)) % (RECORDS + 1);
        list.add_partition_offset(topic, partition, Offset::Offset(offset)).unwrap();
    }
    let begun = Instant::now();
    while let Err(error) = consumer.commit(&list, CommitMode::Sync) {
        assert!(begun.elapsed() < super::PATIENCE, "{error}");
        std::thread::sleep(Duration::from_millis(200));
    }
}
