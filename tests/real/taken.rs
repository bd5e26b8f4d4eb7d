//! What is taken from groups on three brokers, or kept from them: records by retention, a group by who deletes it, a
//! partition that nobody reads, records by transactions. Each costs only itself, and every age is true.
//!
//! All goes on side by side, before one Highwater with two monitors: `all`, and `committed` with `ReadCommitted`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::{Value, json};

use crate::changes::{Came, HALF, RECORDS, Topic, each, is_exact, is_read, is_whole};
use crate::client::{Client, now, unique};
use crate::consumer::LiveConsumer;
use crate::kafka::Three;
use crate::monitor::{Monitor, PATIENCE, document};
use crate::oddities::{transaction, write};
use crate::producer::LiveProducer;
use crate::shapes::{DAY, HOUR, MINUTE, SECOND};
use crate::truth::{generated, group, line, topic};
use crate::wait::eventually;

/// The monitors.
const ALL: &str = "all";
const COMMITTED: &str = "committed";

/// Records of one transaction on each partition: with its marker, more than a tail may have that nobody can read.
const HIDDEN: i64 = 3;

/// Settings of a topic that has a new segment after an hour, by the timestamps, and keeps every one for so long.
fn kept_for(time: &str) -> [(&str, &str); 2] {
    [("segment.ms", "3600000"), ("retention.ms", time)]
}

/// What is there before anything is taken, and who looks.
struct Stage {
    client: Client,
    monitor: Monitor,
    prefix: String,
    /// A group without members that stays in the middle of the first records of every topic.
    waiting: String,
    calm: Topic,
    expiring: Topic,
    left: Topic,
    hiding: Topic,
}

impl Stage {
    fn start(kafka: &Three) -> Self {
        let (client, prefix) = (kafka.client(), unique("taken"));
        let written = |name: &str| {
            let time = |partition: i64, n: i64| now() - (partition + 1) * HOUR + n * MINUTE;
            Topic::written(&client, &format!("{prefix}-{name}"), &[], time)
        };
        let [calm, left, hiding] = ["calm", "left", "hiding"].map(written);
        let expiring = expiring(&client, &format!("{prefix}-expiring"));
        let waiting = format!("{prefix}-waiting");
        for topic in [&calm, &expiring, &left, &hiding] {
            client.commit(&waiting, &topic.name, &each(HALF));
        }
        let brokers = kafka.bootstrap.replace(',', "\", \"");
        let [all, committed] = [ALL, COMMITTED].map(|name| {
            let more = if name == COMMITTED { "isolationLevel: ReadCommitted, " } else { "" };
            let text = document(name, &brokers, &prefix)
                .replace("sampling: { ", &format!("sampling: {{ {more}"))
                .replace("offlineAfter: 10s", "offlineAfter: 5s");
            text + "  slo: { maxLag: 10m, stuckWindow: 10s }\n"
        });
        let monitor = Monitor::start(&[("all.yaml", &all), ("committed.yaml", &committed)], &[]);
        let stage = Self { client, monitor, prefix, waiting, calm, expiring, left, hiding };
        for name in [ALL, COMMITTED] {
            stage.monitor.reports(name, "all is seen", |report| {
                let topics = [&stage.calm, &stage.expiring, &stage.left, &stage.hiding];
                let exact = |topic: &Topic| topic.compared(report, &stage.waiting).iter().all(is_exact);
                is_whole(report) && topics.into_iter().all(exact)
            });
        }
        stage
    }

    fn group(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }

    /// Waits for a report of a monitor; what nothing happens to is right in every one on the way.
    #[track_caller]
    fn watch(&self, name: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        self.monitor.reports(name, what, |report| {
            self.calm.assert_waits(report, &self.waiting, HALF);
            holds(report)
        })
    }

    /// The report of a monitor's first sample that begins after this moment.
    #[track_caller]
    fn sampled_after(&self, name: &str, time: i64) -> Value {
        let report = self.monitor.sampled_after(name, time);
        self.calm.assert_waits(&report, &self.waiting, HALF);
        report
    }
}

/// A topic whose first records are a segment of their own, and a day old; as many are of this hour.
fn expiring(client: &Client, name: &str) -> Topic {
    let old = |partition: i64, n: i64| now() - DAY - partition * HOUR + n * MINUTE;
    let mut topic = Topic::written(client, name, &kept_for("-1"), old);
    for (partition, records) in (0_i32..).zip(&mut topic.records) {
        let young = (0..RECORDS).map(|n| now() - (i64::from(partition) + 1) * 10 * MINUTE + n * SECOND);
        let young: Vec<i64> = young.collect();
        client.produce(&topic.name, partition, young.iter().copied());
        records.extend((RECORDS..).zip(young));
    }
    topic
}

#[test]
fn what_is_taken_from_groups_on_three_brokers_costs_only_itself_and_ages_are_true() {
    let kafka = Three::start();
    let stage = &Stage::start(&kafka);
    let stories: [fn(&Stage); 4] =
        [retention_passes_a_commit, groups_are_deleted, a_partition_is_left, transactions_hide_records];
    thread::scope(|scope| {
        for story in stories {
            scope.spawn(move || story(stage));
        }
    });
    for name in [ALL, COMMITTED] {
        stage.watch(name, "all is seen in the end", is_whole);
    }
}

fn retention_passes_a_commit(stage: &Stage) {
    let Stage { client, waiting, expiring, .. } = stage;
    let survivors = expiring.records.each_ref().map(|records| records[RECORDS as usize..].to_vec());
    let survivors = Topic { name: expiring.name.clone(), records: survivors };
    client.configure(&expiring.name, &kept_for("43200000"));
    // Each broker looks for itself what is to go.
    let report = stage.watch(ALL, "the old records are gone from every partition", |report| {
        let both = expiring.compared(report, waiting).into_iter().zip(survivors.compared(report, waiting));
        let passed = both.map(|(before, after)| {
            let told = ["log_start_offset", "lag_records", "records_lost"].map(|name| before.line[name].as_i64());
            let passed = told[0] != Some(0);
            let (expected, compared) = match passed {
                false => ([0, 2 * RECORDS - HALF, 0], before),
                true => ([RECORDS, RECORDS, RECORDS - HALF], after),
            };
            assert_eq!(told, expected.map(Some), "{compared:#?}");
            assert!(is_exact(&compared), "{compared:#?}");
            passed
        });
        // All three are looked at, whether the first has passed or not.
        passed.filter(|passed| *passed).count() == 3
    });
    for (partition, records) in (0..).zip(&survivors.records) {
        assert_eq!(&client.records(&expiring.name, partition), records, "what Kafka has kept: {report:#}");
    }
    let found = topic(&report, waiting, &expiring.name).unwrap();
    assert_eq!((&found["state"], &found["total_lag_records"]), (&json!("OFFLINE"), &json!(3 * RECORDS)), "{found:#}");
}

/// The series of a group at a monitor.
fn series<'a>(metrics: &'a str, monitor: &str, group: &str) -> BTreeSet<&'a str> {
    let labels = [format!("cluster_name=\"default/{monitor}\""), format!("group=\"{group}\"")];
    metrics.lines().filter(|line| labels.iter().all(|label| line.contains(label.as_str()))).collect()
}

fn groups_are_deleted(stage: &Stage) {
    let (client, name) = (&stage.client, &*stage.calm.name);
    // They have more than one coordinator.
    let [gone, kept] = ["gone", "kept"].map(|kind| [0, 1, 2, 3].map(|n| stage.group(&format!("{kind}-{n}"))));
    for group in gone.iter().chain(&kept) {
        client.commit(group, name, &each(HALF));
    }
    let live = stage.group("live");
    let [_stays, leaves] = [&live, &gone[0]].map(|group| LiveConsumer::start(&client.config(), group, name, 500));
    let at_end = |report: &Value, group: &str| is_read(report, group, name, &[RECORDS; 3]);
    stage.watch(ALL, "two are at work", |report| at_end(report, &live) && at_end(report, &gone[0]));
    leaves.stop();
    let [before, _] = [ALL, COMMITTED].map(|name| {
        stage.watch(name, "nobody is a member of what is deleted", |report| {
            let empty = |id: &String| group(report, id).is_some_and(|found| found["group_state"] == "Empty");
            gone.iter().chain(&kept).all(empty)
        })
    });
    let metrics = stage.monitor.get("/metrics").1;
    assert!(gone.iter().all(|group| !series(&metrics, ALL, group).is_empty()), "{gone:?}: {metrics}");

    gone.iter().for_each(|group| client.delete_group(group));
    let deleted = now();
    for monitor in [ALL, COMMITTED] {
        let report = stage.sampled_after(monitor, deleted);
        let metrics = stage.monitor.get("/metrics").1;
        for id in &gone {
            assert!(group(&report, id).is_none(), "{id} is in {report:#}");
            assert_eq!(series(&metrics, monitor, id), BTreeSet::new());
        }
        for id in &kept {
            let [then, found] = [&before, &report].map(|report| topic(report, id, name).unwrap());
            assert_eq!((&found["state"], &found["total_lag_records"]), (&then["state"], &json!(3 * HALF)), "{found:#}");
            let lag = |line: &&str| line.starts_with("kafka_consumergroup_group_lag{") && line.ends_with(" 10");
            assert_eq!(series(&metrics, monitor, id).into_iter().filter(lag).count(), 3, "{metrics}");
        }
        assert!(at_end(&report, &live), "{report:#}");
        assert!(group(&report, &live).unwrap()["members"].as_array().is_some_and(|all| all.len() == 1), "{report:#}");
    }
}

/// A consumer that was told by hand which partitions to read: it is a member of nothing, and commits what it has read.
struct ByHand {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl ByHand {
    fn start(client: &Client, group: &str, topic: &str, partitions: &[i32]) -> Self {
        let mut config = client.config();
        config.set("group.id", group).set("enable.auto.commit", "false");
        let consumer: BaseConsumer = config.create().unwrap();
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            list.add_partition_offset(topic, *partition, Offset::Stored).unwrap();
        }
        consumer.assign(&list).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                if let Some(Ok(record)) = consumer.poll(Duration::from_millis(50)) {
                    consumer.commit_message(&record, CommitMode::Async).ok();
                }
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for ByHand {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

fn a_partition_is_left(stage: &Stage) {
    let (client, left, reader) = (&stage.client, &stage.left, stage.group("by-hand"));
    client.commit(&reader, &left.name, &each(HALF));
    let _producer = LiveProducer::start(&client.config(), &left.name, 10);
    let _two = ByHand::start(client, &reader, &left.name, &[0, 1]);
    let oldest = |report: &Value| line(report, &reader, &left.name, 2)["lag_seconds"].as_f64();
    let found = |report: &Value| topic(report, &reader, &left.name).cloned();
    let over = |found: &Value| found["slo"]["breaching"].as_i64();
    stage.watch(ALL, "for a while it may be read again, and counts", |report| {
        let Some(found) = found(report).filter(|found| found["abandoned_partitions"] == 0) else { return false };
        assert!(found["max_lag_seconds"].as_f64() == oldest(report) && over(&found) >= Some(1), "{found:#}");
        true
    });
    let report = stage.watch(ALL, "nobody reads it, and others go on", |report| {
        found(report).is_some_and(|found| found["abandoned_partitions"] == 1 && found["state"] == "ONLINE")
    });
    let [_, _, compared] = left.compared(&report, &reader);
    assert!(is_exact(&compared), "its own age is told: {compared:#?}");
    let told = ["lag_records", "anomalies", "member_id"].map(|name| &compared.line[name]);
    assert_eq!(told, [&json!(HALF), &json!(["abandoned"]), &Value::Null], "{compared:#?}");
    let (found_now, whole) = (found(&report).unwrap(), group(&report, &reader).unwrap());
    for of in [&found_now, whole] {
        assert!(of["max_lag_seconds"].as_f64().is_some_and(|age| age < 600.0), "{of:#}");
        let slo = ["within", "breaching", "unknown", "compliance"].map(|name| of["slo"][name].as_f64());
        assert_eq!(slo, [Some(2.0), Some(0.0), Some(0.0), Some(1.0)], "{of:#}");
    }
    assert_eq!((&found_now["abandoned"], &whole["state"]), (&json!(false), &json!("ONLINE")), "{whole:#}");

    let _third = ByHand::start(client, &reader, &left.name, &[2]);
    stage.watch(ALL, "it is read, and counts again", |report| {
        let [_, _, compared] = left.compared(report, &reader);
        let found = found(report).unwrap();
        compared.line["committed_offset"] == RECORDS
            && compared.line["anomalies"] == json!([])
            && (&found["abandoned_partitions"], &found["slo"]["within"]) == (&json!(0), &json!(3))
    });
}

/// A member of a group that commits where it is told.
struct Member {
    consumer: BaseConsumer,
    topic: String,
}

impl Member {
    fn start(client: &Client, group: &str, topic: &str) -> Self {
        let mut config = client.config();
        config.set("group.id", group).set("isolation.level", "read_committed").set("enable.auto.commit", "false");
        let consumer: BaseConsumer = config.set("auto.offset.reset", "earliest").create().unwrap();
        consumer.subscribe(&[topic]).unwrap();
        Self { consumer, topic: topic.to_owned() }
    }

    /// Reads until it has had this record of every partition.
    #[track_caller]
    fn read_to(&self, last: i64) {
        let mut ended = BTreeSet::new();
        eventually("it reads", PATIENCE, || {
            while let Some(Ok(record)) = self.consumer.poll(Duration::from_millis(100)) {
                if record.offset() == last {
                    ended.insert(record.partition());
                }
            }
            ended.len() == 3
        });
    }

    fn commit(&self, offset: i64) {
        let mut list = TopicPartitionList::new();
        for (partition, offset) in each(offset) {
            list.add_partition_offset(&self.topic, partition, Offset::Offset(offset)).unwrap();
        }
        self.consumer.commit(&list, CommitMode::Sync).unwrap();
    }
}

/// Writes records within the open transaction, to every partition.
fn hide(producer: &BaseProducer, topic: &str) -> [Came; 3] {
    [0, 1, 2].map(|partition| {
        let before = now();
        write(producer, topic, partition, (0..HIDDEN).map(|_| now()));
        Came { partition, before, after: now() }
    })
}

/// How many records a group has before it on each partition, and how many are hidden from it there.
fn ahead(report: &Value, group: &str, topic: &str) -> [[Option<i64>; 2]; 3] {
    [0, 1, 2].map(|partition| {
        let line = line(report, group, topic, partition);
        ["lag_records", "blocked_records"].map(|name| line[name].as_i64())
    })
}

/// The ages of a group are those of what came, and these are the only oddities.
#[track_caller]
fn assert_came(report: &Value, group: &str, topic: &str, came: [Came; 3], odd: &[&str]) {
    for came in came {
        let line = line(report, group, topic, came.partition as usize);
        assert!(came.holds(report, line), "{came:?}, told at {}: {line:#}", generated(report));
        assert_eq!(line["anomalies"], json!(odd), "{line:#}");
    }
}

fn transactions_hide_records(stage: &Stage) {
    let (client, name, reader) = (&stage.client, &*stage.hiding.name, stage.group("reader"));
    let member = Member::start(client, &reader, name);
    member.read_to(RECORDS - 1);
    member.commit(RECORDS);
    let producer = transaction(client);
    let came = hide(&producer, name);
    it_stays_open(stage, &reader, came);

    producer.commit_transaction(PATIENCE).unwrap();
    // The marker counts as well, for Kafka tells it from no record.
    let whole = [[Some(HIDDEN + 1), Some(0)]; 3];
    let report = stage.watch(COMMITTED, "what was hidden waits", |report| ahead(report, &reader, name) == whole);
    assert_came(&report, &reader, name, came, &[]);
    stage.hiding.assert_waits(&report, &stage.waiting, HALF + HIDDEN + 1);
    member.read_to(RECORDS + HIDDEN - 1);
    let end = RECORDS + HIDDEN + 1;
    member.commit(end);
    stage.watch(COMMITTED, "all of it is read", |report| is_read(report, &reader, name, &[end; 3]));

    producer.begin_transaction().unwrap();
    let came = hide(&producer, name);
    producer.abort_transaction(PATIENCE).unwrap();
    it_was_aborted(stage, &member, &reader, came);
}

/// As long as a transaction is open, who reads what is committed does not stand still, and who counts all does.
fn it_stays_open(stage: &Stage, reader: &str, came: [Came; 3]) {
    let name = &*stage.hiding.name;
    let hidden = [[Some(0), Some(HIDDEN)]; 3];
    stage.watch(COMMITTED, "records are hidden", |report| {
        topic(report, reader, name).is_some() && is_whole(report) && ahead(report, reader, name) == hidden
    });
    let assert_blocked = |report: &Value| {
        let found = topic(report, reader, name).unwrap();
        assert_eq!((&found["state"], &found["stuck_partitions"]), (&json!("ONLINE"), &json!(0)), "{found:#}");
        if is_whole(report) {
            assert_eq!(ahead(report, reader, name), hidden, "{found:#}");
            assert_came(report, reader, name, came, &["blocked_by_transaction"]);
            stage.hiding.assert_waits(report, &stage.waiting, HALF);
        }
        is_whole(report)
    };
    let stuck = stage.watch(ALL, "for who counts them it is OFFLINE and stuck", |report| {
        assert_blocked(&stage.monitor.report(COMMITTED).unwrap());
        topic(report, reader, name).is_some_and(|found| found["state"] == "OFFLINE" && found["stuck_partitions"] == 3)
    });
    assert_eq!(ahead(&stuck, reader, name), [[Some(HIDDEN), Some(0)]; 3], "{stuck:#}");
    // The other monitor may have begun to count a sample later.
    stage.watch(COMMITTED, "it is not stuck two samples later", |report| {
        assert_blocked(report) && generated(report) > generated(&stuck) + 2_500
    });
}

/// An aborted transaction leaves offsets that nobody can read. More than two of them are taken for records: who has read
/// everything, and commits no position behind them, looks as if it stood still.
fn it_was_aborted(stage: &Stage, member: &Member, reader: &str, came: [Came; 3]) {
    let (name, end) = (&*stage.hiding.name, RECORDS + HIDDEN + 1);
    let unread = [[Some(HIDDEN + 1), Some(0)]; 3];
    stage.watch(COMMITTED, "they count", |report| ahead(report, reader, name) == unread);
    for partition in 0..3 {
        let readable = stage.client.committed_records(name, partition);
        assert_eq!(readable.last().map(|(offset, _)| *offset), Some(end - 2), "all that is readable was read");
    }
    let report = stage.watch(COMMITTED, "OFFLINE is who stands before them", |report| {
        topic(report, reader, name).is_some_and(|found| found["state"] == "OFFLINE")
    });
    assert_eq!(ahead(&report, reader, name), unread, "{report:#}");
    assert_came(&report, reader, name, came, &[]);
    let end = end + HIDDEN + 1;
    member.commit(end);
    stage.watch(COMMITTED, "a position behind them is the end", |report| is_read(report, reader, name, &[end; 3]));
}
