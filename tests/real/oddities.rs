//! What Kafka lets happen to a log and to commits: records deleted, compacted, hidden by transactions, offsets beyond.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};

use crate::ages::{filled, look};
use crate::client::{Client, now, unique};
use crate::kafka::single;
use crate::monitor::{Monitor, document};
use crate::shapes::{DAY, HOUR};
use crate::truth::{Compared, line};
use crate::wait::eventually;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn records_deleted_unread_are_counted_and_the_first_survivor_is_dated() {
    let (client, group) = (single().client(), unique("survivor"));
    let topic = filled(&client, "deleted", &(0..100).map(|n| now() - 5 * DAY + n * HOUR).collect::<Vec<_>>());
    client.commit(&group, &topic, &[(0, 10)]);
    client.delete_records(&topic, 0, 40);
    let report = look(&group, &[]);
    let compared = Compared::new(&report, &group, &topic, 0, &client.records(&topic, 0));
    assert!(compared.error() <= compared.wanted() && compared.bound_holds(), "{compared:#?}");
    let figures = ["committed_offset", "log_start_offset", "log_end_offset", "lag_records", "records_lost"];
    assert_eq!(figures.map(|name| compared.line[name].as_i64().unwrap()), [10, 40, 100, 60, 30]);
}

#[test]
fn a_group_whose_every_record_was_deleted_is_offline_not_current() {
    let (client, group) = (single().client(), unique("emptied"));
    let topic = filled(&client, "emptied", &(0..50).map(|n| now() - DAY + n * 1_000).collect::<Vec<_>>());
    client.commit(&group, &topic, &[(0, 10)]);
    client.delete_records(&topic, 0, 50);
    let report = look(&group, &[]);
    let line = line(&report, &group, &topic, 0);
    assert_eq!(
        (&line["lag_records"], &line["lag_seconds"], &line["records_lost"]),
        (&0.into(), &0.0.into(), &40.into())
    );
    assert_eq!(report["groups"][0]["state"], "OFFLINE");
}

#[test]
fn an_offset_beyond_the_end_is_no_negative_lag() {
    let (client, group) = (single().client(), unique("beyond"));
    let topic = filled(&client, "beyond", &[now() - HOUR; 10]);
    client.commit(&group, &topic, &[(0, 50)]);
    let report = look(&group, &[]);
    let line = line(&report, &group, &topic, 0);
    assert_eq!((&line["lag_records"], &line["lag_seconds"]), (&0.into(), &0.0.into()));
}

/// A producer of transactions, the first of which is open, for two minutes at most.
pub(crate) fn transaction(client: &Client) -> BaseProducer {
    let mut config = client.config();
    let producer: BaseProducer =
        config.set("transactional.id", unique("transaction")).set("transaction.timeout.ms", "120000").create().unwrap();
    producer.init_transactions(30 * SECOND).unwrap();
    producer.begin_transaction().unwrap();
    producer
}

/// Writes records within the open transaction, and returns when they are stored.
pub(crate) fn write(producer: &BaseProducer, topic: &str, partition: i32, times: impl IntoIterator<Item = i64>) {
    for time in times {
        let record = BaseRecord::<(), _>::to(topic).partition(partition).payload("x").timestamp(time);
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(30 * SECOND).unwrap();
}

#[test]
fn a_transaction_marker_is_no_record_to_be_dated_wrongly() {
    let (client, group) = (single().client(), unique("marker"));
    let topic = filled(&client, "marker", &[]);
    let begun = now();
    let producer = transaction(&client);
    write(&producer, &topic, 0, [now() - DAY, now() - HOUR, now() - HOUR]);
    producer.commit_transaction(30 * SECOND).unwrap();
    client.commit(&group, &topic, &[(0, 3)]);
    let report = look(&group, &[]);
    let line = line(&report, &group, &topic, 0);
    assert_eq!((&line["log_end_offset"], &line["lag_records"]), (&4.into(), &1.into()));
    let (age, oldest) = (line["lag_seconds"].as_f64().unwrap(), (now() - begun) as f64 / 1e3);
    assert!(age <= oldest, "the marker was written {oldest} s ago at most: {line:#}");
}

#[test]
fn an_open_transaction_blocks_who_reads_committed() {
    let (client, groups) = (single().client(), unique("open"));
    let topic = filled(&client, "open", &(0..5).map(|n| now() - 2 * HOUR + n * 60_000).collect::<Vec<_>>());
    let producer = transaction(&client);
    write(&producer, &topic, 0, (0..3).map(|n| now() - HOUR + n * 60_000));
    let commits = [("behind", 3), ("blocked", 5), ("ahead", 6)];
    client.commit_each(&commits.map(|(name, committed)| (format!("{groups}-{name}"), topic.as_str(), committed)));
    let (committed, all) =
        (look(&format!("{groups}-*"), &["--isolation-level", "ReadCommitted"]), look(&format!("{groups}-*"), &[]));
    producer.abort_transaction(30 * SECOND).unwrap();

    let records = client.records(&topic, 0);
    let at = |report, name: &str| Compared::new(report, &format!("{groups}-{name}"), &topic, 0, &records);
    let behind = at(&committed, "behind");
    assert!(behind.error() <= behind.wanted() && behind.line["lag_records"] == 2, "{behind:#?}");
    let blocked = at(&committed, "blocked");
    assert!(blocked.error() <= blocked.wanted() && blocked.bound_holds(), "the age of the hidden record: {blocked:#?}");
    assert!(blocked.has("blocked_by_transaction"), "{blocked:#?}");
    assert_eq!((&blocked.line["lag_records"], &blocked.line["blocked_records"]), (&0.into(), &3.into()));
    let ahead = at(&committed, "ahead");
    assert!(ahead.has("ahead_of_stable") && ahead.age == Some(0.0) && ahead.line["lag_records"] == 0, "{ahead:#?}");
    for (name, records) in [("behind", 5), ("blocked", 3), ("ahead", 2)] {
        let line = at(&all, name).line;
        assert_eq!((&line["lag_records"], &line["anomalies"]), (&records.into(), &serde_json::json!([])), "{line:#}");
    }
}

#[test]
fn a_marker_at_the_end_makes_nobody_offline() {
    let (client, prefix) = (single().client(), unique("tail"));
    client.create(&prefix, 1, &[]);
    let producer = transaction(&client);
    write(&producer, &prefix, 0, [now(); 3]);
    producer.commit_transaction(30 * SECOND).unwrap();
    let mut config = client.config();
    config.set("group.id", &prefix).set("auto.offset.reset", "earliest").set("enable.auto.commit", "false");
    let member: BaseConsumer = config.create().unwrap();
    member.subscribe(&[&prefix]).unwrap();
    eventually("it reads", 30 * SECOND, || matches!(member.poll(SECOND), Some(Ok(record)) if record.offset() == 2));
    client_commits(&member, &prefix, 3);

    let monitor = Monitor::start(&[("a.yaml", &document("tail", &single().bootstrap, &prefix))], &[]);
    let report = monitor.reports("tail", "the anomaly", |report| {
        let group = &report["groups"][0]["topics"][0];
        assert_ne!(group["state"], "OFFLINE", "{report:#}");
        group["partitions"][0]["anomalies"] == serde_json::json!(["tail_unreadable"])
    });
    assert_eq!(line(&report, &prefix, &prefix, 0)["lag_records"], 1);
    drop(member);
}

/// Commits record + 1, as many clients do, and not past the marker behind it.
fn client_commits(member: &BaseConsumer, topic: &str, offset: i64) {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Offset(offset)).unwrap();
    member.commit(&list, CommitMode::Sync).unwrap();
}
